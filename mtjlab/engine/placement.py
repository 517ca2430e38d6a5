"""Where a layer sits on an array: which lines serve it, so that the defects of the die hurt least.

The cost of a cell is the mean squared error, in units of weight, that it puts into the layer: a short counts
hundreds of times a stuck cell. A short also loads the lines it touches while the layer does not use it, so used
lines pay a small part of the shorts that lie beside the layer.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ..errors import InputError
from ..nouns import ArrayMap, CellStatus, Floats, Ints, State

IntArray = NDArray[np.int64]

_LOADING = 1e-3
"""Part of its cost that a short beside the layer passes on to a used line: wire drops, a column's amplifier."""

_UNREAD_COST = 400.0
"""An unread cell may be a short (20 times G_AP is 19 units of weight off)."""

_UNRULY = (CellStatus.UNSTABLE, CellStatus.UNWRITTEN, CellStatus.DISTURBED, CellStatus.LINE_SHORT)
_UNRULY_COST = 0.5
"""A cell that is in the wrong state half of the time is off by one unit of weight half of the time."""

_FIXED = (CellStatus.SHORT, CellStatus.OPEN, CellStatus.STUCK_P, CellStatus.STUCK_AP, CellStatus.LINE_OPEN)
"""Cells whose conductance does not depend on the state that is asked for."""

_EXHAUSTIVE = 20_000
"""Choices of lines up to which all are tried; 15 x 15 lies below, larger arrays are improved step by step."""


class Placement(NamedTuple):
    """Lines of a layer, as a `LayerPlan` wants them.

    `rows`: shape (inputs,), row of each input. `cols`: shape (2 * outputs,), columns plus, minus, plus, minus ...
    """

    rows: IntArray
    cols: IntArray


class CellPair(NamedTuple):
    """What cells can be: their conductance in either state, siemens, both of one shape.

    A cell that cannot switch has the same value in both.
    """

    siemens_ap: Floats
    siemens_p: Floats


class StateErrors(NamedTuple):
    """Squared error in units of weight of every cell of an array that should be AP, and that should be P."""

    in_ap: Floats
    in_p: Floats

    @property
    def mean(self) -> Floats:
        """Of a cell whose bit is not known yet."""
        return np.asarray((self.in_ap + self.in_p) / 2)


def reachable_siemens(array_map: ArrayMap) -> CellPair:
    """Conductances every cell of an array can really take, shape (rows, cols); NaN where not measured.

    Stuck cells have their one state's conductance in both; shorts and opens keep what was measured. What is missing
    of such a cell is taken from its last reading.
    """
    return reachable_cells(array_map.siemens, array_map.siemens_ap, array_map.siemens_p, array_map.status)


def reachable_cells(siemens: Floats, siemens_ap: Floats, siemens_p: Floats, status: Ints) -> CellPair:
    """The same for arrays of any shape: as last read, in AP and in P, siemens, and `CellStatus`."""
    ap, p = siemens_ap.copy(), siemens_p.copy()
    for stuck_status, own, other in ((CellStatus.STUCK_P, p, ap), (CellStatus.STUCK_AP, ap, p)):
        stuck = status == stuck_status
        only = np.where(np.isnan(own), other, own)
        own[stuck] = other[stuck] = only[stuck]
    fixed = np.isin(status, _FIXED)
    ap, p = (np.where(fixed & np.isnan(known), siemens, known) for known in (ap, p))
    return CellPair(ap, p)


def state_errors(array_map: ArrayMap) -> StateErrors:
    """How far each cell is from the die's median AP and P conductance, squared, in units of weight.

    Raises:
        InputError: the map has no healthy cell.
    """
    return cell_errors(reachable_siemens(array_map), array_map.status)


def cell_errors(reachable: CellPair, status: Ints) -> StateErrors:
    """The same for the cells of one die, arrays of any shape.

    Args:
        reachable: what the cells can be, siemens.
        status: `CellStatus` of the cells.

    Raises:
        InputError: there is no healthy cell.
    """
    ap, p = reachable
    good = (status == CellStatus.OK) & np.isfinite(ap) & np.isfinite(p)
    if not good.any():
        raise InputError("the die has no healthy cell", remedy="Check contact and wiring, then read the die again")
    weight = float(np.median(p[good] - ap[good]))
    extra = _UNRULY_COST * np.isin(status, _UNRULY)
    return StateErrors(
        extra + _squared_error(ap, float(np.median(ap[good])), weight),
        extra + _squared_error(p, float(np.median(p[good])), weight),
    )


