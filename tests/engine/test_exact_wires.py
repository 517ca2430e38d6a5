"""Exact wires under a layer: the transfer matrix is that of the physics, its gradient is exact, in tiles anywhere."""
# ruff: noqa: E402, for PyTorch is optional

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mtjlab.engine.cell_states import CellStates
from mtjlab.engine.datasets import WineData, load_wine
from mtjlab.engine.exact_wires import block_transfer, transfer_gradient, transfer_siemens
from mtjlab.engine.layers import CrossbarLinear, Devices, LayerSettings
from mtjlab.engine.placed_wires import PlacedWires, TileWires
from mtjlab.engine.placement import CellPair
from mtjlab.errors import InputError
from mtjlab.nouns import LayerPlan, LayerTile
from mtjlab.physics import crossbar
from mtjlab.physics.crossbar_fields import current_gradient, solve_drive
from mtjlab.physics.crossbar_wires import Wires

pytestmark = pytest.mark.usefixtures("one_thread")

ROWS, COLS, NORM = 6, 4, 1e-4


def cells(*leading: int, rows: int = ROWS, cols: int = COLS) -> np.ndarray:
    """5 to 20 kilohms, a short and an open cell in every tile."""
    g = np.random.default_rng(3).uniform(5e-5, 2e-4, (*leading, rows, cols))
    g[..., 1, 2], g[..., 3, 0] = 4e-3, 0.0
    return g


def uneven_wires(*leading: int) -> Wires:
    rng = np.random.default_rng(4)
    return Wires.of(
        (ROWS, COLS),
        row_segment_ohms=rng.uniform(1, 30, (*leading, ROWS, COLS + 1)),
        col_segment_ohms=rng.uniform(1, 30, (*leading, ROWS + 1, COLS)),
        left=rng.uniform(50, 300, ROWS),
        bottom=rng.uniform(20, 90, COLS),
    )


@pytest.mark.parametrize("segment_ohms", [0.0, 2.0, 50.0])
def test_the_transfer_is_that_of_the_dense_network(segment_ohms: float) -> None:
    g = cells()
    wanted = crossbar.transfer_siemens(g, segment_ohms, 100.0, 30.0)
    wires = Wires.of((ROWS, COLS), segment_ohms, left=100.0, bottom=30.0)
    for transfer in (transfer_siemens, block_transfer):
        found = transfer(torch.as_tensor(g), wires).numpy()
        np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-17)


def test_ideal_wires_give_the_conductances_themselves() -> None:
    g = torch.as_tensor(cells(2))
    found = transfer_siemens(g, Wires.of((ROWS, COLS)))
    np.testing.assert_allclose(found.numpy(), g.numpy(), rtol=1e-13, atol=0)


def test_the_gradient_is_that_of_one_adjoint_drive_after_the_other() -> None:
    g, wires = cells(), uneven_wires()
    weights = np.random.default_rng(5).standard_normal((ROWS, COLS))
    drives = wires.drive(left=np.eye(ROWS))
    wanted = current_gradient(g, wires, drives, wires.drive(bottom=-weights)).siemens
    found = transfer_gradient(torch.as_tensor(g), wires, torch.as_tensor(weights)).numpy()
    assert np.abs(found - wanted).max() <= 1e-12 * np.abs(wanted).max()


def test_the_gradient_is_that_of_finite_differences_open_cells_and_shorts_included() -> None:
    g, wires = cells(), uneven_wires()
    weights = np.random.default_rng(6).standard_normal((ROWS, COLS))
    found = transfer_gradient(torch.as_tensor(g), wires, torch.as_tensor(weights)).numpy()

    def loss(row: int, col: int, change: float) -> float:
        moved = g.copy()
        moved[row, col] += change
        return float((block_transfer(torch.as_tensor(moved), wires).numpy() * weights).sum())

    for row, col in ((0, 0), (1, 2), (5, 3), (2, 1)):
        step = 1e-3 * g[row, col]
        near, far = ((loss(row, col, h) - loss(row, col, -h)) / (2 * h) for h in (step / 2, step))
        assert (4 * near - far) / 3 == pytest.approx(found[row, col], rel=1e-9)
    step = 1e-7  # an open cell can only be closed: second-order one-sided difference, twice refined
    one, two, four = (loss(3, 0, k * step) for k in (1, 2, 4))
    none = loss(3, 0, 0.0)
    coarse, fine = (4 * two - four - 3 * none) / (4 * step), (4 * one - two - 3 * none) / (2 * step)
    assert (4 * fine - coarse) / 3 == pytest.approx(found[3, 0], rel=1e-7)


