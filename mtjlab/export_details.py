"""What the steps of a run gave beside figures and maps: a line of JSON per attempt and step, an archive."""

from __future__ import annotations

import json
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile, ZipInfo

from .stored_run import StoredRun
from .whole_files import whole_file


def write_details(run: StoredRun, path: Path) -> list[Path]:
    """Write them; returns the path, or nothing where no step had any. Raises RecordError if the disk will not take it.

    Keys of a line: run_id, lot, wafer, x, y, attempt, step, details, and files: names of small files kept with it.
    """
    lines = []
    kept = run.kept()
    for visit in run.attempts():
        for step in run.plan.steps:
            if (visit.attempt, step) not in kept:
                continue
            details, files = run.details(visit.attempt, step), run.files(visit.attempt, step)
            if details or files:
                who = {"run_id": run.run_id, "lot": run.plan.lot, "wafer": run.plan.wafer}
                where = {"x": visit.die.x, "y": visit.die.y, "attempt": visit.attempt, "step": step}
                lines.append(json.dumps(who | where | {"details": details, "files": [each.name for each in files]}))
    if not lines:
        return []
    with whole_file(path) as unfinished:
        unfinished.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [path]


def write_files(run: StoredRun, path: Path) -> list[Path]:
    """Write the small files of the attempts that count into one archive, as `<x>_<y>/<step>/<name>`.

    Returns its path, or nothing where there are none. The same files make the same archive. Raises RecordError if the
    disk will not take it, or a file is not what was written.
    """
    kept = run.kept()
    found = [
        (row.die, step, each.name)
        for row in run.dies()
        for step in run.plan.steps
        if row.attempt is not None and (row.attempt, step) in kept
        for each in run.files(row.attempt, step)
    ]
    if not found:
        return []
    with whole_file(path) as unfinished, ZipFile(unfinished, "w", ZIP_STORED) as archive:
        for die, step, name in found:
            archive.writestr(ZipInfo(f"{die.x}_{die.y}/{step}/{name}"), run.file(die, step, name))
    return [path]
