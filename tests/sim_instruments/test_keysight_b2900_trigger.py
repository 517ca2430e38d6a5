"""Trigger system of simulated B2900A units: layers, lines, two channels, pulses, endless sweeps, completion."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keysight_b2900 import SimKeysightB2900
from mtjlab.sim_instruments.keysight_b2900_settings import B2902A, B2912A, B2900Model
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

OHMS = 1000.0
ON = ":SENS1:CURR:PROT 0.1;:OUTP1 ON;:SENS2:CURR:PROT 0.1;:OUTP2 ON"
IDLE = 1170


@pytest.fixture
def smu() -> SimKeysightB2900:
    """A B2902A with a kilohm from each channel to ground."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeysightB2900("a", world, HostClock(world), B2902A)
    for number in (1, 2):
        world.connect(f"a.{number}.hi", "ground", OHMS)
    return unit


def errors(smu: SimKeysightB2900) -> list[int]:
    return [smu.status.errors.take().code for _ in range(len(smu.status.errors))]


def numbers(reply: str) -> list[float]:
    return [float(part) for part in reply.split(",")]


def volts(smu: SimKeysightB2900, number: int = 1) -> float:
    return smu.channel(number).point().volts


def record(smu: SimKeysightB2900, number: int = 1) -> list[tuple[float, float]]:
    """(time, volts) of everything that a channel's output is told from now on."""
    source = smu.channel(number).stage._source
    history: list[tuple[float, float]] = []
    drive = source.drive_volts

    def keep(level: float, limit: float) -> None:
        history.append((smu.world.seconds, level))
        drive(level, limit)

    source.drive_volts = keep  # type: ignore[method-assign]
    return history


@pytest.mark.parametrize("source", ["BUS", "EXT3", "INT2", "LAN"])
def test_an_immediate_trigger_serves_any_source(smu: SimKeysightB2900, tell: Any, ask: Any, source: str) -> None:
    tell(smu, ON, f":TRIG1:SOUR {source};COUN 2;:SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.1,0.3;:INIT (@1)")
    assert ask(smu, ":STAT:OPER:COND?") == str(IDLE - 2 - 16 + 4 + 32)
    tell(smu, ":TRIG (@1)")
    assert volts(smu) == pytest.approx(0.1, abs=1e-3)
    tell(smu, ":TRIG:TRAN (@1)")
    assert volts(smu) == pytest.approx(0.3, abs=1e-3)
    assert ask(smu, ":STAT:OPER:COND?") == str(IDLE - 16 + 32), "the measurement still waits"
    tell(smu, ":TRIG:ACQ (@1)")
    assert ask(smu, ":STAT:OPER:COND?") == str(IDLE)
    assert numbers(ask(smu, ":FETC:ARR:CURR? (@1)")) == pytest.approx([1e-4, 3e-4], rel=1e-2)
    assert errors(smu) == []


