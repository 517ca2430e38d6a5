"""Programs for pulse generators and a field source, as manuals and labs have them, on a cell."""

from __future__ import annotations

import numpy as np
import pytest
from pyvisa.resources import MessageBasedResource

from .lab import ONE_CELL, Lab, MakeLab, numbers

READS = {"read": {"model": "keithley_2400"}, "matrix": {"model": "keithley_707b", "cards": ["7174A"]}}
MODELS = ["keysight_33622a", "keysight_81160a"]


def ask(unit: MessageBasedResource, message: str) -> str:
    return unit.query(message).strip()


def pulsing(make_lab: MakeLab, model: str) -> Lab:
    """A generator and an SMU that a matrix connects to one cell by turns."""
    return make_lab(
        {**READS, "pulse": {"model": model}},
        [
            {"from": "read.hi", "to": "matrix.row.A"},
            {"from": "pulse.1.hi", "to": "matrix.row.B"},
            {"from": "matrix.row.H", "to": "ground"},
            {"from": "matrix.col.101", "to": "die.row.0"},
            {"from": "matrix.col.102", "to": "die.col.0"},
        ],
        die=ONE_CELL,
    )


class Writer:
    """Pulses by one generator, and readings between them."""

    def __init__(self, lab: Lab, model: str) -> None:
        self.lab = lab
        self.is_33622 = model == "keysight_33622a"
        self.matrix = lab.open("matrix", "reset()")
        self.read_unit = lab.open("read", "*RST", ":SOUR:VOLT:RANG 2;:SENS:CURR:PROT 1E-3;:FORM:ELEM CURR")
        self.unit = lab.open("pulse", "*RST", "*CLS")

    def connect(self, row: str) -> None:
        self.matrix.write(f"channel.exclusiveclose('1{row}01,1H02') waitcomplete()")
        self.matrix.query("*OPC?")

    def tell(self, *messages: str) -> None:
        for message in messages:
            self.unit.write(message)
        assert ask(self.unit, "SYST:ERR?").startswith(("0,", "+0,")), messages

    def pulse(self, volts: float, seconds: float, count: int = 1) -> None:
        """A burst of rectangular pulses, high for positive volts, inverted for negative ones."""
        self.connect("B")
        self.tell("*RST", "OUTP1:LOAD INF" if self.is_33622 else "OUTP1:LOAD 1E6")
        self.tell("FUNC PULS" if self.is_33622 else ":FUNC1 PULS")
        if self.is_33622:
            self.tell(f"FUNC:PULS:WIDT {min(seconds, 9e-5)};:FUNC:PULS:PER {max(10 * seconds, 1e-6)}")
            self.tell(f"FUNC:PULS:WIDT {seconds}")
        else:
            self.tell(f":PULS:PER1 {max(10 * seconds, 1e-6)}", f":FUNC1:PULS:WIDT {seconds}")
        self.tell(f"VOLT:HIGH {max(volts, 0)}", f"VOLT:LOW {min(volts, 0)}")
        self.tell("OUTP1:POL " + ("NORM" if volts > 0 else "INV"))
        if self.is_33622:
            self.tell("TRIG:SOUR BUS", f"BURS:MODE TRIG;NCYC {count};STAT ON", "OUTP1 ON")
        else:
            self.tell(f":BURS1:MODE TRIG;:BURS1:NCYC {count};:BURS1:STAT ON", ":ARM:SOUR1 MAN", ":OUTP1 ON")
        self.unit.write("*TRG")
        assert ask(self.unit, "*OPC?") == "1"
        self.tell("OUTP1 OFF")

    def ohms(self) -> float:
        """Resistance at 50 mV."""
        self.connect("A")
        self.read_unit.write(":OUTP ON;:SOUR:VOLT 0.05")
        amps = float(self.read_unit.query(":READ?"))
        self.read_unit.write(":SOUR:VOLT 0;:OUTP OFF")
        self.read_unit.query("*OPC?")
        return 0.05 / amps


