"""ARM, TRIGger and BURSt of the 81160A."""

from __future__ import annotations

from typing import Any

from .pulse_channel import PulseChannel
from .pulse_output_commands import force
from .pulse_parameters import choice, quantity
from .pulse_setting_commands import angle, keep_each, keep_number, number, stored, turned_off
from .pulse_shape_commands import cycles_command
from .scpi import Command
from .scpi_parameters import Choice, Switch
from .scpi_settings import show_switch

_SOURCES = {"IMM": "IMM", "INT": "TIM", "INT1": "IMM", "INT2": "TIM", "EXT": "EXT", "MAN": "BUS", "BUS": "BUS"}
_NAMES = {"IMM": "IMM", "TIM": "INT2", "EXT": "EXT", "BUS": "MAN"}
_SENSES = {"EDGE": "TRIG", "LEV": "GAT"}
_ARM = ":ARM[:SEQuence][:STARt][:LAYer]"
_SLOPES = ("POSitive", "NEGative", "EITHer")
_MOST_CYCLES = 2.147483647e9
_LEAST_PERIOD, _MOST_PERIOD = 3.03e-9, 1e6


def _arm_source(pattern: str) -> Command:
    """ARM:SOURce: IMMediate is free running; INTernal2, EXTernal and MANual start what COUNt or NCYCles say."""
    words = Choice("IMMediate", "INTernal", "INTernal1", "INTernal2", "INT1", "INT2", "EXTernal", "MANual", "BUS")
    return choice(
        pattern,
        words,
        lambda channel: channel.settings.trigger_source,
        lambda channel, word: setattr(channel.settings, "trigger_source", _SOURCES[word]),
        lambda source: _NAMES[source],
    )


def _arm_sense(pattern: str) -> Command:
    """ARM:SENSe: EDGE starts cycles, LEVel gates."""
    return choice(
        pattern,
        Choice("EDGE", "LEVel"),
        lambda channel: "LEV" if channel.settings.burst_mode == "GAT" else "EDGE",
        lambda channel, word: setattr(channel.settings, "burst_mode", _SENSES[word]),
    )


def _set_period(channel: PulseChannel, seconds: float) -> None:
    channel.settings.burst_period = channel.settings.trigger_timer = seconds


def _period(pattern: str) -> Command:
    """Period of the internal trigger, which is the burst period too."""
    reach = (_LEAST_PERIOD, _MOST_PERIOD, 1e-3)
    return quantity(pattern, ("S",), lambda c: float(c.settings.burst_period), _set_period, lambda _: reach)


def _frequency(pattern: str) -> Command:
    def put(channel: PulseChannel, hertz: float) -> None:
        _set_period(channel, 1 / hertz)

    reach = (1 / _MOST_PERIOD, 1 / _LEAST_PERIOD, 1e3)
    return quantity(pattern, ("HZ",), lambda c: 1 / float(c.settings.burst_period), put, lambda _: reach)


def _count(pattern: str) -> Command:
    """TRIGger:COUNt: more than one cycle is a burst (PyMeasure's class says so)."""

    def get(channel: PulseChannel) -> float:
        return channel.settings.cycles if channel.settings.is_burst else channel.settings.trigger_count

    def put(channel: PulseChannel, count: float) -> None:
        settings = channel.settings
        settings.trigger_count = settings.cycles = float(round(count))
        settings.is_burst = settings.cycles > 1

    return quantity(pattern, ("",), get, put, lambda _: (1.0, _MOST_CYCLES, 1.0))


def _burst_switch(pattern: str) -> Command:
    def write(i: Any, c: int, is_on: bool) -> None:
        channel = i.channel(c)
        if is_on:
            turned_off(i, channel, but="burst")
        channel.settings.is_burst = is_on
        i.changed(channel)

    return Command(
        pattern, write=write, query=lambda i, c: show_switch(i.channel(c).settings.is_burst), takes=(Switch(),)
    )


def _triggers(before: str, after: str) -> tuple[Command, ...]:
    """TRIGger, with the suffix there or at the last node."""
    return (
        _arm_source(f"{before}:SOURce{after}"),
        stored(f"{before}:SLOPe{after}", "trigger_slope", Choice(*_SLOPES)),
        number(f"{before}:DELay{after}", "trigger_delay", ("S",), 0.0, 1000.0, 0.0),
        _count(f"{before}:COUNt{after}"),
        _period(f"{before}:TIMer{after}"),
        number(f"{before}:LEVel{after}", "trigger_level", ("V",), -10.0, 10.0, 1.0),
        keep_number(f"{before}:IMPedance{after}", "trigger impedance", ("OHM",), 50.0, 10e3, 10e3),
    )


TRIGGER_COMMANDS: tuple[Command, ...] = (
    _arm_source(f"{_ARM}:SOURce<c>"),
    _arm_sense(f"{_ARM}:SENSe<c>"),
    stored(f"{_ARM}:SLOPe<c>", "trigger_slope", Choice(*_SLOPES)),
    number(f"{_ARM}:LEVel<c>", "trigger_level", ("V",), -10.0, 10.0, 1.0),
    _period(f"{_ARM}:PERiod<c>"),
    _frequency(f"{_ARM}:FREQuency<c>"),
    stored(f"{_ARM}:EWIDth<c>[:STATe]", "is_external_width", Switch()),
    keep_number(f"{_ARM}:IMPedance<c>", "arm impedance", ("OHM",), 50.0, 10e3, 10e3),
    keep_each(f"{_ARM}:HYSTeresis<c>", "arm hysteresis", Choice("HIGH", "LOW"), "LOW"),
    Command(":ARM:IMMediate", write=lambda i: i.trigger()),
    Command(":TRIGger[:IMMediate]", write=lambda i: i.trigger()),
    Command(":TRIGger<c>[:IMMediate]", write=force),
    *_triggers(":TRIGger<c>", ""),
    *_triggers(":TRIGger", "<c>"),
    _burst_switch(":BURSt<c>:STATe"),
    stored(":BURSt<c>:MODE", "burst_mode", Choice("TRIGgered", "GATed")),
    cycles_command(":BURSt<c>:NCYCles"),
    angle(":BURSt<c>:PHASe", "burst_phase"),
    _period(":BURSt<c>:INTernal:PERiod"),
    _arm_source(":BURSt<c>:SOURce"),
    stored(":BURSt<c>:GATE:POLarity", "gate_polarity", Choice("NORMal", "INVerted")),
)
"""Triggers and bursts."""
