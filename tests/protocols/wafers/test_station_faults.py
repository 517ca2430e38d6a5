"""Commands of a real prober's driver fail one by one, on a simulated station: nothing is dragged, why is recorded."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from mtjlab.ledger_rows import DieState
from mtjlab.prober import ErrorClass, ProberError
from mtjlab.protocols.probe_wafer_parts import Answer
from mtjlab.store import open_run

from .station_rig import DIE, MODELS, WORDS, MakeStationRig, StationRig, closed

MOVES = {
    "velox": ("MoveChuckContact", "MoveChuckSeparation", "StepNextDie", "ExecuteCleaningSequence", "BinMapDie"),
    "sentio": ("move_chuck_contact", "move_chuck_separation", "map:step_die", "aux:cleaning:start", "map:bins:set_bin"),
}
SETTINGS = ("Set", "set_", "enable_")


@cache
def undisturbed(kind: str) -> tuple[str, ...]:
    """All commands of a run in which nothing fails."""
    with TemporaryDirectory() as folder:
        rig = StationRig(Path(folder) / "rig", kind)
        assert rig.run().state == "complete"
        assert rig.station.card.touchdowns == 3 and rig.station.card.cleanings == 1
        assert rig.instrument.bins == {DIE: 1} and rig.incidents == []
        rig.close()
    return tuple(rig.heard)


def moves(kind: str) -> list[int]:
    """Numbers of the commands that move something."""
    return [number for number, name in enumerate(undisturbed(kind), 1) if name in MOVES[kind]]


def questions_of(kind: str) -> list[int]:
    """Numbers of the first and the last time that anything else is asked or set."""
    heard = undisturbed(kind)
    others = sorted(set(heard) - set(MOVES[kind]))
    return sorted(
        {heard.index(name) + 1 for name in others} | {len(heard) - heard[::-1].index(name) for name in others}
    )


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeStationRig]:
    made: list[StationRig] = []

    def build(kind: str, **given: Any) -> StationRig:
        made.append(StationRig(tmp_path / str(len(made)), kind, **given))
        return made[-1]

    yield build
    closed(made)
    for rig in made:
        assert rig.incidents == []
        assert rig.level == 0.0


def require_done(rig: StationRig) -> None:
    with open_run(rig.folder / "run") as run:
        (row,) = run.dies()
        assert (row.state, run.state, run.problems()) == (DieState.DONE, "complete", [])
        assert run.figures()[row.attempt or 0]["measure.figure"] == 1.0, "measured in contact, on the wafer"
    assert rig.prober.is_separated() and not rig.station.is_aside


def log(rig: StationRig, kind: str) -> list[str]:
    with open_run(rig.folder / "run") as run:
        return [event.text for event in run.events() if event.kind == kind]


def faults() -> list[Any]:
    return [(kind, acts) for kind in MODELS for acts in (False, True)]


@pytest.mark.parametrize(("kind", "acts"), faults())
def test_every_move_that_may_pass_is_tried_again(make: MakeStationRig, kind: str, acts: bool) -> None:
    for number in moves(kind):
        rig = make(kind, failing=number, error=ErrorClass.RETRY, acts=acts)
        assert rig.run().state == "complete" and rig.questions == []
        require_done(rig)
        assert [WORDS[ErrorClass.RETRY] in text for text in log(rig, "prober: retry")] == [True]
        assert log(rig, "prober: read back")


@pytest.mark.parametrize(("kind", "acts"), faults())
def test_every_move_that_needs_a_person_pauses_and_asks(make: MakeStationRig, kind: str, acts: bool) -> None:
    for number in moves(kind):
        rig = make(kind, failing=number, error=ErrorClass.OPERATOR, acts=acts, answers=[Answer.RETRY])
        assert rig.run().state == "complete"
        assert [WORDS[ErrorClass.OPERATOR] in question.reason for question in rig.questions] == [True]
        require_done(rig)


@pytest.mark.parametrize(("kind", "acts"), faults())
def test_after_a_move_that_is_fatal_nothing_moves(make: MakeStationRig, kind: str, acts: bool) -> None:
    for number in moves(kind):
        rig = make(kind, failing=number, error=ErrorClass.FATAL, acts=acts)
        with pytest.raises(ProberError, match=WORDS[ErrorClass.FATAL]):
            rig.run()
        assert [name for name in rig.heard[number:] if name in MOVES[kind] or name.startswith(SETTINGS)] == []
        with open_run(rig.folder / "run") as run:
            assert run.state == "failed" and WORDS[ErrorClass.FATAL] in run.reason


@pytest.mark.parametrize("kind", MODELS)
def test_silence_after_a_move_has_it_read_where_it_is_and_go_on(make: MakeStationRig, kind: str) -> None:
    for number in moves(kind):
        rig = make(kind, failing=number, error=None)
        assert rig.run().state == "complete" and rig.questions == []
        require_done(rig)
        assert any("did not answer" in text for text in log(rig, "prober: retry"))


@pytest.mark.parametrize("error", [ErrorClass.RETRY, ErrorClass.OPERATOR])
@pytest.mark.parametrize("kind", MODELS)
def test_whatever_is_asked_or_set_may_fail(make: MakeStationRig, kind: str, error: ErrorClass) -> None:
    for number in questions_of(kind):
        rig = make(kind, failing=number, error=error, answers=[Answer.RETRY])
        assert rig.run().state == "complete", undisturbed(kind)[number - 1]
        assert len(rig.questions) == (error is ErrorClass.OPERATOR)
        require_done(rig)


@pytest.mark.parametrize("reading", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", MODELS)
def test_an_instrument_that_fails_at_any_reading_costs_one_attempt_and_its_output_is_off_before_anything_moves(
    make: MakeStationRig, kind: str, reading: int
) -> None:
    rig = make(kind, failing_reading=reading)
    assert rig.run().state == "complete"
    require_done(rig)
    with open_run(rig.folder / "run") as run:
        reasons = [visit.reason for visit in run.attempts()]
    assert len(reasons) == 2 and "drive: no reply" in reasons[0]


@pytest.mark.parametrize("kind", MODELS)
def test_a_bin_that_a_person_leaves_out_does_not_undo_the_die(make: MakeStationRig, kind: str) -> None:
    number = undisturbed(kind).index(MOVES[kind][4]) + 1
    rig = make(kind, failing=number, error=ErrorClass.OPERATOR, answers=[Answer.SKIP])
    assert rig.run().state == "complete"
    require_done(rig)
    assert rig.instrument.bins == {}
    assert any("left out by a person" in text for text in log(rig, "prober: bin"))


@pytest.mark.parametrize("kind", MODELS)
def test_a_person_who_stops_at_the_cleaning_leaves_the_die_to_be_resumed(make: MakeStationRig, kind: str) -> None:
    number = undisturbed(kind).index(MOVES[kind][3]) + 1
    rig = make(kind, failing=number, error=ErrorClass.OPERATOR, acts=True, answers=[Answer.STOP])
    outcome = rig.run()
    assert outcome.state == "stopped" and WORDS[ErrorClass.OPERATOR] in outcome.reason and len(outcome.left) == 1
    assert rig.prober.is_separated()
    assert rig.run().state == "complete"
    require_done(rig)
