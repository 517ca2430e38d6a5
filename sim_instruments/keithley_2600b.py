"""Simulated Keithley 2602B, 2612B and 2636B two-channel SourceMeters (Series 2600B reference manual, 2600BS-901-01)."""

from __future__ import annotations

from typing import ClassVar
from zlib import crc32

from lupa.lua54 import LuaError

from .accuracy_keithley_2600b import COMMAND_SECONDS, MODEL_2602B, MODEL_2612B, MODEL_2636B, Smu2600
from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keithley_2600b_buffer_objects import BufferObjects
from .keithley_2600b_channel import SmuChannel
from .keithley_2600b_meter import Meter2600
from .keithley_2600b_scripts import FACTORY_SCRIPTS
from .keithley_2600b_settings import SmuSettings
from .keithley_2600b_status import CHANNEL_BITS, StatusModel
from .keithley_2600b_sweep import TriggerModel
from .keithley_2600b_tree import SmuTree
from .keithley_2600b_trigger_tree import ChannelTriggerTree
from .scpi_errors import ScpiError
from .tsp_display import display
from .tsp_engine import PARAMETER_ERROR
from .tsp_setups import TspSetups
from .tsp_status import SUMMARIES
from .tsp_system_tree import interfaces
from .tsp_trigger_tree import TriggerTree
from .tsp_triggered import TriggeredTsp
from .wire_instrument import HostClock
from .world import World

MOST_READINGS_PER_MESSAGE = 300_000
"""Readings after which a script is stopped, sweeps apart."""
_MODELS: dict[str, Smu2600] = {
    "keithley_2602b": MODEL_2602B,
    "keithley_2612b": MODEL_2612B,
    "keithley_2636b": MODEL_2636B,
}


