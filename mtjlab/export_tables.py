"""A recorded run as tables: one row per die, one row per cell; CSV for people, Parquet for everything else.

Every row names its run, bench, lot and wafer, so that files of many runs can be read as one table. What was not
measured is null (empty in CSV). Units are SI; Parquet carries them with each column.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .die_maps import MAP_ARRAYS
from .errors import InputError
from .ledger_rows import AttemptRow, DieRow, standing_attempts
from .stored_run import StoredRun
from .whole_files import whole_file

if TYPE_CHECKING:
    import pyarrow


def die_table(run: StoredRun, binning: int | None = None, all_attempts: bool = False) -> pyarrow.Table:
    """One row per die of the plan, or per attempt. A die that failed has the figures of its last attempt.

    Columns: run_id, bench, lot, wafer, x, y, state, attempt, attempts, touchdowns, hard_bin, soft_bin, is_good,
    first_failing, reason, began (UTC), seconds, bench_seconds, then a figure each as `<step>_<name>`.
    """
    import pyarrow as pa

    visits = {visit.attempt: visit for visit in run.attempts()}
    dies = run.dies(binning)
    standing = {row.die: attempt for attempt, row in standing_attempts(dies, list(visits.values())).items()}
    rows = [_die_row(run, row, visits.get(standing.get(row.die, -1))) for row in dies]
    if all_attempts:
        rows = [_attempt_row(run, visit) for visit in visits.values()]
    fields = [pa.field(name, pa.type_for_alias(kind)) for name, kind in _COLUMNS.items()]
    fields += _figure_fields(run)
    figures = run.figures()
    for row in rows:
        row |= {_column(key): value for key, value in figures.get(row["attempt"], {}).items()}
    arrays = [pa.array([row.get(f.name) for row in rows], f.type, from_pandas=True) for f in fields]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields, metadata=_metadata(run)))


def cell_tables(run: StoredRun, step: str, binning: int | None = None, name: str = "") -> Iterator[pyarrow.Table]:
    """One table per die with one row per cell: the run's columns, kernel, row, col and the arrays of the map.

    `name`: one of the step's further maps; in the column `map`, which is null for the step's own where it has no name.
    """
    import pyarrow as pa

    rows = {row.die: row for row in run.dies(binning)}
    schema = _cell_schema(run)
    for die in run.dies_with(step, name):
        row = rows[die]
        maps = run.maps(die, step, row.attempt, name)
        if not maps:
            continue
        shape = (len(maps), *maps[0].shape)
        kernel, line, col = (axis.ravel() for axis in np.indices(shape, dtype=np.int16))
        size = kernel.size
        called = name or run.map_name(step, row.attempt) or None
        said = (*_names(run).values(), step, called, die.x, die.y, row.attempt, row.hard_bin)
        constants = [pa.repeat(pa.scalar(value, f.type), size) for value, f in zip(said, schema, strict=False)]
        values = [np.stack([getattr(each, each_name) for each in maps]).ravel() for each_name in MAP_ARRAYS]
        arrays = [*constants, *(pa.array(each, from_pandas=True) for each in (kernel, line, col, *values))]
        yield pa.Table.from_arrays(arrays, schema=schema)


def write_die_table(run: StoredRun, path: Path, binning: int | None = None, all_attempts: bool = False) -> Path:
    """Write `die_table` as CSV or Parquet, by the path's ending. Raises RecordError if the disk will not take it."""
    return _write([die_table(run, binning, all_attempts)], path)


def write_cell_table(run: StoredRun, step: str, path: Path, binning: int | None = None, name: str = "") -> Path:
    """Write the cells of a step, or of one of its further maps, as CSV or Parquet, by the path's ending, die by die.

    Raises InputError if no die has maps of the step, RecordError if the disk will not take it.
    """
    return _write(cell_tables(run, step, binning, name), path)


def write_test_table(run: StoredRun, path: Path) -> Path:
    """Write what the columns of figures are and what they are judged by: a row per test of the plan.

    Columns: number, column (in the table of dies), step, name, units (SI), low, high, is_functional, limits_revision.
    Raises RecordError if the disk will not take it.
    """
    import pyarrow as pa

    rows = [
        {
            "number": test.number,
            "column": _column(f"{test.step}.{test.name}"),
            "step": test.step,
            "name": test.name,
            "units": test.si_units,
            "low": test.low,
            "high": test.high,
            "is_functional": test.is_functional,
            "limits_revision": run.provenance.limits_revision,
        }
        for test in run.plan.tests
    ]
    kinds = ("int64", "string", "string", "string", "string", "double", "double", "bool", "string")
    names = ("number", "column", "step", "name", "units", "low", "high", "is_functional", "limits_revision")
    schema = pa.schema([pa.field(name, pa.type_for_alias(kind)) for name, kind in zip(names, kinds, strict=True)])
    return _write([pa.Table.from_pylist(rows, schema)], path)


