"""Weibull statistics of breakdown voltages, cells that held out included; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.stats import norm

from mtjlab.errors import InputError
from mtjlab.nouns import Bools, Floats

from .characterize_estimates import CONFIDENCE, Estimate, curvature


@dataclass(frozen=True)
class WeibullFit:
    """P(V) = 1 - exp(-(V / scale)^shape): `scale` breaks 63 % of the cells, volts; `shape` is the Weibull slope."""

    scale: Estimate
    shape: Estimate


def fit_weibull(volts: Floats, is_broken: Bools, confidence: float = CONFIDENCE) -> WeibullFit:
    """Most likely scale and slope.

    Args:
        volts: magnitude at which each cell broke, or up to which it held.
        is_broken: whether it broke.

    Raises InputError unless two cells broke at different voltages.
    """
    v, broken = np.abs(np.asarray(volts, float)), np.asarray(is_broken, bool)
    if np.unique(v[broken]).size < 2:
        raise InputError("breakdown at fewer than two voltages has no spread", remedy="Ramp more cells, in finer steps")

    def unlikely(logs: Floats) -> float:
        scale, shape = np.exp(np.clip(logs, -30, 30))
        x = np.log(v / scale)
        density = (np.log(shape) - np.log(v) + shape * x)[broken].sum()
        return float(np.exp(np.clip(shape * x, None, 500)).sum() - density)

    spread = max(float(np.log(v[broken]).std(ddof=1)), 1e-6)
    first = [np.log(np.mean(v[broken])), np.log(1.28 / spread)]
    found = minimize(unlikely, first, method="Nelder-Mead", options={"xatol": 1e-8, "fatol": 1e-10}).x
    wide = norm.ppf((1 + confidence) / 2) * np.sqrt(np.diag(np.linalg.inv(curvature(unlikely, found))))
    scale, shape = (Estimate(*np.exp([x, x - w, x + w]).tolist()) for x, w in zip(found, wide, strict=True))
    return WeibullFit(scale, shape)
