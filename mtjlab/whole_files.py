"""Files that are there as a whole or not at all: written under another name, synced, then renamed."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import RecordError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A path to write to; what is there when the block ends replaces `path`. After an error nothing is changed.

    Raises RecordError if the disk or the share will not take it.
    """
    unfinished = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield unfinished
        with unfinished.open("r+b") as file:
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        _remove(unfinished)
        raise os_record_error(error, path) from error
    except BaseException:
        _remove(unfinished)
        raise


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:  # the disk that it lay on is gone, and it with it
        return


def os_record_error(error: OSError, path: Path) -> RecordError:
    """What a failing file system means to the operator."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        what, remedy = "the disk is full", "Free space on that disk, then go on: what was saved before is intact"
    else:
        what, remedy = "cannot be written or read", "Check that the disk or share is there and may be written"
    return RecordError(f"{what} ({error.strerror or error})", where=str(path), remedy=remedy)
