"""Math expressions of a B2900A: their grammar, the predefined ones, and those that a program defines.

SCPI Command Reference, :CALCulate:MATH[:EXPRession]. `(VOLT*CURR2)` is worked out for every reading; an expression with
an index, `(VOLT[1]-VOLT[0])`, once from the readings of an initiation.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from .keysight_b2900_errors import refusal

Look = Callable[[str, int, int | None], float]
"""What a variable stands for now: name, channel (0: the expression's own), index of a reading, None for the latest."""
_Worked = Callable[[Look], float]
_TOKEN = re.compile(
    r"\s*(?:(?P<handle>(?:VOLT|CURR|RES|TIME|SOUR)\w*)|(?P<function>LN|LOG|SIN|COS|TAN|EXP)\b"
    r"|(?P<number>0[xX][0-9A-Fa-f]+|0[bB][01]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<sign>[-+*/^()\[\]]))",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(VOLT|CURR|RES|TIME|SOUR)(\d*)\Z", re.IGNORECASE)
_MOST_DEFINED = 32
_LONGEST = 256
_DEEPEST = 40
"""Parentheses that an expression may have (assumed)."""
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}\Z")
_ALL_ONES = 4294967295


class Formula(NamedTuple):
    """An expression ready to be worked out."""

    text: str
    value: _Worked
    is_vector: bool


def formula(text: str, own_channel: bool = False) -> Formula:
    """Read an expression; raises ScpiError 803 to 820.

    Args:
        text: with its parentheses.
        own_channel: whether a name without number means the channel that the expression is used on, not channel 1.
    """
    if text.count("(") != text.count(")"):
        raise refusal(803)
    if text.count("[") != text.count("]"):
        raise refusal(805)
    if text.count("(") > _DEEPEST:
        raise refusal(806)
    reader = _Reader(text, 0 if own_channel else 1)
    return Formula(text, reader.whole(), reader.is_vector)


class _Reader:
    """Recursive descent; unary signs bind closer than `^`, as the manual's table of priorities has it."""

    def __init__(self, text: str, channel: int) -> None:
        self._tokens = list(_tokens(text))
        self._position = 0
        self._channel = channel
        self.is_vector = False

    def whole(self) -> _Worked:
        if not self._tokens:
            raise refusal(818)
        value = self._sum()
        if self._position < len(self._tokens):
            raise refusal(806)
        return value

    def _peek(self) -> str:
        return self._tokens[self._position][1] if self._position < len(self._tokens) else ""

    def _take(self) -> tuple[str, str]:
        if self._position >= len(self._tokens):
            raise refusal(807)
        self._position += 1
        return self._tokens[self._position - 1]

    def _sum(self) -> _Worked:
        value = self._product()
        while self._peek() in ("+", "-"):
            value = _joined(self._take()[1], value, self._product())
        return value

    def _product(self) -> _Worked:
        value = self._power()
        while self._peek() in ("*", "/"):
            value = _joined(self._take()[1], value, self._power())
        return value

    def _power(self) -> _Worked:
        value = self._signed()
        while self._peek() == "^":
            self._take()
            value = _joined("^", value, self._signed())
        return value

    def _signed(self) -> _Worked:
        if self._peek() in ("+", "-"):
            factor = -1.0 if self._take()[1] == "-" else 1.0
            inner = self._signed()
            return lambda look: factor * inner(look)
        return self._atom()

    def _atom(self) -> _Worked:
        kind, text = self._take()
        if kind == "number":
            number = _number(text)
            return lambda look: number
        if kind == "function":
            return self._call(text.upper())
        if kind == "handle":
            return self._variable(text)
        if text != "(":
            raise refusal(807)
        return self._inside()

    def _inside(self) -> _Worked:
        if self._peek() == ")":
            raise refusal(819)
        value = self._sum()
        if self._take()[1] != ")":
            raise refusal(803)
        return value

    def _call(self, name: str) -> _Worked:
        if self._take()[1] != "(":
            raise refusal(807)
        inner = self._inside()
        function = _FUNCTIONS[name]
        return lambda look: function(inner(look))

    def _variable(self, text: str) -> _Worked:
        match = _HANDLE.match(text)
        if match is None:
            raise refusal(804)
        name, channel = match[1].upper(), int(match[2] or self._channel)
        if channel > 2 or (match[2] and channel == 0):
            raise refusal(817)
        index = self._index()
        return lambda look: look(name, channel, index)

    def _index(self) -> int | None:
        if self._peek() != "[":
            return None
        self._take()
        kind, text = self._take()
        if text == "]":
            raise refusal(820)
        if kind != "number" or not text.isdecimal() or self._take()[1] != "]":
            raise refusal(812)
        self.is_vector = True
        return int(text)


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    position, text = 0, text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None or match.end() == position:
            raise refusal(804 if text[position].isalpha() else 807)
        position = match.end()
        kind = match.lastgroup or ""
        yield kind, match[kind]


def _number(text: str) -> float:
    if text[:2].lower() in ("0x", "0b"):
        value = int(text, 16 if text[1] in "xX" else 2)
        return float(value) if value != _ALL_ONES else -1.0
    return float(text) if float(text) != _ALL_ONES else -1.0


def _logarithm(base: Callable[[float], float]) -> Callable[[float], float]:
    def of(value: float) -> float:
        if value == 0:
            raise refusal(814)
        return base(abs(value))

    return of


_FUNCTIONS: dict[str, Callable[[float], float]] = {
    "LN": _logarithm(math.log),
    "LOG": _logarithm(math.log10),
    "SIN": math.sin,
    "COS": math.cos,
    "TAN": math.tan,
    "EXP": math.exp,
}


def _joined(sign: str, left: _Worked, right: _Worked) -> _Worked:
    if sign == "+":
        return lambda look: left(look) + right(look)
    if sign == "-":
        return lambda look: left(look) - right(look)
    if sign == "*":
        return lambda look: left(look) * right(look)
    if sign == "/":
        return lambda look: _divided(left(look), right(look))
    return lambda look: _raised(left(look), right(look))


def _divided(value: float, by: float) -> float:
    if by == 0:
        raise refusal(813)
    return value / by


def _raised(value: float, by: float) -> float:
    try:
        result = value**by
    except (OverflowError, ZeroDivisionError):
        return math.inf
    return result if isinstance(result, float) else math.nan


_PREDEFINED = {
    "POWER": "(VOLT*CURR)",
    "OFFCOMPOHM": "((VOLT[1]-VOLT[0])/(CURR[1]-CURR[0]))",
    "VOLTCOEF": "((RES[1]-RES[0])/(RES[1]*(VOLT[1]-VOLT[0]))*100)",
    "VARALPHA": "(LOG(CURR[1]/CURR[0])/LOG(VOLT[1]/VOLT[0]))",
}


class Expressions:
    """The expressions an instrument knows by name; they outlast a reset."""

    def __init__(self) -> None:
        self._known = {name: formula(text, own_channel=True) for name, text in _PREDEFINED.items()}

    @property
    def names(self) -> list[str]:
        """Predefined ones first."""
        return list(self._known)

    def find(self, name: str) -> Formula | None:
        """The expression of this name."""
        return self._known.get(name)

    @staticmethod
    def check_name(name: str) -> None:
        """Raises ScpiError 824 for what cannot be a name."""
        if not _NAME.match(name):
            raise refusal(824)

    def define(self, name: str, text: str) -> None:
        """Give a name an expression; raises ScpiError 801 if there are too many, or as `formula` does."""
        if len(text) > _LONGEST:
            raise refusal(-223)
        if name in _PREDEFINED:
            raise refusal(802)
        if name not in self._known and len(self._known) >= _MOST_DEFINED:
            raise refusal(801)
        self._known[name] = formula(text)

    def delete(self, name: str) -> None:
        """Raises ScpiError 802 for a predefined one or one that is not there."""
        if name in _PREDEFINED or name not in self._known:
            raise refusal(802)
        del self._known[name]

    def delete_all(self) -> None:
        """All but the predefined ones."""
        self._known = {name: known for name, known in self._known.items() if name in _PREDEFINED}
