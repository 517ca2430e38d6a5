"""Solutions of the Wine study: trained once, kept, and their ideal accuracy; the published ones as a reference."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtjlab.engine import wine_solutions
from mtjlab.engine.datasets import load_wine
from mtjlab.engine.perceptron import accuracy, ideal_outputs
from mtjlab.engine.wine_solutions import G_GRID, ideal_by_g, study_settings, trained_solutions
from mtjlab.published_solutions import read_published

SHARED = Path(os.environ.get("MTJLAB_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
PUBLISHED = SHARED / "data" / "wine_published"
needs_published = pytest.mark.skipif(
    not PUBLISHED.is_dir(), reason=f"the published Wine solutions are not at {PUBLISHED}; set MTJLAB_SHARED"
)


def test_solutions_are_trained_once_and_again_for_other_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained: list[int] = []
    real = wine_solutions.train

    def counted(data, settings, **more):  # type: ignore[no-untyped-def]
        trained.append(settings.seed)
        return real(data, settings, **more)

    monkeypatch.setattr(wine_solutions, "train", counted)
    data, settings = load_wine(0), study_settings(2, 5, seed=7)
    first = trained_solutions(data, settings, tmp_path, lambda done, total: None)
    again = trained_solutions(data, settings, tmp_path, lambda done, total: None)
    for layer in range(2):
        np.testing.assert_array_equal(first.bits[layer], again.bits[layer])
        np.testing.assert_array_equal(first.biases[layer], again.biases[layer])
    assert trained == [7]
    trained_solutions(data, replace(settings, seed=8), tmp_path, lambda done, total: None)
    trained_solutions(load_wine(1), settings, tmp_path, lambda done, total: None)
    assert trained == [7, 8, 7]


def test_a_spoilt_record_of_solutions_is_made_anew(tmp_path: Path) -> None:
    data, settings = load_wine(0), study_settings(1, 2)
    first = trained_solutions(data, settings, tmp_path, lambda done, total: None)
    (path,) = tmp_path.glob("*.json")
    path.write_bytes(path.read_bytes()[:50])
    again = trained_solutions(data, settings, tmp_path, lambda done, total: None)
    np.testing.assert_array_equal(first.bits_1, again.bits_1)


def test_ideal_accuracies_are_in_percent_by_conductance(tmp_path: Path) -> None:
    data = load_wine(0)
    perceptron = trained_solutions(data, study_settings(3, 100), tmp_path, lambda done, total: None)
    found = ideal_by_g(perceptron, data, (0.5, 1.0))
    assert list(found) == ["0.5", "1.0"]
    one = 100 * accuracy(ideal_outputs(perceptron, data.train_features, 0.5), data.train_labels)
    assert found["0.5"]["train_mean"] == pytest.approx(one.mean())
    assert found["0.5"]["train_min"] == pytest.approx(one.min())
    held_out = 100 * accuracy(ideal_outputs(perceptron, data.test_features, 1.0), data.test_labels)
    assert found["1.0"]["test_median"] == pytest.approx(np.median(held_out))


def test_trained_solutions_have_one_peak_near_one_and_fall_faster_above(tmp_path: Path) -> None:
    data = load_wine(0)
    perceptron = trained_solutions(data, study_settings(40, 800), tmp_path, lambda done, total: None)
    curve = np.array([one["train_mean"] for one in ideal_by_g(perceptron, data).values()])
    peak = int(curve.argmax())
    assert 0.8 <= G_GRID[peak] <= 1.0 and curve[peak] > 94
    slack = 0.15  # of 40 solutions, a tenth of one wine is chance
    assert (np.diff(curve[: peak + 1]) > -slack).all() and (np.diff(curve[peak:]) < slack).all()
    below, above = (curve[G_GRID.index(g)] for g in (0.5, 1.5))
    assert above < below - 1


@needs_published
def test_published_solutions_give_the_published_figures() -> None:
    found = read_published(PUBLISHED)
    by_g = ideal_by_g(found.perceptron, found.data)
    assert len(found.perceptron) == 200
    at_one = {name: round(value, 2) for name, value in by_g["1.0"].items()}
    assert at_one == {
        "train_mean": 96.98,
        "train_median": 97.97,
        "train_min": 77.70,
        "test_mean": 91.33,
        "test_median": 93.33,
    }
    means = {g: round(by_g[g]["train_mean"], 2) for g in ("0.5", "0.9", "1.5")}
    assert means == {"0.5": 82.44, "0.9": 97.41, "1.5": 73.55}
