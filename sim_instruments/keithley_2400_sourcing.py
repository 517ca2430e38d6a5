"""The source of a 2400: functions, levels, ranges, limits of power, and the output's state."""

from __future__ import annotations

import math
from typing import Any

from .accuracy import OVER_RANGE, smallest_range
from .keithley_2400_buffer import ReadingBuffer
from .keithley_2400_errors import refused
from .keithley_2400_meter import SmuMeter
from .keithley_2400_ohms import update
from .keithley_2400_output import SmuOutput
from .keithley_2400_settings import AMPS_RANGES, VOLTS_RANGES, Settings
from .keithley_2400_status import MeasurementBit, hold
from .keithley_2400_waiting import WaitingInstrument
from .scpi_errors import ScpiError
from .timing import KEITHLEY_2400 as TIMING

_OUTPUT_STATE = (
    MeasurementBit.BUFFER_AVAILABLE
    | MeasurementBit.BUFFER_FULL
    | MeasurementBit.OUTPUT_ENABLE
    | MeasurementBit.OVER_VOLTAGE
    | MeasurementBit.COMPLIANCE
)

_END = OVER_RANGE * (1 + 1e-9)


class SourcingInstrument(WaitingInstrument):
    """The part of a 2400 that sources.

    Attributes:
        settings: all that *RST resets.
        buffer: the TRACe buffer, which *RST leaves alone.
        output, meter: the analog side.
        level: what the source was last set to, volts or amperes.
        is_enable_asserted: whether a test fixture closes the output enable line.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.settings = Settings()
        self.buffer = ReadingBuffer()
        rng = self.world.rng(self.name)
        self.output = SmuOutput(self.world.add_source(self.name, f"{self.name}.hi"), rng)
        self.meter = SmuMeter(self.output, rng)
        self.level = 0.0
        self.is_enable_asserted = False
        self.output.off(self.settings)

    def apply_output(self) -> None:
        """Bring the world to what is set."""
        self._let_time_pass()
        if self.settings.is_output_on:
            self.output.drive(self.settings, self.level)
        else:
            self.output.off(self.settings)
        self.note_conditions()

    def switch_output(self, is_on: bool) -> None:
        """OUTPut ON or OFF; it comes on at the programmed level, not at the last level of a sweep."""
        if is_on == self.settings.is_output_on:
            return
        if is_on and not self.may_switch_on:
            raise refused(802)
        self._take_time(TIMING.output_seconds)
        self._let_time_pass()
        self.settings.is_output_on = is_on
        if is_on:
            self.level = self.settings.source.level
        self.apply_output()

    @property
    def may_switch_on(self) -> bool:
        """Whether the output enable line, if it is watched, lets the output be on."""
        return self.is_enable_asserted or not self.settings.is_enable_watched

    def drop_output(self) -> None:
        """The output goes off by itself, without the time of a command."""
        if self.settings.is_output_on:
            self.settings.is_output_on = False
            self.apply_output()

    def output_goes_off(self) -> None:
        """A changed terminal, sense or guard selection turns the output off (user's manual, section 2)."""
        self.settings.is_output_on = False
        self.apply_output()

    def select_function(self, function: str) -> None:
        """SOURce:FUNCtion; changing it turns the output off."""
        self.require_free_source()
        self.settings.memory.is_selected = function == "MEM"
        if function in ("MEM", self.settings.function):
            return
        self.settings.function = function
        self.settings.is_output_on = False
        self.level = self.settings.source.level
        self.apply_output()

    def select_functions(self, functions: tuple[str, ...]) -> None:
        """What is measured; ohms may bring auto ohms to work."""
        self.settings.functions = functions
        self.ohms_changed()

    def ohms_changed(self) -> None:
        """Functions, mode or range of ohms have changed: auto ohms takes over the source or gives it back.

        The output stays as it is (assumed; only SOURce:FUNCtion is known to turn it off).
        """
        if update(self.settings) or self.settings.is_auto_ohms:
            self.level = self.settings.source.level
        self.apply_output()

    def require_free_source(self) -> None:
        """Raises ScpiError +825 while auto ohms chooses the source."""
        if self.settings.is_auto_ohms:
            raise refused(825)

    def set_level(self, function: str, level: float) -> None:
        """SOURce:<function>:LEVel; takes effect at once if that function is selected and the output is on."""
        if function == "CURR":
            self.require_free_source()
        self.reach(function, level)
        source = self.settings.source_of(function)
        source.level = level
        source.triggered_level = None
        if function == self.settings.function:
            self.level = level
            self._take_time(TIMING.source_seconds)
            self.apply_output()

    def reach(self, function: str, level: float, *, is_forced: bool = False, is_command: bool = True) -> None:
        """Move an automatic source range so that it covers the level.

        Args:
            is_forced: also a fixed range.
            is_command: whether this happens on a command, which takes its time.

        Raises ScpiError -222 if a fixed range does not cover it, +826 beyond the power that there is.
        """
        source = self.settings.source_of(function)
        ranges = self.output.source_unit(function).ranges
        wanted = smallest_range(level, ranges)
        if not source.is_auto_range and not is_forced:
            if abs(level) > ranges[source.range].full_scale * _END:
                raise ScpiError(-222)
            return
        if wanted != source.range:
            self.check_power(function, wanted)
            source.range = wanted
            self._take_time(TIMING.autorange_seconds if is_command else 0.0)

    def check_power(self, function: str, source_range: int) -> None:
        """Raises ScpiError if a source range of the selected function is too much for compliance (+826) or guard.

        200 V go with 100 mA, 1 A with 20 V (user's manual, section 18, SENSe:RANGe).
        """
        settings = self.settings
        is_amp = function == "CURR" and source_range == len(AMPS_RANGES) - 1
        if is_amp and settings.guard == "OHMS":
            raise refused(827)
        if function != settings.function:
            return
        is_high_volts = function == "VOLT" and source_range == len(VOLTS_RANGES) - 1
        if is_high_volts and settings.sense_amps.limit > AMPS_RANGES[-2] * _END:
            raise refused(826)
        if is_amp and settings.sense_volts.limit > VOLTS_RANGES[-2] * _END:
            raise refused(826)

    def ranged(self, function: str, level: float, ranging: str) -> float:
        """A sweep's level, on the range that the sweep's ranging gives it."""
        source = self.settings.source_of(function)
        if ranging == "AUTO":
            self.reach(function, level, is_forced=True, is_command=False)
        end = self.output.source_unit(function).ranges[source.range].full_scale * OVER_RANGE
        return min(max(level, -end), end)

    def source(self, level: float | None) -> None:
        """The source action of a cycle: a level of a sweep, or with None the fixed or triggered one."""
        source = self.settings.source
        if level is None:
            level = source.level if source.triggered_level is None else source.triggered_level
            self.reach(self.settings.function, level, is_command=False)
            source.level, source.triggered_level = level, None
        self.level = level
        self.output.drive(self.settings, level)

    def select_source_range(self, function: str, value: float) -> None:
        """SOURce:<function>:RANGe; a level beyond the new range is brought down to its end."""
        if function == "CURR":
            self.require_free_source()
        source = self.settings.source_of(function)
        ranges = self.output.source_unit(function).ranges
        wanted = smallest_range(value, ranges)
        self.check_power(function, wanted)
        source.range, source.is_auto_range = wanted, False
        end = ranges[wanted].full_scale * OVER_RANGE
        if abs(source.level) > end:
            source.level = math.copysign(end, source.level)
        if function == self.settings.function:
            self.level = min(max(self.level, -end), end)
            self.apply_output()

    def note_conditions(self) -> None:
        """Bring the conditions of the measurement register up to date."""
        bits, settings = 0, self.settings
        if settings.is_output_on:
            point = self.output.point()
            if self.output.is_protecting(settings, self.level, point):
                bits |= MeasurementBit.OVER_VOLTAGE
            elif point.is_limiting:
                bits |= MeasurementBit.COMPLIANCE
        stored = len(self.buffer.stored)
        bits |= MeasurementBit.BUFFER_AVAILABLE if stored > 1 else 0
        bits |= MeasurementBit.BUFFER_FULL if stored and self.buffer.is_full else 0
        bits |= MeasurementBit.OUTPUT_ENABLE if self.is_enable_asserted else 0
        hold(self.status.groups["measurement"], _OUTPUT_STATE, bits)

    def in_compliance(self) -> bool:
        """SENSe:...:PROTection:TRIPped?: whether the output limits now."""
        self._let_time_pass()
        return self.settings.is_output_on and self.output.is_limiting()

    def is_protecting(self) -> bool:
        """SOURce:VOLTage:PROTection:TRIPped?: whether over-voltage protection holds the output back now."""
        self._let_time_pass()
        if not self.settings.is_output_on:
            return False
        return self.output.is_protecting(self.settings, self.level, self.output.point())

    def source_reach(self, function: str) -> float:
        """What a source range reaches to; real units tell it (21 V after *RST), not the full scale."""
        ranges = VOLTS_RANGES if function == "VOLT" else AMPS_RANGES
        return ranges[self.settings.source_of(function).range] * OVER_RANGE
