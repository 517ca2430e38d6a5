"""The analog side of a 2400: what its output does to the world and what its converters make of it."""

from __future__ import annotations

import math

import numpy as np

from .accuracy import (
    K2400_MEASURE_AMPS,
    K2400_MEASURE_VOLTS,
    K2400_SOURCE_AMPS,
    K2400_SOURCE_VOLTS,
    OUTPUT_OFF_AMPS_FRACTION,
    OVER_RANGE,
    UnitErrors,
    noise_fraction,
    smallest_range,
)
from .circuit import Source, SourcePoint
from .keithley_2400_readings import NOT_A_NUMBER, OVERFLOW, SmuReading, StatusBit
from .keithley_2400_settings import SenseSettings, Settings

RANGE_CLAMP = 1.055
"""Range compliance limits here, as a multiple of the fixed measure range (assumed: just beyond the reading's overflow,
so that a reading taken in range compliance overflows)."""
_SMALLEST_AMPS_LIMIT = 1e-9


class SmuOutput:
    """Output stage and converters of one unit.

    Args:
        source: its output in the world.
        rng: fixes the unit's errors and its noise.
    """

    def __init__(self, source: Source, rng: np.random.Generator) -> None:
        self._source = source
        self._rng = rng
        self.source_volts = UnitErrors(K2400_SOURCE_VOLTS, rng)
        self.source_amps = UnitErrors(K2400_SOURCE_AMPS, rng)
        self.measure_volts = UnitErrors(K2400_MEASURE_VOLTS, rng)
        self.measure_amps = UnitErrors(K2400_MEASURE_AMPS, rng)
        self._noise: dict[float, float] = {}

    def off(self, settings: Settings) -> None:
        """Output off, in the selected off state (user's manual, section 13)."""
        state = settings.off_state
        if state == "HIMP":
            self._source.disconnect()
        elif state == "GUAR":
            self._source.drive_amps(0.0, settings.sense_volts.limit)
        elif state == "ZERO":
            self._source.drive_volts(0.0, self._amps_limit(settings)[0])
        else:
            amps_range = self.measure_amps.ranges[settings.sense_amps.range].full_scale
            self._source.drive_volts(0.0, max(OUTPUT_OFF_AMPS_FRACTION * amps_range, _SMALLEST_AMPS_LIMIT))

    def drive(self, settings: Settings, level: float) -> None:
        """Output on at `level`, volts or amperes, within compliance and over-voltage protection."""
        if settings.function == "VOLT":
            protection = settings.volts.protection
            clipped = min(max(level, -protection), protection)
            volts = self.source_volts.applied(clipped, settings.volts.range)
            self._source.drive_volts(volts, self._real_amps(self._amps_limit(settings)[0]))
        else:
            amps = self.source_amps.applied(level, settings.amps.range)
            limit = min(self._volts_limit(settings)[0], settings.volts.protection)
            self._source.drive_amps(amps, self._real_volts(limit))

    def _real_amps(self, limit: float) -> float:
        real = self.source_amps.applied(limit, smallest_range(limit, K2400_SOURCE_AMPS))
        return max(real, _SMALLEST_AMPS_LIMIT)

    def _real_volts(self, limit: float) -> float:
        return max(self.source_volts.applied(limit, smallest_range(limit, K2400_SOURCE_VOLTS)), 0.0)

    def _amps_limit(self, settings: Settings) -> tuple[float, bool]:
        ranges = self.measure_amps.ranges
        full_scale = ranges[settings.sense_amps.range].full_scale
        return _limit(settings.sense_amps, full_scale, "CURR" in settings.functions)

    def _volts_limit(self, settings: Settings) -> tuple[float, bool]:
        full_scale = self.measure_volts.ranges[settings.sense_volts.range].full_scale
        return _limit(settings.sense_volts, full_scale, "VOLT" in settings.functions)

    def is_limiting(self) -> bool:
        """Whether the output is in compliance now."""
        return self._source.point().is_limiting

    def autorange(self, settings: Settings) -> int:
        """Move automatic measure ranges to where the signal needs them; returns how many range steps that took."""
        point = self._source.point()
        if settings.function == "VOLT":
            return _follow(settings.sense_amps, point.amps, self.measure_amps)
        return _follow(settings.sense_volts, point.volts, self.measure_volts)

    def reading(self, settings: Settings, level: float, seconds: float) -> SmuReading:
        """One reading at this instant.

        Args:
            settings: ranges, functions, integration, filter.
            level: the programmed level, told where the sourced quantity is not measured.
            seconds: its time stamp.
        """
        point = self._source.point()
        is_volts_source = settings.function == "VOLT"
        noise = self._noise_of(settings)
        volts = amps = NOT_A_NUMBER
        if is_volts_source:
            volts = level
        else:
            amps = level
        wants_ohms = "RES" in settings.functions
        if wants_ohms or "VOLT" in settings.functions:
            index = settings.volts.range if is_volts_source else settings.sense_volts.range
            volts = self._converted(point.volts, index, self.measure_volts, noise)
        if wants_ohms or "CURR" in settings.functions:
            index = settings.sense_amps.range if is_volts_source else settings.amps.range
            amps = self._converted(point.amps, index, self.measure_amps, noise)
        ohms = _ratio(volts, amps) if wants_ohms else NOT_A_NUMBER
        status = self._status(settings, point, (volts, amps, ohms))
        return SmuReading(volts, amps, ohms, seconds, status)

    def _noise_of(self, settings: Settings) -> float:
        cycles = settings.cycles
        if cycles not in self._noise:
            self._noise[cycles] = noise_fraction(cycles)
        averaged = settings.filter.count if settings.filter.is_on else 1.0
        return self._noise[cycles] / math.sqrt(averaged)

    def _converted(self, true: float, index: int, unit: UnitErrors, noise: float) -> float:
        full_scale = unit.ranges[index].full_scale
        value = unit.applied(true, index) + full_scale * noise * float(self._rng.standard_normal())
        if abs(value) > full_scale * OVER_RANGE:
            return math.copysign(OVERFLOW, value)
        return unit.rounded(value, index)

    def _status(self, settings: Settings, point: SourcePoint, values: tuple[float, ...]) -> int:
        word = StatusBit.VOLTS_SOURCED if settings.function == "VOLT" else StatusBit.AMPS_SOURCED
        flags = (
            (any(abs(value) == OVERFLOW for value in values), StatusBit.OVERFLOW),
            (settings.filter.is_on, StatusBit.FILTER),
            (settings.terminals == "FRON", StatusBit.FRONT),
            (settings.is_null_on, StatusBit.NULL),
            ("VOLT" in settings.functions, StatusBit.VOLTS_MEASURED),
            ("CURR" in settings.functions, StatusBit.AMPS_MEASURED),
            ("RES" in settings.functions, StatusBit.OHMS_MEASURED),
            (settings.is_offset_compensated, StatusBit.OFFSET_COMPENSATION),
            (settings.is_remote_sense, StatusBit.REMOTE_SENSE),
            (abs(point.volts) >= settings.volts.protection, StatusBit.OVER_VOLTAGE),
        )
        for is_set, bit in flags:
            if is_set:
                word |= bit
        if point.is_limiting:
            limit = self._amps_limit(settings) if settings.function == "VOLT" else self._volts_limit(settings)
            word |= StatusBit.RANGE_COMPLIANCE if limit[1] else StatusBit.COMPLIANCE
        return int(word)


def _limit(sense: SenseSettings, full_scale: float, is_measured: bool) -> tuple[float, bool]:
    """The limit in force, and whether it is the fixed measure range's rather than the programmed compliance."""
    if is_measured and not sense.is_auto_range and full_scale * RANGE_CLAMP < sense.limit:
        return full_scale * RANGE_CLAMP, True
    return sense.limit, False


def _follow(sense: SenseSettings, value: float, unit: UnitErrors) -> int:
    if not sense.is_auto_range:
        return 0
    highest = smallest_range(sense.limit, unit.ranges)
    wanted = min(max(smallest_range(value, unit.ranges), sense.lowest_range), highest)
    steps = abs(wanted - sense.range)
    sense.range = wanted
    return steps


def _ratio(volts: float, amps: float) -> float:
    if abs(volts) >= OVERFLOW or abs(amps) >= OVERFLOW or amps == 0.0:
        return OVERFLOW
    return volts / amps
