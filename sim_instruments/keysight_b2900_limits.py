"""Limit tests of a B2900A channel, one by one and composite (SCPI Command Reference, CALCulate; tables 1-3 and 1-4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_TESTS = 12
_UPPER_FAILED = 16
_ALL_FAILED = 31


@dataclass
class LimitTest:
    """One test of a channel.

    Attributes:
        function: LIM compares a value with two limits, COMP looks whether the output was in compliance.
        fails: in a COMP test, IN or OUT of compliance is the failure.
        low_bits, high_bits, pass_bits, compliance_bits: what is put on the digital lines for each outcome.
        has_failed: outcome of the last reading.
    """

    is_on: bool = False
    function: str = "LIM"
    low: float = -1.0
    high: float = 1.0
    fails: str = "IN"
    low_bits: float = 0.0
    high_bits: float = 0.0
    pass_bits: float = 0.0
    compliance_bits: float = 0.0
    has_failed: bool = False

    def outcome(self, value: float, is_limiting: bool) -> str:
        """PASS, LOW, HIGH or COMP; a value that is not a number is beyond both limits."""
        if self.function == "COMP":
            return "COMP" if is_limiting == (self.fails == "IN") else "PASS"
        if math.isnan(value) or value > self.high:
            return "HIGH"
        return "LOW" if value < self.low else "PASS"

    def bits(self, outcome: str) -> int:
        """The pattern of an outcome."""
        patterns = {"PASS": self.pass_bits, "LOW": self.low_bits, "HIGH": self.high_bits, "COMP": self.compliance_bits}
        return int(patterns[outcome])


@dataclass
class CompositeTest:
    """How the tests of a channel are taken together."""

    is_on: bool = False
    mode: str = "GRAD"
    update: str = "IMM"
    is_cleared_by_initiation: bool = True
    clear_seconds: float = 1e-4
    pass_bits: float = 0.0
    fail_bits: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """Outcome of a composite test.

    Attributes:
        code: bits 16 to 20 of a reading's status.
        bits: pattern for the digital lines.
        has_failed: whether the limit summary bit is set.
    """

    code: int
    bits: int
    has_failed: bool


@dataclass
class LimitTests:
    """All tests of a channel."""

    tests: list[LimitTest] = field(default_factory=lambda: [LimitTest() for _ in range(MOST_TESTS)])
    composite: CompositeTest = field(default_factory=CompositeTest)

    def clear(self) -> None:
        """Forget the outcomes."""
        for test in self.tests:
            test.has_failed = False

    def judge(self, value: float, is_limiting: bool) -> Verdict:
        """Carry out every test that is on."""
        outcomes = [(number, test) for number, test in enumerate(self.tests, 1) if test.is_on]
        for _, test in outcomes:
            test.has_failed = test.outcome(value, is_limiting) != "PASS"
        grade = _graded if self.composite.mode == "GRAD" else _sorted
        return grade(outcomes, self.composite, value, is_limiting)


_Numbered = Sequence[tuple[int, LimitTest]]


def _graded(tests: _Numbered, composite: CompositeTest, value: float, is_limiting: bool) -> Verdict:
    """The first test that fails decides."""
    for number, test in tests:
        outcome = test.outcome(value, is_limiting)
        if outcome != "PASS":
            code = number + (_UPPER_FAILED if outcome == "HIGH" else 0)
            return Verdict(code, test.bits(outcome), True)
    return Verdict(0, int(composite.pass_bits), False)


def _sorted(tests: _Numbered, composite: CompositeTest, value: float, is_limiting: bool) -> Verdict:
    """The first bin that the value falls into decides, if it was not in compliance."""
    for number, test in tests:
        if test.function == "COMP" and test.outcome(value, is_limiting) == "COMP":
            return Verdict(number, test.bits("COMP"), True)
    for number, test in tests:
        if test.function == "LIM" and test.outcome(value, is_limiting) == "PASS":
            return Verdict(number, test.bits("PASS"), False)
    return Verdict(_ALL_FAILED, int(composite.fail_bits), True)
