"""Readings that a scan of a 34980A has stored, how they are written, and the limits that they are held against."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

MOST_READINGS = 500_000
OVERFLOW = 9.9e37
_MOST_ALARMS = 20
_ALARM_QUEUE = 1 << 4
UNITS = {"VOLT": "VDC", "RES": "OHM", "FRES": "OHM"}


@dataclass(frozen=True)
class Reading:
    """One reading.

    Attributes:
        channel: 0 for the DMM by itself.
        seconds: since the scan began.
        alarm: number of the alarm whose limit it exceeds; 0 if none.
    """

    value: float
    unit: str
    channel: int
    seconds: float
    alarm: int


@dataclass
class ReadingFormat:
    """What stands beside a value."""

    has_unit: bool = False
    has_time: bool = False
    has_channel: bool = False
    has_alarm: bool = False

    def show(self, reading: Reading) -> str:
        """A reading as READ? and its kin tell it."""
        parts = [f"{reading.value:+.8E}" + (f" {reading.unit}" if self.has_unit else "")]
        if self.has_time:
            parts.append(f"{reading.seconds:012.3f}")
        if self.has_channel:
            parts.append(str(reading.channel))
        if self.has_alarm:
            parts.append(str(reading.alarm))
        return ",".join(parts)


@dataclass
class Limits:
    """A channel's limits.

    Attributes:
        alarm: the alarm that it is assigned to.
    """

    lower: float = 0.0
    upper: float = 0.0
    has_lower: bool = False
    has_upper: bool = False
    alarm: int = 1

    def crossed(self, value: float) -> int:
        """0 if the value is within them, 1 if it is below the lower one, 2 if above the upper one."""
        if self.has_lower and value < self.lower:
            return 1
        return 2 if self.has_upper and value > self.upper else 0


@dataclass
class ReadingMemory:
    """Readings of the latest scan, and alarms.

    Attributes:
        alarms: what exceeded a limit: reading and limit (1 lower, 2 upper), the oldest first.
        alarm_lines: bits of the alarms that are on.
    """

    readings: deque[Reading] = field(default_factory=lambda: deque(maxlen=MOST_READINGS))
    limits: dict[int, Limits] = field(default_factory=dict)
    alarms: deque[tuple[Reading, int]] = field(default_factory=lambda: deque(maxlen=_MOST_ALARMS))
    alarm_lines: int = 0
    format: ReadingFormat = field(default_factory=ReadingFormat)

    def of(self, channel: int) -> Limits:
        """The limits of a channel."""
        return self.limits.setdefault(channel, Limits())

    def add(self, value: float, unit: str, channel: int, seconds: float) -> Reading:
        """Store a reading and hold it against its limits."""
        limits = self.limits.get(channel, Limits())
        crossed = limits.crossed(value)
        reading = Reading(value, unit, channel, seconds, limits.alarm if crossed else 0)
        self.readings.append(reading)
        if crossed:
            self.alarms.append((reading, crossed))
            self.alarm_lines |= 1 << (limits.alarm - 1)
        return reading

    @property
    def alarm_bits(self) -> int:
        """The alarm register's condition."""
        return self.alarm_lines | (_ALARM_QUEUE if self.alarms else 0)

    def take(self, count: int) -> list[Reading]:
        """Remove and return the oldest."""
        return [self.readings.popleft() for _ in range(min(count, len(self.readings)))]
