"""ARM, TRIGger, INITiate, ABORt, IDLE, MEASure, READ and FETCh of a B2900A (SCPI Command Reference, chapter 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .keysight_b2900_channel import Channel
from .keysight_b2900_commands import CHANNELS, Clipped, Count, chosen_or_first, show_nr3, trigger_out_commands
from .keysight_b2900_readings import formatted, in_turn
from .scpi import Command, Reply
from .scpi_parameters import Choice, Extreme, Number
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


def _immediate(layer: str, kinds: tuple[str, ...]) -> Any:
    def write(i: SimKeysightB2900, number: int, chosen: Sequence[Channel] | None) -> None:
        i.trigger_with("", layer, kinds, [channel.number for channel in chosen or [i.channel(number)]])

    return write


def _layer_commands(root: str, layer: str, kind_node: str) -> tuple[Command, ...]:
    node, kinds = f":{root}<c>{kind_node}", _KINDS[kind_node]
    timer = Clipped("S", 1e-5, 1e5, 1e-5)

    def out(kind: str) -> Any:
        return lambda channel: getattr(channel.settings, layer)[kind].trigger_out

    return (
        _layer_setting(f"{node}:SOURce[:SIGNal]", layer, "source", kinds, Choice(*_SOURCES)),
        _layer_setting(f"{node}:COUNt", layer, "count", kinds, Count()),
        _layer_setting(f"{node}:DELay", layer, "delay_seconds", kinds, Clipped("S", 0, 1e5, 0)),
        _layer_setting(f"{node}:TIMer", layer, "timer_seconds", kinds, timer),
        _layer_setting(f"{node}:BYPass", layer, "bypass", kinds, Choice("OFF", "ONCE")),
        *trigger_out_commands(node, [out(kind) for kind in kinds]),
        Command(
            f"{node}[:IMMediate]",
            write=_immediate("ARM" if root == "ARM" else "TRIG", kinds),
            takes=(CHANNELS,),
        ),
    )


def _initiate(i: SimKeysightB2900, chosen: Sequence[Channel] | None, kinds: tuple[str, ...]) -> None:
    i.sweeps.initiate({channel.number: set(kinds) for channel in chosen_or_first(i, chosen)})


def _abort(kinds: tuple[str, ...]) -> Any:
    def write(i: SimKeysightB2900, chosen: Sequence[Channel] | None) -> None:
        i.sweeps.abort([channel.number for channel in chosen_or_first(i, chosen)], kinds)

    return write


def _idle(kinds: tuple[str, ...]) -> Any:
    """IDLE? waits until the actions are idle."""

    def query(i: SimKeysightB2900, number: int) -> Reply | None:
        i.channel(number)
        return "1" if not i.sweeps.is_busy([number], kinds) else i.sweeps.when_idle(lambda: "1")

    return query


def _control_commands(kind_node: str) -> tuple[Command, ...]:
    kinds = _KINDS[kind_node]
    return (
        Command(
            f":INITiate[:IMMediate]{kind_node}",
            write=lambda i, chosen: _initiate(i, chosen, kinds),
            takes=(CHANNELS,),
        ),
        Command(f":ABORt{kind_node}", write=_abort(kinds), takes=(CHANNELS,)),
        Command(f":IDLE<c>{kind_node}", query=_idle(kinds)),
    )


_TRIGGER = (
    *(command for kind in _KINDS for command in _layer_commands("TRIGger", "triggers", kind)),
    *(command for kind in _KINDS for command in _layer_commands("ARM", "arms", kind)),
    *(command for kind in _KINDS for command in _control_commands(kind)),
)


def _fetched(
    i: SimKeysightB2900, chosen: Sequence[Channel] | None, elements: Sequence[str], *, is_latest: bool
) -> Reply:
    i.let_time_pass()
    columns = [channel.readings[-1:] if is_latest else channel.readings for channel in chosen_or_first(i, chosen)]
    return formatted(in_turn(columns, elements), i.format)


def _read(
    i: SimKeysightB2900, chosen: Sequence[Channel] | None, elements: Sequence[str] | None, *, is_latest: bool
) -> Reply | None:
    _initiate(i, chosen, ("TRAN", "ACQ"))
    return i.sweeps.when_idle(lambda: _fetched(i, chosen, elements or i.format.elements, is_latest=is_latest))


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

TRIGGER_COMMANDS: tuple[Command, ...] = (*_TRIGGER, *_RESULTS)
"""How measurements are begun and fetched."""
