"""The supervisor: a run that ends well, one that is killed, one that freezes; and the panic button."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtjlab.errors import InstrumentError
from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.tcp_server import TcpServer
from mtjlab.supervisor import Supervisor, Watch

RUN = """
import sys
from pathlib import Path
from mtjlab.roles import Crosspoint
from mtjlab.station import open_instruments
from mtjlab.supervisor import Supervisor
with Supervisor(Path(sys.argv[1]), Path(sys.argv[2])):
    instruments, _ = open_instruments(Path(sys.argv[1]))
    smu, matrix = instruments["drive"], instruments["matrix"]
    matrix.prepare()
    matrix.route([Crosspoint("A", 101)])
    smu.prepare(volts_range=2.0, amps_limit=1e-3, amps_range=1e-3, power_cycles=0.1)
    smu.output_on()
    smu.set_volts(0.1)
    print("live", flush=True)
    sys.stdin.readline()
    smu.output_off()
    matrix.open_all()
"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[SimBench, Path]]:
    """A bench behind TCP sockets, and the station file that names them."""
    bench = sim_bench("passive15")
    bench.reset()
    with TcpServer(bench) as server:
        ports = {port.name: port.resource for port in server.ports}
        station = tmp_path / "station.yaml"
        kinds = {"matrix": "keithley_707b.Keithley707B"}
        lines = ["instruments:"]
        for name, resource in ports.items():
            kind = kinds.get(name, "keithley_2400.Keithley2400")
            lines += [f"  {name}:", f"    type: mtjlab.drivers.{kind}", f"    address: {resource}"]
            lines += ['    init: {visalib: "@py"}']
        station.write_text("\n".join(lines), encoding="utf-8")
        yield bench, station
    bench.reset()


def is_safe(bench: SimBench) -> bool:
    with bench.lock:
        return not bench.world.is_live and not any(s.closed for s in bench.world._switches)


def start(station: Path, log: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, str(station), str(log)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline().strip() == "live"
    return process


def finish(process: subprocess.Popen[str]) -> None:
    process.wait()
    for stream in (process.stdin, process.stdout):
        assert stream is not None
        stream.close()


def test_a_killed_run_leaves_a_bench_that_is_switched_off(served: tuple[SimBench, Path], tmp_path: Path) -> None:
    bench, station = served
    log = tmp_path / "supervisor.log"
    process = start(station, log)
    assert not is_safe(bench)
    process.kill()
    finish(process)
    ended = threading.Event()
    for _ in range(200):
        if is_safe(bench) and log.exists() and log.read_text(encoding="utf-8").endswith("\n"):
            break
        ended.wait(0.05)
    assert is_safe(bench)
    entry = json.loads(log.read_text(encoding="utf-8"))
    assert entry["is_safe"] and entry["why"] == "the run's process ended"
    assert "drive: output off" in entry["found"] and "matrix: all relays open" in entry["found"]


def test_a_run_that_ends_well_needs_no_help(served: tuple[SimBench, Path], tmp_path: Path) -> None:
    bench, station = served
    log = tmp_path / "supervisor.log"
    process = start(station, log)
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    finish(process)
    assert process.returncode == 0
    assert is_safe(bench)
    assert not log.exists()


def test_a_bench_that_cannot_be_reached_is_not_started(tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    station = tmp_path / "station.yaml"
    station.write_text(
        "instruments:\n  drive:\n    type: mtjlab.drivers.keithley_2400.Keithley2400\n"
        f"    address: TCPIP::127.0.0.1::{port}::SOCKET\n    init: {{visalib: '@py'}}\n",
        encoding="utf-8",
    )
    with pytest.raises(InstrumentError, match="cannot watch"), Supervisor(station, tmp_path / "log"):
        pass


def test_a_beat_that_ends_with_a_goodbye_presses_nothing() -> None:
    pressed: list[str] = []
    assert Watch(io.BytesIO(b"bbbe"), pressed.append).run()
    assert pressed == []


def test_a_beat_that_breaks_off_presses() -> None:
    pressed: list[str] = []
    assert not Watch(io.BytesIO(b"bbb"), pressed.append).run()
    assert pressed == ["the run's process ended"]


def test_a_beat_that_stops_presses() -> None:
    reading, writing = os.pipe()
    pressed: list[str] = []
    with os.fdopen(reading, "rb") as beat, os.fdopen(writing, "wb") as hand:
        hand.write(b"b")
        hand.flush()
        started = time.monotonic()
        assert not Watch(beat, pressed.append, patience_seconds=0.1).run()
        assert pressed == ["no sign of life for 0.1 s"]
        assert time.monotonic() - started >= 0.1


def test_the_panic_button_needs_only_the_station_file(served: tuple[SimBench, Path]) -> None:
    bench, station = served
    smu = bench.by_name["drive"]
    smu.receive(b":SOUR:VOLT 0.1;:SENS:CURR:PROT 1e-3;:OUTP ON", is_end=True, bus_seconds=0.0)
    bench.by_name["matrix"].receive(b"channel.close('1A01')", is_end=True, bus_seconds=0.0)
    assert not is_safe(bench)
    done = subprocess.run(
        [sys.executable, "-m", "mtjlab", "bench", "off", str(station)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "drive: output off" in done.stdout and "matrix: all relays open" in done.stdout
    assert "The bench is off." in done.stdout
    assert is_safe(bench)


def test_the_panic_button_says_what_it_could_not_do(served: tuple[SimBench, Path]) -> None:
    bench, station = served
    bench.inject("silent", "sense")
    done = subprocess.run(
        [sys.executable, "-m", "mtjlab", "bench", "off", str(station)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "sense: output DOES NOT ANSWER" in done.stdout
    assert "drive: output off" in done.stdout
    assert "NOT known to be off" in done.stdout


def test_the_panic_button_goes_on_where_one_instrument_cannot_be_opened(served: tuple[SimBench, Path]) -> None:
    bench, station = served
    text = station.read_text(encoding="utf-8").replace("keithley_707b.Keithley707B", "keithley_707b.NoSuchDriver")
    station.write_text(text, encoding="utf-8")
    bench.by_name["drive"].receive(b":SOUR:VOLT 0.1;:SENS:CURR:PROT 1e-3;:OUTP ON", is_end=True, bus_seconds=0.0)
    done = subprocess.run(
        [sys.executable, "-m", "mtjlab", "bench", "off", str(station)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "drive: output off" in done.stdout
    assert "not reached:" in done.stdout and "NoSuchDriver" in done.stdout
    assert not bench.world.is_live


def test_the_list_says_who_uses_an_instrument(served: tuple[SimBench, Path]) -> None:
    _, station = served
    done = subprocess.run(
        [sys.executable, "-m", "mtjlab", "bench", "list", str(station)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 4
    assert all(line.endswith("free") for line in done.stdout.splitlines())
