"""What the simulated pulse and waveform generators have in common: two channels, triggers, SCPI status."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import ClassVar

from .accuracy_keysight_pulse import GeneratorLimits
from .faults import FaultPlan
from .memory_files import MemoryFiles
from .pulse_channel import PulseChannel
from .pulse_coupling import Coupling
from .pulse_memory import WaveformMemory
from .pulse_settings import ChannelSettings
from .pulse_sync import SyncOutput
from .pulse_trigger_input import TriggerInput, TriggerOutput
from .scpi_errors import ScpiError
from .scpi_instrument import ScpiInstrument
from .status_488 import Status488
from .trigger_wires import Connection, Terminal
from .wire_instrument import HostClock
from .wired_instrument import WiredInstrument
from .world import World

_REGISTERS = {8: "questionable", 128: "operation"}
_ERROR_AVAILABLE = 4
_ROUNDING_SECONDS = 1e-12
"""Added to a burst's length, so that its end is not missed where world time is a large number."""
_CHANNELS = (1, 2)


class PulseGenerator(WiredInstrument, ScpiInstrument):
    """Base of the generators; channel `n` drives the node `<name>.<n>.hi` through 50 ohm.

    Further terminals: `<name>.trigger_in`, `<name>.trigger_out`.

    Class attributes:
        limits: what the model can do.
        trigger_input_name, trigger_output_name: its trigger connectors, for trigger wires; one may be both.
        has_sync: whether it has a Sync connector.
        reports_conflicts: whether a pulse that had to change to fit is an error.
        overload_error: what it reports when an output opened by itself; the text may name the channel.

    Attributes:
        channels: the outputs.
        waveforms: arbitrary waveforms.
        files: its file system.
        saved, state_files, state_names: setups by location and by path, and names of the locations.
        coupling: how the channels follow each other.
        angle_unit: DEG, RAD or SEC.
        border: byte order of binary waveforms, NORM is big-endian.
        stored: settings that are kept and told but do not act on the world, by name.
    """

    limits: ClassVar[GeneratorLimits]
    trigger_input_name: ClassVar[str] = "ext_trig"
    trigger_output_name: ClassVar[str] = "ext_trig"
    has_sync: ClassVar[bool] = True
    reports_conflicts: ClassVar[bool] = True
    overload_error: ClassVar[tuple[int, str]]

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
        status = Status488(_REGISTERS, error_bit=_ERROR_AVAILABLE, queue_capacity=20)
        super().__init__(name, world, host, status, has_end=has_end, faults=faults)
        self.serial = serial
        self.waveforms = WaveformMemory(_CHANNELS)
        self.files = MemoryFiles()
        self.channels = tuple(
            PulseChannel(name, number, world, self.limits, self.default_settings(), self.waveforms)
            for number in _CHANNELS
        )
        if self.reports_conflicts:
            for channel in self.channels:
                channel.report = status.report
        self.channels[0].partner, self.channels[1].partner = self.channels[1], self.channels[0]
        self.trigger_input = TriggerInput(name, world, self._input_changed)
        self._terminals = {self.trigger_output_name: Terminal(), self.trigger_input_name: Terminal(self._edge)}
        self.trigger_output = TriggerOutput(name, world, self._terminals[self.trigger_output_name])
        self.sync = SyncOutput(world)
        for each in self.channels:
            each.played = partial(self._played, each)
        self.saved: dict[int, tuple[ChannelSettings, ...]] = {}
        self.state_files: dict[str, tuple[ChannelSettings, ...]] = {}
        self.state_names: dict[int, str] = {}
        self._reset_shared()

    @abstractmethod
    def default_settings(self) -> ChannelSettings:
        """Settings of a channel after *RST."""

    @abstractmethod
    def is_triggered(self, settings: ChannelSettings) -> bool:
        """Whether a channel with these settings waits for triggers."""

    @abstractmethod
    def burst_cycles(self, settings: ChannelSettings) -> float:
        """Cycles that one trigger starts."""

    def _reset_shared(self) -> None:
        self.coupling = Coupling()
        self.angle_unit = "DEG"
        self.border = "NORM"
        self.stored: dict[str, str] = {}

    def channel(self, number: int) -> PulseChannel:
        """A channel; raises ScpiError -114 if there is none of this number."""
        if not 1 <= number <= len(self.channels):
            raise ScpiError(-114)
        return self.channels[number - 1]

    def changed(self, channel: PulseChannel) -> None:
        """A setting of this channel changed: bring the world to it, and the other channel where they are coupled."""
        self._let_time_pass()
        for other in self.channels:
            if other is not channel and self.coupling.carry_over(channel.number, channel.settings, other.settings):
                self._apply(other)
        self._apply(channel)
        self._rest_trigger_output()
        self._watch_input()

    def trigger_terminals(self) -> Mapping[str, Connection]:
        """See WiredInstrument."""
        return {**self._terminals, "sync": self.sync.terminal} if self.has_sync else self._terminals

    def _edge(self, is_rising: bool) -> None:
        """Somebody on a trigger wire drives the trigger input."""
        if self._is_answering:
            self.keep_on(self._input_changed(is_rising))

    def _played(self, channel: PulseChannel, at: float, high_seconds: float, period: float, repeats: float) -> None:
        if self.stored.get("sync source", "CH1") != f"CH{channel.number}":
            return
        settings = channel.settings
        if settings.is_sync_on and period > 0:
            is_inverted = settings.sync_polarity == "INV"
            self.sync.start(at, high_seconds, period, repeats, is_inverted=is_inverted)
        else:
            self.sync.stop()

    def _apply(self, channel: PulseChannel) -> None:
        channel.apply(is_triggered=self.is_triggered(channel.settings))

    def apply_all(self) -> None:
        """Bring the world to what is set on all channels, in phase."""
        self._let_time_pass()
        with self.world.at_once():
            for channel in self.channels:
                self._apply(channel)
        self._rest_trigger_output()
        self._watch_input()

    def _rest_trigger_output(self) -> None:
        given = [channel.settings for channel in self.channels if channel.settings.is_trigger_out_on]
        is_low = bool(given) and given[0].trigger_out_slope == "POS"
        self._terminals[self.trigger_output_name].rest(is_low=is_low)

    def add_outputs(self, feeds: dict[int, int]) -> None:
        """From now on output n also gives the waveform of channel `feeds[n]`."""
        for channel in self.channels:
            fed = feeds.get(channel.number)
            channel.output.add(None if fed is None else self.channel(fed).output)
            channel.is_needed = channel.number in feeds.values()
        self.apply_all()

    def reset(self) -> None:
        """*RST: outputs off, everything at its default; user waveforms are kept."""
        for channel in self.channels:
            channel.settings = self.default_settings()
            channel.triggers_left = math.inf
        self._reset_shared()
        self.add_outputs({})

    def erase(self) -> None:
        """SYSTem:SECurity: everything that a user left is gone, and *RST."""
        for channel in self.channels:
            self.waveforms.clear_volatile(channel.number)
        self.waveforms.stored.clear()
        self.files = MemoryFiles()
        self.saved.clear()
        self.state_files.clear()
        self.reset()

    def save(self, location: int) -> None:
        """*SAV 0 to 4."""
        if location > 4:
            raise ScpiError(-222)
        self.saved[location] = tuple(channel.settings.copy() for channel in self.channels)

    def recall(self, location: int) -> None:
        """*RCL 0 to 4."""
        if location not in self.saved:
            raise ScpiError(-224)
        self.take_over(self.saved[location])

    def take_over(self, settings: Sequence[ChannelSettings]) -> None:
        """Put these settings, copied, in place of the present ones."""
        for channel, taken in zip(self.channels, settings, strict=True):
            channel.settings = taken.copy()
        self.apply_all()

    def trigger(self) -> None:
        """*TRG or a group execute trigger: every channel that waits for the bus fires, all at the same moment."""
        waiting = [c for c in self.channels if c.takes_trigger and c.settings.trigger_source == "BUS"]
        if not waiting:
            raise ScpiError(-211)
        self.fire(waiting)

    def group_trigger(self, bus_seconds: float) -> None:
        """Group execute trigger from the host; one that nothing waits for is an error in the queue."""
        try:
            super().group_trigger(bus_seconds)
        except ScpiError as error:
            self.status.report(error)

    def external_trigger(self) -> None:
        """A pulse arrives at the trigger input (for programs that simulate what is connected there)."""
        self._occupy(lambda: self._let_pass(self._begin(self._waiting_outside())))

    def external_gate(self, is_high: bool) -> None:
        """The trigger input goes high or low, likewise."""
        self._occupy(lambda: self._gate(is_high))

    def _gate(self, is_high: bool) -> None:
        self._let_time_pass()
        with self.world.at_once():
            for channel in self.channels:
                channel.gate(is_high)

    def _waiting_outside(self) -> list[PulseChannel]:
        return [c for c in self.channels if c.takes_trigger and c.settings.trigger_source == "EXT"]

    def _input_changed(self, is_high: bool) -> float:
        """The voltage at the trigger input crossed its level while time passes; returns how long the burst takes."""
        slopes = ("POS", "EITH") if is_high else ("NEG", "EITH")
        seconds = self._begin([c for c in self._waiting_outside() if c.settings.trigger_slope in slopes])
        with self.world.at_once():
            for channel in self.channels:
                channel.gate(is_high)
        return seconds

    def _watch_input(self) -> None:
        settings = [channel.settings for channel in self.channels if channel.settings.is_on]
        concerned = [s for s in settings if s.trigger_source == "EXT" or (s.is_burst and s.burst_mode == "GAT")]
        self.trigger_input.watch(concerned[0].trigger_level if concerned else None)

    def fire(self, channels: Sequence[PulseChannel]) -> None:
        """Start a burst on these channels at once and let it pass."""
        self._let_time_pass()
        self._let_pass(self._begin(channels))

    def _begin(self, channels: Sequence[PulseChannel]) -> float:
        """Start bursts now; returns how long the longest takes."""
        if any(channel.settings.is_trigger_out_on for channel in channels):
            self.trigger_output.pulse()
        with self.world.at_once():
            return max((c.fire(self.burst_cycles(c.settings)) for c in channels), default=0.0)

    def _let_pass(self, seconds: float) -> None:
        if seconds > 0:
            self.world.wait(seconds * (1 + 1e-9) + _ROUNDING_SECONDS)

    def finish(self) -> None:
        """*OPC? and *WAI: bursts that go on are played to their end."""
        self._let_time_pass()
        self._let_pass(max(channel.seconds_left for channel in self.channels))

    def _carry_out(self, message: str) -> None:
        self._protect()
        super()._carry_out(message)
        self._protect()

    def _protect(self) -> None:
        """An output that is driven from outside beyond what it stands opens by itself and is reported."""
        for channel in self.channels:
            bit = 1 << (channel.number - 1)
            questionable = self.status.groups["questionable"]
            if channel.output.is_overloaded:
                channel.settings.is_on = channel.settings.is_complement_on = False
                questionable.set_condition(questionable.condition | bit)
                code, text = self.overload_error
                self.status.report(ScpiError(code, text.format(channel.number)))
                self._apply(channel)
            elif channel.settings.is_on and questionable.condition & bit:
                questionable.set_condition(questionable.condition & ~bit)

    def _cleared(self) -> None:
        """A device clear leaves the outputs as they are."""
