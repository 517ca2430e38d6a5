"""What an array's own cells are like, from what was read of it: the levels against which its cells are judged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from mtjlab.nouns import Bools, Floats

from .classify_reads import ClassifyReads

if TYPE_CHECKING:
    from .classify_rules import ClassThresholds

_MAD_TO_SIGMA = 1.4826


@dataclass(frozen=True, eq=False)
class Levels:
    """What the array's own cells are like.

    Attributes:
        typical: median conductance of what conducts and is no short, siemens.
        p, ap: (rows, 1), levels of each row, siemens.
        tmr, tmr_sigma: median and robust standard deviation of the cells that switch.
        noise: standard deviation of a cell's mean reading in one look, siemens.
    """

    typical: float
    p: Floats
    ap: Floats
    tmr: float
    tmr_sigma: float
    noise: float


def typical_siemens(found: Floats, limits: ClassThresholds) -> float:
    """Median of what is neither open nor short, from a first guess that whole dead lines do not spoil."""
    values = np.sort(found[np.isfinite(found)])
    if not values.size:
        return float("nan")
    typical = float(values[int(0.75 * (values.size - 1))])
    for _ in range(3):
        kept = values[(values > limits.open * typical) & (values < limits.short * typical)]
        typical = float(np.median(kept)) if kept.size else typical
    return typical


def levels_of(reads: ClassifyReads, typical: float, counts: Bools, limits: ClassThresholds) -> Levels:
    """From the cells that switch.

    Args:
        counts: (rows, cols), cells that no line defect speaks for.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        tmr = reads.in_p / reads.in_ap - 1
        is_plain = (reads.in_ap > limits.open * typical) & (reads.in_p < 2 * limits.short * typical) & counts
        switches = is_plain & (tmr > limits.stuck_tmr)
    tmrs = tmr[switches]
    middle = float(np.median(tmrs)) if tmrs.size else float("nan")
    spread = float(_MAD_TO_SIGMA * np.median(np.abs(tmrs - middle))) if tmrs.size else float("nan")
    whole = [median_of(values[switches], typical) for values in (reads.in_p, reads.in_ap)]
    p, ap = (
        _of_rows(values, switches, limits.least_in_row, level)
        for values, level in zip((reads.in_p, reads.in_ap), whole, strict=True)
    )
    return Levels(typical, p, ap, middle, spread, _noise(reads))


def _of_rows(values: Floats, counts: Bools, least: int, otherwise: float) -> Floats:
    """(rows, 1): median of those of each row that count, if there are at least so many of them."""
    ordered = np.sort(np.where(counts, values, np.inf), axis=1)
    number = counts.sum(axis=1, keepdims=True)
    low, high = (np.take_along_axis(ordered, np.maximum(at, 0), axis=1) for at in ((number - 1) // 2, number // 2))
    is_enough = (number >= least) & (number > 0)
    return np.where(is_enough, (low + high) / 2, otherwise)


def median_of(values: Floats, otherwise: float) -> float:
    """The median, if there is one."""
    return float(np.median(values)) if values.size else otherwise


def _noise(reads: ClassifyReads) -> float:
    """Of the mean of a look, from the scatter of its repeats; the median is blind to the few that jump.

    Where there is one reading at each polarity, from what these two differ by beyond the rest of their column: too much
    rather than too little, as it holds whatever else depends on the sign.
    """
    readings = np.stack([reads.plus, reads.minus])
    readings = np.where(np.isfinite(readings), readings, np.nan)
    repeats = readings.shape[2]
    spreads = _between_polarities(readings[:, :, 0]) if repeats < 2 else readings.std(axis=2, ddof=1)
    spreads = spreads[np.isfinite(spreads)]
    if not spreads.size:
        return 0.0
    return float(np.sqrt(np.mean(np.minimum(spreads, 4 * np.median(spreads)) ** 2) / (2 * repeats)))


def _between_polarities(readings: Floats) -> Floats:
    """(looks, rows, cols): standard deviation of a reading, from one at each polarity.

    Args:
        readings: (2, looks, rows, cols), siemens; NaN where there is none.
    """
    apart = readings[0] - readings[1]
    counts = np.isfinite(apart)
    for look, known in zip(apart, counts, strict=True):
        for col in np.flatnonzero(known.any(axis=0)):
            look[:, col] -= np.median(look[known[:, col], col])
    return np.asarray(np.abs(apart) / np.sqrt(2))
