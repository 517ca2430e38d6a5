"""The array multiplies: exact on ideal wires, signed inputs, and refusals of what cannot be applied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtjlab.errors import InputError, InstrumentError
from mtjlab.nouns import Cost, LayerPlan, LayerTile, TiledLayerPlan
from mtjlab.protocols.infer import infer_layer, infer_tiled_layer
from mtjlab.protocols.infer_schemes import InputScheme, chosen_scheme, drives_of
from mtjlab.roles import Capabilities

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
    run = infer_layer(crossbar, PLAN, np.array(levels), 4, scheme=InputScheme.BIT_SERIAL)
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
    run = infer_layer(crossbar, PLAN, np.array([[1, 2, -4]]), 3, scheme=InputScheme.BIT_SERIAL)
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
    run = infer_layer(crossbar, PLAN, np.array([[1, 0, -1]]), 1)
    assert run.saturated == 2 * COLS.size  # the zero and the vector
    assert "lower the read voltage" in run.advice
    assert "column 5" in run.advice


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


def test_all_inputs_at_once_where_every_row_has_a_level(make_world: Any) -> None:
    world, crossbar = make_world(2, **IDEAL)
    levels = [[15, -7, 3], [-1, 12, 0]]
    run = infer_layer(crossbar, PLAN, np.array(levels), 4)
    assert run.schemes == (InputScheme.ANALOGUE,)
    assert run.cost.readings == COLS.size * (1 + 2)
    # antiparallel cells conduct a few percent less at lower levels than at full scale
    assert run.siemens_sums == pytest.approx(product(world, levels, 4), rel=0.03, abs=2e-6)


@pytest.mark.parametrize("scheme", list(InputScheme))
def test_every_scheme_sums_up_to_the_input_vector(scheme: InputScheme) -> None:
    vector = np.array([15, -7, 0, 8, -1])
    drives = drives_of(vector, 4, scheme)
    assert drives.weights @ drives.rows == pytest.approx(vector / 15)
    assert np.abs(drives.rows).max() <= 1
    assert len(drives.weights) == {InputScheme.ANALOGUE: 1, InputScheme.SIGNED_BIT_SERIAL: 4}.get(scheme, 7)


@pytest.mark.parametrize(
    ("levels", "sensed", "scheme"),
    [
        (3, 1, InputScheme.BIT_SERIAL),
        (4, 1, InputScheme.SIGNED_BIT_SERIAL),
        (14, 1, InputScheme.SIGNED_BIT_SERIAL),
        (15, 1, InputScheme.ANALOGUE),
        (50, 25, InputScheme.ANALOGUE),
    ],
)
def test_the_scheme_follows_from_the_levels(levels: int, sensed: int, scheme: InputScheme) -> None:
    can = Capabilities(levels, sensed, shortest_pulse_seconds=0.0, can_float=True)
    assert chosen_scheme(can, 13) is scheme


def test_a_scheme_that_the_bench_has_no_levels_for_is_refused() -> None:
    can = Capabilities(3, 1, shortest_pulse_seconds=0.0, can_float=True)
    with pytest.raises(InputError, match="analogue with 13 rows needs 15 levels at once, this bench has 3"):
        chosen_scheme(can, 13, InputScheme.ANALOGUE)


def tiled(biases: Any = (0.0, 0.0, 0.0)) -> TiledLayerPlan:
    """Eight inputs and three outputs on two arrays, the second of which holds two of the four tiles."""

    def tile(array: int, inputs: Any, outputs: Any, rows: Any, cols: Any) -> LayerTile:
        bits = np.zeros((len(rows), len(cols)), dtype=np.int8)
        plan = LayerPlan("wide", np.array(rows), np.array(cols), bits, np.zeros(len(outputs)))
        return LayerTile(array, np.array(inputs), np.array(outputs), plan)

    tiles = (
        tile(0, [0, 1, 2, 3, 4], [0, 2], [5, 4, 3, 2, 1], [0, 1, 2, 3]),
        tile(0, [0, 1, 2, 3, 4], [1], [0, 1, 2, 3, 4], [5, 4]),
        tile(1, [7, 6, 5], [2, 1, 0], [0, 1, 2], [0, 1, 2, 3, 4, 5]),
    )
    return TiledLayerPlan("wide", tiles, np.asarray(biases, dtype=np.float64))


def transfer(worlds: Any) -> Any:
    """(8, 6) from the worlds' own conductances."""
    cells = [world.die.siemens(0.1).reshape(6, 6) for world in worlds]
    found = np.full((8, 6), np.nan)
    for tile in tiled().tiles:
        for k, output in enumerate(tile.outputs):
            for side in (0, 1):
                cols = tile.plan.cols[2 * k + side]
                found[tile.inputs, 2 * output + side] = cells[tile.array][tile.plan.rows, cols]
    return found


