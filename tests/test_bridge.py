"""The bridge: maps become layers, solutions become plans, and the normalising conductance is tuned."""

import numpy as np
import pytest

from mtjlab import bridge
from mtjlab.bridge import (
    G_GRID,
    layer_cells,
    layer_siemens,
    plan_network,
    planned_siemens,
    select_solution,
    tune_g_norm,
)
from mtjlab.engine.datasets import load_wine
from mtjlab.engine.perceptron import Perceptron, Precision, accuracy, matrix_outputs
from mtjlab.engine.placement import Placement, place_first
from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, State

G_AP, G_P = 1e-4, 2.5e-4
ON_OFF = G_P - G_AP


def make_map(shape: tuple[int, int] = (15, 15)) -> ArrayMap:
    rng = np.random.default_rng(0)
    ap, p = (base * np.exp(0.02 * rng.standard_normal(shape)) for base in (G_AP, G_P))
    status = np.full(shape, CellStatus.OK, dtype=np.int8)
    return ArrayMap(ap.copy(), p, ap, np.zeros(shape, np.int8), status, np.zeros(shape), Conditions(0.1))


def separating_perceptron(solutions: int = 1) -> Perceptron:
    """Two inputs, two hidden units, two classes: class 0 where the first input is the larger one."""
    bits = np.array([[1, 0, 0, 1], [0, 1, 1, 0]], dtype=np.int8)
    return Perceptron(
        np.tile(bits, (solutions, 1, 1)),
        np.zeros((solutions, 2)),
        np.tile(bits, (solutions, 1, 1)),
        np.zeros((solutions, 2)),
    )


def wine_perceptron(solutions: int, seed: int = 0) -> Perceptron:
    rng = np.random.default_rng(seed)
    bits = [rng.integers(0, 2, (solutions, *shape)).astype(np.int8) for shape in ((13, 12), (6, 6))]
    return Perceptron(bits[0], rng.normal(size=(solutions, 6)), bits[1], rng.normal(size=(solutions, 3)))


def test_a_plan_carries_bits_biases_and_lines() -> None:
    solution = wine_perceptron(3).solution(2)
    lines = [place_first(13, 6, (15, 15)), Placement(np.array([9, 3, 4, 7, 0, 1]), np.array([5, 2, 0, 1, 8, 3]))]
    plan = plan_network(solution, lines)
    for layer, where, bits, biases in zip(plan.layers, lines, solution.bits, solution.biases, strict=True):
        np.testing.assert_array_equal(layer.target((15, 15))[np.ix_(where.rows, where.cols)], bits[0])
        np.testing.assert_array_equal(layer.biases, biases[0])
    assert (plan.layers[1].target((15, 15)) == State.UNKNOWN).sum() == 225 - 36


def test_plans_of_the_wrong_size_are_refused() -> None:
    both = [place_first(13, 6, (15, 15)), place_first(6, 3, (15, 15))]
    with pytest.raises(InputError, match="holds one solution, got 2"):
        plan_network(wine_perceptron(2), both)
    with pytest.raises(InputError, match="layer 1 of shape"):
        plan_network(wine_perceptron(1), both[::-1])


def test_a_layer_reads_the_wanted_state_of_its_own_cells() -> None:
    die = make_map()
    rows, cols = np.array([14, 0, 3]), np.array([2, 11])
    bits = np.array([[1, 0], [0, 1], [1, 1]], dtype=np.int8)
    plan = plan_network(_one_layer(bits), [Placement(rows, cols), place_first(1, 1, (15, 15))]).layers[0]
    siemens = layer_siemens(die, plan)
    for i, j in np.ndindex(3, 2):
        source = die.siemens_p if bits[i, j] else die.siemens_ap
        assert siemens[i, j] == source[rows[i], cols[j]]


def _one_layer(bits: np.ndarray) -> Perceptron:
    second = np.zeros((1, 1, 2), dtype=np.int8)
    return Perceptron(bits[np.newaxis], np.zeros((1, 1)), second, np.zeros((1, 1)))


def test_shorts_and_opens_are_not_clamped_and_stuck_cells_stay_put() -> None:
    die = make_map()
    for col, (status, siemens) in enumerate(((CellStatus.SHORT, 5e-3), (CellStatus.OPEN, 1e-9))):
        die.status[0, col] = status
        die.siemens_p[0, col] = die.siemens_ap[0, col] = siemens
    die.status[0, 2:4] = CellStatus.STUCK_P, CellStatus.STUCK_AP
    ap, p = layer_cells(die, place_first(13, 6, die.shape))
    np.testing.assert_array_equal(ap[0, :4], [5e-3, 1e-9, die.siemens_p[0, 2], die.siemens_ap[0, 3]])
    np.testing.assert_array_equal(p[0, :4], ap[0, :4])
    np.testing.assert_array_equal(p[1:], die.siemens_p[1:13, :12])


def test_unread_cells_under_a_layer_are_counted() -> None:
    die = make_map()
    die.siemens_p[2, 3] = die.siemens_ap[4, 4] = die.siemens_p[14, 14] = np.nan
    with pytest.raises(InputError, match="2 of the 156 cells"):
        layer_cells(die, place_first(13, 6, die.shape))


