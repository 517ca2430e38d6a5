"""AM, FM, PM, FSKey, BPSK, PWM and SUM commands of the generators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .pulse_channel import PulseChannel
from .pulse_parameters import quantity
from .pulse_setting_commands import angle, can_modulate, number, stored, turned_off
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Switch
from .scpi_settings import show_switch

_HEADERS = {"AM": "AM", "FM": "FM", "PM": "PM", "FSK": "FSKey", "BPSK": "BPSK", "PWM": "PWM", "SUM": "SUM"}
_SHAPES = ("SINusoid", "SQUare", "TRIangle", "RAMP", "NRAMp", "NOISe", "PRBS", "ARBitrary", "USER")
_MOST_HERTZ = 120e6
Header = Callable[[str, str], str]
"""Makes a pattern of a modulation's node, for example FSKey, and what follows it."""


def modulation_commands(header: Header, *kinds: str, sources: tuple[str, ...]) -> tuple[Command, ...]:
    """Commands of these modulations; `sources` are the words that SOURce takes."""
    return tuple(command for kind in kinds for command in _commands(header, kind, sources))


def _commands(header: Header, kind: str, sources: tuple[str, ...]) -> list[Command]:
    node, own = _HEADERS[kind], f"modulations.{kind.lower()}"
    own_rate = "INTernal:RATE" if kind in ("FSK", "BPSK") else "INTernal:FREQuency"

    def of(rest: str) -> str:
        return header(node, rest)

    commands = [
        _switch(of(":STATe"), kind),
        stored(of(":SOURce"), f"{own}.source", Choice(*sources)),
        number(of(f":{own_rate}"), f"{own}.hertz", ("HZ",), 1e-6, _MOST_HERTZ, 10.0),
    ]
    if kind not in ("FSK", "BPSK"):
        commands.append(stored(of(":INTernal:FUNCtion[:SHAPe]"), f"{own}.function", Choice(*_SHAPES)))
    return commands + _amounts(of, kind, f"{own}.amount", own)


def _amounts(of: Callable[[str], str], kind: str, amount: str, own: str) -> list[Command]:
    match kind:
        case "AM":
            depth = number(of(":DEPTh"), amount, ("PCT", "%"), 0.0, 120.0, 100.0)
            return [depth, stored(of(":DSSC"), f"{own}.is_suppressed", Switch())]
        case "FM":
            return [number(of(":DEViation"), amount, ("HZ",), 1e-6, _MOST_HERTZ / 2, 100.0)]
        case "FSK":
            return [number(of(":FREQuency"), amount, ("HZ",), 1e-6, _MOST_HERTZ, 100.0)]
        case "PWM":
            seconds = number(of(":DEViation"), amount, ("S",), 0.0, 1e6, 10e-6)
            return [seconds, _duty_deviation(of(":DEViation:DCYCle"))]
        case "SUM":
            return [number(of(":AMPLitude"), amount, ("PCT", "%"), 0.0, 100.0, 0.1)]
        case _:
            return [angle(of(":DEViation" if kind == "PM" else ":PHASe"), amount, low=0.0, default=180.0)]


def _switch(pattern: str, kind: str) -> Command:
    """STATe: only one of the modulations, sweep and burst is on at a time."""

    def write(i: Any, c: int, is_on: bool) -> None:
        channel = i.channel(c)
        if is_on and not can_modulate(kind, channel.settings.function):
            raise ScpiError(-221, "Settings conflict; not able to modulate this function")
        if is_on:
            turned_off(i, channel, but=kind)
        channel.settings.modulations.of(kind).is_on = is_on
        i.changed(channel)

    def query(i: Any, c: int) -> str:
        return show_switch(i.channel(c).settings.modulations.of(kind).is_on)

    return Command(pattern, write=write, query=query, takes=(Switch(),))


def _duty_deviation(pattern: str) -> Command:
    """PWM:DEViation:DCYCle: per cent of the period."""

    def get(channel: PulseChannel) -> float:
        return 100 * channel.settings.modulations.pwm.amount / channel.settings.period

    def put(channel: PulseChannel, percent: float) -> None:
        channel.settings.modulations.pwm.amount = percent / 100 * channel.settings.period

    return quantity(pattern, ("PCT", "%"), get, put, lambda _: (0.0, 50.0, 1.0))
