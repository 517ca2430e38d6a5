"""What can be set of a 2400's math, limit tests and digital port, with *RST values (user's manual, table 18-1)."""

from __future__ import annotations

from dataclasses import dataclass, field

SOFTWARE_LIMITS = (2, 3, 5, 6, 7, 8, 9, 10, 11, 12)
"""Limit tests that compare a value; 1 is compliance, 4 the contact check option, which this unit does not have."""


@dataclass
class LimitSettings:
    """A limit test that compares a value: its band, and what the digital port shows if the value is off it."""

    is_on: bool = False
    upper: float = 1.0
    lower: float = -1.0
    upper_pattern: float = 15.0
    lower_pattern: float = 15.0


@dataclass
class CalcSettings:
    """Math, null and limit tests.

    Attributes:
        feed: what null and the limit tests look at: VOLT, CURR, RES or CALC.
        compliance_fails: IN or OUT of compliance, whichever fails limit test 1.
        pass_location, fail_location: where a source memory sweep goes on; 0 for the next one.
    """

    is_math_on: bool = False
    math_name: str = "POWER"
    units: str = "W"
    feed: str = "VOLT"
    null_offset: float = 0.0
    is_null_on: bool = False
    limits: dict[int, LimitSettings] = field(default_factory=lambda: {n: LimitSettings() for n in SOFTWARE_LIMITS})
    is_compliance_tested: bool = False
    compliance_fails: str = "IN"
    compliance_pattern: float = 15.0
    pass_pattern: float = 15.0
    fail_pattern: float = 15.0
    pass_location: int = 0
    fail_location: int = 0
    binning: str = "IMM"
    mode: str = "GRAD"
    is_auto_clear: bool = True

    @property
    def is_limit_on(self) -> bool:
        """Whether any limit test is done."""
        return self.is_compliance_tested or any(limit.is_on for limit in self.limits.values())


@dataclass
class DigitalSettings:
    """The digital output port (SOURce2)."""

    level: float = 15.0
    bits: float = 4.0
    line_4: str = "EOT"
    is_busy_high: bool = False
    is_auto_clear: bool = False
    clear_seconds: float = 100e-6
