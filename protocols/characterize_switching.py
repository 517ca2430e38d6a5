"""Switching probability of one cell by amplitude and width: on an even grid, or with pulses chosen to tell most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.errors import BudgetError, InputError, LimitError
from mtjlab.nouns import Progress, Site, State, unheard
from mtjlab.roles import Crossbar
from mtjlab.short_words import in_short

from .characterize_cell import Cell, Drive
from .characterize_next_pulse import Belief, Expected
from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped
from .characterize_switching_fit import DAMPING_SECONDS, PulseCounts, SwitchingFit, fit_switching

_TWO_SIDED_95 = 1.96


@dataclass(frozen=True, eq=False)
class Switching:
    """How a cell switches in one direction.

    Attributes:
        towards: the state that the pulses lead to.
        counts: outcomes per amplitude and width; amplitudes are those across the cell, as far as `reaching` is known.
        fit: Delta and V_c0 with their intervals; None if no fit is possible.
        doubts: readings that had to be repeated precisely.
        ending: cost, and why it ended.
    """

    __repr__ = in_short

    towards: State
    counts: PulseCounts
    fit: SwitchingFit | None
    doubts: int
    ending: Ending


def switching_on_grid(
    crossbar: Crossbar,
    site: Site,
    towards: State,
    volts: Sequence[float],
    seconds: Sequence[float],
    repeats: int,
    *,
    drive: Drive | None = None,
    reaching: float = 1.0,
    damping_seconds: float = DAMPING_SECONDS,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Switching], None] | None = None,
) -> Switching:
    """Give every combination of amplitude and width `repeats` times, from the state that the pulse leads out of.

    The whole grid is gone through once before it is begun again, so that one that is ended early has all of it.

    Args:
        towards: State.P for positive pulses, State.AP for negative ones.
        volts: amplitudes on the lines, magnitudes.
        seconds: widths.
        drive: how the cell is brought back and read.
        reaching: share of the amplitude that reaches the cell, see `characterize_wires_fit.reaching_share`.
        damping_seconds: t_d that the fit assumes.

    Raises InstrumentError if the cell does not switch, LimitError if a pulse is beyond the device's limits.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    grid = np.array([(v, s) for v in volts for s in seconds], dtype=np.float64).reshape(-1, 2)
    job = _Job(run, site, towards, drive or Drive(), reaching, damping_seconds)
    given, switched = np.zeros((2, len(grid)), dtype=np.int64)

    def act() -> str:
        job.begin()
        for number in range(repeats * len(grid)):
            progress("switching pulses", number, repeats * len(grid))
            kind = number % len(grid)
            switched[kind] += job.probe(float(grid[kind, 0]), float(grid[kind, 1]))
            given[kind] += 1
        progress("switching pulses", repeats * len(grid), repeats * len(grid))
        return f"all {len(grid)} kinds of pulses were given {repeats} times"

    def result(ending: Ending) -> Switching:
        tried = given > 0
        counts = PulseCounts(reaching * grid[tried, 0], grid[tried, 1], given[tried], switched[tried])
        return job.result(counts, ending)

    return run.conclude(act, result, keep)


def switching_adaptively(
    crossbar: Crossbar,
    site: Site,
    towards: State,
    volts: Sequence[float],
    seconds: Sequence[float],
    *,
    wanted_delta: float = 0.1,
    wanted_volts: float = 0.02,
    most_pulses: int = 1000,
    expected: Expected | None = None,
    drive: Drive | None = None,
    reaching: float = 1.0,
    damping_seconds: float = DAMPING_SECONDS,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Switching], None] | None = None,
) -> Switching:
    """Choose each pulse by what has been seen so far, until the intervals are as narrow as wanted.

    Candidates that the Crossbar refuses as beyond the device's limits are left out from then on.

    Args:
        volts: amplitudes to choose from, magnitudes; steps of about one percent lose nothing.
        seconds: widths to choose from.
        wanted_delta, wanted_volts: half widths of the 95 % intervals to reach, relative.
        most_pulses: it ends after so many, those that bring the cell back not counted.
        expected: ranges in which Delta and V_c0 must lie.

    Other arguments and errors as for `switching_on_grid`.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    job = _Job(run, site, towards, drive or Drive(), reaching, damping_seconds)
    belief = Belief(
        reaching * np.asarray(volts, float), np.asarray(seconds, float), expected or Expected(), damping_seconds
    )
    wanted = np.array([wanted_delta, wanted_volts]) / _TWO_SIDED_95

    def act() -> str:
        job.begin()
        for number in range(most_pulses):
            progress("switching pulses", number, most_pulses)
            job.ask(belief)
            if number >= 8 and (np.array(belief.relative_deviations) <= wanted).all():
                progress("switching pulses", most_pulses, most_pulses)
                return "the intervals are as narrow as wanted"
        progress("switching pulses", most_pulses, most_pulses)
        return f"{most_pulses} pulses were given"

    return run.conclude(act, lambda ending: job.result(belief.counts, ending), keep)


class _Job:
    def __init__(
        self, run: Run, site: Site, towards: State, drive: Drive, reaching: float, damping_seconds: float
    ) -> None:
        if towards not in (State.P, State.AP):
            raise InputError("pulses lead to P or to AP", remedy="Give State.P or State.AP")
        self._run, self._site, self._towards, self._drive = run, site, towards, drive
        self._reaching, self._damping_seconds = reaching, damping_seconds
        self._cell: Cell | None = None

    def begin(self) -> None:
        """Learn the cell's two states."""
        self._cell = Cell(self._run, self._site, self._drive)

    def probe(self, volts: float, seconds: float) -> bool:
        """Whether a pulse of this magnitude on the lines switches."""
        assert self._cell is not None
        return self._cell.probe(volts if self._towards == State.P else -volts, seconds)

    def ask(self, belief: Belief) -> None:
        """Try the pulse that tells most, or the next best if the Crossbar refuses it."""
        while True:
            number = belief.choose()
            volts, seconds = belief.pulse(number)
            try:
                has_switched = self.probe(volts / self._reaching, seconds)
            except BudgetError:
                raise
            except LimitError:
                belief.strike(number)
                continue
            belief.learn(number, has_switched=has_switched)
            return

    def result(self, counts: PulseCounts, ending: Ending) -> Switching:
        """With a fit, if there is something to fit."""
        is_mixed = 0 < counts.switched.sum() < counts.given.sum()
        fit = fit_switching(counts, self._damping_seconds) if is_mixed else None
        return Switching(self._towards, counts, fit, self._cell.doubts if self._cell else 0, ending)
