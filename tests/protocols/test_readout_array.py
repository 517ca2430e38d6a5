"""Reads with an uncertainty: true cells under every scheme, averaging as far as wanted, partial maps when stopped."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.errors import InputError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Line, Lines, Site, State
from mtjlab.physics.deembed import Scheme, Wires
from mtjlab.physics.line_reads import BiasDependence
from mtjlab.protocols.readout import all_sites
from mtjlab.protocols.readout_array import read_array, read_kernels, read_row
from mtjlab.protocols.readout_noise import own_variance, pooled_variance, student_factor
from mtjlab.protocols.readout_samples import Samples
from mtjlab.protocols.readout_settings import Accuracy, ReadSettings, chosen_scheme
from mtjlab.roles import Capabilities
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip

EXACT = Accuracy(0, 0, 0, 0, 0)
BIAS = BiasDependence(0.5)
every_scheme = pytest.mark.parametrize("scheme", list(Scheme))


def true_wires(world: Any, extra_ohms: float) -> Wires:
    description, ohms = world.die.description, world.die.contact_ohms + extra_ohms
    return Wires(description.segment_ohms, ohms[: description.rows], ohms[description.rows :])


def truth(world: Any, volts: float = 0.1) -> Any:
    description = world.die.description
    return world.die.siemens(volts).reshape(description.rows, description.cols)


class Noisy:
    """Adds noise and an offset to what another Crossbar measures."""

    def __init__(self, inner: Any, sigma_amps: float, offset_amps: float = 0.0, seed: int = 0) -> None:
        self.inner, self.sigma, self.offset = inner, sigma_amps, offset_amps
        self.rng = np.random.default_rng(seed)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def measure_each(self, reads: Any, *, heard: Any) -> Any:
        found = []
        for number, reading in enumerate(self.inner.measure_each(reads)):
            amps = reading.amps + self.offset + self.sigma * self.rng.standard_normal()
            found.append(replace(reading, amps=amps))
            heard(number, found[-1])
        return found


@every_scheme
def test_true_cells_come_out_of_every_scheme(make_world: Any, scheme: Scheme) -> None:
    world, crossbar = make_world(3, tmr_spread=0.0, defects=[{"row": 1, "col": 2, "kind": "open"}])
    settings = ReadSettings(scheme=scheme, accuracy=EXACT, wires=true_wires(world, 0.06), bias=BIAS)
    read = read_array(crossbar, settings)
    assert read.siemens == pytest.approx(truth(world), rel=2e-4, abs=2e-9)
    assert not read.is_partial
    assert world.incidents == []


def test_a_floating_read_without_removal_of_sneak_paths_would_be_far_off(make_world: Any) -> None:
    world, crossbar = make_world(3)
    lines = read_array(crossbar, ReadSettings(scheme=Scheme.FLOATING)).siemens
    assert lines == pytest.approx(truth(world), rel=0.05), "only wires are left in"
    levels = np.full(6, np.nan)
    row, col = levels.copy(), levels.copy()
    row[0], col[0] = 0.1, 0.0
    raw = crossbar.measure(Lines(row, col), [Line("col", 0)])[0].siemens
    assert abs(raw) != pytest.approx(truth(world)[0, 0], rel=0.2)


@every_scheme
def test_noise_instruments_and_wires_are_within_what_is_stated(make_world: Any, scheme: Scheme) -> None:
    inside = []
    for seed in range(8):
        world, crossbar = make_world(seed)
        rng = np.random.default_rng(seed)
        wires = true_wires(world, 0.06)
        off = replace(wires, row_ohms=wires.row_ohms + rng.normal(0, 0.5, 6), col_ohms=wires.col_ohms)
        settings = ReadSettings(
            scheme=scheme, accuracy=EXACT, wires=off, line_sigma_ohms=(0.5,) * 6 + (0.0,) * 6, bias=BIAS
        )
        read = read_array(Noisy(crossbar, 2e-8, 3e-7, seed), settings)  # type: ignore[arg-type]
        inside.append(np.abs(read.siemens - truth(world)) < 1.96 * read.sigma)
        assert 0 < read.provenance["sigma_noise"] < 1e-6
        assert read.provenance["sigma_wires"] > 1e-9
    assert 0.88 < np.mean(inside) < 0.995


def test_a_bench_reads_within_its_uncertainty(bench: Any) -> None:
    simulated, make = bench
    wires = true_wires(simulated.world, 0.6)
    for scheme in (Scheme.GROUNDED, Scheme.FLOATING, Scheme.HALF):
        with make() as crossbar:
            crossbar.start()
            read = read_array(crossbar, ReadSettings(scheme=scheme, wires=wires, bias=BIAS))
        error = np.abs(read.siemens - truth(simulated.world))
        assert (error < 3.5 * read.sigma).all()
        assert np.median(read.sigma / read.siemens) < 2e-3
    assert simulated.world.incidents == []
    assert not simulated.world.is_live


def test_the_map_says_how_it_was_taken(make_world: Any) -> None:
    _, crossbar = make_world()
    settings = ReadSettings(scheme=Scheme.THIRD, read_volts=0.12, wires=Wires(2.0, 5.0, 7.0), kelvin=300, tesla=0.01)
    read = read_array(crossbar, settings)
    assert read.conditions == Conditions(0.12, "V/3", 300, 2.0, 6.0, 0.01, 2)
    assert read.provenance["readings"] == 2
    bare = read_array(crossbar, ReadSettings(both_polarities=False)).conditions
    assert (bare.scheme, bare.segment_ohms, bare.line_ohms, bare.polarities) == ("grounded", None, None, 1)


def test_the_offset_goes_out_either_way_and_only_then(make_world: Any) -> None:
    world, crossbar = make_world()
    shared = {"accuracy": EXACT, "wires": true_wires(world, 0.06)}
    for settings in (ReadSettings(**shared), ReadSettings(both_polarities=False, **shared)):
        read = read_array(Noisy(crossbar, 0, 1e-6), settings)  # type: ignore[arg-type]
        assert read.siemens == pytest.approx(truth(world), rel=2e-3)
    naive = ReadSettings(both_polarities=False, removes_offset=False, wires=shared["wires"])
    read = read_array(Noisy(crossbar, 0, 4e-8), naive)  # type: ignore[arg-type]
    assert (np.abs(read.siemens - truth(world)) > 2e-7).all()
    assert (np.abs(read.siemens - truth(world)) < 2 * read.sigma).all(), "then it counts as uncertainty"


class TestAveraging:
    @pytest.mark.parametrize(("wanted", "readings"), [(0.02, 2), (0.002, 2), (0.0005, 18)])
    def test_as_many_readings_as_it_takes(self, make_world: Any, wanted: float, readings: int) -> None:
        _, crossbar = make_world()
        settings = ReadSettings(accuracy=EXACT, wanted=wanted)
        read = read_array(Noisy(crossbar, 4e-8), settings)  # type: ignore[arg-type]
        assert read.provenance["readings"] == pytest.approx(readings, rel=0.6)
        assert crossbar.spent.readings == 36 * 2 * read.provenance["readings"]
        assert np.median(read.sigma / read.siemens) < 1.15 * wanted
        assert "bring the median cell" in read.provenance["reason"]

    def test_no_more_than_allowed(self, make_world: Any) -> None:
        _, crossbar = make_world()
        settings = ReadSettings(accuracy=EXACT, wanted=1e-5, most_readings=6)
        read = read_array(Noisy(crossbar, 4e-8), settings)  # type: ignore[arg-type]
        assert read.provenance["readings"] == 6
        assert "more than the settings allow" in read.provenance["reason"]

    def test_not_where_instruments_and_wires_are_the_limit(self, make_world: Any) -> None:
        _, crossbar = make_world()
        settings = ReadSettings(accuracy=Accuracy(source=0.01), wanted=1e-3, most_readings=40)
        read = read_array(Noisy(crossbar, 1e-8), settings)  # type: ignore[arg-type]
        assert read.provenance["readings"] < 40
        assert "no averaging reduces" in read.provenance["reason"]


class TestReferenceCells:
    def test_they_set_the_scale(self, make_world: Any) -> None:
        world, crossbar = make_world()
        wires, true = true_wires(world, 0.06), truth(world)
        known = {Site(0, 0): float(true[0, 0]), Site(3, 4): float(true[3, 4])}
        measure = crossbar.measure
        crossbar.measure = lambda *request: [replace(r, amps=1.02 * r.amps) for r in measure(*request)]
        plain = read_array(crossbar, ReadSettings(wires=wires))
        scaled = read_array(crossbar, ReadSettings(wires=wires, references=known, references_sigma=1e-3))
        assert np.median(plain.siemens / true) == pytest.approx(1.02, abs=2e-3)
        assert scaled.siemens == pytest.approx(true, rel=2e-3)
        assert scaled.provenance["sigma_instruments"] == pytest.approx(1e-3 * np.median(true), rel=0.1)

    def test_what_they_cannot_remove_of_a_half_selected_read_stays(self, make_world: Any) -> None:
        """An error of the unselected lines' level is no common factor: it goes with the other cells of a column."""
        world, crossbar = make_world()
        true, at = truth(world), Site(2, 3)
        shared = {
            "wires": true_wires(world, 0.06),
            "bias": BIAS,
            "accuracy": Accuracy(source=0.01, divisor=1.0),
            "references": {at: float(true[at])},
        }
        measure = crossbar.measure

        def off(lines: Any, sense: Any) -> Any:
            rows, cols = (np.where(np.abs(v) < 0.09, 1.01 * v, v) for v in (lines.row_volts, lines.col_volts))
            return measure(Lines(rows, cols), sense)

        crossbar.measure = off
        read = read_array(crossbar, ReadSettings(scheme=Scheme.HALF, **shared))
        error = np.abs(read.siemens - true)
        assert np.median(error / true) > 3e-3, "a percent of the level is not scaled away"
        assert (error < 1.5 * read.sigma + 1e-9).all()
        assert read.sigma[at] < 1e-3 * true[at]
        grounded = read_array(crossbar, ReadSettings(scheme=Scheme.GROUNDED, **shared))
        assert np.median(grounded.sigma / true) < 2e-3, "there it is one factor, and gone"

    def test_one_that_was_not_read_is_refused(self, make_world: Any) -> None:
        settings = ReadSettings(references={Site(5, 5): 1e-4})
        with pytest.raises(InputError, match="reference cell"):
            read_array(make_world()[1], settings, sites=[Site(0, 0)])


