"""The TRACe buffer of a B2900A channel, and its commands (SCPI Command Reference, TRACe subsystem)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from mtjlab.nouns import Floats

from .keysight_b2900_commands import OffsetIndex, of_channel
from .keysight_b2900_errors import refusal
from .keysight_b2900_readings import Calculated, Reading, formatted, in_turn
from .keysight_b2900_settings import CALCULATED, ELEMENTS, MOST_READINGS
from .scpi import Command, Reply
from .scpi_parameters import Choice, Extreme, Number
from .scpi_settings import show_integer

if TYPE_CHECKING:
    from .keysight_b2900 import SimKeysightB2900

STATISTICS: dict[str, Callable[[Floats], float]] = {
    "MEAN": lambda values: float(values.mean()),
    "SDEV": lambda values: float(values.std(ddof=1)) if values.size > 1 else 0.0,
    "MAX": lambda values: float(values.max()),
    "MIN": lambda values: float(values.min()),
    "PKPK": lambda values: float(values.max() - values.min()),
}
_UNTOLD = ("TIME", "STAT")
"""Elements without statistics."""


@dataclass
class TraceBuffer:
    """What has been traced of one channel.

    Attributes:
        feed: SENS for readings, LIM for what the limit tests looked at, MATH for results of the math expression.
    """

    size: float = float(MOST_READINGS)
    feed: str = "SENS"
    control: str = "NEV"
    timestamps: str = "ABS"
    statistic: str = "MEAN"
    stored: list[Reading | Calculated] = field(default_factory=list)

    def require_idle(self) -> None:
        """Raises ScpiError +861 while it is storing."""
        if self.control == "NEXT":
            raise refusal(861)

    def clear(self) -> None:
        """Forget the data."""
        self.require_idle()
        self.stored.clear()

    def store(self, feed: str, data: Reading | Calculated) -> None:
        """Keep data of the selected feed; storage stops when the buffer is full."""
        if self.control != "NEXT" or feed != self.feed:
            return
        self.stored.append(data)
        if len(self.stored) >= int(self.size):
            self.control = "NEV"

    @property
    def is_full(self) -> bool:
        """Whether nothing more goes in."""
        return len(self.stored) >= int(self.size)

    def timed(self) -> list[Reading | Calculated]:
        """The data with time stamps from the first one, or from one to the next."""
        if not self.stored:
            return []
        seconds = [data.seconds for data in self.stored]
        zeros = [seconds[0], *seconds[:-1]] if self.timestamps == "DELT" else [seconds[0]] * len(seconds)
        return [replace(data, seconds=data.seconds - zero) for data, zero in zip(self.stored, zeros, strict=True)]

    def summary(self, elements: tuple[str, ...]) -> list[float]:
        """The selected statistic of every stored element that has one; raises ScpiError +862 without data."""
        if not self.stored:
            raise refusal(862)
        order = ELEMENTS if self.feed == "SENS" else CALCULATED
        names = [name for name in order if name in elements and name not in _UNTOLD]
        columns = np.array([data.values(names) for data in self.stored]).T
        return [STATISTICS[self.statistic](column) for column in columns]


def _elements(i: SimKeysightB2900, trace: TraceBuffer) -> tuple[str, ...]:
    return i.format.elements if trace.feed == "SENS" else i.format.calculated


def _write_points(i: SimKeysightB2900, number: int, points: float) -> None:
    trace = i.channel(number).trace
    trace.require_idle()
    trace.size = points
    trace.stored.clear()


def _write_feed(i: SimKeysightB2900, number: int, feed: str) -> None:
    trace = i.channel(number).trace
    trace.require_idle()
    if feed != trace.feed:
        trace.feed = feed
        trace.stored.clear()


def _write_control(i: SimKeysightB2900, number: int, control: str) -> None:
    trace = i.channel(number).trace
    if control == "NEXT" and trace.is_full:
        raise refusal(-221, f"Trace buffer is full; channel {number}")
    trace.control = control


def _data(i: SimKeysightB2900, number: int, offset: int | None, size: float | None) -> Reply:
    trace = i.channel(number).trace
    if not trace.stored:
        raise refusal(862)
    data = trace.timed()
    begin = len(data) - 1 if offset == OffsetIndex.LATEST else offset or 0
    wanted = data[begin : None if size is None else begin + int(size)]
    return formatted(in_turn([wanted], _elements(i, trace)), i.format)


def _free(i: SimKeysightB2900, number: int) -> str:
    """What is free, and the size of the buffer."""
    trace = i.channel(number).trace
    return f"{int(trace.size) - len(trace.stored)},{int(trace.size)}"


def _statistic(i: SimKeysightB2900, number: int) -> Reply:
    trace = i.channel(number).trace
    return formatted(trace.summary(_elements(i, trace)), i.format)


_POINTS = Number("", 1, MOST_READINGS, MOST_READINGS, is_integer=True)
_SIZE = Number("", 1, MOST_READINGS, 1, is_integer=True, is_optional=True)
TRACE_COMMANDS: tuple[Command, ...] = (
    Command(":TRACe<c>:CLEar", write=lambda i, n: i.channel(n).trace.clear()),
    Command(":TRACe<c>:DATA", query=_data, asks=(OffsetIndex(), _SIZE)),
    Command(
        ":TRACe<c>:FEED",
        write=_write_feed,
        query=lambda i, n: i.channel(n).trace.feed,
        takes=(Choice("SENSe", "MATH", "LIMit"),),
    ),
    Command(
        ":TRACe<c>:FEED:CONTrol",
        write=_write_control,
        query=lambda i, n: i.channel(n).trace.control,
        takes=(Choice("NEXT", "NEVer"),),
    ),
    Command(":TRACe<c>:FREE", query=_free),
    Command(
        ":TRACe<c>:POINts",
        write=_write_points,
        query=lambda i, n, extreme: show_integer(i.channel(n).trace.size if extreme is None else extreme),
        takes=(_POINTS,),
        asks=(Extreme(_POINTS),),
    ),
    Command(":TRACe<c>:POINts:ACTual", query=lambda i, n: str(len(i.channel(n).trace.stored))),
    Command(":TRACe<c>:STATistic:DATA", query=_statistic),
    of_channel(
        ":TRACe<c>:STATistic:FORMat", "trace.statistic", Choice("MEAN", "SDEViation", "PKPK", "MINimum", "MAXimum")
    ),
    of_channel(":TRACe<c>:TSTamp:FORMat", "trace.timestamps", Choice("DELTa", "ABSolute")),
)
"""How data are traced."""
