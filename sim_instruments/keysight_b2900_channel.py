"""One channel of a B2900A: its output in the world and what it measures."""

from __future__ import annotations

import math

from .circuit import SourcePoint
from .keysight_b2900_readings import Reading, StatusData, TraceBuffer
from .keysight_b2900_settings import ChannelSettings
from .scpi_errors import ScpiError
from .smu_stage import SmuStage

OFF_LIMIT_AMPS = 1e-4
"""Compliance of the NORMal and ZERO off states (User's Guide, "Output off status")."""
RANGE_CLAMP = 1.06
"""A fixed measure range below the compliance limits the output here, as a multiple of the range (assumed: just beyond
the reading's overflow)."""
_AUTO_APERTURE_CYCLES = ((1e-7, 1.0), (1e-6, 0.5), (math.inf, 0.1))
"""Automatic integration time by current range (assumed; the manual only says "suitable for the range")."""
_DEFAULT_RANGES = {"VOLT": 2.0, "CURR": 1e-4}


class Channel:
    """One output.

    Args:
        number: 1 or 2.
        stage: its analog side.
        line_hertz: power line frequency.

    Attributes:
        settings: all that *RST resets.
        level: what is being sourced.
        readings: results since the last initiation or spot measurement.
        trace: the trace buffer.
        was_protected: whether compliance has switched the output off.
    """

    def __init__(self, number: int, stage: SmuStage, line_hertz: float) -> None:
        self.number = number
        self.stage = stage
        self.readings: list[Reading] = []
        self.trace = TraceBuffer()
        self._line_hertz = line_hertz
        self.reset()

    def reset(self) -> None:
        """Settings at their defaults, output off, data gone."""
        self.settings = ChannelSettings()
        for quantity, value in _DEFAULT_RANGES.items():
            index = self.stage.accuracy.smallest(quantity, value)
            self.settings.sources[quantity].range = self.settings.senses[quantity].range = index
        self.level = 0.0
        self.readings = []
        self.trace = TraceBuffer()
        self.was_protected = False
        self.apply()

    def apply(self) -> None:
        """Bring the world to what is set."""
        settings = self.settings
        if settings.output.is_on:
            self.stage.drive(settings.function, self.level, settings.source.range, self.limit())
            self._protect()
        elif settings.output.off_mode == "HIZ":
            self.stage.disconnect()
        else:
            self.stage.hold_zero(OFF_LIMIT_AMPS)

    def limit(self) -> float:
        """The limit in force: the compliance, or a fixed measure range below it."""
        sense = self.settings.senses[self.settings.measured]
        ranges = self.stage.accuracy.ranges(self.settings.measured)
        if sense.is_auto_range or self.settings.measured not in self.settings.functions:
            return sense.limit
        return min(sense.limit, ranges[sense.range].full_scale * RANGE_CLAMP)

    def _protect(self) -> None:
        """OUTPut:PROTection: at compliance, 0 V and output off at once."""
        if self.settings.output.is_protected and self.stage.is_limiting():
            self.was_protected = True
            self.settings.output.is_on = False
            self.apply()

    def switch(self, is_on: bool) -> None:
        """OUTPut; it comes on at the programmed level."""
        self.settings.output.is_on = is_on
        if is_on:
            self.was_protected = False
            self.level = self.settings.source.level
            self._follow_level()
        self.apply()

    def select_function(self, function: str) -> None:
        """SOURce:FUNCtion:MODE; the channel goes to the new function's programmed level."""
        self.settings.function = function
        self.level = self.settings.source.level
        self._follow_level()
        self.apply()

    def set_level(self, quantity: str, level: float) -> None:
        """SOURce:<function>:LEVel; takes effect at once."""
        source = self.settings.sources[quantity]
        if not source.is_auto_range and not self.stage.accuracy.reaches(quantity, source.range, level):
            raise ScpiError(-222)
        source.level = level
        if quantity == self.settings.function:
            self.go_to(level)

    def go_to(self, level: float) -> None:
        """Source a level now, ranging as set."""
        self.level = level
        self._follow_level()
        self.apply()

    def _follow_level(self) -> None:
        settings, accuracy = self.settings, self.stage.accuracy
        source = settings.source
        if not source.is_auto_range:
            return
        ends = [self.level]
        if source.mode != "FIX" and settings.sweep.ranging == "BEST":
            ends += settings.levels() or []
        wanted = max(abs(value) for value in (*ends, source.lowest))
        source.range = accuracy.smallest(settings.function, wanted)

    def select_source_range(self, quantity: str, value: float) -> None:
        """SOURce:<function>:RANGe; automatic ranging ends."""
        source = self.settings.sources[quantity]
        source.range, source.is_auto_range = self.stage.accuracy.smallest(quantity, value), False
        end = self.stage.accuracy.ranges(quantity)[source.range].full_scale * self.stage.accuracy.over_range
        source.level = min(max(source.level, -end), end)
        if quantity == self.settings.function:
            self.level = min(max(self.level, -end), end)
            self.apply()

    @property
    def aperture_seconds(self) -> float:
        """Integration time, chosen by range if that is automatic."""
        if self.settings.aperture_seconds is not None:
            return self.settings.aperture_seconds
        amps = self.stage.accuracy.ranges("CURR")[self._meter_range("CURR")].full_scale
        cycles = next(cycles for limit, cycles in _AUTO_APERTURE_CYCLES if amps <= limit)
        return cycles / self._line_hertz

    def _meter_range(self, quantity: str) -> int:
        if quantity == self.settings.function:
            return self.settings.source.range
        return self.settings.senses[quantity].range

    def autorange(self) -> None:
        """Move the automatic measure range to where the signal needs it."""
        quantity = self.settings.measured
        sense = self.settings.senses[quantity]
        if not sense.is_auto_range or not self.settings.output.is_on:
            return
        point = self.stage.point()
        value = point.volts if quantity == "VOLT" else point.amps
        highest = self.stage.accuracy.smallest(quantity, sense.limit)
        wanted = self.stage.accuracy.smallest(quantity, max(abs(value), sense.lowest))
        sense.range = min(wanted, highest)

    def reading(self, volts: float, amps: float, *, is_limiting: bool, seconds: float, extra: str = "") -> Reading:
        """What the converters make of a true operating point.

        Args:
            seconds: time stamp.
            extra: a function measured besides those that are switched on.
        """
        functions = (*self.settings.functions, extra)
        cycles = self.aperture_seconds * self._line_hertz
        shown = {"VOLT": math.nan, "CURR": math.nan}
        for quantity, true in (("VOLT", volts), ("CURR", amps)):
            if quantity in functions or "RES" in functions:
                shown[quantity] = self.stage.converted(quantity, true, self._meter_range(quantity), cycles)
        ohms = _ratio(shown["VOLT"], shown["CURR"]) if "RES" in functions else math.nan
        status = StatusData(0) if self.settings.function == "VOLT" else StatusData.CURRENT_SOURCE
        if is_limiting:
            status |= StatusData.COMPLIANCE
        if any(math.isinf(value) for value in shown.values()):
            status |= StatusData.RANGE_OVERFLOW
        if self.settings.is_offset_compensated:
            status |= StatusData.OFFSET_COMPENSATION
        kept = {q: value if q in functions else math.nan for q, value in shown.items()}
        return Reading(kept["VOLT"], kept["CURR"], ohms, seconds, int(status), self.level)

    def keep(self, reading: Reading) -> None:
        """Store a reading where results go."""
        self.readings.append(reading)
        self.trace.store(reading)
        self._protect_after_reading()

    def _protect_after_reading(self) -> None:
        if self.settings.output.is_on:
            self._protect()

    def point(self) -> SourcePoint:
        """Exact operating point now."""
        return self.stage.point()


def _ratio(volts: float, amps: float) -> float:
    if math.isinf(volts) or math.isinf(amps) or amps == 0.0:
        return math.inf
    return volts / amps
