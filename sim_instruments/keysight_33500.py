"""Simulated Keysight 33522B and 33622A waveform generators."""

from __future__ import annotations

from typing import ClassVar

from .accuracy_keysight_pulse import KEYSIGHT_33522B, KEYSIGHT_33622A, GeneratorLimits
from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keysight_33500_commands import SOURCE_COMMANDS, fit_burst
from .keysight_33500_files import FILE_COMMANDS
from .keysight_33500_system import MAINFRAME_COMMANDS
from .pulse_generator import PulseGenerator
from .pulse_output_commands import INITIATE_COMMANDS, OUTPUT_COMMANDS, SYSTEM_COMMANDS, error_text, trigger_commands
from .pulse_settings import ChannelSettings
from .scpi import Command, CommandTree
from .timing import KEYSIGHT_GENERATOR as TIMING
from .wire_instrument import HostClock
from .world import World


class SimKeysight33500(PulseGenerator):
    """One generator of the family; see `PulseGenerator` for its terminals."""

    tree: ClassVar[CommandTree] = CommandTree(
        (
            *SYSTEM_COMMANDS,
            Command(":SYSTem:ERRor[:NEXT]", query=error_text),
            *MAINFRAME_COMMANDS,
            *FILE_COMMANDS,
            *SOURCE_COMMANDS,
            *OUTPUT_COMMANDS,
            *trigger_commands(":TRIGger<c>", fit_burst),
            *INITIATE_COMMANDS,
        )
    )
    command_seconds: ClassVar[float] = TIMING.command_seconds
    limits: ClassVar[GeneratorLimits] = KEYSIGHT_33522B
    overload_error: ClassVar[tuple[int, str]] = (-300, "Device-specific error; channel {} output overload")
    maker: ClassVar[str] = "Agilent Technologies"
    model: ClassVar[str] = "33522B"
    firmware: ClassVar[str] = "2.09-1.19-2.00-52-00"
    options: ClassVar[str] = "010"

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeysight33500:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, serial=spec.serial, has_end=spec.has_end, faults=faults)

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"{self.maker},{self.model},{self.serial},{self.firmware}"

    def default_settings(self) -> ChannelSettings:
        """Settings of a channel after *RST: a sine of 1 kHz and 100 mV peak to peak into 50 ohm, output off."""
        return ChannelSettings(trigger_level=1.65)

    def is_triggered(self, settings: ChannelSettings) -> bool:
        """Only bursts and sweeps wait for triggers."""
        return settings.is_burst or (settings.sweep.is_on and settings.trigger_source in ("EXT", "BUS"))

    def burst_cycles(self, settings: ChannelSettings) -> float:
        """BURSt:NCYCles."""
        return settings.cycles


class SimKeysight33622A(SimKeysight33500):
    """The faster one."""

    limits: ClassVar[GeneratorLimits] = KEYSIGHT_33622A
    maker: ClassVar[str] = "Keysight Technologies"
    model: ClassVar[str] = "33622A"
    firmware: ClassVar[str] = "A.02.03-3.15-03-64-02"

    def default_settings(self) -> ChannelSettings:
        """Likewise, with edges of 4 ns."""
        return ChannelSettings(trigger_level=1.65, leading=4e-9, trailing=4e-9)
