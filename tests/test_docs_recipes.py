"""The pages about recipes and the command line: what they say is typed, and what there is, they name."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import typer
from typer.testing import CliRunner

from mtjlab.cli import app
from mtjlab.recipe import Recipe, load_recipe
from mtjlab.recipe_steps import KINDS

ROOT = Path(__file__).resolve().parent.parent
pytestmark = pytest.mark.skipif(not (ROOT / "docs").is_dir(), reason="needs the source tree, not only the wheel")


def page(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def test_every_command_of_the_how_to_page_works_in_its_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = page("how-to/write-a-recipe.md")
    (recipe,) = blocks(text, "yaml")
    typed = 0
    for block in blocks(text, "sh"):
        for line in block.splitlines():
            done = CliRunner().invoke(app, shlex.split(line)[1:], catch_exceptions=False)
            assert done.exit_code == 0, f"{line}\n{done.output}"
            typed += 1
            if line.startswith("mtjlab recipe check"):
                Path("my-recipe.yaml").write_text(recipe, encoding="utf-8")
    assert typed == 9
    assert (tmp_path / "first" / "as_found.csv").is_file()


def test_the_messages_on_the_page_are_those_that_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = page("how-to/write-a-recipe.md")
    (recipe,), (messages,) = blocks(text, "yaml"), blocks(text, "text")
    for old, new, message in zip(
        ("80 mV", "contact.silent_lines"), ("80 mv", "contact.silent_line"), messages.splitlines(), strict=True
    ):
        Path("my-recipe.yaml").write_text(recipe.replace(old, new), encoding="utf-8")
        done = CliRunner().invoke(app, ["recipe", "check", "my-recipe.yaml"])
        assert done.exit_code == 2
        assert message.removesuffix("...") in done.stdout


def test_the_reference_names_every_key_parameter_and_number() -> None:
    text = page("reference/recipes.md")
    for key in Recipe.model_fields:
        assert f"| `{key}` |" in text, key
    sections = {part.split("`")[0]: part for part in text.split("\n### `")[1:]}
    assert list(sections) == list(KINDS)
    for word, kind in KINDS.items():
        wanted = [f"| `{name}` |" for name in kind.model_fields if name not in ("step", "name")]
        wanted += [f"`{word}.{test}`" for test in kind.tests]
        assert [one for one in wanted if one not in sections[word]] == []


def test_the_command_page_names_every_command() -> None:
    text = page("reference/command-line.md")
    group = typer.main.get_command(app)
    for words in commands(group, "mtjlab"):
        assert f"`{words}`" in text, f"add `{words}` to docs/reference/command-line.md"


def commands(group: click.Command, words: str) -> list[str]:
    inner = getattr(group, "commands", None)
    if inner is None:
        return [words]
    return [one for name, command in inner.items() for one in commands(command, f"{words} {name}")]


def test_the_recipe_on_the_page_is_read_as_meant(tmp_path: Path) -> None:
    (recipe,) = blocks(page("how-to/write-a-recipe.md"), "yaml")
    path = tmp_path / "r.yaml"
    path.write_text(recipe, encoding="utf-8")
    loaded = load_recipe(path).recipe
    assert loaded.steps[0].model_dump()["read_volts"] == 0.08
    assert loaded.limits()[1].least == 50e-6
