"""What the live page shows of a recorded run, read from its files: the wafer, and what has changed since.

Every question opens the files for reading, asks, and closes them: a run is never in the way of a page for longer than
that, and never the other way round.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .ledger_rows import AttemptRow, DieRow, DieState
from .nouns import CellStatus
from .run_control import LIVE, ControlDesk
from .run_names import LEDGER
from .sqlite_files import connect_to_read, explained
from .store import open_run
from .stored_run import StoredRun

MOST_EVENTS = 400
"""So many entries of the log are shown at first; the run's ledger has all of them."""
ENDED = ("complete", "stopped", "failed")
"""Phases that a run is in after it was closed."""
GOING = ("running", "resumed", "paused", "asking")
"""Phases of a run whose process is there."""
_RECENT = 12
_INCIDENTS = ("failed", "interrupted", "clock", "contact", "prober: ")
"""How the kinds of entries begin that tell of something that went wrong."""
_HARMLESS = ("contacted", "prober: read back")


def run_folders(root: Path) -> list[Path]:
    """Folders of recorded runs under a folder; what lies inside of a run is not looked through."""
    found = []
    for place, folders, names in os.walk(root):
        if LEDGER in names:
            found.append(Path(place))
            folders.clear()
    return found


def listed(folder: Path) -> dict[str, Any]:
    """A run in the list of runs."""
    sessions, host, process = _last_session(folder)
    with open_run(folder) as run:
        rows = run.dies()
        return {
            "run_id": run.run_id,
            "lot": run.plan.lot,
            "wafer": run.plan.wafer,
            "started_wall": run.started_wall,
            "phase": phase_of(run.state, ControlDesk(folder).status(), sessions),
            "dies": len(rows),
            "finished": sum(_is_finished(row) for row in rows),
            "host": host,
            "process": process,
            "is_simulated": run.provenance.is_simulated,
        }


def phase_of(state: str, live: dict[str, Any], sessions: int) -> str:
    """One word for how a run is: running, resumed, paused, asking, interrupted, complete, stopped or failed."""
    if state != "open":
        return state
    if not live.get("is_live"):
        return "interrupted" if live else "recording"
    phase = str(live.get("phase", "running"))
    return "resumed" if phase == "running" and sessions > 1 else phase


def changed_at(folder: Path) -> tuple[int, ...]:
    """Another value whenever the files of a run may have changed; opens none of them."""
    stamps: list[int] = []
    for name in (LEDGER, f"{LEDGER}-wal", LIVE, f"{LIVE}-wal", "control.sqlite", "control.sqlite-wal"):
        with contextlib.suppress(OSError):
            found = (folder / name).stat()
            stamps += [found.st_mtime_ns, found.st_size]
    return tuple(stamps)


def whole(folder: Path) -> dict[str, Any]:
    """A run as it is now: what does not change, and all that `changes` would tell."""
    with open_run(folder) as run:
        plan, known = run.plan, run.provenance
        fixed = {
            "run_id": run.run_id,
            "lot": plan.lot,
            "wafer": plan.wafer,
            "steps": list(plan.steps),
            "signs": list(plan.frame.signs) if plan.frame else [1, 1],
            "started_wall": run.started_wall,
            "hard_bin_names": {str(number): name for number, name in plan.hard_bin_names.items()},
            "soft_bin_names": {str(number): name for number, name in plan.soft_bin_names.items()},
            "passing_bins": list(plan.passing_bins),
            "tests": {f"{test.step}.{test.name}": [test.units, test.low, test.high] for test in plan.tests},
            "statuses": {str(int(status)): _words(status) for status in CellStatus},
            "operator": known.operator,
            "bench": known.bench,
            "recipe": " ".join(filter(None, (known.recipe_name, known.recipe_revision))),
            "is_simulated": known.is_simulated,
            "instruments": [
                " ".join(filter(None, (each.name, each.vendor, each.model, each.serial))) for each in known.instruments
            ],
        }
        return {"fixed": fixed} | _now(folder, run, {}, None)[0]


