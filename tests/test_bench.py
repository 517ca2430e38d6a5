"""The order of operations that keeps a die alive, asserted on the wire and in the world behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.bench import MatrixCrossbar, ShutdownReport
from mtjlab.drivers.keithley_707b import Keithley707B
from mtjlab.drivers.keithley_2400 import Keithley2400
from mtjlab.errors import InputError, InstrumentError, LimitError
from mtjlab.nouns import FLOATING, Line, Lines, Reading, Site
from mtjlab.roles import Crosspoint
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.world import World
from mtjlab.wiring import load_wiring

SHAPE = (3, 3)
ADDRESSES = {"drive": 24, "half_select": 25, "sense": 26, "matrix": 16}
SMUS = ("drive", "half_select", "sense")
READ = Lines.selecting(SHAPE, Site(1, 2), 0.1, 0.0)
SENSED = [Line("col", 2)]


@dataclass
class Bench:
    """A started 3 x 3 bench, and everything its instruments are told."""

    simulated: SimBench
    crossbar: MatrixCrossbar
    drivers: dict[str, Any]
    heard: list[tuple[str, str]] = field(default_factory=list)

    @property
    def world(self) -> World:
        return self.simulated.world

    def listen(self) -> None:
        """From now on, note every message on the wire."""
        for name, instrument in self.simulated.by_name.items():
            self._tap(name, instrument)

    def _tap(self, name: str, instrument: Any) -> None:
        receive = instrument.receive

        def tapped(data: bytes, **how: Any) -> None:
            self.heard.append((name, data.decode().strip()))
            receive(data, **how)

        instrument.receive = tapped

    @property
    def operations(self) -> list[str]:
        """What was heard, by kind, repetitions left out."""
        kinds: list[str] = []
        for _, message in self.heard:
            kind = _kind(message)
            if not kinds or kinds[-1] != kind:
                kinds.append(kind)
        return kinds

    def outputs_on(self) -> dict[str, bool]:
        """In the simulated instruments themselves."""
        return {name: self.simulated.by_name[name].settings.is_output_on for name in SMUS}

    def closed(self) -> set[str]:
        """Relays closed in the simulated matrix itself."""
        return {channel.name for channel in self.simulated.by_name["matrix"].closed}


def _kind(message: str) -> str:
    for part, kind in (
        ("OUTP OFF", "off"),
        ("OUTP ON", "on"),
        ("exclusiveclose", "relays, read back"),
        ("LIST", "pulse"),
        ("READ?", "read"),
        ("TRIP?", "limiting?"),
        (":SENS:CURR:RANG", "range"),
        ("LEV 0.000000e+00", "level 0"),
        ("MODE FIX", "level 0"),
        ("LEV", "level"),
    ):
        if part in message:
            return kind
    return message


def write_files(folder: Path, *, faults: str = "[]", limits: str = "{}", smus: str = "", lines: str = "") -> Path:
    """A bench file and its wiring; returns the bench file."""
    (folder / "wiring.yaml").write_text(
        "matrix: matrix\n"
        + (smus or "smus: {drive: A, half_select: B, sense: C}")
        + "\n"
        + (lines or "row_lines: [101, 102, 103]\ncol_lines: [201, 202, 203]")
        + f"\ndevice: {{name: test, nominal_on_off_siemens: 1e-4, limits: {limits}}}\n"
    )
    instruments = "".join(
        f"  - {{name: {name}, model: keithley_2400, address: 'GPIB0::{ADDRESSES[name]}::INSTR'}}\n" for name in SMUS
    )
    path = folder / "bench.yaml"
    path.write_text(
        "bench: small\nseed: 7\nline_hertz: 50\n"
        "die: {rows: 3, cols: 3, defect_rates: {short: 0, open: 0, stuck_p: 0, stuck_ap: 0}}\n"
        f"instruments:\n{instruments}"
        "  - {name: matrix, model: keithley_707b, address: 'GPIB0::16::INSTR', cards: [7174A, 7174A]}\n"
        f"wiring: wiring.yaml\nfaults: {faults}\n"
    )
    return path


@contextmanager
def bench_in(folder: Path, *, start: bool = True, listener: Any = None, **files: str) -> Iterator[Bench]:
    path = write_files(folder, **files)
    simulated = sim_bench(str(path))
    wiring = load_wiring(folder / "wiring.yaml")
    drivers: dict[str, Any] = {}
    try:
        for name, address in ADDRESSES.items():
            driver = Keithley707B if name == "matrix" else Keithley2400
            drivers[name] = driver(name, f"GPIB0::{address}::INSTR", visalib=f"{path}@mtjlab")
        smus = {name: drivers[name] for name in SMUS}
        crossbar = MatrixCrossbar(
            smus, drivers["matrix"], wiring, clock=lambda: simulated.world.seconds, listener=listener
        )
        if start:
            crossbar.start()
        yield Bench(simulated, crossbar, drivers)
    finally:
        for driver in drivers.values():
            driver.close()
        simulated.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_in(tmp_path) as made:
        yield made


class TestOrderOnTheWire:
    def test_start_switches_off_before_it_opens_relays_and_leaves_everything_off(self, tmp_path: Path) -> None:
        with bench_in(tmp_path, start=False) as bench:
            bench.listen()
            identities = bench.crossbar.start()
            assert set(identities) == set(ADDRESSES)
            messages = [message for _, message in bench.heard]
            opening = messages.index('channel.open("allslots") waitcomplete()')
            switched_off = [name for name, message in bench.heard[:opening] if "OUTP OFF" in message]
            assert switched_off == list(SMUS)
            assert not any("OUTP ON" in message for message in messages)
            assert [name for name, message in bench.heard if "CURR:PROT" in message] == list(SMUS)
            assert not any(bench.outputs_on().values())
            assert bench.closed() == set()

    def test_the_first_reading(self, bench: Bench) -> None:
        bench.listen()
        bench.crossbar.measure(READ, SENSED)
        assert bench.operations[:5] == ["range", "relays, read back", "on", "level", "read"]

    def test_every_relay_move_is_made_at_zero_with_the_outputs_off(self, bench: Bench) -> None:
        bench.crossbar.measure(READ, SENSED)
        bench.listen()
        bench.crossbar.measure(Lines.selecting(SHAPE, Site(0, 1), 0.1, 0.0), [Line("col", 1)])
        assert bench.operations[:6] == ["level 0", "off", "relays, read back", "on", "level", "read"]
        off = [name for name, message in bench.heard if "OUTP OFF" in message]
        on = [name for name, message in bench.heard if "OUTP ON" in message]
        assert off == list(SMUS)
        assert set(on) == set(SMUS)
        assert bench.heard[0] == ("drive", ":SOUR:VOLT:LEV 0.000000e+00")

    def test_the_same_lines_at_another_level_move_no_relay(self, bench: Bench) -> None:
        bench.crossbar.measure(READ, SENSED)
        bench.listen()
        bench.crossbar.measure(Lines.selecting(SHAPE, Site(1, 2), -0.05, 0.0), SENSED)
        assert bench.operations[:2] == ["level", "read"]
        assert not {"off", "on", "relays, read back"} & set(bench.operations)

    def test_unselected_lines_are_at_their_level_before_the_selected_one(self, bench: Bench) -> None:
        bench.listen()
        bench.crossbar.measure(Lines.selecting(SHAPE, Site(1, 2), 0.1, 0.05), SENSED)
        raised = [name for name, message in bench.heard if _kind(message) == "level"]
        assert raised == ["half_select", "drive"]

    def test_in_a_pulse_the_unselected_lines_come_first_and_go_last(self, bench: Bench) -> None:
        bench.listen()
        bench.crossbar.pulse(Lines.selecting(SHAPE, Site(1, 2), 0.5, 0.25), 5e-3)
        assert bench.operations == ["relays, read back", "on", "level", "pulse", "read", "level 0"]
        levels = [(name, message) for name, message in bench.heard if _kind(message) in ("level", "pulse")]
        assert [name for name, _ in levels] == ["half_select", "drive"]
        assert levels[0][1] == ":SOUR:VOLT:LEV 2.500000e-01"
        assert bench.heard[-1] == ("half_select", ":SOUR:VOLT:LEV 0.000000e+00")

    def test_a_pulse_on_the_cell_that_was_read_moves_no_relay(self, bench: Bench) -> None:
        bench.crossbar.measure(READ, SENSED)
        bench.listen()
        bench.crossbar.pulse(Lines.selecting(SHAPE, Site(1, 2), 0.5, 0.25), 5e-3)
        assert bench.operations == ["level 0", "range", "level", "pulse", "read", "level 0"]

    def test_idle_is_level_zero_then_off(self, bench: Bench) -> None:
        bench.crossbar.measure(READ, SENSED)
        bench.listen()
        bench.crossbar.idle()
        assert bench.operations == ["level 0", "off"]
        assert not any(bench.outputs_on().values())

    def test_shutdown_switches_every_output_off_before_the_relays_open(self, bench: Bench) -> None:
        bench.crossbar.measure(READ, SENSED)
        bench.listen()
        bench.crossbar.shutdown()
        opening = bench.heard.index(("matrix", 'channel.open("allslots") waitcomplete()'))
        assert [name for name, message in bench.heard[:opening] if "OUTP OFF" in message] == list(SMUS)

    def test_the_smus_are_routed_to_the_lines_of_the_wiring_file(self, bench: Bench) -> None:
        bench.crossbar.measure(READ, SENSED)
        assert bench.closed() == {"1A02", "1B01", "1B03", "2B01", "2B02", "2C03"}

    def test_a_floating_line_is_connected_to_nothing(self, bench: Bench) -> None:
        lines = Lines(np.array([0.1, FLOATING, FLOATING]), np.array([0.0, FLOATING, FLOATING]))
        bench.crossbar.measure(lines, [Line("col", 0)])
        assert bench.closed() == {"1A01", "2C01"}
        assert not bench.outputs_on()["half_select"]


LEVELS = st.sampled_from([0.0, 0.1, -0.1])
SITES = st.builds(Site, st.integers(0, 2), st.integers(0, 2))
ACTIONS = st.one_of(
    st.tuples(st.just("read"), SITES, LEVELS),
    st.tuples(st.just("pulse"), SITES, st.sampled_from([0.4, -0.5, 0.8, -0.8])),
    st.tuples(st.just("idle"), SITES, LEVELS),
    st.tuples(st.just("float"), SITES, LEVELS),
)


def act(crossbar: MatrixCrossbar, what: str, site: Site, volts: float) -> None:
    if what == "read":
        crossbar.measure(Lines.selecting(SHAPE, site, volts, 0.0), [Line("col", site.col)])
    elif what == "pulse":
        crossbar.pulse(Lines.selecting(SHAPE, site, volts, volts / 2), 5e-3)
    elif what == "float":
        lines = Lines.selecting(SHAPE, site, volts, FLOATING)
        crossbar.measure(lines, [Line("col", site.col)])
    else:
        crossbar.idle()


def test_no_sequence_of_transactions_harms_the_die_or_a_relay(tmp_path: Path) -> None:
    with bench_in(tmp_path, start=False) as bench:

        @given(st.lists(ACTIONS, max_size=12))
        @settings(derandomize=True, database=None, deadline=None, max_examples=25)
        def holds(actions: list[tuple[str, Site, float]]) -> None:
            bench.simulated.reset()
            wiring = load_wiring(tmp_path / "wiring.yaml")
            crossbar = MatrixCrossbar(bench.drivers, bench.drivers["matrix"], wiring)
            with crossbar:
                crossbar.start()
                for what, site, volts in actions:
                    act(crossbar, what, site, volts)
            assert bench.world.incidents == []
            assert crossbar.shutdown_report is not None
            assert crossbar.shutdown_report.is_safe
            assert not bench.world.is_live
            assert bench.closed() == set()

        holds()


def test_the_world_would_have_noticed_a_hot_relay(bench: Bench) -> None:
    """The test above can fail: a bench that skips the order is caught."""
    bench.crossbar.measure(READ, SENSED)
    bench.drivers["matrix"].route([Crosspoint("A", 101), Crosspoint("C", 203)])
    assert {incident.kind for incident in bench.world.incidents} == {"hot switching"}


class TestRelaysReadBack:
    @pytest.mark.parametrize(
        ("wrong", "words"),
        [
            (lambda closed: closed - {Crosspoint("A", 102)}, ["wanted but open: A102", "not wanted: none"]),
            (lambda closed: closed | {Crosspoint("H", 112)}, ["not wanted: H112", "wanted but open: none"]),
        ],
    )
    def test_a_mismatch_is_refused_with_the_outputs_off(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, wrong: Callable[[frozenset], frozenset], words: list[str]
    ) -> None:
        bench.crossbar.measure(Lines.selecting(SHAPE, Site(0, 0), 0.1, 0.0), [Line("col", 0)])
        route = bench.drivers["matrix"].route
        monkeypatch.setattr(bench.drivers["matrix"], "route", lambda closed: wrong(route(closed)))
        bench.listen()
        with pytest.raises(InstrumentError, match="relays read back wrong") as caught:
            bench.crossbar.measure(READ, SENSED)
        for word in words:
            assert word in caught.value.what
        assert caught.value.where == "matrix"
        assert caught.value.remedy
        assert not any(bench.outputs_on().values())
        assert "on" not in bench.operations
        assert bench.crossbar.spent.readings == 1

    def test_the_next_transaction_routes_anew(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        route = bench.drivers["matrix"].route
        monkeypatch.setattr(bench.drivers["matrix"], "route", lambda closed: frozenset())
        with pytest.raises(InstrumentError):
            bench.crossbar.measure(READ, SENSED)
        monkeypatch.setattr(bench.drivers["matrix"], "route", route)
        bench.listen()
        assert bench.crossbar.measure(READ, SENSED)[0].amps > 1e-6
        assert "relays, read back" in bench.operations


class TestShutdown:
    def test_a_safe_end(self, bench: Bench) -> None:
        with bench.crossbar as crossbar:
            crossbar.measure(READ, SENSED)
            assert bench.world.is_live
        report = bench.crossbar.shutdown_report
        assert report == ShutdownReport(dict.fromkeys(SMUS, True), True, ())
        assert report.is_safe
        assert not bench.world.is_live
        assert bench.closed() == set()

    @pytest.mark.parametrize("silent", SMUS)
    def test_a_silent_smu_keeps_nothing_else_on(self, tmp_path: Path, silent: str) -> None:
        faults = f"[{{instrument: {silent}, kind: silent, after_operations: 26}}]"
        with bench_in(tmp_path, faults=faults) as bench:
            with pytest.raises(InstrumentError, match=f"{silent} .*did not answer"), bench.crossbar as crossbar:
                for k in range(60):
                    crossbar.measure(Lines.selecting(SHAPE, Site(k % 3, k % 2), 0.1, 0.0), [Line("col", k % 2)])
                    crossbar.check_errors()
            others = [name for name in SMUS if name != silent]
            report = bench.crossbar.shutdown_report
            assert report is not None
            assert not report.is_safe
            assert report.outputs_off == {silent: None, **dict.fromkeys(others, True)}
            assert report.relays_open is True
            assert any(silent in problem and "did not answer" in problem for problem in report.problems)
            assert not any(bench.outputs_on()[name] for name in others)
            assert bench.closed() == set()
            assert np.abs(bench.world.cell_volts()).max() < 1e-6

    def test_a_silent_matrix_keeps_no_output_on(self, tmp_path: Path) -> None:
        with bench_in(tmp_path, faults="[{instrument: matrix, kind: silent, after_operations: 15}]") as bench:
            with pytest.raises(InstrumentError, match="matrix"), bench.crossbar as crossbar:
                for k in range(60):
                    crossbar.measure(Lines.selecting(SHAPE, Site(k % 3, k % 2), 0.1, 0.0), [Line("col", k % 2)])
            report = bench.crossbar.shutdown_report
            assert report is not None
            assert report.outputs_off == dict.fromkeys(SMUS, True)
            assert report.relays_open is None
            assert not report.is_safe
            assert not any(bench.outputs_on().values())
            assert np.abs(bench.world.cell_volts()).max() < 1e-6

    def test_everything_silent_is_told_for_each(self, tmp_path: Path) -> None:
        silent = ", ".join(f"{{instrument: {name}, kind: silent, at_seconds: 100}}" for name in ADDRESSES)
        with bench_in(tmp_path, faults=f"[{silent}]") as bench:
            bench.crossbar.measure(READ, SENSED)
            bench.world.wait(100)
            report = bench.crossbar.shutdown()
            assert report.outputs_off == dict.fromkeys(SMUS, None)
            assert report.relays_open is None
            for name in ADDRESSES:
                assert any(name in problem for problem in report.problems)

    def test_a_hung_smu_is_cleared_and_switched_off(self, tmp_path: Path) -> None:
        with bench_in(tmp_path, faults="[{instrument: drive, kind: hang, at_seconds: 100}]") as bench:
            bench.crossbar.measure(READ, SENSED)
            bench.world.wait(100)
            report = bench.crossbar.shutdown()
            assert report.is_safe
            assert report.problems
            assert not any(bench.outputs_on().values())

    @pytest.mark.parametrize("lost", ADDRESSES)
    def test_a_lost_session_is_opened_anew_to_switch_off(self, bench: Bench, lost: str) -> None:
        bench.crossbar.measure(READ, SENSED)
        bench.simulated.inject("dropped", lost)
        report = bench.crossbar.shutdown()
        assert report.is_safe
        assert any(lost in problem for problem in report.problems)
        assert not any(bench.outputs_on().values())
        assert bench.closed() == set()

    def test_a_spoilt_answer_is_not_the_last_word(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        said = iter([True, False])
        monkeypatch.setattr(bench.drivers["sense"], "is_output_on", lambda: next(said))
        assert bench.crossbar.shutdown().is_safe

    def test_an_output_that_stays_on_is_told(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bench.drivers["sense"], "is_output_on", lambda: True)
        report = bench.crossbar.shutdown()
        assert report.outputs_off["sense"] is False
        assert not report.is_safe

    @pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, RuntimeError])
    def test_whatever_ends_the_run_everything_is_off(self, bench: Bench, error: type[BaseException]) -> None:
        with pytest.raises(error), bench.crossbar as crossbar:
            crossbar.measure(READ, SENSED)
            raise error
        assert bench.crossbar.shutdown_report is not None
        assert bench.crossbar.shutdown_report.is_safe
        assert not bench.world.is_live
        assert bench.closed() == set()

    @pytest.mark.parametrize("call", ["set_volts", "read", "pulse", "output_on"])
    def test_an_interrupt_in_the_middle_of_a_transaction_leaves_everything_off(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch, call: str
    ) -> None:
        drive = bench.drivers["sense" if call == "read" else "drive"]
        real = getattr(drive, call)

        def interrupted(*values: float) -> None:
            real(*values)
            raise KeyboardInterrupt

        monkeypatch.setattr(drive, call, interrupted)
        with pytest.raises(KeyboardInterrupt), bench.crossbar as crossbar:
            crossbar.measure(READ, SENSED)
            crossbar.pulse(Lines.selecting(SHAPE, Site(1, 1), 0.5, 0.25), 5e-3)
        assert bench.crossbar.shutdown_report is not None
        assert bench.crossbar.shutdown_report.is_safe
        assert not bench.world.is_live
        assert bench.world.incidents == []

    def test_a_bench_that_was_shut_down_stays_off_until_it_is_started_again(self, bench: Bench) -> None:
        bench.crossbar.measure(READ, SENSED)
        bench.crossbar.shutdown()
        with pytest.raises(InstrumentError, match="has not been started"):
            bench.crossbar.measure(READ, SENSED)
        assert not bench.world.is_live

    def test_a_bench_that_is_started_again_measures_again(self, bench: Bench) -> None:
        first = bench.crossbar.measure(READ, SENSED)[0].amps
        bench.crossbar.start()
        assert bench.crossbar.measure(READ, SENSED)[0].amps == pytest.approx(first, rel=0.05)

    def test_after_a_failed_output_on_no_relay_moves_with_an_output_on(
        self, bench: Bench, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        last = bench.drivers["half_select"]
        real = last.output_on

        def failing() -> None:
            raise InstrumentError("did not answer", where="half_select")

        monkeypatch.setattr(last, "output_on", failing)
        with pytest.raises(InstrumentError):
            bench.crossbar.measure(READ, SENSED)
        monkeypatch.setattr(last, "output_on", real)
        on_while_moving: list[bool] = []
        route = bench.drivers["matrix"].route

        def watch(closed: Any) -> Any:
            on_while_moving.extend(bench.outputs_on().values())
            return route(closed)

        monkeypatch.setattr(bench.drivers["matrix"], "route", watch)
        bench.crossbar.measure(Lines.selecting(SHAPE, Site(0, 0), 0.1, 0.0), [Line("col", 0)])
        assert not any(on_while_moving)


class TestDropOuts:
    @pytest.mark.parametrize(
        ("kind", "name"), [("trip", name) for name in SMUS] + [("power_loss", name) for name in ADDRESSES]
    )
    def test_what_was_read_while_an_instrument_dropped_out_is_not_told(
        self, tmp_path: Path, kind: str, name: str
    ) -> None:
        told: list[Any] = []
        with bench_in(tmp_path, listener=lambda *heard: told.append(heard)) as bench:
            bench.crossbar.measure(READ, SENSED)
            assert len(told) == 1
            bench.simulated.inject(kind, name)
            with pytest.raises(InstrumentError, match=r"lost its power|802|did not answer") as caught:
                bench.crossbar.measure(Lines.selecting(SHAPE, Site(1, 2), 0.05, 0.0), SENSED)
            assert name in caught.value.where
            assert caught.value.remedy
            assert len(told) == 1
            assert bench.crossbar.shutdown().is_safe

    def test_a_pulse_while_an_instrument_lost_its_power_is_not_told(self, tmp_path: Path) -> None:
        told: list[Any] = []
        with bench_in(tmp_path, listener=lambda *heard: told.append(heard)) as bench:
            bench.crossbar.pulse(Lines.selecting(SHAPE, Site(1, 2), 0.3, 0.15), 5e-3)
            bench.simulated.inject("power_loss", "half_select")
            with pytest.raises(InstrumentError, match=r"half_select .*lost its power"):
                bench.crossbar.pulse(Lines.selecting(SHAPE, Site(1, 2), 0.3, 0.15), 5e-3)
            assert len(told) == 1

    def test_the_last_reading_is_looked_at_as_well(self, bench: Bench) -> None:
        bench.crossbar.measure(READ, SENSED)
        bench.crossbar.check_errors()
        bench.simulated.inject("power_loss", "drive")
        with pytest.raises(InstrumentError, match=r"drive .*lost its power"):
            bench.crossbar.check_errors()

    def test_an_output_that_comes_on_after_a_power_failure_has_its_compliance(self, bench: Bench) -> None:
        bench.simulated.inject("power_loss", "drive")
        bench.drivers["drive"].output_on()
        assert bench.drivers["drive"].amps_limit() == pytest.approx(1e-2)

    def test_no_range_beyond_the_compliance_is_asked_for(self, tmp_path: Path) -> None:
        with bench_in(tmp_path, limits="{amps: 1.0e-4}") as bench:
            bench.crossbar.measure(READ, SENSED)
            bench.crossbar.check_errors()
            assert bench.drivers["sense"].amps_range() == pytest.approx(1.05e-4)


class TestRefusals:
    def test_not_started(self, tmp_path: Path) -> None:
        with bench_in(tmp_path, start=False) as bench:
            bench.listen()
            with pytest.raises(InstrumentError, match="not been started"):
                bench.crossbar.measure(READ, SENSED)
            with pytest.raises(InstrumentError, match="not been started"):
                bench.crossbar.pulse(READ, 5e-3)
            assert bench.heard == []

    def test_more_levels_than_smus(self, bench: Bench) -> None:
        lines = Lines.grounded(*SHAPE)
        lines.row_volts[:] = 0.02, 0.05, 0.1
        bench.listen()
        with pytest.raises(InputError, match="4 levels at once need 4 SMUs, 2 are free") as caught:
            bench.crossbar.measure(lines, SENSED)
        assert "fewer levels" in caught.value.remedy
        assert bench.heard == []

    def test_more_than_one_sensed_line(self, bench: Bench) -> None:
        with pytest.raises(InputError, match="one line at a time"):
            bench.crossbar.measure(READ, [Line("col", 1), Line("col", 2)])

    @pytest.mark.parametrize("sensed", [Line("col", 3), Line("row", 0)])
    def test_a_sensed_line_that_is_not_driven(self, bench: Bench, sensed: Line) -> None:
        lines = Lines.grounded(*SHAPE)
        lines.row_volts[0] = FLOATING
        with pytest.raises(InputError):
            bench.crossbar.measure(lines, [sensed])

    def test_a_cell_gets_no_more_pulses_than_its_limit(self, tmp_path: Path) -> None:
        with bench_in(tmp_path, limits="{pulses_per_cell: 3}") as bench:
            for site in (Site(1, 1), Site(1, 2)):
                pulse = Lines.selecting(SHAPE, site, 0.3, 0.15)
                for _ in range(3):
                    bench.crossbar.pulse(pulse, 5e-3)
                bench.heard.clear()
                bench.listen()
                with pytest.raises(
                    LimitError, match=rf"cell \({site.row}, {site.col}\) has had its 3 pulses"
                ) as caught:
                    bench.crossbar.pulse(pulse, 5e-3)
                assert str(tuple(site)) in caught.value.what
                assert caught.value.where == "device.limits.pulses_per_cell"
                assert bench.heard == []
            assert bench.crossbar.spent.pulses == 6

    @pytest.mark.parametrize(
        ("files", "where"),
        [
            ({"lines": "row_lines: [101, 102, 301]\ncol_lines: [201, 202, 203]"}, "row_lines[2]"),
            ({"lines": "row_lines: [101, 102, 103]\ncol_lines: [113, 202, 203]"}, "col_lines[0]"),
            ({"smus": "smus: {drive: A, half_select: J, sense: C}"}, "smus.half_select"),
        ],
    )
    def test_wiring_that_is_not_fitted(self, tmp_path: Path, files: dict[str, str], where: str) -> None:
        write_files(tmp_path, **files)
        asked = load_wiring(tmp_path / "wiring.yaml")
        with bench_in(tmp_path, start=False) as bench:
            crossbar = MatrixCrossbar(bench.drivers, bench.drivers["matrix"], asked)
            with pytest.raises(InputError, match="is not fitted") as caught:
                crossbar.start()
            assert caught.value.where.endswith(where)
            assert "Fitted are" in caught.value.remedy
            assert not any(bench.outputs_on().values())

    def test_an_smu_that_the_bench_lacks(self, bench: Bench, tmp_path: Path) -> None:
        drivers = {name: driver for name, driver in bench.drivers.items() if name != "sense"}
        with pytest.raises(InputError, match="sense"):
            MatrixCrossbar(drivers, bench.drivers["matrix"], load_wiring(tmp_path / "wiring.yaml"))


def test_the_listener_hears_of_every_transaction_after_it(tmp_path: Path) -> None:
    heard: list[tuple[str, list[Line], list[Reading]]] = []

    def listen(kind: str, lines: Lines, sense: Any, readings: Any) -> None:
        heard.append((kind, list(sense), list(readings)))

    with bench_in(tmp_path, listener=listen) as bench:
        readings = bench.crossbar.measure(READ, SENSED)
        top = bench.crossbar.pulse(Lines.selecting(SHAPE, Site(1, 2), 0.5, 0.25), 5e-3)
        with pytest.raises(LimitError):
            bench.crossbar.pulse(Lines.selecting(SHAPE, Site(1, 2), 2.0, 1.0), 5e-3)
    assert heard == [("read", SENSED, readings), ("pulse", [Line("row", 1)], [top])]


def test_every_instrument_has_a_job(bench: Bench) -> None:
    jobs = bench.crossbar.jobs
    assert set(jobs) == set(ADDRESSES)
    assert len(set(jobs.values())) == len(jobs)


def test_a_limiting_source_is_told_with_the_reading(tmp_path: Path) -> None:
    with bench_in(tmp_path, limits="{amps: 1.0e-5}") as bench:
        lines = Lines.grounded(*SHAPE)
        lines.row_volts[:] = 0.1
        reading = bench.crossbar.measure(lines, SENSED)[0]
        assert reading.in_compliance
    with bench_in(tmp_path) as bench:
        reading = bench.crossbar.measure(lines, SENSED)[0]
        assert not reading.in_compliance


def test_an_error_in_a_queue_is_raised_with_the_instruments_words(bench: Bench) -> None:
    bench.crossbar.check_errors()
    bench.drivers["half_select"].write(":NO:SUCH")
    with pytest.raises(InstrumentError, match="Undefined header") as caught:
        bench.crossbar.check_errors()
    assert "half_select" in caught.value.where
