"""The prober's part of a wafer run: every move once more, by a person's leave, or not at all, as its error asks for.

The prober's own role sees to it that nothing moves in contact or under bias. Here stands what happens when a move
fails: where it stands is read again before anything else, and whatever was done is noted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from mtjlab.errors import InstrumentError
from mtjlab.interrupts import finishing
from mtjlab.nouns import DieId
from mtjlab.prober import ErrorClass, Prober, ProberError

from .probe_wafer_parts import Answer, Ask, Question

Told = TypeVar("Told")
Note = Callable[[str, str], None]
"""Adds to the audit log: text, kind."""


class SkipDie(Exception):  # noqa: N818 (a decision)
    """A person leaves this die out."""


class StopWafer(Exception):  # noqa: N818 (a decision)
    """The run ends here, with a reason; what is left can be resumed."""


class ProberMoves:
    """Moves a prober.

    Args:
        prober: which.
        retries: how often an error that may pass is tried again before a person is asked.
        ask: whom.
        note: told of everything that did not go at once.
    """

    def __init__(self, prober: Prober, retries: int, ask: Ask, note: Note) -> None:
        self.prober = prober
        self._retries, self._ask, self._note = retries, ask, note

    def prepare(self, limit_metres: float, overtravel_metres: float | None) -> None:
        """Take over, separated."""
        self._do("taking over the prober", lambda: self.prober.prepare(overtravel_limit_metres=limit_metres))
        if overtravel_metres is not None and self.prober.capabilities.has_overtravel:
            self.set_overtravel(overtravel_metres)

    def overtravel(self, die: DieId) -> float:
        """What the prober is set to, metres."""
        return self._do("reading the overtravel", self.prober.overtravel_metres, die)

    def set_overtravel(self, metres: float, die: DieId | None = None) -> None:
        """For the next touch-down; the probes are off."""
        self._do("setting the overtravel", lambda: self.prober.set_overtravel(metres), die)

    def to_die(self, die: DieId) -> None:
        """Step to a die by its coordinates; it reads back as there."""
        self._do(f"stepping to die ({die.x}, {die.y})", lambda: self.prober.to_die(die.x, die.y), die)

    def contact(self, die: DieId) -> None:
        """Touch down."""
        self._do(f"touching down on die ({die.x}, {die.y})", self.prober.contact, die)

    def separate(self, die: DieId | None = None) -> None:
        """Lift off."""
        self._do("lifting off", self.prober.separate, die)

    def contact_again(self, die: DieId, more_metres: float) -> None:
        """Lift off and touch down again, so much deeper if the limit allows it.

        In two moves: one that is tried again goes down no further for it.
        """
        self.separate(die)
        if more_metres and self.prober.capabilities.has_overtravel:
            self.set_overtravel(self.overtravel(die) + more_metres, die)
        self.contact(die)

    def clean(self, die: DieId) -> None:
        """Lift off, and clean the probes where the prober does so; it is back at the same place afterwards."""

        def lifted_and_cleaned() -> None:
            self.prober.separate()  # one that failed half-way may stand on its cleaning pad
            self.prober.clean()

        self._do("cleaning the probes", lifted_and_cleaned, die)

    def write_bin(self, die: DieId, number: int) -> None:
        """Into the prober's own map; one that it does not take does not stop a run if a person leaves it out."""
        what = f"writing bin {number} of die ({die.x}, {die.y}) into the prober's map"
        try:
            self._do(what, lambda: self.prober.write_bin(die.x, die.y, number), die)
        except SkipDie as left_out:
            self._note(f"{what}: {left_out}", "prober: bin")

    def _do(self, what: str, act: Callable[[], Told], die: DieId | None = None) -> Told:
        """Do it, again if the error says so; what it gives.

        Raises:
            SkipDie, StopWafer: as a person decided, or at the prober's own end of the wafer.
            ProberError: a fatal one.
        """
        tries = 0
        while True:
            try:
                with finishing():
                    return act()
            except InstrumentError as error:
                self._note(f"{what}: {error}", f"prober: {_class_of(error).value}")
                tries += 1
                self._weigh(what, error, die, is_exhausted=tries > self._retries)

    def _weigh(self, what: str, error: InstrumentError, die: DieId | None, *, is_exhausted: bool) -> None:
        """Return if it is to be tried again."""
        kind = _class_of(error)
        if kind is ErrorClass.FATAL:
            raise error
        if kind is ErrorClass.END_OF_WAFER:
            raise StopWafer(f"the prober says that the wafer ends here ({what}: {error})") from error
        if kind is ErrorClass.RETRY and not is_exhausted and self._is_known():
            return
        self._ask_person(what, error, die)

    def _ask_person(self, what: str, error: InstrumentError, die: DieId | None) -> None:
        while True:
            answer = self._ask(Question(what, str(error), die))
            self._note(f"{what}: a person says '{answer.value}'", "operator")
            if answer is Answer.SKIP and die is not None:
                raise SkipDie(f"left out by a person after: {error}") from error
            if answer is not Answer.RETRY:
                raise StopWafer(f"stopped after: {error}") from error
            if self._is_known():
                return

    def _is_known(self) -> bool:
        """Have the prober listen again, and read where it is: nothing else moves before."""
        try:
            self.prober.recover()
            self._note(f"stands on {self.prober.position()}, {_height(self.prober)}", "prober: read back")
        except InstrumentError as error:
            if _class_of(error) is ErrorClass.FATAL:
                raise
            self._note(f"does not say where it is: {error}", "prober: read back")
            return False
        return True


def _height(prober: Prober) -> str:
    return "separated" if prober.is_separated() else "in contact" if prober.is_in_contact() else "between"


def _class_of(error: InstrumentError) -> ErrorClass:
    """What does not answer may answer the second time."""
    return error.error_class if isinstance(error, ProberError) else ErrorClass.RETRY
