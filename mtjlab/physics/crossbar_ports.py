"""An array reduced to the matrix between its line ends: currents for any drive, products, power, single changes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import cycle

import numpy as np
from numpy.typing import ArrayLike

from ..errors import InputError
from ..nouns import Floats
from .blas_threads import one_thread
from .crossbar_wires import Ends, Wires

_ISOLATED = 1e-14
"""Relative addition to the diagonal where a group of floating lines that nothing ties down would have no voltage."""


@dataclass(frozen=True, eq=False)
class PortMatrix:
    """An array seen from its connected line ends, at given (bias-independent) cell conductances.

    Attributes:
        cells: shape (..., rows, cols), the conductances it was made with; zero for an open cell.
        wires: as given.
        siemens: shape (..., ports, ports), symmetric: currents into the ports for given port voltages. Ports are left
            ends, right ends, top ends, bottom ends, those that are connected.
    """

    cells: Floats
    wires: Wires
    siemens: Floats

    @property
    def ports(self) -> int:
        """How many line ends are connected."""
        return int(self.siemens.shape[-1])

    def amps(self, volts: ArrayLike, ohms: ArrayLike = 0.0) -> Floats:
        """Currents into the ports, shape (..., ports).

        Args:
            volts: shape (..., ports): any number of drives; NaN where a port floats. With a batch of arrays the axes
                before the last two are theirs.
            ohms: scalar or (ports,), resistance through which each port is driven or grounded, beside the wires' own.
        """
        levels, series = np.asarray(volts, dtype=np.float64), np.asarray(ohms, dtype=np.float64)
        is_floating = np.isnan(levels)
        if not is_floating.any():
            return np.asarray(levels @ self.terminated(series))
        flat = is_floating.reshape(-1, self.ports)
        driven = np.where(is_floating, 0.0, levels)
        if (flat == flat[0]).all():
            return np.asarray(driven @ self.terminated(series, flat[0]))
        if self.siemens.ndim > 2:
            raise InputError("arrays of a batch can be driven at once only if the same ports float in all drives")
        found = np.empty_like(levels)
        for pattern in np.unique(flat, axis=0):
            which = (is_floating == pattern).all(axis=-1)
            found[which] = driven[which] @ self.terminated(series, pattern)
        return found

    def volts(self, volts: ArrayLike, ohms: ArrayLike = 0.0) -> Floats:
        """Voltages of all ports behind `ohms`, floating ones included, for one or more drives, shape (..., ports)."""
        levels = np.asarray(volts, dtype=np.float64)
        driven = self.amps(levels, ohms)
        found = levels - driven * np.asarray(ohms, dtype=np.float64)
        for place in np.argwhere(np.isnan(levels).any(axis=-1)):
            at = tuple(place)
            floats = np.isnan(levels[at])
            matrix = self.siemens if self.siemens.ndim == 2 else self.siemens[at[: self.siemens.ndim - 2]]
            pushed = matrix[floats][:, ~floats] @ found[at][~floats]
            found[at][floats] = -_solved(matrix[np.ix_(floats, floats)], pushed)
        return found

    def terminated(self, ohms: ArrayLike = 0.0, floating: ArrayLike = False) -> Floats:
        """The matrix with more resistance in series with each port, and none of the ports that float.

        Args:
            ohms, floating: scalar or (ports,). Rows and columns of floating ports are zero in what is returned.
        """
        series = np.broadcast_to(np.asarray(ohms, dtype=np.float64), self.ports)
        out = np.broadcast_to(np.asarray(floating, dtype=np.bool_), self.ports)
        matrix = self.siemens
        if out.any():
            kept = np.flatnonzero(~out)
            inner = eliminated(matrix, np.flatnonzero(out))
            matrix = np.zeros_like(matrix)
            matrix[..., kept[:, None], kept] = inner
        if series.any():
            with one_thread():
                matrix = np.asarray(np.linalg.solve(np.eye(self.ports) + matrix * series, matrix), dtype=np.float64)
        return matrix

    @cached_property
    def transfer_siemens(self) -> Floats:
        """Shape (..., rows, cols): amps out of grounded column j per volt on row i, all other lines grounded.

        Of rows and columns connected at one end each; raises InputError otherwise. With ideal wires it is the
        conductance map itself.
        """
        rows, ends = self.wires.shape[0], self.wires.ends
        if not ((ends.left ^ ends.right).all() and (ends.top ^ ends.bottom).all()):
            raise InputError("a line is connected at both ends or at none", remedy="Use `by_lines` or `amps`")
        matrix, _ = self.by_lines()
        return np.ascontiguousarray(-matrix[..., :rows, rows:])

    def multiply(self, row_volts: Floats) -> Floats:
        """Vector-matrix product as the array does it: amps out of the grounded columns, shape (..., inputs, cols).

        Args:
            row_volts: shape (..., inputs, rows).
        """
        return np.asarray(row_volts @ self.transfer_siemens)

    def power(self, volts: ArrayLike, ohms: ArrayLike = 0.0) -> Floats:
        """Watts that the drives deliver to the array, its wires and `ohms`, one per drive."""
        levels = np.asarray(volts, dtype=np.float64)
        return np.asarray((np.nan_to_num(levels) * self.amps(levels, ohms)).sum(axis=-1))

    def by_lines(self) -> tuple[Floats, np.ndarray[tuple[int], np.dtype[np.int64]]]:
        """The matrix between lines, both ends of a line tied together; and which line each of its rows is.

        Lines are rows, then columns; a line without a connected end has no row.
        """
        numbers = line_numbers(self.wires.ends)
        lines = np.unique(numbers)
        if lines.size == numbers.size:
            order = np.argsort(numbers)
            ordered = bool((order == np.arange(order.size)).all())
            return (self.siemens if ordered else self.siemens[..., order[:, None], order]), lines
        tie = np.zeros((lines.size, numbers.size))
        tie[np.searchsorted(lines, numbers), np.arange(numbers.size)] = 1.0
        return tie @ self.siemens @ tie.T, lines

    def with_cell(self, row: int, col: int, siemens: float) -> PortMatrix:
        """The same array with one cell changed: one solution and a rank-one update; not for batches."""
        from .crossbar_fields import solve_drive

        if self.siemens.ndim > 2:
            raise InputError("one cell of one array can be changed, not of a batch")
        unit = np.zeros(self.wires.shape)
        unit[row, col] = 1.0
        response = solve_drive(self.cells, self.wires, np.zeros(self.ports), excess=unit)
        drop = -float(response.cell_volts[row, col])
        change = siemens - float(self.cells[row, col])
        cells = self.cells.copy()
        cells[row, col] = siemens
        through = response.port_amps
        factor = change / (1 + change * drop)
        return PortMatrix(cells, self.wires, self.siemens + factor * np.outer(through, through))


def line_numbers(ends: Ends) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Line of every port: row i is i, column j is rows + j."""
    rows = ends.left.size
    found = [np.flatnonzero(end) + first for end, first in zip(ends, (0, 0, rows, rows), strict=True)]
    return np.concatenate(found)


