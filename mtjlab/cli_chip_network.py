"""A trained network goes back onto a simulated chip: written kernel by kernel, run picture by picture, and compared.

This is composition (world, board, driver, protocols, engine), so it stands beside the command line; it has no commands.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtjlab.cli_simulated_chips import ChipBench
from mtjlab.drivers.daffodil_settings import DaffodilSettings
from mtjlab.errors import InputError
from mtjlab.protocols.infer_network import NetworkSettings, infer_network
from mtjlab.protocols.infer_plans import LabelledSamples
from mtjlab.protocols.infer_prediction import as_written
from mtjlab.protocols.infer_reader import DriveSettings
from mtjlab.protocols.infer_result import NetworkRun, wilson
from mtjlab.protocols.write_verify import WriteResult, write_verify
from mtjlab.roles import Crossbar

from .die_maps import DieMaps
from .nouns import ArrayMap, Floats, Ints, TiledWeightPlan

if TYPE_CHECKING:
    from .engine.convert import CrossbarNetwork
    from .engine.images import ImageData
    from .engine.tiling import NetworkTiling

IntArray = NDArray[np.int64]

Say = Callable[[str, int, int], None]
"""Called as say(what, done, total)."""


@dataclass(frozen=True, eq=False)
class ChipTask:
    """What is written where, and what is run.

    Attributes:
        bench: of the wafer.
        place: (x, y) of the chip on it.
        maps: of this die alone, as it was surveyed.
        network: whose first copy is written.
        tiling: where its layers lie.
        pictures: of the form's size.
        count: how many of those for testing are run, from the first.
        reading: how the board is used while the network runs: with offsets taken off, and averaged.
    """

    bench: ChipBench
    place: tuple[int, int]
    maps: DieMaps
    network: CrossbarNetwork
    tiling: NetworkTiling
    pictures: ImageData
    count: int
    reading: DaffodilSettings = field(
        default_factory=lambda: DaffodilSettings(averages=4, subtracts_zero=True, full_siemens=3e-4)
    )

    def __post_init__(self) -> None:
        if len(self.maps) != 1 or not 1 <= self.count <= len(self.pictures.test_labels):
            raise InputError(
                f"{len(self.maps)} dies and {self.count} pictures of {len(self.pictures.test_labels)}",
                remedy="Give the maps of one die, and no more pictures than there are for testing",
            )


@dataclass(frozen=True, eq=False)
class ChipRun:
    """What writing and running came to.

    Attributes:
        writes: per kernel that holds a part of the network.
        run: outputs of the chip beside what the maps predict, wires included.
        engine: outputs of the engine from the maps as surveyed, (pictures, classes), before any tanh.
        ideal: likewise for perfect devices.
        engine_error: of all test pictures on these maps, a fraction.
        incidents: what the simulated board noted; there should be none.
        wall_seconds: of writing, and of running.
    """

    writes: Sequence[WriteResult]
    run: NetworkRun
    engine: Floats
    ideal: Floats
    engine_error: float
    incidents: int
    wall_seconds: tuple[float, float]

    def as_result(self) -> dict[str, Any]:
        """Plain values; errors and shares in percent."""
        labels, answers = self.run.labels, self.run.outputs.argmax(axis=1)
        written = [result.cost for result in self.writes]
        return {
            "pictures": int(labels.size),
            "kernels": len(self.writes),
            "write_fidelity": _percent(self._fidelity()),
            "unwritten_cells": sum(len(result.unwritten) for result in self.writes),
            "mended_cells": sum(result.mended for result in self.writes),
            "write_pulses": sum(cost.pulses for cost in written),
            "write_bench_seconds": round(sum(cost.bench_seconds for cost in written), 1),
            "error": {
                name: _interval(outputs.argmax(axis=1) != labels)
                for name, outputs in (
                    ("chip", self.run.outputs),
                    ("predicted_from_maps", self.run.predicted),
                    ("engine", self.engine),
                    ("software", self.ideal),
                )
            },
            "engine_error_all_pictures": _percent(self.engine_error),
            "same_class_as_engine": _interval(answers == self.engine.argmax(axis=1)),
            "same_class_as_predicted": _interval(answers == self.run.predicted.argmax(axis=1)),
            "by_class": _by_class(labels, answers, self.engine.argmax(axis=1)),
            "readings_per_picture": round(self.run.cost.readings / labels.size, 1),
            "bench_seconds_per_picture": round(self.run.cost.bench_seconds / labels.size, 3),
            "saturated_readings": self.run.saturated,
            "incidents": self.incidents,
            "wall_seconds": {"writing": round(self.wall_seconds[0], 1), "running": round(self.wall_seconds[1], 1)},
        }

    def _fidelity(self) -> float:
        asked = np.concatenate([result.target.ravel() for result in self.writes]) >= 0
        right = np.concatenate([(result.written.state == result.target).ravel() for result in self.writes])
        return float(right[asked].mean())


def write_and_run(task: ChipTask, say: Say = lambda what, done, total: None) -> ChipRun:
    """Calibrate the chip's board, write the network kernel by kernel, run the pictures; then ask the engine.

    The chip is drawn as it was made: every cell is read before it is written. Nothing of the engine's prediction is
    told to the board, and nothing of the board to the engine.
    """
    from .engine.chip_networks import cells_on, placed_network
    from .engine.network_scores import errors_on, outputs_of
    from .engine.tiling_plan import kernel_targets

    unit = float(task.maps.on_off_siemens()[0])
    placed = placed_network(task.network, task.tiling, unit)
    targets = kernel_targets(placed.plan, task.tiling.kernels, task.tiling.kernel_shape)
    board = task.bench.board_at(*task.place)
    began = time.perf_counter()
    writes = _written(task, _opened(task.bench, board, task.tiling.kernels), targets, say)
    halfway = time.perf_counter()
    maps = [
        as_written(task.maps.map_of(0, k), writes[k].written) if k in writes else task.maps.map_of(0, k)
        for k in range(task.tiling.kernels)
    ]
    reading = _opened(replace(task.bench, driver=task.reading), board, task.tiling.kernels)
    run = _run(task, reading, placed.plan, placed.siemens_norms, maps, say)
    ended = time.perf_counter()
    cells = cells_on(task.maps, task.tiling)
    tests, some = task.pictures.test_features, task.pictures.test_features[: task.count]
    return ChipRun(
        list(writes.values()),
        run,
        outputs_of(task.network, some, cells)[0],
        outputs_of(task.network, some)[0],
        float(errors_on(task.network, tests, task.pictures.test_labels, cells)[0]),
        len(board.incidents),
        (halfway - began, ended - halfway),
    )


def _opened(bench: ChipBench, board: Any, kernels: int) -> list[Crossbar]:
    every = bench.kernels(board)
    return [opened() for _, (_, opened) in zip(range(kernels), every, strict=False)]


def _written(task: ChipTask, crossbars: Sequence[Crossbar], targets: Ints, say: Say) -> dict[int, WriteResult]:
    """Results by kernel, of those that hold a part of the network."""
    settings, found = task.bench.settings, dict[int, WriteResult]()
    used = [k for k in range(len(crossbars)) if (targets[k] >= 0).any()]
    for kernel in used:
        found[kernel] = write_verify(
            crossbars[kernel],
            targets[kernel],
            task.maps.map_of(0, kernel),
            settings=settings.write,
            read_volts=settings.read_volts,
        )
        say("writing kernels", len(found), len(used))
    return found


def _run(
    task: ChipTask,
    crossbars: Sequence[Crossbar],
    plan: TiledWeightPlan,
    norms: Sequence[float],
    maps: Sequence[ArrayMap],
    say: Say,
) -> NetworkRun:
    samples = LabelledSamples(
        task.pictures.test_features[: task.count].astype(np.float64), task.pictures.test_labels[: task.count]
    )
    settings = NetworkSettings(drive=DriveSettings(task.bench.settings.read_volts))
    return infer_network(crossbars, plan, maps, samples, settings=settings, unit_siemens=norms, progress=say)


def _by_class(labels: IntArray, chip: IntArray, engine: IntArray) -> list[dict[str, Any]]:
    """Per class: pictures, right answers of chip and engine, and how often both say the same."""
    found = []
    for number in np.unique(labels):
        own = labels == number
        found.append(
            {
                "class": int(number),
                "pictures": int(own.sum()),
                "chip_right": int((chip[own] == number).sum()),
                "engine_right": int((engine[own] == number).sum()),
                "same": int((chip[own] == engine[own]).sum()),
            }
        )
    return found


def _interval(hits: Any) -> dict[str, float]:
    """Share in percent with its score interval."""
    share = wilson(int(np.sum(hits)), len(hits))
    return {name: _percent(value) for name, value in asdict(share).items()}


def _percent(share: float) -> float:
    return round(100 * share, 2)
