"""Sweeps over configurations, on one machine or a cluster: what is computed once is kept, what was stopped goes on.

A task is a pure function of a module, from one configuration to one record. Its record lies in a folder under a key
made of the task, the configuration, the data and the version of the code: the same key means the same result, so a
sweep that was stopped resumes and a re-run costs nothing. joblib hands the tasks out; `joblib.parallel_config` decides
to whom: processes of this machine, or a cluster with backend "dask". Nothing is pickled on disk.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
import time
import traceback
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import __version__
from .errors import InputError, MtjlabError

Record = dict[str, Any]
"""Result of a task: names to plain values (numbers, text, None, lists, dictionaries) or NumPy arrays."""

Task = Callable[[Any], Mapping[str, Any]]
"""A function of a module: the same configuration gives the same record, wherever it runs."""

SweepProgress = Callable[[int, int, float | None], None]
"""Called as progress(done, total, seconds left), the last None until something has been computed."""

_ARRAY = "npz"
"""Key under which a record's JSON names an array in the file beside it."""


class SweepError(MtjlabError):
    """Some tasks of a sweep failed; the records of all others are kept."""


def run_sweep(
    task: Task,
    configs: Iterable[Any],
    folder: Path,
    *,
    data: Mapping[str, Any] | None = None,
    version: str | None = None,
    jobs: int | None = None,
    progress: SweepProgress | None = None,
) -> list[Record]:
    """Records of all configurations, in their order; those that the folder holds are not computed again.

    A record is written by the caller's process as soon as it arrives, whole or not at all. Each task runs on one thread
    of every BLAS and OpenMP library that its module has loaded.

    Args:
        task: see `Task`.
        configs: each of plain values, NumPy arrays and dataclasses of such, nested as you like.
        folder: of the records; made if there is none.
        data: what else the result depends on, by name: values as in a configuration, or paths of files, whose content
            counts. The task does not get them.
        version: of the code that the result depends on; by default mtjlab's version and the source of the task's
            module. Name one if the task calls modules that change.
        jobs: processes; None leaves it to `joblib.parallel_config`, or else to one process.
        progress: called at first and whenever a record arrives.

    Raises:
        InputError: a task without a name of its own, or a configuration that has no content key.
        SweepError: tasks failed, or a process died; all other records are kept, and the next run goes on from there.
    """
    wanted = list(configs)
    keys = [content_key(task, config, data=data, version=version) for config in wanted]
    folder.mkdir(parents=True, exist_ok=True)
    found = {key: record for key in dict.fromkeys(keys) if (record := read_record(folder, key)) is not None}
    missing = {key: config for key, config in zip(keys, wanted, strict=True) if key not in found}
    failed = _computed(task, missing, folder, found, jobs, progress or (lambda done, total, seconds: None))
    if failed:
        key, reason = next(iter(failed.items()))
        raise SweepError(
            f"{len(failed)} of {len(wanted)} tasks failed, the first at {missing[key]!r}:\n{reason}",
            where=str(folder),
            remedy="The records of the others are kept; run again when the cause is gone",
        )
    return [found[key] for key in keys]


def shard(configs: Sequence[Any], number: int, of: int) -> list[Any]:
    """Part `number` (from 0) of `of` equal parts, for a scheduler that starts one process per part.

    All parts may write into one folder; a last run of `run_sweep` with all configurations collects the records.
    """
    if not 0 <= number < of:
        raise InputError(f"there is no part {number} of {of}", remedy="Parts are numbered from 0")
    return list(configs[number::of])


def content_key(task: Task, config: Any, *, data: Mapping[str, Any] | None = None, version: str | None = None) -> str:
    """32 hexadecimal digits that change with the task's name, the configuration, the data or the version."""
    name = f"{task.__module__}.{task.__qualname__}"
    if "<" in name:
        raise InputError(f"{name} has no name of its own", remedy="Write the task as a function of a module")
    whole = {
        "task": name,
        "config": _plain(config, "config"),
        "data": {key: _data_plain(value, key) for key, value in (data or {}).items()},
        "version": code_version(task) if version is None else version,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:32]


def code_version(task: Task) -> str:
    """mtjlab's version and a digest of the source of the task's module."""
    try:
        source = inspect.getsource(sys.modules[task.__module__])
    except (OSError, TypeError):
        raise InputError(
            f"the source of {task.__module__}, where the task is from, cannot be read", remedy="Name a `version`"
        ) from None
    return f"{__version__} {hashlib.sha256(source.encode()).hexdigest()[:16]}"


