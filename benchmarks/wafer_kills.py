"""A wafer run of 36 dies killed at random moments and resumed: same data, no die twice, none touched again."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from mtjlab.die_maps import MAP_ARRAYS
from mtjlab.errors import MtjlabError
from mtjlab.ledger_rows import DieState
from mtjlab.run_names import LEDGER
from mtjlab.store import open_run

from ._wafer_rig import PLACES, WaferRig, touched

SEED = 7
_PER_RUN = 5
"""Moments of kills are drawn so that about so many come in one run."""
_LONGEST_SECONDS = 600.0


def _work(folder: Path, touches: Path) -> None:
    WaferRig(touches, SEED).run(folder)


def _context() -> Any:
    """A child that need not import everything anew, where the system can do that."""
    return multiprocessing.get_context("spawn" if sys.platform == "win32" else "fork")


def _killed(folder: Path, touches: Path, seconds: float) -> bool:
    """Run in a process of its own and kill it after so long; False if it had come to its end before."""
    child = _context().Process(target=_work, args=(folder, touches))
    child.start()
    child.join(seconds)
    is_alive = child.is_alive()
    if is_alive:
        child.kill()
    child.join(_LONGEST_SECONDS)
    if not is_alive and child.exitcode != 0:
        raise RuntimeError(f"a run ended with status {child.exitcode}")
    return is_alive


def _done(folder: Path) -> set[tuple[int, int]]:
    """Dies that the ledger says are done."""
    if not (folder / LEDGER).is_file():
        return set()
    with open_run(folder) as run:
        return {(row.die.x, row.die.y) for row in run.dies() if row.state == DieState.DONE}


class _Tally:
    """What was found wrong."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(
            ("kills", "before_the_run_began", "in_a_visit", "runs", "different", "twice", "touched_again", "damaged"), 0
        )


def _one_run(whole: dict[tuple[int, int], Any], base: Path, rng: random.Random, mean: float, tally: _Tally) -> None:
    """One wafer, killed and resumed until it is done; then held against the undisturbed one."""
    folder, touches = base / "run", base / "touches"
    while True:
        before, so_far = _done(folder), len(touched(touches))
        is_killed = _killed(folder, touches, rng.uniform(0.0, 2 * mean))
        again = set(touched(touches)[so_far:]) & before
        tally.counts["touched_again"] += len(again)
        if not is_killed:
            break
        tally.counts["kills"] += 1
        if not (folder / LEDGER).is_file():
            tally.counts["before_the_run_began"] += 1
            shutil.rmtree(folder, ignore_errors=True)
            continue
        with open_run(folder) as run:
            tally.counts["in_a_visit"] += any(visit.ended_wall is None for visit in run.attempts())
    tally.counts["runs"] += 1
    _compare(whole, folder, tally)


def _compare(whole: dict[tuple[int, int], Any], folder: Path, tally: _Tally) -> None:
    try:
        found, twice = _data(folder)
    except MtjlabError:
        tally.counts["damaged"] += 1
        return
    tally.counts["twice"] += twice
    for place in PLACES:
        tally.counts["different"] += place not in found or not _is_same(whole[place], found[place])


def _data(folder: Path) -> tuple[dict[tuple[int, int], Any], int]:
    """Everything that counts of every die, and how many dies have more than one finished visit."""
    with open_run(folder) as run:
        if run.problems() or run.state != "complete":
            raise MtjlabError(f"{run.state}, {run.problems()}")
        figures, found, twice = run.figures(), {}, 0
        for row in run.dies():
            maps = run.maps(row.die, "survey")
            arrays = [getattr(one, name) for one in maps for name in MAP_ARRAYS] + [
                run.array(row.die, "survey", "found")
            ]
            own = figures[row.attempt] if row.attempt is not None else {}
            found[row.die.x, row.die.y] = (row.hard_bin, row.soft_bin, own, arrays)
            twice += sum(visit.state == DieState.DONE for visit in run.attempts(row.die)) != 1
    return found, twice


def _is_same(one: Any, other: Any) -> bool:
    return one[:3] == other[:3] and all(
        np.array_equal(a, b, equal_nan=True) for a, b in zip(one[3], other[3], strict=True)
    )


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    kills, rng, tally = (12 if quick else 300), random.Random(1), _Tally()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        started = time.perf_counter()
        _killed(folder / "whole", folder / "touches", _LONGEST_SECONDS)
        undisturbed = time.perf_counter() - started
        whole, _ = _data(folder / "whole")
        number = 0
        while tally.counts["kills"] < kills:
            base = folder / str(number)
            base.mkdir()
            _one_run(whole, base, rng, undisturbed / _PER_RUN, tally)
            shutil.rmtree(base)
            number += 1
    figures: dict[str, Any] = {"dies": len(PLACES), **tally.counts, "undisturbed_seconds": round(undisturbed, 2)}
    rows = [["figure", "value"], *([name.replace("_", " "), value] for name, value in figures.items())]
    return "Wafer runs killed at random moments, each resumed", rows, figures
