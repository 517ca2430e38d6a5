"""Waveforms, levels and frequencies of the 81160A; each header with its suffix where public programs have it."""

from __future__ import annotations

import math
from typing import Any

from .keysight_33500_files import FILE_COMMANDS
from .keysight_33500_sweeps import ends_commands, mode_command, sweep_switch
from .keysight_81160a_data import DATA_COMMANDS
from .keysight_81160a_output import CURRENT_COMMANDS, OUTPUT_COMMANDS
from .keysight_81160a_pattern import PATTERN_COMMANDS
from .keysight_81160a_triggers import TRIGGER_COMMANDS
from .pulse_channel import PulseChannel
from .pulse_levels import amplitude_command, apply_commands, fit_pulse, set_high, set_low, set_unit, widest
from .pulse_modulation_commands import modulation_commands
from .pulse_output_commands import INITIATE_COMMANDS, SYSTEM_COMMANDS
from .pulse_parameters import Extremes, Quantity, Value, choice, quantity, show, within
from .pulse_setting_commands import accepted, angle, keep, keep_each, number, stored
from .pulse_shape_commands import (
    duty_command,
    edge_command,
    frequency_command,
    function_command,
    high_of,
    low_of,
    offset_command,
    period_command,
    side_command,
    width_command,
)
from .scpi import Command
from .scpi_parameters import Choice, Number, Parameter, Switch, parse_number
from .scpi_settings import show_switch

FUNCTIONS = ("SINusoid", "SQUare", "RAMP", "PULSe", "NOISe", "DC", "USER")
_MOST_HERTZ = 500e6
_MOST_DELAY = 1000.0
_PLACES = ((":FUNCtion<c>:PULSe", ""), (":FUNCtion:PULSe", "<c>"), (":PULSe", "<c>"))
"""Where the pulse commands are, and where the channel's number stands."""


class _Delay(Parameter):
    """Seconds, or PCT, DEG or RAD of the period; parses to (value, unit or None)."""

    def parse(self, token: str, instrument: Any) -> tuple[Value, str | None]:
        """The value in its unit."""
        for unit in ("PCT", "DEG", "RAD"):
            if token.upper().endswith(unit):
                return parse_number(token, unit), unit
        return Quantity("S").parse(token, instrument), None


_PERIODS = {"PCT": 0.01, "DEG": 1 / 360, "RAD": 1 / (2 * math.pi)}


def _delay(pattern: str) -> Command:
    def write(i: Any, c: int, told: tuple[Value, str | None]) -> None:
        channel, (value, unit) = i.channel(c), told
        if isinstance(value, float) and unit is not None:
            value *= _PERIODS[unit] * channel.settings.period
        channel.settings.delay = within(i, value, 0.0, _MOST_DELAY, 0.0)
        i.changed(channel)

    def query(i: Any, c: int, word: str | None) -> str:
        delay = i.channel(c).settings.delay
        return show(delay if word is None else within(i, word, 0.0, _MOST_DELAY, 0.0))

    return Command(pattern, write=write, query=query, takes=(_Delay(),), asks=(Extremes(),))


def _trailing_delay(pattern: str) -> Command:
    """PULSe:TDELay: the end of the pulse, counted like its delay."""

    def put(channel: PulseChannel, seconds: float) -> None:
        least = channel.limits.width_seconds
        channel.settings.set_width(min(max(seconds - channel.settings.delay, least), widest(channel)))
        fit_pulse(channel)

    def get(channel: PulseChannel) -> float:
        return channel.settings.delay + channel.settings.width

    return quantity(pattern, ("S",), get, put, lambda c: (c.limits.width_seconds, _MOST_DELAY, 1e-6))


