"""How devices of two states make a weight: which lines they sit on, and how line currents are put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ..errors import InputError
from .straight_through import plus_less_minus


class Encoding(Protocol):
    """From latent weights to devices on lines, and from lines to outputs."""

    @property
    def lines_per_output(self) -> float:
        """How many lines' currents an output is made of, each counted with the square of its factor."""
        ...

    def latents(self, outputs: int) -> int:
        """Latent weights per input."""
        ...

    def lines(self, outputs: int) -> int:
        """Lines of the crossbar."""
        ...

    def states(self, latent_states: Tensor, outputs: int) -> Tensor:
        """States (..., lines) of the devices from those of the latent weights (..., latents)."""
        ...

    def joined(self, lines: Tensor, outputs: int) -> Tensor:
        """Values (..., outputs) of an output from those of its lines (..., lines): a linear map."""
        ...

    def pairs(self, lines: Tensor, outputs: int) -> Tensor:
        """Values (..., pairs) of every line less what it is compared with; `added` makes outputs of them."""
        ...

    def added(self, pairs: Tensor, outputs: int) -> Tensor:
        """Values (..., outputs) from those of the pairs."""
        ...

    def nearest_latents(self, weights: Tensor) -> Tensor:
        """Latent weights (..., latents), within -1..1, whose states make what is nearest to weights (..., outputs)."""
        ...


@dataclass(frozen=True)
class Pairs:
    """Differential pairs of lines, every device free: weights -n..n with n pairs of lines per output.

    Lines are plus, minus, plus, minus ...; the pairs of one output are neighbours. One pair is a ternary weight.
    """

    per_output: int = 1

    def __post_init__(self) -> None:
        if self.per_output < 1:
            raise InputError(f"an output needs at least one pair of lines, got {self.per_output}")

    @property
    def lines_per_output(self) -> float:
        """Both lines of every pair."""
        return 2.0 * self.per_output

    def latents(self, outputs: int) -> int:
        """One per device."""
        return self.lines(outputs)

    def lines(self, outputs: int) -> int:
        """Two per pair."""
        return 2 * self.per_output * outputs

    def states(self, latent_states: Tensor, outputs: int) -> Tensor:
        """The latent ones."""
        return latent_states

    def joined(self, lines: Tensor, outputs: int) -> Tensor:
        """Plus less minus."""
        return self.added(self.pairs(lines, outputs), outputs)

    def pairs(self, lines: Tensor, outputs: int) -> Tensor:
        """Plus less minus, the pairs of one output as neighbours."""
        return plus_less_minus(lines)

    def added(self, pairs: Tensor, outputs: int) -> Tensor:
        """The pairs of an output added up."""
        if self.per_output == 1:
            return pairs
        return pairs.reshape(*pairs.shape[:-1], outputs, self.per_output).sum(dim=-1)

    def nearest_latents(self, weights: Tensor) -> Tensor:
        """Pair k of an output is 1 or -1 where the weight's size is beyond k + 1/2."""
        beyond = torch.arange(self.per_output, device=weights.device) + 0.5
        plus, minus = weights[..., None] - beyond, -weights[..., None] - beyond
        return (torch.stack([plus, minus], dim=-1) / self.per_output).clamp(-1.0, 1.0).flatten(-3)


@dataclass(frozen=True)
class Complementary:
    """Differential pairs whose devices are always in opposite states: a weight of -1 or 1, n pairs per output."""

    per_output: int = 1

    def __post_init__(self) -> None:
        if self.per_output < 1:
            raise InputError(f"an output needs at least one pair of lines, got {self.per_output}")

    @property
    def lines_per_output(self) -> float:
        """Both lines of every pair."""
        return 2.0 * self.per_output

    def latents(self, outputs: int) -> int:
        """One per pair."""
        return self.per_output * outputs

    def lines(self, outputs: int) -> int:
        """Two per pair."""
        return 2 * self.per_output * outputs

    def states(self, latent_states: Tensor, outputs: int) -> Tensor:
        """Plus as the latent one, minus the opposite."""
        return torch.stack([latent_states, 1 - latent_states], dim=-1).flatten(-2)

    def joined(self, lines: Tensor, outputs: int) -> Tensor:
        """Plus less minus."""
        return Pairs(self.per_output).joined(lines, outputs)

    def pairs(self, lines: Tensor, outputs: int) -> Tensor:
        """Plus less minus, the pairs of one output as neighbours."""
        return plus_less_minus(lines)

    def added(self, pairs: Tensor, outputs: int) -> Tensor:
        """The pairs of an output added up."""
        return Pairs(self.per_output).added(pairs, outputs)

    def nearest_latents(self, weights: Tensor) -> Tensor:
        """Pairs of one output change their sign one after the other, two units of weight apart."""
        middle = 2.0 * torch.arange(self.per_output, device=weights.device) - (self.per_output - 1)
        return ((weights[..., None] - middle) / self.per_output).clamp(-1.0, 1.0).flatten(-2)


@dataclass(frozen=True)
class Reference:
    """One device per weight against the mean of two shared lines, one in P and one in AP: weights -1/2 and 1/2.

    Lines are those of the outputs, then the reference in P, then that in AP.
    """

    @property
    def lines_per_output(self) -> float:
        """Its own, and half of each reference."""
        return 1.5

    def latents(self, outputs: int) -> int:
        """One per output."""
        return outputs

    def lines(self, outputs: int) -> int:
        """One per output, and two."""
        return outputs + 2

    def states(self, latent_states: Tensor, outputs: int) -> Tensor:
        """The latent ones, then 1 and 0."""
        ones = torch.ones_like(latent_states[..., :1])
        return torch.cat([latent_states, ones, 0 * ones], dim=-1)

    def joined(self, lines: Tensor, outputs: int) -> Tensor:
        """Each line less the references' mean."""
        return lines[..., :outputs] - lines[..., outputs:].mean(dim=-1, keepdim=True)

    def pairs(self, lines: Tensor, outputs: int) -> Tensor:
        """As `joined`: there is one line per output."""
        return self.joined(lines, outputs)

    def added(self, pairs: Tensor, outputs: int) -> Tensor:
        """Nothing to add."""
        return pairs

    def nearest_latents(self, weights: Tensor) -> Tensor:
        """Their sign decides."""
        return (2.0 * weights).clamp(-1.0, 1.0)
