"""Compiled operating points and switching of a Daffodil kernel against the plain solver and the plain rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq

from mtjlab.nouns import Floats
from mtjlab.physics import mtj
from mtjlab.physics.crossbar_fields import solve_drive
from mtjlab.sim_instruments.daffodil_bias import Bias
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip
from mtjlab.sim_instruments.daffodil_kernel import Kernel
from mtjlab.sim_instruments.daffodil_switching import log_rate, reached_part, switching_rate, total_rate

RATES = {"short": 0.02, "open": 0.02, "stuck_p": 0.01, "stuck_ap": 0.01}


def made(seed: int = 3, **die: Any) -> Kernel:
    return DaffodilChip.draw(seed=seed, **{"defect_rates": RATES, "segment_ohms": 4.0, **die}).kernels[5]


def share_of(kernel: Kernel, index: int, volts: float, gate: float) -> tuple[float, float]:
    """Junction's share of a cell's voltage and the current, by bisection."""
    die, access = kernel.die, kernel.access
    saturation, ohms = float(access.saturation_amps(gate)), float(access.on_ohms(gate))

    def amps(share: float) -> Any:
        if not die.is_tunnelling[index]:
            return share * float(die.siemens(0.0)[index])
        of = die.is_parallel[index], share, die.siemens_p[index], die.tmr[index], die.description.tmr_half_volts
        return share * float(mtj.conductance(*of))

    def excess(share: float) -> Any:
        return amps(share) - saturation * np.tanh((volts - share) / (saturation * ohms))

    share = float(brentq(excess, 1.01 * min(volts, 0), 1.01 * max(volts, 0), xtol=1e-16, rtol=1e-14)) if volts else 0.0
    return share, float(amps(share))


def check_point(kernel: Kernel, bias: Bias) -> None:
    """Each cell obeys its law, and the currents through the wires give each cell's voltage."""
    point = kernel.point(bias)
    expected = np.zeros(point.cell_amps.shape)
    for index in np.flatnonzero(kernel.access.saturation_amps(bias.over_source_volts) > 0):
        site = divmod(int(index), 25)
        gate = float(bias.over_source_volts[site])
        share, expected[site] = share_of(kernel, int(index), float(point.cell_volts[site]), gate)
        assert point.junction_volts[site] == pytest.approx(share, abs=1e-11)
    assert point.cell_amps == pytest.approx(expected, abs=1e-13)
    volts = kernel.wires.drive(left=bias.row_volts, bottom=bias.col_volts)
    fields = solve_drive(np.zeros((25, 25)), kernel.wires, np.nan_to_num(volts), excess=expected)
    is_on = (expected != 0) & np.isfinite(bias.row_volts)[:, None]
    through = fields.row_volts - fields.col_volts
    if np.isfinite(bias.row_volts).all():
        assert point.cell_volts[is_on] == pytest.approx(through[is_on], abs=1e-10)
    assert point.row_amps.sum() == pytest.approx(-point.col_amps.sum(), abs=1e-15)
    floating = np.isnan(bias.row_volts)
    assert point.row_amps[floating] == pytest.approx(np.zeros(floating.sum()), abs=1e-13)


def read_bias(row: int, volts: float, rng: np.random.Generator, *, floats: bool) -> Bias:
    rows = np.full(25, np.nan if floats else 0.0)
    rows[row] = volts
    return Bias.of(rows, 1e-3 * rng.standard_normal(25), np.full(25, 3.3))


def write_bias(col: int, volts: float, gate: float = 3.3) -> Bias:
    rows, cols, gates = np.full(25, max(volts, 0.0)), np.full(25, np.nan), np.zeros(25)
    cols[col], gates[col] = max(-volts, 0.0), gate
    return Bias.of(rows, cols, gates)