def test_a_row_and_a_cell_can_be_read_alone(make_world: Any) -> None:
    world, crossbar = make_world()
    settings = ReadSettings(wires=true_wires(world, 0.06))
    siemens, sigma = read_row(crossbar, 2, settings)
    assert (np.abs(siemens - truth(world)[2]) < 3 * sigma).all()
    one = read_array(crossbar, settings, sites=[Site(4, 1)])
    assert np.isfinite(one.siemens).sum() == np.isfinite(one.sigma).sum() == 1
    assert abs(one.siemens[4, 1] - truth(world)[4, 1]) < 3 * one.sigma[4, 1]


def test_no_site_gives_an_empty_map(make_world: Any) -> None:
    read = read_array(make_world()[1], sites=[])
    assert np.isnan(read.siemens).all()
    assert not read.is_partial


def test_off_scale_and_limited_readings_are_infinite(make_world: Any) -> None:
    _, crossbar = make_world()
    each = crossbar.measure_each

    def off_scale(reads: Any, heard: Any) -> None:
        def told(number: int, reading: Any) -> None:
            row = int(np.argmax(np.abs(reads[number].lines.row_volts)))
            place = row, reads[number].sense.number
            heard(number, replace(reading, is_overflow=place == (1, 1), in_compliance=place == (2, 2)))

        each(reads, heard=told)

    crossbar.measure_each = off_scale
    read = read_array(crossbar)
    assert {tuple(site) for site in np.argwhere(np.isinf(read.siemens))} == {(1, 1), (2, 2)}
    assert np.isnan(read.sigma[1, 1])
    assert np.isfinite(read.sigma).sum() == 34


