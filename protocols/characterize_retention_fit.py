"""Retention from counted losses, extrapolated to where nothing is lost in any measurable time; pure functions.

The rate goes as f exp(a + b x): x is 1 / T for temperatures (b = -E_b / k), and (1 - H / H_k)^2 for opposing fields
(b = -Delta) or the like for a bias. Losses are binomial, P = P_end (1 - exp(-rate t / P_end)): P_end is a half without
bias, where cells also come back, and 1 under a stress that holds them in the other state. f is a known factor of each
stress, 1 unless it is given. Cells that share a fit must be alike: a mixture loses its worst cells first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize
from scipy.stats import norm

from mtjlab.errors import InputError
from mtjlab.nouns import Floats

from .characterize_estimates import CONFIDENCE, Estimate, curvature


@dataclass(frozen=True)
class RetentionFit:
    """ln(rate / f) = intercept + slope x.

    Attributes:
        intercept, slope: most likely values.
        covariance: (2, 2) of the two, from the observed information.
        confidence: of the intervals that are made of them.
    """

    intercept: float
    slope: float
    covariance: tuple[tuple[float, float], tuple[float, float]]
    confidence: float

    def rate(self, x: float) -> Estimate:
        """Rate of losses at another stress with f = 1, 1/s; the interval widens with the distance."""
        place = np.array([1.0, x])
        wide = norm.ppf((1 + self.confidence) / 2) * np.sqrt(place @ np.array(self.covariance) @ place)
        middle = self.intercept + self.slope * x
        return Estimate(*np.exp(np.clip([middle, middle - wide, middle + wide], -700, 700)).tolist())

    def seconds(self, x: float) -> Estimate:
        """Mean time until a cell is lost, seconds."""
        rate = self.rate(x)
        return Estimate(1 / rate.value, 1 / rate.high, 1 / rate.low)


def inverse_kelvin(kelvin: ArrayLike) -> Floats:
    """x for temperatures."""
    return np.asarray(1 / np.asarray(kelvin, dtype=np.float64))


def barrier_share(drive: ArrayLike) -> Floats:
    """x for opposing fields or biases, as multiples of those that remove the barrier: (1 - i)^2."""
    return np.asarray((1 - np.asarray(drive, dtype=np.float64)) ** 2)


def barrier_factor(drive: ArrayLike) -> Floats:
    """f for opposing fields or biases: (1 - i^2) (1 - i), see `mtjlab.physics.switching.thermal_rate`."""
    i = np.asarray(drive, dtype=np.float64)
    return np.asarray((1 - i**2) * (1 - i))


def fit_retention(
    x: ArrayLike,
    seconds: ArrayLike,
    cells: ArrayLike,
    lost: ArrayLike,
    *,
    end: ArrayLike = 0.5,
    factor: ArrayLike = 1.0,
    confidence: float = CONFIDENCE,
) -> RetentionFit:
    """Most likely line through ln rate; the arguments are one entry per wait, or broadcast.

    Args:
        x: stress, see the module.
        seconds: length of the wait.
        cells, lost: how many cells waited, and how many of them were found in the other state.
        end: P_end.
        factor: f.

    Raises InputError unless there were losses at two stresses or more.
    """
    places, t, n, k, p_end, known = np.broadcast_arrays(
        *(np.atleast_1d(np.asarray(a, dtype=np.float64)) for a in (x, seconds, cells, lost, end, factor))
    )
    t = known * t
    if np.unique(places[k > 0]).size < 2:
        raise InputError("losses at fewer than two stresses cannot be extrapolated", remedy="Wait longer or hotter")
    middle, spread = float(places.mean()), float(places.std())
    z = (places - middle) / spread

    def unlikely(parameters: Floats) -> float:
        p = _lost_share(np.exp(np.clip(parameters[0] + parameters[1] * z, -500, 500)) * t, p_end)
        return -float(k @ np.log(p) + (n - k) @ np.log1p(-p))

    first = np.log(np.clip((k.sum() + 0.5) / (n * t).sum(), 1e-300, None))
    found = minimize(unlikely, [first, 0.0], method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-10}).x
    covariance = np.linalg.inv(curvature(unlikely, found))
    back = np.array([[1.0, -middle / spread], [0.0, 1 / spread]])
    (intercept, slope), ((v0, c), (_, v1)) = back @ found, (back @ covariance @ back.T).tolist()
    return RetentionFit(float(intercept), float(slope), ((v0, c), (c, v1)), confidence)


def _lost_share(expected: Floats, end: Floats) -> Floats:
    return np.clip(-end * np.expm1(-expected / end), 1e-300, 1 - 1e-12)
