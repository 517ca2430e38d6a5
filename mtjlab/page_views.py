"""What the live page shows of a recorded run, read from its files: wafer, changes since, a die, its maps, a cell.

Every question opens the files for reading, asks, and closes them: a run is never in the way of a page for longer than
that, and never the other way round.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError, MtjlabError
from .ledger_rows import AttemptRow, DieRow, DieState
from .nouns import ArrayMap, CellStatus, DieId
from .run_control import LIVE, ControlDesk
from .run_names import LEDGER
from .sqlite_files import connect_to_read, explained
from .store import open_run
from .stored_run import StoredRun

MOST_EVENTS = 400
"""So many entries of the log are shown at first; the run's ledger has all of them."""
QUANTITIES = ("siemens", "siemens_p", "siemens_ap", "sigma")
_RECENT = 12
_INCIDENTS = ("failed", "interrupted", "clock", "contact", "prober: ")
"""How the kinds of entries begin that tell of something that went wrong."""
_HARMLESS = ("contacted", "prober: read back")


def runs_under(root: Path) -> dict[str, Path]:
    """Folders of the recorded runs under a folder, newest first, by their ids; what cannot be read is left out."""
    found: dict[str, tuple[float, Path]] = {}
    for ledger in root.rglob(LEDGER) if root.is_dir() else ():
        with contextlib.suppress(MtjlabError, OSError, ValueError, KeyError), open_run(ledger.parent) as run:
            found[run.run_id] = (run.started_wall, ledger.parent)
    return {run_id: path for run_id, (_, path) in sorted(found.items(), key=lambda each: -each[1][0])}


