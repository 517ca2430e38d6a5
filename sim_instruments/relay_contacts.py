"""How the contacts of relays move: they touch, bounce and settle when they close, and part a while after a command."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

_SPREAD = 0.1
"""By how much one relay may be faster than the slowest of its kind (assumed)."""
MOST_SEPARATE = 16
"""So many relays of one move bounce each in their own way; further ones go along with one of these."""


@dataclass(frozen=True)
class Contacts:
    """The contacts of one kind of relay.

    Attributes:
        operate_seconds: from the command to the first touch, of the slowest one.
        bounce_seconds: from there until they stay closed.
        release_seconds: from the command until they are open.
        bounces: how often they part again before they stay closed.
    """

    operate_seconds: float
    bounce_seconds: float
    release_seconds: float
    bounces: int = 3

    @property
    def settle_seconds(self) -> float:
        """From the command until they stay closed."""
        return self.operate_seconds + self.bounce_seconds

    def seconds(self, *, closes: bool, opens: bool) -> float:
        """How long a move takes in which some close or some open."""
        return max(self.settle_seconds if closes else 0.0, self.release_seconds if opens else 0.0)


INSTANT = Contacts(0.0, 0.0, 0.0, 0)
"""Contacts that move in no time."""


@dataclass(frozen=True)
class Edge:
    """Relays that make or break at one moment of a move.

    Attributes:
        seconds: after the command.
    """

    seconds: float
    relays: frozenset[int]
    is_closed: bool


def edges(
    contacts: Contacts, closing: Collection[int], opening: Collection[int], rng: np.random.Generator
) -> list[Edge]:
    """Everything that makes and breaks in one move, in order of time; at the end each relay is where it should be."""
    found = [Edge(contacts.release_seconds, frozenset(opening), False)] if opening else []
    ordered = sorted(closing)
    for gang in range(min(len(ordered), MOST_SEPARATE)):
        found += _closing(contacts, frozenset(ordered[gang::MOST_SEPARATE]), rng)
    return sorted(found, key=lambda edge: edge.seconds)


def _closing(contacts: Contacts, relays: frozenset[int], rng: np.random.Generator) -> list[Edge]:
    touch = contacts.operate_seconds * (1 - _SPREAD * float(rng.random()))
    within = np.sort(rng.random(2 * contacts.bounces)) * contacts.bounce_seconds
    moments = [touch, *(touch + float(moment) for moment in within)]
    return [Edge(moment, relays, k % 2 == 0) for k, moment in enumerate(moments)]
