"""Channel lists and card numbers of the B2200 and E5250A: `(@niioo)` is card n, input port ii, output port oo."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .keysight_b2200_routes import Crosspoint
from .scpi_errors import ScpiError
from .scpi_parameters import Parameter

Place = tuple[int, Crosspoint]
"""Card number and crosspoint."""
_LIST = re.compile(r"\(\s*@(.*)\)\Z", re.DOTALL)
_CHANNEL = re.compile(r"(\d?)(\d\d)(\d\d)\Z")
_OUT_OF_RANGE = "Data out of range"


class ChannelPlaces(Parameter):
    """`(@00101,00203:00206)`; parses to places. A range goes on through the outputs, then through the inputs."""

    def parse(self, token: str, instrument: Any) -> list[Place]:
        """The channels in the order given; raises ScpiError -102, -171 or -222."""
        match = _LIST.match(token)
        if match is None:
            raise ScpiError(-102)
        entries = [entry.strip() for entry in match[1].split(",")]
        return [place for entry in entries if entry or len(entries) > 1 for place in _entry(entry, instrument)]


def _entry(entry: str, instrument: Any) -> Iterable[Place]:
    ends = [end.strip() for end in entry.split(":")]
    if len(ends) > 2:
        raise ScpiError(-171)
    first = _place(ends[0], None, instrument)
    if len(ends) == 1:
        return (first,)
    last = _place(ends[1], first[0], instrument)
    if last[0] != first[0]:
        raise ScpiError(-222, _OUT_OF_RANGE)
    card = instrument.routes[first[0]]
    between = range(_position(first[1], card.outputs), _position(last[1], card.outputs) + 1)
    return [(first[0], Crosspoint(k // card.outputs + 1, k % card.outputs + 1)) for k in between]


def _position(point: Crosspoint, outputs: int) -> int:
    return (point.input - 1) * outputs + point.output - 1


def _place(text: str, card: int | None, instrument: Any) -> Place:
    match = _CHANNEL.match(text)
    if match is None or (not match[1] and card is None):
        raise ScpiError(-171)
    number = int(match[1]) if match[1] else card
    routes = instrument.routes.get(number)
    point = Crosspoint(int(match[2]), int(match[3]))
    if routes is None or not (1 <= point.input <= routes.inputs and 1 <= point.output <= routes.outputs):
        raise ScpiError(-222, _OUT_OF_RANGE)
    assert number is not None
    return number, point


class CardNumbers(Parameter):
    """A card number, or ALL; parses to the numbers of the cards that there are in the present configuration mode."""

    def parse(self, token: str, instrument: Any) -> list[int]:
        """The cards; raises ScpiError -222 for one that is not there."""
        if token.upper() == "ALL":
            return list(instrument.routes)
        if not token.isdecimal():
            raise ScpiError(-104)
        if int(token) not in instrument.routes:
            raise ScpiError(-222, _OUT_OF_RANGE)
        return [int(token)]


class CardNumber(CardNumbers):
    """The number of one card, in a query."""

    def parse(self, token: str, instrument: Any) -> Any:
        """The card."""
        if token.upper() == "ALL":
            raise ScpiError(-224)
        return super().parse(token, instrument)[0]


class SlotNumber(Parameter):
    """0 to 4, whatever the configuration mode; parses to the number."""

    def parse(self, token: str, instrument: Any) -> int:
        """The slot, or 0."""
        if not token.isdecimal():
            raise ScpiError(-104)
        if int(token) > instrument.slots:
            raise ScpiError(-222, _OUT_OF_RANGE)
        return int(token)


class Ports(Parameter):
    """`'1,3,5'`; parses to the input ports in ascending order.

    Args:
        allowed: ports that may be named, as far as the mainframe has them.
    """

    def __init__(self, allowed: Iterable[int]) -> None:
        self._allowed = frozenset(allowed)

    def parse(self, token: str, instrument: Any) -> tuple[int, ...]:
        """The ports; raises ScpiError -104, -121 or -222."""
        if len(token) < 2 or token[0] not in "'\"" or token[-1] != token[0]:
            raise ScpiError(-104)
        parts = [part.strip() for part in token[1:-1].split(",") if part.strip()]
        if not all(part.isdecimal() for part in parts):
            raise ScpiError(-121)
        ports = {int(part) for part in parts}
        if not ports <= self._allowed or any(port > instrument.inputs for port in ports):
            raise ScpiError(-222, _OUT_OF_RANGE)
        return tuple(sorted(ports))


def show_channels(places: Iterable[Place]) -> str:
    """A channel list as a query tells it."""
    return "(@" + ",".join(f"{card}{point.input:02d}{point.output:02d}" for card, point in sorted(places)) + ")"
