"""The monitor of a GS200 (option /MON): measures what is not sourced, when its trigger says, and stores it.

READY measures once the output has settled on a new level, TIMER and IMMEDIATE again and again, COMMUNICATE on INITiate
or *TRG. What is not in the pages of the user's manual (IM GS210-01EN) at hand is from memory and to be checked.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .processes import Processes
from .yokogawa_gs200_settings import MonitorSettings

NO_READING = "+9.999990E+37"
"""What is told where there is no reading."""
MOST_STORED = 100_000
"""Readings that can be stored (to be checked)."""
_MOST_FOLLOWED = 2_000
"""Readings that are taken one by one in one wait of the world; of more, the last ones are."""


class Monitor:
    """Takes readings as time passes; a process of the world while any is due that will be kept.

    Args:
        processes: the world's.
        look: takes a reading now; None if there is nothing to measure.
        cycle_seconds: length of a power line cycle.
        stored: called when the storage is complete.

    Attributes:
        settings: what is set.
        latest: the last reading; None if there is none.
        storage: readings stored since TRACe was switched on, and when they were taken.
        is_storing: whether readings are stored.
        points: readings to store.
    """

    def __init__(
        self,
        processes: Processes,
        look: Callable[[], float | None],
        cycle_seconds: float,
        stored: Callable[[], None],
    ) -> None:
        self._processes = processes
        self._look = look
        self._cycle_seconds = cycle_seconds
        self._stored = stored
        self.settings = MonitorSettings()
        self.latest: float | None = None
        self.storage: list[float] = []
        self.is_storing = False
        self.points = 100
        self._due = math.inf
        self._last_due = -math.inf
        self._left = _MOST_FOLLOWED
        self._until = 0.0

    @property
    def measuring_seconds(self) -> float:
        """From a trigger to the reading."""
        return self.settings.delay_milliseconds * 1e-3 + self.settings.cycles * self._cycle_seconds

    @property
    def _period(self) -> float:
        if self.settings.trigger == "TIM":
            return max(self.settings.interval, self.measuring_seconds)
        return self.measuring_seconds

    @property
    def _repeats(self) -> bool:
        return self.settings.is_on and self.settings.trigger in ("TIM", "IMM")

    @property
    def due(self) -> float:
        """World seconds of the reading that a trigger has started; infinite if there is none."""
        return self._due

    def source_ready(self, now: float) -> None:
        """The output has reached a new level."""
        if self.settings.is_on and self.settings.trigger == "READ":
            self._expect(now, now + self.measuring_seconds)

    def begin(self, now: float) -> None:
        """The monitor was switched on or set anew: what repeats itself begins."""
        self._due = math.inf
        self._processes.stop(self)
        self._last_due = now
        if self._repeats and self.is_storing:
            self._expect(now, now + self._period)

    def _expect(self, now: float, due: float) -> None:
        self._due = due
        self._left = _MOST_FOLLOWED
        self._processes.start(self, now)

    def keep(self, value: float | None) -> None:
        """A reading has been taken."""
        self.latest = value
        if value is None or not self.is_storing:
            return
        self.storage.append(value)
        if len(self.storage) >= self.points:
            self.is_storing = False
            self._stored()

    def store(self, is_on: bool, now: float) -> None:
        """TRACe: begin to store, or stop."""
        self.is_storing = is_on
        if is_on:
            self.storage = []
        self.begin(now)

    def catch_up(self, now: float) -> None:
        """Repeated readings that nobody has asked for are taken when somebody does: the last one counts."""
        if self._repeats and not self.is_storing and now >= self._last_due + self._period:
            self._last_due = now
            self.keep(self._look())

    def prepare(self, start: float, end: float) -> None:
        """See Process."""
        self._left, self._until = _MOST_FOLLOWED, end

    def next_change(self) -> float:
        """See Process."""
        return self._due

    def change(self, now: float) -> None:
        """See Process: a reading is complete."""
        self.keep(self._look())
        self._left -= 1
        if self._repeats and self.is_storing:
            self._due = max(now + self._period, math.nextafter(now if self._left > 0 else self._until, math.inf))
            return
        self._due = math.inf
        self._processes.stop(self)
