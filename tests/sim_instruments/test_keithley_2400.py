"""Dialogues with a simulated 2400, what it measures on a known resistor, and the stock QCoDeS driver on it."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qcodes.instrument_drivers.Keithley import Keithley2400 as StockKeithley2400

from mtjlab.sim_instruments.accuracy import (
    K2400_MEASURE_AMPS,
    K2400_SOURCE_VOLTS,
    UNIT_SIGMA,
    UnitErrors,
    noise_fraction,
    smallest_range,
)
from mtjlab.sim_instruments.keithley_2400 import SimKeithley2400
from mtjlab.sim_instruments.keithley_2400_readings import StatusBit
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

OHMS = 1000.0
ON = ":SOUR:FUNC VOLT;:SOUR:VOLT 0.1;:SENS:FUNC 'CURR';:SENS:CURR:PROT 1e-3;:OUTP ON"


@pytest.fixture
def smu() -> SimKeithley2400:
    """A 2400 with a kilohm to another 2400 that holds 0 V."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    host = HostClock(world)
    unit = SimKeithley2400("a", world, host, serial="42")
    world.add_source("ground", "ground.hi").drive_volts(0.0, 2.0)
    world.connect("a.hi", "ground.hi", OHMS)
    return unit


def errors(smu: SimKeithley2400) -> list[int]:
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def numbers(reply: str) -> list[float]:
    return [float(part) for part in reply.split(",")]


def test_identity(smu: SimKeithley2400, ask: Any) -> None:
    assert ask(smu, "*IDN?") == "KEITHLEY INSTRUMENTS INC.,MODEL 2400,42,C30   Mar 17 2006 09:29:29/A02  /K/J"


@pytest.mark.parametrize(
    ("query", "reply"),
    [
        (":OUTP?", "0"),
        (":OUTP:SMOD?", "NORM"),
        (":SOUR:FUNC?", "VOLT"),
        (":SOUR:VOLT:MODE?", "FIX"),
        (":SOUR:VOLT?", "0.000000E+00"),
        (":SOUR:VOLT:RANG?", "2.100000E+01"),
        (":SOUR:VOLT:RANG:AUTO?", "1"),
        (":SOUR:CURR:RANG?", "1.050000E-04"),
        (":SOUR:DEL:AUTO?", "1"),
        (":SOUR:CLE:AUTO?", "0"),
        (":SOUR:SWE:SPAC?", "LIN"),
        (":SOUR:SWE:POIN?", "2500"),
        (":SENS:FUNC?", '"CURR:DC"'),
        (":SENS:FUNC:CONC?", "1"),
        (":SENS:CURR:PROT?", "1.050000E-04"),
        (":SENS:VOLT:PROT?", "2.100000E+01"),
        (":SENS:CURR:RANG?", "1.050000E-04"),
        (":SENS:CURR:RANG:AUTO?", "1"),
        (":CURR:DC:NPLC?", "1.000000E+00"),
        (":SENS:AVER?", "0"),
        (":SENS:AVER:COUN?", "10"),
        (":SYST:RSEN?", "0"),
        (":SYST:AZER?", "1"),
        (":SYST:LFR?", "50"),
        (":FORM:ELEM?", "VOLT,CURR,RES,TIME,STAT"),
        (":FORM?", "ASC"),
        (":TRIG:COUN?", "1"),
        (":ARM:COUN?", "1"),
        (":TRIG:DEL?", "0.000000E+00"),
        (":ROUT:TERM?", "FRON"),
        (":SYST:ERR?", '0,"No error"'),
        (":SYST:MEP:STAT?", "1"),
        (":SENS:CURR:PROT? MAX", "1.050000E+00"),
        (":STAT:MEAS:ENAB?", "0"),
        (":SOUR:LIST:VOLT?", "+0.000000E+00"),
    ],
)
def test_reset_values_of_the_manual(smu: SimKeithley2400, tell: Any, ask: Any, query: str, reply: str) -> None:
    tell(smu, ":SENS:CURR:PROT 1e-2;:SOUR:VOLT 3;:OUTP ON;:TRIG:COUN 5;:SOUR:DEL 1;:FORM:ELEM CURR", "*RST")
    assert ask(smu, query) == reply
    assert errors(smu) == []


