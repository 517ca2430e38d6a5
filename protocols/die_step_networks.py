"""The steps of a recipe with networks: train for this die's map, write and run on the die."""

from __future__ import annotations

from typing import Any

from mtjlab.bridge import GNormTuning, layer_siemens, tune_g_norm
from mtjlab.engine.datasets import load_wine
from mtjlab.engine.perceptron import Precision, accuracy, ideal_outputs, matrix_outputs
from mtjlab.engine.training import TrainingSettings, require_torch, train
from mtjlab.network_file import PlacedNetwork
from mtjlab.nouns import Floats
from mtjlab.recipe_steps import InferStep, TrainStep

from .die_steps import DieContext, StepFound
from .run_perceptron import RunSettings, run_perceptron
from .wine_on_array import WineOutcome, as_result, choose_network
from .write_settings import WriteSettings


def trained(step: TrainStep, context: DieContext) -> StepFound:
    """Many networks; the one that the map predicts the best for, on the lines where defects hurt it least."""
    require_torch()
    known, data = context.map_for(step.map), load_wine(step.seed)
    settings = RunSettings(precision=Precision(step.input_bits, step.hidden_bits))
    context.progress("training", 0, 1)
    networks = train(
        data,
        TrainingSettings(solutions=step.solutions, epochs=step.epochs, seed=step.seed, precision=settings.precision),
        progress=lambda done, total: context.progress("training", done, total),
    )
    solution, plan = choose_network(networks, known, data, settings)
    context.known = known
    context.network = PlacedNetwork(solution, plan, step.data, step.seed)
    context.keep_network(f"{step.name}_network" if step.name else "network", context.network)
    planned = matrix_outputs(
        [layer_siemens(known, layer) for layer in plan.layers],
        [layer.biases for layer in plan.layers],
        data.features,
        known.on_off_siemens,
        settings.precision,
    )
    numbers = {
        "software_accuracy": float(accuracy(ideal_outputs(solution, data.features)[0], data.labels)),
        "planned_accuracy": float(accuracy(planned, data.labels)),
    }
    return StepFound(numbers, f"the best of {step.solutions} networks for this map")


def inferred(step: InferStep, context: DieContext) -> StepFound:
    """Layer by layer: written with verification, then run with every wine."""
    network = PlacedNetwork.load(context.beside(step.network)) if step.network else context.network
    assert network is not None  # the recipe was checked
    known, data = context.map_for(step.map), load_wine(network.seed)
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
        data.features,
        untuned_siemens=context.unit_siemens,
        tune=tune,
        settings=settings,
        progress=context.progress,
        keep=context.keep,
    )
    predicted = matrix_outputs(run.as_written, biases, data.features, run.tuned_siemens, precision)
    software = ideal_outputs(network.solution, data.features)[0]
    context.known = run.writes[-1].written
    outcome = WineOutcome(
        data, known, network.solution, network.plan, run, tunings[-1], software, predicted, context.unit_siemens
    )
    return _found(as_result(outcome))


def _found(result: dict[str, Any]) -> StepFound:
    found = result["accuracy"]
    numbers = {
        "accuracy": found["on_chip"],
        "accuracy_untuned": found["on_chip_untuned"],
        "predicted_accuracy": found["predicted_from_map"],
        "software_accuracy": found["software"],
        "write_fidelity": result["write_fidelity"],
    }
    return StepFound(numbers, "all wines are done", result)
