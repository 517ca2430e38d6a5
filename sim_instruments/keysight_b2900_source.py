"""SOURce and OUTPut commands of a B2900A (SCPI Command Reference, chapter 4)."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from .keysight_b2900_channel import Channel
from .keysight_b2900_commands import (
    CHANNELS,
    UNITS,
    Clipped,
    Level,
    Reach,
    of_channel,
    redrive,
    show_nr3,
    trigger_out_commands,
    with_optional_source,
)
from .keysight_b2900_errors import LOW_WITH_OUTPUT_ON, NOTHING_SAVED, OUTPUT_MUST_BE_OFF, refusal
from .keysight_b2900_settings import LARGEST, LARGEST_PULSED, MOST_LISTED, SourceSettings
from .scpi import Command
from .scpi_errors import ScpiError
from .scpi_parameters import Choice, Extreme, Number, Numbers, Parameter, Switch

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900

_NODES = {"VOLT": "VOLTage", "CURR": "CURRent"}
_LONGEST_PULSE_SECONDS = 100_000.0


def _checked(i: SimKeysightB2900, number: int, quantity: str, value: float) -> Channel:
    """The channel, if it may source the level in its present shape."""
    channel = i.channel(number)
    ends = LARGEST if channel.settings.shape == "DC" else LARGEST_PULSED
    if abs(value) > ends[quantity]:
        raise ScpiError(-222)
    return channel


def _level_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce<c>:{_NODES[quantity]}"
    level = Level(quantity)

    def write_level(i: SimKeysightB2900, number: int, value: float) -> None:
        channel = _checked(i, number, quantity, value)
        channel.set_level(quantity, value)
        channel.settings.sources[quantity].triggered = None
        if quantity == channel.settings.function:
            i.sweeps.change_source(channel, value)

    def write_triggered(i: SimKeysightB2900, number: int, value: float) -> None:
        _checked(i, number, quantity, value).settings.sources[quantity].triggered = value

    def show_level(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
        return show_nr3(i.channel(number).settings.sources[quantity].level if extreme is None else extreme)

    def show_triggered(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
        source = i.channel(number).settings.sources[quantity]
        present = source.level if source.triggered is None else source.triggered
        return show_nr3(present if extreme is None else extreme)

    return (
        Command(
            f"{node}[:LEVel][:IMMediate][:AMPLitude]",
            write=write_level,
            query=show_level,
            takes=(level,),
            asks=(Extreme(level),),
        ),
        Command(
            f"{node}[:LEVel]:TRIGgered[:AMPLitude]",
            write=write_triggered,
            query=show_triggered,
            takes=(level,),
            asks=(Extreme(level),),
        ),
    )


def _range_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce<c>:{_NODES[quantity]}:RANGe"
    reach = Reach(quantity)

    def write_range(i: SimKeysightB2900, number: int, value: float) -> None:
        i.let_time_pass()
        i.channel(number).select_source_range(quantity, value)

    def show_range(i: SimKeysightB2900, number: int, extreme: float | None) -> str:
        channel = i.channel(number)
        ranges = channel.stage.accuracy.ranges(quantity)
        index = channel.settings.sources[quantity].range
        return show_nr3(ranges[index].full_scale if extreme is None else extreme)

    return (
        Command(node, write=write_range, query=show_range, takes=(reach,), asks=(Extreme(reach),)),
        of_channel(f"{node}:AUTO", lambda c: (c.settings.sources[quantity], "is_auto_range"), Switch()),
        of_channel(f"{node}:AUTO:LLIMit", lambda c: (c.settings.sources[quantity], "lowest"), reach),
    )


def _span_changed(quantity: str) -> Any:
    """A step that was given no longer holds once another of the sweep's numbers has been set."""

    def after(_: SimKeysightB2900, channel: Channel) -> None:
        channel.settings.sources[quantity].given_step = None

    return after


