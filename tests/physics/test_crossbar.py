import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve

from mtjlab.nouns import Floats
from mtjlab.physics import crossbar
from mtjlab.physics.crossbar import (
    reduce_array,
    shared_ohms,
    transfer_siemens,
)


def brute_force_currents(g: Floats, segment: float, line_volts: Floats) -> Floats:
    """Independent method: every wire node as an unknown, sparse nodal analysis; currents into the line ends."""
    m, n = g.shape
    row = lambda i, j: i * n + j  # noqa: E731
    col = lambda i, j: m * n + i * n + j  # noqa: E731
    matrix, right = lil_matrix((2 * m * n, 2 * m * n)), np.zeros(2 * m * n)

    def join(a: int, b: int, siemens: float) -> None:
        matrix[a, a] += siemens
        matrix[b, b] += siemens
        matrix[a, b] -= siemens
        matrix[b, a] -= siemens

    for i in range(m):
        for j in range(n):
            join(row(i, j), col(i, j), g[i, j])
            if j + 1 < n:
                join(row(i, j), row(i, j + 1), 1 / segment)
            if i + 1 < m:
                join(col(i, j), col(i + 1, j), 1 / segment)
    ends = [row(i, 0) for i in range(m)] + [col(m - 1, j) for j in range(n)]
    for end, volts in zip(ends, line_volts, strict=True):
        matrix[end, end] += 1 / segment
        right[end] += volts / segment
    nodes = spsolve(matrix.tocsc(), right)
    return (line_volts - nodes[ends]) / segment


def random_array(seed: int, m: int, n: int) -> Floats:
    rng = np.random.default_rng(seed)
    g = rng.uniform(1e-4, 2e-4, (m, n))
    kinds = rng.random((m, n))
    g[kinds < 0.05] = 5e-3
    g[kinds > 0.95] = 0.0
    return g


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.integers(1, 9), st.integers(1, 9), st.floats(0.01, 50))
def test_port_currents_agree_with_brute_force_nodal_analysis(seed: int, m: int, n: int, segment: float) -> None:
    g = random_array(seed, m, n)
    volts = np.random.default_rng(seed + 1).uniform(-1, 1, m + n)
    ports = reduce_array(g, shared_ohms(m, n, segment)).port_siemens
    wanted = brute_force_currents(g, segment, volts)
    # the brute force subtracts nearly equal node voltages: its own error is about eps / segment
    assert ports @ volts == pytest.approx(wanted, rel=1e-8, abs=1e-9 * np.abs(wanted).max() + 1e-14 / segment)


@given(st.integers(0, 10_000), st.floats(0, 50))
@settings(deadline=None, max_examples=40)
def test_kirchhoff_holds_and_the_port_matrix_is_reciprocal(seed: int, segment: float) -> None:
    ports = reduce_array(random_array(seed, 6, 5), shared_ohms(6, 5, segment, 3.0, 4.0)).port_siemens
    scale = np.abs(ports).max()
    assert np.abs(ports.sum(axis=0)).max() < 1e-12 * scale
    assert np.abs(ports - ports.T).max() < 1e-12 * scale


def test_ideal_wires_give_the_conductances_themselves() -> None:
    g = random_array(3, 7, 4)
    assert transfer_siemens(g, 0.0) == pytest.approx(g, rel=1e-12, abs=1e-18)


def test_wire_resistance_takes_most_from_the_far_corner() -> None:
    g = np.full((15, 15), 2e-4)
    kept = transfer_siemens(g, 5.0) / g
    assert kept[14, 0] == kept.max()
    assert kept[0, 14] == kept.min()
    assert kept.max() < 1


@given(st.integers(0, 10_000), st.integers(0, 29), st.floats(0, 1e-2))
@settings(deadline=None, max_examples=30)
def test_rank_one_update_equals_a_new_reduction(seed: int, index: int, siemens: float) -> None:
    g = random_array(seed, 6, 5)
    ohms = shared_ohms(6, 5, 7.0, 1.0, 2.0)
    updated = reduce_array(g, ohms).with_cell(index, siemens)
    g.flat[index] = siemens
    fresh = reduce_array(g, ohms)
    assert updated.port_siemens == pytest.approx(fresh.port_siemens, rel=1e-9, abs=1e-15)
    assert updated.of_cells == pytest.approx(fresh.of_cells, rel=1e-9, abs=1e-9)


def test_injected_cell_current_acts_as_a_change_of_that_cell() -> None:
    g, ohms = random_array(5, 4, 4), shared_ohms(4, 4, 5.0)
    volts = np.linspace(-0.3, 0.5, 8)
    linear = reduce_array(g, ohms)
    changed = g.copy()
    changed[1, 2] += 1e-4
    wanted = reduce_array(changed, ohms).to_cells @ volts
    extra = np.zeros(16)
    extra[6] = 1e-4 * wanted[6]
    assert linear.to_cells @ volts - linear.of_cells @ extra == pytest.approx(wanted, rel=1e-10)


def test_transfer_of_an_array_too_large_for_dense_matrices(monkeypatch: pytest.MonkeyPatch) -> None:
    g, rows, cols = random_array(8, 9, 7), np.linspace(0, 5, 9), np.linspace(1, 2, 7)
    wanted = transfer_siemens(g, 3.0, rows, cols)
    monkeypatch.setattr(crossbar, "DENSE_CELLS", 0)
    found = transfer_siemens(g, 3.0, rows, cols)
    assert found == pytest.approx(wanted, rel=1e-12, abs=1e-18)
    assert not np.array_equal(found, wanted)  # the other way was taken