class SimKeithley2600B(TriggeredTsp):
    """One two-channel 2600B; channel A drives the node `<name>.a.hi`, channel B `<name>.b.hi`, LO is the common ground.

    Its sense terminals, `<name>.a.sense_hi` and so on, matter where something is connected to them.

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
        self._readings_left = MOST_READINGS_PER_MESSAGE
        self._was_on: set[str] = set()
        super().__init__(name, world, host, serial=serial, has_end=has_end, faults=faults)
        self.registers = StatusModel(self.status, self._sweeping_bits, self._channel_overruns, self._line_overruns)
        self.buffer_objects = BufferObjects(self.engine, crc32(name.encode()) << 16, self._linked_buffers)
        self.channels = tuple(SmuChannel(self, letter, smu) for letter in "ab")
        self.meters = tuple(Meter2600(channel) for channel in self.channels)
        self.models = tuple(
            TriggerModel(channel, meter, self.events)
            for channel, meter in zip(self.channels, self.meters, strict=True)
        )  # fmt: skip
        self.setups = TspSetups(self._settings, self._set_settings, self._reset)
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
        tree = TriggerTree(self)
        for channel, meter, model in zip(self.channels, self.meters, self.models, strict=True):
            trigger = ChannelTriggerTree(self, model, tree).made()
            engine.set_global(channel.name, SmuTree(self, channel, meter).made(trigger))
        made = {
            "trigger": tree.trigger(),
            "status": self.registers.made(engine),
            "display": display(engine, tree.panel(), tuple(channel.name for channel in self.channels)),
            "digio": tree.digital_io(),
            "setup": self.setups.made(engine, self.files.disk),
            **interfaces(engine, tree.lan_members(), gpib_address=26),
        }
        for name, value in made.items():
            engine.set_global(name, value)
        engine.set_global("printbuffer", engine.function(self.buffer_objects.print_buffer))
        self._define_triggers()
        engine.set_global("_pulse_limits", engine.function(self._pulse_limits))
        for text in FACTORY_SCRIPTS.values():
            engine.run(text)

    def _pulse_limits(self, letter: str, is_volts: bool, level: float, limit: float) -> tuple[float, float] | None:
        """Longest pulse and largest duty cycle at these; None where no pulse reaches."""
        smu = self.channels["ab".index(letter)].smu
        volts, amps = (level, limit) if is_volts else (limit, level)
        if smu.is_safe(volts, amps):
            return 1e9, 1.0
        region = smu.pulse_region(volts, amps)
        return None if region is None else (region.seconds, region.duty)

    def _report(self, error: ScpiError) -> None:
        if error.code == PARAMETER_ERROR:  # the matrices' number; this series has others (assumed: this one)
            error = ScpiError(-104)
        super()._report(error)

    def count_readings(self, many: int) -> None:
        """A script asks for readings; raises LuaError, which ends it, beyond what one message may take."""
        self._readings_left -= many
        if self._readings_left < 0:
            raise LuaError("script stopped: it measured too often")

    def _begin_message(self) -> None:
        self._readings_left = MOST_READINGS_PER_MESSAGE

    def reset(self) -> None:
        """reset(): both channels, triggers; stored readings and scripts stay."""
        for channel in self.channels:
            self.reset_channel(channel)
        self.triggers.reset()

    def reset_channel(self, channel: SmuChannel) -> None:
        """smuX.reset()."""
        self._model_of(channel).reset()
        self.meters[self.channels.index(channel)].reset()
        channel.reset()

    def abort(self, channel: SmuChannel) -> None:
        """smuX.abort()."""
        self._model_of(channel).abort()
        self._overlap_seconds = 0.0
        self._unseen = frozenset()

    def _model_of(self, channel: SmuChannel) -> TriggerModel:
        return self.models[self.channels.index(channel)]

    def running_models(self) -> frozenset[str]:
        """Names of the channels that are sweeping."""
        pairs = zip(self.channels, self.models, strict=True)
        return frozenset(channel.name for channel, model in pairs if model.is_sweeping)

    def abort_models(self) -> None:
        """Both channels go back to idle."""
        for model in self.models:
            model.abort()

    def _sweeping_bits(self) -> int:
        return sum(CHANNEL_BITS[name.upper()] for name in self.busy_models())

    def _channel_overruns(self) -> dict[str, int]:
        return {c.name: m.overruns for c, m in zip(self.channels, self.models, strict=True)}

    def _line_overruns(self) -> dict[str, int]:
        triggers = self.triggers
        objects: dict[str, list[bool]] = {
            "TRIGGER_BLENDER": [blender.has_overrun for blender in triggers.blenders],
            "TRIGGER_TIMER": [timer.has_overrun for timer in triggers.timers],
            "DIGIO": [line.seen.has_overrun for line in triggers.digital],
            "TSPLINK": [line.seen.has_overrun for line in triggers.link],
            "LAN": [line.seen.has_overrun for line in triggers.lan],
        }
        return {name: sum(2 << k for k, is_set in enumerate(flags) if is_set) for name, flags in objects.items()}

    def _settings(self) -> tuple[SmuSettings, ...]:
        return tuple(channel.settings for channel in self.channels)

    def _set_settings(self, settings: tuple[SmuSettings, ...]) -> None:
        self.reset()
        for channel, saved in zip(self.channels, settings, strict=True):
            channel.settings = saved
            saved.is_on = False
            channel.apply()

    def _power_on(self) -> None:
        super()._power_on()
        for buffer in (buffer for channel in self.channels for buffer in channel.buffers):
            buffer.reset()
        self.setups.power_on()

    def output_cut(self) -> None:
        """A script that goes on may switch the outputs off before the instrument reports what has happened to them."""
        self._was_on = {channel.name for channel in self.channels if channel.settings.is_on}

    def _output_tripped(self, error: ScpiError) -> None:
        """The interlock or the output enable line has opened, or a channel without them was too hot."""
        del error
        cut, self._was_on = self._was_on, set()
        for channel in self.channels:
            if not channel.settings.is_on and channel.name not in cut:
                continue
            if channel.is_above_interlock:
                self.registers.note_output_enable()
                found = ScpiError(802, "OUTPUT blocked by interlock")
            elif channel.settings.output_enable_action:
                self.registers.note_output_enable()
                found = channel.error(5041, "Output Enable not asserted")
            else:
                self.registers.note_heat(channel.name)
                found = channel.error(5046, "SMU too hot")
            self._model_of(channel).abort()
            channel.switch(0)
            self._report(found)
