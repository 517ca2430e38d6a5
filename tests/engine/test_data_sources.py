"""Data by name or from a table: what is trained on, what is held out, what is run on an array, and what is refused."""

from __future__ import annotations

import gzip
import hashlib
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtjlab.engine import images
from mtjlab.engine.data_sources import DataRequest, fit_problem
from mtjlab.errors import InputError

KINDS = ("lily", "rose", "tulip")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """60 flowers of three kinds; `noise` tells nothing, `height` all."""
    rng = np.random.default_rng(5)
    lines = ["noise,height,kind,width,same"]
    for number in range(60):
        kind = number % 3
        values = rng.normal(), 10 * kind + rng.normal(), kind + rng.normal()
        lines.append(f"{values[0]:.4f},{values[1]:.4f},{KINDS[kind]},{values[2]:.4f},7")
    path = tmp_path / "flowers.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_table_is_scaled_and_split_in_proportion(table: Path) -> None:
    data = DataRequest(str(table), labels="kind", samples=5).load()
    assert (data.name, data.class_names) == ("flowers", KINDS)
    assert data.feature_names == ("noise", "height", "width", "same")
    assert data.features.shape == (60, 4)
    assert data.features[:, :3].min(axis=0) == pytest.approx(0) and data.features[:, :3].max(axis=0) == pytest.approx(1)
    assert not data.features[:, 3].any()  # a column that never changes tells nothing, and divides by nothing
    assert np.bincount(data.labels[data.test]).tolist() == [4, 4, 4]
    assert not set(data.train) & set(data.test)
    assert data.train.size + data.test.size == 60
    assert data.on_array.size == 5 and set(data.on_array) <= set(data.test)
    assert [KINDS[label] for label in data.labels[:3]] == ["lily", "rose", "tulip"]


def test_the_same_request_is_the_same_data_and_another_seed_another_split(table: Path) -> None:
    request = DataRequest(str(table), labels="kind", samples=8)
    assert np.array_equal(request.load().on_array, request.load().on_array)
    assert not np.array_equal(request.load().train, replace(request, seed=1).load().train)


def test_the_features_that_tell_most_are_kept(table: Path) -> None:
    data = DataRequest(str(table), labels="kind", inputs=2).load()
    assert data.feature_names == ("height", "width")
    assert DataRequest(str(table), labels="kind", inputs=1).load().feature_names == ("height",)


def test_some_classes_only(table: Path) -> None:
    data = DataRequest(str(table), labels="kind", classes=("tulip", "lily")).load()
    assert data.class_names == ("tulip", "lily")
    assert np.bincount(data.labels).tolist() == [20, 20]
    whole = DataRequest(str(table), labels="kind").load()
    kept = whole.labels != 1
    assert np.array_equal(data.features, whole.features[kept])
    assert np.array_equal(data.labels == 0, whole.labels[kept] == 2)
    assert data.train.size + data.test.size == 40


def test_classes_that_are_numbers_are_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("x,n\n" + "".join(f"{k % 3},{(2, 10, 1)[k % 3]}\n" for k in range(30)), encoding="utf-8")
    assert DataRequest(str(path)).load().class_names == ("1", "2", "10")


def test_wine_is_run_whole_on_an_array() -> None:
    data = DataRequest().load()
    assert (data.name, data.on_array.size, data.features.shape) == ("wine", 178, (178, 13))


@pytest.mark.parametrize(
    "request_", [DataRequest("digits", samples=40), DataRequest("digits", inputs=9, classes=("3", "8"))]
)
def test_digits_and_what_is_said_of_their_shape(request_: DataRequest) -> None:
    data = request_.load()
    assert (data.features.shape[1], len(data.class_names)) == request_.shape()
    assert data.features.min() >= 0 and data.features.max() <= 1
    assert data.on_array.size == min(request_.samples, data.test.size)
    assert set(np.unique(data.labels)) == set(range(len(data.class_names)))


def test_mnist_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A set of made-up pictures under MNIST's file names: a class is a bright square at a place of its own."""
    rng, digests = np.random.default_rng(2), {}
    for part, count in (("train", 60), ("t10k", 30)):
        labels = np.arange(count, dtype=np.uint8) % 10
        pictures = rng.integers(0, 30, (count, 28, 28), dtype=np.uint8)
        for picture, label in zip(pictures, labels, strict=True):
            picture[4 * (label // 5) : 4 * (label // 5) + 4, 4 * (label % 5) : 4 * (label % 5) + 4] = 255
        for name, array in ((f"{part}-images-idx3-ubyte", pictures), (f"{part}-labels-idx1-ubyte", labels)):
            content = b"\0\0\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
            digests[name] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(images, "_FILES", digests)
    data = DataRequest("mnist", folder=str(tmp_path), inputs=10, samples=20).load()
    assert DataRequest("mnist").shape() == (49, 10)
    assert (data.features.shape, data.train.size, data.test.size, data.on_array.size) == ((90, 10), 60, 30, 20)
    assert set(data.feature_names) == {f"pixel {row}, {col}" for row in range(2) for col in range(5)}


def test_a_table_that_changed_since_is_refused(table: Path) -> None:
    pinned = DataRequest(str(table), labels="kind").pinned()
    assert pinned.load().labels.size == 60
    table.write_text(table.read_text(encoding="utf-8").replace("lily", "iris"), encoding="utf-8")
    with pytest.raises(InputError, match="have changed since the network was trained"):
        pinned.load()


@pytest.mark.parametrize(
    ("text", "labels", "message"),
    [
        ("", "", "is empty"),
        ("1,2\n3,4\n", "", "does not begin with a row of headings"),
        ("x,kind\n1,a\n", "knd", r"no column 'knd'. Did you mean 'kind'"),
        ("x,kind\n1,a\n2\n", "", "line 3: has 1 columns where the headings are 2"),
        ("x,kind\n1,a\nred,b\n", "", "line 3: column 'x' has 'red', which is no number"),
        ("x,kind\n1,a\nnan,b\n", "", "line 3: column 'x' has 'nan'"),
        ("x,kind\n" + "1,a\n" * 9, "", "fewer than 5|only one class"),
        ("x,kind\n" + "1,a\n" * 9 + "2,b\n", "", "fewer than 5 rows: 'b' 1"),
        ('x,kind\n"1,a\n', "", "is no table"),
        ("x,kind\n1,\xff\n", "", "is not text in UTF-8"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path: Path, text: str, labels: str, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=message):
        DataRequest(str(path), labels=labels).load()


def test_classes_and_inputs_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"no class '11'"):
        DataRequest("digits", classes=("1", "11")).load()
    with pytest.raises(InputError, match="nothing to tell apart"):
        DataRequest("wine", classes=("class_0", "class_0")).load()
    with pytest.raises(InputError, match="has 13 features, not 14"):
        DataRequest("wine", inputs=14).load()


def test_what_does_not_fit_is_told_with_what_would() -> None:
    assert fit_problem((13, 3), 6, (15, 15)) is None
    found = fit_problem((64, 10), 12, (15, 15))
    assert found is not None
    assert found[0] == "a network of 64 inputs, 12 hidden units and 10 classes does not fit an array of 15 x 15"
    for words in ("inputs: 15", "at most 7", "hidden: 7"):
        assert words in found[1]
