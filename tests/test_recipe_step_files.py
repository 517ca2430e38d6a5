"""A released recipe is refused once a file that one of its steps names has changed."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtjlab.cli import app
from mtjlab.errors import InputError
from mtjlab.recipe import load_recipe

RECIPE = """\
recipe: flowers
bench: {simulated: passive15}
steps:
  - {step: classify, how: quick}
  - {step: train, data: flowers.csv, solutions: 2, epochs: 5}
  - {step: write, pattern: wanted.csv}
  - {step: write, name: again, pattern: rows}
"""


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    rows = "".join(f"{number % 2},{'ab'[number % 2]}\n" for number in range(20))
    (tmp_path / "flowers.csv").write_text(f"x,kind\n{rows}", encoding="utf-8")
    (tmp_path / "wanted.csv").write_text("\n".join([",".join("1" * 15)] * 15), encoding="utf-8")
    path = tmp_path / "r.yaml"
    path.write_text(RECIPE, encoding="utf-8")
    done = CliRunner().invoke(app, ["recipe", "lock", str(path), "--by", "an engineer"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return path


def test_the_files_of_the_steps_are_known_by_step_and_key(recipe: Path) -> None:
    assert load_recipe(recipe).step_files() == {
        "train.data": recipe.with_name("flowers.csv"),
        "write.pattern": recipe.with_name("wanted.csv"),
    }


@pytest.mark.parametrize(("name", "what"), [("flowers.csv", "train.data"), ("wanted.csv", "write.pattern")])
def test_a_file_of_a_step_that_changed_is_refused(recipe: Path, name: str, what: str) -> None:
    path = recipe.with_name(name)
    path.write_text(path.read_text(encoding="utf-8").replace("1", "0"), encoding="utf-8")
    with pytest.raises(InputError, match=f"its {what} file has changed since it was released"):
        CliRunner().invoke(app, ["run", str(recipe), "--dry-run"], catch_exceptions=False)
