"""Dialogues with the simulated 81160A, and what its outputs do to the world."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keysight_81160a import SimKeysight81160A
from mtjlab.sim_instruments.pulse_trains import trains_of
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

CLEAN = {"defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
ONE_CELL = {**CLEAN, "rows": 1, "cols": 1, "diameters_nm": [50.0], "volts_c0_spread": 0.0, "delta_spread": 0.0}
NO_ERROR = '0,"No error"'


@pytest.fixture
def world() -> World:
    return World.from_description(ONE_CELL, seed=1, line_hertz=50)


@pytest.fixture
def pulser(world: World) -> SimKeysight81160A:
    return SimKeysight81160A("gen", world, HostClock(world), serial="MY1")


def loaded(world: World, ohms: float = 50.0, terminal: str = "1.hi") -> Callable[[], float]:
    """A resistor at a terminal, and a way to see the volts across it."""
    end = world.add_source(f"end of {terminal}", f"end.{terminal}")
    end.drive_volts(0.0, 10.0)
    world.connect(f"gen.{terminal}", f"end.{terminal}", ohms)
    return lambda: -end.point().amps * ohms


def levels(gen: SimKeysight81160A, channel: int = 1) -> list[tuple[float, float]]:
    """Records (seconds, open-circuit volts) of every change of a channel's output from now on; none is leapt over."""
    trains_of(gen.world).watchers += 1
    seen: list[tuple[float, float]] = []
    source = gen.channels[channel - 1].output._main
    drive = source.drive_volts

    def recorded(level: float, limit: float) -> None:
        seen.append((gen.world.seconds, level))
        drive(level, limit)

    source.drive_volts = recorded  # type: ignore[method-assign]
    return seen


def ones(seen: list[tuple[float, float]]) -> str:
    return "".join("1" if level > 0.5 else "0" for _, level in seen)


def test_81160a_speaks_its_own_headers(pulser: Any, tell: Any, ask: Any) -> None:
    assert ask(pulser, "*IDN?").startswith("Agilent Technologies,81160A,")
    tell(pulser, ":FUNC1 PULS", ":PULS:PER1 1 US", ":PULS:WIDT1 20 NS", ":PULS:DEL1 5NS", ":PULS:TRAN1 1NS")
    tell(pulser, ":VOLT1:HIGH 900MV", ":VOLT1:LOW 0", ":OUTP1:POL NORM", ":ARM:SOUR1 MAN", ":TRIG:COUN1 2")
    assert ask(pulser, ":FUNC1?;:PULS:PER1?;:PULS:WIDT?") == "PULS;+1.000000000000000E-06;+2.000000000000000E-08"
    assert ask(pulser, ":FUNC:PULS:WIDT1?;:VOLT?") == "+2.000000000000000E-08;+9.0000000000000E-01"
    assert ask(pulser, ":ARM:SOUR1?;:ARM:SOUR2?") == "MAN;IMM"
    tell(pulser, ":OUTP1 ON")
    seen = levels(pulser)
    tell(pulser, "*TRG")
    assert ones(seen) == "010100"
    assert seen[2][0] - seen[1][0] == pytest.approx(20e-9, rel=1e-3)
    tell(pulser, ":TRIG2:SOUR EXT;:FUNC2 USER;:DATA2:DAC VOLATILE,-8192,-8192,8191,8191,0,0,0,0;:FUNC2:USER VOLATILE")
    assert ask(pulser, ":TRIG2:SOUR?;:FUNC2?;:FUNC2:USER?") == "EXT;USER;VOLATILE"
    tell(pulser, ":BURS2:NCYC 5;STAT ON;:APPL2:PULS 1E5,1,0.5;:OUTP2:IMP:EXT 1E3")
    assert ask(pulser, ":SYST:ERR?") == NO_ERROR


