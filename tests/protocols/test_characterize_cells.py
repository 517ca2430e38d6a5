"""Measurements of single cells against the simulated truth, and how they are stopped, refused and limited."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.bench import MatrixCrossbar
from mtjlab.drivers.keithley_707b import Keithley707B
from mtjlab.drivers.keithley_2400 import Keithley2400
from mtjlab.errors import InputError, InstrumentError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Cost, Line, Lines, Pulse, Reading, Site, State
from mtjlab.physics.mtj import volts_for_probability
from mtjlab.physics.switching import leaving_rate, write_error_rate
from mtjlab.protocols.characterize_bias import tmr_against_bias
from mtjlab.protocols.characterize_breakdown import breakdown_ramp
from mtjlab.protocols.characterize_cell import Cell, Drive
from mtjlab.protocols.characterize_conditions import at_each
from mtjlab.protocols.characterize_endurance import check_points, endurance
from mtjlab.protocols.characterize_loops import field_loop, loop_facts, pulsed_loop, quasi_static_loop, staircase
from mtjlab.protocols.characterize_read_disturb import read_disturb
from mtjlab.protocols.characterize_retention import retention
from mtjlab.protocols.characterize_run import Budget, Run
from mtjlab.protocols.characterize_switching import Switching, switching_adaptively, switching_on_grid
from mtjlab.protocols.characterize_telegraph import telegraph
from mtjlab.protocols.characterize_wires import line_resistance
from mtjlab.protocols.characterize_wires_fit import reaching_share
from mtjlab.protocols.characterize_write_errors import write_errors
from mtjlab.roles import Capabilities, FieldSource, Identity
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar
from mtjlab.wiring import load_wiring

SITE = Site(1, 2)
MANY = DeviceLimits(pulses_per_cell=100_000)
IDEAL = {"segment_ohms": 0.0, "contact_ohms": 1e-3, "contact_spread": 0.0}
ALIKE = {**IDEAL, "diameters_nm": [50.0], "conductance_spread": 0.0, "delta_spread": 0.0, "volts_c0_spread": 0.0}
ADDRESSES = {"drive": 24, "half_select": 25, "sense": 26, "matrix": 16}


def index(world: World, site: Site = SITE) -> int:
    return site.row * world.die.description.cols + site.col


class WorldField(FieldSource):
    """Sets the world's field at once."""

    def __init__(self, world: World) -> None:
        self.world, self.is_on = world, True

    def identity(self) -> Identity:
        return Identity("mtjlab", "field", "0", "0")

    def prepare(self, *, tesla_limit: float) -> None:
        del tesla_limit

    def set_tesla(self, tesla: float) -> None:
        self.world.field_tesla = tesla
        self.world.wait(1e-2)

    def tesla(self) -> float:
        return self.world.field_tesla

    def output_off(self) -> None:
        self.set_tesla(0.0)
        self.is_on = False

    def is_output_on(self) -> bool:
        return self.is_on

    def check_errors(self) -> None:
        return

    def recover(self) -> None:
        return


@pytest.mark.parametrize("towards", [State.P, State.AP])
def test_chosen_pulses_find_the_cell(make_world: Any, towards: State) -> None:
    world, crossbar = make_world(1, MANY, rows=2, cols=3, **IDEAL)
    volts = np.geomspace(0.3, 0.95, 80).tolist()
    found = switching_adaptively(
        crossbar, SITE, towards, volts, [1e-5, 1e-3], wanted_delta=0.12, wanted_volts=0.05, drive=Drive()
    )
    truth = (world.die.set_volts if towards == State.P else world.die.reset_volts)[index(world)]
    assert found.ending.reason == "the intervals are as narrow as wanted"
    assert found.fit is not None and not found.ending.is_partial
    assert found.fit.volts_c0.value == pytest.approx(truth, rel=0.1)
    assert found.fit.delta.value == pytest.approx(world.die.delta[index(world)], rel=0.25)
    assert found.fit.delta.relative_width < 0.35
    assert world.incidents == [] and not world.is_live


