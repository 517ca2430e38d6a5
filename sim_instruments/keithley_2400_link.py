"""The trigger connectors of a 2400: Trigger Link, and the start-of-test line of a handler (user's manual, 11, 13)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from .keithley_2400_run import Event
from .trigger_wires import Terminal

if TYPE_CHECKING:
    from .keithley_2400 import SimKeithley2400

_LINES = range(1, 5)


class TriggerLink:
    """Trigger Link lines 1 to 4, `tlink.1` and so on, and `sot`, which a component handler drives.

    Low-going pulses are triggers. Line 1 is the input and line 2 the output until a program says otherwise.

    Attributes:
        lines: the lines by number.
        start_of_test: the SOT line.
    """

    def __init__(self, unit: SimKeithley2400) -> None:
        self._unit = unit
        self.lines = {number: Terminal(partial(self._pulled, number)) for number in _LINES}
        self.start_of_test = Terminal(lambda rises: unit.notice(Event("PST" if rises else "NST")))

    @property
    def terminals(self) -> dict[str, Terminal]:
        """All by name."""
        return {**{f"tlink.{number}": line for number, line in self.lines.items()}, "sot": self.start_of_test}

    def _pulled(self, number: int, rises: bool) -> None:
        if not rises:
            self._unit.notice(Event("TLIN", number))

    def send(self, number: int) -> None:
        """An output trigger on a line, at the moment to which the unit has come."""
        line = self.lines[number]
        if line.is_joined:
            self._unit.catch_up()
            line.pulse()
