"""Write cells by half-select pulses, reading after each one, and look again at the neighbours that were exposed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import count

import numpy as np

from mtjlab.nouns import ArrayMap, CellStatus, Cost, Ints, Lines, Progress, Reading, Site, State, unheard
from mtjlab.roles import Crossbar, LineWrite, WriteOutcome

from .readout import READ_VOLTS, Keep, cell_reads, nearest_state, read_cells


@dataclass(frozen=True)
class WriteSettings:
    """Amplitudes and widths of the write pulses; all are assumptions for the packaged bench's device.

    Attributes:
        set_volts, reset_volts: first amplitude towards P (positive) and towards AP (applied as negative).
        step_volts: how much higher each retry is.
        most_volts: no retry goes higher.
        pulse_seconds: width.
        passes: how often exposed neighbours are read again and mended.
    """

    set_volts: float = 0.44
    reset_volts: float = 0.56
    step_volts: float = 0.04
    most_volts: float = 0.84
    pulse_seconds: float = 5e-3
    passes: int = 4

    def gently(self) -> WriteSettings:
        """For mending: from three quarters of the first amplitudes, in half steps, so that fewer neighbours are hit."""
        return replace(
            self, set_volts=0.75 * self.set_volts, reset_volts=0.75 * self.reset_volts, step_volts=self.step_volts / 2
        )

    def amplitudes(self, state: State) -> list[float]:
        """Signed amplitudes to try in turn for this target state."""
        first = self.set_volts if state == State.P else self.reset_volts
        count = int(np.floor((self.most_volts - first) / self.step_volts + 1e-9)) + 1
        sign = 1.0 if state == State.P else -1.0
        return [sign * (first + k * self.step_volts) for k in range(max(count, 1))]


@dataclass(frozen=True, eq=False)
class WriteResult:
    """What a write came to.

    Attributes:
        written: the map as last read.
        target: wanted state per cell, UNKNOWN where it did not matter.
        unwritten: cells that refused.
        mended: cells that had to be written again because a neighbour's pulses had disturbed them.
        cost: pulses, readings and bench seconds spent.
        reason: why it ended, in words.
    """

    written: ArrayMap
    target: Ints
    unwritten: tuple[Site, ...]
    mended: int
    cost: Cost
    reason: str

    @property
    def fidelity(self) -> float:
        """Fraction of the targeted cells that were last read in the wanted state."""
        asked = self.target != State.UNKNOWN
        return float((self.written.state[asked] == self.target[asked]).mean()) if asked.any() else 1.0


def pulse_cell(crossbar: Crossbar, site: Site, volts: float, seconds: float) -> Reading:
    """One half-select pulse: the cell's row at `volts`, its column at 0 V, all other lines at `volts` / 2."""
    return crossbar.pulse(half_selecting(crossbar.shape, site, volts), seconds)


def half_selecting(shape: tuple[int, int], site: Site, volts: float) -> Lines:
    """The lines of that pulse."""
    return Lines.selecting(shape, site, volts, volts / 2)


def write_verify(
    crossbar: Crossbar,
    target: Ints,
    reference: ArrayMap,
    *,
    settings: WriteSettings | None = None,
    read_volts: float = READ_VOLTS,
    progress: Progress = unheard,
    keep: Keep | None = None,
) -> WriteResult:
    """Bring every cell with a target into it.

    Each cell that is not there yet gets pulses of rising amplitude, each followed by a reading against the middle
    between the cell's two conductances, as one series that a bench may carry out by itself. Then
    every targeted cell is read again, since each has been half-selected by its neighbours' pulses, and what was
    disturbed is mended, for at most `passes` rounds. Cells that cannot be written (defects) are read and left alone.

    Args:
        target: shape (rows, cols), `State` per cell, UNKNOWN where it does not matter.
        reference: a map with both states, as `survey` gives it.
        keep: receives the map so far, also when the protocol is interrupted.

    Raises:
        LimitError: before any pulse, if the first amplitude is beyond the device's limits.
    """
    job = _Job(crossbar, target, reference, settings or WriteSettings(), read_volts, progress)
    started, is_complete = crossbar.spent, False
    try:
        reason = job.run()
        is_complete = True
    finally:
        written = replace(job.as_map(), is_partial=not is_complete)
        if keep:
            keep(written)
    unwritten = tuple(Site(int(i), int(j)) for i, j in np.argwhere(written.status == CellStatus.UNWRITTEN))
    return WriteResult(written, target, unwritten, job.mended, crossbar.spent - started, reason)


