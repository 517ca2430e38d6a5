"""Compiled operating points of a Daffodil kernel; imported only when needed, for compiling takes seconds.

Junctions in series with their transistors, and the wires of the lines, solved together by Newton's method: the whole
network by `mtjlab.physics.cell_kernels`, or, where only one column is connected, its ladder by elimination from the
far end. The same physics as `daffodil_kernel._Cells`, which says what it is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from mtjlab.nouns import Bools, Floats
from mtjlab.physics.cell_kernels import solve_cells
from mtjlab.physics.line_kernels import wire_fields

_SETTLED = 1e-8
"""A step of so many volts is the last one: its square is what is still missing."""
_MOST_STEPS = 60
_NETWORK_NEWTON, _NEWTON = 2e-4, 2e-5
"""Change of the voltages, relative to the largest, after which a step of Newton is the last: its square is missing."""
_MOST_NEWTON = 60
_ROUGH, _FINE = 1e-8, 1e-14
"""Tolerances of the linear network in the first step of Newton and in the later ones."""


class CellArrays(NamedTuple):
    """Of every cell, shape (cells,): its junction, and its transistors at one bias.

    Attributes:
        is_parallel: state.
        siemens_p, tmr: of the junction.
        dead_siemens: conductance of a short or open cell; negative where the barrier is intact.
        saturation_amps, on_ohms: of the transistors; zero saturation where they are off.
        half_volts: bias at which half of the TMR is left, shape (1,).
    """

    is_parallel: Bools
    siemens_p: Floats
    tmr: Floats
    dead_siemens: Floats
    saturation_amps: Floats
    on_ohms: Floats
    half_volts: Floats


@njit(cache=True, error_model="numpy", nogil=True)
def _junction(c: CellArrays, k: int, volts: float) -> tuple[float, float]:
    """Current and slope of a bare junction, as `mtj.conductance` and `mtj.current_slope` have them."""
    if c.dead_siemens[k] >= 0:
        return c.dead_siemens[k] * volts, c.dead_siemens[k]
    p = c.siemens_p[k]
    if c.is_parallel[k]:
        return p * volts, p
    rise = (volts / c.half_volts[0]) ** 2
    u, t0 = 1 + rise, c.tmr[k]
    return p * volts * u / (u + t0), p * ((u + t0) * (u + 2 * rise) - u * 2 * rise) / (u + t0) ** 2


@njit(cache=True, error_model="numpy", nogil=True)
def series(c: CellArrays, k: int, volts: float, share: float) -> tuple[float, float, float, float]:
    """Junction's volts, current, d(current)/d(volts) and d(junction's volts)/d(volts): Newton between bounds.

    Args:
        share: where to begin.
    """
    low, high = min(volts, 0.0), max(volts, 0.0)
    share = min(max(share, low), high)
    saturation, ohms = c.saturation_amps[k], c.on_ohms[k]
    amps = slope = channel = step = 0.0
    for _ in range(_MOST_STEPS):
        amps, slope = _junction(c, k, share)
        bent = _tanh((volts - share) / (saturation * ohms))
        channel = (1 - bent * bent) / ohms
        excess = amps - saturation * bent
        if excess < 0:
            low = share
        elif excess > 0:
            high = share
        step = -excess / (slope + channel)
        if abs(step) < _SETTLED:
            break
        if share + step < low or share + step > high:
            step = (low + high) / 2 - share
        share += step
    part = channel / (slope + channel)
    return share + step, amps + slope * step, slope * part, part


@njit(cache=True, error_model="numpy", nogil=True)
def _tanh(x: float) -> float:
    """Most cells of a kernel have next to no voltage, where two terms of the series are exact."""
    return math.tanh(x) if abs(x) > 1e-3 else x - x**3 / 3 + x**5 / 7.5


@njit(cache=True, error_model="numpy", nogil=True)
def network_point(
    c: CellArrays,
    row_ohms: Floats,
    col_ohms: Floats,
    row_volts: Floats,
    col_volts: Floats,
) -> tuple[Floats, Floats, Floats, bool]:
    """Junction volts, cell volts and cell amps, (rows, cols), and whether it converged.

    Args:
        row_ohms, col_ohms: (rows, cols + 1), (rows + 1, cols); infinite at ends that are not driven.
        row_volts, col_volts: (rows, 2), (2, cols) at the ends.
    """
    m, n = row_ohms.shape[0], col_ohms.shape[1]
    g, offset, volts = np.zeros((m, n)), np.zeros((m, n)), np.zeros((m, n))
    junction, amps = np.zeros((m, n)), np.zeros((m, n))
    none, no_lines = np.zeros((0, 0)), np.zeros(0)
    shares, slopes = np.zeros((m, n)), np.zeros((m, n))
    for i in range(m):
        for j in range(n):
            k = i * n + j
            if c.saturation_amps[k] > 0:
                g[i, j], shares[i, j] = _secant(c, k, _across(i, j, row_ohms, col_ohms, row_volts, col_volts))
    most = 200 + 20 * (m + n)
    flows, _, free, took = solve_cells(
        g, row_ohms, col_ohms, row_volts, col_volts, none, none, no_lines, none, no_lines, (none, none), _ROUGH, most
    )
    _cell_volts(flows, row_ohms, col_ohms, row_volts, col_volts, free, volts)
    scale = max(np.abs(volts).max(), 1e-300)
    before = np.empty((m, n))
    for _ in range(_MOST_NEWTON):
        before[:] = volts
        for i in range(m):
            for j in range(n):
                k, at = i * n + j, volts[i, j]
                if c.saturation_amps[k] > 0:
                    junction[i, j], amps[i, j], slope, share = series(c, k, at, shares[i, j] * at)
                    shares[i, j], slopes[i, j] = share, slope
                    g[i, j] = max(slope, 0.0)
                    offset[i, j] = amps[i, j] - g[i, j] * at
                    flows[i, j] = g[i, j] * at
        flows, _, free, took = solve_cells(
            g, row_ohms, col_ohms, row_volts, col_volts, offset, none, no_lines, flows, free, (none, none), _FINE, most
        )
        if took >= most:
            return junction, volts, amps, False
        change = _cell_volts(flows + offset, row_ohms, col_ohms, row_volts, col_volts, free, volts)
        if change <= _NETWORK_NEWTON * scale:
            break
    else:
        return junction, volts, amps, False
    for i in range(m):
        for j in range(n):
            if c.saturation_amps[i * n + j] > 0:
                step = volts[i, j] - before[i, j]
                junction[i, j] += shares[i, j] * step
                amps[i, j] += slopes[i, j] * step
            else:
                volts[i, j] = 0.0
    return junction, volts, amps, True


@njit(cache=True, error_model="numpy", nogil=True)
def _across(i: int, j: int, row_ohms: Floats, col_ohms: Floats, row_volts: Floats, col_volts: Floats) -> float:
    """Voltage of a cell but for the wires; zero where one of its lines floats."""
    m, n = row_ohms.shape[0], col_ohms.shape[1]
    is_driven = row_ohms[i, 0] < math.inf and col_ohms[m, j] < math.inf and n > 0
    return row_volts[i, 0] - col_volts[1, j] if is_driven else 0.0


@njit(cache=True, error_model="numpy", nogil=True)
def _secant(c: CellArrays, k: int, volts: float) -> tuple[float, float]:
    """Conductance of junction and transistors at a voltage, and the junction's part of a small change of it."""
    rest = _junction(c, k, 0.0)[1]
    start = 1 / (1 + rest * c.on_ohms[k])
    if volts == 0.0:
        return rest * start, start
    _, amps, _, share = series(c, k, volts, volts * start)
    return amps / volts, share


