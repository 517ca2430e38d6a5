"""The bridge between a die and the engine: maps become layers of conductances, solutions become weight plans.

Tuning and selection look at training samples only; whoever calls them passes no others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .engine.perceptron import Perceptron, Precision, accuracy, margins, matrix_outputs
from .engine.placement import CellPair, Placement, reachable_siemens
from .errors import InputError
from .nouns import ArrayMap, Floats, LayerPlan, State, WeightPlan

IntArray = NDArray[np.int64]

G_GRID = np.linspace(0.3, 1.7, 57)
"""Default grid of normalising conductances, in units of the map's median G_P - G_AP."""

_MARGIN_SCALE = 4.0
"""Steepness of the margin loss: a margin of half an output's unit is nearly safe."""


@dataclass(frozen=True, eq=False)
class GNormTuning:
    """How predicted accuracy depends on the common normalising conductance.

    Attributes:
        grid_siemens: shape (points,).
        accuracy: shape (points,), predicted on the samples that were given.
        margin_loss: shape (points,), mean of log(1 + exp(-4 margin)): small where classes are well apart.
        best: index of the chosen point.
    """

    grid_siemens: Floats
    accuracy: Floats
    margin_loss: Floats
    best: int

    @property
    def siemens_norm(self) -> float:
        """The chosen normalising conductance, siemens."""
        return float(self.grid_siemens[self.best])

    @property
    def best_accuracy(self) -> float:
        """Predicted accuracy at the chosen point."""
        return float(self.accuracy[self.best])

    @property
    def best_margin_loss(self) -> float:
        """Margin loss at the chosen point."""
        return float(self.margin_loss[self.best])


@dataclass(frozen=True, eq=False)
class Selection:
    """Solutions ranked for one die.

    Attributes:
        order: shape (K,), solutions from best to worst.
        tunings: one per solution, in the order of the solutions.
    """

    order: IntArray
    tunings: tuple[GNormTuning, ...]

    @property
    def best(self) -> int:
        """Index of the best solution."""
        return int(self.order[0])


def plan_network(
    solution: Perceptron, placements: Sequence[Placement], names: Sequence[str] = ("layer 1", "layer 2")
) -> WeightPlan:
    """Weight plan of one solution whose layers are placed on these lines.

    Raises:
        InputError: `solution` is a batch of more than one, or a placement has another size than its layer.
    """
    if len(solution) != 1:
        raise InputError(f"a weight plan holds one solution, got {len(solution)}", remedy="Pick one first")
    layers = zip(names, placements, solution.bits, solution.biases, strict=True)
    return WeightPlan(tuple(_layer_plan(name, place, bits[0], bias[0]) for name, place, bits, bias in layers))


def layer_cells(array_map: ArrayMap, lines: Placement | LayerPlan) -> CellPair:
    """What the cells under a layer can be, each (inputs, 2 * outputs), nothing clamped; also for `train`.

    Cells that cannot switch have the same value in both: stuck ones that of their state, shorts and opens what was
    measured.

    Raises:
        InputError: conductances of some of these cells were never measured.
    """
    cells = np.ix_(lines.rows, lines.cols)
    ap, p = (siemens[cells] for siemens in reachable_siemens(array_map))
    unread = int((np.isnan(ap) | np.isnan(p)).sum())
    if unread:
        raise InputError(
            f"{unread} of the {ap.size} cells under the layer have no measured conductance in both states",
            remedy="Characterise the die in both states, or place the layer elsewhere",
        )
    return CellPair(ap, p)


def layer_siemens(array_map: ArrayMap, plan: LayerPlan) -> Floats:
    """Conductances (inputs, 2 * outputs) once the layer is written as planned, as far as its cells can follow.

    Raises:
        InputError: see `layer_cells`.
    """
    return written_siemens(layer_cells(array_map, plan), plan.bits)


def written_siemens(cells: CellPair, bits: NDArray[np.int8]) -> Floats:
    """Conductances (..., inputs, lines) of cells that are asked for these bits, as far as they can follow.

    Args:
        cells: what they can be: `layer_cells`, `DieMaps.known_cells`, with or without an axis of dies.
        bits: (inputs, lines), or with the same leading axes, 0 (AP) or 1 (P).
    """
    return np.where(np.asarray(bits) == State.P, cells.siemens_p, cells.siemens_ap)


