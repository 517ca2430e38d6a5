"""Networks in the form of a chip: their sizes, the cells under them on many dies, parameters in and out."""
# ruff: noqa: E402, for PyTorch is optional

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mtjlab.engine.chip_networks import (
    ChipForm,
    bits_of,
    cells_on,
    known_pair,
    parameters_of,
    plain_tiling_of,
    with_parameters,
)
from mtjlab.engine.tiling_dies import place_on_dies
from mtjlab.errors import InputError
from mtjlab.nouns import CellStatus

from .chip_maps import chip_maps

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = ChipForm(side=4, hidden=6, output_pairs=2, limits=None)


def test_the_forms_that_are_compared_fit_the_chip_and_say_what_they_are() -> None:
    limited, plain = ChipForm(), ChipForm(side=14, hidden=47, output_pairs=1, limits=None)
    assert limited.name == "121-62-10, 3 pairs per output, parts limited to 1 and 2"
    assert plain.name == "196-47-10"
    assert limited.made().devices == limited.tiling().devices == 121 * 124 + 62 * 60 <= 20_000
    assert plain.made().devices == 196 * 94 + 47 * 20 <= 20_000
    with pytest.raises(InputError, match=r"need 25056 devices, 32 arrays of \(25, 25\) have 20000"):
        ChipForm(hidden=72, output_pairs=3, side=12).tiling()
    with pytest.raises(InputError, match="need 432 devices, 1 arrays"):
        plain_tiling_of(SMALL.made(), kernels=1, side=10)


def test_a_network_is_its_two_layers_with_limits_and_added_pairs() -> None:
    form = ChipForm(side=4, hidden=6, output_pairs=2, limits=(0.5, 1.5), part_inputs=5)
    network = form.made(1, seed=2)
    x = torch.rand((1, 9, 16), generator=torch.Generator().manual_seed(0))
    values = x[0].double().numpy()
    for (inputs, limit, pairs), crossbar in zip(((16, 0.5, 1), (6, 1.5, 2)), network.crossbars().values(), strict=True):
        bits = crossbar.bits()[0].numpy().astype(np.float64)
        weights = bits[:, 0::2] - bits[:, 1::2]
        parts = [values[:, k : k + 5] @ weights[k : k + 5] for k in range(0, inputs, 5)]
        sums = sum(np.clip(part, -limit, limit) for part in parts).reshape(9, -1, pairs).sum(axis=2)
        values = crossbar.gain.item() * sums + crossbar.bias[0, 0].detach().numpy()
        values = np.tanh(values) if inputs == 16 else values
    np.testing.assert_allclose(network(x)[0].detach().numpy(), values, atol=1e-5)


def test_cells_count_in_units_of_their_own_die() -> None:
    maps = chip_maps(3)
    tiling = SMALL.tiling()
    layers = cells_on(maps, tiling)
    assert [tuple(layer.off.shape) for layer in layers] == [(3, 16, 12), (3, 6, 40)]
    unit = maps.on_off_siemens()
    kernel, row, col = tiling.layers[1].cells
    healthy = maps.status[:, kernel, row, col] == CellStatus.OK
    for die in range(3):
        own = maps.siemens_p[die, kernel, row, col] - maps.siemens_ap[die, kernel, row, col]
        np.testing.assert_allclose(
            layers[1].swing[die].numpy()[healthy[die]], (own / unit[die])[healthy[die]], rtol=1e-5
        )
        assert float(layers[0].swing[die].median()) == pytest.approx(1.0, abs=0.05)
    fixed = maps.status[:, kernel, row, col] == CellStatus.SHORT
    assert (layers[1].swing.numpy()[fixed] == 0).all()


def test_unknown_cells_count_as_the_median_in_ap() -> None:
    maps = chip_maps(2)
    kernel, row, col = (int(each[0, 0]) for each in SMALL.tiling().layers[0].cells)
    maps.siemens_p[1, kernel, row, col] = np.nan
    maps.siemens[1, kernel, row, col] = np.nan
    maps.status[1, kernel, row, col] = CellStatus.UNREAD
    layers = cells_on(maps, SMALL.tiling())
    assert float(layers[0].swing[1, 0, 0]) == 0.0
    assert float(layers[0].off[1, 0, 0]) == pytest.approx(0.8, rel=0.03)
    pair = known_pair(maps)
    assert np.isfinite(pair.siemens_ap).all() and np.isfinite(pair.siemens_p).all()


def test_every_die_can_have_a_placement_of_its_own() -> None:
    maps = chip_maps(2)
    tilings = place_on_dies(SMALL.tiling(), maps, rounds=1)
    layers = cells_on(maps, tilings)
    pair = known_pair(maps)
    for die, tiling in enumerate(tilings):
        kernel, row, col = tiling.layers[0].cells
        np.testing.assert_allclose(layers[0].off[die].numpy(), pair.siemens_ap[die, kernel, row, col], rtol=1e-5)
    with pytest.raises(InputError, match="1 placements for 2 dies"):
        cells_on(maps, tilings[:1])
    maps.status[1] = CellStatus.OPEN
    with pytest.raises(InputError, match="no healthy cell"):
        cells_on(maps, SMALL.tiling())


def test_parameters_go_out_and_in_copy_by_copy() -> None:
    three = SMALL.made(3, seed=1)
    values = parameters_of(three)
    two = SMALL.made(2)
    with_parameters(two, values, [2, 0])
    for own, all_three in zip(bits_of(two), bits_of(three), strict=True):
        np.testing.assert_array_equal(own, all_three[[2, 0]])
    for name, mine in parameters_of(two).items():
        np.testing.assert_array_equal(mine, values[name][[2, 0]])
    for array in values.values():
        array[:] = 9.0  # a copy: the network does not follow
    assert float(three.crossbars()["hidden"].latent.detach().abs().max()) <= 1.0
    with pytest.raises(InputError, match=r"no values of shape \(2, 16, 12\)"):
        with_parameters(two, parameters_of(ChipForm(side=5, hidden=6, output_pairs=2, limits=None).made()), [0, 0])
    with pytest.raises(InputError, match="no values of shape"):
        with_parameters(two, {}, [0, 1])
