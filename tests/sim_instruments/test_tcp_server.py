"""The bench behind sockets: raw clients, PyVISA-py, several clients at once, and clients that misbehave."""

from __future__ import annotations

import contextlib
import json
import logging
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import pyvisa

from mtjlab.errors import InputError
from mtjlab.sim_instruments.simulated_bench import SimBench, bench_path
from mtjlab.sim_instruments.tcp_server import LONGEST_LINE, MOST_CLIENTS, TcpServer

IDENTITY = b"KEITHLEY INSTRUMENTS INC.,MODEL 2400,1234567,C30   Mar 17 2006 09:29:29/A02  /K/J\n"


class Client:
    """A raw socket that reads lines."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self._file = self.socket.makefile("rb")

    def ask(self, message: bytes) -> bytes:
        self.socket.sendall(message + b"\n")
        return self._file.readline()

    def read(self, count: int) -> bytes:
        return self._file.read(count)

    def close(self) -> None:
        self._file.close()
        self.socket.close()


@pytest.fixture
def server(bench: SimBench) -> Iterator[TcpServer]:
    with TcpServer(bench) as served:
        yield served


@pytest.fixture
def port_of(server: TcpServer) -> dict[str, int]:
    return {port.name: port.port for port in server.ports}


@pytest.fixture
def connect(port_of: dict[str, int]) -> Iterator[Any]:
    clients: list[Client] = []

    def connect_to(name: str) -> Client:
        clients.append(Client(port_of[name]))
        return clients[-1]

    yield connect_to
    for client in clients:
        client.close()


def test_every_instrument_has_a_port_of_its_own(server: TcpServer, connect: Any) -> None:
    assert [port.address for port in server.ports] == [f"GPIB0::{n}::INSTR" for n in (24, 25, 26, 16)]
    assert len({port.port for port in server.ports}) == 4
    assert all(port.host == "127.0.0.1" for port in server.ports)
    assert connect("drive").ask(b"*IDN?") == IDENTITY
    assert b"707B" in connect("matrix").ask(b"*IDN?")


def test_the_physics_is_that_of_the_bench(connect: Any, bench: SimBench) -> None:
    smu, ammeter, matrix = connect("drive"), connect("sense"), connect("matrix")
    assert matrix.ask(b'channel.exclusiveclose("1A01,2C04") print(channel.getclose("allslots"))') == b"1A01;2C04\n"
    assert ammeter.ask(b"*RST;:SENS:CURR:PROT 1e-3;:OUTP ON;*OPC?") == b"1\n"
    reading = smu.ask(b"*RST;:SOUR:VOLT 0.1;:SENS:CURR:PROT 1e-3;:OUTP ON;:READ?")
    point = bench.world.sources_of("drive")[0].point()
    assert float(reading.split(b",")[1]) == pytest.approx(point.amps, abs=1e-8)
    assert point.amps > 5e-6


def test_pyvisa_py_on_a_socket(server: TcpServer) -> None:
    manager = pyvisa.ResourceManager("@py")
    smu: Any = manager.open_resource(
        server.ports[0].resource, read_termination="\n", write_termination="\n", timeout=10_000
    )
    assert smu.query("*IDN?") == IDENTITY.decode().rstrip()
    smu.write("*RST;:SOUR:VOLT 0.1;:OUTP ON")
    text = [float(value) for value in smu.query(":READ?").split(",")]
    assert text[0] == pytest.approx(0.1, abs=1e-3)
    smu.write(":FORM REAL,32")
    values = smu.query_binary_values(":READ?", datatype="f", is_big_endian=True, data_points=5)
    assert values[0] == pytest.approx(0.1, abs=1e-3)
    assert len(values) == 5
    assert smu.query(":SYST:ERR?") == '0,"No error"'
    manager.close()


def test_binary_answers_arrive_unharmed(connect: Any) -> None:
    smu = connect("drive")
    smu.ask(b"*RST;:SOUR:VOLT 0.1;:OUTP ON;:TRIG:COUN 500;:FORM REAL,32;:FORM:ELEM VOLT;*OPC?")
    smu.socket.sendall(b":READ?\n*OPC?\n")
    block = smu.read(2 + 4 * 500 + 1)
    assert (block[:2], block[-1:]) == (b"#0", b"\n")
    assert all(abs(volts - 0.1) < 1e-3 for (volts,) in struct.iter_unpack(">f", block[2:-1]))
    assert smu.read(2) == b"1\n"


def test_messages_in_pieces_and_several_in_one_piece(connect: Any) -> None:
    smu = connect("drive")
    for byte in b"*IDN?\r":
        smu.socket.sendall(bytes((byte,)))
    assert smu.ask(b"") == IDENTITY
    smu.socket.sendall(b"*ESE 5\n*ESE?;*SRE?\n*ESE?\n")
    assert (smu.read(4), smu.read(2)) == (b"5;0\n", b"5\n")


def test_each_connection_has_its_own_output_queue(connect: Any) -> None:
    first, second = connect("drive"), connect("drive")
    first.socket.sendall(b"*IDN?\n*ESE?\n")
    assert second.ask(b"*SRE?") == b"0\n"
    assert second.ask(b"*SRE 4;*SRE?") == b"4\n"
    assert first.ask(b"*SRE?") == IDENTITY
    assert (first.read(2), first.read(2)) == (b"0\n", b"4\n")
    assert first.ask(b":SYST:ERR?") == b'0,"No error"\n'


def test_a_visa_session_beside_it_keeps_its_answer(connect: Any, open_resource: Any) -> None:
    inside = open_resource("GPIB0::24::INSTR")
    inside.write("*ESE?")
    assert connect("drive").ask(b"*IDN?") == IDENTITY
    assert inside.read() == "0"
    assert inside.query(":SYST:ERR?") == '0,"No error"'


def test_garbage_is_an_error_of_the_instrument(connect: Any) -> None:
    smu, matrix = connect("drive"), connect("matrix")
    smu.socket.sendall(bytes(range(256)) + b"\n")
    assert not smu.ask(b":SYST:ERR?").startswith(b"0,")
    smu.socket.sendall(b"*CLS\n")
    assert smu.ask(b"*IDN?") == IDENTITY
    matrix.socket.sendall(bytes(range(256)) + b"\n")
    assert float(matrix.ask(b"print(errorqueue.count)")) >= 1


@pytest.mark.parametrize("name", ["drive", "matrix"])
def test_an_oversized_line_is_dropped_up_to_its_end(connect: Any, name: str) -> None:
    client = connect(name)
    idn = client.ask(b"*IDN?")
    client.socket.sendall(b"*ESE 17;" * (LONGEST_LINE // 4) + b"*ESE 9\n")
    assert client.ask(b"*ESE?") == b"0\n"
    assert client.ask(b"*IDN?") == idn
    if name == "drive":
        assert client.ask(b":SYST:ERR?") == b'-363,"Input buffer overrun"\n'


def test_clients_that_vanish_do_no_harm(connect: Any, port_of: dict[str, int]) -> None:
    for message in (b"", b"*IDN?", b"*IDN?\n" * 200):
        abrupt = socket.create_connection(("127.0.0.1", port_of["drive"]))
        abrupt.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        abrupt.sendall(message)
        abrupt.close()  # resets the connection, whatever is on its way
    half = connect("drive")
    half.socket.sendall(b"*IDN?\n*ESE")
    half.socket.shutdown(socket.SHUT_WR)
    assert half.read(len(IDENTITY) + 1) == IDENTITY, "answered, and then closed"
    assert connect("drive").ask(b"*IDN?") == IDENTITY


def test_clients_beyond_the_most_are_turned_away(connect: Any) -> None:
    clients = [connect("drive") for _ in range(MOST_CLIENTS)]
    assert all(client.ask(b"*OPC?") == b"1\n" for client in clients)
    extra = connect("drive")
    with contextlib.suppress(ConnectionError):  # or nothing comes: that depends on when the close arrives
        assert extra.ask(b"*OPC?") == b""
    assert connect("sense").ask(b"*OPC?") == b"1\n"


def test_a_dropped_connection_is_closed(connect: Any, bench: SimBench) -> None:
    smu, same, other = connect("drive"), connect("drive"), connect("sense")
    assert [client.ask(b"*OPC?") for client in (smu, same, other)] == [b"1\n"] * 3
    bench.inject("dropped", "drive", after_operations=0)
    assert smu.ask(b"*OPC?") == b""
    assert same.read(1) == b"", "all connections to it"
    assert other.ask(b"*OPC?") == b"1\n"
    assert connect("drive").ask(b"*OPC?") == b"1\n"


def test_a_silent_instrument_says_nothing(connect: Any, bench: SimBench) -> None:
    smu = connect("drive")
    bench.inject("hang", "drive")
    smu.socket.settimeout(0.05)
    with pytest.raises(TimeoutError):
        smu.ask(b"*OPC?")


def test_a_defect_of_a_model_does_not_take_the_server_down(
    connect: Any, bench: SimBench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    smu = connect("drive")

    def fail(*_: object) -> bytes:
        raise ZeroDivisionError

    with caplog.at_level(logging.ERROR), monkeypatch.context() as patched:
        patched.setattr(bench.by_name["drive"], "exchange", fail)
        smu.socket.sendall(b"*CLS\n")
        assert connect("sense").ask(b"*OPC?") == b"1\n"
        while not caplog.records:
            connect("sense").ask(b"*OPC?")
    assert "drive failed on" in caplog.text
    assert smu.ask(b"*OPC?") == b"1\n"


def test_closing_ends_every_thread_and_frees_the_ports(bench: SimBench) -> None:
    before = threading.active_count()
    server = TcpServer(bench)
    clients = [Client(port.port) for port in server.ports for _ in range(2)]
    assert all(client.ask(b"*OPC?") for client in clients)
    server.close()
    assert threading.active_count() == before
    assert all(client.read(1) == b"" for client in clients)
    for client in clients:
        client.close()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", server.ports[0].port), timeout=1)


def test_a_host_that_others_can_reach_is_refused(bench: SimBench) -> None:
    with pytest.raises(InputError, match="other machines") as caught:
        TcpServer(bench, host="0.0.0.0")
    assert "--allow-remote" in caught.value.remedy
    with TcpServer(bench, host="0.0.0.0", allow_remote=True) as server:
        client = Client(server.ports[0].port)
        assert client.ask(b"*IDN?") == IDENTITY
        client.close()


def test_a_taken_port_and_a_wrong_host_are_explained(bench: SimBench, server: TcpServer) -> None:
    threads = threading.active_count()
    taken = server.ports[2].port
    with pytest.raises(InputError, match=str(taken)) as caught:
        TcpServer(bench, port_base=taken)
    assert "--port-base" in caught.value.remedy
    with pytest.raises(InputError, match="beyond 65535"):
        TcpServer(bench, port_base=65_535)
    with pytest.raises(InputError, match="no host"):
        TcpServer(bench, host="no.such.host.invalid")
    assert threading.active_count() == threads, "what was opened before the fault is closed again"


def test_a_port_is_not_shared_between_two_servers(bench: SimBench, server: TcpServer) -> None:
    assert len({port.port for port in server.ports}) == len(server.ports)
    for port in server.ports:
        with pytest.raises(InputError, match="cannot be used"):
            TcpServer(bench, port_base=port.port)


def test_the_ipv6_loopback(bench: SimBench) -> None:
    if not socket.has_ipv6:
        pytest.skip("this Python has no IPv6")
    with TcpServer(bench, host="::1") as server:
        port = server.ports[0]
        assert port.resource == f"TCPIP::[::1]::{port.port}::SOCKET"
        with socket.create_connection(("::1", port.port), timeout=10) as client:
            client.sendall(b"*IDN?\n")
            assert client.makefile("rb").readline() == IDENTITY


def test_several_lines_at_once_with_any_line_end(connect: Any) -> None:
    smu = connect("drive")
    smu.socket.sendall(b"*ESE 1\r\n*ESE?\r\n\r\n\n*SRE 2;*SRE?\n*IDN?\r\n")
    assert smu.read(2) == b"1\n"
    assert smu.read(2) == b"2\n"
    assert smu.read(len(IDENTITY)) == IDENTITY


def test_a_script_of_many_lines_is_loaded_at_once(connect: Any) -> None:
    matrix = connect("matrix")
    script = b"loadscript twice\r\nfunction twice(x)\n  return 2 * x\nend\r\nendscript\ntwice.run()\nprint(twice(21))"
    assert float(matrix.ask(script)) == 42


def test_blocks_with_newlines_arrive_whole() -> None:
    """An arbitrary waveform as MATLAB and LabVIEW send it: header, block, newline, all in one stream."""
    bench = SimBench(bench_path("showroom"))
    levels = struct.pack("<32h", *([10, 2570, -3318, 13] * 8))
    assert b"\n" in levels
    with TcpServer(bench) as server:
        client = Client(next(port.port for port in server.ports if port.name == "w33622a"))
        client.socket.sendall(b"FORM:BORD SWAP\nDATA:ARB:DAC mine,#264" + levels[:30])
        assert client.ask(levels[30:] + b"\nSYST:ERR?").startswith(b"+0,")
        assert b"MINE" in client.ask(b"DATA:VOL:CAT?").upper()
        assert client.ask(b"*OPC?") == b"1\n"
        client.close()


def test_a_client_that_does_not_read_stops_only_itself(connect: Any) -> None:
    lazy, busy = connect("drive"), connect("drive")
    lazy.socket.settimeout(0.2)
    with pytest.raises(TimeoutError):
        while True:
            lazy.socket.sendall(b"*IDN?\n" * 10_000)
    assert [busy.ask(b"*OPC?") for _ in range(20)] == [b"1\n"] * 20
    assert connect("sense").ask(b"*OPC?") == b"1\n"


def test_settings_stay_while_nobody_is_connected() -> None:
    with TcpServer(SimBench(bench_path("showroom"))) as server:
        for asked in (b"*ESE 21;*ESE?", b"*ESE?"):
            client = Client(server.ports[0].port)
            assert client.ask(asked) == b"21\n"
            client.close()


def test_the_traffic_is_counted(server: TcpServer, connect: Any) -> None:
    for name in ("drive", "sense"):
        client = connect(name)
        assert [client.ask(b"*CLS;*OPC?"), client.ask(b"*OPC?")] == [b"1\n"] * 2
    assert (server.traffic.connections, server.traffic.messages) == (2, 4)


def _stopping() -> list[signal.Signals]:
    if sys.platform == "win32":
        return [signal.CTRL_BREAK_EVENT]
    return [signal.SIGINT, signal.SIGTERM]


@pytest.mark.parametrize("number", _stopping())
def test_the_command_serves_until_a_signal(number: signal.Signals, bench_folder: Path) -> None:
    path = bench_folder / "bench.yaml"
    path.write_text(
        path.read_text().replace("faults: []", "faults: [{instrument: drive, kind: garbled, at_seconds: 0}]")
    )
    command = [sys.executable, "-m", "mtjlab", "sim", "serve", str(path), "--port-base", "0", "--json"]
    flags = subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, creationflags=flags) as process:
        assert process.stdout is not None
        table = json.loads(process.stdout.readline())
        assert table["GPIB0::24::INSTR"]["name"] == "drive"
        assert table["GPIB0::24::INSTR"]["resource"].endswith("::SOCKET")
        client = Client(table["GPIB0::24::INSTR"]["port"])
        assert client.ask(b"*IDN?") != IDENTITY
        assert client.ask(b"*IDN?") == IDENTITY
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        client.close()
    assert (process.returncode, err) == (0, "")
    assert "no longer served" in out
    assert "connections: 1; messages: 2; faults: 1 garbled" in out


def test_the_command_refuses_what_it_must(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from mtjlab.cli import main

    for arguments, words in (
        (["passive15", "--host", "0.0.0.0"], "--allow-remote"),
        (["passive16"], "passive15"),
    ):
        monkeypatch.setattr(sys, "argv", ["mtjlab", "sim", "serve", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code == 2
        assert words in capsys.readouterr().err
