"""Random messages for the fuzz benchmark: from an instrument's own commands, mutated, and plain garbage."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence

from mtjlab.sim_instruments.scpi import Command
from mtjlab.sim_instruments.scpi_parameters import Block, ChannelList, Parameter, Switch, Text
from mtjlab.sim_instruments.wire_instrument import WireInstrument

_NUMBERS = [
    "0",
    "1",
    "-1",
    "0.1",
    "1e-3",
    "1E-9",
    "2",
    "10",
    "1e38",
    "-1e38",
    "9.9e99",
    "1e999",
    "nan",
    "inf",
    "#H1F",
    "#B2",
]
_NUMBERS += ["1mV", "5 KOHM", "1.5E", "+.5", "--3", "3,4", "MIN", "MAX", "DEF", "UP", "999999999999999999999"]
_WORDS = [
    "ON",
    "OFF",
    "VOLT",
    "CURR",
    "FIX",
    "LIST",
    "BUS",
    "IMM",
    "XYZZY",
    "ASC",
    "REAL,32",
    "'VOLT','CURR'",
    '"abc',
    "'",
]
_WORDS += [
    '"DC,SINE"',
    "(@101)",
    "(@101:115)",
    "(@1!1!1)",
    "(@",
    "(@1:9999)",
    "(@101,101)",
    "#15hello",
    "#0abc",
    "#9",
    "#3999x",
    "",
]
_LUA = [
    "print({0})", "print({0}({1}))", "{0} = {1}", "{0}({1}, {2})", "x = {0} {0} = {1}", "{0}.{1} = {2}", "{0}(",
    "for k = 1, 3 do print({0}) end", "if {0} then print({1}) end", "local t = {{{1}, {2}}} print(t[1])", "{0}()",
    "error({1})", "delay({1})", "print(string.rep('x', 100))", "return {0}", "pcall({0}, {1})",
    "print(errorqueue.next())", "setmetatable({0}, {1})",
]  # fmt: skip
_LUA_VALUES = [
    "nil",
    "0",
    "1",
    "-1",
    "1e38",
    "0/0",
    "'1A01'",
    '"allslots"',
    '"1A01:1C05"',
    '"9Z99"',
    "{}",
    "true",
    "print",
    "''",
]
_WALK = """
local function walk(t, name, depth)
    for k, v in pairs(t) do
        if type(k) == "string" then
            print(name .. k)
            local is_deep = type(v) == "table" and depth > 0 and k ~= "_G" and k ~= "node"
            if is_deep then walk(v, name .. k .. ".", depth - 1) end
        end
    end
end
walk(_G, "", 2)
"""
Make = Callable[[], bytes]


def headers(pattern: str) -> tuple[str, str]:
    """A long and a short spelling of a command pattern."""
    plain = re.sub(r"<\w+>", "1", pattern.replace("[1]", "").replace("[", "").replace("]", ""))
    plain = re.sub(r"(\w+)\|\w+", r"\1", plain)
    return plain, re.sub(r"[a-z]", "", plain)


def talk(instrument: WireInstrument, message: str) -> list[str]:
    """What an instrument answers to a message, line by line."""
    return instrument.exchange(message.encode("latin-1"), 0.0).decode("latin-1").splitlines()


def maker(instrument: WireInstrument, rng: random.Random) -> Make:
    """Makes messages for this instrument."""
    tree = getattr(instrument, "tree", None)
    if tree is not None:
        known = [(header, command) for command in tree.commands for header in headers(command.pattern)]
        return lambda: _mutated(_scpi(known, rng), rng)
    if hasattr(instrument, "engine"):
        names = [name for name in talk(instrument, _WALK.replace("\n", " ")) if name.isprintable()]
        return lambda: _mutated(_lua(names, rng), rng)
    return lambda: _garbage(rng)


def _scpi(known: Sequence[tuple[str, Command]], rng: random.Random) -> bytes:
    units = []
    for _ in range(rng.choices((1, 2, 5), (8, 2, 1))[0]):
        header, command = rng.choice(known)
        is_query = command.query is not None and (command.write is None or rng.random() < 0.5)
        arguments = [_argument(parameter, rng) for parameter in (command.asks if is_query else command.takes)]
        if rng.random() < 0.2:
            arguments = [rng.choice(_NUMBERS + _WORDS) for _ in range(rng.randrange(4))]
        units.append(f"{header}{'?' if is_query else ''} {','.join(arguments)}".strip())
    return ";".join(units).encode("latin-1")


def _argument(parameter: Parameter, rng: random.Random) -> str:
    """Mostly what fits the parameter."""
    words = list(getattr(parameter, "_short", ()))
    if words and rng.random() < 0.9:
        return rng.choice(words)
    if isinstance(parameter, Switch):
        return rng.choice(("ON", "OFF", "1", "0", "2.6", "X"))
    if isinstance(parameter, (ChannelList, Text, Block)):
        return rng.choice(_WORDS)
    return rng.choice(_NUMBERS if rng.random() < 0.9 else _WORDS)


def _lua(names: Sequence[str], rng: random.Random) -> bytes:
    values = [rng.choice((rng.choice(_LUA_VALUES), rng.choice(_NUMBERS), rng.choice(names))) for _ in range(2)]
    return rng.choice(_LUA).format(rng.choice(names), *values).encode("latin-1")


def _garbage(rng: random.Random) -> bytes:
    return rng.randbytes(rng.randrange(1, 60))


def _mutated(message: bytes, rng: random.Random) -> bytes:
    way = rng.random()
    if way < 0.55:
        return message
    place = rng.randrange(len(message) + 1)
    if way < 0.65:
        return message[:place]
    if way < 0.8:
        return message[:place] + rng.randbytes(1) + message[place + 1 :]
    if way < 0.88:
        return (
            message[:place]
            + rng.choice((b";", b":", b"?", b'"', b"#", b"(", b",", b" ", b"\n", b"*"))
            + message[place:]
        )
    if way < 0.92:
        return message.swapcase()
    if way < 0.94:
        return message * rng.randrange(2, 6)
    return _garbage(rng)
