"""Small Crossbars of every kind that can be stopped or broken at any transaction, and the world behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from mtjlab.bench import MatrixCrossbar
from mtjlab.drivers.daffodil import DaffodilCrossbar
from mtjlab.drivers.daffodil_settings import DaffodilSettings
from mtjlab.errors import InstrumentError
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import FLOATING, Cost, Line, Lines, Reading
from mtjlab.roles import Capabilities, Crossbar, FieldSource, HeardRead, Identity, LineRead, not_heard
from mtjlab.sim_instruments.daffodil_board import SimDaffodilBoard
from mtjlab.sim_instruments.daffodil_chip import DaffodilChip
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench
from mtjlab.sim_instruments.world import Incident, World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar
from mtjlab.station import open_station
from mtjlab.wiring import load_wiring
from mtjlab.yaml_files import load_yaml

LINES = 3
SHAPE = (LINES, LINES)
NO_DEFECTS = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
MANY = DeviceLimits(pulses_per_cell=100_000)


class Trap:
    """Counts transactions where they reach the instrument; does something at one of them."""

    def __init__(self) -> None:
        self.count = 0
        self.at: int | None = None
        self.spring: Callable[[str], None] = lambda _: None

    def passed(self, name: str = "") -> None:
        number, self.count = self.count, self.count + 1
        if number == self.at:
            self.spring(name)


class Rig:
    """A Crossbar of 3 x 3 cells, new for every run.

    Attributes:
        may_hang: whether a broken instrument listens again only at the bench's own end.
    """

    crossbar: Crossbar
    may_hang = False

    def __init__(self) -> None:
        self.trap, self.field = Trap(), Field()

    @property
    def is_off(self) -> bool:
        """Whether nothing is driven in the simulated world."""
        raise NotImplementedError

    @property
    def incidents(self) -> list[Incident]:
        raise NotImplementedError

    def wait(self, seconds: float) -> None:
        raise NotImplementedError

    def die(self) -> Any:
        """The cells."""
        raise NotImplementedError

    def fail(self, name: str) -> None:
        """The instrument that is just being talked to fails."""
        raise InstrumentError("broke down", where=name)

    @contextmanager
    def until_shut(self) -> Iterator[None]:
        """Ends as a bench ends, however the run does."""
        yield

    @property
    def was_idle_asked(self) -> bool:
        """Whether the fault came while the protocol was already switching off, which the bench's own end then does."""
        return False


class Field(FieldSource):
    """Nothing but a number."""

    def __init__(self) -> None:
        self.value, self.is_on = 0.0, False

    def identity(self) -> Identity:
        return Identity("mtjlab", "field", "0", "0")

    def prepare(self, *, tesla_limit: float) -> None:
        del tesla_limit

    def set_tesla(self, tesla: float) -> None:
        self.value, self.is_on = tesla, True

    def tesla(self) -> float:
        return self.value

    def output_off(self) -> None:
        self.value, self.is_on = 0.0, False

    def is_output_on(self) -> bool:
        return self.is_on

    def check_errors(self) -> None:
        return

    def recover(self) -> None:
        return


class MemoryRig(Rig):
    """Ideal sources right on a die."""

    def __init__(self) -> None:
        super().__init__()
        description = {"rows": LINES, "cols": LINES, "defect_rates": NO_DEFECTS}
        self.world = World.from_description(description, seed=3, line_hertz=50)
        rig = self

        class Trapped(WorldCrossbar):
            def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
                rig.trap.passed("world")
                return super().measure(lines, sense)

            def pulse(self, lines: Lines, seconds: float) -> Reading:
                rig.trap.passed("world")
                return super().pulse(lines, seconds)

        self.crossbar = Trapped(self.world, MANY)

    @property
    def is_off(self) -> bool:
        return not self.world.is_live

    @property
    def incidents(self) -> list[Incident]:
        return self.world.incidents

    def wait(self, seconds: float) -> None:
        self.world.wait(seconds)

    def die(self) -> Any:
        return self.world.die


class Corner(Crossbar):
    """The first 3 x 3 cells of a kernel: the other lines are at 0 V in readings and float in pulses."""

    def __init__(self, whole: DaffodilCrossbar) -> None:
        self._whole = whole

    @property
    def shape(self) -> tuple[int, int]:
        return SHAPE

    @property
    def capabilities(self) -> Capabilities:
        return self._whole.capabilities

    @property
    def spent(self) -> Cost:
        return self._whole.spent

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        return self._whole.measure(self._wide(lines, 0.0), sense)

    def measure_each(self, reads: Sequence[LineRead], *, heard: HeardRead = not_heard) -> list[Reading]:
        wide = {id(read.lines): self._wide(read.lines, 0.0) for read in reads}
        return self._whole.measure_each([LineRead(wide[id(lines)], sense) for lines, sense in reads], heard=heard)

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        return self._whole.pulse(self._wide(lines, FLOATING), seconds)

    def idle(self) -> None:
        self._whole.idle()

    def _wide(self, lines: Lines, rest: float) -> Lines:
        if lines.row_volts.size != LINES or lines.col_volts.size != LINES:
            raise AssertionError("lines of another array")
        return Lines(*(np.concatenate([v, np.full(25 - LINES, rest)]) for v in (lines.row_volts, lines.col_volts)))


