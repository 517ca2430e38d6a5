"""The folder of a run: on disk at once, whole or not at all."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import FLOATING, ArrayMap, Conditions, Line, Lines, Reading
from mtjlab.store import RunFolder


def small_map(siemens: float) -> ArrayMap:
    full, whole = np.full((2, 2), siemens), np.ones((2, 2), dtype=np.int8)
    return ArrayMap(full, full, full, whole, whole, full, Conditions(0.1))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "readings.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_new_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "a" / "b", lambda: 0.0) as run:
        assert run.path == tmp_path / "a" / "b"
        assert (run.path / "maps").is_dir()
        assert rows(run.path) == []


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    with RunFolder(tmp_path, lambda: 0.0):
        assert (tmp_path / "readings.csv").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("data")
    with pytest.raises(InputError, match="not empty") as caught:
        RunFolder(tmp_path, lambda: 0.0)
    assert caught.value.where == str(tmp_path)
    assert "--out" in caught.value.remedy
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


@pytest.mark.parametrize("below", ["file", "file/run"])
def test_a_place_where_no_folder_can_be_is_refused(tmp_path: Path, below: str) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match="cannot be written") as caught:
        RunFolder(tmp_path / below, lambda: 0.0)
    assert caught.value.where == str(tmp_path / below)
    assert "--out" in caught.value.remedy


def test_a_folder_without_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(self: Path, *how: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    with pytest.raises(InputError, match="Permission denied"):
        RunFolder(tmp_path / "run", lambda: 0.0)


def test_readings_are_on_disk_before_the_folder_is_closed(tmp_path: Path) -> None:
    now = [0.25]
    with RunFolder(tmp_path / "run", lambda: now[0]) as run:
        lines = Lines.grounded(2, 2)
        lines.row_volts[1], lines.col_volts[0] = 0.1, FLOATING
        run.listen("read", lines, [Line("col", 1)], [Reading(0.0, 1.25e-5)])
        assert rows(run.path) == [
            {
                "bench_seconds": "0.250000",
                "kind": "read",
                "driven": "r1=0.1 c0=open",
                "sensed": "c1",
                "volts": "0.000000e+00",
                "amps": "1.250000e-05",
                "in_compliance": "0",
                "is_overflow": "0",
            }
        ]
        now[0] = 1.5
        limited = Reading(0.5, 5e-3, in_compliance=True, is_overflow=True)
        run.listen("pulse", Lines.grounded(2, 2), [Line("row", 0)], [limited])
        second = rows(run.path)[1]
        assert (second["bench_seconds"], second["kind"], second["sensed"]) == ("1.500000", "pulse", "r0")
        assert (second["in_compliance"], second["is_overflow"], second["driven"]) == ("1", "1", "")


def test_every_reading_of_a_transaction_has_a_line(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", lambda: 0.0) as run:
        run.listen("read", Lines.grounded(2, 2), [Line("col", 0), Line("col", 1)], [Reading(0, 1e-6), Reading(0, 2e-6)])
        assert [row["sensed"] for row in rows(run.path)] == ["c0", "c1"]


def test_a_map_replaces_the_earlier_one(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", lambda: 0.0) as run:
        run.keep_map("known", small_map(1e-4))
        run.keep_map("known", small_map(2e-4))
        assert [path.name for path in (run.path / "maps").iterdir()] == ["known.npz"]
        assert ArrayMap.load(run.path / "maps" / "known.npz").siemens[0, 0] == 2e-4


def test_a_map_that_fails_half_way_leaves_the_earlier_one_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunFolder(tmp_path / "run", lambda: 0.0) as run:
        run.keep_map("known", small_map(1e-4))

        def half(self: ArrayMap, path: Path) -> Path:
            path.write_bytes(b"PK half a map")
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(ArrayMap, "save", half)
        with pytest.raises(OSError, match="No space left"):
            run.keep_map("known", small_map(2e-4))
        assert ArrayMap.load(run.path / "maps" / "known.npz").siemens[0, 0] == 1e-4


def test_the_result_is_whole_or_the_earlier_one(tmp_path: Path) -> None:
    with RunFolder(tmp_path / "run", lambda: 0.0) as run:
        path = run.write_result({"status": "complete", "accuracy": 0.5})
        with pytest.raises(ValueError, match="JSON"):
            run.write_result({"accuracy": float("nan")})
        assert json.loads(path.read_text()) == {"status": "complete", "accuracy": 0.5}
        assert path == run.path / "result.json"


def test_files_the_run_was_made_from_are_copied(tmp_path: Path) -> None:
    source = tmp_path / "my.yaml"
    source.write_text("a: 1\n")
    with RunFolder(tmp_path / "run", lambda: 0.0) as run:
        assert run.keep_file(source).read_text() == "a: 1\n"
        assert run.keep_file(source, "bench.yaml") == run.path / "bench.yaml"
