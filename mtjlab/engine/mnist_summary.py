"""Results of the MNIST study as plain values: percent, one block per form of network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from ..die_maps import DieMaps
from ..nouns import Floats
from .cell_states import CellStates
from .chip_networks import Parameters
from .mnist_study import MnistStudy
from .network_scores import spread_of, yield_at

WAYS = {
    "ideal": "ideal training",
    "statistics": "statistics-aware",
    "hardware_own": "hardware-aware, own die",
    "hardware_other": "hardware-aware, other dies",
    "ideal_placed": "ideal training, placed per die",
    "statistics_placed": "statistics-aware, placed per die",
    "tuned": "statistics-aware, fine-tuned per die",
    "placed_tuned": "statistics-aware, placed and fine-tuned per die",
}
"""What is compared, in the order of tables and figures."""

READ_VOLTS, READ_SECONDS = 0.1, 1e-6
"""Of a row at full input, and for how long each tile is driven, for the energy (assumptions)."""
_YIELD_POINTS = 2.0
"""A die is good enough with at most so many points more errors than the software baseline."""


def summarise(study: MnistStudy) -> dict[str, Any]:
    """Everything about one form of network; computes what is not kept yet."""
    baseline = study.baseline()
    ideal, statistics = study.ideal(), study.statistics_aware()
    errors = _errors(study, ideal, statistics)
    return {
        "form": study.form.name,
        "devices": study.devices,
        **summarise_ways(baseline, errors),
        "by_defects": {name: _by_defects(study, own) for name, own in (("ideal", ideal), ("statistics", statistics))},
        "sensitivity": {
            name: {f"{k:g}": _loss(v) for k, v in study.sensitivity(own, 0).items()}
            for name, own in (("ideal", ideal), ("statistics", statistics))
        },
        "nanojoules_per_inference": _rounded(
            1e9 * float(study.joules(statistics, 0, 0, READ_VOLTS, READ_SECONDS).mean()), 3
        ),
        "transfer": [_percent(row) for row in study.transferred()],
    }


def summarise_ways(baseline: Floats, errors: Mapping[str, Floats]) -> dict[str, Any]:
    """Baseline and ways of training in percent.

    Args:
        baseline: errors on perfect devices, (seeds,).
        errors: by way, (runs, dies) or (dies,).
    """
    software = 100 * float(baseline.mean())
    return {
        "baseline": {"mean": _rounded(software), "seeds": _percent(baseline)},
        "ways": {way: _way(values, software) for way, values in errors.items()},
    }


def describe_dies(maps: DieMaps) -> dict[str, Any]:
    """How many dies, and their defects as classified."""
    counts = {name: per_die for name, per_die in maps.defect_counts().items() if per_die.any()}
    return {
        "count": len(maps),
        "cells": int(maps.siemens[0].size),
        "on_off_siemens": _rounded(float(np.median(maps.on_off_siemens())), 9),
        "defects_per_die": {
            name: {"mean": _rounded(float(n.mean())), "least": int(n.min()), "most": int(n.max())}
            for name, n in counts.items()
        },
        "shorts": [int(n) for n in counts.get("short", np.zeros(len(maps), dtype=np.int64))],
    }


def _errors(study: MnistStudy, ideal: Parameters, statistics: Parameters) -> dict[str, Floats]:
    """Errors by way, (runs, dies) or flat."""
    dies, seeds = len(study.maps), study.settings.seeds
    placed_ideal = study.placed_cells(ideal, [0] * dies)
    folds = study.fold.tolist()
    placed = study.placed_cells(statistics, folds)
    transfer = study.transferred()
    tuned = study.fine_tuned(study.cells, "tuned")
    both = study.fine_tuned(placed, "placed and tuned")
    own = np.eye(dies, dtype=bool)
    return {
        "ideal": study.on_dies(ideal, range(seeds), study.cells),
        "statistics": study.unseen(statistics, study.cells),
        "hardware_own": transfer[own],
        "hardware_other": transfer[~own].reshape(dies, dies - 1).mean(axis=1) if dies > 1 else transfer[own],
        "ideal_placed": study.on_dies(ideal, [0], placed_ideal),
        "statistics_placed": _by_fold(study, statistics, placed),
        "tuned": study.on_own(tuned, study.cells),
        "placed_tuned": study.on_own(both, placed),
    }


def _by_defects(study: MnistStudy, parameters: Parameters) -> dict[str, dict[str, float]]:
    """Mean errors by kind and number of defects."""
    return {
        kind: {str(number): _rounded(100 * float(errors.mean())) for number, errors in curve.items()}
        for kind, curve in study.by_defects(parameters, 0).items()
    }


def _by_fold(study: MnistStudy, parameters: Parameters, cells: Sequence[CellStates]) -> Floats:
    """Errors (dies,), each die with the first seed's network that never saw its fold."""
    found = np.full(len(study.maps), np.nan)
    for fold in np.unique(study.fold):
        dies = np.flatnonzero(study.fold == fold)
        own = [CellStates(layer.off[dies], layer.swing[dies]) for layer in cells]
        found[dies] = study.on_dies(parameters, [int(fold)], own)[0]
    return found


def _way(errors: Floats, software: float) -> dict[str, Any]:
    """Spread over dies of the mean over runs; yields are of single runs on single dies."""
    values = 100 * np.atleast_2d(errors)
    per_die = values.mean(axis=0)
    return {
        **{name: _rounded(value) for name, value in asdict(spread_of(per_die)).items()},
        "above_baseline": _rounded(float(per_die.mean()) - software),
        "yield_within_2_points": _rounded(100 * yield_at(-values, -(software + _YIELD_POINTS))),
        "per_die": [_rounded(float(value)) for value in per_die],
        "runs": len(values),
        "run_means": [_rounded(float(value)) for value in values.mean(axis=1)],
    }


def _loss(values: Floats) -> dict[str, float]:
    return {"mean": _rounded(float(values.mean()), 4), "standard_deviation": _rounded(float(values.std(ddof=1)), 4)}


def _percent(values: Floats) -> list[float]:
    return [_rounded(100 * float(value)) for value in values]


def _rounded(value: float, digits: int = 2) -> float:
    return round(float(value), digits)


def ways_of(block: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """(words, figures) of the ways that a result has, in order."""
    return [(words, block["ways"][way]) for way, words in WAYS.items() if way in block["ways"]]
