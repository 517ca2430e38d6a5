"""The command channel of a running wafer: what the run says of itself, and what a person at a page asks of it.

Two small SQLite files in the folder of the run, each with one kind of writer. `live.sqlite` is written by the run
alone: phase, what it is doing, a question that it waits with. `control.sqlite` is written by pages alone: who has the
controls, and requests in their order. The run looks at it between transactions with its instruments and never waits for
it: a page that is missing, dead or wrong is no reason for anything to happen. Neither file holds results.
"""

from __future__ import annotations

import contextlib
import json
import platform
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from .errors import InputError, MtjlabError, RecordError
from .sqlite_files import connect, connect_to_read, explained

LIVE = "live.sqlite"
CONTROL = "control.sqlite"
LEASE_SECONDS = 30.0
"""So long the controls stay with somebody who is not heard of (an assumption): then another may take them."""
MOST_NAME = 40
_SETTLED_NS = 2_000_000_000

_LIVE = (
    "CREATE TABLE IF NOT EXISTS status (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS answers (session TEXT, seq INTEGER, outcome TEXT, PRIMARY KEY (session, seq))",
)
_CONTROL = (
    """CREATE TABLE IF NOT EXISTS controller (only INTEGER PRIMARY KEY CHECK (only = 1), token TEXT, name TEXT,
        wall REAL)""",
    """CREATE TABLE IF NOT EXISTS requests (seq INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, action TEXT,
        x INTEGER, y INTEGER, name TEXT, wall REAL)""",
)


class Action(StrEnum):
    """What may be asked of a run."""

    PAUSE = "pause"
    RESUME = "resume"
    SKIP = "skip"
    ABORT = "abort"
    RETRY = "retry"
    """Answers a question: it has been seen to, once more. `SKIP` and `ABORT` answer one too."""


@dataclass(frozen=True)
class Request:
    """What somebody asks of the run; `die` (x, y) with `SKIP`: None for the one under the probes."""

    seq: int
    action: Action
    die: tuple[int, int] | None
    name: str


class NotInControl(InputError):  # noqa: N818 (a fact that the page tells the person)
    """Somebody else has the controls, or they have lapsed."""


class RunChannel:
    """The run's end: publishes, and takes requests. Nothing in here raises once it is made; see `problems`.

    Args:
        folder: of the run.
        wall: seconds since 1970, for people.
    """

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self.session = secrets.token_hex(8)
        self.problems: list[str] = []
        """What went wrong with the channel itself."""
        self._folder, self._wall = folder, wall
        self._seen, self._stamp = 0, (0, 0)
        self._status: dict[str, str] = {}
        self._db: sqlite3.Connection | None = None
        self._alive = FileLock(folder / "live.lock", timeout=0.5, thread_local=False)
        with self._harmless():
            self._alive.acquire()
        with self._harmless():
            self._db = connect(folder / LIVE, lock_seconds=0.2)
            self._db.execute("PRAGMA synchronous=NORMAL")
            for statement in _LIVE:
                self._db.execute(statement)
        self.publish(session=self.session, host=platform.node(), phase="running", question=None, bench={})

    def publish(self, **values: Any) -> None:
        """Say something of the run (plain values): phase, doing, done, total, die, question, bench."""
        changed = {key: text for key, value in values.items() if self._status.get(key) != (text := json.dumps(value))}
        if not changed or self._db is None:
            return
        changed["heard_wall"] = json.dumps(self._wall())
        with self._harmless():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO status VALUES (?, ?)", changed.items())
            self._db.execute("COMMIT")
            self._status |= changed

    def take(self) -> list[Request]:
        """Requests that came in for this run since the last call, in their order."""
        path, found = self._folder / CONTROL, list[Request]()
        with self._harmless():
            if (stamp := _stamp(path)) == self._stamp:
                return []
            with contextlib.closing(connect_to_read(path)) as db:
                rows = db.execute(
                    "SELECT seq, action, x, y, name FROM requests WHERE session = ? AND seq > ? ORDER BY seq",
                    (self.session, self._seen),
                ).fetchall()
            # a file that was written just now may be written again within the resolution of its time
            self._stamp = stamp if abs(time.time_ns() - stamp[0]) > _SETTLED_NS else (-1, -1)
            self._seen = rows[-1][0] if rows else self._seen
            found += [Request(n, Action(a), None if x is None else (x, y), name) for n, a, x, y, name in rows]
        return found

    def answer(self, request: Request, outcome: str) -> None:
        """Say what became of a request, in words."""
        if self._db is None:
            return
        with self._harmless():
            self._db.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?)", (self.session, request.seq, outcome))

    def close(self, phase: str = "ended") -> None:
        """The run has ended."""
        self.publish(phase=phase, question=None)
        if self._db is not None:
            self._db.close()
            self._db = None
        with self._harmless():
            self._alive.release()

    @contextmanager
    def _harmless(self) -> Iterator[None]:
        try:
            yield
        except (MtjlabError, sqlite3.Error, OSError, ValueError, TypeError) as error:  # Timeout is an OSError
            self.problems = [*self.problems[-9:], str(error)]
            if self._db is not None and self._db.in_transaction:
                self._db.execute("ROLLBACK")


