"""What a simulated 2450 makes of a signal: math, limit tests, filters, sense leads, ranges, limits and their events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keithley_2450 import SimKeithley2450
from mtjlab.sim_instruments.timing import KEITHLEY_2450 as TIMING
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

from .k2450 import OHMS, ON, errors, numbers, on_a_kilohm


@pytest.fixture
def smu() -> SimKeithley2450:
    return on_a_kilohm()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (":CALC:CURR:MATH:FORM MXB;MMF 2;MBF 5", 2e-4 + 5),
        (":CALC:CURR:MATH:FORM PERC;PERC 2e-4", -50.0),
        (":CALC:CURR:MATH:FORM REC", 1e4),
        (":CALC:MATH:FORM REC", 1e4),
        (":SENS:CURR:REL 5e-5;:SENS:CURR:REL:STAT ON;:CALC:CURR:MATH:FORM MXB;MMF 1e4;MBF 0", 0.5),
    ],
)
def test_math(smu: SimKeithley2450, tell: Any, ask: Any, settings: str, expected: float) -> None:
    tell(smu, ON, settings, ":CALC:CURR:MATH:STAT ON")
    assert float(ask(smu, ":READ?")) == pytest.approx(expected, rel=5e-3)
    tell(smu, ":CALC:CURR:MATH:STAT OFF;:SENS:CURR:REL:STAT OFF")
    assert float(ask(smu, ":READ?")) == pytest.approx(1e-4, rel=5e-3)
    assert errors(smu) == []


def test_limit_tests(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":CALC2:CURR:LIM1:LOW 5e-5;UPP 1.5e-4;STAT ON;:CALC2:CURR:LIM2:LOW 0;UPP 5e-5;STAT ON")
    assert int(ask(smu, ':READ? "defbuffer1",STAT')) & 240 == 32, "above limit 2 only"
    assert ask(smu, ":CALC2:CURR:LIM1:FAIL?;:CALC2:CURR:LIM2:FAIL?") == "NONE;HIGH"
    tell(smu, ":CALC2:CURR:LIM1:CLE:AUTO OFF;:SOUR:VOLT 0.2", ":TRAC:TRIG", ":SOUR:VOLT 0.02", ":TRAC:TRIG")
    assert ask(smu, ":CALC2:CURR:LIM1:FAIL?;:CALC2:CURR:LIM2:FAIL?") == "BOTH;NONE", (
        "limit 1 remembers, limit 2 does not"
    )
    tell(smu, ":CALC2:CURR:LIM1:CLE")
    assert ask(smu, ":CALC2:CURR:LIM1:FAIL?;LOW? DEF;UPP?;AUD?;CLE:AUTO?") == "NONE;-1;0.00015;NONE;0"
    tell(smu, ":CALC2:CURR:LIM3:STAT ON")
    assert errors(smu) == [-114]


def test_filters(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    def readings() -> Any:
        tell(smu, ":TRAC:CLE;:SENS:COUN 200;:TRAC:TRIG")
        return np.array(numbers(ask(smu, ":TRAC:DATA? 1,200")))

    def seconds() -> float:
        before = smu.world.seconds
        tell(smu, ":SENS:COUN 1;:TRAC:TRIG")
        return smu.world.seconds - before

    tell(smu, ON, ":SENS:CURR:NPLC 0.01;:SENS:CURR:RANG 1e-3")
    plain, once = readings(), seconds()
    tell(smu, ":SENS:AVER:COUN 25;TCON REP;STAT ON")
    repeated, many = readings(), seconds()
    assert np.std(repeated) == pytest.approx(np.std(plain) / 5, rel=0.3)
    assert many > 10 * once
    tell(smu, ":SENS:CURR:AVER:TCON MOV")
    moving = readings()
    assert seconds() == pytest.approx(once, rel=1e-6), "a moving filter costs no time"
    assert np.std(moving) < np.std(plain) / 2
    assert np.std(np.diff(moving)) < np.std(moving), "neighbours share most of their window"
    tell(smu, ":SOUR:VOLT 0.2")
    step = readings()
    assert step[0] == pytest.approx(1.04e-4, rel=0.02), "one new value of 25"
    assert step[-1] == pytest.approx(2e-4, rel=0.02)


def test_many_readings_are_taken_together(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SENS:COUN 300000;:SENS:CURR:AZER OFF;:SOUR:VOLT:READ:BACK OFF")
    before = smu.world.seconds
    tell(smu, ":TRAC:TRIG")
    assert smu.world.seconds - before == pytest.approx(300_000 * (0.02 + TIMING.trigger_seconds), rel=1e-5)
    assert ask(smu, ":TRAC:ACT?") == "100000", "the default buffer overwrites its oldest"
    times = numbers(ask(smu, ":TRAC:DATA? 1,1000,'defbuffer1',REL"))
    assert np.diff(times) == pytest.approx([0.02 + TIMING.trigger_seconds] * 999, abs=1e-8)
    assert float(ask(smu, ":TRAC:STAT:AVER?")) == pytest.approx(1e-4, rel=3e-3)


def test_readings_together_spread_like_readings_one_by_one(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SENS:CURR:NPLC 0.01;:SENS:CURR:RANG 1e-3", *[":TRAC:TRIG"] * 200)
    single = np.array(numbers(ask(smu, ":TRAC:DATA? 1,200")))
    tell(smu, ":TRAC:CLE;:SENS:COUN 200;:TRAC:TRIG")
    together = np.array(numbers(ask(smu, ":TRAC:DATA? 1,200")))
    assert together.mean() == pytest.approx(single.mean(), abs=4 * single.std() / 14)
    assert together.std() == pytest.approx(single.std(), rel=0.3)


@pytest.fixture
def with_leads() -> SimKeithley2450:
    """A 2450 whose lead to the load has 100 ohm, with a sense lead to the load of 10 ohm."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeithley2450("a", world, HostClock(world))
    world.add_source("ground", "ground.hi").drive_volts(0.0, 2.0)
    world.connect("a.hi", "load", 100.0)
    world.connect("a.sense_hi", "load", 10.0)
    world.connect("load", "ground.hi", OHMS)
    return unit


