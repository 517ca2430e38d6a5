"""The array in memory: the same currents as the circuit of a whole bench, switching at the rates of its cells."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import FLOATING, Line, Lines, Site
from mtjlab.physics import mtj
from mtjlab.physics.die_description import Defect, DefectRates, DieDescription, Kind, LineDefect
from mtjlab.physics.populations import draw_die
from mtjlab.protocols.readout import read_cell
from mtjlab.protocols.write_verify import half_selecting
from mtjlab.roles import LineRead
from mtjlab.sim_instruments.array_crossbar import READ_SECONDS, THREE_UNITS, ArrayCrossbar, MeterErrors
from mtjlab.sim_instruments.die import Die
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar

NO_ERRORS = MeterErrors(0.0, 0.0, 0.0)
NO_DEFECTS = DefectRates(short=0, open=0, stuck_p=0, stuck_ap=0)
WORLD_LINE_OHMS = 0.06
"""Cable and output of the sources of `WorldCrossbar`, beside the contact."""
DESCRIPTION = DieDescription(
    rows=7,
    cols=5,
    segment_ohms=8.0,
    defects=[Defect(row=1, col=2, kind="short"), Defect(row=5, col=0, kind="open")],
    line_defects=[LineDefect(axis="col", line=2, kind="short", ohms=40.0), LineDefect(axis="row", line=6, kind="open")],
    defect_rates=NO_DEFECTS,
)
ONE_CELL = DieDescription(
    rows=1, cols=1, diameters_nm=[50.0], defect_rates=NO_DEFECTS, volts_c0_spread=0, delta_spread=0
)


def _crossbar(
    description: DieDescription, seed: int = 0, errors: MeterErrors = NO_ERRORS, **more: object
) -> ArrayCrossbar:
    rng = np.random.default_rng(seed)
    return ArrayCrossbar(Die(description, rng), rng, errors, **more)  # type: ignore[arg-type]


def _levels(rng: np.random.Generator, description: DieDescription) -> Lines:
    return Lines(rng.uniform(-0.05, 0.05, description.rows), rng.uniform(-0.05, 0.05, description.cols))


def _all_lines(description: DieDescription) -> list[Line]:
    return [Line("row", i) for i in range(description.rows)] + [Line("col", j) for j in range(description.cols)]


def test_currents_are_those_of_the_bench_circuit_with_defects_and_touching_lines() -> None:
    drawn = draw_die(DESCRIPTION, np.random.default_rng(4))
    world = WorldCrossbar(World(DESCRIPTION, seed=0, line_hertz=50, drawn=drawn))
    longer = replace(drawn, contact_ohms=drawn.contact_ohms + WORLD_LINE_OHMS)
    die = Die(DESCRIPTION, np.random.default_rng(0), longer)
    memory = ArrayCrossbar(die, np.random.default_rng(0), NO_ERRORS)
    rng, sense = np.random.default_rng(5), _all_lines(DESCRIPTION)
    for _ in range(4):
        lines = _levels(rng, DESCRIPTION)
        amps, expected = ([one.amps for one in bench.measure(lines, sense)] for bench in (memory, world))
        np.testing.assert_allclose(amps, expected, rtol=2e-6, atol=1e-12)
        assert np.max(np.abs(expected)) > 1e-5


def test_currents_follow_a_cell_that_switches() -> None:
    clean = DESCRIPTION.model_copy(update={"defects": [], "line_defects": [], "defect_rates": NO_DEFECTS})
    crossbar = _crossbar(clean)
    site = Site(3, 1)
    ratios = []
    for volts in (0.8, -0.95, 0.8):
        crossbar.pulse(half_selecting(crossbar.shape, site, volts), 5e-3)
        cell = site.row * clean.cols + site.col
        assert crossbar.die.is_parallel[cell] == (volts > 0)
        fresh = ArrayCrossbar(crossbar.die, np.random.default_rng(0), NO_ERRORS)
        ratios.append(read_cell(crossbar, site) / crossbar.die.siemens()[cell])
        assert read_cell(crossbar, site) == pytest.approx(read_cell(fresh, site), rel=1e-9)
    assert 0.8 < min(ratios) < max(ratios) < 1.1


def test_cells_switch_as_often_as_their_rates_say() -> None:
    one = ONE_CELL
    crossbar = _crossbar(one, limits=DeviceLimits(pulses_per_cell=10_000))
    crossbar.die.is_parallel[0] = False
    crossbar._network.cell_changed(0)
    seconds, trials, switched = 5e-3, 400, 0
    half = mtj.volts_for_probability(0.5, seconds, one.delta, one.set_volts_c0, one.damping_seconds)
    wires = crossbar.die.contact_ohms.sum() + 2 * one.segment_ohms
    volts = half * (1 + wires * float(crossbar.die.siemens(half)[0]))
    for _ in range(trials):
        if crossbar.die.is_parallel[0]:
            crossbar.die.is_parallel[0] = False
            crossbar._network.cell_changed(0)
        crossbar.pulse(Lines(np.array([volts]), np.array([0.0])), seconds)
        switched += bool(crossbar.die.is_parallel[0])
    assert abs(switched / trials - 0.5) < 4 * 0.5 / np.sqrt(trials) + 0.01


def test_reads_disturb_at_the_rate_of_the_cells_that_are_read() -> None:
    weak = ONE_CELL.model_copy(update={"delta": 21.0})
    crossbar = _crossbar(weak)
    lines, trials, switched = Lines(np.array([0.1]), np.array([0.0])), 200, 0
    for _ in range(trials):
        if crossbar.die.is_parallel[0]:
            crossbar.die.is_parallel[0] = False
            crossbar._network.cell_changed(0)
        rate = float(crossbar.die.switching_rates(crossbar._network.cell_volts(np.array([0.1, 0.0])))[0])
        crossbar.measure(lines, [Line("col", 0)])
        switched += bool(crossbar.die.is_parallel[0])
    expected = 1 - np.exp(-rate * READ_SECONDS)
    assert 0.1 < expected < 0.9
    assert abs(switched / trials - expected) < 4 * np.sqrt(expected * (1 - expected) / trials)
    firm = _crossbar(DieDescription(rows=3, cols=3, defect_rates=NO_DEFECTS))
    before = firm.die.is_parallel.copy()
    for _ in range(50):
        firm.measure(Lines(np.full(3, 0.1), np.zeros(3)), [Line("col", 0)])
    np.testing.assert_array_equal(firm.die.is_parallel, before)


def test_a_barrier_breaks_and_is_a_short_from_then_on() -> None:
    one = DieDescription(rows=1, cols=1, defect_rates=NO_DEFECTS, breakdown_volts=0.7)
    crossbar = _crossbar(one, limits=DeviceLimits(write_volts_positive=1.0))
    before = read_cell(crossbar, Site(0, 0))
    crossbar.pulse(Lines(np.array([1.0]), np.array([0.0])), 5e-3)
    assert crossbar.die.kind[0] == Kind.SHORT
    assert read_cell(crossbar, Site(0, 0)) > 5 * before


def test_errors_of_meters_and_noise_are_of_the_size_asked_for() -> None:
    one = DieDescription(rows=2, cols=2, defect_rates=NO_DEFECTS)
    lines, sense = Lines(np.array([0.1, 0.0]), np.zeros(2)), [Line("col", 0)]
    exact = _crossbar(one).measure(lines, sense)[0].amps
    noisy = _crossbar(one, errors=MeterErrors(noise_amps=1e-8, gain=0.0, offset_amps=0.0))
    amps = np.array([noisy.measure(lines, sense)[0].amps for _ in range(300)])
    assert amps.std() == pytest.approx(1e-8, rel=0.2)
    assert amps.mean() == pytest.approx(exact, abs=4e-9)
    biased = (
        _crossbar(one, errors=MeterErrors(noise_amps=0.0, gain=1e-3, offset_amps=5e-8)).measure(lines, sense)[0].amps
    )
    assert 0 < abs(biased - exact) <= 1e-3 * exact + 5e-8


def test_a_series_is_what_its_reads_are_one_by_one_and_is_told_in_order() -> None:
    rng = np.random.default_rng(0)
    crossbar = _crossbar(DESCRIPTION)
    reads = [LineRead(_levels(rng, DESCRIPTION), Line("col", k % 5)) for k in range(6)]
    heard: list[int] = []
    together = crossbar.measure_each(reads, heard=lambda number, reading: heard.append(number))
    assert heard == list(range(6))
    for read, reading in zip(reads, together, strict=True):
        assert crossbar.measure(read.lines, [read.sense])[0].amps == pytest.approx(reading.amps, rel=1e-6)
    assert crossbar.spent.readings == 12
    assert crossbar.spent.bench_seconds == pytest.approx(12 * 3e-3)
    assert crossbar.measure_each([]) == []


def test_limits_budgets_and_floating_lines() -> None:
    crossbar = _crossbar(DESCRIPTION, limits=DeviceLimits(pulses_per_cell=2), capabilities=THREE_UNITS)
    assert crossbar.capabilities == THREE_UNITS and crossbar.limits.pulses_per_cell == 2
    with pytest.raises(LimitError, match=r"reading at 0\.3 V"):
        crossbar.measure(Lines.selecting((7, 5), Site(0, 0), 0.3, 0.0), [Line("col", 0)])
    with pytest.raises(LimitError, match=r"a pulse of 1\.5 V"):
        crossbar.pulse(half_selecting((7, 5), Site(0, 0), 1.5), 1e-3)
    with pytest.raises(InputError, match="floats"):
        crossbar.measure(Lines.selecting((7, 5), Site(0, 0), 0.1, FLOATING), [Line("col", 0)])
    with pytest.raises(InputError, match="7 x 5"):
        crossbar.measure(Lines.grounded(5, 7), [Line("col", 0)])
    for _ in range(2):
        crossbar.pulse(half_selecting((7, 5), Site(0, 0), 0.2), 1e-3)
    with pytest.raises(LimitError):
        crossbar.pulse(half_selecting((7, 5), Site(0, 0), 0.2), 1e-3)
    crossbar.new_budget()
    crossbar.pulse(half_selecting((7, 5), Site(0, 0), 0.2), 1e-3)
    assert crossbar.spent.pulses == 3


def test_a_seed_gives_the_same_array_and_the_same_noise_again() -> None:
    lines, sense = Lines(np.full(7, 0.05), np.zeros(5)), [Line("col", j) for j in range(5)]
    first, second, other = (_crossbar(DESCRIPTION, seed, MeterErrors()).measure(lines, sense) for seed in (1, 1, 2))
    assert first == second != other
