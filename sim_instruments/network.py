"""The bench's conductances with every source in one regime: factorised once, then solved for any levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lapack

from mtjlab.nouns import Floats
from mtjlab.physics import mtj
from mtjlab.physics.blas_threads import one_thread
from mtjlab.physics.crossbar import Reduction

from .components import Labels
from .die import Die

SOURCE_OHMS = 0.01
"""Output resistance of a voltage source in regulation (assumed)."""
_TOLERANCE = 1e-12
_LEAST_AMPS = 1e-15
"""Excess currents are not followed below this times the tolerance."""
_MOST_STEPS = 200
_SLOW = 0.5
"""A fixed point that does not come nearer by this factor a step is left to Newton."""


@dataclass(frozen=True)
class Drive:
    """One source that is on, in one regime.

    Attributes:
        node: where its current goes in.
        sensed: node at which it regulates volts; `node` unless it senses remotely.
        is_volts: whether it regulates volts; else it gives a current.
    """

    node: int
    sensed: int
    is_volts: bool


class Cells:
    """The die as the network sees it: a linear array and the cells that conduct otherwise under bias.

    Attributes:
        reduction: the array at zero bias, seen from its lines.
        lines: how many these are; the network's first nodes.
    """

    def __init__(self, die: Die, reduction: Reduction) -> None:
        self.reduction = reduction
        self.lines = die.description.rows + die.description.cols
        self.curved: Labels = np.flatnonzero(die.is_tunnelling & ~die.is_parallel)
        self._law = (die.siemens_p[self.curved], die.tmr[self.curved], die.description.tmr_half_volts)
        self._siemens = reduction.siemens[self.curved]
        self._to_curved = np.ascontiguousarray(reduction.to_cells[self.curved])
        self._of_curved = np.ascontiguousarray(reduction.of_cells[np.ix_(self.curved, self.curved)])

    def volts(self, line_volts: Floats, excess: Floats) -> Floats:
        """Voltage across every cell when `excess` amps flow through the curved ones beside their linear current."""
        return self.reduction.cell_volts(line_volts, self._spread(excess))

    def curved_volts(self, line_volts: Floats, excess: Floats) -> Floats:
        """The same for the curved cells alone."""
        return np.asarray(self._to_curved @ line_volts - self._of_curved @ excess)

    def line_amps(self, excess: Floats) -> Floats:
        """What the excess adds to the currents into the lines."""
        return np.asarray(excess @ self._to_curved)

    def excess(self, volts: Floats) -> Floats:
        """Amps of the curved cells beyond their linear current."""
        return mtj.excess_current(volts, *self._law)

    def excess_slope(self, volts: Floats) -> Floats:
        """Derivative of `excess`, siemens."""
        return mtj.current_slope(False, volts, *self._law) - self._siemens

    def largest_amps(self, volts: Floats) -> float:
        """Largest linear current of a curved cell."""
        return float(np.abs(volts * self._siemens).max(initial=0.0))

    def responses(self) -> tuple[Floats, Floats]:
        """(curved, lines) and (curved, curved) matrices."""
        return self._to_curved, self._of_curved

    def _spread(self, excess: Floats) -> Floats:
        full = np.zeros(self.reduction.siemens.size)
        full[self.curved] = excess
        return full


class Network:
    """One set of relays, sources and regimes.

    Args:
        matrix: nodal conductances of everything but the sources and the cells' curvature, (nodes, nodes).
        drives: the sources that are on.
        reached: nodes that matter, ascending; the others are at 0 V.
        cells: the die.

    Raises ArithmeticError if it cannot be solved.
    """

    def __init__(self, matrix: Floats, drives: Sequence[Drive], reached: Labels, cells: Cells) -> None:
        self.drives = tuple(drives)
        self._cells = cells
        self._size = matrix.shape[0]
        is_whole = reached.size == self._size
        self._reached = None if is_whole else reached
        self._has_cells = bool(reached.size) and int(reached[0]) == 0
        whole = matrix.copy(order="F")
        for drive in self.drives:
            if drive.is_volts:
                whole[drive.node, drive.sensed] += 1 / SOURCE_OHMS
        part = whole if is_whole else np.asfortranarray(whole[np.ix_(reached, reached)])
        self._is_symmetric = all(not drive.is_volts or drive.node == drive.sensed for drive in self.drives)
        with one_thread():
            self._factorise(part)

    def _factorise(self, part: Floats) -> None:
        if self._is_symmetric:
            self._factor, info = lapack.dpotrf(part, lower=1, overwrite_a=1)
        else:
            self._factor, self._pivots, info = lapack.dgetrf(part, overwrite_a=1)
        if info != 0:
            raise ArithmeticError("the bench's network cannot be solved; check the bench file's resistances")

    def _linear(self, right: Floats) -> Floats:
        if self._is_symmetric:
            return np.asarray(lapack.dpotrs(self._factor, right, lower=1)[0])
        return np.asarray(lapack.dgetrs(self._factor, self._pivots, right)[0])

    def solve(self, levels: Sequence[float]) -> tuple[Floats, Floats]:
        """Node voltages and cell voltages with each source of `drives` at its level."""
        right = np.zeros(self._size)
        for drive, level in zip(self.drives, levels, strict=True):
            right[drive.node] += level / SOURCE_OHMS if drive.is_volts else level
        if self._reached is not None:
            right = right[self._reached]
        with one_thread():
            if self._has_cells:
                part, cells = self._with_curvature(right)
            else:
                part, cells = self._linear(right), np.zeros(self._cells.reduction.siemens.size)
        if self._reached is None:
            return part, cells
        nodes = np.zeros(self._size)
        nodes[self._reached] = part
        return nodes, cells

    def _with_curvature(self, drive: Floats) -> tuple[Floats, Floats]:
        """Fixed point on the curved cells' excess currents, or Newton where cells float and that is slow."""
        cells, lines = self._cells, self._cells.lines
        nodes = self._linear(drive)
        excess = np.zeros(cells.curved.size)
        previous, enough = np.inf, -1.0
        for _ in range(_MOST_STEPS):
            across = cells.curved_volts(nodes[:lines], excess)
            wanted = cells.excess(across)
            miss = float(np.abs(wanted - excess).max(initial=0.0))
            excess = wanted
            if enough < 0:  # of the linear currents, which hardly change from here on
                enough = _TOLERANCE * max(cells.largest_amps(across), _LEAST_AMPS)
            if miss <= enough:
                return nodes, cells.volts(nodes[:lines], excess)
            if miss > _SLOW * previous:
                return self._by_newton(drive)
            previous = miss
            right = drive.copy()
            right[:lines] -= cells.line_amps(excess)
            nodes = self._linear(right)
        return self._by_newton(drive)

    def _by_newton(self, drive: Floats) -> tuple[Floats, Floats]:
        """Newton on the curved cells' voltages."""
        cells, lines = self._cells, self._cells.lines
        to_curved, of_curved = cells.responses()
        at_lines = np.zeros((self._factor.shape[0], cells.curved.size), order="F")
        at_lines[:lines] = to_curved.T
        spread = self._linear(at_lines)
        response = of_curved + to_curved @ spread[:lines]
        plain = self._linear(drive)
        linear = to_curved @ plain[:lines]
        across = linear.copy()
        excess = cells.excess(across)
        for _ in range(_MOST_STEPS):
            miss = across - linear + response @ excess
            if np.abs(miss).max() <= _TOLERANCE * max(float(np.abs(linear).max()), 1e-12):
                break
            slope = np.eye(across.size) + response * cells.excess_slope(across)[None, :]
            across = across - np.linalg.solve(slope, miss)
            excess = cells.excess(across)
        nodes = plain - spread @ excess
        return nodes, cells.volts(nodes[:lines], excess)
