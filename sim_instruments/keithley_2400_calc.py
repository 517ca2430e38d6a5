"""What a 2400 calculates from readings as they come: math, null, limit tests and what the digital port is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from .keithley_2400_calc_settings import CalcSettings
from .keithley_2400_digital import DigitalPort
from .keithley_2400_errors import refused
from .keithley_2400_expressions import Expression
from .keithley_2400_limits import LimitResults, Verdict, judged, status_bits
from .keithley_2400_math import Catalogue, Result, results
from .keithley_2400_readings import OVERFLOW, SmuReading, StatusBit
from .keithley_2400_settings import Settings
from .scpi_errors import ScpiError

_FEEDS = {"VOLT": "volts", "CURR": "amps", "RES": "ohms", "TIME": "seconds"}


class Calculated(NamedTuple):
    """What a reading has become: with limit bits in its status, results of CALC1 and CALC2, the tests' verdict."""

    reading: SmuReading
    math: Result | None
    tested: Result | None
    verdict: Verdict | None


class Calculations:
    """CALC1 and CALC2 of one unit.

    Attributes:
        catalogue: the math expressions.
        limits: results of the limit tests.
        port: the digital output lines.
        is_null_wanted: whether the next value becomes the null offset.
    """

    def __init__(self, port: DigitalPort) -> None:
        self.catalogue = Catalogue()
        self.limits = LimitResults()
        self.port = port
        self.is_null_wanted = False

    def begin(self, settings: Settings) -> None:
        """A sequence of readings begins."""
        if settings.calc.is_auto_clear:
            self.clear(settings)
        self.port.is_busy = True

    def clear(self, settings: Settings) -> None:
        """Forget the limit tests' results; the digital port shows its default again."""
        self.limits.clear()
        self.port.clear(settings.digital)

    def add(self, settings: Settings, readings: Sequence[SmuReading], *, is_limiting: bool) -> Calculated:
        """Take the last one of the sequence's readings into account."""
        calc, reading = settings.calc, readings[-1]
        if calc.is_limit_on:
            reading = replace(reading, status=reading.status | StatusBit.LIMITS)
        math = self._latest_math(calc, readings) if calc.is_math_on else None
        value = _fed(calc, reading, math)
        if value is None:
            return Calculated(reading, math, None, None)
        if self.is_null_wanted and abs(value) < OVERFLOW:
            calc.null_offset, self.is_null_wanted = value, False
        value = _nulled(calc, value)
        verdict = judged(calc, value, is_limiting=is_limiting) if calc.is_limit_on else None
        if verdict is not None:
            self._take_down(settings, verdict)
            reading = replace(reading, status=reading.status | status_bits(verdict, calc.mode))
        tested = Result(value, reading.seconds, reading.status) if calc.is_limit_on or calc.is_null_on else None
        return Calculated(reading, math, tested, verdict)

    def _latest_math(self, calc: CalcSettings, readings: Sequence[SmuReading]) -> Result | None:
        expression = self._expression(calc)
        if len(readings) % expression.size:
            return None
        return results(expression, readings[-expression.size :])[0]

    def _expression(self, calc: CalcSettings) -> Expression:
        """What is to be calculated; raises ScpiError +805 if the selected name has no definition yet."""
        expression = self.catalogue.expression(calc.math_name)
        if expression is None:
            raise refused(805)
        return expression

    def _take_down(self, settings: Settings, verdict: Verdict) -> None:
        self.limits.add(verdict)
        if settings.calc.mode == "SORT" or settings.calc.binning == "IMM":
            self._show(settings)

    def _show(self, settings: Settings) -> None:
        pattern = self.limits.pattern
        if pattern is not None:
            self.port.show(pattern, settings.digital)

    def end(self, settings: Settings, readings: Sequence[SmuReading]) -> ScpiError | None:
        """The sequence has ended; returns an error if there are too few readings for a vectored expression."""
        self.port.is_busy = False
        calc = settings.calc
        if calc.binning == "END" and calc.mode == "GRAD" and calc.is_limit_on:
            self._show(settings)
        if calc.is_math_on and len(readings) % self._expression(calc).size:
            return refused(801)
        return None

    def math(self, settings: Settings, readings: Sequence[SmuReading]) -> list[Result]:
        """CALCulate1:DATA?; raises ScpiError -230 without readings or with math off."""
        if not readings or not settings.calc.is_math_on:
            raise ScpiError(-230)
        return results(self._expression(settings.calc), readings)

    def tested(self, settings: Settings, readings: Sequence[SmuReading]) -> list[Result]:
        """CALCulate2:DATA?; raises ScpiError -230 without readings or with neither null nor a limit test on."""
        calc = settings.calc
        if not readings or not (calc.is_null_on or calc.is_limit_on):
            raise ScpiError(-230)
        if calc.feed == "CALC":
            fed = self.math(settings, readings)
        else:
            fed = [Result(getattr(r, _FEEDS[calc.feed]), r.seconds, r.status) for r in readings]
        return [replace(entry, value=_nulled(calc, entry.value)) for entry in fed]

    def acquire(self, settings: Settings, readings: Sequence[SmuReading]) -> None:
        """NULL:ACQuire: the latest value becomes the offset, or the next one if there is none."""
        calc = settings.calc
        math = results(self._expression(calc), readings)[-1] if readings and calc.is_math_on else None
        value = _fed(calc, readings[-1], math) if readings else None
        self.is_null_wanted = value is None or abs(value) >= OVERFLOW
        if not self.is_null_wanted and value is not None:
            calc.null_offset = value


def _fed(calc: CalcSettings, reading: SmuReading, math: Result | None) -> float | None:
    if calc.feed == "CALC":
        return None if math is None else math.value
    return float(getattr(reading, _FEEDS[calc.feed]))


def _nulled(calc: CalcSettings, value: float) -> float:
    return value - calc.null_offset if calc.is_null_on and abs(value) < OVERFLOW else value
