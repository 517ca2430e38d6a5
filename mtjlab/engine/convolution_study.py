"""A network of many layers on the same dies: convolutions through `convert`, trained for them in the same ways."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import nn

from ..die_maps import DieMaps
from ..nouns import Floats
from .cell_states import CellStates
from .chip_networks import cells_on, plain_tiling_of
from .convert import CrossbarNetwork, convert
from .die_sampling import FittedDies, fit_statistics
from .images import ImageData
from .layers import LayerSettings
from .mnist_study import folds_of
from .network_scores import errors_on
from .network_training import NetworkSettings, train_network
from .partial_sums import PartialSums

_FOLDS = 2


@dataclass(frozen=True)
class ConvolutionForm:
    """Three convolutions and a linear layer, tanh between them.

    Attributes:
        channels: of the convolutions.
        limit: of the parts of all sums, in units of weight; None for none.
        training: of the ideal and the statistics-aware networks.
        hardware: epochs of the hardware-aware networks, which start from the ideal one.
        seeds: independent trainings.
    """

    channels: tuple[int, int, int] = (8, 16, 16)
    limit: float | None = 2.0
    training: NetworkSettings = field(default_factory=lambda: NetworkSettings(epochs=120, batch=64))
    hardware: int = 20
    seeds: int = 3

    def made(self, side: int, classes: int, copies: int, seed: int = 0) -> CrossbarNetwork:
        """A new network for pictures of side x side."""
        first, second, third = self.channels
        edge = (side + 3) // 4  # two strides of two, rounded up
        model = nn.Sequential(
            OrderedDict(
                first=nn.Conv2d(1, first, 3, padding=1),
                tanh_1=nn.Tanh(),
                second=nn.Conv2d(first, second, 3, stride=2, padding=1),
                tanh_2=nn.Tanh(),
                third=nn.Conv2d(second, third, 3, stride=2, padding=1),
                tanh_3=nn.Tanh(),
                flat=nn.Flatten(),
                output=nn.Linear(third * edge**2, classes),
            )
        )
        parts = None if self.limit is None else PartialSums(25, self.limit)
        settings = LayerSettings(gain=0.4, learn_gain=True, parts=parts)
        return convert(model, settings, copies=copies, generator=torch.Generator().manual_seed(seed))


class ConvolutionStudy:
    """Errors of such a network on measured dies.

    Args:
        form: of the network and of its training.
        data: pictures.
        maps: of the dies.
        say: told of progress.
    """

    def __init__(
        self,
        form: ConvolutionForm,
        data: ImageData,
        maps: DieMaps,
        say: Callable[[str, int, int], None] = lambda what, done, total: None,
    ) -> None:
        self.form, self.data, self.maps, self.say = form, data, maps, say
        self.classes = int(data.train_labels.max()) + 1
        self.pictures = data.train_features.reshape(-1, 1, data.side, data.side)
        self.tests = data.test_features.reshape(-1, 1, data.side, data.side)
        shape = self._made(1)
        self.shapes = tuple((crossbar.inputs, crossbar.lines) for crossbar in shape.crossbars().values())
        self.devices, self.layers = shape.devices, len(self.shapes)
        self.cells = cells_on(maps, plain_tiling_of(shape))
        self.fold = folds_of(maps)

    def errors(self) -> tuple[Floats, dict[str, Floats]]:
        """Software baseline (seeds,), and errors by way, (runs, dies) or (dies,)."""
        seeds = self.form.seeds
        ideal = self._trained(seeds, "ideal")
        statistics = [fit_statistics(self.maps.select(self.fold != fold)) for fold in range(_FOLDS)]
        sources = [FittedDies(each, self.shapes) for each in statistics] * seeds
        aware = self._trained(len(sources), "statistics-aware", dies=sources)
        on_dies = np.stack([self._errors(self._copy(aware, k), self.cells) for k in range(len(sources))])
        by_fold = on_dies.reshape(seeds, _FOLDS, -1)[:, self.fold, np.arange(len(self.maps))]
        return self._errors(ideal, None), {
            "ideal": np.stack([self._errors(self._copy(ideal, k), self.cells) for k in range(seeds)]),
            "statistics": by_fold,
            "hardware_own": self._hardware_aware(ideal),
        }

    def _hardware_aware(self, ideal: CrossbarNetwork) -> Floats:
        network = self._repeated(ideal, [0] * len(self.maps))
        settings = replace(self.form.training, epochs=self.form.hardware)
        train_network(
            network,
            self.pictures,
            self.data.train_labels,
            settings,
            cells=self.cells,
            progress=self._progress("own dies"),
        )
        return self._errors(network, self.cells)

    def _made(self, copies: int) -> CrossbarNetwork:
        return self.form.made(self.data.side, self.classes, copies)

    def _trained(self, copies: int, what: str, **how: Any) -> CrossbarNetwork:
        network = self._made(copies)
        return train_network(
            network, self.pictures, self.data.train_labels, self.form.training, progress=self._progress(what), **how
        )

    def _progress(self, what: str) -> Callable[[int, int], None]:
        return lambda done, total: self.say(f"training convolutions, {what}", done, total)

    def _copy(self, network: CrossbarNetwork, copy: int) -> CrossbarNetwork:
        return self._repeated(network, [copy])

    def _repeated(self, network: CrossbarNetwork, copies: Sequence[int]) -> CrossbarNetwork:
        made = self._made(len(copies))
        with torch.no_grad():
            for new, old in zip(made.parameters(), network.parameters(), strict=True):
                new.copy_(old[list(copies)])
        return made

    def _errors(self, network: CrossbarNetwork, cells: Sequence[CellStates] | None) -> Floats:
        return errors_on(network, self.tests, self.data.test_labels, cells)
