"""Released recipes: a lock file beside a recipe says what was released, and a recipe that has changed since is refused.

The lock holds the digest of what the recipe would do (see `Recipe.digest`) and those of the files that it names, so
that limits raised in a wiring file count as a change too. It guards against mistakes, not against forgery.
"""

from __future__ import annotations

import getpass
import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from .errors import InputError
from .recipe import LoadedRecipe

_AGAIN = "Have an engineer look at the change and release it: mtjlab recipe lock --again"


class RecipeLock(BaseModel):
    """What was released.

    Attributes:
        recipe, revision: of the recipe.
        sha256: digest of what it does.
        files: digest of each file that it names.
        released_by, released: who and when, local time, ISO 8601.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: str
    revision: int
    sha256: str
    files: dict[str, str]
    released_by: str
    released: str


def lock_path(recipe: Path) -> Path:
    """Where the lock of a recipe is."""
    return recipe.with_name(f"{recipe.name}.lock")


def lock_recipe(loaded: LoadedRecipe, files: Mapping[str, Path], *, by: str = "", again: bool = False) -> RecipeLock:
    """Release a recipe as it stands.

    Args:
        files: that it names, by what they are.
        by: who releases it; the user of this computer if left out.
        again: replace the lock of an earlier release.

    Raises InputError if it is locked already and `again` is not said, or the lock cannot be written.
    """
    target = lock_path(loaded.path)
    if target.exists() and not again:
        raise InputError("is released already", where=str(loaded.path), remedy="To release it anew say --again")
    lock = RecipeLock(
        recipe=loaded.recipe.recipe,
        revision=loaded.recipe.revision,
        sha256=loaded.recipe.digest(),
        files={what: _digest(path) for what, path in sorted(files.items())},
        released_by=by or getpass.getuser(),
        released=datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    try:
        target.write_text(lock.model_dump_json(indent=1) + "\n", encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(
            f"cannot be written ({error.strerror})", where=str(target), remedy="Check the folder"
        ) from error
    return lock


def require_unchanged(
    loaded: LoadedRecipe, files: Mapping[str, Path], *, only_released: bool = False
) -> RecipeLock | None:
    """The recipe's lock; None if it has none.

    Raises InputError if it, or a file that it names, is not what was released, or if it must be released and is not.
    """
    target = lock_path(loaded.path)
    if not target.exists():
        if only_released:
            raise InputError(
                "is not released", where=str(loaded.path), remedy="Have an engineer run: mtjlab recipe lock"
            )
        return None
    lock = _read(target)
    when = f"it was released as revision {lock.revision} by {lock.released_by} on {lock.released}"
    if lock.sha256 != loaded.recipe.digest():
        raise InputError(f"has changed since {when}", where=str(loaded.path), remedy=f"Undo the change. {_AGAIN}")
    for what, digest in lock.files.items():
        if what not in files or _digest(files[what]) != digest:
            raise InputError(
                f"its {what} file has changed since {when}",
                where=str(files.get(what, loaded.path)),
                remedy=f"Undo the change. {_AGAIN}",
            )
    return lock


def _read(path: Path) -> RecipeLock:
    try:
        return RecipeLock.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise InputError("is no lock of a recipe", where=str(path), remedy=_AGAIN) from error


def _digest(path: Path) -> str:
    """Of the text; what line ends a file has does not matter."""
    try:
        return hashlib.sha256(path.read_bytes().replace(b"\r\n", b"\n")).hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path), remedy="Check the path") from error
