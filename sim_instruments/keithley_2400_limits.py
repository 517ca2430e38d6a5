"""Limit tests of a 2400: which test a reading fails or passes, and how that is told in bits and on the digital port.

User's manual, section 12 (limit testing) and section 18 (CALCulate2; limit bits of the status word). Test 4 belongs to
the contact check option, which this unit does not have.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .keithley_2400_calc_settings import CalcSettings
from .keithley_2400_status import MeasurementBit

_CODES = {1: 1, 2: 2, 3: 3, 5: 4, 6: 6, 7: 7, 8: 8, 9: 9, 10: 10, 11: 11, 12: 12}
"""How bits 20, 19, 9 and 8 of the status word name a test. Sorting by test 9 is printed as 8: taken for a misprint."""
_HIGH = 1 << 21
_NO_BAND = 0x1F
_FAIL_EVENTS = {
    (2, False): MeasurementBit.LOW_2,
    (2, True): MeasurementBit.HIGH_2,
    (3, False): MeasurementBit.LOW_3,
    (3, True): MeasurementBit.HIGH_3,
}


@dataclass(frozen=True)
class Failure:
    """A test that was failed, and whether at its upper limit."""

    test: int
    is_high: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the tests made of one reading.

    Attributes:
        failures: in the order of the tests.
        passed: the band that a sorted value is in; 0 for none.
        is_pass: whether all is well.
        pattern: what the digital port is to show.
    """

    failures: tuple[Failure, ...]
    passed: int
    is_pass: bool
    pattern: int

    @property
    def events(self) -> int:
        """Bits of the measurement event register."""
        if self.is_pass:
            return MeasurementBit.LIMITS_PASS
        events = 0
        for failure in self.failures:
            if failure.test == 1:
                events |= MeasurementBit.LIMIT_1
            events |= _FAIL_EVENTS.get((failure.test, failure.is_high), 0)
        return events


def status_bits(verdict: Verdict, mode: str) -> int:
    """The limit bits of the status word: the first failure when grading, the band when sorting."""
    if mode == "SORT":
        if verdict.failures and verdict.failures[0].test == 1:
            return _spread(_CODES[1])
        if verdict.is_pass:
            return _spread(_CODES[verdict.passed]) if verdict.passed else 0
        return _spread(_NO_BAND)
    if not verdict.failures:
        return 0
    first = verdict.failures[0]
    return _spread(_CODES[first.test]) | (_HIGH if first.is_high else 0)


def _spread(code: int) -> int:
    """Bits 0 to 4 of a code to bits 8, 9, 19, 20 and 21."""
    return (code & 3) << 8 | (code >> 2) << 19


def judged(calc: CalcSettings, value: float, *, is_limiting: bool) -> Verdict:
    """All enabled tests on one value; when grading immediately, up to the first failure only."""
    failures = []
    if calc.is_compliance_tested and is_limiting == (calc.compliance_fails == "IN"):
        failures.append(Failure(1))
    return _sorted_by(calc, value, failures) if calc.mode == "SORT" else _graded(calc, value, failures)


def _graded(calc: CalcSettings, value: float, failures: list[Failure]) -> Verdict:
    for number, limit in calc.limits.items():
        if not limit.is_on or (failures and calc.binning == "IMM"):
            continue
        if value < limit.lower:
            failures.append(Failure(number))
        elif value > limit.upper:
            failures.append(Failure(number, is_high=True))
    pattern = _fail_pattern(calc, failures[0]) if failures else calc.pass_pattern
    return Verdict(tuple(failures), 0, not failures, int(pattern))


def _fail_pattern(calc: CalcSettings, failure: Failure) -> float:
    if failure.test == 1:
        return calc.compliance_pattern
    limit = calc.limits[failure.test]
    return limit.upper_pattern if failure.is_high else limit.lower_pattern


def _sorted_by(calc: CalcSettings, value: float, failures: list[Failure]) -> Verdict:
    if failures:
        return Verdict(tuple(failures), 0, False, int(calc.compliance_pattern))
    for number, limit in calc.limits.items():
        if limit.is_on and limit.lower <= value <= limit.upper:
            return Verdict(tuple(failures), number, True, int(limit.lower_pattern))
        if limit.is_on:
            failures.append(Failure(number, is_high=value > limit.upper))
    pattern = calc.fail_pattern if failures else calc.pass_pattern
    return Verdict(tuple(failures), 0, not failures, int(pattern))


@dataclass
class LimitResults:
    """What the limit tests have found since they were last cleared.

    Attributes:
        failed: numbers of the tests that failed.
        first: the first verdict that was not a pass.
        last: the latest verdict.
    """

    failed: set[int] = field(default_factory=set)
    first: Verdict | None = None
    last: Verdict | None = None

    def clear(self) -> None:
        """CLIMits:CLEar."""
        self.failed.clear()
        self.first = self.last = None

    def add(self, verdict: Verdict) -> None:
        """Take a verdict down."""
        self.failed.update(failure.test for failure in verdict.failures)
        self.last = verdict
        if not verdict.is_pass and self.first is None:
            self.first = verdict

    @property
    def pattern(self) -> int | None:
        """What the digital port shows: the first failure's pattern, or that of a pass."""
        shown = self.first or self.last
        return None if shown is None else shown.pattern
