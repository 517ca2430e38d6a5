"""The command `mtjlab reproduce wine`: what it prints, writes and refuses."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mtjlab import cli_reproduce
from mtjlab.cli import app, main
from mtjlab.cli_reproduce import _Extent
from mtjlab.sim_instruments import array_crossbar

HIDDEN, CLASSES = 3, 3


def _folder(folder: Path, features: int = 2) -> Path:
    """Two solutions of random bits in the published form, for a few samples."""
    rng = np.random.default_rng(0)
    for name in ("dataset", "solutions"):
        (folder / name).mkdir(parents=True)
    for part, count in (("train", 9), ("test", 6)):
        np.savetxt(folder / "dataset" / f"X_{part}.txt", rng.random((features, count)))
        np.savetxt(folder / "dataset" / f"Y_{part}.txt", np.eye(CLASSES)[np.arange(count) % CLASSES].T, fmt="%d")
    for k in range(2):
        for layer, (inputs, outputs) in ((1, (features, HIDDEN)), (2, (HIDDEN, CLASSES))):
            bits = rng.integers(0, 2, (inputs, 2 * outputs))
            np.savetxt(folder / "solutions" / f"{k}_fc{layer}_weight.txt", bits, fmt="%d")
            np.savetxt(folder / "solutions" / f"{k}_fc{layer}_bias.txt", rng.normal(size=outputs))
    return folder


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """Such a folder for two features."""
    return _folder(tmp_path / "published")


def _by_hand(folder: Path, g: float, part: str) -> list[float]:
    """Accuracy of each solution in percent, from the files and the formula alone."""
    x, y = (np.loadtxt(folder / "dataset" / f"{name}_{part}.txt") for name in "XY")
    found = []
    for k in range(2):
        values = x.T
        for layer in (1, 2):
            bits = np.loadtxt(folder / "solutions" / f"{k}_fc{layer}_weight.txt")
            bias = np.loadtxt(folder / "solutions" / f"{k}_fc{layer}_bias.txt")
            values = np.tanh(values @ (bits[:, 0::2] - bits[:, 1::2]) / g + bias)
        found.append(100 * float(np.mean(values.argmax(axis=1) == y.argmax(axis=0))))
    return found


def test_ideal_accuracies_of_a_published_folder(published: Path) -> None:
    outcome = CliRunner().invoke(app, ["reproduce", "wine", "--published", str(published), "--json"])
    assert outcome.exit_code == 0
    result = json.loads(outcome.stdout)
    assert result["solutions"] == 2
    for g in (0.5, 1.0, 1.5):
        one = result["by_g"][str(g)]
        train, test = (_by_hand(published, g, part) for part in ("train", "test"))
        assert one["train_mean"] == pytest.approx(np.mean(train))
        assert one["train_median"] == pytest.approx(np.median(train))
        assert one["train_min"] == pytest.approx(min(train))
        assert one["test_mean"] == pytest.approx(np.mean(test))
        assert one["test_median"] == pytest.approx(np.median(test))


def test_without_json_a_published_folder_is_written_and_run(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_reproduce, "_FULL", _Extent(solutions=2, epochs=1, arrays=1, kinds=1))
    out, docs = tmp_path / "out", tmp_path / "docs"
    arguments = ["reproduce", "wine", "--published", str(published), "--out", str(out), "--docs", str(docs)]
    outcome = CliRunner().invoke(app, [*arguments, "--workers", "1"])
    assert outcome.exit_code == 0, outcome.output
    result = json.loads((out / "reproduce-wine-published.json").read_text())
    found = result["arrays"]["40 nm"]
    assert found["solutions"] == 2 and 0 <= found["tuned"]["all"]["median"] <= 100
    assert found["write_fidelity"]["median"] > 95
    page = (docs / "reproduce-wine-published.md").read_text(encoding="utf-8")
    assert f"{found['tuned']['all']['median']:.1f} %" in page and "RA 10 ohm um^2" in page
    assert (docs / "reproduce-wine-published.png").read_bytes().startswith(b"\x89PNG")
    report = out / "report.html"
    assert "tuned" in report.read_text(encoding="utf-8") and str(report) in outcome.stdout.replace("\n", "")
    assert "40 nm" in outcome.stdout and str(docs / "reproduce-wine-published.md") in outcome.stdout.replace("\n", "")


def test_a_second_run_computes_nothing_and_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_reproduce, "_QUICK", _Extent(solutions=2, epochs=100, arrays=2, kinds=1))
    arguments = ["reproduce", "wine", "--quick", "--json", "--workers", "1", "--out", str(tmp_path)]
    first = CliRunner().invoke(app, arguments)
    assert first.exit_code == 0, first.output

    def never(crossbar: object) -> None:
        raise AssertionError("an array was made again")

    monkeypatch.setattr(array_crossbar, "ArrayCrossbar", never)
    second = CliRunner().invoke(app, arguments)
    one, two = (json.loads(outcome.stdout) for outcome in (first, second))
    for result in (one, two):
        del result["wall_seconds"]
    assert one == two
    assert set(one["arrays"]["40 nm"]["rank_correlation"]) == {"tuned", "untuned"}
    assert one["solutions"] == 2 and one["command"] == "mtjlab reproduce wine --quick"


def _refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["mtjlab", "reproduce", "wine", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("mtjlab:") and len(said.splitlines()) == 1
    return said


def test_a_bad_folder_ends_with_one_line_and_status_2(
    published: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (published / "solutions" / "0_fc2_weight.txt").unlink()
    assert "0_fc2_weight.txt" in _refused(capsys, monkeypatch, "--published", str(published), "--json")


def test_networks_that_no_array_can_hold_are_refused_before_anything_is_computed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, out = _folder(tmp_path / "wide", features=16), tmp_path / "out"
    said = _refused(capsys, monkeypatch, "--published", str(folder), "--out", str(out))
    assert "needs 16 rows" in said and not out.exists()
