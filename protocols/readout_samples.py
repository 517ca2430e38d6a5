"""Repeated readings of cells as one series, their means, and the noise that their scatter tells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import Floats, Line, Lines, Reading, Site
from mtjlab.physics.deembed import Scheme
from mtjlab.physics.line_reads import unselected_levels
from mtjlab.roles import Crossbar, LineRead

from .readout import amps_of
from .readout_noise import own_variance, pooled_variance, student_factor

_ENOUGH = 20
"""Degrees of freedom that tell a variance well enough."""


class Samples:
    """Readings of an array's cells at a few levels.

    Args:
        shape: (rows, cols).
        levels: bias of the selected cell, volts.
        scheme: what the other lines do.
    """

    def __init__(self, shape: tuple[int, int], levels: Sequence[float], scheme: Scheme) -> None:
        self.shape = shape
        self.levels = tuple(levels)
        self._rest = unselected_levels(shape, scheme)
        self._same_for_row = scheme in (Scheme.GROUNDED, Scheme.ROWS_FLOAT)
        self._lines: dict[tuple[int, float], Lines] = {}
        self.amps: dict[Site, list[list[float]]] = {}

    def take(self, crossbar: Crossbar, sites: Sequence[Site], readings: int, heard: Callable[[Site], None]) -> None:
        """Read every site so many times at each level; `heard` is told of each site that is done.

        The levels go to and fro, so that a slow drift cancels (readings at V, -V, -V, V ...).
        """
        order: list[tuple[Site, int]] = []
        together = _by_row(sites) if crossbar.capabilities.sensed_lines > 1 and self._same_for_row else None
        for group in together or [[site] for site in sites]:
            for repeat in range(readings):
                places = range(len(self.levels))
                order += [(site, k) for k in (places if repeat % 2 == 0 else reversed(places)) for site in group]
        left = dict.fromkeys(sites, readings * len(self.levels))

        def note(number: int, reading: Reading) -> None:
            site, place = order[number]
            values = self.amps.setdefault(site, [[] for _ in self.levels])
            values[place].append(float("inf") if reading.in_compliance else amps_of(reading))
            left[site] -= 1
            if not left[site]:
                heard(site)

        crossbar.measure_each([self._read(site, self.levels[k]) for site, k in order], heard=note)

    def _read(self, site: Site, volts: float) -> LineRead:
        sense = Line("col", site.col)
        if self._same_for_row:
            if (site.row, volts) not in self._lines:
                self._lines[site.row, volts] = self._applied(site, volts)
            return LineRead(self._lines[site.row, volts], sense)
        return LineRead(self._applied(site, volts), sense)

    def _applied(self, site: Site, volts: float) -> Lines:
        rows = self.shape[0]
        rest = self._rest * volts + 0.0  # no -0.0: lines are compared as they are
        lines = Lines(rest[:rows], rest[rows:])
        lines.row_volts[site.row], lines.col_volts[site.col] = volts, 0.0
        return lines

    def combined(self, weights: Sequence[float], resolution_amps: float) -> Means:
        """Weighted sums of the means at each level, of the cells that were read at all of them.

        Args:
            weights: one per level, 1/volts.
            resolution_amps: one count of the ammeter, which averaging does not divide.
        """
        done = {site: values for site, values in self.amps.items() if all(values)}
        variances, freedom = _by_level(list(done.values()), len(self.levels))
        raw, noise = np.full(self.shape, np.nan), np.full(self.shape, np.nan)
        for site, values in done.items():
            raw[site] = _sum([w * float(np.mean(group)) for w, group in zip(weights, values, strict=True)])
            parts = [
                w * w * max(own_variance(group, variance) / len(group), resolution_amps**2 / 12)
                for w, group, variance in zip(weights, values, variances, strict=True)
            ]
            noise[site] = np.sqrt(sum(parts))
        return Means(raw, noise * student_factor(freedom), freedom)


def _by_level(cells: Sequence[Sequence[Sequence[float]]], levels: int) -> tuple[list[float], int]:
    """Variance of a single reading at each level, and the degrees of freedom that all of them rest on.

    An ammeter may use another range at another level and be noisier there. Of few readings the scatter at all levels
    is taken together.
    """
    apart = [pooled_variance([values[k] for values in cells]) for k in range(levels)]
    least = min(freedom for _, freedom in apart)
    if least >= _ENOUGH:
        return [variance for variance, _ in apart], least
    variance, freedom = pooled_variance([group for values in cells for group in values])
    return [variance] * levels, freedom


@dataclass(frozen=True, eq=False)
class Means:
    """What a set of readings came to; both arrays (rows, cols), siemens, NaN where not read.

    Attributes:
        raw: current per volt; infinite where the ammeter was off scale or limited.
        noise: standard uncertainty of that by noise, such that 1.96 of them cover 95 %.
        freedom: degrees of freedom it rests on.
    """

    raw: Floats
    noise: Floats
    freedom: int


def _by_row(sites: Sequence[Site]) -> list[list[Site]]:
    rows: dict[int, list[Site]] = {}
    for site in sites:
        rows.setdefault(site.row, []).append(site)
    return list(rows.values())


def _sum(parts: Sequence[float]) -> float:
    return float("inf") if np.isinf(parts).any() else float(np.sum(parts))
