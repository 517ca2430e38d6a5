"""The ledger's tables, and reading them: also while the run goes on, from another program, or years later."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any

from .errors import InputError
from .nouns import DieId
from .run_plan import RunPlan
from .sqlite_files import connect_to_read, explained

FORMAT = "mtjlab.Ledger/1"

SCHEMA = (
    "CREATE TABLE run (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE sessions (session INTEGER PRIMARY KEY, host TEXT, process INTEGER, wall REAL)",
    """CREATE TABLE dies (x INTEGER, y INTEGER, place INTEGER UNIQUE, state TEXT NOT NULL DEFAULT 'planned',
        attempt INTEGER, hard_bin INTEGER, soft_bin INTEGER, first_failing TEXT NOT NULL DEFAULT '',
        reason TEXT NOT NULL DEFAULT '', told_bin INTEGER, PRIMARY KEY (x, y))""",
    """CREATE TABLE attempts (attempt INTEGER PRIMARY KEY, x INTEGER, y INTEGER, session INTEGER,
        state TEXT NOT NULL DEFAULT 'planned', doing TEXT NOT NULL DEFAULT '', touchdowns INTEGER NOT NULL DEFAULT 0,
        hard_bin INTEGER, soft_bin INTEGER, first_failing TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
        began_wall REAL, ended_wall REAL, seconds REAL, bench_seconds REAL)""",
    "CREATE TABLE steps (attempt INTEGER, step TEXT, record TEXT NOT NULL, PRIMARY KEY (attempt, step))",
    """CREATE TABLE events (seq INTEGER PRIMARY KEY AUTOINCREMENT, session INTEGER, wall REAL, monotonic REAL,
        kind TEXT, attempt INTEGER, text TEXT)""",
    "CREATE TABLE binnings (binning INTEGER PRIMARY KEY, name TEXT, reason TEXT, wall REAL)",
    """CREATE TABLE binned (binning INTEGER, x INTEGER, y INTEGER, attempt INTEGER, hard_bin INTEGER, soft_bin INTEGER,
        first_failing TEXT, PRIMARY KEY (binning, x, y))""",
    "CREATE INDEX attempts_of_a_die ON attempts (x, y)",
)
"""Version 1; a column may be added to it, and readers name the columns that they want."""


class DieState(StrEnum):
    """How far a die is."""

    PLANNED = "planned"
    CONTACTED = "contacted"
    MEASURING = "measuring"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class DieRow:
    """A die as the ledger has it.

    Attributes:
        attempt: the attempt whose data count; None if it has none.
        attempts, touchdowns: of all visits.
        hard_bin, soft_bin, first_failing: as of the binning that was asked for; None, None, "" where not binned.
        reason: why it is as it is, in words.
    """

    die: DieId
    state: DieState
    attempt: int | None
    attempts: int
    touchdowns: int
    hard_bin: int | None
    soft_bin: int | None
    first_failing: str
    reason: str


@dataclass(frozen=True)
class AttemptRow:
    """One visit of a die; wall-clock seconds since 1970, None where it has not ended or is not known."""

    attempt: int
    die: DieId
    session: int
    state: DieState
    touchdowns: int
    hard_bin: int | None
    soft_bin: int | None
    first_failing: str
    reason: str
    began_wall: float
    ended_wall: float | None
    seconds: float | None
    bench_seconds: float | None


@dataclass(frozen=True)
class EventRow:
    """An entry of the audit log; `seq` is the order in which things happened, whatever the clocks said."""

    seq: int
    session: int
    wall: float
    monotonic: float
    kind: str
    attempt: int | None
    text: str


@dataclass(frozen=True)
class Binning:
    """A set of bins of all dies; number 0 are those that the run itself gave."""

    number: int
    name: str
    reason: str
    wall: float


def standing_attempts(dies: list[DieRow], visits: list[AttemptRow]) -> dict[int, DieRow]:
    """The attempt that stands for each die: the one that counts, or the last ended one of a die that failed."""
    ended = [visit for visit in visits if visit.ended_wall is not None]
    last = {visit.die: visit.attempt for visit in ended if visit.state == DieState.FAILED}
    found = {row.attempt: row for row in dies if row.attempt is not None}
    lost = [row for row in dies if row.attempt is None and row.state == DieState.FAILED]
    return found | {last[row.die]: row for row in lost if row.die in last}


class LedgerView:
    """A ledger opened for reading only. Use it as a context manager, or close it.

    Raises InputError if there is none or it is something else, RecordError if it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db = connect_to_read(path)
        try:
            self.facts: dict[str, str] = dict(self._db.execute("SELECT key, value FROM run"))
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise InputError(f"not a ledger of a run ({error})", where=str(path)) from error
        if self.facts.get("format") != FORMAT:
            self._db.close()
            raise InputError(f"unknown format {self.facts.get('format')!r} of a ledger", where=str(path))
        self.plan = RunPlan.from_json(self.facts["plan"])

    def __enter__(self) -> LedgerView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def fact(self, key: str) -> str:
        """A text kept with the run, as it is now; "" if there is none."""
        rows = self._rows("SELECT value FROM run WHERE key = ?", (key,))
        return str(rows[0][0]) if rows else ""

    def dies(self, binning: int | None = None) -> list[DieRow]:
        """Every die in the plan's order, with bins of a binning (None: the newest, 0: the run's own)."""
        rows = self._rows(
            """SELECT x, y, state, d.attempt, (SELECT count(*) FROM attempts a WHERE a.x = d.x AND a.y = d.y),
                (SELECT coalesce(sum(touchdowns), 0) FROM attempts a WHERE a.x = d.x AND a.y = d.y),
                hard_bin, soft_bin, first_failing, reason FROM dies d ORDER BY place"""
        )
        bins = self._bins(self.newest_binning if binning is None else binning)
        dies = []
        for x, y, state, attempt, attempts, touchdowns, *own, reason in rows:
            hard, soft, failing = bins.get((x, y, attempt), own)
            die = DieId(self.plan.wafer, x, y)
            dies.append(DieRow(die, DieState(state), attempt, attempts, touchdowns, hard, soft, failing or "", reason))
        return dies

    def counting(self, die: DieId) -> tuple[DieState, int | None] | None:
        """State of a die and the attempt that counts, if one does; None if the die is not in the plan."""
        rows = self._rows("SELECT state, attempt FROM dies WHERE x = ? AND y = ?", (die.x, die.y))
        return (DieState(rows[0][0]), rows[0][1]) if rows and die.wafer == self.plan.wafer else None

    def attempts(self, die: DieId | None = None) -> list[AttemptRow]:
        """Attempts in their order, of all dies or of one."""
        rows = self._rows(
            """SELECT attempt, x, y, session, state, touchdowns, hard_bin, soft_bin, first_failing, reason,
                began_wall, ended_wall, seconds, bench_seconds FROM attempts ORDER BY attempt"""
        )
        found = [
            AttemptRow(number, DieId(self.plan.wafer, x, y), session, DieState(state), *rest)
            for number, x, y, session, state, *rest in rows
        ]
        return [row for row in found if die is None or row.die == die]

    def steps(self) -> dict[tuple[int, str], dict[str, Any]]:
        """What is on the disk: the record of each (attempt, step)."""
        rows = self._rows("SELECT attempt, step, record FROM steps ORDER BY rowid")
        return {(attempt, step): json.loads(record) for attempt, step, record in rows}

    def kept(self) -> set[tuple[int, str]]:
        """The (attempt, step) that have data."""
        return {(attempt, step) for attempt, step in self._rows("SELECT attempt, step FROM steps")}

    def step(self, attempt: int, step: str) -> dict[str, Any] | None:
        """The record of one step of an attempt; None if nothing was kept."""
        rows = self._rows("SELECT record FROM steps WHERE attempt = ? AND step = ?", (attempt, step))
        return dict(json.loads(rows[0][0])) if rows else None

    def events(self) -> list[EventRow]:
        """The audit log."""
        rows = self._rows("SELECT seq, session, wall, monotonic, kind, attempt, text FROM events ORDER BY seq")
        return [EventRow(*row) for row in rows]

    def binnings(self) -> list[Binning]:
        """Every set of bins that was assigned after the run."""
        return [
            Binning(*row) for row in self._rows("SELECT binning, name, reason, wall FROM binnings ORDER BY binning")
        ]

    @property
    def newest_binning(self) -> int:
        """Number of the newest binning; 0 if there are only the run's own bins."""
        return int(self._rows("SELECT coalesce(max(binning), 0) FROM binnings")[0][0])

    def _bins(self, binning: int) -> dict[tuple[int, int, int], tuple[int | None, int | None, str]]:
        if binning and binning not in {each.number for each in self.binnings()}:
            raise InputError(f"there is no binning {binning}", where=str(self.path))
        rows = self._rows(
            "SELECT x, y, attempt, hard_bin, soft_bin, first_failing FROM binned WHERE binning = ?", (binning,)
        )
        return {(x, y, attempt): (hard, soft, failing) for x, y, attempt, hard, soft, failing in rows}

    def _rows(self, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with explained(self.path):
            return self._db.execute(query, values).fetchall()
