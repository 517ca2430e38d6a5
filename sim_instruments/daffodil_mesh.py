"""Compiled linear network of a Daffodil kernel in which only rows float, for every column that conducts is driven.

The same equations and the same conjugate gradients as `mtjlab.physics.cell_kernels`, which also takes what this does
not. With rows fed at their first column, columns at their last row and no column floating, what the preconditioner has
to solve is one number per floating row instead of a matrix, and the wires take two sums along each line.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from mtjlab.nouns import Bools, Floats


class Mesh(NamedTuple):
    """Wires and what drives them, all of shape (rows, cols) but the last.

    Attributes:
        row_ohms: to each cell from the one before it, or from the row's source; zero where a floating row begins.
        col_ohms: from each cell to the one below it, or to the column's source.
        own_ohms: what a cell's own current passes through; its drop is thus lost per ampere.
        source_volts: between the sources of its row and column, of a floating row as if that were at 0 V; zero along
            floating columns.
        is_floating: (rows,).
    """

    row_ohms: Floats
    col_ohms: Floats
    own_ohms: Floats
    source_volts: Floats
    is_floating: Bools


@njit(cache=True, error_model="numpy", nogil=True)
def mesh_of(
    row_ohms: Floats, col_ohms: Floats, row_volts: Floats, col_volts: Floats, row_series: Floats, col_series: Floats
) -> Mesh:
    """The network as it is driven; where it is solved, no cell of a floating column conducts.

    Args:
        row_ohms, col_ohms: of the wires, (rows, cols + 1) and (rows + 1, cols); infinite where a line is broken.
        row_volts, col_volts: of the sources at the first column and the last row; NaN where a line is open.
        row_series, col_series: resistances between sources and lines.
    """
    m, n = row_ohms.shape[0], col_ohms.shape[1]
    rows, cols, own, source = np.empty((m, n)), np.empty((m, n)), np.empty((m, n)), np.empty((m, n))
    is_floating, back = np.empty(m, dtype=np.bool_), np.zeros(n)
    for i in range(m - 1, -1, -1):
        is_floating[i] = math.isnan(row_volts[i]) or row_ohms[i, 0] == math.inf
        along = 0.0
        for j in range(n):
            rows[i, j], cols[i, j] = row_ohms[i, j], col_ohms[i + 1, j]
            if j == 0:
                rows[i, j] = 0.0 if is_floating[i] else row_ohms[i, 0] + row_series[i]
            of_row = 0.0 if is_floating[i] else row_volts[i]
            source[i, j] = of_row - col_volts[j]
            is_open = math.isnan(col_volts[j]) or col_ohms[m, j] == math.inf
            if is_open:
                source[i, j] = 0.0
            if i == m - 1:
                cols[i, j] = 0.0 if is_open else col_ohms[m, j] + col_series[j]
            along += rows[i, j]
            back[j] += cols[i, j]
            own[i, j] = along + back[j]
    return Mesh(rows, cols, own, source, is_floating)


@njit(cache=True, error_model="numpy", nogil=True)
def _drops(mesh: Mesh, amps: Floats, out: Floats) -> None:
    """What cell currents take off every cell's voltage in the wires."""
    m, n = amps.shape
    sums = np.zeros(n)
    for i in range(m):
        for j in range(n):
            sums[j] += amps[i, j]
            out[i, j] = mesh.col_ohms[i, j] * sums[j]
    sums[:] = 0.0
    for i in range(m - 1, -1, -1):
        for j in range(n):
            sums[j] += out[i, j]
            out[i, j] = sums[j]
    for i in range(m):
        beyond = lost = 0.0
        for j in range(n):
            beyond += amps[i, j]
        for j in range(n):
            lost += mesh.row_ohms[i, j] * beyond
            beyond -= amps[i, j]
            out[i, j] += lost


@njit(cache=True, error_model="numpy", nogil=True)
def _let_go(s: Floats, weights: Floats, excess: Floats, y: Floats, row_volts: Floats) -> float:
    """Change the voltages of floating rows, and `y` with them, until s y + excess adds up to nothing along each.

    Args:
        weights: (rows,), sum of s^2; zero where a row is driven.
        excess: (rows, cols), or no rows.

    Returns:
        Sum of the squares of `y`.
    """
    m, n = s.shape
    square = 0.0
    for i in range(m):
        if weights[i] > 0:
            owed = 0.0
            for j in range(n):
                owed += s[i, j] * y[i, j]
            if excess.shape[0] > 0:
                for j in range(n):
                    owed += excess[i, j]
            owed /= weights[i]
            row_volts[i] -= owed
            for j in range(n):
                y[i, j] -= s[i, j] * owed
        for j in range(n):
            square += y[i, j] * y[i, j]
    return square


