"""Compiled rates of a Daffodil kernel's cells, and the cells of one column switched one after the other.

The rates are those of `mtjlab.physics.mtj` and `switching`, whose tables they look up; imported only when needed, for
compiling takes seconds.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.random import Generator

from mtjlab.nouns import Bools, Floats

from .daffodil_junctions import CellArrays
from .daffodil_solver import Ladder, ladder_point


class RateArrays(NamedTuple):
    """What switching and breakdown of every cell depend on; see `mtj.drive`, `switching.leaving_rate`, `mtj`.

    Attributes:
        is_junction, is_tunnelling: which cells switch, which break.
        delta, set_volts, reset_volts, breakdown_volts: of each.
        per_decade: of the breakdown rate, volts, shape (1,).
        damping_seconds: shape (1,).
        spline: coefficients of the table of log rates.
        parts: likewise of how much of the final rate is reached on average.
        grid: first place and step of asinh(drive), of ln(Delta) and of ln(tau), shape (6,).
    """

    is_junction: Bools
    is_tunnelling: Bools
    delta: Floats
    set_volts: Floats
    reset_volts: Floats
    breakdown_volts: Floats
    per_decade: Floats
    damping_seconds: Floats
    spline: Floats
    parts: Floats
    grid: Floats


@njit(cache=True, error_model="numpy", nogil=True)
def _weights(part: float) -> tuple[float, float, float, float]:
    """Of the cubic B-spline at so much beyond the second of four places."""
    back = 1 - part
    first, last = back**3 / 6, part**3 / 6
    second = 2 / 3 - part**2 / 2 * (2 - part)
    return first, second, 1 - first - second - last, last


@njit(inline="always", error_model="numpy", nogil=True)
def log_rate(spline: Floats, grid: Floats, drive: float, delta: float) -> float:
    """The table inside its edges, NaN at them and beyond; as `switching` looks it up."""
    x, y = (math.asinh(drive) - grid[0]) / grid[1], (math.log(delta) - grid[2]) / grid[3]
    i, j = math.floor(x), math.floor(y)
    if i < 1 or j < 1 or i + 2 >= spline.shape[0] or j + 2 >= spline.shape[1]:
        return math.nan
    of_x, of_y = _weights(x - i), _weights(y - j)
    found = 0.0
    for s in range(4):
        for t in range(4):
            found += of_x[s] * of_y[t] * spline[i - 1 + s, j - 1 + t]
    return found


@njit(inline="always", error_model="numpy", nogil=True)
def switching_rate(c: CellArrays, r: RateArrays, k: int, volts: float) -> float:
    """1/s; zero for a bias that holds the state, NaN where the table ends."""
    if not r.is_junction[k]:
        return 0.0
    drive = -volts / r.reset_volts[k] if c.is_parallel[k] else volts / r.set_volts[k]
    if drive <= 0:
        return 0.0
    barrier = r.delta[k] * max(1 - drive, 0.0) ** 2
    return math.exp(log_rate(r.spline, r.grid, drive, r.delta[k]) - barrier) / r.damping_seconds[0]  # type: ignore[no-any-return]


@njit(cache=True, error_model="numpy", nogil=True)
def total_rate(c: CellArrays, r: RateArrays, junction: Floats, least_volts: float) -> float:
    """Of all events, 1/s, without the cells that their bias holds; NaN where the table of rates ends.

    Args:
        junction: (cells,), volts.
        least_volts: cells with less are left out.
    """
    total = 0.0
    for k in range(junction.size):
        if abs(junction[k]) < least_volts:
            continue
        total += switching_rate(c, r, k, junction[k]) + _breakdown_rate(r, k, junction[k])
    return total


@njit(inline="always", error_model="numpy", nogil=True)
def _breakdown_rate(r: RateArrays, k: int, volts: float) -> float:
    if not r.is_tunnelling[k]:
        return 0.0
    return 10 ** min((abs(volts) - r.breakdown_volts[k]) / r.per_decade[0], 30.0)  # type: ignore[no-any-return]


@njit(cache=True, error_model="numpy", nogil=True)
def reached_part(c: CellArrays, r: RateArrays, k: int, volts: float, seconds: float) -> float:
    """How much of its final rate a cell has reached so long after its bias came; NaN where the table ends.

    As `switching.reached_part`: the slope of part(tau) tau, with part the average that the table has.
    """
    drive = -volts / r.reset_volts[k] if c.is_parallel[k] else volts / r.set_volts[k]
    tau = seconds / r.damping_seconds[0]
    earlier = _log_part(r, drive, r.delta[k], 0.99 * tau)
    later = _log_part(r, drive, r.delta[k], 1.01 * tau)
    if math.isnan(earlier) or math.isnan(later):
        return math.nan
    grown = math.exp(min(later, 0.0)) * 1.01 - math.exp(min(earlier, 0.0)) * 0.99
    return min(max(grown / 0.02, 0.0), 1.0)


@njit(cache=True, error_model="numpy", nogil=True)
def _log_part(r: RateArrays, drive: float, delta: float, tau: float) -> float:
    parts, grid = r.parts, r.grid
    x, y = (math.asinh(drive) - grid[0]) / grid[1], (math.log(delta) - grid[2]) / grid[3]
    z = (math.log(tau) - grid[4]) / grid[5]
    i, j, p, last = math.floor(x), math.floor(y), math.floor(z), parts.shape[2] - 1
    if min(i, j, p) < 1 or i + 2 >= parts.shape[0] or j + 2 >= parts.shape[1] or p >= last:
        return math.nan
    of_x, of_y, of_z = _weights(x - i), _weights(y - j), _weights(z - p)
    found = 0.0
    for s in range(4):
        for t in range(4):
            for u in range(4):
                at = min(p - 1 + u, last)  # as SciPy has it where it goes on with the nearest
                found += of_x[s] * of_y[t] * of_z[u] * parts[i - 1 + s, j - 1 + t, at]
    return found


STAYED, OVER, EARLY, BROKE, LOST = 0, 1, 2, 3, 4
"""How a stretch of `expose_ladder` ends: nothing more happens, too many events, a cell that may switch in the first
nanoseconds, where the table does not tell, a barrier that breaks, no solution."""


@njit(cache=True, error_model="numpy", nogil=True)
def expose_ladder(
    c: CellArrays,
    r: RateArrays,
    ladder: Ladder,
    volts: Floats,
    junction: Floats,
    amps: Floats,
    rng: Generator,
    left: float,
    seconds: float,
    long_seconds: float,
    quiet: float,
    most: int,
) -> tuple[int, float, int, int]:
    """Switch cells as their rates say; how it ended, the time left, the cell concerned, and the events so far.

    Cells off the ladder and such as their bias holds do not switch: the caller has made sure that they would not.

    Args:
        volts, junction, amps: (cells on the ladder,), as `ladder_point` left them; kept up to date.
        left, seconds: time to go, and of the whole exposure.
        long_seconds: after which rates are final ones.
    """
    size = volts.size
    running = np.empty(2 * size)
    for event in range(most):
        total = 0.0
        for i in range(size):
            total += switching_rate(c, r, ladder.cells[i], junction[i])
            running[i] = total
        for i in range(size):
            k = ladder.cells[i]
            total += _breakdown_rate(r, k, junction[i])
            running[size + i] = total
        if not total < math.inf:
            return LOST, left, 0, event
        if total * left < quiet:
            return STAYED, left, 0, event
        until = rng.exponential(1 / total)
        if until >= left:
            return STAYED, left, 0, event
        left -= until
        chosen = np.searchsorted(running, rng.random() * total, side="right")
        if chosen >= size:
            return BROKE, left, ladder.cells[chosen - size], event + 1
        k = ladder.cells[chosen]
        part = 1.0
        if seconds - left <= long_seconds:
            part = reached_part(c, r, k, junction[chosen], seconds - left)
            if math.isnan(part):
                return EARLY, left, k, event + 1
        if part < 1 and not rng.random() < part:
            continue
        c.is_parallel[k] = not c.is_parallel[k]
        if not ladder_point(c, ladder, volts, junction, amps):
            return LOST, left, 0, event + 1
    return OVER, left, 0, most
