"""SOURce commands of the 33500 and 33600 series, from memory of their SCPI reference, to be checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .pulse_arbs import arb_commands
from .pulse_channel import PulseChannel
from .pulse_levels import (
    FUNCTIONS,
    amplitude_command,
    apply_commands,
    hertz_reach,
    level_reach,
    offset_reach,
    refusing,
    select_function,
    set_hertz,
    set_high,
    set_low,
    set_offset,
    set_unit,
    widest,
)
from .pulse_parameters import Extremes, Quantity, Value, choice, quantity, show, show_volts, within
from .scpi import Command
from .scpi_parameters import Choice, Parameter, Switch
from .scpi_settings import show_switch

SOURCE = ":SOURce<c>"
_MOST_CYCLES = 1e8


def stored(pattern: str, name: str, parameter: Parameter, tell: Any = None) -> Command:
    """Command and query of the channel's setting `name` (dotted); acts on the world as far as the channel uses it."""
    owner, _, last = name.rpartition(".")
    tell = tell or (show_switch if isinstance(parameter, Switch) else str)

    def own(channel: PulseChannel) -> Any:
        return getattr(channel.settings, owner) if owner else channel.settings

    return choice(
        pattern,
        parameter,
        lambda channel: getattr(own(channel), last),
        lambda channel, value: setattr(own(channel), last, value),
        tell,
    )


def number(pattern: str, name: str, units: tuple[str, ...], low: float, high: float, default: float) -> Command:
    """Command and query of the channel's number `name` (dotted), between fixed limits."""
    owner, _, last = name.rpartition(".")

    def own(channel: PulseChannel) -> Any:
        return getattr(channel.settings, owner) if owner else channel.settings

    return quantity(
        pattern,
        units,
        lambda channel: float(getattr(own(channel), last)),
        lambda channel, value: setattr(own(channel), last, value),
        lambda channel: (low, high, default),
    )


def implied(commands: Iterable[Command]) -> tuple[Command, ...]:
    """The commands, and the same without SOURce, which then mean channel 1."""
    found: list[Command] = []
    for command in commands:
        found.append(command)
        if command.pattern.startswith(SOURCE):
            found.append(_for_channel_one(command))
    return tuple(found)


def _for_channel_one(command: Command) -> Command:
    write, query = command.write, command.query
    return Command(
        command.pattern.removeprefix(SOURCE),
        write=None if write is None else lambda i, *values: write(i, 1, *values),
        query=None if query is None else lambda i, *values: query(i, 1, *values),
        takes=command.takes,
        asks=command.asks,
    )


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

    return quantity(
        pattern,
        ("S",),
        lambda c: float(c.settings.period),
        lambda c, seconds: set_hertz(c, 1 / seconds),
        reach,
    )


def width_command(pattern: str) -> Command:
    """PULSe:WIDTh."""
    return quantity(
        pattern,
        ("S",),
        lambda c: float(c.settings.width),
        lambda c, seconds: c.settings.set_width(seconds),
        lambda c: (c.limits.width_seconds, widest(c), min(100e-6, widest(c))),
    )


def duty_command(pattern: str) -> Command:
    """PULSe:DCYCle."""
    return quantity(
        pattern,
        ("PCT", "%"),
        lambda c: float(c.settings.duty),
        lambda c, percent: c.settings.set_duty(percent),
        lambda c: (100 * c.limits.width_seconds / c.settings.period, 100 * widest(c) / c.settings.period, 10.0),
    )


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


def cycles_command(pattern: str) -> Command:
    """BURSt:NCYCles, with INFinity."""

    def write(i: Any, c: int, value: Value) -> None:
        channel = i.channel(c)
        is_endless = value == "INF" or (isinstance(value, float) and value >= 9.9e37)
        channel.settings.cycles = math.inf if is_endless else float(round(within(i, value, 1.0, _MOST_CYCLES, 1.0)))
        i.changed(channel)

    def query(i: Any, c: int, word: str | None) -> str:
        return show(i.channel(c).settings.cycles if word is None else within(i, word, 1.0, _MOST_CYCLES, 1.0))

    return Command(pattern, write=write, query=query, takes=(Quantity(),), asks=(Extremes(),))


_PULSE_NODES = (f"{SOURCE}:FUNCtion:PULSe", f"{SOURCE}:PULSe")
_PULSES = tuple(
    command
    for node in _PULSE_NODES
    for command in (
        period_command(f"{node}:PERiod"),
        width_command(f"{node}:WIDTh"),
        duty_command(f"{node}:DCYCle"),
        stored(f"{node}:HOLD", "hold", Choice("WIDTh", "DCYCle")),
        edge_command(f"{node}:TRANsition[:LEADing]", "leading"),
        edge_command(f"{node}:TRANsition:TRAiling", "trailing"),
        edge_command(f"{node}:TRANsition:BOTH", "leading", "trailing"),
        number(f"{node}:DELay", "delay", ("S",), 0.0, 1000.0, 0.0),
    )
)
_VOLTAGE = f"{SOURCE}:VOLTage"
_BURST = f"{SOURCE}:BURSt"
_SWEEP = f"{SOURCE}:SWEep"
_MODULATIONS = ("AM", "FM", "PM", "FSKey", "BPSK", "PWM", "SUM")

