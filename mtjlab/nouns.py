"""The few types that everything in mtjlab speaks in: sites, lines, pulses, readings, maps, plans."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .short_words import in_short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = NDArray[np.float64]
Ints = NDArray[np.int8]
Bools = NDArray[np.bool_]

Progress = Callable[[str, int, int], None]
"""Called when a stage of a protocol begins and after each of its units: what it does, units done, units in all."""


def unheard(what: str, done: int, total: int) -> None:
    """The Progress that nobody listens to."""
    del what, done, total


FLOATING = float("nan")
"""The level of a line that nothing drives."""

_MAP_FORMAT = "mtjlab.ArrayMap/1"
_MAP_ARRAYS = ("siemens", "siemens_p", "siemens_ap", "state", "status", "sigma")


class State(IntEnum):
    """Magnetic state of a junction; the number is the binary weight it stands for."""

    UNKNOWN = -1
    AP = 0
    P = 1


class CellStatus(IntEnum):
    """What is known of a cell. An array of these is the defect map."""

    UNREAD = 0
    OK = 1
    SHORT = 2
    OPEN = 3
    STUCK_P = 4
    STUCK_AP = 5
    UNSTABLE = 6
    UNWRITTEN = 7
    """A healthy cell that refused its target within the allowed amplitude and number of pulses."""
    LOW_TMR = 8
    """It switches, but its two states are closer than those of its neighbours by far."""
    DISTURBED = 9
    """Half of a write amplitude is enough to switch it."""
    LINE_OPEN = 10
    """Its row or column is broken before it, or does not reach it."""
    LINE_SHORT = 11
    """Its row or column touches another one."""


class Site(NamedTuple):
    """One cell of an array."""

    row: int
    col: int


class DieId(NamedTuple):
    """One die of a wafer; x and y belong to the prober's coordinates."""

    wafer: str
    x: int
    y: int


NO_DIE = DieId("", 0, 0)


class Line(NamedTuple):
    """One line of an array: `axis` is "row" (word line) or "col" (bit line)."""

    axis: str
    number: int


@dataclass(frozen=True, eq=False)
class Lines:
    """Levels of every line of an array.

    Attributes:
        row_volts: shape (rows,), volts; `FLOATING` (NaN) where the line is left open.
        col_volts: shape (cols,), volts; likewise.
    """

    row_volts: Floats
    col_volts: Floats

    def __post_init__(self) -> None:
        for name in ("row_volts", "col_volts"):  # integers would cut the levels that are put in later
            object.__setattr__(self, name, np.array(getattr(self, name), dtype=np.float64))

    @classmethod
    def grounded(cls, rows: int, cols: int) -> Lines:
        """All lines at 0 V."""
        return cls(np.zeros(rows), np.zeros(cols))

    @classmethod
    def selecting(cls, shape: tuple[int, int], site: Site, volts: float, unselected: float) -> Lines:
        """The site's row at `volts`, its column at 0 V, every other line at `unselected`."""
        row_volts, col_volts = np.full(shape[0], float(unselected)), np.full(shape[1], float(unselected))
        row_volts[site.row] = volts
        col_volts[site.col] = 0.0
        return cls(row_volts, col_volts)

    @property
    def cell_volts_bounds(self) -> tuple[float, float]:
        """Most negative and most positive voltage any cell can see, whatever the wires and cells are.

        A line that floats can be anywhere between the lowest and the highest level that is driven (maximum principle of
        resistive networks). (0, 0) if fewer than two lines are driven.
        """
        driven = np.concatenate([self.row_volts, self.col_volts])
        driven = driven[~np.isnan(driven)]
        if driven.size < 2:
            return 0.0, 0.0
        (row_low, row_high), (col_low, col_high) = (_extremes(v, driven) for v in (self.row_volts, self.col_volts))
        return float(min(row_low - col_high, 0.0)), float(max(row_high - col_low, 0.0))

    @property
    def largest_cell_volts(self) -> float:
        """Largest magnitude of `cell_volts_bounds`."""
        low, high = self.cell_volts_bounds
        return max(-low, high)


def _extremes(volts: Floats, driven: Floats) -> tuple[float, float]:
    own = driven if np.isnan(volts).any() else volts
    return float(own.min()), float(own.max())


@dataclass(frozen=True)
class Pulse:
    """A rectangular voltage pulse across a cell; positive means the row is above the column."""

    volts: float
    seconds: float


@dataclass(frozen=True)
class Reading:
    """What one terminal reported: volts sourced, amps measured, and whether it was limiting or off scale."""

    volts: float
    amps: float
    in_compliance: bool = False
    is_overflow: bool = False

    @property
    def siemens(self) -> float:
        """Conductance from the reading alone; NaN at 0 V."""
        return self.amps / self.volts if self.volts else float("nan")


