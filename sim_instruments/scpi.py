"""SCPI's grammar: a tree of commands compiled from patterns, and program messages taken apart and carried out.

`CommandTree([Command(":SOURce[1]:DELay", write=..., query=..., takes=(Number("S"),))])` accepts every long, short,
upper- or lower-case spelling, optional nodes and suffixes left out or given, compound messages whose later headers
inherit the path, and common commands in between. Grammar of SCPI-99 volume 1, chapter 6. A header is looked up in the
tree once; after that its spelling is a dictionary key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from .scpi_errors import ScpiError
from .scpi_parameters import Parameter, spellings

Reply = str | bytes
_NODE = re.compile(r"(\[)?:([A-Za-z0-9_|]+)(\[\d+\]|<\w+>)?(\])?")
_MOST_CACHED = 5000
_LONGEST_MNEMONIC = 12
_MOST_DIGITS = 255
"""Of any number (IEEE 488.2, 7.7.2.4.1)."""
_TOO_MANY = re.compile(r"[0-9]{256}")
_HEADER_SIGNS = re.compile(r"(?::?\*|:)?[A-Za-z][A-Za-z0-9_]*(?::[A-Za-z][A-Za-z0-9_]*)*\??\Z")


@dataclass(frozen=True)
class Command:
    """One node of the tree that does something.

    Attributes:
        pattern: `:SOURce[1]:VOLTage[:LEVel]`; `[...]` may be left out, `<n>` is a number handed to the handler,
            `TRACe|DATA` are alternatives. Common commands are written `*RST`.
        write: called with the instrument, suffix numbers and parameters; None if there is no such command.
        query: called likewise, returns the reply, or None if the reply comes later; None if there is no such query.
        takes: parameters of the command.
        asks: parameters of the query.
        is_indefinite: whether the reply has no end that a reader could recognise, as *IDN? (IEEE 488.2, 8.7.11).
    """

    pattern: str
    write: Callable[..., None] | None = None
    query: Callable[..., Reply | None] | None = None
    takes: tuple[Parameter, ...] = ()
    asks: tuple[Parameter, ...] = ()
    is_indefinite: bool = False


@dataclass
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    numbered: dict[str, _Node] = field(default_factory=dict)
    command: Command | None = None


class Call(NamedTuple):
    """A header resolved: what it calls, with which suffix numbers and parameters, and the path it leaves behind."""

    run: Callable[..., Any]
    parameters: tuple[Parameter, ...]
    numbers: tuple[int, ...]
    path: str
    is_query: bool
    is_indefinite: bool


class CommandTree:
    """All commands of an instrument.

    Attributes:
        commands: them, in the order given.
    """

    def __init__(self, commands: Iterable[Command]) -> None:
        self._root = _Node()
        self._common: dict[str, Command] = {}
        self._calls: dict[tuple[str, str], Call] = {}
        self.commands = tuple(commands)
        for command in self.commands:
            if command.pattern.startswith("*"):
                self._common[command.pattern] = command
            else:
                self._plant(command)

    def _plant(self, command: Command) -> None:
        places = [self._root]
        for node in _nodes(command.pattern):
            reached = [child for place in places for child in node.grow(place)]
            places = places + reached if node.is_optional else reached
        for place in places:
            if place is not self._root:
                place.command = command

    def resolve(self, path: str, header: str) -> Call:
        """The call behind a header as it was sent, after `path`; raises ScpiError (-113 and its kin)."""
        call = self._calls.get((path, header))
        if call is None:
            call = self._look_up(path, header)
            if len(self._calls) >= _MOST_CACHED:
                self._calls.clear()
            self._calls[(path, header)] = call
        return call

    def _look_up(self, path: str, header: str) -> Call:
        if not _HEADER_SIGNS.match(header):
            is_signs = header.isascii() and header.isprintable()
            raise ScpiError((-103 if "," in header else -102) if is_signs else -101)
        is_query = header.endswith("?")
        name = header.rstrip("?").upper().replace(":*", "*")  # not in the standard, but drivers send it and get away
        if name.startswith("*"):
            command = self._common.get(name)
            return _call(command, is_query, (), path)
        if any(len(part) > _LONGEST_MNEMONIC for part in name.strip(":").split(":")):
            raise ScpiError(-112)
        whole = name[1:] if name.startswith(":") else f"{path}:{name}" if path else name
        command, numbers = self._walk(whole.split(":"))
        return _call(command, is_query, numbers, whole.rpartition(":")[0])

    def _walk(self, mnemonics: Sequence[str]) -> tuple[Command | None, tuple[int, ...]]:
        reached: list[tuple[_Node, tuple[int, ...]]] = [(self._root, ())]
        for mnemonic in mnemonics:
            stem = mnemonic.rstrip("0123456789")
            onward = [step for place, numbers in reached for step in _onward(place, mnemonic, stem, numbers)]
            if not onward:
                is_suffix_wrong = stem != mnemonic and any(stem in place.children for place, _ in reached)
                raise ScpiError(-114 if is_suffix_wrong else -113)
            reached = onward
        return next(((place.command, numbers) for place, numbers in reached if place.command), (None, ()))


def _onward(
    place: _Node, mnemonic: str, stem: str, numbers: tuple[int, ...]
) -> Iterable[tuple[_Node, tuple[int, ...]]]:
    """Where a mnemonic leads: to the node of exactly this name, and to one that takes a number."""
    if mnemonic in place.children:
        yield place.children[mnemonic], numbers
    if stem in place.numbered:
        yield place.numbered[stem], (*numbers, int(mnemonic[len(stem) :] or 1))


def _call(command: Command | None, is_query: bool, numbers: tuple[int, ...], path: str) -> Call:
    run = None if command is None else command.query if is_query else command.write
    if command is None or run is None:
        raise ScpiError(-113)
    parameters = command.asks if is_query else command.takes
    return Call(run, parameters, numbers, path, is_query, is_query and command.is_indefinite)


class _PatternNode(NamedTuple):
    names: tuple[str, ...]
    is_optional: bool
    fixed: str
    is_numbered: bool

    def grow(self, place: _Node) -> list[_Node]:
        """The one child of `place` for this node, under all its spellings."""
        table = place.numbered if self.is_numbered else place.children
        keys = [spelling for name in self.names for spelling in spellings(name)]
        keys += [key + self.fixed for key in keys] if self.fixed else []
        child = next((table[key] for key in keys if key in table), None) or _Node()
        for key in keys:
            table[key] = child
        return [child]


def _nodes(pattern: str) -> list[_PatternNode]:
    found = list(_NODE.finditer(pattern))
    if "".join(match[0] for match in found) != pattern:
        raise ValueError(f"'{pattern}' is no command pattern")
    nodes = []
    for match in found:
        opened, names, suffix, _ = match.groups()
        fixed = suffix.strip("[]") if suffix and suffix.startswith("[") else ""
        is_numbered = bool(suffix) and not fixed
        nodes.append(_PatternNode(tuple(names.split("|")), opened is not None, fixed, is_numbered))
    return nodes


def split_outside(text: str, separator: str) -> list[str]:
    """Split at a separator that is not inside quotes, parentheses or a block."""
    if not any(sign in text for sign in "\"'#("):
        return text.split(separator)
    parts, begin, position, end = [], 0, 0, len(text)
    while position < end:
        sign = text[position]
        if sign == separator:
            parts.append(text[begin:position])
            begin = position + 1
        position = _skip(text, position)
    parts.append(text[begin:])
    return parts


def _skip(text: str, position: int) -> int:
    """Position after the quoted string, parenthesis or block that begins here, or after one character."""
    sign = text[position]
    if sign in "\"'":
        closing = text.find(sign, position + 1)
    elif sign == "(":
        closing = text.find(")", position + 1)
    elif sign == "#" and text[position + 1 : position + 2].isdecimal():
        return _after_block(text, position)
    else:
        return position + 1
    return len(text) if closing < 0 else closing + 1


def _after_block(text: str, position: int) -> int:
    digits = int(text[position + 1])
    length = text[position + 2 : position + 2 + digits]
    if digits == 0 or len(length) < digits or not length.isdecimal():
        return len(text)
    return position + 2 + digits + int(length)


def split_units(message: str) -> list[tuple[str, list[str]]]:
    """The message's units as (header, arguments); empty units are dropped."""
    units = []
    for unit in split_outside(message, ";"):
        parts = unit.split(None, 1)
        if parts:
            arguments = [_trimmed(part) for part in split_outside(parts[1], ",")] if len(parts) > 1 else []
            units.append((parts[0], arguments))
    return units


def _trimmed(argument: str) -> str:
    """Without the white space around it; what ends a block is data."""
    if "#" not in argument:
        return argument.strip()
    text = argument.lstrip()
    end = _after_block(text, 0) if text[:1] == "#" and text[1:2].isdecimal() else 0
    return text[:end] + text[end:].rstrip()


def values(call: Call, arguments: Sequence[str], instrument: Any) -> list[Any]:
    """The parameters' values; raises ScpiError if there are too few, too many or wrong ones."""
    found: list[Any] = []
    if not arguments and not call.parameters:
        return found
    rest = list(arguments)
    if any(len(token) > _MOST_DIGITS and token[0] not in "#'\"" and _TOO_MANY.search(token) for token in rest):
        raise ScpiError(-124)
    for parameter in call.parameters:
        if rest and parameter.takes_rest:
            found.append(parameter.parse_all(rest, instrument))
            rest = []
        elif rest:
            token = rest.pop(0)
            if not token:
                raise ScpiError(-102 if rest and not found else -109)
            found.append(parameter.parse(token, instrument))
        elif parameter.is_optional:
            found.append(None)
        else:
            raise ScpiError(-109)
    if rest:
        raise ScpiError(-108)
    return found
