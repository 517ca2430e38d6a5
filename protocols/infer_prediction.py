"""What a network on the array should give, from maps of the array: exact networks, then the layers' arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mtjlab.bridge import planned_siemens
from mtjlab.engine.perceptron import applied_inputs
from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, Floats, State, TiledLayerPlan
from mtjlab.physics.crossbar_ports import reduce_to_ports
from mtjlab.physics.crossbar_reads import read_with_floating_rows
from mtjlab.physics.crossbar_wires import Wires

_MOST_STEPS = 30
_SETTLED = 1e-6


def transfer_of(known: ArrayMap, only: NDArray[np.int64] | None = None) -> Floats:
    """Amps out of every grounded column per volt on every row, other rows grounded: shape (rows, cols), siemens.

    A map whose conductances still hold the wires counts as this transfer already: the array is a linear network at a
    given bias, and in reads with all other lines grounded the wires drop what they drop when all rows are driven. From
    a map that wires have been removed from, the network is solved with them; cells that were never read then count as
    open.

    Args:
        only: the columns that conduct, if the cells of the others are switched off, as on a board whose transistors
            are on for the sensed columns alone; it matters with wires only.
    """
    segment, line = known.conditions.segment_ohms, known.conditions.line_ohms
    if not segment and not line:
        return known.siemens
    is_read = np.isfinite(known.siemens)
    cells = np.where(is_read, np.maximum(known.siemens, 0.0), 0.0)  # an open one may be read a little below 0
    if only is not None:
        cells[:, np.setdiff1d(np.arange(known.shape[1]), only)] = 0.0
    found = reduce_to_ports(cells, _wires(known.shape, segment, line)).transfer_siemens
    return np.where(is_read, found, np.nan)


def without_row_read_wires(known: ArrayMap, segment_ohms: float, line_ohms: float = 0.0) -> ArrayMap:
    """The map of an array that was read a row at a time, all columns held and all other rows open, without its wires.

    That is how a board reads that connects only the lines it needs. Its rows are read with other drops than those of
    inference, in which all rows are connected: `transfer_of` the result has the right ones.

    Args:
        segment_ohms: of the wire between neighbouring cells.
        line_ohms: in series with every line, contacts and multiplexers.
    """
    wires = _wires(known.shape, segment_ohms, line_ohms)
    is_read = np.isfinite(known.siemens)
    wanted = np.where(is_read, known.siemens, 0.0)
    cells = np.maximum(wanted, 0.0)
    for _ in range(_MOST_STEPS):
        found = read_with_floating_rows(reduce_to_ports(cells, wires))
        if float(np.abs(found - wanted).max()) < _SETTLED * float(np.abs(wanted).max()):
            break
        # a cell behind wires: d(read)/d(cell) is about (read / cell)^2; what sneaks past an open one adds to it
        slope = np.clip(np.divide(cells, found, out=np.ones_like(cells), where=found > 0) ** 2, 1.0, 20.0)
        cells = np.maximum(cells + slope * (wanted - found), 0.0)
    conditions = replace(known.conditions, segment_ohms=segment_ohms, line_ohms=line_ohms)
    return replace(known, siemens=np.where(is_read, cells, np.nan), conditions=conditions)


def as_written(reference: ArrayMap, written: ArrayMap) -> ArrayMap:
    """The map of both states with every cell in the state in which it was last read.

    What a write reads of a cell contains the wires, whatever has been done to the map that it was given. Cells that
    have no two states, or are in none that is known, keep what the reference has.
    """
    states = np.asarray(written.state)
    siemens = np.where(states == State.AP, reference.siemens_ap, reference.siemens)
    siemens = np.where(states == State.P, reference.siemens_p, siemens)
    known = np.where(np.isfinite(siemens), siemens, reference.siemens)
    return replace(reference, siemens=known, state=states, status=written.status, is_partial=written.is_partial)


def layer_transfer(maps: Sequence[ArrayMap], layer: TiledLayerPlan, *, others_conduct: bool = True) -> Floats:
    """Transfer of a whole layer, (inputs, lines), from the maps of its arrays as they stand.

    Args:
        others_conduct: whether the cells of columns that a tile does not use conduct while it runs.

    Raises InputError if a cell of it was never read.
    """
    found = np.zeros((layer.inputs, layer.lines))
    for tile in layer.tiles:
        known = transfer_of(maps[tile.array], None if others_conduct else tile.plan.cols)
        found[np.ix_(tile.inputs, tile.lines)] = known[np.ix_(tile.plan.rows, tile.plan.cols)]
    unread = int((~np.isfinite(found)).sum())
    if unread:
        raise InputError(
            f"{unread} of the {found.size} cells under {layer.name} have no measured conductance",
            remedy="Read the arrays once the layer is written",
        )
    return found


def planned_transfer(maps: Sequence[ArrayMap], layer: TiledLayerPlan, *, others_conduct: bool = True) -> Floats:
    """Transfer of a layer that is still to be written, as far as its cells can follow."""
    planned = list(maps)
    for tile in layer.tiles:
        planned[tile.array] = replace(
            planned[tile.array], siemens=planned_siemens(planned[tile.array], tile.plan), is_partial=False
        )
    return layer_transfer(planned, layer, others_conduct=others_conduct)


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
        transfers: per layer, (inputs, lines), siemens.
        values: inputs of the first of them, without those for biases.
        siemens_norms: normalising conductance of each layer.
        bits: how finely each layer's inputs are applied.
    """
    for transfer, layer, siemens, fine in zip(transfers, layers, siemens_norms, bits, strict=True):
        applied = applied_inputs(with_bias_inputs(values, layer.bias_inputs), fine)
        values = activated(layer, layer_sums(layer, applied, transfer), siemens)
    return values


def layer_sums(layer: TiledLayerPlan, applied: Floats, transfer: Floats) -> Floats:
    """Sums (samples, sums) of inputs (samples, inputs) through a transfer (inputs, lines), part by part."""
    if layer.parts is None:
        return np.asarray(applied @ transfer)
    starts = range(0, layer.inputs, step := layer.parts.inputs)
    return np.concatenate([applied[:, k : k + step] @ transfer[k : k + step] for k in starts], axis=1)


def activated(layer: TiledLayerPlan, line_siemens: Floats, siemens_norm: float) -> Floats:
    """tanh(I / (G_norm V) + bias), shape (samples, outputs), of currents per read volt (samples, sums)."""
    return np.asarray(np.tanh(layer.joined(line_siemens) / siemens_norm + layer.biases), dtype=np.float64)


def _wires(shape: tuple[int, int], segment_ohms: float | None, line_ohms: float | None) -> Wires:
    return Wires.of(shape, segment_ohms or 0.0, left=line_ohms or 0.0, bottom=line_ohms or 0.0)
