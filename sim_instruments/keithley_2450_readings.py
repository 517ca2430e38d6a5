"""READ, MEASure, FETCh and TRACe commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .keithley_2450_buffer import LARGEST_CAPACITY, SMALLEST_CAPACITY, BufferName, formatted, shown
from .keithley_2450_settings import ignore
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Choices, Number, Parameter, Switch, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_ELEMENTS = Choices(
    "DATE", "FORMatted", "FRACtional", "READing", "RELative", "SEConds", "SOURce", "SOURFORMatted", "SOURSTATus",
    "SOURUNIT", "STATus", "TIME", "TSTamp", "UNIT", "EXTRa",
    is_optional=True,
)  # fmt: skip
_BUFFER = BufferName()
_MOST_ELEMENTS = 14


def _elements(names: Sequence[str] | None) -> Sequence[str]:
    if names is not None and len(names) > _MOST_ELEMENTS:
        raise ScpiError(-223)
    return names or ("READ",)


def _read(i: SimKeithley2450, name: str | None, names: Sequence[str] | None) -> Reply:
    buffer = i.buffers.named(name)
    i.take_readings(buffer.name, int(i.settings.count))
    return formatted(buffer.latest(), _elements(names), buffer, i.settings.format)


def _measure(i: SimKeithley2450, function: str, name: str | None, names: Sequence[str] | None) -> Reply:
    i.buffers.named(name)
    i.select_sense(function)
    return _read(i, name, names)


def _fetch(i: SimKeithley2450, name: str | None, names: Sequence[str] | None) -> Reply:
    buffer = i.buffers.named(name)
    return formatted(buffer.latest(), _elements(names), buffer, i.settings.format)


_MEASURED = (("VOLTage[:DC]", "VOLT"), ("CURRent[:DC]", "CURR"), ("RESistance", "RES"))
_READINGS = (
    Command(":READ", query=_read, asks=(_BUFFER, _ELEMENTS)),
    Command(":MEASure", query=_read, asks=(_BUFFER, _ELEMENTS)),
    Command(":FETCh", query=_fetch, asks=(_BUFFER, _ELEMENTS)),
    *(
        Command(
            f":MEASure:{node}",
            query=lambda i, name, names, function=function: _measure(i, function, name, names),
            asks=(_BUFFER, _ELEMENTS),
        )
        for node, function in _MEASURED
    ),
)

_INDEX = Number("", 1, LARGEST_CAPACITY, is_integer=True)
_CAPACITY = Number("", SMALLEST_CAPACITY, LARGEST_CAPACITY, 100_000, is_integer=True)


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
    return formatted(buffer.part(int(begin), int(end)), _elements(names), buffer, i.settings.format)


def _resize(i: SimKeithley2450, capacity: float, name: str | None) -> None:
    buffer = i.buffers.named(name)
    buffer.capacity = int(capacity)
    buffer.readings.clear()


def _statistic(name: str) -> Callable[..., str]:
    return lambda i, buffer: shown(i.buffers.named(buffer).statistic(name), i.settings.format)


def _span(i: SimKeithley2450, name: str | None) -> str:
    return f"{len(i.buffers.named(name).readings)}"


_TRACE = (
    Command(":TRACe:MAKE", write=lambda i, *a: i.buffers.make(*a), takes=(Text(), _CAPACITY, _Style())),
    Command(":TRACe:DELete", write=lambda i, name: i.buffers.delete(name), takes=(Text(),)),
    Command(":TRACe:CLEar", write=lambda i, name: i.clear_buffer(name or "defbuffer1"), takes=(_BUFFER,)),
    Command(":TRACe:DATA", query=_data, asks=(_INDEX, _INDEX, _BUFFER, _ELEMENTS)),
    Command(":TRACe:ACTual", query=lambda i, name: str(len(i.buffers.named(name).readings)), asks=(_BUFFER,)),
    Command(
        ":TRACe:ACTual:STARt", query=lambda i, name: str(int(bool(i.buffers.named(name).readings))), asks=(_BUFFER,)
    ),
    Command(":TRACe:ACTual:END", query=_span, asks=(_BUFFER,)),
    Command(
        ":TRACe:POINts",
        write=_resize,
        query=lambda i, name: str(i.buffers.named(name).capacity),
        takes=(_CAPACITY, _BUFFER),
        asks=(_BUFFER,),
    ),
    Command(
        ":TRACe:FILL:MODE",
        write=lambda i, mode, name: setattr(i.buffers.named(name), "fill_mode", mode),
        query=lambda i, name: i.buffers.named(name).fill_mode,
        takes=(Choice("CONTinuous", "ONCE"), _BUFFER),
        asks=(_BUFFER,),
    ),
    Command(
        ":TRACe:TRIGger",
        write=lambda i, name: i.take_readings(i.buffers.named(name).name, int(i.settings.count)),
        takes=(_BUFFER,),
    ),
    Command(":TRACe:LOG:STATe", write=ignore, query=lambda i, *_: "0", takes=(Switch(), _BUFFER), asks=(_BUFFER,)),
    Command(":TRACe:STATistics:CLEar", write=ignore, takes=(_BUFFER,)),
    *(
        Command(f":TRACe:STATistics:{node}", query=_statistic(name), asks=(_BUFFER,))
        for node, name in (
            ("AVERage", "AVER"),
            ("MAXimum", "MAX"),
            ("MINimum", "MIN"),
            ("STDDev", "STDD"),
            ("PK2Pk", "PK2P"),
        )
    ),
)

READING_COMMANDS: tuple[Command, ...] = (*_READINGS, *_TRACE)
"""How readings are taken into buffers and out of them."""
