"""Trigger connectors of a generator: an input that watches its voltage, an output that gives a pulse."""

from __future__ import annotations

import math
from collections.abc import Callable

from .pulse_train import Section, Step, Train
from .pulse_trains import trains_of
from .trigger_wires import Terminal
from .world import World

_OUTPUT_OHMS = 50.0
_OUTPUT_VOLTS = 3.3
"""Open-circuit high level of the output (assumed: TTL)."""
_PULSE_SECONDS = 1e-6
"""Length of its pulse (assumed)."""


class TriggerInput:
    """The node `<name>.trigger_in`, high impedance; a process of the world while something waits for it.

    Args:
        name: of the instrument.
        world: the node is in it.
        crossed: called when the voltage has crossed the level, with whether it is above now.
    """

    def __init__(self, name: str, world: World, crossed: Callable[[bool], object]) -> None:
        self._world = world
        self._crossed = crossed
        # at a node of its own, so that it does not count among the instrument's outputs
        self._probe = world.add_source(f"trigger input of {name}", f"trigger input of {name}.probe")
        world.connect(f"trigger input of {name}.probe", f"{name}.trigger_in")
        self._level: float | None = None
        self._is_high = False

    def watch(self, level: float | None) -> None:
        """Look for the voltage crossing this level from now on; None ends that."""
        if level == self._level:
            return
        was_watching, self._level = self._level is not None, level
        trains = trains_of(self._world)
        trains.watchers += int(level is not None) - int(was_watching)
        if level is None:
            self._world.processes.stop(self)
            return
        self._is_high = self._is_above()
        self._world.processes.start(self, self._world.seconds)

    def _is_above(self) -> bool:
        level = self._level
        if level is None or (level > 0 and self._world.circuit.largest_volts <= level):
            return False
        return self._probe.point().volts > level

    def prepare(self, start: float, end: float) -> None:
        """See Process."""

    def next_change(self) -> float:
        """See Process: now, if the voltage is on the other side of the level."""
        return self._world.seconds if self._is_above() != self._is_high else math.inf

    def change(self, now: float) -> None:
        """See Process."""
        self._is_high = not self._is_high
        self._crossed(self._is_high)


class TriggerOutput:
    """The node `<name>.trigger_out`, TTL behind 50 ohm.

    Args:
        name: of the instrument.
        world: the node is in it.
        terminal: the same connector for trigger wires.
    """

    def __init__(self, name: str, world: World, terminal: Terminal) -> None:
        self._world = world
        self._terminal = terminal
        self._source = world.add_source(f"trigger output of {name}", f"trigger output of {name}.emf")
        world.connect(f"trigger output of {name}.emf", f"{name}.trigger_out", _OUTPUT_OHMS)
        self._train = Train((), 0, idle=0.0, drive=self._drive)

    def _drive(self, level: float) -> None:
        self._source.drive_volts(level * _OUTPUT_VOLTS, 1.0)

    def pulse(self) -> None:
        """One pulse, beginning now."""
        trains = trains_of(self._world)
        trains.stop(self._train)
        self._train = Train([Section([Step(_PULSE_SECONDS, 1.0)])], 1, idle=0.0, drive=self._drive)
        trains.start(self._train, self._world.seconds)
        self._terminal.pulse(_PULSE_SECONDS)
