"""A recipe on every die of a wafer: bench and prober opened, the map found and proven, the walk, exports, report."""

from __future__ import annotations

import gc
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_open_bench import BenchFiles, OpenBench, into_folder, opened_bench, started
from .errors import InputError, InstrumentError

if TYPE_CHECKING:
    from mtjlab.protocols.die_steps import DieContext
    from mtjlab.protocols.probe_wafer_parts import Step, Visit, WaferBench, WaferOutcome

    from .prober import Prober
    from .provenance import Provenance
    from .recipe import LoadedRecipe, WaferPart
    from .records import RunStore
    from .wafer_map import MapDie, WaferMap
    from .wiring import Wiring

DIGEST, RECIPE_FILE = "recipe_digest", "recipe_file"
"""Where a run keeps what it was made from, in its provenance."""


@dataclass(frozen=True)
class WaferRun:
    """What a wafer recipe is run with.

    Attributes:
        folder: of the run: new, or that of the run that is resumed.
        known: fields of `Provenance` that the person at the bench tells: operator, probe_card.
        processes: that measure dies of a simulated bench ahead of the prober; 1: none do.
        person: asked by a prober that is moved by hand; None: as the prober itself would ask.
    """

    loaded: LoadedRecipe
    files: BenchFiles
    wiring: Wiring
    folder: Path
    is_resumed: bool
    known: Mapping[str, Any] = field(default_factory=dict)
    processes: int = 1
    person: Callable[[str], str] | None = None

    @property
    def part(self) -> WaferPart:
        """What the recipe says of the wafer."""
        assert self.loaded.recipe.wafer is not None
        return self.loaded.recipe.wafer


def walk(run: WaferRun, hands: Callable[[RunStore, WaferBench], dict[str, Any]]) -> WaferOutcome:
    """Probe the wafer, or go on with it.

    Args:
        hands: makes `ask`, `should_stop` and `progress` of `probe_wafer` from the run's store and bench.
    """
    from mtjlab.protocols.probe_wafer import probe_wafer
    from mtjlab.protocols.probe_wafer_recipe import wafer_settings

    from .cli_benches_ahead import benches_ahead
    from .records import RunStore
    from .run_folder import require_unused

    if run.is_resumed:
        store = RunStore.open(run.folder)
        _require_same_recipe(run, store)
    else:
        require_unused(run.folder)  # before a prober moves to prove a map
        with _prober_of(run) as prober:
            wafer_map = _map(run, prober)
        store = _created(run, wafer_map)
    with store:
        files = into_folder(run.files, run.folder, seed=_bench_part(run).seed)
        log = run.folder / "supervisor.log"
        with opened_bench(files, run.wiring, _bench_part(run), log=log) as bench, _opened(files, run) as prober:
            _describe(run, store, bench, prober)
            under = _bench(bench, files)
            _remember(files, run.folder)
            steps, settings = steps_on(run, bench), wafer_settings(run.loaded.recipe, run.part)
            with benches_ahead(run, files, store, steps, settings) as (steps, settings), _loaded_for_good():
                return probe_wafer(prober, under, steps, store, settings, **hands(store, under))


def steps_on(run: WaferRun, bench: OpenBench) -> list[Step]:
    """The recipe's steps on this bench."""
    from mtjlab.protocols.probe_wafer_recipe import wafer_steps

    return wafer_steps(run.loaded.recipe, lambda visit: _context(run, bench, visit))


