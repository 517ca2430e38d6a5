"""Write fidelity and pulses for each changed cell against the spread of thresholds, beside simpler ways to write."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from ._write_rig import BASE, Outcome, Subject, Way, one_shot, verifying, written

_SPREADS = (0.05, 0.10, 0.15, 0.20)
_FACTORS = (1.25, 1.32, 1.4)
_WAYS: dict[str, Way] = {
    **{f"one shot, {factor:g} x": one_shot(factor) for factor in _FACTORS},
    "verified, no re-check": verifying(replace(BASE, passes=0)),
    "write and verify, by cell": verifying(BASE),
    "write and verify, by row": verifying(replace(BASE, by_row=True)),
}


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    dies, started = (2 if quick else 100), time.perf_counter()
    heads = ["spread", "way", "fidelity", "median", "worst die", "wrong", "unnoticed", "pulses / changed", "worst die"]
    rows: list[list[Any]] = [[*heads, "mended", "unwritten", "incidents"]]
    figures: dict[str, Any] = {}
    for spread in _SPREADS:
        figures[f"{spread:.0%}"] = found = at_spread(spread, dies)
        rows += [[f"{spread:.0%}", name, *_row(figure)] for name, figure in found.items()]
    result = {"dies": dies, "spreads": figures, "seconds": round(time.perf_counter() - started, 1)}
    return f"{dies} dies of 15 x 15 cells, five sizes, from one random pattern to another; all V/2", rows, result


def at_spread(spread: float, dies: int) -> dict[str, dict[str, Any]]:
    """Figures of every way to write, at one spread of the thresholds (standard deviation of their logarithm)."""
    found: dict[str, list[Outcome]] = {name: [] for name in _WAYS}
    for seed in range(dies):
        subject = Subject(spread, seed)
        for name, way in _WAYS.items():
            found[name].append(written(subject, way))
    return _only_best_shot({name: _figures(outcomes) for name, outcomes in found.items()})


def _only_best_shot(figures: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Of the amplitudes of one shot the best, chosen with hindsight."""
    shots = [name for name in figures if name.startswith("one shot")]
    best = max(shots, key=lambda name: figures[name]["fidelity"])
    return {name: figure for name, figure in figures.items() if name == best or name not in shots}


def _figures(outcomes: list[Outcome]) -> dict[str, Any]:
    good, changed = (sum(getattr(o, name) for o in outcomes) for name in ("good", "changed"))
    fidelity, each = [o.fidelity for o in outcomes], [o.pulses / o.changed for o in outcomes]
    return {
        "fidelity": round(1 - sum(o.wrong for o in outcomes) / good, 5),
        "fidelity_median": round(float(np.median(fidelity)), 5),
        "fidelity_worst": round(min(fidelity), 5),
        "wrong": sum(o.wrong for o in outcomes),
        "good": good,
        "unnoticed": sum(o.unnoticed for o in outcomes),
        "pulses_per_changed": round(sum(o.pulses for o in outcomes) / changed, 3),
        "pulses_per_changed_worst": round(max(each), 3),
        "mended": sum(o.mended for o in outcomes),
        "unwritten": sum(o.unwritten for o in outcomes),
        "incidents": sum(o.incidents for o in outcomes),
        "readings_per_cell": round(sum(o.readings for o in outcomes) / good, 2),
        "microjoules": round(sum(o.joules or 0.0 for o in outcomes) / len(outcomes) * 1e6, 1) or None,
    }


def _row(figure: dict[str, Any]) -> list[Any]:
    shares = [f"{figure[name]:.3%}" for name in ("fidelity", "fidelity_median", "fidelity_worst")]
    names = ("wrong", "unnoticed", "pulses_per_changed", "pulses_per_changed_worst", "mended", "unwritten", "incidents")
    return [*shares, *[figure[name] for name in names]]
