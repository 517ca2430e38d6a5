"""Large arrays of a run (repeats, traces, waveforms) in Zarr, one chunk row per attempt, each with its hash.

The store is a folder of plain Zarr 3 that any Zarr library reads: `<step>/<name>` with the attempt as first axis.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, RecordError
from .exchange_file import checksum
from .run_plan import require_name
from .whole_files import os_record_error

_CHUNK_BYTES = 32e6


@dataclass(frozen=True)
class ArrayReference:
    """Where an array is: `path` in the store, `index` along its first axis, and SHA-256 of its bytes."""

    name: str
    path: str
    index: int
    shape: tuple[int, ...]
    dtype: str
    sha256: str


class RunArrays:
    """The Zarr store of a run.

    Args:
        folder: of the store; made with the first array.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._open: dict[str, Any] = {}

    def keep(self, step: str, name: str, attempt: int, values: NDArray[Any]) -> ArrayReference:
        """Write an array; on the disk when it returns.

        Raises InputError for anything but numbers or truth values, or another shape than that of the dies before;
        RecordError if the disk will not take it.
        """
        values = np.asarray(values)
        require_name(name, "array")
        if values.dtype.kind not in "biufc":
            raise InputError(f"array {name!r} is of type {values.dtype}", remedy="Give numbers")
        path = f"{step}/{name}"
        try:
            array = self._array(path, values)
            if array.shape[0] <= attempt:
                array.resize((attempt + 1, *values.shape))
            array[attempt] = values
            _sync(self.folder / step / name, attempt)
        except OSError as error:
            self._open.pop(path, None)
            raise os_record_error(error, self.folder / step / name) from error
        return ArrayReference(name, path, attempt, values.shape, values.dtype.str, checksum(values))

    def read(self, reference: ArrayReference) -> NDArray[Any]:
        """Read an array back. Raises RecordError if it is not there or not what was written."""
        import zarr

        where = str(self.folder / reference.path)
        for part in reference.path.split("/"):  # it stands in a file that may come from elsewhere
            require_name(part, "array")
        try:
            array = zarr.open_array(self.folder / reference.path, mode="r", zarr_format=3)  # 2 knows pickles
            values = np.asarray(array[reference.index])
        except (OSError, IndexError, KeyError, ValueError) as error:
            raise RecordError(f"cannot be read ({error})", where=where, remedy="Bring the folder back") from error
        if checksum(values) != reference.sha256:
            raise RecordError(
                f"row {reference.index} is not what was written (SHA-256)", where=where, remedy="Use another copy"
            )
        return values

    def _array(self, path: str, values: NDArray[Any]) -> Any:
        import zarr

        array = self._open.get(path)
        if array is None and (self.folder / path / "zarr.json").is_file():
            array = zarr.open_array(self.folder / path, mode="r+", zarr_format=3)
        if array is None:
            zarr.open_group(self.folder, mode="a").require_group(path.partition("/")[0])
            array = zarr.create_array(
                self.folder / path,
                shape=(0, *values.shape),
                chunks=(1, *_chunk(values)),
                dtype=values.dtype,
                fill_value=_nothing(values.dtype),
                dimension_names=("attempt", *(f"axis_{k}" for k in range(values.ndim))),
            )
        if array.shape[1:] != values.shape or array.dtype != values.dtype:
            raise InputError(
                f"array {path} of earlier dies is {array.shape[1:]} of {array.dtype}, this one {values.shape} of "
                f"{values.dtype}",
                remedy="Give all dies' arrays one shape (fill with NaN), or other shapes another name",
            )
        self._open[path] = array
        return array


def _chunk(values: NDArray[Any]) -> tuple[int, ...]:
    """The whole array, or as many of its leading entries as make a chunk of moderate size."""
    if values.ndim == 0 or values.nbytes <= _CHUNK_BYTES:
        return tuple(max(1, length) for length in values.shape)
    leading = max(1, int(len(values) * _CHUNK_BYTES / values.nbytes))
    return (leading, *values.shape[1:])


def _nothing(dtype: np.dtype[Any]) -> Any:
    """What stands where an attempt wrote nothing."""
    return np.nan if dtype.kind in "fc" else dtype.type(0)


def _sync(folder: Path, attempt: int) -> None:
    """Wait until an attempt's chunks are on the disk, not only in the system's memory."""
    chunks = folder / "c" / str(attempt)
    for path in (*([chunks] if chunks.is_file() else chunks.rglob("*")), folder / "zarr.json"):
        if path.is_file():
            with path.open("r+b") as file:  # Windows syncs only what is open for writing
                os.fsync(file.fileno())
