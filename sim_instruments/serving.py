"""What `mtjlab sim serve` does: a bench behind TCP sockets until a signal ends it, and the lines that say where."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable

from mtjlab.interrupts import stop_on_signals

from .pacing import Pacer
from .simulated_bench import SimBench, sim_bench
from .tcp_server import Port, TcpServer, Traffic

_NAP_SECONDS = 0.5
"""On Windows, Ctrl-C does not end a wait without end, but it ends a sleep."""


def serve_bench(
    spec: str,
    tell: Callable[[str], object],
    *,
    host: str,
    port_base: int,
    allow_remote: bool,
    paced: bool,
    as_json: bool,
) -> None:
    """Serve a bench until Ctrl-C, SIGTERM or a closed terminal; `tell` is called with each line to print.

    The last lines say what has happened: traffic, and the world's incidents and the faults.

    Raises InputError as `sim_bench` and `TcpServer` do.
    """
    bench = sim_bench(spec)
    if paced:
        bench.pace(Pacer(bench.host))
    traffic = Traffic()
    try:
        with stop_on_signals(), TcpServer(bench, host=host, port_base=port_base, allow_remote=allow_remote) as server:
            traffic = server.traffic
            for line in [_as_json(server.ports)] if as_json else _as_lines(server.ports):
                tell(line)
            while True:
                time.sleep(_NAP_SECONDS)
    except KeyboardInterrupt:  # how it is meant to end
        for line in _what_happened(bench, traffic):
            tell(line)


def _what_happened(bench: SimBench, traffic: Traffic) -> list[str]:
    incidents = Counter(str(incident.kind) for incident in bench.world.incidents)
    faults = Counter(fault.kind for fault in bench.faults_seen)
    counted = [f"connections: {traffic.connections}", f"messages: {traffic.messages}"]
    for what, counts in (("incidents", incidents), ("faults", faults)):
        if counts:
            counted.append(f"{what}: " + ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items())))
    return ["mtjlab: the bench is no longer served", f"mtjlab: {'; '.join(counted)}"]


def _as_lines(ports: tuple[Port, ...]) -> list[str]:
    width = max(len(port.address) for port in ports)
    return [f"{port.address:<{width}}  {port.host}:{port.port}  {port.name}" for port in ports]


def _as_json(ports: tuple[Port, ...]) -> str:
    entries = {
        port.address: {"name": port.name, "host": port.host, "port": port.port, "resource": port.resource}
        for port in ports
    }
    return json.dumps(entries)
