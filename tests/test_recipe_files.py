"""Recipes whose files, prober or wafer cannot be used: refused before anything moves, by line and with a remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtjlab.cli_open_bench import checked, problems_with
from mtjlab.cli_recipe import packaged_recipes
from mtjlab.errors import InputError
from mtjlab.recipe import load_recipe

WAFER, NETWORK, STUDY = "probe-wafer", "write-and-run-network", "reproduce-a"
DRAW = "  draw: {diameter_metres: 100 mm, pitch_metres: [%s, 5 mm]}\n"
WRONG = {
    "a text as a network": (NETWORK, "  - step: infer\n", "  - step: infer\n    network: notes.txt\n", "no network"),
    "a text as a map": (NETWORK, "  - step: infer\n", "  - step: infer\n    map: notes.txt\n", "both_states.npz"),
    "a bench without prober": (WAFER, "probed15", "passive15", "does not have"),
    "another prober": (WAFER, "prober: prober", "prober: probe", "Did you mean 'prober'?"),
    "too far down": (WAFER, "most_overtravel_metres: 60 um", "most_overtravel_metres: 9 mm", "at most 200 um"),
    "dies of no width": (WAFER, "  order:", DRAW % "0 mm" + "  order:", "draws nothing"),
    "dies wider than the wafer": (WAFER, "  order:", DRAW % "500 mm" + "  order:", "larger than the wafer"),
    "a die off the wafer": (WAFER, "  order:", DRAW % "5 mm" + "  only: [[90, 0]]\n  order:", "Correct 'only'"),
    "a study with a bench": (STUDY, "steps:", "bench: {simulated: passive15}\nsteps:", "Remove 'bench'"),
    "a number for a pair": (WAFER, "  order:", "  only: [1]\n  order:", "brackets"),
    "a word for a step": (STUDY, "  - step: reproduce", "  - reproduce\n  - step: reproduce", "keys and values"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_be_used_is_told_with_its_line(name: str, tmp_path: Path) -> None:
    recipe, old, new, hint = WRONG[name]
    (tmp_path / "notes.txt").write_text("no arrays", encoding="utf-8")
    text = packaged_recipes()[recipe].read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "wrong.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    (problem, *_) = problems_with(path)
    assert hint in str(problem) and problem.remedy and "wrong.yaml, line " in str(problem)
    with pytest.raises(InputError):
        checked(load_recipe(path))


def test_brackets_without_end_are_a_clear_message(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("[" * 3000, encoding="utf-8")
    with pytest.raises(InputError, match="nested too deeply"):
        load_recipe(path)
