"""Collections of maps: nothing is lost, dies come as they finish, and what does not belong together is refused."""

import threading
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

from mtjlab.die_maps import MAP_ARRAYS, DieMaps
from mtjlab.engine.tiling import plain_tiling
from mtjlab.errors import InputError
from mtjlab.map_feed import MapFeed
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId

SHAPE = (5, 6)


def make_map(x: int = 0, kernel: int = 0, shape: tuple[int, int] = SHAPE, *, is_partial: bool = False) -> ArrayMap:
    rng = np.random.default_rng([x, kernel])
    ap = 1e-4 * np.exp(0.05 * rng.standard_normal(shape))
    p = 2 * ap
    status = np.full(shape, CellStatus.OK, dtype=np.int8)
    status[0, :3] = CellStatus.SHORT, CellStatus.OPEN, CellStatus.STUCK_P
    p[0, :2] = ap[0, :2] = 7e-3, 1e-12
    ap[0, 2] = np.nan
    p[1, 1] = ap[1, 1] = np.nan
    status[1, 1] = CellStatus.UNREAD
    state = rng.integers(-1, 2, shape).astype(np.int8)
    conditions = Conditions(0.1 + 0.01 * kernel, kelvin=300.0)
    provenance = {"kernel": kernel, "bench": "b"}
    return ArrayMap(p.copy(), p, ap, state, status, 1e-7 * ap, conditions, DieId("W1", x, 2), provenance, is_partial)


def make_dies(dies: int = 3, kernels: int = 2) -> DieMaps:
    return DieMaps.of([[make_map(x, k) for k in range(kernels)] for x in range(dies)])


def assert_same_map(found: ArrayMap, wanted: ArrayMap) -> None:
    for name in MAP_ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted, name))
        assert getattr(found, name).dtype == getattr(wanted, name).dtype
    assert found.conditions == wanted.conditions and found.die == wanted.die
    assert found.provenance == wanted.provenance and found.is_partial == wanted.is_partial


def test_maps_come_out_as_they_went_in() -> None:
    maps = make_dies()
    assert (len(maps), maps.kernels, maps.kernel_shape) == (3, 2, SHAPE)
    for x in range(3):
        for kernel in range(2):
            assert_same_map(maps.map_of(x, kernel), make_map(x, kernel))
    assert_same_map(DieMaps.of([make_map(4)]).map_of(0), make_map(4))


def test_cells_under_a_layer_are_neither_clamped_nor_filled_in() -> None:
    maps = make_dies()
    tiling = plain_tiling([5, 2, 2], kernels=2, kernel_shape=SHAPE)
    ap, p = maps.cells(tiling.layers[0].cells)
    assert ap.shape == p.shape == (3, 5, 4)
    np.testing.assert_array_equal(ap[:, 0, 0], 7e-3)
    np.testing.assert_array_equal(p[:, 0, 1], 1e-12)
    np.testing.assert_array_equal(ap[:, 0, 2], maps.siemens_p[:, 0, 0, 2])  # stuck in P whatever is asked
    assert np.isnan(ap[:, 1, 1]).all() and np.isnan(ap).sum() == 3
    np.testing.assert_array_equal(p[2, 2:], maps.siemens_p[2, 0, 2:, :4])
    with pytest.raises(InputError, match=r"no known conductance on 3 of 3 dies: W1 \(0, 2\) \(1\)"):
        maps.known_cells(tiling.layers[0].cells)
    kernel, row, col = (each[2:] for each in tiling.layers[0].cells)
    np.testing.assert_array_equal(maps.known_cells((kernel, row, col)).siemens_p, p[:, 2:])


def test_status_and_uncertainty_under_a_layer_are_at_hand() -> None:
    maps = make_dies()
    index = plain_tiling([5, 2, 2], kernels=2, kernel_shape=SHAPE).layers[0].cells
    np.testing.assert_array_equal(maps.at("status", index)[2, 0, :3], [CellStatus.SHORT, CellStatus.OPEN, 4])
    np.testing.assert_array_equal(maps.at("sigma", index)[1, 2:], maps.sigma[1, 0, 2:, :4])
    with pytest.raises(InputError, match="no array 'volts'"):
        maps.at("volts", index)


