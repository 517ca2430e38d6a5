"""Networks on crossbars: every copy computes what the model computes with the weights of its junctions."""
# ruff: noqa: E402, for PyTorch is optional

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn
from torch.nn import functional

from mtjlab.engine.cell_states import CellStates
from mtjlab.engine.convert import CrossbarNetwork, convert
from mtjlab.engine.encodings import Complementary, Encoding, Pairs, Reference
from mtjlab.engine.float_weights import nearest, start_from
from mtjlab.engine.layers import CrossbarLinear, Devices, LayerSettings
from mtjlab.engine.placement import CellPair
from mtjlab.errors import InputError

pytestmark = pytest.mark.usefixtures("one_thread")


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def samples(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=seeded(seed))


class Residual(nn.Module):
    """Nested, with a skip connection, functional activations and a module that is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU())
        self.mix = nn.Conv2d(3, 3, 1, groups=3)
        self.head = nn.Linear(3, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.body(x)
        x = self.mix(functional.relu(self.mix(x)))
        return self.head(x.mean(dim=(2, 3)))


MODELS = {
    "perceptron": (lambda: nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 3)), (6,)),
    "one layer": (lambda: nn.Linear(6, 5, bias=False), (6,)),
    "residual": (Residual, (3, 5, 5)),
    "images": (
        lambda: nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)
        ),
        (1, 9, 9),
    ),
    "sequences": (
        lambda: nn.Sequential(nn.Conv1d(2, 4, 3, padding=1, dilation=2), nn.BatchNorm1d(4), nn.GELU(), nn.Flatten()),
        (2, 8),
    ),
    "token by token": (lambda: nn.Sequential(nn.Linear(4, 6), nn.Sigmoid(), nn.Linear(6, 4)), (7, 4)),
    "norm first": (lambda: nn.Sequential(nn.BatchNorm1d(5), nn.Linear(5, 3), nn.Dropout(0.0)), (5,)),
    "deep": (lambda: nn.Sequential(*[nn.Sequential(nn.Linear(6, 6), nn.Hardtanh()) for _ in range(30)]), (6,)),
}


def plain_model(model: nn.Module, network: CrossbarNetwork, which: int) -> nn.Module:
    """The model with the weights of one copy's junctions."""
    plain = copy.deepcopy(model)
    modules = dict(plain.named_modules())
    parts: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    for name, crossbar in network.crossbars().items():
        bits = crossbar.bits()[which].float()
        weights = crossbar.gain[which] * (bits[:, 0::2] - bits[:, 1::2]).T
        own = name if name in modules else name.rpartition(".")[0]
        parts.setdefault(own, []).append((weights, crossbar.bias[which, 0]))
    with torch.no_grad():
        for name, groups in parts.items():
            layer = modules[name]
            layer.weight.copy_(torch.cat([weights for weights, _ in groups]).reshape(layer.weight.shape))
            if layer.bias is not None:
                layer.bias.copy_(torch.cat([bias for _, bias in groups]))
    return plain


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shared", [True, False])
def test_every_copy_computes_as_the_model_with_its_weights(name: str, shared: bool) -> None:
    make, shape = MODELS[name]
    torch.manual_seed(2)
    model = make()
    network = convert(model, LayerSettings(gain=0.3), copies=3, generator=seeded(3))
    for crossbar in network.crossbars().values():
        if crossbar.bias.requires_grad:
            nn.init.normal_(crossbar.bias, generator=seeded(4))
    plains = [plain_model(model, network, which) for which in range(3)]
    for training in (True, False):  # training first: running statistics then differ from those at the start
        network.train(training)
        x = samples(1 if shared else 3, 8, *shape)
        found = network(x)
        for which, plain in enumerate(plains):
            wanted = plain.train(training)(x[0 if shared else which])
            torch.testing.assert_close(found[which], wanted, rtol=1e-4, atol=1e-5)


def test_the_model_itself_stays_as_it_is() -> None:
    model = Residual()
    before = copy.deepcopy(model.state_dict())
    network = convert(model, copies=2)
    network(samples(1, 4, 3, 5, 5)).sum().backward()
    assert list(model.state_dict()) == list(before) and isinstance(model.head, nn.Linear)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_the_devices_that_every_layer_needs_are_told() -> None:
    network = convert(Residual(), copies=5)
    found = {layer.name: (layer.inputs, layer.outputs, layer.lines, layer.devices) for layer in network.layers()}
    assert found == {
        "body.0": (27, 3, 6, 162),
        "mix.0": (1, 1, 2, 2),
        "mix.1": (1, 1, 2, 2),
        "mix.2": (1, 1, 2, 2),
        "head": (3, 4, 8, 24),
    }
    assert network.devices == 192


