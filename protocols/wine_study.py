"""One solution after the other on one surveyed array: written, read back, run untuned and tuned, and judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtjlab.bridge import plan_network, tune_g_norm
from mtjlab.engine.datasets import WineData
from mtjlab.engine.perceptron import Perceptron, Precision, accuracy, activations
from mtjlab.engine.placement import Placement, fit_to_bits, place, place_first
from mtjlab.engine.wine_metrics import metrics_of
from mtjlab.nouns import ArrayMap, Floats, LayerPlan, Site
from mtjlab.roles import Crossbar

from .classify_defects import survey
from .infer import infer_layer
from .infer_schemes import signed_levels
from .readout import readout
from .run_perceptron import RunSettings
from .wine_study_conditions import StudyConditions
from .write_verify import write_verify

_DEFAULT_BITS = 8


@dataclass(frozen=True, eq=False)
class StudiedArray:
    """An array that solutions are written into.

    Attributes:
        crossbar: the array itself.
        known: its map of both states.
        placements: lines of each layer before they are fitted to a solution's bits.
    """

    crossbar: Crossbar
    known: ArrayMap
    placements: tuple[Placement, ...]


@dataclass(frozen=True, eq=False)
class _ServedLayer:
    """A layer that was written: conductances read back and states wanted and found, (inputs, 2 * outputs)."""

    plan: LayerPlan
    siemens: Floats
    is_right: NDArray[np.bool_]
    mended: int


def survey_array(crossbar: Crossbar, perceptron: Perceptron, conditions: StudyConditions) -> StudiedArray:
    """Read both states of every cell and choose the lines of the layers."""
    _, known = survey(crossbar, read_volts=conditions.run.read_volts)
    sizes = perceptron.layer_sizes
    if conditions.is_placed:
        return StudiedArray(crossbar, known, tuple(place(*size, known) for size in sizes))
    return StudiedArray(crossbar, known, tuple(place_first(*size, known.shape) for size in sizes))


def run_solution(
    array: StudiedArray, network: Perceptron, data: WineData, conditions: StudyConditions, g: float
) -> dict[str, Any]:
    """Write one solution into the array, layer after layer, run all samples on it; returns plain values.

    Untuned, the normalising conductance is the one by design; tuned, it is the best one that the conductances read back
    predict for the training samples (`bridge.tune_g_norm`). Both layers use it.

    Args:
        network: one solution.
        g: see `wine_metrics.metrics_of`.
    """
    crossbar, run = array.crossbar, conditions.run
    started = crossbar.spent
    plan = plan_network(network, _fitted(array, network, conditions))
    biases = [layer.biases for layer in plan.layers]
    first, second = plan.layers
    served_1 = _serve(array, first, run)
    bits_in, bits_hidden = (bits or _DEFAULT_BITS for bits in (run.precision.input_bits, run.precision.hidden_bits))
    sums = _run(crossbar, first, data.features, bits_in, run)
    served_2 = _serve(array, second, run)
    as_written = [served_1.siemens, served_2.siemens]
    tuned = tune_g_norm(
        as_written, biases, data.train_features, data.train_labels, array.known.on_off_siemens, run.precision
    ).siemens_norm
    outputs = {}
    for name, siemens in (("untuned", conditions.design_siemens), ("tuned", tuned)):
        hidden = activations(sums, first.biases, siemens)
        outputs[name] = activations(_run(crossbar, second, hidden, bits_hidden, run), second.biases, siemens)
    is_right = np.concatenate([served.is_right.ravel() for served in (served_1, served_2)])
    spent = crossbar.spent - started
    return {
        **{name: _accuracies(values, data) for name, values in outputs.items()},
        "g_tuned": tuned / conditions.design_siemens,
        "write_fidelity": float(is_right.mean()),
        "mended": served_1.mended + served_2.mended,
        "pulses": spent.pulses,
        "readings": spent.readings,
        "bench_seconds": spent.bench_seconds,
        **metrics_of(network, as_written, tuned, array.known, data, _used(run.precision), g),
    }


def _used(precision: Precision) -> Precision:
    return Precision(precision.input_bits or _DEFAULT_BITS, precision.hidden_bits or _DEFAULT_BITS)


def _fitted(array: StudiedArray, network: Perceptron, conditions: StudyConditions) -> Sequence[Placement]:
    if not conditions.is_placed:
        return array.placements
    pairs = zip(network.bits, array.placements, strict=True)
    return [fit_to_bits(bits[0], array.known, start=placement) for bits, placement in pairs]


def _serve(array: StudiedArray, layer: LayerPlan, run: RunSettings) -> _ServedLayer:
    """Write a layer, then read all of its cells anew: the last pulses may have disturbed what was verified before."""
    crossbar, known = array.crossbar, array.known
    target = layer.target(known.shape)
    write = write_verify(crossbar, target, known, settings=run.write, read_volts=run.read_volts)
    sites = [Site(int(i), int(j)) for i in layer.rows for j in layer.cols]
    back = readout(crossbar, read_volts=run.read_volts, sites=sites, reference=known)
    cells = np.ix_(layer.rows, layer.cols)
    return _ServedLayer(layer, back.siemens[cells], back.state[cells] == target[cells], write.mended)


def _run(crossbar: Crossbar, layer: LayerPlan, values: Floats, bits: int, run: RunSettings) -> Floats:
    levels = signed_levels(values, bits)
    return infer_layer(crossbar, layer, levels, bits, read_volts=run.read_volts, scheme=run.scheme).siemens_sums


def _accuracies(outputs: Floats, data: WineData) -> dict[str, float]:
    """Over all samples, those for training, and those that were held out."""
    parts = {"all": np.arange(data.labels.size), "train": data.train, "test": data.test}
    return {name: float(accuracy(outputs[part], data.labels[part])) for name, part in parts.items()}
