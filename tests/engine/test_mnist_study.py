"""The study end to end on a few small networks and dies: what is compared, what is kept, page and figure."""
# ruff: noqa: E402, for PyTorch is optional

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mtjlab.engine import mnist_study
from mtjlab.engine.chip_networks import ChipForm, bits_of
from mtjlab.engine.convolution_study import ConvolutionForm, ConvolutionStudy
from mtjlab.engine.die_sampling import FittedDies, put_defects
from mtjlab.engine.images import load_digits
from mtjlab.engine.mnist_figure import draw_mnist
from mtjlab.engine.mnist_page import mnist_page
from mtjlab.engine.mnist_study import MnistStudy, StudySettings
from mtjlab.engine.mnist_summary import WAYS, describe_dies, summarise, summarise_ways, ways_of
from mtjlab.engine.network_scores import errors_on
from mtjlab.engine.network_training import NetworkSettings
from mtjlab.errors import InputError

from .chip_maps import RATES, chip_maps, easy_pictures

pytestmark = pytest.mark.usefixtures("one_thread")

FORM = ChipForm(side=4, hidden=12, output_pairs=2, limits=(1.0, 2.0), part_inputs=8)
SHORT_RUN = NetworkSettings(epochs=5, batch=16)
SETTINGS = StudySettings(
    seeds=2,
    ideal=SHORT_RUN,
    statistics=SHORT_RUN,
    hardware=replace(SHORT_RUN, epochs=3),
    tuning=replace(SHORT_RUN, epochs=2, learning_rate=0.005),
    sampled=4,
    counts={"short": (0, 20), "open": (20,)},
)
DIES = 4
MAPS = chip_maps(DIES, rates={name: 4 * rate for name, rate in RATES.items()})