@dataclass(frozen=True)
class Cost:
    """What a protocol spent. `bench_seconds` comes from the Crossbar's clock."""

    pulses: int = 0
    readings: int = 0
    bench_seconds: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.pulses + other.pulses,
            self.readings + other.readings,
            self.bench_seconds + other.bench_seconds,
        )

    def __sub__(self, other: Cost) -> Cost:
        return Cost(
            self.pulses - other.pulses,
            self.readings - other.readings,
            self.bench_seconds - other.bench_seconds,
        )


@dataclass(frozen=True)
class Conditions:
    """Under which conditions a map was measured.

    Attributes:
        read_volts: bias of the selected cell, volts.
        scheme: what the unselected lines did: "grounded", "floating", "V/2", "V/3".
        kelvin: temperature, if known.
        segment_ohms, line_ohms: wire resistance per segment and (mean) series resistance per line that were measured
            and *removed* from the conductances; None where the conductances still contain them.
        tesla: magnetic field along the junctions' axis, if known.
        polarities: 2 where every cell was read at both, 1 otherwise.
        is_four_wire: whether levels were regulated at sense terminals.
    """

    read_volts: float
    scheme: str = "grounded"
    kelvin: float | None = None
    segment_ohms: float | None = None
    line_ohms: float | None = None
    tesla: float | None = None
    polarities: int = 1
    is_four_wire: bool = False


@dataclass(frozen=True, eq=False)
class ArrayMap:
    """Conductances of an array, axis order (row, col), SI units.

    Attributes:
        siemens: conductance as last read, whatever the state; NaN where not read.
        siemens_p, siemens_ap: conductance in the parallel and antiparallel state; NaN where not measured. Shorts
            and opens keep their measured value in both.
        state: `State` per cell as last read.
        status: `CellStatus` per cell: the defect map.
        sigma: standard uncertainty of the conductances, siemens.
        conditions: how they were measured.
        provenance: plain values (str, int, float, bool) that lead back to bench, die and software.
        is_partial: whether the measurement was stopped before the whole array was covered.
    """

    siemens: Floats
    siemens_p: Floats
    siemens_ap: Floats
    state: Ints
    status: Ints
    sigma: Floats
    conditions: Conditions
    die: DieId = NO_DIE
    provenance: dict[str, Any] = field(default_factory=dict)
    is_partial: bool = False

    def __post_init__(self) -> None:
        shapes = {a.shape for a in (self.siemens, self.siemens_p, self.siemens_ap, self.state, self.status, self.sigma)}
        if len(shapes) != 1 or self.siemens_p.ndim != 2:
            raise InputError(f"the arrays of an ArrayMap must share one (row, col) shape, got {sorted(shapes)}")

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, cols)."""
        rows, cols = self.siemens_p.shape
        return rows, cols

    @property
    def on_off_siemens(self) -> float:
        """Median of G_P - G_AP over the healthy cells: the conductance one unit of weight is worth."""
        good = self.status == CellStatus.OK
        if not good.any():
            raise InputError("the map has no healthy cell", remedy="Check contact and wiring, then read the die again")
        return float(np.median(self.siemens_p[good] - self.siemens_ap[good]))

    def __repr__(self) -> str:
        """Die, shape, medians, defects and conditions in one line."""
        from .map_words import map_line

        return map_line(self)

    def _repr_html_(self) -> str:
        """What a notebook shows: the same as a table, with a picture of the cells."""
        from .map_words import map_html

        return map_html(self)

    def plot(self, quantity: str | None = None, *, axes: Axes | None = None) -> Axes:
        """Draw every cell in colour (matplotlib); see `mtjlab.map_plot.QUANTITIES` for what can be drawn."""
        from .map_plot import plot_map

        return plot_map(self, quantity, axes=axes)

    def defect_counts(self) -> dict[str, int]:
        """Number of cells per status that is neither OK nor UNREAD, by lower-case name."""
        skip = (CellStatus.OK, CellStatus.UNREAD)
        return {s.name.lower(): int((self.status == s).sum()) for s in CellStatus if s not in skip}

    def save(self, path: Path) -> Path:
        """Write one .npz without pickled objects: named arrays and a JSON header under "header"; returns its path."""
        path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
        header = {
            "format": _MAP_FORMAT,
            "conditions": vars(self.conditions),
            "die": list(self.die),
            "provenance": self.provenance,
            "is_partial": self.is_partial,
        }
        arrays = {name: getattr(self, name) for name in _MAP_ARRAYS}
        with path.open("wb") as file:
            np.savez_compressed(file, header=np.array(json.dumps(header)), **arrays)
        return path

    @classmethod
    def load(cls, path: Path) -> ArrayMap:
        """Read what `save` wrote; raises InputError for anything else."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                header = json.loads(str(stored["header"]))
                arrays = {name: stored[name] for name in _MAP_ARRAYS}
        except (OSError, ValueError, KeyError, EOFError, TypeError, BadZipFile, zlib.error) as error:
            raise InputError(
                f"not an array map ({error})", where=str(path), remedy="Give a .npz file that mtjlab wrote"
            ) from error
        if header.get("format") != _MAP_FORMAT:
            raise InputError(f"unknown map format {header.get('format')!r}", where=str(path))
        try:
            return cls(
                **arrays,
                conditions=Conditions(**header["conditions"]),
                die=DieId(*header["die"]),
                provenance=header["provenance"],
                is_partial=header["is_partial"],
            )
        except (KeyError, TypeError) as error:
            raise InputError(f"its header does not fit ({error})", where=str(path)) from error


