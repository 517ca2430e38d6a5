"""Looks at an array by whole lines: a row is driven, as many columns as the bench can are sensed at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np

from mtjlab.nouns import FLOATING, Bools, Floats, Line, Lines, Reading, Site
from mtjlab.physics.deembed import Scheme
from mtjlab.roles import Capabilities, Crossbar

from .classify_reads import ClassifyReads
from .readout_samples import Samples

HeardRow = Callable[[int], None]
"""Told of every row that has been read."""


def read_scheme(can: Capabilities) -> Scheme:
    """Rows that are not driven float where lines can, so that they are the same on every bench; columns are at 0 V."""
    return Scheme.ROWS_FLOAT if can.sensed_lines > 1 and can.can_float else Scheme.GROUNDED


def look_at(
    crossbar: Crossbar, cells: Bools, volts: float, repeats: int, plus: Floats, minus: Floats, heard: HeardRow
) -> None:
    """Read these cells at either polarity, `repeats` times each, all columns at 0 V.

    What has been read by then stays if it is interrupted. Columns that are sensed together share the wire of the row
    that drives them.

    Args:
        cells: (rows, cols), which.
        plus, minus: (repeats, rows, cols), filled: siemens, infinite where off scale or limited.
        heard: told of each row that is done.
    """
    if crossbar.capabilities.sensed_lines == 1:
        _look_singly(crossbar, cells, volts, repeats, plus, minus, heard)
        return
    for row in np.flatnonzero(cells.any(axis=1)):
        _look_together(crossbar, int(row), np.flatnonzero(cells[row]).tolist(), volts, repeats, plus, minus)
        heard(int(row))


def _look_together(
    crossbar: Crossbar, row: int, cols: Sequence[int], volts: float, repeats: int, plus: Floats, minus: Floats
) -> None:
    """The polarities follow each other to and fro, so that a slow drift cancels."""
    unselected = FLOATING if read_scheme(crossbar.capabilities) is Scheme.ROWS_FLOAT else 0.0
    rows = np.full(crossbar.shape[0], unselected)
    rows[row] = 1.0
    levels = {level: Lines(rows * level, np.zeros(crossbar.shape[1])) for level in (volts, -volts)}
    most = crossbar.capabilities.sensed_lines
    for some in (cols[first : first + most] for first in range(0, len(cols), most)):
        sense = [Line("col", col) for col in some]
        for repeat in range(repeats):
            for level in (volts, -volts) if repeat % 2 == 0 else (-volts, volts):
                found = crossbar.measure(levels[level], sense)
                (plus if level > 0 else minus)[repeat, row, some] = _siemens(found, level)


def _look_singly(
    crossbar: Crossbar, cells: Bools, volts: float, repeats: int, plus: Floats, minus: Floats, heard: HeardRow
) -> None:
    """One series for all cells, which a bench may scan by itself in one transaction."""
    samples = Samples(crossbar.shape, (volts, -volts), Scheme.GROUNDED)
    left = cells.sum(axis=1)

    def heard_cell(site: Site) -> None:
        for polarity, level, amps in zip((plus, minus), (volts, -volts), samples.amps[site], strict=True):
            polarity[(slice(None), *site)] = _per_volt(np.array(amps), level)
        left[site.row] -= 1
        if not left[site.row]:
            heard(site.row)

    sites = [Site(int(row), int(col)) for row, col in np.argwhere(cells)]
    samples.take(crossbar, sites, repeats, heard_cell)


def _siemens(readings: Iterable[Reading], volts: float) -> Floats:
    inf = float("inf")
    amps = [inf if reading.in_compliance or reading.is_overflow else reading.amps for reading in readings]
    return _per_volt(np.array(amps), volts)


def _per_volt(amps: Floats, volts: float) -> Floats:
    return np.where(np.isinf(amps), np.inf, amps / volts)


def without_offsets(reads: ClassifyReads, is_alone: Bools) -> ClassifyReads:
    """The same means, without what flows into a column whichever of its rows is driven.

    Columns that are sensed together are held at slightly different levels (offsets of their amplifiers), and rows that
    float join them: a current that is the same at both polarities, which no cell is to blame for.

    Args:
        is_alone: (looks, rows, cols), cells that were read by themselves: they have nothing of it.
    """
    shift = np.zeros(is_alone.shape)
    for own, plus, minus, alone in zip(shift, reads.plus, reads.minus, is_alone, strict=True):
        own[...] = np.where(alone, 0.0, column_offsets(plus, minus, ~alone))
    return replace(reads, plus=reads.plus - shift[:, None], minus=reads.minus + shift[:, None])


def is_even(plus: Floats, minus: Floats, part: float) -> Bools:
    """(rows, cols): readings that are the same at both polarities but for what their column has in common.

    Args:
        plus, minus: (repeats, rows, cols), siemens.
        part: of the typical reading, by which they may differ.
    """
    means = plus.mean(axis=0), minus.mean(axis=0)
    known = np.isfinite(means[0]) & np.isfinite(means[1])
    difference = np.where(known, means[0], 0.0) - np.where(known, means[1], 0.0)
    difference -= np.where(known, 2 * column_offsets(plus, minus, known), 0.0)
    typical = float(np.median(means[0][known])) if known.any() else 0.0
    return np.asarray(np.abs(difference) <= part * typical)


def column_offsets(plus: Floats, minus: Floats, counts: Bools) -> Floats:
    """(rows, cols): half of the difference between the polarities, the median over those of a column that count.

    Args:
        plus, minus: (repeats, rows, cols), siemens.
    """
    with np.errstate(invalid="ignore"):  # off scale at both
        half = (plus.mean(axis=0) - minus.mean(axis=0)) / 2
    counts = counts & np.isfinite(half)
    if counts.all():
        return np.broadcast_to(np.median(half, axis=0), half.shape)
    offsets = np.zeros(half.shape[1])
    for col in np.flatnonzero(counts.any(axis=0)):
        offsets[col] = np.median(half[counts[:, col], col])
    return np.broadcast_to(offsets, half.shape)
