"""Trigger, digital port, display, status and system commands of a Keithley 7001 (instruction manual, section 5)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from .keithley_7001_settings import DigitalOutput
from .keithley_7001_status import STATUS_COMMANDS
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS
from .scpi_parameters import Choice, Number, Parameter, Switch, Text
from .scpi_settings import setting, show_switch

if TYPE_CHECKING:
    from .keithley_7001 import SimKeithley7001

_LONGEST_SECONDS = 99999.999
_MOST_EVENTS = 99999
_SOURCES = ("HOLD", "MANual", "IMMediate", "BUS", "TLINk", "EXTernal")


def _ignore(*_: Any) -> None:
    """Accepted; has no effect on what is connected."""


class _Count(Number):
    """A count that may be INFinite."""

    def __init__(self) -> None:
        super().__init__("", 1, _MOST_EVENTS, 1, is_integer=True)

    def parse(self, token: str, instrument: Any) -> float:
        """The count."""
        return math.inf if token.upper() in ("INF", "INFINITE", "INFINITY") else super().parse(token, instrument)


class _Range(Parameter):
    """`(-110:-222, -220)`: errors to be queued, or not; all are queued here."""

    def parse(self, token: str, instrument: Any) -> str:
        """The list as it was sent."""
        if not (token.startswith("(") and token.endswith(")")):
            raise ScpiError(-171)
        return token


class _SlotOrAll(Number):
    """A slot number or ALL; parses to the slots."""

    def __init__(self) -> None:
        super().__init__("", 1, lambda i: float(i.slots), 1, is_integer=True)

    def parse(self, token: str, instrument: Any) -> Any:
        """The slots."""
        every = range(1, instrument.slots + 1)
        return tuple(every) if token.upper() == "ALL" else (int(super().parse(token, instrument)),)


def _power_on(i: SimKeithley7001, slots: tuple[int, ...]) -> None:
    i.bring_to(channel for channel in i.closed if channel[0] not in slots)
    fresh = type(i.settings.slots[1])
    for slot in slots:
        i.settings.slots[slot] = fresh()


def _layer(node: str, owner: str, layer: str, sources: Choice) -> tuple[Command, ...]:
    return (
        Command(f"{node}:IMMediate", write=lambda i: i.scanner.pass_by(layer)),
        Command(f"{node}:SIGNal", write=lambda i: i.scanner.pass_by(layer)),
        setting(f"{node}:SOURce", f"{owner}.source", sources),
        setting(f"{node}:TCONfigure:DIRection", f"{owner}.direction", Choice("SOURce", "ACCeptor")),
        setting(f"{node}:TCONfigure:ASYNchronous:ILINe", f"{owner}.input_line", _line()),
        setting(f"{node}:TCONfigure:ASYNchronous:OLINe", f"{owner}.output_line", _line()),
    )


def _line() -> Parameter:
    return Number("", 1, 6, 1, is_integer=True)


def _seconds(default: float) -> Number:
    return Number("S", 0, _LONGEST_SECONDS, default)


def _set_channel_count(i: SimKeithley7001, count: float) -> None:
    i.settings.channel.count, i.settings.channel.is_auto_count = count, False


def _show_count(count: float) -> str:
    return str(int(count)) if math.isfinite(count) else "+9.9E37"


_ARM, _SCAN, _CHANNEL = (
    ":ARM[:SEQuence[1]][:LAYer[1]]",
    ":ARM[:SEQuence[1]]:LAYer2",
    ":TRIGger[:SEQuence[1]]",
)
_WITH_TIMER = Choice(*_SOURCES, "TIMer")
_TRIGGER: tuple[Command, ...] = (
    Command(":INITiate[:IMMediate]", write=lambda i: i.scanner.initiate()),
    setting(":INITiate:CONTinuous", "settings.is_continuous", Switch(), after=lambda i: i.scanner.continue_if_set()),
    Command(":ABORt", write=lambda i: i.abort_scan()),
    *_layer(_ARM, "settings.arm", "arm", Choice(*_SOURCES)),
    *_layer(_SCAN, "settings.scan", "scan", _WITH_TIMER),
    *_layer(_CHANNEL, "settings.channel", "channel", _WITH_TIMER),
    setting(f"{_ARM}:COUNt", "settings.arm.count", _Count(), show=_show_count),
    setting(f"{_SCAN}:COUNt", "settings.scan.count", _Count(), show=_show_count),
    setting(f"{_SCAN}:DELay", "settings.scan.delay_seconds", _seconds(0)),
    setting(f"{_SCAN}:TIMer", "settings.scan.timer_seconds", _seconds(0.1)),
    Command(
        f"{_CHANNEL}:COUNt",
        write=_set_channel_count,
        query=lambda i: _show_count(i.settings.channel_count),
        takes=(_Count(),),
    ),
    setting(f"{_CHANNEL}:COUNt:AUTO", "settings.channel.is_auto_count", Switch()),
    setting(f"{_CHANNEL}:TCONfigure[:PROTocol]", "settings.channel.protocol", Choice("ASYNchronous", "SSYNchronous")),
    setting(f"{_CHANNEL}:TCONfigure:SSYNchronous:LINE", "settings.channel.input_line", _line()),
    setting(f"{_CHANNEL}:DELay", "settings.channel.delay_seconds", _seconds(0)),
    setting(f"{_CHANNEL}:TIMer", "settings.channel.timer_seconds", _seconds(0.1)),
)


def _output(i: SimKeithley7001, line: int) -> DigitalOutput:
    if line not in i.settings.outputs:
        raise ScpiError(-114)
    return i.settings.outputs[line]


def _set_output(i: SimKeithley7001, line: int, is_on: bool) -> None:
    _output(i, line).is_on = is_on


def _set_sense(i: SimKeithley7001, line: int, sense: str) -> None:
    _output(i, line).sense = sense


def _input(port: int, line: int) -> str:
    """The level of an input line; nothing pulls it down. A 7001 has one input, its manual names it port 2 or 1."""
    if port not in (1, 2) or line != 1:
        raise ScpiError(-114)
    return "1"


_DIGITAL: tuple[Command, ...] = (
    *(
        Command(
            pattern,
            write=_set_output,
            query=lambda i, line: show_switch(_output(i, line).is_on),
            takes=(Switch(),),
        )
        for pattern in (":OUTPut[1]:TTL<n>[:STATe]", ":SOURce[1]:TTL<n>[:LEVel]")
    ),
    Command(
        ":OUTPut[1]:TTL<n>:LSENse",
        write=_set_sense,
        query=lambda i, line: _output(i, line).sense,
        takes=(Choice("AHIGh", "ALOW"),),
    ),
    Command(":SENSe<n>:TTL<n>:DATA", query=lambda i, port, line: _input(port, line)),
)

_SYSTEM: tuple[Command, ...] = (
    Command("*OPT", query=lambda i: ",".join(i.cards[s].name if s in i.cards else "NONE" for s in i.settings.slots)),
    Command(":SYSTem:PRESet", write=lambda i: i.reset()),
    Command(":SYSTem:CPON", write=_power_on, takes=(_SlotOrAll(),)),
    setting(":SYSTem:POSetup", "kept.power_on_setup", Choice("RST", "PRESet", *(f"SAV{n}" for n in range(10)))),
    Command(":SYSTem:VERSion", query=lambda i: "1991.0"),
    setting(":SYSTem:KEY", "settings.latest_key", Number("", 1, 31, 1, is_integer=True)),
    Command(":STATus:QUEue:ENABle", write=_ignore, query=lambda i: "()", takes=(_Range(),)),
    Command(":STATus:QUEue:DISable", write=_ignore, query=lambda i: "()", takes=(_Range(),)),
    setting(":DISPlay:ENABle", "settings.is_display_on", Switch()),
    setting(":DISPlay[:WINDow[1]]:TEXT:DATA", "settings.display_text", Text()),
    setting(":DISPlay[:WINDow[1]]:TEXT:STATe", "settings.is_display_text_on", Switch()),
    setting(":DISPlay:SMESsage[:STATe]", "settings.shows_scan_list", Switch()),
)

SYSTEM_COMMANDS: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    *ERROR_COMMANDS,
    *_TRIGGER,
    *_DIGITAL,
    *_SYSTEM,
    *STATUS_COMMANDS,
)
"""Everything but ROUTe."""
