"""ROUTe commands of the B2200 and E5250A (B2200 User's Guide, chapter 5; E5250A User's Guide, chapter 7)."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING

from .keysight_b2200_ground import UNUSED_PORTS
from .keysight_b2200_lists import CardNumber, CardNumbers, ChannelPlaces, Place, Ports, show_channels
from .keysight_b2200_panel import B2200_PANEL_COMMANDS, PANEL_COMMANDS
from .keysight_b2200_routes import CardRoutes, PortMode
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Parameter, Switch
from .scpi_settings import show_switch
from .scpi_switch import flags

if TYPE_CHECKING:
    from .keysight_b2200 import SimKeysightE5250A

_CARDS, _CARD, _LIST = CardNumbers(), CardNumber(), ChannelPlaces()
_COUPLED = range(1, 14, 2)


class _Port(Number):
    """An input port, or -1 for none."""

    def __init__(self) -> None:
        super().__init__("", -1, lambda i: float(i.inputs), 10, is_integer=True)

    def parse(self, token: str, instrument: SimKeysightE5250A) -> float:
        """The port."""
        port = super().parse(token, instrument)
        if port == 0:
            raise ScpiError(-222, "Data out of range")
        return port


def _select_function(i: SimKeysightE5250A, function: str) -> None:
    if function != i.function:
        i.select_function(function)


def _per_card(pattern: str, name: str, parameter: Parameter) -> Command:
    """A setting of a card that by itself moves nothing."""

    def write(i: SimKeysightE5250A, cards: list[int], value: object) -> None:
        for card in cards:
            setattr(i.routes[card], name, value)

    return Command(
        pattern,
        write=write,
        query=lambda i, card: str(getattr(i.routes[card], name)),
        takes=(_CARDS, parameter),
        asks=(_CARD,),
    )


def _closed_on(i: SimKeysightE5250A, card: int) -> str:
    return show_channels((card, point) for point in i.routes[card].closed)


def _change(i: SimKeysightE5250A, cards: list[int], act: Callable[[CardRoutes], None]) -> None:
    for card in cards:
        act(i.routes[card])
    i.apply()


_ROUTES: tuple[Command, ...] = (
    Command(
        "[:ROUTe]:FUNCtion",
        write=_select_function,
        query=lambda i: i.function,
        takes=(Choice("ACONfig", "NCONfig"),),
    ),
    _per_card("[:ROUTe]:CONNection:RULE", "rule", Choice("FREE", "SROUte")),
    _per_card("[:ROUTe]:CONNection:SEQuence", "sequence", Choice("NSEQ", "BBM", "MBBR")),
    Command(
        "[:ROUTe]:CLOSe[:LIST]",
        write=lambda i, places: i.connect(places),
        query=lambda i, places: flags(i.is_closed(place) for place in places),
        takes=(_LIST,),
        asks=(_LIST,),
    ),
    Command("[:ROUTe]:CLOSe:CARD", query=_closed_on, asks=(_CARD,)),
    Command(
        "[:ROUTe]:OPEN[:LIST]",
        write=lambda i, places: i.disconnect(places),
        query=lambda i, places: flags(not i.is_closed(place) for place in places),
        takes=(_LIST,),
        asks=(_LIST,),
    ),
    Command("[:ROUTe]:OPEN:CARD", write=lambda i, cards: i.disconnect_cards(cards), takes=(_CARDS,)),
)


def _set_port(i: SimKeysightE5250A, cards: list[int], name: str, port: float) -> None:
    _change(i, cards, lambda card: card.set_port(getattr(card, name), int(port)))


def _set_state(i: SimKeysightE5250A, cards: list[int], name: str, is_on: bool) -> None:
    _change(i, cards, lambda card: card.set_mode(getattr(card, name), is_on))


def _enable(i: SimKeysightE5250A, places: list[Place], name: str, is_enabled: bool) -> None:
    for card, point in places:
        outputs = getattr(i.routes[card], name).enabled
        (outputs.add if is_enabled else outputs.discard)(point.output)
    i.apply()


def _enable_cards(i: SimKeysightE5250A, cards: list[int], name: str, is_enabled: bool) -> None:
    for card in cards:
        routes = i.routes[card]
        getattr(routes, name).enabled = set(range(1, routes.outputs + 1)) if is_enabled else set()
    i.apply()


def _mode(node: str, name: str) -> tuple[Command, ...]:
    """Commands of bias or ground mode."""
    get: Callable[[CardRoutes], PortMode] = attrgetter(name)
    return (
        Command(
            f"{node}[:STATe]",
            write=lambda i, cards, is_on: _set_state(i, cards, name, is_on),
            query=lambda i, card: show_switch(get(i.routes[card]).is_on),
            takes=(_CARDS, Switch()),
            asks=(_CARD,),
        ),
        Command(
            f"{node}:PORT",
            write=lambda i, cards, port: _set_port(i, cards, name, port),
            query=lambda i, card: str(get(i.routes[card]).port),
            takes=(_CARDS, _Port()),
            asks=(_CARD,),
        ),
        *_enabling(f"{node}:CHANnel:ENABle", name, get, True),
        *_enabling(f"{node}:CHANnel:DISable", name, get, False),
    )


def _enabling(node: str, name: str, get: Callable[[CardRoutes], PortMode], is_enabled: bool) -> tuple[Command, ...]:
    return (
        Command(
            f"{node}[:LIST]",
            write=lambda i, places: _enable(i, places, name, is_enabled),
            query=lambda i, places: flags(
                (point.output in get(i.routes[card]).enabled) == is_enabled for card, point in places
            ),
            takes=(_LIST,),
            asks=(_LIST,),
        ),
        Command(f"{node}:CARD", write=lambda i, cards: _enable_cards(i, cards, name, is_enabled), takes=(_CARDS,)),
    )


def _set_unused(i: SimKeysightE5250A, cards: list[int], ports: tuple[int, ...]) -> None:
    _change(i, cards, lambda card: setattr(card, "unused", ports))


def _set_couple_ports(i: SimKeysightE5250A, cards: list[int], ports: tuple[int, ...]) -> None:
    _change(i, cards, lambda card: card.set_couple_ports(ports))


def _set_coupled(i: SimKeysightE5250A, cards: list[int], is_on: bool) -> None:
    _change(i, cards, lambda card: setattr(card, "is_coupled", is_on))


def _detect_kelvin(i: SimKeysightE5250A) -> None:
    """No input of this bench is cabled with a Kelvin pair."""
    _change(i, list(i.routes), lambda card: card.set_couple_ports(()))


def _show_ports(ports: tuple[int, ...]) -> str:
    return ",".join(map(str, ports))


_COUPLE: tuple[Command, ...] = (
    Command(
        "[:ROUTe]:COUPle[:STATe]",
        write=_set_coupled,
        query=lambda i, card: show_switch(i.routes[card].is_coupled),
        takes=(_CARDS, Switch()),
        asks=(_CARD,),
    ),
    Command(
        "[:ROUTe]:COUPle:PORT",
        write=_set_couple_ports,
        query=lambda i, card: _show_ports(i.routes[card].couple_ports),
        takes=(_CARDS, Ports(_COUPLED)),
        asks=(_CARD,),
    ),
    Command("[:ROUTe]:COUPle:PORT:DETect", write=_detect_kelvin),
)
_UNUSED = Command(
    "[:ROUTe]:AGND:UNUSED",
    write=_set_unused,
    query=lambda i, card: _show_ports(i.routes[card].unused),
    takes=(_CARDS, Ports(UNUSED_PORTS)),
    asks=(_CARD,),
)

E5250A_COMMANDS: tuple[Command, ...] = (*PANEL_COMMANDS, *_ROUTES, *_mode("[:ROUTe]:BIAS", "bias"), *_COUPLE)
"""Everything of an E5250A."""
B2200_COMMANDS: tuple[Command, ...] = (
    *E5250A_COMMANDS,
    *B2200_PANEL_COMMANDS,
    *_mode("[:ROUTe]:AGND", "ground"),
    _UNUSED,
)
"""Everything of a B2200."""
