"""OUTPut, TRIGger, status and system commands that the generator families share, after references from memory."""

from __future__ import annotations

import math
from typing import Any

from .accuracy_keysight_pulse import SOURCE_OHMS
from .pulse_levels import set_load
from .pulse_parameters import Extremes, Quantity, Value, show, within
from .pulse_setting_commands import accepted, keep, number, stored
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS, POWER_ON_COMMANDS, register_commands
from .scpi_parameters import Choice, Switch, Text
from .status_488 import OPERATION_COMPLETE

TRIGGER_SOURCES = ("IMMediate", "EXTernal", "TIMer", "BUS")


def load_command(pattern: str, least: float = 1.0, most: float = 10e3) -> Command:
    """OUTPut:LOAD: up to 10 kohm or INFinity; changes what is displayed, not what comes out."""

    def ohms(i: Any, value: Value) -> float:
        is_endless = value in ("INF",) or (isinstance(value, float) and value >= 9.9e37)
        return math.inf if is_endless else within(i, value, least, most, SOURCE_OHMS)

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


def _initiate_all_forever(i: Any, is_on: bool) -> None:
    for number_of_channel in (1, 2):
        _initiate_forever(i, number_of_channel, is_on)


def trigger_source(pattern: str, after: Any) -> Command:
    """TRIGger:SOURce; `after` is called with instrument and channel, to make the burst fit."""

    def write(i: Any, c: int, word: str) -> None:
        channel = i.channel(c)
        channel.settings.trigger_source = word
        if word in ("IMM", "TIM") and channel.settings.is_burst and math.isinf(channel.settings.cycles):
            channel.settings.cycles = 1.0
            text = "Settings conflict; turned off infinite burst to allow immediate trigger source"
            i.status.report(ScpiError(-221, text))
        after(i, channel)
        i.changed(channel)

    words = Choice(*TRIGGER_SOURCES)
    return Command(pattern, write=write, query=lambda i, c: i.channel(c).settings.trigger_source, takes=(words,))


def trigger_commands(node: str, after: Any) -> tuple[Command, ...]:
    """The trigger system of one channel; `node` is for example `:TRIGger<c>`."""
    return (
        Command(f"{node}[:IMMediate]", write=force),
        trigger_source(f"{node}:SOURce", after),
        stored(f"{node}:SLOPe", "trigger_slope", Choice("POSitive", "NEGative")),
        number(f"{node}:DELay", "trigger_delay", ("S",), 0.0, 1000.0, 0.0),
        number(f"{node}:COUNt", "trigger_count", ("",), 1.0, 1e6, 1.0),
        number(f"{node}:TIMer", "trigger_timer", ("S",), 1e-6, 8e3, 1.0),
        number(f"{node}:LEVel", "trigger_level", ("V",), 0.9, 3.8, 1.65),
    )


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
"""The sync output is at no node, for trigger wires only; the trigger output is at one too (`PulseGenerator`)."""

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
    Command(":INITiate:CONTinuous:ALL", write=_initiate_all_forever, takes=(Switch(),)),
    Command(":ABORt", write=lambda i: i.apply_all()),
)


def _set_display_text(i: Any, text: str) -> None:
    i.stored["display text"] = text


def _set_border(i: Any, border: str) -> None:
    i.border = border


def _set_angle_unit(i: Any, unit: str) -> None:
    i.angle_unit = "DEG" if unit == "DEF" else unit


def error_text(i: Any) -> str:
    """SYSTem:ERRor with the sign that the 33500 series puts before every number."""
    error = i.status.errors.take()
    return f'{error.code:+d},"{error.text}"'


def _complete(i: Any) -> None:
    i.status.event_status |= OPERATION_COMPLETE


def _when_complete(i: Any) -> str:
    i.finish()
    return "1"


SYSTEM_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    Command("*OPC", write=_complete, query=_when_complete),
    Command("*WAI", write=lambda i: i.finish()),
    *ERROR_COMMANDS,
    Command(":SYSTem:VERSion", query=lambda i: "1999.0"),
    Command(":SYSTem:BEEPer[:IMMediate]", write=accepted),
    keep(":SYSTem:BEEPer:STATe", "beeper", Switch(), "1"),
    Command(":SYSTem:LOCal", write=accepted),
    Command(":SYSTem:REMote", write=accepted),
    Command(":SYSTem:RWLock", write=accepted),
    Command(":SYSTem:PRESet", write=lambda i: i.reset()),
    keep(":DISPlay[:STATe]", "display", Switch(), "1"),
    Command(
        ":DISPlay:TEXT",
        write=_set_display_text,
        query=lambda i: f'"{i.stored.get("display text", "")}"',
        takes=(Text(),),
    ),
    Command(":DISPlay:TEXT:CLEar", write=lambda i: _set_display_text(i, "")),
    Command(
        ":UNIT:ANGLe",
        write=_set_angle_unit,
        query=lambda i: i.angle_unit,
        takes=(Choice("DEGree", "RADian", "SECond", "DEFault"),),
    ),
    Command(":FORMat:BORDer", write=_set_border, query=lambda i: i.border, takes=(Choice("NORMal", "SWAPped"),)),
    keep(":ROSCillator:SOURce", "clock", Choice("INTernal", "EXTernal"), "INT"),
    Command("*OPT", query=lambda i: i.options),
    *POWER_ON_COMMANDS,
    *register_commands(":STATus:QUEStionable", "questionable"),
    *register_commands(":STATus:OPERation", "operation"),
)
