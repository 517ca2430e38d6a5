"""Wafer maps in SINF: a header of KEY:value lines, then rows of two-sign codes, the top row first.

Codes as Artwork Conversion Software describes them publicly: hexadecimal bins, __ no die, @@ a die that was not
inspected, FD and FE dies at the edge, FF the reference die. Of those we write __, @@, FE for edge dies and FD for dies
that are skipped; that FD can mean so is an assumption. FNLOC is the flat's place clockwise from the top. There is no
place for more than the passing bins (BCEQU): descriptions of bins are lost.
"""

from __future__ import annotations

import re

from .errors import InputError
from .map_transform import Axes
from .safe_text import checked_name, number_in, whole_in
from .wafer_map import BinKind, DieUse, WaferMap
from .wafer_map_grid import Codes, Numbering, bin_kinds, check_size, dies_of, rows_of, split_codes

NULL, UNTESTED, SKIPPED, EDGE, REFERENCE = "__", "@@", "FD", "FE", "FF"
MOST_BIN = 0xF0
_OURS = re.compile(r"mtjlab axes (UR|UL|DR|DL) x (-?\d{1,9}) y (-?\d{1,9}) origin (\S+) (\S+) diameter (\S+)", re.ASCII)
_METRES = {"mm": 1e-3, "mil": 25.4e-6, "um": 1e-6}
_BIN = re.compile(r"[0-9A-F]{2}", re.ASCII)


def read_sinf(text: str, where: str) -> WaferMap:
    """The map of a SINF file. Raises InputError naming what is wrong with it."""
    header, rows = _parts(text, where)
    for key, count in (("ROWCT", len(rows)), ("COLCT", len(rows[0]) if rows else 0)):
        if key in header and whole_in(header[key], key, where) != count:
            raise InputError(f"says {key} {header[key][:16]} but has {count}", where=where, remedy="It is cut off")
    check_size(len(rows), len(rows[0]) if rows else 0, where)
    used = sorted({code for row in rows for code in row if _BIN.fullmatch(code) and int(code, 16) <= MOST_BIN})
    passing = set(re.split(r"[,\s]+", header.get("BCEQU", "").strip().upper())) - {""} or {"01"}
    codes = Codes(
        frozenset({NULL}),
        {UNTESTED: DieUse.PROBE, SKIPPED: DieUse.SKIP, EDGE: DieUse.EDGE, REFERENCE: DieUse.SKIP},
        {code: int(code, 16) for code in used},
    )
    numbering, origin, diameter = _ours(header, where)
    known = {int(code, 16) for code in used} | {int(code, 16) for code in passing if _BIN.fullmatch(code)}
    return WaferMap(
        checked_name(header.get("WAFER", ""), "the wafer's name", where),
        dies_of(rows, numbering, codes, where),
        _pitch(header, where),
        numbering.axes,
        whole_in(header["FNLOC"], "FNLOC", where) % 360 if header.get("FNLOC") else None,
        diameter,
        origin,
        lot=checked_name(header.get("LOT", ""), "the lot's name", where),
        product=checked_name(header.get("DEVICE", ""), "the product's name", where),
        bins=tuple(BinKind(number, f"{number:02X}" in passing) for number in sorted(known)),
        source=where,
    )


def _parts(text: str, where: str) -> tuple[dict[str, str], list[list[str]]]:
    header: dict[str, str] = {}
    rows: list[list[str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        key, colon, value = line.partition(":")
        if not line.strip():
            continue
        if not colon:
            raise InputError(f"line {number} is no KEY:value line", where=where, remedy="Is it a SINF file?")
        if key.strip().lower() == "rowdata":
            rows.append([code.upper() for code in split_codes(value, 2)])
        else:
            header[key.strip().upper()] = value.strip()
    if not rows:
        raise InputError("has no RowData lines", where=where, remedy="Is it a SINF file?")
    return header, rows


def _ours(header: dict[str, str], where: str) -> tuple[Numbering, tuple[float, float], float | None]:
    """How a file counts that we wrote; those of others count from the upper left."""
    found = _OURS.fullmatch(header.get("COMMENT", ""))
    if found is None:
        return Numbering(0, 0, "DR"), (0.0, 0.0), None
    axes: dict[str, Axes] = {"UR": "UR", "UL": "UL", "DR": "DR", "DL": "DL"}
    origin = (number_in(found[4], "origin", where), number_in(found[5], "origin", where))
    diameter = number_in(found[6], "diameter", where)
    return Numbering(int(found[2]), int(found[3]), axes[found[1]]), origin, diameter if diameter > 0 else None


def _pitch(header: dict[str, str], where: str) -> tuple[float, float] | None:
    if not (header.get("XDIES") and header.get("YDIES")):
        return None
    unit = _METRES.get(header.get("DUTMS", "mm").lower())
    if unit is None:
        raise InputError(f"DUTMS is {header['DUTMS'][:16]!r}", where=where, remedy="Known are mm, um and mil")
    x, y = (number_in(header[key], key, where) * unit for key in ("XDIES", "YDIES"))
    return (x, y) if x > 0 and y > 0 else None


def written_sinf(wafer_map: WaferMap) -> str:
    """The map as a SINF file. Raises InputError for bins that are not defined, or beyond F0."""
    kinds = [kind for kind, _ in bin_kinds(wafer_map)]
    if any(not 0 <= kind.number <= MOST_BIN for kind in kinds):
        raise InputError(
            f"bin {kinds[-1].number} does not fit SINF", where=wafer_map.source, remedy="Number bins from 0 to 240"
        )
    codes: dict[DieUse | int | None, str] = {kind.number: f"{kind.number:02X}" for kind in kinds}
    codes.update({DieUse.PROBE: UNTESTED, DieUse.SKIP: SKIPPED, DieUse.EDGE: EDGE, None: NULL})
    rows = rows_of(wafer_map, codes)
    lines = [f"DEVICE:{wafer_map.product}", f"LOT:{wafer_map.lot}", f"WAFER:{wafer_map.wafer}"]
    if wafer_map.notch_degrees is not None:
        lines.append(f"FNLOC:{wafer_map.notch_degrees}")
    lines += [f"ROWCT:{len(rows)}", f"COLCT:{len(rows[0])}"]
    lines.append("BCEQU:" + " ".join(f"{kind.number:02X}" for kind in kinds if kind.passes))
    lines += ["REFPX:", "REFPY:", "DUTMS:mm"]
    if wafer_map.pitch_metres is not None:
        lines += [f"{key}:{p * 1e3:.12g}" for key, p in zip(("XDIES", "YDIES"), wafer_map.pitch_metres, strict=True)]
    lines.append(f"DIECT:{len(wafer_map.dies)}")  # after what every reader knows, in the order in which it is known
    numbering, (x, y) = Numbering.of(wafer_map), wafer_map.origin
    lines.append(
        f"COMMENT:mtjlab axes {numbering.axes} x {numbering.x} y {numbering.y} origin {x!r} {y!r} "
        f"diameter {wafer_map.diameter_metres or 0.0!r}"
    )
    return "\n".join([*lines, *("RowData:" + " ".join(row) for row in rows), ""])
