"""DIGital, TRIGger:TIMer, :BLENder, :DIGital and :LAN commands of a 2450 (Reference Manual, section 6)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .keithley_2450_bus import BLENDERS, LINES, PACKETS, STIMULI, TIMERS
from .keithley_2450_elements import epoch_seconds
from .keithley_2450_settings import show_number
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Number, Parameter, Switch, Text

if TYPE_CHECKING:
    from .keithley_2450 import SimKeithley2450

EVENT_NAMES = (
    "NONE", "DISPlay", "COMMand", "SLIMit",
    *(f"NOTify{n}" for n in range(1, 9)), *(f"DIGio{n}" for n in range(1, LINES + 1)),
    *(f"TSPLink{n}" for n in range(1, 4)), *(f"LAN{n}" for n in range(1, PACKETS + 1)),
    *(f"BLENder{n}" for n in range(1, BLENDERS + 1)), *(f"TIMer{n}" for n in range(1, TIMERS + 1)),
)  # fmt: skip
"""Trigger events; the short form is what the bus knows them by."""
EVENT = Choice(*EVENT_NAMES)
_DIRECTIONS = {"DIG": ("IN", "OUT", "OPEN"), "TRIG": ("IN", "OUT", "OPEN"), "SYNC": ("MAST", "ACC")}
_EDGES = Choice("FALLing", "RISing", "EITHer")
_LOGIC = Choice("POSitive", "NEGative")
_Owner = Callable[["SimKeithley2450", int], Any]


def _timer(i: SimKeithley2450, n: int) -> Any:
    return _numbered(i.bus.timers, n)


def _blender(i: SimKeithley2450, n: int) -> Any:
    return _numbered(i.bus.blenders, n)


def _line(i: SimKeithley2450, n: int) -> Any:
    return _numbered(i.bus.lines, n)


def _packet(i: SimKeithley2450, n: int) -> Any:
    return _numbered(i.bus.packets, n)


def _numbered(objects: dict[int, Any], n: int) -> Any:
    if n not in objects:
        raise ScpiError(-114)
    return objects[n]


def _setting(pattern: str, owner: _Owner, name: str, parameter: Parameter, show: Callable[[Any], str]) -> Command:
    def write(i: SimKeithley2450, n: int, value: Any) -> None:
        setattr(owner(i, n), name, value)

    return Command(pattern, write=write, query=lambda i, n: show(getattr(owner(i, n), name)), takes=(parameter,))


def _show_switch(value: bool) -> str:
    return str(int(value))


def _show_text(value: str) -> str:
    return f'"{value}"'


def _overrun(pattern: str, owner: _Owner) -> Command:
    def show(i: SimKeithley2450, n: int) -> str:
        i.bus.advance(i.seconds)
        return str(int(owner(i, n).is_overrun))

    return Command(pattern, query=show)


def _clear_overrun(owner: _Owner) -> Callable[..., None]:
    def write(i: SimKeithley2450, n: int) -> None:
        owner(i, n).is_overrun = False

    return write


def _clear_blender(i: SimKeithley2450, n: int) -> None:
    blender = _blender(i, n)
    blender.heard.clear()
    blender.is_overrun = False


def _clear_packet(i: SimKeithley2450, n: int) -> None:
    """No packet has ever come."""
    _packet(i, n)


def _no_overrun(i: SimKeithley2450, n: int) -> str:
    _clear_packet(i, n)
    return "0"


def _switch_timer(i: SimKeithley2450, n: int, is_on: bool) -> None:
    _timer(i, n)
    i.bus.switch_timer(n, is_on, i.seconds, epoch_seconds(i.clock_seconds))


def _stimulus_commands() -> tuple[Command, ...]:
    def write(i: SimKeithley2450, n: int, m: int, event: str) -> None:
        if not 1 <= m <= STIMULI:
            raise ScpiError(-114)
        _blender(i, n).stimuli[m - 1] = event

    def show(i: SimKeithley2450, n: int, m: int) -> str:
        if not 1 <= m <= STIMULI:
            raise ScpiError(-114)
        return str(_blender(i, n).stimuli[m - 1])

    return (Command(":TRIGger:BLENder<n>:STIMulus<m>", write=write, query=show, takes=(EVENT,)),)


_TIMERS = (
    Command(":TRIGger:TIMer<n>:CLEar", write=_clear_overrun(_timer)),
    _setting(":TRIGger:TIMer<n>:COUNt", _timer, "count", Number("", 0, 1_048_575, 1, is_integer=True), show_number),
    _setting(":TRIGger:TIMer<n>:DELay", _timer, "delay_seconds", Number("S", 8e-6, 1e5, 10e-6), show_number),
    _setting(
        ":TRIGger:TIMer<n>:STARt:FRACtional", _timer, "begins_at_fraction", Number("", 0, 0.999999999), show_number
    ),
    _setting(":TRIGger:TIMer<n>:STARt:SEConds", _timer, "begins_at_whole", Number("", 0, 2**31 - 1), show_number),
    _setting(":TRIGger:TIMer<n>:STARt:GENerate", _timer, "is_generating", Switch(), _show_switch),
    _setting(":TRIGger:TIMer<n>:STARt:STIMulus", _timer, "stimulus", EVENT, str),
    _overrun(":TRIGger:TIMer<n>:STARt:OVERrun", _timer),
    Command(
        ":TRIGger:TIMer<n>:STATe",
        write=_switch_timer,
        query=lambda i, n: str(int(_timer(i, n).is_on)),
        takes=(Switch(),),
    ),
)

_BLENDERS = (
    Command(":TRIGger:BLENder<n>:CLEar", write=_clear_blender),
    _setting(":TRIGger:BLENder<n>:MODE", _blender, "mode", Choice("AND", "OR"), str),
    _overrun(":TRIGger:BLENder<n>:OVERrun", _blender),
    *_stimulus_commands(),
)

_LAN = (
    Command(":TRIGger:LAN<n>:IN:CLEar", write=_clear_packet),
    _setting(":TRIGger:LAN<n>:IN:EDGE", _packet, "edge", _EDGES, str),
    Command(":TRIGger:LAN<n>:IN:OVERrun", query=_no_overrun),
    _setting(":TRIGger:LAN<n>:OUT:CONNect:STATe", _packet, "is_connected", Switch(), _show_switch),
    _setting(":TRIGger:LAN<n>:OUT:IP:ADDRess", _packet, "address", Text(), _show_text),
    _setting(":TRIGger:LAN<n>:OUT:LOGic", _packet, "logic", _LOGIC, str),
    _setting(":TRIGger:LAN<n>:OUT:PROTocol", _packet, "protocol", Choice("TCP", "UDP", "MULTicast"), str),
    _setting(":TRIGger:LAN<n>:OUT:STIMulus", _packet, "stimulus", EVENT, str),
)


def _set_logic(i: SimKeithley2450, n: int, logic: str) -> None:
    line = _line(i, n)
    line.logic = logic
    line.put()


_LINE_TRIGGERS = (
    Command(":TRIGger:DIGital<n>:IN:CLEar", write=_clear_overrun(_line)),
    _setting(":TRIGger:DIGital<n>:IN:EDGE", _line, "edge", _EDGES, str),
    _overrun(":TRIGger:DIGital<n>:IN:OVERrun", _line),
    Command(
        ":TRIGger:DIGital<n>:OUT:LOGic",
        write=_set_logic,
        query=lambda i, n: str(_line(i, n).logic),
        takes=(_LOGIC,),
    ),
    _setting(":TRIGger:DIGital<n>:OUT:PULSewidth", _line, "pulse_seconds", Number("S", 0, 1e5, 10e-6), show_number),
    _setting(":TRIGger:DIGital<n>:OUT:STIMulus", _line, "stimulus", EVENT, str),
)


def _set_mode(i: SimKeithley2450, n: int, kind: str, direction: str) -> None:
    line = _line(i, n)
    if direction not in _DIRECTIONS[kind]:
        raise ScpiError(-221)
    line.kind, line.direction = kind, direction
    line.put()


def _set_line(i: SimKeithley2450, n: int, state: float) -> None:
    line = _line(i, n)
    if line.kind != "DIG" or line.direction == "IN":
        raise ScpiError(-221)
    line.is_high = bool(state)
    line.put()


def _all_digital(i: SimKeithley2450) -> None:
    if any(line.kind != "DIG" for line in i.bus.lines.values()):
        raise ScpiError(-221)


def _read_port(i: SimKeithley2450) -> str:
    _all_digital(i)
    return str(sum(line.reads_high << (n - 1) for n, line in i.bus.lines.items()))


def _write_port(i: SimKeithley2450, pattern: float) -> None:
    _all_digital(i)
    i.write_lines(int(pattern), 2**LINES - 1)


_DIGITAL = (
    Command(
        ":DIGital:LINE<n>:MODE",
        write=_set_mode,
        query=lambda i, n: f"{_line(i, n).kind},{_line(i, n).direction}",
        takes=(
            Choice("DIGital", "TRIGger", "SYNChronous"),
            Choice("IN", "OUT", "OPENdrain", "MASTer", "ACCeptor"),
        ),
    ),
    Command(
        ":DIGital:LINE<n>:STATe",
        write=_set_line,
        query=lambda i, n: str(int(_line(i, n).reads_high)),
        takes=(Number("", 0, 1, is_integer=True),),
    ),
    Command(":DIGital:READ", query=_read_port),
    Command(":DIGital:WRITe", write=_write_port, takes=(Number("", 0, 2**LINES - 1, is_integer=True),)),
)

OBJECT_COMMANDS: tuple[Command, ...] = (*_TIMERS, *_BLENDERS, *_LAN, *_LINE_TRIGGERS, *_DIGITAL)
"""Digital lines and what makes trigger events."""