def _sweep_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce<c>:{_NODES[quantity]}"
    level = Level(quantity)
    points = Number("", 1, MOST_LISTED, 1, is_integer=True)
    span = Number(UNITS[quantity], -2 * LARGEST_PULSED[quantity], 2 * LARGEST_PULSED[quantity])

    def source(channel: Channel) -> SourceSettings:
        return channel.settings.sources[quantity]

    def write_step(i: SimKeysightB2900, number: int, value: float) -> None:
        sweep = source(i.channel(number))
        if value == 0:
            sweep.points, sweep.given_step = 1.0, None
            return
        if (sweep.stop - sweep.start) * value < 0:
            raise refusal(-221, f"Sweep step; channel {number}")
        count = int(abs(sweep.stop - sweep.start) / abs(value) + 1 + 1e-9)
        if count > MOST_LISTED:
            raise ScpiError(-222)
        sweep.points, sweep.given_step = float(count), value

    return (
        of_channel(f"{node}:MODE", lambda c: (source(c), "mode"), Choice("FIXed", "LIST", "SWEep")),
        of_channel(f"{node}:STARt", lambda c: (source(c), "start"), level, after=_span_changed(quantity)),
        of_channel(f"{node}:STOP", lambda c: (source(c), "stop"), level, after=_span_changed(quantity)),
        of_channel(f"{node}:POINts", lambda c: (source(c), "points"), points, after=_span_changed(quantity)),
        of_channel(f"{node}:CENTer", lambda c: (source(c), "center"), level),
        of_channel(f"{node}:SPAN", lambda c: (source(c), "span"), span),
        Command(
            f"{node}:STEP",
            write=write_step,
            query=lambda i, n, extreme: show_nr3(source(i.channel(n)).step if extreme is None else extreme),
            takes=(span,),
            asks=(Extreme(span),),
        ),
    )


def _list_commands(quantity: str) -> tuple[Command, ...]:
    node = f":SOURce<c>:LIST:{_NODES[quantity]}"
    end = LARGEST_PULSED[quantity]
    values = Numbers(UNITS[quantity], -end, end, at_most=MOST_LISTED)

    def listed(i: SimKeysightB2900, number: int) -> list[float]:
        return i.channel(number).settings.sources[quantity].listed

    def write_list(i: SimKeysightB2900, number: int, given: list[float]) -> None:
        i.channel(number).settings.sources[quantity].listed = given

    def append(i: SimKeysightB2900, number: int, given: list[float]) -> None:
        present = listed(i, number)
        if len(present) + len(given) > MOST_LISTED:
            raise ScpiError(-223)
        present.extend(given)

    return (
        Command(
            node,
            write=write_list,
            query=lambda i, n: ",".join(show_nr3(value) for value in listed(i, n)),
            takes=(values,),
        ),
        Command(f"{node}:APPend", write=append, takes=(values,)),
        Command(f"{node}:POINts", query=lambda i, n: str(len(listed(i, n)))),
        of_channel(
            f"{node}:STARt",
            lambda c: (c.settings.sources[quantity], "list_start"),
            Number("", 1, MOST_LISTED, 1, is_integer=True),
        ),
    )


def _select_function(i: SimKeysightB2900, number: int, function: str) -> None:
    channel = i.channel(number)
    if function != channel.settings.function:
        i.let_time_pass()
        channel.select_function(function)


_WIDTH = Clipped("S", lambda i: i.model.shortest_pulse_seconds, _LONGEST_PULSE_SECONDS, 50e-6)

_SOURCE = with_optional_source(
    (
        Command(
            ":SOURce<c>:FUNCtion:MODE",
            write=_select_function,
            query=lambda i, n: i.channel(n).settings.function,
            takes=(Choice("VOLTage", "CURRent"),),
        ),
        of_channel(":SOURce<c>:FUNCtion[:SHAPe]", "settings.shape", Choice("DC", "PULSe")),
        of_channel(":SOURce<c>:FUNCtion:TRIGgered:CONTinuous", "settings.stays_after_sweep", Switch()),
        *(
            command
            for quantity in UNITS
            for make in (_level_commands, _range_commands, _sweep_commands, _list_commands)
            for command in make(quantity)
        ),
        of_channel(":SOURce<c>:PULSe:DELay", "settings.pulse_delay_seconds", Clipped("S", 0, 99999.9, 0)),
        of_channel(":SOURce<c>:PULSe:WIDTh", "settings.pulse_width_seconds", _WIDTH),
        of_channel(":SOURce<c>:SWEep:DIRection", "settings.sweep.direction", Choice("UP", "DOWN")),
        of_channel(":SOURce<c>:SWEep:RANGing", "settings.sweep.ranging", Choice("AUTO", "BEST", "FIXed")),
        of_channel(":SOURce<c>:SWEep:SPACing", "settings.sweep.spacing", Choice("LINear", "LOGarithmic")),
        of_channel(":SOURce<c>:SWEep:STAir", "settings.sweep.stairs", Choice("SINGle", "DOUBle")),
        of_channel(
            ":SOURce<c>:SWEep:POINts",
            lambda c: (c.settings.source, "points"),
            Number("", 1, MOST_LISTED, 1, is_integer=True),
        ),
        of_channel(":SOURce<c>:WAIT[:STATe]", "settings.source_wait.is_on", Switch()),
        of_channel(":SOURce<c>:WAIT:AUTO", "settings.source_wait.is_auto", Switch()),
        of_channel(":SOURce<c>:WAIT:GAIN", "settings.source_wait.gain", Number("", 0, 100, 1)),
        of_channel(":SOURce<c>:WAIT:OFFSet", "settings.source_wait.offset_seconds", Number("S", 0, 1, 0)),
        *trigger_out_commands(":SOURce<c>", [lambda channel: channel.settings.source_out]),
    )
)