def test_single_layers_may_be_made_otherwise() -> None:
    special = LayerSettings(encoding=Pairs(3))
    network = convert(MODELS["perceptron"][0](), settings_of={"2": special})
    assert [layer.lines for layer in network.layers()] == [10, 18]
    with pytest.raises(InputError, match="no layers named last; there are 0, 2"):
        convert(MODELS["perceptron"][0](), settings_of={"last": special})


def test_dies_under_the_layers_are_a_copies_axis_too() -> None:
    network = convert(MODELS["images"][0]().double()).eval()
    rng, dies = np.random.default_rng(5), 4
    cells = {}
    for name, crossbar in network.crossbars().items():
        shape = (dies, crossbar.inputs, crossbar.lines)
        cells[name] = CellPair(rng.uniform(0.8, 1.2, shape), 2 * rng.uniform(0.8, 1.2, shape))
        crossbar.use_cells(CellStates.of(cells[name], 1.0))
    x = samples(1, 6, 1, 9, 9).double()
    together = network(x)
    assert together.shape == (dies, 6, 3)
    for die in range(dies):
        for name, crossbar in network.crossbars().items():
            crossbar.use_cells(CellStates.of(CellPair(*[pair[die] for pair in cells[name]]), 1.0))
        torch.testing.assert_close(network(x)[0], together[die])


def test_every_die_is_normalised_by_itself_while_training_and_by_the_mean_afterwards() -> None:
    network = convert(nn.Sequential(nn.Linear(5, 4, bias=False), nn.BatchNorm1d(4)).double())
    crossbar, norm = network.crossbars()["0"], network.body[1]
    ap = np.random.default_rng(5).uniform(0.5, 1.5, (3, 5, 8))
    crossbar.use_cells(CellStates.of(CellPair(ap, 2 * ap), 1.0, dtype=torch.float64))
    x = samples(1, 50, 5).double()
    sums = crossbar(x).detach()
    for _ in range(2):
        found = network(x).detach()
        torch.testing.assert_close(found.mean(dim=1), torch.zeros(3, 4, dtype=torch.float64), atol=1e-12, rtol=0)
        torch.testing.assert_close(
            found.var(dim=1, correction=0), torch.ones(3, 4, dtype=torch.float64), rtol=1e-3, atol=0
        )
    torch.testing.assert_close(norm.running_mean, 0.19 * sums.mean(dim=1).mean(dim=0, keepdim=True))
    torch.testing.assert_close(norm.running_var, 0.81 + 0.19 * sums.var(dim=1).mean(dim=0, keepdim=True))
    wanted = (sums - norm.running_mean) / (norm.running_var + 1e-5).sqrt()
    torch.testing.assert_close(network.eval()(x), wanted)


def test_a_network_is_in_the_mode_of_its_model() -> None:
    assert convert(MODELS["images"][0]()).training
    network = convert(MODELS["images"][0]().eval())
    assert not any(module.training for module in network.modules())


