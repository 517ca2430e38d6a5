"""What the Daffodil driver says to a board, word for word, what it refuses before, and what it makes of the answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.drivers.daffodil_calibration import DaffodilCalibration, RangeCalibration, fit_feedback
from mtjlab.drivers.daffodil_port import physical_board
from mtjlab.drivers.daffodil_settings import ASSUMED_GATE_TABLE, DaffodilSettings
from mtjlab.errors import BudgetError, InputError, InstrumentError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import FLOATING, Line, Lines, Site
from mtjlab.roles import LineRead

LSB = 5 / 4096
GROUND = 1393  # the lowest code that is not below 1.7 V
FULL_GATE = 4095


class RecordingBoard:
    """The surface of the library's board; keeps what it is told and answers with prepared readings."""

    vground, vmax, pots = 1.7, 5.0, [-2e3] * 25

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.COL_EN_tobe, self.ROW_EN_tobe = [1] * 25, [1] * 25
        self.read_pulse_len = self.write_pulse_len = 5
        self.answers: Callable[[], list[int]] = lambda: [GROUND] * 25
        self.broken = ""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if not name.startswith(("set", "config_", "load")):
            raise AttributeError(name)

        def tell(*args: Any, **kwargs: Any) -> None:
            if name == self.broken:
                raise ValueError("no answer on the bus")
            self.told.append((name, *args, *kwargs.items()))

        return tell

    def dac_calcvout(self, x1: int) -> float:
        return x1 * LSB

    def dac_invertvout(self, v: float) -> int:
        return min(round(v / LSB), 4095)

    def adc_predict_voltage(self, registervalue: float) -> float:
        return registervalue * LSB

    def invert_dpot_rout(self, rout: float) -> Any:
        return ("positions", rout)

    def event(self) -> None:
        rows, cols = (tuple(np.flatnonzero(e).tolist()) for e in (self.ROW_EN_tobe, self.COL_EN_tobe))
        self.told.append(("event", rows, cols))

    def retrievecurrents(self) -> list[int]:
        return self.answers()

    def since(self) -> list[Any]:
        told, self.told = self.told, []
        return told


@pytest.fixture
def board() -> RecordingBoard:
    return RecordingBoard()


def opened(board: Any, *, averages: int = 1, subtracts_zero: bool = False, **more: Any) -> DaffodilCrossbar:
    settings = {"feedback_ohms": (2e3,), "averages": averages, "subtracts_zero": subtracts_zero}
    settings |= more.pop("settings", {})
    given = {"kernel": 3, "limits": DeviceLimits(), "wait": lambda seconds: board.told.append(("wait", seconds))} | more
    return DaffodilCrossbar(board, settings=DaffodilSettings(**settings), clock=lambda: 0.0, **given)


def gates(*on: int, code: int = FULL_GATE) -> list[int]:
    return [code if j in on else GROUND for j in range(25)]


def selecting(site: Site, volts: float) -> Lines:
    return Lines.selecting((25, 25), site, volts, 0.0)


def half_selecting(site: Site, volts: float) -> Lines:
    return Lines.selecting((25, 25), site, volts, volts / 2)


