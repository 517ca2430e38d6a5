"""Walk over a wafer: to each die by its coordinates, contact check, steps, bins, next; recorded so that it can resume.

Which die is next comes from the run's ledger and never from the prober's route. A die is done only after its data are
on the disk, and then it is not touched again. Whatever ends a run, the bench is idle and the probes are off the wafer
before it returns, unless an output cannot be switched off or the prober says that nothing may move: then nothing does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mtjlab.errors import InputError, InstrumentError, RecordError
from mtjlab.interrupts import held_off
from mtjlab.map_feed import MapFeed
from mtjlab.nouns import DieId, Progress, unheard
from mtjlab.prober import ErrorClass, Prober, ProberError
from mtjlab.records import RunStore

from .probe_wafer_die import DieVisit, VisitFailed, in_words
from .probe_wafer_moves import ProberMoves, SkipDie, StopWafer
from .probe_wafer_parts import CONTACT, Answer, Ask, Question, Step, WaferBench, WaferOutcome, WaferSettings, nobody


def never() -> bool:
    """The `should_stop` of a run that nobody stops."""
    return False


def probe_wafer(
    prober: Prober,
    bench: WaferBench,
    steps: Sequence[Step],
    store: RunStore,
    settings: WaferSettings | None = None,
    *,
    feed: MapFeed | None = None,
    ask: Ask = nobody,
    progress: Progress = unheard,
    should_stop: Callable[[], bool] = never,
) -> WaferOutcome:
    """Probe the dies that the run's ledger has left, in its order; the same call starts a run and resumes one.

    Args:
        prober: with the wafer on its chuck, aligned.
        bench: what stands behind the probes.
        steps: of each die, in their order; names as in the plan of `store`, which has `CONTACT` before them if contact
            is checked.
        store: records everything; it is closed with the reason why the run ended.
        settings: rules.
        feed: receives the maps of every die once they are recorded; it is left open.
        ask: decides where a person has to; on a bench without one, the run stops and can be resumed.
        progress: told of each die.
        should_stop: asked between steps and between dies.

    Raises:
        ProberError, InstrumentError: nothing may go on; the run is closed as failed, with the reason.
        RecordError: something could not be kept and `ask` gave up; what was saved before stays.
        InputError: a step does not suit the bench, or the plan other steps; the run is closed as failed.
        KeyboardInterrupt: after the die under the probes was left in order; its visit is noted as stopped.
    """
    used = settings or WaferSettings()
    _require_plan(store, steps, used)
    return _Walk(prober, bench, steps, store, used, feed, ask, progress, should_stop).run()


def _require_plan(store: RunStore, steps: Sequence[Step], settings: WaferSettings) -> None:
    names = ((CONTACT,) if settings.contact.check else ()) + tuple(step.name for step in steps)
    if names != store.plan.steps:
        raise InputError(
            f"the run is planned with steps {', '.join(store.plan.steps)}, not {', '.join(names)}",
            remedy="Resume a run with the recipe that it was started with",
        )


class _Walk:
    """One call of `probe_wafer`."""

    def __init__(
        self,
        prober: Prober,
        bench: WaferBench,
        steps: Sequence[Step],
        store: RunStore,
        settings: WaferSettings,
        feed: MapFeed | None,
        ask: Ask,
        progress: Progress,
        should_stop: Callable[[], bool],
    ) -> None:
        self.prober, self.bench, self.store, self.settings = prober, bench, store, settings
        self.progress, self.should_stop = progress, should_stop
        self.ask = self._asked(ask)
        self.moves = ProberMoves(prober, settings.retries, self.ask, store.note)
        self.die_visit = DieVisit(self.moves, bench, steps, store, settings, feed, self.ask, should_stop)
        self.visited: list[DieId] = []
        self.bad_in_a_row: list[DieId] = []

    def run(self) -> WaferOutcome:
        started, touched = self.bench.seconds(), self.prober.touchdowns
        state, reason = "complete", ""
        try:
            try:
                self._begin()
                self._walk()
                self.bench.idle()
                self.moves.separate()
            except StopWafer as stop:
                state, reason = "stopped", str(stop)
                self._leave_safe()
        except BaseException as error:
            self._end_badly(error, reason)
            raise
        left = self.store.left()
        self.store.close("complete" if not left and state == "complete" else "stopped", reason)
        spent = self.bench.seconds() - started
        touchdowns = self.prober.touchdowns - touched
        return WaferOutcome(state, reason, tuple(self.visited), left, touchdowns, spent)

    def _asked(self, ask: Ask) -> Ask:
        """Nobody is asked while an output is on."""

        def asked(question: Question) -> Answer:
            self.bench.idle()
            return ask(question)

        return asked

    def _begin(self) -> None:
        for die, why in self.store.resume().interrupted:
            self.store.note(f"die ({die.x}, {die.y}) again: {why}")
        self.bench.idle()
        self.prober.watch_outputs(self.bench.outputs)
        self.moves.prepare(self.settings.overtravel_limit_metres, self.settings.overtravel_metres)
        self._write_bins()

    def _walk(self) -> None:
        """Until no die is left; a die that a person wants again comes again by itself, since the ledger says so."""
        total = len(self.store.plan.dies)
        retries: dict[DieId, int] = {}
        while left := self.store.left():
            self.progress("probing dies", total - len(left), total)
            if self.should_stop():
                raise StopWafer("stopped between two dies, as was asked")
            if left := self.store.left():  # what was next may have been left out meanwhile
                self._visit(left[0], retries)
        self.progress("probing dies", total, total)

    def _visit(self, die: DieId, retries: dict[DieId, int]) -> None:
        self.visited.append(die)
        try:
            has_contact = self.die_visit.run(die)
        except VisitFailed as failed:
            self._after_failure(die, failed, retries)
        except SkipDie as skip:
            self.store.skip(die, str(skip))
        else:
            self._count_contact(die, has_contact)
        self.moves.separate()
        self.die_visit.restore_overtravel()
        self._write_bins()

    def _write_bins(self) -> None:
        """That of the die just done, and what a kill between its end and here has left; a prober that inks moves."""
        if not (self.settings.writes_bins and self.prober.capabilities.has_bins):
            return
        for die, number in self.store.untold_bins():
            self.moves.write_bin(die, number)
            self.store.bin_told(die, number)

    def _after_failure(self, die: DieId, failed: VisitFailed, retries: dict[DieId, int]) -> None:
        """An instrument failed: once more by itself, then as a person says. The attempt has been ended as failed."""
        self.bench.recover()
        self.bench.idle()
        retries[die] = retries.get(die, 0) + 1
        if retries[die] <= self.settings.die_retries:
            return
        answer = self.ask(Question(failed.doing, str(failed), die))
        self.store.note(f"{failed.doing}: a person says '{answer.value}'", "operator")
        if answer is Answer.SKIP:
            self.store.skip(die, f"left out by a person after: {failed}")
        elif answer is Answer.STOP:
            raise StopWafer(f"stopped at die ({die.x}, {die.y}): {failed}")

    def _count_contact(self, die: DieId, has_contact: bool) -> None:
        """So many dies without contact one after the other are the probes' fault, not the dies'."""
        if has_contact:
            self.bad_in_a_row.clear()
            return
        self.bad_in_a_row.append(die)
        if len(self.bad_in_a_row) < self.settings.contact.most_bad_in_a_row:
            return
        bad, self.bad_in_a_row = self.bad_in_a_row, []
        self.moves.separate()
        reason = f"{len(bad)} dies in a row make no contact"
        answer = self.ask(Question("checking contact", reason))
        self.store.note(f"{reason}: a person says '{answer.value}'", "operator")
        if answer is not Answer.SKIP:
            for one in bad:
                self.store.plan_again(one, f"one of {reason}")
        if answer is Answer.STOP:
            raise StopWafer(f"{reason}: look at probes and wafer")

    def _leave_safe(self) -> None:
        """Bench idle, then probes off; who has just ended the run is not asked again."""
        with held_off():
            self.bench.idle()
            self.prober.separate()

    def _end_badly(self, error: BaseException, before: str) -> None:
        """As safe as can be, then the reason into the ledger; what fails on the way is noted and hides nothing.

        Args:
            before: why the run was ending already, "" if it was not.
        """
        problems = [before] if before else []
        with held_off():
            try:
                self.bench.idle()
                if not (isinstance(error, ProberError) and error.error_class is ErrorClass.FATAL):
                    self.prober.separate()
            except InstrumentError as failed:
                problems.append(f"while making it safe: {failed}")
            reason = "; ".join([in_words(error), *problems])
            try:
                self.store.close("stopped" if isinstance(error, KeyboardInterrupt) else "failed", reason)
            except RecordError:
                self.store.leave()
