import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtjlab.physics import mtj

DAMPING = 1.9e-9


def test_parallel_conductance_of_a_round_junction_is_area_over_ra() -> None:
    # RA 10 ohm um^2 at 50 nm: 5.1 kohm
    assert 1 / mtj.area_siemens(50e-9, 10e-12) == pytest.approx(5093, rel=1e-3)


def test_tmr_is_halved_at_the_half_voltage() -> None:
    assert mtj.tmr_at(0.5, 1.2, 0.5) == pytest.approx(0.6)
    assert mtj.tmr_at(-0.5, 1.2, 0.5) == pytest.approx(0.6)


def test_antiparallel_conductance_rises_with_bias_and_parallel_does_not() -> None:
    volts = np.linspace(0, 1, 11)
    ap = mtj.conductance(False, volts, 2e-4, 1.0, 0.5)
    assert (np.diff(ap) > 0).all()
    assert ap[0] == pytest.approx(1e-4)
    assert np.ptp(mtj.conductance(True, volts, 2e-4, 1.0, 0.5)) == 0


@given(
    volts=st.floats(-1.5, 1.5),
    tmr0=st.floats(0.1, 3),
    half=st.floats(0.2, 1.5),
    parallel=st.booleans(),
)
def test_current_slope_is_the_derivative_of_the_current(volts: float, tmr0: float, half: float, parallel: bool) -> None:
    def amps(v: float) -> float:
        return float(v * mtj.conductance(parallel, v, 2e-4, tmr0, half))

    step = 1e-5
    numeric = (amps(volts + step) - amps(volts - step)) / (2 * step)
    assert mtj.current_slope(parallel, volts, 2e-4, tmr0, half) == pytest.approx(numeric, rel=1e-6, abs=1e-12)


def test_switching_rate_is_near_the_published_formula_below_the_barrier() -> None:
    i, delta = 0.4, 60.0
    wanted = np.sqrt(delta / np.pi) * (1 - i**2) * (1 - i) * np.exp(-delta * (1 - i) ** 2) / DAMPING
    assert mtj.switching_rate(i, delta, DAMPING) == pytest.approx(wanted, rel=0.05)


@given(st.floats(-0.99, 3), st.floats(1e-6, 0.5), st.floats(20, 120))
def test_switching_rate_never_falls_with_overdrive(overdrive: float, more: float, delta: float) -> None:
    here, there = mtj.switching_rate(np.array([overdrive, overdrive + more]), delta, DAMPING)
    assert there >= here >= 0


def test_longer_pulses_switch_at_lower_voltage() -> None:
    volts = [mtj.volts_for_probability(0.5, t, 60.0, 1.0, DAMPING) for t in (1e-6, 1e-4, 1e-2)]
    assert volts[0] > volts[1] > volts[2]
    # 60 (1 - i)^2 = ln(10 ms / 1.9 ns x sqrt(60 / pi) (1 - i^2)(1 - i) / ln 2) has its root at i = 0.477
    assert volts[2] == pytest.approx(0.477, abs=0.002)


def test_half_selection_at_millisecond_pulses_is_rare_for_a_stable_cell() -> None:
    write = mtj.volts_for_probability(0.999, 5e-3, 60.0, 1.0, DAMPING)
    assert mtj.switching_probability(write / 2, 5e-3, 60.0, DAMPING) < 1e-6


def test_breakdown_is_a_decade_faster_per_stated_voltage() -> None:
    assert mtj.breakdown_rate(1.6, 1.6, 0.06) == pytest.approx(1.0)
    assert mtj.breakdown_rate(-1.66, 1.6, 0.06) == pytest.approx(10.0)
    assert mtj.breakdown_rate(0.9, 1.6, 0.06) < 1e-11


def test_either_direction_has_its_own_threshold_and_a_field_helps_one_of_them() -> None:
    states = np.array([False, True])
    volts = np.array([0.75, -0.95])
    assert mtj.drive(states, volts, 0.75, 0.95) == pytest.approx([1.0, 1.0])
    assert mtj.drive(states, -volts, 0.75, 0.95) == pytest.approx([-1.0, -1.0])
    helped = mtj.drive(states, volts, 0.75, 0.95, field_tesla=0.05, anisotropy_tesla=0.2)
    assert helped == pytest.approx([1.25, 0.75])


def test_less_anisotropy_under_bias_lowers_barrier_and_threshold_alike() -> None:
    factor = mtj.voltage_control(0.5, 0.4)
    assert factor == pytest.approx(0.8)
    assert mtj.drive(False, 0.5, 0.8, 0.9, anisotropy_factor=factor) == pytest.approx(0.5 / (0.8 * 0.8))
    assert mtj.voltage_control(-0.5, 0.4) == pytest.approx(1.2)


