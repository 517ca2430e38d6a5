"""Simulated Keysight B2900A source-measure units: SCPI as in the B2900 SCPI Command Reference (B2910-90030)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar

from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keysight_b2900_channel import Channel
from .keysight_b2900_run import Initiated, run
from .keysight_b2900_sense import SENSE_COMMANDS
from .keysight_b2900_settings import (
    B2901A,
    B2902A,
    B2912A,
    B2900Model,
    ChannelSettings,
    FormatSettings,
    SystemSettings,
    steps_of,
)
from .keysight_b2900_source import SOURCE_COMMANDS
from .keysight_b2900_system import SYSTEM_COMMANDS
from .keysight_b2900_trigger import TRIGGER_COMMANDS
from .overlapped import OverlappedInstrument
from .scpi import CommandTree, Reply
from .scpi_errors import ScpiError
from .smu_stage import SmuStage
from .status_488 import Status488
from .timing import KEYSIGHT_B2900 as TIMING
from .wire_instrument import HostClock
from .world import World

_FIRMWARE = "3.4.2011.5100"
_ERROR_AVAILABLE = 4
_REGISTERS = {1: "measurement", 8: "questionable", 128: "operation"}
_READING, _OVERFLOW, _TRACED, _TRACE_FULL = 1, 2, 3, 4
_MEASUREMENT_BITS, _OPERATION_BITS = 6, 6
_TRANSIENT_IDLE, _ACQUIRE_IDLE = 1, 4
_PROTECTED = 2
_MODELS = {"keysight_b2901a": B2901A, "keysight_b2902a": B2902A, "keysight_b2912a": B2912A}


class SimKeysightB2900(OverlappedInstrument):
    """One B2900A; channel n's High Force is the node `<name>.<n>.hi`, Low is the common ground.

    Attributes:
        model: which of the family.
        channels: its channels.
        format: how readings are sent.
        system: settings of the instrument as a whole.
    """

    tree: ClassVar[CommandTree] = CommandTree((*SOURCE_COMMANDS, *SENSE_COMMANDS, *TRIGGER_COMMANDS, *SYSTEM_COMMANDS))
    command_seconds: ClassVar[float] = TIMING.command_seconds
    polls: ClassVar[re.Pattern[str]] = re.compile(
        r"(?i):?stat(us)?:(oper(ation)?|meas(urement)?|ques(tionable)?)(:cond(ition)?|:even(t)?)?\?|\*(esr|stb)\?"
        r"|:?idle[12]?(:\w+)?\?"
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
        self.channels = [
            Channel(number, self._stage(f"{name}.{number}"), world.line_hertz)
            for number in range(1, model.channels + 1)
        ]
        self._time_zero = world.seconds
        self._saved: dict[int, list[ChannelSettings]] = {}
        self._waiting_for = ""
        self._initiated: Initiated = {}
        self._run_left: Iterator[str] | None = None
        self._owed_reply: Callable[[], Reply] | None = None
        self._set_defaults()
        self.refresh_status()

    def _stage(self, name: str) -> SmuStage:
        source = self.world.add_source(name, f"{name}.hi")
        return SmuStage(source, self.world.rng(name), self.model.accuracy)

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
        return self.world.seconds + self._owed_seconds - self._time_zero

    def reset_time(self) -> None:
        """SYSTem:TIME:TIMer:COUNt:RESet."""
        self._time_zero = self.world.seconds + self._owed_seconds

    def channel(self, number: int) -> Channel:
        """A channel; raises ScpiError -114 if the model has no such channel."""
        if not 1 <= number <= len(self.channels):
            raise ScpiError(-114)
        return self.channels[number - 1]

    def let_time_pass(self) -> None:
        """What is accounted for happens in the world before the next action on it."""
        self._let_time_pass()

    def elapse(self, seconds: float) -> None:
        """Let time pass in the world."""
        self._take_time(seconds)
        self._let_time_pass()

    def _set_defaults(self) -> None:
        self.format = FormatSettings()
        self.system = SystemSettings()

    def reset(self) -> None:
        """*RST: outputs off, everything at its reset setting, data gone; the status registers stay."""
        self.abort()
        self._let_time_pass()
        for channel in self.channels:
            channel.reset()
        self._set_defaults()

    def save(self, location: int) -> None:
        """*SAV 0 to 4."""
        if location > 4:
            raise ScpiError(-222)
        self._saved[location] = [copy.deepcopy(channel.settings) for channel in self.channels]

    def recall(self, location: int) -> None:
        """*RCL 0 to 4; the outputs come back off. Without a saved set-up it is a reset."""
        if location > 4:
            raise ScpiError(-222)
        self.reset()
        for channel, settings in zip(self.channels, self._saved.get(location, []), strict=False):
            channel.settings = copy.deepcopy(settings)
            channel.settings.output.is_on = False
            channel.apply()

    def switch_output(self, channel: Channel, is_on: bool) -> None:
        """OUTPut ON or OFF."""
        if is_on == channel.settings.output.is_on:
            return
        self._take_time(TIMING.output_seconds)
        self._let_time_pass()
        channel.switch(is_on)

    @property
    def is_waiting(self) -> bool:
        """Whether an initiation waits for a trigger."""
        return self._run_left is not None

    def initiate(self, initiated: Initiated) -> None:
        """INITiate: carry out the programmed triggers, as far as nothing has to be waited for."""
        if self.is_waiting:
            raise ScpiError(-213)
        channels = [self.channel(number) for number in initiated]
        for channel in channels:
            self._refuse_endless(channel, initiated[channel.number])
            if channel.settings.output.is_auto_on:
                self.switch_output(channel, True)
            channel.readings = []
        if self.system.is_time_auto_reset:
            self.reset_time()
        self._initiated = initiated
        self._run_left = run(channels, initiated, self, self.model.shortest_interval_seconds)
        self._go_on()

    @staticmethod
    def _refuse_endless(channel: Channel, kinds: set[str]) -> None:
        for kind in kinds:
            steps = steps_of(channel.settings.arms[kind], channel.settings.triggers[kind])
            if steps > 100_000:
                raise ScpiError(-221, "Settings conflict; more than 100000 triggers are not simulated")

    def _go_on(self) -> None:
        if self._run_left is None:
            return
        waiting_for = next(self._run_left, "")
        self._waiting_for = waiting_for
        if not waiting_for:
            self._run_left = None
            for number in self._initiated:
                channel = self.channel(number)
                if channel.settings.output.is_auto_off:
                    self.switch_output(channel, False)
        self.refresh_status()

    def trigger(self) -> None:
        """*TRG, group execute trigger or an immediate trigger command."""
        if self._run_left is None:
            self.status.report(ScpiError(-211))
            return
        self._go_on()
        if not self.is_waiting and self._owed_reply is not None:
            answer, self._owed_reply = self._owed_reply, None
            reply = answer()
            self._replies.append((reply.encode() if isinstance(reply, str) else reply) + b"\n")

    def owe(self, answer: Callable[[], Reply]) -> None:
        """A READ? whose reply follows the last trigger."""
        self._owed_reply = answer

    def abort(self) -> None:
        """ABORt: back to idle; a reply that still waits for a trigger is not sent."""
        self._run_left = self._owed_reply = None
        self._waiting_for = ""
        self.refresh_status()

    def _cleared(self) -> None:
        self.abort()

    def measure_spot(self, channels: Sequence[Channel], extra: str) -> None:
        """MEASure?: one measurement of each channel at the present output, at the same time."""
        if self.is_waiting:
            raise ScpiError(-221)
        self._take_time(TIMING.trigger_seconds)
        self._let_time_pass()
        for channel in channels:
            channel.autorange()
        self.elapse(max(channel.aperture_seconds for channel in channels))
        for channel in channels:
            point = channel.point()
            limiting = point.is_limiting and channel.settings.output.is_on
            channel.readings = []
            channel.keep(
                channel.reading(point.volts, point.amps, is_limiting=limiting, seconds=self.seconds, extra=extra)
            )
        self.refresh_status()

    def condition(self, group: str) -> int:
        """A condition register; a poll during a sweep still finds the operation under way."""
        if group == "operation" and self.is_still_running and not self.is_waiting:
            return self._operation(self._initiated, "")
        return self.status.groups[group].condition

    def refresh_status(self) -> None:
        """Bring the condition registers up to date (SCPI Command Reference, tables 4-3 to 4-5)."""
        groups = self.status.groups
        waiting = self._initiated if self._run_left is not None else {}
        groups["operation"].set_condition(self._operation(waiting, self._waiting_for))
        measurement = questionable = 0
        for channel in self.channels:
            measurement |= _measurement_bits(channel) << ((channel.number - 1) * _MEASUREMENT_BITS)
            if channel.was_protected:
                questionable |= 1 << (_PROTECTED + channel.number - 1)
        groups["measurement"].set_condition(measurement)
        groups["questionable"].set_condition(questionable)

    def _operation(self, busy: Initiated, waiting_for: str) -> int:
        condition = 0
        for channel in self.channels:
            kinds = busy.get(channel.number, set())
            bits = 0
            for kind, idle in (("TRAN", _TRANSIENT_IDLE), ("ACQ", _ACQUIRE_IDLE)):
                if kind not in kinds:
                    bits |= 1 << idle
                elif waiting_for:
                    bits |= 1 << (idle + (1 if waiting_for == "TRIG" else 2))
            condition |= bits << ((channel.number - 1) * _OPERATION_BITS)
        return condition


def _measurement_bits(channel: Channel) -> int:
    flags = (
        (bool(channel.readings), _READING),
        (any(reading.is_overflow for reading in channel.readings[-1:]), _OVERFLOW),
        (bool(channel.trace.stored), _TRACED),
        (len(channel.trace.stored) >= int(channel.trace.size), _TRACE_FULL),
    )
    return sum(1 << bit for is_set, bit in flags if is_set)
