"""Reading conductances: what comes out is what is on the die, and an interrupted reading keeps what it has."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtjlab.errors import InstrumentError
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Floats, Site, State
from mtjlab.physics.crossbar import transfer_siemens
from mtjlab.protocols.readout import all_sites, check_contact, nearest_state, read_cell, readout
from mtjlab.sim_instruments.world import World

NOISE_READINGS = 8
ALLOW = {"suppress_health_check": [HealthCheck.function_scoped_fixture], "derandomize": True, "database": None}


def true_transfer(world: World, extra_ohms: float) -> Floats:
    """What grounded reading at 0.1 V should give: the network solved without this package's simulated circuit."""
    die = world.die
    rows, cols = die.description.rows, die.description.cols
    ohms = die.contact_ohms + extra_ohms
    siemens = die.siemens(0.1).reshape(rows, cols)
    return transfer_siemens(siemens, die.description.segment_ohms, ohms[:rows], ohms[rows:])


def both_states(shape: tuple[int, int], ap: float = 1e-4, p: float = 2e-4) -> ArrayMap:
    full = np.ones(shape)
    state = np.zeros(shape, dtype=np.int8)
    return ArrayMap(ap * full, p * full, ap * full, state, state + CellStatus.OK, full * 1e-7, Conditions(0.1))


@pytest.mark.parametrize("seed", range(3))
def test_ideal_sources_give_the_transfer_conductances(make_world: Any, seed: int) -> None:
    world, crossbar = make_world(seed)
    read = readout(crossbar)
    assert read.siemens == pytest.approx(true_transfer(world, extra_ohms=0.06), rel=2e-3)
    assert (read.sigma == 0).all()
    assert not read.is_partial
    assert read.conditions == Conditions(0.1, "grounded")
    assert world.incidents == []


def test_a_bench_gives_the_transfer_conductances_within_its_uncertainty(bench: Any) -> None:
    simulated, make = bench
    crossbar = make()
    with crossbar:
        crossbar.start()
        read = readout(crossbar)
    true = true_transfer(simulated.world, extra_ohms=0.6)
    assert (read.sigma > 0).all()
    assert read.sigma.max() < 0.02 * true.min()
    # four standard uncertainties and the gain error a 2400's data sheet allows
    assert (np.abs(read.siemens - true) < 4 * read.sigma + 3e-3 * true).all()
    assert simulated.world.incidents == []


