"""Outputs, levels as currents, and couplings of the 81160A."""

from __future__ import annotations

from typing import Any

from .accuracy_keysight_pulse import LOW_OHMS, SOURCE_OHMS
from .pulse_channel import PulseChannel
from .pulse_levels import (
    amplitude_reach,
    level_reach,
    offset_reach,
    set_amplitude,
    set_high,
    set_low,
    set_offset,
)
from .pulse_output_commands import SYNC_COMMANDS, load_command
from .pulse_parameters import Extremes, Quantity, Value, show, show_volts, within
from .pulse_setting_commands import keep, keep_each, stored
from .pulse_shape_commands import high_of, low_of
from .scpi import Command
from .scpi_parameters import Choice, Switch
from .scpi_settings import show_switch

_LEAST_LOAD, _MOST_LOAD = 0.3, 1e6


def _set_source_ohms(i: Any, c: int, value: Value) -> None:
    """OUTPut:IMPedance: 50 or 5 ohm; the levels that are told stay as they are."""
    channel = i.channel(c)
    settings = channel.settings
    ohms = within(i, value, LOW_OHMS, SOURCE_OHMS, SOURCE_OHMS)
    low, high = low_of(channel), high_of(channel)
    settings.source_ohms = LOW_OHMS if ohms < (LOW_OHMS * SOURCE_OHMS) ** 0.5 else SOURCE_OHMS
    settings.set_levels(low, high)
    i.changed(channel)


def _impedance(pattern: str) -> Command:
    def query(i: Any, c: int, word: str | None) -> str:
        ohms = i.channel(c).settings.source_ohms
        return show(ohms if word is None else within(i, word, LOW_OHMS, SOURCE_OHMS, SOURCE_OHMS))

    return Command(pattern, write=_set_source_ohms, query=query, takes=(Quantity("OHM"),), asks=(Extremes(),))


def _ohms(channel: PulseChannel) -> float:
    """What turns displayed volts into amperes: the load, as large as it can be told if it is endless."""
    return float(min(channel.settings.load, _MOST_LOAD))


def _current(name: str, get: Any, put: Any, reach: Any) -> Command:
    """A level in amperes into the load that is told."""

    def write(i: Any, c: int, value: Value) -> None:
        channel = i.channel(c)
        ohms = _ohms(channel)
        low, high, default = (volts / ohms for volts in reach(channel))
        put(i, channel, within(i, value, low, high, default) * ohms)
        i.changed(channel)

    def query(i: Any, c: int, word: str | None) -> str:
        channel = i.channel(c)
        volts = get(channel) if word is None else within(i, word, *reach(channel))
        return show_volts(volts / _ohms(channel))

    pattern = f":CURRent<c>[:LEVel][:IMMediate]{name}"
    return Command(pattern, write=write, query=query, takes=(Quantity("A"),), asks=(Extremes(),))


def _current_limit(name: str, attribute: str) -> Command:
    def write(i: Any, c: int, value: Value) -> None:
        channel = i.channel(c)
        setattr(channel.settings, attribute, within(i, value, -0.4, 0.4, 0.4) * _ohms(channel))
        i.changed(channel)

    def query(i: Any, c: int) -> str:
        channel = i.channel(c)
        return show_volts(getattr(channel.settings, attribute) / _ohms(channel))

    return Command(f":CURRent<c>:LIMit{name}", write=write, query=query, takes=(Quantity("A"),))


CURRENT_COMMANDS: tuple[Command, ...] = (
    _current(
        "[:AMPLitude]",
        lambda channel: channel.settings.amplitude,
        lambda i, channel, volts: set_amplitude(i, channel, volts, "VPP"),
        amplitude_reach,
    ),
    _current(
        ":OFFSet",
        lambda channel: channel.settings.offset,
        lambda i, channel, volts: set_offset(channel, volts),
        offset_reach,
    ),
    _current(":HIGH", high_of, set_high, level_reach),
    _current(":LOW", low_of, set_low, level_reach),
    _current_limit("[:HIGH]", "limit_high"),
    _current_limit(":LOW", "limit_low"),
    stored(":CURRent<c>:LIMit:STATe", "is_limited", Switch()),
    keep_each(":HOLD<c>", "hold", Choice("VOLT", "CURR"), "VOLT"),
)


def _set_tracking(i: Any, c: int, is_on: bool) -> None:
    channel = i.channel(c)
    if is_on:
        i.coupling.tracked = c
    elif i.coupling.tracked == c:
        i.coupling.tracked = 0
    i.changed(channel)


def _is_tracked(i: Any, c: int) -> str:
    i.channel(c)
    return show_switch(i.coupling.tracked == c)


def _set_addition(i: Any, word: str) -> None:
    i.stored["math"] = word
    i.add_outputs({1: 2} if word == "PLUS" else {})


def _set_frequency_coupling(i: Any, is_on: bool) -> None:
    i.coupling.frequency.is_on = i.coupling.are_levels_equal = is_on
    i.changed(i.channels[0])


OUTPUT_COMMANDS: tuple[Command, ...] = (
    stored(":OUTPut<c>[:STATe]", "is_on", Switch()),
    stored(":OUTPut<c>:NORMal[:STATe]", "is_on", Switch()),
    stored(":OUTPut<c>:COMPlement[:STATe]", "is_complement_on", Switch()),
    stored(":OUTPut<c>:POLarity", "polarity", Choice("NORMal", "INVerted")),
    load_command(":OUTPut<c>:LOAD", _LEAST_LOAD, _MOST_LOAD),
    load_command(":OUTPut<c>:IMPedance:EXTernal", _LEAST_LOAD, _MOST_LOAD),
    _impedance(":OUTPut<c>:IMPedance[:INTernal]"),
    keep_each(":OUTPut<c>:ROUTe", "route", Choice("HIVoltage", "HIBandwidth"), "HIV"),
    *SYNC_COMMANDS,
    keep(":OUTPut:STRobe[:STATe]", "strobe", Switch(), "1"),
    Command(":TRACk:CHANnel<c>", write=_set_tracking, query=_is_tracked, takes=(Switch(),)),
    Command(
        ":CHANnel:MATH",
        write=_set_addition,
        query=lambda i: i.stored.get("math", "OFF"),
        takes=(Choice("OFF", "PLUS"),),
    ),
    Command(
        ":COUPling[:STATe]",
        write=_set_frequency_coupling,
        query=lambda i: show_switch(i.coupling.frequency.is_on),
        takes=(Switch(),),
    ),
)
"""Outputs and couplings."""
