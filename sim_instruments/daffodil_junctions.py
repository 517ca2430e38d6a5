"""Compiled law of one cell of a Daffodil kernel, a junction in series with its transistors.

Compiled code takes a cell as plain numbers: every array that is handed to a compiled function is counted, and with a
dozen of them for each cell the counting would take several times as long as the physics.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from mtjlab.nouns import Bools, Floats

_SETTLED = 1e-8
"""A step of so many volts is the last one: its square is what is still missing."""
_MOST_STEPS = 60


class CellArrays(NamedTuple):
    """Of every cell, shape (cells,): its junction, and its transistors at one bias.

    Attributes:
        is_parallel: state.
        siemens_p, tmr: of the junction.
        dead_siemens: conductance of a short or open cell; negative where the barrier is intact.
        saturation_amps, on_ohms: of the transistors; zero saturation where they are off.
        half_volts: bias at which half of the TMR is left, shape (1,).
    """

    is_parallel: Bools
    siemens_p: Floats
    tmr: Floats
    dead_siemens: Floats
    saturation_amps: Floats
    on_ohms: Floats
    half_volts: Floats


class Cell(NamedTuple):
    """One of them."""

    is_parallel: bool
    siemens_p: float
    tmr: float
    dead_siemens: float
    saturation_amps: float
    on_ohms: float
    half_volts: float


@njit(inline="always", error_model="numpy", nogil=True)
def cell_at(c: CellArrays, k: int) -> Cell:
    """The cell with this number."""
    return Cell(
        c.is_parallel[k],
        c.siemens_p[k],
        c.tmr[k],
        c.dead_siemens[k],
        c.saturation_amps[k],
        c.on_ohms[k],
        c.half_volts[0],
    )


@njit(cache=True, error_model="numpy", nogil=True)
def _junction(cell: Cell, volts: float) -> tuple[float, float]:
    """Current and slope of a bare junction, as `mtj.conductance` and `mtj.current_slope` have them."""
    if cell.dead_siemens >= 0:
        return cell.dead_siemens * volts, cell.dead_siemens
    p = cell.siemens_p
    if cell.is_parallel:
        return p * volts, p
    rise = (volts / cell.half_volts) ** 2
    u, t0 = 1 + rise, cell.tmr
    return p * volts * u / (u + t0), p * ((u + t0) * (u + 2 * rise) - u * 2 * rise) / (u + t0) ** 2


@njit(cache=True, error_model="numpy", nogil=True)
def series(cell: Cell, volts: float, share: float) -> tuple[float, float, float, float]:
    """Junction's volts, current, d(current)/d(volts) and d(junction's volts)/d(volts): Newton between bounds.

    Args:
        share: where to begin.
    """
    low, high = min(volts, 0.0), max(volts, 0.0)
    share = min(max(share, low), high)
    saturation, ohms = cell.saturation_amps, cell.on_ohms
    amps = slope = channel = step = 0.0
    for _ in range(_MOST_STEPS):
        amps, slope = _junction(cell, share)
        bent = _tanh((volts - share) / (saturation * ohms))
        channel = (1 - bent * bent) / ohms
        excess = amps - saturation * bent
        if excess < 0:
            low = share
        elif excess > 0:
            high = share
        step = -excess / (slope + channel)
        if abs(step) < _SETTLED:
            break
        if share + step < low or share + step > high:
            step = (low + high) / 2 - share
        share += step
    part = channel / (slope + channel)
    return share + step, amps + slope * step, slope * part, part


@njit(cache=True, error_model="numpy", nogil=True)
def _tanh(x: float) -> float:
    """Most cells of a kernel have next to no voltage, where two terms of the series are exact."""
    return math.tanh(x) if abs(x) > 1e-3 else x - x**3 / 3 + x**5 / 7.5


@njit(cache=True, error_model="numpy", nogil=True)
def secant(cell: Cell, volts: float) -> tuple[float, float]:
    """Conductance of junction and transistors at a voltage, and the junction's part of a small change of it."""
    rest = _junction(cell, 0.0)[1]
    start = 1 / (1 + rest * cell.on_ohms)
    if volts == 0.0:
        return rest * start, start
    _, amps, _, share = series(cell, volts, volts * start)
    return amps / volts, share
