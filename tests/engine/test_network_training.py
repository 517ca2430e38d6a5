"""Training for ideal devices, for known dies and for drawn ones: each gets better at what it trains for."""
# ruff: noqa: E402, for PyTorch is optional

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mtjlab.engine.cell_states import CellStates
from mtjlab.engine.chip_networks import ChipForm, cells_on, parameters_of
from mtjlab.engine.convert import CrossbarNetwork
from mtjlab.engine.die_sampling import DefectStatistics, FittedDies, fit_statistics
from mtjlab.engine.network_scores import outputs_of
from mtjlab.engine.network_training import NetworkSettings, train_network, use_cells
from mtjlab.errors import InputError

from .chip_maps import chip_maps, easy_pictures

pytestmark = pytest.mark.usefixtures("one_thread")

FORM = ChipForm(side=4, hidden=24, output_pairs=2, limits=(1.0, 2.0), part_inputs=8)
DATA = easy_pictures().shrunk(4)
SHORT_RUN = NetworkSettings(epochs=3, batch=32, seed=3)
LONG_RUN = NetworkSettings(epochs=10, batch=16, seed=3)
BAD = {"short": 0.01, "open": 0.02, "stuck_p": 0.02, "stuck_ap": 0.02}


def train(copies: int = 1, settings: NetworkSettings = SHORT_RUN, **how: Any) -> CrossbarNetwork:
    return train_network(FORM.made(copies), DATA.train_features, DATA.train_labels, settings, **how)


def losses(network: CrossbarNetwork, cells: Sequence[CellStates] | None = None) -> np.ndarray:
    """Cross-entropy on the test pictures, one per copy or die."""
    outputs = torch.as_tensor(outputs_of(network, DATA.test_features, cells))
    labels = torch.as_tensor(DATA.test_labels)
    return np.array([float(torch.nn.functional.cross_entropy(each, labels)) for each in outputs])


def same(one: CrossbarNetwork, other: CrossbarNetwork) -> bool:
    mine, others = parameters_of(one), parameters_of(other)
    return all(np.array_equal(values, others[name]) for name, values in mine.items())


@pytest.fixture(scope="module")
def cells() -> list[CellStates]:
    """Under the layers on two dies with many defects."""
    return cells_on(chip_maps(2, rates=BAD, seed=5), FORM.tiling())


@pytest.fixture(scope="module")
def source() -> FittedDies:
    shapes = tuple((each.inputs, each.lines) for each in FORM.made().crossbars().values())
    return FittedDies(fit_statistics(chip_maps(4, rates=BAD, seed=6)), shapes)


def test_ideal_training_learns_and_ends_out_of_training_mode() -> None:
    network = train(2, LONG_RUN)
    assert not network.training
    assert (losses(network) < 0.6 * losses(FORM.made(2))).all()
    assert all(float(crossbar.latent.detach().abs().max()) <= 1.0 for crossbar in network.crossbars().values())


def test_hardware_aware_training_is_for_the_cells_of_each_copy(cells: list[CellStates]) -> None:
    own, ideal = train(2, LONG_RUN, cells=cells), train(2, LONG_RUN)
    assert (losses(own, cells) < losses(ideal, cells)).all()
    swapped = [CellStates(layer.off.flip(0), layer.swing.flip(0)) for layer in cells]
    assert losses(own, cells).mean() < losses(own, swapped).mean()


def test_statistics_aware_training_is_for_dies_yet_unseen(source: FittedDies) -> None:
    unseen = source.draw(12, torch.Generator().manual_seed(99))
    aware, ideal = train(1, LONG_RUN, dies=source), train(1, LONG_RUN)
    assert losses(aware, unseen).mean() < 0.9 * losses(ideal, unseen).mean()


def test_a_batch_can_be_shared_out_among_dies(source: FittedDies) -> None:
    settings = replace(LONG_RUN, dies_per_step=4)
    unseen = source.draw(12, torch.Generator().manual_seed(99))
    shared = train(1, settings, dies=source)
    assert losses(shared, unseen).mean() < 0.8 * losses(FORM.made(), unseen).mean()
    assert not same(shared, train(1, LONG_RUN, dies=source))


@pytest.mark.parametrize("kind", ["ideal", "hardware", "statistics"])
def test_the_same_seed_gives_the_same_bits(kind: str, cells: list[CellStates], source: FittedDies) -> None:
    ways: dict[str, dict[str, Any]] = {"ideal": {}, "hardware": {"cells": cells}, "statistics": {"dies": source}}
    how = ways[kind]
    settings = replace(SHORT_RUN, epochs=1)
    first = train(2, settings, **how)
    assert same(first, train(2, settings, **how))
    assert not same(first, train(2, replace(settings, seed=4), **how))


class StopError(Exception):
    """Somebody stopped it."""


