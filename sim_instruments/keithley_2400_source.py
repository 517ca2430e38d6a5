"""SOURce, OUTPut and ROUTe commands of a 2400 (user's manual, section 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .accuracy import OVER_RANGE, smallest_range
from .keithley_2400_settings import AMPS_RANGES, VOLTS_RANGES
from .keithley_2400_sweeps import SWEEP_COMMANDS, sweep_commands
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, SteppedNumber, Switch
from .scpi_settings import setting, show_number

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_LONGEST_DELAY_SECONDS = 9999.998
_LONGEST_SOAK_SECONDS = 9999.999
_PROTECTIONS = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0)
_NO_PROTECTION = 210.0
_UNITS = {"VOLT": "V", "CURR": "A"}
_LIMITS = {"VOLT": 210.0, "CURR": 1.05}
_RANGES = {"VOLT": VOLTS_RANGES, "CURR": AMPS_RANGES}
_OWNERS = {"VOLT": "volts", "CURR": "amps"}
_NODES = {"VOLT": "VOLTage", "CURR": "CURRent"}


def _drive(i: SimKeithley2400) -> None:
    i.apply_output()


class _Level(Number):
    """A source level; MIN and MAX are for the highest range, on a lower fixed range they are refused with -221."""

    def __init__(self, function: str) -> None:
        super().__init__(_UNITS[function], -_LIMITS[function], _LIMITS[function], 0.0)
        self._function = function

    def parse(self, token: str, instrument: Any) -> float:
        """The level."""
        source = instrument.settings.source_of(self._function)
        is_low = not source.is_auto_range and source.range < len(_RANGES[self._function]) - 1
        if is_low and token[:3].upper() in ("MIN", "MAX"):
            raise ScpiError(-221)
        return super().parse(token, instrument)


def _set_auto_range(i: SimKeithley2400) -> None:
    for function in _UNITS:
        source = i.settings.source_of(function)
        if source.is_auto_range and not (function == "CURR" and i.settings.is_auto_ohms):
            source.range = smallest_range(source.level, i.output.source_unit(function).ranges)
    _drive(i)


def _range_number(function: str) -> Number:
    """Source ranges are told, and stepped through, by what they reach; MIN is the lowest (section 18 of the manual)."""
    ranges = tuple(full_scale * OVER_RANGE for full_scale in _RANGES[function])
    return SteppedNumber(
        ranges,
        lambda i: ranges[i.settings.source_of(function).range],
        _UNITS[function],
        -_LIMITS[function],
        _LIMITS[function],
        ranges[2],
        lowest=ranges[0],
    )


def _triggered(i: SimKeithley2400, function: str) -> float:
    source = i.settings.source_of(function)
    return source.level if source.triggered_level is None else source.triggered_level


def _write_triggered(i: SimKeithley2400, function: str, value: float) -> None:
    if function == "CURR":
        i.require_free_source()
    i.settings.source_of(function).triggered_level = value


def _source_commands(function: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:{_NODES[function]}"
    owner = f"settings.{_OWNERS[function]}"
    level, reach = _Level(function), _range_number(function)
    triggered = f"{node}[:LEVel]:TRIGgered"
    return (
        Command(
            f"{node}[:LEVel][:IMMediate][:AMPLitude]",
            write=lambda i, value: i.set_level(function, value),
            query=lambda i, extreme: show_number(i.settings.source_of(function).level if extreme is None else extreme),
            takes=(level,),
            asks=(Extreme(level),),
        ),
        Command(
            f"{triggered}[:AMPLitude]",
            write=lambda i, value: _write_triggered(i, function, value),
            query=lambda i, extreme: show_number(_triggered(i, function) if extreme is None else extreme),
            takes=(level,),
            asks=(Extreme(level),),
        ),
        setting(f"{triggered}:SFACtor", f"{owner}.scale", Number("", -9.999999e20, 9.999999e20, 1.0)),
        setting(f"{triggered}:SFACtor:STATe", f"{owner}.is_scaled", Switch()),
        Command(
            f"{node}:RANGe",
            write=lambda i, value: i.select_source_range(function, value),
            query=lambda i, extreme: show_number(i.source_reach(function) if extreme is None else extreme),
            takes=(reach,),
            asks=(Extreme(reach),),
        ),
        setting(f"{node}:RANGe:AUTO", f"{owner}.is_auto_range", Switch(), after=_set_auto_range),
        setting(f"{node}:MODE", f"{owner}.mode", Choice("FIXed", "LIST", "SWEep")),
        *sweep_commands(function, node, owner),
    )


class _Protection(Number):
    """Over-voltage protection: the nearest setting that is not higher, but the lowest below it; beyond 160 V none."""

    def parse(self, token: str, instrument: Any) -> float:
        """One of the protection settings."""
        if token.upper() == "NONE":
            return _NO_PROTECTION
        value = abs(super().parse(token, instrument))
        if value > _PROTECTIONS[-1]:
            return _NO_PROTECTION
        return next((step for step in reversed(_PROTECTIONS) if step <= value), _PROTECTIONS[0])

    def special(self, word: str, instrument: Any) -> float:
        """MIN is the lowest setting, although magnitudes may be given as negative numbers."""
        return max(super().special(word, instrument), _PROTECTIONS[0])


_DELAY = Number("S", 0, _LONGEST_DELAY_SECONDS, 0)


def _write_delay(i: SimKeithley2400, seconds: float) -> None:
    i.settings.delay_seconds, i.settings.is_auto_delay = seconds, False


def _clear_source(i: SimKeithley2400) -> None:
    i.switch_output(False)


def _show_function(i: SimKeithley2400) -> str:
    return "MEM" if i.settings.memory.is_selected else i.settings.function


_SOURCE: tuple[Command, ...] = (
    Command(
        ":SOURce[1]:FUNCtion[:MODE]",
        write=lambda i, function: i.select_function(function),
        query=_show_function,
        takes=(Choice("VOLTage", "CURRent", "MEMory"),),
    ),
    Command(":SOURce[1]:FUNCtion:SHAPe", write=lambda i, _: None, query=lambda i: "DC", takes=(Choice("DC"),)),
    *_source_commands("VOLT"),
    *_source_commands("CURR"),
    setting(
        ":SOURce[1]:VOLTage:PROTection[:LEVel]",
        "settings.volts.protection",
        _Protection("V", -_NO_PROTECTION, _NO_PROTECTION, _NO_PROTECTION),
        after=_drive,
    ),
    Command(":SOURce[1]:VOLTage:PROTection:TRIPped", query=lambda i: str(int(i.is_protecting()))),
    Command(
        ":SOURce[1]:DELay",
        write=_write_delay,
        query=lambda i, extreme: show_number(i.delay_seconds() if extreme is None else extreme),
        takes=(_DELAY,),
        asks=(Extreme(_DELAY),),
    ),
    setting(":SOURce[1]:DELay:AUTO", "settings.is_auto_delay", Switch()),
    setting(":SOURce[1]:SOAK", "settings.soak_seconds", Number("S", 0, _LONGEST_SOAK_SECONDS, 0)),
    Command(":SOURce[1]:CLEar[:IMMediate]", write=_clear_source),
    setting(":SOURce[1]:CLEar:AUTO", "settings.is_auto_clear", Switch()),
    setting(":SOURce[1]:CLEar:AUTO:MODE", "settings.auto_clear_mode", Choice("ALWays", "TCOunt")),
)


def _watch_enable(i: SimKeithley2400) -> None:
    """An output that the enable line does not allow goes off, to high impedance (user's manual, section 13)."""
    if not i.may_switch_on:
        i.drop_output()


def _terminals_changed(i: SimKeithley2400, terminals: str) -> None:
    if terminals != i.settings.terminals:
        i.settings.terminals = terminals
        i.output_goes_off()


_OUTPUT: tuple[Command, ...] = (
    Command(
        ":OUTPut[1][:STATe]",
        write=lambda i, is_on: i.switch_output(is_on),
        query=lambda i: str(int(i.settings.is_output_on)),
        takes=(Switch(),),
    ),
    setting(":OUTPut[1]:SMODe", "settings.off_state", Choice("HIMPedance", "NORMal", "ZERO", "GUARd"), after=_drive),
    setting(
        ":OUTPut[1]:ENABle|INTerlock[:STATe]", "settings.is_enable_watched", Switch(), after=_watch_enable
    ),  # INTerlock in older firmware
    Command(":OUTPut[1]:ENABle|INTerlock:TRIPped", query=lambda i: str(int(i.may_switch_on))),
    Command(
        ":ROUTe:TERMinals",
        write=_terminals_changed,
        query=lambda i: i.settings.terminals,
        takes=(Choice("FRONt", "REAR"),),
    ),
)

SOURCE_COMMANDS: tuple[Command, ...] = (*_SOURCE, *SWEEP_COMMANDS, *_OUTPUT)
"""How the output is programmed."""