def test_dies_are_selected_by_number_and_by_mask() -> None:
    maps = make_dies()
    assert [die.x for die in maps.select([2, 0]).dies] == [2, 0]
    assert_same_map(maps.select(np.array([False, True, True])).map_of(1, 1), make_map(2, 1))
    assert [each.dies[0].x for each in maps] == [0, 1, 2] and len(maps[1]) == 1


def test_a_unit_of_weight_is_told_per_die_and_dies_without_one_are_named() -> None:
    maps = make_dies()
    good = maps.status[1] == CellStatus.OK
    assert maps.on_off_siemens()[1] == np.median((maps.siemens_p - maps.siemens_ap)[1][good])
    np.testing.assert_array_equal(maps.defect_counts()["short"], [2, 2, 2])
    maps.status[1] = CellStatus.OPEN
    with pytest.raises(InputError, match=r"no healthy cell on 1 of 3 dies: W1 \(1, 2\)"):
        maps.on_off_siemens()


def test_maps_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(InputError, match=r"different shapes: \[\(5, 6\), \(6, 6\)\]"):
        DieMaps.of([make_map(0), make_map(1, shape=(6, 6))])
    with pytest.raises(InputError, match=r"different numbers of kernels: \[1, 2\]"):
        DieMaps.of([[make_map(0)], [make_map(1), make_map(1, 1)]])
    with pytest.raises(InputError, match="different die ids"):
        DieMaps.of([[make_map(0), make_map(1, 1)]])
    with pytest.raises(InputError, match="no maps"):
        DieMaps.of([])


def test_dies_are_followed_while_they_are_measured() -> None:
    feed = MapFeed(kernels=2)

    def measure() -> None:
        with feed, suppress(OSError):
            for x, kernel in ((0, 1), (0, 0), (1, 1), (1, 0), (2, 1)):
                keep = partial(feed.hand, kernel=kernel)
                keep(make_map(x, kernel, is_partial=True))
                as_found = make_map(x, kernel)
                as_found.siemens_ap[:] = np.nan
                keep(as_found)
                keep(make_map(x, kernel))
            raise OSError("the bench is gone")

    bench = threading.Thread(target=measure)
    bench.start()
    followed = [die.dies[0].x for die in feed]
    bench.join()
    assert followed == [0, 1]
    assert feed.unfinished == {DieId("W1", 2, 2): (1,)}
    assert [die.dies[0].x for die in feed] == [0, 1]  # who comes later sees them all
    assert_same_map(feed.so_far().map_of(1, 0), make_map(1, 0))


def test_a_die_is_passed_on_before_the_next_is_measured() -> None:
    feed = MapFeed()
    following = iter(feed)
    feed.hand(make_map(0))
    assert_same_map(next(following).map_of(0), make_map(0))
    feed.hand(make_map(1))
    assert next(following).dies == (DieId("W1", 1, 2),)


def test_maps_that_do_not_fit_the_feed_are_refused() -> None:
    feed = MapFeed(kernels=2)
    with pytest.raises(InputError, match="kernel 2 of a die of 2"):
        feed.hand(make_map(), kernel=2)
    with pytest.raises(InputError, match="no die is complete"):
        feed.so_far()
    feed.hand(make_map(0, 0), 0)
    with pytest.raises(InputError, match=r"\(4, 4\) after maps of \(5, 6\)"):
        feed.hand(make_map(0, 1, (4, 4)), 1)
    feed.hand(make_map(0, 1), 1)
    with pytest.raises(InputError, match="complete and was passed on"):
        feed.hand(make_map(0, 1), 1)
    feed.close()
    with pytest.raises(InputError, match="after the feed was closed"):
        feed.hand(make_map(3), 0)
