"""Limits per device and polarity: what is refused, and how the refusal reads."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits

LIMITS = DeviceLimits(read_volts=0.15, write_volts_positive=0.9, write_volts_negative=0.7, pulse_seconds=0.05)


@given(st.floats(-3, 3))
@settings(derandomize=True, database=None, deadline=None, max_examples=100)
def test_a_reading_is_allowed_up_to_the_limit_in_both_polarities(volts: float) -> None:
    if abs(volts) <= 0.15:
        LIMITS.check_read(volts)
    elif abs(volts) > 0.1500001:
        with pytest.raises(LimitError):
            LIMITS.check_read(volts)


@given(st.floats(-2, 2), st.floats(1e-6, 0.1))
@settings(derandomize=True, database=None, deadline=None, max_examples=200)
def test_a_pulse_is_allowed_up_to_the_limit_of_its_polarity_and_length(volts: float, seconds: float) -> None:
    is_allowed = -0.7 <= volts <= 0.9 and seconds <= 0.05
    is_refused = volts < -0.7000001 or volts > 0.9000001 or seconds > 0.0500001
    if is_allowed:
        LIMITS.check_pulse(volts, seconds)
    elif is_refused:
        with pytest.raises(LimitError):
            LIMITS.check_pulse(volts, seconds)


def test_rounding_at_the_limit_is_forgiven() -> None:
    LIMITS.check_read(0.1 + 0.05)
    LIMITS.check_pulse(0.3 + 0.6, 0.05 * (1 + 1e-12))


@pytest.mark.parametrize(
    ("volts", "seconds", "key", "limit"),
    [
        (1.0, 0.01, "write_volts_positive", "+0.9 V"),
        (-0.8, 0.01, "write_volts_negative", "-0.7 V"),
        (0.5, 0.1, "pulse_seconds", "0.05 s"),
    ],
)
def test_a_refusal_names_the_value_the_limit_and_the_key(volts: float, seconds: float, key: str, limit: str) -> None:
    with pytest.raises(LimitError) as caught:
        LIMITS.check_pulse(volts, seconds)
    assert caught.value.where == f"device.limits.{key}"
    assert limit in caught.value.what
    assert caught.value.remedy
    assert isinstance(caught.value, InputError)


def test_a_refused_reading_names_its_key() -> None:
    with pytest.raises(LimitError, match=r"reading at 0\.2 V.*read limit of 0\.15 V") as caught:
        LIMITS.check_read(0.2)
    assert caught.value.where == "device.limits.read_volts"


@pytest.mark.parametrize("field", list(DeviceLimits.model_fields))
@pytest.mark.parametrize("value", [0, -1])
def test_a_limit_is_positive(field: str, value: float) -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        DeviceLimits(**{field: value})


def test_limits_are_fixed_once_made() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        LIMITS.read_volts = 5.0  # type: ignore[misc]


@pytest.mark.parametrize(("volts", "seconds"), [(float("nan"), 0.01), (0.5, float("nan"))])
def test_a_pulse_that_is_not_a_number_is_refused(volts: float, seconds: float) -> None:
    with pytest.raises(LimitError):
        LIMITS.check_pulse(volts, seconds)


def test_negative_pulses_can_have_a_width_of_their_own() -> None:
    limits = DeviceLimits(pulse_seconds=0.05, pulse_seconds_negative=0.01)
    limits.check_pulse(0.5, 0.05)
    limits.check_pulse(-0.5, 0.01)
    with pytest.raises(LimitError, match=r"0\.01 s") as caught:
        limits.check_pulse(-0.5, 0.02)
    assert caught.value.where == "device.limits.pulse_seconds_negative"


def test_the_compliance_is_the_smaller_current_since_it_works_both_ways() -> None:
    assert DeviceLimits(amps=5e-3).compliance_amps == 5e-3
    assert DeviceLimits(amps=5e-3, amps_negative=2e-3).compliance_amps == 2e-3
    assert DeviceLimits(amps=1e-3, amps_negative=2e-3).compliance_amps == 1e-3


def test_how_many_pulses_of_a_polarity() -> None:
    limits = DeviceLimits(pulses_per_cell=10, pulses_per_cell_negative=3)
    assert (limits.most_pulses(0.5), limits.most_pulses(-0.5)) == (10, 3)
    assert DeviceLimits(pulses_per_cell=10).most_pulses(-0.5) == 10
    assert DeviceLimits(pulses_per_cell=2, pulses_per_cell_negative=3).most_pulses(-0.5) == 2


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0.01, 1))
@settings(derandomize=True, database=None, deadline=None, max_examples=100)
def test_a_ramp_goes_there_in_steps_no_larger_than_its_limit(before: float, after: float, step: float) -> None:
    through = DeviceLimits(ramp_volts=step).ramp(before, after)
    assert (through[-1] if through else before) == after
    pairs = list(pairwise([before, *through]))
    assert all(abs(b - a) <= step * (1 + 1e-6) for a, b in pairs)
    assert all((b > a) == (after > before) for a, b in pairs)
    assert len(through) <= abs(after - before) / step + 1


def test_without_a_ramp_a_level_is_reached_at_once() -> None:
    assert DeviceLimits().ramp(0.0, 0.9) == [0.9]
    assert DeviceLimits().ramp(0.9, 0.9) == []
    assert DeviceLimits(ramp_volts=0.1).ramp(float("nan"), 0.0) == [0.0]