@pytest.mark.parametrize("model", MODELS)
def test_pulses_write_a_cell_both_ways(make_lab: MakeLab, model: str) -> None:
    lab = pulsing(make_lab, model)
    writer = Writer(lab, model)
    ohms = []
    for volts in (-1.05, 0.95, -1.05, 0.95):
        writer.pulse(volts, 200e-9)
        assert lab.world.die.is_parallel[0] == (volts > 0)
        ohms.append(writer.ohms())
    assert ohms[0] / ohms[1] == pytest.approx(2, abs=0.15)
    assert ohms[2:] == pytest.approx(ohms[:2], rel=1e-3)
    assert lab.world.incidents == []


@pytest.mark.parametrize("model", MODELS)
def test_switching_becomes_certain_with_more_volts(make_lab: MakeLab, model: str) -> None:
    lab = pulsing(make_lab, model)
    writer = Writer(lab, model)
    switched = {0.2: 0, 0.95: 0}
    for volts in switched:
        for _ in range(4):
            writer.pulse(-1.05, 1e-6)
            writer.pulse(volts, 100e-9)
            switched[volts] += int(lab.world.die.is_parallel[0])
    assert switched == {0.2: 0, 0.95: 4}


@pytest.mark.parametrize("model", MODELS)
def test_a_burst_takes_its_time(make_lab: MakeLab, model: str) -> None:
    lab = pulsing(make_lab, model)
    writer = Writer(lab, model)
    before = lab.world.seconds
    writer.pulse(0.1, 1e-3, count=100)
    assert 1.0 < lab.world.seconds - before < 1.2


@pytest.mark.parametrize("model", MODELS)
def test_levels_depend_on_the_load(make_lab: MakeLab, model: str) -> None:
    """50 ohm source impedance: what is set for 50 ohm doubles on an open line, and is halved again by 50 ohm."""
    lab = make_lab({"pulse": {"model": model}}, [{"from": "pulse.1.hi", "to": "ground", "ohms": 50}])
    unit = lab.open("pulse", "*RST", "APPL:DC DEF,DEF,1" if model == "keysight_33622a" else ":APPL1:DC DEF,DEF,1")
    assert ask(unit, "*OPC?") == "1"
    assert lab.point("pulse").amps == pytest.approx(1 / 50, rel=2e-2)
    unit.write("OUTP1:LOAD INF" if model == "keysight_33622a" else ":OUTP1:LOAD 1E6")
    assert float(ask(unit, "VOLT:OFFS?")) == pytest.approx(2, rel=1e-3), "told for the load, the output has not changed"
    assert lab.point("pulse").amps == pytest.approx(1 / 50, rel=2e-2)


@pytest.mark.parametrize(
    ("message", "error"),
    [("FUNC WAVY", -224), ("VOLT 50", -222), ("FREQ 1E12", -222), ("FOO 1", -113), ("VOLT 1,2", -108)],
)
@pytest.mark.parametrize("model", MODELS)
def test_typical_mistakes_of_generators(make_lab: MakeLab, model: str, message: str, error: int) -> None:
    lab = make_lab({"pulse": {"model": model}}, [{"from": "pulse.1.hi", "to": "ground", "ohms": 50}])
    unit = lab.open("pulse", "*RST", "*CLS", message)
    assert int(ask(unit, "SYST:ERR?").split(",")[0]) == error


@pytest.fixture
def field(make_lab: MakeLab) -> Lab:
    return make_lab(
        {
            "gs": {
                "model": "yokogawa_gs200",
                "coil": {"tesla_per_amp": 1.0, "settle_seconds": 0.3, "ohms": 10},
            },
            "read": {"model": "keithley_2400"},
        },
        [{"from": "read.hi", "to": "die.row.0"}, {"from": "die.col.0", "to": "ground"}],
        die={**ONE_CELL, "anisotropy_tesla": 0.1},
    )


