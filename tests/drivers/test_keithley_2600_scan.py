"""Scans that a 2602B carries out by itself with a 707B on its TSP-Link, against the same cells read one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pyvisa.constants import StatusCode
from pyvisa.errors import VisaIOError

from mtjlab.drivers.keithley_707b import Keithley707B
from mtjlab.drivers.keithley_2600 import Keithley2600
from mtjlab.errors import InstrumentError, LimitError
from mtjlab.roles import Crosspoint, ScanLimits, ScanPoint, ScanUnit, WriteTask
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench

ROWS, COLS = 6, 5
BENCH = """
bench: linked
seed: 11
line_hertz: 50
die: {{rows: {rows}, cols: {cols}}}
faults: {faults}
instruments:
  - {{name: smu, model: keithley_2602b, address: "GPIB0::26::INSTR", {link}}}
  - {{name: relays, model: keithley_707b, address: "GPIB0::16::INSTR", serial: "1300007", cards: [7174A]}}
cables:
  - {{from: smu.a.hi, to: relays.row.A}}
  - {{from: smu.b.hi, to: relays.row.B}}
  - {{from: "relays.col.{{101-{last_row}}}", to: "die.row.{{0-{rows_end}}}"}}
  - {{from: "relays.col.{{107-{last_col}}}", to: "die.col.{{0-{cols_end}}}"}}