@dataclass(frozen=True, eq=False)
class LayerPlan:
    """Where one layer of a network sits on an array.

    Input i drives row `rows[i]`; output k is I[cols[2k]] - I[cols[2k + 1]].

    Attributes:
        name: of the layer.
        rows: shape (inputs,), physical row of each input.
        cols: shape (2 * outputs,), physical columns in differential pairs (plus, minus, plus, minus ...).
        bits: shape (inputs, 2 * outputs), wanted `State` (0 AP, 1 P) of the cell (rows[i], cols[j]).
        biases: shape (outputs,), kept in software.
    """

    __repr__ = in_short

    name: str
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]
    bits: Ints
    biases: Floats

    def target(self, shape: tuple[int, int]) -> Ints:
        """Wanted state of every cell of an array of this shape; `State.UNKNOWN` where it does not matter."""
        wanted = np.full(shape, State.UNKNOWN, dtype=np.int8)
        wanted[np.ix_(self.rows, self.cols)] = self.bits
        return wanted


@dataclass(frozen=True, eq=False)
class WeightPlan:
    """Which cell holds which part of which layer; layers that share the array are written one after the other."""

    layers: tuple[LayerPlan, ...]


@dataclass(frozen=True, eq=False)
class LayerTile:
    """The part of a layer that one array holds.

    Attributes:
        array: which of the arrays (kernels) that the network is spread over: an index into that list.
        inputs: shape (tile inputs,): input `inputs[i]` of the layer drives row `plan.rows[i]` of that array.
        outputs: shape (tile outputs,): what column pair k gives is added to output `outputs[k]` of the layer.
        plan: rows, cols and bits on that array; its biases are zeros, they belong to the layer.
        single_lines: shape (columns,), line of the layer in each column, where a tile does not hold whole pairs: the
            two lines of a pair may lie in different arrays. `outputs` is empty then.
    """

    __repr__ = in_short

    array: int
    inputs: NDArray[np.int64]
    outputs: NDArray[np.int64]
    plan: LayerPlan
    single_lines: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.plan.bits.shape != (self.inputs.size, self.lines.size):
            raise InputError(
                f"a tile of {self.plan.name} has bits {self.plan.bits.shape}, "
                f"but {self.inputs.size} inputs and {self.lines.size} lines"
            )
        if self.array < 0 or np.any(self.plan.biases):
            raise InputError(
                f"a tile of {self.plan.name} lies on array {self.array} and has biases of its own",
                remedy="Number the arrays from 0; give the biases to the layer",
            )

    @property
    def lines(self) -> NDArray[np.int64]:
        """Line of the layer in each column: 2k and 2k + 1 are plus and minus of output k."""
        if self.single_lines is not None:
            return self.single_lines
        return np.stack([2 * self.outputs, 2 * self.outputs + 1], axis=1).ravel()


@dataclass(frozen=True)
class LimitedParts:
    """Sums that are put together from parts cut one by one, so that a short adds no more than the limits.

    Attributes:
        inputs: consecutive inputs whose currents make one part.
        limit_siemens: what a part's plus less minus is cut to, of either sign; current over read voltage.
    """

    inputs: int
    limit_siemens: float

    def __post_init__(self) -> None:
        if self.inputs < 1 or not self.limit_siemens > 0:
            raise InputError(f"parts of {self.inputs} inputs with a limit of {self.limit_siemens} S make no sense")