class TestReading:
    def test_a_cell_is_read_backward_through_its_column(self, board: RecordingBoard) -> None:
        crossbar = opened(board)
        assert board.since() == []
        crossbar.measure(selecting(Site(4, 7), 0.1), [Line("col", 7)])
        assert board.since() == [
            ("set_dpot_D", ("positions", 2e3)),
            ("set_kernel", 3, ("swfix_en", False)),
            ("setrefopamp", GROUND),
            ("config_backward_pass",),
            ("set_compliance_control", 1),
            ("setrowdac_channel", GROUND + 82, 4),
            ("setgatedacs", gates(7)),
            ("event", (4,), (7,)),
        ]
        assert board.read_pulse_len == 5_000_000

    def test_only_what_changes_is_sent(self, board: RecordingBoard) -> None:
        crossbar = opened(board, averages=2)
        crossbar.measure(selecting(Site(4, 7), 0.1), [Line("col", 7)])
        board.since()
        crossbar.measure(selecting(Site(4, 8), 0.1), [Line("col", 8)])
        event = ("event", (4,), (8,))
        assert board.since() == [
            ("setgatedac_channel", GROUND, 7),
            ("setgatedac_channel", FULL_GATE, 8),
            event,
            event,
        ]

    def test_rows_are_read_forward_all_at_once(self, board: RecordingBoard) -> None:
        lines = Lines(np.zeros(25), np.full(25, FLOATING))
        lines.col_volts[2] = 0.1
        opened(board).measure(lines, [Line("row", i) for i in range(25)])
        told = board.since()
        assert ("config_forward_pass",) in told
        assert ("setgatedacs", gates(2)) in told
        assert told[-1] == ("event", tuple(range(25)), (2,))

    def test_a_negative_level_lifts_zero_and_the_reference(self, board: RecordingBoard) -> None:
        opened(board).measure(selecting(Site(4, 7), -0.1), [Line("col", 7)])
        told = board.since()
        assert ("setrefopamp", GROUND + 82) in told
        assert ("setrowdac_channel", GROUND, 4) in told

    def test_currents_follow_from_reference_output_and_feedback(self, board: RecordingBoard) -> None:
        board.answers = lambda: [GROUND - 10 * k for k in range(25)]
        found = opened(board).measure(Lines(np.full(25, 0.1), np.zeros(25)), [Line("col", j) for j in range(25)])
        assert [reading.amps for reading in found] == pytest.approx([10 * k * LSB / 2e3 for k in range(25)])
        assert {reading.volts for reading in found} == {0.0}
        assert not any(reading.is_overflow for reading in found)

    def test_readings_are_averaged(self, board: RecordingBoard) -> None:
        codes = iter([100, 200, 300, 400])
        board.answers = lambda: [GROUND - next(codes)] * 25
        found = opened(board, averages=4).measure(selecting(Site(0, 0), 0.1), [Line("col", 0)])[0]
        assert found.amps == pytest.approx(250 * LSB / 2e3)
        assert sum(told[0] == "event" for told in board.since()) == 4

    def test_the_zero_of_the_same_lines_is_subtracted(self, board: RecordingBoard) -> None:
        codes = iter([7, 107])
        board.answers = lambda: [GROUND - next(codes)] * 25
        found = opened(board, subtracts_zero=True).measure(selecting(Site(4, 7), 0.1), [Line("col", 7)])[0]
        assert found.amps == pytest.approx(100 * LSB / 2e3)
        told = [entry for entry in board.since() if entry[0] in ("setrowdac_channel", "event")]
        event = ("event", (4,), (7,))
        assert told == [("setrowdac_channel", GROUND, 4), event, ("setrowdac_channel", GROUND + 82, 4), event]

    @pytest.mark.parametrize("code", [0, 20, 2690, 2703, 4095])
    def test_an_output_at_its_limit_is_an_overflow(self, board: RecordingBoard, code: int) -> None:
        board.answers = lambda: [code] * 25
        assert opened(board).measure(selecting(Site(0, 0), 0.1), [Line("col", 0)])[0].is_overflow

    def test_what_is_off_scale_is_read_again_in_a_wider_range(self, board: RecordingBoard) -> None:
        tables = {r: RangeCalibration.nominal(np.full(25, r)) for r in (2e3, 20e3)}
        answers = iter([[0] + [GROUND - 50] * 24, [0] + [GROUND - 100] * 24, [GROUND - 500] + [GROUND - 9] * 24])
        board.answers = lambda: next(answers)
        crossbar = opened(board, settings={"feedback_ohms": (2e3, 20e3)}, calibration=DaffodilCalibration(tables))
        first, second = crossbar.measure(selecting(Site(0, 0), 0.1), [Line("col", 0), Line("col", 1)])
        assert first.amps == pytest.approx(500 * LSB / 2e3)
        assert second.amps == pytest.approx(100 * LSB / 20e3), "read apart from the one that let its line go"
        assert not first.is_overflow
        told = [entry for entry in board.since() if entry[0] in ("set_dpot_D", "event")]
        assert told == [
            ("set_dpot_D", ("positions", 20e3)),
            ("event", (0,), (0, 1)),
            ("event", (0,), (1,)),
            ("set_dpot_D", ("positions", 2e3)),
            ("event", (0,), (0,)),
        ]

    def test_the_range_fits_what_healthy_cells_can_give(self, board: RecordingBoard) -> None:
        tables = {r: RangeCalibration.nominal(np.full(25, r)) for r in (2e3, 20e3)}
        crossbar = opened(board, settings={"feedback_ohms": (2e3, 20e3)}, calibration=DaffodilCalibration(tables))
        crossbar.measure(selecting(Site(0, 0), 0.1), [Line("col", 0)])
        crossbar.measure(Lines(np.full(25, 0.1), np.zeros(25)), [Line("col", 0)])
        sent = [entry[1][1] for entry in board.since() if entry[0] == "set_dpot_D"]
        assert sent == [20e3, 2e3]

    def test_readings_with_the_same_lines_are_made_at_once(self, board: RecordingBoard) -> None:
        reads = [LineRead(selecting(Site(i, j), 0.1), Line("col", j)) for i in range(2) for j in range(25)]
        heard: list[int] = []
        board.answers = lambda: [GROUND - 3 * k for k in range(25)]
        found = opened(board).measure_each(reads, heard=lambda number, _: heard.append(number))
        assert sorted(heard) == list(range(50))
        assert [reading.amps for reading in found] == pytest.approx([3 * k * LSB / 2e3 for k in range(25)] * 2)
        assert sum(told[0] == "event" for told in board.since()) == 2
        apart = opened(board, settings={"reads_together": False})
        apart.measure_each(reads)
        assert sum(told[0] == "event" for told in board.since()) == 50

    def test_a_reading_that_is_asked_for_again_is_made_again(self, board: RecordingBoard) -> None:
        codes = iter(range(10, 14))
        board.answers = lambda: [GROUND - next(codes)] * 25
        reads = [LineRead(selecting(Site(0, j), 0.1), Line("col", j)) for j in (0, 0, 1, 0, 1, 0)]
        crossbar = opened(board)
        found = [reading.amps * 2e3 / LSB for reading in crossbar.measure_each(reads)]
        assert found == pytest.approx([10, 11, 10, 12, 11, 13])
        assert crossbar.spent.readings == 6
        assert {told for told in board.since() if told[0] == "event"} == {("event", (0,), (0, 1))}

    def test_lines_at_two_levels_or_on_both_sides_are_measured_one_after_the_other(self, board: RecordingBoard) -> None:
        lines = selecting(Site(1, 2), 0.1)
        sense = [Line("row", 1), Line("col", 2), Line("row", 0)]
        found = opened(board).measure(lines, sense)
        assert [reading.volts for reading in found] == pytest.approx([0.1, 0, 0], abs=1e-3)
        events = [told for told in board.since() if told[0] == "event"]
        assert events == [("event", (1,), tuple(range(25))), ("event", (1,), (2,)), ("event", (0,), ())]

    def test_a_board_with_exchanged_gates_is_told_so(self, board: RecordingBoard) -> None:
        crossbar = opened(board, settings={"swaps_gates": True})
        crossbar.measure(selecting(Site(0, 0), 0.1), [Line("col", 0)])
        assert ("set_kernel", 3, ("swfix_en", True)) in board.since()


