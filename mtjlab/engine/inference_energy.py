"""Energy that arrays take for an inference, from the exact network; what drives and reads them is not in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import InputError
from ..nouns import Floats
from ..physics.crossbar_ports import reduce_to_ports
from ..physics.crossbar_wires import Wires
from .tiling import LayerTiling


def tile_joules(siemens: Floats, wires: Wires, inputs: Floats, read_volts: float, seconds: float) -> Floats:
    """Energy into one array per sample, shape (samples,).

    Args:
        siemens: shape (rows, cols).
        wires: of the array; its rows are driven, its columns held at 0 V.
        inputs: shape (samples, rows), -1..1, in units of the read voltage.
        read_volts: of a row at full input.
        seconds: for which the levels stand.

    Raises:
        InputError: inputs of another number of rows, or wires that are not connected at one end of every line.
    """
    rows, cols = siemens.shape
    matrix = reduce_to_ports(siemens, wires)
    if inputs.shape[1:] != (rows,) or matrix.ports != rows + cols:
        raise InputError(f"inputs of shape {inputs.shape} and {matrix.ports} line ends for {rows} x {cols} cells")
    volts = np.zeros((len(inputs), rows + cols))
    volts[:, :rows] = read_volts * inputs
    return np.asarray(matrix.power(volts) * seconds)


def layer_joules(
    tiling: LayerTiling,
    siemens: Floats,
    inputs: Floats,
    read_volts: float,
    seconds: float,
    *,
    segment_ohms: float = 0.0,
) -> Floats:
    """Energy of one layer per sample, shape (samples,): each tile driven for so long, with nothing else connected.

    Args:
        tiling: where the layer is.
        siemens: shape (kernels, rows, cols), as written.
        inputs: shape (samples, inputs), as applied.
        segment_ohms: wire between neighbouring cells of a kernel.
    """
    total = np.zeros(len(inputs))
    for tile in tiling.tiles:
        cells = siemens[tile.kernel][np.ix_(tile.rows, tile.cols)]
        wires = Wires.of(cells.shape, segment_ohms)
        total += tile_joules(cells, wires, inputs[:, tile.inputs], read_volts, seconds)
    return total


def network_joules(layers: Sequence[Floats]) -> Floats:
    """Energy of an inference per sample, from that of its layers."""
    return np.asarray(np.sum(np.stack(layers), axis=0))
