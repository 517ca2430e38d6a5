"""The operator's door: the command `mtjlab`. The only file in this package that may import the other parts."""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from . import __version__
from .cli_bench import bench_draw, bench_list
from .cli_export import export
from .cli_open_bench import left_safe, packaged_bench_file, started, versions
from .cli_probe import probe
from .cli_recipe import recipe
from .cli_report import report
from .cli_reproduce import reproduce
from .cli_run import run
from .cli_runs import runs
from .cli_serve import serve_page
from .cli_short_forms import infer, read, train, write
from .errors import InputError, InstrumentError, LimitError, MtjlabError
from .guarded_bench import guarded, simulated_bench_of

if TYPE_CHECKING:
    from mtjlab.protocols.run_perceptron import RunSettings
    from mtjlab.sim_instruments.simulated_bench import SimBench

    from .bench import MatrixCrossbar
    from .station import OpenStation
    from .store import RunFolder
    from .wiring import Wiring

app = typer.Typer(
    name="mtjlab",
    help="Measure, write and run magnetic tunnel junction arrays.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: drawing boxes would double the time that the command takes to start
)

INTERRUPTED = 130
_PANIC_PATIENCE_SECONDS = 1.0
sim = typer.Typer(help="Simulated benches for other programs.", no_args_is_help=True)
app.add_typer(sim, name="sim")
bench_commands = typer.Typer(help="The instruments of a bench.", no_args_is_help=True)
app.add_typer(bench_commands, name="bench")
app.add_typer(reproduce, name="reproduce")
app.add_typer(recipe, name="recipe")
app.add_typer(runs, name="runs")
bench_commands.command("list")(bench_list)
bench_commands.command("draw")(bench_draw)
for _command in (run, probe, read, write, train, infer, report, export):
    app.command()(_command)
app.command("serve")(serve_page)
StationFile = Annotated[Path, typer.Argument(help="Station file: the instruments and their addresses.")]


@app.callback(invoke_without_command=True)
def root(version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False) -> None:
    """Measure, write and run magnetic tunnel junction arrays."""
    if version:
        typer.echo(f"mtjlab {__version__}")
        raise typer.Exit


@app.command()
def demo(
    seed: Annotated[int, typer.Option(min=0, help="Which simulated die, split of the wines and training.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Run folder, new or empty. [default: runs/demo-<time>]")] = None,
    solutions: Annotated[int, typer.Option(min=1, max=1000, help="Networks to train and choose from.")] = 32,
    bench: Annotated[
        Path | None, typer.Option(help="Your own simulated bench file, with its seed, die and faults.")
    ] = None,
    station: Annotated[Path | None, typer.Option(help="Your own station file, e.g. of real instruments.")] = None,
    wiring: Annotated[Path | None, typer.Option(help="The wiring file that goes with --station or --bench.")] = None,
    write_volts: Annotated[float, typer.Option(help="Highest write amplitude, volts.")] = 0.84,
    segment_ohms: Annotated[
        float | None, typer.Option(min=0, help="Wire resistance per segment of the simulated die, ohms.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON instead of a screen.")] = False,
) -> None:
    """The whole chain: read an array, write a classifier, run it."""
    request = _Request(seed, out, solutions, bench, station, wiring, write_volts, segment_ohms, as_json)
    raise typer.Exit(_demo(request))


@sim.command()
def serve(
    bench: Annotated[str, typer.Argument(help="Name of a packaged bench, or the path of a bench file.")],
    port_base: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the first instrument; 0 for any free ports.")
    ] = 5025,
    host: Annotated[str, typer.Option(help="Interface to listen on.")] = "127.0.0.1",
    allow_remote: Annotated[bool, typer.Option(help="Let other machines drive the bench.")] = False,
    paced: Annotated[bool, typer.Option(help="Let simulated waits really take their time.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the addresses as one line of JSON.")] = False,
) -> None:
    """Put a simulated bench behind TCP sockets, one port per instrument, until Ctrl-C or SIGTERM."""
    from mtjlab.sim_instruments.serving import serve_bench

    serve_bench(
        bench, typer.echo, host=host, port_base=port_base, allow_remote=allow_remote, paced=paced, as_json=as_json
    )


