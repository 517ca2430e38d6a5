"""Wafers as typed: a recipe on a bench with a prober, chips on a board, stopped and resumed; runs side by side."""

from __future__ import annotations

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mtjlab import cli_recipe_wafer, cli_simulated_wafers, station
from mtjlab.cli import app, main
from mtjlab.drivers.formfactor_velox import FormFactorVelox
from mtjlab.errors import InputError, InstrumentError, RecordError
from mtjlab.ledger_rows import DieState
from mtjlab.prober import DiePosition
from mtjlab.protocols.probe_wafer_parts import Step
from mtjlab.sim_instruments.simulated_bench import sim_bench
from mtjlab.store import open_run
from mtjlab.stored_run import StoredRun
from mtjlab.wafer_map_files import read_wafer_map

from .commands import TINY_DIES, change, result_of, tiny_wafer, typed

RECIPE = """\
recipe: tiny wafer
bench: {simulated: tiny.yaml}
wafer: {name: W9, lot: L3, overtravel_metres: 35 um, clean: {every_touchdowns: 2}, write_bins: true}
steps:
  - step: contact
  - {step: classify, how: columns}
bins:
  tests:
    - {test: contact.silent_lines, most: 0, hard: 2, soft: 21, name: no contact}
    - {test: classify.tmr, least: 10 %, hard: 3, soft: 31, name: low TMR}
exports: [csv, stdf, g85]
"""
ONE = ("--processes", "1")
"""On the tiny wafer."""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bench of SMUs and a prober on 2 x 2 arrays, and a recipe, as the working directory."""
    tiny_wafer(tmp_path, RECIPE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def states(run: StoredRun) -> list[DieState]:
    return [row.state for row in run.dies()]


def test_a_recipe_walks_over_a_wafer_through_instruments_and_prober(here: Path) -> None:
    result = result_of("run", "r.yaml", "--out", "a")
    assert (result["state"], result["dies"], result["dies_left"]) == ("complete", {"done": TINY_DIES}, 0)
    assert result["hard_bins"] == {"1": TINY_DIES} and result["touchdowns"] == TINY_DIES
    assert {"dies.csv", "wafer.stdf", "bins.g85.xml", "report.html", "report.pdf"} <= {
        Path(name).name for name in result["files"]
    }
    bench = sim_bench(str(here / "a" / "bench.yaml"))
    assert bench.world.incidents == []
    prober: Any = bench.by_name["prober"]
    assert set(prober.bins.values()) == {1} and len(prober.bins) == TINY_DIES
    assert (prober.station.card.touchdowns, prober.station.card.cleanings) == (TINY_DIES, 2)
    remembered = (here / "a" / "station.jsonl").read_text(encoding="utf-8").splitlines()
    assert [line.count("touched") for line in remembered].count(1) == TINY_DIES
    with open_run(here / "a") as run:
        assert states(run) == [DieState.DONE] * TINY_DIES
        assert {row.die.wafer for row in run.dies()} == {"W9"} and run.plan.lot == "L3"
        assert run.provenance.recipe_sha256 and run.provenance.is_simulated
        for row in run.dies():
            (known,) = run.maps(row.die, "classify")
            assert known.shape == (2, 2) and known.die == row.die
    sorted_map = read_wafer_map(here / "a" / "exports" / "bins.g85.xml")
    assert [die.bin for die in sorted_map.dies] == [1] * TINY_DIES


def test_exports_are_written_again_from_the_folder_and_published(here: Path) -> None:
    result_of("run", "r.yaml", "--out", "a")
    shutil.rmtree(here / "a" / "exports")
    (here / "share").mkdir()
    found = result_of("export", "a", "--to", "share")
    names = {Path(name).name for name in found["files"]}
    assert {"dies.csv", "dies.parquet", "classify_cells.parquet", "classify.nc", "wafer.stdf"} <= names
    published = Path(found["published"])
    assert published.parent == Path("share/L3/W9")
    for name in names:
        assert (published / name).read_bytes() == (here / "a" / "exports" / name).read_bytes()
    further = {Path(name).name for name in result_of("export", "a", "--kinds", "sinf", "--to", "share")["files"]}
    assert further == names | {"bins.txt"}, "what was there is kept"
    assert len(read_wafer_map(published / "bins.txt").dies) == TINY_DIES


def test_exports_that_there_are_not_are_refused(here: Path) -> None:
    result_of("run", "r.yaml", "--out", "a")
    (here / "empty").mkdir()
    for arguments, said in (
        (("a", "--kinds", "xml"), "there is no export 'xml'"),
        (("empty",), "there is no run in this folder"),
        (("a", "--to", "nowhere"), "the share is not there"),
    ):
        with pytest.raises((InputError, RecordError), match=said):
            typed("export", *arguments)


def test_a_fault_stops_a_run_and_resume_finishes_it(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken: list[int] = []

    def context(*given: Any) -> Any:
        broken.append(1)
        if len(broken) in (2, 3):
            raise InstrumentError("no reply", where="drive")
        return made(*given)

    made = cli_recipe_wafer._context
    monkeypatch.setattr(cli_recipe_wafer, "_context", context)
    result = result_of("run", "r.yaml", "--out", "a", "--patience", "0", status=4)
    assert (result["state"], result["dies_left"]) == ("stopped", TINY_DIES - 1)
    assert "no reply" in result["reason"]
    resumed = result_of("run", "--resume", "a")
    assert (resumed["state"], resumed["dies"]) == ("complete", {"done": TINY_DIES})
    assert resumed["touchdowns"] == TINY_DIES + 2
    change(here / "r.yaml", "least: 10 %", "least: 20 %")
    assert "the recipe has changed" in refused(monkeypatch, "run", "--resume", "a")


def refused(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    done = CliRunner().invoke(app, list(arguments))
    assert done.exit_code != 0
    return str(done.exception)


def test_a_map_that_is_not_the_prober_s_is_refused_before_anything_is_touched(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(here / "r.yaml", "lot: L3", "lot: L3, draw: {diameter_metres: 16 mm, pitch_metres: [4 mm, 4 mm]}")
    message = refused(monkeypatch, "run", "r.yaml", "--out", "a")
    assert "die" in message and not (here / "a").exists()


def test_a_folder_in_use_is_refused_before_the_prober_is_asked_for_anything(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*given: Any) -> Any:
        raise AssertionError("the prober was opened")

    monkeypatch.setattr(station, "open_prober", opened)
    (here / "a").mkdir()
    (here / "a" / "notes.txt").write_text("mine", encoding="utf-8")
    assert "not empty" in refused(monkeypatch, "run", "r.yaml", "--out", "a")
    assert "is a file" in refused(monkeypatch, "run", "r.yaml", "--out", "r.yaml")


def test_a_run_of_a_recipe_is_not_gone_on_with_by_probe(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    change(here / "r.yaml", "lot: L3", "lot: L3, only: [[0, 0]]")
    result_of("run", "r.yaml", "--out", "a")
    assert "mtjlab run --resume a" in refused(monkeypatch, "probe", "--resume", "a")


def test_options_that_do_not_go_together(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "either a recipe or --resume" in refused(monkeypatch, "run")
    assert "Give one of them" in refused(monkeypatch, "probe", "--out", "a", "--resume", "b")
    (here / "station.yaml").write_text("axes: XX\n", encoding="utf-8")
    assert "keeps its station" in refused(monkeypatch, "probe", "--resume", "b", "--station", "station.yaml")
    assert "axes" in refused(monkeypatch, "probe", "--station", "station.yaml", "--out", "c")
    assert "no export 'excel'" in refused(monkeypatch, "probe", "--exports", "csv,excel")
    assert "there is no wafer 'x9'" in refused(monkeypatch, "probe", "--wafer", "x9", "--out", "c")
    assert not (here / "c").exists()


@pytest.fixture
def quick_chips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chips of which only one kernel is surveyed."""
    whole = cli_simulated_wafers.survey_step

    def of_one(*given: Any) -> Step:
        step = whole(*given)
        return Step(step.name, lambda visit: step.run(replace(visit, arrays=visit.arrays[:1])))

    monkeypatch.setattr(cli_simulated_wafers, "survey_step", of_one)


