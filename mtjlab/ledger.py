"""The run ledger: which die of a wafer run is in which state, every attempt, every reason; what a resume goes by.

One SQLite file. Every method is one transaction: a kill at any moment leaves the state before or after it, nothing
between. What ends an attempt is on the disk when it returns; the steps on the way there outlast a kill at once, and a
power cut only with the attempt's end: its die would be probed again in any case. Order is that of `events.seq`, which
only counts up; wall-clock times stand beside it for people, and a wall clock that is set back changes nothing but gets
an event of its own.
"""

from __future__ import annotations

import json
import math
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import InputError
from .ledger_rows import FORMAT, SCHEMA, DieState
from .nouns import DieId
from .run_plan import RunPlan
from .sqlite_files import connect, leave_as_one_file, transaction, write_database

_FINISHED = tuple(str(state) for state in (DieState.DONE, DieState.FAILED, DieState.SKIPPED))
"""As SQL has them: no further visit is planned."""


class Ledger:
    """The ledger of one run, for the one program that writes it. Use `ledger_rows.LedgerView` to read along.

    Args:
        path: the SQLite file, which must exist: see `create`.
        wall: seconds since 1970 of the wall clock.
        monotonic: seconds that only grow, for durations.
        lock_seconds: how long to wait for other programs' locks.

    Raises RecordError if it cannot be opened, InputError if it is not a ledger.
    """

    def __init__(
        self,
        path: Path,
        *,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        lock_seconds: float = 10.0,
    ) -> None:
        if not path.is_file():
            raise InputError("there is no run here", where=str(path), remedy="Give the folder of a run")
        self.path = path
        self._wall, self._monotonic, self._is_closed = wall, monotonic, False
        self._db = connect(path, lock_seconds)
        try:
            self.plan = RunPlan.from_json(self.fact("plan"))
            self._last_wall = self._number("SELECT max(wall) FROM events") or -math.inf
            self._began: dict[int, float] = {}
            self._add_columns()
            self._session = self._open_session()
        except BaseException:
            self._db.close()
            raise

    @classmethod
    def create(cls, path: Path, plan: RunPlan, facts: dict[str, str], **clocks: Any) -> Ledger:
        """Make a ledger with every die planned.

        It appears under its name once it is complete. `facts`: texts kept with the run (run_id, provenance ...).
        Raises RecordError if the disk will not take it, InputError if there is one already.
        """
        if path.exists():
            raise InputError("there is a run here already", where=str(path), remedy="Resume it, or use a new folder")
        made = sqlite3.connect(":memory:", isolation_level=None)
        for statement in SCHEMA:
            made.execute(statement)
        content = {"format": FORMAT, "plan": plan.to_json(), "state": "open", "reason": "", **facts}
        made.executemany("INSERT INTO run VALUES (?, ?)", content.items())
        rows = [(die.x, die.y, place) for place, die in enumerate(plan.dies)]
        made.executemany("INSERT INTO dies (x, y, place) VALUES (?, ?, ?)", rows)
        write_database(made, path)
        made.close()
        return cls(path, **clocks)

    def close(self) -> None:
        """Close the file; leaves it whole in itself where nobody else is reading. Without effect if it is closed."""
        if not self._is_closed:
            self._is_closed = True
            leave_as_one_file(self._db)
            self._db.close()

    def wall_seconds(self) -> float:
        """What the wall clock says now."""
        return self._wall()

    @property
    def session(self) -> int:
        """Number of this opening of the run, from 1."""
        return self._session

    def fact(self, key: str, otherwise: str | None = None) -> str:
        """A text kept with the run, or what to say without it. Raises InputError if it is no ledger of this format."""
        try:
            facts = dict(self._db.execute("SELECT key, value FROM run"))
        except sqlite3.DatabaseError as error:
            raise InputError(f"not a ledger of a run ({error})", where=str(self.path)) from error
        if facts.get("format") != FORMAT:
            raise InputError(f"unknown format {facts.get('format')!r} of a ledger", where=str(self.path))
        return str(facts[key] if otherwise is None else facts.get(key, otherwise))

    def set_facts(self, facts: dict[str, str]) -> None:
        """Keep texts with the run, in place of earlier ones of the same keys."""
        with self._transaction("facts", ", ".join(facts)):
            self._db.executemany("INSERT OR REPLACE INTO run VALUES (?, ?)", facts.items())

    def note(self, kind: str, text: str, attempt: int | None = None) -> None:
        """Add an event to the audit log, which is only ever added to."""
        with self._transaction(kind, text, attempt):
            pass

    def begin_attempt(self, die: DieId) -> int:
        """Begin a visit of a die; returns its number in the run, from 0, never used twice.

        Raises InputError for a die that is not planned, or while another attempt is going on.
        """
        self._require_planned(die)
        going = self._db.execute("SELECT attempt, x, y FROM attempts WHERE ended_wall IS NULL").fetchone()
        if going:
            raise InputError(
                f"attempt {going[0]} of die ({going[1]}, {going[2]}) is not finished",
                remedy="Finish it, or resume the run",
            )
        number = int(self._number("SELECT coalesce(max(attempt) + 1, 0) FROM attempts"))
        with self._transaction("begin", f"die ({die.x}, {die.y})", number, is_synced=False):
            self._db.execute(
                "INSERT INTO attempts (attempt, x, y, session, began_wall) VALUES (?, ?, ?, ?, ?)",
                (number, die.x, die.y, self._session, self._wall()),
            )
            self._set_die(die, state=DieState.PLANNED, reason="")
        self._began[number] = self._monotonic()
        return number

    def set_contacted(self, attempt: int, touchdowns: int) -> None:
        """The probes are down; `touchdowns` so far in this attempt."""
        die = self._going_die(attempt)
        with self._transaction("contacted", f"touchdowns {touchdowns}", attempt, is_synced=False):
            self._set_attempt(attempt, state=DieState.CONTACTED, touchdowns=int(touchdowns))
            self._set_die(die, state=DieState.CONTACTED)

    def set_measuring(self, attempt: int, step: str) -> None:
        """A step has begun."""
        die = self._going_die(attempt)
        with self._transaction("measuring", step, attempt, is_synced=False):
            self._set_attempt(attempt, state=DieState.MEASURING, doing=step)
            self._set_die(die, state=DieState.MEASURING)

    def set_kept(self, attempt: int, step: str, record: dict[str, Any]) -> None:
        """The data of a step are on the disk; `record` says what and where (plain values)."""
        self._going_die(attempt)
        with self._transaction("kept", step, attempt, is_synced=False):
            self._db.execute(
                "INSERT OR REPLACE INTO steps (attempt, step, record) VALUES (?, ?, ?)",
                (attempt, step, json.dumps(record)),
            )

    def finish(
        self,
        attempt: int,
        state: DieState,
        *,
        hard_bin: int | None = None,
        soft_bin: int | None = None,
        first_failing: str = "",
        reason: str = "",
        bench_seconds: float | None = None,
        again: bool = False,
    ) -> None:
        """End an attempt: done, failed or skipped; with `again` its die is planned once more in the same transaction.

        Raises InputError if it is none of them, or was ended before.
        """
        if state not in (DieState.DONE, DieState.FAILED, DieState.SKIPPED):
            raise InputError(f"an attempt ends done, failed or skipped, not {state}")
        die = self._going_die(attempt)
        seconds = self._monotonic() - self._began[attempt] if attempt in self._began else None
        bins = {"hard_bin": hard_bin, "soft_bin": soft_bin, "first_failing": first_failing, "reason": reason}
        with self._transaction(str(state), reason, attempt):
            ended = {"ended_wall": self._wall(), "seconds": seconds, "bench_seconds": bench_seconds}
            self._set_attempt(attempt, state=state, **bins, **ended)
            self._end_die(die, attempt, state, bins)
            if again:
                self._set_die(die, state=DieState.PLANNED, reason=reason)

    def end_interrupted(self) -> list[tuple[int, DieId, str]]:
        """End the attempts that a crash left open, as failed, and plan their dies again; returns them with reasons."""
        rows = self._db.execute(
            "SELECT attempt, x, y, state, doing FROM attempts WHERE ended_wall IS NULL ORDER BY attempt"
        ).fetchall()
        ended = []
        for attempt, x, y, state, doing in rows:
            reason = f"interrupted while {doing or state}: the program or the power ended"
            die = DieId(self.plan.wafer, x, y)
            with self._transaction("interrupted", reason, attempt):
                self._set_attempt(attempt, state=DieState.FAILED, reason=reason, ended_wall=self._wall())
                self._set_die(die, state=DieState.PLANNED, reason=reason)
            ended.append((attempt, die, reason))
        return ended

    def plan_again(self, die: DieId, reason: str) -> None:
        """Have a die probed once more; its attempts so far stay."""
        self._require_planned(die)
        with self._transaction("planned again", f"die ({die.x}, {die.y}): {reason}"):
            self._set_die(die, state=DieState.PLANNED, reason=reason)

    def left(self) -> tuple[DieId, ...]:
        """Dies that are neither done, failed nor skipped, in the plan's order."""
        rows = self._db.execute(f"SELECT x, y FROM dies WHERE state NOT IN {_FINISHED} ORDER BY place")
        return tuple(DieId(self.plan.wafer, x, y) for x, y in rows)

    def touchdowns(self) -> int:
        """Of all visits, also those of earlier sessions."""
        return int(self._number("SELECT coalesce(sum(touchdowns), 0) FROM attempts"))

    def untold_bins(self) -> list[tuple[DieId, int]]:
        """Hard bins of finished dies that the prober's own map has not been told, in the plan's order."""
        query = f"""SELECT x, y, hard_bin FROM dies
            WHERE state IN {_FINISHED} AND hard_bin IS NOT NULL AND told_bin IS NOT hard_bin ORDER BY place"""
        return [(DieId(self.plan.wafer, x, y), int(hard)) for x, y, hard in self._db.execute(query)]

    def set_bin_told(self, die: DieId, number: int) -> None:
        """The prober's own map has this bin of a die, or a person has decided that it need not."""
        with self._transaction("bin told", f"die ({die.x}, {die.y}): {number}", is_synced=False):
            self._set_die(die, told_bin=number)

    def add_binning(self, name: str, reason: str, rows: list[tuple[int, int, int, int | None, int | None, str]]) -> int:
        """Keep bins assigned anew: (x, y, attempt, hard, soft, first failing) per die; returns the binning's number."""
        number = int(self._number("SELECT coalesce(max(binning) + 1, 1) FROM binnings"))
        with self._transaction("binned anew", f"{name}: {reason}"):
            self._db.execute("INSERT INTO binnings VALUES (?, ?, ?, ?)", (number, name, reason, self._wall()))
            self._db.executemany("INSERT INTO binned VALUES (?, ?, ?, ?, ?, ?, ?)", [(number, *row) for row in rows])
        return number

    def kept(self, attempt: int, step: str) -> dict[str, Any] | None:
        """The record of a step whose data are on the disk; None if they are not."""
        query = "SELECT record FROM steps WHERE attempt = ? AND step = ?"
        row = self._db.execute(query, (attempt, step)).fetchone()
        return dict(json.loads(row[0])) if row else None

    def kept_steps(self, attempt: int) -> list[str]:
        """Steps of an attempt whose data are on the disk."""
        return [s for (s,) in self._db.execute("SELECT step FROM steps WHERE attempt = ? ORDER BY rowid", (attempt,))]

    def _end_die(self, die: DieId, attempt: int, state: DieState, bins: dict[str, Any]) -> None:
        """What counts for the die from now on: this attempt, or the one before if this gave nothing better."""
        before, hard_before = self._db.execute(
            "SELECT attempt, hard_bin FROM dies WHERE x = ? AND y = ?", (die.x, die.y)
        ).fetchone()
        good = self.plan.passing_bins
        if state != DieState.DONE and before is not None:
            reason = f"attempt {before} counts; the retest was {state}: {bins['reason']}"
            self._set_die(die, state=DieState.DONE, reason=reason)
        elif state != DieState.DONE:
            self._set_die(die, state=state, **bins)
        elif self.plan.retests == "best" and hard_before in good and bins["hard_bin"] not in good:
            self._set_die(die, state=state, reason=f"attempt {before} counts; the retest was no better")
        else:
            self._set_die(die, state=state, attempt=attempt, **bins)

    def _require_planned(self, die: DieId) -> None:
        if die not in self.plan.dies:
            raise InputError(f"die {tuple(die)} is not in the plan of this run", where=str(self.path))

    def _going_die(self, attempt: int) -> DieId:
        row = self._db.execute("SELECT x, y, ended_wall FROM attempts WHERE attempt = ?", (attempt,)).fetchone()
        if row is None or row[2] is not None:
            raise InputError(f"attempt {attempt} has {'ended' if row else 'not begun'}", remedy="Begin a new attempt")
        return DieId(self.plan.wafer, row[0], row[1])

    def _set_die(self, die: DieId, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE dies SET {columns} WHERE x = ? AND y = ?", (*values.values(), die.x, die.y))

    def _set_attempt(self, attempt: int, **values: Any) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        self._db.execute(f"UPDATE attempts SET {columns} WHERE attempt = ?", (*values.values(), attempt))

    def _number(self, query: str) -> Any:
        return self._db.execute(query).fetchone()[0]

    def _add_columns(self) -> None:
        """A run that an earlier version began has no column for the bins that the prober was told."""
        if "told_bin" not in {name for _, name, *_ in self._db.execute("PRAGMA table_info(dies)")}:
            with transaction(self._db, self.path, is_synced=False):
                self._db.execute("ALTER TABLE dies ADD COLUMN told_bin INTEGER")

    def _open_session(self) -> int:
        number = int(self._number("SELECT coalesce(max(session) + 1, 1) FROM sessions"))
        with transaction(self._db, self.path, is_synced=False):
            self._db.execute(
                "INSERT INTO sessions VALUES (?, ?, ?, ?)", (number, platform.node(), os.getpid(), self._wall())
            )
        return number

    @contextmanager
    def _transaction(
        self, kind: str, text: str, attempt: int | None = None, *, is_synced: bool = True
    ) -> Iterator[None]:
        """A change together with its event; a wall clock that went back is noted with it."""
        wall = self._wall()
        with transaction(self._db, self.path, is_synced=is_synced):
            if wall < self._last_wall:
                self._event("clock", f"the wall clock went back by {self._last_wall - wall:.3f} s", None, wall)
            self._event(kind, text, attempt, wall)
            yield
        self._last_wall = wall

    def _event(self, kind: str, text: str, attempt: int | None, wall: float) -> None:
        self._db.execute(
            "INSERT INTO events (session, wall, monotonic, kind, attempt, text) VALUES (?, ?, ?, ?, ?, ?)",
            (self._session, wall, self._monotonic(), kind, attempt, text),
        )
