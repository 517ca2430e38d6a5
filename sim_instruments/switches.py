"""Relays in the world: which of them conduct, and how they get there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np

from .processes import Processes
from .relay_contacts import Contacts, Edge, edges


class _Bench(Protocol):
    seconds: float
    processes: Processes

    @property
    def is_live(self) -> bool: ...

    def rng(self, name: str) -> np.random.Generator: ...

    def wait(self, seconds: float) -> None: ...

    def log_if_hot(self, name: str, relays: Sequence[int]) -> bool: ...

    def move_relays(self, first: int, closed: frozenset[int]) -> None: ...


class _Motion:
    """Contacts on their way: a process of the world that makes and breaks them when their moments come."""

    def __init__(
        self, processes: Processes, began: float, coming: list[Edge], apply: Callable[[frozenset[int], bool], None]
    ) -> None:
        self._processes = processes
        self._began = began
        self._coming = coming
        self._apply = apply

    def prepare(self, start: float, end: float) -> None:
        """Contacts move at their own moments."""

    def next_change(self) -> float:
        """When the next contact makes or breaks."""
        return self._began + self._coming[0].seconds if self._coming else math.inf

    def change(self, now: float) -> None:
        """Make or break it."""
        edge = self._coming.pop(0)
        self._apply(edge.relays, edge.is_closed)
        if not self._coming:
            self._processes.stop(self)


class Switches:
    """Relays between pairs of nodes; `closed` holds the indices of those that conduct.

    Args:
        world: where they conduct.
        name: as incidents name them.
        first: number of the first of them in the circuit.
        pairs: the two nodes of each.
        contacts: how they move.
    """

    def __init__(
        self, world: _Bench, name: str, first: int, pairs: Sequence[tuple[str, str]], contacts: Contacts
    ) -> None:
        self._world = world
        self._first = first
        self._number_of = {frozenset(pair): number for number, pair in enumerate(pairs)}
        self._stuck: dict[int, bool] = {}
        self._contacts = contacts
        self._rng: np.random.Generator | None = None
        self.name = name
        self.closed: frozenset[int] = frozenset()

    def number_of(self, node_a: str, node_b: str) -> int | None:
        """Which relay is between two nodes; None if there is none."""
        return self._number_of.get(frozenset((node_a, node_b)))

    @property
    def stuck(self) -> frozenset[int]:
        """Relays that do not move any more."""
        return frozenset(self._stuck)

    def stick(self, relay: int, *, is_closed: bool) -> None:
        """From now on this relay stays closed or open, whatever it is told."""
        self._stuck[relay] = is_closed
        self._move(self._real(self.closed))

    def set(self, closed: Iterable[int]) -> None:
        """Move the relays so that exactly these are closed.

        With voltage on them, or current through them, this is logged once, and world time passes while their contacts
        operate, bounce and release. Otherwise nobody can see how they move: it is done at once, and whoever moves them
        accounts for the time.
        """
        wanted = self._wanted(closed)
        if wanted == self.closed:
            return
        if self._is_hot(wanted):
            self._world.wait(self._begin(wanted))
        else:
            self._move(wanted)

    def begin(self, closed: Iterable[int]) -> float:
        """As `set`, but no time passes: contacts move as it goes on. Returns the seconds until they have settled."""
        wanted = self._wanted(closed)
        if wanted == self.closed:
            return 0.0
        self._is_hot(wanted)
        return self._begin(wanted)

    def _wanted(self, told: Iterable[int]) -> frozenset[int]:
        told = frozenset(told)
        return self._real(told) if self._stuck else told

    def _is_hot(self, wanted: frozenset[int]) -> bool:
        changed = wanted ^ self.closed
        return self._world.is_live and self._world.log_if_hot(self.name, [self._first + k for k in sorted(changed)])

    def _begin(self, wanted: frozenset[int]) -> float:
        if self._rng is None:
            self._rng = self._world.rng(f"bounce {self.name}.{self._first}")
        closing, opening = wanted - self.closed, self.closed - wanted
        seconds = self._contacts.seconds(closes=bool(closing), opens=bool(opening))
        if seconds <= 0:
            self._move(wanted)
            return 0.0
        coming = edges(self._contacts, closing, opening, self._rng)
        now, processes = self._world.seconds, self._world.processes
        processes.start(_Motion(processes, now, coming, self._make_or_break), now)
        return seconds

    def _make_or_break(self, relays: frozenset[int], is_closed: bool) -> None:
        self._move(self._real(self.closed | relays if is_closed else self.closed - relays))

    def _real(self, told: frozenset[int]) -> frozenset[int]:
        """Which relays are closed when these are told to be."""
        return frozenset(k for k in told | set(self._stuck) if self._stuck.get(k, True))

    def _move(self, wanted: frozenset[int]) -> None:
        if wanted != self.closed:
            self.closed = wanted
            self._world.move_relays(self._first, wanted)
