"""Wafer maps as a table: one line per die, x, y and, if there are, use and bin; what else is known in lines with #.

```
# wafer: W07
# pitch_mm: 5, 5
# bin: 1, pass, good
x,y,use,bin
0,0,probe,1
```
"""

from __future__ import annotations

import csv
import io

from .errors import InputError
from .map_transform import Axes
from .safe_text import checked_name, number_in, whole_in
from .wafer_map import MOST_DIES, BinKind, DieUse, MapDie, WaferMap

_AXES: dict[str, Axes] = {"UR": "UR", "UL": "UL", "DR": "DR", "DL": "DL"}
_COLUMNS = ("x", "y", "use", "bin")
_KEYS = ("wafer", "lot", "product", "axes", "notch_degrees", "diameter_mm", "pitch_mm", "origin", "bin")


def read_csv(text: str, where: str) -> WaferMap:
    """The map of a table. Raises InputError naming the line that is wrong."""
    notes, bins, table = _parts(text, where)
    axes = notes.get("axes", "UR").upper()
    if axes not in _AXES:
        raise InputError(f"axes are {axes[:16]!r}", where=where, remedy=f"Use one of {', '.join(_AXES)}")
    pitch = _pair(notes, "pitch_mm", where)
    diameter = number_in(notes.get("diameter_mm", "0"), "diameter_mm", where) * 1e-3
    return WaferMap(
        checked_name(notes.get("wafer", ""), "the wafer's name", where),
        _dies(table, where),
        (pitch[0] * 1e-3, pitch[1] * 1e-3) if pitch else None,
        _AXES[axes],
        whole_in(notes["notch_degrees"], "notch_degrees", where) % 360 if "notch_degrees" in notes else None,
        diameter if diameter > 0 else None,
        _pair(notes, "origin", where) or (0.0, 0.0),
        lot=checked_name(notes.get("lot", ""), "the lot's name", where),
        product=checked_name(notes.get("product", ""), "the product's name", where),
        bins=tuple(bins),
        source=where,
    )


def _parts(text: str, where: str) -> tuple[dict[str, str], list[BinKind], list[tuple[int, list[str]]]]:
    notes: dict[str, str] = {}
    bins: list[BinKind] = []
    table: list[tuple[int, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("#"):
            key, _, value = (part.strip() for part in line[1:].partition(":"))
            if key == "bin":
                bins.append(_kind(value, f"{where}, line {number}"))
            elif key in _KEYS:
                notes[key] = value
        elif line.strip():
            table.append((number, _cells(line, f"{where}, line {number}")))
    return notes, bins, table


def _cells(line: str, where: str) -> list[str]:
    if '"' not in line:
        return [cell.strip() for cell in line.split(",")]
    try:
        return [cell.strip() for cell in next(csv.reader(io.StringIO(line), strict=True))]
    except csv.Error as error:
        raise InputError(f"is no line of a table ({error})", where=where) from error


def _kind(value: str, where: str) -> BinKind:
    number, passes, *description = [part.strip() for part in value.split(",", 2)] + [""] * (2 - value.count(","))
    if passes not in ("pass", "fail"):
        raise InputError("a bin is '# bin: number, pass or fail, description'", where=where)
    return BinKind(whole_in(number, "bin", where), passes == "pass", description[0] if description else "")


def _dies(table: list[tuple[int, list[str]]], where: str) -> tuple[MapDie, ...]:
    columns = [name.lower() for name in table[0][1]] if table else []
    if not {"x", "y"} <= set(columns) or len(set(columns)) != len(columns):
        raise InputError(
            "its first line does not name the columns x and y", where=where, remedy="Begin with the line x,y,use,bin"
        )
    if len(table) - 1 > MOST_DIES:
        raise InputError(f"has {len(table) - 1} dies", where=where, remedy=f"At most {MOST_DIES} are read")
    return tuple(
        _die(dict(zip(columns, cells, strict=False)), f"{where}, line {number}") for number, cells in table[1:]
    )


def _die(cells: dict[str, str], where: str) -> MapDie:
    use = cells.get("use") or DieUse.PROBE.value
    known = {found.value: found for found in DieUse}
    if use.lower() not in known:
        raise InputError(f"use is {use[:16]!r}", where=where, remedy=f"Use one of {', '.join(known)}")
    number = cells.get("bin", "")
    return MapDie(
        whole_in(cells.get("x", ""), "x", where),
        whole_in(cells.get("y", ""), "y", where),
        known[use.lower()],
        whole_in(number, "bin", where) if number else None,
    )


def _pair(notes: dict[str, str], key: str, where: str) -> tuple[float, float] | None:
    if key not in notes:
        return None
    parts = [number_in(part, key, where) for part in notes[key].split(",")]
    if len(parts) != 2:
        raise InputError(f"{key} is not two numbers with a comma", where=where)
    return parts[0], parts[1]


def written_csv(wafer_map: WaferMap) -> str:
    """The map as a table; nothing is lost but `transform`."""
    lines = [f"# wafer: {wafer_map.wafer}", f"# lot: {wafer_map.lot}", f"# product: {wafer_map.product}"]
    lines += [f"# axes: {wafer_map.axes}", f"# origin: {wafer_map.origin[0]!r}, {wafer_map.origin[1]!r}"]
    if wafer_map.notch_degrees is not None:
        lines.append(f"# notch_degrees: {wafer_map.notch_degrees}")
    if wafer_map.diameter_metres is not None:
        lines.append(f"# diameter_mm: {wafer_map.diameter_metres * 1e3:.12g}")
    if wafer_map.pitch_metres is not None:
        lines.append("# pitch_mm: " + ", ".join(f"{pitch * 1e3:.12g}" for pitch in wafer_map.pitch_metres))
    for kind in wafer_map.bins:
        lines.append(f"# bin: {kind.number}, {'pass' if kind.passes else 'fail'}, {kind.description}")
    lines.append(",".join(_COLUMNS))
    for die in wafer_map.dies:
        lines.append(f"{die.x},{die.y},{die.use.value},{'' if die.bin is None else die.bin}")
    return "\n".join([*lines, ""])
