"""A wafer run of 36 dies through a simulated Velox station, killed and resumed: same data, no die twice, none again.

Half of the kills come at any moment, the others while something is being written: a commit of the ledger, a row of the
QCoDeS database, an export, the report. The count of touch-downs is the station's own, in a journal that no kill takes.
"""

from __future__ import annotations

import importlib
import multiprocessing
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet

from mtjlab.die_maps import MAP_ARRAYS
from mtjlab.errors import MtjlabError
from mtjlab.ledger_rows import DieState
from mtjlab.provenance import file_sha256
from mtjlab.run_names import EXPORTS, LEDGER, SUMMARY
from mtjlab.run_summary import RunSummary
from mtjlab.store import open_run

from ._kill_rig import PLACES, probe, touched, write_files

STEP = "classify"
_PER_RUN = 5
"""Moments of kills are drawn so that about so many come in one run."""
_LONGEST_SECONDS = 1800.0
_LOADED_ONCE = ("qcodes.station", "qcodes.dataset.data_set", "mtjlab.wafer_report", "mtjlab.exports", "pyvisa_mtjlab")
"""What every child would load anew."""
_AIMS: dict[str, tuple[tuple[tuple[str, str], ...], int, float]] = {
    "commit": ((("mtjlab.ledger", "transaction"),), 40, 0.015),
    "row": ((("mtjlab.step_rows", "StepRows.add"),), 8, 0.03),
    "export": (tuple(("mtjlab.exports", f"write_{what}") for what in ("die_table", "cell_table", "stdf")), 5, 0.1),
    "report": ((("mtjlab.wafer_report", "_write"), ("mtjlab.wafer_report", "_write_pdf")), 2, 0.8),
}
"""What a kill is aimed at: what is called then, up to the how-manieth call, and how many seconds after at most."""


def _work(recipe: Path, folder: Path, aim: str, count: int, tell: Connection | None) -> None:
    if tell is not None:
        _watch(aim, count, tell)
    probe(recipe, folder)


def _watch(aim: str, count: int, tell: Connection) -> None:
    """Say so when something is called for the so-manieth time, and let it go on."""
    calls = [0]

    def watched(act: Callable[..., Any]) -> Callable[..., Any]:
        def told(*given: Any, **named: Any) -> Any:
            calls[0] += 1
            if calls[0] == count:
                tell.send_bytes(b"now")
            return act(*given, **named)

        return told

    for module, path in _AIMS[aim][0]:
        *owner, name = path.split(".")
        place: Any = importlib.import_module(module)
        for part in owner:
            place = getattr(place, part)
        setattr(place, name, watched(getattr(place, name)))


def _context() -> Any:
    """A child that need not import everything anew, where the system can do that."""
    return multiprocessing.get_context("spawn" if sys.platform == "win32" else "fork")


def _until(recipe: Path, folder: Path, seconds: float) -> bool:
    """Run in a process of its own and kill it after so long; False if it had come to its end before."""
    child = _context().Process(target=_work, args=(recipe, folder, "", 0, None))
    child.start()
    child.join(seconds)
    return _kill(child)


def _while(recipe: Path, folder: Path, aim: str, rng: random.Random) -> bool:
    """Run in a process of its own and kill it while it does something; False if it had come to its end before."""
    context, (_, most, longest) = _context(), _AIMS[aim]
    hear, tell = context.Pipe(duplex=False)
    child = context.Process(target=_work, args=(recipe, folder, aim, rng.randint(1, most), tell))
    child.start()
    tell.close()
    try:
        hear.recv_bytes()
        time.sleep(rng.uniform(0.0, longest))
    except EOFError:  # it did that less often
        child.join(_LONGEST_SECONDS)
    return _kill(child)


