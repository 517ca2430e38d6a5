"""SOURce:SWEep and SOURce:LIST commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .keithley_2450_buffer import BufferName
from .keithley_2450_settings import LARGEST, QUANTITIES
from .keithley_2450_source import LONGEST_DELAY_SECONDS, NODES, UNITS, show_number
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Numbers, Switch

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_MOST_LISTED = 100
_MOST_POINTS = 1_000_000
_COUNT = Number("", 1, 1_000_000, 1, is_integer=True, is_optional=True)
_POINTS = Number("", 2, _MOST_POINTS, is_integer=True)
_DELAY = Number("S", -1, LONGEST_DELAY_SECONDS, -1, is_optional=True)
_RANGING = Choice("AUTO", "BEST", "FIXed", is_optional=True)


class _OptionalSwitch(Switch):
    """ON or OFF, or nothing."""

    is_optional = True


def _linear(start: float, stop: float, points: int) -> list[float]:
    return [start + (stop - start) * k / (points - 1) for k in range(points)]


def _logarithmic(start: float, stop: float, points: int, asymptote: float) -> list[float]:
    if (start - asymptote) * (stop - asymptote) <= 0:
        raise ScpiError(-222)
    ratio = ((stop - asymptote) / (start - asymptote)) ** (1 / (points - 1))
    return [asymptote + (start - asymptote) * ratio**k for k in range(points)]


def _make_sweep(
    i: SimKeithley2450,
    quantity: str,
    levels: list[float],
    delay: float | None,
    count: float | None,
    ranging: str | None,
    aborts: bool | None,
    dual: bool | None,
    buffer: str | None,
) -> None:
    if dual:
        levels = levels + levels[::-1]
    i.prepare_sweep(
        quantity,
        levels,
        delay_seconds=max(delay or 0.0, 0.0),
        count=int(count or 1),
        ranging=ranging or "BEST",
        aborts=aborts is not False,
        buffer=buffer or "defbuffer1",
    )


def _stepped(start: float, stop: float, step: float) -> list[float]:
    if step == 0:
        raise ScpiError(-222)
    points = int(abs(stop - start) / abs(step) + 1e-9) + 1
    if points < 2:
        raise ScpiError(-222)
    signed = abs(step) if stop >= start else -abs(step)
    return [start + signed * k for k in range(points)]


def _sweep_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:SWEep:{NODES[quantity]}"
    end = LARGEST[quantity]
    level = Number(UNITS[quantity], -end, end)
    rest = (_DELAY, _COUNT, _RANGING, _OptionalSwitch(), _OptionalSwitch(), BufferName())
    asymptote = Number(UNITS[quantity], -end, end, 0, is_optional=True)
    start_index = Number("", 1, _MOST_LISTED, 1, is_integer=True, is_optional=True)

    def linear(i: SimKeithley2450, start: float, stop: float, points: float, *more: Any) -> None:
        _make_sweep(i, quantity, _linear(start, stop, int(points)), *more)

    def stepped(i: SimKeithley2450, start: float, stop: float, step: float, *more: Any) -> None:
        _make_sweep(i, quantity, _stepped(start, stop, step), *more)

    def logarithmic(i: SimKeithley2450, start: float, stop: float, points: float, *more: Any) -> None:
        *others, foot = more
        _make_sweep(i, quantity, _logarithmic(start, stop, int(points), foot or 0.0), *others)

    def listed(
        i: SimKeithley2450,
        first: float | None,
        delay: float | None,
        count: float | None,
        aborts: bool | None,
        buffer: str | None,
    ) -> None:
        levels = i.settings.listed[quantity][int(first or 1) - 1 :]
        if not levels:
            raise ScpiError(-221)
        _make_sweep(i, quantity, levels, delay, count, "BEST", aborts, False, buffer)

    return (
        Command(f"{node}:LINear", write=linear, takes=(level, level, _POINTS, *rest)),
        Command(f"{node}:LINear:STEP", write=stepped, takes=(level, level, level, *rest)),
        Command(f"{node}:LOG", write=logarithmic, takes=(level, level, _POINTS, *rest, asymptote)),
        Command(f"{node}:LIST", write=listed, takes=(start_index, _DELAY, _COUNT, _OptionalSwitch(), BufferName())),
    )


def _list_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:LIST:{NODES[quantity]}"
    end = LARGEST[quantity]
    values = Numbers(UNITS[quantity], -end, end, at_most=_MOST_LISTED)

    def write_list(i: SimKeithley2450, given: list[float]) -> None:
        i.settings.listed[quantity] = given

    def append(i: SimKeithley2450, given: list[float]) -> None:
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
