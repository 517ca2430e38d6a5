"""Thresholds from a few cells, the amplitudes that follow from them, and ladders that stay within the limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Pulse, Site, State
from mtjlab.physics import mtj
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.write_search import Threshold, allowed, spread_out, threshold_of
from mtjlab.protocols.write_settings import WriteSettings
from mtjlab.protocols.write_verify import write_verify

SHAPE = (6, 6)


def test_a_staircase_brackets_each_threshold() -> None:
    found = threshold_of([0.4, 0.4, 0.4], 1.1)
    assert found is not None
    assert found.volts == pytest.approx(0.4 / 1.1**0.5)
    assert found.cells == 3
    assert threshold_of([], 1.1) is None


def test_the_spread_comes_from_the_cells_once_there_are_many_and_from_experience_before() -> None:
    rng = np.random.default_rng(0)
    for spread in (0.05, 0.2):
        many = threshold_of(list(0.4 * np.exp(spread * rng.standard_normal(400))), 1.02)
        assert many is not None
        assert many.spread == pytest.approx(spread, rel=0.1)
    one = threshold_of([-0.5], 1.02)
    assert one is not None
    assert one.spread == pytest.approx(0.1)
    assert one.volts == pytest.approx(0.5, rel=0.02)


@given(st.floats(0.1, 1.0), st.floats(0.03, 0.5))
@hypothesis_settings(derandomize=True, database=None, deadline=None, max_examples=60)
def test_the_first_amplitude_is_above_the_middle_but_half_of_it_stays_well_below(volts: float, spread: float) -> None:
    threshold = Threshold(volts, spread, 6)
    assert volts < threshold.first_volts <= np.sqrt(2) * volts * (1 + 1e-9)
    assert 0 < threshold.step_volts < volts


@pytest.mark.parametrize("positive", [0.5, 0.6, 0.9])
def test_ladders_end_at_the_limit_of_their_polarity(positive: float) -> None:
    limits = DeviceLimits(write_volts_positive=positive, write_volts_negative=0.7)
    settings = WriteSettings()
    for state, most in ((State.P, positive), (State.AP, 0.7)):
        pulses = allowed(settings.pulses(state), limits)
        sizes = [abs(pulse.volts) for pulse in pulses]
        assert max(sizes) <= most + 1e-9
        assert max(sizes) > min(most, settings.most_volts) - settings.step_volts - 1e-9
    assert allowed(settings.pulses(State.P), None) == tuple(settings.pulses(State.P))


def test_a_first_pulse_beyond_the_limit_is_refused() -> None:
    limits = DeviceLimits(write_volts_negative=0.5)
    with pytest.raises(LimitError, match=r"-0\.56 V"):
        allowed(WriteSettings().pulses(State.AP), limits)


def test_widths_grow_to_the_longest_pulse_of_their_polarity() -> None:
    settings = WriteSettings(grows="width", pulse_seconds=1e-3, most_seconds=0.01)
    assert settings.pulses(State.AP) == [Pulse(-0.56, 1e-3 * 2**k) for k in range(4)]
    limits = DeviceLimits(pulse_seconds=0.05, pulse_seconds_negative=4.5e-3)
    assert [pulse.seconds for pulse in allowed(settings.pulses(State.AP), limits)] == [1e-3, 2e-3, 4e-3]
    assert len(allowed(settings.pulses(State.P), limits)) == 4


def test_cells_are_taken_from_all_over() -> None:
    sites = [Site(i, 0) for i in range(12)]
    assert [site.row for site in spread_out(sites, 3)] == [2, 6, 10]
    assert spread_out(sites[:2], 3) == sites[:2]


@pytest.mark.parametrize("settings", [{"step_volts": 0.0}, {"set_volts": -0.4}, {"passes": -1}, {"search_ratio": 1.0}])
def test_senseless_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="above zero"):
        WriteSettings(**settings)


@pytest.mark.parametrize("factor", [0.7, 1.0, 1.4])
def test_amplitudes_are_found_for_a_device_that_nobody_knows(make_world: Any, factor: float) -> None:
    """Settings' own amplitudes would fail on these: too low, or so high that half of them disturbs."""
    die = {"set_volts_c0": 0.75 * factor, "reset_volts_c0": 0.95 * factor, "volts_c0_spread": 0.05}
    world, crossbar = make_world(4, DeviceLimits(write_volts_positive=1.2, write_volts_negative=1.2), **die)
    first = WriteSettings(set_volts=0.44 * factor, reset_volts=0.56 * factor, most_volts=1.1)
    _, known = survey(crossbar, settings=first)
    target = np.random.default_rng(4).integers(0, 2, SHAPE).astype(np.int8)
    target[::2] = 1 - target[::2]
    before = write_verify(crossbar, 1 - target, known, settings=first)
    result = write_verify(
        crossbar, target, before.written, settings=WriteSettings(searched_cells=4, most_volts=1.1, by_row=False)
    )
    assert (world.die.is_parallel.reshape(SHAPE) == target).all()
    for state, volts_c0 in ((State.P, 0.75 * factor), (State.AP, 0.95 * factor)):
        true = mtj.volts_for_probability(0.5, 5e-3, 60, volts_c0, 1.9e-9)
        assert result.thresholds[state].volts == pytest.approx(true, rel=0.15)
    assert result.cost.pulses < 2.5 * SHAPE[0] * SHAPE[1]
    assert world.incidents == []


def test_the_search_stays_within_the_limits_and_gives_up_a_cell_that_refuses(make_world: Any, watched: Any) -> None:
    limits = DeviceLimits(write_volts_positive=0.3, write_volts_negative=0.3)
    _, known = survey(make_world(2)[1])
    spy = watched(make_world(2, limits)[1])
    result = write_verify(
        spy, np.ones(SHAPE, dtype=np.int8), known, settings=WriteSettings(searched_cells=2, set_volts=0.3)
    )
    assert max(lines.largest_cell_volts for lines in spy.pulses) <= 0.3 + 1e-9
    assert State.P not in result.thresholds
    assert len(result.unwritten) > 0
