"""De-embedding against brute force, finite differences and arrays whose cells are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.errors import InputError
from mtjlab.physics.deembed import RawReads, Scheme, Wires, _read, _reduced, deembed, raw_reads

WIRES = Wires(2.0, row_ohms=30.0, col_ohms=10.0)


def array(rows: int, cols: int, seed: int = 0, spread: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(seed)
    p = rng.random((rows, cols)) < 0.5
    return np.where(p, 2e-4, 1e-4) * np.exp(spread * rng.standard_normal((rows, cols)))


def brute_force(siemens: np.ndarray, scheme: Scheme, wires: Wires, row: int, col: int) -> float:
    """The read from Kirchhoff's laws on every wire node, with no reduction."""
    rows, cols = siemens.shape
    row_node = np.arange(rows * cols).reshape(rows, cols)
    col_node = row_node + rows * cols
    ends = 2 * rows * cols + np.arange(rows + cols)
    matrix = np.zeros((ends[-1] + 1,) * 2)

    def join(a: int, b: int, g: float) -> None:
        matrix[[a, b], [a, b]] += g
        matrix[[a, b], [b, a]] -= g

    for i in range(rows):
        join(ends[i], row_node[i, 0], 1 / (wires.segment_ohms + float(np.broadcast_to(wires.row_ohms, rows)[i])))
        for j in range(1, cols):
            join(row_node[i, j - 1], row_node[i, j], 1 / wires.segment_ohms)
    for j in range(cols):
        join(
            ends[rows + j],
            col_node[-1, j],
            1 / (wires.segment_ohms + float(np.broadcast_to(wires.col_ohms, cols)[j])),
        )
        for i in range(1, rows):
            join(col_node[i - 1, j], col_node[i, j], 1 / wires.segment_ohms)
    for i in range(rows):
        for j in range(cols):
            join(row_node[i, j], col_node[i, j], siemens[i, j])
    known = {int(ends[row]): 1.0, int(ends[rows + col]): 0.0}
    for line in range(rows + cols):
        rest = {
            Scheme.GROUNDED: 0.0,
            Scheme.HALF: 0.5,
            Scheme.THIRD: 1 / 3 if line < rows else 2 / 3,
            Scheme.FLOATING: None,
            Scheme.ROWS_FLOAT: None if line < rows else 0.0,
        }[scheme]
        if rest is not None:
            known.setdefault(int(ends[line]), rest)
    free = np.array([k for k in range(len(matrix)) if k not in known])
    volts = np.zeros(len(matrix))
    volts[list(known)] = list(known.values())
    volts[free] = np.linalg.solve(matrix[np.ix_(free, free)], -matrix[np.ix_(free, list(known))] @ volts[list(known)])
    return -float(matrix[ends[rows + col]] @ volts)


@pytest.mark.parametrize("scheme", list(Scheme))
def test_reads_are_those_of_kirchhoffs_laws(scheme: Scheme) -> None:
    siemens = array(4, 5)
    siemens[1, 2], siemens[3, 0] = 5e-3, 1e-7
    found = raw_reads(siemens, scheme, WIRES)
    for row, col in ((0, 0), (1, 2), (3, 0), (2, 4)):
        assert found[row, col] == pytest.approx(brute_force(siemens, scheme, WIRES, row, col), rel=1e-10)


@pytest.mark.parametrize("scheme", list(Scheme))
def test_slopes_are_the_derivatives(scheme: Scheme) -> None:
    siemens = array(4, 3)
    _, slopes = _read(_reduced(siemens, WIRES), scheme)
    for cell in (0, 5, 11):
        up, down = siemens.copy().ravel(), siemens.copy().ravel()
        up[cell] *= 1 + 1e-5
        down[cell] *= 1 - 1e-5
        both = [raw_reads(values.reshape(4, 3), scheme, WIRES).ravel() for values in (up, down)]
        numeric = (both[0] - both[1]) / (up[cell] - down[cell])
        assert slopes[:, cell] == pytest.approx(numeric, rel=1e-6, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 1000),
    rows=st.integers(2, 9),
    cols=st.integers(2, 9),
    scheme=st.sampled_from([Scheme.GROUNDED, Scheme.FLOATING, Scheme.HALF, Scheme.ROWS_FLOAT]),
)
def test_exact_reads_give_the_exact_cells(seed: int, rows: int, cols: int, scheme: Scheme) -> None:
    siemens = array(rows, cols, seed)
    found = deembed([RawReads(raw_reads(siemens, scheme, WIRES), scheme)], WIRES)
    assert found.siemens == pytest.approx(siemens, rel=1e-6)
    assert found.chi_squared_per_read < 1e-10


