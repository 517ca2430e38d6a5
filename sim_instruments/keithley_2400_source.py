"""SOURce, OUTPut and ROUTe commands of a 2400 (user's manual, section 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .accuracy import smallest_range
from .keithley_2400_settings import AMPS_RANGES, MOST_LISTED, MOST_READINGS, VOLTS_RANGES
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Numbers, SteppedNumber, Switch
from .scpi_settings import setting, show_number

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_LONGEST_DELAY_SECONDS = 9999.998
_PROTECTIONS = (20.0, 40.0, 60.0, 80.0, 100.0, 120.0, 160.0, 210.0)
_UNITS = {"VOLT": "V", "CURR": "A"}
_LIMITS = {"VOLT": 210.0, "CURR": 1.05}
_RANGES = {"VOLT": VOLTS_RANGES, "CURR": AMPS_RANGES}
_OWNERS = {"VOLT": "volts", "CURR": "amps"}
_NODES = {"VOLT": "VOLTage", "CURR": "CURRent"}


def _drive(i: SimKeithley2400) -> None:
    i.apply_output()


def _set_auto_range(i: SimKeithley2400) -> None:
    for function in _UNITS:
        source = i.settings.source_of(function)
        if source.is_auto_range:
            source.range = smallest_range(source.level, _accuracies(i, function))


def _accuracies(i: SimKeithley2400, function: str) -> Any:
    return (i.output.source_volts if function == "VOLT" else i.output.source_amps).ranges


def _range_number(function: str) -> Number:
    ranges = _RANGES[function]
    return SteppedNumber(
        ranges,
        lambda i: ranges[i.settings.source_of(function).range],
        _UNITS[function],
        -_LIMITS[function],
        _LIMITS[function],
        ranges[2],
    )


def _triggered(i: SimKeithley2400, function: str) -> float:
    source = i.settings.source_of(function)
    return source.level if source.triggered_level is None else source.triggered_level


def _source_commands(function: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:{_NODES[function]}"
    owner = f"settings.{_OWNERS[function]}"
    level = Number(_UNITS[function], -_LIMITS[function], _LIMITS[function])
    reach = _range_number(function)
    listed = Numbers(_UNITS[function], -_LIMITS[function], _LIMITS[function], at_most=MOST_LISTED)
    listing = f":SOURce[1]:LIST:{_NODES[function]}"

    def write_triggered(i: SimKeithley2400, value: float) -> None:
        i.settings.source_of(function).triggered_level = value

    def write_list(i: SimKeithley2400, values: list[float]) -> None:
        i.settings.source_of(function).listed = values

    def append(i: SimKeithley2400, values: list[float]) -> None:
        present = i.settings.source_of(function).listed
        if len(present) + len(values) > MOST_READINGS:
            raise ScpiError(-223)
        present.extend(values)

    def show_list(i: SimKeithley2400) -> str:
        return ",".join(f"{value:+.6E}" for value in i.settings.source_of(function).listed)

    return (
        Command(
            f"{node}[:LEVel][:IMMediate][:AMPLitude]",
            write=lambda i, value: i.set_level(function, value),
            query=lambda i, extreme: show_number(i.settings.source_of(function).level if extreme is None else extreme),
            takes=(level,),
            asks=(Extreme(level),),
        ),
        Command(
            f"{node}[:LEVel]:TRIGgered[:AMPLitude]",
            write=write_triggered,
            query=lambda i, extreme: show_number(_triggered(i, function) if extreme is None else extreme),
            takes=(level,),
            asks=(Extreme(level),),
        ),
        Command(
            f"{node}:RANGe",
            write=lambda i, value: i.select_source_range(function, value),
            query=lambda i, extreme: show_number(i.source_range(function) if extreme is None else abs(extreme)),
            takes=(reach,),
            asks=(Extreme(reach),),
        ),
        setting(f"{node}:RANGe:AUTO", f"{owner}.is_auto_range", Switch(), after=_set_auto_range),
        setting(f"{node}:MODE", f"{owner}.mode", Choice("FIXed", "LIST", "SWEep")),
        setting(f"{node}:STARt", f"{owner}.start", level),
        setting(f"{node}:STOP", f"{owner}.stop", level),
        setting(f"{node}:STEP", f"{owner}.step", level, after=lambda i: _points_from_step(i, function)),
        Command(listing, write=write_list, query=show_list, takes=(listed,)),
        Command(f"{listing}:APPend", write=append, takes=(listed,)),
        Command(f"{listing}:POINts", query=lambda i: str(len(i.settings.source_of(function).listed))),
        setting(
            f"{listing}:STARt",
            f"{owner}.list_start",
            Number("", 1, MOST_READINGS, 1, is_integer=True),
        ),
    )


def _points_from_step(i: SimKeithley2400, function: str) -> None:
    source = i.settings.source_of(function)
    span = source.stop - source.start
    if source.step == 0 or span == 0:
        return
    if span * source.step < 0:
        raise ScpiError(-221)
    points = int(span / source.step + 1e-9) + 1
    i.settings.sweep.points = float(min(max(points, 1), MOST_READINGS))


def _step_from_points(i: SimKeithley2400) -> None:
    for function in _UNITS:
        source = i.settings.source_of(function)
        source.step = (source.stop - source.start) / max(i.settings.sweep.points - 1, 1)


class _Protection(Number):
    """Over-voltage protection: the nearest setting that is not lower; NONE is the highest."""

    def parse(self, token: str, instrument: Any) -> float:
        """One of the protection settings."""
        if token.upper() == "NONE":
            return _PROTECTIONS[-1]
        value = abs(super().parse(token, instrument))
        return next((step for step in _PROTECTIONS if step >= value), _PROTECTIONS[-1])


def _manual_delay(i: SimKeithley2400) -> None:
    i.settings.is_auto_delay = False


def _clear_source(i: SimKeithley2400) -> None:
    i.switch_output(False)


_SOURCE: tuple[Command, ...] = (
    Command(
        ":SOURce[1]:FUNCtion[:MODE]",
        write=lambda i, function: i.select_function(function),
        query=lambda i: i.settings.function,
        takes=(Choice("VOLTage", "CURRent"),),
    ),
    Command(":SOURce[1]:FUNCtion:SHAPe", write=lambda i, _: None, query=lambda i: "DC", takes=(Choice("DC"),)),
    *_source_commands("VOLT"),
    *_source_commands("CURR"),
    setting(
        ":SOURce[1]:VOLTage:PROTection[:LEVel]",
        "settings.volts.protection",
        _Protection("V", -210, 210, 210),
        after=_drive,
    ),
    Command(":SOURce[1]:VOLTage:PROTection:TRIPped", query=lambda i: "0"),
    setting(
        ":SOURce[1]:DELay",
        "settings.delay_seconds",
        Number("S", 0, _LONGEST_DELAY_SECONDS, 0),
        after=_manual_delay,
    ),
    setting(":SOURce[1]:DELay:AUTO", "settings.is_auto_delay", Switch()),
    Command(":SOURce[1]:CLEar[:IMMediate]", write=_clear_source),
    setting(":SOURce[1]:CLEar:AUTO", "settings.is_auto_clear", Switch()),
    setting(":SOURce[1]:CLEar:AUTO:MODE", "settings.auto_clear_mode", Choice("ALWays", "TCOunt")),
    setting(":SOURce[1]:SWEep:SPACing", "settings.sweep.spacing", Choice("LINear", "LOGarithmic")),
    setting(
        ":SOURce[1]:SWEep:POINts",
        "settings.sweep.points",
        Number("", 2, MOST_READINGS, MOST_READINGS, is_integer=True),
        after=_step_from_points,
    ),
    setting(":SOURce[1]:SWEep:DIRection", "settings.sweep.direction", Choice("UP", "DOWN")),
    setting(":SOURce[1]:SWEep:RANGing", "settings.sweep.ranging", Choice("BEST", "AUTO", "FIXed")),
    setting(":SOURce[1]:SWEep:CABort", "settings.sweep.abort_on_compliance", Choice("NEVer", "EARLy", "LATE")),
)


_OUTPUT: tuple[Command, ...] = (
    Command(
        ":OUTPut[1][:STATe]",
        write=lambda i, is_on: i.switch_output(is_on),
        query=lambda i: str(int(i.settings.is_output_on)),
        takes=(Switch(),),
    ),
    setting(":OUTPut[1]:SMODe", "settings.off_state", Choice("HIMPedance", "NORMal", "ZERO", "GUARd"), after=_drive),
    Command(":OUTPut[1]:ENABle[:STATe]", write=lambda i, _: None, query=lambda i: "0", takes=(Switch(),)),
    Command(":OUTPut[1]:ENABle:TRIPped", query=lambda i: "0"),
    setting(":ROUTe:TERMinals", "settings.terminals", Choice("FRONt", "REAR")),
)

SOURCE_COMMANDS: tuple[Command, ...] = (*_SOURCE, *_OUTPUT)
"""How the output is programmed."""
