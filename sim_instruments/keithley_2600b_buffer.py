"""Reading buffers of a 2600B: what a reading is, and how buffers fill (reference manual, "Reading buffers")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .scpi_errors import ScpiError

OVERFLOW = 9.91e37
"""What a reading beyond its range shows."""
_NOT_EMPTY = ScpiError(5032, "Cannot change this setting unless buffer is cleared")
FILL_ONCE, FILL_WINDOW = 0, 1


class Status:
    """Bits of `statuses` (reference manual, "bufferVar.statuses")."""

    MEASURE_AUTORANGE = 0x04
    SOURCE_AUTORANGE = 0x08
    REMOTE_SENSE = 0x10
    RELATIVE = 0x20
    COMPLIANCE = 0x40
    FILTERED = 0x80


@dataclass(frozen=True)
class Reading:
    """One measured value.

    Attributes:
        value: in its unit; OVERFLOW beyond the range.
        function: "i", "v", "r" or "p".
        seconds: when it was taken.
        source_value: the level that was programmed.
        status: bits of `Status`.
        measure_range, source_range: in force.
        is_volts_source: which function was sourced.
        is_output_on: whether the output was on.
    """

    value: float
    function: str
    seconds: float
    source_value: float
    status: int
    measure_range: float
    source_range: float
    is_volts_source: bool
    is_output_on: bool


_MEASURE_FUNCTIONS = {"i": "Current", "v": "Voltage", "r": "Resistance", "p": "Power"}
COLUMNS: dict[str, Callable[[Reading], object]] = {
    "readings": lambda r: r.value,
    "sourcevalues": lambda r: r.source_value,
    "statuses": lambda r: r.status,
    "measureranges": lambda r: r.measure_range,
    "sourceranges": lambda r: r.source_range,
    "measurefunctions": lambda r: _MEASURE_FUNCTIONS[r.function],
    "sourcefunctions": lambda r: "Voltage" if r.is_volts_source else "Current",
    "sourceoutputstates": lambda r: "On" if r.is_output_on else "Off",
}
"""What a buffer tells about each reading, time stamps apart."""


class Buffer2600:
    """One reading buffer.

    Attributes:
        capacity: most readings.
        stored: the readings.
        is_appending: whether a measurement adds to what is there rather than replacing it.
        keeps_times, keeps_source: what is collected beside the reading.
    """

    def __init__(self, capacity: int, *, is_dedicated: bool) -> None:
        self.capacity = capacity
        self.stored: list[Reading] = []
        self.is_appending = False
        self.keeps_times = is_dedicated
        self.keeps_source = is_dedicated
        self.resolution_seconds = 1e-6
        self.fill_mode = FILL_ONCE
        self._is_dedicated = is_dedicated

    def reset(self) -> None:
        """As after power on, keeping the capacity."""
        self.stored.clear()
        self.is_appending = False
        self.keeps_times = self.keeps_source = self._is_dedicated
        self.fill_mode = FILL_ONCE

    def begin(self) -> None:
        """A measurement command is about to store readings."""
        if not self.is_appending:
            self.stored.clear()

    def store(self, reading: Reading) -> None:
        """Keep a reading; a full buffer takes no more, or loses its oldest in window mode."""
        if len(self.stored) >= self.capacity:
            if self.fill_mode == FILL_ONCE:
                return
            del self.stored[0]
        self.stored.append(reading)

    def set_collecting(self, name: str, is_on: bool) -> None:
        """Switch collection of `times` or `source`; raises ScpiError while the buffer holds readings."""
        if self.stored:
            raise _NOT_EMPTY
        setattr(self, f"keeps_{name}", is_on)

    def item(self, column: str, index: object) -> object:
        """Entry `index`, from 1, of a column; None beyond the readings."""
        if isinstance(index, bool) or not isinstance(index, int | float) or index != int(index):
            return None
        if not 1 <= int(index) <= len(self.stored):
            return None
        reading = self.stored[int(index) - 1]
        return self.time_of(reading) if column == "timestamps" else COLUMNS[column](reading)

    def time_of(self, reading: Reading) -> float:
        """Its time stamp: seconds since the first reading of the buffer."""
        seconds = reading.seconds - self.stored[0].seconds
        return round(seconds / self.resolution_seconds) * self.resolution_seconds
