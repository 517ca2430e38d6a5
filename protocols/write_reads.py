"""Reads for writing: whole looks with offsets removed, and fast ones against the middle between a cell's states."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mtjlab.nouns import ArrayMap, Line, Lines, Reading, Site, State
from mtjlab.roles import Crossbar, LineRead, LineWrite

from .readout import amps_of, cell_reads

HeardSite = Callable[[Site, float], None]


class CellReader:
    """Reads cells with their row driven and all other lines at 0 V, and remembers each one's current at 0 V.

    Args:
        reference: a map with both states.
        doubt: part of the distance between a cell's states within which a reading near the middle is made again.
        doubt_readings: how often.
    """

    def __init__(
        self, crossbar: Crossbar, reference: ArrayMap, read_volts: float, doubt: float, doubt_readings: int
    ) -> None:
        self._crossbar, self._volts = crossbar, read_volts
        self._middle = (reference.siemens_p + reference.siemens_ap) / 2
        self._near = doubt * np.abs(reference.siemens_p - reference.siemens_ap)
        self._repeats = doubt_readings
        self._zero_amps: dict[Site, float] = {}

    def look(self, sites: Iterable[Site], heard: HeardSite, *, again: bool = False) -> None:
        """Read all of these; those in doubt are read again, more precisely, and told again.

        Args:
            heard: told of each site and its conductance, siemens, as soon as it is known.
            again: a second look: currents at 0 V are those that were found before, where they were.
        """
        wanted = list(sites)
        doubtful: list[Site] = []

        def take(site: Site, siemens: float) -> None:
            heard(site, siemens)
            if abs(siemens - self._middle[site]) < self._near[site]:
                doubtful.append(site)

        self._series([(site, (site in self._zero_amps) and again) for site in wanted], take)
        for site in doubtful:
            self._precise(site, heard)

    def fast(self, row: int, cols: Sequence[int], heard: HeardSite) -> None:
        """One reading of each of these cells of one row."""
        self._series([(Site(row, col), Site(row, col) in self._zero_amps) for col in cols], heard)

    def write_request(self, site: Site, wanted: State, pulses: tuple[Lines, ...]) -> LineWrite:
        """These pulses, until a reading is on the right side of the middle between the cell's two conductances."""
        middle = float(self._middle[site]) * self._volts
        is_above = (wanted == State.P) == (self._volts > 0)
        return LineWrite(
            read=cell_reads(self._crossbar.shape, site, self._volts)[1],
            pulses=pulses,
            least_amps=middle if is_above else -np.inf,
            most_amps=np.inf if is_above else middle,
            zero_amps=self._zero_amps.get(site),
        )

    def siemens_of(self, reading: Reading) -> float:
        """Conductance from a reading whose offset has been taken off; infinite if off scale."""
        return amps_of(reading) / self._volts

    def is_in(self, site: Site, siemens: float, wanted: State) -> bool:
        """Whether a conductance is on this state's side of the middle."""
        return bool((siemens > self._middle[site]) == (wanted == State.P)) and not math.isnan(self._middle[site])

    def _series(self, sites: Sequence[tuple[Site, bool]], heard: HeardSite) -> None:
        """Reads of a row share their lines, so that a bench which senses many lines takes them at once."""
        rows: dict[int, list[tuple[Site, bool]]] = {}
        for site, has_zero in sites:
            rows.setdefault(site.row, []).append((site, has_zero))
        reads: list[LineRead] = []
        tags: list[tuple[Site, bool]] = []
        for row, own in rows.items():
            for volts in (0.0, self._volts):
                lines = _row_lines(self._crossbar.shape, row, volts)
                chosen = [site for site, has_zero in own if volts or not has_zero]
                reads += [LineRead(lines, Line("col", site.col)) for site in chosen]
                tags += [(site, volts != 0) for site in chosen]
        zeros = {site: self._zero_amps[site] for site, has_zero in sites if has_zero}
        tops: dict[Site, float] = {}

        def take(number: int, reading: Reading) -> None:
            site, is_top = tags[number]
            (tops if is_top else zeros)[site] = amps_of(reading)
            if site in zeros and site in tops:
                self._zero_amps[site] = zeros[site]
                heard(site, (tops[site] - zeros[site]) / self._volts)

        self._crossbar.measure_each(reads, heard=take)

    def _precise(self, site: Site, heard: HeardSite) -> None:
        """Several readings; their mean so far is told after each of them."""
        found: list[float] = []

        def take(site: Site, siemens: float) -> None:
            found.append(siemens)
            heard(site, float(np.mean(found)))

        for _ in range(self._repeats):
            self._series([(site, False)], take)


def _row_lines(shape: tuple[int, int], row: int, volts: float) -> Lines:
    lines = Lines.grounded(*shape)
    lines.row_volts[row] = volts
    return lines
