"""Rounding of what goes into a crossbar and of what comes out, with the gradient straight through (needs PyTorch)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import InputError


@dataclass(frozen=True)
class Converters:
    """DACs and ADCs of a layer; None is exact.

    Attributes:
        input_bits: bits of the inputs' magnitude beside their sign; inputs are clipped to -1..1.
        output_bits: bits of a line's current beside its sign.
        full_scale: current, in units of weight at full input, at which the ADC ends.
    """

    input_bits: int | None = None
    output_bits: int | None = None
    full_scale: float = 64.0

    def __post_init__(self) -> None:
        for bits in (self.input_bits, self.output_bits):
            if bits is not None and not 1 <= bits <= 32:
                raise InputError(f"converters have 1 to 32 bits, got {bits}")
        if not self.full_scale > 0:
            raise InputError(f"full_scale must be above 0, got {self.full_scale}")

    def read(self, currents: Tensor) -> Tensor:
        """Currents as the ADC reports them, in units of weight."""
        return self.full_scale * quantised(currents / self.full_scale, self.output_bits)


def quantised(values: Tensor, bits: int | None) -> Tensor:
    """Values -1..1 (clipped) rounded to sign and `bits` bits of magnitude; gradient 1 inside the range, 0 outside."""
    if bits is None:
        return values
    steps = (1 << bits) - 1
    clipped = values.clamp(-1.0, 1.0)
    return clipped + (torch.round(clipped * steps) / steps - clipped).detach()