def _write(tables: Any, path: Path) -> Path:
    import pyarrow.csv
    import pyarrow.parquet

    if path.suffix not in (".csv", ".parquet"):
        raise InputError(f"no table is written as {path.suffix!r}", where=str(path), remedy="Use .csv or .parquet")
    writer: Any = None
    with whole_file(path) as unfinished:
        try:
            for table in tables:
                if writer is None and path.suffix == ".csv":
                    writer = pyarrow.csv.CSVWriter(unfinished, table.schema)
                elif writer is None:
                    writer = pyarrow.parquet.ParquetWriter(unfinished, table.schema, compression="zstd")
                writer.write_table(table)
        finally:
            if writer is not None:
                writer.close()
        if writer is None:
            raise InputError("there is nothing to write yet", where=str(path))
    return path


_COLUMNS = {
    "run_id": "string",
    "bench": "string",
    "lot": "string",
    "wafer": "string",
    "x": "int32",
    "y": "int32",
    "state": "string",
    "attempt": "int64",
    "attempts": "int32",
    "touchdowns": "int32",
    "hard_bin": "int32",
    "soft_bin": "int32",
    "is_good": "bool",
    "first_failing": "string",
    "reason": "string",
    "began": "timestamp[ms]",
    "seconds": "double",
    "bench_seconds": "double",
}


def _names(run: StoredRun) -> dict[str, str]:
    return {"run_id": run.run_id, "bench": run.provenance.bench, "lot": run.plan.lot, "wafer": run.plan.wafer}


def _die_row(run: StoredRun, row: DieRow, visit: AttemptRow | None) -> dict[str, Any]:
    return _names(run) | {
        "x": row.die.x,
        "y": row.die.y,
        "state": str(row.state),
        "attempt": visit.attempt if visit else None,
        "attempts": row.attempts,
        "touchdowns": row.touchdowns,
        "hard_bin": row.hard_bin,
        "soft_bin": row.soft_bin,
        "is_good": None if row.hard_bin is None else row.hard_bin in run.plan.passing_bins,
        "first_failing": row.first_failing,
        "reason": row.reason,
        "began": _moment(visit.began_wall) if visit else None,
        "seconds": visit.seconds if visit else None,
        "bench_seconds": visit.bench_seconds if visit else None,
    }


def _attempt_row(run: StoredRun, visit: AttemptRow) -> dict[str, Any]:
    as_die = DieRow(
        visit.die,
        visit.state,
        visit.attempt,
        1,
        visit.touchdowns,
        visit.hard_bin,
        visit.soft_bin,
        visit.first_failing,
        visit.reason,
    )
    return _die_row(run, as_die, visit)


def _moment(wall: float) -> datetime:
    return datetime.fromtimestamp(wall, UTC).replace(tzinfo=None)


def _column(key: str) -> str:
    return key.replace(".", "_", 1)


def _figure_fields(run: StoredRun) -> list[Any]:
    """Figures in the order of the plan's tests, then as they came; limits and units as metadata of the column."""
    import pyarrow as pa

    tests = {f"{test.step}.{test.name}": test for test in run.plan.tests}
    keys = dict.fromkeys([*tests, *(key for own in run.figures().values() for key in own)])
    names = [_column(key) for key in keys]
    twice = {name for name in names if names.count(name) > 1 or name in _COLUMNS}
    if twice:
        raise InputError(f"figures of several steps share the column {sorted(twice)[0]!r}", remedy="Rename one")
    fields = []
    for key in keys:
        test = tests.get(key)
        said = {"units": test.si_units, "low": test.low, "high": test.high} if test else {}
        metadata = {name: str(value) for name, value in said.items() if value not in (None, "")}
        fields.append(pa.field(_column(key), pa.float64(), metadata=metadata))
    return fields


def _cell_schema(run: StoredRun) -> pyarrow.Schema:
    import pyarrow as pa

    words = [pa.field(name, pa.string()) for name in ("run_id", "bench", "lot", "wafer", "step", "map")]
    numbers = [pa.field(name, pa.int32()) for name in ("x", "y")]
    numbers += [pa.field("attempt", pa.int64()), pa.field("hard_bin", pa.int32())]
    axes = [pa.field(name, pa.int16()) for name in ("kernel", "row", "col")]
    values = [
        pa.field(name, pa.int8())
        if name in ("state", "status")
        else pa.field(name, pa.float64(), metadata={"units": "S"})
        for name in MAP_ARRAYS
    ]
    return pa.schema([*words, *numbers, *axes, *values], metadata=_metadata(run))


def _metadata(run: StoredRun) -> dict[str, str]:
    return {"mtjlab_run_id": run.run_id, "mtjlab_provenance": run.provenance.to_json()}
