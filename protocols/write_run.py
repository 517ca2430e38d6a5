"""A write under way: a Crossbar that heeds budget and operator, and keeps account of energy and exposed cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mtjlab.crossbar_around import CrossbarAround
from mtjlab.nouns import Bools, Cost, Floats, Line, Lines, Reading
from mtjlab.roles import (
    Crossbar,
    HeardRead,
    HeardWrite,
    LineRead,
    LineWrite,
    WriteOutcome,
    not_heard,
)

from .characterize_run import Budget, Ended, IsStopped
from .write_lines import WriteScheme, exposed_by, pulse_joules


class WriteRun(CrossbarAround):
    """Passes on to another Crossbar what may still be done, one transaction after the other; raises Ended before one
    that may not.

    Args:
        inner: does it.
        scheme: how pulses leave the unselected lines.
        siemens: (rows, cols), the conductances as they are known; whoever reads cells keeps it up to date.
        budget: what may be spent.
        is_stopped: asked before every transaction.

    Attributes:
        exposed: cells that a pulse may have changed; whoever reads a cell clears it.
        joules: energy of the pulses so far, estimated.
    """

    def __init__(
        self, inner: Crossbar, scheme: WriteScheme, siemens: Floats, budget: Budget, is_stopped: IsStopped
    ) -> None:
        super().__init__(inner)
        self._scheme, self._siemens = scheme, siemens
        self._budget, self._is_stopped = budget, is_stopped
        self._began = inner.spent
        self.exposed: Bools = np.zeros(inner.shape, dtype=np.bool_)
        self.joules = 0.0
        self._seen: HeardRead = not_heard
        self._places: dict[int, int] = {}

    @property
    def cost(self) -> Cost:
        """Spent since this was made."""
        return self.inner.spent - self._began

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar."""
        self._check()
        return self.inner.measure(lines, sense)

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """See Crossbar. A series that the instruments make by themselves is one transaction.

        It does not end while there are readings that have been taken and not been told: a row that is read at once is
        told to its last cell.
        """
        is_one, before = self.capabilities.scans_itself, self.spent.readings
        known = 0

        def hear(number: int, reading: Reading) -> None:
            nonlocal known
            known += 1
            heard(number, reading)
            if not is_one and self.spent.readings - before <= known < len(reads):
                self._check()

        self._check()
        return self.inner.measure_each(reads, heard=hear)

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar."""
        self._check()
        joules = self._joules_of(lines, seconds)
        self._check_budget("pulses", self.cost.pulses + 1, self._budget.pulses)
        self._check_budget("joules", self.joules + joules, self._budget.joules)
        self.exposed |= exposed_by(lines, self._scheme)
        top = self.inner.pulse(lines, seconds)
        self.joules += joules
        return top

    def write_each(
        self,
        writes: Sequence[LineWrite],
        seconds: float,
        *,
        heard: HeardWrite = not_heard,
        seen: HeardRead = not_heard,
    ) -> list[WriteOutcome]:
        """See Crossbar. On the instruments only where no budget could end it in the middle.

        Args:
            seen: told of every reading in the course of a write as soon as it is there, its zero subtracted; not of
                those that the instruments take by themselves.
        """
        is_bounded = self._budget.pulses is not None or self._budget.joules is not None
        if is_bounded or not self.capabilities.scans_itself:
            self._seen, self._places = seen, {id(write): place for place, write in enumerate(writes)}
            return super().write_each(writes, seconds, heard=heard)
        self._check()
        for write in writes:
            self._expose(write.pulses)  # all that may happen: if the series fails nobody knows how far it went

        def hear(number: int, outcome: WriteOutcome) -> None:
            given = writes[number].pulses[: outcome.pulses]
            self._expose(given)
            self.joules += sum(self._joules_of(lines, seconds) for lines in given)
            heard(number, outcome)

        return self.inner.write_each(writes, seconds, heard=hear)

    def _read_while_writing(self, write: LineWrite, reading: Reading) -> None:
        self._seen(self._places[id(write)], reading)

    def _expose(self, pulses: Sequence[Lines]) -> None:
        for lines in pulses[:1]:  # retries are the same lines, only higher
            self.exposed |= exposed_by(lines, self._scheme)

    def _joules_of(self, lines: Lines, seconds: float) -> float:
        return pulse_joules(lines, self._scheme, self._siemens, seconds)

    def _check(self) -> None:
        if self._is_stopped():
            raise Ended("stopped on request")
        self._check_budget("seconds", self.cost.bench_seconds, self._budget.seconds)

    def _check_budget(self, what: str, spent: float, most: float | None) -> None:
        if most is not None and spent > most:
            raise Ended(f"its budget of {most:g} {what} is spent")
