"""Layers whose sums have limited parts and several pairs per output: on arrays, predicted, and against the engine."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtjlab.engine.tiling import NetworkTiling, tiling_of_shapes
from mtjlab.engine.tiling_plan import kernel_targets, plan_tiled_network
from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, CellStatus, LayerPlan, LimitedParts, State, TiledLayerPlan, TiledWeightPlan
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.infer import infer_tiled_layer
from mtjlab.protocols.infer_network import NetworkSettings, infer_network
from mtjlab.protocols.infer_plans import LabelledSamples
from mtjlab.protocols.infer_prediction import as_written, forward, layer_sums, layer_transfer
from mtjlab.protocols.readout import readout
from mtjlab.protocols.write_verify import WriteSettings

IDEAL = {"segment_ohms": 0.0, "contact_ohms": 1e-3}
SIDE, ARRAYS = 8, 5
LIMITS = (LimitedParts(3, 0.9e-4), LimitedParts(2, 1.2e-4))


def tiling() -> NetworkTiling:
    """7 inputs, 6 hidden, 2 outputs of 3 pairs: pieces of a line are as long as an array."""
    return tiling_of_shapes([(7, 6), (6, 6)], kernels=ARRAYS, kernel_shape=(SIDE, SIDE))


def bits() -> list[Any]:
    rng = np.random.default_rng(4)
    return [rng.integers(0, 2, (layer.inputs, layer.lines)).astype(np.int8) for layer in tiling().layers]


def plan(parts: Any = LIMITS) -> TiledWeightPlan:
    biases = [np.linspace(-0.3, 0.3, 6), np.array([0.1, -0.1])]
    return plan_tiled_network(tiling(), bits(), biases, parts=parts, pairs_per_output=[1, 3])


def by_hand(cells: Any, x: Any, parts: LimitedParts, pairs: int) -> Any:
    """Outputs of one sample, siemens; cells (inputs, lines)."""
    total = np.zeros(cells.shape[1] // 2)
    for first in range(0, len(x), parts.inputs):
        part = x[first : first + parts.inputs] @ cells[first : first + parts.inputs]
        total += np.minimum(np.maximum(part[0::2] - part[1::2], -parts.limit_siemens), parts.limit_siemens)
    return total.reshape(-1, pairs).sum(axis=1)


def arrays(make_world: Any, **die: Any) -> Any:
    made = [make_world(seed, rows=SIDE, cols=SIDE, **IDEAL, **die) for seed in range(ARRAYS)]
    return [world for world, _ in made], [crossbar for _, crossbar in made]


def true_cells(worlds: Any, layer: int) -> Any:
    cells = np.stack([world.die.siemens(0.1).reshape(SIDE, SIDE) for world in worlds])
    return cells[tiling().layers[layer].cells]


@pytest.mark.parametrize("number", [0, 1])
def test_parts_are_measured_apart_cut_and_added_with_the_pairs(make_world: Any, number: int) -> None:
    worlds, crossbars = arrays(make_world)
    layer = plan().layers[number]
    assert (layer.part_count, layer.lines, layer.sums) == (3, 12, 36)
    levels = np.random.default_rng(0).integers(-7, 8, (4, layer.inputs))
    run = infer_tiled_layer(crossbars, layer, levels, 3)
    assert run.siemens_sums.shape == (4, 36)
    found = layer.joined(run.siemens_sums)
    cells, parts = true_cells(worlds, number), LIMITS[number]
    expected = np.array([by_hand(cells, x / 7, parts, (1, 3)[number]) for x in levels])
    assert found == pytest.approx(expected, abs=3e-6)
    uncut = replace(layer, parts=LimitedParts(parts.inputs, 1.0)).joined(run.siemens_sums)
    assert np.abs(uncut - found).max() > 2e-5  # a limit was met


def test_the_prediction_cuts_in_the_same_way() -> None:
    rng = np.random.default_rng(1)
    layers = plan().layers
    transfers = [rng.uniform(1e-4, 2e-4, (layer.inputs, layer.lines)) for layer in layers]
    values = rng.random((5, 7))
    found = forward(transfers, layers, values, [2e-4, 3e-4], [None, None])
    for x, outputs in zip(values, found, strict=True):
        hidden = np.tanh(by_hand(transfers[0], x, LIMITS[0], 1) / 2e-4 + layers[0].biases)
        wanted = np.tanh(by_hand(transfers[1], hidden, LIMITS[1], 3) / 3e-4 + layers[1].biases)
        np.testing.assert_allclose(outputs, wanted)


def test_a_short_cannot_drown_an_output(make_world: Any) -> None:
    kernel, row, col = (int(each[2, 4]) for each in tiling().layers[0].cells)
    short = [{"row": row, "col": col, "kind": "short"}]
    made = [
        make_world(seed, rows=SIDE, cols=SIDE, **IDEAL, defects=short if seed == kernel else [])
        for seed in range(ARRAYS)
    ]
    crossbars = [crossbar for _, crossbar in made]
    levels = np.full((1, 7), 7)
    limited = plan().layers[0]
    sums = infer_tiled_layer(crossbars, limited, levels, 3).siemens_sums
    plain = plan(parts=[None, None]).layers[0]
    drowned = plain.joined(infer_tiled_layer(crossbars, plain, levels, 3).siemens_sums)
    assert drowned[0, 2] > 5e-4
    expected = by_hand(true_cells([world for world, _ in made], 0), np.ones(7), LIMITS[0], 1)
    assert limited.joined(sums)[0] == pytest.approx(expected, abs=3e-6)
    assert abs(limited.joined(sums)[0, 2]) <= 3 * LIMITS[0].limit_siemens


def test_a_network_of_limited_parts_is_written_and_run_as_its_maps_predict(make_world: Any) -> None:
    worlds, crossbars = arrays(make_world)
    known = [survey(crossbar)[1] for crossbar in crossbars]
    features = np.random.default_rng(2).random((12, 7))
    samples = LabelledSamples(features, np.arange(12) % 2, np.arange(4))
    norms = [2e-4, 3e-4]
    settings = NetworkSettings(write=WriteSettings())
    tuned = infer_network(crossbars, plan(), known, samples, settings=settings, unit_siemens=norms)
    assert tuned.done.all() and tuned.largest_difference < 0.05 and tuned.agreement.value == 1.0
    assert all(write.fidelity == 1.0 for write in tuned.writes)
    first, second = (tuning.grid_siemens for tuning in tuned.tunings)
    assert second == pytest.approx(1.5 * first)  # each in units of its own layer
    untuned = infer_network(
        crossbars, plan(), tuned.maps, LabelledSamples(features, samples.labels), unit_siemens=norms
    )
    assert untuned.siemens_norms == (2e-4, 3e-4)
    transfers = [true_cells(worlds, layer) for layer in (0, 1)]
    expected = forward(transfers, plan().layers, features, norms, [8, 8])
    assert untuned.outputs == pytest.approx(expected, abs=0.08)  # maps are as good as they were measured
    with pytest.raises(InputError, match="3 units of weight for 2 layers"):
        infer_network(crossbars, plan(), known, samples, unit_siemens=[1e-4] * 3)


def test_tiles_are_cut_where_a_part_ends() -> None:
    whole, cut = plan(parts=[None, None]), plan()
    for layer, planned, limit in zip(whole.layers, cut.layers, LIMITS, strict=True):
        assert len(planned.tiles) > len(layer.tiles)
        assert all(np.unique(tile.inputs // limit.inputs).size == 1 for tile in planned.tiles)
    wanted = kernel_targets(whole, ARRAYS, (SIDE, SIDE))
    np.testing.assert_array_equal(kernel_targets(cut, ARRAYS, (SIDE, SIDE)), wanted)
    assert (wanted != State.UNKNOWN).sum() == tiling().devices


def test_plans_that_do_not_fit_together_are_refused() -> None:
    layer = plan(parts=[None, None]).layers[0]
    with pytest.raises(InputError, match=r"tiles of layer 1 have inputs of more than one part.*Cut them"):
        replace(layer, parts=LIMITS[0])
    with pytest.raises(InputError, match="cannot have 0 pairs of lines"):
        replace(layer, pairs_per_output=0)
    with pytest.raises(InputError, match="devices of layer 1 are in no tile"):
        replace(layer, pairs_per_output=2)
    for inputs, limit in ((0, 1e-4), (25, 0.0), (25, float("nan"))):
        with pytest.raises(InputError, match="make no sense"):
            LimitedParts(inputs, limit)
    with pytest.raises(InputError, match="parts of 1 and pairs of 2 for 2 layers"):
        plan_tiled_network(tiling(), bits(), parts=[None], pairs_per_output=[1, 3])
    with pytest.raises(InputError, match=r"6 inputs, 12 lines and 1\.5 outputs"):
        plan_tiled_network(tiling(), bits(), [np.zeros(6), np.zeros(2)], pairs_per_output=[1, 4])


def test_sums_without_limits_are_those_of_the_lines() -> None:
    layer = plan(parts=[None, None]).layers[0]
    x, transfer = np.random.default_rng(0).random((3, 7)), np.random.default_rng(1).random((7, 12))
    np.testing.assert_allclose(layer_sums(layer, x, transfer), x @ transfer)
    np.testing.assert_allclose(layer.joined(x @ transfer), x @ transfer[:, 0::2] - x @ transfer[:, 1::2])
    assert isinstance(layer, TiledLayerPlan) and layer.sums == layer.lines == 12


def test_what_was_written_is_told_with_the_conductances_of_the_survey(make_world: Any) -> None:
    _, crossbar = make_world(0, **IDEAL)
    _, known = survey(crossbar)
    free = replace(known, conditions=replace(known.conditions, segment_ohms=2.0, line_ohms=5.0))
    states = np.random.default_rng(0).integers(0, 2, (6, 6)).astype(np.int8)
    states[0, 0] = State.UNKNOWN
    free.siemens_p[1, 1] = np.nan
    states[1, 1] = State.P
    written = replace(free, siemens=0.99 * free.siemens, state=states, is_partial=True)
    written.status[2, 2] = CellStatus.UNWRITTEN
    found = as_written(free, written)
    wanted = np.where(states == State.P, free.siemens_p, free.siemens_ap)
    wanted[0, 0], wanted[1, 1] = free.siemens[0, 0], free.siemens[1, 1]
    np.testing.assert_array_equal(found.siemens, wanted)
    np.testing.assert_array_equal(found.state, states)
    assert found.is_partial and found.conditions.segment_ohms == 2.0
    assert found.status[2, 2] == CellStatus.UNWRITTEN


def test_an_open_cell_that_was_read_below_zero_counts_as_open(make_world: Any) -> None:
    _, crossbar = make_world(0, **IDEAL)
    known: ArrayMap = readout(crossbar)
    known.siemens[0, 0] = -1e-8
    free = replace(known, conditions=replace(known.conditions, segment_ohms=1e-3, line_ohms=1e-3))
    place = np.arange(6)
    whole = LayerPlan("whole", place, place, np.zeros((6, 6), dtype=np.int8), np.zeros(3))
    found = layer_transfer([free], TiledLayerPlan.of(whole))
    assert found[0, 0] == pytest.approx(0.0, abs=1e-12)
    assert found[1:, 1:] == pytest.approx(known.siemens[1:, 1:], rel=1e-5)
