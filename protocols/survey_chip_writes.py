"""Writes of many cells to one state: whole columns in one pulse each, as an outer product of rows with one column."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mtjlab.nouns import Bools, Lines
from mtjlab.roles import Crossbar

HeardColumn = Callable[[int], None]
"""Told of every column that has been pulsed."""


def pulse_columns(crossbar: Crossbar, cells: Bools, volts: float, seconds: float, heard: HeardColumn) -> None:
    """One pulse for each column with cells to be written: they see `volts`, their neighbours half of it or nothing.

    Half of a pulse pushes a neighbour where all of them are to go anyway. A column with a cell that may get no more
    pulses is left out.

    Args:
        cells: (rows, cols), which.

    Raises LimitError if the pulse is beyond the device's limits.
    """
    cols = [int(col) for col in np.flatnonzero(cells.any(axis=0))]
    series = [column_lines(cells[:, col], col, cells.shape[1], volts) for col in cols]
    crossbar.pulse_each(series, seconds, heard=lambda number: heard(cols[number]))


def column_lines(rows: Bools, col: int, cols: int, volts: float) -> Lines:
    """These rows at `volts`, this column at 0 V, every other line at half of it."""
    col_volts = np.full(cols, volts / 2)
    col_volts[col] = 0.0
    return Lines(np.where(rows, volts, volts / 2), col_volts)
