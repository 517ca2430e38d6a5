"""The exchange file: what is written is read, by mtjlab and by ten lines of NumPy, and nothing else is."""

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.die_maps import MAP_ARRAYS, DieMaps
from mtjlab.errors import InputError
from mtjlab.exchange_file import checksum, read_maps, write_maps
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, DieId

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "exchange.md"


def make_map(x: int, kernel: int, shape: tuple[int, int] = (4, 3)) -> ArrayMap:
    rng = np.random.default_rng([x, kernel])
    ap = rng.uniform(0.9e-4, 1.1e-4, shape)
    p = 2 * ap
    p[0, 0] = ap[0, 0] = 1e-2
    p[1, 1] = np.nan
    status = np.full(shape, CellStatus.OK, dtype=np.int8)
    status[0, 0] = CellStatus.SHORT
    state = rng.integers(-1, 2, shape).astype(np.int8)
    conditions = Conditions(0.1, "V/2", 300.0, tesla=None, polarities=2)
    return ArrayMap(ap, p, ap, state, status, 0.01 * ap, conditions, DieId("Wé", x, -1), {"kernel": kernel}, x == 1)


def make_dies() -> DieMaps:
    return DieMaps.of([[make_map(x, kernel) for kernel in range(2)] for x in range(3)])


def tampered(path: Path, to: Path, *, header: dict[str, Any] | None = None, **arrays: np.ndarray) -> Path:
    """A copy in which some things are different."""
    with np.load(path) as stored:
        contents = {name: stored[name] for name in stored}
    if header:
        contents["header"] = np.array(json.dumps(json.loads(str(contents["header"])) | header))
    np.savez(to, **(contents | arrays))
    return to


def test_what_was_written_is_read(tmp_path: Path) -> None:
    maps = make_dies()
    path = write_maps(maps, tmp_path / "dies")
    assert path.name == "dies.npz" and [each.name for each in tmp_path.iterdir()] == ["dies.npz"]
    found = read_maps(path)
    for name in MAP_ARRAYS:
        np.testing.assert_array_equal(getattr(found, name), getattr(maps, name))
        assert getattr(found, name).dtype == getattr(maps, name).dtype
    assert (found.dies, found.conditions, found.provenance) == (maps.dies, maps.conditions, maps.provenance)
    np.testing.assert_array_equal(found.is_partial, maps.is_partial)


@given(seed=st.integers(0, 2**32 - 1), shape=st.tuples(*(st.integers(1, 4) for _ in range(4))))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_any_values_come_back_bit_for_bit(seed: int, shape: tuple[int, int, int, int]) -> None:
    rng = np.random.default_rng(seed)
    floats = rng.choice([np.nan, np.inf, 0.0, -1e-12, 5e-324, 1e-4], (4, *shape)) * rng.choice([1.0, 1 / 3], shape)
    conditions = tuple(tuple(Conditions(0.1, kelvin=float(k)) for k in range(shape[1])) for _ in range(shape[0]))
    maps = DieMaps(
        *floats,
        state=rng.integers(-1, 2, shape).astype(np.int8),
        status=rng.integers(0, 12, shape).astype(np.int8),
        dies=tuple(DieId("W", x, -x) for x in range(shape[0])),
        conditions=conditions,
        provenance=tuple(tuple({"k": k, "ok": True} for k in range(shape[1])) for _ in range(shape[0])),
        is_partial=rng.integers(0, 2, shape[:2]).astype(bool),
    )
    with TemporaryDirectory() as folder:
        found = read_maps(write_maps(maps, Path(folder) / "any"))
    for name in MAP_ARRAYS:
        assert getattr(found, name).tobytes() == getattr(maps, name).tobytes()
    assert (found.dies, found.conditions, found.provenance) == (maps.dies, maps.conditions, maps.provenance)


def test_a_single_map_from_a_run_folder_is_a_die_of_one_kernel(tmp_path: Path) -> None:
    stored = make_map(2, 0)
    found = read_maps(stored.save(tmp_path / "both_states"))
    np.testing.assert_array_equal(found.siemens_p[0, 0], stored.siemens_p)
    assert found.dies == (stored.die,) and found.kernels == 1


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree, not only the wheel")
def test_ten_lines_of_numpy_read_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = make_dies()
    write_maps(maps, tmp_path / "dies")
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[0]
    assert len(code.strip().splitlines()) <= 10 and "mtjlab" not in re.sub(r'"mtjlab\.DieMaps"', "", code)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    np.testing.assert_array_equal(names["siemens_p"], maps.siemens_p)
    np.testing.assert_array_equal(names["status"], maps.status)
    assert [DieId(*die) for die in names["header"]["dies"]] == list(maps.dies)
    tampered(tmp_path / "dies.npz", tmp_path / "dies.npz", siemens_p=2 * maps.siemens_p)
    with pytest.raises(AssertionError):
        exec(code, {})


