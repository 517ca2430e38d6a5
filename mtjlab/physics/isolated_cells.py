"""Cells that transistors cut off from all others while they are read, and what is left unknown of each.

Such a read is one cell in series with the wires that lead to it: there are no sneak paths, and what the other cells
conduct does not matter. Row i is fed at its first column, column j at its last row, as in `Wires`.
"""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..nouns import Floats
from .cell_fit import FittedCells, ReadErrors
from .deembed import Wires
from .line_reads import BiasDependence


def isolated_cells(
    raw: Floats,
    noise: Floats,
    wires: Wires,
    errors: ReadErrors,
    *,
    bias: BiasDependence | None = None,
    read_volts: float = 0.1,
) -> FittedCells:
    """Cells behind reads of one cell each, by Ohm's law; see `cell_fit.fit_cells` for the arguments.

    Args:
        raw: (rows, cols), current into the selected column per volt on the selected row; NaN or infinite if not read.
        noise: (rows, cols), standard deviation of each, siemens.

    Returns:
        Cells; infinite, and without an uncertainty, where the wires alone have more resistance than a read says.

    Raises InputError if nothing was read.
    """
    is_read = np.isfinite(raw)
    if not is_read.any():
        raise InputError("nothing was read", remedy="Read some cells first")
    rows, cols = raw.shape
    of_lines = (np.broadcast_to(wires.row_ohms, rows), np.broadcast_to(wires.col_ohms, cols))
    segments = np.arange(1, cols + 1)[None, :] + np.arange(rows, 0, -1)[:, None]
    seen = np.where(is_read, raw, 0.0)
    share = 1 - seen * (wires.segment_ohms * segments + of_lines[0][:, None] + of_lines[1][None, :])
    is_shorted = share <= 0
    is_read, share = is_read & ~is_shorted, np.where(is_shorted, 1.0, share)
    found = seen / share
    factor, moved = _factors(found, share, bias, read_volts)
    siemens = found / factor
    ohms = np.broadcast_to(np.asarray(errors.line_ohms, dtype=np.float64), rows + cols)
    of_ohms = np.sqrt(ohms[:rows, None] ** 2 + ohms[None, rows:] ** 2 + (errors.segment_ohms * segments) ** 2)
    changes = [errors.meter * seen, errors.drive * seen, np.full(raw.shape, errors.offset_siemens)]
    changes += [errors.level_offset * seen] * 2  # of the driven line's source, and of the sensed one's
    common = np.stack(changes) / share**2
    parts = {
        "noise": np.where(is_read, noise, 0.0) / share**2,
        "instruments": np.sqrt((common**2).sum(axis=0)),
        "wires": siemens**2 * of_ohms,
        "bias": np.abs(found / moved - siemens),
    }
    blank = {name: np.where(is_read, part, np.nan) for name, part in parts.items()}
    sigma = np.sqrt(sum(part**2 for part in blank.values()))
    values = np.where(is_shorted, np.inf, np.where(is_read, siemens, np.nan))
    return FittedCells(values, sigma, **blank, is_read=is_read, common=common)


def _factors(found: Floats, share: Floats, bias: BiasDependence | None, read_volts: float) -> tuple[Floats, Floats]:
    """Conductance at the cell's own voltage over that at the read's; also for a bias dependence a little different."""
    if bias is None:
        return np.ones_like(found), np.ones_like(found)
    is_parallel = bias.told(found)
    other = BiasDependence(bias.half_volts + bias.half_volts_sigma, 0.0, bias.tmr)
    own, moved = (one.factor(share * read_volts, read_volts, is_parallel) for one in (bias, other))
    return own, moved
