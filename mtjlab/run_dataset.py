"""One step of a recorded run as an xarray Dataset, and as NetCDF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .die_maps import MAP_ARRAYS
from .errors import InputError
from .nouns import CellStatus, DieId, State
from .whole_files import whole_file

if TYPE_CHECKING:
    import xarray

    from .stored_run import StoredRun

_NO_BIN = -1
"""Stands for a die without a bin: integers have no NaN."""


def step_dataset(
    run: StoredRun,
    step: str,
    dies: Sequence[DieId] | None,
    binning: int | None,
    with_arrays: bool,
    name: str = "",
) -> xarray.Dataset:
    """See `StoredRun.dataset`."""
    import xarray

    chosen = run.dies_with(step, name) if dies is None else list(dies)
    if not chosen:
        raise InputError(f"no die has data of step {step!r} yet", where=str(run.folder))
    rows = {row.die: row for row in run.dies(binning)}
    attempts = [rows[die].attempt for die in chosen]
    columns = _map_columns(run, step, chosen, name)
    if not name:
        columns |= _figure_columns(run, step, attempts)
    if with_arrays and not name:
        columns |= _array_columns(run, step, chosen, attempts)
    coordinates = {
        "x": ("die", np.array([die.x for die in chosen])),
        "y": ("die", np.array([die.y for die in chosen])),
        "attempt": ("die", np.array(attempts)),
        "hard_bin": ("die", np.array([_bin(rows[die].hard_bin) for die in chosen])),
        "soft_bin": ("die", np.array([_bin(rows[die].soft_bin) for die in chosen])),
    }
    return xarray.Dataset(columns, coordinates, _attributes(run, step) | ({"map": name} if name else {}))


def write_netcdf(run: StoredRun, step: str, path: Path, with_arrays: bool = False, name: str = "") -> Path:
    """Write a step, or one of its further maps, as NetCDF 4; returns the path.

    Raises RecordError if the disk will not take it.
    """
    dataset = run.dataset(step, with_arrays=with_arrays, name=name)
    packed = {name: {"zlib": True, "complevel": 1} for name, each in dataset.data_vars.items() if each.ndim > 1}
    # HDF5 does not survive a disk that fills up under it (it ends the program): it writes into memory
    content = dataset.to_netcdf(engine="h5netcdf", encoding=packed)
    with whole_file(path) as unfinished:
        unfinished.write_bytes(content)
    return path


def _map_columns(run: StoredRun, step: str, dies: Sequence[DieId], name: str) -> dict[str, Any]:
    """Maps as (die, kernel, row, col); none for a step without maps."""
    if not run.maps(dies[0], step, name=name):
        return {}
    collected = run.die_maps(step, dies, name)
    axes = ("die", "kernel", "row", "col")
    return {name: (axes, getattr(collected, name), _description(name)) for name in MAP_ARRAYS}


def _description(name: str) -> dict[str, Any]:
    kind: Any = {"state": State, "status": CellStatus}.get(name)
    if kind is None:
        return {"units": "S"}
    codes = {"flag_values": np.array([int(member) for member in kind], dtype=np.int8)}  # CF conventions, 3.5
    return codes | {"flag_meanings": " ".join(member.name.lower() for member in kind)}


def _figure_columns(run: StoredRun, step: str, attempts: Sequence[int | None]) -> dict[str, Any]:
    figures, prefix = run.figures(), f"{step}."
    units = {test.name: test.si_units for test in run.plan.tests if test.step == step}
    own = [figures.get(attempt, {}) if attempt is not None else {} for attempt in attempts]
    names = dict.fromkeys(name for each in own for name in each if name.startswith(prefix))
    return {
        name.removeprefix(prefix): (
            "die",
            np.array([each.get(name, np.nan) for each in own]),
            {"units": units.get(name.removeprefix(prefix), "")},
        )
        for name in names
    }


def _array_columns(run: StoredRun, step: str, dies: Sequence[DieId], attempts: Sequence[int | None]) -> dict[str, Any]:
    """Large arrays that every one of the dies has, as (die, ...)."""
    named = [{each.name for each in run.references(attempt, step)} for attempt in attempts if attempt is not None]
    columns: dict[str, Any] = {}
    for name in sorted(set.intersection(*named)):
        values = np.stack([run.array(die, step, name, attempt) for die, attempt in zip(dies, attempts, strict=True)])
        columns[name] = (("die", *(f"{name}_{k}" for k in range(values.ndim - 1))), values)
    return columns


def _attributes(run: StoredRun, step: str) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "lot": run.plan.lot,
        "wafer": run.plan.wafer,
        "step": step,
        "state": run.state,
        "provenance": run.provenance.to_json(),
    }


def _bin(number: int | None) -> int:
    return _NO_BIN if number is None else number
