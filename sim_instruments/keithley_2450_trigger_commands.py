"""TRIGger, INITiate and ABORt commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .keithley_2450_buffer import BufferName
from .keithley_2450_settings import ignore
from .keithley_2450_source import LONGEST_DELAY_SECONDS
from .keithley_2450_trigger import (
    Block,
    clear_block,
    counter_block,
    delay_block,
    duration_loop,
    goto_block,
    measure_block,
    next_block,
    nothing_block,
    output_block,
    recall_block,
    simple_loop,
)
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Switch, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_BUFFER = BufferName()
_NUMBER = Number("", 1, 255, is_integer=True)
_PASSES = Number("", 1, 1_000_000, is_integer=True)
_OPTIONAL_COUNT = Number("", 1, 1_000_000, 1, is_integer=True, is_optional=True)
_OPTIONAL_DELAY = Number("S", 0, LONGEST_DELAY_SECONDS, 0, is_optional=True)
_SECONDS = Number("S", 0, LONGEST_DELAY_SECONDS)


def _block(i: SimKeithley2450, number: float, block: Block) -> None:
    i.model.put(int(number), block)


def _load(i: SimKeithley2450, kind: str, *rest: Any) -> None:
    first, delay, buffer = (*rest, None, None, None)[:3]
    name = i.buffers.named(buffer).name
    lowered = kind.lower()
    if lowered == "empty":
        i.model.clear()
    elif lowered == "simpleloop":
        i.model.load(simple_loop(int(first or 1), delay or 0.0, name))
    elif lowered == "durationloop":
        i.model.load(duration_loop(first or 0.0, delay or 0.0, name))
    else:
        raise ScpiError(-224)


class _LoopStart(Number):
    """Count or duration of a predefined trigger model."""

    def __init__(self) -> None:
        super().__init__("S", 0, 268_435_455, is_optional=True)


_BLOCKS = (
    Command(
        ":TRIGger:BLOCk:BUFFer:CLEar",
        write=lambda i, n, name: _block(i, n, clear_block(i.buffers.named(name).name)),
        takes=(_NUMBER, _BUFFER),
    ),
    *(
        Command(
            f":TRIGger:BLOCk:{node}",
            write=lambda i, n, name, count: _block(i, n, measure_block(i.buffers.named(name).name, int(count or 1))),
            takes=(_NUMBER, _BUFFER, _OPTIONAL_COUNT),
        )
        for node in ("MEASure", "MDIGitize")
    ),
    Command(
        ":TRIGger:BLOCk:DELay:CONStant",
        write=lambda i, n, seconds: _block(i, n, delay_block(seconds)),
        takes=(_NUMBER, _SECONDS),
    ),
    Command(
        ":TRIGger:BLOCk:DELay:DYNamic",
        write=lambda i, n, name: _block(i, n, delay_block(i.user_delay(name))),
        takes=(_NUMBER, Choice(*(f"{kind}{k}" for kind in ("SOURce", "MEASure") for k in range(1, 6)))),
    ),
    Command(
        ":TRIGger:BLOCk:BRANch:COUNter",
        write=lambda i, n, count, target: _block(i, n, counter_block(int(n), int(count), int(target))),
        takes=(_NUMBER, _PASSES, _NUMBER),
    ),
    Command(
        ":TRIGger:BLOCk:BRANch:COUNter:COUNt",
        query=lambda i, n: str(i.model.counters.get(int(n), 0)),
        asks=(_NUMBER,),
    ),
    Command(
        ":TRIGger:BLOCk:BRANch:ALWays",
        write=lambda i, n, target: _block(i, n, goto_block(int(target))),
        takes=(_NUMBER, _NUMBER),
    ),
    Command(
        ":TRIGger:BLOCk:SOURce:STATe",
        write=lambda i, n, is_on: _block(i, n, output_block(is_on)),
        takes=(_NUMBER, Switch()),
    ),
    Command(
        ":TRIGger:BLOCk:CONFig:RECall",
        write=lambda i, n, name, index: _block(i, n, recall_block(name, int(index or 1))),
        takes=(_NUMBER, Text(), _OPTIONAL_COUNT),
    ),
    Command(
        ":TRIGger:BLOCk:CONFig:NEXT",
        write=lambda i, n, name: _block(i, n, next_block(name)),
        takes=(_NUMBER, Text()),
    ),
    Command(":TRIGger:BLOCk:NOP", write=lambda i, n: _block(i, n, nothing_block("NO_OPERATION")), takes=(_NUMBER,)),
    Command(
        ":TRIGger:BLOCk:NOTify",
        write=lambda i, n, _: _block(i, n, nothing_block("NOTIFY")),
        takes=(_NUMBER, Number("", 1, 8)),
    ),
    Command(":TRIGger:BLOCk:LIST", query=lambda i: i.model.listing()),
)


TRIGGER_COMMANDS: tuple[Command, ...] = (
    *_BLOCKS,
    Command(":TRIGger:LOAD", write=_load, takes=(Text(), _LoopStart(), _OPTIONAL_DELAY, _BUFFER)),
    Command(":TRIGger:LOAD:EMPTy", write=lambda i: i.model.clear()),
    Command(
        ":TRIGger:LOAD:LOOP:SIMPle",
        write=lambda i, *rest: _load(i, "SimpleLoop", *rest),
        takes=(_PASSES, _OPTIONAL_DELAY, _BUFFER),
    ),
    Command(
        ":TRIGger:LOAD:LOOP:DURation",
        write=lambda i, *rest: _load(i, "DurationLoop", *rest),
        takes=(_SECONDS, _OPTIONAL_DELAY, _BUFFER),
    ),
    Command(":TRIGger:STATe", query=lambda i: i.trigger_state()),
    Command(":TRIGger:CONTinuous", write=ignore, query=lambda i: "OFF", takes=(Choice("OFF", "AUTO", "RESTart"),)),
    Command(":TRIGger:PAUSe", write=ignore),
    Command(":TRIGger:RESume", write=ignore),
    Command(":INITiate[:IMMediate]", write=lambda i: i.initiate()),
    Command(":ABORt", write=lambda i: i.abort()),
)
"""How the trigger model is built and run."""
