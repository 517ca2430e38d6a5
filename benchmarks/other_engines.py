"""Measured conductances handed to other engines: each engine that is installed against the sums they should give.

Run in an environment that has the engine: `python -m benchmarks.other_engines` needs no more of mtjlab than NumPy and
SciPy.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import Any

import numpy as np

from mtjlab.bridge_weights import effective_weights
from mtjlab.errors import InputError
from mtjlab.nouns import Floats

_NORM = 1e-4
_SIZES = ((13, 6), (196, 47), (600, 15))


def _siemens(inputs: int, outputs: int) -> Floats:
    """Two states with a spread of 5 %, a short of 10 mS, an open cell and one of no conductance at all."""
    rng = np.random.default_rng(inputs)
    shape = inputs, 2 * outputs
    siemens = rng.choice([1e-4, 2e-4], shape) * np.exp(0.05 * rng.standard_normal(shape))
    siemens[0, 0], siemens[1, 1], siemens[2, 2] = 1e-2, 1e-12, 0.0
    return np.asarray(siemens)


def _wanted(siemens: Floats, inputs: Floats, biases: Floats) -> Floats:
    return np.asarray(inputs @ effective_weights(siemens, _NORM).T + biases)


def _aihwkit(torch: ModuleType) -> dict[str, float]:
    """Largest error of outputs relative to the largest output, and the spread of reads against what was asked for."""
    from mtjlab.bridge_aihwkit import analog_linear

    errors = []
    for size in _SIZES:
        siemens, rng = _siemens(*size), np.random.default_rng(0)
        inputs, biases = rng.random((50, size[0])), rng.standard_normal(size[1])
        layer, wanted = analog_linear(siemens, _NORM, biases), _wanted(siemens, inputs, biases)
        for seconds in (0.0, 3600.0):
            if seconds:
                layer.drift_analog_weights(seconds)
            found = layer(torch.tensor(inputs, dtype=torch.float32)).detach().numpy()
            errors.append(float(np.abs(found - wanted).max() / np.abs(wanted).max()))
    return {"largest_error": max(errors), "noise_ratio": _noise_ratio(torch)}


def _noise_ratio(torch: ModuleType) -> float:
    from mtjlab.bridge_aihwkit import analog_linear

    torch.manual_seed(0)
    siemens = np.random.default_rng(0).choice([1e-4, 2e-4], (40, 20))
    sigma = 0.02 * siemens
    layer, reads = analog_linear(siemens, _NORM, sigma=sigma), []
    for _ in range(2000):
        layer.drift_analog_weights(1.0)
        reads.append(layer(torch.ones(1, 40)).detach().numpy()[0])
    wanted = np.sqrt((sigma**2).sum(axis=0).reshape(-1, 2).sum(axis=1)) / _NORM
    return float((np.std(reads, axis=0) / wanted).mean())


def _plain_torch(torch: ModuleType) -> dict[str, float]:
    from mtjlab.engine.effective_weights import effective_state_dict

    errors = []
    for size in _SIZES:
        siemens, rng = _siemens(*size), np.random.default_rng(0)
        inputs, biases = rng.random((50, size[0])), rng.standard_normal(size[1])
        model = torch.nn.Sequential(torch.nn.Linear(*size))
        model.load_state_dict(effective_state_dict({"0": siemens}, {"0": _NORM}, {"0": biases}))
        found, wanted = model(torch.tensor(inputs, dtype=torch.float32)), _wanted(siemens, inputs, biases)
        errors.append(float(np.abs(found.detach().numpy() - wanted).max() / np.abs(wanted).max()))
    return {"largest_error": max(errors)}


def _cross_sim(simulator: ModuleType) -> dict[str, float]:
    from mtjlab.bridge_cross_sim import put_on_cross_sim

    errors = []
    for size in _SIZES:
        siemens, inputs = _siemens(*size), np.random.default_rng(0).random((50, size[0]))
        params = simulator.CrossSimParameters()
        params.core.style = "BALANCED"
        params.simulation.disable_fast_balanced = True
        core = simulator.AnalogCore(np.eye(size[1], size[0]), params)
        factor = put_on_cross_sim(core, siemens, _NORM)
        found, wanted = factor * np.asarray(core @ inputs.T).T, _wanted(siemens, inputs, np.zeros(size[1]))
        errors.append(float(np.abs(found - wanted).max() / np.abs(wanted).max()))
    return {"largest_error": max(errors)}


_ENGINES = {
    "torch": ("torch", "torch", _plain_torch),
    "aihwkit": ("aihwkit", "torch", _aihwkit),
    "cross-sim": ("simulator", "simulator", _cross_sim),
}
"""Name of the distribution, module that must be there, module that the check works with, and the check."""


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    del quick
    results: dict[str, Any] = {}
    for name, (needed, given, check) in _ENGINES.items():
        try:
            import_module(needed)
            results[name] = {"version": version(name), **check(import_module(given))}
        except (ImportError, InputError, PackageNotFoundError) as error:
            results[name] = {"missing": str(error)}
    rows: list[list[Any]] = [["engine", "version", "largest error", "noise ratio"]]
    for name, found in results.items():
        largest = f"{found['largest_error']:.1e}" if "largest_error" in found else "not installed"
        ratio = f"{found['noise_ratio']:.3f}" if "noise_ratio" in found else ""
        rows.append([name, found.get("version", ""), largest, ratio])
    return "Sums of other engines on measured conductances, relative to the largest", rows, {"engines": results}


if __name__ == "__main__":
    title, table, figures = run(quick=False)
    sys.stdout.write("\n".join([title, *("\t".join(map(str, row)) for row in table), json.dumps(figures)]) + "\n")
