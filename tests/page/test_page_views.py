"""What the page shows of a run against what was recorded; changes alone make up the whole; the run notices nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab import page_bench
from mtjlab.bench_lock import BenchLock
from mtjlab.errors import InputError
from mtjlab.ledger_rows import DieState
from mtjlab.page_app import RunsFolder
from mtjlab.page_bench import held
from mtjlab.page_dies import cell_history, die_detail, die_map
from mtjlab.page_feed import MOST_WAITING, RunFeed
from mtjlab.page_views import Changes, changed_at, whole
from mtjlab.records import RunStore
from mtjlab.run_control import RunChannel
from mtjlab.store import open_run

from .page_wafer import DIES, create, maps_of, probe


@pytest.fixture
def store(tmp_path: Path) -> Any:
    store = create(tmp_path / "run")
    yield store
    store.leave()


def test_changes_add_up_to_the_whole(store: RunStore) -> None:
    changes, events = Changes(store.folder), list[dict[str, Any]]()
    dies: dict[tuple[int, int], dict[str, Any]] = {}
    for number, die in enumerate(DIES[:5]):
        if number != 2:
            probe(store, die)
        else:
            store.skip(die, "scratched")
        told = changes.since()
        assert len(told["dies"]) == (36 if number == 0 else 1)
        dies |= {(one["x"], one["y"]): one for one in told["dies"]}
        events += told["events"]
    now = whole(store.folder)
    assert {(one["x"], one["y"]): one for one in now["dies"]} == dies
    assert now["events"] == events
    assert changes.since()["dies"] == changes.since()["events"] == []


def test_a_recorded_run_prints_what_it_is(store: RunStore) -> None:
    with open_run(store.folder) as run:
        assert repr(run) == f"StoredRun({store.run_id}, wafer MTJ-07, 36 dies, open, {str(store.folder.resolve())!r})"


def test_phases_as_a_run_goes_through_them(store: RunStore, tmp_path: Path) -> None:
    def phase() -> str:
        return str(whole(tmp_path / "run")["phase"])

    assert phase() == "recording"
    channel = RunChannel(store.folder)
    probe(store, DIES[0])
    assert phase() == "running"
    channel.publish(phase="paused")
    assert phase() == "paused"
    channel._alive.release()
    assert phase() == "interrupted"
    store.leave()
    again = RunStore.open(tmp_path / "run")
    channel = RunChannel(tmp_path / "run")
    again.resume()
    probe(again, DIES[1])
    assert phase() == "resumed"
    again.close("stopped", "enough")
    channel.close()
    assert (phase(), whole(tmp_path / "run")["reason"]) == ("stopped", "enough")


def test_time_left_is_dies_left_times_the_median_visit(store: RunStore) -> None:
    assert whole(store.folder)["seconds_left"] is None
    for die in DIES[:3]:
        probe(store, die)
    seconds = sorted(each["seconds"] for die in DIES[:3] for each in die_detail(store.folder, die.x, die.y)["visits"])
    assert whole(store.folder)["seconds_left"] == 33 * seconds[1]


def test_maps_and_cells_are_what_was_measured(store: RunStore) -> None:
    die = DIES[0]
    probe(store, die)
    store.plan_again(die, "once more")
    probe(store, die)
    told = die_map(store.folder, die.x, die.y, "survey", 0)
    truth = maps_of(die, 2, 4)
    p = np.frombuffer(base64.b64decode(told["arrays"]["siemens_p"]), "<f4").reshape(told["shape"])
    np.testing.assert_array_equal(p, np.stack([one.siemens_p for one in truth]).astype("f4"))
    status = np.frombuffer(base64.b64decode(told["status"]), "i1").reshape(told["shape"])
    np.testing.assert_array_equal(status, np.stack([one.status for one in truth]))
    assert sum(told["counts"].values()) == 32
    history = cell_history(store.folder, die.x, die.y, 1, 2, 3)["history"]
    assert [(each["attempt"], each["siemens_ap"]) for each in history] == [
        (0, truth[1].siemens_ap[2, 3]),
        (1, truth[1].siemens_ap[2, 3]),
    ]
    assert [each["state"] for each in die_detail(store.folder, die.x, die.y)["visits"]] == [DieState.DONE] * 2


def test_what_is_not_there_is_said(store: RunStore) -> None:
    with pytest.raises(InputError, match="no die"):
        die_detail(store.folder, 99, 0)
    with pytest.raises(InputError):
        die_map(store.folder, DIES[0].x, DIES[0].y, "survey", 0)


def test_runs_are_listed_newest_first_as_they_are_now_and_wrecks_are_left_out(tmp_path: Path, store: RunStore) -> None:
    (tmp_path / "wreck").mkdir()
    (tmp_path / "wreck" / "ledger.sqlite").write_bytes(b"nothing")
    later = RunStore.create(tmp_path / "deeper" / "later", store.plan, store.provenance, wall=lambda: 1.9e9)
    later_id = later.run_id
    later.close("stopped")
    runs = RunsFolder(tmp_path)
    assert [(run["run_id"], run["phase"]) for run in runs.list()] == [
        (later_id, "stopped"),
        (store.run_id, "recording"),
    ]
    assert runs.folder(store.run_id) == tmp_path / "run"
    for die in DIES[:2]:
        probe(store, die)
    again = RunStore.open(later.folder)
    again.resume()
    again.skip(DIES[0], "scratched")
    assert [run["finished"] for run in runs.list()] == [1, 2]
    again.leave()
    with pytest.raises(InputError, match="no such run"):
        runs.folder("../run")
    assert RunsFolder(tmp_path / "nowhere").list() == []


def test_a_change_of_the_ledger_is_seen_without_opening_it(store: RunStore) -> None:
    before = changed_at(store.folder)
    assert changed_at(store.folder) == before
    store.note("something")
    assert changed_at(store.folder) != before


def test_a_view_never_keeps_the_ledger_from_being_left_whole(tmp_path: Path) -> None:
    store = create(tmp_path / "run")
    changes = Changes(store.folder)
    probe(store, DIES[0])
    changes.since()
    store.leave()
    assert not list((tmp_path / "run").glob("ledger.sqlite-*"))


def test_five_viewers_are_told_the_same_and_one_that_sleeps_is_told_the_whole(store: RunStore) -> None:
    async def watch() -> None:
        feed = RunFeed(store.folder, poll_seconds=0.001)
        viewers = [feed.follow() for _ in range(5)]
        firsts = [await anext(viewer) for viewer in viewers]
        assert {kind for kind, _ in firsts} == {"whole"}
        sleeper, *awake = viewers
        probe(store, DIES[0])
        finals = []
        for viewer in awake:
            while '"state":"done"' not in (line := (await anext(viewer))[1]):
                pass
            finals.append(line)
        assert len(set(finals)) == 1
        for number in range(MOST_WAITING + 5):
            feed._hand_on(json.dumps({"number": number}))
        kinds = [(await anext(sleeper))[0] for _ in range(3)]
        assert "whole" in kinds
        for viewer in viewers:
            await viewer.aclose()  # type: ignore[attr-defined]
        assert feed.viewers == 0
        await feed.close()

    asyncio.run(watch())


def test_a_ledger_that_goes_away_is_told_and_looked_for_again(store: RunStore) -> None:
    async def watch() -> None:
        feed = RunFeed(store.folder, poll_seconds=0.001)
        viewer = feed.follow()
        await anext(viewer)
        store.leave()
        ledger = store.folder / "ledger.sqlite"
        ledger.rename(store.folder / "away")
        while "problem" not in json.loads((await anext(viewer))[1]):
            pass
        (store.folder / "away").rename(ledger)
        while "problem" in json.loads((await anext(viewer))[1]):
            pass
        await viewer.aclose()  # type: ignore[attr-defined]
        await feed.close()

    asyncio.run(watch())


def test_the_bench_is_held_by_the_program_that_records_a_run(tmp_path: Path) -> None:
    runs, locks = tmp_path / "runs", tmp_path / "locks"
    folder = RunsFolder(runs, locks=locks)
    assert folder.bench() == {"holders": [], "events": []}
    going, ended = create(runs / "going"), create(runs / "ended")
    probe(ended, DIES[0])
    ended.close()
    channel = RunChannel(runs / "going")
    with BenchLock(["GPIB0::24::INSTR", "GPIB0::16::INSTR"], locks):
        (holder,) = folder.bench()["holders"]
        assert holder["addresses"] == ["GPIB0::16::INSTR", "GPIB0::24::INSTR"]
        assert (holder["process"], holder["run_id"]) == (os.getpid(), going.run_id)
        assert abs(holder["since"] - time.time()) < 60 and "/" not in holder["command"]
    assert folder.bench()["holders"] == []
    (locks / "left.json").write_text('{"address": "GPIB0::24::INSTR"}')
    (locks / "cut.json").write_text('{"addr')
    assert folder.bench()["holders"] == []
    channel.close()
    going.leave()


def test_a_lock_that_may_not_be_looked_at_counts_as_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(address: str, folder: Path) -> None:
        raise PermissionError(13, "not yours")

    with BenchLock(["GPIB0::24::INSTR"], tmp_path):
        monkeypatch.setattr(page_bench, "holder_of", refuse)
        (holder,) = held(tmp_path)
        assert (holder.address, holder.process) == ("GPIB0::24::INSTR", os.getpid())


def test_the_last_messages_of_all_runs_without_the_routine(tmp_path: Path) -> None:
    for number, name in enumerate(("first", "second")):
        store = create(tmp_path / name)
        for die in DIES[:8]:
            probe(store, die)
        store.note(f"Ada: pause {number}", "operator")
        store.close()
    entry = {"time": "2026-08-04T09:00:00+0000", "why": "the run's process ended", "is_safe": False}
    (tmp_path / "second" / "supervisor.log").write_text(f"{json.dumps(entry)}\nnot a line\n")
    events = RunsFolder(tmp_path, locks=tmp_path).bench()["events"]
    assert {event["kind"] for event in events} <= {"done", "failed", "contact", "operator", "closed", "supervisor"}
    assert [event["text"] for event in events if event["kind"] == "operator"] == ["Ada: pause 0", "Ada: pause 1"]
    (act,) = [event for event in events if event["kind"] == "supervisor"]
    assert act["is_incident"] and "NOT everything is known to be off" in act["text"]
    assert [event["die"] for event in events if event["kind"] == "failed"] == [[DIES[3].x, DIES[3].y]] * 2
