"""Dialogues with the simulated waveform and pulse generators, and what their pulses do to the world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keysight_33500 import SimKeysight33500, SimKeysight33622A
from mtjlab.sim_instruments.keysight_81160a import SimKeysight81160A
from mtjlab.sim_instruments.pulse_generator import PulseGenerator
from mtjlab.sim_instruments.pulse_trains import trains_of
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

CLEAN = {"defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}}
ONE_CELL = {**CLEAN, "rows": 1, "cols": 1, "diameters_nm": [50.0], "volts_c0_spread": 0.0, "delta_spread": 0.0}
NO_ERROR = '+0,"No error"'


@pytest.fixture
def world() -> World:
    return World.from_description(ONE_CELL, seed=1, line_hertz=50)


@pytest.fixture
def gen(world: World) -> SimKeysight33622A:
    return SimKeysight33622A("gen", world, HostClock(world), serial="MY1")


@pytest.fixture
def pulser(world: World) -> SimKeysight81160A:
    return SimKeysight81160A("gen", world, HostClock(world), serial="MY1")


def loaded(world: World, ohms: float = 50.0, channel: int = 1) -> Callable[[], float]:
    """A resistor on a channel, and a way to see the volts across it."""
    end = world.add_source("end", "end")
    end.drive_volts(0.0, 1.0)
    world.connect(f"gen.{channel}.hi", "end", ohms)
    return lambda: -end.point().amps * ohms


def on_the_cell(world: World) -> None:
    end = world.add_source("end", "die.col.0")
    end.drive_volts(0.0, 1.0)
    world.connect("gen.1.hi", "die.row.0")


def levels(gen: PulseGenerator, channel: int = 1) -> list[tuple[float, float]]:
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


def test_identity_and_defaults(gen: Any, world: World, ask: Any, tell: Any) -> None:
    assert ask(gen, "*IDN?").startswith("Keysight Technologies,33622A,MY1,")
    older = SimKeysight33500("old", world, HostClock(world), serial="MY2")
    assert ask(older, "*IDN?").startswith("Agilent Technologies,33522B,MY2,")
    tell(gen, ":SOUR1:FUNC SQU;FREQ 1 MHZ;VOLT 2", "*RST")
    assert ask(gen, "FUNC?;FREQ?;VOLT?;VOLT:OFFS?;:OUTP?;OUTP:LOAD?") == (
        "SIN;+1.000000000000000E+03;+1.0000000000000E-01;+0.0000000000000E+00;0;+5.000000000000000E+01"
    )
    assert ask(gen, "SYST:ERR?") == NO_ERROR
    assert ask(gen, "SOUR2:BURS:NCYC?;STAT?;MODE?") == "+1.000000000000000E+00;0;TRIG"


@pytest.mark.parametrize(
    ("command", "query", "reply"),
    [
        ("SOUR2:FUNC PULSE", "SOUR2:FUNC?", "PULS"),
        ("FUNC TRI", "FUNC?", "TRI"),
        ("PULS:WIDT 20NS", "FUNC:PULS:WIDT?", "+2.000000000000000E-08"),
        ("FUNC:PULS:PER 1 MS;DCYC 25", "FUNC:PULS:WIDT?", "+2.500000000000000E-04"),
        ("FUNC:PULS:HOLD DCYC;:FUNC:PULS:DCYC 50;PER 2E-3", "FUNC:PULS:WIDT?", "+1.000000000000000E-03"),
        ("FUNC:PULS:TRAN:BOTH 20E-9", "FUNC:PULS:TRAN:TRA?", "+2.000000000000000E-08"),
        ("VOLT:HIGH 0.9;LOW -0.3", "VOLT?", "+1.2000000000000E+00"),
        ("VOLT:HIGH 0.9;LOW -0.3", "VOLT:OFFS?", "+3.0000000000000E-01"),
        ("VOLT 1 VRMS", "VOLT?", "+2.8284271247462E+00"),
        ("VOLT 1;:VOLT:UNIT VRMS", "VOLT?", "+3.5355339059327E-01"),
        ("VOLT:UNIT DBM;:VOLT 0", "VOLT?", "+0.0000000000000E+00"),
        ("VOLT:UNIT DBM", "VOLT:UNIT?", "DBM"),
        ("VOLT 100 mVPP", "VOLT?", "+1.0000000000000E-01"),
        ("BURS:NCYC INF", "BURS:NCYC?", "9.9E+37"),
        ("BURS:INT:PER 20MS", "BURS:INT:PER?", "+2.000000000000000E-02"),
        ("TRIG2:SOUR EXT", "TRIG2:SOUR?", "EXT"),
        ("TRIG1:SLOP NEG", "TRIG:SLOP?", "NEG"),
        ("OUTP:LOAD INF", "OUTP:LOAD?", "9.9E+37"),
        ("OUTP1:POL INV", "OUTP:POL?", "INV"),
        ("OUTP:SYNC:SOUR CH2", "OUTP:SYNC:SOUR?", "CH2"),
        ("PHAS 90", "SOUR1:PHAS?", "+9.000000000000000E+01"),
        ("SOUR1:VOLT:COUP ON;:VOLT 3", "SOUR2:VOLT?", "+3.0000000000000E+00"),
        ("APPL:PULS 1E3,2,0.5", "APPL?", '"PULS +1.000000000000000E+03,+2.0000000000000E+00,+5.0000000000000E-01"'),
        ("SOUR2:APPL:SIN 5 KHZ, 3.0 VPP, -2.5 V", "OUTP2?", "1"),
        ("APPL:DC DEF, DEF, 2", "VOLT:OFFS?", "+2.0000000000000E+00"),
        ("SWE:TIME 5;STAT ON", "SWE:TIME?;STAT?", "+5.000000000000000E+00;1"),
        ("VOLT:LIM:HIGH 1;LOW 0;STAT ON", "VOLT:LIM:STAT?", "1"),
        ("AM:STAT OFF", "AM:STAT?", "0"),
    ],
)
def test_settings_are_taken_and_told(gen: Any, tell: Any, ask: Any, command: str, query: str, reply: str) -> None:
    tell(gen, command)
    assert ask(gen, query) == reply
    assert ask(gen, "SYST:ERR?") == NO_ERROR


@pytest.mark.parametrize(
    ("command", "error"),
    [
        ("VOLT 25", '-222,"Data out of range; value clipped to upper limit"'),
        ("VOLT 0", '-222,"Data out of range; value clipped to lower limit"'),
        ("VOLT:HIGH 1;LOW 2", '-221,"Settings conflict; high level changed due to low level"'),
        (
            "OUTP:LOAD INF;:VOLT:UNIT DBM",
            '-221,"Settings conflict; not able to set dBm units with output load infinity"',
        ),
        ("FREQ 10 MHZ;FUNC RAMP", '-221,"Settings conflict; frequency reduced for selected function"'),
        ("FUNC WAVE", '-224,"Illegal parameter value"'),
        ("SOUR3:FREQ 1E3", '-114,"Header suffix out of range"'),
        ("FREK 1E3", '-113,"Undefined header"'),
        ("FREQ", '-109,"Missing parameter"'),
        ("FREQ 1,2", '-108,"Parameter not allowed"'),
        ("FREQ 1 V", '-131,"Invalid suffix"'),
        ("*TRG", '-211,"Trigger ignored"'),
        ("TRIG1", '-211,"Trigger ignored"'),
        ("FUNC:ARB NOWHERE", '+785,"Specified arb waveform does not exist"'),
        ("DATA:ARB few,0,1,0", '+788,"Specified arb waveform must have at least 32 points"'),
        ("FUNC PULS;FREQ 1E6", '-221,"Settings conflict; pulse width decreased due to period"'),
        (
            "FUNC PULS;PULS:TRAN 1E-6;:PULS:WIDT 1E-7",
            '-221,"Settings conflict; edge time decreased due to pulse width"',
        ),
        ("FUNC DC;:BURS:STAT ON", '-221,"Settings conflict; not able to burst this function"'),
        ("FUNC NOIS;:SWE:STAT ON", '-221,"Settings conflict; not able to sweep this function"'),
        ("PWM:STAT ON", '-221,"Settings conflict; not able to modulate this function"'),
        ("AM:STAT ON;:FM:STAT ON", '-221,"Settings conflict; AM turned off by selection of other mode or modulation"'),
        (
            "BURS:STAT ON;:AM:STAT ON",
            '-221,"Settings conflict; burst turned off by selection of other mode or modulation"',
        ),
        ("BURS:STAT ON;NCYC INF", '-221,"Settings conflict; infinite burst changed trigger source to BUS"'),
        ("BURS:STAT ON;NCYC 100", '-221,"Settings conflict; burst period increased to fit entire burst"'),
        ("VOLT:LIM:HIGH 1;STAT ON;:VOLT:HIGH 2", '-222,"Data out of range; value clipped to voltage limit"'),
    ],
)
def test_what_does_not_fit_is_in_the_queue(gen: Any, tell: Any, ask: Any, command: str, error: str) -> None:
    tell(gen, command)
    assert ask(gen, "SYST:ERR?") == error
    assert ask(gen, "SYST:ERR?") == NO_ERROR


def test_the_load_changes_what_is_told_not_what_comes_out(gen: Any, world: World, tell: Any, ask: Any) -> None:
    across = loaded(world)
    tell(gen, "APPL:DC DEF,DEF,1")
    assert across() == pytest.approx(1.0, abs=0.02)
    tell(gen, "OUTP:LOAD INF")
    assert float(ask(gen, "VOLT:OFFS?")) == pytest.approx(2.0)
    assert across() == pytest.approx(1.0, abs=0.02)
    tell(gen, "OUTP OFF")
    assert across() == pytest.approx(0.0, abs=1e-6)


def test_a_triggered_burst_is_pulses_in_the_world(gen: Any, world: World, tell: Any, ask: Any) -> None:
    loaded(world)
    tell(gen, "FUNC PULS;:PULS:WIDT 100E-9;PER 1E-6;:VOLT:HIGH 0.8;LOW 0;:BURS:NCYC 3;STAT ON;:TRIG:SOUR BUS;:OUTP ON")
    seen = levels(gen)
    before = world.seconds
    tell(gen, "*TRG;*WAI")
    assert ask(gen, "*OPC?") == "1"
    assert [level > 0.5 for _, level in seen] == [True, False] * 3 + [False]
    rises = [t for t, level in seen if level > 0.5]
    falls = [t for t, level in seen if level < 0.5]
    assert np.subtract(falls[:3], rises) == pytest.approx(100e-9, rel=1e-4)
    assert np.diff(rises) == pytest.approx(1e-6, rel=1e-4)
    assert max(level for _, level in seen) == pytest.approx(1.6, rel=0.02), "twice the level behind 50 ohm"
    assert world.seconds - before >= 3e-6
    assert ask(gen, "SYST:ERR?") == NO_ERROR


def test_both_channels_fire_at_the_same_moment(gen: Any, world: World, tell: Any) -> None:
    for channel, width in ((1, 100e-9), (2, 300e-9)):
        tell(gen, f"SOUR{channel}:FUNC PULS;PULS:PER 1E-6;WIDT {width};:SOUR{channel}:VOLT:HIGH 0.5;LOW 0")
        tell(gen, f"SOUR{channel}:BURS:STAT ON;:TRIG{channel}:SOUR BUS;:OUTP{channel} ON")
    first, second = levels(gen, 1), levels(gen, 2)
    tell(gen, "*TRG")
    assert first[0][0] == second[0][0]
    assert second[1][0] - first[1][0] == pytest.approx(200e-9, rel=1e-4)


def test_a_pulse_writes_a_cell_and_a_weak_one_does_not(gen: Any, world: World, tell: Any) -> None:
    on_the_cell(world)
    die = world.die
    die.is_parallel[:] = False
    tell(gen, "OUTP:LOAD INF;:FUNC PULS;:PULS:PER 1E-6;WIDT 50E-9;:VOLT:HIGH 0.3;LOW 0")
    tell(gen, "BURS:STAT ON;:TRIG:SOUR BUS;:OUTP ON;*TRG")
    assert not die.is_parallel[0]
    tell(gen, "VOLT:HIGH 1.1;*TRG")
    assert die.is_parallel[0]
    tell(gen, "OUTP OFF;:OUTP:POL INV;:VOLT:HIGH 0;LOW -1.4;:OUTP ON;*TRG")
    assert not die.is_parallel[0], "a negative pulse writes AP"


def test_a_polarity_that_is_inverted_rests_at_the_high_level(gen: Any, world: World, tell: Any) -> None:
    across = loaded(world)
    tell(gen, "FUNC PULS;VOLT:HIGH 0;LOW -0.8;:OUTP:POL INV;:BURS:STAT ON;:TRIG:SOUR BUS;:OUTP ON")
    assert across() == pytest.approx(0.0, abs=1e-6)
    seen = levels(gen)
    tell(gen, "*TRG")
    assert seen[0][1] == pytest.approx(-1.6, rel=0.02)


def test_the_switching_probability_follows_the_width(world: World, tell: Any) -> None:
    from mtjlab.physics import mtj

    gen = SimKeysight33622A("gen", world, HostClock(world))
    on_the_cell(world)
    tell(gen, "OUTP:LOAD INF;:FUNC PULS;:PULS:PER 1E-5;WIDT 200E-9;:VOLT:HIGH 0.75;LOW 0")
    tell(gen, "BURS:STAT ON;:TRIG:SOUR BUS;:OUTP ON")
    die, switched = world.die, 0
    output = gen.channels[0].output
    output._main.drive_volts(output._errors.applied(0.75), 1.0)
    die.is_parallel[:] = False
    world.circuit.cell_changed(0)
    volts = float(world.cell_volts()[0])
    output._main.drive_volts(0.0, 1.0)
    for _ in range(300):
        die.is_parallel[:] = False
        world.circuit.cell_changed(0)
        tell(gen, "*TRG")
        switched += int(die.is_parallel[0])
    expected = mtj.switching_probability(
        volts / die.set_volts[0], 200e-9, die.delta[0], die.description.damping_seconds
    )
    assert switched / 300 == pytest.approx(float(expected), abs=4 * np.sqrt(0.25 / 300))


def test_bursts_by_the_internal_period(gen: Any, world: World, tell: Any) -> None:
    tell(gen, "FUNC PULS;:PULS:PER 1E-4;WIDT 1E-5;:BURS:NCYC 2;STAT ON;INT:PER 1E-3;:OUTP ON")
    seen = levels(gen)
    world.wait(2e-3)
    rises = [t for t, level in seen if level > 0]
    assert np.diff(rises)[:3] == pytest.approx([9e-4, 1e-4, 9e-4], rel=0.01)


def test_triggers_that_are_not_the_bus(gen: Any, world: World, tell: Any, ask: Any) -> None:
    tell(gen, "FUNC PULS;:BURS:STAT ON;:TRIG:SOUR EXT;:OUTP ON")
    seen = levels(gen)
    tell(gen, "*TRG")
    assert ask(gen, "SYST:ERR?") == '-211,"Trigger ignored"'
    gen.external_trigger()
    assert len(seen) == 3
    tell(gen, "TRIG1")
    assert len(seen) == 6, "TRIGger forces one whatever the source"
    tell(gen, "BURS:MODE GAT")
    assert len(seen) == 7
    tell(gen, "INIT1:CONT OFF;:BURS:MODE TRIG;:TRIG:SOUR BUS;COUN 2;:INIT1")
    seen.clear()
    tell(gen, "*TRG", "*TRG")
    assert len(seen) == 6
    assert ask(gen, "SYST:ERR?") == NO_ERROR
    tell(gen, "*TRG")
    assert ask(gen, "SYST:ERR?") == '-211,"Trigger ignored"'


def test_a_group_trigger_is_a_bus_trigger(gen: Any, tell: Any, ask: Any) -> None:
    gen.group_trigger(1e-4)
    assert ask(gen, "SYST:ERR?") == '-211,"Trigger ignored"'
    tell(gen, "FUNC PULS;:BURS:STAT ON;:TRIG:SOUR BUS;:OUTP ON")
    seen = levels(gen)
    gen.group_trigger(1e-4)
    assert len(seen) == 3


def test_arbitrary_waveforms(gen: Any, world: World, tell: Any, ask: Any) -> None:
    loaded(world)
    steps = ",".join(["-1"] * 8 + ["0"] * 8 + ["1"] * 8 + ["0"] * 8)
    tell(gen, f"DATA:ARB steps, {steps};:FUNC:ARB steps;:FUNC:ARB:SRAT 1E6;:FUNC ARB;:VOLT 2;:OUTP ON")
    assert ask(gen, "FUNC:ARB?") == '"STEPS"'
    assert ask(gen, "FUNC:ARB:POIN?;FREQ?") == "+32;+3.125000000000000E+04"
    seen = levels(gen)
    world.wait(32e-6)
    assert {round(level / 2, 1) for _, level in seen} == {-1.0, 0.0, 1.0}
    assert np.diff([t for t, _ in seen]) == pytest.approx(8e-6, rel=1e-6)
    samples = np.linspace(-1, 1, 64, dtype=">f4").tobytes()
    gen.receive(b"SOUR2:DATA:ARB up,#3256" + samples + b"\n", is_end=True, bus_seconds=0.0)
    assert ask(gen, "SOUR2:DATA:ATTR:POIN? up;AVER? up;PTP? up").startswith("+64;")
    assert ask(gen, "SOUR2:DATA:VOL:CAT?;:DATA:VOL:CAT?") == (
        '"INT:\\BUILTIN\\EXP_RISE.ARB","UP";"INT:\\BUILTIN\\EXP_RISE.ARB","STEPS"'
    )
    tell(gen, f"DATA:ARB steps, {steps}")
    assert ask(gen, "SYST:ERR?") == '+786,"Specified arb waveform already exists"'
    tell(gen, "DATA:VOL:CLE")
    assert ask(gen, "FUNC:ARB?") == '"INT:\\BUILTIN\\EXP_RISE.ARB"'
    tell(gen, "FUNC:ARB steps")
    assert ask(gen, "SYST:ERR?").startswith("+785")
    assert ask(gen, "SYST:ERR?") == NO_ERROR


def test_saved_setups_and_reset(gen: Any, tell: Any, ask: Any) -> None:
    tell(gen, "FREQ 5E3;*SAV 1;*RST;*RCL 1")
    assert float(ask(gen, "FREQ?")) == 5e3
    tell(gen, "*RCL 3")
    assert ask(gen, "SYST:ERR?").startswith("-224")


def test_smooth_waveforms_reach_their_peaks(gen: Any, world: World, tell: Any) -> None:
    for function in ("SIN", "TRI", "RAMP", "PRBS"):
        tell(gen, f"FUNC {function};VOLT 2;:OUTP ON")
        seen = levels(gen)
        world.wait(0.13 if function == "PRBS" else 2e-3)
        volts = [level / 2 for _, level in seen]
        assert 0.7 < max(volts) < 1.03
        assert -1.03 < min(volts) < -0.7
        assert len(seen) < 600


def test_nothing_escapes(gen: Any, pulser: Any, tell: Any, ask: Any) -> None:
    for junk in (
        "",
        ";;",
        "APPL:SIN x",
        "VOLT 1e999",
        "BURS:NCYC MAX?",
        "OUTP MAYBE",
        "DATA:ARB",
        "*SAV 9",
        ":PULS:WIDT9 1",
    ):
        for instrument in (gen, pulser):
            tell(instrument, junk)
    with pytest.raises(NoReply):
        ask(gen, "*CLS", timeout_seconds=0.1)