def test_what_a_gs200_is_and_how_it_starts(field: Lab) -> None:
    gs = field.open("gs", "*RST")
    assert ask(gs, "*IDN?").split(",")[:2] == ["YOKOGAWA", "GS210"]
    assert ask(gs, ":SOUR:FUNC?") == "VOLT"
    assert float(ask(gs, ":SOUR:RANG?")) == 1
    assert float(ask(gs, ":SOUR:LEV?")) == 0
    assert ask(gs, ":OUTP?") == "0"
    assert float(ask(gs, ":SOUR:PROT:CURR?")) == 0.2
    assert float(ask(gs, ":SOUR:PROT:VOLT?")) == 30


def test_resistance_against_field(field: Lab) -> None:
    gs = field.open("gs", "*RST", ":SOUR:FUNC CURR", ":SOUR:RANG 0.2", ":SOUR:LEV 0", ":OUTP ON")
    read = field.open("read", "*RST", ":SOUR:VOLT:RANG 2;:SOUR:VOLT 0.03;:SENS:CURR:PROT 1E-3;:FORM:ELEM CURR;:OUTP ON")
    read.write(":SOUR:DEL 2")
    loop: dict[str, list[float]] = {"up": [], "down": []}
    fields = np.linspace(-0.15, 0.15, 13)
    read.timeout = 10_000
    for name, amperes in (("up", fields), ("down", fields[::-1])):
        for level in amperes:
            gs.write(f":SOUR:LEV {level:.4f}")
            gs.query("*OPC?")
            loop[name].append(0.03 / numbers(read.query(":READ?"))[0])
            assert field.world.field_tesla == pytest.approx(level, abs=1e-3), "settled after two seconds"
    up, down = np.array(loop["up"]), np.array(loop["down"][::-1])
    assert up[0] == pytest.approx(down[0], rel=1e-3)
    assert up[-1] == pytest.approx(down[-1], rel=1e-3)
    assert max(up[0], up[-1]) / min(up[0], up[-1]) == pytest.approx(2, abs=0.15)
    assert abs(up - down).max() > 0.3 * up.min(), "the loop is open in the middle"
    assert ask(gs, ":SYST:ERR?").startswith("0,")


def test_program_of_a_gs200_ramps_the_field(field: Lab) -> None:
    gs = field.open("gs", "*RST", ":SOUR:FUNC CURR", ":SOUR:RANG 0.2", ":OUTP ON")
    for message in (
        ":PROG:INT 2",
        ":PROG:SLOP 2",
        ":PROG:REP OFF",
        ":PROG:EDIT:STAR",
        ":SOUR:LEV 0.1",
        ":SOUR:LEV -0.1",
    ):
        gs.write(message)
    gs.write(":PROG:EDIT:END")
    gs.write(":PROG:RUN")
    field.world.wait(0.5)
    assert 0 < float(ask(gs, ":SOUR:LEV?")) < 0.1
    field.world.wait(10)
    assert float(ask(gs, ":SOUR:LEV?")) == pytest.approx(-0.1)
    assert field.world.field_tesla == pytest.approx(-0.1, abs=1e-3)


@pytest.mark.parametrize(
    ("message", "error"),
    [(":SOUR:LEV 1.5", -222), (":FOO", -113), (":SOUR:FUNC OHM", -224), (":SOUR:PROT:VOLT 0.5", -222)],
)
def test_typical_mistakes_of_a_gs200(field: Lab, message: str, error: int) -> None:
    gs = field.open("gs", "*RST", "*CLS", message)
    assert int(ask(gs, ":SYST:ERR?").split(",")[0]) == error


def test_monitor_measures_what_the_coil_needs(field: Lab) -> None:
    gs = field.open("gs", "*RST", ":SOUR:FUNC CURR", ":SOUR:RANG 0.1", ":SOUR:LEV 0.05", ":OUTP ON", ":SENS ON")
    gs.query("*OPC?")
    assert float(ask(gs, ":MEAS?")) == pytest.approx(0.5, rel=1e-2)
