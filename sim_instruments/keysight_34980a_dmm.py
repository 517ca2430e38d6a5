"""The internal DMM of a 34980A: volts and ohms between analog bus 1 and the common ground.

HI is `<mainframe>.abus.1`; a four-wire measurement senses at `<mainframe>.abus.2`; LO is the common ground. Ranges,
test currents and accuracy of the 34980A data sheet (one year, 1 power line cycle), from memory: to be checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .accuracy import RangeAccuracy, UnitErrors
from .keysight_34980a_readings import OVERFLOW
from .world import World

OVER_RANGE = 1.2
CYCLES = (0.006, 0.02, 0.06, 0.2, 1.0, 2.0, 10.0, 20.0, 100.0, 200.0)
"""Integration times, power line cycles."""
_CLAMP_VOLTS = 6.6
"""Open-circuit voltage of the ohms source (assumed)."""
_SETTLE_SECONDS = 2e-3
"""Overhead and settling of a reading, and of each step of autoranging (assumed)."""
_NOISE = 1e-6
"""Root-mean-square noise at one power line cycle as a fraction of range (assumed)."""
_COUNTS = 1e-7
VOLTS = tuple(
    RangeAccuracy(full, gain, offset * full, _COUNTS * full)
    for full, gain, offset in (
        (0.1, 50e-6, 35e-6),
        (1.0, 40e-6, 7e-6),
        (10.0, 35e-6, 5e-6),
        (100.0, 45e-6, 6e-6),
        (300.0, 45e-6, 30e-6),
    )
)
OHMS = tuple(
    RangeAccuracy(full, gain, offset * full, _COUNTS * full)
    for full, gain, offset in (
        (100.0, 100e-6, 40e-6),
        (1e3, 100e-6, 10e-6),
        (1e4, 100e-6, 10e-6),
        (1e5, 100e-6, 10e-6),
        (1e6, 100e-6, 10e-6),
        (1e7, 400e-6, 10e-6),
        (1e8, 8e-3, 100e-6),
    )
)
TEST_AMPS = (1e-3, 1e-3, 100e-6, 10e-6, 5e-6, 500e-9, 50e-9)
"""Of the ohms ranges."""


@dataclass
class Measurement:
    """What to measure on a channel.

    Attributes:
        function: VOLT, RES or FRES.
        full_scale: range; 0 for autoranging.
        cycles: integration time, power line cycles.
    """

    function: str = "VOLT"
    full_scale: float = 0.0
    cycles: float = 1.0

    @property
    def ranges(self) -> tuple[RangeAccuracy, ...]:
        """The function's ranges."""
        return VOLTS if self.function == "VOLT" else OHMS


class InternalDmm:
    """The DMM.

    Args:
        name: of the mainframe.
        world: where it measures.
        settle: lets seconds pass, in the world, before it returns.
    """

    def __init__(self, name: str, world: World, settle: Callable[[float], None]) -> None:
        self._world = world
        self._settle = settle
        self._hi = world.add_source(f"{name} DMM", f"{name}.abus.1")
        self._sense = world.add_source(f"{name} DMM sense", f"{name}.abus.2")
        rng = world.rng(f"{name}.dmm")
        self._errors = {"VOLT": UnitErrors(VOLTS, rng), "OHM": UnitErrors(OHMS, rng)}
        self._rng = rng

    def measure(self, what: Measurement) -> float:
        """A reading; 9.9E+37 beyond 120 % of the range."""
        seconds = what.cycles / self._world.line_hertz
        if what.function == "VOLT":
            return self._volts(what, seconds)
        try:
            return self._ohms(what, seconds)
        finally:
            self._hi.disconnect()
            self._sense.disconnect()

    def _volts(self, what: Measurement, seconds: float) -> float:
        self._settle(seconds + _SETTLE_SECONDS)
        volts = self._hi.point().volts
        index = self._range(what, volts)
        return self._told(volts, index, VOLTS, self._errors["VOLT"], what.cycles)

    def _ohms(self, what: Measurement, seconds: float) -> float:
        candidates: Sequence[int] = [self._range(what, 0.0)] if what.full_scale else range(len(OHMS) - 1, -1, -1)
        for index in candidates:
            self._hi.drive_amps(TEST_AMPS[index], _CLAMP_VOLTS)
            self._settle(_SETTLE_SECONDS)
            sensed = self._sense if what.function == "FRES" else self._hi
            ohms = sensed.point().volts / TEST_AMPS[index]
            is_clamped = self._hi.point().is_limiting
            if index == 0 or abs(ohms) > OVER_RANGE * OHMS[index - 1].full_scale:
                break
        self._settle(seconds)
        return self._told(OVERFLOW if is_clamped else ohms, index, OHMS, self._errors["OHM"], what.cycles)

    @staticmethod
    def _range(what: Measurement, value: float) -> int:
        wanted = what.full_scale or abs(value) / OVER_RANGE
        return next((k for k, r in enumerate(what.ranges) if r.full_scale >= wanted * (1 - 1e-9)), len(what.ranges) - 1)

    def _told(
        self, value: float, index: int, ranges: Sequence[RangeAccuracy], errors: UnitErrors, cycles: float
    ) -> float:
        full = ranges[index].full_scale
        if abs(value) > OVER_RANGE * full:
            return OVERFLOW if value > 0 else -OVERFLOW
        noise = _NOISE * full * float(self._rng.standard_normal()) / min(cycles, 1.0) ** 0.5
        return errors.rounded(errors.applied(value, index) + noise, index)
