"""How wrong a simulated Keithley 2450 is (data sheet SPEC-2450, 1 year, 23 +-5 degrees Celsius).

The tables are quoted from memory of the data sheet and are to be checked against it; other numbers are marked assumed.
"""

from __future__ import annotations

from .accuracy import RangeAccuracy
from .smu_stage import StageAccuracy

_SOURCE_VOLTS = (
    RangeAccuracy(0.02, 1e-3, 200e-6, 500e-9),
    RangeAccuracy(0.2, 1.5e-4, 200e-6, 5e-6),
    RangeAccuracy(2.0, 2e-4, 300e-6, 50e-6),
    RangeAccuracy(20.0, 1.5e-4, 2.4e-3, 500e-6),
    RangeAccuracy(200.0, 1.5e-4, 24e-3, 5e-3),
)
_MEASURE_VOLTS = (
    RangeAccuracy(0.02, 1e-3, 150e-6, 10e-9),
    RangeAccuracy(0.2, 1.2e-4, 200e-6, 100e-9),
    RangeAccuracy(2.0, 1.2e-4, 300e-6, 1e-6),
    RangeAccuracy(20.0, 1.5e-4, 1e-3, 10e-6),
    RangeAccuracy(200.0, 1.5e-4, 10e-3, 100e-6),
)
_SOURCE_AMPS = (
    RangeAccuracy(10e-9, 1e-3, 100e-12, 500e-15),
    RangeAccuracy(100e-9, 6e-4, 150e-12, 5e-12),
    RangeAccuracy(1e-6, 2.5e-4, 400e-12, 50e-12),
    RangeAccuracy(10e-6, 2.5e-4, 1.5e-9, 500e-12),
    RangeAccuracy(100e-6, 2e-4, 15e-9, 5e-9),
    RangeAccuracy(1e-3, 2e-4, 150e-9, 50e-9),
    RangeAccuracy(10e-3, 2e-4, 1.5e-6, 500e-9),
    RangeAccuracy(100e-3, 2.5e-4, 15e-6, 5e-6),
    RangeAccuracy(1.0, 6.7e-4, 900e-6, 50e-6),
)
_MEASURE_AMPS = (
    RangeAccuracy(10e-9, 1e-3, 50e-12, 10e-15),
    RangeAccuracy(100e-9, 6e-4, 100e-12, 100e-15),
    RangeAccuracy(1e-6, 2.5e-4, 300e-12, 1e-12),
    RangeAccuracy(10e-6, 2.5e-4, 700e-12, 10e-12),
    RangeAccuracy(100e-6, 2e-4, 6e-9, 100e-12),
    RangeAccuracy(1e-3, 2e-4, 60e-9, 1e-9),
    RangeAccuracy(10e-3, 2e-4, 600e-9, 10e-9),
    RangeAccuracy(100e-3, 2.5e-4, 6e-6, 100e-9),
    RangeAccuracy(1.0, 3e-4, 500e-6, 1e-6),
)
_NOISE = ((0.01, 5e-5), (0.1, 8e-6), (1.0, 1e-6), (10.0, 4e-7))
"""Assumed: one count of 6.5 digits at 1 cycle."""

K2450_STAGE = StageAccuracy(_SOURCE_VOLTS, _SOURCE_AMPS, _MEASURE_VOLTS, _MEASURE_AMPS, over_range=1.05, noise=_NOISE)
"""Ranges and accuracy of a 2450."""
