"""What a recipe would do: rehearsed on simulated instruments, with the bounds that hold whatever the die is like."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cli_open_bench import BenchFiles, OpenBench, into_folder, opened_bench
from .cli_recipe_run import morning_check, plain
from .cli_rehearsal_cost import Reckoner, Spent
from .errors import InputError, MtjlabError

if TYPE_CHECKING:
    from mtjlab.protocols.die_steps import StepOutcome

    from .nouns import Line, Lines, Progress, Reading, Site
    from .recipe import LoadedRecipe, Recipe
    from .recipe_steps import Step
    from .wiring import Wiring

_REHEARSED_NETWORKS = 2
"""Training costs no bench time; a rehearsal needs a network, not a good one."""

_REHEARSED_SAMPLES = 24
"""Running a sample through a network costs what any other does: a rehearsal runs a few, and the rest is reckoned."""
_SLOW = ("infer", "characterize")
"""Steps whose rehearsal may take a minute or more: thousands of messages."""


@dataclass
class _Seen:
    """What the rehearsal exposed cells to."""

    pulses: Counter[Site] = field(default_factory=Counter)
    outcomes: list[StepOutcome] = field(default_factory=list)
    reckoned: list[Spent] = field(default_factory=list)
    messages: int = 0
    bench_seconds: float = 0.0
    incidents: list[str] = field(default_factory=list)

    def listen(self, kind: str, lines: Lines, sense: Sequence[Line], readings: Sequence[Reading]) -> None:
        """A bench's listener."""
        from .bench_plan import selected_sites

        del sense, readings
        if kind == "pulse":
            self.pulses.update(site for site, _ in selected_sites(lines))


def dry_run(
    loaded: LoadedRecipe, files: BenchFiles | None, wiring: Wiring | None, progress: Progress
) -> dict[str, Any]:
    """Dies, touchdowns, transactions, time, worst case on any cell, what would stop it; as plain values."""
    recipe = loaded.recipe
    dies, touchdowns = dies_of(loaded)
    stops, notes = list(_holders(files)), []
    seen = _Seen()
    is_rehearsed = False
    if files is not None and wiring is not None and recipe.needs_bench:
        try:
            _rehearse(loaded, files, wiring, seen, progress)
            is_rehearsed = True
        except _NoTwin as error:
            notes.append(str(error))
        except MtjlabError as error:
            stops.append(f"in the rehearsal: {error}")
        stops += [f"in the rehearsal: {incident}" for incident in seen.incidents]
        notes.append(_about(files, is_rehearsed, recipe))
    steps = [_step(outcome, more) for outcome, more in zip(seen.outcomes, seen.reckoned, strict=True)]
    each = dies or 1
    totals = {name: each * sum(step[name] for step in steps) for name in ("bench_seconds", "readings", "pulses")}
    reckoned = sum(more.bench_seconds for more in seen.reckoned)
    once = seen.bench_seconds + reckoned - totals["bench_seconds"] / each  # instruments are set up once
    totals["bench_seconds"] += once
    messages = seen.messages + round(sum(more.messages for more in seen.reckoned))
    if reckoned:
        notes.append(f"Networks were run with {_REHEARSED_SAMPLES} of their samples; what the others take is reckoned.")
    result: dict[str, Any] = plain(
        {
            "command": "mtjlab run --dry-run",
            "recipe": recipe.recipe,
            "sha256": recipe.digest(),
            "dies": dies,
            "touchdowns": touchdowns,
            "steps": steps,
            **(totals if is_rehearsed else dict.fromkeys(totals)),
            "transactions": each * messages if is_rehearsed else None,
            "worst_case": None if wiring is None else _worst(recipe.steps, wiring, seen if is_rehearsed else None),
            "would_stop": stops,
            "notes": notes,
        }
    )
    return result


def announcement(loaded: LoadedRecipe) -> str:
    """What a rehearsal is, and that it takes its time; empty where nothing is rehearsed."""
    recipe = loaded.recipe
    if not recipe.needs_bench:
        return ""
    count = len(recipe.steps)
    one = "one die" if recipe.wafer is not None else "the die"
    said = f"rehearsing {count} step{'s' * (count > 1)} on {one}, on simulated instruments: nothing is driven."
    slow = [step.label for step in recipe.steps if step.step in _SLOW]
    if slow:
        said += f" {' and '.join(repr(label) for label in slow)} may take a minute or more."
    return said + " Ctrl-C ends it."


def dies_of(loaded: LoadedRecipe) -> tuple[int | None, int | None]:
    """Dies and, at most, touchdowns: of a wafer whose map is known beforehand; None where the prober knows."""
    wafer = loaded.recipe.wafer
    if wafer is None:
        return (1, 1) if loaded.recipe.needs_bench else (0, 0)
    if wafer.map is not None:
        from .wafer_map_files import read_wafer_map

        dies = read_wafer_map(loaded.beside(wafer.map))
    elif wafer.draw is not None:
        from .wafer_map import draw_map

        dies = draw_map(wafer.name, diameter_metres=wafer.draw.diameter_metres, pitch_metres=wafer.draw.pitch_metres)
    else:
        return None, None
    from .wafer_map import SkipRules

    rules = SkipRules(
        edge_metres=wafer.draw.edge_metres if wafer.draw else 0.0,
        only=frozenset(wafer.only),
        never=frozenset(wafer.never),
    )
    if rules != SkipRules():
        dies = dies.with_uses(rules)
    count = len(dies.probed)
    after_cleaning = wafer.clean is not None and wafer.clean.on_bad_contact
    return count, count * (1 + wafer.reprobe.tries + after_cleaning)


