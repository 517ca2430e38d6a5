"""What `mtjlab sim serve` does: a bench behind TCP sockets until a signal ends it, and the lines that say where."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

from mtjlab.interrupts import stop_on_signals

from .pacing import Pacer
from .simulated_bench import sim_bench
from .tcp_server import Port, TcpServer


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

    Raises InputError as `sim_bench` and `TcpServer` do.
    """
    bench = sim_bench(spec)
    if paced:
        bench.pace(Pacer(bench.host))
    try:
        with stop_on_signals(), TcpServer(bench, host=host, port_base=port_base, allow_remote=allow_remote) as server:
            for line in [_as_json(server.ports)] if as_json else _as_lines(server.ports):
                tell(line)
            threading.Event().wait()
    except KeyboardInterrupt:  # how it is meant to end
        tell("mtjlab: the bench is no longer served")


def _as_lines(ports: tuple[Port, ...]) -> list[str]:
    width = max(len(port.address) for port in ports)
    return [f"{port.address:<{width}}  {port.host}:{port.port}  {port.name}" for port in ports]


def _as_json(ports: tuple[Port, ...]) -> str:
    entries = {
        port.address: {"name": port.name, "host": port.host, "port": port.port, "resource": port.resource}
        for port in ports
    }
    return json.dumps(entries)
