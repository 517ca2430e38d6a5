"""How a 2400 treats messages while its trigger model waits for an event (user's manual, section 11).

Only a few commands get through; all others, and the answers of READ?, wait until the unit is idle again.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from .scpi import Reply
from .scpi_errors import ScpiError
from .scpi_instrument import ScpiInstrument

_AT_ONCE = re.compile(r"\s*(?::?ABORT?|:?SYST(?:EM)?:PRES(?:ET)?|\*TRG|\*RST|\*RCL\s.*)\s*(?:;|\Z)", re.IGNORECASE)
"""Messages that are carried out although readings are being waited for; all others wait until the unit is idle."""

_MOST_HELD = 256
"""Messages that may wait (assumed); a real unit holds the bus off when its input buffer is full."""


class WaitingInstrument(ScpiInstrument):
    """An instrument whose readings may wait for events."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._owed: list[Callable[[], Reply]] = []
        self._held: list[str] = []
        self._is_carrying_out = False

    @property
    @abstractmethod
    def is_waiting(self) -> bool:
        """Whether an event is waited for."""

    def when_idle(self, answer: Callable[[], Reply]) -> Reply | None:
        """The answer; None if the unit is not idle yet and will give it when it is."""
        if not self.is_waiting:
            return answer()
        self._owed.append(answer)
        return None

    def _carry_out(self, message: str) -> None:
        if self.is_waiting and not _AT_ONCE.match(message):
            if len(self._held) < _MOST_HELD:
                self._held.append(message)
            else:
                self.status.report(ScpiError(-363))
            return
        self._is_carrying_out = True
        try:
            super()._carry_out(message)
        finally:
            self._is_carrying_out = False
        self._settle_debts()

    def _settle_debts(self) -> None:
        """Once idle: give the answers that had to wait, then carry out the messages that had to."""
        if self.is_waiting or self._is_carrying_out:
            return
        owed, self._owed = self._owed, []
        for answer in owed:
            try:
                reply = answer()
            except ScpiError as error:
                self.status.report(error)
                continue
            self._replies.append((reply.encode() if isinstance(reply, str) else reply) + b"\n")
        while self._held and not self.is_waiting:
            self._carry_out(self._held.pop(0))

    def _nothing_to_say(self) -> None:
        if not self._owed and not self._held:
            super()._nothing_to_say()

    def _forget_answers(self) -> None:
        """Answers that had to wait are not given any more."""
        self._owed.clear()

    def _forget_messages(self) -> None:
        """Messages that had to wait are not carried out any more."""
        self._held.clear()
