"""What `engine_speed` times, each in a process of its own, on one thread of a CPU or on a CUDA device."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from mtjlab.engine.activations import fast_tanh
from mtjlab.engine.cell_states import CellStates
from mtjlab.engine.convert import CrossbarNetwork, convert
from mtjlab.engine.datasets import load_wine
from mtjlab.engine.die_sampling import DefectStatistics, FittedDies
from mtjlab.engine.layers import CrossbarLinear, LayerSettings
from mtjlab.engine.network_training import NetworkSettings, train_network, use_cells
from mtjlab.engine.placed_wires import TileWires
from mtjlab.engine.single_thread import single_thread

Seconds = dict[str, float]

HIDDEN, SHAPE = 48, (25, 25)
SEGMENT_OHMS, NORM = 2.0, 1e-4
DIES = DefectStatistics(
    short=0.003,
    open=0.005,
    stuck_p=0.002,
    stuck_ap=0.002,
    rate_spread=0.3,
    short_weight=10.0,
    short_spread=0.3,
    ap_weight=1.0,
    on_off_ratio=2.0,
    spread=0.05,
    ratio_spread=0.02,
)
"""Assumed: what matters here is only that all kinds of defects are drawn."""


def timed(act: Callable[[], object], device: str) -> Seconds:
    """CPU and wall seconds of one call."""
    _wait(device)
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    _wait(device)
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def with_memory(found: dict[str, Any], device: str) -> dict[str, Any]:
    """What the device had at most, beside."""
    if device == "cuda":
        found["device_megabytes"] = torch.cuda.max_memory_allocated() / 1e6
    return found


# 300 Wine networks


def wine_batch(device: str, networks: int, epochs: int) -> dict[str, Any]:
    """All networks at once, as layers of the engine."""
    random = torch.Generator().manual_seed(0)
    layers = [CrossbarLinear(i, o, copies=networks, generator=random).to(device) for i, o in ((13, 6), (6, 3))]
    parameters = [value for layer in layers for value in layer.parameters() if value.requires_grad]
    features, labels = _wine(device)
    shared, wanted = features[None], labels.expand(networks, -1)

    def outputs() -> Tensor:
        return fast_tanh(layers[1](fast_tanh(layers[0](shared))))

    def loss() -> Tensor:
        logits = (3.0 * outputs()).transpose(1, 2)
        return functional.cross_entropy(logits, wanted, reduction="none").mean(dim=1).sum()

    with single_thread():
        _train(loss, parameters, [layer.latent for layer in layers], 2)
        found: dict[str, Any] = timed(
            lambda: _train(loss, parameters, [layer.latent for layer in layers], epochs), device
        )
    found["accuracy"] = float((outputs().argmax(dim=-1) == wanted).float().mean())
    return with_memory(found, device)


class PlainNet(nn.Module):
    """One binary perceptron as one would write it down."""

    def __init__(self, random: torch.Generator) -> None:
        super().__init__()
        self.hidden = nn.Parameter(2 * torch.rand(13, 12, generator=random) - 1)
        self.hidden_bias = nn.Parameter(torch.zeros(6))
        self.output = nn.Parameter(2 * torch.rand(6, 6, generator=random) - 1)
        self.output_bias = nn.Parameter(torch.zeros(3))

    def forward(self, values: Tensor) -> Tensor:
        """Outputs (samples, 3)."""
        hidden = torch.tanh(values @ _weights(self.hidden) + self.hidden_bias)
        return torch.tanh(hidden @ _weights(self.output) + self.output_bias)


def _weights(latent: Tensor) -> Tensor:
    half = latent / 2
    bits = (latent > 0).float() + (half - half.detach())
    return bits[:, 0::2] - bits[:, 1::2]


def wine_loop(device: str, networks: int, epochs: int, fused: bool) -> dict[str, Any]:
    """One network after the other, in plain PyTorch; with Adam as it comes, or as one kernel."""
    random = torch.Generator().manual_seed(0)
    features, labels = _wine(device)
    right: list[float] = []

    def train(count: int, steps: int) -> None:
        for _ in range(count):
            net = PlainNet(random).to(device)
            latent = [net.hidden, net.output]
            _train(partial(_plain_loss, net, features, labels), list(net.parameters()), latent, steps, fused)
            right.append(float((net(features).argmax(dim=-1) == labels).float().mean()))

    with single_thread():
        train(1, 2)
        right.clear()
        found: dict[str, Any] = timed(lambda: train(networks, epochs), device)
    found["accuracy"] = float(np.mean(right))
    return with_memory(found, device)


def _plain_loss(net: PlainNet, features: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(3.0 * net(features), labels)


def _wine(device: str) -> tuple[Tensor, Tensor]:
    data = load_wine(1)
    return torch.as_tensor(data.train_features, dtype=torch.float32).to(device), torch.as_tensor(data.train_labels).to(
        device
    )


def _train(loss: Callable[[], Tensor], parameters: list[Any], latent: Any, epochs: int, fused: bool = False) -> None:
    optimizer = torch.optim.Adam(parameters, lr=0.02, fused=fused)
    for _ in range(epochs):
        optimizer.zero_grad()
        torch.autograd.backward(loss())
        optimizer.step()
        with torch.no_grad():
            for values in latent:
                values.clamp_(-1.0, 1.0)


# Networks of MNIST's shape


def network(device: str, copies: int = 1, wires: TileWires | None = None) -> CrossbarNetwork:
    """196-48-10 in differential pairs."""
    settings = LayerSettings(gain=0.1, wires=wires)
    model = nn.Sequential(nn.Linear(196, HIDDEN), nn.Tanh(), nn.Linear(HIDDEN, 10))
    return convert(model, settings, copies=copies).to(device)


def pictures(many: int) -> tuple[Any, Any]:
    """Synthetic ones, of MNIST's shape."""
    rng = np.random.default_rng(0)
    return rng.random((many, 196), dtype=np.float32), rng.integers(0, 10, many)


