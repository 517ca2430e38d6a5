"""Benches whose SMUs scan by themselves, whose matrix holds lines, whose relays move at 0 V: what is sent, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.bench import MatrixCrossbar
from mtjlab.errors import BudgetError, InputError, InstrumentError
from mtjlab.nouns import FLOATING, Line, Lines, Reading, Site
from mtjlab.protocols.readout import all_sites, cell_reads, read_cells, readout
from mtjlab.roles import LineRead, LineWrite
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench
from mtjlab.station import OpenStation, open_station
from mtjlab.wiring import load_wiring

SHAPE = (15, 15)


class Bench:
    """A packaged bench with its text changed, opened by its station file, and every message to it."""

    def __init__(self, folder: Path, name: str, changes: tuple[tuple[str, str], ...], **wiring: Any) -> None:
        for packaged in bench_path(name).parent.glob(f"{name}.*"):
            text = packaged.read_text(encoding="utf-8").replace(f"{name}@mtjlab", f"'{folder / name}.yaml@mtjlab'")
            for old, new in changes:
                text = text.replace(old, new)
            (folder / packaged.name).write_text(text, encoding="utf-8")
        self.simulated: SimBench = sim_bench(str(folder / f"{name}.yaml"))
        loaded = load_wiring(folder / f"{name}.wiring.yaml")
        limits = wiring.pop("limits", {})
        device = loaded.device.model_copy(update={"limits": loaded.device.limits.model_copy(update=limits)})
        self.wiring = loaded.model_copy(update={"device": device, **wiring})
        files = (folder / f"{name}.station.yaml", folder / f"{name}.wiring.yaml")
        self.station: OpenStation = open_station(*files, self.wiring)
        self.heard: list[tuple[str, str]] = []
        self.told: list[tuple[str, list[Reading]]] = []
        self.crossbar = MatrixCrossbar(
            self.station.smus,
            self.station.matrix,
            self.wiring,
            scan_units=self.station.scan_units,
            clock=lambda: self.world.seconds,
            listener=lambda kind, lines, sense, readings: self.told.append((kind, list(readings))),
        )

    @property
    def world(self) -> Any:
        return self.simulated.world

    def listen(self) -> None:
        """From now on, note every message."""
        for name, instrument in self.simulated.by_name.items():
            self._tap(name, instrument)

    def _tap(self, name: str, instrument: Any) -> None:
        receive = instrument.receive

        def tapped(data: bytes, **how: Any) -> None:
            self.heard.append((name, data.decode().strip()))
            receive(data, **how)

        instrument.receive = tapped

    def close(self) -> None:
        self.station.close()
        self.simulated.close()


OpenBench = Callable[..., Bench]


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[OpenBench]:
    opened: list[Bench] = []

    def open_it(name: str = "linked15", *changes: tuple[str, str], **wiring: Any) -> Bench:
        opened.append(Bench(tmp_path, name, changes, **wiring))
        return opened[-1]

    yield open_it
    for bench in opened:
        bench.close()


@contextmanager
def started(bench: Bench) -> Iterator[MatrixCrossbar]:
    """Its crossbar; safe afterwards, and nothing has happened that must not."""
    with bench.crossbar as crossbar:
        crossbar.start()
        yield crossbar
    assert crossbar.shutdown_report.is_safe
    assert not bench.world.is_live
    assert bench.world.incidents == []


def reads_of(*sites: tuple[int, int]) -> list[LineRead]:
    return [read for site in sites for read in cell_reads(SHAPE, Site(*site), 0.1)]


class TestScans:
    def test_a_whole_array_is_two_transactions_and_little_more_than_its_floor(self, open_bench: OpenBench) -> None:
        bench = open_bench()
        with started(bench) as crossbar:
            before = crossbar.spent
            bench.listen()
            siemens = np.zeros(SHAPE)
            read_cells(crossbar, all_sites(SHAPE), heard=lambda n, g, _: siemens.put(n, g))
            cost = crossbar.spent - before
            assert len(bench.heard) == 2
            assert bench.heard[0][1].startswith("smub.measure.rangei")
            assert "mtjlab.scan" in bench.heard[1][1]
            assert cost.bench_seconds < 1.15 * 225 * (8e-3 + 2 * 2e-3)
            assert cost.readings == 450
            assert [kind for kind, _ in bench.told] == ["read"] * 450
            true = bench.world.die.siemens(0.1).reshape(SHAPE)
            good = true > 1e-5
            assert siemens[good] / true[good] == pytest.approx(0.93, abs=0.06), "what wires take"
            assert not bench.world.is_live

    def test_what_it_can_do_is_said(self, open_bench: OpenBench) -> None:
        with started(open_bench()) as crossbar:
            said = "; ".join(crossbar.describe())
            can = crossbar.capabilities
        assert can.scans_itself
        assert can.levels == 3
        for words in ("2 SMUs and the common ground make 3 levels", "smu.b senses", "scan by themselves", "at 0 V"):
            assert words in said

    @pytest.mark.parametrize(
        ("changes", "wiring", "said"),
        [
            ((), {"relays_move": "outputs_off"}, "if the wiring file said relays_move: at_zero_volts"),
            ((), {"limits": {"ramp_volts": 0.05}}, "device.limits.ramp_volts"),
            (((", tsp_link: {2: matrix}", ""),), {}, "no matrix is on their link"),
        ],
    )
    def test_where_they_do_not_scan_it_says_why_and_reads_one_by_one(
        self, open_bench: OpenBench, changes: tuple[tuple[str, str], ...], wiring: dict[str, Any], said: str
    ) -> None:
        bench = open_bench("linked15", *changes, **wiring)
        with started(bench) as crossbar:
            assert not crossbar.capabilities.scans_itself
            assert said in crossbar.describe()[-1]
            bench.listen()
            assert len(crossbar.measure_each(reads_of((0, 0), (3, 7)))) == 4
            assert len(bench.heard) > 10
            assert not any("mtjlab.scan" in text for _, text in bench.heard)

    def test_a_link_to_another_matrix_is_not_used(self, open_bench: OpenBench) -> None:
        other = '  - {name: other, model: keithley_707b, address: "GPIB0::17::INSTR", serial: "77", cards: [7174A]}\n'
        bench = open_bench(
            "linked15", ("tsp_link: {2: matrix}", "tsp_link: {2: other}"), ("wiring: l", other + "wiring: l")
        )
        with started(bench) as crossbar:
            assert not crossbar.capabilities.scans_itself
            assert "707B 77, not to that of the wiring file, 707B 1300001" in crossbar.describe()[-1]

    def test_a_single_cell_is_read_where_the_relays_are(self, open_bench: OpenBench) -> None:
        bench = open_bench()
        with started(bench) as crossbar:
            crossbar.measure_each(reads_of((2, 2)))
            bench.listen()
            crossbar.measure_each(reads_of((2, 2)))
            assert not any(name == "matrix" or "mtjlab.scan" in text for name, text in bench.heard)

    def test_a_scan_that_fails_leaves_everything_off_and_the_bench_usable(
        self, open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench = open_bench()
        smu: Any = bench.station.scan_units[0]
        with started(bench) as crossbar:
            good = crossbar.measure_each(reads_of((0, 0), (3, 7)))
            real, sent = smu.called, []

            def impossible(call: str, *rest: Any) -> Any:
                sent.append(call)
                return real(call.replace("1A04", "1A99"), *rest)

            monkeypatch.setattr(smu, "called", impossible)
            with pytest.raises(InstrumentError, match="scan"):
                crossbar.measure_each(reads_of((0, 0), (3, 7)))
            assert len(sent) == 1
            assert not bench.world.is_live
            monkeypatch.setattr(smu, "called", real)
            bench.listen()
            again = crossbar.measure(reads_of((0, 0))[1].lines, [Line("col", 0)])[0]
            heard = [text for _, text in bench.heard]
            moved = next(k for k, text in enumerate(heard) if "exclusiveclose" in text)
            for channel in "ab":
                off = next(k for k, text in enumerate(heard) if f"smu{channel}.source.output = 0" in text)
                on = next(k for k, text in enumerate(heard) if f"smu{channel}.source.output = 1" in text)
                assert off < moved < on, "nobody knew whether its output was on"
            assert again.amps == pytest.approx(good[1].amps, rel=0.05)


def write_of(site: Site, *volts: float) -> LineWrite:
    pulses = tuple(Lines.selecting(SHAPE, site, v, v / 2) for v in volts)
    return LineWrite(cell_reads(SHAPE, site, 0.1)[1], pulses, least_amps=1.0)


class TestWrites:
    def test_pulses_are_counted_as_given_if_nobody_knows(self, open_bench: OpenBench) -> None:
        bench = open_bench(limits={"pulses_per_cell": 4})
        sites = Site(1, 1), Site(2, 2)
        with bench.crossbar as crossbar:
            crossbar.start()
            assert [o.pulses for o in crossbar.write_each([write_of(s, 0.1) for s in sites], 5e-3)] == [1, 1]
            bench.simulated.inject("silent", "smu", after_operations=1)
            with pytest.raises(InstrumentError):
                crossbar.write_each([write_of(s, 0.1, 0.1, 0.1) for s in sites], 5e-3)
            with pytest.raises(BudgetError):
                crossbar.pulse(Lines.selecting(SHAPE, Site(1, 1), 0.1, 0.05), 5e-3)

    def test_pulses_of_a_series_are_one_transaction(self, open_bench: OpenBench) -> None:
        bench = open_bench()
        series = [Lines.selecting(SHAPE, Site(k, k), 0.1, 0.05) for k in range(15)]
        with started(bench) as crossbar:
            before = crossbar.spent.bench_seconds
            bench.listen()
            crossbar.pulse_each(series, 5e-3)
            assert len([text for _, text in bench.heard if "mtjlab.pulse_each" in text]) == 1
            assert [kind for kind, _ in bench.told] == ["pulse"] * 15
            assert 15 * 5e-3 < crossbar.spent.bench_seconds - before < 15 * 0.05

    def test_pulses_of_a_series_are_counted_as_given_if_nobody_knows(self, open_bench: OpenBench) -> None:
        bench = open_bench(limits={"pulses_per_cell": 1})
        series = [Lines.selecting(SHAPE, Site(k, k), 0.1, 0.05) for k in range(2)]
        with bench.crossbar as crossbar:
            crossbar.start()
            bench.simulated.inject("silent", "smu", after_operations=0)
            with pytest.raises(InstrumentError):
                crossbar.pulse_each(series, 5e-3)
            with pytest.raises(BudgetError):
                crossbar.pulse(series[1], 5e-3)

    def test_each_pulse_and_reading_is_told(self, open_bench: OpenBench) -> None:
        bench = open_bench()
        with started(bench) as crossbar:
            crossbar.write_each([write_of(Site(1, 1), 0.1, 0.2), write_of(Site(2, 2), 0.1)], 5e-3)
            assert [kind for kind, _ in bench.told] == [
                "read", "read", "read", "pulse", "read", "pulse", "read", "read", "pulse", "read",
            ]  # fmt: skip
            tops = [readings[0] for kind, readings in bench.told if kind == "pulse"]
            assert [top.volts for top in tops] == pytest.approx([0.1, 0.2, 0.1])
            assert all(np.isnan(top.amps) for top in tops), "nobody measured them"

    def test_pulses_that_select_another_line_are_given_one_by_one(self, open_bench: OpenBench) -> None:
        bench = open_bench()
        by_column = Lines(np.full(15, 0.1), np.full(15, 0.1))
        by_column.row_volts[1], by_column.col_volts[1] = 0.0, 0.2
        mixed = LineWrite(
            write_of(Site(1, 1), 0.1).read, (*write_of(Site(1, 1), 0.1).pulses, by_column), least_amps=1.0
        )
        with started(bench) as crossbar:
            bench.listen()
            assert [o.pulses for o in crossbar.write_each([mixed, write_of(Site(2, 2), 0.1)], 5e-3)] == [2, 1]
            assert not any("mtjlab.write_each" in text for _, text in bench.heard)


class TestRelaysAtZero:
    def test_no_output_is_switched_and_every_source_has_answered_at_zero_before_a_relay_moves(
        self, open_bench: OpenBench
    ) -> None:
        bench = open_bench("biased15")
        with started(bench) as crossbar:
            crossbar.measure(Lines.selecting(SHAPE, Site(1, 1), 0.1, 0.0), [Line("col", 1)])
            bench.listen()
            crossbar.measure(Lines.selecting(SHAPE, Site(1, 2), 0.1, 0.0), [Line("col", 2)])
            heard = list(bench.heard)
        sent = [text for _, text in heard]
        assert not any("OUTP" in text for text in sent)
        moves = [k for k, (name, _) in enumerate(heard) if name == "matrix"]
        assert len(moves) == 1, "one message moves the relays and reads them back"
        assert sent[moves[0] - 2 : moves[0]] == [":SOUR1:VOLT 0.000000e+00", ":SENS1:CURR:PROT:TRIP?"]

    def test_a_source_that_does_not_answer_keeps_the_relays_from_moving(self, open_bench: OpenBench) -> None:
        bench = open_bench("biased15")
        with bench.crossbar as crossbar:
            crossbar.start()
            crossbar.measure(Lines.selecting(SHAPE, Site(1, 1), 0.1, 0.0), [Line("col", 1)])
            closed = bench.station.matrix.closed()
            bench.simulated.inject("silent", "smu")
            bench.listen()
            with pytest.raises(InstrumentError, match="did not answer"):
                crossbar.measure(Lines.selecting(SHAPE, Site(3, 2), 0.1, 0.0), [Line("col", 2)])
            assert "matrix" not in {name for name, _ in bench.heard}
            assert bench.station.matrix.closed() == closed

    def test_what_was_interrupted_while_it_was_set_counts_as_live(
        self, open_bench: OpenBench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        bench = open_bench("biased15")
        smu: Any = bench.station.smus["smu.1"]
        real = smu.set_volts

        def interrupted(volts: float) -> None:
            real(volts)
            if volts:
                raise KeyboardInterrupt

        with started(bench) as crossbar:
            monkeypatch.setattr(smu, "set_volts", interrupted)
            with pytest.raises(KeyboardInterrupt):
                crossbar.measure(Lines.selecting(SHAPE, Site(1, 1), 0.1, 0.0), [Line("col", 1)])
            monkeypatch.setattr(smu, "set_volts", real)
            crossbar.measure(Lines.selecting(SHAPE, Site(2, 3), 0.1, 0.0), [Line("col", 3)])


class TestHeldLines:
    def test_from_cell_to_cell_only_what_is_selected_is_told(self, open_bench: OpenBench) -> None:
        bench = open_bench("biased15")
        with started(bench) as crossbar:
            crossbar.measure_each(reads_of((4, 4)))
            bench.listen()
            crossbar.measure_each(reads_of((4, 5), (4, 6)))
            sent = [text for name, text in bench.heard if name == "matrix"]
        assert len(sent) == 2
        assert all("CLOS (@" in text and text.count(",") <= 1 for text in sent)

    def test_between_reading_and_pulsing_ground_becomes_half_the_voltage(self, open_bench: OpenBench) -> None:
        bench = open_bench("biased15")
        with started(bench) as crossbar:
            crossbar.measure_each(reads_of((4, 4)))
            crossbar.pulse(Lines.selecting(SHAPE, Site(4, 4), 0.4, 0.2), 5e-3)
            bench.listen()
            crossbar.measure_each(reads_of((4, 4)))
            sent = " ".join(text for name, text in bench.heard if name == "matrix")
        assert ":BIAS 0,OFF" in sent
        assert ":AGND 0,ON" in sent

    def test_floating_lines_are_not_held(self, open_bench: OpenBench) -> None:
        bench = open_bench("biased15")
        lines = Lines.selecting(SHAPE, Site(4, 4), 0.1, 0.0)
        lines.row_volts[8:] = FLOATING
        with started(bench) as crossbar:
            crossbar.measure(lines, [Line("col", 4)])
            volts = bench.world.cell_volts().reshape(SHAPE)
            assert np.abs(volts[8:]).max() < 0.005

    def test_without_a_grounded_row_the_half_selected_pulse_is_refused(self, open_bench: OpenBench) -> None:
        bench = open_bench("biased15", ground_row=None)
        with started(bench) as crossbar:
            crossbar.measure_each(reads_of((4, 4)))
            with pytest.raises(InputError, match="hold these lines and ground others") as caught:
                crossbar.pulse(Lines.selecting(SHAPE, Site(4, 4), 0.4, 0.2), 5e-3)
            assert caught.value.where == "ground_row"
            assert crossbar.spent.pulses == 0

    def test_a_matrix_that_cannot_hold_is_refused_at_the_start(self, open_bench: OpenBench) -> None:
        bench = open_bench("linked15", holds_lines=True)
        with pytest.raises(InputError, match="cannot hold lines") as caught:
            bench.crossbar.start()
        assert caught.value.where == "holds_lines"
        assert not bench.world.is_live

    def test_what_it_can_do_is_said(self, open_bench: OpenBench) -> None:
        with started(open_bench("biased15")) as crossbar:
            said = "; ".join(crossbar.describe())
            assert crossbar.capabilities.holds_lines
        assert "bias and ground mode of the matrix hold the unselected lines" in said
        assert "every reading is a transaction of its own" in said


class TestLimits:
    def test_levels_are_ramped_in_steps(self, open_bench: OpenBench) -> None:
        bench = open_bench("biased15", limits={"ramp_volts": 0.04})
        with started(bench) as crossbar:
            bench.listen()
            crossbar.measure(Lines.selecting(SHAPE, Site(1, 1), 0.1, 0.0), [Line("col", 1)])
            up = [
                float(text.split()[-1])
                for _, text in bench.heard
                if text.startswith(":SOUR1:VOLT ") and "OUTP" not in text
            ]
            crossbar.pulse(Lines.selecting(SHAPE, Site(1, 1), 0.1, 0.0), 5e-3)
        assert up == pytest.approx([0.1 / 3, 0.2 / 3, 0.1])

    def test_the_smaller_current_is_every_sources_compliance(self, open_bench: OpenBench) -> None:
        bench = open_bench(limits={"amps": 5e-3, "amps_negative": 2e-3})
        with started(bench):
            smu: Any = bench.station.smus["smu.a"]
            assert smu.amps_limit() == pytest.approx(2e-3)


def test_readout_is_the_same_by_scan_and_cell_by_cell(open_bench: OpenBench) -> None:
    maps = []
    for wiring in ({}, {"relays_move": "outputs_off"}):
        bench = open_bench("linked15", **wiring)
        with started(bench) as crossbar:
            maps.append(readout(crossbar))
        bench.close()
    by_scan, one_by_one = maps
    spread = 5 * np.hypot(by_scan.sigma, one_by_one.sigma)
    assert (np.abs(by_scan.siemens - one_by_one.siemens) < spread).all()
    assert (by_scan.sigma < 1e-6).all()