_SOURCE_COMMANDS: tuple[Command, ...] = (
    function_command(f"{SOURCE}:FUNCtion", FUNCTIONS),
    *_PULSES,
    number(f"{SOURCE}:FUNCtion:SQUare:DCYCle", "square_duty", ("PCT", "%"), 0.01, 99.99, 50.0),
    period_command(f"{SOURCE}:FUNCtion:SQUare:PERiod"),
    number(f"{SOURCE}:FUNCtion:RAMP:SYMMetry", "symmetry", ("PCT", "%"), 0.0, 100.0, 100.0),
    number(f"{SOURCE}:FUNCtion:PRBS:BRATe", "bit_rate", ("BPS", "HZ"), 1e-3, 200e6, 1e3),
    frequency_command(f"{SOURCE}:FREQuency[:CW]"),
    frequency_command(f"{SOURCE}:FREQuency:FIXed"),
    stored(f"{SOURCE}:FREQuency:MODE", "sweep.mode", Choice("CW", "LIST", "SWEep", "FIXed")),
    number(f"{SOURCE}:FREQuency:STARt", "sweep.start_hertz", ("HZ",), 1e-6, 120e6, 100.0),
    number(f"{SOURCE}:FREQuency:STOP", "sweep.stop_hertz", ("HZ",), 1e-6, 120e6, 1e3),
    number(f"{SOURCE}:MARKer:FREQuency", "sweep.marker_hertz", ("HZ",), 1e-6, 120e6, 500.0),
    amplitude_command(f"{_VOLTAGE}[:LEVel][:IMMediate][:AMPLitude]"),
    offset_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:OFFSet"),
    side_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:HIGH", set_high, high_of),
    side_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:LOW", set_low, low_of),
    number(f"{_VOLTAGE}:LIMit:HIGH", "limit_high", ("V",), -10.0, 10.0, 10.0),
    number(f"{_VOLTAGE}:LIMit:LOW", "limit_low", ("V",), -10.0, 10.0, -10.0),
    stored(f"{_VOLTAGE}:LIMit:STATe", "is_limited", Switch()),
    stored(f"{_VOLTAGE}:RANGe:AUTO", "is_auto_range", Switch()),
    choice(
        f"{_VOLTAGE}:UNIT",
        Choice("VPP", "VRMS", "DBM"),
        lambda channel: channel.settings.unit,
        set_unit,
    ),
    number(f"{SOURCE}:PHASe[:ADJust]", "phase", ("DEG", "RAD", "S"), -360.0, 360.0, 0.0),
    Command(f"{SOURCE}:PHASe:SYNChronize", write=lambda i, c: i.apply_all()),
    Command(f"{SOURCE}:PHASe:REFerence", write=lambda i, c: setattr(i.channel(c).settings, "phase", 0.0)),
    stored(f"{_BURST}:STATe", "is_burst", Switch()),
    stored(f"{_BURST}:MODE", "burst_mode", Choice("TRIGgered", "GATed")),
    cycles_command(f"{_BURST}:NCYCles"),
    number(f"{_BURST}:PHASe", "burst_phase", ("DEG", "RAD", "S"), -360.0, 360.0, 0.0),
    number(f"{_BURST}:INTernal:PERiod", "burst_period", ("S",), 1e-6, 8e3, 10e-3),
    stored(f"{_BURST}:GATE:POLarity", "gate_polarity", Choice("NORMal", "INVerted")),
    stored(f"{_SWEEP}:STATe", "sweep.is_on", Switch()),
    stored(f"{_SWEEP}:SPACing", "sweep.spacing", Choice("LINear", "LOGarithmic")),
    number(f"{_SWEEP}:TIME", "sweep.seconds", ("S",), 1e-3, 250e3, 1.0),
    number(f"{_SWEEP}:HTIMe", "sweep.hold_seconds", ("S",), 0.0, 3600.0, 0.0),
    number(f"{_SWEEP}:RTIMe", "sweep.return_seconds", ("S",), 0.0, 3600.0, 0.0),
    *(refusing(f"{SOURCE}:{name}:STATe") for name in _MODULATIONS),
    *apply_commands(f"{SOURCE}:APPLy", FUNCTIONS),
    *arb_commands(SOURCE),
)

SOURCE_COMMANDS = implied(_SOURCE_COMMANDS)
"""Everything under SOURce, with and without it."""
