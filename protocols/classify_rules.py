"""From what was read of an array to what is wrong with it: pure rules, thresholds from the population itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from mtjlab.nouns import Bools, CellStatus, Floats, Ints, Site

from .classify_levels import Levels as Levels
from .classify_levels import levels_of, median_of, typical_siemens
from .classify_lines import LineEvidence, broken_lines, doubled_lines, touching_lines
from .classify_reads import LOOKS, ClassifyReads

_EXPOSURES = ((LOOKS[1], LOOKS[2], -1), (LOOKS[3], LOOKS[4], 1))
"""Looks before and after half-selection, and the sign of the change that would be a disturbed cell's."""


@dataclass(frozen=True)
class ClassThresholds:
    """Where the classes part; the same for every die, relative to what its own cells are like.

    A row's two levels are the medians of its cells that switch, since rows may hold junctions of different sizes; a
    row with fewer than `least_in_row` of them takes the array's.

    Attributes:
        short: least conductance, in units of the row's P level.
        open: largest conductance, in units of the array's typical cell.
        stuck_tmr: a TMR below this is none.
        noise_sigmas: likewise a difference of less than this many standard deviations of the noise.
        low_tmr_sigmas, low_tmr_fraction: a low TMR is below the array's median by so many robust standard deviations
            and by this fraction of the median; the cell's states must also be nearer to each other by this fraction
            than the row's levels, since current that sneaks through shorts adds to both and makes the ratio small.
        jump: part of the distance between the row's levels by which a reading must differ from another to count as a
            change of state.
        unstable_looks: in how many looks readings must disagree among themselves.
        line_short: least conductance between neighbouring lines, in units of the array's P level.
        dead_and_double: a line beside a dead one that conducts so many times what others do carries both: they touch.
        least_run: so many open cells at the far end of a line are a broken line; fewer are open cells.
        least_in_row: see above.
    """

    short: float = 3.0
    open: float = 0.2
    stuck_tmr: float = 0.08
    noise_sigmas: float = 6.0
    low_tmr_sigmas: float = 6.0
    low_tmr_fraction: float = 0.25
    jump: float = 0.3
    unstable_looks: int = 2
    line_short: float = 10.0
    dead_and_double: float = 1.5
    least_run: int = 4
    least_in_row: int = 4


@dataclass(frozen=True)
class CellEvidence:
    """Why a cell is not OK.

    Attributes:
        site, status: which, and what it is.
        measure: what was compared, in words.
        value, threshold: the two numbers that were compared, in the same unit.
        reads: the readings behind it, siemens, by what they are.
    """

    site: Site
    status: CellStatus
    measure: str
    value: float
    threshold: float
    reads: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Verdict:
    """Status of every cell with the evidence of those that are not OK, line defects, and the levels behind them."""

    status: Ints
    cells: tuple[CellEvidence, ...]
    lines: tuple[LineEvidence, ...]
    levels: Levels


def judge(reads: ClassifyReads, thresholds: ClassThresholds | None = None) -> Verdict:
    """Classify; cells that were not read in both states are left UNREAD unless one reading tells."""
    limits = thresholds or ClassThresholds()
    lowest, highest = _extremes(reads)
    typical = typical_siemens(reads.look("as found"), limits)
    is_open = highest < limits.open * typical
    broken = broken_lines(is_open, highest, limits.open * typical, limits.least_run)
    lines = (
        *touching_lines(reads.row_pairs, reads.col_pairs, _p_level(reads, typical, limits) * limits.line_short),
        *doubled_lines(broken, reads.look("in P"), limits.dead_and_double),
        *broken,
    )
    by_line = _line_status(is_open.shape, lines)
    levels = levels_of(reads, typical, by_line == CellStatus.UNREAD, limits)
    rules = _Rules(reads, levels, limits, lowest, highest)
    status, cells, is_ok = by_line.copy(), [], rules.are_ok()
    status[(by_line == CellStatus.UNREAD) & is_ok] = CellStatus.OK
    for site in (Site(int(i), int(j)) for i, j in np.argwhere((by_line == CellStatus.UNREAD) & ~is_ok)):
        found = rules.cell(site)
        status[site] = found if isinstance(found, CellStatus) else found.status
        if isinstance(found, CellEvidence):
            cells.append(found)
    return Verdict(status, tuple(cells), lines, levels)


