"""Copies folded into the batch, so that modules that know nothing of copies can work on all of them (needs PyTorch)."""

from __future__ import annotations

from torch import Tensor, nn

from ..errors import InputError


class Fold:
    """How many samples each copy has in the batch that is on its way through a network.

    A folded batch holds copy after copy, each with all its samples, or the samples once where they are common to all.
    """

    def __init__(self) -> None:
        self.samples = 1

    def apart(self, folded: Tensor) -> Tensor:
        """(copies or 1, samples, ...) of (copies * samples, ...)."""
        if len(folded) % self.samples:
            raise InputError(
                f"a module of the network made {len(folded)} rows of a batch with {self.samples} samples per copy",
                remedy="Modules between the layers must leave the first axis, the batch, as it is",
            )
        return folded.reshape(-1, self.samples, *folded.shape[1:])

    def together(self, values: Tensor) -> Tensor:
        """(copies * samples, ...) of (copies, samples, ...)."""
        return values.flatten(0, 1)


class FoldedLinear(nn.Module):
    """A crossbar layer on the last axis of a folded batch (copies * samples, ..., inputs)."""

    def __init__(self, crossbar: nn.Module, fold: Fold) -> None:
        super().__init__()
        self.crossbar, self._fold = crossbar, fold

    def forward(self, folded: Tensor) -> Tensor:
        """Shape (copies * samples, ..., outputs)."""
        values = self._fold.apart(folded)
        found: Tensor = self.crossbar(values.reshape(len(values), -1, values.shape[-1]))
        return found.reshape(-1, *folded.shape[1:-1], found.shape[-1])


class FoldedConv(nn.Module):
    """A crossbar convolution on a folded batch of images (copies * samples, channels, rows, cols), or of sequences."""

    def __init__(self, convolution: nn.Module, fold: Fold, *, of_sequences: bool) -> None:
        super().__init__()
        self.convolution, self._fold, self._of_sequences = convolution, fold, of_sequences

    def forward(self, folded: Tensor) -> Tensor:
        """Shape (copies * samples, outputs, rows', cols'); sequences are images of one row."""
        images = folded.unsqueeze(2) if self._of_sequences else folded
        found = self._fold.together(self.convolution(self._fold.apart(images)))
        return found.squeeze(2) if self._of_sequences else found
