"""The steps of a recipe on one die, in their order: numbers to judge the die by, maps, and what it cost.

The same function serves a die under fixed probes and each die of a wafer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtjlab.bench_check import BenchCheck
from mtjlab.errors import InputError
from mtjlab.network_file import PlacedNetwork
from mtjlab.nouns import NO_DIE, ArrayMap, Cost, DieId, Progress, unheard
from mtjlab.recipe_steps import (
    CharacterizeStep,
    CheckStep,
    ClassifyStep,
    ContactStep,
    InferStep,
    ReadStep,
    Step,
    TrainStep,
    WriteStep,
)
from mtjlab.roles import Crossbar
from mtjlab.short_words import in_short

from .characterize_run import IsStopped, not_stopped

KeepMap = Callable[[str, ArrayMap], None]


def _not_kept(name: str, one: Any) -> None:
    del name, one


@dataclass
class DieContext:
    """What the steps of a die share.

    Attributes:
        crossbar: the die, contacted, on a started bench; None for steps that need none.
        unit_siemens: what one unit of weight is worth by design.
        die: which one it is.
        beside: path of a file that a recipe names.
        keep: receives maps by name as they come, partial ones too.
        keep_network: receives the trained network.
        check: the morning check of this bench; None where there is none.
        known: the map of both states, as soon as there is one.
        network: likewise the trained network.
        most_samples: so many samples, spread over all of them, are run through a network; None for all. For rehearsals.
        samples_share: what share of its samples the last network was run with.
    """

    crossbar: Crossbar | None
    unit_siemens: float = 0.0
    die: DieId = NO_DIE
    beside: Callable[[str], Path] = Path
    keep: KeepMap = _not_kept
    keep_network: Callable[[str, PlacedNetwork], object] = _not_kept
    progress: Progress = unheard
    is_stopped: IsStopped = not_stopped
    check: Callable[[Progress], BenchCheck] | None = None
    known: ArrayMap | None = None
    network: PlacedNetwork | None = None
    most_samples: int | None = None
    samples_share: float = 1.0

    @property
    def array(self) -> Crossbar:
        """The die; raises InputError if there is no bench."""
        if self.crossbar is None:
            raise InputError("this step needs a bench", where="bench", remedy="Add 'bench: {simulated: passive15}'")
        return self.crossbar

    @property
    def spent(self) -> Cost:
        """Pulses, readings and bench seconds so far."""
        return Cost() if self.crossbar is None else self.crossbar.spent

    def map_for(self, path: str | None) -> ArrayMap:
        """The map of both states that a step wants: of an earlier run, or this one's."""
        known = ArrayMap.load(self.beside(path)) if path else self.known
        if known is None:
            raise InputError("there is no map of both states", remedy="Put a step 'classify' before this one")
        if self.crossbar is not None and known.shape != self.crossbar.shape:
            raise InputError(f"is a map of {known.shape} for an array of {self.crossbar.shape}", where=path or "map")
        return known


@dataclass(frozen=True, eq=False)
class StepFound:
    """What a step found.

    Attributes:
        numbers: what it can be judged by, by the names in `Step.tests`; NaN where nothing was measured.
        reason: why it ended, in words.
        details: plain values for the record.
        ends_die: whether the steps after it make no sense.
    """

    __repr__ = in_short

    numbers: Mapping[str, float]
    reason: str = "done"
    details: Mapping[str, Any] = field(default_factory=dict)
    ends_die: bool = False


@dataclass(frozen=True, eq=False)
class StepOutcome:
    """What a step came to: what it found, what it cost, and the seconds of this computer."""

    __repr__ = in_short

    step: Step
    found: StepFound
    cost: Cost
    wall_seconds: float


Heard = Callable[[StepOutcome], None]


def run_steps(steps: Sequence[Step], context: DieContext, *, heard: Heard | None = None) -> list[StepOutcome]:
    """Do them in turn; all levels are at 0 V and outputs off after each.

    Args:
        heard: told of each step as soon as it is done, before the next begins.

    Raises InputError before anything is sent if a step does not suit the bench; InstrumentError if an instrument fails.
    """
    outcomes: list[StepOutcome] = []
    for step in steps:
        before, started = context.spent, time.perf_counter()
        with _told_as(step.label, context):
            found = _do(step, context)
        wall = time.perf_counter() - started
        outcomes.append(StepOutcome(step, found, context.spent - before, wall))
        if heard:
            heard(outcomes[-1])
        if found.ends_die:
            break
    return outcomes


@contextmanager
def _told_as(label: str, context: DieContext) -> Iterator[None]:
    """While inside, progress says which step it is of."""
    progress = context.progress
    context.progress = lambda what, done, total: progress(f"{label}: {what}", done, total)
    try:
        yield
    finally:
        context.progress = progress


def numbers_of(outcomes: Sequence[StepOutcome]) -> dict[str, float]:
    """What the die is judged by: `<step>.<number>` -> value."""
    return {f"{one.step.label}.{name}": value for one in outcomes for name, value in one.found.numbers.items()}


def _do(step: Step, context: DieContext) -> StepFound:
    """What a kind of step does; networks need PyTorch, which takes seconds to load."""
    if isinstance(step, TrainStep | InferStep):
        return _do_with_network(step, context)
    from . import die_step_cells, die_step_reads

    match step:
        case CheckStep():
            return die_step_reads.check(step, context)
        case ContactStep():
            return die_step_reads.contact(step, context)
        case ReadStep():
            return die_step_reads.read(step, context)
        case ClassifyStep():
            return die_step_reads.classified(step, context)
        case CharacterizeStep():
            return die_step_cells.characterized(step, context)
        case WriteStep():
            return die_step_cells.written(step, context)
    raise InputError(f"a step '{step.step}' is nothing that is done on a die", remedy="Put it into a recipe of its own")


def _do_with_network(step: TrainStep | InferStep, context: DieContext) -> StepFound:
    from . import die_step_networks

    if isinstance(step, TrainStep):
        return die_step_networks.trained(step, context)
    return die_step_networks.inferred(step, context)
