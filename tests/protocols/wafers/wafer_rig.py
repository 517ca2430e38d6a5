"""A wafer of small arrays, a prober and a store, in memory and on disk, that can be told to fail at any transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from mtjlab.bins import TestLimit
from mtjlab.crossbar_around import CrossbarAround
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import DieId, Line, Lines, Reading
from mtjlab.physics.die_description import DieDescription
from mtjlab.prober import DiePosition
from mtjlab.protocols.probe_wafer import probe_wafer
from mtjlab.protocols.probe_wafer_parts import (
    CONTACT,
    Answer,
    Arrays,
    BinRules,
    ContactRules,
    Question,
    Step,
    StepResult,
    Visit,
    WaferBench,
    WaferOutcome,
    WaferSettings,
)
from mtjlab.protocols.probe_wafer_steps import CONTACT_UNITS, SURVEY_UNITS, survey_step, wafer_plan
from mtjlab.provenance import Provenance
from mtjlab.records import RunStore
from mtjlab.sim_instruments.array_crossbar import ArrayCrossbar
from mtjlab.sim_instruments.die import Die
from mtjlab.sim_instruments.memory_prober import MemoryProber
from mtjlab.wafer_map import MapDie, WaferMap

SIDE = 5
PLACES = [(0, 0), (1, 0), (2, 0), (2, 1), (1, 1), (0, 1)]
UNITS = {CONTACT: CONTACT_UNITS, "survey": SURVEY_UNITS}
BINS = BinRules((TestLimit("survey.healthy_share", 0.9, None, 2, 20, "defects"),))


class RigProber(MemoryProber):
    """May also fail before it moves."""

    ordered: Callable[[], None]

    def _step_to(self, wanted: DiePosition) -> None:
        self.ordered()
        super()._step_to(wanted)

    def _touch_down(self) -> None:
        self.ordered()
        super()._touch_down()

    def _lift_off(self) -> None:
        if self.is_down:
            self.ordered()
        super()._lift_off()


@dataclass
class Rig:
    """Everything that a run needs, and what happened.

    Attributes:
        failing: what is raised at which transaction: ("bench", n) by the n-th measurement, ("command", n) before the
            prober's n-th move, ("move", n) after it, ("idle", n) while the bench is brought to idle.
        silent_dies: dies that make no contact until the overtravel reaches `silent_until`.
        moves: kinds and places of all moves.
        is_on: whether an output is on.
        sticks: whether the bench cannot be brought to idle.
    """

    folder: Path
    failing: dict[tuple[str, int], BaseException] = field(default_factory=dict)
    silent_dies: frozenset[tuple[int, int]] = frozenset()
    silent_until: float = 1.0
    places: Sequence[tuple[int, int]] = tuple(PLACES)
    answers: list[Answer] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)
    moves: list[tuple[str, tuple[int, int]]] = field(default_factory=list)
    live_moves: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    is_on: bool = False
    sticks: bool = False
    seed: int = 1
    more_units: dict[str, dict[str, str]] = field(default_factory=dict)
    units: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: UNITS)

    def __post_init__(self) -> None:
        self.map = WaferMap("W1", tuple(MapDie(x, y) for x, y in self.places), lot="L1")
        self.prober = RigProber(self.map, happened=self._happened)
        self.prober.ordered = lambda: self.count("command")
        self.settings = WaferSettings(bins=BINS)
        self.steps: list[Step] = [survey_step(None)]
        self.seconds = 0.0

    def count(self, what: str) -> None:
        number = self.counts[what] = self.counts.get(what, 0) + 1
        if error := self.failing.get((what, number)):
            raise error

    def _happened(self, what: str, where: DiePosition) -> None:
        self.moves.append((what, (where.x, where.y)))
        if self.is_on:
            self.live_moves.append(f"{what} at {where}")
        self.count("move")

    def idle(self) -> None:
        self.count("idle")
        if not self.sticks:
            self.is_on = False

    def arrays(self, die: DieId) -> Arrays:
        assert self.prober.is_down, "arrays asked for without contact"
        assert self.prober.here[:2] == (die.x, die.y)
        silent = (die.x, die.y) in self.silent_dies
        return [("array", lambda: RigCrossbar(self, die, silent))]

    def bench(self) -> WaferBench:
        return WaferBench(
            self.arrays, self.idle, lambda: self.seconds + self.prober.seconds, {"drive": lambda: self.is_on}
        )

    def store(self) -> RunStore:
        if (self.folder / "run").exists():
            return RunStore.open(self.folder / "run")
        plan = wafer_plan(self.map, dict(self.units) | self.more_units, self.settings.bins, order="as_listed")
        return RunStore.create(self.folder / "run", plan, Provenance())

    def ask(self, question: Question) -> Answer:
        self.questions.append(question)
        assert not self.is_on, "a person was asked while an output was on"
        return self.answers.pop(0) if self.answers else Answer.STOP

    def run(self, **more: Any) -> WaferOutcome:
        return probe_wafer(self.prober, self.bench(), self.steps, self.store(), self.settings, ask=self.ask, **more)

    @property
    def run_folder(self) -> Path:
        return self.folder / "run"

    def with_contact(self, **changes: Any) -> Rig:
        self.settings = replace(self.settings, contact=replace(self.settings.contact, **changes))
        return self


def glance(visit: Visit) -> StepResult:
    """A step of one measurement: the first row against all columns."""
    crossbar = visit.arrays[0][1]()
    lines = Lines(np.where(np.arange(SIDE) == 0, 0.1, 0.0), np.zeros(SIDE))
    try:
        amps = sum(reading.amps for reading in crossbar.measure(lines, [Line("col", j) for j in range(SIDE)]))
    finally:
        crossbar.idle()
    return StepResult(scalars={"row_siemens": amps / 0.1})


def quick(rig: Rig) -> Rig:
    """Each die measured at a glance, without a look at the contact."""
    rig.settings = replace(rig.settings, contact=ContactRules(check=None), bins=BinRules())
    rig.steps, rig.units = [Step("glance", glance)], {"glance": {"row_siemens": "S"}}
    return rig


class RigCrossbar(CrossbarAround):
    """A die that depends on seed and place only; its outputs stay on after a reading until it is told to be idle."""

    def __init__(self, rig: Rig, die: DieId, silent: bool) -> None:
        self.rig, self.die, self.silent = rig, die, silent
        rng = np.random.default_rng([rig.seed, die.x + 100, die.y + 100])
        description = DieDescription(rows=SIDE, cols=SIDE, diameters_nm=[50.0], defect_rates={})
        super().__init__(ArrayCrossbar(Die(description, rng), rng, limits=DeviceLimits()))

    def _transaction(self, act: Callable[[], Any]) -> Any:
        self.rig.is_on = True
        self.rig.count("bench")
        before = self.inner.spent.bench_seconds
        found = act()
        self.rig.seconds += self.inner.spent.bench_seconds - before
        return found

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        readings: list[Reading] = self._transaction(lambda: self.inner.measure(lines, sense))
        if self.silent and self.rig.prober.overtravel_metres() < self.rig.silent_until:
            return [replace(reading, amps=0.0) for reading in readings]
        return readings

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        found: Reading = self._transaction(lambda: self.inner.pulse(lines, seconds))
        return found

    def idle(self) -> None:
        self.inner.idle()
        self.rig.idle()
