"""CALCulate commands of a B2900A: limit tests, composite test, null offset, math (SCPI Command Reference)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .keysight_b2900_calculation import element_of
from .keysight_b2900_commands import Clipped, OffsetIndex, of_channel, register_text, show_nr3
from .keysight_b2900_digital import LINES, NumberOrPattern
from .keysight_b2900_errors import refusal
from .keysight_b2900_limits import MOST_TESTS, LimitTest
from .keysight_b2900_readings import Calculated, formatted, in_turn
from .keysight_b2900_settings import MOST_READINGS
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Numbers, Parameter, Switch, Text
from .scpi_settings import show_switch, show_text

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900
    from .keysight_b2900_channel import Channel

_END = 9.999999e20
_LINE = Number("", 0, LINES, 0, is_integer=True)


class Expression(Parameter):
    """A math expression in parentheses, or a string with one."""

    def parse(self, token: str, instrument: Any) -> str:
        """The expression's text."""
        text = Text().parse(token, instrument) if token[:1] in "\"'" else token
        if not text.startswith("("):
            raise ScpiError(-104)
        return text


def _test(i: SimKeysightB2900, channel: int, number: int) -> LimitTest:
    if not 1 <= number <= MOST_TESTS:
        raise ScpiError(-114)
    return i.channel(channel).settings.limits.tests[number - 1]


def _of_test(pattern: str, name: str, parameter: Parameter) -> Command:
    """Command and query of one setting of a limit test."""

    def write(i: SimKeysightB2900, channel: int, number: int, value: Any) -> None:
        setattr(_test(i, channel, number), name, value)

    def query(i: SimKeysightB2900, channel: int, number: int, extreme: float | None = None) -> str:
        value = getattr(_test(i, channel, number), name) if extreme is None else extreme
        if isinstance(parameter, NumberOrPattern):
            return register_text(int(value), i.format.digital)
        if isinstance(parameter, Number):
            return show_nr3(value)
        return show_switch(bool(value)) if isinstance(parameter, Switch) else str(value)

    asks = (Extreme(parameter),) if isinstance(parameter, Number) else ()
    return Command(pattern, write=write, query=query, takes=(parameter,), asks=asks)


def _bits(pattern: str, name: str) -> Command:
    """Command and query of one pattern of the composite test."""

    def write(i: SimKeysightB2900, channel: int, value: float) -> None:
        setattr(i.channel(channel).settings.limits.composite, name, value)

    def query(i: SimKeysightB2900, channel: int) -> str:
        return register_text(int(getattr(i.channel(channel).settings.limits.composite, name)), i.format.digital)

    return Command(pattern, write=write, query=query, takes=(NumberOrPattern(),))


def _clear(i: SimKeysightB2900, number: int) -> None:
    channel = i.channel(number)
    channel.settings.limits.clear()
    channel.calculation.results.has_failed = False
    i.digital.put_out_bits(0)
    i.refresh_status()


_LIMIT = ":CALCulate<c>:LIMit<m>"
_COMPOSITE = ":CALCulate<c>:CLIMits"
_PATH = "settings.limits.composite"
_LIMITS = (
    _of_test(f"{_LIMIT}:STATe", "is_on", Switch()),
    _of_test(f"{_LIMIT}:FUNCtion", "function", Choice("LIMit", "COMPliance")),
    _of_test(f"{_LIMIT}:LOWer[:DATA]", "low", Number("", -_END, _END, -1)),
    _of_test(f"{_LIMIT}:UPPer[:DATA]", "high", Number("", -_END, _END, 1)),
    _of_test(f"{_LIMIT}:LOWer:DIGital[:DATA]", "low_bits", NumberOrPattern()),
    _of_test(f"{_LIMIT}:UPPer:DIGital[:DATA]", "high_bits", NumberOrPattern()),
    _of_test(f"{_LIMIT}:PASS:DIGital[:DATA]", "pass_bits", NumberOrPattern()),
    _of_test(f"{_LIMIT}:COMPliance:DIGital[:DATA]", "compliance_bits", NumberOrPattern()),
    _of_test(f"{_LIMIT}:COMPliance:FAIL", "fails", Choice("IN", "OUT")),
    Command(f"{_LIMIT}:FAIL", query=lambda i, c, m: show_switch(_test(i, c, m).has_failed)),
    of_channel(f"{_COMPOSITE}:STATe", f"{_PATH}.is_on", Switch()),
    of_channel(f"{_COMPOSITE}:MODE", f"{_PATH}.mode", Choice("GRADing", "SORTing")),
    of_channel(f"{_COMPOSITE}:UPDate", f"{_PATH}.update", Choice("IMMediate", "END")),
    of_channel(f"{_COMPOSITE}:CLEar:AUTO", f"{_PATH}.is_cleared_by_initiation", Switch()),
    of_channel(f"{_COMPOSITE}:CLEar:AUTO:DELay", f"{_PATH}.clear_seconds", Clipped("S", 1e-5, 60, 1e-4)),
    Command(f"{_COMPOSITE}:CLEar[:IMMediate]", write=_clear),
    _bits(f"{_COMPOSITE}:PASS:DIGital[:DATA]", "pass_bits"),
    _bits(f"{_COMPOSITE}:FAIL:DIGital[:DATA]", "fail_bits"),
)


def _write_bit_lines(i: SimKeysightB2900, numbers: list[float]) -> None:
    i.digital.bit_lines = tuple(int(number) for number in numbers)


def _digital_line(node: str, name: str) -> Command:
    def write(i: SimKeysightB2900, number: float) -> None:
        setattr(i.digital, name, int(number))

    return Command(node, write=write, query=lambda i: str(getattr(i.digital, name)), takes=(_LINE,))


