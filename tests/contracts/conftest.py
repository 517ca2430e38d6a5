"""A simulated bench of its own for each test, from files that the test may change."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from qcodes.instrument import Instrument

from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench

OpenBench = Callable[..., SimBench]
OpenDriver = Callable[..., Instrument]


@contextmanager
def _benches_in(folder: Path) -> Iterator[OpenBench]:
    opened: list[SimBench] = []

    def open_it(name: str = "passive15", **changes: str) -> SimBench:
        packaged = bench_path(name)
        shutil.copy(packaged.parent / f"{name}.wiring.yaml", folder)
        text = packaged.read_text()
        for key, value in changes.items():
            old = next(line for line in text.splitlines() if line.startswith(f"{key}:"))
            text = text.replace(old, f"{key}: {value}")
        path = folder / "bench.yaml"
        path.write_text(text)
        opened.append(sim_bench(str(path)))
        return opened[-1]

    try:
        yield open_it
    finally:
        for bench in opened:
            bench.close()


@pytest.fixture
def open_bench(tmp_path: Path) -> Iterator[OpenBench]:
    """Opens a copy of a packaged bench in which each keyword has replaced the text of its key; closed afterwards."""
    with _benches_in(tmp_path) as open_it:
        yield open_it


@pytest.fixture
def open_text(tmp_path: Path) -> Iterator[Callable[[str], SimBench]]:
    """Opens the bench that a text describes; closed afterwards."""
    opened: list[SimBench] = []

    def open_it(text: str) -> SimBench:
        path = tmp_path / f"rig{len(opened)}.yaml"
        path.write_text(text, encoding="utf-8")
        opened.append(sim_bench(str(path)))
        return opened[-1]

    yield open_it
    for bench in opened:
        bench.close()


@contextmanager
def _drivers() -> Iterator[OpenDriver]:
    opened: list[Instrument] = []

    def open_it(driver: Callable[..., Instrument], name: str, bench: SimBench) -> Instrument:
        address = next(a for a, instrument in bench.by_address.items() if instrument is bench.by_name[name])
        opened.append(driver(name, address, visalib=f"{bench.path}@mtjlab"))
        return opened[-1]

    try:
        yield open_it
    finally:
        for instrument in opened:
            instrument.close()


@pytest.fixture
def open_driver() -> Iterator[OpenDriver]:
    """Opens a driver on a simulated bench; closed afterwards."""
    with _drivers() as open_it:
        yield open_it


@pytest.fixture(scope="session")
def opening() -> Callable[[Path], AbstractContextManager[tuple[OpenBench, OpenDriver]]]:
    """`open_bench` and `open_driver` for longer than one test, with a folder of their own."""

    @contextmanager
    def both(folder: Path) -> Iterator[tuple[OpenBench, OpenDriver]]:
        with _benches_in(folder) as open_bench, _drivers() as open_driver:
            yield open_bench, open_driver

    return both