def _edges(pattern: str) -> tuple[Command, ...]:
    """TRANsition: the trailing edge follows the leading one until it is set by itself."""

    def follow(channel: PulseChannel, is_automatic: bool) -> None:
        channel.settings.is_trailing_automatic = is_automatic
        if is_automatic:
            channel.settings.trailing = channel.settings.leading

    leading, trailing = edge_command(f"{pattern}[:LEADing]", "leading"), edge_command(f"{pattern}:TRAiling", "trailing")

    def write_leading(i: Any, c: int, value: Value) -> None:
        assert leading.write is not None
        leading.write(i, c, value)
        settings = i.channel(c).settings
        if settings.is_trailing_automatic:
            settings.trailing = settings.leading
            i.changed(i.channel(c))

    def write_trailing(i: Any, c: int, value: Value) -> None:
        assert trailing.write is not None
        i.channel(c).settings.is_trailing_automatic = False
        trailing.write(i, c, value)

    return (
        Command(leading.pattern, write=write_leading, query=leading.query, takes=leading.takes, asks=leading.asks),
        Command(trailing.pattern, write=write_trailing, query=trailing.query, takes=trailing.takes, asks=trailing.asks),
        choice(f"{pattern}:TRAiling:AUTO", Switch(), lambda c: c.settings.is_trailing_automatic, follow, show_switch),
        keep_each(f"{pattern}:HOLD", "transition hold", Choice("TIME", "WRATio"), "TIME"),
        keep_each(f"{pattern}:UNIT", "transition unit", Choice("S", "PCT"), "S"),
    )


def _double(pattern: str) -> tuple[Command, ...]:
    """PULSe:DOUBle: a second pulse in each period."""

    def switch(channel: PulseChannel, is_on: bool) -> None:
        channel.settings.double_delay = channel.settings.period / 2 if is_on else None

    def put(channel: PulseChannel, seconds: float) -> None:
        channel.settings.double_delay = seconds

    def get(channel: PulseChannel) -> float:
        delay = channel.settings.double_delay
        return channel.settings.period / 2 if delay is None else delay

    return (
        choice(f"{pattern}[:STATe]", Switch(), lambda c: c.settings.double_delay is not None, switch, show_switch),
        quantity(f"{pattern}:DELay", ("S",), get, put, lambda c: (c.limits.width_seconds, c.settings.period, 0.0)),
    )


def _pulses() -> tuple[Command, ...]:
    found: list[Command] = []
    for place, c in _PLACES:
        before = f"[:SOURce]{place}"
        found += [
            period_command(f"{before}:PERiod{c}"),
            frequency_command(f"{before}:FREQuency{c}"),
            width_command(f"{before}:WIDTh{c}"),
            duty_command(f"{before}:DCYCle{c}"),
            stored(f"{before}:HOLD{c}", "hold", Choice("WIDTh", "DCYCle", "TDELay")),
            *_edges(f"{before}:TRANsition{c}"),
            _delay(f"{before}:DELay{c}"),
            keep_each(f"{before}:DELay{c}:HOLD", "delay hold", Choice("TIME", "PRATio"), "TIME"),
            keep_each(f"{before}:DELay{c}:UNIT", "delay unit", Choice("S", "PCT", "DEG", "RAD"), "S"),
            _trailing_delay(f"{before}:TDELay{c}"),
            *_double(f"{before}:DOUBle{c}"),
        ]
    return tuple(found)


