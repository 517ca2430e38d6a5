"""SENSe commands of a 2400: functions, ranges, compliance, integration, filter (user's manual, section 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .accuracy import OVER_RANGE, smallest_range
from .keithley_2400_errors import refused
from .keithley_2400_ohms_commands import CYCLES, OHMS_COMMANDS, acquire_zero
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
    i.select_functions(tuple(name for name in FUNCTIONS if name in functions))


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
    if function == "VOLT":
        i.require_free_source()
    if i.settings.function == function:
        raise refused(823)
    sense = i.settings.sense_of(function)
    accuracies = _measure_ranges(i, function)
    wanted = smallest_range(value, accuracies)
    if function == "CURR" and wanted == len(AMPS_RANGES) - 1 and i.settings.guard == "OHMS":
        raise refused(827)
    if wanted > smallest_range(sense.limit, accuracies):
        if not sense.is_synchronized:
            raise refused(824)
        _write_limit(i, function, _RANGES[function][wanted] * OVER_RANGE)
    sense.range, sense.is_auto_range = wanted, False
    i.apply_output()


def _measure_ranges(i: SimKeithley2400, function: str) -> Any:
    return i.output.measure_unit(function).ranges


def _present_range(i: SimKeithley2400, function: str) -> float:
    index = (
        i.settings.source_of(function).range if i.settings.function == function else i.settings.sense_of(function).range
    )
    return _RANGES[function][index] * OVER_RANGE


def _write_limit(i: SimKeithley2400, function: str, value: float) -> None:
    sense = i.settings.sense_of(function)
    limit = max(abs(value), _RANGES[function][0] * 1e-3)
    if not sense.is_auto_range and not sense.is_synchronized and limit < _least_limit(function, sense.range):
        raise refused(822)
    if _exceeds_power(i, function, limit):
        raise refused(826)
    if function == "VOLT" and i.settings.ohms.set_aside is not None:
        i.settings.ohms.set_aside[2].limit = limit  # auto ohms has its own compliance
        return
    sense.limit = limit
    highest = smallest_range(limit, _measure_ranges(i, function))
    if sense.is_auto_range or sense.is_synchronized:
        sense.range = highest if sense.is_synchronized and not sense.is_auto_range else min(sense.range, highest)
    i.apply_output()


def _least_limit(function: str, index: int) -> float:
    """Compliance goes down to 0.1 % of a fixed measure range."""
    return _RANGES[function][index] * 1e-3 * (1 - 1e-9)


def _exceeds_power(i: SimKeithley2400, function: str, limit: float) -> bool:
    """200 V are sourced with 100 mA at most, 1 A with 20 V (user's manual, section 18, SENSe:RANGe)."""
    source = i.settings.function
    is_highest = source != function and i.settings.source.range == len(_RANGES[source]) - 1
    return is_highest and limit > _RANGES[function][-2] * OVER_RANGE * (1 + 1e-9)


def _write_lowest(i: SimKeithley2400, function: str, value: float) -> None:
    sense = i.settings.sense_of(function)
    wanted = smallest_range(value, _measure_ranges(i, function))
    if wanted > smallest_range(sense.limit, _measure_ranges(i, function)):
        raise ScpiError(-221)
    sense.lowest_range = wanted


def _sense_commands(function: str) -> tuple[Command, ...]:
    node = f"[:SENSe[1]]:{_NODES[function]}[:DC]"
    owner = f"settings.sense_{_OWNERS[function]}"
    unit, largest = _UNITS[function], _LIMITS[function]
    default_limit = 21.0 if function == "VOLT" else 1.05e-4
    ranges = tuple(value * OVER_RANGE for value in _RANGES[function])
    reach = SteppedNumber(ranges, lambda i: _present_range(i, function), unit, -largest, largest, ranges[2], lowest=0.0)
    limit = Number(unit, -largest, largest, default_limit)
    lowest = Number(unit, -ranges[2], ranges[2], ranges[0])

    return (
        Command(
            f"{node}:RANGe[:UPPer]",
            write=lambda i, value: _write_sense_range(i, function, value),
            query=lambda i, extreme: show_number(_present_range(i, function) if extreme is None else extreme),
            takes=(reach,),
            asks=(Extreme(reach),),
        ),
        setting(f"{node}:RANGe:AUTO", f"{owner}.is_auto_range", Switch(), after=_drive),
        Command(
            f"{node}:RANGe:AUTO:LLIMit",
            write=lambda i, value: _write_lowest(i, function, value),
            query=lambda i, extreme: show_number(
                ranges[i.settings.sense_of(function).lowest_range] if extreme is None else extreme
            ),
            takes=(lowest,),
            asks=(Extreme(lowest),),
        ),
        Command(
            f"{node}:RANGe:AUTO:ULIMit",
            query=lambda i: show_number(
                ranges[smallest_range(i.settings.sense_of(function).limit, _measure_ranges(i, function))]
            ),
        ),
        setting(f"{node}:NPLCycles", "settings.cycles", CYCLES, after=acquire_zero),
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


def _restart_filter(i: SimKeithley2400) -> None:
    i.meter.restart_filter()


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
    setting("[:SENSe[1]]:CURRent[:DC]:RANGe:HOLDoff[:STATe]", "settings.holdoff.is_on", Switch()),
    setting("[:SENSe[1]]:CURRent[:DC]:RANGe:HOLDoff:DELay", "settings.holdoff.seconds", Number("S", 0, 999.9999, 0)),
    *OHMS_COMMANDS,
    setting("[:SENSe[1]]:AVERage[:STATe]", "settings.filter.is_on", Switch(), after=_restart_filter),
    setting("[:SENSe[1]]:AVERage:TCONtrol", "settings.filter.kind", Choice("REPeat", "MOVing"), after=_restart_filter),
    setting("[:SENSe[1]]:AVERage:COUNt", "settings.filter.count", Number("", 1, 100, 10, is_integer=True)),
)
"""How readings are taken."""
