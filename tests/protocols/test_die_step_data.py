"""Networks for any data: trained for a die's map from a table or pictures, with its cells in the loop, run on it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter
from typer.testing import CliRunner

from mtjlab.cli import app, main
from mtjlab.engine.placement import place
from mtjlab.errors import InputError
from mtjlab.limits import DeviceLimits
from mtjlab.network_file import PlacedNetwork
from mtjlab.nouns import ArrayMap, State
from mtjlab.physics.die_description import DefectRates, DieDescription
from mtjlab.protocols.die_steps import DieContext, numbers_of, run_steps
from mtjlab.recipe_steps import AnyStep, Step
from mtjlab.sim_instruments.array_crossbar import THREE_UNITS, ArrayCrossbar
from mtjlab.sim_instruments.die import Die

pytest.importorskip("torch")
FLOWERS = ("lily", "rose", "tulip")


def step(**said: object) -> Step:
    made: Step = TypeAdapter(AnyStep).validate_python(said)
    return made


@pytest.fixture(scope="module")
def classified(tmp_path_factory: pytest.TempPathFactory) -> DieContext:
    """A die of 15 x 15 with some defects, classified; its map is `m.npz`, a table of flowers `flowers.csv` beside."""
    folder = tmp_path_factory.mktemp("die")
    rng = np.random.default_rng(4)
    die = Die(DieDescription(rows=15, cols=15, defect_rates=DefectRates(short=0.0, stuck_p=0.02, stuck_ap=0.02)), rng)
    crossbar = ArrayCrossbar(die, rng, limits=DeviceLimits(pulses_per_cell=5000), capabilities=THREE_UNITS)
    context = DieContext(crossbar, unit_siemens=9.6e-5, beside=lambda name: folder / name)
    context.keep_network = lambda name, network: network.save(folder / f"{name}.npz")
    run_steps([step(step="classify", how="quick")], context)
    assert context.known is not None
    context.known.save(folder / "m.npz")
    rows = (f"{k % 3 + rng.normal() / 5:.4f},{FLOWERS[k % 3]},{-(k % 3) + rng.normal() / 5:.4f}" for k in range(90))
    (folder / "flowers.csv").write_text("height,kind,width\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return context


def test_a_table_with_the_cells_in_the_loop_onto_the_array(classified: DieContext) -> None:
    said = {"data": "flowers.csv", "labels": "kind", "aware": "hardware", "hidden": 4, "samples": 12}
    outcomes = run_steps([step(step="train", map="m.npz", solutions=4, epochs=200, **said)], classified)
    trained = numbers_of(outcomes)
    assert outcomes[0].found.details["network"] == [2, 4, 3]
    assert outcomes[0].found.details["samples_on_array"] == 12
    assert trained["train.planned_accuracy"] >= 0.9
    kept = PlacedNetwork.load(classified.beside("network.npz"))
    assert kept.source.data == str(classified.beside("flowers.csv")) and kept.source.sha256
    found = run_steps([step(step="infer", map="m.npz", network="network.npz")], classified)
    numbers = numbers_of(found)
    assert numbers["infer.accuracy"] >= 0.9
    assert numbers["infer.software_accuracy"] == trained["train.software_accuracy"]
    result = found[0].found.details
    assert result["data"] == "flowers" and result["class_names"] == list(FLOWERS)
    assert np.sum(result["confusion"]) == 12


def test_what_was_trained_for_certain_cells_stays_on_their_lines(classified: DieContext) -> None:
    said = {"data": "flowers.csv", "labels": "kind", "aware": "hardware", "hidden": 4}
    run_steps([step(step="train", map="m.npz", solutions=2, epochs=5, **said)], classified)
    known = ArrayMap.load(classified.beside("m.npz"))
    assert classified.network is not None
    for layer, (inputs, outputs) in zip(classified.network.plan.layers, ((2, 4), (4, 3)), strict=True):
        lines = place(inputs, outputs, known)
        assert np.array_equal(layer.rows, lines.rows) and np.array_equal(layer.cols, lines.cols)


def test_digits_of_some_classes_fit_a_small_die(classified: DieContext) -> None:
    said: dict[str, Any] = {"data": "digits", "inputs": 15, "classes": [0, 1, 7], "samples": 20}
    trained = numbers_of(run_steps([step(step="train", map="m.npz", solutions=3, epochs=60, **said)], classified))
    assert trained["train.software_accuracy"] > 0.8
    assert classified.network is not None
    assert classified.network.source.classes == ("0", "1", "7")
    assert set(np.unique(classified.network.solution.bits[0])) <= {State.AP, State.P}


def test_what_does_not_fit_the_map_is_refused_before_training(classified: DieContext) -> None:
    with pytest.raises(InputError, match=r"64 inputs, 6 hidden units and 10 classes does not fit an array of 15 x 15"):
        run_steps([step(step="train", map="m.npz", data="digits")], classified)


def test_data_that_changed_since_are_refused_before_anything_is_written(classified: DieContext, tmp_path: Path) -> None:
    said = {"data": "flowers.csv", "labels": "kind"}
    run_steps([step(step="train", map="m.npz", solutions=2, epochs=5, **said)], classified)
    table = classified.beside("flowers.csv")
    before = table.read_bytes()
    table.write_bytes(before + b"1.0,rose,-1.0\n")
    spent = classified.spent
    with pytest.raises(InputError, match="have changed since the network was trained"):
        run_steps([step(step="infer", map="m.npz", network="network.npz")], classified)
    assert classified.spent == spent
    table.write_bytes(before)


@pytest.fixture
def at(classified: DieContext, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = classified.beside("")
    monkeypatch.chdir(folder)
    return folder


def test_train_as_typed_with_a_table(at: Path, tmp_path: Path) -> None:
    typed = [
        "train",
        "--map",
        "m.npz",
        "--data",
        "flowers.csv",
        "--labels",
        "kind",
        "--hidden",
        "3",
        "--solutions",
        "2",
    ]
    typed += ["--hardware-aware", "--set", "epochs=20", "--out", str(tmp_path / "o"), "--json"]
    done = CliRunner().invoke(app, typed, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    details = json.loads(done.stdout.splitlines()[-1])["steps"][0]["details"]
    assert details["network"] == [2, 3, 3] and details["aware"] == "hardware"
    page = (tmp_path / "o" / "report.html").read_text(encoding="utf-8")
    assert "the conductances of its very cells" in page and "height, width" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("train", "--map", "m.npz", "--data", "winee"),
            "'winee' is no data set, and there is no such file. Did you mean",
        ),
        (("train", "--map", "m.npz", "--data", "flowers.csv"), "column 'kind' has 'lily', which is no number"),
        (("train", "--map", "m.npz", "--data", "flowers.csv", "--labels", "knd"), "Did you mean 'kind'?"),
        (("infer", "--data", "digits"), "does not fit an array of 15 x 15"),
        (("infer", "--network", "network.npz", "--hidden", "4"), "--network says what was trained on which data"),
    ],
)
def test_data_that_cannot_be_used_are_refused_before_anything_moves(
    at: Path,
    arguments: tuple[str, ...],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "argv", ["mtjlab", *arguments, "--out", "never"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert message in capsys.readouterr().err
    assert not (at / "never").exists()
