"""Several threads and clients on one world: no reply goes astray, and the physics is that of a serial run.

Compared with a serial run that sends each instrument the same messages in the same order: every reading (volts and
amperes as they were sent, bit for bit), the state of every cell, and the incidents. Not compared: time stamps, since
the world's one clock depends on how the instruments' messages interleave. Where two clients share an instrument, what
each of them gets depends on chance, so their readings are compared together, as a multiset.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyvisa

from mtjlab.sim_instruments.simulated_bench import SimBench, sim_bench
from mtjlab.sim_instruments.tcp_server import TcpServer

DRIVE, HALF, SENSE, MATRIX = (f"GPIB0::{n}::INSTR" for n in (24, 25, 26, 16))
PREPARE = (
    "*RST;:FORM:ELEM VOLT,CURR;:SENS:FUNC:CONC ON;:SENS:FUNC 'VOLT','CURR';:SENS:CURR:NPLC 0.1;"
    ":SOUR:VOLT {volts};:OUTP ON;*OPC?"
)
VOLTS = {DRIVE: 0.1, HALF: 0.05, SENSE: 0.0}


def in_threads(tasks: Sequence[Callable[[], None]]) -> None:
    """Run the tasks at once, begun together; raises what the first failed one raised."""
    failures: list[BaseException] = []
    start = threading.Barrier(len(tasks))

    def guarded(task: Callable[[], None]) -> None:
        start.wait()
        try:
            task()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def fresh(path: Path) -> SimBench:
    """The bench of this file, new."""
    sim_bench(str(path)).close()
    return sim_bench(str(path))


def prepare(ask: Callable[[str, str], str]) -> None:
    """A row and two columns on the three SMUs, all on at read levels."""
    ask(MATRIX, 'channel.exclusiveclose("1A01,1B02,2C04") print(channel.getclose("allslots"))')
    for address, volts in VOLTS.items():
        ask(address, PREPARE.format(volts=volts))


def readings(ask: Callable[[str], str], tags: Sequence[int]) -> list[str]:
    """A reading for each tag; the answer brings the tag back, or it belongs to someone else."""
    found = []
    for tag in tags:
        reading, echo = ask(f"*ESE {tag};:READ?;*ESE?").split(";")
        assert int(echo) == tag
        found.append(reading)
    return found


def physics(bench: SimBench) -> tuple[Any, ...]:
    die = bench.world.die
    return die.is_parallel.tolist(), die.kind.tolist(), bench.world.incidents, bench.world.cell_volts().tolist()


def over_visa(bench: SimBench) -> Callable[[str, str], str]:
    manager = pyvisa.ResourceManager(f"{bench.path}@mtjlab")
    opened: dict[str, Any] = {
        address: manager.open_resource(address, read_termination="\n", write_termination="\n", timeout=60_000)
        for address in (DRIVE, HALF, SENSE, MATRIX)
    }
    return lambda address, message: opened[address].query(message)


def test_two_threads_on_two_instruments_read_what_a_serial_run_reads(bench_folder: Path) -> None:
    path = bench_folder / "bench.yaml"
    tags = [k % 256 for k in range(400)]
    results: dict[str, tuple[dict[str, list[str]], Any]] = {}
    for way in ("serial", "threads"):
        bench = fresh(path)
        ask = over_visa(bench)
        prepare(ask)
        found: dict[str, list[str]] = {}

        def read_all(address: str, ask: Any = ask, found: dict[str, list[str]] = found) -> None:
            found[address] = readings(lambda message: ask(address, message), tags)

        tasks = [lambda: read_all(DRIVE), lambda: read_all(SENSE)]
        if way == "serial":
            for task in tasks:
                task()
        else:
            in_threads(tasks)
        results[way] = found, physics(bench)
    assert results["threads"] == results["serial"]
    assert len(set(results["serial"][0][DRIVE])) > 10, "the readings have noise to compare"


def test_four_clients_take_ten_thousand_readings(bench_folder: Path) -> None:
    path = bench_folder / "bench.yaml"
    plan = [DRIVE, DRIVE, HALF, SENSE]
    each = 2500
    bench = fresh(path)
    found: list[list[str]] = [[] for _ in plan]
    with TcpServer(bench) as server:
        ports = {port.address: port.port for port in server.ports}
        sockets = {address: socket.create_connection(("127.0.0.1", port)) for address, port in ports.items()}

        def ask_over(client: socket.socket) -> Callable[[str], str]:
            lines = client.makefile("rb")

            def ask(message: str) -> str:
                client.sendall(message.encode() + b"\n")
                return lines.readline().decode().rstrip("\n")

            return ask

        first = {address: ask_over(client) for address, client in sockets.items()}
        prepare(lambda address, message: first[address](message))

        def client_task(number: int) -> None:
            with socket.create_connection(("127.0.0.1", ports[plan[number]])) as client:
                tags = [number * 64 + k % 64 for k in range(each)]
                found[number] = readings(ask_over(client), tags)

        in_threads([lambda k=k: client_task(k) for k in range(len(plan))])
        for client in sockets.values():
            client.close()
    concurrent = physics(bench)

    bench = fresh(path)
    ask = over_visa(bench)
    prepare(ask)
    for address in (DRIVE, HALF, SENSE):
        clients = [k for k, planned in enumerate(plan) if planned == address]
        tags = [0] * (each * len(clients))
        serial = readings(lambda message, address=address: ask(address, message), tags)
        assert Counter(serial) == Counter(reading for k in clients for reading in found[k])
        if len(clients) == 1:
            assert serial == found[clients[0]]
    assert physics(bench) == concurrent


def test_every_instrument_from_a_thread_of_its_own(bench_folder: Path) -> None:
    bench = fresh(bench_folder / "bench.yaml")
    ask = over_visa(bench)
    prepare(ask)
    before = bench.world.seconds

    def switch() -> None:
        for k in range(300):
            free = f'("3D{7 + k % 6:02d}")'  # on no line of the die
            message = f"channel.close{free} print({k}, channel.getstate{free}) channel.open{free}"
            assert ask(MATRIX, message) == f"{k:.5e}\t1"

    tasks: list[Callable[[], None]] = [switch]
    for address in VOLTS:
        tasks.append(lambda address=address: readings(lambda m: ask(address, m), [k % 200 for k in range(300)]))
    in_threads(tasks)
    assert ask(MATRIX, 'print(channel.getclose("allslots"))') == "1A01;1B02;2C04"
    assert [ask(address, ":SYST:ERR?") for address in VOLTS] == ['0,"No error"'] * 3
    assert bench.world.incidents == []
    assert bench.world.seconds > before
    assert not np.isnan(bench.world.cell_volts()).any()


def test_sessions_open_and_close_in_many_threads(bench_folder: Path) -> None:
    path = bench_folder / "bench.yaml"
    bench = fresh(path)

    def come_and_go() -> None:
        manager = pyvisa.ResourceManager(f"{path}@mtjlab")
        for _ in range(50):
            smu: Any = manager.open_resource(DRIVE, read_termination="\n", write_termination="\n")
            smu.read_stb()
            smu.close()

    in_threads([come_and_go] * 4)
    assert sim_bench(str(path)) is bench
    assert over_visa(bench)(DRIVE, "*OPC?") == "1"
