"""How a 2450 measures: readings into a buffer, each with its pauses, filter, relative offset, math and limit tests."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator

import numpy as np

from .circuit import SourcePoint
from .keithley_2450_buffer import OVERFLOW, Buffer, Reading
from .keithley_2450_calculate import calculated, tested
from .keithley_2450_ohms import range_for
from .keithley_2450_output import K2450Output, finite, ratio
from .keithley_2450_settings import SenseSettings, Settings
from .timing import KEITHLEY_2450 as TIMING
from .world import World

_FRONT, _START_GROUP = 8, 256
_PROTECTING, _READ_BACK, _LIMITING, _FOUR_WIRE, _OUTPUT_ON = 4, 8, 32, 64, 128
_UNITS = {"VOLT": "VOLT", "CURR": "AMP"}
_MOST_AT_ONCE = 20_000
_FEWEST_AT_ONCE = 16
"""So many readings of a bench on which nothing can change are drawn together."""
_RARE = 1e-3
"""Expected number of events on the die up to which readings are taken together: hardly ever is there one among them,
and two never."""
_AUTO_CONVERSIONS = TIMING.conversions_per_reading - 1


class Measuring:
    """The measuring side of one unit.

    Args:
        output: its analog side.
        world: what it measures.
        rng: draws when a cell switched among many readings.

    Attributes:
        clock_offset: how far the instrument's clock, which stamps the readings, is ahead of the world's, s.
    """

    def __init__(self, output: K2450Output, world: World, rng: np.random.Generator) -> None:
        self._output = output
        self._rng = rng
        self._world = world
        self.clock_offset = 0.0
        self._stack: deque[float] = deque()
        self._stack_of: tuple[str, float] = ("", 0.0)

    def take(self, settings: Settings, buffer: Buffer, count: int, *, is_alone: bool) -> Iterator[float]:
        """Measure `count` times into a buffer, with the pauses in between.

        Args:
            is_alone: nothing else happens on the bench meanwhile but what happens by itself.
        """
        is_first = True
        while count > 0:
            steps = self._output.autorange(settings)
            pause = steps * TIMING.autorange_seconds + self._seconds(settings) + TIMING.trigger_seconds
            most = min(count, _MOST_AT_ONCE)
            if is_alone and steps == 0 and self._is_steady(settings, most, pause):
                yield from self._take_many(settings, buffer, most, pause, is_first)
                count -= most
            else:
                yield from self._take_one(settings, buffer, pause, is_first)
                count -= 1
            is_first = False

    @property
    def _now(self) -> float:
        return self._world.seconds + self.clock_offset

    def _is_steady(self, settings: Settings, count: int, pause: float) -> bool:
        sense = settings.sense
        return (
            count >= _FEWEST_AT_ONCE
            and not (sense.filter.is_on and sense.filter.kind == "MOV")
            and not self._is_compensated(settings)
            and self._nothing_happens_in(count * pause)
        )

    def _nothing_happens_in(self, seconds: float) -> bool:
        return not self._world.processes and self._world.event_rate(seconds) * seconds < _RARE

    @staticmethod
    def _is_compensated(settings: Settings) -> bool:
        return settings.sense.is_offset_compensated and settings.sense.unit == "OHM" and settings.is_output_on

    def _seconds(self, settings: Settings) -> float:
        """Time that one reading takes."""
        sense = settings.sense
        conversions = 1 + (settings.source.is_read_back or settings.sense_function == "RES")
        if sense.is_auto_zero:
            conversions += _AUTO_CONVERSIONS
        averaged = sense.filter.count if sense.filter.is_on and sense.filter.kind == "REP" else 1.0
        return conversions * averaged * sense.cycles / self._world.line_hertz

    def _take_one(self, settings: Settings, buffer: Buffer, pause: float, is_first: bool) -> Iterator[float]:
        yield pause
        point = self._output.point()
        measured = pair = self._pair(settings, point)
        source_status = self._source_status(settings, point)
        if self._is_compensated(settings):
            self._output.drive_zero(settings)
            yield pause
            volts, amps = self._pair(settings, self._output.point())
            self._output.drive(settings)
            pair = (measured[0] - volts, measured[1] - amps)
        value = self._filtered(settings, self._in_unit(settings, *pair))
        status = self._status(settings, is_first)
        buffer.add(self._finished(settings, value, measured, self._now, status, source_status))

    def _take_many(
        self, settings: Settings, buffer: Buffer, count: int, pause: float, is_first: bool
    ) -> Iterator[float]:
        """Readings of a bench on which hardly anything can change. If a cell did switch, some reading was the first
        after that, and any is as likely as another.
        """
        begin, before = self._now, self._output.point()
        source_status = self._source_status(settings, before)
        yield count * pause
        after = self._output.point()
        unchanged = count if after == before else int(self._rng.integers(count + 1))
        pairs = [*self._pairs(settings, before, unchanged), *self._pairs(settings, after, count - unchanged)]
        for k, pair in enumerate(pairs):
            value = self._in_unit(settings, *pair)
            status = self._status(settings, is_first and k == 0)
            buffer.add(self._finished(settings, value, pair, begin + (k + 1) * pause, status, source_status))

    def _pair(self, settings: Settings, point: SourcePoint) -> tuple[float, float]:
        return (
            self._output.converted(settings, "VOLT", point.volts),
            self._output.converted(settings, "CURR", point.amps),
        )

    def _pairs(self, settings: Settings, point: SourcePoint, count: int) -> Iterable[tuple[float, float]]:
        volts = self._output.converted_many(settings, "VOLT", point.volts, count)
        return zip(volts, self._output.converted_many(settings, "CURR", point.amps, count), strict=True)

    def _filtered(self, settings: Settings, value: float) -> float:
        sense = settings.sense
        if not (sense.filter.is_on and sense.filter.kind == "MOV") or abs(value) >= OVERFLOW:
            return value
        kept = (settings.sense_function, sense.filter.count)
        if self._stack_of != kept:
            self._stack_of = kept
            self._stack = deque([value] * int(sense.filter.count), maxlen=int(sense.filter.count))
        self._stack.append(value)
        return sum(self._stack) / len(self._stack)

    def forget(self) -> None:
        """The moving filter begins anew."""
        self._stack_of = ("", 0.0)

    @staticmethod
    def _in_unit(settings: Settings, volts: float, amps: float) -> float:
        sense = settings.sense
        if sense.unit == "OHM":
            return _ohms(settings, sense, ratio(volts, amps))
        if sense.unit == "WATT":
            return finite(volts * amps)
        return finite(volts) if sense.unit == "VOLT" else finite(amps)

    @staticmethod
    def _status(settings: Settings, is_first: bool) -> int:
        return (_FRONT if settings.terminals == "FRON" else 0) | (_START_GROUP if is_first else 0)

    @staticmethod
    def _finished(
        settings: Settings, value: float, pair: tuple[float, float], seconds: float, status: int, source_status: int
    ) -> Reading:
        """A reading from its filtered value: relative offset, math and limit tests follow."""
        sense, source = settings.sense, settings.source
        if sense.is_relative and abs(value) < OVERFLOW:
            value -= sense.relative
        value = calculated(value, sense.math)
        status |= tested(value, sense)
        measured_source = pair[0] if settings.function == "VOLT" else pair[1]
        sourced = finite(measured_source) if source.is_read_back else source.level
        return Reading(value, sense.unit, sourced, _UNITS[settings.function], seconds, status, source_status)

    def relative(self, settings: Settings) -> Iterator[float]:
        """Acquire the relative offset: a reading without filter, math and limit tests."""
        self._output.autorange(settings)
        yield self._seconds(settings)
        settings.sense.relative = self._in_unit(settings, *self._pair(settings, self._output.point()))

    def _source_status(self, settings: Settings, point: SourcePoint) -> int:
        is_on = settings.is_output_on
        flags = (
            (is_on and self._output.is_protecting(settings, point), _PROTECTING),
            (settings.source.is_read_back, _READ_BACK),
            (is_on and point.is_limiting, _LIMITING),
            (settings.sense.is_remote_sense, _FOUR_WIRE),
            (is_on, _OUTPUT_ON),
        )
        return sum(bit for is_set, bit in flags if is_set)


def _ohms(settings: Settings, sense: SenseSettings, ohms: float) -> float:
    """A resistance as its range lets it be seen; automatic ranging moves the range of the resistance function."""
    if settings.sense_function != "RES":
        return ohms
    if sense.is_auto_range:
        if abs(ohms) < OVERFLOW and settings.set_aside is None:
            sense.range = range_for(ohms, sense.lowest, sense.highest)
        return OVERFLOW if abs(ohms) > sense.highest * 1.05 else ohms
    return OVERFLOW if abs(ohms) > sense.range * 1.05 else ohms
