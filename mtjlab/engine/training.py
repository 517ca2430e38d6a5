"""Training of perceptrons whose weights are binary junctions, many solutions at a time (needs PyTorch).

Every device has a latent real weight; its sign is the bit the forward pass uses, and the gradient passes straight
through to the latent weight (Courbariaux et al., BinaryConnect, 2015; Hubara et al., JMLR 18, 2018). Fresh device
errors at every step make the solutions tolerate them. All solutions are the leading axis of the same tensors.

The tensors are small: one thread is as fast as many, and makes a seed give the same bits again on the same machine.
`train` therefore computes in one thread and restores the caller's number of threads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np

from ..errors import InputError
from ..nouns import Floats
from .datasets import LabelledData
from .perceptron import Perceptron, Precision, applied_inputs
from .placement import CellPair

try:
    import torch
except ImportError:  # an optional extra: `require_torch` tells the user, and only when training is asked for
    HAS_TORCH = False
else:
    HAS_TORCH = True

EpochProgress = Callable[[int, int], None]
"""Called as progress(epochs done, epochs)."""

_LOGIT_SCALE = 3.0
"""tanh outputs lie in -1..1; unscaled, the cross-entropy of a perfect answer would still pull on the biases."""

_PROGRESS_EVERY = 25
_TWO_LAYERS = 2


@dataclass(frozen=True)
class TrainingSettings:
    """How to train.

    Attributes:
        solutions: K, trained at once and independently of each other.
        epochs: passes over the training samples, one step each.
        learning_rate: of Adam at the start; it falls along a cosine.
        g: normalising conductance in units of G_P - G_AP.
        g_spread: relative spread of g, drawn anew for every step and solution: widens the plateau of accuracy over g.
        device_spread: log-normal spread of every device's conductance, drawn anew at every step.
        flip_probability: chance that a device is in the wrong state, drawn anew at every step.
        on_off_ratio: G_P / G_AP of the devices trained for (2 is a TMR of 100 %).
        hidden: width of the hidden layer.
        precision: how finely the inputs of the layers will be applied.
        seed: of everything random.
    """

    solutions: int = 32
    epochs: int = 4000
    learning_rate: float = 0.02
    g: float = 1.0
    g_spread: float = 0.1
    device_spread: float = 0.07
    flip_probability: float = 0.0
    on_off_ratio: float = 2.0
    hidden: int = 6
    precision: Precision = field(default_factory=Precision)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.solutions, self.epochs, self.hidden) < 1:
            raise InputError("training needs at least one solution, one epoch and one hidden unit")
        if self.g <= 0 or self.learning_rate <= 0 or self.on_off_ratio <= 1:
            raise InputError("g and learning_rate must be above 0, and on_off_ratio above 1")
        if min(self.g_spread, self.device_spread) < 0 or not 0 <= self.flip_probability <= 1:
            raise InputError("spreads must not be negative, and flip_probability must lie between 0 and 1")


def require_torch() -> None:
    """Raise InputError, with the command that helps, where PyTorch is missing."""
    if not HAS_TORCH:
        raise InputError(
            "PyTorch is not installed",
            remedy='Install it with: pip install -c constraints.txt ".[train]"',
        )


def train(
    data: LabelledData,
    settings: TrainingSettings | None = None,
    *,
    conductances: Sequence[CellPair] | None = None,
    siemens_norm: float | None = None,
    progress: EpochProgress | None = None,
) -> Perceptron:
    """K solutions trained on the training samples; the test samples are never looked at.

    Args:
        data: samples and their split.
        settings: defaults if None.
        conductances: per layer, the very cells it will be placed on; the forward pass then computes with them.
            Device errors are still drawn on top.
        siemens_norm: conductance that counts as weight one on those cells, siemens; default `settings.g` times the
            median G_P - G_AP of the cells that switch.
        progress: called now and then.

    Raises:
        InputError: PyTorch is missing, or the conductances do not fit the network or are not finite.
    """
    require_torch()
    settings = settings or TrainingSettings()
    sizes = _line_shapes(data, settings.hidden)
    cells = _cells(conductances, sizes, settings, siemens_norm)
    with _single_thread():
        return _Run(data, settings, cells, sizes).fit(progress)


class _Run:
    """State of one training run."""

    def __init__(
        self,
        data: LabelledData,
        settings: TrainingSettings,
        cells: Sequence[CellPair],
        sizes: Sequence[tuple[int, int]],
    ) -> None:
        self.settings = settings
        self.random = torch.Generator().manual_seed(settings.seed)
        self.features = _tensor(applied_inputs(data.train_features, settings.precision.input_bits))
        self.labels = torch.from_numpy(data.train_labels).expand(settings.solutions, -1)
        self.off = [_tensor(pair.siemens_ap) for pair in cells]
        self.swing = [_tensor(pair.siemens_p - pair.siemens_ap) for pair in cells]
        self.latent = [self._uniform(1.0, *size) for size in sizes]
        self.biases = [self._uniform(0.5, 1, lines // 2) for _, lines in sizes]

    def fit(self, progress: EpochProgress | None) -> Perceptron:
        epochs = self.settings.epochs
        optimizer = torch.optim.Adam([*self.latent, *self.biases], lr=self.settings.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            optimizer, epochs, eta_min=0.02 * self.settings.learning_rate
        )
        for epoch in range(epochs):
            self._step(optimizer)
            schedule.step()
            if progress and (epoch + 1 == epochs or epoch % _PROGRESS_EVERY == 0):
                progress(epoch + 1, epochs)
        return self._solutions()

    def _step(self, optimizer: torch.optim.Optimizer) -> None:
        optimizer.zero_grad()
        self._loss().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        with torch.no_grad():
            for latent in self.latent:
                latent.clamp_(-1.0, 1.0)  # beyond one, a latent weight would only be slow to come back

    def _loss(self) -> torch.Tensor:
        """Cross-entropy summed over the solutions, so that each is trained as if alone."""
        g_error = self._lognormal(self.settings.g_spread, self.settings.solutions, 1, 1)
        hidden = self._layer(self.features, 0, g_error)
        outputs = self._layer(self._applied_hidden(hidden), 1, g_error)
        logits = (_LOGIT_SCALE * outputs).transpose(1, 2)
        loss = torch.nn.functional.cross_entropy(logits, self.labels, reduction="none")
        return loss.mean(dim=1).sum()

    def _layer(self, inputs: torch.Tensor, layer: int, g_error: torch.Tensor) -> torch.Tensor:
        """tanh of the pair currents of all solutions: (K, samples, outputs)."""
        devices = self._devices(layer)
        weights = devices[..., 0::2] - devices[..., 1::2]
        pair_currents = torch.matmul(inputs, weights) / g_error
        return torch.tanh(pair_currents + self.biases[layer])

    def _devices(self, layer: int) -> torch.Tensor:
        """Conductances (K, inputs, 2 * outputs) in units of G_norm, with device errors."""
        latent = self.latent[layer]
        hard = (latent > 0).to(latent.dtype)
        if self.settings.flip_probability:
            flips = torch.rand(latent.shape, generator=self.random) < self.settings.flip_probability
            hard = torch.where(flips, 1 - hard, hard)
        # straight through: the value is the bit's, the gradient that of (1 + latent) / 2
        bits = hard + (latent - latent.detach()) / 2
        exact: torch.Tensor = self.off[layer] + bits * self.swing[layer]
        return exact * self._lognormal(self.settings.device_spread, *latent.shape)

    def _applied_hidden(self, hidden: torch.Tensor) -> torch.Tensor:
        """Hidden activations as rounded for the second layer, the gradient straight through."""
        bits = self.settings.precision.hidden_bits
        if bits is None:
            return hidden
        full_scale = (1 << bits) - 1
        return hidden + (torch.round(hidden * full_scale) / full_scale - hidden).detach()

    def _lognormal(self, spread: float, *shape: int) -> torch.Tensor:
        if not spread:
            return torch.ones(1)
        return torch.exp(spread * torch.randn(shape, generator=self.random))

    def _uniform(self, limit: float, *shape: int) -> torch.Tensor:
        draw = torch.rand((self.settings.solutions, *shape), generator=self.random)
        return (limit * (2 * draw - 1)).requires_grad_()

    def _solutions(self) -> Perceptron:
        bits_1, bits_2 = ((latent.detach() > 0).numpy().astype(np.int8) for latent in self.latent)
        biases_1, biases_2 = (bias.detach()[:, 0].numpy().astype(np.float64) for bias in self.biases)
        return Perceptron(bits_1, biases_1, bits_2, biases_2)


def _line_shapes(data: LabelledData, hidden: int) -> list[tuple[int, int]]:
    """(inputs, physical columns) per layer."""
    return [(data.features.shape[1], 2 * hidden), (hidden, 2 * len(data.class_names))]


def _cells(
    conductances: Sequence[CellPair] | None,
    sizes: Sequence[tuple[int, int]],
    settings: TrainingSettings,
    siemens_norm: float | None,
) -> list[CellPair]:
    """Cells per layer in units of G_norm: ideal ones, or the measured ones after a check."""
    if conductances is None:
        off = 1.0 / (settings.on_off_ratio - 1.0)
        swing = np.ones((1, 1))
        return [CellPair(off * swing / settings.g, (off + 1.0) * swing / settings.g)] * _TWO_LAYERS
    if len(conductances) != _TWO_LAYERS:
        raise InputError(f"a perceptron has two layers, got conductances for {len(conductances)}")
    for pair, size in zip(conductances, sizes, strict=True):
        _check(pair, size, settings.solutions)
    norm = settings.g * _typical_swing(conductances) if siemens_norm is None else siemens_norm
    if norm <= 0:
        raise InputError(f"siemens_norm must be above 0, got {norm}")
    return [CellPair(pair.siemens_ap / norm, pair.siemens_p / norm) for pair in conductances]


def _check(pair: CellPair, size: tuple[int, int], solutions: int) -> None:
    for siemens in pair:
        if siemens.shape not in (size, (solutions, *size)):
            raise InputError(f"a layer of {size} lines cannot use conductances of shape {siemens.shape}")
        if not np.isfinite(siemens).all():
            raise InputError(
                f"{int((~np.isfinite(siemens)).sum())} cells have no conductance", remedy="Read them first"
            )


def _typical_swing(conductances: Sequence[CellPair]) -> float:
    swing = np.concatenate([(pair.siemens_p - pair.siemens_ap).ravel() for pair in conductances])
    if not (swing > 0).any():
        raise InputError("no cell of the layers switches", remedy="Place them on other cells")
    return float(np.median(swing[swing > 0]))


def _tensor(values: Floats) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)


@contextmanager
def _single_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
