"""The MNIST study: one form of network on many measured dies, trained in every way, placed, fine-tuned and compared.

Every stage is kept under a content key in a folder: what was computed once is taken from there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..die_maps import DieMaps
from ..errors import InputError
from ..nouns import Floats
from ..sweeps import Record, content_key, read_record, write_record
from .cell_states import CellStates
from .chip_networks import ChipForm, Parameters, bits_of, cells_on, parameters_of, with_parameters
from .convert import CrossbarNetwork
from .die_sampling import FittedDies, fit_statistics, put_defects
from .images import ImageData
from .inference_energy import layer_joules, network_joules
from .network_scores import error_matrix, errors_on, losses_on
from .network_training import NetworkSettings, train_network
from .single_thread import single_thread
from .tiling import NetworkTiling
from .tiling_dies import place_on_dies

Say = Callable[[str, int, int], None]
"""Called as say(what, done, total)."""

_FOLDS = 2
_COUNTS = {
    "short": (0, 1, 2, 5, 10, 20, 50),
    "open": (0, 20, 100, 400),
    "stuck_p": (0, 20, 100, 400),
    "stuck_ap": (0, 20, 100, 400),
}
_ENERGY_SAMPLES = 200
_VERSION = "1"
"""Counts up when a stage returns something else, so that kept ones are computed anew."""


@dataclass(frozen=True)
class StudySettings:
    """How much is done.

    Attributes:
        seeds: independent trainings of ideal and statistics-aware networks.
        ideal, statistics, hardware, tuning: how each is trained. `tuning` starts from a statistics-aware network.
        sampled: dies drawn for the sensitivity and for each number of defects.
        counts: numbers of defects of each kind on otherwise healthy dies, by kind.
        lines_per_tile: see `place_on_dies`.
    """

    seeds: int = 3
    ideal: NetworkSettings = field(default_factory=lambda: NetworkSettings(epochs=20))
    statistics: NetworkSettings = field(default_factory=lambda: NetworkSettings(epochs=20))
    hardware: NetworkSettings = field(default_factory=lambda: NetworkSettings(epochs=8))
    tuning: NetworkSettings = field(default_factory=lambda: NetworkSettings(epochs=2, learning_rate=0.005))
    sampled: int = 40
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: dict(_COUNTS))
    lines_per_tile: int | None = None


QUICK = StudySettings(
    seeds=2,
    ideal=NetworkSettings(epochs=2),
    statistics=NetworkSettings(epochs=2),
    hardware=NetworkSettings(epochs=1),
    tuning=NetworkSettings(epochs=1, learning_rate=0.005),
    sampled=5,
    counts={"short": (0, 5, 20), "open": (20,)},
)


class MnistStudy:
    """One form of network on measured dies.

    Args:
        form: of the network.
        data: pictures; they are shrunk to the form's size if they are larger.
        maps: of the dies.
        settings: how much is done.
        folder: keeps stages.
        say: told of progress.

    Raises InputError for fewer than two dies: statistics are fitted to other dies than those that are judged.
    """

    def __init__(
        self,
        form: ChipForm,
        data: ImageData,
        maps: DieMaps,
        settings: StudySettings,
        folder: Path,
        say: Say = lambda what, done, total: None,
    ) -> None:
        self.form, self.settings, self.folder, self.say = form, settings, folder, say
        self.data = data if data.side == form.side else data.shrunk(form.side)
        self.maps, self.fold = maps, folds_of(maps)
        self.tiling = form.tiling()
        self.cells = cells_on(maps, self.tiling)
        shape = self.form.made()
        self.shapes = tuple((crossbar.inputs, crossbar.lines) for crossbar in shape.crossbars().values())
        self.devices = shape.devices
        self.fold_statistics = [fit_statistics(maps.select(self.fold != fold)) for fold in range(_FOLDS)]

    # networks

    def ideal(self) -> Parameters:
        """Networks trained for perfect devices, one per seed."""
        return self._trained("ideal", self.settings.ideal, self.settings.seeds, {})

    def statistics_aware(self) -> Parameters:
        """Networks for dies drawn from measured statistics: copy s * 2 + f of seed s never saw dies of fold f."""
        sources = [FittedDies(s, self.shapes) for s in self.fold_statistics] * self.settings.seeds
        about = {"statistics": [s.as_dict() for s in self.fold_statistics]}
        return self._trained("statistics", self.settings.statistics, len(sources), about, dies=sources)

    def hardware_aware(self) -> Parameters:
        """One network per die, trained with that die's cells."""
        return self._trained("hardware", self.settings.hardware, len(self.maps), self._cells_about(), cells=self.cells)

    def fine_tuned(self, cells: Sequence[CellStates], name: str) -> Parameters:
        """One network per die, started from the statistics-aware one that never saw its fold."""
        start = self.statistics_aware()
        own = {key: values[self.fold] for key, values in start.items()}
        about = {**self._cells_about(cells), "start": own}
        return self._trained(name, self.settings.tuning, len(self.maps), about, cells=cells, start=own)

    def network(self, parameters: Parameters, copies: Sequence[int]) -> CrossbarNetwork:
        """A network of these copies."""
        made = self.form.made(len(copies))
        with_parameters(made, parameters, copies)
        return made

    # errors

    def baseline(self) -> Floats:
        """Errors of ideally trained networks on perfect devices, (seeds,): the software baseline."""
        return self._errors(self.ideal(), range(self.settings.seeds), None)

    def on_dies(self, parameters: Parameters, copies: Sequence[int], cells: Sequence[CellStates]) -> Floats:
        """Errors (copies, dies) of single networks on all dies."""
        return np.stack([self._errors(parameters, [copy], cells) for copy in copies])

    def on_own(self, parameters: Parameters, cells: Sequence[CellStates]) -> Floats:
        """Errors (dies,) of networks made one per die, each on its own."""
        return self._errors(parameters, range(len(self.maps)), cells)

    def unseen(self, parameters: Parameters, cells: Sequence[CellStates]) -> Floats:
        """Errors (seeds, dies) of statistics-aware networks, each die judged by those that never saw its fold."""
        every = self.on_dies(parameters, range(_FOLDS * self.settings.seeds), cells)
        by_fold = every.reshape(self.settings.seeds, _FOLDS, -1)
        return np.asarray(by_fold[:, self.fold, np.arange(len(self.maps))])

    def transferred(self) -> Floats:
        """Errors (dies, dies) of hardware-aware networks: row trained for, column run on."""
        parameters = self.hardware_aware()

        def compute() -> Record:
            network = self.network(parameters, range(len(self.maps)))
            say = lambda done, total: self.say("networks on other dies", done, total)  # noqa: E731
            data = self.data
            return {"errors": error_matrix(network, data.test_features, data.test_labels, self.cells, say)}

        return np.asarray(self._kept("transfer", parameters, compute)["errors"])

    def placed(self, parameters: Parameters, copy: int, dies: Sequence[int]) -> list[NetworkTiling]:
        """One placement on each of these dies for a network with known bits."""
        network = self.network(parameters, [copy])
        powers, bits = self._input_powers(network), [layer[0] for layer in bits_of(network)]
        lines, found = self.settings.lines_per_tile, []
        for die in dies:
            found += place_on_dies(self.tiling, self.maps[die], bits=bits, input_powers=powers, lines_per_tile=lines)
            self.say("placing on dies", len(found), len(dies))
        return found

    def placed_cells(self, parameters: Parameters, copies: Sequence[int]) -> list[CellStates]:
        """Cells under the layers when die d holds network `copies[d]`, placed by that die's defects."""
        about = {"copies": list(copies), "maps": self._map_about(), "parameters": parameters}
        count = len(self.shapes)

        def compute() -> Record:
            chosen = np.asarray(copies)
            tilings: dict[int, NetworkTiling] = {}
            for copy in np.unique(chosen):
                dies = np.flatnonzero(chosen == copy).tolist()
                tilings |= dict(zip(dies, self.placed(parameters, int(copy), dies), strict=True))
            layers = cells_on(self.maps, [tilings[die] for die in range(len(self.maps))])
            return {f"{part}_{k}": getattr(layers[k], part).numpy() for k in range(count) for part in ("off", "swing")}

        record = self._kept("placed", about, compute)
        tensors = {name: torch.as_tensor(values) for name, values in record.items()}
        return [CellStates(tensors[f"off_{k}"], tensors[f"swing_{k}"]) for k in range(count)]

    def by_defects(self, parameters: Parameters, copy: int) -> dict[str, dict[int, Floats]]:
        """Errors on `sampled` dies that are healthy but for so many defects of one kind anywhere."""
        found: dict[str, dict[int, Floats]] = {}
        with single_thread():
            for kind, numbers in self.settings.counts.items():
                found[kind] = {number: self._with_defects(parameters, copy, kind, number) for number in numbers}
                self.say("errors against numbers of defects", len(found), len(self.settings.counts))
        return found

    def sensitivity(self, parameters: Parameters, copy: int) -> dict[float, Floats]:
        """Losses on sampled dies, by how many times the measured defects are drawn."""
        network = self.network(parameters, [copy])
        typical = self.fold_statistics[copy % _FOLDS]
        found = {}
        for factor in (0.0, 0.5, 1.0, 2.0):
            source = FittedDies(typical.times(factor), self.shapes)
            data = self.data
            found[factor] = losses_on(network, data.test_features, data.test_labels, source, self.settings.sampled)
        return found

    def joules(self, parameters: Parameters, copy: int, die: int, read_volts: float, seconds: float) -> Floats:
        """Energy per inference, shape (samples,), of the first test pictures on one die, plainly placed, from its map.

        Args:
            read_volts: of a row at full input.
            seconds: for which every tile is driven.
        """
        network = self.network(parameters, [copy])
        values = self.data.test_features[:_ENERGY_SAMPLES].astype(np.float64)
        with torch.no_grad():
            first = next(iter(network.crossbars().values()))
            hidden = torch.tanh(first(torch.as_tensor(values, dtype=torch.float32)[None]))[0].numpy()
        pair = self.maps[die].reachable()
        # open cells are read a little below zero at times: a network of conductances takes none that give energy
        ap, p = (np.maximum(np.nan_to_num(siemens[0]), 0.0) for siemens in pair)
        layers = []
        for tiling, bits, inputs in zip(self.tiling.layers, bits_of(network), (values, hidden), strict=True):
            siemens = ap.copy()
            siemens[tiling.cells] = np.where(bits[0] == 1, p[tiling.cells], ap[tiling.cells])
            layers.append(layer_joules(tiling, siemens, inputs.astype(np.float64), read_volts, seconds))
        return network_joules(layers)

    # how

    def _errors(self, parameters: Parameters, copies: Sequence[int], cells: Sequence[CellStates] | None) -> Floats:
        network = self.network(parameters, list(copies))
        return errors_on(network, self.data.test_features, self.data.test_labels, cells)

    def _with_defects(self, parameters: Parameters, copy: int, kind: str, number: int) -> Floats:
        typical, random = self.fold_statistics[0], torch.Generator().manual_seed(number)
        healthy = FittedDies(replace(typical.times(0.0), rate_spread=0.0), self.shapes)
        cells = healthy.draw(self.settings.sampled, random)
        put_defects(cells, kind, number, typical, random)
        return self._errors(parameters, [copy], cells)

    def _input_powers(self, network: CrossbarNetwork) -> list[Floats]:
        """Mean square of what drives each input, on training pictures."""
        values = torch.as_tensor(self.data.train_features[:2000])[None]
        hidden = next(iter(network.crossbars().values()))
        with torch.no_grad():
            inside = torch.tanh(hidden(values))
        return [(each[0] ** 2).mean(dim=0).numpy().astype(np.float64) for each in (values, inside)]

    def _trained(
        self,
        name: str,
        settings: NetworkSettings,
        copies: int,
        about: Mapping[str, Any],
        start: Parameters | None = None,
        **how: Any,
    ) -> Parameters:
        def compute() -> Record:
            network = self.form.made(copies, settings.seed)
            if start is not None:
                with_parameters(network, start, range(copies))
            say = lambda done, total: self.say(f"training, {name}", done, total)  # noqa: E731
            data = self.data
            train_network(network, data.train_features, data.train_labels, settings, progress=say, **how)
            return dict(parameters_of(network))

        return dict(self._kept(name, {"settings": asdict(settings), "copies": copies, **about}, compute))

    def _kept(self, name: str, about: Mapping[str, Any], compute: Callable[[], Record]) -> Record:
        """What the folder has under the key of all that the stage depends on, or else what `compute` gives."""
        pictures = (self.data.train_features, self.data.train_labels, self.data.test_features)
        data = {"data": pictures, **{f"{name} {key}": value for key, value in about.items()}}
        key = content_key(mnist_stage, {"stage": name, **asdict(self.form)}, data=data, version=_VERSION)
        self.folder.mkdir(parents=True, exist_ok=True)
        record = read_record(self.folder, key)
        if record is None:
            record = compute()
            write_record(self.folder, key, record, {"stage": name, "form": self.form.name})
        return record

    def _cells_about(self, cells: Sequence[CellStates] | None = None) -> dict[str, Any]:
        layers = self.cells if cells is None else cells
        return {f"cells {k}": (layer.off.numpy(), layer.swing.numpy()) for k, layer in enumerate(layers)}

    def _map_about(self) -> Any:
        return (self.maps.siemens_ap, self.maps.siemens_p, self.maps.status)


def folds_of(maps: DieMaps) -> NDArray[np.int64]:
    """Which of two groups each die is in, shape (dies,): every other one. Raises InputError for fewer than two."""
    if len(maps) < _FOLDS:
        raise InputError(
            f"a study of {len(maps)} dies has none left to fit statistics to", remedy="Give at least two dies"
        )
    return np.arange(len(maps), dtype=np.int64) % _FOLDS


def mnist_stage(config: Any) -> Mapping[str, Any]:
    """Names the stages of the study in their content keys; the stages themselves need more than a configuration."""
    raise NotImplementedError(f"stages such as {config} are computed by MnistStudy")
