"""System, display, status and common commands of a 2400 (user's manual, sections 15, 16 and 18)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .keithley_2400_errors import refused
from .keithley_2400_run import Event
from .keithley_2400_settings import AMPS_RANGES
from .keithley_2400_status import ALL_ERRORS, Interval, in_base
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_instrument import COMMON_COMMANDS, ERROR_COMMANDS, register_commands
from .scpi_parameters import Block, Choice, Number, Parameter, Switch, Text
from .scpi_settings import setting

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_TRIGGER_KEY, _OUTPUT_KEY = 20, 24
_SOURCE_KEYS = {12: "VOLT", 19: "CURR"}
_MEASURE_KEYS = {15: "VOLT", 22: "CURR", 29: "RES"}
_LAST_KEY = 32


def _ignore(*_: Any) -> None:
    """Accepted; has no effect on what can be measured."""


class _AutoZero(Switch):
    """ON, OFF or ONCE; ONCE leaves auto zero off after one zero."""

    def parse(self, token: str, instrument: Any) -> bool:
        """Whether it is on afterwards."""
        if token.upper() == "ONCE":
            instrument.acquire_zero()
            return False
        return super().parse(token, instrument)


def _write_line_frequency(i: SimKeithley2400, hertz: float) -> None:
    if hertz not in (50, 60):
        raise ScpiError(-224)
    i.line.hertz, i.line.is_auto = hertz, False


def _find_line_frequency(i: SimKeithley2400) -> None:
    """Automatic selection takes what the instrument finds; without it, the last selection stays."""
    i.line.hertz = None if i.line.is_auto else i.line.hertz or i.world.line_hertz


def _write_remote_sense(i: SimKeithley2400, is_remote: bool) -> None:
    if is_remote != i.settings.is_remote_sense:
        i.settings.is_remote_sense = is_remote
        i.output_goes_off()


def _write_guard(i: SimKeithley2400, guard: str) -> None:
    settings, largest = i.settings, len(AMPS_RANGES) - 1
    in_use = settings.amps.range if settings.function == "CURR" else settings.sense_amps.range
    if guard == "OHMS" and in_use == largest:
        raise refused(828)
    if guard != settings.guard:
        settings.guard = guard
        i.output_goes_off()


def _press(i: SimKeithley2400, code: float) -> None:
    """SYSTem:KEY: those of the front panel's keys that act by themselves."""
    key = i.last_key = int(code)
    if key == _TRIGGER_KEY:
        i.model.occur(Event("MAN"))
    elif key == _OUTPUT_KEY:
        i.switch_output(not i.settings.is_output_on)
    elif key in _SOURCE_KEYS:
        i.select_function(_SOURCE_KEYS[key])
    elif key in _MEASURE_KEYS:
        i.select_functions((_MEASURE_KEYS[key],))


def _no_contact_check(i: SimKeithley2400, is_on: bool) -> None:
    """The contact check is an option, which this unit does not have."""
    if is_on:
        raise ScpiError(-241)


def _empty_cache(i: SimKeithley2400) -> None:
    i.cached_zeros = []


def _initialize_memory(i: SimKeithley2400) -> None:
    i.memory.initialize(i.settings)
    i.calculations.catalogue.delete_all()
    i.settings.calc.math_name = "POWER"