@contextmanager
def _loaded_for_good() -> Iterator[None]:
    """Meanwhile the garbage collector leaves alone what has been loaded by now: libraries, mostly."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def recipe_of(folder: Path) -> Path:
    """The recipe that a run was made with. Raises InputError if it was not made with one."""
    from .store import open_run

    with open_run(folder) as run:
        name = str(run.provenance.more.get(RECIPE_FILE, ""))
    if not name:
        raise InputError("this run was not made with a recipe", where=str(folder), remedy="Try 'mtjlab probe --resume'")
    return Path(name)


def _require_same_recipe(run: WaferRun, store: RunStore) -> None:
    if store.provenance.more.get(DIGEST) != run.loaded.recipe.digest():
        store.leave()
        raise InputError(
            "the recipe has changed since the run began",
            where=str(run.loaded.path),
            remedy="Put it back as it was, or begin a new run",
        )


def _created(run: WaferRun, wafer_map: WaferMap) -> RunStore:
    from mtjlab.protocols.probe_wafer_recipe import step_units, wafer_settings
    from mtjlab.protocols.probe_wafer_steps import wafer_plan

    from .records import RunStore

    recipe, part = run.loaded.recipe, run.part
    bins = wafer_settings(recipe, part).bins
    plan = wafer_plan(wafer_map, step_units(recipe), bins, order=part.order)
    return RunStore.create(run.folder, plan, _provenance(run, wafer_map))


def _provenance(run: WaferRun, wafer_map: WaferMap) -> Provenance:
    import json

    from .catalogue import touchdowns_of_card
    from .map_frame import MapFrame
    from .provenance import file_sha256, here

    recipe, part = run.loaded.recipe, run.part
    file = run.loaded.beside(part.map) if part.map else None
    known: dict[str, Any] = dict(run.known)
    if card := known.get("probe_card"):
        known["card_touchdowns"] = touchdowns_of_card(run.folder.parent, card)
    return here(
        **known,
        files_sha256={name: file_sha256(path) for name, path in run.files.named().items()},
        subsite=0,
        recipe_name=recipe.recipe,
        recipe_revision=str(recipe.revision),
        recipe_text=json.dumps(recipe.model_dump(mode="json"), sort_keys=True),
        limits_revision=str(recipe.revision),
        map_file=str(file or ""),
        map_sha256=file_sha256(file) if file else "",
        map_orientation=f"{MapFrame.of(wafer_map, ()).words}; from {wafer_map.source}",
        map_transform=json.dumps(wafer_map.transform.as_dict()),
        bench=_bench_name(run.files),
        is_simulated=run.files.simulated is not None,
        overtravel_meters=part.overtravel_metres,
        more={
            DIGEST: recipe.digest(),
            RECIPE_FILE: str(run.loaded.path.resolve()),
            "bench_files": {name: str(path.resolve()) for name, path in run.files.named().items()},
        },
    )


def _bench_name(files: BenchFiles) -> str:
    """What people call it: `arrays` of `arrays.yaml` or `arrays.station.yaml`, wherever that lies."""
    return (files.simulated or files.station).stem.removesuffix(".station")


def _describe(run: WaferRun, store: RunStore, bench: OpenBench, prober: Prober) -> None:
    """What instruments and prober say of themselves, into the run's provenance; the microscope's light goes off."""
    from datetime import date

    from .bench_facts import bench_records, prober_facts, station_snapshot
    from .station import addresses_of
    from .yaml_files import load_yaml

    name = run.part.prober or "prober"
    addresses = bench.station.addresses | {name: addresses_of(run.files.station).get(name, "")}
    until = {each: expected.calibrated_until for each, expected in run.wiring.expected.items()}
    found: dict[str, Any] = {**prober_facts(prober), **run.known}
    if run.part.overtravel_metres is not None:
        found["overtravel_meters"] = run.part.overtravel_metres
    store.describe_bench(
        snapshot=station_snapshot([*bench.station.instruments, prober], load_yaml(run.files.station)),
        instruments=bench_records({**bench.identities, name: prober.identity()}, addresses, until),
        **found,
    )
    for each in store.provenance.overdue(date.today()):
        store.note(f"the calibration of {each.name} has run out ({each.calibration_due})", "calibration")


def _bench_part(run: WaferRun) -> Any:
    assert run.loaded.recipe.bench is not None
    return run.loaded.recipe.bench


# prober and map


@contextmanager
def _prober_of(run: WaferRun) -> Iterator[Prober]:
    """The prober before there is a folder for the run; of a simulated bench, one of its own."""
    with tempfile.TemporaryDirectory() as name:
        files = into_folder(run.files, Path(name), seed=_bench_part(run).seed)
        with _opened(files, run) as prober:
            yield prober
        if files.simulated is not None:
            from mtjlab.sim_instruments.simulated_bench import sim_bench

            sim_bench(str(files.simulated)).close()


def _remember(files: BenchFiles, folder: Path) -> None:
    """A simulated station goes on where it was when the run ended, as a real one does."""
    if files.simulated is None:
        return
    from mtjlab.sim_instruments.prober_instrument import SimProber
    from mtjlab.sim_instruments.prober_journal import StationJournal
    from mtjlab.sim_instruments.simulated_bench import sim_bench

    for instrument in sim_bench(str(files.simulated)).by_name.values():
        if isinstance(instrument, SimProber) and not instrument.station.has_journal:
            instrument.station.remember(StationJournal(folder / "station.jsonl"))


@contextmanager
def _opened(files: BenchFiles, run: WaferRun) -> Iterator[Prober]:
    from .station import open_prober

    prober: Any = open_prober(files.station, run.part.prober or "prober")
    if run.person is not None and hasattr(prober, "use_person"):
        prober.use_person(run.person)
    try:
        yield prober
    finally:
        prober.close()


def _map(run: WaferRun, prober: Prober) -> WaferMap:
    """The dies of the wafer in the prober's coordinates; one that does not come from the prober is proven there."""
    part = run.part
    found = _given_map(run) or prober.wafer_map()
    found = replace(found, wafer=part.name, lot=part.lot or found.lot)
    if part.only or part.never:
        from .wafer_map import DieUse

        only, never = set(part.only), set(part.never)
        for place in only | never:
            found.die(*place)
        skipped = {(d.x, d.y) for d in found.dies if (only and (d.x, d.y) not in only) or (d.x, d.y) in never}
        dies = tuple(replace(d, use=DieUse.SKIP) if (d.x, d.y) in skipped else d for d in found.dies)
        found = replace(found, dies=dies)
    if not found.probed:
        raise InputError("no die is left to be probed", where=str(run.loaded.path), remedy="Look at 'only' and 'never'")
    if part.map is not None or part.draw is not None:
        _prove(prober, found, part.most_overtravel_metres)
    return found


