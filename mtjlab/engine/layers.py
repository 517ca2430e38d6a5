"""Layers whose weights are junctions on a crossbar: many copies (solutions or dies) at once (needs PyTorch).

Every device has a latent real weight; its sign is the state that the forward pass uses, and the gradient passes
straight through to the latent weight (Courbariaux et al., BinaryConnect, 2015; Hubara et al., JMLR 18, 2018).
Conductances count in units of the conductance that is worth weight one. A device that cannot switch (short, open,
stuck) has a swing of zero: it keeps its own conductance whatever the weight asks for, and gets no gradient.

Shapes: C copies, N samples, inputs, lines, outputs. Copies come from the layer (one latent weight each), from the cells
(one die each), or both, where one of them is 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ..errors import InputError
from .cell_states import CellStates
from .converters import Converters, quantised
from .copies_product import copies_product
from .encodings import Encoding, Pairs
from .partial_sums import PartialSums
from .placed_wires import PlacedWires, TileWires
from .straight_through import hard_states


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
        wires: tiles with resistive wires that the layer is cut into; None for wires without resistance.
        parts: limits on the parts that sums are made of; None for none.
    """

    devices: Devices = field(default_factory=Devices)
    encoding: Encoding = field(default_factory=Pairs)
    converters: Converters = field(default_factory=Converters)
    gain: float = 1.0
    learn_gain: bool = False
    bias: bool = True
    latent_limit: float = 1.0
    wires: TileWires | None = None
    parts: PartialSums | None = None

    def __post_init__(self) -> None:
        if self.parts is not None and (self.devices.bias_ratio or self.converters.output_bits is not None):
            raise InputError(
                "limited parts do not go with devices that depend on bias, nor with ADCs",
                remedy="Set bias_ratio to 0 and output_bits to None, or leave the parts out",
            )
        if self.wires is not None:
            _refuse_bias_dependence(self.devices)


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
        wires = self.settings.wires
        self.wires = None if wires is None else wires.under(inputs, self.lines)

    @property
    def lines(self) -> int:
        """Lines of the crossbar that the outputs take."""
        return self.settings.encoding.lines(self.outputs)

    @property
    def copies_out(self) -> int:
        """Copies C of the outputs where the inputs are common to all: solutions, or dies under the layer."""
        of_wires = self.wires.dies if self.wires is not None else 1
        return max(self.copies, len(self.cells.off), of_wires)

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
            cells = cells.like(self.latent)
        self.cells = cells or self._ideal

    def use_wires(self, wires: PlacedWires | None) -> None:
        """Put the layer on these tiles with resistive wires; None for wires without resistance.

        Raises InputError if they do not fit, or if the devices depend on bias.
        """
        if wires is not None:
            _refuse_bias_dependence(self.settings.devices)
            if wires.place.shape != (self.inputs, self.lines):
                raise InputError(f"a layer of {(self.inputs, self.lines)} lines lies on wires for {wires.place.shape}")
        self.wires = wires

    def states(self) -> Tensor:
        """States (copies, inputs, lines) as the forward pass uses them, 0 (AP) or 1 (P), gradient straight through."""
        states = self.settings.encoding.states(hard_states(self.latent), self.outputs)
        flips = self.settings.devices.flip_probability
        if not (self.training and flips):
            return states
        is_wrong = self._drawn(torch.rand, states.shape) < flips
        return states + (is_wrong * (1 - 2 * states)).detach()

    @torch.no_grad()
    def bits(self) -> Tensor:
        """Wanted states, int8, shape (copies, inputs, lines)."""
        return self.settings.encoding.states(hard_states(self.latent), self.outputs).to(torch.int8)

    def conductances(self) -> Tensor:
        """Shape (C, inputs, lines), in units of weight, with the device errors of training."""
        return self._devices()[0]

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (C, N, outputs) of inputs (C or 1, N, inputs)."""
        if inputs.ndim != 3 or inputs.shape[-1] != self.inputs:
            raise InputError(f"inputs of shape {tuple(inputs.shape)}, wanted (copies or 1, samples, {self.inputs})")
        applied = quantised(inputs, self.settings.converters.input_bits)
        return self._gained_sums(applied) + self.bias

    @torch.no_grad()
    def clamp_latent(self) -> None:
        """Latent weights beyond one would only be slow to come back."""
        self.latent.clamp_(-1.0, 1.0)

    def _devices(self) -> tuple[Tensor, Tensor | None]:
        """Conductances, and what devices in AP could conduct more under bias (None if nothing); one draw of errors."""
        states, cells = self.states(), self.cells.like(self.latent)
        found = cells.off + states * cells.swing
        beyond = (1 - states) * cells.swing if self.settings.devices.bias_ratio else None
        spread = self.settings.devices.spread
        if self.training and spread:
            factor = torch.exp(spread * self._drawn(torch.randn, found.shape))
            found, beyond = found * factor, None if beyond is None else beyond * factor
        return found, beyond

    def _gained_sums(self, applied: Tensor) -> Tensor:
        """Weighted sums times the gain; line by line only where something happens to single lines."""
        converters, encoding = self.settings.converters, self.settings.encoding
        lines, beyond = self._devices()
        if self.wires is not None:
            lines = self.wires.seen(lines)
        if self.settings.parts is not None:
            pairs = self.settings.parts.of(applied, encoding.pairs(lines, self.outputs))
            return self.gain * self._with_noise(encoding.added(pairs, self.outputs), encoding.lines_per_output)
        if converters.output_bits is None:  # weights are fewer than sums: the gain costs less there
            weights = self.gain * encoding.joined(lines, self.outputs)
            beyond = None if beyond is None else self.gain * encoding.joined(beyond, self.outputs)
            return self._with_noise(self._currents(applied, weights, beyond), encoding.lines_per_output, self.gain)
        read = converters.read(self._with_noise(self._currents(applied, lines, beyond), 1))
        return self.gain * encoding.joined(read, self.outputs)

    def _currents(self, applied: Tensor, conductances: Tensor, beyond: Tensor | None) -> Tensor:
        """Inputs times conductances, and what devices in AP conduct more at the voltage of their input than at none.

        The shape of that rise is that of the TMR of `Devices`, also where known cells have another.
        """
        currents = copies_product(applied, conductances)
        if beyond is None:
            return currents
        u = (applied * self.settings.devices.bias_ratio) ** 2
        return currents + copies_product(applied * u / (1 + u + self.settings.devices.tmr), beyond)

    def _with_noise(self, currents: Tensor, lines: float, gain: Tensor | float = 1.0) -> Tensor:
        noise = self.settings.devices.read_noise
        return currents + gain * noise * lines**0.5 * self._drawn(torch.randn, currents.shape) if noise else currents

    def _drawn(self, draw: Callable[..., Tensor], shape: torch.Size) -> Tensor:
        """Random numbers where the layer is; drawn where the generator is, so that both may be anywhere."""
        found = draw(shape, generator=self.random, device=self.random.device, dtype=self.latent.dtype)
        return found.to(self.latent.device)

    def _uniform(self, limit: float, *shape: int) -> Tensor:
        return limit * (2 * torch.rand(shape, generator=self.random, device=self.random.device) - 1)


def _refuse_bias_dependence(devices: Devices) -> None:
    if devices.bias_ratio:
        raise InputError(
            "a layer with exact wire resistance cannot have devices that depend on bias",
            remedy="Set bias_ratio to 0, or leave the wires out",
        )
