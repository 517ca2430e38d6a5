"""Status of a 2400: the bits of its event registers, its choosy error queue, and registers told in other bases.

User's manual, section 15 (status structure) and section 18 (STATus and FORMat subsystems).
"""

from __future__ import annotations

from typing import Final

from .scpi_errors import ScpiError
from .status_488 import ErrorQueue, EventRegister

Interval = tuple[int, int]
ALL_ERRORS: tuple[Interval, ...] = ((-440, -1), (500, 999))
"""What is queued after power-on: errors, but not the status messages +100 to +414."""


class MeasurementBit:
    """Measurement event register (figure 15-6)."""

    LIMIT_1: Final = 1 << 0
    LOW_2: Final = 1 << 1
    HIGH_2: Final = 1 << 2
    LOW_3: Final = 1 << 3
    HIGH_3: Final = 1 << 4
    LIMITS_PASS: Final = 1 << 5
    READING: Final = 1 << 6
    OVERFLOW: Final = 1 << 7
    BUFFER_AVAILABLE: Final = 1 << 8
    BUFFER_FULL: Final = 1 << 9
    OUTPUT_ENABLE: Final = 1 << 11
    OVER_VOLTAGE: Final = 1 << 13
    COMPLIANCE: Final = 1 << 14


class OperationBit:
    """Operation event register (figure 15-5)."""

    SWEEPING: Final = 1 << 3
    WAITING_FOR_TRIGGER: Final = 1 << 5
    WAITING_FOR_ARM: Final = 1 << 6
    IDLE: Final = 1 << 10


def pulse(register: EventRegister, bits: int) -> None:
    """Events that happen now, whether their condition was still set or not."""
    register.condition &= ~bits
    register.set_condition(register.condition | bits)


def hold(register: EventRegister, mask: int, bits: int) -> None:
    """Bring the conditions in `mask` to `bits`."""
    register.set_condition(register.condition & ~mask | bits)


class ChosenErrors(ErrorQueue):
    """An error queue that takes only the numbers that STATus:QUEue:ENABle and DISable leave in.

    Attributes:
        enabled: intervals of error numbers, both ends included.
    """

    def __init__(self, capacity: int) -> None:
        super().__init__(capacity)
        self.enabled: tuple[Interval, ...] = ALL_ERRORS

    def put(self, error: ScpiError) -> None:
        """Add an error, if its number is enabled."""
        if any(low <= error.code <= high for low, high in self.enabled):
            super().put(error)

    def disable(self, intervals: tuple[Interval, ...]) -> None:
        """Take numbers out."""
        for low, high in intervals:
            cut = [(a, min(b, low - 1)) for a, b in self.enabled] + [(max(a, high + 1), b) for a, b in self.enabled]
            self.enabled = tuple(sorted({(a, b) for a, b in cut if a <= b}))

    @property
    def disabled(self) -> tuple[Interval, ...]:
        """What there is of numbers besides the enabled ones."""
        rest = ChosenErrors(1)
        for low, high in self.enabled:
            rest.disable(((low, high),))
        return rest.enabled


def in_base(value: str, base: str) -> str:
    """A register's decimal number as FORMat:SREGister or FORMat:SOURce2 says: ASC, HEX, OCT or BIN."""
    form = {"HEX": "#H{:X}", "OCT": "#Q{:o}", "BIN": "#B{:b}"}.get(base)
    return value if form is None else form.format(int(value))
