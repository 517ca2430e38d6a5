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

from mtjlab.nouns import Floats
from mtjlab.physics.cell_kernels import solve_cells
from mtjlab.physics.line_kernels import wire_fields

from .daffodil_junctions import CellArrays, cell_at, secant, series
from .daffodil_mesh import Mesh, mesh_volts, solve_mesh

_NETWORK_NEWTON, _NEWTON = 2e-4, 2e-5
"""Change of the voltages, relative to the largest, after which a step of Newton is the last: its square is missing."""
_MOST_NEWTON = 60
_ROUGH, _FINE = 1e-8, 1e-14
"""Tolerances of the linear network in the first step of Newton and in the later ones."""


class Ends(NamedTuple):
    """Wires with what drives their ends.

    Attributes:
        row_ohms, col_ohms: (rows, cols + 1), (rows + 1, cols); infinite at ends that are not driven.
        row_volts, col_volts: (rows, 2), (2, cols) at the ends.
    """

    row_ohms: Floats
    col_ohms: Floats
    row_volts: Floats
    col_volts: Floats


@njit(cache=True, error_model="numpy", nogil=True)
def network_point(c: CellArrays, mesh: Mesh, ends: Ends | None) -> tuple[Floats, Floats, Floats, bool]:
    """Junction volts, cell volts and cell amps, (rows, cols), and whether it converged.

    Args:
        mesh: `mesh_of` the ends.
        ends: where a column floats whose cells conduct. Without them the mesh is solved, which is quicker, and what
            takes any network is not even compiled.
    """
    m, n = mesh.source_volts.shape
    g, offset, volts, flows = np.zeros((m, n)), np.zeros((m, n)), np.zeros((m, n)), np.zeros((m, n))
    junction, amps, shares, slopes = np.zeros((m, n)), np.zeros((m, n)), np.zeros((m, n)), np.zeros((m, n))
    for i in range(m):
        for j in range(n):
            k = i * n + j
            if c.saturation_amps[k] > 0:
                but_for_wires = 0.0 if mesh.is_floating[i] else mesh.source_volts[i, j]
                g[i, j], shares[i, j] = secant(cell_at(c, k), but_for_wires)
    most = 200 + 20 * (m + n)
    flows, free, _ = _flows(mesh, ends, g, offset, flows, np.zeros(0), _ROUGH, most)
    _cell_volts(mesh, ends, flows, free, volts)
    scale = max(np.abs(volts).max(), 1e-300)
    before = np.empty((m, n))
    for _ in range(_MOST_NEWTON):
        before[:] = volts
        for i in range(m):
            for j in range(n):
                k, at = i * n + j, volts[i, j]
                if c.saturation_amps[k] > 0:
                    junction[i, j], amps[i, j], slope, share = series(cell_at(c, k), at, shares[i, j] * at)
                    shares[i, j], slopes[i, j] = share, slope
                    g[i, j] = max(slope, 0.0)
                    offset[i, j] = amps[i, j] - g[i, j] * at
                    flows[i, j] = g[i, j] * at
        flows, free, took = _flows(mesh, ends, g, offset, flows, free, _FINE, most)
        if took >= most:
            return junction, volts, amps, False
        change = _cell_volts(mesh, ends, flows + offset, free, volts)
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
def _flows(
    mesh: Mesh,
    ends: Ends | None,
    g: Floats,
    offset: Floats,
    flows: Floats,
    free: Floats,
    tolerance: float,
    most: int,
) -> tuple[Floats, Floats, int]:
    """Linear current of every cell, voltages of the lines that float, and the steps taken.

    Args:
        flows, free: where to start from, but for the rough solution.
    """
    has_start = tolerance < _ROUGH
    if ends is None:
        free = free if has_start else np.zeros(g.shape[0])
        return flows, free, solve_mesh(mesh, g, offset, flows, free, has_start, tolerance, most)
    none, no_lines = np.zeros((0, 0)), np.zeros(0)
    start = flows if has_start else none
    rows, cols, row_volts, col_volts = ends
    flows, _, free, took = solve_cells(
        g, rows, cols, row_volts, col_volts, offset, none, no_lines, start, free, (none, none), tolerance, most
    )
    return flows, free, took


