"""Layers of junctions: what they compute, what they learn from, and what device errors do to them."""
# ruff: noqa: E402, for PyTorch is optional

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dataclasses import replace

from mtjlab.engine.cell_states import CellStates
from mtjlab.engine.converters import Converters
from mtjlab.engine.encodings import Complementary, Encoding, Pairs, Reference
from mtjlab.engine.layers import CrossbarLinear, Devices, LayerSettings
from mtjlab.engine.partial_sums import PartialSums
from mtjlab.engine.perceptron import EXACT, Perceptron, Precision, ideal_outputs, matrix_outputs
from mtjlab.engine.placement import CellPair
from mtjlab.errors import InputError
from mtjlab.physics.mtj import conductance

pytestmark = pytest.mark.usefixtures("one_thread")

G_AP, G_P = 1e-4, 2.5e-4
IDEAL = LayerSettings()


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def inputs(*shape: int, seed: int = 1) -> torch.Tensor:
    return 2 * torch.rand(shape, generator=seeded(seed)) - 1


def with_devices(**devices: float) -> LayerSettings:
    return replace(IDEAL, devices=Devices(**devices))


def ternary_weights(layer: CrossbarLinear) -> torch.Tensor:
    bits = layer.bits().float()
    return bits[..., 0::2] - bits[..., 1::2]


# What a layer computes


def test_a_layer_of_pairs_is_a_ternary_matrix_product_per_copy() -> None:
    layer, x = CrossbarLinear(5, 3, copies=4), inputs(4, 7, 5)
    torch.nn.init.normal_(layer.bias, generator=seeded(2))
    found = layer(x)
    assert found.shape == (4, 7, 3) and set(ternary_weights(layer).unique().tolist()) == {-1.0, 0.0, 1.0}
    torch.testing.assert_close(found, torch.bmm(x, ternary_weights(layer)) + layer.bias)


def test_a_common_input_is_seen_by_every_copy() -> None:
    layer, x = CrossbarLinear(5, 3, copies=4), inputs(1, 7, 5)
    torch.testing.assert_close(layer(x), layer(x.expand(4, -1, -1)))


def test_one_solution_takes_inputs_that_differ_between_copies() -> None:
    layer, x = CrossbarLinear(5, 3), inputs(4, 7, 5)
    torch.testing.assert_close(layer(x), torch.matmul(x, ternary_weights(layer)))


def test_copies_start_from_weights_of_their_own_and_the_seed_decides_them() -> None:
    one, same, other = (CrossbarLinear(9, 4, copies=3, generator=seeded(seed)) for seed in (5, 5, 6))
    assert torch.equal(one.latent, same.latent) and not torch.equal(one.latent, other.latent)
    assert len({copy.numpy().tobytes() for copy in one.bits()}) == 3


def test_gain_and_bias_are_learnt_only_where_that_is_wanted() -> None:
    layer = CrossbarLinear(5, 3, copies=2, settings=replace(IDEAL, gain=0.25, learn_gain=True, bias=False))
    plain, x = CrossbarLinear(5, 3, copies=2), inputs(2, 7, 5)
    torch.testing.assert_close(layer(x), 0.25 * plain(x))
    layer(x).sum().backward()
    assert layer.bias.grad is None and layer.gain.grad.shape == (2, 1, 1)
    torch.testing.assert_close(layer.gain.grad.flatten(), plain(x).sum(dim=(1, 2)).detach())
    plain(x).sum().backward()
    assert plain.gain.grad is None and torch.equal(plain.bias.grad, torch.full((2, 1, 3), 7.0))


@pytest.mark.parametrize(
    ("encoding", "levels", "lines"),
    [
        (Pairs(), {-1.0, 0.0, 1.0}, 6),
        (Pairs(2), {-2.0, -1.0, 0.0, 1.0, 2.0}, 12),
        (Complementary(), {-1.0, 1.0}, 6),
        (Complementary(3), {-3.0, -1.0, 1.0, 3.0}, 18),
        (Reference(), {-0.5, 0.5}, 5),
    ],
)
def test_an_encoding_makes_its_levels_from_devices_on_its_lines(
    encoding: Encoding, levels: set[float], lines: int
) -> None:
    layer = CrossbarLinear(40, 3, copies=2, settings=replace(IDEAL, encoding=encoding))
    weights = layer(torch.eye(40)[None]).detach()
    assert set(weights.unique().tolist()) == levels
    assert layer.lines == lines and layer.bits().shape == (2, 40, lines) and layer.bits().dtype == torch.int8
    on_lines = encoding.joined(layer.conductances(), 3)
    torch.testing.assert_close(on_lines.detach(), weights)


