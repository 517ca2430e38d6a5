"""A Crossbar made of ideal sources and ammeters right on a world's die: no instruments, no noise, for quick trials."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import numpy as np

from mtjlab.errors import InputError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Cost, Line, Lines, Reading
from mtjlab.pulse_budget import PulseBudget
from mtjlab.roles import Capabilities, Crossbar, HeardRead, LineRead, not_heard

from .circuit import Source
from .world import World

READ_SECONDS = 3e-3
"""What one measurement takes, of however many lines."""
_AMPS_LIMIT = 5e-3


class WorldCrossbar(Crossbar):
    """Every line has a source and an ammeter of its own.

    Args:
        world: the die and the clock; the crossbar takes all its lines.
        limits: what `measure` and `pulse` refuse to go beyond.
    """

    def __init__(self, world: World, limits: DeviceLimits | None = None) -> None:
        self._world = world
        self._limits = limits or DeviceLimits()
        self._budget = PulseBudget(self._limits)
        rows, cols = self.shape
        lines = [Line("row", i) for i in range(rows)] + [Line("col", j) for j in range(cols)]
        self._sources: dict[Line, Source] = {}
        for line in lines:
            name = f"{line.axis}.{line.number}"
            self._sources[line] = world.add_source(name, f"source.{name}")
            world.connect(f"source.{name}", f"die.{name}")
        self._pulses = self._readings = 0

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols) of the die."""
        description = self._world.die.description
        return description.rows, description.cols

    @property
    def capabilities(self) -> Capabilities:
        """Any levels, all lines sensed at once."""
        rows, cols = self.shape
        return Capabilities(rows + cols, rows + cols, shortest_pulse_seconds=0.0, can_float=True)

    @property
    def limits(self) -> DeviceLimits:
        """What `measure` and `pulse` refuse to go beyond."""
        return self._limits

    @property
    def spent(self) -> Cost:
        """Pulses, readings and simulated seconds."""
        return Cost(self._pulses, self._readings, self._world.seconds)

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        """See Crossbar."""
        self._limits.check_read(lines.largest_cell_volts)
        levels = self._levels(lines)
        for line in sense:
            if np.isnan(levels.get(line, np.nan)):
                raise InputError(f"{line.axis} {line.number} cannot be sensed: it is not driven", remedy="Give it 0 V")
        self._apply(lines)
        self._world.wait(READ_SECONDS)
        self._readings += len(sense)
        readings = []
        for line in sense:
            point = self._sources[line].point()
            readings.append(Reading(point.volts, -point.amps, in_compliance=point.is_limiting))
        return readings

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        """See Crossbar. Neighbours in the series that have the same lines are one measurement."""
        for read in reads:
            self._limits.check_read(read.lines.largest_cell_volts)
        found: list[Reading] = []
        for _, group in groupby(reads, key=lambda read: id(read.lines)):
            same = list(group)
            for reading in self.measure(same[0].lines, [read.sense for read in same]):
                heard(len(found), reading)
                found.append(reading)
        return found

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        """See Crossbar."""
        driven = {line: volts for line, volts in self._levels(lines).items() if not np.isnan(volts)}
        if not driven:
            raise InputError("no line is driven", remedy="Give at least one line a level")
        selected = max(driven, key=lambda line: abs(driven[line]))
        self._limits.check_pulse_bounds(lines.cell_volts_bounds, seconds)
        self._budget.take(lines)
        self._apply(lines)
        self._world.wait(seconds)
        point = self._sources[selected].point()
        self.idle()
        self._pulses += 1
        return Reading(point.volts, point.amps, in_compliance=point.is_limiting)

    def idle(self) -> None:
        """All lines to 0 V."""
        self._apply(Lines.grounded(*self.shape))

    def _apply(self, lines: Lines) -> None:
        with self._world.at_once():
            for line, volts in self._levels(lines).items():
                if np.isnan(volts):
                    self._sources[line].disconnect()
                else:
                    self._sources[line].drive_volts(volts, _AMPS_LIMIT)

    def _levels(self, lines: Lines) -> dict[Line, float]:
        if (lines.row_volts.size, lines.col_volts.size) != self.shape:
            raise InputError(
                f"lines for {lines.row_volts.size} x {lines.col_volts.size} given to an array of {self.shape}"
            )
        rows = {Line("row", i): float(v) for i, v in enumerate(lines.row_volts)}
        return rows | {Line("col", j): float(v) for j, v in enumerate(lines.col_volts)}
