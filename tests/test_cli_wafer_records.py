"""What `mtjlab run` keeps of a wafer: every map, networks, what the bench is; another card on the way; a dead start."""

from __future__ import annotations

import io
import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mtjlab import cli_recipe_wafer
from mtjlab.catalogue import touchdowns_of_card
from mtjlab.cli import app
from mtjlab.engine.perceptron import Perceptron
from mtjlab.errors import InstrumentError
from mtjlab.network_file import PlacedNetwork
from mtjlab.nouns import ArrayMap, Conditions, Cost, DieId, LayerPlan, WeightPlan
from mtjlab.protocols import probe_wafer_recipe
from mtjlab.protocols.die_steps import DieContext, StepFound, StepOutcome
from mtjlab.protocols.probe_wafer_parts import Visit
from mtjlab.protocols.probe_wafer_recipe import wafer_steps
from mtjlab.recipe import load_recipe
from mtjlab.run_names import DATABASE
from mtjlab.store import open_run

from .commands import PACKAGED, typed

WAFER = """\
wafer: pair
die: {rows: 2, cols: 2, contact_ohms: 10, defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}
pitch_mm: [5, 5]
radius_mm: 5
"""
RECIPE = """\
recipe: pair of dies
revision: 3
bench: {simulated: pair.yaml}
wafer: {name: W2, lot: L5, only: [[0, 0], [1, 0]], overtravel_metres: 35 um}
steps:
  - step: contact
  - {step: classify, how: quick}
  - {step: write, pattern: checkerboard}
exports: [csv, parquet]
"""
ROWS = ", ".join(map(str, [*range(101, 113), 201, 202, 203]))
COLS = ", ".join(map(str, [*range(204, 213), *range(301, 307)]))
CALIBRATED = "expected: {drive: {calibrated_until: 2020-01-31}}\n"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a bench, a prober, a wafer of a few dies and a recipe, as the working directory."""
    for kind in ("wiring.", "station.", ""):
        shutil.copy(PACKAGED / f"probed15.{kind}yaml", tmp_path / f"pair.{kind}yaml")
    (tmp_path / "wafer.yaml").write_text(WAFER, encoding="utf-8")
    bench, wiring = tmp_path / "pair.yaml", tmp_path / "pair.wiring.yaml"
    text = bench.read_text(encoding="utf-8").replace("wafer: passive15", "wafer: wafer.yaml")
    bench.write_text(text.replace("wiring: probed15", "wiring: pair"), encoding="utf-8")
    text = wiring.read_text(encoding="utf-8").replace(f"[{ROWS}]", "[101, 102]").replace(f"[{COLS}]", "[204, 205]")
    wiring.write_text(text + CALIBRATED, encoding="utf-8")
    (tmp_path / "r.yaml").write_text(RECIPE, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_wafer_recipe_keeps_every_map_and_where_it_comes_from(here: Path) -> None:
    typed("run", "r.yaml", "--out", "runs/a", "--operator", "Ada", "--card", "PC-7")
    with open_run(here / "runs" / "a") as run:
        assert run.problems() == [] and run.further_maps("classify") == ["as_found"]
        for die in (DieId("W2", 0, 0), DieId("W2", 1, 0)):
            (found,) = run.maps(die, "classify", name="as_found")
            (known,) = run.maps(die, "classify", name="both_states")
            (written,) = run.maps(die, "write", name="written")
            assert not np.array_equal(found.siemens, known.siemens) and not np.isnan(known.siemens_p).any()
            assert (written.state == [[0, 1], [1, 0]]).all() and {found.die, known.die, written.die} == {die}
        assert run.details(0, "write")["unwritten"] == [] and run.details(0, "write")["reason"]
        known_of = run.provenance
        named = {one.name: one for one in known_of.instruments}
        assert (named["drive"].model, named["drive"].serial) == ("2400", "1234567")
        assert named["drive"].calibration_due == "2020-01-31" and named["drive"].address == "GPIB0::24::INSTR"
        assert named["prober"].address.endswith("1412::SOCKET")
        assert (known_of.operator, known_of.probe_card, known_of.card_touchdowns) == ("Ada", "PC-7", 0)
        assert known_of.chuck_kelvin == pytest.approx(298.15) and known_of.is_light_on is False
        assert known_of.overtravel_meters == 35e-6 and known_of.clock_source.startswith("system clock")
        assert known_of.files_sha256.keys() == {"station", "wiring", "bench"} and known_of.bench == "pair"
        assert known_of.software is not None and known_of.software.packages_sha256
        assert run.plan.frame is not None and run.plan.frame.axes == "DR"
        assert len(run.plan.wafer_map().dies) > 2, "the dies that are left out are known too"
        (said,) = (event.text for event in run.events() if event.kind == "calibration")
        assert said == "the calibration of drive has run out (2020-01-31)"
    database = sqlite3.connect(here / "runs" / "a" / DATABASE)
    snapshots = [json.loads(text) for (text,) in database.execute("SELECT snapshot FROM runs")]
    database.close()
    assert {"drive", "matrix", "prober"} <= snapshots[0]["instruments"].keys()
    shown = typed("runs", "show", "2")
    assert "instrument drive: KEITHLEY" in shown.upper().replace("INSTRUMENT DRIVE", "instrument drive")
    assert "CALIBRATION HAS RUN OUT" in shown and "probe card: PC-7" in shown and "operator: Ada" in shown
    assert "RUN OUT" in (here / "runs" / "a" / "report.html").read_text(encoding="utf-8")
    assert touchdowns_of_card(here / "runs", "PC-7") == 2 and touchdowns_of_card(here / "runs", "PC-8") == 0
    assert touchdowns_of_card(here / "nowhere", "PC-7") == 0


def test_another_card_when_a_run_goes_on_is_noted(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, calls = cli_recipe_wafer._context, []

    def context(*given: Any) -> Any:
        calls.append(1)
        if len(calls) > 1:
            raise InstrumentError("no reply", where="drive")
        return made(*given)

    with monkeypatch.context() as patched:
        patched.setattr(cli_recipe_wafer, "_context", context)
        typed("run", "r.yaml", "--out", "a", "--card", "PC-7", "--patience", "0", status=4)
    typed("run", "--resume", "a", "--card", "PC-8")
    with open_run(here / "a") as run:
        changes = [event.text for event in run.events() if event.kind == "bench changed"]
        assert changes == ["probe card is now PC-8, it was PC-7"]
        assert run.provenance.probe_card == "PC-7" and run.state == "complete"
    assert f"bench changed: {changes[0]}" in typed("runs", "show", "2", "--root", ".")


def test_a_start_that_recorded_nothing_says_so_when_it_is_resumed(here: Path) -> None:
    (here / "a").mkdir()
    (here / "a" / "writer.lock").touch()
    refused = CliRunner().invoke(app, ["run", "--resume", "a"])
    assert "ended before anything was recorded" in str(refused.exception)


def test_operator_and_card_are_for_wafers(here: Path) -> None:
    single = RECIPE.replace("wafer: {name: W2, lot: L5, only: [[0, 0], [1, 0]], overtravel_metres: 35 um}\n", "")
    single = single.replace(", parquet", "")
    (here / "one.yaml").write_text(single, encoding="utf-8")
    refused = CliRunner().invoke(app, ["run", "one.yaml", "--card", "PC-7"])
    assert "--operator and --card are for wafers" in str(refused.exception)


def test_networks_of_a_step_are_kept_with_the_die(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = LayerPlan("hidden", np.arange(3), np.arange(2), np.ones((3, 2), dtype=np.int8), np.zeros(2))
    solution = Perceptron(*(np.ones(shape, dtype=np.int8) for shape in ((1, 13, 6), (1, 3), (1, 3, 6), (1, 3))))
    network = PlacedNetwork(solution, WeightPlan((layer,)), "wine", 3)
    cells = np.ones((2, 2), dtype=np.int8)
    siemens = np.full((2, 2), 1e-4)
    one = ArrayMap(siemens, siemens, siemens, cells, cells, siemens, Conditions(0.1))

    def trained(steps: Any, context: DieContext) -> list[StepOutcome]:
        context.keep_network("network", network)
        context.keep("layer_1_written", one)
        context.keep("layer_2_written", one)
        return [StepOutcome(steps[0], StepFound({}, "the best of 3", {"confusion": [[1, 0]]}), Cost(), 0.1)]

    monkeypatch.setattr(probe_wafer_recipe, "run_steps", trained)
    step = wafer_steps(load_recipe(here / "r.yaml").recipe, lambda visit: DieContext(None))[0]
    result = step.run(Visit(DieId("W2", 1, 0), ()))
    assert PlacedNetwork.load(io.BytesIO(result.files["network.npz"])).data == "wine"
    assert (result.map_name, list(result.more_maps)) == ("layer_2_written", ["layer_1_written"])
    assert result.details == {"reason": "the best of 3", "confusion": [[1, 0]]}
    assert result.more_maps["layer_1_written"][0].die == DieId("W2", 1, 0)
