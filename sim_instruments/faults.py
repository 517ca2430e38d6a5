"""What can go wrong on a simulated bench: faults as a bench file or a test plans them, and one instrument's state."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mtjlab.errors import InputError

FaultKind = Literal[
    "silent",
    "hang",
    "late",
    "cut",
    "garbled",
    "dropped",
    "power_loss",
    "trip",
    "stuck_open",
    "stuck_closed",
    "contact",
    "drift",
    "bus_hang",
    "door_open",
    "vacuum_lost",
    "misaligned",
]
_OPTIONAL = {"volts_per_hour", "amps_per_hour", "gain_per_hour"}
_NEEDS: dict[FaultKind, set[str]] = {
    "late": {"instrument", "seconds"},
    "stuck_open": {"instrument", "relay"},
    "stuck_closed": {"instrument", "relay"},
    "contact": {"line"},
    "bus_hang": {"board"},
}
_MAY: dict[FaultKind, set[str]] = {"contact": {"ohms"}, "drift": _OPTIONAL}
_DETAILS = ("instrument", "seconds", "relay", "line", "ohms", "board", *sorted(_OPTIONAL))
_MOMENTS = ("after_operations", "at_seconds", "rate")
RECURRING: frozenset[FaultKind] = frozenset(
    {"late", "cut", "garbled", "dropped", "hang", "bus_hang", "power_loss", "trip"}
)
"""Kinds that happen again and again if they are given a rate; the others last for good."""
OF_PROBERS: frozenset[FaultKind] = frozenset({"door_open", "vacuum_lost", "misaligned"})
"""Kinds that happen to a prober's station, until somebody has been there."""


