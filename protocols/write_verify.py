"""Write a map into an array: pulses with a fast read after each, then looks at the neighbours that were exposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import (
    ArrayMap,
    CellStatus,
    Floats,
    Ints,
    Lines,
    Progress,
    Pulse,
    Reading,
    Site,
    State,
    unheard,
)
from mtjlab.roles import Crossbar

from .characterize_run import Budget, Ended, IsStopped, not_stopped
from .leave_idle import left_idle
from .readout import READ_VOLTS, Keep, nearest_state
from .write_field import FieldStart, initialise_by_field
from .write_lines import WriteScheme, chosen_write_scheme, write_lines
from .write_pulses import CellOutcome, CellTask, Writer
from .write_reads import CellReader
from .write_result import WriteResult as WriteResult
from .write_run import WriteRun
from .write_search import Threshold, allowed, find_threshold, highest_volts
from .write_settings import WriteSettings as WriteSettings

_LOWER = 0.85
"""Where mending a cell begins, as a part of what switched it before."""
_NAMES = {State.P: "P", State.AP: "AP"}
_MOST_NAMED = 12
"""Cells that a reason names."""


def pulse_cell(crossbar: Crossbar, site: Site, volts: float, seconds: float) -> Reading:
    """One half-select pulse: the cell's row at `volts`, its column at 0 V, all other lines at `volts` / 2."""
    return crossbar.pulse(half_selecting(crossbar.shape, site, volts), seconds)


def half_selecting(shape: tuple[int, int], site: Site, volts: float) -> Lines:
    """The lines of that pulse."""
    return write_lines(shape, site.row, [site.col], volts, WriteScheme.HALF)


def write_verify(
    crossbar: Crossbar,
    target: Ints,
    reference: ArrayMap,
    *,
    settings: WriteSettings | None = None,
    read_volts: float = READ_VOLTS,
    budget: Budget | None = None,
    field_start: FieldStart | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Keep | None = None,
) -> WriteResult:
    """Bring every cell with a target into it.

    Each cell that is not there yet gets pulses of rising amplitude (or width), each followed by one reading against the
    middle between the cell's two conductances. Then the cells that pulses have exposed are read again, and what was
    disturbed is mended, for at most `passes` rounds. Cells that cannot be written (defects) are read and left alone;
    cells that refuse are marked UNWRITTEN. Nothing is on at the end.

    Args:
        target: shape (rows, cols), `State` per cell, UNKNOWN where it does not matter.
        reference: a map with both states, as `survey` gives it.
        budget: what it may spend; it ends with a partial map where that does not suffice.
        field_start: a magnetic field that brings all cells into one state first, if that saves pulses.
        is_stopped: asked before every transaction; then it ends with a partial map.
        keep: receives the map so far, also when the protocol is interrupted.

    Raises:
        LimitError: before any pulse, if a first amplitude is beyond the limits, where the Crossbar tells them.
        InputError: if target and map do not have the array's shape, or the bench cannot write with the scheme.
    """
    for name, shape in (("target", target.shape), ("reference", reference.shape)):
        if shape != crossbar.shape:
            raise InputError(f"a {name} of {shape} for an array of {crossbar.shape}", remedy="Give one value per cell")
    job = _Job(crossbar, target, reference, settings or WriteSettings(), read_volts, progress, budget, is_stopped)
    reason, is_complete = "interrupted", False
    try:
        with left_idle(crossbar):
            reason = job.run(field_start)
            is_complete = True
    except Ended as ended:
        reason = str(ended)
    finally:
        written = replace(job.as_map(), is_partial=not is_complete)
        if keep:
            keep(written)
    return job.result(written, reason)


