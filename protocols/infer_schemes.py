"""How inputs go onto the rows: all at once as levels of their own, or bit by bit, as a Crossbar can do it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from mtjlab.engine.perceptron import quantise_bipolar
from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.roles import Capabilities

IntArray = NDArray[np.int64]

_BIT_SERIAL_LEVELS = 3
"""The driven rows, the held lines and the sensed one."""


class InputScheme(StrEnum):
    """What one measurement holds of an input vector."""

    ANALOGUE = "analogue"
    """All of it: every row at a level of its own."""
    BIT_SERIAL = "bit-serial"
    """One bit of the magnitudes of one sign: every driven row at the read voltage."""
    SIGNED_BIT_SERIAL = "bit-serial, both signs at once"
    """One bit of all magnitudes: rows at plus or minus the read voltage."""


@dataclass(frozen=True, eq=False)
class Drives:
    """What is measured for one input vector.

    Attributes:
        rows: shape (measurements, inputs), level of each row in units of the read voltage, -1..1.
        weights: shape (measurements,), what each measured current counts for.
    """

    rows: Floats
    weights: Floats


def chosen_scheme(can: Capabilities, rows: int, wanted: InputScheme | None = None) -> InputScheme:
    """The scheme with the fewest measurements that this Crossbar can do, or the wanted one.

    A Crossbar that senses a single line has that line on a source of its own, apart from other lines at 0 V. One that
    cannot join lines on a source has no levels for every row either.

    Args:
        rows: how many rows the layer (or tile) drives.

    Raises InputError if it cannot do it.
    """
    if not can.joins_lines and rows > 1 and wanted is not InputScheme.ANALOGUE:
        raise InputError(
            f"inference drives up to {rows} rows from one source, but this bench's matrix is in single-route mode",
            where="bench",
            remedy="Set 'allows_free_rule: true' for the matrix in the station file",
        )
    levels = can.levels + (can.sensed_lines > 1)
    needs = {
        InputScheme.ANALOGUE: rows + _BIT_SERIAL_LEVELS - 1,
        InputScheme.SIGNED_BIT_SERIAL: _BIT_SERIAL_LEVELS + 1,
        InputScheme.BIT_SERIAL: _BIT_SERIAL_LEVELS,
    }
    fits = [scheme for scheme, needed in needs.items() if levels >= needed]
    if wanted is None and fits:
        return fits[0]
    if wanted is not None and wanted in fits:
        return wanted
    needed = needs[wanted or InputScheme.BIT_SERIAL]
    raise InputError(
        f"{wanted or 'any inference'} with {rows} rows needs {needed} levels at once, this bench has {levels}",
        remedy="Choose another scheme, or add an SMU to the station and the wiring file",
    )


def drives_of(vector: IntArray, bits: int, scheme: InputScheme) -> Drives:
    """The measurements that one input vector takes; those without a driven row are left out.

    The sum of the measured currents times their weights, over the read voltage, is the product with the conductances,
    inputs in units of full scale.

    Args:
        vector: shape (inputs,), signed, magnitude at most 2**bits - 1 (full scale).
    """
    full_scale = 2**bits - 1
    if scheme is InputScheme.ANALOGUE:
        rows, weights = vector[np.newaxis] / full_scale, np.ones(1)
    else:
        signs = [np.sign(vector)]
        if scheme is InputScheme.BIT_SERIAL:
            signs = [(vector > 0).astype(np.int64), (vector < 0).astype(np.int64)]
        planes = (np.abs(vector) >> np.arange(bits)[:, np.newaxis]) & 1
        rows = np.concatenate([planes * sign for sign in signs]).astype(np.float64)
        worth = 2.0 ** np.arange(bits) / full_scale
        weights = np.concatenate([worth, -worth][: len(signs)])
    is_driven = rows.any(axis=1)
    return Drives(np.asarray(rows[is_driven], dtype=np.float64), weights[is_driven])


def signed_levels(values: Floats, bits: int) -> IntArray:
    """Values -1..1 (clipped) as signed integers; 1 is full scale, 2**bits - 1."""
    sign, magnitude = quantise_bipolar(values, bits)
    return sign * magnitude
