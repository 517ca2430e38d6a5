"""The simulated bench: a world and the instruments on it, opened from a bench file and kept until told otherwise."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path, PureWindowsPath

from mtjlab.errors import InputError
from mtjlab.wiring import Wiring
from mtjlab.yaml_files import load_yaml

from .bench_file import BenchFile, InstrumentSpec, Model, load_bench_file
from .faults import FaultPlan
from .keithley_707b import SimKeithley707B
from .keithley_2400 import SimKeithley2400
from .visa_locks import Locks
from .wire_instrument import HostClock, WireInstrument
from .world import World

MakeInstrument = Callable[[InstrumentSpec, World, HostClock, FaultPlan | None], WireInstrument]
_MODELS: dict[Model, MakeInstrument] = {
    "keithley_2400": SimKeithley2400.from_spec,
    "keithley_707b": SimKeithley707B.from_spec,
}
_PACKAGED = "mtjlab.sim_instruments.benches"


class SimBench:
    """A world and its instruments.

    Attributes:
        path: the bench file.
        world: what the instruments act on; replaced by `reset`.
        by_name: instruments by the name in the bench file.
        by_address: instruments by canonical VISA address.
        lock: held during every operation of any session.
        locks: VISA locks of the sessions.
        is_closed: whether the bench was taken down; its sessions then report a lost connection.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = threading.RLock()
        self.locks = Locks()
        self.is_closed = False
        self._file, self._wiring = load_bench_file(path)
        self._build()

    @property
    def name(self) -> str:
        """The bench's name."""
        return self._file.bench

    def reset(self) -> None:
        """Everything as when the bench was first opened: the same die, untouched, and instruments just powered on."""
        with self.lock:
            self._build()

    def close(self) -> None:
        """Take the bench down: the next one opened from the same file is new."""
        with self.lock:
            self.is_closed = True
        with _REGISTRY_LOCK:
            if _OPEN_BENCHES.get(self.path) is self:
                del _OPEN_BENCHES[self.path]

    def _build(self) -> None:
        bench = self._file
        self.world = self._make_world()
        host = HostClock(self.world)
        made = {spec.name: _make(spec, self.world, host, bench) for spec in bench.instruments}
        _cable(self.world, self._wiring)
        self.by_name: dict[str, WireInstrument] = made
        self.by_address = {spec.address: made[spec.name] for spec in bench.instruments}

    def _make_world(self) -> World:
        bench = self._file
        try:
            return World.from_description(bench.die, seed=bench.seed, line_hertz=bench.line_hertz)
        except InputError as error:
            line = _line_in_die(self.path, error.what)
            raise InputError(f"die: {error.what}", where=f"{self.path}, line {line}", remedy=error.remedy) from error


def _line_in_die(path: Path, what: str) -> int:
    content = load_yaml(path)
    line = int(content.lc.data["die"][0]) + 1
    key = re.search(r"key '([^'.]+)", what)
    places = getattr(getattr(content["die"], "lc", None), "data", None) or {}
    return int(places[key[1]][0]) + 1 if key and key[1] in places else line


def _make(spec: InstrumentSpec, world: World, host: HostClock, bench: BenchFile) -> WireInstrument:
    planned = [fault for fault in bench.faults if fault.instrument == spec.name]
    return _MODELS[spec.model](spec, world, host, FaultPlan(planned) if planned else None)


def _cable(world: World, wiring: Wiring) -> None:
    for smu, row in wiring.smus.items():
        world.connect(f"{smu}.hi", f"{wiring.matrix}.row.{row}")
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
        return Path(str(files(_PACKAGED))) / f"{spec}.yaml"
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