def test_amplitudes_beyond_the_limits_are_left_out(make_world: Any) -> None:
    _, crossbar = make_world(
        1, DeviceLimits(pulses_per_cell=10_000, write_volts_positive=0.6, write_volts_negative=0.8)
    )
    found = switching_adaptively(
        crossbar, SITE, State.P, np.linspace(0.3, 2.0, 90).tolist(), [1e-7, 1e-3], most_pulses=60, wanted_delta=0.01
    )
    assert found.counts.pulses == 60
    assert found.counts.volts.max() <= 0.6


def test_an_even_grid_counts_every_kind(make_world: Any) -> None:
    world, crossbar = make_world(2, MANY, **IDEAL)
    centre = volts_for_probability(0.5, 1e-3, world.die.delta[index(world)], world.die.set_volts[index(world)], 1.9e-9)
    volts = [0.5 * centre, centre, 1.4 * centre]
    found = switching_on_grid(crossbar, SITE, State.P, volts, [1e-3], 30)
    assert found.counts.given.tolist() == [30, 30, 30]
    assert found.counts.switched[0] == 0 and found.counts.switched[2] == 30
    assert 5 <= found.counts.switched[1] <= 25
    assert world.incidents == []


def test_reaching_scales_the_amplitudes(make_world: Any) -> None:
    _, crossbar = make_world(2, MANY)
    found = switching_on_grid(crossbar, SITE, State.P, [0.3, 0.5], [1e-3], 2, reaching=0.98)
    assert found.counts.volts == pytest.approx([0.294, 0.49])


def test_loops_show_both_states_and_where_they_change(make_world: Any) -> None:
    world, crossbar = make_world(1, MANY, **IDEAL)
    volts = staircase(0.6, -0.75, 0.05)
    slow = quasi_static_loop(crossbar, SITE, volts)
    fast = pulsed_loop(crossbar, SITE, volts)
    for loop in (slow, fast):
        facts = loop_facts(loop.drive, loop.siemens)
        assert 0.2 < facts.to_p < 0.55 and -0.75 < facts.to_ap < -0.3
        assert not loop.ending.is_partial
        assert facts.tmr == pytest.approx(world.die.tmr[index(world)], rel=0.05)
    at_bias = slow.siemens[np.isclose(slow.drive, 0.6)]
    assert at_bias == pytest.approx(world.die.siemens_p[index(world)], rel=0.01)
    assert world.incidents == [] and not world.is_live


def test_a_field_loop_opens_at_the_coercive_field_and_ends_at_zero(make_world: Any) -> None:
    world, crossbar = make_world(1, **IDEAL)
    field = WorldField(world)
    loop = field_loop(crossbar, SITE, field, staircase(0.15, -0.15, 0.01))
    facts = loop_facts(loop.drive, loop.siemens)
    assert 0.05 < facts.coercivity < 0.15
    assert abs(facts.offset) < 0.04
    assert (world.field_tesla, field.is_on, crossbar.spent.pulses) == (0.0, False, 0)


def test_tmr_against_bias_finds_the_half_voltage(make_world: Any) -> None:
    world, crossbar = make_world(3, MANY, **IDEAL)
    curve = tmr_against_bias(crossbar, SITE, [0.05, 0.1, 0.15, -0.2, -0.3, 0.2, 0.8])
    assert curve.fit is not None
    assert curve.fit.volts_half.value == pytest.approx(0.5, rel=0.01)
    assert curve.fit.tmr0.value == pytest.approx(world.die.tmr[index(world)], rel=0.01)
    assert np.isnan(curve.siemens_ap[-1]) and np.isfinite(curve.siemens_p[-1])  # at 0.8 V it does not stay in AP
    assert world.incidents == []


