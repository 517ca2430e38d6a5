"""Status queries that an instrument answers while a sweep that it was told to begin is still going on.

What an instrument does is complete in the world as soon as its message has arrived, but the host has not waited for it
yet. A program that polls sleeps between its polls, and nobody can see how long: the first poll is answered with "still
running", and by the next one the rest of the sweep has passed.
"""

from __future__ import annotations

import re
from typing import ClassVar

from .scpi_instrument import ScpiInstrument


class OverlappedInstrument(ScpiInstrument):
    """Base of SCPI instruments whose sweeps are overlapped commands.

    Class attributes:
        polls: matches a message that is answered during a sweep.

    Attributes:
        is_still_running: whether the poll that is being answered finds a sweep under way.
    """

    polls: ClassVar[re.Pattern[str]]
    is_still_running = False
    _was_started = False

    def _run(self, message: bytes) -> None:
        rest = self._ready_at - self._host.seconds
        is_poll = rest > 0 and not self._replies and self.polls.fullmatch(message.decode("latin-1").strip())
        if is_poll:
            self.is_still_running = self._was_started
            self._host.spend(rest)
        try:
            super()._run(message)
        finally:
            self.is_still_running = False
        if not is_poll:
            self._was_started = self._starts(message)
        elif rest > 0:
            self._was_started = False

    @staticmethod
    def _starts(message: bytes) -> bool:
        """Whether a message begins a sweep."""
        return b"INIT" in message.upper()
