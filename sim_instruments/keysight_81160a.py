"""A simulated Keysight 81160A pulse function generator.

Written without its manual, after PyMeasure's class and public programs for it and for the 81150A (same user's guide),
and, where neither helps, after the 81110A before them and the 33220A, whose function commands they share. Suffixes
stand where those programs have them (`:PULS:WIDT2`, `:VOLT2:HIGH`, `:ARM:SOUR2`). What is not from such a program is
assumed and to be checked against the manual.
"""

from __future__ import annotations

from typing import ClassVar

from .accuracy_keysight_pulse import KEYSIGHT_81160A, GeneratorLimits
from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keysight_81160a_commands import COMMANDS
from .pulse_generator import PulseGenerator
from .pulse_parameters import show
from .pulse_settings import ChannelSettings
from .scpi import CommandTree
from .timing import KEYSIGHT_GENERATOR as TIMING
from .wire_instrument import HostClock
from .world import World


class SimKeysight81160A(PulseGenerator):
    """One 81160A with two channels; see `PulseGenerator` for its terminals.

    Channel `n` has a complement output too, at the node `<name>.<n>.comp`.
    """

    tree: ClassVar[CommandTree] = CommandTree(COMMANDS)
    command_seconds: ClassVar[float] = TIMING.command_seconds
    limits: ClassVar[GeneratorLimits] = KEYSIGHT_81160A
    reports_conflicts: ClassVar[bool] = False  # the family has warnings for that
    overload_error: ClassVar[tuple[int, str]] = (-300, "Device-specific error; output {} switched off, overload")
    options: ClassVar[str] = "002"
    trigger_input_name: ClassVar[str] = "ext_in"
    trigger_output_name: ClassVar[str] = "trigger_out"
    has_sync: ClassVar[bool] = False

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
        super().__init__(name, world, host, serial=serial, has_end=has_end, faults=faults)
        for channel in self.channels:
            channel.output.fit_low_impedance()
            channel.output.fit_complement()

    @classmethod
    def from_spec(
        cls, spec: InstrumentSpec, world: World, host: HostClock, faults: FaultPlan | None
    ) -> SimKeysight81160A:
        """The instrument of a bench file's entry."""
        return cls(spec.name, world, host, serial=spec.serial, has_end=spec.has_end, faults=faults)

    @property
    def identity(self) -> str:
        """What *IDN? answers."""
        return f"Agilent Technologies,81160A,{self.serial},1.0.3.0-2.6"

    def default_settings(self) -> ChannelSettings:
        """Settings of a channel after *RST: a sine of 1 MHz and 1 V peak to peak into 50 ohm, output off."""
        return ChannelSettings(
            hertz=1e6,
            high=1.0,
            low=-1.0,
            width=100e-9,
            leading=2.5e-9,
            trailing=2.5e-9,
            burst_period=1e-3,
            trigger_timer=1e-3,
        )

    def is_triggered(self, settings: ChannelSettings) -> bool:
        """Armed by anything but IMMediate, or in burst mode."""
        return settings.is_burst or settings.trigger_source != "IMM" or settings.is_external_width

    def burst_cycles(self, settings: ChannelSettings) -> float:
        """BURSt:NCYCles in burst mode, TRIGger:COUNt otherwise."""
        return settings.cycles if settings.is_burst else settings.trigger_count

    def learn(self) -> str:
        """*LRN?: commands that bring the main settings back."""
        commands = []
        for c, channel in enumerate(self.channels, 1):
            settings = channel.settings
            commands += [
                f":FUNC{c} {settings.function}",
                f":FREQ{c} {show(settings.hertz)}",
                f":OUTP{c}:IMP {show(settings.source_ohms)}",
                f":OUTP{c}:IMP:EXT {show(settings.load)}",
                f":VOLT{c}:HIGH {show(settings.high * settings.displayed)}",
                f":VOLT{c}:LOW {show(settings.low * settings.displayed)}",
                f":PULS:WIDT{c} {show(settings.width)}",
                f":PULS:TRAN{c} {show(settings.leading)}",
                f":PULS:DEL{c} {show(settings.delay)}",
                f":OUTP{c}:POL {settings.polarity}",
                f":OUTP{c} {int(settings.is_on)}",
            ]
        return ";".join(commands)
