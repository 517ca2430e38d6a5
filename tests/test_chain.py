"""The chain test: the main command whole, from VISA bytes to a report; what it leaves is what the docs say."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.nouns import ArrayMap, State

WINES = 178


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain") / "run"
    command = [
        sys.executable,
        "-W",
        "error::ResourceWarning",
        "-m",
        "mtjlab",
        "demo",
        "--seed",
        "3",
        "--out",
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "of 178 wines classified on the array" in done.stdout
    assert str(folder / "report.html") in done.stdout.replace("\n", "")
    return folder


@pytest.fixture(scope="module")
def result(run_folder: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((run_folder / "result.json").read_text())
    return loaded


def test_the_run_is_complete_and_the_bench_is_safe(result: dict[str, Any]) -> None:
    assert result["status"] == "complete"
    assert result["incidents"] == []
    assert result["outputs_off"] is True
    assert result["outputs"] == {"drive": True, "half_select": True, "sense": True}
    assert result["relays_open"] is True
    assert result["problems"] == []
    assert result["saturated_readings"] == 0


def test_the_array_classifies_as_well_as_software_and_as_predicted(result: dict[str, Any]) -> None:
    accuracy = result["accuracy"]
    assert set(accuracy) == {"software", "predicted_from_map", "on_chip", "on_chip_untuned"}
    assert accuracy["on_chip"] >= accuracy["software"] - 0.03
    assert abs(accuracy["on_chip"] - accuracy["predicted_from_map"]) <= 0.02
    confusion = np.array(result["confusion"])
    assert confusion.sum() == WINES
    assert np.trace(confusion) / WINES == pytest.approx(accuracy["on_chip"])


def test_every_reading_and_pulse_is_on_record(run_folder: Path, result: dict[str, Any]) -> None:
    lines = (run_folder / "readings.csv").read_text().splitlines()
    kinds = [line.split(",")[1] for line in lines[1:]]
    assert kinds.count("read") == result["readings"]
    assert kinds.count("pulse") == result["write_pulses"]
    assert result["visa_queries"] > result["readings"]


def test_the_written_maps_hold_the_planned_bits(run_folder: Path, result: dict[str, Any]) -> None:
    right = asked = 0
    for layer in result["layers"]:
        written = ArrayMap.load(run_folder / "maps" / f"{layer['name'].replace(' ', '_')}_written.npz")
        state = written.state[np.ix_(layer["rows"], layer["cols"])]
        bits = np.array(layer["bits"])
        assert set(np.unique(bits)) <= {State.AP, State.P}
        right += int((state == bits).sum())
        asked += bits.size
    assert right / asked == pytest.approx(result["write_fidelity"])
    assert result["write_fidelity"] >= 0.97


def test_the_folder_holds_what_the_documentation_lists(run_folder: Path, result: dict[str, Any]) -> None:
    for name in ("report.html", "bench.yaml", "bench.station.yaml", "assumed.wiring.yaml"):
        assert (run_folder / name).is_file()
    for name in ("as_found", "both_states", "layer_1_written", "layer_2_written"):
        assert not ArrayMap.load(run_folder / "maps" / f"{name}.npz").is_partial
    assert {"mtjlab", "python", "numpy", "torch"} <= set(result["versions"])
    assert result["stages"][0]["name"] == "checking instruments"
    assert sum(stage["readings"] for stage in result["stages"]) == result["readings"]
    page = (run_folder / "report.html").read_text(encoding="utf-8")
    assert f"{result['accuracy']['on_chip'] * 100:.1f}" in page
