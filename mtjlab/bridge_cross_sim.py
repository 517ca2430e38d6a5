"""Measured conductances for CrossSim (3.2): the matrices inside an AnalogCore become those of a die.

A balanced core holds a positive and a negative matrix (outputs, inputs) of conductances times Rmin. Programming it and
then replacing the matrices leaves everything else of CrossSim (converters, wire resistance) as it was set.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .bridge_weights import plus_and_minus
from .errors import InputError
from .nouns import Floats


def put_on_cross_sim(core: Any, siemens: Floats, siemens_norm: float) -> float:
    """Replace the conductances inside a core; returns the factor from its products to x (G+ - G-) / siemens_norm.

    `factor * (core @ x)` is then what the die gives. Nothing is clamped. Reads of the core's matrix times the factor
    are the effective weights.

    Args:
        core: a `simulator.AnalogCore` of shape (outputs, inputs) with `core.style = "BALANCED"`, that has a matrix
            (any: its largest weight only sets the scale).
        siemens: shape (inputs, 2 * outputs), lines plus, minus, plus, minus ...
        siemens_norm: conductance that counts as weight one.

    Raises:
        InputError: the core is not a balanced one, or has another shape; conductances are not numbers.
    """
    plus, minus = plus_and_minus(siemens)
    if tuple(core.shape) != plus.shape:
        raise InputError(f"a core of shape {tuple(core.shape)} for weights (outputs, inputs) of {plus.shape}")
    if not siemens_norm > 0:
        raise InputError(f"siemens_norm must be above 0, got {siemens_norm}")
    factors = set()
    row = 0
    for parts in core.cores:
        col = 0
        for part in parts:
            _require_balanced(part)
            rows, cols = part.core_pos.matrix.shape
            block = slice(row, row + rows), slice(col, col + cols)
            factors.add(_replace(part, plus[block], minus[block]) / siemens_norm)
            col += cols
        row += rows
    if (row, col) != plus.shape:
        raise InputError(f"the parts of the core hold {(row, col)} weights, wanted {plus.shape}")
    if max(factors) > min(factors) * (1 + 1e-9):
        raise InputError("parts of the core have different scales", remedy="Give all of them the same parameters")
    return float(factors.pop())


def _require_balanced(part: Any) -> None:
    if not hasattr(part, "core_pos") or not hasattr(part, "core_neg"):
        raise InputError(
            f"a {type(part).__name__} holds no pair of matrices", remedy='Make the core with core.style = "BALANCED"'
        )


def _replace(part: Any, plus: Floats, minus: Floats) -> float:
    """Put conductances into one balanced core; returns its weight per (G+ - G-), inverted, in siemens."""
    device = part.params.xbar.device
    part.core_pos.matrix, part.core_neg.matrix = (np.array(each * device.Rmin) for each in (plus, minus))
    if getattr(part, "fast_balanced", False):  # then products are taken with this difference, not with the two
        part.W_balanced = part.core_pos.matrix - part.core_neg.matrix
    return float(device.Grange_norm / (part.max * device.Rmin))
