"""The analog side of one channel of a 2600B: what it drives into the world, and what its converters read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from .accuracy import RangeAccuracy, UnitErrors
from .accuracy_keithley_2600b import MEASURE_REACH, SOURCE_REACH, Smu2600, noise_fraction_2600b
from .circuit import Source
from .keithley_2600b_buffer import OVERFLOW
from .keithley_2600b_settings import FOLLOW_LIMIT, HIGH_Z, OFF, REMOTE, VOLTS, ZERO, MeasureSide, SmuSettings

RANGE_CLAMP = 1.03
"""The output limits here, as a multiple of a fixed measure range below the limit (assumed: just beyond overflow)."""
_LEAST_AMPS = 1e-12


@dataclass(frozen=True)
class Sample:
    """One conversion: volts and amps as read, OVERFLOW beyond a range."""

    volts: float
    amps: float
    is_limiting: bool


def averaged(samples: Sequence[Sample]) -> Sample:
    """The mean of some conversions; OVERFLOW if one of them is."""
    return _combined(samples, lambda values: sum(values) / len(values))


def median(samples: Sequence[Sample]) -> Sample:
    """The conversions in the middle; OVERFLOW if one of them is."""
    return _combined(samples, lambda values: float(np.median(values)))


def _combined(samples: Sequence[Sample], combine: Callable[[list[float]], float]) -> Sample:
    if len(samples) == 1:
        return samples[0]
    volts, amps = [s.volts for s in samples], [s.amps for s in samples]
    return Sample(
        OVERFLOW if OVERFLOW in volts else combine(volts),
        OVERFLOW if OVERFLOW in amps else combine(amps),
        any(s.is_limiting for s in samples),
    )


def range_for(value: float, ranges: Sequence[RangeAccuracy], reach: float) -> int:
    """Index of the smallest range that reaches `value`; the largest one if none does."""
    for index, candidate in enumerate(ranges):
        if abs(value) <= candidate.full_scale * reach * (1 + 1e-9):
            return index
    return len(ranges) - 1


class Output2600:
    """Output stage and converters of one channel.

    Args:
        source: its output in the world.
        smu: ranges and accuracy.
        rng: fixes the unit's errors and its noise.
    """

    def __init__(self, source: Source, smu: Smu2600, rng: np.random.Generator) -> None:
        self._source = source
        self._rng = rng
        self._is_remote = False
        self.source_volts = UnitErrors(smu.source_volts, rng)
        self.source_amps = UnitErrors(smu.source_amps, rng)
        self.measure_volts = UnitErrors(smu.measure_volts, rng)
        self.measure_amps = UnitErrors(smu.measure_amps, rng)
        self._noise: dict[float, float] = {}

    def off(self, settings: SmuSettings) -> None:
        """Output off, in the selected off mode (reference manual, "Output-off modes")."""
        self._is_remote = False
        self._source.sense_remotely(False)
        if settings.off_mode == HIGH_Z:
            self._source.disconnect()
        elif settings.off_mode == ZERO:
            self._source.drive_volts(0.0, settings.limit_amps)
        elif settings.off_function == VOLTS:
            self._source.drive_volts(0.0, settings.offlimit_amps)
        else:
            self._source.drive_amps(0.0, settings.offlimit_volts)

    def drive(self, settings: SmuSettings, level: float, limit: float) -> None:
        """Output on at `level`, limiting the other quantity to `limit` or a fixed measure range below it."""
        self._is_remote = settings.sense == REMOTE
        self._source.sense_remotely(self._is_remote)
        if settings.is_volts_source:
            limit = _clamped(limit, settings.measure_amps, self.measure_amps)
            real_limit = self.source_amps.applied(limit, range_for(limit, self.source_amps.ranges, SOURCE_REACH))
            volts = self.source_volts.applied(level, settings.source_volts.index)
            self._source.drive_volts(volts, max(real_limit, _LEAST_AMPS))
        else:
            limit = _clamped(limit, settings.measure_volts, self.measure_volts)
            real_limit = self.source_volts.applied(limit, range_for(limit, self.source_volts.ranges, SOURCE_REACH))
            amps = self.source_amps.applied(level, settings.source_amps.index)
            self._source.drive_amps(amps, max(real_limit, 0.0))

    @contextmanager
    def sensing_locally(self) -> Iterator[Source]:
        """For a moment volts are regulated and found at the output terminals; gives the source."""
        self._source.sense_remotely(False)
        try:
            yield self._source
        finally:
            self._source.sense_remotely(self._is_remote)

    def is_limiting(self) -> bool:
        """Whether the output is at its limit now."""
        return self._source.point().is_limiting

    def autorange(self, settings: SmuSettings, limit: float) -> int:
        """Move automatic measure ranges to where the signal needs them; returns how many range steps that took."""
        point = self._source.point()
        if settings.is_volts_source:
            return _follow(settings.measure_amps, point.amps, self.measure_amps.ranges, limit)
        return _follow(settings.measure_volts, point.volts, self.measure_volts.ranges, limit)

    def volts_range(self, settings: SmuSettings) -> int:
        """Index of the voltage measure range: the source's own range while volts are sourced."""
        if not settings.is_volts_source:
            return settings.measure_volts.index
        full = self.source_volts.ranges[settings.source_volts.index].full_scale
        return range_for(full, self.measure_volts.ranges, 1.0)

    def amps_range(self, settings: SmuSettings) -> int:
        """Index of the current measure range: the source's own range while current is sourced."""
        if settings.is_volts_source:
            return settings.measure_amps.index
        full = self.source_amps.ranges[settings.source_amps.index].full_scale
        return range_for(full, self.measure_amps.ranges, 1.0)

    def sample(self, settings: SmuSettings) -> Sample:
        """One conversion at this instant."""
        point = self._source.point()
        noise = self._noise_of(settings.cycles)
        volts = self._converted(point.volts, self.volts_range(settings), self.measure_volts, noise)
        amps = self._converted(point.amps, self.amps_range(settings), self.measure_amps, noise)
        return Sample(volts, amps, point.is_limiting)

    def _noise_of(self, cycles: float) -> float:
        if cycles not in self._noise:
            self._noise[cycles] = noise_fraction_2600b(cycles)
        return self._noise[cycles]

    def _converted(self, true: float, index: int, unit: UnitErrors, noise: float) -> float:
        full_scale = unit.ranges[index].full_scale
        value = unit.applied(true, index) + full_scale * noise * float(self._rng.standard_normal())
        if abs(value) > full_scale * MEASURE_REACH:
            return OVERFLOW
        return unit.rounded(value, index)


def _clamped(limit: float, side: MeasureSide, unit: UnitErrors) -> float:
    clamp = unit.ranges[side.index].full_scale * RANGE_CLAMP
    return clamp if side.auto == OFF and clamp < limit else limit


def _follow(side: MeasureSide, value: float, ranges: Sequence[RangeAccuracy], limit: float) -> int:
    if side.auto == OFF:
        return 0
    highest = range_for(limit, ranges, MEASURE_REACH)
    wanted = highest if side.auto == FOLLOW_LIMIT else range_for(value, ranges, MEASURE_REACH)
    wanted = min(max(wanted, side.lowest), highest)
    steps = abs(wanted - side.index)
    side.index = wanted
    return steps