"""
SETTINGS = {"volts_range": 1.0, "amps_limit": 1e-3, "amps_range": 1e-3, "power_cycles": 0.1}
READ_LIMITS = ScanLimits(volts=0.15, amps=1e-3)
A, B = 0, 1


class Linked:
    """The bench and its two drivers."""

    def __init__(self, bench: SimBench) -> None:
        self.bench = bench
        self.world = bench.world
        library = f"{bench.path}@mtjlab"
        self.smu = Keithley2600("smu", "GPIB0::26::INSTR", visalib=library)
        self.relays = Keithley707B("relays", "GPIB0::16::INSTR", visalib=library)

    def prepare(self, **changes: float) -> None:
        self.relays.prepare()
        for channel in (self.smu.a, self.smu.b):
            channel.prepare(**{**SETTINGS, **changes})

    def is_safe(self) -> bool:
        """Outputs off and relays open, as the simulated instruments themselves have it."""
        outputs = [channel.settings.is_on for channel in self.bench.by_name["smu"].channels]  # type: ignore[attr-defined]
        return not any(outputs) and not self.bench.by_name["relays"].closed  # type: ignore[attr-defined]

    def kinds(self) -> set[str]:
        return {incident.kind for incident in self.world.incidents}


OpenLinked = Callable[..., Linked]


@pytest.fixture
def open_linked(tmp_path: Path) -> Iterator[OpenLinked]:
    opened: list[Linked] = []

    def open_it(faults: str = "[]", link: str = "tsp_link: {2: relays}", rows: int = ROWS, cols: int = COLS) -> Linked:
        path = tmp_path / "linked.yaml"
        ends = {"last_row": 100 + rows, "rows_end": rows - 1, "last_col": 106 + cols, "cols_end": cols - 1}
        path.write_text(BENCH.format(faults=faults, link=link, rows=rows, cols=cols, **ends), encoding="utf-8")
        opened.append(Linked(sim_bench(str(path))))
        return opened[-1]

    yield open_it
    for linked in opened:
        linked.smu.close()
        linked.relays.close()
        linked.bench.close()


@pytest.fixture
def linked(open_linked: OpenLinked) -> Linked:
    made = open_linked()
    made.prepare()
    return made


def route(row: int, col: int) -> frozenset[Crosspoint]:
    return frozenset({Crosspoint("A", 101 + row), Crosspoint("B", 107 + col)})


def every_cell(volts: float = 0.1) -> list[ScanPoint]:
    return [ScanPoint(route(row, col), (volts, 0.0)) for row in range(ROWS) for col in range(COLS)]


def one_by_one(linked: Linked, points: Sequence[ScanPoint]) -> list[float]:
    amps = []
    smus = linked.smu.a, linked.smu.b
    for point in points:
        assert linked.relays.route(point.closed) == point.closed
        for smu in smus:
            smu.output_on()
        smus[A].set_volts(point.volts[A])
        amps.append(smus[B].read().amps)
        for smu in smus:
            smu.output_off()
    linked.relays.open_all()
    return amps


class TestScan:
    def test_it_plays_the_role(self, linked: Linked) -> None:
        assert isinstance(linked.smu, ScanUnit)
        assert linked.smu.channels == (linked.smu.a, linked.smu.b)
        assert linked.smu.linked_matrix() == linked.relays.identity()

    def test_cells_are_what_they_are_one_by_one(self, linked: Linked) -> None:
        points = every_cell()
        expected = one_by_one(linked, points)
        before = linked.smu.writes + linked.smu.queries
        readings = linked.smu.scan(points, sense=B, limits=READ_LIMITS)
        assert linked.smu.writes + linked.smu.queries == before + 1
        assert [r.amps for r in readings] == pytest.approx(expected, abs=2e-7), "noise of the 1 mA range"
        assert np.std(expected) > 1e-6, "cells differ by much more than the noise"
        assert not any(r.in_compliance or r.is_overflow for r in readings)
        assert linked.is_safe()
        assert linked.kinds() == set()
        linked.smu.check_errors()
        linked.relays.check_errors()

    def test_it_takes_little_more_than_relays_and_integration(self, linked: Linked) -> None:
        points = every_cell()
        before = linked.world.seconds
        linked.smu.scan(points, sense=B, limits=READ_LIMITS)
        floor = len(points) * (2 * 4e-3 + 0.1 / 50)
        assert linked.world.seconds - before < 1.15 * floor

    def test_only_relays_that_have_to_move_do(self, linked: Linked) -> None:
        points = [ScanPoint(route(0, 0), (volts, 0.0)) for volts in (0.05, 0.1, -0.1)]
        points += [ScanPoint(route(0, 1), (0.1, 0.0))]
        counts = linked.bench.by_name["relays"].relays.counts  # type: ignore[attr-defined]
        readings = linked.smu.scan(points, sense=B, limits=READ_LIMITS)
        assert sorted((c.name, n) for c, n in counts.items()) == [("1A01", 1), ("1B07", 1), ("1B08", 1)]
        siemens = [-r.amps / point.volts[A] for r, point in zip(readings, points, strict=True)]
        assert siemens[1] == pytest.approx(siemens[2], rel=0.03)
        assert siemens[0] == pytest.approx(siemens[1], rel=0.1)
        assert linked.kinds() == set()

    def test_grounded_lines_and_either_channel_as_the_sense(self, linked: Linked) -> None:
        others = frozenset(Crosspoint("B", 101 + row) for row in range(1, ROWS))
        ground = others | {Crosspoint("B", 107 + col) for col in range(COLS)}
        point = ScanPoint(frozenset({Crosspoint("A", 101)}) | ground, (0.1, 0.0))
        (by_drive,) = linked.smu.scan([point], sense=A, limits=READ_LIMITS)
        (by_ground,) = linked.smu.scan([point], sense=B, limits=READ_LIMITS)
        assert by_drive.volts == pytest.approx(0.1, abs=1e-3)
        assert by_drive.amps > 0 > by_ground.amps
        assert by_drive.amps == pytest.approx(-by_ground.amps, rel=0.01)

    def test_the_settling_time_is_waited_after_each_move(self, linked: Linked) -> None:
        points = every_cell()[:10]
        spent = []
        for settle_seconds in (0.0, 0.05):
            before = linked.world.seconds
            linked.smu.scan(points, sense=B, limits=READ_LIMITS, settle_seconds=settle_seconds)
            spent.append(linked.world.seconds - before)
        assert spent[1] - spent[0] == pytest.approx(10 * 0.05, rel=0.02)

    def test_a_channel_that_limits_is_told_with_its_point(self, open_linked: OpenLinked) -> None:
        linked = open_linked()
        linked.prepare(amps_limit=4e-5)
        points = [ScanPoint(route(0, 0), (0.01, 0.0)), ScanPoint(route(0, 0), (0.14, 0.0))]
        assert [r.in_compliance for r in linked.smu.scan(points, sense=B, limits=READ_LIMITS)] == [False, True]

    def test_nothing_to_scan_sends_nothing(self, linked: Linked) -> None:
        before = linked.smu.writes + linked.smu.queries
        assert linked.smu.scan([], sense=B, limits=READ_LIMITS) == []
        assert linked.smu.write_each([], sense=B, drive=A, pulse_seconds=1e-3, limits=READ_LIMITS) == []
        assert linked.smu.writes + linked.smu.queries == before


class TestLimits:
    @pytest.mark.parametrize("volts", [(0.16, 0.0), (0.0, -0.16), (0.1, -0.1), (float("nan"), 0.0)])
    def test_a_level_beyond_them_is_refused_before_anything_is_sent(
        self, linked: Linked, volts: tuple[float, float]
    ) -> None:
        before = linked.smu.writes + linked.smu.queries
        with pytest.raises(LimitError):
            linked.smu.scan([ScanPoint(route(0, 0), volts)], sense=B, limits=READ_LIMITS)
        assert linked.smu.writes + linked.smu.queries == before

    @pytest.mark.parametrize("levels", ["{0.1,0.0}},#{'','',2,{0.2,0.0}", "{0.1,0.0}},#{'','',2,{0.1,-0.1}"])
    def test_the_instrument_refuses_too_and_ends_safely(self, linked: Linked, levels: str) -> None:
        job = "{node=2,sense=2,volts=0.15,amps=1e-3,pulses=0,settle=0,seconds=10}"
        call = f"mtjlab.scan({job}, {{#{{'','1A01,1B07',2,{levels}}}}})".replace("#", "\n")
        with pytest.raises(InstrumentError, match="a level is beyond its limit"):
            linked.smu.called(call, 10, 4)
        assert linked.is_safe()

    def test_a_compliance_beyond_the_limit_is_lowered_before_an_output_goes_on(self, linked: Linked) -> None:
        linked.smu.scan(every_cell()[:1], sense=B, limits=ScanLimits(volts=0.15, amps=5e-5))
        assert linked.smu.a.amps_limit() == pytest.approx(5e-5)
        assert linked.smu.b.amps_limit() == pytest.approx(5e-5)

    def test_a_scan_needs_compliance_on_both_channels(self, open_linked: OpenLinked) -> None:
        linked = open_linked()
        linked.smu.a.prepare(**SETTINGS)
        before = linked.smu.writes + linked.smu.queries
        with pytest.raises(InstrumentError, match="all channels prepared"):
            linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)
        assert linked.smu.writes + linked.smu.queries == before

    def test_too_many_points_are_refused(self, linked: Linked) -> None:
        points = every_cell()[:1] * (linked.smu.most_points + 1)
        with pytest.raises(InstrumentError, match="readings"):
            linked.smu.scan(points, sense=B, limits=READ_LIMITS)


class TestThatItEndsSafely:
    def test_a_relay_that_is_not_fitted(self, linked: Linked) -> None:
        points = every_cell()[:7]
        points.insert(5, ScanPoint(frozenset({Crosspoint("A", 512)}), (0.1, 0.0)))
        with pytest.raises(InstrumentError, match="Parameter error"):
            linked.smu.scan(points, sense=B, limits=READ_LIMITS)
        assert linked.is_safe()
        assert linked.kinds() == set()
        assert len(linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)) == ROWS * COLS

    def test_a_relay_that_reads_back_open(self, linked: Linked) -> None:
        linked.relays.write('channel.setforbidden("1B09")')
        with pytest.raises(InstrumentError, match="1B09 is forbidden"):
            linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)
        assert linked.is_safe()

    def test_a_relay_that_does_not_close(self, linked: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
        relays: Any = linked.bench.by_name["relays"]
        move = relays.move
        monkeypatch.setattr(relays, "move", lambda wanted: move(frozenset(c for c in wanted if c.name != "1B09")))
        with pytest.raises(InstrumentError, match="read back wrong: 1A01 after closing 1B09"):
            linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)
        assert linked.is_safe()
        assert linked.kinds() == set()

    def test_a_relay_that_does_not_open(self, linked: Linked, monkeypatch: pytest.MonkeyPatch) -> None:
        relays: Any = linked.bench.by_name["relays"]
        move = relays.move
        stuck = next(c for c in relays.relays._numbers if c.name == "1B08")
        monkeypatch.setattr(relays, "move", lambda wanted: move(wanted | (relays.closed & {stuck})))
        with pytest.raises(InstrumentError, match=r"read back wrong(.|\n)*relays did not open"):
            linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)
        assert not linked.smu.a.is_output_on()
        assert not linked.smu.b.is_output_on()

    def test_after_a_power_failure_it_has_to_be_prepared(self, open_linked: OpenLinked) -> None:
        linked = open_linked(faults="[{instrument: smu, kind: power_loss, at_seconds: 0.4}]")
        linked.prepare()
        with pytest.raises(InstrumentError, match="did not answer"):
            linked.smu.scan(every_cell() * 3, sense=B, limits=READ_LIMITS)
        assert linked.is_safe()
        with pytest.raises(InstrumentError, match="prepare it again"):
            linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)
        assert linked.is_safe()

    def test_the_session_is_cut_while_it_scans(self, linked: Linked) -> None:
        write = linked.smu.visa_handle.write

        def cut(message: str) -> None:
            write(message)
            raise VisaIOError(StatusCode.error_connection_lost)

        linked.smu.visa_handle.write = cut
        with pytest.raises(InstrumentError, match="VI_ERROR_CONN_LOST"):
            linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)
        linked.smu.visa_handle.close()
        assert linked.is_safe()
        assert linked.kinds() == set()
        counts = linked.bench.by_name["relays"].relays.counts  # type: ignore[attr-defined]
        assert sum(counts.values()) > ROWS * COLS, "it went on to its end"

    def test_the_session_is_cut_in_the_middle_of_the_message(self, linked: Linked) -> None:
        linked.smu.visa_handle.write_raw(b"loadandrunscript\nmtjlab.scan({node=2,sense=2,volts=0.15,\n")
        linked.smu.reopen()
        linked.smu.recover()
        assert linked.is_safe()
        linked.prepare()
        assert len(linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)) == ROWS * COLS

    def test_it_stops_by_itself_if_it_takes_too_long(self, linked: Linked) -> None:
        job = "{node=2,sense=2,volts=0.15,amps=1e-3,pulses=0,settle=1,seconds=2}"
        moves = [("", "1A01"), *[("1A01", "1A02"), ("1A02", "1A01")] * 3]
        points = "".join(f"#{{'{opens}','{closes}',1,{{0.1,0}}}}," for opens, closes in moves)
        with pytest.raises(InstrumentError, match="too long"):
            linked.smu.called(f"mtjlab.scan({job}, {{{points}}})".replace("#", "\n"), 60, 4)
        assert linked.is_safe()

    def test_no_matrix_on_the_link(self, open_linked: OpenLinked) -> None:
        linked = open_linked(link='serial: "1"')
        linked.prepare()
        assert linked.smu.linked_matrix() is None
        with pytest.raises(InstrumentError, match="no remote nodes"):
            linked.smu.scan(every_cell(), sense=B, limits=READ_LIMITS)
        assert linked.is_safe()

    def test_levels_are_zero_and_relays_open_before_it_begins(self, linked: Linked) -> None:
        linked.relays.route(route(2, 2))
        linked.smu.a.output_on()
        linked.smu.a.set_volts(0.1)
        linked.smu.scan(every_cell()[:3], sense=B, limits=READ_LIMITS)
        assert linked.kinds() == set()
        assert linked.is_safe()


READ = ScanPoint(route(0, 0), (0.1, 0.0))
LADDER = tuple(0.3 + 0.05 * k for k in range(15))
BETWEEN_AMPS = 1.2e-5
"""Between what the cell lets pass at 0.1 V in its antiparallel and in its parallel state."""


def to_parallel(pulses: Sequence[float] = LADDER) -> WriteTask:
    """Positive pulses until more flows into the sensing channel (that is negative) than between the two states."""
    return WriteTask(READ.closed, tuple((volts, 0.0) for volts in pulses), READ, most_amps=-BETWEEN_AMPS)


def to_antiparallel(pulses: Sequence[float] = LADDER) -> WriteTask:
    """Negative pulses until less flows."""
    return WriteTask(READ.closed, tuple((-volts, 0.0) for volts in pulses), READ, least_amps=-BETWEEN_AMPS)


def never(pulses: Sequence[float]) -> WriteTask:
    """A current that no state of the cell lets pass."""
    return WriteTask(READ.closed, tuple((volts, 0.0) for volts in pulses), READ, most_amps=-0.5)


class TestWriteEach:
    """A die of one cell, so that nothing shunts it."""

    @pytest.fixture
    def cell(self, open_linked: OpenLinked) -> Linked:
        made = open_linked(rows=1, cols=1)
        made.prepare(amps_range=1e-4, amps_limit=1e-4)
        return made

    @staticmethod
    def write(linked: Linked, *tasks: WriteTask, pulse_seconds: float = 1e-3, pulses: int = 120) -> Any:
        limits = ScanLimits(volts=1.1, amps=1e-4, pulses=pulses)
        return linked.smu.write_each(tasks, sense=B, drive=A, pulse_seconds=pulse_seconds, limits=limits)

    def test_it_pulses_until_the_cell_has_switched_in_one_transaction(self, cell: Linked) -> None:
        before = cell.smu.writes + cell.smu.queries
        outcomes = self.write(cell, to_parallel(), to_antiparallel(), to_parallel())
        assert cell.smu.writes + cell.smu.queries == before + 1
        assert [o.is_done for o in outcomes] == [True, True, True]
        assert all(o.pulses > 0 for o in outcomes[1:]), "it began in the state that the one before had left"
        for outcome, is_parallel in zip(outcomes, (True, False, True), strict=True):
            reached = [-r.amps > BETWEEN_AMPS for r in outcome.readings]
            assert reached == [not is_parallel] * outcome.pulses + [is_parallel]
        assert cell.is_safe()
        assert cell.kinds() == set()
        (now,) = cell.smu.scan([READ], sense=B, limits=READ_LIMITS)
        assert now.amps == pytest.approx(outcomes[-1].readings[-1].amps, rel=0.02)

    def test_a_cell_that_is_there_already_gets_no_pulse(self, cell: Linked) -> None:
        self.write(cell, to_parallel())
        (again,) = self.write(cell, to_parallel())
        assert (again.is_done, again.pulses, len(again.readings)) == (True, 0, 1)

    def test_one_that_does_not_switch_is_given_up_after_the_last_pulse(self, cell: Linked) -> None:
        outcome, after = self.write(cell, never((0.21, 0.22)), to_parallel())
        assert (outcome.is_done, outcome.pulses, len(outcome.readings)) == (False, 2, 3)
        assert after.is_done

    @pytest.mark.parametrize("seconds", [100e-6, 1e-3])
    def test_pulses_have_their_height_and_width_in_the_world(
        self, cell: Linked, seconds: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        probe = cell.world.add_source("probe", "smu.a.hi")
        probe.drive_amps(0.0, 10.0)
        spans: list[list[float]] = []
        wait = cell.world.wait

        def watch(seconds: float, *rest: Any) -> Any:
            volts, start = probe.point().volts, cell.world.seconds
            result = wait(seconds, *rest)
            passed = cell.world.seconds - start
            if spans and volts == pytest.approx(spans[-1][0], abs=1e-3):  # the cell may switch on the way
                spans[-1][1] += passed
            else:
                spans.append([volts, passed])
            return result

        monkeypatch.setattr(cell.world, "wait", watch)
        self.write(cell, never((0.31, -0.32, 0.33)), pulse_seconds=seconds)
        tops = [(volts, width) for volts, width in spans if abs(volts) > 0.2]
        assert [volts for volts, _ in tops] == pytest.approx([0.31, -0.32, 0.33], abs=1e-3)
        assert [width for _, width in tops] == pytest.approx([seconds] * 3, abs=5e-6)

    def test_a_series_of_pulses_is_one_transaction_without_a_reading(self, cell: Linked) -> None:
        self.write(cell, to_antiparallel())
        limits = ScanLimits(volts=1.1, amps=1e-4, pulses=len(LADDER))
        points = [ScanPoint(READ.closed, (volts, 0.0)) for volts in LADDER]
        before = cell.smu.writes + cell.smu.queries
        cell.smu.pulse_each(points, drive=A, pulse_seconds=1e-3, limits=limits)
        assert cell.smu.writes + cell.smu.queries == before + 1
        assert cell.is_safe()
        (now,) = cell.smu.scan([READ], sense=B, limits=READ_LIMITS)
        assert -now.amps > BETWEEN_AMPS
        assert cell.kinds() == set()

    def test_a_series_beyond_the_limits_is_refused_before_anything_is_sent(self, cell: Linked) -> None:
        before = cell.smu.writes + cell.smu.queries
        for volts, pulses, seconds, kind in (
            (1.2, 2, 1e-3, LimitError), (0.3, 1, 1e-3, LimitError), (0.3, 2, 90e-6, InstrumentError),
        ):  # fmt: skip
            limits, points = ScanLimits(1.1, 1e-4, pulses), [ScanPoint(READ.closed, (volts, 0.0))] * 2
            with pytest.raises(kind):
                cell.smu.pulse_each(points, drive=A, pulse_seconds=seconds, limits=limits)
        cell.smu.pulse_each([], drive=A, pulse_seconds=1e-3, limits=ScanLimits(1.1, 1e-4))
        assert cell.smu.writes + cell.smu.queries == before

    def test_a_series_that_fails_in_the_middle_leaves_it_safe(self, cell: Linked) -> None:
        points = [ScanPoint(READ.closed, (0.3, 0.0)), ScanPoint(READ.closed | {Crosspoint("C", 512)}, (0.3, 0.0))]
        with pytest.raises(InstrumentError, match="Parameter error"):
            cell.smu.pulse_each(points, drive=A, pulse_seconds=1e-3, limits=ScanLimits(1.1, 1e-4, 2))
        assert cell.is_safe()

    def test_other_channels_hold_their_level_around_the_pulse(self, cell: Linked) -> None:
        self.write(cell, to_antiparallel())
        half = tuple((volts / 2, -volts / 2) for volts in LADDER)
        (outcome,) = self.write(cell, WriteTask(READ.closed, half, READ, most_amps=-BETWEEN_AMPS))
        assert outcome.is_done
        assert cell.kinds() == set()

    def test_it_may_be_pulsed_and_read_through_different_relays(self, cell: Linked) -> None:
        self.write(cell, to_antiparallel())
        swapped = frozenset({Crosspoint("B", 101), Crosspoint("A", 107)})
        pulses = tuple((-volts, 0.0) for volts in LADDER)
        (outcome,) = self.write(cell, WriteTask(swapped, pulses, READ, most_amps=-BETWEEN_AMPS))
        assert outcome.is_done
        assert outcome.pulses > 0
        assert cell.kinds() == set()

    @pytest.mark.parametrize(
        ("task", "pulses", "seconds", "kind"),
        [
            (to_parallel((1.2,)), 60, 1e-3, LimitError),
            (to_parallel(), 14, 1e-3, LimitError),
            (to_parallel(), 60, 90e-6, InstrumentError),
        ],
    )
    def test_what_is_beyond_the_limits_is_refused_before_anything_is_sent(
        self, cell: Linked, task: WriteTask, pulses: int, seconds: float, kind: type[Exception]
    ) -> None:
        before = cell.smu.writes + cell.smu.queries
        with pytest.raises(kind):
            self.write(cell, task, pulses=pulses, pulse_seconds=seconds)
        assert cell.smu.writes + cell.smu.queries == before

    def test_the_instrument_counts_the_pulses_itself(self, cell: Linked) -> None:
        job = "{node=2,sense=2,volts=1,amps=1e-4,pulses=2,settle=0,seconds=10,drive=1,width=1e-3}"
        levels = ",".join(["{0.3,0}"] * 3)
        task = f"{{'','1A01,1B07',2,'','',2,{{0.1,0}},#{{{levels}}},least=-1,most=-0.5}}"
        with pytest.raises(InstrumentError, match="all pulses that were allowed"):
            cell.smu.called(f"mtjlab.write_each({job}, {{#{task}}})".replace("#", "\n"), 10, 4)
        assert cell.is_safe()

    def test_a_fault_in_the_middle_leaves_it_safe(self, cell: Linked) -> None:
        broken = WriteTask(READ.closed | {Crosspoint("C", 512)}, ((0.3, 0.0),), READ, most_amps=-1.0)
        with pytest.raises(InstrumentError, match="Parameter error"):
            self.write(cell, to_parallel(), broken)
        assert cell.is_safe()
        assert cell.kinds() == set()