class ControlDesk:
    """The page's end, one per run: who has the controls, requests, and what the run says.

    Args:
        folder: of the run.
        wall: seconds since 1970.
    """

    def __init__(self, folder: Path, wall: Callable[[], float] = time.time) -> None:
        self._folder, self._wall = folder, wall

    def status(self) -> dict[str, Any]:
        """What the run published last, and `is_live`: whether it is still there; empty if it never said anything."""
        path = self._folder / LIVE
        found = {key: json.loads(value) for key, value in _rows(path, "SELECT key, value FROM status")}
        if not found:
            return {}
        query = "SELECT seq, outcome FROM answers WHERE session = ? ORDER BY seq DESC LIMIT 5"
        answers = [list(row) for row in _rows(path, query, (found.get("session", ""),))]
        return found | {"answers": answers, "is_live": self.is_live()}

    def is_live(self) -> bool:
        """Whether the process that publishes still runs: it holds a lock that ends with it."""
        path = self._folder / "live.lock"
        if not path.exists():
            return False
        try:
            with FileLock(path, timeout=0, thread_local=False):
                return False
        except Timeout:
            return True
        except OSError:
            return False

    def controller(self) -> str | None:
        """Name of who has the controls; None if nobody has."""
        rows = _rows(self._folder / CONTROL, "SELECT name, wall FROM controller")
        return str(rows[0][0]) if rows and self._wall() - rows[0][1] < LEASE_SECONDS else None

    def take_controls(self, name: str) -> str:
        """Take the controls; returns the token that requests are made with. Raises NotInControl if somebody has."""
        token = secrets.token_urlsafe(16)
        with self._changed() as db:
            row = db.execute("SELECT name, wall FROM controller").fetchone()
            if row and self._wall() - row[1] < LEASE_SECONDS:
                raise NotInControl(
                    f"{row[0]} has the controls",
                    remedy=f"Ask for them; {LEASE_SECONDS:g} s of silence end that",
                )
            values = (1, token, name[:MOST_NAME] or "somebody", self._wall())
            db.execute("INSERT OR REPLACE INTO controller VALUES (?, ?, ?, ?)", values)
        return token

    def renew(self, token: str) -> None:
        """Keep the controls. Raises NotInControl if they are no longer this token's."""
        with self._changed() as db:
            self._require(db, token)

    def release(self, token: str) -> None:
        """Give the controls back. Raises NotInControl if they are no longer this token's."""
        with self._changed() as db:
            self._require(db, token)
            db.execute("DELETE FROM controller")

    def request(self, token: str, action: Action, die: tuple[int, int] | None = None) -> int:
        """Ask something of the run; returns the request's number.

        Raises NotInControl without the controls, InputError if no run is there that could take it.
        """
        status = self.status()
        if not status.get("is_live"):
            raise InputError("no run is going on here", where=str(self._folder), remedy="Resume the run first")
        with self._changed() as db:
            name = self._require(db, token)
            x, y = die or (None, None)
            cursor = db.execute(
                "INSERT INTO requests (session, action, x, y, name, wall) VALUES (?, ?, ?, ?, ?, ?)",
                (status["session"], str(action), x, y, name, self._wall()),
            )
            return int(cursor.lastrowid or 0)

    def _require(self, db: sqlite3.Connection, token: str) -> str:
        row = db.execute("SELECT token, name, wall FROM controller").fetchone()
        if row is None or not secrets.compare_digest(str(row[0]).encode(), token.encode()):
            raise NotInControl("you do not have the controls", remedy="Take them first")
        if self._wall() - row[2] >= LEASE_SECONDS:
            raise NotInControl("your controls have lapsed", remedy="Take them again")
        db.execute("UPDATE controller SET wall = ?", (self._wall(),))
        return str(row[1])

    @contextmanager
    def _changed(self) -> Iterator[sqlite3.Connection]:
        path = self._folder / CONTROL
        if not self._folder.is_dir():
            raise RecordError("the folder of the run is gone", where=str(self._folder))
        with explained(path), contextlib.closing(connect(path, lock_seconds=2.0)) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                for statement in _CONTROL:
                    db.execute(statement)
                yield db
                db.execute("COMMIT")
            except BaseException:
                db.execute("ROLLBACK")
                raise


def _rows(path: Path, query: str, values: tuple[Any, ...] = ()) -> list[Any]:
    """What is in a file of the channel; nothing where it is not there yet, or not complete yet."""
    if not path.is_file():
        return []
    with explained(path), contextlib.closing(connect_to_read(path)) as db:
        try:
            return db.execute(query, values).fetchall()
        except sqlite3.OperationalError as error:
            if "no such table" in str(error):
                return []
            raise


def _stamp(path: Path) -> tuple[int, int]:
    """Changes whenever the database does; (0, 0) where there is none."""
    newest = [each.stat() for each in (path, path.with_name(f"{path.name}-wal")) if each.is_file()]
    return max((s.st_mtime_ns for s in newest), default=0), sum(s.st_size for s in newest)
