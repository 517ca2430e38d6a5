"""FORMat, STATus, SYSTem, CALCulate, DISPlay and digital I/O of a B2900A (SCPI Command Reference, chapter 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keysight_b2900_commands import CHANNELS, ignore
from .keysight_b2900_settings import ELEMENTS
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS
from .scpi_parameters import Choice, Choices, Number, Parameter, Switch, Text, parse_number
from .scpi_settings import setting

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900


class _RealLength(Parameter):
    """The 32 or 64 of REAL."""

    is_optional = True

    def parse(self, token: str, instrument: object) -> int:
        """Bits of a number."""
        bits = parse_number(token)
        if bits not in (32, 64):
            raise ScpiError(-224)
        return int(bits)


def _write_format(i: SimKeysightB2900, name: str, bits: int | None) -> None:
    i.format.data = name if name == "ASC" else f"REAL,{bits or 64}"


def _write_elements(i: SimKeysightB2900, names: list[str]) -> None:
    i.format.elements = tuple(name for name in ELEMENTS if name in names)


_FORMAT = (
    Command(
        ":FORMat[:DATA]",
        write=_write_format,
        query=lambda i: i.format.data,
        takes=(Choice("ASCii", "REAL"), _RealLength()),
    ),
    setting(":FORMat:BORDer", "format.border", Choice("NORMal", "SWAPped")),
    Command(
        ":FORMat:ELEMents:SENSe",
        write=_write_elements,
        query=lambda i: ",".join(i.format.elements),
        takes=(Choices("VOLTage", "CURRent", "RESistance", "TIME", "STATus", "SOURce"),),
    ),
    Command(
        ":FORMat:ELEMents:CALCulate",
        write=ignore,
        query=lambda i: "CALC",
        takes=(Choices("CALC", "TIME", "STATus"),),
    ),
    setting(":FORMat:SREGister", "format.registers", Choice("ASCii", "HEXadecimal", "OCTal", "BINary")),
)

_MASK = Number("", 0, 65535, is_integer=True)


def _shown_register(i: SimKeysightB2900, value: int) -> str:
    styles = {"ASC": "{}", "HEX": "#H{:X}", "OCT": "#Q{:o}", "BIN": "#B{:b}"}
    return styles[i.format.registers].format(value)


def _group_commands(node: str, group: str) -> tuple[Command, ...]:
    def write_enable(i: SimKeysightB2900, mask: float) -> None:
        i.status.groups[group].enable = int(mask)

    def condition(i: SimKeysightB2900) -> str:
        i.refresh_status()
        return _shown_register(i, i.condition(group))

    def event(i: SimKeysightB2900) -> str:
        i.refresh_status()
        return _shown_register(i, i.status.groups[group].take_event())

    return (
        Command(f":STATus:{node}[:EVENt]", query=event),
        Command(f":STATus:{node}:CONDition", query=condition),
        Command(
            f":STATus:{node}:ENABle",
            write=write_enable,
            query=lambda i: _shown_register(i, i.status.groups[group].enable),
            takes=(_MASK,),
        ),
        Command(f":STATus:{node}:PTRansition", write=ignore, query=lambda i: "32767", takes=(_MASK,)),
        Command(f":STATus:{node}:NTRansition", write=ignore, query=lambda i: "0", takes=(_MASK,)),
    )


def _error(error: ScpiError) -> str:
    return f'{error.code:+d},"{error.text}"'


def _all_errors(i: SimKeysightB2900) -> str:
    entries = [_error(i.status.errors.take()) for _ in range(len(i.status.errors))]
    return ",".join(entries) or _error(ScpiError(0))


def _all_codes(i: SimKeysightB2900) -> str:
    entries = [f"{i.status.errors.take().code:+d}" for _ in range(len(i.status.errors))]
    return ",".join(entries) or "+0"


_STATUS = (
    *_group_commands("MEASurement", "measurement"),
    *_group_commands("QUEStionable", "questionable"),
    *_group_commands("OPERation", "operation"),
    Command(":STATus:PRESet", write=lambda i: i.status.preset()),
    Command(":SYSTem:ERRor[:NEXT]", query=lambda i: _error(i.status.errors.take())),
    Command(":SYSTem:ERRor:ALL", query=_all_errors),
    Command(":SYSTem:ERRor:COUNt", query=lambda i: str(len(i.status.errors))),
    Command(":SYSTem:ERRor:CODE[:NEXT]", query=lambda i: f"{i.status.errors.take().code:+d}"),
    Command(":SYSTem:ERRor:CODE:ALL", query=_all_codes),
)


def _shown_channels(i: SimKeysightB2900) -> str:
    return "(@" + ",".join(str(channel.number) for channel in i.channels) + ")"


_SYSTEM = (
    Command(":SYSTem:LFRequency", write=ignore, query=lambda i: f"{i.world.line_hertz:.0f}", takes=(Number("HZ"),)),
    Command(":SYSTem:INTerlock:TRIPped", query=lambda i: "0"),
    Command(":SYSTem:PRESet", write=lambda i: i.reset()),
    Command(":SYSTem:VERSion", query=lambda i: "1999.0"),
    Command(":SYSTem:CHANnel:COUNt", query=lambda i: str(len(i.channels))),
    Command(":SYSTem:GROup[:DEFinition]", write=ignore, query=_shown_channels, takes=(CHANNELS,)),
    Command(":SYSTem:TIME:TIMer:COUNt", query=lambda i: f"{i.seconds:+.6E}"),
    Command(":SYSTem:TIME:TIMer:COUNt:RESet[:IMMediate]", write=lambda i: i.reset_time()),
    setting(":SYSTem:TIME:TIMer:COUNt:RESet:AUTO", "system.is_time_auto_reset", Switch()),
    Command(":SYSTem:BEEPer[:IMMediate]", write=ignore, takes=(Number("HZ", 55, 6640), Number("S", 0.05, 12.75))),
    Command(":SYSTem:BEEPer:STATe", write=ignore, query=lambda i: "0", takes=(Switch(),)),
    Command(":SYSTem:LOCK:OWNer", query=lambda i: "NONE"),
    Command(":SYSTem:LOCK:REQuest", query=lambda i: "1"),
    Command(":SYSTem:LOCK:RELease", write=ignore),
    Command(":SYSTem:LOCal", write=ignore),
    Command(":SYSTem:REMote", write=ignore),
    Command(":SYSTem:RWLock", write=ignore),
    Command(":SYSTem:FAN:MODE", write=ignore, query=lambda i: "NORM", takes=(Choice("NORMal", "RACK"),)),
    Command(":SYSTem:PON", write=ignore, query=lambda i: "RST", takes=(Choice("RST", "RCL0", "RCL1", "RCL2"),)),
    Command("*OPT", query=lambda i: "0"),
    Command("*LRN", query=lambda i: f":SYST:LFR {i.world.line_hertz:.0f}"),
)


def _limit_test(is_on: bool) -> None:
    """Limit tests and math are accepted as long as they stay off; their results are not simulated."""
    if is_on:
        raise ScpiError(-221)


_CALCULATE = (
    Command(":CALCulate<c>:LIMit<m>:STATe", write=lambda i, c, m, on: _limit_test(on), query=lambda i, c, m: "0",
            takes=(Switch(),)),
    Command(":CALCulate<c>:CLIMits:STATe", write=lambda i, c, on: _limit_test(on), query=lambda i, c: "0",
            takes=(Switch(),)),
    Command(":CALCulate<c>:MATH:STATe", write=lambda i, c, on: _limit_test(on), query=lambda i, c: "0",
            takes=(Switch(),)),
    Command(":CALCulate<c>:OFFSet:STATe", write=lambda i, c, on: _limit_test(on), query=lambda i, c: "0",
            takes=(Switch(),)),
)  # fmt: skip

_PANEL = (
    setting(":DISPlay:ENABle", "system.is_display_on", Switch()),
    Command(":DISPlay:DIGits", write=ignore, query=lambda i: "7", takes=(Number("", 4, 7),)),
    Command(
        ":DISPlay:VIEW", write=ignore, query=lambda i: "SING1",
        takes=(Choice("SINGle1", "SINGle2", "DUAL", "GRAPh", "ROLL"),)
    ),
    Command(":DISPlay:ZOOM", write=ignore, query=lambda i: "0", takes=(Switch(),)),
    Command(":DISPlay:CSET", write=ignore, query=lambda i: "1", takes=(Number("", 1, 2),)),
    Command(":DISPlay[:WINDow<d>]:TEXT:DATA", write=ignore, query=lambda i, *_: '""', takes=(Text(),)),
    Command(":DISPlay[:WINDow<d>]:TEXT:STATe", write=ignore, query=lambda i, *_: "0", takes=(Switch(),)),
    Command(
        ":SOURce:DIGital:EXTernal<n>:FUNCtion", write=ignore, query=lambda i, n: "DINP",
        takes=(Choice("DIO", "DINPut", "HVOL", "TINPut", "TOUTput"),)
    ),
    Command(
        ":SOURce:DIGital:EXTernal<n>:POLarity", write=ignore, query=lambda i, n: "NEG",
        takes=(Choice("NEGative", "POSitive"),)
    ),
    Command(
        ":SOURce:DIGital:EXTernal<n>:TOUTput[:EDGE]:POSition", write=ignore, query=lambda i, n: "BOTH",
        takes=(Choice("BEFore", "AFTer", "BOTH"),)
    ),
    Command(
        ":SOURce:DIGital:EXTernal<n>:TOUTput[:EDGE]:WIDTh", write=ignore, query=lambda i, n: "+1.000000E-04",
        takes=(Number("S", 1e-5, 1e-2),)
    ),
    Command(
        ":SOURce:DIGital:EXTernal<n>:TOUTput:TYPE", write=ignore, query=lambda i, n: "EDGE",
        takes=(Choice("EDGE", "LEVel"),)
    ),
    Command(":SOURce:DIGital:DATA", write=ignore, query=lambda i: "0", takes=(Number("", 0, 16383),)),
    Command(":HCOPy:SDUMp:FORMat", write=ignore, query=lambda i: "JPG", takes=(Choice("JPG", "BMP", "PNG", "WMF"),)),
)  # fmt: skip

SYSTEM_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *_FORMAT,
    *_STATUS,
    *_SYSTEM,
    *_CALCULATE,
    *_PANEL,
)
"""Everything but source, sense and trigger."""