def _kill(child: Any) -> bool:
    is_alive = bool(child.is_alive())
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
    """What was done, and what was found wrong."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(
            (
                *("kills", "at_any_moment", *(f"in_a_{aim}" for aim in _AIMS)),
                *("before_the_run_began", "in_a_visit", "after_the_last_die", "runs", "touchdowns"),
                *("different", "twice", "touched_again", "damaged", "exports_wrong"),
            ),
            0,
        )

    def killed(self, folder: Path, aim: str) -> None:
        """Count a kill by what it was aimed at and by what the run was doing."""
        self.counts["kills"] += 1
        self.counts[f"in_a_{aim}" if aim else "at_any_moment"] += 1
        if not (folder / LEDGER).is_file():
            self.counts["before_the_run_began"] += 1
            return
        with open_run(folder) as run:
            self.counts["in_a_visit"] += any(visit.ended_wall is None for visit in run.attempts())
            self.counts["after_the_last_die"] += all(row.state == DieState.DONE for row in run.dies())


def _one_run(recipe: Path, whole: Path, folder: Path, rng: random.Random, mean: float, tally: _Tally) -> None:
    """One wafer, killed and resumed until it is done; then held against the undisturbed one."""
    while True:
        before, so_far = _done(folder), len(touched(folder))
        if len(before) == len(PLACES) and rng.random() < 0.5:  # or most kills would come after the last die
            _until(recipe, folder, _LONGEST_SECONDS)
            break
        aim = rng.choice(("", "", "", "commit", "commit", "row", "row", "export", "report"))
        is_killed = _while(recipe, folder, aim, rng) if aim else _until(recipe, folder, rng.uniform(0.0, 2 * mean))
        tally.counts["touched_again"] += len(set(touched(folder)[so_far:]) & before)
        if not is_killed:
            break
        tally.killed(folder, aim)
    tally.counts["runs"] += 1
    tally.counts["touchdowns"] += len(touched(folder))
    _compare(whole, folder, tally)


def _compare(whole: Path, folder: Path, tally: _Tally) -> None:
    try:
        wanted, (found, twice) = _data(whole)[0], _data(folder)
    except MtjlabError:
        tally.counts["damaged"] += 1
        return
    tally.counts["twice"] += twice
    tally.counts["different"] += sum(not _is_same(wanted[place], found.get(place)) for place in PLACES)
    tally.counts["exports_wrong"] += not _has_same_exports(whole, folder)


def _data(folder: Path) -> tuple[dict[tuple[int, int], Any], int]:
    """Everything that counts of every die, and how many dies do not have just one finished visit."""
    with open_run(folder) as run:
        if run.problems() or run.state != "complete":
            raise MtjlabError(f"{run.state}, {run.problems()}")
        figures, found, twice = run.figures(), {}, 0
        for row in run.dies():
            assert row.attempt is not None
            names = ("", *run.further_maps(STEP, row.attempt))
            maps = [one for name in names for one in run.maps(row.die, STEP, name=name)]
            arrays = [getattr(one, name) for one in maps for name in MAP_ARRAYS]
            words = repr((row.hard_bin, row.soft_bin, figures[row.attempt], names, run.details(row.attempt, STEP)))
            found[row.die.x, row.die.y] = (words, arrays)
            twice += sum(visit.state == DieState.DONE for visit in run.attempts(row.die)) != 1
    return found, twice


def _is_same(one: Any, other: Any) -> bool:
    return (
        other is not None
        and one[0] == other[0]
        and len(one[1]) == len(other[1])
        and all(np.array_equal(a, b, equal_nan=True) for a, b in zip(one[1], other[1], strict=True))
    )


def _has_same_exports(whole: Path, folder: Path) -> bool:
    """Whether all files are there, whole, and the tables say the same of every die."""
    kept = RunSummary.load(folder / EXPORTS / SUMMARY)
    if any(file_sha256(folder / EXPORTS / name) != wanted for name, wanted in kept.files.items()):
        return False
    names = {path.name for path in (whole / EXPORTS).iterdir()} | {"report.html", "report.pdf"}
    there = {path.name for path in (folder / EXPORTS).iterdir()} | {path.name for path in folder.glob("report.*")}
    there -= {"wafer_all_attempts.stdf"}  # visits that kills cut short are there, which the undisturbed run has none of
    tables = [pyarrow.parquet.read_table(one / EXPORTS / "dies.parquet") for one in (whole, folder)]
    own = {"run_id", "attempt", "attempts", "touchdowns", "began", "seconds", "bench_seconds", "reason"}
    return names == there and tables[0].drop(list(own)).equals(tables[1].drop(list(own)))


def run(*, quick: bool) -> tuple[str, list[list[Any]], dict[str, Any]]:
    """Title, table (headings first) and figures."""
    kills, rng, tally = (12 if quick else 300), random.Random(1), _Tally()
    for name in _LOADED_ONCE:
        importlib.import_module(name)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        recipe = write_files(folder)
        started = time.perf_counter()
        _until(recipe, folder / "whole", _LONGEST_SECONDS)
        undisturbed = time.perf_counter() - started
        number = 0
        while tally.counts["kills"] < kills:
            _one_run(recipe, folder / "whole", folder / str(number), rng, undisturbed / _PER_RUN, tally)
            shutil.rmtree(folder / str(number))
            number += 1
            print(f"{tally.counts}", file=sys.stderr, flush=True)
    figures: dict[str, Any] = {"dies": len(PLACES), **tally.counts, "undisturbed_seconds": round(undisturbed, 2)}
    rows = [["figure", "value"], *([name.replace("_", " "), value] for name, value in figures.items())]
    return "Wafer runs killed and resumed", rows, figures
