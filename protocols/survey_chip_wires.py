"""From what rows read together gave to cells: the wires' share removed, and the uncertainty that is left.

While one row is driven and the currents of its columns are all measured, the voltage of every cell on it follows from
these: what the row's wire drops up to it, and what its own column's wire drops below it. Columns are then not all at
the same level, and currents sneak through the cells of the other rows, 24 in parallel: these follow from the same drops
and from the conductances that the look itself gives. Second orders of small quantities are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import Bools, Floats
from mtjlab.physics.deembed import Wires

_ROUNDS = 3
_OFF_SCALE = 10.0
"""What is off scale counts, where others are corrected, with so many times the median."""


@dataclass(frozen=True)
class WireKnowledge:
    """What is known of the lines of an array.

    Attributes:
        wires: resistances; None if they are not to be removed.
        segment_sigma_ohms, line_sigma_ohms: standard uncertainties, of all segments alike and of each line.
        rows_float: whether the rows that are not driven float while one is read; else they are at 0 V.
    """

    wires: Wires | None
    segment_sigma_ohms: float
    line_sigma_ohms: float
    rows_float: bool

    def cells(self, raw: Floats, is_beside: Bools, is_alone: Bools) -> Floats:
        """Conductances behind currents per volt, both (rows, cols), siemens.

        Args:
            raw: NaN where not read, infinite where off scale; stays so.
            is_beside: cells that carried current while the others of their row were read.
            is_alone: cells that were read by themselves, with no other column connected.
        """
        if self.wires is None:
            return raw
        known = np.isfinite(raw)
        own = np.where(known, raw, 0.0)
        others = np.where(np.isposinf(raw), _OFF_SCALE * float(np.median(raw[known])), own) if known.any() else own
        drops, found = _Drops(self.wires, (raw.shape[0], raw.shape[1])), own
        for _ in range(_ROUNDS):
            sneaking = drops.sneaking(own, np.where(known, found, others), is_beside, self.rows_float)
            amps = np.where(is_alone, own, own - sneaking)
            beside = np.where(is_beside, np.where(known, amps, others), 0.0)
            along = np.where(is_alone, own * drops.alone, drops.along_rows(amps, beside))
            found = amps / (1 - along - own * drops.below)
        return np.where(known, found, raw)

    def sigma(self, siemens: Floats) -> Floats:
        """Standard uncertainty of each cell from that of the wires, siemens; every cell of a row read at once.

        What a column's level is off by acts through all of its cells, those of the rows that are not driven included.
        """
        if self.segment_sigma_ohms == 0 and self.line_sigma_ohms == 0:
            return np.zeros(siemens.shape)
        g = np.where(np.isfinite(siemens), siemens, 0.0)
        of_segments = _Drops(Wires(1.0), (g.shape[0], g.shape[1]))
        per_segment = of_segments.along_rows(g, g) + g * of_segments.below
        per_line = np.hypot(g.sum(axis=1, keepdims=True), g.sum(axis=0))
        return np.asarray(g * np.hypot(self.segment_sigma_ohms * per_segment, self.line_sigma_ohms * per_line))


class _Drops:
    """What currents per volt drop along the lines, per volt."""

    def __init__(self, wires: Wires, shape: tuple[int, int]) -> None:
        rows, cols = shape
        row_ohms = np.broadcast_to(np.asarray(wires.row_ohms, dtype=np.float64), (rows,))[:, None]
        self._col_ohms = np.broadcast_to(np.asarray(wires.col_ohms, dtype=np.float64), (cols,))
        at = 1.0 + np.arange(cols)
        self._shared = wires.segment_ohms * np.minimum(at[:, None], at[None, :])
        self.alone = wires.segment_ohms * at + row_ohms
        self._row_ohms = row_ohms
        self._rest = wires.segment_ohms * (rows - np.arange(rows, dtype=np.float64))
        self.below = self._rest[:, None] + self._col_ohms

    def along_rows(self, own: Floats, beside: Floats) -> Floats:
        """(rows, cols): the row's wire, up to each cell; `beside` are the currents that flow with those of others."""
        together = beside @ self._shared + self._row_ohms * beside.sum(axis=1, keepdims=True)
        return np.asarray(together + (own - beside) * self.alone)

    def sneaking(self, amps: Floats, siemens: Floats, is_beside: Bools, rows_float: bool) -> Floats:
        """(rows, cols): what gets into each column through the cells of the rows that are not driven.

        Columns of cells that were read apart from the driven row's others were not connected.
        """
        nearer = np.minimum(self._rest[:, None], self._rest[None, :])
        beside, others = is_beside.astype(np.float64), 1 - np.eye(amps.shape[0])
        of_rows = np.zeros(others.shape)
        if rows_float:  # each at the mean of its columns, (driven, row)
            inside = amps * beside
            volts = nearer * (inside @ siemens.T) + (inside * self._col_ohms) @ siemens.T
            whole = beside @ siemens.T
            of_rows = np.divide(volts, whole, out=of_rows, where=whole > 0)
        from_rows = (of_rows * others) @ siemens
        into_rows = amps * ((nearer * others) @ siemens + self._col_ohms * (others @ siemens))
        return np.asarray(beside * (from_rows - into_rows))
