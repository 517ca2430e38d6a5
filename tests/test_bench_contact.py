"""Who answers on a bench: `*IDN?` and nothing else, within a limit of time, and nothing of what is in use."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mtjlab import bench_contact
from mtjlab.bench_contact import contacts
from mtjlab.bench_lock import Holder
from mtjlab.cli import app
from mtjlab.sim_instruments.simulated_bench import bench_path, sim_bench


class Listener:
    """An instrument behind a socket that keeps what it is sent; it answers, or it does not."""

    def __init__(self, answer: bytes) -> None:
        self.heard, self._answer = b"", answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"TCPIP0::127.0.0.1::{self._socket.getsockname()[1]}::SOCKET"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection:
            while piece := connection.recv(1000):
                self.heard += piece
                if self._answer:
                    connection.sendall(self._answer)

    def close(self) -> bytes:
        self._thread.join(10)
        self._socket.close()
        return self.heard


def station_of(folder: Path, *addresses: str) -> Path:
    kind = "mtjlab.drivers.keithley_2400.Keithley2400"
    entries = [
        f'  smu{k}: {{type: {kind}, address: "{one}", init: {{visalib: "@py"}}}}' for k, one in enumerate(addresses)
    ]
    path = folder / "my.station.yaml"
    path.write_text("instruments:\n" + "\n".join(entries) + "\n")
    return path


def test_each_is_asked_once_what_it_is_and_the_silent_one_is_named(tmp_path: Path) -> None:
    talks, silent = Listener(b"KEITHLEY,MODEL 2400,1,C30\n"), Listener(b"")
    station = station_of(tmp_path, talks.address, silent.address)
    first, second = contacts(station, seconds=0.2)
    assert first.answer == "KEITHLEY,MODEL 2400,1,C30" and not first.silent
    assert "no answer within 0.2 s" in second.silent and not second.answer
    assert (talks.close(), silent.close()) == (b"*IDN?\n", b"*IDN?\n")


def test_the_command_names_the_silent_and_ends_with_1(tmp_path: Path) -> None:
    nobody = socket.create_server(("127.0.0.1", 0))
    address = f"TCPIP0::127.0.0.1::{nobody.getsockname()[1]}::SOCKET"
    nobody.close()
    station = station_of(tmp_path, address)
    done = CliRunner().invoke(app, ["bench", "list", str(station), "--contact", "--seconds", "0.2"])
    assert done.exit_code == 1 and "SILENT: no answer" in done.stdout
    assert "silent: smu0: check power" in done.stderr
    done = CliRunner().invoke(app, ["bench", "list", str(station)])
    assert (done.exit_code, done.stdout) == (0, f"smu0  {address}  free\n")


def test_a_simulated_bench_answers_and_a_prober_is_not_asked() -> None:
    sim_bench("probed15").reset()
    station = bench_path("probed15").with_name("probed15.station.yaml")
    done = CliRunner().invoke(app, ["bench", "list", str(station), "--contact", "--json"])
    assert done.exit_code == 0
    found = {one["name"]: one for one in json.loads(done.stdout)["instruments"]}
    assert "707B" in found["matrix"]["answer"]
    assert found["prober"]["not_asked"] == "a prober has a language of its own" and not found["prober"]["silent"]
    world = sim_bench("probed15").world
    assert not world.is_live and world.incidents == []


def test_what_another_program_uses_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    holder = Holder("a", "Ada", "pc", 7, "today", "mtjlab run")
    monkeypatch.setattr(bench_contact, "holder_of", lambda address: holder)
    talks = Listener(b"KEITHLEY,MODEL 2400,1,C30\n")
    (found,) = contacts(station_of(tmp_path, talks.address))
    assert (found.not_asked, found.holder, found.answer) == ("in use", holder, "")
    host, port = talks.address.split("::")[1:3]
    socket.create_connection((host, int(port))).close()
    assert talks.close() == b""


def test_what_is_no_visa_instrument_is_not_asked(tmp_path: Path) -> None:
    path = tmp_path / "my.station.yaml"
    path.write_text("instruments:\n  dummy: {type: qcodes.instrument_drivers.mock_instruments.DummyInstrument}\n")
    assert contacts(path)[0].not_asked == "not a VISA instrument"
