"""Commands of one setting of a generator's channel or of the whole generator."""

from __future__ import annotations

import math
from collections.abc import Callable
from operator import attrgetter
from typing import Any

from .pulse_channel import PulseChannel
from .pulse_parameters import Extremes, Quantity, Value, choice, quantity, show, within
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Parameter, Switch, parse_number
from .scpi_settings import show_switch

_DEGREES = {"DEG": 1.0, "RAD": 180 / math.pi}


def _owner(name: str) -> tuple[Callable[[PulseChannel], Any], str]:
    owner, _, last = name.rpartition(".")
    get = attrgetter(owner) if owner else None
    return (lambda channel: channel.settings if get is None else get(channel.settings)), last


def stored(pattern: str, name: str, parameter: Parameter, tell: Any = None) -> Command:
    """Command and query of the channel's setting `name` (dotted); acts on the world as far as the channel uses it."""
    own, last = _owner(name)
    tell = tell or (show_switch if isinstance(parameter, Switch) else str)

    def put(channel: PulseChannel, value: Any) -> None:
        setattr(own(channel), last, value)

    return choice(pattern, parameter, lambda channel: getattr(own(channel), last), put, tell)


def number(pattern: str, name: str, units: tuple[str, ...], low: float, high: float, default: float) -> Command:
    """Command and query of the channel's number `name` (dotted), between fixed limits."""
    own, last = _owner(name)

    def put(channel: PulseChannel, value: float) -> None:
        setattr(own(channel), last, value)

    return quantity(pattern, units, lambda c: float(getattr(own(c), last)), put, lambda _: (low, high, default))


def angle(pattern: str, name: str, *, low: float = -360.0, high: float = 360.0, default: float = 0.0) -> Command:
    """An angle, kept in degrees; told, and taken where no unit is given, as UNIT:ANGLe says (SECond: of the period)."""
    own, last = _owner(name)

    def degrees_per(i: Any, channel: PulseChannel, unit: str) -> float:
        return _DEGREES.get(unit) or 360 * float(channel.settings.hertz)

    def write(i: Any, c: int, told: tuple[Value, str | None]) -> None:
        channel, (value, unit) = i.channel(c), told
        if isinstance(value, float):
            value *= degrees_per(i, channel, unit or i.angle_unit)
        setattr(own(channel), last, within(i, value, low, high, default))
        i.changed(channel)

    def query(i: Any, c: int, word: str | None) -> str:
        channel = i.channel(c)
        degrees = getattr(own(channel), last) if word is None else within(i, word, low, high, default)
        return show(degrees / degrees_per(i, channel, i.angle_unit))

    return Command(pattern, write=write, query=query, takes=(_Angle(),), asks=(Extremes(),))


class _Angle(Parameter):
    """A number with DEG, RAD, S or without; parses to (value, unit or None)."""

    def parse(self, token: str, instrument: Any) -> tuple[Value, str | None]:
        """The value in its unit."""
        for unit, name in (("DEG", "DEG"), ("RAD", "RAD"), ("S", "SEC")):
            if token.upper().endswith(unit) and not token[:1].isalpha():
                return parse_number(token, unit), name
        return Quantity().parse(token, instrument), None


def keep(pattern: str, name: str, parameter: Parameter, default: str, tell: Callable[[str], str] = str) -> Command:
    """A setting of the whole instrument that is kept and told only."""

    def write(i: Any, *values: Any) -> None:
        i.stored[name] = str(int(values[-1]) if isinstance(values[-1], bool) else values[-1])

    return Command(pattern, write=write, query=lambda i, *_: tell(i.stored.get(name, default)), takes=(parameter,))


def keep_each(pattern: str, name: str, parameter: Parameter, default: str) -> Command:
    """A setting of each channel that is kept and told only, because nothing on the bench could notice it."""

    def write(i: Any, c: int, value: Any) -> None:
        i.channel(c).settings.told_only[name] = str(int(value) if isinstance(value, bool) else value)

    def query(i: Any, c: int) -> str:
        return str(i.channel(c).settings.told_only.get(name, default))

    return Command(pattern, write=write, query=query, takes=(parameter,))


def keep_number(pattern: str, name: str, units: tuple[str, ...], low: float, high: float, default: float) -> Command:
    """A number of each channel that is kept and told only."""

    def put(channel: PulseChannel, value: float) -> None:
        channel.settings.told_only[name] = repr(value)

    def get(channel: PulseChannel) -> float:
        return float(channel.settings.told_only.get(name, default))

    return quantity(pattern, units, get, put, lambda _: (low, high, default))


def accepted(*_: Any) -> None:
    """Accepted; has no effect on what comes out."""


def turned_off(i: Any, channel: PulseChannel, *, but: str) -> None:
    """One of burst, sweep, list and the modulations is chosen: what else was on ends, which is reported as -221."""
    settings = channel.settings
    modes = {"burst": settings.is_burst, "sweep": settings.sweep.is_on or settings.sweep.mode in ("SWE", "LIST")}
    modes |= {kind: modulation.is_on for kind, modulation in settings.modulations.items()}
    for mode, is_on in modes.items():
        if is_on and mode != but:
            text = f"Settings conflict; {mode} turned off by selection of other mode or modulation"
            i.status.report(ScpiError(-221, text))
            _end(channel, mode)


def _end(channel: PulseChannel, mode: str) -> None:
    settings = channel.settings
    if mode == "burst":
        settings.is_burst = False
    elif mode == "sweep":
        settings.sweep.is_on, settings.sweep.mode = False, "CW"
    else:
        settings.modulations.of(mode).is_on = False


def end_modes(i: Any, channel: PulseChannel, *, function: str) -> None:
    """A waveform is chosen that cannot be in the mode that is on: the mode ends, which is reported as -221."""
    settings = channel.settings
    if settings.is_burst and function == "DC":
        _refuse_mode(i, channel, "burst", "burst")
    if settings.sweep.is_on and function in ("DC", "NOIS", "PRBS"):
        _refuse_mode(i, channel, "sweep", "sweep")
    for kind, modulation in settings.modulations.items():
        if modulation.is_on and not can_modulate(kind, function):
            _refuse_mode(i, channel, kind, "modulate")


def _refuse_mode(i: Any, channel: PulseChannel, mode: str, verb: str) -> None:
    i.status.report(ScpiError(-221, f"Settings conflict; not able to {verb} this function"))
    _end(channel, mode)


def can_modulate(kind: str, function: str) -> bool:
    """Whether a waveform can carry this modulation."""
    if kind == "PWM":
        return function == "PULS"
    if function == "DC":
        return False
    return function != "NOIS" or kind in ("AM", "SUM")
