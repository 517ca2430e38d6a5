"""FORMat, STATus, SYSTem, CALCulate and DISPlay commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keithley_2450_settings import ignore
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, register_commands
from .scpi_parameters import Choice, Choices, Number, Switch, Text
from .scpi_settings import setting

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_NUMBER = Number("", 1, 255, is_integer=True)
_FORMAT = (
    setting(":FORMat[:DATA]", "settings.format.data", Choice("ASCii", "REAL", "SREal")),
    setting(":FORMat:BORDer", "settings.format.border", Choice("NORMal", "SWAPped")),
    setting(":FORMat:ASCii:PRECision", "settings.format.precision", Number("", 0, 16, 0, is_integer=True)),
)

_EVENT_TYPES = Choices("ERRor", "WARNing", "INFormational", "ALL", is_optional=True)
_EVENT_TYPE = Choice("ERRor", "WARNing", "INFormational", "ALL", is_optional=True)


def _clear_status(i: SimKeithley2450) -> None:
    i.status.event_status = 0
    for group in i.status.groups.values():
        group.event = 0


_EVENTS = (
    Command(":SYSTem:ERRor[:NEXT]", query=lambda i: i.events.told(i.status.errors.take())),
    Command(":SYSTem:ERRor:CODE[:NEXT]", query=lambda i: str(i.status.errors.take().code)),
    Command(":SYSTem:ERRor:COUNt", query=lambda i: str(len(i.status.errors))),
    Command(":SYSTem:EVENtlog:NEXT", query=lambda i, _: i.events.told(i.status.errors.take()), asks=(_EVENT_TYPES,)),
    Command(":SYSTem:EVENtlog:COUNt", query=lambda i, _: str(len(i.status.errors)), asks=(_EVENT_TYPES,)),
    Command(
        ":SYSTem:EVENtlog:POST", write=lambda i, text, kind: i.events.post(text, kind), takes=(Text(), _EVENT_TYPE)
    ),
    Command(":SYSTem:CLEar", write=lambda i: i.status.errors.clear()),
    Command(":STATus:CLEar", write=_clear_status),
    Command(":STATus:PRESet", write=lambda i: i.status.preset()),
    *register_commands(":STATus:QUEStionable", "questionable"),
    *register_commands(":STATus:OPERation", "operation"),
    Command(
        ":STATus:OPERation:MAP", write=ignore, query=lambda i, _: "0,0", takes=(_NUMBER, Number(), Number()),
        asks=(_NUMBER,),
    ),
    Command(
        ":STATus:QUEStionable:MAP", write=ignore, query=lambda i, _: "0,0", takes=(_NUMBER, Number(), Number()),
        asks=(_NUMBER,),
    ),
)  # fmt: skip

_SCREENS = Choice(
    "HOME", "HOME_LARGe_reading", "READing_table", "GRAPh", "HISTogram", "SWIPE_GRAPh", "SWIPE_SETTings",
    "SWIPE_SOURce", "SWIPE_STATistics", "SWIPE_USER", "SWIPE_PLOT", "PROCessing", "SOURce",
)  # fmt: skip

_SYSTEM = (
    Command(
        "*LANG",
        write=lambda i, language: i.select_language(language),
        query=lambda i: i.language,
        takes=(Choice("SCPI", "TSP", "SCPI2400"),),
    ),
    Command(":SYSTem:LFRequency", query=lambda i: f"{i.world.line_hertz:.0f}"),
    Command(":SYSTem:VERSion", query=lambda i: "1999.0"),
    Command(":SYSTem:TIME", write=ignore, query=lambda i, _: i.clock_text(), takes=(Number(),) * 3,
            asks=(Choice("1", is_optional=True),)),
    Command(":SYSTem:BEEPer[:IMMediate]", write=ignore, takes=(Number("HZ", 20, 8000), Number("S", 0.001, 100))),
    Command(":SYSTem:ACCess", write=ignore, query=lambda i: "FULL",
            takes=(Choice("FULL", "EXCLusive", "PROTected", "LOCKout"),)),
    Command(":SYSTem:POSetup", write=ignore, query=lambda i: "RST",
            takes=(Choice("RST", *(f"SAV{k}" for k in range(5))),)),
    Command(":SYSTem:LOCal", write=ignore),
    Command(":SYSTem:COMMunication:LAN:MACaddress", query=lambda i: '"00:60:1a:00:00:00"'),
    Command(":DISPlay:SCReen", write=ignore, takes=(_SCREENS,)),
    Command(":DISPlay:CLEar", write=ignore),
    Command(":DISPlay:LIGHt:STATe", write=ignore, query=lambda i: "ON50",
            takes=(Choice("ON100", "ON75", "ON50", "ON25", "OFF", "BLACkout"),)),
    Command(":DISPlay:BUFFer:ACTive", write=ignore, query=lambda i: '"defbuffer1"', takes=(Text(),)),
    Command(":DISPlay:READing:FORMat", write=ignore, query=lambda i: "PREF", takes=(Choice("PREFix", "EXPonent"),)),
    *(Command(f":DISPlay:USER{k}:TEXT[:DATA]", write=ignore, takes=(Text(),)) for k in (1, 2)),
)  # fmt: skip


def _no_math(is_on: bool) -> None:
    """Limit tests and math are not simulated."""
    if is_on:
        raise ScpiError(-221)


_CALCULATE = tuple(
    command
    for node in ("VOLTage[:DC]", "CURRent[:DC]", "RESistance")
    for command in (
        Command(
            f":CALCulate[1]:{node}:MATH:STATe",
            write=lambda i, is_on: _no_math(is_on),
            query=lambda i: "0",
            takes=(Switch(),),
        ),
        Command(
            f":CALCulate2:{node}:LIMit<n>:STATe",
            write=lambda i, n, is_on: _no_math(is_on),
            query=lambda i, n: "0",
            takes=(Switch(),),
        ),
    )
)

SYSTEM_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *_FORMAT,
    *_EVENTS,
    *_SYSTEM,
    *_CALCULATE,
)
"""Everything but source, sense, readings and triggers."""
