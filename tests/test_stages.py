"""Where the time of a run went."""

from __future__ import annotations

from mtjlab.nouns import Cost
from mtjlab.stages import Stages


def test_stages_have_what_was_spent_in_them_and_all_progress_is_passed_on() -> None:
    spent = [Cost()]
    heard: list[tuple[str, int, int]] = []
    stages = Stages(lambda: spent[0], lambda *step: heard.append(step))
    stages("reading", 0, 2)
    spent[0] = Cost(0, 10, 1.5)
    stages("reading", 1, 2)
    spent[0] = Cost(0, 20, 3.0)
    stages("writing", 0, 1)
    spent[0] = Cost(7, 25, 4.0004)
    finished = stages.close()
    assert [stage["name"] for stage in finished] == ["reading", "writing"]
    assert [(stage["readings"], stage["pulses"], stage["bench_seconds"]) for stage in finished] == [
        (20, 0, 3.0),
        (5, 7, 1.0),
    ]
    assert all(stage["wall_seconds"] >= 0 for stage in finished)
    assert heard == [("reading", 0, 2), ("reading", 1, 2), ("writing", 0, 1)]


def test_a_stage_that_comes_back_is_another_stage() -> None:
    stages = Stages(Cost, lambda what, done, total: None)
    for what in ("a", "b", "a"):
        stages(what, 0, 1)
    assert [stage["name"] for stage in stages.close()] == ["a", "b", "a"]


def test_closing_twice_adds_nothing_and_no_stage_is_none() -> None:
    stages = Stages(Cost, lambda what, done, total: None)
    assert stages.close() == []
    stages("a", 1, 1)
    assert len(stages.close()) == len(stages.close()) == 1
