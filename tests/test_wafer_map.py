"""Wafer maps: drawn by rule, skipped, routed, turned and transformed; transforms are a group."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mtjlab.errors import InputError
from mtjlab.map_transform import MapTransform
from mtjlab.nouns import DieId
from mtjlab.wafer_map import BinKind, DieUse, MapDie, SkipRules, WaferMap, draw_map

TRANSFORMS = st.builds(
    MapTransform, st.booleans(), st.booleans(), st.booleans(), st.integers(-50, 50), st.integers(-50, 50)
)
PLACES = st.tuples(st.integers(-99, 99), st.integers(-99, 99))
TRIANGLE = [(0, 0), (3, 1), (1, 4)]


@given(TRANSFORMS, TRANSFORMS, PLACES)
def test_transforms_are_a_group(one: MapTransform, other: MapTransform, place: tuple[int, int]) -> None:
    assert one.inverse()(*one(*place)) == place
    assert one.then(other)(*place) == other(*one(*place))
    assert MapTransform.from_dict(one.as_dict()) == one


@given(TRANSFORMS)
def test_three_dies_tell_the_transform_and_a_line_does_not(transform: MapTransform) -> None:
    assert MapTransform.of_pairs({place: transform(*place) for place in TRIANGLE}) == transform
    with pytest.raises(InputError, match="more than one transform"):
        MapTransform.of_pairs({place: transform(*place) for place in [(0, 0), (2, 0), (5, 0)]})
    wrong = {place: transform(*place) for place in TRIANGLE}
    wrong[3, 1] = transform(3, 2)
    with pytest.raises(InputError, match="fit no transform"):
        MapTransform.of_pairs(wrong)


@pytest.mark.parametrize("stored", [{"swaps": 1}, {"shift_x": 0.5}, {"shift_y": True}, {"turn": 1}])
def test_what_is_no_transform_is_refused(stored: dict[str, object]) -> None:
    with pytest.raises(InputError, match="transform"):
        MapTransform.from_dict(stored)


def drawn(**changes: object) -> WaferMap:
    given: dict[str, object] = {"diameter_metres": 0.1, "pitch_metres": (0.01, 0.02), **changes}
    return draw_map("w", **given)  # type: ignore[arg-type]


def test_a_drawn_map_has_every_die_whose_centre_is_on_the_wafer_and_no_other() -> None:
    found = {(die.x, die.y) for die in drawn().dies}
    square = [(x, y) for x in range(-9, 10) for y in range(-9, 10)]
    assert found == {(x, y) for x, y in square if math.hypot(10 * x, 20 * y) <= 50}
    assert len(found) == 43  # 11 + 2 * 9 + 2 * 7


def test_a_grid_whose_centre_lies_between_dies_is_symmetric_about_it() -> None:
    found = {(die.x, die.y) for die in drawn(origin=(0.5, 0.5)).dies}
    assert found == {(1 - x, 1 - y) for x, y in found}
    assert drawn(origin=(0.5, 0.5)).place_metres(1, 0) == pytest.approx((0.005, -0.01))


def test_dies_in_the_edge_ring_are_edge_dies_and_others_follow_the_rules() -> None:
    rules = SkipRules(edge_metres=0.005, every=(2, 1), never=frozenset({(2, 1)}))
    uses = {(die.x, die.y): die.use for die in drawn(skip=rules).dies}
    assert uses[4, 0] is DieUse.EDGE  # its corner is at hypot(45, 10) mm
    assert uses[0, 0] is uses[-2, 1] is DieUse.PROBE
    assert uses[2, 1] is uses[1, 0] is DieUse.SKIP
    only = drawn().with_uses(SkipRules(only=frozenset({(0, 0), (1, 1)})))
    assert [(die.x, die.y) for die in only.probed] == [(0, 0), (1, 1)]


def test_edge_rules_need_a_diameter_and_places_a_pitch() -> None:
    bare = WaferMap("w", (MapDie(0, 0),))
    with pytest.raises(InputError, match="far dies are apart"):
        bare.place_metres(0, 0)
    with pytest.raises(InputError, match="how large"):
        WaferMap("w", (MapDie(0, 0),), (1e-3, 1e-3)).with_uses(SkipRules(edge_metres=1e-3))


def test_routes_visit_every_probed_die_once_and_serpentines_turn() -> None:
    chip = drawn(skip=SkipRules(never=frozenset({(0, 0)})))
    for order in ("rows", "rows_serpentine", "columns", "columns_serpentine", "as_listed"):
        visits = chip.route(order)  # type: ignore[arg-type]
        assert sorted((d.x, d.y) for d in visits) == sorted((d.x, d.y) for d in chip.probed)
    steps = [(b.x - a.x, b.y - a.y) for a, b in zip(chip.route()[:-1], chip.route()[1:], strict=True)]
    assert max(abs(x) for x, _ in steps) <= 3
    assert chip.route("rows")[0] == chip.route()[0]


@given(TRANSFORMS.filter(lambda t: not t.swaps))
def test_a_die_stays_where_it_is_when_its_numbers_change(transform: MapTransform) -> None:
    before = drawn(origin=(0.5, 0.0), notch_degrees=90)
    after = before.transformed(transform)
    for die in before.dies:
        assert after.place_metres(*transform(die.x, die.y)) == pytest.approx(before.place_metres(die.x, die.y))
    assert after.transform == transform
    assert after.transformed(transform.inverse()).dies == before.dies


@pytest.mark.parametrize("axes", ["UR", "UL", "DR", "DL"])
def test_a_turned_wafer_has_its_dies_notch_and_pitch_turned_clockwise(axes: str) -> None:
    before = drawn(axes=axes, origin=(0.5, 0.25))
    after = before.turned(1)
    assert (after.notch_degrees, after.pitch_metres, after.axes) == (270, (0.02, 0.01), axes)
    for die, turned in zip(before.dies, after.dies, strict=True):
        right, up = before.place_metres(die.x, die.y)
        assert after.place_metres(turned.x, turned.y) == pytest.approx((up, -right))
        assert after.transform(die.x, die.y) == (turned.x, turned.y)
    assert before.turned(4).dies == before.dies


def test_bins_belong_to_dies_that_exist() -> None:
    binned = drawn().with_bins({(0, 0): 1, (1, 0): 7}, [BinKind(1, True, "good")])
    assert (binned.die(0, 0).bin, binned.die(1, 0).bin, binned.die(2, 0).bin) == (1, 7, None)
    assert binned.die_id(binned.die(1, 0)) == DieId("w", 1, 0)
    with pytest.raises(InputError, match="not on the map"):
        drawn().with_bins({(9, 9): 1})


@pytest.mark.parametrize(
    "dies", [(), (MapDie(0, 0), MapDie(0, 0)), (MapDie(10**6, 0),)], ids=["none", "twice", "far away"]
)
def test_impossible_maps_are_refused(dies: tuple[MapDie, ...]) -> None:
    with pytest.raises(InputError, match="die"):
        WaferMap("w", dies)


@pytest.mark.parametrize("pitch", [(5.0, 5.0), (1e-6, 1e-6), (0.0, 1.0), (float("nan"), 1.0)])
def test_sizes_that_are_no_metres_are_refused(pitch: tuple[float, float]) -> None:
    with pytest.raises(InputError, match=r"drawn|too many|at least one"):
        draw_map("w", diameter_metres=200.0 if pitch[0] == 5.0 else 0.3, pitch_metres=pitch)
