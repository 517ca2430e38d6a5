"""The steps of a recipe on a die in memory: what each finds agrees with the die, and a silent line ends it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter

from mtjlab.errors import InputError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import ArrayMap, CellStatus
from mtjlab.protocols.die_step_cells import chosen_cells, pattern
from mtjlab.protocols.die_steps import DieContext, StepOutcome, numbers_of, run_steps
from mtjlab.recipe_steps import AnyStep, Step
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar

NONE = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}


def step(**said: object) -> Step:
    made: Step = TypeAdapter(AnyStep).validate_python(said)
    return made


def world(**die: object) -> World:
    return World.from_description({"rows": 4, "cols": 5, "defect_rates": NONE, **die}, seed=1, line_hertz=50)


def context(on: World) -> tuple[DieContext, dict[str, ArrayMap]]:
    kept: dict[str, ArrayMap] = {}
    crossbar = WorldCrossbar(on, DeviceLimits(pulses_per_cell=10_000))
    return DieContext(crossbar, unit_siemens=9.6e-5, keep=kept.__setitem__), kept


def done(on: World, *steps: Step) -> tuple[list[StepOutcome], DieContext, dict[str, ArrayMap]]:
    shared, kept = context(on)
    return run_steps(steps, shared), shared, kept


def test_a_die_that_makes_contact_and_what_its_cells_conduct() -> None:
    on = world()
    outcomes, _, kept = done(on, step(step="contact"), step(step="read"))
    numbers = numbers_of(outcomes)
    assert numbers["contact.silent_lines"] == 0
    assert numbers["read.unread_cells"] == 0
    assert numbers["read.median_siemens"] == pytest.approx(np.median(kept["as_found"].siemens))
    assert numbers["read.least_siemens"] < numbers["read.median_siemens"] < numbers["read.most_siemens"]
    assert outcomes[1].cost.readings == 4 * 5 * 4
    assert outcomes[0].cost.pulses == outcomes[1].cost.pulses == 0


@pytest.mark.parametrize("stops", [True, False])
def test_a_silent_line_ends_the_die_unless_told_otherwise(stops: bool) -> None:
    on = world(defect_rates={**NONE, "open": 1.0})
    outcomes, _, _ = done(on, step(step="contact", stops=stops), step(step="read"))
    assert numbers_of(outcomes)["contact.silent_lines"] == 9
    assert "re-land the probes" in outcomes[0].found.reason
    assert len(outcomes) == (1 if stops else 2)


@pytest.mark.parametrize("how", ["quick", "thorough", "columns"])
def test_classified_then_written_then_read_back(how: str) -> None:
    on = world()
    outcomes, shared, kept = done(
        on,
        step(step="classify", how=how, **({"exposures": 1} if how == "thorough" else {})),
        step(step="write", pattern="checkerboard"),
        step(step="read", name="after"),
    )
    numbers = numbers_of(outcomes)
    assert numbers["classify.healthy_share"] == 1.0
    assert 0.5 < numbers["classify.tmr"] < 1.5
    assert numbers["classify.on_off_siemens"] == pytest.approx(kept["both_states"].on_off_siemens)
    assert numbers["write.fidelity"] == 1.0
    wanted = np.indices((4, 5)).sum(axis=0) % 2
    assert np.array_equal(kept["after_as_found"].state, wanted)
    assert shared.known is not None and np.array_equal(shared.known.state, wanted)


def test_columns_are_looked_at_as_often_as_asked() -> None:
    readings = [done(world(), step(step="classify", how="columns", repeats=n))[0][0].cost.readings for n in (1, 2)]
    assert 3 * 20 * 2 <= readings[0] < 3 * 20 * 2 + 20, "what looks odd is read again"
    assert readings[1] == 3 * 20 * 4


@pytest.mark.parametrize(
    ("how", "given", "said"),
    [
        ("quick", {"repeats": 3}, "the way 'quick' has no repeats"),
        ("columns", {"exposures": 3}, "the way 'columns' has no exposures"),
    ],
)
def test_a_field_that_the_chosen_way_does_not_heed_is_refused(how: str, given: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        step(step="classify", how=how, **given)


def test_a_map_of_an_earlier_run_serves_as_well(tmp_path: Path) -> None:
    _, first, kept = done(world(), step(step="classify", how="quick"))
    kept["both_states"].save(tmp_path / "m.npz")
    shared = DieContext(first.crossbar, beside=lambda name: tmp_path / name)
    outcomes = run_steps([step(step="write", pattern="all P", map="m.npz")], shared)
    assert numbers_of(outcomes)["write.fidelity"] == 1.0
    other = replace(shared, crossbar=WorldCrossbar(world(rows=3)))
    with pytest.raises(InputError, match=r"map of \(4, 5\) for an array of \(3, 5\)"):
        run_steps([step(step="write", map="m.npz")], other)


def test_single_cells_in_depth() -> None:
    measures = ["loop", "write_errors", "read_disturb"]
    deep = step(step="characterize", cells=[[0, 0], [2, 3]], measure=measures, writes=5, readings=10)
    outcomes, _, _ = done(world(), deep)
    numbers = numbers_of(outcomes)
    assert numbers["characterize.cells_measured"] == 2
    assert numbers["characterize.cells_refused"] == 0
    assert 0.2 < numbers["characterize.to_p_volts"] < 0.6
    assert -0.75 < numbers["characterize.to_ap_volts"] < -0.2
    assert 0 <= numbers["characterize.write_error_rate"] <= 1
    assert np.isnan(numbers["characterize.tmr0"])
    assert [cell["cell"] for cell in outcomes[0].found.details["cells"]] == [[0, 0], [2, 3]]


def test_a_cell_without_two_states_is_counted_and_left() -> None:
    stuck = world(defect_rates={**NONE, "stuck_p": 1.0})
    outcomes, _, _ = done(stuck, step(step="characterize", cells=[[1, 1]], measure=["read_disturb"], readings=5))
    numbers = numbers_of(outcomes)
    assert numbers["characterize.cells_refused"] == 1
    assert "does not show two states" in outcomes[0].found.details["cells"][0]["refused"]


def test_cells_are_spread_over_healthy_ones() -> None:
    assert chosen_cells([(1, 2)], (4, 5), None) == [(1, 2)]
    free = chosen_cells(3, (9, 9), None)
    assert len(set(free)) == 3
    assert free[0][0] < 4 < free[2][0]
    shared, kept = context(world())
    run_steps([step(step="classify", how="quick")], shared)
    known = kept["both_states"]
    status = np.full(known.shape, CellStatus.STUCK_P, dtype=np.int8)
    status[2, 2:4] = CellStatus.OK
    assert set(chosen_cells(2, (4, 5), replace(known, status=status))) <= {(2, 2), (2, 3)}


def test_patterns_by_name_and_from_files(tmp_path: Path) -> None:
    shape = (2, 3)
    assert pattern("rows", shape, 0, Path).tolist() == [[0, 0, 0], [1, 1, 1]]
    assert pattern("all P", shape, 0, Path).sum() == 6
    assert np.array_equal(pattern("random", shape, 7, Path), pattern("random", shape, 7, Path))
    np.save(tmp_path / "p.npy", np.array([[0, 1, -1], [1, 0, -1]]))
    (tmp_path / "p.csv").write_text("0,1,-1\n1,0,-1\n")
    for name in ("p.npy", "p.csv"):
        assert pattern(name, shape, 0, lambda one: tmp_path / one).tolist() == [[0, 1, -1], [1, 0, -1]]
    (tmp_path / "p.csv").write_text("0,1\n1,2\n")
    for name in ("p.csv", "none.csv"):
        with pytest.raises(InputError, match="is no pattern"):
            pattern(name, shape, 0, lambda one: tmp_path / one)


def test_a_step_that_needs_a_bench_says_so_without_one() -> None:
    with pytest.raises(InputError, match="this step needs a bench"):
        run_steps([step(step="read")], DieContext(None))
