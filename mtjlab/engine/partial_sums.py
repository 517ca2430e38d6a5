"""Sums put together from parts that are limited one by one, so that no single cell can drown a sum (needs PyTorch).

A line longer than an array is measured in parts that are digitised and added. Limiting each pair's part before adding
bounds what a short can do to the limit, while healthy parts seldom reach it; the network is trained with the limit.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import pad

from ..errors import InputError


@dataclass(frozen=True)
class PartialSums:
    """How a layer's sums are put together.

    Attributes:
        inputs: consecutive inputs whose currents make one part, e.g. the rows of an array.
        limit: a part's plus less minus is cut to +-limit, in units of weight at full input.
    """

    inputs: int = 25
    limit: float = 2.0

    def __post_init__(self) -> None:
        if self.inputs < 1 or not self.limit > 0:
            raise InputError(f"parts need at least one input and a limit above 0, got {self.inputs} and {self.limit}")

    def of(self, applied: Tensor, weights: Tensor) -> Tensor:
        """Limited sums (C, samples, columns) of inputs (C or 1, samples, inputs) and weights (C or 1, inputs, columns).

        Weights are those of single pairs, in units of weight.
        """
        parts = -(-applied.shape[-1] // self.inputs)
        missing = parts * self.inputs - applied.shape[-1]
        padded, weights = pad(applied, (0, missing)), pad(weights, (0, 0, 0, missing))
        by_part = padded.reshape(*padded.shape[:-1], parts, self.inputs).transpose(-3, -2)
        own = weights.reshape(weights.shape[0], parts, self.inputs, weights.shape[-1])
        return torch.matmul(by_part, own).clamp(-self.limit, self.limit).sum(dim=-3)
