"""A network's operating points as levels change: solved when new, remembered, and swept by a Chebyshev series.

In a staircase or a read loop one level changes while relays, cells and the other levels stay. The operating point is
then an analytic function of that level, and a series of a dozen solutions gives all others to rounding error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy.fft import dct

from mtjlab.nouns import Floats

from .large_network import LargeNetwork
from .network import SOURCE_OHMS, Network

Levels = tuple[float, ...]
_NEW_BEFORE_SERIES = 6
"""Levels of one sweep that are solved one by one before a series is made."""
_ORDERS = (8, 16, 32)
_WIDER = 0.25
"""Fraction of the seen span that a series reaches beyond it on either side."""
_ACCURACY = 1e-12
_ROUNDING = 1e-15
_MOST_REMEMBERED = 8
_MOST_SWEEPS = 4


class OperatingPoint:
    """What the sources and the die do at given levels.

    Attributes:
        amps: out of each source that is on.
        sensed_volts: where each of them senses.
    """

    def __init__(self, amps: list[float], sensed_volts: list[float], fields: Callable[[], tuple[Floats, Floats]]):
        self.amps = amps
        self.sensed_volts = sensed_volts
        self._fields = fields
        self._found: tuple[Floats, Floats] | None = None

    @property
    def node_volts(self) -> Floats:
        """Of every node."""
        return self._both()[0]

    @property
    def cell_volts(self) -> Floats:
        """Across every cell, row-major."""
        return self._both()[1]

    def _both(self) -> tuple[Floats, Floats]:
        if self._found is None:
            self._found = self._fields()
        return self._found


class LevelSeries:
    """Chebyshev series of sources and fields in one level, between `low` and `high`.

    Args:
        at_points: values at the Chebyshev points, first index; sources' amps and volts.
        fields: the same for node and cell voltages.
    """

    def __init__(self, low: float, high: float, at_points: Floats, fields: Floats, nodes: int) -> None:
        self._centre, self._half = (low + high) / 2, (high - low) / 2
        self._points = _coefficients(at_points)
        self._fields = _coefficients(fields)
        self._nodes = nodes
        self._orders = np.arange(len(at_points))

    def covers(self, level: float) -> bool:
        """Whether the series holds at this level."""
        return abs(level - self._centre) <= self._half

    def is_accurate(self, drives: int) -> bool:
        """Whether its last terms do not matter any more."""
        volts = max(abs(self._centre) + self._half, float(np.abs(self._fields[0]).max()))
        tail = np.abs(self._points[-2:]).max(axis=0)
        amps_floor = _ROUNDING * volts / SOURCE_OHMS
        allowed = _ACCURACY * np.abs(self._points).max(axis=0)
        allowed[:drives] += amps_floor
        allowed[drives:] += _ROUNDING * volts
        return bool((tail <= allowed).all() and np.abs(self._fields[-2:]).max() <= _ACCURACY * volts)

    def at(self, level: float, drives: int) -> OperatingPoint:
        """The operating point at a level it covers."""
        angle = math.acos(min(max((level - self._centre) / self._half, -1.0), 1.0))
        terms = np.cos(self._orders * angle)
        values = (terms @ self._points).tolist()
        return OperatingPoint(values[:drives], values[drives:], lambda: self._all(terms))

    def _all(self, terms: Floats) -> tuple[Floats, Floats]:
        values = terms @ self._fields
        return values[: self._nodes], values[self._nodes :]


def _coefficients(at_points: Floats) -> Floats:
    """Chebyshev coefficients from values at the points cos(pi j / N), j = 0..N (discrete cosine transform, type 1)."""
    order = len(at_points) - 1
    coefficients = dct(at_points, type=1, axis=0) / order
    coefficients[[0, -1]] /= 2
    return np.asarray(coefficients)


class _Sweep:
    """Levels of one source seen while all others stayed."""

    def __init__(self) -> None:
        self.seen: set[float] = set()
        self.series: LevelSeries | None = None

    def note(self, level: float) -> bool:
        """Remember a level that had to be solved; whether a series is due."""
        self.seen.add(level)
        return len(self.seen) >= _NEW_BEFORE_SERIES

    def span(self) -> tuple[float, float]:
        """From where to where a series should reach; the count starts anew."""
        low, high = min(self.seen), max(self.seen)
        margin = _WIDER * (high - low)
        self.seen = {low, high}
        return low - margin, high + margin


class SolvedNetwork:
    """A network and what it was solved for.

    Args:
        network: sources, relays and cells as they stay.
    """

    def __init__(self, network: Network | LargeNetwork) -> None:
        self._network = network
        self._remembered: dict[Levels, OperatingPoint] = {}
        self._sweeps: dict[tuple[int, Levels], _Sweep] = {}
        self._last: Levels | None = None
        self._sweep: tuple[int, Levels] | None = None

    def at(self, levels: Levels) -> OperatingPoint:
        """The operating point with each source at its level."""
        known = self._remembered.get(levels)
        if known is not None:
            return known
        key = self._sweep_of(levels)
        self._last = levels
        sweep = None if key is None else self._sweeps.get(key)
        if sweep is not None and sweep.series is not None and key is not None and sweep.series.covers(levels[key[0]]):
            return sweep.series.at(levels[key[0]], len(levels))
        point = self._solved(levels)
        if len(self._remembered) >= _MOST_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[levels] = point
        if key is not None:
            self._note(key, levels)
        return point

    def _sweep_of(self, levels: Levels) -> tuple[int, Levels] | None:
        """Which one level differs from the last time, and the others; the sweep goes on if it is still that one."""
        if self._sweep is not None:
            index, others = self._sweep
            if levels[:index] + levels[index + 1 :] == others:
                return self._sweep
        self._sweep = None
        if self._last is not None:
            changed = [k for k, (was, now) in enumerate(zip(self._last, levels, strict=True)) if was != now]
            if len(changed) == 1:
                self._sweep = changed[0], levels[: changed[0]] + levels[changed[0] + 1 :]
        return self._sweep

    def _note(self, key: tuple[int, Levels], levels: Levels) -> None:
        if key not in self._sweeps:
            if len(self._sweeps) >= _MOST_SWEEPS:
                del self._sweeps[next(iter(self._sweeps))]
            self._sweeps[key] = _Sweep()
        sweep = self._sweeps[key]
        if sweep.note(levels[key[0]]):
            sweep.series = self._series(key, *sweep.span()) or sweep.series

    def _solved(self, levels: Sequence[float]) -> OperatingPoint:
        nodes, cells = self._network.solve(levels)
        amps, sensed = self._points(nodes, levels)
        return OperatingPoint(amps, sensed, lambda: (nodes, cells))

    def _points(self, nodes: Floats, levels: Sequence[float]) -> tuple[list[float], list[float]]:
        drives = self._network.drives
        sensed = [float(nodes[drive.sensed]) for drive in drives]
        amps = [
            (level - volts) / SOURCE_OHMS if drive.is_volts else level
            for drive, level, volts in zip(drives, levels, sensed, strict=True)
        ]
        return amps, sensed

    def _series(self, key: tuple[int, Levels], low: float, high: float) -> LevelSeries | None:
        """A series between two levels, as long as it has to be; None if none is long enough."""
        index, others = key
        solved: dict[float, tuple[list[float], Floats, int]] = {}
        for order in _ORDERS:
            places = [j / order for j in range(order + 1)]
            for place in places:
                if place not in solved:
                    level = (low + high) / 2 + (high - low) / 2 * math.cos(math.pi * place)
                    levels = (*others[:index], level, *others[index:])
                    nodes, cells = self._network.solve(levels)
                    amps, sensed = self._points(nodes, levels)
                    solved[place] = amps + sensed, np.concatenate([nodes, cells]), nodes.size
            found = [solved[place] for place in places]
            series = LevelSeries(
                low, high, np.array([f[0] for f in found]), np.array([f[1] for f in found]), found[0][2]
            )
            if series.is_accurate(len(others) + 1):
                return series
        return None
