import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtjlab.errors import InputError
from mtjlab.nouns import Floats
from mtjlab.physics import mtj
from mtjlab.physics.crossbar import reduce_array, shared_ohms
from mtjlab.physics.crossbar_fields import CrossbarFields, current_gradient, solve_drive
from mtjlab.physics.crossbar_ports import PortMatrix, reduce_to_ports
from mtjlab.physics.crossbar_reads import read_biased, read_floating, read_grounded, read_with_floating_rows
from mtjlab.physics.crossbar_selectors import access_slope, junction_volts, with_access
from mtjlab.physics.crossbar_wires import NOT_CONNECTED, Wires

Nodal = Callable[..., Any]
FEEDS = ["left_below", "both", "right_above", "right_below", "comb", "rows_both"]


def random_cells(rng: np.random.Generator, m: int, n: int) -> Floats:
    g = rng.uniform(5e-5, 2e-4, (m, n))
    kinds = rng.random((m, n))
    g[kinds < 0.06] = 10 ** rng.uniform(-3, 0, int((kinds < 0.06).sum()))
    g[kinds > 0.94] = 0.0
    return g


def random_wires(rng: np.random.Generator, m: int, n: int, feed: str, zeros: float = 0.3) -> Wires:
    """Every segment its own, some without resistance; ends as `feed` says."""

    def ohms(*shape: int) -> Floats:
        return 10 ** rng.uniform(-3, 1.5, shape) * (rng.random(shape) >= zeros)

    rows, cols = np.arange(m) % 2 == 0, np.arange(n) % 2 == 0
    ends: dict[str, dict[str, Any]] = {
        "left_below": {"left": ohms(m), "bottom": ohms(n)},
        "both": {"left": 0.1 + ohms(m), "right": ohms(m), "top": 0.1 + ohms(n), "bottom": ohms(n)},
        "right_above": {"left": NOT_CONNECTED, "right": ohms(m), "top": ohms(n), "bottom": NOT_CONNECTED},
        "right_below": {"left": NOT_CONNECTED, "right": ohms(m), "bottom": ohms(n)},
        "comb": {
            "left": np.where(rows, 1.0, NOT_CONNECTED),
            "right": np.where(rows, NOT_CONNECTED, 2.0),
            "top": np.where(cols, 3.0, NOT_CONNECTED),
            "bottom": np.where(cols, NOT_CONNECTED, 4.0),
        },
        "rows_both": {"left": 0.1 + ohms(m), "right": ohms(m), "bottom": np.where(cols, 1.0, NOT_CONNECTED)},
    }
    return Wires.of((m, n), row_segment_ohms=ohms(m, n + 1), col_segment_ohms=ohms(m + 1, n), **ends[feed])


def random_drive(rng: np.random.Generator, wires: Wires, floating: float) -> Floats:
    volts = rng.uniform(-1, 1, wires.ports)
    volts[rng.random(wires.ports) < floating] = np.nan
    volts[0] = 1.0
    return volts


def worst(found: Floats, wanted: Floats, floor: float = 0.0) -> float:
    """Largest difference relative to the largest wanted value."""
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), floor))


