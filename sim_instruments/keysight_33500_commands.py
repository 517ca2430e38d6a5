"""SOURce commands of the 33500 and 33600 series, after their SCPI reference from memory, to be checked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from .keysight_33500_sweeps import SWEEP_COMMANDS
from .pulse_arbs import arb_commands
from .pulse_channel import PulseChannel
from .pulse_levels import (
    FUNCTIONS,
    amplitude_command,
    apply_commands,
    set_high,
    set_low,
    set_unit,
)
from .pulse_modulation_commands import modulation_commands
from .pulse_parameters import choice
from .pulse_setting_commands import angle, number, stored, turned_off
from .pulse_settings import MODULATIONS
from .pulse_shape_commands import (
    cycles_command,
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
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Switch
from .scpi_settings import show_switch

SOURCE = ":SOURce<c>"
_GAP_SECONDS = 1e-6
"""Between the end of a burst and the next that is started internally, at least (user's guide of the 33220A)."""


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


def fit_burst(i: Any, channel: PulseChannel) -> None:
    """Internally started bursts need an end, and a period in which they fit; what had to change is reported as -221."""
    settings = channel.settings
    if not settings.is_burst or settings.burst_mode != "TRIG" or settings.trigger_source != "IMM":
        return
    if math.isinf(settings.cycles):
        settings.trigger_source = "BUS"
        i.status.report(ScpiError(-221, "Settings conflict; infinite burst changed trigger source to BUS"))
        return
    needed = settings.cycles * settings.period + _GAP_SECONDS
    if settings.function in ("SIN", "SQU", "TRI", "RAMP", "PULS") and settings.burst_period < needed:
        settings.burst_period = needed
        i.status.report(ScpiError(-221, "Settings conflict; burst period increased to fit entire burst"))


def _burst_switch(pattern: str) -> Command:
    """BURSt:STATe: ends sweeps and modulations; not for DC."""

    def write(i: Any, c: int, is_on: bool) -> None:
        channel = i.channel(c)
        if is_on and channel.settings.function == "DC":
            raise ScpiError(-221, "Settings conflict; not able to burst this function")
        if is_on:
            turned_off(i, channel, but="burst")
        channel.settings.is_burst = is_on
        fit_burst(i, channel)
        i.changed(channel)

    return Command(
        pattern, write=write, query=lambda i, c: show_switch(i.channel(c).settings.is_burst), takes=(Switch(),)
    )


def _feed(pattern: str) -> Command:
    """COMBine:FEED: the other channel's waveform is added to this output."""

    def write(i: Any, c: int, word: str) -> None:
        if word == f"CH{c}":
            raise ScpiError(-224)
        i.channel(c).settings.feed = word
        i.add_outputs({ch.number: int(ch.settings.feed[2]) for ch in i.channels if ch.settings.feed != "NONE"})

    words = Choice("CH1", "CH2", "NONE")
    return Command(pattern, write=write, query=lambda i, c: i.channel(c).settings.feed, takes=(words,))


def _track(pattern: str) -> Command:
    """TRACk: the other channel does what this one does, or its mirror image."""

    def write(i: Any, c: int, word: str) -> None:
        channel = i.channel(c)
        i.coupling.tracked = 0 if word in ("OFF", "0") else c
        i.coupling.is_inverse = word == "INV"
        i.changed(channel)

    def query(i: Any, c: int) -> str:
        return "OFF" if i.coupling.tracked != c else "INV" if i.coupling.is_inverse else "ON"

    return Command(pattern, write=write, query=query, takes=(_TrackWord(),))


class _TrackWord(Choice):
    """ON, OFF, INVerted, 1 or 0."""

    def __init__(self) -> None:
        super().__init__("ON", "OFF", "INVerted")

    def parse(self, token: str, instrument: Any) -> str:
        """The word."""
        return super().parse({"1": "ON", "0": "OFF"}.get(token, token), instrument)


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

_SHAPES: tuple[Command, ...] = (
    function_command(f"{SOURCE}:FUNCtion[:SHAPe]", FUNCTIONS),
    *_PULSES,
    number(f"{SOURCE}:FUNCtion:SQUare:DCYCle", "square_duty", ("PCT", "%"), 0.01, 99.99, 50.0),
    period_command(f"{SOURCE}:FUNCtion:SQUare:PERiod"),
    number(f"{SOURCE}:FUNCtion:RAMP:SYMMetry", "symmetry", ("PCT", "%"), 0.0, 100.0, 100.0),
    number(f"{SOURCE}:FUNCtion:PRBS:BRATe", "bit_rate", ("BPS", "HZ"), 1e-3, 200e6, 1e3),
    choice(
        f"{SOURCE}:FUNCtion:PRBS:DATA",
        Choice("PN7", "PN9", "PN11", "PN15", "PN20", "PN23"),
        lambda c: f"PN{c.settings.prbs_length}",
        lambda c, word: setattr(c.settings, "prbs_length", int(word[2:])),
    ),
    number(f"{SOURCE}:FUNCtion:PRBS:TRANsition[:BOTH]", "bit_edge", ("S",), 2.9e-9, 1e-6, 8.4e-9),
    number(f"{SOURCE}:FUNCtion:NOISe:BANDwidth", "noise_hertz", ("HZ",), 1e-3, 120e6, 100e3),
)
_LEVELS: tuple[Command, ...] = (
    amplitude_command(f"{_VOLTAGE}[:LEVel][:IMMediate][:AMPLitude]"),
    offset_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:OFFSet"),
    side_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:HIGH", set_high, high_of),
    side_command(f"{_VOLTAGE}[:LEVel][:IMMediate]:LOW", set_low, low_of),
    number(f"{_VOLTAGE}:LIMit:HIGH", "limit_high", ("V",), -10.0, 10.0, 10.0),
    number(f"{_VOLTAGE}:LIMit:LOW", "limit_low", ("V",), -10.0, 10.0, -10.0),
    stored(f"{_VOLTAGE}:LIMit:STATe", "is_limited", Switch()),
    stored(f"{_VOLTAGE}:RANGe:AUTO", "is_auto_range", Switch()),
    choice(f"{_VOLTAGE}:UNIT", Choice("VPP", "VRMS", "DBM"), lambda channel: channel.settings.unit, set_unit),
)
_BURSTS: tuple[Command, ...] = (
    _burst_switch(f"{_BURST}:STATe"),
    stored(f"{_BURST}:MODE", "burst_mode", Choice("TRIGgered", "GATed")),
    cycles_command(f"{_BURST}:NCYCles", fit_burst),
    angle(f"{_BURST}:PHASe", "burst_phase"),
    number(f"{_BURST}:INTernal:PERiod", "burst_period", ("S",), 1e-6, 8e3, 10e-3),
    stored(f"{_BURST}:GATE:POLarity", "gate_polarity", Choice("NORMal", "INVerted")),
)
_PHASES: tuple[Command, ...] = (
    angle(f"{SOURCE}:PHASe[:ADJust]", "phase"),
    Command(f"{SOURCE}:PHASe:SYNChronize", write=lambda i, c: i.apply_all()),
    Command(f"{SOURCE}:PHASe:REFerence", write=lambda i, c: setattr(i.channel(c).settings, "phase", 0.0)),
)
_SOURCE_COMMANDS: tuple[Command, ...] = (
    *_SHAPES,
    frequency_command(f"{SOURCE}:FREQuency[:CW]"),
    frequency_command(f"{SOURCE}:FREQuency:FIXed"),
    *SWEEP_COMMANDS,
    *_LEVELS,
    *_PHASES,
    *_BURSTS,
    *modulation_commands(
        lambda node, rest: f"{SOURCE}:{node}{rest}", *MODULATIONS, sources=("INTernal", "EXTernal", "CH1", "CH2")
    ),
    _feed(f"{SOURCE}:COMBine:FEED"),
    _track(f"{SOURCE}:TRACk[:STATe]"),
    *apply_commands(f"{SOURCE}:APPLy", FUNCTIONS),
    *arb_commands(SOURCE),
)

SOURCE_COMMANDS = implied(_SOURCE_COMMANDS)
"""Everything under SOURce, with and without it."""
