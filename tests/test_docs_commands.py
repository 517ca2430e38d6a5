"""Commands and wiring drawings in the docs are those of the program and of the packaged benches."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from mtjlab.cli import app
from mtjlab.sim_instruments.simulated_bench import bench_path
from mtjlab.wiring import load_wiring

DOCS = Path(__file__).resolve().parent.parent / "docs"
FIRST_DAY = DOCS / "how-to" / "first-day-with-real-hardware.md"
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="needs the source tree, not only the wheel")


def commands() -> list[tuple[str, str]]:
    """Page and arguments of every mtjlab command that stands in a block of shell."""
    found = []
    for page in sorted(DOCS.rglob("*.md")):
        blocks = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        typed = [line for line in "\n".join(blocks).splitlines() if line.startswith("mtjlab ")]
        found += [(page.stem, line.removeprefix("mtjlab ").split(" #")[0]) for line in typed]
    return found


@pytest.mark.parametrize(("page", "command"), commands())
def test_every_command_of_the_docs_exists_with_its_options(page: str, command: str) -> None:
    words = shlex.split(command)
    found: Any = typer.main.get_command(app)
    while hasattr(found, "commands"):
        found = found.commands[words.pop(0)]
    found.make_context(page, words)  # raises for what there is not


@pytest.mark.parametrize("bench", ["passive15", "linked15", "biased15", "probed15"])
def test_the_drawing_shows_each_smu_on_its_row(bench: str) -> None:
    drawing = re.search(rf"<!-- {bench} -->\n```text\n(.*?)```", FIRST_DAY.read_text(encoding="utf-8"), re.DOTALL)
    assert drawing
    wiring = load_wiring(bench_path(bench).with_name(f"{bench}.wiring.yaml"))
    drawn = dict(re.findall(r'"([\w.]+)" +HI -+ row (\w+)', drawing[1]))
    assert drawn == {name: str(row) for name, row in wiring.smus.items()}
    ground = re.search(r"common ground +-+ row (\w+)", drawing[1])
    assert (ground[1] if ground else None) == (str(wiring.ground_row) if wiring.ground_row is not None else None)


@pytest.mark.parametrize("bench", ["passive15", "linked15", "biased15", "probed15"])
def test_the_table_of_lines_is_that_of_the_wiring_file(bench: str) -> None:
    text = FIRST_DAY.read_text(encoding="utf-8")
    said = re.findall(r"array (row|column) +(\d+) \.\. +(\d+) +-> matrix column (\d+) \.\. (\d+)", text)
    lines: dict[str, list[int]] = {"row": [], "column": []}
    for axis, first, last, start, end in sorted(said, key=lambda entry: int(entry[1])):
        assert int(last) - int(first) == int(end) - int(start)
        assert len(lines[axis]) == int(first)
        lines[axis] += range(int(start), int(end) + 1)
    wiring = load_wiring(bench_path(bench).with_name(f"{bench}.wiring.yaml"))
    assert lines == {"row": list(wiring.row_lines), "column": list(wiring.col_lines)}
