"""Dialogues with a simulated B2201A and E5250A: lists, rules, bias, ground and couple mode, and what gets connected."""

from __future__ import annotations

from typing import Any

import pytest

from mtjlab.sim_instruments.keysight_b2200 import SimKeysightB2201A, SimKeysightE5250A
from mtjlab.sim_instruments.switching_tables import B2211A, KEYSIGHT_B2200
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

COMMAND = KEYSIGHT_B2200.command_seconds
SETTLE, RELEASE = B2211A.contacts.settle_seconds, B2211A.contacts.release_seconds


@pytest.fixture
def world() -> World:
    return World.from_description({"rows": 1, "cols": 1}, seed=7, line_hertz=50)


@pytest.fixture
def matrix(world: World) -> SimKeysightB2201A:
    return SimKeysightB2201A("m", world, HostClock(world), cards=["B2211A", "B2211A"])


def connections(matrix: SimKeysightE5250A, ask: Any, card: int = 0) -> list[str]:
    return [channel for channel in str(ask(matrix, f":CLOS:CARD? {card}"))[2:-1].split(",") if channel]


def test_identity(matrix: SimKeysightB2201A, world: World, ask: Any) -> None:
    assert ask(matrix, "*IDN?") == "AGILENT TECHNOLOGIES,B2201A,0,A.01.00"
    assert ask(matrix, ":SYST:CTYP? 2") == "AGILENT TECHNOLOGIES,B2211A,0,A.01.00"
    assert ask(matrix, ":SYST:CTYP? 3") == "AGILENT TECHNOLOGIES,0,0,0"
    assert "24 Output" in ask(matrix, ":SYST:CDES? 0")
    assert ask(matrix, "*TST?;:SYST:ERR?") == '0;+0,"No error"'
    older = SimKeysightE5250A("n", world, HostClock(world), cards=["E5252A"] * 4)
    assert ask(older, "*IDN?") == "HEWLETT-PACKARD,E5250A,0,A.03.00"


def test_the_manuals_example(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":ROUT:FUNC NCON", ":ROUT:OPEN:CARD ALL", ":ROUT:CLOS (@10101,10202)")
    assert ask(matrix, ":ROUT:OPEN? (@10101,10102,10201,10202)") == "0,1,1,0"
    assert connections(matrix, ask, 1) == ["10101", "10202"]
    assert connections(matrix, ask, 2) == []


def test_auto_configuration_counts_outputs_through_the_cards(
    matrix: SimKeysightB2201A, world: World, tell: Any, ask: Any
) -> None:
    source, ground = world.add_source("s", "m.row.2"), world.add_source("g", "m.col.201")
    tell(matrix, ":CLOS (@00213)")
    source.drive_volts(1e-3, 1.0)
    ground.drive_volts(0.0, 1.0)
    assert source.point().amps == pytest.approx(1e-3 / 0.52, rel=1e-6)
    assert ask(matrix, ":FUNC?;:CLOS? (@00213,00214)") == "ACON;1,0"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":CLOS (@01501)", -222),
        (":CLOS (@00125)", -222),
        (":CLOS (@10101)", -222),
        (":CLOS (@0101)", -171),
        (":CLOS 00101", -102),
        (":CLOS:CARD? 1", -222),
        (":CLOS:CARD? ALL", -224),
        (":BIAS:PORT 0,15", -222),
        (":BIAS:PORT 0,0", -222),
        (":COUP:PORT 0,'2'", -222),
        (":AGND:UNUSED 0,'9'", -222),
        (":CONN:RULE 0,LOOSE", -224),
        (":CONN:RULE 0", -109),
    ],
)
def test_errors(matrix: SimKeysightB2201A, tell: Any, ask: Any, message: str, code: int) -> None:
    tell(matrix, "*CLS", ":CLOS (@00101)", message)
    assert ask(matrix, "*ESR?") == ("32" if code > -200 else "16")
    assert ask(matrix, ":SYST:ERR?").startswith(f"{code},")
    assert connections(matrix, ask) == ["00101"]


def test_free_rule_and_ranges(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":CLOS (@00103:00105,0210:00111)")
    assert ask(matrix, ":SYST:ERR?").startswith("-171,"), "the card is needed at the start of a range"
    tell(matrix, ":CLOS (@00103:0105)", ":CLOS (@00203)")
    assert connections(matrix, ask) == ["00103", "00104", "00105", "00203"]


