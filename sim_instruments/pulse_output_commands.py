"""OUTPut, TRIGger, status and system commands of the 33500 and 33600 series, most of them the 81160A's too."""

from __future__ import annotations

import math
from typing import Any

from .accuracy_keysight_pulse import SOURCE_OHMS
from .keysight_33500_commands import number, stored
from .pulse_levels import set_load
from .pulse_parameters import Extremes, Quantity, Value, show, within
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS, register_commands
from .scpi_parameters import Choice, Number, Parameter, Switch, Text

TRIGGER_SOURCES = ("IMMediate", "EXTernal", "TIMer", "BUS")


def load_command(pattern: str) -> Command:
    """OUTPut:LOAD: 1 ohm to 10 kohm or INFinity; changes what is displayed, not what comes out."""

    def ohms(i: Any, value: Value) -> float:
        is_endless = value in ("INF",) or (isinstance(value, float) and value >= 9.9e37)
        return math.inf if is_endless else within(i, value, 1.0, 10e3, SOURCE_OHMS)

    def write(i: Any, c: int, value: Value) -> None:
        channel = i.channel(c)
        set_load(channel, ohms(i, value))
        i.changed(channel)

    def query(i: Any, c: int, word: str | None) -> str:
        return show(i.channel(c).settings.load if word is None else ohms(i, word))

    return Command(pattern, write=write, query=query, takes=(Quantity("OHM"),), asks=(Extremes(),))


def force(i: Any, c: int) -> None:
    """TRIGger: whatever the trigger source, fire this channel; -211 if it waits for nothing."""
    channel = i.channel(c)
    if not channel.takes_trigger:
        raise ScpiError(-211)
    i.fire([channel])


def _initiate(i: Any, c: int) -> None:
    channel = i.channel(c)
    channel.triggers_left = channel.settings.trigger_count


def _initiate_all(i: Any) -> None:
    for number_of_channel in (1, 2):
        _initiate(i, number_of_channel)


def _initiate_forever(i: Any, c: int, is_on: bool) -> None:
    channel = i.channel(c)
    channel.settings.is_initiated_forever = is_on
    channel.triggers_left = math.inf if is_on else 0


def _abort(i: Any) -> None:
    i.apply_all()


def trigger_commands(node: str) -> tuple[Command, ...]:
    """The trigger system of one channel; `node` is for example `:TRIGger<c>`."""
    return (
        Command(f"{node}[:IMMediate]", write=force),
        stored(f"{node}:SOURce", "trigger_source", Choice(*TRIGGER_SOURCES)),
        stored(f"{node}:SLOPe", "trigger_slope", Choice("POSitive", "NEGative")),
        number(f"{node}:DELay", "trigger_delay", ("S",), 0.0, 1000.0, 0.0),
        number(f"{node}:COUNt", "trigger_count", ("",), 1.0, 1e6, 1.0),
        number(f"{node}:TIMer", "trigger_timer", ("S",), 1e-6, 8e3, 1.0),
        number(f"{node}:LEVel", "trigger_level", ("V",), 0.9, 3.8, 1.65),
    )


def keep(pattern: str, name: str, parameter: Parameter, default: str) -> Command:
    """A setting of the whole instrument that is kept and told only."""

    def write(i: Any, *values: Any) -> None:
        i.stored[name] = str(int(values[-1]) if isinstance(values[-1], bool | float) else values[-1])

    return Command(pattern, write=write, query=lambda i, *_: i.stored.get(name, default), takes=(parameter,))


def _set_coupling(name: str) -> Any:
    def write(i: Any, _: int, is_on: bool) -> None:
        setattr(i, name, is_on)
        i.changed(i.channels[0])

    return write


def _ignore(*_: Any) -> None:
    """Accepted; has no effect on what comes out."""


def coupling_commands(source: str) -> tuple[Command, ...]:
    """VOLTage:COUPle and FREQuency:COUPle."""
    return tuple(
        Command(
            f"{source}:{node}:COUPle[:STATe]",
            write=_set_coupling(name),
            query=lambda i, _, name=name: str(int(getattr(i, name))),
            takes=(Switch(),),
        )
        for node, name in (("VOLTage", "is_levels_coupled"), ("FREQuency", "is_frequency_coupled"))
    )


