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


def test_switching_rate_is_the_published_formula_below_the_barrier() -> None:
    i, delta = 0.4, 60.0
    wanted = np.sqrt(delta / np.pi) * (1 - i**2) * (1 - i) * np.exp(-delta * (1 - i) ** 2) / DAMPING
    assert mtj.switching_rate(i, delta, DAMPING) == pytest.approx(wanted, rel=1e-12)


@given(st.floats(-0.99, 3), st.floats(1e-6, 0.5), st.floats(20, 120))
def test_switching_rate_never_falls_with_overdrive(overdrive: float, more: float, delta: float) -> None:
    here, there = mtj.switching_rate(np.array([overdrive, overdrive + more]), delta, DAMPING)
    assert there >= here >= 0


def test_longer_pulses_switch_at_lower_voltage() -> None:
    volts = [mtj.volts_for_probability(0.5, t, 60.0, 1.0, DAMPING) for t in (1e-6, 1e-4, 1e-2)]
    assert volts[0] > volts[1] > volts[2]
    # 60 (1 - i)^2 = ln(10 ms / 1.9 ns x sqrt(60 / pi) (1 - i^2)(1 - i) / ln 2) has its root at i = 0.477
    assert volts[2] == pytest.approx(0.477, abs=0.001)


def test_half_selection_at_millisecond_pulses_is_rare_for_a_stable_cell() -> None:
    write = mtj.volts_for_probability(0.999, 5e-3, 60.0, 1.0, DAMPING)
    assert mtj.switching_probability(write / 2, 5e-3, 60.0, DAMPING) < 1e-6


def test_breakdown_is_a_decade_faster_per_stated_voltage() -> None:
    assert mtj.breakdown_rate(1.6, 1.6, 0.06) == pytest.approx(1.0)
    assert mtj.breakdown_rate(-1.66, 1.6, 0.06) == pytest.approx(10.0)
    assert mtj.breakdown_rate(0.9, 1.6, 0.06) < 1e-11
