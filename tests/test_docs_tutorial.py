"""The tutorial as a new user types it: commands run or are at least commands, its Python runs on what they leave."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from mtjlab.cli import app
from mtjlab.limits import DeviceLimits
from mtjlab.protocols.classify_defects import survey
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tutorial" / "first-die.md"
TEXT = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
COMMANDS = re.findall(r"^mtjlab (.*)$", "\n".join(re.findall(r"```sh\n(.*?)```", TEXT, re.DOTALL)), re.MULTILINE)
BLOCKS = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)
TYPED_ELSEWHERE = ("demo", "run my-network.yaml", "probe", "runs list", "reproduce wine", "run read-die --dry-run")
"""Minutes of work that other tests do (the chain, runs, probing, the reproduction): here only the options count."""
pytestmark = pytest.mark.skipif(not TEXT, reason="needs the source tree, not only the wheel")


def typed(command: str) -> Result:
    return CliRunner().invoke(app, shlex.split(command))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where the tutorial has been followed, but for what takes minutes; the map of the demo is one of another die."""
    here = tmp_path_factory.mktemp("tutorial")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(here)
        (here / "runs" / "demo" / "maps").mkdir(parents=True)
        world = World.from_description({"rows": 15, "cols": 15}, seed=20250, line_hertz=50)
        _, both = survey(WorldCrossbar(world, DeviceLimits()))
        both.save(here / "runs" / "demo" / "maps" / "both_states.npz")
        for command in COMMANDS:
            if not command.startswith(TYPED_ELSEWHERE):
                done = typed(command)
                assert done.exit_code == 0, (command, done.output)
        yield here


def test_the_tutorial_has_commands_and_blocks() -> None:
    assert {command.split()[0] for command in COMMANDS} >= {"demo", "run", "recipe", "probe", "reproduce"}
    assert len(BLOCKS) >= 2
    readme = (PAGE.parent.parent.parent / "README.md").read_text(encoding="utf-8")
    install = '-m pip install -q -c constraints.txt -e ".[train]"'
    assert install in TEXT and install in readme


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_exists(command: str) -> None:
    words = shlex.split(command)
    found: Any = typer.main.get_command(app)
    while hasattr(found, "commands"):
        found = found.commands[words.pop(0)]
    found.make_context("mtjlab", words)  # raises for an option or a value that there is not


def test_reading_a_die_says_what_the_page_says(folder: Path) -> None:
    said = re.search(r"median_siemens ([\d.]+) uS", TEXT)
    assert said
    import numpy as np

    from mtjlab.nouns import ArrayMap

    read = ArrayMap.load(folder / "runs" / "first-read" / "maps" / "as_found.npz")
    assert float(np.median(read.siemens)) * 1e6 == pytest.approx(float(said[1]), rel=1e-3)


def test_the_copied_recipe_has_what_the_page_wants_changed_and_is_refused_then(folder: Path) -> None:
    recipe = folder / "my-network.yaml"
    text = recipe.read_text(encoding="utf-8")
    assert "0.84 V" in text
    wrong = folder / "wrong.yaml"
    wrong.write_text(text.replace("0.84 V", "0.84"), encoding="utf-8")
    refused = typed("recipe check wrong.yaml")
    assert refused.exit_code == 2
    line = 1 + text[: text.index("0.84 V")].count("\n")
    assert f"line {line}" in refused.output.replace("\n", " ")


@pytest.mark.parametrize("number", range(len(BLOCKS)))
@pytest.mark.usefixtures("folder")
def test_the_python_runs_on_what_the_commands_left(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(BLOCKS[number], f"block {number}", "exec"), {})  # the tutorial's own
    assert re.search(r"\duS|\d uS", capsys.readouterr().out)
