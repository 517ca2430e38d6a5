"""Every ready recipe leaves a page that says what was asked, found and went wrong, and that needs nothing beside it."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from mtjlab.cli import app
from mtjlab.cli_recipe import packaged_recipes
from mtjlab.cli_report import reports_of
from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, State
from mtjlab.recipe import load_recipe
from mtjlab.report import write_report
from mtjlab.report_study import write_study_report
from mtjlab.report_words import number_words, step_words
from mtjlab.sim_instruments import benches

from .commands import change

PACKAGED = Path(benches.__file__).parent
DOCS = Path(__file__).resolve().parent.parent / "docs"
ROWS, COLS = (
    ", ".join(map(str, [*range(101, 113), 201, 202, 203])),
    ", ".join(map(str, [*range(204, 213), *range(301, 307)])),
)
DIE = "{rows: 3, cols: 3, defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}"
WAFER = f"wafer: tiny\ndie: {DIE}\npitch_mm: [5, 5]\nradius_mm: 6\n"
ALL = ["asked", "judged", "troubles", "incidents", "instruments", "stages", "provenance"]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with dies of 3 x 3 healthy cells, under fixed probes and on a wafer."""
    folder = tmp_path_factory.mktemp("bench")
    for source in ("passive15", "probed15"):
        for kind in ("wiring.", "station.", ""):
            shutil.copy(PACKAGED / f"{source}.{kind}yaml", folder / f"{source}.{kind}yaml")
        change(folder / f"{source}.wiring.yaml", f"[{ROWS}]", "[101, 102, 103]")
        change(folder / f"{source}.wiring.yaml", f"[{COLS}]", "[204, 205, 206]")
    change(folder / "passive15.yaml", "die: {}", f"die: {DIE}")
    (folder / "wafer.yaml").write_text(WAFER, encoding="utf-8")
    change(folder / "probed15.yaml", "wafer: passive15", "wafer: wafer.yaml")
    return folder


