"""System A on one array: read the die, train Wine perceptrons, choose and place one, write it, run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mtjlab.bridge import GNormTuning, layer_cells, plan_network, select_solution, tune_g_norm
from mtjlab.engine.datasets import LabelledData, WineData, load_wine
from mtjlab.engine.perceptron import Perceptron, accuracy, confusion, ideal_outputs, matrix_outputs
from mtjlab.engine.placement import Placement, fit_to_bits, place
from mtjlab.engine.training import TrainingSettings, train
from mtjlab.nouns import ArrayMap, Floats, Progress, State, WeightPlan
from mtjlab.roles import Crossbar

from .classify_defects import survey
from .readout import check_contact
from .run_perceptron import Keep, PerceptronRun, RunSettings, run_perceptron


@dataclass(frozen=True, eq=False)
class WineOutcome:
    """Everything that running Wine on one array gave.

    Attributes:
        data: samples and split.
        known: map of both states.
        network: the chosen solution.
        plan: where it went.
        run: what writing and running it gave.
        tuning: predicted accuracy on the training samples against the normalising conductance, as written.
        software: outputs of the chosen network with ideal devices, shape (samples on the array, classes).
        predicted: outputs predicted from the map as written, at the tuned normalising conductance.
        untuned_siemens: normalising conductance by design.
    """

    data: LabelledData
    known: ArrayMap
    network: Perceptron
    plan: WeightPlan
    run: PerceptronRun
    tuning: GNormTuning
    software: Floats
    predicted: Floats
    untuned_siemens: float


def wine_on_array(
    crossbar: Crossbar,
    *,
    seed: int,
    solutions: int,
    untuned_siemens: float,
    settings: RunSettings,
    progress: Progress,
    keep: Keep,
) -> WineOutcome:
    """Run the whole chain on a started Crossbar.

    Args:
        seed: of the split of the wines and of the training.
        solutions: how many networks to train and choose from.
        untuned_siemens: G_P - G_AP by design, the normalising conductance before tuning.
        keep: receives `as_found`, `both_states`, `layer_1_written`, `layer_2_written`, partial ones if interrupted.
    """
    check_contact(crossbar, settings.read_volts, progress)
    known = _survey(crossbar, settings, progress, keep)
    crossbar.idle()
    data = load_wine(seed)
    perceptron = _train(data, seed, solutions, settings, progress)
    network, plan = choose_network(perceptron, known, data, settings)
    biases = [layer.biases for layer in plan.layers]
    tunings: list[GNormTuning] = []

    def tune(as_written: list[Floats]) -> float:
        unit, precision = known.on_off_siemens, settings.precision
        tunings.append(tune_g_norm(as_written, biases, data.train_features, data.train_labels, unit, precision))
        return tunings[-1].siemens_norm

    run = run_perceptron(
        crossbar,
        plan,
        known,
        data.features,
        untuned_siemens=untuned_siemens,
        tune=tune,
        settings=settings,
        progress=progress,
        keep=keep,
    )
    predicted = matrix_outputs(run.as_written, biases, data.features, run.tuned_siemens, settings.precision)
    software = ideal_outputs(network, data.features)[0]
    return WineOutcome(data, known, network, plan, run, tunings[-1], software, predicted, untuned_siemens)


def choose_network(
    perceptron: Perceptron,
    known: ArrayMap,
    data: LabelledData,
    settings: RunSettings,
    trained_on: Sequence[Placement] | None = None,
) -> tuple[Perceptron, WeightPlan]:
    """The solution this die's map predicts the best for, on lines where defects hurt it least.

    Only training samples are looked at.

    Args:
        trained_on: lines, per layer, whose very cells the solutions were trained for; they stay there.
    """
    placements = trained_on or [place(inputs, outputs, known) for inputs, outputs in perceptron.layer_sizes]
    cells = [layer_cells(known, placement) for placement in placements]
    transfers = [
        np.where(bits == State.P, c.siemens_p, c.siemens_ap) for bits, c in zip(perceptron.bits, cells, strict=True)
    ]
    selection = select_solution(
        transfers, perceptron.biases, data.train_features, data.train_labels, known.on_off_siemens, settings.precision
    )
    network = perceptron.solution(selection.best)
    if trained_on is not None:
        return network, plan_network(network, placements)
    fitted = [
        fit_to_bits(bits[0], known, start=placement) for bits, placement in zip(network.bits, placements, strict=True)
    ]
    return network, plan_network(network, fitted)


def _survey(crossbar: Crossbar, settings: RunSettings, progress: Progress, keep: Keep) -> ArrayMap:
    found, known = survey(
        crossbar,
        settings=settings.write,
        read_volts=settings.read_volts,
        progress=progress,
        keep=lambda array_map: keep("as_found" if np.isnan(array_map.siemens_p).all() else "both_states", array_map),
    )
    keep("as_found", found)
    return known


def _train(data: WineData, seed: int, solutions: int, settings: RunSettings, progress: Progress) -> Perceptron:
    progress("training", 0, 1)
    training = TrainingSettings(solutions=solutions, seed=seed, precision=settings.precision)
    return train(data, training, progress=lambda done, total: progress("training", done, total))


def _served(plan: WeightPlan) -> tuple[str, str]:
    """How the array computes each layer, for a reader."""
    sizes = " and ".join(f"{layer.bits.shape[0]} x {layer.bits.shape[1]}" for layer in plan.layers)
    return (
        "written first; its column currents are measured once for all samples",
        f"written into the same array after layer 1 has run: {sizes} cells share its lines",
    )


def as_result(outcome: WineOutcome) -> dict[str, Any]:
    """The outcome as plain values, the keys of `result.json`."""
    labels = outcome.data.labels[outcome.data.on_array]
    writes = outcome.run.writes
    cells = [(write.target != State.UNKNOWN).sum() for write in writes]
    right = [write.fidelity * count for write, count in zip(writes, cells, strict=True)]
    return {
        "data": outcome.data.name,
        "accuracy": {
            "software": float(accuracy(outcome.software, labels)),
            "predicted_from_map": float(accuracy(outcome.predicted, labels)),
            "on_chip": float(accuracy(outcome.run.outputs_tuned, labels)),
            "on_chip_untuned": float(accuracy(outcome.run.outputs_untuned, labels)),
        },
        "write_fidelity": float(sum(right) / sum(cells)),
        "defects": outcome.known.defect_counts(),
        "g_norm": {
            "untuned_siemens": outcome.untuned_siemens,
            "tuned_siemens": outcome.run.tuned_siemens,
        },
        "curve": {
            "g_siemens": outcome.tuning.grid_siemens.tolist(),
            "predicted": outcome.tuning.accuracy.tolist(),
        },
        "confusion": confusion(outcome.run.outputs_tuned, labels).tolist(),
        "class_names": list(outcome.data.class_names),
        "layers": [
            {
                "name": layer.name,
                "rows": layer.rows.tolist(),
                "cols": layer.cols.tolist(),
                "bits": layer.bits.tolist(),
                "served": served,
            }
            for layer, served in zip(outcome.plan.layers, _served(outcome.plan), strict=True)
        ],
        "notes": [f"{layer.name}: {write.reason}" for layer, write in zip(outcome.plan.layers, writes, strict=True)],
        "saturated_readings": outcome.run.saturated,
        "mended_cells": sum(write.mended for write in writes),
    }
