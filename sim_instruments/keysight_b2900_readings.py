"""Readings of a B2900A and what is calculated from them: status data, elements, the formats they are sent in."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntFlag
from typing import Protocol

from .keysight_b2900_settings import CALCULATED, ELEMENTS, FormatSettings
from .scpi import Reply

_ASCII_NAN, _ASCII_INFINITY = 9.91e37, 9.9e37


class StatusData(IntFlag):
    """Bits of the STATus element (SCPI Command Reference, table 1-2)."""

    CURRENT_SOURCE = 1 << 0
    COMPLIANCE = 1 << 1
    OVER_VOLTAGE = 1 << 3
    OVER_CURRENT = 1 << 4
    HIGH_TEMPERATURE = 1 << 5
    RANGE_OVERFLOW = 1 << 13
    OFFSET_COMPENSATION = 1 << 14


LIMIT_SHIFT = 16
"""Bits 16 to 20 hold the result of the composite limit test."""


class Kept(Protocol):
    """Something that is kept with a time stamp and has elements."""

    @property
    def seconds(self) -> float:
        """Time stamp."""

    def values(self, elements: Sequence[str]) -> list[float]:
        """The selected elements, in the instrument's order."""


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


@dataclass(frozen=True)
class Calculated:
    """One result of a limit test's feed or of a math expression."""

    value: float
    seconds: float
    status: int

    def values(self, elements: Sequence[str]) -> list[float]:
        """The selected elements, in the instrument's order."""
        every = (self.value, self.seconds, float(self.status))
        return [value for name, value in zip(CALCULATED, every, strict=True) if name in elements]


def in_turn(columns: Sequence[Sequence[Kept]], elements: Sequence[str]) -> list[float]:
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
