"""What can be set on a 2400, with the *RST values of the user's manual (section 18, reference tables)."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .keithley_2400_calc_settings import CalcSettings, DigitalSettings

VOLTS_RANGES = (0.2, 2.0, 20.0, 200.0)
AMPS_RANGES = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
MOST_READINGS = 2500
"""Points of a sweep, readings of a trigger sequence, readings of the buffer."""
MOST_LISTED = 100
"""Values in one LIST command."""
MEMORY_LOCATIONS = 100
"""Setups of the source memory."""
ELEMENTS = ("VOLT", "CURR", "RES", "TIME", "STAT")
"""Data elements in the order in which they are always sent."""
FUNCTIONS = ("VOLT", "CURR", "RES")


@dataclass
class SourceSettings:
    """One source function, volts or amperes.

    Attributes:
        range: index into the ranges.
        triggered_level: takes the level's place at the next source action; None after it.
        is_step_given: whether the staircase goes by its step rather than by its number of points.
        listed: values of the list sweep.
        scale, is_scaled: in a source memory sweep, the level as a multiple of what the location before read.
        protection: over-voltage protection limit; volts only.
    """

    range: int
    is_auto_range: bool = True
    mode: str = "FIX"
    level: float = 0.0
    triggered_level: float | None = None
    start: float = 0.0
    stop: float = 0.0
    step: float = 0.0
    is_step_given: bool = False
    listed: list[float] = field(default_factory=lambda: [0.0])
    list_start: float = 1.0
    list_direction: str = "UP"
    protection: float = 210.0
    scale: float = 1.0
    is_scaled: bool = False


@dataclass
class SenseSettings:
    """One measuring function.

    Attributes:
        range: index into the ranges.
        lowest_range: smallest range that auto range goes down to, index.
        limit: compliance when the other quantity is sourced.
    """

    range: int
    limit: float
    is_auto_range: bool = True
    lowest_range: int = 0
    is_synchronized: bool = False


@dataclass
class OhmsSettings:
    """The ohms function.

    Attributes:
        mode: MAN or AUTO.
        range, lowest_range, highest_range: indices into the auto ohms ranges, `keithley_2400_ohms.OHMS_RANGES`.
        set_aside: source and sense settings that auto ohms has replaced; None while it is not at work.
    """

    mode: str = "AUTO"
    range: int = 4
    is_auto_range: bool = True
    lowest_range: int = 0
    highest_range: int = 7
    is_compensated: bool = False
    set_aside: tuple[str, SourceSettings, SenseSettings] | None = None


@dataclass
class HoldoffSettings:
    """Current range holdoff of source memory sweeps."""

    is_on: bool = False
    seconds: float = 0.0


@dataclass
class FilterSettings:
    """The averaging filter."""

    is_on: bool = False
    kind: str = "REP"
    count: float = 10.0


@dataclass
class SweepSettings:
    """Staircase sweep."""

    spacing: str = "LIN"
    points: float = 2500.0
    direction: str = "UP"
    ranging: str = "BEST"
    abort_on_compliance: str = "NEV"


@dataclass
class LayerSettings:
    """The arm or the trigger layer."""

    count: float = 1.0
    source: str = "IMM"
    delay_seconds: float = 0.0
    timer_seconds: float = 0.1
    direction: str = "ACC"
    input_line: float = 1.0
    output_line: float = 2.0
    input_events: tuple[str, ...] = ("SOUR",)
    output_events: tuple[str, ...] = ("NONE",)


@dataclass
class LineSettings:
    """The power line frequency as the instrument was told, or, with None, as it found it; *RST leaves it."""

    hertz: float | None = None
    is_auto: bool = True


@dataclass
class KeptSettings:
    """What *RST leaves and power does not erase.

    Attributes:
        power_on_setup: RST, PRES or SAV0 to SAV4.
        is_locked_out, is_held_off: local lockout and hold-off of the interface; told back only.
    """

    power_on_setup: str = "RST"
    is_locked_out: bool = False
    is_held_off: bool = False


@dataclass
class FormatSettings:
    """How readings are sent."""

    elements: tuple[str, ...] = ELEMENTS
    calc_elements: tuple[str, ...] = ("CALC",)
    data: str = "ASC"
    border: str = "NORM"
    registers: str = "ASC"
    patterns: str = "ASC"


@dataclass
class SweepMemorySettings:
    """The source memory sweep."""

    is_selected: bool = False
    points: float = 1.0
    start: float = 1.0


@dataclass
class DisplaySettings:
    """The front panel."""

    is_on: bool = True
    digits: float = 6.0
    text: str = ""
    is_text_on: bool = False
    lower_text: str = ""
    is_lower_text_on: bool = False


@dataclass
class Settings:
    """All that *RST resets."""

    is_output_on: bool = False
    off_state: str = "NORM"
    function: str = "VOLT"
    volts: SourceSettings = field(default_factory=lambda: SourceSettings(range=2))
    amps: SourceSettings = field(default_factory=lambda: SourceSettings(range=2))
    delay_seconds: float = 0.0
    is_auto_delay: bool = True
    is_auto_clear: bool = False
    auto_clear_mode: str = "ALW"
    sweep: SweepSettings = field(default_factory=SweepSettings)
    functions: tuple[str, ...] = ("CURR",)
    is_concurrent: bool = True
    sense_volts: SenseSettings = field(default_factory=lambda: SenseSettings(range=2, limit=21.0))
    sense_amps: SenseSettings = field(default_factory=lambda: SenseSettings(range=2, limit=1.05e-4))
    cycles: float = 1.0
    ohms: OhmsSettings = field(default_factory=OhmsSettings)
    holdoff: HoldoffSettings = field(default_factory=HoldoffSettings)
    filter: FilterSettings = field(default_factory=FilterSettings)
    is_remote_sense: bool = False
    is_auto_zero: bool = True
    is_zero_cached: bool = False
    guard: str = "CABL"
    range_changes: str = "SING"
    soak_seconds: float = 0.0
    is_enable_watched: bool = False
    arm: LayerSettings = field(default_factory=LayerSettings)
    trigger: LayerSettings = field(default_factory=LayerSettings)
    format: FormatSettings = field(default_factory=FormatSettings)
    calc: CalcSettings = field(default_factory=CalcSettings)
    digital: DigitalSettings = field(default_factory=DigitalSettings)
    memory: SweepMemorySettings = field(default_factory=SweepMemorySettings)
    display: DisplaySettings = field(default_factory=DisplaySettings)
    terminals: str = "FRON"
    is_beeper_on: bool = True
    is_time_auto_reset: bool = False

    @property
    def source(self) -> SourceSettings:
        """Settings of the selected source function."""
        return self.source_of(self.function)

    def source_of(self, function: str) -> SourceSettings:
        """Settings of a source function, VOLT or CURR."""
        return self.volts if function == "VOLT" else self.amps

    def sense_of(self, function: str) -> SenseSettings:
        """Settings of a measuring function, VOLT or CURR."""
        return self.sense_volts if function == "VOLT" else self.sense_amps

    @property
    def is_auto_ohms(self) -> bool:
        """Whether auto ohms chooses the source."""
        return self.ohms.set_aside is not None

    @property
    def trigger_points(self) -> int:
        """Source-measure operations of one READ?; arm count times trigger count."""
        return int(self.arm.count * self.trigger.count) if math.isfinite(self.arm.count) else MOST_READINGS + 1

    def sweep_levels(self) -> list[float]:
        """Levels of the sweep or list that is programmed, in order; the fixed level otherwise."""
        source = self.source
        if source.mode == "LIST":
            if source.list_direction == "DOWN":
                return source.listed[::-1]
            first = min(int(source.list_start), len(source.listed)) - 1
            return source.listed[first:] + source.listed[:first]
        if source.mode == "SWE":
            levels = self._staircase(source)
            return levels if self.sweep.direction == "UP" else levels[::-1]
        return [source.level]

    def _staircase(self, source: SourceSettings) -> list[float]:
        points = int(self.sweep.points)
        if points < 2:
            return [source.start]
        if self.sweep.spacing == "LOG" and source.start * source.stop > 0:
            ratio = (source.stop / source.start) ** (1 / (points - 1))
            return [source.start * ratio**k for k in range(points)]
        step = source.step if source.is_step_given else (source.stop - source.start) / (points - 1)
        return [source.start + step * k for k in range(points)]
