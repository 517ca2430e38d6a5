"""Bridges to other engines, on stand-ins that compute as those engines are documented to.

`python -m benchmarks other_engines` runs the same checks on the engines themselves where they are installed.
"""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from mtjlab.bridge_aihwkit import analog_linear
from mtjlab.bridge_cross_sim import put_on_cross_sim
from mtjlab.bridge_weights import effective_weights, plus_and_minus
from mtjlab.bridge_xbtorch import put_on_xbtorch
from mtjlab.engine.effective_weights import effective_state_dict
from mtjlab.errors import InputError

NORM = 1.1e-4
INPUTS = np.random.default_rng(9).random((4, 6))


def conductances(inputs: int = 6, outputs: int = 5, seed: int = 0) -> np.ndarray:
    """With a short of 10 mS, an open cell, and a cell of no conductance at all."""
    rng = np.random.default_rng(seed)
    siemens = rng.choice([1e-4, 2.1e-4], (inputs, 2 * outputs)) * np.exp(0.1 * rng.standard_normal((inputs, 1)))
    siemens[0, 0], siemens[1, 3], siemens[2, 2] = 1e-2, 1e-12, 0.0
    return siemens


def wanted(siemens: np.ndarray) -> np.ndarray:
    """What the die gives: currents of the plus lines less those of the minus lines, in units of weight."""
    currents = INPUTS @ siemens
    return (currents[:, 0::2] - currents[:, 1::2]) / NORM


def test_weights_are_what_line_currents_say() -> None:
    np.testing.assert_allclose(INPUTS @ effective_weights(conductances(), NORM).T, wanted(conductances()))
    with pytest.raises(InputError, match="lines in pairs"):
        plus_and_minus(np.ones((4, 3)))
    with pytest.raises(InputError, match="2 of the 8 conductances are not known"):
        plus_and_minus(np.array([[1.0, np.nan, 1.0, 1.0], [1.0, 1.0, np.inf, 1.0]]))
    with pytest.raises(InputError, match="siemens_norm must be above 0"):
        effective_weights(np.ones((2, 2)), 0.0)


def test_a_plain_model_computes_as_the_die() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 2))
    first, second = conductances(), conductances(5, 2, seed=1)
    biases = {"0": np.arange(5.0), "2": np.array([0.5, -0.5])}
    state = effective_state_dict({"0": first, "2": second}, {"0": NORM, "2": NORM}, biases, dtype=torch.float64)
    model.double().load_state_dict(state)
    hidden = np.maximum(wanted(first) + biases["0"], 0)
    found = model(torch.as_tensor(INPUTS)).detach().numpy()
    np.testing.assert_allclose(found, hidden @ effective_weights(second, NORM).T + biases["2"])
    with pytest.raises(InputError, match=r"not of the same layers: \['2'\]"):
        effective_state_dict({"0": first, "2": second}, {"0": NORM})
    with pytest.raises(InputError, match=r"0: biases of shape \(2,\) for 5 outputs"):
        effective_state_dict({"0": first}, {"0": NORM}, {"0": np.zeros(2)})


class FakeNoiseModel:
    """Slices of conductances, microsiemens, each given to the subclass in turn."""

    def __init__(self, g_converter: Any) -> None:
        self.g_converter = g_converter

    def apply_programming_noise(self, weights: torch.Tensor) -> torch.Tensor:
        slices, params = self.g_converter.convert_to_conductances(weights)
        found = [self.apply_programming_noise_to_conductance(each) for each in slices]
        return self.g_converter.convert_back_to_weights(found, params)

    def apply_drift_noise(self, weights: torch.Tensor) -> torch.Tensor:
        slices, params = self.g_converter.convert_to_conductances(weights)
        found = [self.apply_drift_noise_to_conductance(each, None, 1.0) for each in slices]
        return self.g_converter.convert_back_to_weights(found, params)


class FakeConverter:
    """The largest weight becomes g_max; one device of a pair is always at g_min."""

    def __init__(self, g_max: float, g_min: float) -> None:
        self.g_max, self.g_min = g_max, g_min

    def convert_to_conductances(self, weights: torch.Tensor) -> tuple[list[torch.Tensor], float]:
        scale = (self.g_max - self.g_min) / float(weights.abs().max().clamp(min=1e-7))
        return [(sign * weights * scale).clamp(0, self.g_max) + self.g_min for sign in (1, -1)], scale

    def convert_back_to_weights(self, slices: list[torch.Tensor], scale: float) -> torch.Tensor:
        return (slices[0] - slices[1]) / scale


