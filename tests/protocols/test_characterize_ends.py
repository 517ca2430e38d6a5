"""How measurements end: stopped, interrupted, budget spent, refused; on the packaged bench too."""

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
from mtjlab.errors import InstrumentError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Cost, Line, Lines, Pulse, Reading, Site, State
from mtjlab.protocols.characterize_bias import tmr_against_bias
from mtjlab.protocols.characterize_breakdown import breakdown_ramp
from mtjlab.protocols.characterize_cell import Cell, Drive
from mtjlab.protocols.characterize_conditions import at_each
from mtjlab.protocols.characterize_endurance import endurance
from mtjlab.protocols.characterize_loops import loop_facts, pulsed_loop, quasi_static_loop, staircase
from mtjlab.protocols.characterize_read_disturb import read_disturb
from mtjlab.protocols.characterize_retention import retention
from mtjlab.protocols.characterize_run import Budget, Run
from mtjlab.protocols.characterize_switching import Switching, switching_adaptively, switching_on_grid
from mtjlab.protocols.characterize_telegraph import telegraph
from mtjlab.protocols.characterize_wires import line_resistance
from mtjlab.protocols.characterize_write_errors import write_errors
from mtjlab.roles import Capabilities
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar
from mtjlab.wiring import load_wiring

SITE = Site(1, 2)
MANY = DeviceLimits(pulses_per_cell=100_000)
IDEAL = {"segment_ohms": 0.0, "contact_ohms": 1e-3, "contact_spread": 0.0}
ADDRESSES = {"drive": 24, "half_select": 25, "sense": 26, "matrix": 16}


def index(world: World, site: Site = SITE) -> int:
    return site.row * world.die.description.cols + site.col


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

    class Narrow(watched):  # type: ignore[misc]
        capabilities = Capabilities(2, 1, shortest_pulse_seconds=0.0, can_float=True)

    lines = Run(Narrow(crossbar)).lines(SITE, 0.4)
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
