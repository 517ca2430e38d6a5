"""The normalising conductance of each layer, chosen on a calibration set from what the array gave.

Layers are tuned in order. Of the layer at hand the line currents of the calibration samples have been measured; the
layers after it are predicted from the map, each with a normalising conductance of its own that is tuned along. When
their turn comes they are measured too. Whoever calls this passes training samples only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mtjlab.bridge import G_GRID
from mtjlab.engine.perceptron import accuracy, margins
from mtjlab.nouns import Floats, TiledLayerPlan
from mtjlab.short_words import in_short

from .infer_prediction import activated, forward

_ROUNDS = 2
"""How often the layers take turns."""
_MARGIN_SCALE = 4.0
"""Steepness of the margin loss, as in mtjlab/bridge.py."""


@dataclass(frozen=True, eq=False)
class LayerTuning:
    """How accuracy on the calibration set depends on a layer's normalising conductance.

    Attributes:
        grid_siemens: shape (points,).
        accuracy: shape (points,), the later layers at what was best for the chosen point.
        margin_loss: shape (points,), mean of log(1 + exp(-4 margin)): small where classes are well apart.
        best: index of the chosen point: the smallest margin loss of those whose accuracy is within one standard error
            of the highest, so that a lucky sample does not decide.
    """

    __repr__ = in_short

    grid_siemens: Floats
    accuracy: Floats
    margin_loss: Floats
    best: int

    @property
    def siemens_norm(self) -> float:
        """The chosen normalising conductance, siemens."""
        return float(self.grid_siemens[self.best])


def tune_layer(
    line_siemens: Floats,
    layers: Sequence[TiledLayerPlan],
    later_transfers: Sequence[Floats],
    labels: NDArray[np.int64],
    unit_siemens: float | Sequence[float],
    bits: Sequence[int | None],
    grid: Floats = G_GRID,
) -> LayerTuning:
    """Tune the first of these layers.

    Args:
        line_siemens: shape (samples, sums), measured: `LayerRun.siemens_sums` of the first layer.
        layers: it and those after it.
        later_transfers: per later layer, (inputs, lines), siemens.
        labels: shape (samples,).
        unit_siemens: one unit of weight, `ArrayMap.on_off_siemens`; or one value per layer.
        bits: per later layer, how finely its inputs are applied.
        grid: points to try, in units of `unit_siemens`.
    """
    norms = [unit_siemens] * len(layers) if isinstance(unit_siemens, float | int) else list(unit_siemens)
    points = [grid * unit for unit in norms]

    def outputs(candidate: Sequence[float]) -> Floats:
        hidden = activated(layers[0], line_siemens, candidate[0])
        return forward(later_transfers, layers[1:], hidden, candidate[1:], bits)

    for _ in range(_ROUNDS if len(layers) > 1 else 0):
        for place in reversed(range(len(layers))):
            norms[place] = _curve(outputs, norms, place, points[place], labels).siemens_norm
    return _curve(outputs, norms, 0, points[0], labels)


def _curve(
    outputs: Callable[[Sequence[float]], Floats],
    norms: Sequence[float],
    place: int,
    points: Floats,
    labels: NDArray[np.int64],
) -> LayerTuning:
    hits, losses = np.zeros(points.size), np.zeros(points.size)
    for number, siemens in enumerate(points):
        found = outputs([*norms[:place], float(siemens), *norms[place + 1 :]])
        hits[number] = float(accuracy(found, labels))
        losses[number] = float(np.logaddexp(0.0, -_MARGIN_SCALE * margins(found, labels)).mean())
    error = float(np.sqrt(hits.max() * (1 - hits.max()) / labels.size))
    good = hits >= hits.max() - error - 1e-12
    return LayerTuning(points, hits, losses, int(np.where(good, losses, np.inf).argmin()))
