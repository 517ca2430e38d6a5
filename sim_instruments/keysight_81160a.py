"""A simulated Keysight 81160A pulse function generator.

Written without its manual, after public programs for the 81150A (same family) and pages of their common user's guide.
Suffixes stand where those have them (`:PULS:WIDT2`, `:VOLT2:HIGH`, `:ARM:SOUR2`); the trigger commands of the 33500
series (`:TRIG2:SOUR`) are taken too. Headers, defaults and limits are to be checked against the manual.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar

from .accuracy_keysight_pulse import KEYSIGHT_81160A, GeneratorLimits
from .bench_file import InstrumentSpec
from .faults import FaultPlan
from .keysight_33500_commands import (
    cycles_command,
    duty_command,
    edge_command,
    frequency_command,
    function_command,
    high_of,
    low_of,
    number,
    offset_command,
    period_command,
    side_command,
    stored,
    width_command,
)
from .pulse_arbs import user_commands
from .pulse_generator import PulseGenerator
from .pulse_levels import amplitude_command, apply_commands, refusing, set_high, set_low, set_unit
from .pulse_output_commands import INITIATE_COMMANDS, OUTPUT_COMMANDS, SYSTEM_COMMANDS, force, keep, load_command
from .pulse_parameters import choice
from .pulse_settings import ChannelSettings
from .scpi import Command, CommandTree
from .scpi_parameters import Choice, Switch
from .timing import KEYSIGHT_GENERATOR as TIMING
from .wire_instrument import HostClock
from .world import World

_FUNCTIONS = ("SINusoid", "SQUare", "RAMP", "PULSe", "NOISe", "DC", "USER")
_ARM_SOURCES = {"IMM": "IMM", "INT": "TIM", "INT1": "TIM", "INT2": "TIM", "EXT": "EXT", "MAN": "BUS", "BUS": "BUS"}
_ARM_NAMES = {"IMM": "IMM", "TIM": "INT", "EXT": "EXT", "BUS": "MAN"}
_SENSES = {"EDGE": "TRIG", "LEV": "GAT"}


def _arm_source(pattern: str) -> Command:
    """ARM:SOURce: IMMediate is free running; INTernal, EXTernal and MANual start what COUNt or NCYCles say."""
    words = Choice("IMMediate", "INTernal", "INT1", "INT2", "EXTernal", "MANual", "BUS")
    return choice(
        pattern,
        words,
        lambda channel: channel.settings.trigger_source,
        lambda channel, word: setattr(channel.settings, "trigger_source", _ARM_SOURCES[word]),
        lambda source: _ARM_NAMES[source],
    )


def _arm_sense(pattern: str) -> Command:
    """ARM:SENSe: EDGE starts cycles, LEVel gates."""
    return choice(
        pattern,
        Choice("EDGE", "LEVel"),
        lambda channel: "LEV" if channel.settings.burst_mode == "GAT" else "EDGE",
        lambda channel, word: setattr(channel.settings, "burst_mode", _SENSES[word]),
    )


def _pulses() -> tuple[Command, ...]:
    """Headers with the suffix at the first node (FUNCtion) and at the last (PULSe)."""
    found: list[Command] = []
    for before, after in ((":FUNCtion<c>:PULSe", ""), (":FUNCtion:PULSe", "<c>"), (":PULSe", "<c>")):
        found += [
            period_command(f"{before}:PERiod{after}"),
            frequency_command(f"{before}:FREQuency{after}"),
            width_command(f"{before}:WIDTh{after}"),
            duty_command(f"{before}:DCYCle{after}"),
            stored(f"{before}:HOLD{after}", "hold", Choice("WIDTh", "DCYCle", "TDELay")),
            edge_command(f"{before}:TRANsition{after}[:LEADing]", "leading", "trailing"),
            edge_command(f"{before}:TRANsition{after}:TRAiling", "trailing"),
            keep(f"{before}:TRANsition{after}:TRAiling:AUTO", "trailing auto", Switch(), "1"),
            number(f"{before}:DELay{after}", "delay", ("S",), 0.0, 1000.0, 0.0),
        ]
    return tuple(found)


_LEVELS: tuple[Command, ...] = (
    amplitude_command(":VOLTage<c>[:LEVel][:IMMediate][:AMPLitude]"),
    offset_command(":VOLTage<c>[:LEVel][:IMMediate]:OFFSet"),
    side_command(":VOLTage<c>[:LEVel][:IMMediate]:HIGH", set_high, high_of),
    side_command(":VOLTage<c>[:LEVel][:IMMediate]:LOW", set_low, low_of),
    number(":VOLTage<c>:LIMit[:HIGH]", "limit_high", ("V",), -10.0, 10.0, 10.0),
    number(":VOLTage<c>:LIMit:LOW", "limit_low", ("V",), -10.0, 10.0, -10.0),
    stored(":VOLTage<c>:LIMit:STATe", "is_limited", Switch()),
    stored(":VOLTage<c>:RANGe:AUTO", "is_auto_range", Switch()),
    choice(":VOLTage<c>:UNIT", Choice("VPP", "VRMS", "DBM"), lambda channel: channel.settings.unit, set_unit),
)


def _triggers(before: str, after: str) -> tuple[Command, ...]:
    """TRIGger, with the suffix there or at the last node."""
    return (
        _arm_source(f"{before}:SOURce{after}"),
        stored(f"{before}:SLOPe{after}", "trigger_slope", Choice("POSitive", "NEGative", "EITHer")),
        number(f"{before}:DELay{after}", "trigger_delay", ("S",), 0.0, 1000.0, 0.0),
        number(f"{before}:COUNt{after}", "trigger_count", ("",), 1.0, 1e6, 1.0),
        number(f"{before}:TIMer{after}", "trigger_timer", ("S",), 1e-9, 8e3, 1.0),
        number(f"{before}:LEVel{after}", "trigger_level", ("V",), -10.0, 10.0, 1.0),
    )


def _set_coupled(i: Any, is_on: bool) -> None:
    i.is_levels_coupled = i.is_frequency_coupled = is_on
    i.changed(i.channels[0])


_COMMANDS: tuple[Command, ...] = (
    *SYSTEM_COMMANDS,
    function_command(":FUNCtion<c>", _FUNCTIONS),
    *_pulses(),
    number(":FUNCtion<c>:SQUare:DCYCle", "square_duty", ("PCT", "%"), 0.01, 99.99, 50.0),
    number(":FUNCtion<c>:RAMP:SYMMetry", "symmetry", ("PCT", "%"), 0.0, 100.0, 100.0),
    frequency_command(":FREQuency<c>[:CW]"),
    frequency_command(":FREQuency<c>:FIXed"),
    stored(":FREQuency<c>:MODE", "sweep.mode", Choice("CW", "SWEep", "FIXed")),
    number(":FREQuency<c>:STARt", "sweep.start_hertz", ("HZ",), 1e-6, 500e6, 100.0),
    number(":FREQuency<c>:STOP", "sweep.stop_hertz", ("HZ",), 1e-6, 500e6, 1e3),
    stored(":SWEep<c>:STATe", "sweep.is_on", Switch()),
    stored(":SWEep<c>:SPACing", "sweep.spacing", Choice("LINear", "LOGarithmic")),
    number(":SWEep<c>:TIME", "sweep.seconds", ("S",), 1e-3, 500.0, 1.0),
    *_LEVELS,
    number(":PHASe<c>[:ADJust]", "phase", ("DEG", "RAD", "S"), -360.0, 360.0, 0.0),
    Command(":PHASe:SYNChronize", write=lambda i: i.apply_all()),
    stored(":BURSt<c>:STATe", "is_burst", Switch()),
    stored(":BURSt<c>:MODE", "burst_mode", Choice("TRIGgered", "GATed")),
    cycles_command(":BURSt<c>:NCYCles"),
    number(":BURSt<c>:PHASe", "burst_phase", ("DEG", "RAD", "S"), -360.0, 360.0, 0.0),
    number(":BURSt<c>:INTernal:PERiod", "burst_period", ("S",), 1e-9, 8e3, 10e-3),
    _arm_source(":ARM[:SEQuence][:STARt][:LAYer]:SOURce<c>"),
    _arm_sense(":ARM[:SEQuence][:STARt][:LAYer]:SENSe<c>"),
    stored(":ARM[:SEQuence][:STARt][:LAYer]:SLOPe<c>", "trigger_slope", Choice("POSitive", "NEGative", "EITHer")),
    number(":ARM[:SEQuence][:STARt][:LAYer]:LEVel<c>", "trigger_level", ("V",), -10.0, 10.0, 1.0),
    number(":ARM[:SEQuence][:STARt][:LAYer]:PERiod<c>", "trigger_timer", ("S",), 1e-9, 8e3, 1.0),
    Command(":TRIGger[:IMMediate]", write=lambda i: i.trigger()),
    Command(":TRIGger<c>[:IMMediate]", write=force),
    *_triggers(":TRIGger<c>", ""),
    *_triggers(":TRIGger", "<c>"),
    *OUTPUT_COMMANDS,
    stored(":OUTPut<c>:NORMal[:STATe]", "is_on", Switch()),
    keep(":OUTPut<c>:COMPlement[:STATe]", "complement", Switch(), "0"),
    load_command(":OUTPut<c>:IMPedance:EXTernal"),
    load_command(":OUTPut<c>:IMPedance"),  # assumed: the load, as OUTPut:LOAD; the source is 50 ohm
    keep(":OUTPut<c>:IMPedance:INTernal", "internal impedance", Choice("50OHM"), "50"),
    keep(":OUTPut<c>:ROUTe", "route", Choice("HIVoltage", "HIBandwidth"), "HIV"),
    Command(
        ":COUPling[:STATe]",
        write=_set_coupled,
        query=lambda i: str(int(i.is_levels_coupled)),
        takes=(Switch(),),
    ),
    keep(":TRACk:CHANnel<c>", "tracking", Choice("ON", "OFF", "INVerted"), "OFF"),
    *(refusing(f":{name}<c>:STATe") for name in ("AM", "FM", "PM", "FSKey", "PWM")),
    *apply_commands(":APPLy<c>", (*_FUNCTIONS[:-1], "USER")),
    *INITIATE_COMMANDS,
    *user_commands(),
)


class SimKeysight81160A(PulseGenerator):
    """One 81160A with two channels; see `PulseGenerator` for its terminals."""

    tree: ClassVar[CommandTree] = CommandTree(_COMMANDS)
    command_seconds: ClassVar[float] = TIMING.command_seconds
    limits: ClassVar[GeneratorLimits] = KEYSIGHT_81160A

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
        )

    def is_triggered(self, settings: ChannelSettings) -> bool:
        """Armed by anything but IMMediate, or in burst mode."""
        return settings.is_burst or settings.trigger_source != "IMM"

    def burst_cycles(self, settings: ChannelSettings) -> float:
        """BURSt:NCYCles in burst mode, TRIGger:COUNt otherwise."""
        return settings.cycles if settings.is_burst else settings.trigger_count

    def _copy_coupled(self, source: ChannelSettings, target: ChannelSettings) -> bool:
        if math.isinf(source.cycles):
            target.cycles = source.cycles
        return super()._copy_coupled(source, target)