def _error_text(i: Any) -> str:
    error = i.status.errors.take()
    return f'{error.code:+d},"{error.text}"'


SYNC_COMMANDS: tuple[Command, ...] = (
    stored(":OUTPut<c>:SYNC[:STATe]", "is_sync_on", Switch()),
    keep(":OUTPut<c>:SYNC:SOURce", "sync source", Choice("CH1", "CH2"), "CH1"),
    stored(":OUTPut<c>:SYNC:MODE", "sync_mode", Choice("NORMal", "CARRier", "MARKer")),
    stored(":OUTPut<c>:SYNC:POLarity", "sync_polarity", Choice("NORMal", "INVerted")),
    stored(":OUTPut<c>:TRIGger[:STATe]", "is_trigger_out_on", Switch()),
    keep(":OUTPut<c>:TRIGger:SOURce", "trigger out source", Choice("CH1", "CH2"), "CH1"),
    stored(":OUTPut<c>:TRIGger:SLOPe", "trigger_out_slope", Choice("POSitive", "NEGative")),
    stored(":OUTPut<c>:MODE", "output_mode", Choice("NORMal", "GATed")),
)
"""Signals that nothing on the bench listens to."""

OUTPUT_COMMANDS: tuple[Command, ...] = (
    stored(":OUTPut<c>[:STATe]", "is_on", Switch()),
    stored(":OUTPut<c>:POLarity", "polarity", Choice("NORMal", "INVerted")),
    load_command(":OUTPut<c>:LOAD"),
    *SYNC_COMMANDS,
)

INITIATE_COMMANDS: tuple[Command, ...] = (
    Command(":INITiate<c>[:IMMediate]", write=_initiate),
    Command(":INITiate[:IMMediate]:ALL", write=_initiate_all),
    Command(
        ":INITiate<c>:CONTinuous",
        write=_initiate_forever,
        query=lambda i, c: str(int(i.channel(c).settings.is_initiated_forever)),
        takes=(Switch(),),
    ),
    Command(":ABORt", write=_abort),
)

SYSTEM_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *ERROR_COMMANDS,
    Command(":SYSTem:ERRor[:NEXT]", query=_error_text),
    Command(":SYSTem:VERSion", query=lambda i: "1999.0"),
    Command(":SYSTem:BEEPer[:IMMediate]", write=_ignore),
    keep(":SYSTem:BEEPer:STATe", "beeper", Switch(), "1"),
    Command(":SYSTem:LOCal", write=_ignore),
    Command(":SYSTem:REMote", write=_ignore),
    Command(":SYSTem:RWLock", write=_ignore),
    keep(":DISPlay[:STATe]", "display", Switch(), "1"),
    Command(":DISPlay:TEXT", write=_ignore, query=lambda i: '""', takes=(Text(),)),
    Command(":DISPlay:TEXT:CLEar", write=_ignore),
    keep(":DISPlay:FOCus", "focus", Choice("CH1", "CH2"), "CH1"),
    keep(":DISPlay:UNIT:ARBRate", "arb unit", Choice("FREQuency", "SRATe", "PERiod"), "SRAT"),
    keep(":UNIT:ANGLe", "angle", Choice("DEGree", "RADian", "SECond", "DEFault"), "DEG"),
    Command(
        ":FORMat:BORDer",
        write=lambda i, border: setattr(i, "border", border),
        query=lambda i: i.border,
        takes=(Choice("NORMal", "SWAPped"),),
    ),
    keep(":ROSCillator:SOURce", "clock", Choice("INTernal", "EXTernal"), "INT"),
    keep(":ROSCillator:SOURce:AUTO", "clock auto", Switch(), "1"),
    Command("*OPT", query=lambda i: "010"),
    Command("*PSC", write=_ignore, query=lambda i: "1", takes=(Number("", 0, 1),)),
    *register_commands(":STATus:QUEStionable", "questionable"),
    *register_commands(":STATus:OPERation", "operation"),
)