def test_a_layer_computes_as_the_numpy_perceptron_does() -> None:
    random = seeded(3)
    settings = replace(IDEAL, gain=1 / 1.3, converters=Converters(input_bits=4))
    first = CrossbarLinear(13, 6, copies=5, settings=settings, generator=random).double()
    second = CrossbarLinear(6, 3, copies=5, settings=settings, generator=random).double()
    for layer in (first, second):
        torch.nn.init.normal_(layer.bias, generator=random)
        torch.nn.init.constant_(layer.gain, 1 / 1.3)  # in double precision
    features = inputs(1, 50, 13).double().abs()
    found = torch.tanh(second(torch.tanh(first(features))))
    bits, biases = ([getattr(layer, name) for layer in (first, second)] for name in ("bits", "bias"))
    (bits_1, bits_2), (biases_1, biases_2) = [b().numpy() for b in bits], [b.detach().numpy()[:, 0] for b in biases]
    perceptron = Perceptron(bits_1, biases_1, bits_2, biases_2)
    wanted = ideal_outputs(perceptron, features[0].numpy(), 1.3, Precision(4, 4))
    np.testing.assert_allclose(found.detach().numpy(), wanted, rtol=1e-12, atol=1e-14)


def test_known_cells_compute_as_their_conductances_do() -> None:
    rng = np.random.default_rng(4)
    layer, features = CrossbarLinear(13, 6, copies=1).double(), rng.uniform(0, 1, (20, 13))
    pair = CellPair(rng.uniform(0.8, 1.2, (3, 13, 12)) * G_AP, rng.uniform(0.8, 1.2, (3, 13, 12)) * G_P)
    layer.use_cells(CellStates.of(pair, 1.5e-4, dtype=torch.float64))
    siemens = np.where(layer.bits().numpy() == 1, pair.siemens_p, pair.siemens_ap)
    wanted = matrix_outputs([siemens], [np.zeros(6)], features, 1.5e-4, EXACT)
    found = torch.tanh(layer(torch.as_tensor(features)[None])).detach().numpy()
    assert found.shape == (3, 20, 6)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-14)


def test_single_precision_agrees_with_double() -> None:
    settings = LayerSettings(Devices(on_off_ratio=2.3, bias_ratio=0.4), converters=Converters(6, 8, 20.0), gain=0.2)
    layer, x = CrossbarLinear(60, 10, copies=3, settings=settings), inputs(3, 40, 60)
    pair = CellPair(np.full((60, 20), G_AP), np.full((60, 20), G_P))
    layer.use_cells(CellStates.of(pair, 1.5e-4, dtype=torch.float64))
    single = layer(x)
    double = layer.double()(x.double())
    assert single.dtype == torch.float32 and double.dtype == torch.float64
    step_of_the_adc = 0.2 * 20.0 / 255  # rounding may fall on either side of it, for a few
    apart = (single - double).abs()
    assert apart.max() < 2.01 * step_of_the_adc and (apart > 1e-4).float().mean() < 0.01


# What it learns from


def test_the_gradient_passes_straight_through_to_the_latent_weights() -> None:
    layer, x, weights = CrossbarLinear(5, 3, copies=2), inputs(2, 7, 5), inputs(2, 7, 3, seed=2)
    (layer(x) * weights).sum().backward()
    of_pairs = torch.bmm(x.transpose(1, 2), weights)
    wanted = torch.stack([of_pairs, -of_pairs], dim=-1).flatten(-2) / 2
    torch.testing.assert_close(layer.latent.grad, wanted)


def test_a_complementary_latent_weight_moves_both_of_its_devices() -> None:
    layer = CrossbarLinear(5, 3, settings=replace(IDEAL, encoding=Complementary()))
    x, weights = inputs(1, 7, 5), inputs(1, 7, 3, seed=2)
    (layer(x) * weights).sum().backward()
    torch.testing.assert_close(layer.latent.grad, torch.bmm(x.transpose(1, 2), weights))


