"""The hyperbolic tangent of many small layers, a third of the time of PyTorch's on a CPU (needs PyTorch)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


def fast_tanh(values: Tensor) -> Tensor:
    """tanh(x) = 2 / (1 + exp(-2 x)) - 1, to one unit of rounding of numbers near one.

    On a CPU PyTorch's sigmoid takes a tenth of the time of its tanh, which can be a quarter of all of a training step
    of many small networks.
    """
    if values.device.type != "cpu":
        return torch.tanh(values)
    found: Tensor = _Tanh.apply(values)  # type: ignore[no-untyped-call]
    return found


class FastTanh(nn.Module):
    """`fast_tanh` as a module."""

    def forward(self, values: Tensor) -> Tensor:
        """The same shape."""
        return fast_tanh(values)


class _Tanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        found = torch.sigmoid(2 * values).mul_(2).sub_(1)
        ctx.save_for_backward(found)
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, weights: Tensor) -> Any:
        (found,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(weights, found)