class TestPoints:
    @pytest.mark.parametrize("floats", [True, False])
    @pytest.mark.parametrize("volts", [0.1, -0.1])
    def test_a_read_row(self, floats: bool, volts: float) -> None:
        check_point(made(), read_bias(7, volts, np.random.default_rng(1), floats=floats))

    @pytest.mark.parametrize("volts", [0.6, -0.8])
    @pytest.mark.parametrize("gate", [3.3, 1.2])
    def test_a_written_column(self, volts: float, gate: float) -> None:
        check_point(made(), write_bias(9, volts, gate))

    def test_a_written_block(self) -> None:
        rows, cols = np.full(25, 0.5), np.full(25, np.nan)
        cols[3:9] = 0.0
        check_point(made(), Bias.of(rows, cols, np.where(np.isnan(cols), 0.0, 3.3)))

    def test_one_column_is_the_same_as_a_ladder_and_as_a_network(self) -> None:
        kernel, bias = made(), write_bias(9, -0.7)
        ladder = kernel.point(bias)
        network = made()
        network._ladder = lambda bias: None
        whole = network.point(bias)
        for name in ("junction_volts", "cell_volts", "cell_amps", "row_amps"):
            assert getattr(ladder, name) == pytest.approx(getattr(whole, name), rel=1e-8, abs=1e-13)

    @pytest.mark.parametrize("bias", ["a row", "a row, the others at 0 V", "columns", "a block"])
    def test_the_quick_network_gives_what_the_plain_one_does(self, bias: str) -> None:
        kernel, rng = made(), np.random.default_rng(2)
        block, some = np.full(25, np.nan), np.full(25, np.nan)
        block[3:9], some[[2, 7, 8]] = 0.0, 0.5
        asked = {
            "a row": read_bias(7, -0.1, rng, floats=True),
            "a row, the others at 0 V": read_bias(24, 0.1, rng, floats=False),
            "columns": Bias.of(some, 1e-3 * rng.standard_normal(25), np.full(25, 3.3)),
            "a block": Bias.of(np.full(25, 0.5), block, np.where(np.isnan(block), 0.0, 3.3)),
        }[bias]
        *quick, is_found = kernel._network_point(asked, may_be_quick=True)
        *plain, also_found = kernel._network_point(asked, may_be_quick=False)
        assert is_found and also_found and np.abs(plain[2]).max() > 1e-6
        for found, expected in zip(quick, plain, strict=True):
            assert found == pytest.approx(expected, rel=1e-11, abs=1e-12 * np.abs(expected).max())

    def test_columns_that_float_go_the_plain_way(self) -> None:
        kernel, cols = made(), np.zeros(25)
        cols[5] = np.nan
        asked = Bias.of(np.full(25, 0.3), cols, np.full(25, 3.3))
        found, plain = (kernel._network_point(asked, may_be_quick=may)[2] for may in (True, False))
        assert np.array_equal(found, plain)
        assert np.abs(found[:, 5]).max() > 0
        assert found[:, 5].sum() == pytest.approx(0, abs=1e-13)

    def test_wires_without_resistance_and_lines_that_are_broken(self) -> None:
        ideal = made(segment_ohms=0.0, contact_ohms=1e-9)
        check_point(ideal, write_bias(4, 0.5))
        broken = {"axis": "row", "line": 50, "kind": "open"}
        kernel = DaffodilChip.draw(seed=3, line_defects=[broken]).kernels[2]
        point = kernel.point(write_bias(4, 0.5))
        assert point.cell_amps[0, 4] == 0
        assert np.count_nonzero(point.cell_amps[:, 4]) == 24


def plain_rates(kernel: Kernel, junction: Floats) -> Floats:
    return np.asarray(kernel.die.switching_rates(junction))


