"""All files that others read, made from a recorded run in one call; and their copy on a share."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

from .errors import InputError, RecordError
from .export_details import write_details, write_files
from .export_stdf import WaferGeometry, write_stdf
from .export_tables import write_cell_table, write_die_table, write_test_table
from .export_wafer_map import write_bin_map
from .provenance import file_sha256
from .run_dataset import write_netcdf
from .run_names import EXPORTS, SUMMARY
from .run_summary import RunSummary
from .stdf_parts import CellResults
from .store import open_run
from .stored_run import StoredRun
from .whole_files import os_record_error, whole_file

_WINDOWS_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}
KINDS = ("csv", "parquet", "netcdf", "stdf")
MAPS: tuple[Literal["g85", "e142", "sinf"], ...] = ("g85", "e142", "sinf")
"""Formats of bin maps, which are written when asked for."""
_ENDINGS = {".csv": "csv", ".parquet": "parquet", ".nc": "netcdf", ".stdf": "stdf"}


def export_run(
    folder: Path,
    kinds: Sequence[str] = KINDS,
    *,
    cells_as_csv: bool = False,
    cells_in_stdf: Sequence[CellResults] = (),
    geometry: WaferGeometry | None = None,
    binning: int | None = None,
) -> RunSummary:
    """Write the exports of a run into its `exports` folder, and the summary `run.json` with their SHA-256.

    Files: `dies.csv`, `dies.parquet`, `attempts.csv`, `tests.csv`; per step with maps `<step>_cells.parquet` and
    `<step>.nc`, and per further map of it `<step>_<map>_cells.parquet` and `<step>_<map>.nc`; `details.jsonl`,
    `files.zip`; `wafer.stdf`, and `wafer_all_attempts.stdf` where dies were visited more than once; bin maps
    `bins.g85.xml`, `bins.e142.xml`, `bins.txt` (SINF).

    Args:
        folder: of the run.
        kinds: which of `KINDS` and `MAPS`.
        cells_as_csv: also `<step>_cells.csv`, which gets large.
        cells_in_stdf: which values of cells go into the STDF file.
        geometry: of the wafer, for the STDF file.
        binning: whose bins; None: the newest.

    Raises:
        InputError: no run, an unknown kind.
        RecordError: the data are damaged, or the disk will not take the files.
    """
    require_kinds(kinds)
    target = folder / EXPORTS
    with open_run(folder) as run:
        written = []
        if "csv" in kinds:
            written.append(write_die_table(run, target / "dies.csv", binning))
            written.append(write_die_table(run, target / "attempts.csv", all_attempts=True))
            written.append(write_test_table(run, target / "tests.csv"))
            written += write_details(run, target / "details.jsonl") + write_files(run, target / "files.zip")
        if "parquet" in kinds:
            written.append(write_die_table(run, target / "dies.parquet", binning))
        for step, name in _maps_of(run):
            written += _cell_files(run, step, name, target, kinds, cells_as_csv, binning)
        if "stdf" in kinds:
            said: dict[str, Any] = {"cells": cells_in_stdf, "geometry": geometry, "binning": binning}
            written.append(write_stdf(run, target / "wafer.stdf", **said))
            if any(row.attempts > 1 for row in run.dies()):
                written.append(write_stdf(run, target / "wafer_all_attempts.stdf", all_attempts=True, **said))
        for kind in MAPS:
            if kind in kinds:
                written.append(write_bin_map(run, target / _bin_map_name(kind), format=kind, binning=binning))
        summary = RunSummary.of(run, {path.name: file_sha256(path) for path in written})
    summary.save(target / SUMMARY)
    return summary


def require_kinds(kinds: Sequence[str]) -> None:
    """Raise InputError for an export that there is not."""
    known = (*KINDS, *MAPS)
    strange = sorted(set(kinds) - set(known))
    if strange:
        raise InputError(f"there is no export {strange[0]!r}", remedy=f"Choose from {', '.join(known)}")


def kinds_written(folder: Path) -> tuple[str, ...]:
    """Which exports a run has, by its summary; none if it has not been exported."""
    try:
        names = RunSummary.load(folder / EXPORTS / SUMMARY).files
    except InputError:
        return ()
    maps = tuple(kind for kind in MAPS if _bin_map_name(kind) in names)
    endings = {Path(name).suffix for name in names}
    return (*(kind for ending, kind in _ENDINGS.items() if ending in endings), *maps)


def _bin_map_name(kind: str) -> str:
    return "bins.txt" if kind == "sinf" else f"bins.{kind}.xml"


def publish(folder: Path, share: Path, copy: Callable[[Path, Path], object] = shutil.copyfile) -> Path:
    """Copy the exports of a run to a share: `<share>/<lot>/<wafer>/<run_id>/`; returns that folder.

    Every file is compared with its SHA-256 after the copy; the summary, by which a catalogue finds the run, comes last.
    What is there already and right is left alone, so that a share that went away is simply published to once more.

    Args:
        folder: of the run, exported before.
        share: the folder for all runs; must exist.
        copy: copies a file; replaced in tests.

    Raises:
        InputError: the run has not been exported.
        RecordError: the share is not there, went away or is full. The run itself is untouched.
    """
    source = folder / EXPORTS
    summary = RunSummary.load(source / SUMMARY)
    target = share / _folder_name(summary.lot) / _folder_name(summary.wafer) / _folder_name(summary.run_id)
    try:
        if not share.is_dir():
            raise RecordError("the share is not there", where=str(share), remedy="Connect it, then publish again")
        for name, wanted in summary.files.items():
            if Path(name).name != name:
                raise InputError(f"the summary names a file {name!r} outside of the exports", where=str(source))
            _copy_whole(source / name, target / name, wanted, copy)
        _copy_whole(source / SUMMARY, target / SUMMARY, file_sha256(source / SUMMARY), copy)
    except OSError as error:
        raise os_record_error(error, target) from error
    return target


def _maps_of(run: StoredRun) -> list[tuple[str, str]]:
    """(step, name) of every map that dies have; "" for the step's own."""
    named = [(step, name) for step in run.plan.steps for name in ("", *run.further_maps(step))]
    found = [(step, name, run.dies_with(step, name)) for step, name in named]
    return [(step, name) for step, name, dies in found if dies and run.maps(dies[0], step, name=name)]