def _switch(i: SimKeysightB2900, number: int, is_on: bool) -> None:
    i.switch_output(i.channel(number), is_on)


def _while_off(pattern: str, name: str, parameter: Parameter, code: int) -> Command:
    """A setting that is refused with this error while the output is on."""
    usual = of_channel(pattern, f"settings.output.{name}", parameter)

    def write(i: SimKeysightB2900, number: int, value: Any) -> None:
        output = i.channel(number).settings.output
        if output.is_on and getattr(output, name) != value:
            raise refusal(code)
        setattr(output, name, value)

    return replace(usual, write=write)


def _recall_output(i: SimKeysightB2900, chosen: Sequence[Channel] | None, location: float) -> None:
    """OUTPut:RECall: channels only, from one of the memories of OUTPut:SAVE."""
    for channel in chosen or [i.channel(1)]:
        saved = i.saved_channels.get((channel.number, int(location)))
        if saved is None:
            raise refusal(NOTHING_SAVED)
        channel.settings = copy.deepcopy(saved)
        channel.settings.output.is_on = False
        channel.apply()


def _save_output(i: SimKeysightB2900, chosen: Sequence[Channel] | None, location: float) -> None:
    for channel in chosen or [i.channel(1)]:
        i.saved_channels[channel.number, int(location)] = copy.deepcopy(channel.settings)


_MEMORY = Number("", 0, 4, is_integer=True)
_OUTPUT = (
    Command(
        ":OUTPut<c>[:STATe]",
        write=_switch,
        query=lambda i, n: str(int(i.channel(n).settings.output.is_on)),
        takes=(Switch(),),
    ),
    of_channel(":OUTPut<c>:ON:AUTO", "settings.output.is_auto_on", Switch()),
    of_channel(":OUTPut<c>:OFF:AUTO", "settings.output.is_auto_off", Switch()),
    of_channel(":OUTPut<c>:OFF:MODE", "settings.output.off_mode", Choice("ZERO", "HIZ", "NORMal"), after=redrive),
    of_channel(":OUTPut<c>:PROTection[:STATe]", "settings.output.is_protected", Switch(), after=redrive),
    _while_off(":OUTPut<c>:LOW", "low", Choice("FLOat", "GROund"), LOW_WITH_OUTPUT_ON),
    _while_off(":OUTPut<c>:HCAPacitance[:STATe]", "is_high_capacitance", Switch(), OUTPUT_MUST_BE_OFF),
    of_channel(":OUTPut<c>:FILTer[:LPASs][:STATe]", "settings.output.is_filtered", Switch()),
    of_channel(":OUTPut<c>:FILTer[:LPASs]:AUTO", "settings.output.is_filter_auto", Switch()),
    of_channel(":OUTPut<c>:FILTer[:LPASs]:TCONstant", "settings.output.filter_seconds", Clipped("S", 5e-6, 5e-3, 5e-6)),
    of_channel(
        ":OUTPut<c>:FILTer[:LPASs]:FREQuency",
        lambda c: (_Frequency(c), "hertz"),
        Clipped("HZ", 31.83, 31830, 31830),
    ),
    Command(":OUTPut:RECall", write=_recall_output, takes=(CHANNELS, _MEMORY)),
    Command(":OUTPut:SAVE", write=_save_output, takes=(CHANNELS, _MEMORY)),
)


class _Frequency:
    """The output filter's corner frequency, which is its time constant told otherwise."""

    def __init__(self, channel: Channel) -> None:
        self._output = channel.settings.output

    @property
    def hertz(self) -> float:
        """Corner frequency."""
        return 1 / (2 * 3.141592653589793 * self._output.filter_seconds)

    @hertz.setter
    def hertz(self, value: float) -> None:
        self._output.filter_seconds = 1 / (2 * 3.141592653589793 * value)


SOURCE_COMMANDS: tuple[Command, ...] = (*_SOURCE, *_OUTPUT)
"""How the outputs are programmed."""
