"""The array itself multiplies: inputs go in at once or bit by bit, columns are sensed, partial sums are added up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import InputError
from mtjlab.nouns import Cost, Floats, LayerPlan, Progress, TiledLayerPlan, unheard
from mtjlab.roles import Crossbar
from mtjlab.short_words import in_short

from .characterize_run import Ended, IsStopped, not_stopped
from .infer_columns import ColumnCalibration
from .infer_reader import DriveSettings, TileReader, advice_on
from .infer_schemes import InputScheme
from .leave_idle import left_idle
from .readout import READ_VOLTS

Calibrations = Mapping[int, ColumnCalibration]
"""Array -> what its columns make of a current; arrays without one have their offsets measured."""
HeardSums = Callable[[int, Floats], None]
"""Told of samples as soon as they are done: the first one's place, their sums (samples, sums)."""


@dataclass(frozen=True, eq=False)
class LayerRun:
    """What the array gave for one layer.

    Attributes:
        siemens_sums: shape (samples, lines), of pairs (samples, 2 * outputs): for every line, sum over inputs of x
            times conductance, x in units of full scale; that is measured current over read voltage, put together from
            the measurements and the tiles. With limited parts (samples, sums), not cut yet: those of the lines for the
            first part, then for the second ... `TiledLayerPlan.joined` makes outputs of them. NaN for samples that were
            not reached.
        saturated: readings in compliance, that is at the end of the ammeter's range; they count at that value.
        cost: readings and bench seconds spent.
        schemes: how inputs went in, per tile.
        advice: what to do about readings in compliance; empty if there were none.
        is_partial: whether it was stopped before all samples were done.
    """

    __repr__ = in_short

    siemens_sums: Floats
    saturated: int
    cost: Cost
    schemes: tuple[InputScheme, ...] = ()
    advice: str = ""
    is_partial: bool = False

    @property
    def done(self) -> NDArray[np.bool_]:
        """Shape (samples,): which were done."""
        return np.asarray(~np.isnan(self.siemens_sums).any(axis=1))


def infer_layer(
    crossbar: Crossbar,
    plan: LayerPlan,
    levels: NDArray[np.int64],
    bits: int,
    *,
    read_volts: float = READ_VOLTS,
    scheme: InputScheme | None = None,
    calibration: ColumnCalibration | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    what: str = "inferring",
    keep: Callable[[LayerRun], None] | None = None,
) -> LayerRun:
    """Multiply a batch of input vectors by the layer as it stands on the array.

    Where the Crossbar has a level for every row, each sample is one measurement of all columns with all inputs applied
    at once. Otherwise, for each sample and bit, all rows whose bit is set are driven together at the read voltage, all
    others are grounded; negative inputs go in at minus the read voltage if there are levels enough, else in a second
    phase whose currents are subtracted. Each column's current with no row driven is measured once and subtracted
    (source and ammeter offsets), unless a calibration holds it.

    Args:
        levels: shape (samples, inputs), signed integers, magnitude at most 2**bits - 1 (full scale).
        bits: bits of the magnitude.
        scheme: how inputs go in; chosen from what the Crossbar can do if None.
        calibration: offsets and gains of the columns, from `calibrate_columns`.
        is_stopped: asked before every transaction; the samples done so far are returned.
        keep: receives the result, also if an interrupt or a fault unwinds the run.

    Raises:
        InputError: levels that do not fit, or a scheme that the Crossbar cannot do; nothing has been applied.
        InstrumentError: a column is off scale.
    """
    return infer_tiled_layer(
        [crossbar],
        TiledLayerPlan.of(plan),
        levels,
        bits,
        settings=DriveSettings(read_volts, scheme),
        calibrations={} if calibration is None else {0: calibration},
        keep=keep,
        is_stopped=is_stopped,
        progress=progress,
        what=what,
    )


