"""How far the simulated Keysight pulse and waveform generators are off: limits of level and edge."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .accuracy import UNIT_SIGMA


@dataclass(frozen=True)
class GeneratorLimits:
    """What one model can do into 50 ohm.

    Attributes:
        hertz_sine, hertz_square, hertz_ramp, hertz_pulse: highest frequency by waveform.
        volts_peak_to_peak: largest amplitude into 50 ohm.
        volts_least: smallest amplitude into 50 ohm.
        volts_window: levels stay within +-this into 50 ohm.
        width_seconds: shortest pulse width.
        edge_seconds: shortest edge, 10 % to 90 %.
        longest_edge_seconds: longest edge.
        longest_period_seconds: longest period.
        gain, offset_volts: one-year amplitude accuracy, relative and absolute, into 50 ohm.
        volts_overload: what the terminal stands from outside before the output opens by itself.
        samples_least, samples_most: length of arbitrary waveforms.
        hertz_samples: highest sample rate.
        hertz_default, volts_default: what DEFault means, into 50 ohm.
        burst_cycles: most cycles of a burst.
    """

    hertz_sine: float
    hertz_square: float
    hertz_ramp: float
    hertz_pulse: float
    volts_peak_to_peak: float
    volts_least: float
    volts_window: float
    width_seconds: float
    edge_seconds: float
    longest_edge_seconds: float
    longest_period_seconds: float
    gain: float
    offset_volts: float
    volts_overload: float = 12.0
    samples_least: int = 8
    samples_most: int = 1_000_000
    hertz_samples: float = 250e6
    hertz_default: float = 1e3
    volts_default: float = 0.1
    burst_cycles: float = 1e8


# After the 33500B and 33600A series data sheets, from memory: +-1 % of setting +-1 mVpp. To be checked. That the output
# opens above 12 V is assumed; the data sheets say that an overload opens it and that a short does no harm.
KEYSIGHT_33522B = GeneratorLimits(30e6, 30e6, 200e3, 30e6, 10.0, 1e-3, 5.0, 16e-9, 8.4e-9, 1e-6, 1e6, 0.01, 1e-3)
KEYSIGHT_33622A = GeneratorLimits(
    120e6, 100e6, 800e3, 100e6, 10.0, 1e-3, 5.0, 5e-9, 2.9e-9, 1e-6, 1e6, 0.01, 1e-3, 12.0, 32, 4_000_000, 1e9
)
# After the 81160A data sheet, from memory: +-1.5 % of amplitude +-5 mV, width 1.5 ns, edges 1 ns. To be checked.
KEYSIGHT_81160A = GeneratorLimits(
    500e6,
    330e6,
    20e6,
    330e6,
    5.0,
    50e-3,
    5.0,
    1.5e-9,
    1e-9,
    1000.0,
    1e6,
    0.015,
    5e-3,
    12.0,
    2,
    524_288,
    2.5e9,
    1e6,
    1.0,
    2_147_483_647.0,
)
SOURCE_OHMS = 50.0
"""Output impedance of all of them."""
LOW_OHMS = 5.0
"""The other output impedance that an 81150A has; assumed of the 81160A, whose programs are the same."""


class LevelErrors:
    """Constant gain and offset error of one channel, drawn as normal with `UNIT_SIGMA` of the one-year limits."""

    def __init__(self, limits: GeneratorLimits, rng: np.random.Generator) -> None:
        gain, offset = rng.standard_normal(2) * UNIT_SIGMA
        self._gain = 1 + limits.gain * float(gain)
        self._offset = 2 * limits.offset_volts * float(offset)

    def applied(self, volts: float) -> float:
        """Open-circuit volts that the channel really gives for these."""
        return volts * self._gain + self._offset