_VOLTAGE = "[:SOURce]:VOLTage<c>"
_LEVELS: tuple[Command, ...] = (
    amplitude_command(f"{_VOLTAGE}[:LEVel][:IMMediate][:AMPLitude]"),
    offset_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:OFFSet"),
    side_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:HIGH", set_high, high_of),
    side_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:LOW", set_low, low_of),
    number(f"{_VOLTAGE}:LIMit[:HIGH]", "limit_high", ("V",), -10.0, 10.0, 10.0),
    number(f"{_VOLTAGE}:LIMit:LOW", "limit_low", ("V",), -10.0, 10.0, -10.0),
    stored(f"{_VOLTAGE}:LIMit:STATe", "is_limited", Switch()),
    stored(f"{_VOLTAGE}:RANGe:AUTO", "is_auto_range", Switch()),
    choice(f"{_VOLTAGE}:UNIT", Choice("VPP", "VRMS", "DBM"), lambda channel: channel.settings.unit, set_unit),
)
_FREQUENCY = "[:SOURce]:FREQuency<c>"
_FREQUENCIES: tuple[Command, ...] = (
    frequency_command(f"{_FREQUENCY}[:CW]"),
    frequency_command(f"{_FREQUENCY}:FIXed"),
    mode_command(f"{_FREQUENCY}:MODE", "CW", "SWEep", "FIXed"),
    *ends_commands(_FREQUENCY, _MOST_HERTZ),
    *ends_commands("[:SOURce]:FREQuency", _MOST_HERTZ, "<c>"),
    sweep_switch("[:SOURce]:SWEep<c>:STATe"),
    stored("[:SOURce]:SWEep<c>:SPACing", "sweep.spacing", Choice("LINear", "LOGarithmic")),
    number("[:SOURce]:SWEep<c>:TIME", "sweep.seconds", ("S",), 1e-3, 500.0, 1.0),
    keep_each("[:SOURce]:SWEep<c>:IDLE", "sweep idle", Choice("STARt", "STOP", "FIRSt", "LAST"), "STAR"),
    number("[:SOURce]:MARKer<c>:FREQuency", "sweep.marker_hertz", ("HZ",), 1e-6, _MOST_HERTZ, 500.0),
    stored("[:SOURce]:MARKer<c>[:STATe]", "sweep.is_marker_on", Switch()),
)


def _erase(i: Any, is_on: bool) -> None:
    if is_on:
        i.erase()


_SYSTEM: tuple[Command, ...] = (
    Command("*LRN", query=lambda i: i.learn(), is_indefinite=True),
    Command(":SYSTem:SECurity[:STATe]", write=_erase, query=lambda i: "0", takes=(Switch(),)),
    Command(":SYSTem:WARNing[:COUNt]", query=lambda i: "0"),
    Command(":SYSTem:WARNing:STRing", query=lambda i: '""'),
    Command(":SYSTem:LICense", query=lambda i: f'"{i.options}"'),
    Command(":CALibration[:ALL]", write=accepted, query=lambda i: "0"),
    keep(":ROSCillator:EXTernal:FREQuency", "clock frequency", Number("HZ", 1e6, 100e6), "10000000"),
    keep(":DISPlay[:WINDow][:STATe]", "display", Switch(), "1"),
)

COMMANDS: tuple[Command, ...] = (
    *SYSTEM_COMMANDS,
    *_SYSTEM,
    *FILE_COMMANDS,
    function_command("[:SOURce]:FUNCtion<c>[:SHAPe]", FUNCTIONS),
    *_pulses(),
    number("[:SOURce]:FUNCtion<c>:SQUare:DCYCle", "square_duty", ("PCT", "%"), 0.0001515, 99.9998485, 50.0),
    number("[:SOURce]:FUNCtion<c>:RAMP:SYMMetry", "symmetry", ("PCT", "%"), 0.0, 100.0, 100.0),
    keep_each(
        "[:SOURce]:FUNCtion<c>:NOISe:PDFunction", "noise", Choice("VLOW", "LOW", "MEDium", "HIGH", "UDEFined"), "VLOW"
    ),
    *_FREQUENCIES,
    *_LEVELS,
    *CURRENT_COMMANDS,
    angle("[:SOURce]:PHASe<c>[:ADJust]", "phase"),
    Command("[:SOURce]:PHASe:SYNChronize", write=lambda i: i.apply_all()),
    *TRIGGER_COMMANDS,
    *OUTPUT_COMMANDS,
    *modulation_commands(
        lambda node, rest: f"[:SOURce]:{node}<c>{rest}",
        *("AM", "FM", "PM", "FSK", "PWM"),
        sources=("INTernal", "INT1", "INT2", "EXTernal", "CH1", "CH2"),
    ),
    *apply_commands("[:SOURce]:APPLy<c>", FUNCTIONS),
    *INITIATE_COMMANDS,
    *PATTERN_COMMANDS,
    *DATA_COMMANDS,
)
"""The whole tree."""
