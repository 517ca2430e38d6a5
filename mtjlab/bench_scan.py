"""What a bench asks of instruments that scan by themselves: its routes and lines as their relays and channels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from .bench_plan import Block, Routes, Sources, driven, furthest_from_ground, groups_of, routes_for, serves
from .bench_relays import crosspoints
from .nouns import Lines, Reading
from .roles import (
    Identity,
    LineRead,
    LineWrite,
    ScanLimits,
    ScanPoint,
    ScanUnit,
    SourceMeasureUnit,
    WriteOutcome,
    WriteTask,
)
from .wiring import Wiring

T = TypeVar("T")


def find_scanner(
    units: Iterable[ScanUnit], smus: Mapping[str, SourceMeasureUnit], matrix: Identity, wiring: Wiring
) -> tuple[Scanner | None, str]:
    """The unit that has all these SMUs and whose link goes to this matrix, and what it can do or why there is none."""
    for unit in units:
        if not all(any(smu is channel for channel in unit.channels) for smu in smus.values()):
            continue
        linked = unit.linked_matrix()
        if linked is None:
            return (
                None,
                "the SMUs do not scan by themselves: no matrix is on their link; check its cable",
            )
        if (linked.model, linked.serial) != (matrix.model, matrix.serial):
            return None, (
                f"the SMUs do not scan by themselves: their link goes to the matrix {linked.model} {linked.serial}, "
                f"not to that of the wiring file, {matrix.model} {matrix.serial}"
            )
        if wiring.relays_move != "at_zero_volts":
            return None, "the SMUs would scan by themselves if the wiring file said relays_move: at_zero_volts"
        if wiring.device.limits.ramp_volts is not None:
            return (
                None,
                "the SMUs do not scan by themselves, since levels are ramped (device.limits.ramp_volts)",
            )
        scanner = Scanner(unit, smus, wiring)
        return scanner, f"the SMUs scan by themselves, up to {scanner.most_points} readings in one transaction"
    return None, "every reading is a transaction of its own: no instrument has all the SMUs and scans by itself"


class Scanner:
    """A ScanUnit on a bench.

    Args:
        unit: the instrument.
        smus: station name -> channel, in the order of the wiring file.
        wiring: which line is where.
    """

    def __init__(self, unit: ScanUnit, smus: Mapping[str, SourceMeasureUnit], wiring: Wiring) -> None:
        self._unit = unit
        self._wiring = wiring
        self._sources = Sources(tuple(smus), wiring.ground_row is not None)
        self._names = [next((name for name, smu in smus.items() if smu is c), "") for c in unit.channels]

    @property
    def most_points(self) -> int:
        """Most readings of one transaction."""
        return self._unit.most_points

    def scan(
        self, order: Sequence[Block], reads: Sequence[LineRead], settle_seconds: float
    ) -> Iterator[dict[int, Reading]]:
        """Read the blocks in this order, in one transaction for every `most_points`; amps as the SMU measures them.

        Yields what each transaction gave, by the number of the read, in the order in which it was read.
        """
        for part in in_parts([(block, len(block.numbers)) for block in order], self.most_points):
            numbers = [number for block in part for number in block.numbers]
            points = [point for block in part for point in self._points(block, reads)]
            raw = self._unit.scan(
                points,
                sense=self._names.index(self._sources.names[-1]),
                limits=self._limits([point.volts for point in points]),
                settle_seconds=settle_seconds,
            )
            yield dict(zip(numbers, raw, strict=True))

    def zeros_of(self, writes: Sequence[LineWrite]) -> tuple[list[LineRead], list[Block]]:
        """Reads at 0 V, one for every sensed line, on the routes on which it will be read."""
        first = list({write.read.sense: write for write in reversed(writes)}.values())
        return [write.zero for write in first], [Block(self._routes_of(w), (k,)) for k, w in enumerate(first)]

    def _routes_of(self, write: LineWrite) -> Routes:
        return routes_for([driven(write.zero.lines), driven(write.read.lines)], self._sources, write.read.sense)

    def can_write(self, write: LineWrite) -> bool:
        """Whether no relay has to move from one of its pulses to the next."""
        return not write.pulses or all(
            serves(self._pulse_routes(write), lines, self._sources, None, furthest_from_ground(lines))
            for lines in write.pulses
        )

    def _pulse_routes(self, write: LineWrite) -> Routes:
        first = write.pulses[0]
        return routes_for([driven(first)], self._sources, None, furthest_from_ground(first))

    def task(self, write: LineWrite, zero_amps: float) -> WriteTask:
        """What the instrument is told of a write. Its ammeter counts current into the array."""
        read = self._point(self._routes_of(write), write.read.lines)
        pulses = [self._point(self._pulse_routes(write), lines) for lines in write.pulses]
        return WriteTask(
            pulse_closed=pulses[0].closed if pulses else read.closed,
            pulses=tuple(point.volts for point in pulses),
            read=read,
            least_amps=-write.most_amps - zero_amps,
            most_amps=-write.least_amps - zero_amps,
        )

    def write(self, tasks: Sequence[WriteTask], seconds: float, settle_seconds: float) -> list[WriteOutcome]:
        """Carry out tasks in one transaction; there must be no more than `most_points` readings in them."""
        levels = [volts for task in tasks for volts in (task.read.volts, *task.pulses)]
        first, last = self._sources.names[0], self._sources.names[-1]
        return self._unit.write_each(
            tasks,
            sense=self._names.index(last),
            drive=self._names.index(first),
            pulse_seconds=seconds,
            limits=self._limits(levels, sum(len(task.pulses) for task in tasks)),
            settle_seconds=settle_seconds,
        )

    def pulse(self, series: Sequence[Lines], seconds: float, settle_seconds: float) -> None:
        """Pulse in one transaction; there must be no more than `most_points` pulses."""
        points = [self._pulse_point(lines) for lines in series]
        self._unit.pulse_each(
            points,
            drive=self._names.index(self._sources.names[0]),
            pulse_seconds=seconds,
            limits=self._limits([point.volts for point in points], len(points)),
            settle_seconds=settle_seconds,
        )

    def _pulse_point(self, lines: Lines) -> ScanPoint:
        return self._point(routes_for([driven(lines)], self._sources, None, furthest_from_ground(lines)), lines)

    def _point(self, routes: Routes, lines: Lines) -> ScanPoint:
        return ScanPoint(crosspoints(routes, self._wiring), self._volts(routes, lines))

    def _points(self, block: Block, reads: Sequence[LineRead]) -> list[ScanPoint]:
        closed = crosspoints(block.routes, self._wiring)
        return [ScanPoint(closed, self._volts(block.routes, reads[number].lines)) for number in block.numbers]

    def _volts(self, routes: Routes, lines: Lines) -> tuple[float, ...]:
        groups = groups_of(routes, lines)
        return tuple(groups[name][0] if name in groups else 0.0 for name in self._names)

    def _limits(self, levels: Sequence[Sequence[float]], pulses: int = 0) -> ScanLimits:
        """No more than what has been found to be within the device's limits, cell by cell."""
        most = max(max(max(volts), 0.0) - min(min(volts), 0.0) for volts in levels)
        return ScanLimits(most, self._wiring.device.limits.compliance_amps, pulses)


def in_parts(items: Sequence[tuple[T, int]], most: int) -> Iterator[list[T]]:
    """Items of these sizes in order, as many at a time as are no larger than `most` together."""
    part: list[T] = []
    size = 0
    for item, own in items:
        if part and size + own > most:
            yield part
            part, size = [], 0
        part.append(item)
        size += own
    if part:
        yield part