def test_the_planned_array_holds_the_layer_and_what_lies_beside_it() -> None:
    die = make_map()
    die.siemens[14, 14], die.siemens[14, 13] = 7e-4, np.nan
    plan = plan_network(wine_perceptron(1), [place_first(13, 6, die.shape), place_first(6, 3, die.shape)]).layers[0]
    siemens = planned_siemens(die, plan)
    np.testing.assert_array_equal(siemens[:13, :12], layer_siemens(die, plan))
    assert siemens[14, 14] == 7e-4 and siemens[14, 13] == die.siemens_ap[14, 13]
    die.siemens_ap[14, 13] = die.siemens_p[14, 13] = np.nan
    with pytest.raises(InputError, match="1 cells of the array were never read"):
        planned_siemens(die, plan)


def test_tuning_finds_the_norm_that_a_scaled_array_needs() -> None:
    """Wires that halve every weight are made up for by half the normalising conductance."""
    data = load_wine()
    perceptron = wine_perceptron(1, seed=3)
    tunings = []
    for scale in (1.0, 0.5):
        transfers = [scale * (G_AP + ON_OFF * bits[0]) for bits in perceptron.bits]
        biases = [bias[0] for bias in perceptron.biases]
        tunings.append(
            tune_g_norm(transfers, biases, data.train_features, data.train_labels, ON_OFF, g_grid=scale * G_GRID)
        )
    np.testing.assert_allclose(tunings[0].accuracy, tunings[1].accuracy)
    assert tunings[1].siemens_norm == pytest.approx(tunings[0].siemens_norm / 2)
    assert tunings[0].grid_siemens[[0, -1]] == pytest.approx([0.3 * ON_OFF, 1.7 * ON_OFF])
    assert tunings[0].best_accuracy == tunings[0].accuracy.max()


def test_tuning_predicts_with_the_precision_of_the_hardware() -> None:
    data, perceptron = load_wine(), wine_perceptron(1, seed=3)
    transfers = [G_AP + ON_OFF * bits[0] for bits in perceptron.bits]
    biases = [bias[0] for bias in perceptron.biases]
    coarse = Precision(1, 1)
    tuning = tune_g_norm(transfers, biases, data.train_features, data.train_labels, ON_OFF, coarse)
    outputs = matrix_outputs(transfers, biases, data.train_features, tuning.siemens_norm, coarse)
    assert tuning.best_accuracy == accuracy(outputs, data.train_labels)
    default = tune_g_norm(transfers, biases, data.train_features, data.train_labels, ON_OFF)
    assert not np.array_equal(tuning.accuracy, default.accuracy)


def test_of_equal_points_the_centre_of_the_widest_plateau_is_taken() -> None:
    """A separable task with perfect devices is solved at every point of the grid."""
    features, labels = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1])
    transfers = [G_AP + ON_OFF * bits[0] for bits in separating_perceptron().bits]
    tuning = tune_g_norm(transfers, [np.zeros(2)] * 2, features, labels, ON_OFF)
    assert tuning.accuracy.min() == 1.0
    assert tuning.siemens_norm == pytest.approx(1.0 * ON_OFF)
    even = tune_g_norm(transfers, [np.zeros(2)] * 2, features, labels, ON_OFF, g_grid=np.array([0.5, 1.0]))
    assert even.best == np.argmin(even.margin_loss)


def test_a_wide_plateau_is_preferred_to_a_narrow_one_with_better_margins() -> None:
    hits = np.array([0.9, 1.0, 0.9, 1.0, 1.0, 1.0, 0.8])
    losses = np.array([0.5, 0.1, 0.5, 0.4, 0.4, 0.3, 0.5])
    assert bridge._best_point(hits, losses) == 4
    assert bridge._best_point(np.array([1.0, 0.9, 1.0]), np.array([0.3, 0.1, 0.2])) == 2


def test_solutions_are_ranked_by_accuracy_then_by_margin() -> None:
    features, labels = np.array([[0.9, 0.1], [0.2, 0.8]]), np.array([0, 1])
    perceptron = separating_perceptron(3)
    strength = np.array([0.1, -1.0, 1.0])[:, np.newaxis, np.newaxis]
    transfers = [ON_OFF * bits * (strength if layer == 0 else 1.0) for layer, bits in enumerate(perceptron.bits)]
    chosen = select_solution(transfers, perceptron.biases, features, labels, ON_OFF)
    np.testing.assert_array_equal(chosen.order, [2, 0, 1])
    assert chosen.best == 2
    assert [tuning.best_accuracy for tuning in chosen.tunings] == [1.0, 0.0, 1.0]


def test_a_solution_is_tuned_in_the_batch_as_it_is_alone() -> None:
    data, perceptron = load_wine(), wine_perceptron(3)
    transfers = [G_AP + ON_OFF * bits for bits in perceptron.bits]
    chosen = select_solution(transfers, perceptron.biases, data.train_features, data.train_labels, ON_OFF)
    for k, tuning in enumerate(chosen.tunings):
        alone = tune_g_norm(
            [transfer[k] for transfer in transfers],
            [bias[k] for bias in perceptron.biases],
            data.train_features,
            data.train_labels,
            ON_OFF,
        )
        assert alone.best == tuning.best
        np.testing.assert_allclose(alone.accuracy, tuning.accuracy)
