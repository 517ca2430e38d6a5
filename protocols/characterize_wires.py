"""Line and contact resistance of a whole array: currents between lines, which only wires can cause."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mtjlab.nouns import Line, Lines, Progress, unheard
from mtjlab.roles import Crossbar, LineRead
from mtjlab.short_words import in_short

from .characterize_run import Budget, Ending, IsStopped, Run, not_stopped
from .characterize_wires_fit import LineReads, WireFit, fit_wires
from .readout import READ_VOLTS


@dataclass(frozen=True, eq=False)
class LineResistance:
    """Currents between lines, and the resistances that explain them.

    Attributes:
        reads: per volt; NaN where not measured.
        fit: None if the measurement was ended early.
        ending: cost, and why it ended.
    """

    __repr__ = in_short

    reads: LineReads
    fit: WireFit | None
    ending: Ending


def line_resistance(
    crossbar: Crossbar,
    *,
    read_volts: float = READ_VOLTS,
    each_line: bool = False,
    budget: Budget | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[LineResistance], None] | None = None,
) -> LineResistance:
    """Sense each line in turn with each other line driven, all others at 0 V; no pulses are given.

    Cells in P disturb least: their conductance does not depend on the bias, which the fit takes for granted.

    Args:
        read_volts: within the device's read limit.
        each_line: as for `fit_wires`.
    """
    run = Run(crossbar, budget, is_stopped, progress)
    rows, cols = crossbar.shape
    lines = [Line("row", i) for i in range(rows)] + [Line("col", j) for j in range(cols)]
    found = np.full((rows + cols, rows + cols), np.nan)
    done = [0]

    def act() -> str:
        for number, sense in enumerate(lines):
            progress("currents between lines", number, len(lines))
            driven = [
                k for k, line in enumerate(lines) if line != sense and (line.axis == "row" or sense.axis == "col")
            ]
            reads = [_driving(crossbar.shape, None, 0.0, sense)]
            reads += [_driving(crossbar.shape, lines[k], read_volts, sense) for k in driven]
            run.check()
            readings = crossbar.measure_each(reads, heard=lambda *_: run.check())
            amps = [r.amps if not r.is_overflow else np.nan for r in readings]
            found[driven, number] = (np.array(amps[1:]) - amps[0]) / read_volts
            done[0] += 1
        progress("currents between lines", len(lines), len(lines))
        return "all lines were sensed"

    def result(ending: Ending) -> LineResistance:
        reads = LineReads(found[:rows, rows:], found[:rows, :rows], found[rows:, rows:])
        fit = fit_wires(reads, each_line=each_line) if done[0] == len(lines) else None
        return LineResistance(reads, fit, ending)

    return run.conclude(act, result, keep)


def _driving(shape: tuple[int, int], driven: Line | None, volts: float, sense: Line) -> LineRead:
    lines = Lines.grounded(*shape)
    if driven is not None:
        (lines.row_volts if driven.axis == "row" else lines.col_volts)[driven.number] = volts
    return LineRead(lines, sense)
