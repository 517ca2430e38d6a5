"""How far a simulated Yokogawa GS200 is off: its ranges and accuracy."""

from __future__ import annotations

from .accuracy import RangeAccuracy

# After the data sheet, 1 year, from memory: (nominal, relative, offset, resolution). To be checked.
GS200_VOLTS = (
    RangeAccuracy(10e-3, 2.5e-4, 5e-6, 100e-9),
    RangeAccuracy(100e-3, 2.5e-4, 10e-6, 1e-6),
    RangeAccuracy(1.0, 1.6e-4, 100e-6, 10e-6),
    RangeAccuracy(10.0, 1.6e-4, 240e-6, 100e-6),
    RangeAccuracy(30.0, 1.6e-4, 600e-6, 1e-3),
)
GS200_AMPS = (
    RangeAccuracy(1e-3, 3e-4, 100e-9, 10e-9),
    RangeAccuracy(10e-3, 3e-4, 0.5e-6, 100e-9),
    RangeAccuracy(100e-3, 3e-4, 5e-6, 1e-6),
    RangeAccuracy(200e-3, 3e-4, 30e-6, 1e-6),
)
GS200_MONITOR_AMPS = RangeAccuracy(0.2, 3e-4, 10e-6, 1e-6)
"""Monitor of the current when volts are sourced (option /MON); to be checked."""
GS200_MONITOR_VOLTS = RangeAccuracy(30.0, 2e-4, 2e-3, 1e-3)
"""Monitor of the voltage when amperes are sourced; to be checked."""
OVER_RANGE = 1.2
"""Levels reach 120 % of the range, but not beyond 32 V and 200 mA."""
MOST_VOLTS = 32.0
MOST_AMPS = 0.2
MONITOR_NOISE = 1e-5
"""Root-mean-square noise of a monitor reading at one power line cycle, as a fraction of range (assumed)."""
