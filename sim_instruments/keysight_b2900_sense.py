"""SENSe commands of a B2900A: functions, ranges, compliance, integration (SCPI Command Reference, chapter 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .keysight_b2900_channel import Channel
from .keysight_b2900_commands import (
    UNITS,
    Clipped,
    OffsetIndex,
    Reach,
    of_channel,
    redrive,
    show_nr3,
    trigger_out_commands,
)
from .keysight_b2900_readings import formatted, in_turn
from .keysight_b2900_settings import (
    FUNCTIONS,
    LARGEST_PULSED,
    LONGEST_APERTURE_SECONDS,
    OHMS_RANGES,
    SMALLEST_APERTURE_SECONDS,
)
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Switch, Text, Texts, short_form

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900

_NODES = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]"}
_DEFAULT_LIMITS = {"VOLT": 2.0, "CURR": 1e-4}
_FUNCTION_NAMES = {
    spelling: function
    for function, names in (
        ("VOLT", ("VOLTage", "VOLTage:DC")),
        ("CURR", ("CURRent", "CURRent:DC")),
        ("RES", ("RESistance",)),
    )
    for name in names
    for spelling in (name.upper(), ":".join(short_form(part) for part in name.split(":")))
}


def _named(names: list[str]) -> set[str]:
    words = [word.strip().strip('"').upper() for name in names for word in name.split(",")]
    if any(word not in _FUNCTION_NAMES for word in words):
        raise ScpiError(-224)
    return {_FUNCTION_NAMES[word] for word in words}


def _select(i: SimKeysightB2900, channel: Channel, functions: set[str]) -> None:
    channel.settings.functions = tuple(name for name in FUNCTIONS if name in functions)
    redrive(i, channel)


def _functions_on(i: SimKeysightB2900, number: int, names: list[str]) -> None:
    channel = i.channel(number)
    _select(i, channel, _named(names) | set(channel.settings.functions))


def _functions_off(i: SimKeysightB2900, number: int, names: list[str]) -> None:
    channel = i.channel(number)
    _select(i, channel, set(channel.settings.functions) - _named(names))


def _listed(functions: tuple[str, ...]) -> str:
    return ",".join(f'"{name}"' for name in functions) or '""'


def _others(channel: Channel) -> tuple[str, ...]:
    return tuple(name for name in FUNCTIONS if name not in channel.settings.functions)


_FUNCTION = (
    Command(
        ":SENSe<c>:FUNCtion[:ON]",
        write=_functions_on,
        query=lambda i, n: _listed(i.channel(n).settings.functions),
        takes=(Texts(),),
    ),
    Command(":SENSe<c>:FUNCtion[:ON]:ALL", write=lambda i, n: _functions_on(i, n, list(FUNCTIONS))),
    Command(":SENSe<c>:FUNCtion[:ON]:COUNt", query=lambda i, n: str(len(i.channel(n).settings.functions))),
    Command(
        ":SENSe<c>:FUNCtion:OFF",
        write=_functions_off,
        query=lambda i, n: _listed(_others(i.channel(n))),
        takes=(Texts(),),
    ),
    Command(":SENSe<c>:FUNCtion:OFF:ALL", write=lambda i, n: _functions_off(i, n, list(FUNCTIONS))),
    Command(":SENSe<c>:FUNCtion:OFF:COUNt", query=lambda i, n: str(len(_others(i.channel(n))))),
    Command(
        ":SENSe<c>:FUNCtion:STATe",
        query=lambda i, n, name: str(int(_named([name]) <= set(i.channel(n).settings.functions))),
        asks=(Text(),),
    ),
)


class _Cycles:
    """Integration time of a channel in power line cycles."""

    def __init__(self, channel: Channel, line_hertz: float) -> None:
        self._channel, self._line_hertz = channel, line_hertz

    @property
    def cycles(self) -> float:
        """Power line cycles."""
        return self._channel.aperture_seconds * self._line_hertz

    @cycles.setter
    def cycles(self, value: float) -> None:
        self._channel.settings.aperture_seconds = value / self._line_hertz


_APERTURE = Clipped("S", SMALLEST_APERTURE_SECONDS, LONGEST_APERTURE_SECONDS, lambda i: 0.1 / i.lasting.line_hertz)
_NPLC = Clipped(
    "",
    lambda i: SMALLEST_APERTURE_SECONDS * i.lasting.line_hertz,
    lambda i: LONGEST_APERTURE_SECONDS * i.lasting.line_hertz,
    0.1,
)


def _write_aperture(i: SimKeysightB2900, number: int, seconds: float) -> None:
    i.channel(number).settings.aperture_seconds = seconds


def _write_cycles(i: SimKeysightB2900, number: int, cycles: float) -> None:
    _Cycles(i.channel(number), i.lasting.line_hertz).cycles = cycles


def _write_auto(i: SimKeysightB2900, number: int, is_auto: bool) -> None:
    channel = i.channel(number)
    channel.settings.aperture_seconds = None if is_auto else channel.aperture_seconds


def _show_auto(i: SimKeysightB2900, number: int) -> str:
    return str(int(i.channel(number).settings.aperture_seconds is None))


def _show_aperture(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
    return show_nr3(i.channel(number).aperture_seconds if extreme is None else extreme)


def _show_cycles(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
    cycles = _Cycles(i.channel(number), i.lasting.line_hertz).cycles
    return show_nr3(cycles if extreme is None else extreme)


def _integration(node: str) -> tuple[Command, ...]:
    """Integration time; one value for all functions of a channel."""
    return (
        Command(
            f"{node}:APERture",
            write=_write_aperture,
            query=_show_aperture,
            takes=(_APERTURE,),
            asks=(Extreme(_APERTURE),),
        ),
        Command(f"{node}:APERture:AUTO", write=_write_auto, query=_show_auto, takes=(Switch(),)),
        Command(f"{node}:NPLCycles", write=_write_cycles, query=_show_cycles, takes=(_NPLC,), asks=(Extreme(_NPLC),)),
        Command(f"{node}:NPLCycles:AUTO", write=_write_auto, query=_show_auto, takes=(Switch(),)),
    )


def _range_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SENSe<c>:{_NODES[quantity]}:RANGe"
    reach = Reach(quantity)

    def write_range(i: SimKeysightB2900, number: int, value: float) -> None:
        channel = i.channel(number)
        sense = channel.settings.senses[quantity]
        sense.range, sense.is_auto_range = channel.stage.accuracy.smallest(quantity, value), False
        redrive(i, channel)

    def show_range(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
        channel = i.channel(number)
        ranges = channel.stage.accuracy.ranges(quantity)
        index = channel.settings.senses[quantity].range
        return show_nr3(ranges[index].full_scale if extreme is None else extreme)

    def show_highest(i: SimKeysightB2900, number: int) -> str:
        channel = i.channel(number)
        index = channel.stage.accuracy.smallest(quantity, channel.settings.senses[quantity].limit)
        return show_nr3(channel.stage.accuracy.ranges(quantity)[index].full_scale)

    def sense(name: str) -> Any:
        return lambda c: (c.settings.senses[quantity], name)

    return (
        Command(f"{node}[:UPPer]", write=write_range, query=show_range, takes=(reach,), asks=(Extreme(reach),)),
        of_channel(f"{node}:AUTO", sense("is_auto_range"), Switch(), after=redrive),
        of_channel(f"{node}:AUTO:LLIMit", sense("lowest"), reach),
        Command(f"{node}:AUTO:ULIMit", query=show_highest),
        of_channel(f"{node}:AUTO:MODE", sense("auto_mode"), Choice("NORMal", "RESolution", "SPEed")),
        of_channel(f"{node}:AUTO:THReshold", sense("auto_threshold"), Number("", 11, 100, 90)),
    )


def _limit_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SENSe<c>:{_NODES[quantity]}:PROTection"
    end = LARGEST_PULSED[quantity]
    limit = Number(UNITS[quantity], -end, end, _DEFAULT_LIMITS[quantity])

    def least(channel: Channel, value: float) -> float:
        return max(abs(value), channel.stage.accuracy.ranges(quantity)[0].full_scale * 0.01)

    def write_limit(i: SimKeysightB2900, number: int, value: float) -> None:
        channel = i.channel(number)
        sense = channel.settings.senses[quantity]
        sense.limit, sense.negative_limit = least(channel, value), None
        redrive(i, channel)

    def write_positive(i: SimKeysightB2900, number: int, value: float) -> None:
        channel = i.channel(number)
        sense = channel.settings.senses[quantity]
        if sense.negative_limit is None:
            sense.negative_limit = sense.limit
        sense.limit = least(channel, value)
        redrive(i, channel)

    def write_negative(i: SimKeysightB2900, number: int, value: float) -> None:
        channel = i.channel(number)
        channel.settings.senses[quantity].negative_limit = least(channel, value)
        redrive(i, channel)

    def show_limit(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
        return show_nr3(i.channel(number).settings.senses[quantity].limit if extreme is None else extreme)

    def show_negative(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
        sense = i.channel(number).settings.senses[quantity]
        value = sense.limit if sense.negative_limit is None else sense.negative_limit
        return show_nr3(-value if extreme is None else extreme)

    def tripped(i: SimKeysightB2900, number: int) -> str:
        channel = i.channel(number)
        i.let_time_pass()
        is_limited = channel.settings.measured == quantity
        return str(int(is_limited and channel.settings.output.is_on and channel.stage.is_limiting()))

    def of_side(side: str, write: Any, show: Any) -> Command:
        return Command(f"{node}[:LEVel]{side}", write=write, query=show, takes=(limit,), asks=(Extreme(limit),))

    return (
        of_side("[:BOTH]", write_limit, show_limit),
        of_side(":POSitive", write_positive, show_limit),
        of_side(":NEGative", write_negative, show_negative),
        Command(f"{node}:TRIPped", query=tripped),
    )


def _ohms_index(value: float) -> int:
    """The smallest resistance range that reaches a value."""
    return next((k for k, end in enumerate(OHMS_RANGES) if value <= end * 1.001), len(OHMS_RANGES) - 1)


def _write_ohms_range(i: SimKeysightB2900, number: int, value: float) -> None:
    ohms = i.channel(number).settings.ohms
    ohms.range, ohms.is_auto_range = _ohms_index(value), False


def _show_ohms_range(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
    return show_nr3(OHMS_RANGES[i.channel(number).settings.ohms.range] if extreme is None else extreme)


_OHMS = Number("OHM", OHMS_RANGES[0], OHMS_RANGES[-1], OHMS_RANGES[0])
_RESISTANCE = (
    of_channel(":SENSe<c>:RESistance:MODE", "settings.ohms_mode", Choice("MANual", "AUTO")),
    of_channel(":SENSe<c>:RESistance:OCOMpensated", "settings.is_offset_compensated", Switch()),
    Command(
        ":SENSe<c>:RESistance:RANGe[:UPPer]",
        write=_write_ohms_range,
        query=_show_ohms_range,
        takes=(_OHMS,),
        asks=(Extreme(_OHMS),),
    ),
    of_channel(":SENSe<c>:RESistance:RANGe:AUTO", "settings.ohms.is_auto_range", Switch()),
    of_channel(":SENSe<c>:RESistance:RANGe:AUTO:LLIMit", "settings.ohms.lowest", _OHMS),
    of_channel(
        ":SENSe<c>:RESistance:RANGe:AUTO:ULIMit",
        "settings.ohms.highest",
        Number("OHM", OHMS_RANGES[0], OHMS_RANGES[-1], OHMS_RANGES[-1]),
    ),
)


def _data(i: SimKeysightB2900, number: int, offset: int | None, size: float | None) -> Reply:
    i.let_time_pass()
    readings = i.channel(number).readings
    begin = max(len(readings) - 1, 0) if offset == OffsetIndex.LATEST else offset or 0
    wanted = readings[begin : None if size is None else begin + int(size)]
    return formatted(in_turn([wanted], i.format.elements), i.format)


_SIZE = Number("", 1, 100_000, 1, is_integer=True, is_optional=True)

SENSE_COMMANDS: tuple[Command, ...] = (
    *_FUNCTION,
    *(command for quantity in UNITS for make in (_range_commands, _limit_commands) for command in make(quantity)),
    *_integration(":SENSe<c>:VOLTage[:DC]"),
    *_integration(":SENSe<c>:CURRent[:DC]"),
    *_integration(":SENSe<c>:RESistance"),
    *_RESISTANCE,
    of_channel(":SENSe<c>:REMote", "settings.is_remote_sense", Switch(), after=redrive),
    of_channel(":SENSe<c>:WAIT[:STATe]", "settings.sense_wait.is_on", Switch()),
    of_channel(":SENSe<c>:WAIT:AUTO", "settings.sense_wait.is_auto", Switch()),
    of_channel(":SENSe<c>:WAIT:GAIN", "settings.sense_wait.gain", Number("", 0, 100, 1)),
    of_channel(":SENSe<c>:WAIT:OFFSet", "settings.sense_wait.offset_seconds", Number("S", 0, 1, 0)),
    Command(":SENSe<c>:DATA", query=_data, asks=(OffsetIndex(), _SIZE)),
    Command(":SENSe<c>:DATA:LATest", query=lambda i, n: _data(i, n, OffsetIndex.LATEST, None)),
    *trigger_out_commands(":SENSe<c>", [lambda channel: channel.settings.sense_out]),
)
"""How readings are taken."""
