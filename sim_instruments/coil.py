"""An electromagnet on a current source: the load it is, and the field that follows the current."""

from __future__ import annotations

import math

from pydantic import BaseModel, ConfigDict, Field

from .circuit import SourcePoint
from .world import World

_STEPS_PER_TIME_CONSTANT = 8
_SETTLED = 1e-4
"""Fraction of the largest recent change at which the field counts as arrived."""


class CoilSpec(BaseModel):
    """What `coil` says in a bench file.

    Attributes:
        tesla_per_amp: field at the die for one ampere; negative if it is wound the other way.
        settle_seconds: time constant with which the field follows the current.
        ohms: resistance of the winding.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tesla_per_amp: float
    settle_seconds: float = Field(default=0.0, ge=0)
    ohms: float = Field(default=10.0, gt=0)


class Coil:
    """A coil in place of the bench's network: it takes what a `Source` takes, and makes the world's field.

    The winding is not connected to the die, so it is solved here by itself; its inductance is in the time constant.
    """

    def __init__(self, spec: CoilSpec, world: World) -> None:
        self._spec = spec
        self._world = world
        self._target = 0.0
        self._error = 0.0
        self._next = math.inf
        self._point = SourcePoint(0.0, 0.0, False)

    def drive_volts(self, level: float, amps_limit: float) -> None:
        """Regulate volts across the winding."""
        amps = level / self._spec.ohms
        is_limiting = abs(amps) > amps_limit
        self._carry(math.copysign(amps_limit, amps) if is_limiting else amps, is_limiting)

    def drive_amps(self, level: float, volts_limit: float) -> None:
        """Regulate the current through the winding."""
        most = volts_limit / self._spec.ohms
        is_limiting = abs(level) > most
        self._carry(math.copysign(most, level) if is_limiting else level, is_limiting)

    def disconnect(self) -> None:
        """Open circuit: the current decays (through the source's protection) as the field settles."""
        self._carry(0.0, False)

    def point(self) -> SourcePoint:
        """Operating point of the source on the coil, steady state."""
        return self._point

    def _carry(self, amps: float, is_limiting: bool) -> None:
        self._point = SourcePoint(amps * self._spec.ohms, amps, is_limiting)
        target = amps * self._spec.tesla_per_amp
        if target == self._target:
            return
        self._target = target
        if self._spec.settle_seconds == 0:
            self._world.field_tesla = target
            return
        self._error = max(abs(target - self._world.field_tesla), self._error)
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