class _NoTwin(Exception):  # noqa: N818  (not an error: the bench has an instrument that nothing simulates)
    """Nothing can be rehearsed; the message says why."""


def _rehearse(loaded: LoadedRecipe, files: BenchFiles, wiring: Wiring, seen: _Seen, progress: Progress) -> None:
    from mtjlab.protocols.die_steps import DieContext, run_steps

    recipe = loaded.recipe
    assert recipe.bench is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folder = Path(name).resolve()
        twin = _twin(files, wiring, folder, recipe)
        opening = opened_bench(twin, wiring, recipe.bench, log=folder / "log", listener=seen.listen)
        with opening as bench, _counted(bench, seen):
            reckoner = Reckoner(bench)

            def told(what: str, done: int, total: int) -> None:
                reckoner.hear(what, context.samples_share)
                progress(f"{len(seen.outcomes) + 1} of {len(recipe.steps)}, {what}", done, total)

            def heard(outcome: StepOutcome) -> None:
                seen.outcomes.append(outcome)
                seen.reckoned.append(reckoner.step_is_over(context.samples_share))

            context = DieContext(
                crossbar=bench.crossbar,
                unit_siemens=wiring.device.nominal_on_off_siemens,
                beside=loaded.beside,
                progress=told,
                check=morning_check(bench),
                most_samples=_REHEARSED_SAMPLES,
            )
            run_steps([_quicker(step) for step in recipe.steps], context, heard=heard)
            bench.crossbar.check_errors()


def _twin(files: BenchFiles, wiring: Wiring, folder: Path, recipe: Recipe) -> BenchFiles:
    """A copy of a simulated bench; of real instruments, or of a bench with a prober, twins with a die under them."""
    if files.simulated is not None and recipe.wafer is None:
        return into_folder(files, folder, seed=recipe.bench.seed if recipe.bench else None)
    from .cli_twin import twin_of

    try:
        return twin_of(files, wiring, folder)
    except InputError as error:
        raise _NoTwin(str(error)) from error


@contextmanager
def _counted(bench: OpenBench, seen: _Seen) -> Iterator[None]:
    """Messages and incidents however it ends; the simulated bench is taken down afterwards."""
    assert bench.simulated is not None
    try:
        yield
    finally:
        seen.messages = sum(bench.messages())
        seen.bench_seconds = bench.crossbar.spent.bench_seconds
        seen.incidents = [incident.message for incident in bench.simulated.world.incidents]


def _quicker(step: Step) -> Step:
    from .recipe_steps import TrainStep

    if isinstance(step, TrainStep):
        return step.model_copy(update={"solutions": min(step.solutions, _REHEARSED_NETWORKS)})
    return step


def _holders(files: BenchFiles | None) -> Iterator[str]:
    """Who is using instruments of a real bench now."""
    if files is None or files.simulated is not None:
        return
    from .bench_lock import holder_of
    from .station import addresses_of

    for name, address in addresses_of(files.station).items():
        holder = holder_of(address)
        if holder:
            yield f"instrument '{name}' is in use: {holder}"


def _about(files: BenchFiles, is_rehearsed: bool, recipe: Recipe) -> str:
    if not is_rehearsed:
        return "Nothing was rehearsed to its end: time and transactions are not known; bounds hold all the same."
    is_copy = files.simulated is not None and recipe.wafer is None
    which = "a fresh copy of the simulated bench" if is_copy else "simulated twins of the station's instruments"
    beside = " The chuck's moves are not in the time." if recipe.wafer is not None else ""
    return f"Time, transactions and counts are from a rehearsal on {which}, in simulated time.{beside}"


def _step(outcome: StepOutcome, more: Spent) -> dict[str, Any]:
    cost = outcome.cost
    return {
        "name": outcome.step.label,
        "bench_seconds": round(cost.bench_seconds + more.bench_seconds, 3),
        "readings": cost.readings + round(more.readings),
        "pulses": cost.pulses,
    }


def _worst(steps: Sequence[Step], wiring: Wiring, seen: _Seen | None) -> dict[str, Any]:
    """Bounds from the recipe's own amplitudes and the limits that the bench keeps, whatever the die is like."""
    limits = wiring.device.limits

    def largest(kind: str) -> float:
        return max((abs(getattr(step, name)) for step in steps for name in getattr(step, kind)), default=0.0)

    return {
        "read_volts": largest("reads"),
        "positive_volts": largest("sets"),
        "negative_volts": largest("resets"),
        "pulse_seconds": largest("widths"),
        "amps": limits.compliance_amps,
        "pulses_per_cell": limits.pulses_per_cell,
        "rehearsed_pulses": None if seen is None else max(seen.pulses.values(), default=0),
    }
