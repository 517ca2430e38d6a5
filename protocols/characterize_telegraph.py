"""Telegraph noise: read a cell again and again under one bias, and tell how long it stays in each state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import Floats, Progress, Site, unheard
from mtjlab.roles import Crossbar
from mtjlab.short_words import in_short

from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped
from .characterize_telegraph_fit import TelegraphFit, fit_telegraph
from .readout import READ_VOLTS

_LEAST_READINGS = 3


@dataclass(frozen=True, eq=False)
class Telegraph:
    """A trace of readings and what it shows.

    Attributes:
        seconds: bench time of each reading.
        siemens: the readings.
        fit: levels and rates; None if there are too few readings.
        ending: cost, and why it ended.
    """

    __repr__ = in_short

    seconds: Floats
    siemens: Floats
    fit: TelegraphFit | None
    ending: Ending


def telegraph(
    crossbar: Crossbar,
    site: Site,
    readings: int,
    *,
    read_volts: float = READ_VOLTS,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[Telegraph], None] | None = None,
) -> Telegraph:
    """Read one cell `readings` times under a bias that stays on; no pulses are given.

    Args:
        read_volts: within the device's read limit; it pushes the cell a little, P for positive.

    Raises LimitError if it is not.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    seconds, siemens = [], []

    def act() -> str:
        zero = run.amps(site, 0.0)
        for number in range(readings):
            run.progress("trace", number, readings)
            siemens.append((run.amps(site, read_volts) - zero) / read_volts)
            seconds.append(run.cost.bench_seconds)
        run.progress("trace", readings, readings)
        return f"{readings} readings were taken"

    def result(ending: Ending) -> Telegraph:
        trace = np.array(siemens[: len(seconds)])
        is_usable = len(seconds) >= _LEAST_READINGS and bool(np.isfinite(trace).all())
        return Telegraph(
            np.array(seconds), trace, fit_telegraph(np.array(seconds), trace) if is_usable else None, ending
        )

    return run.conclude(act, result, keep)