def planned_siemens(array_map: ArrayMap, plan: LayerPlan) -> Floats:
    """Conductances (rows, cols) of the whole array once the layer is written: what a network solver needs.

    Cells beside the layer are as last read; AP, or else P, where only those are known.

    Raises:
        InputError: cells have no measured conductance at all, or see `layer_cells`.
    """
    ap, p = reachable_siemens(array_map)
    fallback = np.where(np.isnan(ap), p, ap)
    siemens = np.where(np.isnan(array_map.siemens), fallback, array_map.siemens)
    siemens[np.ix_(plan.rows, plan.cols)] = layer_siemens(array_map, plan)
    unread = int(np.isnan(siemens).sum())
    if unread:
        raise InputError(f"{unread} cells of the array were never read", remedy="Read the whole die first")
    return siemens


def tune_g_norm(
    transfers: Sequence[Floats],
    biases: Sequence[Floats],
    features: Floats,
    labels: IntArray,
    on_off_siemens: float,
    precision: Precision | None = None,
    g_grid: Floats = G_GRID,
) -> GNormTuning:
    """The normalising conductance, common to all layers, with the highest predicted accuracy.

    Of several equally good points the centre of the widest plateau is taken; of equally wide plateaus the one with
    the smallest margin loss.

    Args:
        transfers: per layer, amps into each line per volt on each input, shape (inputs, 2 * outputs), siemens:
            plain conductances, or what an exact network solution with wire resistance gives.
        biases: per layer, shape (outputs,).
        features: shape (samples, inputs), 0..1: training samples.
        labels: shape (samples,).
        on_off_siemens: one unit of weight, `ArrayMap.on_off_siemens`.
        precision: how finely the hardware applies inputs; its default if None.
        g_grid: points to try, in units of `on_off_siemens`.
    """
    batch = [np.asarray(transfer)[np.newaxis] for transfer in transfers]
    offsets = [np.asarray(bias)[np.newaxis] for bias in biases]
    grid = g_grid * on_off_siemens
    return _tunings(batch, offsets, features, labels, grid, precision)[0]


def select_solution(
    transfers: Sequence[Floats],
    biases: Sequence[Floats],
    features: Floats,
    labels: IntArray,
    on_off_siemens: float,
    precision: Precision | None = None,
    g_grid: Floats = G_GRID,
) -> Selection:
    """Rank K solutions by predicted accuracy, each at its own best normalising conductance; then by margin loss.

    Args:
        transfers: per layer, shape (K, inputs, 2 * outputs): what the die would make of every solution.
        biases: per layer, shape (K, outputs).
        features, labels, on_off_siemens, precision, g_grid: as for `tune_g_norm`; training samples only.
    """
    tunings = _tunings(transfers, biases, features, labels, g_grid * on_off_siemens, precision)
    losses = [tuning.best_margin_loss for tuning in tunings]
    order = np.lexsort((losses, [-tuning.best_accuracy for tuning in tunings]))
    return Selection(np.asarray(order, dtype=np.int64), tunings)


def _layer_plan(name: str, lines: Placement, bits: NDArray[np.int8], biases: Floats) -> LayerPlan:
    if (lines.rows.size, lines.cols.size) != bits.shape:
        raise InputError(
            f"{name} of shape {bits.shape} is placed on {lines.rows.size} rows and {lines.cols.size} columns"
        )
    return LayerPlan(name, lines.rows, lines.cols, bits, biases)


def _tunings(
    transfers: Sequence[Floats],
    biases: Sequence[Floats],
    features: Floats,
    labels: IntArray,
    grid: Floats,
    precision: Precision | None,
) -> tuple[GNormTuning, ...]:
    """Tunings of a batch of solutions, which share the grid."""
    fineness = precision or Precision()
    hits, losses = [], []
    for siemens in grid:
        outputs = matrix_outputs(transfers, biases, features, float(siemens), fineness)
        hits.append(accuracy(outputs, labels))
        losses.append(np.logaddexp(0.0, -_MARGIN_SCALE * margins(outputs, labels)).mean(axis=-1))
    curves = zip(np.stack(hits, axis=1), np.stack(losses, axis=1), strict=True)
    return tuple(GNormTuning(grid, hit, loss, _best_point(hit, loss)) for hit, loss in curves)


def _best_point(hits: Floats, losses: Floats) -> int:
    """Centre of the widest run of the highest accuracy; the smallest loss decides between runs and centres."""
    tops = np.flatnonzero(hits == hits.max())
    runs = np.split(tops, np.flatnonzero(np.diff(tops) > 1) + 1)
    centres = [(-run.size, losses[centre], centre) for run in runs for centre in _centres(run)]
    return int(min(centres)[2])


def _centres(run: IntArray) -> IntArray:
    """The middle point of a run, or both middle points of an even one."""
    return run[(run.size - 1) // 2 : run.size // 2 + 1]
