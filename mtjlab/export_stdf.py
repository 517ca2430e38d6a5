"""A recorded wafer run as an STDF version 4 file, for the yield tools of a test floor.

Figures of the die are PTR (or FTR where they only pass or fail) with the plan's test numbers and limits. Cells are MPR
records, one per kernel and quantity, or one PTR each. Times are seconds since 1970, UTC.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import __version__
from .ledger_rows import DieRow, DieState, standing_attempts
from .stdf_parts import HEAD, SITE, CellResults, DieRecords
from .stdf_records import MISSING_PLACE, record
from .stored_run import StoredRun
from .wafer_map import WaferMap
from .whole_files import whole_file

_ALL_HEADS, _NO_SITE_GROUP = 255, 255
_FLATS = {None: " ", 0: "U", 90: "R", 180: "D", 270: "L"}
_NO_STATISTICS, _NO_TIME = 0xFF, 0xCC
"""OPT_FLAG of a TSR: nothing is given; all but the time is. Bits 3, 6 and 7 are always set."""
_UNKNOWN_UNITS, _MILLIMETRES = 0, 3


@dataclass(frozen=True)
class WaferGeometry:
    """For the WCR record; None where not known.

    Attributes:
        diameter_metres, die_height_metres, die_width_metres: as said.
        notch: where flat or notch is: "U", "D", "L", "R".
        center: die at the wafer's centre.
        positive_x, positive_y: where x ("L", "R") and y ("U", "D") grow.
    """

    diameter_metres: float | None = None
    die_height_metres: float | None = None
    die_width_metres: float | None = None
    notch: str = " "
    center: tuple[int, int] | None = None
    positive_x: str = " "
    positive_y: str = " "


def geometry_of(wafer_map: WaferMap) -> WaferGeometry:
    """What STDF says of a wafer, from its map."""
    width, height = wafer_map.pitch_metres or (None, None)
    return WaferGeometry(
        diameter_metres=wafer_map.diameter_metres,
        die_height_metres=height,
        die_width_metres=width,
        notch=_FLATS.get(wafer_map.notch_degrees, " "),
        center=(round(wafer_map.origin[0]), round(wafer_map.origin[1])),
        positive_x=wafer_map.axes[1],
        positive_y=wafer_map.axes[0],
    )


def write_stdf(
    run: StoredRun,
    path: Path,
    *,
    cells: Sequence[CellResults] = (),
    geometry: WaferGeometry | None = None,
    all_attempts: bool = False,
    binning: int | None = None,
) -> Path:
    """Write the file; returns its path.

    Args:
        run: opened for reading.
        path: of the file; replaced once the new one is whole.
        cells: which values of cells go in; none by default.
        geometry: of the wafer; None: as the run's plan has it.
        all_attempts: whether visits that do not count are written too, before the one that does, which then
            supersedes them by its coordinates.
        binning: whose bins; None: the newest.

    Raises:
        InputError: coordinates or bins that STDF cannot say.
        RecordError: the data are damaged, or the disk will not take the file.
    """
    with whole_file(path) as unfinished, unfinished.open("wb") as file:
        for part in _records(run, cells, geometry or _planned(run), all_attempts, run.dies(binning)):
            file.write(part)
    return path


def _planned(run: StoredRun) -> WaferGeometry:
    """Nothing where nobody has said how the dies' numbers lie."""
    return WaferGeometry() if run.plan.frame is None else geometry_of(run.plan.wafer_map())


def _records(
    run: StoredRun, cells: Sequence[CellResults], geometry: WaferGeometry, all_attempts: bool, dies: list[DieRow]
) -> Iterator[bytes]:
    visits = [visit for visit in run.attempts() if visit.ended_wall is not None]
    ended = run.ended_wall or max((visit.ended_wall or 0.0 for visit in visits), default=run.started_wall)
    yield record("FAR", 2, 4)  # 2: little-endian
    yield _master(run)
    yield _site(run)
    yield _configuration(geometry)
    yield record("WIR", HEAD, _NO_SITE_GROUP, int(run.started_wall), run.plan.wafer)
    final = standing_attempts(dies, visits)
    parts = DieRecords(run, cells)
    seen: set[tuple[int, int]] = set()
    for visit in sorted(visits, key=lambda visit: (visit.attempt in final, visit.attempt)):
        if visit.attempt in final or all_attempts:
            place = (visit.die.x, visit.die.y)
            yield from parts.part(visit, final.get(visit.attempt, visit), place in seen)
            seen.add(place)
    repeats = len(visits) - len({visit.die for visit in visits})
    yield from _summaries(run, parts, list(final.values()), repeats, int(ended))


