"""A write ends before any transaction, on request or for its budget: nothing is on, and what is known is returned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Ints
from mtjlab.protocols.characterize_run import Budget
from mtjlab.protocols.readout import nearest_state
from mtjlab.protocols.write_settings import WriteSettings
from mtjlab.protocols.write_verify import WriteResult, write_verify

SHAPE = (4, 4)


def known_of(world: Any) -> ArrayMap:
    die = world.die
    p, ap = (np.reshape(g, SHAPE) for g in (die.siemens_p, die.siemens_p / (1 + die.tmr)))
    status, blank = np.full(SHAPE, CellStatus.OK, dtype=np.int8), np.full(SHAPE, np.nan)
    state = np.full(SHAPE, -1, dtype=np.int8)
    return ArrayMap(blank, p, ap, state, status, np.full(SHAPE, 1e-7), Conditions(0.1))


def true_state(world: Any) -> Ints:
    return np.asarray(world.die.is_parallel.reshape(SHAPE), dtype=np.int8)


def check_what_is_known(world: Any, result: WriteResult, known: ArrayMap) -> None:
    """Each cell is as the map says, or it is unread, or the result names it as one that may have changed."""
    is_known = ~np.isnan(result.written.siemens)
    for site in result.unverified:
        is_known[site] = False
    assert (result.written.state == true_state(world))[is_known].all()
    told = nearest_state(result.written.siemens, replace(known, siemens=result.written.siemens))
    assert np.array_equal(result.written.state, told)


@given(st.integers(0, 90), st.booleans(), st.sampled_from([0, 2]))
@hypothesis_settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_it_can_be_stopped_before_every_transaction(
    make_world: Any, watched: Any, after: int, by_row: bool, searched: int
) -> None:
    world, crossbar = make_world(1, rows=4, cols=4)
    known, spy, kept = known_of(world), watched(crossbar), list[ArrayMap]()
    target = 1 - true_state(world)
    asked = 0

    def is_stopped() -> bool:
        nonlocal asked
        asked += 1
        return asked > after

    result = write_verify(
        spy,
        target,
        known,
        settings=WriteSettings(by_row=by_row, searched_cells=searched),
        is_stopped=is_stopped,
        keep=kept.append,
    )
    was_stopped = asked > after
    assert result.written.is_partial == was_stopped
    assert (result.reason == "stopped on request") == was_stopped
    assert spy.transactions <= after
    assert kept == [result.written]
    assert not world.is_live
    check_what_is_known(world, result, known)
    if not was_stopped:
        assert (true_state(world) == target).all()


@pytest.mark.parametrize("most", [0, 1, 5, 12])
@pytest.mark.parametrize("by_row", [False, True])
def test_no_more_pulses_are_given_than_the_budget_has(make_world: Any, most: int, by_row: bool) -> None:
    world, crossbar = make_world(1, rows=4, cols=4)
    known, target = known_of(world), 1 - true_state(world)
    result = write_verify(crossbar, target, known, settings=WriteSettings(by_row=by_row), budget=Budget(pulses=most))
    if result.written.is_partial:
        assert result.cost.pulses == most
        assert result.reason == f"its budget of {most} pulses is spent"
    else:
        assert by_row
        assert result.cost.pulses <= most
    assert result.fidelity < 1.0 or not result.written.is_partial
    assert not world.is_live
    check_what_is_known(world, result, known)


@pytest.mark.parametrize(("what", "part"), [("joules", 0.5), ("seconds", 0.7)])
def test_energy_and_time_end_a_write(make_world: Any, what: str, part: float) -> None:
    world, crossbar = make_world(1, rows=4, cols=4)
    known, target = known_of(world), 1 - true_state(world)
    settings = WriteSettings(by_row=False)
    whole = write_verify(crossbar, target, known, settings=settings)
    spent = whole.joules if what == "joules" else whole.cost.bench_seconds
    world, crossbar = make_world(1, rows=4, cols=4)
    most = part * spent
    result = write_verify(crossbar, target, known, settings=settings, budget=Budget(**{what: most}))
    assert result.written.is_partial
    assert what in result.reason
    assert result.joules <= most if what == "joules" else result.cost.bench_seconds <= most + 10e-3
    assert 0 < result.cost.pulses < whole.cost.pulses
    check_what_is_known(world, result, known)


def test_a_cell_that_has_had_all_its_pulses_is_marked_and_the_others_are_written(make_world: Any) -> None:
    from mtjlab.limits import DeviceLimits

    world, crossbar = make_world(1, DeviceLimits(pulses_per_cell=3), rows=4, cols=4)
    known, target = known_of(world), np.full(SHAPE, -1, dtype=np.int8)
    world.die.kind[5] = 4  # stuck in AP, and nobody knows
    world.die.is_parallel[5] = False
    world.die._note_kinds()
    world.circuit.cell_changed(5)
    target[1] = 1
    result = write_verify(crossbar, target, known, settings=WriteSettings(by_row=False))
    assert result.unwritten == ((1, 1),)
    assert result.written.status[1, 1] == CellStatus.UNWRITTEN
    assert (true_state(world)[1, [0, 2, 3]] == 1).all()
    assert not result.written.is_partial