def test_autograd_runs_through_dies_and_tiles_with_wires_of_their_own() -> None:
    wires = uneven_wires(3)
    g = torch.as_tensor(cells(2, 3)).requires_grad_()
    weights = torch.as_tensor(np.random.default_rng(7).standard_normal((2, 3, ROWS, COLS)))
    (transfer_siemens(g, wires) * weights).sum().backward()
    for die in range(2):
        for tile in range(3):
            own = transfer_gradient(g[die, tile], wires.of_die(tile), weights[die, tile])
            np.testing.assert_allclose(g.grad[die, tile].numpy(), own.numpy(), rtol=1e-12, atol=1e-15)


def test_many_tiles_are_taken_in_chunks_and_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    g, weights, wires = torch.as_tensor(cells(5)), torch.ones(5, ROWS, COLS), uneven_wires(5)
    whole = block_transfer(g, wires), transfer_gradient(g, wires, weights)
    monkeypatch.setattr("mtjlab.engine.exact_wires._CHUNK_NUMBERS", 2 * 5 * ROWS * COLS * COLS)
    parts = block_transfer(g, wires), transfer_gradient(g, wires, weights)
    for one, other in zip(whole, parts, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-13)


def test_wires_fed_from_elsewhere_and_other_shapes_are_refused() -> None:
    g = torch.as_tensor(cells())
    with pytest.raises(InputError, match="fed at the left"):
        transfer_siemens(g, Wires.of((ROWS, COLS), 2.0, right=0.0))
    with pytest.raises(InputError, match="have wires for"):
        transfer_siemens(g, Wires.of((ROWS, COLS + 1), 2.0))
    with pytest.raises(InputError, match="negative"):
        transfer_siemens(-g, Wires.of((ROWS, COLS), 2.0))


def test_a_layer_multiplies_as_its_tiles_do_left_over_cells_loading_them() -> None:
    inputs, outputs, idle = 8, 3, 7e-5
    tiles = TileWires.of((ROWS, COLS), 20.0, NORM, row_ohms=150.0, idle_siemens=idle)
    layer = CrossbarLinear(inputs, outputs, settings=LayerSettings(wires=tiles)).double()
    pair = CellPair(np.full((inputs, 6), 1e-4), np.full((inputs, 6), 2e-4))
    layer.use_cells(CellStates.of(pair, NORM, dtype=torch.float64))
    g = np.full((2 * ROWS, 2 * COLS), idle)
    g[:inputs, :6] = np.where(layer.bits()[0].numpy() == 1, 2e-4, 1e-4)
    x = np.random.default_rng(8).uniform(-1, 1, (5, inputs))
    lines = np.zeros((5, 2 * COLS))
    for row in (0, ROWS):
        for col in (0, COLS):
            tile = g[row : row + ROWS, col : col + COLS]
            volts = np.zeros((5, ROWS))
            volts[:, : min(inputs - row, ROWS)] = x[:, row : row + ROWS]
            for sample in range(5):
                found = solve_drive(tile, tiles.wires, tiles.wires.drive(left=volts[sample]))
                lines[sample, col : col + COLS] -= found.port_amps[ROWS:]
    wanted = (lines[:, 0:6:2] - lines[:, 1:6:2]) / NORM
    with torch.no_grad():
        np.testing.assert_allclose(layer(torch.as_tensor(x)[None])[0].numpy(), wanted, rtol=1e-9, atol=1e-12)


