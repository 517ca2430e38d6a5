"""Frequency sweeps, lists, markers and couplings of the 33500 and 33600 series."""

from __future__ import annotations

from typing import Any

from .pulse_channel import PulseChannel
from .pulse_coupling import RatioCoupling
from .pulse_parameters import Extremes, Quantity, Value, quantity, show, within
from .pulse_setting_commands import keep_each, keep_number, number, stored, turned_off
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Numbers, Switch
from .scpi_settings import show_switch

_SOURCE = ":SOURce<c>"
_SWEEP = f"{_SOURCE}:SWEep"
_MOST_HERTZ = 120e6
_MOST_LISTED = 128
_NOT_SWEPT = ("DC", "NOIS", "PRBS")


def sweep_switch(pattern: str) -> Command:
    """SWEep:STATe; ends bursts and modulations."""

    def write(i: Any, c: int, is_on: bool) -> None:
        channel = i.channel(c)
        if is_on:
            _require_sweepable(channel)
            turned_off(i, channel, but="sweep")
        channel.settings.sweep.is_on = is_on
        channel.settings.sweep.mode = "SWE" if is_on else "CW"
        i.changed(channel)

    def query(i: Any, c: int) -> str:
        return show_switch(i.channel(c).settings.sweep.is_on)

    return Command(pattern, write=write, query=query, takes=(Switch(),))


def _require_sweepable(channel: PulseChannel) -> None:
    if channel.settings.function in _NOT_SWEPT:
        raise ScpiError(-221, "Settings conflict; not able to sweep this function")


def mode_command(pattern: str, *words: str) -> Command:
    """FREQuency:MODE: CW and FIXed are the same; SWEep switches the sweep on."""

    def write(i: Any, c: int, word: str) -> None:
        channel = i.channel(c)
        if word in ("SWE", "LIST"):
            _require_sweepable(channel)
            turned_off(i, channel, but="sweep")
        channel.settings.sweep.mode = word
        channel.settings.sweep.is_on = word == "SWE"
        i.changed(channel)

    return Command(pattern, write=write, query=lambda i, c: i.channel(c).settings.sweep.mode, takes=(Choice(*words),))


def ends_commands(node: str, most: float, after: str = "") -> tuple[Command, ...]:
    """STARt and STOP, and the same as CENTer and SPAN."""

    def centred(name: str, get: Any, put: Any, default: float) -> Command:
        return quantity(f"{node}:{name}{after}", ("HZ",), get, put, lambda _: (-most, most, default))

    def put_centre(channel: PulseChannel, hertz: float) -> None:
        channel.settings.sweep.place(hertz, channel.settings.sweep.span_hertz)

    def put_span(channel: PulseChannel, hertz: float) -> None:
        channel.settings.sweep.place(channel.settings.sweep.centre_hertz, hertz)

    return (
        number(f"{node}:STARt{after}", "sweep.start_hertz", ("HZ",), 1e-6, most, 100.0),
        number(f"{node}:STOP{after}", "sweep.stop_hertz", ("HZ",), 1e-6, most, 1e3),
        centred("CENTer", lambda c: float(c.settings.sweep.centre_hertz), put_centre, 550.0),
        centred("SPAN", lambda c: float(c.settings.sweep.span_hertz), put_span, 900.0),
    )


def _write_list(i: Any, c: int, hertz: list[float]) -> None:
    channel = i.channel(c)
    channel.settings.list_hertz = tuple(hertz)
    i.changed(channel)


