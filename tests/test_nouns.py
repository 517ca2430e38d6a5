"""The nouns: maps that come back from disk as they were, and lines that say what a cell could see."""

from __future__ import annotations

import json
import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mtjlab.errors import InputError
from mtjlab.nouns import (
    FLOATING,
    NO_DIE,
    ArrayMap,
    CellStatus,
    Conditions,
    Cost,
    DieId,
    LayerPlan,
    Lines,
    Reading,
    Site,
    State,
)

ARRAYS = ("siemens", "siemens_p", "siemens_ap", "state", "status", "sigma")
SIEMENS = st.one_of(st.floats(0, 1e-2), st.just(float("nan")))


def small_map(**changes: object) -> ArrayMap:
    p, ap = np.full((2, 3), 2e-4), np.full((2, 3), 1e-4)
    ones = np.ones((2, 3), dtype=np.int8)
    return replace(ArrayMap(ap.copy(), p, ap, ones * State.AP, ones, ap * 1e-3, Conditions(0.1)), **changes)


def assert_same(one: ArrayMap, other: ArrayMap) -> None:
    for name in ARRAYS:
        ours, theirs = getattr(one, name), getattr(other, name)
        assert ours.dtype == theirs.dtype
        assert np.array_equal(ours, theirs, equal_nan=ours.dtype.kind == "f"), name
    assert (one.conditions, one.die, one.provenance, one.is_partial) == (
        other.conditions,
        other.die,
        other.provenance,
        other.is_partial,
    )