def is_determined(g: Floats, wires: Wires, volts: Floats) -> bool:
    """Whether every line hangs on a driven one through cells, so that brute force has one solution."""
    m, n = g.shape
    ends = wires.at_ends(np.where(np.isnan(volts), 0.0, 1.0))
    rows, cols = (ends[0] + ends[1]) > 0, (ends[2] + ends[3]) > 0
    for _ in range(m + n):
        cols = cols | (g[rows] > 0).any(axis=0)
        rows = rows | (g[:, cols] > 0).any(axis=1)
    return bool(rows.all() and cols.all())


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10_000), st.integers(1, 11), st.integers(1, 11), st.sampled_from(FEEDS), st.sampled_from([0.0, 0.4])
)
def test_any_drive_agrees_with_brute_force(
    nodal_analysis: Nodal, seed: int, m: int, n: int, feed: str, floating: float
) -> None:
    rng = np.random.default_rng(seed)
    g, wires = random_cells(rng, m, n), random_wires(rng, m, n, feed)
    volts, ohms = random_drive(rng, wires, floating), rng.uniform(0, 5, wires.ports)
    if not is_determined(g, wires, volts):
        return
    wanted = nodal_analysis(g, wires, volts, ohms)
    # currents through wires of a milliohm are differences of voltages times a thousand: brute force's own error
    floor = 1e-3
    fields = solve_drive(g, wires, volts, ohms=ohms)
    assert worst(fields.cell_volts, wanted.cell_volts, 1e-3) < 1e-11
    assert worst(fields.port_amps, wanted.port_amps, floor) < 1e-11
    ports = reduce_to_ports(g, wires)
    assert worst(ports.amps(volts, ohms), wanted.port_amps, max(floor, np.abs(ports.siemens).max() / 100)) < 1e-11


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("shape", [(61, 47), (40, 90)])
def test_reduction_and_conjugate_gradients_agree_on_larger_arrays(shape: tuple[int, int], feed: str) -> None:
    rng = np.random.default_rng(13)
    g, wires = random_cells(rng, *shape), random_wires(rng, *shape, feed)
    g[rng.random(shape) < 0.01] = 1e3
    ports = reduce_to_ports(g, wires)
    for floating in (0.0, 0.5):
        volts = random_drive(rng, wires, floating)
        # loops of a few milliohms: rounding of one volt alone drives 1e-13 A around them
        assert worst(ports.amps(volts), solve_drive(g, wires, volts).port_amps) < 1e-11


def kirchhoff(g: Floats, wires: Wires, volts: Floats, found: CrossbarFields) -> tuple[float, float]:
    """Worst breach of the current law (nodes, cells' own law) and of the voltage law.

    The one relative to the largest current (where next to none flows, to what a millivolt drives through a junction),
    the other to the largest level, one volt.
    """
    left, right, top, bottom = wires.at_ends(np.nan_to_num(volts))
    is_driven = wires.at_ends(np.where(np.isnan(volts), 0.0, 1.0))
    row, col = found.row_amps, found.col_amps
    amps = [
        row[:, :-1] - row[:, 1:] - found.cell_amps,
        col[:-1] - col[1:] + found.cell_amps,
        found.cell_amps - g * found.cell_volts,
        row[:, 0] * (is_driven[0] == 0),
        row[:, -1] * (is_driven[1] == 0),
        col[0] * (is_driven[2] == 0),
        col[-1] * (is_driven[3] == 0),
    ]
    row_volts = np.column_stack([left, found.row_volts, right])
    col_volts = np.vstack([top, found.col_volts, bottom])
    falls = [-np.diff(row_volts, axis=1), -np.diff(col_volts, axis=0)]
    undriven = [np.zeros(wires.row_ohms.shape), np.zeros(wires.col_ohms.shape)]
    undriven[0][:, 0], undriven[0][:, -1] = is_driven[0] == 0, is_driven[1] == 0
    undriven[1][0], undriven[1][-1] = is_driven[2] == 0, is_driven[3] == 0
    drops = [
        np.where(out > 0, 0.0, fall - np.where(out > 0, 0.0, ohms) * through)
        for fall, ohms, through, out in zip(falls, (wires.row_ohms, wires.col_ohms), (row, col), undriven, strict=True)
    ]
    drops.append(found.row_volts - found.col_volts - found.cell_volts)
    largest = max(5e-8, *(float(np.abs(a).max()) for a in (row, col, found.cell_amps)))
    breach = max(float(np.abs(a).max()) for a in amps)
    return breach / largest, max(float(np.abs(a).max()) for a in drops)


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10_000), st.integers(1, 64), st.integers(1, 64), st.sampled_from(FEEDS), st.sampled_from([0.0, 0.5])
)
def test_both_of_kirchhoffs_laws_hold_to_rounding(seed: int, m: int, n: int, feed: str, floating: float) -> None:
    rng = np.random.default_rng(seed)
    g, wires = random_cells(rng, m, n), random_wires(rng, m, n, feed)
    volts = random_drive(rng, wires, floating)
    of_amps, of_volts = kirchhoff(g, wires, volts, solve_drive(g, wires, volts))
    assert of_amps < 1e-12
    assert of_volts < 1e-12