class Changes:
    """What has changed in a run since it was asked last. For one thread.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._dies: dict[tuple[int, int], DieRow] = {}
        self._seq: int | None = None

    def since(self) -> dict[str, Any]:
        """Dies that are not as they were, new entries of the log, and how the run is."""
        with open_run(self.folder) as run:
            told, self._dies, self._seq = _now(self.folder, run, self._dies, self._seq)
        return told


def _now(
    folder: Path, run: StoredRun, before: dict[tuple[int, int], DieRow], seq: int | None
) -> tuple[dict[str, Any], dict[tuple[int, int], DieRow], int]:
    rows, visits, live = run.dies(), run.attempts(), ControlDesk(folder).status()
    events = _events(folder, seq)
    told = {
        "dies": [die_words(row) for row in rows if before.get((row.die.x, row.die.y)) != row],
        "events": events,
        "phase": phase_of(run.state, live, max((visit.session for visit in visits), default=1)),
        "reason": run.reason,
        "ended_wall": run.ended_wall,
        "live": {key: live.get(key) for key in ("doing", "question", "bench", "heard_wall", "host", "answers")},
        "controller": ControlDesk(folder).controller(),
        "left": sum(not _is_finished(row) for row in rows),
        "seconds_left": seconds_left(rows, visits),
        "touchdowns": sum(visit.touchdowns for visit in visits),
        "current": next(
            ([v.die.x, v.die.y, v.attempt, v.began_wall] for v in reversed(visits) if v.ended_wall is None), None
        ),
    }
    last = events[-1]["seq"] if events else (seq or 0)
    return told, {(row.die.x, row.die.y): row for row in rows}, last


def seconds_left(dies: Sequence[DieRow], visits: Sequence[AttemptRow]) -> float | None:
    """Dies that are left times the median of the last visits; None before the first has ended."""
    left = sum(not _is_finished(row) for row in dies)
    took = [visit.seconds for visit in visits if visit.seconds is not None and visit.state != DieState.SKIPPED]
    return left * statistics.median(took[-_RECENT:]) if took else (0.0 if not left else None)


def die_words(row: DieRow) -> dict[str, Any]:
    """A die as plain values."""
    return {
        "x": row.die.x,
        "y": row.die.y,
        "state": str(row.state),
        "attempt": row.attempt,
        "attempts": row.attempts,
        "touchdowns": row.touchdowns,
        "hard_bin": row.hard_bin,
        "soft_bin": row.soft_bin,
        "first_failing": row.first_failing,
        "reason": row.reason,
    }


def latest_events(folder: Path, most: int, without: Sequence[str] = ()) -> list[dict[str, Any]]:
    """The last entries of a run's log, oldest first, without those of some kinds."""
    return _events(folder, None, most, without)


def _events(
    folder: Path, seq: int | None, most: int = MOST_EVENTS, without: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Entries after `seq`, or the last ones, each with the die that it is about."""
    left_out = ("facts", *without)
    path = folder / LEDGER
    with explained(path), contextlib.closing(connect_to_read(path)) as db:
        rows = db.execute(
            f"""SELECT seq, events.session, wall, kind, attempt, text, x, y FROM events
                LEFT JOIN attempts USING (attempt) WHERE seq > ? AND kind NOT IN ({", ".join("?" * len(left_out))})
                ORDER BY seq DESC LIMIT ?""",
            (seq or 0, *left_out, most),
        ).fetchall()
    names = ("seq", "session", "wall", "kind", "attempt", "text")
    return [
        dict(zip(names, row, strict=False))
        | {"is_incident": _is_incident(row[3]), "die": None if row[6] is None else [row[6], row[7]]}
        for row in reversed(rows)
    ]


def _is_incident(kind: str) -> bool:
    return kind.startswith(_INCIDENTS) and kind not in _HARMLESS


def _last_session(folder: Path) -> tuple[int, str, int]:
    """Number, machine and process of the last session of a run; (1, "", 0) before there is one."""
    path = folder / LEDGER
    with explained(path), contextlib.closing(connect_to_read(path)) as db:
        row = db.execute("SELECT session, host, process FROM sessions ORDER BY session DESC LIMIT 1").fetchone()
    return (int(row[0]), str(row[1] or ""), int(row[2] or 0)) if row else (1, "", 0)


def _is_finished(row: DieRow) -> bool:
    return row.state in (DieState.DONE, DieState.FAILED, DieState.SKIPPED)


def _words(status: CellStatus) -> str:
    """ "STUCK_AP" as people write it."""
    return " ".join(word if word in ("P", "AP", "TMR") else word.lower() for word in status.name.split("_"))


def as_line(told: dict[str, Any]) -> str:
    """As one line of JSON, which knows no NaN."""
    return json.dumps(told, allow_nan=False, separators=(",", ":"))
