"""The multiplexer modules 34921A to 34925A of the 34980A (34921A-34925A User's Guide).

A module has two banks. Channel sccc of slot s connects the node `col.<1000 s + ccc>` to the common of its bank, which
is `row.<10 s + 1>` or `row.<10 s + 2>`; channels s911 to s914 connect the common of bank 1 to analog buses 1 to 4, s921
to s924 that of bank 2. All are in two-wire mode with LO on the common ground; the current channels of a 34921A are left
out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from .keysight_34980a_modules import Crosspoint, Move, break_before_make, is_bus, too_many
from .relay_bank import RelayBank
from .switching_tables import K34921A, K34923A, K34925A, CardElectrics
from .world import World

_BUSES = (1, 2, 3, 4)


@dataclass(frozen=True)
class MultiplexerModel:
    """One of these models.

    Attributes:
        per_bank: channels of each of its two banks.
        most_closed: channels that may be closed together, an analog bus relay counting half; 0 if there is no limit.
        most_per_bank: channels of one bank that may be closed together; 0 if there is no limit.
    """

    name: str
    per_bank: int
    description: str
    electrics: CardElectrics
    most_closed: int = 0
    most_per_bank: int = 0


MULTIPLEXERS = {
    model.name: model
    for model in (
        MultiplexerModel("34921A", 20, "40-Channel Armature Multiplexer with Low Thermal Offset", K34921A),
        MultiplexerModel("34922A", 35, "70-Channel Armature Multiplexer", K34921A),
        MultiplexerModel("34923A", 20, "40/80-Channel Reed Multiplexer", K34923A, most_closed=20),
        MultiplexerModel("34924A", 35, "70-Channel Reed Multiplexer", K34923A, most_closed=20),
        MultiplexerModel("34925A", 20, "40/80-Channel Optically-Isolated FET Multiplexer", K34925A, most_per_bank=1),
    )
}


def channels_of(slot: int, per_bank: int) -> dict[int, Crosspoint]:
    """Channel number without the slot -> crosspoint; the pair is the other channel of a four-wire measurement."""
    found = {}
    for number in range(1, 2 * per_bank + 1):
        bank = 1 if number <= per_bank else 2
        pair = number + per_bank if bank == 1 else 0
        found[number] = Crosspoint(
            f"row.{slot * 10 + bank}", f"col.{slot * 1000 + number}", bank, pair, f"MUX CH BANK {bank}"
        )
    for bank in (1, 2):
        for bus in _BUSES:
            found[bus_channel(bank, bus)] = Crosspoint(f"row.{slot * 10 + bank}", f"abus.{bus}", bank, 0, f"ABUS{bus}")
    return found


def bus_channel(bank: int, bus: int) -> int:
    """The channel that connects a bank's common to an analog bus."""
    return 900 + 10 * bank + bus


class Multiplexer:
    """One of these modules in a slot; attributes as of `Module`."""

    can_scan = True

    def __init__(self, name: str, world: World, slot: int, model: str) -> None:
        self._kind = MULTIPLEXERS[model]
        self.type_name = self._kind.name
        self.description = self._kind.description
        self.terminal = "NONE"
        self.channels: Mapping[int, Crosspoint] = channels_of(slot, self._kind.per_bank)
        pairs = {number: (f"{name}.{p.row}", f"{name}.{p.column}") for number, p in self.channels.items()}
        self.relays: RelayBank[int] = RelayBank(world, name, pairs, self._kind.electrics)

    def check(self, closed: frozenset[int]) -> None:
        """Raises ScpiError 305 if the coils would take too much power."""
        load = sum(0.5 if is_bus(number) else 1.0 for number in closed)
        if self._kind.most_closed and load > self._kind.most_closed:
            raise too_many()

    def moves(self, wanted: Iterable[int]) -> Iterator[Move]:
        """First what opens, then what closes; where a bank stands only one channel, the last one named stays."""
        return break_before_make(self.relays, self._allowed(wanted))

    def _allowed(self, wanted: Iterable[int]) -> frozenset[int]:
        if not self._kind.most_per_bank:
            return frozenset(wanted)
        last: dict[int, int] = {}
        kept = {number for number in wanted if is_bus(number)}
        for number in sorted(set(wanted) - kept, key=lambda number: number not in self.relays.closed):
            last[self.channels[number].bank] = number
        return frozenset(kept | set(last.values()))

    def bus_channels(self, buses: Iterable[int]) -> frozenset[int]:
        """Channels of these analog buses."""
        return frozenset(bus_channel(bank, bus) for bus in buses for bank in (1, 2))
