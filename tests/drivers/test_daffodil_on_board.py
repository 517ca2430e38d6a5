"""The Daffodil driver on a simulated board: calibration, whole kernels through the protocols, sub-arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.drivers.daffodil_calibration import DaffodilCalibration
from mtjlab.drivers.daffodil_settings import DaffodilSettings
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import CellStatus, Floats, Line, Lines, Site
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.readout import readout
from mtjlab.protocols.write_lines import WriteScheme
from mtjlab.protocols.write_verify import write_verify
from mtjlab.roles import LineRead
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip, ResistorCard
from mtjlab.sim_instruments.daffodil_events import BoardSettings

KERNEL = 22
NO_DEFECTS = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
NO_WIRES = {"segment_ohms": 0.0, "contact_ohms": 1e-3, "contact_spread": 0.0}
SPREAD = BoardSettings(gain_spread=0.08, end_ohms=100e3)


def made(*, settings: BoardSettings | None = None, **die: Any) -> SimDaffodilBoard:
    chip = DaffodilChip.draw(seed=7, **{"defect_rates": NO_DEFECTS, **die})
    return SimDaffodilBoard(chip, seed=7, settings=settings)


def opened(board: SimDaffodilBoard, **more: Any) -> DaffodilCrossbar:
    given = {"kernel": KERNEL, "limits": DeviceLimits(), "wait": board.wait, "clock": board.clock} | more
    return DaffodilCrossbar(board, **given)


def calibrated(board: SimDaffodilBoard, *, wrong: float = 0.0, **more: Any) -> DaffodilCalibration:
    """Against a card of 10 kohm whose resistors differ from what the driver is told by `wrong`."""
    board.card = ResistorCard(np.full((25, 25), 1e-4 * (1 + wrong)))
    tables = opened(board).calibrate(1e-4, relative_sigma=2e-3, **more)
    board.card = None
    return tables


def cells(board: SimDaffodilBoard, number: int = KERNEL) -> Floats:
    """Of junctions with their transistors, at rest."""
    kernel = board.chip.kernels[number]
    g = kernel.die.siemens(0.1).reshape(25, 25)
    return np.asarray(g / (1 + g * kernel.access.on_ohms(3.3)))


class TestCalibration:
    def test_gains_and_offsets_are_found_within_their_uncertainty(self) -> None:
        board = made(settings=SPREAD)
        tables = calibrated(board)
        assert set(tables.ranges) == set(DaffodilSettings().feedback_ohms)
        for ohms, table in tables.ranges.items():
            board.set_dpot_D(board.invert_dpot_rout(ohms))
            true, nominal = board.true_ohms(), -np.array(board.pots)
            assert np.abs(true / nominal - 1).max() > 0.05
            pulls = (table.feedback_ohms - true) / table.sigma_ohms
            assert np.abs(pulls).max() < 3
            assert table.relative_sigma < 4e-3
            resting = board.output_volts("reference") + board.events.amplifier_offsets
            assert table.offset_volts == pytest.approx(resting - board.curr_vref, abs=0.6e-3)

    def test_a_wrong_reference_is_what_its_uncertainty_is_for(self) -> None:
        board = made(settings=SPREAD)
        tables = calibrated(board, wrong=2e-3)
        board.set_dpot_D(board.invert_dpot_rout(8e3))
        table = tables.ranges[8e3]
        assert np.median((table.feedback_ohms - board.true_ohms()) / table.sigma_ohms) == pytest.approx(1.0, abs=0.3)

    def test_conductances_are_off_by_the_gains_before_and_right_after(self) -> None:
        board = made(settings=SPREAD, **NO_WIRES)
        before = readout(opened(board, settings=DaffodilSettings(averages=1)))
        true = cells(board)
        spread = before.siemens / true - 1
        board.set_dpot_D(board.invert_dpot_rout(30e3))
        gains = -board.true_ohms() / np.array(board.pots) - 1
        assert np.median(spread, axis=0) == pytest.approx(gains, abs=0.01), "every column by its own amplifier"
        assert np.abs(gains).max() > 0.05
        tables = calibrated(board)
        crossbar = opened(board, calibration=tables)
        after = readout(crossbar)
        sigma = np.hypot(after.sigma, tables.ranges[30e3].relative_sigma * true)
        step = 5 / 4096 / np.sqrt(12) / 0.1 * true  # the level is a whole number of steps
        pulls = (after.siemens - true) / np.hypot(sigma, step)
        assert np.abs(pulls).max() < 5
        assert np.std(pulls) < 1.3
        assert np.std(after.siemens / true - 1) < 0.15 * np.std(spread)
        assert board.incidents == []

    def test_calibrating_needs_no_limits_to_be_exceeded(self) -> None:
        board = made()
        calibrated(board, averages=2)
        board.card = None
        assert board.incidents == []


class TestProtocols:
    def test_a_kernel_is_surveyed_and_written_without_incident(self) -> None:
        rates = {"short": 0.01, "open": 0.01, "stuck_p": 0.005, "stuck_ap": 0.005}
        board = made(defect_rates=rates)
        tables = calibrated(board, averages=8)
        with opened(board, calibration=tables, settings=DaffodilSettings(averages=2)) as crossbar:
            _, known = survey(crossbar)
            kind = board.chip.kernels[KERNEL].die.kind.reshape(25, 25)
            expected = {0: CellStatus.OK, 1: CellStatus.SHORT, 2: CellStatus.OPEN}
            expected |= {3: CellStatus.STUCK_P, 4: CellStatus.STUCK_AP}
            assert (known.status == np.vectorize(expected.get)(kind)).all()
            target = np.random.default_rng(2).integers(0, 2, (25, 25)).astype(np.int8)
            result = write_verify(crossbar, target, known)
        healthy = kind == 0
        written = board.chip.kernels[KERNEL].die.is_parallel.reshape(25, 25)
        assert (written == target)[healthy].all()
        assert result.unwritten == ()
        assert result.mended == 0, "no cell is half-selected"
        assert result.scheme == WriteScheme.GATED
        assert 25 <= result.cost.pulses < 200, "whole rows at once"
        assert board.incidents == []

    def test_no_other_kernel_is_touched(self) -> None:
        board = made()
        before = [kernel.die.is_parallel.copy() for kernel in board.chip.kernels]
        crossbar = opened(board, limits=DeviceLimits(amps=0.04))
        lines = Lines(np.full(25, -0.4), np.full(25, 0.4))
        crossbar.pulse(lines, 5e-3)
        for number, (kernel, was) in enumerate(zip(board.chip.kernels, before, strict=True)):
            changed = (kernel.die.is_parallel != was).any()
            assert changed == (number == KERNEL)
        assert board.incidents == []

    def test_two_kernels_are_used_in_turn_through_one_port(self) -> None:
        board = made(**NO_WIRES)
        first = opened(board, kernel=1, calibration=calibrated(board, averages=16))
        second = DaffodilCrossbar(first.port, kernel=30, limits=DeviceLimits(), calibration=first.calibration)
        for row in (0, 5, 0):
            lines = Lines.selecting((25, 25), Site(row, 2), 0.1, 0.0)
            for crossbar, number in ((first, 1), (second, 30)):
                told = crossbar.measure(lines, [Line("col", 2)])[0].amps / 0.1
                assert told == pytest.approx(cells(board, number)[row, 2], rel=0.015)
            second.pulse(Lines.selecting((25, 25), Site(7, 7), 0.1, 0.05), 1e-6)

    def test_a_vector_is_multiplied_in_one_measurement(self) -> None:
        board = made(**NO_WIRES)
        crossbar = opened(board, calibration=calibrated(board, averages=16))
        volts = np.random.default_rng(3).uniform(-0.1, 0.1, 25)
        sense = [Line("col", j) for j in range(25)]
        found = crossbar.measure(Lines(volts, np.zeros(25)), sense)
        told = np.array([reading.amps for reading in found])
        assert told == pytest.approx(volts @ cells(board), abs=3e-6)
        assert np.abs(told).max() > 5e-5
        back = crossbar.measure(Lines(np.zeros(25), volts), [Line("row", i) for i in range(25)])
        assert [reading.amps for reading in back] == pytest.approx(cells(board) @ volts, abs=3e-6)

    def test_all_32_kernels_are_read_in_series_of_whole_rows(self) -> None:
        board = made(**NO_WIRES)
        tables = calibrated(board, averages=16)
        reads = [
            LineRead(Lines.selecting((25, 25), Site(i, j), 0.1, 0.0), Line("col", j))
            for i in range(25)
            for j in range(25)
        ]
        settings = DaffodilSettings(averages=1)
        for number in range(32):
            crossbar = opened(board, kernel=number, calibration=tables, settings=settings)
            before = board.seconds
            told = np.array([reading.amps for reading in crossbar.measure_each(reads)]).reshape(25, 25) / 0.1
            assert np.median(np.abs(told / cells(board, number) - 1)) < 0.02
            assert board.seconds - before < 0.5
        assert board.incidents == []


class TestSubarray:
    def test_it_is_its_eight_kernels_in_place(self) -> None:
        board = made(**NO_WIRES)
        crossbar = opened(board, kernel=None, subarray=1, calibration=calibrated(board, averages=16))
        lines = Lines(np.zeros(100), np.zeros(50))
        lines.row_volts[[3, 60]] = 0.1, -0.05
        found = crossbar.measure(lines, [Line("col", j) for j in range(50)])
        whole = np.vstack([np.hstack([cells(board, 8 + row), cells(board, 12 + row)]) for row in range(4)])
        exact = 0.1 * whole[3] - 0.05 * whole[60]
        assert [reading.amps for reading in found] == pytest.approx(exact, abs=1.5e-6)

    def test_a_pulse_reaches_the_cell_that_is_meant(self) -> None:
        board = made()
        crossbar = opened(board, kernel=None, subarray=3)
        site = Site(77, 31)
        die = board.chip.kernels[24 + 4 + 3].die
        for volts, becomes in ((0.6, True), (-0.8, False)):
            crossbar.pulse(Lines.selecting((100, 50), site, volts, volts / 2), 5e-3)
            assert die.is_parallel.reshape(25, 25)[2, 6] == becomes
        assert board.incidents == []


class TestProtection:
    @pytest.mark.parametrize(("amps", "switches"), [(5e-5, False), (2e-3, True)])
    def test_the_gate_limits_what_a_pulse_can_do(self, amps: float, switches: bool) -> None:
        board = made()
        die = board.chip.kernels[KERNEL].die
        die.is_parallel[:] = True
        crossbar = opened(board, settings=DaffodilSettings(write_amps=amps))
        crossbar.pulse(Lines.selecting((25, 25), Site(1, 1), -0.8, -0.4), 5e-3)
        point = board.events.point
        assert point is not None
        assert np.abs(point.cell_amps).max() <= amps * 1.01
        assert die.is_parallel.reshape(25, 25)[1, 1] != switches

    def test_a_short_is_read_in_a_wider_range_and_overflows_where_there_is_none(self) -> None:
        board = made(defects=[{"row": 125, "col": 75, "kind": "short"}], short_ohms=150.0, **NO_WIRES)
        tables = calibrated(board, averages=16)
        lines = Lines.selecting((25, 25), Site(0, 0), 0.1, 0.0)
        number = 16 + 8 + 4 + 1
        assert cells(board, number)[0, 0] > 1.5e-3
        found = opened(board, kernel=number, calibration=tables).measure(lines, [Line("col", 0)])[0]
        assert found.amps / 0.1 == pytest.approx(cells(board, number)[0, 0], rel=0.02)
        fine = DaffodilSettings(feedback_ohms=(30e3,))
        stuck = opened(board, kernel=number, calibration=tables, settings=fine).measure(lines, [Line("col", 0)])[0]
        assert stuck.is_overflow
        assert board.incidents == []
