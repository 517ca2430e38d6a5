"""SCPI parameters: numbers with units, MIN/MAX/DEF, switches, choices, strings, lists, blocks, channel lists.

Grammar of IEEE 488.2 section 7.7 and SCPI-99 volume 1 chapter 7. A parameter is described once and parses the text of
one argument; what does not fit raises ScpiError with the standard's code.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from .scpi_errors import ScpiError

Limit = float | Callable[[Any], float]
_NUMBER = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[ \t]*[eE][ \t]*[+-]?[0-9]+)?)[ \t]*([A-Za-z/%]*)\Z")
_NON_DECIMAL = re.compile(r"#(?:[hH]([0-9A-Fa-f]+)|[qQ]([0-7]+)|[bB]([01]+))\Z")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*\Z")
_CHANNEL_PART = re.compile(r"\s*[0-9]{1,9}\s*\Z")
_TWO_TOKENS = re.compile(r"[-+.0-9A-Za-z/%]+[ \t]+[-+.0-9A-Za-z#\"'(]")
_MOST_DIGITS, _LARGEST_EXPONENT = 255, 32_000
"""Of a decimal number (IEEE 488.2, 7.7.2.4.1)."""
_MULTIPLIERS = {
    "EX": 1e18, "PE": 1e15, "T": 1e12, "G": 1e9, "MA": 1e6, "K": 1e3,
    "M": 1e-3, "U": 1e-6, "N": 1e-9, "P": 1e-12, "F": 1e-15, "A": 1e-18, "": 1.0,
}  # fmt: skip
_MEGA_UNITS = {"OHM", "HZ"}


def spellings(name: str) -> tuple[str, ...]:
    """Accepted upper-case spellings of a mnemonic such as `VOLTage`: its capitals, and the whole word."""
    short = "".join(sign for sign in name if not sign.islower())
    return (short,) if short == name.upper() else (short, name.upper())


def short_form(name: str) -> str:
    """The short form, which queries answer with."""
    return spellings(name)[0]


def parse_number(token: str, unit: str = "") -> float:
    """A decimal number with optional multiplier and unit, or `#H`, `#Q`, `#B`; raises ScpiError.

    `M` means milli, but mega before OHM and HZ (SCPI-99 volume 1, 7.6.3).
    """
    match = _NUMBER.match(token)
    if match is not None:
        text, suffix = match.groups()
        if len(text) > 5:
            _check_size(text)
        value = float(text if " " not in text and "\t" not in text else "".join(text.split()))
        if suffix:
            value *= _multiplier(suffix.upper(), unit)
        if not math.isfinite(value):
            raise ScpiError(-222)
        return value
    match = _NON_DECIMAL.match(token)
    if match is not None:
        hexadecimal, octal, binary = match.groups()
        if len(token) > _MOST_DIGITS:
            raise ScpiError(-124)
        return float(int(hexadecimal or octal or binary, 16 if hexadecimal else 8 if octal else 2))
    raise _not_a_number(token)


def _check_size(text: str) -> None:
    mantissa, _, exponent = text.upper().partition("E")
    if len(mantissa.lstrip("+-0").replace(".", "").strip()) > _MOST_DIGITS:
        raise ScpiError(-124)
    if len(exponent.lstrip("+- \t0")) > 5 or (exponent and abs(int(exponent)) > _LARGEST_EXPONENT):
        raise ScpiError(-123)


def _not_a_number(token: str) -> ScpiError:
    first = token[:1]
    if first == "#" and token[1:2].upper() in ("H", "Q", "B"):
        return ScpiError(-121)
    if first in "\"'#(" and first:
        return misplaced(token)
    if _WORD.match(token):
        return ScpiError(-104)
    if not (first.isdecimal() or first in "+-."):
        return ScpiError(-104)
    return ScpiError(-103 if _TWO_TOKENS.match(token) else -121)


def misplaced(token: str) -> ScpiError:
    """The error of an argument of a kind that the command does not take."""
    first = token[:1]
    if first and first in "\"'":
        return ScpiError(-158)
    if first == "#" and token[1:2].isdecimal():
        return ScpiError(-168)
    if first == "(":
        return ScpiError(-178)
    if first.isdecimal() or (first and first in "+-.#"):
        return ScpiError(-128)
    return ScpiError(-148 if _WORD.match(token) else -104)


def _multiplier(suffix: str, unit: str) -> float:
    if not unit:
        raise ScpiError(-138)
    if not suffix.endswith(unit):
        raise ScpiError(-131)
    prefix = suffix[: -len(unit)]
    if prefix == "M" and unit in _MEGA_UNITS:
        return 1e6
    if prefix not in _MULTIPLIERS:
        raise ScpiError(-131)
    return _MULTIPLIERS[prefix]


class Parameter(ABC):
    """One parameter of a command.

    Attributes:
        is_optional: whether it may be left out; the handler then gets None.
        takes_rest: whether it takes all remaining arguments as one list.
    """

    is_optional = False
    takes_rest = False

    @abstractmethod
    def parse(self, token: str, instrument: Any) -> Any:
        """Value of one argument; raises ScpiError."""

    def parse_all(self, tokens: Sequence[str], instrument: Any) -> Any:
        """Value of all remaining arguments, for parameters that take them."""
        return [self.parse(token, instrument) for token in tokens]


class Number(Parameter):
    """A number with a unit, limits and a default.

    Args:
        unit: upper case, for example "V"; empty if the command takes no unit.
        minimum, maximum, default: also what MIN, MAX and DEF mean; each a number or a function of the instrument.
        ups, is_integer: values that UP and DOWN step through, in ascending order; whether to round.
        is_optional: whether it may be left out.
        clips: values beyond the limits are brought to the nearest one instead of refused.
    """

    def __init__(
        self,
        unit: str = "",
        minimum: Limit = -math.inf,
        maximum: Limit = math.inf,
        default: Limit = 0.0,
        *,
        is_integer: bool = False,
        is_optional: bool = False,
    ) -> None:
        self.unit = unit
        self._limits = {"MIN": minimum, "MAX": maximum, "DEF": default}
        self._words = {s: word[:3].upper() for word in ("MINimum", "MAXimum", "DEFault") for s in spellings(word)}
        self.is_integer = is_integer
        self.is_optional = is_optional

    def special(self, word: str, instrument: Any) -> float:
        """What MIN, MAX or DEF (any spelling) stands for; raises ScpiError for another word."""
        key = self._words.get(word.upper())
        if key is None:
            raise ScpiError(-104)
        limit = self._limits[key]
        return limit(instrument) if callable(limit) else limit

    def parse(self, token: str, instrument: Any) -> float:
        """A number within the limits, or MIN, MAX, DEF."""
        if token[:1].isalpha():
            return self.special(token, instrument)
        value = parse_number(token, self.unit)
        if self.is_integer:
            value = float(round(value))
        low, high = self._limits["MIN"], self._limits["MAX"]
        low = low(instrument) if callable(low) else low
        high = high(instrument) if callable(high) else high
        if not low <= value <= high:
            raise ScpiError(-222)
        return value


class SteppedNumber(Number):
    """A number that UP and DOWN move to the next of its steps, such as a range.

    Args:
        steps: the values in ascending order.
        present: the present value, as a function of the instrument.
        lowest: what MIN means where that is not the smallest number taken.
    """

    def __init__(
        self,
        steps: Sequence[float],
        present: Callable[[Any], float],
        *args: Any,
        lowest: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._steps = tuple(steps)
        self._present = present
        self._lowest = lowest

    def special(self, word: str, instrument: Any) -> float:
        """What MIN, MAX or DEF stands for."""
        if self._lowest is not None and self._words.get(word.upper()) == "MIN":
            return self._lowest
        return super().special(word, instrument)

    def parse(self, token: str, instrument: Any) -> float:
        """A number, MIN, MAX, DEF, UP or DOWN."""
        word = token.upper()
        if word not in ("UP", "DOWN"):
            return super().parse(token, instrument)
        present = self._present(instrument)
        if word == "UP":
            return next((step for step in self._steps if step > present * 1.01), self._steps[-1])
        return next((step for step in reversed(self._steps) if step < present * 0.99), self._steps[0])


class Extreme(Parameter):
    """MIN, MAX or DEF in a query; parses to what that stands for in the number that the command sets."""

    is_optional = True

    def __init__(self, number: Number) -> None:
        self._number = number

    def parse(self, token: str, instrument: Any) -> float:
        """The value that the word stands for."""
        return self._number.special(token, instrument)


class Switch(Parameter):
    """ON, OFF, 1, 0; any other number counts as its rounding does (SCPI-99 volume 1, 7.3)."""

    def parse(self, token: str, instrument: Any) -> bool:
        """Whether it is on."""
        word = token.upper()
        if word in ("1", "ON"):
            return True
        if word in ("0", "OFF"):
            return False
        return round(parse_number(token)) != 0


class Choice(Parameter):
    """One of several words, given as `NORMal`; parses to the short form in upper case."""

    def __init__(self, *names: str, is_optional: bool = False) -> None:
        self._short = {spelling: short_form(name) for name in names for spelling in spellings(name)}
        self.is_optional = is_optional

    def parse(self, token: str, instrument: Any) -> str:
        """Short form of the word."""
        found = self._short.get(token.upper())
        if found is None:
            raise self._refusal(token)
        return found

    @staticmethod
    def _refusal(token: str) -> ScpiError:
        if _WORD.match(token):
            return ScpiError(-224)
        error = misplaced(token)
        return ScpiError(-141) if error.code == -104 else error


class Choices(Choice):
    """One or more words; parses to a list of short forms."""

    takes_rest = True


class Text(Parameter):
    """A string in single or double quotes, the quote itself doubled."""

    def parse(self, token: str, instrument: Any) -> str:
        """The string's content."""
        quote = token[:1]
        if quote not in ("'", '"'):
            raise misplaced(token)
        content = token[1:-1]
        if len(token) < 2 or token[-1] != quote or quote in content.replace(quote * 2, ""):
            raise ScpiError(-151)
        return content.replace(quote * 2, quote)


