"""How many pulses each cell has had in a run, and how many of a series it may still get."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from .bench_plan import selected_sites
from .errors import BudgetError, LimitError
from .limits import DeviceLimits
from .nouns import Lines, Site
from .roles import LineWrite


class PulseBudget:
    """Counts pulses cell by cell, and those of negative polarity apart where their limit is another."""

    def __init__(self, limits: DeviceLimits) -> None:
        self._limits = limits
        self._given: Counter[Site] = Counter()
        self._negative: Counter[Site] = Counter()

    def take(self, lines: Lines) -> None:
        """One more pulse will be given; raises BudgetError, and counts nothing, if a selected cell has had all its."""
        sites = selected_sites(lines)
        for site, volts in sites:
            self._check(site, self._given[site], self._limits.pulses_per_cell, "")
            if volts < 0:
                self._check(site, self._negative[site], self._limits.most_pulses(volts), "negative")
        self._add(sites, 1)

    def takes(self, lines: Lines) -> bool:
        """`take`, but False instead of BudgetError."""
        try:
            self.take(lines)
        except BudgetError:
            return False
        return True

    def count(self, pulses: Iterable[Lines], each: int = 1) -> None:
        """These pulses are given, or, with -1, are not given after all."""
        for lines in pulses:
            self._add(selected_sites(lines), each)

    def allowed(self, writes: Sequence[LineWrite], seconds: float) -> list[LineWrite]:
        """These writes with as many of their pulses as limits and budgets allow if all of the others are given."""
        taken: list[Lines] = []
        found = [replace(write, pulses=tuple(self._taken(write.pulses, seconds, taken))) for write in writes]
        self.count(taken, -1)
        return found

    def _taken(self, pulses: Iterable[Lines], seconds: float, taken: list[Lines]) -> Iterator[Lines]:
        try:
            for lines in pulses:
                self._limits.check_pulse_bounds(lines.cell_volts_bounds, seconds)
                self.take(lines)
                taken.append(lines)
                yield lines
        except LimitError:
            return

    def _add(self, sites: Iterable[tuple[Site, float]], pulses: int) -> None:
        for site, volts in sites:
            self._given[site] += pulses
            self._negative[site] += pulses if volts < 0 else 0

    def _check(self, site: Site, given: int, most: int, polarity: str) -> None:
        if given >= most:
            raise BudgetError(
                f"cell {tuple(site)} has had its {most} {polarity}{' ' if polarity else ''}pulses",
                where=f"device.limits.pulses_per_cell{'_' if polarity else ''}{polarity}",
                remedy="Mark the cell as bad, or have an engineer raise the limit in the wiring file",
            )
