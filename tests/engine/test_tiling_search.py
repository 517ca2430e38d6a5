"""Placement of tiled networks: never worse, near the best where all can be tried; plans come out on the cells."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.die_maps import DieMaps
from mtjlab.engine.placement import StateErrors
from mtjlab.engine.tiling import LayerTiling, NetworkTiling, Tile, plain_tiling
from mtjlab.engine.tiling_dies import place_on_dies, placed_cells
from mtjlab.engine.tiling_plan import kernel_targets, plan_tiled_network
from mtjlab.engine.tiling_search import place_tiling, tiling_cost
from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId, State


def errors_of(seed: int, shape: tuple[int, ...], shorts: float = 0.01, stuck: float = 0.03) -> StateErrors:
    rng = np.random.default_rng(seed)
    in_ap, in_p = np.full(shape, 0.005), np.full(shape, 0.005)
    kind = rng.random(shape)
    in_ap[kind < shorts] = in_p[kind < shorts] = 9.0
    in_ap[(kind > 0.5) & (kind < 0.5 + stuck)] = 1.0
    in_p[(kind > 0.8) & (kind < 0.8 + stuck)] = 1.0
    return StateErrors(in_ap, in_p)


def cells_of(tiling: NetworkTiling) -> np.ndarray:
    shape = (tiling.kernels, *tiling.kernel_shape)
    return np.concatenate([np.ravel_multi_index(layer.cells, shape).ravel() for layer in tiling.layers])


def some_bits(tiling: NetworkTiling, seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 2, (layer.inputs, layer.lines)).astype(np.int8) for layer in tiling.layers]


@given(
    sizes=st.lists(st.integers(1, 14), min_size=2, max_size=4),
    kernels=st.integers(1, 5),
    shape=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    has_reference=st.booleans(),
    has_bits=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_placement_is_never_worse_and_every_weight_keeps_a_cell_of_its_own(
    sizes: list[int], kernels: int, shape: tuple[int, int], has_reference: bool, has_bits: bool, seed: int
) -> None:
    try:
        plain = plain_tiling(sizes, kernels=kernels, kernel_shape=shape, has_reference=has_reference)
    except InputError:
        return
    errors = errors_of(seed, (kernels, *shape), 0.1, 0.1)
    bits = some_bits(plain, seed) if has_bits else None
    placed = place_tiling(plain, errors, bits=bits)
    assert tiling_cost(placed, errors, bits=bits) <= tiling_cost(plain, errors, bits=bits)
    used = cells_of(placed)
    assert used.size == np.unique(used).size == plain.devices == placed.devices


def test_the_cost_is_the_squared_error_under_each_input() -> None:
    plain = plain_tiling([3, 2], kernels=1, kernel_shape=(4, 5))
    errors, bits, power = errors_of(1, (1, 4, 5), 0.3, 0.2), some_bits(plain), np.array([1.0, 0.0, 0.25])
    index, wanted = plain.layers[0].cells, 0.0
    for i, j in np.ndindex(3, 4):
        source = errors.in_p if bits[0][i, j] else errors.in_ap
        wanted += power[i] * source[index.kernel[i, j], index.row[i, j], index.col[i, j]]
    assert tiling_cost(plain, errors, bits=bits, input_powers=[power]) == pytest.approx(wanted)


def test_a_small_layer_comes_out_within_one_stuck_cell_of_the_best() -> None:
    """Of all orders of rows and columns; rows and columns in turn may stop one exchange short of it."""
    plain = plain_tiling([4, 1], kernels=1, kernel_shape=(5, 2))
    are_best = []
    for seed in range(10):
        errors, bits = errors_of(seed, (1, 5, 2), 0.2, 0.2), some_bits(plain, seed)
        best = np.inf
        for rows in permutations(range(5), 4):
            for cols in permutations(range(2)):
                tile = Tile(0, np.array(rows), np.array(cols), np.arange(4), np.arange(2))
                trial = NetworkTiling((LayerTiling(4, 1, (tile,)),), 1, (5, 2))
                best = min(best, tiling_cost(trial, errors, bits=bits))
        found = tiling_cost(place_tiling(plain, errors, bits=bits), errors, bits=bits)
        assert best - 1e-9 <= found <= best + 1.0
        are_best.append(found <= best + 1e-9)
    assert sum(are_best) >= 8


def test_defects_go_where_inputs_are_dark_and_where_bits_agree() -> None:
    plain = plain_tiling([196, 47, 10])
    errors = errors_of(0, (32, 25, 25), 0.003, 0.007)
    x, y = np.mgrid[:14, :14]
    power = np.exp(-((x - 6.5) ** 2 + (y - 6.5) ** 2) / 18).ravel()
    powers = [power, None]
    floor = 0.005 * (94 * power.sum() + 20 * 47)
    for bits in (None, some_bits(plain)):
        kinds = {"bits": bits, "input_powers": powers}
        before = tiling_cost(plain, errors, **kinds) - floor
        after = tiling_cost(place_tiling(plain, errors, **kinds), errors, **kinds) - floor
        assert after < 0.1 * before
        finer = place_tiling(plain, errors, lines_per_tile=5, **kinds)
        assert tiling_cost(finer, errors, **kinds) - floor < 0.8 * after
    with pytest.raises(InputError, match="tiles of 0 lines"):
        place_tiling(plain, errors, lines_per_tile=0)


def test_the_same_die_gives_the_same_placement() -> None:
    plain, errors = plain_tiling([30, 9, 4], kernels=4, kernel_shape=(15, 15)), errors_of(3, (4, 15, 15))
    first, second = (place_tiling(plain, errors) for _ in range(2))
    np.testing.assert_array_equal(cells_of(first), cells_of(second))


def make_map(x: int, kernel: int, side: int = 8) -> ArrayMap:
    rng = np.random.default_rng([x, kernel])
    ap = 1e-4 * np.exp(0.02 * rng.standard_normal((side, side)))
    p = 2 * ap
    status = np.full((side, side), CellStatus.OK, dtype=np.int8)
    bad = rng.integers(0, side, (3, 2))
    status[bad[:, 0], bad[:, 1]] = CellStatus.SHORT
    ap[bad[:, 0], bad[:, 1]] = p[bad[:, 0], bad[:, 1]] = 5e-3
    state = np.zeros((side, side), np.int8)
    return ArrayMap(ap.copy(), p, ap, state, status, 1e-7 * ap, Conditions(0.1), DieId("W", x, 0))


def test_dies_are_placed_each_by_its_own_defects() -> None:
    maps = DieMaps.of([[make_map(x, k) for k in range(3)] for x in range(3)])
    plain = plain_tiling([10, 6, 3], kernels=3, kernel_shape=(8, 8))
    placed = place_on_dies(plain, maps)
    for layer in range(2):
        ap, p = placed_cells(maps, placed, layer)
        for die, tiling in enumerate(placed):
            np.testing.assert_array_equal(p[die], maps.siemens_p[die][tiling.layers[layer].cells])
            np.testing.assert_array_equal(ap[die], maps.siemens_ap[die][tiling.layers[layer].cells])
    shorts = [
        sum((placed_cells(maps, tilings, layer).siemens_p > 1e-3).sum(axis=(1, 2)) for layer in range(2))
        for tilings in ([plain] * 3, placed)
    ]
    assert (shorts[1] < shorts[0]).all()
    bits = [np.zeros((3, 10, 12), np.int8), np.zeros((6, 6), np.int8)]
    assert len(place_on_dies(plain, maps, bits=bits)) == 3


def test_maps_that_do_not_fit_the_tiling_are_refused() -> None:
    plain = plain_tiling([10, 6, 3], kernels=3, kernel_shape=(8, 8))
    maps = DieMaps.of([[make_map(0, k) for k in range(2)]])
    with pytest.raises(InputError, match=r"3 kernels of \(8, 8\), but maps of 2 kernels"):
        place_on_dies(plain, maps)
    maps = DieMaps.of([[make_map(x, k) for k in range(3)] for x in range(2)])
    maps.status[1] = CellStatus.SHORT
    with pytest.raises(InputError, match=r"no healthy cell on 1 of 2 dies: W \(1, 0\)"):
        place_on_dies(plain, maps)
    with pytest.raises(InputError, match="1 placements for 2 dies"):
        placed_cells(maps, [plain], 0)
    with pytest.raises(InputError, match="bits and input powers for all 2 layers"):
        place_tiling(plain, errors_of(0, (3, 8, 8)), bits=[])
    with pytest.raises(InputError, match=r"bits \(2, 2\) for a layer of 10 inputs and 12 lines"):
        place_tiling(plain, errors_of(0, (3, 8, 8)), bits=[np.zeros((2, 2)), np.zeros((6, 6))])
    with pytest.raises(InputError, match="none may be negative"):
        place_tiling(plain, errors_of(0, (3, 8, 8)), input_powers=[np.full(10, -1.0), None])


@pytest.mark.parametrize("has_reference", [False, True])
def test_a_plan_puts_every_bit_on_its_cell(has_reference: bool) -> None:
    plain = plain_tiling([20, 11, 5], kernels=4, kernel_shape=(15, 15), has_reference=has_reference, bias_inputs=1)
    tiling = place_tiling(plain, errors_of(5, (4, 15, 15)))
    bits, biases = some_bits(tiling), [np.arange(11.0), np.arange(5.0)]
    plan = plan_tiled_network(tiling, bits, biases)
    targets = kernel_targets(plan, 4, (15, 15))
    assert (targets != State.UNKNOWN).sum() == tiling.devices
    for layer, planned, wanted, bias in zip(tiling.layers, plan.layers, bits, biases, strict=True):
        np.testing.assert_array_equal(targets[layer.cells], wanted)
        np.testing.assert_array_equal(planned.biases, bias)
        assert (planned.inputs, planned.lines, planned.bias_inputs) == (layer.inputs, layer.lines, 1)
        values = np.random.default_rng(0).random(layer.inputs)
        sums = np.zeros(layer.lines)
        for tile in planned.tiles:  # partial sums, added up digitally
            np.add.at(sums, tile.lines, values[tile.inputs] @ tile.plan.bits)
        np.testing.assert_allclose(planned.joined(sums), planned.joined(values @ wanted))


def test_plans_of_the_wrong_size_and_shared_cells_are_refused() -> None:
    tiling = plain_tiling([4, 2, 2], kernels=1, kernel_shape=(15, 15))
    with pytest.raises(InputError, match=r"layer 1 has 4 inputs, 4 lines and 2 outputs, got bits \(3, 4\)"):
        plan_tiled_network(tiling, [np.zeros((3, 4)), np.zeros((2, 4))])
    with pytest.raises(InputError, match="bits of 1 layers"):
        plan_tiled_network(tiling, [np.zeros((4, 4))])
    plan = plan_tiled_network(tiling, some_bits(tiling))
    twice = type(plan)((plan.layers[0], plan.layers[0]))
    with pytest.raises(InputError, match="16 cells of kernel 0 have a target already"):
        kernel_targets(twice, 1, (15, 15))
