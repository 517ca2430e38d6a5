"""One channel, smua or smub, of a simulated 2600B: levels, limits, output and measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .accuracy import RangeAccuracy
from .accuracy_keithley_2600b import (
    AUTORANGE_SECONDS,
    MEASURE_REACH,
    OUTPUT_SECONDS,
    READING_SECONDS,
    SOURCE_REACH,
    SOURCE_SECONDS,
    Smu2600,
    auto_delay,
)
from .keithley_2600b_buffer import OVERFLOW, Buffer2600, Reading, Status
from .keithley_2600b_output import Output2600, Sample, range_for
from .keithley_2600b_settings import HIGH_Z, MOVING, OFF, REMOTE, MeasureSide, SourceSide, default_settings
from .tsp_engine import TspError

if TYPE_CHECKING:
    from .keithley_2600b import SimKeithley2600B

OUT_OF_RANGE = -222, "Parameter data out of range"
UNSAFE = 5007, "Operation would exceed safe operating area of the instrument"
DEDICATED_CAPACITY = 60_000
"""Readings in a dedicated buffer with time stamps and source values (reference manual, "Reading buffers")."""


class SmuChannel:
    """One channel.

    Attributes:
        name: smua or smub.
        settings: what a reset sets back.
        buffers: the dedicated reading buffers nvbuffer1 and nvbuffer2.
        sweep_level, sweep_limit: what a sweep puts in place of the programmed level and limit.
    """

    def __init__(self, instrument: SimKeithley2600B, letter: str, smu: Smu2600) -> None:
        self.instrument = instrument
        self.name = f"smu{letter}"
        self.letter = letter
        self.smu = smu
        world = instrument.world
        terminal = f"{instrument.name}.{letter}"
        self.output = Output2600(world.add_source(terminal, f"{terminal}.hi"), smu, world.rng(terminal))
        self.settings = default_settings(smu)
        self.buffers = tuple(Buffer2600(DEDICATED_CAPACITY, is_dedicated=True) for _ in range(2))
        self.sweep_level: float | None = None
        self.sweep_limit: float | None = None

    def reset(self) -> None:
        """smuX.reset(): output off, everything at its default; buffers keep their readings."""
        was_on = self.settings.is_on
        self.settings = default_settings(self.smu)
        self.sweep_level = self.sweep_limit = None
        if was_on:
            self.instrument.take_time(OUTPUT_SECONDS)
        self.apply()

    def apply(self) -> None:
        """Make the output in the world what the settings say."""
        self.instrument.let_time_pass()
        settings = self.settings
        if settings.is_on:
            self.output.drive(settings, self.level, self.limit)
        else:
            self.output.off(settings)

    @property
    def level(self) -> float:
        """The level in force of the sourced quantity."""
        return self.settings.source.level if self.sweep_level is None else self.sweep_level

    @property
    def limit(self) -> float:
        """The limit in force of the quantity that is not sourced."""
        if self.sweep_limit is not None:
            return self.sweep_limit
        return self.settings.limit_amps if self.settings.is_volts_source else self.settings.limit_volts

    def side(self, quantity: str) -> tuple[SourceSide, tuple[RangeAccuracy, ...]]:
        """Source settings and ranges of "v" or "i"."""
        if quantity == "v":
            return self.settings.source_volts, self.smu.source_volts
        return self.settings.source_amps, self.smu.source_amps

    def measure_side(self, quantity: str) -> tuple[MeasureSide, tuple[RangeAccuracy, ...]]:
        """Measure settings and ranges of "v" or "i"."""
        if quantity == "v":
            return self.settings.measure_volts, self.smu.measure_volts
        return self.settings.measure_amps, self.smu.measure_amps

    def is_sourcing(self, quantity: str) -> bool:
        """Whether this is the selected source function."""
        return self.settings.is_volts_source == (quantity == "v")

    def set_level(self, quantity: str, level: float) -> None:
        """source.levelv and source.leveli; raises TspError beyond the range or the safe operating area."""
        side, ranges = self.side(quantity)
        if abs(level) > ranges[-1].full_scale * SOURCE_REACH:
            raise TspError(*OUT_OF_RANGE)
        if not side.is_auto and abs(level) > ranges[side.index].full_scale * SOURCE_REACH:
            raise TspError(5005, "Value too big for range")
        self._require_safe(quantity, level)
        if side.is_auto:
            side.index = max(range_for(level, ranges, SOURCE_REACH), side.lowest)
        side.level = level
        if self.is_sourcing(quantity):
            self._require_interlock()
            self.sweep_level = None
            self.apply()
            if self.settings.is_on:
                self.instrument.take_time(SOURCE_SECONDS + max(self.settings.source_delay, 0.0))

    def _require_safe(self, quantity: str, level: float) -> None:
        settings, smu = self.settings, self.smu
        if not self.is_sourcing(quantity):
            return
        volts, amps = (level, settings.limit_amps) if quantity == "v" else (settings.limit_volts, level)
        if abs(volts) > smu.high_volts * SOURCE_REACH and abs(amps) > smu.high_volts_amps * SOURCE_REACH:
            raise TspError(*UNSAFE)

    def _require_interlock(self) -> None:
        if self.settings.is_on and self._is_above_interlock():
            self.settings.is_on = False
            self.apply()
            raise TspError(802, "OUTPUT blocked by interlock")

    def _is_above_interlock(self) -> bool:
        return self.smu.source_volts[self.settings.source_volts.index].full_scale > self.smu.interlock_volts

    def set_limit(self, quantity: str, limit: float) -> None:
        """source.limitv and source.limiti."""
        volts = quantity == "v"
        least = self.smu.smallest_limit_volts if volts else self.smu.smallest_limit_amps
        ranges = self.smu.source_volts if volts else self.smu.source_amps
        if not least * (1 - 1e-9) <= limit <= ranges[-1].full_scale * SOURCE_REACH:
            raise TspError(*OUT_OF_RANGE)
        other = self.settings.source_amps.level if volts else self.settings.source_volts.level
        smu = self.smu
        pair = (limit, other) if volts else (other, limit)
        is_concerned = not self.is_sourcing(quantity)
        if is_concerned and abs(pair[0]) > smu.high_volts * SOURCE_REACH and abs(pair[1]) > smu.high_volts_amps * 1.01:
            raise TspError(*UNSAFE)
        setattr(self.settings, "limit_volts" if volts else "limit_amps", limit)
        self.apply()

    def set_source_range(self, quantity: str, value: float) -> None:
        """source.rangev and source.rangei: the smallest range that reaches `value`, fixed."""
        side, ranges = self.side(quantity)
        if abs(value) > ranges[-1].full_scale * SOURCE_REACH:
            raise TspError(*OUT_OF_RANGE)
        index = range_for(value, ranges, SOURCE_REACH)
        if abs(side.level) > ranges[index].full_scale * SOURCE_REACH:
            raise TspError(5005, "Value too big for range")
        side.index, side.is_auto = index, False
        self._require_interlock()
        self.apply()

    def set_source_auto(self, quantity: str, is_auto: bool) -> None:
        """source.autorangev and source.autorangei."""
        side, ranges = self.side(quantity)
        side.is_auto = is_auto
        if is_auto:
            side.index = max(range_for(side.level, ranges, SOURCE_REACH), side.lowest)
            self.apply()

    def set_measure_range(self, quantity: str, value: float) -> None:
        """measure.rangev and measure.rangei: the smallest range that reaches `value`, fixed."""
        side, ranges = self.measure_side(quantity)
        if abs(value) > ranges[-1].full_scale * MEASURE_REACH:
            raise TspError(*OUT_OF_RANGE)
        side.index, side.auto = range_for(value, ranges, MEASURE_REACH), OFF
        self.apply()

    def set_measure_auto(self, quantity: str, mode: int) -> None:
        """measure.autorangev and measure.autorangei."""
        side, _ = self.measure_side(quantity)
        side.auto = mode
        self.apply()

    def switch(self, state: int) -> None:
        """source.output; HIGH_Z opens the output relay."""
        if state == HIGH_Z:
            self.settings.off_mode = HIGH_Z
        is_on = state == 1
        if is_on and self._is_above_interlock():
            raise TspError(802, "OUTPUT blocked by interlock")
        if is_on != self.settings.is_on:
            self.instrument.take_time(OUTPUT_SECONDS)
        self.settings.is_on = is_on
        self.apply()

    def select_function(self, function: int) -> None:
        """source.func."""
        self.settings.function = function
        self.sweep_level = None
        self.apply()

    def compliance(self) -> bool:
        """source.compliance."""
        self.instrument.let_time_pass()
        is_limiting = self.settings.is_on and self.output.is_limiting()
        self.instrument.registers.note_limits(self, is_limiting)
        return is_limiting

    def measure(self, kinds: str, buffers: Sequence[Buffer2600 | None]) -> tuple[float, ...]:
        """`measure.count` measurements of the quantities in `kinds`; stores them and returns the last ones."""
        for buffer in buffers:
            if buffer is not None:
                buffer.begin()
        values: tuple[float, ...] = ()
        start = self.instrument.now
        self.instrument.count_readings(self.settings.count)
        for k in range(self.settings.count):
            if k:
                self.instrument.take_time(max(start + k * self.settings.interval - self.instrument.now, 0.0))
            values = self.measure_once(kinds, buffers)
        return values

    def measure_once(self, kinds: str, buffers: Sequence[Buffer2600 | None]) -> tuple[float, ...]:
        """One measurement: delay, aperture, conversion."""
        delay, aperture = self.prepare()
        self.instrument.take_time(delay)
        seconds = self.instrument.now
        self.instrument.take_time(aperture)
        return self.convert(kinds, buffers, seconds)

    def prepare(self) -> tuple[float, float]:
        """Range for a measurement; returns its delay and its aperture in seconds."""
        self.instrument.let_time_pass()
        steps = self.output.autorange(self.settings, self.limit)
        if steps:
            self.apply()
        return self._delay() + steps * AUTORANGE_SECONDS, self.measure_seconds()

    def convert(self, kinds: str, buffers: Sequence[Buffer2600 | None], seconds: float) -> tuple[float, ...]:
        """End of an aperture that began at `seconds`: the values, stored in the buffers."""
        self.instrument.let_time_pass()
        averaged = self.settings.filter_count if self.settings.is_filtering else 1
        sample = self.output.sample(self.settings, averaged=averaged)
        values = tuple(self._value(kind, sample) for kind in kinds)
        for kind, value, buffer in zip(kinds, values, buffers, strict=False):
            if buffer is not None:
                buffer.store(self._reading(kind, value, sample, seconds))
        self.instrument.registers.note_sample(self, sample, any(value == OVERFLOW for value in values))
        return values

    def measure_seconds(self) -> float:
        """How long one conversion takes, averaging included."""
        settings = self.settings
        repeats = settings.filter_count if settings.is_filtering and settings.filter_type != MOVING else 1
        return repeats * (settings.cycles / self.instrument.world.line_hertz + READING_SECONDS)

    def _delay(self) -> float:
        settings = self.settings
        if settings.measure_delay >= 0:
            return settings.measure_delay
        full_scale = self.smu.measure_amps[self.output.amps_range(settings)].full_scale
        return auto_delay(full_scale) * settings.delay_factor

    def _value(self, kind: str, sample: Sample) -> float:
        settings = self.settings
        if kind == "v":
            return _relative(sample.volts, settings.measure_volts)
        if kind == "i":
            return _relative(sample.amps, settings.measure_amps)
        if OVERFLOW in (sample.volts, sample.amps) or (kind == "r" and sample.amps == 0.0):
            return OVERFLOW
        if kind == "r":
            return _relative(sample.volts / sample.amps, settings.ohms)
        return _relative(sample.volts * sample.amps, settings.watts)

    def _reading(self, kind: str, value: float, sample: Sample, seconds: float) -> Reading:
        settings, smu = self.settings, self.smu
        index = self.output.volts_range(settings) if kind == "v" else self.output.amps_range(settings)
        ranges = smu.measure_volts if kind == "v" else smu.measure_amps
        source_ranges = smu.source_volts if settings.is_volts_source else smu.source_amps
        side = {"v": settings.measure_volts, "i": settings.measure_amps, "r": settings.ohms, "p": settings.watts}[kind]
        status = Status.COMPLIANCE * sample.is_limiting * settings.is_on
        status |= Status.REMOTE_SENSE * (settings.sense == REMOTE) | Status.RELATIVE * side.is_relative
        status |= Status.FILTERED * bool(settings.is_filtering) | Status.SOURCE_AUTORANGE * settings.source.is_auto
        status |= Status.MEASURE_AUTORANGE * (kind in "iv" and side.auto != OFF and not self.is_sourcing(kind))
        return Reading(
            value, kind, seconds, self.level, int(status), ranges[index].full_scale,
            source_ranges[settings.source.index].full_scale, settings.is_volts_source, settings.is_on,
        )  # fmt: skip


def _relative(value: float, side: MeasureSide) -> float:
    return value - side.offset if side.is_relative and value != OVERFLOW else value