class FakeAnalogLinear:
    """A tile that scales its weights by half before they are programmed, and its outputs back."""

    def __init__(self, inputs: int, outputs: int, bias: bool, rpu_config: Any) -> None:
        self.weights, self.bias = torch.zeros(outputs, inputs, dtype=torch.float64), torch.zeros(outputs)
        self.config = rpu_config

    def get_weights(self) -> tuple[torch.Tensor, torch.Tensor]:
        return 2 * self.weights, self.bias

    def set_weights(self, weights: torch.Tensor, bias: torch.Tensor | None) -> None:
        self.weights, self.bias = weights / 2, self.bias if bias is None else bias

    def eval(self) -> None:
        self.is_training = False

    def program_analog_weights(self) -> None:
        self.weights = self.config.noise_model.apply_programming_noise(self.weights)
        self.programmed = self.weights

    def drift_analog_weights(self) -> None:
        self.weights = self.config.noise_model.apply_drift_noise(self.programmed)

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        return 2 * (inputs @ self.weights.T) + self.bias


@pytest.fixture
def _aihwkit(monkeypatch: pytest.MonkeyPatch) -> None:
    def config() -> Any:
        return SimpleNamespace(forward=SimpleNamespace(), mapping=SimpleNamespace())

    contents: dict[str, dict[str, Any]] = {
        "aihwkit.nn": {"AnalogLinear": FakeAnalogLinear},
        "aihwkit.simulator.configs": {"InferenceRPUConfig": config},
        "aihwkit.inference.noise.base": {"BaseNoiseModel": FakeNoiseModel},
        "aihwkit.inference.converter.conductance": {"SinglePairConductanceConverter": FakeConverter},
    }
    for name, members in contents.items():
        for end in range(1, name.count(".") + 1):
            parent = ".".join(name.split(".")[:end])
            monkeypatch.setitem(sys.modules, parent, ModuleType(parent))
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.usefixtures("_aihwkit")
def test_a_layer_of_aihwkit_has_the_conductances_of_the_die() -> None:
    siemens, biases = conductances(), np.arange(5.0)
    layer = analog_linear(siemens, NORM, biases)
    inputs = torch.as_tensor(INPUTS)
    np.testing.assert_allclose(layer(inputs).numpy(), wanted(siemens) + biases, rtol=1e-12)
    layer.drift_analog_weights()
    np.testing.assert_allclose(layer(inputs).numpy(), wanted(siemens) + biases, rtol=1e-12)
    assert layer.config.forward.is_perfect and layer.config.mapping.max_input_size == 0


@pytest.mark.usefixtures("_aihwkit")
def test_read_noise_of_the_cells_goes_along() -> None:
    siemens = conductances()
    sigma = np.full(siemens.shape, 2e-6)
    torch.manual_seed(0)
    layer = analog_linear(siemens, NORM, sigma=sigma)
    read = []
    for _ in range(300):
        layer.drift_analog_weights()
        read.append(layer(torch.as_tensor(INPUTS)).numpy())
    expected = np.sqrt(2 * (INPUTS**2).sum(axis=1)) * 2e-6 / NORM
    np.testing.assert_allclose(np.std(read, axis=0).mean(axis=1), expected, rtol=0.1)


def test_a_missing_engine_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "aihwkit"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aihwkit", None)  # as if it were not installed
    with pytest.raises(InputError, match="aihwkit cannot be used here"):
        analog_linear(conductances(), NORM)


class FakeBalanced:
    """Two matrices (outputs, inputs) in units of 1 / Rmin."""

    def __init__(self, shape: tuple[int, int], largest: float, *, is_fast: bool) -> None:
        device = SimpleNamespace(Rmin=5e3, Grange_norm=0.9)
        self.params = SimpleNamespace(xbar=SimpleNamespace(device=device))
        self.max, self.fast_balanced = largest, is_fast
        self.core_pos, self.core_neg = (SimpleNamespace(matrix=np.zeros(shape, np.float32)) for _ in range(2))
        self.W_balanced = np.zeros(shape)

    def weights(self) -> np.ndarray:
        difference = self.W_balanced if self.fast_balanced else self.core_pos.matrix - self.core_neg.matrix
        return difference / 0.9 * self.max


class FakeCore:
    """Parts of at most three rows and four columns."""

    def __init__(self, outputs: int, inputs: int, *, is_fast: bool = False, largest: float = 2.5) -> None:
        self.shape = outputs, inputs
        heights, widths = (np.diff([*range(0, n, step), n]) for n, step in ((outputs, 3), (inputs, 4)))
        self.cores = [[FakeBalanced((h, w), largest, is_fast=is_fast) for w in widths] for h in heights]

    def __matmul__(self, vector: np.ndarray) -> np.ndarray:
        return np.block([[part.weights() for part in parts] for parts in self.cores]) @ vector


