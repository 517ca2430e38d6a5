"""Robust limits: what lies so far from the middle half of a population that it is no part of it."""

from __future__ import annotations

import numpy as np

from .nouns import Bools, Floats

PART_SIGMAS = 6.0
"""Part average testing as it is usually done: median +- 6 robust standard deviations (AEC-Q001)."""
_IQR_OF_SIGMA = 1.35
"""Distance of the quartiles of a normal distribution, in standard deviations."""


def robust_limits(values: Floats, sigmas: float = PART_SIGMAS) -> tuple[float, float]:
    """median -+ sigmas * (Q3 - Q1) / 1.35; NaN are left out, and both limits are NaN if all values are."""
    known = values[np.isfinite(values)]
    if not known.size:
        return float("nan"), float("nan")
    low, middle, high = np.percentile(known, [25, 50, 75])
    reach = sigmas * (high - low) / _IQR_OF_SIGMA
    return float(middle - reach), float(middle + reach)


def robust_sigma(values: Floats) -> float:
    """(Q3 - Q1) / 1.35; NaN are left out, NaN if all are."""
    low, high = robust_limits(values, 0.5)
    return high - low


def is_outlier(values: Floats, sigmas: float = PART_SIGMAS) -> Bools:
    """Which values lie beyond `robust_limits`; NaN do not. If the quartiles are equal, whatever differs from them does.

    Rounding is allowed for: a population of equal numbers has no outliers.
    """
    low, high = robust_limits(values, sigmas)
    slack = 1e-9 * max(abs(low), abs(high)) if np.isfinite(low) else 0.0
    return np.asarray((values < low - slack) | (values > high + slack), dtype=np.bool_)
