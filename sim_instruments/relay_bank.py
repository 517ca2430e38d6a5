"""Relays under the names that a switching mainframe gives them: which are closed, and how often each has closed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from .switching_tables import CardElectrics
from .world import World

Name = TypeVar("Name", bound=Hashable)


class RelayBank(Generic[Name]):
    """Relays that are moved together, all of one kind.

    What leaks through open ones goes through one node in the middle of the bank, with half the isolation resistance to
    each end of a relay: as many resistors as lines instead of as crosspoints.

    Args:
        world: where they conduct.
        name: as incidents name them.
        pairs: relay -> the two nodes that it connects; the order is the order in which an instrument lists them.
        electrics: what they are like.

    Attributes:
        closed: relays that are told to be closed; one that sticks does not tell.
        counts: how often each has closed.
    """

    def __init__(
        self, world: World, name: str, pairs: Mapping[Name, tuple[str, str]], electrics: CardElectrics
    ) -> None:
        self._world = world
        self._numbers = {relay: k for k, relay in enumerate(pairs)}
        self._contacts = electrics.contacts
        nodes = list(pairs.values())
        made = world.add_switches(name, nodes, electrics.path_ohms, electrics.contacts) if nodes else None
        self._switches = made
        if nodes and math.isfinite(electrics.isolation_ohms):
            for node in dict.fromkeys(node for pair in nodes for node in pair):
                world.connect(node, f"{name}.leak.{nodes[0][1]}", electrics.isolation_ohms / 2)
        self.closed: frozenset[Name] = frozenset()
        self.counts: Counter[Name] = Counter()

    def __contains__(self, relay: object) -> bool:
        return relay in self._numbers

    @property
    def every(self) -> tuple[Name, ...]:
        """All relays in order."""
        return tuple(self._numbers)

    @property
    def in_order(self) -> tuple[Name, ...]:
        """The closed relays in order."""
        return tuple(sorted(self.closed, key=self._numbers.__getitem__))

    @property
    def stuck(self) -> frozenset[Name]:
        """Relays that do not move any more, as only a test of them or a measurement can tell."""
        numbers = frozenset() if self._switches is None else self._switches.stuck
        return frozenset(relay for relay, number in self._numbers.items() if number in numbers)

    def set(self, closed: Iterable[Name]) -> float:
        """Move the relays so that exactly these are closed; returns the seconds they still need to settle."""
        wanted = frozenset(closed)
        closing, is_opening = wanted - self.closed, not self.closed <= wanted
        self.counts.update(closing)
        before = self._world.seconds
        if self._switches is not None:
            self._switches.set(self._numbers[relay] for relay in wanted)
        self.closed = wanted
        needed = self._contacts.seconds(closes=bool(closing), opens=is_opening)
        return max(needed - (self._world.seconds - before), 0.0)

    def begin(self, closed: Iterable[Name]) -> float:
        """As `set`, but contacts move as time goes on; what was still moving must have settled."""
        wanted = frozenset(closed)
        self.counts.update(wanted - self.closed)
        self.closed = wanted
        return 0.0 if self._switches is None else self._switches.begin(self._numbers[relay] for relay in wanted)
