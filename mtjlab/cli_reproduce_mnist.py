"""`mtjlab reproduce mnist`: networks on many measured dies of a simulated wafer, trained in every way and compared."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_long_work import told_progress
from .errors import InputError

if TYPE_CHECKING:
    from .die_maps import DieMaps
    from .engine.chip_networks import ChipForm
    from .engine.images import ImageData
    from .engine.mnist_study import StudySettings

_QUICK_DIES = 4
_QUICK_PICTURES = (6000, 1000)


def mnist(
    data: Annotated[
        Path | None, typer.Option(help="Folder with the MNIST files. [default: $MTJLAB_DATA, or an earlier download]")
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch MNIST (11 MB, once) if it is not there.")] = False,
    out: Annotated[
        Path, typer.Option(help="Folder that keeps what was measured and computed; a re-run takes it from there.")
    ] = Path("runs/reproduce-mnist"),
    docs: Annotated[Path | None, typer.Option(help="Write page, figure and result into this folder as well.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the wafer, the boards and the trainings.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that measure dies at the same time.")] = 2,
    quick: Annotated[
        bool, typer.Option("--quick", help="A few dies, pictures and epochs, to see that it runs.")
    ] = False,
    on_chip: Annotated[
        int, typer.Option(min=0, help="Test pictures that one die is really written for and run with; 0 for none.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """36 dies of 20,000 junctions running MNIST: ideal, hardware-aware and statistics-aware training."""
    from .engine.images import load_mnist
    from .engine.training import require_torch
    from .report_study import write_study_report

    require_torch()
    pictures = load_mnist(data, may_download=download)
    if quick:
        pictures = pictures.first(*_QUICK_PICTURES)
    with told_progress() as say:
        maps, bench_seconds = _measured(out, seed, workers, _QUICK_DIES if quick else None, say)
        result = _study(pictures, maps, seed, quick, out, say)
        if on_chip:
            result["on_chip"] = _on_chip(pictures, maps, seed, quick, out, on_chip, say)
    result["command"] = "mtjlab reproduce mnist" + (" --quick" if quick else "")
    result["bench_seconds_per_die"] = round(bench_seconds / len(maps), 1)
    page = _write(out, result)
    report = write_study_report(page)
    if docs:
        page = _write(docs, result)
    typer.echo(json.dumps(result) if as_json else f"{_lines(result)}\nwritten to {page}\nReport: {report}")


def forms() -> dict[str, ChipForm]:
    """The forms of network that are compared, all on at most 20,000 devices."""
    from .engine.chip_networks import ChipForm

    return {
        "plain": ChipForm(side=14, hidden=47, output_pairs=1, limits=None),
        "limited parts": ChipForm(),
    }


def _measured(
    out: Path, seed: int, workers: int, dies: int | None, say: Callable[[str, int, int], None]
) -> tuple[DieMaps, float]:
    """Maps of the wafer's dies through the simulated board, and the bench seconds that they took."""
    from .cli_simulated_chips import ChipBench, measured_chips, packaged_wafer
    from .die_maps import DieMaps

    bench = ChipBench(packaged_wafer("cmos20k"), seed=seed)
    surveys = measured_chips(bench, out / "chips", places=bench.wafer.places[:dies], jobs=workers, progress=say)
    maps = DieMaps.of([list(survey.maps.values()) for survey in surveys])
    return maps, float(sum(survey.cost.bench_seconds for survey in surveys))


def _study(
    pictures: ImageData, maps: DieMaps, seed: int, quick: bool, out: Path, say: Callable[[str, int, int], None]
) -> dict[str, Any]:
    from .engine.mnist_study import MnistStudy
    from .engine.mnist_summary import describe_dies, summarise

    started = time.perf_counter()
    settings = _settings(seed, quick)
    found = {
        name: summarise(MnistStudy(form, pictures, maps, settings, out / "stages", say))
        for name, form in forms().items()
    }
    return {
        "command": "",
        "data": pictures.name,
        "seed": seed,
        "dies": describe_dies(maps),
        "forms": found,
        "convolution": _convolution(maps, quick, say),
        "assumptions": _assumptions(),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "versions": _versions(),
    }


