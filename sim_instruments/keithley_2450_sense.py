"""SENSe, CALCulate and DISPlay:<function> commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .keithley_2450_settings import FUNCTIONS, OHMS_RANGES, SenseSettings
from .keithley_2450_source import LONGEST_DELAY_SECONDS, show_number
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Switch, Text, short_form

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_NODES = {"VOLT": "VOLTage[:DC]", "CURR": "CURRent[:DC]", "RES": "RESistance"}
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


def _select(i: SimKeithley2450, name: str) -> None:
    function = _NAMES.get(name.strip().upper())
    if function is None:
        raise ScpiError(-224)
    i.select_sense(function)


def _own(i: SimKeithley2450, function: str) -> SenseSettings:
    return i.settings.senses[function]


def _number(
    pattern: str, function: str, name: str, number: Number, after: Callable[[SimKeithley2450], None] | None = None
) -> Command:
    def write(i: SimKeithley2450, value: float) -> None:
        setattr(_own(i, function), name, value)
        if after is not None:
            after(i)

    return Command(
        pattern,
        write=write,
        query=lambda i, extreme: show_number(getattr(_own(i, function), name) if extreme is None else extreme),
        takes=(number,),
        asks=(Extreme(number),),
    )


def _switch(pattern: str, function: str, name: str) -> Command:
    return Command(
        pattern,
        write=lambda i, is_on: setattr(_own(i, function), name, is_on),
        query=lambda i: str(int(getattr(_own(i, function), name))),
        takes=(Switch(),),
    )


def _scales(i: SimKeithley2450, function: str) -> tuple[float, ...]:
    if function == "RES":
        return OHMS_RANGES
    return tuple(entry.full_scale for entry in i.accuracy.ranges(function))


def _scale_for(i: SimKeithley2450, function: str, value: float) -> float:
    """The smallest range that reaches a value."""
    scales = _scales(i, function)
    return next((scale for scale in scales if abs(value) <= scale * i.accuracy.over_range * (1 + 1e-9)), scales[-1])


def _range_commands(function: str) -> tuple[Command, ...]:
    node = f"[:SENSe[1]]:{_NODES[function]}:RANGe"
    end = _ENDS[function]
    reach = Number(_UNITS[function], -end, end, 0)

    def write_range(i: SimKeithley2450, value: float) -> None:
        sense = _own(i, function)
        sense.range, sense.is_auto_range = _scale_for(i, function, value), False
        i.apply_output()

    def write_lowest(i: SimKeithley2450, value: float) -> None:
        _own(i, function).lowest = _scale_for(i, function, value)

    def show_range(i: SimKeithley2450, extreme: float | None) -> str:
        return show_number(i.measure_scale(function) if extreme is None else _scale_for(i, function, max(extreme, 0)))

    def highest(i: SimKeithley2450) -> float:
        if function == "RES" or i.settings.function == function:
            return _scales(i, function)[-1]
        return _scale_for(i, function, i.settings.source.limit)

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
            query=lambda i: show_number(_own(i, function).lowest),
            takes=(reach,),
        ),
        Command(
            f"{node}:AUTO:ULIMit",
            write=_keep_highest,
            query=lambda i: show_number(highest(i)),
            takes=(reach,),
        ),
    )


def _keep_highest(_: Any, __: float) -> None:
    """The upper limit follows the source limit; only resistance could set it, which changes no reading here."""


def _filter_commands(function: str) -> tuple[Command, ...]:
    node = f"[:SENSe[1]]:{_NODES[function]}:AVERage"
    return (
        Command(
            f"{node}[:STATe]",
            write=lambda i, is_on: setattr(_own(i, function).filter, "is_on", is_on),
            query=lambda i: str(int(_own(i, function).filter.is_on)),
            takes=(Switch(),),
        ),
        Command(
            f"{node}:COUNt",
            write=lambda i, count: setattr(_own(i, function).filter, "count", count),
            query=lambda i: show_number(_own(i, function).filter.count),
            takes=(Number("", 1, 100, 10, is_integer=True),),
        ),
        Command(
            f"{node}:TCONtrol",
            write=lambda i, kind: setattr(_own(i, function).filter, "kind", kind),
            query=lambda i: _own(i, function).filter.kind,
            takes=(Choice("REPeat", "MOVing"),),
        ),
    )


def _delay_command(function: str) -> Command:
    def write(i: SimKeithley2450, number: int, seconds: float) -> None:
        if not 1 <= number <= 5:
            raise ScpiError(-114)
        _own(i, function).user_delays[number - 1] = seconds

    def show(i: SimKeithley2450, number: int) -> str:
        if not 1 <= number <= 5:
            raise ScpiError(-114)
        return show_number(_own(i, function).user_delays[number - 1])

    return Command(
        f"[:SENSe[1]]:{_NODES[function]}:DELay:USER<n>",
        write=write,
        query=show,
        takes=(Number("S", 0, LONGEST_DELAY_SECONDS, 0),),
    )


def _manner_commands(function: str) -> tuple[Command, ...]:
    node = f"[:SENSe[1]]:{_NODES[function]}"
    relative = Number(_UNITS[function], -_ENDS[function], _ENDS[function], 0)

    def acquire(i: SimKeithley2450) -> None:
        i.acquire_relative(function)

    def write_unit(i: SimKeithley2450, unit: str) -> None:
        _own(i, function).unit = unit

    def write_wires(i: SimKeithley2450, is_remote: bool) -> None:
        i.select_wires(function, is_remote)

    return (
        _number(f"{node}:NPLCycles", function, "cycles", Number("", 0.01, 10, 1)),
        _switch(f"{node}:AZERo[:STATe]", function, "is_auto_zero"),
        Command(
            f"{node}:RSENse",
            write=write_wires,
            query=lambda i: str(int(_own(i, function).is_remote_sense)),
            takes=(Switch(),),
        ),
        _switch(f"{node}:OCOMpensated", function, "is_offset_compensated"),
        _number(f"{node}:RELative", function, "relative", relative),
        _switch(f"{node}:RELative:STATe", function, "is_relative"),
        Command(f"{node}:RELative:ACQuire", write=acquire),
        Command(
            f"{node}:UNIT",
            write=write_unit,
            query=lambda i: _own(i, function).unit,
            takes=(Choice(*_SHOWN_UNITS[function]),),
        ),
        _delay_command(function),
        _number(f":DISPlay:{_NODES[function]}:DIGits", function, "digits", Number("", 3, 6, 5, is_integer=True)),
    )


def _nothing(_: Any) -> None:
    """Auto zero once: the zero is exact here anyway."""


SENSE_COMMANDS: tuple[Command, ...] = (
    Command(
        "[:SENSe[1]]:FUNCtion[:ON]",
        write=_select,
        query=lambda i: _SHOWN[i.settings.sense_function],
        takes=(Text(),),
    ),
    Command(
        "[:SENSe[1]]:COUNt",
        write=lambda i, count: setattr(i.settings, "count", count),
        query=lambda i, extreme: show_number(i.settings.count if extreme is None else extreme),
        takes=(Number("", 1, 300_000, 1, is_integer=True),),
        asks=(Extreme(Number("", 1, 300_000, 1, is_integer=True)),),
    ),
    Command("[:SENSe[1]]:AZERo:ONCE", write=_nothing),
    *(
        command
        for function in FUNCTIONS
        for make in (_range_commands, _filter_commands, _manner_commands)
        for command in make(function)
    ),
)
"""How readings are taken."""
