"""The bench's network around an array too large for dense matrices over its cells, with the surface of `Network`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.linalg import lapack

from mtjlab.nouns import Floats
from mtjlab.physics import mtj
from mtjlab.physics.blas_threads import one_thread
from mtjlab.physics.crossbar_circuit import ArrayInCircuit, CircuitPoint, Surroundings
from mtjlab.physics.crossbar_wires import Wires

from .components import Labels
from .die import Die
from .network import SOURCE_OHMS, Drive


class LargeArray:
    """The die's cells as they are now, and its wires."""

    def __init__(self, die: Die) -> None:
        d = die.description
        self.wires = Wires.of((d.rows, d.cols), d.segment_ohms)
        self.lines = d.rows + d.cols
        self.siemens = die.siemens().reshape(d.rows, d.cols)
        self._curved = np.flatnonzero(die.is_tunnelling & ~die.is_parallel)
        self._law = (die.siemens_p[self._curved], die.tmr[self._curved], d.tmr_half_volts)

    def law(self, cell_volts: Floats) -> tuple[Floats, Floats]:
        """Amps of all cells beyond their zero-bias conductance, and their slope."""
        volts = cell_volts.ravel()[self._curved]
        beyond, slope = np.zeros(self.siemens.size), np.zeros(self.siemens.size)
        beyond[self._curved] = mtj.excess_current(volts, *self._law)
        slope[self._curved] = mtj.current_slope(False, volts, *self._law) - self.siemens.ravel()[self._curved]
        return beyond.reshape(self.siemens.shape), slope.reshape(self.siemens.shape)


class LargeNetwork:
    """One set of relays, sources and regimes around a large array: all other nodes are eliminated once.

    A source that senses remotely makes the nodal matrix asymmetric. It is taken as one that regulates at its own node
    and a source, controlled by the difference between the two nodes, that makes up for it.

    Args:
        matrix: nodal conductances of everything but sources and array, (nodes, nodes); the line ends come first.
        drives: the sources that are on.
        reached: nodes that matter, ascending, the line ends among them; the others are at 0 V.
        array: the die.

    Raises ArithmeticError if it cannot be solved.
    """

    def __init__(self, matrix: Floats, drives: Sequence[Drive], reached: Labels, array: LargeArray) -> None:
        self.drives = tuple(drives)
        self._array, self._reached, self._size = array, reached, matrix.shape[0]
        self._last: CircuitPoint | None = None
        whole = matrix.copy()
        remote = [drive for drive in self.drives if drive.is_volts and drive.node != drive.sensed]
        push, look = np.zeros((self._size, len(remote))), np.zeros((len(remote), self._size))
        for k, drive in enumerate(remote):
            push[drive.node, k] = 1 / SOURCE_OHMS
            look[k, drive.sensed], look[k, drive.node] = 1.0, -1.0
        for drive in self.drives:
            if drive.is_volts:
                whole[drive.node, drive.node] += 1 / SOURCE_OHMS
        with one_thread():
            self._eliminate(whole[np.ix_(reached, reached)], push[reached], look[:, reached])

    def _eliminate(self, part: Floats, push: Floats, look: Floats) -> None:
        """What the line ends see of the other nodes, and how these follow."""
        n = self._array.lines
        self._factor, info = lapack.dpotrf(part[n:, n:], lower=1)
        if info != 0:
            raise ArithmeticError("the bench's network cannot be solved; check the bench file's resistances")
        self._from_lines = self._others(part[n:, :n])
        siemens = part[:n, :n] - part[:n, n:] @ self._from_lines
        self._from_sources = self._others(push[n:])
        system = np.eye(push.shape[1]) + look[:, n:] @ self._from_sources
        self._control: Floats = np.asarray(np.linalg.solve(system, look[:, :n] - look[:, n:] @ self._from_lines))
        self._control_of_others = np.linalg.solve(system, look[:, n:])
        self._push = push[:n] - self._from_lines.T @ push[n:]
        around = Surroundings((siemens + siemens.T) / 2, self._push, self._control)
        self._solver = ArrayInCircuit(self._array.siemens, self._array.wires, around)

    def _others(self, right: Floats) -> Floats:
        return np.asarray(lapack.dpotrs(self._factor, right, lower=1)[0]) if right.size else right

    def solve(self, levels: Sequence[float]) -> tuple[Floats, Floats]:
        """Node voltages and cell voltages with each source of `drives` at its level."""
        right, n = np.zeros(self._size), self._array.lines
        for drive, level in zip(self.drives, levels, strict=True):
            right[drive.node] += level / SOURCE_OHMS if drive.is_volts else level
        right = right[self._reached]
        with one_thread():
            alone = self._others(right[n:])
            fixed = self._control_of_others @ alone
            injected = right[:n] - self._from_lines.T @ right[n:] - self._push @ fixed
            point = self._solver.operating_point(injected, self._array.law, self._last)
            made_up = self._control @ point.line_volts + fixed
            others = alone - self._from_lines @ point.line_volts - self._from_sources @ made_up
        self._last = point
        nodes = np.zeros(self._size)
        nodes[self._reached] = np.concatenate([point.line_volts, others])
        return nodes, point.cell_volts.ravel()
