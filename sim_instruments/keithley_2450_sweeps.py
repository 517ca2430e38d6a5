"""SOURce:SWEep and SOURce:LIST commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from mtjlab.nouns import Floats

from .keithley_2450_buffer import BufferName
from .keithley_2450_lists import SourcePoint, SweepPoints
from .keithley_2450_settings import LARGEST, LONGEST_DELAY_SECONDS, QUANTITIES, show_number
from .keithley_2450_source import NODES, UNITS
from .keithley_2450_templates import sweep
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Numbers, Switch, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_MOST_LISTED, _MOST_IN_ALL = 100, 2500
"""Values of one command, and of a list with what was appended to it (the latter assumed)."""
_MOST_POINTS = 1_000_000
_COUNT = Number("", 0, 268_435_455, 1, is_integer=True, is_optional=True)
_POINTS = Number("", 2, _MOST_POINTS, is_integer=True)
_DELAY = Number("S", -1, LONGEST_DELAY_SECONDS, -1, is_optional=True)
_RANGING = Choice("AUTO", "BEST", "FIXed", is_optional=True)


_PREFIXES = {"VOLT": "Volt", "CURR": "Curr"}


class _OptionalText(Text):
    """A name, or nothing."""

    is_optional = True


class _OptionalSwitch(Switch):
    """ON or OFF, or nothing."""

    is_optional = True


def _linear(start: float, stop: float, points: int) -> Floats:
    return np.asarray(np.linspace(start, stop, points), dtype=np.float64)


def _logarithmic(start: float, stop: float, points: int, asymptote: float) -> Floats:
    if (start - asymptote) * (stop - asymptote) <= 0:
        raise ScpiError(-222)
    ratio = (stop - asymptote) / (start - asymptote)
    return asymptote + (start - asymptote) * ratio ** _linear(0, 1, points)


def _stepped(start: float, stop: float, step: float) -> Floats:
    points = int(min(abs(stop - start) / abs(step) + 1e-9, _MOST_POINTS)) + 1 if step else 0
    if not 2 <= points <= _MOST_POINTS:
        raise ScpiError(-222)
    return start + math.copysign(step, stop - start) * np.arange(points, dtype=np.float64)


def _make_sweep(
    i: SimKeithley2450,
    quantity: str,
    kind: str,
    levels: Floats,
    delay: float | None,
    count: float | None,
    ranging: str | None,
    aborts: bool | None,
    dual: bool | None,
    buffer: str | None,
) -> None:
    """Make a source configuration list and load the trigger model that runs it.

    Raises ScpiError -221 if the other quantity is sourced.
    """
    if quantity != i.settings.function:
        raise ScpiError(-221)
    if dual:
        levels = np.concatenate([levels, levels[::-1]])
    name = f"{_PREFIXES[quantity]}{kind}SweepList"
    i.lists.source[name] = _points(i, levels, ranging or "BEST", is_auto_delay=delay is None or delay < 0)
    _load(i, name, 1, levels.size, delay, count, aborts, buffer)


def _points(i: SimKeithley2450, levels: Floats, ranging: str, *, is_auto_delay: bool) -> SweepPoints:
    base = SourcePoint.of(i.settings)
    base.settings.is_auto_delay = base.settings.is_auto_delay or is_auto_delay
    return SweepPoints(base, *i.output.sweep_levels(i.settings, levels, ranging))


def _load(
    i: SimKeithley2450,
    name: str,
    begin: int,
    points: int,
    delay: float | None,
    count: float | None,
    aborts: bool | None,
    buffer: str | None,
) -> None:
    blocks = sweep(
        name,
        begin,
        points,
        max(delay or 0.0, 0.0),
        1 if count is None else int(count),
        aborts=aborts is not False,
        buffer=i.buffers.measured(buffer).name,
    )
    i.model.load(blocks)


def _sweep_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:SWEep:{NODES[quantity]}"
    end = LARGEST[quantity]
    level = Number(UNITS[quantity], -end, end)
    rest = (_DELAY, _COUNT, _RANGING, _OptionalSwitch(), _OptionalSwitch(), BufferName())
    asymptote = Number(UNITS[quantity], -end, end, 0, is_optional=True)
    start_index = Number("", 1, _MOST_POINTS, 1, is_integer=True, is_optional=True)
    listed_parameters = (start_index, _DELAY, _COUNT, _OptionalSwitch(), BufferName(), _OptionalText())

    def linear(i: SimKeithley2450, start: float, stop: float, points: float, *more: Any) -> None:
        _make_sweep(i, quantity, "Linear", _linear(start, stop, int(points)), *more)

    def stepped(i: SimKeithley2450, start: float, stop: float, step: float, *more: Any) -> None:
        _make_sweep(i, quantity, "Linear", _stepped(start, stop, step), *more)

    def logarithmic(i: SimKeithley2450, start: float, stop: float, points: float, *more: Any) -> None:
        *others, foot = more
        levels = _logarithmic(start, stop, int(points), foot or 0.0)
        _make_sweep(i, quantity, "Log", levels, *others)

    def listed(
        i: SimKeithley2450,
        first: float | None,
        delay: float | None,
        count: float | None,
        aborts: bool | None,
        buffer: str | None,
        given: str | None,
    ) -> None:
        name = given or f"{_PREFIXES[quantity]}CustomSweepList"
        if quantity != i.settings.function or (given is None and not i.settings.listed[quantity]):
            raise ScpiError(-221)
        if given is None:
            levels = np.array(i.settings.listed[quantity])
            i.lists.source[name] = _points(i, levels, "BEST", is_auto_delay=False)
        points, begin = len(i.lists.of("source", name)), int(first or 1)
        if begin > points:
            raise ScpiError(-222)
        _load(i, name, begin, points - begin + 1, delay, count, aborts, buffer)

    return (
        Command(f"{node}:LINear", write=linear, takes=(level, level, _POINTS, *rest)),
        Command(f"{node}:LINear:STEP", write=stepped, takes=(level, level, level, *rest)),
        Command(f"{node}:LOG", write=logarithmic, takes=(level, level, _POINTS, *rest, asymptote)),
        Command(f"{node}:LIST", write=listed, takes=listed_parameters),
    )


def _list_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:LIST:{NODES[quantity]}"
    end = LARGEST[quantity]
    values = Numbers(UNITS[quantity], -end, end, at_most=_MOST_LISTED)

    def write_list(i: SimKeithley2450, given: list[float]) -> None:
        i.settings.listed[quantity] = given

    def append(i: SimKeithley2450, given: list[float]) -> None:
        if len(i.settings.listed[quantity]) + len(given) > _MOST_IN_ALL:
            raise ScpiError(-223)
        i.settings.listed[quantity].extend(given)

    return (
        Command(
            node,
            write=write_list,
            query=lambda i: ",".join(show_number(value) for value in i.settings.listed[quantity]),
            takes=(values,),
        ),
        Command(f"{node}:APPend", write=append, takes=(values,)),
        Command(f"{node}:POINts", query=lambda i: str(len(i.settings.listed[quantity]))),
    )


SWEEP_COMMANDS: tuple[Command, ...] = tuple(
    command for quantity in QUANTITIES for make in (_sweep_commands, _list_commands) for command in make(quantity)
)
"""How sweeps are programmed."""