_POWER_ON = Choice("RST", "PRESet", *(f"SAV{n}" for n in range(5)))
_SYSTEM: tuple[Command, ...] = (
    Command(
        ":SYSTem:RSENse",
        write=_write_remote_sense,
        query=lambda i: str(int(i.settings.is_remote_sense)),
        takes=(Switch(),),
    ),
    setting(":SYSTem:AZERo[:STATe]", "settings.is_auto_zero", _AutoZero()),
    setting(":SYSTem:AZERo:CACHing[:STATe]", "settings.is_zero_cached", Switch()),
    Command(":SYSTem:AZERo:CACHing:RESet", write=_empty_cache),
    Command(":SYSTem:AZERo:CACHing:REFResh", write=lambda i: i.acquire_zero()),
    Command(":SYSTem:AZERo:CACHing:NPLCycles", query=lambda i: ",".join(f"{cycles:.6E}" for cycles in i.cached_zeros)),
    Command(":SYSTem:GUARd", write=_write_guard, query=lambda i: i.settings.guard, takes=(Choice("OHMS", "CABLe"),)),
    Command(
        ":SYSTem:LFRequency",
        write=_write_line_frequency,
        query=lambda i: f"{i.line.hertz or i.world.line_hertz:.0f}",
        takes=(Number("HZ", 50, 60),),
    ),
    setting(":SYSTem:LFRequency:AUTO", "line.is_auto", Switch(), after=_find_line_frequency),
    Command(":SYSTem:TIME", query=lambda i: f"{i.timestamp:.3f}"),
    Command(":SYSTem:TIME:RESet", write=lambda i: i.reset_time()),
    setting(":SYSTem:TIME:RESet:AUTO", "settings.is_time_auto_reset", Switch()),
    Command(":SYSTem:PRESet", write=lambda i: i.preset()),
    setting(":SYSTem:POSetup", "kept.power_on_setup", _POWER_ON),
    Command(":SYSTem:VERSion", query=lambda i: "1996.0"),
    Command(":SYSTem:BEEPer[:IMMediate]", write=_ignore, takes=(Number("HZ", 65, 2e6), Number("S", 0, 7.9))),
    setting(":SYSTem:BEEPer:STATe", "settings.is_beeper_on", Switch()),
    Command(":SYSTem:LOCal", write=_ignore),
    Command(":SYSTem:REMote", write=_ignore),
    setting(":SYSTem:RWLock", "kept.is_locked_out", Switch()),
    Command(
        ":SYSTem:KEY",
        write=_press,
        query=lambda i: str(i.last_key),
        takes=(Number("", 1, _LAST_KEY, is_integer=True),),
    ),
    Command(":SYSTem:MEP[:STATe]", query=lambda i: "1"),
    setting(":SYSTem:MEP:HOLDoff", "kept.is_held_off", Switch()),
    setting(":SYSTem:RCMode", "settings.range_changes", Choice("SINGle", "MULTiple")),
    Command(":SYSTem:CCHeck", write=_no_contact_check, query=lambda i: "0", takes=(Switch(),)),
    Command(":SYSTem:MEMory:INITialize", write=_initialize_memory),
    Command(":SYSTem:ERRor:CODE:ALL", query=lambda i: ",".join(str(code) for code in _codes(i)) or "0"),
)


def _codes(i: SimKeithley2400) -> list[int]:
    return [i.status.errors.take().code for _ in range(len(i.status.errors))]


class _Message(Parameter):
    """A message for the display: a string or a block of so many characters at most."""

    def __init__(self, longest: int) -> None:
        self._longest = longest

    def parse(self, token: str, instrument: Any) -> str:
        """The message; raises ScpiError -223 if it is too long."""
        if token[:1] == "#":
            text = Block().parse(token, instrument).decode("latin-1")
        else:
            text = Text().parse(token, instrument)
        if len(text) > self._longest:
            raise ScpiError(-223)
        return text


def _window(node: str, prefix: str, longest: int) -> tuple[Command, ...]:
    """What a line of the display shows is, without a message of the user's, not simulated: it is blank."""

    def owner(i: SimKeithley2400) -> Any:
        return i.settings.display

    def shown(i: SimKeithley2400) -> str:
        text = getattr(owner(i), f"{prefix}text") if getattr(owner(i), f"is_{prefix}text_on") else ""
        return f'"{text:{longest}}"'

    return (
        Command(
            f"{node}:TEXT[:DATA]",
            write=lambda i, text: setattr(owner(i), f"{prefix}text", text),
            query=lambda i: '"' + getattr(owner(i), f"{prefix}text").replace('"', '""') + '"',
            takes=(_Message(longest),),
        ),
        setting(f"{node}:TEXT:STATe", f"settings.display.is_{prefix}text_on", Switch()),
        Command(f"{node}:DATA", query=shown),
        Command(f"{node}:ATTRibutes", query=lambda i: '"' + "0" * longest + '"'),
    )