class TestSubarray:
    def test_it_has_four_by_two_kernels(self, board: RecordingBoard) -> None:
        assert opened(board, kernel=None, subarray=2).shape == (100, 50)

    def test_only_the_kernels_that_contribute_are_read_and_their_currents_added(self, board: RecordingBoard) -> None:
        lines = Lines(np.zeros(100), np.zeros(50))
        lines.row_volts[[30, 80]] = 0.1
        board.answers = lambda: [GROUND - 100] * 25
        found = opened(board, kernel=None, subarray=2).measure(lines, [Line("col", 3), Line("col", 49)])
        assert [reading.amps for reading in found] == pytest.approx([200 * LSB / 2e3] * 2)
        told = [entry[:2] for entry in board.since() if entry[0] in ("set_kernel", "event")]
        kernels = [number for name, number in told if name == "set_kernel"]
        assert kernels == [17, 21, 19, 23]  # 16 + 4 * (column block) + row block

    def test_a_product_is_written_kernel_by_kernel(self, board: RecordingBoard) -> None:
        lines = Lines(np.zeros(100), np.zeros(50))
        lines.row_volts[[30, 80]], lines.col_volts[[4, 26]] = 0.3, -0.3
        opened(board, kernel=None, subarray=0).pulse(lines, 1e-6)
        told = [entry for entry in board.since() if entry[0] in ("set_kernel", "event")]
        assert [entry[1] for entry in told if entry[0] == "set_kernel"] == [1, 5, 3, 7]
        assert [entry[1:] for entry in told if entry[0] == "event"] == [((5,), (c,)) for c in (4, 1, 4, 1)]


