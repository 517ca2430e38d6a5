"""Thermal stability and critical voltage from counted pulses: binomial maximum likelihood, profile intervals.

The probability of each pulse is the Fokker-Planck solution of all regimes (mtjlab.physics.switching). Parameters are
ln Delta and ln V_c0, so that intervals stay positive; the damping time t_d is stated, not fitted: it hardly
does more to pulses that are much longer than shift Delta by its logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import chi2

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.switching import switching_probability

from .characterize_estimates import CONFIDENCE, Estimate

DAMPING_SECONDS = 1.9e-9
"""Default t_d = (1 + alpha^2) / (alpha gamma mu0 H_k): alpha 0.015 and 0.2 T (assumed)."""
_LEAST_PROBABILITY = 1e-12
_DELTA_RANGE = (3.0, 300.0)
_VOLTS_RANGE = (0.3, 12.0)
"""Critical voltages that are looked at first, as multiples of the median amplitude of the pulses."""
_ZOOMS = 4
_STEPS = 30
_NUDGE = 1e-4
_REACH = 6.0
"""How far a profile is followed, in standard deviations."""

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PulseCounts:
    """How often pulses of each kind switched a cell; arrays of one length, one entry per amplitude and width.

    Attributes:
        volts: amplitude as a magnitude, across the cell.
        seconds: width.
        given, switched: how many pulses, and how many of them switched.
    """

    volts: Floats
    seconds: Floats
    given: Counts
    switched: Counts

    @property
    def pulses(self) -> int:
        """Pulses in all."""
        return int(self.given.sum())

    def log_likelihood(self, delta: ArrayLike, volts_c0: ArrayLike, damping_seconds: float) -> Floats:
        """Binomial log-likelihood without its constant; the shape of the two parameters, broadcast."""
        d, v = np.broadcast_arrays(np.asarray(delta, dtype=np.float64), np.asarray(volts_c0, dtype=np.float64))
        p = self.probabilities(d.ravel(), v.ravel(), damping_seconds)
        return np.asarray(np.log(p) @ self.switched + np.log1p(-p) @ (self.given - self.switched)).reshape(d.shape)

    def probabilities(self, delta: Floats, volts_c0: Floats, damping_seconds: float) -> Floats:
        """(parameters, kinds of pulses), never quite 0 or 1."""
        drive = self.volts / volts_c0[:, None]
        p = switching_probability(drive, self.seconds, np.broadcast_to(delta[:, None], drive.shape), damping_seconds)
        return np.clip(p, _LEAST_PROBABILITY, 1 - _LEAST_PROBABILITY)


@dataclass(frozen=True)
class SwitchingFit:
    """What counted pulses say of a cell, in one direction of switching.

    Attributes:
        delta: thermal stability, with its profile-likelihood interval.
        volts_c0: critical voltage, volts, likewise.
        correlation: of ln Delta and ln V_c0, from the Fisher information.
        damping_seconds: t_d that was assumed.
        confidence: of the intervals.
        chance: of a deviance at least so large if the model is right; tiny where the cell does something else.
            It means little where fewer than about five pulses of a kind were given.
    """

    delta: Estimate
    volts_c0: Estimate
    correlation: float
    damping_seconds: float
    confidence: float
    chance: float


def fit_switching(
    counts: PulseCounts, damping_seconds: float = DAMPING_SECONDS, confidence: float = CONFIDENCE
) -> SwitchingFit:
    """Most likely Delta and V_c0, and the intervals in which the profile likelihood falls by less than chi^2 / 2.

    Raises InputError unless some pulses switched and some did not.
    """
    switched = int(counts.switched.sum())
    if not 0 < switched < counts.pulses:
        raise InputError(
            f"{switched} of {counts.pulses} pulses switched: nothing can be fitted",
            remedy="Choose amplitudes between never and always",
        )
    best = _most_likely(counts, damping_seconds)
    covariance = np.linalg.pinv(fisher_information(counts, best, damping_seconds), hermitian=True)
    delta, volts = (_profiled(counts, best, covariance, which, damping_seconds, confidence) for which in (0, 1))
    scale = float(np.sqrt(covariance[0, 0] * covariance[1, 1]))
    return SwitchingFit(
        delta,
        volts,
        float(covariance[0, 1]) / scale if scale else float("nan"),
        damping_seconds,
        confidence,
        _chance(counts, best, damping_seconds),
    )


def fisher_information(counts: PulseCounts, logs: Floats, damping_seconds: float) -> Floats:
    """(2, 2), expected information on (ln Delta, ln V_c0) at these values."""
    slopes, p = _slopes(counts, logs, damping_seconds)
    return np.asarray((slopes * (counts.given / (p * (1 - p)))) @ slopes.T)


def _slopes(counts: PulseCounts, logs: Floats, damping_seconds: float) -> tuple[Floats, Floats]:
    """Change of each probability per unit of ln Delta and ln V_c0, (2, kinds), and the probabilities."""
    nudges = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) * _NUDGE
    p = counts.probabilities(*np.exp(logs + nudges).T, damping_seconds)
    return np.stack([p[1] - p[2], p[3] - p[4]]) / (2 * _NUDGE), p[0]


def _most_likely(counts: PulseCounts, damping_seconds: float) -> Floats:
    """(ln Delta, ln V_c0): the best of a grid of Delta, then Fisher scoring with halved steps where it overshoots."""
    middle = float(np.median(counts.volts))
    deltas = np.geomspace(*_DELTA_RANGE, 32)
    tried = np.log(np.geomspace(_VOLTS_RANGE[0] * middle, _VOLTS_RANGE[1] * middle, 40))[None]
    for _ in range(_ZOOMS):  # the likelihood is a narrow slanting ridge: each Delta gets its own best voltage
        likely = counts.log_likelihood(deltas[:, None], np.exp(tried), damping_seconds)
        best = np.take_along_axis(np.broadcast_to(tried, likely.shape), likely.argmax(axis=1)[:, None], axis=1)
        step = float(tried[0, 1] - tried[0, 0])
        tried = best + np.linspace(-step, step, 9)
    row = int(likely.max(axis=1).argmax())
    logs = np.array([np.log(deltas[row]), best[row, 0]])
    for _ in range(_STEPS):
        step = _scoring_step(counts, logs, damping_seconds)
        shares = 0.5 ** np.arange(8.0)
        tried = logs + shares[:, None] * step
        found = counts.log_likelihood(*np.exp(tried).T, damping_seconds)
        logs = tried[int(np.argmax(found))]
        if np.abs(step).max() < 1e-6:
            break
    return np.asarray(logs)


def _scoring_step(counts: PulseCounts, logs: Floats, damping_seconds: float) -> Floats:
    slopes, p = _slopes(counts, logs, damping_seconds)
    score = slopes @ ((counts.switched - counts.given * p) / (p * (1 - p)))
    information = (slopes * (counts.given / (p * (1 - p)))) @ slopes.T
    step = np.linalg.solve(information + 1e-9 * np.trace(information) * np.eye(2) + 1e-12 * np.eye(2), score)
    return np.asarray(step * min(1.0, 0.5 / max(float(np.abs(step).max()), 1e-300)))


def _profiled(
    counts: PulseCounts, best: Floats, covariance: Floats, which: int, damping_seconds: float, confidence: float
) -> Estimate:
    """Interval of one parameter: where the signed root of twice the fall of its profile reaches the limits.

    The other parameter's best value goes nearly along the regression line; parabolas through points about it find it.
    """
    spread = min(float(np.sqrt(covariance[which, which])), 1.0)
    slope = covariance[1 - which, which] / covariance[which, which]
    other_spread = float(np.sqrt(max(covariance[1 - which, 1 - which] - slope**2 * covariance[which, which], 1e-12)))
    steps = np.linspace(-_REACH, _REACH, 25) * spread
    offsets = np.linspace(-3, 3, 13) * min(other_spread, 0.5)
    logs = np.empty((2, steps.size, offsets.size))
    logs[which] = (best[which] + steps)[:, None]
    logs[1 - which] = best[1 - which] + slope * steps[:, None] + offsets
    likely = counts.log_likelihood(np.exp(logs[0]), np.exp(logs[1]), damping_seconds)
    profile = np.array([_peak(row) for row in likely])
    roots = np.sign(steps) * np.sqrt(2 * np.maximum(profile.max() - profile, 0.0))
    limit = float(np.sqrt(chi2.ppf(confidence, 1)))
    low, high = -_crossing(-steps[::-1], -roots[::-1], limit), _crossing(steps, roots, limit)
    return Estimate(float(np.exp(best[which])), float(np.exp(best[which] + low)), float(np.exp(best[which] + high)))


def _peak(values: Floats) -> float:
    """Largest value of a smooth curve that is sampled at equal steps."""
    top = int(np.argmax(values))
    if not 0 < top < values.size - 1:
        return float(values[top])
    before, at, after = values[top - 1 : top + 2]
    bend = before - 2 * at + after
    return float(at - (before - after) ** 2 / (8 * bend)) if bend < 0 else float(at)


def _crossing(steps: Floats, roots: Floats, limit: float) -> float:
    """First step above zero at which the root reaches the limit; infinite if it never does."""
    beyond = np.flatnonzero((steps > 0) & (roots >= limit))
    if not beyond.size:
        return float("inf")
    k = int(beyond[0])
    share = (limit - roots[k - 1]) / (roots[k] - roots[k - 1])
    return float(steps[k - 1] + share * (steps[k] - steps[k - 1]))


def _chance(counts: PulseCounts, logs: Floats, damping_seconds: float) -> float:
    p = counts.probabilities(np.exp(logs[:1]), np.exp(logs[1:]), damping_seconds)[0]
    expected = np.stack([counts.given * p, counts.given * (1 - p)])
    seen = np.stack([counts.switched, counts.given - counts.switched]).astype(np.float64)
    terms = np.where(seen > 0, seen * np.log(np.maximum(seen, 1e-300) / expected), 0.0)
    freedom = int((counts.given > 0).sum()) - 2
    return float(chi2.sf(2 * terms.sum(), freedom)) if freedom > 0 else float("nan")
