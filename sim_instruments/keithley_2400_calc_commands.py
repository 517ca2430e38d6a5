"""CALCulate1, CALCulate2 and SOURce2 commands of a 2400 (user's manual, section 18)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from .keithley_2400_calc_settings import SOFTWARE_LIMITS
from .keithley_2400_expressions import Expression, parse
from .keithley_2400_math import Result
from .keithley_2400_readings import SmuReading, sent
from .keithley_2400_settings import MEMORY_LOCATIONS, Settings
from .keithley_2400_status import in_base
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Parameter, Switch, Text
from .scpi_settings import setting

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_LARGEST = 9.999999e20
_LONGEST_UNITS = 3
_LONGEST_CLEAR_SECONDS = 60.0


class _Formula(Parameter):
    """A math expression, also in quotes."""

    def parse(self, token: str, instrument: Any) -> Expression:
        """The expression; raises ScpiError +811 to +821."""
        return parse(token.strip("\"'"))


class _Name(Text):
    """A name in quotes, or, as programs write it, without them."""

    def parse(self, token: str, instrument: Any) -> str:
        """The name."""
        return super().parse(token, instrument) if token[:1] in "\"'" else token


def _define(i: SimKeithley2400, expression: Expression) -> None:
    i.calculations.catalogue.define(i.settings.calc.math_name, expression)


def _show_expression(i: SimKeithley2400) -> str:
    expression = i.calculations.catalogue.expression(i.settings.calc.math_name)
    return "" if expression is None else expression.text


def _select(i: SimKeithley2400, name: str) -> None:
    i.settings.calc.math_name = i.calculations.catalogue.select(name)


def _delete(i: SimKeithley2400, name: str) -> None:
    i.calculations.catalogue.delete(name)
    _fall_back(i)


def _delete_all(i: SimKeithley2400) -> None:
    i.calculations.catalogue.delete_all()
    _fall_back(i)


def _fall_back(i: SimKeithley2400) -> None:
    if i.settings.calc.math_name not in i.calculations.catalogue.names:
        i.settings.calc.math_name = "POWER"


def _write_units(i: SimKeithley2400, units: str) -> None:
    if len(units) > _LONGEST_UNITS:
        raise ScpiError(-223)
    i.settings.calc.units = units


def _told(i: SimKeithley2400, entries: Sequence[Result]) -> Reply:
    style = i.settings.format
    return sent([value for entry in entries for value in entry.elements(style.calc_elements)], style)


_Made = Callable[[Settings, Sequence[SmuReading]], list[Result]]


def _data_commands(node: str, made_by: Callable[[SimKeithley2400], _Made]) -> tuple[Command, ...]:
    def every(i: SimKeithley2400) -> Reply:
        return _told(i, made_by(i)(i.settings, i.readings))

    def latest(i: SimKeithley2400) -> Reply:
        return _told(i, made_by(i)(i.settings, i.readings)[-1:])

    return (
        Command(f"{node}:DATA", query=lambda i: i.when_idle(lambda: every(i))),
        Command(f"{node}:DATA:LATest", query=lambda i: i.when_idle(lambda: latest(i))),
    )


_MATH = ":CALCulate[1]:MATH"
_CALC_1: tuple[Command, ...] = (
    Command(f"{_MATH}[:EXPRession][:DEFine]", write=_define, query=_show_expression, takes=(_Formula(),)),
    Command(
        f"{_MATH}[:EXPRession]:CATalog",
        query=lambda i: ",".join(f'"{name}"' for name in i.calculations.catalogue.names),
    ),
    Command(
        f"{_MATH}[:EXPRession]:NAME",
        write=_select,
        query=lambda i: f'"{i.settings.calc.math_name}"',
        takes=(_Name(),),
    ),
    Command(f"{_MATH}[:EXPRession]:DELete[:SELected]", write=_delete, takes=(_Name(),)),
    Command(f"{_MATH}[:EXPRession]:DELete:ALL", write=_delete_all),
    Command(f"{_MATH}:UNITs", write=_write_units, query=lambda i: f'"{i.settings.calc.units:3}"', takes=(Text(),)),
    setting(":CALCulate[1]:STATe", "settings.calc.is_math_on", Switch()),
    *_data_commands(":CALCulate[1]", lambda i: i.calculations.math),
)


def _largest_pattern(i: SimKeithley2400) -> float:
    return 7.0 if i.settings.digital.bits == 3 else 15.0


def _pattern(pattern: str, path: str, after: Callable[[Any], None] = lambda _: None) -> Command:
    """A bit pattern of the digital port, told in the base that FORMat:SOURce2 selects."""
    number = Number("", 0, _largest_pattern, 15, is_integer=True)
    made = setting(pattern, path, number, after=after)
    query = made.query
    assert query is not None
    return Command(
        pattern,
        write=made.write,
        query=lambda i, extreme: in_base(str(query(i, extreme)), i.settings.format.patterns),
        takes=made.takes,
        asks=made.asks,
    )


def _failed(number: int) -> Callable[[Any], str]:
    return lambda i: str(int(number in i.calculations.limits.failed))


def _write_limit(i: SimKeithley2400, number: int, name: str, value: Any) -> None:
    setattr(i.settings.calc.limits[number], name, value)


def _bound(pattern: str, number: int, name: str, default: float) -> Command:
    limit = Number("", -_LARGEST, _LARGEST, default)
    return Command(
        pattern,
        write=lambda i, value: _write_limit(i, number, name, value),
        query=lambda i, extreme: _show(getattr(i.settings.calc.limits[number], name), extreme),
        takes=(limit,),
        asks=(Extreme(limit),),
    )


def _limit_pattern(pattern: str, number: int, name: str) -> Command:
    return Command(
        pattern,
        write=lambda i, value: _write_limit(i, number, name, value),
        query=lambda i: in_base(str(int(getattr(i.settings.calc.limits[number], name))), i.settings.format.patterns),
        takes=(Number("", 0, _largest_pattern, 15, is_integer=True),),
    )


def _limit_commands(number: int) -> tuple[Command, ...]:
    node = f":CALCulate2:LIMit{number}"
    return (
        _bound(f"{node}:UPPer[:DATA]", number, "upper", 1.0),
        _bound(f"{node}:LOWer[:DATA]", number, "lower", -1.0),
        _limit_pattern(f"{node}:UPPer:SOURce2", number, "upper_pattern"),
        _limit_pattern(f"{node}:LOWer:SOURce2", number, "lower_pattern"),
        _limit_pattern(f"{node}:PASS:SOURce2", number, "lower_pattern"),  # sorting shows the lower limit's for a pass
        Command(
            f"{node}:STATe",
            write=lambda i, is_on: _write_limit(i, number, "is_on", is_on),
            query=lambda i: str(int(i.settings.calc.limits[number].is_on)),
            takes=(Switch(),),
        ),
        Command(f"{node}:FAIL", query=_failed(number)),
    )


def _show(value: float, extreme: float | None) -> str:
    return f"{value if extreme is None else extreme:.6E}"


def _no_contact_check(i: SimKeithley2400, is_on: bool) -> None:
    """The contact check is an option."""
    if is_on:
        raise ScpiError(-241)


class _Location(Number):
    """A source memory location, or NEXT, which parses to 0."""

    def __init__(self) -> None:
        super().__init__("", 1, MEMORY_LOCATIONS, 0, is_integer=True)

    def parse(self, token: str, instrument: Any) -> int:
        """The location."""
        return 0 if token.upper() == "NEXT" else int(super().parse(token, instrument))


def _location(node: str, name: str) -> Command:
    return Command(
        f":CALCulate2:CLIMits:{node}:SMLocation",
        write=lambda i, location: setattr(i.settings.calc, name, location),
        query=lambda i: str(getattr(i.settings.calc, name) or "NEXT"),
        takes=(_Location(),),
    )


_CALC_2: tuple[Command, ...] = (
    setting(
        ":CALCulate2:FEED",
        "settings.calc.feed",
        Choice("VOLTage", "CURRent", "RESistance", "TIME", "CALCulate", "CALCulate1"),
        after=lambda i: setattr(i.settings.calc, "feed", i.settings.calc.feed.rstrip("1")),
    ),
    setting(":CALCulate2:NULL:OFFSet", "settings.calc.null_offset", Number("", -_LARGEST, _LARGEST, 0)),
    setting(":CALCulate2:NULL:STATe", "settings.calc.is_null_on", Switch()),
    Command(":CALCulate2:NULL:ACQuire", write=lambda i: i.calculations.acquire(i.settings, i.readings)),
    *_data_commands(":CALCulate2", lambda i: i.calculations.tested),
    setting(":CALCulate2:LIMit[1]:STATe", "settings.calc.is_compliance_tested", Switch()),
    setting(":CALCulate2:LIMit[1]:COMPliance:FAIL", "settings.calc.compliance_fails", Choice("IN", "OUT")),
    _pattern(":CALCulate2:LIMit[1]:COMPliance:SOURce2", "settings.calc.compliance_pattern"),
    Command(":CALCulate2:LIMit[1]:FAIL", query=_failed(1)),
    Command(":CALCulate2:LIMit4:STATe", write=_no_contact_check, query=lambda i: "0", takes=(Switch(),)),
    Command(":CALCulate2:LIMit4:FAIL", query=_failed(4)),
    *(command for number in SOFTWARE_LIMITS for command in _limit_commands(number)),
    _pattern(":CALCulate2:CLIMits:PASS:SOURce2", "settings.calc.pass_pattern"),
    _pattern(":CALCulate2:CLIMits:FAIL:SOURce2", "settings.calc.fail_pattern"),
    _location("PASS", "pass_location"),
    _location("FAIL", "fail_location"),
    setting(":CALCulate2:CLIMits:BCONtrol", "settings.calc.binning", Choice("IMMediate", "END")),
    setting(":CALCulate2:CLIMits:MODE", "settings.calc.mode", Choice("GRADing", "SORTing")),
    Command(":CALCulate2:CLIMits:CLEar[:IMMediate]", write=lambda i: i.calculations.clear(i.settings)),
    setting(":CALCulate2:CLIMits:CLEar:AUTO", "settings.calc.is_auto_clear", Switch()),
)


def _note_lines(i: SimKeithley2400) -> None:
    i.calculations.port.note(i.settings.digital)


def _show_lines(i: SimKeithley2400) -> str:
    i.catch_up()
    return in_base(str(i.calculations.port.lines(i.settings.digital)), i.settings.format.patterns)


_DIGITAL: tuple[Command, ...] = (
    _pattern(":SOURce2:TTL[:LEVel][:DEFault]", "settings.digital.level", _note_lines),
    Command(":SOURce2:TTL[:LEVel]:ACTual", query=_show_lines),
    setting(":SOURce2:TTL4:MODE", "settings.digital.line_4", Choice("EOTest", "BUSY")),
    setting(":SOURce2:TTL4:BSTate", "settings.digital.is_busy_high", Switch()),
    setting(":SOURce2:BSIZe", "settings.digital.bits", Number("", 3, 4, 4, is_integer=True)),
    Command(":SOURce2:CLEar[:IMMediate]", write=lambda i: i.calculations.port.clear(i.settings.digital)),
    setting(":SOURce2:CLEar:AUTO", "settings.digital.is_auto_clear", Switch()),
    setting(
        ":SOURce2:CLEar:AUTO:DELay", "settings.digital.clear_seconds", Number("S", 0, _LONGEST_CLEAR_SECONDS, 100e-6)
    ),
)

CALC_COMMANDS: tuple[Command, ...] = (*_CALC_1, *_CALC_2, *_DIGITAL)
"""Math, limit tests and the digital port."""
