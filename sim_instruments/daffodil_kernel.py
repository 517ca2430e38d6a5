"""A kernel of a simulated Daffodil chip: junctions behind access transistors, exact wires, events that change cells."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np

from mtjlab.nouns import Floats
from mtjlab.physics.crossbar_wires import NOT_CONNECTED, Wires

from .daffodil_bias import Access, Bias, Point
from .daffodil_cells import DieArrays
from .daffodil_ladder import Ended, LadderRun
from .die import LONG, Die

if TYPE_CHECKING:
    from .daffodil_junctions import CellArrays
    from .daffodil_solver import Ends, Ladder

_QUIET = 1e-10
"""Expected number of events below which a stretch of time counts as uneventful, as in world.py."""
_NEXT_TO_NONE = 0.01
"""Volts across a junction that hardly change its rates."""
_MOST_EVENTS = 2000
_KEPT_POINTS = 4
"""Readings at two polarities go to and fro."""


@dataclass(frozen=True, eq=False)
class _Connected:
    """What a bias connects, whatever states the cells are in.

    Attributes:
        saturation_amps, on_ohms: of the transistors, (cells,).
        ladder: the cells, if they lie in one column that is driven.
        is_mesh: whether every column with cells that conduct is driven.
    """

    saturation_amps: Floats
    on_ohms: Floats
    ladder: Ladder | None
    is_mesh: bool


class Kernel:
    """Cells of one kernel and their wires: rows are fed at their first column, columns at their last row.

    Args:
        die: the junctions.
        access: their transistors.
    """

    def __init__(self, die: Die, access: Access) -> None:
        self.die, self.access = die, access
        d = die.description
        self.shape = (d.rows, d.cols)
        self.wires = Wires.of(
            self.shape, d.segment_ohms, left=die.contact_ohms[: d.rows], bottom=die.contact_ohms[d.rows :]
        )
        self._arrays = DieArrays(die)
        self._long_seconds = LONG * d.damping_seconds
        self._points: OrderedDict[tuple[bytes, bytes], Point] = OrderedDict()
        self._seen: OrderedDict[Bias, _Connected] = OrderedDict()
        self._solved_run: tuple[Bias, bytes, LadderRun] | None = None
        self._totals: WeakKeyDictionary[Point, float] = WeakKeyDictionary()
        self._bounds: dict[int, float] = {}

    def point(self, bias: Bias) -> Point:
        """Solve the network exactly at this bias; the last few are kept while bias and cells are the same."""
        key = bias.key, self._states()
        if (found := self._points.get(key)) is None:
            found = self._points[key] = self._solved(bias)
            if len(self._points) > _KEPT_POINTS:
                self._points.popitem(last=False)
        return found

    def _states(self) -> bytes:
        """Equal while no cell has changed."""
        return self.die.is_parallel.tobytes() + self.die.kind.tobytes()

    def _solved(self, bias: Bias) -> Point:
        if (run := self._ladder(bias)) is not None and run.solve():
            self._solved_run = bias, self._states(), run
            junction, volts, amps = run.on_grids(self.shape)
        else:
            junction, volts, amps, is_found = self._network_point(bias, may_be_quick=True)
            if not is_found:
                raise ArithmeticError("the junctions have no operating point that Newton's method finds")
        # Kirchhoff along each line: what its cells carry enters or leaves the array at its one end
        return Point(junction, volts, amps, -amps.sum(axis=1), amps.sum(axis=0))

    def _network_point(self, bias: Bias, *, may_be_quick: bool) -> tuple[Floats, Floats, Floats, bool]:
        """Junction volts, cell volts and cell amps, and whether they were found; the quick way where it is one."""
        from .daffodil_mesh import mesh_of
        from .daffodil_solver import network_point

        ends = None if may_be_quick and self._connected(bias).is_mesh else self._ends(bias)
        return network_point(self._cells(bias), mesh_of(*self._driven(bias)), ends)

    def _cells(self, bias: Bias) -> CellArrays:
        connected = self._connected(bias)
        return self._arrays.cells(connected.saturation_amps, connected.on_ohms)

    def _driven(self, bias: Bias) -> tuple[Floats, ...]:
        """Wires and what drives them, as compiled code takes them."""
        wires = self.wires
        return wires.row_ohms, wires.col_ohms, bias.row_volts, bias.col_volts, bias.row_ohms, bias.col_ohms

    def _connected(self, bias: Bias) -> _Connected:
        """Kept for the last few."""
        if (found := self._seen.get(bias)) is None:
            found = self._seen[bias] = self._newly_connected(bias)
            if len(self._seen) > _KEPT_POINTS:
                self._seen.popitem(last=False)
        return found

    def _newly_connected(self, bias: Bias) -> _Connected:
        from .daffodil_solver import connected

        law = self.access.threshold_volts, self.access.amps_per_volt2
        saturation, ohms, ladder, is_ladder, is_mesh = connected(bias.over_source_volts, *law, *self._driven(bias))
        return _Connected(saturation, ohms, ladder if is_ladder else None, is_mesh)

    def _ends(self, bias: Bias) -> Ends:
        """Wires with what drives their ends in series, and voltages at the ends, as the plain solver takes them."""
        from .daffodil_solver import Ends

        rows, cols = self.shape
        row_ohms, col_ohms = self.wires.row_ohms.copy(), self.wires.col_ohms.copy()
        row_ohms[:, 0] += np.where(np.isnan(bias.row_volts), NOT_CONNECTED, bias.row_ohms)
        col_ohms[-1] += np.where(np.isnan(bias.col_volts), NOT_CONNECTED, bias.col_ohms)
        row_volts, col_volts = np.zeros((rows, 2)), np.zeros((2, cols))
        row_volts[:, 0] = np.where(np.isinf(row_ohms[:, 0]), 0.0, bias.row_volts)
        col_volts[1] = np.where(np.isinf(col_ohms[-1]), 0.0, bias.col_volts)
        return Ends(row_ohms, col_ohms, row_volts, col_volts)

    def _ladder(self, bias: Bias) -> LadderRun | None:
        """The cells that are connected, if they lie in one column; as it was solved for the point, if just now."""
        if (ladder := self._connected(bias).ladder) is None:
            return None
        if self._solved_run is not None and self._solved_run[:2] == (bias, self._states()):
            run, self._solved_run = self._solved_run[2], None
            return run
        return LadderRun(self._cells(bias), self._arrays.rates(), ladder, self._long_seconds)

    def expose(self, bias: Bias, seconds: float, rng: np.random.Generator, broke: Callable[[int], None]) -> None:
        """Let time pass under a bias: junctions switch and break as their rates say, the network solved after each.

        Args:
            broke: told of every cell that breaks down.
        """
        left, events, run = seconds, 0, self._quiet_ladder(bias, seconds)
        while events < _MOST_EVENTS:
            if run is not None:
                ended = run.expose(rng, left, seconds, _QUIET, _MOST_EVENTS - events)
                left, events = ended.left, events + ended.events
                if ended.is_over:
                    return
                run = self._resumed(run, ended, bias, seconds, rng, broke)
                continue
            point = self.point(bias)
            total = self._total_rate(point, bias, seconds)
            if total * left < _QUIET or (until := rng.exponential(1 / total)) >= left:
                return
            left, events = left - until, events + 1
            volts = point.junction_volts.ravel()
            running = np.cumsum(self._rates(volts))
            chosen = int(np.searchsorted(running, rng.random() * running[-1], side="right"))
            self._happen(chosen, volts, seconds - left, rng, broke)

    def _quiet_ladder(self, bias: Bias, seconds: float) -> LadderRun | None:
        """The one column that is connected, if no cell without a voltage would change meanwhile."""
        return self._ladder(bias) if self._is_quiet(seconds) else None

    def _resumed(
        self,
        run: LadderRun,
        ended: Ended,
        bias: Bias,
        seconds: float,
        rng: np.random.Generator,
        broke: Callable[[int], None],
    ) -> LadderRun | None:
        """After what the compiled run leaves to others; None where it cannot go on."""
        if ended.is_lost:
            return None
        chosen = ended.cell + (self.die.kind.size if ended.is_breakdown else 0)
        self._happen(chosen, run.on_grids(self.shape)[0].ravel(), seconds - ended.left, rng, broke)
        return self._ladder(bias)

    def _happen(
        self, chosen: int, volts: Floats, seconds: float, rng: np.random.Generator, broke: Callable[[int], None]
    ) -> None:
        """A cell may switch, or, counted on from the number of cells, its barrier breaks."""
        if chosen >= volts.size:
            self.die.break_down(chosen - volts.size)
            broke(chosen - volts.size)
            return
        part = self.die.reached_part(chosen, volts, 0.0, seconds)
        if part >= 1 or rng.random() < part:  # thinning: in the first nanoseconds the rate is still growing
            self.die.is_parallel[chosen] = not self.die.is_parallel[chosen]

    def _rates(self, volts: Floats) -> Floats:
        """Of switching of every cell, then of breakdown, 1/s."""
        return np.concatenate([self.die.switching_rates(volts), self.die.breakdown_rates(volts)])

    def _total_rate(self, point: Point, bias: Bias, seconds: float) -> float:
        """Of all events, 1/s; zero where a bound says that nothing happens meanwhile."""
        if self._is_quiet(seconds) and np.isfinite(total := self._quick_rate(point, bias)):
            return total
        volts = point.junction_volts.ravel()
        if self._bound(float(np.abs(volts).max(initial=0.0))) * seconds < _QUIET:
            return 0.0
        return float(self._rates(volts).sum())

    def _is_quiet(self, seconds: float) -> bool:
        """Whether cells with next to no voltage would not change meanwhile."""
        return self._bound(_NEXT_TO_NONE) * seconds < _QUIET

    def _quick_rate(self, point: Point, bias: Bias) -> float:
        """Without the cells that have next to no voltage, or whose bias holds them; kept while the point is."""
        if (total := self._totals.get(point)) is None:
            from .daffodil_switching import total_rate

            volts, rates = point.junction_volts.ravel(), self._arrays.rates()
            total = self._totals[point] = float(total_rate(self._cells(bias), rates, volts, _NEXT_TO_NONE))
        return total

    def _bound(self, volts: float) -> float:
        """At least the rate of all events while no junction sees more than this, 1/s."""
        step = int(np.ceil(volts * 100))
        if step not in self._bounds:
            full = np.full(self.die.kind.size, step / 100)
            as_found = self.die.is_parallel.copy()
            worst = np.zeros(full.size)
            for state in (True, False):
                self.die.is_parallel[:] = state
                for sign in (1.0, -1.0):
                    worst = np.maximum(worst, self.die.switching_rates(sign * full))
            self.die.is_parallel[:] = as_found
            self._bounds[step] = float((worst + self.die.breakdown_rates(full)).sum())
        return self._bounds[step]