def test_write_errors_come_as_often_as_they_should(make_world: Any) -> None:
    world, crossbar = make_world(0, MANY, **IDEAL)
    k = index(world)
    volts = volts_for_probability(0.8, 1e-4, world.die.delta[k], world.die.set_volts[k], 1.9e-9)
    found = write_errors(crossbar, SITE, [Pulse(volts, 1e-4), Pulse(-0.9, 1e-3)], most_writes=150, most_errors=1000)
    often, never = found.counts
    truth = float(write_error_rate(volts / world.die.set_volts[k], 1e-4, world.die.delta[k], 1.9e-9))
    assert often.rate(0.9999).covers(truth)
    assert (often.towards, often.writes, never.errors) == (State.P, 150, 0)
    assert never.rate().high == pytest.approx(1 - 0.05 ** (1 / 150))
    assert found.ending.cost.readings < 2 * 300 + 60  # one reading tells the state
    assert world.incidents == []


def test_write_errors_end_after_enough_of_them(make_world: Any) -> None:
    _, crossbar = make_world(0, MANY)
    found = write_errors(crossbar, SITE, [Pulse(0.2, 1e-4)], most_errors=5)
    assert (found.counts[0].writes, found.counts[0].errors) == (5, 5)
    with pytest.raises(InputError, match="0 V"):
        write_errors(crossbar, SITE, [Pulse(0.0, 1e-4)])


def test_read_disturb_is_the_rate_under_the_read_bias(make_world: Any) -> None:
    world, crossbar = make_world(0, MANY, rows=1, cols=1, **{**ALIKE, "delta": 28.0})
    found = read_disturb(crossbar, Site(0, 0), [0.15], [State.AP, State.P], readings=400)
    ap, p = found.counts
    truth = float(leaving_rate(0.15 / world.die.set_volts[0], world.die.delta[0], 1.9e-9))
    assert ap.per_second(0.9999).covers(truth)
    assert ap.disturbs > 8 and p.disturbs == 0
    assert p.per_reading().high == pytest.approx(3 / 400, rel=0.01)
    assert ap.seconds == pytest.approx(400 * 3e-3)
    with pytest.raises(LimitError):
        read_disturb(crossbar, Site(0, 0), [0.3], readings=2)


def test_retention_counts_what_a_field_took(make_world: Any) -> None:
    world, crossbar = make_world(0, MANY, rows=3, cols=3, **ALIKE)

    def wait(seconds: float) -> None:
        world.field_tesla = -0.15 if seconds > 1 else 0.0
        world.wait(seconds)
        world.field_tesla = 0.0

    sites = [Site(i, j) for i in range(3) for j in range(3)]
    found = retention(crossbar, sites, State.P, [0.5, 5.0], wait=wait)
    quiet, stressed = found.waits
    assert (len(quiet.sites), quiet.lost) == (9, ())
    assert stressed.lost == tuple(sites)
    assert (quiet.seconds, stressed.seconds) == pytest.approx((0.5, 5.0))
    with pytest.raises(InputError):
        retention(crossbar, [], State.P, [1.0])


def test_a_telegraph_trace_gives_the_rates(make_world: Any) -> None:
    world, crossbar = make_world(3, MANY, rows=1, cols=1, **{**ALIKE, "delta": 17.5})
    found = telegraph(crossbar, Site(0, 0), 4000, read_volts=0.01)
    assert found.fit is not None and found.fit.has_two_levels
    to_p = float(leaving_rate(0.01 / world.die.set_volts[0], world.die.delta[0], 1.9e-9))
    to_ap = float(leaving_rate(-0.01 / world.die.reset_volts[0], world.die.delta[0], 1.9e-9))
    assert found.fit.to_p.value == pytest.approx(to_p, rel=0.4)
    assert found.fit.to_ap.value == pytest.approx(to_ap, rel=0.4)
    assert found.ending.cost.pulses == 0


