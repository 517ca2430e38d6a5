"""The matrix modules 34931A, 34932A and 34933A of the 34980A (34931A-34933A User's Guide).

Two matrices of 4 rows; channel srcc is row r, column cc of slot s: rows 1 to 4 are matrix 1, rows 5 to 8 matrix 2.
Channels s921 to s924 connect rows 5 to 8 to analog buses 1 to 4. Nodes: `row.<r>` (joined between modules),
`col.<100 s + c>` for matrix 1 and `col.<100 s + columns + c>` for matrix 2, `abus.<1 to 4>`. The 34933A is in its
differential mode, its in-rush resistors bypassed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .keysight_34980a_modules import Crosspoint, Move, break_before_make
from .relay_bank import RelayBank
from .switching_tables import K34931A, K34933A, CardElectrics
from .world import World

_ROWS, _ANALOG_BUSES = 8, 4
_FIRST_BUS_CHANNEL = 921


@dataclass(frozen=True)
class BusMatrixModel:
    """One of these models.

    Attributes:
        columns: of each of its two matrices.
    """

    name: str
    columns: int
    description: str
    electrics: CardElectrics


BUS_MATRICES = {
    model.name: model
    for model in (
        BusMatrixModel("34931A", 8, "Dual 4x8 Armature Matrix", K34931A),
        BusMatrixModel("34932A", 16, "Dual 4x16 Armature Matrix", K34931A),
        BusMatrixModel("34933A", 8, "Dual/Quad 4x8 Reed Matrix", K34933A),
    )
}


def crosspoints(slot: int, columns: int) -> dict[int, Crosspoint]:
    """Channel number without the slot -> crosspoint."""
    found = {}
    for row in range(1, _ROWS + 1):
        for column in range(1, columns + 1):
            matrix = 1 if row <= _ROWS // 2 else 2
            node = f"col.{slot * 100 + column + (matrix - 1) * columns}"
            label = f"MATRIX{matrix} ROW{row} COL{column}"
            found[100 * row + column] = Crosspoint(f"row.{row}", node, matrix, 0, label)
    for bus in range(_ANALOG_BUSES):
        label = f"ABUS{bus + 1}"
        found[_FIRST_BUS_CHANNEL + bus] = Crosspoint(f"row.{_ROWS // 2 + bus + 1}", f"abus.{bus + 1}", 2, 0, label)
    return found


class BusMatrix:
    """One of these modules in a slot; attributes as of `Module`."""

    can_scan = False

    def __init__(self, name: str, world: World, slot: int, model: str) -> None:
        kind = BUS_MATRICES[model]
        self.type_name = kind.name
        self.description = kind.description
        self.terminal = "NONE"
        self.channels: Mapping[int, Crosspoint] = crosspoints(slot, kind.columns)
        pairs = {number: (f"{name}.{p.row}", f"{name}.{p.column}") for number, p in self.channels.items()}
        self.relays: RelayBank[int] = RelayBank(world, name, pairs, kind.electrics)

    def check(self, closed: frozenset[int]) -> None:
        """All may be closed."""

    def moves(self, wanted: Iterable[int]) -> Iterator[Move]:
        """First what opens, then what closes."""
        return break_before_make(self.relays, wanted)

    def bus_channels(self, buses: Iterable[int]) -> frozenset[int]:
        """Channels of these analog buses."""
        return frozenset(_FIRST_BUS_CHANNEL + bus - 1 for bus in buses)
