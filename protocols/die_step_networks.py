"""The steps of a recipe with networks: train for this die's map, write and run on the die."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mtjlab.bridge import GNormTuning, layer_cells, layer_siemens, tune_g_norm
from mtjlab.engine.data_sources import fit_problem
from mtjlab.engine.datasets import LabelledData
from mtjlab.engine.perceptron import Precision, accuracy, ideal_outputs, matrix_outputs
from mtjlab.engine.placement import Placement, place
from mtjlab.engine.training import TrainingSettings, require_torch, train
from mtjlab.errors import InputError
from mtjlab.network_file import PlacedNetwork
from mtjlab.nouns import ArrayMap, Floats
from mtjlab.recipe_steps import InferStep, TrainStep

from .die_steps import DieContext, StepFound
from .run_perceptron import RunSettings, run_perceptron
from .wine_on_array import WineOutcome, as_result, choose_network
from .write_settings import WriteSettings


def trained(step: TrainStep, context: DieContext) -> StepFound:
    """Many networks; the one that the map predicts the best for, on the lines where defects hurt it least."""
    require_torch()
    known, request = context.map_for(step.map), step.request(context.beside).pinned()
    data = request.load()
    _require_fit(data, step, known)
    settings = RunSettings(precision=Precision(step.input_bits, step.hidden_bits))
    lines = _lines(data, step, known) if step.aware == "hardware" else None
    context.progress("training", 0, 1)
    networks = train(
        data,
        TrainingSettings(
            solutions=step.solutions,
            epochs=step.epochs,
            seed=step.seed,
            hidden=step.hidden,
            precision=settings.precision,
        ),
        conductances=None if lines is None else [layer_cells(known, one) for one in lines],
        progress=lambda done, total: context.progress("training", done, total),
    )
    solution, plan = choose_network(networks, known, data, settings, lines)
    context.known = known
    context.network = PlacedNetwork(solution, plan, step.data, step.seed, request)
    context.keep_network(f"{step.name}_network" if step.name else "network", context.network)
    features, labels = data.features[data.on_array], data.labels[data.on_array]
    planned = matrix_outputs(
        [layer_siemens(known, layer) for layer in plan.layers],
        [layer.biases for layer in plan.layers],
        features,
        known.on_off_siemens,
        settings.precision,
    )
    numbers = {
        "software_accuracy": float(accuracy(ideal_outputs(solution, features)[0], labels)),
        "planned_accuracy": float(accuracy(planned, labels)),
    }
    return StepFound(numbers, f"the best of {step.solutions} networks for this map", _told(data, step))


def _require_fit(data: LabelledData, step: TrainStep, known: ArrayMap) -> None:
    shape = data.features.shape[1], len(data.class_names)
    if found := fit_problem(shape, step.hidden, known.shape):
        raise InputError(found[0], where=f"step '{step.label}'", remedy=found[1])


def _lines(data: LabelledData, step: TrainStep, known: ArrayMap) -> list[Placement]:
    """Where the layers go, before their bits are known: their very cells are then trained for."""
    inputs, classes = data.features.shape[1], len(data.class_names)
    return [place(inputs, step.hidden, known), place(step.hidden, classes, known)]


def _told(data: LabelledData, step: TrainStep) -> dict[str, Any]:
    return {
        "data": data.name,
        "network": [data.features.shape[1], step.hidden, len(data.class_names)],
        "training_samples": int(data.train.size),
        "samples_on_array": int(data.on_array.size),
        "classes": list(data.class_names),
        "inputs": list(data.feature_names),
        "aware": step.aware,
    }


def inferred(step: InferStep, context: DieContext) -> StepFound:
    """Layer by layer: written with verification, then run with every sample that is meant for the array."""
    network = PlacedNetwork.load(context.beside(step.network)) if step.network else context.network
    assert network is not None  # the recipe was checked
    known, data = context.map_for(step.map), _to_run(network.source.load(), context)
    features = data.features[data.on_array]
    precision = Precision(step.input_bits, step.hidden_bits)
    settings = RunSettings(step.read_volts, precision, WriteSettings(**step.pulses()))
    biases = [layer.biases for layer in network.plan.layers]
    tunings: list[GNormTuning] = []

    def tune(as_written: list[Floats]) -> float:
        unit = known.on_off_siemens
        tunings.append(tune_g_norm(as_written, biases, data.train_features, data.train_labels, unit, precision))
        return tunings[-1].siemens_norm

    run = run_perceptron(
        context.array,
        network.plan,
        known,
        features,
        untuned_siemens=context.unit_siemens,
        tune=tune,
        settings=settings,
        progress=context.progress,
        keep=context.keep,
    )
    predicted = matrix_outputs(run.as_written, biases, features, run.tuned_siemens, precision)
    software = ideal_outputs(network.solution, features)[0]
    context.known = run.writes[-1].written
    outcome = WineOutcome(
        data, known, network.solution, network.plan, run, tunings[-1], software, predicted, context.unit_siemens
    )
    return _found(as_result(outcome))


def _to_run(data: LabelledData, context: DieContext) -> LabelledData:
    """With the samples that are run here; how many of all of them these are is noted in the context."""
    every = data.on_array
    if context.most_samples is None or every.size <= context.most_samples:
        context.samples_share = 1.0
        return data
    chosen = every[np.linspace(0, every.size - 1, context.most_samples).round().astype(np.int64)]
    context.samples_share = chosen.size / every.size
    return replace(data, shown=chosen)


def _found(result: dict[str, Any]) -> StepFound:
    found = result["accuracy"]
    numbers = {
        "accuracy": found["on_chip"],
        "accuracy_untuned": found["on_chip_untuned"],
        "predicted_accuracy": found["predicted_from_map"],
        "software_accuracy": found["software"],
        "write_fidelity": result["write_fidelity"],
    }
    return StepFound(numbers, "all samples are done", result)
