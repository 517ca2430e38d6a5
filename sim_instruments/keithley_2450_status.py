"""STATus commands of a 2450: operation and questionable registers whose bits the user maps to events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .scpi import Command
from .scpi_instrument import register_commands
from .scpi_parameters import Number
from .status_488 import EventRegister

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_REGISTERS = {"OPERation": "operation", "QUEStionable": "questionable"}
_BIT = Number("", 0, 14, is_integer=True)
_EVENT = Number("", -999, 9999, 0, is_integer=True)
_CLEARING = Number("", -999, 9999, 0, is_integer=True, is_optional=True)


class EventMaps:
    """Which event sets and which clears a bit of a register; 0 is no event.

    Args:
        groups: the registers by name.
    """

    def __init__(self, groups: dict[str, EventRegister]) -> None:
        self._groups = groups
        self._maps: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in groups}

    def assign(self, group: str, bit: int, setting: int, clearing: int) -> None:
        """From now on these events set and clear the bit."""
        self._maps[group][bit] = (setting, clearing)

    def assigned(self, group: str, bit: int) -> tuple[int, int]:
        """The events that set and clear a bit."""
        return self._maps[group].get(bit, (0, 0))

    def clear(self) -> None:
        """Nothing is mapped, as after power-on."""
        for bits in self._maps.values():
            bits.clear()

    def hear(self, code: int) -> None:
        """An event happened: bits mapped to it follow."""
        if code == 0:
            return
        for name, bits in self._maps.items():
            register = self._groups[name]
            for bit, (setting, clearing) in bits.items():
                if code == setting:
                    register.condition |= 1 << bit
                    register.event |= 1 << bit
                elif code == clearing:
                    register.condition &= ~(1 << bit)


def _clear(i: SimKeithley2450) -> None:
    for group in i.status.groups.values():
        group.event = 0


def _preset(i: SimKeithley2450) -> None:
    i.status.preset()
    _clear(i)


def _map_command(node: str, group: str) -> Command:
    def write(i: SimKeithley2450, bit: float, setting: float, clearing: float | None) -> None:
        i.event_maps.assign(group, int(bit), int(setting), int(clearing or 0))

    def show(i: SimKeithley2450, bit: float) -> str:
        setting, clearing = i.event_maps.assigned(group, int(bit))
        return f"{setting},{clearing}"

    return Command(f":STATus:{node}:MAP", write=write, query=show, takes=(_BIT, _EVENT, _CLEARING), asks=(_BIT,))


STATUS_COMMANDS: tuple[Command, ...] = (
    Command(":STATus:CLEar", write=_clear),
    Command(":STATus:PRESet", write=_preset),
    *(
        command
        for node, group in _REGISTERS.items()
        for command in (*register_commands(f":STATus:{node}", group), _map_command(node, group))
    ),
)
"""How events are reported."""
