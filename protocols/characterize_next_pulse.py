"""Which pulse tells most about a cell's thermal stability and critical voltage: Bayesian choice on a grid.

The belief about (ln Delta, ln V_c0) is a grid that follows the posterior as it narrows: its axes are those of the
present covariance, and all outcomes so far are counted anew on it. The next pulse is the one whose outcome is expected
to reduce the entropy of the belief most (mutual information, Lindley 1956); for narrow beliefs that is D-optimal.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import InputError
from mtjlab.nouns import Bools, Floats

from .characterize_switching_fit import PulseCounts

_SIDE = 21
_REACH = 4.5
_FIRST_SIDE = 21
_MOST_CANDIDATES = 120
"""If the outcomes of more are open, every so many amplitudes are enough until the belief is narrower."""
_GROWTH = 1.25
"""The grid is made anew whenever there are so many times as many pulses."""
_HOPELESS = 1e-3
"""Candidates that switch with less than this probability, or stay, tell next to nothing."""
_MOST_EDGE = 1e-3


@dataclass(frozen=True)
class Expected:
    """What is known of a cell beforehand, as ranges within which nothing is preferred.

    Attributes:
        delta: lowest and highest thermal stability.
        volts_c0: lowest and highest critical voltage, volts.
    """

    delta: tuple[float, float] = (15.0, 150.0)
    volts_c0: tuple[float, float] = (0.3, 2.0)


class Belief:
    """What is believed of a cell after the pulses so far, and what to ask it next.

    Args:
        volts: amplitudes that can be chosen, magnitudes.
        seconds: widths that can be chosen.
        expected: where the parameters can lie at all.
        damping_seconds: t_d.
    """

    def __init__(self, volts: Floats, seconds: Floats, expected: Expected, damping_seconds: float) -> None:
        amplitudes, widths = np.meshgrid(np.asarray(volts, float), np.asarray(seconds, float), indexing="ij")
        self._volts, self._seconds = amplitudes.ravel(), widths.ravel()
        self._widths = widths.shape[1]
        self._given = np.zeros(self._volts.size, dtype=np.int64)
        self._switched = self._given.copy()
        self._is_allowed = np.ones(self._volts.size, dtype=np.bool_)
        self._expected, self._damping = expected, damping_seconds
        self._regrid_at = 8.0
        self._set_grid(self._first_grid())

    @property
    def counts(self) -> PulseCounts:
        """Outcomes so far, of the kinds of pulses that were given."""
        tried = self._given > 0
        return PulseCounts(self._volts[tried], self._seconds[tried], self._given[tried], self._switched[tried])

    @property
    def relative_deviations(self) -> tuple[float, float]:
        """Standard deviations of ln Delta and ln V_c0."""
        _, covariance = self._moments()
        return float(np.sqrt(covariance[0, 0])), float(np.sqrt(covariance[1, 1]))

    @property
    def values(self) -> tuple[float, float]:
        """Delta and V_c0, volts, as the means of their logarithms say."""
        mean, _ = self._moments()
        return float(np.exp(mean[0])), float(np.exp(mean[1]))

    def choose(self) -> int:
        """Number of the candidate that tells most. Raises InputError if all have been struck off."""
        allowed = self._is_allowed[self._candidates]
        if not allowed.any():
            if not self._is_allowed.any():
                raise InputError("no pulse is left to choose from", remedy="Offer amplitudes within the limits")
            return int(np.flatnonzero(self._is_allowed)[np.argmax(self._volts[self._is_allowed])])
        chance = self._chances @ self._weights
        gain = _entropy(chance) - self._entropies @ self._weights
        return int(self._candidates[np.argmax(np.where(allowed, gain, -np.inf))])

    def pulse(self, number: int) -> tuple[float, float]:
        """Amplitude and width of a candidate."""
        return float(self._volts[number]), float(self._seconds[number])

    def strike(self, number: int) -> None:
        """This candidate is never chosen again, nor any that is at least as high and as long."""
        volts, seconds = self.pulse(number)
        self._is_allowed &= ~((self._volts >= volts) & (self._seconds >= seconds))

    def learn(self, number: int, *, has_switched: bool) -> None:
        """A candidate was tried."""
        self._given[number] += 1
        self._switched[number] += has_switched
        if self._given.sum() >= self._regrid_at:
            self._regrid_at *= _GROWTH
            self._follow()
            return
        place = np.flatnonzero(self._candidates == number)
        p = self._chances[place[0]] if place.size else self._chances_of(np.array([number]), self._logs)[0]
        self._weights *= p if has_switched else 1 - p
        self._weights /= self._weights.sum()

    def _first_grid(self) -> Floats:
        delta, volts = self._expected.delta, self._expected.volts_c0
        deltas, critical = np.geomspace(*delta, _FIRST_SIDE), np.geomspace(*volts, 2 * _FIRST_SIDE)
        return np.stack([axis.ravel() for axis in np.meshgrid(np.log(deltas), np.log(critical))])

    def _moments(self) -> tuple[Floats, Floats]:
        mean = self._logs @ self._weights
        apart = self._logs - mean[:, None]
        return mean, np.asarray((apart * self._weights) @ apart.T)

    def _follow(self) -> None:
        """A grid about the present belief; a wider one where that would cut some of it off."""
        mean, covariance = self._moments()
        axes = np.linalg.cholesky(covariance + 1e-10 * np.eye(2))
        reach = np.linspace(-_REACH, _REACH, _SIDE)
        places = np.stack([axis.ravel() for axis in np.meshgrid(reach, reach)])
        is_edge = np.abs(places).max(axis=0) >= _REACH * (1 - 1e-9)
        for width in (1.0, 2.0, 4.0):
            self._set_grid(mean[:, None] + width * (axes @ places))
            if self._weights[is_edge].sum() < _MOST_EDGE:
                return
        self._set_grid(self._first_grid())

    def _set_grid(self, logs: Floats) -> None:
        self._logs = logs
        tried = np.flatnonzero(self._given)
        p = self._chances_of(tried, logs)
        given, switched = self._given[tried], self._switched[tried]
        likely = switched @ np.log(p) + (given - switched) @ np.log1p(-p)
        likely[~self._is_expected(logs)] = -np.inf
        self._weights = np.exp(likely - likely.max())
        self._weights /= self._weights.sum()
        self._choose_candidates()

    def _is_expected(self, logs: Floats) -> Bools:
        ranges = np.log([self._expected.delta, self._expected.volts_c0])
        slack = 1e-9
        return np.asarray(((logs >= ranges[:, :1] - slack) & (logs <= ranges[:, 1:] + slack)).all(axis=0))

    def _choose_candidates(self) -> None:
        """Those whose outcome is open at some of the likeliest places of the grid."""
        likeliest = np.argsort(self._weights)[-max(self._weights.size // 8, 1) :: 12]
        p = self._chances_of(np.arange(self._volts.size), self._logs[:, likeliest])
        self._candidates = np.flatnonzero(((p > _HOPELESS) & (p < 1 - _HOPELESS)).any(axis=1))
        if not self._candidates.size:
            self._candidates = np.arange(self._volts.size)
        thin = int(np.ceil(self._candidates.size / _MOST_CANDIDATES))
        self._candidates = self._candidates[(self._candidates // self._widths) % thin == 0]
        self._chances = self._chances_of(self._candidates, self._logs)
        self._entropies = _entropy(self._chances)

    def _chances_of(self, numbers: NDArray[np.int64], logs: Floats) -> Floats:
        """(candidates, grid): probability of each of these pulses."""
        kinds = PulseCounts(self._volts[numbers], self._seconds[numbers], self._given[:0], self._given[:0])
        return np.asarray(kinds.probabilities(np.exp(logs[0]), np.exp(logs[1]), self._damping).T)


def _entropy(chance: Floats) -> Floats:
    p = np.clip(chance, 1e-12, 1 - 1e-12)
    return np.asarray(-p * np.log(p) - (1 - p) * np.log1p(-p))
