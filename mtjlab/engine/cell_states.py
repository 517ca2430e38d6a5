"""What the cells under a layer can be, as tensors in units of weight (needs PyTorch)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..errors import InputError
from .placement import CellPair


class CellStates(NamedTuple):
    """Conductance in AP and what P adds to it, in units of weight: shape (dies, inputs, lines) or one that broadcasts.

    A cell that cannot switch has a swing of zero and its own conductance as `off`.
    """

    off: Tensor
    swing: Tensor

    @classmethod
    def ideal(cls, on_off_ratio: float) -> CellStates:
        """Perfect devices: P less AP is one unit of weight."""
        off = torch.full((1, 1, 1), 1.0 / (on_off_ratio - 1.0), dtype=torch.float64)
        return cls(off, torch.ones_like(off))

    @classmethod
    def of(cls, pair: CellPair, siemens_norm: float, *, dtype: torch.dtype = torch.float32) -> CellStates:
        """Known cells; nothing is clamped.

        Args:
            pair: conductances, siemens, (inputs, lines) or (dies, inputs, lines).
            siemens_norm: conductance that counts as weight one.

        Raises InputError for a conductance that is not a number or infinite, or a siemens_norm that is not above 0.
        """
        if not siemens_norm > 0:
            raise InputError(f"siemens_norm must be above 0, got {siemens_norm}")
        both = torch.as_tensor(pair.siemens_ap), torch.as_tensor(pair.siemens_p)
        unknown = int((~(torch.isfinite(both[0]) & torch.isfinite(both[1]))).sum())
        if unknown:
            raise InputError(
                f"{unknown} cells under the layer have no known conductance",
                remedy="Read them first, or let a population fill them in",
            )
        ap, p = (values.reshape(-1, *values.shape[-2:]) / siemens_norm for values in both)
        return cls(ap.to(dtype), (p - ap).to(dtype))

    def like(self, other: Tensor) -> CellStates:
        """The same with another tensor's type and on its device."""
        return CellStates(self.off.to(other), self.swing.to(other))

    def to(self, device: torch.device | str) -> CellStates:
        """The same on another device."""
        return CellStates(self.off.to(device), self.swing.to(device))