@njit(cache=True, error_model="numpy", nogil=True)
def _improve(
    mesh: Mesh,
    scaled: tuple[Floats, Floats, Floats, Floats],
    y: Floats,
    row_volts: Floats,
    goal: float,
    most: int,
) -> int:
    """Conjugate gradients on the voltage law of all cells, (y, row_volts) fulfilling the current law throughout.

    Args:
        scaled: s, the share t of its voltage that a cell keeps, the right side, and the weights of the rows.

    Returns:
        The steps taken.
    """
    s, t, right, weights = scaled
    m, n = s.shape
    r, p, q, c = np.empty((m, n)), np.zeros((m, n)), np.empty((m, n)), s * y
    none = np.zeros((0, 0))
    _drops(mesh, c, q)
    for i in range(m):
        for j in range(n):
            r[i, j] = right[i, j] - t[i, j] * y[i, j] - s[i, j] * (q[i, j] - row_volts[i])
    before = 1.0
    for step in range(most):
        square = _let_go(s, weights, none, r, row_volts)
        if square <= goal * goal:
            return step
        beta = square / before if step > 0 else 0.0
        before = square
        for i in range(m):
            for j in range(n):
                p[i, j] = r[i, j] + beta * p[i, j]
                c[i, j] = s[i, j] * p[i, j]
        _drops(mesh, c, q)
        product = 0.0
        for i in range(m):
            for j in range(n):
                q[i, j] = t[i, j] * p[i, j] + s[i, j] * q[i, j]
                product += p[i, j] * q[i, j]
        alpha = square / product
        for i in range(m):
            for j in range(n):
                y[i, j] += alpha * p[i, j]
                r[i, j] -= alpha * q[i, j]
    return most


@njit(cache=True, error_model="numpy", nogil=True)
def solve_mesh(
    mesh: Mesh,
    g: Floats,
    excess: Floats,
    flows: Floats,
    row_volts: Floats,
    has_start: bool,
    tolerance: float,
    most: int,
) -> int:
    """Linear current of every cell and voltage of every floating row, in place; the steps taken.

    Args:
        g, excess: (rows, cols), siemens and amperes beside G d.
        flows, row_volts: (rows, cols) and (rows,), where to start from if there is a start; the voltage of a row that
            is driven stays zero.
        tolerance: of the voltage law over all cells, relative to the voltages that drive.
    """
    m, n = g.shape
    s, t, right, y = np.empty((m, n)), np.empty((m, n)), np.empty((m, n)), np.empty((m, n))
    weights = np.zeros(m)
    _drops(mesh, excess, right)
    square = 0.0
    for i in range(m):
        for j in range(n):
            t[i, j] = 1.0 / (1.0 + g[i, j] * mesh.own_ohms[i, j])
            s[i, j] = math.sqrt(g[i, j] * t[i, j])
            right[i, j] = s[i, j] * (mesh.source_volts[i, j] - right[i, j])
            square += right[i, j] * right[i, j]
            y[i, j] = right[i, j]
            if has_start:
                y[i, j] = flows[i, j] / s[i, j] if s[i, j] > 0 else 0.0
            if mesh.is_floating[i]:
                weights[i] += s[i, j] * s[i, j]
    of_start = _let_go(s, weights, excess, y, row_volts)
    goal, steps = tolerance * math.sqrt(max(square, of_start)), 0
    for _ in range(4):
        took = _improve(mesh, (s, t, right, weights), y, row_volts, goal, most - steps)
        steps += took
        _let_go(s, weights, excess, y, row_volts)
        if took <= 1 or steps >= most:
            break
    flows[:] = s * y
    return steps


@njit(cache=True, error_model="numpy", nogil=True)
def mesh_volts(mesh: Mesh, amps: Floats, row_volts: Floats, volts: Floats) -> float:
    """Fill in the voltage of every cell; returns its largest change."""
    most, drops = 0.0, np.empty(amps.shape)
    _drops(mesh, amps, drops)
    for i in range(volts.shape[0]):
        for j in range(volts.shape[1]):
            now = mesh.source_volts[i, j] + row_volts[i] - drops[i, j]
            most = max(most, abs(now - volts[i, j]))
            volts[i, j] = now
    return most