class TestRates:
    def test_they_are_those_of_the_table(self) -> None:
        kernel = made()
        rng = np.random.default_rng(2)
        cells, rates = kernel._cells(write_bias(0, 0.5)), kernel._arrays.rates()
        junction = rng.uniform(-1.3, 1.3, 625)
        found = np.array([switching_rate(cells, rates, k, float(junction[k])) for k in range(625)])
        pushed = np.where(kernel.die.is_parallel, junction < 0, junction > 0)
        assert found[pushed] == pytest.approx(plain_rates(kernel, junction)[pushed], rel=1e-9)
        assert (found[~pushed] == 0).all()

    def test_where_the_table_ends_there_is_no_answer(self) -> None:
        *_, spline, _, grid = made()._arrays.rates()
        assert np.isnan(log_rate(spline, grid, 1.0, 1.5))
        assert np.isnan(log_rate(spline, grid, 1e3, 60.0))
        kernel = made()
        cells, rates = kernel._cells(write_bias(0, 0.9)), kernel._arrays.rates()
        index = int(np.flatnonzero((kernel.die.kind == 0) & ~kernel.die.is_parallel)[0])
        assert np.isnan(reached_part(cells, rates, index, 0.9, 2e-11))

    @pytest.mark.parametrize("taus", [0.25, 2.0, 50.0, 172.0, 190.0, 197.9])
    def test_the_first_nanoseconds_are_those_of_the_table(self, taus: float) -> None:
        kernel = made()
        seconds = taus * kernel.die.description.damping_seconds
        cells, rates = kernel._cells(write_bias(0, 0.9)), kernel._arrays.rates()
        pushed = np.flatnonzero((kernel.die.kind == 0) & ~kernel.die.is_parallel)[:20]
        junction = np.full(625, 0.9)
        for index in pushed.tolist():
            plain = kernel.die.reached_part(index, junction, 0.0, seconds)
            assert reached_part(cells, rates, index, 0.9, seconds) == pytest.approx(plain, rel=1e-9, abs=1e-12)

    def test_their_sum_is_that_of_all_events(self) -> None:
        kernel, bias = made(), write_bias(3, -0.6)
        junction = kernel.point(bias).junction_volts.ravel()
        plain = plain_rates(kernel, junction).sum() + kernel.die.breakdown_rates(junction).sum()
        found = total_rate(kernel._cells(bias), kernel._arrays.rates(), junction, 0.01)
        assert found == pytest.approx(plain, rel=1e-9)


class TestExposure:
    def written(self, kernel: Kernel, *, is_compiled: bool, seed: int, volts: float, seconds: float) -> list[int]:
        if not is_compiled:
            kernel._quiet_ladder = lambda bias, seconds: None
        broke: list[int] = []
        rng = np.random.default_rng(seed)
        for col in range(0, 25, 4):
            kernel.expose(write_bias(col, volts), seconds, rng, broke.append)
        return broke

    @pytest.mark.parametrize(("volts", "seconds"), [(0.42, 5e-3), (-0.56, 5e-3), (1.0, 3e-8), (0.9, 1e-6)])
    def test_the_same_cells_switch_as_without_it(self, volts: float, seconds: float) -> None:
        both = []
        for is_compiled in (True, False):
            kernel = made()
            broke = self.written(kernel, is_compiled=is_compiled, seed=5, volts=volts, seconds=seconds)
            both.append((kernel.die.is_parallel.copy(), broke))
        assert np.array_equal(both[0][0], both[1][0])
        assert both[0][1] == both[1][1] == []
        assert (both[0][0] != made().die.is_parallel).any()

    def test_the_same_barriers_break(self) -> None:
        both = []
        for is_compiled in (True, False):
            kernel = made()
            broke = self.written(kernel, is_compiled=is_compiled, seed=6, volts=2.4, seconds=2e-3)
            both.append((broke, kernel.die.kind.copy()))
        assert both[0][0] == both[1][0]
        assert len(both[0][0]) > 5
        assert np.array_equal(both[0][1], both[1][1])

    def test_cells_that_flip_by_themselves_are_seen_to(self) -> None:
        kernel = made(flaw_rates={"telegraph": 0.05})
        assert kernel._quiet_ladder(write_bias(0, 0.3), 5e-3) is None
        before = kernel.die.is_parallel.copy()
        kernel.expose(write_bias(0, 0.3), 20e-3, np.random.default_rng(1), lambda index: None)
        changed = np.flatnonzero(kernel.die.is_parallel != before)
        assert (changed % 25 != 0).any()
