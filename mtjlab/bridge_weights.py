"""What all bridges to other engines share: weights from conductances, in those engines' order (outputs, inputs)."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

import numpy as np

from .errors import InputError
from .nouns import Floats


def plus_and_minus(siemens: Floats) -> tuple[Floats, Floats]:
    """Conductances of the plus and of the minus lines, each (outputs, inputs), nothing clamped.

    Args:
        siemens: shape (inputs, 2 * outputs), lines plus, minus, plus, minus ...; `mtjlab.bridge.layer_siemens`, or
            the cells of a die and the bits on them.

    Raises:
        InputError: lines do not come in pairs, or some conductances are not numbers.
    """
    values = np.asarray(siemens, dtype=np.float64)
    if values.ndim != 2 or values.shape[1] % 2:
        raise InputError(f"conductances of shape {values.shape}, wanted (inputs, 2 * outputs): lines in pairs")
    unknown = int((~np.isfinite(values)).sum())
    if unknown:
        raise InputError(
            f"{unknown} of the {values.size} conductances are not known", remedy="Read these cells before handing over"
        )
    return np.ascontiguousarray(values[:, 0::2].T), np.ascontiguousarray(values[:, 1::2].T)


def effective_weights(siemens: Floats, siemens_norm: float) -> Floats:
    """Weights (outputs, inputs) that the conductances stand for: (G+ - G-) / siemens_norm.

    Raises:
        InputError: as `plus_and_minus`, or siemens_norm is not above 0.
    """
    if not siemens_norm > 0:
        raise InputError(f"siemens_norm must be above 0, got {siemens_norm}")
    plus, minus = plus_and_minus(siemens)
    return np.asarray((plus - minus) / siemens_norm)


def other_engine(module: str, package: str) -> ModuleType:
    """A module of another engine. Raises InputError if it is not installed, saying what to install."""
    try:
        return import_module(module)
    except ImportError as error:
        raise InputError(
            f"{package} cannot be used here ({error})", remedy=f"Install {package} in this Python environment"
        ) from error
