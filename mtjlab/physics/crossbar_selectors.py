"""Cells with a selector: 1T1R and 2T1R arrays as crossbars of effective cells, and back by the chain rule."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..nouns import Floats


def with_access(
    siemens: ArrayLike, access_ohms: ArrayLike, is_on: ArrayLike = True, off_siemens: ArrayLike = 0.0
) -> Floats:
    """Effective conductance of junctions in series with their access transistors, shape (..., rows, cols).

    Args:
        siemens: shape (..., rows, cols), the junctions.
        access_ohms: channel of a transistor that is on, scalar or per cell; of two in series (2T1R) their sum.
        is_on: which cells' gates are on, scalar or per cell; (rows, 1) where a gate line runs along each row. Cells
            whose gates are off leave the array: what remains is the selected sub-array, in the wires of the whole.
        off_siemens: what a transistor that is off leaks, scalar or per cell.
    """
    g = np.asarray(siemens, dtype=np.float64)
    on, leak = np.asarray(is_on, dtype=np.bool_), np.asarray(off_siemens, dtype=np.float64)
    through = g / (1 + g * np.asarray(access_ohms, dtype=np.float64))
    total = g + leak
    leaking = np.divide(g * leak, total, out=np.zeros(np.broadcast_shapes(total.shape)), where=total > 0)
    return np.asarray(np.where(on, through, leaking))


def access_slope(
    siemens: ArrayLike, access_ohms: ArrayLike, is_on: ArrayLike = True, off_siemens: ArrayLike = 0.0
) -> Floats:
    """d(effective conductance) / d(junction conductance): what a gradient is to be multiplied by, same shapes."""
    g = np.asarray(siemens, dtype=np.float64)
    on, leak = np.asarray(is_on, dtype=np.bool_), np.asarray(off_siemens, dtype=np.float64)
    through = 1 / (1 + g * np.asarray(access_ohms, dtype=np.float64)) ** 2
    total = g + leak
    leaking = np.divide(leak, total, out=np.zeros(np.broadcast_shapes(total.shape)), where=total > 0) ** 2
    return np.asarray(np.where(on, through, leaking))


def junction_volts(cell_volts: ArrayLike, siemens: ArrayLike, effective_siemens: ArrayLike) -> Floats:
    """Of the voltage across junction and transistor, the junction's share, shape (..., rows, cols)."""
    g, effective = np.asarray(siemens, dtype=np.float64), np.asarray(effective_siemens, dtype=np.float64)
    share = np.divide(effective, g, out=np.zeros(np.broadcast_shapes(g.shape, effective.shape)), where=g > 0)
    return np.asarray(np.asarray(cell_volts, dtype=np.float64) * share)
