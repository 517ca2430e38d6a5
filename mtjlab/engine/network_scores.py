"""How networks do on dies: errors of all dies at once, their distribution, and how the loss depends on the dies."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ..nouns import Floats
from .cell_states import CellStates
from .convert import CrossbarNetwork
from .die_sampling import DieSource
from .network_training import use_cells
from .single_thread import single_thread

_MOST_VALUES = 4_000_000
"""Outputs of a layer that are held at once, roughly."""


@dataclass(frozen=True)
class Spread:
    """Errors, or accuracies, over dies.

    Attributes:
        mean, median, least, most: of the dies.
        low, high: 95 % bootstrap interval of the mean over dies.
    """

    mean: float
    median: float
    least: float
    most: float
    low: float
    high: float


@torch.no_grad()
def outputs_of(
    network: CrossbarNetwork, features: NDArray[np.float32], cells: Sequence[CellStates] | None = None
) -> Floats:
    """Outputs (C, samples, classes) with these cells under the layers (None: ideal), few samples at a time."""
    network.train(False)
    use_cells(network, cells)
    crossbars = list(network.crossbars().values())
    copies = max(crossbar.copies_out for crossbar in crossbars)
    widest = max(max(crossbar.inputs, 4 * crossbar.lines) for crossbar in crossbars)
    step = max(1, _MOST_VALUES // (copies * widest))
    like = crossbars[0].latent
    with single_thread():
        parts = [
            network(torch.as_tensor(features[start : start + step]).to(like)[None]).cpu().numpy()
            for start in range(0, len(features), step)
        ]
    return np.concatenate(parts, axis=1).astype(np.float64)


def errors_on(
    network: CrossbarNetwork,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    cells: Sequence[CellStates] | None = None,
) -> Floats:
    """Fraction of wrong answers, shape (C,): one network on all dies, all networks on one die, or each on its own."""
    outputs = outputs_of(network, features, cells)
    return np.asarray((outputs.argmax(axis=-1) != labels).mean(axis=-1), dtype=np.float64)


def ensemble_errors(
    network: CrossbarNetwork,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    cells: Sequence[CellStates] | None = None,
) -> float:
    """Fraction of wrong answers when the copies, on one die or each on its own, vote with their mean probabilities."""
    outputs = torch.as_tensor(outputs_of(network, features, cells))
    votes = torch.softmax(outputs, dim=-1).mean(dim=0).numpy()
    return float((votes.argmax(axis=-1) != labels).mean())


def die_of(cells: Sequence[CellStates], die: int) -> list[CellStates]:
    """The cells of one die, (1, inputs, lines) per layer."""
    return [CellStates(layer.off[die : die + 1], layer.swing[die : die + 1]) for layer in cells]


def error_matrix(
    network: CrossbarNetwork,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    cells: Sequence[CellStates],
    progress: Callable[[int, int], None] | None = None,
) -> Floats:
    """Errors (copies, dies) of every network on every die."""
    dies = len(cells[0].off)
    found = []
    for die in range(dies):
        found.append(errors_on(network, features, labels, die_of(cells, die)))
        if progress:
            progress(die + 1, dies)
    return np.stack(found, axis=1)


def losses_on(
    network: CrossbarNetwork,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    source: DieSource,
    dies: int,
    seed: int = 0,
) -> Floats:
    """Cross-entropy of a network of one copy on freshly drawn dies, shape (dies,): its spread is the sensitivity."""
    random, found = torch.Generator().manual_seed(seed), []
    with single_thread():
        for _ in range(dies):
            outputs = torch.as_tensor(outputs_of(network, features, source.draw(1, random)))[0]
            found.append(float(torch.nn.functional.cross_entropy(outputs, torch.as_tensor(labels))))
    return np.array(found)


def spread_of(values: Floats, *, seed: int = 0, draws: int = 2000) -> Spread:
    """Summary of values, shape (dies,), with the bootstrap interval of their mean."""
    flat = np.asarray(values, dtype=np.float64).ravel()
    picks = np.random.default_rng(seed).integers(flat.size, size=(draws, flat.size))
    low, high = np.percentile(flat[picks].mean(axis=1), (2.5, 97.5))
    return Spread(
        float(flat.mean()), float(np.median(flat)), float(flat.min()), float(flat.max()), float(low), float(high)
    )


def yield_at(accuracies: Floats, wanted: float) -> float:
    """Fraction of dies with at least this accuracy."""
    return float((np.asarray(accuracies) >= wanted).mean())