class TestWriting:
    def test_a_half_select_pulse_becomes_an_outer_product(self, board: RecordingBoard) -> None:
        top = opened(board).pulse(Lines.selecting((25, 25), Site(4, 7), 0.6, 0.3), 5e-3)
        high = GROUND + round(0.6 / LSB)
        assert board.since() == [
            ("set_kernel", 3, ("swfix_en", False)),
            ("setrefopamp", GROUND),
            ("config_outerproduct",),
            ("set_compliance_control", 1),
            ("setrowdac_channel", high, 4),
            ("setcoldac_channel", GROUND, 7),
            ("setgatedacs", gates(7)),
            ("event", (4,), (7,)),
            ("wait", 5e-3),
        ]
        assert board.write_pulse_len == 500_000
        assert top.volts == pytest.approx(0.6, abs=LSB)
        assert np.isnan(top.amps)

    def test_signs_of_rows_and_columns_make_four_products(self, board: RecordingBoard) -> None:
        """Columns take 0.8 V on the two products that push one way, rows on the others; no cell sees less or more."""
        lines = Lines(np.full(25, FLOATING), np.full(25, FLOATING))
        lines.row_volts[[0, 1]], lines.row_volts[2] = 0.4, -0.4
        lines.col_volts[5], lines.col_volts[[6, 7]] = 0.4, -0.4
        opened(board).pulse(lines, 1e-6)
        high, told = GROUND + 2 * round(0.4 / LSB), board.since()
        assert [entry[1:] for entry in told if entry[0] == "event"] == [((2,), (5,)), ((0, 1), (6, 7))]
        levels = [entry for entry in told if entry[0] in ("setrowdac_channel", "setcoldac_channel")]
        assert levels == [
            ("setrowdac_channel", GROUND, 2),
            ("setcoldac_channel", high, 5),
            ("setrowdac_channel", high, 0),
            ("setrowdac_channel", high, 1),
            ("setcoldac_channel", GROUND, 6),
            ("setcoldac_channel", GROUND, 7),
        ]

    @pytest.mark.parametrize("amps", [3e-5, 2e-4, 5e-4])
    def test_the_gate_is_where_the_transistors_saturate_as_told(self, board: RecordingBoard, amps: float) -> None:
        table = tuple((1 + volts, 1e-4 * volts**2) for volts in (0.5, 1.0, 2.3))
        opened(board, settings={"write_amps": amps, "gate_table": table}).pulse(half_selecting(Site(0, 0), 0.6), 1e-6)
        told = board.since()
        assert ("set_compliance_control", 0) in told
        code = next(entry for entry in told if entry[0] == "setgatedacs")[1][0]
        assert code * LSB - 1.7 == pytest.approx(1 + np.sqrt(amps / 1e-4), abs=2 * LSB)

    def test_full_power_is_used_where_the_table_ends(self, board: RecordingBoard) -> None:
        settings = {"write_amps": 6e-4, "gate_table": ((1.0, 1e-5), (3.3, 5.9e-4))}
        opened(board, settings=settings).pulse(half_selecting(Site(0, 0), 0.6), 1e-6)
        told = board.since()
        assert ("set_compliance_control", 1) in told
        assert ("setgatedacs", gates(0)) in told

    def test_the_cells_of_a_line_share_its_limit(self, board: RecordingBoard) -> None:
        lines = Lines(np.full(25, 0.6), np.full(25, FLOATING))
        lines.col_volts[3] = 0.0
        opened(board, limits=DeviceLimits(amps=10e-3)).pulse(lines, 1e-6)
        code = next(entry for entry in board.since() if entry[0] == "setgatedacs")[1][3]
        expected = 0.5 + 2.8 * np.sqrt(0.4e-3 / 5e-3)
        assert code * LSB - 1.7 == pytest.approx(expected, abs=2 * LSB)

    def test_a_cell_gets_no_more_pulses_than_its_budget(self, board: RecordingBoard) -> None:
        crossbar = opened(board, limits=DeviceLimits(pulses_per_cell=2))
        for _ in range(2):
            crossbar.pulse(half_selecting(Site(4, 7), 0.6), 1e-6)
        board.since()
        with pytest.raises(BudgetError):
            crossbar.pulse(half_selecting(Site(4, 7), 0.6), 1e-6)
        assert board.since() == []
        crossbar.pulse(half_selecting(Site(4, 8), 0.6), 1e-6)
        assert crossbar.spent.pulses == 3

    def test_idle_grounds_gates_and_lines_and_connects_nothing(self, board: RecordingBoard) -> None:
        with opened(board) as crossbar:
            crossbar.measure(selecting(Site(4, 7), 0.1), [Line("col", 7)])
            board.since()
        assert board.since() == [
            ("setgatedac_channel", GROUND, 7),
            ("setrowdacs", [GROUND] * 25),
            ("setcoldacs", [GROUND] * 25),
        ]
        assert board.ROW_EN_tobe == board.COL_EN_tobe == [0] * 25

    def test_idle_works_on_a_board_that_was_never_used(self, board: RecordingBoard) -> None:
        opened(board).idle()
        assert board.since()[0] == ("setrefopamp", GROUND), "the board compares every level with it"


