"""Every single-cell read of an array in closed form from its port matrix, sneak paths included, per biasing scheme.

A read puts V on the cell's row and senses the current into its column, held at 0 V. All functions return what such a
read reports, sensed current over V, for every cell: siemens, shape (..., rows, cols). Both ends of a line that is
connected at both are tied together, also while it floats.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..nouns import Floats
from .blas_threads import one_thread
from .crossbar_ports import PortMatrix


def read_floating(ports: PortMatrix, series_ohms: float = 0.0) -> Floats:
    """All other lines float: 1 / (Z_ii + Z_jj - 2 Z_ij) with Z = (Y + 1 1' / N)^-1.

    Args:
        series_ohms: of source and sense together, beside what the wires contain.
    """
    matrix = _all_lines(ports)
    with one_thread():
        if matrix.ndim == 2:
            return _floating(matrix, ports.cells, series_ohms)
        flat = matrix.reshape(-1, *matrix.shape[-2:])
        cells = ports.cells.reshape(-1, *ports.wires.shape)
        found = [_floating(one, of_cells, series_ohms) for one, of_cells in zip(flat, cells, strict=True)]
    return np.asarray(found).reshape(ports.cells.shape)


def read_biased(ports: PortMatrix, row_fraction: float, col_fraction: float) -> Floats:
    """All other rows at `row_fraction` V, all other columns at `col_fraction` V: (0, 0) grounded, V/2, V/3.

    V/2 is (1/2, 1/2), V/3 is (1/3, 2/3): half-selected cells then see V/2, or every unselected one V/3.
    """
    matrix = _all_lines(ports)
    rows, _ = ports.wires.shape
    columns = matrix[..., rows:, :]
    others = columns[..., :rows].sum(axis=-1) * row_fraction + columns[..., rows:].sum(axis=-1) * col_fraction
    own = np.einsum("...ii->...i", matrix)[..., rows:] * col_fraction
    sensed = (others - own)[..., None, :] + (1 - row_fraction) * np.swapaxes(columns[..., :rows], -1, -2)
    return np.asarray(-sensed)


def read_grounded(ports: PortMatrix) -> Floats:
    """All other lines grounded."""
    return read_biased(ports, 0.0, 0.0)


def read_with_floating_rows(ports: PortMatrix) -> Floats:
    """All other rows float, all columns are held at 0 V (virtual ground): (Z Y_rc)_ij / Z_ii with Z = Y_rr^-1."""
    matrix = _all_lines(ports)
    rows, _ = ports.wires.shape
    own = matrix[..., :rows, :rows]
    diagonal = np.einsum("...ii->...i", own)
    isolated = diagonal <= 0
    regular = own + np.where(isolated, 1.0, 0.0)[..., None] * np.eye(rows)
    with one_thread():
        inverse = np.linalg.inv(regular)
        found = -(inverse @ matrix[..., :rows, rows:]) / np.einsum("...ii->...i", inverse)[..., None]
    return np.asarray(np.where(isolated[..., None], 0.0, found))


def _all_lines(ports: PortMatrix) -> Floats:
    matrix, lines = ports.by_lines()
    if lines.size != sum(ports.wires.shape):
        raise InputError("a line without a connected end cannot be read")
    return matrix


def _floating(matrix: Floats, cells: Floats, series_ohms: float) -> Floats:
    rows, cols = cells.shape
    part = _parts(cells)
    found = np.zeros((rows, cols))
    for number in range(int(part.max()) + 1):
        own = np.flatnonzero(part == number)
        if own.size > 1:
            of_rows, of_cols = own[own < rows], own[own >= rows] - rows
            inner = matrix if own.size == rows + cols else matrix[np.ix_(own, own)]
            found[np.ix_(of_rows, of_cols)] = 1 / (_two_point(inner, of_rows.size) + series_ohms)
    return found


def _two_point(matrix: Floats, rows: int) -> Floats:
    """Resistances between each row and each column of lines that hang together."""
    mean = np.trace(matrix) / matrix.shape[0] ** 2
    z = np.linalg.inv(matrix + mean)
    own = np.diag(z)
    return np.asarray(own[:rows, None] + own[None, rows:] - 2 * z[:rows, rows:])


def _parts(cells: Floats) -> NDArray[np.int64]:
    """Which lines (rows, then columns) hang together through cells that conduct: numbers from zero."""
    rows, cols = cells.shape
    conducts = cells > 0
    part = np.full(rows + cols, -1)
    number = 0
    while (part < 0).any():
        of_rows, of_cols = np.zeros(rows, dtype=np.bool_), np.zeros(cols, dtype=np.bool_)
        first = int(np.flatnonzero(part < 0)[0])
        (of_rows if first < rows else of_cols)[first if first < rows else first - rows] = True
        before = 0
        while (now := int(of_rows.sum() + of_cols.sum())) != before:
            before = now
            of_cols |= conducts[of_rows].any(axis=0)
            of_rows |= conducts[:, of_cols].any(axis=1)
        part[np.flatnonzero(np.concatenate([of_rows, of_cols]))] = number
        number += 1
    return part
