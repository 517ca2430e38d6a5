"""What can be set on a B2900A, with the reset settings of the SCPI Command Reference (B2910-90030, chapter 2)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .accuracy_keysight import B2900_STAGE, B2910_STAGE
from .smu_stage import StageAccuracy

ELEMENTS = ("VOLT", "CURR", "RES", "TIME", "STAT", "SOUR")
"""Data elements in the order in which they are always sent."""
FUNCTIONS = ("VOLT", "CURR", "RES")
QUANTITIES = ("VOLT", "CURR")
MOST_LISTED = 2500
MOST_READINGS = 100_000
LARGEST = {"VOLT": 210.0, "CURR": 3.03}
"""Largest direct output, V and A."""
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
    listed: list[float] = field(default_factory=lambda: [0.0])
    list_start: float = 1.0

    @property
    def step(self) -> float:
        """Sweep step, volts or amperes."""
        return (self.stop - self.start) / (self.points - 1) if self.points > 1 else 0.0


@dataclass
class SenseSettings:
    """One measured quantity of a channel.

    Attributes:
        range: index into the model's ranges.
        limit: compliance when the other quantity is sourced.
        lowest: smallest range that automatic ranging selects, volts or amperes.
    """

    limit: float
    lowest: float
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
class WaitSettings:
    """Waiting time of source or measurement: gain x initial time + offset."""

    is_on: bool = True
    is_auto: bool = True
    gain: float = 1.0
    offset_seconds: float = 0.0


@dataclass
class LayerSettings:
    """The arm or trigger layer of one action, transient or acquire."""

    source: str = "AINT"
    count: float = 1.0
    delay_seconds: float = 0.0
    timer_seconds: float = 1e-5
    bypass: str = "OFF"


def _layers() -> dict[str, LayerSettings]:
    return {"TRAN": LayerSettings(), "ACQ": LayerSettings()}


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


@dataclass
class ChannelSettings:
    """All of one channel that *RST resets."""

    function: str = "VOLT"
    shape: str = "DC"
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
    ohms_mode: str = "MAN"
    is_offset_compensated: bool = False
    sense_wait: WaitSettings = field(default_factory=WaitSettings)
    source_wait: WaitSettings = field(default_factory=WaitSettings)
    arms: dict[str, LayerSettings] = field(default_factory=_layers)
    triggers: dict[str, LayerSettings] = field(default_factory=_layers)

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
    data: str = "ASC"
    border: str = "NORM"
    registers: str = "ASC"


@dataclass
class SystemSettings:
    """Settings of the instrument as a whole.

    Attributes:
        is_time_auto_reset: whether an initiation begins with time 0.
        is_display_on: whether the display is lit in remote state.
    """

    is_time_auto_reset: bool = True
    is_display_on: bool = True


def steps_of(arm: LayerSettings, trigger: LayerSettings) -> float:
    """Actions of one initiation; infinite if either count is."""
    return arm.count * trigger.count if math.isfinite(arm.count * trigger.count) else math.inf