def test_endurance_checks_after_one_two_five(make_world: Any) -> None:
    assert check_points(60) == [1, 2, 5, 10, 20, 50, 60]
    assert check_points(1) == [1]
    world, crossbar = make_world(1, MANY)
    found = endurance(crossbar, SITE, 20)
    assert [check.cycles for check in found.checks] == [0, 1, 2, 5, 10, 20]
    assert not found.is_worn and not found.ending.is_partial
    assert found.checks[-1].tmr == pytest.approx(found.checks[0].tmr, rel=0.01)
    assert world.incidents == []


def test_a_cell_that_breaks_down_is_worn_out(make_world: Any) -> None:
    limits = DeviceLimits(pulses_per_cell=10_000, write_volts_positive=2.0)
    _, crossbar = make_world(1, limits, breakdown_volts=0.75, limit_volts=3.0)
    found = endurance(crossbar, SITE, 5000, drive=Drive(Pulse(0.85, 5e-3), Pulse(-0.7, 5e-3)))
    assert found.is_worn
    assert found.cycles < 5000
    assert "worn out" in found.ending.reason


def test_the_limit_of_pulses_per_cell_ends_a_measurement_partially(bench: Any) -> None:
    simulated, make = bench
    crossbar = make()
    with crossbar:
        crossbar.start()
        found = endurance(crossbar, SITE, 1000)
        assert not simulated.world.is_live
    assert found.ending.is_partial
    assert "has had its 200 pulses" in found.ending.reason
    assert found.checks[-1].cycles == 50
    assert simulated.world.incidents == []


def test_breakdown_needs_the_cell_to_be_given_up(make_world: Any, watched: Any) -> None:
    limits = DeviceLimits(write_volts_positive=2.0)
    world, crossbar = make_world(1, limits, breakdown_volts=1.0, limit_volts=3.0)
    spy = watched(crossbar)
    with pytest.raises(InputError, match=r"nobody has given up \(1, 2\); nothing was sent"):
        breakdown_ramp(spy, [SITE], [0.5, 1.0], 1e-3, may_destroy=[Site(0, 0)])
    with pytest.raises(LimitError, match=r"0\.6 V, 0\.5 V are allowed"):
        breakdown_ramp(spy, [SITE], [0.5, 1.8], 1e-3, may_destroy=[SITE])
    assert spy.transactions == 0
    found = breakdown_ramp(spy, [SITE], np.arange(0.5, 1.5, 0.02).tolist(), 1e-3, may_destroy=[SITE])
    (cell,) = found.cells
    assert cell.is_broken and 0.7 < cell.volts < 1.3 and cell.siemens > 1e-3
    assert [incident.message for incident in world.incidents] == ["the barrier of cell (1, 2) broke down"]
    assert found.volts_elsewhere == pytest.approx(cell.volts / 3)
    others = [lines.row_volts[:, None] - lines.col_volts for lines in spy.pulses]
    for across in others:
        across[SITE] = 0.0
    assert np.abs(others).max() == pytest.approx(found.volts_elsewhere)
    assert found.pulses_elsewhere == len(spy.pulses)


def test_a_breakdown_ramp_ends_at_the_devices_limit(make_world: Any) -> None:
    world, crossbar = make_world(1, DeviceLimits(write_volts_positive=0.7))
    found = breakdown_ramp(crossbar, [SITE], [0.6, 0.7, 0.8], 1e-3, may_destroy=[SITE])
    assert (found.cells[0].volts, found.cells[0].is_broken) == (0.7, False)
    assert "limits" in found.ending.reason
    assert world.incidents == []


