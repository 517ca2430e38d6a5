"""What can be set on a GS200, with *RST values that are to be checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from .accuracy import RangeAccuracy
from .accuracy_yokogawa import GS200_AMPS, GS200_VOLTS, MOST_AMPS, MOST_VOLTS, OVER_RANGE
from .scpi_errors import ScpiError

PROTECTION_VOLTS = (1.0, 30.0)
PROTECTION_AMPS = (1e-3, 0.2)


UNIT_OF = {"VOLT": "V", "CURR": "A"}


@dataclass
class Step:
    """One step of a program: function, range index and level."""

    function: str
    range: int
    level: float

    def told(self) -> str:
        """As a line of a program file: level, range, unit (to be checked)."""
        ranges = GS200_VOLTS if self.function == "VOLT" else GS200_AMPS
        return f"{self.level:+.6E},{ranges[self.range].full_scale:.6E},{UNIT_OF[self.function]}"

    @classmethod
    def read(cls, line: str) -> Step:
        """A step from such a line; raises ScpiError -224, or -222 beyond the range."""
        try:
            level, scale, unit = line.split(",")
            state = SourceState(next(f for f, u in UNIT_OF.items() if u == unit.strip().upper()))
            state.select_range(float(scale))
            state.set_level(float(level), is_auto=False)
        except (ValueError, StopIteration):
            raise ScpiError(-224) from None
        return cls(state.function, state.range, state.level)


@dataclass
class SourceState:
    """What is sourced.

    Attributes:
        range: index into the function's ranges.
    """

    function: str = "VOLT"
    range: int = 2
    level: float = 0.0

    @property
    def ranges(self) -> tuple[RangeAccuracy, ...]:
        """Ranges of the function."""
        return GS200_VOLTS if self.function == "VOLT" else GS200_AMPS

    @property
    def full_scale(self) -> float:
        """Nominal range."""
        return self.ranges[self.range].full_scale

    @property
    def most(self) -> float:
        """Largest level on this range."""
        return min(self.full_scale * OVER_RANGE, MOST_VOLTS if self.function == "VOLT" else MOST_AMPS)

    def select_range(self, value: float) -> None:
        """The smallest range that reaches the value; raises ScpiError -222 beyond the largest."""
        for index, candidate in enumerate(self.ranges):
            if abs(value) <= candidate.full_scale * (1 + 1e-9):
                self.range = index
                self.level = min(max(self.level, -self.most), self.most)
                return
        raise ScpiError(-222)

    def select_function(self, function: str) -> None:
        """VOLT or CURR; the level goes to zero and the range to its default."""
        if function != self.function:
            self.function, self.level = function, 0.0
            self.range = 2 if function == "VOLT" else 0

    def set_level(self, level: float, *, is_auto: bool) -> None:
        """A level on the present range, or on the smallest that reaches it; raises ScpiError -222."""
        if is_auto:
            self.select_range(min(max(level, -self.ranges[-1].full_scale), self.ranges[-1].full_scale))
        if abs(level) > self.most * (1 + 1e-9):
            raise ScpiError(-222)
        count = self.ranges[self.range].resolution
        self.level = round(level / count) * count


@dataclass
class ProgramSettings:
    """The program."""

    steps: list[Step] = field(default_factory=list)
    interval: float = 1.0
    slope: float = 0.0
    is_repeating: bool = False
    trigger: str = "NORM"
    position: int = 1


@dataclass
class MonitorSettings:
    """Measurement of the other quantity (option /MON)."""

    is_on: bool = False
    cycles: float = 1.0
    delay_milliseconds: float = 0.0
    trigger: str = "READ"
    interval: float = 0.1
    is_null_on: bool = False
    null: float = 0.0
    is_zeroed: bool = True
    is_remote: bool = False
    is_guarded: bool = False


@dataclass
class Settings:
    """All that *RST resets."""

    source: SourceState = field(default_factory=SourceState)
    is_on: bool = False
    volts_limit: float = 30.0
    amps_limit: float = 0.2
    program: ProgramSettings = field(default_factory=ProgramSettings)
    monitor: MonitorSettings = field(default_factory=MonitorSettings)
    bnc_out: str = "TRIG"
    bnc_in: str = "TRIG"
    is_display_on: bool = True
    brightness: float = 4.0
    is_beeper_on: bool = True
    is_local_locked: bool = False
