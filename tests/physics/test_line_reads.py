"""The response of reads: values against the closed form and the simulated network, derivatives against small steps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtjlab.errors import InputError
from mtjlab.nouns import FLOATING, Floats, Line, Lines
from mtjlab.physics.deembed import Scheme, Wires, raw_reads
from mtjlab.physics.line_reads import BiasDependence, LineReads, per_segment_ohm, reduced, respond
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar

SHAPE = (5, 4)
SITES = [(i, j) for i in range(5) for j in range(4)]
OTHERS = {
    Scheme.GROUNDED: (0.0, 0.0),
    Scheme.FLOATING: (FLOATING, FLOATING),
    Scheme.HALF: (0.5, 0.5),
    Scheme.THIRD: (1 / 3, 2 / 3),
    Scheme.ROWS_FLOAT: (FLOATING, 0.0),
}
every_scheme = pytest.mark.parametrize("scheme", list(Scheme))


@pytest.fixture
def siemens() -> Floats:
    rng = np.random.default_rng(4)
    return np.where(rng.random(SHAPE) < 0.5, 2e-4, 1e-4) * np.exp(0.05 * rng.standard_normal(SHAPE))


@pytest.fixture
def wires() -> Wires:
    rng = np.random.default_rng(5)
    return Wires(3.0, rng.uniform(4, 20, 5), rng.uniform(4, 20, 4))


def changed(wires: Wires, line: int, ohms: float) -> Wires:
    rows, cols = np.array(wires.row_ohms, dtype=float), np.array(wires.col_ohms, dtype=float)
    (rows if line < 5 else cols)[line if line < 5 else line - 5] += ohms
    return replace(wires, row_ohms=rows, col_ohms=cols)


@every_scheme
def test_single_cell_reads_are_those_of_the_closed_form(siemens: Floats, wires: Wires, scheme: Scheme) -> None:
    found = respond(siemens, LineReads.of_cells(SHAPE, SITES, scheme), wires)
    assert found.siemens == pytest.approx(raw_reads(siemens, scheme, wires).ravel(), rel=1e-9)


@every_scheme
def test_derivatives_are_those_of_small_steps(siemens: Floats, wires: Wires, scheme: Scheme) -> None:
    reads = LineReads.of_cells(SHAPE, SITES, scheme)
    found = respond(siemens, reads, wires)
    more = siemens.copy()
    more[1, 2] *= 1.0001
    slope = (respond(more, reads, wires).siemens - found.siemens) / (more[1, 2] - siemens[1, 2])
    assert found.per_cell[:, 6] == pytest.approx(slope, rel=2e-4, abs=1e-6)
    for line in (1, 6):
        slope = (respond(siemens, reads, changed(wires, line, 1e-3)).siemens - found.siemens) / 1e-3
        assert found.per_line_ohm[:, line] == pytest.approx(slope, rel=1e-3, abs=1e-12)


@every_scheme
def test_the_shares_of_the_levels_add_up_to_the_read(siemens: Floats, wires: Wires, scheme: Scheme) -> None:
    found = respond(siemens, LineReads.of_cells(SHAPE, SITES, scheme), wires)
    assert found.of_levels.sum(axis=1) == pytest.approx(found.siemens, rel=1e-9)


@every_scheme
def test_reads_of_cells_with_bias_dependence_are_those_of_the_simulated_network(scheme: Scheme) -> None:
    no_defects = dict.fromkeys(("short", "open", "stuck_p", "stuck_ap"), 0)
    die = {"rows": 5, "cols": 4, "tmr_spread": 0.0, "defect_rates": no_defects}
    world = World.from_description(die, seed=2, line_hertz=50)
    crossbar = WorldCrossbar(world)
    wires = Wires(2.0, world.die.contact_ohms[:5] + 0.06, world.die.contact_ohms[5:] + 0.06)
    raw = []
    for row, col in SITES:
        lines = Lines(np.full(5, 0.1 * OTHERS[scheme][0]), np.full(4, 0.1 * OTHERS[scheme][1]))
        lines.row_volts[row], lines.col_volts[col] = 0.1, 0.0
        raw.append(crossbar.measure(lines, [Line("col", col)])[0].amps / 0.1)
    siemens, reads = world.die.siemens(0.1).reshape(SHAPE), LineReads.of_cells(SHAPE, SITES, scheme)
    assert respond(siemens, reads, wires, BiasDependence(0.5), 0.1).siemens == pytest.approx(raw, rel=1e-6)
    assert np.abs(respond(siemens, reads, wires).siemens / raw - 1).max() > 1e-4, "it matters"


def test_what_held_lines_have_in_common_moves_them_together(siemens: Floats, wires: Wires) -> None:
    """The same by nodal analysis: the lines at one level hang on a node of their own behind the common ohm."""
    for scheme in (Scheme.GROUNDED, Scheme.HALF, Scheme.THIRD):
        reads = LineReads.of_cells(SHAPE, SITES, scheme)
        found = respond(siemens, reads, wires)
        ports, ohm = reduced(siemens, wires).port_siemens, 1e-3
        for number in (0, 7, 19):
            levels, sensed = reads.levels[number].copy(), int(reads.sensed[number])
            held = {v: (levels == v) for v in set(levels)}
            for group in held.values():
                group[[sensed, int(reads.driven[number])]] = False
            for _ in range(5):
                amps = ports @ levels
                for level, group in held.items():
                    levels[group] = level - ohm * amps[group].sum()
            slope = (-(ports @ levels)[sensed] - found.siemens[number]) / ohm
            assert found.per_hold_ohm[number] == pytest.approx(slope, rel=1e-2)


def test_the_segment_slope_is_that_of_a_larger_step(siemens: Floats, wires: Wires) -> None:
    reads = LineReads.of_cells(SHAPE, SITES, Scheme.GROUNDED)
    wide = respond(siemens, reads, replace(wires, segment_ohms=3.1)).siemens
    narrow = respond(siemens, reads, replace(wires, segment_ohms=2.9)).siemens
    assert per_segment_ohm(siemens, reads, wires) == pytest.approx((wide - narrow) / 0.2, rel=1e-2)


def test_states_are_told_row_by_row_whatever_the_sizes() -> None:
    rng = np.random.default_rng(1)
    is_parallel = rng.random((6, 20)) < 0.5
    sizes = np.linspace(0.6, 1.5, 6)[:, None]
    siemens = sizes * np.where(is_parallel, 2e-4, 1e-4) * np.exp(0.05 * rng.standard_normal((6, 20)))
    assert (BiasDependence(0.5).told(siemens) == is_parallel).all()


def test_a_sensed_line_must_be_driven() -> None:
    with pytest.raises(InputError, match="floats"):
        LineReads((1, 1), np.array([[1.0, np.nan]]), np.array([1]), np.array([0]))