@pytest.mark.parametrize("each_line", [False, True])
def test_currents_between_lines_tell_wires_and_contacts(make_world: Any, in_state: Any, each_line: bool) -> None:
    world, crossbar = make_world(1)
    in_state(world, np.ones((6, 6)))
    found = line_resistance(crossbar, read_volts=0.05, each_line=each_line)
    assert found.fit is not None
    truth = world.die.contact_ohms + 0.06  # with the source and its cable
    assert found.fit.segment_ohms.value == pytest.approx(2.0, rel=0.01)
    rows, cols = (np.array([e.value for e in ohms]) for ohms in (found.fit.row_ohms, found.fit.col_ohms))
    if each_line:
        assert rows == pytest.approx(truth[:6], abs=0.02)
        assert cols == pytest.approx(truth[6:], abs=0.02)
    else:
        assert (rows[0], cols[0]) == pytest.approx((truth[:6].mean(), truth[6:].mean()), abs=0.2)
    assert found.fit.siemens.ravel() == pytest.approx(world.die.siemens(0.05), rel=1e-3 if each_line else 5e-3)
    crossbar.pulse(Lines.selecting(crossbar.shape, SITE, 1e-3, 5e-4), 1e-6)
    assert found.ending.cost.pulses == 0


def test_the_share_that_reaches_a_cell_is_that_of_the_network(make_world: Any, in_state: Any) -> None:
    world, crossbar = make_world(1)
    in_state(world, np.ones((6, 6)))
    fit = line_resistance(crossbar, read_volts=0.05, each_line=True).fit
    crossbar.measure(Lines.selecting(crossbar.shape, SITE, 0.1, 0.05), [])
    seen = float(world.cell_volts()[index(world)]) / 0.1
    assert seen < 0.995
    assert reaching_share(fit.siemens, SITE, fit.wires) == pytest.approx(seen, abs=1e-4)


def test_conditions_nest_and_end_at_rest() -> None:
    calls: list[str] = []
    kept: list[float] = []

    def inner(kelvin: float) -> list[tuple[float, float]]:
        return at_each([1.0, 2.0], lambda t: calls.append(f"{t} T"), lambda t: kelvin * t, rest=0.0)

    def heat(kelvin: float) -> None:
        calls.append(f"{kelvin} K")

    found = at_each(
        [300.0, 400.0], heat, inner, rest=293.0, is_stopped=lambda: len(calls) > 3, keep=lambda k, _: kept.append(k)
    )
    assert found == [(300.0, [(1.0, 300.0), (2.0, 600.0)])]
    assert calls == ["300.0 K", "1.0 T", "2.0 T", "0.0 T", "293.0 K"]
    assert kept == [300.0]


@pytest.mark.parametrize(
    ("budget", "word"),
    [(Budget(pulses=9), "9 pulses"), (Budget(joules=2e-6), "joules"), (Budget(seconds=0.05), "seconds")],
)
def test_budgets_are_kept(make_world: Any, budget: Budget, word: str) -> None:
    _, crossbar = make_world(0, MANY)
    found = endurance(crossbar, SITE, 1000, budget=budget)
    assert found.ending.is_partial and word in found.ending.reason
    assert found.ending.cost.pulses <= (budget.pulses or 1000)
    assert found.ending.joules <= (budget.joules or 1.0)
    assert found.ending.joules > 0


def test_joules_are_what_the_driven_line_delivers(make_world: Any) -> None:
    world, crossbar = make_world(0, MANY, rows=1, cols=1, **IDEAL)
    run = Run(crossbar)
    run.pulse(Site(0, 0), 0.3, 1e-3)
    ending = run.conclude(lambda: "done", lambda e: e, None)
    assert ending.joules == pytest.approx(0.3**2 * float(world.die.siemens(0.3)[0]) * 1e-3, rel=1e-3)


def test_a_cell_that_does_not_switch_is_refused(make_world: Any) -> None:
    _, crossbar = make_world(0, MANY, defects=[{"row": 1, "col": 2, "kind": "stuck_ap"}])
    with pytest.raises(InstrumentError, match="does not show two states"):
        endurance(crossbar, SITE, 5)


class Noisy(WorldCrossbar):
    """The next readings come from between the two states."""

    doubtful = 0

    def measure(self, lines: Lines, sense: Any) -> list[Reading]:
        readings = super().measure(lines, sense)
        if self.doubtful > 0 and lines.row_volts.any():
            self.doubtful -= 1
            return [replace(r, amps=1.35e-4 * float(lines.row_volts.max())) for r in readings]
        return readings