def run(bench: Path, name: str, changes: tuple[tuple[str, str], ...] = (), status: int = 0) -> str:
    """Run a ready recipe on the small bench; returns its page."""
    recipe, folder = bench / f"{name}.recipe.yaml", bench / name
    recipe.write_bytes(packaged_recipes()[name].read_bytes())
    for old, new in (("passive15", "./passive15.yaml"), ("probed15", "./probed15.yaml"), *changes):
        recipe.write_text(recipe.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    done = CliRunner().invoke(app, ["run", str(recipe), "--out", str(folder), "--json"], catch_exceptions=False)
    assert done.exit_code == status, done.output
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert_self_contained(page)
    return page


def assert_self_contained(page: str) -> None:
    assert not re.search(r"https?://|@import|<script|<link|<iframe", page)
    for name, target in re.findall(r'\b(src|href|xlink:href)="([^"]*)"', page):
        assert target.startswith(("#", "data:image/png;base64,")), (name, target[:60])
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", page))


def ids(page: str) -> set[str]:
    return set(re.findall(r'\bid="([^"]*)"', page))


def words(page: str) -> str:
    """The text of a page, tags and markup of figures apart."""
    return " ".join(re.sub(r"<[^>]*>", " ", re.sub(r"(?s)<style>.*?</style>", " ", page)).split())


def headline(page: str) -> str:
    return words(re.findall(r'(?s)<h1 id="headline">.*?</h1>', page)[0])


def labels(page: str) -> list[str]:
    return re.findall(r'<svg[^>]* aria-label="([^"]*)"', page)


def test_the_page_of_a_morning_check(bench: Path) -> None:
    page = run(bench, "morning-check")
    assert ids(page) >= {*ALL, "step-1"} and "warnings" not in ids(page)
    assert headline(page) == "Morning check: every instrument and every line is as it should be"
    assert labels(page) == ["Resistance of the path to each line", "What the cells of each line conduct together"]
    text = words(page)
    assert "All 6 lines" in text and "drive answers" in text
    assert len(re.findall(r"(row|col) \d [\d.]+ ohm [\d.e-]+ nS [\d.]+ µS ✓", text)) == 6


def test_the_page_of_a_read_die_warns_of_the_wires_once(bench: Path) -> None:
    page = run(bench, "read-die")
    result = json.loads((bench / "read-die" / "result.json").read_text(encoding="utf-8"))
    assert ids(page) >= {*ALL, "warnings", "step-1", "step-2"}
    assert headline(page).startswith("Read a die: every cell was read, median conductance ")
    assert headline(page).endswith(" µS")
    assert labels(page) == ["Conductance map: as read", "Map of the uncertainty", "Histogram of the conductance"]
    (warning,) = result["warnings"]
    assert "leaves out the wires" in warning and "segment_ohms" in warning
    assert words(page).count("leaves out the wires") == 1
    assert "at least 50 µS and at most 500 µS" in words(page)


def test_a_read_that_was_told_the_wires_does_not_warn(bench: Path) -> None:
    arguments = ["read", "--bench", str(bench / "passive15.yaml"), "--out", str(bench / "typed")]
    done = CliRunner().invoke(app, [*arguments, "--set", "segment_ohms=2 ohm"], catch_exceptions=False)
    assert done.exit_code == 0 and "Mind" not in done.output
    page = (bench / "typed" / "report.html").read_text(encoding="utf-8")
    assert "warnings" not in ids(page)
    assert "put together from the options of &#39;mtjlab read&#39;" in page
    assert "The recipe has no tests" in words(page)


def test_the_page_of_a_characterized_die(bench: Path) -> None:
    page = run(bench, "characterize-die", (("cells: 2", "cells: 1"),))
    assert ids(page) >= {*ALL, "step-1", "step-2", "step-3"}
    assert labels(page) == [
        "Status of every cell",
        "Conductance in P",
        "Conductance in AP",
        "Histogram of the conductance in the P and the AP state",
        "Histogram of the TMR",
        "Loop of conductance over pulse amplitude",
        "Conductance in both states against bias",
        "Switching probability against amplitude",
    ]
    result = json.loads((bench / "characterize-die" / "result.json").read_text(encoding="utf-8"))
    (cell,) = result["steps"][2]["details"]["cells"]
    assert sum(cell["switching"]["given"]) == 60
    assert f"Δ {cell['delta']:.3g} (95 %: " in words(page)
    assert "1 cell measured in depth; they switch to P at" in headline(page)


def test_the_page_of_a_wafer(bench: Path) -> None:
    page = run(bench, "probe-wafer", (("least: 90 %", "least: 1 %"), ("lot: L1", "lot: L1\n  only: [[0, 0]]")))
    text = words(page)
    for part in ("yield", "Outliers", "Parameters", "Dies", "What happened", "Where it comes from"):
        assert part in text
    again = bench / "probe-wafer" / "report.html"
    again.unlink()
    done = CliRunner().invoke(app, ["report", "--no-pdf", "--json", str(again.parent)], catch_exceptions=False)
    assert json.loads(done.stdout) == {"files": [str(again)]}
    assert words(again.read_text(encoding="utf-8")) == text


def test_a_folder_without_a_run_has_no_report(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no run in this folder"):
        reports_of(tmp_path)


@pytest.fixture
def network_run(tmp_path: Path) -> Path:
    """The folder of a ready network recipe, as such a run leaves it: every part that the page is made from."""
    recipe = load_recipe(packaged_recipes()["write-and-run-network"]).recipe
    shape = (15, 15)
    rng = np.random.default_rng(3)
    p, ap = rng.normal(180e-6, 9e-6, shape), rng.normal(95e-6, 4e-6, shape)
    status, state = np.full(shape, CellStatus.OK, dtype=np.int8), np.zeros(shape, dtype=np.int8)
    status[7, 7] = CellStatus.STUCK_P
    both = ArrayMap(ap.copy(), p, ap, state, status, np.full(shape, 1e-7), Conditions(0.1))
    layers = [{"name": "layer 1", "rows": [0, 1], "cols": [0, 1], "bits": [[1, 0], [0, 1]], "served": "at once"}] * 2
    written = state.copy()
    written[[0, 1], [0, 1]] = State.P
    refusing = replace(both, state=written, status=np.where(np.eye(15) > 0, CellStatus.UNWRITTEN, status))
    (tmp_path / "maps").mkdir()
    for name, one in {"both_states": both, "layer_1_written": refusing, "layer_2_written": refusing}.items():
        one.save(tmp_path / "maps" / f"{name}.npz")
    result: dict[str, Any] = {
        "command": "mtjlab run",
        "status": "complete",
        "recipe": {"name": recipe.recipe, "revision": 1, "resolved": recipe.model_dump(mode="json")},
        "steps": [step_row("contact", silent_lines=0.0), step_row("classify", healthy_share=0.99, defects=1.0),
                  step_row("train", software_accuracy=1.0), step_row("infer", accuracy=0.97, write_fidelity=0.9898)],
        "bin": {"hard": 4, "soft": 41, "is_good": False, "name": "writing", "all_failed": ["infer.write_fidelity"]},
        "accuracy": {"software": 1.0, "predicted_from_map": 0.98, "on_chip": 0.97, "on_chip_untuned": 0.9},
        "curve": {"g_siemens": [5e-5, 7e-5], "predicted": [0.9, 0.98]},
        "confusion": [[58, 1, 0], [1, 69, 1], [0, 1, 47]],
        "layers": layers,
        "incidents": [],
    }  # fmt: skip
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    return tmp_path


def step_row(kind: str, **numbers: float) -> dict[str, Any]:
    return {"name": kind, "step": kind, "numbers": numbers, "shown": {name: f"{v:g}" for name, v in numbers.items()}}


def test_the_page_of_a_network_on_a_die(network_run: Path) -> None:
    done = CliRunner().invoke(app, ["report", str(network_run)], catch_exceptions=False)
    assert done.exit_code == 0 and done.stdout.strip() == str(network_run / "report.html")
    page = (network_run / "report.html").read_text(encoding="utf-8")
    assert_self_contained(page)
    assert ids(page) >= {*ALL, *(f"step-{n}" for n in range(1, 5)), "conductance", "defects", "written", "curve"}
    assert ids(page) >= {"confusion"} and "spread" not in ids(page)
    assert headline(page).startswith("97.0 % of 178 wines were classified correctly on the array")
    text = words(page)
    assert "Not good, writing: hard bin 4, soft bin 41" in text
    assert "classify: 1 cell not healthy" in text
    assert "infer: 1.02% of the cells were not read in their wanted state." in text
    assert "15 cells refused the target in layer 1 written" in text
    assert "Accuracy predicted from the map 98.0 %" in text


def test_steps_that_were_not_reached_are_said_to_be(network_run: Path) -> None:
    result = json.loads((network_run / "result.json").read_text(encoding="utf-8"))
    result |= {"status": "failed", "reason": "sense: no reply", "layers": [], "accuracy": {}, "confusion": []}
    result["steps"] = result["steps"][:2]
    (network_run / "result.json").write_text(json.dumps(result), encoding="utf-8")
    both = ArrayMap.load(network_run / "maps" / "both_states.npz")
    half = np.where(np.arange(15)[:, None] < 7, both.siemens, np.nan)
    replace(both, siemens=half, is_partial=True).save(network_run / "maps" / "layer_1_written.npz")
    page = write_report(network_run).read_text(encoding="utf-8")
    assert "Conductance map: Layer 1 written, partial" in labels(page)
    assert "The map &#39;layer_1_written&#39; is partial: 105 of 225 cells." in page
    assert headline(page).startswith("Write and run a network failed; until then: 0.99 of the cells are healthy")
    assert page.count('class="undone"') == 2
    assert "Not done: train, infer." in words(page)
    assert re.search(r"Accuracy on the array \(infer\) at least 90 % not measured –", words(page))


def test_a_result_that_was_tampered_with_still_gives_a_page(network_run: Path) -> None:
    evil = '"><script>alert(1)</script>'
    result = json.loads((network_run / "result.json").read_text(encoding="utf-8"))
    result["recipe"] = {
        "name": evil,
        "file": evil,
        "resolved": {"steps": [{"step": evil}, evil, 3], "bins": {"tests": [evil]}},
    }
    result["steps"][0] |= {"reason": evil, "shown": {evil: evil}, "details": {"silent": [evil]}}
    result["steps"][1] |= {"step": "characterize", "details": {"cells": "none"}}
    result["steps"][2] |= {"step": "check", "details": {"findings": [evil], "paths": 3}}
    result["warnings"] = [evil]
    (network_run / "result.json").write_text(json.dumps(result), encoding="utf-8")
    page = write_report(network_run).read_text(encoding="utf-8")
    assert_self_contained(page)
    assert page.count("details of this step could not be read") == 2


@pytest.mark.skipif(not DOCS.is_dir(), reason="needs the source tree, not only the wheel")
@pytest.mark.parametrize("name", ["reproduce-wine", "reproduce-mnist"])
def test_the_page_of_a_reproduced_system_says_all_that_its_markdown_says(tmp_path: Path, name: str) -> None:
    for kind in ("md", "png"):
        shutil.copy(DOCS / f"{name}.{kind}", tmp_path)
    page = write_study_report(tmp_path / f"{name}.md").read_text(encoding="utf-8")
    assert_self_contained(page)
    assert "data:image/png;base64," in page
    source, text = (DOCS / f"{name}.md").read_text(encoding="utf-8"), words(page)
    assert page.count("<td") == sum(line.count(" | ") + 1 for line in source.splitlines() if line.startswith("|")) - (
        page.count("<th")
        - page.count("<thead")
        + sum(line.count(" | ") + 1 for line in source.splitlines() if line.startswith("| ---"))
    )
    for number in re.findall(r"\d+\.\d+", re.sub(r"\]\([^)]*\)", "", source)):
        assert number in text
    assert "**" not in text and "](" not in text and "`" not in text and "| ---" not in text


def test_every_step_and_number_of_the_recipes_has_words() -> None:
    for path in packaged_recipes().values():
        recipe = load_recipe(path).recipe
        for step in recipe.steps:
            if step.step == "reproduce":
                continue
            said = step_words(step.model_dump(mode="json"))
            assert said.endswith(".") and "Do the step" not in said
            assert all(number_words(name) for name in step.tests)
