"""Simulated Keysight B2900A source-measure units: SCPI as in the B2900 SCPI Command Reference (B2910-90030)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keysight_b2900_calculate import CALCULATE_COMMANDS
from .keysight_b2900_calculation import Calculation
from .keysight_b2900_channel import Channel
from .keysight_b2900_digital import DIGITAL_COMMANDS, DigitalPort
from .keysight_b2900_errors import NOTHING_SAVED, refusal
from .keysight_b2900_files import FILE_COMMANDS, FileSystem
from .keysight_b2900_math import Expressions
from .keysight_b2900_panel import PANEL_COMMANDS, Panel
from .keysight_b2900_programs import PROGRAM_COMMANDS, ProgramMemory, carry_out
from .keysight_b2900_readings import Reading
from .keysight_b2900_sense import SENSE_COMMANDS
from .keysight_b2900_settings import (
    B2901A,
    B2902A,
    B2912A,
    B2900Model,
    ChannelSettings,
    FormatSettings,
    LastingSettings,
    SystemSettings,
)
from .keysight_b2900_setups import Setup
from .keysight_b2900_source import SOURCE_COMMANDS
from .keysight_b2900_status import StatusRegisters
from .keysight_b2900_sweeps import Sweeps
from .keysight_b2900_system import SYSTEM_COMMANDS
from .keysight_b2900_trace import TRACE_COMMANDS
from .keysight_b2900_trigger import TRIGGER_COMMANDS
from .overlapped import OverlappedInstrument
from .scpi import CommandTree
from .scpi_errors import ScpiError
from .smu_stage import SmuStage
from .status_488 import Status488
from .timing import KEYSIGHT_B2900 as TIMING
from .trigger_wires import Connection
from .wire_instrument import HostClock
from .wired_instrument import WiredInstrument
from .world import World

_FIRMWARE = "3.4.2011.5100"
_ERROR_AVAILABLE = 4
_REGISTERS = {1: "measurement", 8: "questionable", 128: "operation"}
_EMERGENCY = 305
"""What a tripped output reports: the cause of a trip is not known, so that of a temperature too high."""
_SELF_TEST_SECONDS = 3.0
"""Assumed."""
_MODELS = {"keysight_b2901a": B2901A, "keysight_b2902a": B2902A, "keysight_b2912a": B2912A}


class SimKeysightB2900(WiredInstrument, OverlappedInstrument):
    """One B2900A; channel n's High Force is the node `<name>.<n>.hi`, Low is the common ground.

    Attributes:
        model: which of the family.
        channels: its channels.
        format: how readings are sent.
        system: settings of the instrument as a whole.
    """

    tree: ClassVar[CommandTree] = CommandTree(
        (
            *SOURCE_COMMANDS,
            *SENSE_COMMANDS,
            *TRIGGER_COMMANDS,
            *TRACE_COMMANDS,
            *CALCULATE_COMMANDS,
            *DIGITAL_COMMANDS,
            *FILE_COMMANDS,
            *PROGRAM_COMMANDS,
            *PANEL_COMMANDS,
            *SYSTEM_COMMANDS,
        )
    )
    command_seconds: ClassVar[float] = TIMING.command_seconds
    polls: ClassVar[re.Pattern[str]] = re.compile(
        r"(?i):?stat(us)?:(oper(ation)?|meas(urement)?|ques(tionable)?)(:cond(ition)?|:even(t)?)?\?|\*(esr|stb)\?"
    )

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        model: B2900Model,
        *,
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        status = Status488(_REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=100)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.model = model
        self.serial = serial
        self.lasting = LastingSettings(world.line_hertz)
        self.digital = DigitalPort(self._triggered)
        self.expressions = Expressions()
        self.files = FileSystem()
        self.programs = ProgramMemory()
        self.channels = [self._made(number) for number in range(1, model.channels + 1)]
        self.registers = StatusRegisters(status, self.channels)
        self.sweeps = Sweeps(self, model.shortest_interval_seconds)
        self._time_zero = world.seconds
        self._saved: dict[int, Setup] = {}
        self.saved_channels: dict[tuple[int, int], ChannelSettings] = {}
        self._is_locked_out = False
        self._last_run: dict[tuple[int, str], str] = {}
        self._set_defaults()
        self.refresh_status()

    def _made(self, number: int) -> Channel:
        name = f"{self.name}.{number}"
        stage = SmuStage(self.world.add_source(name, f"{name}.hi"), self.world.rng(name), self.model.accuracy)
        calculation = Calculation(
            number, self.expressions, self._readings_of, self.digital.put_out_bits, self.status.report
        )
        return Channel(number, stage, self.world.line_hertz, calculation)

    def _readings_of(self, number: int) -> list[Reading]:
        if not 1 <= number <= len(self.channels):
            raise refusal(817)
        return self.channels[number - 1].readings

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeysightB2900:
        """The instrument of a bench file's entry."""
        model = _MODELS[spec.model]
        return cls(spec.name, world, host, model, serial=spec.serial, has_end=spec.has_end, faults=faults)

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"Keysight Technologies,{self.model.name},{self.serial},{_FIRMWARE}"

    @property
    def seconds(self) -> float:
        """Time since the timer was last reset."""
        return self.clock_seconds - self._time_zero

    @property
    def clock_seconds(self) -> float:
        """World seconds as the unit has them: what it is busy with counts as done."""
        return self.world.seconds + self._owed_seconds

    def reset_time(self) -> None:
        """SYSTem:TIME:TIMer:COUNt:RESet."""
        self._time_zero = self.clock_seconds

    def channel(self, number: int) -> Channel:
        """A channel; raises ScpiError -114 if the model has no such channel."""
        if not 1 <= number <= len(self.channels):
            raise ScpiError(-114)
        return self.channels[number - 1]

    def let_time_pass(self) -> None:
        """What is accounted for happens in the world before the next action on it."""
        self._let_time_pass()

    def pass_time(self, seconds: float, is_met: Callable[[], bool] | None = None) -> None:
        """Let time pass in the world, whatever goes on; less of it where `is_met` says so."""
        super()._let_time_pass()
        self.world.wait(seconds, is_met)

    def _let_time_pass(self) -> None:
        """What is accounted for passes; a sweep without end goes on meanwhile."""
        if self._owed_seconds > 0 and not self.sweeps.is_idle:
            end = self.world.seconds + self._owed_seconds
            self._owed_seconds = 0.0
            self.sweeps.go_on_until(end)
            self._owed_seconds = max(end - self.world.seconds, 0.0)
        super()._let_time_pass()

    def _set_defaults(self) -> None:
        self.format = FormatSettings()
        self.system = SystemSettings()
        self.panel = Panel(len(self.channels))
        self.internal_edges = {1: "BOTH", 2: "BOTH"}
        self.digital.reset()

    def reset(self) -> None:
        """*RST: outputs off, everything at its reset setting, data gone; the status registers stay."""
        self.sweeps.clear()
        self._let_time_pass()
        for channel in self.channels:
            channel.reset()
        self._set_defaults()
        self.refresh_status()

    def _power_on(self) -> None:
        self._is_locked_out = False
        super()._power_on()
        if self.programs.is_run_at_power_on:
            for line in self.programs.power_on_text.splitlines():
                carry_out(self, line)
        self.refresh_status()

    def setup(self) -> Setup:
        """All that can be set, as it is now."""
        return Setup.of(self.channels, self.format, self.system)

    def install(self, setup: Setup) -> None:
        """Bring back a set-up; the outputs come back off."""
        self.reset()
        self.format, self.system = setup.install(self.channels)

    def save(self, location: int) -> None:
        """*SAV 0 to 4."""
        self.sweeps.require_idle()
        if location > 4:
            raise refusal(-222)
        self._saved[location] = self.setup()

    def recall(self, location: int) -> None:
        """*RCL 0 to 4; raises ScpiError +290 if nothing was saved there."""
        self.sweeps.require_idle()
        if location > 4:
            raise refusal(-222)
        if location not in self._saved:
            raise refusal(NOTHING_SAVED)
        self.install(self._saved[location])

    def switch_output(self, channel: Channel, is_on: bool) -> None:
        """OUTPut ON or OFF; raises ScpiError -241 after an emergency, until *TST?."""
        if is_on and self._is_locked_out:
            raise refusal(-241)
        if is_on == channel.settings.output.is_on:
            return
        self._take_time(TIMING.output_seconds)
        self._let_time_pass()
        channel.switch(is_on)
        self.refresh_status()

    def _output_tripped(self, error: ScpiError) -> None:
        """An emergency: every output at 0 V and open at once, whatever the off state; *TST? unlocks them."""
        del error
        self.sweeps.clear()
        for channel in self.channels:
            channel.is_high_temperature = True
            channel.switch(False)
            channel.stage.disconnect()
        self._is_locked_out = True
        self.status.report(refusal(_EMERGENCY, "Channel 1"))
        self.refresh_status()

    def self_test(self) -> int:
        """*TST?: the outputs are off and unlocked afterwards; 0 is a pass."""
        self.sweeps.require_idle()
        self._is_locked_out = False
        for channel in self.channels:
            channel.is_high_temperature = False
            self.switch_output(channel, False)
            channel.apply()
        self._take_time(_SELF_TEST_SECONDS)
        self.refresh_status()
        return 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is initiated."""
        return self.sweeps.is_idle

    def measure_spot(self, channels: Sequence[Channel], extra: str) -> None:
        """MEASure?."""
        self._take_time(TIMING.trigger_seconds)
        self.sweeps.measure_spot(channels, extra)

    def trigger(self) -> None:
        """*TRG or a group execute trigger; nothing happens if nothing waits for one."""
        self.trigger_with("BUS")

    def pulse_in(self, line: int) -> None:
        """A trigger edge arrives from outside at a digital line; only a trigger input takes it."""
        if self.digital.line(line).function == "TINP":
            self._occupy(lambda: self.trigger_with(f"EXT{line}"))

    def _triggered(self, line: int) -> None:
        """A trigger has come to a trigger input over a wire."""
        self.react(lambda: self.trigger_with(f"EXT{line}"))

    def trigger_terminals(self) -> Mapping[str, Connection]:
        """See WiredInstrument: ext.1 to ext.14."""
        return {f"ext.{number}": line.terminal for number, line in enumerate(self.digital.lines, 1)}

    def trigger_with(
        self, source: str, layer: str = "", kinds: Sequence[str] = (), channels: Sequence[int] = ()
    ) -> None:
        """A trigger of a source, or an immediate one (empty); the arguments restrict who takes it."""
        reply = self.sweeps.trigger(source, layer, kinds, channels)
        if reply is not None:
            self._replies.append((reply.encode() if isinstance(reply, str) else reply) + b"\n")

    def _cleared(self) -> None:
        self.sweeps.clear()

    def condition(self, group: str) -> int:
        """A condition register; a poll during a sweep still finds the operation under way."""
        if group == "operation" and self.is_still_running:
            return self.registers.operation_during(self._last_run)
        return self.status.groups[group].condition

    def refresh_status(self) -> None:
        """Bring the condition registers up to date."""
        states = self.sweeps.states
        if states:
            self._last_run = states
        self.registers.refresh(states, is_program_running=self.programs.is_running)
