"""What can be set on a B2900A, with the reset settings of the SCPI Command Reference (B2910-90030, chapter 2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from .accuracy_keysight import B2900_STAGE, B2910_STAGE
from .keysight_b2900_layers import LayerSettings, TriggerOut, WaitSettings, layers
from .keysight_b2900_limits import LimitTests
from .smu_stage import StageAccuracy

ELEMENTS = ("VOLT", "CURR", "RES", "TIME", "STAT", "SOUR")
"""Data elements in the order in which they are always sent."""
CALCULATED = ("CALC", "TIME", "STAT")
"""Data elements of calculation results, likewise."""
OHMS_RANGES = (2.0, 20.0, 200.0, 2e3, 20e3, 200e3, 2e6, 20e6, 200e6)
OHMS_AMPS = (1.0, 0.1, 10e-3, 1e-3, 100e-6, 10e-6, 1e-6, 100e-9, 10e-9)
"""Test current by resistance range (SCPI Command Reference, table 2-9)."""
OHMS_LIMIT_VOLTS = 2.1
"""Compliance of automatic resistance measurements: what the test current reaches at the end of a range (assumed)."""
FUNCTIONS = ("VOLT", "CURR", "RES")
QUANTITIES = ("VOLT", "CURR")
MOST_LISTED = 2500
MOST_READINGS = 100_000
ENVELOPE = ((6.0, 3.03), (21.0, 1.515), (210.0, 0.105))
PULSED_ENVELOPE = ((6.0, 10.5), (200.0, 1.515), (210.0, 0.105))
"""Volts up to which so many amperes are to be had (data sheet; the pulsed ones are to be checked)."""
LARGEST = {"VOLT": 210.0, "CURR": 3.03}
"""Largest direct output, V and A."""
DEFAULT_RANGES = {"VOLT": 2.0, "CURR": 1e-4}
LARGEST_PULSED = {"VOLT": 210.0, "CURR": 10.5}
SMALLEST_APERTURE_SECONDS = 8e-6
LONGEST_APERTURE_SECONDS = 2.0


@dataclass(frozen=True)
class B2900Model:
    """What tells the models apart.

    Attributes:
        name: as *IDN? tells it.
        channels: number of channels.
        accuracy: ranges and data sheet.
        shortest_pulse_seconds: smallest pulse width; 50 us for the A models.
        shortest_interval_seconds: smallest trigger period, 20 us with one digit less, 10 us else.
    """

    name: str
    channels: int
    accuracy: StageAccuracy
    shortest_pulse_seconds: float
    shortest_interval_seconds: float


B2901A = B2900Model("B2901A", 1, B2900_STAGE, 50e-6, 20e-6)
B2902A = B2900Model("B2902A", 2, B2900_STAGE, 50e-6, 20e-6)
B2912A = B2900Model("B2912A", 2, B2910_STAGE, 50e-6, 10e-6)


@dataclass
class SourceSettings:
    """One source function of a channel.

    Attributes:
        range: index into the model's ranges.
        lowest: smallest range that automatic ranging selects, volts or amperes.
        triggered: level of the next transient trigger.
    """

    range: int = 0
    is_auto_range: bool = True
    lowest: float = 0.0
    mode: str = "FIX"
    level: float = 0.0
    triggered: float | None = None
    start: float = 0.0
    stop: float = 0.0
    points: float = 1.0
    given_step: float | None = None
    listed: list[float] = field(default_factory=lambda: [0.0])
    list_start: float = 1.0

    @property
    def step(self) -> float:
        """Sweep step, volts or amperes: the one that was given, or what start, stop and points make."""
        if self.given_step is not None:
            return self.given_step
        return (self.stop - self.start) / (self.points - 1) if self.points > 1 else 0.0

    @property
    def center(self) -> float:
        """Middle of the sweep; setting it moves start and stop."""
        return (self.start + self.stop) / 2

    @center.setter
    def center(self, value: float) -> None:
        half = self.span / 2
        self.start, self.stop, self.given_step = value - half, value + half, None

    @property
    def span(self) -> float:
        """Width of the sweep; setting it moves start and stop."""
        return self.stop - self.start

    @span.setter
    def span(self, value: float) -> None:
        middle = self.center
        self.start, self.stop, self.given_step = middle - value / 2, middle + value / 2, None


@dataclass
class SenseSettings:
    """One measured quantity of a channel.

    Attributes:
        range: index into the model's ranges.
        limit: compliance when the other quantity is sourced.
        negative_limit: that of the negative side, where it differs.
        lowest: smallest range that automatic ranging selects, volts or amperes.
    """

    limit: float
    lowest: float
    negative_limit: float | None = None
    range: int = 0
    is_auto_range: bool = True
    auto_mode: str = "NORM"
    auto_threshold: float = 90.0


@dataclass
class SweepSettings:
    """How a channel sweeps."""

    stairs: str = "SING"
    spacing: str = "LIN"
    direction: str = "UP"
    ranging: str = "BEST"


@dataclass
class OutputSettings:
    """Output switch and its surroundings."""

    is_on: bool = False
    is_auto_on: bool = True
    is_auto_off: bool = False
    off_mode: str = "NORM"
    is_protected: bool = False
    low: str = "GRO"
    is_high_capacitance: bool = False
    is_filtered: bool = True
    is_filter_auto: bool = True
    filter_seconds: float = 5e-6


class _Swept(NamedTuple):
    """The levels of a sweep or list, and what they were worked out from."""

    key: tuple[object, ...]
    listed: list[float]
    levels: list[float] | None
    largest: float


@dataclass
class MathSettings:
    """What CALCulate does with readings besides the limit tests.

    Attributes:
        feed: what is tested and what the null offset is subtracted from: VOLT, CURR, RES or MATH.
        expression: name of the selected math expression.
    """

    feed: str = "VOLT"
    offset: float = 0.0
    is_offset_on: bool = False
    is_on: bool = False
    expression: str = "POWER"
    unit: str = ""


@dataclass
class OhmsSettings:
    """Ranging of resistance measurements with automatic test current."""

    range: int = 0
    is_auto_range: bool = True
    lowest: float = 2.0
    highest: float = 200e6


@dataclass
class ChannelSettings:
    """All of one channel that *RST resets."""

    function: str = "VOLT"
    shape: str = "DC"
    stays_after_sweep: bool = False
    sources: dict[str, SourceSettings] = field(default_factory=lambda: {q: SourceSettings() for q in QUANTITIES})
    sweep: SweepSettings = field(default_factory=SweepSettings)
    pulse_delay_seconds: float = 0.0
    pulse_width_seconds: float = 50e-6
    output: OutputSettings = field(default_factory=OutputSettings)
    functions: tuple[str, ...] = ("VOLT", "CURR")
    senses: dict[str, SenseSettings] = field(
        default_factory=lambda: {"VOLT": SenseSettings(2.0, 0.2), "CURR": SenseSettings(1e-4, 1e-6)}
    )
    aperture_seconds: float | None = None
    is_remote_sense: bool = False
    ohms: OhmsSettings = field(default_factory=OhmsSettings)
    ohms_mode: str = "MAN"
    is_offset_compensated: bool = False
    sense_wait: WaitSettings = field(default_factory=WaitSettings)
    source_wait: WaitSettings = field(default_factory=WaitSettings)
    source_out: TriggerOut = field(default_factory=TriggerOut)
    sense_out: TriggerOut = field(default_factory=TriggerOut)
    limits: LimitTests = field(default_factory=LimitTests)
    math: MathSettings = field(default_factory=MathSettings)
    arms: dict[str, LayerSettings] = field(default_factory=layers)
    triggers: dict[str, LayerSettings] = field(default_factory=layers)
    swept: _Swept | None = None

    @property
    def source(self) -> SourceSettings:
        """Settings of the selected source function."""
        return self.sources[self.function]

    @property
    def measured(self) -> str:
        """The quantity that is limited, not sourced."""
        return "CURR" if self.function == "VOLT" else "VOLT"

    def levels(self) -> list[float] | None:
        """Levels of the sweep or list, in order; None with a fixed level."""
        return self._swept().levels

    @property
    def largest_level(self) -> float:
        """Largest magnitude of the sweep or list; 0 with a fixed level."""
        return self._swept().largest

    def _swept(self) -> _Swept:
        """Worked out anew only if something has changed: a sweep asks at every step."""
        source, sweep = self.source, self.sweep
        numbers = (source.start, source.stop, source.points, source.given_step, source.list_start, len(source.listed))
        key = (self.function, source.mode, *numbers, sweep.spacing, sweep.direction, sweep.stairs)
        if self.swept is None or self.swept.key != key or self.swept.listed is not source.listed:
            levels = self._worked_out()
            largest = max((abs(level) for level in levels or ()), default=0.0)
            self.swept = _Swept(key, source.listed, levels, largest)
        return self.swept

    def _worked_out(self) -> list[float] | None:
        source = self.source
        if source.mode == "LIST":
            first = min(int(source.list_start), len(source.listed)) - 1
            return source.listed[first:] + source.listed[:first]
        if source.mode == "SWE":
            levels = _stairs(source, self.sweep.spacing)
            levels = levels if self.sweep.direction == "UP" else levels[::-1]
            return levels + levels[::-1] if self.sweep.stairs == "DOUB" else levels
        return None


def _stairs(source: SourceSettings, spacing: str) -> list[float]:
    points = int(source.points)
    if points < 2:
        return [source.start]
    if spacing == "LOG" and source.start * source.stop > 0:
        ratio = (source.stop / source.start) ** (1 / (points - 1))
        return [source.start * ratio**k for k in range(points)]
    return [source.start + source.step * k for k in range(points)]


@dataclass
class FormatSettings:
    """How readings are sent; common to the channels."""

    elements: tuple[str, ...] = ELEMENTS
    calculated: tuple[str, ...] = ("CALC",)
    data: str = "ASC"
    border: str = "NORM"
    registers: str = "ASC"
    digital: str = "ASC"


@dataclass
class SystemSettings:
    """Settings of the instrument as a whole.

    Attributes:
        is_time_auto_reset: whether an initiation begins with time 0.
        is_display_on: whether the display is lit in remote state.
        grouped: channels that act together.
    """

    is_time_auto_reset: bool = True
    is_display_on: bool = True
    grouped: tuple[int, ...] = (1, 2)


@dataclass
class LastingSettings:
    """What *RST leaves alone (SCPI Command Reference, "Non-Volatile Settings").

    Attributes:
        line_hertz: power line frequency as set by SYSTem:LFRequency; the line's own to begin with.
    """

    line_hertz: float
    is_beeping: bool = True
    fan: str = "NORM"
    power_on: str = "RST"
    address: int = 23
    date: tuple[float, ...] = (2024.0, 1.0, 1.0)
    daytime_seconds: float = 0.0
