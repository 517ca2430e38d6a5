"""Lets a TSP instrument's trigger processes run as the world's time passes, where triggers reach it over wires."""

from __future__ import annotations

import math
from collections.abc import Callable

from .tsp_events import Scheduler


class SchedulerFollower:
    """A process of the world for one scheduler.

    Args:
        scheduler: whose processes.
        react: does something at the present moment beside all else; returns whether it does.
    """

    def __init__(self, scheduler: Scheduler, react: Callable[[Callable[[], None]], bool]) -> None:
        self._scheduler = scheduler
        self._react = react
        self._is_stepping = False

    def prepare(self, start: float, end: float) -> None:
        """See Process."""

    def next_change(self) -> float:
        """See Process: when the next one is due; infinite while those that are due are being run."""
        return math.inf if self._is_stepping else self._scheduler.next_due

    def change(self, now: float) -> None:
        """See Process."""
        self._is_stepping = True
        self._is_stepping = self._react(self._step)

    def _step(self) -> None:
        try:
            self._scheduler.step_due()
        finally:
            self._is_stepping = False