def made(folder: Path, **changes: Any) -> MnistStudy:
    return MnistStudy(FORM, easy_pictures(), MAPS, replace(SETTINGS, **changes), folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stages")


@pytest.fixture(scope="module")
def block(folder: Path) -> dict[str, Any]:
    """The summary of one form, computed into the folder."""
    return summarise(made(folder))


def test_every_way_is_there_in_percent_over_dies(block: dict[str, Any]) -> None:
    assert block["form"] == FORM.name and block["devices"] == 16 * 24 + 12 * 40
    assert set(block["ways"]) == set(WAYS)
    baseline = block["baseline"]["mean"]
    assert baseline == pytest.approx(np.mean(block["baseline"]["seeds"]), abs=0.01) and baseline < 20
    for way, found in block["ways"].items():
        assert len(found["per_die"]) == DIES and len(found["run_means"]) == found["runs"]
        assert found["runs"] == (2 if way in ("ideal", "statistics") else 1)
        assert 0 <= found["least"] <= found["median"] <= found["most"] <= 100
        assert found["mean"] == pytest.approx(np.mean(found["per_die"]), abs=0.01)
        assert found["above_baseline"] == pytest.approx(found["mean"] - baseline, abs=0.02)


def test_knowing_the_die_helps_and_another_die_does_not(block: dict[str, Any]) -> None:
    mean = {way: found["mean"] for way, found in block["ways"].items()}
    assert mean["hardware_own"] < 0.5 * mean["ideal"]
    assert mean["hardware_other"] > 2 * mean["hardware_own"]
    assert mean["placed_tuned"] < mean["statistics"]
    transfer = np.array(block["transfer"])
    assert transfer.shape == (DIES, DIES)
    assert np.diag(transfer).mean() == pytest.approx(mean["hardware_own"], abs=0.01)
    assert transfer[~np.eye(DIES, dtype=bool)].mean() == pytest.approx(mean["hardware_other"], abs=0.01)


def test_defects_and_sensitivity_are_told_by_kind_and_number(block: dict[str, Any]) -> None:
    for way in ("ideal", "statistics"):
        curves = block["by_defects"][way]
        assert {kind: list(curve) for kind, curve in curves.items()} == {"short": ["0", "20"], "open": ["20"]}
        assert curves["short"]["20"] > curves["short"]["0"]
        points = block["sensitivity"][way]
        assert list(points) == ["0", "0.5", "1", "2"] and points["2"]["mean"] > points["0"]["mean"]


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may be trained, placed or transferred again."""

    def never(*arguments: Any, **how: Any) -> Any:
        raise AssertionError("a stage was computed again")

    for name in ("train_network", "place_on_dies", "error_matrix"):
        monkeypatch.setattr(mnist_study, name, never)


@pytest.mark.usefixtures("untrained")
def test_kept_stages_are_not_computed_again_and_say_the_same(block: dict[str, Any], folder: Path) -> None:
    assert summarise(made(folder)) == block


STAGES: dict[str, tuple[Callable[[MnistStudy], Any], dict[str, Any]]] = {
    "ideal": (MnistStudy.ideal, {"ideal": replace(SHORT_RUN, seed=9)}),
    "statistics": (MnistStudy.statistics_aware, {"seeds": 3}),
    "hardware": (MnistStudy.hardware_aware, {"hardware": replace(SHORT_RUN, epochs=4)}),
    "tuned": (lambda study: study.fine_tuned(study.cells, "tuned"), {"tuning": SHORT_RUN}),
}


@pytest.mark.usefixtures("untrained", "block")
@pytest.mark.parametrize("name", list(STAGES))
def test_other_settings_are_another_stage(name: str, folder: Path) -> None:
    stage, changes = STAGES[name]
    stage(made(folder))
    with pytest.raises(AssertionError, match="computed again"):
        stage(made(folder, **changes))


@pytest.mark.usefixtures("untrained", "block")
def test_other_pictures_dies_and_forms_are_other_stages(folder: Path) -> None:
    others = [
        MnistStudy(FORM, easy_pictures(seed=1), MAPS, SETTINGS, folder),
        MnistStudy(FORM, easy_pictures(), chip_maps(DIES, seed=1), SETTINGS, folder),
        MnistStudy(replace(FORM, limits=(1.0, 1.5)), easy_pictures(), MAPS, SETTINGS, folder),
    ]
    for study in others:
        with pytest.raises(AssertionError, match="computed again"):
            study.statistics_aware()


@pytest.mark.usefixtures("block")
def test_every_die_is_judged_by_networks_that_never_saw_its_fold(folder: Path) -> None:
    study = made(folder)
    parameters = study.statistics_aware()
    found = study.unseen(parameters, study.cells)
    for seed in range(2):
        for die in range(DIES):
            network = study.network(parameters, [2 * seed + die % 2])
            own = errors_on(network, study.data.test_features, study.data.test_labels, study.cells)[die]
            assert found[seed, die] == pytest.approx(own)
    assert study.fold_statistics[0] != study.fold_statistics[1]
    alone = MnistStudy(FORM, easy_pictures(), MAPS.select(study.fold == 1), SETTINGS, folder)
    assert study.fold_statistics[0] == mnist_study.fit_statistics(alone.maps)


@pytest.mark.usefixtures("block")
def test_placement_moves_cells_and_leaves_the_bits_alone(folder: Path) -> None:
    study = made(folder)
    parameters = study.ideal()
    placed = study.placed_cells(parameters, [0] * DIES)
    for before, after in zip(study.cells, placed, strict=True):
        assert before.off.shape == after.off.shape and not torch.equal(before.off, after.off)
    (tiling,) = study.placed(parameters, 0, [2])
    kernel, row, col = tiling.layers[0].cells
    assert len({*zip(kernel.ravel(), row.ravel(), col.ravel(), strict=True)}) == kernel.size
    assert [bits.shape for bits in bits_of(study.network(parameters, [0]))] == [(1, 16, 24), (1, 12, 40)]


def test_defects_are_put_where_they_are_asked_for() -> None:
    statistics = mnist_study.fit_statistics(MAPS)
    healthy = FittedDies(replace(statistics.times(0.0), rate_spread=0.0), ((10, 8), (6, 4), (5, 2)))
    for kind in ("short", "open", "stuck_p", "stuck_ap"):
        before = healthy.draw(3, torch.Generator().manual_seed(0))
        after = healthy.draw(3, torch.Generator().manual_seed(0))
        put_defects(after, kind, 30, statistics, torch.Generator().manual_seed(1))
        fixed = [layer.swing == 0 for layer in after]
        assert sum(each.sum(dim=(1, 2)) for each in fixed).tolist() == [30, 30, 30]
        assert all(bool(each.any()) for each in fixed)
        for old, new, here in zip(before, after, fixed, strict=True):
            assert torch.equal(old.off[~here], new.off[~here]) and torch.equal(old.swing[~here], new.swing[~here])
            wanted = {"open": 0 * old.off, "stuck_ap": old.off, "stuck_p": old.off + old.swing}.get(kind)
            if wanted is None:
                assert float(new.off[here].min()) > 2.5
            else:
                assert torch.equal(new.off[here], wanted[here])


def test_one_die_is_too_few(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a study of 1 dies has none left to fit statistics to"):
        MnistStudy(FORM, easy_pictures(), MAPS[0], SETTINGS, tmp_path)


def test_page_and_figure_show_what_was_found(block: dict[str, Any], tmp_path: Path) -> None:
    result = {
        "command": "mtjlab reproduce mnist",
        "data": "patterns",
        "dies": describe_dies(MAPS),
        "forms": {"plain": block, "limited parts": block},
        "convolution": None,
        "assumptions": ["Something is assumed."],
    }
    shorts = [int((MAPS.status[die] == 2).sum()) for die in range(DIES)]
    assert result["dies"]["shorts"] == shorts and result["dies"]["cells"] == 20_000
    page = mnist_page(result, "figure.png")
    assert page.startswith("# patterns on 4 dies of 20,000 junctions") and "(figure.png)" in page
    for words, found in ways_of(block):
        assert f"| {words} | {found['mean']:.2f} |" in page
    assert f"| short | {np.mean(shorts):.1f} | {min(shorts)} | {max(shorts)} |" in page
    assert "- Something is assumed." in page and "Many layers" not in page
    draw_mnist(tmp_path / "figure.png", result["forms"])
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_errors_of_nothing_can_be_drawn(block: dict[str, Any], tmp_path: Path) -> None:
    perfect = {**block, "transfer": [[0.0] * DIES] * DIES}
    perfect["ways"] = {way: {**found, "per_die": [0.0] * DIES, "mean": 0.0} for way, found in block["ways"].items()}
    draw_mnist(tmp_path / "figure.png", {"plain": perfect})
    assert (tmp_path / "figure.png").stat().st_size > 10_000


def test_convolutions_are_trained_and_judged_in_the_same_ways() -> None:
    form = ConvolutionForm(channels=(2, 2, 2), training=replace(SHORT_RUN, epochs=2), hardware=1, seeds=2)
    data = load_digits().first(240, 100)
    heard: set[str] = set()
    study = ConvolutionStudy(form, data, MAPS, lambda what, done, total: heard.add(what))
    baseline, errors = study.errors()
    assert study.layers == 4 and study.devices == 2 * (9 * 2 + 18 * 2 + 18 * 2 + 8 * 10)
    assert baseline.shape == (2,) and {name: found.shape for name, found in errors.items()} == {
        "ideal": (2, DIES),
        "statistics": (2, DIES),
        "hardware_own": (DIES,),
    }
    assert len(heard) == 3
    summary = summarise_ways(baseline, errors)
    assert [words for words, _ in ways_of(summary)] == [WAYS[way] for way in ("ideal", "statistics", "hardware_own")]
    with pytest.raises(InputError, match="none left to fit statistics to"):
        ConvolutionStudy(form, data, MAPS[0])