def test_the_dense_reduction_gives_the_same_matrix() -> None:
    g = random_cells(np.random.default_rng(4), 17, 23)
    wires = Wires.of((17, 23), 3.0, left=2.0, bottom=np.linspace(0, 1, 23))
    dense = reduce_array(g, shared_ohms(17, 23, 3.0, 2.0, np.linspace(0, 1, 23)))
    assert worst(reduce_to_ports(g, wires).siemens, dense.port_siemens) < 1e-13


def test_one_cell_is_three_resistors_in_series() -> None:
    ports = reduce_to_ports([[1e-3]], Wires.of((1, 1), 7.0, left=30.0, bottom=11.0))
    assert ports.transfer_siemens[0, 0] == pytest.approx(1 / (1000 + 37 + 18), rel=1e-15)
    assert ports.power([1.0, 0.0]) == pytest.approx(1 / 1055, rel=1e-15)


def test_ideal_wires_give_the_conductances_themselves() -> None:
    g = random_cells(np.random.default_rng(3), 37, 41)
    ports = reduce_to_ports(g, Wires.of(g.shape))
    assert ports.transfer_siemens == pytest.approx(g, rel=1e-12, abs=1e-18)
    assert read_grounded(ports) == pytest.approx(g, rel=1e-12, abs=1e-18)


def test_a_floating_read_of_equal_cells_is_the_complete_bipartite_network() -> None:
    m, n, r = 30, 44, 5e3
    found = read_floating(reduce_to_ports(np.full((m, n), 1 / r), Wires.of((m, n))), series_ohms=100.0)
    assert found == pytest.approx(np.full((m, n), 1 / (r * (m + n - 1) / (m * n) + 100.0)), rel=1e-13)


def test_a_sneak_path_of_three_cells() -> None:
    g = np.array([[1.0, 2.0], [3.0, 4.0]]) * 1e-4
    found = read_floating(reduce_to_ports(g, Wires.of((2, 2))))
    assert found[0, 0] == pytest.approx(1e-4 + 1 / (1 / 2e-4 + 1 / 4e-4 + 1 / 3e-4), rel=1e-13)


SCHEMES: dict[str, tuple[float, float, Callable[[PortMatrix], Floats]]] = {
    "floating": (np.nan, np.nan, read_floating),
    "grounded": (0.0, 0.0, read_grounded),
    "V/2": (0.5, 0.5, lambda ports: read_biased(ports, 1 / 2, 1 / 2)),
    "V/3": (1 / 3, 2 / 3, lambda ports: read_biased(ports, 1 / 3, 2 / 3)),
    "rows floating": (np.nan, 0.0, read_with_floating_rows),
}


# brute force leaves the two ends of a floating line apart
TIED = {("floating", "both"), ("rows floating", "both")}


@pytest.mark.parametrize(
    ("scheme", "feed"),
    [(scheme, feed) for scheme in SCHEMES for feed in ("left_below", "both", "comb") if (scheme, feed) not in TIED],
)
def test_reads_in_closed_form_are_what_brute_force_reads(nodal_analysis: Nodal, scheme: str, feed: str) -> None:
    rng = np.random.default_rng(11)
    g, wires = random_cells(rng, 9, 8), random_wires(rng, 9, 8, feed)
    other_rows, other_cols, read = SCHEMES[scheme]
    found = read(reduce_to_ports(g, wires))
    for row, col in [(0, 0), (3, 5), (8, 7), (8, 0)]:
        rows, cols = np.full(9, other_rows), np.full(8, other_cols)
        rows[row], cols[col] = 1.0, 0.0
        amps = nodal_analysis(g, wires, wires.drive(rows, rows, cols, cols)).port_amps
        sensed = wires.at_ends(amps)
        assert found[row, col] == pytest.approx(-(sensed[2] + sensed[3])[col], rel=1e-9, abs=1e-13)


