"""A simulated bench behind TCP sockets: each instrument on a port of its own, newline-terminated messages both ways.

Every connection has its own output queue, as on a LAN instrument: an answer goes to the connection that asked. (What
an instrument sends only after a later trigger goes to the connection that triggered.) Instruments work one at a time.
Unless the bench is paced, answers come at once, however long they take in simulated time.

A bare socket carries no device clear, serial poll, trigger or service request. Programs send *CLS, *STB? and *TRG (TSP:
`abort`, `status.condition`) instead; to connect anew forgets what was half sent and not yet read.
"""

from __future__ import annotations

import contextlib
import ipaddress
import logging
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

from mtjlab.errors import InputError

from .simulated_bench import SimBench
from .timing import LAN
from .wire_instrument import WireInstrument

LONGEST_LINE = 1_000_000
"""A message longer than this is dropped up to its newline."""
MOST_CLIENTS = 32
"""Connections per instrument; further ones are closed at once."""
_CHUNK = 65_536
_ALONE: int = getattr(socket, "SO_EXCLUSIVEADDRUSE", socket.SO_REUSEADDR)
"""Keeps a port from being bound twice: on Windows SO_REUSEADDR would allow that, elsewhere it only ends a wait."""
_RETRY_SECONDS = 0.05
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Port:
    """Where an instrument answers.

    Attributes:
        address: its VISA address on the bench.
        name: its name on the bench, or its address if it has none.
        host, port: its socket.
    """

    address: str
    name: str
    host: str
    port: int

    @property
    def resource(self) -> str:
        """The VISA resource name of the socket; PyVISA itself takes host names and IPv4 addresses only."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"TCPIP::{host}::{self.port}::SOCKET"


@dataclass
class Traffic:
    """What has come to a server.

    Attributes:
        connections: how many were made.
        messages: complete messages received on them.
    """

    connections: int = 0
    messages: int = 0


class TcpServer:
    """Serves a bench from the time it is made until `close`.

    Args:
        bench: what is served.
        host: interface to listen on.
        port_base: port of the first instrument, the others follow; 0 for any that are free.
        allow_remote: whether `host` may be reached from other machines; anyone there can then drive the bench.

    Attributes:
        ports: where each instrument answers.
        traffic: what has come so far.

    Raises InputError if the host is not on the loopback interface and not allowed, or a port is taken.
    """

    def __init__(
        self, bench: SimBench, *, host: str = "127.0.0.1", port_base: int = 0, allow_remote: bool = False
    ) -> None:
        self._bench = bench
        family = _checked_family(host, allow_remote)
        self._instruments: list[_InstrumentServer] = []
        self.traffic = Traffic()
        self._is_open = True
        bench.session_opened()  # a bench that is new when all have left it is not new for the next client
        names = {
            address: name for name, i in bench.by_name.items() for address, j in bench.by_address.items() if i is j
        }
        try:
            for number, address in enumerate(bench.by_address):
                listener = _listen(family, host, port_base + number if port_base else 0)
                name = names.get(address, address)
                self._instruments.append(_InstrumentServer(bench, address, name, listener, self.traffic))
        except InputError:
            self.close()
            raise
        self.ports = tuple(served.port for served in self._instruments)

    def close(self) -> None:
        """Stop listening, close every connection and wait for their threads."""
        for served in self._instruments:
            served.close()
        if self._is_open:
            self._is_open = False
            self._bench.session_closed()

    def __enter__(self) -> TcpServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _checked_family(host: str, allow_remote: bool) -> socket.AddressFamily:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as error:
        raise InputError(f"'{host}' is no host: {error.strerror}", remedy="Use 127.0.0.1") from error
    is_local = all(ipaddress.ip_address(str(entry[4][0]).partition("%")[0]).is_loopback for entry in found)
    if not is_local and not allow_remote:
        raise InputError(
            f"'{host}' can be reached from other machines, and anyone there could drive the bench",
            remedy="Use 127.0.0.1, or say --allow-remote if that is what you want",
        )
    return found[0][0]


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    if port > 65_535:
        raise InputError(f"port {port} is beyond 65535", remedy="Give a lower --port-base")
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, _ALONE, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise InputError(
            f"{host}:{port} cannot be used: {error.strerror}", remedy="Give another --port-base, or 0 for free ports"
        ) from error
    return listener


class _InstrumentServer:
    """One instrument's listening socket and connections."""

    def __init__(self, bench: SimBench, address: str, name: str, listener: socket.socket, traffic: Traffic) -> None:
        self._bench = bench
        self._traffic = traffic
        self._address = address
        self._listener = listener
        host, port = listener.getsockname()[:2]
        self.port = Port(address, name, host, port)
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._is_closing = False
        self._thread = threading.Thread(target=self._accept, name=f"{name} on port {port}", daemon=True)
        self._thread.start()

    @property
    def _instrument(self) -> WireInstrument:
        return self._bench.by_address[self._address]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                if self._is_closing:
                    return
                time.sleep(_RETRY_SECONDS)  # the client is gone already, or there are no more file descriptors
                continue
            with self._lock:
                if self._is_closing:
                    connection.close()
                    return
                if len(self._connections) >= MOST_CLIENTS:
                    connection.close()
                    continue
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._connections[connection] = thread
                self._traffic.connections += 1
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        self._bench.session_opened()
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with contextlib.suppress(OSError):  # the other end is gone, and so is who could be told
                self._converse(connection)
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            connection.close()
            self._bench.session_closed()

    def _converse(self, connection: socket.socket) -> None:
        lost = self._instrument.connections_lost
        for message in self._messages(connection):
            answer = self._answer(message)
            if self._bench.is_closed or self._instrument.connections_lost > lost:
                self._hang_up()
                return
            if answer:
                connection.sendall(answer)

    def _messages(self, connection: socket.socket) -> Iterator[bytes]:
        """Messages as they become complete; what is unfinished when the other end hangs up is forgotten."""
        buffer, is_too_long = b"", False
        while data := connection.recv(_CHUNK):
            if is_too_long:
                _, newline, data = data.partition(b"\n")
                is_too_long = not newline
            buffer += data
            if b"\n" not in data and len(buffer) <= LONGEST_LINE:
                continue
            with self._bench.lock:
                messages, buffer = self._instrument.messages_in(buffer)
            yield from messages
            if len(buffer) > LONGEST_LINE or not (messages or buffer):
                buffer, is_too_long = b"", not data.endswith(b"\n")

    def _answer(self, message: bytes) -> bytes:
        with self._bench.lock:
            self._traffic.messages += 1
            seconds = LAN.message_seconds + len(message) * LAN.byte_seconds
            try:
                return self._instrument.exchange(message, seconds)
            except Exception:  # a defect of one instrument must not take the others down
                _LOG.exception("%s failed on %r", self.port.name, message[:200])
                return b""

    def _hang_up(self) -> None:
        with self._lock:
            connections = list(self._connections.items())
        for connection, _ in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Stop listening and hang up."""
        with self._lock:
            self._is_closing = True
            threads = list(self._connections.values())
        with contextlib.suppress(OSError):  # not every system wakes `accept` when its socket is closed
            socket.create_connection(self._listener.getsockname()[:2], timeout=1).close()
        self._listener.close()
        self._hang_up()
        for thread in (self._thread, *threads):
            thread.join(timeout=5)
