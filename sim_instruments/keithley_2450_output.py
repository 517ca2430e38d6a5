"""The analog side of a 2450: what its output does to the world and what its converters make of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from mtjlab.nouns import Floats, Ints

from .circuit import SourcePoint
from .keithley_2450_buffer import OVERFLOW
from .keithley_2450_ohms import follow
from .keithley_2450_settings import PROTECTIONS, Settings
from .smu_stage import SmuStage, StageAccuracy

RANGE_CLAMP = 1.06
"""A fixed measure range below the limit limits the output here, as a multiple of the range (assumed: just beyond the
reading's overflow)."""
_OFF_LIMIT_FRACTION = 0.1
"""Limit of the NORMAL off state as a fraction of the present current range (Reference Manual, :OUTPut:SMODe)."""
_PROTECTION_SLACK = 0.99


class K2450Output:
    """Output stage and converters of one unit.

    Args:
        stage: its analog side.
    """

    def __init__(self, stage: SmuStage) -> None:
        self._stage = stage
        self._indices: dict[tuple[str, float], int] = {}

    @property
    def accuracy(self) -> StageAccuracy:
        """Ranges and data sheet."""
        return self._stage.accuracy

    def off(self, settings: Settings) -> None:
        """Output off, in the off state of the selected function; remote sense is not used then."""
        self._stage.sense_remotely(False)
        state = settings.source.off_state
        amps = self.measure_scale(settings, "CURR")
        volts = self.accuracy.source_volts[settings.sources["VOLT"].range].full_scale
        if state == "HIMP":
            self._stage.disconnect()
        elif state == "GUAR" and settings.function == "CURR":
            self._stage.hold_open(_OFF_LIMIT_FRACTION * volts)
        elif state == "ZERO":
            self._stage.hold_zero(self._zero_limit(settings))
        else:
            self._stage.hold_zero(_OFF_LIMIT_FRACTION * amps)

    def _zero_limit(self, settings: Settings) -> float:
        if settings.function == "VOLT":
            return settings.source.limit
        scale = self.accuracy.source_amps[settings.source.range].full_scale
        return max(abs(settings.source.level), _OFF_LIMIT_FRACTION * scale)

    def drive(self, settings: Settings) -> None:
        """Output on at the programmed level, within limit and over-voltage protection."""
        self._drive(settings, settings.source.level)

    def drive_zero(self, settings: Settings) -> None:
        """Output on at zero, for the second reading of offset-compensated ohms."""
        self._drive(settings, 0.0)

    def _drive(self, settings: Settings, level: float) -> None:
        source = settings.source
        protection = PROTECTIONS[source.protection]
        limit = self.limit(settings)
        if settings.function == "VOLT":
            level = min(max(level, -protection), protection)
        else:
            limit = min(limit, protection)
        self._stage.sense_remotely(settings.sense.is_remote_sense)
        self._stage.drive(settings.function, level, source.range, limit)

    def limit(self, settings: Settings) -> float:
        """The limit in force: the programmed one, or a fixed measure range below it."""
        sense = settings.senses[settings.limited]
        if sense.is_auto_range or settings.sense_function != settings.limited:
            return settings.source.limit
        return min(settings.source.limit, sense.range * RANGE_CLAMP)

    def point(self) -> SourcePoint:
        """Exact operating point now."""
        return self._stage.point()

    def is_limiting(self) -> bool:
        """Whether the output is at its limit."""
        return self._stage.is_limiting()

    def is_protecting(self, settings: Settings, point: SourcePoint | None = None) -> bool:
        """Whether over-voltage protection holds the output back, at this operating point or at the present one."""
        protection = PROTECTIONS[settings.source.protection]
        if settings.function == "VOLT":
            return abs(settings.source.level) > protection
        if protection > settings.source.limit:
            return False
        return abs((point or self._stage.point()).volts) >= protection * _PROTECTION_SLACK

    def follow_level(self, settings: Settings) -> None:
        """Move automatic source ranges so that they cover their levels."""
        for quantity, source in settings.sources.items():
            if source.is_auto_range:
                source.range = self.accuracy.smallest(quantity, source.level)

    def sweep_levels(self, settings: Settings, levels: Floats, ranging: str) -> tuple[Floats, Ints]:
        """Level and source range of every point of a sweep: AUTO the smallest range for each, BEST one for all, FIX the
        present one, to whose end a level is brought down.
        """
        ends = np.array([e.full_scale * self.accuracy.over_range for e in self.accuracy.ranges(settings.function)])
        fitting = np.minimum(np.searchsorted(ends * (1 + 1e-9), np.abs(levels)), ends.size - 1)
        if ranging == "BEST":
            fitting = np.full_like(fitting, fitting.max(initial=0))
        elif ranging == "FIX":
            fitting = np.full_like(fitting, settings.source.range)
        return np.clip(levels, -ends[fitting], ends[fitting]), fitting

    def measure_scale(self, settings: Settings, function: str) -> float:
        """Full scale of the present measure range; that of the source if the same quantity is sourced."""
        if function == settings.function:
            return self.accuracy.ranges(function)[settings.source.range].full_scale
        return settings.senses[function].range

    def _range(self, settings: Settings, quantity: str) -> int:
        if quantity == settings.function:
            return settings.source.range
        key = quantity, settings.senses[quantity].range
        index = self._indices.get(key)
        if index is None:
            index = self._indices[key] = self.accuracy.smallest(*key)
        return index

    def autorange(self, settings: Settings) -> int:
        """Move the automatic measure range to where the signal needs it; returns how many steps that took."""
        if settings.set_aside is not None:
            return follow(settings, self.accuracy, self._stage.point, lambda: self.drive(settings))
        quantity = settings.limited
        sense = settings.senses[quantity]
        if not sense.is_auto_range:
            return 0
        point = self._stage.point()
        value = point.volts if quantity == "VOLT" else point.amps
        highest = self.accuracy.smallest(quantity, settings.source.limit)
        wanted = min(self.accuracy.smallest(quantity, max(abs(value), sense.lowest)), highest)
        before = self._range(settings, quantity)
        sense.range = self.accuracy.ranges(quantity)[wanted].full_scale
        return abs(wanted - before)

    def converted(self, settings: Settings, quantity: str, true: float) -> float:
        """What the meter makes of a true value."""
        index = self._range(settings, quantity)
        return self._stage.converted(quantity, true, index, settings.sense.cycles, self._averaged(settings))

    def converted_many(self, settings: Settings, quantity: str, true: float, count: int) -> Sequence[float]:
        """What the meter makes of a true value, `count` times."""
        index = self._range(settings, quantity)
        return self._stage.converted_many(quantity, true, index, settings.sense.cycles, self._averaged(settings), count)

    @staticmethod
    def _averaged(settings: Settings) -> float:
        averaging = settings.sense.filter
        return averaging.count if averaging.is_on and averaging.kind == "REP" else 1.0


def finite(value: float) -> float:
    """A reading as it is told: beyond the range it is an overflow."""
    return math.copysign(OVERFLOW, value) if math.isinf(value) else value


def ratio(volts: float, amps: float) -> float:
    """A resistance; overflow where there is none."""
    if math.isinf(volts) or math.isinf(amps) or amps == 0.0:
        return OVERFLOW
    return volts / amps
