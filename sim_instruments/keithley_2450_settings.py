"""What can be set on a 2450, with the defaults of the Reference Manual (2450-901-01, section 6)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

QUANTITIES = ("VOLT", "CURR")
FUNCTIONS = ("VOLT", "CURR", "RES")
LARGEST = {"VOLT": 210.0, "CURR": 1.05}
OHMS_RANGES = (2.0, 20.0, 200.0, 2e3, 20e3, 200e3, 2e6, 20e6, 200e6)
PROTECTIONS = {
    "PROT2": 2.0, "PROT5": 5.0, "PROT10": 10.0, "PROT20": 20.0, "PROT40": 40.0, "PROT60": 60.0, "PROT80": 80.0,
    "PROT100": 100.0, "PROT120": 120.0, "PROT140": 140.0, "PROT160": 160.0, "PROT180": 180.0, "NONE": 1e3,
}  # fmt: skip
"""Over-voltage protection limits, V."""


LONGEST_DELAY_SECONDS = 10_000.0


def show_number(value: float) -> str:
    """A setting as the 2450 tells it: as few digits as it takes, for example 0.01 or 1E-05."""
    return f"{value:.7G}"


def ignore(*_: Any) -> None:
    """Accepted; has no effect on what can be measured."""


@dataclass
class SourceSettings:
    """One source function, volts or amperes.

    Attributes:
        limit: of the other quantity.
        range: index into the ranges.
    """

    limit: float
    level: float = 0.0
    range: int = 0
    is_auto_range: bool = True
    delay_seconds: float = 0.0
    is_auto_delay: bool = True
    is_read_back: bool = True
    is_high_capacitance: bool = False
    off_state: str = "NORM"
    protection: str = "NONE"
    user_delays: list[float] = field(default_factory=lambda: [0.0] * 5)


@dataclass
class FilterSettings:
    """The averaging filter of one measure function."""

    is_on: bool = False
    kind: str = "REP"
    count: float = 10.0


@dataclass
class MathSettings:
    """The math operation of one measure function.

    Attributes:
        operation: MXB, PERC or REC.
        scale, offset: m and b of y = m x + b.
        reference: of PERC.
    """

    is_on: bool = False
    operation: str = "PERC"
    scale: float = 1.0
    offset: float = 0.0
    reference: float = 1.0


@dataclass
class LimitTest:
    """One of the two limit tests of a measure function.

    Attributes:
        failed: what has failed and was not cleared: "LOW" and "HIGH".
    """

    is_on: bool = False
    low: float = -1.0
    high: float = 1.0
    audible: str = "NONE"
    is_auto_cleared: bool = True
    failed: frozenset[str] = frozenset()


@dataclass
class SenseSettings:
    """One measure function.

    Attributes:
        range: full scale, volts, amperes or ohms.
        lowest, highest: smallest and largest range that automatic ranging selects.
        tests: limit tests 1 and 2.
    """

    range: float
    lowest: float
    unit: str
    highest: float = 200e6
    is_auto_range: bool = True
    is_rebounding: bool = False
    cycles: float = 1.0
    filter: FilterSettings = field(default_factory=FilterSettings)
    is_auto_zero: bool = True
    is_remote_sense: bool = False
    is_relative: bool = False
    relative: float = 0.0
    is_offset_compensated: bool = False
    digits: float = 5.0
    user_delays: list[float] = field(default_factory=lambda: [0.0] * 5)
    math: MathSettings = field(default_factory=MathSettings)
    tests: tuple[LimitTest, LimitTest] = field(default_factory=lambda: (LimitTest(), LimitTest()))


def _senses() -> dict[str, SenseSettings]:
    return {
        "VOLT": SenseSettings(0.02, 0.02, "VOLT"),
        "CURR": SenseSettings(1e-8, 1e-8, "AMP"),
        "RES": SenseSettings(20.0, 20.0, "OHM"),
    }


@dataclass
class FormatSettings:
    """How readings are sent."""

    data: str = "ASC"
    border: str = "SWAP"
    precision: float = 0.0


@dataclass
class Settings:
    """All that *RST resets.

    Attributes:
        set_aside: source function, current source and voltage range that auto ohms has replaced; None while the
            resistance function is not selected, or measures with a source of the user's.
    """

    is_output_on: bool = False
    function: str = "VOLT"
    sense_function: str = "CURR"
    sources: dict[str, SourceSettings] = field(
        default_factory=lambda: {"VOLT": SourceSettings(1.05e-4), "CURR": SourceSettings(21.0)}
    )
    senses: dict[str, SenseSettings] = field(default_factory=_senses)
    count: float = 1.0
    format: FormatSettings = field(default_factory=FormatSettings)
    terminals: str = "FRON"
    is_interlock_used: bool = False
    listed: dict[str, list[float]] = field(default_factory=lambda: {q: [] for q in QUANTITIES})
    set_aside: tuple[str, SourceSettings, SenseSettings] | None = None

    @property
    def source(self) -> SourceSettings:
        """Settings of the selected source function."""
        return self.sources[self.function]

    @property
    def sense(self) -> SenseSettings:
        """Settings of the selected measure function."""
        return self.senses[self.sense_function]

    @property
    def limited(self) -> str:
        """The quantity that is limited, not sourced."""
        return "CURR" if self.function == "VOLT" else "VOLT"


@dataclass
class Panel:
    """What the front panel shows; *RST leaves it.

    Attributes:
        texts: lines of the USER screen.
    """

    light: str = "ON50"
    reading_format: str = "PREF"
    screen: str = "HOME"
    texts: dict[int, str] = field(default_factory=dict)


@dataclass
class Nonvolatile:
    """What outlasts *RST and a loss of power.

    Attributes:
        language: command set from the next start on.
        power_on: setup of the next start: RST or SAV0 to SAV4.
        lan: as SYSTem:COMMunication:LAN:CONFigure? tells it.
    """

    language: str = "SCPI"
    access: str = "FULL"
    password: str = "admin"
    power_on: str = "RST"
    gpib_address: float = 18.0
    lan: str = "AUTO,0.0.0.0,255.255.255.0,0.0.0.0"
