"""The simulated bench: a world and the instruments on it, opened from a bench file and kept until told otherwise."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from importlib import import_module
from importlib.resources import files
from pathlib import Path, PureWindowsPath
from typing import Any

from mtjlab.errors import InputError
from mtjlab.physics.populations import WaferDescription
from mtjlab.wiring import Wiring
from mtjlab.yaml_files import load_yaml

from . import cables, trigger_wires
from .bench_file import BenchFile, InstrumentSpec, Model, load_bench_file
from .circuit import GROUND
from .fault_injector import FaultInjector
from .faults import FaultKind, FaultSeen, injected
from .pacing import OperationLock, Pacer
from .prober_dies import DiesUnderProbes
from .pyvisa_sim_device import load_devices
from .reactions import Reactions
from .tsp import TspInstrument
from .visa_locks import Locks
from .wire_instrument import HostClock, WireInstrument
from .wired_instrument import WiredInstrument
from .world import World

_MODELS: dict[Model, str] = {
    "keithley_2400": "keithley_2400.SimKeithley2400",
    "keithley_707b": "keithley_707b.SimKeithley707B",
    "keithley_708b": "keithley_708b.SimKeithley708B",
    "keithley_2602b": "keithley_2600b.SimKeithley2600B",
    "keithley_2612b": "keithley_2600b.SimKeithley2600B",
    "keithley_2636b": "keithley_2600b.SimKeithley2600B",
    "keithley_7001": "keithley_7001.SimKeithley7001",
    "keithley_7002": "keithley_7001.SimKeithley7002",
    "keysight_b2201a": "keysight_b2200.SimKeysightB2201A",
    "keysight_e5250a": "keysight_b2200.SimKeysightE5250A",
    "keysight_34980a": "keysight_34980a.SimKeysight34980A",
    "keysight_33522b": "keysight_33500.SimKeysight33500",
    "keysight_33622a": "keysight_33500.SimKeysight33622A",
    "keysight_81160a": "keysight_81160a.SimKeysight81160A",
    "keithley_2450": "keithley_2450.SimKeithley2450",
    "keysight_b2901a": "keysight_b2900.SimKeysightB2900",
    "keysight_b2902a": "keysight_b2900.SimKeysightB2900",
    "keysight_b2912a": "keysight_b2900.SimKeysightB2900",
    "yokogawa_gs200": "yokogawa_gs200.SimYokogawaGS200",
    "formfactor_velox": "velox.SimVelox",
    "mpi_sentio": "sentio.SimSentio",
}
"""Module and class of each model; a bench loads only those that stand on it."""
_PACKAGED = "mtjlab.sim_instruments.benches"


class SimBench:
    """A world and its instruments.

    Attributes:
        path: the bench file.
        world: what the instruments act on; replaced by `reset`.
        by_name: instruments by the name in the bench file.
        by_address: instruments by canonical VISA address.
        lock: held during every operation of any session; of a paced bench it also lets the time really pass.
        locks: VISA locks of the sessions.
        is_closed: whether the bench was taken down; its sessions then report a lost connection.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = OperationLock()
        self.locks = Locks()
        self.is_closed = False
        self._sessions = 0
        self._was_used = False
        self._reactions: Reactions | None = None
        self._file, self._wiring = load_bench_file(path)
        self._build()

    def __repr__(self) -> str:
        incidents = len(self.world.incidents)
        what = f"{', '.join(self.by_name)}; {self.world.seconds:.6g} s, {incidents} incidents"
        return f"{type(self).__name__}({self.name!r}: {what}{', taken down' * self.is_closed})"

    @property
    def name(self) -> str:
        """The bench's name."""
        return self._file.bench

    def reset(self) -> None:
        """Everything as when the bench was first opened: the same die, untouched, and instruments just powered on."""
        with self.lock:
            self._build()

    def session_opened(self) -> None:
        """A session is being opened; a transient bench that was left by all is new for it."""
        with self.lock:
            if self._file.is_transient and self._was_used and self._sessions == 0:
                self._build()
            self._was_used = True
            self._sessions += 1

    def session_closed(self) -> None:
        """A session was closed."""
        with self.lock:
            self._sessions -= 1

    @property
    def faults_seen(self) -> tuple[FaultSeen, ...]:
        """Planned and injected faults that have happened, in order; the world's incidents are kept apart from them."""
        return tuple(self.injector.seen)

    def inject(self, kind: FaultKind, instrument: str | None = None, **details: Any) -> None:
        """Let something go wrong: now, or at the moment that `after_operations`, `at_seconds` or `rate` gives.

        Args:
            kind, instrument, details: as in an entry of `faults` in a bench file, see `faults.PlannedFault`;
                operations are counted from now on.

        Raises InputError if the fault does not fit its kind or the bench.
        """
        with self.lock:
            self.injector.plan(injected(kind, instrument, details, self.world.seconds))
            self.injector.settle()

    @property
    def interfaces(self) -> tuple[str, ...]:
        """VISA addresses of the GPIB boards."""
        return tuple(f"GPIB{number}::INTFC" for number in self.injector.boards)

    def opened(self, address: str) -> None:
        """A session is being opened: a hung bus works again once it is initialized anew."""
        if address.startswith("GPIB"):
            with self.lock:
                self.interface_clear(address)

    def interface_clear(self, address: str) -> None:
        """IFC on the GPIB board of this address."""
        self.injector.interface_clear(int(address.partition("::")[0].removeprefix("GPIB")))

    def pace(self, pacer: Pacer | None) -> None:
        """Let simulated waits really take their time from now on, or, with None, no longer."""
        with self.lock:
            self.lock.pacer = pacer

    def close(self) -> None:
        """Take the bench down: the next one opened from the same file is new."""
        with self.lock:
            self.is_closed = True
            if self._reactions is not None:
                self._reactions.close()
        with _REGISTRY_LOCK:
            if _OPEN_BENCHES.get(self.path) is self:
                del _OPEN_BENCHES[self.path]

    def _build(self) -> None:
        bench = self._file
        self.world = self._make_world()
        host = HostClock(self.world)
        made = {spec.name: _make(spec, self.world, host) for spec in bench.instruments}
        if self._wiring is not None:
            _cable(self.world, self._wiring)
        self._connect_cables()
        _link(bench, made)
        self._join_triggers(made, host)
        self.by_name: dict[str, WireInstrument] = made
        self.host = host
        self._plan_faults()
        self.lock.pacer = Pacer(host) if bench.paced else None
        self.by_address = {spec.address: made[spec.name] for spec in bench.instruments}
        for file in bench.pyvisa_sim:
            self._add_devices(self.path.parent / file, host)

    def _connect_cables(self) -> None:
        unknown = cables.connect(self.world, self._file.cables)
        if unknown is not None:
            raise InputError(
                f"cables: there is no terminal '{unknown}'",
                where=str(self.path),
                remedy="Use <instrument>.hi, <instrument>.1.hi, <matrix>.row.A, <matrix>.col.101, die.row.0, ground",
            )

    def _join_triggers(self, made: Mapping[str, WireInstrument], host: HostClock) -> None:
        if self._reactions is not None:
            self._reactions.close()
            self._reactions = None
        if not self._file.trigger_wires:
            return
        self._reactions = reactions = Reactions(self.world, host)
        wired = {name: each for name, each in made.items() if isinstance(each, WiredInstrument)}
        terminals = {name: wired[name].trigger_terminals() if name in wired else {} for name in made}
        try:
            joined = trigger_wires.join(terminals, self._file.trigger_wires, reactions.later)
        except InputError as error:
            number = int(error.where)
            where = f"{self.path}, line {_line_of_entry(self.path, 'trigger_wires', number)}"
            raise InputError(f"trigger_wires[{number}]: {error.what}", where=where, remedy=error.remedy) from error
        for name in sorted(joined):
            wired[name].take_part(reactions)

    def _add_devices(self, path: Path, host: HostClock) -> None:
        for address, device in load_devices(path, self.world, host).items():
            if address in self.by_address:
                raise InputError(
                    f"address {address} is given twice", where=str(path), remedy="Give each device its own"
                )
            self.by_address[address] = device

    def _plan_faults(self) -> None:
        self.injector = FaultInjector(self.world, self.by_name, self._file.instruments)
        for number, fault in enumerate(self._file.faults):
            try:
                self.injector.plan(fault)
            except InputError as error:
                where = f"{self.path}, line {_line_of_entry(self.path, 'faults', number)}"
                raise InputError(f"key 'faults.{number}': {error.what}", where=where, remedy=error.remedy) from error

    def _make_world(self) -> World:
        bench = self._file
        if bench.wafer is not None:
            return self._world_of_wafer(bench.wafer)
        try:
            return World.from_description(bench.die, seed=bench.seed, line_hertz=bench.line_hertz)
        except InputError as error:
            line = _line_in_die(self.path, error.what)
            raise InputError(f"die: {error.what}", where=f"{self.path}, line {line}", remedy=error.remedy) from error

    def _world_of_wafer(self, name: str) -> World:
        bench, own = self._file, self.path.parent / name
        packaged = Path(str(files("mtjlab.physics"))) / "wafers" / f"{name}.yaml"
        wafer = WaferDescription.load(packaged if not own.exists() and packaged.exists() else own)
        drawn = wafer.draw(0, 0, bench.seed)
        world = World(wafer.die, seed=bench.seed, line_hertz=bench.line_hertz, drawn=drawn)
        world.under_probes = DiesUnderProbes(world, wafer, bench.seed)
        return world


