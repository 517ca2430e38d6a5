"""Full disks, locks, folders that go away, kills: nothing that was reported as saved is lost, and it is said why."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtjlab.errors import InputError, RecordError
from mtjlab.exports import export_run, publish
from mtjlab.ledger_rows import DieState
from mtjlab.nouns import DieId
from mtjlab.records import RunStore
from mtjlab.store import open_run

from .conftest import DIES, WAFER, figures_of, maps_of, probe, same_maps


def _limit_pages(connection: Any, spare: int | None) -> None:
    """Let the database grow by so many pages only, or as far as it likes: SQLite's own full disk."""
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count={pages + spare if spare is not None else 2**30}")


def _require_whole(folder: Path, dies: list[DieId]) -> None:
    with open_run(folder) as run:
        assert run.dies_with("read") == dies
        assert run.problems() == []
        for die in dies:
            assert same_maps(run.maps(die, "read"), maps_of(die))


def test_a_disk_that_fills_up_in_the_data_is_said_and_the_die_can_be_kept_later(
    create: Callable[..., RunStore],
) -> None:
    with create() as store:
        probe(store, DIES[0])
        _limit_pages(store._rows._connection, 0)
        store.begin_attempt(DIES[1])
        with pytest.raises(RecordError, match="the disk is full") as raised:
            store.keep(DIES[1], "read", maps_of(DIES[1]), figures_of(DIES[1]))
        assert "Free space" in raised.value.remedy
        with pytest.raises(InputError, match="has no data"):
            store.finish(DIES[1], 1, 1)
        _require_whole(store.folder, [DIES[0]])
        _limit_pages(store._rows._connection, None)
        store.keep(DIES[1], "read", maps_of(DIES[1]), figures_of(DIES[1]))
        store.finish(DIES[1], 1, 1)
        _require_whole(store.folder, [DIES[0], DIES[1]])


def test_a_disk_that_fills_up_in_the_ledger_leaves_the_die_undone(create: Callable[..., RunStore]) -> None:
    with create() as store:
        probe(store, DIES[0])
        store.begin_attempt(DIES[1])
        store.keep(DIES[1], "read", maps_of(DIES[1]))
        _limit_pages(store._ledger._db, 0)
        with pytest.raises(RecordError, match="the disk is full"):
            for _ in range(500):  # until the last page is used up
                store.note("x" * 2000)
        with pytest.raises(RecordError, match="the disk is full"):
            store.finish(DIES[1], 1, 1, reason="y" * 8000)
        _require_whole(store.folder, [DIES[0]])
        _limit_pages(store._ledger._db, None)
        store.finish(DIES[1], 1, 1, reason="y" * 8000)
        _require_whole(store.folder, [DIES[0], DIES[1]])


