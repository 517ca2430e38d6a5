"""Columns of a tiled network that change places, and tiles that are cut, before a placement is searched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..nouns import Floats
from .tiling import LayerTiling, NetworkTiling, Tile

IntArray = NDArray[np.int64]

_CLEAR_GAP = 0.2
"""Columns change places only where what lies in them differs by so much of the highest mean input power."""
_WORTH_A_MOVE = 1.0
"""Gain of an exchange of columns, in squared units of weight, from which it pays for more tiles, that is passes."""


def with_columns_exchanged(tiling: NetworkTiling, powers: Sequence[Floats], cost: Floats) -> NetworkTiling:
    """What matters much and lies in a bad column changes places with what matters little, or with an unused column.

    Whole columns move, to whatever kernel; the exchange with the highest gain first, each column once.

    Args:
        tiling: to begin with.
        powers: per layer, (inputs,), mean square of each input.
        cost: of every cell, (kernels, rows, cols), in squared units of weight.
    """
    price, weight = cost.sum(axis=1).ravel(), _weights_of_columns(tiling, powers)
    gap = weight[:, np.newaxis] - weight
    gain = np.where(gap >= _CLEAR_GAP * weight.max(), gap * (price[:, np.newaxis] - price), 0.0)
    moved = np.arange(price.size)
    while gain.max() > _WORTH_A_MOVE:
        high, low = np.unravel_index(int(gain.argmax()), gain.shape)
        moved[high], moved[low] = low, high
        gain[[high, low]] = gain[:, [high, low]] = 0.0
    return replace(tiling, layers=tuple(_with_columns(layer, moved, tiling.kernel_shape[1]) for layer in tiling.layers))


def _weights_of_columns(tiling: NetworkTiling, powers: Sequence[Floats]) -> Floats:
    """Mean over its rows of the input power that each column of the chip meets, columns numbered through."""
    found = np.zeros((tiling.kernels, tiling.kernel_shape[1]))
    for layer, power in zip(tiling.layers, powers, strict=True):
        for tile in layer.tiles:
            found[tile.kernel, tile.cols] += power[tile.inputs].sum() / tiling.kernel_shape[0]
    return found.ravel()


def with_tiles_cut(tiling: NetworkTiling, lines: int) -> NetworkTiling:
    """Tiles of at most so many lines. Raises InputError for less than one."""
    if lines < 1:
        raise InputError(f"tiles of {lines} lines", remedy="Give 1 or more lines_per_tile")
    return replace(tiling, layers=tuple(_cut(layer, lines) for layer in tiling.layers))


def _cut(layer: LayerTiling, lines: int) -> LayerTiling:
    tiles = [
        replace(tile, cols=tile.cols[first : first + lines], lines=tile.lines[first : first + lines])
        for tile in layer.tiles
        for first in range(0, tile.lines.size, lines)
    ]
    return replace(layer, tiles=tuple(tiles))


def _with_columns(layer: LayerTiling, moved: IntArray, cols: int) -> LayerTiling:
    """Columns numbered through all kernels go to moved[column]; tiles are put together anew."""
    groups: dict[tuple[int, bytes, bytes], list[Tile]] = {}
    for tile in layer.tiles:
        kernels, columns = np.divmod(moved[tile.kernel * cols + tile.cols], cols)
        for kernel in np.unique(kernels):
            here = kernels == kernel
            part = Tile(int(kernel), tile.rows, columns[here], tile.inputs, tile.lines[here])
            groups.setdefault((part.kernel, tile.rows.tobytes(), tile.inputs.tobytes()), []).append(part)
    tiles = [
        replace(parts[0], cols=np.concatenate([t.cols for t in parts]), lines=np.concatenate([t.lines for t in parts]))
        for parts in groups.values()
    ]
    return replace(layer, tiles=tuple(tiles))