@bench_commands.command("off")
def bench_off(station: StationFile) -> None:
    """The panic button: outputs off, relays open, now.

    Whatever anybody else is doing. Exit status 1 if not all is off.
    """
    from .station import open_instruments
    from .switch_off import as_lines, switch_all_off

    _require_file(station)
    instruments, missing = open_instruments(station)
    report = switch_all_off(instruments, is_recovering=True, patience_seconds=_PANIC_PATIENCE_SECONDS)
    for line in (*as_lines(report), *(f"not reached: {problem}" for problem in missing)):
        typer.echo(line)
    is_off = report.is_safe and not missing
    typer.echo("The bench is off." if is_off else "The bench is NOT known to be off: check the front panels.")
    raise typer.Exit(0 if is_off else 1)


@bench_commands.command("check")
def bench_check(
    station: StationFile,
    wiring: Annotated[Path, typer.Option(help="Wiring file: lines, limits, what is expected of the instruments.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """The morning check of the instruments and of every line.

    Firmware and calibration; path, leakage and contact. Exit status 1 if anything is not as it should be; outputs are
    off and relays open at the end.
    """
    from datetime import date

    from .bench_check import check_bench
    from .interrupts import stop_on_signals
    from .screen import ProgressScreen, show_check
    from .station import open_station
    from .wiring import load_wiring

    for path in (station, wiring):
        _require_file(path)
    loaded = load_wiring(wiring)
    opened = open_station(station, wiring, loaded)
    crossbar = opened.crossbar(loaded)
    try:
        with stop_on_signals(), ProgressScreen() as screen, crossbar:
            found = check_bench(crossbar, crossbar.start(), loaded, date.today(), screen)
    finally:
        opened.close()
    if as_json:
        typer.echo(json.dumps({**asdict(found), "is_good": found.is_good}))
    else:
        show_check(found)
    for problem in crossbar.shutdown_report.problems:
        typer.echo(f"mtjlab: while switching off: {problem}", err=True)
    raise typer.Exit(0 if found.is_good and crossbar.shutdown_report.is_safe else 1)


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise InputError("there is no such file", where=str(path), remedy="Check the path")


@dataclass(frozen=True)
class _Request:
    seed: int
    out: Path | None
    solutions: int
    bench: Path | None
    station: Path | None
    wiring: Path | None
    write_volts: float
    segment_ohms: float | None
    as_json: bool


@dataclass
class _Setup:
    """What a run is made from, checked before anything is opened."""

    folder: RunFolder
    station_file: Path
    wiring_file: Path
    wiring: Wiring
    settings: RunSettings
    bench: SimBench | None
    clock: Callable[[], float]
    started: str = field(default_factory=lambda: datetime.now().astimezone().isoformat(timespec="seconds"))
    wall_start: float = field(default_factory=time.perf_counter)


def _demo(request: _Request) -> int:
    from .engine.training import require_torch
    from .interrupts import held_off

    require_torch()
    folder = _run_folder(request)
    with folder:
        try:
            setup = _set_up(request, folder)
            result, status = _run(request, setup)
        except InputError:
            folder.discard()
            raise
        with held_off():
            folder.write_result(result)
            report = _report(folder.path)
    _show(request, result, report)
    return status


def _run_folder(request: _Request) -> RunFolder:
    from .store import RunFolder

    return RunFolder(request.out or Path("runs") / f"demo-{datetime.now():%Y%m%d-%H%M%S}")


def _set_up(request: _Request, folder: RunFolder) -> _Setup:
    """Check every input and make the simulated bench; opens no instrument."""
    from mtjlab.sim_instruments.simulated_bench import sim_bench

    from .wiring import load_wiring

    if request.station and not request.wiring:
        raise InputError("--station needs --wiring", remedy="Say which matrix column each line of the array is on")
    for path in (request.station, request.wiring, request.bench):
        if path:
            _require_file(path)
    wiring_file = request.wiring or packaged_bench_file("passive15.wiring.yaml")
    wiring = load_wiring(wiring_file)
    settings = _run_settings(request.write_volts, wiring, wiring_file)
    folder.keep_file(wiring_file, "assumed.wiring.yaml")
    station_file, spec = _station_and_bench(request, folder.path)
    bench = sim_bench(spec) if spec else None
    clock = (lambda: bench.world.seconds) if bench else time.monotonic
    folder.clock = clock
    return _Setup(folder, station_file, wiring_file, wiring, settings, bench, clock)


def _run_settings(write_volts: float, wiring: Wiring, wiring_file: Path) -> RunSettings:
    from mtjlab.protocols.run_perceptron import RunSettings
    from mtjlab.protocols.write_verify import WriteSettings

    settings = RunSettings(write=WriteSettings(most_volts=write_volts))
    try:
        for sign in (1, -1):
            wiring.device.limits.check_pulse(sign * write_volts, settings.write.pulse_seconds)
        wiring.device.limits.check_read(settings.read_volts)
    except LimitError as error:
        raise LimitError(error.what, where=f"{wiring_file}, key {error.where}", remedy=error.remedy) from error
    if write_volts < max(settings.write.set_volts, settings.write.reset_volts):
        raise InputError(
            f"--write-volts {write_volts:g} is below the first amplitude of {settings.write.reset_volts:g} V",
            remedy=f"Give at least {settings.write.reset_volts:g}",
        )
    return settings


def _station_and_bench(request: _Request, folder: Path) -> tuple[Path, str | None]:
    """Station file to open, and the simulated bench behind it (None: real instruments)."""
    if request.station:
        (folder / "bench.station.yaml").write_bytes(request.station.read_bytes())
        return request.station, simulated_bench_of(request.station)
    if "@" in str(folder):
        raise InputError("the path holds an '@', which PyVISA reserves", where=str(folder), remedy="Use another --out")
    spec = str(_write_bench_file(request, folder))
    text = packaged_bench_file("passive15.station.yaml").read_text(encoding="utf-8")
    station = folder / "bench.station.yaml"
    station.write_text(text.replace("passive15@mtjlab", json.dumps(f"{spec}@mtjlab")), encoding="utf-8")
    return station, spec


def _write_bench_file(request: _Request, folder: Path) -> Path:
    """The simulated bench of this run: the packaged one or the operator's, with what the options change."""
    from ruamel.yaml import YAML

    from .yaml_files import load_yaml

    source = request.bench or packaged_bench_file("passive15.yaml")
    content = load_yaml(source)
    if request.bench is None:
        content["seed"] = request.seed
    if request.segment_ohms is not None:
        content.setdefault("die", {})["segment_ohms"] = request.segment_ohms
    cabled = source.parent / Path(str(content.get("wiring", ""))).name
    if cabled.is_file():
        (folder / cabled.name).write_bytes(cabled.read_bytes())
    target = folder / "bench.yaml"
    with target.open("w", encoding="utf-8") as file:
        YAML(typ="rt", pure=True).dump(content, file)
    return target


def _run(request: _Request, setup: _Setup) -> tuple[dict[str, Any], int]:
    """The run itself; whatever ends it, the bench is off and the result says how it ended."""
    from .interrupts import stop_on_signals
    from .screen import ProgressScreen
    from .stages import Stages
    from .station import open_station

    opened = open_station(setup.station_file, setup.wiring_file, setup.wiring)
    crossbar = opened.crossbar(setup.wiring, clock=setup.clock, listener=setup.folder.listen)
    result: dict[str, Any] = {}
    ending, status = ("complete", ""), 0
    try:
        with (
            stop_on_signals(),
            ProgressScreen() as screen,
            guarded(None if setup.bench else setup.station_file, setup.folder.path / "supervisor.log"),
            crossbar,
        ):
            stages = Stages(lambda: crossbar.spent, screen)
            result["instruments"] = _identities(crossbar, opened, setup, stages)
            result |= _chain(request, setup, crossbar, stages)
            crossbar.check_errors()
    except KeyboardInterrupt as stop:
        ending, status = ("stopped", f"stopped by {str(stop) or 'Ctrl-C'}"), INTERRUPTED
    except InputError:
        raise
    except InstrumentError as error:
        ending, status = ("failed", str(error)), 1
    finally:
        messages = opened.messages()
        opened.close()
    result["stages"] = stages.close()
    return _completed(result, ending, request, setup, crossbar, messages), status


def _guarded(setup: _Setup) -> AbstractContextManager[None]:
    return guarded(None if setup.bench else setup.station_file, setup.folder.path / "supervisor.log")


def _identities(crossbar: MatrixCrossbar, opened: OpenStation, setup: _Setup, progress: Any) -> list[dict[str, str]]:
    progress("checking instruments", 0, 1)
    identities = started(crossbar, setup.wiring_file)
    progress("checking instruments", 1, 1)
    jobs = crossbar.jobs
    return [
        {"name": name, "address": opened.addresses[name], **vars(identity), "job": jobs[name]}
        for name, identity in identities.items()
    ]


def _chain(request: _Request, setup: _Setup, crossbar: MatrixCrossbar, progress: Any) -> dict[str, Any]:
    from mtjlab.protocols.wine_on_array import as_result, wine_on_array

    outcome = wine_on_array(
        crossbar,
        seed=request.seed,
        solutions=request.solutions,
        untuned_siemens=setup.wiring.device.nominal_on_off_siemens,
        settings=setup.settings,
        progress=progress,
        keep=setup.folder.keep_map,
    )
    return as_result(outcome)


def _completed(
    result: dict[str, Any],
    ending: tuple[str, str],
    request: _Request,
    setup: _Setup,
    crossbar: MatrixCrossbar,
    messages: tuple[int, int],
) -> dict[str, Any]:
    """The result with what every run has, however it ended."""
    spent, off = crossbar.spent, crossbar.shutdown_report
    incidents = setup.bench.world.incidents if setup.bench else []
    nothing = dict.fromkeys(("software", "predicted_from_map", "on_chip", "on_chip_untuned"))
    return {
        "command": "mtjlab demo",
        "status": ending[0],
        "reason": ending[1],
        "started": setup.started,
        "seed": request.seed,
        "accuracy": nothing,
        "write_fidelity": None,
        "defects": {},
        **result,
        "write_pulses": spent.pulses,
        "readings": spent.readings,
        "bench_seconds": round(spent.bench_seconds, 3),
        "wall_seconds": round(time.perf_counter() - setup.wall_start, 2),
        "visa_writes": messages[0],
        "visa_queries": messages[1],
        "incidents": [vars(incident) for incident in incidents],
        "outputs_off": bool(off.outputs_off) and all(state is True for state in off.outputs_off.values()),
        "outputs": off.outputs_off,
        "relays_open": off.relays_open,
        "problems": [*off.problems, *_saturation(result)],
        "is_simulated": setup.bench is not None,
        "settings": _flat_settings(request, setup),
        "versions": versions(),
    }


def _saturation(result: dict[str, Any]) -> list[str]:
    count = result.get("saturated_readings", 0)
    return (
        [f"{count} readings were taken while a source or the ammeter was limiting: do not trust them"] if count else []
    )


def _flat_settings(request: _Request, setup: _Setup) -> dict[str, Any]:
    settings = setup.settings
    return {
        "solutions": request.solutions,
        "read_volts": settings.read_volts,
        **vars(settings.precision),
        **vars(settings.write),
        "device": setup.wiring.device.name,
        **{f"limit_{key}": value for key, value in setup.wiring.device.limits.model_dump().items()},
    }


def _report(folder: Path) -> Path:
    from .report import write_report

    return write_report(folder)


def _show(request: _Request, result: dict[str, Any], report: Path) -> None:
    if request.as_json:
        typer.echo(json.dumps(result))
    else:
        from .screen import show_result

        show_result(result, str(report))
    if result["status"] != "complete":
        typer.echo(f"mtjlab: {result['reason']}", err=True)
        for problem in result["problems"]:
            typer.echo(f"mtjlab: while switching off: {problem}", err=True)
        typer.echo(
            f"mtjlab: {left_safe(result['outputs'], result['relays_open'])} What was measured is in {report.parent}",
            err=True,
        )


def main() -> None:
    """Entry point: one clear line per fault; exit status 2 for bad input, 1 for a broken run, 130 for Ctrl-C."""
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # every matrix of a run is small: more threads only get in each other's way
    # QCoDeS logs what our one clear message already says; without a handler it would go to the terminal as well
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        app()
    except InputError as error:
        typer.echo(f"mtjlab: {error}", err=True)
        sys.exit(2)
    except MtjlabError as error:
        typer.echo(f"mtjlab: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("mtjlab: stopped", err=True)
        sys.exit(INTERRUPTED)
