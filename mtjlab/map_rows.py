"""Maps read back from the QCoDeS database of a run, without QCoDeS, each held against its SHA-256."""

from __future__ import annotations

import io
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .die_maps import MAP_ARRAYS
from .errors import RecordError
from .exchange_file import checksum
from .nouns import ArrayMap, Conditions, DieId
from .sqlite_files import connect_to_read, explained


class MapRows:
    """The database of a run, opened when the first map is asked for.

    Args:
        path: of the database.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._data: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file."""
        if self._data is not None:
            self._data.close()
            self._data = None

    def read(self, record: dict[str, Any], die: DieId, where: str) -> list[ArrayMap]:
        """The maps that a record speaks of, one per kernel; none if it has none.

        Raises RecordError, naming `where`, if they are not what was written.
        """
        if not record["shape"]:
            return []
        arrays = self._columns(record["qcodes_run"], record["qcodes_row"], tuple(record["shape"]))
        wrong = [name for name, values in arrays.items() if checksum(values) != record["sha256"][name]]
        if wrong:
            raise RecordError(
                f"{', '.join(wrong)} of {where} is not what was written (SHA-256)",
                where=str(self.path),
                remedy="Use another copy",
            )
        return [
            ArrayMap(
                **{name: values[kernel].copy() for name, values in arrays.items()},
                conditions=Conditions(**record["conditions"][kernel]),
                die=die,
                provenance=record["provenance"][kernel],
                is_partial=record["is_partial"][kernel],
            )
            for kernel in range(record["shape"][0])
        ]

    def _columns(self, qcodes_run: int, row: int, shape: tuple[int, ...]) -> dict[str, NDArray[Any]]:
        """The arrays of a row; those that were left out are all NaN."""
        path = self.path
        if self._data is None:
            self._data = connect_to_read(path)
        with explained(path):
            named = self._data.execute("SELECT result_table_name FROM runs WHERE run_id = ?", (qcodes_run,)).fetchone()
            table = str(named[0] if named else "").replace('"', '""')
            query = f'SELECT {", ".join(MAP_ARRAYS)} FROM "{table}" WHERE id = ?'
            blobs = self._data.execute(query, (row,)).fetchone()
        if blobs is None:
            raise RecordError(f"row {row} of QCoDeS run {qcodes_run} is gone", where=str(path))
        return {
            name: np.full(shape, np.nan) if blob is None else _array_in(blob, path)
            for name, blob in zip(MAP_ARRAYS, blobs, strict=True)
        }


def _array_in(blob: bytes, path: Path) -> NDArray[Any]:
    """An array as QCoDeS stores it: NumPy's own format, without pickled objects."""
    try:
        return np.asarray(np.lib.format.read_array(io.BytesIO(blob), allow_pickle=False))
    except (ValueError, EOFError, TypeError) as error:
        raise RecordError(f"an array in it is damaged ({error})", where=str(path)) from error
