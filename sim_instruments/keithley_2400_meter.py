"""The converters of a 2400: readings with noise, filter, offset compensation and the status word."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable

import numpy as np

from .accuracy import UnitErrors, noise_fraction
from .circuit import SourcePoint
from .keithley_2400_ohms import ranged
from .keithley_2400_output import SmuOutput
from .keithley_2400_readings import NOT_A_NUMBER, OVERFLOW, SmuReading, StatusBit
from .keithley_2400_settings import FilterSettings, Settings

READING_END = 1.055
"""A range reads to 105.5 % of its nominal full scale (user's manual, section 7)."""
_Filtered = tuple[object, ...]


class SmuMeter:
    """What the unit measures.

    Args:
        output: the output stage, whose operating point is measured and which has the meter's constant errors.
        rng: its noise.
    """

    def __init__(self, output: SmuOutput, rng: np.random.Generator) -> None:
        self._output = output
        self._rng = rng
        self._noise: dict[float, float] = {}
        self._stacks: dict[str, deque[float]] = {}
        self._filtered: _Filtered = ()

    def reading(
        self, settings: Settings, level: float, seconds: float, at_zero: Callable[[], SourcePoint] | None = None
    ) -> SmuReading:
        """One reading at this instant.

        Args:
            settings: ranges, functions, integration, filter.
            level: the programmed level, told where the sourced quantity is not measured.
            seconds: its time stamp.
            at_zero: sets the source to zero and gives the operating point there, for offset-compensated ohms.
        """
        point = self._output.point()
        functions = settings.functions
        wants_ohms = "RES" in functions
        is_volts_source = settings.function == "VOLT"
        volts, amps = (level, NOT_A_NUMBER) if is_volts_source else (NOT_A_NUMBER, level)
        if settings.filter.is_on and settings.filter.kind == "MOV":
            self._restart_if_changed(settings)
        if wants_ohms or "VOLT" in functions:
            volts = self._measured("VOLT", point.volts, settings)
        if wants_ohms or "CURR" in functions:
            amps = self._measured("CURR", point.amps, settings)
        ohms = NOT_A_NUMBER
        if wants_ohms:
            zero = None if at_zero is None else at_zero()
            ohms = self._ohms(settings, volts, amps, zero)
        status = self._status(settings, level, point, (volts, amps, ohms))
        return SmuReading(volts, amps, ohms, seconds, status)

    def _ohms(self, settings: Settings, volts: float, amps: float, zero: SourcePoint | None) -> float:
        if zero is not None and max(abs(volts), abs(amps)) < OVERFLOW:
            volts -= self._measured("VOLT", zero.volts, settings, is_filtered=False)
            amps -= self._measured("CURR", zero.amps, settings, is_filtered=False)
        ohms = _ratio(volts, amps)
        if settings.is_auto_ohms and not ranged(ohms, settings):
            return OVERFLOW
        return ohms

    def _measured(self, function: str, true: float, settings: Settings, *, is_filtered: bool = True) -> float:
        is_sourced = settings.function == function
        index = settings.source_of(function).range if is_sourced else settings.sense_of(function).range
        unit = self._output.measure_unit(function)
        value = self._converted(true, index, unit, settings)
        if is_filtered and settings.filter.is_on and settings.filter.kind == "MOV":
            return self._moving(function, value, settings.filter)
        return value

    def _converted(self, true: float, index: int, unit: UnitErrors, settings: Settings) -> float:
        full_scale = unit.ranges[index].full_scale
        noise = full_scale * self._noise_of(settings)
        value = unit.applied(true, index) + noise * float(self._rng.standard_normal())
        if abs(value) > full_scale * READING_END:
            return math.copysign(OVERFLOW, value)
        return value  # readings over the bus carry the converter's digits, not the display's (section 7)

    def _noise_of(self, settings: Settings) -> float:
        cycles = settings.cycles
        if cycles not in self._noise:
            self._noise[cycles] = noise_fraction(cycles)
        repeated = settings.filter.count if settings.filter.is_on and settings.filter.kind == "REP" else 1.0
        return self._noise[cycles] / math.sqrt(repeated)

    def _restart_if_changed(self, settings: Settings) -> None:
        """A moving average begins anew when what it averages is another thing (user's manual, section 7)."""
        ranges = (settings.volts.range, settings.amps.range, settings.sense_volts.range, settings.sense_amps.range)
        now = (settings.function, settings.functions, settings.filter.count, settings.cycles, ranges)
        if now != self._filtered:
            self._stacks.clear()
            self._filtered = now

    def restart_filter(self) -> None:
        """The filter was switched."""
        self._stacks.clear()

    def _moving(self, function: str, value: float, style: FilterSettings) -> float:
        stack = self._stacks.get(function)
        if stack is None:
            stack = self._stacks[function] = deque([value] * int(style.count), maxlen=int(style.count))
        else:
            stack.append(value)
        if any(abs(entry) >= OVERFLOW for entry in stack):
            return math.copysign(OVERFLOW, value)
        return sum(stack) / len(stack)

    def _status(self, settings: Settings, level: float, point: SourcePoint, values: tuple[float, ...]) -> int:
        word: int = StatusBit.VOLTS_SOURCED if settings.function == "VOLT" else StatusBit.AMPS_SOURCED
        flags = (
            (any(abs(value) == OVERFLOW for value in values), StatusBit.OVERFLOW),
            (settings.filter.is_on, StatusBit.FILTER),
            (settings.terminals == "FRON", StatusBit.FRONT),
            (settings.calc.is_math_on, StatusBit.MATH),
            (settings.calc.is_null_on, StatusBit.NULL),
            (settings.ohms.mode == "AUTO", StatusBit.AUTO_OHMS),
            ("VOLT" in settings.functions, StatusBit.VOLTS_MEASURED),
            ("CURR" in settings.functions, StatusBit.AMPS_MEASURED),
            ("RES" in settings.functions, StatusBit.OHMS_MEASURED),
            (settings.ohms.is_compensated, StatusBit.OFFSET_COMPENSATION),
            (settings.is_remote_sense, StatusBit.REMOTE_SENSE),
        )
        for is_set, bit in flags:
            if is_set:
                word |= bit
        if self._output.is_protecting(settings, level, point):
            word |= StatusBit.OVER_VOLTAGE
        elif point.is_limiting:
            is_range = self._output.is_range_limited(settings)
            word |= StatusBit.RANGE_COMPLIANCE if is_range else StatusBit.COMPLIANCE
        return word


def _ratio(volts: float, amps: float) -> float:
    if abs(volts) >= OVERFLOW or abs(amps) >= OVERFLOW or amps == 0.0:
        return OVERFLOW
    return volts / amps