class _Job:
    """State of one write: what was last read of every cell."""

    def __init__(
        self,
        crossbar: Crossbar,
        target: Ints,
        reference: ArrayMap,
        settings: WriteSettings,
        read_volts: float,
        progress: Progress,
    ) -> None:
        self.crossbar = crossbar
        self.target = target
        self.reference = reference
        self.settings = settings
        self.read_volts = read_volts
        self.progress = progress
        self.siemens = reference.siemens.copy()
        self.state = np.asarray(reference.state).copy()
        self.status = np.asarray(reference.status).copy()
        self.zero_amps: dict[Site, float] = {}
        self.sites = [Site(int(i), int(j)) for i, j in np.argwhere(target != State.UNKNOWN)]
        self.mended = 0

    def run(self) -> str:
        for round_number in range(self.settings.passes + 1):
            wrong = self._look(self.sites, f"verifying, round {round_number}" if round_number else "reading")
            if not wrong:
                return "every writable cell is in its target state"
            if round_number == self.settings.passes:
                break
            if round_number:
                self.mended += len(wrong)
                self._write(wrong, f"mending, round {round_number}", self.settings.gently())
            else:
                self._write(wrong, "writing", self.settings)
        cells = ", ".join(f"({site.row}, {site.col})" for site in wrong)
        return f"still disturbed after {self.settings.passes} rounds: {cells}; their neighbours' pulses reach them"

    def _look(self, sites: Sequence[Site], what: str) -> list[Site]:
        """Read all sites; returns those that can be written and are not in their target state."""
        self.progress(what, 0, len(sites))
        done = count(1)

        def take(place: int, siemens: float, zero: Reading) -> None:
            site = sites[place]
            self._found(site, siemens)
            self.zero_amps[site] = zero.amps
            self.progress(what, next(done), len(sites))

        read_cells(self.crossbar, sites, self.read_volts, heard=take)
        return [s for s in sites if self.status[s] == CellStatus.OK and self.state[s] != self.target[s]]

    def _write(self, sites: Sequence[Site], what: str, settings: WriteSettings) -> None:
        # all sets, then all resets: cells already written to P see only half-selects that push towards P
        ordered = sorted(sites, key=lambda site: (self.target[site] == State.AP, site))
        self.progress(what, 0, len(ordered))

        def take(place: int, outcome: WriteOutcome) -> None:
            site = ordered[place]
            last = outcome.readings[-1]
            self._found(site, float("inf") if last.is_overflow else last.amps / self.read_volts)
            if self.state[site] != self.target[site]:
                self.status[site] = CellStatus.UNWRITTEN
            self.progress(what, place + 1, len(ordered))

        writes = [self._request(site, settings) for site in ordered]
        self.crossbar.write_each(writes, settings.pulse_seconds, heard=take)

    def _request(self, site: Site, settings: WriteSettings) -> LineWrite:
        """Pulses of rising amplitude until the current is on the right side of the middle between its two."""
        wanted = State(int(self.target[site]))
        middle = (self.reference.siemens_p[site] + self.reference.siemens_ap[site]) / 2 * self.read_volts
        is_above = (wanted == State.P) == (self.read_volts > 0)
        return LineWrite(
            read=cell_reads(self.crossbar.shape, site, self.read_volts)[1],
            pulses=tuple(half_selecting(self.crossbar.shape, site, volts) for volts in settings.amplitudes(wanted)),
            least_amps=middle if is_above else -np.inf,
            most_amps=np.inf if is_above else middle,
            zero_amps=self.zero_amps.get(site),
        )

    def _found(self, site: Site, siemens: float) -> None:
        self.siemens[site] = siemens
        self.state[site] = nearest_state(self.siemens, self.reference)[site]

    def as_map(self) -> ArrayMap:
        return replace(self.reference, siemens=self.siemens, state=self.state, status=self.status)
