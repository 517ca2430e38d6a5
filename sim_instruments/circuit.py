"""The electrical network of a bench: nodes, cables, relays, sources and the die, solved exactly by nodal analysis."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from mtjlab.nouns import Floats
from mtjlab.physics.crossbar import DENSE_CELLS, reduce_array, shared_ohms

from .components import Labels, labels
from .large_network import LargeArray, LargeNetwork
from .level_series import OperatingPoint, SolvedNetwork
from .network import Cells, Drive, Network

if TYPE_CHECKING:
    from .die import Die

LEAK_SIEMENS = 1e-12
"""Insulation of every node to ground (assumed: one teraohm)."""
AUTO_SENSE_OHMS = 1e6
"""Between an output and its sense terminal inside the instrument, so that open sense leads do no harm (assumed)."""
GROUND = "ground"
"""Name of the node that is the common ground."""
_GROUND_SIEMENS = 1e9
"""Conductance of that node to the reference: one nanoohm."""
SMALL_BENCH_NODES = 160
_MORE_AT_BIAS = 1.05
"""An array conducts at most so many times as much at some millivolts as at none."""
_MOST_NETWORKS = 32
_MOST_LARGE_NETWORKS = 2
_Regimes = tuple[tuple[int, bool, bool], ...]


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
    """What a source does at its node: regulate "volts" or "amps" at a level, up to a limit, or "open".

    Attributes:
        sense_node: where its sense terminal is, if anything is connected to it.
        is_remote: whether volts are regulated, limited and measured at the sense terminal.
    """

    node: int
    mode: str = "open"
    level: float = 0.0
    limit: float = 0.0
    sense_node: int | None = None
    is_remote: bool = False

    @property
    def sensed(self) -> int:
        """Node at which volts are regulated, limited and measured."""
        return self.sense_node if self.is_remote and self.sense_node is not None else self.node


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

    def sense_remotely(self, is_remote: bool) -> None:
        """Whether volts are regulated, limited and measured at the sense terminal ("four-wire") or at the output.

        The sense terminal of a source at `<x>.hi` is `<x>.sense_hi`; while nothing is connected to it, it is at the
        output's voltage.
        """
        if self._output.is_remote != is_remote:
            self._output.is_remote = is_remote
            self._world.sources_changed()

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
        self._contacts_at: Counter[int] = Counter()
        self._closed_by: dict[int, list[int]] = {}
        self._outputs: list[Output] = []
        self._is_touching = True
        self._array: Cells | LargeArray = _array_of(die)
        self._base: Floats | None = None
        self._around: Floats | None = None
        self._lines_behind: dict[int, int] | None = None
        self._solution: tuple[OperatingPoint, frozenset[int]] | None = None
        self._networks: OrderedDict[tuple[int, ...], dict[_Regimes, SolvedNetwork]] = OrderedDict()
        self._current: dict[_Regimes, SolvedNetwork] = {}
        self._on: list[tuple[int, Output]] = []
        self._is_live = False
        self._sense_terminals: dict[str, tuple[str, Output]] = {}
        self._largest_volts: float | None = None
        self._labels: Labels | None = None
        pads = [f"die.row.{i}" for i in range(d.rows)] + [f"die.col.{j}" for j in range(d.cols)]
        self._pads = [self._node(name) for name in pads]

    def _node(self, name: str) -> int:
        if name not in self._nodes:
            self._nodes[name] = self._lines + len(self._nodes)
            if name in self._sense_terminals:
                output_name, output = self._sense_terminals[name]
                output.sense_node = self._nodes[name]
                self._conductors.append((self._nodes[output_name], output.sense_node, 1 / AUTO_SENSE_OHMS))
        return self._nodes[name]

    def has_node(self, name: str) -> bool:
        """Whether something is at this node."""
        return name in self._nodes or name in self._sense_terminals

    def add_source(self, node: str) -> Output:
        """A source output on a node, open at first."""
        output = Output(self._node(node))
        self._outputs.append(output)
        if node.endswith(".hi"):
            self._sense_terminals[f"{node.removesuffix('hi')}sense_hi"] = node, output
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
        self._contacts_at = Counter(self._relay_nodes[self._closed].ravel().tolist())
        self._labels = None
        self._solution = None
        self._pick()

    def exchange_die(self, die: Die) -> None:
        """Another die with as many lines is in its place."""
        self.die = die
        self._array = _array_of(die)
        self._forget()

    def contact_changed(self) -> None:
        """The resistance of a contact changed."""
        self._forget()

    def cell_changed(self, index: int) -> None:
        """A cell's state changed: a small array's reduction is updated by rank one."""
        if isinstance(self._array, Cells):
            changed = self._array.reduction.with_cell(index, float(self.die.siemens()[index]))
            self._array = Cells(self.die, changed)
        else:
            self._array = LargeArray(self.die)
        self._forget_array()

    def changed(self) -> None:
        """A source changed."""
        self._solution = None
        self._largest_volts = None
        self._on = [(index, output) for index, output in enumerate(self._outputs) if output.mode != "open"]
        self._is_live = any(output.level != 0 for _, output in self._on)

    def _forget(self) -> None:
        self._around = None
        self._lines_behind = None
        self._forget_array()

    def _forget_array(self) -> None:
        self._base = None
        self._labels = None
        self._networks.clear()
        self._pick()
        self.changed()

    def _pick(self) -> None:
        """The networks of the relays as they now are; those of relays not seen for long are forgotten."""
        key = tuple(self._closed)
        most = _MOST_NETWORKS if isinstance(self._array, Cells) else _MOST_LARGE_NETWORKS
        if key not in self._networks and len(self._networks) >= most:
            self._networks.popitem(last=False)
        self._current = self._networks.setdefault(key, {})
        self._networks.move_to_end(key)

    @property
    def is_live(self) -> bool:
        """Whether any source drives away from zero."""
        return self._is_live

    @property
    def largest_volts(self) -> float:
        """No two nodes of the network can differ by more (maximum principle of resistive networks)."""
        if self._largest_volts is None:
            on = [output for _, output in self._on]
            levels = [o.level if o.mode == "volts" else sign * o.limit for o in on for sign in (1, -1)]
            self._largest_volts = max(max(levels, default=0.0), 0.0) - min(min(levels, default=0.0), 0.0)
        return self._largest_volts

    def source_point(self, output: Output) -> SourcePoint:
        """Operating point of one source; several may drive the same node."""
        solution, limiting = self._solved()
        for place, (index, known) in enumerate(self._on):
            if known is output:
                return SourcePoint(solution.sensed_volts[place], solution.amps[place], index in limiting)
        return SourcePoint(float(solution.node_volts[output.sensed]), 0.0, False)

    def cell_volts(self) -> Floats:
        """Voltage across every cell, row-major."""
        return self._solved()[0].cell_volts

    def relay_point(self, relay: int) -> tuple[float, float]:
        """Volts across a relay and amps through it as it stands now."""
        if not self.is_live:
            return 0.0, 0.0
        a, b = self._relay_nodes[relay]
        volts = self._solved()[0].node_volts
        across = float(volts[a] - volts[b])
        return across, across * float(self._relay_siemens[relay]) if relay in self._closed else 0.0

    def stays_below(self, relay: int, volts: float, amps: float) -> bool:
        """Whether a relay surely has no more voltage on it, nor current through it, without solving the network.

        What a closed relay carries that alone feeds a line is at most what this line takes with all others as far away
        as two nodes can be. False means that nobody knows yet.
        """
        if self.largest_volts > volts:
            return False
        if relay not in self._closed:
            return True
        line = self._line_behind(relay)
        if line is None or not isinstance(self._array, Cells):
            return False
        is_alone = self._contacts_at[int(self._relay_nodes[relay, 1])] == 1
        most = self._static()[line, line] - 1 / float(self.die.contact_ohms[line])
        return is_alone and _MORE_AT_BIAS * most * self.largest_volts <= amps

    def _line_behind(self, relay: int) -> int | None:
        """The line to whose pad a relay's second node leads, and to nothing else."""
        if self._lines_behind is None:
            ends = [end for a, b, _ in self._conductors for end in (a, b)]
            line_of = {pad: line for line, pad in enumerate(self._pads) if ends.count(pad) == 1}
            joined = [(a, b) for a, b, _ in self._conductors] + [(b, a) for a, b, _ in self._conductors]
            feeding = {a: line_of[b] for a, b in joined if b in line_of and ends.count(a) == 1}
            sources = {output.node for output in self._outputs}
            self._lines_behind = {node: line for node, line in feeding.items() if node not in sources}
        return self._lines_behind.get(int(self._relay_nodes[relay, 1])) if self._is_touching else None

    def _solved(self) -> tuple[OperatingPoint, frozenset[int]]:
        if self._solution is None:
            self._solution = self._solve() if self._is_live else (self._dead(), frozenset())
        return self._solution

    def _dead(self) -> OperatingPoint:
        none = [0.0] * len(self._on)
        return OperatingPoint(none, none, self._zeros)

    def _zeros(self) -> tuple[Floats, Floats]:
        return np.zeros(self._lines + len(self._nodes)), np.zeros(self.die.kind.size)

    def _solve(self) -> tuple[OperatingPoint, frozenset[int]]:
        """Start with every source in regulation; put those that exceed their limit there, one after the other."""
        limiting: dict[int, float] = {}
        for _ in range(4 * len(self._outputs) + 1):
            levels = tuple([limiting.get(index, output.level) for index, output in self._on])
            point = self._network(limiting).at(levels)
            if not self._revise_limits(point, limiting):
                break
        return point, frozenset(limiting)

    def _revise_limits(self, point: OperatingPoint, limiting: dict[int, float]) -> bool:
        for place, (index, output) in enumerate(self._on):
            amps, volts = point.amps[place], point.sensed_volts[place]
            regulated, other = (amps, volts) if output.mode == "volts" else (volts, amps)
            if index not in limiting:
                if abs(regulated) > output.limit * (1 + 1e-9):
                    limiting[index] = output.limit if regulated > 0 else -output.limit
                    return True
            elif (other - output.level) * limiting[index] > 1e-9 * abs(output.level):
                del limiting[index]
                return True
        return False

    def _network(self, limiting: dict[int, float]) -> SolvedNetwork:
        regimes = tuple(
            [(index, out.is_remote, (out.mode == "volts") == (index not in limiting)) for index, out in self._on]
        )
        known = self._current.get(regimes)
        if known is None:
            drives = [
                Drive(output.node, output.sensed, is_volts)
                for (_, output), (_, _, is_volts) in zip(self._on, regimes, strict=True)
            ]
            matrix = self._static().copy(order="F")
            self._stamp_relays(matrix)
            known = SolvedNetwork(self._factorised(matrix, drives))
            if len(self._current) >= _MOST_NETWORKS:
                self._current.clear()
            self._current[regimes] = known
        return known

    def _factorised(self, matrix: Floats, drives: list[Drive]) -> Network | LargeNetwork:
        reached = self._reached()
        if isinstance(self._array, LargeArray):
            return LargeNetwork(matrix, drives, reached, self._array)
        return Network(matrix, drives, reached, self._array)

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
        active = self._labels[[output.node for _, output in self._on]]
        return np.flatnonzero(np.isin(self._labels, active)).astype(np.int64)

    def _stamp_relays(self, matrix: Floats) -> None:
        if self._closed:
            for (a, b), siemens in zip(
                self._relay_nodes[self._closed].tolist(), self._relay_siemens[self._closed].tolist(), strict=True
            ):
                _stamp(matrix, a, b, siemens)

    def _static(self) -> Floats:
        if self._base is None:
            base = self._around_array().copy()
            if isinstance(self._array, Cells):
                base[: self._lines, : self._lines] += self._array.reduction.port_siemens
            self._base = base
        return self._base

    def _around_array(self) -> Floats:
        """What does not change with the cells."""
        if self._around is None:
            size = self._lines + len(self._nodes)
            base = np.zeros((size, size))
            base[np.diag_indices(size)] = LEAK_SIEMENS
            if GROUND in self._nodes:
                base[self._nodes[GROUND], self._nodes[GROUND]] += _GROUND_SIEMENS
            for a, b, siemens in self._conductors:
                _stamp(base, a, b, siemens)
            for touching in (defect for defect in self.die.line_defects if defect.kind == "short"):
                line = touching.line + (0 if touching.axis == "row" else self.die.description.rows)
                _stamp(base, line, line + 1, 1 / touching.ohms)
            if self._is_touching:
                for line, pad in enumerate(self._pads):
                    _stamp(base, line, pad, 1 / float(self.die.contact_ohms[line]))
            self._around = base
        return self._around


def _array_of(die: Die) -> Cells | LargeArray:
    d = die.description
    if d.rows * d.cols > DENSE_CELLS:
        return LargeArray(die)
    siemens = die.siemens().reshape(d.rows, d.cols)
    return Cells(die, reduce_array(siemens, shared_ohms(d.rows, d.cols, d.segment_ohms)))


def _stamp(matrix: Floats, a: int, b: int, siemens: float) -> None:
    matrix[a, a] += siemens
    matrix[b, b] += siemens
    matrix[a, b] -= siemens
    matrix[b, a] -= siemens
