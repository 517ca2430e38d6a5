"""Bench files, the registry of benches, and what a person is told when a file is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import pyvisa

from mtjlab.errors import InputError
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, packaged_benches, sim_bench
from mtjlab.sim_instruments.wire_instrument import NoReply


def edit(folder: Path, old: str, new: str) -> str:
    path = folder / "bench.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return str(path)


def test_the_packaged_bench_opens_by_name() -> None:
    assert "passive15" in packaged_benches()
    bench = sim_bench("passive15")
    assert bench.name == "passive15"
    assert set(bench.by_name) == {"drive", "half_select", "sense", "matrix"}
    assert sim_bench(str(bench.path)) is bench
    assert pyvisa.ResourceManager("passive15@mtjlab").visalib.bench is bench


def test_a_bench_outlives_its_sessions_until_reset_or_close(bench: SimBench, spec: str) -> None:
    for _ in range(2):
        manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
        smu = manager.open_resource("GPIB0::24::INSTR")
        smu.write(":SOUR:VOLT:LEV 0.25")
        manager.close()
    assert sim_bench(spec) is bench
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
    smu = manager.open_resource("GPIB0::24::INSTR", read_termination="\n")
    assert float(smu.query(":SOUR:VOLT:LEV?")) == 0.25
    kinds = bench.world.die.kind.copy()
    bench.reset()
    assert float(smu.query(":SOUR:VOLT:LEV?")) == 0.0, "an open session reaches the new instrument"
    assert (bench.world.die.kind == kinds).all(), "the same die"
    bench.close()
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_CONN_LOST"):
        smu.query(":SOUR:VOLT:LEV?")
    assert sim_bench(spec) is not bench
    manager.close()


def test_a_relative_path_is_resolved(bench_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(bench_folder)
    assert bench_path("bench.yaml") == bench_folder / "bench.yaml"
    bench = sim_bench("./bench.yaml")
    assert pyvisa.ResourceManager("bench.yaml@mtjlab").visalib.bench is bench
    bench.close()


@pytest.mark.parametrize("spec", ["", "passive16", "nowhere/bench.yaml", r"C:\labs\bench.yaml", "other.yaml"])
def test_an_unknown_bench_is_explained(spec: str) -> None:
    with pytest.raises(InputError, match="passive15") as caught:
        pyvisa.ResourceManager(f"{spec}@mtjlab")
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("faults: []", "fautls: []", ["line 13", "fautls", "Did you mean 'faults'?"]),
        ("seed: 20250", "seed: -1", ["line 4", "'seed'"]),
        ("model: keithley_707b", "model: keithley_709b", ["line 11", "instruments.3.model", "keithley_707b"]),
        ("GPIB0::25::INSTR", "GPIB0::24::INSTR", ["address GPIB0::24::INSTR is given to two"]),
        ("name: half_select", "name: drive", ["name drive is given to two"]),
        ("GPIB0::25::INSTR", "somewhere", ["line 9", "instruments.1.address", "somewhere"]),
        ("cards: [7174A, 7174A, 7174A]", "cards: [7174B]", ["line 11", "cards.0"]),
        ("cards: [7174A, 7174A, 7174A]", "cards: []", ["line 11", "needs 'cards'"]),
        ('serial: "1234567"', "cards: [7174A]", ["line 8", "takes no cards"]),
        ("passive15.wiring.yaml", "../passive15.wiring.yaml", ["line 12", "wiring", "own folder"]),
        ("passive15.wiring.yaml", "/etc/passwd", ["wiring", "own folder"]),
        ("passive15.wiring.yaml", "absent.yaml", ["absent.yaml", "cannot be read"]),
        ("die: {}", "die: {rowz: 3}", ["line 6", "rowz"]),
        ("faults: []", "faults: [{instrument: x, kind: hang, at_seconds: 1}]", ["'x'", "not on the bench"]),
        ("faults: []", "faults: [{instrument: drive, kind: hang}]", ["line 13", "either after_operations"]),
        ("faults: []", "faults: [{instrument: drive, kind: melt, at_seconds: 1}]", ["faults.0.kind", "silent"]),
        ("die: {}", "die: {", ["not valid YAML", "line"]),
    ],
)
def test_a_wrong_file_names_line_key_and_remedy(bench_folder: Path, old: str, new: str, words: list[str]) -> None:
    path = edit(bench_folder, old, new)
    with pytest.raises(InputError) as caught:
        pyvisa.ResourceManager(f"{path}@mtjlab")
    message = str(caught.value)
    assert caught.value.remedy
    for word in words:
        assert word in message, message


def test_wiring_to_an_instrument_that_is_not_there(bench_folder: Path) -> None:
    wiring = bench_folder / "passive15.wiring.yaml"
    wiring.write_text(wiring.read_text().replace("  sense: C", "  sence: C"))
    with pytest.raises(InputError, match="'sence' is cabled but is not on the bench"):
        sim_bench(str(bench_folder / "bench.yaml"))


def test_the_bench_is_cabled_as_the_wiring_says(bench: SimBench, tell: Any) -> None:
    drive, sense, matrix = (bench.by_name[name] for name in ("drive", "sense", "matrix"))
    tell(matrix, 'channel.exclusiveclose("1A01,2C04")')
    tell(drive, "*RST;:SOUR:VOLT 0.1;:SENS:CURR:PROT 1e-3;:OUTP ON")
    tell(sense, "*RST;:SENS:CURR:PROT 1e-3;:OUTP ON")
    volts = bench.world.cell_volts().reshape(15, 15)
    assert volts[0, 0] == pytest.approx(0.1, abs=0.02)
    assert abs(volts[0, 0]) == pytest.approx(abs(volts).max())


@pytest.mark.parametrize("kind", ["silent", "hang"])
def test_planned_faults(bench_folder: Path, kind: str, open_resource: Any) -> None:
    path = edit(bench_folder, "faults: []", f"faults: [{{instrument: drive, kind: {kind}, after_operations: 2}}]")
    bench = sim_bench(path)
    bench.close()
    bench = sim_bench(path)
    smu = open_resource("GPIB0::24::INSTR", timeout=500)
    assert smu.query("*ESE?") == "0"
    assert smu.query("*ESE?") == "0"
    before = bench.world.seconds
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query("*ESE?")
    assert bench.world.seconds - before >= 0.5
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.read_stb()
    smu.clear()
    if kind == "hang":
        assert smu.query("*ESE?") == "0"
    else:
        with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
            smu.query("*ESE?")
    assert open_resource("GPIB0::25::INSTR").query("*ESE?") == "0", "the others answer"


def test_a_fault_at_a_time(bench_folder: Path, ask: Any) -> None:
    path = edit(bench_folder, "faults: []", "faults: [{instrument: matrix, kind: silent, at_seconds: 10}]")
    bench = sim_bench(path)
    assert ask(bench.by_name["matrix"], "*OPC?", 1.0) == "1"
    bench.world.wait(10)
    with pytest.raises(NoReply):
        ask(bench.by_name["matrix"], "*OPC?", 1.0)
    bench.close()
