"""One channel of a B2900A: its output in the world and what it measures."""

from __future__ import annotations

import math

from .circuit import SourcePoint
from .keysight_b2900_calculation import Calculation
from .keysight_b2900_readings import Reading, StatusData
from .keysight_b2900_settings import (
    DEFAULT_RANGES,
    ENVELOPE,
    MOST_READINGS,
    OHMS_LIMIT_VOLTS,
    PULSED_ENVELOPE,
    ChannelSettings,
    OutputSettings,
)
from .keysight_b2900_trace import TraceBuffer
from .scpi_errors import ScpiError
from .smu_stage import SmuStage

OFF_LIMIT_AMPS = 1e-4
"""Compliance of the NORMal and ZERO off states (User's Guide, "Output off status")."""
RANGE_CLAMP = 1.06
"""A fixed measure range below the compliance limits the output here, as a multiple of the range (assumed: just beyond
the reading's overflow)."""
HIGH_CAPACITANCE_AMPS = 1e-6
"""Smallest current range in the high-capacitance mode (data sheet)."""
FASTEST_FILTER_SECONDS = 5e-6
"""With this time constant the filter is no slower than the output itself (assumed)."""
_SPARE = 1000
"""How far a sweep without end overfills the data buffer before the oldest readings go."""
_AUTO_APERTURE_CYCLES = ((1e-7, 1.0), (1e-6, 0.5), (math.inf, 0.1))
"""Automatic integration time by current range (assumed; the manual only says "suitable for the range")."""


