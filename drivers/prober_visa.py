"""What our drivers of probers on VISA share: time-outs per command, errors by class, heights told from micrometres."""

from __future__ import annotations

import re
from abc import abstractmethod
from typing import NoReturn

from mtjlab.prober import ErrorClass, Prober, ProberError
from mtjlab.wafer_map import MOST_DIES

from .checked_visa import CheckedVisa, number

HEIGHT_UM = 2.0
"""How exactly a chuck has to be at a height (assumption)."""
_OPERATOR_WORDS = re.compile(
    r"door|vacuum|interlock|align|pattern|lock|home|contact.*not set|initiali[sz]|cancel|user|operator|emergency|stop",
    re.IGNORECASE,
)
_RETRY_WORDS = re.compile(r"timed?.?out|busy|pending|communication", re.IGNORECASE)
_REMEDIES = {
    ErrorClass.RETRY: "Read where it stands, then try again",
    ErrorClass.OPERATOR: "See to it at the prober, then go on",
    ErrorClass.END_OF_WAFER: "",
    ErrorClass.FATAL: "Look at the prober before anything else moves",
}


class ProberVisa(CheckedVisa, Prober):
    """A prober's control program at a VISA address."""

    default_timeout = 5.0
    encoding = "utf-8"  # makers' own clients decode so: words of an error, and names, may have any letter

    @abstractmethod
    def command(self, name: str, *arguments: object, seconds: float | None = None) -> list[str]:
        """Have a command carried out; returns its answer, in parts.

        Args:
            seconds: how long it may take, if not as long as the driver knows of it.

        Raises:
            ProberError: the prober reports an error; its words and number are in it.
            InstrumentError: no answer in time, or none that can be understood. After a move nobody knows where it is.
        """

    def numbers(self, name: str, *arguments: object, least: int = 1) -> list[float]:
        """Have a command carried out whose answer is numbers, at least so many."""
        parts = self.command(name, *arguments)
        try:
            found = [float(part) for part in parts]
        except ValueError:
            found = []
        if len(found) < least:
            raise self._not_understood(name, " ".join(parts))
        return found

    def number_at(self, place: int, name: str, *arguments: object) -> float:
        """One number of an answer that has words as well."""
        parts = self.command(name, *arguments)
        found = number(parts[place]) if len(parts) > place else None
        if found is None:
            raise self._not_understood(name, " ".join(parts))
        return found

    def count(self, name: str, *arguments: object) -> int:
        """How many dies an answer says there are: at least one, and no more than a wafer can have."""
        found = self.wholes(name, *arguments)[0]
        if not 0 < found <= MOST_DIES:
            raise self._not_understood(name, str(found))
        return found

    def wholes(self, name: str, *arguments: object, least: int = 1) -> list[int]:
        """The same for whole numbers."""
        found = self.numbers(name, *arguments, least=least)
        if any(not value.is_integer() for value in found[:least]):
            raise self._not_understood(name, " ".join(map(str, found)))
        return [int(value) for value in found]

    def check_errors(self) -> None:
        """See Prober: vacuum and whatever else it tells; raises ProberError (operator)."""
        self._check_station()

    @abstractmethod
    def _check_station(self) -> None: ...

    @abstractmethod
    def _heights_um(self) -> tuple[float, float, float]:
        """Height of the chuck, of the first touch, and how far below that it separates."""

    def is_separated(self) -> bool:
        """See Prober: from the heights in micrometres, not from a word."""
        height, contact, gap = self._heights_um()
        return height <= contact - gap + HEIGHT_UM

    def is_in_contact(self) -> bool:
        """See Prober."""
        height, contact, _ = self._heights_um()
        return height >= contact - HEIGHT_UM

    def _raise(self, name: str, code: int, words: str, error_class: ErrorClass | None) -> NoReturn:
        found = error_class or class_of(words)
        raise ProberError(
            f"'{name}' failed: {words or 'no reason given'} (error {code})",
            error_class=found,
            code=code,
            where=self._where(),
            remedy=_REMEDIES[found],
        )

    def _needs_operator(self, what: str, remedy: str) -> ProberError:
        return ProberError(what, error_class=ErrorClass.OPERATOR, where=self._where(), remedy=remedy)


def class_of(words: str) -> ErrorClass:
    """What an error whose number nobody has documented asks for, from the prober's own words; fatal in doubt."""
    if _OPERATOR_WORDS.search(words):
        return ErrorClass.OPERATOR
    return ErrorClass.RETRY if _RETRY_WORDS.search(words) else ErrorClass.FATAL
