"""Resistances of wires and contacts from what a passive array lets through between lines of one kind.

With one row at the bias and everything else at zero, what comes out of another row has gone down one cell and up the
next because the columns between them are not quite at zero: it is the columns' resistance times conductances that the
single-cell reads give. Columns tell of the rows likewise. Cells and resistances are fitted together (Gauss and Newton)
to all reads and to what was known of the resistances before.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..nouns import Floats
from .blas_threads import one_thread
from .crossbar import DENSE_CELLS
from .deembed import Scheme, Wires
from .line_reads import BiasDependence, LineReads, Response, per_segment_ohm, respond

_MOST_STEPS = 10
_SETTLED_OHMS = 1e-4
_FURTHEST = 8.0
"""Standard uncertainties from what was known, beyond which no resistance is looked for."""


@dataclass(frozen=True, eq=False)
class WireEstimate:
    """Resistances with their standard uncertainties.

    Attributes:
        wires: what was found.
        line_sigma_ohms: (rows + cols,), rows first.
        segment_sigma_ohms: of the wire between neighbouring cells.
        hold_ohms, hold_sigma_ohms: what lines that one source holds have in common.
        chi_squared_per_read: mean squared residual in units of the noise; far above 1 means that something else, such
            as a line that touches another, goes on.
    """

    wires: Wires
    line_sigma_ohms: Floats
    segment_sigma_ohms: float
    hold_ohms: float
    hold_sigma_ohms: float
    chi_squared_per_read: float


def line_pairs(shape: tuple[int, int]) -> list[tuple[int, int]]:
    """All pairs of rows, and all pairs of columns, as lines counted rows first."""
    rows, cols = shape
    return [*combinations(range(rows), 2), *combinations(range(rows, rows + cols), 2)]


def between_lines(shape: tuple[int, int], pairs: list[tuple[int, int]]) -> LineReads:
    """One read per pair: the first at the bias, the second sensed, everything else at zero."""
    driven, sensed = (np.array([pair[k] for pair in pairs], dtype=np.int64) for k in (0, 1))
    levels = np.zeros((len(pairs), sum(shape)))
    levels[np.arange(len(pairs)), driven] = 1.0
    return LineReads(shape, levels, sensed, driven)


def fit_wires(
    cell_reads: Floats,
    pair_reads: Floats,
    noise: tuple[float, float],
    known: Wires,
    *,
    line_sigma_ohms: ArrayLike,
    segment_sigma_ohms: float,
    hold_ohms: float = 0.0,
    hold_sigma_ohms: float = 0.0,
    bias: BiasDependence | None = None,
    read_volts: float = 0.1,
) -> WireEstimate:
    """Find the resistances.

    Args:
        cell_reads: (rows, cols), single-cell reads with all other lines at zero, siemens; all of them finite.
        pair_reads: (pairs,), reads of `line_pairs`, siemens.
        noise: standard deviation of each of the former and of the latter, siemens.
        known: what is known beforehand.
        line_sigma_ohms, segment_sigma_ohms: its standard uncertainty, lines independent; zero holds it.
        hold_ohms, hold_sigma_ohms: what is known of the resistance that all lines at zero have in common. It counts as
            many times over as there are lines, and reads hardly tell it from the lines' own.

    Raises InputError if the array is too large, not all of it was read, or no such wires explain the reads.
    """
    rows, cols = cell_reads.shape
    shape = (rows, cols)
    if cell_reads.size > DENSE_CELLS or not (np.isfinite(cell_reads).all() and np.isfinite(pair_reads).all()):
        raise InputError("wires can be fitted to complete reads of arrays up to 40 x 40", remedy="Read every cell")
    sites = [(i, j) for i in range(rows) for j in range(cols)]
    reads = _joined(LineReads.of_cells(shape, sites, Scheme.GROUNDED), between_lines(shape, line_pairs(shape)))
    weights = 1 / np.concatenate([np.full(cell_reads.size, noise[0]), np.full(pair_reads.size, noise[1])])
    measured = np.concatenate([cell_reads.ravel(), pair_reads])
    of_lines = np.broadcast_to(np.asarray(line_sigma_ohms, dtype=np.float64), rows + cols)
    prior = np.concatenate([of_lines, [segment_sigma_ohms, hold_sigma_ohms]])
    with one_thread(), np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        return _Fit(reads, measured, weights, known, hold_ohms, prior, bias, read_volts).result(cell_reads)


def _joined(first: LineReads, second: LineReads) -> LineReads:
    return LineReads(
        first.shape,
        np.vstack([first.levels, second.levels]),
        np.concatenate([first.sensed, second.sensed]),
        np.concatenate([first.driven, second.driven]),
    )


class _Fit:
    """Unknowns: conductances, then the resistances (lines, segment, hold) as far as they are free."""

    def __init__(
        self,
        reads: LineReads,
        measured: Floats,
        weights: Floats,
        known: Wires,
        hold_ohms: float,
        prior: Floats,
        bias: BiasDependence | None,
        read_volts: float,
    ) -> None:
        self.reads, self.measured, self.weights = reads, measured, weights
        self.bias, self.read_volts = bias, read_volts
        rows, cols = reads.shape
        lines = [np.broadcast_to(ohms, n) for ohms, n in ((known.row_ohms, rows), (known.col_ohms, cols))]
        self.known = np.concatenate([*lines, [known.segment_ohms, hold_ohms]]).astype(np.float64)
        self.prior = prior
        self.free = np.flatnonzero(prior > 0)

    def result(self, start: Floats) -> WireEstimate:
        siemens, ohms, far = np.maximum(start.ravel(), 0.0), self.known.copy(), _FURTHEST * self.prior
        for _ in range(_MOST_STEPS):
            residual, slopes = self._linearised(siemens, ohms)
            covariance = np.linalg.inv(slopes.T @ slopes)
            step = covariance @ (slopes.T @ residual)
            if not np.isfinite(step).all():
                raise InputError("no wires explain these reads", remedy="Look for lines that touch each other first")
            siemens = np.maximum(siemens + step[: siemens.size], 0.0)
            ohms[self.free] += step[siemens.size :]
            ohms = np.clip(ohms, np.maximum(self.known - far, 0.0), self.known + far)
            if np.abs(step[siemens.size :]).max(initial=0.0) < _SETTLED_OHMS:
                break
        residual, _ = self._linearised(siemens, ohms)
        sigma = np.zeros(ohms.size)
        sigma[self.free] = np.sqrt(np.diag(covariance)[siemens.size :])
        used = residual[: self.measured.size]
        segment, hold = (float(value) for value in sigma[-2:])
        chi = float(used @ used) / self._freedom()
        return WireEstimate(self._wires(ohms), sigma[:-2], segment, float(ohms[-1]), hold, chi)

    def _freedom(self) -> int:
        """Reads beyond one for each cell: the cells follow what their own reads say."""
        return self.measured.size - self.reads.shape[0] * self.reads.shape[1]

    def _wires(self, ohms: Floats) -> Wires:
        rows = self.reads.shape[0]
        return Wires(float(ohms[-2]), ohms[:rows].copy(), ohms[rows:-2].copy())

    def _linearised(self, siemens: Floats, ohms: Floats) -> tuple[Floats, Floats]:
        """Residuals in units of their uncertainty, and the slopes of what is modelled."""
        shaped, wires = siemens.reshape(self.reads.shape), self._wires(ohms)
        response = respond(shaped, self.reads, wires, self.bias, self.read_volts)
        slopes = np.hstack([response.per_cell, self._per_ohm(response, shaped, wires)[:, self.free]])
        tied = np.hstack([np.zeros((self.free.size, siemens.size)), np.eye(self.free.size)])
        of_prior = ((self.known - ohms) / np.where(self.prior > 0, self.prior, 1.0))[self.free]
        modelled = response.siemens + ohms[-1] * response.per_hold_ohm
        residual = np.concatenate([(self.measured - modelled) * self.weights, of_prior])
        return residual, np.vstack([slopes * self.weights[:, None], tied / self.prior[self.free][:, None]])

    def _per_ohm(self, response: Response, siemens: Floats, wires: Wires) -> Floats:
        is_free = self.prior[-2] > 0
        segment = per_segment_ohm(siemens, self.reads, wires) if is_free else np.zeros(self.measured.size)
        return np.column_stack([response.per_line_ohm, segment, response.per_hold_ohm])
