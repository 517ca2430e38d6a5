"""Commands of a GS200: what public programs send, the rest from memory and to be checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS
from .scpi_parameters import Choice, Extreme, Number, Parameter, Switch, Text, parse_number
from .scpi_settings import setting
from .yokogawa_gs200_monitor_commands import MONITOR_COMMANDS, interval
from .yokogawa_gs200_settings import PROTECTION_AMPS, PROTECTION_VOLTS

if TYPE_CHECKING:
    from .yokogawa_gs200 import SimYokogawaGS200

_FUNCTIONS = ("VOLTage", "CURRent")


class _Range(Parameter):
    """A range's value, MIN, MAX, UP or DOWN; parses to a number."""

    def parse(self, token: str, instrument: Any) -> float:
        """A value that the range must reach."""
        source = instrument.programmed
        scales = [candidate.full_scale for candidate in source.ranges]
        words = {
            "MIN": 0,
            "MINIMUM": 0,
            "MAX": len(scales) - 1,
            "MAXIMUM": len(scales) - 1,
            "UP": min(source.range + 1, len(scales) - 1),
            "DOWN": max(source.range - 1, 0),
        }
        word = token.upper()
        return scales[words[word]] if word in words else parse_number(token, _unit(source.function))


class _Level(Parameter):
    """A level, MIN or MAX."""

    def parse(self, token: str, instrument: Any) -> float:
        """The level."""
        source = instrument.programmed
        word = token.upper()
        if word in ("MIN", "MINIMUM"):
            return float(-source.most)
        if word in ("MAX", "MAXIMUM"):
            return float(source.most)
        return parse_number(token, _unit(source.function))


def _unit(function: str) -> str:
    return "V" if function == "VOLT" else "A"


def _changed(i: SimYokogawaGS200) -> None:
    if not i.is_editing:
        i.source_changed()


def _select_function(i: SimYokogawaGS200, function: str) -> None:
    if not i.is_editing and i.settings.is_on and function != i.settings.source.function:
        raise ScpiError(-221)
    i.programmed.select_function(function)
    _changed(i)


def _select_range(i: SimYokogawaGS200, value: float) -> None:
    i.programmed.select_range(value)
    _changed(i)


def _set_level(i: SimYokogawaGS200, level: float, *, is_auto: bool) -> None:
    i.programmed.set_level(level, is_auto=is_auto)
    if i.is_editing:
        i.add_step()
    else:
        i.source_changed()


def _show(value: float) -> str:
    return f"{value:+.5E}"


def _show_short(value: float) -> str:
    return f"{value:.6g}" if value < 1e6 else f"{value:E}"


def _show_limit(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.0f}"


def _apply(i: SimYokogawaGS200) -> None:
    i.apply_output()


_SOURCE: tuple[Command, ...] = (
    Command(
        ":OUTPut[:STATe]",
        write=lambda i, is_on: i.switch_output(is_on),
        query=lambda i: str(int(i.settings.is_on)),
        takes=(Switch(),),
    ),
    Command(
        "[:SOURce]:FUNCtion",
        write=_select_function,
        query=lambda i: i.programmed.function,
        takes=(Choice(*_FUNCTIONS),),
    ),
    Command("[:SOURce]:RANGe", write=_select_range, query=lambda i: f"{i.programmed.full_scale:E}", takes=(_Range(),)),
    Command(
        "[:SOURce]:LEVel[:FIXed]",
        write=lambda i, level: _set_level(i, level, is_auto=False),
        query=lambda i: _show(i.programmed.level),
        takes=(_Level(),),
    ),
    Command(
        "[:SOURce]:LEVel:AUTO",
        write=lambda i, level: _set_level(i, level, is_auto=True),
        takes=(_Level(),),
    ),
    setting(
        "[:SOURce]:PROTection:VOLTage",
        "settings.volts_limit",
        Number("V", *PROTECTION_VOLTS, 30.0, is_integer=True),
        after=_apply,
        show=_show_limit,
    ),
    setting(
        "[:SOURce]:PROTection:CURRent",
        "settings.amps_limit",
        Number("A", *PROTECTION_AMPS, 0.2),
        after=_apply,
        show=_show_limit,
    ),
)


def _save(i: SimYokogawaGS200, name: str) -> None:
    i.files[name.upper()] = list(i.settings.program.steps)
    i.loaded = name


def _load(i: SimYokogawaGS200, name: str) -> None:
    if name.upper() not in i.files:
        raise ScpiError(-224)
    i.settings.program.steps = list(i.files[name.upper()])
    i.loaded = name


def _delete(i: SimYokogawaGS200, name: str) -> None:
    if i.files.pop(name.upper(), None) is None:
        raise ScpiError(-224)


def _count(i: SimYokogawaGS200, extreme: float | None) -> str:
    present = i.run.index + 1 if i.run.is_running else i.settings.program.position
    return str(int(present if extreme is None else extreme))


def _set_position(i: SimYokogawaGS200, position: float) -> None:
    i.settings.program.position = int(position)


def _points_most(i: Any) -> float:
    return float(max(len(i.settings.program.steps), 1))


