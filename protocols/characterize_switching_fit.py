"""Thermal stability and critical voltage from counted pulses: binomial maximum likelihood, profile intervals.

The probability of each pulse is the Fokker-Planck solution of all regimes (mtjlab.physics.switching). Parameters are
ln Delta and ln V_c0, so that intervals stay positive; the damping time t_d is stated, not fitted: it hardly
does more to pulses that are much longer than shift Delta by its logarithm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special
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
_LEAST_INFORMATION = 1.0
"""Below that in some direction of (ln Delta, ln V_c0), an e-fold is not told from another: nothing is bounded."""
_DRAWS = 999
_REACH = 4.0
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
        chance: of a deviance at least so large if the model is right; 0.001 where the cell surely does something
            else. With one pulse of each kind it means nothing.
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
    chance = _chance(counts, best, damping_seconds)
    information = fisher_information(counts, best, damping_seconds)
    if np.linalg.eigvalsh(information)[0] < _LEAST_INFORMATION:
        delta, volts = (Estimate(float(np.exp(log)), 0.0, float("inf")) for log in best)
        return SwitchingFit(delta, volts, float("nan"), damping_seconds, confidence, chance)
    covariance = np.asarray(np.linalg.inv(information), dtype=np.float64)
    delta, volts = (_profiled(counts, best, covariance, which, damping_seconds, confidence) for which in (0, 1))
    correlation = float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))
    return SwitchingFit(delta, volts, correlation, damping_seconds, confidence, chance)


def fisher_information(counts: PulseCounts, logs: Floats, damping_seconds: float) -> Floats:
    """(2, 2), expected information on (ln Delta, ln V_c0) at these values."""
    slopes, p = _slopes(counts, logs, damping_seconds)
    return np.asarray((slopes * (counts.given / (p * (1 - p)))) @ slopes.T)


def _slopes(counts: PulseCounts, logs: Floats, damping_seconds: float) -> tuple[Floats, Floats]:
    """Change of each probability per unit of ln Delta and ln V_c0, (2, kinds), and the probabilities."""
    nudges = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1]]) * _NUDGE
    delta, volts = np.exp(logs + nudges).T
    p = counts.probabilities(delta, volts, damping_seconds)
    return np.stack([p[1] - p[2], p[3] - p[4]]) / (2 * _NUDGE), p[0]


def _most_likely(counts: PulseCounts, damping_seconds: float) -> Floats:
    """(ln Delta, ln V_c0): a grid of Delta, then Fisher scoring from each of its peaks."""
    middle = float(np.median(counts.volts))
    deltas = np.geomspace(*_DELTA_RANGE, 20)
    tried = np.log(np.geomspace(_VOLTS_RANGE[0] * middle, _VOLTS_RANGE[1] * middle, 30))[None]
    for _ in range(_ZOOMS):  # the likelihood is a narrow slanting ridge: each Delta gets its own best voltage
        likely = counts.log_likelihood(deltas[:, None], np.exp(tried), damping_seconds)
        best = np.take_along_axis(np.broadcast_to(tried, likely.shape), likely.argmax(axis=1)[:, None], axis=1)
        apart = float(tried[0, 1] - tried[0, 0])
        tried = best + np.linspace(-apart, apart, 9)
    profile = np.pad(likely.max(axis=1), 1, constant_values=-np.inf)
    peaks = np.flatnonzero((profile[1:-1] >= profile[:-2]) & (profile[1:-1] >= profile[2:]))
    found = [_climbed(counts, np.array([np.log(deltas[k]), best[k, 0]]), damping_seconds) for k in peaks]
    return max(found, key=lambda pair: pair[1])[0]


def _climbed(counts: PulseCounts, logs: Floats, damping_seconds: float) -> tuple[Floats, float]:
    """The top that Fisher scoring comes to from here, and the log-likelihood there."""
    height = -np.inf
    for _ in range(_STEPS):
        step = _scoring_step(counts, logs, damping_seconds)
        tried = logs + 0.5 ** np.arange(8.0)[:, None] * step
        found = counts.log_likelihood(np.exp(tried[:, 0]), np.exp(tried[:, 1]), damping_seconds)
        logs, rise = tried[int(np.argmax(found))], float(found.max()) - height
        height = float(found.max())
        if np.abs(step).max() < 1e-6 or rise < 1e-9:
            break
    return np.asarray(logs), height


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
    steps = np.linspace(-_REACH, _REACH, 17) * spread
    offsets = np.linspace(-3, 3, 9) * min(other_spread, 0.5)
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
    """By drawing all counts anew: few pulses of a kind have no chi-square distribution. Two parameters take two off."""
    p = counts.probabilities(np.exp(logs[:1]), np.exp(logs[1:]), damping_seconds)[0]
    drawn = np.random.default_rng(0).binomial(counts.given, p, (_DRAWS, p.size))
    seen = float(_deviance(counts.switched[None], counts.given, p)[0])
    return float(((_deviance(drawn, counts.given, p) >= seen + 2).sum() + 1) / (_DRAWS + 1))


def _deviance(switched: Counts, given: Counts, p: Floats) -> Floats:
    parts = ((switched, given * p), (given - switched, given * (1 - p)))
    return np.asarray(2 * sum(special.xlogy(seen, seen / np.maximum(mean, 1e-300)).sum(axis=1) for seen, mean in parts))
