"""A chuck that is heated and cooled: a ramp to each target, then a soak, in simulated time."""

from __future__ import annotations

from enum import Enum

from .prober_spec import StationSpec

_POLL_SECONDS, _PATIENCE, _MOST_PATIENCE = 2.0, 1.5, 15
"""A program sleeps between its questions, and nobody can see how long: so much passes, longer and longer (as for a
GS200 that runs a program)."""


class ThermalPhase(Enum):
    """What the chuck is doing."""

    HEATING = "Heating"
    COOLING = "Cooling"
    SOAKING = "Soaking"
    SETTLED = "Controlling"


class Chuck:
    """The chuck's temperature.

    Attributes:
        target_kelvin: where it goes.
        soak_seconds: how long it is kept there before it counts as settled.
    """

    def __init__(self, spec: StationSpec) -> None:
        self.target_kelvin = spec.kelvin
        self.soak_seconds = spec.soak_seconds
        self._rate = spec.kelvin_per_second
        self._from_kelvin = spec.kelvin
        self._since = -spec.soak_seconds
        self._polls = 0

    def go_to(self, kelvin: float, now: float) -> None:
        """A new target."""
        self._from_kelvin = self.kelvin(now)
        self.target_kelvin, self._since, self._polls = kelvin, now, 0

    def kelvin(self, now: float) -> float:
        """Temperature."""
        step = min(self._rate * (now - self._since), abs(self.target_kelvin - self._from_kelvin))
        return self._from_kelvin + (step if self.target_kelvin > self._from_kelvin else -step)

    @property
    def arrives_at(self) -> float:
        """When it is at its target, world seconds."""
        return self._since + abs(self.target_kelvin - self._from_kelvin) / self._rate

    def phase(self, now: float) -> ThermalPhase:
        """What it is doing."""
        if now < self.arrives_at:
            rises = self.target_kelvin > self._from_kelvin
            return ThermalPhase.HEATING if rises else ThermalPhase.COOLING
        return ThermalPhase.SETTLED if self.soak_left(now) <= 0 else ThermalPhase.SOAKING

    def soak_left(self, now: float) -> float:
        """Seconds of the soak that are left, the whole of it before it has begun."""
        return max(self.soak_seconds - max(now - self.arrives_at, 0.0), 0.0)

    def seconds_per_question(self, now: float) -> float:
        """What the next question about a chuck that is not settled lets pass."""
        left = self.arrives_at + self.soak_seconds - now
        if left <= 0:
            return 0.0
        self._polls = min(self._polls + 1, _MOST_PATIENCE)
        return min(left, _POLL_SECONDS * _PATIENCE**self._polls)
