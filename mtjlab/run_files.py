"""Small files that steps give beside maps and figures (trained networks, say), each kept with its SHA-256."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import InputError, RecordError
from .whole_files import os_record_error, whole_file

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[a-z0-9]+)?", re.ASCII)


@dataclass(frozen=True)
class FileReference:
    """Where a file is: `path` below the folder of all files, its size, and SHA-256 of its bytes."""

    name: str
    path: str
    size: int
    sha256: str


class RunFiles:
    """The files of a run.

    Args:
        folder: of all of them; made with the first.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, step: str, name: str, attempt: int, content: bytes) -> FileReference:
        """Write a file; on the disk when it returns.

        Raises InputError for a name that is none of a plain file, RecordError if the disk will not take it.
        """
        require_file_name(name)
        path = f"{attempt}/{step}/{name}"
        with whole_file(self.folder / path) as unfinished:
            unfinished.write_bytes(content)
        return FileReference(name, path, len(content), hashlib.sha256(content).hexdigest())

    def read(self, reference: FileReference) -> bytes:
        """Read it back. Raises RecordError if it is not there or not what was written."""
        attempt, _, rest = reference.path.partition("/")
        step, _, name = rest.partition("/")
        require_file_name(name)  # it stands in a file that may come from elsewhere
        if not (attempt.isdigit() and step.isidentifier()):
            raise InputError(f"there is no file {reference.path!r}", where=str(self.folder))
        path = self.folder / attempt / step / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise os_record_error(error, path) from error
        if hashlib.sha256(content).hexdigest() != reference.sha256:
            raise RecordError("is not what was written (SHA-256)", where=str(path), remedy="Use another copy")
        return content


def require_file_name(name: str) -> None:
    """Raise InputError unless it is the plain name of a file on every system."""
    if not _NAME.fullmatch(name):
        raise InputError(
            f"a file cannot be called {name!r}", remedy="Use letters, digits and underscores, and one ending"
        )
