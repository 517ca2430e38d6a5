"""Math expressions of a 2400: text such as `((VOLT[1] - VOLT[0]) / (CURR[1] - CURR[0]))` made into a calculation.

User's manual, section 18, CALCulate[1]: names of readings, vector numbers in brackets, the operators and functions,
their precedence, and the errors +811 to +821.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .keithley_2400_errors import refused
from .keithley_2400_readings import NOT_A_NUMBER, OVERFLOW, SmuReading
from .scpi_parameters import spellings

Term = Callable[[Sequence[SmuReading]], float]
_LONGEST = 256
_DEEPEST = 40
"""Nested parentheses (assumed)."""
_LARGEST_INDEX = 2499
_TOKEN = re.compile(r"\s*(?:([0-9.][0-9.]*(?:[eE][+-]?[0-9]*)?)|([A-Za-z][A-Za-z]*)|(\S))")
_MANTISSA = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)\Z")
_READINGS = {
    spelling: attribute
    for name, attribute in (("VOLTage", "volts"), ("CURRent", "amps"), ("RESistance", "ohms"), ("TIME", "seconds"))
    for spelling in spellings(name)
}
_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "LOG": lambda x: math.log10(abs(x)) if x else -math.inf,
    "LN": lambda x: math.log(abs(x)) if x else -math.inf,
    "SIN": math.sin,
    "COS": math.cos,
    "TAN": math.tan,
    "EXP": math.exp,
}


@dataclass(frozen=True)
class Expression:
    """A calculation on readings.

    Attributes:
        text: as it was defined.
        size: readings that one result takes: one more than the largest vector number, 1 without vectors.
        term: the calculation itself; its readings are one array of `size`.
    """

    text: str
    size: int
    term: Term

    def result(self, readings: Sequence[SmuReading]) -> float:
        """The result; what cannot be calculated is NOT_A_NUMBER, what is too large OVERFLOW."""
        try:
            value = self.term(readings)
        except ValueError:  # such as a root of a negative number
            value = math.nan
        if math.isnan(value):
            return NOT_A_NUMBER
        return math.copysign(OVERFLOW, value) if abs(value) >= OVERFLOW else value


def parse(text: str) -> Expression:
    """The expression; raises ScpiError +811 to +821 if it is none."""
    if len(text) > _LONGEST:
        raise refused(816)
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [match.groups() for match in _TOKEN.finditer(text.strip())]
        self._next = 0
        self._size = 1
        self._depth = 0

    def whole(self) -> Expression:
        term = self._sum()
        if self._next < len(self._tokens):
            raise refused({")": 815, "]": 814}.get(self._sign(), 816))
        return Expression(" ".join(self._text.upper().split()), self._size, term)

    def _sign(self) -> str:
        return self._tokens[self._next][2] or "" if self._next < len(self._tokens) else ""

    def _takes(self, signs: str) -> str:
        sign = self._sign()
        if sign and sign in signs:
            self._next += 1
            return sign
        return ""

    def _sum(self) -> Term:
        term = self._product()
        while sign := self._takes("+-"):
            term = _added(term, self._product(), 1.0 if sign == "+" else -1.0)
        return term

    def _product(self) -> Term:
        term = self._power()
        while sign := self._takes("*/"):
            term = (_multiplied if sign == "*" else _divided)(term, self._power())
        return term

    def _power(self) -> Term:
        term = self._signed()
        while self._takes("^"):
            term = _raised(term, self._signed())
        return term

    def _signed(self) -> Term:
        factor = 1.0
        while sign := self._takes("+-"):
            factor = -factor if sign == "-" else factor
        term = self._operand()
        return term if factor > 0 else _negated(term)

    def _operand(self) -> Term:
        if self._takes("("):
            return self._parenthesis()
        if self._next >= len(self._tokens) or self._sign():
            raise refused(811)
        number, word, _ = self._tokens[self._next]
        self._next += 1
        if number is not None:
            return _constant(_number(number))
        name = str(word).upper()
        if name in _READINGS:
            return _handle(_READINGS[name], self._index())
        if name not in _FUNCTIONS:
            raise refused(817)
        return _applied(_FUNCTIONS[name], self._operand())

    def _parenthesis(self) -> Term:
        self._depth += 1
        if self._depth > _DEEPEST:
            raise refused(815)
        term = self._sum()
        if not self._takes(")"):
            raise refused(812 if self._next >= len(self._tokens) else 816)
        self._depth -= 1
        return term

    def _index(self) -> int:
        if not self._takes("["):
            return 0
        number = self._tokens[self._next][0] if self._next < len(self._tokens) else None
        if number is None or not number.isdecimal():
            raise refused(821)
        self._next += 1
        if not self._takes("]"):
            raise refused(814)
        if int(number) > _LARGEST_INDEX:
            raise refused(821)
        self._size = max(self._size, int(number) + 1)
        return int(number)


def _number(text: str) -> float:
    mantissa, mark, exponent = text.lower().partition("e")
    if not _MANTISSA.match(mantissa):
        raise refused(818)
    if mark and not exponent.lstrip("+-").isdecimal():
        raise refused(819)
    value = float(text)
    if not math.isfinite(value):
        raise refused(820)
    return value


def _handle(attribute: str, index: int) -> Term:
    def read(readings: Sequence[SmuReading]) -> float:
        value = float(getattr(readings[index], attribute))
        if abs(value) >= NOT_A_NUMBER:
            return math.nan
        return math.copysign(math.inf, value) if abs(value) >= OVERFLOW else value

    return read


def _constant(value: float) -> Term:
    return lambda readings: value


def _negated(term: Term) -> Term:
    return lambda readings: -term(readings)


def _added(left: Term, right: Term, factor: float) -> Term:
    return lambda readings: left(readings) + factor * right(readings)


def _multiplied(left: Term, right: Term) -> Term:
    return lambda readings: left(readings) * right(readings)


def _divided(left: Term, right: Term) -> Term:
    def divide(readings: Sequence[SmuReading]) -> float:
        numerator, denominator = left(readings), right(readings)
        if denominator == 0:
            return math.nan if numerator == 0 else math.copysign(math.inf, numerator)
        return numerator / denominator

    return divide


def _raised(left: Term, right: Term) -> Term:
    def power(readings: Sequence[SmuReading]) -> float:
        try:
            return math.pow(left(readings), right(readings))
        except OverflowError:
            return math.inf

    return power


def _applied(function: Callable[[float], float], term: Term) -> Term:
    def apply(readings: Sequence[SmuReading]) -> float:
        try:
            return function(term(readings))
        except OverflowError:
            return math.inf

    return apply
