"""A trained network written onto a simulated chip of 20,000 junctions and run there, beside what the engine predicts.

Other dies of the wafer are surveyed through the simulated board, a network is trained for dies with their statistics,
and it goes onto a die that training has not seen: kernel by kernel with verification, then test pictures, one by one.
Surveys that `mtjlab reproduce mnist` keeps in runs/reproduce-mnist are taken from there. The quick version has eight
kernels per die and a smaller network. MNIST must be at hand (MTJLAB_DATA); the quick version takes 8 x 8 digits.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtjlab.cli_chip_network import ChipTask, write_and_run
from mtjlab.cli_simulated_chips import ChipBench, measured_chips, packaged_wafer
from mtjlab.die_maps import DieMaps
from mtjlab.nouns import DieId
from mtjlab.protocols.survey_chip import ChipSurvey, survey_chip

if TYPE_CHECKING:
    from mtjlab.engine.chip_networks import ChipForm
    from mtjlab.engine.images import ImageData

_KEPT = Path("runs/reproduce-mnist/chips")
_HEADINGS = ["what", "error, %", "95 % interval"]


@dataclass(frozen=True)
class _Extent:
    """How much is done.

    Attributes:
        dies: that are surveyed; the network is run on the first and trained for the statistics of the others.
        kernels: of each die.
        epochs: of training.
        pictures: that are run on the chip.
    """

    dies: int
    kernels: int
    epochs: int
    pictures: int


_FULL = _Extent(dies=5, kernels=32, epochs=10, pictures=300)
_QUICK = _Extent(dies=2, kernels=8, epochs=20, pictures=60)


def _surveys(bench: ChipBench, extent: _Extent, *, quick: bool) -> list[ChipSurvey]:
    places = bench.wafer.places[: extent.dies]
    if not quick:
        return measured_chips(bench, _KEPT, places=places)
    return [
        survey_chip(
            islice(bench.kernels(bench.board_at(x, y)), extent.kernels),
            bench.settings,
            die=DieId(bench.wafer.wafer, x, y),
        )
        for x, y in places
    ]


def _form_and_pictures(*, quick: bool) -> tuple[ChipForm, ImageData]:
    from mtjlab.engine.chip_networks import ChipForm
    from mtjlab.engine.images import load_digits, load_mnist

    form = ChipForm(side=8, hidden=24, output_pairs=2) if quick else ChipForm()
    return form, load_digits() if quick else load_mnist().shrunk(form.side)


def _task(extent: _Extent, *, quick: bool) -> ChipTask:
    from mtjlab.engine.chip_networks import plain_tiling_of
    from mtjlab.engine.die_sampling import FittedDies, fit_statistics
    from mtjlab.engine.network_training import NetworkSettings, train_network

    form, pictures = _form_and_pictures(quick=quick)
    bench = ChipBench(packaged_wafer(), seed=1)
    maps = DieMaps.of([list(survey.maps.values()) for survey in _surveys(bench, extent, quick=quick)])
    network = form.made()
    shapes = tuple((layer.inputs, layer.lines) for layer in network.crossbars().values())
    source = FittedDies(fit_statistics(maps.select(range(1, extent.dies))), shapes)
    settings = NetworkSettings(epochs=extent.epochs, batch=64 if quick else 128)
    train_network(network, pictures.train_features, pictures.train_labels, settings, dies=source)
    tiling = plain_tiling_of(network, kernels=extent.kernels)
    return ChipTask(bench, bench.wafer.places[0], maps[0], network, tiling, pictures, extent.pictures)


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    started = time.perf_counter()
    extent = _QUICK if quick else _FULL
    task = _task(extent, quick=quick)
    result = write_and_run(task).as_result()
    defects = {name: int(count[0]) for name, count in task.maps.defect_counts().items() if count[0]}
    names = {
        "chip": "on the chip",
        "predicted_from_maps": "predicted from the maps as written",
        "engine": "engine, on the map as surveyed",
        "software": "perfect devices",
    }
    rows: list[list[Any]] = [_HEADINGS]
    for name, words in names.items():
        rows.append([words, *_cells(result["error"][name])])
    rows.append(["same class as the engine", *_cells(result["same_class_as_engine"])])
    rows.append(["same class as predicted", *_cells(result["same_class_as_predicted"])])
    rows.append(["cells written right", f"{result['write_fidelity']:.2f}", ""])
    title = f"{result['pictures']} pictures of {task.pictures.name} on one chip"
    result |= {"defects": defects, "seconds": round(time.perf_counter() - started, 1)}
    return title, rows, result


def _cells(found: dict[str, float]) -> list[str]:
    return [f"{found['value']:.1f}", f"{found['low']:.1f} to {found['high']:.1f}"]
