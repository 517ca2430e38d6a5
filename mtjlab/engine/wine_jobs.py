"""Many independent jobs through joblib, each kept under a key of its content: sweeps resume, re-runs are free."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__


@dataclass(frozen=True)
class Job:
    """Something to be computed.

    Attributes:
        key: see `content_key`; the same key means the same result.
        given: arguments of the function that computes it, which must be picklable.
    """

    key: str
    given: tuple[Any, ...]


JobProgress = Callable[[int, int], None]
"""Called as progress(jobs done, jobs in all) at first and after each job."""


def content_key(*parts: Any) -> str:
    """Twenty hexadecimal digits that any change of the parts, or of this program's version, changes.

    Args:
        parts: NumPy arrays, or anything JSON can hold.
    """
    digest = hashlib.sha256(__version__.encode())
    for part in parts:
        if isinstance(part, np.ndarray):
            digest.update(f"{part.dtype.str}{part.shape}".encode())
            digest.update(np.ascontiguousarray(part).tobytes())
        else:
            digest.update(json.dumps(part, sort_keys=True).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:20]


def run_jobs(compute: Callable[..., Any], jobs: Sequence[Job], folder: Path, progress: JobProgress) -> dict[str, Any]:
    """Results by key, of JSON values; those that the folder holds already are not computed again.

    Each result is on disk before the next is waited for. Backend, number of workers and threads of each are those of
    `joblib.parallel_config`.

    Args:
        compute: a function of a module, called with what each job gives.
    """
    from joblib import Parallel, delayed

    folder.mkdir(parents=True, exist_ok=True)
    found = {job.key: stored for job in jobs if (stored := _stored(folder / f"{job.key}.json")) is not None}
    missing = list({job.key: job for job in jobs if job.key not in found}.values())
    total = len(found) + len(missing)
    progress(len(found), total)
    calls = (delayed(_keyed)(compute, job) for job in missing)
    for key, result in Parallel(return_as="generator_unordered")(calls) if missing else ():
        write_json(folder / f"{key}.json", result)
        found[key] = result
        progress(len(found), total)
    return found


def write_json(path: Path, content: Any) -> None:
    """Write a file that is complete or not there."""
    temporary = path.with_suffix(".partial")
    temporary.write_text(json.dumps(content, allow_nan=False) + "\n", encoding="utf-8")
    temporary.replace(path)


def _keyed(compute: Callable[..., Any], job: Job) -> tuple[str, Any]:
    return job.key, compute(*job.given)


def _stored(path: Path) -> Any:
    """What is kept there; None if nothing is, or it cannot be read, so that it is computed again."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
