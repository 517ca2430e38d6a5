"""Bring cells into a state by pulses that rise until a fast read says they are there: cell by cell, or by rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mtjlab.errors import BudgetError, LimitError
from mtjlab.nouns import Pulse, Reading, Site, State
from mtjlab.roles import WriteOutcome

from .write_lines import WriteScheme, write_lines
from .write_reads import CellReader
from .write_run import WriteRun


@dataclass(frozen=True)
class CellTask:
    """One cell to be written: the pulses to try in turn, amplitudes signed."""

    site: Site
    wanted: State
    pulses: tuple[Pulse, ...]


@dataclass(frozen=True)
class CellOutcome:
    """What became of it.

    Attributes:
        siemens: as last read.
        is_done: whether that is the wanted state.
        last: the pulse after which it was read so; None if there was none.
        is_over: whether this is the end of it; what is told before may still change.
    """

    site: Site
    siemens: float
    is_done: bool
    last: Pulse | None
    is_over: bool = True


HeardCell = Callable[[CellOutcome], None]


class Writer:
    """Writes cells through a run. Raises LimitError if the first pulse of a cell is beyond the device's limits."""

    def __init__(self, run: WriteRun, reader: CellReader, scheme: WriteScheme, by_row: bool) -> None:
        self._run, self._reader, self._scheme, self._by_row = run, reader, scheme, by_row

    def write(self, tasks: Sequence[CellTask], heard: HeardCell) -> None:
        """Write these in turn; `heard` is told of each cell as soon as it is done or given up, or read in between.

        What refuses in company is tried alone before it is given up: wires and current limits leave a cell of a full
        row less than it would get by itself.
        """
        if not self._by_row:
            self._one_by_one(tasks, heard)
            return
        rows: dict[tuple[int, State], list[CellTask]] = {}
        for task in tasks:
            rows.setdefault((task.site.row, task.wanted), []).append(task)
        for group in rows.values():
            left = self._together(group, heard)
            if left and len(group) > 1:
                self._one_by_one(left, heard)

    def _one_by_one(self, tasks: Sequence[CellTask], heard: HeardCell) -> None:
        """Pulses of one width make one series for all cells; where the width grows there is a series for each."""
        left = list(tasks)
        for seconds in sorted({pulse.seconds for task in tasks for pulse in task.pulses}):
            series = [replace(t, pulses=tuple(p for p in t.pulses if p.seconds == seconds)) for t in left]
            done = self._series([task for task in series if task.pulses], seconds, heard)
            left = [task for task in left if task.site not in done]

    def _series(self, tasks: Sequence[CellTask], seconds: float, heard: HeardCell) -> set[Site]:
        """Returns the cells that are done."""
        done: set[Site] = set()

        def see(place: int, reading: Reading) -> None:
            heard(CellOutcome(tasks[place].site, self._reader.siemens_of(reading), False, None, is_over=False))

        def take(place: int, outcome: WriteOutcome) -> None:
            task = tasks[place]
            siemens = self._reader.siemens_of(outcome.readings[-1])
            last = task.pulses[outcome.pulses - 1] if outcome.pulses else None
            if outcome.is_done:
                done.add(task.site)
            heard(CellOutcome(task.site, siemens, outcome.is_done, last))

        writes = [
            self._reader.write_request(
                task.site,
                task.wanted,
                tuple(
                    write_lines(self._run.shape, task.site.row, [task.site.col], pulse.volts, self._scheme)
                    for pulse in task.pulses
                ),
            )
            for task in tasks
        ]
        self._run.write_each(writes, seconds, heard=take, seen=see)
        return done

    def _together(self, tasks: Sequence[CellTask], heard: HeardCell) -> list[CellTask]:
        """Cells of one row with one target; returns those that refused."""
        left, step = list(tasks), 0
        while any(len(task.pulses) > step for task in left):
            groups: dict[Pulse, list[CellTask]] = {}
            for task in left:
                if len(task.pulses) > step:
                    groups.setdefault(task.pulses[step], []).append(task)
            for pulse, group in groups.items():
                done = self._pulse_row(pulse, group, heard, is_first=step == 0)
                if done is None:
                    return left
                left = [task for task in left if task.site not in done]
            step += 1
        return left

    def _pulse_row(
        self, pulse: Pulse, tasks: Sequence[CellTask], heard: HeardCell, *, is_first: bool
    ) -> set[Site] | None:
        """One pulse on all of these and a reading; returns those that are done, None if it must not be given."""
        row, cols = tasks[0].site.row, [task.site.col for task in tasks]
        try:
            self._run.pulse(write_lines(self._run.shape, row, cols, pulse.volts, self._scheme), pulse.seconds)
        except LimitError as error:
            if is_first and not isinstance(error, BudgetError):
                raise
            return None
        done: set[Site] = set()

        def take(site: Site, siemens: float) -> None:
            is_done = self._reader.is_in(site, siemens, tasks[0].wanted)
            if is_done:
                done.add(site)
            heard(CellOutcome(site, siemens, is_done, pulse))

        self._reader.fast(row, cols, take)
        return done
