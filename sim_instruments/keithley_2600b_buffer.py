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


class Statistics:
    """Running statistics over readings.

    Attributes:
        n, mean: how many, and their mean.
        lowest, highest: the readings with the extreme values.
    """

    def __init__(self) -> None:
        self.n = 0
        self.mean = 0.0
        self._squares = 0.0
        self.lowest: Reading | None = None
        self.highest: Reading | None = None

    def add(self, reading: Reading) -> None:
        """One more reading (Welford's recurrence)."""
        self.n += 1
        step = reading.value - self.mean
        self.mean += step / self.n
        self._squares += step * (reading.value - self.mean)
        if self.lowest is None or reading.value < self.lowest.value:
            self.lowest = reading
        if self.highest is None or reading.value > self.highest.value:
            self.highest = reading

    @property
    def deviation(self) -> float | None:
        """Standard deviation of the sample; None for less than two readings."""
        return (self._squares / (self.n - 1)) ** 0.5 if self.n > 1 else None


class Buffer2600:
    """One reading buffer.

    Attributes:
        capacity: most readings.
        stored: the readings.
        is_appending: whether a measurement adds to what is there rather than replacing it.
        keeps_times, keeps_source: what is collected beside the reading.
        fill_count: readings kept in the window mode.
        statistics: over all that was stored since it was last cleared, lost ones included.
    """

    def __init__(self, capacity: int, *, is_dedicated: bool) -> None:
        self.capacity = capacity
        self.stored: list[Reading] = []
        self._is_dedicated = is_dedicated
        self.reset()

    def reset(self) -> None:
        """As after power on, keeping the capacity."""
        self.clear()
        self.is_appending = False
        self.keeps_times = self.keeps_source = self._is_dedicated
        self.fill_mode = FILL_ONCE
        self.fill_count = self.capacity
        self.cache_mode = 1
        self.resolution_seconds = 1e-6

    def clear(self) -> None:
        """Forget all readings."""
        self.stored.clear()
        self.statistics = Statistics()

    def recalculate(self) -> None:
        """Statistics over what is stored now."""
        self.statistics = Statistics()
        for reading in self.stored:
            self.statistics.add(reading)

    def begin(self) -> None:
        """A measurement command is about to store readings."""
        if not self.is_appending:
            self.clear()

    def store(self, reading: Reading) -> None:
        """Keep a reading; a full buffer takes no more, or loses its oldest in window mode."""
        if self.fill_mode == FILL_ONCE and len(self.stored) >= self.capacity:
            return
        if self.fill_mode == FILL_WINDOW and len(self.stored) >= min(self.fill_count, self.capacity):
            del self.stored[0]
        self.stored.append(reading)
        self.statistics.add(reading)

    def set_collecting(self, name: str, is_on: bool) -> None:
        """Switch collection of `times` or `source`; raises ScpiError while the buffer holds readings."""
        if self.stored and getattr(self, f"keeps_{name}") != is_on:
            raise _NOT_EMPTY
        setattr(self, f"keeps_{name}", is_on)

    def item(self, column: str, index: object) -> object:
        """Entry `index`, from 1, of a column; None beyond the readings."""
        if isinstance(index, bool) or not isinstance(index, int | float):
            return None
        if not 1 <= index <= len(self.stored) or index != int(index):
            return None
        reading = self.stored[int(index) - 1]
        return self.time_of(reading) if column == "timestamps" else COLUMNS[column](reading)

    def time_of(self, reading: Reading) -> float:
        """Its time stamp: seconds since the first reading of the buffer."""
        seconds = reading.seconds - self.stored[0].seconds
        return round(seconds / self.resolution_seconds) * self.resolution_seconds
