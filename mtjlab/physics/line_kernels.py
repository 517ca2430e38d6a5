"""Compiled sums along the lines of a crossbar; imported only when needed, for compiling takes seconds.

Along one line of n cells the voltage drop at cell k per ampere drawn at cell l is p[min(k, l)] q[max(k, l)]: with a the
resistance from the first end and b that from the last one, (a, 1) if the line is fed at its first end, (1, b) at its
last, (a, b / whole) at both. Sums over such a matrix take one sweep there and one back, without subtractions.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..nouns import Floats

Places = NDArray[np.int64]


@njit(cache=True, error_model="numpy", nogil=True)
def _generators(ohms: Floats, p: Floats, q: Floats, first_share: Floats) -> None:
    """Fill p, q and the share that the first end's voltage has in each cell's, along one line."""
    n = p.size
    has_first, has_last = ohms[0] < math.inf, ohms[n] < math.inf
    along = ohms[0] if has_first else 0.0
    for k in range(n):
        if k > 0:
            along += ohms[k]
        p[k] = along
    back = ohms[n] if has_last else 0.0
    whole = p[n - 1] + back
    for k in range(n - 1, -1, -1):
        q[k] = back
        back += ohms[k]
    if has_first and has_last:
        for k in range(n):
            q[k] = q[k] / whole if whole > 0 else 0.0
            first_share[k] = q[k] if whole > 0 else 1.0
    elif has_last:
        p[:] = 1.0
        first_share[:] = 0.0
    else:
        q[:] = 1.0
        first_share[:] = 1.0


@njit(cache=True, error_model="numpy", nogil=True)
def _row_drops(c: Floats, rp: Floats, rq: Floats, out: Floats, i: int) -> None:
    """out[i] = Rrow c along one row."""
    n = c.shape[1]
    along = 0.0
    for j in range(n):
        along += rp[i, j] * c[i, j]
        out[i, j] = rq[i, j] * along
    along = 0.0
    for j in range(n - 1, -1, -1):
        out[i, j] += rp[i, j] * along
        along += rq[i, j] * c[i, j]


@njit(cache=True, error_model="numpy", nogil=True)
def _four_row_drops(c: Floats, rp: Floats, rq: Floats, out: Floats, i: int) -> None:
    """The same for four rows at a time: their sums do not wait for one another."""
    n = c.shape[1]
    a0 = a1 = a2 = a3 = 0.0
    for j in range(n):
        a0 += rp[i, j] * c[i, j]
        a1 += rp[i + 1, j] * c[i + 1, j]
        a2 += rp[i + 2, j] * c[i + 2, j]
        a3 += rp[i + 3, j] * c[i + 3, j]
        out[i, j] = rq[i, j] * a0
        out[i + 1, j] = rq[i + 1, j] * a1
        out[i + 2, j] = rq[i + 2, j] * a2
        out[i + 3, j] = rq[i + 3, j] * a3
    a0 = a1 = a2 = a3 = 0.0
    for j in range(n - 1, -1, -1):
        out[i, j] += rp[i, j] * a0
        out[i + 1, j] += rp[i + 1, j] * a1
        out[i + 2, j] += rp[i + 2, j] * a2
        out[i + 3, j] += rp[i + 3, j] * a3
        a0 += rq[i, j] * c[i, j]
        a1 += rq[i + 1, j] * c[i + 1, j]
        a2 += rq[i + 2, j] * c[i + 2, j]
        a3 += rq[i + 3, j] * c[i + 3, j]


@njit(cache=True, error_model="numpy", nogil=True)
def drops(c: Floats, rp: Floats, rq: Floats, cp: Floats, cq: Floats, out: Floats, sums: Floats) -> None:
    """out = (Rrow + Rcol) c: what cell currents take off every cell's voltage; `sums` is scratch, (cols,)."""
    m, n = c.shape
    whole = m - m % 4
    sums[:] = 0.0
    for i in range(m):
        if i >= whole:
            _row_drops(c, rp, rq, out, i)
        elif i % 4 == 0:
            _four_row_drops(c, rp, rq, out, i)
        for j in range(n):
            sums[j] += cp[i, j] * c[i, j]
            out[i, j] += cq[i, j] * sums[j]
    sums[:] = 0.0
    for i in range(m - 1, -1, -1):
        for j in range(n):
            out[i, j] += cp[i, j] * sums[j]
            sums[j] += cq[i, j] * c[i, j]


@njit(cache=True, error_model="numpy", nogil=True)
def dot(a: Floats, b: Floats, sums: Floats) -> float:
    """Sum of a b over all cells; `sums` is scratch, (cols,), so that columns are added side by side."""
    m, n = a.shape
    sums[:] = 0.0
    for i in range(m):
        for j in range(n):
            sums[j] += a[i, j] * b[i, j]
    return sums.sum()  # type: ignore[no-any-return]


@njit(cache=True, error_model="numpy", nogil=True)
def onto_lines(x: Floats, row_free: Places, col_free: Places, out: Floats) -> None:
    """out = A' x: what cell currents x add up to on the free lines."""
    m, n = x.shape
    out[:] = 0.0
    of_cols = np.zeros(n)
    for i in range(m):
        of_row = 0.0
        for j in range(n):
            of_row += x[i, j]
            of_cols[j] += x[i, j]
        if row_free[i] >= 0:
            out[row_free[i]] = of_row
    for j in range(n):
        if col_free[j] >= 0:
            out[col_free[j]] = -of_cols[j]


