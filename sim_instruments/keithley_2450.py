"""A simulated Keithley 2450 SourceMeter with its SCPI command set (Reference Manual 2450-901-01, section 6).

Where the manual of the 2450 was not at hand, facts are those of its sister models 2461 and 2470, which share the set.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import partial
from typing import ClassVar

from .accuracy_keithley_2450 import K2450_STAGE
from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keithley_2450_buffer import stamp
from .keithley_2450_bus import LINES, TriggerBus
from .keithley_2450_calculate import CALCULATE_COMMANDS
from .keithley_2450_events import OUTPUT_TRIPPED, EventLog
from .keithley_2450_follower import TimerFollower
from .keithley_2450_lists import LIST_COMMANDS, ConfigurationLists
from .keithley_2450_loads import LOAD_COMMANDS
from .keithley_2450_measuring import Measuring
from .keithley_2450_objects import OBJECT_COMMANDS
from .keithley_2450_output import K2450Output
from .keithley_2450_readings import READING_COMMANDS
from .keithley_2450_sense import SENSE_COMMANDS
from .keithley_2450_settings import Nonvolatile, Panel, Settings
from .keithley_2450_source import SOURCE_COMMANDS
from .keithley_2450_sourcing import SourcingUnit
from .keithley_2450_status import STATUS_COMMANDS, EventMaps
from .keithley_2450_stores import Buffers, UsbDrive
from .keithley_2450_sweeps import SWEEP_COMMANDS
from .keithley_2450_system import SYSTEM_COMMANDS
from .keithley_2450_trace import TRACE_COMMANDS
from .keithley_2450_trigger import TriggerModel
from .keithley_2450_trigger_commands import TRIGGER_COMMANDS
from .reactions import Reactions
from .scpi import CommandTree
from .scpi_errors import ScpiError
from .smu_stage import SmuStage
from .status_488 import OPERATION_COMPLETE, Status488
from .timing import KEITHLEY_2450 as TIMING
from .trigger_wires import Connection, Terminal
from .wire_instrument import HostClock
from .wired_instrument import WiredInstrument
from .world import World

_FIRMWARE = "1.7.12b"
_ERROR_AVAILABLE = 4
_REGISTERS = {1: "questionable", 8: "questionable", 128: "operation"}
_LANGUAGE_POLL = re.compile(r"(?i)\s*:?\*(lang(\?|\s+\w+)|idn\?)\s*\Z")
POLL_SECONDS = 0.1
"""How often the instrument looks at a trigger model that goes on (Reference Manual, TRIGger:STATe?): what a poll of its
state lets pass, since nobody sees how long a program sleeps in between."""


class SimKeithley2450(WiredInstrument, SourcingUnit):
    """One 2450; its HI terminal is the node `<name>.hi`, its sense terminal `<name>.sense_hi`, LO the common ground.

    Attributes:
        nonvolatile, panel: what *RST leaves.
        drive: files of the USB drive.
        events, event_maps: the event log, and which events set which status bits.
        language: the command set in use.
    """

    tree: ClassVar[CommandTree] = CommandTree(
        (
            *SOURCE_COMMANDS,
            *LIST_COMMANDS,
            *SWEEP_COMMANDS,
            *SENSE_COMMANDS,
            *CALCULATE_COMMANDS,
            *READING_COMMANDS,
            *TRACE_COMMANDS,
            *TRIGGER_COMMANDS,
            *LOAD_COMMANDS,
            *OBJECT_COMMANDS,
            *STATUS_COMMANDS,
            *SYSTEM_COMMANDS,
        )
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
        self.serial = serial
        self.language = "SCPI"
        self.nonvolatile = Nonvolatile()
        self.panel = Panel()
        self.drive = UsbDrive()
        self.settings = Settings()
        self.lists = ConfigurationLists()
        self.buffers = Buffers()
        self._terminals = {n: Terminal(partial(self._edge, n)) for n in range(1, LINES + 1)}
        self.bus = TriggerBus(self._terminals)
        self.event_maps = EventMaps(status.groups)
        self.events = EventLog(1000, lambda: self.clock_seconds, self.event_maps.hear)
        status.errors = self.events
        stage = SmuStage(world.add_source(name, f"{name}.hi"), world.rng(name), K2450_STAGE)
        self.output = K2450Output(stage)
        self.measuring = Measuring(self.output, world, world.rng(f"{name}.moments"))
        self.model = TriggerModel(self, world.processes)
        self._saved: dict[int, tuple[Settings, ConfigurationLists]] = {}
        self._is_completing = False
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
    def clock_seconds(self) -> float:
        """The instrument's clock."""
        return self.seconds + self.measuring.clock_offset

    def clock_text(self) -> str:
        """SYSTem:TIME? 1."""
        return stamp(self.clock_seconds).strftime("%a %b %d %H:%M:%S %Y")

    def set_clock(self, numbers: list[int]) -> None:
        """SYSTem:TIME: year, month, day, hour, minute, second, or the last three of them; raises ScpiError -222."""
        now = stamp(self.clock_seconds)
        names = ("year", "month", "day", "hour", "minute", "second")[-len(numbers) :]
        try:
            wanted = now.replace(microsecond=0, **dict(zip(names, numbers, strict=True)))  # type: ignore[arg-type]
        except ValueError:
            raise ScpiError(-222) from None
        if wanted.year <= 1970:
            raise ScpiError(-222)
        self.measuring.clock_offset += (wanted - now).total_seconds()

    def _carry_out(self, message: str) -> None:
        if self.language == "SCPI" or _LANGUAGE_POLL.match(message):
            super()._carry_out(message)
            return
        if self._replies and self.has_end:
            self.drop_replies()
        text = (
            f"the command set {self.language} of this model is not simulated; *LANG SCPI and a restart bring SCPI back"
        )
        self.status.report(ScpiError(-200, f"Execution error, {text}"))

    def select_language(self, language: str) -> None:
        """*LANG: another command set takes effect after a restart."""
        self.nonvolatile.language = language
        if language != self.language:
            self.events.post("The instrument must be rebooted for the command set to change", "INF")

    def reset(self) -> None:
        """*RST: output off, settings to their defaults, buffers made by the user deleted and the others cleared."""
        self.model.clear()
        self._is_completing = False
        self.settings = Settings()
        self.buffers = Buffers()
        self.lists = ConfigurationLists()
        self.bus = TriggerBus(self._terminals)
        self.measuring.forget()
        self.apply_output()

    def _power_on(self) -> None:
        self.language = self.nonvolatile.language
        self.panel = Panel(reading_format=self.panel.reading_format)
        self.event_maps.clear()
        super()._power_on()
        setup = self.nonvolatile.power_on
        if setup != "RST" and int(setup[-1]) in self._saved:
            self.recall(int(setup[-1]))

    def save(self, location: int) -> None:
        """*SAV 0 to 4."""
        if location > 4:
            raise ScpiError(-222)
        self._saved[location] = (copy.deepcopy(self.settings), self.lists.copy())

    def recall(self, location: int) -> None:
        """*RCL 0 to 4; the output comes back off."""
        if location > 4:
            raise ScpiError(-222)
        if location not in self._saved:
            raise ScpiError(-221)
        self.model.abort()
        settings, lists = self._saved[location]
        self.settings, self.lists = copy.deepcopy(settings), lists.copy()
        self.settings.is_output_on = False
        self.measuring.forget()
        self.apply_output()

    def _output_tripped(self, error: ScpiError) -> None:
        """The output dropped by itself: the model stops, the settings say off, and the log says why."""
        del error
        self.model.abort()
        self.settings.is_output_on = False
        self.apply_output()
        self.status.report(ScpiError(OUTPUT_TRIPPED.code, OUTPUT_TRIPPED.text))

    def initiate(self) -> None:
        """INITiate: run the trigger model."""
        self._let_time_pass()
        self.model.initiate()

    def resume_model(self) -> None:
        """TRIGger:RESume: a paused model goes on."""
        if self.model.state == "PAUSED":
            self.model.run_on()

    def finish_model(self) -> bool:
        """*WAI, *OPC?: wait until the trigger model has ended; returns whether it has."""
        if self.model.is_in_background:
            self._let_time_pass()
            self.model.run_on(is_awaited=True)
        return not self.model.is_busy

    def complete_later(self) -> None:
        """*OPC: the bit is set once the trigger model has ended."""
        self._is_completing = True
        if not self.model.is_busy:
            self.model_ended()

    def model_ended(self) -> None:
        """A run of the trigger model is over."""
        if self._is_completing:
            self._is_completing = False
            self.status.event_status |= OPERATION_COMPLETE

    def trigger_state(self) -> str:
        """TRIGger:STATe?: state twice and the last block."""
        if self.model.is_in_background:
            self.elapse(POLL_SECONDS)
        state = "RUNNING" if self.is_still_running and self.model.state == "IDLE" else self.model.state
        return f"{state};{state};{self.model.position}"

    def _cleared(self) -> None:
        self.model.abort()

    def trigger(self) -> None:
        """*TRG or group execute trigger: the event COMMAND."""
        self._let_time_pass()
        self.notice("COMM")

    def drive_line(self, number: int, is_high: bool) -> None:
        """Something on the bench drives a digital line, 1 to 6."""
        self.bus.drive(number, is_high, self.world.seconds)
        self._go_on()

    def take_part(self, reactions: Reactions) -> None:
        """See WiredInstrument."""
        super().take_part(reactions)
        follower = TimerFollower(lambda: self.bus, self._event_came)
        self.world.processes.start(follower, self.world.seconds)
        reactions.others.append(follower.next_of_few)

    def _edge(self, number: int, is_rising: bool) -> None:
        """Somebody on a trigger wire drives a digital line."""
        self.bus.edge(number, is_rising, self.world.seconds)
        self._event_came()

    def _event_came(self) -> None:
        if self._can_go_on:
            self.react(self._go_on)

    def trigger_terminals(self) -> Mapping[str, Connection]:
        """See WiredInstrument: digio.1 to digio.6."""
        return {f"digio.{number}": terminal for number, terminal in self._terminals.items()}

    def notice(self, event: str) -> None:
        """A trigger event happens; a model that waits may go on."""
        self.bus.emit(event, self.world.seconds)
        self._go_on()

    @property
    def _can_go_on(self) -> bool:
        model = self.model
        return model.state == "WAITING" and not model.is_in_background and not model.is_going_on

    def _go_on(self) -> None:
        if self._can_go_on:
            self.model.run_on()
