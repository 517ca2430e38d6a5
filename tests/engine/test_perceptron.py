"""Perceptrons against hand calculations, and against the published solutions and their known accuracies."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtjlab.engine.datasets import load_wine
from mtjlab.engine.perceptron import (
    Perceptron,
    Precision,
    accuracy,
    accuracy_versus_g,
    activations,
    applied_inputs,
    bit_planes,
    confusion,
    from_bit_planes,
    ideal_outputs,
    margins,
    matrix_outputs,
    network_outputs,
    quantise_bipolar,
    quantise_unipolar,
)
from mtjlab.errors import InputError

SHARED = Path(os.environ.get("MTJLAB_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
PUBLISHED = SHARED / "data" / "wine_published"

needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason=f"the published Wine solutions are not at {PUBLISHED}; set MTJLAB_SHARED"
)


def random_perceptron(solutions: int = 4, seed: int = 0) -> Perceptron:
    rng = np.random.default_rng(seed)
    return Perceptron(
        rng.integers(0, 2, (solutions, 13, 12)).astype(np.int8),
        rng.normal(size=(solutions, 6)),
        rng.integers(0, 2, (solutions, 6, 6)).astype(np.int8),
        rng.normal(size=(solutions, 3)),
    )


def test_a_layer_by_hand() -> None:
    lines = np.array([[3e-4, 1e-4, 0.0, 2e-4]])
    expected = np.tanh([[2e-4 / 1e-4 + 0.5, -2e-4 / 1e-4 - 1.0]])
    np.testing.assert_allclose(activations(lines, np.array([0.5, -1.0]), 1e-4), expected)


def test_a_batch_is_its_solutions_one_by_one() -> None:
    perceptron, features = random_perceptron(), load_wine().features
    together = ideal_outputs(perceptron, features, 0.8)
    assert together.shape == (4, 178, 3)
    for k in range(4):
        np.testing.assert_allclose(ideal_outputs(perceptron.solution(k), features, 0.8)[0], together[k])
    np.testing.assert_array_equal(perceptron.solution(-1).bits_1, perceptron.bits_1[3:])
    with pytest.raises(IndexError):
        perceptron.solution(4)


def test_only_the_ratio_of_conductance_to_norm_counts_and_a_common_offset_cancels() -> None:
    perceptron, features = random_perceptron(), load_wine().features
    transfers = [1e-4 + 2e-4 * bits for bits in perceptron.bits]
    outputs = matrix_outputs(transfers, perceptron.biases, features, 0.9 * 2e-4)
    np.testing.assert_allclose(outputs, ideal_outputs(perceptron, features, 0.9), atol=1e-9)


def test_layers_may_be_functions() -> None:
    perceptron, features = random_perceptron(1), load_wine().features
    seen = []

    def first(inputs: np.ndarray) -> np.ndarray:
        seen.append(inputs)
        return inputs @ perceptron.bits_1[0]

    biases = [bias[0] for bias in perceptron.biases]
    precision = Precision(5, 4)
    outputs = network_outputs([first, lambda x: x @ perceptron.bits_2[0]], biases, features, 1.0, precision)
    np.testing.assert_allclose(outputs, ideal_outputs(perceptron, features, 1.0, precision)[0])
    np.testing.assert_allclose(seen[0], quantise_unipolar(features, 5) / 31)


def test_hidden_activations_are_applied_with_their_own_precision() -> None:
    perceptron, features = random_perceptron(1), load_wine().features
    hidden = np.tanh(
        features @ (perceptron.bits_1[0, :, 0::2] - perceptron.bits_1[0, :, 1::2]) + perceptron.biases_1[0]
    )
    weights = perceptron.bits_2[0, :, 0::2] - perceptron.bits_2[0, :, 1::2]
    expected = np.tanh(np.rint(3 * hidden) / 3 @ weights + perceptron.biases_2[0])
    np.testing.assert_allclose(ideal_outputs(perceptron, features, 1.0, Precision(None, 2))[0], expected)


def test_layers_that_do_not_fit_are_refused() -> None:
    good = random_perceptron()
    with pytest.raises(InputError, match="do not fit"):
        Perceptron(good.bits_1, good.biases_1[:, :5], good.bits_2, good.biases_2)


def test_scores_by_hand() -> None:
    outputs = np.array([[0.9, 0.1, -1.0], [0.2, 0.5, 0.4], [-0.5, 0.0, 0.3]])
    labels = np.array([0, 2, 2])
    assert accuracy(outputs, labels) == pytest.approx(2 / 3)
    np.testing.assert_allclose(margins(outputs, labels), [0.8, -0.1, 0.3])
    np.testing.assert_array_equal(confusion(outputs, labels), [[1, 0, 0], [0, 0, 0], [0, 1, 1]])


def test_confusion_of_a_batch_agrees_with_its_accuracy() -> None:
    data = load_wine()
    outputs = ideal_outputs(random_perceptron(), data.features)
    counts = confusion(outputs, data.labels)
    assert counts.shape == (4, 3, 3)
    np.testing.assert_allclose(np.trace(counts, axis1=1, axis2=2) / 178, accuracy(outputs, data.labels))
    np.testing.assert_array_equal(counts.sum(axis=2), np.tile(np.bincount(data.labels), (4, 1)))


def test_full_scale_is_one_and_values_beyond_are_clipped() -> None:
    np.testing.assert_array_equal(quantise_unipolar(np.array([-0.2, 0.0, 0.5, 1.0, 1.7]), 4), [0, 0, 8, 15, 15])
    sign, magnitude = quantise_bipolar(np.array([-1.0, -0.01, 0.0, 0.5, 1.2]), 4)
    np.testing.assert_array_equal(sign, [-1, 0, 0, 1, 1])
    np.testing.assert_array_equal(magnitude, [15, 0, 0, 8, 15])
    np.testing.assert_allclose(applied_inputs(np.array([-1.0, 0.5]), 4), [-1.0, 8 / 15])


def test_levels_need_enough_bits() -> None:
    with pytest.raises(InputError, match="do not fit into 3 bits"):
        bit_planes(np.array([8]), 3)
    with pytest.raises(InputError, match="at least one bit"):
        quantise_unipolar(np.array([0.5]), 0)


@given(st.integers(1, 12), st.data())
def test_bit_planes_go_there_and_back(bits: int, data: st.DataObject) -> None:
    levels = np.array(data.draw(st.lists(st.integers(0, 2**bits - 1), max_size=20)), dtype=np.int64)
    planes = bit_planes(levels, bits)
    assert planes.shape == (bits, levels.size) and planes.dtype == np.bool_
    np.testing.assert_array_equal(from_bit_planes(planes), levels)
    np.testing.assert_array_equal(planes[0], levels % 2 == 1)


@given(st.integers(1, 10), st.lists(st.floats(-1, 1), min_size=1, max_size=20))
def test_quantisation_is_off_by_half_a_step_at_most(bits: int, values: list[float]) -> None:
    exact = np.array(values)
    applied = applied_inputs(exact, bits)
    assert np.abs(applied - exact).max() <= 0.5 / (2**bits - 1) + 1e-12
    np.testing.assert_allclose(applied_inputs(applied, bits), applied)


def test_currents_of_bit_planes_add_up_to_the_current_of_the_levels() -> None:
    rng = np.random.default_rng(1)
    transfer, levels = rng.uniform(1e-4, 2e-4, (13, 12)), rng.integers(0, 32, (7, 13))
    summed = from_bit_planes(bit_planes(levels, 5) @ transfer)
    np.testing.assert_allclose(summed, levels @ transfer)


def _published(name: str) -> np.ndarray:
    return np.stack([np.loadtxt(PUBLISHED / "solutions" / f"{i}_{name}.txt") for i in range(200)])


@pytest.fixture(scope="module")
def published() -> Perceptron:
    weights = [_published(f"fc{layer}_weight").astype(np.int8) for layer in (1, 2)]
    biases = [_published(f"fc{layer}_bias") for layer in (1, 2)]
    return Perceptron(weights[0], biases[0], weights[1], biases[1])


def _wines(part: str) -> tuple[np.ndarray, np.ndarray]:
    features = np.loadtxt(PUBLISHED / "dataset" / f"X_{part}.txt").T
    return features, np.loadtxt(PUBLISHED / "dataset" / f"Y_{part}.txt").argmax(axis=0)


@needs_published
def test_published_solutions_reach_their_known_accuracies(published: Perceptron) -> None:
    train = 100 * accuracy_versus_g(published, *_wines("train"), (1.0, 0.9, 0.5, 1.5))
    np.testing.assert_allclose(train.mean(axis=1), [96.98, 97.41, 82.44, 73.55], atol=0.006)
    assert np.median(train[0]) == pytest.approx(97.97, abs=0.006)
    assert train[0].min() == pytest.approx(77.70, abs=0.006)
    test = 100 * accuracy_versus_g(published, *_wines("test"), (1.0,))[0]
    assert test.mean() == pytest.approx(91.33, abs=0.006)
    assert np.median(test) == pytest.approx(93.33, abs=0.006)


@needs_published
def test_the_bundled_wines_are_the_published_wines() -> None:
    features = np.concatenate([_wines(part)[0] for part in ("train", "test")])
    ours = load_wine().features
    nearest = np.abs(features[:, None] - ours[None]).max(axis=2).min(axis=1)
    assert nearest.max() < 1e-9
