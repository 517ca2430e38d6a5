"""A whole small network on a small die: what it gives is what its conductances say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.engine.perceptron import Precision, matrix_outputs
from mtjlab.nouns import ArrayMap, LayerPlan, WeightPlan
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.infer_schemes import InputScheme
from mtjlab.protocols.run_perceptron import PerceptronRun, RunSettings, run_perceptron

PRECISION = Precision(input_bits=4, hidden_bits=3)
FINE = Precision(input_bits=8, hidden_bits=8)
"""So that a small difference in layer 1 does not become a whole step of layer 2's inputs."""
UNTUNED = 1.0e-4


def random_plan(seed: int) -> WeightPlan:
    """A 4-3-2 network on random lines of a 7 x 7 array."""
    rng = np.random.default_rng(seed)

    def layer(name: str, inputs: int, outputs: int) -> LayerPlan:
        rows, cols = rng.permutation(7)[:inputs], rng.permutation(7)[: 2 * outputs]
        bits = rng.integers(0, 2, (inputs, 2 * outputs)).astype(np.int8)
        return LayerPlan(name, rows, cols, bits, rng.normal(0, 0.3, outputs))

    return WeightPlan((layer("layer 1", 4, 3), layer("layer 2", 3, 2)))


def run(
    world_and_crossbar: Any,
    seed: int,
    kept: dict[str, ArrayMap] | None = None,
    scheme: InputScheme | None = None,
    precision: Precision = PRECISION,
) -> tuple[PerceptronRun, Any, Any]:
    _, crossbar = world_and_crossbar
    _, known = survey(crossbar)
    plan = random_plan(seed)
    features = np.random.default_rng(seed + 100).random((5, 4))
    kept = {} if kept is None else kept
    result = run_perceptron(
        crossbar,
        plan,
        known,
        features,
        untuned_siemens=UNTUNED,
        tune=lambda as_written: 1.7 * UNTUNED,
        settings=RunSettings(precision=precision, scheme=scheme),
        progress=lambda what, done, total: None,
        keep=lambda name, array_map: kept.update({name: array_map}),
    )
    return result, plan, features


@pytest.mark.parametrize(("seed", "scheme"), [(0, InputScheme.BIT_SERIAL), (1, None), (2, InputScheme.BIT_SERIAL)])
def test_the_outputs_are_what_the_written_conductances_predict(
    make_world: Any, seed: int, scheme: InputScheme | None
) -> None:
    made = make_world(seed, rows=7, cols=7, segment_ohms=0.0, contact_ohms=1e-3)
    precision = PRECISION if scheme else FINE
    result, plan, features = run(made, seed, scheme=scheme, precision=precision)
    biases = [layer.biases for layer in plan.layers]
    for outputs, siemens in ((result.outputs_tuned, 1.7 * UNTUNED), (result.outputs_untuned, UNTUNED)):
        predicted = matrix_outputs(result.as_written, biases, features, siemens, precision)
        # levels between 0 and the read voltage meet cells that conduct less than at the read voltage
        assert outputs == pytest.approx(predicted, abs=5e-3 if scheme else 2e-2)
    assert result.tuned_siemens == 1.7 * UNTUNED
    assert result.saturated == 0
    assert made[0].incidents == []


def test_both_layers_are_written_where_the_plan_says_and_kept(make_world: Any) -> None:
    kept: dict[str, ArrayMap] = {}
    result, plan, _ = run(make_world(4, rows=7, cols=7), 4, kept)
    assert set(kept) == {"layer_1_written", "layer_2_written"}
    for layer, written, siemens in zip(plan.layers, kept.values(), result.as_written, strict=True):
        assert (written.state[np.ix_(layer.rows, layer.cols)] == layer.bits).all()
        assert np.array_equal(written.siemens[np.ix_(layer.rows, layer.cols)], siemens)
    assert all(write.fidelity == 1.0 for write in result.writes)


def test_tune_sees_both_layers_as_written(make_world: Any) -> None:
    _, crossbar = make_world(5, rows=7, cols=7)
    _, known = survey(crossbar)
    seen: list[tuple[int, ...]] = []

    def tune(as_written: Any) -> float:
        seen.extend(block.shape for block in as_written)
        return UNTUNED

    result = run_perceptron(
        crossbar,
        random_plan(5),
        known,
        np.random.default_rng(0).random((2, 4)),
        untuned_siemens=UNTUNED,
        tune=tune,
        settings=RunSettings(precision=PRECISION),
        progress=lambda what, done, total: None,
        keep=lambda name, array_map: None,
    )
    assert seen == [(4, 6), (3, 4)]
    assert result.outputs_tuned == pytest.approx(result.outputs_untuned, abs=1e-9)
