"""SOURce, OUTPut and ROUTe commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .keithley_2450_settings import (
    LARGEST,
    LONGEST_DELAY_SECONDS,
    PROTECTIONS,
    QUANTITIES,
    SourceSettings,
    show_number,
)
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Switch

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

UNITS = {"VOLT": "V", "CURR": "A"}
NODES = {"VOLT": "VOLTage", "CURR": "CURRent"}
_LIMIT_NODES = {"VOLT": "ILIMit", "CURR": "VLIMit"}
_OTHER = {"VOLT": "CURR", "CURR": "VOLT"}
_DEFAULT_LIMITS = {"VOLT": 1.05e-4, "CURR": 21.0}
_OFF_STATES = Choice("NORMal", "HIMPedance", "ZERO", "GUARd")
_DELAY = Number("S", 0, LONGEST_DELAY_SECONDS, 0)


def _switch_setting(pattern: str, quantity: str, name: str, after: Callable[[Any], None] | None = None) -> Command:
    def write(i: SimKeithley2450, is_on: bool) -> None:
        setattr(i.settings.sources[quantity], name, is_on)
        if after is not None:
            after(i)

    return Command(
        pattern,
        write=write,
        query=lambda i: str(int(getattr(i.settings.sources[quantity], name))),
        takes=(Switch(),),
    )


def _follow(i: SimKeithley2450) -> None:
    i.follow_level()


def _number_command(
    pattern: str,
    number: Number,
    write: Callable[[SimKeithley2450, float], None],
    read: Callable[[SimKeithley2450], float],
) -> Command:
    return Command(
        pattern,
        write=write,
        query=lambda i, extreme: show_number(read(i) if extreme is None else extreme),
        takes=(number,),
        asks=(Extreme(number),),
    )


def _level_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:{NODES[quantity]}"
    end, other = LARGEST[quantity], _OTHER[quantity]
    level = Number(UNITS[quantity], -end, end)
    limit = Number(UNITS[other], -LARGEST[other], LARGEST[other], _DEFAULT_LIMITS[quantity])
    reach = Number(UNITS[quantity], -end, end)

    def own(i: SimKeithley2450) -> SourceSettings:
        return i.settings.sources[quantity]

    def full_scale(i: SimKeithley2450) -> float:
        return i.accuracy.ranges(quantity)[own(i).range].full_scale

    def write_limit(i: SimKeithley2450, value: float) -> None:
        i.set_limit(quantity, abs(value))

    return (
        _number_command(
            f"{node}[:LEVel][:IMMediate][:AMPLitude]",
            level,
            lambda i, value: i.set_level(quantity, value),
            lambda i: own(i).level,
        ),
        _number_command(f"{node}:RANGe", reach, lambda i, value: i.select_source_range(quantity, value), full_scale),
        _switch_setting(f"{node}:RANGe:AUTO", quantity, "is_auto_range", after=_follow),
        _number_command(f"{node}:{_LIMIT_NODES[quantity]}[:LEVel]", limit, write_limit, lambda i: own(i).limit),
        Command(
            f"{node}:{_LIMIT_NODES[quantity]}[:LEVel]:TRIPped",
            query=lambda i: str(int(i.has_tripped(quantity))),
        ),
    )


def _manner_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:{NODES[quantity]}"

    def own(i: SimKeithley2450) -> SourceSettings:
        return i.settings.sources[quantity]

    def write_delay(i: SimKeithley2450, seconds: float) -> None:
        _set_delay(own(i), seconds)

    def user(i: SimKeithley2450, number: int) -> tuple[list[float], int]:
        if not 1 <= number <= 5:
            raise ScpiError(-114)
        return own(i).user_delays, number - 1

    def write_user(i: SimKeithley2450, number: int, seconds: float) -> None:
        delays, index = user(i, number)
        delays[index] = seconds

    def show_user(i: SimKeithley2450, number: int, extreme: float | None) -> str:
        delays, index = user(i, number)
        return show_number(delays[index] if extreme is None else extreme)

    return (
        _number_command(f"{node}:DELay", _DELAY, write_delay, lambda i: i.source_delay(quantity)),
        _switch_setting(f"{node}:DELay:AUTO", quantity, "is_auto_delay"),
        Command(f"{node}:DELay:USER<n>", write=write_user, query=show_user, takes=(_DELAY,), asks=(Extreme(_DELAY),)),
        _switch_setting(f"{node}:READ:BACK", quantity, "is_read_back"),
        _switch_setting(f"{node}:HIGH:CAPacitance", quantity, "is_high_capacitance"),
        Command(
            f":OUTPut[1]:{NODES[quantity]}[:DC]:SMODe",
            write=lambda i, state: _set_off_state(i, (quantity,), state),
            query=lambda i: own(i).off_state,
            takes=(_OFF_STATES,),
        ),
    )


def _set_delay(source: SourceSettings, seconds: float) -> None:
    source.delay_seconds, source.is_auto_delay = seconds, False


def _set_delays(i: SimKeithley2450, seconds: float) -> None:
    for source in i.settings.sources.values():
        _set_delay(source, seconds)


def _set_off_state(i: SimKeithley2450, quantities: tuple[str, ...], state: str) -> None:
    for quantity in quantities:
        i.settings.sources[quantity].off_state = state
    i.apply_output()


class _Protection(Choice):
    """PROT2 to PROT180 or NONE."""

    def __init__(self) -> None:
        super().__init__(*PROTECTIONS)


def _write_protection(i: SimKeithley2450, name: str) -> None:
    i.settings.sources["VOLT"].protection = i.settings.sources["CURR"].protection = name
    i.apply_output()


def _protection_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:{NODES[quantity]}:PROTection[:LEVel]"
    return (
        Command(
            node,
            write=_write_protection,
            query=lambda i: i.settings.sources[quantity].protection,
            takes=(_Protection(),),
        ),
        Command(f"{node}:TRIPped", query=lambda i: str(int(i.is_protecting))),
    )


_OUTPUT = (
    Command(
        ":OUTPut[1][:STATe]",
        write=lambda i, is_on: i.switch_output(is_on),
        query=lambda i: str(int(i.settings.is_output_on)),
        takes=(Switch(),),
    ),
    Command(
        ":OUTPut[1]:INTerlock:STATe",
        write=lambda i, is_on: setattr(i.settings, "is_interlock_used", is_on),
        query=lambda i: str(int(i.settings.is_interlock_used)),
        takes=(Switch(),),
    ),
    Command(
        ":OUTPut[1]:SMODe",
        write=lambda i, state: _set_off_state(i, QUANTITIES, state),
        query=lambda i: i.settings.source.off_state,
        takes=(_OFF_STATES,),
    ),
    _number_command(":SOURce[1]:DELay", _DELAY, _set_delays, lambda i: i.source_delay(i.settings.function)),
    Command(":OUTPut[1]:INTerlock:TRIPped", query=lambda i: "1"),
    Command(
        ":ROUTe:TERMinals",
        write=lambda i, terminals: i.select_terminals(terminals),
        query=lambda i: i.settings.terminals,
        takes=(Choice("FRONt", "REAR"),),
    ),
    Command(
        ":SOURce[1]:FUNCtion[:MODE]",
        write=lambda i, function: i.select_function(function),
        query=lambda i: i.settings.function,
        takes=(Choice("VOLTage", "CURRent"),),
    ),
)

SOURCE_COMMANDS: tuple[Command, ...] = (
    *_OUTPUT,
    *(
        command
        for quantity in QUANTITIES
        for make in (_level_commands, _manner_commands, _protection_commands)
        for command in make(quantity)
    ),
)
"""How the output is programmed."""
