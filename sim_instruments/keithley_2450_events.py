"""The event log of a 2450: errors with the time at which they happened (Reference Manual, SYSTem subsystem)."""

from __future__ import annotations

from collections.abc import Callable

from .keithley_2450_buffer import stamp
from .scpi_errors import ScpiError
from .status_488 import ErrorQueue

_ERROR, _WARNING, _INFORMATION = 1, 2, 4
_TYPES = {"ERR": _ERROR, "WARN": _WARNING, "INF": _INFORMATION}
_POSTED_CODES = {"ERR": 1001, "WARN": 1002, "INF": 1003}


class LoggedError(ScpiError):
    """An entry of the log."""

    def __init__(self, code: int, text: str, kind: int, seconds: float) -> None:
        super().__init__(code, text)
        self.kind = kind
        self.seconds = seconds


class EventLog(ErrorQueue):
    """The log.

    Args:
        capacity: entries it holds.
        seconds: tells the instrument's time.
    """

    def __init__(self, capacity: int, seconds: Callable[[], float]) -> None:
        super().__init__(capacity)
        self._seconds = seconds

    def put(self, error: ScpiError) -> None:
        """Add an error, with the time."""
        entry = (
            error if isinstance(error, LoggedError) else LoggedError(error.code, error.text, _ERROR, self._seconds())
        )
        super().put(entry)

    def post(self, text: str, kind: str | None) -> None:
        """SYSTem:EVENtlog:POST."""
        key = kind if kind in _TYPES else "INF"
        self.put(LoggedError(_POSTED_CODES[key], f"User: {text}", _TYPES[key], self._seconds()))

    @staticmethod
    def told(error: ScpiError) -> str:
        """An entry as SYSTem:ERRor? tells it."""
        if not isinstance(error, LoggedError):
            return f'{error.code},"{error.text};0;0 0"'
        when = stamp(error.seconds).strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]
        return f'{error.code},"{error.text};{error.kind};{when}"'
