"""What a network on the array should give, from maps of the array: exact networks, then the layers' arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtjlab.bridge import planned_siemens
from mtjlab.engine.perceptron import activations, applied_inputs
from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, Floats, TiledLayerPlan
from mtjlab.physics.crossbar_ports import reduce_to_ports
from mtjlab.physics.crossbar_wires import Wires


def transfer_of(known: ArrayMap) -> Floats:
    """Amps out of every grounded column per volt on every row, other rows grounded: shape (rows, cols), siemens.

    A map whose conductances still hold the wires is this transfer already, since the array is a linear network at a
    given bias and was read with all other lines grounded. From a map that wires have been removed from, the network is
    solved with them; cells that were never read then count as open.
    """
    segment, line = known.conditions.segment_ohms, known.conditions.line_ohms
    if not segment and not line:
        return known.siemens
    is_read = np.isfinite(known.siemens)
    series = line or 0.0
    wires = Wires.of(known.shape, segment or 0.0, left=series, bottom=series)
    found = reduce_to_ports(np.where(is_read, known.siemens, 0.0), wires).transfer_siemens
    return np.where(is_read, found, np.nan)


def layer_transfer(maps: Sequence[ArrayMap], layer: TiledLayerPlan) -> Floats:
    """Transfer of a whole layer, (inputs, 2 * outputs), from the maps of its arrays as they stand.

    Raises InputError if a cell of it was never read.
    """
    found = np.zeros((layer.inputs, 2 * layer.outputs))
    for tile in layer.tiles:
        block = transfer_of(maps[tile.array])[np.ix_(tile.plan.rows, tile.plan.cols)]
        lines = np.stack([2 * tile.outputs, 2 * tile.outputs + 1], axis=1).ravel()
        found[np.ix_(tile.inputs, lines)] = block
    unread = int((~np.isfinite(found)).sum())
    if unread:
        raise InputError(
            f"{unread} of the {found.size} cells under {layer.name} have no measured conductance",
            remedy="Read the arrays once the layer is written",
        )
    return found


def planned_transfer(maps: Sequence[ArrayMap], layer: TiledLayerPlan) -> Floats:
    """Transfer of a layer that is still to be written, as far as its cells can follow."""
    planned = list(maps)
    for tile in layer.tiles:
        planned[tile.array] = replace(
            planned[tile.array], siemens=planned_siemens(planned[tile.array], tile.plan), is_partial=False
        )
    return layer_transfer(planned, layer)


def with_bias_inputs(values: Floats, count: int) -> Floats:
    """Values (samples, inputs) with so many inputs at full scale behind them."""
    return np.concatenate([values, np.ones((*values.shape[:-1], count))], axis=-1)


def forward(
    transfers: Sequence[Floats],
    layers: Sequence[TiledLayerPlan],
    values: Floats,
    siemens_norms: Sequence[float],
    bits: Sequence[int | None],
) -> Floats:
    """Outputs (samples, outputs) of consecutive layers.

    Args:
        transfers: per layer, (inputs, 2 * outputs), siemens.
        values: inputs of the first of them, without those for biases.
        siemens_norms: normalising conductance of each layer.
        bits: how finely each layer's inputs are applied.
    """
    for transfer, layer, siemens, fine in zip(transfers, layers, siemens_norms, bits, strict=True):
        lines = applied_inputs(with_bias_inputs(values, layer.bias_inputs), fine) @ transfer
        values = activations(lines, layer.biases, siemens)
    return values