@pytest.mark.parametrize("is_fast", [False, True])
def test_a_core_of_cross_sim_has_the_conductances_of_the_die(is_fast: bool) -> None:
    core = FakeCore(5, 6, is_fast=is_fast)
    factor = put_on_cross_sim(core, conductances(), NORM)
    np.testing.assert_allclose(factor * (core @ INPUTS.T).T, wanted(conductances()), rtol=1e-12)
    np.testing.assert_array_equal(core.cores[0][0].core_pos.matrix[0, 0], 1e-2 * 5e3)


def test_cores_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match=r"a core of shape \(4, 6\) for weights .* of \(5, 6\)"):
        put_on_cross_sim(FakeCore(4, 6), conductances(), NORM)
    offset = SimpleNamespace(shape=(5, 6), cores=[[SimpleNamespace(core_pos=SimpleNamespace())]])
    with pytest.raises(InputError, match=r'core\.style = "BALANCED"'):
        put_on_cross_sim(offset, conductances(), NORM)
    mixed = FakeCore(5, 6)
    mixed.cores[1][0].max = 1.0
    with pytest.raises(InputError, match="different scales"):
        put_on_cross_sim(mixed, conductances(), NORM)


class FakeChip:
    """Conductances in microsiemens; reads are clamped to the window."""

    def __init__(self) -> None:
        self._chip = -torch.ones((30, 40), dtype=torch.float64)
        self.g_min, self.g_max, self.v_read = 50.0, 100.0, 0.3
        self.defect_map = (np.array([0, 29]), np.array([0, 39])), torch.tensor([10.0, 500.0], dtype=torch.float64)

    def read(self, corner: tuple[int, int], shape: torch.Size) -> torch.Tensor:
        block = self._chip[corner[0] : corner[0] + shape[0], corner[1] : corner[1] + shape[1]]
        return block.clamp(self.g_min, self.g_max)


class FakeXbLayer:
    """Largest software weight times the difference of conductances, over the window."""

    def __init__(self, chip: FakeChip, inputs: int, outputs: int, row: int) -> None:
        self.weight = torch.nn.Parameter(torch.zeros(outputs, inputs, dtype=torch.float64))
        self.inference_accelerator = chip
        self._array_mappings = {"Gpos": [(row, 0)], "Gneg": [(row, 10)]}

    def __call__(self, inputs: np.ndarray) -> np.ndarray:
        chip, mappings = self.inference_accelerator, self._array_mappings
        plus, minus = (chip.read(mappings[name][0], self.weight.shape) for name in ("Gpos", "Gneg"))
        volts = torch.as_tensor(inputs) * chip.v_read * self.weight.max()
        return (volts @ (plus - minus).T / ((chip.g_max - chip.g_min) * chip.v_read)).detach().numpy()


def test_layers_of_xbtorch_have_the_conductances_of_the_die() -> None:
    chip = FakeChip()
    layers = [FakeXbLayer(chip, 6, 5, 0), FakeXbLayer(chip, 5, 2, 10)]
    siemens = [conductances(), conductances(5, 2, seed=1)]
    put_on_xbtorch(layers, siemens, [NORM, 2 * NORM])
    np.testing.assert_allclose(layers[0](INPUTS), wanted(siemens[0]), rtol=1e-12)
    hidden = INPUTS[:, :5]
    np.testing.assert_allclose(layers[1](hidden), hidden @ effective_weights(siemens[1], 2 * NORM).T, rtol=1e-12)


def test_cells_stay_when_xbtorch_maps_weights_again() -> None:
    chip = FakeChip()
    layer = FakeXbLayer(chip, 6, 5, 0)
    put_on_xbtorch([layer], [conductances()], [NORM])
    before = chip._chip.clone()
    chip._chip[:10, :20] = 77.0
    (rows, cols), values = chip.defect_map
    chip._chip[rows, cols] = values
    assert torch.equal(chip._chip[:5, :6], before[:5, :6]) and torch.equal(chip._chip[:5, 10:16], before[:5, 10:16])
    assert len(rows) == len(cols) == len(values) == 2 * 30 + 1 and values[0] == 500.0  # the defect elsewhere is kept


def test_layers_of_xbtorch_that_do_not_fit_are_refused() -> None:
    layer = FakeXbLayer(FakeChip(), 6, 5, 0)
    with pytest.raises(InputError, match=r"weights \(5, 6\) for conductances of \(2, 5\)"):
        put_on_xbtorch([layer], [conductances(5, 2)], [NORM])
    layer._array_mappings["Gpos"].append((20, 0))
    with pytest.raises(InputError, match="not mapped once"):
        put_on_xbtorch([layer], [conductances()], [NORM])
