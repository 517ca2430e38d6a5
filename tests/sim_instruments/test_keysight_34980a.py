"""Dialogues with a simulated 34980A: channel numbers, limits, row protection, and what its relays connect."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.circuit import Source
from mtjlab.sim_instruments.keysight_34934a import crosspoints
from mtjlab.sim_instruments.keysight_34980a import SimKeysight34980A
from mtjlab.sim_instruments.switching_tables import BYPASS_OHMS, K34934A, PROTECTION_OHMS
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

NO_ERROR = '+0,"No error"'
SOURCES = 0.02


@pytest.fixture
def world() -> World:
    return World.from_description({"rows": 1, "cols": 1}, seed=7, line_hertz=50)


@pytest.fixture
def unit(world: World) -> SimKeysight34980A:
    cards = ["34934A-8x64", "34932A", "34934A-4x32"]
    return SimKeysight34980A("m", world, HostClock(world), cards=cards, serial="MY44001234")


def between(world: World, node_a: str, node_b: str) -> Source:
    source, ground = world.add_source("s", node_a), world.add_source("g", node_b)
    source.drive_volts(1e-3, 1.0)
    ground.drive_volts(0.0, 1.0)
    return source


def test_identity_and_modules(unit: SimKeysight34980A, ask: Any) -> None:
    assert ask(unit, "*IDN?") == "Agilent Technologies,34980A,MY44001234,2.43-2.40-2.14-0.00"
    model, serial = ask(unit, "SYST:CTYP? 1").strip('"').split(",")[1:3]
    assert (model, len(serial)) == ("34934A-8x64", 10)
    assert ask(unit, "SYST:CTYP? 4") == '"Agilent Technologies,0,0,0"'
    assert ask(unit, "SYST:MOD:TERM:TYPE? 1;TYPE? 3") == "R8_R64;R4_R32"
    assert ask(unit, "SYST:ERR?") == NO_ERROR


@pytest.mark.parametrize(
    ("configuration", "number", "row", "column"),
    [
        ("8x64", 316, "row.3", "col.116"),
        ("4x32", 753, "row.4M2", "col.153"),
        ("4x32", 101 + 96, "row.1M2L", "col.133L"),
        ("4x64", 584, "row.3L", "col.120L"),
        ("4x128", 228, "row.1", "col.1.128"),
        ("8x32", 133, "row.1L", "col.101L"),
        ("16x32", 882, "row.16", "col.132"),
    ],
)
def test_channel_numbers_of_the_users_guide(configuration: str, number: int, row: str, column: str) -> None:
    point = crosspoints(configuration, 1)[number]
    assert (point.row, point.column) == (row, column)
    assert len(crosspoints(configuration, 1)) == 512


def test_close_open_and_queries(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:CLOS (@1101,1202:1204)", ":ROUTe:OPEN (@1203)")
    assert ask(unit, "ROUT:CLOS? (@1101,1202,1203,1204)") == "1,1,0,1"
    assert ask(unit, "ROUT:OPEN? (@1101,1203)") == "0,1"
    tell(unit, "ROUT:CLOS:EXCL (@1301)")
    assert ask(unit, "ROUT:CLOS? (@1101,1301)") == "0,1"
    tell(unit, "ROUT:CLOS (@2101)", "ROUT:OPEN:ALL 1")
    assert ask(unit, "ROUT:CLOS? (@1301,2101)") == "0,1"
    tell(unit, "ROUT:OPEN:ALL ALL")
    assert ask(unit, "ROUT:CLOS? (@2101)") == "0"
    assert ask(unit, "SYST:ERR?") == NO_ERROR


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("ROUT:CLOS (@1165)", 112),
        ("ROUT:CLOS (@4101)", 111),
        ("ROUT:CLOS (@9101)", 111),
        ("ROUT:CLOS (1101)", -171),
        ("ROUT:CLOS (@1!1!1)", -171),
        ("ROUT:CLOS:PAIR (@1101)", 303),
        ("SYST:MOD:ROW:PROT 1,ISO", 303),
        ("SYST:MOD:ROW:PROT 2,FIX", 303),
        ("SYST:MOD:ROW:PROT 9,FIX", -222),
        ("ROUT:OPEN:ALL 8", 111),
    ],
)
def test_errors(unit: SimKeysight34980A, tell: Any, ask: Any, message: str, code: int) -> None:
    tell(unit, "*CLS", message)
    assert int(ask(unit, "*ESR?")) == (8 if code > 0 else 16 if code <= -200 else 32)
    assert ask(unit, "SYST:ERR?").startswith(f"{code:+d},")
    assert not unit.modules[1].relays.closed


def test_at_most_64_channels_of_a_34934a(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:CLOS (@1101:1163)", "ROUT:CLOS (@1201:1202)")
    assert ask(unit, "SYST:ERR?").startswith("+305,")
    assert ask(unit, "ROUT:CLOS? (@1201)") == "0"
    tell(unit, "ROUT:CLOS (@1201)", "ROUT:CLOS (@3101)")
    assert ask(unit, "SYST:ERR?;:ROUT:CLOS? (@1201)") == f"{NO_ERROR};1"


def test_pairs(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:CLOS:PAIR (@3512)")
    assert ask(unit, "ROUT:CLOS? (@3512,3576);:ROUT:CLOS:PAIR? (@3512)") == "1,1;1"
    tell(unit, "ROUT:OPEN:PAIR (@3512)")
    assert ask(unit, "ROUT:OPEN? (@3512,3576)") == "1,1"


@pytest.mark.parametrize(("mode", "row_ohms"), [("AUTO100", PROTECTION_OHMS), ("FIX", PROTECTION_OHMS)])
def test_row_protection_is_in_the_path(
    unit: SimKeysight34980A, world: World, tell: Any, ask: Any, mode: str, row_ohms: float
) -> None:
    assert ask(unit, "SYST:MOD:ROW:PROT? 1") == "AUTO100", "as after power-on"
    tell(unit, f"SYST:MOD:ROW:PROT 1, {mode}", "ROUT:CLOS (@1101)")
    source = between(world, "m.row.1", "m.col.101")
    assert 1e-3 / source.point().amps == pytest.approx(row_ohms + K34934A.path_ohms + SOURCES, rel=1e-6)


def test_auto0_bypasses_the_protection(unit: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    tell(unit, "SYST:MOD:ROW:PROT 1,AUTO0", "ROUT:CLOS (@1101)")
    source = between(world, "m.row.1", "m.col.101")
    assert 1e-3 / source.point().amps == pytest.approx(BYPASS_OHMS + K34934A.path_ohms + SOURCES, rel=1e-6)
    tell(unit, "ROUT:OPEN (@1101)")
    assert source.point().amps < 1e-9
    tell(unit, "*RST")
    assert ask(unit, "SYST:MOD:ROW:PROT? 1") == "AUTO100"
    tell(unit, "SYST:MOD:ROW:PROT DEF,AUTO0", "*RST")
    assert ask(unit, "SYST:MOD:ROW:PROT? 1;PROT? DEF") == "AUTO0;AUTO0"


def test_two_banks_of_a_row_have_two_resistors_between_them(unit: SimKeysight34980A, world: World, tell: Any) -> None:
    tell(unit, "ROUT:CLOS (@1101,1102,1133)")
    across = between(world, "m.col.101", "m.col.133")
    assert 1e-3 / across.point().amps == pytest.approx(2 * PROTECTION_OHMS + 2 * K34934A.path_ohms + SOURCES, rel=1e-6)


def test_columns_of_one_bank_have_none(unit: SimKeysight34980A, world: World, tell: Any) -> None:
    tell(unit, "ROUT:CLOS (@1101,1102)")
    within = between(world, "m.col.101", "m.col.102")
    assert 1e-3 / within.point().amps == pytest.approx(2 * K34934A.path_ohms + SOURCES, rel=1e-6)


def test_isolated_banks_do_not_reach_the_row(unit: SimKeysight34980A, world: World, tell: Any) -> None:
    tell(unit, "SYST:MOD:ROW:PROT 3,ISO", "ROUT:CLOS (@3101,3102)")
    source = between(world, "m.row.1", "m.col.301")
    assert source.point().amps < 1e-9


def test_a_list_is_faster_than_single_commands(unit: SimKeysight34980A, world: World, tell: Any) -> None:
    tell(unit, "ROUT:CLOS (@1101,1201,1301)")
    listed = world.seconds
    tell(unit, "ROUT:OPEN:ALL")
    start = world.seconds
    tell(unit, "ROUT:CLOS (@1101)", "ROUT:CLOS (@1201)", "ROUT:CLOS (@1301)")
    assert world.seconds - start > 2.5 * listed


def test_a_34932a_and_its_analog_buses(unit: SimKeysight34980A, world: World, tell: Any, ask: Any) -> None:
    tell(unit, "ROUT:CLOS (@2503,2921)")
    assert ask(unit, "ROUT:CLOS? (@2503,2921,2922)") == "1,1,0"
    source = between(world, "m.abus.1", "m.col.219")
    assert source.point().amps == pytest.approx(1e-3 / 1.02, rel=1e-6)
    tell(unit, "ROUT:OPEN:ABUS ALL")
    assert ask(unit, "ROUT:CLOS? (@2503,2921)") == "1,0"


def test_labels_delays_cycles_and_setups(unit: SimKeysight34980A, tell: Any, ask: Any) -> None:
    tell(unit, 'ROUT:CHAN:LAB "wl_1",(@1101)', "ROUT:CHAN:DEL 0.5,(@1101)", "ROUT:CLOS (@1101)", "*SAV 1")
    assert ask(unit, "ROUT:CHAN:LAB? USER,(@1101);:ROUT:CHAN:LAB? FACT,(@1102)") == '"WL_1";"MATRIX1 ROW1 COL2"'
    assert ask(unit, "ROUT:CHAN:DEL? (@1101,1102)") == "+5.00000000E-01,+0.00000000E+00"
    tell(unit, "*RST")
    assert ask(unit, "ROUT:CLOS? (@1101)") == "0"
    tell(unit, "*RCL 1")
    assert ask(unit, "ROUT:CLOS? (@1101);:DIAG:REL:CYCL? (@1101)") == "1;+2"
    assert ask(unit, "ROUT:DONE?;:SYST:ERR?") == f"1;{NO_ERROR}"
