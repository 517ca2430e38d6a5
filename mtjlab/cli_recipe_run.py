"""A recipe on one die, from the first check to the bins; everything is kept in a run folder as it comes."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_open_bench import BenchFiles, OpenBench, into_folder, opened_bench, versions
from .errors import InputError, InstrumentError

if TYPE_CHECKING:
    from mtjlab.protocols.die_steps import DieContext, StepOutcome

    from .network_file import PlacedNetwork
    from .nouns import ArrayMap, Progress
    from .recipe import LoadedRecipe
    from .recipe_lock import RecipeLock
    from .store import RunFolder
    from .wiring import Wiring

DONE, FAILED, NOT_GOOD, INTERRUPTED = 0, 1, 3, 130
"""Exit statuses of a run; bad input is 2."""


@dataclass
class RecipeRun:
    """What a run of a recipe is made from, and what there is of its result so far."""

    loaded: LoadedRecipe
    files: BenchFiles | None
    wiring: Wiring | None
    lock: RecipeLock | None
    folder: RunFolder
    command: str
    outcomes: list[StepOutcome] = field(default_factory=list)
    started: str = field(default_factory=lambda: datetime.now().astimezone().isoformat(timespec="seconds"))
    wall_start: float = field(default_factory=time.perf_counter)
    bench: OpenBench | None = None


def run_recipe(run: RecipeRun, progress: Progress) -> tuple[dict[str, Any], int]:
    """Do it; returns the result, which is also in the folder, and the exit status.

    Raises InputError, and leaves no folder behind, if something does not fit before anything was measured.
    """
    from .interrupts import held_off, stop_on_signals

    ending, status = ("complete", ""), DONE
    try:
        with stop_on_signals():
            _do(run, progress)
    except KeyboardInterrupt as stop:
        ending, status = ("stopped", f"stopped by {str(stop) or 'Ctrl-C'}"), INTERRUPTED
    except InputError:
        run.folder.discard()
        raise
    except InstrumentError as error:
        ending, status = ("failed", str(error)), FAILED
    with held_off():
        result = _result(run, *ending)
        run.folder.write_result(result)
        _export(run)
    if status == DONE and not result["bin"]["is_good"]:
        status = NOT_GOOD
    return result, status


def _do(run: RecipeRun, progress: Progress) -> None:
    from mtjlab.protocols.die_steps import run_steps

    recipe = run.loaded.recipe
    with ExitStack() as stack:
        if run.files is not None and recipe.needs_bench:
            assert run.wiring is not None and recipe.bench is not None
            files = into_folder(run.files, run.folder.path, seed=recipe.bench.seed)
            run.bench = stack.enter_context(
                opened_bench(
                    files,
                    run.wiring,
                    recipe.bench,
                    log=run.folder.path / "supervisor.log",
                    listener=run.folder.listen,
                    clocked=lambda clock: setattr(run.folder, "clock", clock),
                )
            )
        run_steps(recipe.steps, _context(run, progress), heard=lambda one: _keep_step(run, one))
        if run.bench is not None:
            run.bench.crossbar.check_errors()


def _context(run: RecipeRun, progress: Progress) -> DieContext:
    from mtjlab.protocols.die_steps import DieContext

    from .nouns import NO_DIE, DieId

    die = run.loaded.recipe.die
    return DieContext(
        crossbar=run.bench.crossbar if run.bench else None,
        unit_siemens=run.wiring.device.nominal_on_off_siemens if run.wiring else 0.0,
        die=DieId(die.wafer, die.x, die.y) if die else NO_DIE,
        beside=run.loaded.beside,
        keep=lambda name, one: run.folder.keep_map(name, _signed(run, one)),
        keep_network=lambda name, network: _keep_network(run, name, network),
        progress=progress,
        check=morning_check(run.bench) if run.bench else None,
    )


def _signed(run: RecipeRun, one: ArrayMap) -> ArrayMap:
    """The map with the die and the recipe that it is from."""
    from .nouns import DieId

    recipe = run.loaded.recipe
    die = one.die if recipe.die is None else DieId(recipe.die.wafer, recipe.die.x, recipe.die.y)
    about = {"recipe": recipe.recipe, "revision": recipe.revision, "recipe_sha256": recipe.digest()}
    return replace(one, die=die, provenance={**one.provenance, **about, "started": run.started})


def _keep_network(run: RecipeRun, name: str, network: PlacedNetwork) -> None:
    network.save(run.folder.path / f"{name}.npz")


def morning_check(bench: OpenBench) -> Callable[[Progress], Any]:
    """The check of an open bench, for the step of that name."""

    def check(progress: Progress) -> Any:
        from datetime import date

        from .bench_check import check_bench

        return check_bench(bench.crossbar, bench.identities, bench.wiring, date.today(), progress)

    return check


def _keep_step(run: RecipeRun, outcome: StepOutcome) -> None:
    """What is known so far is on disk before the next step begins."""
    run.outcomes.append(outcome)
    run.folder.write_result(_result(run, "running", "the next step has begun"))


def _result(run: RecipeRun, status: str, reason: str) -> dict[str, Any]:
    recipe = run.loaded.recipe
    steps = [_step(outcome) for outcome in run.outcomes]
    found: dict[str, Any] = {}
    for outcome in run.outcomes:
        if outcome.step.step == "infer":
            found |= dict(outcome.found.details)
        if outcome.step.step == "classify":
            found["defects"] = _defects(outcome)
    nothing = dict.fromkeys(("software", "predicted_from_map", "on_chip", "on_chip_untuned"))
    result: dict[str, Any] = plain(
        {
            "command": run.command,
            "status": status,
            "reason": reason,
            "started": run.started,
            "recipe": _recipe(run),
            "die": recipe.die.model_dump() if recipe.die else None,
            "steps": steps,
            "bin": _bin(run),
            "accuracy": nothing,
            "write_fidelity": None,
            "defects": {},
            **found,
            **_bench_result(run),
            "warnings": [one for outcome in run.outcomes for one in outcome.found.details.get("warnings", [])],
            "wall_seconds": round(time.perf_counter() - run.wall_start, 2),
            "settings": run.wiring.device.model_dump() if run.wiring else {},
            "versions": versions(),
        }
    )
    return result


def _recipe(run: RecipeRun) -> dict[str, Any]:
    recipe, lock = run.loaded.recipe, run.lock
    return {
        "name": recipe.recipe,
        "revision": recipe.revision,
        "file": str(run.loaded.path),
        "sha256": recipe.digest(),
        "released": None if lock is None else {"by": lock.released_by, "at": lock.released},
        "resolved": recipe.model_dump(mode="json"),
    }


def _step(outcome: StepOutcome) -> dict[str, Any]:
    from .recipe_units import quantity_text

    units = outcome.step.tests
    return {
        "name": outcome.step.label,
        "step": outcome.step.step,
        "numbers": dict(outcome.found.numbers),
        "shown": {
            name: quantity_text(value, units[name]) for name, value in outcome.found.numbers.items() if _is_told(value)
        },
        "reason": outcome.found.reason,
        "details": {} if outcome.step.step == "infer" else dict(outcome.found.details),
        "pulses": outcome.cost.pulses,
        "readings": outcome.cost.readings,
        "bench_seconds": round(outcome.cost.bench_seconds, 3),
        "wall_seconds": round(outcome.wall_seconds, 3),
    }


def _is_told(value: float) -> bool:
    return not math.isnan(value)


def _defects(outcome: StepOutcome) -> dict[str, int]:
    numbers = outcome.found.numbers
    return {name: int(numbers[name]) for name in numbers if outcome.step.tests[name] == "" and name != "defects"}


def _bin(run: RecipeRun) -> dict[str, Any]:
    from mtjlab.protocols.die_steps import numbers_of

    from .bins import sort_die

    bins = run.loaded.recipe.bins
    pairs = [(pair.hard, pair.soft) for pair in (bins.good, bins.unfinished)]
    return asdict(sort_die(numbers_of(run.outcomes), run.loaded.recipe.limits(), pairs[0], pairs[1]))


def _bench_result(run: RecipeRun) -> dict[str, Any]:
    """What the bench spent and how it was left; zeros where there was none."""
    bench = run.bench
    if bench is None:
        zeros = dict.fromkeys(("write_pulses", "readings", "bench_seconds", "visa_writes", "visa_queries"), 0)
        empty: dict[str, Any] = {"instruments": [], "incidents": [], "problems": [], "is_simulated": None}
        return {**zeros, **empty, "outputs_off": None, "outputs": {}, "relays_open": None}
    spent, off, messages = bench.crossbar.spent, bench.crossbar.shutdown_report, bench.messages()
    return {
        "instruments": bench.instruments,
        "write_pulses": spent.pulses,
        "readings": spent.readings,
        "bench_seconds": round(spent.bench_seconds, 3),
        "visa_writes": messages[0],
        "visa_queries": messages[1],
        "incidents": [vars(one) for one in bench.simulated.world.incidents] if bench.simulated else [],
        "outputs_off": bool(off.outputs_off) and all(state is True for state in off.outputs_off.values()),
        "outputs": off.outputs_off,
        "relays_open": off.relays_open,
        "problems": list(off.problems),
        "is_simulated": bench.simulated is not None,
    }


def _export(run: RecipeRun) -> None:
    from .cells_csv import export_maps

    if "csv" in run.loaded.recipe.exports:
        export_maps(run.folder.path)


def folder_name(recipe: str) -> Path:
    """Where a run goes if nobody says: runs/<recipe>-<time>."""
    slug = re.sub(r"[^a-z0-9]+", "-", recipe.casefold()).strip("-") or "run"
    return Path("runs") / f"{slug}-{datetime.now():%Y%m%d-%H%M%S}"


def plain(value: Any) -> Any:
    """The same in JSON's own values: what is not a number is null."""
    if isinstance(value, dict):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)
