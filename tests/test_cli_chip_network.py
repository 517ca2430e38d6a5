"""A small network on two kernels of a simulated chip: written, run, and the same classes as the engine says."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from mtjlab.cli_chip_network import ChipRun, ChipTask, write_and_run
from mtjlab.cli_simulated_chips import ChipBench, packaged_wafer
from mtjlab.die_maps import DieMaps
from mtjlab.engine.chip_networks import ChipForm, cells_on, plain_tiling_of
from mtjlab.engine.network_training import NetworkSettings, train_network
from mtjlab.errors import InputError
from mtjlab.nouns import DieId
from mtjlab.protocols.survey_chip import survey_chip

from .engine.chip_maps import easy_pictures

KERNELS, PICTURES = 2, 24
FORM = ChipForm(side=4, hidden=12, output_pairs=2, limits=(1.0, 2.0), part_inputs=5)


@pytest.fixture(scope="module")
def task() -> ChipTask:
    """A network trained for the very cells of a die that was surveyed, where it has defects."""
    bench = ChipBench(packaged_wafer(), seed=3)
    x, y = bench.wafer.places[0]
    kernels = islice(bench.kernels(bench.board_at(x, y)), KERNELS)
    found = survey_chip(kernels, bench.settings, die=DieId(bench.wafer.wafer, x, y))
    maps = DieMaps.of([list(found.maps.values())])
    pictures = easy_pictures(test=PICTURES).shrunk(FORM.side)
    network = FORM.made()
    tiling = plain_tiling_of(network, kernels=KERNELS)
    settings = NetworkSettings(epochs=10, batch=16)
    train_network(network, pictures.train_features, pictures.train_labels, settings, cells=cells_on(maps, tiling))
    return ChipTask(bench, (x, y), maps, network, tiling, pictures, PICTURES)


@pytest.fixture(scope="module")
def heard() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def found(task: ChipTask, heard: list[tuple[str, int, int]]) -> ChipRun:
    return write_and_run(task, lambda *said: heard.append(said))


def test_the_chip_says_what_the_engine_says(found: ChipRun) -> None:
    assert found.run.done.all() and found.incidents == 0
    answers = found.run.outputs.argmax(axis=1)
    assert (answers == found.engine.argmax(axis=1)).mean() >= 0.95
    assert (answers == found.run.labels).mean() > 0.8
    assert np.corrcoef(found.run.outputs.ravel(), np.tanh(found.engine).ravel())[0, 1] > 0.95
    assert np.corrcoef(found.run.outputs.ravel(), found.run.predicted.ravel())[0, 1] > 0.95


def test_every_cell_is_written_with_verification(task: ChipTask, found: ChipRun) -> None:
    assert len(found.writes) == KERNELS
    asked = sum(int((one.target >= 0).sum()) for one in found.writes)
    assert asked == task.tiling.devices == 16 * 24 + 12 * 40
    wrong = sum(int(((one.target >= 0) & (one.written.state != one.target)).sum()) for one in found.writes)
    assert wrong <= sum(len(one.unwritten) for one in found.writes) + sum(
        int(count[0]) for count in task.maps.defect_counts().values()
    )


def test_its_figures_are_what_was_found(found: ChipRun, heard: list[tuple[str, int, int]]) -> None:
    result = found.as_result()
    answers, labels = found.run.outputs.argmax(axis=1), found.run.labels
    assert result["pictures"] == PICTURES and result["kernels"] == KERNELS
    assert result["error"]["chip"]["value"] == pytest.approx(100 * float((answers != labels).mean()), abs=0.01)
    assert result["error"]["chip"]["low"] <= result["error"]["chip"]["value"] <= result["error"]["chip"]["high"]
    assert sum(one["pictures"] for one in result["by_class"]) == PICTURES
    assert sum(one["chip_right"] for one in result["by_class"]) == int((answers == labels).sum())
    assert result["write_fidelity"] > 97 and result["bench_seconds_per_picture"] > 0
    assert ("writing kernels", 2, 2) in heard and ("running", PICTURES, PICTURES) in heard


@pytest.mark.parametrize("changes", [{"count": 0}, {"count": PICTURES + 1}])
def test_as_many_pictures_as_there_are(task: ChipTask, changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"pictures of {PICTURES}"):
        replace(task, **changes)
    with pytest.raises(InputError, match="2 dies"):
        replace(task, maps=DieMaps.joined([task.maps, task.maps]))
