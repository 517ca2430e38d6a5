"""Fits on arrays alone: intervals that hold what they say, and clear words where the data say nothing."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binom

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.mtj import conductance, telegraph_times
from mtjlab.physics.switching import leaving_rate, switching_probability
from mtjlab.protocols.characterize_bias_fit import fit_tmr
from mtjlab.protocols.characterize_breakdown_fit import fit_weibull
from mtjlab.protocols.characterize_estimates import rate_of, share_of
from mtjlab.protocols.characterize_loops import loop_facts, staircase
from mtjlab.protocols.characterize_next_pulse import Belief, Expected
from mtjlab.protocols.characterize_retention_fit import barrier_factor, barrier_share, fit_retention
from mtjlab.protocols.characterize_switching_fit import DAMPING_SECONDS, PulseCounts, fit_switching
from mtjlab.protocols.characterize_telegraph_fit import dwell_times, fit_telegraph


def drawn(delta: float, volts_c0: float, repeats: int, seed: int, volts: Floats | None = None) -> PulseCounts:
    """Outcomes of an even grid of pulses on a cell."""
    amplitudes = volts_c0 * np.linspace(0.4, 1.5, 23) if volts is None else volts
    v, s = (a.ravel() for a in np.meshgrid(amplitudes, [1e-7, 1e-5, 1e-3]))
    p = switching_probability(v / volts_c0, s, delta, DAMPING_SECONDS)
    given = np.full(v.size, repeats, dtype=np.int64)
    return PulseCounts(v, s, given, np.random.default_rng(seed).binomial(given, p).astype(np.int64))


@pytest.mark.parametrize(("delta", "volts_c0"), [(25.0, 0.6), (60.0, 0.75), (120.0, 0.9)])
def test_many_pulses_find_delta_and_critical_voltage(delta: float, volts_c0: float) -> None:
    fit = fit_switching(drawn(delta, volts_c0, 20_000, 1))
    assert fit.delta.value == pytest.approx(delta, rel=0.01)
    assert fit.volts_c0.value == pytest.approx(volts_c0, rel=0.005)
    assert fit.delta.relative_width < 0.03
    assert fit.correlation < -0.5
    assert fit.chance > 0.005


def test_the_intervals_cover_the_truth_as_often_as_they_say() -> None:
    fits = [fit_switching(drawn(55.0, 0.7, 12, seed)) for seed in range(60)]
    for hits in (sum(f.delta.covers(55.0) for f in fits), sum(f.volts_c0.covers(0.7) for f in fits)):
        assert binom.ppf(0.001, 60, 0.95) <= hits
    assert np.mean([f.delta.relative_width for f in fits]) < 0.4  # wide ones would cover anything


def test_narrower_confidence_narrower_interval() -> None:
    counts = drawn(55.0, 0.7, 10, 3)
    wide, narrow = fit_switching(counts), fit_switching(counts, confidence=0.68)
    assert narrow.delta.high - narrow.delta.low == pytest.approx((wide.delta.high - wide.delta.low) / 1.96, rel=0.1)


def test_a_cell_that_does_something_else_is_told_by_its_chance() -> None:
    counts = drawn(55.0, 0.7, 200, 3)
    half = PulseCounts(
        counts.volts, counts.seconds, counts.given, (0.2 * counts.given + 0.6 * counts.switched).astype(np.int64)
    )
    assert fit_switching(counts).chance > 0.05
    assert fit_switching(half).chance == pytest.approx(1e-3)


def test_pulses_of_one_width_bound_little_and_pulses_that_never_switch_nothing() -> None:
    with pytest.raises(InputError, match="0 of 90 pulses"):
        fit_switching(drawn(55.0, 0.7, 2, 0, np.linspace(0.01, 0.1, 15)))
    two = PulseCounts(np.array([0.3, 0.6]), np.array([1e-3, 1e-3]), np.array([3, 3]), np.array([0, 3]))
    assert not fit_switching(two).delta.is_bounded


def test_the_belief_comes_to_the_truth_and_asks_where_the_outcome_is_open() -> None:
    rng, delta, volts_c0 = np.random.default_rng(4), 48.0, 0.66
    belief = Belief(np.geomspace(0.2, 1.5, 120), np.array([1e-7, 1e-3]), Expected(), DAMPING_SECONDS)
    chances = []
    for _ in range(300):
        number = belief.choose()
        volts, seconds = belief.pulse(number)
        p = float(switching_probability(volts / volts_c0, seconds, delta, DAMPING_SECONDS))
        chances.append(p)
        belief.learn(number, has_switched=bool(rng.random() < p))
    assert np.mean([0.05 < p < 0.95 for p in chances[100:]]) > 0.95
    deviations = np.array(belief.relative_deviations)
    assert (np.abs(np.log(belief.values) - np.log([delta, volts_c0])) < 4 * deviations).all()
    assert deviations[0] < 0.05
    fit = fit_switching(belief.counts)
    assert fit.delta.value == pytest.approx(belief.values[0], rel=0.05)
    assert (fit.delta.high - fit.delta.low) / fit.delta.value == pytest.approx(2 * 1.96 * deviations[0], rel=0.25)


def test_a_candidate_that_is_struck_off_is_not_chosen_again() -> None:
    belief = Belief(np.linspace(0.3, 1.0, 30), np.array([1e-5, 1e-3]), Expected(), DAMPING_SECONDS)
    number = belief.choose()
    volts, seconds = belief.pulse(number)
    belief.strike(number)
    for _ in range(40):
        other = belief.pulse(belief.choose())
        assert not (other[0] >= volts and other[1] >= seconds)
        belief.learn(belief.choose(), has_switched=False)
    for k in range(60):
        belief.strike(k)
    with pytest.raises(InputError, match="no pulse is left"):
        belief.choose()


@pytest.mark.parametrize(
    ("events", "trials", "low", "high"), [(0, 1000, 0.0, 1 - 0.05**1e-3), (1000, 1000, 0.05**1e-3, 1.0)]
)
def test_nothing_seen_still_bounds(events: int, trials: int, low: float, high: float) -> None:
    share = share_of(events, trials)
    assert (share.low, share.high) == pytest.approx((low, high))


def test_shares_and_rates_cover() -> None:
    rng = np.random.default_rng(0)
    assert np.mean([share_of(int(k), 200).covers(0.02) for k in rng.binomial(200, 0.02, 400)]) >= 0.94
    assert np.mean([rate_of(int(k), 2.0).covers(3.0) for k in rng.poisson(6.0, 400)]) >= 0.94
    with pytest.raises(InputError):
        share_of(3, 2)


def test_tmr_fit_covers_and_removes_the_path() -> None:
    rng, volts = np.random.default_rng(2), np.linspace(0.05, 0.5, 12)
    hits = 0
    for _ in range(200):
        p, ap = (conductance(state, volts, 2e-4, 1.1, 0.5) * (1 + 1e-3 * rng.standard_normal(12)) for state in (1, 0))
        fit = fit_tmr(volts, p, ap)
        hits += fit.volts_half.covers(0.5) and fit.tmr0.covers(1.1)
    assert hits > 200 * 0.85
    assert fit.volts_half.relative_width < 0.05
    p, ap = (conductance(state, volts, 2e-4, 1.1, 0.5) for state in (1, 0))
    outside = [volts * (1 + 40 * ap), 1 / (1 / p + 40), 1 / (1 / ap + 40)]
    assert fit_tmr(*outside, path_ohms=40.0).tmr0.value == pytest.approx(1.1, rel=1e-4)
    assert fit_tmr(*outside).tmr0.value < 1.095
    with pytest.raises(InputError, match="2 biases"):
        fit_tmr(volts[:2], p[:2], ap[:2])


def test_retention_is_extrapolated_to_where_nothing_is_lost() -> None:
    drive, hits, seconds = np.repeat([0.2, 0.3, 0.4, 0.5], 3), 0, np.tile([1e-3, 1e-2, 1e-1], 4)
    rates = leaving_rate(drive, 30.0, DAMPING_SECONDS)
    truth = float(1 / leaving_rate(0.0, 30.0, DAMPING_SECONDS)) / 2  # at rest both wells leak: see P_end
    rng = np.random.default_rng(5)
    for _ in range(60):
        lost = rng.binomial(100, -np.expm1(-rates * seconds))
        fit = fit_retention(barrier_share(drive), seconds, 100, lost, end=1.0, factor=barrier_factor(drive))
        hits += fit.seconds(1.0).low < 2 * truth < fit.seconds(1.0).high
    assert hits >= 50
    assert fit.slope == pytest.approx(-30.0, rel=0.2)
    assert fit.rate(1.0).relative_width > fit.rate(0.3).relative_width
    with pytest.raises(InputError, match="fewer than two"):
        fit_retention(1.0, seconds, 100, lost)


def test_telegraph_rates_cover_though_readings_miss_visits() -> None:
    hits = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        times = telegraph_times(100.0, 2.0, 6.0, rng)
        samples = np.arange(0, 100, 0.05)
        is_p = np.searchsorted(times, samples) % 2 == 1
        siemens = np.where(is_p, 2e-4, 1e-4) + 2e-6 * rng.standard_normal(samples.size)
        fit = fit_telegraph(samples, siemens)
        assert fit.has_two_levels and (fit.is_parallel == is_p).all()
        hits += fit.to_p.covers(2.0) + fit.to_ap.covers(6.0)
    assert hits >= 120 * 0.88
    assert fit.p_seconds.mean() == pytest.approx(1 / 6, rel=0.4)


def test_a_cell_that_flips_between_any_two_readings_bounds_no_rate_from_above() -> None:
    for seed in range(5):
        is_p = np.random.default_rng(seed).random(400) < 0.3  # nothing left of the reading before
        fit = fit_telegraph(np.arange(400.0), np.where(is_p, 2e-4, 1e-4))
        for rate in (fit.to_p, fit.to_ap):
            assert rate.low <= rate.value <= rate.high
            assert rate.high == np.inf or rate.low > 0.2, "at least once in a few readings"


def test_noise_alone_is_one_level() -> None:
    rng = np.random.default_rng(1)
    fit = fit_telegraph(np.arange(500.0), 1e-4 + 1e-6 * rng.standard_normal(500))
    assert not fit.has_two_levels
    assert fit.to_p.high == np.inf


def test_dwell_times_begin_and_end_within_the_trace() -> None:
    p, ap = dwell_times(np.arange(8.0), np.array([0, 0, 1, 1, 1, 0, 1, 1], dtype=bool))
    assert (p.tolist(), ap.tolist()) == ([3.0], [1.0])


def test_weibull_counts_cells_that_held() -> None:
    rng = np.random.default_rng(3)
    volts = 1.5 * rng.weibull(20.0, 400)
    broken = volts < 1.5
    fit = fit_weibull(np.minimum(volts, 1.5), broken)
    assert fit.scale.covers(1.5) and fit.shape.covers(20.0)
    assert fit.scale.relative_width < 0.03
    with pytest.raises(InputError, match="fewer than two"):
        fit_weibull(volts[:3], np.zeros(3, dtype=bool))


def test_loop_facts_of_a_square_loop() -> None:
    drive = staircase(0.6, -0.8, 0.1)
    assert drive.size == 35 and drive.max() == 0.6 and drive.min() == -0.8 and drive[-1] == 0.6
    state, siemens = False, []
    for volts in drive:
        state = (state or volts > 0.45) and volts > -0.65
        siemens.append(float(conductance(state, volts, 2e-4, 1.0, 0.5)))
    facts = loop_facts(drive, np.array(siemens))
    assert (facts.to_p, facts.to_ap) == pytest.approx((0.45, -0.65))
    assert facts.tmr == pytest.approx(1.0)
    assert facts.coercivity == pytest.approx(0.55)
    flat = loop_facts(drive, np.full(drive.size, 1e-4))
    assert np.isnan([flat.to_p, flat.to_ap, flat.tmr]).all()
