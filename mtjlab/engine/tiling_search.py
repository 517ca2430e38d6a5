"""Which cells of one die a tiled network takes, so that its defects hurt least: input rows and lines are permuted.

The cost is the squared error that the cells put into the weights, in units of weight, times the mean square of the
input that drives them: a short under an input that is nearly always dark does no harm. Three moves are repeated, each
the best of its kind with everything else left alone (linear assignment): inputs change places in the whole layer, the
inputs of a tile change rows, lines change columns among those where the same inputs are applied and the free ones
beside them. So the cost never rises.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..errors import InputError
from ..nouns import Bools, Floats, Ints
from .placement import StateErrors
from .tiling import LayerTiling, NetworkTiling, Tile
from .tiling_columns import with_columns_exchanged, with_tiles_cut

IntArray = NDArray[np.int64]

_ENOUGH = 1e-3
"""Rounds end when one lowers the cost by less than this part."""


def place_tiling(
    tiling: NetworkTiling,
    errors: StateErrors,
    *,
    bits: Sequence[Ints] | None = None,
    input_powers: Sequence[Floats | None] | None = None,
    rounds: int = 4,
    lines_per_tile: int | None = None,
) -> NetworkTiling:
    """Place a network on one die; never worse than `tiling` by `tiling_cost`. The same die always gives the same.

    Args:
        tiling: where to begin: `plain_tiling`, or an earlier placement.
        errors: of the cells, (kernels, rows, cols): `cell_errors`.
        bits: per layer, (inputs, lines), 0 (AP) or 1 (P): stuck cells then meet bits that they agree with. None while
            the network is not trained yet.
        input_powers: per layer, (inputs,), mean square of each input, those for biases included; None: all alike.
        rounds: at most so many.
        lines_per_tile: tiles are cut to so many lines. Every tile has an order of its own in which inputs sit on its
            rows, so that smaller ones dodge more defects, but each takes a pass of its own when the network runs.
            None: as they are.

    Raises:
        InputError: arrays of another shape than the tiling.
    """
    tasks = _tasks(tiling, errors, bits, input_powers)
    start = with_columns_exchanged(tiling, [task.power for task in tasks], errors.mean)
    if lines_per_tile is not None:
        start = with_tiles_cut(start, lines_per_tile)
    occupied = _occupied(start)
    searches = [_Layer(layer, task, occupied) for layer, task in zip(start.layers, tasks, strict=True)]
    for search in searches:
        search.improve(rounds)
    placed = replace(tiling, layers=tuple(search.tiling() for search in searches))
    return min((tiling, placed), key=lambda each: tiling_cost(each, errors, bits=bits, input_powers=input_powers))


def tiling_cost(
    tiling: NetworkTiling,
    errors: StateErrors,
    *,
    bits: Sequence[Ints] | None = None,
    input_powers: Sequence[Floats | None] | None = None,
) -> float:
    """Cost of a placement, arguments as for `place_tiling`: squared error of all weighted sums together."""
    total = 0.0
    for layer, task in zip(tiling.layers, _tasks(tiling, errors, bits, input_powers), strict=True):
        cells = layer.cells
        wanted = np.where(task.bits == 1, task.errors.in_p[cells], task.errors.in_ap[cells])
        total += float(task.power @ wanted.sum(axis=1))
    return total


@dataclass(frozen=True, eq=False)
class _Task:
    """What a layer wants: `power` (inputs,), `bits` (inputs, lines), and what cells do to it (kernels, rows, cols)."""

    power: Floats
    bits: Floats
    errors: StateErrors

    def costs(self, inputs: IntArray, lines: IntArray, kernel: int, rows: IntArray, cols: IntArray) -> Floats:
        """Cost (inputs, rows) of each input on each row, with line lines[j] in column cols[j]."""
        wanted = self.bits[np.ix_(inputs, lines)]
        cells = np.ix_(rows, cols)
        found = wanted @ self.errors.in_p[kernel][cells].T + (1 - wanted) @ self.errors.in_ap[kernel][cells].T
        return np.asarray(self.power[inputs, np.newaxis] * found)

    def line_costs(self, inputs: IntArray, lines: IntArray, kernel: int, rows: IntArray, cols: IntArray) -> Floats:
        """Cost (lines, cols) of each line in each column, with input inputs[i] on row rows[i]."""
        wanted, power = self.bits[np.ix_(inputs, lines)], self.power[inputs, np.newaxis]
        cells = np.ix_(rows, cols)
        in_p, in_ap = self.errors.in_p[kernel][cells], self.errors.in_ap[kernel][cells]
        return np.asarray((power * wanted).T @ in_p + (power * (1 - wanted)).T @ in_ap)


class _Spot:
    """A tile that is being moved about; `places` are positions in the layer's order of inputs."""

    def __init__(self, tile: Tile) -> None:
        self.kernel = tile.kernel
        self.rows, self.cols, self.places, self.lines = tile.rows, tile.cols, tile.inputs, tile.lines