class Texts(Text):
    """One or more strings; parses to a list."""

    takes_rest = True


class Numbers(Number):
    """One or more numbers; parses to a list."""

    takes_rest = True

    def __init__(self, *args: Any, at_most: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._at_most = at_most

    def parse_all(self, tokens: Sequence[str], instrument: Any) -> list[float]:
        """The numbers; raises ScpiError -223 if there are too many."""
        if len(tokens) > self._at_most:
            raise ScpiError(-223)
        return [self.parse(token, instrument) for token in tokens]


class Block(Parameter):
    """Arbitrary block data, `#<digits><length><bytes>` or `#0<bytes to the end>`; parses to bytes."""

    def parse(self, token: str, instrument: Any) -> bytes:
        """The block's content."""
        if token[:1] != "#" or not token[1:2].isdecimal():
            raise ScpiError(-104)
        digits = int(token[1])
        if digits == 0:
            return token[2:].encode("latin-1")
        length = token[2 : 2 + digits]
        if not length.isdecimal() or len(token) != 2 + digits + int(length):
            raise ScpiError(-161)
        return token[2 + digits :].encode("latin-1")


class ChannelList(Parameter):
    """`(@1,3:5,1!2!3)`; parses to a list of (first, last) pairs of tuples, a single channel being its own last."""

    def parse(self, token: str, instrument: Any) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """The entries in the order given."""
        if not (token.startswith("(@") and token.endswith(")")):
            raise ScpiError(-171)
        entries = [entry.strip() for entry in token[2:-1].split(",")]
        return [self._entry(entry) for entry in entries if entry or len(entries) > 1]

    @staticmethod
    def _entry(entry: str) -> tuple[tuple[int, ...], tuple[int, ...]]:
        ends = [part.strip() for part in entry.split(":")]
        numbers = [end.split("!") for end in ends]
        if len(ends) > 2 or not all(_CHANNEL_PART.match(part) for parts in numbers for part in parts):
            raise ScpiError(-171)
        channels = [tuple(int(part) for part in parts) for parts in numbers]
        return channels[0], channels[-1]
