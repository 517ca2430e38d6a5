"""Telegraph noise: two levels in a trace of readings, dwell times, rates with their intervals; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from mtjlab.errors import InputError
from mtjlab.nouns import Bools, Floats
from mtjlab.short_words import in_short

from .characterize_estimates import CONFIDENCE, Estimate, curvature, rate_of

_SEPARATE = 6.0
"""Levels further apart than so many standard deviations of the readings are two: noise alone makes less than three."""
_ROUNDS = 50

_LEAST_INFORMATION = 1e-3
"""On the logarithm of a rate; below it the data do not bound it."""


@dataclass(frozen=True, eq=False)
class TelegraphFit:
    """Two levels and how a cell goes between them.

    Attributes:
        siemens_p, siemens_ap: mean of the readings in each state; the same if there is one level only.
        sigma: standard deviation of the readings within a state, siemens.
        has_two_levels: whether the trace shows two.
        is_parallel: state at each reading.
        to_p, to_ap: rates of leaving AP and P, 1/s.
        p_seconds, ap_seconds: dwell times that were seen from beginning to end.
    """

    __repr__ = in_short

    siemens_p: float
    siemens_ap: float
    sigma: float
    has_two_levels: bool
    is_parallel: Bools
    to_p: Estimate
    to_ap: Estimate
    p_seconds: Floats
    ap_seconds: Floats


def fit_telegraph(seconds: Floats, siemens: Floats, confidence: float = CONFIDENCE) -> TelegraphFit:
    """Most likely rates of the two-state process behind a trace of samples.

    The likelihood is that of a Markov process that is seen at the times of the readings only: what goes to and fro
    between two readings is allowed for. Readings are taken to be shorter than the dwell times, and told without error.

    Args:
        seconds: when each reading was taken, ascending.
        siemens: the readings.
    """
    t, g = np.asarray(seconds, float), np.asarray(siemens, float)
    if t.size != g.size or t.size < 3 or not np.isfinite(g).all():
        raise InputError("a trace needs three finite readings or more, and the time of each")
    low, high, sigma, is_high = split_levels(g)
    if high - low < _SEPARATE * sigma:
        nothing = Estimate(float("nan"), 0.0, float("inf"))
        mean, none = float(g.mean()), np.zeros(0)
        states = np.zeros(g.size, dtype=np.bool_)
        return TelegraphFit(mean, mean, float(g.std(ddof=1)), False, states, nothing, nothing, none, none)
    to_p, to_ap = rates_of(t, is_high, confidence)
    return TelegraphFit(high, low, sigma, True, is_high, to_p, to_ap, *dwell_times(t, is_high))


def split_levels(siemens: Floats) -> tuple[float, float, float, Bools]:
    """Means of the lower and the higher group of readings, deviation within them, and which are in the higher one."""
    middle = float(siemens.min() + siemens.max()) / 2
    is_high = siemens > middle
    for _ in range(_ROUNDS):
        if is_high.all() or not is_high.any():
            return float(siemens.mean()), float(siemens.mean()), float(siemens.std()), is_high
        low, high = float(siemens[~is_high].mean()), float(siemens[is_high].mean())
        if (again := siemens > (low + high) / 2).tolist() == is_high.tolist():
            break
        is_high = again
    sigma = float(np.sqrt(np.mean((siemens - np.where(is_high, high, low)) ** 2)))
    return low, high, sigma, is_high


def dwell_times(seconds: Floats, is_parallel: Bools) -> tuple[Floats, Floats]:
    """Dwell times in P and in AP that began and ended within the trace, each change half-way between two readings."""
    at = np.flatnonzero(np.diff(is_parallel.astype(np.int8)))
    times = (seconds[at] + seconds[at + 1]) / 2
    lengths, states = np.diff(times), is_parallel[at[:-1] + 1] if at.size else np.zeros(0, dtype=np.bool_)
    return lengths[states], lengths[~states]


def rates_of(seconds: Floats, is_parallel: Bools, confidence: float = CONFIDENCE) -> tuple[Estimate, Estimate]:
    """Rates of leaving AP and of leaving P, 1/s; an upper limit for a state that was never left."""
    steps, before, after = np.diff(seconds), is_parallel[:-1], is_parallel[1:]
    exposure = [float(steps[before == state].sum()) for state in (False, True)]
    exits = [int(((before == state) & (after != state)).sum()) for state in (False, True)]
    if 0 in exits:
        first, second = (rate_of(n, s, confidence) for n, s in zip(exits, exposure, strict=True))
        return first, second

    def unlikely(logs: Floats) -> float:
        to_p, to_ap = np.exp(np.clip(logs, -60, 60))
        total = to_p + to_ap
        changed = np.where(before, to_ap, to_p) / total * -np.expm1(-total * steps)
        return -float(np.log(np.clip(np.where(before == after, 1 - changed, changed), 1e-300, 1.0)).sum())

    first_guess = np.log(np.array(exits) / np.array(exposure))
    found = minimize(unlikely, first_guess, method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-8}).x
    wide = norm.ppf((1 + confidence) / 2) * _deviations(curvature(unlikely, found))
    with np.errstate(over="ignore"):
        to_p, to_ap = (Estimate(*np.exp([x, x - w, x + w]).tolist()) for x, w in zip(found, wide, strict=True))
    return to_p, to_ap


def _deviations(information: Floats) -> Floats:
    """Of both logarithms; infinite where the cell flips so much faster than it is read that only a ratio is known."""
    if not np.linalg.eigvalsh(information)[0] > _LEAST_INFORMATION:
        return np.full(2, np.inf)
    return np.asarray(np.sqrt(np.diag(np.linalg.inv(information))))
