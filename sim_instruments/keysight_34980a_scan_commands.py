"""Commands of a 34980A that concern scanning: scan list, triggers, delays, readings in memory, limits and alarms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from .keysight_34980a_channels import CHANNELS, SOME_CHANNELS
from .keysight_34980a_modules import NO_DMM, UNSUPPORTED, is_bus
from .keysight_34980a_readings import Limits
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import register_commands
from .scpi_parameters import Choice, Number, Switch
from .scpi_settings import setting, show_switch

if TYPE_CHECKING:
    from .keysight_34980a import SimKeysight34980A

_LONGEST_DELAY_SECONDS = 60.0
_LONGEST_TIMER_SECONDS = 359_999.0
_MOST_TRIGGERS = 500_000
_MOST_SAMPLES = 50_000
"""Of one trigger (as of an Agilent 34401A: assumed)."""
_LARGEST_LIMIT = 1e15


class _Count(Number):
    """A count that may be INFinity."""

    def special(self, word: str, instrument: object) -> float:
        """MIN, MAX, DEF or INFinity."""
        return math.inf if word.upper() in ("INF", "INFINITY") else super().special(word, instrument)


def signed(value: float) -> str:
    """A number as this maker tells counts: with a sign."""
    return f"{int(value):+d}" if math.isfinite(value) else "+9.90000000E+37"


def exponential(value: float) -> str:
    """A number with nine digits and a sign."""
    return f"{value:+.8E}"


def block(text: str) -> str:
    """A definite-length block."""
    return f"#{len(str(len(text)))}{len(text)}{text}"


def _set_scan_list(i: SimKeysight34980A, channels: list[int]) -> None:
    if any(is_bus(channel) or not i.modules[channel // 1000].can_scan for channel in channels):
        raise ScpiError(*UNSUPPORTED)
    i.settings.scan_list = sorted(set(channels)) if i.settings.scan.is_ordered else channels


def _add_to_scan(i: SimKeysight34980A, channels: list[int]) -> None:
    _set_scan_list(i, [*i.settings.scan_list, *channels])


def _remove_from_scan(i: SimKeysight34980A, channels: list[int]) -> None:
    i.settings.scan_list = [channel for channel in i.settings.scan_list if channel not in channels]


def _scan_list(i: SimKeysight34980A) -> str:
    return block(f"(@{','.join(map(str, i.settings.scan_list))})")


def _set_delay(i: SimKeysight34980A, seconds: float, channels: list[int] | None) -> None:
    i.settings.delays.update(dict.fromkeys(i.settings.scan_list if channels is None else channels, seconds))


def _delays(i: SimKeysight34980A, channels: list[int] | None) -> str:
    asked = i.settings.scan_list if channels is None else channels
    return ",".join(exponential(i.settings.delays.get(channel, 0.0)) for channel in asked)


def _set_auto_delay(i: SimKeysight34980A, is_auto: bool, channels: list[int] | None) -> None:
    for channel in i.settings.scan_list if channels is None else channels:
        if is_auto:
            i.settings.delays.pop(channel, None)
        else:
            i.settings.delays.setdefault(channel, 0.0)


def _auto_delays(i: SimKeysight34980A, channels: list[int] | None) -> str:
    asked = i.settings.scan_list if channels is None else channels
    return ",".join(show_switch(channel not in i.settings.delays) for channel in asked)


def _set_auto_trigger_delay(i: SimKeysight34980A, is_auto: bool) -> None:
    if is_auto:
        i.settings.trigger_delay_seconds = 0.0


def _set_source(i: SimKeysight34980A, source: str) -> None:
    i.settings.scan.source = source
    _check_sources(i)


def _set_advance(i: SimKeysight34980A, source: str) -> None:
    if i.measuring.is_dmm_in_use:
        raise ScpiError(-221)
    i.settings.scan.advance = source
    _check_sources(i)


def _check_sources(i: SimKeysight34980A) -> None:
    """Trigger and channel advance must not come from the same place, unless that is IMMediate."""
    settings = i.settings.scan
    if i.measuring.dmm is None and settings.source == settings.advance != "IMM":
        settings.source = "IMM"
        raise ScpiError(-221)


_SCAN: tuple[Command, ...] = (
    Command("[:ROUTe]:SCAN", write=_set_scan_list, query=_scan_list, takes=(CHANNELS,)),
    Command("[:ROUTe]:SCAN:SIZE", query=lambda i: signed(len(i.settings.scan_list))),
    Command("[:ROUTe]:SCAN:ADD", write=_add_to_scan, takes=(CHANNELS,)),
    Command("[:ROUTe]:SCAN:REMove", write=_remove_from_scan, takes=(CHANNELS,)),
    setting("[:ROUTe]:SCAN:ORDered", "settings.scan.is_ordered", Switch()),
    Command("[:ROUTe]:CHANnel:DELay", write=_set_delay, query=_delays,
            takes=(Number("S", 0, _LONGEST_DELAY_SECONDS, 0), SOME_CHANNELS), asks=(SOME_CHANNELS,)),
    Command("[:ROUTe]:CHANnel:DELay:AUTO", write=_set_auto_delay, query=_auto_delays,
            takes=(Switch(), SOME_CHANNELS), asks=(SOME_CHANNELS,)),
    Command("[:ROUTe]:CHANnel:ADVance:SOURce", write=_set_advance, query=lambda i: i.settings.scan.advance,
            takes=(Choice("EXTernal", "BUS", "IMMediate"),)),
    Command(":TRIGger:SOURce", write=_set_source, query=lambda i: i.settings.scan.source,
            takes=(Choice("IMMediate", "BUS", "EXTernal", "TIMer", "ALARm1", "ALARm2", "ALARm3", "ALARm4"),)),
    setting(":TRIGger:COUNt", "settings.scan.count", _Count("", 1, _MOST_TRIGGERS, 1, is_integer=True), show=signed),
    setting(":TRIGger:TIMer", "settings.scan.timer_seconds", Number("S", 0, _LONGEST_TIMER_SECONDS, 10),
            show=exponential),
    setting(":SWEep:COUNt", "settings.scan.sweeps", Number("", 1, _MOST_TRIGGERS, 1, is_integer=True), show=signed),
    setting(":SAMPle:COUNt", "settings.scan.samples", Number("", 1, _MOST_SAMPLES, 1, is_integer=True), show=signed),
    Command(":TRIGger:DELay:AUTO", write=_set_auto_trigger_delay, takes=(Switch(),),
            query=lambda i: show_switch(not i.settings.trigger_delay_seconds)),
    setting(":TRIGger:DELay", "settings.trigger_delay_seconds", Number("S", 0, 3600, 0), show=exponential),
    Command(":INITiate[:IMMediate]", write=lambda i: i.measuring.initiate()),
    Command(":ABORt", write=lambda i: i.measuring.scanner.abort()),
)  # fmt: skip


def _fetch(i: SimKeysight34980A) -> str | None:
    if i.measuring.dmm is None:
        raise ScpiError(*NO_DMM)
    if i.measuring.scanner.is_running:
        return None  # the answer would come with the last trigger
    if not i.measuring.memory.readings:
        raise ScpiError(-230)
    return ",".join(map(i.measuring.memory.format.show, i.measuring.memory.readings))


def _read(i: SimKeysight34980A) -> str | None:
    if i.measuring.dmm is None:
        raise ScpiError(*NO_DMM)
    i.measuring.initiate()
    return _fetch(i)


def _take(i: SimKeysight34980A, count: float | None) -> str:
    taken = i.measuring.memory.take(len(i.measuring.memory.readings) if count is None else int(count))
    return block(",".join(map(i.measuring.memory.format.show, taken)))


def _remove(i: SimKeysight34980A, count: float) -> str:
    if count > len(i.measuring.memory.readings):
        raise ScpiError(-222)
    return ",".join(map(i.measuring.memory.format.show, i.measuring.memory.take(int(count))))


def _last(i: SimKeysight34980A) -> str:
    if not i.measuring.memory.readings:
        raise ScpiError(-230)
    return i.measuring.memory.format.show(i.measuring.memory.readings[-1])


_COUNT = Number("", 1, _MOST_TRIGGERS, 1, is_integer=True)
_DATA: tuple[Command, ...] = (
    Command(":FETCh", query=_fetch),
    Command(":READ", query=_read),
    Command(":R", query=_take, asks=(Number("", 1, _MOST_TRIGGERS, is_integer=True, is_optional=True),)),
    Command(":DATA:POINts", query=lambda i: signed(len(i.measuring.memory.readings))),
    Command(":DATA:REMove", query=_remove, asks=(_COUNT,)),
    Command(":DATA:LAST", query=_last),
    setting(":FORMat:READing:UNIT", "measuring.memory.format.has_unit", Switch()),
    setting(":FORMat:READing:TIME", "measuring.memory.format.has_time", Switch()),
    setting(":FORMat:READing:CHANnel", "measuring.memory.format.has_channel", Switch()),
    setting(":FORMat:READing:ALARm", "measuring.memory.format.has_alarm", Switch()),
)


def _limits(i: SimKeysight34980A, channels: list[int] | None) -> list[Limits]:
    return [i.measuring.memory.of(channel) for channel in (i.settings.scan_list if channels is None else channels)]


def _limit(node: str, name: str) -> tuple[Command, ...]:
    def write(i: SimKeysight34980A, value: float, channels: list[int] | None) -> None:
        for limits in _limits(i, channels):
            setattr(limits, name, value)

    def write_state(i: SimKeysight34980A, is_on: bool, channels: list[int] | None) -> None:
        for limits in _limits(i, channels):
            setattr(limits, f"has_{name}", is_on)

    return (
        Command(node, write=write, takes=(Number("", -_LARGEST_LIMIT, _LARGEST_LIMIT), SOME_CHANNELS),
                query=lambda i, c: ",".join(exponential(getattr(each, name)) for each in _limits(i, c)),
                asks=(SOME_CHANNELS,)),
        Command(f"{node}:STATe", write=write_state, takes=(Switch(), SOME_CHANNELS),
                query=lambda i, c: ",".join(show_switch(getattr(each, f"has_{name}")) for each in _limits(i, c)),
                asks=(SOME_CHANNELS,)),
    )  # fmt: skip


def _assign(i: SimKeysight34980A, alarm: int, channels: list[int] | None) -> None:
    _check_alarm(alarm)
    for limits in _limits(i, channels):
        limits.alarm = alarm


def _assigned(i: SimKeysight34980A, alarm: int) -> str:
    _check_alarm(alarm)
    return block(
        f"(@{','.join(str(c) for c, limits in sorted(i.measuring.memory.limits.items()) if limits.alarm == alarm)})"
    )


def _check_alarm(alarm: int) -> None:
    if not 1 <= alarm <= 4:
        raise ScpiError(-114)


def _clear_alarm(i: SimKeysight34980A, alarm: int) -> None:
    _check_alarm(alarm)
    i.measuring.memory.alarm_lines &= ~(1 << (alarm - 1))
    i.measuring.report_alarms()


def _clear_alarms(i: SimKeysight34980A) -> None:
    i.measuring.memory.alarm_lines = 0
    i.measuring.report_alarms()


def _oldest_alarm(i: SimKeysight34980A) -> str:
    """Value, date, time, channel, limit and alarm; the date is that of the instrument's clock, which nobody has set."""
    if not i.measuring.memory.alarms:
        return "+0.00000000E+00,0000,00,00,00,00,00.000,0,0,0"
    reading, limit = i.measuring.memory.alarms.popleft()
    i.measuring.report_alarms()
    minutes, seconds = divmod(reading.seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    moment = f"2004,01,01,{hours:02d},{minutes:02d},{seconds:06.3f}"
    return f"{exponential(reading.value)},{moment},{reading.channel},{limit},{reading.alarm}"


_ALARMS: tuple[Command, ...] = (
    *_limit(":CALCulate:LIMit:UPPer", "upper"),
    *_limit(":CALCulate:LIMit:LOWer", "lower"),
    Command(":OUTPut:ALARm<n>:SOURce", write=_assign, query=_assigned, takes=(SOME_CHANNELS,)),
    Command(":OUTPut:ALARm<n>:CLEar", write=_clear_alarm),
    Command(":OUTPut:ALARm:CLEar:ALL", write=_clear_alarms),
    Command(":SYSTem:ALARm", query=_oldest_alarm),
    *register_commands(":STATus:ALARm", "alarm"),
)

SCAN_COMMANDS: tuple[Command, ...] = (*_SCAN, *_DATA, *_ALARMS)
"""Everything around scans."""
