"""Measured conductances for aihwkit (1.2): an AnalogLinear whose devices are those of a die.

aihwkit programs a tile by turning its weights into conductances (microsiemens), one slice for the plus and one for the
minus devices, and asking a noise model what each slice became. The noise model here answers with what was measured.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np

from .bridge_weights import effective_weights, other_engine, plus_and_minus
from .errors import InputError
from .nouns import Floats

_MICRO = 1e6


def analog_linear(
    siemens: Floats,
    siemens_norm: float,
    biases: Floats | None = None,
    *,
    sigma: Floats | None = None,
    rpu_config: Any = None,
) -> Any:
    """An `aihwkit.nn.AnalogLinear` in inference mode whose programmed devices have exactly these conductances.

    Its tile computes x (G+ - G-) / siemens_norm, plus the (digital) biases. Shorts and opens are what they are.
    `drift_analog_weights` leaves the conductances where they are; with `sigma` it draws fresh read noise.

    Args:
        siemens: shape (inputs, 2 * outputs), lines plus, minus, plus, minus ...
        siemens_norm: conductance that counts as weight one.
        biases: shape (outputs,).
        sigma: standard deviation of each conductance from one reading to the next, siemens, of the shape of `siemens`.
        rpu_config: an `InferenceRPUConfig` for converters, noise of peripherals and so on; ideal peripherals if None.
            Its noise model, drift compensation and tile sizes are replaced.

    Raises:
        InputError: aihwkit is not installed, or conductances do not fit (`plus_and_minus`).
    """
    weights = effective_weights(siemens, siemens_norm)
    slices = [each * _MICRO for each in plus_and_minus(siemens)]
    spreads = None if sigma is None else [each * _MICRO for each in plus_and_minus(sigma)]
    config = _configured(rpu_config, _noise_model(slices, spreads, weights, siemens_norm * _MICRO))
    outputs, inputs = weights.shape
    nn = other_engine("aihwkit.nn", "aihwkit")
    layer = nn.AnalogLinear(inputs, outputs, bias=biases is not None, rpu_config=config)
    tensor = layer.get_weights()[0].new_tensor
    layer.set_weights(tensor(weights.tolist()), None if biases is None else tensor(np.asarray(biases).tolist()))
    layer.eval()
    layer.program_analog_weights()
    return layer


def _configured(rpu_config: Any, noise_model: Any) -> Any:
    configs = other_engine("aihwkit.simulator.configs", "aihwkit")
    config = configs.InferenceRPUConfig() if rpu_config is None else deepcopy(rpu_config)
    if rpu_config is None:
        config.forward.is_perfect = True
    config.noise_model = noise_model
    config.drift_compensation = None
    config.mapping.max_input_size = config.mapping.max_output_size = 0  # one tile, so that slices stay whole
    return config


def _noise_model(slices: list[Floats], spreads: list[Floats] | None, weights: Floats, norm: float) -> Any:
    """A noise model that answers with these slices, microsiemens, one after the other at each programming."""
    base = other_engine("aihwkit.inference.noise.base", "aihwkit").BaseNoiseModel
    converter = other_engine("aihwkit.inference.converter.conductance", "aihwkit").SinglePairConductanceConverter
    largest = float(np.abs(weights).max(initial=0.0)) or 1.0  # aihwkit maps its largest weight to g_max

    class MeasuredConductances(base):  # type: ignore[misc, valid-type]
        """Programming gives what was measured; nothing drifts."""

        def __init__(self) -> None:
            super().__init__(converter(g_max=norm * largest, g_min=0.0))
            self.programmed = self.read = 0

        def apply_programming_noise_to_conductance(self, g_target: Any) -> Any:
            """The next slice, whatever was asked for."""
            found = slices[self.programmed % 2]
            if tuple(g_target.shape) != found.shape:
                raise InputError(f"aihwkit asked for a slice of {tuple(g_target.shape)}, measured were {found.shape}")
            self.programmed += 1
            return g_target.new_tensor(found.tolist())

        def apply_drift_noise_to_conductance(self, g_prog: Any, drift_noise_param: Any, t_inference: float) -> Any:
            """What was programmed, read once more."""
            del drift_noise_param, t_inference
            number, self.read = self.read % 2, self.read + 1
            if spreads is None:
                return g_prog
            return g_prog + g_prog.new_tensor(spreads[number].tolist()) * g_prog.new_empty(g_prog.shape).normal_()

    return MeasuredConductances()
