"""Write error rate: how often a write pulse leaves a cell where it was, down to where time allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import Progress, Pulse, Site, State, unheard
from mtjlab.roles import Crossbar

from .characterize_cell import Cell, Drive
from .characterize_estimates import CONFIDENCE, Estimate, share_of
from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped


@dataclass(frozen=True)
class WriteCount:
    """How often one kind of pulse was given, and how often it failed."""

    pulse: Pulse
    writes: int
    errors: int

    @property
    def towards(self) -> State:
        """The state that the pulse leads to."""
        return State.P if self.pulse.volts > 0 else State.AP

    def rate(self, confidence: float = CONFIDENCE) -> Estimate:
        """Write error rate; without an error the upper confidence limit is what has been shown."""
        return share_of(self.errors, self.writes, confidence)


@dataclass(frozen=True)
class WriteErrors:
    """Errors of each kind of pulse.

    Attributes:
        counts: in the order of the pulses.
        doubts: readings that lay between the states and were repeated precisely.
        ending: cost, and why it ended.
    """

    counts: tuple[WriteCount, ...]
    doubts: int
    ending: Ending


def write_errors(
    crossbar: Crossbar,
    site: Site,
    pulses: Sequence[Pulse],
    *,
    most_writes: int = 10_000,
    most_errors: int = 30,
    drive: Drive | None = None,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[WriteErrors], None] | None = None,
) -> WriteErrors:
    """Write again and again from the opposite state and count failures.

    The state is told by one reading; only one near the middle between the states is repeated precisely. Kinds of pulses
    take turns, so that time that runs out is shared. Positive and negative pulses side by side cost least: each brings
    the cell back for the other.

    Args:
        pulses: signed amplitudes and widths.
        most_writes: of each kind of pulse.
        most_errors: a kind of pulse is done after so many errors: more would hardly narrow its interval. Stopping at a
            number of errors biases the rate by about one part in that number.

    Raises InstrumentError if the cell does not switch, LimitError if a pulse is beyond the device's limits.
    """
    if any(not pulse.volts for pulse in pulses):
        raise InputError("a pulse of 0 V writes nothing", remedy="Give amplitudes above or below zero")
    run = Run(crossbar, budget, is_stopped, progress)
    writes, errors = np.zeros((2, len(pulses)), dtype=np.int64)
    cells: list[Cell] = []

    def act() -> str:
        cells.append(Cell(run, site, drive or Drive()))
        total = most_writes * len(pulses)
        while (open_kinds := np.flatnonzero((writes < most_writes) & (errors < most_errors))).size:
            run.progress("writes", int(writes.sum()), total)
            for kind in open_kinds.tolist():
                has_written = cells[0].probe(pulses[kind].volts, pulses[kind].seconds)
                writes[kind] += 1
                errors[kind] += not has_written
        run.progress("writes", total, total)
        return f"every kind of pulse had {most_writes} writes or {most_errors} errors"

    def result(ending: Ending) -> WriteErrors:
        counts = tuple(WriteCount(p, int(n), int(k)) for p, n, k in zip(pulses, writes, errors, strict=True))
        return WriteErrors(counts, cells[0].doubts if cells else 0, ending)

    return run.conclude(act, result, keep)
