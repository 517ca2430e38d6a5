"""`mtjlab probe`: a wafer probed die for die, recorded, sorted, exported, reported; without a bench, a simulated one.

The prober is our driver of a real one over VISA, with a simulated station behind; chips come to a simulated board.
A run that ended early for whatever reason goes on with `--resume`.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .bins import TestLimit
from .cli_notify import NotifyTo, WaferNotices, notifier_for, tell_problems
from .cli_wafer_run import PATIENCE_SECONDS, Controls, finished, show, told_how_to_go_on
from .errors import InputError

if TYPE_CHECKING:
    from mtjlab.protocols.probe_wafer_parts import BinRules, WaferOutcome, WaferSettings

    from .cli_simulated_chips import ChipBench
    from .cli_simulated_stations import SimStage
    from .cli_simulated_wafers import ChipsInTurn, ChipsUnderProber
    from .records import RunStore
    from .run_plan import RunPlan
    from .wafer_map import WaferMap

_SIMULATION = "simulation"
OVERTRAVEL_METRES = 35e-6
CLEAN_EVERY = 100
"""Touch-downs. Both are assumptions."""
LIMITS = (
    TestLimit("survey.line_open", None, 0.0, 3, 30, "broken line"),
    TestLimit("survey.line_short", None, 0.0, 3, 31, "touching lines"),
    TestLimit("survey.healthy_share", 0.997, None, 4, 40, "too many defects"),
    TestLimit("survey.tmr", 0.5, None, 5, 50, "low TMR"),
)
"""Where simulated chips go; assumptions."""


class ProberKind(StrEnum):
    """Probers that can be simulated."""

    VELOX = "velox"
    SENTIO = "sentio"
    MEMORY = "memory"


@dataclass(frozen=True)
class _Request:
    folder: Path
    resume: bool
    seed: int
    wafer: str
    dies: int | None
    prober: str
    station: Path | None
    processes: int
    patience_seconds: float
    operator: str
    card: str


def probe(
    out: Annotated[Path | None, typer.Option(help="Run folder, new or empty. [default: runs/wafer-<time>]")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder of a run that ended early: go on where it stopped.")
    ] = None,
    dies: Annotated[int | None, typer.Option(min=1, help="Only so many dies. [default: all]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which simulated wafer and boards.")] = 1,
    wafer: Annotated[str, typer.Option(help="Packaged wafer, or the path of a wafer file.")] = "cmos20k",
    prober: Annotated[
        ProberKind, typer.Option(help="Which prober; memory: a chuck whose contacts are always good.")
    ] = ProberKind.VELOX,
    station: Annotated[
        Path | None, typer.Option(help="File with the simulated station: card, alignment, skipped dies ...")
    ] = None,
    processes: Annotated[
        int, typer.Option(min=1, help="Processes that simulate chips ahead of the prober; 1: none do.")
    ] = 2,
    report: Annotated[bool, typer.Option(help="Write report.html and report.pdf.")] = True,
    exports: Annotated[
        str, typer.Option(help="Exports, with commas between: csv, parquet, netcdf, stdf, g85 ...")
    ] = "csv,stdf",
    patience: Annotated[
        float, typer.Option(min=0, help="Seconds that a question waits for an answer, where nobody is at a terminal.")
    ] = PATIENCE_SECONDS,
    operator: Annotated[
        str, typer.Option(help="Who probes the wafer. [default: the user of this computer]", show_default=False)
    ] = "",
    card: Annotated[str, typer.Option(help="Id of the probe card that the wafer is probed with.")] = "",
    notify: NotifyTo = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Probe a simulated wafer of 20,000-cell chips: contact, survey, bins; records, exports and a report.

    Exit status 4 if dies are left: `mtjlab probe --resume FOLDER` goes on.
    """
    if out and resume:
        raise InputError("--out is for a new run, --resume for one that is there", remedy="Give one of them")
    if resume and station:
        raise InputError("a run that goes on keeps its station", remedy="Leave --station out")
    folder = resume or out or Path("runs") / f"wafer-{datetime.now():%Y%m%d-%H%M%S}"
    people = (operator, card)
    request = _Request(
        folder, resume is not None, seed, wafer, dies, prober.value, station, processes, patience, *people
    )
    from .exports import require_kinds

    kinds = [kind.strip() for kind in exports.split(",") if kind.strip()]
    require_kinds(kinds)
    began = time.perf_counter()
    notifier = notifier_for(notify, None)
    notices = WaferNotices(notifier, "mtjlab probe")
    with notices.raised(), told_how_to_go_on(folder, "mtjlab probe"):
        outcome = _walked(request, notices)
    notices.ended(outcome)
    result = finished(folder, outcome, began, kinds, report=report)
    tell_problems(notifier)
    raise typer.Exit(show(result, "mtjlab probe", as_json=as_json))


