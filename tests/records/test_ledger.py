"""The ledger: states, attempts, reasons, order, clocks; and what it refuses."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from mtjlab.errors import InputError
from mtjlab.ledger import Ledger
from mtjlab.ledger_rows import DieState, LedgerView
from mtjlab.nouns import DieId
from mtjlab.records import RunStore
from mtjlab.run_plan import DieTest, RunPlan

from .conftest import DIES, PLAN, SetClock, probe


def _view(store: RunStore) -> LedgerView:
    return LedgerView(store.folder / "ledger.sqlite")


def test_a_die_goes_from_planned_through_contacted_and_measuring_to_done(create: Callable[..., RunStore]) -> None:
    with create() as store, _view(store) as view:
        die = DIES[1]

        def state() -> DieState:
            return next(row.state for row in view.dies() if row.die == die)

        found = [state()]
        store.begin_attempt(die)
        found.append(state())
        store.contacted(die, 2)
        found.append(state())
        store.measuring(die, "read")
        found.append(state())
        store.keep(die, "read", scalars={"shorts": 0})
        store.finish(die, 1, 1)
        found.append(state())
        assert [str(each) for each in found] == ["planned", "planned", "contacted", "measuring", "done"]
        row = view.dies()[1]
        assert (row.attempt, row.attempts, row.touchdowns, row.hard_bin, row.soft_bin) == (0, 1, 2, 1, 1)
        assert store.left() == (DIES[0], *DIES[2:])


def test_a_failed_and_a_skipped_die_keep_their_reasons_and_are_not_left(create: Callable[..., RunStore]) -> None:
    with create() as store, _view(store) as view:
        store.begin_attempt(DIES[0])
        store.fail(DIES[0], "the vacuum was lost", hard_bin=9, soft_bin=90)
        store.skip(DIES[1], "scratched")
        one, other = view.dies()[:2]
        assert (one.state, one.reason, one.hard_bin, one.soft_bin, one.attempt) == (
            DieState.FAILED,
            "the vacuum was lost",
            9,
            90,
            None,
        )
        assert (other.state, other.reason) == (DieState.SKIPPED, "scratched")
        assert store.left() == DIES[2:]


def test_a_retest_is_another_attempt_and_the_last_counts(create: Callable[..., RunStore]) -> None:
    with create() as store, _view(store) as view:
        probe(store, DIES[0])
        store.plan_again(DIES[0], "gauge study")
        assert store.left()[0] == DIES[0]
        store.begin_attempt(DIES[0])
        store.keep(DIES[0], "read", scalars={"shorts": 5})
        store.finish(DIES[0], 5, 51, first_failing="read.shorts")
        row = view.dies()[0]
        assert (row.attempt, row.attempts, row.hard_bin, row.first_failing) == (1, 2, 5, "read.shorts")
        assert [visit.hard_bin for visit in view.attempts(DIES[0])] == [1, 5]


def test_bins_that_the_prober_was_not_told_are_known_also_to_a_run_of_an_earlier_version(
    create: Callable[..., RunStore],
) -> None:
    with create() as store:
        probe(store, DIES[0])
        probe(store, DIES[1])
        assert store.untold_bins() == [(DIES[0], 1), (DIES[1], 1)]
        store.bin_told(DIES[0], 1)
        store.bin_told(DIES[1], 7)
        assert store.untold_bins() == [(DIES[1], 1)], "it was told another bin than the one that counts"
        store.plan_again(DIES[1], "gauge study")
        assert store.untold_bins() == [], "it is to be visited first"
    path = store.folder / "ledger.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE dies DROP COLUMN told_bin")
    connection.close()
    with RunStore.open(store.folder) as again:
        assert again.untold_bins() == [(DIES[0], 1)]


def test_of_the_best_attempts_a_good_one_is_not_replaced(create: Callable[..., RunStore]) -> None:
    from dataclasses import replace

    with create(plan=replace(PLAN, retests="best")) as store, _view(store) as view:
        for hard in (5, 1, 5, 1):
            store.plan_again(DIES[0], "again")
            store.begin_attempt(DIES[0])
            store.keep(DIES[0], "read", scalars={"shorts": hard})
            store.finish(DIES[0], hard, hard)
        assert (view.dies()[0].attempt, view.dies()[0].hard_bin) == (3, 1)
        store.plan_again(DIES[0], "again")
        store.begin_attempt(DIES[0])
        store.keep(DIES[0], "read", scalars={"shorts": 9})
        store.finish(DIES[0], 5, 5)
        assert (view.dies()[0].attempt, view.dies()[0].hard_bin) == (3, 1)


def test_a_retest_that_fails_leaves_what_was_measured_before(create: Callable[..., RunStore]) -> None:
    with create() as store, _view(store) as view:
        probe(store, DIES[0])
        store.plan_again(DIES[0], "again")
        store.begin_attempt(DIES[0])
        store.fail(DIES[0], "no contact", hard_bin=9)
        row = view.dies()[0]
        assert (row.state, row.attempt, row.hard_bin) == (DieState.DONE, 0, 1)
        assert "retest was failed: no contact" in row.reason


def test_order_does_not_follow_a_wall_clock_that_is_set_back(create: Callable[..., RunStore], wall: SetClock) -> None:
    with create() as store, _view(store) as view:
        probe(store, DIES[0])
        wall.seconds -= 3600
        probe(store, DIES[1])
        events = view.events()
        assert [event.seq for event in events] == sorted({event.seq for event in events})
        kinds = [event.kind for event in events]
        assert kinds.count("clock") == 1
        assert kinds.index("clock") > next(k for k, kind in enumerate(kinds) if kind == "done")
        assert "went back by 3600" in events[kinds.index("clock")].text
        assert [visit.die for visit in view.attempts()] == [DIES[0], DIES[1]]
        assert view.attempts()[0].began_wall > view.attempts()[1].began_wall
        assert all(visit.seconds is not None and visit.seconds >= 0 for visit in view.attempts())


def test_a_clock_that_went_back_between_two_sessions_is_noted_too(
    create: Callable[..., RunStore], wall: SetClock
) -> None:
    with create() as store:
        probe(store, DIES[0])
        folder = store.folder
    wall.seconds -= 60
    with RunStore.open(folder, wall=wall) as store, _view(store) as view:
        store.resume()
        store.note("go on")
        assert [event.kind for event in view.events()].count("clock") == 1
        assert {event.session for event in view.events()} == {1, 2}


def test_durations_come_from_the_monotonic_clock(create: Callable[..., RunStore], wall: SetClock) -> None:
    ticks = SetClock(50.0)
    with create(monotonic=ticks) as store, _view(store) as view:
        store.begin_attempt(DIES[0])
        ticks.seconds, wall.seconds = 62.5, wall.seconds - 1e6
        store.keep(DIES[0], "read", scalars={"shorts": 1})
        store.finish(DIES[0], 1, 1, bench_seconds=99.0)
        assert (view.attempts()[0].seconds, view.attempts()[0].bench_seconds) == (12.5, 99.0)


def test_an_attempt_needs_a_planned_die_and_the_end_of_the_one_before(create: Callable[..., RunStore]) -> None:
    with create() as store:
        with pytest.raises(InputError, match="not in the plan"):
            store.begin_attempt(DieId(PLAN.wafer, 40, 40))
        store.begin_attempt(DIES[0])
        with pytest.raises(InputError, match="attempt 0 of die \\(2, -1\\) is not finished"):
            store.begin_attempt(DIES[1])
        with pytest.raises(InputError, match="no attempt of die"):
            store.contacted(DIES[1], 1)
        with pytest.raises(InputError, match="has no data"):
            store.finish(DIES[0], 1, 1)
        with pytest.raises(InputError, match="step 'write' is not in the plan"):
            store.measuring(DIES[0], "write")


def test_a_ledger_ends_attempts_only_as_done_failed_or_skipped_and_only_once(create: Callable[..., RunStore]) -> None:
    with create() as store:
        folder = store.folder
    ledger = Ledger(folder / "ledger.sqlite")
    attempt = ledger.begin_attempt(DIES[0])
    with pytest.raises(InputError, match="done, failed or skipped"):
        ledger.finish(attempt, DieState.MEASURING)
    ledger.finish(attempt, DieState.FAILED, reason="x")
    with pytest.raises(InputError, match="has ended"):
        ledger.finish(attempt, DieState.DONE)
    with pytest.raises(InputError, match="has not begun"):
        ledger.set_contacted(7, 1)
    ledger.close()


def test_what_is_no_ledger_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with pytest.raises(InputError, match="no such file"):
        LedgerView(path)
    path.write_bytes(b"x" * 5000)
    with pytest.raises(Exception, match="not an SQLite database"):
        LedgerView(path)
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE run (key TEXT, value TEXT)")
    other.execute("INSERT INTO run VALUES ('format', 'something else')")
    other.commit()
    other.close()
    with pytest.raises(InputError, match="unknown format 'something else'"):
        LedgerView(path)
    with pytest.raises(InputError, match="unknown format"):
        Ledger(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dies": (DieId("other", 1, 1),)}, "not of wafer"),
        ({"dies": (DIES[0], DIES[0])}, "stands twice"),
        ({"dies": ()}, "at least one die"),
        ({"steps": ("read", "read")}, "stands twice"),
        ({"steps": ("../read",)}, "not a plain name"),
        ({"tests": (DieTest(1, "a", "nowhere"),)}, "step 'nowhere', which the plan lacks"),
        ({"tests": (DieTest(1, "a", "read"), DieTest(1, "b", "read"))}, "test 1 stands twice"),
    ],
)
def test_plans_that_cannot_be_are_refused(change: dict[str, object], message: str) -> None:
    given: dict[str, object] = {"lot": "L", "wafer": PLAN.wafer, "dies": DIES, "steps": ("check", "read"), "tests": ()}
    with pytest.raises(InputError, match=message):
        RunPlan(**(given | change))  # type: ignore[arg-type]


def test_a_plan_comes_back_from_its_text() -> None:
    assert RunPlan.from_json(PLAN.to_json()) == PLAN


def test_limits_include_their_ends_and_nan_fails_them() -> None:
    limited = DieTest(1, "a", "read", low=1.0, high=2.0)
    assert [limited.passes(value) for value in (0.99, 1.0, 2.0, 2.01, float("nan"))] == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert DieTest(1, "a", "read").passes(float("nan"))
    assert not DieTest(1, "a", "read", is_functional=True).passes(0)
