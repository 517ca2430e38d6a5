"""Batch normalisation of many copies that share a folded batch: every copy has its own statistics (needs PyTorch)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from .folding import Fold


class CopiesBatchNorm(nn.Module):
    """What `nn.BatchNorm1d`, 2d or 3d does, for every copy or die of a folded batch (copies * samples, features, ...).

    With one copy on many dies, each die is normalised with its own statistics while training, and the running ones
    are those of all dies together.

    Args:
        like: layer whose settings, parameters and running statistics all copies start from.
        copies: how many.
        fold: how the batch is folded.
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    batches: Tensor

    def __init__(self, like: _BatchNorm, copies: int, fold: Fold) -> None:
        super().__init__()
        self._fold = fold
        self.features, self.eps, self.momentum = like.num_features, like.eps, like.momentum
        for name in ("weight", "bias"):
            value = getattr(like, name)
            own = None if value is None else nn.Parameter(value.detach().repeat(copies, 1))
            self.register_parameter(name, own)
        for name in ("running_mean", "running_var"):
            value = getattr(like, name)
            self.register_buffer(name, None if value is None else value.detach().repeat(copies, 1))
        counted = like.num_batches_tracked
        self.register_buffer("batches", torch.zeros((), dtype=torch.long) if counted is None else counted.clone())

    def forward(self, folded: Tensor) -> Tensor:
        """The same shape, or that of all copies where the input was common to them."""
        values = self._fold.apart(folded)
        values = values.reshape(*values.shape[:2], self.features, -1)
        if self.training or self.running_mean is None or self.running_var is None:
            variance, mean = torch.var_mean(values, dim=(1, 3), correction=0)
            if self.training:
                self._follow(mean, variance, values.shape[1] * values.shape[3])
        else:
            mean, variance = self.running_mean, self.running_var
        found = (values - _across(mean)) * _across(torch.rsqrt(variance + self.eps))
        if isinstance(self.weight, Tensor) and isinstance(self.bias, Tensor):
            found = found * _across(self.weight) + _across(self.bias)
        return self._fold.together(found).reshape(-1, *folded.shape[1:])

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Running statistics go towards those of this batch, the variance being that of the population."""
        if self.running_mean is None or self.running_var is None:
            return
        self.batches += 1
        share: Any = self.momentum if self.momentum is not None else 1.0 / self.batches
        unbiased = variance * (count / max(count - 1, 1))
        for running, now in ((self.running_mean, mean), (self.running_var, unbiased)):
            own = now.mean(dim=0, keepdim=True) if len(running) == 1 else now
            running += share * (own - running)


def _across(values: Tensor) -> Tensor:
    """(copies, features) against (copies, samples, features, rest)."""
    return values[:, None, :, None]
