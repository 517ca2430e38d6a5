"""Simulated benches in processes of their own that measure the next dies of a wafer ahead of the prober.

What was measured ahead counts if the prober has brought that die into contact as was foretold: the same die as it was
made, touched as often, with the same contacts. Anything else is measured by this process when it happens. This is
composition, so it stands beside the command line; it has no commands.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import typer

from mtjlab.protocols.probe_wafer_parts import CONTACT, ContactFinding, Step, StepResult, Visit, WaferSettings

from .cli_bench_worker import Measured, Part, Touch, serve
from .errors import InputError
from .nouns import DieId

if TYPE_CHECKING:
    from mtjlab.sim_instruments.bench_file import BenchFile
    from mtjlab.sim_instruments.prober_world import Station
    from mtjlab.sim_instruments.world import World

    from .cli_open_bench import BenchFiles
    from .cli_recipe_wafer import WaferRun
    from .records import RunStore

_QUEUED = 2
"""Dies that a process has at a time: the one that it measures, and the next."""
_SECONDS_TO_END = 5.0
Tell = Callable[[str], None]


def require_benches_ahead(files: BenchFiles | None, is_wafer: bool) -> None:
    """Raise InputError if dies of this recipe cannot be measured by several processes."""
    where = "option --processes"
    if not is_wafer or files is None:
        raise InputError("several processes share the dies of a wafer, and this is one die", where=where)
    remedy = "Leave it out: the dies are measured one after the other"
    if files.simulated is None:
        raise InputError("a real bench measures one die at a time", where=where, remedy=remedy)
    from mtjlab.sim_instruments.bench_file import PROBERS, load_bench_file

    bench, _ = load_bench_file(files.simulated)
    if not any(each.model in PROBERS for each in bench.instruments):
        raise InputError("this bench has no simulated prober, which tells what comes next", where=where, remedy=remedy)
    if why := _goes_by_itself(bench):
        raise InputError(f"{why}, which several processes do not share", where=where, remedy=remedy)


def _goes_by_itself(bench: BenchFile) -> str:
    """What makes a die depend on those before it."""
    if bench.faults:
        return f"the bench file of '{bench.bench}' plans faults"
    return f"the bench '{bench.bench}' is paced" if bench.paced else ""


class _Helper:
    """A process that measures, and what it has been given."""

    def __init__(self, run: WaferRun, files: BenchFiles) -> None:
        context = multiprocessing.get_context("spawn")  # as on Windows; a fork would inherit half an open bench
        self._pipe, theirs = context.Pipe()
        unasked = replace(run, person=None)  # whoever moves the prober is asked here
        self.process = context.Process(target=serve, args=(theirs, unasked, files), daemon=True)
        self.process.start()
        theirs.close()
        self.given: list[DieId] = []

    def give(self, touch: Touch) -> None:
        """One more. Raises OSError if the process has ended."""
        self._pipe.send(touch)
        self.given.append(touch.die)

    def take(self, die: DieId) -> Measured:
        """Of a die that it was given, as soon as it is there; what it was given before is dropped.

        Raises EOFError or OSError if the process has ended, with its words, if it had any.
        """
        while True:
            found: Measured | str = self._pipe.recv()
            if isinstance(found, str):
                raise OSError(found)
            self.given.remove(found.touch.die)
            if found.touch.die == die:
                return found

    def end(self) -> None:
        """At once; nothing of it is needed any more."""
        self._pipe.close()
        self.process.terminate()
        self.process.join(_SECONDS_TO_END)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


class BenchesAhead:
    """Hands out the dies to come, and takes what was measured of them.

    Args:
        helpers: the processes.
        station: the simulated one that the prober's driver drives.
        dies: in the order in which they will be visited.
        overtravel_metres: that the first touch-downs are foretold for; None for the station's.
        tell: is told once that a process has ended before its time.
    """

    def __init__(
        self,
        helpers: Sequence[_Helper],
        station: Station,
        dies: Sequence[DieId],
        overtravel_metres: float | None,
        tell: Tell,
    ) -> None:
        self._helpers, self._station, self._dies, self._tell = list(helpers), station, tuple(dies), tell
        self._number = {die: number for number, die in enumerate(dies)}
        self._next = 0
        self._at: tuple[DieId, int] | None = None
        self._now: Measured | None = None
        self._has_told = False
        um = station.overtravel_um if overtravel_metres is None else overtravel_metres * 1e6
        self._hand_out(0, um)

    def settings(self, settings: WaferSettings) -> WaferSettings:
        """The same rules, whose contact check knows what was measured ahead."""
        check = settings.contact.check
        if check is None:
            return settings
        return replace(settings, contact=replace(settings.contact, check=lambda visit: self._checked(visit, check)))

    def steps(self, steps: Sequence[Step]) -> list[Step]:
        """The same steps, likewise."""
        return [Step(step.name, lambda visit, step=step: self._done(visit, step)) for step in steps]  # type: ignore[misc]

    def _checked(self, visit: Visit, check: Callable[[Visit], ContactFinding]) -> ContactFinding:
        part = self._part(visit.die, CONTACT)
        return check(visit) if part is None else part.found  # type: ignore[return-value]

    def _done(self, visit: Visit, step: Step) -> StepResult:
        part = self._part(visit.die, step.name)
        return step.run(visit) if part is None else part.found  # type: ignore[return-value]

    def _part(self, die: DieId, name: str) -> Part | None:
        """What was measured ahead of the present touch-down; the bench is then as if it had measured it."""
        number = self._station.card.marks[self._place]
        if (die, number) != self._at:
            self._at = (die, number)
            self._now = self._foretold(die, number)
        part = next((one for one in self._now.parts if one.name == name), None) if self._now else None
        if part is not None:
            self._happened(part)
        return part

    @property
    def _place(self) -> tuple[int, int, int]:
        place: tuple[int, int, int] = self._station.source_place(self._station.place)
        return place

    @property
    def _world(self) -> World:
        return self._station.world

    def _foretold(self, die: DieId, number: int) -> Measured | None:
        """What was measured, if it is of this touch-down; whoever has measured it gets the next die."""
        found = self._taken(die)
        station = self._station
        if die in self._number:
            self._next = max(self._next, self._number[die] + 1)
            self._hand_out(self._number[die] + 1, station.overtravel_um)
        if found is None or not station.is_in_contact:
            return None
        is_same = found.touch.place == self._place and found.touch.number == number
        return found if is_same and np.array_equal(found.contact_ohms, self._world.die.contact_ohms) else None

    def _taken(self, die: DieId) -> Measured | None:
        for helper in self._helpers:
            if die in helper.given:
                try:
                    return helper.take(die)
                except (EOFError, OSError) as error:
                    self._lose(helper, str(error))
        return None

    def _hand_out(self, reached: int, overtravel_um: float) -> None:
        """The next dies, foretold from now on: `reached` is the next that the prober will touch."""
        while self._helpers and self._next < len(self._dies):
            helper = min(self._helpers, key=lambda one: len(one.given))
            if len(helper.given) >= _QUEUED:
                return
            touch = self._touch(self._dies[self._next], self._next - reached, overtravel_um)
            try:
                helper.give(touch)
            except OSError as error:
                self._lose(helper, str(error))
                continue
            self._next += 1

    def _touch(self, die: DieId, after: int, overtravel_um: float) -> Touch:
        from mtjlab.sim_instruments.prober_world import Place

        there, station = Place(die.x, die.y), self._station
        place = station.source_place(there)
        um = overtravel_um if station.is_overtravel_on else 0.0
        return Touch(die, place, station.card.marks[place] + 1, station.foretold(there, um, after))

    def _happened(self, part: Part) -> None:
        world, under = self._world, self._station.under
        world.incidents += [replace(one, seconds=world.seconds) for one in part.incidents]
        world.pass_quietly(part.seconds)
        under.put(self._place, part.die)  # type: ignore[attr-defined]

    def _lose(self, helper: _Helper, why: str) -> None:
        """It has ended; its dies are measured when the prober touches them."""
        self._helpers.remove(helper)
        helper.end()
        if not self._has_told:
            self._has_told = True
            self._tell(
                f"a process that measured ahead has ended ({why or 'no word of it'}): its dies are measured here"
            )


@contextmanager
def benches_ahead(
    run: WaferRun, files: BenchFiles, store: RunStore, steps: list[Step], settings: WaferSettings
) -> Iterator[tuple[list[Step], WaferSettings]]:
    """Steps and settings of a run with as many processes as it asks for, which end with the block; with one, as given.

    Args:
        files: those in the run's folder.
        store: says which dies are left; a process that ends before its time is noted there.
    """
    dies = store.left()
    if run.processes < 2 or len(dies) < 2:
        yield steps, settings
        return
    helpers: list[_Helper] = []
    try:
        for _ in range(min(run.processes, len(dies))):
            with _interrupts_kept_here():
                helpers.append(_Helper(run, files))
        ahead = BenchesAhead(helpers, _station(files), dies, settings.overtravel_metres, partial(_tell, store))
        yield ahead.steps(steps), ahead.settings(settings)
    finally:
        for helper in helpers:
            helper.end()


@contextmanager
def _interrupts_kept_here() -> Iterator[None]:
    """What starts meanwhile does not hear Ctrl-C, where a program hands that down (not on Windows); none is lost."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _tell(store: RunStore, what: str) -> None:
    typer.echo(f"mtjlab: {what}", err=True)
    store.note(what, "simulation")


def _station(files: BenchFiles) -> Station:
    from mtjlab.sim_instruments.prober_instrument import SimProber
    from mtjlab.sim_instruments.simulated_bench import sim_bench

    instruments = sim_bench(str(files.simulated)).by_name.values()
    return next(each.station for each in instruments if isinstance(each, SimProber))
