"""SOURce, OUTPut and ROUTe commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .keithley_2450_settings import LARGEST, PROTECTIONS, QUANTITIES, SourceSettings
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Switch, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

UNITS = {"VOLT": "V", "CURR": "A"}
NODES = {"VOLT": "VOLTage", "CURR": "CURRent"}
_LIMIT_NODES = {"VOLT": "ILIMit", "CURR": "VLIMit"}
_OTHER = {"VOLT": "CURR", "CURR": "VOLT"}
_DEFAULT_LIMITS = {"VOLT": 1.05e-4, "CURR": 21.0}
LONGEST_DELAY_SECONDS = 10_000.0


def show_number(value: float) -> str:
    """A setting as the 2450 tells it: as few digits as it takes, for example 0.01 or 1E-05."""
    return f"{value:.7G}"


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
        own(i).limit = abs(value)
        i.apply_output()

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
            query=lambda i: str(int(i.settings.function == quantity and i.is_limiting)),
        ),
    )


def _manner_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:{NODES[quantity]}"
    delay = Number("S", 0, LONGEST_DELAY_SECONDS, 0)

    def own(i: SimKeithley2450) -> SourceSettings:
        return i.settings.sources[quantity]

    def write_delay(i: SimKeithley2450, seconds: float) -> None:
        own(i).delay_seconds, own(i).is_auto_delay = seconds, False

    def user(i: SimKeithley2450, number: int) -> tuple[list[float], int]:
        if not 1 <= number <= 5:
            raise ScpiError(-114)
        return own(i).user_delays, number - 1

    def write_user(i: SimKeithley2450, number: int, seconds: float) -> None:
        delays, index = user(i, number)
        delays[index] = seconds

    def show_user(i: SimKeithley2450, number: int) -> str:
        delays, index = user(i, number)
        return show_number(delays[index])

    def write_off_state(i: SimKeithley2450, state: str) -> None:
        own(i).off_state = state
        i.apply_output()

    return (
        _number_command(f"{node}:DELay", delay, write_delay, lambda i: i.source_delay(quantity)),
        _switch_setting(f"{node}:DELay:AUTO", quantity, "is_auto_delay"),
        Command(f"{node}:DELay:USER<n>", write=write_user, query=show_user, takes=(delay,)),
        _switch_setting(f"{node}:READ:BACK", quantity, "is_read_back"),
        _switch_setting(f"{node}:HIGH:CAPacitance", quantity, "is_high_capacitance"),
        Command(
            f":OUTPut[1]:{NODES[quantity]}:SMODe",
            write=write_off_state,
            query=lambda i: own(i).off_state,
            takes=(Choice("NORMal", "HIMPedance", "ZERO", "GUARd"),),
        ),
    )


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


_INDEX = Number("", 1, 300_000, is_integer=True, is_optional=True)


def _recall(i: SimKeithley2450, name: str, index: float | None) -> None:
    i.recall_source(name, int(index or 1))


_CONFIGURATION = (
    Command(":SOURce[1]:CONFiguration:LIST:CREate", write=lambda i, name: i.lists.put(name, []), takes=(Text(),)),
    Command(
        ":SOURce[1]:CONFiguration:LIST:DELete",
        write=lambda i, name, _: i.lists.delete(name),
        takes=(Text(), _INDEX),
    ),
    Command(
        ":SOURce[1]:CONFiguration:LIST:STORe",
        write=lambda i, name, _: i.store_source(name),
        takes=(Text(), _INDEX),
    ),
    Command(
        ":SOURce[1]:CONFiguration:LIST:RECall",
        write=lambda i, name, index: _recall(i, name, index),
        takes=(Text(), _INDEX),
    ),
    Command(":SOURce[1]:CONFiguration:LIST:SIZE", query=lambda i, name: str(len(i.lists.named(name))), asks=(Text(),)),
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
    *_CONFIGURATION,
    *(
        command
        for quantity in QUANTITIES
        for make in (_level_commands, _manner_commands, _protection_commands)
        for command in make(quantity)
    ),
)
"""How the output is programmed."""