class TestArrayMapOnDisk:
    @given(st.data())
    @settings(
        derandomize=True,
        database=None,
        deadline=None,
        max_examples=25,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    def test_what_was_saved_is_loaded(self, tmp_path: Path, data: st.DataObject) -> None:
        shape = data.draw(st.tuples(st.integers(1, 4), st.integers(1, 4)))
        siemens = [data.draw(arrays(np.float64, shape, elements=SIEMENS)) for _ in range(4)]
        states = data.draw(arrays(np.int8, shape, elements=st.sampled_from([int(s) for s in State])))
        status = data.draw(arrays(np.int8, shape, elements=st.sampled_from([int(s) for s in CellStatus])))
        saved = ArrayMap(
            siemens[0],
            siemens[1],
            siemens[2],
            states,
            status,
            siemens[3],
            Conditions(data.draw(st.floats(0.01, 1)), "V/3", 295.5, 2.0, data.draw(st.none() | st.floats(0, 10))),
            DieId(data.draw(st.text(max_size=8)), data.draw(st.integers(-99, 99)), 3),
            {"bench": data.draw(st.text(max_size=8)), "seed": 5, "is_simulated": True},
            data.draw(st.booleans()),
        )
        assert_same(ArrayMap.load(saved.save(tmp_path / "map.npz")), saved)

    def test_defaults_survive(self, tmp_path: Path) -> None:
        loaded = ArrayMap.load(small_map().save(tmp_path / "map.npz"))
        assert loaded.die == NO_DIE
        assert isinstance(loaded.die, DieId)
        assert not loaded.is_partial

    def test_nothing_in_the_file_is_pickled(self, tmp_path: Path) -> None:
        path = small_map().save(tmp_path / "map.npz")
        with np.load(path, allow_pickle=False) as stored:
            assert {*ARRAYS, "header"} <= set(stored.files)
            assert all(stored[name].dtype != object for name in (*ARRAYS, "header"))
            assert json.loads(str(stored["header"]))["format"] == "mtjlab.ArrayMap/1"

    def test_a_pickle_is_refused_and_not_run(self, tmp_path: Path) -> None:
        trap, path = tmp_path / "sprung", tmp_path / "evil.npz"

        class Evil:
            def __reduce__(self) -> tuple[object, tuple[object, ...]]:
                return Path.touch, (trap,)

        path.write_bytes(pickle.dumps(Evil()))
        with pytest.raises(InputError, match="not an array map"):
            ArrayMap.load(path)
        np.savez(path, header=np.array([Evil()], dtype=object))
        with pytest.raises(InputError, match="not an array map"):
            ArrayMap.load(path)
        assert not trap.exists()

    @pytest.mark.parametrize(
        "content",
        [b"", b"hello", b"PK\x03\x04 but no archive", b"\x93NUMPY\x01"],
        ids=["empty", "text", "half a zip", "half an array"],
    )
    def test_another_file_is_refused(self, tmp_path: Path, content: bytes) -> None:
        path = tmp_path / "map.npz"
        path.write_bytes(content)
        with pytest.raises(InputError, match="not an array map") as caught:
            ArrayMap.load(path)
        assert caught.value.where == str(path)
        assert caught.value.remedy

    def test_a_missing_file_and_a_half_written_one_are_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "map.npz"
        with pytest.raises(InputError, match="not an array map"):
            ArrayMap.load(path)
        small_map().save(path)
        path.write_bytes(path.read_bytes()[:-200])
        with pytest.raises(InputError, match="not an array map"):
            ArrayMap.load(path)

    def test_an_archive_without_one_of_the_arrays_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "map.npz"
        np.savez(path, header=np.array("{}"), siemens=np.zeros((1, 1)))
        with pytest.raises(InputError, match="not an array map"):
            ArrayMap.load(path)

    def test_an_unknown_format_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "map.npz"
        arrays_of = {name: getattr(small_map(), name) for name in ARRAYS}
        np.savez(path, header=np.array(json.dumps({"format": "mtjlab.ArrayMap/99"})), **arrays_of)
        with pytest.raises(InputError, match=r"unknown map format 'mtjlab.ArrayMap/99'"):
            ArrayMap.load(path)

    def test_a_bare_numpy_array_is_refused(self, tmp_path: Path) -> None:
        np.save(tmp_path / "map.npy", np.zeros((2, 2)))
        with pytest.raises(InputError, match="not an array map"):
            ArrayMap.load(tmp_path / "map.npy")

    def test_a_damaged_file_is_refused(self, tmp_path: Path) -> None:
        path = small_map().save(tmp_path / "map.npz")
        content = bytearray(path.read_bytes())
        start = content.index(b"siemens.npy") + 40
        content[start : start + 20] = bytes([255] * 20)
        path.write_bytes(bytes(content))
        with pytest.raises(InputError, match="not an array map"):
            ArrayMap.load(path)

    def test_save_returns_where_the_map_is(self, tmp_path: Path) -> None:
        assert small_map().save(tmp_path / "map").is_file()


class TestArrayMap:
    def test_arrays_of_different_shapes_are_refused(self) -> None:
        with pytest.raises(InputError, match="one \\(row, col\\) shape"):
            small_map(sigma=np.zeros((3, 2)))

    def test_arrays_that_are_no_arrays_of_cells_are_refused(self) -> None:
        flat, whole = np.zeros(3), np.zeros(3, dtype=np.int8)
        with pytest.raises(InputError):
            ArrayMap(flat, flat, flat, whole, whole, flat, Conditions(0.1))

    def test_on_off_is_the_median_over_healthy_cells(self) -> None:
        status = np.full((2, 3), CellStatus.OK, dtype=np.int8)
        status[0, 0] = CellStatus.SHORT
        p = np.full((2, 3), 2e-4)
        p[0, 0], p[1, 1] = 5e-3, 3e-4
        assert small_map(status=status, siemens_p=p).on_off_siemens == pytest.approx(1e-4)

    def test_without_a_healthy_cell_there_is_no_on_off(self) -> None:
        with pytest.raises(InputError, match="no healthy cell") as caught:
            _ = small_map(status=np.full((2, 3), CellStatus.OPEN, dtype=np.int8)).on_off_siemens
        assert caught.value.remedy

    def test_defects_are_counted_by_name(self) -> None:
        status = np.array([[0, 1, 2], [2, 7, 4]], dtype=np.int8)
        counts = small_map(status=status).defect_counts()
        assert {name: count for name, count in counts.items() if count} == {"short": 2, "unwritten": 1, "stuck_p": 1}
        assert "ok" not in counts
        assert "unread" not in counts


VOLTS = st.one_of(st.floats(-2, 2), st.just(FLOATING))


class TestLines:
    def test_grounded(self) -> None:
        lines = Lines.grounded(2, 3)
        assert lines.row_volts.tolist() == [0, 0]
        assert lines.col_volts.tolist() == [0, 0, 0]
        assert lines.largest_cell_volts == 0

    def test_selecting_drives_the_row_and_grounds_the_column(self) -> None:
        lines = Lines.selecting((3, 4), Site(1, 2), 0.8, 0.4)
        assert lines.row_volts.tolist() == [0.4, 0.8, 0.4]
        assert lines.col_volts.tolist() == [0.4, 0.4, 0.0, 0.4]
        assert lines.largest_cell_volts == 0.8

    def test_unselected_lines_may_float(self) -> None:
        lines = Lines.selecting((2, 2), Site(0, 0), 0.1, FLOATING)
        assert np.isnan([lines.row_volts[1], lines.col_volts[1]]).all()
        assert lines.largest_cell_volts == 0.1

    def test_a_level_of_zero_may_be_written_as_an_integer(self) -> None:
        assert Lines.selecting((2, 2), Site(0, 0), 0.1, 0).row_volts[0] == 0.1

    @given(st.lists(VOLTS, min_size=1, max_size=5), st.lists(VOLTS, min_size=1, max_size=5))
    @settings(derandomize=True, database=None, deadline=None, max_examples=60)
    def test_the_largest_cell_voltage_lets_floating_lines_be_anywhere_between_the_driven(
        self, rows: list[float], cols: list[float]
    ) -> None:
        lines = Lines(np.array(rows), np.array(cols))
        driven = [v for v in (*rows, *cols) if not np.isnan(v)]
        ends = [[v for v in side if not np.isnan(v)] if not np.isnan(side).any() else driven for side in (rows, cols)]
        expected = max((abs(a - b) for a in ends[0] for b in ends[1]), default=0.0) if len(driven) > 1 else 0.0
        assert lines.largest_cell_volts == pytest.approx(expected, abs=1e-15)


def test_a_reading_gives_conductance_and_none_at_zero_volts() -> None:
    assert Reading(0.1, 2e-5).siemens == pytest.approx(2e-4)
    assert Reading(-0.1, -2e-5).siemens == pytest.approx(2e-4)
    assert np.isnan(Reading(0.0, 1e-9).siemens)


COSTS = st.builds(Cost, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99).map(float))


@given(COSTS, COSTS)
@settings(derandomize=True, database=None, deadline=None, max_examples=30)
def test_costs_add_and_subtract(one: Cost, other: Cost) -> None:
    assert one + other - other == one
    assert one + Cost() == one


def test_the_state_is_the_binary_weight() -> None:
    assert (State.AP, State.P) == (0, 1)


def test_a_layers_target_is_its_bits_on_its_lines_and_unknown_elsewhere() -> None:
    bits = np.array([[1, 0], [0, 1]], dtype=np.int8)
    layer = LayerPlan("a", np.array([2, 0]), np.array([1, 3]), bits, np.zeros(1))
    target = layer.target((3, 4))
    assert target[2].tolist() == [-1, 1, -1, 0]
    assert target[0].tolist() == [-1, 0, -1, 1]
    assert (target[1] == State.UNKNOWN).all()