@pytest.mark.parametrize(
    ("command", "query", "reply"),
    [
        (":SOUR:FUNC1:SQU:DCYC 25", ":FUNC1:SQU:DCYC?", "+2.500000000000000E+01"),
        (":func2 user", ":FUNC2?", "USER"),
        (":volt2:ampl 0.5", ":VOLT2?", "+5.0000000000000E-01"),
        (":PULS:TRAN2 4NS", ":PULS:TRAN2:TRA?;:PULS:TRAN2:TRA:AUTO?", "+4.000000000000000E-09;1"),
        (":PULS:TRAN2:TRA 8NS", ":PULS:TRAN2?;:PULS:TRAN2:TRA:AUTO?", "+2.500000000000000E-09;0"),
        (":FREQ1 1E6;:PULS:DEL1 25 PCT", ":PULS:DEL1?", "+2.500000000000000E-07"),
        (":PULS:DEL2 1US;:PULS:TDEL2 1.2US", ":PULS:WIDT2?", "+2.000000000000000E-07"),
        (":TRIG1:COUN 7", ":BURS1:NCYC?;STAT?", "+7.000000000000000E+00;1"),
        (":ARM:FREQ1 2000", ":BURS1:INT:PER?", "+5.000000000000000E-04"),
        (":ARM:SOUR1 INT2", ":ARM:SOUR1?", "INT2"),
        (":ARM:SENS2 LEV", ":BURS2:MODE?", "GAT"),
        (":OUTP1:IMP 5OHM", ":OUTP1:IMP?", "+5.000000000000000E+00"),
        (":OUTP1:IMP:EXT 1000", ":OUTP1:LOAD?", "+1.000000000000000E+03"),
        (":OUTP1:ROUT HIB", ":OUTP1:ROUT?", "HIB"),
        (":CURR1:HIGH 10MA;LOW 0", ":VOLT1?", "+5.0000000000000E-01"),
        (":VOLT1:HIGH 1;LOW 0", ":CURR1?", "+2.0000000000000E-02"),
        (":TRAC:CHAN1 1", ":TRAC:CHAN1?;:TRAC:CHAN2?", "1;0"),
        (":TRAC:CHAN1 ON;:FREQ1 3E6;:TRAC:CHAN1 OFF", ":FREQ2?;:TRAC:CHAN1?", "+3.000000000000000E+06;0"),
        (":CHAN:MATH PLUS", ":CHAN:MATH?", "PLUS"),
        (":PHAS1 90DEG", ":PHAS1?", "+9.000000000000000E+01"),
        (":UNIT:ANGL RAD;:PHAS1 1", ":PHAS1?", "+1.000000000000000E+00"),
        (":AM2:DEPT 50;INT:FREQ 15KHZ;:AM2:INT:FUNC SQU;:AM2:STAT ON", ":AM2:STAT?;DEPT?", "1;+5.000000000000000E+01"),
        (":DIG1:PATT:DATA #140110;:DIG1:PATT ON", ":DIG1:PATT:DATA?", "#140110"),
        (":MEM:STAT:NAME 3, PROBE_EARLY", ":MEM:STAT:NAME? 3", '"PROBE_EARLY"'),
        (":VOLT1:LIM:HIGH 2;LOW -1;STAT ON", ":VOLT1:LIM:HIGH?;LOW?;STAT?", "+2.000000000000000E+00;"
         "-1.000000000000000E+00;1"),
    ],
)  # fmt: skip
def test_settings_are_taken_and_told(pulser: Any, tell: Any, ask: Any, command: str, query: str, reply: str) -> None:
    tell(pulser, command)
    assert ask(pulser, query) == reply
    assert ask(pulser, "SYST:ERR?") == NO_ERROR


