"""Switching of a junction under any pulse, from a table of Fokker-Planck solutions: one model from attojoules to years.

`drive` is V / V_c0 of the switching direction plus H / H_k; negative where the bias holds the state. Probabilities are
P = P_eq (1 - exp(-Lambda)), with the equilibrium P_eq of both wells and the hazard Lambda(drive, Delta, tau): Lambda
grows as lambda (tau - delay) at last, and much more slowly in the first nanoseconds. Write errors, read disturb,
half-select disturb, telegraph noise and retention are this one function at different drives.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from ..nouns import Floats
from .fokker_planck import Evolution, evolve, switched_at_rest

TABLE = "switching_table.npz"
_DRIVE_STEP = 0.03
_DRIVES = np.sinh(np.arange(-4, 110) * _DRIVE_STEP)
_DELTAS = np.geomspace(1.5, 400.0, 34)
_TAUS = np.geomspace(5e-2, 2e2, 58)
_LEAST_LOG = -400.0
_LEAST_LEFT = 1e-5


@dataclass(frozen=True, eq=False)
class SwitchingTable:
    """Grids and what was solved on them.

    Attributes:
        drives, deltas, taus: ascending; equal steps of asinh(drive), ln Delta and ln tau.
        log_rates: (drives, deltas): ln of the leaving rate lambda P_eq per t_d, plus the barrier Delta (1 - i)^2
            where i < 1: smooth in both.
        log_parts: (drives, deltas, taus): ln of Lambda over lambda tau, the part of the final rate reached on average.
    """

    drives: Floats
    deltas: Floats
    taus: Floats
    log_rates: Floats
    log_parts: Floats


def tabulate() -> SwitchingTable:
    """Solve the whole table anew; takes some minutes."""
    rates = np.zeros((_DRIVES.size, _DELTAS.size))
    parts = np.zeros((_DRIVES.size, _DELTAS.size, _TAUS.size))
    for row, drive in enumerate(_DRIVES):
        for col, delta in enumerate(_DELTAS):
            solved = evolve(float(drive), float(delta), float(_TAUS[-1]))
            leaving = solved.rate * switched_at_rest(drive, delta)
            rates[row, col] = np.log(leaving) + _barrier(drive, delta)
            hazards = _hazards(solved)
            parts[row, col] = np.maximum(np.log(hazards) - np.log(solved.rate * _TAUS), _LEAST_LOG)
    return SwitchingTable(_DRIVES, _DELTAS, _TAUS, rates, parts)


def _hazards(solved: Evolution) -> Floats:
    """The hazard at the table's times; where hardly anything is left it goes on with the final rate."""
    sure = solved.hazard < -np.log(_LEAST_LEFT)
    last = int(np.flatnonzero(sure)[-1])
    later = solved.hazard[last] + solved.rate * (solved.taus - solved.taus[last])
    hazard = np.where(np.arange(solved.taus.size) > last, later, solved.hazard)
    return np.exp(np.interp(np.log(_TAUS), np.log(solved.taus), np.log(np.maximum(hazard, 1e-300))))


def save_table(path: Path) -> None:
    """Write the table that is shipped: `python -c "from mtjlab.physics.switching import *; save_table(Path(...))"`."""
    table = tabulate()
    np.savez_compressed(
        path, log_rates=table.log_rates.astype(np.float32), log_parts=table.log_parts.astype(np.float32)
    )


@cache
def _splines() -> tuple[Floats, Floats]:
    """Cubic B-spline coefficients of the table that comes with the package, read once."""
    with (files("mtjlab.physics") / TABLE).open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
        rates, parts = (stored[name].astype(np.float64) for name in ("log_rates", "log_parts"))
    return ndimage.spline_filter(rates), ndimage.spline_filter(parts)


def _looked_up(spline: Floats, *places: Floats) -> Floats:
    shape = places[0].shape
    flat = [place.ravel() for place in places]
    return np.asarray(ndimage.map_coordinates(spline, flat, order=3, mode="nearest", prefilter=False)).reshape(shape)


def splines() -> tuple[Floats, Floats, Floats]:
    """For compiled code that looks rates up by itself: what `relaxation_rate` and `hazard` take inside the edges.

    Returns coefficients of cubic B-splines of `SwitchingTable.log_rates` and of `log_parts`, and the grid: first place
    and step of asinh(drive), of ln Delta and of ln tau, shape (6,).
    """
    places = np.arcsinh(_DRIVES), np.log(_DELTAS), np.log(_TAUS)
    return (*_splines(), np.array([value for place in places for value in (place[0], place[1] - place[0])]))


def _barrier(drive: ArrayLike, delta: ArrayLike) -> Floats:
    return np.asarray(np.asarray(delta) * np.maximum(1 - np.asarray(drive), 0.0) ** 2)


def _place(grid: Floats, values: Floats) -> Floats:
    """Where values lie on a grid of equal steps; those beyond it are taken at its edge."""
    return np.asarray(np.clip((values - grid[0]) / (grid[1] - grid[0]), 0.0, grid.size - 1.0))


def _drive_and_delta(drive: Floats, delta: Floats) -> tuple[Floats, Floats]:
    return _place(np.arcsinh(_DRIVES), np.arcsinh(np.abs(drive))), _place(np.log(_DELTAS), np.log(delta))


