"""The Wine set: scaling, the split, and that it is the set the published solutions were made with."""

import numpy as np
import pytest

from mtjlab.engine.datasets import load_wine, stratified_split


@pytest.mark.parametrize("seed", [0, 1])
def test_the_wines_are_scaled_and_split_in_proportion(seed: int) -> None:
    data = load_wine(seed)
    assert data.features.shape == (178, 13) and data.features.dtype == np.float64
    np.testing.assert_array_equal(data.features.min(axis=0), np.zeros(13))
    np.testing.assert_array_equal(data.features.max(axis=0), np.ones(13))
    np.testing.assert_array_equal(np.sort(np.concatenate([data.train, data.test])), np.arange(178))
    np.testing.assert_array_equal(np.bincount(data.train_labels), [49, 59, 40])
    np.testing.assert_array_equal(np.bincount(data.test_labels), [10, 12, 8])
    assert len(data.class_names) == 3 and data.feature_names[-1] == "proline"


def test_the_seed_alone_decides_the_split() -> None:
    np.testing.assert_array_equal(load_wine(3).test, load_wine(3).test)
    assert not np.array_equal(load_wine(3).test, load_wine(4).test)


def test_largest_remainders_fill_the_split() -> None:
    labels = np.repeat([0, 1, 2], [5, 5, 1])
    train, test = stratified_split(labels, 4, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(labels[test], minlength=3), [2, 2, 0])
    assert train.size == 7