def test_a_row_of_open_cells_reads_as_nothing_while_it_floats() -> None:
    g = random_cells(np.random.default_rng(1), 6, 5)
    g[2] = 0.0
    ports = reduce_to_ports(g, Wires.of((6, 5), 1.0))
    kept = np.delete(np.arange(6), 2)
    for read in (read_floating, read_with_floating_rows):
        assert (read(ports)[2] == 0).all()
        assert (read(ports)[kept] > 0).all()
    # the wires of the open row still let the columns' currents pass: the others read as if the row were far away
    assert read_floating(ports)[0, 0] < g.sum()


def test_groups_of_lines_that_hang_apart_read_each_for_itself() -> None:
    g = np.zeros((4, 4))
    g[:2, :2], g[2:, 2:] = 1e-4, 3e-4
    found = read_floating(reduce_to_ports(g, Wires.of((4, 4))))
    assert found[:2, :2] == pytest.approx(np.full((2, 2), 1e-4 * 4 / 3), rel=1e-12)
    assert found[2:, 2:] == pytest.approx(np.full((2, 2), 3e-4 * 4 / 3), rel=1e-12)
    assert (found[:2, 2:] == 0).all()


@pytest.mark.parametrize("feed", FEEDS)
def test_a_changed_cell_is_a_rank_one_update(feed: str) -> None:
    rng = np.random.default_rng(2)
    g, wires = random_cells(rng, 13, 12), random_wires(rng, 13, 12, feed)
    ports = reduce_to_ports(g, wires)
    for row, col, siemens in [(0, 0, 0.0), (5, 11, 4e-3), (12, 3, 1e-4)]:
        g[row, col] = siemens
        ports = ports.with_cell(row, col, siemens)
    assert worst(ports.siemens, reduce_to_ports(g, wires).siemens) < 1e-12
    assert (ports.cells == g).all()


def test_a_batch_is_its_arrays_one_by_one() -> None:
    rng = np.random.default_rng(5)
    g = np.stack([random_cells(rng, 10, 7) for _ in range(6)]).reshape(2, 3, 10, 7)
    wires = Wires.of((10, 7), row_segment_ohms=rng.uniform(0, 5, (2, 3, 10, 8)), col_segment_ohms=2.0, right=1.0)
    ports = reduce_to_ports(g, wires)
    volts = rng.uniform(-1, 1, (2, 3, 4, wires.ports))
    reads = read_floating(ports)
    for k, (one, place) in enumerate(zip(g.reshape(6, 10, 7), np.ndindex(2, 3), strict=True)):
        alone = reduce_to_ports(one, wires.of_die(k))
        assert worst(ports.siemens[place], alone.siemens) < 1e-15
        assert worst(ports.amps(volts)[place], alone.amps(volts[place])) < 1e-14
        assert worst(reads[place], read_floating(alone)) < 1e-13


def test_drives_with_different_floating_lines_at_once() -> None:
    rng = np.random.default_rng(6)
    g, wires = random_cells(rng, 8, 9), random_wires(rng, 8, 9, "both")
    ports = reduce_to_ports(g, wires)
    drives = np.stack([random_drive(rng, wires, 0.3) for _ in range(5)])
    together, levels = ports.amps(drives, 2.0), ports.volts(drives, 2.0)
    for drive, amps, at_ports in zip(drives, together, levels, strict=True):
        fields = solve_drive(g, wires, drive, ohms=2.0)
        assert worst(amps, fields.port_amps, 1e-3) < 1e-12
        assert worst(at_ports @ ports.siemens, amps, 1e-3) < 1e-10


