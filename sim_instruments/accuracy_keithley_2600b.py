"""Ranges, limits, accuracy, noise and timing of the Keithley Series 2600B models that are simulated.

2602B: SPEC-2602B Rev. B. 2612B and 2636B: the same layout, numbers from the data sheets as remembered; to be checked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .accuracy import RangeAccuracy

SOURCE_REACH = 1.01
"""A source range reaches to 101 % of its nominal full scale (reference manual, section 2, "Basic source operation")."""
MEASURE_REACH = 1.02
"""A measure range reaches to 102 % of its nominal full scale (the same place)."""


@dataclass(frozen=True)
class PulseRegion:
    """A part of the operating area beyond DC: how long and how much of the time the output may stay there."""

    volts: float
    amps: float
    seconds: float
    duty: float


@dataclass(frozen=True)
class Smu2600:
    """One channel's abilities.

    Attributes:
        model: as *IDN? tells it.
        source_volts, source_amps, measure_volts, measure_amps: ranges, smallest first; the last current range is for
            pulses only.
        default_limit_volts, default_limit_amps: limits after a reset.
        smallest_limit_volts, smallest_limit_amps: limits cannot be set lower.
        high_volts, high_volts_amps: beyond this voltage the safe operating area ends at this current.
        interlock_volts: ranges above this need the interlock; infinite where there is none.
        default_measure_delay: `measure.delay` after a reset; -1 is automatic.
        dc_amps: largest current outside pulses.
        pulse_regions: the extended operating area, in the order of the data sheet.
    """

    model: str
    source_volts: tuple[RangeAccuracy, ...]
    source_amps: tuple[RangeAccuracy, ...]
    measure_volts: tuple[RangeAccuracy, ...]
    measure_amps: tuple[RangeAccuracy, ...]
    default_limit_volts: float
    default_limit_amps: float
    smallest_limit_volts: float
    smallest_limit_amps: float
    high_volts: float
    high_volts_amps: float
    interlock_volts: float
    default_measure_delay: float
    dc_amps: float
    pulse_regions: tuple[PulseRegion, ...]

    def most(self, quantity: str) -> float:
        """Largest nominal level or limit of "v" or "i" outside pulses."""
        return self.source_volts[-1].full_scale if quantity == "v" else self.dc_amps

    def is_safe(self, volts: float, amps: float) -> bool:
        """Whether an output may stay at these for ever."""
        volts, amps = abs(volts) / SOURCE_REACH, abs(amps) / SOURCE_REACH
        if volts > self.source_volts[-1].full_scale or amps > self.dc_amps:
            return False
        return volts <= self.high_volts or amps <= self.high_volts_amps

    def pulse_region(self, volts: float, amps: float) -> PulseRegion | None:
        """The region for pulses of this kind: the one that allows the longest; None if none reaches so far."""
        volts, amps = abs(volts) / SOURCE_REACH, abs(amps) / SOURCE_REACH
        fitting = [r for r in self.pulse_regions if volts <= r.volts and amps <= r.amps]
        return max(fitting, key=lambda r: r.seconds, default=None)


_SOURCE_AMPS = (
    RangeAccuracy(100e-9, 6e-4, 100e-12, 2e-12),
    RangeAccuracy(1e-6, 3e-4, 800e-12, 20e-12),
    RangeAccuracy(10e-6, 3e-4, 5e-9, 200e-12),
    RangeAccuracy(100e-6, 3e-4, 60e-9, 2e-9),
    RangeAccuracy(1e-3, 3e-4, 300e-9, 20e-9),
    RangeAccuracy(10e-3, 3e-4, 6e-6, 200e-9),
    RangeAccuracy(100e-3, 3e-4, 30e-6, 2e-6),
    RangeAccuracy(1.0, 5e-4, 1.8e-3, 20e-6),
)
_MEASURE_AMPS = (
    RangeAccuracy(100e-9, 5e-4, 100e-12, 100e-15),
    RangeAccuracy(1e-6, 2.5e-4, 500e-12, 1e-12),
    RangeAccuracy(10e-6, 2.5e-4, 1.5e-9, 10e-12),
    RangeAccuracy(100e-6, 2e-4, 25e-9, 100e-12),
    RangeAccuracy(1e-3, 2e-4, 200e-9, 1e-9),
    RangeAccuracy(10e-3, 2e-4, 2.5e-6, 10e-9),
    RangeAccuracy(100e-3, 2e-4, 20e-6, 100e-9),
    RangeAccuracy(1.0, 3e-4, 1.5e-3, 1e-6),
)
_PULSE_SOURCE_AMPS = RangeAccuracy(10.0, 5e-3, 40e-3, 200e-6)
_PULSE_MEASURE_AMPS = RangeAccuracy(10.0, 4e-3, 25e-3, 10e-6)
_LOW_REGIONS = (
    PulseRegion(40.0, 1.5, 100e-3, 0.25),
    PulseRegion(35.0, 5.0, 4e-3, 0.04),
    PulseRegion(20.0, 10.0, 1.8e-3, 0.01),
)
"""2602B data sheet, "Pulse specifications", as remembered; to be checked."""
_HIGH_REGIONS = (
    PulseRegion(180.0, 1.0, 8.5e-3, 0.01),
    PulseRegion(200.0, 1.0, 2.2e-3, 0.01),
    PulseRegion(5.0, 10.0, 1e-3, 0.022),
)
"""2612B and 2636B data sheets, the same place, as remembered; to be checked."""
_HIGH_SOURCE_VOLTS = (
    RangeAccuracy(0.2, 2e-4, 375e-6, 5e-6),
    RangeAccuracy(2.0, 2e-4, 600e-6, 50e-6),
    RangeAccuracy(20.0, 2e-4, 5e-3, 500e-6),
    RangeAccuracy(200.0, 2e-4, 50e-3, 5e-3),
)
_HIGH_MEASURE_VOLTS = (
    RangeAccuracy(0.2, 1.5e-4, 225e-6, 100e-9),
    RangeAccuracy(2.0, 2e-4, 350e-6, 1e-6),
    RangeAccuracy(20.0, 1.5e-4, 5e-3, 10e-6),
    RangeAccuracy(200.0, 1.5e-4, 50e-3, 100e-6),
)
_TOP_SOURCE_AMPS = RangeAccuracy(1.5, 6e-4, 4e-3, 50e-6)
_TOP_MEASURE_AMPS = RangeAccuracy(1.5, 5e-4, 3.5e-3, 1e-6)

MODEL_2602B = Smu2600(
    "2602B",
    (
        RangeAccuracy(0.1, 2e-4, 250e-6, 5e-6),
        RangeAccuracy(1.0, 2e-4, 400e-6, 50e-6),
        RangeAccuracy(6.0, 2e-4, 1.8e-3, 50e-6),
        RangeAccuracy(40.0, 2e-4, 12e-3, 500e-6),
    ),
    (*_SOURCE_AMPS, RangeAccuracy(3.0, 6e-4, 4e-3, 20e-6), _PULSE_SOURCE_AMPS),
    (
        RangeAccuracy(0.1, 1.5e-4, 150e-6, 100e-9),
        RangeAccuracy(1.0, 1.5e-4, 200e-6, 1e-6),
        RangeAccuracy(6.0, 1.5e-4, 1e-3, 10e-6),
        RangeAccuracy(40.0, 1.5e-4, 8e-3, 10e-6),
    ),
    (*_MEASURE_AMPS, RangeAccuracy(3.0, 5e-4, 3.5e-3, 1e-6), _PULSE_MEASURE_AMPS),
    default_limit_volts=40.0,
    default_limit_amps=1.0,
    smallest_limit_volts=10e-3,
    smallest_limit_amps=10e-9,
    high_volts=6.0,
    high_volts_amps=1.0,
    interlock_volts=float("inf"),
    default_measure_delay=0.0,
    dc_amps=3.0,
    pulse_regions=_LOW_REGIONS,
)
MODEL_2612B = Smu2600(
    "2612B",
    _HIGH_SOURCE_VOLTS,
    (*_SOURCE_AMPS, _TOP_SOURCE_AMPS, _PULSE_SOURCE_AMPS),
    _HIGH_MEASURE_VOLTS,
    (*_MEASURE_AMPS, _TOP_MEASURE_AMPS, _PULSE_MEASURE_AMPS),
    default_limit_volts=20.0,
    default_limit_amps=0.1,
    smallest_limit_volts=20e-3,
    smallest_limit_amps=10e-9,
    high_volts=20.0,
    high_volts_amps=0.1,
    interlock_volts=20.0,
    default_measure_delay=0.0,
    dc_amps=1.5,
    pulse_regions=_HIGH_REGIONS,
)
MODEL_2636B = Smu2600(
    "2636B",
    _HIGH_SOURCE_VOLTS,
    (
        RangeAccuracy(1e-9, 1.5e-3, 2e-12, 20e-15),
        RangeAccuracy(10e-9, 1.5e-3, 5e-12, 200e-15),
        RangeAccuracy(100e-9, 6e-4, 50e-12, 2e-12),
        *_SOURCE_AMPS[1:],
        _TOP_SOURCE_AMPS,
        _PULSE_SOURCE_AMPS,
    ),
    _HIGH_MEASURE_VOLTS,
    (
        RangeAccuracy(100e-12, 1.5e-3, 120e-15, 0.1e-15),
        RangeAccuracy(1e-9, 1.5e-3, 240e-15, 1e-15),
        RangeAccuracy(10e-9, 1.5e-3, 3e-12, 10e-15),
        RangeAccuracy(100e-9, 6e-4, 40e-12, 100e-15),
        RangeAccuracy(1e-6, 2.5e-4, 400e-12, 1e-12),
        *_MEASURE_AMPS[2:],
        _TOP_MEASURE_AMPS,
        _PULSE_MEASURE_AMPS,
    ),
    default_limit_volts=20.0,
    default_limit_amps=0.1,
    smallest_limit_volts=20e-3,
    smallest_limit_amps=100e-12,
    high_volts=20.0,
    high_volts_amps=0.1,
    interlock_volts=20.0,
    default_measure_delay=-1.0,
    dc_amps=1.5,
    pulse_regions=_HIGH_REGIONS,
)

_NOISE = ((0.001, 1e-3), (0.01, 1e-4), (0.1, 2e-5), (1.0, 3e-6), (25.0, 1e-6))
"""Root-mean-square noise of a reading as a fraction of range, by power line cycles. Assumed: an eighth of the data
sheet's peak term for settings below 1 PLC, and the 0.1 to 10 Hz noise at 1 PLC."""