def _walked(request: _Request, notices: WaferNotices) -> WaferOutcome:
    from mtjlab.protocols.probe_wafer import probe_wafer

    from .cli_simulated_wafers import ChipsUnderProber
    from .interrupts import stop_on_signals
    from .screen import ProgressScreen

    with _opened(request) as store:
        what = store.provenance.more[_SIMULATION]
        under = ChipsUnderProber(_chips(what))
        with _stage(store.folder, what, under) as stage, stop_on_signals(), ProgressScreen() as screen:
            stage.align()
            _describe(store, stage, request)
            chips = _under(stage, under, store, request.processes)
            settings, bench = _settings(), chips.bench()
            settings = replace(settings, contact=chips.rules(settings.contact))
            controls = Controls(screen, request.patience_seconds, notices=notices)
            try:
                return probe_wafer(stage.prober, bench, chips.steps(), store, settings, **controls(store, bench))
            finally:
                controls.close()
                for incident in [*stage.incidents, *under.incidents]:
                    typer.echo(f"mtjlab: the simulation logged: {incident}", err=True)


def _settings() -> WaferSettings:
    from mtjlab.protocols.probe_wafer_parts import ContactRules, WaferSettings

    return WaferSettings(
        bins=_bins(),
        contact=ContactRules(tries=2, cleans=True, clean_every=CLEAN_EVERY, most_silent_lines=0),
        overtravel_metres=OVERTRAVEL_METRES,
        writes_bins=True,
    )


def _under(stage: SimStage, under: ChipsUnderProber, store: RunStore, processes: int) -> ChipsInTurn:
    from .cli_simulated_wafers import ChipsAhead, ChipsInTurn

    dies = store.left()
    if processes == 1 or len(dies) < 2:
        return ChipsInTurn(under, stage.place_of, stage.seconds)
    return ChipsAhead(under, stage.place_of, stage.seconds, stage.foretell, dies, processes)


def _stage(folder: Path, what: dict[str, Any], under: ChipsUnderProber) -> SimStage:
    from mtjlab.sim_instruments.prober_spec import StationSpec

    from .cli_simulated_stations import sim_stage

    kind = what.get("prober", ProberKind.MEMORY.value)  # runs before there was a choice
    return sim_stage(folder, kind, under, StationSpec.model_validate(what.get("station", {})), OVERTRAVEL_METRES)


def _opened(request: _Request) -> RunStore:
    from .records import RunStore

    if request.resume:
        return _open_again(request.folder)
    from .map_frame import MapFrame
    from .provenance import file_sha256, here

    what = {
        "wafer": request.wafer,
        "seed": request.seed,
        "prober": request.prober,
        "station": _station(request.station),
    }
    chips = _chips(what)
    wafer_map = _map(chips, what)
    known = here(
        recipe_name="survey of chips",
        recipe_text=json.dumps({"limits": [vars(limit) for limit in LIMITS], "chips": chips.key}),
        limits_revision="1",
        bench=f"simulated prober ({request.prober}) and board",
        is_simulated=True,
        overtravel_meters=OVERTRAVEL_METRES,
        map_orientation=f"{MapFrame.of(wafer_map, ()).words}; from {wafer_map.source}",
        map_transform=json.dumps(wafer_map.transform.as_dict()),
        files_sha256={name: file_sha256(path) for name, path in _files(request).items()},
        subsite=0,
        more={_SIMULATION: what},
        **_people(request),
    )
    return RunStore.create(request.folder, _plan(wafer_map, request.dies), known)


