"""The digital output port of a 2400, which tells a component handler what the limit tests found (user's manual, 13)."""

from __future__ import annotations

from collections import deque

from .keithley_2400_calc_settings import DigitalSettings
from .world import World

_LINE_4 = 8
MOST_KEPT = 10_000
"""Entries of a record of what went out on lines."""


class DigitalPort:
    """Four output lines.

    Attributes:
        history: (seconds, lines), the latest ones, each time limit tests or a command have set them.
        is_busy: whether a test sequence runs.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._pattern: int | None = None
        self._until_seconds: float | None = None
        self.history: deque[tuple[float, int]] = deque(maxlen=MOST_KEPT)
        self.is_busy = False

    def show(self, pattern: int, settings: DigitalSettings) -> None:
        """Limit tests set the lines; with auto-clear only for a while."""
        self._pattern = pattern
        self._until_seconds = self._world.seconds + settings.clear_seconds if settings.is_auto_clear else None
        self.note(settings)

    def clear(self, settings: DigitalSettings) -> None:
        """Back to the level that SOURce2:TTL gives."""
        if self._pattern is not None:
            self._pattern = None
            self.note(settings)

    def note(self, settings: DigitalSettings) -> None:
        """Put the present state of the lines on record."""
        self.history.append((self._world.seconds, self.lines(settings)))

    def lines(self, settings: DigitalSettings) -> int:
        """State of the lines now, line 1 in bit 0."""
        if self._until_seconds is not None and self._world.seconds >= self._until_seconds:
            self._pattern = self._until_seconds = None
        value = int(settings.level) if self._pattern is None else self._pattern
        if settings.line_4 == "BUSY":
            is_active = self.is_busy
        elif settings.bits == 3:
            is_active = self._pattern is not None
        else:
            return value
        is_high = is_active == settings.is_busy_high
        return value & ~_LINE_4 | (_LINE_4 if is_high else 0)
