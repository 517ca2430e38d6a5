"""The solutions that are written in the Wine study: trained here all at once, kept, and what they do ideally."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..nouns import Floats
from ..sweeps import content_key, read_record, write_record
from .datasets import WineData
from .perceptron import Perceptron, Precision, accuracy_versus_g
from .training import EpochProgress, TrainingSettings, train

STUDY_G = 0.9
"""Normalising conductance to train at, in units of G_P - G_AP: where the published solutions are best as well."""
G_GRID = tuple(round(0.1 * step, 1) for step in range(3, 21))
"""Normalising conductances at which ideal accuracy is given."""
_FORMAT = 1
"""Counts up when training changes, so that solutions are trained anew."""
_ARRAYS = ("bits_1", "biases_1", "bits_2", "biases_2")


def study_settings(solutions: int = 300, epochs: int = 2000, seed: int = 0) -> TrainingSettings:
    """How the study's solutions are trained: with the usual device errors drawn anew at every step."""
    return TrainingSettings(
        solutions=solutions,
        epochs=epochs,
        g=STUDY_G,
        precision=Precision(input_bits=5, hidden_bits=4),
        seed=seed,
    )


def trained_solutions(data: WineData, settings: TrainingSettings, folder: Path, progress: EpochProgress) -> Perceptron:
    """Train them, or take them from the folder if they were trained from the same data with the same settings."""
    config = {"settings": settings, "wines": data}
    key = content_key(_trained, config, version=f"{__version__}, format {_FORMAT}")
    kept = read_record(folder, key)
    if kept is None:
        kept = _trained(config, progress)
        folder.mkdir(parents=True, exist_ok=True)
        write_record(folder, key, kept, {"solutions": settings.solutions, "seed": settings.seed})
    return Perceptron(*(kept[name] for name in _ARRAYS))


def _trained(config: Mapping[str, Any], progress: EpochProgress | None = None) -> dict[str, Any]:
    found = train(config["wines"], config["settings"], progress=progress)
    return {name: getattr(found, name) for name in _ARRAYS}


def ideal_by_g(perceptron: Perceptron, data: WineData, grid: Sequence[float] = G_GRID) -> dict[str, dict[str, float]]:
    """Accuracy over solutions with perfect devices and exact inputs, in percent, by normalising conductance."""
    train_part = 100 * accuracy_versus_g(perceptron, data.train_features, data.train_labels, grid)
    test_part = 100 * accuracy_versus_g(perceptron, data.test_features, data.test_labels, grid)
    return {
        str(float(g)): _summary(of_train, of_test)
        for g, of_train, of_test in zip(grid, train_part, test_part, strict=True)
    }


def _summary(of_train: Floats, of_test: Floats) -> dict[str, float]:
    return {
        "train_mean": float(of_train.mean()),
        "train_median": float(np.median(of_train)),
        "train_min": float(of_train.min()),
        "test_mean": float(of_test.mean()),
        "test_median": float(np.median(of_test)),
    }
