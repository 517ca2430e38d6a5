"""The analog side of a source-measure unit that is described by its accuracy tables alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .accuracy import RangeAccuracy, UnitErrors
from .circuit import Source, SourcePoint

_SMALLEST_AMPS_LIMIT = 1e-12
_REACH_SLACK = 1 + 1e-9


@dataclass(frozen=True)
class StageAccuracy:
    """What a data sheet says about one output.

    Attributes:
        source_volts, source_amps, measure_volts, measure_amps: ranges in ascending order; source and measure ranges of
            one quantity correspond.
        over_range: how far a range reaches, as a multiple of its full scale.
        noise: (power line cycles, root-mean-square noise as a fraction of range) in ascending order.
    """

    source_volts: tuple[RangeAccuracy, ...]
    source_amps: tuple[RangeAccuracy, ...]
    measure_volts: tuple[RangeAccuracy, ...]
    measure_amps: tuple[RangeAccuracy, ...]
    over_range: float
    noise: tuple[tuple[float, float], ...]

    def ranges(self, quantity: str) -> tuple[RangeAccuracy, ...]:
        """Ranges of VOLT or CURR."""
        return self.source_volts if quantity == "VOLT" else self.source_amps

    def smallest(self, quantity: str, value: float) -> int:
        """Index of the smallest range that reaches `value`; the largest one if none does."""
        ranges = self.ranges(quantity)
        for index, candidate in enumerate(ranges):
            if abs(value) <= candidate.full_scale * self.over_range * _REACH_SLACK:
                return index
        return len(ranges) - 1

    def reaches(self, quantity: str, index: int, value: float) -> bool:
        """Whether a range covers a value."""
        return abs(value) <= self.ranges(quantity)[index].full_scale * self.over_range * _REACH_SLACK

    def noise_fraction(self, cycles: float) -> float:
        """Root-mean-square noise at this integration time, log-log between the table's points."""
        points = np.log(np.asarray(self.noise))
        return float(np.exp(np.interp(np.log(cycles), points[:, 0], points[:, 1])))


class SmuStage:
    """Output stage and converters of one output.

    Args:
        source: its output in the world.
        rng: fixes the unit's errors and its noise.
        accuracy: its data sheet.
    """

    def __init__(self, source: Source, rng: np.random.Generator, accuracy: StageAccuracy) -> None:
        self.accuracy = accuracy
        self._source = source
        self._rng = rng
        self._sources = {
            "VOLT": UnitErrors(accuracy.source_volts, rng),
            "CURR": UnitErrors(accuracy.source_amps, rng),
        }
        self._meters = {
            "VOLT": UnitErrors(accuracy.measure_volts, rng),
            "CURR": UnitErrors(accuracy.measure_amps, rng),
        }
        self._noise: dict[float, float] = {}

    def sense_remotely(self, is_remote: bool) -> None:
        """Regulate, limit and measure volts at the sense terminal ("four-wire") or at the output."""
        self._source.sense_remotely(is_remote)

    def disconnect(self) -> None:
        """Output relay open."""
        self._source.disconnect()

    def hold_zero(self, amps_limit: float) -> None:
        """Output off, but connected: 0 V with little current behind it."""
        self._source.drive_volts(0.0, amps_limit)

    def hold_open(self, volts_limit: float) -> None:
        """Output off, but connected: 0 A."""
        self._source.drive_amps(0.0, volts_limit)

    def drive(self, quantity: str, level: float, index: int, limit: float) -> None:
        """Regulate `level` volts or amperes on source range `index`, the other quantity limited to +-`limit`."""
        real = self._sources[quantity].applied(level, index)
        if quantity == "VOLT":
            self._source.drive_volts(real, max(self._limit("CURR", limit), _SMALLEST_AMPS_LIMIT))
        else:
            self._source.drive_amps(real, self._limit("VOLT", limit))

    def _limit(self, quantity: str, limit: float) -> float:
        real = self._sources[quantity].applied(limit, self.accuracy.smallest(quantity, limit))
        return max(real, 0.0)

    def point(self) -> SourcePoint:
        """Exact operating point now."""
        return self._source.point()

    def is_limiting(self) -> bool:
        """Whether the output is in compliance now."""
        return self._source.point().is_limiting

    def converted(self, quantity: str, true: float, index: int, cycles: float, averaged: float = 1.0) -> float:
        """What the meter makes of a true value on measure range `index`; infinite beyond the range.

        Args:
            cycles: integration time, power line cycles.
            averaged: readings averaged by a filter.
        """
        if cycles not in self._noise:
            self._noise[cycles] = self.accuracy.noise_fraction(cycles)
        meter = self._meters[quantity]
        full_scale = meter.ranges[index].full_scale
        noise = full_scale * self._noise[cycles] / math.sqrt(averaged)
        value = meter.applied(true, index) + noise * float(self._rng.standard_normal())
        if abs(value) > full_scale * self.accuracy.over_range:
            return math.copysign(math.inf, value)
        return meter.rounded(value, index)

    def converted_many(
        self, quantity: str, true: float, index: int, cycles: float, averaged: float, count: int
    ) -> list[float]:
        """`count` readings of one and the same true value; see `converted`."""
        meter = self._meters[quantity]
        entry = meter.ranges[index]
        noise = entry.full_scale * self.accuracy.noise_fraction(cycles) / math.sqrt(averaged)
        values = meter.applied(true, index) + noise * self._rng.standard_normal(count)
        seen = np.round(values / entry.resolution) * entry.resolution
        end = entry.full_scale * self.accuracy.over_range
        return [float(v) for v in np.where(np.abs(values) > end, np.copysign(np.inf, values), seen).tolist()]
