"""What a protocol asks of a Crossbar, counted on its way there, and the least time in which that could be done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.bench_plan import Routes, Sources, blocks, driven, furthest_from_ground, routes_for, serves
from mtjlab.crossbar_around import CrossbarAround
from mtjlab.drivers.daffodil_series import series_of
from mtjlab.nouns import Line, Lines, Reading
from mtjlab.roles import (
    Crossbar,
    HeardRead,
    HeardWrite,
    LineRead,
    LineWrite,
    WriteOutcome,
    not_heard,
)


@dataclass(frozen=True)
class LeastTimes:
    """What nothing can save on one kind of Crossbar.

    Attributes:
        reading: integration or conversion of what is sensed at once, seconds.
        change: relays that open and then others that close, seconds.
        sources: of a bench with a matrix, which senses one line at a time; None where every line has its own.
        repeats: whether a reading that is asked for again takes time again.
    """

    reading: float
    change: float = 0.0
    sources: Sources | None = None
    repeats: bool = True


class Tally(CrossbarAround):
    """Passes everything on.

    Attributes:
        measurements: integrations, each of one line or of all that are sensed at once.
        changes: relay changes that the bench's mix of sources needs for what was asked, reads of a series in any order.
        pulse_seconds, waited_seconds: widths of all pulses; pauses that were asked for.
    """

    def __init__(self, inner: Crossbar, least: LeastTimes, wait: Callable[[float], None]) -> None:
        super().__init__(inner)
        self._least, self._wait = least, wait
        self._routes: Routes = {}
        self.measurements = self.changes = 0
        self.pulse_seconds = self.waited_seconds = 0.0

    @property
    def floor_seconds(self) -> float:
        """Integrations, relay changes, pulses and pauses, without any message, settling or computing."""
        of_bench = self.measurements * self._least.reading + self.changes * self._least.change
        return of_bench + self.pulse_seconds + self.waited_seconds

    def wait(self, seconds: float) -> None:
        """A pause that a protocol asks for."""
        self._wait(seconds)
        self.waited_seconds += seconds

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar."""
        readings = self.inner.measure(lines, sense)
        self._count([LineRead(lines, line) for line in sense])
        return readings

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """See Crossbar."""
        readings = self.inner.measure_each(reads, heard=heard)
        self._count(reads)
        return readings

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar."""
        top = self.inner.pulse(lines, seconds)
        self._count_pulse(lines, seconds)
        return top

    def write_each(
        self, writes: Sequence[LineWrite], seconds: float, *, heard: HeardWrite = not_heard
    ) -> list[WriteOutcome]:
        """See Crossbar."""
        before = self.spent.readings
        outcomes = self.inner.write_each(writes, seconds, heard=heard)
        zeros = self.spent.readings - before - sum(len(outcome.readings) for outcome in outcomes)
        self.measurements += zeros
        for write, outcome in zip(writes, outcomes, strict=True):
            self._count([write.read])
            for lines in write.pulses[: outcome.pulses]:
                self._count_pulse(lines, seconds)
                self._count([write.read])
        return outcomes

    def _count(self, reads: Sequence[LineRead]) -> None:
        sources = self._least.sources
        if sources is None:
            known = len(series_of(reads, together=True))
            distinct = len({(r.lines.row_volts.tobytes(), r.lines.col_volts.tobytes()) for r in reads})
            self.measurements += known if self._least.repeats else distinct
            return
        self.measurements += len(reads)
        self._routes, changes = _fewest_changes(reads, sources, self._routes)
        self.changes += changes

    def _count_pulse(self, lines: Lines, seconds: float) -> None:
        self.pulse_seconds += seconds
        sources = self._least.sources
        if sources is None or np.isnan(lines.row_volts).all():
            return
        selected = furthest_from_ground(lines)
        if not serves(self._routes, lines, sources, None, selected):
            self.changes += 1
            self._routes = routes_for([driven(lines)], sources, None, selected)


def _fewest_changes(reads: Sequence[LineRead], sources: Sources, present: Routes) -> tuple[Routes, int]:
    """What is connected after a series of reads in the best order, and how often relays had to move.

    A reading with all lines at 0 V needs no routes of its own where its column is sensed at a voltage as well.
    """
    now, needed = present, dict[frozenset[tuple[str, frozenset[Line]]], Routes]()
    by_sense: dict[Line, Routes] = {}
    plan = sorted(blocks(reads, sources), key=lambda block: not _has_level(reads[block.numbers[-1]].lines))
    for block in plan:
        of_block = [reads[number] for number in block.numbers]
        known = [present, *([by_sense[of_block[0].sense]] if of_block[0].sense in by_sense else [])]
        if not any(all(serves(routes, read.lines, sources, read.sense, None) for read in of_block) for routes in known):
            needed[frozenset(block.routes.items())] = now = block.routes
            by_sense[of_block[0].sense] = block.routes
    return now, len(needed)


def _has_level(lines: Lines) -> bool:
    return bool(np.nan_to_num(lines.row_volts).any() or np.nan_to_num(lines.col_volts).any())
