"""A simulated Daffodil board: the library's surface, and physics behind it that others confirm."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import as_file, files
from typing import Any

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics.crossbar import transfer_siemens
from mtjlab.physics.die_description import Kind
from mtjlab.physics.populations import WaferDescription
from mtjlab.sim_instruments.daffodil_bias import Access
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip, ResistorCard, kernel_corner
from mtjlab.sim_instruments.daffodil_events import BoardSettings

LSB = 5 / 4096
NO_DEFECTS = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
IDEAL = BoardSettings(
    end_ohms=100e3, gain_spread=0, wiper_ohms=(50, 50), offset_volts=0, dac_error_volts=0, noise_volts=0
)
OPEN_ACCESS = Access(threshold_volts=0.0, amps_per_volt2=1e6)
"""Transistors without resistance."""


def made(*, settings: BoardSettings = IDEAL, access: Access | None = None, **die: Any) -> SimDaffodilBoard:
    chip = DaffodilChip.draw(seed=3, access=access, **{"defect_rates": NO_DEFECTS, **die})
    board = SimDaffodilBoard(chip, seed=3, settings=settings)
    board.setrefopamp(board.dac_invertvout(1.8))
    board.set_dpot_D(board.invert_dpot_rout(2e3))
    return board


def code(board: SimDaffodilBoard, volts: float) -> int:
    return board.dac_invertvout(volts)


def all_parallel(board: SimDaffodilBoard, kernel: int = 0) -> Floats:
    """Puts a kernel into P, where junctions are linear; returns its conductances."""
    die = board.chip.kernels[kernel].die
    die.is_parallel[:] = True
    return die.siemens(0.0).reshape(25, 25)


def gates_on(board: SimDaffodilBoard, *cols: int, volts: float = 5.0) -> None:
    ground = code(board, 1.7001)
    board.setgatedacs([code(board, volts) if j in cols else ground for j in range(25)])


def amps(board: SimDaffodilBoard) -> Floats:
    """Out of the array into each amplifier, as the library's scripts work it out."""
    volts = np.array([board.adc_predict_voltage(c) for c in board.retrievecurrents()])
    return (volts - board.dac_calcvout(code(board, 1.8))) / np.array(board.pots)


