"""What a network as written can be judged by before it has run, and how well that goes with its accuracy.

All metrics look at training samples only, so that accuracy on other samples can be predicted from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from ..nouns import ArrayMap, CellStatus, Floats, Ints, State
from .datasets import IntArray, WineData
from .perceptron import Perceptron, Precision, accuracy, applied_inputs, ideal_outputs, margins, matrix_outputs

MARGIN_SCALE = 4.0
"""Steepness of the margin loss, as in `bridge.tune_g_norm`."""
_WORST_PART = 0.05
"""The read margin is that of the cells at this quantile."""
METRICS = {
    "write_fidelity": "write fidelity",
    "mapping_error": "mapping error (rms, one scale)",
    "read_margin": "read margin (5 % quantile)",
    "software_accuracy": "accuracy of the ideal network",
    "software_margin_loss": "margin loss of the ideal network",
    "projected_margin_loss": "margin loss, weight errors projected",
    "predicted_margin_loss": "margin loss of the map as written",
    "predicted_accuracy": "accuracy of the map as written",
}
"""Name of each metric in words."""


def margin_loss(margin: Floats) -> float:
    """Mean of log(1 + exp(-4 m)) over samples: small where classes are well apart."""
    return float(np.logaddexp(0.0, -MARGIN_SCALE * margin).mean())


def pair_weights(lines: Floats) -> Floats:
    """Plus less minus columns, (inputs, outputs) from (inputs, 2 * outputs)."""
    return np.asarray(lines[:, 0::2] - lines[:, 1::2], dtype=np.float64)


def mapping_error(written: Sequence[Floats], wanted: Sequence[Floats]) -> float:
    """Root mean square of s W_written - W_wanted over all weights, at the common scale s where it is least."""
    got, ideal = (np.concatenate([layer.ravel() for layer in layers]) for layers in (written, wanted))
    power = float(got @ got)
    scale = float(got @ ideal) / power if power > 0 else 0.0
    return float(np.sqrt(np.mean((scale * got - ideal) ** 2)))


def read_margin(siemens: Sequence[Floats], bits: Sequence[Ints], known: ArrayMap) -> float:
    """Distance of a poor cell from the middle between the die's states, on the wanted side, in half swings.

    1 is a typical cell, 0 one in the middle, -1 one in the wrong state; the 5 % quantile over the cells of the layers.
    """
    good = known.status == CellStatus.OK
    middle = float(np.median(known.siemens_p[good]) + np.median(known.siemens_ap[good])) / 2
    sides = [np.where(wanted == State.P, 1.0, -1.0) for wanted in bits]
    found = [2 * side * (g - middle) / known.on_off_siemens for side, g in zip(sides, siemens, strict=True)]
    return float(np.quantile(np.concatenate([one.ravel() for one in found]), _WORST_PART))


def projected_margins(
    weights: Sequence[Floats], errors: Sequence[Floats], biases: Sequence[Floats], features: Floats, labels: IntArray
) -> Floats:
    """Margins to first order in the weight errors: those of the ideal network plus their derivative along the errors.

    Args:
        weights, errors: per layer, (inputs, outputs), in units of the normalising conductance.
        biases: per layer, (outputs,).
        features: shape (samples, inputs), as applied.
    """
    values, change = features, np.zeros_like(features)
    for weight, error, bias in zip(weights, errors, biases, strict=True):
        after = np.tanh(values @ weight + bias)
        change = (1 - after**2) * (change @ weight + values @ error)
        values = after
    rows = np.arange(len(values))
    rivals = np.where(np.arange(values.shape[1]) == labels[:, None], -np.inf, values).argmax(axis=1)
    moved = values + change
    return np.asarray(moved[rows, labels] - moved[rows, rivals])


def metrics_of(
    network: Perceptron,
    as_written: Sequence[Floats],
    siemens_norm: float,
    known: ArrayMap,
    data: WineData,
    precision: Precision,
    g: float,
) -> dict[str, float]:
    """The metrics of `METRICS` but for the write fidelity.

    Args:
        network: one solution.
        as_written: per layer, conductances read after writing, (inputs, 2 * outputs), siemens.
        siemens_norm: the normalising conductance that was tuned.
        known: map of both states.
        g: normalising conductance at which the ideal network is best, in units of G_P - G_AP.
    """
    features, labels = data.train_features, data.train_labels
    bits = [layer[0] for layer in network.bits]
    biases = [layer[0] for layer in network.biases]
    wanted = [pair_weights(layer.astype(np.float64)) / g for layer in bits]
    written = [pair_weights(layer) / siemens_norm for layer in as_written]
    errors = [got - ideal for got, ideal in zip(written, wanted, strict=True)]
    software = ideal_outputs(network, features, g, precision)[0]
    predicted = matrix_outputs(as_written, biases, features, siemens_norm, precision)
    projected = projected_margins(wanted, errors, biases, applied_inputs(features, precision.input_bits), labels)
    return {
        "mapping_error": mapping_error(written, [g * ideal for ideal in wanted]),
        "read_margin": read_margin(as_written, bits, known),
        "software_accuracy": float(accuracy(software, labels)),
        "software_margin_loss": margin_loss(margins(software, labels)),
        "projected_margin_loss": margin_loss(projected),
        "predicted_margin_loss": margin_loss(margins(predicted, labels)),
        "predicted_accuracy": float(accuracy(predicted, labels)),
    }


def rank_correlations(metrics: Mapping[str, Sequence[float]], accuracies: Sequence[float]) -> dict[str, float | None]:
    """Spearman's rank correlation of each metric with the accuracy; None where either does not vary."""
    return {name: rank_correlation(values, accuracies) for name, values in metrics.items()}


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Spearman's rank correlation; None where either does not vary."""
    if len(set(first)) < 2 or len(set(second)) < 2:
        return None
    return float(stats.spearmanr(first, second).statistic)
