"""How long `mtjlab --help` takes to start, as a ratio to `python -c "import numpy"`, in turns on the same machine."""

from __future__ import annotations

import subprocess
import sys
import time
from statistics import median
from typing import Any

import psutil

COMMANDS = {
    'python -c "import numpy"': ["-c", "import numpy"],
    "python -c pass": ["-c", "pass"],
    "mtjlab --help": ["-m", "mtjlab", "--help"],
    "mtjlab run --help": ["-m", "mtjlab", "run", "--help"],
    "mtjlab bench off --help": ["-m", "mtjlab", "bench", "off", "--help"],
}


def run(*, quick: bool = False) -> tuple[str, list[list[str]], dict[str, Any]]:
    """Wall and CPU seconds of whole processes; medians of several, taken in turns."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in COMMANDS}
    for turn in range(4 if quick else 16):
        for name, arguments in COMMANDS.items():
            found = _seconds([sys.executable, *arguments])
            if turn:  # the first one reads the files from disk
                taken[name].append(found)
    medians = {name: tuple(median(column) for column in zip(*found, strict=True)) for name, found in taken.items()}
    floor = medians['python -c "import numpy"']
    rows = [["command", "wall s", "CPU s", "wall ratio", "CPU ratio"]]
    ratios = {}
    for name, (wall, cpu) in medians.items():
        ratios[name] = (round(wall / floor[0], 2), round(cpu / floor[1], 2))
        rows.append([name, f"{wall:.3f}", f"{cpu:.3f}", *(f"{ratio:.2f}" for ratio in ratios[name])])
    return "Start of the command", rows, {"ratios": ratios, "seconds": medians, "wanted": "mtjlab --help at most 3"}


def _seconds(command: list[str]) -> tuple[float, float]:
    """Wall seconds, and CPU seconds as far as the process itself tells them."""
    started = time.perf_counter()
    before = psutil.Process().cpu_times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    wall = time.perf_counter() - started
    after = psutil.Process().cpu_times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return wall, cpu
