"""The Sync connector of a generator: high at the beginning of what a channel plays (33500 Series User's Guide, "Sync").

High for the first half of each cycle; of a burst, for as long as it lasts. It is at no node of the network, but a
trigger wire can be at it.
"""

from __future__ import annotations

import math

from .trigger_wires import Terminal
from .world import World

_MOST_EDGES = 20_000
"""Edges that are followed in one wait of the world; later ones in that wait are missing."""


class SyncOutput:
    """The connector; a process of the world while it plays.

    Attributes:
        terminal: where a wire can be.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.terminal = Terminal()
        self.terminal.rest(is_low=True)
        self._is_inverted = self._is_high = False
        self._begin = self._next = math.inf
        self._high_seconds = self._period = 0.0
        self._repeats, self._left = 0.0, 0
        self._cycle = 0

    def start(self, at: float, high_seconds: float, period: float, repeats: float, *, is_inverted: bool) -> None:
        """From world second `at` on: high for so long, once in every period."""
        self.stop()
        self._is_inverted = is_inverted
        self._put(is_high=False)
        if not self.terminal.is_joined or period <= 0 or repeats < 1:
            return
        self._begin = self._next = at
        self._high_seconds, self._period, self._repeats, self._cycle = high_seconds, period, repeats, 0
        self._world.processes.start(self, self._world.seconds)

    def stop(self) -> None:
        """Nothing is played."""
        self._next = math.inf
        self._world.processes.stop(self)
        self._put(is_high=False)

    def _put(self, *, is_high: bool) -> None:
        self._is_high = is_high
        self.terminal.rest(is_low=is_high == self._is_inverted)

    def prepare(self, start: float, end: float) -> None:
        """See Process; edges that were not followed are gone."""
        self._left = _MOST_EDGES
        if self._next < start and math.isfinite(self._next):
            self._cycle = max(self._cycle, math.ceil((start - self._begin) / self._period))
            self._put(is_high=False)
            self._next = self._begin + self._cycle * self._period if self._cycle < self._repeats else math.inf

    def next_change(self) -> float:
        """See Process."""
        return self._next if self._left > 0 else math.inf

    def change(self, now: float) -> None:
        """See Process: up at the beginning of a cycle, down later in it."""
        self._left -= 1
        if not self._is_high:
            self._next = self._begin + self._cycle * self._period + self._high_seconds
            self._put(is_high=True)
            return
        self._cycle += 1
        self._next = self._begin + self._cycle * self._period if self._cycle < self._repeats else math.inf
        self._put(is_high=False)
