"""What running a network on arrays gave: outputs of every sample, accuracy with its interval, beside the prediction."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtjlab.engine.perceptron import confusion
from mtjlab.nouns import ArrayMap, Bools, Cost, Floats
from mtjlab.short_words import in_short

from .characterize_estimates import CONFIDENCE, Estimate
from .infer_schemes import InputScheme
from .infer_tuning import LayerTuning
from .write_verify import WriteResult

IntArray = NDArray[np.int64]


def wilson(hits: int, trials: int, confidence: float = CONFIDENCE) -> Estimate:
    """A share with its score interval (Wilson, J. Am. Stat. Assoc. 22, 209, 1927); 0..1 and NaN without a trial."""
    if not trials:
        return Estimate(float("nan"), 0.0, 1.0)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / trials
    scale = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / scale
    half = z * float(np.sqrt(share * (1 - share) / trials + z * z / (4 * trials**2))) / scale
    low, high = 0.0 if hits == 0 else middle - half, 1.0 if hits == trials else middle + half
    return Estimate(share, low, high)


@dataclass(frozen=True, eq=False)
class NetworkRun:
    """Everything that running a network gave.

    Attributes:
        outputs: shape (samples, outputs), from the arrays; NaN for samples that were not done.
        predicted: likewise from the maps of the arrays as written, at the same normalising conductances; NaN if not
            everything was written.
        labels: shape (samples,).
        evaluation: the samples that no tuning has looked at; accuracies are of these.
        siemens_norms: normalising conductance of each layer, siemens.
        tunings: how each was chosen; empty without calibration samples.
        line_siemens: per layer, (samples, lines), measured current over read voltage.
        transfers: per layer that was written, (inputs, lines), what the prediction is made with.
        writes: what writing came to, array by array in the order of writing.
        maps: of the arrays, as last known.
        schemes: per layer and tile, how inputs went in.
        saturated: readings in compliance; there should be none.
        advice: what to do about them; empty if there were none.
        cost: pulses, readings and bench seconds spent.
        reason: why it ended.
        is_partial: whether it ended before all samples were done.
    """

    __repr__ = in_short

    outputs: Floats
    predicted: Floats
    labels: IntArray
    evaluation: IntArray
    siemens_norms: tuple[float, ...]
    tunings: tuple[LayerTuning, ...]
    line_siemens: tuple[Floats, ...]
    transfers: tuple[Floats, ...]
    writes: tuple[WriteResult, ...]
    maps: tuple[ArrayMap, ...]
    schemes: tuple[tuple[InputScheme, ...], ...]
    saturated: int
    advice: str
    cost: Cost
    reason: str
    is_partial: bool

    @property
    def done(self) -> Bools:
        """Shape (samples,): which have outputs."""
        return np.asarray(~np.isnan(self.outputs).any(axis=1))

    @property
    def accuracy(self) -> Estimate:
        """On the arrays, of the evaluation samples that were done."""
        return self._share(self.outputs)

    @property
    def predicted_accuracy(self) -> Estimate:
        """From the maps, of the same samples."""
        return self._share(self.predicted)

    @property
    def agreement(self) -> Estimate:
        """How often the arrays and the prediction name the same class, of the same samples."""
        chosen = self._judged(self.predicted)
        same = self.outputs[chosen].argmax(axis=1) == self.predicted[chosen].argmax(axis=1)
        return wilson(int(same.sum()), int(chosen.size))

    @property
    def largest_difference(self) -> float:
        """Largest difference of an output from its prediction; NaN if nothing was done."""
        difference = np.abs(self.outputs - self.predicted)[self._judged(self.predicted)]
        return float(difference.max()) if difference.size else float("nan")

    def save(self, path: Path) -> Path:
        """Write one .npz without pickled objects: outputs, predicted, labels, evaluation, line_siemens_1, _2 ...

        A JSON header under "header" holds `as_result`.
        """
        kept: dict[str, Any] = {name: getattr(self, name) for name in ("outputs", "predicted", "labels", "evaluation")}
        kept |= {f"line_siemens_{number}": found for number, found in enumerate(self.line_siemens, 1)}
        with path.open("wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(self.as_result())), **kept)
        return path

    def as_result(self) -> dict[str, Any]:
        """As plain values, for a file or a report."""
        chosen = self._judged(self.outputs)
        return {
            "accuracy": vars(self.accuracy),
            "predicted_from_map": vars(self.predicted_accuracy),
            "agreement": vars(self.agreement),
            "samples": int(chosen.size),
            "confusion": confusion(self.outputs[chosen], self.labels[chosen]).tolist(),
            "siemens_norms": list(self.siemens_norms),
            "schemes": [[str(scheme) for scheme in layer] for layer in self.schemes],
            "saturated_readings": self.saturated,
            "advice": self.advice,
            "cost": vars(self.cost),
            "reason": self.reason,
            "is_partial": self.is_partial,
        }

    def _judged(self, outputs: Floats) -> IntArray:
        is_there = self.done & ~np.isnan(outputs).any(axis=1)
        return self.evaluation[is_there[self.evaluation]]

    def _share(self, outputs: Floats) -> Estimate:
        chosen = self._judged(outputs)
        hits = outputs[chosen].argmax(axis=1) == self.labels[chosen]
        return wilson(int(hits.sum()), int(chosen.size))
