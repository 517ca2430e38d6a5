"""Chips of a simulated wafer under a real prober's driver: what the probes touch is what the board sees, also ahead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab import cli_simulated_wafers
from mtjlab.bins import TestLimit
from mtjlab.cli_simulated_chips import ChipBench, packaged_wafer
from mtjlab.cli_simulated_stations import StationStage, sim_stage
from mtjlab.cli_simulated_wafers import ChipsAhead, ChipsInTurn, ChipsUnderProber
from mtjlab.errors import InputError
from mtjlab.ledger_rows import DieState
from mtjlab.nouns import DieId, Line
from mtjlab.protocols import probe_wafer_parts
from mtjlab.protocols.probe_wafer import probe_wafer
from mtjlab.protocols.probe_wafer_parts import (
    CONTACT,
    BinRules,
    ContactRules,
    Step,
    StepResult,
    Visit,
    WaferSettings,
    check_lines,
)
from mtjlab.protocols.probe_wafer_steps import CONTACT_UNITS, wafer_plan
from mtjlab.protocols.readout import readout, silent_lines
from mtjlab.provenance import Provenance
from mtjlab.records import RunStore
from mtjlab.sim_instruments.prober_spec import StationSpec
from mtjlab.store import open_run

UM = 35.0
TURNED: dict[str, Any] = {"axes": "DL", "shift": (10, 20), "home": (10, 20), "misalignment_um": (60.0, 0.0)}
SPOILT = {"dirty_rate": 0.006, "open_share": 1.0, "dirty_factor": 1.0}
"""One touch-down in four leaves a line of the chip without contact."""
MakeStage = Callable[..., Any]


@pytest.fixture(scope="module")
def chips() -> ChipBench:
    return ChipBench(packaged_wafer(), seed=3)


@pytest.fixture
def stage(tmp_path: Path, chips: ChipBench) -> Any:
    opened: list[StationStage] = []

    def make(kind: Any = "velox", folder: Path = tmp_path, **station: Any) -> tuple[Any, ChipsUnderProber]:
        folder.mkdir(exist_ok=True)
        under = ChipsUnderProber(chips)
        made = sim_stage(folder, kind, under, StationSpec(**(TURNED | station)), UM * 1e-6)
        opened.append(made)  # type: ignore[arg-type]
        made.align()
        made.prober.prepare(overtravel_limit_metres=80e-6)
        made.prober.set_overtravel(UM * 1e-6)
        return made, under

    yield make
    for one in opened:
        one.__exit__()


@pytest.mark.parametrize("kind", ["velox", "sentio"])
def test_the_chip_in_contact_is_the_one_under_the_probes(stage: MakeStage, chips: ChipBench, kind: str) -> None:
    made, under = stage(kind)
    turn = ChipsInTurn(under, made.place_of, made.seconds)
    dies = made.prober.wafer_map()
    die = dies.die_id(dies.dies[5])
    place = made.place_of(die)
    assert place[:2] != (die.x, die.y), "the prober counts in another way than the wafer's description"
    made.prober.to_die(die.x, die.y)
    with pytest.raises(InputError, match="not in contact"):
        turn.arrays(die)
    made.prober.contact()
    first = turn.arrays(die)[0][1]()
    siemens, truth = readout(first).siemens, chips.chip(place[0], place[1]).kernels[0].die.siemens()
    assert np.corrcoef(siemens.ravel(), truth.ravel())[0, 1] > 0.95
    other = chips.chip(place[1], place[0]).kernels[0].die.siemens()
    assert np.corrcoef(siemens.ravel(), other.ravel())[0, 1] < 0.3
    with pytest.raises(InputError, match="not in contact"):
        turn.arrays(dies.die_id(dies.dies[6]))
    made.prober.separate()
    with pytest.raises(InputError, match="not in contact"):
        turn.arrays(die)
    assert made.incidents == [] == under.incidents


def test_a_wafer_that_was_not_aligned_makes_no_contact(stage: MakeStage) -> None:
    made, under = stage()
    made.station.off_um = np.array([60.0, 0.0])
    turn = ChipsInTurn(under, made.place_of, made.seconds)
    die = DieId("cmos20k", 10, 20)
    made.prober.to_die(10, 20)
    made.prober.contact()
    assert len(check_lines(Visit(die, turn.arrays(die))).silent) > 40


def test_edge_dies_are_not_on_the_prober_s_map_and_lack_half_of_their_pads(stage: MakeStage) -> None:
    made, under = stage(diameter_mm=50.0)
    selected = {(die.x, die.y) for die in made.prober.wafer_map().dies}
    edge = [die for die in made.station.wafer_map.dies if (die.x, die.y) not in selected]
    assert len(selected) + len(edge) == 36 and edge
    die = DieId("cmos20k", edge[0].x, edge[0].y)
    made.prober.to_die(die.x, die.y)
    made.prober.contact()
    assert under.factors is not None and np.isinf(under.factors).sum() == 25
    silent = check_lines(Visit(die, ChipsInTurn(under, made.place_of, made.seconds).arrays(die))).silent
    assert len(silent) == 50, "no column, and so no cell"


def test_every_lost_probe_is_found_and_named(stage: MakeStage) -> None:
    made, under = stage()
    turn = ChipsInTurn(under, made.place_of, made.seconds)
    die = DieId("cmos20k", 10, 20)
    made.prober.to_die(10, 20)
    made.prober.contact()
    for lost in (0, 16, 24, 25, 41, 49):
        factors = np.ones(50)
        factors[lost] = np.inf
        under.touch(factors)
        silent = check_lines(Visit(die, turn.arrays(die))).silent
        assert [(line.axis, line.number) for line in silent] == [("row", lost) if lost < 25 else ("col", lost - 25)]


def test_a_line_that_is_broken_in_one_kernel_has_its_probe_down(
    stage: MakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, under = stage()
    turn = ChipsInTurn(under, made.place_of, made.seconds)
    die = DieId("cmos20k", 10, 20)
    made.prober.to_die(10, 20)
    made.prober.contact()
    factors = np.ones(50)
    factors[3] = np.inf
    under.touch(factors)
    looked_at: list[int] = []

    def looked(*given: Any) -> list[Line]:
        looked_at.append(len(looked_at))
        return [*silent_lines(*given), *([Line("row", 7)] if len(looked_at) == 1 else [])]  # broken in the first

    monkeypatch.setattr(probe_wafer_parts, "silent_lines", looked)
    found = check_lines(Visit(die, turn.arrays(die)))
    assert found.silent == (Line("row", 3),) and found.lines == 50
    assert len(looked_at) == 3
    under.touch(np.ones(50))
    looked_at.clear()
    assert check_lines(Visit(die, turn.arrays(die))).silent == ()
    assert len(looked_at) == 2


def first_kernel(settings: Any, name: str = "survey") -> Step:
    """Instead of a survey of 32 kernels: the conductance of one row of the first."""

    def run(visit: Visit) -> StepResult:
        board = visit.arrays[0][1]()
        return StepResult(scalars={"row_siemens": float(np.mean(readout(board).siemens[0])), "bench_seconds": 1.0})

    return Step(name, run)


def probed(folder: Path, made: Any, chips: ChipsInTurn, dies: list[tuple[int, int]]) -> None:
    units = {CONTACT: CONTACT_UNITS, "survey": {"row_siemens": "S", "bench_seconds": "s"}}
    bins = BinRules((TestLimit("survey.row_siemens", 1e-6, None, 2, 20, "nothing there"),))
    plan = wafer_plan(made.prober.wafer_map(), units, bins, only=dies)
    contact = chips.rules(ContactRules(tries=2, cleans=True, most_silent_lines=0))
    settings = WaferSettings(bins=bins, contact=contact, overtravel_metres=UM * 1e-6, writes_bins=True)
    store = RunStore.open(folder) if folder.exists() else RunStore.create(folder, plan, Provenance())
    probe_wafer(made.prober, chips.bench(), chips.steps(), store, settings)


def outcome(folder: Path) -> dict[Any, Any]:
    with open_run(folder) as run:
        assert run.problems() == []
        figures = run.figures()
        return {
            (row.die.x, row.die.y): (row.state, row.hard_bin, row.touchdowns, figures.get(row.attempt or 0))
            for row in run.dies()
        }


def seconds_of(folder: Path) -> list[float]:
    with open_run(folder) as run:
        return [visit.bench_seconds or 0.0 for visit in run.attempts()]


@pytest.mark.parametrize("kind", ["velox", "sentio"])
def test_bad_touch_downs_are_found_and_mended_and_chips_ahead_give_the_same(
    stage: MakeStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(cli_simulated_wafers, "survey_step", first_kernel)
    made, under = stage(kind, tmp_path / "a", card=SPOILT)
    dies = [(die.x, die.y) for die in made.prober.wafer_map().route("rows_serpentine")[:6]]
    probed(tmp_path / "in turn", made, ChipsInTurn(under, made.place_of, made.seconds), dies)
    prober, instrument = made.prober, made._bench.by_name["prober"]
    found = outcome(tmp_path / "in turn")
    assert prober.touchdowns > len(dies), "some touch-downs were bad"
    assert {state for state, *_ in found.values()} == {DieState.DONE}, "re-probing and cleaning have mended them"
    with open_run(tmp_path / "in turn") as run:
        reprobed = [event.text for event in run.events() if event.kind == "contact"]
    assert all("of 50 lines are silent: " in text or "probes cleaned" in text for text in reprobed)
    assert instrument.bins == {place: hard for place, (_, hard, _, _) in found.items()}
    assert prober.touchdowns == made.station.card.touchdowns
    assert made.incidents == []
    made.prober.close()

    again, under = stage(kind, tmp_path / "b", card=SPOILT)
    ids = [DieId("cmos20k", *place) for place in dies]
    ahead = ChipsAhead(under, again.place_of, again.seconds, again.foretell, ids, 1, most_silent_lines=0)
    probed(tmp_path / "ahead", again, ahead, dies)
    assert outcome(tmp_path / "ahead") == found
    assert seconds_of(tmp_path / "ahead") == pytest.approx(seconds_of(tmp_path / "in turn"), rel=1e-5)
    assert again.incidents == []


def test_a_resumed_run_finds_the_station_as_it_was(
    stage: MakeStage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_simulated_wafers, "survey_step", first_kernel)
    whole, under = stage("velox", tmp_path / "a", card=SPOILT)
    dies = [(die.x, die.y) for die in whole.prober.wafer_map().route("rows_serpentine")[:4]]
    probed(tmp_path / "whole", whole, ChipsInTurn(under, whole.place_of, whole.seconds), dies)
    card = whole.station.card
    whole.prober.close()

    parts, under = stage("velox", tmp_path / "b", card=SPOILT)
    done: list[int] = []

    def crash(*given: Any) -> Any:
        done.append(1)
        if len(done) == 3:
            raise KeyboardInterrupt
        return step(*given)

    step = parts.prober._step_to
    parts.prober._step_to = crash
    with pytest.raises(KeyboardInterrupt):
        probed(tmp_path / "parts", parts, ChipsInTurn(under, parts.place_of, parts.seconds), dies)
    before = dict(parts.station.card.marks)
    parts.__exit__()
    journal = tmp_path / "b" / "station.jsonl"
    journal.write_text(journal.read_text() + '["touched", 1')  # cut short by a kill

    resumed, under = stage("velox", tmp_path / "b", card=SPOILT)
    assert dict(resumed.station.card.marks) == before
    assert resumed.station.alignments == 1
    probed(tmp_path / "parts", resumed, ChipsInTurn(under, resumed.place_of, resumed.seconds), dies)
    assert outcome(tmp_path / "parts") == outcome(tmp_path / "whole")
    found = resumed.station.card
    assert (found.touchdowns, found.since_cleaning, found.marks) == (card.touchdowns, card.since_cleaning, card.marks)


def test_a_journal_that_is_none_is_refused(stage: MakeStage, tmp_path: Path) -> None:
    (tmp_path / "station.jsonl").write_text('["touched", 1, 2, 0]\n["sold"]\n', encoding="utf-8")
    with pytest.raises(InputError, match="no line of a simulated station's journal") as caught:
        stage()
    assert "line 2" in caught.value.where


def test_what_was_simulated_of_another_touch_down_does_not_count(stage: MakeStage, chips: ChipBench) -> None:
    made, under = stage()
    die = DieId("cmos20k", 10, 20)
    made.prober.to_die(10, 20)
    made.prober.contact()
    ahead = ChipsAhead(under, made.place_of, made.seconds, lambda die, after: np.full(50, np.inf), [die], 1)
    check = ahead.rules(ContactRules()).check
    assert check is not None and check(Visit(die, ())).silent == ()
