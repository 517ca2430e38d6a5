"""Scans of a simulated 7001: what the channels connect at each step, who may step them, and what the status tells."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.keithley_7001 import SimKeithley7001, SimKeithley7002
from mtjlab.sim_instruments.switching_tables import GENERAL_PURPOSE, LOW_CURRENT
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

OHMS = (1000.0, 2000.0, 5000.0)
SETTLING, IDLE = 2, 1024


@pytest.fixture
def world() -> World:
    return World.from_description({"rows": 1, "cols": 1}, seed=7, line_hertz=50)


@pytest.fixture
def switch(world: World) -> SimKeithley7001:
    unit = SimKeithley7001("m", world, HostClock(world), cards=["7011-S", "7012-S"])
    for channel, ohms in enumerate(OHMS, start=1):
        world.connect(f"m.col.{100 + channel}", "ground", ohms)
    return unit


def measured_ohms(world: World) -> float:
    """Between the output of the first bank and ground; infinite if nothing is connected."""
    source = world.sources_of("meter")[0]
    source.drive_volts(1e-3, 1.0)
    amps = source.point().amps
    source.drive_volts(0.0, 1.0)
    return 1e-3 / amps if amps > 1e-9 else float("inf")


def with_path(ohms: float) -> float:
    return ohms + GENERAL_PURPOSE.path_ohms


def test_each_bus_trigger_connects_the_next_channel(switch: SimKeithley7001, world: World, tell: Any, ask: Any) -> None:
    world.add_source("meter.hi", "meter.hi")
    world.connect("meter.hi", "m.row.1", 1e-3)
    tell(switch, ":SCAN (@1!1:1!3)", ":TRIG:SOUR BUS", ":INIT")
    assert measured_ohms(world) == float("inf")
    for ohms in OHMS:
        switch.trigger()
        assert measured_ohms(world) == pytest.approx(with_path(ohms), rel=1e-3)
    assert ask(switch, ":STAT:OPER:COND?;:SYST:ERR?") == f'{IDLE};0,"No error"'
    assert world.incidents == []


def test_a_scan_requests_service_when_it_is_over(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, "*CLS", f":STAT:OPER:ENAB {IDLE}", "*SRE 128", ":SCAN (@1!1:1!3)", ":TRIG:SOUR BUS", ":INIT")
    ask(switch, ":STAT:OPER?")
    for _ in OHMS:
        assert not switch.status.requests_service(has_message=False)
        tell(switch, "*TRG")
    assert switch.status.requests_service(has_message=False)
    assert switch.status.serial_poll(has_message=False) == 128 + 64
    assert ask(switch, ":STAT:OPER?") == str(IDLE | SETTLING | 32), "it settled, waited for triggers, and became idle"


def test_the_end_of_settling_is_an_event_by_the_negative_filter(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, f":STAT:OPER:PTR 0;NTR {SETTLING};ENAB {SETTLING}", "*CLS", "*SRE 128")
    assert not switch.status.requests_service(has_message=False)
    tell(switch, ":CLOS (@1!2)")
    assert switch.status.requests_service(has_message=False)
    assert ask(switch, ":STAT:OPER?;:STAT:OPER:PTR?;NTR?") == f"{SETTLING};0;{SETTLING}"
    tell(switch, ":STAT:PRES")
    assert ask(switch, ":STAT:OPER:ENAB?;PTR?;NTR?") == "0;32767;0"


def test_layers_are_told_apart(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":SCAN (@1!1)", ":ARM:SOUR HOLD", ":ARM:LAY2:SOUR EXT", ":TRIG:SOUR TLIN", ":INIT")
    told = ":STAT:OPER:COND?;:STAT:OPER:ARM:COND?;:STAT:OPER:ARM:SEQ:COND?;:STAT:OPER:TRIG:COND?"
    assert ask(switch, told) == "64;2;2;0"
    tell(switch, ":ARM:IMM")
    assert ask(switch, told) == "64;2;4;0"
    switch.external_trigger()
    assert ask(switch, told) == "32;0;0;2"
    switch.trigger_link(2)
    assert ask(switch, ":SYST:ERR?").startswith("-211,"), "the input line is 1"
    switch.trigger_link(1)
    assert ask(switch, f"{told};:CLOS:STAT?") == f"{IDLE};0;0;0;(@1!1)"


def test_a_bypassed_source_is_not_waited_for_at_first(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":SCAN (@1!1:1!3)", ":TRIG:SOUR EXT;TCON:DIR SOUR", ":INIT")
    assert ask(switch, ":CLOS:STAT?") == "(@1!1)"
    switch.external_trigger()
    assert ask(switch, ":CLOS:STAT?") == "(@1!2)"


def test_manual_steps_come_from_the_front_panel(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":SCAN (@1!1:1!3)", ":TRIG:SOUR MAN", ":INIT", "*TRG")
    assert ask(switch, ":SYST:ERR?;:CLOS:STAT?") == '-211,"Trigger ignored";(@)'
    switch.step_key()
    assert ask(switch, ":CLOS:STAT?") == "(@1!1)"


def test_operation_complete_means_idle(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, "*ESR?", ":SCAN (@1!1:1!2)", ":TRIG:SOUR BUS", ":INIT", "*OPC", "*CLS", "*OPC")
    switch.trigger()
    assert ask(switch, "*ESR?") == "0"
    switch.trigger()
    assert ask(switch, "*ESR?") == "1"
    tell(switch, ":INIT", "*OPC?")
    with pytest.raises(NoReply):
        switch.send(10, timeout_seconds=1.0, termination=None, bus_seconds=0.0)
    switch.trigger()
    switch.trigger()
    assert switch.send(10, timeout_seconds=1.0, termination=None, bus_seconds=0.0)[0] == b"1\n"


def test_continuous_initiation_scans_again_and_again(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":SCAN (@1!1:1!2)", ":TRIG:SOUR BUS", ":INIT:CONT ON")
    seen = []
    for _ in range(4):
        tell(switch, "*TRG")
        seen.append(ask(switch, ":CLOS:STAT?"))
    assert seen == ["(@1!1)", "(@1!2)"] * 2
    tell(switch, ":INIT:CONT OFF", ":ABOR")
    assert ask(switch, ":STAT:OPER:COND?;:INIT:CONT?") == f"{IDLE};0"


def test_two_arm_layers_and_counts(switch: SimKeithley7001, world: World, tell: Any, ask: Any) -> None:
    tell(switch, ":SCAN (@1!1:1!2)", ":ARM:COUN 2", ":ARM:LAY2:COUN 3;SOUR TIM;TIM 1.5;DEL 0.25", ":INIT")
    assert world.seconds == pytest.approx(2 * (2 * 1.5 + 3 * 0.25), rel=0.05)
    assert ask(switch, ":ARM:COUN?;:ARM:LAY2:COUN?;:TRIG:COUN?;:TRIG:COUN:AUTO?") == "2;3;2;1"
    tell(switch, "*RST")
    assert ask(switch, ":ARM:LAY2:SOUR?;COUN?;:TRIG:SOUR?") == "IMM;1;IMM"


def test_further_cards(world: World, tell: Any, ask: Any) -> None:
    switch = SimKeithley7002("n", world, HostClock(world), cards=["7158", "7018-S", "7035", "7022"])
    assert ask(switch, "*OPT?").startswith("C7158,C7018,C7035,C7022,NONE")
    source = world.add_source("s", "n.row.2")
    world.connect("n.col.215", "ground", 1000.0)
    tell(switch, ":CLOS (@2!15)")
    source.drive_volts(1e-3, 1.0)
    assert source.point().amps == pytest.approx(1e-3 / with_path(1000.0), rel=1e-3), "channel 15 is in bank 2"
    source.drive_volts(0.0, 1.0)
    before = world.seconds
    tell(switch, ":CLOS (@1!10)")
    assert world.seconds - before == pytest.approx(switch.command_seconds + LOW_CURRENT.contacts.settle_seconds)
    tell(switch, ":CLOS (@1!11)")
    assert ask(switch, ":SYST:ERR?").startswith("-222,")
    tell(switch, ":CLOS (@4!5!6,3!36)")
    assert ask(switch, ":SYST:ERR?") == '0,"No error"'


def test_what_the_front_panel_and_power_up_keep(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":CLOS (@1!3)", "*SAV 2", ":SYST:POS SAV2", ":OPEN ALL", ":DISP:SMES ON", ":DISP:TEXT:DATA 'busy'")
    assert ask(switch, ":DISP:SMES?;:DISP:TEXT:DATA?;:SYST:POS?") == '1;"busy";SAV2'
    switch.power_cycle()
    assert ask(switch, ":CLOS:STAT?;:DISP:SMES?") == "(@1!3);0"
    tell(switch, ":SYST:POS RST")
    switch.power_cycle()
    assert ask(switch, ":CLOS:STAT?") == "(@)"


def test_the_input_line_is_high(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    assert ask(switch, ":SENS2:TTL:DATA?;:SENS:TTL1:DATA?") == "1;1"
    tell(switch, ":SENS3:TTL:DATA?")
    assert ask(switch, ":SYST:ERR?").startswith("-114,")


def test_a_scan_that_nobody_would_wait_for_runs_until_it_is_aborted(
    switch: SimKeithley7001, tell: Any, ask: Any
) -> None:
    tell(switch, ":SCAN (@1!1:1!2)", ":ARM:COUN 99999;LAY2:COUN 99999", ":TRIG:COUN 99999", ":INIT")
    assert ask(switch, ":STAT:OPER:COND?") == "0"
    tell(switch, ":INIT", "*TRG")
    assert ask(switch, ":SYST:ERR?;:SYST:ERR?") == '-213,"Init ignored";-211,"Trigger ignored"'
    tell(switch, ":ABOR")
    assert ask(switch, ":STAT:OPER:COND?") == str(IDLE)
