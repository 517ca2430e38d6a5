"""Whole wafers by one command: 36 chips of 20,000 cells on the board, 300 arrays of 15 x 15 over SMUs and a matrix.

Time is the wall's, from the start of the command to its end with exports and report, and the processors'; memory is
that of all its processes together. On a machine that others use too, only the processors' time means anything.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import pyarrow.parquet

from mtjlab.run_names import EXPORTS
from mtjlab.store import open_run

from ._wafer_files import write_files

HEADINGS = ["wafer", "dies", "cells", "wall s", "CPU s", "CPU s/die", "MB", "bench h", "yield"]
_PROCESSES = 2
_LOOK_SECONDS = 0.2


class _Watch:
    """Most memory and processor time of a process and its children."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._root = psutil.Process(process.pid)
        self._seconds: dict[int, float] = {}
        self.megabytes = 0.0

    @property
    def cpu_seconds(self) -> float:
        """Of all processes seen."""
        return sum(self._seconds.values())

    def look(self) -> None:
        """Now; processes that end while they are looked at are left out."""
        resident = 0
        try:
            for each in [self._root, *self._root.children(recursive=True)]:
                try:
                    times = each.cpu_times()
                    self._seconds[each.pid] = times.user + times.system
                    resident += each.memory_info().rss
                except psutil.Error:
                    continue
        except psutil.Error:
            return
        self.megabytes = max(self.megabytes, resident / 1e6)


def _command(folder: Path, *words: str) -> tuple[dict[str, Any], float, _Watch]:
    """What `mtjlab ... --json` says, wall seconds, and what it took."""
    command = [sys.executable, "-m", "mtjlab", *words, "--out", str(folder), "--json"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    watch = _Watch(process)
    while process.poll() is None:
        watch.look()
        time.sleep(_LOOK_SECONDS)
    seconds = time.perf_counter() - started
    assert process.stdout is not None
    with process.stdout:
        said = process.stdout.read().splitlines()
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(words)} ended with status {process.returncode}")
    return json.loads(said[-1]), seconds, watch


def _figures(result: dict[str, Any], seconds: float, watch: _Watch, folder: Path, step: str) -> dict[str, Any]:
    dies = result["dies"].get("done", 0)
    table = pyarrow.parquet.ParquetFile(folder / EXPORTS / f"{step}_cells.parquet")
    with open_run(folder) as run:
        problems = run.problems()
    return {
        "dies": dies,
        "dies_left": result["dies_left"],
        "cells": table.metadata.num_rows,
        "wall_seconds": round(seconds, 1),
        "cpu_seconds": round(watch.cpu_seconds, 1),
        "cpu_seconds_per_die": round(watch.cpu_seconds / max(dies, 1), 2),
        "megabytes": round(watch.megabytes),
        "bench_hours": result["bench_hours"],
        "touchdowns": result["touchdowns"],
        "yield": round(result["yield"], 3),
        "problems": len(problems),
    }


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    chips, arrays = (2, 3) if quick else (36, 300)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = ["probe", "--dies", str(chips), "--processes", str(_PROCESSES)]
        taken = _command(folder / "chips", *words, "--exports", "csv,parquet,netcdf,stdf,g85")
        found["chips of 20,000 cells on the board"] = _figures(*taken, folder / "chips", "survey")
        recipe = write_files(folder, arrays)
        taken = _command(folder / "arrays", "run", str(recipe), "--patience", "0", "--processes", str(_PROCESSES))
        found["arrays of 15 x 15 over SMUs and a matrix"] = _figures(*taken, folder / "arrays", "classify")
    keys = ("dies", "cells", "wall_seconds", "cpu_seconds", "cpu_seconds_per_die", "megabytes", "bench_hours", "yield")
    rows = [HEADINGS, *([name, *(figures[key] for key in keys)] for name, figures in found.items())]
    return "Whole wafers by one command", rows, {"wafers": found}
