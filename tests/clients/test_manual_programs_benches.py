"""Programs on whole benches: several at once, over the network, named by the environment, and when things go wrong."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from mtjlab.sim_instruments.simulated_bench import sim_bench
from mtjlab.sim_instruments.tcp_server import TcpServer

from .lab import ONE_CELL, Lab, MakeLab, numbers

SMU = {"smu": {"model": "keithley_2400"}}
KILOHM = [{"from": "smu.hi", "to": "ground", "ohms": 1000}]
READINGS = 10_000
PYVISA_SIM = """
spec: "1.1"
devices:
  stage:
    eom:
      GPIB INSTR: {q: "\\n", r: "\\n"}
    error: ERROR
    dialogues:
      - {q: "*IDN?", r: "ODD,STAGE,7,1.0"}
    properties:
      angle:
        default: 0.0
        getter: {q: "ANGLE?", r: "{:.2f}"}
        setter: {q: "ANGLE {:.2f}"}
resources:
  GPIB0::5::INSTR: {device: stage}
"""


def measuring(smu: MessageBasedResource, volts: float = 0.5) -> MessageBasedResource:
    """A 2400 that is ready for READ?."""
    for message in ("*RST", f":SOUR:VOLT {volts}", ":SENS:CURR:PROT 1E-2;:SENS:CURR:NPLC 0.01;:FORM:ELEM VOLT,CURR"):
        smu.write(message)
    smu.write(":OUTP ON")
    return smu


def test_two_threads_on_two_instruments_of_one_cell(make_lab: MakeLab) -> None:
    """One holds the row, the other the column; each sees only its own replies, and the same as one after the other."""
    instruments = {**SMU, "other": {"model": "keithley_2450"}}
    cables = [{"from": "smu.hi", "to": "die.row.0"}, {"from": "other.hi", "to": "die.col.0"}]
    means = []
    for is_parallel in (False, True):
        lab = make_lab(instruments, cables, die=ONE_CELL)
        smu = measuring(lab.open("smu"), 0.05)
        other = lab.open("other", "*RST", "SOUR:VOLT:ILIM 1E-3;:SENS:CURR:RANG 1E-4;NPLC 0.01", "OUTP ON")
        found: dict[str, list[float]] = {"smu": [], "other": []}

        def read_smu(smu: Any = smu, found: Any = found) -> None:
            found["smu"] += [numbers(smu.query(":READ?"))[1] for _ in range(100)]

        def read_other(other: Any = other, found: Any = found) -> None:
            found["other"] += [float(other.query("READ?")) for _ in range(100)]

        threads = [threading.Thread(target=target) for target in (read_smu, read_other)]
        for thread in threads:
            thread.start()
            if not is_parallel:
                thread.join()
        for thread in threads:
            thread.join()
        assert len(found["smu"]) == len(found["other"]) == 100
        means.append((np.mean(found["smu"]), np.mean(found["other"])))
        lab.close()
    assert means[0] == pytest.approx(means[1], rel=2e-3)
    assert means[0][0] == pytest.approx(-means[0][1], rel=2e-2), "what goes in comes out"


CLIENTS: dict[str, tuple[str, list[str], str, float]] = {
    "k2400": (
        "keithley_2400",
        ["*RST", ":SOUR:VOLT 0.5;:SENS:CURR:PROT 1E-2;:SENS:CURR:NPLC 0.01;:FORM:ELEM CURR", ":OUTP ON"],
        ":READ?",
        5e-4,
    ),
    "k2450": (
        "keithley_2450",
        ["*RST", "SOUR:VOLT 0.75;:SOUR:VOLT:ILIM 1E-2;:SENS:CURR:NPLC 0.01", "OUTP ON"],
        "READ?",
        7.5e-4,
    ),
    "k2602b.a": (
        "keithley_2602b",
        [
            "smua.source.levelv = 0.25 smua.source.limiti = 1e-2",
            "smua.measure.nplc = 0.01 smua.source.output = 1",
        ],
        "print(smua.measure.i())",
        2.5e-4,
    ),
    "b2902a.1": (
        "keysight_b2902a",
        ["*RST", ":SOUR:VOLT 1;:SENS:CURR:PROT 1E-2", ":OUTP ON"],
        ":MEAS:CURR? (@1)",
        1e-3,
    ),
}


def test_four_clients_on_the_server_and_ten_thousand_readings(make_lab: MakeLab) -> None:
    instruments = {terminal.partition(".")[0]: {"model": model} for terminal, (model, *_) in CLIENTS.items()}
    lab = make_lab(instruments, [{"from": f"{terminal}.hi", "to": "ground", "ohms": 1000} for terminal in CLIENTS])
    crossed: list[str] = []
    with TcpServer(lab.bench, port_base=0) as server:
        ports = {served.name: served.port for served in server.ports}

        def read(terminal: str) -> None:
            _, setup, query, expected = CLIENTS[terminal]
            port = ports[terminal.partition(".")[0]]
            unit: Any = manager.open_resource(f"TCPIP::127.0.0.1::{port}::SOCKET")
            unit.read_termination = unit.write_termination = "\n"
            unit.timeout = 20_000
            for message in setup:
                unit.write(message)
            for _ in range(READINGS // len(CLIENTS)):
                reply = unit.query(query)
                if abs(float(reply) / expected - 1) > 0.02:
                    crossed.append(f"{terminal}: {reply}")
            unit.close()

        manager = pyvisa.ResourceManager("@py")
        threads = [threading.Thread(target=read, args=[terminal]) for terminal in CLIENTS]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        manager.close()
    assert crossed == []


def test_the_server_of_the_command_line() -> None:
    """As another process would use it: one line of JSON says where everything is; it ends on an interrupt."""
    command = [sys.executable, "-m", "mtjlab", "sim", "serve", "showroom", "--port-base", "0", "--json"]
    flags = subprocess.CREATE_NEW_PROCESS_GROUP if sys.platform == "win32" else 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, creationflags=flags) as process:
        assert process.stdout is not None
        served = json.loads(process.stdout.readline())
        manager = pyvisa.ResourceManager("@py")
        unit: Any = manager.open_resource(served["GPIB0::1::INSTR"]["resource"])
        unit.read_termination = unit.write_termination = "\n"
        assert unit.query("*IDN?").startswith("YOKOGAWA,GS210,")
        unit.write_raw(bytes(range(256)) + b"\n;;:::?\n#0\n")
        other: Any = manager.open_resource(served["GPIB0::1::INSTR"]["resource"])
        other.read_termination = other.write_termination = "\n"
        assert other.query("*IDN?").startswith("YOKOGAWA,GS210,"), "garbage on one connection is its own affair"
        manager.close()
        process.send_signal(signal.CTRL_BREAK_EVENT if sys.platform == "win32" else signal.SIGINT)
        process.wait(20)


def test_a_program_that_names_no_library(make_lab: MakeLab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(PYVISA_SIM, encoding="utf-8")
    lab = make_lab(SMU, KILOHM, pyvisa_sim=["odd.yaml"])
    monkeypatch.setenv("PYVISA_LIBRARY", lab.library)
    manager = pyvisa.ResourceManager()
    assert set(manager.list_resources()) == {"GPIB0::24::INSTR", "GPIB0::5::INSTR"}
    stage: Any = manager.open_resource("GPIB0::5::INSTR")
    stage.read_termination = stage.write_termination = "\n"
    assert stage.query("*IDN?") == "ODD,STAGE,7,1.0"
    stage.write("ANGLE 12.5")
    assert stage.query("ANGLE?") == "12.50"
    smu: Any = manager.open_resource("GPIB0::24::INSTR")
    assert numbers(measuring(smu).query(":READ?"))[1] == pytest.approx(5e-4, rel=1e-2)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_RSRC_NFOUND"):
        manager.open_resource("GPIB0::6::INSTR")


def faulty(make_lab: MakeLab, **fault: Any) -> tuple[Lab, MessageBasedResource]:
    """A 2400 on a cell through a matrix, with a fault after ten messages."""
    lab = make_lab(
        {**SMU, "matrix": {"model": "keithley_707b", "cards": ["7174A"]}},
        [
            {"from": "smu.hi", "to": "matrix.row.A"},
            {"from": "matrix.row.B", "to": "ground"},
            {"from": "matrix.col.101", "to": "die.row.0"},
            {"from": "matrix.col.102", "to": "die.col.0"},
        ],
        die=ONE_CELL,
        faults=[{"at_seconds": 10, **fault}] if fault else [],
    )
    matrix = lab.open("matrix", "channel.close('1A01,1B02') waitcomplete()")
    matrix.query("*OPC?")
    smu = measuring(lab.open("smu"), 0.05)
    before = numbers(smu.query(":READ?"))[1]
    assert before == pytest.approx(0.05 * lab.world.die.siemens(0.05)[0], rel=2e-2)
    lab.world.wait(11)
    return lab, smu


@pytest.mark.parametrize("kind", ["silent", "hang", "power_loss", "trip"])
def test_no_reading_after_a_fault(make_lab: MakeLab, kind: str) -> None:
    lab, smu = faulty(make_lab, instrument="smu", kind=kind)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query(":READ?")
    assert [seen.kind for seen in lab.bench.faults_seen] == [kind]
    if kind == "hang":
        smu.clear()
        assert len(numbers(smu.query(":READ?"))) == 2
    if kind in ("power_loss", "trip"):
        assert smu.query(":OUTP?").strip() == "0"
        assert lab.point("smu").amps == pytest.approx(0, abs=1e-9)


def test_a_late_reply_is_the_next_querys(make_lab: MakeLab) -> None:
    _, smu = faulty(make_lab, instrument="smu", kind="late", seconds=5)
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_TMO"):
        smu.query(":READ?")
    smu.clear()
    assert len(numbers(smu.query(":READ?"))) == 2


@pytest.mark.parametrize("kind", ["cut", "garbled"])
def test_a_spoiled_reply(make_lab: MakeLab, kind: str) -> None:
    _, smu = faulty(make_lab, instrument="smu", kind=kind)
    reply = smu.query(":READ?")
    try:
        is_whole = len(numbers(reply)) == 2 and reply.endswith("\n") and reply.count("E") == 2
    except ValueError:
        is_whole = False
    assert not is_whole or abs(numbers(reply)[1]) > 1e-3
    assert len(numbers(smu.query(":READ?"))) == 2, "the next is as it should be"


def test_a_dropped_session(make_lab: MakeLab) -> None:
    lab, smu = faulty(make_lab, instrument="smu", kind="dropped")
    with pytest.raises(pyvisa.VisaIOError, match="VI_ERROR_CONN_LOST"):
        smu.query(":READ?")
    again = lab.open("smu")
    assert len(numbers(again.query(":READ?"))) == 2, "the instrument itself has gone on"


def test_contacts_and_relays_that_fail(make_lab: MakeLab) -> None:
    lab, smu = faulty(make_lab, kind="contact", line="row.0", ohms=20_000)
    ohms = 0.05 / numbers(smu.query(":READ?"))[1]
    assert ohms == pytest.approx(20_000 + 1 / lab.world.die.siemens(0.01)[0], rel=2e-2)
    lab.bench.inject("stuck_open", "matrix", relay=["A", 101])
    assert numbers(smu.query(":READ?"))[1] == pytest.approx(0, abs=1e-8)
    lab.bench.inject("stuck_closed", "matrix", relay=["A", 101])
    matrix = lab.open("matrix", "channel.open('1A01') waitcomplete()")
    assert "1A01" not in matrix.query("print(channel.getclose('allslots'))"), "the mainframe does not know"
    assert numbers(smu.query(":READ?"))[1] > 1e-6


def test_a_bus_that_hangs_until_interface_clear(make_lab: MakeLab) -> None:
    lab, smu = faulty(make_lab, kind="bus_hang", board=0)
    matrix = lab.bench.by_name["matrix"]
    assert matrix is not None
    with pytest.raises(pyvisa.VisaIOError):
        smu.query(":READ?")
    board: Any = lab.manager.open_resource("GPIB0::INTFC")
    board.send_ifc()
    smu.clear()
    assert len(numbers(smu.query(":READ?"))) == 2


def test_drift(make_lab: MakeLab) -> None:
    lab = make_lab(SMU, KILOHM, faults=[{"instrument": "smu", "kind": "drift", "volts_per_hour": 0.1, "at_seconds": 1}])
    smu = measuring(lab.open("smu"), 0.1)
    first = numbers(smu.query(":READ?"))[1]
    lab.world.wait(3601)
    assert numbers(smu.query(":READ?"))[1] - first == pytest.approx(1e-4, rel=2e-2)


def test_faults_at_random_repeat_with_their_seed(make_lab: MakeLab) -> None:
    seen = []
    for _ in range(2):
        fault = {"instrument": "smu", "kind": "garbled", "rate": 0.2, "seed": 4}
        lab = make_lab(SMU, KILOHM, faults=[fault])
        smu = measuring(lab.open("smu"))
        seen.append([smu.query("*IDN?") for _ in range(20)])
        lab.close()
    assert seen[0] == seen[1]
    assert 2 <= 20 - seen[0].count(max(seen[0], key=seen[0].count)) <= 10


def test_the_showroom_is_new_when_it_is_opened_again() -> None:
    manager = pyvisa.ResourceManager("showroom@mtjlab")
    first: Any = manager.open_resource("GPIB0::24::INSTR")
    first.write(":SOUR:VOLT 3")
    first.close()
    again: Any = manager.open_resource("GPIB0::24::INSTR")
    assert float(again.query(":SOUR:VOLT?")) == 0
    again.write(":SOUR:VOLT 3")
    sim_bench("showroom").reset()
    assert float(again.query(":SOUR:VOLT?")) == 0
    manager.close()
