"""Scores of many dies at once are those of one after the other; their summaries are what they say."""
# ruff: noqa: E402, for PyTorch is optional

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mtjlab.engine import network_scores
from mtjlab.engine.cell_states import CellStates
from mtjlab.engine.chip_networks import ChipForm, cells_on, parameters_of, with_parameters
from mtjlab.engine.convert import CrossbarNetwork
from mtjlab.engine.die_sampling import FittedDies, fit_statistics
from mtjlab.engine.network_scores import (
    die_of,
    ensemble_errors,
    error_matrix,
    errors_on,
    losses_on,
    outputs_of,
    spread_of,
    yield_at,
)

from .chip_maps import chip_maps, easy_pictures

pytestmark = pytest.mark.usefixtures("one_thread")

FORM = ChipForm(side=4, hidden=10, output_pairs=2, limits=(1.0, 2.0), part_inputs=8)
DATA = easy_pictures(test=130).shrunk(4)
BAD = {"short": 0.01, "open": 0.02, "stuck_p": 0.02, "stuck_ap": 0.02}
DIES = 3


@pytest.fixture(scope="module")
def cells() -> list[CellStates]:
    return cells_on(chip_maps(DIES, rates=BAD, seed=5), FORM.tiling())


def one_of(networks: CrossbarNetwork, copy: int) -> CrossbarNetwork:
    made = FORM.made()
    with_parameters(made, parameters_of(networks), [copy])
    return made


def errors(network: CrossbarNetwork, cells: list[CellStates] | None = None) -> np.ndarray:
    return errors_on(network, DATA.test_features, DATA.test_labels, cells)


def test_one_network_on_all_dies_is_the_same_as_die_by_die(cells: list[CellStates]) -> None:
    network = FORM.made()
    together = outputs_of(network, DATA.test_features, cells)
    assert together.shape == (DIES, 130, 10) and together.dtype == np.float64
    for die in range(DIES):
        alone = outputs_of(network, DATA.test_features, die_of(cells, die))
        np.testing.assert_allclose(together[die], alone[0], atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 0.1
    wrong = (together.argmax(axis=-1) != DATA.test_labels).mean(axis=-1)
    np.testing.assert_array_equal(errors(network, cells), wrong)


def test_few_samples_at_a_time_give_what_all_at_once_give(
    cells: list[CellStates], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = outputs_of(FORM.made(), DATA.test_features, cells)
    monkeypatch.setattr(network_scores, "_MOST_VALUES", 3 * 16 * 20 * 7)
    np.testing.assert_allclose(outputs_of(FORM.made(), DATA.test_features, cells), whole, atol=1e-5)


def test_the_matrix_has_every_network_on_every_die(cells: list[CellStates]) -> None:
    networks = FORM.made(4, seed=7)
    heard: list[tuple[int, int]] = []
    found = error_matrix(
        networks, DATA.test_features, DATA.test_labels, cells, lambda done, total: heard.append((done, total))
    )
    assert found.shape == (4, DIES) and heard == [(1, 3), (2, 3), (3, 3)]
    for copy in range(4):
        np.testing.assert_allclose(found[copy], errors(one_of(networks, copy), cells), atol=1e-9)
    own = errors(FORM.made(DIES, seed=7), cells)
    singles = [errors(one_of(FORM.made(DIES, seed=7), die), die_of(cells, die))[0] for die in range(DIES)]
    np.testing.assert_allclose(own, singles)


def test_copies_that_are_the_same_vote_as_one_and_others_as_their_mean(cells: list[CellStates]) -> None:
    networks = FORM.made(3, seed=1)
    outputs = outputs_of(networks, DATA.test_features, die_of(cells, 0))
    shares = np.exp(outputs) / np.exp(outputs).sum(axis=-1, keepdims=True)
    wanted = (shares.mean(axis=0).argmax(axis=-1) != DATA.test_labels).mean()
    found = ensemble_errors(networks, DATA.test_features, DATA.test_labels, die_of(cells, 0))
    assert found == pytest.approx(float(wanted))
    alone = one_of(networks, 1)
    assert ensemble_errors(alone, DATA.test_features, DATA.test_labels) == pytest.approx(float(errors(alone)[0]))


def test_losses_on_drawn_dies_are_seeded_and_spread_with_the_defects() -> None:
    statistics = fit_statistics(chip_maps(3, rates=BAD, seed=5))
    shapes = tuple((each.inputs, each.lines) for each in FORM.made().crossbars().values())
    network, given = FORM.made(), (DATA.test_features, DATA.test_labels)
    found = losses_on(network, *given, FittedDies(statistics, shapes), 8)
    np.testing.assert_array_equal(found, losses_on(network, *given, FittedDies(statistics, shapes), 8))
    assert not np.array_equal(found, losses_on(network, *given, FittedDies(statistics, shapes), 8, seed=1))
    healthy = losses_on(network, *given, FittedDies(statistics.times(0.0), shapes), 8)
    assert found.std() > 2 * healthy.std() > 0
    cells = FittedDies(statistics, shapes).draw(1, torch.Generator().manual_seed(0))
    outputs = outputs_of(network, DATA.test_features, cells)[0]
    logs = outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))
    assert found[0] == pytest.approx(-logs[np.arange(130), DATA.test_labels].mean(), rel=1e-6)


def test_spread_and_yield() -> None:
    values = np.array([1.0, 2.0, 3.0, 10.0])
    found = spread_of(values)
    assert (found.mean, found.median, found.least, found.most) == (4.0, 2.5, 1.0, 10.0)
    assert 1.0 < found.low < 4.0 < found.high < 10.0
    assert found == spread_of(values)
    many = np.random.default_rng(0).normal(5.0, 1.0, 400)
    interval = spread_of(many)
    assert interval != spread_of(many, seed=1)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 / 20, rel=0.1)
    assert yield_at(np.array([0.9, 0.95, 0.95, 0.99]), 0.95) == 0.75
