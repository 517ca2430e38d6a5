"""FORMat, SYSTem, DISPlay, SCRipt and common commands of a 2450 (Reference Manual, section 6 and appendix B)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .keithley_2450_elements import epoch_seconds
from .keithley_2450_events import KINDS
from .keithley_2450_settings import ignore, show_number
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS
from .scpi_parameters import Choice, Choices, Extreme, Number, Numbers, Text
from .scpi_settings import setting

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

_FORMAT = (
    setting(":FORMat[:DATA]", "settings.format.data", Choice("ASCii", "REAL", "SREal")),
    setting(":FORMat:BORDer", "settings.format.border", Choice("NORMal", "SWAPped")),
    setting(":FORMat:ASCii:PRECision", "settings.format.precision", Number("", 0, 16, 0, is_integer=True)),
)

_EVENT_TYPES = Choices("ERRor", "WARNing", "INFormational", "ALL", is_optional=True)
_EVENT_TYPE = Choice("ERRor", "WARNing", "INFormational", is_optional=True)
_SAVED_TYPE = Choice("ERRor", "WARNing", "INFormational", "ALL", is_optional=True)


def _kinds(names: Sequence[str] | None) -> set[int]:
    if not names or "ALL" in names:
        return set(KINDS.values())
    return {KINDS[name] for name in names}


def _next_event(i: SimKeithley2450, names: Sequence[str] | None) -> str:
    i.watch()
    return i.events.told(i.events.next_event(_kinds(names)))


def _count_events(i: SimKeithley2450, names: Sequence[str] | None) -> str:
    i.watch()
    return str(i.events.count(_kinds(names)))


def _save_events(i: SimKeithley2450, path: str, kind: str | None) -> None:
    lines = [i.events.told(entry) for entry in i.events.of(_kinds([kind or "ALL"]))]
    i.drive.save(path, "\n".join(lines) + "\n")


_EVENTS = (
    Command(":SYSTem:ERRor[:NEXT]", query=lambda i: i.events.told(i.status.errors.take())),
    Command(":SYSTem:ERRor:CODE[:NEXT]", query=lambda i: str(i.status.errors.take().code)),
    Command(":SYSTem:ERRor:COUNt", query=lambda i: str(len(i.status.errors))),
    Command(":SYSTem:EVENtlog:NEXT", query=_next_event, asks=(_EVENT_TYPES,)),
    Command(":SYSTem:EVENtlog:COUNt", query=_count_events, asks=(_EVENT_TYPES,)),
    Command(
        ":SYSTem:EVENtlog:POST", write=lambda i, text, kind: i.events.post(text, kind), takes=(Text(), _EVENT_TYPE)
    ),
    Command(":SYSTem:EVENtlog:SAVE", write=_save_events, takes=(Text(), _SAVED_TYPE)),
    Command(":SYSTem:CLEar", write=lambda i: i.status.errors.clear()),
)

_SCREENS = Choice(
    "HOME", "HOME_LARGe_reading", "READing_table", "GRAPh", "HISTogram", "SWIPE_GRAPh", "SWIPE_SETTings",
    "SWIPE_SOURce", "SWIPE_STATistics", "SWIPE_USER", "SWIPE_PLOT", "PROCessing", "SOURce",
)  # fmt: skip
_LIGHTS = Choice("ON100", "ON75", "ON50", "ON25", "OFF", "BLACkout")
_TEXT_LENGTHS = {1: 20, 2: 32}


def _write_text(i: SimKeithley2450, line: int, text: str) -> None:
    if line not in _TEXT_LENGTHS:
        raise ScpiError(-114)
    i.panel.texts[line] = text[: _TEXT_LENGTHS[line]]


_DISPLAY = (
    setting(":DISPlay:LIGHt:STATe", "panel.light", _LIGHTS),
    setting(":DISPlay:READing:FORMat", "panel.reading_format", Choice("PREFix", "EXPonent")),
    Command(":DISPlay:SCReen", write=lambda i, screen: setattr(i.panel, "screen", screen), takes=(_SCREENS,)),
    Command(":DISPlay:CLEar", write=lambda i: i.panel.texts.clear()),
    Command(":DISPlay:USER<n>:TEXT[:DATA]", write=_write_text, takes=(Text(),)),
    Command(
        ":DISPlay:BUFFer:ACTive",
        write=lambda i, name: setattr(i.buffers, "active", i.buffers.named(name).name),
        query=lambda i: f'"{i.buffers.active}"',
        takes=(Text(),),
    ),
)


def _set_time(i: SimKeithley2450, numbers: list[float]) -> None:
    if len(numbers) not in (3, 6):
        raise ScpiError(-109)
    i.set_clock([int(number) for number in numbers])


def _show_time(i: SimKeithley2450, style: float | None) -> str:
    return i.clock_text() if style else str(int(epoch_seconds(i.clock_seconds)))


def _no_script(i: SimKeithley2450, name: str) -> None:
    """Scripts belong to the TSP command set, which is not simulated on this model; none can have been loaded."""
    raise ScpiError(-224, f"Illegal parameter value, there is no script {name}")


def _write_lan(i: SimKeithley2450, text: str) -> None:
    manner, *addresses = text.split(",")
    if manner.upper() not in ("AUTO", "MAN", "MANUAL") or (manner.upper() != "AUTO" and not addresses):
        raise ScpiError(-224)
    short = "AUTO" if manner.upper() == "AUTO" else "MANual"
    i.nonvolatile.lan = ",".join([short, *addresses, *i.nonvolatile.lan.split(",")[1 + len(addresses) :]])


_ADDRESS = Number("", 1, 30, 18, is_integer=True)

_SYSTEM = (
    Command(
        "*LANG",
        write=lambda i, language: i.select_language(language),
        query=lambda i: i.language,
        takes=(Choice("SCPI", "TSP", "SCPI2400"),),
    ),
    Command(":SYSTem:LFRequency", query=lambda i: f"{i.world.line_hertz:.0f}"),
    Command(":SYSTem:VERSion", query=lambda i: "1996.0"),
    Command(
        ":SYSTem:TIME",
        write=_set_time,
        query=_show_time,
        takes=(Numbers(minimum=0, maximum=9999, at_most=6),),
        asks=(Number("", 0, 1, is_integer=True, is_optional=True),),
    ),
    Command(":SYSTem:BEEPer[:IMMediate]", write=ignore, takes=(Number("HZ", 20, 8000), Number("S", 0.001, 100))),
    setting(":SYSTem:ACCess", "nonvolatile.access", Choice("FULL", "EXCLusive", "PROTected", "LOCKout")),
    setting(":SYSTem:POSetup", "nonvolatile.power_on", Choice("RST", *(f"SAV{k}" for k in range(5)))),
    Command(":SYSTem:PASSword:NEW", write=lambda i, text: _set_password(i, text), takes=(Text(),)),
    Command(":SYSTem:LOCal", write=ignore),
    Command(
        ":SYSTem:GPIB:ADDRess",
        write=lambda i, number: setattr(i.nonvolatile, "gpib_address", number),
        query=lambda i, extreme: show_number(i.nonvolatile.gpib_address if extreme is None else extreme),
        takes=(_ADDRESS,),
        asks=(Extreme(_ADDRESS),),
    ),
    Command(":SYSTem:COMMunication:LAN:MACaddress", query=lambda i: '"00:60:1a:00:00:00"'),
    Command(
        ":SYSTem:COMMunication:LAN:CONFigure",
        write=_write_lan,
        query=lambda i: i.nonvolatile.lan,
        takes=(Text(),),
    ),
    Command(":SCRipt:RUN", write=_no_script, takes=(Text(),)),
)


def _set_password(i: SimKeithley2450, text: str) -> None:
    if not 0 < len(text) <= 30:
        raise ScpiError(-224)
    i.nonvolatile.password = text


def _wait(i: SimKeithley2450) -> None:
    i.finish_model()


def _complete(i: SimKeithley2450) -> None:
    i.complete_later()


def _is_complete(i: SimKeithley2450) -> Any:
    return "1" if i.finish_model() else None


SYSTEM_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    Command("*WAI", write=_wait),
    Command("*OPC", write=_complete, query=_is_complete),
    *_FORMAT,
    *_EVENTS,
    *_DISPLAY,
    *_SYSTEM,
)
"""Everything that is neither source nor measurement, buffer nor trigger."""
