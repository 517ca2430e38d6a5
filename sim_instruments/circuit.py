"""The electrical network of a bench: nodes, cables, relays, sources and the die, solved exactly by nodal analysis."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.linalg import lapack
from threadpoolctl import ThreadpoolController

from mtjlab.nouns import Floats
from mtjlab.physics.crossbar import Reduction, SparseReduction, reduce_array, shared_ohms

from .components import Labels, labels

if TYPE_CHECKING:
    from .die import Die

LEAK_SIEMENS = 1e-12
"""Insulation of every node to ground (assumed: one teraohm)."""
SOURCE_OHMS = 0.01
"""Output resistance of a voltage source in regulation (assumed)."""
GROUND = "ground"
"""Name of the node that is the common ground."""
_GROUND_SIEMENS = 1e9
"""Conductance of that node to the reference: one nanoohm."""
DENSE_CELLS = 1600
"""Arrays up to 40 x 40 are reduced with dense matrices over their cells, larger ones with sparse ones over nodes."""
SMALL_BENCH_NODES = 160
_TOLERANCE = 1e-12
_BLAS = ThreadpoolController().select(user_api="blas")
_IS_THREADED = any(library.num_threads > 1 for library in _BLAS.lib_controllers)


def one_thread() -> AbstractContextManager[object]:
    """Matrices this small are slower on several BLAS threads; on a loaded machine, hundreds of times slower."""
    return _BLAS.limit(limits=1) if _IS_THREADED else nullcontext()


@dataclass(frozen=True)
class SourcePoint:
    """Exact operating point of a source: terminal volts, amps out of the terminal, whether it limits."""

    volts: float
    amps: float
    is_limiting: bool


class _Listener(Protocol):
    def sources_changed(self) -> None: ...

    def solve_source(self, output: Output) -> SourcePoint: ...


@dataclass
class Output:
    """What a source does at its node: regulate "volts" or "amps" at a level, up to a limit, or "open"."""

    node: int
    mode: str = "open"
    level: float = 0.0
    limit: float = 0.0


class Source:
    """One SMU output between its node and ground."""

    def __init__(self, name: str, output: Output, world: _Listener) -> None:
        self.name = name
        self._output = output
        self._world = world
        self._wanted = ("open", 0.0, 0.0)
        self._is_cut_off = False
        self._error: tuple[float, float, float] | None = None

    def drive_volts(self, level: float, amps_limit: float) -> None:
        """Regulate volts, limiting the current to +-`amps_limit`."""
        self._set("volts", level, amps_limit)

    def drive_amps(self, level: float, volts_limit: float) -> None:
        """Regulate amps out of the terminal, limiting the voltage to +-`volts_limit`."""
        self._set("amps", level, volts_limit)

    def disconnect(self) -> None:
        """Open circuit."""
        self._set("open", 0.0, 0.0)

    def point(self) -> SourcePoint:
        """Exact, noise-free operating point at this instant."""
        return self._world.solve_source(self._output)

    def cut_off(self) -> None:
        """A fault opens the output, whatever its instrument does, until `restore`."""
        self._is_cut_off = True
        self._set(*self._wanted)

    def restore(self) -> None:
        """The output does again what its instrument last asked for."""
        self._is_cut_off = False
        self._set(*self._wanted)

    def set_error(self, volts: float, amps: float, gain: float) -> None:
        """A fault makes every level wrong: `gain` times itself, and so many volts or amperes more."""
        self._error = (volts, amps, gain)
        self._set(*self._wanted)

    def _set(self, mode: str, level: float, limit: float) -> None:
        self._wanted = (mode, level, limit)
        if self._is_cut_off:
            mode, level, limit = "open", 0.0, 0.0
        elif self._error is not None and mode != "open":
            volts, amps, gain = self._error
            level = level * gain + (volts if mode == "volts" else amps)
        now = (self._output.mode, self._output.level, self._output.limit)
        if now == (mode, level, limit):
            return
        self._output.mode, self._output.level, self._output.limit = mode, level, limit
        self._world.sources_changed()


@dataclass(frozen=True, eq=False)
class _Solution:
    node_volts: Floats
    cell_volts: Floats
    source_amps: dict[int, float]
    limiting: frozenset[int]


class Circuit:
    """Everything that conducts. Node numbers: first the die's line ends (rows, then columns), then the others."""

    def __init__(self, die: Die) -> None:
        self.die = die
        d = die.description
        self._lines = d.rows + d.cols
        self._nodes: dict[str, int] = {}
        self._conductors: list[tuple[int, int, float]] = []
        self._relay_nodes = np.zeros((0, 2), dtype=np.int64)
        self._relay_siemens = np.zeros(0)
        self._closed: list[int] = []
        self._closed_by: dict[int, list[int]] = {}
        self._outputs: list[Output] = []
        self._is_touching = True
        self._reduction = _reduced(die)
        self._base: Floats | None = None
        self._solution: _Solution | None = None
        self._largest_volts: float | None = None
        self._labels: Labels | None = None
        pads = [f"die.row.{i}" for i in range(d.rows)] + [f"die.col.{j}" for j in range(d.cols)]
        self._pads = [self._node(name) for name in pads]

    def _node(self, name: str) -> int:
        return self._nodes.setdefault(name, self._lines + len(self._nodes))

    def has_node(self, name: str) -> bool:
        """Whether something is at this node."""
        return name in self._nodes

    def add_source(self, node: str) -> Output:
        """A source output on a node, open at first."""
        output = Output(self._node(node))
        self._outputs.append(output)
        self._forget()
        return output

    def add_relays(self, pairs: Sequence[tuple[str, str]], ohms: float) -> int:
        """Relays between pairs of nodes, open at first; returns the number of the first."""
        first = len(self._relay_nodes)
        nodes = np.array([(self._node(a), self._node(b)) for a, b in pairs], dtype=np.int64)
        self._relay_nodes = np.concatenate([self._relay_nodes, nodes])
        self._relay_siemens = np.concatenate([self._relay_siemens, np.full(len(pairs), 1 / ohms)])
        self._forget()
        return first

    def add_cable(self, node_a: str, node_b: str, ohms: float) -> None:
        """A fixed resistance between two nodes."""
        self._conductors.append((self._node(node_a), self._node(node_b), 1 / ohms))
        self._forget()

    def touch(self, is_touching: bool) -> None:
        """Probes on or off the die."""
        self._is_touching = is_touching
        self._forget()

    def set_relays(self, first: int, closed: frozenset[int]) -> None:
        """Which relays of the group that starts at `first` conduct."""
        self._closed_by[first] = [first + k for k in sorted(closed)]
        self._closed = [relay for group in self._closed_by.values() for relay in group]
        self._labels = None
        self._solution = None

    def contact_changed(self) -> None:
        """The resistance of a contact changed."""
        self._forget()

    def cell_changed(self, index: int) -> None:
        """A cell's state changed: update the reduction by rank one."""
        self._reduction = self._reduction.with_cell(index, float(self.die.siemens()[index]))
        self._forget()

    def changed(self) -> None:
        """A source changed."""
        self._solution = None
        self._largest_volts = None

    def _forget(self) -> None:
        self._base = None
        self._labels = None
        self._solution = None
        self._largest_volts = None

    @property
    def is_live(self) -> bool:
        """Whether any source drives away from zero."""
        return any(o.mode != "open" and o.level != 0 for o in self._outputs)

    @property
    def largest_volts(self) -> float:
        """No two nodes of the network can differ by more (maximum principle of resistive networks)."""
        if self._largest_volts is None:
            on = [output for output in self._outputs if output.mode != "open"]
            levels = [o.level if o.mode == "volts" else sign * o.limit for o in on for sign in (1, -1)]
            self._largest_volts = max(max(levels, default=0.0), 0.0) - min(min(levels, default=0.0), 0.0)
        return self._largest_volts

    def source_point(self, output: Output) -> SourcePoint:
        """Operating point of one source; several may drive the same node."""
        solution = self._solved()
        index = next(k for k, known in enumerate(self._outputs) if known is output)
        volts = float(solution.node_volts[output.node])
        return SourcePoint(volts, solution.source_amps[index], index in solution.limiting)

    def cell_volts(self) -> Floats:
        """Voltage across every cell, row-major."""
        return self._solved().cell_volts

    def relay_point(self, relay: int) -> tuple[float, float]:
        """Volts across a relay and amps through it as it stands now."""
        if not self.is_live:
            return 0.0, 0.0
        a, b = self._relay_nodes[relay]
        volts = self._solved().node_volts
        across = float(volts[a] - volts[b])
        return across, across * float(self._relay_siemens[relay]) if relay in self._closed else 0.0

    def _solved(self) -> _Solution:
        if self._solution is None:
            with one_thread():
                self._solution = self._solve() if self.is_live else self._dead()
        return self._solution

    def _dead(self) -> _Solution:
        amps = dict.fromkeys(range(len(self._outputs)), 0.0)
        nodes = np.zeros(self._lines + len(self._nodes))
        return _Solution(nodes, np.zeros(self._reduction.siemens.size), amps, frozenset())

    def _solve(self) -> _Solution:
        limiting: dict[int, float] = {}
        for _ in range(4 * len(self._outputs) + 1):
            nodes, cells = self._network(limiting)
            amps = {k: self._amps_of(o, k, nodes, limiting) for k, o in enumerate(self._outputs)}
            if not self._revise_limits(nodes, amps, limiting):
                break
        return _Solution(nodes, cells, amps, frozenset(limiting))

    def _amps_of(self, output: Output, index: int, nodes: Floats, limiting: dict[int, float]) -> float:
        if output.mode == "open":
            return 0.0
        forced = limiting.get(index)
        if output.mode == "volts":
            return forced if forced is not None else float(output.level - nodes[output.node]) / SOURCE_OHMS
        return output.level if forced is None else float(forced - nodes[output.node]) / SOURCE_OHMS

    def _revise_limits(self, nodes: Floats, amps: dict[int, float], limiting: dict[int, float]) -> bool:
        for index, output in enumerate(self._outputs):
            if output.mode == "open":
                continue
            regulated = amps[index] if output.mode == "volts" else float(nodes[output.node])
            if index not in limiting:
                if abs(regulated) > output.limit * (1 + 1e-9):
                    limiting[index] = float(np.copysign(output.limit, regulated))
                    return True
            else:
                reached = float(nodes[output.node]) if output.mode == "volts" else amps[index]
                if (reached - output.level) * limiting[index] > 1e-9 * abs(output.level):
                    del limiting[index]
                    return True
        return False

    def _network(self, limiting: dict[int, float]) -> tuple[Floats, Floats]:
        matrix, drive = self._assemble(limiting)
        reached = self._reached()
        is_whole = reached.size == drive.size
        part = matrix if is_whole else np.asfortranarray(matrix[np.ix_(reached, reached)])
        factor, info = lapack.dpotrf(part, lower=1, overwrite_a=1)
        if info != 0:
            raise ArithmeticError("the bench's network cannot be solved; check the bench file's resistances")
        nodes = np.zeros(drive.size)
        if reached[0] == 0:
            nodes[reached], cells = self._with_bias_dependence(factor, drive[reached])
            return nodes, cells
        nodes[reached] = lapack.dpotrs(factor, drive[reached], lower=1)[0]
        return nodes, np.zeros(self._reduction.siemens.size)

    def _reached(self) -> Labels:
        """Nodes that a source reaches, ascending; the others are at 0 V. The die's lines go together.

        All nodes of a small bench: to solve for them takes less time than to find out which ones matter.
        """
        if self._lines + len(self._nodes) <= SMALL_BENCH_NODES:
            return np.arange(self._lines + len(self._nodes))
        if self._labels is None:
            pads = [(line, pad) for line, pad in enumerate(self._pads) if self._is_touching]
            cables = [(a, b) for a, b, _ in self._conductors]
            relays = [(int(a), int(b)) for a, b in self._relay_nodes[self._closed]] if self._closed else []
            size = self._lines + len(self._nodes)
            self._labels = labels(size, [*pads, *cables, *relays], self._lines, self._nodes.get(GROUND))
        active = self._labels[[output.node for output in self._outputs if output.mode != "open"]]
        return np.flatnonzero(np.isin(self._labels, active)).astype(np.int64)

    def _assemble(self, limiting: dict[int, float]) -> tuple[Floats, Floats]:
        matrix = self._static().copy(order="F")
        size = matrix.shape[0]
        self._stamp_relays(matrix)
        drive = np.zeros(size)
        for index, output in enumerate(self._outputs):
            forced = limiting.get(index)
            is_volts = (output.mode == "volts") == (forced is None)
            value = output.level if forced is None else forced
            if output.mode == "open":
                continue
            if is_volts:
                matrix[output.node, output.node] += 1 / SOURCE_OHMS
                drive[output.node] += value / SOURCE_OHMS
            else:
                drive[output.node] += value
        return matrix, drive

    def _stamp_relays(self, matrix: Floats) -> None:
        if self._closed:
            a, b = self._relay_nodes[self._closed].T
            siemens = self._relay_siemens[self._closed]
            np.add.at(matrix, (np.concatenate([a, b]), np.concatenate([a, b])), np.concatenate([siemens, siemens]))
            np.add.at(matrix, (np.concatenate([a, b]), np.concatenate([b, a])), -np.concatenate([siemens, siemens]))

    def _static(self) -> Floats:
        if self._base is None:
            size = self._lines + len(self._nodes)
            base = np.zeros((size, size))
            base[np.diag_indices(size)] = LEAK_SIEMENS
            if GROUND in self._nodes:
                base[self._nodes[GROUND], self._nodes[GROUND]] += _GROUND_SIEMENS
            base[: self._lines, : self._lines] += self._reduction.port_siemens
            for a, b, siemens in self._conductors:
                _stamp(base, a, b, siemens)
            if self._is_touching:
                for line, pad in enumerate(self._pads):
                    _stamp(base, line, pad, 1 / float(self.die.contact_ohms[line]))
            self._base = base
        return self._base

    def _with_bias_dependence(self, factor: Floats, drive: Floats) -> tuple[Floats, Floats]:
        """Solve for the cells' bias-dependent conductance by fixed point on the current beyond the linear one."""
        reduced, lines = self._reduction, self._lines
        extra = np.zeros(reduced.siemens.size)
        right = drive.copy()
        previous = np.inf
        for _ in range(60):
            nodes, _ = lapack.dpotrs(factor, right, lower=1)
            cells = reduced.cell_volts(nodes[:lines], extra)
            wanted = (self.die.siemens(cells) - reduced.siemens) * cells
            miss = float(np.abs(wanted - extra).max())
            extra = wanted
            right[:lines] = drive[:lines] - reduced.line_amps(extra)
            if miss <= _TOLERANCE * max(float(np.abs(cells * reduced.siemens).max()), 1e-15):
                return nodes, cells
            if miss > 0.9 * previous:
                break
            previous = miss
        if isinstance(reduced, SparseReduction):
            raise ArithmeticError("too large an array to solve while its cells float; ground the unselected lines")
        return self._by_newton(reduced, factor, drive)

    def _by_newton(self, reduced: Reduction, factor: Floats, drive: Floats) -> tuple[Floats, Floats]:
        """Damped Newton on the cell voltages, for networks in which cells float and the fixed point is slow."""
        lines = self._lines
        at_ports = np.zeros((factor.shape[0], reduced.siemens.size))
        at_ports[:lines] = reduced.to_cells.T
        spread, _ = lapack.dpotrs(factor, at_ports, lower=1)
        response = reduced.of_cells + reduced.to_cells @ spread[:lines]
        linear_nodes, _ = lapack.dpotrs(factor, drive, lower=1)
        linear = reduced.to_cells @ linear_nodes[:lines]
        cells = linear.copy()
        for _ in range(60):
            extra = (self.die.siemens(cells) - reduced.siemens) * cells
            miss = cells - linear + response @ extra
            if np.abs(miss).max() <= _TOLERANCE * max(float(np.abs(linear).max()), 1e-12):
                break
            slope = np.eye(cells.size) + response * (self.die.current_slope(cells) - reduced.siemens)[None, :]
            cells = cells - np.linalg.solve(slope, miss)
        return linear_nodes - spread @ extra, cells


def _reduced(die: Die) -> Reduction | SparseReduction:
    d = die.description
    siemens = die.siemens().reshape(d.rows, d.cols)
    if siemens.size > DENSE_CELLS:
        return SparseReduction(siemens, d.segment_ohms)
    return reduce_array(siemens, shared_ohms(d.rows, d.cols, d.segment_ohms))


def _stamp(matrix: Floats, a: int, b: int, siemens: float) -> None:
    matrix[a, a] += siemens
    matrix[b, b] += siemens
    matrix[a, b] -= siemens
    matrix[b, a] -= siemens
