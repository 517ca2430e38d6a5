"""What a 2450 does with its output and its measurements: levels, limits, ranges, delays, readings into buffers."""

from __future__ import annotations

import math
from collections.abc import Iterator

from . import keithley_2450_ohms as ohms
from .keithley_2450_bus import LINES, TriggerBus
from .keithley_2450_events import LIMIT_CLEARED, LIMIT_TRIPPED, WARNING, Event, EventLog
from .keithley_2450_lists import ConfigurationLists, SourcePoint
from .keithley_2450_measuring import Measuring
from .keithley_2450_output import K2450Output
from .keithley_2450_settings import Settings
from .keithley_2450_stores import Buffers
from .keithley_2450_trigger import TriggerModel
from .overlapped import OverlappedInstrument
from .scpi_errors import ScpiError
from .smu_stage import StageAccuracy
from .timing import KEITHLEY_2450 as TIMING

_EMPTIED = Event(4917, "is 0% filled")
_FILLED = Event(4918, "is 100% filled")
_LIMIT_ADAPTED = Event(5013, "Source limit was changed to suit the source range", WARNING)
"""Number and text assumed."""
_POWER_LIMITS = {"VOLT": (20.0, 0.105, 1.05), "CURR": (0.1, 21.0, 210.0)}
"""Source range up to which the larger limit is possible, the smaller limit, the larger one (20 W; data sheet)."""
_HIGH_CAPACITANCE_DELAYS = ((10e-9, 0.3), (100e-9, 0.2), (1e-6, 20e-3), (1e-3, 10e-3), (1.0, 5e-3))
_AMPERE_DELAY = 2e-3
"""Automatic delay when sourcing on the 1 A range (Reference Manual, "Source delay", as are those above)."""
_LEAST_LIMIT_FRACTION = 1e-3
"""A limit must be more than this of a fixed measure range (Reference Manual, SOURce:<function>:<x>LIMit)."""


