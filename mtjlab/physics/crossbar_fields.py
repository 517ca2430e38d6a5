"""One drive of an array, solved for every cell, segment and node: disturb, bias-dependent cells, exact gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..nouns import Floats
from .blas_threads import one_thread
from .crossbar_wires import NOT_CONNECTED, Wires

Law = Callable[[Floats], tuple[Floats, Floats]]
"""Of all cells at once: from their voltages, shape (rows, cols), the amperes beyond the linear ones, and d(that)/dV."""

_TOLERANCE = 1e-15
_NEWTON = 1e-9
"""Change of the voltages after which a step of Newton, whose error is its square, was the last one."""
_MOST_NEWTON = 60
_NONE = np.zeros((0, 0))
_NO_LINES = np.zeros(0)


@dataclass(frozen=True, eq=False)
class CrossbarFields:
    """What happens inside an array under one drive. Currents through wires count towards right and bottom.

    Attributes:
        cell_volts: shape (rows, cols), row node less column node.
        cell_amps: shape (rows, cols), from row to column.
        row_volts, col_volts: shape (rows, cols), voltage of the row's and the column's node at each cell.
        row_amps: shape (rows, cols + 1), through the row segments.
        col_amps: shape (rows + 1, cols), through the column segments.
        port_amps: shape (ports,), currents into the ports.
        steps: of conjugate gradients.
    """

    cell_volts: Floats
    cell_amps: Floats
    row_volts: Floats
    col_volts: Floats
    row_amps: Floats
    col_amps: Floats
    port_amps: Floats
    steps: int

    @property
    def cell_watts(self) -> Floats:
        """Power in every cell, shape (rows, cols)."""
        return np.asarray(self.cell_volts * self.cell_amps)


def solve_drive(
    siemens: ArrayLike,
    wires: Wires,
    volts: ArrayLike,
    *,
    ohms: ArrayLike = 0.0,
    excess: Floats | None = None,
    law: Law | None = None,
) -> CrossbarFields:
    """Solve one drive of one array, exactly, without reducing the array first.

    Args:
        siemens: shape (rows, cols); zero for an open cell.
        volts: shape (ports,), see `Wires.drive`; NaN where a port floats.
        ohms: scalar or (ports,), resistance through which each port is driven, beside the wires' own.
        excess: shape (rows, cols), amperes through each cell beside its linear current.
        law: of bias-dependent cells; their slope must not be below -`siemens`. Newton's method.

    Raises ArithmeticError if it does not converge.
    """
    cells = np.ascontiguousarray(siemens, dtype=np.float64)
    drive = _Drive(cells, wires, np.asarray(volts, dtype=np.float64), np.asarray(ohms, dtype=np.float64))
    if law is None:
        return drive.solved(cells, excess)
    return _by_newton(cells, drive, law, excess)


def _by_newton(cells: Floats, drive: _Drive, law: Law, excess: Floats | None) -> CrossbarFields:
    """Replace every cell by its tangent at the last voltage until the voltages stay."""
    extra = np.zeros(cells.shape) if excess is None else excess
    found = drive.solved(cells, excess)
    scale = max(float(np.abs(found.cell_volts).max(initial=0.0)), 1e-300)
    for _ in range(_MOST_NEWTON):
        beyond, slope = law(found.cell_volts)
        tangent = cells + slope
        if not (tangent >= 0).all():
            raise InputError("a cell's current falls with rising voltage")
        offset = extra + beyond - slope * found.cell_volts
        before, found = found, drive.solved(tangent, offset, found.steps)
        if float(np.abs(found.cell_volts - before.cell_volts).max(initial=0.0)) <= _NEWTON * scale:
            return found
    raise ArithmeticError("the bias-dependent cells have no operating point that Newton's method finds")


class _Drive:
    """Wires and voltages as the kernels take them: ends that float are not connected."""

    def __init__(self, cells: Floats, wires: Wires, volts: Floats, ohms: Floats) -> None:
        if cells.shape != wires.shape or wires.row_ohms.ndim != 2 or wires.col_ohms.ndim != 2:
            raise InputError(f"cells of shape {cells.shape} and wires for {wires.shape} are not one array")
        if not (cells.min(initial=0.0) >= 0 and cells.max(initial=0.0) < np.inf):
            raise InputError("a conductance is negative, infinite or not a number")
        if volts.shape != (wires.ports,):
            raise InputError(f"{volts.shape} voltages for {wires.ports} connected line ends")
        self._wires = wires
        self._row_ohms, self._col_ohms = wires.row_ohms, wires.col_ohms
        is_floating = np.isnan(volts)
        levels = volts
        if is_floating.any() or ohms.any():
            levels = np.where(is_floating, 0.0, volts)
            added = wires.at_ends(np.where(is_floating, NOT_CONNECTED, np.broadcast_to(ohms, volts.shape)))
            self._row_ohms, self._col_ohms = wires.row_ohms.copy(), wires.col_ohms.copy()
            self._row_ohms[:, 0] += added[0]
            self._row_ohms[:, -1] += added[1]
            self._col_ohms[0] += added[2]
            self._col_ohms[-1] += added[3]
        rows, cols = wires.shape
        self._row_volts, self._col_volts = np.empty((rows, 2)), np.empty((2, cols))
        self._row_volts[:, 0], self._row_volts[:, 1], self._col_volts[0], self._col_volts[1] = wires.at_ends(levels)

    def solved(self, cells: Floats, excess: Floats | None, steps: int = 0) -> CrossbarFields:
        """Everything at linear cells and a given excess; raises ArithmeticError if it takes too many steps."""
        from .cell_kernels import solve_cells
        from .line_kernels import wire_fields

        most = 200 + 20 * sum(cells.shape)
        with one_thread():
            amps, drops, floating, took = solve_cells(
                cells,
                self._row_ohms,
                self._col_ohms,
                self._row_volts,
                self._col_volts,
                _NONE if excess is None else np.ascontiguousarray(excess),
                _NONE,
                _NO_LINES,
                _NONE,
                _NO_LINES,
                (_NONE, _NONE),
                _TOLERANCE,
                most,
            )
        if took >= most:
            raise ArithmeticError("conjugate gradients do not converge on this array")
        if excess is not None:
            amps = amps + excess
        row_amps, col_amps, row_volts, col_volts = wire_fields(
            amps, self._row_ohms, self._col_ohms, self._row_volts, self._col_volts, floating
        )
        drops = np.where(np.isnan(drops), row_volts - col_volts, drops)
        into = self._wires.drive(row_amps[:, 0], -row_amps[:, -1], col_amps[0], -col_amps[-1])
        return CrossbarFields(drops, amps, row_volts, col_volts, row_amps, col_amps, into, steps + took)


@dataclass(frozen=True, eq=False)
class CurrentGradient:
    """Derivatives of a function L of the port currents.

    Attributes:
        siemens: shape (rows, cols), dL / d(conductance).
        row_ohms, col_ohms: shapes (rows, cols + 1), (rows + 1, cols): dL / d(wire resistance of the segment).
    """

    siemens: Floats
    row_ohms: Floats
    col_ohms: Floats


def current_gradient(
    siemens: ArrayLike,
    wires: Wires,
    volts: ArrayLike,
    weights: ArrayLike,
    *,
    ohms: ArrayLike = 0.0,
    law: Law | None = None,
) -> CurrentGradient:
    """Exact gradient with respect to every conductance and every wire, by one adjoint solution per drive.

    A conductance acts on the currents as its voltage under the drive times its voltage when the ports are driven with
    the weights (reciprocity; the adjoint network of Director and Rohrer, IEEE Trans. Circuit Theory 16 (1969) 318);
    a resistance as minus the product of its currents.

    Args:
        volts: shape (..., ports), one or more drives; the gradients of all are added up. NaN floats.
        weights: shape (..., ports), dL / d(current into the port); ignored where the port floats.
        ohms: as in `solve_drive`.
        law: of bias-dependent cells; the gradient is then with respect to their linear part.
    """
    cells = np.ascontiguousarray(siemens, dtype=np.float64)
    drives, wanted = np.atleast_2d(np.asarray(volts, dtype=np.float64)), np.atleast_2d(np.asarray(weights))
    drives, wanted = drives.reshape(-1, drives.shape[-1]), wanted.reshape(-1, wanted.shape[-1])
    total = CurrentGradient(np.zeros(cells.shape), np.zeros(wires.row_ohms.shape), np.zeros(wires.col_ohms.shape))
    for drive, weight in zip(drives, np.broadcast_to(wanted, drives.shape), strict=True):
        forward = solve_drive(cells, wires, drive, ohms=ohms, law=law)
        tangent = cells if law is None else cells + law(forward.cell_volts)[1]
        adjoint = solve_drive(tangent, wires, np.where(np.isnan(drive), drive, weight), ohms=ohms)
        total.siemens[...] += forward.cell_volts * adjoint.cell_volts
        total.row_ohms[...] -= forward.row_amps * adjoint.row_amps
        total.col_ohms[...] -= forward.col_amps * adjoint.col_amps
    return total
