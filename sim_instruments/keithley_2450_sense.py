"""SENSe commands of a 2450, and the digits of its display (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .keithley_2450_settings import FUNCTIONS, LONGEST_DELAY_SECONDS, OHMS_RANGES, SenseSettings, show_number
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Parameter, Switch, Text, short_form

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

NODES = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
_UNITS = {"VOLT": "V", "CURR": "A", "RES": "OHM"}
_ENDS = {"VOLT": 210.0, "CURR": 1.05, "RES": 210e6}
_SHOWN_UNITS = {"VOLT": ("VOLT", "OHM", "WATT"), "CURR": ("AMP", "OHM", "WATT"), "RES": ("OHM", "VOLT", "AMP", "WATT")}
_SHOWN = {"VOLT": '"VOLT:DC"', "CURR": '"CURR:DC"', "RES": '"RES"'}
_NAMES = {
    spelling: function
    for function, names in (
        ("VOLT", ("VOLTage", "VOLTage:DC")),
        ("CURR", ("CURRent", "CURRent:DC")),
        ("RES", ("RESistance",)),
    )
    for name in names
    for spelling in (name.upper(), ":".join(short_form(part) for part in name.split(":")))
}
_SENSE = "[:SENSe[1]]"
_COUNT = Number("", 1, 300_000, 1, is_integer=True)
_Owner = Callable[[SenseSettings], Any]


def _select(i: SimKeithley2450, name: str) -> None:
    function = _NAMES.get(name.strip().upper())
    if function is None:
        raise ScpiError(-224)
    i.select_sense(function)


def _own(i: SimKeithley2450, function: str) -> SenseSettings:
    return i.settings.senses[function]


def _itself(sense: SenseSettings) -> SenseSettings:
    return sense


def _filter(sense: SenseSettings) -> Any:
    return sense.filter


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return show_number(value) if isinstance(value, float) else str(value)


def _one(pattern: str, functions: tuple[str, ...], owner: _Owner, name: str, parameter: Parameter) -> Command:
    """A setting of one function, or of all at once, which then tells that of the selected one."""

    def write(i: SimKeithley2450, value: Any) -> None:
        for function in functions:
            setattr(owner(_own(i, function)), name, value)
        i.measuring.forget()

    def query(i: SimKeithley2450, extreme: float | None = None) -> str:
        function = functions[0] if len(functions) == 1 else i.settings.sense_function
        return _shown(getattr(owner(_own(i, function)), name) if extreme is None else float(extreme))

    asks = (Extreme(parameter),) if isinstance(parameter, Number) else ()
    return Command(pattern, write=write, query=query, takes=(parameter,), asks=asks)


def _for_all(before: str, after: str, owner: _Owner, name: str, parameter: Parameter) -> tuple[Command, ...]:
    """The setting for each function, and without a function for all of them."""
    return (
        *(_one(f"{before}:{NODES[f]}{after}", (f,), owner, name, parameter) for f in FUNCTIONS),
        _one(f"{before}{after}", FUNCTIONS, owner, name, parameter),
    )


def _scales(i: SimKeithley2450, function: str) -> tuple[float, ...]:
    if function == "RES":
        return OHMS_RANGES
    return tuple(entry.full_scale for entry in i.accuracy.ranges(function))


def _scale_for(i: SimKeithley2450, function: str, value: float) -> float:
    """The smallest range that reaches a value."""
    scales = _scales(i, function)
    return next((scale for scale in scales if abs(value) <= scale * i.accuracy.over_range * (1 + 1e-9)), scales[-1])


def _highest(i: SimKeithley2450, function: str) -> float:
    """The largest range that automatic ranging selects: as set for resistance, else what the source limit needs."""
    if function == "RES":
        return _own(i, function).highest
    if i.settings.function == function:
        return _scales(i, function)[-1]
    return _scale_for(i, function, i.settings.source.limit)


def _range_commands(function: str) -> tuple[Command, ...]:
    node = f"{_SENSE}:{NODES[function]}:RANGe"
    end = _ENDS[function]
    reach = Number(_UNITS[function], -end, end, 0)
    lowest = Number(_UNITS[function], 0, end, 0)
    highest = Number(_UNITS[function], 0, end, end)

    def write_range(i: SimKeithley2450, value: float) -> None:
        i.set_range(function, _scale_for(i, function, value))

    def write_lowest(i: SimKeithley2450, value: float) -> None:
        scale = _scale_for(i, function, value)
        if scale > _highest(i, function):
            raise ScpiError(-221)
        _own(i, function).lowest = scale

    def write_highest(i: SimKeithley2450, value: float) -> None:
        scale = _scale_for(i, function, value)
        if scale < _own(i, function).lowest:
            raise ScpiError(-221)
        _own(i, function).highest = scale

    def show_range(i: SimKeithley2450, extreme: float | None) -> str:
        return show_number(i.measure_scale(function) if extreme is None else _scale_for(i, function, max(extreme, 0)))

    def scaled(read: Callable[[SimKeithley2450], float]) -> Callable[..., str]:
        return lambda i, extreme: show_number(read(i) if extreme is None else _scale_for(i, function, extreme))

    is_ohms = function == "RES"
    return (
        Command(f"{node}[:UPPer]", write=write_range, query=show_range, takes=(reach,), asks=(Extreme(reach),)),
        Command(
            f"{node}:AUTO",
            write=lambda i, is_on: i.set_auto_range(function, is_on),
            query=lambda i: str(int(_own(i, function).is_auto_range)),
            takes=(Switch(),),
        ),
        Command(
            f"{node}:AUTO:LLIMit",
            write=write_lowest,
            query=scaled(lambda i: _own(i, function).lowest),
            takes=(lowest,),
            asks=(Extreme(lowest),),
        ),
        Command(
            f"{node}:AUTO:ULIMit",
            write=write_highest if is_ohms else None,
            query=scaled(lambda i: _highest(i, function)),
            takes=(highest,) if is_ohms else (),
            asks=(Extreme(highest),),
        ),
        _one(f"{node}:AUTO:REBound", (function,), _itself, "is_rebounding", Switch()),
    )


def _delay_command(function: str) -> Command:
    def place(i: SimKeithley2450, number: int) -> tuple[list[float], int]:
        if not 1 <= number <= 5:
            raise ScpiError(-114)
        return _own(i, function).user_delays, number - 1

    def write(i: SimKeithley2450, number: int, seconds: float) -> None:
        delays, index = place(i, number)
        delays[index] = seconds

    def show(i: SimKeithley2450, number: int, extreme: float | None) -> str:
        delays, index = place(i, number)
        return show_number(delays[index] if extreme is None else extreme)

    delay = Number("S", 0, LONGEST_DELAY_SECONDS, 0)
    node = f"{_SENSE}:{NODES[function]}:DELay:USER<n>"
    return Command(node, write=write, query=show, takes=(delay,), asks=(Extreme(delay),))


def _manner_commands(function: str) -> tuple[Command, ...]:
    node = f"{_SENSE}:{NODES[function]}"
    relative = Number(_UNITS[function], -_ENDS[function], _ENDS[function], 0)

    def write_wires(i: SimKeithley2450, is_remote: bool) -> None:
        i.select_wires(function, is_remote)

    return (
        Command(
            f"{node}:RSENse",
            write=write_wires,
            query=lambda i: str(int(_own(i, function).is_remote_sense)),
            takes=(Switch(),),
        ),
        _one(f"{node}:RELative", (function,), _itself, "relative", relative),
        _one(f"{node}:RELative:STATe", (function,), _itself, "is_relative", Switch()),
        Command(f"{node}:RELative:ACQuire", write=lambda i: i.acquire_relative(function)),
        _one(f"{node}:UNIT", (function,), _itself, "unit", Choice(*_SHOWN_UNITS[function])),
        _delay_command(function),
    )


SENSE_COMMANDS: tuple[Command, ...] = (
    Command(
        f"{_SENSE}:FUNCtion[:ON]",
        write=_select,
        query=lambda i: _SHOWN[i.settings.sense_function],
        takes=(Text(),),
    ),
    Command(
        f"{_SENSE}:COUNt",
        write=lambda i, count: setattr(i.settings, "count", count),
        query=lambda i, extreme: show_number(i.settings.count if extreme is None else extreme),
        takes=(_COUNT,),
        asks=(Extreme(_COUNT),),
    ),
    Command(f"{_SENSE}:AZERo:ONCE", write=lambda i: i.refresh_zero()),
    *_for_all(_SENSE, ":AVERage[:STATe]", _filter, "is_on", Switch()),
    *_for_all(_SENSE, ":AVERage:COUNt", _filter, "count", Number("", 1, 100, 10, is_integer=True)),
    *_for_all(_SENSE, ":AVERage:TCONtrol", _filter, "kind", Choice("REPeat", "MOVing")),
    *_for_all(_SENSE, ":NPLCycles", _itself, "cycles", Number("", 0.01, 10, 1)),
    *_for_all(_SENSE, ":AZERo[:STATe]", _itself, "is_auto_zero", Switch()),
    *_for_all(_SENSE, ":OCOMpensated", _itself, "is_offset_compensated", Switch()),
    *_for_all(":DISPlay", ":DIGits", _itself, "digits", Number("", 3, 6, 5, is_integer=True)),
    *(command for function in FUNCTIONS for make in (_range_commands, _manner_commands) for command in make(function)),
)
"""What is measured, and how."""
