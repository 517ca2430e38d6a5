"""Bits of differential pairs chosen so that the weight comes out although a cell of the pair does not follow.

A weight of zero is there twice, as AP-AP and as P-P: where one cell is stuck in P, the other is put into P too. More
generally each pair takes that one of its four pairs of bits whose conductances come closest to the weight.
"""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from ..nouns import Floats, Ints
from .placement import CellPair


def compensated_bits(cells: CellPair, bits: Ints, siemens_norm: float, *, least_gain: float = 0.25) -> Ints:
    """Bits to write instead of `bits`, of the shape of the cells.

    Args:
        cells: what the cells under the layer can be, siemens, (..., inputs, 2 * outputs), lines plus, minus, ...
        bits: wanted of perfect cells, 0 (AP) or 1 (P), (inputs, 2 * outputs) or with the leading axes of the cells.
        siemens_norm: conductance that counts as weight one.
        least_gain: a pair is changed only if its weight comes closer by more than this (assumption: more than cells
            that are healthy spread), so that healthy pairs stay as they are. Pairs with unknown cells stay too.

    Raises:
        InputError: lines are not in pairs, or siemens_norm is not above 0.
    """
    wanted = np.broadcast_to(np.asarray(bits, dtype=np.int8), cells.siemens_p.shape)
    if wanted.shape[-1] % 2 or not siemens_norm > 0:
        raise InputError(f"bits of shape {wanted.shape} with siemens_norm {siemens_norm}: lines in pairs are needed")
    plus, minus = wanted[..., 0::2], wanted[..., 1::2]
    choices = np.array([(0, 0), (0, 1), (1, 0), (1, 1)], dtype=np.int8)
    errors = np.stack([_weight_errors(cells, int(p), int(m), plus - minus, siemens_norm) for p, m in choices])
    as_asked = np.take_along_axis(errors, (2 * plus + minus)[np.newaxis].astype(np.int64), axis=0)[0]
    best = np.argmin(np.where(np.isnan(errors), np.inf, errors), axis=0)
    is_better = as_asked - errors.min(axis=0) > least_gain  # False where a cell is not known
    pairs = np.where(is_better[..., np.newaxis], choices[best], np.stack([plus, minus], axis=-1))
    return pairs.reshape(wanted.shape).astype(np.int8)


def _weight_errors(cells: CellPair, plus: int, minus: int, weights: Ints, siemens_norm: float) -> Floats:
    """How far the weight is off if every pair is asked for these two bits."""
    states = cells.siemens_ap, cells.siemens_p
    found = (states[plus][..., 0::2] - states[minus][..., 1::2]) / siemens_norm
    return np.asarray(np.abs(found - weights))
