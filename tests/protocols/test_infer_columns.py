"""Columns whose offsets and gains are wrong: found within the stated uncertainty, and taken out of what is inferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError, InstrumentError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Cost, LayerPlan, Line, Lines, Reading, State
from mtjlab.physics.crossbar_ports import reduce_to_ports
from mtjlab.physics.crossbar_reads import read_with_floating_rows
from mtjlab.physics.crossbar_wires import Wires
from mtjlab.protocols.infer import infer_layer
from mtjlab.protocols.infer_columns import ColumnCalibration, calibrate_columns
from mtjlab.protocols.infer_prediction import transfer_of, without_row_read_wires
from mtjlab.protocols.infer_schemes import InputScheme
from mtjlab.protocols.readout import readout
from mtjlab.roles import Capabilities, Crossbar

SHAPE = (8, 6)


class Amplified(Crossbar):
    """Known cells on ideal wires; every column has an offset, a gain and noise of its own."""

    def __init__(self, seed: int, levels: int = 20, noise_amps: float = 20e-9) -> None:
        self.rng = np.random.default_rng(seed)
        self.siemens = self.rng.uniform(0.5e-4, 1.5e-4, SHAPE)
        self.offset, self.gain = self.rng.normal(0, 3e-7, SHAPE[1]), self.rng.uniform(0.95, 1.05, SHAPE[1])
        self.levels, self.noise, self.readings = levels, noise_amps, 0

    @property
    def shape(self) -> tuple[int, int]:
        return SHAPE

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(self.levels, SHAPE[1], shortest_pulse_seconds=0.0, can_float=False)

    @property
    def spent(self) -> Cost:
        return Cost(0, self.readings, 0.0)

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        self.readings += len(sense)
        assert len(np.unique(lines.row_volts)) <= self.levels
        true = lines.row_volts @ self.siemens
        seen = self.offset + self.gain * true + self.rng.normal(0, self.noise, SHAPE[1])
        return [Reading(0.0, float(seen[line.number])) for line in sense]

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        raise AssertionError("inference gives no pulses")

    def idle(self) -> None:
        pass

    def known(self, relative: float = 0.0) -> ArrayMap:
        """What somebody measured of the cells, with so much error."""
        found = self.siemens * (1 + relative * self.rng.standard_normal(SHAPE))
        status, state = np.full(SHAPE, CellStatus.OK, dtype=np.int8), np.full(SHAPE, State.AP, dtype=np.int8)
        return ArrayMap(found, found, found, state, status, relative * self.siemens, Conditions(0.1))


@pytest.mark.parametrize("levels", [2, 20])
@pytest.mark.parametrize("relative", [0.0, 0.01])
def test_offset_and_gain_lie_within_their_stated_uncertainty_as_often_as_stated(levels: int, relative: float) -> None:
    gains, offsets = [], []
    for seed in range(40):
        array = Amplified(seed, levels)
        found = calibrate_columns(array, array.known(relative), seed=seed)
        gains.append(np.abs(found.gain - array.gain) < 1.96 * found.gain_sigma)
        offsets.append(np.abs(found.offset_amps - array.offset) < 1.96 * found.offset_sigma)
    # 240 columns: three standard deviations of a binomial share
    assert 0.90 < np.mean(gains) < 0.99
    assert 0.90 < np.mean(offsets) < 0.99


def test_unsure_cells_make_an_unsure_gain() -> None:
    array = Amplified(1)
    sure, unsure = (calibrate_columns(array, array.known(r)).gain_sigma.mean() for r in (0.001, 0.02))
    assert unsure > 5 * sure
    common = calibrate_columns(array, array.known(0.001), relative_sigma=0.05)
    assert common.gain_sigma == pytest.approx(0.05 * common.gain, rel=0.05)


def test_inference_is_right_with_the_calibration_and_wrong_without() -> None:
    array = Amplified(3)
    plan = LayerPlan("layer", np.arange(8), np.array([4, 1, 0, 5]), np.zeros((8, 4), dtype=np.int8), np.zeros(2))
    levels = np.random.default_rng(0).integers(-15, 16, (6, 8))
    expected = levels / 15 @ array.siemens[:, plan.cols]
    for scheme in InputScheme:
        without = infer_layer(array, plan, levels, 4, scheme=scheme).siemens_sums
        calibration = calibrate_columns(array, array.known(), cols=[0, 1, 4, 5])
        found = infer_layer(array, plan, levels, 4, scheme=scheme, calibration=calibration).siemens_sums
        assert np.abs(found - expected).max() < 2e-6
        assert np.abs(without - expected).max() > 4e-6


def test_a_column_that_was_not_calibrated_is_named() -> None:
    array = Amplified(1)
    calibration = calibrate_columns(array, array.known(), cols=[0, 2])
    plan = LayerPlan("layer", np.arange(8), np.array([0, 3]), np.zeros((8, 2), dtype=np.int8), np.zeros(1))
    with pytest.raises(InputError, match="column 3 is not calibrated"):
        infer_layer(array, plan, np.ones((1, 8), dtype=np.int64), 1, calibration=calibration)


def test_what_a_short_really_carries_hardly_matters() -> None:
    array = Amplified(1)
    known = array.known(1e-3)
    known.siemens[2, 3] *= 3
    misled = calibrate_columns(array, known)
    known.status[2, 3] = CellStatus.SHORT
    found = calibrate_columns(array, known)
    assert abs(misled.gain - array.gain)[3] > 0.05
    assert np.abs(found.gain - array.gain).max() < 0.01
    assert found.gain_sigma[3] > found.gain_sigma[[0, 1, 2, 4, 5]].max()


def test_nothing_is_sent_where_there_is_nothing_to_calibrate_against() -> None:
    array = Amplified(1)
    known = array.known()
    known.siemens[:, 2] = np.nan
    with pytest.raises(InputError, match="0 rows have known cells on all of the 6 columns"):
        calibrate_columns(array, known)
    assert array.readings == 0


def test_a_column_at_the_end_of_its_range_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    array = Amplified(1)
    measure = array.measure
    monkeypatch.setattr(array, "measure", lambda *a: [replace(r, in_compliance=True) for r in measure(*a)])
    with pytest.raises(InstrumentError, match="column 0 is at the end") as caught:
        calibrate_columns(array, array.known())
    assert "smaller part of the rows" in caught.value.remedy


def test_gains_hold_only_for_columns_in_ascending_order_of_their_numbers() -> None:
    gains = np.array([1.0, 2.0, 4.0])
    zero = np.zeros(3)
    calibration = ColumnCalibration(np.array([1, 3, 5]), zero, gains, zero, zero, 0.0, 0.1, Cost())
    assert calibration.corrected(np.array([5, 1]), np.array([4.0, 3.0])).tolist() == [1.0, 3.0]


def test_a_map_with_its_wires_in_it_is_the_transfer_and_one_without_them_is_solved(make_world: Any) -> None:
    world, crossbar = make_world(4, segment_ohms=20.0, contact_ohms=10.0, contact_spread=0.0)
    read = readout(crossbar)
    true = world.die.siemens(0.1).reshape(6, 6)
    bare = replace(read, siemens=true, conditions=Conditions(0.1, segment_ohms=20.0, line_ohms=10.06))
    assert transfer_of(read) is read.siemens
    # the cells' bias dependence at the drop, which the linear network does not know
    assert transfer_of(bare) == pytest.approx(read.siemens, rel=3e-3)
    assert np.abs(true / read.siemens - 1).max() > 0.03


def test_columns_that_are_switched_off_drop_nothing_along_the_rows() -> None:
    array = Amplified(1)
    known = replace(array.known(), conditions=Conditions(0.1, segment_ohms=50.0))
    alone, together = transfer_of(known, np.array([0]))[:, 0], transfer_of(known)[:, 0]
    assert (alone > together).all()
    assert np.isfinite(transfer_of(known, np.array([0]))).all()


def test_wires_are_removed_as_a_board_reads_and_cells_come_out() -> None:
    rng = np.random.default_rng(2)
    cells = rng.uniform(0.5e-4, 1.5e-4, (25, 25))
    cells[3, 4], cells[20, 20] = 3e-3, 0.0
    wires = Wires.of((25, 25), 2.0, left=5.0, bottom=5.0)
    array = Amplified(0).known()
    raw = read_with_floating_rows(reduce_to_ports(cells, wires))
    grid = {name: np.broadcast_to(getattr(array, name)[0, 0], (25, 25)) for name in ("state", "status", "sigma")}
    known = ArrayMap(raw, raw, raw, **grid, conditions=Conditions(0.1))
    found = without_row_read_wires(known, 2.0, 5.0)
    assert found.siemens == pytest.approx(cells, rel=1e-3, abs=2e-8)
    assert transfer_of(found) == pytest.approx(reduce_to_ports(cells, wires).transfer_siemens, rel=1e-3, abs=2e-8)
    assert np.abs(raw - cells)[:3].max() > 0.05e-4
