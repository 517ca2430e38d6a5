"""Read disturb: how often a cell leaves its state while it is read, per reading and per second."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mtjlab.nouns import Progress, Site, State, unheard
from mtjlab.roles import Crossbar

from .characterize_cell import Cell, Drive
from .characterize_estimates import CONFIDENCE, Estimate, share_of
from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped


@dataclass(frozen=True)
class DisturbCount:
    """Readings at one bias in one state.

    Attributes:
        state, volts: the state that was held and the bias of the readings.
        readings: how many, each told by the state it found.
        seconds: bench time that they took.
        disturbs: how many of them found the cell in the other state.
    """

    state: State
    volts: float
    readings: int
    seconds: float
    disturbs: int

    def per_reading(self, confidence: float = CONFIDENCE) -> Estimate:
        """Probability of a disturb per reading; without any, an upper limit."""
        return share_of(self.disturbs, self.readings, confidence)

    def per_second(self, confidence: float = CONFIDENCE) -> Estimate:
        """Rate under the read bias, 1/s: readings that are as long as the dwell time or longer are allowed for."""
        if not self.readings:
            return Estimate(float("nan"), 0.0, float("inf"))
        share, each = self.per_reading(confidence), self.seconds / self.readings
        with np.errstate(divide="ignore"):
            return Estimate(*(-np.log1p(-np.array([share.value, share.low, share.high])) / each).tolist())


@dataclass(frozen=True)
class ReadDisturb:
    """Disturbs at each bias, and how the measurement ended."""

    counts: tuple[DisturbCount, ...]
    ending: Ending


def read_disturb(
    crossbar: Crossbar,
    site: Site,
    volts: Sequence[float],
    states: Sequence[State] = (State.P, State.AP),
    *,
    readings: int = 1000,
    drive: Drive | None = None,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[ReadDisturb], None] | None = None,
) -> ReadDisturb:
    """Read a cell again and again; every reading is the exposure and tells the state.

    A positive bias disturbs AP, a negative one P. A cell that has left its state is brought back and goes on.

    Args:
        volts: read biases, either sign, within the device's read limit; the current at 0 V is taken once for each.
        states: which states are held.
        readings: at each bias and in each state.

    Raises InstrumentError if the cell does not switch, LimitError if a bias is beyond the read limit.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    kinds = [(state, bias) for bias in volts for state in states]
    counts = [DisturbCount(state, bias, 0, 0.0, 0) for state, bias in kinds]
    used = drive or Drive()

    def act() -> str:
        for kind, (state, bias) in enumerate(kinds):
            cell = Cell(run, site, replace(used, read_volts=bias))
            for number in range(readings):
                run.progress("disturbing reads", kind * readings + number, len(kinds) * readings)
                counts[kind] = _read_once(cell, state, counts[kind])
        run.progress("disturbing reads", len(kinds) * readings, len(kinds) * readings)
        return f"all {len(kinds)} kinds of readings were taken {readings} times"

    return run.conclude(act, lambda ending: ReadDisturb(tuple(counts), ending), keep)


def _read_once(cell: Cell, state: State, so_far: DisturbCount) -> DisturbCount:
    """One more reading, with the exposure it was."""
    cell.bring(state)
    began = cell.run.cost
    found = cell.look()
    spent = cell.run.cost - began
    return replace(
        so_far,
        readings=so_far.readings + 1,
        seconds=so_far.seconds + spent.bench_seconds,
        disturbs=so_far.disturbs + (found != state),
    )
