"""Readings of a B2900A: status data, the formats they are sent in, the trace buffer of a channel."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from enum import IntFlag

import numpy as np

from mtjlab.nouns import Floats

from .keysight_b2900_settings import ELEMENTS, MOST_READINGS, FormatSettings
from .scpi import Reply
from .scpi_errors import ScpiError

_ASCII_NAN, _ASCII_INFINITY = 9.91e37, 9.9e37


class StatusData(IntFlag):
    """Bits of the STATus element (SCPI Command Reference, table 1-2)."""

    CURRENT_SOURCE = 1 << 0
    COMPLIANCE = 1 << 1
    OVER_VOLTAGE = 1 << 3
    OVER_CURRENT = 1 << 4
    RANGE_OVERFLOW = 1 << 13
    OFFSET_COMPENSATION = 1 << 14


@dataclass(frozen=True)
class Reading:
    """One measurement; NaN for what was not measured, infinite beyond the range."""

    volts: float
    amps: float
    ohms: float
    seconds: float
    status: int
    source: float

    def values(self, elements: Sequence[str]) -> list[float]:
        """The selected elements, in the instrument's order."""
        every = (self.volts, self.amps, self.ohms, self.seconds, float(self.status), self.source)
        return [value for name, value in zip(ELEMENTS, every, strict=True) if name in elements]

    @property
    def is_overflow(self) -> bool:
        """Whether a measured value is beyond its range."""
        return bool(self.status & StatusData.RANGE_OVERFLOW)


NO_READING = Reading(math.nan, math.nan, math.nan, math.nan, 0, math.nan)


def in_turn(columns: Sequence[Sequence[Reading]], elements: Sequence[str]) -> list[float]:
    """Readings of several channels, one of each in turn; shorter ones are filled up with NaN."""
    longest = max(max(len(column) for column in columns), 1)
    gap = [math.nan] * len(elements)
    found: list[float] = []
    for k in range(longest):
        for column in columns:
            found += column[k].values(elements) if k < len(column) else gap
    return found


def formatted(numbers: Sequence[float], style: FormatSettings) -> Reply:
    """Numbers as the FORMat subsystem says: ASCII, or a definite-length block of singles or doubles."""
    if style.data == "ASC":
        return ",".join([_ascii(value) for value in numbers])
    order = ">" if style.border == "NORM" else "<"
    code = "f" if style.data == "REAL,32" else "d"
    data = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
    length = str(len(data))
    return f"#{len(length)}{length}".encode() + data


def _ascii(value: float) -> str:
    if math.isnan(value):
        value = _ASCII_NAN
    elif math.isinf(value):
        value = math.copysign(_ASCII_INFINITY, value)
    return f"{value:+.6E}"


_STATISTICS: dict[str, Callable[[Floats], float]] = {
    "MEAN": lambda values: float(values.mean()),
    "SDEV": lambda values: float(values.std(ddof=1)) if values.size > 1 else 0.0,
    "MAX": lambda values: float(values.max()),
    "MIN": lambda values: float(values.min()),
    "PKPK": lambda values: float(values.max() - values.min()),
}


@dataclass
class TraceBuffer:
    """The TRACe buffer of a channel."""

    size: float = float(MOST_READINGS)
    feed: str = "SENS"
    control: str = "NEV"
    timestamps: str = "ABS"
    statistic: str = "MEAN"
    stored: list[Reading] = field(default_factory=list)

    def require_idle(self) -> None:
        """Raises ScpiError -221 while it is storing."""
        if self.control == "NEXT":
            raise ScpiError(-221)

    def clear(self) -> None:
        """Forget the readings."""
        self.require_idle()
        self.stored.clear()

    def store(self, reading: Reading) -> None:
        """Keep a reading; storage stops when the buffer is full."""
        if self.control != "NEXT":
            return
        self.stored.append(reading)
        if len(self.stored) >= int(self.size):
            self.control = "NEV"

    def timed(self) -> list[Reading]:
        """The readings with time stamps from the first one, or from one to the next."""
        if not self.stored:
            return []
        seconds = [reading.seconds for reading in self.stored]
        zeros = [seconds[0], *seconds[:-1]] if self.timestamps == "DELT" else [seconds[0]] * len(seconds)
        return [replace(r, seconds=r.seconds - zero) for r, zero in zip(self.stored, zeros, strict=True)]

    def summary(self, elements: Sequence[str]) -> list[float]:
        """The selected statistic of every stored element that has one."""
        names = [name for name in ELEMENTS if name in elements and name not in ("TIME", "STAT")]
        columns = np.array([reading.values(names) for reading in self.stored]).T
        return [_STATISTICS[self.statistic](column) for column in columns] if self.stored else [math.nan] * len(names)
