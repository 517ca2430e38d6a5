"""What a network is run on, and whether network, arrays, maps and samples fit together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, Floats, TiledLayerPlan, TiledWeightPlan
from mtjlab.roles import Crossbar

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class LabelledSamples:
    """What a network is run on.

    Attributes:
        features: shape (samples, inputs), 0..1 (or -1..1).
        labels: shape (samples,), class of each.
        calibration: which samples may be looked at for tuning: training samples. The accuracy is of all others.
    """

    features: Floats
    labels: IntArray
    calibration: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))

    @property
    def evaluation(self) -> IntArray:
        """The samples that are not for tuning."""
        return np.setdiff1d(np.arange(self.labels.size), self.calibration)


def are_apart(layers: Sequence[TiledLayerPlan]) -> bool:
    """Whether no cell serves two layers, so that all of them can be on the arrays at once."""
    taken: set[tuple[int, int, int]] = set()
    for layer in layers:
        own = {
            (tile.array, int(row), int(col)) for tile in layer.tiles for row in tile.plan.rows for col in tile.plan.cols
        }
        if own & taken:
            return False
        taken |= own
    return True


def check_fit(
    crossbars: Sequence[Crossbar], plan: TiledWeightPlan, known: Sequence[ArrayMap], samples: LabelledSamples
) -> None:
    """Raise InputError, with what is wrong, unless they fit."""
    if not plan.layers:
        raise InputError("the network has no layer", where="plan")
    if [crossbar.shape for crossbar in crossbars] != [one.shape for one in known]:
        raise InputError("there must be one map for every array, of its shape", where="known")
    if samples.features.shape[:1] != samples.labels.shape:
        raise InputError(f"{samples.features.shape[0]} samples have {samples.labels.size} labels", where="samples")
    if np.setdiff1d(samples.calibration, np.arange(samples.labels.size)).size:
        raise InputError("a calibration sample does not exist", where="samples.calibration")
    given = samples.features.shape[1]
    for layer in plan.layers:
        if layer.inputs - layer.bias_inputs != given:
            raise InputError(
                f"{layer.name} takes {layer.inputs - layer.bias_inputs} inputs and gets {given}", where="plan"
            )
        given = layer.outputs
    if samples.labels.size and not 0 <= int(samples.labels.min()) <= int(samples.labels.max()) < given:
        raise InputError(f"labels must be classes 0..{given - 1}", where="samples.labels")


def units_of(layers: int, unit_siemens: float | Sequence[float]) -> list[float]:
    """Unit of weight of every layer. Raises InputError if there are not as many as layers."""
    units = [unit_siemens] * layers if isinstance(unit_siemens, float | int) else list(unit_siemens)
    if len(units) != layers:
        raise InputError(f"{len(units)} units of weight for {layers} layers", where="unit_siemens")
    return units
