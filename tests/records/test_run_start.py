"""A run that ended before anything was recorded leaves its folder usable, and says that nothing was done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mtjlab.errors import InputError
from mtjlab.records import RunStore
from mtjlab.store import open_run
from mtjlab.writer_lock import writer_lock

from .conftest import DIES, PLAN, PROVENANCE, probe

BIRTH = """
import os, signal, sys
from pathlib import Path
from unittest import mock

from mtjlab.nouns import DieId
from mtjlab.provenance import Provenance
from mtjlab.records import RunStore
from mtjlab.run_plan import RunPlan

def killed(*given):
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

with mock.patch(sys.argv[2], killed):
    RunStore.create(Path(sys.argv[1]), RunPlan("L", "W", (DieId("W", 0, 0),), ("read",)), Provenance())
"""
"""Begins a run and is killed just before, or half-way through, writing its ledger."""


@pytest.mark.parametrize(
    ("at", "left"),
    [("mtjlab.ledger.write_database", set()), ("mtjlab.whole_files.os.fsync", {"ledger.sqlite.part"})],
)
def test_a_start_that_was_killed_can_be_made_again_in_the_same_folder(tmp_path: Path, at: str, left: set[str]) -> None:
    folder = tmp_path / "run"
    assert subprocess.run([sys.executable, "-c", BIRTH, str(folder), at], check=False).returncode != 0
    assert left <= {path.name for path in folder.iterdir()} <= left | {"writer.lock"}
    for opened in (open_run, RunStore.open):
        with pytest.raises(InputError, match="ended before anything was recorded") as refused:
            opened(folder)
        assert "begin it anew, in this folder" in refused.value.remedy
    with RunStore.create(folder, PLAN, PROVENANCE) as store:
        probe(store, DIES[0])
    with open_run(folder) as run:
        assert run.dies_with("read") == [DIES[0]] and run.problems() == []


def test_a_folder_with_a_run_or_anything_else_is_refused_as_before(tmp_path: Path) -> None:
    RunStore.create(tmp_path / "run", PLAN, PROVENANCE).leave()
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "writer.lock").touch()
    (tmp_path / "other" / "thesis.txt").touch()
    for name in ("run", "other"):
        with pytest.raises(InputError, match="is not empty"):
            RunStore.create(tmp_path / name, PLAN, PROVENANCE)
    with pytest.raises(InputError, match="there is no run here"):
        open_run(tmp_path / "other")


def test_two_that_begin_in_one_folder_at_once_do_not_both_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another program's run appears after the folder was found empty and before the lock is taken."""

    def after_another(folder: Path) -> Any:
        monkeypatch.setattr("mtjlab.records.writer_lock", writer_lock)
        RunStore.create(folder, PLAN, PROVENANCE).leave()
        return writer_lock(folder)

    monkeypatch.setattr("mtjlab.records.writer_lock", after_another)
    with pytest.raises(InputError, match="is not empty"):
        RunStore.create(tmp_path / "run", PLAN, PROVENANCE)
    with RunStore.open(tmp_path / "run") as store:
        assert store.left() == DIES
