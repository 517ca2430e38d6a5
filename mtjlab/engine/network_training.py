"""Training of networks on crossbars: for ideal devices, for the very cells of dies, or for dies yet unseen.

Ideal training knows perfect devices only. Hardware-aware training computes with the cells that were measured on one die
(one die per copy). Statistics-aware training meets freshly drawn dies at every step, so that one set of weights has to
do on all of them (Borders et al., Phys. Rev. Applied 21, 054028, 2024).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import InputError
from . import checkpoints
from .cell_states import CellStates
from .convert import CrossbarNetwork
from .die_sampling import DieSource
from .single_thread import single_thread


@dataclass(frozen=True)
class NetworkSettings:
    """How to train.

    Attributes:
        epochs: passes over the training samples; a remainder smaller than a batch is left out of each.
        batch: samples per step, the same for all copies.
        learning_rate: of Adam at the start; it falls along a cosine to `final_rate` of it.
        dies_per_step: with one copy, among how many freshly drawn dies a batch is shared out.
        label_smoothing: of the cross-entropy.
        seed: of the order of samples and of the dies drawn.
    """

    epochs: int = 12
    batch: int = 128
    learning_rate: float = 0.02
    final_rate: float = 0.01
    dies_per_step: int = 1
    label_smoothing: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch, self.dies_per_step) < 1 or self.batch % self.dies_per_step:
            raise InputError("epochs, batch and dies_per_step must be at least 1, and a batch a multiple of the dies")
        if not self.learning_rate > 0 or not 0 <= self.final_rate <= 1 or not 0 <= self.label_smoothing < 1:
            raise InputError("learning_rate must be above 0, final_rate 0..1 and label_smoothing 0..1")


def train_network(
    network: CrossbarNetwork,
    features: NDArray[np.float32],
    labels: NDArray[np.int64],
    settings: NetworkSettings | None = None,
    *,
    cells: Sequence[CellStates] | None = None,
    dies: DieSource | Sequence[DieSource] | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> CrossbarNetwork:
    """Train all copies of a network at once, from where it stands; returns it, not in training mode.

    Args:
        features: shape (samples, ...), what one sample of the model's input is.
        labels: shape (samples,), class numbers.
        cells: known cells under every crossbar (one die, or one per copy): hardware-aware.
        dies: where dies are drawn from at every step, one source or one per copy: statistics-aware.
            With neither, devices are ideal.
        checkpoint: file to go on from and to keep; see `checkpoints.fit`.
        progress: called as progress(epochs done, epochs).

    Raises:
        InputError: cells and dies at once, cells that do not fit, no full batch of samples, a foreign checkpoint.
    """
    with single_thread():
        run = _Run(network, features, labels, settings or NetworkSettings(), cells, dies)
        checkpoints.fit(
            run.training,
            run.epoch,
            run.settings.epochs,
            checkpoint=checkpoint,
            about={**asdict(run.settings), "samples": len(labels)},
            progress=progress,
        )
    network.train(False)
    return network


class _Run:
    """State of one training."""

    def __init__(
        self,
        network: CrossbarNetwork,
        features: NDArray[np.float32],
        labels: NDArray[np.int64],
        settings: NetworkSettings,
        cells: Sequence[CellStates] | None,
        dies: DieSource | Sequence[DieSource] | None,
    ) -> None:
        self.settings, self.network = settings, network
        self._crossbars = list(network.crossbars().values())
        self._copies = max(crossbar.copies for crossbar in self._crossbars)
        self._sources = _as_list(dies)
        _check(self._copies, self._sources, cells, len(labels), settings)
        use_cells(network, cells)
        where = self._crossbars[0].latent.device
        self._features = torch.as_tensor(features, dtype=self._crossbars[0].latent.dtype).to(where)
        self._labels = torch.as_tensor(labels).to(where)
        self._random = torch.Generator().manual_seed(settings.seed)
        wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(wanted, lr=settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, settings.epochs, eta_min=settings.learning_rate * settings.final_rate
        )
        self.training = checkpoints.Training(network, optimizer, schedule, {"steps": self._random})
        network.train(True)

    def epoch(self, number: int) -> None:
        batch = self.settings.batch
        whole = len(self._labels) // batch * batch
        order = torch.randperm(len(self._labels), generator=self._random)[:whole].reshape(-1, batch)
        for samples in order.to(self._labels.device):
            self._step(self._features[samples], self._labels[samples])

    def _step(self, features: Tensor, labels: Tensor) -> None:
        shared = 1
        if self._sources:
            shared = self.settings.dies_per_step if self._copies == 1 else 1
            use_cells(self.network, self._drawn(shared))
        optimizer = self.training.optimizer
        optimizer.zero_grad()
        self._loss(features, labels, shared).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        self.network.clamp_latent()

    def _loss(self, features: Tensor, labels: Tensor, shared: int) -> Tensor:
        """Cross-entropy, mean over samples, summed over the copies so that each is trained as if alone."""
        outputs = self.network(features.reshape(shared, -1, *features.shape[1:]))
        wanted = labels.reshape(shared, -1).expand(len(outputs), -1)
        loss = torch.nn.functional.cross_entropy(
            outputs.transpose(1, 2), wanted, reduction="none", label_smoothing=self.settings.label_smoothing
        )
        return loss.mean() * self._copies

    def _drawn(self, shared: int) -> list[CellStates]:
        """Fresh dies: `shared` for one copy, else one for each."""
        if len(self._sources) == 1:
            return self._sources[0].draw(max(self._copies, shared), self._random)
        each = [source.draw(1, self._random) for source in self._sources]
        return [
            CellStates(*(torch.cat(parts) for parts in zip(*layer, strict=True))) for layer in zip(*each, strict=True)
        ]


def use_cells(network: CrossbarNetwork, cells: Sequence[CellStates] | None) -> None:
    """Put known cells under every crossbar of a network, in their order; None for ideal ones.

    Raises:
        InputError: there are not as many as crossbars, or they do not fit.
    """
    crossbars = list(network.crossbars().values())
    if cells is not None and len(cells) != len(crossbars):
        raise InputError(f"cells for {len(cells)} layers, but the network has {len(crossbars)}")
    for place, crossbar in enumerate(crossbars):
        crossbar.use_cells(None if cells is None else cells[place])


def _as_list(dies: DieSource | Sequence[DieSource] | None) -> list[DieSource]:
    if dies is None:
        return []
    return list(dies) if isinstance(dies, Sequence) else [dies]


def _check(
    copies: int,
    sources: Sequence[DieSource],
    cells: Sequence[CellStates] | None,
    samples: int,
    settings: NetworkSettings,
) -> None:
    if sources and cells is not None:
        raise InputError("training is for known cells or for drawn dies, not for both", remedy="Give one of them")
    if len(sources) not in (0, 1, copies):
        raise InputError(f"{len(sources)} sources of dies for {copies} copies", remedy="Give one, or one per copy")
    if samples < settings.batch:
        raise InputError(f"{samples} samples do not fill a batch of {settings.batch}", remedy="Make the batch smaller")