def test_shorts_and_nearly_open_cells_come_back_too() -> None:
    siemens = array(10, 10)
    siemens[2, 3], siemens[7, 7] = 1 / 200, 1e-6
    raw = raw_reads(siemens, Scheme.FLOATING, WIRES)
    found = deembed([RawReads(raw, Scheme.FLOATING, relative_noise=1e-6, floor_siemens=1e-12)], WIRES)
    assert found.siemens == pytest.approx(siemens, rel=1e-4)


def test_noise_leaves_the_deviation_that_is_stated() -> None:
    siemens, noise = array(8, 8), 1e-3
    rng = np.random.default_rng(4)
    pulls = []
    for _ in range(20):
        raw = raw_reads(siemens, Scheme.FLOATING, WIRES) * (1 + noise * rng.standard_normal(siemens.shape))
        found = deembed([RawReads(raw, Scheme.FLOATING, relative_noise=noise)], WIRES)
        pulls.append(np.log(found.siemens / siemens) / found.relative_deviation)
    assert np.std(pulls) == pytest.approx(1.0, abs=0.1)


def test_two_schemes_determine_the_wire_and_one_does_not() -> None:
    siemens = array(8, 8)
    reads = [RawReads(raw_reads(siemens, s, WIRES), s, 1e-4) for s in (Scheme.GROUNDED, Scheme.FLOATING)]
    guess = Wires(3.5, WIRES.row_ohms, WIRES.col_ohms)
    found = deembed(reads, guess, fits_segment=True)
    assert found.wires.segment_ohms == pytest.approx(2.0, rel=1e-3)
    assert 0 < found.segment_deviation < 0.2
    assert found.siemens == pytest.approx(siemens, rel=1e-3)
    with pytest.raises(InputError, match="cannot determine 64 cells and a wire"):
        deembed(reads[:1], guess, fits_segment=True)


def test_wrong_wires_show_in_the_residual() -> None:
    siemens = array(8, 8)
    reads = [RawReads(raw_reads(siemens, s, WIRES), s, 1e-4) for s in (Scheme.GROUNDED, Scheme.FLOATING)]
    assert deembed(reads, WIRES).chi_squared_per_read < 1e-6
    assert deembed(reads, Wires(8.0, 30.0, 10.0)).chi_squared_per_read > 10


def test_reads_that_determine_nothing_are_refused() -> None:
    siemens = array(12, 12)
    raw = raw_reads(siemens, Scheme.FLOATING, WIRES)
    with pytest.raises(InputError, match="determine only"):
        deembed([RawReads(raw, Scheme.FLOATING, relative_noise=0.3)], WIRES)
    with pytest.raises(InputError, match="143 reads cannot determine 144 cells"):
        raw[0, 0] = np.nan
        deembed([RawReads(raw, Scheme.FLOATING)], WIRES)


def test_a_cell_that_was_not_read_is_marked_when_something_is_known_beforehand() -> None:
    siemens = array(6, 6)
    raw = raw_reads(siemens, Scheme.GROUNDED, WIRES)
    raw[2, 2] = np.nan
    found = deembed([RawReads(raw, Scheme.GROUNDED)], WIRES, expected_siemens=1.5e-4, expected_spread=0.8)
    assert not found.is_determined[2, 2]
    assert found.is_determined.sum() == 35


def test_shapes_must_agree() -> None:
    reads = [RawReads(np.ones(shape), Scheme.GROUNDED) for shape in ((2, 3), (3, 2))]
    with pytest.raises(InputError, match=r"shapes \[\(2, 3\), \(3, 2\)\]"):
        deembed(reads, WIRES)
