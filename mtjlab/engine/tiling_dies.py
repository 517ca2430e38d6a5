"""One placement per die: networks placed on each die of a collection, and the cells that lie under them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..die_maps import DieMaps
from ..errors import InputError
from ..nouns import Floats, Ints
from .placement import CellPair, cell_errors
from .tiling import NetworkTiling
from .tiling_search import place_tiling


def place_on_dies(
    tiling: NetworkTiling,
    maps: DieMaps,
    *,
    bits: Sequence[Ints] | None = None,
    input_powers: Sequence[Floats | None] | None = None,
    rounds: int = 4,
    lines_per_tile: int | None = None,
) -> list[NetworkTiling]:
    """Place a network on every die, each by its own defects.

    Args:
        tiling: where to begin, `plain_tiling`.
        maps: both states of all kernels.
        bits: per layer, (inputs, lines) for all dies, or (dies, inputs, lines); None if not trained yet.
        input_powers, rounds, lines_per_tile: as for `place_tiling`.

    Raises:
        InputError: the kernels are not those of the tiling; a die has no healthy cell (says which).
    """
    wanted, measured = (tiling.kernels, tiling.kernel_shape), (maps.kernels, maps.kernel_shape)
    if wanted != measured:
        raise InputError(
            f"a tiling on {wanted[0]} kernels of {wanted[1]}, but maps of {measured[0]} kernels of {measured[1]}"
        )
    maps.on_off_siemens()  # names dies without a healthy cell
    ap, p = maps.reachable()
    placed = []
    for die in range(len(maps)):
        errors = cell_errors(CellPair(ap[die], p[die]), maps.status[die])
        own = None if bits is None else [each[die] if each.ndim == 3 else each for each in bits]
        found = place_tiling(
            tiling, errors, bits=own, input_powers=input_powers, rounds=rounds, lines_per_tile=lines_per_tile
        )
        placed.append(found)
    return placed


def placed_cells(maps: DieMaps, tilings: Sequence[NetworkTiling], layer: int) -> CellPair:
    """What the cells under a layer can be, each die with its own placement: (dies, inputs, lines), siemens.

    Raises:
        InputError: as many tilings as dies are needed; cells with no known conductance (`DieMaps.known_cells`).
    """
    if len(tilings) != len(maps):
        raise InputError(f"{len(tilings)} placements for {len(maps)} dies")
    pairs = [die.known_cells(tiling.layers[layer].cells) for die, tiling in zip(maps, tilings, strict=True)]
    ap, p = (np.concatenate([pair[state] for pair in pairs]) for state in (0, 1))
    return CellPair(ap, p)