class TestRefusals:
    @pytest.mark.parametrize(
        "ask",
        [
            lambda c: c.measure(selecting(Site(0, 0), 0.1), [Line("col", 0)]),
            lambda c: c.pulse(selecting(Site(0, 0), 0.6), 1e-6),
            lambda c: c.calibrate(1e-4, relative_sigma=0.01),
        ],
    )
    def test_without_limits_nothing_goes_out(self, board: RecordingBoard, ask: Callable[[Any], Any]) -> None:
        with pytest.raises(LimitError, match="no limits are loaded"):
            ask(opened(board, limits=None))
        assert board.since() == []

    def test_levels_beyond_the_window_are_refused(self, board: RecordingBoard) -> None:
        limits = DeviceLimits(read_volts=9, write_volts_positive=9)
        crossbar = opened(board, limits=limits)
        with pytest.raises(LimitError, match="between the chip's ground and its supply"):
            crossbar.pulse(selecting(Site(0, 0), 3.31), 1e-6)
        with pytest.raises(LimitError, match=r"2\.5 V of the reference"):
            crossbar.measure(selecting(Site(0, 0), -0.9), [Line("col", 0)])
        with pytest.raises(LimitError, match="between the chip's ground"):
            crossbar.measure(selecting(Site(0, 0), 3.4), [Line("col", 0)])
        assert board.since() == []
        crossbar.pulse(selecting(Site(0, 0), 3.29), 1e-6)
        assert max(entry[1] for entry in board.since() if entry[0] == "setrowdac_channel") * LSB <= 5

    def test_a_current_below_the_gate_table_is_refused(self, board: RecordingBoard) -> None:
        crossbar = opened(board, settings={"write_amps": 0.9 * ASSUMED_GATE_TABLE[0][1]})
        with pytest.raises(LimitError, match="saturate"):
            crossbar.pulse(selecting(Site(0, 0), 0.6), 1e-6)
        assert board.since() == []
        assert crossbar.spent.pulses == 0

    def test_a_level_in_one_step_beyond_the_ramp_limit_is_refused(self, board: RecordingBoard) -> None:
        crossbar = opened(board, limits=DeviceLimits(ramp_volts=0.05))
        with pytest.raises(LimitError, match="one step"):
            crossbar.measure(selecting(Site(0, 0), 0.1), [Line("col", 0)])
        assert board.since() == []
        crossbar.measure(selecting(Site(0, 0), 0.05), [Line("col", 0)])

    def test_negative_pulses_have_a_budget_of_their_own(self, board: RecordingBoard) -> None:
        crossbar = opened(board, limits=DeviceLimits(pulses_per_cell_negative=1))
        crossbar.pulse(half_selecting(Site(4, 7), -0.6), 1e-6)
        with pytest.raises(BudgetError, match="negative"):
            crossbar.pulse(half_selecting(Site(4, 7), -0.6), 1e-6)
        crossbar.pulse(half_selecting(Site(4, 7), 0.6), 1e-6)

    def test_a_pulse_too_short_is_refused(self, board: RecordingBoard) -> None:
        crossbar = opened(board)
        with pytest.raises(InputError, match="too short"):
            crossbar.pulse(selecting(Site(0, 0), 0.6), 4e-8)
        crossbar.pulse(selecting(Site(0, 0), 0.6), crossbar.capabilities.shortest_pulse_seconds)
        assert board.write_pulse_len == 5

    def test_a_series_with_one_bad_reading_is_refused_before_the_first(self, board: RecordingBoard) -> None:
        reads = [LineRead(selecting(Site(0, j), volts), Line("col", j)) for j, volts in enumerate((0.1, 0.1, 0.2))]
        with pytest.raises(LimitError):
            opened(board).measure_each(reads)
        assert board.since() == []

    def test_columns_that_are_not_sensed_cannot_pull_floating_rows(self, board: RecordingBoard) -> None:
        lines = selecting(Site(0, 0), 0.1)
        lines.col_volts[1], lines.row_volts[3] = 0.05, FLOATING
        with pytest.raises(InputError, match="rows float"):
            opened(board).measure(lines, [Line("col", 0)])
        lines.row_volts[3] = 0.0
        opened(board).measure(lines, [Line("col", 0)])

    def test_a_line_that_floats_cannot_be_sensed(self, board: RecordingBoard) -> None:
        lines = selecting(Site(0, 0), 0.1)
        lines.col_volts[1] = FLOATING
        with pytest.raises(InputError, match="col 1"):
            opened(board).measure(lines, [Line("col", 1)])

    @pytest.mark.parametrize(
        "which", [{}, {"kernel": 1, "subarray": 1}, {"kernel": 32}, {"kernel": None, "subarray": 4}]
    )
    def test_one_kernel_or_subarray_has_to_be_named(self, board: RecordingBoard, which: dict[str, Any]) -> None:
        with pytest.raises(InputError):
            DaffodilCrossbar(board, limits=DeviceLimits(), **which)  # type: ignore[arg-type]

    def test_the_boards_refusal_is_quoted_and_the_setting_sent_again(self, board: RecordingBoard) -> None:
        crossbar, board.broken = opened(board), "setgatedacs"
        with pytest.raises(InstrumentError, match="no answer on the bus"):
            crossbar.measure(selecting(Site(4, 7), 0.1), [Line("col", 7)])
        board.since()
        board.broken = ""
        crossbar.measure(selecting(Site(4, 7), 0.1), [Line("col", 7)])
        assert board.since() == [("setgatedacs", gates(7)), ("event", (4,), (7,))]

    def test_the_library_is_asked_for_only_on_the_boards_computer(self) -> None:
        with pytest.raises(InputError, match="daffodil-lib"):
            physical_board()

    @pytest.mark.parametrize(
        "table", [((1.0, 1e-3), (2.0, 1e-3)), ((2.0, 1e-4), (1.0, 1e-3)), ((1.0, -1e-4), (2.0, 1.0))]
    )
    def test_a_gate_table_rises(self, table: Any) -> None:
        with pytest.raises(InputError, match="gate table"):
            DaffodilSettings(gate_table=table)


