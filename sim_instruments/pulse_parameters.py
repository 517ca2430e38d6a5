"""Numbers as Keysight generators take them: MIN, MAX, DEF, INF, units, values brought to the nearest possible."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Parameter, parse_number, spellings

Value = float | str
"""A number, or one of the words MIN, MAX, DEF, INF."""
_WORDS = {s: word[:3].upper() for word in ("MINimum", "MAXimum", "DEFault", "INFinity") for s in spellings(word)}


class Quantity(Parameter):
    """A number with one of some units, or MIN, MAX, DEF, INF; parses to a float or the word's first three letters."""

    def __init__(self, *units: str, is_optional: bool = False) -> None:
        self._units = units or ("",)
        self.is_optional = is_optional

    def parse(self, token: str, instrument: Any) -> Value:
        """The number in the first unit's scale, or the word."""
        if token[:1].isalpha():
            word = _WORDS.get(token.upper())
            if word is None:
                raise ScpiError(-224)
            return word
        for unit in self._units:
            try:
                return parse_number(token, unit)
            except ScpiError as error:
                if error.code != -131 or unit == self._units[-1]:
                    raise
        raise ScpiError(-131)


class LevelQuantity(Parameter):
    """An amplitude with its unit; parses to (value, unit or None) with unit VPP, VRMS or DBM."""

    def __init__(self, *, is_optional: bool = False) -> None:
        self.is_optional = is_optional
        self._plain = Quantity("V")

    def parse(self, token: str, instrument: Any) -> tuple[Value, str | None]:
        """The value and its unit, if one was given."""
        for unit in ("VPP", "VRMS", "DBM"):
            if token.upper().endswith(unit):
                return parse_number(token, unit), unit
        return self._plain.parse(token, instrument), None


class Extremes(Parameter):
    """MIN, MAX or DEF in a query."""

    is_optional = True

    def parse(self, token: str, instrument: Any) -> str:
        """The word."""
        word = _WORDS.get(token.upper())
        if word is None:
            raise ScpiError(-104)
        return word


def within(instrument: Any, value: Value, low: float, high: float, default: float) -> float:
    """The number that is meant, brought between the limits; a value beyond them is reported as -222."""
    if value == "DEF":
        return default
    if isinstance(value, str):
        return low if value == "MIN" else high
    if low <= value <= high:
        return value
    side = "lower" if value < low else "upper"
    instrument.status.report(ScpiError(-222, f"Data out of range; value clipped to {side} limit"))
    return low if value < low else high


def show(value: float) -> str:
    """NR3 with fifteen decimals, as the generators answer; infinity as 9.9E+37."""
    return "9.9E+37" if math.isinf(value) else f"{value:+.15E}"


def show_volts(value: float) -> str:
    """NR3 with thirteen decimals."""
    return f"{value:+.13E}"


Reach = Callable[[Any], tuple[float, float, float]]
"""Lowest, highest and default value of a setting, for a channel."""


def quantity(
    pattern: str,
    units: tuple[str, ...],
    get: Callable[[Any], float],
    put: Callable[[Any, float], None],
    reach: Reach,
    tell: Callable[[float], str] = show,
) -> Command:
    """Command and query of a channel's number.

    Args:
        pattern: header; its one number is the channel.
        units: accepted units.
        get, put: called with the channel.
        reach: limits and default, called with the channel.
        tell: how the query shows it.
    """

    def write(i: Any, number: int, value: Value) -> None:
        channel = i.channel(number)
        put(channel, within(i, value, *reach(channel)))
        i.changed(channel)

    def query(i: Any, number: int, word: str | None) -> str:
        channel = i.channel(number)
        return tell(get(channel) if word is None else within(i, word, *reach(channel)))

    return Command(pattern, write=write, query=query, takes=(Quantity(*units),), asks=(Extremes(),))


def choice(
    pattern: str,
    parameter: Parameter,
    get: Callable[[Any], Any],
    put: Callable[[Any, Any], None],
    tell: Callable[[Any], str] = str,
) -> Command:
    """Command and query of a channel's word or switch; arguments as in `quantity`."""

    def write(i: Any, number: int, value: Any) -> None:
        channel = i.channel(number)
        put(channel, value)
        i.changed(channel)

    return Command(pattern, write=write, query=lambda i, number: tell(get(i.channel(number))), takes=(parameter,))