class BoardRig(Rig):
    """A corner of a kernel of a simulated Daffodil board."""

    def __init__(self) -> None:
        super().__init__()
        self.board = SimDaffodilBoard(DaffodilChip.draw(seed=5, defect_rates=NO_DEFECTS), seed=5)
        event = self.board.event

        def trapped() -> None:
            self.trap.passed("board")
            event()

        self.board.event = trapped  # type: ignore[method-assign]
        whole = DaffodilCrossbar(
            self.board,
            kernel=19,
            limits=MANY,
            settings=DaffodilSettings(averages=1),
            wait=self.board.wait,
            clock=self.board.clock,
        )
        self.crossbar = Corner(whole)

    @property
    def is_off(self) -> bool:
        return not (
            any(self.board.ROW_EN_tobe)
            or any(self.board.COL_EN_tobe)
            or self.board.events.released_at > self.board.seconds
        )

    @property
    def incidents(self) -> list[Incident]:
        return self.board.incidents

    def wait(self, seconds: float) -> None:
        self.board.wait(seconds)

    def die(self) -> Any:
        return self.board.chip.kernels[19].die

    def fail(self, name: str) -> None:
        raise RuntimeError(f"{name} lost its supply")


class BenchRig(Rig):
    """A packaged bench cut down to a small array; messages are the transactions."""

    may_hang = True

    def __init__(self, bench: SimBench, station: Any, wiring: Any) -> None:
        super().__init__()
        bench.reset()
        self.bench, self.is_idling, self.has_sprung_in_idle = bench, False, False
        for name, instrument in bench.by_name.items():
            self._tap(name, instrument)
        limited = wiring.model_copy(update={"device": wiring.device.model_copy(update={"limits": MANY})})
        rig = self

        class Watched(MatrixCrossbar):
            def idle(self) -> None:
                rig.is_idling = True
                super().idle()
                rig.is_idling = False

        self.crossbar = Watched(
            station.smus,
            station.matrix,
            limited,
            scan_units=station.scan_units,
            clock=lambda: bench.host.seconds,
        )
        self.crossbar.start()
        self.trap.count = 0

    @contextmanager
    def until_shut(self) -> Iterator[None]:
        try:
            yield
        finally:
            self.trap.at = None
            self.crossbar.shutdown()  # type: ignore[attr-defined]

    def _tap(self, name: str, instrument: Any) -> None:
        receive = instrument.receive

        def tapped(data: bytes, **how: Any) -> None:
            is_here = self.trap.count == self.trap.at
            self.has_sprung_in_idle |= is_here and self.is_idling
            self.trap.passed(name)
            receive(data, **how)

        instrument.receive = tapped

    @property
    def is_off(self) -> bool:
        world = self.bench.world
        outputs = [source._output for name in self.bench.by_name for source in world.sources_of(name)]
        return not world.is_live and all(out.mode == "open" or out.level == 0.0 for out in outputs)

    @property
    def was_idle_asked(self) -> bool:
        return self.has_sprung_in_idle

    @property
    def incidents(self) -> list[Incident]:
        return self.bench.world.incidents

    def wait(self, seconds: float) -> None:
        self.bench.world.wait(seconds)

    def die(self) -> Any:
        return self.bench.world.die

    def fail(self, name: str) -> None:
        self.bench.inject("late", name, after_operations=0, seconds=300.0)


MakeRig = Callable[[], Rig]
BENCHES = ("passive15", "linked15", "biased15")


def small_bench(name: str, folder: Path) -> tuple[SimBench, Any, Any]:
    packaged = bench_path(name)
    bench, wiring = load_yaml(packaged), load_yaml(packaged.with_name(f"{name}.wiring.yaml"))
    bench["die"] = {"rows": LINES, "cols": LINES, "defect_rates": NO_DEFECTS}
    for key in ("row_lines", "col_lines"):
        wiring[key] = list(wiring[key])[:LINES]
    for content, file in ((bench, f"{name}.yaml"), (wiring, f"{name}.wiring.yaml")):
        with (folder / file).open("w", encoding="utf-8") as out:
            YAML(typ="rt", pure=True).dump(content, out)
    station = packaged.with_name(f"{name}.station.yaml").read_text(encoding="utf-8")
    path = folder / f"{name}.yaml"
    (folder / "station.yaml").write_text(station.replace(f"{name}@mtjlab", f"'{path}@mtjlab'"), encoding="utf-8")
    simulated = sim_bench(str(path))
    loaded = load_wiring(folder / f"{name}.wiring.yaml")
    return simulated, open_station(folder / "station.yaml", folder / f"{name}.wiring.yaml", loaded), loaded


@pytest.fixture(scope="module")
def kind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, MakeRig]]:
    """Name of a kind of Crossbar, and what makes a new one."""
    name = request.param
    if name not in BENCHES:
        yield name, {"memory": MemoryRig, "board": BoardRig}[name]
        return
    simulated, station, wiring = small_bench(name, tmp_path_factory.mktemp(name))
    try:
        yield name, lambda: BenchRig(simulated, station, wiring)
    finally:
        station.close()
        simulated.close()
