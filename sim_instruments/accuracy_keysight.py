"""How wrong the simulated Keysight B2900A units are (data sheet 5990-7009EN, 1 year, 23 +-5 degrees Celsius).

Measurement ranges, resolutions and accuracies are the data sheet's; the sources' are taken to be the same (to be
checked).
"""

from __future__ import annotations

from dataclasses import replace

from .accuracy import RangeAccuracy
from .smu_stage import StageAccuracy

_VOLTS = (
    RangeAccuracy(0.2, 1.5e-4, 225e-6, 100e-9),
    RangeAccuracy(2.0, 2e-4, 350e-6, 1e-6),
    RangeAccuracy(20.0, 1.5e-4, 5e-3, 10e-6),
    RangeAccuracy(200.0, 1.5e-4, 50e-3, 100e-6),
)
_AMPS = (
    RangeAccuracy(10e-9, 1e-3, 50e-12, 10e-15),
    RangeAccuracy(100e-9, 6e-4, 100e-12, 100e-15),
    RangeAccuracy(1e-6, 2.5e-4, 500e-12, 1e-12),
    RangeAccuracy(10e-6, 2.5e-4, 1.5e-9, 10e-12),
    RangeAccuracy(100e-6, 2e-4, 25e-9, 100e-12),
    RangeAccuracy(1e-3, 2e-4, 200e-9, 1e-9),
    RangeAccuracy(10e-3, 2e-4, 2.5e-6, 10e-9),
    RangeAccuracy(100e-3, 2e-4, 20e-6, 100e-9),
    RangeAccuracy(1.0, 3e-4, 1.5e-3, 1e-6),
    RangeAccuracy(1.5, 5e-4, 3.5e-3, 1e-6),
    RangeAccuracy(3.0, 4e-3, 7e-3, 10e-6),
    RangeAccuracy(10.0, 4e-3, 25e-3, 10e-6),
)
_NOISE = ((4e-4, 3e-3), (0.001, 1.25e-3), (0.01, 1.25e-4), (0.1, 2.5e-5), (1.0, 1e-6), (100.0, 3e-7))
"""Below one cycle a quarter of what the data sheet adds to the accuracy of the ranges from 1 uA to 100 mA (0.01 % of
range at 0.1, 0.05 % at 0.01, 0.5 % at 0.001 cycles); near the 6.5-digit count at one cycle (assumed)."""


def _coarser(ranges: tuple[RangeAccuracy, ...]) -> tuple[RangeAccuracy, ...]:
    """The same ranges with one digit less."""
    return tuple(replace(entry, resolution=entry.resolution * 10) for entry in ranges)


B2910_STAGE = StageAccuracy(_VOLTS, _AMPS, _VOLTS, _AMPS, over_range=1.05, noise=_NOISE)
"""B2911A and B2912A: 10 fA and 100 nV."""
B2900_STAGE = StageAccuracy(_coarser(_VOLTS), _coarser(_AMPS[1:]), _VOLTS, _AMPS[1:], over_range=1.05, noise=_NOISE)
"""B2901A and B2902A: 1 pA and 1 uV of source, 100 fA and 100 nV of measurement resolution; no 10 nA range."""
