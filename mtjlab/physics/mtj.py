"""Compact model of a magnetic tunnel junction: conduction, drive, stability, breakdown; vectorised over cells.

What the drive does to the state in a given time is in `switching.py`.

Sign convention of the whole project: a positive voltage (row above column) drives a junction to P ("set"), a
negative one to AP ("reset").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..nouns import Bools, Floats
from .switching import leaving_rate, switching_probability

REFERENCE_KELVIN = 300.0
"""Temperature at which parameters without another are given."""


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


def switching_rate(overdrive: ArrayLike, delta: ArrayLike, damping_seconds: ArrayLike) -> Floats:
    """Rate at which a junction leaves its state, 1/s, for pulses much longer than `damping_seconds`.

    `overdrive` is what `drive` returns; see `switching.leaving_rate`, the Fokker-Planck solution of all regimes.
    """
    return leaving_rate(overdrive, delta, damping_seconds)


def volts_for_probability(
    probability: float, seconds: float, delta: float, volts_c0: float, damping_seconds: float
) -> float:
    """Amplitude at which a pulse of `seconds` switches with `probability`, by bisection."""
    low, high = 0.0, 1e4 * volts_c0
    for _ in range(80):
        middle = (low + high) / 2
        reached = switching_probability(middle / volts_c0, seconds, delta, damping_seconds)
        low, high = (low, middle) if reached > probability else (middle, high)
    return (low + high) / 2


def drive(
    is_parallel: ArrayLike,
    volts: ArrayLike,
    set_volts: ArrayLike,
    reset_volts: ArrayLike,
    *,
    field_tesla: ArrayLike = 0.0,
    anisotropy_tesla: ArrayLike = np.inf,
    anisotropy_factor: ArrayLike = 1.0,
) -> Floats:
    """How hard a junction is pushed out of its state: V / V_c0 of that direction plus H / H_k; 1 is the threshold.

    Args:
        is_parallel: state of each junction.
        set_volts, reset_volts: V_c0 of AP to P and of P to AP, both positive; the torque is smaller from P.
        field_tesla: along the easy axis, positive towards P.
        anisotropy_tesla: mu0 H_k.
        anisotropy_factor: what `voltage_control` returns: V_c0 and H_k go with the anisotropy that is left.
    """
    v, parallel = np.asarray(volts, dtype=np.float64), np.asarray(is_parallel)
    torque = np.where(parallel, -v / np.asarray(reset_volts), v / np.asarray(set_volts))
    field = np.where(parallel, -1.0, 1.0) * np.asarray(field_tesla) / np.asarray(anisotropy_tesla)
    return np.asarray((torque + field) / np.asarray(anisotropy_factor))


def voltage_control(volts: ArrayLike, per_volt: ArrayLike) -> Floats:
    """Perpendicular anisotropy left under bias, as a factor: 1 - xi V, at least a hundredth.

    Delta, V_c0 and H_k are proportional to it (voltage-controlled magnetic anisotropy; it matters in cells of the kind
    of Mihajlovic et al., arXiv 1905.02673). The coefficient xi per volt is a parameter; zero leaves it out.
    """
    return np.asarray(np.maximum(1 - np.asarray(per_volt) * np.asarray(volts), 0.01), dtype=np.float64)


def heated_kelvin(
    kelvin: ArrayLike, watts: ArrayLike, kelvin_per_watt: ArrayLike, seconds: ArrayLike, time_constant: ArrayLike
) -> Floats:
    """Temperature of a junction at the end of a pulse that heats it: T + R_th P (1 - exp(-t / tau)).

    One thermal resistance and one time constant; both are parameters, zero resistance leaves heating out.
    """
    rise = np.asarray(kelvin_per_watt) * np.asarray(watts)
    return np.asarray(kelvin + rise * -np.expm1(-np.asarray(seconds) / np.asarray(time_constant)), dtype=np.float64)


def magnetisation_factor(kelvin: ArrayLike, curie_kelvin: ArrayLike = 1100.0) -> Floats:
    """M_s(T) over M_s at `REFERENCE_KELVIN`, Bloch's law 1 - (T / T_C)^(3/2); T_C of CoFeB is an assumption."""
    now = 1 - (np.asarray(kelvin, dtype=np.float64) / np.asarray(curie_kelvin)) ** 1.5
    then = 1 - (REFERENCE_KELVIN / np.asarray(curie_kelvin)) ** 1.5
    return np.asarray(np.maximum(now, 0.0) / then)


def delta_at(
    kelvin: ArrayLike, delta: ArrayLike, curie_kelvin: ArrayLike = 1100.0, exponent: ArrayLike = 2.0
) -> Floats:
    """Thermal stability at a temperature: Delta(T0) (T0 / T) m(T)^n, the barrier going as M_s^n (n = 2 assumed)."""
    m = magnetisation_factor(kelvin, curie_kelvin)
    return np.asarray(np.asarray(delta) * REFERENCE_KELVIN / np.asarray(kelvin) * m ** np.asarray(exponent))


def volts_c0_at(
    kelvin: ArrayLike, volts_c0: ArrayLike, curie_kelvin: ArrayLike = 1100.0, exponent: ArrayLike = 2.0
) -> Floats:
    """Critical voltage at a temperature; it goes with the barrier, as I_c0 = (4 e / hbar) (alpha / eta) E_b."""
    return np.asarray(np.asarray(volts_c0) * magnetisation_factor(kelvin, curie_kelvin) ** np.asarray(exponent))