def reduce_to_ports(siemens: ArrayLike, wires: Wires) -> PortMatrix:
    """Reduce arrays to their connected line ends, exactly.

    Args:
        siemens: shape (..., rows, cols); zero for an open cell. Leading axes run over dies or tiles.
        wires: of one array, or with the same leading axes.

    Raises InputError for a conductance that is negative or not a number, or if a line of no resistance is connected at
    both ends.
    """
    cells = np.array(siemens, dtype=np.float64, order="C")
    if cells.shape[-2:] != wires.shape:
        raise InputError(f"an array of shape {cells.shape[-2:]} has wires for {wires.shape}")
    if not ((cells >= 0) & (cells < np.inf)).all():
        raise InputError("a conductance is negative, infinite or not a number")
    ends = wires.ends
    leading = cells.shape[:-2]
    batch = cells.reshape(-1, *wires.shape)
    rows, cols = (_per_die(ohms, leading) for ohms in (wires.row_ohms, wires.col_ohms))
    found = _reduced(batch, rows, cols, ends)
    return PortMatrix(cells, wires, found.reshape(*leading, *found.shape[-2:]))


def _per_die(ohms: Floats, leading: tuple[int, ...]) -> Floats:
    """Shape (1 or dies, ...)."""
    if ohms.ndim == 2:
        return ohms[None]
    return np.ascontiguousarray(np.broadcast_to(ohms, (*leading, *ohms.shape[-2:]))).reshape(-1, *ohms.shape[-2:])


def _reduced(cells: Floats, row_ohms: Floats, col_ohms: Floats, ends: Ends) -> Floats:
    """Port matrices of a batch; rows that are fed only at the right, columns only at the top, are seen in a mirror."""
    if ends.right.any() and not ends.left.any():
        turned = Ends(ends.right, ends.left, ends.top[::-1], ends.bottom[::-1])
        found = _reduced(cells[..., ::-1], row_ohms[..., ::-1], col_ohms[..., ::-1], turned)
        return _with_columns_turned(found, turned)
    if ends.top.any() and not ends.bottom.any():
        turned = Ends(ends.left[::-1], ends.right[::-1], ends.bottom, ends.top)
        found = _reduced(cells[..., ::-1, :], row_ohms[..., ::-1, :], col_ohms[..., ::-1, :], turned)
        return _with_rows_turned(found, turned)
    return _fed_left_and_below(cells, row_ohms, col_ohms, ends)