class _Layer:
    """Search of one layer; `occupied` (kernels, rows, cols) is shared by all layers."""

    def __init__(self, layer: LayerTiling, task: _Task, occupied: Bools) -> None:
        self.layer = layer
        self.task = task
        self.occupied = occupied
        self.order = np.arange(layer.inputs)
        self.spots = [_Spot(tile) for tile in layer.tiles]

    def improve(self, rounds: int) -> None:
        for spot in self.spots:
            self._sort_rows(spot)
        last = np.inf
        for _ in range(rounds):
            self._exchange_inputs()
            for spot in self.spots:
                self._choose_rows(spot)
            for group in self._groups():
                self._choose_columns(group)
            found = self._cost()
            if found >= last * (1 - _ENOUGH):
                break
            last = found

    def tiling(self) -> LayerTiling:
        tiles = [self._tile(spot) for spot in self.spots if spot.lines.size]
        return replace(self.layer, tiles=tuple(tiles))

    def _tile(self, spot: _Spot) -> Tile:
        by_line = np.argsort(spot.lines)
        return Tile(spot.kernel, spot.rows, spot.cols[by_line], self.order[spot.places], spot.lines[by_line])

    def _cost(self) -> float:
        return sum(float(self._costs_in_place(spot).sum()) for spot in self.spots)

    def _costs_in_place(self, spot: _Spot) -> Floats:
        inputs = self.order[spot.places]
        return np.diagonal(self.task.costs(inputs, spot.lines, spot.kernel, spot.rows, spot.cols))

    def _sort_rows(self, spot: _Spot) -> None:
        """Best rows first in every tile, so that the places of good rows are the same in all of them."""
        pool = self._pool(spot)
        cells = np.ix_(pool, spot.cols)
        mean = self.task.errors.mean[spot.kernel][cells].sum(axis=1)
        self._move(spot, pool[np.argsort(mean, kind="stable")[: spot.rows.size]])

    def _exchange_inputs(self) -> None:
        """Each input to its best place in the layer, all tiles that it is in taken together."""
        everyone = np.arange(self.layer.inputs)
        costs = np.zeros((everyone.size, everyone.size))
        for spot in self.spots:
            costs[:, spot.places] += self.task.costs(everyone, spot.lines, spot.kernel, spot.rows, spot.cols)
        inputs, places = linear_sum_assignment(costs)
        self.order = np.empty_like(self.order)
        self.order[places] = inputs

    def _choose_rows(self, spot: _Spot) -> None:
        pool = self._pool(spot)
        costs = self.task.costs(self.order[spot.places], spot.lines, spot.kernel, pool, spot.cols)
        self._move(spot, pool[linear_sum_assignment(costs)[1]])

    def _pool(self, spot: _Spot) -> IntArray:
        """Rows that are its own, or free in all of its columns."""
        is_taken = self.occupied[spot.kernel][:, spot.cols].any(axis=1)
        is_taken[spot.rows] = False
        return np.flatnonzero(~is_taken)

    def _move(self, spot: _Spot, rows: IntArray) -> None:
        self._mark(spot, False)
        spot.rows = rows
        self._mark(spot, True)

    def _mark(self, spot: _Spot, value: bool) -> None:
        self.occupied[spot.kernel][np.ix_(spot.rows, spot.cols)] = value

    def _groups(self) -> list[list[_Spot]]:
        """Spots where the same inputs are applied: lines may change between them."""
        groups: dict[tuple[int, ...], list[_Spot]] = {}
        for spot in self.spots:
            groups.setdefault(tuple(sorted(spot.places.tolist())), []).append(spot)
        return list(groups.values())

    def _choose_columns(self, group: list[_Spot]) -> None:
        lines = np.concatenate([spot.lines for spot in group])
        for spot in group:
            self._mark(spot, False)
        columns = [np.flatnonzero(~self.occupied[spot.kernel][spot.rows].any(axis=0)) for spot in group]
        owners = self._owners(group, columns)
        costs = [
            self.task.line_costs(self.order[spot.places], lines, spot.kernel, spot.rows, cols)
            for spot, cols in zip(group, owners, strict=True)
        ]
        chosen = linear_sum_assignment(np.concatenate(costs, axis=1))[1]
        first = 0
        for spot, cols in zip(group, owners, strict=True):
            here = (chosen >= first) & (chosen < first + cols.size)
            spot.lines, spot.cols = lines[here], cols[chosen[here] - first]
            first += cols.size
            self._mark(spot, True)

    @staticmethod
    def _owners(group: list[_Spot], columns: list[IntArray]) -> list[IntArray]:
        """Columns per spot; where spots of a kernel could both take a free column, it is offered to the first only."""
        offered: set[tuple[int, int]] = {(spot.kernel, int(col)) for spot in group for col in spot.cols}
        found = []
        for spot, cols in zip(group, columns, strict=True):
            fresh = [int(col) for col in cols if (spot.kernel, int(col)) not in offered]
            offered |= {(spot.kernel, col) for col in fresh}
            found.append(np.concatenate([spot.cols, np.array(fresh, dtype=np.int64)]))
        return found