def tmr_at_kelvin(kelvin: ArrayLike, tmr0: ArrayLike, per_kelvin_1_5: ArrayLike = 2e-5) -> Floats:
    """TMR ratio at a temperature, from its value at `REFERENCE_KELVIN`.

    Julliere's 2 P^2 / (1 - P^2) with P = P_0 (1 - a T^(3/2)); a = 2e-5 K^(-3/2) is an assumption.
    """
    t0, a = np.asarray(tmr0, dtype=np.float64), np.asarray(per_kelvin_1_5)
    ratio = (1 - a * np.asarray(kelvin) ** 1.5) / (1 - a * REFERENCE_KELVIN**1.5)
    squared = t0 / (t0 + 2) * np.maximum(ratio, 0.0) ** 2
    return np.asarray(2 * squared / (1 - squared))


def delta_of_size(diameter_m: ArrayLike, reference_m: float, delta: ArrayLike, wall_m: float = np.inf) -> Floats:
    """Thermal stability of a round junction of another size.

    It goes with the area as long as the spins turn together, and with the diameter beyond `wall_m`, where a domain wall
    passes instead (Santos et al., arXiv 2008.01343, used the domain-wall law for 55 to 130 nm).
    """
    d, r = np.asarray(diameter_m, dtype=np.float64), reference_m
    area = np.minimum(d, wall_m) ** 2 * np.maximum(d / wall_m, 1.0)
    reference = min(r, wall_m) ** 2 * max(r / wall_m, 1.0)
    return np.asarray(np.asarray(delta) * area / reference)


def volts_c0_of(current_density: ArrayLike, ra_ohm_m2: ArrayLike) -> Floats:
    """Critical voltage from the critical current density, A/m^2: J_c0 RA. It does not depend on the area."""
    return np.asarray(np.asarray(current_density) * np.asarray(ra_ohm_m2), dtype=np.float64)


def dwell_seconds(overdrive: ArrayLike, delta: ArrayLike, damping_seconds: ArrayLike) -> Floats:
    """Mean time in a state, seconds: telegraph noise where it is short, retention where it is long."""
    return np.asarray(1 / leaving_rate(overdrive, delta, damping_seconds))


def state_after(
    is_parallel: ArrayLike, seconds: ArrayLike, leaving: ArrayLike, returning: ArrayLike, rng: np.random.Generator
) -> Bools:
    """Draw the state after a time in which a junction may go to and fro (two-state Markov process, exact).

    Args:
        is_parallel: state at first.
        leaving, returning: rates out of that state and back into it, 1/s.
    """
    states, out, back, time = np.broadcast_arrays(is_parallel, leaving, returning, seconds)
    total = out + back
    share = np.divide(out, total, out=np.zeros(states.shape), where=total > 0)
    changed = rng.random(share.shape) < share * -np.expm1(-total * time)
    return np.asarray(states.astype(np.bool_) ^ changed)


def telegraph_times(seconds: float, leaving: float, returning: float, rng: np.random.Generator) -> Floats:
    """Draw the times at which one junction changes its state within `seconds`, ascending.

    Args:
        leaving, returning: rates out of the state at first and back into it, 1/s.
    """
    pairs = int(seconds / (1 / leaving + 1 / returning)) + 8 if leaving > 0 and returning > 0 else 1
    times: list[Floats] = []
    now = 0.0
    with np.errstate(divide="ignore"):
        mean_waits = 1 / np.array([leaving, returning])
    while now < seconds:
        times.append(now + np.cumsum(rng.exponential(1.0, (pairs, 2)) * mean_waits))
        now = float(times[-1][-1])
    every = np.concatenate(times) if times else np.zeros(0)
    return every[every < seconds]


def breakdown_seconds(
    volts: ArrayLike, volts_one_second: ArrayLike, volts_per_decade: float, negative_power: float | None = None
) -> Floats:
    """Time to breakdown of 63 % of barriers at a constant bias, seconds; infinite at none.

    Positive bias: exponential in V (E-model), a tenth for every `volts_per_decade`. Negative bias: the same, or a power
    law (|V| / V_1)^-n with n = `negative_power`, as natural-oxide MgO shows. The numbers are assumptions of the die
    description; see docs/explanation/physics.md.
    """
    v, one = np.asarray(volts, dtype=np.float64), np.asarray(volts_one_second)
    exponential = 10.0 ** np.clip((one - np.abs(v)) / volts_per_decade, -30, 300)
    if negative_power is None:
        return np.asarray(exponential)
    power = np.maximum(np.abs(v) / one, 1e-30) ** -negative_power
    return np.asarray(np.where(v < 0, power, exponential))


def breakdown_probability(
    seconds: ArrayLike, seconds_63: ArrayLike, weibull_shape: ArrayLike = 1.0, before_seconds: ArrayLike = 0.0
) -> Floats:
    """Probability that a barrier breaks within `seconds` of stress, having withstood `before_seconds` of the same.

    Weibull: 1 - exp((t0/t63)^b - ((t0+t)/t63)^b). What is left of a broken barrier is a short.
    """
    shape, t63 = np.asarray(weibull_shape), np.asarray(seconds_63)
    before = (np.asarray(before_seconds) / t63) ** shape
    after = ((np.asarray(before_seconds) + np.asarray(seconds)) / t63) ** shape
    return np.asarray(-np.expm1(before - after))


def breakdown_rate(volts: ArrayLike, volts_one_second: ArrayLike, volts_per_decade: float) -> Floats:
    """Rate of dielectric breakdown, 1/s: ten times more for every `volts_per_decade` (E-model).

    `volts_one_second` is the bias at which the rate is 1/s. Source: exponential law for positive bias on natural
    oxide MgO (see docs/explanation/physics.md); the numbers are assumptions of the die description.
    """
    excess = (np.abs(np.asarray(volts, dtype=np.float64)) - np.asarray(volts_one_second)) / volts_per_decade
    return np.asarray(10.0 ** np.clip(excess, -300, 30), dtype=np.float64)
