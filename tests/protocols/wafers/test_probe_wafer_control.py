"""A person's hand on a wafer run: what is asked is done between transactions, with the bench idle, and is noted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mtjlab.ledger_rows import DieState
from mtjlab.protocols.probe_wafer import probe_wafer
from mtjlab.protocols.probe_wafer_control import WaferControl
from mtjlab.protocols.probe_wafer_parts import Answer, Question, WaferOutcome
from mtjlab.run_control import Action, ControlDesk, RunChannel
from mtjlab.store import open_run

from .wafer_rig import PLACES, Rig


class Hand:
    """Somebody at a page: asks at the n-th look of the run, and acts while it waits."""

    def __init__(self, rig: Rig, orders: dict[int, tuple[Action, tuple[int, int] | None]]) -> None:
        self.rig, self.orders = rig, orders
        self.looks = 0
        self.waits: list[Callable[[], None]] = []
        self.store = rig.store()
        self.channel = RunChannel(rig.run_folder)
        self.desk = ControlDesk(rig.run_folder)
        self.token = self.desk.take_controls("Ada")
        self.seen: list[str] = []
        self.control = WaferControl(
            self.channel, self.store, rig.bench(), wait=self._wait, patience_seconds=1.0, progress=lambda *_: None
        )

    def ask_too(self, terminal: AtTerminal) -> None:
        self.control = WaferControl(
            self.channel, self.store, self.rig.bench(), wait=self._wait, patience_seconds=1.0, terminal=terminal
        )

    def _wait(self, seconds: float) -> None:
        del seconds
        assert not self.rig.is_on, "the run waits while an output is on"
        self.seen.append(str(self.desk.status()["phase"]))
        if self.waits:
            self.waits.pop(0)()

    def should_stop(self) -> bool:
        self.looks += 1
        if self.looks in self.orders:
            self.desk.request(self.token, *self.orders[self.looks])
        return self.control.should_stop()

    def run(self) -> WaferOutcome:
        rig = self.rig
        outcome = probe_wafer(
            rig.prober,
            rig.bench(),
            rig.steps,
            self.store,
            rig.settings,
            ask=self.control.ask,
            progress=self.control.progress,
            should_stop=self.should_stop,
        )
        self.channel.close()
        assert self.channel.problems == []
        return outcome

    def states(self) -> dict[tuple[int, int], DieState]:
        with open_run(self.rig.run_folder) as run:
            return {(row.die.x, row.die.y): row.state for row in run.dies()}

    def notes(self) -> list[str]:
        with open_run(self.rig.run_folder) as run:
            return [event.text for event in run.events() if event.kind == "operator"]


# looks: 1 before the first die, 2 before its survey, 3 before the second die, 4 before its survey ...


def test_nobody_asks_and_the_run_goes_through(tmp_path: Path) -> None:
    hand = Hand(Rig(tmp_path), {})
    outcome = hand.run()
    assert (outcome.state, len(outcome.visited), hand.notes()) == ("complete", 6, [])


@pytest.mark.parametrize("look", [3, 4])
def test_a_paused_run_waits_idle_and_goes_on(tmp_path: Path, look: int) -> None:
    hand = Hand(Rig(tmp_path), {look: (Action.PAUSE, None)})
    hand.waits = [lambda: None, lambda: None, lambda: bool(hand.desk.request(hand.token, Action.RESUME))]  # type: ignore[list-item]
    outcome = hand.run()
    assert (outcome.state, len(outcome.visited)) == ("complete", 6)
    assert hand.seen == ["paused"] * 3
    assert hand.notes() == ["Ada: pause: paused, the bench is idle", "Ada: resume: goes on"]
    assert hand.rig.live_moves == []


@pytest.mark.parametrize("look", [1, 3, 4])
def test_an_aborted_run_leaves_the_die_in_order_and_can_be_resumed(tmp_path: Path, look: int) -> None:
    rig = Rig(tmp_path)
    hand = Hand(rig, {look: (Action.ABORT, None)})
    outcome = hand.run()
    assert outcome.state == "stopped" and len(outcome.left) == (6 if look == 1 else 5)
    assert not rig.is_on and not rig.prober.is_down
    assert rig.run().state == "complete"
    assert set(hand.states().values()) == {DieState.DONE}


def test_abort_while_paused(tmp_path: Path) -> None:
    hand = Hand(Rig(tmp_path), {2: (Action.PAUSE, None)})
    hand.waits = [lambda: bool(hand.desk.request(hand.token, Action.ABORT))]  # type: ignore[list-item]
    assert hand.run().state == "stopped"


def test_the_die_under_the_probes_is_left_out(tmp_path: Path) -> None:
    hand = Hand(Rig(tmp_path), {4: (Action.SKIP, None)})
    outcome = hand.run()
    assert outcome.state == "complete"
    assert [place for place, state in hand.states().items() if state is DieState.SKIPPED] == [PLACES[1]]
    assert hand.rig.live_moves == []


def test_a_later_die_is_left_out_without_being_touched(tmp_path: Path) -> None:
    hand = Hand(Rig(tmp_path), {2: (Action.SKIP, PLACES[4])})
    hand.run()
    assert hand.states()[PLACES[4]] is DieState.SKIPPED
    assert ("down", PLACES[4]) not in hand.rig.moves
    assert PLACES[4] not in {place for _, place in hand.rig.moves}


@pytest.mark.parametrize("place", [None, PLACES[0]])
def test_the_very_next_die_is_left_out_without_being_touched(tmp_path: Path, place: tuple[int, int] | None) -> None:
    hand = Hand(Rig(tmp_path), {1: (Action.SKIP, place)})
    outcome = hand.run()
    assert outcome.state == "complete" and len(outcome.visited) == len(PLACES) - 1
    assert hand.states()[PLACES[0]] is DieState.SKIPPED
    assert PLACES[0] not in {where for _, where in hand.rig.moves}


def test_all_dies_that_are_left_may_be_left_out(tmp_path: Path) -> None:
    hand = Hand(Rig(tmp_path, places=PLACES[:1]), {1: (Action.SKIP, None)})
    assert hand.run().state == "complete"
    assert hand.states() == {PLACES[0]: DieState.SKIPPED} and hand.rig.prober.touched == []


def test_a_die_that_is_done_cannot_be_left_out(tmp_path: Path) -> None:
    hand = Hand(Rig(tmp_path), {4: (Action.SKIP, PLACES[0])})
    hand.run()
    assert set(hand.states().values()) == {DieState.DONE}
    assert hand.notes() == ["Ada: skip: that die is not left to be probed"]


@pytest.mark.parametrize(
    ("action", "answer"), [(Action.RETRY, Answer.RETRY), (Action.SKIP, Answer.SKIP), (Action.ABORT, Answer.STOP)]
)
def test_a_question_is_answered(tmp_path: Path, action: Action, answer: Answer) -> None:
    hand = Hand(Rig(tmp_path), {})
    hand.waits = [lambda: None, lambda: bool(hand.desk.request(hand.token, action))]  # type: ignore[list-item]
    die = hand.store.plan.dies[0]
    assert hand.control.ask(Question("touching down", "no contact height", die)) is answer
    assert hand.seen == ["asking", "asking"]
    assert hand.desk.status()["question"] is None
    hand.channel.close()
    hand.store.leave()


def test_a_question_that_nobody_answers_stops_the_run(tmp_path: Path) -> None:
    hand = Hand(Rig(tmp_path), {})
    assert hand.control.ask(Question("touching down", "no contact height")) is Answer.STOP
    assert len(hand.seen) == 5
    hand.channel.close()
    hand.store.leave()


class AtTerminal:
    """Somebody at the terminal who answers at the n-th look, or never; `is_there` until they leave."""

    def __init__(self, answers_at: int | None = None, leaves_at: int | None = None) -> None:
        self.looks, self.answers_at, self.leaves_at = 0, answers_at, leaves_at
        self.said: list[str] = []

    @property
    def is_there(self) -> bool:
        return self.leaves_at is None or self.looks < self.leaves_at

    def put(self, question: Question) -> None:
        self.said.append(question.what)

    def answer(self) -> Answer | None:
        self.looks += 1
        return Answer.SKIP if self.looks == self.answers_at else None

    def close(self, by: str) -> None:
        self.said.append(by)


def test_the_terminal_answers_and_the_page_is_told(tmp_path: Path) -> None:
    hand, terminal = Hand(Rig(tmp_path), {}), AtTerminal(answers_at=3)
    hand.ask_too(terminal)
    assert hand.control.ask(Question("touching down", "no contact height")) is Answer.SKIP
    assert hand.seen == ["asking", "asking"] and hand.desk.status()["question"] is None
    assert terminal.said == ["touching down", ""]
    assert hand.notes() == ["the person at the terminal answers 'skip'"]
    hand.channel.close()
    hand.store.leave()


def test_the_page_answers_although_somebody_is_at_the_terminal(tmp_path: Path) -> None:
    hand, terminal = Hand(Rig(tmp_path), {}), AtTerminal()
    hand.ask_too(terminal)
    answer = lambda: bool(hand.desk.request(hand.token, Action.RETRY))  # noqa: E731
    hand.waits = [*[lambda: None] * 20, answer]  # type: ignore[list-item]
    assert hand.control.ask(Question("touching down", "no contact height")) is Answer.RETRY
    assert len(hand.seen) == 21, "longer than the patience of 1 s: somebody is there"
    assert terminal.said[-1] == "Ada answers 'retry' on the page"
    assert hand.notes() == ["Ada answers 'retry'"]
    hand.channel.close()
    hand.store.leave()


def test_a_terminal_that_was_closed_does_not_keep_a_question_open(tmp_path: Path) -> None:
    hand, terminal = Hand(Rig(tmp_path), {}), AtTerminal(leaves_at=9)
    hand.ask_too(terminal)
    assert hand.control.ask(Question("touching down", "no contact height")) is Answer.STOP
    assert len(hand.seen) == 8 and "can be resumed" in terminal.said[-1]
    hand.channel.close()
    hand.store.leave()


def test_a_run_whose_channel_is_lost_goes_through(tmp_path: Path) -> None:
    hand = Hand(Rig(tmp_path), {})
    (tmp_path / "run" / "control.sqlite").unlink()
    (tmp_path / "run" / "control.sqlite").write_bytes(b"not a database" * 100)
    outcome = probe_wafer(
        hand.rig.prober,
        hand.rig.bench(),
        hand.rig.steps,
        hand.store,
        hand.rig.settings,
        ask=hand.control.ask,
        progress=hand.control.progress,
        should_stop=hand.control.should_stop,
    )
    assert outcome.state == "complete"
    assert hand.channel.problems
    hand.channel.close()