def test_with_a_reference_the_states_are_told(make_world: Any, in_state: Any) -> None:
    world, crossbar = make_world(1)
    maps = {}
    for state in (1, 0):
        in_state(world, np.full((6, 6), state))
        maps[state] = read_array(crossbar).siemens
    full = np.ones((6, 6))
    status = np.full((6, 6), CellStatus.OK, dtype=np.int8)
    known = ArrayMap(maps[0], maps[1], maps[0], np.zeros((6, 6), np.int8), status, full, Conditions(0.1))
    pattern = np.random.default_rng(0).random((6, 6)) < 0.5
    in_state(world, pattern)
    read = read_array(crossbar, reference=known)
    assert (read.state == pattern).all()
    assert (read_array(crossbar).state == State.UNKNOWN).all()


def test_the_scheme_follows_from_what_the_crossbar_can_do() -> None:
    def can(levels: int, *, floats: bool = True, sensed: int = 1) -> Capabilities:
        return Capabilities(levels, sensed, 1e-3, floats)

    assert chosen_scheme(ReadSettings(), can(3)) is Scheme.GROUNDED
    assert chosen_scheme(ReadSettings(), can(2)) is Scheme.FLOATING
    assert chosen_scheme(ReadSettings(scheme=Scheme.HALF), can(3)) is Scheme.HALF
    with pytest.raises(InputError, match="V/3"):
        chosen_scheme(ReadSettings(scheme=Scheme.THIRD), can(3))
    with pytest.raises(InputError, match="any scheme"):
        chosen_scheme(ReadSettings(), can(2, floats=False))
    isolating = replace(can(50, sensed=25), isolates_cells=True)
    assert chosen_scheme(ReadSettings(wires=Wires(2.0)), isolating) is Scheme.FLOATING
    assert chosen_scheme(ReadSettings(scheme=Scheme.GROUNDED), isolating) is Scheme.GROUNDED
    with pytest.raises(InputError, match="transistors"):
        chosen_scheme(ReadSettings(scheme=Scheme.GROUNDED, wires=Wires(2.0)), isolating)


