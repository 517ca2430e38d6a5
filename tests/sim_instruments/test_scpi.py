"""SCPI's grammar on a small instrument, and IEEE 488.2's message exchange."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtjlab.sim_instruments.scpi import Command, CommandTree, split_outside, split_units
from mtjlab.sim_instruments.scpi_errors import ScpiError
from mtjlab.sim_instruments.scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS, POWER_ON_COMMANDS, ScpiInstrument
from mtjlab.sim_instruments.scpi_parameters import (
    Block,
    ChannelList,
    Choice,
    Extreme,
    Number,
    Numbers,
    SteppedNumber,
    Switch,
    Text,
    parse_number,
    spellings,
)
from mtjlab.sim_instruments.status_488 import Status488
from mtjlab.sim_instruments.wire_instrument import HostClock, NoReply
from mtjlab.sim_instruments.world import World

UNHURRIED = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
"""What a draw takes depends on how busy the machine is."""
LEVEL = Number("V", -10, 10, 0.5)
COMMANDS = (
    *COMMON_COMMANDS,
    *ERROR_COMMANDS,
    *POWER_ON_COMMANDS,
    Command(
        ":SOURce[1]:VOLTage[:LEVel][:IMMediate][:AMPLitude]",
        write=lambda i, v: i.put("level", v),
        query=lambda i, extreme: f"{i.kept.get('level', 0.0) if extreme is None else extreme:g}",
        takes=(LEVEL,),
        asks=(Extreme(LEVEL),),
    ),
    Command(":SOURce[1]:DELay", write=lambda i, v: i.put("delay", v), takes=(Number("S", 0, 100),)),
    Command(
        ":SOURce[1]:DELay:AUTO",
        write=lambda i, v: i.put("auto", v),
        query=lambda i: str(int(i.kept["auto"])),
        takes=(Switch(),),
    ),
    Command(":DISPlay:TEXT[:DATA]", write=lambda i, v: i.put("text", v), takes=(Text(),)),
    Command(":TRACe|DATA:FILL", write=lambda i, v: i.put("block", v), takes=(Block(),)),
    Command(":CHANnel<n>:GAIN", write=lambda i, n, v: i.put(f"gain{n}", v), takes=(Number(),)),
    Command(":FUNCtion:MODE", write=lambda i, v: i.put("mode", v), takes=(Choice("FIXed", "SWEep"),)),
    Command(":LIST", write=lambda i, v: i.put("list", v), takes=(Numbers("V", -1, 1, at_most=3),)),
    Command(":TWO:NUMBers", write=lambda i, a, b: i.put("two", (a, b)), takes=(Number(), Number(is_optional=True))),
)


class Small(ScpiInstrument):
    tree = CommandTree(COMMANDS)

    def __init__(self) -> None:
        world = World.from_description({"rows": 2, "cols": 2}, seed=1, line_hertz=50)
        super().__init__("small", world, HostClock(world), Status488({}, error_bit=4, queue_capacity=4))
        self.kept: dict[str, Any] = {}
        self.triggers = 0

    def put(self, name: str, value: Any) -> None:
        self.kept[name] = value

    @property
    def identity(self) -> str:
        return "MTJLAB,SMALL,1,2"

    def reset(self) -> None:
        self.kept.clear()

    def trigger(self) -> None:
        self.triggers += 1

    def _cleared(self) -> None:
        pass


@pytest.fixture
def small() -> Small:
    return Small()


def codes(small: Small) -> list[int]:
    return [small.status.errors.take().code for _ in range(len(small.status.errors))]


SHARED = Small()


def any_case(text: str) -> st.SearchStrategy[str]:
    return st.lists(st.booleans(), min_size=len(text), max_size=len(text)).map(
        lambda ups: "".join(c.upper() if up else c.lower() for c, up in zip(text, ups, strict=True))
    )


def node(name: str, suffix: str = "") -> st.SearchStrategy[str]:
    spelled = st.sampled_from([*spellings(name), *[s + suffix for s in spellings(name) if suffix]])
    return spelled.flatmap(any_case)


@UNHURRIED
@given(
    st.tuples(
        st.sampled_from(["", ":"]),
        node("SOURce", "1"),
        node("VOLTage"),
        st.one_of(st.just(""), node("LEVel")),
        st.one_of(st.just(""), node("IMMediate")),
        st.one_of(st.just(""), node("AMPLitude")),
    ),
    st.floats(-10, 10).map(lambda v: float(f"{v:.6g}")),
)
def test_every_spelling_reaches_the_same_handler(parts: tuple[str, ...], volts: float) -> None:
    header = parts[0] + ":".join(part for part in parts[1:] if part)
    SHARED.reset()
    SHARED.receive(f"{header} {volts!r}\n".encode(), is_end=True, bus_seconds=0)
    assert SHARED.kept == {"level": volts}
    assert not SHARED.status.errors


@UNHURRIED
@given(st.binary(max_size=60))
def test_garbage_never_raises_out_of_the_instrument(data: bytes) -> None:
    SHARED.receive(data + b"\n", is_end=True, bus_seconds=0)
    SHARED.receive(b"\n*CLS\n", is_end=True, bus_seconds=0)
    SHARED.device_clear(0)


@UNHURRIED
@given(st.text(alphabet="*:;,?\"#(@) \tSOURVLTabc0123.eE+-'", max_size=60))
def test_near_scpi_never_raises_out_of_the_instrument(text: str) -> None:
    SHARED.receive(text.encode(), is_end=True, bus_seconds=0)
    SHARED.device_clear(0)


def test_strings_in_either_quotes_with_quotes_inside(small: Small, tell: Any) -> None:
    texts = {"'it''s'": "it's", '"a ""b"" c"': 'a "b" c', "'a\"b'": 'a"b', '""': "", "';:,'": ";:,"}
    for text, content in texts.items():
        tell(small, f":DISP:TEXT {text}")
        assert small.kept["text"] == content
    assert codes(small) == []


def test_white_space_of_any_kind(small: Small, tell: Any) -> None:
    tell(small, "  :SOUR:VOLT\t 2 ;\t DEL\t3\t; :TWO:NUMB 1\t,\t2\r", "\t", "", ";;:TWO:NUMB 5;")
    assert small.kept == {"level": 2.0, "delay": 3.0, "two": (5.0, None)}
    assert codes(small) == []


@pytest.mark.parametrize(
    ("text", "is_on"),
    [("ON", True), ("off", False), ("1", True), ("0", False), ("0.4", False), ("-0.6", True), ("#B1", True)],
)
def test_switches_round(small: Small, tell: Any, text: str, is_on: bool) -> None:
    tell(small, f":SOUR:DEL:AUTO {text}")
    assert small.kept["auto"] is is_on


@UNHURRIED
@given(st.lists(st.text(alphabet=st.characters(codec="ascii", exclude_characters='"\n'), max_size=8), min_size=1))
def test_separators_in_strings_do_not_separate(texts: list[str]) -> None:
    quoted = [f'"{text}"' for text in texts]
    assert split_outside(";".join(quoted), ";") == quoted


def test_compound_messages_inherit_the_path(small: Small, tell: Any) -> None:
    tell(small, ":SOUR:VOLT 1;DEL 2;*CLS;DEL:AUTO ON;:DISP:TEXT 'a;b,c'")
    assert small.kept == {"level": 1.0, "delay": 2.0, "auto": True, "text": "a;b,c"}
    assert codes(small) == []


def test_a_leading_colon_returns_to_the_root_and_a_missing_one_does_not(small: Small, tell: Any) -> None:
    tell(small, ":SOUR:VOLT 1;SOUR:DEL 2")
    assert codes(small) == [-113]
    tell(small, ":SOUR:VOLT 1;:SOUR:DEL 2")
    assert small.kept["delay"] == 2.0


def test_a_command_error_ends_the_message_an_execution_error_does_not(small: Small, tell: Any) -> None:
    tell(small, ":NONSense 1;:SOUR:DEL 1")
    assert small.kept == {}
    tell(small, ":SOUR:VOLT 99;DEL 1")
    assert small.kept == {"delay": 1.0}
    assert codes(small) == [-113, -222]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (":SOUR:VOLT", -109),
        (":SOUR:VOLT ,1", -102),
        (":TWO:NUMB 1,", -109),
        (":SOUR:VOLT,1", -103),
        (":TWO:NUMB 1 2", -103),
        (":SOUR:VOLT 1,2", -108),
        (":SOUR:VOLT 11", -222),
        (":SOUR:VOLT abc", -104),
        (":SOUR:VOLT 'abc'", -158),
        (":SOUR:VOLT 1A", -131),
        (":SOUR:VOLT 1..2", -121),
        (":SOUR:VOLT #B102", -121),
        (":SOUR:VOLT #H", -121),
        (":SOUR:VOLT 1E99999", -123),
        (f":SOUR:VOLT {'1' * 300}", -124),
        (":SOUR:VOLT #13abc", -168),
        (":SOUR:VOLT (1)", -178),
        (":SOUR:VOLT 1E400", -222),
        ("*ESE 1V", -138),
        ("*ESE 256", -222),
        (":SOUR:DEL:AUTO MAYBE", -104),
        (":SOUR:DEL:AUTO 'ON'", -158),
        (":FUNC:MODE SINE", -224),
        (":FUNC:MODE 3", -128),
        (":FUNC:MODE 'FIX'", -158),
        (":FUNC:MODE #11a", -168),
        (":FUNC:MODE (@1)", -178),
        (":FUNC:MODE F$X", -141),
        (":SOUR2:VOLT 1", -114),
        (":SOUR:VOLTAG 1", -113),
        (":SOUR:VERYLONGMNEMONIC 1", -112),
        (":SOUR:DEL?", -113),
        ("*IDN", -113),
        ("*XYZ?", -113),
        (":SOUR::VOLT 1", -102),
        (":DISP:TEXT abc", -148),
        (":DISP:TEXT 123", -128),
        (":DISP:TEXT 'abc", -151),
        (":DISP:TEXT 'a'b'", -151),
        (":TRAC:FILL 3", -104),
        (":TRAC:FILL #15abc", -161),
        (":LIST 0,0,0,0", -223),
        (":SO\x80UR 1", -101),
        ("*IDN?;:SOUR:VOLT?", -440),
    ],
)
def test_error_codes(small: Small, tell: Any, message: str, code: int) -> None:
    tell(small, message)
    assert codes(small) == [code]


@pytest.mark.parametrize(
    ("token", "unit", "value"),
    [
        ("1", "", 1.0),
        ("-1.5e-3", "V", -1.5e-3),
        (".5", "V", 0.5),
        ("5.", "V", 5.0),
        ("1 E 3", "V", 1000.0),
        ("100mV", "V", 0.1),
        ("100 MV", "V", 0.1),
        ("1MAV", "V", 1e6),
        ("5uA", "A", 5e-6),
        ("5MA", "A", 5e-3),
        ("5MAA", "A", 5e6),
        ("1kOHM", "OHM", 1e3),
        ("1MOHM", "OHM", 1e6),
        ("1MHz", "HZ", 1e6),
        ("20ms", "S", 0.02),
        ("#H1F", "", 31.0),
        ("#b101", "", 5.0),
        ("#Q17", "", 15.0),
    ],
)
def test_numbers(token: str, unit: str, value: float) -> None:
    assert parse_number(token, unit) == pytest.approx(value)


@pytest.mark.parametrize("token", ["", "1_0", "nan", "inf", "1e400", "#HXY", "--1", "1 2"])
def test_what_is_no_number_is_refused(token: str) -> None:
    with pytest.raises(ScpiError):
        parse_number(token)


def test_special_words_of_numbers(small: Small, tell: Any, ask: Any) -> None:
    assert ask(small, ":SOUR:VOLT? MAX") == "10"
    assert ask(small, ":SOUR:VOLT? minimum") == "-10"
    tell(small, ":SOUR:VOLT DEF")
    assert ask(small, ":SOUR:VOLT?") == "0.5"
    steps = SteppedNumber((1.0, 10.0, 100.0), lambda i: 10.0, "V", 0, 100, 1)
    assert (steps.parse("UP", None), steps.parse("down", None)) == (100.0, 1.0)


def test_numeric_suffixes_reach_the_handler(small: Small, tell: Any) -> None:
    tell(small, ":CHAN3:GAIN 2;:CHANNEL:GAIN 4")
    assert small.kept == {"gain3": 2.0, "gain1": 4.0}


def test_optional_and_list_parameters(small: Small, tell: Any) -> None:
    tell(small, ":TWO:NUMB 1", ":LIST 0.1, -200mV")
    assert small.kept == {"two": (1.0, None), "list": [0.1, -0.2]}


def test_blocks_may_hold_separators_and_newlines(small: Small, tell: Any) -> None:
    tell(small, ":TRAC:FILL #14a;\n,;:SOUR:VOLT 1")
    assert small.kept == {"block": b"a;\n,", "level": 1.0}
    tell(small, ":DATA:FILL #0xyz")
    assert small.kept["block"] == b"xyz"


def test_choice_and_channel_list() -> None:
    assert Choice("NORMal").parse("normal", None) == "NORM"
    entries = ChannelList().parse("(@1, 3:5, 1!2!3)", None)
    assert entries == [((1,), (1,)), ((3,), (5,)), ((1, 2, 3), (1, 2, 3))]
    with pytest.raises(ScpiError):
        ChannelList().parse("(@1,)", None)


def test_units_of_a_message() -> None:
    assert split_units(' :A 1 , "x,y" ;; B? ') == [(":A", ["1", '"x,y"']), ("B?", [])]


def test_replies_of_one_message_come_in_one(small: Small, ask: Any) -> None:
    assert ask(small, "*ESE 4;*ESE?;:SOUR:DEL:AUTO 1;AUTO?") == "4;1"


def test_messages_end_with_newline_or_end(small: Small) -> None:
    small.receive(b":SOUR:DEL 1", is_end=False, bus_seconds=0)
    assert small.kept == {}
    small.receive(b"2\n:SOUR:VOLT 3", is_end=True, bus_seconds=0)
    assert small.kept == {"delay": 12.0, "level": 3.0}


def test_a_new_message_interrupts_an_unread_reply(small: Small, ask: Any, tell: Any) -> None:
    tell(small, "*ESE?")
    assert ask(small, "*IDN?") == small.identity
    assert codes(small) == [-410]
    assert small.status.take_event_status() & 4


def test_reading_without_a_question_is_unterminated(small: Small) -> None:
    with pytest.raises(NoReply):
        small.send(10, timeout_seconds=1.0, termination=None, bus_seconds=0)
    assert codes(small) == [-420]
    assert small.world.seconds >= 1.0


def test_the_error_queue_overflows_with_350(small: Small, tell: Any, ask: Any) -> None:
    tell(small, *[":XXX"] * 6)
    assert ask(small, ":SYST:ERR:COUN?") == "4"
    assert codes(small) == [-113, -113, -113, -350]
    assert ask(small, ":SYST:ERR?") == '0,"No error"'


def test_status_byte_and_service_request(small: Small, tell: Any, ask: Any) -> None:
    assert ask(small, "*ESR?") == "128"
    tell(small, "*ESE 32;*SRE 48")
    assert not small.requests_service
    tell(small, ":XXX")
    assert small.requests_service
    assert small.serial_poll() == 64 + 32 + 4
    assert small.serial_poll() == 32 + 4, "the poll clears RQS"
    assert not small.requests_service
    tell(small, "*ESE?")
    assert small.requests_service, "the message is a new reason"
    small.device_clear(0)
    tell(small, "*CLS")
    assert small.serial_poll() == 0
    tell(small, "*OPC")
    assert ask(small, "*ESR?;*STB?") == "1;0"


def test_common_commands(small: Small, tell: Any, ask: Any) -> None:
    tell(small, ":SOUR:DEL 1;*RST;*WAI;*TRG")
    assert small.kept == {}
    assert small.triggers == 1
    assert ask(small, "*TST?;*OPC?") == "0;1"
    tell(small, ":*CLS", "*SAV 1")
    assert codes(small) == [-113]


def test_enables_are_kept_over_a_power_failure_if_so_told(small: Small, tell: Any, ask: Any) -> None:
    assert ask(small, "*PSC?") == "1"
    tell(small, "*ESE 128;*SRE 32")
    small.power_cycle()
    assert ask(small, "*ESE?;*SRE?;*PSC?") == "0;0;1"
    tell(small, "*PSC 0;*ESE 128;*SRE 32")
    small.power_cycle()
    assert small.requests_service, "the power came back"
    assert ask(small, "*ESE?;*SRE?;*PSC?;*ESR?") == "128;32;0;128"


def test_a_reason_that_went_and_came_back_requests_service_again(small: Small, tell: Any) -> None:
    tell(small, "*SRE 4;:XXX")
    assert small.serial_poll() & 64
    tell(small, ":SYST:ERR?", ":XXX")
    small.device_clear(0)
    tell(small, "*CLS", ":XXX")
    assert small.serial_poll() & 64
    tell(small, "*CLS;:XXX")
    assert small.serial_poll() & 64, "even within one message"
