"""Parameters of a 34980A's commands: channel lists, slots and analog buses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .keysight_34980a_modules import NO_SUCH_CHANNEL, is_bus
from .scpi_errors import ScpiError
from .scpi_parameters import ChannelList, Choice, Number, Parameter

ALL_BUSES = (1, 2, 3, 4)


class Channels(ChannelList):
    """`(@1101,1102:1105)`; parses to channel numbers, a range being every channel that exists in between.

    Analog bus relays within a range are left out; at its end they are an error (L4400 User's Guide, "Specifying Channel
    Lists and Scan Lists").
    """

    def __init__(self, *, is_optional: bool = False) -> None:
        self.is_optional = is_optional

    def parse(self, token: str, instrument: Any) -> Any:
        """The channels in the order given; raises ScpiError -171, 111 or 112."""
        found: list[int] = []
        for first, last in super().parse(token, instrument):
            if len(first) > 1 or len(last) > 1:
                raise ScpiError(-171)
            ends = sorted((instrument.check(first[0]), instrument.check(last[0])))
            if ends[0] == ends[1]:
                found.append(ends[0])
            elif is_bus(ends[0]) or is_bus(ends[1]):
                raise ScpiError(*NO_SUCH_CHANNEL)
            else:
                found += [c for c in instrument.channels if ends[0] <= c <= ends[1] and not is_bus(c)]
        return found


class LabelQuery(Parameter):
    """`[USER|FACTory,](@...)`; parses to the kind and the channels."""

    takes_rest = True

    def __init__(self) -> None:
        self._kind = Choice("USER", "FACTory")
        self._channels = Channels()

    def parse(self, token: str, instrument: Any) -> Any:
        """One argument: the channels alone."""
        return "USER", self._channels.parse(token, instrument)

    def parse_all(self, tokens: Sequence[str], instrument: Any) -> Any:
        """Both."""
        if len(tokens) == 1:
            return self.parse(tokens[0], instrument)
        if len(tokens) > 2:
            raise ScpiError(-108)
        return self._kind.parse(tokens[0], instrument), self._channels.parse(tokens[1], instrument)


class Slot(Number):
    """A slot, as 3 or SLOT3; parses to an integer."""

    def __init__(self) -> None:
        super().__init__("", 1, lambda i: float(i.slots), 1, is_integer=True)

    def parse(self, token: str, instrument: Any) -> Any:
        """The slot."""
        word = token.upper()
        return int(super().parse(word.removeprefix("SLOT") if word[4:].isdecimal() else token, instrument))


class Slots(Slot):
    """A slot or ALL (ANY in questions), ALL if left out; parses to the slots that hold a module."""

    def __init__(self) -> None:
        super().__init__()
        self.is_optional = True

    def parse(self, token: str, instrument: Any) -> Any:
        """The slots; raises ScpiError 111 for an empty one."""
        if token.upper() in ("ALL", "ANY"):
            return list(instrument.modules)
        slot = super().parse(token, instrument)
        instrument.module(slot)
        return [slot]


class SlotOrDefault(Slot):
    """A slot number or DEFault; parses to the slot, 0 for the default."""

    def parse(self, token: str, instrument: Any) -> Any:
        """The slot."""
        return 0 if token.upper() in ("DEF", "DEFAULT") else super().parse(token, instrument)


class Buses(Parameter):
    """1 to 4, ABUS1 to ABUS4 or ALL, ALL if left out; parses to the analog buses."""

    is_optional = True

    def parse(self, token: str, instrument: Any) -> tuple[int, ...]:
        """The buses."""
        word = token.upper().removeprefix("ABUS")
        if word == "ALL":
            return ALL_BUSES
        if not word.isdecimal() or int(word) not in ALL_BUSES:
            raise ScpiError(-224)
        return (int(word),)


CHANNELS = Channels()
SOME_CHANNELS = Channels(is_optional=True)


def every_slot(instrument: Any, slots: list[int] | None) -> list[int]:
    """The slots given, or all that hold a module."""
    return list(instrument.modules) if slots is None else slots


def ignore(*_: Any) -> None:
    """Accepted; has no effect on what is connected."""
