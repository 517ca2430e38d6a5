"""A simulated Keithley 707B switching matrix: TSP as in the Models 707B and 708B Reference Manual (707B-901-01)."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from .bench_file import CardModel, InstrumentSpec
from .channel_list import Card, Channel, ChannelListError, ChannelLists
from .faults import FaultPlan
from .switching_tables import K707B_RELAY
from .timing import KEITHLEY_707B as TIMING
from .tsp import TspInstrument
from .tsp_engine import PARAMETER_ERROR, TspError, number_argument, text_argument
from .wire_instrument import HostClock
from .world import World

OFF, BREAK_BEFORE_MAKE, MAKE_BEFORE_BREAK = 0, 1, 2
RELAY_OHMS = 0.5
"""Path resistance of a closed crosspoint (assumed; card data sheets bound it at 1 ohm when new)."""
_LONGEST_DELAY_SECONDS = 60.0
_CARDS: dict[CardModel, Card] = {
    "7071": Card("7071", 8, 12, "8x12 General Purpose Matrix"),
    "7072": Card("7072", 8, 12, "8x12 Semiconductor Matrix"),
    "7073": Card("7073", 8, 12, "8x12 Coaxial Matrix"),
    "7074": Card("7074", 8, 12, "8x12 General Purpose Multiplexer"),
    "7172": Card("7172", 8, 12, "8x12 Low Current Matrix"),
    "7173-50": Card("7173-50", 4, 12, "4x12 Two-pole High Frequency Matrix"),
    "7174A": Card("7174A", 8, 12, "8x12 Low Current Matrix"),
}


class SimKeithley707B(TspInstrument):
    """One 707B. Row r of every slot is the node `<name>.row.<A..H>`: rows are joined through the backplane.
    Column c of slot s is the node `<name>.col.<100 s + c>`.

    Attributes:
        closed: channels that are closed now.
        patterns: channel patterns by name.
    """

    model: ClassVar[str] = "707B"
    firmware: ClassVar[str] = "01.42b"
    command_seconds: ClassVar[float] = TIMING.command_seconds
    slots: ClassVar[int] = 6

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        cards: Iterable[CardModel | None],
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        super().__init__(name, world, host, serial=serial, has_end=has_end, faults=faults)
        self._cards = {slot: _CARDS[card] for slot, card in enumerate(cards, start=1) if card is not None}
        self.patterns: dict[str, tuple[Channel, ...]] = {}
        self._lists = ChannelLists(self._cards, self.patterns)
        self._numbers = {channel: k for k, channel in enumerate(self._lists.every)}
        pairs = [(f"{name}.row.{c.row}", f"{name}.col.{c.slot * 100 + c.column}") for c in self._lists.every]
        self._switches = world.add_switches(name, pairs, RELAY_OHMS, K707B_RELAY)
        self._moved_seconds = 0.0
        self.closed: frozenset[Channel] = frozenset()
        self._forbidden: set[Channel] = set()
        self._delays: dict[Channel, float] = {}
        self._counts: dict[Channel, int] = {}
        self._rule = BREAK_BEFORE_MAKE
        self._is_sequential = False
        self._define_channel()
        self._define_slots()

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeithley707B:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, cards=spec.cards, serial=spec.serial, has_end=spec.has_end, faults=faults)

    def reset(self) -> None:
        """reset(): all channels open, rules, delays and forbidden channels at their defaults, patterns deleted."""
        self._move(frozenset())
        self._rule, self._is_sequential = BREAK_BEFORE_MAKE, False
        self._forbidden.clear()
        self._delays.clear()
        self.patterns.clear()
        self._lists.forget()

    def _define_channel(self) -> None:
        pattern: dict[str, Callable[..., Any]] = {
            "setimage": self._set_pattern,
            "getimage": self._get_pattern,
            "delete": self._delete_pattern,
            "snapshot": self._snapshot_pattern,
        }
        functions: dict[str, Callable[..., Any]] = {
            "close": self._close,
            "open": self._open,
            "exclusiveclose": self._exclusive_close,
            "exclusiveslotclose": self._exclusive_slot_close,
            "getclose": self._get_close,
            "getstate": self._get_state,
            "getcount": self._get_count,
            "gettype": lambda text: ",".join("1" for _ in self._channels(text)),
            "setdelay": self._set_delay,
            "getdelay": self._get_delay,
            "setforbidden": self._set_forbidden,
            "getforbidden": self._get_forbidden,
            "clearforbidden": self._clear_forbidden,
            "createspecifier": self._create_specifier,
            "getimage": lambda text: _joined(self._channels(text), ","),
            "reset": self._reset_channels,
        }
        self.engine.define(
            "channel",
            {
                "OFF": OFF,
                "ON": 1,
                "BREAK_BEFORE_MAKE": BREAK_BEFORE_MAKE,
                "MAKE_BEFORE_BREAK": MAKE_BEFORE_BREAK,
                "TYPE_SWITCH": 1,
                "pattern": self.engine.table(functions=pattern),
            },
            functions=functions,
            getters={"connectrule": lambda: self._rule, "connectsequential": lambda: int(self._is_sequential)},
            setters={"connectrule": self._set_rule, "connectsequential": self._set_sequential},
        )

    def _define_slots(self) -> None:
        self.engine.set_global("slot", self.engine.list_of([self._slot(n) for n in range(1, self.slots + 1)]))

    def _slot(self, number: int) -> Any:
        table = self.engine.table
        card = self._cards.get(number)
        if card is None:
            return table({"idn": "Empty Slot", "rows": table(), "columns": table(), "pseudocard": 0})
        idn = f"{card.model},{card.description},01.00a,{zlib.crc32(f'{self.serial}.{number}'.encode()) % 10**7:07d}"
        return table(
            {
                "idn": idn,
                "matrix": 1,
                "pseudocard": 0,
                "rows": table({"matrix": card.rows}),
                "columns": table({"matrix": card.columns}),
            }
        )

    def _channels(
        self, text: object, *, allows_slots: bool = True, allows_patterns: bool = True
    ) -> tuple[Channel, ...]:
        try:
            return self._lists.parse(text_argument(text), allows_slots=allows_slots, allows_patterns=allows_patterns)
        except ChannelListError as error:
            raise TspError(PARAMETER_ERROR, f"Parameter error {error}") from error

    def _to_close(self, text: object) -> tuple[Channel, ...]:
        channels = self._channels(text, allows_slots=False)
        for channel in channels:
            if channel in self._forbidden:
                raise TspError(1114, f"Settings conflict {channel.name} is forbidden to close")
        return channels

    def _close(self, text: object) -> None:
        self._move(self.closed | set(self._to_close(text)))

    def _open(self, text: object) -> None:
        self._move(self.closed - set(self._channels(text)))

    def _exclusive_close(self, text: object) -> None:
        is_empty = not text_argument(text).strip()
        self._move(frozenset(() if is_empty else self._to_close(text)))

    def _exclusive_slot_close(self, text: object) -> None:
        wanted = self._to_close(text)
        slots = {channel.slot for channel in wanted}
        self._move(frozenset(c for c in self.closed if c.slot not in slots) | set(wanted))

    def _move(self, wanted: frozenset[Channel]) -> None:
        """Move the relays by the connection rule, in simulated time (manual, section 2, "Connection methods")."""
        to_open, to_close = self.closed - wanted, wanted - self.closed
        if not to_open and not to_close:
            return
        for channel in to_close:
            self._counts[channel] = self._counts.get(channel, 0) + 1
        if self._rule == OFF:
            self._set(wanted)
            self._settle(max(len(to_open), len(to_close)), to_close)
            return
        halfway = self.closed - to_open if self._rule == BREAK_BEFORE_MAKE else self.closed | to_close
        if halfway != self.closed:
            is_closing = self._rule == MAKE_BEFORE_BREAK
            self._set(halfway)
            self._settle(len(to_close if is_closing else to_open), to_close if is_closing else ())
        if wanted != self.closed:
            is_closing = self._rule == BREAK_BEFORE_MAKE
            self._set(wanted)
            self._settle(len(to_close if is_closing else to_open), to_close if is_closing else ())

    def _set(self, closed: frozenset[Channel]) -> None:
        self._let_time_pass()
        before = self.world.seconds
        self._switches.set(self._numbers[channel] for channel in closed)
        self._moved_seconds = self.world.seconds - before
        self.closed = closed

    def _settle(self, moves: int, closing: Iterable[Channel]) -> None:
        delays = [self._delays[channel] for channel in closing if channel in self._delays]
        if self._is_sequential:
            seconds = moves * TIMING.relay_seconds + sum(delays)
        else:
            seconds = TIMING.relay_seconds + max(delays, default=0.0)
        self._take_time(max(seconds - self._moved_seconds, 0.0))

    def _get_close(self, text: object) -> str | None:
        asked = self._channels(text)
        closed = sorted(self.closed) if len(asked) == len(self._numbers) else sorted(self.closed & set(asked))
        return _joined(closed, ";") if closed else None

    def _get_state(self, text: object, _: object = None) -> str:
        return ",".join("1" if channel in self.closed else "0" for channel in self._channels(text))

    def _get_count(self, text: object) -> str:
        return ",".join(str(self._counts.get(channel, 0)) for channel in self._channels(text))

    def _set_delay(self, text: object, seconds: object) -> None:
        value = number_argument(seconds, 0, _LONGEST_DELAY_SECONDS)
        for channel in self._channels(text, allows_patterns=False):
            self._delays[channel] = value

    def _get_delay(self, text: object) -> str:
        channels = self._channels(text, allows_patterns=False)
        return ",".join(f"{self._delays.get(channel, 0.0):.5e}" for channel in channels)

    def _set_forbidden(self, text: object) -> None:
        channels = self._channels(text)
        self._forbidden.update(channels)
        self._move(self.closed - set(channels))

    def _get_forbidden(self, text: object) -> str | None:
        return _joined((c for c in self._channels(text) if c in self._forbidden), ",") or None

    def _clear_forbidden(self, text: object) -> None:
        self._forbidden.difference_update(self._channels(text))

    def _create_specifier(self, slot: object, row: object, column: object) -> str:
        numbers = (number_argument(slot, 1, self.slots), number_argument(row, 1, 26), number_argument(column, 1, 99))
        name = f"{int(numbers[0])}{chr(64 + int(numbers[1]))}{int(numbers[2]):02d}"
        return _joined(self._channels(name), ",")

    def _reset_channels(self, text: object) -> None:
        channels = set(self._channels(text))
        self._move(self.closed - channels)
        self._forbidden -= channels
        for channel in channels:
            self._delays.pop(channel, None)
        for name in [name for name, image in self.patterns.items() if channels & set(image)]:
            del self.patterns[name]
        self._lists.forget()

    def _set_pattern(self, text: object, name: object) -> None:
        self.patterns[_pattern_name(name)] = self._to_close(text)
        self._lists.forget()

    def _snapshot_pattern(self, name: object) -> None:
        self.patterns[_pattern_name(name)] = tuple(sorted(self.closed))
        self._lists.forget()

    def _get_pattern(self, names: object) -> str:
        wanted = [part.strip() for part in text_argument(names).split(",")]
        return ";".join(_joined(self._pattern(name), ",") for name in wanted)

    def _delete_pattern(self, name: object) -> None:
        self._pattern(text_argument(name))
        del self.patterns[text_argument(name)]
        self._lists.forget()

    def _pattern(self, name: str) -> tuple[Channel, ...]:
        if name not in self.patterns:
            raise TspError(PARAMETER_ERROR, f"Parameter error no channel pattern {name}")
        return self.patterns[name]

    def _set_rule(self, rule: object) -> None:
        self._rule = int(number_argument(rule, OFF, MAKE_BEFORE_BREAK))

    def _set_sequential(self, is_on: object) -> None:
        self._is_sequential = number_argument(is_on, 0, 1) == 1


def _joined(channels: Iterable[Channel], separator: str) -> str:
    return separator.join(channel.name for channel in channels)


def _pattern_name(name: object) -> str:
    text = text_argument(name)
    if not text.isidentifier() or text.lower() == "allslots" or text.lower().startswith("slot"):
        raise TspError(PARAMETER_ERROR, f"Parameter error invalid pattern name {text}")
    return text
