"""Readings of a 2400: the status word, and the formats that readings are sent in."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .keithley_2400_settings import ELEMENTS, FormatSettings
from .scpi import Reply

NOT_A_NUMBER = 9.91e37
"""What stands for something that is neither sourced nor measured (user's manual, section 18, FORMat)."""
OVERFLOW = 9.9e37
"""An overflowed reading."""


class StatusBit:
    """Bits of the STATus element (user's manual, section 18, FORMat subsystem)."""

    OVERFLOW: Final = 1 << 0
    FILTER: Final = 1 << 1
    FRONT: Final = 1 << 2
    COMPLIANCE: Final = 1 << 3
    OVER_VOLTAGE: Final = 1 << 4
    MATH: Final = 1 << 5
    NULL: Final = 1 << 6
    LIMITS: Final = 1 << 7
    AUTO_OHMS: Final = 1 << 10
    VOLTS_MEASURED: Final = 1 << 11
    AMPS_MEASURED: Final = 1 << 12
    OHMS_MEASURED: Final = 1 << 13
    VOLTS_SOURCED: Final = 1 << 14
    AMPS_SOURCED: Final = 1 << 15
    RANGE_COMPLIANCE: Final = 1 << 16
    OFFSET_COMPENSATION: Final = 1 << 17
    REMOTE_SENSE: Final = 1 << 22


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
    return sent([value for reading in readings for value in reading.elements(style.elements)], style)


def sent(numbers: Sequence[float], style: FormatSettings) -> Reply:
    """Numbers as FORMat:DATA and FORMat:BORDer say."""
    if style.data == "ASC":
        return ",".join([f"{value:+.6E}" for value in numbers])
    order = ">" if style.border == "NORM" else "<"
    return b"#0" + struct.pack(f"{order}{len(numbers)}f", *numbers)