@pytest.mark.parametrize("scheme", [Scheme.GROUNDED, Scheme.HALF, Scheme.THIRD])
def test_an_offset_that_is_left_in_drives_every_cell_of_the_lines(make_world: Any, scheme: Scheme) -> None:
    world, crossbar = make_world()
    measure = crossbar.measure

    def shifted(lines: Any, sense: Any) -> Any:
        """Whatever is not at the full bias comes from a source that is a millivolt off; the sensed line is not."""
        rows, cols = (np.where(np.abs(v) < 0.09, v + 1e-3, v) for v in (lines.row_volts, lines.col_volts))
        for line in sense:
            cols[line.number] = 0.0
        return measure(Lines(rows, cols), sense)

    crossbar.measure = shifted
    settings = ReadSettings(
        scheme=scheme,
        both_polarities=False,
        removes_offset=False,
        wires=true_wires(world, 0.06),
        bias=BIAS,
        accuracy=Accuracy(0, 1e-3, 0, 0, 0, 1.0),
    )
    # one cell at a time, so that only one line is sensed in each measurement
    crossbar.measure_each = lambda reads, heard: [
        heard(number, shifted(read.lines, [read.sense])[0]) for number, read in enumerate(reads)
    ]
    read = read_array(crossbar, settings)
    error = np.abs(read.siemens - truth(world)) / truth(world)
    assert np.median(error) > 5e-3
    assert (np.abs(read.siemens - truth(world)) < 2 * read.sigma).all()


@pytest.mark.parametrize("wrong", [{"read_volts": 0.0}, {"readings": 1}, {"readings": 9, "most_readings": 8}])
def test_settings_without_sense_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ReadSettings(**wrong)