@njit(cache=True, error_model="numpy", nogil=True)
def _cell_volts(mesh: Mesh, ends: Ends | None, amps: Floats, free: Floats, volts: Floats) -> float:
    """Fill in the voltage of every cell; returns its largest change."""
    if ends is None:
        return mesh_volts(mesh, amps, free, volts)
    _, _, rows, cols = wire_fields(amps, ends.row_ohms, ends.col_ohms, ends.row_volts, ends.col_volts, free)
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
def connected(
    over_source_volts: Floats,
    threshold_volts: float,
    amps_per_volt2: float,
    row_ohms: Floats,
    col_ohms: Floats,
    row_volts: Floats,
    col_volts: Floats,
    row_series: Floats,
    col_series: Floats,
) -> tuple[Floats, Floats, Ladder, bool, bool]:
    """Transistors' saturation amps and on ohms, (cells,), as `Access` has them; what `ladder_of` gives; and whether
    no column floats whose cells conduct.

    Args:
        over_source_volts: (rows, cols), see `Bias`.
        row_ohms and what follows: see `daffodil_mesh.mesh_of`.
    """
    m, n = over_source_volts.shape
    saturation, ohms = np.empty(m * n), np.empty(m * n)
    is_mesh = True
    for i in range(m):
        for j in range(n):
            over = max(over_source_volts[i, j] - threshold_volts, 0.0)
            saturation[i * n + j] = amps_per_volt2 * (over * over)
            ohms[i * n + j] = 1 / (2 * amps_per_volt2 * over)
            if over > 0 and (math.isnan(col_volts[j]) or col_ohms[m, j] == math.inf):
                is_mesh = False
    ladder, is_ladder = ladder_of(saturation, row_ohms, col_ohms, row_volts, col_volts, row_series, col_series)
    return saturation, ohms, ladder, is_ladder, is_mesh


@njit(cache=True, error_model="numpy", nogil=True)
def ladder_of(
    saturation_amps: Floats,
    row_ohms: Floats,
    col_ohms: Floats,
    row_volts: Floats,
    col_volts: Floats,
    row_series: Floats,
    col_series: Floats,
) -> tuple[Ladder, bool]:
    """The connected cells, and whether they all lie in one column that is driven.

    Args:
        saturation_amps: (cells,), of the transistors; zero where they are off.
        row_ohms and what follows: see `daffodil_mesh.mesh_of`.
    """
    m, n = row_ohms.shape[0], col_ohms.shape[1]
    none = Ladder(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0), np.zeros(0))
    col = -1
    for k in range(m * n):
        if saturation_amps[k] > 0:
            if col >= 0 and k % n != col:
                return none, False
            col = k % n
    if col < 0 or math.isnan(col_volts[col]) or col_ohms[m, col] == math.inf:
        return none, False
    cells, to_cells = np.empty(m, dtype=np.int64), np.empty(m)
    sources, below = np.empty(m), np.empty(m)
    size, lost = 0, col_series[col]
    for i in range(m - 1, -1, -1):
        lost += col_ohms[i + 1, col]
        to_cell = row_ohms[i, : col + 1].sum() + row_series[i]
        if saturation_amps[i * n + col] > 0 and not math.isnan(row_volts[i]) and to_cell < math.inf:
            size += 1
            cells[m - size], to_cells[m - size], below[m - size] = i * n + col, to_cell, lost
            sources[m - size] = row_volts[i] - col_volts[col]
            lost = 0.0
    top = m - size
    return Ladder(cells[top:].copy(), to_cells[top:].copy(), sources[top:].copy(), below[top:].copy()), size > 0


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
            junction[i], amps[i], slope, _ = series(cell_at(c, ladder.cells[i]), volts[i], junction[i])
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
                junction[i], amps[i], _, _ = series(cell_at(c, ladder.cells[i]), volts[i], junction[i])
            return True
    return False
