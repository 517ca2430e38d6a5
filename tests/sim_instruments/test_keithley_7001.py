"""Dialogues with a simulated 7001 and 7002: lists, memory, slots, scans, errors, and what their relays connect."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.keithley_7001 import SimKeithley7001, SimKeithley7002
from mtjlab.sim_instruments.switching_tables import GENERAL_PURPOSE, KEITHLEY_7001
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

SETTLE, RELEASE = GENERAL_PURPOSE.contacts.settle_seconds, GENERAL_PURPOSE.contacts.release_seconds


@pytest.fixture
def world() -> World:
    return World.from_description({"rows": 1, "cols": 1}, seed=7, line_hertz=50)


@pytest.fixture
def switch(world: World) -> SimKeithley7001:
    return SimKeithley7001("m", world, HostClock(world), cards=["7012-S", "7153"], serial="99")


def test_identity_and_cards(switch: SimKeithley7001, world: World, tell: Any, ask: Any) -> None:
    assert ask(switch, "*IDN?") == "KEITHLEY INSTRUMENTS INC.,MODEL 7001,99,A04  /A01"
    assert ask(switch, "*OPT?") == "C7012,C7153"
    assert ask(switch, ":ROUT:CONF:SLOT1:CTYP?;:ROUT:CONF:SLOT2:CTYP?") == "C7012;C7153"
    tell(switch, "ROUT:CONF:SLOT3:STIM 1")
    assert ask(switch, ":SYST:ERR?") == '-114,"Header suffix out of range"'
    big = SimKeithley7002("n", world, HostClock(world), cards=["7011-C", None, "7052"])
    assert ask(big, "*IDN?").startswith("KEITHLEY INSTRUMENTS INC.,MODEL 7002,")
    assert ask(big, "*OPT?") == "C7011,NONE,C7052" + ",NONE" * 7


def test_closing_adds_and_queries_tell(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":ROUT:CLOS (@1!1!3)", ":CLOSE (@ 1!2!4, 2!4!5)")
    assert ask(switch, ":ROUT:CLOS:STAT?") == "(@1!1!3,1!2!4,2!4!5)"
    assert ask(switch, ":CLOS? (@1!1!1:1!1!4)") == "0,0,1,0"
    assert ask(switch, ":OPEN? (@1!1!3,1!1!4)") == "0,1"
    tell(switch, ":open (@1!2!4)")
    assert ask(switch, ":clos:stat?") == "(@1!1!3,2!4!5)"
    tell(switch, "rout:open all; scan (@1!1!1)")
    assert ask(switch, ":CLOS:STAT?;:SCAN?") == "(@);(@1!1!1)"
    assert ask(switch, ":SYST:ERR?") == '0,"No error"'


def test_one_message_closes_and_opens(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":CLOS (@1!1!7,1!2!9);:OPEN (@1!2!9)")
    assert ask(switch, "CLOS:STAT?") == "(@1!1!7)"


def test_a_range_runs_through_rows_and_slots(switch: SimKeithley7001, ask: Any) -> None:
    assert len(ask(switch, ":CLOS? (@1!1!1:1!4!10)").split(",")) == 40
    assert len(ask(switch, ":CLOS? (@1!4!10:2!1!2)").split(",")) == 3


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":CLOS (@1!5!1)", -222),
        (":CLOS (@1!1)", -222),
        (":CLOS (@3!1!1)", -222),
        (":CLOS 1!1!1", -102),
        (":CLOS (@1!a!1)", -171),
        (":CLOS (@1!1!1:1!1!2:1!1!3)", -171),
        (":CLOS", -109),
        (":CLOS (@M7)", -222),
        (":ROUT:MEM:REC M101", -222),
        (":ROUT:CONF:SLOT1:STIM 1E6", -222),
        (":ROUT:CONF:SLOT1:CTYP C7011", -221),
        (":CLOSED (@1!1!1)", -113),
        ("*TRG", -211),
        (":INIT", -221),
    ],
)
def test_errors_leave_the_relays_alone(switch: SimKeithley7001, tell: Any, ask: Any, message: str, code: int) -> None:
    tell(switch, ":CLOS (@1!1!1)", message)
    assert ask(switch, ":SYST:ERR?").startswith(f"{code},")
    assert ask(switch, ":SYST:ERR?;:CLOS:STAT?") == '0,"No error";(@1!1!1)'


def test_memory(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":CLOS (@1!1!1,1!2!2)", ":ROUT:MEM:SAVE M1", ":OPEN ALL", ":CLOS (@1!3!3)", ":ROUT:MEM:REC M1")
    assert ask(switch, ":CLOS:STAT?") == "(@1!1!1,1!2!2)"
    tell(switch, "*RST", ":CLOS (@m1,1!4!4)")
    assert ask(switch, ":CLOS:STAT?") == "(@1!1!1,1!2!2,1!4!4)", "*RST leaves memory alone"
    tell(switch, "*SAV 3", "*RST", "*RCL 3")
    assert ask(switch, ":CLOS:STAT?") == "(@1!1!1,1!2!2,1!4!4)"


def test_forbidden_channels_open_and_stay_open(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":CLOS (@1!1!1)", ":ROUT:FCH (@1!1!1)")
    assert ask(switch, ":CLOS:STAT?;:FCH?") == "(@);(@1!1!1)"
    tell(switch, ":CLOS (@1!1!1:1!1!3)")
    assert ask(switch, ":SYST:ERR?;:CLOS:STAT?") == '-221,"Settings conflict";(@)'


def test_pairs_and_single_channel(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":ROUT:CONF:CPA ON", ":CLOS (@1!1!2)")
    assert ask(switch, ":CLOS:STAT?") == "(@1!1!2,2!1!2)"
    tell(switch, ":ROUT:CONF:CPA OFF", ":ROUT:CONF:SCH ON", ":CLOS (@1!3!3)")
    assert ask(switch, ":CLOS:STAT?") == "(@1!3!3)"


def test_relays_take_time_and_so_does_settling(switch: SimKeithley7001, world: World, tell: Any, ask: Any) -> None:
    command = KEITHLEY_7001.command_seconds
    tell(switch, ":CLOS (@1!1!1:1!4!10)")
    assert world.seconds == pytest.approx(command + SETTLE), "a list closes together"
    tell(switch, ":ROUT:CONF:SLOT1:STIM 0.25", ":OPEN ALL")
    assert world.seconds == pytest.approx(3 * command + SETTLE + RELEASE + 0.25)
    assert float(ask(switch, ":ROUT:CONF:SLOT1:STIM?")) == 0.25


def test_the_matrix_connects(switch: SimKeithley7001, world: World, tell: Any) -> None:
    source, ground = world.add_source("s", "m.row.1"), world.add_source("g", "m.col.205")
    world.connect("m.col.103", "m.col.204", 1000.0)
    source.drive_volts(1.0, 1.0)
    ground.drive_volts(0.0, 1.0)
    assert 0 < source.point().amps < 1e-10, "open crosspoints leak"
    tell(switch, ":CLOS (@1!1!3,2!2!4,2!2!5)")
    assert source.point().amps == pytest.approx(1 / (1000 + 0.5 + 2 * 1.0 + 0.02), rel=1e-6)
    assert {incident.kind for incident in world.incidents} == {"hot switching"}


def test_rows_are_joined_between_slots(switch: SimKeithley7001, world: World, tell: Any) -> None:
    source, ground = world.add_source("s", "m.col.101"), world.add_source("g", "m.col.201")
    tell(switch, ":CLOS (@1!3!1,2!3!1)")
    source.drive_volts(1e-3, 1.0)
    ground.drive_volts(0.0, 1.0)
    assert source.point().amps == pytest.approx(1e-3 / 1.52, rel=1e-6)


def test_a_multiplexer_bank_goes_to_its_row(world: World, tell: Any, ask: Any) -> None:
    switch = SimKeithley7001("m", world, HostClock(world), cards=["7011-S"])
    source, ground = world.add_source("s", "m.col.112"), world.add_source("g", "m.row.2")
    tell(switch, ":CLOS (@1!12)")
    assert ask(switch, ":CLOS:STAT?") == "(@1!12)"
    source.drive_volts(1e-3, 1.0)
    ground.drive_volts(0.0, 1.0)
    assert source.point().amps == pytest.approx(1e-3 / 0.52, rel=1e-6)


def test_a_scan_steps_break_before_make(switch: SimKeithley7001, world: World, tell: Any, ask: Any) -> None:
    tell(switch, ":CLOS (@1!4!10)", ":SCAN (@1!1!1:1!1!3)", ":TRIG:SOUR BUS", ":TRIG:DEL 0.5", ":INIT")
    assert ask(switch, ":SCAN:POIN?;:TRIG:COUN?;:STAT:OPER:COND?") == "3;3;32"
    seen = []
    for _ in range(3):
        tell(switch, "*TRG")
        seen.append(ask(switch, ":CLOS:STAT?"))
    assert seen == ["(@1!1!1,1!4!10)", "(@1!1!2,1!4!10)", "(@1!1!3,1!4!10)"]
    assert world.seconds > 1.5, "three channel delays"
    assert ask(switch, ":STAT:OPER:COND?;:SYST:ERR?") == '1024;0,"No error"'
    tell(switch, "*TRG")
    assert ask(switch, ":SYST:ERR?").startswith("-211,")


def test_a_timed_scan_with_a_memory_location(switch: SimKeithley7001, world: World, tell: Any, ask: Any) -> None:
    tell(switch, ":CLOS (@1!1!1,1!2!2)", ":MEM:SAVE M5", ":OPEN ALL", ":SCAN (@M5,1!3!3)", ":ARM:LAY2:COUN 2")
    tell(switch, ":ARM:LAY2:SOUR TIM;TIM 2", ":TRIG:SOUR IMM", ":INIT")
    assert world.seconds > 2.0
    assert ask(switch, ":CLOS:STAT?") == "(@1!3!3)"
    tell(switch, ":TRIG:SOUR HOLD", ":INIT", ":TRIG:SIGN")
    assert ask(switch, ":CLOS:STAT?") == "(@1!1!1,1!2!2)"
    tell(switch, ":INIT")
    assert ask(switch, ":SYST:ERR?").startswith("-213,")
    tell(switch, ":ABOR", ":TRIG:SIGN")
    assert ask(switch, ":SYST:ERR?").startswith("-211,")


def test_power_on_state_of_a_card(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":CLOS (@1!1!1,2!1!1)", ":SYST:CPON 1")
    assert ask(switch, ":CLOS:STAT?") == "(@2!1!1)"
    tell(switch, ":SYST:CPON ALL")
    assert ask(switch, ":CLOS:STAT?") == "(@)"


def test_digital_port(switch: SimKeithley7001, tell: Any, ask: Any) -> None:
    tell(switch, ":OUTP:TTL2 ON", ":OUTP:TTL2:LSEN AHIG")
    assert ask(switch, ":OUTP:TTL2?;:OUTP:TTL1?;:OUTP:TTL2:LSEN?;:SENS:TTL:DATA?") == "1;0;AHIG;1"
    tell(switch, ":OUTP:TTL5 ON")
    assert ask(switch, ":SYST:ERR?").startswith("-114,")
