"""What the scatter of repeated readings says of their noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

_OUTLIER = 1e-4
"""A scatter so improbable in the noise of the others is a cell's own, for example telegraph noise."""


def pooled_variance(groups: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Variance of a single reading from the scatter within groups, and its degrees of freedom.

    Groups whose scatter is improbable beside that of the others are left out. NaN and 0 without any group of two.
    """
    usable = [np.asarray(g) for g in groups if len(g) > 1 and np.isfinite(g).all()]
    if not usable:
        return float("nan"), 0
    freedoms = np.array([g.size - 1 for g in usable])
    variances = np.array([float(g.var(ddof=1)) for g in usable])
    typical = float(np.median(variances / (stats.chi2.ppf(0.5, freedoms) / freedoms)))
    kept = variances <= typical * stats.chi2.ppf(1 - _OUTLIER, freedoms) / freedoms
    freedom = int(freedoms[kept].sum())
    return float((variances[kept] * freedoms[kept]).sum() / freedom), freedom


def own_variance(group: Sequence[float], pooled: float) -> float:
    """The pooled variance, or a group's own if its scatter is improbable in that."""
    if len(group) < 2 or not np.isfinite(group).all():
        return pooled
    own, freedom = float(np.var(group, ddof=1)), len(group) - 1
    return own if own > pooled * stats.chi2.ppf(1 - _OUTLIER, freedom) / freedom else pooled


def student_factor(freedom: int) -> float:
    """How much wider 95 % are for a deviation estimated with so many degrees of freedom; NaN without any."""
    if freedom < 1:
        return float("nan")
    return float(stats.t.ppf(0.975, freedom) / stats.norm.ppf(0.975))
