"""Line defects: lines that touch their neighbour, and lines that are broken before or on the array."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import Bools, Floats, Line


@dataclass(frozen=True)
class LineEvidence:
    """A line defect.

    Attributes:
        kind: "open" or "short".
        line: which; a short is between it and the next.
        after_cells: an open line conducts as far as this many cells from where it is fed; 0 if it does not at all.
        measure: what was compared, in words.
        value, threshold: the two numbers that were compared, siemens, or levels in units of the other lines'.
    """

    kind: str
    line: Line
    after_cells: int
    measure: str
    value: float
    threshold: float

    def cells(self, shape: tuple[int, ...]) -> tuple[slice, slice]:
        """The cells it concerns. Rows are fed at their first column, columns at their last row."""
        number = self.line.number
        lines = slice(number, number + (2 if self.kind == "short" else 1))
        if self.line.axis == "row":
            return lines, slice(self.after_cells, shape[1])
        return slice(0, shape[0] - self.after_cells), lines


def touching_lines(row_pairs: Floats, col_pairs: Floats, threshold: float) -> list[LineEvidence]:
    """Neighbours between which more current flows than cells could carry.

    Args:
        row_pairs, col_pairs: conductance from each line to the next, siemens; NaN where not read.
        threshold: siemens.
    """
    found = []
    for axis, pairs in (("row", row_pairs), ("col", col_pairs)):
        for number in np.flatnonzero(pairs > threshold):
            line = Line(axis, int(number))
            found.append(LineEvidence("short", line, 0, "to the next line", float(pairs[number]), threshold))
    return found


def broken_lines(is_open: Bools, highest: Floats, threshold: float, least_run: int) -> list[LineEvidence]:
    """Lines at whose far end no cell conducts, the longest first; a cell that one explains counts for no other.

    Args:
        is_open: (rows, cols), cells that do not conduct.
        highest: (rows, cols), largest reading of each, siemens.
        threshold: what they stayed below, siemens.
        least_run: so many cells at the far end that nothing else explains.
    """
    explained = np.zeros(is_open.shape, dtype=np.bool_)
    found: list[LineEvidence] = []
    while True:
        runs = [(_run(is_open, explained, axis, n), axis, n) for axis, n in _lines(is_open.shape)]
        (own, length), axis, number = max(runs, key=lambda run: run[0])
        if own < least_run:
            return found
        cells = is_open.shape[1] if axis == "row" else is_open.shape[0]
        broken = LineEvidence("open", Line(axis, number), cells - length, "largest reading on it", 0.0, threshold)
        where = broken.cells(is_open.shape)
        value = float(np.nanmax(highest[where]))
        found.append(LineEvidence("open", broken.line, broken.after_cells, broken.measure, value, threshold))
        explained[where] = True


def doubled_lines(broken: Sequence[LineEvidence], in_p: Floats, threshold: float) -> list[LineEvidence]:
    """Lines that touch a dead neighbour: that one gets its current through them, so that they carry both.

    No current flows between the two then, since the dead line's own contact does not conduct; and what writes the
    cells of the one writes those of the other.

    Args:
        broken: what `broken_lines` found.
        in_p: (rows, cols), readings after every cell has been set, siemens.
        threshold: least level of such a line, in units of the median line's.
    """
    dead = {(one.line.axis, one.line.number) for one in broken if one.after_cells == 0}
    touching = []
    for axis, number in sorted(dead):
        cells = in_p if axis == "row" else in_p.T
        alive = [n for n in range(len(cells)) if (axis, n) not in dead]
        levels = {n: float(np.nanmedian(cells[n])) for n in alive if np.isfinite(cells[n]).any()}
        usual = float(np.median(list(levels.values()))) if levels else float("nan")
        for other in (number - 1, number + 1):
            if levels.get(other, 0.0) > threshold * usual:
                line = Line(axis, min(number, other))
                measure = f"level of {axis} {other} beside a dead one, in units of the others'"
                touching.append(LineEvidence("short", line, 0, measure, levels[other] / usual, threshold))
    return touching


def _lines(shape: tuple[int, ...]) -> list[tuple[str, int]]:
    return [("row", i) for i in range(shape[0])] + [("col", j) for j in range(shape[1])]


def _run(is_open: Bools, explained: Bools, axis: str, number: int) -> tuple[int, int]:
    """Open cells at the far end of a line: those that nothing explains yet, and up to the last of these."""
    cells, known = (a[number, ::-1] if axis == "row" else a[:, number] for a in (is_open, explained))
    length = int(np.argmin(cells)) if not cells.all() else cells.size
    own = np.flatnonzero(~known[:length])
    return own.size, int(own[-1]) + 1 if own.size else 0