def test_a_reading_is_what_the_resistor_draws(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON)
    volts, amps, ohms, seconds, status = numbers(ask(smu, ":READ?"))
    assert volts == pytest.approx(0.1), "the programmed level: volts are not measured"
    assert amps == pytest.approx(0.1 / OHMS, abs=1e-6)
    assert ohms == 9.91e37
    assert seconds > 0
    expected = StatusBit.FRONT | StatusBit.AUTO_OHMS | StatusBit.AMPS_MEASURED | StatusBit.VOLTS_SOURCED
    assert int(status) == expected == 21508, "as real units say; auto ohms is the mode, not what is measured"
    assert ask(smu, ":READ?").startswith("+1.000000E-01,+")
    assert errors(smu) == []


def test_readings_differ_by_noise_and_repeat_with_the_seed(tell: Any, ask: Any) -> None:
    runs = []
    for _ in range(2):
        world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
        unit = SimKeithley2400("a", world, HostClock(world))
        world.add_source("ground", "ground.hi").drive_volts(0.0, 2.0)
        world.connect("a.hi", "ground.hi", OHMS)
        tell(unit, ON, ":FORM:ELEM CURR;:SENS:CURR:NPLC 0.01;:TRIG:COUN 50")
        runs.append(ask(unit, ":READ?"))
    assert runs[0] == runs[1]
    amps = numbers(runs[0])
    assert 0 < np.std(amps) < 1e-3 * np.mean(amps)


def test_longer_integration_is_quieter_and_slower(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":FORM:ELEM CURR;:TRIG:COUN 200;:SOUR:DEL 0;:SYST:AZER OFF")
    spread, spent = [], []
    for cycles in (0.01, 1):
        tell(smu, f":SENS:CURR:NPLC {cycles}")
        before = smu.world.seconds
        spread.append(np.std(numbers(ask(smu, ":READ?"))))
        spent.append((smu.world.seconds - before) / 200)
    assert spread[0] > 5 * spread[1]
    assert spent[1] - spent[0] == pytest.approx(0.99 / 50, rel=0.05)