def _line_of_entry(path: Path, key: str, number: int) -> int:
    return int(load_yaml(path)[key].lc.data[number][0]) + 1


def _line_in_die(path: Path, what: str) -> int:
    content = load_yaml(path)
    line = int(content.lc.data["die"][0]) + 1
    key = re.search(r"key '([^'.]+)", what)
    places = getattr(getattr(content["die"], "lc", None), "data", None) or {}
    return int(places[key[1]][0]) + 1 if key and key[1] in places else line


def _make(spec: InstrumentSpec, world: World, host: HostClock) -> WireInstrument:
    module, _, name = _MODELS[spec.model].partition(".")
    made: WireInstrument = getattr(import_module(f".{module}", __package__), name).from_spec(spec, world, host, None)
    return made


def _link(bench: BenchFile, made: dict[str, WireInstrument]) -> None:
    for spec in bench.instruments:
        master = made[spec.name]
        nodes = {number: made[name] for number, name in spec.tsp_link.items()}
        if isinstance(master, TspInstrument):
            master.link.join({n: node for n, node in nodes.items() if isinstance(node, TspInstrument)})


def _cable(world: World, wiring: Wiring) -> None:
    for smu, row in wiring.smus.items():
        world.connect(f"{smu}.hi", f"{wiring.matrix}.row.{row}")
    if wiring.ground_row is not None:
        world.connect(f"{wiring.matrix}.row.{wiring.ground_row}", GROUND)
    for kind, lines in (("row", wiring.row_lines), ("col", wiring.col_lines)):
        for index, column in enumerate(lines):
            world.connect(f"{wiring.matrix}.col.{column}", f"die.{kind}.{index}")


