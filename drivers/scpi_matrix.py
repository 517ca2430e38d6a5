"""What switch matrices that speak SCPI have in common: moving only the relays that differ, and the error queue."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterable

from mtjlab.errors import InstrumentError
from mtjlab.roles import Crosspoint, SwitchMatrix

from .checked_visa import CheckedVisa

_MOST_ERRORS = 40


class ScpiMatrix(CheckedVisa, SwitchMatrix):
    """A SwitchMatrix whose `route` is one message: open what differs, close what differs, read everything back.

    Which relays differ is worked out from what the instrument read back last; after any fault it is asked anew.
    """

    default_terminator = "\n"
    manual = "manual"
    _known: frozenset[Crosspoint] | None = None

    def route(self, closed: Iterable[Crosspoint]) -> frozenset[Crosspoint]:
        """See SwitchMatrix; raises InstrumentError, before anything moves, for crosspoints that there are not."""
        wanted = frozenset(closed)
        self._refuse(wanted)
        present = self.closed() if self._known is None else self._known
        self._known = None  # until the instrument has told
        message = ";".join([*self._moves(present, wanted), self._question()])
        self._known = self._told(message, self.ask(message))
        return self._known

    def closed(self) -> frozenset[Crosspoint]:
        """Read back which relays are closed."""
        question = self._question()
        self._known = self._told(question, self.ask(question))
        return self._known

    def check_errors(self) -> None:
        """Drain the error queue; raises InstrumentError quoting every entry."""
        found = []
        for _ in range(_MOST_ERRORS):
            entry = self.ask(":SYST:ERR?").strip()
            if entry.split(",")[0] in ("0", "+0"):
                break
            found.append(entry)
        if found:
            self._known = None
            raise InstrumentError(
                "reports " + "; ".join(found), where=self._where(), remedy=f"See the {self.manual}, error messages"
            )

    def recover(self) -> None:
        """Device clear; what is closed is asked anew."""
        self._known = None
        super().recover()

    def reopen(self) -> None:
        """See CheckedVisa; what is closed is asked anew, and whether it has kept its power nobody knows."""
        self._known = None
        self.is_watched = False
        super().reopen()

    def _refuse(self, wanted: Collection[Crosspoint]) -> None:
        """Raise InstrumentError if these must not be closed together."""
        missing = sorted(point for point in wanted if not self.reaches(point))
        if missing:
            raise InstrumentError(
                f"has no crosspoint {', '.join(f'{point.row}-{point.column}' for point in missing)}",
                where=self._where(),
                remedy="Correct the wiring file, or fit the card",
            )

    @abstractmethod
    def _moves(self, present: frozenset[Crosspoint], wanted: frozenset[Crosspoint]) -> list[str]:
        """Commands that lead from the one to the other, opening first."""

    @abstractmethod
    def _question(self) -> str:
        """What asks for everything that is closed."""

    @abstractmethod
    def _told(self, question: str, reply: str) -> frozenset[Crosspoint]:
        """What a reply to such a message says; raises InstrumentError if it cannot be understood."""


def open_and_close(
    present: frozenset[Crosspoint], wanted: frozenset[Crosspoint]
) -> tuple[list[Crosspoint], list[Crosspoint]]:
    """What has to open and what has to close, each in order."""
    return sorted(present - wanted), sorted(wanted - present)
