"""A wafer is walked by coordinates, recorded die for die, binned, resumed; contact decides what is measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtjlab.bins import TestLimit
from mtjlab.errors import InputError
from mtjlab.ledger_rows import DieState
from mtjlab.map_feed import MapFeed
from mtjlab.nouns import CellStatus, DieId
from mtjlab.prober import ErrorClass, ProberError
from mtjlab.protocols.probe_wafer_parts import Answer, BinRules, Step, StepResult, Visit
from mtjlab.store import open_run

from .wafer_rig import PLACES, Rig

MakeRig = Callable[..., Rig]


def test_every_die_is_visited_once_in_order_and_recorded(make_rig: MakeRig) -> None:
    rig = make_rig()
    feed = MapFeed()
    outcome = rig.run(feed=feed)
    assert (outcome.state, outcome.left, outcome.touchdowns) == ("complete", (), len(PLACES))
    assert [place[:2] for place in rig.prober.touched] == PLACES
    assert rig.prober.is_separated()
    with open_run(rig.run_folder) as run:
        rows = run.dies()
        assert [(row.die.x, row.die.y) for row in rows] == PLACES
        assert {row.state for row in rows} == {DieState.DONE}
        assert [row.touchdowns for row in rows] == [1] * len(PLACES)
        figures = run.figures()[0]
        known = run.maps(DieId("W1", 0, 0), "survey")[0]
        assert run.problems() == [] and run.state == "complete"
        spent = sum(visit.bench_seconds or 0 for visit in run.attempts())
    assert figures["survey.median_p_siemens"] == pytest.approx(
        float(np.median(known.siemens_p[known.status == CellStatus.OK]))
    )
    assert figures["contact.silent_lines"] == 0
    assert 0 < spent <= outcome.bench_seconds
    assert [die.dies[0] for die in (feed.close() or feed)] == [DieId("W1", *place) for place in PLACES]


def test_the_first_failing_limit_gives_the_bin(make_rig: MakeRig) -> None:
    rig = make_rig()
    limits = (
        TestLimit("survey.tmr", 5.0, None, 4, 40, "TMR"),
        TestLimit("survey.defects", -1.0, -0.5, 3, 30, "defects"),
    )
    rig.settings = replace(rig.settings, bins=BinRules(limits))
    rig.run()
    with open_run(rig.run_folder) as run:
        assert {(row.hard_bin, row.soft_bin, row.first_failing) for row in run.dies()} == {(4, 40, "survey.tmr")}
        assert run.plan.hard_bin_names[4] == "TMR"
        assert next(t for t in run.plan.tests if t.name == "tmr").low == 5.0


def test_a_run_that_was_stopped_goes_on_where_it_was(make_rig: MakeRig) -> None:
    rig, whole = make_rig(), make_rig()
    whole.run()
    outcome = rig.run(should_stop=lambda: len(rig.prober.touched) >= 3)
    assert outcome.state == "stopped" and len(outcome.left) == 4
    with open_run(rig.run_folder) as run:
        assert run.state == "stopped" and "as was asked" in run.reason
        assert run.attempts()[2].state == DieState.FAILED
        done = [row.die for row in run.dies() if row.state == DieState.DONE]
    touched = len(rig.prober.touched)
    assert rig.run().state == "complete"
    again = {place[:2] for place in rig.prober.touched[touched:]}
    assert again.isdisjoint({(die.x, die.y) for die in done})
    with open_run(rig.run_folder) as run, open_run(whole.run_folder) as other:
        for die in (row.die for row in run.dies()):
            for name in ("siemens_p", "siemens_ap", "sigma", "status"):
                pair = [getattr(each.maps(die, "survey")[0], name) for each in (run, other)]
                np.testing.assert_array_equal(*pair)
        assert [visit.state for visit in run.attempts(DieId("W1", 2, 0))] == [DieState.FAILED, DieState.DONE]


def test_a_die_that_is_left_out_when_it_is_already_the_next_is_not_touched(make_rig: MakeRig) -> None:
    rig, store = make_rig(), []

    def should_stop() -> bool:
        if rig.prober.touched == [] and (2, 0) in {(die.x, die.y) for die in store[0].left()}:
            for place in PLACES[:3]:
                store[0].skip(DieId("W1", *place), "somebody changed their mind")
        return False

    def opened() -> Any:
        store.append(kept())
        return store[0]

    kept = rig.store
    rig.store = opened  # type: ignore[method-assign]
    outcome = rig.run(should_stop=should_stop)
    assert [(die.x, die.y) for die in outcome.visited] == PLACES[3:]
    assert {where for _, where in rig.moves}.isdisjoint(PLACES[:3])


def test_probes_are_cleaned_each_time_the_run_has_made_so_many_touch_downs(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.with_contact(clean_every=2)
    rig.run(should_stop=lambda: len(rig.prober.touched) >= 3)
    rig.prober = type(rig.prober)(rig.map, happened=rig._happened)  # another session counts from 0
    rig.prober.ordered = lambda: None
    rig.run()
    cleaned = [where for what, where in rig.moves if what == "clean"]
    touched = [where for what, where in rig.moves if what == "down"]
    assert len(touched) == 7, "the third die twice"
    assert len(cleaned) == 3
    with open_run(rig.run_folder) as run:
        why = [event.text for event in run.events() if "cleaned" in event.text]
    assert why == [f"probes cleaned: {n} touch-downs so far" for n in (2, 4, 6)]


def test_bins_go_back_to_the_prober_after_each_die_with_the_probes_up(make_rig: MakeRig) -> None:
    rig = make_rig(silent_dies=frozenset({(1, 0)}))
    rig.settings = replace(rig.settings, writes_bins=True)
    rig.run()
    with open_run(rig.run_folder) as run:
        assert rig.prober.bins == {(row.die.x, row.die.y): row.hard_bin for row in run.dies()}
    assert rig.prober.bins[1, 0] == 8
    written = [number for number, (what, _) in enumerate(rig.moves) if what == "bin"]
    assert [rig.moves[number - 1] for number in written] == [("up", place) for place in PLACES]
    without = make_rig()
    without.run()
    assert without.prober.bins == {}


def test_a_bin_that_the_prober_was_not_told_when_a_run_ended_is_told_when_it_goes_on(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.settings = replace(rig.settings, writes_bins=True)
    rig.failing["command", 6] = KeyboardInterrupt()  # while the probes lift off the second die, which is done
    with pytest.raises(KeyboardInterrupt):
        rig.run()
    with open_run(rig.run_folder) as run:
        assert [row.state for row in run.dies()].count(DieState.DONE) == 2
    assert list(rig.prober.bins) == PLACES[:1]
    before = len(rig.moves)
    rig.run()
    told = [place for what, place in rig.moves[before:] if what == "bin"]
    assert told == PLACES[1:] and rig.moves[before] == ("bin", PLACES[1])
    with open_run(rig.run_folder) as run:
        assert rig.prober.bins == {(row.die.x, row.die.y): row.hard_bin for row in run.dies()}


def test_a_bin_that_a_person_leaves_out_is_not_asked_for_again(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.settings = replace(rig.settings, writes_bins=True, retries=0)
    rig.failing["move", 4] = ProberError("no such bin", error_class=ErrorClass.OPERATOR)
    rig.answers = [Answer.SKIP]
    assert rig.run().state == "complete"
    assert len(rig.questions) == 1 and "writing bin 1 of die (0, 0)" in rig.questions[0].what
    told = [place for what, place in rig.moves if what == "bin"]
    assert told == PLACES, "the first one failed after it had moved"


def test_a_retest_is_another_attempt_of_the_same_die(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.run()
    with rig.store() as store:
        store.plan_again(DieId("W1", 1, 1), "looked odd")
    outcome = rig.run()
    assert outcome.visited == (DieId("W1", 1, 1),)
    with open_run(rig.run_folder) as run:
        row = next(row for row in run.dies() if row.die == DieId("W1", 1, 1))
    assert (row.attempts, row.touchdowns, row.attempt) == (2, 2, len(PLACES))


def test_a_die_that_needs_more_overtravel_gets_it_and_only_that_die(make_rig: MakeRig) -> None:
    rig = make_rig(silent_dies=frozenset({(1, 0)}), silent_until=24e-6)
    before = rig.prober.overtravel_metres()
    rig.run()
    assert rig.prober.overtravel_metres() == before
    with open_run(rig.run_folder) as run:
        rows = {(row.die.x, row.die.y): row for row in run.dies()}
        reprobed = [event.text for event in run.events() if event.kind == "contact"]
    assert [rows[place].touchdowns for place in PLACES] == [1, 2, 1, 1, 1, 1]
    assert rows[1, 0].state == DieState.DONE
    assert len(reprobed) == 1 and "10 of 10 lines are silent" in reprobed[0]


def test_a_die_without_contact_is_not_measured_and_has_its_bin(make_rig: MakeRig) -> None:
    rig = make_rig(silent_dies=frozenset({(1, 0)}))
    rig.with_contact(cleans=True)
    assert rig.run().state == "complete"
    assert rig.prober.cleanings == 1
    at = rig.moves.index(("clean", (1, 0)))
    assert [what for what, _ in rig.moves[at - 2 : at + 3]] == ["down", "up", "clean", "step", "down"]
    with open_run(rig.run_folder) as run:
        row = next(row for row in run.dies() if row.die == DieId("W1", 1, 0))
        assert (row.state, row.hard_bin, row.touchdowns) == (DieState.FAILED, 8, 3)
        assert "no contact: 10 of 10 lines are silent" in row.reason
        assert row.reason.endswith("after 3 touch-downs, probes cleaned")
        assert ["probes cleaned: 10 of 10" in event.text for event in run.events() if event.kind == "contact"] == [
            False,
            True,
            False,
        ]
        assert DieId("W1", 1, 0) not in run.dies_with("survey")
    assert rig.run().visited == ()  # it is not tried again by itself


@pytest.mark.parametrize(("answer", "visits", "left"), [(Answer.SKIP, 6, 0), (Answer.STOP, 4, 5), (Answer.RETRY, 9, 0)])
def test_dies_without_contact_in_a_row_are_the_probes_fault(
    make_rig: MakeRig, answer: Answer, visits: int, left: int
) -> None:
    rig = make_rig(silent_dies=frozenset(PLACES[1:4]), answers=[answer])
    rig.with_contact(most_bad_in_a_row=3, tries=0)

    def mended(question: object) -> Answer:
        if answer is Answer.RETRY:
            rig.silent_dies = frozenset()
        return Rig.ask(rig, question)  # type: ignore[arg-type]

    rig.ask = mended  # type: ignore[method-assign, assignment]
    outcome = rig.run()
    assert (len(outcome.visited), len(outcome.left)) == (visits, left)
    assert rig.questions[0].reason == "3 dies in a row make no contact"
    with open_run(rig.run_folder) as run:
        assert any("3 dies in a row make no contact" in event.text for event in run.events())
        if answer is Answer.RETRY:
            assert {row.state for row in run.dies()} == {DieState.DONE}


def test_steps_see_what_was_found_before_and_may_end_a_die(make_rig: MakeRig) -> None:
    rig = make_rig(places=PLACES[:1], more_units={"judge": {"figure": ""}, "never": {}})

    def judge(visit: Visit) -> StepResult:
        figure = visit.earlier["survey"].scalars["median_p_siemens"]
        return StepResult(scalars={"figure": figure}, ends_die="enough is known")

    rig.steps += [Step("judge", judge), Step("never", lambda visit: pytest.fail("a step after the end of a die"))]
    assert rig.run().state == "complete"
    with open_run(rig.run_folder) as run:
        figures = run.figures()[0]
        (row,) = run.dies()
    assert figures["judge.figure"] == figures["survey.median_p_siemens"] > 0
    assert (row.state, row.reason) == (DieState.DONE, "enough is known")


def test_other_steps_than_planned_are_refused(make_rig: MakeRig) -> None:
    rig = make_rig()
    rig.with_contact(check=None)
    with pytest.raises(InputError, match="planned with steps contact, survey, not survey"):
        rig.run()
    assert rig.moves == []
