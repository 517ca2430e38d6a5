"""The morning check: what it finds on a sound bench and on benches that are not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from mtjlab.bench import MatrixCrossbar
from mtjlab.bench_check import BenchCheck, check_bench
from mtjlab.nouns import Line
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench
from mtjlab.station import open_station
from mtjlab.wiring import load_wiring

TODAY = date(2026, 6, 1)
EXPECTED = """
expected:
  drive: {model: "2400", firmware: C30, calibrated_until: 2027-01-31}
  matrix: {model: 707B}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Bench, station and wiring of the packaged bench, to be changed."""
    packaged = bench_path("passive15")
    for name in ("passive15.yaml", "passive15.wiring.yaml", "passive15.station.yaml"):
        shutil.copy(packaged.parent / name, tmp_path)
    station = tmp_path / "passive15.station.yaml"
    text = station.read_text(encoding="utf-8").replace("passive15@mtjlab", f'"{tmp_path / "passive15.yaml"}@mtjlab"')
    station.write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def bench(files: Path) -> Iterator[SimBench]:
    opened = sim_bench(str(files / "passive15.yaml"))
    yield opened
    opened.close()


def checked(files: Path, bench: SimBench, more: str = "") -> BenchCheck:
    wiring_file = files / "passive15.wiring.yaml"
    wiring_file.write_text(wiring_file.read_text(encoding="utf-8") + more, encoding="utf-8")
    wiring = load_wiring(wiring_file)
    opened = open_station(files / "passive15.station.yaml", wiring_file, wiring)
    try:
        with MatrixCrossbar(opened.smus, opened.matrix, wiring) as crossbar:
            found = check_bench(crossbar, crossbar.start(), wiring, TODAY)
        assert crossbar.shutdown_report.is_safe
    finally:
        opened.close()
    assert bench.world.incidents == []
    return found


def test_a_sound_bench(files: Path, bench: SimBench) -> None:
    found = checked(files, bench, EXPECTED)
    assert found.is_good
    assert len(found.lines) == 30
    for line in found.lines:
        assert line.path_ohms is not None and 0.1 < line.path_ohms < 4
        assert line.leak_siemens < 3e-8
        assert 5e-4 < line.cells_siemens < 2e-2
    assert {finding.what for finding in found.instruments} >= {
        "drive: firmware",
        "drive: calibration",
        "matrix answers",
    }


def test_a_line_without_contact(files: Path, bench: SimBench) -> None:
    bench.world.change_contact("row", 3, 1e9)
    bad = [line for line in checked(files, bench).lines if line.problems]
    assert [line.line for line in bad] == [Line("row", 3)]
    assert "no contact" in bad[0].problems[0]
    assert bad[0].path_ohms is not None, "the relays are sound"


def test_a_relay_that_does_not_close_is_named_by_the_matrix_or_the_path(files: Path, bench: SimBench) -> None:
    bench.world.connect("die.col.5", "ground", 300.0)
    bad = [line for line in checked(files, bench).lines if line.problems]
    assert Line("col", 5) in [line.line for line in bad]
    assert any("leaks" in problem for line in bad if line.line == Line("col", 5) for problem in line.problems)


@pytest.mark.parametrize(
    ("expected", "what"),
    [
        ("drive: {firmware: C34}", "drive: firmware"),
        ("sense: {serial: X1}", "sense: serial"),
        ("matrix: {calibrated_until: 2026-05-31}", "matrix: calibration"),
    ],
)
def test_what_is_not_as_expected(files: Path, bench: SimBench, expected: str, what: str) -> None:
    found = checked(files, bench, f"expected: {{{expected}}}\n")
    assert [finding.what for finding in found.instruments if not finding.is_good] == [what]
    assert not found.is_good


@pytest.mark.parametrize(("more", "status"), [("", 0), ('expected: {drive: {model: "2450"}}\n', 1)])
def test_the_command(files: Path, more: str, status: int) -> None:
    wiring = files / "passive15.wiring.yaml"
    wiring.write_text(wiring.read_text(encoding="utf-8") + more, encoding="utf-8")
    command = [sys.executable, "-m", "mtjlab", "bench", "check", str(files / "passive15.station.yaml")]
    done = subprocess.run([*command, "--wiring", str(wiring)], capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stderr
    assert ("row 14" in done.stdout and "The bench is sound." in done.stdout) or status == 1
    as_json = subprocess.run([*command, "--wiring", str(wiring), "--json"], capture_output=True, text=True, check=False)
    assert json.loads(as_json.stdout)["is_good"] is (status == 0)