_LINES = (
    Command(
        ":CALCulate:DIGital:BIT",
        write=_write_bit_lines,
        query=lambda i: ",".join(str(number) for number in i.digital.bit_lines) or "0",
        takes=(Numbers("", 1, LINES, is_integer=True, at_most=LINES),),
    ),
    _digital_line(":CALCulate:DIGital:BUSY", "busy_line"),
    _digital_line(":CALCulate:DIGital:EOT", "end_line"),
    _digital_line(":CALCulate:DIGital:SOT", "start_line"),
)


def _write_feed(i: SimKeysightB2900, number: int, feed: str) -> None:
    channel = i.channel(number)
    if feed == "MATH" and i.expressions.find(channel.settings.math.expression) is None:
        raise refusal(818)
    channel.settings.math.feed = feed


def _acquire_offset(i: SimKeysightB2900, number: int) -> None:
    """The latest reading becomes the null offset; one is taken if there is none."""
    channel = i.channel(number)
    if not channel.readings:
        i.measure_spot([channel], "")
    value = element_of(channel.readings[-1], channel.settings.math.feed.replace("MATH", "VOLT"))
    channel.settings.math.offset = value if math.isfinite(value) else 0.0


def _results(i: SimKeysightB2900, results: Sequence[Calculated], offset: int | None, size: float | None) -> Reply:
    begin = max(len(results) - 1, 0) if offset == OffsetIndex.LATEST else offset or 0
    wanted = results[begin : None if size is None else begin + int(size)]
    return formatted(in_turn([wanted], i.format.calculated), i.format)


def _tested(channel: Channel) -> list[Calculated]:
    return channel.calculation.results.tested


def _worked(channel: Channel) -> list[Calculated]:
    return channel.calculation.results.math


_SIZE = Number("", 1, MOST_READINGS, 1, is_integer=True, is_optional=True)
_OFFSET = Number("", -_END, _END, 0)
_FEED = (
    Command(
        ":CALCulate<c>:FEED",
        write=_write_feed,
        query=lambda i, n: i.channel(n).settings.math.feed,
        takes=(Choice("VOLTage", "CURRent", "RESistance", "MATH"),),
    ),
    of_channel(":CALCulate<c>:OFFSet", "settings.math.offset", _OFFSET),
    of_channel(":CALCulate<c>:OFFSet:STATe", "settings.math.is_offset_on", Switch()),
    Command(":CALCulate<c>:OFFSet:ACQuire", write=_acquire_offset),
    Command(
        ":CALCulate<c>:DATA",
        query=lambda i, n, offset, size: _results(i, _tested(i.channel(n)), offset, size),
        asks=(OffsetIndex(), _SIZE),
    ),
    Command(
        ":CALCulate<c>:DATA:LATest",
        query=lambda i, n: _results(i, _tested(i.channel(n)), OffsetIndex.LATEST, None),
    ),
)


def _write_name(i: SimKeysightB2900, number: int, name: str) -> None:
    i.expressions.check_name(name)
    i.channel(number).settings.math.expression = name


def _define(i: SimKeysightB2900, number: int, text: str) -> None:
    i.expressions.define(i.channel(number).settings.math.expression, text)


def _definition(i: SimKeysightB2900, number: int) -> str:
    known = i.expressions.find(i.channel(number).settings.math.expression)
    if known is None:
        raise refusal(818)
    return known.text


def _delete(i: SimKeysightB2900, number: int, name: str) -> None:
    i.channel(number)
    i.expressions.delete(name)
    _forget_deleted(i)


def _delete_all(i: SimKeysightB2900, number: int) -> None:
    i.channel(number)
    i.expressions.delete_all()
    _forget_deleted(i)


def _forget_deleted(i: SimKeysightB2900) -> None:
    for channel in i.channels:
        if i.expressions.find(channel.settings.math.expression) is None:
            channel.settings.math.expression = i.expressions.names[0]


def _write_unit(i: SimKeysightB2900, number: int, unit: str) -> None:
    i.channel(number).settings.math.unit = unit[:32]


_MATH_NODE = ":CALCulate<c>:MATH"
_MATH = (
    of_channel(f"{_MATH_NODE}:STATe", "settings.math.is_on", Switch()),
    Command(
        f"{_MATH_NODE}[:EXPRession]:CATalog",
        query=lambda i, n: ",".join(show_text(name) for name in i.expressions.names),
    ),
    Command(f"{_MATH_NODE}[:EXPRession][:DEFine]", write=_define, query=_definition, takes=(Expression(),)),
    Command(f"{_MATH_NODE}[:EXPRession]:DELete:ALL", write=_delete_all),
    Command(f"{_MATH_NODE}[:EXPRession]:DELete[:SELected]", write=_delete, takes=(Text(),)),
    Command(
        f"{_MATH_NODE}[:EXPRession]:NAME",
        write=_write_name,
        query=lambda i, n: show_text(i.channel(n).settings.math.expression),
        takes=(Text(),),
    ),
    Command(
        f"{_MATH_NODE}:UNITs",
        write=_write_unit,
        query=lambda i, n: show_text(i.channel(n).settings.math.unit),
        takes=(Text(),),
    ),
    Command(
        f"{_MATH_NODE}:DATA",
        query=lambda i, n, offset, size: _results(i, _worked(i.channel(n)), offset, size),
        asks=(OffsetIndex(), _SIZE),
    ),
    Command(
        f"{_MATH_NODE}:DATA:LATest",
        query=lambda i, n: _results(i, _worked(i.channel(n)), OffsetIndex.LATEST, None),
    ),
)

CALCULATE_COMMANDS: tuple[Command, ...] = (*_LIMITS, *_LINES, *_FEED, *_MATH)
"""What is made of the readings."""
