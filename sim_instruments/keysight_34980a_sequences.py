"""Sequences of a 34980A: commands stored under a name and carried out at once (34980A User's Guide, "Sequences")."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .scpi import Command, split_units, values
from .scpi_errors import ScpiError
from .scpi_parameters import Parameter, Text, short_form, spellings
from .scpi_settings import show_text

if TYPE_CHECKING:
    from .keysight_34980a import SimKeysight34980A

RUNNING = 1 << 14
_NAME = re.compile(r"[A-Za-z]\w{0,29}\Z", re.ASCII)
_MOST_SEQUENCES, _LONGEST_BYTES, _DEEPEST = 500, 1024, 4
_ALLOWED = (
    "ABORt",
    "DISPlay:TEXT",
    "ROUTe:CLOSe",
    "ROUTe:CLOSe:EXCLusive",
    "ROUTe:MODule:WAIT",
    "ROUTe:OPEN",
    "ROUTe:OPEN:ABUS",
    "ROUTe:OPEN:ALL",
    "ROUTe:SEQuence:TRIGger",
    "ROUTe:SEQuence:TRIGger:IMMediate",
    "SYSTem:BEEPer",
    "SYSTem:DELay",
    "SYSTem:DELay:IMMediate",
)
"""What a sequence may hold, as far as switch modules are concerned (Programmer's Reference, ROUTe:SEQuence:DEFine)."""
NOT_STORED = 601, "Sequence: name not found"
TOO_DEEP = 602, "Sequence: nesting too deep"
NOT_ALLOWED = 603, "Sequence: command not allowed"
"""Numbers and texts assumed."""


def _canonical(header: str) -> str:
    """A header in short form and upper case; raises ScpiError if a sequence may not hold it."""
    given = header.upper().lstrip(":").split(":")
    for allowed in _ALLOWED:
        nodes = allowed.split(":")
        if len(nodes) == len(given) and all(word in spellings(node) for word, node in zip(given, nodes, strict=True)):
            return ":" + ":".join(short_form(node) for node in nodes)
    raise ScpiError(*NOT_ALLOWED)


class Sequences:
    """The sequences of one mainframe, which *RST leaves alone."""

    def __init__(self, unit: SimKeysight34980A) -> None:
        self._unit = unit
        self._stored: dict[str, list[tuple[str, list[str]]]] = {}
        self._depth = 0

    @property
    def names(self) -> list[str]:
        """All, in alphabetical order."""
        return sorted(self._stored)

    def define(self, name: str, commands: str) -> None:
        """Store a sequence; raises ScpiError, and stores nothing, if something in it is not allowed."""
        if len(commands) > _LONGEST_BYTES or (name not in self._stored and len(self._stored) >= _MOST_SEQUENCES):
            raise ScpiError(-223)
        self._stored[name] = [(_canonical(header), arguments) for header, arguments in split_units(commands)]

    def text(self, name: str) -> str:
        """A sequence's commands; raises ScpiError 601."""
        return ";".join(f"{header} {','.join(arguments)}".rstrip() for header, arguments in self._of(name))

    def delete(self, name: str) -> None:
        """Forget a sequence; raises ScpiError 601."""
        self._of(name)
        del self._stored[name]

    def clear(self) -> None:
        """Forget all."""
        self._stored.clear()

    def run(self, name: str) -> None:
        """Carry out a sequence; raises ScpiError where it breaks off."""
        units = self._of(name)
        if self._depth >= _DEEPEST:
            raise ScpiError(*TOO_DEEP)
        operation = self._unit.status.groups["operation"]
        operation.set_condition(operation.condition | RUNNING)
        self._depth += 1
        try:
            for header, arguments in units:
                call = self._unit.tree.resolve("", header)
                call.run(self._unit, *call.numbers, *values(call, arguments, self._unit))
        finally:
            self._depth -= 1
            if not self._depth:
                operation.set_condition(operation.condition & ~RUNNING)

    def _of(self, name: str) -> list[tuple[str, list[str]]]:
        if name not in self._stored:
            raise ScpiError(*NOT_STORED)
        return self._stored[name]


class _Name(Parameter):
    """A sequence's name, quoted or not; parses to upper case."""

    def parse(self, token: str, instrument: Any) -> str:
        """The name."""
        name = Text().parse(token, instrument) if token[:1] in "'\"" else token
        if not _NAME.match(name):
            raise ScpiError(-224)
        return name.upper()


class _NameOrAll(_Name):
    """A name, or ALL."""


def _delete(i: SimKeysight34980A, name: str) -> None:
    if name == "ALL":
        i.sequences.clear()
    else:
        i.sequences.delete(name)


SEQUENCE_COMMANDS: tuple[Command, ...] = (
    Command(
        "[:ROUTe]:SEQuence:DEFine",
        write=lambda i, name, commands: i.sequences.define(name, commands),
        query=lambda i, name: show_text(i.sequences.text(name)),
        takes=(_Name(), Text()),
        asks=(_Name(),),
    ),
    Command("[:ROUTe]:SEQuence:CATalog", query=lambda i: show_text(",".join(i.sequences.names))),
    Command("[:ROUTe]:SEQuence:TRIGger[:IMMediate]", write=lambda i, name: i.sequences.run(name), takes=(_Name(),)),
    Command("[:ROUTe]:SEQuence:DELete[:NAME]", write=_delete, takes=(_NameOrAll(),)),
    Command("[:ROUTe]:SEQuence:DELete:ALL", write=lambda i: i.sequences.clear()),
    Command("[:ROUTe]:SEQuence:BUSY", query=lambda i: "0"),  # a sequence is over before the next message begins
    Command("[:ROUTe]:SEQuence:WAIT", write=lambda i: None),
    Command("[:ROUTe]:SEQuence:ABORt", write=lambda i: None),
)
"""ROUTe:SEQuence; form of the catalogue assumed."""
