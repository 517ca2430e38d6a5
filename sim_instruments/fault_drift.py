"""Outputs that drift: level errors that grow with simulated time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .circuit import Source

_STEP_SECONDS = 60.0
"""How finely a long wait follows the drift."""
_HOUR = 3600.0


class Drift:
    """The drift of one instrument's outputs; a process of the world.

    Args:
        sources: its outputs.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = tuple(sources)
        self._rates: list[tuple[float, float, float, float]] = []
        self._next = math.inf
        self._end = math.inf

    def add(self, now: float, volts: float | None, amps: float | None, gain: float | None) -> None:
        """Drift from now on by so much per hour."""
        self._rates.append((now, (volts or 0.0) / _HOUR, (amps or 0.0) / _HOUR, (gain or 0.0) / _HOUR))

    def prepare(self, start: float, end: float) -> None:
        """See Process."""
        self._end = end
        self._next = min(start + _STEP_SECONDS, end)

    def next_change(self) -> float:
        """See Process."""
        return self._next

    def change(self, now: float) -> None:
        """See Process."""
        volts = amps = gain = 0.0
        for since, volts_rate, amps_rate, gain_rate in self._rates:
            volts += (now - since) * volts_rate
            amps += (now - since) * amps_rate
            gain += (now - since) * gain_rate
        for source in self._sources:
            source.set_error(volts, amps, 1 + gain)
        self._next = math.inf if now >= self._end else min(now + _STEP_SECONDS, self._end)
