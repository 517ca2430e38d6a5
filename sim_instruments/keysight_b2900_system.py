"""FORMat, STATus, SYSTem and common commands of a B2900A (SCPI Command Reference, chapters 3 and 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keysight_b2900_commands import CHANNELS, ignore, register_text
from .keysight_b2900_errors import refusal, told
from .keysight_b2900_settings import CALCULATED, ELEMENTS
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS
from .scpi_parameters import Choice, Choices, Number, Parameter, Switch, parse_number
from .scpi_settings import setting
from .status_488 import OPERATION_COMPLETE

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900
    from .keysight_b2900_channel import Channel


class _RealLength(Parameter):
    """The 32 or 64 of REAL."""

    is_optional = True

    def parse(self, token: str, instrument: object) -> int:
        """Bits of a number."""
        bits = parse_number(token)
        if bits not in (32, 64):
            raise ScpiError(-224)
        return int(bits)


_DATA_FORMATS = {"REAL32": "REAL,32", "REAL64": "REAL,64"}
"""Spellings in one word, as the manual's examples have them."""


def _write_format(i: SimKeysightB2900, name: str, bits: int | None) -> None:
    i.format.data = _DATA_FORMATS.get(name) or (name if name == "ASC" else f"REAL,{bits or 64}")


def _write_elements(i: SimKeysightB2900, names: list[str]) -> None:
    i.format.elements = tuple(name for name in ELEMENTS if name in names)


def _write_calculated(i: SimKeysightB2900, names: list[str]) -> None:
    i.format.calculated = tuple(name for name in CALCULATED if name in names)


_STYLES = Choice("ASCii", "HEXadecimal", "OCTal", "BINary")
_FORMAT = (
    Command(
        ":FORMat[:DATA]",
        write=_write_format,
        query=lambda i: i.format.data,
        takes=(Choice("ASCii", "REAL", "REAL32", "REAL64"), _RealLength()),
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
        write=_write_calculated,
        query=lambda i: ",".join(i.format.calculated),
        takes=(Choices("CALC", "TIME", "STATus"),),
    ),
    setting(":FORMat:SREGister", "format.registers", _STYLES),
    setting(":FORMat:DIGital", "format.digital", _STYLES),
)

_MASK = Number("", 0, 65535, is_integer=True)


def _group_commands(node: str, group: str) -> tuple[Command, ...]:
    def of_group(name: str) -> Command:
        def write(i: SimKeysightB2900, mask: float) -> None:
            setattr(i.registers.groups[group], name, int(mask) & 0x7FFF)

        def query(i: SimKeysightB2900) -> str:
            return register_text(getattr(i.registers.groups[group], name), i.format.registers)

        return Command(f":STATus:{node}:{_GROUP_NODES[name]}", write=write, query=query, takes=(_MASK,))

    def condition(i: SimKeysightB2900) -> str:
        i.let_time_pass()
        i.refresh_status()
        return register_text(i.condition(group), i.format.registers)

    def event(i: SimKeysightB2900) -> str:
        i.let_time_pass()
        i.refresh_status()
        return register_text(i.registers.groups[group].take_event(), i.format.registers)

    return (
        Command(f":STATus:{node}[:EVENt]", query=event),
        Command(f":STATus:{node}:CONDition", query=condition),
        *(of_group(name) for name in _GROUP_NODES),
    )


_GROUP_NODES = {"enable": "ENABle", "positive": "PTRansition", "negative": "NTRansition"}


def _all_errors(i: SimKeysightB2900) -> str:
    entries = [told(i.status.errors.take()) for _ in range(len(i.status.errors))]
    return ",".join(entries) or told(ScpiError(0))


def _all_codes(i: SimKeysightB2900) -> str:
    entries = [f"{i.status.errors.take().code:+d}" for _ in range(len(i.status.errors))]
    return ",".join(entries) or "+0"


_STATUS = (
    *_group_commands("MEASurement", "measurement"),
    *_group_commands("QUEStionable", "questionable"),
    *_group_commands("OPERation", "operation"),
    Command(":STATus:PRESet", write=lambda i: i.registers.preset()),
    Command(":SYSTem:ERRor[:NEXT]", query=lambda i: told(i.status.errors.take())),
    Command(":SYSTem:ERRor:ALL", query=_all_errors),
    Command(":SYSTem:ERRor:COUNt", query=lambda i: str(len(i.status.errors))),
    Command(":SYSTem:ERRor:CODE[:NEXT]", query=lambda i: f"{i.status.errors.take().code:+d}"),
    Command(":SYSTem:ERRor:CODE:ALL", query=_all_codes),
)


def _group(i: SimKeysightB2900, chosen: list[Channel] | None) -> None:
    i.system.grouped = tuple(channel.number for channel in chosen or i.channels)


def _shown_group(i: SimKeysightB2900) -> str:
    return "(@" + ",".join(str(number) for number in i.system.grouped if number <= len(i.channels)) + ")"


def _write_line_frequency(i: SimKeysightB2900, hertz: float) -> None:
    if hertz not in (50.0, 60.0):
        raise refusal(-224)
    i.lasting.line_hertz = hertz


def _quantity(i: SimKeysightB2900, chosen: list[Channel] | None) -> str:
    return ",".join(str(len(channel.readings)) for channel in chosen or i.channels[:1])


def _write_date(i: SimKeysightB2900, year: float, month: float, day: float) -> None:
    i.lasting.date = (year, month, day)


def _write_time(i: SimKeysightB2900, hour: float, minute: float, second: float) -> None:
    i.lasting.daytime_seconds = hour * 3600 + minute * 60 + second - i.clock_seconds


