"""The array multiplies: exact on ideal wires, signed inputs, and refusals of what cannot be applied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtjlab.errors import InputError, InstrumentError
from mtjlab.nouns import Cost, LayerPlan
from mtjlab.protocols.infer import infer_layer

IDEAL = {"segment_ohms": 0.0, "contact_ohms": 1e-3}
ROWS, COLS = np.array([4, 0, 3]), np.array([5, 1, 2, 0])
PLAN = LayerPlan("layer 1", ROWS, COLS, np.zeros((3, 4), dtype=np.int8), np.zeros(2))


def product(world: Any, levels: Any, bits: int) -> Any:
    siemens = world.die.siemens(0.1).reshape(6, 6)[np.ix_(ROWS, COLS)]
    return np.asarray(levels) @ siemens / (2**bits - 1)


@given(st.lists(st.tuples(*[st.integers(-15, 15)] * 3), min_size=1, max_size=3))
@settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=12,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_ideal_wires_give_the_exact_signed_product(make_world: Any, levels: list[tuple[int, ...]]) -> None:
    world, crossbar = make_world(2, **IDEAL)
    run = infer_layer(crossbar, PLAN, np.array(levels), 4)
    # the columns' own 60 milliohms and the bias dependence at the remaining drop
    assert run.siemens_sums == pytest.approx(product(world, levels, 4), rel=1e-3, abs=1e-9)
    assert run.saturated == 0
    assert world.incidents == []


def test_a_bench_gives_the_product_too(bench: Any) -> None:
    simulated, make = bench
    plan = LayerPlan("layer", np.array([0, 2]), np.array([1, 3]), np.zeros((2, 2), dtype=np.int8), np.zeros(1))
    levels = np.array([[3, -1], [0, 2]])
    crossbar = make()
    with crossbar:
        crossbar.start()
        run = infer_layer(crossbar, plan, levels, 2)
    siemens = simulated.world.die.siemens(0.1).reshape(4, 4)[np.ix_(plan.rows, plan.cols)]
    assert run.siemens_sums == pytest.approx(levels @ siemens / 3, rel=0.06, abs=4e-6)
    assert simulated.world.incidents == []


def test_full_scale_is_the_sum_of_the_conductances(make_world: Any) -> None:
    world, crossbar = make_world(2, **IDEAL)
    run = infer_layer(crossbar, PLAN, np.full((1, 3), 31), 5)
    siemens = world.die.siemens(0.1).reshape(6, 6)[np.ix_(ROWS, COLS)]
    assert run.siemens_sums[0] == pytest.approx(siemens.sum(axis=0), rel=1e-3)


def test_a_zero_vector_is_zero_and_costs_no_reading_of_its_own(make_world: Any) -> None:
    _, crossbar = make_world(2)
    run = infer_layer(crossbar, PLAN, np.zeros((3, 3), dtype=np.int64), 4)
    assert (run.siemens_sums == 0).all()
    assert (run.cost.pulses, run.cost.readings) == (0, COLS.size)


def test_the_cost_is_what_the_crossbar_spent(make_world: Any) -> None:
    _, crossbar = make_world(2)
    before: Cost = crossbar.spent
    run = infer_layer(crossbar, PLAN, np.array([[1, 2, -4]]), 3)
    assert run.cost == crossbar.spent - before
    assert run.cost.readings == COLS.size * (1 + 3)


def test_no_sample_at_all(make_world: Any) -> None:
    _, crossbar = make_world(2)
    assert infer_layer(crossbar, PLAN, np.zeros((0, 3), dtype=np.int64), 4).siemens_sums.shape == (0, 4)


def test_offsets_are_subtracted(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, crossbar = make_world(2)
    levels = np.array([[3, -2, 1]])
    plain = infer_layer(crossbar, PLAN, levels, 2).siemens_sums
    measure = crossbar.measure
    monkeypatch.setattr(crossbar, "measure", lambda *a: [replace(r, amps=r.amps + 2e-6) for r in measure(*a)])
    assert infer_layer(crossbar, PLAN, levels, 2).siemens_sums == pytest.approx(plain, rel=1e-9)


@pytest.mark.parametrize("levels", [np.zeros((2, 4)), np.zeros(3), np.zeros((1, 2, 3)), [[0, 4, 0]], [[-4, 0, 0]]])
def test_inputs_that_do_not_fit_are_refused_before_anything_is_applied(
    make_world: Any, watched: Any, levels: Any
) -> None:
    crossbar = watched(make_world(2)[1])
    with pytest.raises(InputError, match=r"layer 1 must be \(samples, 3\) within \+-3"):
        infer_layer(crossbar, PLAN, levels, 2)
    assert crossbar.transactions == 0


def test_limiting_readings_are_counted(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, crossbar = make_world(2)
    measure = crossbar.measure
    monkeypatch.setattr(
        crossbar, "measure", lambda *a: [type(r)(r.volts, r.amps, in_compliance=True) for r in measure(*a)]
    )
    assert infer_layer(crossbar, PLAN, np.array([[1, 0, -1]]), 1).saturated == 2 * COLS.size


def test_an_off_scale_column_is_named(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, crossbar = make_world(2)
    measure = crossbar.measure
    monkeypatch.setattr(
        crossbar, "measure", lambda *a: [type(r)(r.volts, 9.9e37, is_overflow=True) for r in measure(*a)]
    )
    with pytest.raises(InstrumentError, match="column 5") as caught:
        infer_layer(crossbar, PLAN, np.array([[1, 0, -1]]), 1)
    assert "read_amps_range" in caught.value.remedy


def test_progress_counts_the_samples(make_world: Any) -> None:
    _, crossbar = make_world(2)
    heard: list[tuple[str, int, int]] = []
    infer_layer(crossbar, PLAN, np.eye(3, dtype=np.int64), 1, progress=lambda *s: heard.append(s), what="running")
    assert heard[-3:] == [("running", 1, 3), ("running", 2, 3), ("running", 3, 3)]