def coupling_commands(node: str, name: str, unit: str) -> tuple[Command, ...]:
    """COUPle, its mode, offset and ratio; `name` is frequency or rate."""

    def of(i: Any) -> RatioCoupling:
        found = getattr(i.coupling, name)
        assert isinstance(found, RatioCoupling)
        return found

    def setter(attribute: str) -> Any:
        def write(i: Any, c: int, value: Any) -> None:
            setattr(of(i), attribute, value)
            i.changed(i.channel(c) if attribute == "is_on" else i.channels[0])

        return write

    def amount(attribute: str, low: float, high: float, default: float, *units: str) -> Command:
        def write(i: Any, c: int, value: Value) -> None:
            setter(attribute)(i, c, within(i, value, low, high, default))

        def query(i: Any, c: int, word: str | None) -> str:
            return show(getattr(of(i), attribute) if word is None else within(i, word, low, high, default))

        pattern = f"{node}:COUPle:{'OFFSet' if attribute == 'offset' else 'RATio'}"
        return Command(pattern, write=write, query=query, takes=(Quantity(*units),), asks=(Extremes(),))

    return (
        Command(
            f"{node}:COUPle[:STATe]",
            write=setter("is_on"),
            query=lambda i, c: show_switch(of(i).is_on),
            takes=(Switch(),),
        ),
        Command(
            f"{node}:COUPle:MODE",
            write=setter("mode"),
            query=lambda i, c: of(i).mode,
            takes=(Choice("OFFSet", "RATio"),),
        ),
        amount("offset", -_MOST_HERTZ, _MOST_HERTZ, 0.0, unit),
        amount("ratio", 1e-3, 1e3, 1.0, ""),
    )


def _couple_levels(i: Any, c: int, is_on: bool) -> None:
    i.coupling.are_levels_equal = is_on
    i.changed(i.channel(c))


SWEEP_COMMANDS: tuple[Command, ...] = (
    mode_command(f"{_SOURCE}:FREQuency:MODE", "CW", "LIST", "SWEep", "FIXed"),
    *ends_commands(f"{_SOURCE}:FREQuency", _MOST_HERTZ),
    sweep_switch(f"{_SWEEP}:STATe"),
    stored(f"{_SWEEP}:SPACing", "sweep.spacing", Choice("LINear", "LOGarithmic")),
    number(f"{_SWEEP}:TIME", "sweep.seconds", ("S",), 1e-3, 250e3, 1.0),
    number(f"{_SWEEP}:HTIMe", "sweep.hold_seconds", ("S",), 0.0, 3600.0, 0.0),
    number(f"{_SWEEP}:RTIMe", "sweep.return_seconds", ("S",), 0.0, 3600.0, 0.0),
    Command(
        f"{_SOURCE}:LIST:FREQuency",
        write=_write_list,
        query=lambda i, c: ",".join(show(hertz) for hertz in i.channel(c).settings.list_hertz),
        takes=(Numbers("HZ", 1e-6, _MOST_HERTZ, at_most=_MOST_LISTED),),
    ),
    Command(f"{_SOURCE}:LIST:FREQuency:POINts", query=lambda i, c: show(len(i.channel(c).settings.list_hertz))),
    number(f"{_SOURCE}:LIST:DWELl", "list_dwell", ("S",), 1e-6, 1e6, 1.0),
    number(f"{_SOURCE}:MARKer:FREQuency", "sweep.marker_hertz", ("HZ",), 1e-6, _MOST_HERTZ, 500.0),
    keep_number(f"{_SOURCE}:MARKer:CYCLe", "marker cycle", ("",), 2.0, 1e8, 2.0),
    keep_number(f"{_SOURCE}:MARKer:POINt", "marker point", ("",), 4.0, 4e6, 10.0),
    keep_each(f"{_SOURCE}:PHASe:UNLock:ERRor:STATe", "unlock error", Switch(), "0"),
    *coupling_commands(f"{_SOURCE}:FREQuency", "frequency", "HZ"),
    *coupling_commands(f"{_SOURCE}:RATE", "rate", "SA/S"),
    Command(
        f"{_SOURCE}:VOLTage[:LEVel]:COUPle[:STATe]",
        write=_couple_levels,
        query=lambda i, c: show_switch(i.coupling.are_levels_equal),
        takes=(Switch(),),
    ),
)