def test_a_layer_learns_through_its_wires_with_the_exact_gradient() -> None:
    tiles = TileWires.of((ROWS, COLS), 20.0, NORM)
    layer = CrossbarLinear(5, 2, copies=2, settings=LayerSettings(wires=tiles)).double()
    ap, p = np.full((3, 5, 4), 1e-4), np.full((3, 5, 4), 2e-4)
    ap[0, 2, 1] = p[0, 2, 1] = 4e-3
    with pytest.raises(InputError, match="2 solutions cannot be put on 3 dies"):
        layer.use_cells(CellStates.of(CellPair(ap, p), NORM))
    layer.use_cells(CellStates.of(CellPair(ap[:2], p[:2]), NORM, dtype=torch.float64))
    weights = torch.as_tensor(np.random.default_rng(9).standard_normal((2, 7, 2)))
    inputs = torch.as_tensor(np.random.default_rng(10).uniform(0, 1, (2, 7, 5)))
    (layer(inputs) * weights).sum().backward()
    states = layer.bits().double()
    g = torch.zeros(2, ROWS, COLS, dtype=torch.float64)
    g[:, :5, :4] = torch.as_tensor(ap[:2]) + states * torch.as_tensor(p[:2] - ap[:2])
    of_pairs = torch.bmm(inputs.transpose(1, 2), weights)
    of_lines = torch.zeros(2, ROWS, COLS, dtype=torch.float64)
    of_lines[:, :5, 0:4:2], of_lines[:, :5, 1:4:2] = of_pairs, -of_pairs
    of_cells = transfer_gradient(g, tiles.wires, of_lines)[:, :5, :4]
    wanted = 0.5 * of_cells * torch.as_tensor(p[:2] - ap[:2]) / NORM
    np.testing.assert_allclose(layer.latent.grad.numpy(), wanted.numpy(), rtol=1e-9, atol=1e-13)
    assert layer.latent.grad[0, 2, 1] == 0.0


def trained_on_wine(wires: TileWires | None, epochs: int = 200) -> tuple[list[CrossbarLinear], float]:
    """Layers of 4 networks, and how many of the training wines they get right, on the wires they know."""
    data, random = load_wine(1), torch.Generator().manual_seed(2)
    settings = LayerSettings(wires=wires)
    layers = [CrossbarLinear(i, o, copies=4, settings=settings, generator=random) for i, o in ((13, 6), (6, 3))]
    optimizer = torch.optim.Adam([value for layer in layers for value in (layer.latent, layer.bias)], lr=0.02)
    for _ in range(epochs):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(3 * outputs(layers), wanted(data).expand(4, -1)).backward()
        optimizer.step()
        for layer in layers:
            layer.clamp_latent()
    return layers, right(layers)


def outputs(layers: list[CrossbarLinear]) -> torch.Tensor:
    """Shape (copies, classes, wines)."""
    values = torch.as_tensor(load_wine(1).train_features, dtype=torch.float32)[None]
    for layer in layers:
        values = torch.tanh(layer(values))
    return values.transpose(1, 2)


def wanted(data: WineData) -> torch.Tensor:
    return torch.as_tensor(data.train_labels)


def right(layers: list[CrossbarLinear]) -> float:
    with torch.no_grad():
        return float((outputs(layers).argmax(dim=1) == wanted(load_wine(1))).float().mean())


def test_networks_trained_through_their_wires_are_better_on_them_than_networks_that_did_not_know() -> None:
    # half a per cent to one of a junction in every segment
    tiles = TileWires.of((13, 12), 50.0, NORM, idle_siemens=NORM)
    unaware, ideal = trained_on_wine(None)
    for layer in unaware:
        layer.use_wires(tiles.under(layer.inputs, layer.lines))
    _, aware = trained_on_wine(tiles)
    assert ideal > 0.93 and aware > 0.93
    assert right(unaware) < aware - 0.2


def plan_tile(inputs: list[int], outputs: list[int], rows: list[int], cols: list[int]) -> LayerTile:
    bits = np.zeros((len(inputs), 2 * len(outputs)), dtype=np.int8)
    plan = LayerPlan("hidden", np.array(rows), np.array(cols), bits, np.zeros(len(outputs)))
    return LayerTile(0, np.array(inputs), np.array(outputs), plan)


