"""Commands of a 34980A that concern its internal DMM: MEASure, CONFigure, SENSe, INSTrument."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .keysight_34980a_channels import CHANNELS, SOME_CHANNELS
from .keysight_34980a_dmm import CYCLES, OHMS, VOLTS, Measurement
from .keysight_34980a_modules import NO_DMM, UNSUPPORTED
from .keysight_34980a_scan_commands import exponential
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Number, Parameter, Switch, Text
from .scpi_settings import show_switch

if TYPE_CHECKING:
    from .keysight_34980a import SimKeysight34980A

_FUNCTIONS = {"VOLT": ":VOLTage[:DC]", "RES": ":RESistance", "FRES": ":FRESistance"}
_RESOLUTION = 3e-6
"""Resolution at one power line cycle as a fraction of range (Programmer's Reference, CONFigure)."""
_RESOLUTIONS = ((1e-4, 0.02), (1e-5, 0.2), (_RESOLUTION, 1.0), (2.2e-7, 100.0))
"""Smallest resolution as a fraction of range -> power line cycles that it takes (from memory, as of a 34970A)."""


class _Wanted(Parameter):
    """`[<range>|AUTO|MIN|MAX|DEF [,<resolution>|MIN|MAX|DEF],] [(@...)]`; parses to (range, cycles, channels or None).

    Args:
        largest: the function's largest range.
    """

    takes_rest = True
    is_optional = True

    def __init__(self, smallest: float, largest: float, unit: str) -> None:
        self._range = Number(unit, 0.0, largest, 0.0)
        self._extremes = {"MIN": smallest, "MINIMUM": smallest, "MAX": largest, "MAXIMUM": largest}
        self._smallest = smallest

    def parse(self, token: str, instrument: Any) -> Any:
        """One argument."""
        return self.parse_all([token], instrument)

    def parse_all(self, tokens: Sequence[str], instrument: Any) -> Any:
        """All of them."""
        rest = list(tokens)
        channels = CHANNELS.parse(rest.pop(), instrument) if rest and rest[-1].startswith("(") else None
        if len(rest) > 2:
            raise ScpiError(-108)
        full_scale = self._full_scale(rest[0], instrument) if rest else 0.0
        return full_scale, self._cycles(rest[1] if len(rest) > 1 else "DEF", full_scale), channels

    def _full_scale(self, token: str, instrument: Any) -> float:
        word = token.upper()
        if word in ("AUTO", "DEF", "DEFAULT"):
            return 0.0
        return self._extremes[word] if word in self._extremes else self._range.parse(token, instrument)

    def _cycles(self, token: str, full_scale: float) -> float:
        word = token.upper()
        if word in ("DEF", "DEFAULT"):
            return 1.0
        if word in ("MIN", "MINIMUM", "MAX", "MAXIMUM"):
            return 200.0 if word.startswith("MIN") else 0.006
        fraction = Number("", 0.0).parse(token, None) / (full_scale or self._smallest)
        return next((cycles for smallest, cycles in _RESOLUTIONS if fraction >= smallest * 0.999), 200.0)


def _needs_dmm(i: SimKeysight34980A) -> None:
    if not i.measuring.is_dmm_in_use:
        raise ScpiError(*NO_DMM)


def _configure(i: SimKeysight34980A, function: str, wanted: Any) -> None:
    _needs_dmm(i)
    full_scale, cycles, channels = wanted or (0.0, 1.0, None)
    if channels is None:
        i.settings.measurement = Measurement(function, full_scale, cycles)
        return
    if not all(i.measuring.can_measure(channel, function) for channel in channels):
        raise ScpiError(*UNSUPPORTED)
    i.settings.scan_list = sorted(set(channels)) if i.settings.scan.is_ordered else channels
    i.settings.measurements.update({channel: Measurement(function, full_scale, cycles) for channel in channels})


def _measure(i: SimKeysight34980A, function: str, wanted: Any) -> str:
    """One sweep through the channels named, whatever the scan list and the triggers are."""
    before, settings = i.settings.scan_list, i.settings.scan
    _configure(i, function, wanted)
    if wanted is None or wanted[2] is None:
        i.settings.scan_list = []
    i.settings.scan = type(settings)(is_ordered=settings.is_ordered)
    try:
        i.measuring.initiate()
    finally:
        i.settings.scan, i.settings.scan_list = settings, before
    return ",".join(map(i.measuring.memory.format.show, i.measuring.memory.readings))


def _asked(i: SimKeysight34980A, channels: list[int] | None) -> list[Measurement]:
    _needs_dmm(i)
    chosen = i.settings.scan_list if channels is None else channels
    return [i.settings.measurement_of(channel) for channel in chosen] if chosen else [i.settings.measurement]


def _show_range(what: Measurement) -> str:
    return exponential(what.full_scale or what.ranges[-1].full_scale)


def _shown_configuration(i: SimKeysight34980A, channels: list[int] | None) -> str:
    told = []
    for what in _asked(i, channels):
        full = what.full_scale or what.ranges[-1].full_scale
        told.append(f'"{what.function} {exponential(full)},{exponential(full * _RESOLUTION / what.cycles)}"')
    return ",".join(told)


class _Function(Text):
    """`"RESistance"` and its kin; parses to VOLT, RES or FRES."""

    def parse(self, token: str, instrument: Any) -> str:
        """The function."""
        words = {"VOLT": "VOLT", "VOLT:DC": "VOLT", "VOLTAGE": "VOLT", "VOLTAGE:DC": "VOLT", "RES": "RES"}
        words |= {"RESISTANCE": "RES", "FRES": "FRES", "FRESISTANCE": "FRES"}
        found = words.get(super().parse(token, instrument).upper())
        if found is None:
            raise ScpiError(-224)
        return found


def _set_function(i: SimKeysight34980A, function: str, channels: list[int] | None) -> None:
    for what in _asked(i, channels):
        what.function = function


def _sense(function: str) -> tuple[Command, ...]:
    """Range and integration time of one function."""
    ranges = VOLTS if function == "VOLT" else OHMS
    node = f"[:SENSe]{_FUNCTIONS[function]}"

    def set_range(i: SimKeysight34980A, value: float, channels: list[int] | None) -> None:
        for what in _asked(i, channels):
            what.full_scale = next(r.full_scale for r in ranges if r.full_scale >= value * (1 - 1e-9))

    def set_auto(i: SimKeysight34980A, is_auto: bool, channels: list[int] | None) -> None:
        for what in _asked(i, channels):
            what.full_scale = 0.0 if is_auto else what.full_scale or ranges[-1].full_scale

    def set_cycles(i: SimKeysight34980A, value: float, channels: list[int] | None) -> None:
        for what in _asked(i, channels):
            what.cycles = next((cycles for cycles in CYCLES if cycles >= value * 0.999), CYCLES[-1])

    return (
        Command(f"{node}:RANGe", write=set_range, takes=(Number("", 0, ranges[-1].full_scale), SOME_CHANNELS),
                query=lambda i, c: ",".join(map(_show_range, _asked(i, c))), asks=(SOME_CHANNELS,)),
        Command(f"{node}:RANGe:AUTO", write=set_auto, takes=(Switch(), SOME_CHANNELS),
                query=lambda i, c: ",".join(show_switch(not w.full_scale) for w in _asked(i, c)),
                asks=(SOME_CHANNELS,)),
        Command(f"{node}:NPLC", write=set_cycles, takes=(Number("", CYCLES[0], CYCLES[-1], 1), SOME_CHANNELS),
                query=lambda i, c: ",".join(exponential(w.cycles) for w in _asked(i, c)), asks=(SOME_CHANNELS,)),
    )  # fmt: skip


def _function(function: str) -> tuple[Command, ...]:
    ranges, unit = (VOLTS, "V") if function == "VOLT" else (OHMS, "OHM")
    wanted = _Wanted(ranges[0].full_scale, ranges[-1].full_scale, unit)
    return (
        Command(f":CONFigure{_FUNCTIONS[function]}", write=lambda i, w: _configure(i, function, w), takes=(wanted,)),
        Command(f":MEASure{_FUNCTIONS[function]}", query=lambda i, w: _measure(i, function, w), asks=(wanted,)),
        *_sense(function),
    )


def _enable(i: SimKeysight34980A, is_on: bool) -> None:
    if is_on and i.measuring.dmm is None:
        raise ScpiError(*NO_DMM)
    i.settings.is_dmm_enabled = is_on
    i.settings.scan_list = []


DMM_COMMANDS: tuple[Command, ...] = (
    *_function("VOLT"),
    *_function("RES"),
    *_function("FRES"),
    Command(":CONFigure", query=_shown_configuration, asks=(SOME_CHANNELS,)),
    Command("[:SENSe]:FUNCtion", write=_set_function, takes=(_Function(), SOME_CHANNELS),
            query=lambda i, c: ",".join(f'"{what.function}"' for what in _asked(i, c)), asks=(SOME_CHANNELS,)),
    Command(":INSTrument:DMM[:STATe]", write=_enable, takes=(Switch(),),
            query=lambda i: show_switch(i.measuring.is_dmm_in_use)),
    Command(":INSTrument:DMM:INSTalled", query=lambda i: show_switch(i.measuring.dmm is not None)),
)  # fmt: skip
"""Everything that needs the DMM."""
