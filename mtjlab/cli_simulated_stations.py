"""Probers with a simulated wafer of chips on the chuck, for `mtjlab probe`: our drivers of Velox and SENTIO over VISA.

The station (sim_instruments/prober_world.py) lives on a simulated bench of its own: `station.yaml` in the run's folder.
What does not end with the program (touch-downs, marks, cleanings, the wafer's alignment) is in `station.jsonl` there.
This is composition, so it stands beside the command line; it has no commands.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mtjlab.drivers.formfactor_velox import FormFactorVelox
from mtjlab.drivers.mpi_sentio import MpiSentio
from mtjlab.sim_instruments.memory_prober import MemoryProber
from mtjlab.sim_instruments.prober_dies import Place, UnderProbes
from mtjlab.sim_instruments.prober_journal import StationJournal
from mtjlab.sim_instruments.prober_spec import StationSpec
from mtjlab.sim_instruments.prober_world import Place as StationPlace
from mtjlab.sim_instruments.simulated_bench import sim_bench

from .errors import InputError
from .nouns import DieId, Floats
from .physics.die_description import DieDescription
from .physics.populations import WaferDescription
from .prober import DiePosition, Prober
from .wafer_map import MapDie, WaferMap

Kind = Literal["velox", "sentio", "memory"]
_MODELS: dict[str, tuple[str, str, Any]] = {
    "velox": ("formfactor_velox", "TCPIP0::10.0.0.5::1412::SOCKET", FormFactorVelox),
    "sentio": ("mpi_sentio", "TCPIP0::10.0.0.5::35555::SOCKET", MpiSentio),
}
_LINE_HERTZ = 50
AS_LOADED = StationSpec(misalignment_um=(60.0, -40.0))
"""A wafer that was just loaded lies beside the tips until it is aligned; an assumption, as all numbers of a station."""


class SimStage(AbstractContextManager["SimStage"], ABC):
    """A prober with a wafer on its chuck.

    Attributes:
        prober: plays the role; closed on leaving.
    """

    prober: Prober

    @property
    @abstractmethod
    def incidents(self) -> list[str]:
        """What should never happen, so far."""

    @abstractmethod
    def seconds(self) -> float:
        """Simulated time of the prober."""

    @abstractmethod
    def place_of(self, die: DieId) -> Place:
        """Where a die of the prober's map is in the wafer's description."""

    @abstractmethod
    def foretell(self, die: DieId, after: int) -> Floats:
        """Contacts of the next touch-down on a die, if so many on other dies come before it."""

    @abstractmethod
    def align(self) -> None:
        """Align the wafer, as an operator does who has loaded it; a wafer that was aligned stays so."""


class StationStage(SimStage):
    """A simulated station behind our driver, over VISA.

    Args:
        folder: for the station's files; what they remember goes on.
        under: what the probes touch.
        overtravel_metres: that touch-downs are foretold for.
    """

    def __init__(
        self, folder: Path, kind: Kind, under: UnderProbes, spec: StationSpec, overtravel_metres: float
    ) -> None:
        model, address, driver = _MODELS[kind]
        path = _bench_file(folder, under.wafer, under.seed, model, address, spec)
        self._um, self._bench = overtravel_metres * 1e6, sim_bench(str(path))
        self.station = self._bench.by_name["prober"].station  # type: ignore[attr-defined]
        self.station.put_under(under)
        self.station.remember(StationJournal(folder / "station.jsonl"))
        more = {"axes": spec.axes} if kind == "velox" else {}
        self.prober: Any = driver("prober", address, visalib=f"{path}@mtjlab", **more)

    def __exit__(self, *ended: object) -> None:
        self.prober.close()
        self._bench.close()

    @property
    def incidents(self) -> list[str]:
        """See SimStage."""
        return [str(incident) for incident in self._bench.world.incidents]

    def seconds(self) -> float:
        """See SimStage."""
        return self._bench.world.seconds

    def place_of(self, die: DieId) -> Place:
        """See SimStage."""
        place: Place = self.station.source_place(StationPlace(die.x, die.y))
        return place

    def foretell(self, die: DieId, after: int) -> Floats:
        """See SimStage."""
        factors: Floats = self.station.foretold(StationPlace(die.x, die.y), self._um, after)
        return factors

    def align(self) -> None:
        """See SimStage."""
        if not self.station.alignments:
            self.prober.align()


class MemoryStage(SimStage):
    """A chuck without an instrument, whose contacts are always as the wafer's description has them."""

    def __init__(self, under: UnderProbes) -> None:
        self._under = under
        self.prober: Any = MemoryProber(map_of_wafer(under.wafer), happened=self._moved)
        self._live_moves: list[str] = []

    def _moved(self, what: str, where: DiePosition) -> None:
        if self._under.is_live:
            self._live_moves.append(f"{what} at {where} while lines were driven")
        if what == "step":
            self._under.bring((where.x, where.y, 0))
        elif what == "down":
            self._under.touch(np.ones(self._under.lines))
        else:
            self._under.lift()

    def __exit__(self, *ended: object) -> None:
        """Nothing to close."""

    @property
    def incidents(self) -> list[str]:
        """See SimStage."""
        return [*self.prober.incidents, *self._live_moves]

    def seconds(self) -> float:
        """See SimStage."""
        return float(self.prober.seconds)

    def place_of(self, die: DieId) -> Place:
        """See SimStage: the same numbers."""
        return die.x, die.y, 0

    def foretell(self, die: DieId, after: int) -> Floats:
        """See SimStage."""
        return np.ones(self._under.lines)

    def align(self) -> None:
        """See SimStage."""


def map_of_wafer(wafer: WaferDescription) -> WaferMap:
    """The dies that a description has, in its own numbers."""
    dies = tuple(MapDie(x, y) for x, y in wafer.places)
    return WaferMap(wafer.wafer, dies, notch_degrees=180, source="the wafer's description")


def sim_stage(folder: Path, kind: Kind, under: UnderProbes, spec: StationSpec, overtravel_metres: float) -> SimStage:
    """The prober of that kind with the wafer of `under`."""
    return MemoryStage(under) if kind == "memory" else StationStage(folder, kind, under, spec, overtravel_metres)


def _bench_file(folder: Path, wafer: WaferDescription, seed: int, model: str, address: str, spec: StationSpec) -> Path:
    """A bench with nothing but a prober; its own dies, which `put_under` replaces, are as small as can be."""
    if "@" in str(folder):
        raise InputError("the path holds an '@', which PyVISA reserves", where=str(folder), remedy="Use another --out")
    small = wafer.model_copy(update={"die": DieDescription(rows=1, cols=1), "clusters": []})
    bench = {
        "bench": "station",
        "seed": seed,
        "line_hertz": _LINE_HERTZ,
        "wafer": "station.wafer.yaml",
        "instruments": [
            {"name": "prober", "model": model, "address": address, "prober": spec.model_dump(mode="json")},
        ],
    }
    for name, content in (("station.wafer.yaml", small.model_dump(mode="json")), ("station.yaml", bench)):
        (folder / name).write_text(json.dumps(content, indent=1), encoding="utf-8")
    return folder / "station.yaml"
