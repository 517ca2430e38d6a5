"""Channel lists of Keithley's TSP switching mainframes, such as "1A01:1A05, 2C03; slot3, myPattern".

Models 707B and 708B Reference Manual, section 2, "Channel list parameter for remote commands" and "Matrix card channel
specifiers".
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

_CHANNEL = re.compile(r"([1-6])(\d)?([A-Z])(\d\d|[A-Z]\d)\Z")
_MOST_PARSED = 2000
_ROWS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Channel(NamedTuple):
    """One crosspoint; tuples sort in the order in which the instrument lists channels."""

    slot: int
    row: str
    column: int

    @property
    def name(self) -> str:
        """The specifier, for example 1A01; columns beyond 99 continue as A0, A1, ..."""
        tens, ones = divmod(self.column, 10)
        leading = str(tens) if tens < 10 else _ROWS[tens - 10]
        return f"{self.slot}{self.row}{leading}{ones}"


@dataclass(frozen=True)
class Card:
    """A matrix card.

    Attributes:
        model: as the instrument names it.
        rows, columns: its size.
        description: as `slot[n].idn` tells it.
    """

    model: str
    rows: int
    columns: int
    description: str


class ChannelListError(Exception):
    """A channel list does not name channels that exist; the message says why."""


class ChannelLists:
    """Parses channel lists for the cards that are fitted.

    Args:
        cards: slot -> card.
        patterns: names of channel patterns -> their channels; call `forget` after changing them.

    Attributes:
        patterns: the same.
        labels: names of single channels; call `forget` after changing them.
        every: all channels.
    """

    def __init__(self, cards: Mapping[int, Card], patterns: dict[str, tuple[Channel, ...]]) -> None:
        self._cards = cards
        self.patterns = patterns
        self.labels: dict[str, Channel] = {}
        self._of_slot = {slot: tuple(_channels(slot, card)) for slot, card in cards.items()}
        self.every = tuple(channel for slot in sorted(cards) for channel in self._of_slot[slot])
        self._parsed: dict[tuple[str, bool, bool], tuple[Channel, ...]] = {}

    def forget(self) -> None:
        """Patterns have changed: lists mean something else now."""
        self._parsed.clear()

    def parse(self, text: str, *, allows_slots: bool = True, allows_patterns: bool = True) -> tuple[Channel, ...]:
        """Channels in the order named, without repetition; raises ChannelListError."""
        key = (text, allows_slots, allows_patterns)
        if key not in self._parsed:
            if len(self._parsed) >= _MOST_PARSED:
                self._parsed.clear()
            self._parsed[key] = self._parse(text, allows_slots, allows_patterns)
        return self._parsed[key]

    def _parse(self, text: str, allows_slots: bool, allows_patterns: bool) -> tuple[Channel, ...]:
        found: dict[Channel, None] = {}
        for entry in re.split(r"[;,]", text):
            found.update(dict.fromkeys(self._entry(entry.strip(), allows_slots, allows_patterns)))
        return tuple(found)

    def _entry(self, entry: str, allows_slots: bool, allows_patterns: bool) -> Iterable[Channel]:
        if not entry:
            raise ChannelListError("empty channel list")
        if entry in self.patterns:
            if not allows_patterns:
                raise ChannelListError(f"channel pattern {entry} is not allowed here")
            return self.patterns[entry]
        if entry in self.labels:
            return (self.labels[entry],)
        lowered = entry.lower()
        if lowered == "allslots" or lowered.startswith("slot"):
            if not allows_slots:
                raise ChannelListError(f"{entry} is not allowed here")
            return self._slots(lowered)
        first, colon, last = (part.strip() for part in entry.partition(":"))
        return self._range(self.channel(first), self.channel(last)) if colon else (self.channel(entry),)

    @staticmethod
    def is_reserved(name: str) -> bool:
        """Whether a name means something in lists already."""
        lowered = name.lower()
        return lowered == "allslots" or lowered.startswith("slot") or _CHANNEL.match(name.upper()) is not None

    def steps(self, text: str) -> list[tuple[str, tuple[Channel, ...]]]:
        """What a scan makes of a list: one step for each pattern and for each channel, with its name.

        Raises ChannelListError.
        """
        found: list[tuple[str, tuple[Channel, ...]]] = []
        for entry in (part.strip() for part in re.split(r"[;,]", text)):
            if entry in self.patterns:
                found.append((entry, tuple(self.patterns[entry])))
            else:
                found += [(c.name, (c,)) for c in self._entry(entry, allows_slots=True, allows_patterns=False)]
        return found

    def _slots(self, entry: str) -> Iterable[Channel]:
        if entry == "allslots":
            return self.every
        number = entry.removeprefix("slot")
        if len(number) != 1 or not number.isdecimal() or not 1 <= int(number) <= 6:
            raise ChannelListError(f"invalid slot {entry}")
        if int(number) not in self._of_slot:
            raise ChannelListError(f"slot {number} is empty")
        return self._of_slot[int(number)]

    def channel(self, specifier: str) -> Channel:
        """One channel, with or without a bank digit; raises ChannelListError."""
        match = _CHANNEL.match(specifier.upper())
        if match is None:
            raise ChannelListError(f"invalid channel {specifier}")
        slot, bank, row, digits = match.groups()
        column = int(digits) if digits.isdecimal() else (_ROWS.index(digits[0]) + 10) * 10 + int(digits[1])
        channel = Channel(int(slot), row, column)
        card = self._cards.get(channel.slot)
        if card is None:
            raise ChannelListError(f"slot {slot} is empty")
        if (bank or "1") != "1" or _ROWS.index(row) >= card.rows or not 1 <= column <= card.columns:
            raise ChannelListError(f"channel {specifier} does not exist on the {card.model} in slot {slot}")
        return channel

    def _range(self, first: Channel, last: Channel) -> Iterable[Channel]:
        if last < first:
            raise ChannelListError(f"range {first.name}:{last.name} must begin with its lowest channel")
        return (channel for channel in self.every if first <= channel <= last)


def _channels(slot: int, card: Card) -> Iterable[Channel]:
    return (Channel(slot, row, column) for row in _ROWS[: card.rows] for column in range(1, card.columns + 1))
