"""Whether a folder holds a run, may take one, or is what a run left that ended before anything was recorded."""

from __future__ import annotations

from pathlib import Path

from .errors import InputError
from .run_names import LEDGER, LOCK

_LEFT_BEHIND = frozenset({LOCK, f"{LEDGER}.part"})
"""What there is of a run before its ledger appears."""


def require_begun(folder: Path) -> None:
    """Raise InputError if there is no run in the folder, saying whether one was begun at all."""
    if (folder / LEDGER).is_file():
        return
    if folder.is_dir() and _names(folder) and not _strangers(folder):
        raise InputError(
            "the run ended before anything was recorded",
            where=str(folder),
            remedy="Nothing was done: begin it anew, in this folder if you like (--out)",
        )
    raise InputError("there is no run here", where=str(folder), remedy="Give the folder of a run")


def require_unused(folder: Path) -> None:
    """Raise InputError if there is anything in the folder but what a run left that recorded nothing."""
    if folder.exists() and not folder.is_dir():
        raise InputError("the folder of the run is a file", where=str(folder), remedy="Give another folder")
    if folder.is_dir() and _strangers(folder):
        raise InputError("the folder of the run is not empty", where=str(folder), remedy="Give another folder")


def _strangers(folder: Path) -> set[str]:
    return _names(folder) - _LEFT_BEHIND


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}
