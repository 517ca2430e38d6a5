"""The measuring side of one channel of a 2600B: delays, filters, relative offsets and what goes into buffers."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

from .accuracy_keithley_2600b import AUTORANGE_SECONDS, READING_SECONDS, auto_delay
from .keithley_2600b_buffer import OVERFLOW, Buffer2600, Reading, Status
from .keithley_2600b_output import Sample, averaged, median
from .keithley_2600b_settings import MEDIAN, MOVING, OFF, REMOTE, MeasureSide

if TYPE_CHECKING:
    from .keithley_2600b_channel import SmuChannel

Values = tuple[float, ...]
_MOST_HISTORY = 100


class Meter2600:
    """Measures for smuX.measure and for the trigger model."""

    def __init__(self, channel: SmuChannel) -> None:
        self._channel = channel
        self._history: deque[Sample] = deque(maxlen=_MOST_HISTORY)

    def reset(self) -> None:
        """The moving average begins anew."""
        self._history.clear()

    def measure(self, kinds: str, buffers: Sequence[Buffer2600 | None]) -> Values:
        """`measure.count` measurements of the quantities in `kinds`; stores them and returns the last ones."""
        instrument, settings = self._channel.instrument, self._channel.settings
        for buffer in buffers:
            if buffer is not None:
                buffer.begin()
        values: Values = ()
        start = instrument.now
        instrument.count_readings(settings.count)
        for k in range(settings.count):
            if k:
                instrument.take_time(max(start + k * settings.interval - instrument.now, 0.0))
            values = self._now(kinds, buffers)
        return values

    def _now(self, kinds: str, buffers: Sequence[Buffer2600 | None]) -> Values:
        take_time = self._channel.instrument.take_time
        steps = self.steps(kinds, buffers)
        try:
            while True:
                take_time(next(steps))
        except StopIteration as ended:
            values: Values = ended.value
            return values

    def steps(self, kinds: str, buffers: Sequence[Buffer2600 | None]) -> Generator[float, None, Values]:
        """One measurement: yields the seconds of each of its parts, returns the values, stored in the buffers."""
        instrument, settings = self._channel.instrument, self._channel.settings
        instrument.let_time_pass()
        ranged = self._channel.output.autorange(settings, self._channel.limit)
        if ranged:
            self._channel.apply()
            self._history.clear()
        yield self._delay() + ranged * AUTORANGE_SECONDS
        seconds = instrument.now
        is_repeating = settings.is_filtering and settings.filter_type != MOVING
        samples: list[Sample] = []
        for _ in range(settings.filter_count if is_repeating else 1):
            yield settings.cycles / instrument.line_hertz + READING_SECONDS
            instrument.let_time_pass()
            samples.append(self._channel.output.sample(settings))
        return self._converted(kinds, buffers, seconds, self._filtered(samples))

    def _filtered(self, samples: list[Sample]) -> Sample:
        settings = self._channel.settings
        if not settings.is_filtering:
            return samples[0]
        if settings.filter_type == MOVING:
            self._history.append(samples[0])
            recent = list(self._history)[-settings.filter_count :]
            return averaged(recent)
        return median(samples) if settings.filter_type == MEDIAN else averaged(samples)

    def _converted(self, kinds: str, buffers: Sequence[Buffer2600 | None], seconds: float, sample: Sample) -> Values:
        values = tuple(self._value(kind, sample) for kind in kinds)
        for kind, value, buffer in zip(kinds, values, buffers, strict=False):
            if buffer is not None:
                buffer.store(self._reading(kind, value, sample, seconds))
        has_overflow = any(value == OVERFLOW for value in values)
        self._channel.instrument.registers.note_sample(self._channel, sample, has_overflow)
        return values

    def seconds_of_one(self) -> float:
        """How long one measurement takes beside its delay, filter included."""
        settings = self._channel.settings
        repeats = settings.filter_count if settings.is_filtering and settings.filter_type != MOVING else 1
        return repeats * (settings.cycles / self._channel.instrument.line_hertz + READING_SECONDS)

    def _delay(self) -> float:
        settings = self._channel.settings
        if settings.measure_delay >= 0:
            return settings.measure_delay
        full_scale = self._channel.smu.measure_amps[self._channel.output.amps_range(settings)].full_scale
        return auto_delay(full_scale) * settings.delay_factor

    def _value(self, kind: str, sample: Sample) -> float:
        settings = self._channel.settings
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
        channel, settings, smu = self._channel, self._channel.settings, self._channel.smu
        index = channel.output.volts_range(settings) if kind == "v" else channel.output.amps_range(settings)
        ranges = smu.measure_volts if kind == "v" else smu.measure_amps
        source_ranges = smu.source_volts if settings.is_volts_source else smu.source_amps
        side = {"v": settings.measure_volts, "i": settings.measure_amps, "r": settings.ohms, "p": settings.watts}[kind]
        status = Status.COMPLIANCE * (sample.is_limiting and settings.is_on)
        status |= Status.REMOTE_SENSE * (settings.sense == REMOTE) | Status.RELATIVE * side.is_relative
        status |= Status.FILTERED * bool(settings.is_filtering) | Status.SOURCE_AUTORANGE * settings.source.is_auto
        status |= Status.MEASURE_AUTORANGE * (kind in "iv" and side.auto != OFF and not channel.is_sourcing(kind))
        return Reading(
            value, kind, seconds, channel.level, int(status), ranges[index].full_scale,
            source_ranges[settings.source.index].full_scale, settings.is_volts_source, settings.is_on,
        )  # fmt: skip


def _relative(value: float, side: MeasureSide) -> float:
    return value - side.offset if side.is_relative and value != OVERFLOW else value
