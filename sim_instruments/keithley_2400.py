"""A simulated Keithley 2400 SourceMeter: SCPI as in the Series 2400 User's Manual (2400S-900-01), sections 10 to 18."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from itertools import cycle, islice
from typing import ClassVar

from .accuracy import OVER_RANGE, smallest_range
from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keithley_2400_output import SmuOutput
from .keithley_2400_readings import ReadingBuffer, SmuReading, formatted
from .keithley_2400_sense import SENSE_COMMANDS
from .keithley_2400_settings import AMPS_RANGES, MOST_READINGS, VOLTS_RANGES, LineSettings, Settings
from .keithley_2400_source import SOURCE_COMMANDS
from .keithley_2400_system import SYSTEM_COMMANDS
from .scpi import CommandTree, Reply
from .scpi_errors import ScpiError
from .scpi_instrument import ScpiInstrument
from .status_488 import Status488
from .timing import KEITHLEY_2400 as TIMING
from .wire_instrument import HostClock
from .world import World

_FIRMWARE = "C30   Mar 17 2006 09:29:29/A02  /K/J"
_ERROR_AVAILABLE = 4
_REGISTERS = {1: "measurement", 8: "questionable", 128: "operation"}
_READING_AVAILABLE, _BUFFER_AVAILABLE, _BUFFER_FULL, _COMPLIANCE = 1 << 6, 1 << 8, 1 << 9, 1 << 14
_WAITING_FOR_ARM, _IDLE = 1 << 6, 1 << 10


class SimKeithley2400(ScpiInstrument):
    """One 2400; its HI terminal is the node `<name>.hi`, LO is the common ground.

    Attributes:
        settings: all that *RST resets.
        buffer: the TRACe buffer, which *RST leaves alone.
        output: the analog side.
        readings: what the last READ?, INITiate or MEASure? produced.
    """

    tree: ClassVar[CommandTree] = CommandTree((*SOURCE_COMMANDS, *SENSE_COMMANDS, *SYSTEM_COMMANDS))
    command_seconds: ClassVar[float] = TIMING.command_seconds

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        status = Status488(_REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=10)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.serial = serial
        self.settings = Settings()
        self.line = LineSettings()
        self.buffer = ReadingBuffer()
        self.output = SmuOutput(world.add_source(name, f"{name}.hi"), world.rng(name))
        self.readings: list[SmuReading] = []
        self._saved: dict[int, Settings] = {}
        self._time_zero = world.seconds
        self._is_armed = False
        self._owes_reading = False
        self._level = 0.0
        self.output.off(self.settings)
        status.groups["operation"].set_condition(_IDLE)

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeithley2400:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, serial=spec.serial, has_end=spec.has_end, faults=faults)

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"KEITHLEY INSTRUMENTS INC.,MODEL 2400,{self.serial},{_FIRMWARE}"

    @property
    def seconds(self) -> float:
        """Time since power-on or the last time stamp reset."""
        return self.world.seconds + self._owed_seconds - self._time_zero

    def reset_time(self) -> None:
        """SYSTem:TIME:RESet."""
        self._time_zero = self.world.seconds

    def reset(self) -> None:
        """*RST: output off and settings to their defaults; buffer, status and terminals stay."""
        self.abort()
        self.settings = Settings(terminals=self.settings.terminals)
        self._level = 0.0
        self.apply_output()

    def save(self, location: int) -> None:
        """*SAV 0 to 4."""
        if location > 4:
            raise ScpiError(-222)
        self._saved[location] = copy.deepcopy(self.settings)

    def recall(self, location: int) -> None:
        """*RCL 0 to 4; the output comes back off."""
        if location > 4:
            raise ScpiError(-222)
        self.settings = copy.deepcopy(self._saved.get(location, Settings()))
        self.settings.is_output_on = False
        self._level = self.settings.source.level
        self.apply_output()

    def apply_output(self) -> None:
        """Bring the world to what is set."""
        self._let_time_pass()
        if self.settings.is_output_on:
            self.output.drive(self.settings, self._level)
        else:
            self.output.off(self.settings)

    def switch_output(self, is_on: bool) -> None:
        """OUTPut ON or OFF; it comes on at the programmed level, not at the last level of a sweep."""
        if is_on == self.settings.is_output_on:
            return
        self._take_time(TIMING.output_seconds)
        self._let_time_pass()
        self.settings.is_output_on = is_on
        if is_on:
            self._level = self.settings.source.level
        self.apply_output()

    def select_function(self, function: str) -> None:
        """SOURce:FUNCtion; changing it turns the output off."""
        if function == self.settings.function:
            return
        self.settings.function = function
        self.settings.is_output_on = False
        self._level = self.settings.source.level
        self.apply_output()

    def set_level(self, function: str, level: float) -> None:
        """SOURce:<function>:LEVel; takes effect at once if that function is selected and the output is on."""
        self._reach(function, level, command=True)
        source = self.settings.source_of(function)
        source.level = level
        source.triggered_level = None
        if function == self.settings.function:
            self._level = level
            self._take_time(TIMING.source_seconds)
            self.apply_output()

    def _reach(self, function: str, level: float, *, command: bool) -> None:
        """Move an automatic source range so that it covers the level; raises ScpiError -222 if a fixed one does not."""
        source = self.settings.source_of(function)
        unit = self.output.source_volts if function == "VOLT" else self.output.source_amps
        if not source.is_auto_range:
            if abs(level) > unit.ranges[source.range].full_scale * OVER_RANGE * (1 + 1e-9):
                raise ScpiError(-222)
            return
        wanted = smallest_range(level, unit.ranges)
        if wanted != source.range:
            source.range = wanted
            self._take_time(TIMING.autorange_seconds if command else 0.0)

    def select_source_range(self, function: str, value: float) -> None:
        """SOURce:<function>:RANGe; a level beyond the new range is brought down to its end."""
        source = self.settings.source_of(function)
        unit = self.output.source_volts if function == "VOLT" else self.output.source_amps
        source.range = smallest_range(value, unit.ranges)
        source.is_auto_range = False
        end = unit.ranges[source.range].full_scale * OVER_RANGE
        if abs(source.level) > end:
            source.level = math.copysign(end, source.level)
        if function == self.settings.function:
            self._level = min(max(self._level, -end), end)
            self.apply_output()

    def abort(self) -> None:
        """ABORt: back to idle; a reply that still waits for a trigger is not sent."""
        self._is_armed = self._owes_reading = False
        self.status.groups["operation"].set_condition(_IDLE)

    def _cleared(self) -> None:
        self.abort()

    def initiate(self) -> None:
        """INITiate: take the programmed readings, or wait for a bus trigger first."""
        self.buffer_or_output_ready()
        if self.settings.arm.source == "BUS":
            self._is_armed = True
            self.status.groups["operation"].set_condition(_WAITING_FOR_ARM)
        else:
            self._take_readings()

    def buffer_or_output_ready(self) -> None:
        """Raises ScpiError +803 if the output is off and does not come on by itself."""
        if not self.settings.is_output_on and not self.settings.is_auto_clear:
            raise ScpiError(803, "Not permitted with OUTPUT off")

    def read(self) -> Reply | None:
        """READ?; with a bus trigger armed the reply follows the trigger."""
        if math.isinf(self.settings.arm.count):
            raise ScpiError(830, "Invalid with INF ARM:COUNT")
        self.initiate()
        if self._is_armed:
            self._owes_reading = True
            return None
        return self.fetch()

    def fetch(self) -> Reply:
        """FETCh?: the latest readings again."""
        if not self.readings:
            raise ScpiError(-230)
        return formatted(self.readings, self.settings.format)

    def fetch_latest(self) -> Reply:
        """DATA:LATest?: the last reading."""
        if not self.readings:
            raise ScpiError(-230)
        return formatted(self.readings[-1:], self.settings.format)

    def trigger(self) -> None:
        """*TRG or a group execute trigger."""
        if not self._is_armed:
            self.status.report(ScpiError(-211))
            return
        owes, self._owes_reading = self._owes_reading, False
        self._is_armed = False
        self._take_readings()
        if owes:
            reply = self.fetch()
            self._replies.append((reply.encode() if isinstance(reply, str) else reply) + b"\n")

    def _take_readings(self) -> None:
        if self.settings.is_time_auto_reset:
            self.reset_time()
        points = self.settings.trigger_points
        if points > MOST_READINGS:
            points = MOST_READINGS
        self.readings = []
        for level in islice(self._levels(), points):
            self.readings.append(self._source_and_measure(level))
            if self._aborts_on_compliance():
                break
        self._register("measurement", _READING_AVAILABLE)
        self._register("operation", _IDLE)

    def _levels(self) -> Iterator[float | None]:
        if self.settings.source.mode == "FIX":
            return cycle([None])
        return cycle(self.settings.sweep_levels())

    def _source_and_measure(self, level: float | None) -> SmuReading:
        """One pass through source, delay and measure (user's manual, section 11, trigger model)."""
        settings = self.settings
        self._take_time(TIMING.trigger_seconds + settings.trigger.delay_seconds)
        self._let_time_pass()
        if settings.is_auto_clear:
            settings.is_output_on = True
        self._source(level)
        self._take_time(self._delay_seconds())
        self._let_time_pass()
        steps = self.output.autorange(settings)
        self._take_time(steps * TIMING.autorange_seconds + self._measuring_seconds())
        self._let_time_pass()
        reading = self.output.reading(settings, self._level, self.seconds)
        self.buffer.store(reading)
        if self.buffer.stored:
            self._register("measurement", _BUFFER_AVAILABLE | (0 if self.buffer.is_storing else _BUFFER_FULL))
        if settings.is_auto_clear:
            settings.is_output_on = False
            self.apply_output()
        return reading

    def _source(self, level: float | None) -> None:
        source = self.settings.source
        if level is None:
            level = source.level if source.triggered_level is None else source.triggered_level
            source.level, source.triggered_level = level, None
        self._reach(self.settings.function, level, command=False)
        self._level = level
        self.output.drive(self.settings, level)

    def _delay_seconds(self) -> float:
        if not self.settings.is_auto_delay:
            return self.settings.delay_seconds
        is_volts = self.settings.function == "VOLT"
        index = self.settings.sense_amps.range if is_volts else self.settings.amps.range
        return TIMING.auto_delay(AMPS_RANGES[index])

    def _measuring_seconds(self) -> float:
        settings = self.settings
        conversions = max(len(settings.functions), 1)
        if settings.is_auto_zero:
            conversions += TIMING.conversions_per_reading - 1
        averaged = settings.filter.count if settings.filter.is_on and settings.filter.kind == "REP" else 1.0
        return conversions * averaged * settings.cycles / (self.line.hertz or self.world.line_hertz)

    def _aborts_on_compliance(self) -> bool:
        settings = self.settings
        is_sweep = settings.source.mode == "SWE" and settings.sweep.abort_on_compliance != "NEV"
        return is_sweep and self.output.is_limiting()

    def _register(self, group: str, bits: int) -> None:
        register = self.status.groups[group]
        limiting = _COMPLIANCE if group == "measurement" and self.output.is_limiting() else 0
        register.set_condition(0)
        register.set_condition(bits | limiting)

    def in_compliance(self) -> bool:
        """SENSe:...:PROTection:TRIPped?: whether the output limits now."""
        self._let_time_pass()
        return self.settings.is_output_on and self.output.is_limiting()

    def source_range(self, function: str) -> float:
        """Nominal full scale of a source range."""
        ranges = VOLTS_RANGES if function == "VOLT" else AMPS_RANGES
        return ranges[self.settings.source_of(function).range]
