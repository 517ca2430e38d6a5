"""Microseconds per write, query, 100 kB reply and reading of a cell, beside stock pyvisa-sim in the same run."""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import pyvisa

from mtjlab.sim_instruments.simulated_bench import sim_bench

_REPLY_BYTES = 100_000
_ON = "*RST;:FORM:ELEM CURR;:SENS:FUNC 'CURR';:SENS:CURR:PROT 1e-3;:OUTP ON"
_BENCH = """
bench: one_cell_of_{size}
seed: 1
line_hertz: 50
die: {{rows: {size}, cols: {size}}}
instruments:
  - {{name: drive, model: keithley_2400, address: "GPIB0::24::INSTR"}}
  - {{name: matrix, model: keithley_707b, address: "GPIB0::16::INSTR", cards: [7174A]}}
cables:
  - {{from: drive.hi, to: die.row.0}}
  - {{from: "die.col.{{0-{last}}}", to: ground}}
"""
_STOCK = """
spec: "1.1"
devices:
  stock:
    eom:
      GPIB INSTR: {{q: "\\n", r: "\\n"}}
    error: ERROR
    dialogues:
      - {{q: "*IDN?", r: "STOCK,DEVICE,0,1"}}
      - {{q: "*CLS"}}
      - {{q: "BIG?", r: "{reply}"}}
resources:
  GPIB0::24::INSTR: {{device: stock}}
"""


def _microseconds(act: Callable[[], object], times: int) -> float:
    act()
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        act()
        taken.append(time.perf_counter() - started)
    return 1e6 * median(taken)


def _open(library: str, address: str) -> Any:
    manager = pyvisa.ResourceManager(library)
    return manager.open_resource(
        address, read_termination="\n", write_termination="\n", chunk_size=2 * _REPLY_BYTES, timeout=60_000
    )


def _of_stock(folder: Path, times: int) -> dict[str, float]:
    file = folder / "stock.yaml"
    file.write_text(_STOCK.format(reply="x" * _REPLY_BYTES), encoding="utf-8")
    device = _open(f"{file}@sim", "GPIB0::24::INSTR")
    return {
        "write": _microseconds(lambda: device.write("*CLS"), times),
        "query": _microseconds(lambda: device.query("*IDN?"), times),
        "100 kB": _microseconds(lambda: device.query("BIG?"), max(times // 100, 3)),
    }


def _of_mtjlab(folder: Path, size: int, times: int) -> dict[str, float]:
    file = folder / f"bench{size}.yaml"
    file.write_text(_BENCH.format(size=size, last=size - 1), encoding="utf-8")
    smu, matrix = (_open(f"{file}@mtjlab", f"GPIB0::{number}::INSTR") for number in (24, 16))
    smu.write(_ON)
    levels = itertools.cycle((0.1, 0.11))
    matrix.write(f"big = string.rep('x', {_REPLY_BYTES})")  # made once: the stock device's reply is ready made, too
    found = {
        "write": _microseconds(lambda: smu.write("*CLS"), times),
        "query": _microseconds(lambda: smu.query("*IDN?"), times),
        "100 kB": _microseconds(lambda: matrix.query("print(big)"), max(times // 100, 3)),
        "reading, same level": _microseconds(lambda: smu.query(":READ?"), max(times // 10, 3)),
        "reading, new level": _microseconds(
            lambda: smu.query(f":SOUR:VOLT {next(levels)};:READ?"), max(times // (10 if size < 20 else 100), 3)
        ),
    }
    sim_bench(str(file)).close()
    return found


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures; medians."""
    times = 200 if quick else 5000
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        columns = {
            "pyvisa-sim 0.7.1": _of_stock(folder, times),
            "mtjlab, 15 x 15": _of_mtjlab(folder, 15, times),
            "mtjlab, 128 x 128": _of_mtjlab(folder, 128, times),
        }
    whats = list(columns["mtjlab, 15 x 15"])
    rows: list[list[Any]] = [["median, us", *columns]]
    rows += [[what, *(f"{of[what]:.1f}" if what in of else "-" for of in columns.values())] for what in whats]
    small, stock = columns["mtjlab, 15 x 15"], columns["pyvisa-sim 0.7.1"]
    figures = {
        "microseconds": {name: {what: round(value, 1) for what, value in of.items()} for name, of in columns.items()},
        "times_faster_than_stock": {what: round(stock[what] / small[what], 1) for what in stock},
        "new_level_reading_per_query": round(small["reading, new level"] / small["query"], 1),
    }
    return "One message on the wire", rows, figures
