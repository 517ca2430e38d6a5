"""A train: steps of level that one output repeats, section after section."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import NamedTuple

_SAME = 1e-9
_IN_STEP = 0.01
"""Periods that may be missing to a whole number where trains keep step: rounding over a long time."""


class Step(NamedTuple):
    """A stretch of constant level; 0 is the low level, 1 the high level."""

    seconds: float
    level: float


class Section:
    """One cycle of steps and how often it comes before the next section; `repeats` may be infinite."""

    def __init__(self, steps: Sequence[Step], repeats: float = 1.0) -> None:
        self.steps = tuple(step for step in steps if step.seconds > 0)
        self.repeats = repeats
        self.ends = tuple(accumulate(step.seconds for step in self.steps))
        self.seconds = self.ends[-1] if self.ends else 0.0
        levels = {step.level for step in self.steps}
        self.extremes = tuple({min(levels), max(levels)}) if levels else ()


class Train:
    """What one output plays.

    Args:
        sections: in turn.
        cycles: how often all of them; may be infinite.
        idle: level before and after.
        drive: takes a level.

    Attributes:
        seconds: how long all of it takes.
        next: world seconds of the next edge; infinite if none is to come.
        end: world seconds of the last edge.
        level: the present one.
    """

    def __init__(
        self, sections: Sequence[Section], cycles: float, *, idle: float, drive: Callable[[float], None]
    ) -> None:
        self.sections = tuple(section for section in sections if section.steps and section.repeats >= 1)
        self.cycles = cycles if self.sections else 0.0
        if len(self.sections) == 1 and self.cycles > 1:
            only = self.sections[0]
            self.sections, self.cycles = (Section(only.steps, only.repeats * cycles),), 1.0
        self.seconds = self.cycles * sum(s.seconds * s.repeats for s in self.sections) if self.cycles else 0.0
        self.drive = drive
        self.next = self.end = math.inf
        self.level = self._idle = idle
        self._origin = 0.0
        self._cycle = self._section = self._step = 0
        self._repeat = 0.0
        self._has_begun = False

    @property
    def is_playing(self) -> bool:
        """Whether there is more to come."""
        return math.isfinite(self.next)

    def begin(self, start: float) -> None:
        """The first edge is to come at `start`."""
        self._origin = self.next = start
        self.end = start + self.seconds
        self._cycle = self._section = 0
        self._repeat, self._step = 0.0, -1
        self._has_begun = False
        if self.cycles < 1:
            self.next = math.inf

    def advance(self) -> None:
        """Go over the next edge."""
        self._has_begun = True
        section = self.sections[self._section]
        self._step += 1
        if self._step == len(section.steps):
            self._step = 0
            self._repeat += 1
            if self._repeat >= section.repeats and not self._enter_next(section):
                return
            section = self.sections[self._section]
        self.level = section.steps[self._step].level
        self.next = self._origin + self._repeat * section.seconds + section.ends[self._step]

    def _enter_next(self, section: Section) -> bool:
        self._origin += section.repeats * section.seconds
        self._repeat = 0.0
        self._section += 1
        if self._section == len(self.sections):
            self._section = 0
            self._cycle += 1
            if self._cycle >= self.cycles:
                self.level, self.next = self._idle, math.inf
                return False
        return True

    def finish_cycle(self) -> None:
        """End with the present cycle of its only section."""
        if self.is_playing:
            self.sections = (Section(self._now.steps, self._repeat + 1),)
            self.cycles = self._cycle + 1

    @property
    def period(self) -> float:
        """Seconds after which it repeats itself; zero while it is constant."""
        return self._now.seconds if self._has_begun else 0.0

    @property
    def _now(self) -> Section:
        return self.sections[self._section]

    @property
    def steady_until(self) -> float:
        """World seconds until which it repeats itself."""
        if not self._has_begun:
            return self.next
        return self._origin + self._now.repeats * self._now.seconds

    @property
    def extremes(self) -> tuple[float, ...]:
        """Lowest and highest level of what it repeats."""
        return self._now.extremes if self._has_begun else (self.level,)

    def edges_until(self, now: float, until: float) -> float:
        """About how many edges there are until then."""
        return (until - now) / self._now.seconds * len(self._now.steps) if self._has_begun else 0.0

    def shares(self) -> list[tuple[float, float]]:
        """Fraction of a period that it is at each level, and the level."""
        if not self._has_begun:
            return [(1.0, self.level)]
        now = self._now
        by_level: dict[float, float] = {}
        for step in now.steps:
            by_level[step.level] = by_level.get(step.level, 0.0) + step.seconds / now.seconds
        return [(share, level) for level, share in by_level.items()]

    def skip(self, seconds: float) -> None:
        """Go on by whole periods, or, where trains do not keep step, to the cycle that is being played then."""
        if self._has_begun:
            periods = seconds / self._now.seconds
            nearest = round(periods)
            skipped = nearest if abs(periods - nearest) < _IN_STEP else math.floor(periods)
            self._repeat = min(self._repeat + skipped, self._now.repeats - 1) if skipped else self._repeat
            self.next = self._origin + self._repeat * self._now.seconds + self._now.ends[self._step]

    def edges(self, start: float, seconds: float) -> Iterator[tuple[float, float]]:
        """Edges from now on as (seconds after `start`, level), as long as it repeats itself."""
        if not self._has_begun:
            return
        steps, count = self._now.steps, len(self._now.steps)
        at, index = self.next - start, self._step
        while at < seconds * (1 - _SAME):
            index = (index + 1) % count
            yield at, steps[index].level
            at += steps[index].seconds
