"""Runs a GS200's program in the world's time: every step ramps over the slope time and lasts the interval time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .processes import Processes
from .yokogawa_gs200_settings import Step

_STEPS_PER_SLOPE = 40
"""Levels on the way of one ramp (the instrument's own are finer)."""


class ProgramRun:
    """A program under way; a process of the world.

    Args:
        processes: the world's.
        begin: called with a step when it begins; returns the level that the ramp starts from.
        drive: called with every level on the way.
        finished: called with whether a step (False) or the whole program (True) has ended.
    """

    def __init__(
        self,
        processes: Processes,
        begin: Callable[[Step], float],
        drive: Callable[[float], None],
        finished: Callable[[bool], None],
    ) -> None:
        self._processes = processes
        self._begin, self._drive, self._finished = begin, drive, finished
        self._steps: Sequence[Step] = ()
        self._is_repeating = False
        self._slope = self._interval = 0.0
        self._index = 0
        self._origin = self._started = 0.0
        self._taken = 0
        self._next = math.inf
        self._left_when_held: float | None = None

    @property
    def is_running(self) -> bool:
        """Whether it goes on by itself."""
        return math.isfinite(self._next)

    @property
    def is_held(self) -> bool:
        """Whether it was paused and can be continued."""
        return self._left_when_held is not None

    @property
    def index(self) -> int:
        """Number of the present step, from 0."""
        return self._index

    def run(
        self, steps: Sequence[Step], first: int, *, slope: float, interval: float, is_repeating: bool, now: float
    ) -> None:
        """Start at step number `first`."""
        self.stop()
        self._steps, self._is_repeating = tuple(steps), is_repeating
        self._slope, self._interval = min(slope, interval), interval
        self._index = first
        self._processes.start(self, now)
        self._start_step(now)

    def stop(self) -> None:
        """Break off; the output stays where it is."""
        self._next, self._left_when_held = math.inf, None
        self._processes.stop(self)

    def hold(self, now: float) -> None:
        """Pause."""
        if self.is_running:
            self._left_when_held = self._next - now
            self._started -= now
            self._next = math.inf
            self._processes.stop(self)

    def resume(self, now: float) -> None:
        """Go on after a pause."""
        if self._left_when_held is not None:
            self._next = now + self._left_when_held
            self._started += now
            self._left_when_held = None
            self._processes.start(self, now)

    def _start_step(self, now: float) -> None:
        self._started, self._taken = now, 0
        step = self._steps[self._index]
        self._origin = self._begin(step)
        if self._slope == 0:
            self._drive(step.level)
            self._taken = _STEPS_PER_SLOPE
            self._next = now + self._interval
        else:
            self._next = now + self._slope / _STEPS_PER_SLOPE

    def prepare(self, start: float, end: float) -> None:
        """A ramp is followed in fixed steps."""

    def next_change(self) -> float:
        """World seconds of the next level or step."""
        return self._next

    def change(self, now: float) -> None:
        """The next level of a ramp, or the next step."""
        if self._taken < _STEPS_PER_SLOPE:
            self._taken += 1
            step = self._steps[self._index]
            self._drive(self._origin + (step.level - self._origin) * self._taken / _STEPS_PER_SLOPE)
            if self._taken < _STEPS_PER_SLOPE:
                self._next = self._started + self._slope * (self._taken + 1) / _STEPS_PER_SLOPE
                return
            self._next = self._started + self._interval
            if self._next > now * (1 + 1e-12) + 1e-9:
                return
        self._end_step(now)

    def _end_step(self, now: float) -> None:
        is_last = self._index + 1 >= len(self._steps)
        self._finished(False)
        if is_last and not self._is_repeating:
            self.stop()
            self._finished(True)
            return
        self._index = 0 if is_last else self._index + 1
        self._start_step(now)
