"""Dialogues with a simulated 707B: channels, rules and times, patterns, errors, and what its relays connect."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtjlab.sim_instruments.channel_list import Card, Channel, ChannelListError, ChannelLists
from mtjlab.sim_instruments.keithley_707b import SimKeithley707B
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import World

RELAY = 4e-3
COMMAND = 500e-6


@pytest.fixture
def matrix() -> SimKeithley707B:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    return SimKeithley707B("m", world, HostClock(world), cards=["7174A", "7174A", None, "7173-50"], serial="99")


def errors(matrix: SimKeithley707B) -> list[tuple[int, str]]:
    queue = matrix.status.errors
    return [(error.code, error.text) for error in (queue.take() for _ in range(len(queue)))]


def closed(matrix: SimKeithley707B, ask: Any, channels: str = "allslots") -> str:
    return str(ask(matrix, f'print(channel.getclose("{channels}"))'))


def test_identity(matrix: SimKeithley707B, ask: Any) -> None:
    assert ask(matrix, "*IDN?") == "Keithley Instruments Inc., Model 707B, 99, 01.42b"
    assert ask(matrix, "print(localnode.model)") == "707B"


def test_slots(matrix: SimKeithley707B, ask: Any) -> None:
    assert ask(matrix, "print(slot[1].idn)").startswith("7174A,8x12 ")
    assert ask(matrix, "print(slot[3].idn)") == "Empty Slot"
    assert ask(matrix, "print(slot[1].rows.matrix, slot[1].columns.matrix)") == "8.00000e+00\t1.20000e+01"
    assert ask(matrix, "print(slot[4].rows.matrix, slot[3].rows.matrix, slot[7])") == "4.00000e+00\tnil\tnil"
    assert ask(matrix, "print(slot[1].idn == slot[2].idn)") == "false", "cards have serial numbers of their own"


def test_the_manuals_close_examples(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, 'channel.open("allslots")', 'channel.pattern.setimage("1B02,1B04,1B06", "Chans")')
    tell(matrix, 'channel.close("1A01:1A05, 1C03, Chans")')
    assert closed(matrix, ask, "slot1") == "1A01;1A02;1A03;1A04;1A05;1B02;1B04;1B06;1C03"
    tell(matrix, 'channel.exclusiveclose("")')
    assert closed(matrix, ask) == "nil"
    assert errors(matrix) == []


def test_close_adds_exclusive_close_replaces(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.close('1A01')", "channel.close('2B02;2C03')")
    assert closed(matrix, ask) == "1A01;2B02;2C03"
    assert closed(matrix, ask, "slot2") == "2B02;2C03"
    tell(matrix, "channel.exclusiveslotclose('2D04')")
    assert closed(matrix, ask) == "1A01;2D04"
    tell(matrix, "channel.exclusiveclose('1H12, 1A01')")
    assert closed(matrix, ask) == "1A01;1H12"
    tell(matrix, "channel.open('1H12, 2A01')")
    assert closed(matrix, ask) == "1A01"
    assert ask(matrix, "print(channel.getstate('1A01:1A03'))") == "1,0,0"
    assert ask(matrix, "print(channel.getcount('1A01,1H12,2A02'))") == "1,1,0"
    tell(matrix, "reset()")
    assert closed(matrix, ask) == "nil"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("channel.close('')", "empty channel list"),
        ("channel.close('slot1')", "slot1 is not allowed here"),
        ("channel.exclusiveclose('allslots')", "allslots is not allowed here"),
        ("channel.close('3A01')", "slot 3 is empty"),
        ("channel.close('1A13')", "channel 1A13 does not exist on the 7174A in slot 1"),
        ("channel.close('4E01')", "channel 4E01 does not exist on the 7173-50 in slot 4"),
        ("channel.close('7A01')", "invalid channel 7A01"),
        ("channel.close('1A01:')", "invalid channel"),
        ("channel.close('1A05:1A01')", "must begin with its lowest"),
        ("channel.close('1A01 1A02')", "invalid channel"),
        ("channel.open('slot9')", "invalid slot"),
        ("channel.open(nil)", "Parameter error"),
        ("channel.close(5)", "Parameter error"),
        ("channel.close('nopattern')", "invalid channel nopattern"),
        ("channel.setdelay('1A01', -1)", "Parameter too small"),
        ("channel.connectrule = 3", "Parameter too big"),
        ("channel.pattern.getimage('x')", "no channel pattern x"),
        ("channel.pattern.setimage('1A01', 'slot1')", "invalid pattern name"),
        ("channel.createspecifier(1, 9, 1)", "does not exist"),
        ("channel.close()", "Missing parameter"),
    ],
)
def test_errors_close_nothing(matrix: SimKeithley707B, tell: Any, ask: Any, message: str, text: str) -> None:
    tell(matrix, "channel.close('2H12')", message)
    (_, said), *more = errors(matrix)
    assert text in said
    assert more == []
    assert closed(matrix, ask) == "2H12"


def test_one_bad_channel_stops_the_whole_command(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.exclusiveclose('1A01,1A99')")
    assert closed(matrix, ask) == "nil"
    assert ask(matrix, "print(errorqueue.next())").startswith("1.11500e+03\tParameter error")
    assert ask(matrix, "print(errorqueue.count)") == "0.00000e+00"


def test_forbidden_channels(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.close('1A01')", "channel.setforbidden('1A01,1B01')")
    assert closed(matrix, ask) == "nil"
    assert ask(matrix, "print(channel.getforbidden('allslots'))") == "1A01,1B01"
    tell(matrix, "channel.close('1A01,1A02')")
    assert errors(matrix) == [(1114, "Settings conflict 1A01 is forbidden to close")]
    tell(matrix, "channel.clearforbidden('slot1')", "channel.close('1A01')")
    assert closed(matrix, ask) == "1A01"
    assert ask(matrix, "print(channel.getforbidden('1A01'))") == "nil"


def test_patterns(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.pattern.setimage('1A01, 2B02', 'mine')", "channel.close('mine')")
    assert closed(matrix, ask, "mine") == "1A01;2B02"
    assert ask(matrix, "print(channel.pattern.getimage('mine'))") == "1A01,2B02"
    tell(matrix, "channel.close('1C03')", "channel.pattern.snapshot('now')", "channel.pattern.delete('mine')")
    assert ask(matrix, "print(channel.pattern.getimage('now'))") == "1A01,1C03,2B02"
    tell(matrix, "channel.close('mine')")
    assert len(errors(matrix)) == 1
    tell(matrix, "channel.reset('1A01')", "channel.open('now')")
    assert len(errors(matrix)) == 1, "the pattern went with its channel"


def test_create_specifier(matrix: SimKeithley707B, ask: Any) -> None:
    assert ask(matrix, "print(channel.createspecifier(1, 1, 1))") == "1A01"
    assert ask(matrix, "print(channel.createspecifier(2, 8, 12))") == "2H12"


def spent(matrix: SimKeithley707B, tell: Any, message: str) -> float:
    before = matrix.world.seconds
    tell(matrix, message)
    return matrix.world.seconds - before - COMMAND


@pytest.mark.parametrize(("rule", "relay_times"), [(1, 2), (2, 2), (0, 1)])
def test_connection_rules_take_their_time(matrix: SimKeithley707B, tell: Any, rule: int, relay_times: int) -> None:
    tell(matrix, f"channel.connectrule = {rule}", "channel.close('1A01')")
    assert spent(matrix, tell, "channel.exclusiveclose('1A02')") == pytest.approx(relay_times * RELAY)
    assert spent(matrix, tell, "channel.exclusiveclose('1A02')") == pytest.approx(0, abs=1e-9)
    assert spent(matrix, tell, "channel.exclusiveclose('1A02:1A05')") == pytest.approx(RELAY)


def test_sequential_connections_and_delays(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.setdelay('1A01', 0.5)", "channel.setdelay('1A02', 0.25)")
    assert ask(matrix, "print(channel.getdelay('1A02,1A01,1A03'))") == "2.50000e-01,5.00000e-01,0.00000e+00"
    assert spent(matrix, tell, "channel.close('1A01:1A03')") == pytest.approx(RELAY + 0.5)
    assert spent(matrix, tell, "channel.open('allslots')") == pytest.approx(RELAY), "no delay on opening"
    tell(matrix, "channel.connectsequential = channel.ON")
    assert ask(matrix, "print(channel.connectsequential)") == "1.00000e+00"
    assert spent(matrix, tell, "channel.close('1A01:1A03')") == pytest.approx(3 * RELAY + 0.75)


@pytest.mark.parametrize(("rule", "seen"), [(1, [set(), {"1A02"}]), (2, [{"1A01", "1A02"}, {"1A02"}]), (0, [{"1A02"}])])
def test_what_is_connected_on_the_way(
    matrix: SimKeithley707B, tell: Any, monkeypatch: pytest.MonkeyPatch, rule: int, seen: list[set[str]]
) -> None:
    tell(matrix, f"channel.connectrule = {rule}", "channel.close('1A01')")
    steps: list[set[str]] = []
    names = [channel.name for channel in matrix._lists.every]
    monkeypatch.setattr(matrix._switches, "set", lambda wanted: steps.append({names[k] for k in wanted}))
    tell(matrix, "channel.exclusiveclose('1A02')")
    assert steps == seen


def test_rows_are_common_to_all_slots(tell: Any) -> None:
    world = World.from_description({"rows": 2, "cols": 2}, seed=7, line_hertz=50)
    matrix = SimKeithley707B("m", world, HostClock(world), cards=["7174A", "7174A"])
    source = world.add_source("s", "m.col.101")
    load = world.add_source("load", "m.col.212")
    source.drive_volts(1.0, 1e-3)
    load.drive_amps(0.0, 10.0)
    tell(matrix, "channel.close('1C01')")
    assert abs(load.point().volts) < 0.1
    tell(matrix, "channel.close('2C12')")
    assert load.point().volts == pytest.approx(1.0, abs=1e-3)
    assert [incident.kind for incident in world.incidents] == ["hot switching"] * len(world.incidents)


def test_a_script_can_route(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(
        matrix,
        "loadscript Walk",
        "for column = 1, 3 do",
        "  channel.exclusiveclose(channel.createspecifier(1, 1, column)) waitcomplete()",
        "  print(channel.getclose('allslots'))",
        "end",
        "endscript",
    )
    assert ask(matrix, "Walk()") == "1A01"
    assert [reply.decode() for reply in matrix._replies] == ["1A02\n", "1A03\n"]


CARDS = {1: Card("7174A", 8, 12, "x"), 5: Card("7174A", 8, 12, "x")}
CHANNELS = st.builds(Channel, st.sampled_from([1, 5]), st.sampled_from("ABCDEFGH"), st.integers(1, 12))


@given(st.lists(CHANNELS, min_size=1, unique=True), st.sampled_from([",", ";", " , "]), st.booleans())
def test_any_list_of_channels_is_understood(channels: list[Channel], separator: str, has_bank: bool) -> None:
    names = [f"{c.name[0]}1{c.name[1:]}" if has_bank else c.name.lower() for c in channels]
    assert list(ChannelLists(CARDS, {}).parse(separator.join(names))) == channels


@given(CHANNELS, CHANNELS)
def test_ranges_hold_everything_in_between(first: Channel, last: Channel) -> None:
    lists = ChannelLists(CARDS, {})
    low, high = sorted((first, last))
    found = lists.parse(f"{low.name}:{high.name}")
    assert list(found) == [channel for channel in lists.every if low <= channel <= high]


@given(st.text(max_size=12))
def test_nonsense_is_refused_or_understood(text: str) -> None:
    lists = ChannelLists(CARDS, {})
    try:
        assert set(lists.parse(text)) <= set(lists.every)
    except ChannelListError as error:
        assert str(error)


def test_columns_beyond_ninety_nine() -> None:
    lists = ChannelLists({1: Card("wide", 2, 120, "x")}, {})
    assert Channel(1, "A", 100).name == "1AA0"
    assert list(lists.parse("1AA0, 1B99, 1AC0")) == [Channel(1, "A", 100), Channel(1, "B", 99), Channel(1, "A", 120)]


def test_labels(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.setlabel('1A01', 'start')", "channel.close('start, 1A02')")
    assert closed(matrix, ask) == "1A01;1A02"
    assert ask(matrix, "print(channel.getlabel('1A01:1A02'))") == "start,1A02"
    tell(matrix, "channel.setlabelrow('1A01', 'gate') channel.setlabelcolumn('1A02', 'drain')")
    assert ask(matrix, "print(channel.getlabelrow('1A07'), channel.getlabelcolumn('1H02'))") == "gate\tdrain"
    tell(matrix, "channel.setlabel('1A05', 'start')", "channel.setlabel('1A05', '1A06')")
    assert [text for _, text in errors(matrix)] == [
        "Parameter error start is in use",
        "Parameter error invalid label 1A06",
    ]
    tell(matrix, "channel.setlabel('1A01', '')", "channel.close('start')")
    assert len(errors(matrix)) == 1


def test_patterns_are_listed_and_may_be_empty(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.pattern.setimage('', 'none')", "channel.pattern.setimage('1A01', 'one')")
    assert ask(matrix, "for name in channel.pattern.catalog() do print(name) end") == "none"
    matrix.drop_replies()
    tell(matrix, "channel.exclusiveclose('one')", "channel.close('none')")
    assert closed(matrix, ask) == "1A01"
    assert errors(matrix) == []


MANUALS_SCAN = "Init) OPEN...\n1) STEP: 1A05\n\tCLOSE: 1A05\n2) STEP: 1B05\n\tOPEN: 1A05\n\tCLOSE: 1B05\n3) STEP: 1C05"


def test_the_manuals_scan(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.close('2H12')", "scan.create('1A05, 1B05, 1C05')", "scan.scancount = 2")
    assert ask(matrix, "print(scan.list())").startswith(MANUALS_SCAN)
    assert ask(matrix, "print(scan.state())") == "1.00000e+00\t0.00000e+00\t0.00000e+00"
    before = matrix.world.seconds
    tell(matrix, "scan.execute()")
    assert matrix.world.seconds - before == pytest.approx(COMMAND + RELAY + 11 * RELAY)
    assert closed(matrix, ask) == "1C05", "all others are opened first"
    assert ask(matrix, "print(scan.stepcount, scan.state())") == "3.00000e+00\t6.00000e+00\t2.00000e+00\t3.00000e+00"
    assert ask(matrix, "print(channel.getcount('1B05'))") == "2"
    assert errors(matrix) == []


def test_a_scan_steps_by_a_digital_line(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "channel.close('2H12')", "scan.mode = scan.MODE_OPEN_SELECTIVE scan.bypass = scan.OFF")
    tell(matrix, "channel.pattern.setimage('1A01,1B02', 'pair')", "scan.create('pair')")
    assert ask(matrix, "print(scan.add('1C03'), scan.addimagestep('1D04,1E05'))") == "2.00000e+00\t3.00000e+00"
    tell(matrix, "digio.trigger[3].mode = digio.TRIG_FALLING")
    tell(matrix, "scan.trigger.channel.stimulus = digio.trigger[3].EVENT_ID", "scan.background()")
    seen = [closed(matrix, ask)]
    for _ in range(3):
        tell(matrix, "digio.trigger[3].assert()", "delay(0.1)")
        seen.append(closed(matrix, ask))
    assert seen == ["2H12", "1A01;1B02;2H12", "1C03;2H12", "1D04;1E05;2H12"]
    assert ask(matrix, "print(scan.state())").startswith("6.0")


def test_scans_that_cannot_be(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(matrix, "scan.execute()", "channel.setforbidden('1A02')", "scan.create('1A01:1A03')", "scan.create('1A01')")
    tell(matrix, "scan.bypass = 0 scan.background()", "scan.background()", "scan.abort()")
    assert ask(matrix, "print(scan.state())").startswith("3.0")
    tell(matrix, "scan.execute()", "scan.reset()")
    assert [code for code, _ in errors(matrix)] == [1115, 1114, 1114, -286]
    assert ask(matrix, "print(scan.stepcount, scan.bypass)") == "0.00000e+00\t1.00000e+00"


def test_a_setup_brings_back_what_was_closed(matrix: SimKeithley707B, tell: Any, ask: Any) -> None:
    tell(
        matrix, "channel.close('1A01') channel.connectrule = 2 channel.setlabel('1A02', 'two') setup.save(1)", "reset()"
    )
    assert closed(matrix, ask) == "nil"
    tell(matrix, "setup.recall(1)", "channel.close('two')")
    assert closed(matrix, ask) == "1A01;1A02"
    assert ask(matrix, "print(channel.connectrule)") == "2.00000e+00"