@pytest.mark.skipif(not PAGE.is_file(), reason="needs the source tree, not only the wheel")
def test_the_example_of_placement_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = DieMaps.of([[make_map(x, kernel, (5, 6)) for kernel in range(3)] for x in range(2)])
    maps.siemens_p[:, :, 1, 1] = 2e-4
    write_maps(maps, tmp_path / "dies")
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["siemens"][0].shape == (2, 5, 6)
    assert (names["siemens"][0][:, 1:] < 1e-3).all() and (names["siemens"][1] < 1e-3).all()  # shorts: under dark inputs
    assert (names["targets"] >= 0).sum() == 5 * 6 + 3 * 4


def test_a_changed_array_is_noticed(tmp_path: Path) -> None:
    path = write_maps(make_dies(), tmp_path / "dies")
    other = make_dies().siemens_ap.copy()
    other[0, 0, 0, 0] += 1e-12
    with pytest.raises(InputError, match="checksum of siemens_ap is wrong"):
        read_maps(tampered(path, tmp_path / "other.npz", siemens_ap=other))


def test_pickled_objects_are_refused_unread(tmp_path: Path) -> None:
    path = write_maps(make_dies(), tmp_path / "dies")
    trap = np.array([{"a": 1}], dtype=object)
    with pytest.raises(InputError, match="holds pickled objects"):
        read_maps(tampered(path, tmp_path / "trap.npz", siemens=trap))
    np.save(tmp_path / "plain.npy", trap, allow_pickle=True)
    with pytest.raises(InputError, match="holds pickled objects"):
        read_maps(tmp_path / "plain.npy")


def test_other_schemas_and_formats_are_refused(tmp_path: Path) -> None:
    path = write_maps(make_dies(), tmp_path / "dies")
    with pytest.raises(InputError, match="its schema is 2, this version of mtjlab reads 1"):
        read_maps(tampered(path, tmp_path / "new.npz", header={"schema": 2}))
    with pytest.raises(InputError, match=r"does not say mtjlab\.DieMaps"):
        read_maps(tampered(path, tmp_path / "odd.npz", header={"format": "other"}))


def test_headers_and_arrays_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = write_maps(make_dies(), tmp_path / "dies")
    with pytest.raises(InputError, match="3 dies of maps, but 1 die ids"):
        read_maps(tampered(path, tmp_path / "a.npz", header={"dies": [["W", 0, 0]]}))
    with pytest.raises(InputError, match="its header does not fit"):
        read_maps(tampered(path, tmp_path / "b.npz", header={"conditions": [[{"volts": 1}]]}))
    status = np.full((3, 2, 4, 3), 77, dtype=np.int8)
    sums = {name: checksum(getattr(make_dies(), name)) for name in MAP_ARRAYS} | {"status": checksum(status)}
    with pytest.raises(InputError, match=r"status has codes \[77\]"):
        read_maps(tampered(path, tmp_path / "c.npz", header={"sha256": sums}, status=status))
    other = np.zeros((3, 2, 4, 4))
    sums["status"], sums["siemens"] = checksum(make_dies().status), checksum(other)
    with pytest.raises(InputError, match="share one"):
        read_maps(tampered(path, tmp_path / "d.npz", header={"sha256": sums}, siemens=other))
    with pytest.raises(InputError, match="siemens is of type float32"):
        read_maps(tampered(path, tmp_path / "e.npz", siemens=other.astype(np.float32)))


@pytest.mark.parametrize("contents", [b"", b"not a file of ours", b"PK\x03\x04 broken", b"\x93NUMPY\x01\x00"])
def test_other_files_are_refused(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "file.npz"
    path.write_bytes(contents)
    with pytest.raises(InputError, match=r"file\.npz"):
        read_maps(path)
    with pytest.raises(InputError, match=r"missing\.npz"):
        read_maps(tmp_path / "missing.npz")


def test_provenance_that_json_cannot_say_is_refused(tmp_path: Path) -> None:
    maps = make_dies()
    maps.provenance[0][0]["bench"] = object()
    with pytest.raises(InputError, match="JSON cannot say"):
        write_maps(maps, tmp_path / "dies")
    assert list(tmp_path.iterdir()) == []
