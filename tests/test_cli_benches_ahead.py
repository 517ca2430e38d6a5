"""Dies of a wafer measured ahead by processes with simulated benches of their own: the same data, whatever happens."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mtjlab.cli import app
from mtjlab.cli_bench_worker import Part
from mtjlab.cli_benches_ahead import BenchesAhead
from mtjlab.ledger_rows import DieState
from mtjlab.nouns import DieId
from mtjlab.store import open_run

from .commands import TINY_DIES, change, tiny_wafer

RECIPE = """\
recipe: tiny wafer
bench: {simulated: tiny.yaml}
wafer: {name: W9, lot: L3, overtravel_metres: 35 um}
steps:
  - step: contact
  - {step: classify, how: columns}
  - {step: read}
bins:
  tests:
    - {test: contact.silent_lines, most: 0, hard: 2, soft: 21, name: no contact}
    - {test: classify.tmr, least: 10 %, hard: 3, soft: 31, name: low TMR}
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bench of SMUs and a prober on 2 x 2 arrays, and a recipe, as the working directory."""
    tiny_wafer(tmp_path, RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(folder: str, processes: int, *more: str) -> dict[str, Any]:
    words = ["run", *(more or ("r.yaml", "--out", folder)), "--processes", str(processes), "--json"]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found | {"said": done.stderr}


def refused(*words: str) -> str:
    done = CliRunner().invoke(app, ["run", *words, "--processes", "2"])
    assert done.exit_code != 0
    return str(done.exception)


def data(folder: Path) -> list[Any]:
    """What was measured on each die, to the last bit; the bench's seconds are left out."""
    found: list[Any] = []
    with open_run(folder) as stored:
        for row in stored.dies():
            found.append((row.die, row.state, row.hard_bin, row.soft_bin, row.reason))
            for step in ("classify", "read") if row.state is DieState.DONE else ():
                for one in stored.maps(row.die, step):
                    arrays = (one.siemens_p, one.siemens_ap, one.status)
                    found.append((step, one.conditions, *(np.asarray(each).tobytes() for each in arrays)))
    return found


class Used:
    """Notes which parts came from other processes, and can do something before the first of them is taken."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parts: list[tuple[DieId, str]] = []
        self.before: list[Any] = []
        whole = BenchesAhead._part

        def part(ahead: BenchesAhead, die: DieId, name: str) -> Part | None:
            while self.before:
                self.before.pop()(ahead)
            found = whole(ahead, die, name)
            if found is not None:
                self.parts.append((die, name))
            return found

        monkeypatch.setattr(BenchesAhead, "_part", part)


def test_dies_measured_ahead_are_those_that_one_process_measures(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = Used(monkeypatch)
    one, two = run("one", 1), run("two", 2)
    assert used.parts == [(die, step) for die in _dies(here / "two") for step in ("contact", "classify", "read")]
    assert data(here / "one") == data(here / "two") and len(data(here / "one")) == 3 * TINY_DIES
    assert two["said"].count("mtjlab:") == 0 and multiprocessing.active_children() == []
    assert two["bench_hours"] == pytest.approx(one["bench_hours"], rel=1e-3)
    journals = [(here / name / "station.jsonl").read_bytes() for name in ("one", "two")]
    assert journals[0] == journals[1]


def test_a_process_that_is_killed_leaves_its_dies_to_this_one(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = Used(monkeypatch)

    def kill_one(ahead: BenchesAhead) -> None:
        ahead._helpers[0].process.kill()
        ahead._helpers[0].process.join()

    used.before = [kill_one]
    ended = run("two", 2)
    assert ended["state"] == "complete" and ended["said"].count("has ended") == 1
    assert {name for _, name in used.parts} == {"contact", "classify", "read"} and len(used.parts) < 3 * TINY_DIES
    run("one", 1)
    assert data(here / "one") == data(here / "two")


def test_another_touch_down_than_the_foretold_one_is_measured_here(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each line of a die in twelve or so has no contact at first: such a die is probed again."""
    change(here / "tiny.yaml", "axes: DR", "axes: DR, card: {dirty_rate: 0.2, open_share: 1.0}")
    used = Used(monkeypatch)
    one, two = run("one", 1), run("two", 2)
    assert one["touchdowns"] == two["touchdowns"] > TINY_DIES
    assert data(here / "one") == data(here / "two")
    again = {die for die, _ in used.parts} - {die for die, name in used.parts if name == "read"}
    assert again


def test_an_interrupt_ends_all_processes_and_the_run_goes_on(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    used = Used(monkeypatch)
    taken = BenchesAhead._taken

    def interrupted(ahead: BenchesAhead, die: DieId) -> Any:
        if len(used.parts) == 3:
            raise KeyboardInterrupt
        return taken(ahead, die)

    with monkeypatch.context() as patched:
        patched.setattr(BenchesAhead, "_taken", interrupted)
        words = ["run", "r.yaml", "--out", "two", "--processes", "2"]
        CliRunner().invoke(app, words)
    assert multiprocessing.active_children() == []
    assert run("two", 2, "--resume", "two")["dies"] == {"done": TINY_DIES}
    assert len(used.parts) > 3
    run("one", 1)
    ahead, alone = data(here / "two"), data(here / "one")
    second = _dies(here / "one")[1]  # touched twice, so not with the same contacts
    assert [each for each in ahead if second not in each][:3] == [each for each in alone if second not in each][:3]


def test_who_can_measure_only_one_die_at_a_time_says_so(here: Path) -> None:
    change(here / "tiny.yaml", "line_hertz", "paced: true\nline_hertz")
    assert "paced" in refused("r.yaml")
    assert "this is one die" in refused("read-die")


def _dies(folder: Path) -> list[DieId]:
    with open_run(folder) as stored:
        return [row.die for row in stored.dies()]
