"""What a classification reads: the whole array several times over, each cell in both states, neighbouring lines."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field

import numpy as np

from mtjlab.errors import BudgetError, LimitError
from mtjlab.nouns import Floats, Line, Lines, Progress, Site, State
from mtjlab.physics.deembed import Scheme
from mtjlab.roles import Crossbar, LineRead

from .readout import READ_VOLTS, all_sites, amps_of
from .readout_samples import Samples
from .write_verify import WriteSettings, pulse_cell

LOOKS = ("as found", "in P", "after half of a reset", "in AP", "after half of a set")
"""The whole-array reads in the order in which they are made."""


@dataclass(frozen=True)
class ClassifySettings:
    """How cells are exercised and how often they are read.

    Attributes:
        write: amplitudes and width of the pulses.
        read_volts: bias of the reads, of either polarity in turn.
        repeats: readings per polarity in each look at the array.
        dead_ratio, dead_fraction: cells that conduct more than this many times the median as found, or less than this
            fraction of it, get no pulse.
        least_step: two reads that differ by this fraction show a cell that switches; pulses then need not rise.
        exposures: half-select pulses that every cell gets in each direction.
    """

    write: WriteSettings = field(default_factory=WriteSettings)
    read_volts: float = READ_VOLTS
    repeats: int = 2
    dead_ratio: float = 3.0
    dead_fraction: float = 0.2
    least_step: float = 0.08
    exposures: int = 5


@dataclass(frozen=True, eq=False)
class ClassifyReads:
    """Everything that was read; siemens, NaN where not read, infinite where off scale.

    Attributes:
        plus, minus: (looks, repeats, rows, cols), at either polarity, in the order of `LOOKS`.
        in_p, in_ap: (rows, cols), each cell right after its last set and reset pulse.
        set_volts, reset_volts: (rows, cols), amplitudes of these.
        row_pairs, col_pairs: (rows - 1,), (cols - 1,), from each line to the next.
    """

    plus: Floats
    minus: Floats
    in_p: Floats
    in_ap: Floats
    set_volts: Floats
    reset_volts: Floats
    row_pairs: Floats
    col_pairs: Floats

    @classmethod
    def blank(cls, shape: tuple[int, int], repeats: int) -> ClassifyReads:
        """Nothing read yet."""
        rows, cols = shape
        looks = (len(LOOKS), repeats, rows, cols)
        sizes = (looks, looks, shape, shape, shape, shape, (max(rows - 1, 0),), (max(cols - 1, 0),))
        return cls(*[np.full(size, np.nan) for size in sizes])

    def look(self, name: str) -> Floats:
        """(rows, cols), mean of one look."""
        number = LOOKS.index(name)
        return np.asarray((self.plus[number].mean(axis=0) + self.minus[number].mean(axis=0)) / 2)


class Reader:
    """Fills a `ClassifyReads`; what it has at any time can be classified."""

    def __init__(self, crossbar: Crossbar, settings: ClassifySettings, progress: Progress) -> None:
        self.crossbar, self.settings, self.progress = crossbar, settings, progress
        self.reads = ClassifyReads.blank(crossbar.shape, settings.repeats)
        self.sites = all_sites(crossbar.shape)

    def run(self) -> None:
        """All reads and pulses. Cells end in AP as far as they can."""
        self._look("as found")
        self._pairs()
        alive = [site for site in self.sites if not self._is_dead(site)]
        self._exercise(alive)
        self._look("in P")
        self._half_select(-self._typical(self.reads.reset_volts) / 2)
        self._look("after half of a reset")
        self._reset(alive)
        self._look("in AP")
        self._reset_again(alive)
        self._half_select(self._typical(self.reads.set_volts) / 2)
        self._look("after half of a set")

    def _look(self, name: str) -> None:
        volts, number = self.settings.read_volts, LOOKS.index(name)
        samples = Samples(self.crossbar.shape, (volts, -volts), Scheme.GROUNDED)
        done = 0
        self.progress(f"looking, {name}", 0, len(self.sites))

        def heard(site: Site) -> None:
            nonlocal done
            done += 1
            levels = zip((self.reads.plus, self.reads.minus), (volts, -volts), samples.amps[site], strict=True)
            for polarity, level, values in levels:
                amps = np.array(values)
                polarity[(number, slice(None), *site)] = np.where(np.isinf(amps), np.inf, amps / level)
            self.progress(f"looking, {name}", done, len(self.sites))

        samples.take(self.crossbar, self.sites, self.settings.repeats, heard)

    def _pairs(self) -> None:
        """From each line to the next, all others grounded: through the array hardly any current flows."""
        for axis, found in (("row", self.reads.row_pairs), ("col", self.reads.col_pairs)):
            for number in range(found.size):
                found[number] = self._between(Line(axis, number), Line(axis, number + 1))

    def _between(self, driven: Line, sensed: Line) -> float:
        reads = []
        for volts in (0.0, self.settings.read_volts):
            lines = Lines.grounded(*self.crossbar.shape)
            (lines.row_volts if driven.axis == "row" else lines.col_volts)[driven.number] = volts
            reads.append(LineRead(lines, sensed))
        at_zero, at_volts = self.crossbar.measure_each(reads)
        if at_volts.in_compliance:
            return float("inf")
        return (amps_of(at_volts) - amps_of(at_zero)) / self.settings.read_volts

    def _is_dead(self, site: Site) -> bool:
        found = self.reads.look("as found")
        typical = float(np.nanmedian(found))
        return not self.settings.dead_fraction * typical <= found[site] <= self.settings.dead_ratio * typical

    def _exercise(self, sites: list[Site]) -> None:
        self.progress("exercising", 0, len(sites))
        for done, site in enumerate(sites):
            self._exercise_one(site)
            self.progress("exercising", done + 1, len(sites))

    def _exercise_one(self, site: Site) -> None:
        """Reset and set, higher each time, until the two differ; ends in P."""
        write, reads = self.settings.write, self.reads
        resets, sets = write.amplitudes(State.AP), write.amplitudes(State.P)
        for attempt in range(max(len(resets), len(sets))):
            down, up = resets[min(attempt, len(resets) - 1)], sets[min(attempt, len(sets) - 1)]
            try:
                pulse_cell(self.crossbar, site, down, write.pulse_seconds)
                ap = self._read(site)
                pulse_cell(self.crossbar, site, up, write.pulse_seconds)
            except BudgetError:
                return
            except LimitError:
                if attempt == 0:
                    raise
                return
            reads.in_ap[site], reads.in_p[site] = ap, self._read(site)
            reads.reset_volts[site], reads.set_volts[site] = -down, up
            if reads.in_p[site] > (1 + self.settings.least_step) * ap:
                return

    def _read(self, site: Site) -> float:
        volts = self.settings.read_volts
        samples = Samples(self.crossbar.shape, (volts, -volts), Scheme.GROUNDED)
        samples.take(self.crossbar, [site], 1, lambda _: None)
        plus, minus = (values[0] for values in samples.amps[site])
        return float("inf") if np.isinf([plus, minus]).any() else (plus - minus) / (2 * volts)

    def _typical(self, volts: Floats) -> float:
        return float(np.nanmedian(volts)) if np.isfinite(volts).any() else 0.0

    def _half_select(self, volts: float) -> None:
        """Every cell of one row after the other sees half of what writes a typical cell, as from its neighbours.

        A row with a cell that may get no more pulses is left out.
        """
        rows = self.crossbar.shape[0]
        self.progress("half-selecting", 0, rows)
        for row in range(rows):
            lines = Lines.grounded(*self.crossbar.shape)
            lines.row_volts[row] = volts
            with suppress(BudgetError):
                for _ in range(self.settings.exposures if volts else 0):
                    self.crossbar.pulse(lines, self.settings.write.pulse_seconds)
            self.progress("half-selecting", row + 1, rows)

    def _reset(self, sites: list[Site]) -> None:
        """Once with what reset each cell before."""
        self.progress("resetting", 0, len(sites))
        for done, site in enumerate(sites):
            volts = float(self.reads.reset_volts[site])
            if np.isfinite(volts):
                with suppress(BudgetError):
                    pulse_cell(self.crossbar, site, -volts, self.settings.write.pulse_seconds)
            self.progress("resetting", done + 1, len(sites))

    def _reset_again(self, sites: list[Site]) -> None:
        """Higher, for the few that did not follow."""
        reads, write = self.reads, self.settings.write
        with np.errstate(invalid="ignore"):
            switches = reads.in_p > (1 + self.settings.least_step) * reads.in_ap
            middle = (reads.in_p + reads.in_ap) / 2
            wrong = switches & (reads.look("in AP") > middle)
        for site in (site for site in sites if wrong[site]):
            with suppress(LimitError):
                for volts in write.amplitudes(State.AP):
                    pulse_cell(self.crossbar, site, volts, write.pulse_seconds)
                    if self._read(site) < middle[site]:
                        break