def test_partial_sums_of_tiles_add_up(make_world: Any) -> None:
    made = [make_world(seed, **IDEAL) for seed in (2, 3)]
    levels = np.random.default_rng(0).integers(-7, 8, (4, 8))
    run = infer_tiled_layer([crossbar for _, crossbar in made], tiled(), levels, 3)
    expected = levels / 7 @ transfer([world for world, _ in made])
    assert run.siemens_sums == pytest.approx(expected, rel=0.03, abs=3e-6)
    assert run.cost.readings == 5 * 12  # the zero and four samples, on as many columns as all tiles have
    assert not run.is_partial


def test_stopped_between_any_two_transactions_the_finished_samples_are_returned(make_world: Any) -> None:
    made = [make_world(seed, **IDEAL) for seed in (2, 3)]
    levels = np.random.default_rng(0).integers(-7, 8, (3, 8))
    crossbars = [crossbar for _, crossbar in made]
    full = infer_tiled_layer(crossbars, tiled(), levels, 3)
    for allowed in range(12):
        answers = iter([False] * allowed + [True])
        run = infer_tiled_layer(crossbars, tiled(), levels, 3, is_stopped=lambda answers=answers: next(answers))
        done = max(0, allowed - 3) // 3  # three tiles are zeroed first, then each sample takes three transactions
        assert run.is_partial
        assert run.done.tolist() == [sample < done for sample in range(3)]
        assert run.siemens_sums[run.done] == pytest.approx(full.siemens_sums[run.done], rel=1e-9)


def test_a_tile_that_does_not_fit_is_refused_before_anything_is_applied(make_world: Any, watched: Any) -> None:
    crossbar = watched(make_world(2)[1])
    with pytest.raises(InputError, match="lies on array 1, there are 1"):
        infer_tiled_layer([crossbar], tiled(), np.zeros((1, 8)), 3)
    small = watched(make_world(2, rows=2, cols=6)[1])
    with pytest.raises(InputError, match="does not fit on array 1 of 2 x 6 cells"):
        infer_tiled_layer([crossbar, small], tiled(), np.zeros((1, 8)), 3)
    assert crossbar.transactions == small.transactions == 0


def test_the_lines_of_a_pair_may_lie_on_two_arrays_and_references_are_lines_too(make_world: Any) -> None:
    made = [make_world(seed, **IDEAL) for seed in (2, 3)]
    cells = [world.die.siemens(0.1).reshape(6, 6) for world, _ in made]
    rows, levels = np.arange(4), np.array([[7, 3, -7, 1]])

    def tile(array: int, cols: Any, lines: Any) -> LayerTile:
        plan = LayerPlan("split", rows, np.array(cols), np.zeros((4, len(cols)), dtype=np.int8), np.zeros(0))
        return LayerTile(array, rows, np.zeros(0, dtype=np.int64), plan, np.array(lines))

    tiles = tile(0, [2, 5], [0, 3]), tile(1, [1, 0], [1, 2])
    expected = levels[0] / 7 @ np.stack([cells[0][:4, 2], cells[1][:4, 1], cells[1][:4, 0], cells[0][:4, 5]], axis=1)
    for plan in (
        TiledLayerPlan("split", tiles, np.zeros(2)),
        TiledLayerPlan("split", tiles, np.zeros(2), has_reference=True),
    ):
        found = infer_tiled_layer([crossbar for _, crossbar in made], plan, levels, 3).siemens_sums
        assert found[0] == pytest.approx(expected, rel=0.03, abs=3e-6)
