"""VOLTage, FREQuency and FUNCtion of a generator's channel: limits and side effects that both families share."""

from __future__ import annotations

import math
from typing import Any

from .pulse_channel import PulseChannel
from .pulse_parameters import LevelQuantity, Quantity, Value, show, show_volts, within
from .pulse_setting_commands import end_modes
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice

FUNCTIONS = ("SINusoid", "SQUare", "TRIangle", "RAMP", "PULSe", "PRBS", "NOISe", "ARBitrary", "DC")
_LEAST_HERTZ = 1e-6


def most_hertz(channel: PulseChannel, function: str | None = None) -> float:
    """Highest frequency of a waveform, the selected one by default."""
    limits = channel.limits
    by_function = {
        "SQU": limits.hertz_square,
        "RAMP": limits.hertz_ramp,
        "TRI": limits.hertz_ramp,
        "PULS": limits.hertz_pulse,
    }
    return by_function.get(function or channel.settings.function, limits.hertz_sine)


def hertz_reach(channel: PulseChannel) -> tuple[float, float, float]:
    """Limits and default of the frequency."""
    return _LEAST_HERTZ, most_hertz(channel), channel.limits.hertz_default


def set_hertz(channel: PulseChannel, hertz: float) -> None:
    """New frequency; width or duty cycle of the pulse follow as HOLD says, which is reported where it is played."""
    channel.settings.set_period(1 / hertz)
    fit_pulse(channel)


def fit_pulse(channel: PulseChannel) -> None:
    """Make the pulse fit into its period and its edges into the pulse; what had to change is reported as -221."""
    settings, limits = channel.settings, channel.limits
    is_played = settings.function == "PULS"
    if settings.width > widest(channel) * (1 + 1e-9):
        settings.set_width(widest(channel))
        if is_played:
            channel.report(ScpiError(-221, "Settings conflict; pulse width decreased due to period"))
    longest = max(0.8 * settings.width, limits.edge_seconds)
    if max(settings.leading, settings.trailing) > longest * (1 + 1e-9):
        settings.leading, settings.trailing = min(settings.leading, longest), min(settings.trailing, longest)
        if is_played:
            channel.report(ScpiError(-221, "Settings conflict; edge time decreased due to pulse width"))


def widest(channel: PulseChannel) -> float:
    """Longest pulse that fits into the period."""
    return max(channel.settings.period - channel.limits.width_seconds, channel.limits.width_seconds)


def select_function(i: Any, channel: PulseChannel, function: str) -> None:
    """New waveform; a frequency that it cannot do is lowered, which is reported as -221."""
    end_modes(i, channel, function=function)
    channel.settings.function = function
    highest = most_hertz(channel)
    if channel.settings.hertz > highest:
        channel.settings.set_period(1 / highest)
        i.status.report(ScpiError(-221, "Settings conflict; frequency reduced for selected function"))
    fit_pulse(channel)
    if function == "DC" and channel.settings.unit == "DBM":
        channel.settings.unit = "VPP"


def _scale(channel: PulseChannel) -> float:
    """Displayed volts per volt into 50 ohm."""
    return 2 * channel.settings.displayed


def amplitude_reach(channel: PulseChannel) -> tuple[float, float, float]:
    """Limits and default of the displayed amplitude, volts peak to peak, for the present offset."""
    limits, scale = channel.limits, _scale(channel)
    room = 2 * (limits.volts_window * scale - abs(channel.settings.offset))
    least = limits.volts_least * scale
    return least, max(min(limits.volts_peak_to_peak * scale, room), least), limits.volts_default * scale


def offset_reach(channel: PulseChannel) -> tuple[float, float, float]:
    """Limits and default of the displayed offset for the present amplitude."""
    room = channel.limits.volts_window * _scale(channel) - channel.settings.amplitude / 2
    return -max(room, 0.0), max(room, 0.0), 0.0


def level_reach(channel: PulseChannel) -> tuple[float, float, float]:
    """Limits of the displayed high and low level."""
    end = channel.limits.volts_window * _scale(channel)
    return -end, end, 0.0


def set_high(i: Any, channel: PulseChannel, volts: float) -> None:
    """New high level; a low level that is not below it is moved, which is reported as -221."""
    _set_levels(i, channel, channel.settings.offset - channel.settings.amplitude / 2, volts, moves_low=True)


def set_low(i: Any, channel: PulseChannel, volts: float) -> None:
    """New low level, likewise."""
    _set_levels(i, channel, volts, channel.settings.offset + channel.settings.amplitude / 2, moves_low=False)


def _set_levels(i: Any, channel: PulseChannel, low: float, high: float, *, moves_low: bool) -> None:
    least = channel.limits.volts_least * _scale(channel)
    most = channel.limits.volts_peak_to_peak * _scale(channel)
    kept = min(max(high - low, least), most)
    if not math.isclose(kept, high - low, rel_tol=1e-9):
        moved, way = ("low", "high") if moves_low else ("high", "low")
        i.status.report(ScpiError(-221, f"Settings conflict; {moved} level changed due to {way} level"))
        low, high = (high - kept, high) if moves_low else (low, low + kept)
    _require_within_limits(channel, low, high)
    channel.settings.set_levels(low, high)