def _extremes(reads: ClassifyReads) -> tuple[Floats, Floats]:
    """Smallest and largest reading of every cell; NaN without any."""
    every = np.concatenate([*reads.plus, *reads.minus, reads.in_p[None], reads.in_ap[None]])
    is_read = ~np.isnan(every)
    lowest = np.where(is_read, every, np.inf).min(axis=0)
    highest = np.where(is_read, every, -np.inf).max(axis=0)
    none = ~is_read.any(axis=0)
    return np.where(none, np.nan, lowest), np.where(none, np.nan, highest)


def _p_level(reads: ClassifyReads, typical: float, limits: ClassThresholds) -> float:
    kept = reads.in_p[np.isfinite(reads.in_p) & (reads.in_p < limits.short * typical)]
    return float(np.median(kept)) if kept.size else typical


def _line_status(shape: tuple[int, ...], lines: Iterable[LineEvidence]) -> Ints:
    """What the line defects alone make of the cells; UNREAD where they say nothing."""
    status = np.full(shape, CellStatus.UNREAD, dtype=np.int8)
    for found in lines:
        status[found.cells(shape)] = CellStatus.LINE_SHORT if found.kind == "short" else CellStatus.LINE_OPEN
    return status


class _Rules:
    """The rules, in the order in which they are asked."""

    def __init__(
        self, reads: ClassifyReads, levels: Levels, limits: ClassThresholds, lowest: Floats, highest: Floats
    ) -> None:
        self.reads, self.levels, self.limits = reads, levels, limits
        self.lowest, self.highest = lowest, highest
        self.looks = {name: reads.look(name) for name in LOOKS}
        both = np.stack([reads.plus, reads.minus])
        with np.errstate(invalid="ignore"):  # off scale is infinite
            asymmetry = reads.plus.mean(axis=1) - reads.minus.mean(axis=1)
            self.scatter = (both.max(axis=2) - both.min(axis=2)).max(axis=0)
        offsets = np.array([median_of(one[np.isfinite(one)], 0.0) for one in asymmetry])
        self.asymmetry = np.abs(asymmetry - offsets[:, None, None])

    def are_ok(self) -> Bools:
        """(rows, cols): cells for which `cell` says OK, all at once; nearly all of an array are."""
        reads, levels, limits = self.reads, self.levels, self.limits
        short = limits.short * levels.p
        with np.errstate(invalid="ignore", divide="ignore"):
            is_fault = (self.lowest > short) | (self.highest < limits.open * levels.typical)
            is_fault |= self._last_looks() > short
            is_fault |= np.isnan(self.highest) | np.isnan(reads.in_p) | np.isnan(reads.in_ap)
            gap, level_gap = reads.in_p - reads.in_ap, levels.p - levels.ap
            tmr = reads.in_p / reads.in_ap - 1
            noise = limits.noise_sigmas * levels.noise
            is_fault |= tmr < np.fmax(limits.stuck_tmr, noise * np.sqrt(2) / reads.in_ap)
            is_fault |= (tmr < self._low_tmr()) & (gap < (1 - limits.low_tmr_fraction) * level_gap)
            for before, after, sign in _EXPOSURES:
                is_fault |= sign * (self.looks[after] - self.looks[before]) > gap / 2
        return ~(is_fault | self._are_unstable(np.fmax(limits.jump * level_gap, noise * 2)))

    def _are_unstable(self, jump: Floats) -> Bools:
        """(rows, cols), as `_unstable` has it."""
        most = np.maximum(self.asymmetry, self.scatter)
        is_seen = np.isfinite(most)
        disagreeing = (is_seen & (most > jump)).sum(axis=0)
        return np.asarray(disagreeing >= np.clip(is_seen.sum(axis=0), 1, self.limits.unstable_looks))

    def _last_looks(self) -> Floats:
        """(rows, cols), as `last` has it."""
        found = np.full(self.highest.shape, np.nan)
        for name in LOOKS:
            found = np.where(np.isnan(self.looks[name]), found, self.looks[name])
        return found

    def _low_tmr(self) -> float:
        levels, limits = self.levels, self.limits
        return levels.tmr - max(limits.low_tmr_sigmas * levels.tmr_sigma, limits.low_tmr_fraction * levels.tmr)

    def cell(self, site: Site) -> CellEvidence | CellStatus:
        """The first rule that holds; OK if none does, UNREAD if too little was read."""
        if np.isnan(self.highest[site]):
            return CellStatus.UNREAD
        p_level, ap_level = float(self.levels.p[site.row, 0]), float(self.levels.ap[site.row, 0])
        short, is_open = self.limits.short * p_level, self.limits.open * self.levels.typical
        if self.lowest[site] > short:
            return self._evidence(site, CellStatus.SHORT, "smallest reading, siemens", self.lowest[site], short)
        if self.highest[site] < is_open:
            return self._evidence(site, CellStatus.OPEN, "largest reading, siemens", self.highest[site], is_open)
        last = self.last(site)
        if last > short:
            return self._evidence(site, CellStatus.SHORT, "last reading, siemens", last, short)
        if np.isnan(self.reads.in_p[site]) or np.isnan(self.reads.in_ap[site]):
            return CellStatus.UNREAD
        return self._unstable(site, p_level - ap_level) or self._of_states(site, p_level, ap_level)

    def last(self, site: Site) -> float:
        """Mean of the last look that reached the cell."""
        seen = [self.looks[name][site] for name in LOOKS if not np.isnan(self.looks[name][site])]
        return float(seen[-1]) if seen else float("nan")

    def _unstable(self, site: Site, gap: float) -> CellEvidence | None:
        """Readings of one look that disagree: of one polarity among themselves, or of the two polarities.

        A read's own current holds a cell with little stability in one state at each polarity (spin torque), so that
        telegraph noise shows as a conductance that depends on the sign.
        """
        jump = max(self.limits.jump * gap, self.limits.noise_sigmas * 2 * self.levels.noise)
        most = np.maximum(self.asymmetry[:, site.row, site.col], self.scatter[:, site.row, site.col])
        seen = most[np.isfinite(most)]
        disagreeing = int((seen > jump).sum())
        if disagreeing < min(self.limits.unstable_looks, max(seen.size, 1)):
            return None
        measure = f"largest difference within a look, siemens; in {disagreeing} of {seen.size} looks"
        return self._evidence(site, CellStatus.UNSTABLE, measure, float(seen.max()), jump)

    def _of_states(self, site: Site, p_level: float, ap_level: float) -> CellEvidence | CellStatus:
        p, ap = float(self.reads.in_p[site]), float(self.reads.in_ap[site])
        least = max(self.limits.stuck_tmr, self.limits.noise_sigmas * self.levels.noise * np.sqrt(2) / ap)
        tmr = p / ap - 1
        if tmr < least:
            middle = float(np.sqrt(p_level * ap_level))
            stuck = CellStatus.STUCK_P if (p + ap) / 2 > middle else CellStatus.STUCK_AP
            return self._evidence(site, stuck, "TMR", tmr, float(least))
        low = self._low_tmr()
        if tmr < low and p - ap < (1 - self.limits.low_tmr_fraction) * (p_level - ap_level):
            return self._evidence(site, CellStatus.LOW_TMR, "TMR", tmr, low)
        return self._disturbed(site, p - ap) or CellStatus.OK

    def _disturbed(self, site: Site, gap: float) -> CellEvidence | None:
        for before, after, sign in _EXPOSURES:
            change = sign * float(self.looks[after][site] - self.looks[before][site])
            if change > gap / 2:
                measure = f"change from '{before}' to '{after}', siemens"
                return self._evidence(site, CellStatus.DISTURBED, measure, change, gap / 2)
        return None

    def _evidence(self, site: Site, status: CellStatus, measure: str, value: float, threshold: float) -> CellEvidence:
        reads = {name: float(look[site]) for name, look in self.looks.items() if not np.isnan(look[site])}
        own = {"after a set": float(self.reads.in_p[site]), "after a reset": float(self.reads.in_ap[site])}
        reads |= {name: value for name, value in own.items() if not np.isnan(value)}
        return CellEvidence(site, status, measure, float(value), float(threshold), reads)
