"""TRIGger:BLOCk, TRIGger:STATe, INITiate and ABORt commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import keithley_2450_blocks as blocks
from .keithley_2450_buffer import BufferName
from .keithley_2450_bus import LINES
from .keithley_2450_objects import EVENT, EVENT_NAMES
from .keithley_2450_settings import LONGEST_DELAY_SECONDS, ignore
from .keithley_2450_trigger import MOST_BLOCKS, Block
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Choices, Number, Parameter, Switch, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_BUFFER = BufferName()
_NUMBER = Number("", 1, MOST_BLOCKS, is_integer=True)
_MEASURE_NUMBER = Number("", 0, MOST_BLOCKS, 0, is_integer=True, is_optional=True)
_PASSES = Number("", 1, 268_435_455, is_integer=True)
_SECONDS = Number("S", 0, LONGEST_DELAY_SECONDS)
_VALUE = Number()
_INDEX = Number("", 1, 300_000, 1, is_integer=True, is_optional=True)
_PATTERN = Number("", 0, 2**LINES - 1, is_integer=True)
_MASK = Number("", 0, 2**LINES - 1, 2**LINES - 1, is_integer=True, is_optional=True)
_LIMIT_TYPE = Choice("ABOVe", "BELow", "INside", "OUTside")
_LOGGED = Choice(
    "ABORt", *(name for n in range(1, 5) for name in (f"INFO{n}", f"WARNing{n}", f"ERRor{n}"))
)  # fmt: skip
_WAITED = Choices(*EVENT_NAMES, "ENTer", "NEVer", "AND", "OR")
_MOST_EVENTS = 3


class CountParameter(Parameter):
    """A count of readings, INFinity, or nothing for one."""

    is_optional = True

    def parse(self, token: str, instrument: Any) -> float:
        """The count; infinite for INF."""
        if token.upper() in ("INF", "INFINITY", "INFINITE"):
            return math.inf
        return Number("", 0, 268_435_455, 1, is_integer=True).parse(token, instrument)


class OptionalText(Text):
    """A string that may be left out."""

    is_optional = True


def _block(node: str, make: Callable[..., Block], *takes: Parameter) -> Command:
    """A command that sets one block; `make` gets the instrument, the block's number and the other parameters."""

    def write(i: SimKeithley2450, number: float, *rest: Any) -> None:
        i.model.put(int(number), make(i, int(number), *rest))

    return Command(f":TRIGger:BLOCk:{node}", write=write, takes=(_NUMBER, *takes))


def _recall(
    i: SimKeithley2450, _: int, name: str, index: float | None, other: str | None, other_index: float | None
) -> Block:
    points = [(name, int(index or 1))]
    if other is not None:
        points.append((other, int(other_index or 1)))
    for wanted, _place in points:
        i.lists.points(wanted)
    return blocks.recall_block(points)


def _names(i: SimKeithley2450, name: str, other: str | None) -> Sequence[str]:
    names = [name] if other is None else [name, other]
    for wanted in names:
        i.lists.points(wanted)
    return names


def _measure(i: SimKeithley2450, _: int, name: str | None, count: float | None) -> Block:
    return blocks.measure_block(i.buffers.measured(name).name, 1 if count is None else count)


def _wait(i: SimKeithley2450, number: int, words: Sequence[str]) -> Block:
    events = [word for word in words if word not in ("ENT", "NEV", "AND", "OR")]
    if not events or words[0] != events[0] or len(events) > _MOST_EVENTS:
        raise ScpiError(-223 if len(events) > _MOST_EVENTS else -224)
    return blocks.wait_block(number, events, is_cleared="ENT" in words, needs_all="AND" in words)


def _limit(
    i: SimKeithley2450, _: int, kind: str, low: float, high: float, target: float, measure: float | None
) -> Block:
    return blocks.constant_limit_block(kind, low, high, int(target), int(measure or 0))


