"""Lets the trigger timers of a 2450 make their events as time passes, where its digital lines are on trigger wires."""

from __future__ import annotations

import math
from collections.abc import Callable

from .keithley_2450_bus import TriggerBus

_MOST_EVENTS = 20_000
"""Timer events that are followed in one wait of the world; further ones are late."""


class TimerFollower:
    """A process of the world.

    Args:
        bus: asks for the present trigger objects.
        heard: called after an event.
    """

    def __init__(self, bus: Callable[[], TriggerBus], heard: Callable[[], None]) -> None:
        self._bus = bus
        self._heard = heard
        self._left = _MOST_EVENTS

    def prepare(self, start: float, end: float) -> None:
        """See Process."""
        self._left = _MOST_EVENTS

    def next_change(self) -> float:
        """See Process."""
        return self._bus().next_due if self._left > 0 else math.inf

    def change(self, now: float) -> None:
        """See Process."""
        self._left -= 1
        self._bus().advance(now)
        self._heard()

    def next_of_few(self) -> float:
        """World seconds of the next event of a timer that comes to an end."""
        dues = (timer.due for timer in self._bus().timers.values() if math.isfinite(timer.left))
        return min(dues, default=math.inf)
