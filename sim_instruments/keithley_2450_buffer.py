"""Readings of a 2450 and the reading buffers that hold them (Reference Manual, "Reading buffers")."""

from __future__ import annotations

import datetime
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from .keithley_2450_settings import FormatSettings
from .scpi import Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Text

OVERFLOW = 9.9e37
POWER_ON = datetime.datetime(2026, 1, 1)
"""What the clock shows when the simulated bench begins."""
_CLOCK_SECONDS = 1e10
"""The clock begins again after this long, so that no simulated wait is beyond the calendar."""
DEFAULT_CAPACITY = 100_000
SMALLEST_CAPACITY, LARGEST_CAPACITY = 10, 6_875_000
_UNITS = {"VOLT": "Volt DC", "AMP": "Amp DC", "OHM": "Ohm", "WATT": "Watt DC"}
_SIGNS = {"VOLT": "V", "AMP": "A", "OHM": "Ohm", "WATT": "W"}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, " "), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))
_IN_BINARY = ("READ", "REL", "SOUR", "EXTR")


class BufferName(Text):
    """Name of a reading buffer; defbuffer1 if left out."""

    is_optional = True


@dataclass(frozen=True)
class Reading:
    """One measurement with what was sourced meanwhile.

    Attributes:
        value: in `unit`: VOLT, AMP, OHM or WATT.
        seconds: since power-on.
        status, source_status: as the STATus and SOURSTATus elements tell them.
    """

    value: float
    unit: str
    source: float
    source_unit: str
    seconds: float
    status: int
    source_status: int


@dataclass
class Buffer:
    """A reading buffer.

    Attributes:
        capacity: readings it can hold.
        style: COMP, STAN or FULL.
        fill_mode: CONT overwrites the oldest readings, ONCE stops when full.
    """

    name: str
    capacity: int
    style: str = "STAN"
    fill_mode: str = "ONCE"
    first_seconds: float = 0.0
    readings: deque[Reading] = field(default_factory=deque)

    def add(self, reading: Reading) -> None:
        """Store a reading."""
        if len(self.readings) >= self.capacity:
            if self.fill_mode == "ONCE":
                return
            self.readings.popleft()
        if not self.readings:
            self.first_seconds = reading.seconds
        self.readings.append(reading)

    def part(self, begin: int, end: int) -> list[Reading]:
        """Readings by their indices from 1; raises ScpiError -222 if there are none such."""
        if not 1 <= begin <= end <= len(self.readings):
            raise ScpiError(-222, "Parameter data out of range")
        return list(self.readings)[begin - 1 : end]

    def latest(self) -> list[Reading]:
        """The last reading; raises ScpiError -230 if there is none."""
        if not self.readings:
            raise ScpiError(-230)
        return [self.readings[-1]]

    def statistic(self, name: str) -> float:
        """AVER, MAX, MIN, STDD or PK2P of the readings; overflow without readings."""
        values = np.array([reading.value for reading in self.readings])
        if values.size == 0:
            return OVERFLOW
        spread = float(values.std(ddof=1)) if values.size > 1 else 0.0
        found = {"AVER": values.mean(), "MAX": values.max(), "MIN": values.min(), "PK2P": np.ptp(values)}
        return spread if name == "STDD" else float(found[name])


def shown(value: float, style: FormatSettings) -> str:
    """A reading in ASCII."""
    digits = int(style.precision) or 7
    return f"{value:.{digits - 1}E}"


def stamp(seconds: float) -> datetime.datetime:
    """Date and time of the instrument's clock."""
    return POWER_ON + datetime.timedelta(seconds=seconds % _CLOCK_SECONDS)


def _engineering(value: float, sign: str) -> str:
    if abs(value) >= OVERFLOW:
        return "Overflow"
    factor, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / factor:+09.4f} {prefix}{sign}"


def _element(reading: Reading, name: str, buffer: Buffer, style: FormatSettings) -> str:
    when = stamp(reading.seconds)
    if name in ("READ", "SOUR"):
        return shown(reading.value if name == "READ" else reading.source, style)
    if name == "REL":
        return f"{reading.seconds - buffer.first_seconds:.6f}"
    texts = {
        "DATE": when.strftime("%m/%d/%Y"),
        "TIME": when.strftime("%H:%M:%S"),
        "TST": when.strftime("%m/%d/%Y %H:%M:%S.%f"),
        "SEC": str(int((when - datetime.datetime(1970, 1, 1)).total_seconds())),
        "FRAC": f"{when.microsecond * 1e-6:.6f}",
        "FORM": _engineering(reading.value, _SIGNS[reading.unit]),
        "SOURFORM": _engineering(reading.source, _SIGNS[reading.source_unit]),
        "UNIT": _UNITS[reading.unit],
        "SOURUNIT": _UNITS[reading.source_unit],
        "STAT": str(reading.status),
        "SOURSTAT": str(reading.source_status),
        "EXTR": shown(0.0, style),
    }
    return texts[name]


def formatted(readings: Sequence[Reading], elements: Sequence[str], buffer: Buffer, style: FormatSettings) -> Reply:
    """Elements of readings as the FORMat subsystem says: ASCII, or numbers after `#0`.

    Raises ScpiError 1133 for an element that has no binary form.
    """
    if style.data == "ASC":
        return ",".join([_element(reading, name, buffer, style) for reading in readings for name in elements])
    if any(name not in _IN_BINARY for name in elements):
        raise ScpiError(1133, "Parameter 4, Syntax error, expected valid name parameters")
    numbers: list[float] = []
    for reading in readings:
        values = {
            "READ": reading.value,
            "SOUR": reading.source,
            "REL": reading.seconds - buffer.first_seconds,
            "EXTR": 0.0,
        }
        numbers += [values[name] for name in elements]
    order = ">" if style.border == "NORM" else "<"
    return b"#0" + struct.pack(f"{order}{len(numbers)}{'d' if style.data == 'REAL' else 'f'}", *numbers)