def sources() -> FittedDies:
    """Of fresh dies under both layers."""
    return FittedDies(DIES, ((196, 2 * HIDDEN), (HIDDEN, 20)))


def epoch(device: str, many: int, dies_per_step: int) -> dict[str, Any]:
    """One epoch: ideal for no dies per step, else statistics-aware."""
    features, labels = pictures(many)
    settings = NetworkSettings(epochs=1, dies_per_step=max(dies_per_step, 1))
    dies = sources() if dies_per_step else None
    with single_thread():
        train_network(network(device), features[:256], labels[:256], settings, dies=dies)
        net = network(device)
        return with_memory(timed(lambda: train_network(net, features, labels, settings, dies=dies), device), device)


def dies_and_images(device: str, dies: int, images: int, wires: bool, gradient: bool) -> dict[str, Any]:
    """One network on many dies at once, all images on each; with a gradient, one step of training on as many."""
    tiles = TileWires.of(SHAPE, SEGMENT_OHMS, NORM, idle_siemens=NORM) if wires else None
    net = network(device, wires=tiles)
    use_cells(net, sources().draw(dies, torch.Generator().manual_seed(1)))
    features, labels = (torch.as_tensor(part).to(device) for part in pictures(images))

    def infer() -> None:
        with torch.no_grad():
            net(features[None]).argmax(dim=-1)

    def step() -> None:
        outputs = net(features[None])
        torch.autograd.backward(functional.cross_entropy(outputs.transpose(1, 2), labels.expand(dies, -1)))

    with single_thread():
        _compiled(wires)
        found: dict[str, Any] = timed(step if gradient else infer, device)
    return with_memory(found, device)


def _compiled(wires: bool) -> None:
    """Kernels are compiled, or read from their cache, before anything is timed."""
    if wires:
        tiles = TileWires.of(SHAPE, SEGMENT_OHMS, NORM)
        layer = CrossbarLinear(25, 12, settings=LayerSettings(wires=tiles))
        layer.use_cells(CellStates(torch.full((1, 25, 24), 1.0), torch.full((1, 25, 24), 1.0)))
        torch.autograd.backward(layer(torch.ones(1, 1, 25)).sum())