def read_record(folder: Path, key: str) -> Record | None:
    """What the folder holds under a key; None if that is nothing, or not whole."""
    path = folder / f"{key}.json"
    try:
        record = json.loads(path.read_text(encoding="utf-8"))["record"]
        if not path.with_suffix(".npz").exists():
            return dict(_with_arrays(record, {}))
        with path.with_suffix(".npz").open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return dict(_with_arrays(record, arrays))
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile):
        return None


def write_record(folder: Path, key: str, record: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Keep a record under a key: JSON, arrays in an npz file beside it, which is written first."""
    arrays: dict[str, Any] = {}
    plain = _without_arrays(record, arrays)
    if arrays:
        part = folder / f"{key}.{os.getpid()}.part"
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        part.replace(folder / f"{key}.npz")
    part = folder / f"{key}.{os.getpid()}.part"
    part.write_text(json.dumps({"record": plain, **about}, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / f"{key}.json")


def _computed(
    task: Task,
    missing: Mapping[str, Any],
    folder: Path,
    found: dict[str, Record],
    jobs: int | None,
    progress: SweepProgress,
) -> dict[str, str]:
    """Compute and keep what is missing; returns why some could not be computed."""
    from joblib import Parallel, delayed

    failed: dict[str, str] = {}
    before, total = len(found), len(found) + len(missing)
    progress(before, total, None if missing else 0.0)
    if not missing:
        return failed
    began = time.perf_counter()
    # without max_nbytes, joblib would pickle large arrays of a configuration into files
    parallel = Parallel(n_jobs=jobs, return_as="generator_unordered", max_nbytes=None)
    calls = (delayed(_attempt)(task, key, config) for key, config in missing.items())
    try:
        for key, record, reason, seconds in parallel(calls):
            if record is None:
                failed[key] = reason
            else:
                about = {"task": f"{task.__module__}.{task.__qualname__}", "config": _plain(missing[key], "config")}
                write_record(folder, key, record, {**about, "seconds": round(seconds, 3)})
                found[key] = read_record(folder, key) or record
            done = len(found) - before + len(failed)
            progress(before + done, total, (time.perf_counter() - began) / done * (len(missing) - done))
    except BrokenProcessPool as error:
        raise SweepError(
            f"a process died after {len(found)} of {total} records ({error})",
            where=str(folder),
            remedy="They are kept; run again. If it dies again, look at the memory that a task needs",
        ) from error
    return failed


def _attempt(task: Task, key: str, config: Any) -> tuple[str, Record | None, str, float]:
    """In the worker: the record, or why there is none."""
    from threadpoolctl import threadpool_limits

    began = time.perf_counter()
    try:
        with threadpool_limits(limits=1):
            record = dict(task(config))
        _without_arrays(record, {})
    except Exception:
        return key, None, traceback.format_exc(limit=-3), time.perf_counter() - began
    return key, record, "", time.perf_counter() - began


def _plain(value: Any, where: str) -> Any:
    """What JSON takes, the same for the same content; arrays become a digest."""
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise InputError(f"{where} is an array of objects, which has no content key")
        content = np.ascontiguousarray(value).tobytes()
        return [_ARRAY, value.dtype.str, list(value.shape), hashlib.sha256(content).hexdigest()]
    if isinstance(value, np.generic):
        return value.item()
    if is_dataclass(value) and not isinstance(value, type):
        fields = {name: getattr(value, name) for name in value.__dataclass_fields__}
        return [type(value).__qualname__, _plain(fields, where)]
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {key: _plain(inner, f"{where}.{key}") for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, f"{where}[{k}]") for k, inner in enumerate(value)]
    raise InputError(
        f"{where} is a {type(value).__name__}, which has no content key",
        remedy="Use plain values, NumPy arrays and dataclasses of them",
    )


def _data_plain(value: Any, name: str) -> Any:
    if isinstance(value, Path):
        try:
            with value.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InputError(f"data {name} cannot be read ({error.strerror})", where=str(value)) from None
    return _plain(value, name)


def _without_arrays(value: Any, arrays: dict[str, Any]) -> Any:
    """What JSON takes of a record; arrays go into `arrays`."""
    if isinstance(value, np.ndarray):
        if value.dtype.hasobject:
            raise InputError("a record holds an array of objects, which would have to be pickled")
        name = f"array{len(arrays)}"
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {str(key): _without_arrays(inner, arrays) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(inner, arrays) for inner in value]
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, np.generic):
        return value.item()
    raise InputError(f"a record holds a {type(value).__name__}; it may hold plain values and NumPy arrays")


def _with_arrays(value: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if value.keys() == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _with_arrays(inner, arrays) for key, inner in value.items()}
    if isinstance(value, list):
        return [_with_arrays(inner, arrays) for inner in value]
    return value
