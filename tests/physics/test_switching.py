"""The switching table against the equation it was solved from, and both against closed forms and drawn walks."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.physics import fokker_planck, switching

DAMPING = 1.9e-9


@settings(max_examples=25, deadline=None)
@given(drive=st.floats(0, 6), delta=st.floats(15, 120))
def test_the_table_is_the_equation(drive: float, delta: float) -> None:
    solved = fokker_planck.evolve(drive, delta, 100.0)
    assert switching.relaxation_rate(drive, delta) == pytest.approx(solved.rate, rel=0.01)
    taus = np.geomspace(0.5, 100, 9)
    hazard = np.exp(np.interp(np.log(taus), np.log(solved.taus), np.log(solved.hazard)))
    assert np.exp(-switching.hazard(drive, delta, taus)) == pytest.approx(np.exp(-hazard), abs=4e-3)


def test_the_equation_does_not_depend_on_its_grid() -> None:
    for drive in (0.3, 1.0, 2.5):
        coarse, fine = (fokker_planck.evolve(drive, 40.0, 100.0, cells=cells) for cells in (500, 1000))
        assert coarse.rate == pytest.approx(fine.rate, rel=1e-3)
        assert np.exp(-coarse.hazard) == pytest.approx(np.exp(-fine.hazard), abs=1.5e-3)


@pytest.mark.parametrize(("drive", "ratio"), [(0.2, 1.02), (0.4, 1.04), (0.6, 1.12)])
def test_far_below_threshold_it_is_the_thermal_formula(drive: float, ratio: float) -> None:
    formula = switching.thermal_rate(drive, 60.0, DAMPING)
    assert formula / switching.leaving_rate(drive, 60.0, DAMPING) == pytest.approx(ratio, abs=0.01)


@pytest.mark.parametrize("drive", [3.0, 5.0, 8.0])
def test_far_above_threshold_it_goes_to_the_precessional_formula(drive: float) -> None:
    seconds = 10.0 / (drive - 1) * DAMPING
    misses = []
    for delta in (30.0, 100.0, 300.0):
        formula = switching.precessional_error_rate(drive, seconds, delta, DAMPING)
        misses.append(abs(float(switching.write_error_rate(drive, seconds, delta, DAMPING) / formula) - 1))
    assert misses[0] > misses[2] or misses[0] < 0.005
    assert misses[2] < 0.01


def test_write_errors_fall_with_the_analytic_slope() -> None:
    taus = np.array([20.0, 30.0])
    for drive in (1.5, 2.0, 3.0):
        errors = switching.write_error_rate(drive, taus * DAMPING, 60.0, DAMPING)
        assert -np.diff(np.log(errors))[0] / 10 == pytest.approx(2 * (drive - 1), rel=0.06)


def test_equilibrium_is_the_ratio_of_partition_integrals() -> None:
    x = np.linspace(-1, 1, 400_001)
    for drive, delta in ((0.0, 30.0), (0.05, 12.0), (-0.1, 20.0), (1.7, 8.0)):
        weights = np.exp(delta * (x**2 - 2 * drive * x - 1 - 2 * abs(drive)))
        below, above = np.trapezoid(weights[:200_001], x[:200_001]), np.trapezoid(weights[200_000:], x[200_000:])
        assert fokker_planck.switched_at_rest(drive, delta) == pytest.approx(below / (below + above), rel=1e-6)


def test_probability_and_error_rate_add_up_and_keep_small_numbers() -> None:
    for drive, seconds in ((0.3, 1e-6), (1.1, 5e-9), (2.0, 20e-9)):
        switched = switching.switching_probability(drive, seconds, 60.0, DAMPING)
        assert switched + switching.write_error_rate(drive, seconds, 60.0, DAMPING) == pytest.approx(1, abs=1e-12)
    assert 0 < switching.switching_probability(0.05, 1e-3, 60.0, DAMPING) < 1e-15
    assert 0 < switching.write_error_rate(4.0, 20e-9, 60.0, DAMPING) < 1e-15


def test_read_disturb_is_the_rate_times_the_time() -> None:
    seconds = 1e-4
    disturbed = switching.switching_probability(0.2, seconds, 40.0, DAMPING)
    assert disturbed == pytest.approx(switching.leaving_rate(0.2, 40.0, DAMPING) * seconds, rel=1e-3)


def test_a_bias_that_holds_the_state_makes_it_last() -> None:
    held, free, pushed = switching.leaving_rate(np.array([-0.1, 0.0, 0.1]), 40.0, DAMPING)
    assert held < free < pushed
    # detailed balance: the wells' energies differ by 4 Delta i, their widths by (1 - i) / (1 + i)
    assert pushed / held == pytest.approx(np.exp(4 * 40 * 0.1) * 0.9 / 1.1, rel=0.02)


def test_the_first_nanoseconds_are_slower_than_the_final_rate() -> None:
    early, late = switching.hazard(1.5, 60.0, np.array([1.0, 20.0]))
    rate = switching.relaxation_rate(1.5, 60.0)
    assert early < 0.05 * rate
    assert late == pytest.approx(rate * 20, rel=0.3)


@given(st.floats(-2, 8), st.floats(5, 150), st.floats(0.1, 1e6), st.floats(1.0, 2.0))
def test_more_time_never_switches_less(drive: float, delta: float, tau: float, longer: float) -> None:
    short, long = switching.switching_probability(drive, np.array([tau, tau * longer]), delta, 1.0)
    assert 0 <= short <= long * (1 + 1e-3) + 1e-9
    assert long <= 1


def test_drawn_walks_of_the_same_macrospin_switch_as_often() -> None:
    """Independent method: the Langevin equation of x, integrated for many junctions (Ito, Euler-Maruyama)."""
    drive, delta, tau, steps, count = 1.3, 30.0, 6.0, 3000, 20_000
    rng = np.random.default_rng(5)
    grid = np.linspace(0, 1, 20_001)
    density = np.exp(delta * (grid**2 - 1))
    x = np.interp(rng.random(count) * density.sum(), np.cumsum(density), grid)
    step = tau / steps
    for _ in range(steps):
        spread = np.sqrt(np.maximum(1 - x**2, 0) / delta * step)
        x = np.clip(x - ((1 - x**2) * (drive - x) + x / delta) * step + spread * rng.standard_normal(count), -1, 1)
    wanted = float(switching.switching_probability(drive, tau, delta, 1.0))
    assert (x < 0).mean() == pytest.approx(wanted, abs=0.015)