def _with_columns_turned(found: Floats, turned: Ends) -> Floats:
    """Ports of an array whose columns were taken in reverse and whose left ends are really the right ones."""
    rights, tops, bottoms = (int(end.sum()) for end in (turned.left, turned.top, turned.bottom))
    order = np.concatenate(
        [np.arange(rights), rights + np.arange(tops)[::-1], rights + tops + np.arange(bottoms)[::-1]]
    )
    return np.asarray(found[..., order[:, None], order])


def _with_rows_turned(found: Floats, turned: Ends) -> Floats:
    lefts, rights, tops = (int(end.sum()) for end in (turned.left, turned.right, turned.bottom))
    order = np.concatenate([np.arange(lefts)[::-1], lefts + np.arange(rights)[::-1], lefts + rights + np.arange(tops)])
    return np.asarray(found[..., order[:, None], order])


def _fed_left_and_below(cells: Floats, row_ohms: Floats, col_ohms: Floats, ends: Ends) -> Floats:
    from .tile_kernels import reduce_array

    has_right, has_top = bool(ends.right.any()), bool(ends.top.any())
    rows, cols = np.array(row_ohms, order="C"), np.array(col_ohms, order="C")
    rows[:, ~ends.left, 0] = 0.0  # a port for the time being, where the line floats
    cols[:, -1, ~ends.bottom] = 0.0
    with one_thread():
        dies = zip(np.ascontiguousarray(cells), cycle(rows), cycle(cols), strict=False)
        found = np.array([reduce_array(g, own_rows, own_cols, has_right, has_top) for g, own_rows, own_cols in dies])
        if not (has_right or has_top):
            lines = np.concatenate([ends.left, ends.bottom])
            return found if lines.all() else eliminated(found, np.flatnonzero(~lines))
        return _terminated_far_ends(found, rows, cols, ends)


def _terminated_far_ends(found: Floats, row_ohms: Floats, col_ohms: Floats, ends: Ends) -> Floats:
    """From currents at the right and top ends as unknowns to voltages, through the last segments; ports in order."""
    m, n = ends.left.size, ends.top.size
    near = m + n
    right_at, top_at = near, near + (m if ends.right.any() else 0)
    far = np.concatenate([right_at + np.flatnonzero(ends.right), top_at + np.flatnonzero(ends.top)])
    of_rows, of_cols = row_ohms[:, ends.right, -1], col_ohms[:, 0, ends.top]
    series = np.concatenate([np.broadcast_to(part, (len(found), part.shape[1])) for part in (of_rows, of_cols)], axis=1)
    own = -found[:, far[:, None], far]
    own[:, np.arange(far.size), np.arange(far.size)] += series
    across = found[:, far, :near]
    try:
        solved = np.linalg.solve(own, np.concatenate([across, np.eye(far.size)[None].repeat(len(own), 0)], axis=2))
    except np.linalg.LinAlgError:
        raise InputError("a line without any resistance is connected at both ends") from None
    whole = np.empty((len(found), near + far.size, near + far.size))
    whole[:, :near, :near] = found[:, :near, :near] + across.transpose(0, 2, 1) @ solved[:, :, :near]
    whole[:, near:, :near] = -solved[:, :, :near]
    whole[:, :near, near:] = whole[:, near:, :near].transpose(0, 2, 1)
    whole[:, near:, near:] = (solved[:, :, near:] + solved[:, :, near:].transpose(0, 2, 1)) / 2
    out = np.flatnonzero(~np.concatenate([ends.left, ends.bottom, np.ones(far.size, dtype=np.bool_)]))
    kept = np.delete(np.arange(near + far.size), out)
    whole = eliminated(whole, out)
    rights = int(ends.right.sum())
    rank = np.concatenate([np.zeros(m), np.full(n, 3), np.full(rights, 1), np.full(far.size - rights, 2)])[kept]
    order = np.argsort(rank, kind="stable")
    return np.asarray(whole[:, order[:, None], order])


def eliminated(matrix: Floats, out: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """The matrix seen from its other ports when no current flows into `out`, shape (..., others, others)."""
    if out.size == 0:
        return matrix
    kept = np.delete(np.arange(matrix.shape[-1]), out)
    coupling = matrix[..., out[:, None], kept]
    inner = matrix[..., out[:, None], out]
    with one_thread():
        return np.asarray(matrix[..., kept[:, None], kept] - np.swapaxes(coupling, -1, -2) @ _solved(inner, coupling))


def _solved(inner: Floats, right: Floats) -> Floats:
    """inner^-1 right, `inner` positive semidefinite; what nothing ties down gets a voltage all the same."""
    diagonal = np.einsum("...ii->...i", inner)
    regular = inner + np.where(diagonal > 0, 0.0, 1.0)[..., None] * np.eye(inner.shape[-1])
    try:
        return np.asarray(np.linalg.solve(regular, right))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.solve(regular + _ISOLATED * diagonal[..., None] * np.eye(inner.shape[-1]), right))