def test_a_fixed_cell_keeps_its_conductance_and_gets_no_gradient() -> None:
    layer = CrossbarLinear(4, 2)
    ap, p = np.full((4, 4), G_AP), np.full((4, 4), G_P)
    ap[0, 0] = p[0, 0] = 4e-3
    ap[2, 3] = p[2, 3] = 0.0
    layer.use_cells(CellStates.of(CellPair(ap, p), G_P - G_AP))
    for latent in (-1.0, 1.0):
        torch.nn.init.constant_(layer.latent, latent)
        found = layer.conductances()[0]
        assert found[0, 0].item() == pytest.approx(4e-3 / 1.5e-4) and found[2, 3].item() == 0.0
        assert found[1, 1].item() == pytest.approx((G_P if latent > 0 else G_AP) / 1.5e-4)
    layer(inputs(1, 6, 4)).square().sum().backward()
    fixed = torch.zeros(4, 4, dtype=torch.bool)
    fixed[0, 0] = fixed[2, 3] = True
    assert (layer.latent.grad[0][fixed] == 0).all() and (layer.latent.grad[0][~fixed] != 0).all()
    layer.use_cells(None)
    torch.testing.assert_close(layer(torch.eye(4)[None]), ternary_weights(layer))


def test_one_solution_on_many_dies_gathers_the_gradients_of_all() -> None:
    rng = np.random.default_rng(5)
    pair = CellPair(rng.uniform(0.8, 1.2, (3, 5, 6)) * G_AP, rng.uniform(0.8, 1.2, (3, 5, 6)) * G_P)
    x, wanted = inputs(1, 7, 5), 0.0
    layer = CrossbarLinear(5, 3)
    for die in range(3):
        layer.zero_grad()
        layer.use_cells(CellStates.of(CellPair(pair.siemens_ap[die], pair.siemens_p[die]), 1e-4))
        layer(x).square().sum().backward()
        wanted = wanted + layer.latent.grad.clone()
    layer.zero_grad()
    layer.use_cells(CellStates.of(pair, 1e-4))
    layer(x).square().sum().backward()
    torch.testing.assert_close(layer.latent.grad, wanted)


def test_latent_weights_stay_within_one() -> None:
    layer = CrossbarLinear(4, 2)
    with torch.no_grad():
        layer.latent.mul_(5)
    signs = layer.bits()
    layer.clamp_latent()
    assert layer.latent.abs().max() == 1 and torch.equal(layer.bits(), signs)


# Errors of devices and converters


def test_flips_happen_while_training_at_their_rate_and_device_by_device() -> None:
    for encoding in (Pairs(), Complementary()):
        settings = replace(with_devices(flip_probability=0.2), encoding=encoding)
        layer = CrossbarLinear(100, 100, settings=settings)
        wrong = layer.states().detach() != layer.bits()
        assert wrong.float().mean().item() == pytest.approx(0.2, abs=5 * (0.16 / 20_000) ** 0.5)
        both = (wrong[..., 0::2] & wrong[..., 1::2]).float().mean().item()
        assert both == pytest.approx(0.04, abs=5 * (0.0384 / 10_000) ** 0.5)
        assert not torch.equal(layer.states() != layer.bits(), wrong)
        layer.eval()
        assert torch.equal(layer.states(), layer.bits().float())


def test_flips_leave_the_gradient_as_it_is() -> None:
    layer, x = CrossbarLinear(5, 3, settings=with_devices(flip_probability=1.0)), inputs(1, 7, 5)
    torch.testing.assert_close(layer(x), -CrossbarLinear(5, 3)(x))
    layer(x).sum().backward()
    plain = CrossbarLinear(5, 3)
    plain(x).sum().backward()
    torch.testing.assert_close(layer.latent.grad, plain.latent.grad)


def test_spread_is_log_normal_and_fresh_at_every_pass_while_training() -> None:
    layer = CrossbarLinear(150, 100, settings=with_devices(spread=0.1))
    exact = layer.eval().conductances().detach()
    found = torch.log(layer.train().conductances().detach() / exact)
    assert found.mean().item() == pytest.approx(0.0, abs=5 * 0.1 / 30_000**0.5)
    assert found.std().item() == pytest.approx(0.1, rel=5 / 60_000**0.5)
    assert not torch.equal(layer.conductances(), layer.conductances())
    assert torch.equal(layer.eval().conductances(), exact)