def noise_fraction_2600b(cycles: float) -> float:
    """Root-mean-square noise as a fraction of range at this integration time, log-log between the table's points."""
    points = np.log(np.asarray(_NOISE))
    return float(np.exp(np.interp(np.log(cycles), points[:, 0], points[:, 1])))


# Rates of the data sheet at 0.001 PLC and 50 Hz (to be checked): 20000 readings/s to memory, 12000 source-measure
# operations/s by the trigger model and 7000 by a script, 1800 single readings/s to GPIB.
COMMAND_SECONDS = 100e-6
"""Parsing and running one short message (after the rate of single readings)."""
SOURCE_SECONDS = 40e-6
"""From a level to the settled output on a fixed range (after the rate of sweeps; typically below 100 us)."""
LEVEL_SECONDS = 50e-6
"""What a script needs for a level beyond that (after the rate of scripts)."""
OUTPUT_SECONDS = 1e-3
"""Output relay on or off (assumed)."""
AUTORANGE_SECONDS = 1e-3
"""One step of an autoranging measurement (assumed)."""
READING_SECONDS = 35e-6
"""Overhead of one reading beside its delay and aperture (after the rate of readings)."""
AUTO_DELAY_SECONDS = ((1e-9, 50e-3), (10e-9, 20e-3), (100e-9, 5e-3), (1e-6, 2e-3), (10e-6, 500e-6))
"""Automatic measure delay by current range; none above the last (assumed)."""


AUTO_SOURCE_SECONDS = 1e-3
"""Automatic source delay (assumed)."""


def auto_delay(amps_range: float) -> float:
    """Automatic measure delay on this current range."""
    return next((seconds for top, seconds in AUTO_DELAY_SECONDS if amps_range <= top * 1.001), 0.0)