_DISPLAY: tuple[Command, ...] = (
    setting(":DISPlay:ENABle", "settings.display.is_on", Switch()),
    setting(":DISPlay:DIGits", "settings.display.digits", Number("", 4, 7, 6, is_integer=True)),
    *_window(":DISPlay[:WINDow[1]]", "", 20),
    *_window(":DISPlay:WINDow2", "lower_", 32),
    Command(":DISPlay:CNDisplay", write=_ignore),
)


class _ErrorNumbers(Parameter):
    """A list of error numbers and intervals of them: `(-110:-222, -220)`."""

    def parse(self, token: str, instrument: Any) -> tuple[Interval, ...]:
        """The intervals, each from its lower to its higher end."""
        if not (token.startswith("(") and token.endswith(")")):
            raise ScpiError(-104)
        try:
            parts = [[int(end) for end in part.split(":")] for part in token[1:-1].replace("@", "").split(",")]
        except ValueError as error:
            raise ScpiError(-104) from error
        return tuple((min(ends), max(ends)) for ends in parts)


def _enable_errors(i: SimKeithley2400, intervals: tuple[Interval, ...]) -> None:
    i.errors.enabled = intervals


def _show(intervals: tuple[Interval, ...]) -> str:
    return "(" + ",".join(f"{low}:{high}" if low != high else str(low) for low, high in intervals) + ")"


def _status_preset(i: SimKeithley2400) -> None:
    """STATus:PRESet also lets all errors into the queue again."""
    i.status.preset()
    i.errors.enabled = ALL_ERRORS


_COMPLETE = next(command for command in COMMON_COMMANDS if command.pattern == "*OPC")
_IN_BASE = ("*ESE", "*ESR", "*SRE", "*STB", ":STATus:MEAS", ":STATus:QUES", ":STATus:OPER")


def _based(command: Command) -> Command:
    """A register's query, its number in the base that FORMat:SREGister selects."""
    query = command.query
    if query is None or not command.pattern.startswith(_IN_BASE):
        return command
    return replace(command, query=lambda i: in_base(str(query(i)), i.settings.format.registers))


def _complete(i: SimKeithley2400) -> Reply | None:
    return i.when_idle(lambda: "1")


_STATUS: tuple[Command, ...] = (
    *register_commands(":STATus:MEASurement", "measurement"),
    *register_commands(":STATus:QUEStionable", "questionable"),
    *register_commands(":STATus:OPERation", "operation"),
)
_OVERRIDING: tuple[Command, ...] = (
    Command(":STATus:PRESet", write=_status_preset),
    Command(
        ":STATus:QUEue:ENABle",
        write=_enable_errors,
        query=lambda i: _show(i.errors.enabled),
        takes=(_ErrorNumbers(),),
    ),
    Command(
        ":STATus:QUEue:DISable",
        write=lambda i, intervals: i.errors.disable(intervals),
        query=lambda i: _show(i.errors.disabled),
        takes=(_ErrorNumbers(),),
    ),
    Command("*OPC", write=_COMPLETE.write, query=_complete),
    Command("*OPT", query=lambda i: "0", is_indefinite=True),
)

SYSTEM_COMMANDS: tuple[Command, ...] = (
    *(_based(command) for command in (*COMMON_COMMANDS, *_STATUS)),
    *ERROR_COMMANDS,
    *_OVERRIDING,
    *_SYSTEM,
    *_DISPLAY,
)
"""Everything that is neither sourced, measured, calculated nor triggered."""