def test_a_converted_network_learns_every_copy_for_itself() -> None:
    torch.manual_seed(6)
    model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2))
    devices = Devices(flip_probability=0.02, spread=0.05)
    network = convert(model, LayerSettings(devices, gain=0.1, learn_gain=True), copies=3)
    x = samples(1, 64, 1, 6, 6)
    labels = (x[0, :, 0, :, :3].sum(dim=(1, 2)) > x[0, :, 0, :, 3:].sum(dim=(1, 2))).long().expand(3, -1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
    for _ in range(150):
        optimizer.zero_grad()
        functional.cross_entropy(network(x).transpose(1, 2), labels).backward()
        optimizer.step()
        network.clamp_latent()
    right = (network.eval()(x).argmax(dim=-1) == labels).float().mean(dim=1)
    assert right.min() > 0.8
    assert len({copy.numpy().tobytes() for copy in network.crossbars()["4"].bits()}) == 3


# From floating-point weights


@pytest.mark.parametrize(
    ("encoding", "levels"),
    [
        (Pairs(), [-1, 0, 1]),
        (Pairs(3), [*range(-3, 4)]),
        (Complementary(), [-1, 1]),
        (Complementary(4), [-4, -2, 0, 2, 4]),
        (Reference(), [-0.5, 0.5]),
    ],
)
def test_the_nearest_weights_that_an_encoding_allows(encoding: Encoding, levels: list[float]) -> None:
    weights = samples(30, 20, seed=7)
    latent, gain = nearest(encoding, weights)
    made = encoding.joined(encoding.states((latent > 0).float(), 20), 20)
    grid = gain * torch.tensor(levels)
    by_hand = grid[(weights[..., None] - grid).abs().argmin(dim=-1)]
    assert latent.abs().max() <= 1 and set(made.unique().tolist()) <= set(levels)
    apart = (weights - gain * made).square().mean().item()
    assert apart <= 1.02 * (weights - by_hand).square().mean().item()
    expected = {2: 0.363, 3: 0.190, 5: 0.080, 7: 0.044}[len(levels)]  # uniform quantiser of a Gaussian (Max, 1960)
    assert apart == pytest.approx(expected, rel=0.15)


def test_all_copies_start_from_the_weights_of_the_model() -> None:
    torch.manual_seed(8)
    model = MODELS["images"][0]()
    network = convert(model, LayerSettings(encoding=Pairs(8)), copies=2, from_weights=True).eval()
    x = samples(1, 200, 1, 9, 9)
    found, wanted = network(x), model.eval()(x[0])
    assert torch.equal(found[0], found[1])
    assert (found[0] - wanted).std() < 0.1 * wanted.std()


def test_weights_that_do_not_fit_are_refused_and_zeros_are_weights() -> None:
    layer = CrossbarLinear(4, 3)
    with pytest.raises(InputError, match="3, 4"):
        start_from(layer, torch.zeros(4, 3))
    with pytest.raises(InputError, match="not finite"):
        start_from(layer, torch.full((3, 4), torch.nan))
    start_from(layer, torch.zeros(3, 4), torch.tensor([1.0, 2.0, 3.0]))
    assert layer(torch.ones(1, 1, 4)).flatten().tolist() == [1.0, 2.0, 3.0]


# What has no form on a crossbar


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale, self.layer = nn.Parameter(torch.ones(3)), nn.Linear(3, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scale * self.layer(x)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Linear(3, 3), nn.LSTM(3, 4)), r"1 \(LSTM\)"),
        (nn.Sequential(nn.Conv2d(1, 2, 3), nn.ConvTranspose2d(2, 1, 3)), r"1 \(ConvTranspose2d\)"),
        (nn.Sequential(nn.Linear(3, 3), nn.PReLU(), nn.LayerNorm(3)), r"1 \(PReLU\), 2 \(LayerNorm\)"),
        (nn.TransformerEncoderLayer(4, 2), r"self_attn \(MultiheadAttention\)"),
        (nn.Conv3d(1, 2, 3), r"the model \(Conv3d\)"),
        (Scaled(), r"the model \(Scaled\)"),
        (nn.Sequential(nn.Tanh(), nn.Flatten()), "no linear or convolution layer"),
    ],
)
def test_layers_without_a_form_on_a_crossbar_are_named(model: nn.Module, words: str) -> None:
    with pytest.raises(InputError, match=words):
        convert(model)


def test_modules_may_be_kept_in_software() -> None:
    torch.manual_seed(9)
    model = nn.Sequential(nn.Linear(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))
    network = convert(model, copies=2, software=(nn.LayerNorm,))
    plain = plain_model(model, network, 1)
    x = samples(1, 5, 4)
    torch.testing.assert_close(network(x)[1], plain(x[0]))
    attention = convert(
        nn.TransformerEncoderLayer(4, 2, dropout=0.0, batch_first=True),
        software=(nn.LayerNorm, nn.MultiheadAttention),
    )
    assert list(attention.crossbars()) == ["linear1", "linear2"]


def test_tied_weights_and_modules_that_mix_samples_are_refused() -> None:
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    with pytest.raises(InputError, match="0 and 1 share a weight"):
        convert(tied)
    with pytest.raises(InputError, match="must leave the first axis"):
        convert(nn.Sequential(nn.Linear(4, 3), OneLess()), copies=2)(samples(1, 7, 4))
    with pytest.raises(InputError, match="copies or 1, samples"):
        convert(nn.Linear(3, 3))(torch.ones(3))
    with pytest.raises(InputError, match="returns a tuple"):
        convert(nn.Sequential(nn.Linear(3, 3), Twice()))(torch.ones(1, 2, 3))


class OneLess(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[1:]


class Twice(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x