_BRANCHES = (
    _block("BRANch:ALWays", lambda i, n, target: blocks.always_block(int(target)), _NUMBER),
    _block(
        "BRANch:COUNter", lambda i, n, count, target: blocks.counter_block(n, int(count), int(target)), _PASSES, _NUMBER
    ),
    Command(
        ":TRIGger:BLOCk:BRANch:COUNter:COUNt",
        query=lambda i, n: str(i.model.counters.get(int(n), 0)),
        asks=(_NUMBER,),
    ),
    _block("BRANch:COUNter:RESet", lambda i, n, counter: blocks.reset_block(int(counter)), _NUMBER),
    _block(
        "BRANch:DELTa",
        lambda i, n, gap, target, measure: blocks.delta_block(gap, int(target), int(measure or 0)),
        _VALUE,
        _NUMBER,
        _MEASURE_NUMBER,
    ),
    _block("BRANch:EVENt", lambda i, n, event, target: blocks.event_block(n, event, int(target)), EVENT, _NUMBER),
    _block("BRANch:LIMit:CONStant", _limit, _LIMIT_TYPE, _VALUE, _VALUE, _NUMBER, _MEASURE_NUMBER),
    _block(
        "BRANch:LIMit:DYNamic",
        lambda i, n, kind, limit, target, measure: blocks.dynamic_limit_block(
            kind, int(limit), int(target), int(measure or 0)
        ),
        _LIMIT_TYPE,
        Number("", 1, 2, is_integer=True),
        _NUMBER,
        _MEASURE_NUMBER,
    ),
    _block("BRANch:ONCE", lambda i, n, target: blocks.once_block(n, int(target), is_excluded=False), _NUMBER),
    _block("BRANch:ONCE:EXCLuded", lambda i, n, target: blocks.once_block(n, int(target), is_excluded=True), _NUMBER),
)

_ACTIONS = (
    _block("BUFFer:CLEar", lambda i, n, name: blocks.clear_block(i.buffers.named(name).name), _BUFFER),
    _block("CONFig:NEXT", lambda i, n, *a: blocks.next_block(_names(i, *a)), Text(), OptionalText()),
    _block("CONFig:PREVious", lambda i, n, *a: blocks.previous_block(_names(i, *a)), Text(), OptionalText()),
    _block("CONFig:RECall", _recall, Text(), _INDEX, OptionalText(), _INDEX),
    _block("DELay:CONStant", lambda i, n, seconds: blocks.delay_block(seconds), _SECONDS),
    _block(
        "DELay:DYNamic",
        lambda i, n, name: blocks.user_delay_block(name),
        Choice(*(f"{kind}{k}" for kind in ("SOURce", "MEASure") for k in range(1, 6))),
    ),
    _block(
        "DIGital:IO",
        lambda i, n, pattern, mask: blocks.digital_block(int(pattern), 2**LINES - 1 if mask is None else int(mask)),
        _PATTERN,
        _MASK,
    ),
    _block("LOG:EVENt", lambda i, n, kind, text: blocks.log_block(kind, text[:31]), _LOGGED, Text()),
    _block("MEASure", _measure, _BUFFER, CountParameter()),
    _block("MDIGitize", _measure, _BUFFER, CountParameter()),
    _block("NOP", lambda i, n: blocks.nop_block()),
    _block("NOTify", lambda i, n, number: blocks.notify_block(int(number)), Number("", 1, 8, is_integer=True)),
    _block("SOURce:STATe", lambda i, n, is_on: blocks.output_block(is_on), Switch()),
    _block("WAIT", _wait, _WAITED),
)

TRIGGER_COMMANDS: tuple[Command, ...] = (
    *_BRANCHES,
    *_ACTIONS,
    Command(":TRIGger:BLOCk:LIST", query=lambda i: i.model.listing()),
    Command(":TRIGger:STATe", query=lambda i: i.trigger_state()),
    Command(
        ":TRIGger:CONTinuous",
        write=ignore,
        query=lambda i: "OFF",
        takes=(Choice("OFF", "AUTO", "RESTart"),),
    ),
    Command(":TRIGger:PAUSe", write=lambda i: i.model.pause()),
    Command(":TRIGger:RESume", write=lambda i: i.resume_model()),
    Command(":INITiate[:IMMediate]", write=lambda i: i.initiate()),
    Command(":ABORt", write=lambda i: i.model.abort()),
)
"""How the trigger model is built and run."""
