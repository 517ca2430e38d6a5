"""The source-delay-measure cycle of a 2400, as the trigger layer runs it (user's manual, sections 6, 10 and 11)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .circuit import SourcePoint
from .keithley_2400_limits import Verdict
from .keithley_2400_memory import next_location
from .keithley_2400_ohms import follow
from .keithley_2400_readings import OVERFLOW, SmuReading
from .keithley_2400_status import MeasurementBit, pulse
from .timing import KEITHLEY_2400 as TIMING

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400


class SdmCycle:
    """Cycles of one sequence of readings.

    Args:
        unit: the instrument.
    """

    def __init__(self, unit: SimKeithley2400) -> None:
        self._unit = unit
        settings = unit.settings
        is_sweep = not settings.memory.is_selected and settings.source.mode != "FIX"
        self._levels = settings.sweep_levels() if is_sweep else []
        self._count = 0
        self._location = int(settings.memory.start)
        self._verdict: Verdict | None = None
        self._calculates = self._has_to_calculate()
        if is_sweep and settings.sweep.ranging == "BEST":
            unit.reach(settings.function, max(self._levels, key=abs), is_forced=True)

    @property
    def is_sweep(self) -> bool:
        """Whether the source steps through levels or memory locations."""
        return bool(self._levels) or self._unit.settings.memory.is_selected

    def source(self) -> None:
        """Set the source."""
        unit, settings = self._unit, self._unit.settings
        if settings.is_auto_clear:
            settings.is_output_on = True
        if settings.memory.is_selected:
            unit.spend(TIMING.recall_seconds)
            self._recall()
            unit.source(self._scaled_level())
        elif self._levels:
            unit.spend(TIMING.step_seconds)
            level = self._levels[self._count % len(self._levels)]
            unit.source(unit.ranged(settings.function, level, settings.sweep.ranging))
        else:
            unit.source(None)

    def _recall(self) -> None:
        unit, memory = self._unit, self._unit.settings.memory
        if self._count:
            first, points = int(memory.start), int(memory.points)
            self._location = next_location(self._location, first, points, unit.settings, self._verdict)
        unit.recall_location(self._location)
        self._calculates = self._has_to_calculate()

    def _has_to_calculate(self) -> bool:
        calc = self._unit.settings.calc
        return calc.is_math_on or calc.is_null_on or self._unit.calculations.is_null_wanted or calc.is_limit_on

    def _scaled_level(self) -> float | None:
        settings, readings = self._unit.settings, self._unit.readings
        if not settings.source.is_scaled or not readings:
            return None
        before = readings[-1].volts if settings.function == "VOLT" else readings[-1].amps
        return None if abs(before) >= OVERFLOW else settings.source.scale * before

    def delay(self) -> None:
        """Let the source settle."""
        unit, settings = self._unit, self._unit.settings
        if self._count == 0 and settings.range_changes == "MULT":
            unit.spend(settings.soak_seconds)
        else:
            unit.spend(unit.delay_seconds())
        if settings.memory.is_selected and settings.holdoff.is_on and settings.function == "VOLT":
            unit.spend(settings.holdoff.seconds)
        unit.catch_up()

    def aborts(self, moment: str) -> bool:
        """Whether the sweep ends because of compliance, at the beginning (EARL) or the end (LATE) of a cycle."""
        is_watched = bool(self._levels) and self._unit.settings.sweep.abort_on_compliance == moment
        return is_watched and self._unit.output.is_limiting()

    def measure(self) -> None:
        """Take a reading, calculate with it and store it."""
        unit, settings = self._unit, self._unit.settings
        if settings.is_auto_ohms:
            steps = follow(settings, unit.output.point, lambda: unit.source(None))
        else:
            steps = unit.output.autorange(settings)
        unit.spend(steps * TIMING.autorange_seconds + unit.measuring_seconds())
        unit.catch_up()
        compensates = settings.ohms.is_compensated and "RES" in settings.functions
        at_zero = self._at_zero if compensates else None
        reading = unit.meter.reading(settings, unit.level, unit.timestamp, at_zero)
        if compensates:
            unit.output.drive(settings, unit.level)
        self._keep(reading)
        self._count += 1
        if settings.is_auto_clear and settings.auto_clear_mode == "ALW":
            unit.drop_output()

    def _at_zero(self) -> SourcePoint:
        unit = self._unit
        unit.output.drive(unit.settings, 0.0)
        unit.spend(unit.delay_seconds() + unit.measuring_seconds())
        unit.catch_up()
        return unit.output.point()

    def _keep(self, reading: SmuReading) -> None:
        unit, settings = self._unit, self._unit.settings
        unit.readings.append(reading)
        register = unit.status.groups["measurement"]
        events: int = MeasurementBit.READING
        if self._calculates:
            unit.spend(TIMING.test_seconds if settings.calc.is_limit_on else 0.0)
            made = unit.calculations.add(settings, unit.readings, is_limiting=unit.output.is_limiting())
            unit.readings[-1] = reading = made.reading
            self._verdict = made.verdict
            events |= made.verdict.events if made.verdict is not None else 0
            if made.math is not None:
                unit.buffer.store("CALC1", made.math)
            if made.tested is not None:
                unit.buffer.store("CALC2", made.tested)
        unit.buffer.store("SENS", reading)
        if reading.status & 1:
            events |= MeasurementBit.OVERFLOW
        pulse(register, events)
        unit.note_conditions()
