"""Quantities as people write them become SI numbers; what is none is refused with the remedy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from mtjlab.recipe_units import UNITS, quantity_in, quantity_text


@pytest.mark.parametrize(
    ("unit", "written", "value"),
    [
        ("V", "0.35 V", 0.35),
        ("V", "350 mV", 0.35),
        ("V", "350mV", 0.35),
        ("V", "-2.5e2 mV", -0.25),
        ("s", "200 ns", 2e-7),
        ("s", "5 us", 5e-6),
        ("s", "5 µs", 5e-6),
        ("s", "2 min", 120.0),
        ("ohm", "1 kohm", 1e3),
        ("ohm", "1 kΩ", 1e3),
        ("A", ".5 mA", 5e-4),
        ("S", "50 uS", 5e-5),
        ("K", "25 degC", 298.15),
        ("K", "25 °C", 298.15),
        ("%", "5 %", 0.05),
        ("%", 0.05, 0.05),
        ("", 7, 7.0),
    ],
)
def test_a_quantity_is_read(unit: str, written: str | float, value: float) -> None:
    assert quantity_in(unit, written) == value


@pytest.mark.parametrize(
    ("unit", "written", "remedy"),
    [
        ("V", 0.35, "Add its unit"),
        ("V", "0.35", "Add its unit"),
        ("V", "0.35 v", "Did you mean '0.35 V'"),
        ("V", "0.35 s", "a voltage in V, mV, uV"),
        ("V", "0.35 quux", "a voltage in V, mV, uV"),
        ("ohm", "1 kOhmm", "ohm"),
        ("V", "1 V + 1 V", "Write '0.1 V'"),
        ("V", "9**9**9 V", "Write '0.1 V'"),
        ("V", "0.3,5 V", "Write '0.1 V'"),
        ("V", "", "Write '0.1 V'"),
        ("V", "1" * 60 + " V", "Write '0.1 V'"),
        ("V", True, "Write '0.1 V'"),
        ("V", None, "Write '0.1 V'"),
        ("V", ["1 V"], "Write '0.1 V'"),
        ("V", "5 %", "a voltage in V"),
        ("%", "5 V", "a share in %"),
        ("", "5 V", "Write 5"),
    ],
)
def test_what_is_none_is_refused_with_the_remedy(unit: str, written: object, remedy: str) -> None:
    with pytest.raises(PydanticCustomError) as refused:
        quantity_in(unit, written)
    assert remedy in (refused.value.context or {})["remedy"]


def test_every_unit_that_is_offered_is_understood() -> None:
    for unit, offered in UNITS.items():
        for written in offered:
            assert quantity_in(unit, f"1 {written}") > 0


@given(st.floats(-1e4, 1e4).filter(lambda v: abs(v) > 1e-8))
def test_what_is_shown_reads_as_the_same_number(value: float) -> None:
    assert quantity_in("V", quantity_text(value, "V")) == pytest.approx(value, rel=1e-3)


@given(st.text(max_size=30))
def test_any_text_is_a_quantity_or_refused(text: str) -> None:
    try:
        assert isinstance(quantity_in("V", text), float)
    except PydanticCustomError as refused:
        assert (refused.context or {})["remedy"]
