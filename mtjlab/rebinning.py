"""Bins assigned anew from what was recorded, without touching the wafer; the run's own bins stay beside them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError
from .ledger import Ledger
from .ledger_rows import DieRow, DieState
from .nouns import DieId
from .run_names import LEDGER
from .store import open_run
from .writer_lock import writer_lock


@dataclass(frozen=True)
class NewBin:
    """Where a die goes: bins and, if it fails, the first test that it failed."""

    hard: int
    soft: int
    first_failing: str = ""


Assign = Callable[[DieRow, dict[str, float]], NewBin]
"""Gets a die and its figures by `<step>.<name>`, and sorts it."""


def rebin(folder: Path, assign: Assign, *, name: str, reason: str) -> int:
    """Sort every measured die of a run anew; returns the number of the new binning, which exports take from then on.

    Args:
        folder: of the run, on the disk where it was recorded.
        assign: the new rule; dies without data that count keep their bins.
        name: of the rule, e.g. the revision of the limits.
        reason: why, for those who read it later.

    Raises:
        InputError: there is no run, or another program is recording it.
        RecordError: the ledger cannot be read or written.
    """
    with open_run(folder) as run:
        figures = run.figures()
        dies = [row for row in run.dies(0) if row.attempt is not None and row.state == DieState.DONE]
    if not dies:
        raise InputError("no die has been measured yet", where=str(folder))
    rows: list[tuple[int, int, int, int | None, int | None, str]] = []
    for row in dies:
        assert row.attempt is not None
        new = assign(row, figures.get(row.attempt, {}))
        rows.append((row.die.x, row.die.y, row.attempt, new.hard, new.soft, new.first_failing))
    lock = writer_lock(folder)
    try:
        ledger = Ledger(folder / LEDGER)
        try:
            return ledger.add_binning(name, reason, rows)
        finally:
            ledger.close()
    finally:
        lock.release()


def changed_bins(folder: Path, before: int, after: int) -> dict[DieId, tuple[int | None, int | None]]:
    """Hard bins of the dies that two binnings sort differently: before, after."""
    with open_run(folder) as run:
        old = {row.die: row.hard_bin for row in run.dies(before)}
        new = {row.die: row.hard_bin for row in run.dies(after)}
    return {die: (old[die], new[die]) for die in old if old[die] != new[die]}
