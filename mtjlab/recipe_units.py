"""Quantities as people write them (`0.35 V`, `200 ns`, `1 kohm`), brought to SI numbers where files are read.

Beyond this module everything is a plain float in SI units. A quantity is one number and one unit, never an expression.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

if TYPE_CHECKING:
    from pint import UnitRegistry

_NUMBER = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_QUANTITY = re.compile(rf"\s*({_NUMBER})\s*([A-Za-zµμΩ°%]*)\s*")
_MOST_CHARACTERS = 40
_DIGITS = 12
"""Significant digits that are kept, so that 350 mV and 0.35 V are the same number."""

UNITS = {
    "V": ("V", "mV", "uV"),
    "A": ("A", "mA", "uA", "nA"),
    "s": ("s", "ms", "us", "ns", "min", "h"),
    "ohm": ("ohm", "kohm", "Mohm", "mohm"),
    "S": ("S", "mS", "uS", "nS"),
    "T": ("T", "mT"),
    "K": ("K", "degC"),
    "m": ("m", "mm", "um", "nm"),
    "J": ("J", "mJ", "uJ", "nJ"),
    "%": ("%",),
}
"""SI unit -> what is offered to somebody who wrote another one. Other prefixes are understood as well."""
_NAMES = {
    "V": "a voltage",
    "A": "a current",
    "s": "a time",
    "ohm": "a resistance",
    "S": "a conductance",
    "T": "a magnetic field",
    "K": "a temperature",
    "m": "a length",
    "J": "an energy",
    "%": "a share",
}


def quantity_in(unit: str, value: Any) -> float:
    """A quantity as written, in this SI unit ("" for a plain number; "%" gives 0.05 for `5 %`, and takes 0.05).

    Raises PydanticCustomError, whose context holds the remedy, if it is not one of that kind.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if unit in ("", "%"):
            return float(value)
        raise _refused(f"{value} has no unit", f"Add its unit, one of {_offered(unit)}")
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) and len(value) <= _MOST_CHARACTERS else None
    if found is None:
        shown = f"'{value}'" if isinstance(value, str) else "this"
        raise _refused(
            f"{shown[:_MOST_CHARACTERS]} is no quantity",
            f"Write {_example(unit)}, with a point",
        )
    number, written = float(found[1]), found[2]
    if not written:
        return quantity_in(unit, number)
    return _converted(number, written, unit)


def quantity_text(value: float, unit: str) -> str:
    """A number in SI units as a person would write it: 0.0021 V is "2.1 mV"."""
    if unit == "%":
        return f"{100 * value:.4g} %"
    scales = {"": 1.0, "m": 1e-3, "u": 1e-6, "n": 1e-9, "k": 1e3, "M": 1e6}
    if not unit or not value or value != value or abs(value) == float("inf"):
        return f"{value:.4g} {unit}".strip()
    fits = [(prefix, scale) for prefix, scale in scales.items() if 1 <= abs(value) / scale < 1000]
    prefix, scale = fits[0] if fits else ("", 1.0)
    return f"{value / scale:.4g} {prefix}{unit}"


def _converted(number: float, written: str, unit: str) -> float:
    if "%" in (written, unit):
        if written != unit:
            raise _wrong_kind(number, written, unit)
        return round_to_digits(number / 100)
    if not unit:
        raise _refused(f"'{number:g} {written}' should be a plain number", f"Write {number:g}")
    registry = _registry()
    try:
        found = registry.Quantity(number, _spelt(written)).to(unit)
    except (AttributeError, ValueError, TypeError) as error:  # pint: units that do not exist, or of another kind
        raise _wrong_kind(number, written, unit) from error
    return round_to_digits(float(found.magnitude))


def round_to_digits(value: float) -> float:
    """Without what binary fractions add: 350 / 1000 and 0.35 become the same number."""
    return float(f"{value:.{_DIGITS}g}")


def _spelt(unit: str) -> str:
    return unit.replace("°C", "degC").replace("μ", "µ")


@cache
def _registry() -> UnitRegistry[Any]:
    from pint import UnitRegistry  # takes a third of a second, and only files with units need it

    return UnitRegistry()


def _wrong_kind(number: float, written: str, unit: str) -> PydanticCustomError:
    guess = difflib.get_close_matches(written, UNITS.get(unit, ()), n=1, cutoff=0.5) or [
        known for known in UNITS.get(unit, ()) if known.casefold() == written.casefold()
    ]
    if guess:
        remedy = f"Did you mean '{number:g} {guess[0]}'? Units are {_offered(unit)}"
    else:
        remedy = f"Write {_NAMES.get(unit, 'a number')} in {_offered(unit)}, for example {_example(unit)}"
    return _refused(f"'{number:g} {written}' is not {_NAMES.get(unit, 'a plain number')}", remedy)


def _refused(what: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError("quantity", "{what}", {"what": what, "remedy": remedy})


def _offered(unit: str) -> str:
    return ", ".join(UNITS.get(unit, ())) or "no unit at all"


def _example(unit: str) -> str:
    return {"V": "'0.1 V'", "s": "'5 ms'", "A": "'10 mA'", "%": "'5 %'", "": "a number"}.get(unit, f"'1 {unit}'")


def _reads(unit: str) -> Callable[[Any], float]:
    return lambda value: quantity_in(unit, value)


def _schema(unit: str) -> dict[str, Any]:
    """For editors: what a quantity looks like."""
    example = _example(unit).strip("'")
    if unit == "%":
        return {"type": ["string", "number"], "examples": [example], "description": f"for example {example}"}
    pattern = rf"^\s*{_NUMBER}\s*[A-Za-zµμΩ°]+\s*$"
    return {"type": "string", "pattern": pattern, "examples": [example], "description": f"in {_offered(unit)}"}


Volts = Annotated[float, BeforeValidator(_reads("V")), Field(allow_inf_nan=False), WithJsonSchema(_schema("V"))]
Amps = Annotated[float, BeforeValidator(_reads("A")), Field(allow_inf_nan=False), WithJsonSchema(_schema("A"))]
Seconds = Annotated[float, BeforeValidator(_reads("s")), Field(allow_inf_nan=False), WithJsonSchema(_schema("s"))]
Ohms = Annotated[float, BeforeValidator(_reads("ohm")), Field(allow_inf_nan=False), WithJsonSchema(_schema("ohm"))]
Siemens = Annotated[float, BeforeValidator(_reads("S")), Field(allow_inf_nan=False), WithJsonSchema(_schema("S"))]
Metres = Annotated[float, BeforeValidator(_reads("m")), Field(allow_inf_nan=False), WithJsonSchema(_schema("m"))]
Kelvin = Annotated[float, BeforeValidator(_reads("K")), Field(allow_inf_nan=False), WithJsonSchema(_schema("K"))]
Joules = Annotated[float, BeforeValidator(_reads("J")), Field(allow_inf_nan=False), WithJsonSchema(_schema("J"))]
Share = Annotated[float, BeforeValidator(_reads("%")), Field(allow_inf_nan=False), WithJsonSchema(_schema("%"))]
