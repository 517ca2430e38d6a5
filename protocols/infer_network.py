"""A whole network on one or several arrays: written, tuned on a calibration set, run, beside what the maps predict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtjlab.bridge import G_GRID
from mtjlab.engine.perceptron import Precision
from mtjlab.nouns import ArrayMap, Cost, Floats, Progress, State, TiledLayerPlan, TiledWeightPlan, unheard
from mtjlab.roles import Crossbar

from .characterize_run import Ended, IsStopped, not_stopped
from .infer import Calibrations, LayerReader, check_stopped, joint_cost
from .infer_plans import LabelledSamples, are_apart, check_fit, units_of
from .infer_prediction import activated, as_written, forward, layer_transfer, planned_transfer, with_bias_inputs
from .infer_reader import DriveSettings
from .infer_result import NetworkRun
from .infer_schemes import signed_levels
from .infer_tuning import LayerTuning, tune_layer
from .write_verify import WriteResult, WriteSettings, write_verify

IntArray = NDArray[np.int64]

_EXACT_BITS = 8
"""Bits where the precision says exact: no input can go in more finely than a board's converters have steps."""


@dataclass(frozen=True)
class NetworkSettings:
    """How a network is run.

    Attributes:
        drive: how input vectors are applied.
        precision: magnitude bits of the inputs and of the activations between layers; None counts as 8.
        write: amplitudes and widths of the write pulses; None if the cells are taken as they stand.
        others_conduct: whether the cells of columns that a tile does not use conduct while it runs: true of a passive
            array whose other columns are grounded, false of a board that switches them off. None for what the first
            Crossbar says of its transistors. For the prediction only.
        grid: normalising conductances to try, in units of `unit_siemens`.
    """

    drive: DriveSettings = field(default_factory=DriveSettings)
    precision: Precision = field(default_factory=Precision)
    write: WriteSettings | None = None
    others_conduct: bool | None = None
    grid: Sequence[float] = tuple(G_GRID.tolist())

    def bits(self, layer: int) -> int:
        """Magnitude bits of a layer's inputs."""
        return (self.precision.hidden_bits if layer else self.precision.input_bits) or _EXACT_BITS


def infer_network(
    crossbars: Sequence[Crossbar],
    plan: TiledWeightPlan,
    known: Sequence[ArrayMap],
    samples: LabelledSamples,
    *,
    settings: NetworkSettings | None = None,
    unit_siemens: float | Sequence[float] | None = None,
    calibrations: Calibrations | None = None,
    is_stopped: IsStopped = not_stopped,
    progress: Progress = unheard,
    keep: Callable[[NetworkRun], None] | None = None,
) -> NetworkRun:
    """Write a network's layers, choose their normalising conductances, run all samples.

    Layers that share no cell are all written first; the calibration samples then go through layer by layer, each
    layer's normalising conductance chosen from its measured currents before the next one is run; after that the other
    samples one by one through all layers. Layers that share cells are written in turn, and all samples go through
    each before it is overwritten.

    Args:
        crossbars: the arrays that the tiles' numbers count.
        known: a map of each: of both states if the layers are to be written, else as its cells stand.
        unit_siemens: conductance that counts as weight one before tuning, for all layers or one per layer;
            `known[0].on_off_siemens` if left out.
        calibrations: of the arrays that have one, from `calibrate_columns`.
        is_stopped: asked before every transaction; what there is by then is returned, marked partial.
        keep: receives the result, also if an interrupt or a fault unwinds the run.

    All levels are at 0 V and outputs off afterwards.

    Raises:
        InputError: something does not fit together; nothing has been applied.
        InstrumentError: a column is off scale, or an instrument failed.
    """
    job = _Job(crossbars, plan, known, samples, settings or NetworkSettings(), calibrations or {})
    job.units = units_of(len(plan.layers), known[0].on_off_siemens if unit_siemens is None else unit_siemens)
    job.is_stopped, job.progress = is_stopped, progress
    reason, is_partial = "interrupted", True
    try:
        job.run()
        reason, is_partial = "all samples are done", False
    except Ended as ended:
        reason = str(ended)
    finally:
        try:
            for crossbar in crossbars:
                crossbar.idle()
        finally:
            found = job.result(reason, is_partial)
            if keep:
                keep(found)
    return found