def test_a_chip_is_read_kernel_by_kernel_and_each_is_left_idle(make_world: Any) -> None:
    worlds = {f"kernel {seed}": make_world(seed) for seed in range(2)}
    kept: list[str] = []
    heard: set[str] = set()
    found = read_kernels(
        ((name, lambda made=made: made[1]) for name, made in worlds.items()),
        progress=lambda what, done, total: heard.add(what),
        keep=lambda name, one: kept.append(name),
    )
    assert kept == list(found) == list(worlds)
    assert heard == {"kernel 0: reading", "kernel 1: reading"}
    for name, (world, _) in worlds.items():
        assert found[name].siemens == pytest.approx(truth(world), rel=0.05)
        assert not world.is_live


@every_scheme
@pytest.mark.parametrize("transactions", [0, 3, 70, 143])
def test_a_stopped_read_keeps_what_it_has(make_world: Any, watched: Any, scheme: Scheme, transactions: int) -> None:
    world, crossbar = make_world(1)
    kept: list[ArrayMap] = []
    with pytest.raises(KeyboardInterrupt):
        read_array(watched(crossbar, transactions), ReadSettings(scheme=scheme), keep=kept.append)
    (stopped,) = kept
    assert stopped.is_partial
    seen = np.isfinite(stopped.siemens)
    assert seen.sum() <= 36
    if transactions == 143:
        assert seen.sum() >= 35
        assert stopped.siemens[seen] == pytest.approx(truth(world)[seen], rel=0.1)


class TestSamples:
    def test_pooled_variance_is_that_of_the_noise_and_leaves_out_what_jumps(self) -> None:
        rng = np.random.default_rng(0)
        groups = [list(row) for row in rng.normal(0, 2, (300, 3))]
        jumping = [[0.0, 100.0, 0.0]] * 5
        variance, freedom = pooled_variance([*groups, *jumping])
        assert variance == pytest.approx(4, rel=0.15)
        assert 590 <= freedom <= 600
        assert own_variance(jumping[0], variance) == pytest.approx(np.var(jumping[0], ddof=1))
        assert own_variance(groups[0], variance) == variance

    def test_levels_that_are_not_equally_noisy_count_each_by_its_own_noise(self) -> None:
        samples, rng = Samples((10, 10), (0.1, -0.1), Scheme.GROUNDED), np.random.default_rng(3)
        for site in all_sites((10, 10)):
            samples.amps[site] = [list(rng.normal(0, size, 2)) for size in (1e-9, 8e-9)]
        noise = samples.combined((5.0, -5.0), 0.0).noise
        assert np.median(noise) == pytest.approx(5 * np.hypot(1e-9, 8e-9) / np.sqrt(2), rel=0.15)

    def test_nothing_is_known_from_single_readings(self) -> None:
        assert np.isnan(pooled_variance([[1.0], [np.inf, 1.0]])[0])
        assert np.isnan(student_factor(0))

    def test_few_readings_widen_the_uncertainty_as_student_says(self) -> None:
        assert student_factor(2) == pytest.approx(4.303 / 1.960, rel=1e-3)
        assert student_factor(10_000) == pytest.approx(1.0, abs=1e-3)


def test_a_board_is_read_with_the_same_protocol() -> None:
    chip = DaffodilChip.draw(seed=7, contact_spread=0.0)
    board = SimDaffodilBoard(chip, seed=7)
    crossbar = DaffodilCrossbar(board, kernel=22, limits=DeviceLimits(), wait=board.wait, clock=board.clock)
    with crossbar:
        kernel = board.chip.kernels[22]
        wires = Wires(kernel.die.description.segment_ohms, kernel.die.contact_ohms[:25], kernel.die.contact_ohms[25:])
        sites = [Site(i, j) for i in range(0, 25, 6) for j in range(25)]
        read = read_array(crossbar, ReadSettings(wires=wires), sites=sites)
    assert read.conditions.scheme == "floating"
    junctions = kernel.die.siemens(0.1).reshape(25, 25)
    true = junctions / (1 + junctions * kernel.access.on_ohms(3.3))
    seen = np.isfinite(read.sigma) & (kernel.die.kind.reshape(25, 25) == 0)
    assert seen.sum() > 100
    # the amplifiers have not been calibrated here: their gains are what they are within some percent
    assert (np.abs(read.siemens / true - 1)[seen] < 0.15).all()
    assert np.median((read.sigma / true)[seen]) < 0.02
    assert board.incidents == []