def _cell_files(
    run: StoredRun, step: str, name: str, target: Path, kinds: Sequence[str], as_csv: bool, binning: int | None
) -> list[Path]:
    written, stem = [], f"{step}_{name}" if name else step
    if "parquet" in kinds:
        written.append(write_cell_table(run, step, target / f"{stem}_cells.parquet", binning, name))
    if "csv" in kinds and as_csv:
        written.append(write_cell_table(run, step, target / f"{stem}_cells.csv", binning, name))
    if "netcdf" in kinds:
        written.append(write_netcdf(run, step, target / f"{stem}.nc", name=name))
    return written


def _copy_whole(source: Path, target: Path, wanted: str, copy: Callable[[Path, Path], object]) -> None:
    if target.is_file() and file_sha256(target) == wanted:
        return
    with whole_file(target) as unfinished:
        copy(source, unfinished)
        if file_sha256(unfinished) != wanted:
            raise RecordError(
                "the copy is not what was exported (SHA-256)", where=str(target), remedy="Export and publish again"
            )


def _folder_name(name: str) -> str:
    """A name that is one folder on every system, whatever a lot is called: never empty, never a way up."""
    safe = quote(name, safe=" ()+,;=@")
    is_taken = safe.partition(".")[0].strip().upper() in _WINDOWS_DEVICES
    return f"_{safe}_" if is_taken or not safe.strip(". ") or safe.endswith((".", " ")) else safe