def test_single_route(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":CLOS (@00218,00214,00215)", ":CONN:RULE 0,SROU", ":CLOS (@00515)")
    assert connections(matrix, ask) == ["00214", "00218", "00515"], "routes made under the free rule persist"
    tell(matrix, ":CLOS (@00201)")
    assert connections(matrix, ask) == ["00201", "00515"]
    assert ask(matrix, ":CONN:RULE? 0;SEQ? 0") == "SROU;BBM"


@pytest.mark.parametrize(
    ("sequence", "seconds"), [("BBM", RELEASE + SETTLE), ("MBBR", SETTLE + RELEASE), ("NSEQ", max(SETTLE, RELEASE))]
)
def test_sequence_of_a_single_route(
    matrix: SimKeysightB2201A, world: World, tell: Any, sequence: str, seconds: float
) -> None:
    tell(matrix, f":CONN:RULE 0,SROU;SEQ 0,{sequence}", ":CLOS (@00101)")
    before = world.seconds
    tell(matrix, ":CLOS (@00102)")
    assert world.seconds - before == pytest.approx(COMMAND + seconds)


@pytest.mark.parametrize("sequence", ["BBM", "MBBR", "NSEQ"])
def test_no_sequence_ever_joins_the_bias_port_to_another_input(
    matrix: SimKeysightB2201A, world: World, tell: Any, monkeypatch: pytest.MonkeyPatch, sequence: str
) -> None:
    tell(matrix, ":BIAS 0,ON", f":CONN:RULE 0,SROU;SEQ 0,{sequence}", ":CLOS (@00101)")
    states: list[frozenset[tuple[int, int, int]]] = []
    move = matrix.move

    def watched(bank: Any, closed: Any) -> None:
        move(bank, closed)
        states.append(bank.closed)

    monkeypatch.setattr(matrix, "move", watched)
    tell(matrix, ":CLOS (@00102)")
    for closed in states:
        on_bias = {relay[0::2] for relay in closed if relay[1] == 10}
        assert not on_bias & {relay[0::2] for relay in closed if relay[1] != 10}
    both = {(1, 1, 1), (1, 1, 2)}
    assert any(both <= closed for closed in states) == (sequence == "MBBR")


def test_bias_mode(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":BIAS:CHAN:DIS (@00115,00117)")
    assert connections(matrix, ask) == []
    tell(matrix, ":BIAS 0,ON")
    assert connections(matrix, ask) == [f"010{o:02d}" for o in range(1, 25) if o not in (15, 17)]
    tell(matrix, ":CLOS (@00411)")
    assert "00411" in connections(matrix, ask) and "01011" not in connections(matrix, ask)
    tell(matrix, ":OPEN (@00411)")
    assert "01011" in connections(matrix, ask)
    tell(matrix, "*CLS", ":CLOS (@01017)")
    assert ask(matrix, "*ESR?") == "8"
    assert ask(matrix, ":SYST:ERR?") == '+3014,"Cannot directly specify Bias Port channel"'
    tell(matrix, ":BIAS:PORT 0,9")
    assert connections(matrix, ask)[0] == "00901"
    assert ask(matrix, ":BIAS:CHAN:ENAB? (@00115,00116);:BIAS:CHAN:DIS? (@00115,00116)") == "0,1;1,0"
    tell(matrix, ":BIAS 0,OFF")
    assert connections(matrix, ask) == []


def test_bias_and_ground_exclude_each_other(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":BIAS 0,ON", ":AGND 0,ON")
    assert ask(matrix, ":SYST:ERR?;:BIAS? 0;:AGND? 0") == '-220,"Parameter error";1;0'


def test_hardware_half_select(matrix: SimKeysightB2201A, world: World, tell: Any) -> None:
    """Three lines on a star of 1 kilohm: one at V, one at 0, the third takes the bias by itself."""
    drive, bias, sense = (world.add_source(f"s{port}", f"m.row.{port}") for port in (1, 10, 3))
    for line in (101, 102, 103):
        world.connect(f"m.col.{line}", "star", 1000.0)
    tell(matrix, ":BIAS:CHAN:DIS:CARD 0", ":BIAS:CHAN:ENAB (@00101:00103)", ":CLOS (@00101,00302)", ":BIAS 0,1")
    drive.drive_volts(0.9, 1.0)
    bias.drive_volts(0.45, 1.0)
    sense.drive_volts(0.0, 1.0)
    assert drive.point().amps == pytest.approx(0.45e-3, rel=2e-3)
    assert sense.point().amps == pytest.approx(-0.45e-3, rel=2e-3)
    assert abs(bias.point().amps) < 2e-6, "the unselected line sits at the star's own potential"
    tell(matrix, ":BIAS 0,0")
    assert bias.point().amps == pytest.approx(0.0, abs=1e-9)


