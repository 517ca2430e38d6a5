"""`mtjlab reproduce`: published systems on simulated arrays, each with figures and tables. May import all parts."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_long_work import told_progress
from .cli_reproduce_mnist import mnist
from .errors import InputError

if TYPE_CHECKING:
    from mtjlab.protocols.wine_study_conditions import StudyConditions

    from .engine.datasets import WineData
    from .engine.perceptron import Perceptron

reproduce = typer.Typer(help="Published systems on simulated arrays, with figures and tables.", no_args_is_help=True)
reproduce.command("mnist")(mnist)

_STUDY_FORMAT = 1
"""Counts up when what a block of solutions returns changes, so that stored blocks are computed anew."""


@dataclass(frozen=True)
class _Extent:
    """How much is done.

    Attributes:
        solutions, epochs: of the training.
        arrays: of each kind, over which the solutions are spread.
        kinds: how many of the sizes; None for all sizes and all worse conditions.
        every: under the worse conditions, only every so many-th solution is written.
    """

    solutions: int
    epochs: int
    arrays: int
    kinds: int | None
    every: int = 3


_FULL = _Extent(solutions=300, epochs=2000, arrays=10, kinds=None)
_QUICK = _Extent(solutions=6, epochs=600, arrays=2, kinds=3)


@dataclass(frozen=True, eq=False)
class _Networks:
    """Solutions to be written, the wines they are for, and where they are from in words."""

    perceptron: Perceptron
    data: WineData
    source: str


@reproduce.command()
def wine(
    published: Annotated[
        Path | None, typer.Option(help="Folder of published solutions (dataset/, solutions/) instead of trained ones.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON; with --published the ideal accuracies only.")
    ] = False,
    out: Annotated[
        Path, typer.Option(help="Folder that keeps what was computed; a re-run takes it from there.")
    ] = Path("runs/reproduce-wine"),
    docs: Annotated[Path | None, typer.Option(help="Write page, figure and result into this folder as well.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the split of the wines, the training and the arrays.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that work at the same time.")] = 2,
    quick: Annotated[bool, typer.Option("--quick", help="A few solutions and arrays, to see that it runs.")] = False,
) -> None:
    """300 Wine networks on passive 15 x 15 arrays: ideal, then written with verification and run, untuned and tuned."""
    from .report_study import write_study_report

    extent = _QUICK if quick else _FULL
    if published and as_json:
        typer.echo(json.dumps(_ideal(_published(published))))
        return
    networks = _published(published) if published else _trained(extent, seed, out)
    if published and quick:
        networks = replace(
            networks, perceptron=networks.perceptron.pick(range(min(extent.solutions, len(networks.perceptron))))
        )
    result, rows = _study(networks, extent, seed, workers, out)
    result["command"] = (
        "mtjlab reproduce wine" + (" --published DIR" if published else "") + (" --quick" if quick else "")
    )
    name = "reproduce-wine-published" if published else "reproduce-wine"
    page = _write(out, name, result, rows)
    report = write_study_report(page)
    if docs:
        page = _write(docs, name, result, rows)
    typer.echo(json.dumps(result) if as_json else f"{_lines(result)}\nwritten to {page}\nReport: {report}")


def _published(folder: Path) -> _Networks:
    from .published_solutions import read_published

    found = read_published(folder)
    return _Networks(found.perceptron, found.data, "published by others")


def _trained(extent: _Extent, seed: int, out: Path) -> _Networks:
    from .engine.datasets import load_wine
    from .engine.training import require_torch
    from .engine.wine_solutions import study_settings, trained_solutions

    require_torch()
    data = load_wine(seed)
    settings = study_settings(extent.solutions, extent.epochs, seed)
    what = f"training {extent.solutions} networks, epoch"
    with told_progress() as say:
        perceptron = trained_solutions(data, settings, out, lambda done, all_: say(what, done, all_))
    return _Networks(perceptron, data, "trained here")


def _ideal(networks: _Networks) -> dict[str, Any]:
    from .engine.wine_solutions import ideal_by_g

    return {"solutions": len(networks.perceptron), "by_g": ideal_by_g(networks.perceptron, networks.data)}


def _study(
    networks: _Networks, extent: _Extent, seed: int, workers: int, out: Path
) -> tuple[dict[str, Any], dict[str, list[dict[str, Any]]]]:
    """The result as plain values, and every solution as run, by kind of array."""
    from mtjlab.protocols.wine_study_conditions import SIZES, WORSE, assumptions

    from .engine.wine_summary import pooled, summarise

    started = time.perf_counter()
    kinds = dict.fromkeys(SIZES[: extent.kinds], 1) | ({} if extent.kinds else dict.fromkeys(WORSE, extent.every))
    rows = _run_all(networks, kinds, extent.arrays, seed, workers, out)
    arrays = {
        kind.name: {
            "diameter_nm": kind.diameter_nm,
            "segment_ohms": kind.segment_ohms,
            "parallel_ohms": kind.parallel_ohms,
            **summarise(rows[kind.name]),
        }
        for kind in kinds
    }
    return {
        "command": "",
        "seed": seed,
        "source": networks.source,
        **_ideal(networks),
        "arrays": arrays,
        "rank_correlation": pooled(rows),
        "assumptions": assumptions(),
        "wall_seconds": round(time.perf_counter() - started, 1),
        "versions": _versions(),
    }, rows


@dataclass(frozen=True, eq=False)
class StudyBlock:
    """Some solutions for one array.

    Attributes:
        kind: of array.
        place: (x, y) of the array on its wafer.
        seed: of the wafer and of what happens on the array.
        numbers: of the solutions.
        solutions: themselves.
        data: wines.
        g: see `wine_metrics.metrics_of`.
    """

    kind: StudyConditions
    place: tuple[int, int]
    seed: int
    numbers: list[int]
    solutions: Perceptron
    data: WineData
    g: float


def _run_all(
    networks: _Networks, kinds: Mapping[StudyConditions, int], arrays: int, seed: int, workers: int, out: Path
) -> dict[str, list[dict[str, Any]]]:
    """Solutions as run, by kind, in their order: a block of them on each array, arrays side by side.

    Args:
        kinds: which solutions are written under which conditions: every first, every third ...
    """
    from . import __version__
    from .engine.placement import place_first
    from .sweeps import run_sweep

    for kind in kinds:
        die = kind.wafer().die
        for size in networks.perceptron.layer_sizes:
            place_first(*size, (die.rows, die.cols))  # what does not fit is said before anything is computed
    numbers = range(len(networks.perceptron))
    blocks = [
        block for kind, every in kinds.items() for block in _blocks(networks, kind, numbers[::every], arrays, seed)
    ]
    version = f"{__version__}, format {_STUDY_FORMAT}"
    with told_progress() as say:
        records = run_sweep(
            study_block,
            blocks,
            out / "blocks",
            version=version,
            jobs=workers,
            progress=lambda done, all_, _left: say("writing and running on arrays", done, all_),
        )
    rows: dict[str, list[dict[str, Any]]] = {kind.name: [] for kind in kinds}
    for block, record in zip(blocks, records, strict=True):
        rows[block.kind.name] += record["rows"]
    return rows


def _blocks(
    networks: _Networks, kind: StudyConditions, solutions: range, arrays: int, seed: int
) -> Iterator[StudyBlock]:
    """The solutions shared out over the arrays that are nearest to the wafer's centre."""
    import numpy as np

    from .engine.wine_solutions import STUDY_G

    places = sorted(kind.wafer().places, key=lambda place: (np.hypot(*place), place))[:arrays]
    for place, part in zip(places, np.array_split(np.array(solutions), len(places)), strict=True):
        numbers = [int(number) for number in part]
        yield StudyBlock(kind, place, seed, numbers, networks.perceptron.pick(numbers), networks.data, STUDY_G)


