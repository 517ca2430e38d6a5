"""The array itself multiplies: inputs go in bit by bit, columns are sensed, partial sums are added up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import InputError, InstrumentError
from mtjlab.nouns import Cost, Floats, LayerPlan, Line, Lines, Progress, unheard
from mtjlab.roles import Crossbar, LineRead

from .readout import READ_VOLTS


@dataclass(frozen=True, eq=False)
class LayerRun:
    """What the array gave for one layer.

    Attributes:
        siemens_sums: shape (samples, 2 * outputs): for every line, sum over inputs of x times conductance, x in
            units of full scale; that is measured current over read voltage, put together from the bit planes.
        saturated: readings in compliance, that is at the end of the ammeter's range; they count at that value.
        cost: readings and bench seconds spent.
    """

    siemens_sums: Floats
    saturated: int
    cost: Cost


def infer_layer(
    crossbar: Crossbar,
    plan: LayerPlan,
    levels: NDArray[np.int64],
    bits: int,
    *,
    read_volts: float = READ_VOLTS,
    progress: Progress = unheard,
    what: str = "inferring",
) -> LayerRun:
    """Multiply a batch of input vectors by the layer as it stands on the array.

    For each sample and bit, all rows whose bit is set are driven together at the read voltage, all others are
    grounded; negative inputs go in a second phase whose currents are subtracted. Each column's current with no row
    driven is measured once and subtracted (source and ammeter offsets).

    Args:
        levels: shape (samples, inputs), signed integers, magnitude at most 2**bits - 1 (full scale).
        bits: bit planes of the magnitude.
    """
    levels = np.asarray(levels, dtype=np.int64)
    full_scale = 2**bits - 1
    if levels.shape[1:] != plan.rows.shape or np.abs(levels).max(initial=0) > full_scale:
        raise InputError(f"inputs of layer {plan.name} must be (samples, {plan.rows.size}) within +-{full_scale}")
    started = crossbar.spent
    progress(what, 0, levels.shape[0])
    undriven = np.zeros(plan.rows.size, dtype=np.bool_)
    zero, _ = _column_amps(crossbar, plan, [undriven], read_volts)
    sums = np.zeros((levels.shape[0], plan.cols.size))
    saturated = 0
    for sample, vector in enumerate(levels):
        planes = _planes(vector, bits)
        amps, limited = _column_amps(crossbar, plan, [rows for rows, _ in planes], read_volts)
        sums[sample] = np.array([weight for _, weight in planes]) @ (amps - zero)
        saturated += limited
        progress(what, sample + 1, levels.shape[0])
    return LayerRun(sums / (full_scale * read_volts), saturated, crossbar.spent - started)


def _planes(vector: NDArray[np.int64], bits: int) -> list[tuple[NDArray[np.bool_], float]]:
    """The row patterns of one input vector and what each is worth; patterns without a driven row are left out."""
    planes = []
    for sign in (1, -1):
        magnitude = np.where(np.sign(vector) == sign, np.abs(vector), 0)
        for bit in range(bits):
            rows = (magnitude >> bit) & 1 == 1
            if rows.any():
                planes.append((rows, float(sign * 2**bit)))
    return planes


def _column_amps(
    crossbar: Crossbar, plan: LayerPlan, patterns: Sequence[NDArray[np.bool_]], read_volts: float
) -> tuple[Floats, int]:
    """Current of every column for every pattern of driven rows, shape (patterns, columns), and how many limited."""
    reads = []
    for is_driven in patterns:
        lines = Lines.grounded(*crossbar.shape)
        lines.row_volts[plan.rows[is_driven]] = read_volts
        reads += [LineRead(lines, Line("col", int(column))) for column in plan.cols]
    readings = crossbar.measure_each(reads)
    for read, reading in zip(reads, readings, strict=True):
        if reading.is_overflow:
            raise InstrumentError(
                f"column {read.sense.number} draws more current than the ammeter's range while layer {plan.name} runs",
                where="infer",
                remedy="Raise read_amps_range, or place the layer away from the shorts of this die",
            )
    amps = np.array([reading.amps for reading in readings]).reshape(len(patterns), plan.cols.size)
    return amps, sum(reading.in_compliance for reading in readings)
