"""Scans as a Keithley 2600B is told them: every point as the relays that move and the levels that are put on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mtjlab.errors import LimitError
from mtjlab.roles import Crosspoint, ScanLimits, ScanPoint, WriteTask

from .keithley_707b import channel_name

SHORTEST_SECONDS = 100e-6
"""Shortest pulse without a reading on its top (data sheet: minimum programmable pulse width)."""
MOST_READINGS = 5000
"""Readings of one scan: what a message may reasonably hold (assumed); a dedicated buffer takes 60,000 and more."""
_ROUTE_SECONDS = 0.1
"""Moving relays takes less, user delays apart (card data sheets: some milliseconds)."""


def seconds_of(points: int, pulses: int, each: float) -> float:
    """How long a scan may take before it stops itself: some times what it should."""
    return 5.0 + 2 * (points * (each + _ROUTE_SECONDS) + pulses * (each + 2 * _ROUTE_SECONDS))


def require_within(limits: ScanLimits, levels: Iterable[Sequence[float]], pulses: int = 0) -> None:
    """Raise LimitError if any level, or the difference of two, or the number of pulses is beyond the limits."""
    for volts in levels:
        most = max(max(volts), 0.0) - min(min(volts), 0.0)
        if not most <= limits.volts * (1 + 1e-9):
            raise LimitError(f"a scan with levels {volts} V is beyond its limit of {limits.volts:g} V", where="scan")
    if pulses > limits.pulses:
        raise LimitError(f"a scan of up to {pulses} pulses is beyond its limit of {limits.pulses}", where="scan")


def scan_text(
    points: Sequence[ScanPoint], sense: int, limits: ScanLimits, settle_seconds: float, node: int, seconds: float
) -> str:
    """The call that scans these points."""
    return f"mtjlab.scan({_job(sense, limits, settle_seconds, node, seconds)}, {{\n{_points(points)}}})"


def pulse_text(
    points: Sequence[ScanPoint],
    drive: int,
    pulse_seconds: float,
    limits: ScanLimits,
    settle_seconds: float,
    node: int,
    seconds: float,
) -> str:
    """The call that pulses at these points."""
    more = _pulses(drive, pulse_seconds)
    return f"mtjlab.pulse_each({_job(drive, limits, settle_seconds, node, seconds, more)}, {{\n{_points(points)}}})"


def _points(points: Sequence[ScanPoint]) -> str:
    closed: frozenset[Crosspoint] = frozenset()
    lines = []
    for point in points:
        lines.append(f"{{{_moves(closed, point.closed)},{_levels(point.volts)}}}")
        closed = point.closed
    return ",\n".join(lines)


def write_text(
    tasks: Sequence[WriteTask],
    sense: int,
    drive: int,
    pulse_seconds: float,
    limits: ScanLimits,
    settle_seconds: float,
    node: int,
    seconds: float,
) -> str:
    """The call that carries out these tasks."""
    closed: frozenset[Crosspoint] = frozenset()
    lines = []
    for task in tasks:
        moves = f"{_moves(closed, task.read.closed)},{_moves(task.read.closed, task.pulse_closed)}"
        pulses = ",\n".join(_levels(levels) for levels in task.pulses)
        bounds = f"least={max(task.least_amps, -1e9):.6e},most={min(task.most_amps, 1e9):.6e}"
        lines.append(f"{{{moves},{_levels(task.read.volts)},\n{{{pulses}}},{bounds}}}")
        closed = task.read.closed
    job = _job(sense, limits, settle_seconds, node, seconds, _pulses(drive, pulse_seconds))
    return f"mtjlab.write_each({job}, {{\n" + ",\n".join(lines) + "})"


def _job(sense: int, limits: ScanLimits, settle_seconds: float, node: int, seconds: float, more: str = "") -> str:
    return (
        f"{{node={node},sense={sense + 1},volts={limits.volts * (1 + 1e-6):.9e},amps={limits.amps:.6e},"
        f"pulses={limits.pulses},settle={settle_seconds:.6e},seconds={seconds:.3f}{more}}}"
    )


def _pulses(drive: int, seconds: float) -> str:
    return f",drive={drive + 1},width={seconds:.6e}"


def _moves(before: frozenset[Crosspoint], after: frozenset[Crosspoint]) -> str:
    """Relays to open, to close, and how many are closed then."""
    return f'"{_names(before - after)}","{_names(after - before)}",{len(after)}'


def _names(points: Iterable[Crosspoint]) -> str:
    return ",".join(sorted(channel_name(point) for point in points))


def _levels(volts: Sequence[float]) -> str:
    return "{" + ",".join(f"{level:.6e}" for level in volts) + "}"
