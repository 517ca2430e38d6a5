"""The exchange file: maps of many dies in one .npz that NumPy alone can read (docs/reference/exchange.md).

Named arrays with the axes die, kernel, row, col in SI units, and a JSON header with a schema version and a checksum of
every array. No pickled objects are written, and none are read.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from .die_maps import MAP_ARRAYS, DieMaps
from .errors import InputError
from .nouns import ArrayMap, CellStatus, Conditions, DieId, State

FORMAT = "mtjlab.DieMaps"
SCHEMA = 1
"""Raised when a reader of the old files would misread new ones; keys may be added without."""

_DTYPES = {name: np.dtype("i1" if name in ("state", "status") else "<f8") for name in MAP_ARRAYS}
_CODES: dict[str, type[State] | type[CellStatus]] = {"state": State, "status": CellStatus}


def write_maps(maps: DieMaps, path: Path) -> Path:
    """Write the exchange file; returns its path, which ends in .npz. A file of that name is replaced once all is there.

    Raises:
        InputError: provenance holds something that JSON cannot say.
    """
    path = path if path.suffix == ".npz" else path.with_name(f"{path.name}.npz")
    arrays: dict[str, Any] = {
        name: np.ascontiguousarray(getattr(maps, name), dtype=_DTYPES[name]) for name in MAP_ARRAYS
    }
    try:
        header = json.dumps(_header(maps, arrays))
    except TypeError as error:
        raise InputError(
            f"provenance holds something that JSON cannot say ({error})", remedy="Give text, numbers, true or false"
        ) from error
    unfinished = path.with_name(f"{path.name}.part")
    with unfinished.open("wb") as file:
        np.savez_compressed(file, header=np.array(header), **arrays)
    unfinished.replace(path)
    return path


def read_maps(path: Path) -> DieMaps:
    """Read an exchange file, or the file of a single map (`ArrayMap.save`) as a collection of one die.

    Raises:
        InputError: it is neither; it holds pickled objects; its schema is another; an array is not the one that was
            written (checksum), or its shape or values do not fit.
    """
    header, arrays = _contents(path)
    if isinstance(header, dict) and str(header.get("format", "")).startswith("mtjlab.ArrayMap/"):
        return DieMaps.of([ArrayMap.load(path)])
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise InputError(
            f"its header does not say {FORMAT}", where=str(path), remedy="Give a file that `write_maps` wrote"
        )
    if header.get("schema") != SCHEMA:
        raise InputError(
            f"its schema is {header.get('schema')!r}, this version of mtjlab reads {SCHEMA}",
            where=str(path),
            remedy="Update mtjlab, or have the file written again",
        )
    _require_as_written(header, arrays, path)
    try:
        return DieMaps(
            **{name: arrays[name].astype(_DTYPES[name].newbyteorder("=")) for name in MAP_ARRAYS},
            dies=tuple(DieId(str(wafer), int(x), int(y)) for wafer, x, y in header["dies"]),
            conditions=tuple(tuple(Conditions(**each) for each in die) for die in header["conditions"]),
            provenance=tuple(tuple(dict(each) for each in die) for die in header["provenance"]),
            is_partial=np.array(header["is_partial"], dtype=bool),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"its header does not fit ({error})", where=str(path)) from error
    except InputError as error:
        raise InputError(error.what, where=str(path)) from error


def checksum(values: NDArray[Any]) -> str:
    """SHA-256 of an array's bytes in row order, little-endian, in hexadecimal."""
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


def _header(maps: DieMaps, arrays: dict[str, NDArray[Any]]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "schema": SCHEMA,
        "axes": ["die", "kernel", "row", "col"],
        "units": {name: "1" if name in _CODES else "S" for name in MAP_ARRAYS},
        "codes": {name: {member.name: int(member) for member in kind} for name, kind in _CODES.items()},
        "sha256": {name: checksum(values) for name, values in arrays.items()},
        "dies": [list(die) for die in maps.dies],
        "conditions": [[vars(each) for each in die] for die in maps.conditions],
        "provenance": [list(die) for die in maps.provenance],
        "is_partial": maps.is_partial.tolist(),
    }


def _contents(path: Path) -> tuple[Any, dict[str, NDArray[Any]]]:
    """Header and arrays, whatever they are."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return json.loads(str(stored["header"])), {name: stored[name] for name in MAP_ARRAYS}
    except ValueError as error:
        pickled = "pickle" in str(error) or "Object arrays" in str(error)
        found = "it holds pickled objects, which can run anything" if pickled else f"not an exchange file ({error})"
        raise InputError(found, where=str(path), remedy="Give a file that `write_maps` wrote") from error
    except (OSError, KeyError, EOFError, TypeError, BadZipFile, zlib.error) as error:
        raise InputError(
            f"not an exchange file ({error})", where=str(path), remedy="Give a .npz file that `write_maps` wrote"
        ) from error


def _require_as_written(header: dict[str, Any], arrays: dict[str, NDArray[Any]], path: Path) -> None:
    sums = header.get("sha256")
    for name, values in arrays.items():
        if values.dtype.newbyteorder("<") != _DTYPES[name]:
            raise InputError(f"{name} is of type {values.dtype}, wanted {_DTYPES[name]}", where=str(path))
        if not isinstance(sums, dict) or sums.get(name) != checksum(values):
            raise InputError(
                f"the checksum of {name} is wrong: it is not what was written",
                where=str(path),
                remedy="Copy or export the file again",
            )
    for name, kind in _CODES.items():
        strange = sorted(set(np.unique(arrays[name]).tolist()) - {int(member) for member in kind})
        if strange:
            raise InputError(f"{name} has codes {strange} that mean nothing", where=str(path))
