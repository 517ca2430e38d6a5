"""Small worlds with ideal sources, a small simulated bench, and a Crossbar that can be watched or interrupted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mtjlab.bench import MatrixCrossbar
from mtjlab.crossbar_around import CrossbarAround
from mtjlab.drivers.keithley_707b import Keithley707B
from mtjlab.drivers.keithley_2400 import Keithley2400
from mtjlab.limits import DeviceLimits
from mtjlab.nouns import Line, Lines, Reading
from mtjlab.roles import Crossbar
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.world import World
from mtjlab.sim_instruments.world_crossbar import WorldCrossbar
from mtjlab.wiring import load_wiring

NO_DEFECTS = {"short": 0, "open": 0, "stuck_p": 0, "stuck_ap": 0}
ADDRESSES = {"drive": 24, "half_select": 25, "sense": 26, "matrix": 16}


class WatchedCrossbar(CrossbarAround):
    """Passes everything on to another Crossbar, keeping the pulses; interrupts before a given transaction."""

    def __init__(self, inner: Crossbar, interrupt_at: int | None = None) -> None:
        super().__init__(inner)
        self.interrupt_at = interrupt_at
        self.transactions = 0
        self.pulses: list[Lines] = []

    def measure(self, lines: Lines, sense: Sequence[Line]) -> list[Reading]:
        self._count()
        return self.inner.measure(lines, sense)

    def pulse(self, lines: Lines, seconds: float) -> Reading:
        self._count()
        top = self.inner.pulse(lines, seconds)
        self.pulses.append(lines)
        return top

    def _count(self) -> None:
        if self.transactions == self.interrupt_at:
            raise KeyboardInterrupt
        self.transactions += 1


MakeWorld = Callable[..., tuple[World, WorldCrossbar]]


@pytest.fixture
def make_world() -> MakeWorld:
    """A small die without random defects, and ideal sources on it."""

    def make(seed: int = 0, limits: DeviceLimits | None = None, **die: Any) -> tuple[World, WorldCrossbar]:
        description = {"rows": 6, "cols": 6, "defect_rates": NO_DEFECTS, **die}
        world = World.from_description(description, seed=seed, line_hertz=50)
        return world, WorldCrossbar(world, limits)

    return make


@pytest.fixture
def watched() -> type[WatchedCrossbar]:
    """The class, because test modules cannot import from here."""
    return WatchedCrossbar


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[tuple[SimBench, Callable[[], MatrixCrossbar]]]:
    """A 4 x 4 bench of instruments, and a maker of Crossbars on it, not started."""
    with _bench_in(tmp_path) as made:
        yield made


@contextmanager
def _bench_in(folder: Path) -> Iterator[tuple[SimBench, Callable[[], MatrixCrossbar]]]:
    (folder / "wiring.yaml").write_text(
        "matrix: matrix\nsmus: {drive: A, half_select: B, sense: C}\n"
        "row_lines: [101, 102, 103, 104]\ncol_lines: [201, 202, 203, 204]\n"
        "device: {name: test, nominal_on_off_siemens: 1e-4, limits: {}}\n"
    )
    smus = [name for name in ADDRESSES if name != "matrix"]
    entries = [f"  - {{name: {n}, model: keithley_2400, address: 'GPIB0::{ADDRESSES[n]}::INSTR'}}\n" for n in smus]
    path = folder / "bench.yaml"
    path.write_text(
        "bench: small\nseed: 3\nline_hertz: 50\n"
        f"die: {{rows: 4, cols: 4, defect_rates: {NO_DEFECTS}}}\ninstruments:\n{''.join(entries)}"
        "  - {name: matrix, model: keithley_707b, address: 'GPIB0::16::INSTR', cards: [7174A, 7174A]}\n"
        "wiring: wiring.yaml\n"
    )
    simulated = sim_bench(str(path))
    drivers: dict[str, Any] = {}
    try:
        for name, address in ADDRESSES.items():
            driver = Keithley707B if name == "matrix" else Keithley2400
            drivers[name] = driver(name, f"GPIB0::{address}::INSTR", visalib=f"{path}@mtjlab")
        wiring = load_wiring(folder / "wiring.yaml")

        def make() -> MatrixCrossbar:
            return MatrixCrossbar(drivers, drivers["matrix"], wiring, clock=lambda: simulated.world.seconds)

        yield simulated, make
    finally:
        for driver in drivers.values():
            driver.close()
        simulated.close()


@pytest.fixture
def in_state() -> Callable[[World, np.ndarray], None]:
    """Puts every cell of a world into a state."""

    def put(world: World, is_parallel: np.ndarray) -> None:
        world.die.is_parallel[:] = np.asarray(is_parallel, dtype=bool).ravel()
        for index in range(world.die.is_parallel.size):
            world.circuit.cell_changed(index)

    return put
