"""A bench of its own for each test, and a way to talk to an instrument without VISA."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path, sim_bench
from mtjlab.sim_instruments.wire_instrument import WireInstrument

Tell = Callable[..., None]
Ask = Callable[..., str]
OpenResource = Callable[..., MessageBasedResource]


@pytest.fixture
def tell() -> Tell:
    """Sends messages to an instrument."""

    def tell_it(instrument: WireInstrument, *messages: str) -> None:
        for message in messages:
            instrument.receive(message.encode("latin-1") + b"\n", is_end=True, bus_seconds=0.0)

    return tell_it


@pytest.fixture
def ask(tell: Tell) -> Ask:
    """Sends a message and reads the reply, without its newline."""

    def ask_it(instrument: WireInstrument, message: str, timeout_seconds: float | None = None) -> str:
        tell(instrument, message)
        data, _ = instrument.send(10**7, timeout_seconds=timeout_seconds, termination=None, bus_seconds=0.0)
        return data.decode("latin-1").removesuffix("\n")

    return ask_it


@pytest.fixture
def bench_folder(tmp_path: Path) -> Path:
    """A folder with a copy of the packaged bench as bench.yaml."""
    packaged = bench_path("passive15")
    shutil.copy(packaged, tmp_path / "bench.yaml")
    shutil.copy(packaged.parent / "passive15.wiring.yaml", tmp_path)
    return tmp_path


@pytest.fixture
def spec(bench_folder: Path) -> Iterator[str]:
    """What ResourceManager and sim_bench take; the bench is taken down afterwards."""
    path = str(bench_folder / "bench.yaml")
    yield path
    sim_bench(path).close()


@pytest.fixture
def bench(spec: str) -> SimBench:
    """The simulated bench."""
    return sim_bench(spec)


@pytest.fixture
def open_resource(spec: str) -> Iterator[OpenResource]:
    """Opens resources of the bench through PyVISA, with newline terminations."""
    manager = pyvisa.ResourceManager(f"{spec}@mtjlab")

    def open_it(address: str, **settings: object) -> MessageBasedResource:
        resource = manager.open_resource(address, **({"read_termination": "\n", "write_termination": "\n"} | settings))
        assert isinstance(resource, MessageBasedResource)
        return resource

    yield open_it
    manager.close()
