"""Wires of a crossbar: what resistance lies between neighbouring cells and between a line's ends and its cells."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import InputError
from ..nouns import Floats

NOT_CONNECTED = float("inf")
"""Series resistance of an end that leads nowhere."""


class Ends(NamedTuple):
    """Which line ends are connected: booleans, shape (rows,) twice, then (cols,) twice."""

    left: NDArray[np.bool_]
    right: NDArray[np.bool_]
    top: NDArray[np.bool_]
    bottom: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Wires:
    """Wire resistances of an array, ohms; leading axes, where given, run over dies or tiles.

    The ports of the array are its connected ends: left ends of the rows, right ends, top ends of the columns, bottom
    ends. Make one with `Wires.of`.

    Attributes:
        row_ohms: shape (..., rows, cols + 1): from the left end to the first cell, between neighbours, from the last
            cell to the right end. The first and the last include what is in series there: driver, contact, sense
            resistance; infinite where that end is not connected. A broken wire is a large number, 1e9 say.
        col_ohms: shape (..., rows + 1, cols), likewise from top to bottom.
    """

    row_ohms: Floats
    col_ohms: Floats

    def __post_init__(self) -> None:
        for name in ("row_ohms", "col_ohms"):
            object.__setattr__(self, name, np.ascontiguousarray(getattr(self, name), dtype=np.float64))
        rows, cols = self.shape
        if self.row_ohms.shape[-1] != cols + 1 or self.col_ohms.shape[-2] != rows + 1:
            raise InputError(f"wires of shape {self.row_ohms.shape} and {self.col_ohms.shape} make no array")
        inner = self.row_ohms[..., 1:-1], self.col_ohms[..., 1:-1, :]
        if not all(ohms.min(initial=0.0) >= 0 for ohms in (self.row_ohms, self.col_ohms)):
            raise InputError("a wire resistance is negative or not a number")
        if not all(ohms.max(initial=0.0) < np.inf for ohms in inner):
            raise InputError("an infinite resistance inside the array", remedy="Take a large one, 1e9 ohm say")

    @classmethod
    def of(
        cls,
        shape: tuple[int, int],
        segment_ohms: float = 0.0,
        *,
        row_segment_ohms: ArrayLike | None = None,
        col_segment_ohms: ArrayLike | None = None,
        left: ArrayLike = 0.0,
        right: ArrayLike = NOT_CONNECTED,
        top: ArrayLike = NOT_CONNECTED,
        bottom: ArrayLike = 0.0,
    ) -> Wires:
        """Wires of a (rows, cols) array.

        Args:
            segment_ohms: of every segment, those to the line ends included.
            row_segment_ohms, col_segment_ohms: instead of it, whatever broadcasts to (..., rows, cols + 1) and
                (..., rows + 1, cols).
            left, right, top, bottom: in series with the first or last segment, scalar or one per line; infinite where
                the end is not connected. Rows are fed at the left, columns at the bottom, unless told otherwise.
        """
        rows, cols = shape
        row_part = np.asarray(segment_ohms if row_segment_ohms is None else row_segment_ohms, dtype=np.float64)
        col_part = np.asarray(segment_ohms if col_segment_ohms is None else col_segment_ohms, dtype=np.float64)
        row_ohms = np.empty((*_leading(row_part.shape[:-2], np.shape(left)[:-1], np.shape(right)[:-1]), rows, cols + 1))
        col_ohms = np.empty((*_leading(col_part.shape[:-2], np.shape(top)[:-1], np.shape(bottom)[:-1]), rows + 1, cols))
        row_ohms[...], col_ohms[...] = row_part, col_part
        row_ohms[..., 0] += np.asarray(left, dtype=np.float64)
        row_ohms[..., -1] += np.asarray(right, dtype=np.float64)
        col_ohms[..., 0, :] += np.asarray(top, dtype=np.float64)
        col_ohms[..., -1, :] += np.asarray(bottom, dtype=np.float64)
        return cls(row_ohms, col_ohms)

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        return self.row_ohms.shape[-2], self.col_ohms.shape[-1]

    @cached_property
    def ends(self) -> Ends:
        """Which ends are connected, the same for all dies."""
        found = self.row_ohms[..., 0], self.row_ohms[..., -1], self.col_ohms[..., 0, :], self.col_ohms[..., -1, :]
        connected = [(end < np.inf).reshape(-1, end.shape[-1]) for end in found]
        if not all(len(end) == 1 or (end == end[0]).all() for end in connected):
            raise InputError("the same ends must be connected on every die of a batch")
        return Ends(*[end[0] for end in connected])

    @cached_property
    def counts(self) -> tuple[int, int, int, int]:
        """How many left, right, top and bottom ends are connected."""
        left, right, top, bottom = (int(np.count_nonzero(end)) for end in self.ends)
        return left, right, top, bottom

    @cached_property
    def ports(self) -> int:
        """How many ends are connected."""
        return sum(self.counts)

    def of_die(self, index: int) -> Wires:
        """Wires of one die of a batch, counted over all leading axes; of any die where they are the same for all."""
        rows, cols = (ohms.reshape(-1, *ohms.shape[-2:]) for ohms in (self.row_ohms, self.col_ohms))
        return Wires(rows[min(index, len(rows) - 1)], cols[min(index, len(cols) - 1)])

    def drive(
        self, left: ArrayLike = 0.0, right: ArrayLike = 0.0, top: ArrayLike = 0.0, bottom: ArrayLike = 0.0
    ) -> Floats:
        """One value per port from values per end, shape (..., ports); NaN floats.

        Args:
            left, right, top, bottom: scalar or (..., lines); values at ends that are not connected are ignored.
        """
        given = [np.asarray(value, dtype=np.float64) for value in (left, right, top, bottom)]
        leading = [value.shape[:-1] for value in given if value.ndim > 1]
        found = np.empty((*np.broadcast_shapes(*leading), self.ports))
        at = 0
        for value, end, count in zip(given, self.ends, self.counts, strict=True):
            is_plain = value.ndim == 0 or count == end.size
            found[..., at : at + count] = value if is_plain else value[..., end]
            at += count
        return found

    def at_ends(self, values: Floats) -> list[Floats]:
        """Values per port, shape (ports,), spread over left, right, top, bottom ends; zero where not connected."""
        found, at = [], 0
        for end, count in zip(self.ends, self.counts, strict=True):
            spread = np.zeros(end.size)
            spread[end] = values[at : at + count]
            at += count
            found.append(spread)
        return found


def _leading(*shapes: tuple[int, ...]) -> tuple[int, ...]:
    """What leading axes broadcast to."""
    return np.broadcast_shapes(*shapes) if any(shapes) else ()
