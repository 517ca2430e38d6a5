"""A small bench of each packaged kind, and one read or one write on it with a fault: what was left behind."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mtjlab.bench import MatrixCrossbar
from mtjlab.bench_report import ShutdownReport
from mtjlab.nouns import ArrayMap, CellStatus, Conditions, Floats, Site, State
from mtjlab.protocols.readout import readout
from mtjlab.protocols.write_verify import write_verify
from mtjlab.roles import Crossbar, Identity, ScanUnit
from mtjlab.sim_instruments.circuit import Source
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.switches import Switches
from mtjlab.sim_instruments.world import Incident
from mtjlab.store import RunFolder
from mtjlab.wiring import Wiring, load_wiring
from mtjlab.yaml_files import load_yaml

LINES = 3
"""Rows and columns of the small array."""
READ_SITES = [Site(0, 0), Site(0, 1), Site(1, 1)]
WRITE_SITES = [Site(0, 0), Site(1, 2)]
_NO_DEFECTS = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
_PACKAGED = Path(str(files("mtjlab.sim_instruments.benches")))
Keep = Callable[[ArrayMap], None]


@dataclass(frozen=True)
class Row:
    """One line of `readings.csv` without its time."""

    kind: str
    driven: str
    sensed: str
    volts: float
    amps: float
    is_marked: bool

    def agrees(self, other: Row) -> bool:
        """Whether it is the same reading but for noise."""
        if (self.kind, self.driven, self.sensed) != (other.kind, other.driven, other.sensed):
            return False
        close = np.isclose([self.volts, self.amps], [other.volts, other.amps], rtol=0.02, atol=1e-7, equal_nan=True)
        return bool(close.all())


@dataclass
class Outcome:
    """What one run came to, and what the world was like after it.

    Attributes:
        error: what ended it; None if it finished.
        rows: what is in `readings.csv`.
        kept: the map that the protocol kept, if it came so far.
        report: what the bench says of its end.
        live: instruments with an output that is not open.
        closed: relays that conduct, those apart that a fault keeps where they are.
        cell_volts: largest voltage across any cell.
        incidents: what the world has on record.
        identities: what the instruments said they are; empty if the bench did not start.
    """

    error: BaseException | None
    rows: list[Row]
    kept: ArrayMap | None
    report: ShutdownReport
    live: tuple[str, ...]
    closed: int
    cell_volts: float
    incidents: list[Incident]
    identities: dict[str, Identity]


@dataclass
class Opened:
    """Drivers of a station by name, and their parts by the wiring's names."""

    drivers: dict[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> Any:
        """An instrument, or with `smu.a` its channel."""
        instrument, _, channel = name.partition(".")
        driver = self.drivers[instrument]
        return driver.submodules[channel] if channel else driver

    @property
    def scan_units(self) -> tuple[ScanUnit, ...]:
        """Those that can scan by themselves."""
        return tuple(driver for driver in self.drivers.values() if isinstance(driver, ScanUnit))


class Rig:
    """A packaged bench, cut down to a small array without defects.

    Args:
        name: of the packaged bench.
        folder: where its files and those of its runs go.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._folder = folder / name
        self._folder.mkdir()
        self.bench = self._small_bench()
        self.wiring: Wiring = load_wiring(self._folder / f"{name}.wiring.yaml")
        self._station = load_yaml(_PACKAGED / f"{name}.station.yaml")["instruments"]
        self._runs = 0

    def close(self) -> None:
        """Take the simulated bench down."""
        self.bench.close()

    def _small_bench(self) -> SimBench:
        for name in (f"{self.name}.yaml", f"{self.name}.wiring.yaml"):
            content = load_yaml(_PACKAGED / name)
            if "die" in content:
                content["die"] = {"rows": LINES, "cols": LINES, "defect_rates": _NO_DEFECTS}
            for key in ("row_lines", "col_lines"):
                if key in content:
                    content[key] = list(content[key])[:LINES]
            _dump(content, self._folder / name)
        return sim_bench(str(self._folder / f"{self.name}.yaml"))

    @property
    def sources(self) -> list[str]:
        """Instruments that have an output."""
        return [name for name in self._station if self.bench.world.sources_of(name)]

    @property
    def instruments(self) -> list[str]:
        """All of them."""
        return list(self._station)

    def run(self, job: str, prepare: Callable[[SimBench, Opened, MatrixCrossbar, list[str]], None]) -> Outcome:
        """Everything from the start to the shutdown, as `mtjlab demo` does it; `prepare` may inject a fault."""
        self.bench.reset()
        kept: list[ArrayMap] = []
        self._runs += 1
        folder = RunFolder(self._folder / f"run{self._runs}", clock=lambda: self.bench.world.seconds)
        with folder, self._opened() as opened:
            crossbar = self._crossbar(opened, folder)
            stage = ["start"]
            prepare(self.bench, opened, crossbar, stage)
            identities: dict[str, Identity] = {}
            error = self._ended(job, crossbar, kept.append, stage, identities)
            outcome = self._found(error, folder, kept, crossbar)
            outcome.identities = identities
        shutil.rmtree(folder.path)
        return outcome

    def _ended(
        self, job: str, crossbar: MatrixCrossbar, keep: Keep, stage: list[str], identities: dict[str, Identity]
    ) -> BaseException | None:
        """What ended the run; `stage` says meanwhile what it is at."""
        try:
            with crossbar:
                try:
                    identities.update(crossbar.start())
                    stage[0] = "run"
                    JOBS[job](crossbar, keep, self)
                    crossbar.idle()
                    stage[0] = "checking errors"
                    crossbar.check_errors()
                finally:
                    stage[0] = "shutdown"
        except Exception as error:  # whatever it is: the verdict says whether it may escape
            return error
        return None

    def _crossbar(self, opened: Opened, folder: RunFolder) -> MatrixCrossbar:
        return MatrixCrossbar(
            {name: opened.part(name) for name in self.wiring.smus},
            opened.part(self.wiring.matrix),
            self.wiring,
            scan_units=opened.scan_units,
            clock=folder.clock,
            listener=folder.listen,
        )

    @contextmanager
    def _opened(self) -> Iterator[Opened]:
        opened = Opened()
        try:
            for name, entry in self._station.items():
                module, _, kind = str(entry["type"]).rpartition(".")
                driver = getattr(import_module(module), kind)
                opened.drivers[name] = driver(name, str(entry["address"]), visalib=f"{self.bench.path}@mtjlab")
            yield opened
        finally:
            for driver in opened.drivers.values():
                driver.close()

    def _found(
        self, error: BaseException | None, folder: RunFolder, kept: list[ArrayMap], crossbar: MatrixCrossbar
    ) -> Outcome:
        world = self.bench.world
        live = [name for name in self.sources if any(_is_on(source) for source in world.sources_of(name))]
        return Outcome(
            error=error,
            rows=_rows(folder.path / "readings.csv"),
            kept=kept[-1] if kept else None,
            report=crossbar.shutdown_report,
            live=tuple(live),
            closed=sum(_closed_crosspoints(switches) for switches in world._switches),
            cell_volts=float(np.abs(world.cell_volts()).max()),
            incidents=list(world.incidents),
            identities={},
        )

    def reference(self) -> ArrayMap:
        """What a survey of this die would give, from the world itself."""
        die = self.bench.world.die
        parallel = die.siemens_p.reshape(LINES, LINES)
        antiparallel = (die.siemens_p / (1 + die.tmr)).reshape(LINES, LINES)
        state = np.where(die.is_parallel, State.P, State.AP).reshape(LINES, LINES).astype(np.int8)
        blank: Floats = np.full((LINES, LINES), np.nan)
        status = np.full((LINES, LINES), CellStatus.OK, dtype=np.int8)
        return ArrayMap(blank, parallel, antiparallel, state, status, blank, Conditions(0.1))


def _is_on(source: Source) -> bool:
    """An output that is off is open or at exactly 0 V; one that is on has at least its offset error."""
    return source._output.mode != "open" and source._output.level != 0.0


def _closed_crosspoints(switches: Switches) -> int:
    """How many relays lead to lines, those apart that a fault keeps where they are."""
    numbers = {number for pair, number in switches._number_of.items() if any(".col." in node for node in pair)}
    return len((switches.closed & numbers) - switches.stuck)


def _read(crossbar: Crossbar, keep: Keep, rig: Rig) -> None:
    del rig
    readout(crossbar, sites=READ_SITES, keep=keep)


def _write(crossbar: Crossbar, keep: Keep, rig: Rig) -> None:
    """Two cells into the other state."""
    reference = rig.reference()
    target = np.full((LINES, LINES), State.UNKNOWN, dtype=np.int8)
    for site in WRITE_SITES:
        target[site] = State.AP if reference.state[site] == State.P else State.P
    write_verify(crossbar, target, reference, keep=keep)


JOBS: dict[str, Callable[[Crossbar, Keep, Rig], None]] = {"read": _read, "write": _write}


def _rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row(
                line["kind"],
                line["driven"],
                line["sensed"],
                float(line["volts"]),
                float(line["amps"]),
                "1" in (line["in_compliance"], line["is_overflow"]),
            )
            for line in csv.DictReader(file)
        ]


def _dump(content: Any, path: Path) -> None:
    from ruamel.yaml import YAML

    with path.open("w", encoding="utf-8") as file:
        YAML(typ="rt", pure=True).dump(content, file)
