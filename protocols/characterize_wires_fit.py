"""Resistance of lines and contacts from currents between lines of one kind; pure functions.

With one row at the read voltage and all other lines at 0 V, ideal wires let no current into another row. What flows
there is what the columns' own resistance lets their potential rise by: sum over j of G_ij G_kj R_j, to first order. So
the currents between rows tell the resistance of columns, those between columns that of rows, whatever the cells are,
and their dependence on the place tells the wire from the contacts. The cells are found along, from the currents into
columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from mtjlab.errors import InputError
from mtjlab.nouns import Floats, Site
from mtjlab.physics.blas_threads import one_thread
from mtjlab.physics.crossbar import reduce_array, shared_ohms
from mtjlab.physics.deembed import Wires
from mtjlab.short_words import in_short

from .characterize_estimates import CONFIDENCE, Estimate

_STEPS = 4
_CELL_STEPS = 5
_NUDGE_OHMS = 0.05


@dataclass(frozen=True, eq=False)
class LineReads:
    """Current out of a line at 0 V per volt on another one, all others at 0 V too; NaN where it was not measured.

    Attributes:
        transfer: (rows, cols), into column j per volt on row i.
        between_rows: (rows, rows), into row k per volt on row i.
        between_cols: (cols, cols), likewise.
    """

    transfer: Floats
    between_rows: Floats
    between_cols: Floats


@dataclass(frozen=True, eq=False)
class WireFit:
    """Resistances, with intervals from what the fit leaves.

    Attributes:
        segment_ohms: wire between neighbouring cells.
        row_ohms, col_ohms: in series with each row and column, or one value for all of them.
        siemens: (rows, cols), the cells behind the wires.
        deviation: root mean square of what is left of the currents between lines, siemens.
    """

    __repr__ = in_short

    segment_ohms: Estimate
    row_ohms: tuple[Estimate, ...]
    col_ohms: tuple[Estimate, ...]
    siemens: Floats
    deviation: float

    @property
    def wires(self) -> Wires:
        """As `mtjlab.physics.deembed` takes them."""
        rows, cols = (np.array([each.value for each in ohms]) for ohms in (self.row_ohms, self.col_ohms))
        return Wires(self.segment_ohms.value, rows if rows.size > 1 else rows[0], cols if cols.size > 1 else cols[0])


def fit_wires(reads: LineReads, *, each_line: bool = False, confidence: float = CONFIDENCE) -> WireFit:
    """Least squares on the exact network (Gauss-Newton); the cells are those that make the currents into columns.

    Args:
        each_line: find the series resistance of each line by itself. That needs cells in both states side by side:
            like cells everywhere tell the mean only, and the intervals say so.

    Raises InputError if currents into columns are missing, or fewer others were measured than there are resistances.
    """
    if not np.isfinite(reads.transfer).all():
        raise InputError("the current from each row into each column is needed", remedy="Read the whole array")
    problem = _Problem(reads, each_line)
    ohms = np.zeros(problem.unknowns)
    with one_thread():
        for _ in range(_STEPS):
            residual, slopes = problem.linearised(ohms)
            ohms = ohms - np.linalg.lstsq(slopes, residual, rcond=None)[0]
        residual, slopes = problem.linearised(ohms)
        cells = problem.cells(ohms)
    freedom = residual.size - ohms.size
    covariance = np.linalg.pinv(slopes.T @ slopes) * float(residual @ residual) / freedom
    wide = student.ppf((1 + confidence) / 2, freedom) * np.sqrt(np.diag(covariance))
    found = [Estimate(float(x), float(x - w), float(x + w)) for x, w in zip(ohms, wide, strict=True)]
    split = 1 + (reads.transfer.shape[0] if each_line else 1)
    deviation = float(np.sqrt(np.mean(residual**2)))
    return WireFit(found[0], tuple(found[1:split]), tuple(found[split:]), cells, deviation)


def reaching_share(siemens: Floats, site: Site, wires: Wires, unselected: float = 0.5) -> float:
    """Share of a pulse on the lines that reaches the selected cell, exact for cells that do not depend on bias.

    Args:
        siemens: (rows, cols), cells in the states they have during the pulse.
        unselected: level of the unselected lines over that of the pulse.
    """
    rows, cols = siemens.shape
    volts = np.full(rows + cols, unselected)
    volts[site.row], volts[rows + site.col] = 1.0, 0.0
    ohms = shared_ohms(rows, cols, wires.segment_ohms, wires.row_ohms, wires.col_ohms)
    with one_thread():
        across = reduce_array(siemens, ohms).to_cells @ volts
    return float(across.reshape(rows, cols)[site])


class _Problem:
    """Currents between lines of one kind as functions of the resistances (segment, rows, columns)."""

    def __init__(self, reads: LineReads, each_line: bool) -> None:
        self._reads, self._each_line = reads, each_line
        self._rows, self._cols = reads.transfer.shape
        self.unknowns = 1 + (self._rows + self._cols if each_line else 2)
        self._is_read = [np.isfinite(block) for block in (reads.between_rows, reads.between_cols)]
        count = sum(int(mask.sum()) for mask in self._is_read)
        if count <= self.unknowns:
            raise InputError(f"{count} currents between lines cannot tell {self.unknowns} resistances")

    def linearised(self, ohms: Floats) -> tuple[Floats, Floats]:
        """Modelled less measured currents per volt, and their change per ohm."""
        here = self._residual(ohms)
        nudges = _NUDGE_OHMS * np.eye(self.unknowns)
        return here, np.stack([(self._residual(ohms + nudge) - here) / _NUDGE_OHMS for nudge in nudges], axis=1)

    def cells(self, ohms: Floats) -> Floats:
        """Cells that make the measured currents into columns with these wires."""
        return self._solved(ohms)[0]

    def _residual(self, ohms: Floats) -> Floats:
        _, ports = self._solved(ohms)
        blocks = (-ports[: self._rows, : self._rows], -ports[self._rows :, self._rows :])
        measured = (self._reads.between_rows, self._reads.between_cols)
        parts = [(b - m)[mask] for b, m, mask in zip(blocks, measured, self._is_read, strict=True)]
        return np.concatenate(parts)

    def _solved(self, ohms: Floats) -> tuple[Floats, Floats]:
        split = 1 + (self._rows if self._each_line else 1)
        rows, cols = (part if self._each_line else part[0] for part in (ohms[1:split], ohms[split:]))
        shared = shared_ohms(self._rows, self._cols, float(ohms[0]), rows, cols)
        siemens = self._reads.transfer
        for _ in range(_CELL_STEPS):  # the wires take a few percent, so each step leaves a few percent of the error
            ports = reduce_array(siemens, shared).port_siemens
            siemens = siemens + self._reads.transfer + ports[: self._rows, self._rows :]
        return siemens, reduce_array(siemens, shared).port_siemens
