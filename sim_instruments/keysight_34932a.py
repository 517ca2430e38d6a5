"""The 34932A dual 4x16 armature matrix module of the 34980A (34980A User's Guide, "34931A, 34932A and 34933A Modules").

Channel srcc is row r, column cc of slot s: rows 1 to 4 are matrix 1, rows 5 to 8 matrix 2. Channels s921 to s924
connect rows 5 to 8 to analog buses 1 to 4. Nodes: `row.<r>` (joined between modules), `col.<100 s + c>` for matrix 1
and `col.<100 s + 16 + c>` for matrix 2, `abus.<1 to 4>`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .keysight_34934a import Crosspoint, Step
from .relay_bank import RelayBank
from .switching_tables import K34931A
from .world import World

_ROWS, _COLUMNS, _ANALOG_BUSES = 8, 16, 4
_FIRST_BUS_CHANNEL = 921


def crosspoints(slot: int) -> dict[int, Crosspoint]:
    """Channel number without the slot -> crosspoint."""
    found = {}
    for row in range(1, _ROWS + 1):
        for column in range(1, _COLUMNS + 1):
            matrix = 1 if row <= _ROWS // 2 else 2
            node = f"col.{slot * 100 + column + (matrix - 1) * _COLUMNS}"
            label = f"MATRIX{matrix} ROW{row} COL{column}"
            found[100 * row + column] = Crosspoint(f"row.{row}", node, 1, 0, label)
    for bus in range(_ANALOG_BUSES):
        label = f"ABUS{bus + 1}"
        found[_FIRST_BUS_CHANNEL + bus] = Crosspoint(f"row.{_ROWS // 2 + bus + 1}", f"abus.{bus + 1}", 1, 0, label)
    return found


class Matrix34932A:
    """A 34932A in a slot; attributes as of Matrix34934A."""

    model = type_name = "34932A"
    configuration = "dual 4x16"
    description = "Dual 4x16 Armature Matrix Module"
    terminal = "NONE"
    protection = ""

    def __init__(self, name: str, world: World, slot: int) -> None:
        self.channels: Mapping[int, Crosspoint] = crosspoints(slot)
        pairs = {number: (f"{name}.{p.row}", f"{name}.{p.column}") for number, p in self.channels.items()}
        self.relays: RelayBank[int] = RelayBank(world, name, pairs, K34931A)

    def steps(self, wanted: Iterable[int]) -> list[Step]:
        """First what opens, then what closes."""
        channels, none = frozenset(wanted), frozenset[str]()
        return [Step(self.relays.closed & channels, none, none), Step(channels, none, none)]

    def bus_channels(self, buses: Iterable[int]) -> frozenset[int]:
        """Channels of these analog buses."""
        return frozenset(_FIRST_BUS_CHANNEL + bus - 1 for bus in buses)
