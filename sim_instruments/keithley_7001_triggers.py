"""The trigger connectors of a 7001: Trigger Link, external trigger input, channel-ready output.

After the trigger model that this maker's meters of the time share with it (Model 2002 User's Manual, "Output Triggers";
Model 2001 Operator's Manual, "Semi-synchronous operation", which describes a scan with two 7001s). The channel layer
gives an output trigger after every step; a scan or arm layer only with its source bypassed, when it is left (assumed).
It goes to the Trigger Link if the layer's source is TLINk, else to the channel-ready output.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .keithley_7001_settings import Layer
from .trigger_wires import Terminal

if TYPE_CHECKING:
    from .keithley_7001 import SimKeithley7001

_LINES = range(1, 7)


class TriggerConnectors:
    """`tlink.1` to `tlink.6`, `external_trigger` and `channel_ready`. Low-going pulses are triggers."""

    def __init__(self, unit: SimKeithley7001) -> None:
        self._unit = unit
        self._lines = {number: Terminal(partial(self._pulled, number)) for number in _LINES}
        self._external = Terminal(self._external_edge)
        self._ready = Terminal()

    @property
    def terminals(self) -> dict[str, Terminal]:
        """All by name."""
        lines = {f"tlink.{number}": line for number, line in self._lines.items()}
        return {**lines, "external_trigger": self._external, "channel_ready": self._ready}

    def _external_edge(self, rises: bool) -> None:
        if not rises:
            self._unit.notice("EXT")

    def _pulled(self, number: int, rises: bool) -> None:
        if rises:
            return
        unit = self._unit
        channel = unit.settings.channel
        is_held = channel.protocol == "SSYN" and channel.input_line == number and unit.scanner.takes("TLIN", number)
        if is_held:  # the line stays low until the channel is ready
            self._lines[number].rest(is_low=True)
        unit.notice("TLIN", number)

    def put_out(self, layer: Layer) -> None:
        """The output trigger of a layer, at the moment to which the unit has come."""
        if layer.source != "TLIN":
            terminal = self._ready
        elif layer.protocol == "SSYN":
            terminal = self._lines[int(layer.input_line)]
        else:
            terminal = self._lines[int(layer.output_line)]
        if not terminal.is_joined:
            return
        self._unit.catch_up()
        if layer.source == "TLIN" and layer.protocol == "SSYN" and layer.direction == "ACC":
            terminal.rest(is_low=False)
        else:
            terminal.pulse()

    def let_go(self) -> None:
        """The scan was broken off: no line is held low any more."""
        for line in self._lines.values():
            line.rest(is_low=False)
