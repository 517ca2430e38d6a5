"""Switching model: S-curves from 1 ns to 1 ms, write error slope, a million drawn outcomes, write fidelity at V/2."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import chi2

from mtjlab.nouns import Bools, Floats
from mtjlab.physics.mtj import drive, volts_for_probability
from mtjlab.physics.switching import switching_probability, write_error_rate

_DELTA, _DAMPING = 60.0, 1.9e-9
_SIDE = 15
_PUBLISHED_MAXIMA = {0.05: 0.999, 0.10: 0.994, 0.15: 0.969, 0.20: 0.924}
_RESET_OVER_SET = 1.3


def _s_curves() -> list[list[str]]:
    rows = []
    for seconds in (1e-9, 3e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3):
        low, half, high = (volts_for_probability(p, seconds, _DELTA, 1.0, _DAMPING) for p in (0.1, 0.5, 0.9))
        rows.append([f"{seconds:.0e} s pulse", "V50/Vc0, 10-90 % width", f"{half:.3f}, {high - low:.3f}"])
    return rows


def _slopes() -> tuple[list[list[str]], float]:
    rows, worst = [], 0.0
    for overdrive in (1.5, 2.0, 3.0, 5.0):
        taus = np.array([10.0, 20.0]) / (overdrive - 1)
        errors = write_error_rate(overdrive, taus * _DAMPING, _DELTA, _DAMPING)
        slope = float(-np.diff(np.log(errors))[0] / np.diff(taus)[0])
        ratio = slope / (2 * (overdrive - 1))
        worst = max(worst, abs(ratio - 1))
        rows.append([f"write errors at i = {overdrive}", "slope over 2 (i - 1)", f"{ratio:.4f}"])
    return rows, worst


def _drawn(count: int) -> tuple[list[list[str]], float]:
    """Outcomes of as many different pulses, in bins of the predicted probability: a chi-square of 20 bins."""
    rng = np.random.default_rng(1)
    seconds = 10.0 ** rng.uniform(-9, -3, count)
    predicted = switching_probability(rng.uniform(0.3, 2.5, count), seconds, rng.uniform(30, 80, count), _DAMPING)
    switched = rng.random(count) < predicted
    edges = np.linspace(0, 1, 21)
    place = np.clip(np.digitize(predicted, edges) - 1, 0, 19)
    seen = np.bincount(place, switched, 20)
    wanted = np.bincount(place, predicted, 20)
    variance = np.bincount(place, predicted * (1 - predicted), 20)
    statistic = float(((seen - wanted) ** 2 / variance).sum())
    chance = float(chi2.sf(statistic, 20))
    return [[f"{count:,} drawn outcomes", "chi-square of 20 bins, chance", f"{statistic:.1f}, {chance:.2f}"]], chance


def _write_fidelity(volts: float, spread: float, arrays: int, rng: np.random.Generator) -> float:
    """Cells in the wanted state after a cell-by-cell V/2 write with 1 us pulses of random targets, as a fraction."""
    shape = (arrays, _SIDE, _SIDE)
    threshold = np.maximum(1 + spread * rng.standard_normal(shape), 0.2)
    state, target = rng.random(shape) < 0.5, rng.random(shape) < 0.5

    def chance(parallel: bool, applied: float) -> Floats:
        pushed = drive(parallel, applied, threshold, _RESET_OVER_SET * threshold)
        return switching_probability(pushed, 1e-6, _DELTA, _DAMPING)

    full = {True: chance(False, volts), False: chance(True, -_RESET_OVER_SET * volts)}
    half = {True: chance(False, volts / 2), False: chance(True, -_RESET_OVER_SET * volts / 2)}
    for row in range(_SIDE):
        for col in range(_SIDE):
            wanted = target[:, row, col]
            for lines in ((slice(None), row), (slice(None), slice(None), col)):
                _expose(state, lines, wanted[:, None], half, rng)
            before = state[:, row, col]
            odds = np.where(wanted, full[True][:, row, col], full[False][:, row, col])
            flips = (before != wanted) & (rng.random(arrays) < odds)
            state[:, row, col] = before ^ flips
    return float((state == target).mean())


def _expose(
    state: Bools, lines: tuple[Any, ...], wanted: Bools, chances: dict[bool, Floats], rng: np.random.Generator
) -> None:
    part = state[lines]
    odds = np.where(wanted, chances[True][lines], chances[False][lines])
    state[lines] = part ^ ((part != wanted) & (rng.random(part.shape) < odds))


def _fidelity_maxima(arrays: int, volts: Floats) -> tuple[list[list[str]], dict[str, float]]:
    rows, best = [], {}
    for spread, published in _PUBLISHED_MAXIMA.items():
        rng = np.random.default_rng(7)
        found = [_write_fidelity(float(v), spread, arrays, rng) for v in volts]
        peak = int(np.argmax(found))
        best[f"{spread:.0%}"] = round(found[peak], 4)
        curve = " ".join(f"{f:.3f}" for f in found)
        rows.append([f"V/2 write, spread {spread:.0%}", f"fidelity at V/Vc0 {volts[0]:.1f}..{volts[-1]:.1f}", curve])
        rows.append(["", f"maximum (reference {published})", f"{found[peak]:.4f} at {volts[peak]:.2f}"])
    return rows, best


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    slopes, worst = _slopes()
    drawn, chance = _drawn(100_000 if quick else 1_000_000)
    volts = np.array([0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4])
    fidelity, best = _fidelity_maxima(10 if quick else 200, volts)
    rows = [["what", "figure", "value"], *_s_curves(), *slopes, *drawn, *fidelity]
    figures = {"worst_slope_error": round(worst, 5), "chi_square_chance": round(chance, 3), "best_fidelity": best}
    return f"Switching, Delta {_DELTA:.0f}, t_d {_DAMPING:.1e} s", rows, figures