class TestSurface:
    def test_every_output_has_a_channel_of_its_own(self) -> None:
        board = made()
        board.setrowdacs([1500 + i for i in range(25)])
        board.setcoldacs([1600 + i for i in range(25)])
        board.setgatedacs([1700 + i for i in range(25)])
        assert board.retrieverowvoltages() == [1500 + i for i in range(25)]
        assert board.retreivecolvoltages() == [1600 + i for i in range(25)]
        assert board.retrievegatevoltages() == [1700 + i for i in range(25)]
        assert board.output_volts("reference")[0] == pytest.approx(1.8, abs=LSB)
        assert sum(channel.x1 > 0 for dac in board.dacs for channel in dac.all_channels) == 76

    def test_single_channels_are_those_of_the_lists(self) -> None:
        board = made()
        for i in range(25):
            board.setrowdac_channel(1500 + i, i)
            board.setcoldac_channel(1600 + i, i)
            board.setgatedac_channel(1700 + i, i)
        assert board.output_volts("row") == pytest.approx((1500 + np.arange(25)) * LSB)
        assert board.output_volts("col") == pytest.approx((1600 + np.arange(25)) * LSB)
        assert board.output_volts("gate") == pytest.approx((1700 + np.arange(25)) * LSB)

    def test_converters_and_their_inverses_agree(self) -> None:
        board = made()
        for volts in (0.0, 1.7, 2.5, 4.99):
            assert board.dac_calcvout(board.dac_invertvout(volts)) == pytest.approx(volts, abs=LSB)
            assert board.adc_predict_voltage(board.adc_invert_voltage(volts)) == pytest.approx(volts, abs=LSB)
        assert board.dac_invertvout(9.0) == 4095
        with pytest.raises(ValueError, match="x1"):
            board.setrowdac_channel(4096, 0)

    def test_offset_and_gain_registers_move_the_outputs(self) -> None:
        board = made()
        board.setrowdacs([2048])
        board.set_dac_offset(100)
        board.set_dac_gain_mode(2046)
        board.setrowdacs([2048])
        assert board.output_volts("row")[0] == pytest.approx((1024 + 100) * LSB)
        assert board.dac_calcvout(2048) == pytest.approx((2048 + 100) * LSB), "the library keeps the gain it began with"

    def test_levels_outside_the_window_are_refused_in_the_mode_that_drives_them(self) -> None:
        board = made()
        low = code(board, 1.6)
        board.setcoldacs([low] * 25)
        board.config_forward_pass()
        with pytest.raises(ValueError, match="Column Bias"):
            board.setcoldacs([low] * 25)
        board.setcoldacs([0] * 25)
        board.setrowdacs([low] * 25)
        board.config_backward_pass()
        with pytest.raises(ValueError, match="Row Bias"):
            board.setrowdac_channel(low, 3)
        with pytest.raises(ValueError, match="Gate Bias"):
            board.setgatedac_channel(low, 3)
        for volts in (1.6, 2.6):
            with pytest.raises(ValueError, match="vref"):
                board.setrefopamp(code(board, volts))

    def test_levels_need_a_reference_first(self) -> None:
        with pytest.raises(TypeError):
            SimDaffodilBoard(seed=1).setgatedacs([2000])

    def test_kernels_are_told_apart_by_their_pins(self) -> None:
        board = made()
        for number in range(32):
            board.set_kernel(number)
            assert board.events.kernel is board.chip.kernels[number]
        assert (board.MSB, board.LSB, board.CA1, board.RA1, board.RA0) == (1, 1, 1, 1, 1)
        with pytest.raises(ValueError, match="32"):
            board.set_kernel(32)

    def test_kernels_cover_the_chip_once(self) -> None:
        covered = np.zeros((200, 100), dtype=int)
        for number in range(32):
            row, col = kernel_corner(number)
            covered[row : row + 25, col : col + 25] += 1
        assert (covered == 1).all()
        blocks = {kernel_corner(number)[0] // 100 for number in range(16)}
        assert blocks == {0}, "a sub-array is eight kernels in a row of 100 x 50"

    def test_the_chip_is_that_of_its_wafer(self) -> None:
        with as_file(files("mtjlab.physics") / "wafers" / "cmos20k.yaml") as path:
            wafer = WaferDescription.load(path)
        first, again, other = (DaffodilChip.of_wafer(wafer, x, 0, seed=1) for x in (0, 0, 1))
        cells = [np.concatenate([kernel.die.siemens_p for kernel in chip.kernels]) for chip in (first, again, other)]
        assert (cells[0] == cells[1]).all()
        assert cells[0].size == 20_000
        assert np.median(cells[0]) != np.median(cells[2])
        assert np.median(cells[0]) == pytest.approx(np.pi * 50e-9**2 / 4 / 10e-12, rel=0.15)
        shorts = sum(int((kernel.die.kind == Kind.SHORT).sum()) for kernel in first.kernels)
        assert shorts > 0

    @pytest.mark.parametrize("lines", [[{"axis": "row", "line": 3, "kind": "short"}]])
    def test_lines_that_touch_are_refused(self, lines: Any) -> None:
        with pytest.raises(InputError, match="touch"):
            DaffodilChip.draw(seed=1, line_defects=lines)


class TestReading:
    def test_a_whole_kernel_reads_as_an_independent_solver_says(self) -> None:
        board = made(access=OPEN_ACCESS, segment_ohms=5.0)
        g = all_parallel(board)
        die = board.chip.kernels[0].die
        exact = transfer_siemens(g, 5.0, die.contact_ohms[:25], die.contact_ohms[25:])
        zero = code(board, 1.8)
        step = 60
        board.config_backward_pass()
        gates_on(board, *range(25))
        for row in (0, 13, 24):
            board.setrowdacs([zero + step if i == row else zero for i in range(25)])
            board.event()
            told = amps(board)
            assert told == pytest.approx(exact[row] * step * LSB, abs=0.51 * LSB / 2e3)
            assert board.events.point is not None
            assert board.events.point.col_amps == pytest.approx(exact[row] * step * LSB, rel=1e-9)
        board.config_forward_pass()
        for col in (0, 24):
            board.setcoldacs([zero + step if j == col else zero for j in range(25)])
            board.event()
            assert board.events.point is not None
            assert board.events.point.row_amps == pytest.approx(exact[:, col] * step * LSB, rel=1e-9)
        assert board.incidents == []

    def test_one_cell_is_junction_transistors_and_wires_in_series(self) -> None:
        board = made(segment_ohms=3.0)
        g = all_parallel(board, 9)[4, 6]
        contacts = board.chip.kernels[9].die.contact_ohms
        board.set_kernel(9)
        board.config_backward_pass()
        gates_on(board, 6)
        zero = code(board, 1.8)
        board.setrowdacs([zero + 80] * 25)
        board.ROW_EN_tobe[:] = [int(i == 4) for i in range(25)]
        board.COL_EN_tobe[:] = [int(j == 6) for j in range(25)]
        board.event()
        access = board.chip.access.on_ohms(5.0 - zero * LSB)
        ohms = 1 / g + access + 3 * 7 + contacts[4] + 3 * 21 + contacts[25 + 6]
        point = board.events.point
        assert point is not None
        assert point.col_amps[6] == pytest.approx(80 * LSB / ohms, rel=2e-4)
        assert point.col_amps.sum() == pytest.approx(-point.row_amps.sum(), rel=1e-12)
        assert np.count_nonzero(np.abs(point.junction_volts) > 1e-12) == 1

    def test_without_gates_nothing_flows(self) -> None:
        board = made()
        board.config_backward_pass()
        gates_on(board)
        board.setrowdacs([code(board, 1.9)] * 25)
        board.event()
        assert amps(board) == pytest.approx(np.zeros(25), abs=1e-9)

    def test_offset_gain_and_noise_are_those_of_each_channel(self) -> None:
        board = made(settings=BoardSettings(noise_volts=0.4e-3, gain_spread=0.1))
        spread = board.true_ohms() / board.true_ohms().mean() - 1
        assert 0.03 < np.abs(spread).max() < 0.25
        board.card = ResistorCard(np.full((25, 25), 1e-4))
        board.config_backward_pass()
        gates_on(board, *range(25))

        def outputs(steps: int) -> tuple[Floats, Floats]:
            board.setrowdacs([code(board, 1.8) + steps] * 25)
            volts = []
            for _ in range(200):
                board.event()
                volts.append([board.adc_predict_voltage(c) for c in board.retrievecurrents()])
            return np.mean(volts, axis=0), np.std(volts, axis=0)

        (low, scatter), (high, _) = outputs(0), outputs(100)
        assert (low - high) / (25e-4 * 100 * LSB) == pytest.approx(board.true_ohms(), rel=2e-3)
        assert np.sqrt(0.4e-3**2 + LSB**2 / 12) == pytest.approx(np.mean(scatter), rel=0.1)
        board.COL_EN_tobe[:] = [0] * 25
        alone, _ = outputs(100)
        assert 0.5e-3 < np.std(alone) < 2e-3
        assert np.abs(alone - board.output_volts("reference")).max() < 5e-3
        assert np.std(low) > 3 * np.std(alone), "an offset drives the cells too"

    def test_an_amplifier_at_its_limit_lets_its_line_go(self) -> None:
        board = made(defects=[{"row": 2, "col": 3, "kind": "short"}])
        board.set_dpot_D(board.invert_dpot_rout(30e3))
        board.config_backward_pass()
        gates_on(board, 3)
        zero = code(board, 1.8)
        board.setrowdacs([zero + 82 if i == 2 else zero for i in range(25)])
        board.ROW_EN_tobe[:] = [int(i == 2) for i in range(25)]
        board.COL_EN_tobe[:] = [int(j == 3) for j in range(25)]
        board.event()
        assert board.retrievecurrents()[3] == 0
        assert board.retrievecurrents()[4] == pytest.approx(zero, abs=1)
        point = board.events.point
        assert point is not None
        assert point.col_amps[3] == pytest.approx((1.8 + 0.1) / 30e3, rel=0.03), "what the feedback lets through"
        assert point.col_amps[3] < 0.1 / 600
        assert board.incidents == []

    def test_an_event_shorter_than_the_conversions_misses_the_last_channels(self) -> None:
        board = made()
        all_parallel(board)
        board.config_backward_pass()
        gates_on(board, *range(25))
        board.setrowdacs([code(board, 1.9)] * 25)
        board.read_pulse_len = int(10.5 * board.settings.adc_seconds * board.settings.clock_hertz)
        before = board.seconds
        board.event()
        assert (amps(board)[:10] > 1e-5).all()
        assert amps(board)[10:] == pytest.approx(np.zeros(15), abs=1e-9)
        assert board.seconds - before == pytest.approx(25 * board.settings.adc_seconds + board.settings.event_seconds)

    def test_a_script_in_the_manner_of_the_library_reads_all_20000_cells(self) -> None:
        chip = DaffodilChip.draw(seed=4, segment_ohms=0.0, contact_ohms=1e-3, tmr_half_volts=50.0)
        board = SimDaffodilBoard(chip, seed=4, settings=replace(IDEAL, noise_volts=0.2e-3))
        board.set_compliance_control(1)
        zero, ground, full = code(board, 1.8), code(board, 1.7001), code(board, 5.0)
        board.set_dpot_D(board.invert_dpot_rout(20e3))
        board.setrefopamp(zero)
        for number in range(32):
            board.set_kernel(number)
            board.config_forward_pass()
            columns = []
            for j in range(25):
                board.setgatedacs([full if k == j else ground for k in range(25)])
                board.setcoldacs([zero + 41 if k == j else zero for k in range(25)])
                board.event()
                columns.append(amps(board) / (41 * LSB))
            told, die = np.array(columns).T, chip.kernels[number].die
            g = die.siemens(0.0).reshape(25, 25)
            true = g / (1 + g * chip.access.on_ohms(5.0 - zero * LSB))
            good = true < 1e-3
            assert np.abs(told - true)[good].max() < 0.51 * LSB / 20e3 / (41 * LSB) + 4e-6
        assert board.incidents == []


class TestWriting:
    def write(self, board: SimDaffodilBoard, volts: float, seconds: float, *, gate: float = 5.0) -> None:
        """Onto all cells of column 2, from rows 0 to 9; positive: rows above the column."""
        low, high = code(board, 1.7001), code(board, 1.7001 + abs(volts))
        board.config_outerproduct()
        gates_on(board, 2, volts=gate)
        board.setrowdacs([high if volts > 0 else low] * 25)
        board.setcoldacs([low if volts > 0 else high] * 25)
        board.ROW_EN_tobe[:] = [int(i < 10) for i in range(25)]
        board.COL_EN_tobe[:] = [int(j == 2) for j in range(25)]
        board.write_pulse_len = round(seconds * board.settings.clock_hertz)
        board.event()
        board.wait(seconds)

    def test_cells_switch_by_polarity_and_no_others_do(self) -> None:
        board = made()
        die = board.chip.kernels[0].die
        before = die.is_parallel.reshape(25, 25).copy()
        for volts, is_parallel in ((0.75, True), (-0.85, False), (0.75, True)):
            self.write(board, volts, 5e-3)
            after = die.is_parallel.reshape(25, 25)
            assert (after[:10, 2] == is_parallel).all()
            before[:10, 2] = is_parallel
            assert (after == before).all()
        assert board.incidents == []

    def test_transistors_that_saturate_protect_their_cells(self) -> None:
        board = made()
        die = board.chip.kernels[0].die
        die.is_parallel[:] = True
        board.set_compliance_control(0)
        self.write(board, -0.9, 5e-3, gate=1.7 + 0.5 + 0.2)
        point = board.events.point
        assert point is not None
        limit = board.chip.access.saturation_amps(0.7)
        assert point.cell_amps[:10, 2] == pytest.approx(-limit, rel=0.02)
        assert np.abs(point.junction_volts).max() < 0.2
        assert die.is_parallel.all()
        board.set_compliance_control(1)
        self.write(board, -0.9, 5e-3, gate=1.7 + 0.5 + 0.2)
        assert die.is_parallel.all(), "at full power a gate below half of the supply is off"
        self.write(board, -0.9, 5e-3)
        assert not die.is_parallel.reshape(25, 25)[:10, 2].any()

    def test_a_pulse_much_shorter_than_the_damping_does_nothing(self) -> None:
        board = made()
        die = board.chip.kernels[0].die
        die.is_parallel[:] = False
        board.settings = replace(board.settings, clock_hertz=1e10)
        self.write(board, 1.0, 1e-10)
        assert not die.is_parallel.any()
        self.write(board, 1.0, 1e-6)
        assert die.is_parallel.reshape(25, 25)[:10, 2].all()

    def test_probability_of_switching_is_that_of_the_rates(self) -> None:
        board = made(access=OPEN_ACCESS, segment_ohms=0.0, contact_ohms=1e-3)
        die, switched, expected = board.chip.kernels[0].die, 0, 0.0
        for _ in range(60):
            die.is_parallel[:] = False
            self.write(board, 0.38, 1e-3)
            rows = np.arange(10) * 25 + 2
            switched += int(die.is_parallel[rows].sum())
            die.is_parallel[:] = False
            rates = die.switching_rates(np.full(625, 0.38))[rows]
            expected += float(-np.expm1(-rates * 1e-3).sum())
        assert 60 < expected < 540
        assert switched == pytest.approx(expected, abs=4 * np.sqrt(expected))

    def test_setting_anything_before_the_lines_are_released_is_an_incident(self) -> None:
        board = made()
        self.write(board, 0.01, 1e-6)
        board.write_pulse_len = 500_000
        board.event()
        board.set_kernel(3)
        assert [incident.kind for incident in board.incidents] == ["live change"]
        board.wait(5e-3)
        board.set_kernel(4)
        assert len(board.incidents) == 1

    def test_too_much_is_logged_and_breaks_barriers(self) -> None:
        board = made()
        self.write(board, 2.4, 1e-3)
        kinds = {incident.kind for incident in board.incidents}
        assert {"over-voltage", "breakdown"} <= kinds
        assert "of kernel 0" in board.incidents[0].message
        assert (board.chip.kernels[0].die.kind == Kind.SHORT).sum() > 3

    def test_lines_below_the_chips_ground_are_logged(self) -> None:
        board = made()
        board.config_outerproduct()
        gates_on(board)
        board.setrowdacs([code(board, 1.0)] * 25)
        board.setcoldacs([code(board, 1.8)] * 25)
        board.event()
        kinds = [incident.kind for incident in board.incidents]
        assert "below ground" in kinds


class TestCard:
    def test_it_has_one_shape_and_no_negative_conductance(self) -> None:
        for wrong in (np.ones((24, 25)), -np.ones((25, 25))):
            with pytest.raises(InputError):
                ResistorCard(wrong)

    def test_lines_of_both_kinds_must_not_float(self) -> None:
        board = made()
        board.card = ResistorCard(np.full((25, 25), 1e-4))
        board.config_backward_pass()
        board.setrowdacs([code(board, 1.9)] * 25)
        board.ROW_EN_tobe[3] = board.COL_EN_tobe[3] = 0
        with pytest.raises(InputError, match="float"):
            board.event()
