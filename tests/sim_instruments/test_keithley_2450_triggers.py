"""The trigger model of a simulated 2450: blocks, events, timers, digital lines, and models that go on by themselves."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keithley_2450 import SimKeithley2450
from mtjlab.sim_instruments.wire_instrument import NoReply

from .k2450 import ON, errors, numbers, on_a_kilohm


@pytest.fixture
def smu() -> SimKeithley2450:
    return on_a_kilohm()


def state(smu: SimKeithley2450, ask: Any) -> str:
    """State that :TRIGger:STATe? tells."""
    return str(ask(smu, ":TRIG:STAT?")).split(";")[0]


def test_nested_counters_and_the_listing(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, 'TRIG:LOAD "EMPTY"', "TRIG:BLOC:BUFF:CLEAR 1", "TRIG:BLOC:MEAS 2", "TRIG:BLOC:BRAN:COUN 3, 5, 2")
    tell(smu, "TRIG:BLOC:DEL:CONS 4, 1", "TRIG:BLOC:BRAN:COUN 5, 3, 2")
    listing = [" ".join(line.split()) for line in ask(smu, ":TRIG:BLOC:LIST?").split("\n")]
    assert listing == [
        "1) BUFFER_CLEAR BUFFER: defbuffer1",
        "2) MEASURE BUFFER: defbuffer1 COUNT: 1",
        "3) BRANCH_COUNTER VALUE: 5 BRANCH_BLOCK: 2",
        "4) DELAY_CONSTANT DELAY: 1.000000000",
        "5) BRANCH_COUNTER VALUE: 3 BRANCH_BLOCK: 2",
    ]
    before = smu.world.seconds
    tell(smu, "INIT", "*WAI")
    assert ask(smu, ":TRAC:ACT?;:TRIG:BLOC:BRAN:COUN:COUN? 5;:TRIG:STAT?") == "15;3;IDLE;IDLE;5"
    assert 3 < smu.world.seconds - before < 5
    events = [ask(smu, ":SYST:EVEN:NEXT?").split(",")[0] for _ in range(int(ask(smu, ":SYST:EVEN:COUN?")))]
    assert events == ["2731", "4917", "2732"]


def test_once_reset_and_constant_branches(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:BRAN:ONCE 1,3", ":TRIG:BLOC:MEAS 2", ":TRIG:BLOC:NOP 3")
    tell(smu, ":TRIG:BLOC:BRAN:ONCE:EXCL 4,6", ":TRIG:BLOC:BRAN:ALW 5,1", ":TRIG:BLOC:NOP 6;:INIT")
    assert ask(smu, ":TRAC:ACT?") == "1", "only on the second pass"
    tell(smu, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:BUFF:CLE 1", ":TRIG:BLOC:MEAS 2", ":TRIG:BLOC:BRAN:COUN 3,2,2")
    tell(smu, ":TRIG:BLOC:BRAN:COUN:RES 4,3", ":TRIG:BLOC:BRAN:COUN 5,2,2;:INIT")
    assert ask(smu, ":TRAC:ACT?;:TRIG:BLOC:BRAN:COUN:COUN? 3") == "4;0"
    tell(smu, ":TRIG:BLOC:BRAN:ALW 300,1")
    assert errors(smu) == [-222]


@pytest.mark.parametrize(
    ("kind", "low", "high", "goes"),
    [
        ("ABOV", 0, 5e-5, True), ("ABOV", 0, 5e-4, False), ("BEL", 5e-4, 0, True), ("BEL", 5e-5, 0, False),
        ("IN", 5e-5, 5e-4, True), ("IN", 5e-4, 5e-5, True), ("OUT", 5e-5, 5e-4, False), ("OUT", 5e-4, 1e-3, True),
    ],
)  # fmt: skip
def test_limit_branches(
    smu: SimKeithley2450, tell: Any, ask: Any, kind: str, low: float, high: float, goes: bool
) -> None:
    tell(smu, ON, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:MEAS 1", f":TRIG:BLOC:BRAN:LIM:CONS 2,{kind},{low},{high},4")
    tell(smu, ":TRIG:BLOC:MEAS 3", ":TRIG:BLOC:NOP 4", ":INIT")
    assert ask(smu, ":TRAC:ACT?") == ("1" if goes else "2")
    tell(smu, f":CALC2:CURR:LIM2:LOW {low};UPP {high}", f":TRIG:BLOC:BRAN:LIM:DYN 2,{kind},2,4,1", ":TRAC:CLE;:INIT")
    assert ask(smu, ":TRAC:ACT?") == ("1" if goes else "2")
    assert errors(smu) == []


def test_a_loop_until_readings_have_settled(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(
        smu, ON, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:MEAS 1", ":TRIG:BLOC:BRAN:DELT 2,1e-6,4,1", ":TRIG:BLOC:BRAN:ALW 3,1"
    )
    tell(smu, ":TRIG:BLOC:NOP 4", ":INIT")
    assert ask(smu, ":TRAC:ACT?") == "2", "two are needed for a difference"
    tell(smu, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:BRAN:DELT 1,1,2", ":INIT")
    assert state(smu, ask) == "FAILED"
    assert errors(smu) == [-221]


def test_waiting_for_a_trigger_from_the_bus(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:BUFF:CLE 1", ":TRIG:BLOC:WAIT 2,COMM", ":TRIG:BLOC:MEAS 3")
    tell(smu, ":TRIG:BLOC:BRAN:COUN 4,3,2", ":INIT;*OPC")
    assert ask(smu, ":TRIG:STAT?;:TRAC:ACT?;*ESR?") == "WAITING;WAITING;2;0;128"
    with pytest.raises(NoReply):
        ask(smu, "*OPC?", 1.0)
    tell(smu, ":INIT", ":TRIG:BLOC:NOP 9")
    assert errors(smu) == [-420, -213, -221], "neither while it runs"
    tell(smu, "*TRG")
    smu.group_trigger(0.0)
    assert ask(smu, ":TRAC:ACT?;:TRIG:STAT?") == "2;WAITING;WAITING;2"
    tell(smu, "*TRG")
    assert ask(smu, ":TRAC:ACT?;:TRIG:STAT?;*OPC?") == "3;IDLE;IDLE;4;1"
    assert int(ask(smu, "*ESR?")) & 1


def test_events_before_a_wait_count_unless_cleared(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    for clear, waits in (("NEV", False), ("ENT", True)):
        tell(smu, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:NOT 1,2", f":TRIG:BLOC:WAIT 2,NOT2,{clear}", ":INIT")
        assert (state(smu, ask) == "WAITING") == waits
        tell(smu, ":ABOR")
    tell(smu, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:NOT 1,2", ":TRIG:BLOC:WAIT 2,NOT2,NEV,AND,COMM", ":INIT")
    assert state(smu, ask) == "WAITING"
    tell(smu, "*TRG")
    assert state(smu, ask) == "IDLE"
    tell(smu, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:WAIT 1,NONE", ":INIT", ":TRIG:BLOC:WAIT 2,NOT9")
    assert errors(smu) == [-221, -224]


def test_branch_on_an_event(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:BUFF:CLE 1", ":TRIG:BLOC:MEAS 2", ":TRIG:BLOC:BRAN:EVEN 3,COMM,5")
    tell(smu, ":TRIG:BLOC:BRAN:ALW 4,2", ":TRIG:BLOC:NOP 5", ":INIT")
    assert state(smu, ask) == "RUNNING", "it would go on for ever"
    first = int(ask(smu, ":TRAC:ACT?"))
    smu.world.wait(10.0)
    assert int(ask(smu, ":TRAC:ACT?")) > first + 100, "it goes on while the rest of the bench does something else"
    tell(smu, "*TRG")
    smu.world.wait(1.0)
    assert state(smu, ask) == "IDLE"


def test_a_timer_paces_measurements(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, "TRIG:TIM4:DEL 0.5", "TRIG:TIM4:STAR:STIM NOT8", "TRIG:TIM4:STAR:GEN OFF", "TRIG:TIM4:COUN 20")
    tell(smu, "TRIG:TIM4:STAT ON", 'TRIG:LOAD "Empty"', 'TRIG:BLOC:BUFF:CLEAR 1, "defbuffer1"', "TRIG:BLOC:NOT 2, 8")
    tell(
        smu, "TRIG:BLOC:WAIT 3, TIM4", 'TRIG:BLOC:MEAS 4, "defbuffer1"', "TRIG:BLOC:BRAN:COUN 5, 20, 3", "INIT", "*WAI"
    )
    assert ask(smu, 'TRAC:ACT? "defbuffer1"') == "20"
    times = numbers(ask(smu, ":TRAC:DATA? 1,20,'defbuffer1',REL"))
    assert np.diff(times)[1:] == pytest.approx([0.5] * 18, abs=1e-4), "the first one found its range"
    assert errors(smu) == []
    tell(smu, ":TRIG:TIM5:DEL 1", ":TRIG:TIM1:DEL 1e-7", ":TRIG:TIM1:DEL 2;STAR:SEC 60;FRAC 0.5")
    assert ask(smu, ":TRIG:TIM1:DEL?;COUN?;STAR:SEC?;FRAC?;STIM?;OVER?;:TRIG:TIM1:STAT?") == "2;1;60;0.5;NONE;0;0"
    assert errors(smu) == [-114, -222]


def test_an_alarm_starts_a_timer(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    now = int(ask(smu, ":SYST:TIME?"))
    tell(smu, f":TRIG:TIM2:STAR:SEC {now + 60};:TRIG:TIM2:STAT ON", ":TRIG:BLOC:WAIT 1,TIM2")
    before = smu.world.seconds
    tell(smu, ":INIT")
    assert smu.world.seconds - before == pytest.approx(60, abs=1.1)


def test_blenders_and_digital_lines(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":DIG:LINE3:MODE TRIG,IN;:DIG:LINE5:MODE TRIG,IN;:DIG:LINE1:MODE TRIG,OUT;:TRIG:DIG5:IN:EDGE RIS")
    tell(smu, ":TRIG:BLEN1:MODE AND;STIM1 DIG3;STIM2 DIG5;:TRIG:DIG1:OUT:STIM BLEN1", ":TRIG:BLOC:WAIT 1,BLEN1;:INIT")
    smu.drive_line(3, False)
    smu.drive_line(5, False)
    assert state(smu, ask) == "WAITING", "line 5 has only fallen"
    smu.drive_line(5, True)
    assert state(smu, ask) == "IDLE"
    assert smu.bus.lines[1].pulses == 1
    assert ask(smu, ":TRIG:BLEN1:MODE?;STIM2?;OVER?;:DIG:LINE5:MODE?") == "AND;DIG5;0;TRIG,IN"
    tell(smu, ":DIG:LINE3:MODE SYNC,IN", ":DIG:READ?", ":DIG:LINE7:MODE DIG,IN")
    assert errors(smu) == [-221, -221, -114]


def test_the_digital_port(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    assert ask(smu, ":DIG:READ?;:DIG:LINE2:MODE?;STAT?") == "63;DIG,IN;1", "inputs float high"
    tell(smu, *[f":DIG:LINE{n}:MODE DIG,OUT" for n in (3, 4, 5, 6)], ":DIG:WRIT 42")
    assert ask(smu, ":DIG:READ?") == "43"
    tell(smu, ":DIG:LINE4:STAT 0", ":DIG:LINE1:STAT 0")
    assert errors(smu) == [-221]
    tell(smu, ":TRIG:BLOC:DIG:IO 1,20,60;:INIT")
    assert ask(smu, ":DIG:READ?") == str(0b010111)
    smu.drive_line(2, False)
    assert ask(smu, ":DIG:LINE2:STAT?") == "0"


def test_logged_events_and_an_abort_from_a_block(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ":TRIG:BLOC:LOG:EVEN 1,INFO2,'half';:TRIG:BLOC:LOG:EVEN 2,ERR1,'bad';:TRIG:BLOC:LOG:EVEN 3,ABOR,'off'")
    tell(smu, ":TRIG:BLOC:MEAS 4;:INIT")
    assert ask(smu, ":TRAC:ACT?") == "0"
    assert ask(smu, ":SYST:EVEN:NEXT? WARN").startswith('2733,"off;2;')
    assert ask(smu, ":SYST:ERR?").startswith('2742,"bad;1;')


def test_configuration_list_models(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":OUTP OFF;:SOUR:CONF:LIST:CRE 's';:SENS:CONF:LIST:CRE 'm'")
    for volts, scale in ((0.1, 1e-3), (0.2, 1e-3), (0.3, 1e-2)):
        tell(smu, f":SOUR:VOLT {volts};:SENS:CURR:RANG {scale}", ":SOUR:CONF:LIST:STOR 's';:SENS:CONF:LIST:STOR 'm'")
    tell(smu, ":TRIG:LOAD 'ConfigList','m','s',0.01,'defbuffer2'", ":INIT;*WAI")
    data = numbers(ask(smu, ":TRAC:DATA? 1,3,'defbuffer2',SOUR,READ"))
    assert data == pytest.approx([0.1, 1e-4, 0.2, 2e-4, 0.3, 3e-4], rel=1e-2)
    assert ask(smu, ":OUTP?;:SENS:CURR:RANG?") == "0;0.01"
    tell(smu, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:SOUR:STAT 1,ON", ":TRIG:BLOC:CONF:PREV 2,'s'", ":TRIG:BLOC:MEAS 3")
    tell(smu, ":TRIG:BLOC:BRAN:COUN 4,4,2", ":TRAC:CLE;:INIT")
    assert numbers(ask(smu, ":TRAC:DATA? 1,4")) == pytest.approx([3e-4, 2e-4, 1e-4, 3e-4], rel=1e-2)
    tell(smu, ":TRIG:LOAD 'Empty'", ":TRIG:BLOC:CONF:NEXT 1,'s','m'", ":TRIG:BLOC:MEAS 2", ":TRIG:BLOC:BRAN:COUN 3,2,1")
    tell(smu, ":TRAC:CLE;:INIT")
    assert numbers(ask(smu, ":TRAC:DATA? 1,2")) == pytest.approx([1e-4, 2e-4], rel=1e-2)
    tell(smu, ":TRIG:BLOC:CONF:NEXT 1,'none'")
    assert errors(smu) == [2790]


def test_user_delays_are_looked_up_when_they_are_reached(smu: SimKeithley2450, tell: Any) -> None:
    tell(smu, ":TRIG:BLOC:DEL:DYN 1,SOUR1;:TRIG:BLOC:DEL:DYN 2,MEAS2", ":SOUR:VOLT:DEL:USER1 5;:SENS:CURR:DEL:USER2 2")
    before = smu.world.seconds
    tell(smu, ":INIT")
    assert smu.world.seconds - before == pytest.approx(7, abs=0.01)


def test_logic_trigger(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRIG:LOAD 'LogicTrigger',1,2,3,ENTer,0.001,'defbuffer1'", ":INIT")
    for taken in range(3):
        assert ask(smu, ":TRAC:ACT?") == str(taken)
        smu.drive_line(1, False)
        smu.drive_line(1, True)
    assert ask(smu, ":TRAC:ACT?;:TRIG:STAT?") == "3;IDLE;IDLE;5"
    assert smu.bus.lines[2].pulses == 3


@pytest.mark.parametrize(
    ("model", "volts", "pattern"),
    [
        ("GradeBinning", 0.1, 15), ("GradeBinning", 0.3, 1), ("GradeBinning", 0.18, 2),
        ("SortBinning", 0.1, 1), ("SortBinning", 0.3, 15), ("SortBinning", 0.18, 1),
    ],
)  # fmt: skip
def test_binning(smu: SimKeithley2450, tell: Any, ask: Any, model: str, volts: float, pattern: int) -> None:
    tell(smu, ON, f":SOUR:VOLT {volts}", f":TRIG:LOAD '{model}',1,5,0,0.1,2e-4,5e-5,1,15,1.5e-4,5e-5,2", ":INIT")
    assert state(smu, ask) == "WAITING"
    smu.drive_line(5, False)
    assert state(smu, ask) == "IDLE"
    assert sum(smu.bus.lines[n].reads_high << (n - 1) for n in range(1, 5)) == pattern
    assert errors(smu) == []


def test_measuring_until_an_event(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":TRAC:MAKE 'ring',100;:TRAC:FILL:MODE CONT,'ring'", ":TRIG:LOAD 'LoopUntilEvent',COMM,25,0,'ring'")
    tell(smu, ":INIT")
    smu.world.wait(20.0)
    assert state(smu, ask) == "WAITING"
    assert ask(smu, ":TRAC:ACT? 'ring'") == "100", "it measures while it waits"
    tell(smu, ":SOUR:VOLT 0.2", "*TRG")
    assert ask(smu, "*OPC?;:TRIG:STAT?") == "1;IDLE;IDLE;5"
    values = np.array(numbers(ask(smu, ":TRAC:DATA? 1,100,'ring'")))
    assert (values > 1.5e-4).sum() == pytest.approx(75, abs=2)
    tell(smu, ":TRIG:LOAD 'LoopUntilEvent',NONE,25", ":TRIG:LOAD 'Other'", ":TRIG:LOAD 'SimpleLoop'")
    assert errors(smu) == [-221, -224, -109]


def test_an_endless_sweep_runs_until_it_is_aborted(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:SWE:VOLT:LIN 0,0.3,4,0.01,0,BEST,OFF", ":INIT")
    assert state(smu, ask) == "RUNNING"
    seen = set()
    for _ in range(40):
        smu.world.wait(0.037)
        seen.add(round(smu.output.point().volts, 1))
    assert seen == {0.0, 0.1, 0.2, 0.3}
    tell(smu, ":TRIG:PAUS")
    held = ask(smu, ":TRAC:ACT?;:TRIG:STAT?")
    smu.world.wait(5.0)
    assert ask(smu, ":TRAC:ACT?;:TRIG:STAT?") == held
    assert ";PAUSED;" in held
    tell(smu, ":TRIG:RES")
    assert state(smu, ask) == "RUNNING"
    tell(smu, ":ABOR")
    assert state(smu, ask) == "ABORTED"
    assert not smu.world.processes
    assert ask(smu, ":SYST:EVEN:COUN?;:OUTP?").endswith(";1")


def test_the_model_goes_on_with_what_others_do_to_the_bench(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    other = smu.world.add_source("other", "a.hi")
    tell(
        smu,
        ":SOUR:FUNC CURR;:SENS:FUNC 'VOLT';:OUTP ON",
        ":TRIG:BLOC:MEAS 1,'defbuffer1',INF",
        ":TRIG:BLOC:WAIT 2,DISP",
    )
    tell(smu, ":INIT")
    smu.world.wait(1.0)
    other.drive_amps(1e-3, 5.0)
    smu.world.wait(1.0)
    before, after = (float(ask(smu, f":TRAC:DATA? {k},{k}")) for k in (5, int(ask(smu, ":TRAC:ACT?")) - 1))
    assert abs(before) < 0.01
    assert after == pytest.approx(1.0, rel=1e-2)


def test_list_sweeps_use_named_lists(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:CONF:LIST:CRE 'mine'")
    for volts in (0.3, 0.1, 0.2):
        tell(smu, f":SOUR:VOLT {volts};:SOUR:CONF:LIST:STOR 'mine'")
    tell(smu, ":SOUR:SWE:VOLT:LIST 2,0.01,1,ON,'defbuffer2','mine'", ":INIT;*WAI")
    assert numbers(ask(smu, ":TRAC:DATA? 1,2,'defbuffer2'")) == pytest.approx([1e-4, 2e-4], rel=1e-2)
    tell(smu, ":SOUR:SWE:VOLT:LIST 4,0.01,1,ON,'defbuffer2','mine'", ":SOUR:SWE:CURR:LIN 0,1e-3,3")
    assert errors(smu) == [-222, -221]


def test_a_sweep_runs_again_and_again(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(smu, ON, ":SOUR:SWE:VOLT:LIN 0.1,0.3,3,0,2,AUTO,OFF,ON", ":INIT;*WAI")
    assert ask(smu, ":TRAC:ACT?") == "12"
    assert numbers(ask(smu, ":TRAC:DATA? 7,12"))[:3] == pytest.approx([1e-4, 2e-4, 3e-4], rel=1e-2)
    assert ask(smu, ":SOUR:CONF:LIST:CAT?") == "VoltLinearSweepList"


def test_lan_triggers_are_kept(smu: SimKeithley2450, tell: Any, ask: Any) -> None:
    tell(
        smu,
        ":TRIG:LAN1:OUT:PROT MULT;STIM TIM1;IP:ADDR '192.0.32.10';:TRIG:LAN1:OUT:CONN:STAT ON;:TRIG:LAN2:IN:EDGE FALL",
    )
    assert ask(smu, ":TRIG:LAN1:OUT:PROT?;STIM?;IP:ADDR?;:TRIG:LAN1:OUT:CONN:STAT?;:TRIG:LAN2:IN:EDGE?;OVER?") == (
        'MULT;TIM1;"192.0.32.10";1;FALL;0'
    )
    assert ask(smu, ":TRIG:LAN3:OUT:LOG?;STIM?") == "NEG;NONE"