@dataclass(frozen=True, eq=False)
class TiledLayerPlan:
    """A layer spread over tiles; what tiles of the same lines give is added up digitally.

    Every pair of an input and a line is in exactly one tile.

    Attributes:
        name: of the layer.
        tiles: in any order, on one or several arrays.
        biases: shape (outputs,), added in software, in units of the pre-activation.
        bias_inputs: how many of the inputs, the last ones, are not fed from outside but held at full scale: the cells
            under them are bias devices.
        has_reference: lines are one per output, then a reference in P and one in AP whose mean is taken off every
            output, instead of pairs.
        pairs_per_output: neighbouring pairs of lines whose differences are added.
        parts: limits on the parts of every pair's sum; None for none. No tile has inputs of two parts.
    """

    __repr__ = in_short

    name: str
    tiles: tuple[LayerTile, ...]
    biases: Floats
    bias_inputs: int = 0
    has_reference: bool = False
    pairs_per_output: int = 1
    parts: LimitedParts | None = None

    def __post_init__(self) -> None:
        if self.pairs_per_output < 1 or (self.has_reference and self.pairs_per_output > 1):
            raise InputError(f"{self.name} cannot have {self.pairs_per_output} pairs of lines for each output")
        counts = np.zeros((self.inputs, self.lines), dtype=np.int64)
        try:
            for tile in self.tiles:
                np.add.at(counts, np.ix_(tile.inputs, tile.lines), 1)
        except IndexError:
            raise InputError(f"a tile of {self.name} gives an output that has no bias", where="tiles") from None
        if not (counts == 1).all():
            wrong = int((counts != 1).sum())
            raise InputError(f"{wrong} devices of {self.name} are in no tile, or in more than one", where="tiles")
        if not 0 <= self.bias_inputs < self.inputs:
            raise InputError(f"{self.name} has {self.inputs} inputs, not more than {self.bias_inputs} for biases")
        mixed = [tile for tile in self.tiles if np.unique(self._parts_of(tile)).size > 1]
        if mixed:
            raise InputError(
                f"{len(mixed)} tiles of {self.name} have inputs of more than one part",
                where="tiles",
                remedy="Cut them where a part ends, as plan_tiled_network does",
            )

    @classmethod
    def of(cls, plan: LayerPlan, array: int = 0) -> TiledLayerPlan:
        """A layer that one array holds, as a single tile."""
        inputs, outputs = np.arange(plan.rows.size), np.arange(plan.cols.size // 2)
        bare = LayerPlan(plan.name, plan.rows, plan.cols, plan.bits, np.zeros(outputs.size))
        return cls(plan.name, (LayerTile(array, inputs, outputs, bare),), plan.biases)

    @property
    def inputs(self) -> int:
        """All inputs, those held at full scale for biases included."""
        return 1 + max((int(tile.inputs.max(initial=-1)) for tile in self.tiles), default=-1)

    @property
    def outputs(self) -> int:
        """Outputs."""
        return int(self.biases.size)

    @property
    def lines(self) -> int:
        """Lines of all outputs."""
        return self.outputs + 2 if self.has_reference else 2 * self.outputs * self.pairs_per_output

    @property
    def part_count(self) -> int:
        """Parts that every line's sum is made of; 1 without limits."""
        return 1 if self.parts is None else -(-self.inputs // self.parts.inputs)

    @property
    def sums(self) -> int:
        """Numbers that make the outputs of one sample: one for each line, or for each line of each part."""
        return self.part_count * self.lines

    def sums_of(self, tile: LayerTile) -> NDArray[np.int64]:
        """Which of the sums a tile's columns add to: those of the lines of its part."""
        part = int(self._parts_of(tile)[0]) if tile.inputs.size else 0
        return np.asarray(part * self.lines + tile.lines)

    def joined(self, sums: Floats) -> Floats:
        """Values (..., outputs) from the sums (..., sums), siemens where parts have limits.

        Plus less minus, or a line less the references' mean, cut part by part; then parts and pairs are added.
        """
        by_part = sums.reshape(*sums.shape[:-1], self.part_count, self.lines)
        if self.has_reference:
            references = by_part[..., self.outputs :]
            found = by_part[..., : self.outputs] - references.mean(axis=-1, keepdims=True)
        else:
            found = by_part[..., 0::2] - by_part[..., 1::2]
        if self.parts is not None:
            found = found.clip(-self.parts.limit_siemens, self.parts.limit_siemens)
        added = found.sum(axis=-2)
        return np.asarray(added.reshape(*added.shape[:-1], self.outputs, self.pairs_per_output).sum(axis=-1))

    def _parts_of(self, tile: LayerTile) -> NDArray[np.int64]:
        return tile.inputs // (self.inputs if self.parts is None else self.parts.inputs)


@dataclass(frozen=True, eq=False)
class TiledWeightPlan:
    """Layers of any number and size on one or several arrays; those that share cells are written in turn."""

    layers: tuple[TiledLayerPlan, ...]
