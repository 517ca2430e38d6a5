"""A simulated Keithley 2450 SourceMeter with its SCPI command set (Reference Manual 2450-901-01, section 6)."""

from __future__ import annotations

import copy
import math
import re
from typing import ClassVar

from .accuracy_keithley_2450 import K2450_STAGE
from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keithley_2450_buffer import stamp
from .keithley_2450_events import EventLog
from .keithley_2450_output import K2450Output
from .keithley_2450_readings import READING_COMMANDS
from .keithley_2450_sense import SENSE_COMMANDS
from .keithley_2450_settings import Settings
from .keithley_2450_source import SOURCE_COMMANDS
from .keithley_2450_stores import Buffers, SourceLists
from .keithley_2450_sweeps import SWEEP_COMMANDS
from .keithley_2450_system import SYSTEM_COMMANDS
from .keithley_2450_trigger import TriggerModel, sweep
from .keithley_2450_trigger_commands import TRIGGER_COMMANDS
from .overlapped import OverlappedInstrument
from .scpi import CommandTree
from .scpi_errors import ScpiError
from .smu_stage import SmuStage, StageAccuracy
from .status_488 import Status488
from .timing import KEITHLEY_2450 as TIMING
from .wire_instrument import HostClock
from .world import World

_FIRMWARE = "1.7.12b"
_ERROR_AVAILABLE = 4
_REGISTERS = {8: "questionable", 128: "operation"}
_SWEEP_LISTS = {"VOLT": "VoltLinearSweepList", "CURR": "CurrLinearSweepList"}


