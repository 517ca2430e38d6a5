"""A layer of junctions that starts from the weights of a trained floating-point layer (needs PyTorch)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import InputError
from .encodings import Encoding
from .layers import CrossbarLinear

_STEPS = 64


@torch.no_grad()
def start_from(layer: CrossbarLinear, weights: Tensor, bias: Tensor | None = None) -> None:
    """Give all copies the latent weights, gain and bias that come nearest to a floating-point layer.

    Args:
        weights: shape (outputs, inputs), as in `nn.Linear.weight`.
        bias: shape (outputs,); None leaves the layer's own.

    Raises InputError if they do not fit or are not finite.
    """
    if tuple(weights.shape) != (layer.outputs, layer.inputs):
        raise InputError(f"weights of shape {tuple(weights.shape)}, wanted {(layer.outputs, layer.inputs)}")
    if not torch.isfinite(weights).all():
        raise InputError("weights to start from are not finite")
    latent, gain = nearest(layer.settings.encoding, weights.T)
    layer.latent.copy_(latent.expand_as(layer.latent))
    layer.gain.fill_(gain)
    if bias is not None:
        layer.bias.copy_(bias.expand_as(layer.bias))


def nearest(encoding: Encoding, weights: Tensor) -> tuple[Tensor, float]:
    """Latent weights (inputs, latents) and the gain with which their states are nearest to weights (inputs, outputs).

    Least squares: of the scales tried, for each of which the gain has a closed form, the best.
    """
    largest = float(weights.abs().max())
    best, least = (encoding.nearest_latents(weights), 1.0), float("inf")
    for scale in torch.logspace(-1.8, 0.6, _STEPS).tolist() if largest else []:
        latent = encoding.nearest_latents(weights / (largest * scale))
        made = _made(encoding, latent, weights.shape[-1])
        size = float((made * made).sum())
        gain = float((made * weights).sum()) / size if size else 0.0
        error = float((weights - gain * made).square().sum())
        if gain > 0 and error < least:
            best, least = (latent, gain), error
    return best


def _made(encoding: Encoding, latent: Tensor, outputs: int) -> Tensor:
    """Weights that the states of latent weights make with ideal devices."""
    states = encoding.states((latent > 0).to(latent.dtype), outputs)
    return encoding.joined(states, outputs)