def listed(folder: Path) -> dict[str, Any]:
    """A run in the list of runs."""
    with open_run(folder) as run:
        rows = run.dies()
        return {
            "run_id": run.run_id,
            "lot": run.plan.lot,
            "wafer": run.plan.wafer,
            "started_wall": run.started_wall,
            "phase": phase_of(run.state, ControlDesk(folder).status(), _sessions(folder)),
            "dies": len(rows),
            "finished": sum(_is_finished(row) for row in rows),
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
        "dies": [_die(row) for row in rows if before.get((row.die.x, row.die.y)) != row],
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


def die_detail(folder: Path, x: int, y: int) -> dict[str, Any]:
    """Every visit of a die, newest last, with its steps and figures. Raises InputError if the run has no such die."""
    with open_run(folder) as run:
        row = _row(run, x, y)
        kept = _records(folder, [visit.attempt for visit in run.attempts(row.die)])
        visits = [
            {
                "attempt": visit.attempt,
                "session": visit.session,
                "state": str(visit.state),
                "touchdowns": visit.touchdowns,
                "hard_bin": visit.hard_bin,
                "soft_bin": visit.soft_bin,
                "first_failing": visit.first_failing,
                "reason": visit.reason,
                "began_wall": visit.began_wall,
                "ended_wall": visit.ended_wall,
                "seconds": visit.seconds,
                "bench_seconds": visit.bench_seconds,
                "steps": list(kept[visit.attempt]),
                "with_maps": [step for step, record in kept[visit.attempt].items() if record["shape"]],
                "figures": _figures(kept[visit.attempt]),
            }
            for visit in run.attempts(row.die)
        ]
        return _die(row) | {"visits": visits}


def die_map(folder: Path, x: int, y: int, step: str, attempt: int) -> dict[str, Any]:
    """Maps of a visit's step as little-endian arrays in base64, each (kernels, rows, cols): float32, `status` int8.

    Raises InputError if there are none, RecordError if they are not what was written.
    """
    with open_run(folder) as run:
        maps = _maps(run, x, y, step, attempt)
    arrays = {name: np.stack([getattr(one, name) for one in maps]).astype("<f4") for name in QUANTITIES}
    found = {name: _packed(values.tobytes()) for name, values in arrays.items() if not np.isnan(values).all()}
    status = np.stack([one.status for one in maps])
    return {
        "shape": list(status.shape),
        "arrays": found,
        "status": _packed(status.astype("i1").tobytes()),
        "state": _packed(np.stack([one.state for one in maps]).astype("i1").tobytes()),
        "counts": {str(number): int(count) for number, count in enumerate(np.bincount(status.ravel())) if count},
        "volts": maps[0].conditions.read_volts,
        "scheme": maps[0].conditions.scheme,
        "is_partial": any(one.is_partial for one in maps),
    }


def cell_history(folder: Path, x: int, y: int, kernel: int, row: int, col: int) -> dict[str, Any]:
    """A cell in every visit and step of its die that has maps, oldest first. Raises InputError for no such cell."""
    history = []
    with open_run(folder) as run:
        die = _row(run, x, y).die
        visits = run.attempts(die)
        kept = _records(folder, [visit.attempt for visit in visits])
        for visit in visits:
            for step in (step for step, record in kept[visit.attempt].items() if record["shape"]):
                cell = _cell(run.maps(die, step, visit.attempt), kernel, row, col)
                history.append({"attempt": visit.attempt, "step": step, "began_wall": visit.began_wall, **cell})
    return {"kernel": kernel, "row": row, "col": col, "history": history}


def _records(folder: Path, attempts: Sequence[int]) -> dict[int, dict[str, dict[str, Any]]]:
    """What was kept of some attempts, by attempt and step."""
    found: dict[int, dict[str, dict[str, Any]]] = {attempt: {} for attempt in attempts}
    path = folder / LEDGER
    with explained(path), contextlib.closing(connect_to_read(path)) as db:
        for attempt in attempts:
            query = "SELECT step, record FROM steps WHERE attempt = ? ORDER BY rowid"
            found[attempt] = {step: json.loads(record) for step, record in db.execute(query, (attempt,))}
    return found


def _figures(kept: dict[str, dict[str, Any]]) -> dict[str, float | None]:
    return {
        f"{step}.{name}": _finite(float(value))
        for step, record in kept.items()
        for name, value in record["figures"].items()
    }


def _cell(maps: Sequence[ArrayMap], kernel: int, row: int, col: int) -> dict[str, Any]:
    if not (0 <= kernel < len(maps) and 0 <= row < maps[0].shape[0] and 0 <= col < maps[0].shape[1]):
        raise InputError(f"there is no cell ({row}, {col}) in array {kernel}", remedy="Choose one on the map")
    one = maps[kernel]
    values = {name: _finite(float(getattr(one, name)[row, col])) for name in QUANTITIES}
    return {**values, "state": int(one.state[row, col]), "status": int(one.status[row, col])}


def _maps(run: StoredRun, x: int, y: int, step: str, attempt: int) -> list[ArrayMap]:
    maps = run.maps(DieId(run.plan.wafer, x, y), step, attempt)
    if not maps:
        raise InputError(f"attempt {attempt} has no maps of step {step!r}")
    return maps


def _row(run: StoredRun, x: int, y: int) -> DieRow:
    for row in run.dies():
        if (row.die.x, row.die.y) == (x, y):
            return row
    raise InputError(f"there is no die ({x}, {y}) in this run", remedy="Choose one on the wafer")


def _die(row: DieRow) -> dict[str, Any]:
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


def _events(folder: Path, seq: int | None) -> list[dict[str, Any]]:
    """Entries after `seq`, or the last ones."""
    path = folder / LEDGER
    with explained(path), contextlib.closing(connect_to_read(path)) as db:
        rows = db.execute(
            """SELECT seq, session, wall, kind, attempt, text FROM events WHERE seq > ? AND kind != 'facts'
                ORDER BY seq DESC LIMIT ?""",
            (seq or 0, MOST_EVENTS),
        ).fetchall()
    names = ("seq", "session", "wall", "kind", "attempt", "text")
    return [dict(zip(names, row, strict=True)) | {"is_incident": _is_incident(row[3])} for row in reversed(rows)]


def _is_incident(kind: str) -> bool:
    return kind.startswith(_INCIDENTS) and kind not in _HARMLESS


def _sessions(folder: Path) -> int:
    path = folder / LEDGER
    with explained(path), contextlib.closing(connect_to_read(path)) as db:
        return int(db.execute("SELECT coalesce(max(session), 1) FROM sessions").fetchone()[0])


def _is_finished(row: DieRow) -> bool:
    return row.state in (DieState.DONE, DieState.FAILED, DieState.SKIPPED)


def _words(status: CellStatus) -> str:
    """ "STUCK_AP" as people write it."""
    return " ".join(word if word in ("P", "AP", "TMR") else word.lower() for word in status.name.split("_"))


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def as_line(told: dict[str, Any]) -> str:
    """As one line of JSON, which knows no NaN."""
    return json.dumps(told, allow_nan=False, separators=(",", ":"))
