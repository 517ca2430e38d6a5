"""Training: it learns, a seed gives the same bits, cells that cannot switch are reckoned with, torch is optional."""

import subprocess
import sys

import numpy as np
import pytest

from mtjlab.engine import training
from mtjlab.engine.datasets import WineData, load_wine
from mtjlab.engine.perceptron import Perceptron, Precision, accuracy, ideal_outputs, matrix_outputs
from mtjlab.engine.placement import CellPair
from mtjlab.engine.training import TrainingSettings, require_torch, train
from mtjlab.errors import InputError

SHORT_RUN = TrainingSettings(solutions=8, epochs=600, seed=1)
G_AP, G_P = 1e-4, 2e-4


needs_torch = pytest.mark.skipif(not training.HAS_TORCH, reason="PyTorch, the extra `train`, is not installed")


@pytest.fixture(scope="module")
def data() -> WineData:
    return load_wine(1)


@pytest.fixture(scope="module")
def trained(data: WineData) -> Perceptron:
    return train(data, SHORT_RUN)


def healthy_cells() -> list[CellPair]:
    return [CellPair(np.full(shape, G_AP), np.full(shape, G_P)) for shape in ((13, 12), (6, 6))]


def as_placed(perceptron: Perceptron, cells: list[CellPair]) -> list[np.ndarray]:
    return [
        np.where(bits == 1, pair.siemens_p, pair.siemens_ap) for bits, pair in zip(perceptron.bits, cells, strict=True)
    ]


@needs_torch
def test_solutions_are_binary_and_good_with_the_precision_of_the_hardware(data: WineData, trained: Perceptron) -> None:
    assert len(trained) == 8 and trained.layer_sizes == ((13, 6), (6, 3))
    assert all(bits.dtype == np.int8 and set(np.unique(bits)) == {0, 1} for bits in trained.bits)
    outputs = ideal_outputs(trained, data.train_features, 1.0, Precision(5, 4))
    assert np.median(accuracy(outputs, data.train_labels)) > 0.93
    assert np.median(accuracy(ideal_outputs(trained, data.test_features), data.test_labels)) > 0.85


@needs_torch
def test_the_solutions_of_a_batch_differ(trained: Perceptron) -> None:
    assert len({bits.tobytes() for bits in trained.bits_1}) == 8


@needs_torch
def test_solutions_bear_a_spread_of_the_devices(data: WineData, trained: Perceptron) -> None:
    rng = np.random.default_rng(0)
    transfers = [(1.0 + bits) * np.exp(0.07 * rng.standard_normal(bits.shape)) for bits in trained.bits]
    outputs = matrix_outputs(transfers, trained.biases, data.train_features, 1.0, Precision(5, 4))
    assert np.median(accuracy(outputs, data.train_labels)) > 0.9


@needs_torch
def test_a_seed_gives_the_same_bits_and_threads_are_left_as_they_were(data: WineData) -> None:
    settings = TrainingSettings(solutions=2, epochs=30, flip_probability=0.02, seed=5)
    before, calls = training.torch.get_num_threads(), []
    first = train(data, settings, progress=lambda epoch, epochs: calls.append((epoch, epochs)))
    second = train(data, settings)
    for a, b in zip((*first.bits, *first.biases), (*second.bits, *second.biases), strict=True):
        np.testing.assert_array_equal(a, b)
    assert training.torch.get_num_threads() == before
    assert calls[-1] == (30, 30) and calls == sorted(calls)


@needs_torch
def test_the_test_wines_are_never_looked_at(data: WineData) -> None:
    spoiled = WineData(
        data.features.copy(), data.labels.copy(), data.train, data.test, data.class_names, data.feature_names
    )
    spoiled.features[data.test] = np.nan
    spoiled.labels[data.test] = 0
    settings = TrainingSettings(solutions=2, epochs=20)
    np.testing.assert_array_equal(train(spoiled, settings).biases_1, train(data, settings).biases_1)


@needs_torch
def test_training_on_the_very_cells_makes_up_for_a_short(data: WineData, trained: Perceptron) -> None:
    cells = healthy_cells()
    for row, col, siemens in ((2, 3, 10 * G_AP), (7, 8, 10 * G_AP), (4, 0, G_P), (9, 5, G_AP)):
        cells[0].siemens_ap[row, col] = cells[0].siemens_p[row, col] = siemens
    aware = train(data, SHORT_RUN, conductances=cells, siemens_norm=G_P - G_AP)
    medians = {}
    for name, perceptron in (("aware", aware), ("plain", trained)):
        transfers = as_placed(perceptron, cells)
        outputs = matrix_outputs(transfers, perceptron.biases, data.train_features, G_P - G_AP, Precision())
        medians[name] = np.median(accuracy(outputs, data.train_labels))
    assert medians["aware"] > 0.9 > medians["plain"]


@needs_torch
def test_a_weight_is_worth_the_median_swing_unless_told(data: WineData) -> None:
    settings = TrainingSettings(solutions=2, epochs=20)
    told = train(data, settings, conductances=healthy_cells(), siemens_norm=G_P - G_AP)
    untold = train(data, settings, conductances=healthy_cells())
    plain = train(data, settings)
    np.testing.assert_allclose(told.biases_1, untold.biases_1, atol=1e-6)
    np.testing.assert_allclose(told.biases_1, plain.biases_1, atol=1e-3)


@needs_torch
@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda cells: cells[:1], "two layers"),
        (lambda cells: cells[::-1], "cannot use conductances of shape"),
        (lambda cells: [CellPair(c.siemens_ap, np.full_like(c.siemens_p, np.nan)) for c in cells], "156 cells have no"),
        (lambda cells: [CellPair(c.siemens_ap, c.siemens_ap) for c in cells], "no cell of the layers switches"),
    ],
)
def test_conductances_that_do_not_fit_are_refused(data: WineData, spoil: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train(data, SHORT_RUN, conductances=spoil(healthy_cells()))  # type: ignore[operator]


@needs_torch
def test_a_weight_must_be_worth_something(data: WineData) -> None:
    with pytest.raises(InputError, match="siemens_norm must be above 0"):
        train(data, SHORT_RUN, conductances=healthy_cells(), siemens_norm=0.0)


@pytest.mark.parametrize(
    "wrong", [{"solutions": 0}, {"g": 0.0}, {"on_off_ratio": 1.0}, {"device_spread": -0.1}, {"flip_probability": 2.0}]
)
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError):
        TrainingSettings(**wrong)  # type: ignore[arg-type]


def test_without_torch_the_remedy_is_told(data: WineData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "HAS_TORCH", False)
    with pytest.raises(InputError, match=r'pip install -c constraints.txt "\.\[train\]"'):
        train(data)


def test_the_module_imports_without_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from mtjlab.engine.training import TrainingSettings, require_torch\n"
        "from mtjlab.errors import InputError\n"
        "TrainingSettings()\n"
        "try:\n    require_torch()\nexcept InputError as error:\n    print(error.what)\n"
    )
    path = [entry for entry in sys.path if entry]
    finished = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{program}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert finished.stdout.strip() == "PyTorch is not installed"


@needs_torch
def test_nothing_is_demanded_where_torch_is_installed() -> None:
    require_torch()
