"""Published text maps become maps with the unit that is stated, and nothing is made up."""

from pathlib import Path

import numpy as np
import pytest

from mtjlab.die_maps import DieMaps
from mtjlab.errors import InputError
from mtjlab.nouns import CellStatus, Conditions, DieId, State
from mtjlab.text_maps import read_text_kernels, read_text_map, read_text_states

UNIT = 1e-12
BIAS = Conditions(0.2)


def raw_numbers(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.8e8, 2.2e8, (25, 25))


def saved(path: Path, values: np.ndarray) -> Path:
    np.savetxt(path, values)
    return path


def test_a_kernel_is_read_in_the_stated_unit(tmp_path: Path) -> None:
    path = saved(tmp_path / "k17.txt", raw_numbers())
    found = read_text_map(path, siemens_per_unit=UNIT, conditions=BIAS, state=State.P, die=DieId("W", 1, 2))
    np.testing.assert_allclose(found.siemens, raw_numbers() * 1e-12, rtol=1e-15)
    np.testing.assert_array_equal(found.siemens_p, found.siemens)
    assert np.isnan(found.siemens_ap).all() and np.isnan(found.sigma).all()
    assert (found.status == CellStatus.UNREAD).all() and (found.state == State.P).all()
    assert found.provenance == {"file": "k17.txt", "siemens_per_unit": UNIT} and found.die == DieId("W", 1, 2)
    unknown = read_text_map(path, siemens_per_unit=UNIT, conditions=BIAS)
    assert np.isnan(unknown.siemens_p).all() and (unknown.state == State.UNKNOWN).all()


def test_two_states_are_judged_by_the_stated_limits(tmp_path: Path) -> None:
    ap = np.full((25, 25), 1e8) + np.arange(25) * 1e5
    p = 2 * ap
    p[0, :2] = ap[0, :2] = 1e10, 1e3
    p[1, 0], ap[1, 1] = ap[1, 0], p[1, 1]
    p[2, 2] = np.nan
    found = read_text_states(
        saved(tmp_path / "p.txt", p),
        saved(tmp_path / "ap.txt", ap),
        siemens_per_unit=UNIT,
        conditions=BIAS,
        short_siemens=1e-3,
        open_siemens=1e-7,
    )
    expected = np.full((25, 25), CellStatus.OK)
    expected[0, :2], expected[1, :2] = (CellStatus.SHORT, CellStatus.OPEN), (CellStatus.STUCK_AP, CellStatus.STUCK_P)
    expected[2, 2] = CellStatus.UNREAD
    np.testing.assert_array_equal(found.status, expected)
    assert found.siemens_p[0, 0] == 1e10 * UNIT
    assert found.on_off_siemens == pytest.approx(1e-4, rel=0.02)
    with pytest.raises(InputError, match="no cell conducts more in P"):
        read_text_states(tmp_path / "ap.txt", tmp_path / "ap.txt", siemens_per_unit=UNIT, conditions=BIAS)


def test_kernels_of_a_die_make_a_collection(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{k}.txt", raw_numbers(k)) for k in range(3)]
    maps = DieMaps.of([read_text_kernels(paths, siemens_per_unit=UNIT, conditions=BIAS)])
    assert (len(maps), maps.kernels, maps.kernel_shape) == (1, 3, (25, 25))
    np.testing.assert_allclose(maps.siemens[0, 2], raw_numbers(2) * UNIT)


@pytest.mark.parametrize(
    ("text", "message"),
    [("1 2\n3 4\n", "2 x 2 numbers, wanted 25 x 25"), ("a b\n", "not a text map"), ("", "wanted 25 x 25")],
)
def test_other_files_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "map.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_text_map(path, siemens_per_unit=UNIT, conditions=BIAS)
    with pytest.raises(InputError, match=r"missing\.txt"):
        read_text_map(tmp_path / "missing.txt", siemens_per_unit=UNIT, conditions=BIAS)


def test_a_unit_is_needed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="siemens_per_unit must be above 0"):
        read_text_map(saved(tmp_path / "a.txt", raw_numbers()), siemens_per_unit=0.0, conditions=BIAS)