class _Job:
    """State of one write: what was last read of every cell, and what switched it."""

    def __init__(
        self,
        crossbar: Crossbar,
        target: Ints,
        reference: ArrayMap,
        settings: WriteSettings,
        read_volts: float,
        progress: Progress,
        budget: Budget | None,
        is_stopped: IsStopped,
    ) -> None:
        self.target, self.reference, self.settings, self.progress = target, reference, settings, progress
        self.siemens = reference.siemens.copy()
        self.state = np.asarray(reference.state).copy()
        self.status = np.asarray(reference.status).copy()
        self.switched: dict[tuple[Site, State], float] = {}
        self.sites = [Site(int(i), int(j)) for i, j in np.argwhere(target != State.UNKNOWN)]
        self.wanted = [state for state in (State.P, State.AP) if (target == state).any()]
        self.mended = 0
        self.thresholds: dict[State, Threshold] = {}
        can = crossbar.capabilities
        self.scheme = chosen_write_scheme(settings.scheme, can)
        self.run_ = WriteRun(crossbar, self.scheme, self.siemens, budget or Budget(), is_stopped)
        self.reader = CellReader(self.run_, reference, read_volts, settings.doubt, settings.doubt_readings)
        by_row = can.sensed_lines > 1 if settings.by_row is None else settings.by_row
        if by_row and not can.joins_lines:
            raise InputError(
                "cells of a row share a source in a pulse, but this bench's matrix is in single-route mode",
                where="write settings: by_row",
                remedy="Write cell by cell, or set 'allows_free_rule: true' for the matrix in the station file",
            )
        self.writer = Writer(self.run_, self.reader, self.scheme, by_row)

    def run(self, field_start: FieldStart | None) -> str:
        """Returns why it ended."""
        for state in self.wanted if not self.settings.searched_cells else ():
            allowed(self.settings.pulses(state), self.run_.limits)
        wrong = self._look(self.sites, "reading")
        if field_start is not None and wrong:
            wrong = self._start_by_field(field_start, wrong)
        self._write_all(wrong)
        passes = self.settings.passes
        if passes == 0:
            return "written without another look at the neighbours"
        for number in range(1, passes + 1):
            wrong = self._look(self._exposed(), f"verifying, round {number}", again=number > 1)
            if not wrong:
                break
            self._mend(wrong, f"mending, round {number}")
        else:
            wrong = self._look(self._exposed(), "verifying, last round", again=True)
        if not wrong:
            refused = [site for site in self.sites if self.status[site] == CellStatus.UNWRITTEN]
            if refused:
                return f"every other cell is in its target state; {_listed(refused)} could not be written"
            return "every writable cell is in its target state"
        return f"still disturbed after {passes} rounds: {_listed(wrong)}; their neighbours' pulses reach them"

    def _exposed(self) -> list[Site]:
        return [site for site in self.sites if self.run_.exposed[site]]

    def _look(self, sites: Sequence[Site], what: str, *, again: bool = False) -> list[Site]:
        """Read these; returns all cells that can be written and are not in their target state."""
        self.progress(what, 0, len(sites))
        seen: set[Site] = set()

        def take(site: Site, siemens: float) -> None:
            self._found(site, siemens)
            seen.add(site)
            self.progress(what, len(seen), len(sites))

        self.reader.look(sites, take, again=again)
        return [s for s in self.sites if self.status[s] == CellStatus.OK and self.state[s] != self.target[s]]

    def _start_by_field(self, start: FieldStart, wrong: list[Site]) -> list[Site]:
        """Whichever state more of the cells want, if fewer are wrong afterwards than are now."""
        healthy = self.status == CellStatus.OK
        counts = {state: int((healthy & (self.target == state)).sum()) for state in (State.AP, State.P)}
        state = max(counts, key=lambda one: counts[one])
        if sum(counts.values()) - counts[state] >= len(wrong):
            return wrong
        self.progress("initialising by field", 0, 1)
        initialise_by_field(self.run_, start, state)
        self.run_.exposed[:] = True
        self.progress("initialising by field", 1, 1)
        return self._look(self.sites, "reading again")

    def _write_all(self, wrong: Sequence[Site]) -> None:
        """All sets, then all resets: cells already written to P see only half-selects that push towards P."""
        sites = {state: [site for site in wrong if self.target[site] == state] for state in (State.P, State.AP)}
        if not self.settings.searched_cells:  # one series: instruments that write by themselves are told once
            self._write([task for state in sites for task in self._first_tasks(sites[state], state)], "writing")
            return
        for state, own in sites.items():
            left = self._search(own, state) if own else own
            self._write(self._first_tasks(left, state), f"writing {_NAMES[state]}")

    def _first_tasks(self, sites: Sequence[Site], state: State) -> list[CellTask]:
        return [CellTask(site, state, self._pulses(state, self.settings)) for site in sites]

    def _search(self, sites: list[Site], state: State) -> list[Site]:
        """Take amplitudes from a few of these cells; returns those that are still to be written."""
        what = f"searching amplitudes towards {_NAMES[state]}"
        self.progress(what, 0, 1)
        limits, tried = self.run_.limits, set[Site]()

        def take(outcome: CellOutcome) -> None:
            tried.add(outcome.site)
            self._written(outcome)

        found = find_threshold(self.writer, sites, state, self.settings, limits, take)
        self.progress(what, 1, 1)
        if found is not None:
            self.thresholds[state] = found
            first = min(found.first_volts, highest_volts(self.settings, limits, state))
            self.settings = self.settings.starting_at(state, first, found.step_volts)
        self._give_up(tried)
        return [site for site in sites if site not in tried]

    def _mend(self, wrong: Sequence[Site], what: str) -> None:
        """The hardest first: what their pulses disturb is mended after them, by pulses that disturb less."""
        self.mended += len(wrong)
        tasks = [CellTask(site, state, self._mending(site, state)) for site in wrong for state in [self._target(site)]]
        ordered = sorted(tasks, key=lambda task: (-abs(task.pulses[0].volts), task.site))
        self._write(ordered, what)

    def _mending(self, site: Site, state: State) -> tuple[Pulse, ...]:
        """From below what switched the cell before, or gently: lower each time it has to be mended.

        Without that, two cells may go on disturbing each other with amplitudes far above what they need.
        """
        gentle, before = self.settings.gently(), self.switched.get((site, state))
        if before is not None:
            gentle = gentle.starting_at(state, _LOWER * before, gentle.step_volts)
        return self._pulses(state, gentle)

    def _pulses(self, state: State, settings: WriteSettings) -> tuple[Pulse, ...]:
        return allowed(settings.pulses(state), self.run_.limits)

    def _target(self, site: Site) -> State:
        return State(int(self.target[site]))

    def _write(self, tasks: Sequence[CellTask], what: str) -> None:
        self.progress(what, 0, len(tasks))
        over: set[Site] = set()

        def take(outcome: CellOutcome) -> None:
            self._written(outcome)
            if outcome.is_over:
                over.add(outcome.site)
                self.progress(what, len(over), len(tasks))

        if tasks:
            self.writer.write(tasks, take)
        self._give_up({task.site for task in tasks})

    def _written(self, outcome: CellOutcome) -> None:
        self._found(outcome.site, outcome.siemens)
        if outcome.is_done and outcome.last is not None:
            self.switched[outcome.site, self._target(outcome.site)] = abs(outcome.last.volts)

    def _give_up(self, sites: set[Site]) -> None:
        for site in sites:
            if self.state[site] != self.target[site]:
                self.status[site] = CellStatus.UNWRITTEN

    def _found(self, site: Site, siemens: float) -> None:
        self.siemens[site] = siemens
        self.state[site] = nearest_state(self.siemens, self.reference)[site]
        self.run_.exposed[site] = False
        if self.status[site] == CellStatus.UNWRITTEN and self.state[site] == self.target[site]:
            self.status[site] = CellStatus.OK

    def as_map(self) -> ArrayMap:
        return replace(self.reference, siemens=self.siemens, state=self.state, status=self.status)

    def _switching_volts(self) -> Floats:
        volts = np.full(self.target.shape, np.nan)
        for (site, state), size in self.switched.items():
            volts[site] = size if state == State.P else -size
        return volts

    def result(self, written: ArrayMap, reason: str) -> WriteResult:
        unwritten = tuple(Site(int(i), int(j)) for i, j in np.argwhere(written.status == CellStatus.UNWRITTEN))
        return WriteResult(
            written,
            self.target,
            unwritten,
            self.mended,
            self.run_.cost,
            reason,
            joules=self.run_.joules,
            unverified=tuple(self._exposed()),
            volts=self._switching_volts(),
            thresholds=self.thresholds,
            scheme=self.scheme,
        )


def _listed(sites: Sequence[Site]) -> str:
    """The first of them, and how many more there are."""
    named = ", ".join(f"({site.row}, {site.col})" for site in sites[:_MOST_NAMED])
    return named if len(sites) <= _MOST_NAMED else f"{named} and {len(sites) - _MOST_NAMED} more"