def infer_tiled_layer(
    crossbars: Sequence[Crossbar],
    plan: TiledLayerPlan,
    levels: NDArray[np.int64],
    bits: int,
    *,
    settings: DriveSettings | None = None,
    calibrations: Calibrations | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    what: str = "inferring",
    keep: Callable[[LayerRun], None] | None = None,
) -> LayerRun:
    """`infer_layer` of a layer on several tiles: sample by sample all tiles, whose sums are added up digitally.

    Args:
        crossbars: the arrays that the tiles' numbers count.
        levels: shape (samples, inputs), those that are held for biases included.
        calibrations: of the arrays that have one.
    """
    levels = np.asarray(levels, dtype=np.int64)
    layer = LayerReader(crossbars, plan, bits, settings, calibrations)
    layer.check(levels)
    sums = np.full((levels.shape[0], plan.sums), np.nan)

    def hear(first: int, found: Floats) -> None:
        sums[first : first + len(found)] = found
        progress(what, first + len(found), levels.shape[0])

    started = [crossbar.spent for crossbar in crossbars]
    progress(what, 0, levels.shape[0])
    is_partial = True
    try:
        with left_idle(*crossbars), suppress(Ended):
            layer.run(levels, is_stopped, hear)
            is_partial = False
    finally:
        cost = joint_cost(crossbars, started)
        found = LayerRun(sums, layer.saturated, cost, layer.schemes, layer.advice, is_partial)
        if keep:
            keep(found)
    return found


def joint_cost(crossbars: Sequence[Crossbar], started: Sequence[Cost]) -> Cost:
    """What several arrays have spent since; their seconds are the same ones, since they share a bench or a board."""
    parts = [crossbar.spent - before for crossbar, before in zip(crossbars, started, strict=True)]
    seconds = max((part.bench_seconds for part in parts), default=0.0)
    return Cost(sum(part.pulses for part in parts), sum(part.readings for part in parts), seconds)


class LayerReader:
    """A layer as it stands on its arrays, ready to multiply.

    Attributes:
        at_once: samples in one transaction.

    Raises InputError if a tile lies on an array that there is not, or beyond its lines.
    """

    def __init__(
        self,
        crossbars: Sequence[Crossbar],
        plan: TiledLayerPlan,
        bits: int,
        settings: DriveSettings | None = None,
        calibrations: Calibrations | None = None,
    ) -> None:
        self._plan, self._bits = plan, bits
        drive, known = settings or DriveSettings(), calibrations or {}
        for tile in plan.tiles:
            _check_place(tile.array, tile.plan, crossbars)
        used = [crossbars[tile.array] for tile in plan.tiles]
        self.at_once = min(drive.at_once(crossbar) for crossbar in used)
        self._readers = [
            TileReader(crossbar, tile.plan, bits, drive, known.get(tile.array))
            for crossbar, tile in zip(used, plan.tiles, strict=True)
        ]

    @property
    def saturated(self) -> int:
        """Readings in compliance so far."""
        return sum(sum(reader.saturated.values()) for reader in self._readers)

    @property
    def schemes(self) -> tuple[InputScheme, ...]:
        """How inputs go in, per tile."""
        return tuple(reader.scheme for reader in self._readers)

    @property
    def advice(self) -> str:
        """What to do about readings in compliance."""
        advice = advice_on(self._readers)
        return f"{self._plan.name}: {advice}" if advice else ""

    def check(self, levels: NDArray[np.int64]) -> None:
        """Raise InputError unless these inputs, (samples, inputs), fit."""
        full_scale, inputs = 2**self._bits - 1, self._plan.inputs
        if levels.shape[1:] != (inputs,) or np.abs(levels).max(initial=0) > full_scale:
            raise InputError(f"inputs of layer {self._plan.name} must be (samples, {inputs}) within +-{full_scale}")

    def run(self, levels: NDArray[np.int64], is_stopped: IsStopped, heard: HeardSums) -> None:
        """Multiply all samples; raises Ended, between two transactions, once it is stopped."""
        for reader in self._readers:
            check_stopped(is_stopped)
            reader.prepare()
        for first in range(0, len(levels), self.at_once):
            heard(first, self._sums(levels[first : first + self.at_once], is_stopped))

    def _sums(self, levels: NDArray[np.int64], is_stopped: IsStopped) -> Floats:
        total = np.zeros((len(levels), self._plan.sums))
        for reader, tile in zip(self._readers, self._plan.tiles, strict=True):
            check_stopped(is_stopped)
            total[:, self._plan.sums_of(tile)] += reader.sums(levels[:, tile.inputs])
        return total


def check_stopped(is_stopped: IsStopped) -> None:
    """Raise Ended once somebody wants the run to end."""
    if is_stopped():
        raise Ended("stopped on request")


def _check_place(array: int, plan: LayerPlan, crossbars: Sequence[Crossbar]) -> None:
    if array >= len(crossbars):
        raise InputError(f"a tile of {plan.name} lies on array {array}, there are {len(crossbars)}", where="tiles")
    rows, cols = crossbars[array].shape
    if plan.rows.max(initial=0) >= rows or plan.cols.max(initial=0) >= cols:
        raise InputError(f"a tile of {plan.name} does not fit on array {array} of {rows} x {cols} cells", where="tiles")