def test_a_placed_layer_lies_where_its_tiles_say() -> None:
    tiles = [
        plan_tile([0, 1, 2], [0, 1], [5, 0, 3], [2, 0, 1, 3]),
        plan_tile([3, 4], [0, 1], [1, 2], [0, 1, 2, 3]),
    ]
    wires, idle = Wires.of((ROWS, COLS), 25.0), cells(2)
    placed = PlacedWires.of_tiles(tiles, wires, NORM, idle)
    own = torch.as_tensor(np.random.default_rng(11).uniform(0.5, 2, (1, 5, 4)))
    full = idle.copy()
    full[0][np.ix_([5, 0, 3], [2, 0, 1, 3])] = own[0, :3].numpy() * NORM
    full[1][np.ix_([1, 2], [0, 1, 2, 3])] = own[0, 3:].numpy() * NORM
    seen = placed.seen(own)[0].numpy()
    first, second = (crossbar.transfer_siemens(g, 25.0) / NORM for g in full)
    np.testing.assert_allclose(seen[:3], first[np.ix_([5, 0, 3], [2, 0, 1, 3])], rtol=1e-10)
    np.testing.assert_allclose(seen[3:], second[np.ix_([1, 2], [0, 1, 2, 3])], rtol=1e-10)
    layer = CrossbarLinear(5, 2)
    layer.use_wires(placed)
    assert layer(torch.ones(1, 3, 5)).shape == (1, 3, 2)


def test_what_else_lies_on_the_arrays_may_differ_between_dies() -> None:
    wires, idle = Wires.of((ROWS, COLS), 25.0), cells(3, 1)
    idle[1] *= 2.0
    placed = PlacedWires(wires, NORM, idle, np.arange(8).reshape(2, 4))
    layer = CrossbarLinear(2, 2).double()
    layer.use_wires(placed)
    assert layer.copies_out == 3
    seen = placed.seen(layer.conductances())
    for die in range(3):
        full = idle[die, 0].copy()
        full[:2] = layer.conductances().detach()[0].numpy() * NORM
        wanted = crossbar.transfer_siemens(full, 25.0)[:2] / NORM
        np.testing.assert_allclose(seen[die].detach().numpy(), wanted, rtol=1e-10)
    assert not torch.allclose(seen[0], seen[1])


def test_tiles_that_overlap_or_leave_cells_out_are_refused() -> None:
    wires = Wires.of((ROWS, COLS), 25.0)
    whole = plan_tile([0, 1, 2], [0, 1], [5, 0, 3], [2, 0, 1, 3])
    with pytest.raises(InputError, match="holds weights that another tile holds too"):
        PlacedWires.of_tiles([whole, plan_tile([2], [1], [0], [0, 1])], wires, NORM, cells(2))
    with pytest.raises(InputError, match="2 cells of hidden are in no tile"):
        PlacedWires.of_tiles([whole, plan_tile([3], [0], [0], [0, 1])], wires, NORM, cells(2))
    with pytest.raises(InputError, match="each used once"):
        PlacedWires(wires, NORM, cells(1), np.zeros((2, 2), dtype=np.int64))
    with pytest.raises(InputError, match="siemens_norm must be above 0"):
        TileWires.of((ROWS, COLS), 2.0, 0.0).under(2, 2)


def test_bias_dependence_with_exact_wires_is_refused() -> None:
    tiles, devices = TileWires.of((ROWS, COLS), 2.0, NORM), Devices(bias_ratio=0.5)
    with pytest.raises(InputError, match="bias_ratio to 0"):
        LayerSettings(devices=devices, wires=tiles)
    layer = CrossbarLinear(4, 2, settings=LayerSettings(devices=devices))
    with pytest.raises(InputError, match="bias_ratio to 0"):
        layer.use_wires(tiles.under(4, 4))
    with pytest.raises(InputError, match="lies on wires for"):
        CrossbarLinear(4, 2).use_wires(tiles.under(4, 6))
