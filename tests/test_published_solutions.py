"""Folders of published solutions: what is read, and what is said about folders that cannot be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.published_solutions import read_published

FEATURES, HIDDEN, CLASSES, TRAIN, TEST = 4, 2, 3, 7, 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three solutions in the published form."""
    rng = np.random.default_rng(0)
    (tmp_path / "dataset").mkdir()
    (tmp_path / "solutions").mkdir()
    for part, count in (("train", TRAIN), ("test", TEST)):
        np.savetxt(tmp_path / "dataset" / f"X_{part}.txt", rng.random((FEATURES, count)))
        np.savetxt(tmp_path / "dataset" / f"Y_{part}.txt", np.eye(CLASSES)[np.arange(count) % CLASSES].T, fmt="%d")
    for k in range(3):
        for layer, (inputs, outputs) in ((1, (FEATURES, HIDDEN)), (2, (HIDDEN, CLASSES))):
            bits = rng.integers(0, 2, (inputs, 2 * outputs))
            np.savetxt(tmp_path / "solutions" / f"{k}_fc{layer}_weight.txt", bits, fmt="%d")
            np.savetxt(tmp_path / "solutions" / f"{k}_fc{layer}_bias.txt", rng.normal(size=outputs))
    return tmp_path


def test_files_arrive_as_one_batch_with_samples_as_rows(folder: Path) -> None:
    found = read_published(folder)
    assert len(found.perceptron) == 3
    for k in range(3):
        for layer, (bits, biases) in enumerate(zip(found.perceptron.bits, found.perceptron.biases, strict=True), 1):
            stem = folder / "solutions" / f"{k}_fc{layer}"
            np.testing.assert_array_equal(bits[k], np.loadtxt(f"{stem}_weight.txt"))
            np.testing.assert_array_equal(biases[k], np.loadtxt(f"{stem}_bias.txt"))
    np.testing.assert_array_equal(found.data.train_features, np.loadtxt(folder / "dataset" / "X_train.txt").T)
    np.testing.assert_array_equal(found.data.test_features, np.loadtxt(folder / "dataset" / "X_test.txt").T)
    np.testing.assert_array_equal(found.data.train_labels, np.arange(TRAIN) % CLASSES)
    np.testing.assert_array_equal(found.data.test_labels, np.arange(TEST) % CLASSES)


def _refused(folder: Path) -> str:
    with pytest.raises(InputError) as caught:
        read_published(folder)
    assert caught.value.remedy
    return str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["dataset/X_train.txt", "dataset/Y_test.txt", "solutions/1_fc2_bias.txt", "solutions/0_fc1_weight.txt"],
)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    said = _refused(folder)
    assert str(folder / name) in said and "cannot be read" in said


def test_a_gap_in_the_numbers_is_named(folder: Path) -> None:
    for path in (folder / "solutions").glob("1_*"):
        path.unlink()
    assert "solution 1 is missing, though there is solution 2" in _refused(folder)


def test_no_folder_and_no_solutions(folder: Path) -> None:
    assert "no such folder" in _refused(folder / "nowhere")
    for path in (folder / "solutions").iterdir():
        path.unlink()
    assert "holds no solutions" in _refused(folder)


@pytest.mark.parametrize(
    ("name", "table", "said"),
    [
        ("solutions/2_fc1_weight.txt", np.zeros((FEATURES, 2)), "has 4 lines of 2 numbers, expected 4 of 4"),
        ("solutions/2_fc1_weight.txt", np.zeros((FEATURES + 1, 4)), "has 5 lines of 4 numbers"),
        ("solutions/1_fc2_bias.txt", np.zeros((4, 1)), "has 4 lines of 1 numbers, expected 3 of 1"),
        ("solutions/1_fc2_weight.txt", np.full((HIDDEN, 6), 2.0), "holds 2, which is neither 0 nor 1"),
        ("solutions/0_fc1_bias.txt", np.array([[0.0], [np.nan]]), "line 2: holds a value that is not finite"),
        ("dataset/X_test.txt", np.zeros((3, TEST)), "has 3 features, the training samples have 4"),
        ("dataset/X_train.txt", np.full((FEATURES, TRAIN), 1.5), "outside 0..1"),
        ("dataset/Y_train.txt", np.zeros((CLASSES, TRAIN)), "is not one-hot"),
        ("dataset/Y_train.txt", np.zeros((CLASSES, 2)), "holds 2 samples, X_train.txt holds 7"),
    ],
)
def test_what_does_not_fit_is_told_with_its_file(folder: Path, name: str, table: np.ndarray, said: str) -> None:
    np.savetxt(folder / name, table)
    message = _refused(folder)
    assert str(folder / name) in message and said in message


def test_words_ragged_lines_and_empty_files(folder: Path) -> None:
    path = folder / "solutions" / "0_fc1_bias.txt"
    path.write_text("0.5\nhalf\n", encoding="utf-8")
    assert f"{path}, line 2: is no line of numbers" in _refused(folder)
    path.write_text("0.5\n0.5 0.25\n", encoding="utf-8")
    assert "its lines hold 1 to 2 numbers" in _refused(folder)
    path.write_text("\n", encoding="utf-8")
    assert "is empty" in _refused(folder)
    path.write_bytes(b"\xff\xfe\x00")
    assert "it is not text" in _refused(folder)