def place_first(inputs: int, outputs: int, shape: tuple[int, int]) -> Placement:
    """The first rows and columns, whatever their cells are like.

    Raises:
        InputError: the layer does not fit.
    """
    _require_fit(inputs, outputs, shape)
    return Placement(np.arange(inputs), np.arange(2 * outputs))


def place(inputs: int, outputs: int, array_map: ArrayMap) -> Placement:
    """The lines on which defects hurt least, columns of similar conductance swing paired; the bits need not be known.

    The same map always gives the same placement. Lines are in ascending order within the array where nothing
    speaks against it.

    Raises:
        InputError: the layer does not fit, or the map has no healthy cell.
    """
    _require_fit(inputs, outputs, array_map.shape)
    cost = state_errors(array_map).mean
    shorts = np.where(_is_suspect(array_map), cost, 0.0)
    rows, cols = _choose_lines(cost, shorts, inputs, 2 * outputs)
    return Placement(rows, _paired(cols, _column_swing(array_map, rows)))


def fit_to_bits(
    bits: Ints, array_map: ArrayMap, *, start: Placement | None = None, restarts: int = 4, seed: int = 0
) -> Placement:
    """The placement on which these bits come out best: stuck cells meet bits that they agree with.

    Rows and columns are assigned in turn, each time optimally (linear assignment), until nothing improves; from
    `start` (default: `place`) and from random permutations of its lines. Never worse than `start` by the cost
    described above.

    Args:
        bits: shape (inputs, 2 * outputs), 0 (AP) or 1 (P).
        start: where to begin.
        restarts: random beginnings besides `start`.
        seed: of these.

    Raises:
        InputError: as `place`.
    """
    inputs, lines = bits.shape
    start = start or place(inputs, lines // 2, array_map)
    _require_fit(inputs, lines // 2, array_map.shape)
    rng = np.random.default_rng(seed)
    starts = [start] + [Placement(rng.permutation(start.rows), rng.permutation(start.cols)) for _ in range(restarts)]
    search = _Search(bits, array_map)
    return min((search.improved(beginning) for beginning in starts), key=search.cost)


class _Search:
    """Cost and improvement of placements of one layer with known bits."""

    def __init__(self, bits: Ints, array_map: ArrayMap) -> None:
        self.bits = (bits == State.P).astype(np.float64)
        self.errors = state_errors(array_map)
        self.loading = _LOADING * np.where(_is_suspect(array_map), self.errors.mean, 0.0)

    def cost(self, placement: Placement) -> float:
        rows, cols = placement
        cells = np.ix_(rows, cols)
        wanted = np.where(self.bits == 1, self.errors.in_p[cells], self.errors.in_ap[cells])
        beside = self.loading[rows].sum() + self.loading[:, cols].sum() - 2 * self.loading[cells].sum()
        return float(wanted.sum() + beside)

    def improved(self, placement: Placement) -> Placement:
        candidate = self._reassigned(placement)
        while self.cost(candidate) < self.cost(placement) * (1 - 1e-9):
            placement, candidate = candidate, self._reassigned(candidate)
        return placement

    def _reassigned(self, placement: Placement) -> Placement:
        rows = _assigned(self.bits, self.errors, self.loading, placement.cols)
        flipped = StateErrors(self.errors.in_ap.T, self.errors.in_p.T)
        return Placement(rows, _assigned(self.bits.T, flipped, self.loading.T, rows))


def _assigned(bits: Floats, errors: StateErrors, loading: Floats, cols: IntArray) -> IntArray:
    """Best row of every input, the columns being given (for columns: everything transposed)."""
    wanted = bits @ errors.in_p[:, cols].T + (1 - bits) @ errors.in_ap[:, cols].T
    inside = loading[:, cols].sum(axis=1)
    beside = loading.sum(axis=1) - inside
    return np.asarray(linear_sum_assignment(wanted + beside - inside)[1], dtype=np.int64)


def _choose_lines(cost: Floats, shorts: Floats, rows: int, cols: int) -> tuple[IntArray, IntArray]:
    """Rows and columns, ascending, of the block with the least cost."""
    if comb(cost.shape[0], rows) <= _EXHAUSTIVE:
        return _best_of_all(cost, shorts, rows, cols)
    if comb(cost.shape[1], cols) <= _EXHAUSTIVE:
        chosen_cols, chosen_rows = _best_of_all(cost.T, shorts.T, cols, rows)
        return chosen_rows, chosen_cols
    return _improved_by_turns(cost, shorts, rows, cols)


def _best_of_all(cost: Floats, shorts: Floats, rows: int, cols: int) -> tuple[IntArray, IntArray]:
    """Exact: given the rows, every column has a price of its own."""
    choices = np.array(list(combinations(range(cost.shape[0]), rows)))
    chosen = np.zeros((len(choices), cost.shape[0]))
    np.put_along_axis(chosen, choices, 1.0, axis=1)
    prices = _prices(chosen, cost, shorts)
    totals = np.sort(prices, axis=1)[:, :cols].sum(axis=1) + _LOADING * (chosen @ shorts).sum(axis=1)
    best = int(totals.argmin())
    return choices[best], _cheapest(prices[best], cols)


def _improved_by_turns(cost: Floats, shorts: Floats, rows: int, cols: int) -> tuple[IntArray, IntArray]:
    """Rows and columns chosen in turn from a greedy start, until they repeat; a good block, not surely the best."""
    chosen_rows, chosen_cols = _peeled(cost, rows, cols)
    for _ in range(20):
        before = chosen_rows
        chosen_cols = _cheapest(_prices(_mask(chosen_rows, cost.shape[0]), cost, shorts), cols)
        chosen_rows = _cheapest(_prices(_mask(chosen_cols, cost.shape[1]), cost.T, shorts.T), rows)
        if np.array_equal(before, chosen_rows):
            break
    return chosen_rows, chosen_cols


def _peeled(cost: Floats, rows: int, cols: int) -> tuple[IntArray, IntArray]:
    """Lines left when the worst line is dropped again and again until the block has its size."""
    kept_rows, kept_cols = np.arange(cost.shape[0]), np.arange(cost.shape[1])
    while kept_rows.size > rows or kept_cols.size > cols:
        block = cost[np.ix_(kept_rows, kept_cols)]
        row_means = block.mean(axis=1) if kept_rows.size > rows else np.full(1, -np.inf)
        col_means = block.mean(axis=0) if kept_cols.size > cols else np.full(1, -np.inf)
        if row_means.max() >= col_means.max():
            kept_rows = np.delete(kept_rows, row_means.argmax())
        else:
            kept_cols = np.delete(kept_cols, col_means.argmax())
    return kept_rows, kept_cols


def _prices(chosen: Floats, cost: Floats, shorts: Floats) -> Floats:
    """What using each column costs more than leaving it, for rows chosen (1) or not (0), shape (..., rows)."""
    return np.asarray(chosen @ cost + _LOADING * ((1 - chosen) @ shorts - chosen @ shorts))


def _cheapest(prices: Floats, count: int) -> IntArray:
    return np.sort(np.argsort(prices, kind="stable")[:count])


def _mask(lines: IntArray, count: int) -> Floats:
    mask = np.zeros(count)
    mask[lines] = 1.0
    return mask


def _column_swing(array_map: ArrayMap, rows: IntArray) -> Floats:
    """Mean G_P - G_AP of the cells of every column on these rows; cells that do not switch count as zero."""
    ap, p = reachable_siemens(array_map)
    return np.asarray(np.nan_to_num(p - ap)[rows].mean(axis=0))


def _paired(cols: IntArray, swing: Floats) -> IntArray:
    """Columns in pairs of similar swing (neighbours once sorted), the pairs in ascending order of their columns."""
    by_swing = cols[np.argsort(swing[cols], kind="stable")]
    pairs = np.sort(by_swing.reshape(-1, 2), axis=1)
    return np.asarray(pairs[np.argsort(pairs[:, 0])].ravel())


def _squared_error(siemens: Floats, typical: float, weight: float) -> Floats:
    error = ((siemens - typical) / weight) ** 2
    return np.asarray(np.where(np.isnan(error), _UNREAD_COST, error))


def _is_suspect(array_map: ArrayMap) -> NDArray[np.bool_]:
    return np.isin(array_map.status, (CellStatus.SHORT, CellStatus.LINE_SHORT, CellStatus.UNREAD))


def _require_fit(inputs: int, outputs: int, shape: tuple[int, int]) -> None:
    if inputs > shape[0] or 2 * outputs > shape[1]:
        raise InputError(
            f"the layer needs {inputs} rows and {2 * outputs} columns, the array has {shape[0]} and {shape[1]}",
            remedy="Use a larger array or a smaller layer",
        )
