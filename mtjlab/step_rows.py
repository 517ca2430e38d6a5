"""The QCoDeS database of a wafer run: one QCoDeS run per step, one row of arrays per attempt at a die.

Rows are put in through QCoDeS' own DataSet without its in-memory cache, each in a transaction of its own that is on the
disk when it returns. The axes kernel, row and col stand beside the arrays as 16-bit numbers, so that QCoDeS, xarray and
plottr show them as any other data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .die_maps import MAP_ARRAYS
from .errors import InputError
from .nouns import ArrayMap
from .run_plan import RunPlan, require_name
from .sqlite_files import explained, file_identity, leave_as_one_file, require_same_file, use_wal, write_database

AXES = ("kernel", "row", "col")
RESERVED = ("id", "attempt", "die", "x", "y", "die_x", "die_y", "hard_bin", "soft_bin", "record", *AXES, *MAP_ARRAYS)
"""Names of columns and coordinates, which figures and large arrays of a die cannot have."""

_LABELS = {
    "siemens": "conductance as last read",
    "siemens_p": "conductance in P",
    "siemens_ap": "conductance in AP",
    "sigma": "standard uncertainty of the conductance",
    "state": "state: 1 P, 0 AP, -1 unknown",
    "status": "status of the cell (CellStatus)",
}


class StepRows:
    """Writes the QCoDeS database of one run; the one program that does.

    Args:
        path: the database, made with the first row.
        plan: of the run.
        metadata: texts kept with every QCoDeS run.
        snapshot: of the station, kept once with every QCoDeS run; empty for none.
        lock_seconds: how long to wait for other programs' locks.
    """

    def __init__(
        self, path: Path, plan: RunPlan, metadata: Mapping[str, str], snapshot: str = "", lock_seconds: float = 10.0
    ) -> None:
        self.path = path
        self._plan, self._metadata, self._snapshot = plan, dict(metadata), snapshot
        self._lock_seconds = lock_seconds
        self._connection: Any = None
        self._runs: dict[str, Any] = {}

    def describe(self, metadata: Mapping[str, str], snapshot: str) -> None:
        """Keep these with QCoDeS runs that begin from now on."""
        self._metadata, self._snapshot = dict(metadata), snapshot

    def add(
        self, step: str, attempt: int, maps: Sequence[ArrayMap], figures: Mapping[str, float], record: dict[str, Any]
    ) -> tuple[int, int]:
        """Add a row; on the disk when it returns. Returns number of the QCoDeS run and of the row in it.

        Args:
            step: name of the QCoDeS run: a step of the plan, or `<step>.<name>` for further maps of one.

        Raises RecordError if the disk or a lock will not have it; nothing is written then.
        """
        die_x, die_y = record["die"]
        row: dict[str, Any] = {"attempt": attempt, "die_x": die_x, "die_y": die_y, "record": json.dumps(record)}
        row |= map_columns(maps)
        with self._whole():
            run = self._run(step, figures)
            row |= {name: value for name, value in figures.items() if name in run.paramspecs}
            identity = file_identity(self.path)
            run.add_results([row])
            (number,) = self._connection.execute("SELECT last_insert_rowid()").fetchone()
        require_same_file(self.path, identity)
        return int(run.run_id), int(number)

    def find(self, step: str, attempt: int, record: dict[str, Any]) -> tuple[int, int] | None:
        """The row of these data, if a write that seemed to fail came through after all."""
        with explained(self.path):
            for run_id, table in self._tables(step):
                query = f'SELECT id FROM "{table}" WHERE attempt = ? AND record = ?'
                row = self._connection.execute(query, (attempt, json.dumps(record))).fetchone()
                if row is not None:
                    return int(run_id), int(row[0])
        return None

    def complete(self, remarks: Mapping[str, str]) -> None:
        """Mark the QCoDeS runs as completed, with remarks as metadata. Raises RecordError if that cannot be kept."""
        if not self.path.is_file():
            return
        from qcodes.dataset.sqlite.connection import atomic

        with self._whole(), atomic(self._connect()):
            for name in self._names():
                run = self._continued(name)
                if run is not None:
                    for key, text in remarks.items():
                        run.add_metadata(key, text)
                    run.mark_completed()
        self._runs.clear()

    def close(self) -> None:
        """Close the file; leaves it whole in itself where nobody else is reading."""
        self._runs.clear()
        if self._connection is not None:
            leave_as_one_file(self._connection)
            self._connection.close()
            self._connection = None

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Nothing half: QCoDeS takes back what an error interrupts, but not what Ctrl-C does."""
        try:
            with explained(self.path):
                yield
        except BaseException:
            if self._connection is not None and self._connection.in_transaction:
                self._connection.rollback()
            raise

    def _connect(self) -> Any:
        from qcodes.dataset.sqlite.database import connect

        if self._connection is None:
            self._prepare_file()
            self._connection = connect(self.path)
            self._connection.execute(f"PRAGMA busy_timeout={int(1000 * self._lock_seconds)}")
            use_wal(self._connection, self.path)
        return self._connection

    def _prepare_file(self) -> None:
        """Make a new database in memory first: QCoDeS builds it in many small steps."""
        from qcodes.dataset.sqlite.database import connect

        if not self.path.exists():
            made = connect(":memory:")
            write_database(made, self.path)
            made.close()

    def _run(self, step: str, figures: Mapping[str, float]) -> Any:
        """The QCoDeS run of a step: the one at work, one to go on with, or a new one."""
        run = self._runs.get(step) or self._continued(step) or self._started(step, figures)
        self._runs[step] = run
        return run

    def _names(self) -> list[str]:
        """Of all QCoDeS runs: steps, and further maps of them."""
        return [name for (name,) in self._connect().execute("SELECT DISTINCT name FROM runs").fetchall()]

    def _tables(self, step: str) -> list[tuple[int, str]]:
        query = (
            "SELECT run_id, result_table_name FROM runs WHERE name = ? AND run_timestamp IS NOT NULL ORDER BY run_id"
        )
        return [tuple(row) for row in self._connect().execute(query, (step,)).fetchall()]

    def _continued(self, step: str) -> Any:
        from qcodes.dataset.data_set import DataSet

        for run_id, _ in reversed(self._tables(step)):
            run = DataSet(conn=self._connect(), run_id=run_id, in_memory_cache=False)
            if not run.completed:
                return run
        return None

    def _started(self, step: str, figures: Mapping[str, float]) -> Any:
        """A new QCoDeS run, made in one transaction: there is a whole one or none."""
        from qcodes.dataset.data_set import DataSet
        from qcodes.dataset.experiment_container import load_or_create_experiment
        from qcodes.dataset.sqlite.connection import atomic

        connection = self._connect()
        with atomic(connection):
            experiment = load_or_create_experiment(self._plan.lot or "wafer run", self._plan.wafer, conn=connection)
            run = DataSet(conn=connection, exp_id=experiment.exp_id, name=step, in_memory_cache=False)
            run.set_interdependencies(self._columns(step, figures))
            if self._snapshot:
                run.add_snapshot(self._snapshot)
            for key, text in self._metadata.items():
                run.add_metadata(key, text)
            run.mark_started()
        return run

    def _columns(self, step: str, figures: Mapping[str, float]) -> Any:
        from qcodes.dataset.descriptions.dependencies import InterDependencies_
        from qcodes.parameters import ParamSpecBase

        attempt = ParamSpecBase("attempt", "numeric", "attempt")
        axes = tuple(ParamSpecBase(name, "array", name) for name in AXES)
        arrays = [ParamSpecBase(name, "array", _LABELS[name], _units(name)) for name in MAP_ARRAYS]
        units = {test.name: test.si_units for test in self._plan.tests if test.step == step}
        names = list(dict.fromkeys(["die_x", "die_y", *units, *figures]))
        numbers = [ParamSpecBase(name, "numeric", name, units.get(name, "")) for name in names]
        text = ParamSpecBase("record", "text", "what was kept, as JSON")
        dependencies: Any = dict.fromkeys(arrays, (attempt, *axes)) | dict.fromkeys([*numbers, text], (attempt,))
        return InterDependencies_(dependencies=dependencies)


