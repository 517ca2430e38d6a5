"""Readings of a 2450 and the reading buffers that hold them (Reference Manual, "Reading buffers")."""

from __future__ import annotations

import datetime
import math
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

from .scpi_errors import ScpiError
from .scpi_parameters import Text

OVERFLOW = 9.9e37
POWER_ON = datetime.datetime(2026, 1, 1)
"""What the clock shows when the simulated bench begins."""
_CLOCK_SECONDS = 1e10
"""The clock begins again after this long, so that no simulated wait is beyond the calendar."""
DEFAULT_CAPACITY = 100_000
SMALLEST_CAPACITY, LARGEST_CAPACITY, LARGEST_COMPACT = 10, 6_875_000, 27_500_000


class BufferName(Text):
    """Name of a reading buffer; defbuffer1 if left out."""

    is_optional = True


class Reading(NamedTuple):
    """One measurement with what was sourced meanwhile.

    Attributes:
        value: in `unit`: VOLT, AMP, OHM, WATT or another unit of a writable buffer.
        seconds: since power-on.
        status, source_status: as the STATus and SOURSTATus elements tell them.
        extra, extra_unit: second value of a full writable buffer.
    """

    value: float
    unit: str
    source: float
    source_unit: str
    seconds: float
    status: int
    source_status: int
    extra: float = 0.0
    extra_unit: str = "NONE"


@dataclass
class Statistics:
    """Running statistics of a buffer; what was overwritten since still counts (Reference Manual, TRACe:STATistics)."""

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0
    lowest: float = math.inf
    highest: float = -math.inf

    def add(self, value: float) -> None:
        """One more value (Welford's recurrence)."""
        self.count += 1
        miss = value - self.mean
        self.mean += miss / self.count
        self.squares += miss * (value - self.mean)
        self.lowest, self.highest = min(self.lowest, value), max(self.highest, value)

    def told(self, name: str) -> float:
        """AVER, MAX, MIN, STDD or PK2P; overflow without values."""
        if self.count == 0:
            return OVERFLOW
        spread = math.sqrt(max(self.squares, 0.0) / (self.count - 1)) if self.count > 1 else 0.0
        found = {
            "AVER": self.mean,
            "MAX": self.highest,
            "MIN": self.lowest,
            "PK2P": self.highest - self.lowest,
            "STDD": spread,
        }
        return found[name]


@dataclass
class Buffer:
    """A reading buffer.

    Attributes:
        capacity: readings it can hold.
        style: COMP, STAN, FULL, WRIT or FULLWRIT.
        fill_mode: CONT overwrites the oldest readings, ONCE stops when full.
        is_logged: whether its being emptied and filled is an event.
        unit, digits, extra_unit, extra_digits: of what is written into a writable buffer.
    """

    name: str
    capacity: int
    style: str = "STAN"
    fill_mode: str = "ONCE"
    is_logged: bool = False
    first_seconds: float = 0.0
    unit: str = "NONE"
    digits: int = 6
    extra_unit: str = "NONE"
    extra_digits: int = 6
    readings: deque[Reading] = field(default_factory=deque)
    statistics: Statistics = field(default_factory=Statistics)

    @property
    def is_writable(self) -> bool:
        """Whether readings are written into it by the user instead of measured."""
        return self.style in ("WRIT", "FULLWRIT")

    @property
    def is_full(self) -> bool:
        """Whether it takes no more, or overwrites its oldest readings."""
        return len(self.readings) >= self.capacity

    def add(self, reading: Reading) -> bool:
        """Store a reading; returns whether the buffer has just become full."""
        readings = self.readings
        if len(readings) >= self.capacity:
            if self.fill_mode == "ONCE":
                return False
            readings.popleft()
            readings.append(reading)
            self.statistics.add(reading.value)
            return False
        if not readings:
            self.first_seconds = reading.seconds
        readings.append(reading)
        self.statistics.add(reading.value)
        return len(readings) >= self.capacity

    def clear(self) -> None:
        """Forget readings and statistics."""
        self.readings.clear()
        self.statistics = Statistics()

    def part(self, begin: int, end: int) -> list[Reading]:
        """Readings by their indices from 1; raises ScpiError -222 if there are none such."""
        if not 1 <= begin <= end <= len(self.readings):
            raise ScpiError(-222, "Parameter data out of range")
        return list(islice(self.readings, begin - 1, end))

    def latest(self) -> list[Reading]:
        """The last reading; raises ScpiError -230 if there is none."""
        if not self.readings:
            raise ScpiError(-230)
        return [self.readings[-1]]


def stamp(seconds: float) -> datetime.datetime:
    """Date and time of the instrument's clock."""
    return POWER_ON + datetime.timedelta(seconds=math.fmod(seconds, _CLOCK_SECONDS))
