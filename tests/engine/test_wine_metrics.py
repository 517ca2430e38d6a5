"""Metrics of written networks: against finite differences, by their invariances, and their correlations."""

from __future__ import annotations

import numpy as np
import pytest

from mtjlab.engine.datasets import load_wine
from mtjlab.engine.perceptron import EXACT, Perceptron, ideal_outputs, margins
from mtjlab.engine.training import TrainingSettings, train
from mtjlab.engine.wine_metrics import (
    METRICS,
    mapping_error,
    margin_loss,
    metrics_of,
    pair_weights,
    projected_margins,
    rank_correlation,
    read_margin,
)
from mtjlab.engine.wine_summary import best_predictor, distribution, pooled, summarise
from mtjlab.nouns import ArrayMap, CellStatus, Conditions

AP, P = 1e-4, 2e-4


@pytest.fixture(scope="module")
def network() -> Perceptron:
    return train(load_wine(0), TrainingSettings(solutions=1, epochs=300, seed=3))


@pytest.fixture
def known() -> ArrayMap:
    shape = (15, 15)
    ap, p = np.full(shape, AP), np.full(shape, P)
    status = np.full(shape, CellStatus.OK, dtype=np.int8)
    return ArrayMap(ap.copy(), p, ap, np.zeros(shape, np.int8), status, np.zeros(shape), Conditions(0.1))


def test_projected_margins_are_the_derivative_along_the_errors(network: Perceptron) -> None:
    data, rng = load_wine(0), np.random.default_rng(2)
    x, labels = data.train_features, data.train_labels
    weights = [pair_weights(layer[0].astype(float)) for layer in network.bits]
    errors = [rng.normal(size=weight.shape) for weight in weights]
    biases = [layer[0] for layer in network.biases]
    exact = margins(ideal_outputs(network, x, 1.0, EXACT)[0], labels)
    nothing = projected_margins(weights, [0 * error for error in errors], biases, x, labels)
    np.testing.assert_allclose(nothing, exact, atol=1e-12)
    step = 1e-6
    moved = projected_margins(weights, [step * error for error in errors], biases, x, labels)
    values = x
    for weight, error, bias in zip(weights, errors, biases, strict=True):
        values = np.tanh(values @ (weight + step * error) + bias)
    difference = (margins(values, labels) - exact) / step
    np.testing.assert_allclose((moved - exact) / step, difference, rtol=1e-3, atol=1e-3)


def test_a_common_scale_is_no_mapping_error() -> None:
    rng = np.random.default_rng(0)
    wanted = [rng.normal(size=(5, 3)), rng.normal(size=(3, 2))]
    assert mapping_error([0.4 * layer for layer in wanted], wanted) == pytest.approx(0, abs=1e-12)
    noise = rng.normal(size=(5, 3))
    assert mapping_error([wanted[0] + noise, wanted[1]], wanted) > 0.3
    assert mapping_error([0 * layer for layer in wanted], wanted) == pytest.approx(
        np.sqrt(np.mean(np.concatenate([layer.ravel() for layer in wanted]) ** 2))
    )


def test_read_margin_counts_half_swings_from_the_middle(known: ArrayMap) -> None:
    bits = [np.array([[0, 1], [1, 0]], dtype=np.int8)]
    right = [np.where(bits[0] == 1, P, AP)]
    assert read_margin(right, bits, known) == pytest.approx(1)
    assert read_margin([right[0][::-1]], bits, known) == pytest.approx(-1)
    assert read_margin([np.full((2, 2), (P + AP) / 2)], bits, known) == pytest.approx(0, abs=1e-12)


def test_a_perfect_map_is_as_good_as_the_ideal_network(network: Perceptron, known: ArrayMap) -> None:
    data = load_wine(0)
    written = [AP + (P - AP) * layer[0] for layer in network.bits]
    found = metrics_of(network, written, 0.9 * (P - AP), known, data, EXACT, 0.9)
    assert set(found) == set(METRICS) - {"write_fidelity"}
    assert found["mapping_error"] == pytest.approx(0, abs=1e-9)
    assert found["predicted_accuracy"] == found["software_accuracy"]
    for name in ("projected_margin_loss", "predicted_margin_loss"):
        assert found[name] == pytest.approx(found["software_margin_loss"])
    wrong = [written[0].copy(), written[1]]
    wrong[0][:, 0] = 20 * P
    worse = metrics_of(network, wrong, 0.9 * (P - AP), known, data, EXACT, 0.9)
    assert worse["mapping_error"] > 0.3
    assert worse["predicted_margin_loss"] > found["predicted_margin_loss"]


def test_margin_loss_falls_as_classes_part() -> None:
    losses = [margin_loss(np.full(4, margin)) for margin in (-1.0, 0.0, 1.0)]
    assert losses[1] == pytest.approx(np.log(2))
    assert losses[0] > losses[1] > losses[2]


def test_rank_correlation_is_none_where_nothing_varies() -> None:
    assert rank_correlation([1, 2, 3, 4], [10, 20, 300, 301]) == pytest.approx(1)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert rank_correlation([1, 1, 1], [1, 2, 3]) is None
    assert best_predictor({"a": 0.3, "b": -0.8, "c": None}) == "b"
    assert best_predictor({"a": None}) == ""


def test_the_summary_is_in_percent_and_pools_all_arrays() -> None:
    def row(value: float) -> dict[str, object]:
        parts = {"all": value, "train": value, "test": 1.0}
        metrics = dict.fromkeys(METRICS, 0.5) | {"read_margin": value, "write_fidelity": 1.0}
        return {"tuned": parts, "untuned": parts, "g_tuned": 0.9, "pulses": 10, **metrics}

    rows = [row(0.1 * k) for k in range(1, 6)]
    found = summarise(rows)
    assert found["tuned"]["all"] == pytest.approx(distribution([10, 20, 30, 40, 50]))
    assert found["tuned"]["all"]["median"] == pytest.approx(30)
    assert found["written_without_error"] == 1
    assert found["rank_correlation"]["tuned"]["read_margin"] == pytest.approx(1)
    assert found["rank_correlation"]["tuned"]["write_fidelity"] is None
    assert pooled({"a": rows[:2], "b": rows[2:]}) == found["rank_correlation"]
