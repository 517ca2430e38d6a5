"""Random SCPI messages: every header of an instrument's tree in all its spellings, with arguments that mostly fit."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from typing import Any

from mtjlab.sim_instruments.scpi import Command
from mtjlab.sim_instruments.scpi_parameters import Block, ChannelList, Number, Parameter, Switch, Text

NUMBERS = (
    "0", "1", "-1", "0.1", "1e-3", "1E-9", "2", "3", "5", "10", "50", "100", "1e38", "-1e38", "9.9e37",
    "9.9e99", "1e999",
    "nan", "inf", "-INF", "#H1F", "#B2", "#q17", "1mV", "5 KOHM", "2 MHZ", "10 us", "1.5E", "+.5", "--3",
    "3,4", "MIN", "MAX",
    "DEF", "UP", "DOWN", "INF", "NAN", "999999999999999999999", "-0", "1 2", "1e40000", ".",
)  # fmt: skip
WORDS = (
    "ON", "OFF", "VOLT", "CURR", "FIX", "LIST", "SWE", "BUS", "IMM", "EXT", "TIM", "INT", "NONE", "ALL", "XYZZY", "ASC",
    "REAL,32", "REAL,64", "'VOLT','CURR'", '"CURR:DC"', '"abc', "'", '"DC,SINE"', "'a''b'", '"x;y"',
    '"defbuffer1"', "''",
    "", "CH1", "A", "V1", "MEM1", "NORM", "SIN", "PULS",
)  # fmt: skip
BLOCKS = ("#15hello", "#0abc", "#9", "#3999x", "#10", "#14\n;,:", "#216" + "\0\1" * 8, "#264" + "\n\x0b" * 32)
CHANNELS = (
    "(@101)", "(@101:115)", "(@1!1!1)", "(@1!1!1:1!1!9)", "(@", "(@1:9999)", "(@101,101)", "(@1)", "(@2,1)",
    "(@1,2)", "(@)",
    "(@00101)", "(@00101,00214)", "(@10101:10112)", "(@1101)", "(@1101:1132)", "(@1101,1832,1921)", "(@1!2!3,2!4!10)",
    "(@ALL)", "(@101:102:103)", "(@-1)", "(@M1)",
)  # fmt: skip
_NODE = re.compile(r"(\[)?:([A-Za-z0-9_|]+)(\[\d+\]|<\w+>)?(\])?")
_COMMON = ("*CLS", "*RST", "*OPC", "*OPC?", "*WAI", "*TRG", "*STB?", "*ESR?", "*IDN?", "*ESE 255", "*SRE 255")


def header(command: Command, rng: random.Random) -> str:
    """One of the spellings of a command's header."""
    if command.pattern.startswith("*"):
        return command.pattern
    nodes = []
    for optional, names, suffix, _ in _NODE.findall(command.pattern):
        if optional and rng.random() < 0.5:
            continue
        name = rng.choice(names.split("|"))
        name = name if rng.random() < 0.5 else re.sub(r"[a-z]", "", name)
        nodes.append(name + (_suffix(suffix, rng) if suffix else ""))
    return (":" if rng.random() < 0.8 else "") + ":".join(nodes)


def _suffix(suffix: str, rng: random.Random) -> str:
    if suffix.startswith("["):
        return "" if rng.random() < 0.7 else suffix[1:-1]
    return rng.choice(("", "1", "1", "2", "2", "3", "0", "9", "99"))


def argument(parameter: Parameter, instrument: Any, rng: random.Random) -> str:
    """Mostly what fits the parameter."""
    way = rng.random()
    words = list(getattr(parameter, "_short", ()))
    if words and way < 0.9:
        return str(rng.choice(words))
    if way > 0.95:
        return rng.choice(NUMBERS + WORDS + BLOCKS + CHANNELS)
    if isinstance(parameter, Switch):
        return rng.choice(("ON", "OFF", "1", "0", "2.6", "X"))
    if isinstance(parameter, Number):
        return _number(parameter, instrument, rng)
    if isinstance(parameter, ChannelList) or "hannel" in type(parameter).__name__:
        return rng.choice(CHANNELS)
    if isinstance(parameter, Block):
        return rng.choice(BLOCKS)
    return rng.choice(WORDS if isinstance(parameter, Text) else WORDS + NUMBERS + CHANNELS)


def _number(parameter: Number, instrument: Any, rng: random.Random) -> str:
    """A number within the limits, on them, just beyond them, or any other."""
    try:
        low, high = (parameter.special(word, instrument) for word in ("MIN", "MAX"))
    except Exception:  # limits that hold in some states only
        return rng.choice(NUMBERS)
    low, high = max(low, -1e6), min(high, 1e6)
    way = rng.random()
    if way < 0.2 or low > high:
        return rng.choice(NUMBERS)
    edge = rng.choice((low, high)) * rng.choice((1, 1.001, 0.999))
    value = edge if way < 0.4 else rng.uniform(low, high)
    if parameter.is_integer or rng.random() < 0.3:
        value = round(value)
    unit = parameter.unit if rng.random() < 0.1 else ""
    return f"{value:g}{unit}"


def scpi_maker(tree: Any, instrument: Any, rng: random.Random) -> Callable[[], bytes]:
    """Makes messages of one or a few units for an instrument that has this tree."""
    commands: Sequence[Command] = tree.commands

    def unit() -> str:
        command = rng.choice(commands)
        is_query = command.query is not None and (command.write is None or rng.random() < 0.5)
        parameters = command.asks if is_query else command.takes
        arguments = [argument(parameter, instrument, rng) for parameter in parameters]
        while parameters and parameters[-1].takes_rest and rng.random() < 0.6:
            arguments.append(argument(parameters[-1], instrument, rng))
        way = rng.random()
        if way < 0.08:
            arguments = [rng.choice(NUMBERS + WORDS + BLOCKS + CHANNELS) for _ in range(rng.randrange(4))]
        elif way < 0.12 and arguments:
            arguments.pop()
        return f"{header(command, rng)}{'?' if is_query else ''} {rng.choice((',', ' , ')).join(arguments)}".strip()

    def make() -> bytes:
        units = [
            rng.choice(_COMMON) if rng.random() < 0.05 else unit()
            for _ in range(rng.choices((1, 2, 5, 20), (80, 14, 5, 1))[0])
        ]
        return rng.choice((";", ";", "; ", ";;")).join(units).encode("latin-1", "replace")

    return make