@njit(cache=True, error_model="numpy", nogil=True)
def _cell_volts(
    amps: Floats, row_ohms: Floats, col_ohms: Floats, row_volts: Floats, col_volts: Floats, free: Floats, volts: Floats
) -> float:
    """Fill in the voltage of every cell; returns its largest change."""
    _, _, rows, cols = wire_fields(amps, row_ohms, col_ohms, row_volts, col_volts, free)
    most = 0.0
    for i in range(volts.shape[0]):
        for j in range(volts.shape[1]):
            now = rows[i, j] - cols[i, j]
            most = max(most, abs(now - volts[i, j]))
            volts[i, j] = now
    return most


class Ladder(NamedTuple):
    """The cells of one connected column on rows that are driven, from the top.

    Attributes:
        cells: indices on the kernel.
        row_ohms: from each row's source to its cell.
        row_volts: of the sources, against that of the column.
        below_ohms: from each cell's column node to the next one's, or to the column's source.
    """

    cells: np.ndarray[tuple[int], np.dtype[np.int64]]
    row_ohms: Floats
    row_volts: Floats
    below_ohms: Floats


@njit(cache=True, error_model="numpy", nogil=True)
def ladder_point(c: CellArrays, ladder: Ladder, volts: Floats, junction: Floats, amps: Floats) -> bool:
    """Solve from the volts that are given, in place, all of shape (cells on the ladder,); whether it converged.

    With I = a + b d for each cell at its last voltage d, the current J in the column below it is A - B c, c its node's
    voltage: eliminated from the top, where no current comes from above.
    """
    size = volts.size
    a, b = np.empty(size), np.empty(size)
    whole, part = np.empty(size), np.empty(size)
    scale = max(np.abs(ladder.row_volts).max(), 1e-300)
    for _ in range(_MOST_NEWTON):
        upper_a = upper_b = 0.0
        for i in range(size):
            k = ladder.cells[i]
            junction[i], amps[i], slope, _ = series(c, k, volts[i], junction[i])
            slope = max(slope, 0.0)
            loss = 1 + slope * ladder.row_ohms[i]
            a[i] = (amps[i] - slope * volts[i] + slope * ladder.row_volts[i]) / loss
            b[i] = slope / loss
            whole[i], part[i] = upper_a + a[i], upper_b + b[i]
            left = 1 + part[i] * ladder.below_ohms[i]
            upper_a, upper_b = whole[i] / left, part[i] / left
        node, change = 0.0, 0.0
        for i in range(size - 1, -1, -1):
            left = 1 + part[i] * ladder.below_ohms[i]
            node += ladder.below_ohms[i] * (whole[i] - part[i] * node) / left
            flow = a[i] - b[i] * node
            now = ladder.row_volts[i] - ladder.row_ohms[i] * flow - node
            change = max(change, abs(now - volts[i]))
            volts[i] = now
        if change <= _NEWTON * scale:
            for i in range(size):
                junction[i], amps[i], _, _ = series(c, ladder.cells[i], volts[i], junction[i])
            return True
    return False
