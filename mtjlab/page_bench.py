"""What the live page shows while no run is watched: who holds which instruments, and what was noted last in any run.

Instruments are held by locks on this machine (`mtjlab.bench_lock`); looking at them asks no instrument anything.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from .bench_lock import Holder, holder_of, lock_folder
from .errors import MtjlabError
from .page_views import GOING, latest_events

MOST_RUNS = 5
"""The log of this many runs, the newest, is looked through."""
MOST_EVENTS = 60
_ROUTINE = ("begin", "contacted", "measuring", "kept")
"""Every die has these; they stand in the log of its run."""


def bench_state(runs: Sequence[dict[str, Any]], folders: Sequence[Path], locks: Path | None = None) -> dict[str, Any]:
    """Who holds instruments of this machine, and the last entries of the newest runs' logs.

    Args:
        runs: as `page_views.listed` gives them, newest first.
        folders: of these runs, in the same order.
        locks: folder of the locks; None for the machine's own.
    """
    return {"holders": _holders(held(locks), runs), "events": _events(runs[:MOST_RUNS], folders)}


def held(locks: Path | None = None) -> list[Holder]:
    """Who holds an instrument now, an entry per instrument; notes that a dead program left count for nothing."""
    folder = locks or lock_folder()
    found = []
    with contextlib.suppress(OSError):
        for note in sorted(folder.glob("*.json")):
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                holder = _holder(json.loads(note.read_text(encoding="utf-8")), folder)
                if holder is not None:
                    found.append(holder)
    return found


def _holder(noted: dict[str, Any], folder: Path) -> Holder | None:
    """Who holds the instrument of a note. A lock that may not be looked at (another user's) counts as held."""
    address = str(noted["address"])
    try:
        return holder_of(address, folder)
    except OSError:
        return Holder(address, str(noted["user"]), str(noted["host"]), int(noted["process"]), str(noted["since"]), "?")


def _holders(found: Iterable[Holder], runs: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """An entry per program, with the run that it records, if it is one of these."""
    by_program: dict[tuple[str, int], dict[str, Any]] = {}
    for holder in found:
        entry = by_program.setdefault(
            (holder.host, holder.process),
            {
                "user": holder.user,
                "host": holder.host,
                "process": holder.process,
                "since": _wall(holder.since),
                "command": " ".join(map(_name, holder.command.split())),
                "addresses": [],
                "run_id": next((r["run_id"] for r in runs if _is_of(r, holder)), None),
            },
        )
        entry["addresses"].append(holder.address)
    return list(by_program.values())


def _is_of(run: dict[str, Any], holder: Holder) -> bool:
    return run["phase"] in GOING and (run["host"], run["process"]) == (holder.host, holder.process)


def _name(word: str) -> str:
    """A word of a command line; of a path, its last part: where things are on this machine is nobody's business."""
    return (PureWindowsPath(word) if "\\" in word else PurePosixPath(word)).name or word


def _wall(since: str) -> float | None:
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(since).timestamp()
    return None


def _events(runs: Sequence[dict[str, Any]], folders: Sequence[Path]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for run, folder in zip(runs, folders, strict=False):
        about = {"run_id": run["run_id"], "wafer": run["wafer"]}
        with contextlib.suppress(MtjlabError, OSError, ValueError, KeyError):
            found += [event | about for event in latest_events(folder, MOST_EVENTS, _ROUTINE)]
        found += [event | about for event in _of_supervisor(folder / "supervisor.log")]
    return sorted(found, key=lambda event: float(event["wall"]))[-MOST_EVENTS:]


def _of_supervisor(log: Path) -> list[dict[str, Any]]:
    """What the second process did that watches over real instruments, if it had to act."""
    found = []
    with contextlib.suppress(OSError):
        for line in log.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError, KeyError, TypeError):
                entry = json.loads(line)
                wall = datetime.fromisoformat(entry["time"]).timestamp()
                ended = "everything is off" if entry["is_safe"] else "NOT everything is known to be off: look at it"
                text = f"{entry['why']}: switched off from outside, {ended}"
                found.append({"wall": wall, "kind": "supervisor", "text": text, "die": None, "is_incident": True})
    return found