def test_ground_mode(matrix: SimKeysightB2201A, world: World, tell: Any, ask: Any) -> None:
    source = world.add_source("s", "m.row.4")
    stray = world.add_source("t", "m.row.12")
    world.connect("m.col.112", "m.col.209", 1000.0)
    tell(matrix, ":AGND:UNUSED 0,'5, 6, 7, 8'", ":AGND:CHAN:ENAB (@00112,00121)", ":AGND 0,ON")
    assert connections(matrix, ask) == ["01212", "01221"]
    assert ask(matrix, ":AGND:UNUSED? 0") == "5,6,7,8"
    tell(matrix, ":CLOS (@00421)")
    assert connections(matrix, ask) == ["00421", "01212"]
    source.drive_volts(0.1, 1.0)
    stray.drive_volts(5.0, 1e-3)
    assert source.point().amps == pytest.approx(0.1 / 1001.1, rel=1e-3), "output 12 is grounded inside"
    assert stray.point().amps == pytest.approx(0.0, abs=1e-9), "and the connector of input 12 is open"
    tell(matrix, "*CLS", ":CLOS (@01222)")
    assert ask(matrix, ":SYST:ERR?") == '+3022,"Cannot directory specify Auto Ground Port channel"'
    tell(matrix, ":CLOS (@00522)")
    assert ask(matrix, ":SYST:ERR?").startswith("-220,"), "an unused input cannot be used"
    tell(matrix, ":AGND:CHAN:DIS (@00112)")
    assert source.point().amps == pytest.approx(0.0, abs=1e-9)


def test_unused_inputs_are_grounded(matrix: SimKeysightB2201A, world: World, tell: Any) -> None:
    source = world.add_source("s", "m.row.5")
    source.drive_volts(1e-3, 1.0)
    tell(matrix, ":AGND:UNUSED 0,'5'", ":AGND 0,1")
    assert source.point().amps > 1e-3
    tell(matrix, ":AGND 0,0")
    assert source.point().amps == pytest.approx(0.0, abs=1e-9)


def test_couple_mode(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":COUP:PORT 0,'5'", ":COUP:PORT 0,'1,3'", ":COUP 0,1", ":CLOS (@00317)")
    assert ask(matrix, ":COUP:PORT? 0;:COUP? 0") == "1,3;1"
    assert connections(matrix, ask) == ["00317", "00418"]
    tell(matrix, ":OPEN (@00418)", ":CLOS (@00211)", ":CLOS (@00112)")
    assert connections(matrix, ask) == ["00111", "00212"]
    tell(matrix, ":OPEN:CARD 0", ":COUP:PORT:DET")
    assert ask(matrix, ":COUP:PORT? 0") == ""
    tell(matrix, ":COUP:PORT 0,'9'", ":BIAS 0,1")
    assert ask(matrix, ":SYST:ERR?").startswith("-220,"), "bias port 10 is coupled"


def test_reset_opens_everything_before_it_forgets(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":FUNC NCON", ":CLOS (@20101)", ":BIAS ALL,ON", "*RST")
    assert ask(matrix, ":FUNC?;:CLOS:CARD? 0;:BIAS? 0;:BIAS:PORT? 0;:AGND:PORT? 0") == "ACON;(@);0;10;12"


def test_normal_configuration_keeps_cards_apart(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":FUNC NCON", ":CONN:RULE 2,SROU", ":BIAS 2,ON", ":CLOS (@10101,10102,20101,20102)")
    assert connections(matrix, ask, 1) == ["10101", "10102"]
    assert connections(matrix, ask, 2) == ["20102"] + [f"210{o:02d}" for o in range(1, 13) if o != 2]
    assert ask(matrix, ":CONN:RULE? 1;RULE? 2") == "FREE;SROU"
    tell(matrix, ":SYST:CPON 2")
    assert connections(matrix, ask, 2) == []
    assert connections(matrix, ask, 1) == ["10101", "10102"]


def test_a_laboratory_script(matrix: SimKeysightB2201A, world: World, tell: Any, ask: Any) -> None:
    """As scripts for a B2201A go: normal configuration, outputs on an SMU or on an input that grounds them."""
    tell(matrix, ":ROUT:FUNC NCON", ":ROUT:CONN:RULE 1,FREE", ":ROUT:CONN:SEQ 1,BBM", ":ROUT:OPEN:CARD 1")
    tell(matrix, ":ROUT:CLOS (@10101,11002,10203,11004)", ":ROUT:OPEN:CARD 1", ":ROUT:CLOS (@11001,10102,11003,10204)")
    assert connections(matrix, ask, 1) == ["10102", "10204", "11001", "11003"]
    assert ask(matrix, ":SYST:ERR?") == '+0,"No error"'
    assert world.incidents == []