@pytest.mark.parametrize(
    ("encoding", "lines"), [(Pairs(), 2.0), (Pairs(2), 4.0), (Complementary(), 2.0), (Reference(), 1.5)]
)
def test_read_noise_of_lines_adds_up_in_an_output_also_when_not_training(encoding: Encoding, lines: float) -> None:
    settings = replace(with_devices(read_noise=0.3), encoding=encoding)
    layer = CrossbarLinear(2, 10, settings=settings).eval()
    fine = CrossbarLinear(2, 10, settings=replace(settings, converters=Converters(output_bits=20))).eval()
    x = torch.zeros(1, 4000, 2)
    for noisy in (layer, fine):  # with an ADC, noise is drawn line by line
        found = noisy(x).detach()
        assert found.mean().item() == pytest.approx(0.0, abs=0.02)
        assert found.std().item() == pytest.approx(0.3 * lines**0.5, rel=0.03)


@pytest.mark.parametrize("volts", [0.1, 0.4, 0.9])
def test_conductances_depend_on_bias_as_the_junctions_do(volts: float) -> None:
    volts_half, tmr = 0.5, 1.5
    settings = with_devices(on_off_ratio=1 + tmr, bias_ratio=volts / volts_half)
    layer = CrossbarLinear(8, 5, copies=2, settings=settings).double()
    x = inputs(2, 30, 8).double()
    siemens_p = G_P / (G_P - G_P / (1 + tmr))  # in units of weight
    is_p = layer.bits().numpy()[:, None] == 1
    at_bias = conductance(is_p, x.numpy()[..., None] * volts, siemens_p, tmr, volts_half)
    lines = (x.numpy()[..., None] * at_bias).sum(axis=2)
    wanted = lines[..., 0::2] - lines[..., 1::2]
    np.testing.assert_allclose(layer(x).detach().numpy(), wanted, rtol=1e-11, atol=1e-13)
    fine = replace(settings, converters=Converters(output_bits=30, full_scale=64.0))
    by_line = CrossbarLinear(8, 5, copies=2, settings=fine).double()
    np.testing.assert_allclose(by_line(x).detach().numpy(), wanted, atol=1e-6)


def test_bias_dependence_uses_the_errors_that_the_conductances_have() -> None:
    layer = CrossbarLinear(6, 4, settings=with_devices(flip_probability=0.5, spread=0.3, bias_ratio=1.0)).double()
    x = torch.ones(1, 1, 6, dtype=torch.float64)
    layer.random.manual_seed(7)
    found = layer(x)[0, 0]
    layer.random.manual_seed(7)
    states = layer.states()
    factor = torch.exp(0.3 * torch.randn(states.shape, generator=layer.random, dtype=torch.float64))
    lines = (factor * torch.where(states > 0.5, 2.0, 1 + 1 / 3)).sum(dim=1)[0]
    torch.testing.assert_close(found, lines[0::2] - lines[1::2])


def test_inputs_are_applied_with_their_bits_and_the_gradient_stops_where_they_clip() -> None:
    layer = CrossbarLinear(3, 2, settings=replace(IDEAL, converters=Converters(input_bits=2)))
    x = torch.tensor([[[0.4, -0.9, 1.7]]], requires_grad=True)
    applied = torch.tensor([[[1 / 3, -1.0, 1.0]]])
    torch.testing.assert_close(layer(x), torch.matmul(applied, ternary_weights(layer)))
    layer(x).sum().backward()
    wanted = ternary_weights(layer)[0].sum(dim=-1) * torch.tensor([1.0, 1.0, 0.0])
    torch.testing.assert_close(x.grad[0, 0], wanted)


def test_line_currents_are_read_with_the_bits_and_the_range_of_the_adc() -> None:
    converters = Converters(output_bits=3, full_scale=14.0)
    layer = CrossbarLinear(10, 2, settings=replace(IDEAL, converters=converters))
    with torch.no_grad():
        layer.latent.copy_(torch.tensor([1.0, -1.0, 1.0, -1.0]).expand(1, 10, 4))
    found = layer(torch.ones(1, 1, 10)).detach()[0, 0]
    assert found.tolist() == [14.0 - 10.0, 14.0 - 10.0]  # lines carry 20 (clipped to 14) and 10 (a step is 2)
    assert (layer(torch.full((1, 1, 10), 0.59)).detach() == 12.0 - 6.0).all()  # 11.8 and 5.9


