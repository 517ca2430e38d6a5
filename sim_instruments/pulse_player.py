"""Plays steps of level into the world as its time passes.

Exactly while it is affordable: a burst of up to `MOST_CYCLES_OF_A_BURST` cycles is played cycle by cycle. A waveform
that never ends, or a longer burst, is played with fewer and proportionally longer cycles: `CYCLES_PER_WAIT` of them in
each stretch of time that the world waits. The time spent at every level, on which switching and breakdown depend, is
right; only the number of alternations is not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .processes import Processes
from .pulse_waveform import Step

MOST_CYCLES_OF_A_BURST = 2000
CYCLES_PER_WAIT = 4


class Player:
    """One output's player; a process of the world.

    Args:
        processes: the world's.
        drive: takes a level (0 low, 1 high).
    """

    def __init__(self, processes: Processes, drive: Callable[[float], None]) -> None:
        self._processes = processes
        self._drive = drive
        self._steps: tuple[Step, ...] = ()
        self._lead = 0.0
        self._index = 0
        self._cycles_left = 0.0
        self._stretch = 1.0
        self._base_stretch = 1.0
        self._next = math.inf
        self._idle = 0.0

    @property
    def is_playing(self) -> bool:
        """Whether there is more to come."""
        return math.isfinite(self._next)

    @property
    def seconds(self) -> float:
        """Length of one cycle."""
        return sum(step.seconds for step in self._steps)

    def play(self, steps: Sequence[Step], cycles: float, *, idle: float, delay: float, now: float) -> float:
        """Start; returns how long it will take, seconds, infinite if it does not end.

        Args:
            steps: one cycle.
            cycles: how often; may be infinite.
            idle: level before and after.
            delay: seconds before the first cycle.
            now: world seconds.
        """
        self.stop()
        self._steps = tuple(step for step in steps if step.seconds > 0)
        self._idle = idle
        if not self._steps or cycles < 1:
            self._drive(idle)
            return 0.0
        played = min(cycles, MOST_CYCLES_OF_A_BURST) if math.isfinite(cycles) else cycles
        self._base_stretch = self._stretch = cycles / played if math.isfinite(cycles) else 1.0
        self._cycles_left = played
        self._index = -1
        self._next = now + delay
        self._drive(idle) if delay > 0 else self.change(now)
        self._processes.start(self, now)
        return delay + cycles * self.seconds

    def stop(self) -> None:
        """Break off; the output stays where it is."""
        self._next = math.inf
        self._processes.stop(self)

    def prepare(self, start: float, end: float) -> None:
        """Choose how many cycles to play until `end`."""
        if math.isfinite(self._cycles_left) or not self.is_playing:
            return
        stretch = max(1.0, (end - start) / (self.seconds * CYCLES_PER_WAIT))
        if self._index >= 0:
            self._next = start + (self._next - start) * stretch / self._stretch
        self._stretch = stretch

    def next_change(self) -> float:
        """When the level changes next, world seconds."""
        return self._next

    def change(self, now: float) -> None:
        """Go to the next step."""
        self._index += 1
        if self._index == len(self._steps):
            self._index = 0
            self._cycles_left -= 1
        if self._cycles_left < 1:
            self.stop()
            self._drive(self._idle)
            return
        step = self._steps[self._index]
        self._next = now + step.seconds * self._stretch
        self._drive(step.level)