def _open_again(folder: Path) -> RunStore:
    from .records import RunStore

    store = RunStore.open(folder)
    if _SIMULATION not in store.provenance.more:
        store.leave()
        raise InputError(
            "this run was not made by 'mtjlab probe'", where=str(folder), remedy=f"Try 'mtjlab run --resume {folder}'"
        )
    return store


def _files(request: _Request) -> dict[str, Path]:
    """Those that were given, by what they are."""
    given = {"wafer": Path(request.wafer), "station": request.station}
    return {name: path for name, path in given.items() if path is not None and path.is_file()}


def _people(request: _Request) -> dict[str, Any]:
    """What the person who probes has told."""
    known: dict[str, Any] = {"operator": request.operator} if request.operator else {}
    if request.card and not request.resume:
        from .catalogue import touchdowns_of_card

        known["card_touchdowns"] = touchdowns_of_card(request.folder.parent, request.card)
    return known | ({"probe_card": request.card} if request.card else {})


def _describe(store: RunStore, stage: SimStage, request: _Request) -> None:
    """What the prober says of itself, into the run's provenance; the light goes off."""
    from .bench_facts import bench_records, prober_facts, station_snapshot
    from .provenance import InstrumentRecord

    address = str(getattr(stage.prober, "address", ""))
    prober = bench_records({"prober": stage.prober.identity()}, {"prober": address})
    known = prober_facts(stage.prober) | _people(request)
    known["overtravel_meters"] = OVERTRAVEL_METRES
    board = InstrumentRecord("board", model="Daffodil board (simulated)", serial=f"seed {request.seed}")
    store.describe_bench(snapshot=station_snapshot([stage.prober]), instruments=(*prober, board), **known)


def _station(path: Path | None) -> dict[str, Any]:
    from mtjlab.sim_instruments.prober_spec import StationSpec

    from .cli_simulated_stations import AS_LOADED

    if path is None:
        return AS_LOADED.model_dump(mode="json")
    from .yaml_files import check_model, load_yaml

    return check_model(load_yaml(path), StationSpec, path).model_dump(mode="json")


def _map(chips: ChipBench, what: dict[str, Any]) -> WaferMap:
    """The prober's own map, asked for before there is a folder for the run."""
    from .cli_simulated_wafers import ChipsUnderProber

    with tempfile.TemporaryDirectory() as name, _stage(Path(name), what, ChipsUnderProber(chips)) as stage:
        return stage.prober.wafer_map()


def _chips(what: dict[str, Any]) -> ChipBench:
    from .cli_simulated_chips import ChipBench, packaged_wafer
    from .physics.populations import WaferDescription

    path = Path(what["wafer"])
    wafer = WaferDescription.load(path) if path.is_file() else _packaged(what["wafer"], packaged_wafer)
    return ChipBench(wafer, seed=int(what["seed"]))


def _packaged(name: str, packaged: Any) -> Any:
    try:
        return packaged(name)
    except (FileNotFoundError, InputError) as error:
        raise InputError(f"there is no wafer {name!r}", remedy="Give a packaged one (cmos20k) or a file") from error


def _bins() -> BinRules:
    from mtjlab.protocols.probe_wafer_parts import BinRules

    return BinRules(LIMITS)


def _plan(wafer_map: WaferMap, dies: int | None) -> RunPlan:
    from mtjlab.protocols.probe_wafer_parts import CONTACT
    from mtjlab.protocols.probe_wafer_steps import CONTACT_UNITS, SURVEY_UNITS, wafer_plan

    from .cli_simulated_wafers import SURVEY

    only = [(die.x, die.y) for die in wafer_map.route("rows_serpentine")][:dies] if dies else []
    return wafer_plan(wafer_map, {CONTACT: CONTACT_UNITS, SURVEY: SURVEY_UNITS}, _bins(), only=only)
