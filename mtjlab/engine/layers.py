"""Layers whose weights are junctions on a crossbar: many copies (solutions or dies) at once (needs PyTorch).

Every device has a latent real weight; its sign is the state that the forward pass uses, and the gradient passes
straight through to the latent weight (Courbariaux et al., BinaryConnect, 2015; Hubara et al., JMLR 18, 2018).
Conductances count in units of the conductance that is worth weight one. A device that cannot switch (short, open,
stuck) has a swing of zero: it keeps its own conductance whatever the weight asks for, and gets no gradient.

Shapes: C copies, N samples, inputs, lines, outputs. Copies come from the layer (one latent weight each), from the cells
(one die each), or both, where one of them is 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..errors import InputError
from .cell_states import CellStates
from .converters import Converters, quantised
from .encodings import Encoding, Pairs


@dataclass(frozen=True)
class Devices:
    """How devices behave beside what is known of them; drawn anew at every forward pass while training.

    Attributes:
        on_off_ratio: G_P / G_AP of ideal devices (2 is a TMR of 100 %).
        spread: log-normal spread of every conductance.
        flip_probability: chance that a device is in the wrong state.
        read_noise: standard deviation of a line's current, in units of weight at full input; also when not training.
        bias_ratio: read voltage over the voltage V_h at which the TMR has halved; 0 for conductances without bias
            dependence. G_AP(V) = G_P (1 + u) / (1 + u + TMR) with u = (x V_read / V_h)^2.
    """

    on_off_ratio: float = 2.0
    spread: float = 0.0
    flip_probability: float = 0.0
    read_noise: float = 0.0
    bias_ratio: float = 0.0

    def __post_init__(self) -> None:
        if self.on_off_ratio <= 1:
            raise InputError(f"on_off_ratio must be above 1, got {self.on_off_ratio}")
        if min(self.spread, self.read_noise, self.bias_ratio) < 0 or not 0 <= self.flip_probability <= 1:
            raise InputError("spreads and noise must not be negative, and flip_probability must lie between 0 and 1")

    @property
    def tmr(self) -> float:
        """Of ideal devices, as a ratio."""
        return self.on_off_ratio - 1.0


@dataclass(frozen=True)
class LayerSettings:
    """What a layer is made of.

    Attributes:
        devices: how they behave.
        encoding: how devices make a weight.
        converters: how finely inputs go in and currents come out.
        gain: what a current of one unit of weight adds to the output, before the bias.
        learn_gain: whether the gain is trained, one per copy.
        bias: whether there is a (software) bias.
        latent_limit: latent weights start evenly within it.
    """

    devices: Devices = field(default_factory=Devices)
    encoding: Encoding = field(default_factory=Pairs)
    converters: Converters = field(default_factory=Converters)
    gain: float = 1.0
    learn_gain: bool = False
    bias: bool = True
    latent_limit: float = 1.0


class CrossbarLinear(nn.Module):
    """y = gain (x W) + bias with W of junctions; x (C or 1, N, inputs) gives (C, N, outputs).

    Args:
        inputs, outputs: size of the weight.
        copies: independent solutions, each with latent weights of its own.
        settings: what the layer is made of.
        generator: source of everything random.

    Attributes:
        latent: shape (copies, inputs, latents); between -1 and 1 once `clamp_latent` was called.
        gain: shape (copies, 1, 1).
        bias: shape (copies, 1, outputs).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        copies: int = 1,
        settings: LayerSettings | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        if min(inputs, outputs, copies) < 1:
            raise InputError(f"a layer needs inputs, outputs and copies, got {inputs}, {outputs}, {copies}")
        self.settings = settings or LayerSettings()
        self.inputs, self.outputs, self.copies = inputs, outputs, copies
        self.random = generator or torch.Generator().manual_seed(0)
        latents = self.settings.encoding.latents(outputs)
        self.latent = nn.Parameter(self._uniform(self.settings.latent_limit, copies, inputs, latents))
        gain = torch.full((copies, 1, 1), self.settings.gain)
        self.gain = nn.Parameter(gain, requires_grad=self.settings.learn_gain)
        self.bias = nn.Parameter(torch.zeros(copies, 1, outputs), requires_grad=self.settings.bias)
        self._ideal = CellStates.ideal(self.settings.devices.on_off_ratio)
        self.cells = self._ideal

    @property
    def lines(self) -> int:
        """Lines of the crossbar that the outputs take."""
        return self.settings.encoding.lines(self.outputs)

    def use_cells(self, cells: CellStates | None) -> None:
        """Put known cells under the layer: shape (dies or copies or 1, inputs, lines); None for ideal ones.

        Raises InputError if they do not fit.
        """
        if cells is not None:
            wanted = (self.inputs, self.lines)
            if cells.off.shape[-2:] != wanted:
                raise InputError(f"a layer of {wanted} lines cannot use cells of shape {tuple(cells.off.shape)}")
            dies = cells.off.shape[0] if cells.off.ndim == 3 else 1
            if self.copies > 1 and dies not in (1, self.copies):
                raise InputError(
                    f"{self.copies} solutions cannot be put on {dies} dies at once",
                    remedy="Give one die, as many dies as solutions, or one solution",
                )
        self.cells = cells or self._ideal

    def states(self) -> Tensor:
        """States (copies, inputs, lines) as the forward pass uses them, 0 (AP) or 1 (P), gradient straight through."""
        hard = (self.latent > 0).to(self.latent.dtype)
        flips = self.settings.devices.flip_probability
        if self.training and flips:
            is_wrong = torch.rand(hard.shape, generator=self.random, device=hard.device) < flips
            hard = torch.where(is_wrong, 1 - hard, hard)
        soft = self.latent / 2
        return self.settings.encoding.states(hard + (soft - soft.detach()), self.outputs)

    @torch.no_grad()
    def bits(self) -> Tensor:
        """Wanted states, int8, shape (copies, inputs, lines)."""
        hard = (self.latent > 0).to(self.latent.dtype)
        return self.settings.encoding.states(hard, self.outputs).to(torch.int8)

    def conductances(self) -> Tensor:
        """Shape (C, inputs, lines), in units of weight, with the device errors of training."""
        found = self.cells.off + self.states() * self.cells.swing
        spread = self.settings.devices.spread
        if self.training and spread:
            found = found * torch.exp(spread * self._normal(found.shape, found))
        return found

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (C, N, outputs) of inputs (C or 1, N, inputs)."""
        if inputs.ndim != 3 or inputs.shape[-1] != self.inputs:
            raise InputError(f"inputs of shape {tuple(inputs.shape)}, wanted (copies or 1, samples, {self.inputs})")
        applied = quantised(inputs, self.settings.converters.input_bits)
        sums = self._sums(applied)
        return sums * self.gain + self.bias

    @torch.no_grad()
    def clamp_latent(self) -> None:
        """Latent weights beyond one would only be slow to come back."""
        self.latent.clamp_(-1.0, 1.0)

    def _sums(self, applied: Tensor) -> Tensor:
        """Weighted sums in units of weight; line by line only where something happens to single lines."""
        converters, encoding = self.settings.converters, self.settings.encoding
        conductances = self.conductances()
        if converters.output_bits is None:
            sums = torch.matmul(applied, encoding.joined(conductances, self.outputs))
            sums = sums + self._bias_dependence(applied, joined=True)
            return self._with_noise(sums, encoding.lines_per_output)
        lines = torch.matmul(applied, conductances) + self._bias_dependence(applied, joined=False)
        read = converters.read(self._with_noise(lines, 1))
        return encoding.joined(read, self.outputs)

    def _bias_dependence(self, applied: Tensor, *, joined: bool) -> Tensor | float:
        """What devices in AP conduct more at the voltage of their input than at none."""
        ratio = self.settings.devices.bias_ratio
        if not ratio:
            return 0.0
        u = (applied * ratio) ** 2
        extra = (1 - self.states()) * self.cells.swing
        if joined:
            extra = self.settings.encoding.joined(extra, self.outputs)
        return torch.matmul(applied * u / (1 + u + self.settings.devices.tmr), extra)

    def _with_noise(self, currents: Tensor, lines: float) -> Tensor:
        noise = self.settings.devices.read_noise
        return currents + noise * lines**0.5 * self._normal(currents.shape, currents) if noise else currents

    def _normal(self, shape: torch.Size, like: Tensor) -> Tensor:
        return torch.randn(shape, generator=self.random, device=like.device, dtype=like.dtype)

    def _uniform(self, limit: float, *shape: int) -> Tensor:
        return limit * (2 * torch.rand(shape, generator=self.random, device=self.random.device) - 1)