def test_remote_sense_takes_out_the_leads(with_leads: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(with_leads, ON)
    assert float(ask(with_leads, ":READ?")) == pytest.approx(0.1 / 1100, rel=5e-3), "two-wire: the lead is in it"
    tell(with_leads, ":SENS:CURR:RSEN ON")
    assert float(ask(with_leads, ":READ?")) == pytest.approx(0.1 / 1000, rel=5e-3), "0.1 V are at the load"
    assert int(ask(with_leads, ':READ? "defbuffer1",SOURSTAT')) & 64
    tell(with_leads, ":SOUR:FUNC CURR;:SOUR:CURR 1e-4;:SENS:FUNC 'VOLT';:OUTP ON")
    assert float(ask(with_leads, ":READ?")) == pytest.approx(0.11, rel=5e-3), "a setting of each function"
    tell(with_leads, ":SENS:VOLT:RSEN ON")
    assert float(ask(with_leads, ":READ?")) == pytest.approx(0.1, rel=5e-3)
    tell(with_leads, ":SENS:FUNC 'RES';:SENS:RES:RSEN ON")
    assert float(ask(with_leads, ":READ?")) == pytest.approx(1000, rel=5e-3)
    tell(with_leads, ":SENS:RES:RSEN OFF")
    assert float(ask(with_leads, ":READ?")) == pytest.approx(1100, rel=5e-3)


def test_offset_compensation_takes_out_offsets(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":SENS:FUNC 'RES';:SOUR:FUNC CURR;:SOUR:CURR 1e-6;:OUTP ON;:SENS:RES:NPLC 10;:SENS:COUN 20")
    tell(smu, ":TRAC:TRIG", ":SENS:RES:OCOM ON;:TRAC:TRIG")
    values = np.array(numbers(ask(smu, ":TRAC:DATA? 1,40")))
    plain, compensated = abs(values[:20].mean() - OHMS), abs(values[20:].mean() - OHMS)
    assert compensated < plain / 3
    assert compensated < 3


@pytest.mark.parametrize(
    ("setup", "ohms_range", "amps"),
    [("", 2e3, 1e-3), (":SENS:RES:RANG 1E5", 200e3, 10e-6), (":SENS:RES:RANG 2E8", 200e6, 100e-9)],
)
def test_the_range_of_resistance_chooses_the_current(
    smu: SimKeithley2450, tell: Any, ask: Any, setup: str, ohms_range: float, amps: float
) -> None:
    tell(smu, "*RST", ":SOUR:VOLT 0.3;:SOUR:VOLT:ILIM 1E-2", ":SENS:FUNC 'RES'", *filter(None, [setup]), ":OUTP ON")
    assert float(ask(smu, ":READ?")) == pytest.approx(OHMS, rel=10 if amps < 1e-6 else 1e-2)
    assert float(ask(smu, ":SENS:RES:RANG?")) == ohms_range
    assert smu.output.point().amps == pytest.approx(amps, rel=1e-2)
    assert ask(smu, ":SOUR:FUNC?") == "CURR"
    tell(smu, ":SENS:FUNC 'CURR'")
    assert ask(smu, ":SOUR:FUNC?;:SOUR:VOLT?;:SOUR:CURR?") == "VOLT;0.3;0"
    assert smu.output.point().volts == pytest.approx(0.3, rel=1e-2)


def test_two_ohms_is_the_smallest_range_of_resistance(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":SENS:RES:RANG 2")
    assert ask(smu, ":SENS:RES:RANG?;:SENS:RES:RANG:AUTO:LLIM?") == "2;20"


def test_automatic_ranges_keep_within_their_limits(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON)
    ask(smu, ":READ?")
    assert ask(smu, ":SENS:CURR:RANG?") == "0.0001"
    tell(smu, ":SENS:CURR:RANG:AUTO:LLIM 5e-4")
    ask(smu, ":READ?")
    assert ask(smu, ":SENS:CURR:RANG?;:SENS:CURR:RANG:AUTO:LLIM?;ULIM?") == "0.001;0.001;0.001"
    tell(smu, ":SENS:CURR:RANG:AUTO:LLIM 0.5", ":SENS:CURR:RANG:AUTO:ULIM 1")
    assert errors(smu) == [-221, -113]
    tell(smu, ":SENS:FUNC 'RES';:SENS:RES:RANG:AUTO:ULIM 200")
    assert ask(smu, ":READ?") == "9.900000E+37"


def test_power_envelope(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":SOUR:VOLT:ILIM 1", ":SOUR:VOLT 150")
    assert ask(smu, ":SOUR:VOLT:ILIM?") == "0.105", "on the 200 V range"
    assert ask(smu, ":SYST:EVEN:NEXT? WARN").startswith("5013,")
    tell(smu, ":SOUR:VOLT:ILIM 1", ":SENS:CURR:RANG 1;:SOUR:VOLT:ILIM 1e-5")
    assert errors(smu) == [-221, -221]


def test_over_voltage_protection_limits_a_current_source(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":SOUR:FUNC CURR;:SOUR:CURR:VLIM 20;:SOUR:CURR 5e-3;:SOUR:CURR:PROT PROT2;:SENS:FUNC 'VOLT';:OUTP ON")
    volts, status = ask(smu, ':READ? "defbuffer1",READ,SOURSTAT').split(",")
    assert float(volts) == pytest.approx(2, rel=1e-2)
    assert int(status) & 4
    assert ask(smu, ":SOUR:CURR:PROT:TRIP?") == "1"
    tell(smu, ":SOUR:CURR 1e-3")
    assert ask(smu, ":SOUR:CURR:PROT:TRIP?") == "0"


def test_reaching_the_limit_is_an_event_that_bits_can_follow(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":STAT:QUES:MAP 3,5080,5081;ENAB 8;:*SRE 9", ON, ":SYST:CLE")
    assert ask(smu, ":STAT:QUES:COND?;:STAT:QUES:MAP? 3") == "0;5080,5081"
    tell(smu, ":SOUR:VOLT:ILIM 5e-5")
    assert ask(smu, ":SOUR:VOLT:ILIM:TRIP?") == "1"
    assert ask(smu, ":STAT:QUES:COND?") == "8"
    assert int(ask(smu, "*STB?")) & 9 == 9
    assert ask(smu, ":SYST:EVEN:COUN? INF;:SYST:ERR:COUN?") == "1;0"
    tell(smu, ":SOUR:VOLT:ILIM 1e-3")
    ask(smu, ":READ?")
    assert ask(smu, ":STAT:QUES:COND?;:STAT:QUES?;:STAT:QUES?") == "0;8;0"
    assert ask(smu, ":SYST:EVEN:NEXT?").startswith("5080,")


def test_automatic_delays(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON)
    ask(smu, ":READ?")
    before = smu.world.seconds
    tell(smu, ":SOUR:VOLT 0.1")
    unchanged = smu.world.seconds - before
    tell(smu, ":SOUR:VOLT:HIGH:CAP ON")
    assert float(ask(smu, ":SOUR:VOLT:DEL?")) == 0.01
    before = smu.world.seconds
    tell(smu, ":SOUR:VOLT 0.2")
    assert smu.world.seconds - before - unchanged == pytest.approx(0.01, rel=1e-3)
    tell(smu, ":SOUR:DEL 0.5")
    assert ask(smu, ":SOUR:VOLT:DEL?;:SOUR:CURR:DEL?;:SOUR:VOLT:DEL:AUTO?") == "0.5;0.5;0"


FAST = "SENS:CURR:RANG 1E-2;AZER OFF;:SOUR:VOLT:READ:BACK OFF;:SOUR:VOLT:DEL 0;:SOUR:VOLT:ILIM 1E-2;:SENS:CURR:NPLC"


@pytest.mark.parametrize(
    ("cycles", "start", "rate"),
    [
        (0.01, "TRAC:TRIG", 2800),
        (0.1, "TRAC:TRIG", 460),
        (1, "TRAC:TRIG", 49),
        (0.01, "INIT;*WAI", 1600),
        (0.1, "INIT;*WAI", 425),
    ],
)
def test_rates_are_the_data_sheets(tell: Any, ask: Any, cycles: float, start: str, rate: float) -> None:
    smu = on_a_kilohm()
    tell(smu, "*RST", f"{FAST} {cycles};:SENS:COUN 200", ON)
    if start.startswith("INIT"):
        tell(smu, "SOUR:SWE:VOLT:LIN 0, 1, 200, 0")
    ask(smu, "*OPC?")
    before = smu.world.seconds
    tell(smu, start)
    ask(smu, "*OPC?")
    assert 200 / (smu.world.seconds - before - 2 * TIMING.command_seconds) == pytest.approx(rate, rel=0.2)
    assert ask(smu, "TRAC:ACT?") == "200"
