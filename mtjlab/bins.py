"""Hard and soft bins: the first limit that a die does not keep decides. A pure function, so re-binning is free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TestLimit:
    """One limit.

    Attributes:
        test: number that is judged, `<step>.<number>`.
        least, most: between which it must lie, SI units; None for no bound.
        hard, soft: bins of a die that fails it.
        name: of the bins, for an operator.
    """

    __test__ = False  # for pytest: no test case

    test: str
    least: float | None
    most: float | None
    hard: int
    soft: int
    name: str = ""

    def keeps(self, value: float | None) -> bool:
        """Whether a number is within it; one that was not measured is not."""
        if value is None or math.isnan(value):
            return False
        return (self.least is None or value >= self.least) and (self.most is None or value <= self.most)


@dataclass(frozen=True)
class Bin:
    """Where a die goes.

    Attributes:
        hard, soft: bin numbers.
        is_good: whether every limit is kept.
        name: in words.
        failed: the first test that failed, "" if none did.
        all_failed: every one that did, in the order of the limits.
    """

    hard: int
    soft: int
    is_good: bool
    name: str
    failed: str = ""
    all_failed: tuple[str, ...] = ()


def sort_die(
    numbers: Mapping[str, float], limits: Sequence[TestLimit], good: tuple[int, int], unfinished: tuple[int, int]
) -> Bin:
    """The bin of a die.

    A limit on a number that is missing counts as failed only if no measured one fails: a die that was given up early
    goes into the bin of what was wrong with it.

    Args:
        numbers: what was found, by `<step>.<number>`.
        limits: in the order in which they count.
        good, unfinished: (hard, soft) of a die that keeps all, and of one whose numbers are missing without a reason.
    """
    failed = [limit for limit in limits if not limit.keeps(numbers.get(limit.test))]
    measured = [limit for limit in failed if not _is_missing(numbers.get(limit.test))]
    names = tuple(limit.test for limit in failed)
    if not failed:
        return Bin(*good, True, "good")
    if not measured:
        return Bin(*unfinished, False, "not measured", failed[0].test, names)
    first = measured[0]
    return Bin(first.hard, first.soft, False, first.name or first.test, first.test, names)


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)
