"""States of latent weights and differences of lines, each with its gradient in one step (needs PyTorch)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


def hard_states(latent: Tensor) -> Tensor:
    """1 where a latent weight is above 0, else 0; the gradient is that of (1 + latent) / 2."""
    found: Tensor = _Hard.apply(latent)  # type: ignore[no-untyped-call]
    return found


def plus_less_minus(lines: Tensor) -> Tensor:
    """Differences (..., pairs) of lines (..., 2 * pairs) plus, minus, plus, minus ..."""
    found: Tensor = _Difference.apply(lines)  # type: ignore[no-untyped-call]
    return found


class _Hard(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, latent: Tensor) -> Tensor:
        return (latent > 0).to(latent.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> Tensor:
        return weights / 2


class _Difference(torch.autograd.Function):
    """The gradient of two strided views would fill four tensors of zeros first."""

    @staticmethod
    def forward(ctx: Any, lines: Tensor) -> Tensor:
        return lines[..., 0::2] - lines[..., 1::2]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> Tensor:
        return torch.stack([weights, -weights], dim=-1).flatten(-2)
