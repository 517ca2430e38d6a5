"""A magnet coil as a station file describes it, and what a current source needs to know of it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class MagnetCoil:
    """A coil.

    Attributes:
        tesla_per_amp: field at the die for one ampere; negative if it is wound the other way.
        amps_per_second: fastest change of the current.
        settle_seconds: from the end of a ramp until the field counts as settled.
        most_amps: what coil and source stand.
        volts_limit: limit of the voltage across it.
        ohms: resistance of the coil and its leads; 0 if unknown.
    """

    tesla_per_amp: float
    amps_per_second: float
    settle_seconds: float
    most_amps: float
    volts_limit: float
    ohms: float

    def wrong(self) -> str:
        """Name of an attribute that no coil has like this; empty if all are possible."""
        given = {
            "tesla_per_amp": self.tesla_per_amp != 0 and math.isfinite(self.tesla_per_amp),
            "amps_per_second": 0 < self.amps_per_second < math.inf,
            "settle_seconds": 0 <= self.settle_seconds < math.inf,
            "most_amps": 0 < self.most_amps < math.inf,
            "volts_limit": 0 < self.volts_limit < math.inf,
            "ohms": 0 <= self.ohms < math.inf,
        }
        return next((name for name, is_possible in given.items() if not is_possible), "")

    def complaint(self, tesla: float) -> str:
        """Why a field of this magnitude cannot be reached, in words; empty if it can."""
        if not 0 < tesla < math.inf:
            return f"a limit of {tesla} T is none"
        amps = abs(tesla / self.tesla_per_amp)
        if amps > self.most_amps * (1 + 1e-9):
            return f"{tesla:g} T need {amps:g} A, more than the {self.most_amps:g} A that coil and source stand"
        if amps * self.ohms > self.volts_limit:
            return (
                f"{tesla:g} T need {amps * self.ohms:g} V across the coil, beyond its limit of {self.volts_limit:g} V"
            )
        return ""
