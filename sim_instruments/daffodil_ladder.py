"""One connected column of a Daffodil kernel, a ladder: compiled code switches its cells one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mtjlab.nouns import Floats

if TYPE_CHECKING:
    from .daffodil_junctions import CellArrays
    from .daffodil_solver import Ladder
    from .daffodil_switching import RateArrays


class Ended(NamedTuple):
    """How a stretch of time ended.

    Attributes:
        how: one of `daffodil_switching`'s five ways.
        left: time to go, seconds.
        cell: the one concerned.
        events: so far.
    """

    how: int
    left: float
    cell: int
    events: int

    @property
    def is_over(self) -> bool:
        """Nothing more happens, or too much has."""
        return self.how in (0, 1)

    @property
    def is_breakdown(self) -> bool:
        """The cell's barrier breaks down; else the cell may switch, being in its first nanoseconds."""
        return self.how == 3

    @property
    def is_lost(self) -> bool:
        """Compiled code cannot go on."""
        return self.how == 4


class LadderRun:
    """Cells of one column under a pulse, switched one after the other.

    Args:
        cells, rates, ladder: see `daffodil_solver`.
        long_seconds: after which a cell leaves with its final rate.
    """

    def __init__(self, cells: CellArrays, rates: RateArrays, ladder: Ladder, long_seconds: float) -> None:
        self.cells, self.rates, self.ladder, self.long_seconds = cells, rates, ladder, long_seconds
        self.volts = ladder.row_volts.copy()
        self.junction, self.amps = self.volts.copy(), np.zeros(self.volts.size)
        self._is_solved = False

    def solve(self) -> bool:
        """Bring volts, junction volts and amps to the operating point; False if there is none to be found."""
        from .daffodil_solver import ladder_point

        if not self._is_solved:
            self._is_solved = bool(ladder_point(self.cells, self.ladder, self.volts, self.junction, self.amps))
        return self._is_solved

    def on_grids(self, shape: tuple[int, int]) -> tuple[Floats, Floats, Floats]:
        """Junction volts, cell volts and amps of all cells, zero off the ladder."""
        junction, volts, amps = (np.zeros(shape) for _ in range(3))
        for grid, values in ((junction, self.junction), (volts, self.volts), (amps, self.amps)):
            grid.ravel()[self.ladder.cells] = values
        return junction, volts, amps

    def expose(self, rng: np.random.Generator, left: float, seconds: float, quiet: float, most: int) -> Ended:
        """Switch cells as their rates say, until something happens that is not for compiled code.

        Args:
            left, seconds: time to go, and of the whole exposure.
            quiet: expected number of events that counts as none.
            most: events.
        """
        from .daffodil_switching import LOST, expose_ladder

        if not self.solve():
            return Ended(LOST, left, 0, 0)
        at = self.volts, self.junction, self.amps
        found = expose_ladder(
            self.cells, self.rates, self.ladder, *at, rng, left, seconds, self.long_seconds, quiet, most
        )
        return Ended(*found)
