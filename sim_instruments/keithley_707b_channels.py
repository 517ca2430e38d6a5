"""The `channel` object of a 707B: closing, opening, patterns, labels, forbidden channels (707B reference manual)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from .channel_list import Channel, ChannelListError, ChannelLists
from .keithley_707b_relays import BREAK_BEFORE_MAKE, MAKE_BEFORE_BREAK, OFF
from .tsp_attributes import Attributes
from .tsp_engine import PARAMETER_ERROR, TspError, number_argument, text_argument

if TYPE_CHECKING:
    from .keithley_707b import SimKeithley707B

Functions = dict[str, Callable[..., Any]]
_LONGEST_DELAY_SECONDS = 60.0
_MOST_LABEL = 20
"""Letters of a label (assumed; those of rows and columns have eight)."""


class ChannelTree:
    """What scripts do with channels.

    Attributes:
        patterns: channel patterns by name.
        labels: channels by label.
        forbidden: channels that may not be closed.
    """

    def __init__(self, instrument: SimKeithley707B, lists: ChannelLists) -> None:
        self._instrument = instrument
        self._relays = instrument.relays
        self._lists = lists
        self.patterns: dict[str, tuple[Channel, ...]] = lists.patterns
        self.labels: dict[str, Channel] = lists.labels
        self._line_labels: dict[tuple[int, str | int], str] = {}
        self.forbidden: set[Channel] = set()

    def reset(self) -> None:
        """Patterns, labels, delays and forbidden channels go; the connection rule is at its default."""
        self._relays.rule, self._relays.is_sequential = BREAK_BEFORE_MAKE, False
        self._relays.delays.clear()
        self.forbidden.clear()
        self.patterns.clear()
        self.labels.clear()
        self._line_labels.clear()
        self._lists.forget()

    def made(self) -> Any:
        """The `channel` object."""
        relays = self._relays
        a = Attributes()
        a.whole("connectrule", lambda: relays, "rule", OFF, MAKE_BEFORE_BREAK)
        a.switch_number("connectsequential", lambda: relays, "is_sequential")
        engine = self._instrument.engine
        values = {
            "OFF": OFF, "ON": 1, "BREAK_BEFORE_MAKE": BREAK_BEFORE_MAKE, "MAKE_BEFORE_BREAK": MAKE_BEFORE_BREAK,
            "TYPE_SWITCH": 1, "pattern": engine.object(functions=self._pattern_functions()),
        }  # fmt: skip
        return a.made(engine, values, {**self._moving(), **self._asking(), **self._setting()})

    def _moving(self) -> Functions:
        return {
            "close": lambda text: self._move(self._relays.closed | set(self.to_close(text))),
            "open": lambda text: self._move(self._relays.closed - set(self.channels(text))),
            "exclusiveclose": self._exclusive_close,
            "exclusiveslotclose": self._exclusive_slot_close,
            "reset": self._reset_channels,
        }

    def _asking(self) -> Functions:
        counts, delays = self._relays.counts, self._relays.delays
        return {
            "getclose": self._get_close,
            "getstate": lambda text, _=None: self._each(text, lambda c: "1" if c in self._relays.closed else "0"),
            "getcount": lambda text: self._each(text, lambda c: str(counts.get(c, 0))),
            "gettype": lambda text: self._each(text, lambda _: "1"),
            "getdelay": lambda text: self._each(text, lambda c: f"{delays.get(c, 0.0):.5e}", allows_patterns=False),
            "getforbidden": lambda text: _joined(c for c in self.channels(text) if c in self.forbidden) or None,
            "getimage": lambda text: _joined(self.channels(text)),
            "getlabel": lambda text: self._each(text, self._label_of),
            "getlabelcolumn": lambda text: self._each(text, lambda c: self._line_labels.get((c.slot, c.column), "")),
            "getlabelrow": lambda text: self._each(text, lambda c: self._line_labels.get((c.slot, c.row), "")),
            "createspecifier": self._create_specifier,
        }

    def _setting(self) -> Functions:
        return {
            "setdelay": self._set_delay,
            "setforbidden": self._set_forbidden,
            "clearforbidden": lambda text: self.forbidden.difference_update(self.channels(text)),
            "setlabel": self._set_label,
            "setlabelcolumn": lambda text, label: self._set_line_label(text, label, is_row=False),
            "setlabelrow": lambda text, label: self._set_line_label(text, label, is_row=True),
        }

    def _pattern_functions(self) -> Functions:
        return {
            "catalog": self._catalog,
            "delete": self._delete_pattern,
            "getimage": self._get_pattern,
            "setimage": self._set_pattern,
            "snapshot": lambda name: self._keep_pattern(name, tuple(sorted(self._relays.closed))),
        }

    def channels(self, text: object, *, allows_slots: bool = True, allows_patterns: bool = True) -> tuple[Channel, ...]:
        """The channels of a list; raises TspError if it is none."""
        try:
            return self._lists.parse(text_argument(text), allows_slots=allows_slots, allows_patterns=allows_patterns)
        except ChannelListError as error:
            raise TspError(PARAMETER_ERROR, f"Parameter error {error}") from error

    def to_close(self, text: object) -> tuple[Channel, ...]:
        """The channels of a list that is to be closed; raises TspError if one of them may not be."""
        return self.allowed(self.channels(text, allows_slots=False))

    def allowed(self, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        """These channels; raises TspError if one of them may not be closed."""
        for channel in channels:
            if channel in self.forbidden:
                raise TspError(1114, f"Settings conflict {channel.name} is forbidden to close")
        return channels

    def _each(self, text: object, tell: Callable[[Channel], str], *, allows_patterns: bool = True) -> str:
        return ",".join(tell(channel) for channel in self.channels(text, allows_patterns=allows_patterns))

    def _move(self, wanted: Iterable[Channel]) -> None:
        self._instrument.move(frozenset(wanted))

    def _exclusive_close(self, text: object) -> None:
        is_empty = not text_argument(text).strip()
        self._move(() if is_empty else self.to_close(text))

    def _exclusive_slot_close(self, text: object) -> None:
        wanted = self.to_close(text)
        slots = {channel.slot for channel in wanted}
        self._move({c for c in self._relays.closed if c.slot not in slots} | set(wanted))

    def _reset_channels(self, text: object) -> None:
        channels = set(self.channels(text))
        self._move(self._relays.closed - channels)
        self.forbidden -= channels
        for channel in channels:
            self._relays.delays.pop(channel, None)
        for name in [name for name, image in self.patterns.items() if channels & set(image)]:
            del self.patterns[name]
        for label in [label for label, channel in self.labels.items() if channel in channels]:
            del self.labels[label]
        self._lists.forget()

    def _get_close(self, text: object) -> str | None:
        asked, closed = self.channels(text), self._relays.closed
        found = sorted(closed) if len(asked) == len(self._relays) else sorted(closed & set(asked))
        return _joined(found, ";") if found else None

    def _set_delay(self, text: object, seconds: object) -> None:
        value = number_argument(seconds, 0, _LONGEST_DELAY_SECONDS)
        for channel in self.channels(text, allows_patterns=False):
            self._relays.delays[channel] = value

    def _set_forbidden(self, text: object) -> None:
        channels = self.channels(text)
        self.forbidden.update(channels)
        self._move(self._relays.closed - set(channels))

    def _create_specifier(self, slot: object, row: object, column: object) -> str:
        most = self._instrument.slots
        numbers = (number_argument(slot, 1, most), number_argument(row, 1, 26), number_argument(column, 1, 99))
        name = f"{int(numbers[0])}{chr(64 + int(numbers[1]))}{int(numbers[2]):02d}"
        return _joined(self.channels(name))

    def _label_of(self, channel: Channel) -> str:
        return next((label for label, labelled in self.labels.items() if labelled == channel), channel.name)

    def _set_label(self, text: object, label: object) -> None:
        channels = self.channels(text, allows_slots=False, allows_patterns=False)
        if len(channels) != 1:
            raise TspError(PARAMETER_ERROR, "Parameter error a label is for one channel")
        wanted = text_argument(label)
        is_clearing = not wanted or wanted[0] == " "
        if not is_clearing:
            self._require_name(wanted)
        for old in [old for old, channel in self.labels.items() if channel == channels[0]]:
            del self.labels[old]
        if not is_clearing:
            self.labels[wanted] = channels[0]
        self._lists.forget()

    def _require_name(self, name: str) -> None:
        if not name.isidentifier() or len(name) > _MOST_LABEL or self._lists.is_reserved(name):
            raise TspError(PARAMETER_ERROR, f"Parameter error invalid label {name}")
        if name in self.patterns or name in self.labels:
            raise TspError(PARAMETER_ERROR, f"Parameter error {name} is in use")

    def _set_line_label(self, text: object, label: object, *, is_row: bool) -> None:
        wanted = text_argument(label).strip()[:8]
        for channel in self.channels(text, allows_slots=False, allows_patterns=False):
            self._line_labels[channel.slot, channel.row if is_row else channel.column] = wanted

    def _catalog(self) -> Any:
        left = iter(list(self.patterns))
        return self._instrument.engine.function(lambda *_: next(left, None))

    def _set_pattern(self, text: object, name: object) -> None:
        self._keep_pattern(name, self.to_close(text) if text_argument(text).strip() else ())

    def _keep_pattern(self, name: object, channels: tuple[Channel, ...]) -> None:
        wanted = text_argument(name)
        if not wanted.isidentifier() or self._lists.is_reserved(wanted) or wanted in self.labels:
            raise TspError(PARAMETER_ERROR, f"Parameter error invalid pattern name {wanted}")
        self.patterns[wanted] = channels
        self._lists.forget()

    def _get_pattern(self, names: object) -> str:
        wanted = [part.strip() for part in text_argument(names).split(",")]
        return ";".join(_joined(self._pattern(name)) for name in wanted)

    def _delete_pattern(self, name: object) -> None:
        self._pattern(text_argument(name))
        del self.patterns[text_argument(name)]
        self._lists.forget()

    def _pattern(self, name: str) -> tuple[Channel, ...]:
        if name not in self.patterns:
            raise TspError(PARAMETER_ERROR, f"Parameter error no channel pattern {name}")
        return self.patterns[name]


def _joined(channels: Iterable[Channel], separator: str = ",") -> str:
    return separator.join(channel.name for channel in channels)
