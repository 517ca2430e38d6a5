"""The analog side of a 2450: what its output does to the world and what its converters make of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

from .circuit import SourcePoint
from .keithley_2450_buffer import OVERFLOW
from .keithley_2450_settings import OHMS_RANGES, PROTECTIONS, Settings, SourceSettings
from .smu_stage import SmuStage, StageAccuracy

RANGE_CLAMP = 1.06
"""A fixed measure range below the limit limits the output here, as a multiple of the range (assumed: just beyond the
reading's overflow)."""
_OFF_LIMIT_FRACTION = 0.1
"""Limit of the NORMAL off state as a fraction of the present current range (Reference Manual, :OUTPut:SMODe)."""
_PROTECTION_SLACK = 0.99


class K2450Output:
    """Output stage and converters of one unit.

    Args:
        stage: its analog side.
    """

    def __init__(self, stage: SmuStage) -> None:
        self._stage = stage

    @property
    def accuracy(self) -> StageAccuracy:
        """Ranges and data sheet."""
        return self._stage.accuracy

    def off(self, settings: Settings) -> None:
        """Output off, in the off state of the selected function; remote sense is not used then."""
        self._stage.sense_remotely(False)
        state = settings.source.off_state
        amps = self.measure_scale(settings, "CURR")
        volts = self.accuracy.source_volts[settings.sources["VOLT"].range].full_scale
        if state == "HIMP":
            self._stage.disconnect()
        elif state == "GUAR" and settings.function == "CURR":
            self._stage.hold_open(_OFF_LIMIT_FRACTION * volts)
        elif state == "ZERO":
            self._stage.hold_zero(self._zero_limit(settings))
        else:
            self._stage.hold_zero(_OFF_LIMIT_FRACTION * amps)

    def _zero_limit(self, settings: Settings) -> float:
        if settings.function == "VOLT":
            return settings.source.limit
        scale = self.accuracy.source_amps[settings.source.range].full_scale
        return max(abs(settings.source.level), _OFF_LIMIT_FRACTION * scale)

    def drive(self, settings: Settings) -> None:
        """Output on at the programmed level, within limit and over-voltage protection."""
        self._drive(settings, settings.source.level)

    def drive_zero(self, settings: Settings) -> None:
        """Output on at zero, for the second reading of offset-compensated ohms."""
        self._drive(settings, 0.0)

    def _drive(self, settings: Settings, level: float) -> None:
        source = settings.source
        protection = PROTECTIONS[source.protection]
        limit = self.limit(settings)
        if settings.function == "VOLT":
            level = min(max(level, -protection), protection)
        else:
            limit = min(limit, protection)
        self._stage.sense_remotely(settings.sense.is_remote_sense)
        self._stage.drive(settings.function, level, source.range, limit)

    def limit(self, settings: Settings) -> float:
        """The limit in force: the programmed one, or a fixed measure range below it."""
        sense = settings.senses[settings.limited]
        if sense.is_auto_range or settings.sense_function != settings.limited:
            return settings.source.limit
        return min(settings.source.limit, sense.range * RANGE_CLAMP)

    def point(self) -> SourcePoint:
        """Exact operating point now."""
        return self._stage.point()

    def is_limiting(self) -> bool:
        """Whether the output is at its limit."""
        return self._stage.is_limiting()

    def is_protecting(self, settings: Settings) -> bool:
        """Whether over-voltage protection holds the output back."""
        protection = PROTECTIONS[settings.source.protection]
        if settings.function == "VOLT":
            return abs(settings.source.level) > protection
        if protection > settings.source.limit:
            return False
        return abs(self._stage.point().volts) >= protection * _PROTECTION_SLACK

    def follow_level(self, settings: Settings) -> None:
        """Move automatic source ranges so that they cover their levels."""
        for quantity, source in settings.sources.items():
            if source.is_auto_range:
                source.range = self.accuracy.smallest(quantity, source.level)

    def sweep_point(self, settings: Settings, level: float, levels: Sequence[float], ranging: str) -> SourceSettings:
        """Source settings of one point of a sweep; FIXed ranging brings the level down to the end of the range."""
        point = copy.deepcopy(settings.source)
        if ranging != "FIX":
            reach = level if ranging == "AUTO" else max(abs(value) for value in levels)
            point.range = self.accuracy.smallest(settings.function, reach)
        end = self.accuracy.ranges(settings.function)[point.range].full_scale * self.accuracy.over_range
        point.level = min(max(level, -end), end)
        return point

    def measure_scale(self, settings: Settings, function: str) -> float:
        """Full scale of the present measure range; that of the source if the same quantity is sourced."""
        if function == settings.function:
            return self.accuracy.ranges(function)[settings.source.range].full_scale
        return settings.senses[function].range

    def _range(self, settings: Settings, quantity: str) -> int:
        if quantity == settings.function:
            return settings.source.range
        return self.accuracy.smallest(quantity, settings.senses[quantity].range)

    def autorange(self, settings: Settings) -> int:
        """Move the automatic measure range to where the signal needs it; returns how many steps that took."""
        quantity = settings.limited
        sense = settings.senses[quantity]
        if not sense.is_auto_range:
            return 0
        point = self._stage.point()
        value = point.volts if quantity == "VOLT" else point.amps
        highest = self.accuracy.smallest(quantity, settings.source.limit)
        wanted = min(self.accuracy.smallest(quantity, max(abs(value), sense.lowest)), highest)
        before = self._range(settings, quantity)
        sense.range = self.accuracy.ranges(quantity)[wanted].full_scale
        return abs(wanted - before)

    @staticmethod
    def ohms_range(ohms: float, lowest: float, highest: float) -> float:
        """The range that automatic ranging selects for a resistance."""
        fitting = [scale for scale in OHMS_RANGES if lowest <= scale <= highest]
        return next((scale for scale in fitting if abs(ohms) <= scale * 1.05), fitting[-1] if fitting else highest)

    def converted(self, settings: Settings, quantity: str, true: float, count: int) -> Sequence[float]:
        """What the meter makes of a true value, `count` times."""
        sense = settings.sense
        is_repeating = sense.filter.is_on and sense.filter.kind == "REP"
        averaged = sense.filter.count if is_repeating else 1.0
        index = self._range(settings, quantity)
        if count == 1:
            return (self._stage.converted(quantity, true, index, sense.cycles, averaged),)
        return self._stage.converted_many(quantity, true, index, sense.cycles, averaged, count)


def finite(value: float) -> float:
    """A reading as it is told: beyond the range it is an overflow."""
    return math.copysign(OVERFLOW, value) if math.isinf(value) else value


def ratio(volts: float, amps: float) -> float:
    """A resistance; overflow where there is none."""
    if math.isinf(volts) or math.isinf(amps) or amps == 0.0:
        return OVERFLOW
    return volts / amps
