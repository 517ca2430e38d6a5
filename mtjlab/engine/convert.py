"""Any network of linear and convolution layers on crossbars, many copies at once (needs PyTorch)."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ..errors import InputError
from .convolution import CrossbarConv2d
from .copies_batch_norm import CopiesBatchNorm
from .float_weights import start_from
from .folding import Fold, FoldedConv, FoldedLinear
from .layers import CrossbarLinear, LayerSettings

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d)


@dataclass(frozen=True)
class LayerDevices:
    """What one crossbar of a network needs, per copy.

    Attributes:
        name: of the layer in the model, with the group's number where a convolution has groups.
        inputs, lines: of the crossbar; lines are those of the encoding (plus and minus, for pairs).
        outputs: of the layer.
    """

    name: str
    inputs: int
    outputs: int
    lines: int

    @property
    def devices(self) -> int:
        """Junctions."""
        return self.inputs * self.lines


class CrossbarNetwork(nn.Module):
    """A model on crossbars: x (C or 1, N, ...) gives (C, N, ...), where the model made (N, ...) of (N, ...).

    Everything between the crossbars runs as it was, on a batch of C N samples (copy after copy); batch normalisation
    keeps statistics and parameters per copy. Made by `convert`.

    Attributes:
        body: the model with its layers exchanged.
    """

    def __init__(self, body: nn.Module, fold: Fold, *, is_chain: bool) -> None:
        super().__init__()
        self.body, self._fold, self._is_chain = body, fold, is_chain

    def forward(self, inputs: Tensor) -> Tensor:
        """Outputs (C, N, ...); C comes from the copies or from the dies under the layers."""
        if inputs.ndim < 2:
            raise InputError(f"inputs of shape {tuple(inputs.shape)}, wanted (copies or 1, samples, ...)")
        self._fold.samples = inputs.shape[1]
        if not self._is_chain:  # what goes round a layer, as in a residual block, must have all copies too
            copies = max(crossbar.copies_out for crossbar in self.crossbars().values())
            inputs = inputs.expand(max(copies, len(inputs)), *inputs.shape[1:])
        outputs = self.body(self._fold.together(inputs))
        if not isinstance(outputs, Tensor):
            raise InputError(f"the model returns a {type(outputs).__name__}; a network on crossbars returns one tensor")
        return self._fold.apart(outputs)

    def crossbars(self) -> dict[str, CrossbarLinear]:
        """All crossbars by the name of their layer in the model, in its order: give them cells, wires, or read bits."""
        found = {}
        for name, module in self.body.named_modules():
            if isinstance(module, FoldedLinear) and isinstance(module.crossbar, CrossbarLinear):
                found[name] = module.crossbar
            elif isinstance(module, FoldedConv) and isinstance(module.convolution, CrossbarConv2d):
                groups = module.convolution.crossbars
                for group, crossbar in enumerate(groups):
                    assert isinstance(crossbar, CrossbarLinear)
                    found[f"{name}.{group}" if len(groups) > 1 else name] = crossbar
        return found

    def layers(self) -> tuple[LayerDevices, ...]:
        """What every crossbar needs."""
        return tuple(
            LayerDevices(name, crossbar.inputs, crossbar.outputs, crossbar.lines)
            for name, crossbar in self.crossbars().items()
        )

    @property
    def devices(self) -> int:
        """Junctions per copy."""
        return sum(layer.devices for layer in self.layers())

    def clamp_latent(self) -> None:
        """Keep all latent weights within one; after every step of training."""
        for crossbar in self.crossbars().values():
            crossbar.clamp_latent()


def convert(
    model: nn.Module,
    settings: LayerSettings | None = None,
    *,
    copies: int = 1,
    settings_of: Mapping[str, LayerSettings] | None = None,
    from_weights: bool = False,
    software: tuple[type[nn.Module], ...] = (),
    generator: torch.Generator | None = None,
) -> CrossbarNetwork:
    """The model with every linear and convolution layer on a crossbar; the model itself stays as it is.

    Modules without parameters (activations, pooling, flatten, dropout, containers, modules of one's own) are kept; they
    see the copies in the batch axis and must not mix samples. A layer that is used twice is one crossbar.

    Args:
        model: of `nn.Linear`, `nn.Conv1d`, `nn.Conv2d` and batch normalisation, and of what has no parameters.
        settings: of all layers. A layer without bias gets none.
        copies: independent solutions.
        settings_of: instead of `settings`, by the layer's name in `model.named_modules()`.
        from_weights: start latent weights, gain and bias from the model's weights, the nearest that the encoding
            allows, the same for all copies; otherwise latent weights are drawn and the gain is that of the settings.
        software: types of modules with parameters that are to be kept as they are, one for all copies.
        generator: source of everything random.

    Raises InputError that names the layers which have no form on a crossbar, or a name in `settings_of` that is no
    layer, or if there is no layer at all.
    """
    _require_layers(model, software, settings_of or {})
    exchange = _Exchange(settings or LayerSettings(), settings_of or {}, copies, from_weights, generator)
    body = copy.deepcopy(model)
    made = {module: exchange.made(name, module) for name, module in _walked(body, software) if _is_layer(module)}
    is_chain = all(type(module) is nn.Sequential for module in body.modules() if module._modules)
    return CrossbarNetwork(_exchanged(body, made), exchange.fold, is_chain=is_chain).train(model.training)


class _Exchange:
    """Makes the crossbar form of single layers."""

    def __init__(
        self,
        settings: LayerSettings,
        settings_of: Mapping[str, LayerSettings],
        copies: int,
        from_weights: bool,
        generator: torch.Generator | None,
    ) -> None:
        self._settings, self._settings_of = settings, settings_of
        self._copies, self._from_weights = copies, from_weights
        self._random = generator or torch.Generator().manual_seed(0)
        self.fold = Fold()

    def made(self, name: str, module: nn.Module) -> nn.Module:
        if isinstance(module, _BatchNorm):
            return CopiesBatchNorm(module, self._copies, self.fold)
        settings = self._settings_of.get(name, self._settings)
        assert isinstance(module, (nn.Linear, *_CONVOLUTIONS))
        bias: Tensor | None = module.bias
        if bias is None:
            settings = replace(settings, bias=False)
        shared: dict[str, Any] = {"copies": self._copies, "settings": settings, "generator": self._random}
        if isinstance(module, nn.Linear):
            crossbar = CrossbarLinear(module.in_features, module.out_features, **shared).to(module.weight)
            if self._from_weights:
                start_from(crossbar, module.weight, bias)
            return FoldedLinear(crossbar, self.fold)
        convolution = _convolution(module, shared).to(module.weight)
        if self._from_weights:
            self._start_groups(convolution, module)
        return FoldedConv(convolution, self.fold, of_sequences=isinstance(module, nn.Conv1d))

    def _start_groups(self, convolution: CrossbarConv2d, module: nn.Conv1d | nn.Conv2d) -> None:
        weights = module.weight.flatten(1).chunk(module.groups)
        bias: Tensor | None = module.bias
        biases = [None] * module.groups if bias is None else list(bias.chunk(module.groups))
        for crossbar, own, bias in zip(convolution.crossbars, weights, biases, strict=True):
            assert isinstance(crossbar, CrossbarLinear)
            start_from(crossbar, own, bias)


def _convolution(module: nn.Conv1d | nn.Conv2d, shared: dict[str, Any]) -> CrossbarConv2d:
    """A convolution along a sequence is one over an image of one row."""

    def two(value: Any, first: int) -> Any:
        return (first, value[0]) if isinstance(module, nn.Conv1d) and not isinstance(value, str) else value

    return CrossbarConv2d(
        module.in_channels,
        module.out_channels,
        two(module.kernel_size, 1),
        stride=two(module.stride, 1),
        padding=two(module.padding, 0),
        dilation=two(module.dilation, 1),
        groups=module.groups,
        padding_mode=module.padding_mode,
        **shared,
    )


def _is_layer(module: nn.Module) -> bool:
    """Whether it is exchanged; a subclass may do something else and is not."""
    return type(module) in (nn.Linear, *_CONVOLUTIONS, *_NORMS)


def _walked(model: nn.Module, software: tuple[type[nn.Module], ...]) -> Iterator[tuple[str, nn.Module]]:
    """All modules by name, each once, without what is kept in software and what lies inside that."""
    inside: tuple[str, ...] = ()
    for name, module in model.named_modules():
        if name.startswith(inside):
            continue
        if isinstance(module, software):
            inside = (*inside, f"{name}.")
            continue
        yield name, module


def _require_layers(
    model: nn.Module, software: tuple[type[nn.Module], ...], settings_of: Mapping[str, LayerSettings]
) -> None:
    walked = list(_walked(model, software))
    layers = [name for name, module in walked if _is_layer(module) and not isinstance(module, _BatchNorm)]
    strange = [
        f"{name or 'the model'} ({type(module).__name__})"
        for name, module in walked
        if not _is_layer(module) and any(True for _ in module.parameters(recurse=False))
    ]
    if strange:
        raise InputError(
            f"these have parameters, but no form on a crossbar: {', '.join(strange)}",
            remedy="Write them with linear and convolution layers, or keep their types in `software`",
        )
    _refuse_tied_weights(walked)
    if not layers:
        raise InputError("the model has no linear or convolution layer")
    unknown = sorted(set(settings_of) - set(layers))
    if unknown:
        raise InputError(f"no layers named {', '.join(unknown)}; there are {', '.join(layers)}")


def _refuse_tied_weights(walked: Sequence[tuple[str, nn.Module]]) -> None:
    """Two layers with one weight would become two crossbars with a weight each."""
    first: dict[int, str] = {}
    for name, module in walked:
        for weight in module.parameters(recurse=False):
            other = first.setdefault(id(weight), name)
            if other != name:
                raise InputError(
                    f"{other} and {name} share a weight", remedy="Use one layer twice, or give each its own"
                )


def _exchanged(body: nn.Module, made: Mapping[nn.Module, nn.Module]) -> nn.Module:
    """The body with modules exchanged wherever they are used."""
    if body in made:
        return made[body]
    for module in list(body.modules()):
        for name, child in module._modules.items():
            if child is not None and child in made:
                module._modules[name] = made[child]
    return body
