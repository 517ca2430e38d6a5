"""Dialogues with a simulated 2450 on a known resistor, and the stock QCoDeS and PyMeasure drivers on it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from qcodes.instrument_drivers.Keithley import Keithley2450 as StockKeithley2450

from mtjlab.sim_instruments.keithley_2450 import SimKeithley2450
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.wire_instrument import NoReply

from .k2450 import OHMS, ON, errors, numbers, on_a_kilohm

ADDRESS = "GPIB0::24::INSTR"


@pytest.fixture
def smu() -> SimKeithley2450:
    """A 2450 with a kilohm to 0 V."""
    return on_a_kilohm()


def record(smu: SimKeithley2450) -> list[tuple[float, float]]:
    """(time, volts) of everything that the output is told from now on."""
    source = smu.output._stage._source
    history: list[tuple[float, float]] = []
    drive = source.drive_volts

    def keep(level: float, limit: float) -> None:
        history.append((smu.world.seconds, level))
        drive(level, limit)

    source.drive_volts = keep  # type: ignore[method-assign]
    return history


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        ("*IDN?", "KEITHLEY INSTRUMENTS,MODEL 2450,04412345,1.7.12b"),
        ("*LANG?", "SCPI"),
        (":OUTP?", "0"),
        (":SOUR:FUNC?", "VOLT"),
        (":SENS:FUNC?", '"CURR:DC"'),
        (":SOUR:VOLT?", "0"),
        (":SOUR:VOLT:ILIM?", "0.000105"),
        (":SOUR:CURR:VLIM?", "21"),
        (":SOUR:VOLT:RANG?", "0.02"),
        (":SOUR:VOLT:RANG:AUTO?", "1"),
        (":SOUR:CURR:RANG?", "1E-08"),
        (":SOUR:VOLT:READ:BACK?", "1"),
        (":SOUR:VOLT:DEL:AUTO?", "1"),
        (":SOUR:VOLT:PROT?", "NONE"),
        (":SOUR:VOLT:HIGH:CAP?", "0"),
        (":OUTP:VOLT:SMOD?", "NORM"),
        (":SENS:CURR:RANG:AUTO?", "1"),
        (":SENS:CURR:NPLC?", "1"),
        (":SENS:CURR:AZER?", "1"),
        (":SENS:CURR:RSEN?", "0"),
        (":SENS:CURR:AVER?", "0"),
        (":SENS:CURR:AVER:COUN?", "10"),
        (":SENS:CURR:UNIT?", "AMP"),
        (":SENS:COUN?", "1"),
        (":TRAC:POIN?", "100000"),
        (":TRAC:ACT? 'defbuffer2'", "0"),
        (":TRAC:FILL:MODE?", "CONT"),
        (":FORM?", "ASC"),
        (":FORM:BORD?", "SWAP"),
        (":ROUT:TERM?", "FRON"),
        (":SYST:LFR?", "50"),
        (":TRIG:STAT?", "EMPTY;EMPTY;0"),
        (":SYST:ERR?", '0,"No error;0;0 0"'),
    ],
)
def test_reset_values_of_the_manual(smu: SimKeithley2450, tell: Any, ask: Any, query: str, reply: str) -> None:
    tell(smu, ON, ":SENS:COUN 5;:SENS:CURR:NPLC 5;:TRAC:TRIG", "*RST")
    assert ask(smu, query) == reply
    assert errors(smu) == []


def test_a_reading_is_what_the_resistor_draws(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON)
    assert float(ask(smu, ":READ?")) == pytest.approx(1e-4, rel=3e-3)
    value, source, relative, status, source_status = numbers(
        ask(smu, ':MEAS:CURR? "defbuffer1",READ,SOUR,REL,STAT,SOURSTAT')
    )
    assert value == pytest.approx(source / OHMS, rel=1e-3), "the read-back source value"
    assert relative > 0
    assert int(status) & 8
    assert int(source_status) & 128
    assert not int(source_status) & 32
    tell(smu, ":SOUR:VOLT:READ:BACK OFF")
    assert ask(smu, ':READ? "defbuffer1",SOUR') == "1.000000E-01"
    assert ask(smu, ":TRAC:ACT?") == "3"
    assert ask(smu, ":FETC?") == ask(smu, ":TRAC:DATA? 3,3")
    assert errors(smu) == []


def test_the_limit_is_on_the_source(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:VOLT:ILIM 5e-5")
    assert ask(smu, ":SOUR:VOLT:ILIM:TRIP?") == "1"
    amps, volts, status = numbers(ask(smu, ':READ? "defbuffer1",READ,SOUR,SOURSTAT'))
    assert amps == pytest.approx(5e-5, rel=3e-3)
    assert volts == pytest.approx(0.05, rel=1e-2), "read back: the output sagged"
    assert int(status) & 32
    tell(smu, ":SOUR:VOLT:ILIM 1e-3")
    assert ask(smu, ":SOUR:VOLT:ILIM:TRIP?") == "0"
    tell(smu, ":SOUR:FUNC CURR;:SOUR:CURR 1e-4;:SOUR:CURR:VLIM 0.05;:SENS:FUNC 'VOLT'")
    assert ask(smu, ":OUTP?") == "0", "a change of function turns the output off"
    tell(smu, ":OUTP ON")
    assert ask(smu, ":SOUR:CURR:VLIM:TRIP?") == "1"
    assert float(ask(smu, ":READ?")) == pytest.approx(0.05, rel=1e-2)


def test_units_relative_and_resistance(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SENS:CURR:UNIT OHM")
    assert float(ask(smu, ":READ?")) == pytest.approx(OHMS, rel=5e-3)
    tell(smu, ":SENS:CURR:UNIT WATT")
    assert float(ask(smu, ":READ?")) == pytest.approx(1e-5, rel=5e-3)
    tell(smu, ":SENS:CURR:UNIT AMP;:SENS:CURR:REL:ACQ;:SENS:CURR:REL:STAT ON")
    assert abs(float(ask(smu, ":READ?"))) < 1e-8
    assert float(ask(smu, ":MEAS:RES?")) == pytest.approx(OHMS, rel=5e-3)
    assert ask(smu, ":SENS:FUNC?") == '"RES"'


def test_beyond_a_fixed_range(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SENS:CURR:RANG 1e-5")
    assert ask(smu, ":READ?") == "9.900000E+37"
    assert ask(smu, ":SENS:CURR:RANG:AUTO?;:SENS:CURR:RANG?") == "0;1E-05"
    tell(smu, ":SOUR:VOLT:RANG 0.2;:SOUR:VOLT 0.5")
    assert errors(smu) == [-222]


def test_time_follows_integration_and_count(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SENS:CURR:AZER OFF;:SOUR:VOLT:READ:BACK OFF;:SENS:COUN 10;:SENS:CURR:RANG 1e-3")
    spent = []
    for cycles in (0.01, 1):
        tell(smu, f":SENS:CURR:NPLC {cycles}")
        before = smu.world.seconds
        ask(smu, ":READ?")
        spent.append(smu.world.seconds - before)
    assert spent[1] - spent[0] == pytest.approx(10 * 0.99 / 50, rel=0.02)
    assert ask(smu, ":TRAC:ACT?") == "20"


def test_buffers(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRAC:MAKE 'mine', 10, ", ":TRAC:TRIG 'mine'", ":SENS:COUN 20;:TRAC:TRIG 'mine'")
    assert ask(smu, ":TRAC:ACT? 'mine'") == "10", "a user's buffer is filled once"
    values = numbers(ask(smu, ":TRAC:DATA? 1,10,'mine'"))
    assert float(ask(smu, ":TRAC:STAT:AVER? 'mine'")) == pytest.approx(np.mean(values), rel=1e-6)
    assert float(ask(smu, ":TRAC:STAT:STDD? 'mine'")) == pytest.approx(np.std(values, ddof=1), rel=0.1)
    tell(smu, ":TRAC:FILL:MODE CONT,'mine';:TRAC:TRIG 'mine'")
    assert ask(smu, ":TRAC:ACT? 'mine'") == "10"
    parts = ask(smu, ":TRAC:DATA? 1,1,'mine',DATE,TIME,TST,UNIT,SOURUNIT,FORM").split(",")
    assert parts[0] == "01/01/2026"
    assert parts[3:5] == ["Amp DC", "Volt DC"]
    assert parts[5].endswith(" uA")
    tell(smu, ":TRAC:CLE 'mine';:TRAC:DEL 'mine'", ":TRAC:ACT? 'mine'")
    assert errors(smu) == [1115]
    tell(smu, ":TRAC:DATA? 1,200", ":TRAC:MAKE 'defbuffer1',100", ":TRAC:DEL 'defbuffer1'", ":TRAC:MAKE 'x',1")
    assert errors(smu) == [-222, 1115, -221, -222]


def test_binary_readings(smu: SimKeithley2450, tell: Any) -> None:
    tell(smu, ON, ":SENS:COUN 3;:TRAC:TRIG;:FORM REAL;:TRAC:DATA? 1,3,'defbuffer1',READ,SOUR")
    data, _ = smu.send(10**6, timeout_seconds=None, termination=None, bus_seconds=0)
    values = struct.unpack("<6d", data[2:-1])
    assert data[:2] == b"#0"
    assert values[0::2] == pytest.approx([1e-4] * 3, rel=5e-3)
    tell(smu, ":FORM:DATA SRE;BORD NORM", ":READ?")
    data, _ = smu.send(10**6, timeout_seconds=None, termination=None, bus_seconds=0)
    assert struct.unpack(">f", data[2:-1])[0] == pytest.approx(1e-4, rel=5e-3)
    tell(smu, ":TRAC:DATA? 1,1,'defbuffer1',DATE")
    assert errors(smu) == [1133]


def test_linear_sweep_and_what_a_poll_sees(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":OUTP OFF", ":SOUR:SWE:VOLT:LIN 0,0.3,4,0.5,1,BEST,OFF,ON,'defbuffer1'")
    history = record(smu)
    tell(smu, ":INIT")
    assert ask(smu, ":TRIG:STAT?", 0.1).startswith("RUNNING;RUNNING;")
    assert ask(smu, ":TRIG:STAT?", 0.1).startswith("IDLE;IDLE;")
    data = numbers(ask(smu, ":TRAC:DATA? 1,8,'defbuffer1',SOUR,READ,REL"))
    assert data[0::3] == pytest.approx([0, 0.1, 0.2, 0.3, 0.3, 0.2, 0.1, 0], abs=1e-3)
    assert data[1::3] == pytest.approx(np.array(data[0::3]) / OHMS, abs=1e-6)
    assert data[5] > 0.5, "the sweep's own delay is between points"
    assert [round(volts, 2) for _, volts in history if volts > 0.05] == [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]
    assert ask(smu, ":OUTP?") == "0", "off after a sweep"
    assert errors(smu) == []


def test_sweep_stops_at_the_limit(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:VOLT:ILIM 1.5e-4", ":SOUR:SWE:VOLT:LIN:STEP 0,0.3,0.1;:INIT;*WAI")
    assert ask(smu, ":TRAC:ACT?") == "3"
    tell(smu, ":SOUR:SWE:VOLT:LOG 0.001,0.1,3,0,1,AUTO,OFF,OFF,'defbuffer2';:INIT;*WAI")
    sources = numbers(ask(smu, ":TRAC:DATA? 1,3,'defbuffer2',SOUR"))
    assert sources == pytest.approx([0.001, 0.01, 0.1], abs=1e-3)


def test_list_sweep(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:LIST:VOLT 0.1,0.2", ":SOUR:LIST:VOLT:APP 0.1")
    assert ask(smu, ":SOUR:LIST:VOLT:POIN?;:SOUR:LIST:VOLT?") == "3;0.1,0.2,0.1"
    tell(smu, ":SOUR:SWE:VOLT:LIST 1,0.2;:INIT;*WAI")
    assert numbers(ask(smu, ":TRAC:DATA? 1,3")) == pytest.approx([1e-4, 2e-4, 1e-4], rel=1e-2)


def test_trigger_models(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":INIT")
    assert errors(smu) == [4501]
    tell(smu, ON, ':TRIG:LOAD "SimpleLoop",5,0.01,"defbuffer2"', ":INIT;*WAI")
    assert ask(smu, ":TRAC:ACT? 'defbuffer2'") == "5"
    tell(smu, ':TRIG:LOAD "DurationLoop",1,0.1', ":INIT;*WAI")
    assert 3 <= int(ask(smu, ":TRAC:ACT?")) <= 9
    tell(smu, ':TRIG:LOAD "Empty"', ":TRIG:BLOC:BUFF:CLE 1,'defbuffer1'", ":TRIG:BLOC:SOUR:STAT 2,ON")
    tell(smu, ":TRIG:BLOC:DEL:CONS 3,0.1;:TRIG:BLOC:MEAS 4,'defbuffer1',2;:TRIG:BLOC:BRAN:COUN 5,3,3")
    tell(smu, ":TRIG:BLOC:SOUR:STAT 6,OFF")
    assert ask(smu, ":TRIG:STAT?").startswith("BUILDING")
    tell(smu, ":INIT")
    assert ask(smu, ":TRAC:ACT?;:OUTP?") == "6;0"
    tell(smu, ':TRIG:LOAD "Nonsense"')
    assert errors(smu) == [-224]


def test_configuration_lists(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:CONF:LIST:CRE 'l'")
    for volts in (0.1, 0.2):
        tell(smu, f":SOUR:VOLT {volts};:SOUR:CONF:LIST:STOR 'l'")
    tell(smu, ":SOUR:CONF:LIST:REC 'l',1")
    assert ask(smu, ":SOUR:VOLT?;:SOUR:CONF:LIST:SIZE? 'l'") == "0.1;2"
    tell(smu, ":SOUR:CONF:LIST:REC 'none',1", ":SOUR:CONF:LIST:REC 'l',3")
    assert errors(smu) == [2790, 2790]


@pytest.mark.parametrize(
    ("function", "state", "conducts"),
    [
        ("VOLT", "NORM", True),
        ("VOLT", "ZERO", True),
        ("VOLT", "HIMP", False),
        ("VOLT", "GUAR", True),
        ("CURR", "GUAR", False),
        ("CURR", "ZERO", True),
    ],
)
def test_off_states(smu: SimKeithley2450, tell: Any, function: str, state: str, conducts: bool) -> None:
    other = smu.world.add_source("other", "a.hi")
    tell(smu, f":SOUR:FUNC {function};:OUTP:{function}:SMOD {state}")
    other.drive_amps(1e-10, 10.0)
    assert (abs(smu.output.point().amps) > 1e-11) == conducts


def test_events(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    with pytest.raises(NoReply):
        ask(smu, ":NONSENSE?", 0.1)
    assert ask(smu, ":SYST:ERR:COUN?") == "2"
    assert ask(smu, ":SYST:ERR?").startswith('-113,"Undefined header;1;2026/01/01 00:00:00.')
    tell(smu, ":SYST:CLE", ":SYST:EVEN:POST 'hello', INF")
    assert ask(smu, ":SYST:EVEN:NEXT?").startswith('1003,"User: hello;4;')
    assert ask(smu, ":SYST:EVEN:NEXT?") == '0,"No error;0;0 0"'
    tell(smu, ":SOUR:VOLT 300", ":SENS:CURR:NPLC 20", ":TRAC:ACT? 'none'", "*LANG TSP")
    assert errors(smu) == [-222, -222, 1115], "a note is no error"


def test_over_voltage_protection(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:VOLT:PROT PROT2;:SOUR:VOLT:ILIM 0.1;:SOUR:VOLT 5")
    assert ask(smu, ":SOUR:VOLT:PROT:TRIP?;:SOUR:VOLT:PROT?") == "1;PROT2"
    assert smu.output.point().volts == pytest.approx(2, rel=1e-2)


@pytest.fixture
def bench(bench_folder: Path, spec: str) -> SimBench:
    """A bench whose first SMU is a 2450 with a kilohm to 0 V."""
    path = bench_folder / "bench.yaml"
    path.write_text(path.read_text().replace("name: drive, model: keithley_2400", "name: drive, model: keithley_2450"))
    bench = sim_bench(spec)
    bench.world.add_source("ground", "ground.hi").drive_volts(0.0, 2.0)
    bench.world.connect("drive.hi", "ground.hi", OHMS)
    return bench


@pytest.fixture
def stock(spec: str, bench: SimBench) -> Iterator[StockKeithley2450]:
    driver = StockKeithley2450("stock2450", ADDRESS, visalib=f"{spec}@mtjlab")
    yield driver
    driver.close()


def test_the_stock_qcodes_driver(stock: StockKeithley2450, bench: SimBench) -> None:
    stock.reset()
    assert stock.get_idn()["model"] == "2450"
    stock.terminals("rear")
    assert stock.terminals() == "REAR", "a defect of the driver: it takes 'rear' and answers 'REAR'"
    stock.source_function("voltage")
    stock.sense_function("current")
    stock.source.range(2)
    stock.source.limit(1e-3)
    stock.source.delay(0.01)
    stock.source.voltage(0.1)
    stock.sense.auto_range(True)
    stock.sense.nplc(0.1)
    stock.sense.four_wire_measurement(False)
    with pytest.raises(RuntimeError, match="Output needs to be on"):
        stock.sense.current()
    stock.output_enabled(True)
    assert bench.by_name["drive"].output.point().volts == pytest.approx(0.1, abs=1e-3)  # type: ignore[attr-defined]
    assert stock.sense.current() == pytest.approx(1e-4, rel=1e-2)
    assert stock.source.voltage() == pytest.approx(0.1)
    assert stock.source.limit_tripped() is False
    assert float(stock.source.delay()) == 0.01
    assert stock.source.auto_delay() is False
    assert stock.ask(":SYST:ERR?") == '0,"No error;0;0 0"'
    stock.snapshot(update=True)


def test_sweeps_and_buffers_of_the_stock_qcodes_driver(stock: StockKeithley2450) -> None:
    stock.sense_function("current")
    stock.source_function("voltage")
    stock.source.limit(1e-3)
    stock.source.sweep_setup(0, 0.2, 5)
    with stock.buffer("sweeps", 100) as buffer:
        buffer.elements(["measurement", "source_value", "relative_time"])
        stock.source.sweep_setup(0, 0.2, 5, buffer_name="sweeps")
        data = stock.sense.sweep()
        assert data == pytest.approx(np.linspace(0, 2e-4, 5), abs=1e-6)
        assert buffer.number_of_readings() == 0, "the driver clears it"
        assert buffer.size() == 100
        stock.output_enabled(True)
        buffer.trigger_start()
        assert len(buffer.get_last_reading().split(",")) == 3
    assert stock.ask(":SYST:ERR?") == '0,"No error;0;0 0"'


def test_the_stock_pymeasure_class(spec: str, bench: SimBench) -> None:
    keithley = pytest.importorskip("pymeasure.instruments.keithley")
    driver = keithley.Keithley2450(ADDRESS, visa_library=f"{spec}@mtjlab", read_termination="\n")
    driver.reset()
    driver.use_front_terminals()
    driver.apply_voltage(compliance_current=1e-3)
    driver.measure_current(nplc=0.1)
    driver.source_voltage = 0.1
    driver.enable_source()
    assert driver.source_enabled
    assert driver.current == pytest.approx(1e-4, rel=1e-2)
    driver.current_range = 1e-3
    assert driver.current_range == pytest.approx(1e-3)
    assert driver.compliance_current == pytest.approx(1e-3)
    driver.current_filter_count = 5
    driver.current_filter_state = "ON"
    driver.voltage_output_off_state = "HIMP"
    assert driver.voltage_output_off_state == "HIMP"
    driver.apply_current(compliance_voltage=1)
    driver.source_current = 1e-4
    driver.measure_voltage()
    driver.enable_source()
    assert driver.voltage == pytest.approx(0.1, rel=1e-2)
    driver.measure_resistance()
    assert driver.resistance == pytest.approx(OHMS, rel=1e-2)
    assert driver.check_errors() == []
    driver.ramp_to_current(0, steps=3, pause=0)
    driver.disable_source()
    assert not bench.world.is_live
    assert driver.means == pytest.approx(driver.means)
    driver.adapter.close()