def relaxation_rate(drive: ArrayLike, delta: ArrayLike) -> Floats:
    """The rate lambda at which both wells come to equilibrium, per t_d; even in the drive.

    Beyond the table's largest drive it goes on as 2 (i - 1), the precessional slope (Butler et al., arXiv 1202.2621).
    """
    i, d = np.broadcast_arrays(np.abs(np.asarray(drive, dtype=np.float64)), np.asarray(delta, dtype=np.float64))
    leaving = np.exp(_looked_up(_splines()[0], *_drive_and_delta(i, d)) - _barrier(i, d))
    return np.asarray(leaving / switched_at_rest(i, d) + 2 * np.maximum(i - _DRIVES[-1], 0.0))


def leaving_rate(drive: ArrayLike, delta: ArrayLike, damping_seconds: ArrayLike) -> Floats:
    """Rate at which a junction leaves its state, 1/s, once the first nanoseconds are over.

    Args:
        drive: V / V_c0 plus H / H_k; negative where they hold the state.
        delta: thermal stability E_b / kT.
        damping_seconds: t_d = (1 + alpha^2) / (alpha gamma mu0 H_k), about 2 ns.
    """
    leaving = relaxation_rate(drive, delta) * switched_at_rest(np.asarray(drive), np.asarray(delta))
    return np.asarray(leaving / np.asarray(damping_seconds), dtype=np.float64)


def hazard(drive: ArrayLike, delta: ArrayLike, taus: ArrayLike) -> Floats:
    """Lambda of P = P_eq (1 - exp(-Lambda)) for a pulse of `taus` t_d. The arguments broadcast."""
    i, d, tau = np.broadcast_arrays(*(np.asarray(a, dtype=np.float64) for a in (drive, delta, taus)))
    places = (*_drive_and_delta(i, d), _place(np.log(_TAUS), np.log(np.maximum(tau, 1e-300))))
    part = np.exp(np.where(i < 0, 0.0, np.minimum(_looked_up(_splines()[1], *places), 0.0)))
    beyond = np.maximum(tau - _TAUS[-1], 0.0)
    return np.asarray(relaxation_rate(i, d) * (part * np.minimum(tau, _TAUS[-1]) + beyond))


def reached_part(drive: ArrayLike, delta: ArrayLike, taus: ArrayLike) -> Floats:
    """Rate at which junctions leave at a moment after the bias came, over the final one: 0 at first, 1 later."""
    tau = np.asarray(taus, dtype=np.float64)
    before, after = hazard(drive, delta, 0.99 * tau), hazard(drive, delta, 1.01 * tau)
    slope = (after - before) / np.maximum(0.02 * tau, 1e-300)
    return np.clip(slope / relaxation_rate(drive, delta), 0.0, 1.0)


def switching_probability(drive: ArrayLike, seconds: ArrayLike, delta: ArrayLike, damping_seconds: ArrayLike) -> Floats:
    """Probability that a pulse of `seconds` leaves the junction in its other state; exact however small."""
    grown = hazard(drive, delta, np.asarray(seconds) / np.asarray(damping_seconds))
    return np.asarray(-np.expm1(-grown) * switched_at_rest(np.asarray(drive), np.asarray(delta)))


def write_error_rate(drive: ArrayLike, seconds: ArrayLike, delta: ArrayLike, damping_seconds: ArrayLike) -> Floats:
    """One minus `switching_probability`; exact however small."""
    grown = hazard(drive, delta, np.asarray(seconds) / np.asarray(damping_seconds))
    at_rest = switched_at_rest(np.asarray(drive), np.asarray(delta))
    stays = switched_at_rest(-np.asarray(drive), np.asarray(delta))
    return np.asarray(at_rest * np.exp(-grown) + stays)


def thermal_rate(drive: ArrayLike, delta: ArrayLike, damping_seconds: ArrayLike) -> Floats:
    """The closed form deep below threshold, 1/s: (1/t_d) sqrt(Delta/pi) (1 - i^2)(1 - i) exp(-Delta (1 - i)^2).

    Source: Taniguchi and Imamura, arXiv 1204.1190. A limit to check against; the table holds everywhere.
    """
    i, d = np.asarray(drive, dtype=np.float64), np.asarray(delta, dtype=np.float64)
    rate = np.sqrt(d / np.pi) * (1 - i**2) * (1 - i) * np.exp(-d * (1 - i) ** 2)
    return np.asarray(rate / np.asarray(damping_seconds))


def precessional_error_rate(
    drive: ArrayLike, seconds: ArrayLike, delta: ArrayLike, damping_seconds: ArrayLike
) -> Floats:
    """The closed form far above threshold: 1 - exp(-2 C Delta (i - 1) / (i (exp(2 (i - 1) tau) - 1))).

    Butler et al. (arXiv 1202.2621) have C = pi^2 / 8, the angle being linear all the way. Here the way from pole to
    equator is integrated exactly, dx = -(1 - x^2) (i - x) dtau: C = 2^((i-1)/(i+1)) ((i-1)/i)^(2/(i+1)).
    A limit for large Delta to check against; the table holds everywhere.
    """
    i, d = np.asarray(drive, dtype=np.float64), np.asarray(delta, dtype=np.float64)
    taus = np.asarray(seconds) / np.asarray(damping_seconds)
    way = 2 ** ((i - 1) / (i + 1)) * ((i - 1) / i) ** (2 / (i + 1))
    return np.asarray(-np.expm1(-2 * way * d * (i - 1) / (i * np.expm1(2 * (i - 1) * taus))))
