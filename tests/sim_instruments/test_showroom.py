"""The bench with one of each instrument, cables, transient benches, and pyvisa-sim devices beside simulated ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from mtjlab.errors import InputError
from mtjlab.sim_instruments.cables import CableSpec
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

SHOWN = {
    1: "GS210",
    7: "7001",
    8: "708B",
    9: "34980A",
    10: "81160A",
    11: "33622A",
    12: "2612B",
    16: "707B",
    18: "2450",
    22: "B2201A",
    23: "B2902A",
    24: "2400",
    25: "E5250A",
    26: "2602B",
    27: "2636B",
}
DEVICES = """
spec: "1.1"
devices:
  meter:
    eom:
      GPIB INSTR: {q: "\\n", r: "\\n"}
      ASRL INSTR: {q: "\\r", r: "\\r\\n"}
    error: ERROR
    dialogues:
      - {q: "*IDN?", r: "Maker,Meter,1,2"}
      - {q: "!NOISE", r: null}
    properties:
      level:
        default: 1.0
        getter: {q: ":LEV?", r: "{:.2f}"}
        setter: {q: ":LEV {:.2f}", r: OK}
        specs: {min: 0, max: 10, type: float}
  heater:
    eom:
      ASRL INSTR: {q: "\\r", r: "\\r\\n"}
    error: ERROR
    dialogues:
      - {q: "ID", r: "heater"}
resources:
  GPIB0::5::INSTR: {device: meter}
  ASRL1::INSTR: {device: heater}
"""
BENCH = """
bench: mixed
seed: 1
line_hertz: 50
instruments:
  - {name: smu, model: keithley_2400, address: "GPIB0::24::INSTR"}
cables:
  - {from: smu.hi, to: joint.1, ohms: 400}
  - {from: joint.1, to: ground, ohms: 600}
