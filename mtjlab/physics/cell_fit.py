"""Cells behind noisy reads of an array, with what noise, instruments, wires and bias dependence leave unknown of each.

`deembed` finds the cells; Newton steps in the conductances themselves, with the cells' bias dependence, then bring them
to where the reads are met, so that an open cell may come out a little below zero as its noise has it. The same linear
response carries every other uncertainty from reads to cells (GUM: Guide to the Expression of Uncertainty, 5.2).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..nouns import Bools, Floats
from .blas_threads import one_thread
from .crossbar import DENSE_CELLS
from .deembed import RawReads, Scheme, Wires, deembed
from .line_reads import BiasDependence, LineReads, Response, per_segment_ohm, respond

_MOST_STEPS = 12
_SETTLED = 1e-6
_SHORT_RATIO = 20.0
"""What a short conducts, in units of the median cell (assumed)."""
_SHORT_RATE = 0.004
"""Probability that an unread cell is one (assumed, as in `die_description.DefectRates`)."""
_UNREAD_SPREAD = float(np.sqrt(0.5**2 + _SHORT_RATE * _SHORT_RATIO**2))
"""Standard deviation of an unread cell, as a fraction of the median cell that was read: states and sizes (a half,
assumed), and what shorts add."""
_UNREAD_COMMON = 0.4
"""Likewise of what unread cells have in common: those that were read may all be in one state (assumed)."""


@dataclass(frozen=True)
class ReadErrors:
    """Standard uncertainties that all reads of an array share.

    Attributes:
        meter: relative, of the ammeter.
        drive: relative, of the level of the selected line.
        unselected: relative, of the levels of the others, if these are not zero.
        offset_siemens: of an offset that all reads have in common, siemens.
        level_offset: of what every source adds to its level, in units of the bias: those of the driven and the sensed
            line, and one for each level of the others.
        segment_ohms: of the wire between neighbouring cells, ohms.
        line_ohms: of the resistance in series with each line, ohms; scalar or (rows + cols,), lines independent.
        hold_ohms: of the resistance that unselected lines of one level have in common, ohms.
    """

    meter: float = 0.0
    drive: float = 0.0
    unselected: float = 0.0
    offset_siemens: float = 0.0
    level_offset: float = 0.0
    segment_ohms: float = 0.0
    line_ohms: ArrayLike = 0.0
    hold_ohms: float = 0.0


@dataclass(frozen=True, eq=False)
class FittedCells:
    """What reads say of the cells; all (rows, cols), siemens.

    Attributes:
        siemens: conductances at the read bias.
        sigma: standard uncertainty of each.
        noise, instruments, wires, bias: the parts of it, which add up as squares.
        is_read: whether a read was there; the others are only guessed.
        common: (errors, rows, cols), what one standard uncertainty of each of the instruments' errors does to all cells
            at once, with its sign; `instruments` is the root of the sum of their squares.
    """

    siemens: Floats
    sigma: Floats
    noise: Floats
    instruments: Floats
    wires: Floats
    bias: Floats
    is_read: Bools
    common: Floats


def fit_cells(
    raw: Floats,
    noise: Floats,
    scheme: Scheme,
    wires: Wires,
    errors: ReadErrors,
    *,
    hold_ohms: float = 0.0,
    bias: BiasDependence | None = None,
    read_volts: float = 0.1,
) -> FittedCells:
    """Cells behind single-cell reads under one scheme.

    Args:
        raw: (rows, cols), current into the selected column per volt on the selected row; NaN or infinite where not
            read: such a cell counts as a typical one, or, if infinite, as one with twenty times as much.
        noise: (rows, cols), standard deviation of each, siemens.
        hold_ohms: what unselected lines of one level have in common: output and cable of the source that holds them.

    Raises InputError if nothing was read, if the array is too large to be solved whole, or if the reads do not
    determine its cells.
    """
    is_read = np.isfinite(raw)
    if raw.size > DENSE_CELLS:
        raise InputError(f"{raw.shape} cells are too many to be de-embedded at once", remedy="Read it in parts")
    if not is_read.any():
        raise InputError("nothing was read", remedy="Read some cells first")
    with one_thread():
        start = _start(raw, noise, is_read, scheme, wires)
        problem = _Problem(raw, noise, is_read, scheme, wires, hold_ohms, bias, read_volts, start)
        siemens, response = problem.solved(start)
        return problem.result(siemens, response, errors)


def _start(raw: Floats, noise: Floats, is_read: Bools, scheme: Scheme, wires: Wires) -> Floats:
    typical = float(np.median(raw[is_read]))
    known = RawReads(np.where(is_read, raw, np.nan), scheme, 0.0, np.maximum(noise, 1e-4 * abs(typical)))
    if scheme is Scheme.GROUNDED:
        start = np.where(is_read, np.maximum(raw, 0.0), typical)
    else:
        start = deembed([known], wires, expected_siemens=abs(typical), expected_spread=1.0).siemens
        typical = float(np.median(start[is_read]))
    return np.where(np.isposinf(raw), _SHORT_RATIO * typical, np.where(is_read, start, typical))


class _Problem:
    """Weighted residuals of the reads; cells without a read are tied to what they started from."""

    def __init__(
        self,
        raw: Floats,
        noise: Floats,
        is_read: Bools,
        scheme: Scheme,
        wires: Wires,
        hold_ohms: float,
        bias: BiasDependence | None,
        read_volts: float,
        start: Floats,
    ) -> None:
        self.shape = (raw.shape[0], raw.shape[1])
        self.is_read, self.wires, self.hold_ohms = is_read, wires, hold_ohms
        self.bias, self.read_volts = bias, read_volts
        sites = [(int(i), int(j)) for i, j in np.argwhere(is_read)]
        self.reads = LineReads.of_cells(self.shape, sites, scheme)
        self.raw = raw[is_read]
        self.weights = 1 / np.maximum(noise[is_read], 1e-9 * float(np.abs(self.raw).max()))
        self.start = start.ravel()
        self.free = np.flatnonzero(~is_read.ravel())
        self.spread = _UNREAD_SPREAD * np.maximum(self.start[self.free], 1e-9)

    def solved(self, start: Floats) -> tuple[Floats, Response]:
        """Newton steps until nothing moves; cells below zero are extrapolated from an open one."""
        siemens, typical = start.ravel().copy(), float(np.median(start))
        response = self._respond(siemens)
        for _ in range(_MOST_STEPS):
            gain, residual = self._gain(response)[0], self._residual(siemens, response)
            step = gain @ residual
            siemens = siemens + step
            response = self._respond(siemens)
            if np.abs(step).max() < _SETTLED * typical:
                break
        return siemens, response

    def _respond(self, siemens: Floats) -> Response:
        found = respond(siemens.reshape(self.shape), self.reads, self.wires, self.bias, self.read_volts)
        return replace(found, siemens=found.siemens + self.hold_ohms * found.per_hold_ohm)

    def _residual(self, siemens: Floats, response: Response) -> Floats:
        below = np.minimum(siemens, 0.0)
        of_reads = self.raw - response.siemens - response.per_cell @ below
        return np.concatenate([of_reads, self.start[self.free] - siemens[self.free]])

    def _gain(self, response: Response) -> tuple[Floats, Floats]:
        """From residuals to cells, and the covariance of the cells."""
        tied = np.zeros((self.free.size, self.start.size))
        tied[np.arange(self.free.size), self.free] = 1.0
        weights = np.concatenate([self.weights, 1 / self.spread])
        weighted = np.vstack([response.per_cell, tied]) * weights[:, None]
        inverse = np.linalg.inv(weighted)
        return inverse * weights, inverse @ inverse.T

    def result(self, siemens: Floats, response: Response, errors: ReadErrors) -> FittedCells:
        gain, covariance = self._gain(response)
        of_reads = gain[:, : self.raw.size]
        common = of_reads @ np.column_stack(self._instruments(response, errors))
        parts = {
            "noise": np.sqrt(np.diag(covariance) + self._unread(gain) ** 2),
            "instruments": np.sqrt((common**2).sum(axis=1)),
            "wires": _carried(of_reads, self._wires(siemens, response, errors)),
            "bias": _carried(of_reads, self._bias(siemens)),
        }
        shaped = {name: part.reshape(self.shape) for name, part in parts.items()}
        sigma = np.sqrt(sum(part**2 for part in shaped.values()))
        by_error = common.T.reshape(-1, *self.shape)
        return FittedCells(siemens.reshape(self.shape), sigma, **shaped, is_read=self.is_read, common=by_error)

    def _unread(self, gain: Floats) -> Floats:
        """What an error that all unread cells have in common makes of every cell."""
        common = _UNREAD_COMMON / _UNREAD_SPREAD * self.spread
        return np.asarray(gain[:, self.raw.size :] @ common)

    def _instruments(self, response: Response, errors: ReadErrors) -> list[Floats]:
        """What each relative error does to all reads at once."""
        at = np.arange(self.raw.size)
        of_drive = response.of_levels[at, self.reads.driven]
        of_others = response.of_levels.sum(axis=1) - of_drive
        offset = np.full(self.raw.size, errors.offset_siemens)
        scales = [errors.meter * self.raw, errors.drive * of_drive, errors.unselected * of_others, offset]
        return [*scales, *self._offsets(response, errors.level_offset)]

    def _offsets(self, response: Response, offset: float) -> list[Floats]:
        if offset == 0:
            return []
        at, per = np.arange(self.raw.size), response.per_level
        held = [np.where(together, per, 0.0).sum(axis=1) for together in self.reads.held_together()]
        return [offset * one for one in (per[at, self.reads.driven], per[at, self.reads.sensed], *held)]

    def _wires(self, siemens: Floats, response: Response, errors: ReadErrors) -> list[Floats]:
        ohms = np.broadcast_to(np.asarray(errors.line_ohms, dtype=np.float64), response.per_line_ohm.shape[1:])
        found = [response.per_line_ohm * ohms, response.per_hold_ohm * errors.hold_ohms]
        if errors.segment_ohms > 0:
            found.append(errors.segment_ohms * per_segment_ohm(siemens.reshape(self.shape), self.reads, self.wires))
        return found

    def _bias(self, siemens: Floats) -> list[Floats]:
        bias = self.bias
        if bias is None or bias.half_volts_sigma == 0:
            return []
        moved = replace(bias, half_volts=bias.half_volts + bias.half_volts_sigma)
        shaped = siemens.reshape(self.shape)
        before, after = (respond(shaped, self.reads, self.wires, b, self.read_volts).siemens for b in (bias, moved))
        return [after - before]


def _carried(of_reads: Floats, changes: list[Floats]) -> Floats:
    """Standard uncertainty of the cells from independent changes of all reads, each (reads,) or (reads, several)."""
    if not changes:
        return np.zeros(len(of_reads))
    carried = of_reads @ np.column_stack(changes)
    return np.asarray(np.sqrt((carried**2).sum(axis=1)))
