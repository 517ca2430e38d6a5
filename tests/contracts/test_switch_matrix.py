"""The contract of SwitchMatrix, on every implementation."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtjlab.drivers.keithley_707b import Keithley707B
from mtjlab.drivers.keithley_7001 import Keithley7001
from mtjlab.drivers.keysight_34980a import Keysight34980A
from mtjlab.drivers.keysight_b2200 import KeysightB2200
from mtjlab.errors import InstrumentError
from mtjlab.roles import Crosspoint, SwitchMatrix
from mtjlab.sim_instruments.simulated_bench import SimBench
from mtjlab.sim_instruments.switches import Switches
from mtjlab.sim_instruments.world import World

BENCH = """
bench: rig
seed: 7
line_hertz: 50
die: {{rows: 1, cols: 1}}
faults: {faults}
cables: [{{from: die.row.0, to: ground}}]
instruments:
  - {{name: matrix, model: {model}, address: "GPIB0::16::INSTR", {serial}cards: [{cards}]}}
"""
Points = frozenset[Crosspoint]


def points(*places: str) -> Points:
    """Crosspoints of texts like 3-112: row 3, column 112."""
    pairs = [place.split("-") for place in places]
    return frozenset(Crosspoint(row, int(column)) for row, column in pairs)


def columns(*cards: tuple[int, int]) -> tuple[int, ...]:
    """Columns of cards: slot and how many it has."""
    return tuple(slot * 100 + column for slot, count in cards for column in range(1, count + 1))


def numbered(count: int) -> tuple[str, ...]:
    return tuple(str(row) for row in range(1, count + 1))


def one_row_per_column(wanted: Points) -> bool:
    return len({point.column for point in wanted}) == len(wanted)


def one_to_one(wanted: Points) -> bool:
    return one_row_per_column(wanted) and len({point.row for point in wanted}) == len(wanted)


def anything(wanted: Points) -> bool:
    return True


@dataclass(frozen=True)
class Implementation:
    """A driver, the model and cards it is tried on, what it must find there, and crosspoints to close.

    Attributes:
        some, other: routes that share one crosspoint.
        takes: whether these may be closed together.
        missing: a crosspoint that there is not.
        refuses_missing: whether that is found before anything is sent.
        wrong: a message that it refuses, and what its error queue then says.
        serial: what *IDN? tells; the field is always 0 on some models.
    """

    driver: Any
    model: str
    cards: str
    rows: tuple[str, ...]
    columns: tuple[int, ...]
    some: Points
    other: Points
    wrong: tuple[str, str]
    takes: Callable[[Points], bool] = anything
    missing: Points = frozenset({Crosspoint("A", 999)})
    refuses_missing: bool = True
    serial: str = "1300001"

    def bench(self, faults: str = "[]") -> str:
        serial = "" if self.serial == "0" else f'serial: "{self.serial}", '
        return BENCH.format(model=self.model, cards=self.cards, serial=serial, faults=faults)


UNDEFINED = (":NO:SUCH:HEADER", "(?i)undefined header")
TSP = ('channel.close("nowhere")', "nowhere")
LETTERS = tuple("ABCDEFGH")
IMPLEMENTATIONS = {
    "keithley_707b": Implementation(
        Keithley707B, "keithley_707b", "7174A, 7174A, 7174A", LETTERS, columns((1, 12), (2, 12), (3, 12)),
        points("A-101", "C-212", "H-306"), points("B-101", "C-212"), TSP, refuses_missing=False,
    ),
    "keithley_707b on a 708B": Implementation(
        Keithley707B, "keithley_708b", "7174A", LETTERS, columns((1, 12)),
        points("A-101", "C-112", "H-106"), points("B-101", "C-112"), TSP, refuses_missing=False,
    ),
    "keithley_7001": Implementation(
        Keithley7001, "keithley_7001", "7012-S, '7052'", numbered(4), columns((1, 10), (2, 5)),
        points("1-101", "3-205", "4-106"), points("2-101", "3-205"), UNDEFINED, missing=points("3-206"),
    ),
    "keithley_7001 on a 7002": Implementation(
        Keithley7001, "keithley_7002", "null, '7012', '7011', null, '7022'", numbered(5), columns((2, 10), (5, 6)),
        points("1-201", "3-206", "5-506"), points("2-201", "3-206"), UNDEFINED, missing=points("1-301"),
    ),
    "keysight_b2200": Implementation(
        KeysightB2200, "keysight_b2201a", "B2211A, B2211A", numbered(14), columns((1, 12), (2, 12)),
        points("1-101", "9-212", "14-206"), points("2-101", "9-212"), UNDEFINED, one_to_one, points("15-101"),
        serial="0",
    ),
    "keysight_b2200 by the free rule": Implementation(
        partial(KeysightB2200, allows_free_rule=True), "keysight_b2201a", "B2211A, B2211A, B2211A", numbered(14),
        columns((1, 12), (2, 12), (3, 12)), points("1-101", "9-212", "9-306"), points("2-101", "9-212"), UNDEFINED,
        one_row_per_column, points("1-401"), serial="0",
    ),
    "keysight_b2200 on an E5250A": Implementation(
        KeysightB2200, "keysight_e5250a", "E5252A", numbered(10), columns((1, 12)),
        points("1-101", "10-112", "3-106"), points("2-101", "10-112"), UNDEFINED, one_to_one, points("11-101"),
        serial="0",
    ),
    "keysight_34980a": Implementation(
        Keysight34980A, "keysight_34980a", "34934A-8x32", numbered(8), columns((1, 32)),
        points("1-101", "3-132", "8-106"), points("2-101", "3-132"), UNDEFINED, missing=points("9-101"),
    ),
    "keysight_34980a with 16 rows": Implementation(
        Keysight34980A, "keysight_34980a", "null, 34934A-16x32, null, 34934A-8x64", numbered(16),
        columns((2, 32), (4, 64)), points("1-201", "3-464", "16-232"), points("2-201", "3-464"), UNDEFINED,
        missing=points("9-401"),
    ),
    "keysight_34980a with a 34932A": Implementation(
        Keysight34980A, "keysight_34980a", "34932A, 34921A", numbered(8), columns((1, 32)),
        points("1-101", "4-116", "8-132"), points("2-101", "4-116"), UNDEFINED, missing=points("1-117"),
    ),
}  # fmt: skip


@dataclass
class Rig:
    matrix: Any
    bench: SimBench
    made: Implementation

    @property
    def world(self) -> World:
        return self.bench.world

    @property
    def messages(self) -> int:
        return int(self.matrix.writes + self.matrix.queries)


MakeRig = Callable[..., Rig]


@pytest.fixture(params=sorted(IMPLEMENTATIONS))
def make_rig(request: pytest.FixtureRequest, open_text: Any, open_driver: Any) -> MakeRig:
    def make(faults: str = "[]") -> Rig:
        made = IMPLEMENTATIONS[request.param]
        bench = open_text(made.bench(faults))
        return Rig(open_driver(made.driver, "matrix", bench), bench, made)

    return make


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig()


@pytest.fixture
def ready(rig: Rig) -> Rig:
    rig.matrix.prepare()
    return rig


def watch(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Of every move of relays from now on: how many open and how many close."""
    seen: list[tuple[int, int]] = []
    move = Switches.set

    def watched(self: Switches, closed: Iterable[int]) -> None:
        before = self.closed
        move(self, closed)
        if self.closed != before:
            seen.append((len(before - self.closed), len(self.closed - before)))

    monkeypatch.setattr(Switches, "set", watched)
    return seen


