"""TRIGger:LOAD commands of a 2450: predefined trigger models (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .keithley_2450_buffer import BufferName
from .keithley_2450_bus import LINES
from .keithley_2450_objects import EVENT
from .keithley_2450_settings import LONGEST_DELAY_SECONDS
from .keithley_2450_templates import binning, config_list, duration_loop, logic_trigger, loop_until_event, simple_loop
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Parameter, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_PASSES = Number("", 1, 268_435_455, is_integer=True)
_DELAY = Number("S", 0, LONGEST_DELAY_SECONDS, 0, is_optional=True)
_DURATION = Number("S", 167e-9, 100_000.0)
_BUFFER = BufferName()
_KIND_OF_BLOCK = Choice("ACTive", "MEASure", is_optional=True)
_CLEAR = Choice("ENTer", "NEVer", is_optional=True)
_LINE = Number("", 1, LINES, is_integer=True)
_LIMIT = Number()
_OPTIONAL_LIMIT = Number(is_optional=True)
_PATTERN = Number("", 1, 15, 15, is_integer=True, is_optional=True)
_UNUSED = (-1.0, 1.0)
"""High and low of a limit that is not used."""


def _simple(i: SimKeithley2450, count: float, delay: float | None, buffer: str | None, _: Any = None) -> None:
    i.model.load(simple_loop(int(count), delay or 0.0, i.buffers.measured(buffer).name))


def _duration(i: SimKeithley2450, seconds: float, delay: float | None, buffer: str | None, _: Any = None) -> None:
    i.model.load(duration_loop(seconds, delay or 0.0, i.buffers.measured(buffer).name))


def _lists(i: SimKeithley2450, measure: str, source: str, delay: float | None, buffer: str | None, _: Any) -> None:
    points = max(len(i.lists.of("measure", measure)), len(i.lists.of("source", source)))
    i.lists.point(measure, 1)
    i.lists.point(source, 1)
    i.model.load(config_list(measure, source, points, delay or 0.0, i.buffers.measured(buffer).name))


def _logic(
    i: SimKeithley2450,
    line: float,
    out: float,
    count: float,
    clear: str | None,
    delay: float | None,
    buffer: str | None,
    _: Any,
) -> None:
    name = i.buffers.measured(buffer).name
    made = logic_trigger(int(line), int(count), is_cleared=clear == "ENT", delay_seconds=delay or 0.0, buffer=name)
    for number, direction in ((int(line), "IN"), (int(out), "OUT")):
        i.bus.lines[number].kind, i.bus.lines[number].direction = "TRIG", direction
    i.bus.lines[int(out)].stimulus = "NOT1"
    i.model.load(made)


def _until_event(
    i: SimKeithley2450,
    event: str,
    position: float,
    clear: str | None,
    delay: float | None,
    buffer: str | None,
    _: Any,
) -> None:
    if event == "NONE":
        raise ScpiError(-221)
    used = i.buffers.measured(buffer)
    after = round(used.capacity * (1 - position / 100))
    i.model.load(
        loop_until_event(event, is_cleared=clear != "NEV", after=after, delay_seconds=delay or 0.0, buffer=used.name)
    )


def _binning(is_grading: bool) -> Callable[..., None]:
    def load(i: SimKeithley2450, count: float, line: float, before: float, after: float, *rest: Any) -> None:
        high, low, pattern, all_pattern, *more, buffer = rest
        limits = [(high, low, int(pattern or 1))]
        for place in range(3):
            top, bottom, sent = more[3 * place : 3 * place + 3]
            pair = (top, bottom) if top is not None and bottom is not None else _UNUSED
            limits.append((*pair, int(sent or 2 << place)))
        name = i.buffers.measured(buffer).name
        made = binning(
            int(count),
            int(line),
            (before, after),
            limits,
            int(all_pattern or 15),
            name,
            is_grading=is_grading,
        )
        _set_lines(i, int(line))
        i.model.load(made)

    return load


def _set_lines(i: SimKeithley2450, start: int) -> None:
    for number in range(1, 5):
        i.bus.lines[number].kind, i.bus.lines[number].direction = "DIG", "OUT"
    i.bus.lines[start].kind, i.bus.lines[start].direction = "TRIG", "IN"


_SECONDS = Number("S", 0, LONGEST_DELAY_SECONDS, 0)
_START_LINE = Number("", 5, 6, 5, is_integer=True)
_MORE_LIMITS = (_OPTIONAL_LIMIT, _OPTIONAL_LIMIT, _PATTERN) * 3
_BINNING = (_PASSES, _START_LINE, _SECONDS, _SECONDS, _LIMIT, _LIMIT, _PATTERN, _PATTERN, *_MORE_LIMITS, _BUFFER)
_Loader = Callable[..., None]
_MODELS: dict[str, tuple[_Loader, tuple[Parameter, ...]]] = {
    "EMPTY": (lambda i: i.model.clear(), ()),
    "SIMPLELOOP": (_simple, (_PASSES, _DELAY, _BUFFER, _KIND_OF_BLOCK)),
    "DURATIONLOOP": (_duration, (_DURATION, _DELAY, _BUFFER, _KIND_OF_BLOCK)),
    "CONFIGLIST": (_lists, (Text(), Text(), _DELAY, _BUFFER, _KIND_OF_BLOCK)),
    "LOGICTRIGGER": (_logic, (_LINE, _LINE, _PASSES, _CLEAR, _DELAY, _BUFFER, _KIND_OF_BLOCK)),
    "LOOPUNTILEVENT": (_until_event, (EVENT, Number("", 0, 100), _CLEAR, _DELAY, _BUFFER, _KIND_OF_BLOCK)),
    "GRADEBINNING": (_binning(True), _BINNING),
    "SORTBINNING": (_binning(False), _BINNING),
}


class _Raw(Parameter):
    """All arguments as they came: what they mean depends on the first."""

    takes_rest = True

    def parse(self, token: str, instrument: Any) -> str:
        """The argument itself."""
        return token


def _load(i: SimKeithley2450, tokens: Sequence[str]) -> None:
    kind, *rest = tokens
    found = _MODELS.get(Text().parse(kind, i).upper())
    if found is None:
        raise ScpiError(-224)
    load, parameters = found
    load(i, *_parsed(i, parameters, rest))


def _parsed(i: SimKeithley2450, parameters: Sequence[Parameter], tokens: Sequence[str]) -> list[Any]:
    """Values of the arguments; one that may be left out is, where a later one fits in its place."""
    values: list[Any] = []
    rest = list(tokens)
    for parameter in parameters:
        if not rest:
            if not parameter.is_optional:
                raise ScpiError(-109)
            values.append(None)
            continue
        try:
            values.append(parameter.parse(rest[0], i))
        except ScpiError:
            if parameter is not _CLEAR:
                raise
            values.append(None)
            continue
        rest.pop(0)
    if rest:
        raise ScpiError(-108)
    return values


LOAD_COMMANDS: tuple[Command, ...] = (
    Command(":TRIGger:LOAD", write=_load, takes=(_Raw(),)),
    Command(":TRIGger:LOAD:EMPTy", write=lambda i: i.model.clear()),
    Command(":TRIGger:LOAD:LOOP:SIMPle", write=_simple, takes=(_PASSES, _DELAY, _BUFFER)),
    Command(":TRIGger:LOAD:LOOP:DURation", write=_duration, takes=(_DURATION, _DELAY, _BUFFER)),
    Command(
        ":TRIGger:LOAD:CONFiguration:LIST",
        write=lambda i, measure, source, delay, buffer: _lists(i, measure, source, delay, buffer, None),
        takes=(Text(), Text(), _DELAY, _BUFFER),
    ),
    Command(
        ":TRIGger:LOAD:TRIGger:EXTernal",
        write=lambda i, line, out, count, delay, buffer: _logic(i, line, out, count, None, delay, buffer, None),
        takes=(_LINE, _LINE, _PASSES, _DELAY, _BUFFER),
    ),
)
"""How predefined trigger models are loaded."""