def _require_within_limits(channel: PulseChannel, low: float, high: float) -> None:
    settings = channel.settings
    if settings.is_limited and not (settings.limit_low - 1e-9 <= low <= high <= settings.limit_high + 1e-9):
        raise ScpiError(-222, "Data out of range; value clipped to voltage limit")


def set_offset(channel: PulseChannel, volts: float) -> None:
    """New offset."""
    half = channel.settings.amplitude / 2
    _require_within_limits(channel, volts - half, volts + half)
    channel.settings.set_offset(volts)


def set_amplitude(i: Any, channel: PulseChannel, value: Value, unit: str | None) -> None:
    """New amplitude in this unit, or in the one selected."""
    reach = amplitude_reach(channel)
    if isinstance(value, float):
        value = channel.settings.peak_to_peak(value, unit or channel.settings.unit)
    volts = within(i, value, *reach)
    offset = channel.settings.offset
    _require_within_limits(channel, offset - volts / 2, offset + volts / 2)
    channel.settings.set_amplitude(volts)


def amplitude_command(pattern: str) -> Command:
    """VOLTage: the amplitude in the selected unit."""

    def write(i: Any, number: int, told: tuple[Value, str | None]) -> None:
        channel = i.channel(number)
        set_amplitude(i, channel, *told)
        i.changed(channel)

    def query(i: Any, number: int, told: tuple[Value, str | None] | None) -> str:
        channel = i.channel(number)
        volts = channel.settings.amplitude if told is None else within(i, told[0], *amplitude_reach(channel))
        return show_volts(channel.settings.told(volts))

    optional = LevelQuantity(is_optional=True)
    return Command(pattern, write=write, query=query, takes=(LevelQuantity(),), asks=(optional,))


def set_unit(channel: PulseChannel, unit: str) -> None:
    """VPP, VRMS or DBM; raises ScpiError -221 for power into high impedance."""
    if unit == "DBM" and math.isinf(channel.settings.load):
        raise ScpiError(-221, "Settings conflict; not able to set dBm units with output load infinity")
    channel.settings.unit = unit


def set_load(channel: PulseChannel, ohms: float) -> None:
    """What displayed levels are meant for; power units end with high impedance."""
    channel.settings.load = ohms
    if math.isinf(ohms) and channel.settings.unit == "DBM":
        channel.settings.unit = "VPP"


def apply_waveform(i: Any, number: int, function: str, told: tuple[Any, Any, Any]) -> None:
    """APPLy: waveform, frequency, amplitude and offset at once; bursts, sweeps, modulations end, the output comes on.

    What is left out, or DEFault, becomes the default value (programming guides of both families).
    """
    channel = i.channel(number)
    settings = channel.settings
    hertz, amplitude, offset = told
    settings.is_burst = settings.sweep.is_on = False
    settings.sweep.mode = "CW"
    for _, modulation in settings.modulations.items():
        modulation.is_on = False
    settings.trigger_source = "IMM"
    select_function(i, channel, function)
    settings.set_offset(0.0)
    if function not in ("DC", "NOIS"):
        _apply_hertz(i, channel, "DEF" if hertz is None else hertz)
    if function != "DC":
        set_amplitude(i, channel, *(amplitude or ("DEF", None)))
    if offset is not None:
        set_offset(channel, within(i, offset, *offset_reach(channel)))
    settings.is_on = True
    i.changed(channel)


def _apply_hertz(i: Any, channel: PulseChannel, hertz: Value) -> None:
    most = channel.limits.hertz_samples
    if channel.settings.function == "ARB":
        channel.settings.arb_rate = within(i, hertz, 1e-6, most, 40e3)
    elif channel.settings.function == "PRBS":
        channel.settings.bit_rate = within(i, hertz, 1e-3, most / 5, 1e3)
    else:
        set_hertz(channel, within(i, hertz, *hertz_reach(channel)))


def show_applied(channel: PulseChannel) -> str:
    """APPLy?: waveform, frequency, amplitude and offset in quotes."""
    settings = channel.settings
    amplitude, offset = show_volts(settings.told(settings.amplitude)), show_volts(settings.offset)
    rate = {"ARB": settings.arb_rate, "PRBS": settings.bit_rate}.get(settings.function, settings.hertz)
    return f'"{settings.function} {show(rate)},{amplitude},{offset}"'


def apply_commands(node: str, functions: tuple[str, ...]) -> tuple[Command, ...]:
    """APPLy:<waveform> for each of these and APPLy?."""
    optional = (Quantity("HZ", "SA/S", is_optional=True), LevelQuantity(is_optional=True))
    takes = (*optional, Quantity("V", is_optional=True))

    def apply(function: str) -> Command:
        short = Choice(function).parse(function, None)
        return Command(
            f"{node}:{function}",
            write=lambda i, c, hertz, volts, offset: apply_waveform(i, c, short, (hertz, volts, offset)),
            takes=takes,
        )

    return (
        Command(node, query=lambda i, c: show_applied(i.channel(c))),
        *(apply(function) for function in functions),
    )
