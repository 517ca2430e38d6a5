"""`mtjlab run` and its short forms as typed: dry and for good, good dies and bad ones, released recipes, faults."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mtjlab.cli import app, main
from mtjlab.nouns import ArrayMap
from mtjlab.recipe import load_recipe
from mtjlab.sim_instruments.simulated_bench import sim_bench

from .commands import PACKAGED, change, result_of, typed

SMALL = (
    (
        "row_lines: [101, 102, 103, 104, 105, 106, 107, 108, 109, 110, 111, 112, 201, 202, 203]",
        "row_lines: [101, 102, 103]",
    ),
    (
        "col_lines: [204, 205, 206, 207, 208, 209, 210, 211, 212, 301, 302, 303, 304, 305, 306]",
        "col_lines: [204, 205, 206]",
    ),
)
RECIPE = """\
recipe: small
bench: {simulated: small.yaml}
die: {wafer: W7, x: 3, y: -2}
steps:
  - step: contact
  - step: read
  - {step: classify, how: quick}
  - {step: write, pattern: checkerboard}
bins:
  tests:
    - {test: contact.silent_lines, most: 0, hard: 2, soft: 21}
    - {test: write.fidelity, least: 99 %, hard: 3, soft: 31, name: writing}
exports: [csv]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a 3 x 3 bench without defects and a recipe, as the working directory."""
    for kind in ("wiring.", "station.", ""):
        shutil.copy(PACKAGED / f"passive15.{kind}yaml", tmp_path / f"small.{kind}yaml")
    rates = "{short: 0, open: 0, stuck_p: 0, stuck_ap: 0}"
    change(tmp_path / "small.yaml", "die: {}", f"die: {{rows: 3, cols: 3, defect_rates: {rates}}}")
    change(tmp_path / "small.yaml", "wiring: passive15", "wiring: small")
    for old, new in SMALL:
        change(tmp_path / "small.wiring.yaml", old, new)
    (tmp_path / "r.yaml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["mtjlab", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("mtjlab:")]
    return line


def test_a_recipe_runs_and_everything_is_kept(here: Path) -> None:
    result = result_of("run", "r.yaml", "--out", "o")
    assert result["bin"]["is_good"]
    assert (result["status"], result["outputs_off"], result["relays_open"]) == ("complete", True, True)
    assert result["incidents"] == []
    assert result["die"] == {"wafer": "W7", "x": 3, "y": -2, "lot": ""}
    assert [step["name"] for step in result["steps"]] == ["contact", "read", "classify", "write"]
    assert result["steps"][3]["numbers"]["fidelity"] == 1.0
    assert result["visa_writes"] + result["visa_queries"] > 100
    stored = json.loads((here / "o" / "result.json").read_text())
    assert stored["recipe"]["sha256"] == result["recipe"]["sha256"]
    assert stored["recipe"]["resolved"]["steps"][0]["read_volts"] == 0.1
    assert (here / "o" / "recipe.yaml").read_text() == RECIPE
    assert (here / "o" / "both_states.csv").read_text().count("\n") == 10
    written = ArrayMap.load(here / "o" / "maps" / "written.npz")
    assert np.array_equal(written.state, np.indices((3, 3)).sum(axis=0) % 2)
    assert written.die == ("W7", 3, -2)
    assert written.provenance["recipe_sha256"] == result["recipe"]["sha256"]
    assert (
        len((here / "o" / "readings.csv").read_text().splitlines()) == 1 + result["readings"] + result["write_pulses"]
    )


def test_a_dry_run_tells_what_the_run_then_takes(here: Path) -> None:
    plan = result_of("run", "r.yaml", "--dry-run")
    assert not (here / "runs").exists()
    assert (plan["dies"], plan["touchdowns"], plan["would_stop"]) == (1, 1, [])
    assert plan["worst_case"]["positive_volts"] == plan["worst_case"]["negative_volts"] == 0.84
    assert (plan["worst_case"]["amps"], plan["worst_case"]["pulses_per_cell"]) == (0.01, 200)
    result = result_of("run", "r.yaml", "--out", "o")
    assert plan["bench_seconds"] == pytest.approx(result["bench_seconds"], rel=0.02)
    assert plan["readings"] == result["readings"]
    assert plan["pulses"] == result["write_pulses"]
    assert plan["transactions"] == pytest.approx(result["visa_writes"] + result["visa_queries"], rel=0.02)
    done = CliRunner().invoke(app, ["run", "r.yaml", "--dry-run"], catch_exceptions=False)
    assert "Nothing was found that would stop it" in done.stdout
    steps = len(load_recipe(here / "r.yaml").recipe.steps)
    assert f"rehearsing {steps} steps on the die, on simulated instruments: nothing is driven" in done.stderr
    assert f"{steps} of {steps}, " in done.stderr


def test_a_dry_run_says_what_would_stop_it(here: Path) -> None:
    change(here / "small.yaml", "faults: []", "faults: [{instrument: sense, kind: silent, after_operations: 30}]")
    plan = result_of("run", "r.yaml", "--dry-run", status=3)
    assert len(plan["would_stop"]) == 1
    assert "in the rehearsal: sense" in plan["would_stop"][0]


def test_real_instruments_are_rehearsed_on_their_twins(here: Path) -> None:
    station = here / "small.station.yaml"
    station.write_text(station.read_text().replace("    init: {visalib: passive15@mtjlab}\n", ""))
    assert "init:" not in station.read_text()
    change(here / "r.yaml", "simulated: small.yaml", "station: small.station.yaml, wiring: small.wiring.yaml")
    plan = result_of("run", "r.yaml", "--dry-run")
    assert plan["would_stop"] == []
    assert plan["bench_seconds"] > 5
    assert "simulated twins of the station's instruments" in plan["notes"][0]
    change(station, "mtjlab.drivers.keithley_707b.Keithley707B", "our.own.Matrix")
    plan = result_of("run", "r.yaml", "--dry-run")
    assert plan["bench_seconds"] is None
    assert "no simulated instrument for the driver of 'matrix'" in plan["notes"][0]
    assert plan["worst_case"]["positive_volts"] == 0.84


def test_a_die_that_is_not_good_has_a_status_of_its_own(here: Path) -> None:
    change(here / "small.yaml", "stuck_p: 0", "stuck_p: 1")
    result = result_of("run", "r.yaml", "--out", "o", status=3)
    assert (result["status"], result["bin"]["hard"], result["bin"]["name"]) == ("complete", 3, "writing")
    assert result["bin"]["failed"] == "write.fidelity"


def test_a_die_without_contact_is_given_up_early(here: Path) -> None:
    change(here / "small.yaml", "open: 0", "open: 1")
    result = result_of("run", "r.yaml", "--out", "o", status=3)
    assert [step["name"] for step in result["steps"]] == ["contact"]
    assert (result["bin"]["hard"], result["bin"]["failed"]) == (2, "contact.silent_lines")
    assert result["outputs_off"]


def test_an_instrument_that_fails_leaves_what_was_measured(here: Path) -> None:
    change(here / "small.yaml", "faults: []", "faults: [{instrument: drive, kind: hang, after_operations: 300}]")
    result = result_of("run", "r.yaml", "--out", "o", status=1)
    assert result["status"] == "failed"
    assert "drive" in result["reason"]
    assert result["outputs_off"] and result["relays_open"]
    assert result["steps"][0]["name"] == "contact"
    assert result["bin"]["name"] == "not measured"
    assert len((here / "o" / "readings.csv").read_text().splitlines()) > 10


@pytest.mark.parametrize("transactions", [1, 40, 120])
def test_ctrl_c_keeps_what_there_is(here: Path, monkeypatch: pytest.MonkeyPatch, transactions: int) -> None:
    from mtjlab.store import RunFolder

    listen, seen = RunFolder.listen, 0

    def interrupt(self: RunFolder, *said: Any) -> None:
        nonlocal seen
        listen(self, *said)
        seen += 1
        if seen == transactions:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "listen", interrupt)
    result = result_of("run", "r.yaml", "--out", "o", status=130)
    assert (result["status"], result["reason"]) == ("stopped", "stopped by Ctrl-C")
    assert result["outputs_off"] and result["relays_open"] and result["incidents"] == []
    assert not np.any(np.abs(sim_bench(str(here / "o" / "bench.yaml")).world.cell_volts()) > 1e-3)


def test_a_changed_released_recipe_is_refused(here: Path, capsys, monkeypatch) -> None:
    typed("recipe", "lock", "r.yaml", "--by", "an engineer")
    assert result_of("run", "r.yaml", "--out", "o")["recipe"]["released"]["by"] == "an engineer"
    change(here / "small.wiring.yaml", "pulses_per_cell: 200", "pulses_per_cell: 300")
    message = refused(capsys, monkeypatch, "run", "r.yaml", "--out", "p")
    assert "its wiring file has changed since it was released" in message
    assert not (here / "p").exists()
    message = refused(capsys, monkeypatch, "run", "read-die", "--released-only", "--out", "p")
    assert "is not released" in message


def test_wrong_names_and_full_folders_are_refused(here: Path, capsys, monkeypatch) -> None:
    assert "no packaged recipe 'read-dei'. Did you mean 'read-die'?" in refused(capsys, monkeypatch, "run", "read-dei")
    assert "nowhere.yaml: there is no such file" in refused(capsys, monkeypatch, "run", "nowhere.yaml")
    (here / "full").mkdir()
    (here / "full" / "x").touch()
    assert "not empty" in refused(capsys, monkeypatch, "run", "r.yaml", "--out", "full")
    assert (here / "full" / "x").exists()


def test_the_dry_run_of_a_wafer_counts_its_dies(here: Path) -> None:
    wafer = "wafer: {name: W, draw: {diameter_metres: 100 mm, pitch_metres: [20 mm, 20 mm]}, reprobe: {tries: 2}}"
    change(here / "r.yaml", "die: {wafer: W7, x: 3, y: -2}", wafer)
    with (here / "small.station.yaml").open("a", encoding="utf-8") as station:
        station.write("\n  prober: {type: mtjlab.drivers.manual_prober.ManualProber}\n")
    plan = result_of("run", "r.yaml", "--dry-run")
    each = sum(step["bench_seconds"] for step in plan["steps"])
    assert plan["dies"] > 5
    assert plan["touchdowns"] == 3 * plan["dies"]
    assert plan["dies"] * each < plan["bench_seconds"] < plan["dies"] * each + 2


def test_short_forms_use_the_same_words(here: Path) -> None:
    read = result_of("read", "--bench", "small.yaml", "--read-volts", "80 mV", "--set", "readings=3", "--out", "a")
    resolved = read["recipe"]["resolved"]["steps"][1]
    assert (resolved["step"], resolved["read_volts"], resolved["readings"]) == ("read", 0.08, 3)
    assert read["command"] == "mtjlab read"
    written = result_of("write", "--bench", "small.yaml", "--pattern", "rows", "--out", "b")
    assert written["steps"][-1]["numbers"]["fidelity"] == 1.0
    again = result_of(
        "write",
        "--bench",
        "b/bench.yaml",
        "--station",
        "b/bench.station.yaml",
        "--wiring",
        "small.wiring.yaml",
        "--map",
        "b/maps/both_states.npz",
        "--pattern",
        "all P",
        "--out",
        "c",
    )
    assert [step["name"] for step in again["steps"]] == ["contact", "write"]
    typed("run", "a/recipe.yaml", "--out", "d")


def test_short_forms_refuse_what_recipes_refuse(here: Path, capsys, monkeypatch) -> None:
    message = refused(capsys, monkeypatch, "read", "--bench", "small.yaml", "--read-volts", "80")
    assert message == "mtjlab: mtjlab read: key 'steps.0.read_volts': 80.0 has no unit. Add its unit, one of V, mV, uV"
    message = refused(capsys, monkeypatch, "read", "--bench", "small.yaml", "--set", "reading=3")
    assert "unknown key 'steps.1.reading'. Did you mean 'readings'?" in message
    assert "is not KEY=VALUE" in refused(capsys, monkeypatch, "read", "--set", "readings")
    assert not (here / "runs").exists()


def test_recipe_list_copy_check_and_schema(here: Path, capsys, monkeypatch) -> None:
    assert {"read-die", "reproduce-a", "probe-wafer"} <= set(json.loads(typed("recipe", "list", "--json")))
    typed("recipe", "copy", "read-die", "mine.yaml")
    assert "nothing is wrong" in typed("recipe", "check", "mine.yaml")
    assert "is there already" in refused(capsys, monkeypatch, "recipe", "copy", "read-die", "mine.yaml")
    change(here / "mine.yaml", "read_volts: 0.15 V", "read_volts: 0.5 V")
    found = json.loads(typed("recipe", "check", "mine.yaml", "--json", status=2))
    assert [problem["where"].rpartition(" ")[2] for problem in found["problems"]] == ["8"]
    assert json.loads(typed("recipe", "schema"))["title"] == "mtjlab recipe"
    typed("recipe", "schema", "--out", "s.json")
    assert "properties" in json.loads((here / "s.json").read_text())


def test_nothing_heavy_is_imported_to_show_help() -> None:
    code = "import sys; sys.argv = ['mtjlab', '--help']; import mtjlab.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {"numpy", "pydantic", "pint", "ruamel", "scipy", "qcodes", "pyvisa", "torch", "matplotlib", "pandas"}
    assert not heavy & {name.partition(".")[0] for name in done.stdout.split()}


@pytest.mark.parametrize(
    ("words", "found"),
    [("mtjlab rec", "recipe"), ("mtjlab run read", "read-die"), ("mtjlab recipe copy mor", "morning-check")],
)
def test_the_shell_completes_commands_and_recipes(words: str, found: str) -> None:
    asked = {"_MTJLAB_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    code = "import sys; sys.argv = ['mtjlab']; from mtjlab.cli import app; app(prog_name='mtjlab')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **asked})
    assert found in done.stdout.split()
