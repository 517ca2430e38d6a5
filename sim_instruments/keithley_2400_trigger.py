"""Trigger model, one-shot measurement and sample buffer commands of a 2400 (user's manual, sections 11, 17 and 18)."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from .keithley_2400_settings import MOST_READINGS, FilterSettings, LayerSettings
from .scpi import Command, Reply
from .scpi_parameters import Choice, Choices, Number
from .scpi_settings import setting

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_LONGEST_DELAY_SECONDS = 999.9999


class _Count(Number):
    """A count that may be INFinite."""

    def __init__(self) -> None:
        super().__init__("", 1, MOST_READINGS, 1, is_integer=True)

    def parse(self, token: str, instrument: Any) -> float:
        """The count."""
        return math.inf if token.upper() in ("INF", "INFINITE") else super().parse(token, instrument)


_COUNT = Number("", 1, MOST_READINGS, 1, is_integer=True)
_LINE = Number("", 1, 4, is_integer=True)


def _configure(i: SimKeithley2400, function: str) -> None:
    """CONFigure: one function with what belongs to it at its default, triggered at once, output on.

    The ohms mode stays as it is (assumed), so that manual ohms can be measured this way.
    """
    settings = i.settings
    settings.arm, settings.trigger, settings.filter = LayerSettings(), LayerSettings(), FilterSettings()
    settings.cycles, settings.is_auto_zero = 1.0, True
    settings.ohms.is_compensated = False
    if function == "RES":
        settings.ohms.is_auto_range = True
    elif function != settings.function:
        settings.sense_of(function).is_auto_range = True
    i.buffer.control = "NEV"
    i.meter.restart_filter()
    i.abort()
    i.select_functions((function,))
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


def _named(events: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(event for event in events if event != "NONE")) or ("NONE",)


def _events(pattern: str, owner: str, name: str, *events: str) -> Command:
    layer = attrgetter(owner)
    return Command(
        pattern,
        write=lambda i, chosen: setattr(layer(i), name, _named(chosen)),
        query=lambda i: ",".join(getattr(layer(i), name)),
        takes=(Choices(*events, "NONE"),),
    )


def _layer(node: str, owner: str, sources: Choice, count: Number, *events: str) -> tuple[Command, ...]:
    lines = f"{node}[:TCONfigure][:ASYNchronous]"
    return (
        setting(f"{lines}:ILINe", f"{owner}.input_line", _LINE),
        setting(f"{lines}:OLINe", f"{owner}.output_line", _LINE),
        _events(f"{lines}:OUTPut", owner, "output_events", *events),
        setting(f"{node}:COUNt", f"{owner}.count", count),
        setting(f"{node}:SOURce", f"{owner}.source", sources),
        setting(f"{node}[:TCONfigure]:DIRection", f"{owner}.direction", Choice("ACCeptor", "SOURce")),
    )


_ARM = ":ARM[:SEQuence[1]][:LAYer[1]]"
_TRIGGER = ":TRIGger[:SEQuence[1]]"
_MOMENTS = ("SOURce", "DELay", "SENSe")

TRIGGER_COMMANDS: tuple[Command, ...] = (
    Command(":INITiate[:IMMediate]", write=lambda i: i.initiate()),
    Command(":ABORt", write=lambda i: i.abort()),
    Command(":READ", query=lambda i: i.read()),
    Command(":FETCh", query=lambda i: i.when_idle(i.fetch)),
    Command("[:SENSe[1]]:DATA[:LATest]", query=lambda i: i.when_idle(i.fetch_latest)),
    Command(":CONFigure", query=_show_configured),
    Command(":MEASure", query=lambda i: _measure(i, i.settings.functions[-1] if i.settings.functions else "CURR")),
    *_ONE_SHOT,
    *_layer(
        _ARM,
        "settings.arm",
        Choice("IMMediate", "TIMer", "MANual", "BUS", "TLINk", "NSTest", "PSTest", "BSTest"),
        _Count(),
        "TENTer",
        "TEXit",
    ),
    setting(f"{_ARM}:TIMer", "settings.arm.timer_seconds", Number("S", 0.001, 99999.99, 0.1)),
    *_layer(_TRIGGER, "settings.trigger", Choice("IMMediate", "TLINk"), _COUNT, *_MOMENTS),
    _events(f"{_TRIGGER}[:TCONfigure][:ASYNchronous]:INPut", "settings.trigger", "input_events", *_MOMENTS),
    setting(f"{_TRIGGER}:DELay", "settings.trigger.delay_seconds", Number("S", 0, _LONGEST_DELAY_SECONDS, 0)),
    Command(":TRIGger:CLEar", write=lambda i: i.model.clear_inputs()),
)
"""When readings are taken."""