def test_user_waveforms_are_kept_under_names(pulser: Any, world: World, tell: Any, ask: Any) -> None:
    across = loaded(world)
    assert ask(pulser, ":DATA1:NVOL:FREE?;CAT?") == '4;""'
    tell(pulser, ":DATA1 VOLATILE,1,1,1,1;:DATA1:COPY HIGH_ALL, VOLATILE;:DATA1 VOLATILE,-1,-1;:DATA1:COPY low")
    assert ask(pulser, ":DATA2:NVOL:FREE?;CAT?") == '2;"HIGH_ALL","LOW"'
    tell(pulser, ":FREQ1 1E6;:VOLT1 2;:FUNC1:USER HIGH_ALL;:FUNC1 USER;:OUTP1 ON")
    assert across() == pytest.approx(1.0, abs=0.03)
    tell(pulser, ":FUNC1:USER LOW")
    assert across() == pytest.approx(-1.0, abs=0.03)
    tell(pulser, ":DATA:DEL LOW")
    assert ask(pulser, "SYST:ERR?") == '+787,"Not able to delete the currently selected active arb waveform"'
    tell(pulser, ":DATA1:DEL HIGH_ALL")
    assert ask(pulser, ":DATA1:CAT?").endswith('"VOLATILE","LOW"')
    assert ask(pulser, ":DATA1:ATTR:POIN? LOW;AVER? LOW") == "+2;-1.000000000000000E+00"
    assert ask(pulser, "SYST:ERR?") == NO_ERROR


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (":DATA1:COPY X, VOLATILE", 780),
        (":FUNC1:USER NOWHERE", 785),
        (":DATA1:DEL NOWHERE", 785),
        (":DATA1:DEL SINC", 786),
        (":DATA1 VOLATILE,0,1;:DATA1:COPY SINC", 782),
        (":DATA1 VOLATILE,0,1;:DATA1:COPY A;COPY B;COPY C;COPY D;COPY E", 781),
        (":DATA1 VOLATILE,0,1;:DATA1:COPY WITH-SIGNS", -224),
        (":DATA1 VOLATILE,0,2", -222),
        (":DATA1:DAC VOLATILE,#13abc", 800),
        (":FUNC1 WAVE", -224),
        (":PULS:WIDT9 1", -114),
        ("*TRG", -211),
    ],
)
def test_what_does_not_fit_is_in_the_queue(pulser: Any, tell: Any, ask: Any, command: str, code: int) -> None:
    tell(pulser, command)
    assert int(ask(pulser, "SYST:ERR?").partition(",")[0]) == code
    assert ask(pulser, "SYST:ERR?") == NO_ERROR


def test_wide_edges_are_ramps(pulser: Any, world: World, tell: Any) -> None:
    tell(pulser, ":FUNC1 PULS;:PULS:PER1 1E-3;WIDT1 1E-4;TRAN1 4E-5;TRAN1:TRA 4E-5;:VOLT1:HIGH 1;LOW 0")
    tell(pulser, ":ARM:SOUR1 MAN;:OUTP1 ON")
    seen = levels(pulser)
    tell(pulser, ":TRIG1")
    area = sum(level * (t - s) for (s, level), (t, _) in pairwise(seen))
    assert area == pytest.approx(2 * 1e-4, rel=0.03), "edges keep the width at half amplitude"
    assert len(seen) > 10


def test_output_impedance_and_load(pulser: Any, world: World, tell: Any) -> None:
    across = loaded(world, 50.0)
    tell(pulser, ":APPL1:DC DEF,DEF,1")
    assert across() == pytest.approx(1.0, abs=0.03)
    tell(pulser, ":OUTP1:IMP 5")
    assert across() == pytest.approx(1.0, abs=0.03), "levels are for the load that is told"
    world.connect("gen.1.hi", "end.1.hi", 50.0)
    assert across() / 2 == pytest.approx(1.1 * 25 / 30, rel=0.03), "stiffer than behind 50 ohm"


def test_a_kilohm_sees_twice_the_level(pulser: Any, world: World, tell: Any) -> None:
    across = loaded(world, 1e3)
    tell(pulser, ":APPL1:DC DEF,DEF,0.5")
    assert across() == pytest.approx(1.0 * 1000 / 1050, rel=0.03)


