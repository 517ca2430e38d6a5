"""Measured conductances for XBTorch: the simulated chip of its accelerator gets the devices of a die.

A layer there computes gamma x (G+ - G-) / (g_max - g_min) with gamma the largest of its software weights, and reads
conductances clamped to g_min..g_max. So the window is widened until nothing is clamped, and gamma is set so that
(G+ - G-) / siemens_norm comes out; the layer's software weights are given up, XBTorch takes no more than their shape
and their largest value.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .bridge_weights import plus_and_minus
from .errors import InputError
from .nouns import Floats

MICROSIEMENS = 1e-6


def put_on_xbtorch(
    layers: Sequence[Any],
    siemens: Sequence[Floats],
    siemens_norms: Sequence[float],
    *,
    siemens_per_unit: float = MICROSIEMENS,
) -> None:
    """Put measured conductances under all layers that share an accelerator, in one call.

    Cells are entered in the defect map too, so that mapping weights again does not replace them.

    Args:
        layers: patched `torch.nn.Linear`s, mapped onto a stateful accelerator, one copy of each.
        siemens: per layer, (inputs, 2 * outputs), lines plus, minus, plus, minus ...
        siemens_norms: per layer, conductance that counts as weight one.
        siemens_per_unit: unit of the accelerator's g_min and g_max; microsiemens is assumed.

    Raises:
        InputError: a layer is not mapped, or mapped more than once, or has another size; conductances are not numbers.
    """
    pairs = [[each / siemens_per_unit for each in plus_and_minus(values)] for values in siemens]
    for layer, pair, norm in zip(layers, pairs, siemens_norms, strict=True):
        _require_fit(layer, pair[0].shape, norm)
    chip = layers[0].inference_accelerator
    for layer, pair in zip(layers, pairs, strict=True):
        for name, values in zip(("Gpos", "Gneg"), pair, strict=True):
            _put(chip, layer._array_mappings[name][0], values)
    chip.g_min = min(float(chip.g_min), *(float(each.min()) for pair in pairs for each in pair))
    chip.g_max = max(float(chip.g_max), *(float(each.max()) for pair in pairs for each in pair))
    for layer, norm in zip(layers, siemens_norms, strict=True):
        layer.weight.data.fill_((chip.g_max - chip.g_min) * siemens_per_unit / norm)


def _require_fit(layer: Any, shape: tuple[int, ...], norm: float) -> None:
    mappings = getattr(layer, "_array_mappings", None)
    if mappings is None or len(mappings["Gpos"]) != 1 or len(mappings["Gneg"]) != 1:
        raise InputError(
            "a layer is not mapped once onto the accelerator's chip",
            remedy="Map it first, with one plus and one minus block",
        )
    if tuple(layer.weight.shape) != shape:
        raise InputError(f"a layer with weights {tuple(layer.weight.shape)} for conductances of {shape} per sign")
    if not norm > 0:
        raise InputError(f"siemens_norm must be above 0, got {norm}")


def _put(chip: Any, corner: tuple[int, int], values: Floats) -> None:
    rows, cols = (np.arange(first, first + count) for first, count in zip(corner, values.shape, strict=True))
    chip._chip[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1] = chip._chip.new_tensor(values.tolist())
    where = [each.ravel() for each in np.meshgrid(rows, cols, indexing="ij")]
    known_where, known = chip.defect_map
    keep = ~(np.isin(known_where[0], rows) & np.isin(known_where[1], cols))
    indices = tuple(np.concatenate([np.asarray(old)[keep], new]) for old, new in zip(known_where, where, strict=True))
    old = np.asarray(known.tolist(), dtype=np.float64)[keep]
    chip.defect_map = indices, chip._chip.new_tensor([*old.tolist(), *values.ravel().tolist()])
