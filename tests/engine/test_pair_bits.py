"""A pair with a cell that does not follow takes the bits that bring its weight closest; healthy pairs keep theirs."""

import numpy as np
import pytest

from mtjlab.bridge import written_siemens
from mtjlab.engine.pair_bits import compensated_bits
from mtjlab.engine.placement import CellPair
from mtjlab.errors import InputError

NORM = 1e-4


def weights_of(cells: CellPair, bits: np.ndarray) -> np.ndarray:
    siemens = written_siemens(cells, bits)
    return (siemens[..., 0::2] - siemens[..., 1::2]) / NORM


def one_pair(plus: tuple[float, float], minus: tuple[float, float]) -> CellPair:
    """(AP, P) of the plus and of the minus cell, in units of weight."""
    cells = NORM * np.array([plus, minus])
    return CellPair(cells[:, 0][np.newaxis], cells[:, 1][np.newaxis])


@pytest.mark.parametrize(
    ("plus", "minus", "asked", "chosen"),
    [
        ((2, 2), (1, 2), (0, 0), (0, 1)),  # plus stuck in P: zero as P-P
        ((1, 1), (1, 2), (1, 1), (1, 0)),  # plus stuck in AP: zero as AP-AP, the stuck cell's own bit does not matter
        ((1, 2), (2, 2), (1, 0), (1, 0)),  # plus one with minus stuck in P: zero is all there is
        ((1, 2), (0, 0), (0, 1), (0, 1)),  # minus open: one is the least
        ((1, 2), (0, 0), (1, 0), (0, 0)),  # minus open: AP gives one already
        ((1, 2), (1.1, 2.1), (0, 0), (0, 0)),  # healthy cells that spread
        ((1, np.nan), (2, 2), (0, 0), (0, 0)),  # not known
    ],
)
def test_a_pair_takes_the_bits_that_come_closest(
    plus: tuple[float, float], minus: tuple[float, float], asked: tuple[int, int], chosen: tuple[int, int]
) -> None:
    cells = one_pair(plus, minus)
    found = compensated_bits(cells, np.array([asked], dtype=np.int8), NORM)
    if np.isnan(plus).any():
        assert found.tolist() == [list(asked)]
    else:
        np.testing.assert_allclose(weights_of(cells, found), weights_of(cells, np.array([chosen])))
        followed = [bit for bit, (ap, p) in zip(found[0].tolist(), (plus, minus), strict=True) if ap != p]
        assert followed == [bit for bit, (ap, p) in zip(chosen, (plus, minus), strict=True) if ap != p]


def test_no_weight_comes_out_worse_on_any_die() -> None:
    rng = np.random.default_rng(0)
    ap = NORM * np.exp(0.05 * rng.standard_normal((3, 20, 10)))
    p = 2 * ap
    stuck = rng.random(ap.shape) < 0.1
    p[stuck] = ap[stuck] = rng.choice([1e-4, 2e-4, 3e-3, 1e-12], int(stuck.sum()))
    bits = rng.integers(0, 2, (20, 10)).astype(np.int8)
    cells, wanted = CellPair(ap, p), bits[:, 0::2] - bits[:, 1::2]
    found = compensated_bits(cells, bits, NORM)
    before, after = (np.abs(weights_of(cells, b) - wanted) for b in (np.broadcast_to(bits, ap.shape), found))
    assert (after <= before).all() and after.sum() < before.sum()
    is_touched = (stuck[..., 0::2] | stuck[..., 1::2])[..., np.newaxis].repeat(2, -1).reshape(ap.shape)
    np.testing.assert_array_equal(found[~is_touched], np.broadcast_to(bits, ap.shape)[~is_touched])


def test_lines_must_come_in_pairs() -> None:
    cells = CellPair(np.ones((2, 3)), np.ones((2, 3)))
    with pytest.raises(InputError, match="lines in pairs"):
        compensated_bits(cells, np.zeros((2, 3), np.int8), NORM)
    with pytest.raises(InputError, match="lines in pairs"):
        compensated_bits(one_pair((1, 2), (1, 2)), np.zeros((1, 2), np.int8), 0.0)
