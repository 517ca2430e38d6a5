"""A bench for a notebook: started inside of the block, off after it, and nobody else on it meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mtjlab import bench_lock, guarded_bench
from mtjlab.bench import MatrixCrossbar
from mtjlab.bench_lock import BenchLock, holder_of
from mtjlab.bench_report import ShutdownReport
from mtjlab.errors import InputError, InstrumentError
from mtjlab.nouns import Site
from mtjlab.protocols.readout import read_cell
from mtjlab.sim_instruments.simulated_bench import bench_path, sim_bench

WIRING = bench_path("passive15").with_name("passive15.wiring.yaml")
STATION = WIRING.with_name("passive15.station.yaml")
DRIVE = "GPIB0::24::INSTR"


@pytest.fixture(autouse=True)
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Locks of this test alone, and a bench that nobody has touched."""
    monkeypatch.setattr(bench_lock, "lock_folder", lambda: tmp_path / "locks")
    sim_bench("passive15").reset()
    yield tmp_path / "locks"
    sim_bench("passive15").reset()


@pytest.fixture
def real(monkeypatch: pytest.MonkeyPatch) -> None:
    """The station is taken for one of real instruments."""
    monkeypatch.setattr(guarded_bench, "simulated_bench_of", lambda station: None)


def test_it_is_started_inside_and_off_afterwards(tmp_path: Path) -> None:
    heard: list[str] = []
    with guarded_bench.guarded_bench(
        STATION, str(WIRING), log=tmp_path / "log", listener=lambda kind, *more: heard.append(kind)
    ) as crossbar:
        assert 1e-5 < read_cell(crossbar, Site(3, 4)) < 1e-3
    world = sim_bench("passive15").world
    assert crossbar.shutdown_report.is_safe and not world.is_live and world.incidents == []
    assert heard == ["read", "read"]
    assert not (tmp_path / "locks").exists(), "a simulated bench needs no lock"


def test_it_is_off_after_an_error_too() -> None:
    with pytest.raises(ZeroDivisionError), guarded_bench.guarded_bench(STATION, WIRING) as crossbar:
        read_cell(crossbar, Site(0, 0))
        raise ZeroDivisionError
    assert crossbar.shutdown_report.is_safe and not sim_bench("passive15").world.is_live


def test_real_instruments_are_locked_and_watched(real: None, locks: Path, tmp_path: Path) -> None:
    with guarded_bench.guarded_bench(STATION, WIRING, log=tmp_path / "log"):
        assert holder_of(DRIVE, locks) is not None
        with (
            pytest.raises(InputError, match="in use by"),
            guarded_bench.guarded_bench(STATION, WIRING, log=tmp_path / "log"),
        ):
            pass
    assert holder_of(DRIVE, locks) is None
    assert not (tmp_path / "log").exists(), "the second process had nothing to do"


def test_what_another_program_uses_is_not_even_opened(real: None, locks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mtjlab.station.open_station", lambda *given: pytest.fail("it was opened"))
    with (
        BenchLock([DRIVE], locks),
        pytest.raises(InputError, match="in use by"),
        guarded_bench.guarded_bench(STATION, WIRING),
    ):
        pass


def test_a_bench_that_is_not_known_to_be_off_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    left = ShutdownReport({"drive": None}, True, ("drive does not answer",))
    with (
        pytest.raises(InstrumentError, match="drive does not answer"),
        guarded_bench.guarded_bench(STATION, WIRING) as crossbar,
    ):
        done = crossbar.shutdown
        monkeypatch.setattr(MatrixCrossbar, "shutdown", lambda self: setattr(self, "shutdown_report", left))
    monkeypatch.undo()
    done()