def test_what_was_stopped_goes_on_to_the_same_bits(source: FittedDies, tmp_path: Path) -> None:
    heard: list[tuple[int, int]] = []

    def stop_after_two(done: int, total: int) -> None:
        heard.append((done, total))
        if done == 2:
            raise StopError

    with pytest.raises(StopError):
        train(2, dies=source, checkpoint=tmp_path / "c.pt", progress=stop_after_two)
    assert heard == [(1, 3), (2, 3)]
    left: list[int] = []
    resumed = train(2, dies=source, checkpoint=tmp_path / "c.pt", progress=lambda done, total: left.append(done))
    assert left == [3]
    assert same(resumed, train(2, dies=source))
    with pytest.raises(InputError, match="trained with another learning_rate"):
        train(2, replace(SHORT_RUN, learning_rate=0.5), dies=source, checkpoint=tmp_path / "c.pt")
    with pytest.raises(InputError, match="trained with another samples"):
        train_network(
            FORM.made(2), DATA.train_features[:64], DATA.train_labels[:64], SHORT_RUN, checkpoint=tmp_path / "c.pt"
        )


class Constant:
    """Dies whose cells all conduct one value: what training made of them is seen in the network's cells."""

    def __init__(self, value: float) -> None:
        self.value, self.asked = value, list[int]()

    def draw(self, dies: int, random: "torch.Generator") -> list[CellStates]:
        self.asked.append(dies)
        shapes = [(each.inputs, each.lines) for each in FORM.made().crossbars().values()]
        return [CellStates(torch.full((dies, *s), self.value), torch.ones(dies, *s)) for s in shapes]


def test_each_copy_can_have_a_source_of_its_own() -> None:
    sources = [Constant(0.5), Constant(0.75)]
    network = train(2, replace(SHORT_RUN, epochs=1), dies=sources)
    for crossbar in network.crossbars().values():
        assert crossbar.cells.off[:, 0, 0].tolist() == [0.5, 0.75]
    steps = len(DATA.train_labels) // SHORT_RUN.batch
    assert sources[0].asked == sources[1].asked == [1] * steps
    common = Constant(0.5)
    train(3, replace(SHORT_RUN, epochs=1), dies=common)
    assert common.asked == [3] * steps


def test_one_source_per_copy_is_as_if_each_were_trained_alone() -> None:
    """The loss is summed over copies: none slows the other down."""
    alone = train(1, replace(SHORT_RUN, epochs=1), cells=Constant(0.5).draw(1, torch.Generator()))
    first = FORM.made(2)
    with torch.no_grad():
        for both, one in zip(first.parameters(), FORM.made(1).parameters(), strict=True):
            both.copy_(one.expand_as(both))
    settings = replace(SHORT_RUN, epochs=1)
    train_network(first, DATA.train_features, DATA.train_labels, settings, dies=[Constant(0.5), Constant(0.75)])
    for name, values in parameters_of(alone).items():
        np.testing.assert_allclose(parameters_of(first)[name][0], values[0], atol=1e-4)


def test_misuse_is_refused(cells: list[CellStates], source: FittedDies) -> None:
    with pytest.raises(InputError, match="for known cells or for drawn dies, not for both"):
        train(2, cells=cells, dies=source)
    with pytest.raises(InputError, match="3 sources of dies for 2 copies"):
        train(2, dies=[source] * 3)
    with pytest.raises(InputError, match="256 samples do not fill a batch of 300"):
        train(2, NetworkSettings(batch=300))
    with pytest.raises(InputError, match="cells for 1 layers, but the network has 2"):
        use_cells(FORM.made(), cells[:1])
    for wrong in ({"epochs": 0}, {"batch": 0}, {"batch": 30, "dies_per_step": 4}):
        with pytest.raises(InputError, match="epochs, batch and dies_per_step"):
            NetworkSettings(**wrong)
    for other in ({"learning_rate": 0.0}, {"final_rate": 1.5}, {"label_smoothing": 1.0}):
        with pytest.raises(InputError, match="learning_rate must be above 0"):
            NetworkSettings(**other)  # type: ignore[arg-type]


def test_healthy_dies_without_spread_train_as_ideal_ones_do() -> None:
    """Drawing takes random numbers, but neither conductances nor the order of learning differ in kind."""
    perfect = DefectStatistics(0, 0, 0, 0, 0, 6, 0, 0.8, 2.25, 0, 0)
    shapes = tuple((each.inputs, each.lines) for each in FORM.made().crossbars().values())
    drawn = train(1, LONG_RUN, dies=FittedDies(perfect, shapes))
    assert losses(drawn)[0] == pytest.approx(losses(train(1, LONG_RUN))[0], rel=0.5)
    assert losses(drawn)[0] < 0.6 * losses(FORM.made())[0]
