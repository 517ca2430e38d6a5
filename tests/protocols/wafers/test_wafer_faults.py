"""Prober, instruments and disk fail at every point of a run: nothing moves that must not, and why is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from mtjlab.errors import InstrumentError, RecordError
from mtjlab.ledger_rows import DieState
from mtjlab.nouns import DieId
from mtjlab.prober import ErrorClass, ProberError
from mtjlab.protocols.probe_wafer_parts import Answer
from mtjlab.records import RunStore
from mtjlab.store import open_run

from .wafer_rig import PLACES, Rig, quick

MakeRig = Callable[..., Rig]
DIES = PLACES[:2]
MOVES = range(1, 3 * len(DIES) + 1)
"""A step, a touch-down and a lift-off for each die."""
WHEN = ("command", "move")


def prober_error(error_class: ErrorClass) -> ProberError:
    return ProberError("the door is open", error_class=error_class, where="prober")


def small(make_rig: MakeRig, **given: Any) -> Rig:
    return quick(make_rig(places=DIES, **given))


def states(rig: Rig) -> list[DieState]:
    with open_run(rig.run_folder) as run:
        return [row.state for row in run.dies()]


def attempts(rig: Rig) -> int:
    with open_run(rig.run_folder) as run:
        return len(run.attempts())


def log(rig: Rig, kind: str) -> list[str]:
    with open_run(rig.run_folder) as run:
        return [event.text for event in run.events() if event.kind == kind]


def require_whole(rig: Rig) -> None:
    """Every die is done, and has the figure that an undisturbed run finds."""
    assert states(rig) == [DieState.DONE] * len(DIES)
    with open_run(rig.run_folder) as run:
        found = {row.die: run.figures()[row.attempt or 0]["glance.row_siemens"] for row in run.dies()}
        assert run.state == "complete" and run.problems() == []
    assert rig.prober.is_separated()
    assert found == EXPECTED


EXPECTED: dict[DieId, float] = {}


@pytest.fixture(autouse=True, scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> None:
    rig = quick(Rig(tmp_path_factory.mktemp("whole"), places=DIES))
    rig.run()
    with open_run(rig.run_folder) as run:
        EXPECTED.update({row.die: run.figures()[row.attempt or 0]["glance.row_siemens"] for row in run.dies()})
    assert len(set(EXPECTED.values())) == len(DIES)
    assert rig.counts == {"command": 6, "move": 6, "bench": 2, "idle": rig.counts["idle"]}


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("move", MOVES)
def test_what_may_pass_is_tried_again(make_rig: MakeRig, when: str, move: int) -> None:
    rig = small(make_rig, failing={(when, move): prober_error(ErrorClass.RETRY)})
    rig.run()
    require_whole(rig)
    assert attempts(rig) == len(DIES) and rig.questions == []
    assert ["the door is open" in text for text in log(rig, "prober: retry")] == [True]
    assert "stands on die" in log(rig, "prober: read back")[0]


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("move", MOVES)
def test_what_needs_a_person_pauses_and_asks(make_rig: MakeRig, when: str, move: int) -> None:
    rig = small(make_rig, failing={(when, move): prober_error(ErrorClass.OPERATOR)}, answers=[Answer.RETRY])
    rig.run()
    require_whole(rig)
    assert attempts(rig) == len(DIES)
    assert ["the door is open" in question.reason for question in rig.questions] == [True]
    assert ["retry" in text for text in log(rig, "operator")] == [True]


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("move", MOVES)
def test_a_person_may_stop_and_the_run_resumes(make_rig: MakeRig, when: str, move: int) -> None:
    rig = small(make_rig, failing={(when, move): prober_error(ErrorClass.OPERATOR)}, answers=[Answer.STOP])
    outcome = rig.run()
    assert outcome.state == "stopped" and "the door is open" in outcome.reason
    with open_run(rig.run_folder) as run:
        assert (run.state, "the door is open" in run.reason) == ("stopped", True) or not outcome.left
        last = run.attempts()[-1]
        assert last.state == DieState.DONE or "the door is open" in last.reason
    done = [state == DieState.DONE for state in states(rig)]
    rig.run()
    require_whole(rig)
    for is_done, place in zip(done, DIES, strict=True):
        touched = [where[:2] for where in rig.prober.touched].count(place)
        assert touched == 1 or not is_done


@pytest.mark.parametrize("move", [2, 5])
def test_a_person_may_leave_a_die_out(make_rig: MakeRig, move: int) -> None:
    rig = small(make_rig, failing={("command", move): prober_error(ErrorClass.OPERATOR)}, answers=[Answer.SKIP])
    assert rig.run().state == "complete"
    skipped = [state == DieState.SKIPPED for state in states(rig)]
    assert skipped == [move == 2, move == 5]
    with open_run(rig.run_folder) as run:
        reason = run.dies()[skipped.index(True)].reason
    assert reason.startswith("left out by a person") and "the door is open" in reason


@pytest.mark.parametrize("when", WHEN)
@pytest.mark.parametrize("move", MOVES)
def test_after_what_is_fatal_nothing_moves(make_rig: MakeRig, when: str, move: int) -> None:
    rig = small(make_rig, failing={(when, move): prober_error(ErrorClass.FATAL)})
    with pytest.raises(ProberError, match="the door is open"):
        rig.run()
    assert rig.counts["command"] == move
    assert not rig.is_on
    with open_run(rig.run_folder) as run:
        assert run.state == "failed" and "the door is open" in run.reason
    rig.run()
    require_whole(rig)


def test_the_prober_s_end_of_wafer_ends_the_run(make_rig: MakeRig) -> None:
    rig = small(make_rig, failing={("command", 4): prober_error(ErrorClass.END_OF_WAFER)})
    outcome = rig.run()
    assert (outcome.state, len(outcome.left)) == ("stopped", 1)
    assert "the wafer ends here" in outcome.reason and rig.prober.is_separated()


def test_a_prober_that_does_not_come_round_is_asked_about(make_rig: MakeRig) -> None:
    silence = {("command", n): InstrumentError("no answer", where="prober") for n in range(1, 9)}
    rig = small(make_rig, failing=silence, answers=[Answer.RETRY, Answer.RETRY])
    rig.run()
    assert len(rig.questions) == 3 and rig.prober.touched == []  # three tries, then a person each time
    assert len(log(rig, "prober: retry")) == 5


@pytest.mark.parametrize("reading", [1, 2])
def test_an_instrument_that_fails_once_costs_one_attempt(make_rig: MakeRig, reading: int) -> None:
    rig = small(make_rig, failing={("bench", reading): InstrumentError("no reply", where="drive")})
    rig.run()
    require_whole(rig)
    assert attempts(rig) == len(DIES) + 1 and rig.questions == []
    with open_run(rig.run_folder) as run:
        failed = [visit for visit in run.attempts() if visit.state == DieState.FAILED]
    assert [visit.reason for visit in failed] == ["step 'glance': drive: no reply"]


@pytest.mark.parametrize(
    ("answer", "then"),
    [
        (Answer.RETRY, [DieState.DONE, DieState.DONE]),
        (Answer.SKIP, [DieState.SKIPPED, DieState.DONE]),
        (Answer.STOP, [DieState.PLANNED, DieState.PLANNED]),
    ],
)
def test_an_instrument_that_goes_on_failing_is_asked_about(
    make_rig: MakeRig, answer: Answer, then: list[DieState]
) -> None:
    failing = {("bench", n): InstrumentError("no reply", where="drive") for n in (1, 2)}
    rig = small(make_rig, failing=failing, answers=[answer])
    rig.run()
    assert states(rig) == then
    assert [question.what for question in rig.questions] == ["step 'glance'"]
    with open_run(rig.run_folder) as run:
        assert "no reply" in run.attempts()[1].reason
    assert rig.prober.is_separated()


def test_while_an_output_cannot_be_switched_off_nothing_moves(make_rig: MakeRig) -> None:
    rig = small(make_rig, sticks=True)
    with pytest.raises(ProberError, match="output of drive is on"):
        rig.run()
    assert [what for what, _ in rig.moves] == ["step", "down"]
    with open_run(rig.run_folder) as run:
        assert run.state == "failed" and "output of drive is on" in run.reason


@pytest.mark.parametrize("idle", range(2, 8))
def test_a_bench_that_does_not_come_to_idle_ends_the_run_and_nothing_moves_before_it_does(
    make_rig: MakeRig, idle: int
) -> None:
    rig = small(make_rig, failing={("idle", idle): InstrumentError("no reply", where="drive")})
    try:
        rig.run()
    except InstrumentError as error:
        assert "no reply" in str(error)
    rig.failing.clear()
    rig.run()
    require_whole(rig)


@pytest.mark.parametrize(
    ("what", "number"), [*((when, move) for when in WHEN for move in MOVES), ("bench", 1), ("bench", 2)]
)
def test_ctrl_c_leaves_everything_in_order_and_the_run_resumes(make_rig: MakeRig, what: str, number: int) -> None:
    rig = small(make_rig, failing={(what, number): KeyboardInterrupt()})
    with pytest.raises(KeyboardInterrupt):
        rig.run()
    assert rig.prober.is_separated() and not rig.is_on
    with open_run(rig.run_folder) as run:
        assert (run.state, run.reason) == ("stopped", "stopped by Ctrl-C")
        assert run.attempts()[-1].state != DieState.PLANNED
    rig.run()
    require_whole(rig)


def test_a_full_disk_is_asked_about_and_nothing_measured_is_lost(
    make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = small(make_rig, answers=[Answer.RETRY, Answer.RETRY])
    kept, room = RunStore.keep, []

    def keep(self: RunStore, *given: Any, **named: Any) -> None:
        room.append(1)
        if len(room) in (1, 2):
            raise RecordError("no space left on the disk")
        kept(self, *given, **named)

    monkeypatch.setattr(RunStore, "keep", keep)
    rig.run()
    require_whole(rig)
    assert rig.counts["bench"] == len(DIES)
    assert [question.what for question in rig.questions] == ["keeping step 'glance'"] * 2


def test_a_disk_that_stays_full_ends_the_run_off_the_wafer(make_rig: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = small(make_rig)

    def keep(self: RunStore, *given: Any, **named: Any) -> None:
        raise RecordError("no space left on the disk")

    with monkeypatch.context() as patched:
        patched.setattr(RunStore, "keep", keep)
        with pytest.raises(RecordError, match="no space left"):
            rig.run()
    assert rig.prober.is_separated() and not rig.is_on
    assert states(rig) == [DieState.PLANNED] * 2
    rig.run()
    require_whole(rig)


def test_an_operator_leaves_a_die_that_the_prober_will_not_go_to(make_rig: MakeRig) -> None:
    rig = small(make_rig, answers=[Answer.SKIP])
    rig.settings = replace(rig.settings, retries=0)
    rig.prober._route = rig.prober._route[:1]
    assert rig.run().state == "complete"
    assert states(rig) == [DieState.DONE, DieState.SKIPPED]


def test_a_lift_off_that_fails_while_a_run_is_stopping_is_told_beside_why_it_stops(make_rig: MakeRig) -> None:
    failing = {("command", 2): prober_error(ErrorClass.OPERATOR), ("bench", 1): InstrumentError("no reply")}
    rig = small(make_rig, failing=failing, answers=[Answer.RETRY, Answer.STOP])
    rig.settings = replace(rig.settings, die_retries=0)
    lifted = rig.prober._lift_off

    def stuck() -> None:
        if rig.prober.is_down:
            raise prober_error(ErrorClass.FATAL)
        lifted()

    rig.prober._lift_off = stuck  # type: ignore[method-assign]
    with pytest.raises(ProberError, match="the door is open"):
        rig.run()
    with open_run(rig.run_folder) as run:
        assert run.state == "failed" and "no reply" in run.reason and "the door is open" in run.reason
    assert not rig.is_on
