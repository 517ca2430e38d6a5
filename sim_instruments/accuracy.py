"""How wrong the simulated instruments are: data-sheet accuracy by range, and errors drawn from it for one instrument.

An accuracy specification bounds the error of nearly all units; a unit's own gain and offset errors are constant and are
drawn here as normal with `UNIT_SIGMA` of the one-year bound (assumed: the bound is four sigma).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

UNIT_SIGMA = 0.25
"""One standard deviation of a unit's error as a fraction of its one-year specification (assumed)."""
OVER_RANGE = 1.05
"""A range reaches to 105 % of its nominal full scale (2400 data sheet)."""


@dataclass(frozen=True)
class RangeAccuracy:
    """One range.

    Attributes:
        full_scale: nominal full scale, volts or amperes.
        gain: relative one-year accuracy, a fraction of the value.
        offset: absolute one-year accuracy, volts or amperes.
        resolution: one count.
    """

    full_scale: float
    gain: float
    offset: float
    resolution: float


# Keithley 2400 data sheet (SPEC-2400 Rev. H): programming and measurement accuracy, 1 year, 23 +-5 degrees Celsius.
K2400_SOURCE_VOLTS = (
    RangeAccuracy(0.2, 2e-4, 600e-6, 5e-6),
    RangeAccuracy(2.0, 2e-4, 600e-6, 50e-6),
    RangeAccuracy(20.0, 2e-4, 2.4e-3, 500e-6),
    RangeAccuracy(200.0, 2e-4, 24e-3, 5e-3),
)
K2400_SOURCE_AMPS = (
    RangeAccuracy(1e-6, 3.5e-4, 600e-12, 50e-12),
    RangeAccuracy(10e-6, 3.3e-4, 2e-9, 500e-12),
    RangeAccuracy(100e-6, 3.1e-4, 20e-9, 5e-9),
    RangeAccuracy(1e-3, 3.4e-4, 200e-9, 50e-9),
    RangeAccuracy(10e-3, 4.5e-4, 2e-6, 500e-9),
    RangeAccuracy(100e-3, 6.6e-4, 20e-6, 5e-6),
    RangeAccuracy(1.0, 2.7e-3, 900e-6, 50e-6),
)
K2400_MEASURE_VOLTS = (
    RangeAccuracy(0.2, 1.2e-4, 300e-6, 1e-6),
    RangeAccuracy(2.0, 1.2e-4, 300e-6, 10e-6),
    RangeAccuracy(20.0, 1.5e-4, 1.5e-3, 100e-6),
    RangeAccuracy(200.0, 1.5e-4, 10e-3, 1e-3),
)
K2400_MEASURE_AMPS = (
    RangeAccuracy(1e-6, 2.9e-4, 300e-12, 10e-12),
    RangeAccuracy(10e-6, 2.7e-4, 700e-12, 100e-12),
    RangeAccuracy(100e-6, 2.5e-4, 6e-9, 1e-9),
    RangeAccuracy(1e-3, 2.7e-4, 60e-9, 10e-9),
    RangeAccuracy(10e-3, 3.5e-4, 600e-9, 100e-9),
    RangeAccuracy(100e-3, 5.5e-4, 6e-6, 1e-6),
    RangeAccuracy(1.0, 2.2e-3, 570e-6, 10e-6),
)
K2400_NOISE = ((0.01, 1e-4), (0.1, 2e-5), (1.0, 3e-6), (10.0, 1e-6))
"""Root-mean-square noise of a reading as a fraction of range, by power line cycles. Assumed: half a count of 5.5 digits
at 1 PLC and above, one count of 3.5 to 4.5 digits at 0.01 PLC, where line pick-up is not averaged away."""
OUTPUT_OFF_AMPS_FRACTION = 0.005
"""Compliance of the NORMAL off state as a fraction of the present current range (2400 user's manual, section 13)."""


def smallest_range(value: float, ranges: Sequence[RangeAccuracy]) -> int:
    """Index of the smallest range that reaches `value`; the largest one if none does."""
    for index, candidate in enumerate(ranges):
        if abs(value) <= candidate.full_scale * OVER_RANGE * (1 + 1e-9):
            return index
    return len(ranges) - 1


def noise_fraction(cycles: float) -> float:
    """Root-mean-square noise as a fraction of range at this integration time, log-log between the table's points."""
    points = np.log(np.asarray(K2400_NOISE))
    return float(np.exp(np.interp(np.log(cycles), points[:, 0], points[:, 1])))


class UnitErrors:
    """The constant errors of one unit's converter (a source or a measurement), one pair per range."""

    def __init__(self, ranges: Sequence[RangeAccuracy], rng: np.random.Generator) -> None:
        self.ranges = tuple(ranges)
        drawn = rng.standard_normal((len(self.ranges), 2)) * UNIT_SIGMA
        self._gains = [1 + r.gain * float(g) for r, g in zip(self.ranges, drawn[:, 0], strict=True)]
        self._offsets = [r.offset * float(o) for r, o in zip(self.ranges, drawn[:, 1], strict=True)]

    def applied(self, value: float, range_index: int) -> float:
        """What a nominal (or true) value becomes on this range."""
        return value * self._gains[range_index] + self._offsets[range_index]

    def rounded(self, value: float, range_index: int) -> float:
        """The value in whole counts of this range."""
        count = self.ranges[range_index].resolution
        return round(value / count) * count