def test_the_products_are_the_currents_of_the_columns() -> None:
    rng = np.random.default_rng(7)
    g, wires = random_cells(rng, 20, 30), Wires.of((20, 30), 4.0)
    ports, inputs = reduce_to_ports(g, wires), rng.uniform(0, 1, (5, 20))
    wanted = [-solve_drive(g, wires, wires.drive(left=one)).port_amps[20:] for one in inputs]
    assert worst(ports.multiply(inputs), np.array(wanted)) < 1e-13
    with pytest.raises(InputError, match="both ends"):
        _ = reduce_to_ports(g, Wires.of((20, 30), 4.0, right=1.0)).transfer_siemens


def test_what_the_drives_deliver_is_what_cells_and_wires_turn_into_heat() -> None:
    rng = np.random.default_rng(8)
    g, wires = random_cells(rng, 12, 10), random_wires(rng, 12, 10, "both")
    volts = random_drive(rng, wires, 0.0)
    found = solve_drive(g, wires, volts)
    in_wires = (wires.row_ohms * found.row_amps**2).sum() + (wires.col_ohms * found.col_amps**2).sum()
    wanted = found.cell_watts.sum() + in_wires
    assert reduce_to_ports(g, wires).power(volts) == pytest.approx(wanted, rel=1e-11)


@pytest.mark.parametrize("floating", [0.0, 0.6])
def test_bias_dependent_cells_carry_what_their_law_says(nodal_analysis: Nodal, floating: float) -> None:
    rng = np.random.default_rng(9)
    g_p, tmr = rng.uniform(1e-4, 3e-4, (14, 12)), rng.uniform(0.8, 1.5, (14, 12))
    is_parallel = rng.random((14, 12)) < 0.4
    g = mtj.conductance(is_parallel, 0.0, g_p, tmr, 0.5)

    def law(volts: Floats) -> tuple[Floats, Floats]:
        excess = np.where(is_parallel, 0.0, mtj.excess_current(volts, g_p, tmr, 0.5))
        return excess, mtj.current_slope(is_parallel, volts, g_p, tmr, 0.5) - g

    wires = random_wires(rng, 14, 12, "left_below")
    volts = random_drive(rng, wires, floating)
    found = solve_drive(g, wires, volts, law=law)
    assert found.cell_amps == pytest.approx(
        found.cell_volts * mtj.conductance(is_parallel, found.cell_volts, g_p, tmr, 0.5), rel=1e-12, abs=1e-16
    )
    wanted = nodal_analysis(g, wires, volts, excess=law(found.cell_volts)[0])
    assert worst(found.cell_volts, wanted.cell_volts) < 1e-11
    assert worst(found.cell_volts, solve_drive(g, wires, volts).cell_volts) > 1e-3


def test_a_cell_whose_current_falls_is_refused() -> None:
    g = np.full((2, 2), 1e-4)
    with pytest.raises(InputError, match="falls"):
        solve_drive(g, Wires.of((2, 2), 1.0), np.ones(4), law=lambda volts: (-2e-4 * volts, np.full((2, 2), -2e-4)))


def derivative(loss: Callable[[float], float], at: float, step: float) -> float:
    """Central difference, once extrapolated: error of the fourth order."""

    def central(h: float) -> float:
        return (loss(at + h) - loss(at - h)) / (2 * h)

    return (4 * central(step / 2) - central(step)) / 3


