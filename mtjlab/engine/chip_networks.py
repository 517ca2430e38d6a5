"""Networks made for a chip of many kernels: their form, the cells under them, and parameters as plain arrays."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ..die_maps import DieMaps
from ..errors import InputError
from ..nouns import Ints, LimitedParts, TiledWeightPlan
from .cell_states import CellStates
from .convert import CrossbarNetwork, convert
from .encodings import Pairs
from .layers import CrossbarLinear, LayerSettings
from .partial_sums import PartialSums
from .placement import CellPair
from .tiling import CellIndex, NetworkTiling, tiling_of_shapes
from .tiling_plan import plan_tiled_network

Parameters = dict[str, NDArray[np.float32]]
"""Trained values by name, copies as the leading axis."""

CLASSES = 10


@dataclass(frozen=True)
class ChipForm:
    """Two layers of junctions in differential pairs, tanh between them.

    Attributes:
        side: pixels along an edge of the pictures.
        hidden: neurons between the layers.
        output_pairs: pairs of lines per output, whose sums are added: more levels, and no pair decides alone.
        limits: of the parts of the sums of either layer, in units of weight; None for none.
        part_inputs: inputs whose currents make one part; the rows of a kernel.
    """

    side: int = 11
    hidden: int = 62
    output_pairs: int = 3
    limits: tuple[float, float] | None = (1.0, 2.0)
    part_inputs: int = 25

    @property
    def name(self) -> str:
        """Layer sizes, and what is special."""
        parts = "" if self.limits is None else f", parts limited to {self.limits[0]:g} and {self.limits[1]:g}"
        pairs = "" if self.output_pairs == 1 else f", {self.output_pairs} pairs per output"
        return f"{self.side**2}-{self.hidden}-{CLASSES}{pairs}{parts}"

    def made(self, copies: int = 1, seed: int = 0) -> CrossbarNetwork:
        """A new network with drawn weights, `copies` of them."""
        layers = OrderedDict(
            hidden=nn.Linear(self.side**2, self.hidden), tanh=nn.Tanh(), output=nn.Linear(self.hidden, CLASSES)
        )
        first, last = (None, None) if self.limits is None else (PartialSums(self.part_inputs, x) for x in self.limits)
        settings = {
            "hidden": LayerSettings(gain=0.4, learn_gain=True, parts=first),
            "output": LayerSettings(
                encoding=Pairs(self.output_pairs), gain=0.6 / self.output_pairs, learn_gain=True, parts=last
            ),
        }
        return convert(
            nn.Sequential(layers), settings_of=settings, copies=copies, generator=torch.Generator().manual_seed(seed)
        )

    def tiling(self) -> NetworkTiling:
        """Plain placement on 32 kernels of 25 x 25. Raises InputError if it does not fit."""
        return plain_tiling_of(self.made())


def plain_tiling_of(network: CrossbarNetwork, kernels: int = 32, side: int = 25) -> NetworkTiling:
    """Plain placement of all crossbars of a network, in their order, on the kernels of a chip.

    Raises:
        InputError: they do not fit.
    """
    shapes = [(crossbar.inputs, crossbar.lines // 2) for crossbar in network.crossbars().values()]
    return tiling_of_shapes(shapes, kernels=kernels, kernel_shape=(side, side))


def cells_on(maps: DieMaps, tilings: NetworkTiling | Sequence[NetworkTiling]) -> list[CellStates]:
    """Cells under every layer, (dies, inputs, lines), each die in units of its own median G_P - G_AP.

    Cells whose conductance is not known count as the die's median in AP: nothing can be done with them.

    Args:
        tilings: one for all dies, or one per die.

    Raises:
        InputError: a die has no healthy cell; not as many tilings as dies.
    """
    each = [tilings] * len(maps) if isinstance(tilings, NetworkTiling) else list(tilings)
    if len(each) != len(maps):
        raise InputError(f"{len(each)} placements for {len(maps)} dies")
    pair = known_pair(maps)
    return [_layer_cells(pair, [tiling.layers[k].cells for tiling in each]) for k in range(len(each[0].layers))]


def known_pair(maps: DieMaps) -> CellPair:
    """Both states of all cells, (dies, kernels, rows, cols), in units of each die's median G_P - G_AP; no NaN."""
    unit = maps.on_off_siemens()[:, None, None, None]
    ap, p = (values / unit for values in maps.reachable())
    typical = np.nanmedian(ap, axis=(1, 2, 3), keepdims=True)
    unknown = ~(np.isfinite(ap) & np.isfinite(p))
    return CellPair(np.where(unknown, typical, ap), np.where(unknown, typical, p))


def parameters_of(network: CrossbarNetwork) -> Parameters:
    """All trained values."""
    return {name: value.detach().cpu().numpy().copy() for name, value in network.named_parameters()}


def with_parameters(
    network: CrossbarNetwork, parameters: Mapping[str, NDArray[np.float32]], copies: Sequence[int]
) -> None:
    """Put values of these copies into a network of as many copies.

    Raises:
        InputError: they are of another network.
    """
    with torch.no_grad():
        for name, value in network.named_parameters():
            if name not in parameters or parameters[name][list(copies)].shape != tuple(value.shape):
                raise InputError(f"no values of shape {tuple(value.shape)} for {name}")
            value.copy_(torch.as_tensor(parameters[name][list(copies)]))


def bits_of(network: CrossbarNetwork) -> list[Ints]:
    """Wanted states per layer, (copies, inputs, lines)."""
    return [crossbar.bits().cpu().numpy() for crossbar in network.crossbars().values()]


@dataclass(frozen=True, eq=False)
class PlacedNetwork:
    """A network as it is written onto a die and run there.

    Attributes:
        plan: which cell holds what; limits of parts in siemens of that die.
        siemens_norms: normalising conductance of each layer: unit of weight over gain.
    """

    plan: TiledWeightPlan
    siemens_norms: tuple[float, ...]


def placed_network(
    network: CrossbarNetwork, tiling: NetworkTiling, siemens_unit: float, copy: int = 0
) -> PlacedNetwork:
    """What protocols need of one copy of a network, to run it on a die.

    Args:
        tiling: where its layers lie on this die.
        siemens_unit: what one unit of weight is worth there, `DieMaps.on_off_siemens`.

    Raises:
        InputError: the tiling is of another network; a layer is not of differential pairs that are free.
    """
    layers = network.crossbars()
    others = [name for name, layer in layers.items() if not isinstance(layer.settings.encoding, Pairs)]
    if others:
        raise InputError(f"layers {', '.join(others)} are not made of differential pairs", where="network")
    limits = [layer.settings.parts for layer in layers.values()]
    plan = plan_tiled_network(
        tiling,
        [bits[copy] for bits in bits_of(network)],
        [layer.bias[copy, 0].detach().cpu().numpy().astype(np.float64) for layer in layers.values()],
        list(layers),
        parts=[None if one is None else LimitedParts(one.inputs, one.limit * siemens_unit) for one in limits],
        pairs_per_output=[_pairs_of(layer) for layer in layers.values()],
    )
    gains = [float(layer.gain[copy].detach()) for layer in layers.values()]
    return PlacedNetwork(plan, tuple(siemens_unit / gain for gain in gains))


def _pairs_of(layer: CrossbarLinear) -> int:
    return layer.lines // (2 * layer.outputs)


def _layer_cells(pair: CellPair, indices: Sequence[CellIndex]) -> CellStates:
    ap, p = (np.stack([values[die][index] for die, index in enumerate(indices)]) for values in pair)
    return CellStates.of(CellPair(ap, p), 1.0)
