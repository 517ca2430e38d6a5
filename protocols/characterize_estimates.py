"""Numbers with their confidence intervals, and those of counted events; pure functions on plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta, chi2

from mtjlab.errors import InputError
from mtjlab.nouns import Floats

CONFIDENCE = 0.95
"""Default confidence of every interval."""


@dataclass(frozen=True)
class Estimate:
    """A value with the limits of its confidence interval; a side that the data do not bound is 0 or infinite."""

    value: float
    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """Whether the data bound it on both sides."""
        return self.low > 0 and self.high < float("inf")

    @property
    def relative_width(self) -> float:
        """Width of the interval over the value; infinite if it is not bounded."""
        return (self.high - self.low) / self.value if self.is_bounded else float("inf")

    def covers(self, truth: float) -> bool:
        """Whether the interval contains this."""
        return self.low <= truth <= self.high


def share_of(events: int, trials: int, confidence: float = CONFIDENCE) -> Estimate:
    """A probability from `events` in `trials`, exact (Clopper and Pearson 1934).

    Without any event (or without any other) the interval is one-sided: the whole of 1 - `confidence` lies on the side
    that remains, so that no error in n trials gives the limit 1 - (1 - confidence)^(1/n), about 3 / n.

    Raises InputError unless 0 <= events <= trials.
    """
    if not 0 <= events <= trials:
        raise InputError(f"{events} events in {trials} trials cannot be")
    if trials == 0:
        return Estimate(float("nan"), 0.0, 1.0)
    one_sided = events in (0, trials)
    tail = (1 - confidence) / (1 if one_sided else 2)
    low = float(beta.ppf(tail, events, trials - events + 1)) if events else 0.0
    high = float(beta.isf(tail, events + 1, trials - events)) if events < trials else 1.0
    return Estimate(events / trials, low, high)


def rate_of(events: int, seconds: float, confidence: float = CONFIDENCE) -> Estimate:
    """A rate, 1/s, from `events` in `seconds` of exposure, exact (Garwood 1936); one-sided if there was no event."""
    if events < 0 or seconds <= 0:
        return Estimate(float("nan"), 0.0, float("inf"))
    tail = (1 - confidence) / (2 if events else 1)
    low = float(chi2.ppf(tail, 2 * events)) / 2 if events else 0.0
    return Estimate(events / seconds, low / seconds, float(chi2.isf(tail, 2 * events + 2)) / 2 / seconds)


def curvature(function: Callable[[Floats], float], at: Floats, step: float = 1e-3) -> Floats:
    """Second derivatives by central differences: of minus a log-likelihood, the observed information."""
    steps = step * np.eye(at.size)
    found = [
        [function(at + a + b) - function(at + a - b) - function(at - a + b) + function(at - a - b) for b in steps]
        for a in steps
    ]
    return np.array(found) / (4 * step**2)
