"""From a tiling and trained bits to a plan that can be written, and from the plan to one target per kernel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..nouns import Floats, Ints, LayerPlan, LayerTile, LimitedParts, State, TiledLayerPlan, TiledWeightPlan
from .tiling import LayerTiling, NetworkTiling, Tile

IntArray = NDArray[np.int64]


def plan_tiled_network(
    tiling: NetworkTiling,
    bits: Sequence[Ints],
    biases: Sequence[Floats] | None = None,
    names: Sequence[str] | None = None,
    *,
    parts: Sequence[LimitedParts | None] | None = None,
    pairs_per_output: Sequence[int] | None = None,
) -> TiledWeightPlan:
    """Weight plan of one network on the kernels of one die.

    Where sums have limited parts, tiles are cut where a part ends; what is left of them is used one after the other.

    Args:
        tiling: where its layers are.
        bits: per layer, (inputs, lines), 0 (AP) or 1 (P).
        biases: per layer, (outputs,), added in software; zeros if None.
        names: of the layers; "layer 1", "layer 2" ... if None.
        parts: per layer, limits on the parts of its sums; none if None.
        pairs_per_output: per layer, how many of its pairs of lines make one output; 1 if None.

    Raises:
        InputError: bits or biases of another size than the layers.
    """
    layers = tiling.layers
    names = names or [f"layer {number}" for number in range(1, len(layers) + 1)]
    parts = [None] * len(layers) if parts is None else parts
    pairs = [1] * len(layers) if pairs_per_output is None else pairs_per_output
    if biases is None:
        biases = [np.zeros(layer.outputs // count) for layer, count in zip(layers, pairs, strict=True)]
    if {len(values) for values in (bits, biases, names, parts, pairs)} != {len(layers)}:
        raise InputError(
            f"bits of {len(bits)} layers, biases of {len(biases)}, {len(names)} names, parts of {len(parts)} and pairs "
            f"of {len(pairs)} for {len(layers)} layers"
        )
    every = zip(layers, bits, biases, names, parts, pairs, strict=True)
    return TiledWeightPlan(tuple(_layer_plan(one, np.asarray(b), np.asarray(v), *how) for one, b, v, *how in every))


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


def _layer_plan(
    layer: LayerTiling, bits: Ints, biases: Floats, name: str, parts: LimitedParts | None, pairs: int
) -> TiledLayerPlan:
    outputs = layer.outputs / pairs
    if bits.shape != (layer.inputs, layer.lines) or biases.shape != (outputs,):
        raise InputError(
            f"{name} has {layer.inputs} inputs, {layer.lines} lines and {outputs:g} outputs, "
            f"got bits {bits.shape} and biases {biases.shape}"
        )
    cut = [piece for tile in layer.tiles for piece in _pieces(tile, parts)]
    tiles = tuple(_layer_tile(tile, layer, bits, name, is_single=pairs > 1) for tile in cut)
    return TiledLayerPlan(name, tiles, biases, layer.bias_inputs, layer.has_reference, pairs, parts)


def _pieces(tile: Tile, parts: LimitedParts | None) -> list[Tile]:
    """The tile cut so that no piece has inputs of two parts."""
    if parts is None:
        return [tile]
    part = tile.inputs // parts.inputs
    return [replace(tile, rows=tile.rows[part == k], inputs=tile.inputs[part == k]) for k in np.unique(part)]


def _layer_tile(tile: Tile, layer: LayerTiling, bits: Ints, name: str, *, is_single: bool) -> LayerTile:
    outputs = None if layer.has_reference or is_single else _whole_pairs(tile.lines)
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