def _tasks(
    tiling: NetworkTiling,
    errors: StateErrors,
    bits: Sequence[Ints] | None,
    input_powers: Sequence[Floats | None] | None,
) -> list[_Task]:
    shape = (tiling.kernels, *tiling.kernel_shape)
    if errors.in_p.shape != shape:
        raise InputError(f"errors of cells {errors.in_p.shape} for a tiling on {shape}")
    powers = input_powers or [None] * len(tiling.layers)
    if len(powers) != len(tiling.layers) or (bits is not None and len(bits) != len(tiling.layers)):
        raise InputError(f"give bits and input powers for all {len(tiling.layers)} layers")
    if bits is None:  # either state is as likely
        errors = StateErrors(errors.mean, errors.mean)
        bits = [np.zeros((layer.inputs, layer.lines), dtype=np.int8) for layer in tiling.layers]
    tasks = [
        _Task(_power(power, layer), np.asarray(layer_bits, dtype=np.float64), errors)
        for layer, power, layer_bits in zip(tiling.layers, powers, bits, strict=True)
    ]
    for layer, task in zip(tiling.layers, tasks, strict=True):
        if task.bits.shape != (layer.inputs, layer.lines):
            raise InputError(f"bits {task.bits.shape} for a layer of {layer.inputs} inputs and {layer.lines} lines")
    return tasks


def _power(power: Floats | None, layer: LayerTiling) -> Floats:
    found = np.ones(layer.inputs) if power is None else np.asarray(power, dtype=np.float64)
    if found.shape != (layer.inputs,) or not (found >= 0).all():
        raise InputError(f"input powers {found.shape} for a layer of {layer.inputs} inputs; none may be negative")
    return found


def _occupied(tiling: NetworkTiling) -> Bools:
    found = np.zeros((tiling.kernels, *tiling.kernel_shape), dtype=bool)
    for layer in tiling.layers:
        found[layer.cells] = True
    return found
