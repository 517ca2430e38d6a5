"""Compiled solver of one drive of a crossbar for all its cells; imported only when needed, for compiling takes seconds.

Cells are unknown by their linear current c = s y, s^2 = G / (1 + G K) with K the cell's own drop per ampere, which
gives the symmetric positive system y / (1 + G K) + s (Rrow + Rcol) s y = s d0 with a unit diagonal: open cells (s = 0),
shorts and wires without resistance are ordinary values. Lines whose voltage v is unknown ("free") add -s A v to the
left side and the current law  A' s y + Y v = J. It is solved by conjugate gradients, preconditioned by the same network
with ideal wires (Gould, Hribar and Nocedal, SIAM J. Sci. Comput. 23 (2001) 1376, on projected gradients).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from ..nouns import Floats
from .line_kernels import Places, add_lines, dot, drops, free_lines, line_generators, onto_lines

_ROUNDING = 1e-15


@njit(cache=True, error_model="numpy", nogil=True)
def _factorise(a: Floats) -> None:
    """Upper Cholesky factor of the semidefinite `a` (upper half) in place, inverse diagonal; no pivot, no voltage."""
    size = a.shape[0]
    whole = np.diag(a).copy()
    for k in range(size):
        root = 1.0 / math.sqrt(a[k, k]) if a[k, k] > _ROUNDING * whole[k] else 0.0
        for j in range(k + 1, size):
            a[k, j] *= root
        a[k, k] = root
        for i in range(k + 1, size):
            share = a[k, i]
            if share != 0.0:
                for j in range(i, size):
                    a[i, j] -= share * a[k, j]


@njit(cache=True, error_model="numpy", nogil=True)
def _solve_factor(factor: Floats, x: Floats) -> None:
    for k in range(x.size):
        x[k] *= factor[k, k]
        for j in range(k + 1, x.size):
            x[j] -= factor[k, j] * x[k]
    for k in range(x.size - 1, -1, -1):
        x[k] = (x[k] - np.dot(factor[k, k + 1 :], x[k + 1 :])) * factor[k, k]


@njit(cache=True, error_model="numpy", nogil=True)
def _improve(
    s: Floats,
    t: Floats,
    right: Floats,
    wires: tuple[Floats, Floats, Floats, Floats],
    row_free: Places,
    col_free: Places,
    factor: Floats,
    y: Floats,
    v: Floats,
    is_tied: bool,
    goal: float,
    most: int,
) -> int:
    """Improve (y, v), which fulfil the current law, until the voltage law of every cell holds; returns the steps.

    Of a residual r the ideal-wire network makes z = r + s A w. Where lines float, w can go to v at once and z take the
    place of r (what r has along s A would else drown z in rounding); where they are tied, that would spoil their
    current law, and (z, w) are added as a last step.
    """
    m, n = s.shape
    rp, rq, cp, cq = wires
    has_free = v.size > 0
    r, p, q, c, sums = np.empty((m, n)), np.zeros((m, n)), np.empty((m, n)), np.empty((m, n)), np.empty(n)
    z, mp = (np.empty((m, n)), np.zeros((m, n))) if has_free else (r, p)
    w, pv = np.zeros(v.size), np.zeros(v.size)
    for i in range(m):
        for j in range(n):
            c[i, j] = s[i, j] * y[i, j]
    drops(c, rp, rq, cp, cq, q, sums)
    for i in range(m):
        for j in range(n):
            r[i, j] = right[i, j] - t[i, j] * y[i, j] - s[i, j] * q[i, j]
    if has_free:
        add_lines(s, v, row_free, col_free, r)
    before = 1.0
    for step in range(most):
        if has_free:
            for i in range(m):
                for j in range(n):
                    z[i, j] = r[i, j]
                    c[i, j] = s[i, j] * r[i, j]
            onto_lines(c, row_free, col_free, w)
            _solve_factor(factor, w)
            for k in range(w.size):
                w[k] = -w[k]
            add_lines(s, w, row_free, col_free, z)
            if not is_tied:
                v += w
                w[:] = 0.0
                r[:] = z
        rz = dot(r, z, sums)
        if rz <= goal * goal:
            if is_tied:
                y += z
                v += w
            return step
        beta = rz / before if step > 0 else 0.0
        before = rz
        for i in range(m):
            for j in range(n):
                p[i, j] = z[i, j] + beta * p[i, j]
                c[i, j] = s[i, j] * p[i, j]
        if has_free:
            for i in range(m):
                for j in range(n):
                    mp[i, j] = r[i, j] + beta * mp[i, j]
            for k in range(w.size):
                pv[k] = w[k] + beta * pv[k]
        drops(c, rp, rq, cp, cq, q, sums)
        sums[:] = 0.0
        for i in range(m):
            for j in range(n):
                q[i, j] = (t[i, j] - 1.0) * p[i, j] + mp[i, j] + s[i, j] * q[i, j]
                sums[j] += p[i, j] * q[i, j]
        alpha = rz / sums.sum()
        for i in range(m):
            for j in range(n):
                y[i, j] += alpha * p[i, j]
                r[i, j] -= alpha * q[i, j]
        for k in range(w.size):
            v[k] += alpha * pv[k]
    return most


@njit(cache=True, error_model="numpy", nogil=True)
def scaling(g: Floats, row_ohms: Floats, col_ohms: Floats) -> Floats:
    """s of every cell, see above."""
    rp, rq, cp, cq, _, _ = line_generators(row_ohms, col_ohms)
    return np.sqrt(g / (1.0 + g * (rp * rq + cp * cq)))


@njit(cache=True, error_model="numpy", nogil=True)
def line_factor(s: Floats, tied: Floats, row_free: Places, col_free: Places) -> Floats:
    """Factor of the ideal-wire network of the free lines."""
    free = max(row_free.max(), col_free.max()) + 1
    factor = np.zeros((free, free))
    if tied.shape[0] > 0:
        factor[:] = tied
    m, n = s.shape
    for i in range(m):
        a = row_free[i]
        for j in range(n):
            b, weight = col_free[j], s[i, j] * s[i, j]
            if a >= 0:
                factor[a, a] += weight
            if b >= 0:
                factor[b, b] += weight
                if a >= 0:
                    factor[a, b] -= weight
    _factorise(factor)
    return factor


@njit(cache=True, error_model="numpy", nogil=True)
def _settle(s: Floats, lines: tuple[Floats, Floats, Floats, Places, Places, Floats], y: Floats, v: Floats) -> None:
    """Change (y, v) by what a network with ideal wires needs to fulfil the free lines' current law."""
    excess, tied, injected, row_free, col_free, factor = lines
    free = v.size
    if free == 0:
        return
    m, n = y.shape
    flow = np.empty((m, n))
    for i in range(m):
        for j in range(n):
            flow[i, j] = s[i, j] * y[i, j]
            if excess.shape[0] > 0:
                flow[i, j] += excess[i, j]
    owed = np.empty(free)
    onto_lines(flow, row_free, col_free, owed)
    for k in range(free):
        owed[k] = -owed[k]
        if injected.size > 0:
            owed[k] += injected[k]
        if tied.shape[0] > 0:
            for other in range(free):
                owed[k] -= tied[k, other] * v[other]
    _solve_factor(factor, owed)
    add_lines(s, owed, row_free, col_free, y)
    v += owed


