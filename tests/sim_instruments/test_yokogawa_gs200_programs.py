"""Programs, status and housekeeping of a simulated GS200, and the coil that it supplies."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.coil import CoilSpec
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.yokogawa_gs200 import SimYokogawaGS200

CLEAN = {"defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
NO_ERROR = '0,"No error"'
RAMP = "*CLS;:PROG:REP 0;SLOP 2;INT 2;EDIT:STAR;:SOUR:LEV 5;:PROG:EDIT:END"


@pytest.fixture
def world() -> World:
    return World.from_description(CLEAN, seed=1, line_hertz=50)


@pytest.fixture
def source(world: World, tell: Any) -> SimYokogawaGS200:
    world.connect("gs.hi", "end", 1000.0)
    world.add_source("end", "end").drive_volts(0.0, 1.0)
    made = SimYokogawaGS200("gs", world, HostClock(world), serial="91K000001")
    tell(made, ":SOUR:RANG 10;:OUTP ON")
    return made


@pytest.fixture
def magnet(world: World) -> SimYokogawaGS200:
    coil = CoilSpec(tesla_per_amp=1.0, settle_seconds=0.3, ohms=10)
    return SimYokogawaGS200("gs", world, HostClock(world), coil=coil)


def volts(source: Any) -> float:
    return float(source._source.point().volts)


def test_a_ramp_in_one_message(source: Any, world: World, tell: Any, ask: Any) -> None:
    tell(source, f"{RAMP};:PROG:RUN")
    world.wait(1)
    assert volts(source) == pytest.approx(2.5, abs=0.1)
    world.wait(1.1)
    assert volts(source) == pytest.approx(5, rel=1e-3)
    assert ask(source, ":SYST:ERR?") == NO_ERROR


def test_serial_polls_see_the_end_of_a_ramp(source: Any, world: World, tell: Any) -> None:
    tell(source, RAMP, ":STAT:ENAB 128", ":PROG:RUN")
    begin, polls = world.seconds, 0
    while not source.serial_poll() & 2:
        polls += 1
        assert polls < 60
    assert polls > 3
    assert world.seconds - begin == pytest.approx(2.0, abs=0.2)


def test_a_service_request_at_the_end_of_a_ramp(source: Any, world: World, tell: Any) -> None:
    tell(source, RAMP, ":STAT:ENAB 128;*SRE 2", ":PROG:RUN")
    begin = world.seconds
    source.await_service(10.0)
    assert world.seconds - begin == pytest.approx(2.0, abs=0.2)
    assert source.serial_poll() & 64


def test_steps_one_at_a_time(source: Any, world: World, tell: Any, ask: Any) -> None:
    tell(source, ":PROG:INT 0.5;SLOP 0;EDIT:STAR", ":SOUR:LEV 1", ":SOUR:LEV 2", ":PROG:EDIT:END", "*CLS")
    seen = []
    for _ in range(3):
        tell(source, ":PROG:STEP")
        world.wait(1)
        seen.append(round(volts(source)))
        assert int(ask(source, ":STAT:EVEN?")) & 64
    assert seen == [1, 2, 1]


def test_a_step_brings_its_own_function_and_range(magnet: Any, world: World, tell: Any, ask: Any) -> None:
    tell(magnet, ":PROG:INT 1;SLOP 0;EDIT:STAR;:SOUR:FUNC CURR;RANG 0.1;LEV 0.05", ":SOUR:FUNC VOLT;RANG 10;LEV 2")
    tell(magnet, ":PROG:EDIT:END;:OUTP ON;:PROG:RUN")
    assert ask(magnet, ":SOUR:FUNC?;RANG?;LEV?") == "CURR;1.000000E-01;+5.00000E-02"
    world.wait(1.5)
    assert ask(magnet, ":SOUR:FUNC?;RANG?;LEV?") == "VOLT;1.000000E+01;+2.00000E+00"


def test_a_program_is_written_and_read_at_once(source: Any, tell: Any, ask: Any) -> None:
    tell(source, ":PROG:EDIT:STAR", ":SOUR:LEV 1.5", ":SOUR:LEV -2", ":PROG:EDIT:END")
    text = ask(source, ":PROG:MEM?")
    tell(source, ":PROG:EDIT:STAR", ":PROG:EDIT:END")
    assert ask(source, ":PROG:POIN?") == "0"
    tell(source, f":PROG:MEM '{text[1:-1]}'" if "\n" not in text else ":PROG:MEM '1.5,10,V\r-2,10,V'")
    assert ask(source, ":PROG:MEM?") == text
    tell(source, ":PROG:MEM '1,10,X'", ":PROG:MEM '40,10,V'", ":PROG:MEM 'nonsense'")
    errors = [ask(source, ":SYST:ERR?").split(",")[0] for _ in range(3)]
    assert errors == ["-224", "-222", "-224"]
    assert ask(source, ":PROG:MEM?") == text


def test_saved_programs(source: Any, tell: Any, ask: Any) -> None:
    tell(source, ":PROG:EDIT:STAR", ":SOUR:LEV 1", ":PROG:EDIT:END", ":PROG:SAVE 'one.csv'")
    tell(source, ":PROG:EDIT:STAR", ":PROG:EDIT:END", ":PROG:LOAD 'ONE.CSV'")
    assert ask(source, ":PROG:POIN?;CAT?") == '1;"ONE.CSV"'
    tell(source, ":PROG:DEL 'one.csv'")
    assert ask(source, ":PROG:CAT?") == '""'
    tell(source, ":PROG:DEL 'one.csv'")
    assert ask(source, ":SYST:ERR?").startswith("-224,")


def test_a_week_of_a_repeated_program_takes_little_time(source: Any, world: World, tell: Any, ask: Any) -> None:
    tell(source, ":PROG:INT 0.1;SLOP 0.1;REP 1;EDIT:STAR", ":SOUR:LEV 1", ":SOUR:LEV -1", ":PROG:EDIT:END;:PROG:RUN")
    begin = time.monotonic()
    world.wait(7 * 86_400)
    assert time.monotonic() - begin < 30
    assert abs(volts(source)) <= 1.01
    tell(source, ":SOUR:LEV 3")
    world.wait(1)
    assert volts(source) == pytest.approx(3, rel=1e-3), "a level breaks the program off"
    assert ask(source, ":SYST:ERR?") == NO_ERROR


def test_limits_and_the_limiting_bits(source: Any, tell: Any, ask: Any) -> None:
    tell(source, ":SOUR:PROT:CURR MIN;:SOUR:LEV 5")
    assert volts(source) == pytest.approx(1.0, rel=1e-3), "1 mA in 1 kohm"
    assert int(ask(source, ":STAT:COND?")) & 3072 == 2048
    tell(source, ":SOUR:LEV -5")
    assert int(ask(source, ":STAT:COND?")) & 3072 == 1024
    tell(source, ":SOUR:PROT:CURR MAXimum")
    assert volts(source) == pytest.approx(-5, rel=1e-3)
    assert ask(source, ":SOUR:PROT:CURR?;VOLT? MAX") == "0.200;30"
    assert int(ask(source, ":STAT:COND?")) & 3072 == 0


def test_an_output_that_drops_says_so(source: Any, tell: Any, ask: Any) -> None:
    from mtjlab.sim_instruments.scpi_errors import ScpiError

    tell(source, ":SOUR:LEV 5", "*CLS")
    source._output_tripped(ScpiError(-300))
    assert ask(source, ":OUTP?") == "0"
    assert int(ask(source, ":STAT:EVEN?")) & 4096
    assert volts(source) == pytest.approx(0, abs=1e-6)
    tell(source, ":OUTP ON")
    assert not int(ask(source, ":STAT:COND?")) & 4096


def test_settings_are_saved_and_recalled(source: Any, tell: Any, ask: Any) -> None:
    tell(source, ":SOUR:LEV 5", "*SAV 2", "*RST")
    assert ask(source, ":SOUR:LEV?;:OUTP?") == "+0.00000E+00;0"
    tell(source, "*RCL 2")
    assert ask(source, ":SOUR:LEV?;:OUTP?") == "+5.00000E+00;0"
    tell(source, "*RCL 3", "*SAV 5")
    assert ask(source, ":SYST:ERR?").startswith("-222,")


def test_clock_and_panel(source: Any, world: World, tell: Any, ask: Any) -> None:
    tell(source, ":SYST:CLOC:DATE '2026/07/19';TIME '12:30:00'")
    world.wait(60)
    assert ask(source, ":SYST:CLOC:DATE?") == '"2026/07/19"'
    assert ask(source, ":SYST:CLOC:TIME?").startswith('"12:31:0')
    tell(source, ":SYST:CLOC:DATE 'monday'")
    assert ask(source, ":SYST:ERR?").startswith("-222,")
    tell(source, ":SYST:DISP OFF;DISP:BRIG 8;:SYST:BEEP OFF;:SYST:WLOC ON;:ROUT:BNCO READ;BNCI OUTP")
    assert ask(source, ":SYST:DISP?;DISP:BRIG?;:SYST:BEEP?;WLOC?") == "0;8;0;1"
    assert ask(source, ":ROUT:BNCO?;BNCI?;:SYST:LFR?") == "READ;OUTP;50"


def test_under_a_voltage_the_current_of_a_coil_rises(magnet: Any, world: World, tell: Any, ask: Any) -> None:
    tell(magnet, ":SENS ON;:SOUR:RANG 1;:OUTP ON", ":SOUR:LEV 1")
    world.wait(0.3)
    assert magnet._source.point().amps == pytest.approx(0.1 * (1 - np.exp(-1)), rel=0.15)
    assert magnet._source.point().volts == pytest.approx(1.0, rel=1e-3)
    world.wait(5)
    assert float(ask(magnet, ":MEAS?")) == pytest.approx(0.1, rel=2e-3)
    assert world.field_tesla == pytest.approx(0.1, rel=1e-3)


def test_a_held_ramp_holds_the_field(magnet: Any, world: World, tell: Any) -> None:
    tell(magnet, ":SOUR:FUNC CURR;RANG 0.2;:OUTP ON", ":PROG:SLOP 10;INT 10;EDIT:STAR;:SOUR:LEV 0.2;:PROG:EDIT:END")
    tell(magnet, ":PROG:RUN")
    world.wait(5)
    tell(magnet, ":PROG:HOLD")
    world.wait(10)
    assert world.field_tesla == pytest.approx(0.1, rel=0.02)
    tell(magnet, ":PROG:HOLD")
    world.wait(10)
    assert world.field_tesla == pytest.approx(0.2, rel=1e-3)
