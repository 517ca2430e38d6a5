"""What a B2900A channel makes of its readings: null offset, limit tests, math, and the patterns they put out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from .keysight_b2900_errors import refusal
from .keysight_b2900_limits import Verdict
from .keysight_b2900_math import Expressions, Formula, Look
from .keysight_b2900_readings import LIMIT_SHIFT, Calculated, Reading, StatusData
from .keysight_b2900_settings import ChannelSettings
from .scpi_errors import ScpiError

_FIELDS = {"VOLT": "volts", "CURR": "amps", "RES": "ohms", "TIME": "seconds", "SOUR": "source"}


@dataclass
class Results:
    """What has been calculated since the last initiation or spot measurement.

    Attributes:
        tested: what the limit tests looked at, null offset subtracted.
        math: results of the math expression.
        has_failed: whether a limit test has failed.
    """

    tested: list[Calculated] = field(default_factory=list)
    math: list[Calculated] = field(default_factory=list)
    has_failed: bool = False


def element_of(reading: Reading, name: str) -> float:
    """VOLT, CURR, RES, TIME or SOUR of a reading; a resistance is worked out where it was not measured."""
    value = float(getattr(reading, _FIELDS[name]))
    if name == "RES" and math.isnan(value) and reading.amps:
        return reading.volts / reading.amps
    return value


class Calculation:
    """The calculations of one channel.

    Args:
        number: the channel's.
        expressions: those that the instrument knows.
        readings_of: the readings of a channel, by its number; raises ScpiError if there is no such channel.
        put_out: called with a limit test's pattern for the digital lines.
        complain: called with an error that a calculation meets.
    """

    def __init__(
        self,
        number: int,
        expressions: Expressions,
        readings_of: Callable[[int], list[Reading]],
        put_out: Callable[[int], None],
        complain: Callable[[ScpiError], None],
    ) -> None:
        self._number = number
        self._expressions = expressions
        self._readings_of = readings_of
        self._put_out = put_out
        self._complain = complain
        self._last: Verdict | None = None
        self.results = Results()

    def begin(self, settings: ChannelSettings) -> None:
        """A new series of readings."""
        self.results = Results()
        self._last = None
        if settings.limits.composite.is_cleared_by_initiation:
            settings.limits.clear()

    def take(self, settings: ChannelSettings, reading: Reading) -> Reading:
        """Calculate with a reading; returns it with the limit tests' result in its status."""
        worked = self._worked(settings, reading)
        fed = self._fed(settings, reading, worked)
        status = reading.status
        if settings.limits.composite.is_on:
            is_limiting = bool(status & StatusData.COMPLIANCE)
            self._last = verdict = settings.limits.judge(fed, is_limiting)
            status |= verdict.code << LIMIT_SHIFT
            self.results.has_failed |= verdict.has_failed
            if settings.limits.composite.update == "IMM":
                self._put_out(verdict.bits)
        self.results.tested.append(Calculated(fed, reading.seconds, status))
        if worked is not None:
            self.results.math.append(Calculated(worked, reading.seconds, status))
        return replace(reading, status=status)

    def finish(self, settings: ChannelSettings) -> None:
        """The series is complete: expressions with an index are worked out, a pattern that waited is put out."""
        formula = self._formula(settings)
        readings = self._readings_of(self._number)
        if settings.math.is_on and formula is not None and formula.is_vector and readings:
            value = self._value(formula, readings[-1])
            self.results.math.append(Calculated(value, readings[-1].seconds, readings[-1].status))
        if self._last is not None and settings.limits.composite.update == "END":
            self._put_out(self._last.bits)

    def _formula(self, settings: ChannelSettings) -> Formula | None:
        return self._expressions.find(settings.math.expression)

    def _worked(self, settings: ChannelSettings, reading: Reading) -> float | None:
        formula = self._formula(settings)
        if not settings.math.is_on or formula is None or formula.is_vector:
            return None
        return self._value(formula, reading)

    def _value(self, formula: Formula, latest: Reading) -> float:
        try:
            return formula.value(self._look(latest))
        except ScpiError as error:
            self._complain(error)
        except (OverflowError, ValueError):
            pass  # beyond what a number can hold
        return math.nan

    def _look(self, latest: Reading) -> Look:
        def look(name: str, channel: int, index: int | None) -> float:
            if channel in (0, self._number) and index is None:
                return element_of(latest, name)
            readings = self._readings_of(channel or self._number)
            position = -1 if index is None else index
            if index is not None and index >= len(readings):
                raise refusal(812)
            return element_of(readings[position], name) if readings else math.nan

        return look

    def _fed(self, settings: ChannelSettings, reading: Reading, worked: float | None) -> float:
        feed = settings.math.feed
        if feed == "MATH":
            if worked is None and settings.limits.composite.is_on:
                self._complain(refusal(821))
            value = math.nan if worked is None else worked
        else:
            value = element_of(reading, feed)
        return value - settings.math.offset if settings.math.is_offset_on else value
