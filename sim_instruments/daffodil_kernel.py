"""A kernel of a simulated Daffodil chip: junctions behind access transistors, exact wires, events that change cells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import Floats
from mtjlab.physics import mtj
from mtjlab.physics.crossbar_fields import CrossbarFields, solve_drive
from mtjlab.physics.crossbar_selectors import with_access
from mtjlab.physics.crossbar_wires import Wires

from .die import Die

_QUIET = 1e-10
"""Expected number of events below which a stretch of time counts as uneventful, as in world.py."""
_MOST_EVENTS = 2000
_MOST_STEPS = 60
_SETTLED = 1e-13


@dataclass(frozen=True)
class Access:
    """The transistors in series with a junction, as one channel; numbers are assumptions.

    Square law, both ways: I_sat = factor (V_gs - V_t)^2 with V_gs from the lower of the two lines, and a channel that
    goes smoothly from its resistance at small currents, 1 / (2 factor (V_gs - V_t)), into saturation. The library's
    own model has the threshold, the square and 4 mA at 3 V; it has no resistance.
    """

    threshold_volts: float = 0.5
    amps_per_volt2: float = 4e-3 / 2.5**2

    def saturation_amps(self, gate_volts: Floats | float) -> Floats:
        """Saturation current at a gate voltage above the lower line."""
        over = np.maximum(np.asarray(gate_volts) - self.threshold_volts, 0.0)
        return np.asarray(self.amps_per_volt2 * over**2, dtype=np.float64)

    def on_ohms(self, gate_volts: Floats | float) -> Floats:
        """Resistance at small currents; infinite if off."""
        over = np.maximum(np.asarray(gate_volts) - self.threshold_volts, 0.0)
        with np.errstate(divide="ignore"):
            return np.asarray(1 / (2 * self.amps_per_volt2 * over), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Bias:
    """What the board puts on a kernel. Volts against the chip's ground; NaN where a line is open.

    Attributes:
        row_volts, col_volts: shapes (rows,), (cols,), of the sources behind the lines.
        over_source_volts: shape (rows, cols), of each cell's gate above the lower of its two lines.
        row_ohms, col_ohms: resistance that each line is driven through, beside the wires' own.
    """

    row_volts: Floats
    col_volts: Floats
    over_source_volts: Floats
    row_ohms: Floats
    col_ohms: Floats

    @classmethod
    def of(cls, row_volts: Floats, col_volts: Floats, gate_volts: Floats) -> Bias:
        """Lines driven right at their ends, and `gate_volts`, shape (cols,), along the columns."""
        over = gate_volts - _lowest(row_volts, col_volts)
        return cls(row_volts, col_volts, over, np.zeros(row_volts.size), np.zeros(col_volts.size))

    @property
    def key(self) -> bytes:
        """Equal if the bias is."""
        parts = (self.row_volts, self.col_volts, self.over_source_volts, self.row_ohms, self.col_ohms)
        return b"".join(part.tobytes() for part in parts)


@dataclass(frozen=True, eq=False)
class Point:
    """Operating point of a kernel.

    Attributes:
        junction_volts, cell_amps: shape (rows, cols), row above column; cells whose transistors are off have none.
        cell_volts: the same of junction and transistors together.
        row_amps, col_amps: current *out of the array* into each line.
    """

    junction_volts: Floats
    cell_volts: Floats
    cell_amps: Floats
    row_amps: Floats
    col_amps: Floats


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
        self._last: tuple[bytes, bytes, Point] | None = None
        self._bounds: dict[int, float] = {}

    def point(self, bias: Bias) -> Point:
        """Solve the network exactly at this bias; kept until bias or cells change."""
        key, state = bias.key, self.die.is_parallel.tobytes() + self.die.kind.tobytes()
        if self._last is None or self._last[:2] != (key, state):
            self._last = (key, state, self._solved(bias))
        return self._last[2]

    def _solved(self, bias: Bias) -> Point:
        cells = _Cells(self, bias)
        left, bottom = (np.isfinite(end) for end in (self.wires.row_ohms[:, 0], self.wires.col_ohms[-1]))
        ohms = np.concatenate([bias.row_ohms[left], bias.col_ohms[bottom]])
        volts = self.wires.drive(left=bias.row_volts, bottom=bias.col_volts)
        fields = solve_drive(cells.siemens, self.wires, volts, ohms=ohms, law=cells.law)
        return cells.point_of(fields)

    def expose(self, bias: Bias, seconds: float, rng: np.random.Generator, broke: Callable[[int], None]) -> None:
        """Let time pass under a bias: junctions switch and break as their rates say, the network solved after each.

        Args:
            broke: told of every cell that breaks down.
        """
        left = seconds
        for _ in range(_MOST_EVENTS):
            volts = self.point(bias).junction_volts.ravel()
            if self._bound(float(np.abs(volts).max(initial=0.0))) * left < _QUIET:
                return
            switching, breaking = self.die.switching_rates(volts), self.die.breakdown_rates(volts)
            total = float(switching.sum() + breaking.sum())
            if total * left < _QUIET or (until := rng.exponential(1 / total)) >= left:
                return
            left -= until
            self._happen(np.concatenate([switching, breaking]), volts, seconds - left, rng, broke)

    def _happen(
        self, rates: Floats, volts: Floats, seconds: float, rng: np.random.Generator, broke: Callable[[int], None]
    ) -> None:
        running = np.cumsum(rates)
        chosen = int(np.searchsorted(running, rng.random() * running[-1], side="right"))
        if chosen >= volts.size:
            self.die.break_down(chosen - volts.size)
            broke(chosen - volts.size)
            return
        part = self.die.reached_part(chosen, volts, 0.0, seconds)
        if part >= 1 or rng.random() < part:  # thinning: in the first nanoseconds the rate is still growing
            self.die.is_parallel[chosen] = not self.die.is_parallel[chosen]

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


class _Cells:
    """Junctions in series with their transistors at one bias, as the network's solver wants them."""

    def __init__(self, kernel: Kernel, bias: Bias) -> None:
        die, self._shape = kernel.die, kernel.shape
        gate = bias.over_source_volts.ravel()
        self._on = np.flatnonzero(kernel.access.saturation_amps(gate) > 0)
        self._saturation = kernel.access.saturation_amps(gate[self._on])
        self._ohms = kernel.access.on_ohms(gate[self._on])
        self._p, self._tmr = die.siemens_p[self._on], die.tmr[self._on]
        self._half, self._is_parallel = die.description.tmr_half_volts, die.is_parallel[self._on]
        unbiased = die.siemens(0.0)[self._on]
        self._dead = np.flatnonzero(~die.is_tunnelling[self._on])
        self._dead_siemens = unbiased[self._dead]
        self._at_rest = with_access(unbiased, self._ohms)
        self.siemens = self._spread(self._at_rest)
        self._start = self._at_rest * self._ohms

    def _spread(self, values: Floats) -> Floats:
        """Values of the cells that are on, on the grid; zero elsewhere."""
        grid = np.zeros(self._shape)
        grid.ravel()[self._on] = values
        return grid

    def law(self, cell_volts: Floats) -> tuple[Floats, Floats]:
        """Current beyond the linear one, and its slope; see `crossbar_fields.Law`."""
        volts = cell_volts.ravel()[self._on]
        _, amps, slope = self._series(volts)
        beyond = amps - self._at_rest * volts
        return self._spread(beyond), self._spread(np.maximum(slope, 0.0) - self._at_rest)

    def point_of(self, fields: CrossbarFields) -> Point:
        """What the solution means."""
        volts = fields.cell_volts.ravel()[self._on]
        junction, amps, _ = self._series(volts)
        carried = self._spread(amps)
        # Kirchhoff along each line: what its cells carry enters or leaves the array at its one end
        return Point(self._spread(junction), self._spread(volts), carried, -carried.sum(axis=1), carried.sum(axis=0))

    def _series(self, volts: Floats) -> tuple[Floats, Floats, Floats]:
        """Junction's share of each cell's voltage, current, and d(current)/d(voltage): Newton between bounds."""
        low, high = np.minimum(volts, 0.0), np.maximum(volts, 0.0)
        share = volts * (1 - self._start)
        for _ in range(_MOST_STEPS):
            amps, own = self._junctions(share)
            bent = np.tanh((volts - share) / (self._saturation * self._ohms))
            channel = (1 - bent**2) / self._ohms
            excess = amps - self._saturation * bent
            low, high = np.where(excess < 0, share, low), np.where(excess > 0, share, high)
            stepped = share - excess / (own + channel)
            outside = (stepped < low) | (stepped > high)
            before, share = share, np.where(outside, (low + high) / 2, stepped)
            if float(np.abs(share - before).max(initial=0.0)) < _SETTLED:
                break
        amps, own = self._junctions(share)
        return share, amps, own * channel / (own + channel)

    def _junctions(self, volts: Floats) -> tuple[Floats, Floats]:
        """Current and slope of the bare junctions."""
        siemens = mtj.conductance(self._is_parallel, volts, self._p, self._tmr, self._half)
        slope = mtj.current_slope(self._is_parallel, volts, self._p, self._tmr, self._half)
        siemens[self._dead] = slope[self._dead] = self._dead_siemens
        return siemens * volts, slope


def _lowest(row_volts: Floats, col_volts: Floats) -> Floats:
    """Shape (rows, cols): the lower of a cell's two lines, the source of an n-channel transistor; 0 if both float."""
    rows, cols = (np.where(np.isnan(v), np.inf, v) for v in (row_volts, col_volts))
    lower = np.minimum(rows[:, None], cols[None, :])
    return np.where(np.isfinite(lower), lower, 0.0)