def test_a_disk_that_fills_up_under_the_large_arrays_keeps_nothing_half(
    create: Callable[..., RunStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with create() as store:
        probe(store, DIES[0])
        with monkeypatch.context() as patch, pytest.raises(RecordError, match="the disk is full"):
            patch.setattr("mtjlab.run_arrays.os.fsync", full)
            probe(store, DIES[1])
        _require_whole(store.folder, [DIES[0]])
        store.fail(DIES[1], "the disk was full")
        store.plan_again(DIES[1], "space was freed")
        probe(store, DIES[1])
        _require_whole(store.folder, [DIES[0], DIES[1]])


@pytest.mark.parametrize("name", ["data.db", "ledger.sqlite"])
def test_a_database_that_another_program_locks_is_said_and_tried_again(
    create: Callable[..., RunStore], name: str
) -> None:
    with create() as store:
        probe(store, DIES[0])
        store.begin_attempt(DIES[1])
        other = sqlite3.connect(store.folder / name, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RecordError, match="another program holds it locked") as raised:
            store.keep(DIES[1], "read", maps_of(DIES[1]))
        assert name in raised.value.where
        other.execute("ROLLBACK")
        other.close()
        store.keep(DIES[1], "read", maps_of(DIES[1]))
        store.finish(DIES[1], 1, 1)
        _require_whole(store.folder, [DIES[0], DIES[1]])
        database = sqlite3.connect(store.folder / "data.db")
        assert database.execute('SELECT attempt FROM "results-1-2" ORDER BY id').fetchall() == [(0,), (1,)]
        database.close()


def test_ctrl_c_in_the_middle_of_a_write_leaves_nothing_half(
    create: Callable[..., RunStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(connection: Any, table: str, columns: list[str], values: list[Any]) -> None:
        connection.execute("BEGIN")
        connection.execute(f'INSERT INTO "{table}" (attempt) VALUES (77)')
        raise KeyboardInterrupt

    with create() as store:
        probe(store, DIES[0])
        store.begin_attempt(DIES[1])
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr("qcodes.dataset.data_set.insert_many_values", interrupted)
            store.keep(DIES[1], "read", maps_of(DIES[1]))
        store.keep(DIES[1], "read", maps_of(DIES[1]))
        store.finish(DIES[1], 1, 1)
        _require_whole(store.folder, [DIES[0], DIES[1]])
        database = sqlite3.connect(store.folder / "data.db")
        assert database.execute('SELECT attempt FROM "results-1-2" ORDER BY id').fetchall() == [(0,), (1,)]
        database.close()


def test_readers_do_not_stop_the_writer(create: Callable[..., RunStore]) -> None:
    with create() as store:
        probe(store, DIES[0])
        readers = [sqlite3.connect(store.folder / name, isolation_level=None) for name in ("data.db", "ledger.sqlite")]
        for reader in readers:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM sqlite_master").fetchone()
        probe(store, DIES[1])
        _require_whole(store.folder, [DIES[0], DIES[1]])
        for reader in readers:
            reader.close()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let a folder with open files go away")
def test_a_folder_that_goes_away_is_noticed_at_the_next_write(create: Callable[..., RunStore], tmp_path: Path) -> None:
    with create() as store:
        probe(store, DIES[0])
        store.begin_attempt(DIES[1])
        store.folder.rename(tmp_path / "elsewhere")
        with pytest.raises(RecordError, match=r"removed, moved or replaced|cannot be opened|cannot be written"):
            store.keep(DIES[1], "read", maps_of(DIES[1]))
        with pytest.raises(RecordError, match="removed, moved or replaced"):
            store.fail(DIES[1], "the disk is gone")
        (tmp_path / "elsewhere").rename(store.folder)
        store.keep(DIES[1], "read", maps_of(DIES[1]))
        store.finish(DIES[1], 1, 1)
        _require_whole(store.folder, [DIES[0], DIES[1]])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not let open files be removed")
@pytest.mark.parametrize("name", ["data.db", "ledger.sqlite"])
def test_a_removed_database_is_never_written_to_in_silence(create: Callable[..., RunStore], name: str) -> None:
    with create() as store:
        probe(store, DIES[0])
        (store.folder / name).unlink()
        with pytest.raises(RecordError, match=r"removed, moved or replaced|no such table|cannot be"):
            probe(store, DIES[1])


def test_an_open_attempt_is_ended_with_its_reason_and_its_die_is_left(create: Callable[..., RunStore]) -> None:
    with create() as store:
        probe(store, DIES[0])
        store.begin_attempt(DIES[1])
        store.contacted(DIES[1], 1)
        store.measuring(DIES[1], "read")
        folder = store.folder
    with RunStore.open(folder) as store:
        left = store.resume()
        assert left.dies == DIES[1:]
        ((die, reason),) = left.interrupted
        assert (die, "interrupted while read" in reason) == (DIES[1], True)
        with open_run(folder) as run:
            assert run.attempts(DIES[1])[0].state == DieState.FAILED
            assert run.dies()[1].reason == reason
        probe(store, DIES[1])
        assert store.resume().interrupted == ()
        _require_whole(folder, [DIES[0], DIES[1]])


def test_killed_at_any_line_and_resumed_the_wafer_ends_as_if_undisturbed(tmp_path: Path) -> None:
    program = Path(__file__).with_name("killed_run.py")
    done = subprocess.run(
        [sys.executable, str(program), str(tmp_path), "6", "4", "20"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    kills = 0
    for folder in sorted(path for path in tmp_path.iterdir() if path.is_dir()):
        _require_whole(folder, list(DIES))
        with open_run(folder) as run:
            assert run.state == "complete"
            assert all(visit.ended_wall is not None for visit in run.attempts())
            kills += len({event.session for event in run.events()}) - 1
        said = (tmp_path / f"{folder.name}.txt").read_text().splitlines()
        for number, line in enumerate(said):
            if line.startswith("done"):
                assert line.replace("done", "touch") not in said[number:], "a die that was done is not touched again"
    assert kills >= 8


def test_a_share_that_goes_away_in_the_middle_is_published_to_once_more(whole_run: Path, tmp_path: Path) -> None:
    export_run(whole_run)
    share = tmp_path / "share"
    with pytest.raises(RecordError, match="the share is not there"):
        publish(whole_run, share)
    share.mkdir()
    copied: list[str] = []

    def fails_later(source: Path, target: Path) -> None:
        copied.append(source.name)
        if len(copied) == 3:
            target.write_bytes(source.read_bytes()[:10])
            raise OSError(errno.ENETDOWN, "network is down")
        shutil.copyfile(source, target)

    with pytest.raises(RecordError, match="network is down"):
        publish(whole_run, share, fails_later)
    assert not list(share.rglob("run.json")), "what is not whole is not in the catalogue"
    assert not list(share.rglob("*.part"))
    before = list(copied)
    target = publish(whole_run, share, fails_later)
    assert target == share / "L1" / WAFER / target.name
    assert (target / "run.json").is_file()
    assert not set(before[:2]) & set(copied[3:]), "what had arrived is not copied again"
    _require_same(whole_run / "exports", target)


def _require_same(exports: Path, target: Path) -> None:
    names = {path.name for path in exports.iterdir()}
    assert {path.name for path in target.iterdir()} == names
    assert all((target / name).read_bytes() == (exports / name).read_bytes() for name in names)


def test_a_copy_that_came_out_wrong_is_refused(whole_run: Path, tmp_path: Path) -> None:
    export_run(whole_run, ("csv",))
    with pytest.raises(RecordError, match="not what was exported"):
        publish(whole_run, tmp_path, lambda source, to: to.write_bytes(source.read_bytes() + b"\n"))
    assert not list(tmp_path.rglob("dies.csv")) or not list((tmp_path / "L1").rglob("dies.csv"))


def test_exports_onto_a_full_disk_leave_the_ones_before(whole_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_run(whole_run, ("csv",))
    before = (whole_run / "exports" / "dies.csv").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("mtjlab.whole_files.os.fsync", full)
    with pytest.raises(RecordError, match="the disk is full"):
        export_run(whole_run, ("csv",))
    assert (whole_run / "exports" / "dies.csv").read_bytes() == before
    assert not list((whole_run / "exports").glob("*.part"))
