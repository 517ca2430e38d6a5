"""A person's hand on a wafer run: pause, resume, leave out a die, abort, answer a question; taken between transactions.

Hands `probe_wafer` its `progress`, `should_stop` and `ask`. The bench is idle before a run waits for anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from mtjlab.nouns import DieId, Progress, unheard
from mtjlab.records import RunStore
from mtjlab.run_control import Action, Request, RunChannel

from .probe_wafer_moves import SkipDie
from .probe_wafer_parts import Answer, Question, WaferBench

POLL_SECONDS = 0.2
_ANSWERS = {
    Action.RETRY: Answer.RETRY,
    Action.RESUME: Answer.RETRY,
    Action.SKIP: Answer.SKIP,
    Action.ABORT: Answer.STOP,
}


class Terminal(Protocol):
    """Somebody else who is asked at the same time: the person who started the run."""

    @property
    def is_there(self) -> bool:
        """Whether an answer can still come."""

    def put(self, question: Question) -> None:
        """Put a question; returns at once."""

    def answer(self) -> Answer | None:
        """The answer, as soon as there is one."""

    def close(self, by: str) -> None:
        """It has been answered; `by` says by whom, if it was somebody else, and is empty otherwise."""


class WaferControl:
    """Connects a run to its command channel.

    Args:
        channel: of the run.
        store: of the run; what was asked of it is noted there.
        bench: made idle before anything waits; its outputs are published.
        progress: told what the run tells too.
        patience_seconds: so long a question waits for an answer, where nobody is at a terminal; then the run stops and
            can be resumed. An assumption.
        terminal: is asked at the same time as the page; who answers first is heard.
        wait: waits for so many seconds.
    """

    def __init__(
        self,
        channel: RunChannel,
        store: RunStore,
        bench: WaferBench,
        *,
        progress: Progress = unheard,
        patience_seconds: float = 1800.0,
        wait: Callable[[float], None] = time.sleep,
        terminal: Terminal | None = None,
    ) -> None:
        self._terminal = terminal
        self._channel, self._store, self._bench = channel, store, bench
        self._told, self._patience, self._wait = progress, patience_seconds, wait
        self._is_between_dies = False
        self._is_paused = self._is_aborted = False
        self._skip: dict[tuple[int, int], str] = {}

    def progress(self, what: str, done: int, total: int) -> None:
        """The run is between two dies."""
        self._is_between_dies = True
        self._channel.publish(phase="running", doing=what, done=done, total=total)
        self._told(what, done, total)

    def should_stop(self) -> bool:
        """Take what was asked meanwhile; waits while the run is paused. True if it is to end.

        Raises SkipDie, between the steps of a die that is to be left out.
        """
        between, self._is_between_dies = self._is_between_dies, False
        left = self._store.left()
        here = left[0] if left else None
        self._channel.publish(die=[here.x, here.y] if here else None, bench=self._bench_state())
        self._take(None if between else here)
        if self._is_paused:
            self._bench.idle()
            self._channel.publish(phase="paused", bench=self._bench_state())
            while self._is_paused and not self._is_aborted:
                self._wait(POLL_SECONDS)
                self._take(None if between else here)
            self._channel.publish(phase="running")
        if self._is_aborted:
            return True
        self._leave_out(here, between)
        return False

    def ask(self, question: Question) -> Answer:
        """Put a question to whoever has the controls, and to the terminal; who answers first is heard.

        After `patience_seconds` without an answer, and without anybody at a terminal, it is `STOP`.
        """
        die = question.die and [question.die.x, question.die.y]
        asked = {"what": question.what, "reason": question.reason, "die": die, "terminal": self._is_attended()}
        self._channel.publish(phase="asking", question=asked, bench=self._bench_state())
        if self._terminal is not None:
            self._terminal.put(question)
        answer, waited = self._answer(), 0.0
        while answer is None and (waited < self._patience or self._is_attended()):
            self._wait(POLL_SECONDS)
            waited += POLL_SECONDS
            answer = self._answer()
        self._channel.publish(phase="running", question=None)
        return answer or self._given_up()

    def _is_attended(self) -> bool:
        return self._terminal is not None and self._terminal.is_there

    def _given_up(self) -> Answer:
        self._closed(f"nobody answered within {self._patience:g} s: the run stops and can be resumed")
        return Answer.STOP

    def _closed(self, by: str) -> None:
        if self._terminal is not None:
            self._terminal.close(by)

    def _answer(self) -> Answer | None:
        for request in self._channel.take():
            if request.action in _ANSWERS:
                word = _ANSWERS[request.action].value
                self._channel.answer(request, f"answered '{word}'")
                self._store.note(f"{request.name} answers '{word}'", "operator")
                self._closed(f"{request.name} answers '{word}' on the page")
                return _ANSWERS[request.action]
            self._is_paused = True
        typed = self._terminal.answer() if self._terminal is not None else None
        if typed is not None:
            self._store.note(f"the person at the terminal answers '{typed.value}'", "operator")
            self._closed("")
        return typed

    def _take(self, here: DieId | None) -> None:
        for request in self._channel.take():
            outcome = self._taken(request, here)
            self._store.note(f"{request.name}: {request.action}: {outcome}", "operator")
            self._channel.answer(request, outcome)

    def _taken(self, request: Request, here: DieId | None) -> str:
        if request.action is Action.PAUSE:
            self._is_paused = True
            return "paused, the bench is idle"
        if request.action is Action.RESUME:
            self._is_paused = False
            return "goes on"
        if request.action is Action.ABORT:
            self._is_aborted = True
            return "ends here; the run can be resumed"
        if request.action is Action.SKIP:
            return self._to_skip(request, here)
        return "nothing is waiting for an answer"

    def _to_skip(self, request: Request, here: DieId | None) -> str:
        left = self._store.left()
        place = request.die or ((left[0].x, left[0].y) if left else None)
        if place is None or place not in {(die.x, die.y) for die in left}:
            return "that die is not left to be probed"
        self._skip[place] = f"left out by {request.name}"
        return f"die {place} is left out" + ("" if here and (here.x, here.y) == place else " when its turn comes")

    def _leave_out(self, here: DieId | None, is_between: bool) -> None:
        """The die under the probes at once; any other between two dies, before anything moves to it."""
        if here is not None and not is_between and (here.x, here.y) in self._skip:
            self._bench.idle()
            raise SkipDie(self._skip.pop((here.x, here.y)))
        if is_between:
            for die in self._store.left():
                if (die.x, die.y) in self._skip:
                    self._store.skip(die, self._skip.pop((die.x, die.y)))

    def _bench_state(self) -> dict[str, str]:
        return {name: "on" if is_on() else "off" for name, is_on in self._bench.outputs.items()}