def test_the_complement_is_the_mirror_image(pulser: Any, world: World, tell: Any) -> None:
    normal, complement = loaded(world), loaded(world, terminal="1.comp")
    tell(pulser, ":FUNC1 PULS;:PULS:PER1 1E-5;WIDT1 1E-6;:VOLT1:HIGH 1;LOW 0;:ARM:SOUR1 MAN;:OUTP1 ON;:OUTP1:COMP ON")
    assert (normal(), complement()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.03))
    tell(pulser, ":OUTP1 OFF")
    assert (normal(), complement()) == (pytest.approx(0, abs=1e-3), pytest.approx(1, abs=0.03))


def test_channels_add_up(pulser: Any, world: World, tell: Any) -> None:
    across = loaded(world)
    tell(pulser, ":APPL1:DC DEF,DEF,1;:APPL2:DC DEF,DEF,0.5;:OUTP2 OFF;:CHAN:MATH PLUS")
    assert across() == pytest.approx(1.5, abs=0.05)
    tell(pulser, ":VOLT2:OFFS -0.5")
    assert across() == pytest.approx(0.5, abs=0.05)
    tell(pulser, ":CHAN:MATH OFF")
    assert across() == pytest.approx(1.0, abs=0.03)


def test_a_pattern_is_played_bit_by_bit(pulser: Any, world: World, tell: Any) -> None:
    tell(pulser, ":FUNC1 PULS;:FREQ1 1E6;:VOLT1:HIGH 1;LOW 0;:DIG1:PATT ON")
    tell(pulser, ":DIG1:PATT:DATA #1501011;:ARM:SOUR1 MAN;:OUTP1 ON")
    seen = levels(pulser)
    tell(pulser, ":TRIG1")
    assert ones(seen) == "01010"
    assert np.diff([t for t, _ in seen]) == pytest.approx([1e-6, 1e-6, 1e-6, 2e-6], rel=1e-6)


def test_double_pulses(pulser: Any, tell: Any) -> None:
    tell(pulser, ":FUNC1 PULS;:PULS:PER1 1E-6;WIDT1 1E-7;:PULS:DOUB1 ON;:PULS:DOUB1:DEL 3E-7;:VOLT1:HIGH 1;LOW 0")
    tell(pulser, ":ARM:SOUR1 MAN;:OUTP1 ON")
    seen = levels(pulser)
    tell(pulser, "*TRG")
    assert ones(seen) == "10100"
    assert seen[2][0] - seen[0][0] == pytest.approx(3e-7, rel=1e-6)


def test_gated_by_the_trigger_input(pulser: Any, world: World, tell: Any) -> None:
    tell(pulser, ":FUNC1 PULS;:PULS:PER1 1E-6;WIDT1 1E-7;:VOLT1:HIGH 1;LOW 0;:ARM:SOUR1 EXT;:ARM:SENS1 LEV;:OUTP1 ON")
    seen = levels(pulser)
    pulser.external_gate(True)
    world.wait(3.05e-6)
    pulser.external_gate(False)
    world.wait(10e-6)
    assert ones(seen) == "101010100", "the pulse that has begun is completed"
    tell(pulser, ":ARM:SENS1 EDGE;:ARM:EWID1 ON")
    seen.clear()
    pulser.external_gate(True)
    world.wait(5e-6)
    pulser.external_gate(False)
    assert ones(seen) == "10", "as wide as the signal outside"


def test_security_and_learn(pulser: Any, world: World, tell: Any, ask: Any) -> None:
    across = loaded(world)
    tell(pulser, ":APPL1:DC DEF,DEF,0.7")
    learned = ask(pulser, "*LRN?")
    tell(pulser, "*RST")
    assert across() == pytest.approx(0.0, abs=1e-3)
    tell(pulser, learned)
    assert across() == pytest.approx(0.7, abs=0.03)
    tell(pulser, ":DATA1 VOLATILE,0,1;:DATA1:COPY MINE;:SYST:SEC ON")
    assert ask(pulser, ":DATA1:NVOL:CAT?") == '""'
