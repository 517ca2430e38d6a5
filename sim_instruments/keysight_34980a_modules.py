"""What the mainframe of a 34980A needs to know of a module: its channels, and how its relays get somewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from .relay_bank import RelayBank
from .scpi_errors import ScpiError

NO_SUCH_CHANNEL = 112, "Channel list: channel number out of range"
NO_SUCH_SLOT = 111, "Channel list: slot number out of range"
EMPTY_SCAN_LIST = 113, "Channel list: empty scan list"
EMPTY_SETUP = 291, "Not able to recall state: it is empty"
IN_SCAN = 301, "Module currently committed to scan"
UNSUPPORTED = 303, "Module not able to perform requested operation"
TOO_MANY_CLOSED = 305, "Maximum number of closed channels exceeded"
NO_DMM = -241, "Hardware missing"
"""Errors with the numbers and texts of the 34970A, the 34980A's predecessor, where no document of the 34980A was at
hand; 305 and -241 are assumed."""
FIRST_BUS_CHANNEL = 911
"""Channels from here on are analog bus relays."""


@dataclass(frozen=True)
class Crosspoint:
    """One channel.

    Attributes:
        row, column: nodes without the mainframe's name.
        bank: which bank of the module it is in.
        pair: number of the channel that belongs to it, without the slot; 0 if there is none.
        label: factory label.
    """

    row: str
    column: str
    bank: int
    pair: int
    label: str


Move = tuple[RelayBank[Any], frozenset[Any]]
"""Relays that move at the same time, and which of them are closed afterwards."""


class Module(Protocol):
    """A module in a slot.

    Attributes:
        type_name: what SYSTem:CTYPe? tells.
        description: what SYSTem:CDEScription? tells.
        terminal: what SYSTem:MODule:TERMinal:TYPE? tells.
        channels: number without the slot -> crosspoint.
        relays: the channel relays.
        can_scan: whether its channels may stand in a scan list.
    """

    type_name: str
    description: str
    terminal: str
    channels: Mapping[int, Crosspoint]
    relays: RelayBank[int]
    can_scan: bool

    def check(self, closed: frozenset[int]) -> None:
        """Raises ScpiError if these channels must not be closed at the same time."""

    def moves(self, wanted: Iterable[int]) -> Iterator[Move]:
        """How to get to these closed channels, one move after the other."""

    def bus_channels(self, buses: Iterable[int]) -> frozenset[int]:
        """Channels that connect to these analog buses."""


def break_before_make(relays: RelayBank[int], wanted: Iterable[int]) -> Iterator[Move]:
    """First what opens, then what closes."""
    channels = frozenset(wanted)
    yield relays, relays.closed & channels
    yield relays, channels


def is_bus(number: int) -> bool:
    """Whether a channel, with or without its slot, is an analog bus relay."""
    return number % 1000 >= FIRST_BUS_CHANNEL


def too_many() -> ScpiError:
    """More closed channels than a module stands."""
    return ScpiError(*TOO_MANY_CLOSED)