class PlannedFault(BaseModel):
    """One entry of `faults` in a bench file.

    Attributes:
        kind: what happens:
            `silent` never answers again, not even after a device clear;
            `hang` does not answer until device clear, which a socket cannot bring, or until its power fails;
            `late` gives its next answer `seconds` later than it should;
            `cut` loses the second half of its next answer, the newline included;
            `garbled` sends some bytes of its next answer wrong;
            `dropped` loses the connection: open sessions report VI_ERROR_CONN_LOST, a newly opened one works;
            `power_loss` loses its power for a moment: replies and error queue are gone, settings are as after *RST,
            outputs are off and relays open, bit 7 (power on) of the standard event register is set; sessions over USB
            or LAN report VI_ERROR_CONN_LOST, those over GPIB and serial go on;
            `trip` its output drops, as by an interlock or over-voltage protection, and reads back as off; the error
            queue says so;
            `stuck_open`, `stuck_closed` one relay of a matrix no longer moves: commands are accepted and closures read
            back as commanded, since mainframes report what they told their relays, not what a contact does;
            `contact` the probe on one line of the die has `ohms` from now on, or is lost without `ohms`;
            `drift` its outputs drift by `volts_per_hour`, `amps_per_hour`, `gain_per_hour` of simulated time;
            `bus_hang` every instrument on a GPIB board is silent until a device clear, an interface clear
            (`GPIB0::INTFC`) or a newly opened session on that board;
            `door_open`, `vacuum_lost` a prober refuses to move until somebody has been there (`station.mend()`);
            `misaligned` the tips of a prober are beside their pads until the wafer is aligned anew.
        instrument: name of the instrument it happens to; not for `contact` and `bus_hang`.
        after_operations: happens with the message after this many have been received; of the instrument, or for
            `contact` of any instrument and for `bus_hang` of any on the board.
        at_seconds: happens at this simulated time, even in the middle of a measurement.
        rate: probability with each message; what does not last for good then happens again and again.
        seed: fixes the draws of `rate` and the bytes that `garbled` changes; the bench's seed does if it is left out.
        seconds: of `late`.
        relay: of a stuck relay: row name and column number of the matrix, as in the wiring file.
        line: of `contact`: `row.3` or `col.0`.
        ohms: of `contact`.
        volts_per_hour, amps_per_hour: of `drift`: what is added to a level that is set in volts or in amperes.
        gain_per_hour: of `drift`: relative change of the level.
        board: of `bus_hang`: number of the GPIB board.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    instrument: str | None = None
    after_operations: int | None = Field(default=None, ge=0)
    at_seconds: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    rate: float | None = Field(default=None, gt=0, le=1)
    seed: int | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    relay: tuple[str | int, int] | None = None
    line: str | None = Field(default=None, pattern=r"^(row|col)\.(0|[1-9][0-9]*)$")
    ohms: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    volts_per_hour: float | None = Field(default=None, allow_inf_nan=False)
    amps_per_hour: float | None = Field(default=None, allow_inf_nan=False)
    gain_per_hour: float | None = Field(default=None, allow_inf_nan=False)
    board: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> PlannedFault:
        if sum(getattr(self, key) is not None for key in _MOMENTS) != 1:
            raise ValueError("give either after_operations or at_seconds or rate, and only one of them")
        needed = _NEEDS.get(self.kind, {"instrument"})
        for key in sorted(needed):
            if getattr(self, key) is None:
                raise ValueError(f"a '{self.kind}' fault needs '{key}'")
        allowed = needed | _MAY.get(self.kind, set())
        for key in _DETAILS:
            if key not in allowed and getattr(self, key) is not None:
                raise ValueError(f"a '{self.kind}' fault takes no '{key}'")
        if self.kind == "drift" and all(getattr(self, key) is None for key in _OPTIONAL):
            raise ValueError("a 'drift' fault needs 'volts_per_hour', 'amps_per_hour' or 'gain_per_hour'")
        return self

    @property
    def target(self) -> str:
        """What it happens to, in words."""
        if self.instrument is not None:
            return self.instrument
        return f"die.{self.line}" if self.line is not None else f"GPIB{self.board}"


def injected(kind: FaultKind, instrument: str | None, details: Mapping[str, Any], now: float) -> PlannedFault:
    """The fault that these keys describe, at once (`now`, simulated seconds) unless they say when.

    Raises InputError naming the key that does not fit.
    """
    content = {"kind": kind, "instrument": instrument, **details}
    if all(details.get(key) is None for key in _MOMENTS):
        content["at_seconds"] = now
    try:
        return PlannedFault.model_validate(content)
    except ValidationError as error:
        first = min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
        key = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        raise InputError(f"key '{key}': {text}" if key else text, remedy="Correct the call of inject") from error


@dataclass(frozen=True)
class FaultSeen:
    """A planned fault that has happened; kept apart from the world's incidents, which the bench's user caused.

    Attributes:
        seconds: simulated time.
        kind: which.
        target: instrument, line of the die, or GPIB board.
    """

    seconds: float
    kind: FaultKind
    target: str


class Answering(Enum):
    """Whether an instrument executes and answers."""

    YES = "yes"
    UNTIL_CLEAR = "hung until device clear"
    NEVER = "silent for good"


@dataclass
class GpibBoard:
    """A GPIB board and its bus."""

    is_hung: bool = False


Spoil = Callable[[bytes], tuple[bytes, float]]
"""What becomes of an answer, and how many seconds it is late."""


class FaultPlan:
    """What is wrong with one instrument now.

    Args:
        before_message: called before each message, so that what is due can strike.
        settle: called when no operation is under way, to finish what struck in the middle of one.
        board: the GPIB board the instrument is on.

    Attributes:
        answering: whether it answers.
        connections_lost: how often its connection was lost; a session opened before that is dead.
    """

    def __init__(
        self,
        *,
        before_message: Callable[[], None] = lambda: None,
        settle: Callable[[], None] = lambda: None,
        board: GpibBoard | None = None,
    ) -> None:
        self._before_message = before_message
        self.settle = settle
        self.board = board
        self.answering = Answering.YES
        self.connections_lost = 0
        self._spoils: deque[Spoil] = deque()

    @property
    def is_answering(self) -> bool:
        """Whether the instrument executes and answers now."""
        return self.answering is Answering.YES and not (self.board is not None and self.board.is_hung)

    def takes_message(self) -> bool:
        """A message arrives: let strike what is due; returns whether the instrument takes it."""
        lost = self.connections_lost
        self.settle()
        self._before_message()
        self.settle()
        return self.is_answering and self.connections_lost == lost

    def device_clear(self) -> None:
        """A hung instrument listens again, as does a hung bus; a silent instrument does not."""
        if self.board is not None:
            self.board.is_hung = False
        if self.answering is Answering.UNTIL_CLEAR:
            self.answering = Answering.YES

    def spoil_next(self, spoil: Spoil) -> None:
        """Something will happen to the next answer."""
        self._spoils.append(spoil)

    def spoiled(self, reply: bytes) -> tuple[bytes, float]:
        """What becomes of an answer, and how many seconds it is late."""
        late = 0.0
        while self._spoils:
            reply, seconds = self._spoils.popleft()(reply)
            late += seconds
        return reply, late


def late_by(seconds: float) -> Spoil:
    """The answer comes later."""
    return lambda reply: (reply, seconds)


def cut(reply: bytes) -> tuple[bytes, float]:
    """The answer's first half, at least one byte."""
    return reply[: max(len(reply) // 2, 1)], 0.0


def garbled_by(rng: np.random.Generator) -> Spoil:
    """One byte in eight, at least one, is another printable sign; the newline stays."""

    def garble(reply: bytes) -> tuple[bytes, float]:
        body = bytearray(reply.removesuffix(b"\n"))
        if not body:
            return reply, 0.0
        for place in rng.choice(len(body), size=max(len(body) // 8, 1), replace=False):
            others = [sign for sign in range(0x21, 0x7F) if sign != body[place]]
            body[place] = others[int(rng.integers(len(others)))]
        return bytes(body) + reply[len(body) :], 0.0

    return garble
