"""What networks are trained and judged on, by name: Wine, digits, MNIST, or anybody's table with a column of labels."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..nouns import Floats
from ..safe_text import decoded, read_bytes
from .datasets import IntArray, LabelledData, load_wine, stratified_split

NAMES = ("wine", "digits", "mnist")
"""Sets that have a name; anything else is the path of a table."""

_SHAPES = {"wine": (13, 3), "digits": (64, 10), "mnist": (49, 10)}
"""Inputs and classes of the named sets; MNIST is averaged to 7 x 7 pixels, for arrays have tens of rows."""
_TRAINING = 2000
"""Pictures of MNIST that are trained on (an assumption: more hardly help so small a network)."""
_HELD_OUT = 0.2
_MOST_CELLS = 5_000_000


@dataclass(frozen=True)
class DataRequest:
    """Which data, and how much of them.

    Attributes:
        data: one of `NAMES`, or the path of a CSV file with a row of headings.
        labels: the column with the classes; the last one if empty.
        seed: of the split, and of the choice of samples.
        inputs: so many features, those that tell the classes of the training part apart best; all if None.
        classes: only these; all if empty.
        samples: at most so many held-out samples are run on an array; of Wine, all 178 wines are.
        folder: with MNIST's files; see `images.load_mnist`.
        may_download: whether MNIST may be fetched.
        sha256: of the CSV file that is meant; empty for whichever is there.
    """

    data: str = "wine"
    labels: str = ""
    seed: int = 0
    inputs: int | None = None
    classes: tuple[str, ...] = ()
    samples: int = 100
    folder: str = ""
    may_download: bool = False
    sha256: str = ""

    def shape(self) -> tuple[int, int]:
        """Inputs and classes of the networks. Raises InputError as `load` does, but looks into tables only."""
        inputs, classes = _SHAPES.get(self.data) or _shape_of_table(self)
        return self.inputs or inputs, len(self.classes) or classes

    def load(self) -> LabelledData:
        """The data, features scaled to 0..1.

        Raises InputError if they are not there, are not numbers, have changed, or lack a class or features asked for.
        """
        found = _loaded(self)
        if self.classes:
            found = _of_classes(found, self.classes)
        if self.inputs is not None:
            found = _most_telling(found, self.inputs)
        return found if self.data == "wine" else _with_some_on_the_array(found, self)

    def pinned(self) -> DataRequest:
        """The same, for the very file that is there now."""
        if self.data in NAMES:
            return self
        return replace(self, sha256=hashlib.sha256(read_bytes(Path(self.data))).hexdigest())


def fit_problem(shape: tuple[int, int], hidden: int, array: tuple[int, int]) -> tuple[str, str] | None:
    """What does not fit if a network of two layers goes onto an array, and the remedy; None if it fits.

    Args:
        shape: inputs and classes.
        hidden: width of the layer between them.
        array: rows and columns.
    """
    (inputs, classes), (rows, cols) = shape, array
    most_classes = cols // 2
    widest = min(rows, cols // 2)
    remedies = []
    if inputs > rows:
        remedies.append(f"inputs: {rows} (those that tell most)")
    if classes > most_classes:
        remedies.append(f"classes: [...] with at most {most_classes} of them")
    if hidden > widest:
        remedies.append(f"hidden: {widest}")
    if not remedies:
        return None
    network = f"a network of {inputs} inputs, {hidden} hidden units and {classes} classes"
    what = f"{network} does not fit an array of {rows} x {cols}"
    return (
        what,
        f"Give {' and '.join(remedies)}, or take a larger array: every input needs a row, every output two columns",
    )


def _loaded(request: DataRequest) -> LabelledData:
    if request.data == "wine":
        return load_wine(request.seed)
    if request.data in ("digits", "mnist"):
        return _pictures(request)
    return _table(request)


def _pictures(request: DataRequest) -> LabelledData:
    from .images import load_digits, load_mnist

    if request.data == "digits":
        images = load_digits(request.seed)
    else:
        folder = Path(request.folder) if request.folder else None
        whole = load_mnist(folder, may_download=request.may_download).shrunk(14).shrunk(7)
        images = whole.first(_TRAINING, len(whole.test_labels))
    parts = images.train_features, images.test_features
    labels = np.concatenate([images.train_labels, images.test_labels])
    count = len(images.train_labels)
    return LabelledData(
        features=np.concatenate(parts).astype(np.float64),
        labels=labels,
        train=np.arange(count),
        test=np.arange(count, labels.size),
        class_names=tuple(str(digit) for digit in range(10)),
        feature_names=tuple(f"pixel {row}, {col}" for row in range(images.side) for col in range(images.side)),
        name=images.name,
    )


def _table(request: DataRequest) -> LabelledData:
    path = Path(request.data)
    names, rows, column = _read_table(request)
    values = np.array([_numbers(row, names, column, line, path) for line, row in rows], dtype=np.float64)
    words = [row[column].strip() for _, row in rows]
    classes = tuple(sorted(set(words), key=_by_number))
    labels = np.array([classes.index(word) for word in words], dtype=np.int64)
    _require_enough(labels, classes, path)
    held_out = max(len(classes), round(_HELD_OUT * labels.size))
    train, test = stratified_split(labels, held_out, np.random.default_rng(request.seed))
    spread = np.ptp(values, axis=0)
    scaled = (values - values.min(axis=0)) / np.where(spread > 0, spread, 1.0)
    features = tuple(name for place, name in enumerate(names) if place != column)
    return LabelledData(scaled, labels, train, test, classes, features, name=path.stem)


def _shape_of_table(request: DataRequest) -> tuple[int, int]:
    names, rows, column = _read_table(request)
    return len(names) - 1, len({row[column].strip() for _, row in rows})


def _read_table(request: DataRequest) -> tuple[list[str], list[tuple[int, list[str]]], int]:
    """Headings, rows with the lines that they end in, and the place of the labels."""
    path = Path(request.data)
    content = read_bytes(path)
    if request.sha256 and hashlib.sha256(content).hexdigest() != request.sha256:
        raise InputError(
            "the data have changed since the network was trained",
            where=str(path),
            remedy="Put them back, or train anew",
        )
    try:
        reader = csv.reader(io.StringIO(decoded(content, str(path))), strict=True)
        names = [name.strip() for name in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise InputError(f"is no table ({error})", where=str(path), remedy="Save it as CSV with commas") from error
    column = _label_column(names, request.labels, path)
    for line, row in rows:
        if len(row) != len(names):
            raise InputError(
                f"has {len(row)} columns where the headings are {len(names)}",
                where=f"{path}, line {line}",
                remedy="Correct the line; columns are parted by commas",
            )
    if len(rows) * len(names) > _MOST_CELLS:
        raise InputError(f"has more than {_MOST_CELLS:,} cells", where=str(path), remedy="Take fewer rows")
    return names, rows, column


def _label_column(names: Sequence[str], label: str, path: Path) -> int:
    from ..yaml_files import nearest

    if len(names) < 2 or all(_is_number(name) for name in names):
        raise InputError(
            "does not begin with a row of headings for two columns or more",
            where=str(path),
            remedy="Put names into the first line, one of them that of the column with the classes",
        )
    if label and label not in names:
        raise InputError(f"there is no column '{label}'", where=str(path), remedy=nearest(label, names))
    return list(names).index(label) if label else len(names) - 1


def _numbers(row: Sequence[str], names: Sequence[str], column: int, line: int, path: Path) -> list[float]:
    found = []
    for place, cell in enumerate(row):
        if place == column:
            continue
        if not _is_number(cell):
            raise InputError(
                f"column '{names[place]}' has {cell.strip()[:32]!r}, which is no number",
                where=f"{path}, line {line}",
                remedy="Leave the column out, make numbers of it, or name another column with the classes ('labels')",
            )
        found.append(float(cell))
    return found


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell))
    except ValueError:
        return False


def _by_number(word: str) -> tuple[bool, float, str]:
    return (False, float(word), word) if _is_number(word) else (True, 0.0, word)


def _require_enough(labels: IntArray, classes: Sequence[str], path: Path) -> None:
    counts = np.bincount(labels, minlength=len(classes))
    if len(classes) < 2 or counts.min() < 5:
        few = ", ".join(f"'{name}' {count}" for name, count in zip(classes, counts, strict=True) if count < 5)[:200]
        raise InputError(
            f"has {len(classes)} classes; some have fewer than 5 rows: {few}" if few else "has only one class",
            where=str(path),
            remedy="Give two classes or more, five rows or more of each; if another column has them, say 'labels'",
        )


def _of_classes(data: LabelledData, wanted: Sequence[str]) -> LabelledData:
    from ..yaml_files import nearest

    for name in wanted:
        if name not in data.class_names:
            raise InputError(
                f"{data.name} has no class '{name}'", where="classes", remedy=nearest(name, data.class_names)
            )
    if len(set(wanted)) < 2:
        raise InputError("one class is nothing to tell apart", where="classes", remedy="Give two or more")
    places = {data.class_names.index(name): number for number, name in enumerate(dict.fromkeys(wanted))}
    kept = np.flatnonzero(np.isin(data.labels, list(places)))
    new_place = np.full(data.labels.size, -1)
    new_place[kept] = np.arange(kept.size)
    return replace(
        data,
        features=data.features[kept],
        labels=np.array([places[int(label)] for label in data.labels[kept]], dtype=np.int64),
        train=_still_there(new_place, data.train),
        test=_still_there(new_place, data.test),
        class_names=tuple(dict.fromkeys(wanted)),
    )


def _still_there(new_place: IntArray, indices: IntArray) -> IntArray:
    found = new_place[indices]
    return np.asarray(found[found >= 0], dtype=np.int64)


def _most_telling(data: LabelledData, count: int) -> LabelledData:
    """Features by the F statistic of the training part: variance between classes over variance within them."""
    if not 1 <= count <= data.features.shape[1]:
        raise InputError(
            f"{data.name} has {data.features.shape[1]} features, not {count}",
            where="inputs",
            remedy="Give as many or fewer",
        )
    kept = np.sort(np.argsort(-_f_statistic(data.train_features, data.train_labels), kind="stable")[:count])
    return replace(
        data, features=data.features[:, kept], feature_names=tuple(data.feature_names[place] for place in kept)
    )


def _f_statistic(features: Floats, labels: IntArray) -> Floats:
    groups = [features[labels == label] for label in np.unique(labels)]
    middle = features.mean(axis=0)
    between = sum(len(group) * (group.mean(axis=0) - middle) ** 2 for group in groups)
    within = sum(((group - group.mean(axis=0)) ** 2).sum(axis=0) for group in groups)
    return np.asarray(np.divide(between, within, out=np.zeros_like(middle), where=np.asarray(within) > 0))


def _with_some_on_the_array(data: LabelledData, request: DataRequest) -> LabelledData:
    chosen = np.random.default_rng(request.seed).permutation(data.test)[: request.samples]
    return replace(data, shown=np.sort(chosen).astype(np.int64))
