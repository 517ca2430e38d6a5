"""Matrix modules of the 34980A: which channel is which crosspoint, and the row protection of the 34934A.

34934A: channel numbers and row protection as in the 34934A User's Guide and the 34980A Programmer's Reference
("34934A Channel Addressing", "SYSTem:MODule:ROW:PROTection"). Nodes without the mainframe's name:

* row r of the first high matrix (M1H, MH or the only one) is `row.<r>`, of M2H `row.<r>M2`; low matrices end in L:
  `row.<r>L`, `row.<r>M2L`. Like-named rows of all modules are joined, as with the row expansion cables.
* column c of the module in slot s is `col.<100 s + c>`, of M2H `col.<100 s + 32 + c>`, low matrices again with an L;
  columns 100 to 128 of a 4x128 matrix are `col.<s>.<c>`.

Every row has, for each bank of 32 columns, a 100 ohm resistor with a protection relay, and a relay that bypasses both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .keysight_34980a_modules import UNSUPPORTED, Crosspoint, Move, too_many
from .relay_bank import RelayBank
from .scpi_errors import ScpiError
from .switching_tables import BYPASSING, K34934A, PROTECTING
from .world import World

BANK_COLUMNS = 32
MOST_CLOSED = 64
"""1-wire channels of one module that may be closed together, because of the power that the coils take."""
_HALVES: dict[str, tuple[str, ...]] = {
    "4x32": ("", "M2", "L", "M2L"),
    "4x64": ("", "L"),
    "4x128": ("",),
    "8x32": ("", "L"),
    "8x64": ("",),
    "16x32": ("",),
}
"""Configuration -> its matrices in the order of their channel numbers."""
_ISOLATING = ("4x32", "8x32", "16x32")
_FIRST, _ROW_SPACING = 100, 800


def crosspoints(configuration: str, slot: int) -> dict[int, Crosspoint]:
    """Channel number without the slot -> crosspoint, of a 34934A in this configuration."""
    rows, columns = (int(number) for number in re.findall(r"\d+", configuration))
    matrices = _HALVES[configuration]
    spacing = _ROW_SPACING // rows
    found = {}
    for row in range(1, rows + 1):
        for place, half in enumerate(matrices):
            for column in range(1, columns + 1):
                number = _FIRST + (row - 1) * spacing + place * columns + column
                low = number + columns * len(matrices) // 2 if len(matrices) > 1 and not half.endswith("L") else 0
                found[number] = Crosspoint(
                    f"row.{row}{half}",
                    _column_node(slot, column + (BANK_COLUMNS if half.startswith("M2") else 0), half.endswith("L")),
                    (column - 1) // BANK_COLUMNS + 1,
                    low,
                    f"MATRIX{place + 1} ROW{row} COL{column}",
                )
    return dict(sorted(found.items()))


def _column_node(slot: int, column: int, is_low: bool) -> str:
    name = f"col.{slot * 100 + column}" if column < 100 else f"col.{slot}.{column}"
    return name + ("L" if is_low else "")


@dataclass
class Step:
    """Relays of a module that move together: channels, protection relays and bypass relays that are then closed."""

    channels: frozenset[int]
    protecting: frozenset[str]
    bypassing: frozenset[str]


class Matrix34934A:
    """A 34934A in a slot.

    Args:
        name: of the mainframe.
        world: where it conducts.
        slot: where it is.
        configuration: for example 8x64.

    Attributes:
        channels: number without the slot -> crosspoint.
        relays: the channel relays.
        protection: row protection mode.
    """

    model = "34934A"
    can_scan = False
    description = "Quad 4x32 Reed Matrix"

    def __init__(self, name: str, world: World, slot: int, configuration: str) -> None:
        self.configuration = configuration
        rows, columns = configuration.split("x")
        self.type_name = f"{self.model}-{configuration}"
        self.terminal = f"R{rows}_R{columns}"
        self.channels: Mapping[int, Crosspoint] = crosspoints(configuration, slot)
        self.protection = "AUTO100"
        self._banks = {number: f"{slot}.{point.row}.{point.bank}" for number, point in self.channels.items()}
        at_bank = {
            number: (f"{name}.bank.{self._banks[number]}", f"{name}.{point.column}")
            for number, point in self.channels.items()
        }
        to_row = {
            self._banks[number]: (f"{name}.{point.row}", f"{name}.bank.{self._banks[number]}")
            for number, point in self.channels.items()
        }
        self.relays: RelayBank[int] = RelayBank(world, name, at_bank, K34934A)
        self.protecting: RelayBank[str] = RelayBank(world, name, to_row, PROTECTING)
        self.bypassing: RelayBank[str] = RelayBank(world, name, to_row, BYPASSING)

    def check(self, closed: frozenset[int]) -> None:
        """Raises ScpiError 305 if the coils would take too much power."""
        if len(closed) > MOST_CLOSED:
            raise too_many()

    def check_protection(self, mode: str) -> None:
        """Raises ScpiError 303 if this configuration does not have a row protection mode."""
        if mode == "ISO" and not self.can_isolate():
            raise ScpiError(*UNSUPPORTED)

    def bus_channels(self, buses: Iterable[int]) -> frozenset[int]:
        """None: it has no connection to the analog buses."""
        return frozenset()

    def moves(self, wanted: Iterable[int]) -> Iterator[Move]:
        """Every step's bypass relays, protection relays and channels, one after the other."""
        for step in self.steps(wanted):
            yield self.bypassing, step.bypassing
            yield self.protecting, step.protecting
            yield self.relays, step.channels

    def can_isolate(self) -> bool:
        """Whether row protection mode ISOLated exists in this configuration."""
        return self.configuration in _ISOLATING

    def steps(self, wanted: Iterable[int]) -> list[Step]:
        """How to get to these closed channels: which relays are closed after each step."""
        channels = frozenset(wanted)
        every, none = frozenset(self._banks.values()), frozenset[str]()
        used = frozenset(self._banks[number] for number in channels)
        if self.protection == "FIX":
            return [Step(channels, every, none)]
        if self.protection == "ISO":
            return [Step(channels, none, none)]
        if self.protection == "AUTO100":
            return [Step(self.relays.closed & channels, used, none), Step(channels, used, none)]
        changing = frozenset(self._banks[number] for number in channels - self.relays.closed)
        bypassing = self.bypassing.closed & used - changing
        return [
            Step(self.relays.closed & channels, changing | used - bypassing, bypassing),
            Step(channels, changing | used - bypassing, bypassing),
            Step(channels, changing | used - bypassing, used),
            Step(channels, none, used),
        ]
