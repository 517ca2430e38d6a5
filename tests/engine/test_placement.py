"""Placement: every line once, shorts avoided, exact on small arrays, bits laid onto cells that agree with them."""

from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.engine import placement
from mtjlab.engine.placement import (
    Placement,
    fit_to_bits,
    place,
    place_first,
    reachable_siemens,
    state_errors,
)
from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions

G_AP, G_P = 1e-4, 2e-4


def make_map(shape: tuple[int, int] = (15, 15), seed: int | None = None, defect_rate: float = 0.0) -> ArrayMap:
    """Identical cells, or (with a seed) cells with 7 % spread and defects."""
    ap, p = np.full(shape, G_AP), np.full(shape, G_P)
    status = np.full(shape, CellStatus.OK, dtype=np.int8)
    die = ArrayMap(ap, p, ap, np.zeros(shape, np.int8), status, np.zeros(shape), Conditions(0.1))
    if seed is not None:
        rng = np.random.default_rng(seed)
        for siemens in (ap, p):
            siemens *= np.exp(0.07 * rng.standard_normal(shape))
        kinds = [CellStatus.SHORT, CellStatus.OPEN, CellStatus.STUCK_P, CellStatus.STUCK_AP]
        for row, col in zip(*np.nonzero(rng.random(shape) < defect_rate), strict=True):
            spoil(die, int(row), int(col), kinds[rng.integers(4)])
    return die


def spoil(die: ArrayMap, row: int, col: int, status: CellStatus) -> None:
    """Turn one cell of a map into a defect, with the conductance that goes with it."""
    now = {CellStatus.SHORT: 20 * G_AP, CellStatus.OPEN: 1e-9, CellStatus.STUCK_P: G_P, CellStatus.STUCK_AP: G_AP}
    die.status[row, col] = status
    if status in now:
        die.siemens_p[row, col] = die.siemens_ap[row, col] = die.siemens[row, col] = now[status]


def assert_uses_each_line_once(lines: Placement, inputs: int, outputs: int, shape: tuple[int, int]) -> None:
    assert lines.rows.size == inputs and lines.cols.size == 2 * outputs
    for chosen, available in zip(lines, shape, strict=True):
        assert np.unique(chosen).size == chosen.size
        assert chosen.min() >= 0 and chosen.max() < available


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 8), st.integers(1, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 2**32 - 1))
def test_every_placement_uses_each_line_once(
    inputs: int, outputs: int, more_rows: int, more_cols: int, seed: int
) -> None:
    die = make_map((inputs + more_rows + 2, 2 * outputs + more_cols + 2), seed, 0.1)
    bits = np.random.default_rng(seed).integers(0, 2, (inputs, 2 * outputs)).astype(np.int8)
    for lines in (place_first(inputs, outputs, die.shape), place(inputs, outputs, die), fit_to_bits(bits, die)):
        assert_uses_each_line_once(lines, inputs, outputs, die.shape)


def test_a_perfect_die_is_used_from_its_corner() -> None:
    lines, first = place(13, 6, make_map()), place_first(13, 6, (15, 15))
    np.testing.assert_array_equal(lines.rows, first.rows)
    np.testing.assert_array_equal(lines.cols, first.cols)


def test_a_layer_that_does_not_fit_is_refused_with_the_sizes() -> None:
    with pytest.raises(InputError, match="needs 13 rows and 12 columns, the array has 12 and 15"):
        place(13, 6, make_map((12, 15)))
    with pytest.raises(InputError, match="needs 2 rows and 12 columns, the array has 15 and 11"):
        fit_to_bits(np.zeros((2, 12), np.int8), make_map((15, 11)))


@pytest.mark.parametrize(
    "sites", [[(4, 2), (4, 9), (4, 12)], [(0, 6), (8, 6)], [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)]]
)
def test_shorts_are_kept_out_of_the_layer_where_that_is_possible(sites: list[tuple[int, int]]) -> None:
    die = make_map(seed=3)
    for row, col in sites:
        spoil(die, row, col, CellStatus.SHORT)
    rows, cols = place(13, 6, die)
    assert (die.status[np.ix_(rows, cols)] != CellStatus.SHORT).all()


def test_a_column_with_a_short_is_left_out_rather_than_the_row_of_the_short() -> None:
    """Three columns can be spared, but only two rows: with the short's row unused its column is still loaded."""
    die = make_map()
    spoil(die, 14, 0, CellStatus.SHORT)
    assert 0 not in place(13, 6, die).cols
    assert 14 not in place(13, 6, die).rows


def test_stuck_cells_are_accepted_to_avoid_a_short() -> None:
    die = make_map((3, 3))
    spoil(die, 0, 0, CellStatus.SHORT)
    for row, col in ((1, 1), (1, 2), (2, 1)):
        spoil(die, row, col, CellStatus.STUCK_P)
    rows, cols = place(2, 1, die)
    assert (0 in rows) + (0 in cols) <= 1
    assert CellStatus.SHORT not in die.status[np.ix_(rows, cols)]


def test_unread_cells_are_avoided_like_shorts() -> None:
    die = make_map()
    die.status[5, 5] = CellStatus.UNREAD
    die.siemens_p[5, 5] = die.siemens_ap[5, 5] = np.nan
    rows, cols = place(13, 6, die)
    assert not (5 in rows and 5 in cols)


