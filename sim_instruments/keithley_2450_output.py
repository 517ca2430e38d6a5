"""The analog side of a 2450: what its output does to the world and what its converters make of it."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence

from .circuit import SourcePoint
from .keithley_2450_buffer import OVERFLOW, Reading
from .keithley_2450_settings import OHMS_RANGES, PROTECTIONS, SenseSettings, Settings, SourceSettings
from .smu_stage import SmuStage, StageAccuracy

RANGE_CLAMP = 1.06
"""A fixed measure range below the limit limits the output here, as a multiple of the range (assumed: just beyond the
reading's overflow)."""
_OFF_LIMIT_FRACTION = 0.1
"""Limit of the NORMal off state as a fraction of the present current range (Reference Manual, :OUTPut:SMODe)."""
_FRONT, _START_GROUP = 8, 256
_PROTECTING, _READ_BACK, _LIMITING, _FOUR_WIRE, _OUTPUT_ON = 4, 8, 32, 64, 128
_UNITS = {"VOLT": "VOLT", "CURR": "AMP"}


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
        """Output off, in the off state of the selected function."""
        state = settings.source.off_state
        amps = self.measure_scale(settings, "CURR")
        if state == "HIMP":
            self._stage.disconnect()
        elif state == "GUAR":
            volts = self.accuracy.source_volts[settings.sources["VOLT"].range].full_scale
            self._stage.hold_open(_OFF_LIMIT_FRACTION * volts)
        else:
            self._stage.hold_zero(amps if state == "ZERO" else _OFF_LIMIT_FRACTION * amps)

    def drive(self, settings: Settings) -> None:
        """Output on at the programmed level, within limit and over-voltage protection."""
        source = settings.source
        protection = PROTECTIONS[source.protection]
        level, limit = source.level, self.limit(settings)
        if settings.function == "VOLT":
            level = min(max(level, -protection), protection)
        else:
            limit = min(limit, protection)
        self._stage.drive(settings.function, level, source.range, limit)

    def limit(self, settings: Settings) -> float:
        """The limit in force: the programmed one, or a fixed measure range below it."""
        sense = settings.senses[settings.limited]
        if sense.is_auto_range or settings.sense_function != settings.limited:
            return settings.source.limit
        return min(settings.source.limit, sense.range * RANGE_CLAMP)

    def is_limiting(self) -> bool:
        """Whether the output is at its limit."""
        return self._stage.is_limiting()

    def is_protecting(self, settings: Settings) -> bool:
        """Whether over-voltage protection holds the output back."""
        protection = PROTECTIONS[settings.source.protection]
        if settings.function == "VOLT":
            return abs(settings.source.level) > protection
        return abs(self._stage.point().volts) >= protection * 0.99

    def follow_level(self, settings: Settings) -> None:
        """Move automatic source ranges so that they cover their levels."""
        for quantity, source in settings.sources.items():
            if source.is_auto_range:
                source.range = self.accuracy.smallest(quantity, source.level)

    def sweep_point(self, settings: Settings, level: float, levels: Sequence[float], ranging: str) -> SourceSettings:
        """Source settings of one point of a sweep; FIXed ranging brings the level down to the end of the range."""
        point = copy.deepcopy(settings.source)
        point.level = level
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
        if not sense.is_auto_range or (settings.sense_function == settings.function and not sense.is_auto_range):
            return 0
        point = self._stage.point()
        value = point.volts if quantity == "VOLT" else point.amps
        highest = self.accuracy.smallest(quantity, settings.source.limit)
        wanted = self.accuracy.smallest(quantity, max(abs(value), sense.lowest))
        wanted = min(wanted, highest)
        before = self._range(settings, quantity)
        sense.range = self.accuracy.ranges(quantity)[wanted].full_scale
        return abs(wanted - before)

    def reading(self, settings: Settings, seconds: float, *, is_first: bool) -> Reading:
        """One reading at this instant."""
        point = self._stage.point()
        sense = settings.sense
        volts = self._converted(settings, sense, "VOLT", point.volts)
        amps = self._converted(settings, sense, "CURR", point.amps)
        value, unit = self._value(settings, sense, volts, amps)
        if sense.is_relative and abs(value) < OVERFLOW:
            value -= sense.relative
        measured_source = volts if settings.function == "VOLT" else amps
        source = measured_source if settings.source.is_read_back else settings.source.level
        status = (_FRONT if settings.terminals == "FRON" else 0) | (_START_GROUP if is_first else 0)
        return Reading(
            value,
            unit,
            _finite(source),
            _UNITS[settings.function],
            seconds,
            status,
            self._source_status(settings, sense, point),
        )

    def _converted(self, settings: Settings, sense: SenseSettings, quantity: str, true: float) -> float:
        averaged = sense.filter.count if sense.filter.is_on else 1.0
        return self._stage.converted(quantity, true, self._range(settings, quantity), sense.cycles, averaged)

    def _value(self, settings: Settings, sense: SenseSettings, volts: float, amps: float) -> tuple[float, str]:
        unit = sense.unit
        if unit == "OHM":
            ohms = _ratio(volts, amps)
            too_much = settings.sense_function == "RES" and not sense.is_auto_range and abs(ohms) > sense.range * 1.05
            if settings.sense_function == "RES" and sense.is_auto_range and abs(ohms) < OVERFLOW:
                sense.range = next((scale for scale in OHMS_RANGES if abs(ohms) <= scale * 1.05), OHMS_RANGES[-1])
            return (OVERFLOW if too_much else ohms), "OHM"
        if unit == "WATT":
            return _finite(volts * amps), "WATT"
        return (_finite(volts), "VOLT") if unit == "VOLT" else (_finite(amps), "AMP")

    def _source_status(self, settings: Settings, sense: SenseSettings, point: SourcePoint) -> int:
        flags = (
            (settings.is_output_on and self.is_protecting(settings), _PROTECTING),
            (settings.source.is_read_back, _READ_BACK),
            (settings.is_output_on and point.is_limiting, _LIMITING),
            (sense.is_remote_sense, _FOUR_WIRE),
            (settings.is_output_on, _OUTPUT_ON),
        )
        return sum(bit for is_set, bit in flags if is_set)


def _finite(value: float) -> float:
    return math.copysign(OVERFLOW, value) if math.isinf(value) else value


def _ratio(volts: float, amps: float) -> float:
    if math.isinf(volts) or math.isinf(amps) or amps == 0.0:
        return OVERFLOW
    return volts / amps
