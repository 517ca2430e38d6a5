"""Matrix products of many copies: as few and as large ones as the inputs allow (needs PyTorch)."""

from __future__ import annotations

import torch
from torch import Tensor


def copies_product(inputs: Tensor, weights: Tensor) -> Tensor:
    """inputs (C or 1, N, inputs) times weights (C or 1, inputs, outputs), shape (C, N, outputs).

    Inputs that are common to all copies take one product with the weights of all. Samples are the last axis in memory:
    they are many where the outputs of a copy are few, and whatever follows then runs along them.
    """
    columns = weights.transpose(1, 2)
    if len(inputs) > 1:
        return torch.matmul(columns, inputs.transpose(1, 2)).transpose(1, 2)
    copies, outputs, rows = columns.shape
    together = columns.reshape(copies * outputs, rows) @ inputs[0].T
    return together.reshape(copies, outputs, -1).transpose(1, 2)
