"""Reader of solution folders as usnistgov/daffodil-lib publishes them: plain text, bits and biases per solution.

    dataset/X_train.txt   features x samples, scaled to 0..1      dataset/Y_train.txt   classes x samples, one-hot
    dataset/X_test.txt, dataset/Y_test.txt                        likewise
    solutions/K_fc1_weight.txt, K_fc2_weight.txt                  inputs x 2 outputs, 0 (AP) or 1 (P); K from 0 on
    solutions/K_fc1_bias.txt, K_fc2_bias.txt                      one number per output

Columns of a weight file are plus, minus, plus, minus ... (examples/infer_wine.py of that library).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .engine.datasets import WineData
from .engine.perceptron import Perceptron
from .errors import InputError
from .nouns import Floats

_PARTS = ("fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias")
_SOLUTION_FILE = re.compile(r"(\d+)_fc[12]_(?:weight|bias)\.txt")


@dataclass(frozen=True, eq=False)
class PublishedSolutions:
    """A folder of solutions and the samples they were made for.

    Attributes:
        data: training samples first, then test samples.
        perceptron: all solutions as one batch, in the order of their numbers.
    """

    data: WineData
    perceptron: Perceptron


def read_published(folder: Path) -> PublishedSolutions:
    """Read a folder of that form.

    Raises:
        InputError: a file or solution is missing, is no table of numbers, or does not fit the others. It names the
            file, and the line where there is one.
    """
    if not folder.is_dir():
        raise InputError("there is no such folder", where=str(folder), remedy="Give one with dataset/ and solutions/")
    data = _read_data(folder / "dataset")
    features, classes = data.features.shape[1], len(data.class_names)
    return PublishedSolutions(data, _read_solutions(folder / "solutions", features, classes))


def _read_data(folder: Path) -> WineData:
    x_train, y_train = _read_samples(folder, "train")
    x_test, y_test = _read_samples(folder, "test")
    if x_test.shape[1] != x_train.shape[1]:
        raise InputError(
            f"has {x_test.shape[1]} features, the training samples have {x_train.shape[1]}",
            where=str(folder / "X_test.txt"),
            remedy="Give one line per feature, the same for both",
        )
    samples = np.arange(len(x_train) + len(x_test))
    return WineData(
        features=np.vstack([x_train, x_test]),
        labels=np.concatenate([y_train, y_test]),
        train=samples[: len(x_train)],
        test=samples[len(x_train) :],
        class_names=tuple(f"class {number}" for number in range(int(max(y_train.max(), y_test.max())) + 1)),
        feature_names=tuple(f"feature {number}" for number in range(x_train.shape[1])),
    )


def _read_samples(folder: Path, part: str) -> tuple[Floats, NDArray[np.int64]]:
    """Features (samples, features) and labels (samples,) of "train" or "test"."""
    at_x, at_y = folder / f"X_{part}.txt", folder / f"Y_{part}.txt"
    features, one_hot = _read_table(at_x), _read_table(at_y)
    if features.min() < -1e-9 or features.max() > 1 + 1e-9:
        raise InputError("a feature lies outside 0..1", where=str(at_x), remedy="Scale the features first")
    if one_hot.shape[1] != features.shape[1]:
        raise InputError(
            f"holds {one_hot.shape[1]} samples, {at_x.name} holds {features.shape[1]}",
            where=str(at_y),
            remedy="Give one column per sample in both",
        )
    if not (np.isin(one_hot, (0.0, 1.0)).all() and (one_hot.sum(axis=0) == 1).all()):
        raise InputError("is not one-hot", where=str(at_y), remedy="Each column needs a single 1, else 0")
    return np.clip(features, 0.0, 1.0).T, one_hot.argmax(axis=0).astype(np.int64)


def _read_solutions(folder: Path, features: int, classes: int) -> Perceptron:
    tables = [[_read_table(folder / f"{k}_{part}.txt") for part in _PARTS] for k in range(_count(folder))]
    hidden = tables[0][1].shape[0]
    wanted = dict(zip(_PARTS, ((features, 2 * hidden), (hidden, 1), (hidden, 2 * classes), (classes, 1)), strict=True))
    for k, solution in enumerate(tables):
        for part, table in zip(_PARTS, solution, strict=True):
            _check(table, wanted[part], folder / f"{k}_{part}.txt", is_bits="weight" in part)
    weights_1, biases_1, weights_2, biases_2 = (np.stack(part) for part in zip(*tables, strict=True))
    return Perceptron(weights_1.astype(np.int8), biases_1[..., 0], weights_2.astype(np.int8), biases_2[..., 0])


def _count(folder: Path) -> int:
    """How many solutions there are, numbered from 0 without a gap."""
    names = (path.name for path in folder.glob("*.txt")) if folder.is_dir() else ()
    numbers = {int(match[1]) for name in names if (match := _SOLUTION_FILE.fullmatch(name))}
    if not numbers:
        raise InputError("holds no solutions", where=str(folder), remedy="Give files named 0_fc1_weight.txt and so on")
    missing = sorted(set(range(max(numbers) + 1)) - numbers)
    if missing:
        raise InputError(
            f"solution {missing[0]} is missing, though there is solution {max(numbers)}",
            where=str(folder),
            remedy="Number the solutions from 0 on without a gap",
        )
    return len(numbers)


def _check(table: Floats, shape: tuple[int, int], path: Path, *, is_bits: bool) -> None:
    if table.shape != shape:
        raise InputError(
            f"has {table.shape[0]} lines of {table.shape[1]} numbers, expected {shape[0]} of {shape[1]}",
            where=str(path),
            remedy="All solutions of a folder have one shape, and it fits the data set",
        )
    if is_bits and not np.isin(table, (0.0, 1.0)).all():
        wrong = np.argwhere(~np.isin(table, (0.0, 1.0)))[0]
        raise InputError(
            f"holds {table[tuple(wrong)]:g}, which is neither 0 nor 1",
            where=f"{path}, line {wrong[0] + 1}",
            remedy="A weight is the state of a junction: 0 (AP) or 1 (P)",
        )


def _read_table(path: Path) -> Floats:
    """A table of finite numbers, shape (lines, numbers per line)."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise InputError(f"cannot be read ({reason})", where=str(path), remedy="The folder needs this file") from error
    rows = [_numbers(line, f"{path}, line {at + 1}") for at, line in enumerate(text.splitlines()) if line.strip()]
    if not rows:
        raise InputError("is empty", where=str(path), remedy="Give a table of numbers")
    lengths = {len(row) for row in rows}
    if len(lengths) > 1:
        raise InputError(
            f"its lines hold {min(lengths)} to {max(lengths)} numbers", where=str(path), remedy="Make them equally long"
        )
    return np.array(rows, dtype=np.float64)


def _numbers(line: str, where: str) -> list[float]:
    try:
        row = [float(word) for word in line.split()]
    except ValueError as error:
        raise InputError(
            f"is no line of numbers ({error})", where=where, remedy="Separate numbers by blanks"
        ) from error
    if not np.isfinite(row).all():
        raise InputError("holds a value that is not finite", where=where, remedy="Every number must be finite")
    return row
