"""What the live page shows of a die of a recorded run: its visits, its maps, a cell in all of them."""

from __future__ import annotations

import base64
import contextlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .errors import InputError
from .ledger_rows import DieRow
from .nouns import ArrayMap, DieId
from .page_views import die_words
from .run_names import LEDGER
from .sqlite_files import connect_to_read, explained
from .store import open_run
from .stored_run import StoredRun

QUANTITIES = ("siemens", "siemens_p", "siemens_ap", "sigma")


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
        return die_words(row) | {"visits": visits}


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


def _packed(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
