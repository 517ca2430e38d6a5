"""Wiring files: a fault is told with file, line, key and remedy before anything is opened."""

from __future__ import annotations

from pathlib import Path

import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import Line
from mtjlab.sim_instruments.simulated_bench import bench_path
from mtjlab.wiring import GROUND, Wiring, load_wiring

GOOD = """\
matrix: matrix
smus:
  drive: A
  half_select: B
  sense: C
row_lines: [101, 102]
col_lines:
  - 201
  - 202
  - 203
device:
  name: a device
  nominal_on_off_siemens: 1.0e-4
  limits:
    read_volts: 0.12
"""


def load(folder: Path, text: str) -> Wiring:
    path = folder / "wiring.yaml"
    path.write_text(text)
    return load_wiring(path)


def fault(folder: Path, old: str, new: str) -> InputError:
    assert old in GOOD
    with pytest.raises(InputError) as caught:
        load(folder, GOOD.replace(old, new))
    assert str(folder / "wiring.yaml") in caught.value.where
    assert caught.value.remedy
    return caught.value


def test_a_good_file(tmp_path: Path) -> None:
    wiring = load(tmp_path, GOOD)
    assert list(wiring.smus) == ["drive", "half_select", "sense"], "the order says who drives and who senses"
    assert wiring.col_lines == [201, 202, 203]
    assert wiring.device.limits.read_volts == 0.12


def test_the_packaged_file_fits_the_packaged_bench() -> None:
    wiring = load_wiring(bench_path("passive15").with_name("passive15.wiring.yaml"))
    assert (len(wiring.row_lines), len(wiring.col_lines)) == (15, 15)


@pytest.mark.parametrize(
    ("old", "new", "places"),
    [
        ("- 202", "- 102", ["102", "row_lines[1]", "col_lines[1]"]),
        ("[101, 102]", "[101, 101]", ["101", "row_lines[0]", "row_lines[1]"]),
        ("- 203", "- 201", ["201", "col_lines[0]", "col_lines[2]"]),
    ],
)
def test_two_lines_on_one_matrix_column(tmp_path: Path, old: str, new: str, places: list[str]) -> None:
    error = fault(tmp_path, old, new)
    for place in places:
        assert place in error.what
    assert "own" in str(error)


def test_two_lines_on_one_matrix_column_name_the_line_of_the_file(tmp_path: Path) -> None:
    assert fault(tmp_path, "- 202", "- 102").where.endswith("line 9")
    assert fault(tmp_path, "[101, 102]", "[101, 101]").where.endswith("line 6")


def test_two_smus_on_one_matrix_row(tmp_path: Path) -> None:
    error = fault(tmp_path, "sense: C", "sense: A")
    assert "matrix row A" in error.what
    assert "drive and sense" in error.what
    assert "line" in error.where


@pytest.mark.parametrize(
    ("old", "new", "key", "line", "remedy"),
    [
        ("row_lines", "row_line", "row_line", 6, "Did you mean 'row_lines'?"),
        ("read_volts", "read_volt", "device.limits.read_volt", 15, "Did you mean 'read_volts'?"),
        ("  name", "  label", "device.label", 12, "Remove it"),
        ("[101, 102]", "[100, 102]", "row_lines.0", 6, "Correct the value"),
        ("- 203", "- one", "col_lines.2", 10, "Correct the value"),
        ("[101, 102]", "[]", "row_lines", 6, "Correct the value"),
        ("1.0e-4", "0", "device.nominal_on_off_siemens", 13, "Correct the value"),
        ("matrix: matrix\n", "", "matrix", 1, "Add it"),
    ],
)
def test_a_fault_names_file_line_key_and_remedy(
    tmp_path: Path, old: str, new: str, key: str, line: int, remedy: str
) -> None:
    error = fault(tmp_path, old, new)
    assert f"'{key}'" in error.what
    assert error.where == f"{tmp_path / 'wiring.yaml'}, line {line}"
    assert error.remedy == remedy


def test_at_least_one_smu(tmp_path: Path) -> None:
    fault(tmp_path, "smus:\n  drive: A\n  half_select: B\n  sense: C", "smus: {}")


def test_what_is_left_out_is_the_careful_choice(tmp_path: Path) -> None:
    wiring = load(tmp_path, GOOD)
    assert wiring.relays_move == "outputs_off"
    assert (wiring.ground_row, wiring.holds_lines, wiring.is_four_wire) == (None, False, False)


def test_the_rows_of_all_sources(tmp_path: Path) -> None:
    wiring = load(
        tmp_path, GOOD.replace("matrix: matrix", "matrix: matrix\nground_row: 4").replace("drive: A", "drive: 1")
    )
    assert wiring.source_rows == {"drive": "1", "half_select": "B", "sense": "C", GROUND: "4"}
    assert wiring.matrix_column(Line("row", 1)) == 102
    assert wiring.matrix_column(Line("col", 2)) == 203


def test_the_grounded_row_is_no_smus(tmp_path: Path) -> None:
    error = fault(tmp_path, "matrix: matrix", "matrix: matrix\nground_row: B")
    assert "matrix row B is given to an SMU and to ground_row" in error.what


def test_relays_move_only_in_ways_that_there_are(tmp_path: Path) -> None:
    assert "relays_move" in fault(tmp_path, "matrix: matrix", "matrix: matrix\nrelays_move: at_once").what


def test_without_limits_there_is_no_wiring(tmp_path: Path) -> None:
    assert "limits" in fault(tmp_path, "  limits:\n    read_volts: 0.12\n", "").what


@pytest.mark.parametrize("name", ["linked15", "biased15"])
def test_the_packaged_benches_have_the_same_array(name: str) -> None:
    wiring, other = (load_wiring(bench_path(b).with_name(f"{b}.wiring.yaml")) for b in (name, "passive15"))
    assert (wiring.row_lines, wiring.col_lines, wiring.device) == (other.row_lines, other.col_lines, other.device)
