"""Find out what is wrong with every cell and every line of an array, each finding with its evidence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Cost, Floats, Ints, Progress, State, unheard
from mtjlab.roles import Crossbar
from mtjlab.short_words import in_short

from .classify_lines import LineEvidence
from .classify_reads import LOOKS, ClassifyReads, ClassifySettings, Reader
from .classify_rules import CellEvidence, ClassThresholds, Levels, Verdict, judge
from .leave_idle import left_idle
from .readout import Keep


@dataclass(frozen=True, eq=False)
class Classification:
    """What a classification came to.

    Attributes:
        known: map of both states with the status of every cell.
        cells: evidence of every cell that is not OK, row by row; those that a line defect explains are left out.
        lines: line defects with their evidence.
        levels: what the array's own cells are like, from which the thresholds came.
        reads: everything that was read.
        cost: pulses, readings and bench seconds spent.
    """

    __repr__ = in_short

    known: ArrayMap
    cells: tuple[CellEvidence, ...]
    lines: tuple[LineEvidence, ...]
    levels: Levels
    reads: ClassifyReads
    cost: Cost


def classify(
    crossbar: Crossbar,
    *,
    settings: ClassifySettings | None = None,
    thresholds: ClassThresholds | None = None,
    progress: Progress = unheard,
    keep: Keep | None = None,
) -> Classification:
    """Read the array as found, exercise every cell, half-select all of them, and judge what was read.

    Each look at the array reads every cell at both polarities, more than once. Cells that conduct far too much or too
    little get no pulse; others get pulses of rising amplitude until their two states differ. Then every row gets half
    of a typical reset and later half of a typical set, as it does while its neighbours are written. Neighbouring lines
    are measured against each other. Cells end in AP as far as they can.

    Args:
        keep: receives the map so far, also when the protocol is interrupted.

    Raises:
        LimitError: before any pulse, if the first amplitude is beyond the device's limits.
    """
    used, started = settings or ClassifySettings(), crossbar.spent
    reader, is_complete = Reader(crossbar, used, progress), False
    try:
        with left_idle(crossbar):
            reader.run()
            is_complete = True
    finally:
        verdict = judge(reader.reads, thresholds)
        known = _as_map(reader.reads, verdict, used.read_volts, is_partial=not is_complete)
        if keep:
            keep(known)
    cost = crossbar.spent - started
    return Classification(known, verdict.cells, verdict.lines, verdict.levels, reader.reads, cost)


def _as_map(reads: ClassifyReads, verdict: Verdict, read_volts: float, *, is_partial: bool) -> ArrayMap:
    siemens = _last_seen(reads)
    dead = np.isin(verdict.status, (CellStatus.SHORT, CellStatus.OPEN, CellStatus.LINE_OPEN))
    p, ap = (np.where(np.isnan(own) & dead, siemens, own) for own in (reads.in_p, reads.in_ap))
    return ArrayMap(
        siemens=siemens,
        siemens_p=p,
        siemens_ap=ap,
        state=_states(siemens, verdict),
        status=verdict.status,
        sigma=np.where(np.isnan(siemens), np.nan, verdict.levels.noise),
        conditions=Conditions(read_volts, polarities=2),
        is_partial=is_partial,
    )


def _last_seen(reads: ClassifyReads) -> Floats:
    """Mean of the last look that reached each cell."""
    siemens = np.full(reads.in_p.shape, np.nan)
    for name in LOOKS:
        look = reads.look(name)
        siemens = np.where(np.isnan(look), siemens, look)
    return siemens


def _states(siemens: Floats, verdict: Verdict) -> Ints:
    """By the middle between the row's levels; unknown where there are no two states."""
    middle = np.sqrt(verdict.levels.p * verdict.levels.ap)
    told = np.where(siemens > middle, State.P, State.AP)
    without = (CellStatus.SHORT, CellStatus.OPEN, CellStatus.LINE_OPEN, CellStatus.UNREAD)
    told = np.where(np.isnan(siemens) | np.isin(verdict.status, without), State.UNKNOWN, told)
    return np.asarray(told, dtype=np.int8)