class TestCalibration:
    def test_gains_are_fitted_with_their_uncertainty(self) -> None:
        rng = np.random.default_rng(1)
        true, amps = rng.uniform(1.8e3, 2.2e3, 25), rng.uniform(1e-4, 3e-4, (12, 25))
        sigma = np.full(amps.shape, 1e-3)
        pulls = []
        for _ in range(200):
            found, told = fit_feedback(amps, amps * true + sigma * rng.standard_normal(amps.shape), sigma, 0.0)
            pulls.append((found - true) / told)
        assert np.std(pulls) == pytest.approx(1.0, rel=0.05)
        assert np.mean(pulls) == pytest.approx(0.0, abs=0.05)
        _, with_reference = fit_feedback(amps, amps * true, sigma, 0.01)
        assert with_reference == pytest.approx(0.01 * true, rel=0.05)

    def test_an_amplifier_without_current_is_named_as_such(self) -> None:
        with pytest.raises(InputError, match="no current"):
            fit_feedback(np.zeros((3, 25)), np.ones((3, 25)), np.ones((3, 25)), 0.0)

    def test_offset_and_gain_are_taken_away(self, board: RecordingBoard) -> None:
        ohms, offset = np.linspace(1.9e3, 2.1e3, 25), np.linspace(-2e-3, 2e-3, 25)
        tables = DaffodilCalibration({2e3: RangeCalibration(ohms, offset, ohms * 1e-3)})
        board.answers = lambda: [GROUND - 200] * 25
        lines = Lines(np.full(25, 0.1), np.zeros(25))
        found = opened(board, calibration=tables).measure(lines, [Line("col", j) for j in range(25)])
        assert [reading.amps for reading in found] == pytest.approx(list((200 * LSB + offset) / ohms))

    def test_it_is_kept_in_a_file(self, tmp_path: Path) -> None:
        tables = DaffodilCalibration(
            {r: RangeCalibration(np.arange(25) + r, np.arange(25) * 1e-4, np.ones(25)) for r in (2e3, 3e4)},
            {"card": "A1"},
        )
        read = DaffodilCalibration.load(tables.save(tmp_path / "board.json"))
        assert read.provenance == {"card": "A1"}
        assert set(read.ranges) == {2e3, 3e4}
        for ohms, table in read.ranges.items():
            for name in ("feedback_ohms", "offset_volts", "sigma_ohms"):
                assert (getattr(table, name) == getattr(tables.ranges[ohms], name)).all()
        assert read.ranges[2e3].relative_sigma == pytest.approx(1 / 2e3)

    @pytest.mark.parametrize("text", ["", "{}", '{"format": "other", "ranges": {}}', "[1]"])
    def test_another_file_is_refused(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "board.json"
        path.write_text(text)
        with pytest.raises(InputError, match="not a calibration"):
            DaffodilCalibration.load(path)

    def test_a_range_without_table_is_refused_at_once(self, board: RecordingBoard) -> None:
        tables = DaffodilCalibration({1e3: RangeCalibration.nominal(np.full(25, 1e3))})
        with pytest.raises(InputError, match="2000 ohm is not calibrated"):
            opened(board, calibration=tables)
        assert board.since() == []
