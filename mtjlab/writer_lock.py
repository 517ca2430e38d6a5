"""One program records a run: a lock in its folder, which ends with the process that holds it."""

from __future__ import annotations

from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from .errors import InputError
from .run_names import LOCK
from .whole_files import os_record_error


def writer_lock(folder: Path) -> BaseFileLock:
    """Take the lock of a run; the caller releases it.

    Raises InputError while another program has it, RecordError if the folder cannot be written.
    """
    lock = FileLock(folder / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise InputError(
            "another program is recording this run", where=str(folder), remedy="Wait for it, or end it"
        ) from error
    except OSError as error:
        raise os_record_error(error, folder) from error
    return lock
