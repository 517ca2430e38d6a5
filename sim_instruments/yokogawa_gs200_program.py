"""Runs a GS200's program in the world's time: every step ramps over the slope time and lasts the interval time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .processes import Processes
from .yokogawa_gs200_settings import Step

_LEVEL_SECONDS = 0.01
"""How long the output stays at one level on the way of a ramp (assumed)."""
_MOST_LEVELS, _MOST_LEVELS_IN_ALL = 400, 20_000
"""Levels on the way of one ramp, and of all ramps of a program; those of a long one last longer than the instrument's
own."""
_MOST_FOLLOWED = 20_000
"""Levels that are followed in one wait of the world; of a repeated program whole rounds are then left out."""


class ProgramRun:
    """A program under way; a process of the world.

    Args:
        processes: the world's.
        begin: called with a step when it begins; returns the level that the ramp starts from.
        drive: called with every level on the way.
        reached: called when the output has reached the level of a step.
        finished: called with whether a step (False) or the whole program (True) has ended.
    """

    def __init__(
        self,
        processes: Processes,
        begin: Callable[[Step], float],
        drive: Callable[[float], None],
        reached: Callable[[], None],
        finished: Callable[[bool], None],
    ) -> None:
        self._processes = processes
        self._begin, self._drive, self._reached, self._finished = begin, drive, reached, finished
        self._steps: Sequence[Step] = ()
        self._is_repeating = False
        self._slope = self._interval = 0.0
        self._levels = 1
        self._index = 0
        self._origin = self._started = 0.0
        self._taken = 0
        self._left, self._until = _MOST_FOLLOWED, 0.0
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

    def remaining_seconds(self, now: float) -> float:
        """How long it still runs; infinite if it repeats itself."""
        if not self.is_running:
            return 0.0
        if self._is_repeating:
            return math.inf
        return self._started + self._interval * (len(self._steps) - self._index) - now

    def run(
        self, steps: Sequence[Step], first: int, *, slope: float, interval: float, is_repeating: bool, now: float
    ) -> None:
        """Start at step number `first`."""
        self.stop()
        self._steps, self._is_repeating = tuple(steps), is_repeating
        self._slope, self._interval = min(slope, interval), interval
        most = min(_MOST_LEVELS, max(_MOST_LEVELS_IN_ALL // len(self._steps), 1))
        self._levels = min(max(round(self._slope / _LEVEL_SECONDS), 1), most)
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
            self._taken = self._levels
            self._reached()
            self._next = now + self._interval
        else:
            self._next = now + self._slope / self._levels

    def prepare(self, start: float, end: float) -> None:
        """See Process."""
        self._left, self._until = _MOST_FOLLOWED, end

    def _leave_out_rounds(self, now: float) -> None:
        round_seconds = self._interval * len(self._steps)
        rounds = math.floor((self._until - now) / round_seconds) - 1
        if self._is_repeating and rounds > 0:
            self._started += rounds * round_seconds
            self._next += rounds * round_seconds

    def next_change(self) -> float:
        """World seconds of the next level or step."""
        return self._next

    def change(self, now: float) -> None:
        """See Process: the next level of a ramp, or the next step."""
        self._left -= 1
        if self._left == 0:
            self._leave_out_rounds(now)
            if self._next > now:
                return
        if self._taken < self._levels:
            self._taken += 1
            step = self._steps[self._index]
            self._drive(self._origin + (step.level - self._origin) * self._taken / self._levels)
            if self._taken < self._levels:
                self._next = self._started + self._slope * (self._taken + 1) / self._levels
                return
            self._reached()
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
