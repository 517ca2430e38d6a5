"""FUNCtion, VOLTage, FREQuency, PULSe and BURSt:NCYCles: commands that both generator families have, by pattern."""

from __future__ import annotations

import math
from typing import Any

from .pulse_channel import PulseChannel
from .pulse_levels import (
    fit_pulse,
    hertz_reach,
    level_reach,
    offset_reach,
    select_function,
    set_hertz,
    set_offset,
    widest,
)
from .pulse_parameters import Extremes, Quantity, Value, quantity, show, show_volts, within
from .scpi import Command
from .scpi_parameters import Choice


def function_command(pattern: str, names: tuple[str, ...]) -> Command:
    """FUNCtion; a waveform that needs other settings to change reports -221."""

    def write(i: Any, c: int, function: str) -> None:
        channel = i.channel(c)
        select_function(i, channel, function)
        i.changed(channel)

    return Command(pattern, write=write, query=lambda i, c: i.channel(c).settings.function, takes=(Choice(*names),))


def side_command(pattern: str, put: Any, get: Any) -> Command:
    """HIGH or LOW level."""

    def write(i: Any, c: int, value: Value) -> None:
        channel = i.channel(c)
        put(i, channel, within(i, value, *level_reach(channel)))
        i.changed(channel)

    def query(i: Any, c: int, word: str | None) -> str:
        channel = i.channel(c)
        return show_volts(get(channel) if word is None else within(i, word, *level_reach(channel)))

    return Command(pattern, write=write, query=query, takes=(Quantity("V"),), asks=(Extremes(),))


def high_of(channel: PulseChannel) -> float:
    """Displayed high level, volts."""
    return channel.settings.high * channel.settings.displayed


def low_of(channel: PulseChannel) -> float:
    """Displayed low level, volts."""
    return channel.settings.low * channel.settings.displayed


def offset_command(pattern: str) -> Command:
    """VOLTage:OFFSet."""
    return quantity(pattern, ("V",), lambda c: float(c.settings.offset), set_offset, offset_reach, show_volts)


def frequency_command(pattern: str) -> Command:
    """FREQuency."""
    return quantity(pattern, ("HZ",), lambda c: float(c.settings.hertz), set_hertz, hertz_reach)


def period_command(pattern: str) -> Command:
    """PULSe:PERiod, the frequency's reciprocal."""

    def reach(channel: PulseChannel) -> tuple[float, float, float]:
        low, high, default = hertz_reach(channel)
        return 1 / high, 1 / low, 1 / default

    def put(channel: PulseChannel, seconds: float) -> None:
        set_hertz(channel, 1 / seconds)

    return quantity(pattern, ("S",), lambda c: float(c.settings.period), put, reach)


def width_command(pattern: str) -> Command:
    """PULSe:WIDTh."""

    def put(channel: PulseChannel, seconds: float) -> None:
        channel.settings.set_width(seconds)
        fit_pulse(channel)

    def reach(channel: PulseChannel) -> tuple[float, float, float]:
        return channel.limits.width_seconds, widest(channel), min(100e-6, widest(channel))

    return quantity(pattern, ("S",), lambda c: float(c.settings.width), put, reach)


def duty_command(pattern: str) -> Command:
    """PULSe:DCYCle."""

    def put(channel: PulseChannel, percent: float) -> None:
        channel.settings.set_duty(percent)
        fit_pulse(channel)

    def reach(channel: PulseChannel) -> tuple[float, float, float]:
        period = channel.settings.period
        return 100 * channel.limits.width_seconds / period, 100 * widest(channel) / period, 10.0

    return quantity(pattern, ("PCT", "%"), lambda c: float(c.settings.duty), put, reach)


def edge_command(pattern: str, *names: str) -> Command:
    """PULSe:TRANsition of the edges named; the query tells the first."""

    def put(channel: PulseChannel, seconds: float) -> None:
        for name in names:
            setattr(channel.settings, name, seconds)

    return quantity(
        pattern,
        ("S",),
        lambda c: float(getattr(c.settings, names[0])),
        put,
        lambda c: (
            c.limits.edge_seconds,
            max(min(c.limits.longest_edge_seconds, 0.8 * c.settings.width), c.limits.edge_seconds),
            max(10e-9, c.limits.edge_seconds),
        ),
    )


def cycles_command(pattern: str, after: Any = None) -> Command:
    """BURSt:NCYCles, with INFinity; `after` is called with instrument and channel."""

    def write(i: Any, c: int, value: Value) -> None:
        channel = i.channel(c)
        is_endless = value == "INF" or (isinstance(value, float) and value >= 9.9e37)
        channel.settings.cycles = (
            math.inf if is_endless else float(round(within(i, value, 1.0, channel.limits.burst_cycles, 1.0)))
        )
        if after is not None:
            after(i, channel)
        i.changed(channel)

    def query(i: Any, c: int, word: str | None) -> str:
        channel = i.channel(c)
        return show(channel.settings.cycles if word is None else within(i, word, 1.0, channel.limits.burst_cycles, 1.0))

    return Command(pattern, write=write, query=query, takes=(Quantity(),), asks=(Extremes(),))
