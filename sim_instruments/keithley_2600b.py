"""Simulated Keithley 2602B, 2612B and 2636B two-channel SourceMeters (Series 2600B reference manual, 2600BS-901-01)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from zlib import crc32

from lupa.lua54 import LuaError

from .accuracy_keithley_2600b import COMMAND_SECONDS, MODEL_2602B, MODEL_2612B, MODEL_2636B, Smu2600
from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keithley_2600b_buffer_objects import BufferObjects
from .keithley_2600b_channel import SmuChannel
from .keithley_2600b_events import Events
from .keithley_2600b_front import digital_io, display, event_log, interfaces, setups
from .keithley_2600b_scripts import FACTORY_SCRIPTS
from .keithley_2600b_status import SUMMARIES, StatusModel
from .keithley_2600b_sweep import TriggerModel
from .keithley_2600b_tree import SmuTree
from .keithley_2600b_trigger import TriggerSystem
from .keithley_2600b_trigger_tree import TriggerTree
from .tsp import TspInstrument
from .tsp_engine import number_argument
from .wire_instrument import HostClock
from .world import World

POLL_SECONDS = 0.1
"""How long a program lets pass when it finds a sweep still running (assumed): simulated time has no other way to pass
while a program sleeps."""
MOST_READINGS_PER_MESSAGE = 300_000
"""Readings after which a script is stopped, sweeps apart."""
_CLOCK_SECONDS = 20e-6
_CHANNEL_BITS = {"smua": 2, "smub": 4}
_MODELS: dict[str, Smu2600] = {
    "keithley_2602b": MODEL_2602B,
    "keithley_2612b": MODEL_2612B,
    "keithley_2636b": MODEL_2636B,
}


class SimKeithley2600B(TspInstrument):
    """One two-channel 2600B; channel A drives the node `<name>.a.hi`, channel B `<name>.b.hi`, LO is the common ground.

    Sweeps and overlapped measurements happen in the world as soon as the message that starts them ends, or waits; the
    instrument goes on taking commands for as long as they take.

    Attributes:
        channels: smua and smub.
        models: their trigger models.
        registers: the status model.
        buffer_objects: makes and finds reading buffers for scripts.
    """

    firmware: ClassVar[str] = "3.3.5"
    command_seconds: ClassVar[float] = COMMAND_SECONDS
    status_summaries: ClassVar[dict[int, str]] = SUMMARIES
    factory_scripts: ClassVar[tuple[str, ...]] = tuple(FACTORY_SCRIPTS)

    def __init__(
        self,
        name: str,
        world: World,
        host: HostClock,
        *,
        smu: Smu2600,
        serial: str = "0000000",
        has_end: bool = True,
        faults: FaultPlan | None = None,
    ) -> None:
        self.model = smu.model  # type: ignore[misc]  # one class serves the models of a series
        self._overlap_seconds = 0.0
        self._overlap_ends = 0.0
        self._readings_left = MOST_READINGS_PER_MESSAGE
        super().__init__(name, world, host, serial=serial, has_end=has_end, faults=faults)
        self.events = Events(world)
        self.triggers = TriggerSystem(self.events)
        self.registers = StatusModel(self.status, self._sweeping_bits)
        self.buffer_objects = BufferObjects(self.engine, crc32(name.encode()) << 16, self._linked_buffers)
        self.channels = tuple(SmuChannel(self, letter, smu) for letter in "ab")
        self.models = tuple(TriggerModel(channel, self.events) for channel in self.channels)
        self._swept: set[str] = set()
        self._define()
        for channel in self.channels:
            channel.apply()

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeithley2600B:
        """The instrument of a bench file's entry."""
        smu = _MODELS[spec.model]
        return cls(spec.name, world, host, smu=smu, serial=spec.serial, has_end=spec.has_end, faults=faults)

    def _linked_buffers(self) -> list[BufferObjects]:
        return [node.buffer_objects for node in self.link.nodes.values() if isinstance(node, SimKeithley2600B)]

    def _define(self) -> None:
        engine = self.engine
        tree = TriggerTree(self, self.triggers)
        for channel, model in zip(self.channels, self.models, strict=True):
            engine.set_global(channel.name, SmuTree(self, channel).made(tree.of_channel(model)))
        made = {
            "trigger": tree.of_instrument(),
            "status": self.registers.made(engine),
            "display": display(engine),
            "digio": digital_io(engine, tree),
            "eventlog": event_log(engine),
            "setup": setups(engine, self._reset),
            **interfaces(engine, tree),
        }
        functions: dict[str, Callable[..., Any]] = {
            "printbuffer": self.buffer_objects.print_buffer,
            "waitcomplete": self._wait_complete,
            "_timer_t": self._read_timer,
            "settime": lambda _: None,
            "gettimezone": lambda: "0",
        }
        for name, value in made.items():
            engine.set_global(name, value)
        for name, function in functions.items():
            engine.set_global(name, engine.function(function))
        engine.run("timer.measure.t = _timer_t; _timer_t = nil")
        for text in FACTORY_SCRIPTS.values():
            engine.run(text)

    @property
    def now(self) -> float:
        """The time at this point of a script, seconds."""
        return self._now

    def take_time(self, seconds: float) -> None:
        """Account for time; what overlapped operations have already taken of it is not counted twice."""
        absorbed = min(seconds, self._overlap_seconds)
        self._overlap_seconds -= absorbed
        self._take_time(seconds - absorbed)

    def let_time_pass(self) -> None:
        """Let the accounted time pass in the world."""
        self._let_time_pass()

    def count_readings(self, many: int) -> None:
        """A script asks for readings; raises LuaError, which ends it, beyond what one message may take."""
        self._readings_left -= many
        if self._readings_left < 0:
            raise LuaError("script stopped: it measured too often")

    def reset(self) -> None:
        """reset(): both channels, triggers; stored readings and scripts stay."""
        for channel, model in zip(self.channels, self.models, strict=True):
            model.reset()
            channel.reset()
        self.triggers.reset()

    def reset_channel(self, channel: SmuChannel) -> None:
        """smuX.reset()."""
        self._model_of(channel).reset()
        channel.reset()

    def abort(self, channel: SmuChannel) -> None:
        """smuX.abort()."""
        self._model_of(channel).abort()
        self._overlap_seconds = 0.0

    def _model_of(self, channel: SmuChannel) -> TriggerModel:
        return self.models[self.channels.index(channel)]

    def settle_triggers(self) -> None:
        """Let trigger models run until they are idle or wait for something from outside; that time overlaps."""
        if not self.events.is_active:
            return
        self._let_time_pass()
        sweeping = {c.name for c, m in zip(self.channels, self.models, strict=True) if m.is_sweeping}
        seconds, is_endless = self.events.run()
        if is_endless:
            for model in self.models:
                model.abort()
        if seconds > 0:
            self._swept = sweeping
        self._overlap_seconds += seconds

    def overlap(self, act: Callable[[], object]) -> None:
        """Do something now whose time commands that follow need not wait for."""
        self.settle_triggers()
        before, self._overlap_seconds = self._overlap_seconds, 0.0
        self._let_time_pass()
        start = self.world.seconds
        act()
        self._let_time_pass()
        self._swept = set()
        self._overlap_seconds = before + self.world.seconds - start

    def _wait_complete(self, _: object = None) -> None:
        self.settle_triggers()
        self._overlap_seconds = 0.0

    def _complete(self) -> None:
        self._wait_complete()
        super()._complete()

    def _delay(self, seconds: object) -> None:
        wanted = number_argument(seconds, 0, 100_000)
        self.settle_triggers()
        self.take_time(wanted)

    def _read_timer(self) -> float:
        self.settle_triggers()
        seconds = self._now - self._overlap_seconds - self._timer_zero
        self.take_time(_CLOCK_SECONDS)
        return seconds

    def _reset_timer(self) -> None:
        self._timer_zero = self._now - self._overlap_seconds

    def _sweeping_bits(self) -> int:
        self.settle_triggers()
        names = {c.name for c, m in zip(self.channels, self.models, strict=True) if m.is_sweeping}
        if self._overlap_seconds > 0:
            names |= self._swept
            self.take_time(POLL_SECONDS)
        return sum(_CHANNEL_BITS[name] for name in names)

    def trigger(self) -> None:
        """*TRG or a group execute trigger."""
        self.events.fire(self.triggers.bus)

    def _cleared(self) -> None:
        super()._cleared()
        for model in self.models:
            model.abort()
        self._overlap_seconds = self._overlap_ends = 0.0

    def _occupy(self, act: Callable[[], None]) -> None:
        carried = max(0.0, self._overlap_ends - max(self._host.seconds, self._ready_at))
        self._overlap_seconds = carried
        self._readings_left = MOST_READINGS_PER_MESSAGE

        def act_and_settle() -> None:
            act()
            self.settle_triggers()

        super()._occupy(act_and_settle)
        self._ready_at += carried - self._overlap_seconds
        self._overlap_ends = self._ready_at + self._overlap_seconds
