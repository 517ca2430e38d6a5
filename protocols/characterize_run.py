"""One measurement under way: what it may spend, how it is stopped, and how it ends with nothing left on."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from mtjlab.errors import BudgetError, InputError
from mtjlab.nouns import FLOATING, Cost, Line, Lines, Progress, Reading, Site, unheard
from mtjlab.roles import Crossbar

from .leave_idle import left_idle

R = TypeVar("R")

IsStopped = Callable[[], bool]
"""Asked before every transaction: true once somebody wants the measurement to end."""


def not_stopped() -> bool:
    """The IsStopped of a measurement that nobody stops."""
    return False


@dataclass(frozen=True)
class Budget:
    """What a measurement may spend; None for as much as it takes. The limits of the device hold besides.

    Attributes:
        pulses: of all kinds, those that bring the cell back included.
        joules: what the driven line delivers in pulses; half-selected cells have their part in it.
        seconds: bench seconds.
    """

    pulses: int | None = None
    joules: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Ending:
    """How a measurement ended.

    Attributes:
        reason: why, in words.
        is_partial: whether it was ended before it had done all it was asked for.
        cost: pulses, readings and bench seconds spent.
        joules: what the driven line delivered in the pulses.
    """

    reason: str
    is_partial: bool
    cost: Cost
    joules: float


class Ended(Exception):  # noqa: N818  (not an error: it unwinds a measurement that is to end here)
    """A measurement ends now, early; the message says why."""


class Run:
    """Pulses and readings of one measurement, within its budget and until it is stopped.

    Args:
        budget: what it may spend.
        is_stopped: asked before every transaction.
        progress: told of units that are done.
    """

    def __init__(
        self,
        crossbar: Crossbar,
        budget: Budget | None = None,
        is_stopped: IsStopped = not_stopped,
        progress: Progress = unheard,
    ) -> None:
        self.crossbar = crossbar
        self.progress = progress
        self._budget = budget or Budget()
        self._is_stopped = is_stopped
        self._began = crossbar.spent
        self._joules = 0.0
        self._line_siemens = 0.0

    @property
    def cost(self) -> Cost:
        """Spent so far."""
        return self.crossbar.spent - self._began

    def lines(self, site: Site, volts: float) -> Lines:
        """Lines that pulse one cell: V/2 on the unselected ones; floating where there are not enough levels."""
        capabilities = self.crossbar.capabilities
        if capabilities.levels >= 3 or self.crossbar.shape == (1, 1):
            return Lines.selecting(self.crossbar.shape, site, volts, volts / 2)
        if capabilities.can_float:
            return Lines.selecting(self.crossbar.shape, site, volts, FLOATING)
        raise InputError(
            "this bench can neither hold unselected lines at half of the voltage nor leave them open",
            remedy="Add a source for the unselected lines",
        )

    def pulse(self, site: Site, volts: float, seconds: float) -> Reading:
        """One pulse on one cell; raises Ended if the budget does not allow it, LimitError if the device does not."""
        return self.pulse_lines(self.lines(site, volts), seconds)

    def pulse_lines(self, lines: Lines, seconds: float) -> Reading:
        """One pulse on lines as they are given."""
        self.check()
        volts = lines.largest_cell_volts
        self._check_budget("pulses", self.cost.pulses + 1, self._budget.pulses)
        self._check_budget("joules", self._joules + self._line_siemens * volts**2 * seconds, self._budget.joules)
        top = self.crossbar.pulse(lines, seconds)
        if math.isfinite(top.amps) and top.volts:
            self._joules += abs(top.volts * top.amps) * seconds
            self._line_siemens = max(self._line_siemens, abs(top.siemens))
        return top

    def amps(self, site: Site, volts: float) -> float:
        """Current into the cell's column with only its row driven; infinite if off scale."""
        return self.sensed(Lines.selecting(self.crossbar.shape, site, volts, 0.0), Line("col", site.col))

    def sensed(self, lines: Lines, sense: Line) -> float:
        """Current out of the array into a line; infinite if off scale. Raises Ended if the measurement is to end."""
        self.check()
        reading = self.crossbar.measure(lines, [sense])[0]
        return math.inf if reading.is_overflow else reading.amps

    def check(self) -> None:
        """Raise Ended if the measurement is stopped or its time is over."""
        if self._is_stopped():
            raise Ended("stopped on request")
        self._check_budget("seconds", self.cost.bench_seconds, self._budget.seconds)

    def conclude(self, act: Callable[[], str], result: Callable[[Ending], R], keep: Callable[[R], None] | None) -> R:
        """Do it and make the result of it, whatever ends it; all levels are at 0 V and outputs off afterwards.

        Args:
            act: the measurement; returns why it ended.
            result: makes the result of what there is by then.
            keep: receives the result, also if an interrupt or a fault unwinds the measurement.
        """
        reason, is_partial = "interrupted", True
        try:
            with left_idle(self.crossbar):
                try:
                    reason, is_partial = act(), False
                except Ended as ended:
                    reason = str(ended)
                except BudgetError as refused:
                    reason = refused.what
        finally:
            found = result(Ending(reason, is_partial, self.cost, self._joules))
            if keep:
                keep(found)
        return found

    def _check_budget(self, what: str, spent: float, most: float | None) -> None:
        if most is not None and spent > most:
            raise Ended(f"its budget of {most:g} {what} is spent")
