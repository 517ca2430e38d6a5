"""Faults of the simulated benches at any moment of a read and of a write: nothing stays on, nothing is hushed up."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from mtjlab.bench import MatrixCrossbar
from mtjlab.bench_report import ShutdownReport

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = 60
pytestmark = pytest.mark.skipif(not (ROOT / "benchmarks").is_dir(), reason="needs the source tree, not only the wheel")


@pytest.fixture
def matrix(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT))
    return importlib.import_module("benchmarks.fault_matrix")


@pytest.fixture
def failures(matrix: ModuleType, tmp_path: Path) -> Callable[..., list[str]]:
    """What is said of one fault on passive15, just before a message of this phase to this instrument."""

    def found(kind: str, instrument: str, phase: str) -> list[str]:
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        rig = matrix.Rig("passive15", folder)
        try:
            run = matrix.undisturbed(rig, "read")
            case = next(
                case
                for case in matrix.cases(rig, "read", run)
                if (case.kind, case.target, case.operation.phase) == (kind, instrument, phase)
            )
            return list(matrix._tried(rig, case, run).failures)
        finally:
            rig.close()

    return found


def test_no_fault_leaves_anything_on_or_goes_unnoticed(matrix: ModuleType) -> None:
    found = matrix.verdicts(sample=SAMPLE)
    assert [f"{verdict.case}: {verdict.failures}" for verdict in found if verdict.failures] == []
    assert len(found) == SAMPLE
    assert {verdict.case.bench for verdict in found} == set(matrix.BENCHES)
    assert len({verdict.case.kind for verdict in found}) > len(matrix.KINDS) / 2
    assert len({verdict.noticed for verdict in found}) > 2, "some do no harm, some end the run, some are seen by nobody"


def test_it_would_be_seen_if_nothing_were_switched_off(
    failures: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def report_only(crossbar: MatrixCrossbar) -> ShutdownReport:
        safe = dict.fromkeys(("drive", "half_select", "sense"), True)
        crossbar.shutdown_report = ShutdownReport(safe, True, ())
        return crossbar.shutdown_report

    monkeypatch.setattr(MatrixCrossbar, "shutdown", report_only)
    monkeypatch.setattr(MatrixCrossbar, "idle", lambda crossbar: None)  # protocols switch off by themselves as well
    found = failures("hang", "sense", "reading")
    assert "sense is on and reported as off" in found
    assert "relays are closed and reported as open" in found
    assert any("V across a cell" in failure for failure in found)


def test_it_would_be_seen_if_a_drop_out_went_unnoticed(
    failures: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert failures("power_loss", "drive", "level set") == []
    monkeypatch.setattr(MatrixCrossbar, "_check_status", lambda crossbar: None)
    assert failures("power_loss", "drive", "level set") == ["went unnoticed"]


def test_it_would_be_seen_if_a_message_named_nobody(
    failures: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mtjlab.drivers.checked_visa.CheckedVisa._where", lambda driver: "somewhere")
    assert failures("silent", "matrix", "relays moving") == ["the message does not name the instrument"]


def test_it_would_be_seen_if_something_else_escaped(
    failures: Callable[..., list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def careless(driver: Any, cmd: str) -> float:
        return float(driver.ask(cmd)) + float("spoilt")

    monkeypatch.setattr("mtjlab.drivers.checked_visa.CheckedVisa.ask_number", careless)
    assert failures("late", "drive", "prepare") == ["ValueError escaped"]
