"""What a row of a wafer run says in words: everything but its arrays."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .die_maps import MAP_ARRAYS
from .errors import InputError, RecordError
from .exchange_file import checksum
from .nouns import ArrayMap, DieId
from .run_files import require_file_name
from .run_plan import require_name
from .step_rows import require_free


def row_record(
    die: DieId,
    maps: Sequence[ArrayMap],
    figures: Mapping[str, float],
    map_name: str = "",
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The record of a row; numbers that are not finite stand as text, which JSON lacks words for.

    Raises InputError for maps of different shapes or of another die, and for provenance that is not plain values.
    """
    if len({each.shape for each in maps}) > 1:
        raise InputError(f"maps of one die have shapes {sorted({each.shape for each in maps})}")
    strange = [each.die for each in maps if each.die != die]
    if strange:
        raise InputError(f"a map is of die {tuple(strange[0])}, not of {tuple(die)}", remedy="Set `die` of the map")
    sums = {name: checksum(np.stack([getattr(each, name) for each in maps])) for name in MAP_ARRAYS} if maps else {}
    record = {
        "die": [die.x, die.y],
        "figures": {name: value if np.isfinite(value) else repr(value) for name, value in figures.items()},
        "shape": [len(maps), *maps[0].shape] if maps else [],
        "conditions": [vars(each.conditions) for each in maps],
        "provenance": [each.provenance for each in maps],
        "is_partial": [each.is_partial for each in maps],
        "sha256": sums,
        "map_name": map_name,
        "details": plain(details or {}),
    }
    try:
        json.dumps(record)
    except TypeError as error:
        raise InputError(
            f"conditions or provenance of a map cannot be kept ({error})", remedy="Give text, numbers, true or false"
        ) from error
    return record


def plain(value: Any) -> Any:
    """The same in dicts, lists, text, numbers and truth values; what is not finite as text.

    Raises InputError for anything else.
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else repr(value)
    if value is None or isinstance(value, str | bool | int):
        return value
    raise InputError(f"details of a step hold {type(value).__name__}", remedy="Give text, numbers, true or false")


def require_same(
    kept: Mapping[str, Any],
    record: Mapping[str, Any],
    more: Mapping[str, Mapping[str, Any]],
    arrays: Mapping[str, NDArray[Any]],
    files: Mapping[str, bytes],
) -> None:
    """Raise InputError unless what is kept already is what is to be kept."""
    sums = {name: checksum(np.asarray(values)) for name, values in arrays.items()}
    sums |= {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    stored = {each["name"]: each["sha256"] for each in (*kept["arrays"], *kept.get("files", ()))}
    others = kept.get("more_maps", {})
    is_same = _is_part(record, kept) and sums == stored and others.keys() == more.keys()
    if not is_same or not all(_is_part(each, others[name]) for name, each in more.items()):
        raise InputError(
            f"other data of this step of die {tuple(record['die'])} are kept already",
            remedy="Begin another attempt to measure it again",
        )


def _is_part(record: Mapping[str, Any], kept: Mapping[str, Any]) -> bool:
    return json.dumps({name: kept.get(name) for name in record}) == json.dumps(record)


def snapshot_text(snapshot: Mapping[str, Any] | None) -> str:
    """A station's snapshot as QCoDeS keeps it; empty for none. Raises RecordError for what JSON cannot say."""
    if not snapshot:
        return ""
    from qcodes.utils import NumpyJSONEncoder

    try:
        return json.dumps(snapshot, cls=NumpyJSONEncoder)
    except (TypeError, ValueError) as error:
        raise RecordError(f"the station's snapshot cannot be kept ({error})") from error


def require_names(
    figures: Mapping[str, float],
    arrays: Mapping[str, Any],
    files: Mapping[str, bytes],
    maps: Mapping[str, Any],
    map_name: str,
) -> None:
    """Raise InputError for what a step's results cannot be called."""
    for name in arrays:
        require_free(name, "an array")
        if name in figures:
            raise InputError(f"a figure and an array are both called {name!r}", remedy="Rename one")
    for name in (*maps, *([map_name] if map_name else ())):
        require_name(name, "map")
    if map_name in maps:
        raise InputError(f"two maps of a step are called {map_name!r}", remedy="Rename one")
    for name in files:
        require_file_name(name)
