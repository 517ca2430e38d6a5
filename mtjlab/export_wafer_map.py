"""Bins of a recorded run on a wafer map, for probers and assembly (CSV, SEMI G85 and E142, SINF)."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from .errors import InputError
from .stored_run import StoredRun
from .wafer_map import BinKind, WaferMap
from .wafer_map_files import MapFormat, write_wafer_map


def bin_map(
    run: StoredRun,
    wafer_map: WaferMap | None = None,
    *,
    binning: int | None = None,
    kind: Literal["hard", "soft"] = "hard",
) -> WaferMap:
    """The map of the wafer with the bins of a run.

    Args:
        run: opened for reading.
        wafer_map: in the prober's coordinates, with all dies of the wafer; None: as the run's plan has it.
        binning: whose bins; None: the newest.
        kind: which bins.

    Raises InputError if a die of the run is not on the map, or it is the map of another wafer.
    """
    plan = run.plan
    whole = wafer_map or plan.wafer_map(source=run.run_id)
    if whole.wafer != plan.wafer:
        raise InputError(f"the map is of wafer {whole.wafer!r}, the run of {plan.wafer!r}", where=whole.source)
    rows = run.dies(binning)
    sorted_dies = {(row.die.x, row.die.y): row.hard_bin if kind == "hard" else row.soft_bin for row in rows}
    found = {place: number for place, number in sorted_dies.items() if number is not None}
    names = plan.hard_bin_names if kind == "hard" else plan.soft_bin_names
    passing = {(row.hard_bin if kind == "hard" else row.soft_bin) for row in rows if row.hard_bin in plan.passing_bins}
    kinds = [BinKind(number, number in passing, names.get(number, "")) for number in sorted(set(found.values()))]
    return whole.with_bins(found, kinds)


def write_bin_map(
    run: StoredRun,
    path: Path,
    *,
    format: MapFormat,
    wafer_map: WaferMap | None = None,
    binning: int | None = None,
    kind: Literal["hard", "soft"] = "hard",
) -> Path:
    """Write `bin_map` in one of the formats of `wafer_map_files`. Raises InputError as that and its writers do."""
    return write_wafer_map(bin_map(run, wafer_map, binning=binning, kind=kind), path, format=format)
