"""The trigger model of a simulated 2400: what it waits for, what waits meanwhile, and what the status says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.keithley_2400 import SimKeithley2400
from mtjlab.sim_instruments.timing import KEITHLEY_2400 as TIMING
from mtjlab.sim_instruments.wire_instrument import NoReply

from .keithley_2400_unit import ON, errors, make_unit, numbers, point

IDLE, ARM, TRIG, SWEEP = 1 << 10, 1 << 6, 1 << 5, 1 << 3


@pytest.fixture
def smu() -> SimKeithley2400:
    return make_unit()


def received(smu: SimKeithley2400) -> str:
    data, _ = smu.send(10**6, timeout_seconds=None, termination=None, bus_seconds=0)
    return data.decode().removesuffix("\n")


def condition(smu: SimKeithley2400) -> int:
    return smu.status.groups["operation"].condition


def test_a_bus_trigger_for_each_pass_through_the_arm_layer(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":ARM:SOUR BUS;COUN 2;:TRIG:COUN 3;:FORM:ELEM CURR", ":READ?")
    assert condition(smu) == ARM
    tell(smu, "*TRG")
    assert len(smu.readings) == 3
    with pytest.raises(NoReply):
        smu.send(100, timeout_seconds=1, termination=None, bus_seconds=0)
    smu.group_trigger(0.0)
    assert len(numbers(received(smu))) == 6
    assert condition(smu) == IDLE
    assert errors(smu) == [], "a read while readings are to come is no error"


def test_other_messages_wait_until_the_readings_are_taken(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":ARM:SOUR BUS;:FORM:ELEM CURR", ":INIT", ":SOUR:VOLT 0.3", ":FETC?")
    assert point(smu)[0] == pytest.approx(0.1, abs=1e-3), "not yet"
    tell(smu, "*TRG")
    assert numbers(received(smu)) == [pytest.approx(1e-4, rel=1e-2)]
    assert point(smu)[0] == pytest.approx(0.3, abs=1e-3)
    tell(smu, ":INIT", ":SOUR:VOLT 0.4", ":ABOR")
    assert point(smu)[0] == pytest.approx(0.4, abs=1e-3), "after the abort"
    tell(smu, ":INIT", ":SOUR:VOLT 0.5", "*RST;:SOUR:VOLT?")
    assert received(smu) == "0.000000E+00", "*RST forgets what waited"
    tell(smu, ON, ":ARM:SOUR BUS;:INIT", ":SOUR:VOLT 0.6")
    smu.device_clear(0.0)
    assert condition(smu) == IDLE
    assert point(smu)[0] == pytest.approx(0.1, abs=1e-3)
    assert errors(smu) == []


def test_not_everything_can_wait(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":ARM:SOUR BUS;:INIT", *[":SOUR:VOLT 0.2"] * 300)
    assert set(errors(smu)) == {-363, -350}
    tell(smu, "*TRG")
    assert point(smu)[0] == pytest.approx(0.2, abs=1e-3)


def test_operation_complete_waits_for_the_readings(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, "*CLS;*ESE 1;*SRE 32;:ARM:SOUR BUS;:INIT", "*OPC")
    with pytest.raises(NoReply):
        smu.await_service(1.0)
    tell(smu, "*TRG")
    smu.await_service(1.0)
    assert ask(smu, "*ESR?") == "1"
    tell(smu, ":INIT;*OPC?", "*TRG")
    assert received(smu) == "1"


def test_the_arm_timer_paces(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SENS:CURR:NPLC 0.1;:ARM:SOUR TIM;TIM 0.5;COUN 4;:FORM:ELEM TIME")
    assert np.diff(numbers(ask(smu, ":READ?"))) == pytest.approx([0.5] * 3, rel=1e-3)


def test_trigger_link_and_what_it_holds_up(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":SOUR:VOLT:TRIG 0.2;:TRIG:SOUR TLIN;ILIN 3;INP SOUR,SENS", ":INIT")
    assert condition(smu) == TRIG
    smu.event_from_outside("TLIN", 1)
    assert condition(smu) == TRIG, "another line"
    assert point(smu)[0] == pytest.approx(0.1, abs=1e-3)
    smu.event_from_outside("TLIN", 3)
    assert point(smu)[0] == pytest.approx(0.2, abs=1e-3)
    assert smu.readings == []
    smu.event_from_outside("TLIN", 3)
    assert len(smu.readings) == 1
    assert condition(smu) == IDLE


def test_an_early_input_trigger_is_remembered_unless_cleared(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":ARM:SOUR TLIN;ILIN 2")
    smu.event_from_outside("TLIN", 2)
    tell(smu, ":INIT")
    assert len(smu.readings) == 1
    smu.event_from_outside("TLIN", 2)
    tell(smu, ":TRIG:CLE", ":INIT")
    assert condition(smu) == ARM
    tell(smu, ":ABOR", ":ARM:DIR SOUR;COUN 2", ":INIT")
    assert len(smu.readings) == 1, "the first pass goes around the detector"
    assert condition(smu) == ARM


@pytest.mark.parametrize(("source", "events"), [("MAN", ["MAN"]), ("NST", ["NST"]), ("BST", ["PST"]), ("PST", ["PST"])])
def test_other_events_of_the_arm_layer(smu: SimKeithley2400, tell: Any, source: str, events: list[str]) -> None:
    tell(smu, "*RST", ON, f":ARM:SOUR {source}", ":INIT")
    smu.event_from_outside("TLIN", 1)
    assert smu.readings == []
    for event in events:
        smu.event_from_outside(event)
    assert len(smu.readings) == 1


def test_output_triggers(smu: SimKeithley2400, tell: Any) -> None:
    tell(smu, "*RST", ON, ":SOUR:DEL 0.1;:TRIG:OUTP SOUR,DEL,SENS;OLIN 4;COUN 2;:ARM:OUTP TENT,TEX;OLIN 2", ":INIT")
    lines = [line for _, line in smu.model.sent]
    assert lines == [2, 4, 4, 4, 4, 4, 4, 2]
    seconds = [second for second, _ in smu.model.sent]
    assert seconds[2] - seconds[1] == pytest.approx(0.1)
    assert seconds[3] - seconds[2] == pytest.approx(3 / 50, rel=0.1)
    tell(smu, ":TRIG:OUTP NONE;:ARM:OUTP NONE;:INIT")
    assert len(smu.model.sent) == 8


def test_an_endless_arm_count_runs_until_it_is_stopped(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":ARM:COUN INF;:SENS:CURR:NPLC 0.01;:FORM:ELEM CURR", ":INIT", ":FETC?")
    assert not condition(smu) & IDLE
    assert len(smu.readings) == 2500
    tell(smu, ":ABOR")
    assert len(numbers(received(smu))) == 2500
    tell(smu, ":READ?")
    assert errors(smu) == [830]
    assert ask(smu, ":ARM:COUN?") == "9.900000E+37"


def test_the_operation_register_follows_a_sweep(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":SOUR:VOLT:MODE LIST;:SOUR:LIST:VOLT 0.1,0.2;:TRIG:COUN 2", ":STAT:OPER?", ":INIT")
    smu.drop_replies()
    assert int(ask(smu, ":STAT:OPER?")) == SWEEP | IDLE
    assert int(ask(smu, ":STAT:OPER:COND?")) == IDLE


def test_a_full_buffer_requests_service(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST;*CLS;:STAT:PRES;:STAT:MEAS:ENAB 512;*SRE 1", ON, ":TRAC:CLE;POIN 3;FEED SENS;FEED:CONT NEXT")
    tell(smu, ":INIT", ":INIT")
    with pytest.raises(NoReply):
        smu.await_service(1.0)
    assert int(ask(smu, ":STAT:MEAS:COND?")) & (1 << 8 | 1 << 9) == 1 << 8, "two are there"
    tell(smu, ":INIT")
    assert not smu.requests_service, "not before the reading is taken"
    smu.await_service(1.0)
    assert smu.poll(timeout_seconds=1.0, bus_seconds=0.0) == 65
    assert not smu.requests_service
    assert int(ask(smu, "*STB?")) & 65 == 65, "as PyMeasure looks for it"
    assert int(ask(smu, ":STAT:MEAS:COND?")) & 1 << 9
    tell(smu, ":TRAC:CLE")
    assert not int(ask(smu, ":STAT:MEAS:COND?")) & (1 << 8 | 1 << 9)


def test_a_program_waits_for_the_buffer_by_srq(open_resource: Any) -> None:
    unit = open_resource("GPIB0::24::INSTR", timeout=5000)
    unit.write("*RST;*CLS;:STAT:PRES;:STAT:MEAS:ENAB 512;*SRE 1")
    unit.write(":SOUR:VOLT 0.1;:SENS:CURR:NPLC 1;:TRIG:COUN 10;:TRAC:CLE;:TRAC:POIN 10;FEED SENS;FEED:CONT NEXT")
    unit.write(":FORM:ELEM VOLT;:OUTP ON;:INIT")
    unit.wait_for_srq(5000)
    assert unit.query_ascii_values(":TRAC:DATA?") == pytest.approx([0.1] * 10)
    unit.write(":OUTP OFF")


def test_time_stamps_of_the_buffer(smu: SimKeithley2400, tell: Any, ask: Any) -> None:
    tell(smu, "*RST", ON, ":TRAC:POIN 3;FEED:CONT NEXT;:TRIG:COUN 3;:SOUR:DEL 1;:FORM:ELEM TIME;:INIT")
    absolute = numbers(ask(smu, ":TRAC:DATA?"))
    assert absolute[0] == 0
    assert absolute[2] == pytest.approx(2 * absolute[1], rel=1e-3)
    assert numbers(ask(smu, ":TRAC:TST:FORM DELT;:TRAC:DATA?")) == pytest.approx(
        [0, absolute[1], absolute[1]], rel=1e-3
    )
    tell(smu, ":SYST:TIME:RES:AUTO ON;:INIT")
    assert numbers(ask(smu, ":FETC?"))[0] == pytest.approx(absolute[1], rel=1e-3)


@pytest.mark.parametrize(("kind", "flat"), [("REP", False), ("MOV", True)])
def test_the_filter(tell: Any, ask: Any, kind: str, flat: bool) -> None:
    smu = make_unit(seed=11)
    tell(smu, "*RST", ON, f":SENS:AVER:TCON {kind};COUN 10;STAT ON;:SENS:CURR:NPLC 0.01;:TRIG:COUN 40;:FORM:ELEM CURR")
    before = smu.world.seconds
    amps = np.array(numbers(ask(smu, ":READ?")))
    conversion = 3 * 0.01 / 50
    spent = smu.world.seconds - before - 40 * (1e-3 + TIMING.trigger_seconds) - TIMING.format_seconds
    assert spent == pytest.approx(40 * conversion * (1 if flat else 10), rel=0.1)
    assert (np.corrcoef(amps[:-1], amps[1:])[0, 1] > 0.5) == flat, "a moving average changes little by little"
    assert ask(smu, ":SENS:AVER?;:SENS:AVER:TCON?") == f"1;{kind}"


FAST = ":SYST:AZER OFF;:SOUR:DEL 0;:SENS:CURR:PROT 1E-2;:SENS:CURR:RANG 1E-3;:SOUR:VOLT:RANG 2;:FORM:ELEM CURR"
STEPS = ":SOUR:VOLT:STAR 0;STOP 1;:SOUR:SWE:POIN 200;:SOUR:VOLT:MODE SWE"


@pytest.mark.parametrize(
    ("cycles", "setup", "message", "rate"),
    [
        (0.01, "", ":INIT", 2030),
        (0.1, "", ":INIT", 433),
        (1, "", ":INIT", 49),
        (0.01, STEPS, ":INIT", 1515),
        (0.01, ":CALC2:LIM2:STAT ON;" + STEPS, ":INIT", 900),
        (0.01, "", ":READ?", 1210),
        (0.01, STEPS, ":READ?", 900),
        (0.1, "", ":READ?", 433),
    ],
)
def test_rates_are_the_data_sheets(tell: Any, ask: Any, cycles: float, setup: str, message: str, rate: float) -> None:
    smu = make_unit(seed=3)
    tell(smu, "*RST", f"{FAST};:SENS:CURR:NPLC {cycles};:TRIG:COUN 200", *filter(None, [setup]), ON)
    before = smu.world.seconds
    if message.endswith("?"):
        assert len(numbers(ask(smu, message))) == 200
    else:
        tell(smu, message)
    ask(smu, "*OPC?")
    assert 200 / (smu.world.seconds - before - 3 * TIMING.command_seconds) == pytest.approx(rate, rel=0.2)


def test_readings_have_all_their_digits(tell: Any, ask: Any) -> None:
    """Not those of the display: real units answer such as -5.516362E-11 on the 1 uA range."""
    smu = make_unit(seed=3)
    tell(smu, "*RST", ":FORM:ELEM CURR;:TRIG:COUN 20", ON, ":SOUR:VOLT 0")
    amps = numbers(ask(smu, ":READ?"))
    assert len(set(amps)) > 15
    assert max(amps) - min(amps) < 5e-9, "noise of the 100 uA range at 1 PLC is of the order of a count of the display"


def test_the_disabled_errors_are_told(tell: Any, ask: Any) -> None:
    smu = make_unit(seed=3)
    tell(smu, ":STAT:QUE:DIS (-222,500:503)")
    assert ask(smu, ":STAT:QUE:DIS?") == "(-222,500:503)"
    tell(smu, ":SOUR:VOLT 999")
    assert errors(smu) == []
