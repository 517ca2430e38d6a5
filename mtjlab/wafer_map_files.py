"""Wafer maps from and to files: CSV, SEMI G85 and E142 XML, SINF.

Files come from elsewhere. Nothing in them is followed (no document types, entities, references or paths), and sizes,
encodings and names are checked first; what is refused is refused with InputError.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from .errors import InputError
from .safe_text import checked_name, decoded, read_bytes
from .safe_xml import parse_xml
from .wafer_map import WaferMap
from .wafer_map_csv import read_csv, written_csv
from .wafer_map_e142 import read_e142, written_e142
from .wafer_map_g85 import read_g85, written_g85
from .wafer_map_sinf import read_sinf, written_sinf
from .whole_files import whole_file

MapFormat = Literal["csv", "g85", "e142", "sinf"]
_WRITERS: dict[MapFormat, Callable[[WaferMap], str]] = {
    "csv": written_csv,
    "g85": written_g85,
    "e142": written_e142,
    "sinf": written_sinf,
}


def read_wafer_map(path: Path, *, format: MapFormat | None = None) -> WaferMap:
    """Read a map; what format it has shows in what it holds, unless it is said.

    Raises InputError if it cannot be read, is not such a file, or is dangerous.
    """
    content, where = read_bytes(path), str(path)
    if content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        document = parse_xml(content, where)
        is_e142 = document.root.name == "MapData" if format is None else format == "e142"
        return read_e142(document, where) if is_e142 else read_g85(document, where)
    text = decoded(content, where)
    if format in ("g85", "e142"):
        raise InputError("is no XML", where=where, remedy=f"Is it a {format.upper()} file?")
    is_sinf = "rowdata:" in text.lower() if format is None else format == "sinf"
    return read_sinf(text, where) if is_sinf else read_csv(text, where)


def write_wafer_map(wafer_map: WaferMap, path: Path, *, format: MapFormat) -> Path:
    """Write a map; an older file of that name is replaced once the new one is complete and on the disk.

    Raises InputError if the format has no place for its bins, or its names cannot be written; RecordError if the disk
    will not take it.
    """
    for name, what in ((wafer_map.wafer, "wafer"), (wafer_map.lot, "lot"), (wafer_map.product, "product")):
        if checked_name(name, f"the {what}'s name", wafer_map.source) != name:
            raise InputError(f"the {what}'s name begins or ends with blanks", where=wafer_map.source)
    text = _WRITERS[format](wafer_map)
    with whole_file(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
    return path