def test_a_doubtful_reading_is_repeated_precisely(make_world: Any) -> None:
    world, _ = make_world(0)
    noisy = Noisy(World(world.die.description, seed=0, line_hertz=50), MANY)
    cell = Cell(Run(noisy), SITE, Drive())
    before = noisy.spent.readings
    assert cell.look() == State.AP and noisy.spent.readings == before + 1
    noisy.doubtful = 1
    assert cell.look() == State.AP
    assert cell.doubts == 1
    assert noisy.spent.readings == before + 2 + 8


def test_a_bench_with_two_levels_leaves_the_other_lines_open(make_world: Any, watched: Any) -> None:
    _, crossbar = make_world(0, MANY)
    narrow = watched(crossbar)
    two = Capabilities(2, 1, shortest_pulse_seconds=0.0, can_float=True)
    type(narrow).capabilities = property(lambda _: two)  # the class is this test's own copy of the fixture
    try:
        lines = Run(narrow).lines(SITE, 0.4)
    finally:
        type(narrow).capabilities = property(lambda self: self.inner.capabilities)
    assert np.isnan(np.delete(lines.row_volts, SITE.row)).all()
    assert lines.row_volts[SITE.row] == 0.4


@pytest.fixture
def passive15(tmp_path: Path) -> Iterator[tuple[SimBench, MatrixCrossbar]]:
    """The packaged bench of three 2400s and a 707B, started."""
    packaged = bench_path("passive15")
    shutil.copy(packaged, tmp_path / "bench.yaml")
    shutil.copy(packaged.parent / "passive15.wiring.yaml", tmp_path)
    path = str(tmp_path / "bench.yaml")
    simulated = sim_bench(path)
    drivers: dict[str, Any] = {}
    try:
        for name, address in ADDRESSES.items():
            kind = Keithley707B if name == "matrix" else Keithley2400
            drivers[name] = kind(name, f"GPIB0::{address}::INSTR", visalib=f"{path}@mtjlab")
        wiring = load_wiring(tmp_path / "passive15.wiring.yaml")
        with MatrixCrossbar(drivers, drivers["matrix"], wiring, clock=lambda: simulated.world.seconds) as crossbar:
            crossbar.start()
            yield simulated, crossbar
    finally:
        for driver in drivers.values():
            driver.close()
        simulated.close()


def test_the_packaged_bench_measures_a_cell(passive15: Any) -> None:
    simulated, crossbar = passive15
    world = simulated.world
    site = Site(4, 6)
    curve = tmr_against_bias(crossbar, site, [0.05, 0.1, 0.15, -0.25])
    assert curve.fit.tmr0.value == pytest.approx(world.die.tmr[index(world, site)], rel=0.05)
    found = switching_adaptively(
        crossbar, site, State.P, np.linspace(0.25, 0.6, 60).tolist(), [5e-3, 2e-2], most_pulses=60, wanted_delta=0.02
    )
    assert found.counts.pulses == 60
    assert found.fit.volts_c0.low < world.die.set_volts[index(world, site)] * 1.02
    assert found.fit.volts_c0.high > world.die.set_volts[index(world, site)] * 0.98
    loop = pulsed_loop(crossbar, site, staircase(0.6, -0.75, 0.15), pulse_seconds=5e-3)
    assert loop_facts(loop.drive, loop.siemens).tmr == pytest.approx(1.0, rel=0.2)
    assert not world.is_live
    assert all(not smu.is_output_on() for smu in crossbar._smus.values())
    assert world.incidents == []