def map_columns(maps: Sequence[ArrayMap]) -> dict[str, NDArray[Any]]:
    """Columns of the maps of a die, each (kernels, rows, cols), with their axes; all-NaN ones are left out."""
    if not maps:
        return {}
    columns = {name: np.stack([getattr(each, name) for each in maps]) for name in MAP_ARRAYS}
    measured = {
        name: values for name, values in columns.items() if values.dtype.kind != "f" or not np.isnan(values).all()
    }
    shape = columns["siemens"].shape
    axes = np.broadcast_arrays(*np.ogrid[tuple(slice(length) for length in shape)])
    return measured | {name: np.ascontiguousarray(axis, dtype=np.int16) for name, axis in zip(AXES, axes, strict=True)}


def require_figures(figures: Mapping[str, Any]) -> dict[str, float]:
    """Figures of a die as plain numbers. Raises InputError for names that are taken and values that are no numbers."""
    plain: dict[str, float] = {}
    for name, value in figures.items():
        require_name(name, "figure")
        require_free(name, "a figure")
        if not isinstance(value, bool | int | float | np.number | np.bool_):
            raise InputError(f"figure {name!r} is {value!r}, not a number", remedy="Give numbers or truth values")
        plain[name] = int(value) if isinstance(value, bool | np.bool_) else float(value)
    return plain


def require_free(name: str, what: str) -> None:
    """Raise InputError for a name that is taken."""
    if name.lower() in RESERVED:
        raise InputError(f"{what} cannot be called {name!r}: that is a column of its own", remedy="Rename it")


def _units(name: str) -> str:
    return "" if name in ("state", "status") else "S"
