"""Layers of any size on kernels: every weight has a cell of its own, and what does not fit is told in devices."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.engine.tiling import NetworkTiling, devices_needed, plain_tiling, tiling_of_shapes
from mtjlab.errors import InputError


def used_cells(tiling: NetworkTiling) -> np.ndarray:
    """Number of every cell that a tile of any layer takes."""
    shape = (tiling.kernels, *tiling.kernel_shape)
    found = [
        np.ravel_multi_index(np.broadcast_arrays(tile.kernel, tile.rows[:, None], tile.cols), shape).ravel()
        for layer in tiling.layers
        for tile in layer.tiles
    ]
    return np.concatenate(found)


@pytest.mark.parametrize(
    ("sizes", "bias_inputs", "devices"),
    [((196, 47, 10), 0, 19_364), ((196, 48, 10), 0, 19_776), ((196, 48, 10), 1, 19_892)],
)
def test_the_networks_of_the_chip_fit(sizes: tuple[int, ...], bias_inputs: int, devices: int) -> None:
    tiling = plain_tiling(sizes, bias_inputs=bias_inputs)
    used = used_cells(tiling)
    assert tiling.devices == devices == used.size == np.unique(used).size
    assert used.min() >= 0 and used.max() < 20_000
    for layer, inputs, outputs in zip(tiling.layers, sizes[:-1], sizes[1:], strict=True):
        assert layer.cells.row.shape == (inputs + bias_inputs, 2 * outputs)
    first = tiling.layers[0].cells
    np.testing.assert_array_equal(first.kernel[:, ::2], first.kernel[:, 1::2])  # pairs stay together where they can
    np.testing.assert_array_equal(first.row[:, ::2], first.row[:, 1::2])


def test_the_index_arrays_read_each_cell_of_a_die_where_its_tile_says() -> None:
    die = np.arange(32 * 25 * 25).reshape(32, 25, 25)
    for layer in plain_tiling([196, 47, 10]).layers:
        found = die[layer.cells]
        for tile in layer.tiles:
            block = die[tile.kernel][np.ix_(tile.rows, tile.cols)]
            np.testing.assert_array_equal(found[np.ix_(tile.inputs, tile.lines)], block)


def test_two_reference_lines_serve_all_outputs() -> None:
    tiling = plain_tiling([196, 90, 10], has_reference=True)
    assert tiling.devices == 196 * 92 + 90 * 12 == np.unique(used_cells(tiling)).size
    assert tiling.layers[0].cells.row.shape == (196, 92)


@given(
    sizes=st.lists(st.integers(1, 40), min_size=2, max_size=4),
    kernels=st.integers(1, 6),
    rows=st.integers(1, 25),
    cols=st.integers(1, 25),
    bias_inputs=st.integers(0, 2),
    has_reference=st.booleans(),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_no_cell_serves_twice_and_none_is_missing(
    sizes: list[int], kernels: int, rows: int, cols: int, bias_inputs: int, has_reference: bool
) -> None:
    kinds = {"bias_inputs": bias_inputs, "has_reference": has_reference}
    need, have = devices_needed(sizes, **kinds), kernels * rows * cols
    try:
        tiling = plain_tiling(sizes, kernels=kernels, kernel_shape=(rows, cols), **kinds)
    except InputError as error:
        assert f"needs {need} devices" in str(error) and f"have {have}" in str(error)
        assert need > have or "too short" in str(error)
        return
    used = used_cells(tiling)
    assert used.size == np.unique(used).size == tiling.devices == need <= have
    assert all((layer.cells.kernel >= 0).all() for layer in tiling.layers)


def test_a_network_that_does_not_fit_is_told_what_would() -> None:
    with pytest.raises(InputError, match=r"196-60-10 needs 24720 devices, 32 arrays of 25 x 25 have 20000: 4720 too"):
        plain_tiling([196, 60, 10])
    with pytest.raises(InputError, match=r"196-48-10 would fit, or take 33 arrays"):
        plain_tiling([196, 49, 10])
    with pytest.raises(InputError, match=r"Take 3 arrays of this size"):
        plain_tiling([196, 10], kernels=1, kernel_shape=(49, 30))
    plain_tiling([196, 10], kernels=3, kernel_shape=(49, 30))


def test_sizes_that_make_no_network_are_refused() -> None:
    with pytest.raises(InputError, match="make no network"):
        plain_tiling([196])
    with pytest.raises(InputError, match="make no network"):
        plain_tiling([196, 0, 10])


def test_layers_that_are_no_chain_are_laid_too() -> None:
    shapes = [(9, 8), (72, 16), (64, 10)]
    tiling = tiling_of_shapes(shapes, kernels=8)
    assert [layer.cells.row.shape for layer in tiling.layers] == [(i, 2 * o) for i, o in shapes]
    assert used_cells(tiling).size == np.unique(used_cells(tiling)).size == sum(2 * i * o for i, o in shapes)
    with pytest.raises(InputError, match=r"need 3728 devices, 4 arrays of \(25, 25\) have 2500"):
        tiling_of_shapes(shapes, kernels=4)
