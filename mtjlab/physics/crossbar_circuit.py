"""An array in a circuit: its line ends are nodes of a network that is linear, its cells may depend on their bias."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import InputError
from ..nouns import Floats
from .blas_threads import one_thread
from .crossbar_fields import Law
from .crossbar_wires import Wires

_LOOSE, _TIGHT = 1e-5, 1e-15
_CLOSE = 1e-8
"""Change of the voltages after which a step of Newton, whose error is its square, was the last one."""
_MOST_NEWTON = 60
_NONE = np.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class Surroundings:
    """What the line ends (rows', then columns') see of the rest of the circuit.

    Attributes:
        siemens: shape (lines, lines), symmetric and positive: conductances between them and to ground.
        controlled: shape (lines, sources), current taken out of the lines per unit of each controlled source.
        control: shape (sources, lines), what the line voltages make of each of these.
    """

    siemens: Floats
    controlled: Floats
    control: Floats


@dataclass(frozen=True, eq=False)
class CircuitPoint:
    """Operating point of the array: cell voltages, shape (rows, cols), and line-end voltages, shape (lines,)."""

    cell_volts: Floats
    line_volts: Floats
    steps: int


class ArrayInCircuit:
    """An array at given zero-bias conductances and what surrounds it, prepared for operating points.

    Args:
        cells: shape (rows, cols), conductances without bias.
        wires: rows connected at their left ends, columns at their bottom ends, and nowhere else.
        around: the rest of the circuit.
    """

    def __init__(self, cells: Floats, wires: Wires, around: Surroundings) -> None:
        from .cell_kernels import line_factor, scaling
        from .line_kernels import free_lines

        if wires.ends.right.any() or wires.ends.top.any():
            raise InputError("an array in a circuit is connected at left and bottom ends")
        self._cells, self._wires, self._around = cells, wires, around
        row_free, col_free, _ = free_lines(wires.row_ohms, wires.col_ohms, True)
        with one_thread():
            s = scaling(cells, wires.row_ohms, wires.col_ohms)
            self._base = s, line_factor(s, around.siemens, row_free, col_free)

    def operating_point(self, injected: Floats, law: Law, start: CircuitPoint | None = None) -> CircuitPoint:
        """Solve array and surroundings together: Newton's method on the cells, conjugate gradients inside.

        Args:
            injected: shape (lines,), amperes that flow into the line ends from outside.
            law: of the cells beyond their zero-bias conductances; all zeros for linear ones and open ones.
            start: an operating point nearby.

        Raises ArithmeticError if it does not converge.
        """
        point = start or self._linear(self._cells, injected, np.zeros(self._cells.shape), None, _LOOSE)
        tolerance = _LOOSE
        for _ in range(_MOST_NEWTON):
            beyond, slope = law(point.cell_volts)
            tangent = self._cells + slope
            if not (tangent >= 0).all():
                raise InputError("a cell's current falls with rising voltage")
            offset = beyond - slope * point.cell_volts
            before, point = point, self._linear(tangent, injected, offset, point, tolerance)
            scale = max(float(np.abs(point.cell_volts).max(initial=0.0)), 1e-300)
            change = float(np.abs(point.cell_volts - before.cell_volts).max(initial=0.0)) / scale
            if change <= _CLOSE and tolerance <= _TIGHT:
                return point
            tolerance = min(max(0.01 * change**2, _TIGHT), _LOOSE)
        raise ArithmeticError("the bias-dependent cells have no operating point that Newton's method finds")

    def _linear(
        self, cells: Floats, injected: Floats, offset: Floats, start: CircuitPoint | None, tolerance: float
    ) -> CircuitPoint:
        """The same for linear cells and a given current beside theirs."""
        point = self._symmetric(cells, injected, offset, start, tolerance)
        around = self._around
        if around.controlled.shape[1] == 0:
            return point
        plain = np.zeros(cells.shape)
        answers = [self._symmetric(cells, unit, plain, None, _TIGHT) for unit in around.controlled.T]
        of_lines = np.stack([answer.line_volts for answer in answers], axis=1)
        system = np.eye(len(answers)) + around.control @ of_lines
        amounts = np.linalg.solve(system, around.control @ point.line_volts)
        of_cells = np.stack([answer.cell_volts for answer in answers], axis=-1)
        return CircuitPoint(
            point.cell_volts - of_cells @ amounts,
            point.line_volts - of_lines @ amounts,
            point.steps + sum(answer.steps for answer in answers),
        )

    def _symmetric(
        self, cells: Floats, injected: Floats, offset: Floats, start: CircuitPoint | None, tolerance: float
    ) -> CircuitPoint:
        from .cell_kernels import solve_cells
        from .line_kernels import wire_fields

        rows, cols = cells.shape
        wires, row_volts, col_volts = self._wires, np.zeros((rows, 2)), np.zeros((2, cols))
        most = 200 + 20 * (rows + cols)
        with one_thread():
            amps, drops, lines, steps = solve_cells(
                cells,
                wires.row_ohms,
                wires.col_ohms,
                row_volts,
                col_volts,
                offset,
                self._around.siemens,
                injected,
                _NONE if start is None else cells * start.cell_volts,
                np.zeros(0) if start is None else start.line_volts,
                self._base,
                tolerance,
                most,
            )
        if steps >= most:
            raise ArithmeticError("conjugate gradients do not converge on this array")
        row_volts[:, 0], col_volts[1] = lines[:rows], lines[rows:]
        _, _, of_rows, of_cols = wire_fields(
            amps + offset, wires.row_ohms, wires.col_ohms, row_volts, col_volts, np.zeros(0)
        )
        return CircuitPoint(np.where(np.isnan(drops), of_rows - of_cols, drops), lines, steps)