def _given_map(run: WaferRun) -> WaferMap | None:
    part = run.part
    if part.map is not None:
        from .wafer_map_files import read_wafer_map

        return read_wafer_map(run.loaded.beside(part.map))
    if part.draw is None:
        return None
    from .wafer_map import SkipRules, draw_map

    drawn = part.draw
    rules = SkipRules(edge_metres=drawn.edge_metres)
    return draw_map(part.name, diameter_metres=drawn.diameter_metres, pitch_metres=drawn.pitch_metres, skip=rules)


def _prove(prober: Prober, wafer_map: WaferMap, limit_metres: float) -> None:
    """Go to three dies of a triangle as wide as the wafer, without touching, where there are such."""
    from .map_proof import prove_map
    from .prober import MOST_OVERTRAVEL_METRES

    corners = _triangle(wafer_map)
    if corners:
        prober.prepare(overtravel_limit_metres=min(limit_metres, MOST_OVERTRAVEL_METRES))
        prove_map(prober, wafer_map, corners)


def _triangle(wafer_map: WaferMap) -> list[MapDie]:
    dies = wafer_map.probed
    first = min(dies, key=lambda die: (die.y, die.x))
    second = max(dies, key=lambda die: (abs(die.x - first.x) + abs(die.y - first.y), die.x))
    dx, dy = second.x - first.x, second.y - first.y
    third = max(dies, key=lambda die: abs(dx * (die.y - first.y) - dy * (die.x - first.x)))
    is_triangle = dx * (third.y - first.y) - dy * (third.x - first.x) != 0
    return [first, second, third] if is_triangle else []


# bench


def _bench(bench: OpenBench, files: BenchFiles) -> WaferBench:
    from mtjlab.protocols.probe_wafer_parts import Arrays, WaferBench

    from .nouns import DieId

    crossbar, smus = bench.crossbar, bench.station.smus
    instruments: list[Any] = [*smus.values(), bench.station.matrix]
    told: list[DieId] = []

    def arrays(die: DieId) -> Arrays:
        if told[-1:] != [die]:
            crossbar.new_die()
            told[:] = [die]
        return [("array", lambda: crossbar)]

    def recover() -> None:
        """What failed listens again; nothing is known of what it did, so the bench is started anew."""
        for instrument in instruments:
            instrument.recover()
        report = crossbar.shutdown()
        if not report.is_safe:
            raise InstrumentError("; ".join(report.problems) or "not everything is off", remedy="Look at the bench")
        started(crossbar, files.wiring)

    return WaferBench(
        arrays, crossbar.idle, _clock(bench), {name: smu.is_output_on for name, smu in smus.items()}, recover
    )


def _clock(bench: OpenBench) -> Callable[[], float]:
    import time

    simulated = bench.simulated
    return time.monotonic if simulated is None else lambda: simulated.world.seconds


def _context(run: WaferRun, bench: OpenBench, visit: Visit) -> DieContext:
    from mtjlab.protocols.die_steps import DieContext

    from .cli_recipe_run import morning_check

    return DieContext(
        crossbar=bench.crossbar,
        unit_siemens=run.wiring.device.nominal_on_off_siemens,
        die=visit.die,
        beside=run.loaded.beside,
        progress=visit.progress,
        check=morning_check(bench),
    )
