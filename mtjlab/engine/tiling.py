"""Layers of any size cut into tiles that lie on the kernels of a chip, or on any number of arrays, cell by cell.

A line of a layer (plus or minus line of an output, or a reference line that all outputs share) is cut into pieces of
consecutive inputs; every piece lies in one column. Pieces of the same inputs that lie side by side make a
tile. What the pieces of a line give is digitised and added, so they may lie anywhere, and so may the two lines of a
pair. Tiles of a kernel that share rows or columns are used one after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .tiling_strips import NoRoomError, Piece, Strips

IntArray = NDArray[np.int64]


class CellIndex(NamedTuple):
    """Where cells lie, integers of one shape: indexes an array (kernels, rows, cols) directly."""

    kernel: IntArray
    row: IntArray
    col: IntArray


@dataclass(frozen=True, eq=False)
class Tile:
    """Inputs and lines of a layer that one kernel holds.

    Attributes:
        kernel: which one.
        rows, cols: shape (tile inputs,), (tile lines,): lines of the kernel.
        inputs, lines: of the same shapes: inputs and lines of the layer.
    """

    kernel: int
    rows: IntArray
    cols: IntArray
    inputs: IntArray
    lines: IntArray


@dataclass(frozen=True, eq=False)
class LayerTiling:
    """Where the cells of a layer are.

    Attributes:
        inputs: of the layer, those for biases included.
        outputs: of the layer.
        tiles: in the order in which they were laid.
        has_reference: whether lines are one per output, then a reference in P and one in AP, shared by all outputs.
            Otherwise they are plus, minus, plus, minus ...
        bias_inputs: how many inputs, the last ones, are held at full scale: their cells are bias devices.
    """

    inputs: int
    outputs: int
    tiles: tuple[Tile, ...]
    has_reference: bool = False
    bias_inputs: int = 0

    @property
    def lines(self) -> int:
        """Lines of the layer."""
        return line_count(self.outputs, self.has_reference)

    @property
    def cells(self) -> CellIndex:
        """Kernel, row and column of every cell, each (inputs, lines)."""
        index = np.full((3, self.inputs, self.lines), -1, dtype=np.int64)
        for tile in self.tiles:
            block = np.ix_(tile.inputs, tile.lines)
            index[0][block] = tile.kernel
            index[1][block] = tile.rows[:, np.newaxis]
            index[2][block] = tile.cols
        return CellIndex(*index)

    @property
    def devices(self) -> int:
        """Cells that the layer uses."""
        return int(sum(tile.inputs.size * tile.lines.size for tile in self.tiles))


@dataclass(frozen=True, eq=False)
class NetworkTiling:
    """Where the layers of a network are.

    Attributes:
        layers: in their order.
        kernels: how many arrays there are.
        kernel_shape: (rows, cols) of each.
    """

    layers: tuple[LayerTiling, ...]
    kernels: int
    kernel_shape: tuple[int, int]

    @property
    def devices(self) -> int:
        """Cells that the network uses."""
        return sum(layer.devices for layer in self.layers)


def plain_tiling(
    layer_sizes: Sequence[int],
    *,
    kernels: int = 32,
    kernel_shape: tuple[int, int] = (25, 25),
    bias_inputs: int = 0,
    has_reference: bool = False,
) -> NetworkTiling:
    """Lay layers one after the other onto the first free cells, whatever those are like.

    The lines of a pair lie in one kernel as far as there is room to spare.

    Args:
        layer_sizes: neurons per layer, inputs first: [196, 47, 10].
        bias_inputs: so many inputs at full scale are added to every layer, for biases made of devices; with 0 biases
            are kept in software.
        has_reference: two reference lines per layer instead of a minus line per output.

    Raises:
        InputError: the network does not fit; says by how many devices, and what would.
    """
    shapes = layer_shapes(layer_sizes, bias_inputs)
    for whole_pairs in _pair_rules(len(shapes), has_reference):
        try:
            layers = _laid(shapes, whole_pairs, Strips.of(kernels, kernel_shape), bias_inputs, has_reference)
        except NoRoomError:
            continue
        return NetworkTiling(layers, kernels, kernel_shape)
    raise _no_fit(layer_sizes, kernels, kernel_shape, bias_inputs, has_reference)


def tiling_of_shapes(
    shapes: Sequence[tuple[int, int]], *, kernels: int = 32, kernel_shape: tuple[int, int] = (25, 25)
) -> NetworkTiling:
    """The same for layers that are no chain, such as convolutions: (inputs, outputs) of each, in pairs of lines.

    Raises:
        InputError: they do not fit.
    """
    try:
        layers = _laid(shapes, [False] * len(shapes), Strips.of(kernels, kernel_shape), 0, False)
    except NoRoomError:
        need, have = sum(2 * i * o for i, o in shapes), kernels * kernel_shape[0] * kernel_shape[1]
        raise InputError(
            f"layers of {list(shapes)} need {need} devices, {kernels} arrays of {kernel_shape} have {have}",
            remedy="Use smaller layers or more arrays",
        ) from None
    return NetworkTiling(layers, kernels, kernel_shape)


def layer_shapes(layer_sizes: Sequence[int], bias_inputs: int = 0) -> list[tuple[int, int]]:
    """(inputs with those for biases, outputs) of every layer. Raises InputError for sizes that make no network."""
    if len(layer_sizes) < 2 or min(layer_sizes) < 1 or bias_inputs < 0:
        raise InputError(
            f"layers of {list(layer_sizes)} neurons with {bias_inputs} bias inputs make no network",
            remedy="Give the inputs and the neurons of every layer, for example 196, 47, 10",
        )
    sizes = [int(size) for size in layer_sizes]
    return [(size + bias_inputs, nxt) for size, nxt in pairwise(sizes)]


def line_count(outputs: int, has_reference: bool) -> int:
    """Lines of a layer: a pair per output, or one per output and two references."""
    return outputs + 2 if has_reference else 2 * outputs


def devices_needed(layer_sizes: Sequence[int], bias_inputs: int = 0, has_reference: bool = False) -> int:
    """Cells of all layers together."""
    return sum(i * line_count(o, has_reference) for i, o in layer_shapes(layer_sizes, bias_inputs))


def _pair_rules(layers: int, has_reference: bool) -> list[list[bool]]:
    """Which layers must keep their pairs in one kernel: all, then all but the last, and so on."""
    if has_reference:
        return [[False] * layers]
    return [[layer < kept for layer in range(layers)] for kept in range(layers, -1, -1)]


def _laid(
    shapes: Sequence[tuple[int, int]], whole_pairs: Sequence[bool], strips: Strips, bias_inputs: int, shared: bool
) -> tuple[LayerTiling, ...]:
    layers = []
    for (inputs, outputs), whole in zip(shapes, whole_pairs, strict=True):
        pieces = strips.lay(inputs, line_count(outputs, shared), 2 if whole else 1)
        layers.append(LayerTiling(inputs, outputs, _tiles(pieces), shared, bias_inputs))
    return tuple(layers)


def _tiles(pieces: Sequence[Piece]) -> tuple[Tile, ...]:
    """Pieces of the same inputs on the same rows of a kernel, together."""
    groups: dict[tuple[int, int, int, int], list[Piece]] = {}
    for piece in pieces:
        groups.setdefault((piece.kernel, piece.row, piece.first_input, piece.inputs), []).append(piece)
    return tuple(
        Tile(
            kernel,
            np.arange(row, row + inputs),
            np.array([piece.col for piece in group], dtype=np.int64),
            np.arange(first, first + inputs),
            np.array([piece.line for piece in group], dtype=np.int64),
        )
        for (kernel, row, first, inputs), group in groups.items()
    )


def _no_fit(
    sizes: Sequence[int], kernels: int, shape: tuple[int, int], bias_inputs: int, has_reference: bool
) -> InputError:
    need, have = devices_needed(sizes, bias_inputs, has_reference), kernels * shape[0] * shape[1]
    network = "-".join(str(size) for size in sizes)
    by = f"{need - have} too few" if need > have else "enough, but in pieces too short for its lines"
    fitting = _largest_that_fits(sizes, kernels, shape, bias_inputs, has_reference)
    enough = _kernels_that_fit(sizes, kernels, shape, bias_inputs, has_reference)
    smaller = f"{'-'.join(str(size) for size in fitting)} would fit, or take" if fitting else "Take"
    return InputError(
        f"{network} needs {need} devices, {kernels} arrays of {shape[0]} x {shape[1]} have {have}: {by}",
        remedy=f"{smaller} {enough} arrays of this size",
    )


def _fits(sizes: Sequence[int], kernels: int, shape: tuple[int, int], bias_inputs: int, has_reference: bool) -> bool:
    shapes = layer_shapes(sizes, bias_inputs)
    try:
        _laid(shapes, [False] * len(shapes), Strips.of(kernels, shape), bias_inputs, has_reference)
    except NoRoomError:
        return False
    return True


def _largest_that_fits(
    sizes: Sequence[int], kernels: int, shape: tuple[int, int], bias_inputs: int, has_reference: bool
) -> list[int]:
    """The hidden layers in proportion, as large as possible; empty if not even one neuron in each fits."""
    low, high, best = 0, max(sizes), []
    while low < high:
        middle = (low + high + 1) // 2
        hidden = [max(1, size * middle // max(sizes)) for size in sizes[1:-1]]
        trial = [sizes[0], *hidden, sizes[-1]]
        if _fits(trial, kernels, shape, bias_inputs, has_reference):
            low, best = middle, trial
        else:
            high = middle - 1
    return best


def _kernels_that_fit(
    sizes: Sequence[int], kernels: int, shape: tuple[int, int], bias_inputs: int, has_reference: bool
) -> int:
    enough = max(kernels + 1, -(-devices_needed(sizes, bias_inputs, has_reference) // (shape[0] * shape[1])))
    while not _fits(sizes, enough, shape, bias_inputs, has_reference):
        enough += 1
    return enough
