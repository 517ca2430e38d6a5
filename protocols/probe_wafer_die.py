"""One visit of one die of a wafer run: there, contact, steps, bins; what it gave is on the disk before it is done."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mtjlab.bins import sort_die
from mtjlab.errors import InstrumentError, RecordError
from mtjlab.interrupts import finishing
from mtjlab.map_feed import MapFeed
from mtjlab.nouns import ArrayMap, DieId
from mtjlab.prober import ProberError
from mtjlab.records import RunStore

from .probe_wafer_moves import ProberMoves, SkipDie, StopWafer
from .probe_wafer_parts import (
    CONTACT,
    Answer,
    Ask,
    ContactFinding,
    Question,
    Step,
    StepResult,
    Visit,
    WaferBench,
    WaferSettings,
)


class VisitFailed(Exception):  # noqa: N818 (a fact that the walk acts on)
    """An instrument failed on a die; its attempt has been ended as failed, and the die is planned again.

    Args:
        doing: what was being done.
        reason: in words.
    """

    def __init__(self, doing: str, reason: str) -> None:
        super().__init__(f"{doing}: {reason}")
        self.doing = doing


class DieVisit:
    """Visits dies; the arguments are those of `probe_wafer`."""

    def __init__(
        self,
        moves: ProberMoves,
        bench: WaferBench,
        steps: Sequence[Step],
        store: RunStore,
        settings: WaferSettings,
        feed: MapFeed | None,
        ask: Ask,
        should_stop: Callable[[], bool],
    ) -> None:
        self._moves, self._bench, self._steps, self._store = moves, bench, tuple(steps), store
        self._settings, self._feed, self._ask, self._should_stop = settings, feed, ask, should_stop
        self._handed: set[DieId] = set()
        self._deeper: float | None = None
        self._doing = ""
        self._is_open = False
        self._touched_before = store.touchdowns() - moves.prober.touchdowns
        self._cleaned_at = store.touchdowns()
        self._cleaned = 0

    def run(self, die: DieId) -> bool:
        """Visit a die; returns whether it made contact.

        Raises:
            VisitFailed: an instrument failed; the attempt is ended as failed and the die planned again.
            SkipDie: a person leaves it out; the attempt is still open.
            Anything else ends the run; the attempt is ended as failed and the die planned again.
        """
        self._began, self._touched = self._bench.seconds(), self._moves.prober.touchdowns
        self._cleaned = 0
        self._doing = "stepping"
        self._store.begin_attempt(die)
        self._is_open = True
        try:
            return self._visit(die)
        except SkipDie:
            raise
        except BaseException as error:
            self._give_up(die, in_words(error))
            if isinstance(error, InstrumentError) and not isinstance(error, ProberError):
                raise VisitFailed(self._doing, str(error)) from error
            raise

    def restore_overtravel(self) -> None:
        """As it was before a die needed more; the probes are off."""
        if self._deeper is not None:
            before, self._deeper = self._deeper, None
            self._moves.set_overtravel(before)

    def _visit(self, die: DieId) -> bool:
        self._clean_if_due(die)
        self._moves.to_die(die)
        self._doing = "touching down"
        self._moves.contact(die)
        self._store.contacted(die, self._touchdowns())
        finding, contact = self._checked(die)
        if finding and len(finding.silent) > self._settings.contact.most_silent_lines:
            self._no_contact(die, finding, _named(CONTACT, contact))
            return False
        figures, ended = self._done_steps(Visit(die, self._bench.arrays(die)))
        self._finish(die, _named(CONTACT, contact) | figures, ended)
        return True

    # contact

    def _checked(self, die: DieId) -> tuple[ContactFinding | None, dict[str, float]]:
        """Look at the contact, with the tries of the rules; also its figures. None where nothing is looked at."""
        rules = self._settings.contact
        if rules.check is None:
            return None, {}
        self._doing = "checking contact"
        self._store.measuring(die, CONTACT)
        finding = self._look(die, rules.check)
        for _ in range(rules.tries):
            if finding.silent:
                self._contact_again(die, finding, self._more_metres(die))
                finding = self._look(die, rules.check)
        if len(finding.silent) > rules.most_silent_lines and self._may_clean(rules.cleans):
            self._clean(die, finding.words)
            self._contact_again(die, finding, 0.0)
            finding = self._look(die, rules.check)
        scalars = {"silent_lines": float(len(finding.silent)), "touchdowns": float(self._touchdowns())}
        self._kept(die, CONTACT, StepResult(scalars=scalars))
        return finding, scalars

    def _look(self, die: DieId, check: Callable[[Visit], ContactFinding]) -> ContactFinding:
        finding = check(Visit(die, self._bench.arrays(die)))
        self._bench.idle()
        return finding

    def _may_clean(self, is_wanted: bool) -> bool:
        return is_wanted and self._moves.prober.capabilities.cleans

    def _clean_if_due(self, die: DieId) -> None:
        """By the count of the whole run, so that one that is resumed keeps to it."""
        every = self._settings.contact.clean_every
        so_far = self._touched_before + self._moves.prober.touchdowns
        if self._may_clean(every > 0) and so_far // every > self._cleaned_at // every:
            self._clean(die, f"{so_far} touch-downs so far")
            self._cleaned_at = so_far

    def _clean(self, die: DieId, why: str) -> None:
        doing, self._doing = self._doing, "cleaning the probes"
        self._moves.clean(die)
        self._cleaned += 1
        self._store.note(f"probes cleaned: {why}", "contact")
        self._doing = doing

    def _contact_again(self, die: DieId, before: ContactFinding, more_metres: float) -> None:
        self._store.note(f"re-probed: {before.words}", "contact")
        self._moves.contact_again(die, more_metres)
        self._store.contacted(die, self._touchdowns())

    def _more_metres(self, die: DieId) -> float:
        """What the rules want, within what the prober allows; notes what it was set to before."""
        prober, rules = self._moves.prober, self._settings.contact
        if not prober.capabilities.has_overtravel or not rules.more_metres:
            return 0.0
        now = self._moves.overtravel(die)
        if self._deeper is None:
            self._deeper = now
        return max(0.0, min(rules.more_metres, self._settings.overtravel_limit_metres - now))

    def _no_contact(self, die: DieId, finding: ContactFinding, figures: Mapping[str, float]) -> None:
        """It goes where a limit on the contact sends it, or else into the bin for that."""
        self._bench.idle()
        spent, rules = self._spent(), self._settings.bins
        sorted_to = sort_die(figures, rules.limits, rules.good, rules.unfinished)
        hard, soft = (sorted_to.hard, sorted_to.soft) if sorted_to.failed in figures else rules.no_contact
        bins: dict[str, Any] = {"hard_bin": hard, "soft_bin": soft, "first_failing": f"{CONTACT}.silent_lines"}
        cleaned = ", probes cleaned" if self._cleaned else ""
        reason = f"no contact: {finding.words}; after {self._touchdowns()} touch-downs{cleaned}"
        self._end(die, lambda: self._store.fail(die, reason, **bins, bench_seconds=spent))

    # steps

    def _done_steps(self, visit: Visit) -> tuple[dict[str, float], str]:
        """All steps, or as many as make sense; figures by `<step>.<scalar>`, and why it ended early."""
        earlier: dict[str, StepResult] = {}
        figures: dict[str, float] = {}
        for step in self._steps:
            if self._should_stop():
                raise StopWafer(f"stopped before step '{step.name}' of a die, as was asked")
            self._doing = f"step '{step.name}'"
            self._store.measuring(visit.die, step.name)
            result = step.run(Visit(visit.die, visit.arrays, dict(earlier)))
            self._bench.idle()
            self._kept(visit.die, step.name, result)
            earlier[step.name] = result
            figures |= _named(step.name, result.scalars)
            if result.ends_die:
                return figures, result.ends_die
        return figures, ""

    def _kept(self, die: DieId, step: str, result: StepResult) -> None:
        """On the disk; then to those who follow the feed."""
        self._recorded(
            f"keeping step '{step}'",
            die,
            lambda: self._store.keep(
                die,
                step,
                result.maps,
                result.scalars,
                result.arrays,
                map_name=result.map_name,
                more_maps=result.more_maps,
                files=result.files,
                details=result.details,
            ),
        )
        self._hand_on(die, result.maps)

    def _recorded(self, what: str, die: DieId, act: Callable[[], None]) -> None:
        """Do it, however often a person has to make room on the disk first."""
        while True:
            try:
                with finishing():
                    act()
                return
            except RecordError as error:
                if self._ask(Question(what, str(error), die)) is not Answer.RETRY:
                    raise

    def _hand_on(self, die: DieId, maps: Sequence[ArrayMap]) -> None:
        """A die goes to the feed once: those who follow it are told of no retest."""
        if self._feed is None or die in self._handed or not maps or not all(_has_both_states(one) for one in maps):
            return
        for kernel, one in enumerate(maps):
            self._feed.hand(one, kernel)
        self._handed.add(die)

    # ends

    def _finish(self, die: DieId, figures: Mapping[str, float], ended: str) -> None:
        rules, spent = self._settings.bins, self._spent()
        sorted_to = sort_die(figures, rules.limits, rules.good, rules.unfinished)
        reason = ended or ("" if sorted_to.is_good else sorted_to.name)
        hard, soft, first = sorted_to.hard, sorted_to.soft, sorted_to.failed
        self._end(
            die,
            lambda: self._store.finish(die, hard, soft, reason, first_failing=first, bench_seconds=spent),
        )

    def _end(self, die: DieId, act: Callable[[], None]) -> None:
        self._is_open = False
        self._recorded("ending the visit", die, act)

    def _give_up(self, die: DieId, reason: str) -> None:
        """End the attempt as failed, if it has not ended; the die will be probed again."""
        if not self._is_open:
            return
        self._is_open = False
        try:
            self._store.fail(die, f"{self._doing}: {reason}", bench_seconds=self._spent(), again=True)
        except RecordError:
            return  # what the ledger could not be told, `resume` ends as interrupted

    def _touchdowns(self) -> int:
        return self._moves.prober.touchdowns - self._touched

    def _spent(self) -> float:
        return self._bench.seconds() - self._began


def in_words(error: BaseException) -> str:
    """Why something ended, for the ledger."""
    if isinstance(error, KeyboardInterrupt):
        return f"stopped by {str(error) or 'Ctrl-C'}"
    return str(error) or type(error).__name__


def _has_both_states(one: ArrayMap) -> bool:
    both = np.isfinite(one.siemens_p) & np.isfinite(one.siemens_ap)
    return not one.is_partial and bool(both.any())


def _named(step: str, scalars: Mapping[str, float]) -> dict[str, float]:
    """As limits name them."""
    return {f"{step}.{name}": float(value) for name, value in scalars.items()}
