"""How commands of a B2900A are described: settings of a channel, and nodes that may be left out with their number."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .keysight_b2900_errors import WRONG_CHANNELS, refusal
from .keysight_b2900_settings import DEFAULT_RANGES, LARGEST, LARGEST_PULSED
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import ChannelList, Choices, Extreme, Number, Parameter, Switch
from .scpi_settings import show_integer, show_switch

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900
    from .keysight_b2900_channel import Channel
    from .keysight_b2900_layers import TriggerOut

After = Callable[["SimKeysightB2900", "Channel"], None]
_INFINITE = 2147483647.0
UNITS = {"VOLT": "V", "CURR": "A"}
_REGISTER_STYLES = {"ASC": "{}", "HEX": "#H{:X}", "OCT": "#Q{:o}", "BIN": "#B{:b}"}


def register_text(value: int, style: str) -> str:
    """A register or bit pattern in decimal, or as #H, #Q or #B (FORMat:SREGister, FORMat:DIGital)."""
    return _REGISTER_STYLES[style].format(value)


def show_nr3(value: float) -> str:
    """NR3 with a sign."""
    return f"{value:+.6E}"


def ignore(*_: Any) -> None:
    """Accepted; has no effect on what can be measured."""


class Clipped(Number):
    """A number that is brought to the nearest limit if it is beyond."""

    def parse(self, token: str, instrument: Any) -> float:
        """The number within its limits."""
        if token[:1].isalpha():
            return super().parse(token, instrument)
        value = Number(self.unit, is_integer=self.is_integer).parse(token, instrument)
        return min(max(value, self.special("MIN", instrument)), self.special("MAX", instrument))


class Level(Number):
    """A source level: pulses may go beyond what MINimum and MAXimum, which are those of direct output, stand for."""

    def __init__(self, quantity: str) -> None:
        end = LARGEST_PULSED[quantity]
        super().__init__(UNITS[quantity], -end, end)
        self._direct_end = LARGEST[quantity]

    def special(self, word: str, instrument: Any) -> float:
        """What MIN, MAX or DEF stands for."""
        value = super().special(word, instrument)
        return min(max(value, -self._direct_end), self._direct_end)


class Reach(Number):
    """A range, given as a value it has to reach; the sign does not matter."""

    def __init__(self, quantity: str) -> None:
        def smallest(instrument: Any) -> float:
            return float(instrument.model.accuracy.ranges(quantity)[0].full_scale)

        end = LARGEST_PULSED[quantity]
        super().__init__(UNITS[quantity], smallest, end, DEFAULT_RANGES[quantity])
        self._any = Number(UNITS[quantity], -end, end)

    def parse(self, token: str, instrument: Any) -> float:
        """The value to reach."""
        return super().parse(token, instrument) if token[:1].isalpha() else abs(self._any.parse(token, instrument))


class Count(Number):
    """A trigger or arm count; INFinity or 2147483647 is without end."""

    def __init__(self) -> None:
        super().__init__("", 1, 100_000, 1, is_integer=True)

    def parse(self, token: str, instrument: Any) -> float:
        """The count."""
        if token.upper() in ("INF", "INFINITY") or token == str(int(_INFINITE)):
            return float("inf")
        return super().parse(token, instrument)


class OffsetIndex(Parameter):
    """Where stored data begin: CURRent, STARt or an index."""

    is_optional = True
    LATEST = -1

    def parse(self, token: str, instrument: Any) -> int:
        """Index; LATEST for the latest datum."""
        word = token.upper()
        if word in ("CURR", "CURRENT"):
            return self.LATEST
        if word in ("STAR", "START"):
            return 0
        return int(Number("", 0, 100_000, is_integer=True).parse(token, instrument))


class Channels(ChannelList):
    """Channels of the instrument, in ascending order; channel 1 if left out."""

    is_optional = True

    def parse(self, token: str, instrument: Any) -> Any:
        """Channel objects."""
        chosen: set[int] = set()
        for first, last in super().parse(token, instrument):
            if len(first) != 1 or len(last) != 1:
                raise ScpiError(-171)
            chosen.update(range(min(first[0], last[0]), max(first[0], last[0]) + 1))
        if not chosen:
            raise ScpiError(-171)
        if max(chosen) > len(instrument.channels) or min(chosen) < 1:
            raise refusal(WRONG_CHANNELS)
        return [instrument.channel(number) for number in sorted(chosen)]


