"""Readings of a 2400: the status word, the formats they are sent in, and the buffer that stores them."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import IntFlag

import numpy as np

from mtjlab.nouns import Floats

from .keithley_2400_settings import ELEMENTS, FormatSettings
from .scpi import Reply
from .scpi_errors import ScpiError

NOT_A_NUMBER = 9.91e37
OVERFLOW = 9.9e37


class StatusBit(IntFlag):
    """Bits of the STATus element (user's manual, section 18, FORMat subsystem)."""

    OVERFLOW = 1 << 0
    FILTER = 1 << 1
    FRONT = 1 << 2
    COMPLIANCE = 1 << 3
    OVER_VOLTAGE = 1 << 4
    NULL = 1 << 6
    VOLTS_MEASURED = 1 << 11
    AMPS_MEASURED = 1 << 12
    OHMS_MEASURED = 1 << 13
    VOLTS_SOURCED = 1 << 14
    AMPS_SOURCED = 1 << 15
    RANGE_COMPLIANCE = 1 << 16
    OFFSET_COMPENSATION = 1 << 17
    REMOTE_SENSE = 1 << 22


@dataclass(frozen=True)
class SmuReading:
    """One source-measure operation; what was not measured holds NOT_A_NUMBER."""

    volts: float
    amps: float
    ohms: float
    seconds: float
    status: int

    def elements(self, names: Sequence[str]) -> list[float]:
        """Values of the selected elements, in the instrument's fixed order."""
        every = (self.volts, self.amps, self.ohms, self.seconds, float(self.status))
        return [value for name, value in zip(ELEMENTS, every, strict=True) if name in names]


def formatted(readings: Sequence[SmuReading], style: FormatSettings) -> Reply:
    """Readings as the FORMat subsystem says: ASCII, or single precision after `#0`."""
    numbers = [value for reading in readings for value in reading.elements(style.elements)]
    if style.data == "ASC":
        return ",".join([f"{value:+.6E}" for value in numbers])
    order = ">" if style.border == "NORM" else "<"
    return b"#0" + struct.pack(f"{order}{len(numbers)}f", *numbers)


_STATISTICS: dict[str, Callable[[Floats], float]] = {
    "MEAN": lambda values: float(values.mean()),
    "SDEV": lambda values: float(values.std(ddof=1)) if values.size > 1 else 0.0,
    "MAX": lambda values: float(values.max()),
    "MIN": lambda values: float(values.min()),
    "PKPK": lambda values: float(values.max() - values.min()),
}


@dataclass
class ReadingBuffer:
    """The TRACe buffer."""

    size: float = 100.0
    feed: str = "SENS"
    control: str = "NEV"
    timestamps: str = "ABS"
    shown_statistic: str = "MEAN"
    stored: list[SmuReading] = field(default_factory=list)

    @property
    def is_storing(self) -> bool:
        """Whether readings go into it."""
        return self.control == "NEXT"

    def require_idle(self) -> None:
        """Raises ScpiError +800 while it is storing."""
        if self.is_storing:
            raise ScpiError(800, "Illegal with storage active")

    def store(self, reading: SmuReading) -> None:
        """Keep a reading; storage stops when the buffer is full."""
        if not self.is_storing:
            return
        self.stored.append(reading)
        if len(self.stored) >= int(self.size):
            self.control = "NEV"

    def start(self, control: str) -> None:
        """NEXT begins a new fill, NEV ends it."""
        if control == "NEXT":
            self.stored.clear()
        self.control = control

    def clear(self) -> None:
        """Forget the readings."""
        self.require_idle()
        self.stored.clear()

    def timed(self) -> list[SmuReading]:
        """The readings with time stamps from the first one, or from one to the next."""
        if not self.stored:
            return []
        seconds = [reading.seconds for reading in self.stored]
        zeros = [seconds[0], *seconds[:-1]] if self.timestamps == "DELT" else [seconds[0]] * len(seconds)
        shown = [value - zero for value, zero in zip(seconds, zeros, strict=True)]
        return [
            SmuReading(r.volts, r.amps, r.ohms, float(s), r.status) for r, s in zip(self.stored, shown, strict=True)
        ]

    def statistic(self) -> list[float]:
        """The selected statistic of the stored volts, amps and ohms that were measured."""
        if not self.stored:
            raise ScpiError(-230)
        columns = np.array([(r.volts, r.amps, r.ohms) for r in self.stored])
        measured = [column for column in columns.T if np.all(np.abs(column) < OVERFLOW)]
        return [_STATISTICS[self.shown_statistic](column) for column in measured]