def test_auto_zero_takes_two_more_conversions(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    spent = []
    for state in ("OFF", "ON"):
        tell(smu, f"*RST;{ON};:SYST:AZER {state};:SOUR:DEL 0")
        before = smu.world.seconds
        ask(smu, ":READ?")
        spent.append(smu.world.seconds - before)
    assert spent[1] - spent[0] == pytest.approx(2 / 50, rel=0.01)


def test_compliance_limits_the_bench_and_sets_its_bits(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SENS:CURR:PROT 5e-5", ":SENS:FUNC:ON 'VOLT'")
    assert ask(smu, ":SENS:CURR:PROT:TRIP?") == "1"
    volts, amps, _, _, status = numbers(ask(smu, ":READ?"))
    assert amps == pytest.approx(5e-5, rel=2e-3)
    assert volts == pytest.approx(0.05, rel=2e-2), "measured, and the output sagged"
    assert int(status) & StatusBit.COMPLIANCE
    assert not int(status) & StatusBit.RANGE_COMPLIANCE
    assert int(ask(smu, ":STAT:MEAS?")) & 1 << 14
    tell(smu, ":SENS:CURR:PROT 1e-3")
    assert ask(smu, ":SENS:CURR:PROT:TRIP?") == "0"


def test_beyond_a_fixed_measure_range(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SENS:CURR:RANG 1e-5")
    _, amps, _, _, status = numbers(ask(smu, ":READ?"))
    assert amps == pytest.approx(1.05e-5, rel=1e-3), "the range limits the real current"
    assert int(status) & StatusBit.RANGE_COMPLIANCE
    assert not int(status) & (StatusBit.COMPLIANCE | StatusBit.OVERFLOW)
    assert smu.output._source.point().amps == pytest.approx(1.05e-5, rel=1e-3)
    assert int(ask(smu, ":STAT:MEAS:COND?")) & 1 << 14
    smu.world.add_source("b", "b.hi").drive_volts(20.0, 1.0)
    smu.world.connect("b.hi", "a.hi", 100.0)
    assert abs(smu.output._source.point().amps) == pytest.approx(1.05e-5, rel=1e-3)


def test_a_reading_beyond_its_range_overflows(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SOUR:FUNC CURR;:SOUR:CURR:RANG 1e-6;:SOUR:CURR 0;:SENS:VOLT:PROT 20;:SENS:FUNC:ALL;:OUTP ON")
    tell(smu, ":SENS:RES:MODE MAN;:SOUR:FUNC CURR;:OUTP ON;:SENS:VOLT:PROT 1;:SENS:VOLT:RANG 0.2")
    smu.world.add_source("b", "b.hi").drive_volts(2.0, 1.0)
    smu.world.connect("b.hi", "a.hi", 1.0)
    volts, _, _, _, status = numbers(ask(smu, ":READ?"))
    assert volts == 9.9e37
    assert int(status) & StatusBit.OVERFLOW
    assert int(ask(smu, ":STAT:MEAS?")) & 1 << 7


def test_range_rules(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SENS:CURR:RANG 1e-3")
    assert errors(smu) == [824], "beyond the compliance range"
    tell(smu, ":SENS:CURR:PROT 1e-2;RANG 1e-3;RANG?")
    smu.drop_replies()
    assert ask(smu, ":SENS:CURR:RANG?;RANG:AUTO?") == "1.050000E-03;0"
    tell(smu, ":SENS:CURR:PROT 1e-7")
    assert errors(smu) == [822]
    tell(smu, ":SENS:CURR:RANG UP")
    assert ask(smu, ":SENS:CURR:RANG?") == "1.050000E-02"
    tell(smu, ":SENS:VOLT:RANG 2")
    assert errors(smu) == [823], "the source range is the measure range"
    tell(smu, ":SOUR:VOLT:RANG 0.2;:SOUR:VOLT 0.5")
    assert errors(smu) == [-222]
    tell(smu, ":SOUR:VOLT:RANG:AUTO ON;:SOUR:VOLT 0.5")
    assert ask(smu, ":SOUR:VOLT:RANG?") == "2.100000E+00"
    tell(smu, ":SOUR:VOLT 211")
    assert errors(smu) == [-222]


def test_autorange_follows_the_signal(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SENS:CURR:PROT 0.1")
    for volts, shown in ((1e-3, "1.050000E-06"), (5e-3, "1.050000E-05"), (0.5, "1.050000E-03")):
        tell(smu, f":SOUR:VOLT {volts}")
        ask(smu, ":READ?")
        assert ask(smu, ":SENS:CURR:RANG?") == shown
    tell(smu, ":SENS:CURR:RANG:AUTO:LLIM 1e-4;:SOUR:VOLT 1e-3")
    ask(smu, ":READ?")
    assert ask(smu, ":SENS:CURR:RANG?;:SENS:CURR:RANG:AUTO:ULIM?") == "1.050000E-04;1.050000E-01"
    tell(smu, ":SENS:CURR:RANG:AUTO:LLIM 1e-3")
    assert errors(smu) == [-222]


def test_read_with_output_off_is_refused_without_a_reply(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST")
    with pytest.raises(NoReply):
        ask(smu, ":READ?", 1.0)
    assert ask(smu, ":SYST:ERR?") == '+803,"Not permitted with OUTPUT off"'
    assert ask(smu, ":SYST:ERR?") == '-420,"Query UNTERMINATED"'
    tell(smu, ":SOUR:CLE:AUTO ON")
    assert len(numbers(ask(smu, ":READ?"))) == 5
    assert ask(smu, ":OUTP?") == "0", "off again by itself"


@pytest.mark.parametrize(("state", "conducts"), [("NORM", True), ("ZERO", True), ("HIMP", False)])
def test_off_states(smu: SimKeithley2400, tell: Any, state: str, conducts: bool) -> None:
    other = smu.world.add_source("other", "a.hi")
    tell(smu, "*RST", f":OUTP:SMOD {state}")
    other.drive_amps(1e-8, 10.0)
    amps = smu.output._source.point().amps
    assert (abs(amps) > 1e-9) == conducts


def test_normal_off_limits_to_half_a_percent_of_range(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST")
    assert smu.output._source._output.limit == pytest.approx(0.005 * 1e-4)
    assert smu.output._source._output.level == 0.0


def test_output_comes_on_at_the_level_and_function_change_turns_it_off(
    smu: SimKeithley2400, tell: Any, ask: Any
) -> None:
    tell(smu, "*RST", ":SOUR:VOLT 0.1;:OUTP ON")
    assert smu.output._source.point().volts == pytest.approx(0.1, abs=2e-3)
    tell(smu, ":SOUR:FUNC CURR")
    assert ask(smu, ":OUTP?") == "0"
    tell(smu, ":SOUR:CURR 1e-4;:SENS:FUNC 'VOLT';:OUTP ON")
    assert numbers(ask(smu, ":READ?"))[:2] == pytest.approx([0.1, 1e-4], rel=2e-2)
    tell(smu, ":SENS:VOLT:PROT 0.05")
    assert ask(smu, ":SENS:VOLT:PROT:TRIP?") == "1"
    tell(smu, ":SOUR:CLE")
    assert ask(smu, ":OUTP:STAT?") == "0"


def test_triggered_level_waits_for_the_trigger(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SOUR:VOLT:TRIG 0.2")
    assert smu.output._source.point().volts == pytest.approx(0.1, abs=2e-3)
    assert numbers(ask(smu, ":READ?"))[0] == pytest.approx(0.2)
    assert ask(smu, ":SOUR:VOLT?") == "2.000000E-01"


def test_list_sweep_times_and_levels(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 0.1,0.2", ":SOUR:LIST:VOLT:APP 0.3,0")
    tell(
        smu,
        ":SOUR:DEL 0.01;:SENS:FUNC:CONC OFF;:SENS:FUNC 'CURR';:SYST:AZER OFF",
        ":SENS:CURR:RANG 1e-3;:TRIG:COUN 4;:FORM:ELEM CURR,VOLT",
    )
    assert ask(smu, ":SOUR:LIST:VOLT:POIN?") == "4"
    before = smu.world.seconds
    reply = numbers(ask(smu, ":READ?"))
    assert reply[0::2] == pytest.approx([0.1, 0.2, 0.3, 0.0])
    assert reply[1::2] == pytest.approx([1e-4, 2e-4, 3e-4, 0], abs=2e-6)
    assert smu.world.seconds - before == pytest.approx(4 * (0.01 + 0.02), rel=0.1)
    assert abs(smu.output._source.point().volts) < 2e-3, "the final level stays"
    assert ask(smu, ":OUTP?") == "1"
    assert ask(smu, ":FORM:ELEM?") == "VOLT,CURR", "always in the instrument's order"


def test_a_list_is_a_pulse_of_known_length(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SENS:FUNC:CONC OFF;:SENS:FUNC 'CURR';:SYST:AZER OFF;:SENS:CURR:NPLC 0.1;RANG 1e-3")
    tell(smu, ":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 0.5,0;:TRIG:COUN 2;:SOUR:DEL 0.008")
    history: list[tuple[float, float]] = []
    drive = smu.output._source.drive_volts

    def record(level: float, amps_limit: float) -> None:
        history.append((smu.world.seconds, level))
        drive(level, amps_limit)

    smu.output._source.drive_volts = record  # type: ignore[method-assign]
    ask(smu, ":READ?")
    (begin, top), (end, bottom) = history
    assert (top, bottom) == pytest.approx((0.5, 0.0), abs=2e-3)
    assert end - begin == pytest.approx(0.008 + 0.1 / 50, rel=0.05)


def test_staircase(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SOUR:VOLT:MODE SWE;:SOUR:VOLT:STAR 0;STOP 0.4;STEP 0.1;:TRIG:COUN 5;:FORM:ELEM VOLT")
    assert ask(smu, ":SOUR:SWE:POIN?") == "5"
    assert numbers(ask(smu, ":READ?")) == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])
    tell(smu, ":SOUR:SWE:DIR DOWN;POIN 3;:TRIG:COUN 3")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([0.4, 0.2, 0])
    assert ask(smu, ":SOUR:VOLT:STEP?") == "2.000000E-01"
    tell(smu, ":SOUR:SWE:DIR UP;SPAC LOG;:SOUR:VOLT:STAR 0.001;STOP 0.1")
    assert numbers(ask(smu, ":READ?")) == pytest.approx([0.001, 0.01, 0.1])
    tell(smu, ":SOUR:VOLT:STEP -1")
    assert errors(smu) == [-221]


def test_concurrent_functions_and_resistance(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SENS:RES:MODE MAN;:SENS:FUNC 'VOLT','RES'")
    assert ask(smu, ":SENS:FUNC?") == '"VOLT:DC","CURR:DC","RES"'
    assert ask(smu, ":SENS:FUNC:OFF?") == '""'
    volts, amps, ohms, _, status = numbers(ask(smu, ":READ?"))
    assert ohms == pytest.approx(OHMS, rel=0.02)
    assert ohms == pytest.approx(volts / amps, rel=1e-4)
    assert int(status) & StatusBit.OHMS_MEASURED
    tell(smu, ":SENS:FUNC:OFF 'RES'")
    assert ask(smu, ":SENS:FUNC:STAT? 'VOLT:DC'") == "1"
    tell(smu, ":SENS:FUNC:CONC OFF")
    assert ask(smu, ":SENS:FUNC?") == '"VOLT:DC"'
    tell(smu, ":SENS:FUNC 'VOLT','CURR'", ":SENS:FUNC 'CURR:DC'", ":SENS:FUNC 'FREQ'")
    assert errors(smu) == [-221, -224]
    assert ask(smu, ":SENS:FUNC?") == '"CURR:DC"'


def test_binary_replies(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":FORM:DATA REAL,32;ELEM VOLT,CURR;:TRIG:COUN 3")
    for order, code in (("NORM", ">"), ("SWAP", "<")):
        tell(smu, f":FORM:BORD {order}", ":READ?")
        data, _ = smu.send(10**6, timeout_seconds=None, termination=None, bus_seconds=0)
        assert data[:2] == b"#0"
        assert len(data) == 2 + 3 * 2 * 4 + 1
        assert struct.unpack(f"{code}6f", data[2:-1])[0] == pytest.approx(0.1)


def test_init_fetch_and_latest(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":FORM:ELEM CURR;:TRIG:COUN 2")
    with pytest.raises(NoReply):
        ask(smu, ":FETC?", 1.0)
    assert errors(smu) == [-230, -420]
    tell(smu, ":INIT")
    reply = ask(smu, ":FETC?")
    assert len(numbers(reply)) == 2
    assert ask(smu, ":FETC?") == reply
    assert ask(smu, ":DATA?") == reply.split(",")[1]


def test_buffer(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":TRAC:CLE;POIN 3;FEED SENS;FEED:CONT NEXT;:FORM:ELEM CURR,TIME;:TRIG:COUN 3")
    tell(smu, ":TRAC:POIN 5")
    assert errors(smu) == [800]
    tell(smu, ":INIT")
    assert ask(smu, ":TRAC:POIN:ACT?") == "3"
    assert ask(smu, ":TRAC:FEED:CONT?") == "NEV"
    assert int(ask(smu, ":STAT:MEAS?")) & 1 << 9, "buffer full"
    data = numbers(ask(smu, ":TRAC:DATA?"))
    assert data[1] == 0.0
    assert data[3] == pytest.approx(data[5] / 2, rel=0.01)
    assert ask(smu, "*RST;:TRAC:POIN:ACT?") == "3", "*RST leaves the buffer alone"
    tell(smu, ":CALC3:FORM MEAN")
    assert numbers(ask(smu, ":CALC3:DATA?"))[1] == pytest.approx(np.mean(data[0::2]))
    tell(smu, ":TRAC:CLE")
    assert ask(smu, ":TRAC:FREE?") == "30000,0"
    assert errors(smu) == []


def test_measure_and_configure(smu: SimKeithley2400, ask: Any, tell: Any) -> None:
    tell(smu, "*RST", ":SOUR:VOLT 0.1;:SENS:CURR:PROT 1e-3")
    assert len(numbers(ask(smu, ":MEAS:CURR?"))) == 5
    assert ask(smu, ":OUTP?;:CONF?") == '1;"CURR:DC"'


def test_bus_trigger(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":ARM:SOUR BUS;:FORM:ELEM CURR", "*TRG")
    assert errors(smu) == [-211]
    tell(smu, ":INIT")
    assert ask(smu, "*TRG;:FETC?")
    tell(smu, ":INIT", ":ABOR", "*TRG")
    assert errors(smu) == [-211]
    tell(smu, ":ARM:SOUR IMM;COUN INF", ":READ?")
    assert errors(smu) == [830]


def test_filter_is_quieter_and_slower(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":FORM:ELEM CURR;:TRIG:COUN 100;:SENS:CURR:NPLC 0.01;:SENS:AVER:COUN 100")
    spread = []
    for state in ("OFF", "ON"):
        tell(smu, f":SENS:AVER {state}")
        spread.append(np.std(numbers(ask(smu, ":READ?"))))
    assert spread[1] < spread[0] / 5
    tell(smu, ":FORM:ELEM STAT;:TRIG:COUN 1")
    assert int(numbers(ask(smu, ":READ?"))[0]) & StatusBit.FILTER


def test_over_voltage_protection(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SOUR:VOLT:PROT 15")
    assert ask(smu, ":SOUR:VOLT:PROT?") == "2.000000E+01"
    tell(smu, ":SOUR:VOLT 30;:SENS:CURR:PROT 0.1;:OUTP ON")
    assert smu.output._source.point().volts == pytest.approx(20, rel=1e-2)


def test_saved_setups(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SOUR:VOLT 0.3;:OUTP ON;*SAV 1;*RST")
    assert ask(smu, "*RCL 1;:SOUR:VOLT?;:OUTP?") == "3.000000E-01;0"
    tell(smu, "*SAV 7")
    assert errors(smu) == [-222]


def test_what_has_no_effect_on_measurements_is_accepted(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, ":SYST:BEEP 500,0.1;:SYST:BEEP:STAT OFF;:DISP:TEXT 'hello';:DISP:TEXT:STAT ON;:SYST:LOC;:SYST:REM")
    tell(smu, ":DISP:ENAB OFF;:SYST:RSEN ON;:SYST:TIME:RES;:OUTP:ENAB OFF;:STAT:PRES;:SYST:KEY 1;:ROUT:TERM REAR")
    assert ask(smu, ":DISP:TEXT?") == '"hello"'
    assert errors(smu) == []


def test_data_sheet_tables() -> None:
    assert [entry.full_scale for entry in K2400_MEASURE_AMPS] == [1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0]
    assert smallest_range(0.21, K2400_SOURCE_VOLTS) == 0
    assert smallest_range(-0.2101, K2400_SOURCE_VOLTS) == 1
    assert smallest_range(1e3, K2400_SOURCE_VOLTS) == 3
    assert noise_fraction(0.01) > noise_fraction(0.1) > noise_fraction(1) > noise_fraction(10)


def test_units_spread_as_the_specification_says() -> None:
    rng = np.random.default_rng(3)
    offsets = [UnitErrors(K2400_SOURCE_VOLTS, rng).applied(0.0, 0) for _ in range(2000)]
    assert np.std(offsets) == pytest.approx(600e-6 * UNIT_SIGMA, rel=0.1)
    assert 100e-6 < np.std(offsets) < 200e-6
    gains = [UnitErrors(K2400_SOURCE_VOLTS, rng).applied(1e6, 1) / 1e6 - 1 for _ in range(2000)]
    assert np.std(gains) == pytest.approx(2e-4 * UNIT_SIGMA, rel=0.1)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from([
    "*RST", ON, ":READ?", ":OUTP ON", ":OUTP OFF", ":SOUR:FUNC CURR", ":SOUR:FUNC VOLT", ":SOUR:CURR 1e-5",
    ":SENS:CURR:RANG 1e-6", ":SENS:CURR:RANG:AUTO ON", ":SENS:VOLT:RANG 2", ":SENS:FUNC:ALL", ":SENS:FUNC:OFF:ALL",
    ":SENS:FUNC:CONC OFF", ":SOUR:VOLT:MODE LIST", ":SOUR:CURR:MODE SWE", ":SOUR:LIST:VOLT 1,0", ":TRIG:COUN 3",
    ":INIT", ":FETC?", ":TRAC:FEED:CONT NEXT", ":TRAC:DATA?", ":ABOR", ":ARM:SOUR BUS", "*TRG", ":MEAS:RES?",
    ":OUTP:SMOD HIMP", ":OUTP:SMOD GUAR", ":SOUR:CLE:AUTO ON", "*SAV 0", "*RCL 0", ":SYST:PRES", ":FORM REAL,32",
    ":CALC3:DATA?", ":SENS:AVER ON", ":SOUR:SWE:CAB EARL", ":ARM:COUN INF", ":SOUR:VOLT:RANG DOWN", "*CLS",
]), max_size=12))  # fmt: skip
def test_no_sequence_of_commands_raises(messages: list[str]) -> None:
    for message in messages:
        SHARED.receive(message.encode() + b"\n", is_end=True, bus_seconds=0)
    SHARED.device_clear(0)


def _shared() -> SimKeithley2400:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeithley2400("a", world, HostClock(world))
    world.connect("a.hi", "die.row.0")
    return unit


SHARED = _shared()


@pytest.fixture
def stock(spec: str) -> Iterator[StockKeithley2400]:
    driver = StockKeithley2400("stock", "GPIB0::24::INSTR", visalib=f"{spec}@mtjlab")
    yield driver
    driver.close()


def test_the_stock_qcodes_driver(stock: StockKeithley2400) -> None:
    stock.reset()
    assert stock.get_idn()["model"] == "2400"
    stock.write(":FORM:ELEM VOLT,CURR")
    stock.mode("VOLT")
    stock.compliancei(1e-3)
    assert stock.compliancei() == pytest.approx(1e-3)
    stock.rangev(2)
    stock.nplci(0.1)
    assert stock.nplcv() == pytest.approx(0.1), "one integration time for all functions"
    stock.volt.set(0.05)
    assert stock.output() is False
    with pytest.raises(RuntimeError, match="output off"):
        stock.curr()
    stock.output(1)
    assert stock.output() is True
    assert stock.volt() == pytest.approx(0.05, abs=1e-3)
    assert abs(stock.curr()) < 1e-6, "nothing is connected"
    stock.output(0)
    assert stock.ask(":SYST:ERR?") == '0,"No error"'
    assert stock.snapshot(update=True)["parameters"]["mode"]["value"] == "VOLT"
