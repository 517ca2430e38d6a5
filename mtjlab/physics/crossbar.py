"""Exact network of a small passive array with its response to every cell; see crossbar_ports.py for any other.

Unknowns are the voltages across the m n cells, so that open cells, shorts and zero wire resistance are ordinary
values. Row i is fed at its first column, column j at its last row. With G the cell conductances, A the incidence of
cells on lines (+1 row, -1 column) and R the resistance that the current of one cell and the voltage of another have
in common along the wires, Kirchhoff's laws read d = A v - R G d for the cell voltages d and the line voltages v.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..nouns import Floats
from .crossbar_ports import reduce_to_ports
from .crossbar_wires import Wires

DENSE_CELLS = 1600
"""Up to 40 x 40, matrices over all pairs of cells are worth their memory, and nothing has to be compiled."""


def incidence(rows: int, cols: int) -> Floats:
    """Shape (rows * cols, rows + cols): +1 where a cell hangs on a row line, -1 on a column line."""
    of_rows = np.kron(np.eye(rows), np.ones((cols, 1)))
    of_cols = np.kron(np.ones((rows, 1)), np.eye(cols))
    return np.hstack([of_rows, -of_cols])


def shared_ohms(
    rows: int, cols: int, segment_ohms: float, row_ohms: ArrayLike = 0.0, col_ohms: ArrayLike = 0.0
) -> Floats:
    """Resistance that each pair of cells shares on the way to the line ends, shape (rows * cols, rows * cols).

    Args:
        segment_ohms: wire resistance between neighbouring cells, and between the line end and its first cell.
        row_ohms, col_ohms: series resistance at the end of each line, scalar or shape (rows,), (cols,).
    """
    j, i = np.arange(cols), np.arange(rows)
    along_row = segment_ohms * (np.minimum.outer(j, j) + 1.0)
    along_col = segment_ohms * (rows - np.maximum.outer(i, i))
    row_part = np.kron(np.diag(np.broadcast_to(row_ohms, rows)), np.ones((cols, cols)))
    col_part = np.kron(np.ones((rows, rows)), np.diag(np.broadcast_to(col_ohms, cols)))
    wires = np.kron(np.eye(rows), along_row) + np.kron(along_col, np.eye(cols))
    return np.asarray(row_part + col_part + wires, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Reduction:
    """An array reduced to its lines, at given (bias-independent) cell conductances.

    Attributes:
        siemens: shape (cells,), the conductances it was made with, row-major.
        to_cells: shape (cells, lines): cell voltages for given line voltages.
        of_cells: shape (cells, cells), symmetric: drop at each cell per ampere of extra current through another.
    """

    siemens: Floats
    to_cells: Floats
    of_cells: Floats
    lines: Floats

    @property
    def port_siemens(self) -> Floats:
        """Shape (lines, lines): currents into the lines for given line voltages; rows first, then columns."""
        return self.lines.T @ (self.siemens[:, None] * self.to_cells)

    def cell_volts(self, line_volts: Floats, extra_amps: Floats) -> Floats:
        """Voltage across every cell when `extra_amps` flows through it beside its linear current."""
        return np.asarray(self.to_cells @ line_volts - self.of_cells @ extra_amps)

    def line_amps(self, extra_amps: Floats) -> Floats:
        """What the extra cell currents add to the currents into the lines, by reciprocity."""
        return np.asarray(self.to_cells.T @ extra_amps)

    def with_cell(self, index: int, siemens: float) -> Reduction:
        """The same array with one cell changed, by a rank-one update (Sherman and Morrison)."""
        change = siemens - self.siemens[index]
        column = self.of_cells[:, index]
        factor = change / (1 + change * column[index])
        changed = self.siemens.copy()
        changed[index] = siemens
        return Reduction(
            changed,
            self.to_cells - factor * np.outer(column, self.to_cells[index]),
            self.of_cells - factor * np.outer(column, column),
            self.lines,
        )


def reduce_array(siemens: ArrayLike, ohms: Floats) -> Reduction:
    """Reduce an array to its lines.

    Args:
        siemens: shape (rows, cols); zero for an open cell.
        ohms: what `shared_ohms` returns for this shape.
    """
    g = np.asarray(siemens, dtype=np.float64)
    lines = incidence(*g.shape)
    flat = g.ravel()
    system = np.eye(flat.size) + ohms * flat[None, :]
    solved: Floats = np.asarray(np.linalg.solve(system, np.hstack([lines, ohms])), dtype=np.float64)
    of_cells = solved[:, lines.shape[1] :]
    return Reduction(flat, solved[:, : lines.shape[1]], (of_cells + of_cells.T) / 2, lines)


def transfer_siemens(
    siemens: ArrayLike, segment_ohms: float, row_ohms: ArrayLike = 0.0, col_ohms: ArrayLike = 0.0
) -> Floats:
    """Short-circuit transfer, shape (rows, cols): amps into grounded column j per volt on row i, others grounded.

    With ideal wires this is the conductance map itself; wire drops make it smaller.
    """
    g = np.asarray(siemens, dtype=np.float64)
    rows, cols = g.shape
    if g.size > DENSE_CELLS:
        return reduce_to_ports(g, Wires.of((rows, cols), segment_ohms, left=row_ohms, bottom=col_ohms)).transfer_siemens
    ports = reduce_array(g, shared_ohms(rows, cols, segment_ohms, row_ohms, col_ohms)).port_siemens
    return -ports[:rows, rows:]