def test_the_packaged_bench_tells_its_wires(passive15: Any, in_state: Any) -> None:
    simulated, crossbar = passive15
    in_state(simulated.world, np.ones((15, 15)))
    found = line_resistance(crossbar, read_volts=0.1)
    assert found.fit.segment_ohms.value == pytest.approx(2.0, rel=0.1)
    assert found.fit.row_ohms[0].value == pytest.approx(5.0, abs=3.0)
    assert simulated.world.incidents == [] and not simulated.world.is_live


Measurement = Callable[..., Any]


def _switching(crossbar: Any, **how: Any) -> Switching:
    return switching_adaptively(crossbar, SITE, State.P, [0.35, 0.4, 0.45], [1e-3], most_pulses=8, **how)


MEASUREMENTS: dict[str, Measurement] = {
    "quasi-static": lambda c, **how: quasi_static_loop(c, SITE, staircase(0.4, -0.4, 0.2), **how),
    "pulsed": lambda c, **how: pulsed_loop(c, SITE, staircase(0.4, -0.4, 0.2), **how),
    "bias": lambda c, **how: tmr_against_bias(c, SITE, [0.1, 0.2], **how),
    "chosen": _switching,
    "grid": lambda c, **how: switching_on_grid(c, SITE, State.P, [0.35, 0.45], [1e-3], 2, **how),
    "errors": lambda c, **how: write_errors(c, SITE, [Pulse(0.5, 1e-3)], most_writes=4, **how),
    "disturb": lambda c, **how: read_disturb(c, SITE, [0.1], readings=4, **how),
    "retention": lambda c, **how: retention(c, [SITE], State.P, [1.0], wait=lambda _: None, **how),
    "telegraph": lambda c, **how: telegraph(c, SITE, 8, **how),
    "endurance": lambda c, **how: endurance(c, SITE, 3, **how),
    "breakdown": lambda c, **how: breakdown_ramp(c, [SITE], [0.5, 0.6], 1e-3, may_destroy=[SITE], **how),
    "wires": lambda c, **how: line_resistance(c, read_volts=0.05, **how),
}


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_stopped_between_any_two_transactions_the_result_is_partial(make_world: Any, watched: Any, name: str) -> None:
    measure = MEASUREMENTS[name]
    _, crossbar = make_world(1, MANY)
    whole = watched(crossbar)
    assert not measure(whole).ending.is_partial
    for after in range(0, whole.transactions, max(whole.transactions // 12, 1)):
        world, crossbar = make_world(1, MANY)
        spy = watched(crossbar)
        found = measure(spy, is_stopped=lambda spy=spy, after=after: spy.transactions >= after)
        assert found.ending.is_partial
        assert found.ending.reason == "stopped on request"
        assert found.ending.cost == crossbar.spent
        assert not world.is_live and world.incidents == []


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_an_interrupt_leaves_a_partial_result_and_nothing_on(make_world: Any, watched: Any, name: str) -> None:
    for after in (0, 3, 7):
        world, crossbar = make_world(1, MANY)
        kept: list[Any] = []
        with pytest.raises(KeyboardInterrupt):
            MEASUREMENTS[name](watched(crossbar, after), keep=kept.append)
        (found,) = kept
        assert found.ending.is_partial and found.ending.reason == "interrupted"
        assert not world.is_live and world.incidents == []


@pytest.mark.parametrize("name", MEASUREMENTS)
def test_progress_goes_from_nothing_to_all(make_world: Any, name: str) -> None:
    _, crossbar = make_world(1, MANY)
    told: list[tuple[str, int, int]] = []
    found = MEASUREMENTS[name](crossbar, progress=lambda *what: told.append(what))
    assert told[0][1] == 0 and told[-1][1] == told[-1][2]
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert found.ending.cost == crossbar.spent - Cost()


def test_lines_of_a_run_need_half_levels_or_open_lines(make_world: Any) -> None:
    _, crossbar = make_world(0)
    assert Run(crossbar).lines(SITE, 0.4).largest_cell_volts == pytest.approx(0.4)
    assert Run(crossbar).sensed(Lines.grounded(6, 6), Line("col", 0)) == 0.0
