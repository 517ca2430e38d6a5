"""Wiring drawings: those of the documentation are what the command draws; cables go where the wiring file says."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtjlab.bench_cabling import Cabling, cabling_of
from mtjlab.cli import app
from mtjlab.errors import InputError
from mtjlab.sim_instruments import benches
from mtjlab.wiring_drawing import WIDTH, wiring_svg

PACKAGED = Path(benches.__file__).parent
BENCHES = sorted(path.name.partition(".")[0] for path in PACKAGED.glob("*.wiring.yaml"))
DRAWN = Path(__file__).parents[1] / "docs" / "wiring"
SVG = "{http://www.w3.org/2000/svg}"


def packaged(name: str) -> Cabling:
    return cabling_of(*(PACKAGED / f"{name}.{kind}" for kind in ("station.yaml", "wiring.yaml", "yaml")))


def changed(folder: Path, *changes: tuple[str, str]) -> Cabling:
    text = (PACKAGED / "passive15.wiring.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "my.wiring.yaml").write_text(text)
    return cabling_of(PACKAGED / "passive15.station.yaml", folder / "my.wiring.yaml")


def words(drawing: str) -> list[str]:
    return ["".join(text.itertext()) for text in ET.fromstring(drawing).iter(f"{SVG}text")]


def paths(drawing: str, kind: str) -> list[list[tuple[float, float]]]:
    """Lines of a kind, without those that hop over another one."""
    found = [
        path.get("d", "") for path in ET.fromstring(drawing).iter(f"{SVG}path") if path.get("class") == f"w {kind}"
    ]
    bare = [path for path in found if "A" not in path]
    return [[(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)] for path in bare]


def height_of(drawing: str, said: str) -> float:
    return next(
        float(text.get("y", "")) - 4
        for text in ET.fromstring(drawing).iter(f"{SVG}text")
        if "".join(text.itertext()) == said
    )


@pytest.mark.skipif(not DRAWN.is_dir(), reason="needs the source tree, not only the wheel")
@pytest.mark.parametrize("name", BENCHES)
def test_what_the_documentation_shows_is_what_the_command_draws(name: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["bench", "draw", name, "--out", str(tmp_path / "a.svg")], catch_exceptions=False)
    assert done.exit_code == 0
    committed = (DRAWN / f"{name}.svg").read_text(encoding="utf-8")
    assert (tmp_path / "a.svg").read_text(encoding="utf-8") == committed, (
        f"mtjlab bench draw {name} --out docs/wiring/..."
    )


@pytest.mark.parametrize("name", BENCHES)
def test_each_source_is_cabled_to_its_row_and_each_line_has_its_column(name: str) -> None:
    bench, drawing = packaged(name), wiring_svg(packaged(name))
    ends = [path[-1][1] for path in paths(drawing, "force") if len(path) == 3]
    assert ends == [height_of(drawing, f"row {source.row}") for source in bench.sources]
    said = words(drawing)
    for column in (*bench.wiring.row_lines, *bench.wiring.col_lines):
        assert said.count(str(column)) == 1
    for k in range(15):
        assert f"col {k}" in said and any(words == f"row {k}" for words in said)
    assert "common ground: ONE point" in said and "probe card" in said and "die" in said
    for instrument in {source.instrument for source in bench.sources} | {bench.matrix}:
        assert any(f"'{instrument.name}' at {instrument.address}" == words for words in said)


@pytest.mark.parametrize("name", BENCHES)
def test_it_fits_a_sheet_of_a4(name: str) -> None:
    root = ET.fromstring(wiring_svg(packaged(name)))
    _, _, width, height = map(float, root.get("viewBox", "").split())
    assert width == WIDTH and height / width <= 210 / 297 + 1e-3
    for text in root.iter(f"{SVG}text"):
        size = 9.5 if " s" in f" {text.get('class')}" else 11
        assert size * 25.4 / 96 >= 2.2, "millimetres on paper"
        length = 0.62 * size * len("".join(text.itertext()))
        x = float(text.get("x", ""))
        left = {"start": x, "middle": x - length / 2, "end": x - length}[text.get("text-anchor", "")]
        assert left >= 0 and left + length <= width


def test_ground_row_link_and_prober_are_shown_where_there_are_such() -> None:
    linked, passive, probed = (words(wiring_svg(packaged(name))) for name in ("linked15", "passive15", "probed15"))
    assert "TSP-Link (crossover cable), matrix is node 2" in linked
    assert not any("TSP-Link" in said for said in passive)
    assert "chuck of FormFactor Velox" in probed and "chuck or carrier, and the card's ground" in passive
    drawing = wiring_svg(packaged("linked15"))
    row = height_of(drawing, "row C")
    assert any(path[0][1] == row and len(path) == 3 for path in paths(drawing, "low"))


def test_sense_terminals_are_open_unless_they_are_cabled(tmp_path: Path) -> None:
    two = wiring_svg(changed(tmp_path))
    assert words(two).count("open") == 6 and paths(two, "sense") == []
    four = wiring_svg(changed(tmp_path, ("smus:", "is_four_wire: true\nsmus:")))
    assert "open" not in words(four)
    ends = [path[-1][1] for path in paths(four, "sense") if len(path) == 3]
    assert ends == [height_of(four, f"row {row}") + 6 for row in "ABC"]


def test_guards_follow_triaxial_cards_alone(tmp_path: Path) -> None:
    assert len(paths(wiring_svg(packaged("passive15")), "guard")) == 4, "three of them, and the legend"
    unknown = wiring_svg(changed(tmp_path))
    assert paths(unknown, "guard") == [] and words(unknown).count("open*") == 3


def test_two_swapped_rows_are_drawn_swapped(tmp_path: Path) -> None:
    drawing = wiring_svg(changed(tmp_path, ("drive: A", "drive: B"), ("half_select: B", "half_select: A")))
    ends = [path[-1][1] for path in paths(drawing, "force") if len(path) == 3]
    assert ends == [height_of(drawing, f"row {row}") for row in "BAC"]


def test_many_lines_are_drawn_closer_and_every_few_are_named(tmp_path: Path) -> None:
    rows = ", ".join(str(100 * slot + k) for slot in range(1, 5) for k in range(1, 13))
    cols = ", ".join(str(100 * slot + k) for slot in range(5, 9) for k in range(1, 13))
    text = (PACKAGED / "passive15.wiring.yaml").read_text()
    old = re.findall(r"_lines: \[(.*)\]", text)
    said = words(wiring_svg(changed(tmp_path, (old[1], cols), (old[0], rows))))
    assert "row 0" in said and "row 4" in said and "row 1" not in said and "412" not in said


def test_what_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no instrument 'other'"):
        changed(tmp_path, ("matrix: matrix", "matrix: other"))
    for argument, words_of in (("showroom", "there is no station file"), ("nowhere", "there is no such bench")):
        done = CliRunner().invoke(app, ["bench", "draw", argument])
        assert isinstance(done.exception, InputError) and words_of in str(done.exception)