pyvisa_sim: [devices.yaml]
"""


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "devices.yaml").write_text(DEVICES)
    path = tmp_path / "mixed.yaml"
    path.write_text(BENCH)
    yield str(path)
    sim_bench(str(path)).close()


def write(folder: Path, text: str) -> str:
    path = folder / "mixed.yaml"
    path.write_text(text)
    return str(path)


def test_every_instrument_answers_at_its_address() -> None:
    manager = pyvisa.ResourceManager("showroom@mtjlab")
    assert set(manager.list_resources()) == {f"GPIB0::{n}::INSTR" for n in SHOWN}
    for number, model in SHOWN.items():
        resource: Any = manager.open_resource(f"GPIB0::{number}::INSTR", read_termination="\n", write_termination="\n")
        assert model in resource.query("*IDN?")
    manager.close()


def test_a_kilohm_is_across_an_smu() -> None:
    manager = pyvisa.ResourceManager("showroom@mtjlab")
    smu: Any = manager.open_resource("GPIB0::24::INSTR", read_termination="\n")
    smu.write("*RST;:SOUR:VOLT 1;:SENS:CURR:PROT 0.01;:OUTP ON;:FORM:ELEM CURR")
    assert float(smu.query(":READ?")) == pytest.approx(1e-3, rel=0.01)
    manager.close()


def test_a_matrix_of_the_showroom_has_the_array() -> None:
    manager = pyvisa.ResourceManager("showroom@mtjlab")
    matrix: Any = manager.open_resource("GPIB0::16::INSTR", read_termination="\n")
    matrix.write('channel.close("1A01,2B04")')
    bench = sim_bench("showroom")
    drive, sense = (bench.world.add_source(name, f"k707b.row.{name}") for name in "AB")
    drive.drive_volts(0.1, 1.0)
    sense.drive_volts(0.0, 1.0)
    volts = bench.world.cell_volts().reshape(15, 15)
    assert abs(volts[0, 0]) == abs(volts).max() == pytest.approx(0.1, abs=0.01)
    manager.close()
    bench.reset()


def test_a_transient_bench_is_new_after_all_have_left() -> None:
    bench = sim_bench("showroom")
    manager = pyvisa.ResourceManager("showroom@mtjlab")
    first: Any = manager.open_resource("GPIB0::24::INSTR", read_termination="\n")
    second: Any = manager.open_resource("GPIB0::11::INSTR", read_termination="\n")
    first.write(":SOUR:VOLT 0.25")
    was = bench.world.die.is_parallel.copy()
    bench.world.die.is_parallel[:] = ~was
    first.close()
    first = manager.open_resource("GPIB0::24::INSTR", read_termination="\n")
    assert float(first.query(":SOUR:VOLT?")) == 0.25, "another session is still open"
    first.close()
    second.close()
    assert (bench.world.die.is_parallel != was).all(), "what was left can still be looked at"
    first = manager.open_resource("GPIB0::24::INSTR", read_termination="\n")
    assert float(first.query(":SOUR:VOLT?")) == 0.0
    assert (bench.world.die.is_parallel == was).all()
    first.write(":SOUR:VOLT 0.5")
    bench.reset()
    assert float(first.query(":SOUR:VOLT?")) == 0.0
    manager.close()


def test_a_bench_that_is_not_transient_never_forgets(spec: str) -> None:
    bench = sim_bench(spec)
    world = bench.world
    for _ in range(2):
        manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
        manager.open_resource("GPIB0::24::INSTR").close()
        manager.close()
    assert sim_bench(spec).world is world


def test_cables_and_joints_are_resistors(spec: str) -> None:
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
    smu: Any = manager.open_resource("GPIB0::24::INSTR", read_termination="\n")
    smu.write("*RST;:SOUR:VOLT 2;:SENS:CURR:PROT 0.01;:OUTP ON;:FORM:ELEM CURR")
    assert float(smu.query(":READ?")) == pytest.approx(2e-3, rel=0.01)
    manager.close()


def test_ranges_of_terminals() -> None:
    cable = CableSpec.model_validate({"from": "m.col.{101-102,201}", "to": "die.row.{0-2}"})
    assert list(cable.pairs) == [("m.col.101", "die.row.0"), ("m.col.102", "die.row.1"), ("m.col.201", "die.row.2")]
    fan = CableSpec.model_validate({"from": "s.{1,2}.hi", "to": "ground"})
    assert list(fan.pairs) == [("s.1.hi", "ground"), ("s.2.hi", "ground")]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("smu.hi", "smu.high", ["there is no terminal 'smu.high'"]),
        ("smu.hi", '"smu.{1-2}"', ["there is no terminal 'smu.1'"]),
        ("to: joint.1", 'to: "joint.{1-x}"', ["cables.0", "range"]),
        ("ohms: 400", "ohms: 0", ["cables.0.ohms"]),
        ("from: smu.hi", 'from: "smu.{1-2}.hi", x: 1', ["cables.0.x"]),
        ("devices.yaml", "../devices.yaml", ["own folder"]),
        ("devices.yaml", "absent.yaml", ["pyvisa-sim cannot read it"]),
        ("GPIB0::24::INSTR", "GPIB0::5::INSTR", ["GPIB0::5::INSTR is given twice"]),
        ('GPIB0::24::INSTR"', 'GPIB0::24::INSTR", coil: {tesla_per_amp: 1}', ["takes no coil"]),
        (BENCH[BENCH.index("cables") : BENCH.index("pyvisa_sim")], "", ["give 'wiring', 'cables' or both"]),
    ],
)
def test_a_wrong_file_is_explained(tmp_path: Path, old: str, new: str, words: list[str]) -> None:
    (tmp_path / "devices.yaml").write_text(DEVICES)
    path = write(tmp_path, BENCH.replace(old, new))
    with pytest.raises(InputError) as caught:
        SimBench(Path(path))
    for word in words:
        assert word in str(caught.value)


def test_pyvisa_sim_devices_answer_beside_the_simulated_ones(spec: str) -> None:
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")
    assert set(manager.list_resources("?*::?*INSTR")) == {"GPIB0::24::INSTR", "GPIB0::5::INSTR", "ASRL1::INSTR"}
    meter: Any = manager.open_resource("GPIB0::5::INSTR", read_termination="\n", write_termination="\n")
    assert meter.query("*IDN?") == "Maker,Meter,1,2"
    assert meter.query(":LEV 3.5") == "OK"
    assert meter.query(":LEV?") == "3.50"
    assert meter.query(":NONSENSE") == "ERROR"
    meter.write("*IDN?")
    assert meter.stb == 16
    meter.clear()
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        meter.read()
    meter.write_termination = ""
    assert meter.query("*IDN?") == "Maker,Meter,1,2", "END ends a message"
    heater: Any = manager.open_resource("ASRL1::INSTR", read_termination="\r\n", write_termination="\r")
    assert heater.query("ID") == "heater"
    manager.close()


def test_what_is_used_of_pyvisa_sim(tmp_path: Path) -> None:
    from importlib.metadata import version

    from pyvisa_sim.parser import get_devices

    assert version("pyvisa-sim") == "0.7.1"
    path = tmp_path / "devices.yaml"
    path.write_text(DEVICES)
    devices = get_devices(str(path), False)
    device = devices["GPIB0::5::INSTR"]
    assert (device._query_eom, len(device._output_buffers), len(device._input_buffer)) == (b"\n", 0, 0)
    device.write(b"*IDN?\n")
    assert bytes(device._output_buffers.popleft()) == b"Maker,Meter,1,2\n"
