"""Convolutions on crossbars: every patch of the image is an input of a CrossbarLinear (needs PyTorch)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..errors import InputError
from .layers import CrossbarLinear, LayerSettings

Two = tuple[int, int]


class CrossbarConv2d(nn.Module):
    """Convolution with weights of junctions; x (C or 1, N, channels, rows, cols) gives (C, N, outputs, rows', cols').

    The inputs of the crossbar are the patch: channel by channel, in each row by row, as in `nn.Conv2d.weight`. Groups
    of channels that do not see each other are crossbars of their own.

    Args:
        channels, outputs: of the images that go in and come out.
        kernel: size of the patch, (rows, cols) or one number for both.
        stride, dilation: likewise.
        padding: likewise, or "same" (stride 1 only), or "valid".
        groups: into how many groups channels and outputs are divided.
        padding_mode: what lies outside the image: "zeros", "reflect", "replicate" or "circular".
        copies, settings, generator: as in CrossbarLinear.

    Attributes:
        crossbars: one CrossbarLinear per group, of (channels / groups * patch) inputs and (outputs / groups) outputs.

    Raises InputError for groups that do not divide channels and outputs, or padding that does not exist.
    """

    def __init__(
        self,
        channels: int,
        outputs: int,
        kernel: int | Sequence[int],
        *,
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | str = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        padding_mode: str = "zeros",
        copies: int = 1,
        settings: LayerSettings | None = None,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.dilation = _two(kernel), _two(stride), _two(dilation)
        if groups < 1 or channels % groups or outputs % groups:
            raise InputError(f"{channels} channels and {outputs} outputs cannot be divided into {groups} groups")
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise InputError(f"no padding mode {padding_mode!r}: zeros, reflect, replicate or circular")
        self.channels, self.outputs, self.groups, self.padding_mode = channels, outputs, groups, padding_mode
        self._padding = _padding(padding, self.kernel, self.stride, self.dilation)
        patch = channels // groups * self.kernel[0] * self.kernel[1]
        random = generator or torch.Generator().manual_seed(0)
        self.crossbars = nn.ModuleList(
            CrossbarLinear(patch, outputs // groups, copies=copies, settings=settings, generator=random)
            for _ in range(groups)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Images (C, N, outputs, rows', cols') of images (C or 1, N, channels, rows, cols)."""
        if images.ndim != 5 or images.shape[2] != self.channels:
            raise InputError(
                f"images of shape {tuple(images.shape)}, wanted (copies or 1, samples, {self.channels}, rows, cols)"
            )
        copies, samples = images.shape[:2]
        padded = self._padded(images.flatten(0, 1))
        size = self._output_size(padded)
        patches = functional.unfold(padded, self.kernel, dilation=self.dilation, stride=self.stride)
        patches = patches.reshape(copies, samples, self.groups, -1, size[0] * size[1])
        parts = []
        for group, crossbar in enumerate(self.crossbars):
            applied = patches[:, :, group].transpose(2, 3).flatten(1, 2)
            parts.append(crossbar(applied))
        joined = torch.cat(parts, dim=-1)
        return joined.reshape(len(joined), samples, *size, self.outputs).permute(0, 1, 4, 2, 3)

    def _padded(self, images: Tensor) -> Tensor:
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return functional.pad(images, self._padding, mode=mode) if any(self._padding) else images

    def _output_size(self, padded: Tensor) -> Two:
        seen = [size - d * (k - 1) - 1 for size, k, d in zip(padded.shape[2:], self.kernel, self.dilation, strict=True)]
        if min(seen) < 0:
            raise InputError(f"images of {tuple(padded.shape[2:])} pixels are smaller than the patch of {self.kernel}")
        return seen[0] // self.stride[0] + 1, seen[1] // self.stride[1] + 1


def _two(value: int | Sequence[int]) -> Two:
    rows, cols = (value, value) if isinstance(value, int) else value
    if min(rows, cols) < 1:
        raise InputError(f"sizes of a convolution must be at least 1, got {value}")
    return rows, cols


def _padding(padding: int | Sequence[int] | str, kernel: Two, stride: Two, dilation: Two) -> tuple[int, int, int, int]:
    """Pixels added at the left, right, top and bottom."""
    if padding == "valid":
        return 0, 0, 0, 0
    if padding == "same":
        if stride != (1, 1):
            raise InputError("padding 'same' needs stride 1")
        rows, cols = (d * (k - 1) for d, k in zip(dilation, kernel, strict=True))
        return cols // 2, cols - cols // 2, rows // 2, rows - rows // 2
    if isinstance(padding, str):
        raise InputError(f"no padding {padding!r}: a number, 'same' or 'valid'")
    above, before = (padding, padding) if isinstance(padding, int) else padding
    if min(above, before) < 0:
        raise InputError(f"padding must not be negative, got {padding}")
    return before, before, above, above
