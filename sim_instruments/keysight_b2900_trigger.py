"""ARM, TRIGger, INITiate, MEASure, READ, FETCh and TRACe commands of a B2900A (SCPI Command Reference, chapter 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .keysight_b2900_channel import Channel
from .keysight_b2900_commands import CHANNELS, Clipped, Count, chosen_or_first, ignore, of_channel, show_nr3
from .keysight_b2900_readings import formatted, in_turn
from .keysight_b2900_settings import MOST_READINGS
from .scpi import Command, Reply
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Switch
from .scpi_settings import show_integer

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900

_SOURCES = ("AINT", "BUS", "TIMer", "INT1", "INT2", "LAN", *(f"EXT{k}" for k in range(1, 15)))
_KINDS = {":ACQuire": ("ACQ",), ":TRANsient": ("TRAN",), "[:ALL]": ("TRAN", "ACQ")}


def _layer_setting(pattern: str, layer: str, name: str, kinds: tuple[str, ...], parameter: Any) -> Command:
    """One setting of the arm or trigger layer, of one action or of both."""
    tell = str if isinstance(parameter, Choice) else show_integer if parameter.is_integer else show_nr3

    def places(i: SimKeysightB2900, number: int) -> list[Any]:
        return [getattr(i.channel(number).settings, layer)[kind] for kind in kinds]

    def write(i: SimKeysightB2900, number: int, value: Any) -> None:
        for place in places(i, number):
            setattr(place, name, value)

    def query(i: SimKeysightB2900, number: int, extreme: Any = None) -> str:
        return tell(getattr(places(i, number)[0], name) if extreme is None else extreme)

    asks = (Extreme(parameter),) if isinstance(parameter, Number) else ()
    return Command(pattern, write=write, query=query, takes=(parameter,), asks=asks)


def _layer_commands(root: str, layer: str, kind_node: str) -> tuple[Command, ...]:
    node, kinds = f":{root}<c>{kind_node}", _KINDS[kind_node]
    timer = Clipped("S", 1e-5, 1e5, 1e-5)
    return (
        _layer_setting(f"{node}:SOURce[:SIGNal]", layer, "source", kinds, Choice(*_SOURCES)),
        _layer_setting(f"{node}:COUNt", layer, "count", kinds, Count()),
        _layer_setting(f"{node}:DELay", layer, "delay_seconds", kinds, Clipped("S", 0, 1e5, 0)),
        _layer_setting(f"{node}:TIMer", layer, "timer_seconds", kinds, timer),
        _layer_setting(f"{node}:BYPass", layer, "bypass", kinds, Choice("OFF", "ONCE")),
        Command(f"{node}[:IMMediate]", write=lambda i, _, __: i.trigger(), takes=(CHANNELS,)),
        Command(f"{node}:TOUTput[:STATe]", write=ignore, query=lambda i, n: "0", takes=(Switch(),)),
        Command(f"{node}:TOUTput:SIGNal", write=ignore, query=lambda i, n: "EXT1", takes=(Choice(*_SOURCES[3:]),)),
    )


def _initiate(i: SimKeysightB2900, chosen: Sequence[Channel] | None, kinds: tuple[str, ...]) -> None:
    i.initiate({channel.number: set(kinds) for channel in chosen_or_first(i, chosen)})


def _control_commands(kind_node: str) -> tuple[Command, ...]:
    kinds = _KINDS[kind_node]
    return (
        Command(
            f":INITiate[:IMMediate]{kind_node}",
            write=lambda i, chosen: _initiate(i, chosen, kinds),
            takes=(CHANNELS,),
        ),
        Command(f":ABORt{kind_node}", write=lambda i, _: i.abort(), takes=(CHANNELS,)),
        Command(f":IDLE<c>{kind_node}", query=lambda i, n: str(int(not i.is_waiting))),
    )


_TRIGGER = (
    *(command for kind in _KINDS for command in _layer_commands("TRIGger", "triggers", kind)),
    *(command for kind in _KINDS for command in _layer_commands("ARM", "arms", kind)),
    *(command for kind in _KINDS for command in _control_commands(kind)),
    Command(":INITiate:CONTinuous", write=ignore, query=lambda i: "0", takes=(Switch(),)),
)


def _fetched(
    i: SimKeysightB2900, chosen: Sequence[Channel] | None, elements: Sequence[str], *, is_latest: bool
) -> Reply:
    columns = [channel.readings[-1:] if is_latest else channel.readings for channel in chosen_or_first(i, chosen)]
    return formatted(in_turn(columns, elements), i.format)


def _read(
    i: SimKeysightB2900, chosen: Sequence[Channel] | None, elements: Sequence[str] | None, *, is_latest: bool
) -> Reply | None:
    _initiate(i, chosen, ("TRAN", "ACQ"))

    def answer() -> Reply:
        return _fetched(i, chosen, elements or i.format.elements, is_latest=is_latest)

    if i.is_waiting:
        i.owe(answer)
        return None
    return answer()


_ELEMENTS = {
    "VOLTage[:DC]": "VOLT",
    "CURRent[:DC]": "CURR",
    "RESistance": "RES",
    "TIME": "TIME",
    "STATus": "STAT",
    "SOURce": "SOUR",
}


def _reply_commands(node: str, *, is_latest: bool) -> tuple[Command, ...]:
    every = [("", None), *((f":{name}", (element,)) for name, element in _ELEMENTS.items())]
    found: list[Command] = []
    for suffix, elements in every:
        found += [
            Command(
                f":FETCh{node}{suffix}",
                query=lambda i, chosen, elements=elements: _fetched(
                    i, chosen, elements or i.format.elements, is_latest=is_latest
                ),
                asks=(CHANNELS,),
            ),
            Command(
                f":READ{node}{suffix}",
                query=lambda i, chosen, elements=elements: _read(i, chosen, elements, is_latest=is_latest),
                asks=(CHANNELS,),
            ),
        ]
    return tuple(found)


def _measured(i: SimKeysightB2900, chosen: Sequence[Channel] | None, element: str | None) -> Reply:
    channels = chosen_or_first(i, chosen)
    i.measure_spot(channels, element or "")
    elements = (element,) if element else i.format.elements
    return formatted(in_turn([channel.readings for channel in channels], elements), i.format)


_RESULTS = (
    *_reply_commands("[:SCALar]", is_latest=True),
    *_reply_commands(":ARRay", is_latest=False),
    Command(":MEASure", query=lambda i, chosen: _measured(i, chosen, None), asks=(CHANNELS,)),
    *(
        Command(
            f":MEASure:{name}",
            query=lambda i, chosen, element=element: _measured(i, chosen, element),
            asks=(CHANNELS,),
        )
        for name, element in list(_ELEMENTS.items())[:3]
    ),
)


def _write_points(i: SimKeysightB2900, number: int, points: float) -> None:
    trace = i.channel(number).trace
    trace.require_idle()
    trace.size = points
    trace.stored.clear()


def _write_feed(i: SimKeysightB2900, number: int, feed: str) -> None:
    """Only measured data can be traced; limit and math results are not simulated."""
    if feed != "SENS":
        raise ScpiError(-221)
    trace = i.channel(number).trace
    trace.require_idle()
    trace.feed = feed


def _trace_data(i: SimKeysightB2900, number: int, offset: float | None, size: float | None) -> Reply:
    readings = i.channel(number).trace.timed()
    begin = int(offset or 0)
    wanted = readings[begin : None if size is None else begin + int(size)]
    return formatted(in_turn([wanted], i.format.elements), i.format)


def _free(i: SimKeysightB2900, number: int) -> str:
    trace = i.channel(number).trace
    return f"{int(trace.size) - len(trace.stored)},{int(trace.size)}"


def _statistic(i: SimKeysightB2900, number: int) -> Reply:
    return formatted(i.channel(number).trace.summary(i.format.elements), i.format)


_POINTS = Number("", 1, MOST_READINGS, MOST_READINGS, is_integer=True)
_INDEX = Number("", 0, MOST_READINGS, 0, is_integer=True, is_optional=True)
_TRACE = (
    Command(":TRACe<c>:CLEar", write=lambda i, n: i.channel(n).trace.clear()),
    Command(":TRACe<c>:DATA", query=_trace_data, asks=(_INDEX, _INDEX)),
    Command(
        ":TRACe<c>:FEED",
        write=_write_feed,
        query=lambda i, n: i.channel(n).trace.feed,
        takes=(Choice("SENSe", "MATH", "LIMit"),),
    ),
    of_channel(":TRACe<c>:FEED:CONTrol", "trace.control", Choice("NEXT", "NEVer")),
    Command(":TRACe<c>:FREE", query=_free),
    Command(
        ":TRACe<c>:POINts",
        write=_write_points,
        query=lambda i, n, extreme: show_integer(i.channel(n).trace.size if extreme is None else extreme),
        takes=(_POINTS,),
        asks=(Extreme(_POINTS),),
    ),
    Command(":TRACe<c>:POINts:ACTual", query=lambda i, n: str(len(i.channel(n).trace.stored))),
    Command(":TRACe<c>:STATistic:DATA", query=_statistic),
    of_channel(
        ":TRACe<c>:STATistic:FORMat", "trace.statistic", Choice("MEAN", "SDEViation", "PKPK", "MINimum", "MAXimum")
    ),
    of_channel(":TRACe<c>:TSTamp:FORMat", "trace.timestamps", Choice("DELTa", "ABSolute")),
)

TRIGGER_COMMANDS: tuple[Command, ...] = (*_TRIGGER, *_RESULTS, *_TRACE)
"""How measurements are begun and fetched."""
