"""The TRACe buffer of a 2400 and the statistics of what is in it (user's manual, section 9 and CALCulate3)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mtjlab.nouns import Floats

from .keithley_2400_errors import refused
from .keithley_2400_math import Result
from .keithley_2400_readings import NOT_A_NUMBER, OVERFLOW, SmuReading
from .scpi_errors import ScpiError

Stored = SmuReading | Result
_STATISTICS: dict[str, Callable[[Floats], float]] = {
    "MEAN": lambda values: float(values.mean()),
    "SDEV": lambda values: float(values.std(ddof=1)) if values.size > 1 else 0.0,
    "MAX": lambda values: float(values.max()),
    "MIN": lambda values: float(values.min()),
    "PKPK": lambda values: float(values.max() - values.min()),
}


@dataclass
class ReadingBuffer:
    """The buffer; *RST leaves it alone.

    Attributes:
        feed: SENS for readings, CALC1 or CALC2 for results.
        control: NEXT while it is being filled, else NEV.
    """

    size: float = 100.0
    feed: str = "SENS"
    control: str = "NEV"
    timestamps: str = "ABS"
    shown_statistic: str = "MEAN"
    stored: list[Stored] = field(default_factory=list)

    @property
    def is_storing(self) -> bool:
        """Whether readings go into it."""
        return self.control == "NEXT"

    @property
    def is_full(self) -> bool:
        """Whether it holds as many readings as it was made for."""
        return len(self.stored) >= int(self.size)

    def require_idle(self) -> None:
        """Raises ScpiError +800 while it is storing."""
        if self.is_storing:
            raise refused(800)

    def store(self, feed: str, entry: Stored) -> None:
        """Keep what comes from the chosen feed; storage stops when the buffer is full."""
        if not self.is_storing or feed != self.feed:
            return
        self.stored.append(entry)
        if self.is_full:
            self.control = "NEV"

    def start(self, control: str) -> None:
        """NEXT begins a new fill, NEV ends it."""
        if control == "NEXT":
            self.stored.clear()
        self.control = control

    def clear(self) -> None:
        """Forget the readings."""
        self.require_idle()
        self.stored.clear()

    def timed(self) -> list[Stored]:
        """The readings with time stamps from the first one, or from one to the next."""
        if not self.stored:
            raise ScpiError(-230)
        seconds = [entry.seconds for entry in self.stored]
        zeros = [seconds[0], *seconds[:-1]] if self.timestamps == "DELT" else [seconds[0]] * len(seconds)
        return [replace(entry, seconds=s - z) for entry, s, z in zip(self.stored, seconds, zeros, strict=True)]

    def statistic(self) -> list[float]:
        """The selected statistic of volts, amps and ohms, without what was neither sourced nor measured; or of CALC."""
        if not self.stored:
            raise ScpiError(-230)
        columns = np.array([_values(entry) for entry in self.stored]).T
        known = [column for column in columns if not np.all(np.abs(column) >= NOT_A_NUMBER)]
        return [self._of(column) for column in known]

    def _of(self, column: Floats) -> float:
        over = np.abs(column) >= OVERFLOW
        return float(column[over][0]) if over.any() else _STATISTICS[self.shown_statistic](column)


def _values(entry: Stored) -> Sequence[float]:
    return (entry.value,) if isinstance(entry, Result) else (entry.volts, entry.amps, entry.ohms)