class TestSwitchMatrix:
    def test_it_plays_the_role_and_says_what_it_is(self, rig: Rig) -> None:
        assert isinstance(rig.matrix, SwitchMatrix)
        identity = rig.matrix.identity()
        assert identity.vendor
        assert identity.model
        assert identity.firmware
        assert identity.serial == rig.made.serial

    def test_fitted_places(self, rig: Rig) -> None:
        assert rig.matrix.rows == rig.made.rows
        assert rig.matrix.columns == rig.made.columns
        assert all(rig.matrix.reaches(point) for point in rig.made.some | rig.made.other)
        assert not any(rig.matrix.reaches(point) for point in rig.made.missing)

    def test_prepare_opens_every_relay(self, ready: Rig) -> None:
        ready.matrix.route(ready.made.some)
        ready.matrix.prepare()
        assert ready.matrix.closed() == frozenset()

    def test_route_closes_exactly_these(self, ready: Rig) -> None:
        some, other = ready.made.some, ready.made.other
        assert ready.matrix.route(some) == some
        assert ready.matrix.route(other) == other
        assert ready.matrix.closed() == other
        assert ready.matrix.route(()) == frozenset()
        ready.matrix.check_errors()

    def test_route_is_one_transaction_once_the_state_is_known(self, ready: Rig) -> None:
        ready.matrix.route(ready.made.some)
        before = ready.messages
        ready.matrix.route(ready.made.other)
        ready.matrix.route(())
        assert ready.messages == before + 2

    def test_what_is_closed_conducts(self, rig: Rig) -> None:
        rig.matrix.prepare()
        point = min(rig.made.some)
        source, sink = rig.world.add_source("source", "source"), rig.world.add_source("sink", "sink")
        rig.world.connect("source", f"matrix.row.{point.row}", 1.0)
        rig.world.connect(f"matrix.col.{point.column}", "sink", 998.0)
        sink.drive_volts(0.0, 1.0)
        rig.matrix.route(rig.made.some)
        source.drive_volts(0.1, 1.0)
        assert 999.4 < 0.1 / -sink.point().amps < 1002, "a contact, and nothing else is left in series"
        assert rig.matrix.protection_ohms == 0
        source.drive_volts(0.0, 1.0)
        rig.matrix.route(rig.made.some - {point})
        source.drive_volts(0.1, 1.0)
        assert abs(sink.point().amps) < 1e-9
        assert rig.world.incidents == []

    @given(data=st.data())
    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=15,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.filter_too_much],
    )
    def test_whatever_is_closed_reads_back(self, ready: Rig, data: st.DataObject) -> None:
        columns = st.sampled_from(ready.made.columns[:: max(len(ready.made.columns) // 6, 1)])
        drawn = data.draw(st.lists(st.builds(Crosspoint, st.sampled_from(ready.made.rows), columns), max_size=12))
        wanted: Points = frozenset()
        for point in drawn:
            if ready.matrix.reaches(point) and ready.made.takes(wanted | {point}):
                wanted |= {point}
        assert ready.matrix.route(wanted) == wanted
        assert ready.matrix.closed() == wanted
        ready.matrix.check_errors()

    def test_break_comes_before_make_and_what_stays_does_not_move(
        self, ready: Rig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        some, other = ready.made.some, ready.made.other
        ready.matrix.route(some)
        seen = watch(monkeypatch)
        ready.matrix.route(other)
        assert all(not opening or not closing for opening, closing in seen)
        closing = [k for k, (_, count) in enumerate(seen) if count]
        opening = [k for k, (count, _) in enumerate(seen) if count]
        if ready.matrix.protection_ohms == 0 and "34934A" not in ready.made.cards:
            assert sum(count for count, _ in seen) == len(some - other)
            assert sum(count for _, count in seen) == len(other - some)
            assert max(opening) < min(closing)

    def test_a_route_that_is_there_already_moves_nothing(self, ready: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
        ready.matrix.route(ready.made.some)
        seen = watch(monkeypatch)
        assert ready.matrix.route(ready.made.some) == ready.made.some
        assert seen == []

    def test_relays_take_about_as_long_as_it_says(self, ready: Rig) -> None:
        ready.matrix.route(ready.made.some)
        began = ready.world.seconds
        ready.matrix.route(ready.made.some)
        bus = ready.world.seconds - began
        began = ready.world.seconds
        ready.matrix.route(ready.made.other)
        relays = ready.world.seconds - began - bus
        commands = 10e-3
        assert 0.3 * ready.matrix.seconds_per_route < relays < 1.2 * ready.matrix.seconds_per_route + commands

    def test_a_crosspoint_that_is_not_there_is_told(self, ready: Rig) -> None:
        assert ready.matrix.rows
        assert ready.matrix.columns
        before = ready.messages
        if ready.made.refuses_missing:
            with pytest.raises(InstrumentError, match="no crosspoint"):
                ready.matrix.route(ready.made.missing)
            assert ready.messages == before
        else:
            assert ready.matrix.route(ready.made.missing) == frozenset()
            with pytest.raises(InstrumentError):
                ready.matrix.check_errors()

    def test_open_all_opens_in_any_state(self, rig: Rig) -> None:
        rig.matrix.open_all()
        assert rig.matrix.closed() == frozenset()
        rig.matrix.prepare()
        rig.matrix.route(rig.made.some)
        rig.matrix.open_all()
        assert rig.matrix.closed() == frozenset()

    def test_after_a_power_failure_it_tells_what_is_so(self, ready: Rig) -> None:
        ready.matrix.route(ready.made.some)
        ready.bench.inject("power_loss", "matrix")
        try:
            told = ready.matrix.route(ready.made.some)
        except InstrumentError as error:
            assert "row protection" in error.what
        else:
            assert told == ready.matrix.closed()
        ready.matrix.prepare()
        assert ready.matrix.route(ready.made.some) == ready.made.some

    def test_errors_are_quoted_once(self, ready: Rig) -> None:
        message, said = ready.made.wrong
        ready.matrix.write(message)
        with pytest.raises(InstrumentError, match=said):
            ready.matrix.check_errors()
        ready.matrix.check_errors()

    def test_a_hung_instrument_listens_again_after_recover(self, make_rig: MakeRig) -> None:
        rig = make_rig(faults="[{instrument: matrix, kind: hang, after_operations: 1}]")
        with pytest.raises(InstrumentError, match="did not answer"):
            for _ in range(3):
                rig.matrix.identity()
        rig.matrix.recover()
        assert rig.matrix.closed() == frozenset()

    def test_it_can_be_opened_again_after_a_lost_session(self, make_rig: MakeRig) -> None:
        rig = make_rig(faults="[{instrument: matrix, kind: dropped, after_operations: 1}]")
        with pytest.raises(InstrumentError):
            for _ in range(3):
                rig.matrix.identity()
        rig.matrix.reopen()
        rig.matrix.prepare()
        assert rig.matrix.route(rig.made.some) == rig.made.some

    def test_a_snapshot_moves_no_relay(self, ready: Rig) -> None:
        ready.matrix.route(ready.made.some)
        ready.matrix.snapshot(update=True)
        assert ready.matrix.closed() == ready.made.some
        ready.matrix.check_errors()
