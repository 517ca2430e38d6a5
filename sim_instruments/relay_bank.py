"""Relays under the names that a switching mainframe gives them: which are closed, and how often each has closed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Generic, TypeVar

from .world import World

Name = TypeVar("Name", bound=Hashable)


class RelayBank(Generic[Name]):
    """Relays that are moved together, all with the same resistance.

    Args:
        world: where they conduct.
        name: as incidents name them.
        pairs: relay -> the two nodes that it connects; the order is the order in which an instrument lists them.
        ohms: resistance of a closed one.

    Attributes:
        closed: relays that are closed now.
        counts: how often each has closed.
    """

    def __init__(self, world: World, name: str, pairs: Mapping[Name, tuple[str, str]], ohms: float) -> None:
        self._numbers = {relay: k for k, relay in enumerate(pairs)}
        self._switches = world.add_switches(name, list(pairs.values()), ohms) if pairs else None
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

    def set(self, closed: Iterable[Name]) -> None:
        """Move the relays so that exactly these are closed."""
        wanted = frozenset(closed)
        self.counts.update(wanted - self.closed)
        if self._switches is not None:
            self._switches.set(self._numbers[relay] for relay in wanted)
        self.closed = wanted
