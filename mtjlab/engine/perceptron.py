"""Two-layer perceptrons of binary junctions: what they compute, ideally or from measured conductances.

Differential pairs of columns carry the weights, real biases stay in software, both layers end in tanh and
the largest of the outputs names the class:

    d = I[plus] - I[minus],   y = tanh(d / (G_norm V_read) + bias)

This is the forward pass of the published Wine solutions (usnistgov/daffodil-lib). G_norm, the conductance that
counts as weight one, is the parameter a network is tuned with; g is G_norm in units of G_P - G_AP.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..nouns import Floats, Ints

IntArray = NDArray[np.int64]

LineCurrents = Callable[[Floats], Floats]
"""Inputs (..., samples, inputs), in units of the read voltage, to column currents per read volt
(..., samples, 2 * outputs), siemens. A network solver or the die itself can stand behind it."""


@dataclass(frozen=True)
class Precision:
    """How finely a layer's inputs are applied: bits of the unipolar inputs, and bits beside the sign of the
    hidden activations. None means exact."""

    input_bits: int | None = 6
    hidden_bits: int | None = 4


EXACT = Precision(None, None)
"""Inputs applied without quantisation."""


@dataclass(frozen=True, eq=False)
class Perceptron:
    """A batch of K solutions of one network shape (Wine: 13 inputs, 6 hidden, 3 outputs).

    Attributes:
        bits_1: shape (K, inputs, 2 * hidden), 0 (AP) or 1 (P); columns are plus, minus, plus, minus ...
        biases_1: shape (K, hidden), added to d/g.
        bits_2: shape (K, hidden, 2 * outputs), likewise.
        biases_2: shape (K, outputs).
    """

    bits_1: Ints
    biases_1: Floats
    bits_2: Ints
    biases_2: Floats

    def __post_init__(self) -> None:
        count, _, lines_1 = self.bits_1.shape
        outputs = self.biases_2.shape[-1]
        wanted = [(count, lines_1 // 2), (count, lines_1 // 2, 2 * outputs), (count, outputs)]
        if [self.biases_1.shape, self.bits_2.shape, self.biases_2.shape] != wanted or lines_1 % 2:
            raise InputError(f"the layers of a perceptron with bits_1 {self.bits_1.shape} do not fit together")

    def __len__(self) -> int:
        return int(self.bits_1.shape[0])

    def solution(self, k: int) -> Perceptron:
        """Solution k alone, as a batch of one."""
        pick = range(len(self))[k]
        return self.pick([pick])

    def pick(self, solutions: Sequence[int]) -> Perceptron:
        """The batch of these solutions, in this order."""
        chosen = list(solutions)
        return Perceptron(self.bits_1[chosen], self.biases_1[chosen], self.bits_2[chosen], self.biases_2[chosen])

    @property
    def bits(self) -> tuple[Ints, Ints]:
        """Bits per layer."""
        return self.bits_1, self.bits_2

    @property
    def biases(self) -> tuple[Floats, Floats]:
        """Biases per layer."""
        return self.biases_1, self.biases_2

    @property
    def layer_sizes(self) -> tuple[tuple[int, int], ...]:
        """(inputs, outputs) per layer."""
        return tuple((bits.shape[1], bits.shape[2] // 2) for bits in self.bits)


def quantise_unipolar(values: Floats, bits: int) -> IntArray:
    """Levels 0..2^bits - 1 of values 0..1 (clipped); 1 is full scale, 2^bits - 1."""
    full_scale = _full_scale(bits)
    return np.asarray(np.rint(np.clip(values, 0.0, 1.0) * full_scale), dtype=np.int64)


def quantise_bipolar(values: Floats, bits: int) -> tuple[IntArray, IntArray]:
    """(sign, magnitude) of values -1..1 (clipped): sign is -1, 0 or 1, magnitude 0..2^bits - 1."""
    magnitude = quantise_unipolar(np.abs(values), bits)
    return np.asarray(np.sign(values) * (magnitude > 0), dtype=np.int64), magnitude


def bit_planes(levels: IntArray, bits: int) -> NDArray[np.bool_]:
    """Binary digits of levels, shape (bits, *levels.shape), least significant plane first.

    Raises:
        InputError: a level does not fit into so many bits.
    """
    levels = np.asarray(levels, dtype=np.int64)
    if levels.size and (levels.min() < 0 or levels.max() > _full_scale(bits)):
        raise InputError(f"levels from {levels.min()} to {levels.max()} do not fit into {bits} bits")
    digits = np.arange(bits).reshape((-1,) + (1,) * levels.ndim)
    return np.asarray((levels >> digits) & 1, dtype=np.bool_)


def from_bit_planes(planes: NDArray[np.generic]) -> Floats:
    """Sum of planes (bits, ...) weighted 1, 2, 4 ...: levels from digits, or one current from a current per plane."""
    weights = 2.0 ** np.arange(planes.shape[0])
    return np.asarray(np.tensordot(weights, planes.astype(np.float64), axes=1), dtype=np.float64)


def applied_inputs(values: Floats, bits: int | None) -> Floats:
    """What a layer sees of values -1..1: rounded to sign and `bits` bits of magnitude; values of one sign only
    are thereby rounded as unipolar ones. Exact for None."""
    if bits is None:
        return values
    sign, magnitude = quantise_bipolar(values, bits)
    return sign * magnitude / _full_scale(bits)


def activations(line_siemens: Floats, biases: Floats, siemens_norm: float) -> Floats:
    """tanh((I_plus - I_minus) / (G_norm V) + bias) from column currents per read volt (..., 2 * outputs)."""
    pair_siemens = line_siemens[..., 0::2] - line_siemens[..., 1::2]
    return np.asarray(np.tanh(pair_siemens / siemens_norm + biases), dtype=np.float64)


def network_outputs(
    layers: Sequence[LineCurrents],
    biases: Sequence[Floats],
    features: Floats,
    siemens_norm: float,
    precision: Precision = EXACT,
) -> Floats:
    """Outputs (..., samples, outputs) of a network whose layers are given as functions.

    Args:
        layers: per layer, from applied inputs to column currents per read volt.
        biases: per layer, shape (outputs,), or (K, outputs) for a batch of solutions.
        features: shape (samples, inputs), 0..1.
        siemens_norm: G_norm, common to all layers.
        precision: how finely the first layer's and all later layers' inputs are applied.
    """
    values, bits = features, precision.input_bits
    for line_currents, bias in zip(layers, biases, strict=True):
        lines = line_currents(applied_inputs(values, bits))
        values = activations(lines, np.expand_dims(bias, -2), siemens_norm)
        bits = precision.hidden_bits
    return values


def matrix_outputs(
    transfers: Sequence[Floats],
    biases: Sequence[Floats],
    features: Floats,
    siemens_norm: float,
    precision: Precision = EXACT,
) -> Floats:
    """`network_outputs` of layers given as transfer matrices, siemens, (inputs, 2 * outputs) or (K, inputs,
    2 * outputs): measured conductances, or what an exact network solution with wire resistance leaves of them."""
    layers = [_matrix_layer(transfer) for transfer in transfers]
    return network_outputs(layers, biases, features, siemens_norm, precision)


def ideal_outputs(perceptron: Perceptron, features: Floats, g: float = 1.0, precision: Precision = EXACT) -> Floats:
    """Outputs (K, samples, outputs) with perfect devices: a bit is worth one unit of conductance."""
    transfers = [bits.astype(np.float64) for bits in perceptron.bits]
    return matrix_outputs(transfers, perceptron.biases, features, g, precision)


def accuracy(outputs: Floats, labels: IntArray) -> Floats:
    """Fraction of samples whose largest output is the right one, shape (...) for outputs (..., samples, classes)."""
    return np.asarray((outputs.argmax(axis=-1) == labels).mean(axis=-1), dtype=np.float64)


def margins(outputs: Floats, labels: IntArray) -> Floats:
    """Right output minus the largest wrong one, shape (..., samples): positive where the class is right."""
    is_right = np.arange(outputs.shape[-1]) == labels[:, np.newaxis]
    right = np.where(is_right, outputs, -np.inf).max(axis=-1)
    return np.asarray(right - np.where(is_right, -np.inf, outputs).max(axis=-1), dtype=np.float64)


def confusion(outputs: Floats, labels: IntArray) -> IntArray:
    """Counts (..., true class, predicted class) for outputs (..., samples, classes)."""
    classes = np.arange(outputs.shape[-1])
    is_true = (labels[:, np.newaxis] == classes).astype(np.int64)
    is_predicted = (outputs.argmax(axis=-1)[..., np.newaxis] == classes).astype(np.int64)
    return np.asarray(is_true.T @ is_predicted, dtype=np.int64)


def accuracy_versus_g(
    perceptron: Perceptron,
    features: Floats,
    labels: IntArray,
    g_grid: Sequence[float] | Floats,
    precision: Precision = EXACT,
) -> Floats:
    """Ideal accuracy (points of the grid, K) against the normalising conductance in units of G_P - G_AP."""
    curves = [accuracy(ideal_outputs(perceptron, features, float(g), precision), labels) for g in g_grid]
    return np.stack(curves)


def _matrix_layer(transfer: Floats) -> LineCurrents:
    return lambda inputs: np.asarray(inputs @ transfer, dtype=np.float64)


def _full_scale(bits: int) -> int:
    if bits < 1:
        raise InputError(f"inputs need at least one bit, got {bits}")
    return (1 << bits) - 1