class Channel:
    """One output.

    Args:
        number: 1 or 2.
        stage: its analog side.
        line_hertz: power line frequency.
        calculation: what becomes of its readings.

    Attributes:
        settings: all that *RST resets.
        level: what is being sourced.
        readings: results since the last initiation or spot measurement.
        trace: the trace buffer.
        was_protected: whether compliance has switched the output off.
        driven_level: what the output drives now, on its way to `level`.
        moves_at: when the source last moved or is about to, world seconds.
        source_free_at, settled_at: world seconds from which on the source may change, or a measurement begin, again.
        output_revision: counts changes of the output; who settles an earlier one can tell that he is late.
    """

    def __init__(self, number: int, stage: SmuStage, line_hertz: float, calculation: Calculation) -> None:
        self.number = number
        self.stage = stage
        self.calculation = calculation
        self.readings: list[Reading] = []
        self.trace = TraceBuffer()
        self.output_revision = 0
        self.driven_level = 0.0
        self.moves_at = -1.0
        self.source_free_at = self.settled_at = 0.0
        self.is_high_temperature = False
        self._line_hertz = line_hertz
        self.reset()

    def reset(self) -> None:
        """Settings at their defaults, output off, data gone."""
        self.settings = ChannelSettings()
        for quantity, value in DEFAULT_RANGES.items():
            index = self.stage.accuracy.smallest(quantity, value)
            self.settings.sources[quantity].range = self.settings.senses[quantity].range = index
            self.settings.sources[quantity].lowest = self.stage.accuracy.ranges(quantity)[0].full_scale
        self.level = 0.0
        self.readings = []
        self.trace = TraceBuffer()
        self.was_protected = False
        self.calculation.begin(self.settings)
        self.apply()

    @property
    def output(self) -> OutputSettings:
        """Settings of the output switch."""
        return self.settings.output

    def apply(self) -> None:
        """Bring the world to what is set."""
        self.output_revision += 1
        self._drive(self.level)

    def begin_change(self) -> int:
        """The output is about to leave what it drives now; the change's number."""
        self.output_revision += 1
        return self.output_revision

    def settle_to(self, level: float) -> None:
        """The output is on its way: bring the world to a level that it passes."""
        self._drive(level)

    def _drive(self, level: float) -> None:
        settings = self.settings
        self.driven_level = level if settings.output.is_on else 0.0
        self.stage.sense_remotely(settings.is_remote_sense and settings.output.is_on)
        if settings.output.is_on:
            limit, negative = self.limits()
            self.stage.drive(settings.function, level, settings.source.range, limit)
            if negative != limit:
                self._use_limit_of_sign(level, limit, negative)
            self._protect()
        elif settings.output.off_mode == "HIZ":
            self.stage.disconnect()
        else:
            self.stage.hold_zero(OFF_LIMIT_AMPS)

    def _use_limit_of_sign(self, level: float, limit: float, negative: float) -> None:
        point = self.stage.point()
        if (point.amps if self.settings.function == "VOLT" else point.volts) < 0:
            self.stage.drive(self.settings.function, level, self.settings.source.range, negative)
        else:
            self.stage.drive(self.settings.function, level, self.settings.source.range, limit)

    def limits(self) -> tuple[float, float]:
        """The limits in force, positive and negative: the compliance, the envelope, or a fixed measure range."""
        sense = self.settings.senses[self.settings.measured]
        most = min(self._reach(), self._range_reach())
        negative = sense.limit if sense.negative_limit is None else sense.negative_limit
        return min(sense.limit, most), min(negative, most)

    def _range_reach(self) -> float:
        sense = self.settings.senses[self.settings.measured]
        if sense.is_auto_range or self.settings.measured not in self.settings.functions:
            return math.inf
        return self.stage.accuracy.ranges(self.settings.measured)[sense.range].full_scale * RANGE_CLAMP

    def _reach(self) -> float:
        """What the output stage can give of the other quantity at this level."""
        envelope = ENVELOPE if self.settings.shape == "DC" else PULSED_ENVELOPE
        if self.settings.function == "VOLT":
            return next((amps for volts, amps in envelope if abs(self.level) <= volts * 1.05), envelope[-1][1])
        return max((volts for volts, amps in envelope if abs(self.level) <= amps * 1.001), default=envelope[0][0])

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
        self.prepare(level)
        self.apply()

    def prepare(self, level: float) -> None:
        """The next level to source, and the range for it."""
        self.level = level
        self._follow_level()

    def _follow_level(self) -> None:
        settings, accuracy = self.settings, self.stage.accuracy
        source = settings.source
        if not source.is_auto_range or (source.mode != "FIX" and settings.sweep.ranging == "FIX"):
            return
        swept = settings.largest_level if source.mode != "FIX" and settings.sweep.ranging == "BEST" else 0.0
        wanted = max(abs(self.level), swept, source.lowest, self._smallest(settings.function))
        source.range = accuracy.smallest(settings.function, wanted)

    def _smallest(self, quantity: str) -> float:
        return HIGH_CAPACITANCE_AMPS if quantity == "CURR" and self.settings.output.is_high_capacitance else 0.0

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
    def settling_seconds(self) -> float:
        """Time constant of the output filter where a program has set one; the automatic filter is fast enough."""
        output = self.settings.output
        is_slow = output.is_filtered and not output.is_filter_auto and output.filter_seconds > FASTEST_FILTER_SECONDS
        return output.filter_seconds if is_slow else 0.0

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
        if not sense.is_auto_range or not self.settings.output.is_on or self.settings.ohms_mode == "AUTO":
            return
        point = self.stage.point()
        value = abs(point.volts if quantity == "VOLT" else point.amps)
        if sense.auto_mode != "NORM":
            value *= self.stage.accuracy.over_range * 100 / sense.auto_threshold
        highest = self.stage.accuracy.smallest(quantity, max(sense.limit, sense.negative_limit or 0.0))
        wanted = self.stage.accuracy.smallest(quantity, max(value, sense.lowest, self._smallest(quantity)))
        sense.range = min(wanted, highest)

    def reading(self, volts: float, amps: float, *, is_limiting: bool, seconds: float, extra: str = "") -> Reading:
        """What the converters make of a true operating point.

        Args:
            seconds: time stamp.
            extra: a function measured besides those that are switched on.
        """
        functions = (*self.settings.functions, extra)
        shown = {"VOLT": math.nan, "CURR": math.nan}
        for quantity, true in (("VOLT", volts), ("CURR", amps)):
            if quantity in functions or "RES" in functions:
                shown[quantity] = self.converted(quantity, true)
        ohms = ratio(shown["VOLT"], shown["CURR"]) if "RES" in functions else math.nan
        kept = {q: value if q in functions else math.nan for q, value in shown.items()}
        status = self._status(is_limiting, any(math.isinf(value) for value in shown.values()))
        return Reading(kept["VOLT"], kept["CURR"], ohms, seconds, status, self.level)

    def converted(self, quantity: str, true: float) -> float:
        """What the converter makes of true volts or amperes on its present range."""
        cycles = self.aperture_seconds * self._line_hertz
        return self.stage.converted(quantity, true, self._meter_range(quantity), cycles)

    def no_reading(self, seconds: float) -> Reading:
        """What there is to read while the output is off: nothing."""
        return Reading(math.nan, math.nan, math.nan, seconds, self._status(False, False), self.settings.source.level)

    def _status(self, is_limiting: bool, is_overflow: bool) -> int:
        flags = (
            (self.settings.function == "CURR", StatusData.CURRENT_SOURCE),
            (is_limiting, StatusData.COMPLIANCE),
            (is_overflow, StatusData.RANGE_OVERFLOW),
            (self.settings.is_offset_compensated, StatusData.OFFSET_COMPENSATION),
            (self.is_high_temperature, StatusData.HIGH_TEMPERATURE),
        )
        return sum(int(flag) for is_set, flag in flags if is_set)

    def begin_readings(self) -> None:
        """A new series: the earlier readings are gone."""
        self.readings = []
        self.calculation.begin(self.settings)

    def keep(self, reading: Reading) -> None:
        """Store a reading where results go."""
        results = self.calculation.results
        known = len(results.math)
        reading = self.calculation.take(self.settings, reading)
        self.readings.append(reading)
        self.trace.store("SENS", reading)
        self.trace.store("LIM", results.tested[-1])
        self._trace_math(known)
        for data in (self.readings, results.tested, results.math):
            if len(data) > MOST_READINGS + _SPARE:
                del data[:_SPARE]
        if self.settings.output.is_on:
            self._protect()

    def finish_readings(self) -> None:
        """The series is complete."""
        known = len(self.calculation.results.math)
        self.calculation.finish(self.settings)
        self._trace_math(known)

    def _trace_math(self, known: int) -> None:
        for result in self.calculation.results.math[known:]:
            self.trace.store("MATH", result)

    def source_ohms_current(self, amps: float) -> None:
        """Automatic resistance measurement: become a current source with a fixed compliance."""
        settings = self.settings
        settings.function = "CURR"
        settings.source.range = self.stage.accuracy.smallest("CURR", amps)
        settings.source.level = amps
        settings.senses["VOLT"].range = self.stage.accuracy.smallest("VOLT", OHMS_LIMIT_VOLTS)
        settings.senses["VOLT"].limit, settings.senses["VOLT"].negative_limit = OHMS_LIMIT_VOLTS, None
        self.level = amps
        self.apply()

    def point(self) -> SourcePoint:
        """Exact operating point now."""
        return self.stage.point()


def ratio(volts: float, amps: float) -> float:
    """Resistance; infinite where it cannot be told."""
    if math.isinf(volts) or math.isinf(amps) or amps == 0.0:
        return math.inf
    return volts / amps