CHANNELS = Channels()


def chosen_or_first(i: SimKeysightB2900, chosen: Sequence[Channel] | None) -> Sequence[Channel]:
    """The channels of a channel list, or channel 1."""
    return [i.channel(1)] if chosen is None else chosen


def _nothing_more(_: SimKeysightB2900, __: Channel) -> None:
    """Nothing else changes with this setting."""


def redrive(i: SimKeysightB2900, channel: Channel) -> None:
    """Bring the channel's output to what is set now."""
    i.let_time_pass()
    channel.apply()


def _teller(parameter: Parameter) -> Callable[[Any], str]:
    if isinstance(parameter, Number):
        return show_integer if parameter.is_integer else show_nr3
    return show_switch if isinstance(parameter, Switch) else str


def of_channel(
    pattern: str,
    path: str | Callable[[Channel], tuple[Any, str]],
    parameter: Parameter,
    *,
    after: After = _nothing_more,
) -> Command:
    """Command and query for one setting of a channel; the pattern numbers the channel with `<c>`.

    Args:
        pattern: the command's header.
        path: where it is kept, from the channel on, or a function that returns owner and attribute.
        parameter: what it may be.
        after: called with instrument and channel once it has changed.
    """
    tell = _teller(parameter)

    def place(channel: Channel) -> tuple[Any, str]:
        if callable(path):
            return path(channel)
        owner, _, name = path.rpartition(".")
        return (attrgetter(owner)(channel) if owner else channel), name

    def write(i: SimKeysightB2900, number: int, value: Any) -> None:
        channel = i.channel(number)
        owner, name = place(channel)
        setattr(owner, name, value)
        after(i, channel)

    def query(i: SimKeysightB2900, number: int, extreme: float | None = None) -> str:
        owner, name = place(i.channel(number))
        return tell(getattr(owner, name) if extreme is None else extreme)

    asks = (Extreme(parameter),) if isinstance(parameter, Number) else ()
    return Command(pattern, write=write, query=query, takes=(parameter,), asks=asks)


def trigger_out_commands(node: str, places: Sequence[Callable[[Channel], TriggerOut]]) -> tuple[Command, ...]:
    """TOUTput of a layer or device action.

    Args:
        node: header before `:TOUTput`; numbers the channel.
        places: where it is kept, from the channel on; the first one is told.
    """

    def write_state(i: SimKeysightB2900, number: int, is_on: bool) -> None:
        for place in places:
            place(i.channel(number)).is_on = is_on

    def write_lines(i: SimKeysightB2900, number: int, lines: list[str]) -> None:
        for place in places:
            place(i.channel(number)).lines = tuple(lines)

    return (
        Command(
            f"{node}:TOUTput[:STATe]",
            write=write_state,
            query=lambda i, n: show_switch(places[0](i.channel(n)).is_on),
            takes=(Switch(),),
        ),
        Command(
            f"{node}:TOUTput:SIGNal",
            write=write_lines,
            query=lambda i, n: ",".join(places[0](i.channel(n)).lines),
            takes=(Choices(*_OUT_LINES),),
        ),
    )


_OUT_LINES = ("INT1", "INT2", "LAN", *(f"EXT{k}" for k in range(1, 15)))


def with_optional_source(commands: Iterable[Command]) -> tuple[Command, ...]:
    """The commands with `:SOURce<c>`, and again without it for channel 1."""
    every = tuple(commands)
    return every + tuple(_without_source(command) for command in every)


def _without_source(command: Command) -> Command:
    write, query = command.write, command.query
    return replace(
        command,
        pattern=command.pattern.removeprefix(":SOURce<c>"),
        write=None if write is None else lambda i, *rest: write(i, 1, *rest),
        query=None if query is None else lambda i, *rest: query(i, 1, *rest),
    )