def test_offsets_of_sources_and_ammeter_cancel(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, crossbar = make_world()
    plain = read_cell(crossbar, Site(2, 3))
    measure = crossbar.measure

    def offset(*request: Any) -> Any:
        return [replace(r, amps=r.amps + 3e-6) for r in measure(*request)]

    monkeypatch.setattr(crossbar, "measure", offset)
    assert read_cell(crossbar, Site(2, 3)) == pytest.approx(plain, rel=1e-9)


def test_only_the_sites_that_were_asked_are_read(make_world: Any) -> None:
    _, crossbar = make_world()
    sites = [Site(0, 5), Site(3, 1)]
    read = readout(crossbar, sites=sites)
    assert set(zip(*np.nonzero(~np.isnan(read.siemens)), strict=True)) == {(0, 5), (3, 1)}
    assert np.isnan(read.sigma).sum() == 34
    assert crossbar.spent.readings == NOISE_READINGS + 2 * len(sites)


def test_no_site_gives_an_empty_map(make_world: Any) -> None:
    _, crossbar = make_world()
    assert np.isnan(readout(crossbar, sites=[]).siemens).all()


def test_without_a_reference_nothing_is_said_about_states(make_world: Any) -> None:
    _, crossbar = make_world()
    read = readout(crossbar)
    assert (read.state == State.UNKNOWN).all()
    assert (read.status == CellStatus.UNREAD).all()
    assert np.isnan(read.siemens_p).all()


@pytest.mark.parametrize("seed", range(3))
def test_with_a_reference_the_states_are_told(make_world: Any, in_state: Any, seed: int) -> None:
    world, crossbar = make_world(seed)
    in_state(world, np.ones((6, 6)))
    p = readout(crossbar).siemens
    in_state(world, np.zeros((6, 6)))
    ap = readout(crossbar).siemens
    reference = both_states((6, 6))
    reference.siemens_p[:], reference.siemens_ap[:] = p, ap
    pattern = np.random.default_rng(seed).random((6, 6)) < 0.5
    in_state(world, pattern)
    read = readout(crossbar, reference=reference)
    assert (read.state == pattern).all()
    assert (read.status == reference.status).all()


def test_the_nearer_state_wins_and_a_missing_one_is_unknown() -> None:
    reference = both_states((1, 4))
    reference.siemens_p[0, 3] = np.nan
    siemens = np.array([[1.49e-4, 1.51e-4, np.nan, 2e-4]])
    assert nearest_state(siemens, reference).tolist() == [[State.AP, State.P, State.UNKNOWN, State.UNKNOWN]]


def test_progress_counts_every_cell(make_world: Any) -> None:
    _, crossbar = make_world()
    heard: list[tuple[str, int, int]] = []
    readout(crossbar, progress=lambda *step: heard.append(step))
    done = [step[1] for step in heard if step[0] == "reading"]
    assert done[-36:] == list(range(1, 37))
    assert {step[2] for step in heard} == {36}


def test_an_off_scale_reading_is_infinite(make_world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, crossbar = make_world()
    measure = crossbar.measure

    def off_scale(lines: Any, sense: Any) -> Any:
        is_driven = bool(np.abs(lines.row_volts).max() > 0)
        return [replace(r, is_overflow=is_driven) for r in measure(lines, sense)]

    monkeypatch.setattr(crossbar, "measure", off_scale)
    assert read_cell(crossbar, Site(0, 0)) == float("inf")
    assert np.isnan(readout(crossbar, sites=[Site(0, 0)]).sigma).all()


class TestInterrupted:
    @given(st.integers(0, NOISE_READINGS + 2 * 36))
    @settings(max_examples=20, deadline=None, **ALLOW)
    def test_what_was_read_is_kept(self, make_world: Any, watched: Any, transactions: int) -> None:
        whole = readout(make_world(1)[1]).siemens
        kept: list[ArrayMap] = []
        total = NOISE_READINGS + 2 * 36
        crossbar = watched(make_world(1)[1], transactions)
        if transactions < total:
            with pytest.raises(KeyboardInterrupt):
                readout(crossbar, keep=kept.append)
        else:
            readout(crossbar, keep=kept.append)
        assert len(kept) == 1
        assert kept[0].is_partial == (transactions < total)
        complete = max(transactions - NOISE_READINGS, 0) // 2
        flat = kept[0].siemens.ravel()
        assert flat[:complete] == pytest.approx(whole.ravel()[:complete], rel=1e-9)
        assert np.isnan(flat[complete:]).all()

    @given(st.integers(0, 30))
    @settings(max_examples=10, deadline=None, **ALLOW)
    def test_the_bench_is_off_afterwards(self, bench: Any, watched: Any, transactions: int) -> None:
        simulated, make = bench
        simulated.reset()
        kept: list[ArrayMap] = []
        crossbar = make()
        with pytest.raises(KeyboardInterrupt), crossbar:
            crossbar.start()
            readout(watched(crossbar, transactions), keep=kept.append)
        assert kept[0].is_partial
        assert (~np.isnan(kept[0].siemens)).sum() == max(transactions - NOISE_READINGS, 0) // 2
        assert not simulated.world.is_live
        assert not simulated.by_name["matrix"].closed
        assert simulated.world.incidents == []


class TestContact:
    def test_good_contact_is_silent(self, make_world: Any) -> None:
        world, crossbar = make_world()
        check_contact(crossbar)
        assert world.incidents == []

    def test_lifted_probes_name_every_line(self, make_world: Any) -> None:
        world, crossbar = make_world(rows=3, cols=3)
        world.move_contact(False)
        with pytest.raises(InstrumentError) as caught:
            check_contact(crossbar)
        for line in ("row 0", "row 1", "row 2", "col 0", "col 1", "col 2"):
            assert line in caught.value.what
        assert "Re-land the probes" in caught.value.remedy

    @pytest.mark.parametrize(("axis", "number"), [("row", 2), ("col", 0), ("col", 3)])
    def test_a_line_without_its_cable_is_named_alone(self, bench: Any, axis: str, number: int) -> None:
        simulated, make = bench
        simulated.world.die.contact_ohms[number + (4 if axis == "col" else 0)] = 1e12
        simulated.world.circuit.touch(True)
        crossbar = make()
        with crossbar:
            crossbar.start()
            with pytest.raises(InstrumentError, match="no current on") as caught:
                check_contact(crossbar)
        assert caught.value.what == f"no current on {axis} {number}"

    def test_defects_are_no_contact_fault(self, make_world: Any) -> None:
        defects = [{"row": 0, "col": j, "kind": "open"} for j in (0, 2)] + [{"row": 3, "col": 3, "kind": "short"}]
        _, crossbar = make_world(defects=defects)
        check_contact(crossbar)


def test_all_sites_go_row_by_row() -> None:
    assert all_sites((2, 3)) == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
