"""The trigger connectors of a 34980A: external trigger, which is also the channel advance, and channel closed.

Low-going pulses are triggers. One that comes too early is kept, further ones are lost without an error, and while no
scan runs nothing happens (as the maker tells of the DAQ970A, ROUTe:CHANnel:ADVance:SOURce).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .trigger_wires import Terminal

if TYPE_CHECKING:
    from .keysight_34980a import SimKeysight34980A

_CHANNEL_CLOSED_SECONDS = 2e-6
"""Width of the pulse of the channel-closed output (that of this maker's voltmeter-complete outputs; assumed)."""


class TriggerConnectors:
    """`external_trigger` and `channel_closed`."""

    def __init__(self, unit: SimKeysight34980A) -> None:
        self._unit = unit
        self._external = Terminal(self._edge)
        self._closed = Terminal()

    @property
    def terminals(self) -> dict[str, Terminal]:
        """All by name."""
        return {"external_trigger": self._external, "channel_closed": self._closed}

    def _edge(self, rises: bool) -> None:
        if rises:
            return
        unit, scanner = self._unit, self._unit.measuring.scanner
        if scanner.waits_for == "EXT":
            unit.react(lambda: unit.signal("EXT"))
        elif scanner.is_running and scanner.hears("EXT"):
            unit.signal("EXT")

    def channel_is_closed(self) -> None:
        """A channel of a scan is closed and settled, at the moment to which the unit has come."""
        if self._closed.is_joined:
            self._unit.wait_for(0.0)
            self._closed.pulse(_CHANNEL_CLOSED_SECONDS)
