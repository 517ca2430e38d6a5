"""Relays in the world: which of them conduct, and how they get there while there is voltage on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

import numpy as np

from .relay_contacts import Contacts, edges


class _Bench(Protocol):
    seconds: float

    @property
    def is_live(self) -> bool: ...

    def rng(self, name: str) -> np.random.Generator: ...

    def wait(self, seconds: float) -> None: ...

    def log_if_hot(self, name: str, relays: Sequence[int]) -> bool: ...

    def move_relays(self, first: int, closed: frozenset[int]) -> None: ...


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
        self._told: frozenset[int] = frozenset()
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
        self._move(self._real(self._told))

    def set(self, closed: Iterable[int]) -> None:
        """Move the relays so that exactly these are closed.

        With voltage on them, or current through them, this is logged once, and world time passes while their contacts
        operate, bounce and release. Otherwise nobody can see how they move: it is done at once, and whoever moves them
        accounts for the time.
        """
        self._told = frozenset(closed)
        wanted = self._real(self._told) if self._stuck else self._told
        changed = wanted ^ self.closed
        if not changed:
            return
        if self._world.is_live and self._world.log_if_hot(self.name, [self._first + k for k in sorted(changed)]):
            self._move_in_time(wanted)
        else:
            self._move(wanted)

    def _move_in_time(self, wanted: frozenset[int]) -> None:
        if self._rng is None:
            self._rng = self._world.rng(f"bounce {self.name}.{self._first}")
        began, world = self._world.seconds, self._world
        closing, opening = wanted - self.closed, self.closed - wanted
        state = set(self.closed)
        for edge in edges(self._contacts, closing, opening, self._rng):
            world.wait(began + edge.seconds - world.seconds)
            (state.update if edge.is_closed else state.difference_update)(edge.relays)
            self._move(self._real(frozenset(state)))
        world.wait(began + self._contacts.seconds(closes=bool(closing), opens=bool(opening)) - world.seconds)
        self._move(self._real(self._told))

    def _real(self, told: frozenset[int]) -> frozenset[int]:
        """Which relays are closed when these are told to be."""
        return frozenset(k for k in told | set(self._stuck) if self._stuck.get(k, True))

    def _move(self, wanted: frozenset[int]) -> None:
        if wanted != self.closed:
            self.closed = wanted
            self._world.move_relays(self._first, wanted)