@pytest.mark.parametrize(("encoding", "pairs"), [(Pairs(), 1), (Pairs(3), 3), (Complementary(2), 2), (Reference(), 1)])
def test_limited_parts_are_cut_pair_by_pair_before_they_are_added(encoding: Encoding, pairs: int) -> None:
    whole = CrossbarLinear(10, 2, copies=3, settings=replace(IDEAL, encoding=encoding, gain=0.5))
    layer = CrossbarLinear(10, 2, copies=3, settings=replace(whole.settings, parts=PartialSums(4, 0.7)))
    x = inputs(1, 6, 10)
    wanted = torch.zeros(3, 6, 2)
    lines = whole.conductances().detach()
    for part in (slice(0, 4), slice(4, 8), slice(8, 10)):
        currents = torch.matmul(x[..., part], lines[:, part])
        if isinstance(encoding, Reference):
            differences = currents[..., :2] - currents[..., 2:].mean(dim=-1, keepdim=True)
        else:
            differences = currents[..., 0::2] - currents[..., 1::2]
        wanted += differences.clamp(-0.7, 0.7).reshape(3, 6, 2, pairs).sum(dim=-1)
    torch.testing.assert_close(layer(x).detach(), 0.5 * wanted)
    assert not torch.allclose(layer(x), whole(x))
    wide = CrossbarLinear(10, 2, copies=3, settings=replace(layer.settings, parts=PartialSums(4, 1e3)))
    torch.testing.assert_close(wide(x), whole(x))


def test_limited_parts_do_not_go_with_adcs_or_bias_dependence() -> None:
    with pytest.raises(InputError, match="leave the parts out"):
        replace(with_devices(bias_ratio=0.5), parts=PartialSums())
    with pytest.raises(InputError, match="leave the parts out"):
        LayerSettings(converters=Converters(output_bits=8), parts=PartialSums())
    with pytest.raises(InputError, match="at least one input"):
        PartialSums(0)


# Seeds, places, wrong input


def test_a_seed_gives_the_same_bits_again() -> None:
    def trained() -> list[bytes]:
        settings = with_devices(flip_probability=0.05, spread=0.1, read_noise=0.1)
        layer = CrossbarLinear(20, 5, copies=3, settings=settings, generator=seeded(8))
        optimizer, x = torch.optim.Adam(layer.parameters(), lr=0.05), inputs(1, 30, 20)
        for _ in range(20):
            optimizer.zero_grad()
            layer(x).square().sum().backward()
            optimizer.step()
        return [value.detach().numpy().tobytes() for value in (layer.latent, layer.bias, layer.bits(), layer(x))]

    assert trained() == trained()


def test_a_layer_may_be_elsewhere_than_its_generator() -> None:
    layer = CrossbarLinear(4, 2, settings=with_devices(flip_probability=0.5, spread=0.1, read_noise=0.1)).to("meta")
    layer.use_cells(CellStates.of(CellPair(np.full((4, 4), G_AP), np.full((4, 4), G_P)), 1e-4))
    assert layer(torch.ones(1, 3, 4, device="meta")).device.type == "meta"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CrossbarLinear(0, 2), "needs inputs, outputs and copies"),
        (lambda: CrossbarLinear(4, 2)(torch.ones(3, 4)), "wanted .copies or 1, samples, 4."),
        (lambda: CrossbarLinear(4, 2)(torch.ones(1, 3, 5)), "wanted .copies or 1, samples, 4."),
        (lambda: Devices(on_off_ratio=1.0), "on_off_ratio must be above 1"),
        (lambda: Devices(flip_probability=1.5), "flip_probability must lie between 0 and 1"),
        (lambda: Devices(spread=-0.1), "must not be negative"),
        (lambda: Converters(input_bits=0), "1 to 32 bits"),
        (lambda: Converters(full_scale=0.0), "full_scale must be above 0"),
        (lambda: Pairs(0), "at least one pair"),
        (lambda: Complementary(0), "at least one pair"),
        (lambda: CellStates.of(CellPair(np.ones((2, 2)), np.full((2, 2), np.nan)), 1e-4), "4 cells .* no known"),
        (lambda: CellStates.of(CellPair(np.ones((2, 2)), np.ones((2, 2))), 0.0), "siemens_norm must be above 0"),
    ],
)
def test_what_cannot_be_is_refused(make: object, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()  # type: ignore[operator]


def test_cells_that_do_not_fit_are_refused() -> None:
    layer = CrossbarLinear(4, 2, copies=3)
    with pytest.raises(InputError, match="cannot use cells of shape"):
        layer.use_cells(CellStates.of(CellPair(np.full((4, 5), G_AP), np.full((4, 5), G_P)), 1e-4))
    with pytest.raises(InputError, match="3 solutions cannot be put on 2 dies"):
        layer.use_cells(CellStates.of(CellPair(np.full((2, 4, 4), G_AP), np.full((2, 4, 4), G_P)), 1e-4))
