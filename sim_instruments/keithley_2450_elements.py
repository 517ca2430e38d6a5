"""How readings of a 2450 are told: the elements of a reading buffer, in ASCII and in binary, and as a file."""

from __future__ import annotations

import datetime
import struct
from collections.abc import Callable, Sequence

from .keithley_2450_buffer import OVERFLOW, Buffer, Reading, stamp
from .keithley_2450_settings import FormatSettings
from .scpi import Reply
from .scpi_errors import ScpiError

UNITS = {
    "VOLT": "Volt DC", "AMP": "Amp DC", "OHM": "Ohm", "WATT": "Watt DC", "VOLT_AC": "Volt AC", "AMP_AC": "Amp AC",
    "CEL": "Celsius", "DEC": "Decibel", "FAHR": "Fahrenheit", "FAR": "Farad", "HERT": "Hertz", "KELV": "Kelvin",
    "NONE": "None", "PERC": "%", "RAT": "Ratio", "REC": "Reciprocal", "SEC": "Second", "X": "x",
}  # fmt: skip
"""What the UNIT element says; others than volts, amperes, ohms and watts assumed."""
_SIGNS = {"VOLT": "V", "AMP": "A", "OHM": "Ohm", "WATT": "W", "PERC": "%"}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, " "), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))
_EPOCH = datetime.datetime(1970, 1, 1)
_Tell = Callable[[Reading, Buffer, FormatSettings], str]


def shown(value: float, style: FormatSettings) -> str:
    """A reading in ASCII."""
    digits = int(style.precision) or 7
    return f"{value:.{digits - 1}E}"


def epoch_seconds(seconds: float) -> float:
    """Time of the instrument's clock in seconds since 1970."""
    return (stamp(seconds) - _EPOCH).total_seconds()


def _fraction(seconds: float) -> str:
    return f"{seconds % 1:.9f}"


def _clock(seconds: float) -> str:
    return f"{stamp(seconds).strftime('%H:%M:%S')}.{_fraction(seconds)[2:]}"


def _engineering(value: float, unit: str) -> str:
    if abs(value) >= OVERFLOW:
        return "Overflow"
    factor, prefix = next((pair for pair in _PREFIXES if abs(value) >= pair[0]), _PREFIXES[-1])
    return f"{value / factor:+09.4f} {prefix}{_SIGNS.get(unit, UNITS[unit])}"


_TOLD: dict[str, _Tell] = {
    "READ": lambda r, b, s: shown(r.value, s),
    "SOUR": lambda r, b, s: shown(r.source, s),
    "EXTR": lambda r, b, s: shown(r.extra, s),
    "REL": lambda r, b, s: f"{r.seconds - b.first_seconds:.6f}",
    "DATE": lambda r, b, s: stamp(r.seconds).strftime("%m/%d/%Y"),
    "TIME": lambda r, b, s: stamp(r.seconds).strftime("%H:%M:%S"),
    "TST": lambda r, b, s: f"{stamp(r.seconds).strftime('%m/%d/%Y')} {_clock(r.seconds)}",
    "SEC": lambda r, b, s: str(int(epoch_seconds(r.seconds))),
    "FRAC": lambda r, b, s: _fraction(r.seconds),
    "FORM": lambda r, b, s: _engineering(r.value, r.unit),
    "SOURFORM": lambda r, b, s: _engineering(r.source, r.source_unit),
    "UNIT": lambda r, b, s: UNITS[r.unit],
    "SOURUNIT": lambda r, b, s: UNITS[r.source_unit],
    "STAT": lambda r, b, s: str(r.status),
    "SOURSTAT": lambda r, b, s: str(r.source_status),
}  # fmt: skip
_NUMBERS: dict[str, Callable[[Reading, Buffer], float]] = {
    "READ": lambda r, b: r.value,
    "SOUR": lambda r, b: r.source,
    "REL": lambda r, b: r.seconds - b.first_seconds,
    "EXTR": lambda r, b: r.extra,
}


def formatted(readings: Sequence[Reading], elements: Sequence[str], buffer: Buffer, style: FormatSettings) -> Reply:
    """Elements of readings as the FORMat subsystem says: ASCII, or numbers after `#0`.

    Raises ScpiError 1133 for an element that has no binary form.
    """
    if style.data == "ASC":
        tell = [_TOLD[name] for name in elements]
        return ",".join([say(reading, buffer, style) for reading in readings for say in tell])
    if any(name not in _NUMBERS for name in elements):
        raise ScpiError(1133, "Parameter 4, Syntax error, expected valid name parameters")
    take = [_NUMBERS[name] for name in elements]
    numbers = [get(reading, buffer) for reading in readings for get in take]
    order = ">" if style.border == "NORM" else "<"
    return b"#0" + struct.pack(f"{order}{len(numbers)}{'d' if style.data == 'REAL' else 'f'}", *numbers)


_TIME_COLUMNS = {
    "FORM": ("DATE", "TIME", "FRAC"),
    "REL": ("REL",),
    "RAW": ("SEC", "FRAC"),
    "STAM": ("TST",),
}
_HEADINGS = {
    "DATE": "Date", "TIME": "Time", "FRAC": "Fractional Seconds", "REL": "Relative Time", "SEC": "Seconds",
    "TST": "Timestamp",
}  # fmt: skip


def csv_text(readings: Sequence[Reading], buffer: Buffer, times: str) -> str:
    """What TRACe:SAVE writes into a file; the columns that a front panel adds are left out.

    Args:
        times: FORM, REL, RAW or STAM.
    """
    style = FormatSettings()
    columns = ("READ", "UNIT", "SOUR", "SOURUNIT", *_TIME_COLUMNS[times])
    heads = ["Index", "Reading", "Unit", "Value", "Unit", *(_HEADINGS[name] for name in _TIME_COLUMNS[times])]
    lines = [",".join(heads)]
    for index, reading in enumerate(readings, start=1):
        lines.append(",".join([str(index), *(_TOLD[name](reading, buffer, style) for name in columns)]))
    return "\n".join(lines) + "\n"
