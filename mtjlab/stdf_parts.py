"""The records of STDF between one die's PIR and its PRR: figures, functional tests, values of cells, the verdict."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .errors import InputError
from .ledger_rows import AttemptRow, DieRow, DieState
from .nouns import ArrayMap, Floats
from .run_plan import DieTest
from .stdf_records import MISSING_PLACE, record, short_results
from .stored_run import StoredRun

HEAD, SITE = 1, 1
_FAILED, _NO_VERDICT, _INVALID = 0x80, 0x40, 0x02
_LIMITS_INCLUDED = 0xC0
_NO_SPECS = 0x0E
"""OPT_FLAG: bit 1 is always set; no low and no high specification limit."""
_PERCENT = 2
"""RES_SCAL of a share of 1, which readers show in percent: a power of ten."""
_UNBINNED = 65_535
"""SOFT_BIN of a die without one; as HARD_BIN 0 stands for unsorted."""
_MPR_RESULTS = 15_000


@dataclass(frozen=True)
class CellResults:
    """Which cells' values are written, and how.

    Attributes:
        step: whose maps.
        quantities: arrays of the maps.
        as_records: "MPR": one record per kernel and quantity; "PTR": one per cell.
        first_number: test number of the first of them; the others follow, kernel by kernel.
    """

    step: str
    quantities: tuple[str, ...] = ("siemens_p", "siemens_ap")
    as_records: Literal["MPR", "PTR"] = "MPR"
    first_number: int = 1_000_000


class DieRecords:
    """PIR to PRR of one die after the other; says names, units and limits with the first result of each test.

    Attributes:
        results: values of each test so far, those that are numbers.
        executed, failed: how often each test was.
    """

    def __init__(self, run: StoredRun, cells: Sequence[CellResults]) -> None:
        self._run, self._cells = run, cells
        self._figures = run.figures()
        self._said: set[int] = set()
        self._said_cells: set[tuple[str, str]] = set()
        self.results: dict[int, list[float]] = {}
        self.executed: Counter[int] = Counter()
        self.failed: Counter[int] = Counter()

    def part(self, visit: AttemptRow, sorted_as: DieRow | AttemptRow, is_repeat: bool) -> Iterator[bytes]:
        """All records of one visit."""
        yield record("PIR", HEAD, SITE)
        figures, tests = self._figures.get(visit.attempt, {}), 0
        for test in self._run.plan.tests:
            value = figures.get(f"{test.step}.{test.name}")
            if value is not None:
                tests += 1
                yield self._result(test, value)
        for cells in self._cells:
            if self._run.has_step(visit.attempt, cells.step):
                for count, content in self._cell_results(visit, cells):
                    tests += count
                    yield content
        yield _part_result(self._run, visit, sorted_as, is_repeat, tests)

    def _result(self, test: DieTest, value: float) -> bytes:
        is_failed = not test.passes(value)
        self.executed[test.number] += 1
        self.failed[test.number] += is_failed
        has_verdict = test.is_functional or test.low is not None or test.high is not None
        flags = (_FAILED if is_failed else 0) if has_verdict else _NO_VERDICT
        if test.is_functional:
            return _functional(test, flags)
        if math.isnan(value):
            flags |= _INVALID
        elif math.isfinite(value):
            self.results.setdefault(test.number, []).append(value)
        name = f"{test.step}.{test.name}"
        scale = _PERCENT if test.is_share else 0
        return _parametric(test.number, name, flags, value, test.si_units, test.low, test.high, scale)

    def _cell_results(self, visit: AttemptRow, cells: CellResults) -> Iterator[tuple[int, bytes]]:
        """How many results, and their records; nothing for a step without maps."""
        maps, number = self._run.maps(visit.die, cells.step, visit.attempt), cells.first_number
        for quantity in cells.quantities if maps else ():
            units = "" if quantity in ("state", "status") else "S"
            if cells.as_records == "PTR":
                yield self._single_results(maps, quantity, units, number, cells.step)
                number += len(maps) * maps[0].siemens.size
                continue
            for content in _multiple_results(maps, quantity, units, number, cells.step):
                yield 1, content
                number += 1

    def _single_results(
        self, maps: Sequence[ArrayMap], quantity: str, units: str, number: int, step: str
    ) -> tuple[int, bytes]:
        values = np.stack([getattr(each, quantity) for each in maps]).astype(np.float64)
        flat = values.ravel()
        flags = np.where(np.isnan(flat), _NO_VERDICT | _INVALID, _NO_VERDICT)
        if (step, quantity) not in self._said_cells:
            self._said_cells.add((step, quantity))
            kernels, rows, cols = np.unravel_index(np.arange(flat.size), values.shape)
            return flat.size, b"".join(
                _parametric(
                    number + k, f"{step}.{quantity}[{kernels[k]},{rows[k]},{cols[k]}]", int(flags[k]), value, units
                )
                for k, value in enumerate(flat.tolist())
            )
        numbers = number + np.arange(flat.size)
        return flat.size, short_results(numbers, flat, flags, _LIMITS_INCLUDED, HEAD, SITE)


def _parametric(
    number: int,
    text: str,
    flags: int,
    value: float,
    units: str,
    low: float | None = None,
    high: float | None = None,
    scale: int = 0,
) -> bytes:
    parametric = _LIMITS_INCLUDED
    if flags & _FAILED:
        parametric |= 0x10 if low is not None and value < low else 0x08 if high is not None and value > high else 0
    no_limits = (0x40 if low is None else 0) | (0x80 if high is None else 0)
    limits = (low or 0.0, high or 0.0)
    start = (number, HEAD, SITE, flags, parametric, value, text, "", _NO_SPECS | no_limits, scale, scale, scale)
    return record("PTR", *start, *limits, units, "%9.4e", "%9.4e", "%9.4e", 0.0, 0.0)


def _multiple_results(maps: Sequence[ArrayMap], quantity: str, units: str, number: int, step: str) -> Iterator[bytes]:
    """An MPR per kernel; several where the kernel has more cells than fit into one."""
    for kernel, each in enumerate(maps):
        values = np.asarray(getattr(each, quantity), dtype=np.float64).ravel()
        for start in range(0, values.size, _MPR_RESULTS):
            text = f"{step}.{quantity}[{kernel}]" + (f"+{start}" if start else "")
            yield _multiple(number, text, values[start : start + _MPR_RESULTS], units)
            number += 1


def _multiple(number: int, text: str, values: Floats, units: str) -> bytes:
    start = (number, HEAD, SITE, _NO_VERDICT, _LIMITS_INCLUDED, 0, values.size, (), values, text, "")
    limits = (_NO_SPECS | 0xC0, 0, 0, 0, 0.0, 0.0, 0.0, 0.0, ())
    return record("MPR", *start, *limits, units, "", "%9.4e", "%9.4e", "%9.4e", 0.0, 0.0)


def _functional(test: DieTest, flags: int) -> bytes:
    nothing_counted = 0xFF  # OPT_FLAG: none of cycle count, addresses, pins and offsets is valid
    start = (test.number, HEAD, SITE, flags, nothing_counted, 0, 0, 0, 0, 0, 0, 0, 0, 0, (), (), (), (), "")
    return record("FTR", *start, "", "", "", f"{test.step}.{test.name}", "", "", "", 255, "")


def _part_result(
    run: StoredRun, visit: AttemptRow, sorted_as: DieRow | AttemptRow, is_repeat: bool, tests: int
) -> bytes:
    hard, soft = sorted_as.hard_bin, sorted_as.soft_bin
    is_good = hard in run.plan.passing_bins
    flags = (0x02 if is_repeat else 0) | (0x04 if visit.state != DieState.DONE else 0)
    flags |= 0x10 if hard is None else (0 if is_good else 0x08)
    x, y = (_place(value) for value in (visit.die.x, visit.die.y))
    milliseconds = min(round(1000 * (visit.bench_seconds or visit.seconds or 0.0)), 2**32 - 1)
    bins = (_bin(hard, 32_767, 0), _bin(soft, 32_767, _UNBINNED))
    text = " ".join(part for part in (f"attempt {visit.attempt}", sorted_as.first_failing, sorted_as.reason) if part)
    part = f"{visit.die.x},{visit.die.y}"
    return record("PRR", HEAD, SITE, flags, min(tests, 65_535), *bins, x, y, milliseconds, part, text, b"")


def _place(value: int) -> int:
    if not MISSING_PLACE < value < -MISSING_PLACE:
        raise InputError(f"die coordinate {value} is too large for STDF", remedy="Count dies from the wafer's centre")
    return value


def _bin(number: int | None, most: int, none: int) -> int:
    if number is not None and not 0 <= number <= most:
        raise InputError(f"bin {number} cannot be said in STDF", remedy=f"Number bins from 0 to {most}")
    return none if number is None else number
