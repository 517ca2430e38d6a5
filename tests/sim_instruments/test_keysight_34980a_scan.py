"""A simulated 34980A at work: scans with and without its DMM, sequences, overlapped switching, alarms, multiplexers."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.keysight_34980a import SimKeysight34980A
from mtjlab.sim_instruments.switching_tables import K34921A, REED_350US
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

NO_ERROR = '+0,"No error"'
OHMS = {1: 1000.0, 2: 2000.0, 3: 5000.0}
"""Resistors on channels 1 to 3 of the multiplexer in slot 2."""


@pytest.fixture
def world() -> World:
    return World.from_description({"rows": 1, "cols": 1}, seed=7, line_hertz=50)


def make(world: World, *, has_dmm: bool) -> SimKeysight34980A:
    cards = ["34934A-8x64", "34921A", "34925A", "34923A", "34931A"]
    unit = SimKeysight34980A("m", world, HostClock(world), cards=cards, has_dmm=has_dmm)
    for channel, ohms in OHMS.items():
        world.connect(f"m.col.{2000 + channel}", "ground", ohms)
    return unit


@pytest.fixture
def unit(world: World) -> SimKeysight34980A:
    return make(world, has_dmm=False)


@pytest.fixture
def meter(world: World) -> SimKeysight34980A:
    return make(world, has_dmm=True)


def closed(unit: SimKeysight34980A, slot: int = 2) -> list[int]:
    return sorted(unit.modules[slot].relays.closed)


def test_a_multiplexer_connects_its_bank(unit: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    source = world.add_source("s", "m.row.21")
    source.drive_volts(1e-3, 1.0)
    tell(unit, "ROUT:CLOS (@2001)")
    assert source.point().amps == pytest.approx(1e-3 / (1000 + K34921A.path_ohms), rel=1e-4)
    tell(unit, "ROUT:CLOS:EXCL (@2003)")
    assert source.point().amps == pytest.approx(1e-3 / (5000 + K34921A.path_ohms), rel=1e-4)
    tell(unit, "ROUT:OPEN:ALL 2")
    assert source.point().amps < 1e-9
    assert ask(unit, "SYST:CTYP? 2").startswith('"Agilent Technologies,34921A,')


def test_a_fet_bank_holds_one_channel_and_reeds_have_a_limit(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:CLOS (@3001)", "ROUT:CLOS (@3002,3021)")
    assert closed(unit, 3) == [2, 21]
    tell(unit, "ROUT:CLOS (@4001:4021)")
    assert ask(unit, "SYST:ERR?").startswith("+305,")
    tell(unit, "ROUT:CLOS (@4001:4019)", "ROUT:CLOS (@4911,4912)")
    assert ask(unit, "SYST:ERR?") == NO_ERROR, "an analog bus relay counts half"
    tell(unit, "ROUT:CLOS (@4913)")
    assert ask(unit, "SYST:ERR?").startswith("+305,")


def test_a_scan_list_is_sorted_and_takes_multiplexers_only(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:SCAN (@2003,2001,2003)")
    assert ask(unit, "ROUT:SCAN?;SCAN:SIZE?") == "#212(@2001,2003);+2"
    tell(unit, "ROUT:SCAN:ORD OFF", "ROUT:SCAN (@2003,2001,2003)")
    assert ask(unit, "ROUT:SCAN?") == "#217(@2003,2001,2003)"
    for wrong in ("(@1101)", "(@2911)", "(@5101)"):
        tell(unit, f"ROUT:SCAN {wrong}")
        assert ask(unit, "SYST:ERR?").startswith("+303,"), wrong
    tell(unit, "ROUT:SCAN (@)")
    assert ask(unit, "ROUT:SCAN?") == "#13(@)"


def test_analog_buses_in_ranges(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:CLOS (@2039:3001)")
    assert closed(unit) == [39, 40] and closed(unit, 3) == [1]
    tell(unit, "ROUT:CLOS (@2001:2911)")
    assert ask(unit, "SYST:ERR?").startswith("+112,")


def test_channels_advance_for_an_external_meter(unit: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    source = world.add_source("s", "m.row.21")
    source.drive_volts(1e-3, 1.0)
    tell(unit, "ROUT:CLOS (@2010)", "ROUT:SCAN (@2001:2003)", "ROUT:CHAN:ADV:SOUR BUS", "INIT")
    seen = []
    for _ in range(3):
        seen.append(1e-3 / source.point().amps)
        assert ask(unit, "STAT:OPER:COND?") == "+48"
        tell(unit, "*TRG")
    assert seen == pytest.approx([ohms + K34921A.path_ohms for ohms in OHMS.values()], rel=1e-3)
    assert ask(unit, "STAT:OPER:COND?") == "+0"
    assert closed(unit) == [], "the bank that is scanned is opened first"
    tell(unit, "*TRG")
    assert ask(unit, "SYST:ERR?").startswith("-211,")


def test_external_pulses_count_too(unit: SimKeysight34980A, tell: Any) -> None:
    tell(unit, "ROUT:SCAN (@2001:2003)", "TRIG:SOUR BUS", "INIT")
    assert closed(unit) == []
    unit.external_trigger()
    assert closed(unit) == [], "the sweep has not begun"
    tell(unit, "*TRG")
    assert closed(unit) == [2], "and then an early advance is used up"
    unit.external_trigger()
    assert closed(unit) == [3]
    tell(unit, "ABOR")
    assert closed(unit) == []


def test_sources_exclude_each_other_and_init_is_ignored(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "TRIG:SOUR BUS", "ROUT:CHAN:ADV:SOUR BUS")
    assert ask(unit, "SYST:ERR?;:TRIG:SOUR?") == '-221,"Settings conflict";IMM'
    tell(unit, "INIT")
    assert ask(unit, "SYST:ERR?").startswith("+113,")
    tell(unit, "ROUT:SCAN (@2001)", "INIT", "INIT")
    assert ask(unit, "SYST:ERR?").startswith("-213,")


def test_a_bank_in_the_scan_list_belongs_to_the_scan(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:SCAN (@2001)", "ROUT:CLOS (@2005)")
    assert ask(unit, "SYST:ERR?").startswith("+301,")
    tell(unit, "ROUT:CLOS (@2921)")
    assert ask(unit, "SYST:ERR?").startswith("+301,")
    tell(unit, "ROUT:CLOS (@2025)")
    assert ask(unit, "SYST:ERR?;:ROUT:CLOS? (@2005,2025)") == f"{NO_ERROR};0,1"


@pytest.mark.parametrize(
    ("message", "code"),
    [("READ?", "-241"), ("MEAS:RES? (@2001)", "-241"), ("CONF:VOLT:DC (@2001)", "-241"), ("INST:DMM ON", "-241")],
)
def test_without_a_dmm(unit: SimKeysight34980A, tell: Any, ask: Any, message: str, code: str) -> None:
    tell(unit, message)
    assert ask(unit, "SYST:ERR?;:INST:DMM:INST?").startswith(f"{code},")


def test_resistances_through_a_multiplexer(meter: SimKeysight34980A, tell: Any, ask: Any) -> None:
    told = [float(part) for part in ask(meter, "MEAS:RES? AUTO,DEF,(@2001:2003)").split(",")]
    assert told == pytest.approx([ohms + 2 * K34921A.path_ohms for ohms in OHMS.values()], rel=3e-4)
    assert closed(meter) == []
    assert ask(meter, "INST:DMM?;:SYST:ERR?") == f"1;{NO_ERROR}"


def test_four_wires_leave_the_path_out(meter: SimKeysight34980A, world: World, ask: Any) -> None:
    world.connect("m.col.2001", "m.col.2021", 1e-3)
    assert float(ask(meter, "MEAS:FRES? 1000,(@2001)")) == pytest.approx(1000.0, rel=3e-4)
    assert ask(meter, "SYST:ERR?") == NO_ERROR


def test_volts_range_and_overflow(meter: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    source = world.add_source("s", "m.col.2001")
    source.drive_volts(1.5, 1.0)
    assert float(ask(meter, "MEAS:VOLT:DC? (@2001)")) == pytest.approx(1.5, rel=1e-4)
    tell(meter, "CONF:VOLT:DC 1,(@2001)")
    assert ask(meter, "READ?") == "+9.90000000E+37"
    assert ask(meter, "CONF? (@2001)").startswith('"VOLT +1.00000000E+00,')
    tell(meter, "SENS:VOLT:DC:RANG:AUTO ON,(@2001)", "SENS:VOLT:DC:NPLC 10,(@2001)")
    before = world.seconds
    assert float(ask(meter, "READ?")) == pytest.approx(1.5, rel=1e-4)
    assert world.seconds - before > 10 / 50, "ten power line cycles"


def test_the_dmm_alone_measures_on_analog_bus_1(meter: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    world.connect("m.col.501", "ground", 3000.0)
    tell(meter, "ROUT:CLOS (@5921)", "ROUT:CLOS (@5501)")
    assert float(ask(meter, "MEAS:RES?")) == pytest.approx(9.9e37), "row 5 leads to the second matrix"
    world.connect("m.col.509", "ground", 3000.0)
    assert float(ask(meter, "MEAS:RES?")) == pytest.approx(3001.0, rel=1e-3)
    tell(meter, "MEAS:RES? (@5501)")
    assert ask(meter, "SYST:ERR?").startswith("+303,"), "only multiplexers are measured by channel"


def test_samples_of_the_dmm_by_itself(meter: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    source = world.add_source("s", "m.abus.1")
    source.drive_volts(0.5, 1.0)
    tell(meter, "CONF:VOLT:DC 1", "SAMP:COUN 3", "TRIG:COUN 2", "TRIG:DEL 0.5")
    before = world.seconds
    told = [float(part) for part in ask(meter, "READ?").split(",")]
    assert told == pytest.approx([0.5] * 6, rel=1e-4) and len(set(told)) > 1, "each is a reading of its own"
    assert world.seconds - before > 6 * 0.5
    assert ask(meter, "TRIG:DEL:AUTO?;:SYST:DATE?") == "0;2004,01,01"


def test_a_scan_fills_the_memory(meter: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    tell(meter, "CONF:RES 10000,(@2001:2003)", "TRIG:COUN 2", "TRIG:SOUR TIM", "TRIG:TIM 5", "FORM:READ:CHAN ON")
    tell(meter, "ROUT:CHAN:DEL 0.5,(@2001)")
    before = world.seconds
    tell(meter, "INIT")
    assert world.seconds - before > 5 + 2 * 0.5
    assert ask(meter, "DATA:POIN?;:ROUT:CHAN:DEL:AUTO? (@2001,2002)") == "+6;0,1"
    assert ask(meter, "FETC?").split(",")[1::2] == ["2001", "2002", "2003"] * 2
    taken = ask(meter, "R? 2")
    assert taken.startswith("#2") and taken.count("2001") == 1
    assert ask(meter, "DATA:POIN?") == "+4"
    assert len(ask(meter, "DATA:REM? 4").split(",")) == 8
    tell(meter, "FETC?")
    assert ask(meter, "SYST:ERR?").startswith("-230,")


def test_bus_triggered_sweeps_do_not_answer_early(meter: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(meter, "CONF:RES (@2001,2002)", "TRIG:SOUR BUS", "INIT", "*CLS", "FETC?")
    with pytest.raises(NoReply):
        meter.send(100, timeout_seconds=1.0, termination=None, bus_seconds=0.0)
    tell(meter, "*TRG", "*CLS")
    assert len(ask(meter, "FETC?").split(",")) == 2


def test_limits_raise_alarms(meter: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(meter, "CONF:RES (@2001:2003)", "CALC:LIM:UPP 4000,(@2001:2003)", "CALC:LIM:UPP:STAT ON,(@2001:2003)")
    tell(meter, "OUTP:ALAR2:SOUR (@2003)", "STAT:ALAR:ENAB 2", "*SRE 2", "FORM:READ:ALAR ON")
    assert [part[-1] for part in ask(meter, "READ?").split(",")][1::2] == ["0", "0", "2"]
    assert int(ask(meter, "*STB?")) & 66 == 66
    assert ask(meter, "SYST:ALAR?").endswith(",2003,2,2")
    assert ask(meter, "OUTP:ALAR2:SOUR?;:STAT:ALAR:COND?") == "#17(@2003);2"
    tell(meter, "OUTP:ALAR:CLE:ALL")
    assert ask(meter, "STAT:ALAR:COND?;:SYST:ERR?") == f"0;{NO_ERROR}"


def test_sequences(unit: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    tell(unit, 'ROUT:SEQ:DEF path_1,"route:close (@1101,1202);:syst:del 0.5;:ROUT:OPEN (@1202)"')
    assert ask(unit, "ROUT:SEQ:CAT?") == '"PATH_1"'
    assert ask(unit, "ROUT:SEQ:DEF? path_1") == '":ROUT:CLOS (@1101,1202);:SYST:DEL 0.5;:ROUT:OPEN (@1202)"'
    before = world.seconds
    tell(unit, "ROUT:SEQ:TRIG PATH_1")
    assert closed(unit, 1) == [101]
    assert world.seconds - before > 0.5
    assert ask(unit, "ROUT:SEQ:BUSY?;:STAT:OPER:EVEN?;:SYST:ERR?") == f"0;+16384;{NO_ERROR}"
    tell(unit, "*RST")
    assert ask(unit, "ROUT:SEQ:CAT?") == '"PATH_1"', "kept in non-volatile memory"
    tell(unit, "ROUT:SEQ:DEL PATH_1", "ROUT:SEQ:TRIG PATH_1")
    assert ask(unit, "SYST:ERR?;:ROUT:SEQ:CAT?").endswith(';""')


@pytest.mark.parametrize("commands", ["*RST", "MEAS:RES?", "ROUT:SCAN (@2001)", "ROUT:CLOSED (@1101)"])
def test_what_a_sequence_may_not_hold(unit: SimKeysight34980A, tell: Any, ask: Any, commands: str) -> None:
    tell(unit, f'ROUT:SEQ:DEF wrong,"ROUT:CLOS (@1101);{commands}"')
    assert not ask(unit, "SYST:ERR?").startswith("+0,")
    assert ask(unit, "ROUT:SEQ:CAT?") == '""'


def test_a_sequence_breaks_off_at_an_error_and_at_the_fifth_level(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, 'ROUT:SEQ:DEF bad,"ROUT:CLOS (@1101);:ROUT:CLOS (@1999);:ROUT:CLOS (@1102)"', "ROUT:SEQ:TRIG bad")
    assert ask(unit, "SYST:ERR?").startswith("+112,")
    assert closed(unit, 1) == [101]
    tell(unit, 'ROUT:SEQ:DEF again,"ROUT:SEQ:TRIG again"', "ROUT:SEQ:TRIG again")
    assert ask(unit, "SYST:ERR?;:STAT:OPER:COND?").endswith(";+0")


def test_overlapped_switching_is_seen_by_an_instrument_that_does_not_wait(
    unit: SimKeysight34980A, world: World, tell: Any, ask: Any
) -> None:
    source = world.add_source("s", "m.row.1")
    world.connect("m.col.101", "ground", 1000.0)
    tell(unit, "SYST:MOD:ROW:PROT 1,FIX", "ROUT:OPER:OVER ON", "ROUT:CLOS (@1101)")
    source.drive_volts(1e-3, 1.0)
    assert source.point().amps < 1e-9, "the contact is still open"
    assert unit.is_closed(1101), "although it is told to be closed"
    start = world.seconds
    assert ask(unit, "*OPC?") == "1"
    assert world.seconds - start >= REED_350US.settle_seconds - unit.command_seconds
    assert source.point().amps == pytest.approx(1e-3 / 1100.5, rel=1e-4)


def test_busy_modules(unit: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:OPER:OVER ON", "ROUT:CLOS (@5101)")
    assert ask(unit, "ROUT:MOD:BUSY? 5;BUSY? SLOT1;BUSY? ANY;:ROUT:DONE?") == "1;0;1;0"
    tell(unit, "ROUT:MOD:WAIT 5")
    assert ask(unit, "ROUT:MOD:BUSY?;:ROUT:DONE?") == "0;1"


def test_a_stuck_relay_does_not_show(unit: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    source = world.add_source("s", "m.row.21")
    world.stick_relay("m.row.21", "m.col.2001", is_closed=False)
    tell(unit, "ROUT:CLOS (@2001)")
    source.drive_volts(1e-3, 1.0)
    assert source.point().amps < 1e-9
    assert ask(unit, "ROUT:CLOS? (@2001);:SYST:ERR?") == f"1;{NO_ERROR}"
    tell(unit, "ROUT:CHAN:VER ON,(@2001)")
    assert ask(unit, "SYST:ERR?").startswith("+303,"), "only microwave switches tell their position"


def test_label_types_and_stored_setups(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, 'ROUT:CHAN:LAB "bl_1",(@2001)')
    assert ask(unit, "ROUT:CHAN:LAB? (@2001)") == '"BL_1"'
    assert ask(unit, "ROUT:CHAN:LAB? FACT,(@2001)") == '"MUX CH BANK 1"'
    tell(unit, "*RCL 3")
    assert ask(unit, "SYST:ERR?").startswith("+291,")
    tell(unit, "*SAV 3", 'MEM:STAT:NAME 3,"mine"')
    assert ask(unit, "MEM:STAT:VAL? 3;:MEM:STAT:NAME? 3") == '1;"mine"'
    tell(unit, "MEM:STAT:DEL 3")
    assert ask(unit, "MEM:STAT:VAL? 3") == "0"


def test_a_scan_without_an_end_runs_until_it_is_aborted(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:SCAN (@2001:2003)", "ROUT:CHAN:ADV:SOUR IMM", "TRIG:COUN INF", "INIT")
    assert ask(unit, "STAT:OPER:COND?;:TRIG:COUN?") == "+16;+9.90000000E+37"
    tell(unit, "ABOR", "SWE:COUN 500000", "TRIG:COUN 500000", "INIT")
    assert ask(unit, "STAT:OPER:COND?") == "+16"
    tell(unit, "ABOR")
    assert ask(unit, "STAT:OPER:COND?;:SYST:ERR?") == f"+0;{NO_ERROR}"