class SourcingUnit(OverlappedInstrument):
    """Source and meter of a 2450.

    Attributes:
        settings: all that *RST resets.
        buffers, lists: reading buffers and configuration lists.
        bus, model: trigger objects and the trigger model.
        output, measuring: the analog side.
    """

    settings: Settings
    buffers: Buffers
    lists: ConfigurationLists
    bus: TriggerBus
    model: TriggerModel
    output: K2450Output
    measuring: Measuring
    events: EventLog
    _was_limiting = False

    @property
    def accuracy(self) -> StageAccuracy:
        """Ranges and data sheet."""
        return self.output.accuracy

    @property
    def seconds(self) -> float:
        """Time since the bench was switched on."""
        return self.world.seconds + self._owed_seconds

    def _let_time_pass(self) -> None:
        """See WireInstrument. Nothing is owed any more while it passes: the trigger model may act meanwhile."""
        owed, self._owed_seconds = self._owed_seconds, 0.0
        if owed > 0:
            self.world.wait(owed)

    def elapse(self, seconds: float) -> None:
        """Let time pass in the world."""
        self._take_time(seconds)
        self._let_time_pass()

    def log(self, event: Event, text: str = "") -> None:
        """An event for the log."""
        self.events.note(event, text)

    def report(self, error: ScpiError) -> None:
        """An error for the log."""
        self.status.report(error)

    def put(self) -> None:
        """Bring the world to what is set, at once."""
        if self.settings.is_output_on:
            self.output.drive(self.settings)
        else:
            self.output.off(self.settings)

    def apply_output(self) -> None:
        """Bring the world to what is set, once the time that is owed has passed."""
        self._let_time_pass()
        self.put()

    def put_output(self, is_on: bool) -> float:
        """Output on or off at once; returns the seconds that takes."""
        if is_on == self.settings.is_output_on:
            return 0.0
        self.settings.is_output_on = is_on
        self._fit()
        self.put()
        if not is_on:
            self._was_limiting = False
        return TIMING.output_seconds + (self.source_delay(self.settings.function) if is_on else 0.0)

    def switch_output(self, is_on: bool) -> None:
        """OUTPut ON or OFF."""
        self._let_time_pass()
        self._take_time(self.put_output(is_on))

    def select_function(self, function: str) -> None:
        """SOURce:FUNCtion; changing it turns the output off."""
        ohms.end(self.settings)
        if function == self.settings.function:
            return
        self._let_time_pass()
        self.settings.function = function
        self.settings.is_output_on = False
        self._fit()
        self.put()

    def select_sense(self, function: str) -> None:
        """SENSe:FUNCtion; resistance chooses the source by its range, the others give the source back."""
        self._let_time_pass()
        self.settings.sense_function = function
        if function == "RES":
            ohms.begin(self.settings, self.accuracy)
        else:
            ohms.end(self.settings)
        self._fit()
        self.put()

    def select_terminals(self, terminals: str) -> None:
        """ROUTe:TERMinals; changing them turns the output off."""
        if terminals != self.settings.terminals:
            self.switch_output(False)
        self.settings.terminals = terminals

    def select_wires(self, function: str, is_remote: bool) -> None:
        """SENSe:<function>:RSENse."""
        self.settings.senses[function].is_remote_sense = is_remote
        self.apply_output()

    def _fit(self) -> None:
        """Ranges cover the levels, and the limit what the range can supply; the log says if it had to change."""
        self.output.follow_level(self.settings)
        most = self.most_limit(self.settings.function)
        if self.settings.source.limit > most:
            self.settings.source.limit = most
            self.events.note(_LIMIT_ADAPTED)

    def most_limit(self, quantity: str) -> float:
        """The largest limit on the present source range: 20 W, or 2 W less."""
        scale = self.accuracy.ranges(quantity)[self.settings.sources[quantity].range].full_scale
        end, small, large = _POWER_LIMITS[quantity]
        return large if scale <= end * 1.001 else small

    def set_level(self, quantity: str, level: float) -> None:
        """SOURce:<function>:LEVel; takes effect at once if that function is selected and the output is on."""
        ohms.end(self.settings)
        source = self.settings.sources[quantity]
        if not source.is_auto_range and not self.accuracy.reaches(quantity, source.range, level):
            raise ScpiError(-222)
        is_changed = level != source.level
        source.level = level
        self.follow_level()
        if is_changed and quantity == self.settings.function and self.settings.is_output_on:
            self._take_time(self.source_delay(quantity))

    def set_limit(self, quantity: str, limit: float) -> None:
        """SOURce:<function>:xLIMit; raises ScpiError -221 if range or measure range do not go with it."""
        other = "CURR" if quantity == "VOLT" else "VOLT"
        sense = self.settings.senses[other]
        is_too_small = not sense.is_auto_range and limit < sense.range * _LEAST_LIMIT_FRACTION
        if limit > self.most_limit(quantity) * (1 + 1e-9) or is_too_small:
            raise ScpiError(-221)
        self.settings.sources[quantity].limit = limit
        self.apply_output()

    def follow_level(self) -> None:
        """Range and drive the present level."""
        self._let_time_pass()
        self._fit()
        self.put()

    def select_source_range(self, quantity: str, value: float) -> None:
        """SOURce:<function>:RANGe; a level beyond the new range is brought down to its end."""
        source = self.settings.sources[quantity]
        source.range, source.is_auto_range = self.accuracy.smallest(quantity, value), False
        end = self.accuracy.ranges(quantity)[source.range].full_scale * self.accuracy.over_range
        if abs(source.level) > end:
            source.level = math.copysign(end, source.level)
        self.follow_level()

    def set_range(self, function: str, full_scale: float) -> None:
        """SENSe:<function>:RANGe: a fixed measure range."""
        sense = self.settings.senses[function]
        sense.range, sense.is_auto_range = full_scale, False
        if function == "RES" and self.settings.set_aside is not None:
            ohms.choose(self.settings, self.accuracy)
        self.apply_output()

    def set_auto_range(self, function: str, is_auto: bool) -> None:
        """SENSe:<function>:RANGe:AUTO; the present range stays when it is switched off."""
        self.settings.senses[function].is_auto_range = is_auto
        self.apply_output()

    def measure_scale(self, function: str) -> float:
        """Full scale of the present measure range."""
        return self.output.measure_scale(self.settings, function)

    def source_delay(self, quantity: str) -> float:
        """Delay after a source change: as set, or by range if automatic."""
        source = self.settings.sources[quantity]
        if not source.is_auto_delay:
            return source.delay_seconds
        amps = self.measure_scale("CURR") if quantity == "VOLT" else self.accuracy.source_amps[source.range].full_scale
        if source.is_high_capacitance:
            return next(seconds for end, seconds in _HIGH_CAPACITANCE_DELAYS if amps <= end * 1.001)
        return _AMPERE_DELAY if quantity == "CURR" and amps > 0.9 else TIMING.auto_delay(amps)

    def user_delay(self, name: str) -> float:
        """A delay of SOURce:<function>:DELay:USER or SENSe:<function>:DELay:USER, as SOUR1 or MEAS1."""
        owner = self.settings.source if name.startswith("SOUR") else self.settings.sense
        return owner.user_delays[int(name[-1]) - 1]

    def limits_of(self, number: int) -> tuple[float, float]:
        """Limit test 1 or 2 of the selected measure function."""
        test = self.settings.sense.tests[number - 1]
        return test.low, test.high

    @property
    def is_limiting(self) -> bool:
        """Whether the output is at its limit at this moment."""
        self.watch()
        return self._was_limiting

    def watch(self) -> None:
        """Look at the output: reaching the limit and leaving it are events."""
        is_limiting = self.settings.is_output_on and self.output.is_limiting()
        if is_limiting != self._was_limiting:
            self._was_limiting = is_limiting
            self.events.note(LIMIT_TRIPPED if is_limiting else LIMIT_CLEARED)
            if is_limiting:
                self.bus.emit("SLIM", self.world.seconds)

    def has_tripped(self, quantity: str) -> bool:
        """SOURce:<function>:xLIMit:TRIPped?."""
        self._let_time_pass()
        return self.settings.function == quantity and self.is_limiting

    @property
    def is_protecting(self) -> bool:
        """Whether over-voltage protection limits the output now."""
        self._let_time_pass()
        return self.settings.is_output_on and self.output.is_protecting(self.settings)

    def measure(self, name: str, count: int, *, is_alone: bool) -> Iterator[float]:
        """Measure `count` times into a reading buffer, with pauses."""
        buffer = self.buffers.measured(name)
        was_full = buffer.is_full
        yield from self.measuring.take(self.settings, buffer, count, is_alone=is_alone)
        self.watch()
        if buffer.is_logged and buffer.is_full and not was_full:
            self.events.note(_FILLED, f"Reading buffer {name} {_FILLED.text}")

    def take_readings(self, name: str | None) -> None:
        """READ?, MEASure?, TRACe:TRIGger: as many readings as SENSe:COUNt says, now."""
        buffer = self.buffers.measured(name)
        self._let_time_pass()
        for pause in self.measure(buffer.name, int(self.settings.count), is_alone=not self.model.is_in_background):
            self.elapse(pause)

    def last_values(self, name: str, count: int) -> list[float]:
        """The last readings of a buffer."""
        readings = self.buffers.named(name).readings
        return [readings[k].value for k in range(max(len(readings) - count, 0), len(readings))]

    def clear_buffer(self, name: str) -> None:
        """TRACe:CLEar."""
        buffer = self.buffers.named(name)
        buffer.clear()
        if buffer.is_logged:
            self.events.note(_EMPTIED, f"Reading buffer {name} {_EMPTIED.text}")

    def refresh_zero(self) -> None:
        """SENSe:AZERo:ONCE: takes two conversions; the zero itself is exact here."""
        self._take_time((TIMING.conversions_per_reading - 1) * self.settings.sense.cycles / self.world.line_hertz)

    def acquire_relative(self, function: str) -> None:
        """SENSe:<function>:RELative:ACQuire: the next reading becomes the offset."""
        if function != self.settings.sense_function:
            raise ScpiError(-221)
        self._let_time_pass()
        for pause in self.measuring.relative(self.settings):
            self.elapse(pause)

    def list_size(self, name: str) -> int:
        """Points of a configuration list."""
        return len(self.lists.points(name))

    def recall_point(self, name: str, index: int) -> float:
        """Recall a point of a source or measure list at once; returns the seconds that takes."""
        point = self.lists.point(name, index)
        before = (self.settings.function, self.settings.source.level)
        point.restore(self.settings)
        self.put()
        is_changed = (self.settings.function, self.settings.source.level) != before
        if isinstance(point, SourcePoint) and self.settings.is_output_on and is_changed:
            return TIMING.step_seconds + self.source_delay(self.settings.function)
        return 0.0

    def write_lines(self, pattern: int, mask: int) -> None:
        """Set digital lines; those that are not outputs keep the level for when they are."""
        for number in range(1, LINES + 1):
            if mask >> (number - 1) & 1:
                self.bus.lines[number].is_high = bool(pattern >> (number - 1) & 1)
                self.bus.lines[number].put()
