"""Where a layer's cells sit on tiles with resistive wires, and what the layer multiplies by there (needs PyTorch)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ..errors import InputError
from ..nouns import Floats, LayerTile
from ..physics.crossbar_wires import Wires
from .exact_wires import transfer_siemens


@dataclass(frozen=True, eq=False)
class TileWires:
    """Equal tiles that any layer is cut into, from its first input and line on.

    Attributes:
        wires: of one tile; rows fed at the left, columns at the bottom.
        siemens_norm: conductance that counts as weight one.
        idle_siemens: of the cells that are left over in the last tiles. Their lines are grounded, so that they load
            the lines in use.
    """

    wires: Wires
    siemens_norm: float
    idle_siemens: float = 0.0

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        segment_ohms: float,
        siemens_norm: float,
        *,
        row_ohms: ArrayLike = 0.0,
        col_ohms: ArrayLike = 0.0,
        idle_siemens: float = 0.0,
    ) -> TileWires:
        """Tiles of (rows, cols) with the same resistance in every segment.

        Args:
            row_ohms, col_ohms: in series with each row at the driver, with each column at the sense amplifier.
        """
        return cls(Wires.of(shape, segment_ohms, left=row_ohms, bottom=col_ohms), siemens_norm, idle_siemens)

    def under(self, inputs: int, lines: int) -> PlacedWires:
        """The tiles of a layer of this size."""
        rows, cols = self.wires.shape
        across = -(-lines // cols)
        at_row, at_col = np.arange(inputs)[:, None], np.arange(lines)[None, :]
        tile = (at_row // rows) * across + at_col // cols
        place = (tile * rows + at_row % rows) * cols + at_col % cols
        idle = np.full((-(-inputs // rows) * across, rows, cols), self.idle_siemens)
        return PlacedWires(self.wires, self.siemens_norm, idle, place)


@dataclass(frozen=True, eq=False)
class PlacedWires:
    """Tiles, and which of their cells are the layer's.

    The rows of one tile are driven at once, all other rows of its array being grounded; tiles are read one after the
    other or on arrays of their own, and what they give is added digitally.

    Attributes:
        wires: of one tile, or with leading axes (tiles,) or (dies, tiles).
        siemens_norm: conductance that counts as weight one.
        idle_siemens: shape (tiles, rows, cols) or (dies, tiles, rows, cols): cells that are not the layer's, which
            load the lines in use; what is given for the layer's own cells does not matter.
        place: shape (inputs, lines), index of each cell of the layer among the cells of all tiles (C order).
    """

    wires: Wires
    siemens_norm: float
    idle_siemens: Floats
    place: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not self.siemens_norm > 0:
            raise InputError(f"siemens_norm must be above 0, got {self.siemens_norm}")
        if self.idle_siemens.ndim not in (3, 4) or self.idle_siemens.shape[-2:] != self.wires.shape:
            raise InputError(f"tiles of shape {self.idle_siemens.shape} have wires for {self.wires.shape}")
        cells = int(np.prod(self.idle_siemens.shape[-3:]))
        used = np.unique(self.place)
        if used.size != self.place.size or used[0] < 0 or used[-1] >= cells:
            raise InputError(f"a layer of shape {self.place.shape} does not lie on {cells} cells, each used once")

    @classmethod
    def of_tiles(
        cls, tiles: Sequence[LayerTile], wires: Wires, siemens_norm: float, idle_siemens: Floats
    ) -> PlacedWires:
        """Of a layer in differential pairs that is spread over `tiles`, in that order.

        Args:
            wires: as in the class, tile by tile (not array by array).
            idle_siemens: shape (tiles, rows, cols) or (dies, tiles, rows, cols): what lies on each tile's array.

        Raises InputError if a pair of input and output is in no tile or in several.
        """
        rows, cols = wires.shape
        inputs = 1 + max(int(tile.inputs.max()) for tile in tiles)
        lines = 2 + 2 * max(int(tile.outputs.max()) for tile in tiles)
        place = np.full((inputs, lines), -1, dtype=np.int64)
        for number, tile in enumerate(tiles):
            own_lines = np.stack([2 * tile.outputs, 2 * tile.outputs + 1], axis=-1).ravel()
            here = np.ix_(tile.inputs, own_lines)
            if (place[here] >= 0).any():
                raise InputError(f"tile {number} of {tile.plan.name} holds weights that another tile holds too")
            place[here] = (number * rows + tile.plan.rows[:, None]) * cols + tile.plan.cols[None, :]
        if (place < 0).any():
            raise InputError(f"{int((place < 0).sum())} cells of {tiles[0].plan.name} are in no tile")
        return cls(wires, siemens_norm, idle_siemens, place)

    @property
    def dies(self) -> int:
        """How many dies have idle cells of their own; 1 where they are the same on all."""
        return self.idle_siemens.shape[0] if self.idle_siemens.ndim == 4 else 1

    def seen(self, conductances: Tensor) -> Tensor:
        """What the layer multiplies by, for the conductances of its cells: both (C, inputs, lines), units of weight.

        Differentiable. Raises InputError for a conductance that is negative or not a number.
        """
        if tuple(conductances.shape[-2:]) != self.place.shape:
            raise InputError(f"a layer of {tuple(conductances.shape[-2:])} lies on wires for {self.place.shape}")
        idle = torch.as_tensor(self.idle_siemens).to(conductances) / self.siemens_norm
        dies = max(len(conductances), self.dies)
        own = torch.as_tensor(self.place.reshape(-1), device=conductances.device)
        on_tiles = idle.expand(dies, *idle.shape[-3:]).reshape(dies, -1)
        on_tiles = on_tiles.index_copy(1, own, conductances.flatten(1).expand(dies, -1))
        siemens = on_tiles.reshape(dies, *idle.shape[-3:]).to(torch.float64) * self.siemens_norm
        transfer = transfer_siemens(siemens, self.wires) / self.siemens_norm
        return transfer.reshape(dies, -1)[:, own].reshape(dies, *self.place.shape).to(conductances)
