"""The exact network of a die whose every line is driven through its contact: line currents and cell voltages.

With L the line voltages, e the current of each cell beyond its zero-bias conductance times its voltage, and the
reduction v = A L - C e of `physics/crossbar.py`, Kirchhoff's law at the lines reads

    (Y + G_c + S) L = G_c V - A' e      Y port matrix, G_c contacts, S lines that touch, V levels of the sources

and e, which depends on v, is found by iteration: it is a few per cent of the current at read voltages.
"""

from __future__ import annotations

import numpy as np

from mtjlab.errors import InstrumentError
from mtjlab.nouns import Floats
from mtjlab.physics import mtj
from mtjlab.physics.crossbar import Reduction, reduce_array, shared_ohms

from .die import Die

_MOST_ROUNDS = 60
_RELATIVE = 1e-8


class ArrayNetwork:
    """Solves drives of all lines at once; follows the die's cells by `cell_changed`.

    Args:
        die: up to `physics.crossbar.DENSE_CELLS` cells.
    """

    def __init__(self, die: Die) -> None:
        self._die = die
        d = die.description
        ohms = shared_ohms(d.rows, d.cols, d.segment_ohms)
        self._reduction = reduce_array(die.siemens().reshape(d.rows, d.cols), ohms)
        self._contacts = 1 / die.contact_ohms
        self._touching = _touching(die)
        self._solver: _Solver | None = None
        self._bounds: dict[float, float] = {}

    def cell_changed(self, index: int) -> None:
        """A cell has another conductance now."""
        self._reduction = self._reduction.with_cell(index, float(self._die.siemens()[index]))
        self._solver = None

    def line_amps(self, levels: Floats) -> Floats:
        """Amps from the sources into the lines, shape (patterns, lines); `levels` (patterns, lines), volts."""
        return np.asarray(self._contacts * (levels - self._solve(levels)[0].T))

    def cell_volts(self, levels: Floats) -> Floats:
        """Volts across every cell, row-major, for one pattern (lines,)."""
        lines, excess = self._solve(levels[None])
        curved = self._solver.curved if self._solver else slice(0)
        return np.asarray(self._reduction.to_cells @ lines - self._reduction.of_cells[:, curved] @ excess)[:, 0]

    def rate_bound(self, volts: float) -> float:
        """At least the rate of all events, 1/s, while no cell sees more than so many volts, whatever its state."""
        if volts not in self._bounds:
            die = self._die
            full = np.full(die.kind.size, volts)
            drives = [
                mtj.drive(is_parallel, sign * full, die.set_volts, die.reset_volts)
                for is_parallel in (True, False)
                for sign in (1, -1)
            ]
            worst = np.maximum.reduce(
                [mtj.switching_rate(drive, die.delta, die.description.damping_seconds) for drive in drives]
            )
            self._bounds[volts] = float((worst + die.breakdown_rates(full)).sum())
        return self._bounds[volts]

    def _solve(self, levels: Floats) -> tuple[Floats, Floats]:
        """(line volts, excess amps of the curved cells), patterns as columns."""
        if self._solver is None:
            self._solver = _Solver(self._die, self._reduction, np.diag(self._contacts) + self._touching)
        return self._solver.solve(self._contacts[:, None] * levels.T)


class _Solver:
    """What is worth keeping while no cell changes its state.

    Attributes:
        curved: cells whose conductance depends on bias: antiparallel junctions, whose TMR falls with it.
    """

    def __init__(self, die: Die, reduction: Reduction, at_lines: Floats) -> None:
        self.curved = np.flatnonzero(die.is_tunnelling & ~die.is_parallel)
        self._inverse = np.linalg.inv(reduction.port_siemens + at_lines)
        self._to_curved = reduction.to_cells[self.curved]
        self._of_curved = reduction.of_cells[np.ix_(self.curved, self.curved)]
        self._law = (die.siemens_p[self.curved, None], die.tmr[self.curved, None], die.description.tmr_half_volts)

    def solve(self, pushed: Floats) -> tuple[Floats, Floats]:
        """(line volts, excess amps of the curved cells) for currents pushed into the lines, patterns as columns."""
        driven = lines = self._inverse @ pushed
        volts = self._to_curved @ driven
        least = _RELATIVE * max(float(np.abs(driven).max(initial=0.0)), 1e-12)
        for _ in range(_MOST_ROUNDS):
            excess = mtj.excess_current(volts, *self._law)
            lines = driven - self._inverse @ (self._to_curved.T @ excess)
            found = self._to_curved @ lines - self._of_curved @ excess
            change = float(np.abs(found - volts).max(initial=0.0))
            volts = found
            if change < least:
                return lines, excess
        raise InstrumentError("the simulated array does not settle", remedy="Lower the wire resistance or the voltage")


def _touching(die: Die) -> Floats:
    """Conductances between lines that touch, as a nodal matrix over rows, then columns."""
    lines = die.description.rows + die.description.cols
    matrix = np.zeros((lines, lines))
    for defect in (defect for defect in die.line_defects if defect.kind == "short"):
        line = defect.line + (0 if defect.axis == "row" else die.description.rows)
        pair = np.ix_([line, line + 1], [line, line + 1])
        matrix[pair] += np.array([[1.0, -1.0], [-1.0, 1.0]]) / defect.ohms
    return matrix
