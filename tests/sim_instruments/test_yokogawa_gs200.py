"""Dialogues with a simulated GS200, as a plain source and as the supply of a magnet coil."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.coil import CoilSpec
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.yokogawa_gs200 import SimYokogawaGS200

CLEAN = {"defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
NO_ERROR = '0,"No error"'


@pytest.fixture
def world() -> World:
    return World.from_description(CLEAN, seed=1, line_hertz=50)


@pytest.fixture
def source(world: World) -> SimYokogawaGS200:
    world.connect("gs.hi", "end", 1000.0)
    world.add_source("end", "end").drive_volts(0.0, 1.0)
    return SimYokogawaGS200("gs", world, HostClock(world), serial="91K000001")


@pytest.fixture
def magnet(world: World) -> SimYokogawaGS200:
    coil = CoilSpec(tesla_per_amp=1.0, settle_seconds=0.3, ohms=10)
    return SimYokogawaGS200("gs", world, HostClock(world), coil=coil)


def volts(source: Any) -> float:
    return float(source._source.point().volts)


def test_identity_and_defaults(source: Any, ask: Any) -> None:
    assert ask(source, "*IDN?") == "YOKOGAWA,GS210,91K000001,1.05"
    assert ask(source, ":SOUR:FUNC?;RANG?;LEV?;PROT:VOLT?;:OUTP?") == "VOLT;1.000000E+00;+0.00000E+00;30;0"
    assert ask(source, "*OPT?") == "/MON"
    assert ask(source, ":SYST:ERR?") == NO_ERROR


def test_it_sources_volts_and_amperes(source: Any, ask: Any, tell: Any) -> None:
    tell(source, ":SOUR:FUNC VOLT;RANG 10;LEV 2.5", ":OUTP ON")
    assert volts(source) == pytest.approx(2.5, rel=1e-3)
    tell(source, ":SOUR:LEV:AUTO 0.05")
    assert ask(source, ":SOUR:RANG?") == "1.000000E-01"
    assert volts(source) == pytest.approx(0.05, rel=1e-3)
    tell(source, ":OUTP OFF;:SOUR:FUNC CURR;RANG 10E-3;LEV 5E-3;PROT:VOLT 3;:OUTP ON")
    assert volts(source) == pytest.approx(3.0, rel=1e-3), "5 mA in 1 kohm are beyond the limit"
    assert int(ask(source, ":STAT:COND?")) & 2048
    tell(source, ":SOUR:PROT:VOLT 30")
    assert volts(source) == pytest.approx(5.0, rel=1e-3)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (":SOUR:LEV 1.3", -222),
        (":SOUR:FUNC CURR;LEV 2E-3", -222),
        (":SOUR:RANG 50", -222),
        (":SOUR:PROT:VOLT 40", -222),
        (":OUTP ON;:SOUR:FUNC CURR", -221),
        (":PROG:RUN", -221),
        (":NONSENSE", -113),
        (":SOUR:LEV", -109),
        (":PROG:LOAD 'nowhere'", -224),
    ],
)
def test_what_does_not_fit_is_in_the_queue(source: Any, tell: Any, ask: Any, command: str, error: int) -> None:
    tell(source, command)
    assert ask(source, ":SYST:ERR?").startswith(f"{error},")
    assert ask(source, ":SYST:ERR?") == NO_ERROR


def test_the_monitor_measures_the_other_quantity(source: Any, ask: Any, tell: Any) -> None:
    tell(source, ":SOUR:RANG 10;LEV 5;:OUTP ON")
    assert float(ask(source, ":MEAS?")) > 9e37, "the monitor is off"
    tell(source, ":SENS ON;:SENS:NPLC 5")
    assert float(ask(source, ":MEAS?")) == pytest.approx(5e-3, abs=2e-5)
    tell(source, ":SENS:NULL:VAL 1E-3;STAT ON")
    assert float(ask(source, ":FETC?")) == pytest.approx(4e-3, abs=2e-5)
    tell(source, ":SOUR:RANG 0.1")
    assert float(ask(source, ":READ?")) > 9e37, "nothing is measured on ranges below 1 V"


def test_a_program_ramps_in_simulated_time(source: Any, world: World, ask: Any, tell: Any) -> None:
    tell(source, ":SOUR:RANG 10;LEV 1;:OUTP ON")
    tell(source, "*CLS;:PROG:REP 0;:PROG:SLOP 2.0;:PROG:INT 2.0;:PROG:EDIT:STAR;:SOUR:LEV 5;:PROG:EDIT:END")
    assert volts(source) == pytest.approx(1.0, rel=1e-3), "editing leaves the output alone"
    tell(source, ":PROG:RUN")
    begin = world.seconds
    world.wait(1.0)
    assert volts(source) == pytest.approx(3.0, abs=0.15)
    polls = 0
    while not int(ask(source, ":STAT:EVEN?")) & 128:
        polls += 1
        assert polls < 50
    assert volts(source) == pytest.approx(5.0, rel=1e-3)
    assert world.seconds - begin == pytest.approx(2.0, abs=0.2)
    assert float(ask(source, ":SOUR:LEV?")) == 5.0


def test_a_program_of_steps_pauses_repeats_and_stops(source: Any, world: World, ask: Any, tell: Any) -> None:
    tell(source, ":SOUR:RANG 10;:OUTP ON;:PROG:INT 1;SLOP 0;REP 1;EDIT:STAR")
    tell(source, ":SOUR:LEV 1", ":SOUR:LEV 2", ":SOUR:LEV 3", ":PROG:EDIT:END", ":PROG:SAVE 'steps'", ":PROG:RUN")
    seen = []
    for _ in range(4):
        world.wait(0.5)
        seen.append(round(volts(source)))
        world.wait(0.5)
    assert seen == [1, 2, 3, 1]
    tell(source, ":PROG:PAUS")
    world.wait(10)
    held = round(volts(source))
    assert held in (1, 2)
    tell(source, ":PROG:CONT")
    world.wait(1.0)
    assert round(volts(source)) == held + 1
    tell(source, ":OUTP OFF")
    world.wait(5)
    assert ask(source, ":PROG:POIN?;COUN?;:PROG:CAT?") == '3;1;"STEPS"'


def test_the_field_settles_and_switches_cells(magnet: Any, world: World, tell: Any, ask: Any) -> None:
    tell(magnet, ":SOUR:FUNC CURR;RANG 0.2;PROT:VOLT 30;:OUTP ON;:SOUR:LEV 0.05")
    begin, before = world.field_tesla, world.seconds
    world.wait(0.3)
    assert begin < 0.02
    assert world.field_tesla == pytest.approx(0.05 * (1 - np.exp(-1)), rel=0.15)
    world.wait(10)
    assert world.field_tesla == pytest.approx(0.05, rel=1e-3)
    assert world.seconds > before
    tell(magnet, ":SOUR:LEV 0.2")
    world.wait(5)
    assert world.die.is_parallel.all(), "a positive field favours P"
    tell(magnet, ":SOUR:LEV -0.2")
    world.wait(5)
    assert not world.die.is_parallel.any()
    tell(magnet, ":OUTP OFF")
    world.wait(5)
    assert world.field_tesla == 0.0
    assert not world.processes
    assert not world.die.is_parallel.any(), "the state is kept without a field"
    assert not world.is_live, "the coil is not on the die's network"


def test_a_small_field_only_helps(world: World) -> None:
    die = world.die
    volts_across = np.full(die.kind.size, 0.4)
    die.is_parallel[:] = False
    plain = die.switching_rates(volts_across)
    assert (die.switching_rates(volts_across, 0.02) > plain).all()
    assert (die.switching_rates(volts_across, -0.02) < plain).all()


def test_the_limit_of_the_source_limits_the_field(magnet: Any, world: World, tell: Any) -> None:
    tell(magnet, ":SOUR:FUNC CURR;RANG 0.2;PROT:VOLT 1;:OUTP ON;:SOUR:LEV 0.2")
    world.wait(10)
    assert world.field_tesla == pytest.approx(0.1, rel=1e-3), "1 V across 10 ohm"


def test_a_hysteresis_loop_by_ramp(magnet: Any, world: World, tell: Any) -> None:
    tell(magnet, ":SOUR:FUNC CURR;RANG 0.2;:OUTP ON;:SOUR:LEV -0.2")
    world.wait(3)
    tell(magnet, ":PROG:SLOP 20;INT 20;EDIT:STAR;:SOUR:LEV 0.2;:PROG:EDIT:END;:PROG:RUN")
    world.wait(9)
    assert not world.die.is_parallel.any(), "still before the coercive field"
    world.wait(5)
    halfway = world.die.is_parallel.mean()
    world.wait(8)
    assert world.die.is_parallel.all()
    assert halfway > 0
