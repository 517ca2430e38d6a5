"""Compact model of a magnetic tunnel junction: conduction, spin-torque switching, breakdown; vectorised over cells.

Sign convention of the whole project: a positive voltage (row above column) drives a junction to P ("set"), a
negative one to AP ("reset").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..nouns import Floats


def area_siemens(diameter_m: ArrayLike, ra_ohm_m2: float) -> Floats:
    """Parallel conductance of a round junction, siemens: pi d^2 / 4 RA (definition of the RA product)."""
    d = np.asarray(diameter_m, dtype=np.float64)
    return np.pi * d**2 / (4 * ra_ohm_m2)


def tmr_at(volts: ArrayLike, tmr0: ArrayLike, volts_half: ArrayLike) -> Floats:
    """TMR ratio under bias: TMR0 / (1 + (V / V_h)^2), V_h the bias at which half of it is left.

    Source: the Lorentzian form common to published Verilog-A junction models.
    """
    v = np.asarray(volts, dtype=np.float64)
    return np.asarray(np.asarray(tmr0) / (1 + (v / np.asarray(volts_half)) ** 2), dtype=np.float64)


def conductance(
    is_parallel: ArrayLike, volts: ArrayLike, siemens_p: ArrayLike, tmr0: ArrayLike, volts_half: ArrayLike
) -> Floats:
    """Conductance I/V at bias `volts`, siemens: G_P if parallel, else G_P / (1 + TMR(V)).

    G_P is taken as independent of bias (its own roll-off is weak beside that of the TMR).
    """
    g_p = np.asarray(siemens_p, dtype=np.float64)
    return np.where(is_parallel, g_p, g_p / (1 + tmr_at(volts, tmr0, volts_half)))


def current_slope(
    is_parallel: ArrayLike, volts: ArrayLike, siemens_p: ArrayLike, tmr0: ArrayLike, volts_half: ArrayLike
) -> Floats:
    """dI/dV at bias `volts`, siemens: the exact derivative of V times `conductance`."""
    v = np.asarray(volts, dtype=np.float64)
    g_p, t0, vh = (np.asarray(a, dtype=np.float64) for a in (siemens_p, tmr0, volts_half))
    u = 1 + (v / vh) ** 2
    slope_ap = g_p * ((u + t0) * (u + 2 * (v / vh) ** 2) - u * 2 * (v / vh) ** 2) / (u + t0) ** 2
    return np.where(is_parallel, g_p, slope_ap)


def excess_current(volts: ArrayLike, siemens_p: ArrayLike, tmr0: ArrayLike, volts_half: ArrayLike) -> Floats:
    """What an antiparallel junction conducts at bias `volts` beyond its zero-bias conductance times it, amperes.

    V (`conductance`(V) - `conductance`(0)), written without the difference so that it is exact at small bias.
    """
    v = np.asarray(volts, dtype=np.float64)
    t0 = np.asarray(tmr0, dtype=np.float64)
    rise = (v / np.asarray(volts_half)) ** 2
    return np.asarray(np.asarray(siemens_p) * (t0 / (1 + t0)) * v * (rise / (1 + rise + t0)), dtype=np.float64)


def switching_rate(overdrive: ArrayLike, delta: ArrayLike, damping_seconds: float) -> Floats:
    """Rate at which a junction leaves its state, 1/s, for pulses much longer than `damping_seconds`.

    Args:
        overdrive: V / V_c0 of the switching direction; negative where the bias stabilises the state.
        delta: thermal stability E_b / kT.
        damping_seconds: t_d = (1 + alpha^2) / (alpha gamma mu0 H_k), about 2 ns.

    Below i = 1 - 1/sqrt(delta): Gamma = (1/t_d) sqrt(delta/pi) (1 - i^2)(1 - i) exp(-delta (1 - i)^2), the
    perpendicular macrospin with exponent 2 (Taniguchi and Imamura, arXiv 1204.1190). Above, where that prefactor
    would fall again, the value at that point plus 2 (i - i_x) / t_d, the precessional slope (Butler et al., arXiv
    1202.2621).
    Nanosecond pulses need the Fokker-Planck solution instead.
    """
    i = np.asarray(overdrive, dtype=np.float64)
    d = np.asarray(delta, dtype=np.float64)
    edge = 1 - 1 / np.sqrt(d)
    low = np.clip(i, -1 + 1e-9, edge)
    thermal = np.sqrt(d / np.pi) * (1 - low**2) * (1 - low) * np.exp(-d * (1 - low) ** 2)
    return np.asarray((thermal + 2 * np.maximum(i - edge, 0)) / damping_seconds, dtype=np.float64)


def switching_probability(overdrive: ArrayLike, seconds: ArrayLike, delta: ArrayLike, damping_seconds: float) -> Floats:
    """Probability that a pulse of `seconds` switches: 1 - exp(-rate t)."""
    exposure = switching_rate(overdrive, delta, damping_seconds) * np.asarray(seconds, dtype=np.float64)
    return np.asarray(-np.expm1(-exposure))


def volts_for_probability(
    probability: float, seconds: float, delta: float, volts_c0: float, damping_seconds: float
) -> float:
    """Amplitude at which a pulse of `seconds` switches with `probability`, by bisection between 0 and 3 V_c0."""
    low, high = 0.0, 3 * volts_c0
    for _ in range(60):
        middle = (low + high) / 2
        reached = switching_probability(middle / volts_c0, seconds, delta, damping_seconds)
        low, high = (low, middle) if reached > probability else (middle, high)
    return (low + high) / 2


def breakdown_rate(volts: ArrayLike, volts_one_second: ArrayLike, volts_per_decade: float) -> Floats:
    """Rate of dielectric breakdown, 1/s: ten times more for every `volts_per_decade` (E-model).

    `volts_one_second` is the bias at which the rate is 1/s. Source: exponential law for positive bias on natural
    oxide MgO (see docs/explanation/physics.md); the numbers are assumptions of the die description.
    """
    excess = (np.abs(np.asarray(volts, dtype=np.float64)) - np.asarray(volts_one_second)) / volts_per_decade
    return np.asarray(10.0 ** np.clip(excess, -300, 30), dtype=np.float64)
