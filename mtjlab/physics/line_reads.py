"""Any reads of a passive array and how each answers to cells, wires, levels and the bias dependence of its cells.

A read puts levels on lines, lets others float, and takes the current out of one line. With Y the port matrix of the
array, the levels of floating lines follow from no current into them. Derivatives are exact: that with respect to a
conductance is the product of its voltage in the read and in the adjoint read, one volt on the sensed line and nothing
on the other driven ones (Tellegen).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..nouns import Bools, Floats
from .blas_threads import one_thread
from .crossbar import Reduction, reduce_array, shared_ohms
from .deembed import Scheme, Wires

_LEAST_SIEMENS = 1e-12
_NUDGE = 1e-3
_SETTLED = 1e-9
_MOST_ROUNDS = 30


@dataclass(frozen=True, eq=False)
class LineReads:
    """Reads of an array, in units of their bias.

    Attributes:
        shape: (rows, cols) of the array.
        levels: (reads, rows + cols), level of each line over the bias; NaN where it floats.
        sensed: (reads,), which line's current is taken, rows counted first; it is driven.
        driven: (reads,), the line at the full bias.
    """

    shape: tuple[int, int]
    levels: Floats
    sensed: NDArray[np.int64]
    driven: NDArray[np.int64]

    @classmethod
    def of_cells(cls, shape: tuple[int, int], sites: Sequence[tuple[int, int]], scheme: Scheme) -> LineReads:
        """One read per site: its row at the bias, its column at zero and sensed, the others as the scheme says."""
        rows = shape[0]
        row, col = (np.array([site[axis] for site in sites], dtype=np.int64) for axis in (0, 1))
        levels = np.tile(unselected_levels(shape, scheme), (len(sites), 1))
        at = np.arange(len(sites))
        levels[at, row], levels[at, rows + col] = 1.0, 0.0
        return cls(shape, levels, rows + col, row)

    def held_together(self) -> list[Bools]:
        """(reads, lines) for each level at which lines are held that are neither driven nor sensed: one source each."""
        held, at = self.levels.copy(), np.arange(len(self.sensed))
        held[at, self.sensed] = held[at, self.driven] = np.nan
        return [held == level for level in np.unique(held[~np.isnan(held)])]

    def __post_init__(self) -> None:
        if np.isnan(self.levels[np.arange(len(self.sensed)), self.sensed]).any():
            raise InputError("a sensed line floats", remedy="Give it a level")


def unselected_levels(shape: tuple[int, int], scheme: Scheme) -> Floats:
    """Level of every line over the bias while it is not selected, rows first; NaN where it floats."""
    of_rows, of_cols = {
        Scheme.GROUNDED: (0.0, 0.0),
        Scheme.FLOATING: (np.nan, np.nan),
        Scheme.HALF: (0.5, 0.5),
        Scheme.THIRD: (1 / 3, 2 / 3),
        Scheme.ROWS_FLOAT: (np.nan, 0.0),
    }[scheme]
    return np.concatenate([np.full(shape[0], of_rows), np.full(shape[1], of_cols)])


@dataclass(frozen=True)
class BiasDependence:
    """How cells in AP conduct at other voltages than that of their read: G_P / (1 + TMR0 / (1 + (V / V_h)^2)).

    Attributes:
        half_volts: V_h, at which half of the TMR is left.
        half_volts_sigma: its standard uncertainty, volts.
        tmr: TMR0 of the device, which also says which cells are in P.
    """

    half_volts: float
    half_volts_sigma: float = 0.0
    tmr: float = 1.0

    def factor(self, volts: Floats, read_volts: float, is_parallel: Bools) -> Floats:
        """Conductance at `volts` over that at `read_volts`; the cells are the last axis of `volts`."""
        at_read = 1 + self.tmr / (1 + (read_volts / self.half_volts) ** 2)
        return np.where(is_parallel, 1.0, at_read / (1 + self.tmr / (1 + (volts / self.half_volts) ** 2)))

    def told(self, siemens: Floats) -> Bools:
        """Which cells are in P: beyond the middle of the two values that the TMR allows, row by row.

        Rows may hold junctions of different sizes, and a row may hold cells of one state only: its cells are compared
        with the scale at which they fit two levels best. Shorts count as P (no bias dependence).
        """
        logs = np.log(np.maximum(siemens, _LEAST_SIEMENS))
        return np.array([_in_upper_level(row, np.log1p(self.tmr), np.median(logs)) for row in logs])


def _in_upper_level(logs: Floats, gap: float, typical: float) -> Bools:
    """Which of these values belong to the upper of two levels `gap` apart, whose place is found by trying."""
    places = np.median(logs) + np.linspace(-gap, gap, 81)
    distances = np.minimum(np.abs(logs[None] - places[:, None]), np.abs(logs[None] - places[:, None] - gap))
    costs = np.minimum(distances, gap / 2).sum(axis=1) + 0.02 * np.abs(places + gap / 2 - typical)
    return np.asarray(logs > places[int(np.argmin(costs))] + gap / 2)


@dataclass(frozen=True, eq=False)
class Response:
    """What reads give, and how they answer; all per volt of bias.

    Attributes:
        siemens: (reads,), current out of the sensed line.
        per_cell: (reads, cells), change per siemens of each cell.
        per_line_ohm: (reads, lines), change per ohm in series with each line.
        per_hold_ohm: (reads,), change per ohm that lines of one level have in common: one source holds all of them, and
            what they carry together moves all of them. The driven and the sensed line have sources of their own.
        of_levels: (reads, lines), share of each line's level in the current.
        per_level: (reads, lines), change per bias that is added to a line's level; for floating lines it means nothing.
        cell_levels: (reads, cells), voltage of each cell over the bias.
    """

    siemens: Floats
    per_cell: Floats
    per_line_ohm: Floats
    per_hold_ohm: Floats
    of_levels: Floats
    per_level: Floats
    cell_levels: Floats


def respond(
    siemens: Floats, reads: LineReads, wires: Wires, bias: BiasDependence | None = None, read_volts: float = 0.0
) -> Response:
    """Solve all reads of an array.

    Args:
        siemens: (rows, cols), conductances at `read_volts`; below zero counts as an open cell.
        bias: how they change with voltage; without it they do not. Derivatives leave it out.
    """
    with one_thread():
        reduction = reduced(siemens, wires)
        ports = reduction.port_siemens
        inverse = _inverses((ports + ports.T) / 2, reads)
        levels = inverse @ np.nan_to_num(reads.levels)[:, :, None]
        adjoint = inverse[np.arange(len(reads.sensed)), :, reads.sensed]
        found = _linear(reads, levels[:, :, 0], adjoint, ports, reduction)
        if bias is None:
            return found
        is_floating = np.isnan(reads.levels)
        excess = _excess(reduction, found, inverse, is_floating, adjoint, bias, read_volts)
        return replace(found, siemens=found.siemens + excess)


def reduced(siemens: Floats, wires: Wires) -> Reduction:
    """The array as its lines see it."""
    rows, cols = siemens.shape
    ohms = shared_ohms(rows, cols, wires.segment_ohms, wires.row_ohms, wires.col_ohms)
    return reduce_array(np.maximum(siemens, _LEAST_SIEMENS), ohms)


def _inverses(ports: Floats, reads: LineReads) -> Floats:
    """(reads, lines, lines): from levels of driven lines, and currents out of floating ones, to all levels."""
    is_floating = np.isnan(reads.levels)
    patterns, which = np.unique(is_floating, axis=0, return_inverse=True)
    matrices = np.where(patterns[:, :, None], ports, np.eye(len(ports)))
    return np.asarray(np.linalg.inv(matrices)[which.ravel()])


def _linear(reads: LineReads, levels: Floats, adjoint: Floats, ports: Floats, reduction: Reduction) -> Response:
    amps, of_levels = levels @ ports, -(adjoint @ ports)
    cell_levels = levels @ reduction.to_cells.T
    return Response(
        -np.einsum("rl,rl->r", adjoint, amps),
        -cell_levels * (adjoint @ reduction.to_cells.T),
        -of_levels * amps,
        _of_common_ohm(reads, amps, of_levels),
        of_levels * levels,
        of_levels,
        cell_levels,
    )


def _of_common_ohm(reads: LineReads, amps: Floats, of_levels: Floats) -> Floats:
    """First order: a milliohm or a hundred in common is little beside what the cells have."""
    found = np.zeros(len(reads.sensed))
    for together in reads.held_together():
        found -= np.where(together, amps, 0.0).sum(axis=1) * np.where(together, of_levels, 0.0).sum(axis=1)
    return found


def _excess(
    reduction: Reduction,
    found: Response,
    inverse: Floats,
    is_floating: Bools,
    adjoint: Floats,
    bias: BiasDependence,
    read_volts: float,
) -> Floats:
    """What the bias dependence adds to every read, exact: the cells' extra currents until nothing changes any more."""
    cells = found.cell_levels
    shape = (int((reduction.lines.max(axis=0) > 0).sum()), -1)
    is_parallel = bias.told(reduction.siemens.reshape(shape)).ravel()
    extra = np.zeros_like(cells)
    for _ in range(_MOST_ROUNDS):
        factor = bias.factor(cells * read_volts, read_volts, is_parallel)
        before, extra = extra, reduction.siemens * (factor - 1) * cells
        into_lines = extra @ reduction.to_cells
        out_of_floating = np.where(is_floating, -into_lines, 0.0)
        shifted = np.einsum("rlm,rm->rl", inverse, out_of_floating)
        cells = found.cell_levels + shifted @ reduction.to_cells.T - extra @ reduction.of_cells
        if np.abs(extra - before).max(initial=0.0) < _SETTLED * reduction.siemens.max():
            break
    return np.asarray(-np.einsum("rl,rl->r", adjoint, into_lines))


def per_segment_ohm(siemens: Floats, reads: LineReads, wires: Wires) -> Floats:
    """(reads,): change of every read per ohm of the wire between neighbouring cells, by a small step."""
    step = max(wires.segment_ohms * _NUDGE, 1e-4)
    changed = replace(wires, segment_ohms=wires.segment_ohms + step)
    return (respond(siemens, reads, changed).siemens - respond(siemens, reads, wires).siemens) / step