@njit(cache=True, error_model="numpy", nogil=True)
def add_lines(s: Floats, v: Floats, row_free: Places, col_free: Places, out: Floats) -> None:
    """out += s A v: what voltages v of the free lines add to the cells."""
    m, n = s.shape
    of_cols = np.zeros(n)
    for j in range(n):
        if col_free[j] >= 0:
            of_cols[j] = v[col_free[j]]
    for i in range(m):
        of_row = v[row_free[i]] if row_free[i] >= 0 else 0.0
        for j in range(n):
            out[i, j] += s[i, j] * (of_row - of_cols[j])


@njit(cache=True, error_model="numpy", nogil=True)
def line_generators(row_ohms: Floats, col_ohms: Floats) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """p and q of the rows and of the columns, and the first ends' shares of rows and columns, each (rows, cols)."""
    m, n = row_ohms.shape[0], col_ohms.shape[1]
    rp, rq, row_share = np.empty((m, n)), np.empty((m, n)), np.empty((m, n))
    for i in range(m):
        _generators(row_ohms[i], rp[i], rq[i], row_share[i])
    cp, cq, col_share = np.empty((m, n)), np.empty((m, n)), np.empty((m, n))
    p, q, share = np.empty(m), np.empty(m), np.empty(m)
    for j in range(n):
        _generators(col_ohms[:, j].copy(), p, q, share)
        cp[:, j] = p
        cq[:, j] = q
        col_share[:, j] = share
    return rp, rq, cp, cq, row_share, col_share


@njit(cache=True, error_model="numpy", nogil=True)
def free_lines(row_ohms: Floats, col_ohms: Floats, is_tied: bool) -> tuple[Places, Places, int]:
    """Numbers of the lines whose voltage is unknown, rows first, -1 for the others; and how many these are."""
    m, n = row_ohms.shape[0], col_ohms.shape[1]
    rows, cols = np.full(m, -1), np.full(n, -1)
    free = 0
    for i in range(m):
        if is_tied or (row_ohms[i, 0] == math.inf and row_ohms[i, n] == math.inf):
            rows[i] = free
            free += 1
    for j in range(n):
        if is_tied or (col_ohms[0, j] == math.inf and col_ohms[m, j] == math.inf):
            cols[j] = free
            free += 1
    return rows, cols, free


@njit(cache=True, error_model="numpy", nogil=True)
def _wire(ohms: Floats, volts: Floats, drawn: Floats, at_start: float, amps: Floats, nodes: Floats) -> None:
    """Currents of all segments towards the last end, and node voltages, of one line whose cells draw `drawn`."""
    n = drawn.size
    has_first, has_last = ohms[0] < math.inf, ohms[n] < math.inf
    if has_first and has_last:
        whole = ohms.sum()
        amps[0] = (volts[0] - volts[1]) / whole if whole > 0 else 0.0
        beyond = ohms[n]
        for k in range(n - 1, -1, -1):
            amps[0] += drawn[k] * (beyond / whole if whole > 0 else 1.0)
            beyond += ohms[k]
        for k in range(n):
            amps[k + 1] = amps[k] - drawn[k]
    elif has_first:
        amps[n] = 0.0
        for k in range(n - 1, -1, -1):
            amps[k] = amps[k + 1] + drawn[k]
    else:
        amps[0] = 0.0
        for k in range(n):
            amps[k + 1] = amps[k] - drawn[k]
    if has_last and not has_first:
        nodes[n - 1] = volts[1] + ohms[n] * amps[n]
        for k in range(n - 2, -1, -1):
            nodes[k] = nodes[k + 1] + ohms[k + 1] * amps[k + 1]
        return
    nodes[0] = volts[0] - ohms[0] * amps[0] if has_first else at_start
    for k in range(1, n):
        nodes[k] = nodes[k - 1] - ohms[k] * amps[k]


@njit(cache=True, error_model="numpy", nogil=True)
def wire_fields(
    amps: Floats, row_ohms: Floats, col_ohms: Floats, row_volts: Floats, col_volts: Floats, floating: Floats
) -> tuple[Floats, Floats, Floats, Floats]:
    """Row and column segment currents (towards right and bottom) and node voltages, from all cell currents.

    Args:
        floating: voltages of the lines without a driven end at their first cell, rows first.
    """
    m, n = amps.shape
    row_amps, col_amps = np.empty((m, n + 1)), np.empty((m + 1, n))
    row_nodes, col_nodes = np.empty((m, n)), np.empty((m, n))
    row_free, col_free, _ = free_lines(row_ohms, col_ohms, False)
    for i in range(m):
        at = floating[row_free[i]] if row_free[i] >= 0 else 0.0
        _wire(row_ohms[i], row_volts[i], amps[i], at, row_amps[i], row_nodes[i])
    along, nodes, drawn = np.empty(m + 1), np.empty(m), np.empty(m)
    for j in range(n):
        at = floating[col_free[j]] if col_free[j] >= 0 else 0.0
        for i in range(m):
            drawn[i] = -amps[i, j]
        _wire(col_ohms[:, j].copy(), col_volts[:, j].copy(), drawn, at, along, nodes)
        col_amps[:, j] = along
        col_nodes[:, j] = nodes
    return row_amps, col_amps, row_nodes, col_nodes
