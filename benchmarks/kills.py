"""Runs that are killed at random moments, the bench in another process: how soon everything is off each time."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

_RUN = """
import sys
from pathlib import Path
from mtjlab.roles import Crosspoint
from mtjlab.station import open_instruments
from mtjlab.supervisor import Supervisor
station, log = Path(sys.argv[1]), Path(sys.argv[2])
with Supervisor(station, log):
    instruments, _ = open_instruments(station)
    smus, matrix = [instruments[name] for name in ("drive", "half_select", "sense")], instruments["matrix"]
    for smu in smus:
        smu.prepare(volts_range=2.0, amps_limit=1e-3, amps_range=1e-3, power_cycles=0.1)
    matrix.prepare()
    print("live", flush=True)
    while True:
        for column in range(204, 213):
            matrix.route([Crosspoint("A", 101), Crosspoint("C", column)])
            for smu in smus:
                smu.output_on()
            smus[0].set_volts(0.1)
            smus[2].read()
            for smu in smus:
                smu.output_off()
"""
_DRIVERS = {"matrix": "keithley_707b.Keithley707B"}
_LONGEST_SECONDS = 10.0


def _station(ports: dict[str, dict[str, Any]]) -> str:
    lines = ["instruments:"]
    for port in ports.values():
        driver = _DRIVERS.get(port["name"], "keithley_2400.Keithley2400")
        lines += [f"  {port['name']}:", f"    type: mtjlab.drivers.{driver}", f"    address: {port['resource']}"]
        lines += ['    init: {visalib: "@py"}']
    return "\n".join(lines)


class _Eye:
    """Looks at the bench over connections of its own."""

    def __init__(self, ports: dict[str, dict[str, Any]]) -> None:
        self._asked = []
        for port in ports.values():
            connection = socket.create_connection((port["host"], port["port"]))
            question = b"print(channel.getclose('allslots'))\n" if port["name"] == "matrix" else b":OUTP?\n"
            self._asked.append((connection.makefile("rwb"), question, b"nil" if port["name"] == "matrix" else b"0"))

    def sees_all_off(self) -> bool:
        return all(self._answer(stream, question) == wanted for stream, question, wanted in self._asked)

    def _answer(self, stream: Any, question: bytes) -> bytes:
        stream.write(question)
        stream.flush()
        return bytes(stream.readline()).strip()


def _kill_once(station: Path, log: Path, eye: _Eye, rng: random.Random) -> tuple[float, bool]:
    """Seconds from the kill until everything was seen off, and whether anything was on when it came."""
    run = subprocess.Popen([sys.executable, "-c", _RUN, str(station), str(log)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    if run.stdout.readline().strip() != "live":
        raise RuntimeError("the run did not come up")
    time.sleep(rng.uniform(0.0, 0.6))
    run.kill()
    killed = time.monotonic()
    was_on = not eye.sees_all_off()
    while not eye.sees_all_off():
        if time.monotonic() - killed > _LONGEST_SECONDS:
            return float("inf"), was_on
        time.sleep(0.01)
    seconds = time.monotonic() - killed
    run.wait()
    run.stdout.close()
    return seconds, was_on


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    kills, rng = (5 if quick else 200), random.Random(1)
    command = [sys.executable, "-m", "mtjlab", "sim", "serve", "passive15", "--port-base", "0", "--json"]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert served.stdout is not None
    try:
        ports = json.loads(served.stdout.readline())
        with tempfile.TemporaryDirectory() as name:
            station, log = Path(name) / "station.yaml", Path(name) / "supervisor.log"
            station.write_text(_station(ports), encoding="utf-8")
            eye = _Eye(ports)
            found = [_kill_once(station, log, eye, rng) for _ in range(kills)]
            time.sleep(2.0)  # the last supervisor writes its line
            entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    finally:
        served.kill()
        served.wait()
        served.stdout.close()
    seconds = sorted(second for second, _ in found)
    late = sum(second > 2.0 for second in seconds)
    figures = {
        "kills": kills,
        "with_something_on": sum(was_on for _, was_on in found),
        "later_than_two_seconds": late,
        "median_seconds": round(seconds[len(seconds) // 2], 3),
        "longest_seconds": round(seconds[-1], 3),
        "supervisor_reports_safe": sum(entry["is_safe"] for entry in entries),
    }
    rows = [["figure", "value"], *([name.replace("_", " "), value] for name, value in figures.items())]
    return "Killed runs: until everything is off", rows, figures
