"""Fokker-Planck equation of a uniaxial macrospin under spin torque: from a pulse to the probability that it switches.

With x the component of the magnetisation along the state it starts in, i the drive (current over critical current; a
field adds H/H_k) and tau time over t_d = (1 + alpha^2) / (alpha gamma mu0 H_k), the density p(x, tau) follows

    dp/dtau = d/dx [(1 - x^2) ((i - x) p + p' / (2 Delta))]

(Brown, Phys. Rev. 130, 1677 (1963); with spin torque Butler et al., IEEE Trans. Magn. 48, 4684, arXiv 1202.2621).
It covers thermal activation (i < 1), the dynamic regime (i near 1) and precessional switching (i > 1) alike. It starts
in equilibrium of the well at x = 1 without drive, and has switched if x < 0 when the pulse ends.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack
from scipy.special import dawsn

from ..nouns import Floats

_CELLS = 500
_STEPS_PER_DECADE = 128
_FIRST_TAU = 1e-3
_LEAST_SURVIVORS = 1e-5
_EXTRAPOLATION = ((1, 0.5), (2, -4.0), (3, 4.5))
"""Backward Euler with so many equal steps, and its weight: third order together (Richardson, harmonic sequence)."""


@dataclass(frozen=True, eq=False)
class Evolution:
    """How the probability of having switched grows.

    Attributes:
        taus: times over t_d, ascending.
        hazard: Lambda(tau), defined by P = P_eq (1 - exp(-Lambda)); P_eq is what `switched_at_rest` gives.
        rate: the relaxation rate lambda that Lambda grows with at last, per t_d.
    """

    taus: Floats
    hazard: Floats
    rate: float


def switched_at_rest(drive: Floats | float, delta: Floats | float) -> Floats:
    """Equilibrium probability of x < 0 under a drive: 1/2 without one, 1 or 0 under a strong one; vectorised.

    The partition integrals of exp(Delta (x^2 - 2 i x)) over either half are Dawson functions.
    """
    i = np.abs(np.asarray(drive, dtype=np.float64))
    d = np.asarray(delta, dtype=np.float64)
    root = np.sqrt(d)
    middle = np.exp(-d * (1 + 2 * i)) * dawsn(root * i)
    stayed = np.exp(-4 * d * i) * dawsn(root * (1 - i)) + middle
    ratio = np.maximum(stayed, 0.0) / (dawsn(root * (1 + i)) - middle)
    return np.asarray(np.where(np.asarray(drive) >= 0, 1 / (1 + ratio), ratio / (1 + ratio)))


class _Chain:
    """The equation on cells of equal polar angle, as a birth-death chain in detailed balance (Scharfetter-Gummel)."""

    def __init__(self, drive: float, delta: float, cells: int) -> None:
        faces = np.cos(np.linspace(0, np.pi, cells + 1))
        faces[cells // 2] = 0.0
        self.masses = faces[:-1] - faces[1:]
        centres = (faces[:-1] + faces[1:]) / 2
        potential = delta * (2 * drive * centres - centres**2)
        step = np.diff(potential)
        conductance = (1 - faces[1:-1] ** 2) / (2 * delta) / (centres[:-1] - centres[1:])
        self.onward = conductance * _bernoulli(step) / self.masses[:-1]
        self.back = conductance * _bernoulli(-step) / self.masses[1:]
        self.half = cells // 2
        weights = self.masses * np.exp(potential.min() - potential)
        self.at_rest = float(weights[self.half :].sum() / weights.sum())

    def start(self, delta: float) -> Floats:
        """Probability in each cell at first: equilibrium of the upper well without drive."""
        x = np.cos((np.arange(self.masses.size) + 0.5) * np.pi / self.masses.size)
        weights = self.masses * np.exp(delta * (x**2 - 1))
        weights[self.half :] = 0.0
        return np.asarray(weights / weights.sum())

    def stepped(self, held: Floats, seconds: float) -> tuple[Floats, float]:
        """One backward Euler step, and what went over x = 0 in it."""
        out = np.zeros(held.size)
        out[:-1] += self.onward
        out[1:] += self.back
        _, _, _, found, info = lapack.dgtsv(-seconds * self.onward, 1 + seconds * out, -seconds * self.back, held)
        if info != 0:
            raise ArithmeticError(f"the Fokker-Planck step of {seconds} cannot be solved")
        crossing = self.onward[self.half - 1] * found[self.half - 1] - self.back[self.half - 1] * found[self.half]
        return found, float(seconds * crossing)


def _bernoulli(z: Floats) -> Floats:
    """z / (exp(z) - 1), exact near zero."""
    small = np.abs(z) < 1e-5
    safe = np.where(small, 1.0, z)
    return np.where(small, 1 - z / 2 + z**2 / 12, safe / np.expm1(safe))


def evolve(drive: float, delta: float, last_tau: float, *, cells: int = _CELLS) -> Evolution:
    """Solve the equation from a state at rest, up to `last_tau`.

    Probabilities keep their relative accuracy however small they are: nothing is subtracted from one.
    """
    chain = _Chain(drive, delta, cells)
    held, switched, at_rest = chain.start(delta), 0.0, chain.at_rest
    decades = np.log10(last_tau / _FIRST_TAU)
    taus = np.geomspace(_FIRST_TAU, last_tau, int(np.ceil(decades * _STEPS_PER_DECADE)) + 1)
    hazards, now, rate = [], 0.0, 0.0
    for tau in taus:
        held, crossed = _extrapolated(chain, held, tau - now)
        now, switched = tau, max(switched + crossed, switched)
        gone = switched / at_rest
        left = at_rest - switched if gone < 0.5 else float(held[: chain.half].sum()) - (1 - at_rest)
        hazards.append(-np.log1p(-gone) if gone < 0.5 else -np.log(max(left, 1e-300) / at_rest))
        if left > _LEAST_SURVIVORS * at_rest:
            rate = _crossing_rate(chain, held) / left
    return Evolution(taus, np.asarray(hazards), rate)


def _crossing_rate(chain: _Chain, held: Floats) -> float:
    face = chain.half - 1
    return float(chain.onward[face] * held[face] - chain.back[face] * held[face + 1])


def _extrapolated(chain: _Chain, held: Floats, seconds: float) -> tuple[Floats, float]:
    total, crossed = np.zeros(held.size), 0.0
    for parts, weight in _EXTRAPOLATION:
        found, over = held, 0.0
        for _ in range(parts):
            found, more = chain.stepped(found, seconds / parts)
            over += more
        total += weight * found
        crossed += weight * over
    return np.maximum(total, 0.0), crossed
