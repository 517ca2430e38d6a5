"""Write a two-layer perceptron into one array, layer after layer, and run every sample on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from mtjlab.engine.perceptron import Precision, activations
from mtjlab.nouns import ArrayMap, Floats, LayerPlan, Progress, WeightPlan
from mtjlab.roles import Crossbar
from mtjlab.short_words import in_short

from .infer import LayerRun, infer_layer
from .infer_schemes import InputScheme, signed_levels
from .readout import READ_VOLTS
from .write_verify import WriteResult, WriteSettings, write_verify

Keep = Callable[[str, ArrayMap], None]
"""Receives maps by name as they come."""

Tune = Callable[[list[Floats]], float]
"""Chooses the normalising conductance, siemens, from the layers' conductances as written, (inputs, 2 * outputs)."""


@dataclass(frozen=True)
class RunSettings:
    """How inputs go in.

    Attributes:
        read_volts: level of a driven row.
        precision: bit planes of the inputs, and of the hidden activations beside their sign.
        write: amplitudes and widths of the write pulses.
        scheme: what one measurement holds of the inputs; chosen from what the Crossbar can do if None.
    """

    read_volts: float = READ_VOLTS
    precision: Precision = field(default_factory=lambda: Precision(input_bits=5, hidden_bits=4))
    write: WriteSettings = field(default_factory=WriteSettings)
    scheme: InputScheme | None = None


@dataclass(frozen=True, eq=False)
class PerceptronRun:
    """What running a network on the array gave.

    Attributes:
        writes: per layer, what writing it came to.
        as_written: per layer, conductances read after writing, shape (inputs, 2 * outputs), siemens.
        tuned_siemens: the normalising conductance that was chosen.
        outputs_tuned, outputs_untuned: shape (samples, outputs).
        saturated: readings at which a source or the ammeter was limiting; there should be none.
    """

    __repr__ = in_short

    writes: tuple[WriteResult, ...]
    as_written: tuple[Floats, ...]
    tuned_siemens: float
    outputs_tuned: Floats
    outputs_untuned: Floats
    saturated: int


def run_perceptron(
    crossbar: Crossbar,
    plan: WeightPlan,
    known: ArrayMap,
    features: Floats,
    *,
    untuned_siemens: float,
    tune: Tune,
    settings: RunSettings,
    progress: Progress,
    keep: Keep,
) -> PerceptronRun:
    """Write layer 1, run all samples on it, write layer 2 into the same array, run their activations on it.

    Layer-1 currents do not depend on the normalising conductance: they are measured once, and layer 2 is run once
    with the activations that the tuned normalising conductance gives and once with those of the untuned one.

    Args:
        plan: two layers on this array.
        known: map of both states.
        features: shape (samples, inputs), 0..1.
        untuned_siemens: the normalising conductance by design.
    """
    first, second = plan.layers
    bits_in, bits_hidden = settings.precision.input_bits or 8, settings.precision.hidden_bits or 8
    write_1 = _write(crossbar, first, known, settings, progress, keep)
    run_1 = _run(crossbar, first, features, bits_in, settings, progress, "running layer 1")
    write_2 = _write(crossbar, second, write_1.written, settings, progress, keep)
    as_written = [_block(write.written, layer) for write, layer in ((write_1, first), (write_2, second))]
    tuned_siemens = tune(as_written)
    outputs, saturated = [], run_1.saturated
    for siemens, what in ((tuned_siemens, "running layer 2, tuned"), (untuned_siemens, "running layer 2, untuned")):
        hidden = activations(run_1.siemens_sums, first.biases, siemens)
        run_2 = _run(crossbar, second, hidden, bits_hidden, settings, progress, what)
        outputs.append(activations(run_2.siemens_sums, second.biases, siemens))
        saturated += run_2.saturated
    return PerceptronRun((write_1, write_2), tuple(as_written), tuned_siemens, outputs[0], outputs[1], saturated)


def _write(
    crossbar: Crossbar, layer: LayerPlan, known: ArrayMap, settings: RunSettings, progress: Progress, keep: Keep
) -> WriteResult:
    return write_verify(
        crossbar,
        layer.target(crossbar.shape),
        known,
        settings=settings.write,
        read_volts=settings.read_volts,
        progress=lambda what, done, total: progress(f"{layer.name}: {what}", done, total),
        keep=lambda array_map: keep(f"{layer.name.replace(' ', '_')}_written", array_map),
    )


def _run(
    crossbar: Crossbar,
    layer: LayerPlan,
    values: Floats,
    bits: int,
    settings: RunSettings,
    progress: Progress,
    what: str,
) -> LayerRun:
    return infer_layer(
        crossbar,
        layer,
        signed_levels(values, bits),
        bits,
        read_volts=settings.read_volts,
        scheme=settings.scheme,
        progress=progress,
        what=what,
    )


def _block(written: ArrayMap, layer: LayerPlan) -> Floats:
    return np.asarray(written.siemens[np.ix_(layer.rows, layer.cols)])
