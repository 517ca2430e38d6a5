"""What the terminal shows of a recipe: in a window of 80 columns no word and no number is broken off its unit."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

from mtjlab.cli_recipe import beside
from mtjlab.screen_recipe import show_plan, show_run

WARNING = "the uncertainty leaves out the wires, whose resistance lowers every conductance that was read " * 2
SHOWN = {"healthy_share": "99.56 %", "median_p_siemens": "185.4 uS", "median_ap_siemens": "94.36 uS", "defects": "0"}
RESULT: dict[str, Any] = {
    "recipe": {"name": "r"},
    "status": "complete",
    "bin": {"is_good": True, "hard": 1, "soft": 1, "name": "", "failed": ""},
    "incidents": [],
    "problems": [],
    "warnings": [WARNING.strip()],
    "steps": [
        {"name": "classify", "shown": SHOWN, "reason": "", "bench_seconds": 104.0, "pulses": 504, "readings": 1466}
    ],
}
WIDTH = 80


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", str(WIDTH))
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)


def lines_of(text: str) -> list[str]:
    return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines()]


@pytest.mark.usefixtures("narrow")
def test_a_run_keeps_to_the_window_and_numbers_to_their_units(capsys: pytest.CaptureFixture[str]) -> None:
    show_run(RESULT, "f")
    lines = lines_of(capsys.readouterr().out)
    assert max(map(len, lines)) <= WIDTH
    for name, text in SHOWN.items():
        assert any(f"{name} {text}" in line for line in lines) == (text != "0")
    assert set(WARNING.split()) - {"read"} <= {word for line in lines for word in line.split()}


@pytest.mark.usefixtures("narrow")
def test_a_plan_keeps_to_the_window(capsys: pytest.CaptureFixture[str]) -> None:
    plan = {"recipe": "r", "would_stop": [WARNING], "notes": [WARNING], "worst_case": None, "bench_seconds": None}
    show_plan({**plan, "dies": 1, "touchdowns": 1})
    assert max(map(len, lines_of(capsys.readouterr().out))) <= WIDTH


@pytest.mark.usefixtures("narrow")
def test_what_a_recipe_is_for_stands_in_a_column_of_its_own() -> None:
    first, *rest = beside("read-die", WARNING).splitlines()
    assert first.startswith("read-die  ") and rest
    for line in (first, *rest):
        assert len(line) <= WIDTH and line[25] != " "
    for line in rest:
        assert not line[:25].strip()


def test_elsewhere_a_recipe_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert beside("read-die", WARNING) == f"{'read-die':<24} {WARNING}"
