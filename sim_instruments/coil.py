"""An electromagnet on a current source: the load it is, and the field that follows the current."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from .circuit import SourcePoint
from .world import World

_STEPS_PER_TIME_CONSTANT = 8
_SETTLED = 1e-4
"""Fraction of the largest recent change at which the field counts as arrived."""
_AT_LIMIT = 0.99
"""Fraction of the limit from which on a current that still rises counts as limited."""


class CoilSpec(BaseModel):
    """What `coil` says in a bench file.

    Attributes:
        tesla_per_amp: field at the die for one ampere; negative if it is wound the other way.
        settle_seconds: time constant with which the field follows a current that is set, and the current a voltage.
        ohms: resistance of the winding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tesla_per_amp: float
    settle_seconds: float = Field(default=0.0, ge=0)
    ohms: float = Field(default=10.0, gt=0)


class Coil:
    """A coil in place of the bench's network: it takes what a `Source` takes, and makes the world's field.

    The winding is not connected to the die, so it is solved here by itself. Under a voltage the current follows with
    the time constant of the winding; a current that is set is there at once, and the field follows it with the same
    time constant, for eddy currents.
    """

    def __init__(self, spec: CoilSpec, world: World) -> None:
        self._spec = spec
        self._world = world
        self._amps = 0.0
        self._volts = 0.0
        self._limit = math.inf
        self._mode = "open"
        self._is_limiting = False
        self._error = 0.0
        self._next = math.inf

    def drive_volts(self, level: float, amps_limit: float) -> None:
        """Regulate volts across the winding."""
        amps = level / self._spec.ohms
        is_limiting = abs(amps) > amps_limit
        self._limit = amps_limit
        self._carry("volts", math.copysign(amps_limit, amps) if is_limiting else amps, is_limiting)
        self._volts = level

    def drive_amps(self, level: float, volts_limit: float) -> None:
        """Regulate the current through the winding."""
        most = volts_limit / self._spec.ohms
        is_limiting = abs(level) > most
        self._carry("amps", math.copysign(most, level) if is_limiting else level, is_limiting)

    def disconnect(self) -> None:
        """Open circuit: the current decays (through the source's protection) as the field settles."""
        self._carry("open", 0.0, False)

    def sense_remotely(self, is_remote: bool) -> None:
        """The leads to the winding count as part of it."""

    def point(self) -> SourcePoint:
        """Operating point of the source on the coil at this moment."""
        if self._mode != "volts":
            return SourcePoint(self._amps * self._spec.ohms, self._amps, self._is_limiting)
        amps = self._present_amps
        is_limiting = self._is_limiting and abs(amps) >= _AT_LIMIT * self._limit
        return SourcePoint(amps * self._spec.ohms if is_limiting else self._volts, amps, is_limiting)

    @property
    def _present_amps(self) -> float:
        if self._spec.settle_seconds == 0 or self._spec.tesla_per_amp == 0:
            return self._amps
        return self._world.field_tesla / self._spec.tesla_per_amp

    @property
    def _target(self) -> float:
        return self._amps * self._spec.tesla_per_amp

    def _carry(self, mode: str, amps: float, is_limiting: bool) -> None:
        self._mode, self._is_limiting = mode, is_limiting
        before, self._amps = self._target, amps
        if self._target == before:
            return
        if self._spec.settle_seconds == 0:
            self._world.field_tesla = self._target
            return
        self._error = max(abs(self._target - self._world.field_tesla), self._error)
        self._next = min(self._next, self._world.seconds + self._step)
        self._world.processes.start(self, self._world.seconds)

    @property
    def _step(self) -> float:
        return self._spec.settle_seconds / _STEPS_PER_TIME_CONSTANT

    def prepare(self, start: float, end: float) -> None:
        """The field is followed in steps of a fraction of its time constant."""

    def next_change(self) -> float:
        """World seconds of the next step."""
        return self._next

    def change(self, now: float) -> None:
        """One step nearer to the target."""
        left = (self._world.field_tesla - self._target) * math.exp(-1 / _STEPS_PER_TIME_CONSTANT)
        self._world.field_tesla = self._target + left
        self._next = now + self._step
        if abs(left) <= _SETTLED * self._error:
            self._world.field_tesla = self._target
            self._error = 0.0
            self._next = math.inf
            self._world.processes.stop(self)
