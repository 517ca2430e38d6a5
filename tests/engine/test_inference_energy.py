"""Energy per inference: without wires that of the cells alone, with wires what their nodes dissipate, tile by tile."""

import numpy as np
import pytest

from mtjlab.engine.inference_energy import layer_joules, network_joules, tile_joules
from mtjlab.engine.tiling import plain_tiling
from mtjlab.errors import InputError
from mtjlab.physics.crossbar_fields import solve_drive
from mtjlab.physics.crossbar_wires import Wires

VOLTS, SECONDS = 0.1, 1e-6


def test_without_wires_every_cell_takes_its_share() -> None:
    rng = np.random.default_rng(0)
    siemens, inputs = rng.uniform(1e-4, 2e-4, (6, 4)), rng.uniform(-1, 1, (3, 6))
    found = tile_joules(siemens, Wires.of((6, 4)), inputs, VOLTS, SECONDS)
    assert found == pytest.approx(((VOLTS * inputs) ** 2 @ siemens.sum(axis=1)) * SECONDS)


def test_with_wires_it_is_what_cells_and_segments_dissipate() -> None:
    rng = np.random.default_rng(1)
    siemens, inputs = rng.uniform(1e-4, 2e-4, (5, 5)), rng.uniform(0, 1, (1, 5))
    wires = Wires.of((5, 5), 20.0)
    fields = solve_drive(siemens, wires, np.concatenate([VOLTS * inputs[0], np.zeros(5)]))
    rows = (np.where(np.isfinite(wires.row_ohms), wires.row_ohms, 0.0) * fields.row_amps**2).sum()
    cols = (np.where(np.isfinite(wires.col_ohms), wires.col_ohms, 0.0) * fields.col_amps**2).sum()
    wanted = (fields.cell_watts.sum() + rows + cols) * SECONDS
    assert tile_joules(siemens, wires, inputs, VOLTS, SECONDS)[0] == pytest.approx(wanted, rel=1e-9)


def test_a_layer_on_several_kernels_is_the_sum_of_its_cells() -> None:
    tiling = plain_tiling([40, 6, 3], kernels=4, kernel_shape=(25, 25))
    rng = np.random.default_rng(2)
    siemens, inputs = rng.uniform(1e-4, 2e-4, (4, 25, 25)), rng.uniform(0, 1, (2, 40))
    own = siemens[tiling.layers[0].cells]
    found = layer_joules(tiling.layers[0], siemens, inputs, VOLTS, SECONDS)
    assert found == pytest.approx((VOLTS * inputs) ** 2 @ own.sum(axis=1) * SECONDS)
    with_wires = layer_joules(tiling.layers[0], siemens, inputs, VOLTS, SECONDS, segment_ohms=50.0)
    assert (with_wires < found).all()
    assert network_joules([found, with_wires]) == pytest.approx(found + with_wires)


def test_inputs_of_another_array_are_refused() -> None:
    with pytest.raises(InputError, match="5 x 5"):
        tile_joules(np.full((5, 5), 1e-4), Wires.of((5, 5)), np.zeros((1, 4)), VOLTS, SECONDS)
