"""SENSe commands of a 2400: functions, ranges, compliance, integration, filter (user's manual, section 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .accuracy import OVER_RANGE, smallest_range
from .keithley_2400_settings import AMPS_RANGES, FUNCTIONS, VOLTS_RANGES
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, SteppedNumber, Switch, Text, Texts, short_form
from .scpi_settings import setting, show_number

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_UNITS = {"VOLT": "V", "CURR": "A"}
_LIMITS = {"VOLT": 210.0, "CURR": 1.05}
_RANGES = {"VOLT": VOLTS_RANGES, "CURR": AMPS_RANGES}
_OWNERS = {"VOLT": "volts", "CURR": "amps"}
_NODES = {"VOLT": "VOLTage", "CURR": "CURRent"}


def _drive(i: SimKeithley2400) -> None:
    i.apply_output()


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
_SHOWN = {"VOLT": '"VOLT:DC"', "CURR": '"CURR:DC"', "RES": '"RES"'}


def _named(names: list[str]) -> set[str]:
    words = [word.strip().upper() for name in names for word in name.split(",")]
    if any(word not in _FUNCTION_NAMES for word in words):
        raise ScpiError(-224)
    return {_FUNCTION_NAMES[word] for word in words}


def _select(i: SimKeithley2400, functions: set[str]) -> None:
    i.settings.functions = tuple(name for name in FUNCTIONS if name in functions)
    i.apply_output()


def _functions_on(i: SimKeithley2400, names: list[str]) -> None:
    wanted = _named(names)
    if not i.settings.is_concurrent:
        if len(wanted) > 1:
            raise ScpiError(-221)
        _select(i, wanted)
    else:
        _select(i, wanted | set(i.settings.functions))


def _functions_off(i: SimKeithley2400, names: list[str]) -> None:
    _select(i, set(i.settings.functions) - _named(names))


def _set_concurrent(i: SimKeithley2400, is_on: bool) -> None:
    if i.settings.is_concurrent and not is_on:
        _select(i, {"VOLT"})
    i.settings.is_concurrent = is_on


def _list_functions(functions: tuple[str, ...]) -> str:
    return ",".join(_SHOWN[name] for name in functions) or '""'


def _others(functions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in FUNCTIONS if name not in functions)


def _write_sense_range(i: SimKeithley2400, function: str, value: float) -> None:
    if i.settings.function == function:
        raise ScpiError(823, "Invalid with source read-back on")
    sense = i.settings.sense_of(function)
    accuracies = _measure_ranges(i, function)
    wanted = smallest_range(value, accuracies)
    if wanted > smallest_range(sense.limit, accuracies):
        raise ScpiError(824, "Cannot exceed compliance range")
    sense.range, sense.is_auto_range = wanted, False
    i.apply_output()


def _measure_ranges(i: SimKeithley2400, function: str) -> Any:
    return (i.output.measure_volts if function == "VOLT" else i.output.measure_amps).ranges


def _present_range(i: SimKeithley2400, function: str) -> float:
    index = (
        i.settings.source_of(function).range if i.settings.function == function else i.settings.sense_of(function).range
    )
    return _RANGES[function][index] * OVER_RANGE


def _write_limit(i: SimKeithley2400, function: str, value: float) -> None:
    sense = i.settings.sense_of(function)
    lowest = _RANGES[function][sense.range] * 1e-3
    limit = abs(value)
    if not sense.is_auto_range and limit < lowest * (1 - 1e-9):
        raise ScpiError(822, "Too small for sense range")
    sense.limit = max(limit, _RANGES[function][0] * 1e-3)
    if sense.is_auto_range:
        sense.range = min(sense.range, smallest_range(sense.limit, _measure_ranges(i, function)))
    i.apply_output()


def _sense_commands(function: str) -> tuple[Command, ...]:
    node = f"[:SENSe[1]]:{_NODES[function]}[:DC]"
    owner = f"settings.sense_{_OWNERS[function]}"
    unit, largest = _UNITS[function], _LIMITS[function]
    default_limit = 21.0 if function == "VOLT" else 1.05e-4
    ranges = tuple(value * OVER_RANGE for value in _RANGES[function])
    reach = SteppedNumber(ranges, lambda i: _present_range(i, function), unit, -largest, largest, ranges[2])
    limit = Number(unit, -largest, largest, default_limit)
    cycles = Number("", 0.01, 10, 1)

    def write_lowest(i: SimKeithley2400, value: float) -> None:
        i.settings.sense_of(function).lowest_range = smallest_range(value, _measure_ranges(i, function))

    return (
        Command(
            f"{node}:RANGe[:UPPer]",
            write=lambda i, value: _write_sense_range(i, function, value),
            query=lambda i, extreme: show_number(_present_range(i, function) if extreme is None else max(extreme, 0.0)),
            takes=(reach,),
            asks=(Extreme(reach),),
        ),
        setting(f"{node}:RANGe:AUTO", f"{owner}.is_auto_range", Switch(), after=_drive),
        Command(
            f"{node}:RANGe:AUTO:LLIMit",
            write=write_lowest,
            query=lambda i: show_number(ranges[i.settings.sense_of(function).lowest_range]),
            takes=(Number(unit, -largest, largest),),
        ),
        Command(
            f"{node}:RANGe:AUTO:ULIMit",
            query=lambda i: show_number(
                ranges[smallest_range(i.settings.sense_of(function).limit, _measure_ranges(i, function))]
            ),
        ),
        setting(f"{node}:NPLCycles", "settings.cycles", cycles),
        Command(
            f"{node}:PROTection[:LEVel]",
            write=lambda i, value: _write_limit(i, function, value),
            query=lambda i, extreme: show_number(i.settings.sense_of(function).limit if extreme is None else extreme),
            takes=(limit,),
            asks=(Extreme(limit),),
        ),
        Command(
            f"{node}:PROTection:TRIPped",
            query=lambda i: str(int(i.settings.function != function and i.in_compliance())),
        ),
        setting(f"{node}:PROTection:RSYNchronize", f"{owner}.is_synchronized", Switch()),
    )


def _manual_ohms(i: SimKeithley2400) -> None:
    """Auto ohms would set source and ranges by itself; only manual ohms is simulated."""
    if i.settings.ohms_mode != "MAN":
        i.settings.ohms_mode = "MAN"
        raise ScpiError(-221)


_OHMS_RANGES = tuple(2.1 * 10.0**k for k in range(9))
_OHMS_RANGE = Number("OHM", 0, _OHMS_RANGES[-1], 2.1e5)


def _write_ohms_range(i: SimKeithley2400, ohms: float) -> None:
    """In manual ohms, the only mode simulated, ranges are chosen by themselves; this is only told back."""
    i.settings.ohms_range = next(top for top in _OHMS_RANGES if ohms <= top * (1 + 1e-9))
    i.settings.is_ohms_auto_range = False


SENSE_COMMANDS: tuple[Command, ...] = (
    Command(
        "[:SENSe[1]]:FUNCtion[:ON]",
        write=_functions_on,
        query=lambda i: _list_functions(i.settings.functions),
        takes=(Texts(),),
    ),
    Command("[:SENSe[1]]:FUNCtion[:ON]:ALL", write=lambda i: _functions_on(i, list(FUNCTIONS))),
    Command("[:SENSe[1]]:FUNCtion[:ON]:COUNt", query=lambda i: str(len(i.settings.functions))),
    Command(
        "[:SENSe[1]]:FUNCtion:OFF",
        write=_functions_off,
        query=lambda i: _list_functions(_others(i.settings.functions)),
        takes=(Texts(),),
    ),
    Command("[:SENSe[1]]:FUNCtion:OFF:ALL", write=lambda i: _functions_off(i, list(FUNCTIONS))),
    Command("[:SENSe[1]]:FUNCtion:OFF:COUNt", query=lambda i: str(len(_others(i.settings.functions)))),
    Command(
        "[:SENSe[1]]:FUNCtion:STATe",
        query=lambda i, name: str(int(_named([name]) <= set(i.settings.functions))),
        asks=(Text(),),
    ),
    Command(
        "[:SENSe[1]]:FUNCtion:CONCurrent",
        write=_set_concurrent,
        query=lambda i: str(int(i.settings.is_concurrent)),
        takes=(Switch(),),
    ),
    *_sense_commands("VOLT"),
    *_sense_commands("CURR"),
    setting("[:SENSe[1]]:RESistance:NPLCycles", "settings.cycles", Number("", 0.01, 10, 1)),
    setting("[:SENSe[1]]:RESistance:MODE", "settings.ohms_mode", Choice("MANual", "AUTO"), after=_manual_ohms),
    Command(
        "[:SENSe[1]]:RESistance:RANGe[:UPPer]",
        write=_write_ohms_range,
        query=lambda i, extreme: show_number(i.settings.ohms_range if extreme is None else extreme),
        takes=(_OHMS_RANGE,),
        asks=(Extreme(_OHMS_RANGE),),
    ),
    setting("[:SENSe[1]]:RESistance:RANGe:AUTO", "settings.is_ohms_auto_range", Switch()),
    setting("[:SENSe[1]]:RESistance:OCOMpensated", "settings.is_offset_compensated", Switch()),
    setting("[:SENSe[1]]:AVERage[:STATe]", "settings.filter.is_on", Switch()),
    setting("[:SENSe[1]]:AVERage:TCONtrol", "settings.filter.kind", Choice("REPeat", "MOVing")),
    setting("[:SENSe[1]]:AVERage:COUNt", "settings.filter.count", Number("", 1, 100, 10, is_integer=True)),
)
"""How readings are taken."""
