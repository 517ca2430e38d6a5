"""Simulated benches of the same die in any size, opened with a count of messages and relay closings."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mtjlab.bench import BenchSettings, MatrixCrossbar
from mtjlab.sim_instruments.relay_contacts import Contacts
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench
from mtjlab.sim_instruments.switching_tables import GUARDED_REED, K707B_RELAY
from mtjlab.station import OpenStation, open_station
from mtjlab.wiring import Wiring, load_wiring
from mtjlab.yaml_files import load_yaml

POWER_CYCLES, LINE_HERTZ = 0.1, 50
INTEGRATION_SECONDS = POWER_CYCLES / LINE_HERTZ
PER_CARD = 12
Shape = tuple[int, int]


@dataclass(frozen=True)
class BenchKind:
    """A mix of instruments.

    Attributes:
        title: as the table has it.
        packaged: the packaged bench that it comes from.
        contacts: of its matrix.
        most_lines: rows and columns of an array together.
        wiring: what is changed in the wiring file.
        scans: whether its SMUs may scan by themselves.
    """

    title: str
    packaged: str
    contacts: Contacts
    most_lines: int
    wiring: dict[str, Any] = field(default_factory=dict)
    scans: bool = True

    @property
    def settle_seconds(self) -> float:
        """Opening and then closing."""
        return self.contacts.seconds(closes=True, opens=False) + self.contacts.seconds(closes=False, opens=True)

    def reaches(self, shape: Shape) -> bool:
        """Whether its matrix has lines enough."""
        return sum(shape) <= self.most_lines


KINDS = (
    BenchKind("2400s + 707B", "passive15", K707B_RELAY, 72),
    BenchKind("2400s + 707B, relays at 0 V", "passive15", K707B_RELAY, 72, {"relays_move": "at_zero_volts"}),
    BenchKind("2602B + 707B", "linked15", K707B_RELAY, 72, {"relays_move": "outputs_off"}),
    BenchKind("2602B + 707B, relays at 0 V", "linked15", K707B_RELAY, 72, scans=False),
    BenchKind("2602B + 707B, TSP-Link", "linked15", K707B_RELAY, 72),
    BenchKind("B2902A + B2201A", "biased15", GUARDED_REED, 48, {"relays_move": "outputs_off"}),
    BenchKind("B2902A + B2201A, relays at 0 V", "biased15", GUARDED_REED, 48),
)


@dataclass
class Rig:
    """An open bench.

    Attributes:
        bench: what is simulated.
        wiring: of the bench.
        messages: how many messages its instruments have been sent.
    """

    bench: SimBench
    wiring: Wiring
    messages: int = 0

    @property
    def library(self) -> str:
        """For `visalib`."""
        return f"{self.bench.path}@mtjlab"

    @property
    def closings(self) -> int:
        """How often relays of the matrix have closed, those that it moved by itself included."""
        matrix: Any = self.bench.by_name["matrix"]
        relays = getattr(matrix, "relays", None) or matrix._relays
        return sum(relays.counts.values())

    def count(self) -> None:
        """Count messages from now on."""
        for instrument in self.bench.by_name.values():
            self._tap(instrument)

    def _tap(self, instrument: Any) -> None:
        receive = instrument.receive

        def counted(data: bytes, **how: Any) -> None:
            self.messages += 1
            receive(data, **how)

        instrument.receive = counted


@dataclass
class Spent:
    """What something took on a bench, as the program at the host sees it."""

    seconds: float = 0.0
    messages: int = 0
    closings: int = 0


@contextmanager
def spending(rig: Rig) -> Iterator[Spent]:
    """Fills what was spent inside."""
    spent = Spent()
    before = rig.bench.host.seconds, rig.messages, rig.closings
    yield spent
    after = rig.bench.host.seconds, rig.messages, rig.closings
    spent.seconds, spent.messages, spent.closings = after[0] - before[0], after[1] - before[1], after[2] - before[2]


@contextmanager
def rig_of(kind: BenchKind, shape: Shape, die: str) -> Iterator[Rig]:
    """The bench, new, with a die of this shape and description (YAML of further keys)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bench = sim_bench(str(_files(folder, kind, shape, die)))
        try:
            rig = Rig(bench, load_wiring(folder / "wiring.yaml").model_copy(update=kind.wiring))
            rig.count()
            yield rig
            if bench.world.incidents:
                raise RuntimeError(f"{kind.title}: {bench.world.incidents[0]}")
        finally:
            bench.close()


@contextmanager
def crossbar_of(kind: BenchKind, rig: Rig) -> Iterator[MatrixCrossbar]:
    """Our drivers and bench on it, started."""
    folder = rig.bench.path.parent
    station = open_station(folder / "station.yaml", folder / "wiring.yaml", rig.wiring)
    try:
        with _crossbar(kind, rig, station) as crossbar:
            crossbar.start()
            yield crossbar
        if not crossbar.shutdown_report.is_safe:
            raise RuntimeError(f"{kind.title}: {crossbar.shutdown_report}")
    finally:
        station.close()


def _crossbar(kind: BenchKind, rig: Rig, station: OpenStation) -> MatrixCrossbar:
    return MatrixCrossbar(
        station.smus,
        station.matrix,
        rig.wiring,
        settings=BenchSettings(power_cycles=POWER_CYCLES),
        scan_units=station.scan_units if kind.scans else (),
        clock=lambda: rig.bench.host.seconds,
    )


def _files(folder: Path, kind: BenchKind, shape: Shape, die: str) -> Path:
    """The packaged files with lines, cards and die for this shape; returns the bench file."""
    import io

    from ruamel.yaml import YAML

    packaged, yaml = bench_path(kind.packaged), YAML()
    bench, wiring = load_yaml(packaged), load_yaml(packaged.with_name(f"{kind.packaged}.wiring.yaml"))
    columns = [100 * (1 + k // PER_CARD) + 1 + k % PER_CARD for k in range(sum(shape))]
    wiring["row_lines"], wiring["col_lines"] = columns[: shape[0]], columns[shape[0] :]
    matrix = next(entry for entry in bench["instruments"] if entry["name"] == "matrix")
    matrix["cards"] = [matrix["cards"][0]] * -(-sum(shape) // PER_CARD)
    bench["die"] = yaml.load(f"{{rows: {shape[0]}, cols: {shape[1]}, {die}}}")
    bench["wiring"] = "wiring.yaml"
    for name, content in (("bench.yaml", bench), ("wiring.yaml", wiring)):
        text = io.StringIO()
        yaml.dump(content, text)
        (folder / name).write_text(text.getvalue(), encoding="utf-8")
    station = packaged.with_name(f"{kind.packaged}.station.yaml").read_text(encoding="utf-8")
    path = folder / "bench.yaml"
    library = f"'{path}@mtjlab'"
    (folder / "station.yaml").write_text(station.replace(f"{kind.packaged}@mtjlab", library), encoding="utf-8")
    return path


def instruments(rig: Rig, names: Sequence[str]) -> list[str]:
    """VISA addresses by name."""
    by_instrument = {id(instrument): address for address, instrument in rig.bench.by_address.items()}
    return [by_instrument[id(rig.bench.by_name[name])] for name in names]