def test_a_pulse_heats_with_its_time_constant() -> None:
    hot = mtj.heated_kelvin(300.0, 1e-4, 5e5, np.array([0.0, 10e-9, 1.0]), 10e-9)
    assert hot == pytest.approx([300, 300 + 50 * (1 - np.exp(-1)), 350])


def test_heat_lowers_stability_threshold_and_tmr() -> None:
    assert mtj.delta_at(300.0, 60.0) == pytest.approx(60)
    cold, hot = mtj.delta_at(np.array([273.0, 373.0]), 60.0)
    assert cold > 60 > hot
    assert hot == pytest.approx(60 * 300 / 373 * mtj.magnetisation_factor(373.0) ** 2)
    assert mtj.volts_c0_at(373.0, 0.8) < 0.8
    assert mtj.tmr_at_kelvin(300.0, 1.0) == pytest.approx(1.0)
    assert 0.8 < mtj.tmr_at_kelvin(373.0, 1.0) < 1.0


def test_julliere_gives_the_polarisation_back() -> None:
    p0 = np.sqrt(1.0 / 3.0)  # TMR 100 % at 300 K
    p = p0 * (1 - 2e-5 * 400**1.5) / (1 - 2e-5 * 300**1.5)
    assert mtj.tmr_at_kelvin(400.0, 1.0) == pytest.approx(2 * p**2 / (1 - p**2))


def test_stability_goes_with_the_area_and_then_with_the_diameter() -> None:
    assert mtj.delta_of_size(25e-9, 50e-9, 60.0) == pytest.approx(15)
    assert mtj.delta_of_size(np.array([25e-9, 50e-9, 100e-9]), 50e-9, 60.0, wall_m=50e-9) == pytest.approx(
        [15, 60, 120]
    )
    # 4 MA/cm^2 and 10 ohm um^2: 0.4 V
    assert mtj.volts_c0_of(4e10, 10e-12) == pytest.approx(0.4)


def test_a_junction_left_alone_forgets_its_state_as_its_rates_say() -> None:
    rng = np.random.default_rng(2)
    after = mtj.state_after(np.zeros(200_000, dtype=bool), 0.3, 2.0, 1.0, rng)
    wanted = 2 / 3 * (1 - np.exp(-0.9))
    assert after.mean() == pytest.approx(wanted, abs=4 * np.sqrt(wanted * (1 - wanted) / 200_000))
    assert not mtj.state_after(np.zeros(3, dtype=bool), 1e9, 0.0, 0.0, rng).any()


def test_telegraph_noise_dwells_as_long_as_its_rates_say() -> None:
    times = mtj.telegraph_times(5000.0, 2.0, 0.5, np.random.default_rng(3))
    waits = np.diff(times, prepend=0.0)
    assert (np.diff(times) > 0).all() and times[-1] < 5000
    assert waits[0::2].mean() == pytest.approx(0.5, rel=0.1)
    assert waits[1::2].mean() == pytest.approx(2.0, rel=0.1)
    assert mtj.telegraph_times(10.0, 0.0, 1.0, np.random.default_rng(0)).size == 0


def test_dwell_time_is_one_over_the_rate() -> None:
    assert mtj.dwell_seconds(0.0, 60.0, DAMPING) > 10 * 365 * 86400  # ten years
    assert mtj.dwell_seconds(0.0, 15.0, DAMPING) == pytest.approx(1 / mtj.switching_rate(0.0, 15.0, DAMPING))


def test_breakdown_takes_a_tenth_of_the_time_per_stated_voltage_and_a_power_law_below_zero() -> None:
    assert mtj.breakdown_seconds(np.array([1.6, 1.66, 1.54]), 1.6, 0.06) == pytest.approx([1, 0.1, 10])
    assert mtj.breakdown_seconds(-1.66, 1.6, 0.06) == pytest.approx(0.1)
    assert mtj.breakdown_seconds(-3.2, 1.6, 0.06, negative_power=30) == pytest.approx(2.0**-30)


def test_breakdown_is_weibull_and_remembers_the_stress_before() -> None:
    assert mtj.breakdown_probability(1.0, 1.0, 1.4) == pytest.approx(1 - np.exp(-1))
    both = mtj.breakdown_probability(3.0, 2.0, 1.4)
    first = mtj.breakdown_probability(1.0, 2.0, 1.4)
    second = mtj.breakdown_probability(2.0, 2.0, 1.4, before_seconds=1.0)
    assert 1 - both == pytest.approx((1 - first) * (1 - second))
