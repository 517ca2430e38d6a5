"""`mtjlab probe`: a wafer probed die for die, recorded, sorted, exported, reported; without a bench, a simulated one.

A run that ended early for whatever reason goes on with `--resume`.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .bins import TestLimit
from .cli_notify import NotifyTo, WaferNotices, notifier_for, tell_problems
from .cli_wafer_run import PATIENCE_SECONDS, Controls, finished, require_exports, show
from .errors import InputError

if TYPE_CHECKING:
    from mtjlab.protocols.probe_wafer_parts import BinRules, WaferOutcome

    from .cli_simulated_chips import ChipBench
    from .cli_simulated_wafers import ChipsAhead, ChipsUnderProber
    from .records import RunStore
    from .run_plan import RunPlan

_SIMULATION = "simulation"
LIMITS = (
    TestLimit("survey.line_open", None, 0.0, 3, 30, "broken line"),
    TestLimit("survey.line_short", None, 0.0, 3, 31, "touching lines"),
    TestLimit("survey.healthy_share", 0.997, None, 4, 40, "too many defects"),
    TestLimit("survey.tmr", 0.5, None, 5, 50, "low TMR"),
)
"""Where simulated chips go; assumptions."""


@dataclass(frozen=True)
class _Request:
    folder: Path
    resume: bool
    seed: int
    wafer: str
    dies: int | None
    processes: int
    patience_seconds: float


def probe(
    out: Annotated[Path | None, typer.Option(help="Run folder, new or empty. [default: runs/wafer-<time>]")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Folder of a run that ended early: go on where it stopped.")
    ] = None,
    dies: Annotated[int | None, typer.Option(min=1, help="Only so many dies. [default: all]")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which simulated wafer and boards.")] = 1,
    wafer: Annotated[str, typer.Option(help="Packaged wafer, or the path of a wafer file.")] = "cmos20k",
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
    notify: NotifyTo = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Probe a simulated wafer of 20,000-cell chips: contact, survey, bins; records, exports and a report.

    Exit status 4 if dies are left: `mtjlab probe --resume FOLDER` goes on.
    """
    if out and resume:
        raise InputError("--out is for a new run, --resume for one that is there", remedy="Give one of them")
    folder = resume or out or Path("runs") / f"wafer-{datetime.now():%Y%m%d-%H%M%S}"
    request = _Request(folder, resume is not None, seed, wafer, dies, processes, patience)
    kinds = [kind.strip() for kind in exports.split(",") if kind.strip()]
    require_exports(kinds)
    began = time.perf_counter()
    notifier = notifier_for(notify, None)
    notices = WaferNotices(notifier, "mtjlab probe")
    with notices.raised():
        outcome = _walked(request, notices)
    notices.ended(outcome)
    result = finished(folder, outcome, began, kinds, report=report)
    tell_problems(notifier)
    raise typer.Exit(show(result, "mtjlab probe", as_json=as_json))


def _walked(request: _Request, notices: WaferNotices) -> WaferOutcome:
    from dataclasses import replace

    from mtjlab.protocols.probe_wafer import probe_wafer
    from mtjlab.protocols.probe_wafer_parts import WaferSettings

    from .cli_simulated_wafers import ChipsAhead
    from .interrupts import stop_on_signals
    from .screen import ProgressScreen

    settings = WaferSettings(bins=_bins(), overtravel_metres=20e-6)
    with _opened(request) as store:
        chips = _chips(store.provenance.more[_SIMULATION])
        under = _under(chips, store, request.processes)
        if isinstance(under, ChipsAhead):
            settings = replace(settings, contact=replace(settings.contact, check=under.check))
        bench = under.bench()
        with stop_on_signals(), ProgressScreen() as screen:
            controls = Controls(screen, request.patience_seconds, notices=notices)
            try:
                return probe_wafer(under.prober, bench, under.steps(), store, settings, **controls(store, bench))
            finally:
                controls.close()


def _under(chips: ChipBench, store: RunStore, processes: int) -> ChipsUnderProber | ChipsAhead:
    from .cli_simulated_wafers import ChipsAhead, ChipsUnderProber

    dies = store.left()
    return ChipsAhead(chips, dies, processes) if processes > 1 and len(dies) > 1 else ChipsUnderProber(chips)


def _opened(request: _Request) -> RunStore:
    from .records import RunStore

    if request.resume:
        return RunStore.open(request.folder)
    from .provenance import here

    what = {"wafer": request.wafer, "seed": request.seed}
    chips = _chips(what)
    plan = _plan(chips, request.dies)
    known = here(
        recipe_name="survey of chips",
        recipe_text=json.dumps({"limits": [vars(limit) for limit in LIMITS], "chips": chips.key}),
        limits_revision="1",
        bench="simulated prober and board",
        is_simulated=True,
        overtravel_meters=20e-6,
        clock_source="simulated",
        map_orientation="notch at 180 degrees, x to the right, y up",
        more={_SIMULATION: what},
    )
    return RunStore.create(request.folder, plan, known)


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


def _plan(chips: ChipBench, dies: int | None) -> RunPlan:
    from mtjlab.protocols.probe_wafer_parts import CONTACT
    from mtjlab.protocols.probe_wafer_steps import CONTACT_UNITS, SURVEY_UNITS, wafer_plan

    from .cli_simulated_wafers import SURVEY, map_of_wafer

    wafer_map = map_of_wafer(chips.wafer)
    only = [(die.x, die.y) for die in wafer_map.route("rows_serpentine")][:dies] if dies else []
    return wafer_plan(wafer_map, {CONTACT: CONTACT_UNITS, SURVEY: SURVEY_UNITS}, _bins(), only=only)
