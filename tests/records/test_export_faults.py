"""Exports, report and large arrays under full disks, locks, vanished folders and a clock that goes backwards."""

from __future__ import annotations

import csv
import errno
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mtjlab.errors import RecordError
from mtjlab.export_wafer_map import write_bin_map
from mtjlab.exports import export_run
from mtjlab.records import RunStore
from mtjlab.store import open_run
from mtjlab.wafer_report import write_wafer_report

from .conftest import DIES, SetClock, maps_of, probe, same_maps


def _bin_map(folder: Path) -> None:
    with open_run(folder) as run:
        write_bin_map(run, folder / "exports" / "bins.xml", format="g85")


KINDS: dict[str, tuple[Callable[[Path], object], str]] = {
    "csv": (lambda folder: export_run(folder, ("csv",)), "exports/dies.csv"),
    "parquet": (lambda folder: export_run(folder, ("parquet",)), "exports/dies.parquet"),
    "netcdf": (lambda folder: export_run(folder, ("netcdf",)), "exports/read.nc"),
    "stdf": (lambda folder: export_run(folder, ("stdf",)), "exports/wafer.stdf"),
    "report": (lambda folder: write_wafer_report(folder, with_pdf=False), "report.html"),
    "g85": (_bin_map, "exports/bins.xml"),
}
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
OPEN_ELSEWHERE = PermissionError(errno.EACCES, os.strerror(errno.EACCES))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("where", "error", "said"),
    [
        ("os.fsync", FULL, "the disk is full"),
        ("Path.replace", OPEN_ELSEWHERE, "cannot be written or read"),
    ],
)
def test_an_export_that_cannot_be_written_leaves_the_one_before(
    whole_run: Path, monkeypatch: pytest.MonkeyPatch, kind: str, where: str, error: OSError, said: str
) -> None:
    """A spreadsheet that has the file open on Windows refuses the renaming."""
    write, name = KINDS[kind]
    write(whole_run)
    before = (whole_run / name).read_bytes()

    def fails(*given: Any) -> None:
        raise error

    with monkeypatch.context() as patch, pytest.raises(RecordError, match=said):
        patch.setattr(f"mtjlab.whole_files.{where}", fails)
        write(whole_run)
    assert (whole_run / name).read_bytes() == before
    assert not list(whole_run.rglob("*.part"))
    write(whole_run)


@pytest.mark.parametrize("name", ["ledger.sqlite", "data.db"])
def test_an_export_from_a_locked_database_says_so_and_works_later(
    whole_run: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("mtjlab.sqlite_files.LOCK_SECONDS", 0.05)
    other = sqlite3.connect(whole_run / name, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(RecordError, match="another program holds it locked"):
        export_run(whole_run, ("parquet",))
    other.execute("ROLLBACK")
    other.close()
    assert "dies.parquet" in export_run(whole_run, ("parquet",)).files


def test_large_arrays_whose_folder_goes_away_are_refused_and_kept_when_it_is_back(
    create: Callable[..., RunStore], tmp_path: Path
) -> None:
    with create() as store:
        probe(store, DIES[0])
        arrays = store.folder / "arrays.zarr"
        shutil.move(arrays, tmp_path / "away")
        arrays.touch()  # nothing can be made in its place
        with pytest.raises(RecordError):
            probe(store, DIES[1])
        arrays.unlink()
        shutil.move(tmp_path / "away", arrays)
        store.fail(DIES[1], "the disk was gone")
        store.plan_again(DIES[1], "the disk is back")
        probe(store, DIES[1])
    with open_run(store.folder) as run:
        assert run.problems() == [] and run.dies_with("read") == [DIES[0], DIES[1]]
        assert run.array(DIES[1], "read", "trace")[0, 0] == DIES[1].x


def test_a_clock_that_goes_back_a_day_changes_neither_order_nor_durations_of_what_is_exported(
    create: Callable[..., RunStore], wall: SetClock, tmp_path: Path
) -> None:
    monotonic = SetClock(50.0)
    with create(monotonic=monotonic) as store:
        for number, die in enumerate(DIES):
            wall.seconds -= 86_400.0 * (number == 3)
            store.begin_attempt(die)
            monotonic.seconds += 7.0
            wall.seconds += 7.0
            store.keep(die, "read", maps_of(die))
            store.finish(die, 1, 1)
        store.close()
    export_run(store.folder, ("csv", "stdf"))
    write_wafer_report(store.folder, with_pdf=False)
    rows = list(csv.DictReader((store.folder / "exports" / "attempts.csv").read_text(encoding="utf-8").splitlines()))
    assert [(int(row["x"]), int(row["y"])) for row in rows] == [(die.x, die.y) for die in DIES]
    assert {float(row["seconds"]) for row in rows} == {7.0}
    with open_run(store.folder) as run:
        assert [event.kind for event in run.events()].count("clock") == 1
        assert run.ended_wall is not None and run.ended_wall < run.started_wall
        assert all(same_maps(run.maps(die, "read"), maps_of(die)) for die in DIES)
