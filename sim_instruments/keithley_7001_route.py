"""ROUTe commands of a Keithley 7001: channels, scan list, memory, slots (instruction manual, section 5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .keithley_7001_cards import CARDS, Channel, ChannelGroups, Channels, Memory, shown
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Switch
from .scpi_settings import setting, show_number
from .scpi_switch import flags

if TYPE_CHECKING:
    from .keithley_7001 import SimKeithley7001

_LONGEST_SECONDS = 99999.999
_CARD_NAMES = tuple(sorted({card.name for card in CARDS.values()}))


def _list(channels: Iterable[Channel]) -> str:
    return f"(@{','.join(map(shown, channels))})"


def _set_scanned(i: SimKeithley7001, groups: list[tuple[Channel, ...]]) -> None:
    i.settings.scanned = groups


def _save_pattern(i: SimKeithley7001, number: int) -> None:
    i.kept.memories[number] = tuple(i.in_order(i.closed))


def _recall_pattern(i: SimKeithley7001, number: int) -> None:
    i.bring_to(i.memory(number))


def _card_name(i: SimKeithley7001, slot: int) -> str:
    i.slot(slot)
    return i.cards[slot].name if slot in i.cards else "NONE"


def _set_card(i: SimKeithley7001, slot: int, name: str) -> None:
    """A card tells what it is; only what is there can be assigned."""
    if name != _card_name(i, slot):
        raise ScpiError(-221 if slot in i.cards else -241)


def _set_settle(i: SimKeithley7001, slot: int, seconds: float) -> None:
    i.slot(slot).settle_seconds = seconds


def _set_poles(i: SimKeithley7001, slot: int, poles: float) -> None:
    i.slot(slot).poles = poles


_CHANNELS: tuple[Command, ...] = (
    Command(
        "[:ROUTe]:CLOSe",
        write=lambda i, channels: i.close_channels(channels),
        query=lambda i, channels: flags(channel in i.closed for channel in channels),
        takes=(Channels(),),
        asks=(Channels(),),
    ),
    Command("[:ROUTe]:CLOSe:STATe", query=lambda i: _list(i.in_order(i.closed))),
    Command(
        "[:ROUTe]:OPEN",
        write=lambda i, channels: i.open_channels(channels),
        query=lambda i, channels: flags(channel not in i.closed for channel in channels),
        takes=(Channels(allows_all=True),),
        asks=(Channels(),),
    ),
    Command("[:ROUTe]:OPEN:ALL", write=lambda i: i.open_channels(i.channels)),
    Command(
        "[:ROUTe]:SCAN[:LIST]",
        write=_set_scanned,
        query=lambda i: _list(channel for group in i.settings.scanned for channel in group),
        takes=(ChannelGroups(),),
    ),
    Command("[:ROUTe]:SCAN:POINts", query=lambda i: str(len(i.settings.scanned))),
    Command(
        "[:ROUTe]:FCHannels",
        write=lambda i, channels: i.forbid(channels),
        query=lambda i: _list(i.settings.forbidden),
        takes=(Channels(),),
    ),
    Command("[:ROUTe]:MEMory:SAVE", write=_save_pattern, takes=(Memory(),)),
    Command("[:ROUTe]:MEMory:RECall", write=_recall_pattern, takes=(Memory(),)),
)

_CONFIGURATION: tuple[Command, ...] = (
    setting("[:ROUTe]:CONFigure:BBMake", "settings.is_break_before_make", Switch()),
    setting("[:ROUTe]:CONFigure:CPAir", "settings.is_paired", Switch()),
    setting("[:ROUTe]:CONFigure:SCHannel", "settings.is_single", Switch()),
    Command(
        "[:ROUTe]:CONFigure:SLOT<n>:CTYPe",
        write=_set_card,
        query=_card_name,
        takes=(Choice("NONE", *_CARD_NAMES),),
    ),
    Command(
        "[:ROUTe]:CONFigure:SLOT<n>:STIMe",
        write=_set_settle,
        query=lambda i, slot: show_number(i.slot(slot).settle_seconds),
        takes=(Number("S", 0, _LONGEST_SECONDS, 0),),
    ),
    Command(
        "[:ROUTe]:CONFigure:SLOT<n>:POLE",
        write=_set_poles,
        query=lambda i, slot: str(int(i.slot(slot).poles)),
        takes=(Number("", 1, 4, 2, is_integer=True),),
    ),
)

ROUTE_COMMANDS: tuple[Command, ...] = (*_CHANNELS, *_CONFIGURATION)
"""The ROUTe subsystem; every command is also taken without ROUTe."""