class SimKeithley2450(OverlappedInstrument):
    """One 2450; its HI terminal is the node `<name>.hi`, LO is the common ground.

    Attributes:
        settings: all that *RST resets.
        buffers, lists: reading buffers and source configuration lists.
        model: the trigger model.
        events: the event log.
        language: the command set in use.
    """

    tree: ClassVar[CommandTree] = CommandTree(
        (*SOURCE_COMMANDS, *SWEEP_COMMANDS, *SENSE_COMMANDS, *READING_COMMANDS, *TRIGGER_COMMANDS, *SYSTEM_COMMANDS)
    )
    command_seconds: ClassVar[float] = TIMING.command_seconds
    polls: ClassVar[re.Pattern[str]] = re.compile(r"(?i):?trig(ger)?:stat(e)?\?|\*(esr|stb)\?|:?trac(e)?:act(ual)?\?.*")

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
        status = Status488(_REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=1000)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.events = EventLog(1000, lambda: self.seconds)
        status.errors = self.events
        self.serial = serial
        self.language = "SCPI"
        self.settings = Settings()
        stage = SmuStage(world.add_source(name, f"{name}.hi"), world.rng(name), K2450_STAGE)
        self.output = K2450Output(stage)
        self.model = TriggerModel()
        self.lists = SourceLists()
        self._saved: dict[int, Settings] = {}
        self.buffers = Buffers()
        self.output.off(self.settings)

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeithley2450:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, serial=spec.serial, has_end=spec.has_end, faults=faults)

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"KEITHLEY INSTRUMENTS,MODEL 2450,{self.serial},{_FIRMWARE}"

    @property
    def accuracy(self) -> StageAccuracy:
        """Ranges and data sheet."""
        return self.output.accuracy

    @property
    def seconds(self) -> float:
        """Time since the bench was switched on."""
        return self.world.seconds + self._owed_seconds

    def clock_text(self) -> str:
        """SYSTem:TIME?."""
        return stamp(self.seconds).strftime("%a %b %d %H:%M:%S %Y")

    def elapse(self, seconds: float) -> None:
        """Let time pass in the world."""
        self._take_time(seconds)
        self._let_time_pass()

    def reset(self) -> None:
        """*RST: output off, settings to their defaults, buffers made by the user deleted and the others cleared."""
        self.abort()
        self.settings = Settings()
        self.buffers = Buffers()
        self.lists = SourceLists()
        self.model.clear()
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
        if location not in self._saved:
            raise ScpiError(-221)
        self.settings = copy.deepcopy(self._saved[location])
        self.settings.is_output_on = False
        self.apply_output()

    def select_language(self, language: str) -> None:
        """*LANG: another command set takes effect after a restart, which ends the simulation of this one."""
        if language != self.language:
            self.events.post("The instrument must be rebooted for the command set to change", "INF")

    def clear_buffer(self, name: str) -> None:
        """TRACe:CLEar."""
        self.buffers.named(name).readings.clear()

    def apply_output(self) -> None:
        """Bring the world to what is set."""
        self._let_time_pass()
        if self.settings.is_output_on:
            self.output.drive(self.settings)
        else:
            self.output.off(self.settings)

    def switch_output(self, is_on: bool) -> None:
        """OUTPut ON or OFF."""
        if is_on == self.settings.is_output_on:
            return
        self._take_time(TIMING.output_seconds)
        self.settings.is_output_on = is_on
        self.output.follow_level(self.settings)
        self.apply_output()
        if is_on:
            self._take_time(self.source_delay(self.settings.function))

    def select_function(self, function: str) -> None:
        """SOURce:FUNCtion; changing it turns the output off."""
        if function == self.settings.function:
            return
        self.settings.function = function
        self.settings.is_output_on = False
        self.apply_output()

    def select_sense(self, function: str) -> None:
        """SENSe:FUNCtion."""
        self.settings.sense_function = function
        self.apply_output()

    def select_terminals(self, terminals: str) -> None:
        """ROUTe:TERMinals; changing them turns the output off."""
        if terminals != self.settings.terminals:
            self.switch_output(False)
        self.settings.terminals = terminals

    def select_wires(self, function: str, is_remote: bool) -> None:
        """SENSe:<function>:RSENse; changing it turns the output off."""
        sense = self.settings.senses[function]
        if is_remote != sense.is_remote_sense:
            self.switch_output(False)
        sense.is_remote_sense = is_remote

    def set_level(self, quantity: str, level: float) -> None:
        """SOURce:<function>:LEVel; takes effect at once if that function is selected and the output is on."""
        source = self.settings.sources[quantity]
        if not source.is_auto_range and not self.accuracy.reaches(quantity, source.range, level):
            raise ScpiError(-222)
        source.level = level
        self.follow_level()
        if quantity == self.settings.function and self.settings.is_output_on:
            self._take_time(self.source_delay(quantity))

    def follow_level(self) -> None:
        """Range and drive the present level."""
        self.output.follow_level(self.settings)
        self.apply_output()

    def select_source_range(self, quantity: str, value: float) -> None:
        """SOURce:<function>:RANGe; a level beyond the new range is brought down to its end."""
        source = self.settings.sources[quantity]
        source.range, source.is_auto_range = self.accuracy.smallest(quantity, value), False
        end = self.accuracy.ranges(quantity)[source.range].full_scale * self.accuracy.over_range
        if abs(source.level) > end:
            source.level = math.copysign(end, source.level)
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
        return TIMING.auto_delay(amps)

    def user_delay(self, name: str) -> float:
        """A delay of SOURce:<function>:DELay:USER or SENSe:<function>:DELay:USER, as SOUR1 or MEAS1."""
        owner = self.settings.source if name.startswith("SOUR") else self.settings.sense
        return owner.user_delays[int(name[-1]) - 1]

    @property
    def is_limiting(self) -> bool:
        """Whether the output is at its limit now."""
        self._let_time_pass()
        return self.settings.is_output_on and self.output.is_limiting()

    @property
    def is_protecting(self) -> bool:
        """Whether over-voltage protection limits the output now."""
        self._let_time_pass()
        return self.settings.is_output_on and self.output.is_protecting(self.settings)

    def take_readings(self, name: str, count: int) -> None:
        """Measure `count` times into a reading buffer."""
        buffer = self.buffers.named(name)
        for k in range(count):
            self._take_time(TIMING.trigger_seconds)
            self._let_time_pass()
            steps = self.output.autorange(self.settings)
            self.elapse(steps * TIMING.autorange_seconds + self._measuring_seconds())
            buffer.add(self.output.reading(self.settings, self.seconds, is_first=k == 0))

    def _measuring_seconds(self) -> float:
        settings = self.settings
        sense = settings.sense
        conversions = 1 + (settings.source.is_read_back or settings.sense_function == "RES")
        if sense.is_auto_zero:
            conversions += TIMING.conversions_per_reading - 1
        averaged = sense.filter.count if sense.filter.is_on and sense.filter.kind == "REP" else 1.0
        return conversions * averaged * sense.cycles / self.world.line_hertz

    def acquire_relative(self, function: str) -> None:
        """SENSe:<function>:RELative:ACQuire: the next reading becomes the offset."""
        if function != self.settings.sense_function:
            raise ScpiError(-221)
        sense = self.settings.sense
        sense.is_relative = False
        self._let_time_pass()
        self.elapse(self._measuring_seconds())
        sense.relative = self.output.reading(self.settings, self.seconds, is_first=True).value
        sense.is_relative = True

    def store_source(self, name: str) -> None:
        """SOURce:CONFiguration:LIST:STORe: append the present source settings."""
        self.lists.named(name).append(copy.deepcopy(self.settings.source))

    def recall_source(self, name: str, index: int) -> int:
        """Recall a point of a source configuration list; returns the next index, 1 after the last."""
        points = self.lists.named(name)
        if not 1 <= index <= len(points):
            raise ScpiError(-222)
        self.settings.sources[self.settings.function] = copy.copy(points[index - 1])
        self.apply_output()
        if self.settings.is_output_on:
            self._take_time(self.source_delay(self.settings.function))
        return index % len(points) + 1

    def prepare_sweep(
        self,
        quantity: str,
        levels: list[float],
        *,
        delay_seconds: float,
        count: int,
        ranging: str,
        aborts: bool,
        buffer: str,
    ) -> None:
        """SOURce:SWEep: make a source configuration list and load the trigger model that runs it."""
        if quantity != self.settings.function:
            raise ScpiError(-221)
        name = _SWEEP_LISTS[quantity]
        self.lists.put(name, [self.output.sweep_point(self.settings, level, levels, ranging) for level in levels])
        blocks = sweep(name, len(levels), delay_seconds, count, aborts=aborts, buffer=self.buffers.named(buffer).name)
        self.model.load(blocks)

    def initiate(self) -> None:
        """INITiate: run the trigger model."""
        self.model.run(self)

    def trigger_state(self) -> str:
        """TRIGger:STATe?: state twice and the last block."""
        state = "RUNNING" if self.is_still_running else self.model.state
        return f"{state};{state};{self.model.position}"

    def abort(self) -> None:
        """ABORt: the trigger model has run to its end already."""
        if self.model.blocks:
            self.model.state = "ABORTED" if self.is_still_running else "IDLE"

    def _cleared(self) -> None:
        self.abort()

    def trigger(self) -> None:
        """*TRG: a command event; no block waits for one."""