def test_memory_symbols_and_tests(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":CLOS (@00101)", ":SYST:MEMO:SAVE 1", ":SYST:MEMO:COMM 1,'first'", "*RST", ":SYST:MEMO:LOAD 1")
    assert ask(matrix, ":CLOS:CARD? 0;:SYST:MEMO:COMM? 1") == '(@00101);"first"'
    tell(matrix, ":SYMB:CHAN 0,3,'WL3'", ":ROUT:SYMB:PORT 1,'SMU1'")
    assert ask(matrix, ":SYMB:CHAN? 0,3;:SYMB:CHAN? 0,4;:SYMB:PORT? 1") == '"WL3";"04";"SMU1"'
    assert ask(matrix, ":DIAG:TEST:CARD:STAT? 1;:DIAG:TEST:CARD? ALL") == "-1;0"
    assert ask(matrix, ":SYST:ERR?") == '+0,"No error"'


def test_only_the_relay_test_finds_a_stuck_relay(matrix: SimKeysightB2201A, world: World, tell: Any, ask: Any) -> None:
    world.stick_relay("m.row.3", "m.col.204", is_closed=True)
    tell(matrix, ":CLOS (@00101)")
    assert ask(matrix, ":CLOS? (@00101,00316);*TST?;:SYST:ERR?") == '1,0;0;+0,"No error"'
    before = world.seconds
    assert ask(matrix, ":DIAG:TEST:CARD? 1;:DIAG:TEST:CARD? 2;:DIAG:TEST:CARD:STAT? 2") == "0;1;1"
    assert world.seconds - before > 2 * 14 * 12 * SETTLE, "relay after relay"
    assert ask(matrix, ":CLOS:CARD? 0;:DIAG:TEST:FRAM? CONT") == "(@);0"
    tell(matrix, ":DIAG:TEST:CARD:CLE 2")
    assert ask(matrix, ":DIAG:TEST:CARD:STAT? 2;:DIAG:TEST:CARD? ALL") == "-1;1"


def test_a_coupled_pair_carries_two_signals(matrix: SimKeysightB2201A, world: World, tell: Any) -> None:
    force, sense = world.add_source("f", "m.row.3"), world.add_source("s", "m.row.4")
    world.connect("m.col.105", "m.col.106", 1000.0)
    sense.drive_volts(0.0, 1.0)
    force.drive_volts(1e-3, 1.0)
    tell(matrix, ":COUP:PORT 0,'3'", ":CLOS (@00305)")
    assert sense.point().amps == pytest.approx(0.0, abs=1e-9), "alone, input 3 does not take input 4 along"
    tell(matrix, ":COUP 0,ON", ":OPEN (@00305)", ":CLOS (@00305)")
    assert sense.point().amps == pytest.approx(-1e-3 / 1001.02, rel=1e-3)
    tell(matrix, ":OPEN (@00406)")
    assert force.point().amps == pytest.approx(0.0, abs=1e-9), "either one opens both"
    assert world.incidents == []


def test_symbols_go_with_the_card_and_with_reset(matrix: SimKeysightB2201A, tell: Any, ask: Any) -> None:
    tell(matrix, ":SYMB:CHAN 0,3,'WL3'", ":SYST:CPON 0")
    assert ask(matrix, ":SYMB:CHAN? 0,3") == '"03"'
    tell(matrix, ":SYMB:CHAN 0,3,'WL3'", "*RST")
    assert ask(matrix, ":SYMB:CHAN? 0,3") == '"03"'


def test_an_e5250a_has_no_ground_mode(world: World, tell: Any, ask: Any) -> None:
    matrix = SimKeysightE5250A("m", world, HostClock(world), cards=["E5252A", "E5252A"])
    tell(matrix, ":ROUT:BIAS 0,ON", ":ROUT:CLOS (@01001)")
    assert ask(matrix, ":SYST:ERR?").startswith("+3014,")
    assert len(connections(matrix, ask)) == 24
    tell(matrix, ":AGND 0,ON", ":CLOS (@01101)")
    assert ask(matrix, ":SYST:ERR?").startswith("-113,")
    assert ask(matrix, ":SYST:ERR?").startswith("-222,")