class _Job:
    """State of one run: what has been written, chosen and measured so far."""

    is_stopped: IsStopped
    progress: Progress
    units: list[float]

    def __init__(
        self,
        crossbars: Sequence[Crossbar],
        plan: TiledWeightPlan,
        known: Sequence[ArrayMap],
        samples: LabelledSamples,
        settings: NetworkSettings,
        calibrations: Calibrations,
    ) -> None:
        check_fit(crossbars, plan, known, samples)
        self.crossbars, self.layers, self.samples, self.settings = list(crossbars), plan.layers, samples, settings
        self.maps = list(known)
        wanted = settings.others_conduct
        self.others_conduct = not crossbars[0].capabilities.isolates_cells if wanted is None else wanted
        bits = [settings.bits(k) for k in range(len(plan.layers))]
        self.bits: list[int | None] = [*bits]
        self.readers = [
            LayerReader(crossbars, layer, fine, settings.drive, calibrations)
            for layer, fine in zip(plan.layers, bits, strict=True)
        ]
        count = samples.labels.size
        self.sums = [np.full((count, layer.sums), np.nan) for layer in plan.layers]
        self.transfers: list[Floats | None] = [None] * len(plan.layers)
        self.tunings: list[LayerTuning | None] = [None] * len(plan.layers)
        self.writes: list[WriteResult] = []
        self._began = [crossbar.spent for crossbar in crossbars]

    def run(self) -> None:
        if are_apart(self.layers):
            for number in range(len(self.layers)):
                self._write(number)
            self._through(self.samples.calibration, "calibrating")
            self._each_through(self.samples.evaluation)
        else:
            order = np.concatenate([self.samples.calibration, self.samples.evaluation])
            self._through(order, "running", writes=True)

    # steps

    def _through(self, order: IntArray, what: str, *, writes: bool = False) -> None:
        """All these samples layer by layer; each layer is tuned before the next one is run."""
        values = self.samples.features[order]
        for number, layer in enumerate(self.layers):
            if writes:
                self._write(number)
            if number:
                self._tune(number - 1)
                values = self._activations(number - 1, order)
            self._measure(number, order, values, f"{what}, {layer.name}")
        if self.layers:
            self._tune(len(self.layers) - 1)

    def _each_through(self, order: IntArray) -> None:
        """Sample by sample through all layers."""
        step = self.settings.drive.samples_at_once or max(reader.at_once for reader in self.readers)
        self.progress("running", 0, order.size)
        for first in range(0, order.size, step):
            some = order[first : first + step]
            values = self.samples.features[some]
            for number in range(len(self.layers)):
                self._measure(number, some, values, "")
                values = self._activations(number, some)
            self.progress("running", first + some.size, order.size)

    def _measure(self, number: int, order: IntArray, values: Floats, what: str) -> None:
        layer = self.layers[number]
        levels = signed_levels(with_bias_inputs(values, layer.bias_inputs), self.settings.bits(number))

        def hear(first: int, found: Floats) -> None:
            self.sums[number][order[first : first + len(found)]] = found
            if what:
                self.progress(what, first + len(found), order.size)

        self.readers[number].run(levels, self.is_stopped, hear)

    def _activations(self, number: int, order: IntArray) -> Floats:
        return activated(self.layers[number], self.sums[number][order], self.norms[number])

    def _tune(self, number: int) -> None:
        """From what was measured of the calibration samples; without any the unit stays."""
        chosen = self.samples.calibration
        if not chosen.size:
            return
        later = range(number + 1, len(self.layers))
        self.tunings[number] = tune_layer(
            self.sums[number][chosen],
            self.layers[number:],
            [self._transfer(k) for k in later],
            self.samples.labels[chosen],
            self.units[number:],
            [self.bits[k] for k in later],
            np.asarray(self.settings.grid, dtype=np.float64),
        )

    def _write(self, number: int) -> None:
        """Write a layer if asked to; its transfer is taken from the maps as they then are."""
        layer = self.layers[number]
        arrays = sorted({tile.array for tile in layer.tiles})
        for array in arrays if self.settings.write else ():
            self._write_array(layer, array)
        self.transfers[number] = layer_transfer(self.maps, layer, others_conduct=self.others_conduct)

    def _write_array(self, layer: TiledLayerPlan, array: int) -> None:
        shape = self.crossbars[array].shape
        target = np.full(shape, State.UNKNOWN, dtype=np.int8)
        for tile in layer.tiles:
            if tile.array == array:
                target = np.where(tile.plan.target(shape) == State.UNKNOWN, target, tile.plan.target(shape))
        name = f"{layer.name} on array {array}"

        def heard(what: str, done: int, total: int) -> None:
            self.progress(f"{name}: {what}", done, total)
            check_stopped(self.is_stopped)

        before = self.maps[array]
        has_no_wires = bool(before.conditions.segment_ohms or before.conditions.line_ohms)

        def keep(found: ArrayMap) -> None:
            self.maps[array] = as_written(before, found) if has_no_wires else found

        done = write_verify(
            self.crossbars[array],
            target,
            before,
            settings=self.settings.write,
            read_volts=self.settings.drive.read_volts,
            progress=heard,
            keep=keep,
        )
        self.writes.append(done)

    # what came of it

    @property
    def norms(self) -> list[float]:
        return [tuning.siemens_norm if tuning else unit for tuning, unit in zip(self.tunings, self.units, strict=True)]

    def _transfer(self, number: int) -> Floats:
        """As written; of a layer that is still to be written, as planned from the map of both states."""
        found = self.transfers[number]
        if found is not None:
            return found
        return planned_transfer(self.maps, self.layers[number], others_conduct=self.others_conduct)

    def result(self, reason: str, is_partial: bool) -> NetworkRun:
        last = self.sums[-1]
        outputs = activated(self.layers[-1], last, self.norms[-1])
        predicted = np.full_like(outputs, np.nan)
        written = [transfer for transfer in self.transfers if transfer is not None]
        if len(written) == len(self.layers):
            predicted = forward(written, self.layers, self.samples.features, self.norms, self.bits)
        cost: Cost = joint_cost(self.crossbars, self._began)
        return NetworkRun(
            outputs=outputs,
            predicted=predicted,
            labels=self.samples.labels,
            evaluation=self.samples.evaluation,
            siemens_norms=tuple(self.norms),
            tunings=tuple(tuning for tuning in self.tunings if tuning),
            line_siemens=tuple(self.sums),
            transfers=tuple(written),
            writes=tuple(self.writes),
            maps=tuple(self.maps),
            schemes=tuple(reader.schemes for reader in self.readers),
            saturated=sum(reader.saturated for reader in self.readers),
            advice=" ".join(dict.fromkeys(reader.advice for reader in self.readers if reader.advice)),
            cost=cost,
            reason=reason,
            is_partial=is_partial,
        )
