"""Endurance: write a cell to and fro, and look at both states after 1, 2, 5, 10, 20, 50 ... cycles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import Progress, Site, State, unheard
from mtjlab.roles import Crossbar

from .characterize_cell import Cell, Drive
from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped

_TRIES = 3


@dataclass(frozen=True)
class Check:
    """Both conductances after so many cycles, siemens."""

    cycles: int
    siemens_p: float
    siemens_ap: float

    @property
    def tmr(self) -> float:
        """(G_P - G_AP) / G_AP."""
        return self.siemens_p / self.siemens_ap - 1


@dataclass(frozen=True)
class Endurance:
    """Checks in the order of the cycles.

    Attributes:
        checks: the first one before any cycle.
        cycles: how many were given in all, those after the last check included.
        is_worn: whether the last check found the cell worn out.
        ending: cost, and why it ended.
    """

    checks: tuple[Check, ...]
    cycles: int
    is_worn: bool
    ending: Ending


def check_points(most: int) -> list[int]:
    """1, 2, 5, 10, 20, 50 ... up to and including `most`."""
    points = [step * 10**decade for decade in range(len(str(max(most, 1)))) for step in (1, 2, 5)]
    return sorted({p for p in points if p < most} | {most})


def endurance(
    crossbar: Crossbar,
    site: Site,
    most_cycles: int,
    *,
    drive: Drive | None = None,
    least_tmr_share: float = 0.5,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Endurance], None] | None = None,
) -> Endurance:
    """Cycle one cell until it is worn out or `most_cycles` are over.

    A cycle is a set and a reset pulse; nothing is read between checks. The pulses that a cell may get in one run
    (device limits) end it too. Half-selected cells get as many pulses of half the voltage.

    Args:
        drive: pulses of the cycles, and how both states are read.
        least_tmr_share: the cell counts as worn out when its TMR is below this share of the first.

    Raises InstrumentError if the cell does not switch to begin with.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    used, checks, done = drive or Drive(), list[Check](), [0]

    def act() -> str:
        cell = Cell(run, site, used)
        checks.append(Check(0, cell.levels.siemens_p, cell.levels.siemens_ap))
        for point in check_points(most_cycles):
            while done[0] < point:
                run.progress("cycles", done[0], most_cycles)
                for pulse in (used.set_pulse, used.reset_pulse):
                    run.pulse(site, pulse.volts, pulse.seconds)
                done[0] += 1
            checks.append(_check(cell, done[0], least_tmr_share * checks[0].tmr))
            if _is_worn(checks, least_tmr_share):
                return f"the cell is worn out after {done[0]} cycles"
        run.progress("cycles", most_cycles, most_cycles)
        return f"{most_cycles} cycles were given"

    def result(ending: Ending) -> Endurance:
        return Endurance(tuple(checks), done[0], len(checks) > 1 and _is_worn(checks, least_tmr_share), ending)

    return run.conclude(act, result, keep)


def _check(cell: Cell, cycles: int, least_tmr: float) -> Check:
    """Both states; once more if they are too near to each other, which a write error makes as well."""
    found = [np.nan, np.nan]
    for _ in range(_TRIES):
        for place, state in enumerate((State.P, State.AP)):
            pulse = cell.drive.towards(state)
            cell.run.pulse(cell.site, pulse.volts, pulse.seconds)
            found[place] = cell.siemens()
        if Check(cycles, *found).tmr >= least_tmr:
            break
    return Check(cycles, *found)


def _is_worn(checks: list[Check], least_share: float) -> bool:
    return not checks[-1].tmr >= least_share * checks[0].tmr
