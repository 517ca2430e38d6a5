"""Where data come from: everything that leads from a number back to die, instruments, recipe, software and people."""

from __future__ import annotations

import getpass
import hashlib
import importlib.metadata
import json
import platform
import subprocess
import sys
from dataclasses import asdict, dataclass, field, fields
from datetime import date
from pathlib import Path
from typing import Any

from . import __version__
from .clock_source import clock_source
from .errors import InputError

_SAME = 2e-3
"""Relative difference up to which a measured condition counts as the same (assumed)."""


@dataclass(frozen=True)
class InstrumentRecord:
    """An instrument as it identified itself; `calibration_due` as ISO 8601 date, empty where not known."""

    name: str
    vendor: str = ""
    model: str = ""
    serial: str = ""
    firmware: str = ""
    address: str = ""
    calibration_due: str = ""

    def is_overdue(self, today: date) -> bool | None:
        """Whether its calibration has run out; None where the date is not known."""
        return None if not self.calibration_due else date.fromisoformat(self.calibration_due) < today


@dataclass(frozen=True)
class Software:
    """What ran. `git_commit` and `is_modified` are None where it does not run from a checkout."""

    mtjlab: str
    python: str
    system: str
    packages_sha256: str
    git_commit: str | None = None
    is_modified: bool | None = None


@dataclass(frozen=True)
class Provenance:
    """What is known of a run at its start. None and empty texts mean: not known, and `unknown` lists them.

    Attributes:
        files_sha256: SHA-256 of the files that the bench was made from (wiring, station ...), by what they are.
        map_file, map_sha256: the wafer map's file and its SHA-256; `map_transform` and `map_orientation` say how its
            coordinates and notch relate to the prober's.
        recipe_name, recipe_revision, recipe_text: the recipe, its text with everything resolved.
        limits_revision: of the limits that bins are decided by.
        probe_card, card_touchdowns: the card's id and its touchdowns before the run.
        overtravel_meters, chuck_kelvin, tesla, is_light_on: how it was probed.
        clock_source: what the wall clock follows, see `clock_source.clock_source`.
        subsite: of each die.
        parent_run: the run that this one retests or goes on with.
        bench: name of the bench.
        is_simulated: whether the instruments were simulated.
        more: plain values of the caller's.
    """

    files_sha256: dict[str, str] = field(default_factory=dict)
    map_file: str = ""
    map_sha256: str = ""
    map_orientation: str = ""
    map_transform: str = ""
    recipe_name: str = ""
    recipe_revision: str = ""
    recipe_text: str = ""
    limits_revision: str = ""
    instruments: tuple[InstrumentRecord, ...] = ()
    probe_card: str = ""
    card_touchdowns: int | None = None
    overtravel_meters: float | None = None
    chuck_kelvin: float | None = None
    tesla: float | None = None
    is_light_on: bool | None = None
    operator: str = ""
    host: str = ""
    bench: str = ""
    clock_source: str = ""
    parent_run: str = ""
    is_simulated: bool | None = None
    subsite: int | None = None
    software: Software | None = None
    more: dict[str, Any] = field(default_factory=dict)

    @property
    def recipe_sha256(self) -> str:
        """SHA-256 of the recipe's text; empty if there is none."""
        return hashlib.sha256(self.recipe_text.encode()).hexdigest() if self.recipe_text else ""

    def unknown(self) -> list[str]:
        """Names of what is not known, for the person who could still tell."""
        optional = ("parent_run", "more", "files_sha256", "subsite")
        return [f.name for f in fields(self) if f.name not in optional and getattr(self, f.name) in (None, "", ())]

    def overdue(self, today: date) -> list[InstrumentRecord]:
        """Instruments whose calibration has run out."""
        return [each for each in self.instruments if each.is_overdue(today)]

    def to_json(self) -> str:
        """As text that `from_json` reads. Raises InputError if `more` holds what JSON cannot say."""
        try:
            return json.dumps(asdict(self) | {"recipe_sha256": self.recipe_sha256}, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError(
                f"provenance holds something that JSON cannot say ({error})", remedy="Give text, numbers, true or false"
            ) from error

    @classmethod
    def from_json(cls, text: str) -> Provenance:
        """Read what `to_json` wrote; keys that this version does not know end up in `more`."""
        content: dict[str, Any] = json.loads(text)
        content.pop("recipe_sha256", None)
        known = {f.name for f in fields(cls)}
        more = dict(content.get("more", {})) | {key: content[key] for key in content.keys() - known}
        given = {key: value for key, value in content.items() if key in known}
        given["instruments"] = tuple(InstrumentRecord(**each) for each in content.get("instruments", ()))
        given["software"] = Software(**content["software"]) if content.get("software") else None
        return cls(**(given | {"more": more}))


def here(**known: Any) -> Provenance:
    """A Provenance with this machine, user and software filled in, and what else is known."""
    found: dict[str, Any] = {
        "operator": _user(),
        "host": platform.node(),
        "software": this_software(),
        "clock_source": clock_source(),
    }
    return Provenance(**(found | known))


def this_software() -> Software:
    """Versions of what is running; the packages as one SHA-256 over sorted `name==version` lines."""
    installed = {f"{d.metadata['Name']}=={d.version}".lower() for d in importlib.metadata.distributions()}
    packages = hashlib.sha256("\n".join(sorted(installed)).encode()).hexdigest()
    commit, is_modified = _git_state(Path(__file__).resolve().parent.parent)
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return Software(__version__, sys.version.split()[0], system, packages, commit, is_modified)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes. Raises InputError if it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", where=str(path)) from error


def _git_state(root: Path) -> tuple[str | None, bool | None]:
    """Commit and whether tracked files differ from it; None where there is no checkout or no git."""
    if not (root / ".git").exists():
        return None, None
    commit = _git(root, "rev-parse", "HEAD")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return commit, None if changes is None else bool(changes)


def _git(root: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a service account may have no name
        return ""


def differences(before: Provenance, now: Provenance) -> list[str]:
    """What is no longer as it was, in words; instruments one by one."""
    found = []
    for name in (f.name for f in fields(Provenance) if f.name not in ("instruments", "more", "software")):
        old, new = getattr(before, name), getattr(now, name)
        if not _is_same(old, new):
            found.append(f"{name.replace('_', ' ')} is now {new}, it was {old}")
    old_ones, new_ones = ({each.name: each for each in one.instruments} for one in (before, now))
    for name in dict.fromkeys((*old_ones, *new_ones)):
        old, new = old_ones.get(name), new_ones.get(name)
        if old != new:
            found.append(f"instrument {name} is now {_identity(new)}, it was {_identity(old)}")
    return found


def _identity(one: InstrumentRecord | None) -> str:
    if one is None:
        return "not there"
    return " ".join(part for part in (one.vendor, one.model, one.serial, one.firmware) if part)


def _is_same(old: Any, new: Any) -> bool:
    """A chuck is never at the same temperature to the last digit."""
    if isinstance(old, float) and isinstance(new, float):
        return abs(old - new) <= _SAME * max(abs(old), abs(new))
    return bool(old == new)
