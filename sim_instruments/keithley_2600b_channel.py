"""One channel, smua or smub, of a simulated 2600B: levels, limits, ranges and output; measurements are elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .accuracy import RangeAccuracy
from .accuracy_keithley_2600b import (
    AUTO_SOURCE_SECONDS,
    LEVEL_SECONDS,
    MEASURE_REACH,
    OUTPUT_SECONDS,
    SOURCE_REACH,
    SOURCE_SECONDS,
    Smu2600,
)
from .keithley_2600b_buffer import Buffer2600
from .keithley_2600b_output import Output2600, range_for
from .keithley_2600b_settings import FOLLOW_LIMIT, HIGH_Z, OFF, MeasureSide, SourceSide, default_settings
from .tsp_engine import TspError

if TYPE_CHECKING:
    from .keithley_2600b import SimKeithley2600B

TOO_BIG, TOO_SMALL = (1101, "Parameter too big"), (1102, "Parameter too small")
"""Levels, limits and ranges beyond what the model reaches (assumed: -222 is in the manual's list too)."""
UNSAFE = 5007, "Operation would exceed safe operating area of the instrument"
TOO_BIG_FOR_RANGE = 5005, "Value too big for range"
DEDICATED_CAPACITY = 60_000
"""Readings in a dedicated buffer with time stamps and source values (reference manual, "Reading buffers")."""
_HIGH_C_AMPS = 1e-6
"""Smallest current range and limit in the high-capacitance mode (reference manual, "High-capacitance mode")."""


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

    def error(self, code: int, text: str) -> TspError:
        """An error of this channel, which its message names."""
        return TspError(code, f"SMU {self.letter.upper()}: {text}")

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

    @property
    def source_seconds(self) -> float:
        """From a new level to the end of the source delay."""
        delay = self.settings.source_delay
        return SOURCE_SECONDS + (AUTO_SOURCE_SECONDS if delay < 0 else delay)

    def set_level(self, quantity: str, level: float) -> None:
        """source.levelv and source.leveli; raises TspError beyond the range or the safe operating area."""
        side, ranges = self.side(quantity)
        if abs(level) > self.smu.most(quantity) * SOURCE_REACH:
            raise TspError(*(TOO_BIG if level > 0 else TOO_SMALL))
        if not side.is_auto and abs(level) > ranges[side.index].full_scale * SOURCE_REACH:
            raise self.error(*TOO_BIG_FOR_RANGE)
        if self.is_sourcing(quantity):
            self._require_safe(level, self._programmed_limit)
        if side.is_auto:
            side.index = max(range_for(level, ranges, SOURCE_REACH), side.lowest)
        side.level = level
        if self.is_sourcing(quantity):
            self._require_interlock()
            self.sweep_level = None
            self.apply()
            if self.settings.is_on:
                self.instrument.take_time(LEVEL_SECONDS + self.source_seconds)

    @property
    def _programmed_limit(self) -> float:
        return self.settings.limit_amps if self.settings.is_volts_source else self.settings.limit_volts

    def _require_safe(self, level: float, limit: float) -> None:
        volts, amps = (level, limit) if self.settings.is_volts_source else (limit, level)
        if not self.smu.is_safe(volts, amps):
            raise self.error(*UNSAFE)

    def _require_interlock(self) -> None:
        if self.settings.is_on and self.is_above_interlock:
            self.settings.is_on = False
            self.apply()
            raise TspError(802, "OUTPUT blocked by interlock")

    @property
    def is_above_interlock(self) -> bool:
        """Whether the source range needs the interlock, which no bench here closes."""
        return self.smu.source_volts[self.settings.source_volts.index].full_scale > self.smu.interlock_volts

    def set_limit(self, quantity: str, limit: float) -> None:
        """source.limitv and source.limiti."""
        volts = quantity == "v"
        least = self.smu.smallest_limit_volts if volts else self.smu.smallest_limit_amps
        if self.settings.is_high_capacitance and not volts:
            least = max(least, _HIGH_C_AMPS)
        if limit < least * (1 - 1e-9):
            raise TspError(*TOO_SMALL)
        if limit > self.smu.most(quantity) * SOURCE_REACH:
            raise TspError(*TOO_BIG)
        if not self.is_sourcing(quantity):
            self._require_safe(self.settings.source.level, limit)
        setattr(self.settings, "limit_volts" if volts else "limit_amps", limit)
        self.apply()

    def set_source_range(self, quantity: str, value: float) -> None:
        """source.rangev and source.rangei: the smallest range that reaches `value`, fixed."""
        side, ranges = self.side(quantity)
        if abs(value) > ranges[-1].full_scale * SOURCE_REACH:
            raise TspError(*TOO_BIG)
        index = range_for(value, ranges, SOURCE_REACH)
        if abs(side.level) > ranges[index].full_scale * SOURCE_REACH:
            raise self.error(*TOO_BIG_FOR_RANGE)
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
            raise TspError(*TOO_BIG)
        if self.settings.is_high_capacitance and quantity == "i":
            value = max(abs(value), _HIGH_C_AMPS)
        side.index, side.auto = range_for(value, ranges, MEASURE_REACH), OFF
        self.apply()

    def set_measure_auto(self, quantity: str, mode: int) -> None:
        """measure.autorangev and measure.autorangei."""
        if self.settings.is_high_capacitance and quantity == "i" and mode != FOLLOW_LIMIT:
            raise self.error(5069, "Autorange locked for HighC mode")
        side, _ = self.measure_side(quantity)
        side.auto = mode
        self.apply()

    def set_high_capacitance(self, is_on: bool) -> None:
        """source.highc: current ranges and limit of at least 1 uA, which follow the limit."""
        settings = self.settings
        settings.is_high_capacitance = int(is_on)
        if is_on:
            settings.limit_amps = max(settings.limit_amps, _HIGH_C_AMPS)
            side, ranges = self.measure_side("i")
            side.auto, side.lowest = FOLLOW_LIMIT, range_for(_HIGH_C_AMPS, ranges, 1.0)
            side.index = max(side.index, side.lowest)
        self.apply()

    def set_sense(self, mode: int) -> None:
        """smuX.sense: at the output terminals or at the sense terminals."""
        self.settings.sense = mode
        self.apply()

    def switch(self, state: int) -> None:
        """source.output; HIGH_Z opens the output relay."""
        if state == HIGH_Z:
            self.settings.off_mode = HIGH_Z
        is_on = state == 1
        if is_on and self.is_above_interlock:
            raise TspError(802, "OUTPUT blocked by interlock")
        if is_on:
            self._require_safe(self.settings.source.level, self._programmed_limit)
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
