"""Sweep, list and source memory commands of a 2400 (user's manual, section 18, SOURce)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .keithley_2400_settings import MEMORY_LOCATIONS, MOST_LISTED, MOST_READINGS
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Numbers
from .scpi_settings import setting, show_number

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_UNITS = {"VOLT": "V", "CURR": "A"}
_LIMITS = {"VOLT": 210.0, "CURR": 1.05}
_NODES = {"VOLT": "VOLTage", "CURR": "CURRent"}


def sweep_commands(function: str, node: str, owner: str) -> tuple[Command, ...]:
    """Commands of one source function.

    Args:
        function: VOLT or CURR.
        node: its node, `:SOURce[1]:VOLTage`.
        owner: where its settings are.
    """
    level = Number(_UNITS[function], -_LIMITS[function], _LIMITS[function])
    return (
        setting(f"{node}:STARt", f"{owner}.start", level, after=lambda i: _ends_changed(i, function)),
        setting(f"{node}:STOP", f"{owner}.stop", level, after=lambda i: _ends_changed(i, function)),
        Command(
            f"{node}:STEP",
            write=lambda i, value: _write_step(i, function, value),
            query=lambda i, extreme: show_number(i.settings.source_of(function).step if extreme is None else extreme),
            takes=(level,),
            asks=(Extreme(level),),
        ),
        _middle(f"{node}:CENTer", function, is_span=False),
        _middle(f"{node}:SPAN", function, is_span=True),
        *_list_commands(function, owner),
    )


def _middle(pattern: str, function: str, *, is_span: bool) -> Command:
    """CENTer or SPAN, each of which moves start and stop and leaves the other as it is."""
    limit = _LIMITS[function] * (2 if is_span else 1)
    number = Number(_UNITS[function], -limit, limit)

    def tell(i: SimKeithley2400, extreme: float | None) -> str:
        source = i.settings.source_of(function)
        value = source.stop - source.start if is_span else (source.start + source.stop) / 2
        return show_number(value if extreme is None else extreme)

    def write(i: SimKeithley2400, value: float) -> None:
        source = i.settings.source_of(function)
        span = value if is_span else source.stop - source.start
        center = (source.start + source.stop) / 2 if is_span else value
        if abs(center) + abs(span) / 2 > _LIMITS[function] * (1 + 1e-9):
            raise ScpiError(-222)
        source.start, source.stop = center - span / 2, center + span / 2
        _ends_changed(i, function)

    return Command(pattern, write=write, query=tell, takes=(number,), asks=(Extreme(number),))


def _list_commands(function: str, owner: str) -> tuple[Command, ...]:
    node = f":SOURce[1]:LIST:{_NODES[function]}"
    listed = Numbers(_UNITS[function], -_LIMITS[function], _LIMITS[function], at_most=MOST_LISTED)

    def write(i: SimKeithley2400, values: list[float]) -> None:
        i.settings.source_of(function).listed = values

    def append(i: SimKeithley2400, values: list[float]) -> None:
        present = i.settings.source_of(function).listed
        if len(present) + len(values) > MOST_READINGS:
            raise ScpiError(-223)
        present.extend(values)

    def show(i: SimKeithley2400) -> str:
        return ",".join(f"{value:+.6E}" for value in i.settings.source_of(function).listed)

    start = Number("", 1, MOST_LISTED, 1, is_integer=True)
    return (
        Command(node, write=write, query=show, takes=(listed,)),
        Command(f"{node}:APPend", write=append, takes=(listed,)),
        Command(f"{node}:POINts", query=lambda i: str(len(i.settings.source_of(function).listed))),
        setting(f"{node}:STARt", f"{owner}.list_start", start),
        setting(f"{node}:DIRection", f"{owner}.list_direction", Choice("UP", "DOWN")),
    )


def _write_step(i: SimKeithley2400, function: str, step: float) -> None:
    source = i.settings.source_of(function)
    if (source.stop - source.start) * step < 0:
        raise ScpiError(-221)
    source.step, source.is_step_given = step, True
    _ends_changed(i, function)


def _ends_changed(i: SimKeithley2400, function: str) -> None:
    """Start and stop change the number of points if the step was given last, else the step."""
    source, sweep = i.settings.source_of(function), i.settings.sweep
    span = source.stop - source.start
    if source.is_step_given and span * source.step > 0:
        sweep.points = float(min(int(span / source.step + 1e-9) + 1, MOST_READINGS))
    elif not source.is_step_given:
        source.step = span / max(sweep.points - 1, 1)


def _points_changed(i: SimKeithley2400) -> None:
    for function in _UNITS:
        i.settings.source_of(function).is_step_given = False
        _ends_changed(i, function)


def _list_direction(i: SimKeithley2400, direction: str) -> None:
    i.settings.volts.list_direction = i.settings.amps.list_direction = direction


_LOCATION = Number("", 1, MEMORY_LOCATIONS, 1, is_integer=True)


def _save(i: SimKeithley2400, location: float) -> None:
    i.memory.save(int(location), i.settings)


def _recall(i: SimKeithley2400, location: float) -> None:
    was = i.settings.function
    i.recall_location(int(location))
    i.level = i.settings.source.level
    if i.settings.function != was:
        i.settings.is_output_on = False
    i.apply_output()


SWEEP_COMMANDS: tuple[Command, ...] = (
    setting(":SOURce[1]:SWEep:SPACing", "settings.sweep.spacing", Choice("LINear", "LOGarithmic")),
    setting(
        ":SOURce[1]:SWEep:POINts",
        "settings.sweep.points",
        Number("", 2, MOST_READINGS, MOST_READINGS, is_integer=True),
        after=_points_changed,
    ),
    setting(":SOURce[1]:SWEep:DIRection", "settings.sweep.direction", Choice("UP", "DOWN")),
    setting(":SOURce[1]:SWEep:RANGing", "settings.sweep.ranging", Choice("BEST", "AUTO", "FIXed")),
    setting(":SOURce[1]:SWEep:CABort", "settings.sweep.abort_on_compliance", Choice("NEVer", "EARLy", "LATE")),
    Command(
        ":SOURce[1]:LIST:DIRection",
        write=_list_direction,
        query=lambda i: i.settings.source.list_direction,
        takes=(Choice("UP", "DOWN"),),
    ),
    Command(":SOURce[1]:MEMory:SAVE", write=_save, takes=(_LOCATION,)),
    Command(":SOURce[1]:MEMory:RECall", write=_recall, takes=(_LOCATION,)),
    setting(":SOURce[1]:MEMory:POINts", "settings.memory.points", _LOCATION),
    setting(":SOURce[1]:MEMory:STARt", "settings.memory.start", _LOCATION),
)
"""Sweeps of either function, and those of the source memory."""
