"""Maps of many dies, each of one or several arrays (kernels), as arrays whose leading axes are die and kernel.

Nothing is lost on the way from the maps: shorts and opens keep what was measured, nothing is clamped, what was never
measured stays NaN.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .engine.placement import CellPair, reachable_cells
from .errors import InputError
from .nouns import ArrayMap, Bools, CellStatus, Conditions, DieId, Floats, Ints

IntArray = NDArray[np.int64]

MAP_ARRAYS = ("siemens", "siemens_p", "siemens_ap", "sigma", "state", "status")
"""Arrays of an ArrayMap, in the order in which files list them."""


@dataclass(frozen=True, eq=False)
class DieMaps:
    """Maps of dies.

    Attributes:
        siemens, siemens_p, siemens_ap, sigma: shape (dies, kernels, rows, cols), siemens, as in an ArrayMap.
        state, status: of the same shape, `State` and `CellStatus`.
        dies: one per die.
        conditions, provenance: per die, one per kernel.
        is_partial: shape (dies, kernels), whether a measurement was stopped before the array was covered.
    """

    siemens: Floats
    siemens_p: Floats
    siemens_ap: Floats
    sigma: Floats
    state: Ints
    status: Ints
    dies: tuple[DieId, ...]
    conditions: tuple[tuple[Conditions, ...], ...]
    provenance: tuple[tuple[dict[str, Any], ...], ...]
    is_partial: Bools

    def __post_init__(self) -> None:
        shapes = {name: getattr(self, name).shape for name in MAP_ARRAYS}
        if len(set(shapes.values())) != 1 or self.siemens.ndim != 4:
            raise InputError(f"arrays of maps must share one (die, kernel, row, col) shape, got {shapes}")
        counts = {len(self.conditions), len(self.provenance), len(self.dies), len(self.siemens), len(self.is_partial)}
        if counts != {len(self.dies)}:
            raise InputError(
                f"{len(self.siemens)} dies of maps, but {len(self.dies)} die ids and other counts {counts}"
            )
        kernels = {len(row) for row in (*self.conditions, *self.provenance, *self.is_partial)} | {self.kernels}
        if len(kernels) != 1:
            raise InputError(f"dies of {self.kernels} kernels, but conditions or provenance for {sorted(kernels)}")

    @classmethod
    def of(cls, maps: Sequence[ArrayMap | Sequence[ArrayMap]]) -> DieMaps:
        """Collect maps.

        Args:
            maps: one ArrayMap per die, or per die a list of ArrayMaps, one per kernel.

        Raises:
            InputError: there are none; their shapes differ; dies have different numbers of kernels; maps of one die
                carry different die ids.
        """
        dies = [[entry] if isinstance(entry, ArrayMap) else list(entry) for entry in maps]
        _require_alike(dies)
        arrays = {name: np.array([[getattr(each, name) for each in die] for die in dies]) for name in MAP_ARRAYS}
        return cls(
            **arrays,
            dies=tuple(die[0].die for die in dies),
            conditions=tuple(tuple(each.conditions for each in die) for die in dies),
            provenance=tuple(tuple(each.provenance for each in die) for die in dies),
            is_partial=np.array([[each.is_partial for each in die] for die in dies]),
        )

    @classmethod
    def joined(cls, parts: Sequence[DieMaps]) -> DieMaps:
        """One collection of several, dies in their order. Raises InputError if their shapes differ."""
        return cls.of([part.maps_of(die) for part in parts for die in range(len(part))])

    def __len__(self) -> int:
        return len(self.dies)

    def __getitem__(self, die: int) -> DieMaps:
        """One die, as a collection of one."""
        return self.select([die])

    def __iter__(self) -> Iterator[DieMaps]:
        return (self.select([die]) for die in range(len(self)))

    @property
    def kernels(self) -> int:
        """Arrays per die."""
        return int(self.siemens.shape[1])

    @property
    def kernel_shape(self) -> tuple[int, int]:
        """(rows, cols) of an array."""
        rows, cols = self.siemens.shape[2:]
        return int(rows), int(cols)

    def select(self, dies: Sequence[int] | IntArray | Bools) -> DieMaps:
        """Some of the dies, by number or by a mask of all of them, in the order given."""
        chosen = np.arange(len(self))[np.asarray(dies)]
        picked: dict[str, Any] = {}
        for each in fields(self):
            values = getattr(self, each.name)
            picked[each.name] = tuple(values[k] for k in chosen) if isinstance(values, tuple) else values[chosen]
        return DieMaps(**picked)

    def map_of(self, die: int, kernel: int = 0) -> ArrayMap:
        """The ArrayMap that was put in, with arrays of its own."""
        return ArrayMap(
            **{name: getattr(self, name)[die, kernel].copy() for name in MAP_ARRAYS},
            conditions=self.conditions[die][kernel],
            die=self.dies[die],
            provenance=self.provenance[die][kernel],
            is_partial=bool(self.is_partial[die, kernel]),
        )

    def maps_of(self, die: int) -> list[ArrayMap]:
        """The maps of all kernels of a die."""
        return [self.map_of(die, kernel) for kernel in range(self.kernels)]

    def reachable(self) -> CellPair:
        """What every cell can be, each (dies, kernels, rows, cols), siemens; NaN where it is not known."""
        return reachable_cells(self.siemens, self.siemens_ap, self.siemens_p, self.status)

    def at(self, name: str, index: tuple[IntArray, IntArray, IntArray]) -> NDArray[Any]:
        """One of the arrays (`MAP_ARRAYS`: "sigma", "status" ...) under a layer on every die: (dies, inputs, lines)."""
        if name not in MAP_ARRAYS:
            raise InputError(f"maps have no array {name!r}", remedy=f"Choose one of {', '.join(MAP_ARRAYS)}")
        return np.ascontiguousarray(getattr(self, name)[:, index[0], index[1], index[2]])

    def cells(self, index: tuple[IntArray, IntArray, IntArray]) -> CellPair:
        """What the cells under a layer can be on every die: (dies, inputs, lines), siemens; NaN where it is not known.

        Args:
            index: (kernel, row, col), each (inputs, lines): the `cells` of a layer of a NetworkTiling.
        """
        ap, p = self.reachable()
        return CellPair(*(np.ascontiguousarray(siemens[:, index[0], index[1], index[2]]) for siemens in (ap, p)))

    def known_cells(self, index: tuple[IntArray, IntArray, IntArray]) -> CellPair:
        """As `cells`, for an engine that needs numbers. Raises InputError naming the dies with unknown cells."""
        pair = self.cells(index)
        unknown = (~np.isfinite(pair.siemens_ap) | ~np.isfinite(pair.siemens_p)).sum(axis=(1, 2))
        if unknown.any():
            lacking = [f"{_name(self.dies[k])} ({unknown[k]})" for k in np.flatnonzero(unknown)]
            raise InputError(
                f"cells under the layer have no known conductance on {len(lacking)} of {len(self)} dies: "
                + ", ".join(lacking[:8]),
                remedy="Read these dies in both states, leave them out with `select`, or place the layer elsewhere",
            )
        return pair

    def on_off_siemens(self) -> Floats:
        """Median G_P - G_AP of the healthy cells of each die, shape (dies,): what one unit of weight is worth.

        Raises InputError naming the dies without a healthy cell.
        """
        good = (self.status == CellStatus.OK) & np.isfinite(self.siemens_p) & np.isfinite(self.siemens_ap)
        empty = [_name(self.dies[k]) for k in np.flatnonzero(~good.any(axis=(1, 2, 3)))]
        if empty:
            raise InputError(
                f"no healthy cell on {len(empty)} of {len(self)} dies: {', '.join(empty[:8])}",
                remedy="Check contact and wiring and read them again, or leave them out with `select`",
            )
        swings = self.siemens_p - self.siemens_ap
        return np.array([np.median(swings[k][good[k]]) for k in range(len(self))])

    def defect_counts(self) -> dict[str, IntArray]:
        """Number of cells on each die, shape (dies,), per status that is neither OK nor UNREAD, by lower-case name."""
        skip = (CellStatus.OK, CellStatus.UNREAD)
        return {s.name.lower(): (self.status == s).sum(axis=(1, 2, 3)) for s in CellStatus if s not in skip}


def _name(die: DieId) -> str:
    return f"{die.wafer or 'die'} ({die.x}, {die.y})"


def _require_alike(dies: list[list[ArrayMap]]) -> None:
    if not dies or not dies[0]:
        raise InputError("no maps to collect", remedy="Give at least one map")
    shapes = sorted({each.shape for die in dies for each in die})
    if len(shapes) > 1:
        raise InputError(f"maps of different shapes: {shapes}", remedy="Collect arrays of one size at a time")
    counts = sorted({len(die) for die in dies})
    if len(counts) > 1:
        raise InputError(f"dies with different numbers of kernels: {counts}", remedy="Leave out unfinished dies")
    mixed = [die for die in dies if len({each.die for each in die}) > 1]
    if mixed:
        raise InputError(f"maps of one die carry different die ids: {sorted({_name(m.die) for m in mixed[0]})}")
