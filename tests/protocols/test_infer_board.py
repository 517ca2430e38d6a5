"""Inference on kernels of the simulated board: all inputs at once, wires put back, columns made to agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, LayerPlan, LayerTile, TiledLayerPlan
from mtjlab.protocols.infer import infer_layer, infer_tiled_layer
from mtjlab.protocols.infer_columns import calibrate_columns
from mtjlab.protocols.infer_prediction import layer_transfer, transfer_of, without_row_read_wires
from mtjlab.protocols.infer_schemes import InputScheme
from mtjlab.protocols.readout import readout
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip
from mtjlab.sim_instruments.daffodil_events import BoardSettings

NO_DEFECTS = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
COLS = np.arange(24)
PLAN = LayerPlan("layer", np.arange(25), COLS, np.zeros((25, 24), dtype=np.int8), np.zeros(12))


@pytest.fixture
def kernels() -> tuple[SimDaffodilBoard, list[DaffodilCrossbar]]:
    """Two kernels of one board."""
    board = SimDaffodilBoard(DaffodilChip.draw(seed=4, defect_rates=NO_DEFECTS), seed=4)
    first = DaffodilCrossbar(board, kernel=5, limits=DeviceLimits(), wait=board.wait, clock=board.clock)
    second = DaffodilCrossbar(first.port, kernel=6, limits=DeviceLimits(), wait=board.wait, clock=board.clock)
    return board, [first, second]


PERFECT = BoardSettings(
    end_ohms=100e3, gain_spread=0.0, wiper_ohms=(50.0, 50.0), offset_volts=0.0, dac_error_volts=0.0, noise_volts=0.0
)
"""An instrument without errors, which tells what the cells are."""


def freed(board: SimDaffodilBoard, number: int) -> tuple[ArrayMap, ArrayMap]:
    """As a better instrument read them, and without the wires, whose mean resistances are known."""
    better = SimDaffodilBoard(board.chip, settings=PERFECT)
    raw = readout(DaffodilCrossbar(better, kernel=number, limits=DeviceLimits(), wait=better.wait, clock=better.clock))
    die = board.chip.kernels[number].die.description
    return raw, without_row_read_wires(raw, die.segment_ohms, die.contact_ohms)


def test_columns_calibrated_against_known_cells_give_what_the_network_says(kernels: Any) -> None:
    board, (kernel, _) = kernels
    raw, free = freed(board, 5)
    levels = np.random.default_rng(0).integers(1, 64, (6, 25))
    plain = infer_layer(kernel, PLAN, levels, 6)
    calibration = calibrate_columns(kernel, free, cols=COLS.tolist())
    right = infer_layer(kernel, PLAN, levels, 6, calibration=calibration)
    assert plain.schemes == (InputScheme.ANALOGUE,)
    assert plain.cost.readings == 24 * 7
    expected = levels / 63 @ transfer_of(free, COLS)[:, COLS]
    as_it_is, calibrated = (run.siemens_sums / expected - 1 for run in (plain, right))
    # potentiometers are 6 % short and 3 % apart
    assert as_it_is.mean() < -0.03
    assert np.std(as_it_is.mean(axis=0)) > 0.01
    assert np.abs(calibrated).max() < 0.02
    # what reads of single rows say, all other rows open, is more than what comes when all are connected
    by_product = right.siemens_sums / (levels / 63 @ raw.siemens[:, COLS]) - 1
    assert by_product.mean() < -0.04
    assert board.incidents == []


def test_a_layer_on_two_kernels_is_the_sum_of_both(kernels: Any) -> None:
    board, crossbars = kernels
    maps = [freed(board, number)[1] for number in (5, 6)]
    calibrations = {k: calibrate_columns(crossbars[k], maps[k], cols=COLS.tolist()) for k in range(2)}
    outputs = np.arange(12)
    tiles = tuple(LayerTile(k, np.arange(25 * k, 25 * k + 25), outputs, PLAN) for k in range(2))
    layer = TiledLayerPlan("wide", tiles, np.zeros(12))
    levels = np.random.default_rng(1).integers(-63, 64, (5, 50))
    run = infer_tiled_layer(crossbars, layer, levels, 6, calibrations=calibrations)
    expected = levels / 63 @ layer_transfer(maps, layer, others_conduct=False)
    # of about 25 cells' worth of current that goes either way, 2 % of one cell's hundredth
    assert run.siemens_sums == pytest.approx(expected, abs=4e-5)
    assert np.std(expected) > 3e-4
    assert board.incidents == []