def study_block(block: StudyBlock) -> dict[str, Any]:
    """Write and run the solutions, one after the other, on their array."""
    import numpy as np

    from mtjlab.protocols.wine_study import run_solution, survey_array
    from mtjlab.protocols.wine_study_conditions import LIMITS
    from mtjlab.sim_instruments.array_crossbar import THREE_UNITS, ArrayCrossbar
    from mtjlab.sim_instruments.die import Die

    wafer, (x, y) = block.kind.wafer(), block.place
    rng = np.random.default_rng([block.seed, x & 0xFFFF, y & 0xFFFF])
    die = Die(wafer.die, rng, wafer.draw(x, y, block.seed))
    crossbar = ArrayCrossbar(die, rng, limits=LIMITS, capabilities=THREE_UNITS)
    array = survey_array(crossbar, block.solutions, block.kind)
    rows = []
    for k, number in enumerate(block.numbers):
        crossbar.new_budget()
        row = run_solution(array, block.solutions.solution(k), block.data, block.kind, block.g)
        rows.append({"solution": number, "place": [x, y], **row})
    return {"rows": rows}


def _write(folder: Path, name: str, result: dict[str, Any], rows: dict[str, list[dict[str, Any]]]) -> Path:
    """Page, figure and result in a folder; returns the page's path."""
    from .engine.wine_figure import draw_study
    from .engine.wine_page import study_page

    try:
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(result, indent=1, allow_nan=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8", newline="\n")
        draw_study(folder / f"{name}.png", result["by_g"], rows, result["rank_correlation"])
        page = folder / f"{name}.md"
        page.write_text(study_page(result, f"{name}.png"), encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", where=str(folder), remedy="Use another folder"
        ) from error
    return page


def _lines(result: dict[str, Any]) -> str:
    """What a terminal shows: a line per kind of array."""
    from .engine.wine_metrics import METRICS
    from .engine.wine_summary import best_predictor

    pooled = result["rank_correlation"]["tuned"]
    ideal = result["by_g"]["1.0"]
    lines = [f"{result['solutions']} solutions, ideal at g = 1: {ideal['train_median']:.2f} % (median, training wines)"]
    lines.append("on the arrays (mean fidelity, median accuracies):")
    for name, found in result["arrays"].items():
        untuned, tuned = (found[one]["all"]["median"] for one in ("untuned", "tuned"))
        fidelity = found["write_fidelity"]["mean"]
        lines.append(f"{name:24} fidelity {fidelity:6.2f} %  untuned {untuned:5.1f} %  tuned {tuned:5.1f} %")
    best = best_predictor(pooled)
    if best:
        lines.append(f"goes best with tuned accuracy: {METRICS[best]} (rank correlation {pooled[best]:+.2f})")
    return "\n".join(lines)


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    from . import __version__

    packages = {name: version(name) for name in ("numpy", "scipy", "torch", "joblib")}
    return {"mtjlab": __version__, "python": platform.python_version(), **packages}
