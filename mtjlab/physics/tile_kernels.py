"""Compiled reduction of an array to its line ends, by halves; imported only when needed, for compiling takes seconds.

A tile is described by what is known on its four sides: the voltages at its row nodes on the left (L) and its column
nodes at the bottom (B), and the currents that leave it at the right (R) and at the top (T). Its matrix H, symmetric,
gives the currents into it at L and B and the voltages at R and T:

    currents at L, B  =  H[LB, LB] volts + H[LB, RT] amps
    voltages at R, T  =  H[RT, LB] volts + H[RT, RT] amps      with H[LB, LB] >= 0 and H[RT, RT] <= 0.

In this form a wire without resistance, an open cell and a short are ordinary values, and a line that ends inside the
array needs no work: its current there is zero, so that its row and column of H do not exist. Two neighbours share
s voltages V and s currents i with V = H1[..] - Z i and i = Y V + .., and 1 + Y Z has no eigenvalue below one.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ..nouns import Floats

Places = NDArray[np.int64]
LEAF_CELLS = 20
"""Tiles of up to this many cells are reduced cell by cell."""
SMALL_SIDE = 8
"""Neighbours that share up to this many lines are joined line by line, without calls of LAPACK."""


@njit(cache=True, error_model="numpy", nogil=True)
def _leaf(
    g: Floats, row_ohms: Floats, col_ohms: Floats, i0: int, i1: int, j0: int, j1: int, has_right: bool, has_top: bool
) -> Floats:
    """H of a small tile: eliminate its cells one by one from the symmetric system of cells and sides."""
    a, b = i1 - i0, j1 - j0
    cells = a * b
    right_at, top_at = cells + a + b, cells + a + b + (a if has_right else 0)
    size = top_at + (b if has_top else 0)
    x = np.zeros((size, size))
    along, up = np.empty((a, b)), np.empty((a, b))
    for i in range(a):
        total = 0.0
        for j in range(b):
            total += row_ohms[i0 + i, j0 + j]
            along[i, j] = total
    for j in range(b):
        total = 0.0
        for i in range(a - 1, -1, -1):
            total += col_ohms[i0 + i + 1, j0 + j]
            up[i, j] = total
    root = np.empty(cells)
    for i in range(a):
        for j in range(b):
            root[i * b + j] = math.sqrt(g[i0 + i, j0 + j])
    for i in range(a):
        for j in range(b):
            k, s = i * b + j, root[i * b + j]
            for other in range(j, b):
                x[k, i * b + other] += s * along[i, j] * root[i * b + other]
            for other in range(i, a):
                x[k, other * b + j] += s * up[other, j] * root[other * b + j]
            x[k, k] += 1.0
            x[k, cells + i] = s
            x[k, cells + a + j] = -s
            if has_right:
                x[k, right_at + i] = -s * along[i, j]
            if has_top:
                x[k, top_at + j] = s * up[i, j]
    if has_right:
        for i in range(a):
            x[cells + i, right_at + i] = -1.0
            x[right_at + i, right_at + i] = along[i, b - 1]
    if has_top:
        for j in range(b):
            x[cells + a + j, top_at + j] = -1.0
            x[top_at + j, top_at + j] = up[0, j]
    for k in range(0, cells - cells % 4, 4):
        for own in range(k, k + 3):
            pivot = 1.0 / x[own, own]
            for r in range(own + 1, k + 4):
                factor = x[own, r] * pivot
                for c in range(r, size):
                    x[r, c] -= factor * x[own, c]
        p0, p1, p2, p3 = 1.0 / x[k, k], 1.0 / x[k + 1, k + 1], 1.0 / x[k + 2, k + 2], 1.0 / x[k + 3, k + 3]
        for r in range(k + 4, size):
            f0, f1, f2, f3 = x[k, r] * p0, x[k + 1, r] * p1, x[k + 2, r] * p2, x[k + 3, r] * p3
            for c in range(r, size):
                x[r, c] -= f0 * x[k, c] + f1 * x[k + 1, c] + f2 * x[k + 2, c] + f3 * x[k + 3, c]
    for k in range(cells - cells % 4, cells):
        pivot = 1.0 / x[k, k]
        for r in range(k + 1, size):
            factor = x[k, r] * pivot
            for c in range(r, size):
                x[r, c] -= factor * x[k, c]
    h = np.empty((size - cells, size - cells))
    for r in range(size - cells):
        for c in range(r, size - cells):
            h[r, c] = -x[cells + r, cells + c]
            h[c, r] = h[r, c]
    return h


@njit(cache=True, error_model="numpy", nogil=True)
def _join_small(
    first: Floats,
    i_at: int,
    second: Floats,
    v_at: int,
    side: int,
    to_first: Places,
    to_second: Places,
    out: Floats,
) -> None:
    """Join two tiles by eliminating the shared currents and voltages pair by pair."""
    nx, ny = to_first.size, to_second.size
    size = 2 * side + nx + ny
    shared = 2 * side
    x = np.zeros((size, size))
    place = np.empty(first.shape[0], dtype=np.int64)
    for k in range(first.shape[0]):
        if k < i_at:
            place[k] = shared + k
        elif k < i_at + side:
            place[k] = 2 * (k - i_at)
        else:
            place[k] = shared + k - side
    for r in range(first.shape[0]):
        for c in range(r, first.shape[0]):
            lo, hi = min(place[r], place[c]), max(place[r], place[c])
            x[lo, hi] += first[r, c]
    place = np.empty(second.shape[0], dtype=np.int64)
    for k in range(second.shape[0]):
        if k < v_at:
            place[k] = shared + nx + k
        elif k < v_at + side:
            place[k] = 2 * (k - v_at) + 1
        else:
            place[k] = shared + nx + k - side
    for r in range(second.shape[0]):
        for c in range(r, second.shape[0]):
            lo, hi = min(place[r], place[c]), max(place[r], place[c])
            x[lo, hi] += second[r, c]
    for k in range(side):
        x[2 * k, 2 * k + 1] -= 1.0
    for k in range(0, shared, 2):
        a, b, d = x[k, k], x[k, k + 1], x[k + 1, k + 1]
        det = a * d - b * b
        a, b, d = a / det, b / det, d / det
        for r in range(k + 2, size):
            f0, f1 = d * x[k, r] - b * x[k + 1, r], a * x[k + 1, r] - b * x[k, r]
            if f0 != 0.0 or f1 != 0.0:
                for c in range(r, size):
                    x[r, c] -= f0 * x[k, c] + f1 * x[k + 1, c]
    where = np.concatenate((to_first, to_second))
    for r in range(nx + ny):
        for c in range(r, nx + ny):
            out[where[r], where[c]] = x[shared + r, shared + c]
            out[where[c], where[r]] = x[shared + r, shared + c]


@njit(cache=True, error_model="numpy", nogil=True)
def _rest(h: Floats, at: int, side: int) -> Places:
    """Indices of H without the shared side."""
    keep = np.empty(h.shape[0] - side, dtype=np.int64)
    keep[:at] = np.arange(at)
    keep[at:] = np.arange(at + side, h.shape[0])
    return keep


@njit(cache=True, error_model="numpy", nogil=True)
def _spread(block: Floats, rows: Places, cols: Places, is_mirrored: bool, out: Floats) -> None:
    """Write a block where it belongs, and its mirror image; by squares that stay in the cache."""
    m, n = block.shape
    for r0 in range(0, m, 16):
        for c0 in range(0, n, 16):
            for r in range(r0, min(r0 + 16, m)):
                for c in range(c0, min(c0 + 16, n)):
                    out[rows[r], cols[c]] = block[r, c]
            if is_mirrored:
                for c in range(c0, min(c0 + 16, n)):
                    for r in range(r0, min(r0 + 16, m)):
                        out[cols[c], rows[r]] = block[r, c]


@njit(cache=True, error_model="numpy", nogil=True)
def _join_large(
    first: Floats,
    i_at: int,
    second: Floats,
    v_at: int,
    side: int,
    to_first: Places,
    to_second: Places,
    out: Floats,
) -> None:
    """Join two tiles with matrix products and one LU factorisation.

    (1 + Y Z)^-1 is applied as a matrix, found column by column: products are several times faster than solving for all.
    """
    nx, ny = to_first.size, to_second.size
    of_first, of_second = _rest(first, i_at, side), _rest(second, v_at, side)
    across, beyond = np.empty((side, nx)), np.empty((side, ny))
    z, y_and_one = np.empty((side, side)), np.zeros((side, 2 * side))
    for k in range(side):
        for c in range(nx):
            across[k, c] = first[i_at + k, of_first[c]]
        for c in range(ny):
            beyond[k, c] = second[v_at + k, of_second[c]]
        for c in range(side):
            z[k, c] = -first[i_at + k, i_at + c]
            y_and_one[k, c] = second[v_at + k, v_at + c]
        y_and_one[k, side + k] = 1.0
    system = np.dot(y_and_one[:, :side].copy(), z)
    for k in range(side):
        system[k, k] += 1.0
    solved = np.linalg.solve(system, y_and_one)
    of_x = np.dot(solved[:, :side].copy(), across)
    of_y = np.dot(solved[:, side:].copy(), beyond)
    added = np.dot(across.T, of_x)
    crossing = np.dot(across.T, of_y)
    taken = np.dot(beyond.T, np.dot(z, of_y))
    for r in range(nx):
        for c in range(nx):
            added[r, c] += first[of_first[r], of_first[c]]
    for r in range(ny):
        for c in range(ny):
            taken[r, c] = second[of_second[r], of_second[c]] - taken[r, c]
    _spread(added, to_first, to_first, False, out)
    _spread(crossing, to_first, to_second, True, out)
    _spread(taken, to_second, to_second, False, out)


@njit(cache=True, error_model="numpy", nogil=True)
def _join(
    first: Floats, second: Floats, a: int, b: int, at: int, is_side_by_side: bool, has_right: bool, has_top: bool
) -> Floats:
    """H of an a x b tile from its left and right halves (`at` columns in the first), or lower and upper (rows)."""
    right_at = a + b
    top_at = right_at + (a if has_right else 0)
    size = top_at + (b if has_top else 0)
    out = np.empty((size, size))
    side = a if is_side_by_side else b
    to_first, to_second = np.empty(first.shape[0] - side, np.int64), np.empty(second.shape[0] - side, np.int64)
    if is_side_by_side:
        beyond = b - at
        i_at, v_at = a + at, 0
        to_first[: a + at] = np.arange(a + at)
        to_second[:beyond] = np.arange(a + at, a + b)
        k = beyond
        if has_right:
            to_second[k : k + a] = np.arange(right_at, right_at + a)
            k += a
        if has_top:
            to_first[a + at :] = np.arange(top_at, top_at + at)
            to_second[k:] = np.arange(top_at + at, top_at + b)
    else:
        above = a - at
        i_at, v_at = first.shape[0] - b, above
        to_first[:at] = np.arange(above, a)
        to_first[at : at + b] = np.arange(a, a + b)
        to_second[:above] = np.arange(above)
        k = above
        if has_right:
            to_first[at + b :] = np.arange(right_at + above, right_at + a)
            to_second[k : k + above] = np.arange(right_at, right_at + above)
            k += above
        if has_top:
            to_second[k:] = np.arange(top_at, top_at + b)
    if side <= SMALL_SIDE:
        _join_small(first, i_at, second, v_at, side, to_first, to_second, out)
    else:
        _join_large(first, i_at, second, v_at, side, to_first, to_second, out)
    return out


@njit(cache=True, error_model="numpy", nogil=True)
def _put(todo: Places, at: int, i0: int, i1: int, j0: int, j1: int) -> None:
    """A tile that is not split yet."""
    todo[at, 0], todo[at, 1], todo[at, 2], todo[at, 3], todo[at, 4] = i0, i1, j0, j1, 0


@njit(cache=True, error_model="numpy", nogil=True)
def reduce_array(g: Floats, row_ohms: Floats, col_ohms: Floats, keep_right: bool, keep_top: bool) -> Floats:
    """H of a whole array. Tiles wait on two stacks: those to be reduced, and those that are, one after the other.

    (A function that calls itself cannot be kept compiled on disk.)
    """
    m, n = g.shape
    todo = np.empty((64, 5), np.int64)
    _put(todo, 0, 0, m, 0, n)
    pending = 1
    done = np.empty(4 * (m + n) * (m + n) + 64)
    starts, sides = np.empty(64, np.int64), np.empty(64, np.int64)
    ready = 0
    while pending > 0:
        i0, i1, j0, j1 = todo[pending - 1, 0], todo[pending - 1, 1], todo[pending - 1, 2], todo[pending - 1, 3]
        a, b = i1 - i0, j1 - j0
        has_right, has_top = j1 < n or keep_right, i0 > 0 or keep_top
        if a * b <= LEAF_CELLS:
            found = _leaf(g, row_ohms, col_ohms, i0, i1, j0, j1, has_right, has_top)
        elif todo[pending - 1, 4] == 0:
            todo[pending - 1, 4] = 1
            if b >= a:  # the second half first: the first one is then on top of it
                _put(todo, pending, i0, i1, j0 + b // 2, j1)
                _put(todo, pending + 1, i0, i1, j0, j0 + b // 2)
            else:
                _put(todo, pending, i0, i0 + a // 2, j0, j1)
                _put(todo, pending + 1, i0 + a // 2, i1, j0, j1)
            pending += 2
            continue
        else:
            ready -= 2
            p, q = sides[ready], sides[ready + 1]
            middle = starts[ready] + p * p
            first = done[starts[ready] : middle].reshape(p, p)
            second = done[middle : middle + q * q].reshape(q, q)
            at = b // 2 if b >= a else a - a // 2
            found = _join(first, second, a, b, at, b >= a, has_right, has_top)
        pending -= 1
        start = starts[ready - 1] + sides[ready - 1] ** 2 if ready > 0 else 0
        end = start + found.size
        if end > done.size:
            larger = np.empty(2 * end)
            larger[:start] = done[:start]
            done = larger
        done[start:end] = found.ravel()
        starts[ready], sides[ready] = start, found.shape[0]
        ready += 1
    return found