@pytest.mark.parametrize("seed", range(5))
def test_small_arrays_get_the_best_lines_there_are(seed: int) -> None:
    die = make_map((6, 6), seed, 0.25)
    cost = state_errors(die).mean
    shorts = np.where(die.status == CellStatus.SHORT, cost, 0.0)

    def total(rows: tuple[int, ...], cols: tuple[int, ...]) -> float:
        row_used, col_used = np.isin(np.arange(6), rows), np.isin(np.arange(6), cols)
        beside = row_used[:, None] != col_used[None, :]
        return float(cost[np.ix_(rows, cols)].sum() + placement._LOADING * shorts[beside].sum())

    best = min(total(r, c) for r, c in product(combinations(range(6), 4), combinations(range(6), 4)))
    rows, cols = place(4, 2, die)
    assert total(tuple(rows), tuple(cols)) == pytest.approx(best)


def test_large_arrays_avoid_shorts_too() -> None:
    die = make_map((64, 64), seed=1)
    sites = [(5, 40), (17, 3), (33, 33), (60, 12)]
    for row, col in sites:
        spoil(die, row, col, CellStatus.SHORT)
    rows, cols = place(50, 25, die)
    assert_uses_each_line_once(Placement(rows, cols), 50, 25, die.shape)
    assert (die.status[np.ix_(rows, cols)] != CellStatus.SHORT).all()


def test_columns_of_similar_swing_form_the_pairs() -> None:
    die = make_map((4, 4))
    die.siemens_p[:, [0, 2]] = 1.2 * G_P
    np.testing.assert_array_equal(place(4, 2, die).cols, [0, 2, 1, 3])


def test_stuck_cells_meet_bits_that_agree_with_them() -> None:
    rng = np.random.default_rng(2)
    die = make_map()
    for row, col, kind in zip(rng.permutation(15)[:8], rng.integers(0, 15, 8), rng.integers(0, 2, 8), strict=True):
        spoil(die, int(row), int(col), (CellStatus.STUCK_P, CellStatus.STUCK_AP)[kind])
    bits = rng.integers(0, 2, (13, 12)).astype(np.int8)

    def disagreements(lines: Placement) -> int:
        status = die.status[np.ix_(lines.rows, lines.cols)]
        wrong = ((status == CellStatus.STUCK_P) & (bits == 0)) | ((status == CellStatus.STUCK_AP) & (bits == 1))
        return int(wrong.sum())

    fitted = fit_to_bits(bits, die)
    assert disagreements(place_first(13, 6, die.shape)) > 0
    assert disagreements(fitted) == 0
    np.testing.assert_array_equal(fitted.rows, fit_to_bits(bits, die).rows)


@pytest.mark.parametrize("seed", range(6))
def test_fitting_never_makes_it_worse(seed: int) -> None:
    die = make_map(seed=seed, defect_rate=0.1)
    bits = np.random.default_rng(seed).integers(0, 2, (13, 12)).astype(np.int8)
    search, start = placement._Search(bits, die), place(13, 6, die)
    fitted = fit_to_bits(bits, die, start=start, restarts=0)
    assert search.cost(fitted) <= search.cost(start)
    assert search.cost(fit_to_bits(bits, die, start=start, restarts=4)) <= search.cost(fitted)


def test_fitting_spares_lines_that_a_short_beside_the_layer_would_load() -> None:
    die = make_map((3, 3))
    spoil(die, 2, 0, CellStatus.SHORT)
    loaded = Placement(np.array([0, 1]), np.array([0, 1]))
    fitted = fit_to_bits(np.array([[1, 0], [0, 1]], dtype=np.int8), die, start=loaded, restarts=0)
    assert sorted(fitted.rows) == [0, 1] and sorted(fitted.cols) == [1, 2]
    turned = make_map((3, 3))
    spoil(turned, 0, 2, CellStatus.SHORT)
    fitted = fit_to_bits(np.array([[1, 0], [0, 1]], dtype=np.int8), turned, start=loaded, restarts=0)
    assert sorted(fitted.rows) == [1, 2] and sorted(fitted.cols) == [0, 1]


def test_cells_that_cannot_switch_have_one_conductance() -> None:
    die = make_map((2, 3), seed=0)
    die.status[0] = CellStatus.STUCK_P, CellStatus.STUCK_AP, CellStatus.SHORT
    die.siemens_p[0, 2] = die.siemens_ap[0, 2] = np.nan
    die.siemens[0, 2] = 3e-3
    ap, p = reachable_siemens(die)
    np.testing.assert_array_equal(ap[0], p[0])
    assert (ap[0, 0], ap[0, 1], ap[0, 2]) == (die.siemens_p[0, 0], die.siemens_ap[0, 1], 3e-3)
    np.testing.assert_array_equal(p[1], die.siemens_p[1])


def test_unstable_cells_cost_as_much_as_stuck_ones() -> None:
    die = make_map((3, 3))
    spoil(die, 0, 0, CellStatus.UNSTABLE)
    spoil(die, 1, 1, CellStatus.STUCK_P)
    mean = state_errors(die).mean
    assert mean[0, 0] == pytest.approx(0.5) and mean[1, 1] == pytest.approx(0.5)
