"""One program per bench: a lock on each instrument's address, which ends with the process and names its holder."""

from __future__ import annotations

import contextlib
import getpass
import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from .errors import InputError


@dataclass(frozen=True)
class Holder:
    """Who holds an instrument.

    Attributes:
        address: its VISA address.
        user, host, process: who, on which machine, which process.
        since: local time, ISO 8601.
        command: what was started.
    """

    address: str
    user: str
    host: str
    process: int
    since: str
    command: str

    def __str__(self) -> str:
        return f"{self.user} on {self.host}, process {self.process}, since {self.since}: {self.command}"


class BenchLock:
    """Keeps other programs on this machine from driving the same instruments. Use it as a context manager.

    Args:
        addresses: VISA addresses of the instruments.
        folder: where the locks are; the same for all programs and users of the machine.

    Raises InputError, on entering, that names who holds an instrument. A holder that died holds nothing.
    """

    def __init__(self, addresses: Iterable[str], folder: Path | None = None) -> None:
        self._addresses = sorted(set(addresses))
        self._folder = folder or lock_folder()
        self._held: list[tuple[FileLock, Path]] = []

    def __enter__(self) -> BenchLock:
        self._folder.mkdir(parents=True, exist_ok=True)
        for address in self._addresses:
            try:
                self._take(address)
            except Timeout as error:
                self.release()
                raise _refusal(address, holder_of(address, self._folder)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()

    def release(self) -> None:
        """Give every instrument back."""
        for lock, note in reversed(self._held):
            note.unlink(missing_ok=True)
            lock.release()
        self._held = []

    def _take(self, address: str) -> None:
        lock = FileLock(_path(address, self._folder, "lock"), timeout=0, thread_local=False)
        lock.acquire()
        note = _path(address, self._folder, "json")
        self._held.append((lock, note))
        holder = Holder(
            address,
            _user(),
            platform.node(),
            os.getpid(),
            datetime.now().astimezone().isoformat(timespec="seconds"),
            " ".join([Path(sys.argv[0] or "python").name, *map(_without_secrets, sys.argv[1:])]),
        )
        note.write_text(json.dumps(asdict(holder)), encoding="utf-8")


def lock_folder() -> Path:
    """Where locks are by default: one folder for all users of the machine."""
    shared = os.environ.get("PROGRAMDATA")
    return Path(shared) / "mtjlab" / "locks" if shared else Path(tempfile.gettempdir()) / "mtjlab-locks"


def holder_of(address: str, folder: Path | None = None) -> Holder | None:
    """Who holds an instrument now; None if nobody does."""
    place = folder or lock_folder()
    if not _path(address, place, "lock").exists():
        return None
    probe = FileLock(_path(address, place, "lock"), timeout=0, thread_local=False)
    try:
        with probe:
            return None
    except Timeout:
        return _noted(address, place)


def _noted(address: str, folder: Path) -> Holder:
    unknown = Holder(address, "somebody", platform.node(), 0, "an unknown time", "an unknown program")
    try:
        found = json.loads(_path(address, folder, "json").read_text(encoding="utf-8"))
        return Holder(**{key: type(value)(found[key]) for key, value in asdict(unknown).items()})
    except (OSError, ValueError, KeyError, TypeError):
        return unknown


def _path(address: str, folder: Path, kind: str) -> Path:
    readable = "".join(sign if sign.isalnum() else "-" for sign in address)[:60]
    return folder / f"{readable}-{hashlib.sha256(address.encode()).hexdigest()[:8]}.{kind}"


def _without_secrets(word: str) -> str:
    """A word of a command line; of an address to notify, which holds secrets, the service alone."""
    before, sign, _ = word.partition("://")
    return f"{before}://..." if sign else word


def _user() -> str:
    with contextlib.suppress(OSError, KeyError, ImportError):
        return getpass.getuser()
    return "somebody"


def _refusal(address: str, holder: Holder | None) -> InputError:
    who = f"it is in use by {holder}" if holder else "it is in use"
    return InputError(
        who,
        where=address,
        remedy="Wait until that run has ended, or stop it; to make the bench safe now, `mtjlab bench off STATION`",
    )
