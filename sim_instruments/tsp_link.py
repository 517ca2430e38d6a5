"""TSP-Link: one TSP instrument runs scripts that act on others as node[2], node[3], ... in the same world.

Reference manuals, "TSP-Link system expansion interface". What a script reaches on another node are proxies: values are
copied, tables and functions stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from .scpi_errors import ScpiError
from .tsp_engine import PARAMETER_ERROR, TspError, is_function, is_table, number_argument, text_argument

if TYPE_CHECKING:
    from .tsp import TspInstrument

LINK_SECONDS = 200e-6
"""One access to another node (assumed)."""
_DEEPEST = 8


class NodeError(ScpiError):
    """An error that another node has met.

    Attributes:
        node: that node's number.
    """

    def __init__(self, error: ScpiError, node: int) -> None:
        super().__init__(error.code, error.text)
        self.node = node


class _Held:
    """A table on another node."""

    def __init__(self, table: Any) -> None:
        self.table = table


class RemoteNode:
    """Another instrument as the master's scripts see it."""

    def __init__(self, master: TspInstrument, remote: TspInstrument, number: int) -> None:
        self._master = master
        self._remote = remote
        self._number = number
        self._ids = count(1)
        self._held: WeakValueDictionary[int, _Held] = WeakValueDictionary()

    def root(self) -> Any:
        """node[n]."""
        engine = self._remote.engine
        special: dict[str, Callable[..., Any]] = {
            "execute": self._execute,
            "getglobal": lambda name: self._fetch(lambda: engine.get_global(text_argument(name))),
            "setglobal": lambda name, value: self._fetch(
                lambda: engine.set_global(text_argument(name), self._outwards(value))
            ),
        }
        functions = {name: self._master.engine.function(function) for name, function in special.items()}

        def found(name: Any) -> Any:
            value = engine.get_global(name)
            return engine.get_global("localnode")[name] if value is None else value  # node[n].model and the like

        def get(name: Any) -> Any:
            return functions.get(name) or self._fetch(lambda: found(name))

        def put(name: Any, value: Any) -> None:
            self._fetch(lambda: engine.set_global(name, self._outwards(value)))

        return self._master.engine.proxy(get, put)

    def _execute(self, text: object) -> None:
        for line in self._fetch_lines(text_argument(text)):
            self._master.engine.emit(line)

    def _fetch_lines(self, text: str) -> list[str]:
        lines: list[str] = []
        self._fetch(lambda: lines.extend(self._remote.engine.run(text)))
        return lines

    def _fetch(self, act: Callable[[], Any]) -> Any:
        """Do something on the other node, now, and bring the result over."""
        if not self._remote.is_answering:
            raise TspError(1211, f"Node {self._number} is inaccessible")
        with self._master.lent_to(self._remote, self._number):
            result = act()
        return tuple(self._inwards(part) for part in result) if isinstance(result, tuple) else self._inwards(result)

    def _inwards(self, value: Any) -> Any:
        if is_function(value):
            return self._master.engine.function(lambda *arguments: self._call(value, arguments))
        if not is_table(value):
            return value
        held = _Held(value)
        number = next(self._ids)
        self._held[number] = held

        def get(name: Any) -> Any:
            return number if name == "remote_id" else self._fetch(lambda: held.table[self._outwards(name)])

        def put(name: Any, new: Any) -> None:
            self._fetch(lambda: held.table.__setitem__(name, self._outwards(new)))

        return self._master.engine.proxy(get, put)

    def _call(self, function: Any, arguments: tuple[Any, ...]) -> Any:
        sent = [self._outwards(argument) for argument in arguments]
        return self._fetch(lambda: function(*sent))

    def _outwards(self, value: Any, depth: int = 0) -> Any:
        if is_function(value) or depth > _DEEPEST:
            raise TspError(PARAMETER_ERROR, "Parameter error")
        if not is_table(value):
            return value
        held = self._held.get(value["remote_id"] or 0)
        if held is not None:
            return held.table
        content = {key: self._outwards(part, depth + 1) for key, part in value.items()}
        return self._remote.engine.table(content)


class TspLink:
    """The link as one instrument sees it.

    Attributes:
        number: this instrument's own node number.
        nodes: the others, by node number; only a master has any.
        is_online: whether the link has been initialised.
    """

    def __init__(self, instrument: TspInstrument) -> None:
        self._instrument = instrument
        self.number = 1
        self.nodes: dict[int, TspInstrument] = {}
        self.is_online = False
        self._roots: dict[int, Any] = {}
        self._group = 0
        self._master = 0
        self._local: Any = None

    def join(self, nodes: dict[int, TspInstrument]) -> None:
        """This instrument and these nodes are on one link; each of them can be its master."""
        if not nodes:
            return
        everyone = {self.number: self._instrument, **nodes}
        for number, instrument in everyone.items():
            instrument.link.number = number
            instrument.link.nodes = {n: other for n, other in everyone.items() if n != number}
            if instrument is not self._instrument:
                instrument.linked_to(self._instrument)

    def define(self) -> None:
        """Make `tsplink` and `node`."""
        engine = self._instrument.engine
        values, a, functions = self._instrument.link_members()
        a.add("state", lambda: "online" if self.is_online else "offline")
        a.add("node", lambda: self.number, self._set_number)
        a.add("master", lambda: self._master)
        a.add("group", lambda: self._group, self._set_group)
        functions |= {"reset": self._initialise, "initialize": self._initialise}
        engine.set_global("tsplink", a.made(engine, values, functions))
        self._local = engine.proxy(engine.get_global, engine.set_global)
        engine.set_global("node", engine.object(item=self._node))

    def _set_number(self, value: object) -> None:
        self.number = int(number_argument(value, 1, 64))

    def _set_group(self, value: object) -> None:
        self._group = int(number_argument(value, 0, 64))

    def _initialise(self, expected: object = None) -> int:
        """Find the nodes; returns how many there are, this one included."""
        found = 1 + len(self.nodes)
        self.is_online = bool(self.nodes)
        if self.number in self.nodes:
            self.is_online = False
            raise TspError(1210, "TSP-Link initialization failed (node ID conflict)")
        self._roots = {n: RemoteNode(self._instrument, remote, n).root() for n, remote in self.nodes.items()}
        if not self.nodes:
            raise TspError(1205, "TSP-Link initialization failed (no remote nodes found)")
        if expected is not None and number_argument(expected, 1, 64) != found:
            self.is_online = False
            raise TspError(1206, "TSP-Link initialization failed")
        for one in (self, *(node.link for node in self.nodes.values())):
            one._master = self.number
        return found

    def _node(self, number: Any) -> Any:
        if number == self.number:
            return self._local
        return self._roots.get(number) if self.is_online else None
