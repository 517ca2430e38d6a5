"""The command `mtjlab reproduce mnist`: what it prints, writes, keeps and refuses, with small dies and pictures."""

from __future__ import annotations

import hashlib
import json
import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")

from typer.testing import CliRunner

from mtjlab import cli_chip_network, cli_reproduce_mnist, cli_simulated_chips
from mtjlab.cli import app, main
from mtjlab.cli_chip_network import ChipTask
from mtjlab.engine import convolution_study, images, mnist_study
from mtjlab.engine.chip_networks import ChipForm
from mtjlab.engine.convolution_study import ConvolutionForm
from mtjlab.engine.images import DATA_VARIABLE
from mtjlab.engine.mnist_study import StudySettings
from mtjlab.engine.network_training import NetworkSettings
from mtjlab.nouns import Cost

from .engine.chip_maps import chip_maps, easy_pictures

PICTURES = 256, 64
SHORT_RUN = NetworkSettings(epochs=1, batch=32)
SETTINGS = StudySettings(
    seeds=2,
    ideal=SHORT_RUN,
    statistics=SHORT_RUN,
    hardware=SHORT_RUN,
    tuning=SHORT_RUN,
    sampled=3,
    counts={"short": (0, 20), "open": (20,)},
)


def _idx(array: np.ndarray) -> bytes:
    return b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with few files of MNIST's form, known by their checksums."""
    data = easy_pictures(*PICTURES, side=28)
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    digests = {}
    for part, features, labels in (
        ("train", data.train_features, data.train_labels),
        ("t10k", data.test_features, data.test_labels),
    ):
        bytes_ = np.round(255 * features).astype(np.uint8).reshape(-1, 28, 28)
        for kind, array in (("images-idx3", bytes_), ("labels-idx1", labels.astype(np.uint8))):
            name = f"{part}-{kind}-ubyte"
            (folder / name).write_bytes(_idx(array))
            digests[name] = hashlib.sha256(_idx(array)).hexdigest()
    monkeypatch.setattr(images, "_FILES", digests)
    monkeypatch.setenv(DATA_VARIABLE, str(folder.parent))
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keeps the stages of all tests."""
    return tmp_path_factory.mktemp("out")


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Small forms, short trainings, dies that need no bench; returns how many dies were asked for each time."""
    asked: list[int] = []

    def surveys(bench: Any, folder: Path, *, places: list[tuple[int, int]], **how: Any) -> list[Any]:
        asked.append(len(places))
        maps = chip_maps(len(places))
        cost = Cost(0, 0, 40.0)
        return [SimpleNamespace(maps=dict(enumerate(maps.maps_of(die))), cost=cost) for die in range(len(places))]

    form = ChipForm(side=7, hidden=6, output_pairs=1, limits=None)
    forms = {"plain": form, "limited parts": replace(form, output_pairs=2, limits=(1.0, 2.0))}
    digits = images.load_digits().first(128, 60)
    convolution = ConvolutionForm(channels=(2, 2, 2), training=SHORT_RUN, hardware=1, seeds=1)
    monkeypatch.setattr(cli_simulated_chips, "measured_chips", surveys)
    monkeypatch.setattr(cli_reproduce_mnist, "forms", lambda: forms)
    monkeypatch.setattr(mnist_study, "QUICK", SETTINGS)
    monkeypatch.setattr(images, "load_digits", lambda: digits)
    monkeypatch.setattr(convolution_study, "ConvolutionForm", lambda **changes: convolution)
    return asked


def run(*arguments: str) -> Any:
    outcome = CliRunner().invoke(app, ["reproduce", "mnist", *arguments])
    assert outcome.exit_code == 0, outcome.output
    return outcome


