"""Trigger model, formats, buffer, statistics, system and display commands of a 2400 (user's manual, section 18)."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .keithley_2400_readings import formatted
from .keithley_2400_settings import ELEMENTS, MOST_READINGS, FilterSettings, LayerSettings
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS, register_commands
from .scpi_parameters import Choice, Choices, Number, Parameter, Switch, Text, parse_number
from .scpi_settings import setting

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_LONGEST_DELAY_SECONDS = 999.9999
_SCPI_INFINITY = 9.9e37


def _ignore(*_: Any) -> None:
    """Accepted; has no effect on what can be measured."""


class _Count(Number):
    """A count that may be INFinite."""

    def __init__(self) -> None:
        super().__init__("", 1, MOST_READINGS, 1, is_integer=True)

    def parse(self, token: str, instrument: Any) -> float:
        """The count."""
        return math.inf if token.upper() in ("INF", "INFINITE") else super().parse(token, instrument)


_COUNT = Number("", 1, MOST_READINGS, 1, is_integer=True)


def _configure(i: SimKeithley2400, function: str) -> None:
    """CONFigure: one-shot measurement of one function with everything else at its default, output on."""
    settings = i.settings
    if settings.is_concurrent:
        settings.functions = tuple(name for name in settings.functions if name == function) or (function,)
    else:
        settings.functions = (function,)
    settings.arm, settings.trigger, settings.filter = LayerSettings(), LayerSettings(), FilterSettings()
    settings.cycles, settings.is_auto_zero = 1.0, True
    if function != "RES" and function != settings.function:
        settings.sense_of(function).is_auto_range = True
    i.buffer.control = "NEV"
    i.abort()
    i.switch_output(True)


def _measure(i: SimKeithley2400, function: str) -> Reply | None:
    _configure(i, function)
    return i.read()


def _show_configured(i: SimKeithley2400) -> str:
    shown = {"VOLT": '"VOLT:DC"', "CURR": '"CURR:DC"', "RES": '"RES"'}
    return ",".join(shown[name] for name in i.settings.functions)


_MEASURED = (("VOLTage[:DC]", "VOLT"), ("CURRent[:DC]", "CURR"), ("RESistance", "RES"))
_ONE_SHOT: tuple[Command, ...] = tuple(
    command
    for node, function in _MEASURED
    for command in (
        Command(f":CONFigure:{node}", write=lambda i, function=function: _configure(i, function)),
        Command(f":MEASure:{node}", query=lambda i, function=function: _measure(i, function)),
    )
)


_LINE = Number("", 1, 4, is_integer=True)


def _write_events(layer: LayerSettings, events: list[str]) -> None:
    layer.output_events = tuple(dict.fromkeys(event for event in events if event != "NONE")) or ("NONE",)


def _layer(node: str, owner: str, sources: Choice, count: Number, *events: str) -> tuple[Command, ...]:
    lines = f"{node}[:TCONfigure][:ASYNchronous]"
    layer = attrgetter(owner)
    return (
        setting(f"{lines}:ILINe", f"{owner}.input_line", _LINE),
        setting(f"{lines}:OLINe", f"{owner}.output_line", _LINE),
        Command(
            f"{lines}:OUTPut",
            write=lambda i, names: _write_events(layer(i), names),
            query=lambda i: ",".join(layer(i).output_events),
            takes=(Choices(*events, "NONE"),),
        ),
        setting(f"{node}:COUNt", f"{owner}.count", count),
        setting(f"{node}:SOURce", f"{owner}.source", sources),
        setting(f"{node}[:TCONfigure]:DIRection", f"{owner}.direction", Choice("ACCeptor", "SOURce")),
    )


_TRIGGER: tuple[Command, ...] = (
    Command(":INITiate[:IMMediate]", write=lambda i: i.initiate()),
    Command(":ABORt", write=lambda i: i.abort()),
    Command(":READ", query=lambda i: i.read()),
    Command(":FETCh", query=lambda i: i.fetch()),
    Command("[:SENSe[1]]:DATA[:LATest]", query=lambda i: i.fetch_latest()),
    Command(":CONFigure", query=_show_configured),
    Command(":MEASure", query=lambda i: _measure(i, i.settings.functions[-1] if i.settings.functions else "CURR")),
    *_ONE_SHOT,
    *_layer(
        ":ARM[:SEQuence[1]][:LAYer[1]]",
        "settings.arm",
        Choice("IMMediate", "TIMer", "MANual", "BUS", "TLINk", "NSTest", "PSTest", "BSTest"),
        _Count(),
        "TENTer",
        "TEXit",
    ),
    setting(":ARM[:SEQuence[1]][:LAYer[1]]:TIMer", "settings.arm.timer_seconds", Number("S", 0.001, 99999.99, 0.1)),
    *_layer(
        ":TRIGger[:SEQuence[1]]", "settings.trigger", Choice("IMMediate", "TLINk"), _COUNT, "SOURce", "DELay", "SENSe"
    ),
    setting(
        ":TRIGger[:SEQuence[1]]:DELay", "settings.trigger.delay_seconds", Number("S", 0, _LONGEST_DELAY_SECONDS, 0)
    ),
    Command(":TRIGger:CLEar", write=lambda i: i.abort()),
)


class _ElementList(Choices):
    """Names of data elements, or DEFault for all."""

    def __init__(self) -> None:
        super().__init__("VOLTage", "CURRent", "RESistance", "TIME", "STATus", "DEFault")


def _write_elements(i: SimKeithley2400, names: list[str]) -> None:
    i.settings.format.elements = ELEMENTS if "DEF" in names else tuple(n for n in ELEMENTS if n in names)


class _RealLength(Parameter):
    """The 32 of REAL,32."""

    is_optional = True

    def parse(self, token: str, instrument: Any) -> int:
        """32, the only one there is."""
        if parse_number(token) != 32:
            raise ScpiError(-224)
        return 32


def _write_format(i: SimKeithley2400, name: str, _: int | None) -> None:
    i.settings.format.data = "REAL" if name in ("REAL", "SRE") else name


_FORMAT: tuple[Command, ...] = (
    Command(
        ":FORMat[:DATA]",
        write=_write_format,
        query=lambda i: "REAL,32" if i.settings.format.data == "REAL" else i.settings.format.data,
        takes=(Choice("ASCii", "REAL", "SREal"), _RealLength()),
    ),
    setting(":FORMat:BORDer", "settings.format.border", Choice("NORMal", "SWAPped")),
    Command(
        ":FORMat:ELEMents[:SENSe[1]]",
        write=_write_elements,
        query=lambda i: ",".join(i.settings.format.elements),
        takes=(_ElementList(),),
    ),
    setting(":FORMat:SREGister", "settings.format.registers", Choice("ASCii", "HEXadecimal", "OCTal", "BINary")),
)


def _write_points(i: SimKeithley2400, points: float) -> None:
    i.buffer.require_idle()
    i.buffer.size = points
    i.buffer.stored.clear()


def _write_feed(i: SimKeithley2400, feed: str) -> None:
    i.buffer.require_idle()
    i.buffer.feed = feed


def _trace_data(i: SimKeithley2400) -> Reply:
    if not i.buffer.stored:
        raise ScpiError(-230)
    return formatted(i.buffer.timed(), i.settings.format)


def _free(i: SimKeithley2400) -> str:
    return f"{(MOST_READINGS - len(i.buffer.stored)) * 12},{len(i.buffer.stored) * 12}"


def _statistic(i: SimKeithley2400) -> str:
    return ",".join(f"{value:+.6E}" for value in i.buffer.statistic())


_TRACE: tuple[Command, ...] = (
    Command(":TRACe|DATA:DATA", query=_trace_data),
    Command(":TRACe|DATA:CLEar", write=lambda i: i.buffer.clear()),
    Command(":TRACe|DATA:FREE", query=_free),
    Command(":TRACe|DATA:POINts", write=_write_points, query=lambda i: str(int(i.buffer.size)), takes=(_COUNT,)),
    Command(":TRACe|DATA:POINts:ACTual", query=lambda i: str(len(i.buffer.stored))),
    Command(
        ":TRACe|DATA:FEED",
        write=_write_feed,
        query=lambda i: i.buffer.feed,
        takes=(Choice("SENSe", "SENSe1", "CALCulate1", "CALCulate2"),),
    ),
    Command(
        ":TRACe|DATA:FEED:CONTrol",
        write=lambda i, control: i.buffer.start(control),
        query=lambda i: i.buffer.control,
        takes=(Choice("NEXT", "NEVer"),),
    ),
    setting(":TRACe|DATA:TSTamp:FORMat", "buffer.timestamps", Choice("ABSolute", "DELTa")),
    setting(":CALCulate3:FORMat", "buffer.shown_statistic", Choice("MEAN", "SDEViation", "MAXimum", "MINimum", "PKPK")),
    Command(":CALCulate3:DATA", query=_statistic),
    Command(":CALCulate[1]:STATe", write=lambda i, is_on: _no_math(is_on), query=lambda i: "0", takes=(Switch(),)),
)


def _no_math(is_on: bool) -> None:
    """Math expressions are not simulated."""
    if is_on:
        raise ScpiError(-221)


class _AutoZero(Switch):
    """ON, OFF or ONCE; ONCE leaves auto zero off after one zero."""

    def parse(self, token: str, instrument: Any) -> bool:
        """Whether it is on afterwards."""
        return False if token.upper() == "ONCE" else super().parse(token, instrument)


def _preset(i: SimKeithley2400) -> None:
    i.reset()
    i.settings.format.border = "SWAP"


def _write_line_frequency(i: SimKeithley2400, hertz: float) -> None:
    if hertz not in (50, 60):
        raise ScpiError(-224)
    i.line.hertz, i.line.is_auto = hertz, False


def _find_line_frequency(i: SimKeithley2400) -> None:
    """Automatic selection takes what the instrument finds; without it, the last selection stays."""
    i.line.hertz = None if i.line.is_auto else i.line.hertz or i.world.line_hertz


_SYSTEM: tuple[Command, ...] = (
    setting(":SYSTem:RSENse", "settings.is_remote_sense", Switch()),
    setting(":SYSTem:AZERo[:STATe]", "settings.is_auto_zero", _AutoZero()),
    setting(":SYSTem:GUARd", "settings.guard", Choice("OHMS", "CABLe")),
    Command(
        ":SYSTem:LFRequency",
        write=_write_line_frequency,
        query=lambda i: f"{i.line.hertz or i.world.line_hertz:.0f}",
        takes=(Number("HZ", 50, 60),),
    ),
    setting(":SYSTem:LFRequency:AUTO", "line.is_auto", Switch(), after=_find_line_frequency),
    Command(":SYSTem:TIME", query=lambda i: f"{i.seconds:.3f}"),
    Command(":SYSTem:TIME:RESet", write=lambda i: i.reset_time()),
    setting(":SYSTem:TIME:RESet:AUTO", "settings.is_time_auto_reset", Switch()),
    Command(":SYSTem:PRESet", write=_preset),
    Command(":SYSTem:POSetup", write=_ignore, query=lambda i: "RST", takes=(Choice("RST", "PRESet", "SAV0"),)),
    Command(":SYSTem:VERSion", query=lambda i: "1996.0"),
    Command(":SYSTem:BEEPer[:IMMediate]", write=_ignore, takes=(Number("HZ", 65, 2e6), Number("S", 0, 7.9))),
    setting(":SYSTem:BEEPer:STATe", "settings.is_beeper_on", Switch()),
    Command(":SYSTem:LOCal", write=_ignore),
    Command(":SYSTem:REMote", write=_ignore),
    Command(":SYSTem:RWLock", write=_ignore),
    Command(":SYSTem:KEY", write=_ignore, query=lambda i: "0", takes=(Number("", 1, 31),)),
    Command(":SYSTem:MEP[:STATe]", query=lambda i: "1"),
    Command(":SYSTem:RCMode", write=_ignore, query=lambda i: "SING", takes=(Choice("SINGle", "MULTiple"),)),
    Command(":SYSTem:CCHeck", write=_ignore, query=lambda i: "0", takes=(Switch(),)),
    setting(":DISPlay:ENABle", "settings.is_display_on", Switch()),
    setting(":DISPlay:DIGits", "settings.display_digits", Number("", 4, 7, 6, is_integer=True)),
    setting(":DISPlay[:WINDow[1]]:TEXT[:DATA]", "settings.display_text", Text()),
    setting(":DISPlay[:WINDow[1]]:TEXT:STATe", "settings.is_display_text_on", Switch()),
    Command(":DISPlay:WINDow2:TEXT[:DATA]", write=_ignore, query=lambda i: '""', takes=(Text(),)),
    Command(":DISPlay:WINDow2:TEXT:STATe", write=_ignore, query=lambda i: "0", takes=(Switch(),)),
    Command(":DISPlay:CNDisplay", write=_ignore),
    *register_commands(":STATus:MEASurement", "measurement"),
    *register_commands(":STATus:QUEStionable", "questionable"),
    *register_commands(":STATus:OPERation", "operation"),
)

SYSTEM_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *ERROR_COMMANDS,
    *_TRIGGER,
    *_FORMAT,
    *_TRACE,
    *_SYSTEM,
)
"""Everything but source and sense."""
