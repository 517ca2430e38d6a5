"""Data sets that networks on arrays are trained and judged on; none of them needs a network connection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..nouns import Floats

IntArray = NDArray[np.int64]

TEST_WINES = 30
"""Wines held back from training, as in the published experiment (148 + 30 of 178)."""


@dataclass(frozen=True, eq=False)
class LabelledData:
    """Samples with their classes, and one split of them.

    Attributes:
        features: shape (samples, inputs), 0..1.
        labels: shape (samples,), class 0, 1 ...
        train, test: indices into the samples, ascending.
        class_names, feature_names: what the classes and the columns of `features` are called.
        name: of the set.
        shown: indices of the samples that are run on an array; None for all.
    """

    features: Floats
    labels: IntArray
    train: IntArray
    test: IntArray
    class_names: tuple[str, ...]
    feature_names: tuple[str, ...]
    name: str = "wine"
    shown: IntArray | None = None

    @property
    def on_array(self) -> IntArray:
        """Indices of the samples that are run on an array."""
        return np.arange(self.labels.size) if self.shown is None else self.shown

    @property
    def train_features(self) -> Floats:
        """Samples that training and tuning may look at."""
        return self.features[self.train]

    @property
    def train_labels(self) -> IntArray:
        """Their classes."""
        return self.labels[self.train]

    @property
    def test_features(self) -> Floats:
        """Samples that only the final score may look at."""
        return self.features[self.test]

    @property
    def test_labels(self) -> IntArray:
        """Their classes."""
        return self.labels[self.test]


class WineData(LabelledData):
    """The 178 wines of the UCI Wine set: 13 features, scaled over all wines, 3 classes, split into 148 and 30."""


def load_wine(seed: int = 0) -> WineData:
    """The Wine set bundled with scikit-learn, split 148/30 in proportion to the classes.

    Scaling over all 178 wines, not only the 148, is what the published solutions were made with.
    """
    # scikit-learn takes a second to import, which a command that never touches Wine should not pay
    from sklearn.datasets import load_wine as load_bundled

    bundle = load_bundled()
    labels = np.asarray(bundle.target, dtype=np.int64)
    train, test = stratified_split(labels, TEST_WINES, np.random.default_rng(seed))
    return WineData(
        features=_scaled(np.asarray(bundle.data, dtype=np.float64)),
        labels=labels,
        train=train,
        test=test,
        class_names=tuple(str(name) for name in bundle.target_names),
        feature_names=tuple(str(name) for name in bundle.feature_names),
    )


def stratified_split(labels: IntArray, held_out: int, rng: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Indices (train, test), both ascending, with `held_out` test samples shared out in proportion to the classes."""
    shares = _shares(np.bincount(labels), held_out)
    picks = [rng.permutation(np.flatnonzero(labels == label))[:count] for label, count in enumerate(shares)]
    test = np.sort(np.concatenate(picks)).astype(np.int64)
    return np.setdiff1d(np.arange(labels.size), test), test


def _shares(counts: IntArray, total: int) -> IntArray:
    """Integers in proportion to `counts` that add up to `total` (largest remainders)."""
    exact = counts * total / counts.sum()
    shares = np.floor(exact).astype(np.int64)
    largest = np.argsort(shares - exact, kind="stable")[: total - int(shares.sum())]
    shares[largest] += 1
    return np.asarray(shares, dtype=np.int64)


def _scaled(raw: Floats) -> Floats:
    low, high = raw.min(axis=0), raw.max(axis=0)
    return np.asarray((raw - low) / (high - low), dtype=np.float64)