def test_a_digital_line_triggers_only_as_a_trigger_input(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG1:SOUR EXT5;:SOUR1:VOLT 0.2;:INIT (@1)")
    smu.pulse_in(5)
    assert not smu.is_idle
    tell(smu, ":SOUR:DIG:EXT5:FUNC TINP")
    smu.pulse_in(4)
    assert not smu.is_idle
    smu.pulse_in(5)
    assert smu.is_idle
    assert float(ask(smu, ":FETC:CURR? (@1)")) == pytest.approx(2e-4, rel=1e-2)


def test_one_channel_triggers_the_other(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.1,0.2,0.3;:TRIG1:COUN 3;:SENS1:CURR:APER 1e-4")
    tell(smu, ":SOUR2:VOLT:MODE LIST;:SOUR2:LIST:VOLT 1,2,3;:TRIG2:SOUR INT1;COUN 3;:SENS2:CURR:APER 1e-5")
    tell(smu, ":SENS1:TOUT ON;TOUT:SIGN INT1,EXT2;:SOUR:DIG:INT1:TOUT:POS AFT;:SOUR:DIG:EXT2:FUNC TOUT")
    tell(smu, ":SOUR:DIG:EXT2:TOUT:POS BEF;WIDT 2e-4;:SYST:TIME:TIM:COUN:RES:AUTO OFF")
    tell(smu, ":INIT (@2)")
    assert not smu.is_idle
    tell(smu, ":FORM:ELEM:SENS SOUR,TIME;:INIT (@1)")
    assert smu.is_idle, "three measurements of channel 1 have triggered channel 2 three times"
    one, two = numbers(ask(smu, ":FETC:ARR? (@1)")), numbers(ask(smu, ":FETC:ARR? (@2)"))
    assert two[1::2] == [1.0, 2.0, 3.0]
    assert np.all(np.array(two[0::2]) > np.array(one[0::2])), "each after channel 1's own"
    pulses = list(smu.digital.pulses)
    assert [(pulse.line, pulse.width_seconds) for pulse in pulses] == [(2, 2e-4)] * 3
    assert errors(smu) == []


def test_arm_layer_repeats_the_sweep(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.1,0.2;:TRIG1:COUN 2;:FORM:ELEM:SENS TIME,SOUR")
    tell(smu, ":ARM1:COUN 3;SOUR TIM;TIM 0.05;DEL 0.01;:SENS1:CURR:APER 1e-4")
    data = numbers(ask(smu, ":READ:ARR? (@1)"))
    assert data[1::2] == [0.1, 0.2] * 3
    assert np.diff(data[0::4]) == pytest.approx([0.05] * 2, rel=1e-6), "armed by the timer"
    assert data[0] > 0.01, "after the arm delay"


def test_a_bypassed_layer_begins_by_itself(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":ARM1:SOUR BUS;COUN 2;BYP ONCE;:TRIG1:SOUR BUS;COUN 2;BYP ONCE;:INIT (@1)")
    assert len(smu.channel(1).readings) == 1, "neither waits the first time"
    tell(smu, "*TRG")
    assert len(smu.channel(1).readings) == 2
    assert int(ask(smu, ":STAT:OPER:COND?")) & 0b1001000 == 0b1001000, "waits for the second arm trigger"
    tell(smu, "*TRG", "*TRG")
    assert len(smu.channel(1).readings) == 3
    tell(smu, "*TRG")
    assert smu.is_idle


def test_transient_and_acquire_count_apart(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:MODE SWE;:SOUR1:VOLT:STAR 0;STOP 0.4;POIN 5;:SENS1:CURR:APER 1e-4")
    tell(smu, ":TRIG1:TRAN:SOUR TIM;COUN 5;TIM 1e-2;:TRIG1:ACQ:SOUR TIM;COUN 50;TIM 1e-3;DEL 2e-4")
    tell(smu, ":FORM:ELEM:SENS CURR;:INIT (@1)")
    amps = np.array(numbers(ask(smu, ":FETC:ARR? (@1)"))).reshape(5, 10)
    assert amps == pytest.approx(np.repeat(np.arange(5)[:, None] * 1e-4, 10, axis=1), abs=2e-6)


def test_a_timer_too_fast_loses_triggers_and_says_so(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG1:SOUR TIM;TIM 1e-3;COUN 4;:SENS1:CURR:APER 2.5e-3;:FORM:ELEM:SENS TIME")
    assert ask(smu, ":STAT:QUES?") == "0"
    tell(smu, ":INIT:ACQ (@1)")
    times = numbers(ask(smu, ":FETC:ARR? (@1)"))
    assert np.diff(times) == pytest.approx([3e-3] * 3, rel=1e-6), "every third trigger finds it idle"
    assert int(ask(smu, ":STAT:QUES:EVEN?")) & 4096
    assert int(ask(smu, ":STAT:QUES:EVEN?")) == 0


def test_an_endless_sweep_goes_on_as_time_passes(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG1:SOUR TIM;TIM 1e-2;COUN INF;:SENS1:CURR:APER 1e-4;:SOUR1:VOLT 0.1;:INIT (@1)")
    assert ask(smu, ":TRIG1:COUN?") == "9.900000E+37"
    begun = len(smu.channel(1).readings)
    smu._host.spend(1.0)
    assert int(ask(smu, ":STAT:OPER:COND?")) & 18 == 0
    assert len(smu.channel(1).readings) - begun == pytest.approx(100, abs=2)
    assert smu.channel(1).readings[-1].amps == pytest.approx(1e-4, rel=1e-2)
    tell(smu, ":ABOR (@1)")
    assert smu.is_idle
    settled = len(smu.channel(1).readings)
    smu._host.spend(1.0)
    tell(smu, ":OUTP1 OFF")
    assert len(smu.channel(1).readings) == settled


def test_an_endless_sweep_keeps_its_memory_and_pace(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG1:ACQ:SOUR TIM;TIM 1e-4;COUN INF;:SENS1:CURR:APER 1e-5;:INIT:ACQ (@1)")
    smu._host.spend(3600.0)
    assert int(ask(smu, ":STAT:OPER:COND?")) & 16 == 0
    assert len(smu.channel(1).readings) < 60_000, "not 36 million"
    assert smu.world.seconds >= 3600, "yet the time has passed"
    smu._host.spend(1e-3)
    assert int(ask(smu, ":STAT:QUES?")) & 4096, "and what was not followed counts as lost"


def test_aborting_one_action_or_channel(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG1:SOUR BUS;:TRIG2:SOUR BUS;:INIT (@1,2);:ABOR:TRAN (@1)")
    assert ask(smu, ":STAT:OPER:COND?") == str(2 + 32 + 256 + 2048)
    tell(smu, ":ABOR (@2)")
    assert ask(smu, ":STAT:OPER:COND?") == str(IDLE - 16 + 32)
    tell(smu, "*TRG")
    assert smu.is_idle
    assert len(smu.channel(1).readings) == 1
    assert smu.channel(2).readings == []


def test_completion_waits_for_the_triggers(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, "*CLS", ":TRIG1:SOUR BUS;:INIT (@1);*OPC")
    assert ask(smu, "*ESR?") == "0"
    with pytest.raises(NoReply):
        ask(smu, "*OPC?", 0.1)
    assert ask(smu, "*TRG") == "1"
    assert errors(smu) == [-420]
    assert int(ask(smu, "*ESR?")) & 1
    tell(smu, ":INIT (@1)")
    with pytest.raises(NoReply):
        ask(smu, ":IDLE1:ACQ?", 0.1)
    assert ask(smu, "*TRG") == "1"
    tell(smu, ":INIT (@1)", ":MEAS? (@1)", "*SAV 0", "*TST?", ":ABOR (@1)")
    assert errors(smu) == [-420, 203, 203, 203]


def test_a_poll_of_the_event_register_finds_the_sweep_running(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, "*CLS", ":TRIG1:COUN 10;:SENS1:CURR:NPLC 1;:INIT (@1)", "*OPC")
    polls = [int(ask(smu, "*ESR?")) & 1 for _ in range(5)]
    assert 1 in polls
    assert sum(polls) == 1, "told once"


def test_transitions_of_the_operation_register(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":STAT:OPER:PTR 2;NTR 18;:STAT:OPER:ENAB 16")
    ask(smu, ":STAT:OPER?")
    tell(smu, ":INIT (@1)")
    assert ask(smu, ":STAT:OPER?") == "18", "both left idle; bit 1 came back, too"
    assert ask(smu, ":STAT:OPER:PTR?;NTR?") == "2;18"
    tell(smu, ":INIT (@1)")
    assert int(ask(smu, "*STB?")) & 128
    tell(smu, ":STAT:PRES")
    assert ask(smu, ":STAT:OPER:PTR?;NTR?;ENAB?") == "32767;0;0"


def test_a_sweep_returns_to_its_start_unless_told_to_stay(smu: SimKeysightB2900, tell: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:MODE SWE;:SOUR1:VOLT:STAR 0.1;STOP 0.5;POIN 5;:TRIG1:COUN 5;:INIT (@1)")
    assert volts(smu) == pytest.approx(0.1, abs=1e-3)
    tell(smu, ":SOUR1:FUNC:TRIG:CONT ON;:INIT (@1)")
    assert volts(smu) == pytest.approx(0.5, abs=1e-3)


def test_waiting_times(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0.1,0.2,0.3;:TRIG1:COUN 3;:SENS1:CURR:APER 1e-4")
    tell(smu, ":FORM:ELEM:SENS TIME")
    usual = np.diff(numbers(ask(smu, ":READ:ARR? (@1)")))
    tell(smu, ":SENS1:WAIT:OFFS 1e-3")
    assert np.diff(numbers(ask(smu, ":READ:ARR? (@1)"))) - usual == pytest.approx([1e-3] * 2, rel=1e-3)
    tell(smu, ":SENS1:WAIT:AUTO OFF")
    assert np.diff(numbers(ask(smu, ":READ:ARR? (@1)"))) == pytest.approx([1.1e-3] * 2, rel=1e-3)
    tell(smu, ":SENS1:WAIT OFF;:SOUR1:WAIT:OFFS 5e-3")
    assert np.diff(numbers(ask(smu, ":READ:ARR? (@1)"))) == pytest.approx([5.01e-3] * 2, rel=1e-3)
    tell(smu, ":SOUR1:WAIT OFF")
    assert np.diff(numbers(ask(smu, ":READ:ARR? (@1)"))) == pytest.approx([1e-4] * 2, rel=1e-3)


def test_an_output_filter_slows_the_output_down(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT 0,1;:TRIG1:SOUR TIM;TIM 0.1;COUN 2;:SENS1:CURR:APER 1e-4")
    tell(smu, ":FORM:ELEM:SENS CURR;:OUTP1:FILT:AUTO OFF;:OUTP1:FILT:TCON 5e-3;:SENS1:WAIT OFF;:TRIG1:ACQ:DEL 5e-3")
    history = record(smu)
    amps = numbers(ask(smu, ":READ:ARR? (@1)"))
    assert amps[1] == pytest.approx(1e-3 * (1 - np.exp(-1)), rel=0.1), "one time constant after the step"
    rise = [(seconds, level) for seconds, level in history if 0.01 < level < 0.99]
    assert len(rise) > 10
    tell(smu, ":OUTP1:FILT OFF")
    assert numbers(ask(smu, ":READ:ARR? (@1)"))[1] == pytest.approx(1e-3, rel=1e-2)
    tell(smu, ":OUTP1:FILT ON;:SOUR1:VOLT:MODE FIX", ":SOUR1:VOLT 0.7")
    assert volts(smu) == pytest.approx(0.7, rel=1e-3), "there when the command is done"
    assert ask(smu, ":OUTP1:FILT:FREQ?") == "+3.183099E+01"


def test_staircase_polled_and_fetched_in_binary(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ":SOUR1:FUNC:MODE VOLT;:SOUR1:VOLT:MODE SWE;STAR 0;STOP 1;POIN 11", ':SENS1:FUNC "CURR"')
    tell(smu, ":SENS1:CURR:PROT 0.01;NPLC 0.1;:TRIG1:SOUR AINT;COUN 11;:OUTP1 ON;:FORM REAL,64")
    tell(smu, ":INIT (@1)")
    polls = 0
    while int(ask(smu, ":STAT:OPER:COND?")) & 18 != 18:
        polls += 1
    assert 0 < polls < 100
    reply = ask(smu, ":FETC:ARR:CURR? (@1)").encode("latin-1")
    assert reply.startswith(b"#288")
    assert np.frombuffer(reply[4:], ">f8") == pytest.approx(np.linspace(0, 1e-3, 11), abs=2e-6)
    assert errors(smu) == []


def test_pulses_switch_a_junction_and_back(tell: Any, ask: Any) -> None:
    """Pulsed list sweep into one cell, read at a small bias after each pulse: a hysteresis loop."""
    die = {"rows": 1, "cols": 1}
    world = World.from_description(die, seed=5, line_hertz=50)
    smu = SimKeysightB2900("a", world, HostClock(world), B2902A)
    world.connect("a.1.hi", "die.row.0")
    world.connect("die.col.0", "ground")
    amplitudes = np.concatenate([np.linspace(0, 0.9, 10), np.linspace(0.8, -0.9, 18), np.linspace(-0.8, 0, 9)])
    tell(smu, "*RST", ":SENS1:CURR:PROT 1e-2;:SOUR1:VOLT 0.02;:OUTP1 ON;:SOUR1:FUNC:SHAP PULS;:SOUR1:PULS:WIDT 1e-3")
    tell(smu, ":SOUR1:VOLT:MODE LIST;:SOUR1:LIST:VOLT " + ",".join(f"{v:.3f}" for v in amplitudes))
    tell(smu, f":TRIG1:SOUR TIM;TIM 0.02;COUN {amplitudes.size};:TRIG1:ACQ:DEL 2e-3;:SENS1:CURR:APER 5e-3")
    tell(smu, ":FORM:ELEM:SENS RES;:SENS1:FUNC:ALL;:INIT (@1)")
    ohms = np.array(numbers(ask(smu, ":FETC:ARR? (@1)")))
    up, down = ohms[9], ohms[27]
    assert max(up, down) / min(up, down) > 1.3, "the two ends of the loop differ by the magnetoresistance"
    assert ohms[18] == pytest.approx(up, rel=0.05), "at zero on the way down it remembers one end"
    assert ohms[-1] == pytest.approx(down, rel=0.05), "and on the way up the other"
    assert errors(smu) == []


def test_two_channels_sweep_in_step(smu: SimKeysightB2900, tell: Any, ask: Any) -> None:
    smu.world.connect("a.1.hi", "a.2.hi", OHMS)
    for number, start in ((1, 0.0), (2, 1.0)):
        tell(smu, f":SOUR{number}:VOLT:MODE SWE;STAR {start};STOP {1 - start};POIN 6;:TRIG{number}:COUN 6")
        tell(smu, f":SENS{number}:CURR:PROT 0.1;:OUTP{number} ON;:SENS{number}:CURR:APER 1e-3")
    tell(smu, ":FORM:ELEM:SENS CURR,SOUR;:INIT (@1,2)")
    data = np.array(numbers(ask(smu, ":FETC:ARR? (@1,2)"))).reshape(6, 4)
    assert data[:, 1] + data[:, 3] == pytest.approx([1.0] * 6)
    difference = data[:, 1] - data[:, 3]
    assert data[:, 0] == pytest.approx(data[:, 1] / OHMS + difference / OHMS, abs=1e-5)
    assert data[:, 2] == pytest.approx(data[:, 3] / OHMS - difference / OHMS, abs=1e-5)


@pytest.mark.parametrize(("model", "rate"), [(B2902A, 49_000), (B2912A, 83_500)])
def test_automatic_triggers_come_no_faster_than_those_of_a_timer(
    model: B2900Model, rate: float, tell: Any, ask: Any
) -> None:
    """The data sheet's readings per second to memory, with the shortest aperture."""
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    unit = SimKeysightB2900("a", world, HostClock(world), model)
    world.connect("a.1.hi", "ground", OHMS)
    tell(
        unit,
        "*RST",
        ":SENS1:CURR:PROT 0.1;RANG:AUTO OFF;:SENS1:CURR:RANG 1E-3;APER MIN;:SENS1:WAIT OFF;:SOUR1:WAIT OFF",
    )
    tell(unit, ":FORM:ELEM:SENS TIME;:OUTP1 ON;:TRIG1:COUN 400;:INIT (@1)")
    times = np.array(numbers(ask(unit, ":FETC:ARR? (@1)")))
    assert 1 / np.diff(times).mean() == pytest.approx(rate, rel=0.25)
