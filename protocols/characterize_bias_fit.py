"""TMR at zero bias and the bias at which half of it is left, from conductances of both states; pure functions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import curve_fit
from scipy.stats import t as student

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.mtj import tmr_at

from .characterize_estimates import CONFIDENCE, Estimate


@dataclass(frozen=True)
class TmrFit:
    """TMR(V) = TMR_0 / (1 + (V / V_h)^2).

    Attributes:
        tmr0: at zero bias, as a ratio.
        volts_half: V_h.
        deviation: root mean square of what the fit leaves, as a ratio; far above the readings' noise, the cell does not
            follow this form.
    """

    tmr0: Estimate
    volts_half: Estimate
    deviation: float


def tmr_of(siemens_p: Floats, siemens_ap: Floats) -> Floats:
    """(G_P - G_AP) / G_AP at each bias."""
    return np.asarray(np.asarray(siemens_p) / np.asarray(siemens_ap) - 1, dtype=np.float64)


def fit_tmr(
    volts: Floats, siemens_p: Floats, siemens_ap: Floats, *, path_ohms: float = 0.0, confidence: float = CONFIDENCE
) -> TmrFit:
    """Least squares of the TMR at each bias; intervals by Student's t from what the fit leaves.

    Args:
        volts: bias of each point, signed or not.
        siemens_p, siemens_ap: conductance in both states there; NaN where not measured.
        path_ohms: resistance in series with the cell that they contain; intervals know nothing of its uncertainty.

    Raises InputError with fewer than three points, or if they do not determine V_h.
    """
    p, ap = (np.asarray(g, float) / (1 - path_ohms * np.asarray(g, float)) for g in (siemens_p, siemens_ap))
    tmr = tmr_of(p, ap)
    seen = np.isfinite(tmr)
    on_cell = np.asarray(volts, float) * (1 - path_ohms * np.asarray(siemens_ap, float))  # AP is what bends
    v, wanted = np.abs(on_cell[seen]), tmr[seen]
    if np.unique(v).size < 3:
        raise InputError(f"{np.unique(v).size} biases do not make a curve", remedy="Measure at three or more")
    largest = float(v.max())
    try:
        found, covariance = curve_fit(_model, v, wanted, p0=(np.log(max(wanted.max(), 1e-3)), np.log(2 * largest)))
    except RuntimeError as error:
        raise InputError("these biases do not determine V_h", remedy="Go to higher biases") from error
    if not np.isfinite(covariance).all():
        raise InputError("these biases do not determine V_h", remedy="Go to higher biases")
    wide = student.ppf((1 + confidence) / 2, max(v.size - 2, 1)) * np.sqrt(np.diag(covariance))
    tmr0, half = (Estimate(*np.exp([x, x - w, x + w]).tolist()) for x, w in zip(found, wide, strict=True))
    return TmrFit(tmr0, half, float(np.sqrt(np.mean((_model(v, *found) - wanted) ** 2))))


def _model(volts: Floats, log_tmr0: float, log_half: float) -> Floats:
    return tmr_at(volts, np.exp(log_tmr0), np.exp(log_half))