def test_chips_on_a_board_stopped_and_resumed_then_listed_and_compared(
    here: Path, quick_chips: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = result_of("probe", "--dies", "2", *ONE, "--out", "runs/whole", "--exports", "csv")
    assert (whole["state"], whole["dies"]) == ("complete", {"done": 2})
    step = FormFactorVelox._step_to

    def interrupted(self: FormFactorVelox, wanted: DiePosition) -> None:
        if self.touchdowns == 1:
            raise KeyboardInterrupt
        step(self, wanted)

    with monkeypatch.context() as patched:
        patched.setattr(FormFactorVelox, "_step_to", interrupted)
        patched.setattr(
            sys, "argv", ["mtjlab", "probe", "--dies", "2", *ONE, "--out", "runs/parts", "--no-report", "--exports", ""]
        )
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 130
        told = capsys.readouterr().err
        assert "mtjlab: stopped by Ctrl-C" in told and f"mtjlab probe --resume {Path('runs/parts')} goes on" in told
    assert "open" not in typed("runs", "list") and "stopped" in typed("runs", "list")
    resumed = result_of("probe", "--resume", "runs/parts", *ONE, "--no-report", "--exports", "csv")
    assert (resumed["state"], resumed["touchdowns"]) == ("complete", 2)
    listed = json.loads(typed("runs", "list", "--json"))
    assert [run["state"] for run in listed] == ["complete", "complete"]
    pair = [run["run_id"] for run in listed]
    compared = json.loads(typed("runs", "compare", *pair, "--json"))
    assert compared["figures"] and {figure["largest_change"] for figure in compared["figures"]} == {0.0}
    assert compared["bins"] == [[1, 1, 2]]
    assert "largest" not in typed("runs", "compare", *pair)
    shown = typed("runs", "show", pair[1])
    assert "done after 2 visits" in shown
    assert json.loads(typed("runs", "show", pair[0], "--json"))["problems"] == []
