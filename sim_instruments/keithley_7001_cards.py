"""Cards of the Keithley 7001 and 7002, their channels and nodes, and the channel lists that name them.

Matrix cards have channels slot!row!column, multiplexers slot!channel (Model 7001 Instruction Manual, section 4,
"Channel list"). The backplane joins row r of all matrix cards, and bank r of a multiplexer to row r.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .mainframe_cards import Keithley7001Card
from .scpi_errors import ScpiError
from .scpi_parameters import Parameter
from .switching_tables import GENERAL_PURPOSE, LOW_CURRENT, SOLID_STATE, CardElectrics

Channel = tuple[int, ...]
"""(slot, row, column) or (slot, channel)."""
MEMORIES = 100
_LIST = re.compile(r"\(\s*@(.*)\)\Z", re.DOTALL)


@dataclass(frozen=True)
class Card:
    """A switch card.

    Attributes:
        name: as CTYPe tells it.
        rows, columns: size of a matrix; banks and channels per bank of a multiplexer.
        is_matrix: whether its channels have a row and a column.
        electrics: what its relays are like.
    """

    name: str
    rows: int
    columns: int
    is_matrix: bool
    electrics: CardElectrics

    def channels(self, slot: int) -> Iterator[Channel]:
        """Its channels in order."""
        for row in range(1, self.rows + 1):
            for column in range(1, self.columns + 1):
                yield (slot, row, column) if self.is_matrix else (slot, (row - 1) * self.columns + column)

    def nodes(self, channel: Channel) -> tuple[str, str]:
        """What a channel connects, without the mainframe's name."""
        slot, row = channel[0], channel[1] if self.is_matrix else (channel[1] - 1) // self.columns + 1
        return f"row.{row}", f"col.{slot * 100 + channel[-1]}"


_QUAD_MUX = Card("C7011", 4, 10, False, GENERAL_PURPOSE)
_MATRIX = Card("C7012", 4, 10, True, GENERAL_PURPOSE)
_SOLID_STATE_MUX = Card("C7015", 4, 10, False, SOLID_STATE)
CARDS: dict[Keithley7001Card, Card] = {
    "7011": _QUAD_MUX,
    "7011-S": _QUAD_MUX,
    "7011-C": _QUAD_MUX,
    "7012": _MATRIX,
    "7012-S": _MATRIX,
    "7012-C": _MATRIX,
    "7015": _SOLID_STATE_MUX,
    "7015-S": _SOLID_STATE_MUX,
    "7015-C": _SOLID_STATE_MUX,
    "7018-S": Card("C7018", 2, 14, False, GENERAL_PURPOSE),
    "7018-C": Card("C7018", 2, 14, False, GENERAL_PURPOSE),
    "7022": Card("C7022", 5, 6, True, GENERAL_PURPOSE),
    "7035": Card("C7035", 9, 4, False, GENERAL_PURPOSE),
    "7156": Card("C7156", 1, 10, False, GENERAL_PURPOSE),
    "7158": Card("C7158", 1, 10, False, LOW_CURRENT),
    "7052": Card("C7052", 4, 5, True, GENERAL_PURPOSE),
    "7152": Card("C7152", 4, 5, True, LOW_CURRENT),
    "7153": Card("C7153", 4, 5, True, LOW_CURRENT),
}


def shown(channel: Channel) -> str:
    """The channel as a list names it."""
    return "!".join(map(str, channel))


class ChannelGroups(Parameter):
    """`(@1!1!3, 1!2!1:1!2!10, M3)`; parses to a list of tuples of channels, a memory location being one tuple."""

    def parse(self, token: str, instrument: Any) -> list[tuple[Channel, ...]]:
        """The channels in the order given; raises ScpiError -102, -171 or -222."""
        match = _LIST.match(token)
        if match is None:
            raise ScpiError(-102)
        entries = [entry.strip() for entry in match[1].split(",")]
        return [group for entry in entries if entry or len(entries) > 1 for group in _groups(entry, instrument)]


def _groups(entry: str, instrument: Any) -> list[tuple[Channel, ...]]:
    if entry[:1] in ("M", "m"):
        return [tuple(instrument.memory(_number(entry[1:])))]
    ends = [tuple(_number(part) for part in end.split("!")) for end in entry.split(":")]
    if len(ends) > 2:
        raise ScpiError(-171)
    places = [instrument.place(end) for end in ends]
    return [(channel,) for channel in instrument.channels[places[0] : places[-1] + 1]]


def _number(text: str) -> int:
    if not text.strip().isdecimal():
        raise ScpiError(-171)
    return int(text)


class Channels(ChannelGroups):
    """A channel list; parses to its channels. ALL where it is allowed means every channel."""

    def __init__(self, *, allows_all: bool = False) -> None:
        self._allows_all = allows_all

    def parse(self, token: str, instrument: Any) -> list[Any]:
        """The channels, memory locations expanded."""
        if self._allows_all and token.upper() == "ALL":
            return list(instrument.channels)
        return [channel for group in super().parse(token, instrument) for channel in group]


class Memory(Parameter):
    """`M1` to `M100`; parses to the number."""

    def parse(self, token: str, instrument: Any) -> int:
        """The location."""
        number = token[1:].strip()
        if token[:1] not in ("M", "m") or not number.isdecimal():
            raise ScpiError(-104)
        if not 1 <= int(number) <= MEMORIES:
            raise ScpiError(-222)
        return int(number)
