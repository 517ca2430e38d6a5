"""SENSe, READ, MEASure, FETCh and TRACe commands of a GS200: its monitor."""

from __future__ import annotations

from collections.abc import Callable
from statistics import mean
from typing import TYPE_CHECKING

from .scpi import Command
from .scpi_parameters import Choice, Number, Switch
from .scpi_settings import setting
from .yokogawa_gs200_monitor import MOST_STORED, NO_READING

if TYPE_CHECKING:
    from .yokogawa_gs200 import SimYokogawaGS200


def interval(pattern: str, path: str, low: float, default: float) -> Command:
    """A time in seconds, in tenths."""
    return setting(pattern, path, Number("S", low, 3600.0, default), show=lambda seconds: f"{seconds:.1f}")


def _apply(i: SimYokogawaGS200) -> None:
    i.apply_output()


def _monitor_changed(i: SimYokogawaGS200) -> None:
    i.monitor_changed()


class _MonitorTrigger(Choice):
    """READy, TIMer, COMMunicate or IMMediate."""

    def __init__(self) -> None:
        super().__init__("READy", "TIMer", "COMMunicate", "IMMediate")


_MONITOR: tuple[Command, ...] = (
    setting(":SENSe[:STATe]", "settings.monitor.is_on", Switch(), after=_monitor_changed),
    setting(":SENSe:NPLC", "settings.monitor.cycles", Number("", 1, 25, 1, is_integer=True), after=_monitor_changed),
    setting(":SENSe:DELay", "settings.monitor.delay_milliseconds", Number("", 0, 999_999, 0, is_integer=True)),
    setting(":SENSe:TRIGger", "settings.monitor.trigger", _MonitorTrigger(), after=_monitor_changed),
    interval(":SENSe:INTerval", "settings.monitor.interval", 0.1, 0.1),
    setting(":SENSe:REMote", "settings.monitor.is_remote", Switch(), after=_apply),
    setting(":SENSe:GUARd", "settings.monitor.is_guarded", Switch()),
    setting(":SENSe:NULL[:STATe]", "settings.monitor.is_null_on", Switch()),
    setting(":SENSe:NULL:VALue", "settings.monitor.null", Number("", -1e3, 1e3, 0)),
    Command(":SENSe:ZERO[:EXECute]", write=lambda i: i.zero()),
    setting(":SENSe:ZERO:AUTO", "settings.monitor.is_zeroed", Switch()),
    Command(":INITiate", write=lambda i: i.begin_measurement()),
    Command(":FETCh", query=lambda i: i.tell_measured()),
    Command(":READ", query=lambda i: i.measure()),
    Command(":MEASure", query=lambda i: i.measure()),
)


def _count_stored(i: SimYokogawaGS200) -> str:
    i.poll_condition()
    return str(len(i.monitor.storage))


def _stored(i: SimYokogawaGS200) -> str:
    i.poll_condition()
    return ",".join(i.told(reading) for reading in i.monitor.storage) or NO_READING


def _statistic(name: str, find: Callable[[list[float]], float]) -> Command:
    def show(i: SimYokogawaGS200) -> str:
        i.poll_condition()
        return i.told(find(i.monitor.storage) if i.monitor.storage else None)

    return Command(f":TRACe:CALCulate:{name}", query=show)


_TRACE: tuple[Command, ...] = (
    Command(
        ":TRACe[:STATe]",
        write=lambda i, is_on: i.store(is_on),
        query=lambda i: str(int(i.monitor.is_storing)),
        takes=(Switch(),),
    ),
    setting(":TRACe:POINts", "monitor.points", Number("", 1, MOST_STORED, 100, is_integer=True)),
    Command(":TRACe:ACTual", query=_count_stored),
    Command(":TRACe:DATA:READ", query=_stored),
    _statistic("MINimum", min),
    _statistic("MAXimum", max),
    _statistic("AVERage", mean),
)
"""Storage of readings; from memory and to be checked."""

MONITOR_COMMANDS: tuple[Command, ...] = (*_MONITOR, *_TRACE)
"""How the monitor is used."""
