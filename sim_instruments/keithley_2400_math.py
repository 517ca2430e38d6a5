"""CALC1 of a 2400: the catalogue of math expressions and what they make of readings (user's manual, section 18)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .keithley_2400_errors import refused
from .keithley_2400_expressions import Expression, parse
from .keithley_2400_readings import NOT_A_NUMBER, SmuReading
from .scpi_errors import ScpiError

MOST_USER_EXPRESSIONS = 5
LONGEST_NAME = 10
_BUILT_IN = {
    name: parse(text)
    for name, text in (
        ("POWER", "(VOLT * CURR)"),
        ("OFFCOMPOHM", "((VOLT[1] - VOLT[0]) / (CURR[1] - CURR[0]))"),
        ("VOLTCOEF", "((RES[1] - RES[0]) / (RES[1] * (VOLT[1] - VOLT[0])) * 100)"),
        ("VARALPHA", "(LOG(CURR[1] / CURR[0]) / LOG(VOLT[1] / VOLT[0]))"),
    )
}
_FRONT_PANEL_ONLY = "%DEV"


@dataclass(frozen=True)
class Result:
    """One result of CALC1 or CALC2, with the time stamp and status of the last reading that it took."""

    value: float
    seconds: float
    status: int

    def elements(self, names: Sequence[str]) -> list[float]:
        """Values of the selected elements, in the instrument's fixed order."""
        every = (("CALC", self.value), ("TIME", self.seconds), ("STAT", float(self.status)))
        return [value for name, value in every if name in names]


class Catalogue:
    """Names of expressions; *RST leaves those that the user defined."""

    def __init__(self) -> None:
        self._user: dict[str, Expression | None] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, the built-in ones first."""
        return (*_BUILT_IN, _FRONT_PANEL_ONLY, *self._user)

    def select(self, name: str) -> str:
        """The name to select; one that is new is created and waits for its definition.

        Raises ScpiError +804 if there are too many, +805 if another one still waits.
        """
        known = name.upper()
        if known in _BUILT_IN or known in self._user:
            return known
        if known == _FRONT_PANEL_ONLY or not 1 <= len(name) <= LONGEST_NAME:
            raise ScpiError(-224)
        if None in self._user.values():
            raise refused(805)
        if len(self._user) >= MOST_USER_EXPRESSIONS:
            raise refused(804)
        self._user[known] = None
        return known

    def define(self, name: str, expression: Expression) -> None:
        """Give the selected name its meaning; raises ScpiError +807 if the user has not created that name."""
        if name not in self._user:
            raise refused(807)
        self._user[name] = expression

    def delete(self, name: str) -> None:
        """Forget a user's expression; raises ScpiError +806 or +808."""
        known = name.upper()
        if known in _BUILT_IN or known == _FRONT_PANEL_ONLY:
            raise refused(808)
        if known not in self._user:
            raise refused(806)
        del self._user[known]

    def delete_all(self) -> None:
        """Forget all of the user's expressions."""
        self._user.clear()

    def expression(self, name: str) -> Expression | None:
        """What a name means; None if it is gone or not defined yet."""
        return _BUILT_IN.get(name) or self._user.get(name)


def results(expression: Expression, readings: Sequence[SmuReading]) -> list[Result]:
    """One result for each whole array of readings, and NOT_A_NUMBER for an array that has remained incomplete."""
    made = []
    for begin in range(0, len(readings), expression.size):
        array = readings[begin : begin + expression.size]
        value = expression.result(array) if len(array) == expression.size else NOT_A_NUMBER
        made.append(Result(value, array[-1].seconds, array[-1].status))
    return made
