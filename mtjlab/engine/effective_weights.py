"""Measured conductances for plain PyTorch: a state_dict of the weights that they stand for."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ..bridge_weights import effective_weights
from ..errors import InputError
from ..nouns import Floats


def effective_state_dict(
    siemens: Mapping[str, Floats],
    siemens_norms: Mapping[str, float],
    biases: Mapping[str, Floats] | None = None,
    *,
    dtype: torch.dtype = torch.float32,
) -> dict[str, Tensor]:
    """Weights, and biases where given, of linear layers by their names in a model: `model.load_state_dict` takes it.

    Args:
        siemens: per layer, (inputs, 2 * outputs), lines plus, minus, plus, minus ...
        siemens_norms: per layer, conductance that counts as weight one.
        biases: per layer, (outputs,), in units of the pre-activation.
        dtype: of the tensors.

    Raises:
        InputError: a name is missing or one too many, sizes differ, or conductances are not numbers.
    """
    unknown = (set(siemens) ^ set(siemens_norms)) | (set(biases or {}) - set(siemens))
    if unknown:
        raise InputError(f"conductances, norms and biases are not of the same layers: {sorted(unknown)}")
    found = {}
    for name, values in siemens.items():
        weights = effective_weights(values, siemens_norms[name])
        found[f"{name}.weight"] = torch.as_tensor(weights, dtype=dtype)
        if biases and name in biases:
            bias = torch.as_tensor(biases[name], dtype=dtype)
            if bias.shape != weights.shape[:1]:
                raise InputError(f"biases of shape {tuple(bias.shape)} for {weights.shape[0]} outputs", where=name)
            found[f"{name}.bias"] = bias
    return found
