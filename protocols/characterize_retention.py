"""Retention: write cells, leave them alone, count those that were lost; under a stress where they keep too well."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mtjlab.errors import InputError
from mtjlab.nouns import Progress, Site, State, unheard
from mtjlab.roles import Crossbar

from .characterize_cell import Cell, Drive
from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped

_ROUNDS = 5


@dataclass(frozen=True)
class Wait:
    """One wait.

    Attributes:
        seconds: bench time it lasted.
        sites: cells that were in the state before it.
        lost: those of them that were not any more after it.
    """

    seconds: float
    sites: tuple[Site, ...]
    lost: tuple[Site, ...]


@dataclass(frozen=True)
class Retention:
    """Losses after each wait that was done; `characterize_retention_fit` makes rates of them."""

    state: State
    waits: tuple[Wait, ...]
    ending: Ending


def retention(
    crossbar: Crossbar,
    sites: Sequence[Site],
    state: State,
    seconds: Sequence[float],
    *,
    drive: Drive | None = None,
    wait: Callable[[float], object] = time.sleep,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Retention], None] | None = None,
) -> Retention:
    """Bring all cells into a state, verify it, wait with all outputs off, and read them, for each wait.

    For temperatures or opposing fields, call it inside `characterize_conditions.at_each`, or set the stress in `wait`.

    Args:
        seconds: how long each wait is.
        wait: lets so many seconds pass; it should return early once the measurement is stopped.

    Raises InstrumentError if a cell does not switch.
    """
    if not sites or state not in (State.P, State.AP):
        raise InputError("retention needs cells and the state they keep", remedy="Give sites, and State.P or State.AP")
    run = Run(crossbar, budget, is_stopped, progress)
    found: list[Wait] = []

    def act() -> str:
        cells = [Cell(run, site, drive or Drive()) for site in sites]
        for number, pause in enumerate(seconds):
            progress("waits", number, len(seconds))
            found.append(_waited(run, cells, state, pause, wait))
        progress("waits", len(seconds), len(seconds))
        return "all waits are over"

    return run.conclude(act, lambda ending: Retention(state, tuple(found), ending), keep)


def _waited(run: Run, cells: Sequence[Cell], state: State, seconds: float, wait: Callable[[float], object]) -> Wait:
    for _ in range(_ROUNDS):  # writing one cell half-selects others
        for cell in cells:
            cell.bring(state)
        if all(cell.look() == state for cell in cells):
            break
    there = [cell for cell in cells if cell.state == state]
    run.check()
    run.crossbar.idle()
    began = run.crossbar.spent.bench_seconds
    wait(seconds)
    lasted = run.crossbar.spent.bench_seconds - began
    run.check()
    lost = tuple(cell.site for cell in there if cell.look() != state)
    return Wait(lasted, tuple(cell.site for cell in there), lost)