@pytest.mark.parametrize("feed", ["left_below", "both"])
def test_gradients_agree_with_finite_differences(feed: str) -> None:
    rng = np.random.default_rng(10)
    g = rng.uniform(5e-5, 2e-4, (11, 9))
    wires = random_wires(rng, 11, 9, feed, zeros=0.0)
    volts = np.stack([random_drive(rng, wires, 0.2) for _ in range(2)])
    wanted_amps = rng.uniform(-1e-4, 1e-4, volts.shape)

    def loss(cells: Floats, own: Wires) -> float:
        """A nonlinear function of all currents."""
        amps = np.stack([solve_drive(cells, own, drive, ohms=3.0).port_amps for drive in volts])
        return float((((amps - wanted_amps) * 1e4) ** 2).sum())

    amps = np.stack([solve_drive(g, wires, drive, ohms=3.0).port_amps for drive in volts])
    found = current_gradient(g, wires, volts, 2e8 * (amps - wanted_amps), ohms=3.0)

    def with_cell(value: float, place: tuple[int, int]) -> float:
        changed = g.copy()
        changed[place] = value
        return loss(changed, wires)

    def with_wire(value: float, place: tuple[int, int], name: str) -> float:
        ohms = {"row_ohms": wires.row_ohms.copy(), "col_ohms": wires.col_ohms.copy()}
        ohms[name][place] = value
        return loss(g, Wires(**ohms))

    scale = np.abs(found.siemens).max()
    for place in [(0, 0), (10, 8), (4, 5), (10, 0), (7, 2)]:
        numeric = derivative(lambda x, p=place: with_cell(x, p), g[place], 0.05 * g[place])  # type: ignore[misc]
        assert abs(found.siemens[place] - numeric) < 1e-7 * scale
    for name, place in [("row_ohms", (0, 0)), ("row_ohms", (6, 4)), ("col_ohms", (11, 3)), ("col_ohms", (5, 8))]:
        gradient, at = getattr(found, name), getattr(wires, name)[place]
        numeric = derivative(lambda x, p=place, n=name: with_wire(x, p, n), at, 0.1 * at)  # type: ignore[misc]
        assert abs(gradient[place] - numeric) < 1e-7 * np.abs(gradient).max()


def test_selectors_cut_a_sub_array_out() -> None:
    rng = np.random.default_rng(12)
    g = rng.uniform(5e-5, 2e-4, (10, 8))
    gates = np.zeros((10, 1), dtype=bool)
    gates[[2, 5]] = True
    selected = with_access(g, 1e3, gates)
    assert selected[2] == pytest.approx(1 / (1 / g[2] + 1e3), rel=1e-15)
    assert (np.delete(selected, [2, 5], axis=0) == 0).all()
    leaking = with_access(g, 1e3, gates, off_siemens=1e-9)
    assert leaking[0] == pytest.approx(1 / (1 / g[0] + 1e9), rel=1e-14)
    two_in_series = with_access(g, 1e3 + 2e3)
    assert two_in_series == pytest.approx(1 / (1 / g + 3e3), rel=1e-14)
    slope = (with_access(g * 1.0001, 1e3, gates, 1e-9) - with_access(g * 0.9999, 1e3, gates, 1e-9)) / (2e-4 * g)
    assert access_slope(g, 1e3, gates, 1e-9) == pytest.approx(slope, rel=1e-7, abs=1e-12)
    assert junction_volts(0.3, g, selected)[5] == pytest.approx(0.3 / (1 + 1e3 * g[5]), rel=1e-14)


def test_what_makes_no_array_is_refused() -> None:
    wires = Wires.of((3, 2), 1.0)
    with pytest.raises(InputError, match="shape"):
        reduce_to_ports(np.ones((2, 3)), wires)
    with pytest.raises(InputError, match="negative"):
        reduce_to_ports(-np.ones((3, 2)), wires)
    with pytest.raises(InputError, match="negative"):
        Wires.of((3, 2), -1.0)
    with pytest.raises(InputError, match="inside"):
        Wires.of((3, 2), np.inf)
    with pytest.raises(InputError, match="voltages"):
        solve_drive(np.ones((3, 2)), wires, np.ones(4))
    with pytest.raises(InputError, match="not one array"):
        solve_drive(np.ones((2, 3)), wires, np.ones(5))
    with pytest.raises(InputError, match="negative"):
        solve_drive(np.full((3, 2), np.nan), wires, np.ones(5))
    with pytest.raises(InputError, match="without any resistance"):
        reduce_to_ports(np.ones((3, 2)), Wires.of((3, 2), right=0.0))


def test_nothing_is_compiled_before_it_is_needed() -> None:
    modules = "crossbar, crossbar_fields, crossbar_ports, crossbar_reads, crossbar_selectors, crossbar_wires"
    code = f"import sys; from mtjlab.physics import {modules}; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
