"""From a tiling and trained bits to a plan that can be written, and from the plan to one target per kernel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..nouns import Floats, Ints, LayerPlan, LayerTile, State, TiledLayerPlan, TiledWeightPlan
from .tiling import LayerTiling, NetworkTiling, Tile

IntArray = NDArray[np.int64]


def plan_tiled_network(
    tiling: NetworkTiling,
    bits: Sequence[Ints],
    biases: Sequence[Floats] | None = None,
    names: Sequence[str] | None = None,
) -> TiledWeightPlan:
    """Weight plan of one network on the kernels of one die.

    Args:
        tiling: where its layers are.
        bits: per layer, (inputs, lines), 0 (AP) or 1 (P).
        biases: per layer, (outputs,), added in software; zeros if None.
        names: of the layers; "layer 1", "layer 2" ... if None.

    Raises:
        InputError: bits or biases of another size than the layers.
    """
    layers = tiling.layers
    names = names or [f"layer {number}" for number in range(1, len(layers) + 1)]
    biases = [np.zeros(layer.outputs) for layer in layers] if biases is None else biases
    if not len(bits) == len(biases) == len(names) == len(layers):
        raise InputError(
            f"bits of {len(bits)} layers, biases of {len(biases)}, {len(names)} names for {len(layers)} layers"
        )
    every = zip(layers, bits, biases, names, strict=True)
    return TiledWeightPlan(tuple(_layer_plan(layer, np.asarray(b), np.asarray(v), name) for layer, b, v, name in every))


def kernel_targets(plan: TiledWeightPlan, kernels: int, kernel_shape: tuple[int, int]) -> Ints:
    """Wanted state of every cell of every kernel, (kernels, rows, cols), UNKNOWN where it does not matter.

    `write_verify` takes the target of each kernel as it is.

    Raises:
        InputError: two tiles share cells: such layers are written in turn (`plan.target` of each tile).
    """
    targets = np.full((kernels, *kernel_shape), State.UNKNOWN, dtype=np.int8)
    for layer in plan.layers:
        for tile in layer.tiles:
            wanted = tile.plan.target(kernel_shape)
            asked = wanted != State.UNKNOWN
            twice = int((asked & (targets[tile.array] != State.UNKNOWN)).sum())
            if twice:
                raise InputError(
                    f"{twice} cells of kernel {tile.array} have a target already when {layer.name} is added",
                    remedy="Write layers that share cells one after the other",
                )
            targets[tile.array][asked] = wanted[asked]
    return targets


def _layer_plan(layer: LayerTiling, bits: Ints, biases: Floats, name: str) -> TiledLayerPlan:
    if bits.shape != (layer.inputs, layer.lines) or biases.shape != (layer.outputs,):
        raise InputError(
            f"{name} has {layer.inputs} inputs, {layer.lines} lines and {layer.outputs} outputs, "
            f"got bits {bits.shape} and biases {biases.shape}"
        )
    tiles = tuple(_layer_tile(tile, layer, bits, name) for tile in layer.tiles)
    return TiledLayerPlan(name, tiles, biases, layer.bias_inputs, layer.has_reference)


def _layer_tile(tile: Tile, layer: LayerTiling, bits: Ints, name: str) -> LayerTile:
    outputs = None if layer.has_reference else _whole_pairs(tile.lines)
    count = 0 if outputs is None else outputs.size
    block = bits[np.ix_(tile.inputs, tile.lines)].astype(np.int8)
    plan = LayerPlan(name, tile.rows, tile.cols, block, np.zeros(count))
    if outputs is not None:
        return LayerTile(tile.kernel, tile.inputs, outputs, plan)
    return LayerTile(tile.kernel, tile.inputs, np.array([], dtype=np.int64), plan, single_lines=tile.lines)


def _whole_pairs(lines: IntArray) -> IntArray | None:
    """The outputs whose plus and minus lines these are, in turn; None if some line's partner is missing."""
    if lines.size % 2 or np.any(lines[0::2] % 2) or np.any(lines[1::2] != lines[0::2] + 1):
        return None
    return np.asarray(lines[0::2] // 2)
