"""Sweeps: nothing is computed twice, what is spoilt is computed again, a key tells contents apart."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pytest

from mtjlab.engine.wine_jobs import Job, content_key, run_jobs, write_json

CALLS: list[int] = []


def squared(number: int) -> list[int]:
    CALLS.append(number)
    if number < 0:
        raise ValueError("negative")
    return [number, number**2]


@pytest.fixture(autouse=True)
def _fresh() -> None:
    CALLS.clear()


def _run(numbers: list[int], folder: Path) -> tuple[dict[str, list[int]], list[tuple[int, int]]]:
    heard: list[tuple[int, int]] = []
    with joblib.parallel_config(backend="threading", n_jobs=1):
        found = run_jobs(squared, [Job(f"k{n}", (n,)) for n in numbers], folder, lambda d, t: heard.append((d, t)))
    return found, heard


def test_a_second_run_is_free_and_a_longer_one_computes_the_rest(tmp_path: Path) -> None:
    first, heard = _run([1, 2], tmp_path / "jobs")
    assert first == {"k1": [1, 1], "k2": [2, 4]}
    assert heard == [(0, 2), (1, 2), (2, 2)]
    again, heard = _run([1, 2], tmp_path / "jobs")
    assert again == first and heard == [(2, 2)] and CALLS == [1, 2]
    _run([1, 2, 3, 3], tmp_path / "jobs")
    assert CALLS == [1, 2, 3]


def test_what_was_done_before_a_failure_is_kept(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="negative"):
        _run([4, -1, 5], tmp_path)
    assert _run([4, 5], tmp_path)[0] == {"k4": [4, 16], "k5": [5, 25]}
    assert CALLS.count(4) == 1


def test_a_spoilt_file_is_computed_anew(tmp_path: Path) -> None:
    _run([6], tmp_path)
    (tmp_path / "k6.json").write_text("[6, 3", encoding="utf-8")
    assert _run([6], tmp_path)[0] == {"k6": [6, 36]}
    assert CALLS == [6, 6]


def test_a_file_is_complete_or_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "bad.json", {"value": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_key_changes_with_values_shapes_types_and_order() -> None:
    zeros = np.zeros((2, 3))
    keys = [
        content_key(zeros, 1),
        content_key(1, zeros),
        content_key(zeros.reshape(3, 2), 1),
        content_key(zeros.astype(np.float32), 1),
        content_key(zeros + 1e-12, 1),
        content_key(zeros, {"a": 1}),
    ]
    assert len(set(keys)) == len(keys)
    assert content_key({"a": 1, "b": 2}) == content_key({"b": 2, "a": 1})
    assert content_key(np.arange(6.0).reshape(2, 3).T) == content_key(np.arange(6.0).reshape(2, 3).T.copy())
