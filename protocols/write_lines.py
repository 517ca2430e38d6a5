"""Levels of all lines for a write pulse under each scheme, which cells it exposes, and the energy it takes."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import FLOATING, Bools, Floats, Lines
from mtjlab.roles import Capabilities

_EXPOSED = 0.25
"""Cells that see more than this part of the largest voltage count as exposed: half- and third-selected ones do."""


class WriteScheme(Enum):
    """What the lines do in a write pulse of V that are not selected.

    HALF: all at V/2; cells of the selected lines see V/2, all others nothing.
    THIRD: rows at V/3, columns at 2V/3; every cell sees V/3, those of no selected line backwards.
    GROUNDED: all at 0 V, the selected row at V/2 and the selected columns at -V/2; as HALF, without a held level.
    FLOATING: none is driven; a passive array divides the voltage about as HALF does where it is large and even.
    GATED: none is driven, and transistors cut off all cells but the selected ones.
    """

    HALF = "V/2"
    THIRD = "V/3"
    GROUNDED = "grounded"
    FLOATING = "floating"
    GATED = "gated"


_LEVELS = {
    WriteScheme.HALF: 3,
    WriteScheme.THIRD: 4,
    WriteScheme.GROUNDED: 3,
    WriteScheme.FLOATING: 2,
    WriteScheme.GATED: 2,
}


def chosen_write_scheme(asked: WriteScheme | None, can: Capabilities) -> WriteScheme:
    """The scheme asked for, or else the one that disturbs least for its energy.

    That is gated, V/2 or floating. V/3 disturbs less than V/2 but takes more than twice the energy: it is used where it
    is asked for. Raises InputError if it cannot be done.
    """
    fits = [scheme for scheme in WriteScheme if _can(scheme, can)]
    order = (WriteScheme.GATED, WriteScheme.HALF, WriteScheme.GROUNDED, WriteScheme.FLOATING)
    wanted = next((scheme for scheme in order if scheme in fits), None) if asked is None else asked
    if wanted in fits:
        return wanted
    name = "any scheme" if wanted is None else f"the scheme '{wanted.value}'"
    raise InputError(
        f"this bench has {can.levels} levels at once and cannot write with {name}",
        where="write settings",
        remedy="Choose another scheme, or add a source for the unselected lines",
    )


def _can(scheme: WriteScheme, can: Capabilities) -> bool:
    if scheme == WriteScheme.GATED:
        return can.isolates_cells
    return can.levels >= _LEVELS[scheme] and (can.can_float or scheme != WriteScheme.FLOATING)


def write_lines(shape: tuple[int, int], row: int, cols: Sequence[int], volts: float, scheme: WriteScheme) -> Lines:
    """The lines of a pulse of `volts` across the cells of one row at these columns."""
    selected_row, selected_col, other_rows, other_cols = {
        WriteScheme.HALF: (volts, 0.0, volts / 2, volts / 2),
        WriteScheme.THIRD: (volts, 0.0, volts / 3, volts * 2 / 3),
        WriteScheme.GROUNDED: (volts / 2, -volts / 2, 0.0, 0.0),
        WriteScheme.FLOATING: (volts, 0.0, FLOATING, FLOATING),
        WriteScheme.GATED: (volts, 0.0, FLOATING, FLOATING),
    }[scheme]
    row_volts, col_volts = np.full(shape[0], other_rows), np.full(shape[1], other_cols)
    row_volts[row] = selected_row
    col_volts[list(cols)] = selected_col
    return Lines(row_volts, col_volts)


def volts_across(lines: Lines, scheme: WriteScheme) -> Floats:
    """(rows, cols), what each cell sees where wires have no resistance, volts.

    Gated cells see nothing unless both lines are driven. Lines that float are taken to be half-way up, which is the
    limit of a large array of like cells.
    """
    across = lines.row_volts[:, None] - lines.col_volts[None, :]
    if scheme == WriteScheme.GATED:
        return np.nan_to_num(across)
    driven = np.concatenate([lines.row_volts, lines.col_volts])
    middle = float(np.nanmin(driven) + np.nanmax(driven)) / 2
    rows, cols = (np.where(np.isnan(v), middle, v) for v in (lines.row_volts, lines.col_volts))
    return np.asarray(rows[:, None] - cols[None, :])


def exposed_by(lines: Lines, scheme: WriteScheme) -> Bools:
    """(rows, cols), which cells a pulse may have changed."""
    if scheme == WriteScheme.FLOATING:  # what a line that floats really does depends on all cells
        return np.ones((lines.row_volts.size, lines.col_volts.size), dtype=np.bool_)
    size = np.abs(volts_across(lines, scheme))
    return np.asarray(size > _EXPOSED * size.max())


def pulse_joules(lines: Lines, scheme: WriteScheme, siemens: Floats, seconds: float) -> float:
    """Energy that all cells take in a pulse, from their conductances; unread cells count as the median one."""
    finite = siemens[np.isfinite(siemens)]
    known = np.where(np.isfinite(siemens), siemens, np.median(finite) if finite.size else 0.0)
    return float((known * volts_across(lines, scheme) ** 2).sum() * seconds)
