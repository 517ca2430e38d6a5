"""The analog side of a 2400: what its output does to the world."""

from __future__ import annotations

import numpy as np

from .accuracy import (
    K2400_MEASURE_AMPS,
    K2400_MEASURE_VOLTS,
    K2400_SOURCE_AMPS,
    K2400_SOURCE_VOLTS,
    OUTPUT_OFF_AMPS_FRACTION,
    UnitErrors,
    smallest_range,
)
from .circuit import Source, SourcePoint
from .keithley_2400_settings import SenseSettings, Settings

RANGE_CLAMP = 1.05
"""Range compliance limits here, as a multiple of the fixed measure range (user's manual, table 6-1)."""
_SMALLEST_AMPS_LIMIT = 1e-9
_SMALLEST_VOLTS_LIMIT = 2e-4
_HIGHEST_PROTECTION = 210.0


class SmuOutput:
    """Output stage of one unit, with the ranges of its source and of its meter.

    Args:
        source: its output in the world.
        rng: fixes the unit's errors.
    """

    def __init__(self, source: Source, rng: np.random.Generator) -> None:
        self._source = source
        self.source_volts = UnitErrors(K2400_SOURCE_VOLTS, rng)
        self.source_amps = UnitErrors(K2400_SOURCE_AMPS, rng)
        self.measure_volts = UnitErrors(K2400_MEASURE_VOLTS, rng)
        self.measure_amps = UnitErrors(K2400_MEASURE_AMPS, rng)

    def source_unit(self, function: str) -> UnitErrors:
        """The source's ranges and errors for VOLT or CURR."""
        return self.source_volts if function == "VOLT" else self.source_amps

    def measure_unit(self, function: str) -> UnitErrors:
        """The meter's ranges and errors for VOLT or CURR."""
        return self.measure_volts if function == "VOLT" else self.measure_amps

    def off(self, settings: Settings) -> None:
        """Output off, in the selected off state; sensing is local then (user's manual, sections 2 and 13)."""
        self._source.sense_remotely(False)
        state = settings.off_state
        amps_range = self.measure_amps.ranges[_range_of(settings, "CURR")].full_scale
        normal_amps = max(OUTPUT_OFF_AMPS_FRACTION * amps_range, _SMALLEST_AMPS_LIMIT)
        if state == "HIMP":
            self._source.disconnect()
        elif state == "GUAR":
            volts_range = self.measure_volts.ranges[_range_of(settings, "VOLT")].full_scale
            self._source.drive_amps(0.0, max(OUTPUT_OFF_AMPS_FRACTION * volts_range, _SMALLEST_VOLTS_LIMIT))
        elif state == "ZERO" and settings.function == "VOLT":
            self._source.drive_volts(0.0, self._amps_limit(settings)[0])
        elif state == "ZERO":
            self._source.drive_volts(0.0, max(abs(settings.amps.level), normal_amps))
        else:
            self._source.drive_volts(0.0, normal_amps)

    def drive(self, settings: Settings, level: float) -> None:
        """Output on at `level`, volts or amperes, within compliance and over-voltage protection."""
        self._source.sense_remotely(settings.is_remote_sense)
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
        full_scale = self.measure_amps.ranges[settings.sense_amps.range].full_scale
        return _limit(settings.sense_amps, full_scale, _is_measured(settings, "CURR"))

    def _volts_limit(self, settings: Settings) -> tuple[float, bool]:
        if settings.is_auto_ohms:
            return settings.sense_volts.limit, False
        full_scale = self.measure_volts.ranges[settings.sense_volts.range].full_scale
        return _limit(settings.sense_volts, full_scale, _is_measured(settings, "VOLT"))

    def point(self) -> SourcePoint:
        """Exact operating point now."""
        return self._source.point()

    def is_limiting(self) -> bool:
        """Whether the output is in compliance now."""
        return self._source.point().is_limiting

    def is_protecting(self, settings: Settings, level: float, point: SourcePoint) -> bool:
        """Whether over-voltage protection holds the output back, at the operating point given."""
        protection = settings.volts.protection
        if protection >= _HIGHEST_PROTECTION:
            return False
        if settings.function == "VOLT":
            return abs(level) > protection and not point.is_limiting
        return point.is_limiting and protection < self._volts_limit(settings)[0]

    def is_range_limited(self, settings: Settings) -> bool:
        """Whether the limit in force is that of the fixed measure range, not the programmed compliance."""
        limit = self._amps_limit(settings) if settings.function == "VOLT" else self._volts_limit(settings)
        return limit[1]

    def autorange(self, settings: Settings) -> int:
        """Move automatic measure ranges to where the signal needs them; returns how many range steps that took."""
        point = self._source.point()
        if settings.function == "VOLT":
            return _follow(settings.sense_amps, point.amps, self.measure_amps)
        return _follow(settings.sense_volts, point.volts, self.measure_volts)


def _is_measured(settings: Settings, function: str) -> bool:
    return function in settings.functions or "RES" in settings.functions


def _range_of(settings: Settings, function: str) -> int:
    """The present range of a quantity: the source's if it is sourced, else the meter's."""
    if settings.function == function:
        return settings.source_of(function).range
    return settings.sense_of(function).range


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
