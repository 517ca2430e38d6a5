"""Faults that a bench file can plan for an instrument, and whether the instrument answers because of them."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

FaultKind = Literal["silent", "hang"]


class PlannedFault(BaseModel):
    """One entry of `faults` in a bench file.

    Attributes:
        instrument: name of the instrument it happens to.
        kind: `silent` never answers again, not even after a device clear; `hang` does not answer until device clear.
        after_operations: happens with the message after this many have been received.
        at_seconds: happens at this simulated time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: str
    kind: FaultKind
    after_operations: int | None = Field(default=None, ge=0)
    at_seconds: float | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _has_one_moment(self) -> PlannedFault:
        if (self.after_operations is None) == (self.at_seconds is None):
            raise ValueError("give either after_operations or at_seconds")
        return self


class Answering(Enum):
    """Whether an instrument executes and answers."""

    YES = "yes"
    UNTIL_CLEAR = "hung until device clear"
    NEVER = "silent for good"


_EFFECT = {"silent": Answering.NEVER, "hang": Answering.UNTIL_CLEAR}


class FaultPlan:
    """The faults of one instrument; asked before each operation."""

    def __init__(self, planned: list[PlannedFault]) -> None:
        self._planned = planned
        self._operations = 0
        self.answering = Answering.YES

    def count(self, seconds: float) -> bool:
        """Note one received message at this simulated time; returns whether the instrument takes it."""
        self._strike(lambda fault: fault.after_operations is not None and self._operations >= fault.after_operations)
        self._strike_at(seconds)
        self._operations += 1
        return self.answering is Answering.YES

    def answers(self, seconds: float) -> bool:
        """Whether the instrument answers at this simulated time."""
        self._strike_at(seconds)
        return self.answering is Answering.YES

    def device_clear(self) -> None:
        """A hung instrument listens again; a silent one does not."""
        if self.answering is Answering.UNTIL_CLEAR:
            self.answering = Answering.YES

    def _strike_at(self, seconds: float) -> None:
        self._strike(lambda fault: fault.at_seconds is not None and seconds >= fault.at_seconds)

    def _strike(self, is_due: Callable[[PlannedFault], bool]) -> None:
        for fault in [fault for fault in self._planned if is_due(fault)]:
            self._planned.remove(fault)
            if self.answering is not Answering.NEVER:
                self.answering = _EFFECT[fault.kind]
