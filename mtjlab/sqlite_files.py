"""SQLite files that survive a kill: how they are opened, and what their errors mean to the person at the bench.

Write-ahead logging with a sync at every commit: what a commit has returned from is on the disk, whatever ends the
process or the power after it. WAL needs a local disk; on a network share SQLite's locks are not to be relied on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError, RecordError
from .whole_files import os_record_error, whole_file

LOCK_SECONDS = 10.0
"""How long a write waits for another program's lock before it is refused."""

_MEANINGS = {
    "SQLITE_FULL": ("the disk is full", "Free space on that disk, then go on: what was saved before is intact"),
    "SQLITE_BUSY": (
        "another program holds it locked",
        "Close the database in other programs (viewers, notebooks, backup), then go on",
    ),
    "SQLITE_LOCKED": ("another connection holds it locked", "Close the other reader or writer, then go on"),
    "SQLITE_READONLY": ("it may not be written", "Check the rights on the file and its folder"),
    "SQLITE_CANTOPEN": ("it cannot be opened", "Check that the folder is there and may be written"),
    "SQLITE_IOERR": ("the disk or the share it lies on failed", "Check that the disk is there and has space"),
    "SQLITE_CORRUPT": ("it is damaged", "Work on a copy; `sqlite3 FILE .recover` saves what can be read"),
    "SQLITE_NOTADB": ("it is not an SQLite database", "Give a file that mtjlab or QCoDeS wrote"),
}


def require_local(folder: Path) -> None:
    """Raise InputError for a folder that SQLite cannot be trusted in: a network path, or one its file names bend."""
    text = str(folder)
    if text.startswith(("\\\\", "//")):
        raise InputError(
            "a run cannot be recorded on a network share",
            where=text,
            remedy="Record on a local disk and publish the finished run to the share",
        )
    strange = sorted(set(text) & set("?#%"))
    if strange:  # QCoDeS opens databases by a URI that it does not escape
        raise InputError(f"the folder's path contains {' '.join(strange)}", where=text, remedy="Use another folder")


def connect(path: Path, lock_seconds: float = LOCK_SECONDS) -> sqlite3.Connection:
    """Open or make a database for writing, in WAL mode; transactions are begun by hand.

    Raises RecordError if it cannot be opened, is locked, or lies where WAL does not work.
    """
    with explained(path):
        connection = sqlite3.connect(path, timeout=lock_seconds, isolation_level=None)
        try:
            use_wal(connection, path)
        except BaseException:
            connection.close()
            raise
    return connection


def write_database(content: sqlite3.Connection, path: Path) -> None:
    """Write a database that was made in memory as a file, which is there as a whole or not at all.

    A database is made by many small transactions; in memory none of them waits for the disk. Raises RecordError.
    """
    with whole_file(path) as unfinished, explained(path):
        unfinished.unlink(missing_ok=True)
        file = sqlite3.connect(unfinished, isolation_level=None)
        try:
            file.execute("PRAGMA journal_mode=OFF")
            file.execute("PRAGMA synchronous=OFF")
            content.backup(file)
        finally:
            file.close()


def use_wal(connection: sqlite3.Connection, path: Path) -> None:
    """Switch to write-ahead logging with a sync at every commit. Raises RecordError where the disk does not have it."""
    (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
    if mode != "wal":
        raise RecordError(
            f"write-ahead logging does not work there (journal mode stays {mode!r})",
            where=str(path),
            remedy="Record on a local disk",
        )
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA wal_autocheckpoint=4000")


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open a database for reading only, also while it is being written and in a folder that may not be written.

    Raises InputError if there is no such file, RecordError if it cannot be read.
    """
    if not path.is_file():
        raise InputError("no such file", where=str(path), remedy="Give the folder of a run")
    with explained(path):
        plain = f"{path.resolve().as_uri()}?mode=ro"
        try:
            return _checked(sqlite3.connect(plain, uri=True, isolation_level=None, timeout=LOCK_SECONDS))
        except sqlite3.OperationalError as error:
            name = getattr(error, "sqlite_errorname", "")
            if "CANTOPEN" not in name and "READONLY" not in name:
                raise
            _require_whole_in_itself(path)
            return _checked(sqlite3.connect(f"{plain}&immutable=1", uri=True, isolation_level=None))


def _require_whole_in_itself(path: Path) -> None:
    """In a folder that may not be written, the latest data of a run that was never closed cannot be seen."""
    log = path.with_name(f"{path.name}-wal")
    if log.is_file() and log.stat().st_size:
        raise RecordError(
            "it was never closed, and its folder may not be written",
            where=str(path),
            remedy="Copy the whole folder to where it may be written, and read it there",
        )


def _checked(connection: sqlite3.Connection) -> sqlite3.Connection:
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def leave_as_one_file(connection: sqlite3.Connection) -> None:
    """Put everything into the database file itself, so that a copy of it is whole; not while others read it."""
    try:
        connection.execute("PRAGMA busy_timeout=0")
        connection.execute("PRAGMA journal_mode=DELETE").fetchone()
    except sqlite3.Error:  # locked, or on a disk that is gone: what was saved stays in the side files
        return


@contextmanager
def transaction(connection: sqlite3.Connection, path: Path, *, is_synced: bool = True) -> Iterator[sqlite3.Connection]:
    """All of it or nothing; on the disk when it is left. Raises RecordError, with nothing written, if that fails.

    Without `is_synced` it survives the end of the program at once, and a power cut only once a later one is synced.
    """
    identity = file_identity(path)
    with explained(path):
        connection.execute(f"PRAGMA synchronous={'FULL' if is_synced else 'NORMAL'}")
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
    require_same_file(path, identity)


def file_identity(path: Path) -> tuple[int, int]:
    """Which file it is, whatever its name. Raises RecordError if it is gone."""
    try:
        found = path.stat()
    except OSError as error:
        raise _gone(path) from error
    return found.st_dev, found.st_ino


def require_same_file(path: Path, identity: tuple[int, int]) -> None:
    """Raise RecordError if the file has been removed or replaced: a write to it would be lost without an error."""
    if file_identity(path) != identity:
        raise _gone(path)


def _gone(path: Path) -> RecordError:
    return RecordError(
        "it has been removed, moved or replaced while it was in use",
        where=str(path),
        remedy="Bring the disk or folder back, then resume the run",
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what SQLite, QCoDeS on top of it, and the file system raise into a RecordError that says what to do."""
    try:
        yield
    except (sqlite3.Error, RuntimeError) as error:
        cause = _sqlite_cause(error)
        if cause is None:
            raise
        raise _record_error(cause, path) from error
    except OSError as error:
        raise os_record_error(error, path) from error


def _sqlite_cause(error: BaseException | None) -> sqlite3.Error | None:
    """QCoDeS raises RuntimeError from the error of SQLite."""
    while error is not None and not isinstance(error, sqlite3.Error):
        error = error.__cause__
    return error


def _record_error(error: sqlite3.Error, path: Path) -> RecordError:
    name = getattr(error, "sqlite_errorname", "") or ""
    for start, (what, remedy) in _MEANINGS.items():
        if name.startswith(start):
            return RecordError(f"{what} ({error})", where=str(path), remedy=remedy)
    return RecordError(f"cannot be written or read ({error})", where=str(path), remedy="Check the file")