_POSITION = Number("", 1, _points_most, 1, is_integer=True)

_PROGRAM: tuple[Command, ...] = (
    Command(":PROGram:EDIT:STARt", write=lambda i: i.start_editing()),
    Command(":PROGram:EDIT:END", write=lambda i: i.end_editing()),
    Command(":PROGram:RUN", write=lambda i: i.start_program()),
    Command(":PROGram:STEP", write=lambda i: i.start_program(only_one_step=True)),
    Command(":PROGram:PAUSe", write=lambda i: i.pause()),
    Command(":PROGram:HOLD", write=lambda i: i.resume() if i.run.is_held else i.pause()),
    Command(":PROGram:CONTinue", write=lambda i: i.resume()),
    Command(":PROGram:STOP|HALT", write=lambda i: i.run.stop()),
    interval(":PROGram:INTerval", "settings.program.interval", 0.1, 1.0),
    interval(":PROGram:SLOPe", "settings.program.slope", 0.0, 0.0),
    setting(":PROGram:REPeat", "settings.program.is_repeating", Switch()),
    setting(":PROGram:TRIGger", "settings.program.trigger", Choice("NORMal", "MEND")),
    Command(":PROGram:COUNt", write=_set_position, query=_count, takes=(_POSITION,), asks=(Extreme(_POSITION),)),
    Command(":PROGram:POINts", query=lambda i: str(len(i.settings.program.steps))),
    Command(":PROGram:SAVE", write=_save, takes=(Text(),)),
    Command(
        ":PROGram:MEMory",
        write=lambda i, text: i.write_program(text),
        query=lambda i: '"' + "\n".join(step.told() for step in i.settings.program.steps) + '"',
        takes=(Text(),),
    ),
    Command(":PROGram:LOAD", write=_load, query=lambda i: f'"{i.loaded}"', takes=(Text(),)),
    Command(":PROGram:DELete", write=_delete, takes=(Text(),)),
    Command(":PROGram:CATalog", query=lambda i: ",".join(f'"{name}"' for name in i.files) or '""'),
)


def _error(i: SimYokogawaGS200) -> str:
    error = i.status.errors.take()
    return f'{error.code},"{error.text}"'


def _event(i: SimYokogawaGS200) -> str:
    i.poll_condition()
    return str(i.status.groups["extended"].take_event())


def _condition(i: SimYokogawaGS200) -> str:
    i.poll_condition()
    return str(i.status.groups["extended"].condition)


def _enable(i: SimYokogawaGS200, mask: float) -> None:
    i.status.groups["extended"].enable = int(mask)


def _wait_for_program(i: SimYokogawaGS200) -> str:
    i.poll_condition()
    return str(i.status.byte_with_summary(has_message=False))


def _set_date(i: SimYokogawaGS200, text: str) -> None:
    i.set_clock(text, "%Y/%m/%d")


def _set_clock(i: SimYokogawaGS200, text: str) -> None:
    i.set_clock(text, "%H:%M:%S")


_SYSTEM: tuple[Command, ...] = (
    *COMMON_COMMANDS,
    Command("*STB", query=_wait_for_program),
    Command("*OPT", query=lambda i: "/MON"),
    Command(":STATus:CONDition", query=_condition),
    Command(":STATus:EVENt", query=_event),
    Command(
        ":STATus:ENABle",
        write=_enable,
        query=lambda i: str(i.status.groups["extended"].enable),
        takes=(Number("", 0, 65535, is_integer=True),),
    ),
    Command(":STATus:ERRor", query=_error),
    Command(":SYSTem:ERRor[:NEXT]", query=_error),
    Command(":SYSTem:LFRequency", query=lambda i: f"{i.world.line_hertz:.0f}"),
    Command(":SYSTem:LOCal", write=lambda i: None),
    Command(":SYSTem:REMote", write=lambda i: None),
    setting(":SYSTem:WLOCk", "settings.is_local_locked", Switch()),
    setting(":SYSTem:KLOCk", "settings.is_local_locked", Switch()),
    setting(":SYSTem:DISPlay[:NORMal]", "settings.is_display_on", Switch()),
    setting(":SYSTem:DISPlay:BRIGhtness", "settings.brightness", Number("", 1, 8, 4, is_integer=True)),
    setting(":SYSTem:BEEPer", "settings.is_beeper_on", Switch()),
    setting(":ROUTe:BNCOut", "settings.bnc_out", Choice("TRIGger", "OUTPut", "READy")),
    setting(":ROUTe:BNCIn", "settings.bnc_in", Choice("TRIGger", "OUTPut")),
    Command(":SYSTem:CLOCk:DATE", write=_set_date, query=lambda i: f'"{i.date_text()}"', takes=(Text(),)),
    Command(":SYSTem:CLOCk:TIME", write=_set_clock, query=lambda i: f'"{i.time_text()}"', takes=(Text(),)),
    Command("*CAL", query=lambda i: "0"),
)


COMMANDS: tuple[Command, ...] = (*_SYSTEM, *_SOURCE, *_PROGRAM, *MONITOR_COMMANDS)
"""All of them."""
