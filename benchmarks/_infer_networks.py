"""Networks to run on arrays: trained on bundled data sets, laid onto arrays, their cells put into the wanted states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from mtjlab.engine.datasets import WineData, load_wine, stratified_split
from mtjlab.engine.perceptron import Perceptron, Precision, accuracy, ideal_outputs
from mtjlab.engine.tiling import LayerTiling, plain_tiling
from mtjlab.nouns import Floats, Ints, LayerPlan, LayerTile, TiledLayerPlan, TiledWeightPlan
from mtjlab.physics.die_description import Kind
from mtjlab.protocols.infer_plans import LabelledSamples
from mtjlab.sim_instruments.die import Die

_HELD_OUT_DIGITS = 500


@dataclass(frozen=True, eq=False)
class Trained:
    """A network and its data.

    Attributes:
        data: features, labels and split, whatever the samples are.
        network: one solution, the best of a few on the training samples.
        g: normalising conductance that it was trained with, in units of G_P - G_AP.
        precision: of the inputs.
    """

    data: WineData
    network: Perceptron
    g: float
    precision: Precision

    @property
    def software_outputs(self) -> Floats:
        """With ideal devices and the same precision, (samples, classes)."""
        return ideal_outputs(self.network, self.data.features, self.g, self.precision)[0]

    def samples(self, calibration: int, evaluation: int, seed: int = 0) -> LabelledSamples:
        """So many training samples to tune with, so many test samples to judge by."""
        rng = np.random.default_rng(seed)
        tuned = rng.permutation(self.data.train)[:calibration]
        judged = rng.permutation(self.data.test)[:evaluation]
        chosen = np.concatenate([tuned, judged])
        return LabelledSamples(self.data.features[chosen], self.data.labels[chosen], np.arange(tuned.size))


def wine(*, quick: bool) -> Trained:
    """13-6-3 on Wine, inputs of 5 bits, hidden activations of 4 bits and a sign."""
    return _trained(load_wine(0), solutions=8, epochs=400 if quick else 2000, precision=Precision(5, 4))


def digits(*, quick: bool) -> Trained:
    """64-16-10 on the 8 x 8 digits, inputs of 4 bits (as they come), hidden activations of 6 bits and a sign."""
    epochs = 300 if quick else 1500
    return _trained(_digits(), solutions=2, epochs=epochs, g=3.0, hidden=16, precision=Precision(4, 6))


def _digits() -> WineData:
    from sklearn.datasets import load_digits

    bundle = load_digits()
    labels = np.asarray(bundle.target, dtype=np.int64)
    train_part, test = stratified_split(labels, _HELD_OUT_DIGITS, np.random.default_rng(0))
    names = tuple(str(name) for name in bundle.target_names)
    return WineData(np.asarray(bundle.data, dtype=np.float64) / 16, labels, train_part, test, names, ())


def _trained(data: WineData, **how: Any) -> Trained:
    from mtjlab.engine.training import TrainingSettings, train  # PyTorch takes seconds, which a list need not

    settings = TrainingSettings(**how)
    found = train(data, settings)
    outputs = ideal_outputs(found, data.train_features, settings.g, settings.precision)
    best = int(np.argmax(accuracy(outputs, data.train_labels)))
    return Trained(data, found.solution(best), settings.g, settings.precision)


def laid(network: Perceptron, arrays: int, shape: tuple[int, int]) -> TiledWeightPlan:
    """All layers on the first cells of so many arrays."""
    sizes = [network.layer_sizes[0][0], *[outputs for _, outputs in network.layer_sizes]]
    tiling = plain_tiling(sizes, kernels=arrays, kernel_shape=shape)
    parts = zip(tiling.layers, network.bits, network.biases, strict=True)
    return TiledWeightPlan(
        tuple(_layer(f"layer {k + 1}", one, bits[0], biases[0]) for k, (one, bits, biases) in enumerate(parts))
    )


def _layer(name: str, tiling: LayerTiling, bits: Ints, biases: Floats) -> TiledLayerPlan:
    none = np.zeros(0, dtype=np.int64)
    tiles = tuple(
        LayerTile(
            tile.kernel,
            tile.inputs,
            none,
            LayerPlan(name, tile.rows, tile.cols, bits[np.ix_(tile.inputs, tile.lines)], np.zeros(0)),
            tile.lines,
        )
        for tile in tiling.tiles
    )
    return TiledLayerPlan(name, tiles, biases)


def put(die: Die, plan: TiledWeightPlan, array: int) -> None:
    """Bring the healthy cells of a die into the planned states, without pulses."""
    shape = die.description.rows, die.description.cols
    for layer in plan.layers:
        for tile in layer.tiles:
            if tile.array == array:
                wanted = tile.plan.target(shape).ravel()
                moves = (wanted >= 0) & (die.kind == Kind.JUNCTION)
                die.is_parallel[moves] = wanted[moves] == 1
