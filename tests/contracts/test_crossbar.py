"""The contract of Crossbar, on every implementation, against the world behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pytest
from qcodes.instrument import Instrument

from mtjlab.bench import MatrixCrossbar
from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.drivers.daffodil_calibration import DaffodilCalibration
from mtjlab.drivers.keithley_707b import Keithley707B
from mtjlab.drivers.keithley_2400 import Keithley2400
from mtjlab.drivers.keithley_2600 import Keithley2600
from mtjlab.drivers.keysight_b2200 import KeysightB2200
from mtjlab.drivers.keysight_b2900 import KeysightB2900
from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import FLOATING, Cost, Floats, Line, Lines, Reading, Site
from mtjlab.protocols.readout import cell_reads, read_cell
from mtjlab.roles import Crossbar, LineRead, LineWrite, ScanUnit, WriteOutcome
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip, ResistorCard
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path
from mtjlab.sim_instruments.world import Incident, World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar
from mtjlab.wiring import Wiring, load_wiring

NO_DEFECTS = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
SITES = [Site(0, 0), Site(7, 3), Site(14, 14)]


@dataclass
class Rig:
    """A Crossbar and the world it acts on.

    Attributes:
        holds_lines: whether lines stay applied after a measurement.
        measures_pulses: whether a pulse's reading has a current.
        has_selectors: whether cells on floating columns are cut off.
    """

    crossbar: Crossbar
    world: World
    messages: Callable[[], int]
    holds_lines = True
    measures_pulses = True
    has_selectors = False

    @property
    def incidents(self) -> list[Incident]:
        return self.world.incidents

    @property
    def seconds(self) -> float:
        return self.world.seconds

    @property
    def is_live(self) -> bool:
        return self.world.is_live

    @property
    def cell_volts(self) -> Floats:
        """Now."""
        return self.world.cell_volts().reshape(self.crossbar.shape)

    @property
    def seen_volts(self) -> Floats:
        """What the last measurement put on the cells."""
        return self.cell_volts

    @property
    def seen_amps(self) -> Floats:
        """What they carried meanwhile."""
        volts = self.world.cell_volts()
        return (volts * self.world.die.siemens(volts)).reshape(self.crossbar.shape)

    def true_siemens(self, site: Site) -> float:
        """Of a cell at 0.1 V."""
        return float(self.world.die.siemens(0.1).reshape(self.crossbar.shape)[site])

    def is_parallel(self, site: Site) -> bool:
        return bool(self.world.die.is_parallel.reshape(self.crossbar.shape)[site])

    def put(self, site: Site, is_parallel: bool) -> None:
        """Put one cell of the world into a state."""
        index = site.row * self.crossbar.shape[1] + site.col
        self.world.die.is_parallel[index] = is_parallel
        self.world.circuit.cell_changed(index)


class DaffodilRig(Rig):
    """One kernel of a simulated Daffodil board. Its cells are junction and transistors."""

    holds_lines = False
    measures_pulses = False
    has_selectors = True

    def __init__(self, board: SimDaffodilBoard, kernel: int, limits: DeviceLimits) -> None:
        self.board, self.kernel = board, board.chip.kernels[kernel]
        self.crossbar = DaffodilCrossbar(
            board, kernel=kernel, limits=limits, calibration=daffodil_tables(), wait=board.wait, clock=board.clock
        )

    def messages(self) -> int:
        return self.board.transactions

    @property
    def incidents(self) -> list[Incident]:
        return self.board.incidents

    @property
    def seconds(self) -> float:
        return self.board.seconds

    @property
    def is_live(self) -> bool:
        return self.board.events.released_at > self.board.seconds

    @property
    def cell_volts(self) -> Floats:
        return np.full((25, 25), 9.0) if self.is_live else np.zeros((25, 25))

    @property
    def seen_volts(self) -> Floats:
        point = self.board.events.point
        assert point is not None
        return point.cell_volts

    @property
    def seen_amps(self) -> Floats:
        point = self.board.events.point
        assert point is not None
        return point.cell_amps

    def true_siemens(self, site: Site) -> float:
        junction = self.kernel.die.siemens(0.1).reshape(25, 25)[site]
        return float(junction / (1 + junction * self.kernel.access.on_ohms(3.3)))

    def is_parallel(self, site: Site) -> bool:
        return bool(self.kernel.die.is_parallel.reshape(25, 25)[site])

    def put(self, site: Site, is_parallel: bool) -> None:
        self.kernel.die.is_parallel[25 * site.row + site.col] = is_parallel


@cache
def daffodil_tables() -> DaffodilCalibration:
    """Of the board with this seed, against a card of resistors."""
    board = SimDaffodilBoard(seed=5)
    board.card = ResistorCard(np.full((25, 25), 1e-4))
    crossbar = DaffodilCrossbar(board, kernel=0, limits=DeviceLimits(), wait=board.wait, clock=board.clock)
    return crossbar.calibrate(1e-4, relative_sigma=1e-4)


BENCHES: dict[str, tuple[str, type[Instrument], type[Instrument], dict[str, Any]]] = {
    "2400s + 707B": ("passive15", Keithley2400, Keithley707B, {}),
    "2400s + 707B, relays at 0 V": ("passive15", Keithley2400, Keithley707B, {"relays_move": "at_zero_volts"}),
    "2602B + 707B": ("linked15", Keithley2600, Keithley707B, {}),
    "2602B + 707B, outputs off": ("linked15", Keithley2600, Keithley707B, {"relays_move": "outputs_off"}),
    "B2902A + B2201A": ("biased15", KeysightB2900, KeysightB2200, {}),
    "B2902A + B2201A, outputs off": ("biased15", KeysightB2900, KeysightB2200, {"relays_move": "outputs_off"}),
}
"""Packaged bench, driver of its SMUs and of its matrix, what is changed in its wiring file."""


@dataclass
class OpenedBench:
    """Instruments that stay open from one test to the next; each test prepares them anew and has a die untouched.

    Attributes:
        wiring: with what this kind of bench changes.
    """

    bench: SimBench
    smus: dict[str, Instrument]
    matrix: Instrument
    wiring: Wiring

    def __post_init__(self) -> None:
        self._is_parallel = self.bench.world.die.is_parallel.copy()

    @property
    def drivers(self) -> list[Any]:
        return [*self.smus.values(), self.matrix]

    def crossbar(self, limits: DeviceLimits) -> MatrixCrossbar:
        parts = {f"{name}.{key}": part for name, smu in self.smus.items() for key, part in smu.submodules.items()}
        wiring = self.wiring.model_copy(update={"device": self.wiring.device.model_copy(update={"limits": limits})})
        crossbar = MatrixCrossbar(
            self.smus | parts,
            self.matrix,
            wiring,
            scan_units=[smu for smu in self.smus.values() if isinstance(smu, ScanUnit)],
            clock=lambda: self.bench.world.seconds,
        )
        crossbar.start()
        return crossbar

    def put_back(self, crossbar: MatrixCrossbar) -> None:
        """The bench is shut down and the die as it was; after an incident everything is new."""
        crossbar.shutdown()
        if self.bench.world.incidents:
            self.bench.reset()
        world = self.bench.world
        for index in np.flatnonzero(world.die.is_parallel != self._is_parallel).tolist():
            world.die.is_parallel[index] = self._is_parallel[index]
            world.circuit.cell_changed(index)


@pytest.fixture(scope="module", params=[*BENCHES, "world_crossbar", "daffodil"])
def kind(
    request: pytest.FixtureRequest, opening: Callable, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str | OpenedBench]:
    """A bench, open; of other kinds the name."""
    if request.param not in BENCHES:
        yield request.param
        return
    packaged, of_smus, of_matrix, changes = BENCHES[request.param]
    wiring = load_wiring(bench_path(packaged).with_name(f"{packaged}.wiring.yaml")).model_copy(update=changes)
    with opening(tmp_path_factory.mktemp("bench")) as (open_bench, open_driver):
        bench = open_bench(packaged, die=f"{{defect_rates: {NO_DEFECTS}}}")
        smus = {name: open_driver(of_smus, name, bench) for name in bench.by_name if name != "matrix"}
        yield OpenedBench(bench, smus, open_driver(of_matrix, "matrix", bench), wiring)


@pytest.fixture
def make_rig(kind: str | OpenedBench) -> Iterator[Callable]:
    made: list[MatrixCrossbar] = []

    def make(**limits: float) -> Rig:
        packaged = load_wiring(bench_path("passive15").with_name("passive15.wiring.yaml"))
        wiring = kind.wiring if isinstance(kind, OpenedBench) else packaged
        limited = DeviceLimits(**{**wiring.device.limits.model_dump(), **limits})
        if isinstance(kind, OpenedBench):
            made.append(kind.crossbar(limited))
            return Rig(made[-1], kind.bench.world, lambda: sum(d.writes + d.queries for d in kind.drivers))
        if kind == "daffodil":
            chip = DaffodilChip.draw(seed=5, defect_rates=NO_DEFECTS)
            return DaffodilRig(SimDaffodilBoard(chip, seed=5), 19, limited)
        world = World.from_description({"defect_rates": NO_DEFECTS}, seed=5, line_hertz=50)
        return Rig(WorldCrossbar(world, limited), world, lambda: 0)

    yield make
    for crossbar in made:
        assert isinstance(kind, OpenedBench)
        kind.put_back(crossbar)


@pytest.fixture
def rig(make_rig: Callable) -> Rig:
    return make_rig()


def floating(shape: tuple[int, int]) -> Lines:
    return Lines(np.full(shape[0], FLOATING), np.full(shape[1], FLOATING))


class TestCrossbar:
    def test_it_plays_the_role(self, rig: Rig) -> None:
        assert isinstance(rig.crossbar, Crossbar)
        rows, cols = rig.crossbar.shape
        assert rows == cols >= 15
        can = rig.crossbar.capabilities
        assert can.levels >= 3
        assert can.sensed_lines >= 1
        assert can.shortest_pulse_seconds >= 0

    @pytest.mark.parametrize("site", SITES)
    @pytest.mark.parametrize("volts", [0.1, -0.1])
    def test_the_selected_cell_sees_the_read_voltage_and_the_others_next_to_none(
        self, rig: Rig, site: Site, volts: float
    ) -> None:
        lines = Lines.selecting(rig.crossbar.shape, site, volts, 0.0)
        rig.crossbar.measure(lines, [Line("col", site.col)])
        seen = rig.seen_volts
        assert seen[site] == pytest.approx(volts, rel=0.08)
        assert np.abs(np.delete(seen, site.row, axis=0)).max() < 0.008
        rig.crossbar.idle()
        assert rig.incidents == []

    @pytest.mark.parametrize("volts", [0.1, -0.1])
    def test_current_out_of_the_array_is_positive(self, rig: Rig, volts: float) -> None:
        lines = Lines.selecting(rig.crossbar.shape, Site(2, 3), volts, 0.0)
        into_column = rig.crossbar.measure(lines, [Line("col", 3)])[0]
        exact = rig.seen_amps.sum(axis=0)[3]
        assert into_column.amps * volts > 0
        assert into_column.amps == pytest.approx(exact, rel=0.01, abs=3e-7)
        out_of_row = rig.crossbar.measure(lines, [Line("row", 2)])[0]
        assert out_of_row.amps * volts < 0
        assert out_of_row.volts == pytest.approx(volts, abs=2e-3)
        rig.crossbar.idle()
        assert rig.incidents == []

    @pytest.mark.parametrize("site", SITES)
    @pytest.mark.parametrize("is_parallel", [True, False])
    def test_the_conductance_of_a_single_cell_is_the_worlds(self, rig: Rig, site: Site, is_parallel: bool) -> None:
        rig.put(site, is_parallel)
        true = rig.true_siemens(site)
        told = read_cell(rig.crossbar, site, 0.1)
        assert told == pytest.approx(true, rel=0.08), "wire drops of at most this are left in"
        assert told < true * 1.01
        rig.crossbar.idle()
        assert rig.incidents == []

    def test_the_lines_stay_applied_until_idle(self, rig: Rig) -> None:
        rig.crossbar.measure(Lines.selecting(rig.crossbar.shape, Site(1, 1), 0.1, 0.0), [Line("col", 1)])
        assert rig.is_live == rig.holds_lines
        rig.crossbar.idle()
        assert not rig.is_live
        assert np.abs(rig.cell_volts).max() < 1e-6

    def test_floating_lines_carry_nothing_and_sneak_paths_show(self, rig: Rig) -> None:
        for site in (Site(i, j) for i in (4, 5) for j in (6, 7)):
            rig.put(site, True)
        lines = floating(rig.crossbar.shape)
        lines.row_volts[4], lines.col_volts[6] = 0.1, 0.0
        alone = read_cell(rig.crossbar, Site(4, 6), 0.1)
        sneaky = rig.crossbar.measure(lines, [Line("col", 6)])[0].amps / 0.1
        assert sneaky == pytest.approx(alone, rel=0.03) if rig.has_selectors else sneaky > 2 * alone
        assert np.abs(np.delete(rig.seen_amps.sum(axis=1), 4)).max() < 1e-9
        rig.crossbar.idle()
        assert rig.incidents == []

    def test_nothing_sensed_gives_no_reading(self, rig: Rig) -> None:
        assert rig.crossbar.measure(Lines.grounded(*rig.crossbar.shape), []) == []
        assert rig.crossbar.spent.readings == 0

    def test_spent_counts_readings_pulses_and_seconds(self, rig: Rig) -> None:
        before = rig.crossbar.spent
        assert (before.pulses, before.readings) == (0, 0)
        lines = Lines.selecting(rig.crossbar.shape, Site(3, 3), 0.1, 0.0)
        for _ in range(3):
            rig.crossbar.measure(lines, [Line("col", 3)])
        rig.crossbar.pulse(Lines.selecting(rig.crossbar.shape, Site(3, 3), 0.5, 0.25), 5e-3)
        cost = rig.crossbar.spent - before
        assert (cost.pulses, cost.readings) == (1, 3)
        assert cost.bench_seconds > 5e-3
        assert cost == Cost(1, 3, cost.bench_seconds)

    @pytest.mark.parametrize("site", SITES)
    def test_a_pulse_switches_the_cell_by_its_polarity(self, rig: Rig, site: Site) -> None:
        for volts, becomes_parallel in ((0.6, True), (-0.75, False), (0.6, True)):
            rig.put(site, not becomes_parallel)
            top = rig.crossbar.pulse(Lines.selecting(rig.crossbar.shape, site, volts, volts / 2), 5e-3)
            assert rig.is_parallel(site) == becomes_parallel
            assert top.volts == pytest.approx(volts, abs=5e-3)
            assert top.amps * volts > 0 if rig.measures_pulses else np.isnan(top.amps)
            assert np.abs(rig.cell_volts).max() < 2e-3, "a pulse leaves all lines at 0 V"
        assert rig.incidents == []

    def test_pulses_of_a_series_switch_their_cells_in_turn(self, rig: Rig) -> None:
        sites = Site(1, 1), Site(2, 3), Site(1, 1)
        for site in sites:
            rig.put(site, False)
        heard: list[int] = []
        series = [
            Lines.selecting(rig.crossbar.shape, s, v, v / 2) for s, v in zip(sites, (0.6, 0.6, -0.75), strict=True)
        ]
        rig.crossbar.pulse_each(series, 5e-3, heard=heard.append)
        assert heard == [0, 1, 2]
        assert (rig.crossbar.spent.pulses, rig.crossbar.spent.readings) == (3, 0)
        assert np.abs(rig.cell_volts).max() < 2e-3, "all lines are at 0 V"
        rig.crossbar.idle()
        assert [rig.is_parallel(site) for site in sites[:2]] == [False, True]
        assert rig.incidents == []

    def test_a_series_with_a_pulse_beyond_the_limits_is_refused(self, make_rig: Callable) -> None:
        rig = make_rig(pulse_seconds=0.01)
        series = [Lines.selecting(rig.crossbar.shape, Site(1, k), 0.3, 0.15) for k in (1, 2)]
        with pytest.raises(LimitError, match="pulse_seconds"):
            rig.crossbar.pulse_each(series, 0.02)
        assert rig.crossbar.spent.pulses == 0

    def test_a_series_leaves_out_what_a_cell_may_not_get_any_more(self, make_rig: Callable) -> None:
        rig = make_rig(pulses_per_cell=2)
        heard: list[int] = []
        sites = Site(1, 1), Site(1, 1), Site(1, 1), Site(2, 2)
        series = [Lines.selecting(rig.crossbar.shape, site, 0.2, 0.1) for site in sites]
        rig.crossbar.pulse_each(series, 5e-3, heard=heard.append)
        assert (rig.crossbar.spent.pulses, heard) == (3, [0, 1, 2, 3])

    def test_a_pulse_on_a_column_has_the_opposite_polarity(self, rig: Rig) -> None:
        site = Site(6, 6)
        rig.put(site, True)
        rows, cols = rig.crossbar.shape
        lines = Lines(np.full(rows, 0.375), np.full(cols, 0.375))
        lines.row_volts[6], lines.col_volts[6] = 0.0, 0.75
        rig.crossbar.pulse(lines, 5e-3)
        assert not rig.is_parallel(site)
        assert rig.incidents == []

    def test_plus_and_minus_half_on_row_and_column_is_the_same_pulse(self, rig: Rig) -> None:
        site = Site(5, 9)
        for volts in (0.3, -0.35, 0.35, -0.375):
            rig.put(site, volts < 0)
            lines = Lines.grounded(*rig.crossbar.shape)
            lines.row_volts[5], lines.col_volts[9] = volts, -volts
            rig.crossbar.pulse(lines, 5e-3)
            assert rig.is_parallel(site) == (volts > 0)

    def test_what_the_first_pulse_does_does_not_depend_on_what_was_read_before(self, rig: Rig) -> None:
        rig.crossbar.measure(Lines.grounded(*rig.crossbar.shape), [Line("col", 1)])
        lines = Lines.grounded(*rig.crossbar.shape)
        lines.col_volts[1] = -0.4
        top = rig.crossbar.pulse(lines, 5e-3)
        assert top.volts == pytest.approx(-0.4, abs=5e-3)
        assert top.amps < -1e-4 if rig.measures_pulses else np.isnan(top.amps)

    def test_a_reading_beyond_the_limit_is_refused_before_anything_is_sent(self, rig: Rig) -> None:
        messages, seconds = rig.messages(), rig.seconds
        for volts in (0.16, -0.16, 2.0):
            with pytest.raises(LimitError, match="read limit"):
                rig.crossbar.measure(Lines.selecting(rig.crossbar.shape, Site(1, 1), volts, 0.0), [Line("col", 1)])
        lines = Lines.grounded(*rig.crossbar.shape)
        lines.row_volts[1], lines.col_volts[2] = 0.1, -0.1
        with pytest.raises(LimitError, match=r"0\.2 V"):
            rig.crossbar.measure(lines, [Line("col", 3)])
        assert (rig.messages(), rig.seconds) == (messages, seconds)
        assert not rig.is_live
        assert rig.crossbar.spent.readings == 0

    @pytest.mark.parametrize(
        ("volts", "seconds", "key"),
        [
            (0.91, 5e-3, "write_volts_positive"),
            (-0.61, 5e-3, "write_volts_negative"),
            (0.5, 0.06, "pulse_seconds"),
        ],
    )
    def test_a_pulse_beyond_the_limit_is_refused_before_anything_is_sent(
        self, make_rig: Callable, volts: float, seconds: float, key: str
    ) -> None:
        rig = make_rig(write_volts_negative=0.6)
        messages, before = rig.messages(), rig.seconds
        with pytest.raises(LimitError) as caught:
            rig.crossbar.pulse(Lines.selecting(rig.crossbar.shape, Site(1, 1), volts, volts / 2), seconds)
        assert caught.value.where == f"device.limits.{key}"
        assert caught.value.remedy
        assert (rig.messages(), rig.seconds) == (messages, before)
        assert rig.crossbar.spent.pulses == 0

    def test_a_pulse_on_a_column_has_the_limit_of_the_opposite_polarity(self, make_rig: Callable) -> None:
        rig = make_rig(write_volts_negative=0.6)
        rows, cols = rig.crossbar.shape
        lines = Lines(np.full(rows, 0.35), np.full(cols, 0.35))
        lines.row_volts[3], lines.col_volts[4] = 0.0, 0.7
        with pytest.raises(LimitError) as caught:
            rig.crossbar.pulse(lines, 5e-3)
        assert caught.value.where == "device.limits.write_volts_negative"
        assert rig.crossbar.spent.pulses == 0

    def test_cells_between_floating_lines_count_for_the_limit(self, rig: Rig) -> None:
        lines = floating(rig.crossbar.shape)
        lines.row_volts[0], lines.row_volts[1] = 0.6, -0.6
        with pytest.raises(LimitError):
            rig.crossbar.measure(lines, [Line("row", 1)])

    def test_the_polarity_of_the_cell_with_the_largest_voltage_decides_its_limit(self, make_rig: Callable) -> None:
        rig = make_rig(write_volts_negative=0.5)
        lines = floating(rig.crossbar.shape)
        lines.row_volts[0], lines.row_volts[1], lines.col_volts[0] = 0.45, -0.42, 0.42
        with pytest.raises(LimitError):
            rig.crossbar.pulse(lines, 5e-3)

    def test_lines_of_another_shape_are_refused(self, rig: Rig) -> None:
        rows, cols = rig.crossbar.shape
        for shape in ((rows - 1, cols), (rows, cols + 1)):
            with pytest.raises(InputError, match=str(rows)):
                rig.crossbar.measure(Lines.grounded(*shape), [Line("col", 0)])

    def test_a_pulse_without_a_driven_line_is_refused(self, rig: Rig) -> None:
        with pytest.raises(InputError):
            rig.crossbar.pulse(floating(rig.crossbar.shape), 5e-3)


def reads_of(rig: Rig, sites: Iterable[Site]) -> list[LineRead]:
    """Each at 0 V and at 0.1 V."""
    return [read for site in sites for read in cell_reads(rig.crossbar.shape, site, 0.1)]


SCATTERED = [Site(3, 4), Site(12, 1), Site(3, 5), Site(12, 4), Site(0, 0), Site(3, 1), Site(3, 4)]


class TestSeries:
    def test_reads_are_what_they_are_one_by_one(self, rig: Rig) -> None:
        for site in (Site(3, 5), Site(12, 4)):
            rig.put(site, True)
        reads = reads_of(rig, SCATTERED)
        one_by_one = [rig.crossbar.measure(read.lines, [read.sense])[0] for read in reads]
        before = rig.crossbar.spent
        series = rig.crossbar.measure_each(reads)
        assert rig.crossbar.spent.readings - before.readings == len(reads)
        assert [r.volts for r in series] == [r.volts for r in one_by_one]
        assert not any(r.in_compliance or r.is_overflow for r in series)
        siemens, expected = (
            np.array([r.amps for r in readings]).reshape(-1, 2) @ [-10, 10] for readings in (series, one_by_one)
        )
        assert siemens == pytest.approx(expected, rel=0.05, abs=1e-6), "noise"
        assert np.ptp(expected) > 5e-5, "cells differ by much more"
        rig.crossbar.idle()
        assert rig.incidents == []

    def test_each_reading_is_told_once(self, rig: Rig) -> None:
        reads, heard = reads_of(rig, SCATTERED), dict[int, Reading]()

        def hear(number: int, reading: Reading) -> None:
            assert number not in heard
            heard[number] = reading

        readings = rig.crossbar.measure_each(reads, heard=hear)
        assert [heard[number] for number in range(len(reads))] == readings

    def test_no_reads_send_nothing(self, rig: Rig) -> None:
        messages = rig.messages()
        assert rig.crossbar.measure_each([]) == []
        assert rig.crossbar.write_each([], 5e-3) == []
        assert rig.messages() == messages

    def test_one_read_beyond_the_limit_keeps_all_from_being_sent(self, rig: Rig) -> None:
        messages, seconds = rig.messages(), rig.seconds
        high = LineRead(Lines.selecting(rig.crossbar.shape, Site(1, 1), 0.16, 0.0), Line("col", 1))
        with pytest.raises(LimitError, match="read limit"):
            rig.crossbar.measure_each([*reads_of(rig, SCATTERED), high])
        assert (rig.messages(), rig.seconds) == (messages, seconds)
        assert not rig.is_live

    def test_series_and_single_measurements_can_be_mixed(self, rig: Rig) -> None:
        site = Site(4, 9)
        first = read_cell(rig.crossbar, site, 0.1)
        rig.crossbar.measure_each(reads_of(rig, SCATTERED))
        assert read_cell(rig.crossbar, site, 0.1) == pytest.approx(first, rel=0.03)
        rig.crossbar.pulse(Lines.selecting(rig.crossbar.shape, site, 0.3, 0.15), 5e-3)
        rig.crossbar.measure_each(reads_of(rig, SCATTERED))
        assert read_cell(rig.crossbar, site, 0.1) == pytest.approx(first, rel=0.03)
        rig.crossbar.idle()
        assert rig.incidents == []


def middle_amps(rig: Rig, site: Site) -> float:
    """Between a cell's current at 0.1 V in its two states."""
    was_parallel, siemens = rig.is_parallel(site), []
    for is_parallel in (not was_parallel, was_parallel):
        rig.put(site, is_parallel)
        siemens.append(rig.true_siemens(site))
    return 0.1 * sum(siemens) / 2 * 0.95  # wires take some of the voltage


