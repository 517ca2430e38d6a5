"""Current through one cell at a bias beyond the read limit: from the tops of pulses, half-selected cells removed.

On the top of a V/2 pulse the driven row also feeds the other cells on it, at V/2. A second pulse with the selected
column at V/2 as well has the same current but for that of the cell, which is at V/2 too; half of the voltage is
measured in the same way, down to where a plain reading is allowed:
I(V) = I_row(V) - I_row(V, column at V/2) + I(V/2).
"""

from __future__ import annotations

import math

from mtjlab.errors import InputError
from mtjlab.nouns import Line, Lines, Reading, Site

from .characterize_run import Run

_CHANGE = 0.2
"""A row conducts otherwise if its conductance has changed by this share of a cell's on average: one cell is more."""


class TopMeter:
    """Measures one cell at any bias that pulses may have.

    What the other cells take is measured once for each bias, and anew once a cell on the row has switched, which a
    reading of the whole row after each pulse tells.

    Args:
        read_volts: up to here it is a plain reading without any pulse.
        seconds: length of a pulse beyond.
    """

    def __init__(self, run: Run, site: Site, read_volts: float, seconds: float) -> None:
        self._run, self._site = run, site
        self._read_volts, self._seconds = read_volts, seconds
        self._others: dict[float, float] = {}
        self._row_siemens = math.nan

    def siemens(self, volts: float) -> float:
        """Conductance I/V at this bias; NaN where a source limited or the ammeter was off scale."""
        return self.amps(volts) / volts

    def amps(self, volts: float, tries: int = 3) -> float:
        """Current through the cell at this bias, amperes."""
        if abs(volts) <= self._read_volts * (1 + 1e-9):
            return self._run.amps(self._site, volts) - self._run.amps(self._site, 0.0)
        row = _top(self._run.pulse(self._site, volts, self._seconds))
        if self._run.crossbar.shape[1] == 1:
            return row
        self._has_row_changed()
        others = self._amps_of_others(volts)
        if self._has_row_changed() and tries > 1:  # a cell switched between the two pulses
            return self.amps(volts, tries - 1)
        return row - others

    def _has_row_changed(self) -> bool:
        """Whether the row conducts otherwise than before; then what the other cells take is forgotten."""
        shape, row = self._run.crossbar.shape, Line("row", self._site.row)
        driven = Lines.grounded(*shape)
        driven.row_volts[self._site.row] = self._read_volts  # columns alike, which a matrix that holds lines can do
        now = -self._run.sensed(driven, row) / self._read_volts
        has_changed = not abs(now - self._row_siemens) < _CHANGE * abs(now) / shape[1]
        if has_changed:
            self._others.clear()
        self._row_siemens = now
        return has_changed

    def _amps_of_others(self, volts: float) -> float:
        if self._run.crossbar.capabilities.levels < 3:
            raise InputError(
                "the current of one cell beyond the read limit needs three levels at once",
                remedy="Add a source for the unselected lines, or stay within the read limit",
            )
        if volts not in self._others:
            lines = self._run.lines(self._site, volts)
            lines.col_volts[self._site.col] = volts / 2
            every = _top(self._run.pulse_lines(lines, self._seconds))
            self._others[volts] = every - self.amps(volts / 2)
        return self._others[volts]


def _top(reading: Reading) -> float:
    return math.nan if reading.in_compliance or reading.is_overflow else reading.amps
