"""Convolutions on crossbars: those of PyTorch with the same ternary weights, copy by copy."""
# ruff: noqa: E402, for PyTorch is optional

from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch.nn import functional

from mtjlab.engine.convolution import CrossbarConv2d
from mtjlab.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")


def images(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def kernel_weights(layer: CrossbarConv2d, copy: int) -> torch.Tensor:
    """Shape (outputs, channels / groups, rows, cols), as `nn.Conv2d.weight`."""
    parts = []
    for crossbar in layer.crossbars:
        bits = crossbar.bits()[copy].float()
        weights = (bits[:, 0::2] - bits[:, 1::2]).T
        parts.append(weights.reshape(-1, layer.channels // layer.groups, *layer.kernel))
    return torch.cat(parts)


def wanted(layer: CrossbarConv2d, x: torch.Tensor, **how: Any) -> torch.Tensor:
    """What PyTorch's own convolution makes of them; `x` already padded where `how` does not say."""
    found = []
    for copy in range(layer.crossbars[0].copies):
        biases = torch.cat([crossbar.bias[copy, 0] for crossbar in layer.crossbars])
        own = x[copy if len(x) > 1 else 0]
        found.append(functional.conv2d(own, kernel_weights(layer, copy), biases, groups=layer.groups, **how))
    return torch.stack(found)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"stride": 2},
        {"stride": (2, 3), "padding": (2, 1)},
        {"dilation": (2, 1), "padding": 1},
        {"padding": "same"},
        {"padding": "same", "dilation": 2},
        {"padding": "valid"},
        {"groups": 2, "padding": 1, "stride": 2},
        {"groups": 4},
    ],
)
@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("shared", [True, False])
def test_it_is_the_convolution_with_its_ternary_weights(how: dict[str, Any], shared: bool) -> None:
    layer = CrossbarConv2d(4, 8, (3, 2), copies=3, **how)
    for crossbar in layer.crossbars:
        torch.nn.init.normal_(crossbar.bias, generator=torch.Generator().manual_seed(2))
    x = images(1 if shared else 3, 5, 4, 9, 8)
    found = layer(x)
    how.pop("groups", None)
    torch.testing.assert_close(found, wanted(layer, x, **how))


@pytest.mark.parametrize("mode", ["reflect", "replicate", "circular"])
def test_what_lies_outside_the_image(mode: str) -> None:
    layer, x = CrossbarConv2d(2, 3, 3, padding=(2, 1), padding_mode=mode), images(1, 2, 2, 6, 7)
    padded = functional.pad(x[0], (1, 1, 2, 2), mode=mode)[None]
    torch.testing.assert_close(layer(x), wanted(layer, padded))


def test_the_gradient_is_that_of_the_convolution_straight_through() -> None:
    layer, x = CrossbarConv2d(2, 3, 3, copies=2, stride=2), images(2, 4, 2, 7, 7)
    layer(x).square().sum().backward()
    grad = layer.crossbars[0].latent.grad
    for copy in range(2):
        weights = kernel_weights(layer, copy).requires_grad_()
        functional.conv2d(x[copy], weights, stride=2).square().sum().backward()
        torch.testing.assert_close(grad[copy, :, 0::2], weights.grad.flatten(1).T / 2)
        torch.testing.assert_close(grad[copy, :, 1::2], -weights.grad.flatten(1).T / 2)


@pytest.mark.parametrize(
    ("channels", "how", "words"),
    [
        (3, {"groups": 2}, "cannot be divided into 2 groups"),
        (4, {"padding": "same", "stride": 2}, "needs stride 1"),
        (4, {"padding": "full"}, "no padding 'full'"),
        (4, {"padding": -1}, "must not be negative"),
        (4, {"padding_mode": "mirror"}, "no padding mode"),
        (4, {"dilation": 0}, "at least 1"),
    ],
)
def test_what_cannot_be_is_refused(channels: int, how: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        CrossbarConv2d(channels, 4, 3, **how)


def test_images_that_do_not_fit_are_refused() -> None:
    layer = CrossbarConv2d(4, 4, 3)
    with pytest.raises(InputError, match="samples, 4, rows, cols"):
        layer(images(2, 4, 9, 9))
    with pytest.raises(InputError, match="smaller than the patch"):
        layer(images(1, 2, 4, 2, 9))
