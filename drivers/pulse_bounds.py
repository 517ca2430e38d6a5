"""What pulses one output of a generator can make as it is set up."""

from __future__ import annotations

import math
from dataclasses import dataclass

SOURCE_OHMS = 50.0
LONGEST_SECONDS = 5.0
"""One burst: the instrument is asked when it is over, and must answer before the session's timeout."""
MOST_PULSES = 100_000_000
_EDGE_TO_WIDTH = 1.6
"""Width by edge at least, and how much edge a period needs beside the width (manuals of both families)."""
_ROOM = 1.001
"""Kept from the instrument's own bounds, which its rounding of what it is told could cross."""
_ROUNDING = 1 + 1e-9


@dataclass(frozen=True)
class PulseBounds:
    """Bounds of an output.

    Attributes:
        told_width, edge, told_period: shortest width, edge and shortest period, as the instrument tells them.
        told_least, told_most: smallest and largest amplitude of the levels that it is told.
        volts_limit: largest magnitude that is allowed across the load.
        scale: what volts across the load are multiplied with to tell the instrument.
    """

    told_width: float
    edge: float
    told_period: float = 0.0
    told_least: float = 0.0
    told_most: float = 0.0
    volts_limit: float = 0.0
    scale: float = 1.0

    @property
    def shortest(self) -> float:
        """Shortest pulse, seconds."""
        return max(self.told_width, _EDGE_TO_WIDTH * self.edge)

    @property
    def least_told(self) -> float:
        """Smallest level to tell the instrument."""
        return self.told_least * _ROOM

    @property
    def least_volts(self) -> float:
        """Smallest pulse across the load."""
        return self.least_told / self.scale

    @property
    def most_volts(self) -> float:
        """Largest pulse across the load that the instrument can make, whatever is allowed."""
        return self.told_most / self.scale

    @property
    def reaches_limit(self) -> bool:
        """Whether the instrument can make pulses as large as is allowed."""
        return self.least_volts <= self.volts_limit <= self.most_volts * _ROUNDING

    def least_period(self, seconds: float) -> float:
        """Shortest period of pulses this wide."""
        return max((seconds + self.shortest) * _ROOM, self.told_period * _ROOM)

    def complaint(self, volts: float, seconds: float, count: int, period: float) -> str:
        """Why these pulses cannot be made, in words; empty if they can."""
        if not all(math.isfinite(number) for number in (volts, seconds, period)):
            return f"a pulse of {volts} V, {seconds} s every {period} s is none"
        if abs(volts) > self.volts_limit * _ROUNDING:
            return f"a pulse of {volts:g} V is beyond the limit of {self.volts_limit:g} V"
        if abs(volts) * _ROUNDING < self.least_volts:
            return f"a pulse of {volts:g} V is smaller than its {self.least_volts:.3g} V"
        if seconds * _ROUNDING < self.shortest:
            return f"a pulse of {seconds:g} s is shorter than its {self.shortest:g} s"
        if not 1 <= count <= MOST_PULSES:
            return f"{count} pulses are not between 1 and {MOST_PULSES}"
        if period * _ROUNDING < self.least_period(seconds):
            return f"a period of {period:g} s is shorter than the {self.least_period(seconds):g} s that the pulse needs"
        if count * period > LONGEST_SECONDS:
            return f"{count} pulses every {period:g} s take longer than {LONGEST_SECONDS:g} s"
        return ""
