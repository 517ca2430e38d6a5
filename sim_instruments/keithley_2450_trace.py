"""TRACe commands of a 2450: reading buffers (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .keithley_2450_buffer import (
    LARGEST_COMPACT,
    OVERFLOW,
    SMALLEST_CAPACITY,
    Buffer,
    BufferName,
    Reading,
    Statistics,
)
from .keithley_2450_elements import csv_text, formatted, shown
from .keithley_2450_readings import ELEMENTS, chosen
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Numbers, Parameter, Switch, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_BUFFER = BufferName()
_INDEX = Number("", 1, LARGEST_COMPACT, is_integer=True)
_OPTIONAL_INDEX = Number("", 1, LARGEST_COMPACT, is_integer=True, is_optional=True)
_CAPACITY = Number("", SMALLEST_CAPACITY, LARGEST_COMPACT, 100_000, is_integer=True)
_TIMES = Choice("FORMat", "RELative", "RAW", "STAMp", is_optional=True)
_WRITTEN_UNITS = (
    "AMP", "AMP_AC", "CELSius", "DECibel", "FAHRenheit", "FARad", "HERTz", "KELVin", "NONE", "OHM", "PERCent",
    "RATio", "RECiprocal", "SECond", "VOLT", "VOLT_AC", "WATT", "X",
)  # fmt: skip
_DIGITS = Number("", 3, 8, 6, is_integer=True)
_OPTIONAL_DIGITS = Number("", 3, 8, 6, is_integer=True, is_optional=True)


class _Style(Parameter):
    """Style of a reading buffer; an empty one counts as left out, because drivers send it."""

    is_optional = True
    takes_rest = True

    def parse(self, token: str, instrument: Any) -> str:
        """Short form of the style."""
        names = Choice("COMPact", "STANdard", "FULL", "WRITable", "FULLWRITable")
        return names.parse(token, instrument) if token else "STAN"

    def parse_all(self, tokens: Sequence[str], instrument: Any) -> str:
        """One style."""
        if len(tokens) > 1:
            raise ScpiError(-108)
        return self.parse(tokens[0], instrument)


def _data(i: SimKeithley2450, begin: float, end: float, name: str | None, names: Sequence[str] | None) -> Reply:
    buffer = i.buffers.named(name)
    return formatted(buffer.part(int(begin), int(end)), chosen(names), buffer, i.settings.format)


def _resize(i: SimKeithley2450, capacity: float, name: str | None) -> None:
    buffer = i.buffers.named(name)
    i.buffers.check_room(buffer, capacity)
    buffer.capacity = int(capacity)
    buffer.clear()


def _set_fill_mode(i: SimKeithley2450, mode: str, name: str | None) -> None:
    buffer = i.buffers.named(name)
    if mode != buffer.fill_mode:
        buffer.fill_mode = mode
        buffer.clear()


def _save(
    i: SimKeithley2450,
    path: str,
    name: str | None,
    times: str | None,
    begin: float | None,
    end: float | None,
    *,
    appends: bool,
) -> None:
    buffer = i.buffers.named(name)
    size = len(buffer.readings)
    part = buffer.part(int(begin or 1), int(end or size)) if size else []
    i.drive.save(path, csv_text(part, buffer, times or "FORM"), appends=appends)


def _write_format(
    i: SimKeithley2450, name: str, unit: str, digits: float, extra: str | None, extra_digits: float | None
) -> None:
    buffer = _writable(i, name)
    buffer.unit, buffer.digits = unit, int(digits)
    buffer.extra_unit, buffer.extra_digits = extra or unit, int(extra_digits or digits)


def _writable(i: SimKeithley2450, name: str) -> Buffer:
    buffer = i.buffers.named(name)
    if not buffer.is_writable:
        raise ScpiError(-221, f"Settings conflict, reading buffer {buffer.name} is not writable")
    return buffer


def _write_reading(i: SimKeithley2450, name: str, numbers: list[float]) -> None:
    buffer = _writable(i, name)
    rest = list(numbers[1:])
    extra = rest.pop(0) if buffer.style == "FULLWRIT" and rest else 0.0
    whole, fraction, status = (*rest, *[None] * 3)[:3]
    if len(rest) > 3:
        raise ScpiError(-108)
    before = buffer.readings[-1].seconds if buffer.readings else -1.0
    seconds = before + 1 if whole is None else whole + (fraction or 0.0)
    if seconds < before:
        raise ScpiError(-221, "Settings conflict, readings must be written in the order of their time")
    buffer.add(Reading(numbers[0], buffer.unit, 0.0, "NONE", seconds, int(status or 0), 0, extra, buffer.extra_unit))


def _clear_statistics(i: SimKeithley2450, name: str | None) -> None:
    i.buffers.named(name).statistics = Statistics()


def _statistics() -> tuple[Command, ...]:
    names = (("AVERage", "AVER"), ("MAXimum", "MAX"), ("MINimum", "MIN"), ("STDDev", "STDD"), ("PK2Pk", "PK2P"))
    return tuple(
        Command(
            f":TRACe:STATistics:{node}",
            query=lambda i, buffer, name=name: shown(
                min(i.buffers.named(buffer).statistics.told(name), OVERFLOW), i.settings.format
            ),
            asks=(_BUFFER,),
        )
        for node, name in names
    )


_CONTENT = (
    Command(":TRACe:DATA", query=_data, asks=(_INDEX, _INDEX, _BUFFER, ELEMENTS)),
    Command(":TRACe:ACTual", query=lambda i, name: str(len(i.buffers.named(name).readings)), asks=(_BUFFER,)),
    Command(
        ":TRACe:ACTual:STARt", query=lambda i, name: str(int(bool(i.buffers.named(name).readings))), asks=(_BUFFER,)
    ),
    Command(":TRACe:ACTual:END", query=lambda i, name: str(len(i.buffers.named(name).readings)), asks=(_BUFFER,)),
    Command(":TRACe:CLEar", write=lambda i, name: i.clear_buffer(name or "defbuffer1"), takes=(_BUFFER,)),
    Command(":TRACe:STATistics:CLEar", write=_clear_statistics, takes=(_BUFFER,)),
    *_statistics(),
)

_FILES = tuple(
    Command(
        pattern,
        write=lambda i, *a, appends=appends: _save(i, *a, appends=appends),
        takes=(Text(), _BUFFER, _TIMES, _OPTIONAL_INDEX, _OPTIONAL_INDEX),
    )
    for pattern, appends in ((":TRACe:SAVE", False), (":TRACe:SAVE:APPend", True))
)

TRACE_COMMANDS: tuple[Command, ...] = (
    *_CONTENT,
    *_FILES,
    Command(":TRACe:MAKE", write=lambda i, *a: i.buffers.make(*a), takes=(Text(), _CAPACITY, _Style())),
    Command(":TRACe:DELete", write=lambda i, name: i.buffers.delete(name), takes=(Text(),)),
    Command(
        ":TRACe:POINts",
        write=_resize,
        query=lambda i, name: str(i.buffers.named(name).capacity),
        takes=(_CAPACITY, _BUFFER),
        asks=(_BUFFER,),
    ),
    Command(
        ":TRACe:FILL:MODE",
        write=_set_fill_mode,
        query=lambda i, name: i.buffers.named(name).fill_mode,
        takes=(Choice("CONTinuous", "ONCE"), _BUFFER),
        asks=(_BUFFER,),
    ),
    Command(":TRACe:TRIGger", write=lambda i, name: i.take_readings(name), takes=(_BUFFER,)),
    Command(
        ":TRACe:LOG:STATe",
        write=lambda i, is_on, name: setattr(i.buffers.named(name), "is_logged", is_on),
        query=lambda i, name: str(int(i.buffers.named(name).is_logged)),
        takes=(Switch(), _BUFFER),
        asks=(_BUFFER,),
    ),
    Command(
        ":TRACe:WRITe:FORMat",
        write=_write_format,
        takes=(Text(), Choice(*_WRITTEN_UNITS), _DIGITS, Choice(*_WRITTEN_UNITS, is_optional=True), _OPTIONAL_DIGITS),
    ),
    Command(":TRACe:WRITe:READing", write=_write_reading, takes=(Text(), Numbers(at_most=5))),
)
"""How reading buffers are made, filled and read."""