_OPEN_BENCHES: dict[Path, SimBench] = {}
"""Benches by resolved path. They live here, not in a VISA session: what happened to a die must outlast a session."""
_REGISTRY_LOCK = threading.Lock()


def packaged_benches() -> tuple[str, ...]:
    """Names of the benches that come with mtjlab."""
    folder = Path(str(files(_PACKAGED)))
    return tuple(sorted(path.stem for path in folder.glob("*.yaml") if "." not in path.stem))


def bench_path(spec: str) -> Path:
    """Resolved path of the bench file that `spec` means: the name of a packaged bench, or a path.

    Raises InputError, listing the packaged benches, if there is none.
    """
    if spec in packaged_benches():
        return (Path(str(files(_PACKAGED))) / f"{spec}.yaml").resolve()
    is_path = any(sign in spec for sign in "/\\") or PureWindowsPath(spec).suffix in (".yaml", ".yml")
    path = Path(spec).expanduser().resolve()
    if is_path and path.is_file():
        return path
    what = f"there is no bench file '{path}'" if is_path else f"there is no packaged bench '{spec}'"
    listed = ", ".join(packaged_benches())
    raise InputError(what, remedy=f"Give the path of a bench file, or one of the packaged benches: {listed}")


def sim_bench(spec: str) -> SimBench:
    """The bench behind `ResourceManager(f"{spec}@mtjlab")`, opened if it is not yet.

    Raises InputError if there is no such bench or its file is malformed.
    """
    path = bench_path(spec)
    with _REGISTRY_LOCK:
        if path not in _OPEN_BENCHES:
            _OPEN_BENCHES[path] = SimBench(path)
        return _OPEN_BENCHES[path]
