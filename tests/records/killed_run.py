"""A program that records small wafers and kills itself at drawn lines, until each wafer is done; run by a test.

Arguments: a folder, the number of wafers, kills per wafer, a seed. In the folder of each wafer, `said.txt` holds what
the program had been told was saved, line by line, whatever became of it afterwards.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import os
import signal
import sys
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np
import qcodes.dataset.data_set
import qcodes.dataset.experiment_container
import qcodes.dataset.sqlite.database
import zarr

from mtjlab.records import RunStore

LOADED_ONCE = (qcodes.dataset.data_set, zarr)
"""What the children would each load anew."""

TRACED = {("mtjlab", name) for name in ("step_rows", "records", "ledger", "run_arrays", "sqlite_files")}
TRACED |= {("dataset", "data_set"), ("sqlite", "connection"), ("sqlite", "query_helpers")}


def small_wafer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("small_wafer", Path(__file__).with_name("conftest.py"))
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["small_wafer"] = module
    spec.loader.exec_module(module)
    return module


class Killer:
    """Counts lines of the program and ends the process at one of them, as a power cut would."""

    def __init__(self, at: int) -> None:
        self.at, self.lines = at, 0

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        path = Path(frame.f_code.co_filename)
        return self.count if (path.parent.name, path.stem) in TRACED else None

    def count(self, frame: FrameType, event: str, argument: Any) -> Any:
        self.lines += event == "line"
        if self.lines == self.at:
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return self.count


def record(folder: Path, kill_at: int, lines: Any) -> None:
    """Begin or resume the wafer and probe what is left of it."""
    wafer, killer = small_wafer(), Killer(kill_at)
    said = os.open(folder.parent / f"{folder.name}.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def say(word: str, die: Any) -> None:
        os.write(said, f"{word} {die.x} {die.y}\n".encode())

    sys.settrace(killer)
    if (folder / "ledger.sqlite").is_file():
        store = RunStore.open(folder)
    else:
        store = RunStore.create(folder, wafer.PLAN, wafer.PROVENANCE)
    for die in store.resume().dies:
        say("touch", die)
        wafer.probe(store, die)
        say("done", die)
    store.close("complete", "end of wafer")
    sys.settrace(None)
    lines.value = killer.lines


def in_child(folder: Path, kill_at: int) -> int:
    """Lines that it took, 0 if it was killed."""
    methods = multiprocessing.get_all_start_methods()
    context: Any = multiprocessing.get_context("fork" if "fork" in methods else "spawn")
    lines = context.Value("q", 0, lock=False)
    child = context.Process(target=record, args=(folder, kill_at, lines))
    child.start()
    child.join()
    if child.exitcode not in (0, -getattr(signal, "SIGKILL", 9), getattr(signal, "SIGTERM", 15)):
        raise SystemExit(f"{folder}: ended with {child.exitcode}")
    return int(lines.value)


def main() -> None:
    base, wafers, kills, seed = Path(sys.argv[1]), *(int(word) for word in sys.argv[2:5])
    rng = np.random.default_rng(seed)
    whole = in_child(base / "undisturbed", -1)
    for number in range(wafers):
        for _ in range(kills):
            if in_child(base / f"wafer{number}", int(rng.integers(1, whole))):
                break
        else:
            in_child(base / f"wafer{number}", -1)


if __name__ == "__main__":
    main()
