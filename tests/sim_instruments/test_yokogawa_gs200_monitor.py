"""Dialogues with the monitor of a simulated GS200: triggers, storage, zero, remote sensing, programs by readings."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.yokogawa_gs200 import SimYokogawaGS200

CLEAN = {"defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
NOTHING = "+9.999990E+37"


@pytest.fixture
def world() -> World:
    return World.from_description(CLEAN, seed=1, line_hertz=50)


@pytest.fixture
def source(world: World) -> SimYokogawaGS200:
    world.connect("gs.hi", "end", 1000.0)
    world.add_source("end", "end").drive_volts(0.0, 1.0)
    return SimYokogawaGS200("gs", world, HostClock(world), serial="91K000001")


@pytest.fixture
def five_volts(source: SimYokogawaGS200, tell: Any) -> SimYokogawaGS200:
    """5 V at 1 kohm, so 5 mA, with the monitor on."""
    tell(source, ":SOUR:RANG 10;LEV 5;:OUTP ON;:SENS ON")
    return source


def amps(ask: Any, source: Any, question: str = ":FETC?") -> float:
    return float(ask(source, question))


def test_ready_measures_after_the_level_changed(five_volts: Any, world: World, tell: Any, ask: Any) -> None:
    tell(five_volts, ":SENS:NPLC 5;DEL 200", ":SOUR:LEV 3")
    begin = world.seconds
    assert not int(ask(five_volts, ":STAT:COND?")) & 1, "it is measuring"
    assert amps(ask, five_volts) == pytest.approx(3e-3, abs=2e-5)
    assert world.seconds - begin == pytest.approx(0.3, abs=0.02), "200 ms of delay and five cycles"
    assert int(ask(five_volts, ":STAT:COND?")) & 1
    world.connect("gs.hi", "end", 1000.0)
    assert amps(ask, five_volts) == pytest.approx(3e-3, abs=2e-5), "no new reading without a new level"
    assert amps(ask, five_volts, ":READ?") == pytest.approx(6e-3, abs=2e-5)


@pytest.mark.parametrize(("trigger", "later"), [("IMM", 0.1), ("TIM", 1.1)])
def test_readings_that_repeat_themselves(
    five_volts: Any, world: World, tell: Any, ask: Any, trigger: str, later: float
) -> None:
    tell(five_volts, f":SENS:INT 1;TRIG {trigger}")
    world.wait(later)
    assert amps(ask, five_volts) == pytest.approx(5e-3, abs=2e-5)
    world.connect("gs.hi", "end", 1000.0)
    world.wait(later)
    assert amps(ask, five_volts) == pytest.approx(10e-3, abs=2e-5)


def test_communicate_waits_for_the_host(five_volts: Any, world: World, tell: Any, ask: Any) -> None:
    tell(five_volts, ":SENS:TRIG COMM", ":SOUR:LEV 2")
    world.wait(1)
    tell(five_volts, ":INIT")
    assert amps(ask, five_volts) == pytest.approx(2e-3, abs=2e-5)
    tell(five_volts, ":SOUR:LEV 1")
    world.wait(1)
    assert amps(ask, five_volts) == pytest.approx(2e-3, abs=2e-5)
    tell(five_volts, "*TRG")
    assert amps(ask, five_volts) == pytest.approx(1e-3, abs=2e-5)


def test_readings_are_stored(five_volts: Any, world: World, tell: Any, ask: Any) -> None:
    tell(five_volts, ":SENS:INT 0.5;TRIG TIM", ":TRAC:POIN 4;:TRAC ON")
    assert not int(ask(five_volts, ":STAT:COND?")) & 4, "the storage goes on"
    world.wait(1.2)
    assert ask(five_volts, ":TRAC?;:TRAC:ACT?") == "1;2"
    world.wait(10)
    assert ask(five_volts, ":TRAC?;:TRAC:ACT?") == "0;4"
    assert int(ask(five_volts, ":STAT:EVEN?")) & 4
    readings = [float(text) for text in ask(five_volts, ":TRAC:DATA:READ?").split(",")]
    assert readings == pytest.approx([5e-3] * 4, abs=2e-5)
    low, high, middle = (float(text) for text in ask(five_volts, ":TRAC:CALC:MIN?;MAX?;AVER?").split(";"))
    assert (low, high) == (min(readings), max(readings))
    assert low <= middle <= high


def test_an_hour_of_stored_readings_takes_little_time(five_volts: Any, world: World, tell: Any, ask: Any) -> None:
    tell(five_volts, ":SENS:TRIG IMM", ":TRAC:POIN 100000;:TRAC ON")
    world.wait(3600)
    assert int(ask(five_volts, ":TRAC:ACT?")) > 1000


def test_the_null_value_and_the_zero(five_volts: Any, world: World, tell: Any, ask: Any) -> None:
    tell(five_volts, ":SENS:NULL:VAL 1E-3", ":SENS:NULL ON")
    assert amps(ask, five_volts, ":MEAS?") == pytest.approx(4e-3, abs=2e-5)
    assert ask(five_volts, ":SENS:NULL?;NULL:VAL?;:SENS:ZERO:AUTO?").startswith("1;")
    begin = world.seconds
    tell(five_volts, ":SENS:ZERO:EXEC")
    assert ask(five_volts, ":SYST:ERR?") == '0,"No error"'
    assert world.seconds > begin + 0.05


def test_beyond_the_range_of_the_monitor(source: Any, world: World, tell: Any, ask: Any) -> None:
    world.connect("gs.hi", "end", 1.0)
    tell(source, ":SOUR:FUNC CURR;RANG 0.2;LEV 0.2;:OUTP ON;:SENS ON")
    assert amps(ask, source, ":READ?") == pytest.approx(0.2, abs=3e-3)
    assert int(ask(source, ":STAT:COND?")) & 3 == 1
    tell(source, ":OUTP OFF")
    assert ask(source, ":READ?") == NOTHING
    assert ask(source, ":FETC?") == NOTHING


def test_four_wires_take_the_lead_away(world: World, tell: Any, ask: Any) -> None:
    source = SimYokogawaGS200("gs", world, HostClock(world))
    world.connect("gs.hi", "load", 50.0)
    world.connect("gs.sense_hi", "load", 0.1)
    world.connect("load", "end", 100.0)
    world.add_source("end", "end").drive_volts(0.0, 1.0)
    tell(source, ":SOUR:FUNC CURR;RANG 0.01;LEV 0.01;:OUTP ON;:SENS ON")
    assert float(ask(source, ":MEAS?")) == pytest.approx(1.5, rel=3e-3)
    tell(source, ":SENS:REM ON")
    assert float(ask(source, ":MEAS?")) == pytest.approx(1.0, rel=3e-3)
    tell(source, ":OUTP OFF;:SOUR:FUNC VOLT;RANG 1;LEV 1;:OUTP ON")
    assert float(ask(source, ":MEAS?")) == pytest.approx(10e-3, rel=3e-3), "1 V at the load itself"
    tell(source, ":SENS:REM OFF")
    assert float(ask(source, ":MEAS?")) == pytest.approx(1 / 150, rel=3e-3)


def test_a_program_that_measures_at_every_step(five_volts: Any, world: World, tell: Any, ask: Any) -> None:
    tell(five_volts, ":PROG:EDIT:STAR", ":SOUR:LEV 1", ":SOUR:LEV 2", ":SOUR:LEV 4", ":PROG:EDIT:END")
    tell(five_volts, ":TRAC:POIN 3;:TRAC ON", ":SENS:DEL 100", ":PROG:TRIG MEND;INT 60;:PROG:RUN")
    world.wait(0.5)
    readings = [float(text) for text in ask(five_volts, ":TRAC:DATA:READ?").split(",")]
    assert readings == pytest.approx([1e-3, 2e-3, 4e-3], abs=2e-5)
    assert int(ask(five_volts, ":STAT:EVEN?")) & 128, "the end of a measurement steps on, not the interval"
    tell(five_volts, ":SENS OFF", ":PROG:RUN")
    assert ask(five_volts, ":SYST:ERR?").startswith("-221,")
