"""The event log of a 2450: errors, warnings and information with the time at which they happened.

Reference Manual, "Event log" and SYSTem subsystem. Event numbers are those of the manual's status appendix, as far as
it lists them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from .keithley_2450_buffer import stamp
from .scpi_errors import ScpiError
from .status_488 import ErrorQueue

ERROR, WARNING, INFORMATION = 1, 2, 4
KINDS = {"ERR": ERROR, "WARN": WARNING, "INF": INFORMATION}
_POSTED_CODES = {"ERR": 1001, "WARN": 1002, "INF": 1003}


class Event(NamedTuple):
    """What the instrument notes by itself: number, text and type of the event."""

    code: int
    text: str
    kind: int = INFORMATION


MODEL_ABORTED = Event(2728, "Trigger model #1 has been aborted")
MODEL_FAILED = Event(2730, "Trigger model #1 has failed")
MODEL_STARTED = Event(2731, "Trigger model #1 has been initiated")
MODEL_ENDED = Event(2732, "Trigger model #1 has been idled")
LIMIT_TRIPPED = Event(5080, "Source limiting is active on output")
LIMIT_CLEARED = Event(5081, "Source limiting is no longer necessary and output is normal")
OUTPUT_TRIPPED = Event(5074, "Output is off because the interlock or the protection tripped", ERROR)
"""Number and text assumed: the manual's list does not have it."""


class LoggedError(ScpiError):
    """An entry of the log."""

    def __init__(self, code: int, text: str, kind: int, seconds: float) -> None:
        super().__init__(code, text)
        self.kind = kind
        self.seconds = seconds


class EventLog(ErrorQueue):
    """The log; as an error queue it holds the errors alone. When it is full the oldest entry goes.

    Args:
        capacity: entries it holds.
        seconds: tells the instrument's time.
        heard: called with the number of every event.
    """

    def __init__(self, capacity: int, seconds: Callable[[], float], heard: Callable[[int], None]) -> None:
        super().__init__(capacity)
        self._seconds = seconds
        self._heard = heard
        self._errors = 0

    def __len__(self) -> int:
        return self._errors

    def put(self, error: ScpiError) -> None:
        """Add an error, with the time."""
        self._add(LoggedError(error.code, error.text, ERROR, self._seconds()))

    def note(self, event: Event, text: str = "") -> None:
        """Add an event, with a text of its own if one is given."""
        self._add(LoggedError(event.code, text or event.text, event.kind, self._seconds()))

    def post(self, text: str, kind: str | None) -> None:
        """SYSTem:EVENtlog:POST."""
        key = kind if kind in KINDS else "INF"
        self.note(Event(_POSTED_CODES[key], f"User: {text}", KINDS[key]))

    def _add(self, entry: LoggedError) -> None:
        if len(self._entries) >= self._capacity:
            self._forget()
        self._entries.append(entry)
        self._errors += entry.kind == ERROR
        self._heard(entry.code)

    def _forget(self) -> ScpiError:
        entry = self._entries.popleft()
        self._errors -= isinstance(entry, LoggedError) and entry.kind == ERROR
        return entry

    def take(self) -> ScpiError:
        """The oldest error; what is older than it counts as read as well."""
        while self._errors:
            entry = self._forget()
            if isinstance(entry, LoggedError) and entry.kind == ERROR:
                return entry
        return ScpiError(0)

    def next_event(self, kinds: Collection[int]) -> ScpiError:
        """The oldest event of these types; code 0 if there is none."""
        for number, entry in enumerate(self._entries):
            if isinstance(entry, LoggedError) and entry.kind in kinds:
                del self._entries[number]
                self._errors -= entry.kind == ERROR
                return entry
        return ScpiError(0)

    def count(self, kinds: Collection[int]) -> int:
        """Unread events of these types."""
        return len(self.of(kinds))

    def of(self, kinds: Collection[int]) -> list[LoggedError]:
        """Unread events of these types, oldest first."""
        return [entry for entry in self._entries if isinstance(entry, LoggedError) and entry.kind in kinds]

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self._errors = 0

    @staticmethod
    def told(error: ScpiError) -> str:
        """An entry as SYSTem:ERRor? tells it."""
        if not isinstance(error, LoggedError):
            return f'{error.code},"{error.text};0;0 0"'
        when = stamp(error.seconds).strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]
        return f'{error.code},"{error.text};{error.kind};{when}"'