def _time(i: SimKeysightB2900) -> str:
    seconds = int(i.lasting.daytime_seconds + i.clock_seconds) % 86400
    return f"{seconds // 3600},{seconds // 60 % 60},{seconds % 60}"


def _whole(low: float, high: float) -> Number:
    return Number("", low, high, is_integer=True)


_CLOCK = (
    Command(
        ":SYSTem:DATE",
        write=_write_date,
        query=lambda i: ",".join(f"{part:.0f}" for part in i.lasting.date),
        takes=(_whole(2000, 2099), _whole(1, 12), _whole(1, 31)),
    ),
    Command(":SYSTem:TIME", write=_write_time, query=_time, takes=(_whole(0, 23), _whole(0, 59), _whole(0, 59))),
    Command(":SYSTem:TIME:TIMer:COUNt", query=lambda i: f"{i.seconds:+.6E}"),
    Command(":SYSTem:TIME:TIMer:COUNt:RESet[:IMMediate]", write=lambda i: i.reset_time()),
    setting(":SYSTem:TIME:TIMer:COUNt:RESet:AUTO", "system.is_time_auto_reset", Switch()),
)
_INTERFACE = Choice("GPIB", "USB", "VXI11", "SICL", "SOCKets", "WEB", "TELNet", "HISLIP")
_LAN = {
    ":ADDRess": '"169.254.5.2"',
    ":DHCP": "1",
    ":GATeway": '"0.0.0.0"',
    ":SMASk": '"255.255.0.0"',
    ":HOSTname": '"K-B2902A"',
}
"""What a unit without a network tells (assumed)."""
_COMMUNICATION = (
    setting(":SYSTem:COMMunicate:GPIB[:SELF]:ADDRess", "lasting.address", _whole(0, 30)),
    Command(
        ":SYSTem:COMMunicate:ENABle",
        write=ignore,
        query=lambda i, _: "1",
        takes=(Switch(), _INTERFACE),
        asks=(_INTERFACE,),
    ),
    *(Command(f":SYSTem:COMMunicate:LAN[:SELF]{node}", query=lambda i, told=told: told) for node, told in _LAN.items()),
    Command(":SYSTem:COMMunicate:LAN:MAC", query=lambda i: '"00:00:00:00:00:00"'),
    Command(":SYSTem:COMMunicate:TCPip:CONTrol", query=lambda i: "5000"),
)
_SYSTEM = (
    Command(
        ":SYSTem:LFRequency",
        write=_write_line_frequency,
        query=lambda i: f"{i.lasting.line_hertz:.0f}",
        takes=(Number("HZ"),),
    ),
    Command(":SYSTem:INTerlock:TRIPped", query=lambda i: "0"),
    Command(":SYSTem:PRESet", write=lambda i: i.reset()),
    Command(":SYSTem:VERSion", query=lambda i: "1999.0"),
    Command(":SYSTem:CHANnel:COUNt", query=lambda i: str(len(i.channels))),
    Command(":SYSTem:DATA:QUANtity", query=_quantity, asks=(CHANNELS,)),
    Command(":SYSTem:GROup[:DEFinition]", write=_group, query=_shown_group, takes=(CHANNELS,)),
    Command(":SYSTem:GROup:RESet", write=lambda i: _group(i, None)),
    Command(":SYSTem:LOCK:NAME", query=lambda i: '"GPIB0"'),
    Command(":SYSTem:LOCK:OWNer", query=lambda i: "NONE"),
    Command(":SYSTem:LOCK:REQuest", query=lambda i: "1"),
    Command(":SYSTem:LOCK:RELease", write=ignore),
    Command(":SYSTem:LOCal", write=ignore),
    Command(":SYSTem:REMote", write=ignore),
    Command(":SYSTem:RWLock", write=ignore),
    setting(":SYSTem:PON", "lasting.power_on", Choice("RST", "RCL0", "RCL1", "RCL2", "RCL3", "RCL4")),
    Command(":LXI:IDENtify[:STATe]", write=ignore, query=lambda i: "0", takes=(Switch(),)),
)


def _complete(i: SimKeysightB2900) -> Reply | None:
    return i.sweeps.when_idle(lambda: "1")


def _event_status(i: SimKeysightB2900) -> str:
    """A poll that finds a sweep still going on finds it incomplete, too."""
    status = i.status
    if not i.is_still_running:
        return str(status.take_event_status())
    kept = status.event_status & OPERATION_COMPLETE
    told_now, status.event_status = status.event_status & ~OPERATION_COMPLETE, kept
    return str(told_now)


def _learned(i: SimKeysightB2900) -> str:
    """*LRN?: the settings that a program most often wants back (assumed; the unit sends all)."""
    parts: list[str] = []
    for channel in i.channels:
        n, s = channel.number, channel.settings
        parts += [f":SOUR{n}:FUNC:MODE {s.function}", f":SOUR{n}:FUNC:SHAP {s.shape}"]
        parts += [f":SOUR{n}:{q} {s.sources[q].level:+.6E}" for q in ("VOLT", "CURR")]
        parts += [f":SENS{n}:{q}:PROT {s.senses[q].limit:+.6E}" for q in ("VOLT", "CURR")]
    return ";".join([*parts, f":SYST:LFR {i.lasting.line_hertz:.0f}"])


_COMMON = (
    Command("*OPC", write=lambda i: i.sweeps.complete(), query=_complete),
    Command("*ESR", query=_event_status),
    Command("*OPT", query=lambda i: "0"),
    Command("*LRN", query=_learned, is_indefinite=True),
    Command("*CAL", query=lambda i: str(i.self_test())),
)

SYSTEM_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *_COMMON,
    *_FORMAT,
    *_STATUS,
    *_CLOCK,
    *_COMMUNICATION,
    *_SYSTEM,
)
"""What concerns the instrument as a whole."""