@njit(cache=True, error_model="numpy", nogil=True)
def solve_cells(
    g: Floats,
    row_ohms: Floats,
    col_ohms: Floats,
    row_volts: Floats,
    col_volts: Floats,
    excess: Floats,
    tied: Floats,
    injected: Floats,
    start: Floats,
    start_volts: Floats,
    base: tuple[Floats, Floats],
    tolerance: float,
    most: int,
) -> tuple[Floats, Floats, Floats, int]:
    """Linear current of every cell, its voltage where that is known better than the nodes' difference (else NaN),
    voltage of every free line, and the steps taken.

    Args:
        g: (rows, cols) conductances.
        row_ohms, col_ohms: (rows, cols + 1), (rows + 1, cols); infinite at an end that is not driven.
        row_volts, col_volts: (rows, 2), (2, cols) voltages at the ends.
        excess: (rows, cols) amperes beside G d, or no rows.
        tied: (lines, lines) conductances that tie the line ends together and to ground: all lines are free then; or no
            rows: lines without a driven end float.
        injected: (free,) amperes into the free lines, or none.
        start, start_volts: (rows, cols) linear currents and (free,) voltages to start from, or no rows.
        base: `scaling` and `line_factor` at conductances nearby, zero where `g` is; or no rows: at `g` itself.
        tolerance: of the voltage law over all cells, relative to the voltages that drive.
    """
    m, n = g.shape
    rp, rq, cp, cq, row_share, col_share = line_generators(row_ohms, col_ohms)
    row_free, col_free, free = free_lines(row_ohms, col_ohms, tied.shape[0] > 0)
    t, right, y, sums = np.empty((m, n)), np.zeros((m, n)), np.empty((m, n)), np.empty(n)
    has_base = base[0].shape[0] > 0
    s = base[0].copy() if has_base else np.empty((m, n))
    has_excess, has_start = excess.shape[0] > 0, start.shape[0] > 0
    if has_excess:
        drops(excess, rp, rq, cp, cq, right, sums)
    for i in range(m):
        for j in range(n):
            loss = 1.0 + g[i, j] * (rp[i, j] * rq[i, j] + cp[i, j] * cq[i, j])
            t[i, j] = 1.0 / loss
            if not has_base:
                s[i, j] = math.sqrt(g[i, j] / loss)
            elif g[i, j] > 0:
                t[i, j] = s[i, j] * s[i, j] / g[i, j]
            of_row = row_share[i, j] * row_volts[i, 0] + (1.0 - row_share[i, j]) * row_volts[i, 1]
            of_col = col_share[i, j] * col_volts[0, j] + (1.0 - col_share[i, j]) * col_volts[1, j]
            right[i, j] = s[i, j] * (of_row - of_col - right[i, j])
            if has_start:
                y[i, j] = start[i, j] / s[i, j] if s[i, j] > 0 else 0.0
            else:
                y[i, j] = right[i, j]
    v, is_tied = np.zeros(free), tied.shape[0] > 0
    if has_start and free > 0:
        v[:] = start_volts
    factor = base[1]
    if free > 0 and not has_base:
        factor = line_factor(s, tied, row_free, col_free)
    lines = (excess, tied, injected, row_free, col_free, factor)
    _settle(s, lines, y, v)
    goal = tolerance * math.sqrt(max(dot(right, right, sums), dot(y, y, sums)))
    steps = 0
    for _ in range(4):
        took = _improve(s, t, right, (rp, rq, cp, cq), row_free, col_free, factor, y, v, is_tied, goal, most - steps)
        steps += took
        _settle(s, lines, y, v)
        if took <= 1 or steps >= most:
            break
    largest = max(np.abs(row_volts).max(), np.abs(col_volts).max())
    if free > 0:
        largest = max(largest, np.abs(v).max())
    least = math.sqrt(dot(y, y, sums)) / largest if largest > 0 else math.inf
    across = right
    for i in range(m):
        for j in range(n):
            y[i, j] *= s[i, j]
            is_sure = g[i, j] > 0 and (s[i, j] >= least or t[i, j] < 0.5)
            across[i, j] = y[i, j] / g[i, j] if is_sure else math.nan
    return y, across, v, steps
