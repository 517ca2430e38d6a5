"""Writing brings cells into their targets, within its amplitudes, and says what it could not write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mtjlab.errors import InputError, LimitError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, CellStatus, Ints, Site, State
from mtjlab.protocols.classify_defects import survey
from mtjlab.protocols.write_verify import WriteResult, WriteSettings, write_verify

SHAPE = (6, 6)


def random_target(seed: int) -> Ints:
    return np.random.default_rng(seed).integers(0, 2, SHAPE).astype(np.int8)


def with_cell(reference: ArrayMap, site: Site, status: CellStatus) -> ArrayMap:
    """The map, claiming that this cell is like a healthy one of this status."""
    ok = reference.status == CellStatus.OK
    p, ap, states = reference.siemens_p.copy(), reference.siemens_ap.copy(), reference.status.copy()
    p[site], ap[site], states[site] = np.median(p[ok]), np.median(ap[ok]), status
    return replace(reference, siemens_p=p, siemens_ap=ap, status=states)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("by_row", [False, True])
def test_good_cells_reach_their_targets(make_world: Any, seed: int, by_row: bool) -> None:
    world, crossbar = make_world(seed)
    _, known = survey(crossbar)
    before = crossbar.spent
    target = random_target(seed)
    result = write_verify(crossbar, target, known, settings=WriteSettings(by_row=by_row))
    assert (world.die.is_parallel.reshape(SHAPE) == target).all()
    assert (result.written.state == target).all()
    assert result.fidelity == 1.0
    assert result.unwritten == ()
    assert result.reason == "every writable cell is in its target state"
    assert result.cost == crossbar.spent - before
    assert result.unverified == ()
    sets = int((target == State.P).sum())
    assert 6 <= result.cost.pulses < sets if by_row else result.cost.pulses >= sets
    assert not world.is_live
    assert world.incidents == []


def test_a_bench_writes_too(bench: Any) -> None:
    simulated, make = bench
    crossbar = make()
    target = np.eye(4, dtype=np.int8)
    with crossbar:
        crossbar.start()
        _, known = survey(crossbar)
        result = write_verify(crossbar, target, known)
    assert (simulated.world.die.is_parallel.reshape(4, 4) == target).all()
    assert result.fidelity == 1.0
    assert simulated.world.incidents == []


def test_cells_that_do_not_matter_and_cells_in_place_get_no_pulse(make_world: Any, watched: Any) -> None:
    _, crossbar = make_world()
    _, known = survey(crossbar)
    target = np.full(SHAPE, State.UNKNOWN, dtype=np.int8)
    target[2, 3], target[4, 4] = State.P, State.AP
    spy = watched(crossbar)
    result = write_verify(spy, target, known)
    assert {int(np.argmax(np.abs(lines.row_volts))) for lines in spy.pulses} == {2}
    assert result.fidelity == 1.0
    assert np.array_equal(result.target, target)


def test_all_sets_come_before_all_resets(make_world: Any, watched: Any) -> None:
    _, crossbar = make_world(1)
    _, known = survey(crossbar)
    target = random_target(1)
    first = write_verify(crossbar, target, known)
    spy = watched(crossbar)
    assert write_verify(spy, 1 - target, first.written).mended == 0
    signs = [float(np.sign(lines.row_volts[np.argmax(np.abs(lines.row_volts))])) for lines in spy.pulses]
    assert set(signs) == {1.0, -1.0}
    assert signs == sorted(signs, reverse=True)


def test_nothing_to_write_costs_nothing(make_world: Any, watched: Any) -> None:
    _, crossbar = make_world()
    _, known = survey(crossbar)
    spy = watched(crossbar)
    result = write_verify(spy, np.full(SHAPE, State.UNKNOWN, dtype=np.int8), known)
    assert spy.transactions == 0
    assert result.fidelity == 1.0


@pytest.mark.parametrize("most_volts", [0.64, 0.84])
def test_no_pulse_goes_beyond_the_highest_amplitude(make_world: Any, watched: Any, most_volts: float) -> None:
    site = Site(1, 1)
    world, crossbar = make_world(3, defects=[{"row": 1, "col": 1, "kind": "stuck_ap"}])
    _, known = survey(crossbar)
    spy = watched(crossbar)
    settings = WriteSettings(most_volts=most_volts)
    result = write_verify(spy, random_target(3) | 1, with_cell(known, site, CellStatus.OK), settings=settings)
    amplitudes = [float(np.abs(lines.row_volts).max()) for lines in spy.pulses]
    assert max(amplitudes) == pytest.approx(most_volts)
    assert max(lines.largest_cell_volts for lines in spy.pulses) <= most_volts + 1e-12
    assert result.unwritten == (site,)
    assert world.incidents == []


@pytest.mark.parametrize(("kind", "wanted"), [("stuck_ap", State.P), ("stuck_p", State.AP)])
def test_a_stuck_cell_that_was_thought_healthy_is_given_up(make_world: Any, kind: str, wanted: State) -> None:
    site = Site(2, 4)
    _, crossbar = make_world(1, defects=[{"row": 2, "col": 4, "kind": kind}])
    _, known = survey(crossbar)
    target = np.full(SHAPE, wanted, dtype=np.int8)
    result = write_verify(crossbar, target, with_cell(known, site, CellStatus.OK))
    assert result.written.status[site] == CellStatus.UNWRITTEN
    assert result.reason == f"every other cell is in its target state; ({site.row}, {site.col}) could not be written"
    assert result.unwritten == (site,)
    assert result.written.state[site] == 1 - wanted
    assert result.fidelity == pytest.approx(35 / 36)


def test_known_defects_are_read_and_left_alone(make_world: Any, watched: Any) -> None:
    defects = [{"row": 0, "col": 0, "kind": "stuck_ap"}, {"row": 5, "col": 5, "kind": "open"}]
    _, crossbar = make_world(2, defects=defects)
    _, known = survey(crossbar)
    spy = watched(crossbar)
    target = np.ones(SHAPE, dtype=np.int8)
    result = write_verify(spy, target, known)
    pulsed = {(int(np.argmax(lines.row_volts)), int(np.argmin(lines.col_volts))) for lines in spy.pulses}
    assert not pulsed & {(0, 0), (5, 5)}
    assert result.written.status[0, 0] == CellStatus.STUCK_AP
    assert result.unwritten == ()
    assert result.written.siemens[5, 5] < 1e-6


@pytest.mark.parametrize(("kind", "right"), [("stuck_p", 36), ("open", 35)])
def test_a_known_defect_counts_as_right_only_if_it_is_stuck_in_its_target(
    make_world: Any, kind: str, right: int
) -> None:
    _, crossbar = make_world(2, defects=[{"row": 5, "col": 5, "kind": kind}])
    _, known = survey(crossbar)
    result = write_verify(crossbar, np.ones(SHAPE, dtype=np.int8), known)
    assert result.fidelity == pytest.approx(right / 36)


@pytest.mark.parametrize("seed", range(3))
def test_disturbed_neighbours_are_mended(make_world: Any, seed: int) -> None:
    world, crossbar = make_world(seed, delta=40.0)
    _, known = survey(crossbar)
    target = random_target(seed)
    result = write_verify(crossbar, target, known, settings=WriteSettings(by_row=False))
    assert result.mended > 0
    assert (world.die.is_parallel.reshape(SHAPE) == target).all()
    assert result.fidelity == 1.0


def test_without_passes_left_the_reason_says_which_cells_stay_disturbed(make_world: Any) -> None:
    _, crossbar = make_world(0, delta=27.0)
    _, known = survey(crossbar)
    result = write_verify(crossbar, random_target(0), known, settings=WriteSettings(passes=1))
    assert result.fidelity < 1.0
    assert "disturbed" in result.reason
    assert "1 rounds" in result.reason


def test_an_amplitude_beyond_the_limits_is_refused_before_any_pulse(make_world: Any, watched: Any) -> None:
    _, crossbar = make_world()
    _, known = survey(crossbar)
    limited = watched(make_world(limits=DeviceLimits(write_volts_positive=0.4))[1])
    kept: list[ArrayMap] = []
    with pytest.raises(LimitError, match=r"0\.44 V"):
        write_verify(limited, np.ones(SHAPE, dtype=np.int8), known, keep=kept.append)
    assert limited.pulses == []
    assert kept[0].is_partial


def test_no_polarity_is_tried_if_the_other_ones_amplitude_would_be_refused(make_world: Any, watched: Any) -> None:
    _, known = survey(make_world()[1])
    limited = watched(make_world(limits=DeviceLimits(write_volts_negative=0.5))[1])
    with pytest.raises(LimitError, match=r"-0\.56 V"):
        write_verify(limited, random_target(0), known)
    assert limited.transactions == 0


@pytest.mark.parametrize("name", ["target", "reference"])
def test_a_map_of_another_shape_is_refused(make_world: Any, watched: Any, name: str) -> None:
    _, known = survey(make_world()[1])
    spy = watched(make_world(rows=5)[1])
    target = np.ones((5, 6) if name == "reference" else SHAPE, dtype=np.int8)
    with pytest.raises(InputError, match=rf"a {name} of \(6, 6\) for an array of \(5, 6\)"):
        write_verify(spy, target, known)
    assert spy.transactions == 0


def test_retries_stop_at_the_devices_limit(make_world: Any, watched: Any) -> None:
    site = Site(0, 2)
    defects = [{"row": 0, "col": 2, "kind": "stuck_ap"}]
    _, crossbar = make_world(4, defects=defects)
    _, known = survey(crossbar)
    spy = watched(make_world(4, limits=DeviceLimits(write_volts_positive=0.6), defects=defects)[1])
    target = np.full(SHAPE, State.UNKNOWN, dtype=np.int8)
    target[site] = State.P
    result = write_verify(spy, target, with_cell(known, site, CellStatus.OK))
    assert result.unwritten == (site,)
    assert [float(lines.row_volts.max()) for lines in spy.pulses] == pytest.approx([0.44, 0.48, 0.52, 0.56, 0.60])


@pytest.mark.parametrize("transactions", [0, 10, 80, 100])
def test_an_interrupted_write_keeps_the_map_so_far(make_world: Any, watched: Any, transactions: int) -> None:
    _, crossbar = make_world()
    _, known = survey(crossbar)
    kept: list[ArrayMap] = []
    with pytest.raises(KeyboardInterrupt):
        write_verify(watched(crossbar, transactions), np.ones(SHAPE, dtype=np.int8), known, keep=kept.append)
    assert [array_map.is_partial for array_map in kept] == [True]
    expected = max(transactions - 72, 0)
    assert ((kept[0].state == State.P).sum() > 0) == (expected > 0)


def test_the_reference_is_left_alone(make_world: Any) -> None:
    _, crossbar = make_world()
    _, known = survey(crossbar)
    copies = [a.copy() for a in (known.siemens, known.state, known.status, known.siemens_p)]
    write_verify(crossbar, np.ones(SHAPE, dtype=np.int8), known)
    for now, before in zip((known.siemens, known.state, known.status, known.siemens_p), copies, strict=True):
        assert np.array_equal(now, before)


@given(
    st.floats(0.3, 0.6),
    st.floats(0.3, 0.6),
    st.floats(0.02, 0.2),
    st.floats(0.6, 0.9),
    st.sampled_from([State.P, State.AP]),
)
@hypothesis_settings(derandomize=True, database=None, deadline=None, max_examples=60)
def test_amplitudes_rise_by_equal_steps_to_the_highest(
    set_volts: float, reset_volts: float, step: float, most: float, state: State
) -> None:
    settings = WriteSettings(set_volts=set_volts, reset_volts=reset_volts, step_volts=step, most_volts=most)
    amplitudes = np.array(settings.amplitudes(state))
    assert (np.sign(amplitudes) == (1 if state == State.P else -1)).all()
    magnitudes = np.abs(amplitudes)
    assert magnitudes[0] == (set_volts if state == State.P else reset_volts)
    assert np.diff(magnitudes) == pytest.approx(step)
    assert most - step - 1e-6 < magnitudes[-1] <= most + 1e-6


def test_fidelity_counts_only_what_was_asked(make_world: Any) -> None:
    _, crossbar = make_world()
    _, known = survey(crossbar)
    target = np.full(SHAPE, State.UNKNOWN, dtype=np.int8)
    target[0, :4] = State.P
    written = replace(known, state=np.where(np.arange(36).reshape(SHAPE) < 3, 1, 0).astype(np.int8))
    assert WriteResult(written, target, (), 0, crossbar.spent, "").fidelity == 0.75
