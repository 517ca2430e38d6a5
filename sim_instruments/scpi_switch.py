"""What the switching mainframes that speak SCPI have in common: relays that take time, and signed error numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .relay_bank import RelayBank
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import ScpiInstrument


class ScpiSwitch(ScpiInstrument):
    """A mainframe with relays."""

    def move(self, bank: RelayBank[Any], closed: Iterable[Any]) -> None:
        """Move a bank's relays at once so that exactly `closed` are closed; takes the time that they need to settle."""
        wanted = frozenset(closed)
        if wanted == bank.closed:
            return
        self._let_time_pass()
        self._take_time(bank.set(wanted))

    def pass_time(self, seconds: float) -> None:
        """Stay as it is for this long."""
        self._take_time(seconds)

    def trigger(self) -> None:
        """*TRG or a group execute trigger; nothing waits for one."""
        self.status.report(ScpiError(-211))

    def _cleared(self) -> None:
        """A device clear leaves the relays as they are."""


def _signed(error: ScpiError) -> str:
    return f'{error.code:+d},"{error.text}"'


def flags(states: Iterable[bool]) -> str:
    """States of channels as a query tells them: 1 and 0, separated by commas."""
    return ",".join("1" if state else "0" for state in states)


SIGNED_ERROR_COMMANDS: tuple[Command, ...] = (
    Command(":SYSTem:ERRor[:NEXT]", query=lambda i: _signed(i.status.errors.take())),
)
"""SYSTem:ERRor? of Agilent's mainframes, which put a sign before every number: +0,"No error"."""
