"""How long a bench needs to read an array, from what it can do and how quick its parts are: one to be bought as well.

What cannot be avoided is the floor: an integration for every reading, and for every change of the sensed lines the time
in which relays open and then close. Relays that move together take the time of one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

READS_PER_CELL = 2
"""At 0 V and at the read voltage, so that offsets go."""


@dataclass(frozen=True)
class BenchTimes:
    """A bench. Seconds are from data sheets, or as measured on one like it.

    Attributes:
        integration_seconds: of one reading, for example 0.1 / 50 for 0.1 power line cycles.
        open_seconds, close_seconds: of a relay with bounce.
        reading_seconds: what one reading takes beside its integration, the bus included unless it scans by itself.
        level_seconds: likewise one change of a level.
        route_seconds: likewise one change of relays.
        output_seconds: outputs off before relays move and on after it; 0 where they move at 0 V.
        sensed_lines: how many lines are sensed at once.
        scans_itself: whether an array is read in a few transactions.
        holds_lines: whether the matrix holds the unselected lines by itself (bias or ground mode).
        most_points: readings of one transaction, where it scans.
        start_seconds: once for the whole array.
    """

    integration_seconds: float
    open_seconds: float
    close_seconds: float
    reading_seconds: float = 1e-3
    level_seconds: float = 1e-3
    route_seconds: float = 1e-3
    output_seconds: float = 0.0
    sensed_lines: int = 1
    scans_itself: bool = False
    holds_lines: bool = False
    most_points: int = 5000
    start_seconds: float = 0.0


@dataclass(frozen=True)
class ReadingEstimate:
    """What reading a whole array takes.

    Attributes:
        seconds: on the bench.
        floor_seconds: what no order of operations and no driver could save with these relays and this integration.
        routes: changes of relays.
        relay_closings: closings of single relays that are commanded; what the matrix holds moves besides.
        transactions: messages, with or without a reply.
    """

    seconds: float
    floor_seconds: float
    routes: int
    relay_closings: int
    transactions: int


def estimate_reading(shape: tuple[int, int], bench: BenchTimes) -> ReadingEstimate:
    """Every cell with its row at the read voltage and all else at 0 V, row after row."""
    rows, cols = shape
    at_once = min(bench.sensed_lines, cols)
    per_row = math.ceil(cols / at_once)
    routes = rows * per_row
    readings = READS_PER_CELL * routes
    floor = routes * (bench.open_seconds + bench.close_seconds) + readings * bench.integration_seconds
    own = bench.route_seconds + bench.output_seconds + 2 * bench.level_seconds
    seconds = floor + routes * own + readings * bench.reading_seconds + bench.start_seconds
    by_scan = math.ceil(READS_PER_CELL * rows * cols / bench.most_points)
    by_host = routes * 4 + readings * at_once  # a route, the level up, down and asked for, the readings
    return ReadingEstimate(
        seconds=seconds,
        floor_seconds=floor,
        routes=routes,
        relay_closings=_closings(shape, at_once, per_row, bench.holds_lines),
        transactions=by_scan if bench.scans_itself else by_host,
    )


def _closings(shape: tuple[int, int], at_once: int, per_row: int, holds_lines: bool) -> int:
    """Sensed lines change from one route to the next, and the driven row from one row to the next."""
    rows, cols = shape
    changes = rows * (per_row - 1) * at_once if per_row > 1 else 0
    if holds_lines:
        return at_once + changes + rows
    first = rows + cols  # every line is connected once
    return first + 2 * changes + 2 * (rows - 1)
