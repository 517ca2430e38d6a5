"""READ, MEASure and FETCh commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .keithley_2450_buffer import BufferName
from .keithley_2450_elements import formatted
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Choices

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

ELEMENTS = Choices(
    "DATE", "FORMatted", "FRACtional", "READing", "RELative", "SEConds", "SOURce", "SOURFORMatted", "SOURSTATus",
    "SOURUNIT", "STATus", "TIME", "TSTamp", "UNIT", "EXTRa",
    is_optional=True,
)  # fmt: skip
"""Elements of a reading."""
_BUFFER = BufferName()
_MOST_ELEMENTS = 14


def chosen(names: Sequence[str] | None) -> Sequence[str]:
    """The elements that are asked for; the reading alone if none are named. Raises ScpiError -223 for too many."""
    if names is not None and len(names) > _MOST_ELEMENTS:
        raise ScpiError(-223)
    return names or ("READ",)


def _read(i: SimKeithley2450, name: str | None, names: Sequence[str] | None) -> Reply:
    elements = chosen(names)
    i.take_readings(name)
    buffer = i.buffers.named(name)
    return formatted(buffer.latest(), elements, buffer, i.settings.format)


def _measure(i: SimKeithley2450, function: str, name: str | None, names: Sequence[str] | None) -> Reply:
    i.buffers.measured(name)
    i.select_sense(function)
    return _read(i, name, names)


def _fetch(i: SimKeithley2450, name: str | None, names: Sequence[str] | None) -> Reply:
    buffer = i.buffers.named(name)
    return formatted(buffer.latest(), chosen(names), buffer, i.settings.format)


_MEASURED = (("VOLTage[:DC]", "VOLT"), ("CURRent[:DC]", "CURR"), ("RESistance", "RES"))

READING_COMMANDS: tuple[Command, ...] = (
    Command(":READ", query=_read, asks=(_BUFFER, ELEMENTS)),
    Command(":MEASure", query=_read, asks=(_BUFFER, ELEMENTS)),
    Command(":FETCh", query=_fetch, asks=(_BUFFER, ELEMENTS)),
    *(
        Command(
            f":MEASure:{node}",
            query=lambda i, name, names, function=function: _measure(i, function, name, names),
            asks=(_BUFFER, ELEMENTS),
        )
        for node, function in _MEASURED
    ),
)
"""How readings are taken."""