def _on_chip(
    pictures: ImageData,
    maps: DieMaps,
    seed: int,
    quick: bool,
    out: Path,
    count: int,
    say: Callable[[str, int, int], None],
) -> dict[str, Any]:
    """The first die written with a statistics-aware network that never saw its fold, and run on the board."""
    from .cli_chip_network import ChipTask, write_and_run
    from .cli_simulated_chips import ChipBench, packaged_wafer
    from .engine.mnist_study import MnistStudy

    name, form = list(forms().items())[-1]
    study = MnistStudy(form, pictures, maps, _settings(seed, quick), out / "stages", say)
    network = study.network(study.statistics_aware(), [int(study.fold[0])])
    bench = ChipBench(packaged_wafer("cmos20k"), seed=seed)
    count = min(count, len(study.data.test_labels))
    task = ChipTask(bench, bench.wafer.places[0], maps[0], network, study.tiling, study.data, count)
    return {"form": f"{name}: {form.name}", **write_and_run(task, say).as_result()}


def _settings(seed: int, quick: bool) -> StudySettings:
    from dataclasses import replace

    from .engine.mnist_study import QUICK, StudySettings

    settings = QUICK if quick else StudySettings()
    seeded = {
        name: replace(getattr(settings, name), seed=seed) for name in ("ideal", "statistics", "hardware", "tuning")
    }
    return replace(settings, **seeded)


def _convolution(maps: DieMaps, quick: bool, say: Callable[[str, int, int], None]) -> dict[str, Any]:
    from .engine.convolution_study import ConvolutionForm, ConvolutionStudy
    from .engine.images import load_digits
    from .engine.mnist_summary import summarise_ways
    from .engine.network_training import NetworkSettings

    form = ConvolutionForm()
    if quick:
        form = ConvolutionForm(training=NetworkSettings(epochs=3, batch=64), hardware=1, seeds=1)
    study = ConvolutionStudy(form, load_digits(), maps, say)
    baseline, errors = study.errors()
    channels = ", ".join(str(count) for count in form.channels)
    return {
        "form": f"convolutions of {channels} channels and a linear layer on {study.data.name}",
        "devices": study.devices,
        "layers": study.layers,
        **summarise_ways(baseline, errors),
    }


def _assumptions() -> list[str]:
    wafer = "`mtjlab/physics/wafers/cmos20k.yaml`"
    return [
        f"Nobody has published the junctions, spreads and defects of such a chip: they are assumptions, in {wafer} and "
        "`mtjlab/physics/die_description.py`. So are the access transistors, the board's errors and noise.",
        "Maps are what the simulated board measured, in both states, with the wires' resistance removed. Networks run "
        "on these maps: products are computed, not measured again; wires are left out.",
        "Conductances count in units of each die's own median G_P − G_AP.",
        "Inputs are applied without rounding; activations, biases and gains are software. Pictures are averaged two by "
        "two pixels, after their rim was cut off where fewer pixels are wanted.",
        "Statistics-aware: the dies are split into two halves; statistics (defect rates and their spread between dies, "
        "what shorts conduct, spreads of conductance) are fitted to one half, the networks are judged on the other.",
        "Limited parts: the digitised current difference of every 25 inputs is cut to a limit before parts are added, "
        "and every output has three pairs of lines; the plain form has neither. Neither has more than 20,000 devices.",
        "Placed: inputs, lines and pairs are permuted on each die, by its own map, for bits that are the same on all.",
    ]


def _write(folder: Path, result: dict[str, Any]) -> Path:
    """Page, figure and result in a folder; returns the page's path."""
    from .engine.mnist_figure import draw_mnist
    from .engine.mnist_page import mnist_page

    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, indent=1, allow_nan=False) + "\n"
        (folder / "reproduce-mnist.json").write_text(text, encoding="utf-8", newline="\n")
        draw_mnist(folder / "reproduce-mnist.png", result["forms"])
        page = folder / "reproduce-mnist.md"
        page.write_text(mnist_page(result, "reproduce-mnist.png"), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", where=str(folder), remedy="Use another folder"
        ) from error
    return page


def _lines(result: dict[str, Any]) -> str:
    """What a terminal shows: per form the baseline and a line per way of training."""
    from .engine.mnist_summary import ways_of

    lines = [f"{result['dies']['count']} dies, test errors in percent (mean; best to worst die; above baseline)"]
    blocks = {**result["forms"], "many layers": result["convolution"]}
    for name, block in blocks.items():
        lines.append(f"{name}: {block['form']}; software baseline {block['baseline']['mean']:.2f}")
        for words, found in ways_of(block):
            lines.append(
                f"  {words:48} {found['mean']:6.2f}   {found['least']:5.2f} to {found['most']:5.2f}   "
                f"{found['above_baseline']:+6.2f}"
            )
    return "\n".join(lines)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    from . import __version__

    return {
        "mtjlab": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "torch")},
    }