def _master(run: StoredRun) -> bytes:
    known = run.provenance
    kelvin = known.chuck_kelvin
    celsius = "" if kelvin is None else f"{kelvin - 273.15:.2f}"
    start = int(run.started_wall)
    words = (
        run.plan.lot, run.plan.frame.product if run.plan.frame else "", known.host, known.bench,
        known.recipe_name, known.recipe_revision, "", known.operator,
        "mtjlab", __version__, "", celsius, f"run {run.run_id}", "", "", "", "", "", "", "", "",
        known.recipe_name, known.limits_revision, "", known.recipe_sha256, "", "", "", "", "",
    )  # fmt: skip
    return record("MIR", start, start, 1, "E", " ", " ", 65_535, " ", *words)


def _site(run: StoredRun) -> bytes:
    known = run.provenance
    prober = next((each for each in known.instruments if "prober" in each.name.lower()), None)
    handler = (f"{prober.vendor} {prober.model}", prober.serial) if prober else ("", "")
    words: tuple[Any, ...] = (*handler, "", known.probe_card, *[""] * 12)
    return record("SDR", HEAD, 1, 1, (SITE,), *words)


def _configuration(geometry: WaferGeometry) -> bytes:
    lengths = (geometry.diameter_metres, geometry.die_height_metres, geometry.die_width_metres)
    millimetres = [0.0 if length is None else 1000 * length for length in lengths]
    units = _MILLIMETRES if any(millimetres) else _UNKNOWN_UNITS
    center = geometry.center or (MISSING_PLACE, MISSING_PLACE)
    return record("WCR", *millimetres, units, geometry.notch, *center, geometry.positive_x, geometry.positive_y)


def _summaries(run: StoredRun, parts: DieRecords, dies: Sequence[DieRow], repeats: int, ended: int) -> Iterator[bytes]:
    good = sum(row.hard_bin in run.plan.passing_bins for row in dies)
    counts = (len(dies), repeats, sum(row.state != DieState.DONE for row in dies), good, good)
    yield record("WRR", HEAD, _NO_SITE_GROUP, ended, *counts, run.plan.wafer, "", "", "", "", run.reason)
    for test in run.plan.tests:
        kind = "F" if test.is_functional else "P"
        totals = (parts.executed[test.number], parts.failed[test.number], 0)
        name = f"{test.step}.{test.name}"
        yield record("TSR", _ALL_HEADS, 0, kind, test.number, *totals, name, "", "", *_statistics(parts, test.number))
    hard = Counter(dict.fromkeys(run.plan.hard_bin_names, 0))  # bins without a die are named too
    soft = Counter(dict.fromkeys(run.plan.soft_bin_names, 0))
    hard.update(row.hard_bin for row in dies if row.hard_bin is not None)
    soft.update(row.soft_bin for row in dies if row.soft_bin is not None)
    passing_soft = {row.soft_bin for row in dies if row.hard_bin in run.plan.passing_bins}
    for number, count in sorted(hard.items()):
        verdict = "P" if number in run.plan.passing_bins else "F"
        yield record("HBR", _ALL_HEADS, 0, number, count, verdict, run.plan.hard_bin_names.get(number, ""))
    for number, count in sorted(soft.items()):
        verdict = "P" if number in passing_soft else "F"
        yield record("SBR", _ALL_HEADS, 0, number, count, verdict, run.plan.soft_bin_names.get(number, ""))
    yield record("PCR", _ALL_HEADS, 0, *counts)
    yield record("MRR", ended, " ", run.state, run.reason)


def _statistics(parts: DieRecords, number: int) -> tuple[int, float, float, float, float, float]:
    """OPT_FLAG, TEST_TIM, TEST_MIN, TEST_MAX, TST_SUMS, TST_SQRS of a test; times are not known."""
    values = parts.results.get(number)
    if not values:
        return _NO_STATISTICS, 0.0, 0.0, 0.0, 0.0, 0.0
    return _NO_TIME, 0.0, min(values), max(values), sum(values), sum(value * value for value in values)