@pytest.mark.usefixtures("pictures")
def test_it_measures_trains_compares_and_writes(small: list[int], out: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    outcome = run("--quick", "--out", str(out), "--docs", str(docs))
    assert small == [4]
    result = json.loads((out / "reproduce-mnist.json").read_text(encoding="utf-8"))
    assert result == json.loads((docs / "reproduce-mnist.json").read_text(encoding="utf-8"))
    assert result["command"] == "mtjlab reproduce mnist --quick" and result["bench_seconds_per_die"] == 40.0
    assert set(result["forms"]) == {"plain", "limited parts"} and result["dies"]["count"] == 4
    assert result["convolution"]["layers"] == 4 and result["versions"]["torch"]
    page = (docs / "reproduce-mnist.md").read_text(encoding="utf-8")
    aware = result["forms"]["plain"]["ways"]["statistics"]
    assert f"| statistics-aware | {aware['mean']:.2f} |" in page and "reproduce-mnist.png" in page
    for folder in (out, docs):
        assert (folder / "reproduce-mnist.png").read_bytes().startswith(b"\x89PNG")
    assert "4 dies, test errors in percent" in outcome.stdout and "49-6-10" in outcome.stdout
    assert str(docs / "reproduce-mnist.md") in outcome.stdout.replace("\n", "")
    assert "training, ideal" in outcome.stderr
    assert "statistics-aware" in (out / "report.html").read_text(encoding="utf-8")


@pytest.mark.usefixtures("pictures", "small")
def test_a_second_run_trains_nothing_that_is_kept(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["--quick", "--json", "--out", str(out)]
    first = json.loads(run(*arguments).stdout)

    def never(*arguments: Any, **how: Any) -> None:
        raise AssertionError("a stage was computed again")

    monkeypatch.setattr(mnist_study, "train_network", never)
    second = json.loads(run(*arguments).stdout)
    for result in (first, second):
        del result["wall_seconds"]
    assert first == second
    with pytest.raises(AssertionError, match="computed again"):
        CliRunner().invoke(app, ["reproduce", "mnist", *arguments, "--seed", "2"], catch_exceptions=False)


@pytest.mark.usefixtures("pictures", "small")
def test_one_die_can_be_written_and_run(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks: list[ChipTask] = []

    class Run:
        def as_result(self) -> dict[str, Any]:
            share = {"value": 12.5, "low": 4.0, "high": 25.0}
            names = ("chip", "predicted_from_maps", "engine", "software")
            numbers = dict.fromkeys(("kernels", "write_fidelity", "write_pulses", "write_bench_seconds"), 31)
            return {
                **numbers,
                "pictures": tasks[0].count,
                "readings_per_picture": 800.0,
                "bench_seconds_per_picture": 0.25,
                "error": dict.fromkeys(names, share),
                "same_class_as_engine": share,
                "by_class": [{"class": 3, "pictures": 7, "chip_right": 6, "engine_right": 5, "same": 4}],
            }

    monkeypatch.setattr(cli_chip_network, "write_and_run", lambda task, say: tasks.append(task) or Run())
    run("--quick", "--on-chip", "1000", "--out", str(out))
    (task,) = tasks
    assert task.count == PICTURES[1] and len(task.maps) == 1 and task.place == task.bench.wafer.places[0]
    assert task.network.devices == task.tiling.devices == 49 * 12 + 6 * 40
    page = (out / "reproduce-mnist.md").read_text(encoding="utf-8")
    assert "## One die, written and run" in page and "(limited parts: 49-6-10, 2 pairs" in page
    assert "| error on the chip | 12.50 | 4.00 to 25.00 |" in page and "| 3 | 7 | 6 | 5 | 4 |" in page


def test_without_data_it_says_what_to_do_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["mtjlab", "reproduce", "mnist", "--data", str(tmp_path)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith("mtjlab:") and DATA_VARIABLE in said and len(said.splitlines()) == 1


@pytest.mark.usefixtures("pictures", "small")
def test_a_folder_that_cannot_be_written_is_named(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("in the way")
    docs = str(tmp_path / "file" / "docs")
    arguments = ["reproduce", "mnist", "--quick", "--out", str(out), "--docs", docs]
    monkeypatch.setattr(sys, "argv", ["mtjlab", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "cannot be written" in capsys.readouterr().err


def test_the_forms_use_all_of_the_chip_but_no_more() -> None:
    for form in cli_reproduce_mnist.forms().values():
        assert 18_000 < form.tiling().devices <= 20_000


def test_the_help_lists_it_and_loads_nothing_heavy() -> None:
    code = (
        "import sys, mtjlab.cli\n"
        "heavy = {'torch', 'numpy', 'scipy', 'matplotlib', 'sklearn', 'qcodes'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    said = CliRunner().invoke(app, ["reproduce", "--help"]).stdout
    assert "mnist" in said and "wine" in said
