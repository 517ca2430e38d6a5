"""Contacts that operate, bounce and release: what that does to cells under voltage, and that it costs nothing else."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from mtjlab.sim_instruments.circuit import Source
from mtjlab.sim_instruments.keithley_707b import SimKeithley707B
from mtjlab.sim_instruments.keithley_7001 import SimKeithley7001
from mtjlab.sim_instruments.keysight_34980a import SimKeysight34980A
from mtjlab.sim_instruments.keysight_b2200 import SimKeysightB2201A
from mtjlab.sim_instruments.relay_contacts import INSTANT, MOST_SEPARATE, Contacts, edges
from mtjlab.sim_instruments.switching_tables import B2211A, GENERAL_PURPOSE, GUARDED_REED, K707B_RELAY, REED_350US
from mtjlab.sim_instruments.wire_instrument import HostClock
from mtjlab.sim_instruments.world import Switches, World

CONTACTS = Contacts(operate_seconds=3e-3, bounce_seconds=1e-3, release_seconds=2e-3, bounces=3)


def make_world(seed: int = 7) -> World:
    die = {
        "rows": 1,
        "cols": 1,
        "segment_ohms": 0,
        "defect_rates": {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0},
    }
    return World.from_description(die, seed=seed, line_hertz=50)


class Watcher:
    """Looks at the world at fixed intervals, as an instrument does that is not the one that moves the relays."""

    def __init__(self, world: World, look: Callable[[], float], interval: float) -> None:
        self._world = world
        self._look = look
        self._interval = interval
        self._next = world.seconds + interval
        self.seen: list[tuple[float, float]] = []
        world.processes.start(self, world.seconds)

    def prepare(self, start: float, end: float) -> None:
        """It looks at its own times."""

    def next_change(self) -> float:
        """When it looks next."""
        return self._next

    def change(self, now: float) -> None:
        """Look."""
        self.seen.append((now, self._look()))
        self._next = now + self._interval


def live_relay(seed: int = 7, contacts: Contacts = CONTACTS) -> tuple[World, Source, Switches]:
    """A relay between a source at 1 V and 1 kohm to ground."""
    world = make_world(seed)
    source = world.add_source("s", "a")
    relay = world.add_switches("m", [("a", "b")], 0.5, contacts)
    world.connect("b", "ground", 1000.0)
    source.drive_volts(1.0, 1.0)
    return world, source, relay


def test_edges_end_where_they_should_and_within_the_time() -> None:
    found = edges(CONTACTS, range(40), range(100, 103), np.random.default_rng(1))
    assert [edge.seconds for edge in found] == sorted(edge.seconds for edge in found)
    state: set[int] = set(range(100, 103))
    for edge in found:
        (state.update if edge.is_closed else state.difference_update)(edge.relays)
    assert state == set(range(40))
    closing = [edge for edge in found if 0 in edge.relays]
    assert [edge.is_closed for edge in closing] == [True, False, True, False, True, False, True]
    assert 0.9 * 3e-3 <= closing[0].seconds <= closing[-1].seconds <= CONTACTS.settle_seconds
    assert len(found) == 7 * MOST_SEPARATE + 1


def test_without_voltage_nothing_bounces_and_no_time_passes() -> None:
    world, source, relay = live_relay()
    source.drive_volts(0.0, 1.0)
    relay.set([0])
    assert (world.seconds, world.incidents, relay.closed) == (0.0, [], {0})


def test_a_closing_contact_is_seen_to_bounce_and_is_logged_once() -> None:
    world, source, relay = live_relay()
    watcher = Watcher(world, lambda: source.point().amps, 5e-6)
    relay.set([0])
    assert world.seconds == pytest.approx(CONTACTS.settle_seconds)
    conducts = [(seconds, amps > 0.5e-3) for seconds, amps in watcher.seen]
    assert not any(state for seconds, state in conducts if seconds < 0.9 * CONTACTS.operate_seconds)
    changes = sum(one != other for (_, one), (_, other) in pairwise(conducts))
    assert changes >= 3, "it is broken again after the first touch"
    assert source.point().amps == pytest.approx(1e-3, rel=1e-3)
    assert [incident.kind for incident in world.incidents] == ["hot switching"]


def test_contacts_without_a_delay_move_at_once_even_when_hot() -> None:
    world, source, relay = live_relay(contacts=INSTANT)
    relay.set([0])
    assert source.point().amps == pytest.approx(1e-3, rel=1e-3)
    relay.set([])
    assert source.point().amps < 1e-9
    assert (world.seconds, len(world.incidents)) == (0.0, 2)


def test_an_opening_contact_conducts_until_it_has_released() -> None:
    world, source, relay = live_relay()
    relay.set([0])
    start = world.seconds
    watcher = Watcher(world, lambda: source.point().amps, 1e-4)
    relay.set([])
    assert world.seconds - start == pytest.approx(CONTACTS.release_seconds)
    early = [amps for seconds, amps in watcher.seen if seconds - start < 0.95 * CONTACTS.release_seconds]
    assert early and all(amps == pytest.approx(1e-3, rel=1e-3) for amps in early)
    assert source.point().amps < 1e-9


def test_bounces_are_the_benchs_own() -> None:
    def moments(seed: int) -> list[float]:
        world, _, relay = live_relay(seed)
        seen: list[float] = []
        move = world.move_relays

        def watched(first: int, closed: frozenset[int]) -> None:
            seen.append(world.seconds)
            move(first, closed)

        world.move_relays = watched  # type: ignore[method-assign]
        relay.set([0])
        return seen

    assert len(moments(1)) == 7
    assert moments(1) == moments(1)
    assert moments(1) != moments(2)


def test_a_stuck_relay_does_not_bounce() -> None:
    world, source, relay = live_relay()
    relay.stick(0, is_closed=False)
    relay.set([0])
    assert (world.seconds, world.incidents) == (0.0, [])
    assert source.point().amps < 1e-9


def test_a_relay_that_sticks_in_the_middle_of_its_bounce_stays_there() -> None:
    world, source, relay = live_relay()
    stuck_at = CONTACTS.settle_seconds - 1e-9

    class Sticking(Watcher):
        def change(self, now: float) -> None:
            relay.stick(0, is_closed=False)
            world.processes.stop(self)

    Sticking(world, lambda: 0.0, stuck_at)
    relay.set([0])
    assert relay.closed == frozenset()
    assert source.point().amps < 1e-9


def test_a_hot_closure_writes_the_cell_before_it_has_settled() -> None:
    """At 1.2 V a cell switches within microseconds: the first touch is enough."""
    world = make_world()
    source, ground = world.add_source("s", "a"), world.add_source("g", "die.col.0")
    relay = world.add_switches("m", [("a", "die.row.0")], 0.5, Contacts(3e-3, 1e-3, 2e-3))
    ground.drive_volts(0.0, 1.0)
    before = bool(world.die.is_parallel[0])
    source.drive_volts(-1.2 if before else 1.2, 1.0)
    states = Watcher(world, lambda: float(world.die.is_parallel[0]), 1e-5)
    world.wait(1e-2)
    assert bool(world.die.is_parallel[0]) == before, "an open relay protects it"
    start = world.seconds
    relay.set([0])
    switched = [seconds - start for seconds, state in states.seen if bool(state) != before]
    assert switched, "the cell has seen the chopped voltage"
    assert switched[0] < CONTACTS.settle_seconds
    assert "hot switching" in {incident.kind for incident in world.incidents}


def close_7001(world: World, tell: Any) -> Any:
    return SimKeithley7001("m", world, HostClock(world), cards=["7012-S"]), ":CLOS (@1!1!1)", "col.101"


def close_b2201(world: World, tell: Any) -> Any:
    return SimKeysightB2201A("m", world, HostClock(world), cards=["B2211A"]), ":CLOS (@00101)", "col.101"


def close_34980a(world: World, tell: Any) -> Any:
    unit = SimKeysight34980A("m", world, HostClock(world), cards=["34934A-4x64"])
    tell(unit, "SYST:MOD:ROW:PROT 1,FIX")
    return unit, "ROUT:CLOS (@1101)", "col.101"


def close_707b(world: World, tell: Any) -> Any:
    return SimKeithley707B("m", world, HostClock(world), cards=["7174A"]), "channel.close('1A01')", "col.101"


CLOSING = [
    (close_7001, GENERAL_PURPOSE.contacts.settle_seconds),
    (close_b2201, GUARDED_REED.settle_seconds),
    (close_34980a, REED_350US.settle_seconds),
    (close_707b, K707B_RELAY.settle_seconds),
]


@pytest.mark.parametrize(("make", "seconds"), CLOSING)
@pytest.mark.parametrize("volts", [0.0, 1.0])
def test_a_mainframe_takes_as_long_hot_as_cold(make: Any, seconds: float, volts: float, tell: Any) -> None:
    world = make_world()
    switch, message, column = make(world, tell)
    row = "m.row.A" if isinstance(switch, SimKeithley707B) else "m.row.1"
    source = world.add_source("s", row)
    world.connect(f"m.{column}", "ground", 1000.0)
    source.drive_volts(volts, 1.0)
    start = world.seconds
    tell(switch, message)
    assert world.seconds - start == pytest.approx(switch.command_seconds + seconds)
    assert [incident.kind for incident in world.incidents] == (["hot switching"] if volts else [])
    if volts:
        assert source.point().amps > 0.8e-3


def test_open_relays_leak_between_row_and_column(tell: Any) -> None:
    world = make_world()
    SimKeysightB2201A("m", world, HostClock(world), cards=["B2211A"])
    source, sink = world.add_source("s", "m.row.1"), world.add_source("g", "m.col.101")
    sink.drive_volts(0.0, 1.0)
    source.drive_volts(100.0, 1.0)
    assert 0.05 * 100 / B2211A.isolation_ohms < -sink.point().amps <= 100 / B2211A.isolation_ohms