def write_of(rig: Rig, site: Site, volts: Sequence[float]) -> LineWrite:
    """Towards P for positive pulses, towards AP for negative ones."""
    shape, is_set, middle = rig.crossbar.shape, volts[0] > 0, middle_amps(rig, site)
    return LineWrite(
        read=cell_reads(shape, site, 0.1)[1],
        pulses=tuple(Lines.selecting(shape, site, v, v / 2) for v in volts),
        least_amps=middle if is_set else -np.inf,
        most_amps=np.inf if is_set else middle,
    )


SET, RESET = (0.3, 0.5, 0.7), (-0.3, -0.6, -0.8)


class TestWriting:
    def test_cells_are_written_and_read_until_they_are_right(self, rig: Rig) -> None:
        goals = {Site(2, 3): True, Site(9, 9): False, Site(2, 8): True, Site(5, 3): False}
        for site, is_parallel in goals.items():
            rig.put(site, not is_parallel)
        heard: dict[int, WriteOutcome] = {}
        before = rig.crossbar.spent
        outcomes = rig.crossbar.write_each(
            [write_of(rig, site, SET if is_set else RESET) for site, is_set in goals.items()],
            5e-3,
            heard=heard.__setitem__,
        )
        assert [rig.is_parallel(site) for site in goals] == list(goals.values())
        assert [heard[number] for number in range(4)] == outcomes
        assert all(outcome.is_done for outcome in outcomes)
        assert all(1 <= outcome.pulses <= 3 for outcome in outcomes)
        for (site, is_set), outcome in zip(goals.items(), outcomes, strict=True):
            is_above = [reading.amps > middle_amps(rig, site) for reading in outcome.readings]
            assert is_above == [*[not is_set] * outcome.pulses, is_set]
            assert outcome.readings[-1].amps / 0.1 == pytest.approx(rig.true_siemens(site), rel=0.15)
        cost = rig.crossbar.spent - before
        assert cost.pulses == sum(outcome.pulses for outcome in outcomes)
        assert cost.readings >= sum(len(outcome.readings) for outcome in outcomes)
        rig.crossbar.idle()
        assert rig.incidents == []

    def test_a_cell_that_is_right_gets_no_pulse_and_one_that_refuses_is_given_up(self, rig: Rig) -> None:
        right, refusing = Site(3, 3), Site(6, 4)
        rig.put(right, True)
        rig.put(refusing, False)
        outcomes = rig.crossbar.write_each([write_of(rig, right, SET), write_of(rig, refusing, (0.05, 0.06))], 5e-3)
        assert [(o.is_done, o.pulses) for o in outcomes] == [(True, 0), (False, 2)]
        assert rig.crossbar.spent.pulses == 2

    def test_a_first_pulse_beyond_the_limits_is_refused(self, make_rig: Callable) -> None:
        rig = make_rig(write_volts_negative=0.5)
        rig.put(Site(1, 1), False)
        rig.put(Site(2, 2), True)
        with pytest.raises(LimitError) as caught:
            rig.crossbar.write_each([write_of(rig, Site(1, 1), SET), write_of(rig, Site(2, 2), (-0.6, -0.7))], 5e-3)
        assert caught.value.where == "device.limits.write_volts_negative"
        assert rig.is_parallel(Site(2, 2))

    def test_later_pulses_beyond_the_limits_are_not_given(self, make_rig: Callable) -> None:
        rig = make_rig(write_volts_positive=0.06)
        rig.put(Site(1, 1), False)
        rig.put(Site(2, 2), False)
        writes = [write_of(rig, site, (0.05, 0.06, 0.8)) for site in (Site(1, 1), Site(2, 2))]
        assert [(o.is_done, o.pulses) for o in rig.crossbar.write_each(writes, 5e-3)] == [(False, 2), (False, 2)]

    def test_no_cell_gets_more_pulses_than_its_limit(self, make_rig: Callable) -> None:
        rig = make_rig(pulses_per_cell=3)
        for site in (Site(1, 1), Site(2, 2)):
            rig.put(site, False)
        writes = [write_of(rig, site, (0.05, 0.05)) for site in (Site(1, 1), Site(2, 2), Site(1, 1))]
        assert [o.pulses for o in rig.crossbar.write_each(writes, 5e-3)] == [2, 2, 1]
        assert [o.pulses for o in rig.crossbar.write_each(writes, 5e-3)] == [0, 1, 0]
