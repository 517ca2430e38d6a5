"""A rehearsal that runs some of the samples reckons what the others take, and nothing else."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
import pytest

from mtjlab.cli_dry_run import announcement
from mtjlab.cli_recipe import recipe_path
from mtjlab.cli_rehearsal_cost import Reckoner, Spent
from mtjlab.engine.datasets import LabelledData
from mtjlab.nouns import Cost
from mtjlab.protocols.die_step_networks import _to_run
from mtjlab.protocols.die_steps import DieContext
from mtjlab.recipe import load_recipe


class Bench:
    """Spends what it is told."""

    def __init__(self) -> None:
        self.crossbar = types.SimpleNamespace(spent=Cost())
        self.sent = (0, 0)

    def messages(self) -> tuple[int, int]:
        return self.sent

    def spend(self, readings: int, seconds: float, messages: int) -> None:
        self.crossbar.spent += Cost(0, readings, seconds)
        self.sent = (self.sent[0] + messages, self.sent[1])


def test_stages_with_samples_are_scaled_and_the_others_are_not() -> None:
    bench: Any = Bench()
    reckoner = Reckoner(bench)
    bench.spend(100, 10.0, 400)  # what was before the first stage
    for what, readings in (
        ("infer: layer 1: writing", 50),
        ("infer: running layer 1", 10),
        ("infer: running layer 1", 30),
        ("infer: running layer 2, tuned", 20),
        ("infer: layer 2: writing", 70),
    ):
        reckoner.hear(what, 0.25)
        bench.spend(readings, readings / 10, 2 * readings)
    more = reckoner.step_is_over(0.25)
    assert (more.readings, more.messages) == (3 * 60, 3 * 120)
    assert more.bench_seconds == pytest.approx(3 * 6.0)
    reckoner.hear("infer: running layer 1", 1.0)
    bench.spend(40, 4.0, 80)
    assert reckoner.step_is_over(1.0) == Spent(0.0, 0.0, 0.0), "all samples were run"


def test_the_samples_of_a_rehearsal_are_spread_over_all() -> None:
    data = LabelledData(
        np.zeros((178, 13)), np.zeros(178, dtype=np.int64), np.arange(4), np.arange(4, 8), ("a",), ("b",)
    )
    context = DieContext(None, most_samples=24)
    chosen = _to_run(data, context).on_array
    assert chosen.size == 24 == np.unique(chosen).size and (chosen[0], chosen[-1]) == (0, 177)
    assert context.samples_share == 24 / 178
    assert _to_run(data, DieContext(None)).on_array.size == 178
    few = DieContext(None, most_samples=500)
    assert _to_run(data, few) is data and few.samples_share == 1.0


def test_a_rehearsal_is_announced_where_there_is_one() -> None:
    def of(name: str) -> str:
        return announcement(load_recipe(recipe_path(name)))

    said = of("write-and-run-network")
    assert "4 steps on the die, on simulated instruments: nothing is driven" in said and "'infer' may take" in said
    assert "may take" not in of("read-die")
    assert "on one die" in of("probe-wafer")
    assert of("reproduce-a") == ""
