"""Wafer maps in SEMI G85 XML: rows of decimal bin codes. One file of ours holds one map.

The standard itself is not free; this follows files that probers write and public descriptions of them. Read: `Map`
alone or within `Maps`, any namespace, decimal, hexadecimal, Integer2 and ASCII bins. Assumed, because descriptions
differ: rows are listed from top to bottom as the wafer lies; `Orientation` 0 is a notch at the bottom, growing
clockwise; `OriginLocation` is 0 centre, 1 upper right, 2 upper left, 3 lower left, 4 lower right, and numbers grow from
there into the map.
"""

from __future__ import annotations

from xml.sax.saxutils import quoteattr

from .errors import InputError
from .map_transform import Axes
from .safe_text import checked_name, number_in, whole_in
from .safe_xml import Document, Element
from .wafer_map import DieUse, WaferMap
from .wafer_map_grid import Numbering, check_size, dies_of, rows_of, split_codes
from .wafer_map_xml import (
    USES,
    Coding,
    count_of,
    padded_rows,
    read_bins,
    read_instruction,
    type_of,
    written_instruction,
)

_ORIGINS: dict[str, tuple[str, Axes]] = {
    "0": ("Center", "UR"),
    "1": ("UpperRight", "DL"),
    "2": ("UpperLeft", "DR"),
    "3": ("LowerLeft", "UR"),
    "4": ("LowerRight", "UL"),
}


def read_g85(document: Document, where: str) -> WaferMap:
    """The first map of a G85 document. Raises InputError naming what is wrong with it."""
    found = document.root if document.root.name == "Map" else document.root.find("Map")
    device = found.find("Device") if found else None
    if found is None or device is None:
        raise InputError("has no Map with a Device", where=where, remedy="Is it a G85 file?")
    kind = type_of(device.get("BinType", "Decimal"), where)
    rows = padded_rows(_rows(device, kind[0], where), kind)
    codes, kinds = read_bins(device.all("Bin"), device.get("NullBin", "255"), kind, rows, where)
    numbering, origin = read_instruction(document, where) or (_numbering(device, rows, where), (0.0, 0.0))
    return WaferMap(
        checked_name(found.get("WaferId") or found.get("SubstrateId"), "the wafer's name", where),
        dies_of(rows, numbering, codes, where),
        _pitch(device, where),
        numbering.axes,
        _notch(device, where),
        _diameter(device, where),
        origin,
        lot=checked_name(device.get("LotId"), "the lot's name", where),
        product=checked_name(device.get("ProductId"), "the product's name", where),
        bins=kinds,
        source=where,
    )


def _rows(device: Element, width: int, where: str) -> list[list[str]]:
    lines = (device.find("Data") or device).all("Row")
    rows = [split_codes(line.text, width) for line in lines]
    for name, count in (("Rows", len(rows)), ("Columns", len(rows[0]) if rows else 0)):
        if name in device.attributes and whole_in(device.get(name), name, where) != count:
            raise InputError(
                f"says {name} {device.get(name)} but has {count}", where=where, remedy="It is cut off; get it again"
            )
    check_size(len(rows), len(rows[0]) if rows else 0, where)
    return rows


def _numbering(device: Element, rows: list[list[str]], where: str) -> Numbering:
    origin = device.get("OriginLocation", "2").strip()
    if origin not in _ORIGINS:
        raise InputError(f"OriginLocation is {origin[:16]!r}", where=where, remedy="It is a number from 0 to 4")
    corner, axes = _ORIGINS[origin]
    return Numbering.counted_from(corner, axes, len(rows), len(rows[0]))


def _notch(device: Element, where: str) -> int | None:
    if not device.get("Orientation").strip():
        return None
    return (round(number_in(device.get("Orientation"), "Orientation", where)) + 180) % 360


def _diameter(device: Element, where: str) -> float | None:
    found = number_in(device.get("WaferSize") or "0", "WaferSize", where)
    return found * 1e-3 if found > 0 else None


def _pitch(device: Element, where: str) -> tuple[float, float] | None:
    """In micrometres; the step where it is given, otherwise the size of a die."""
    for name in ("StepSize", "DeviceSize"):
        if device.get(f"{name}X").strip() and device.get(f"{name}Y").strip():
            x, y = (number_in(device.get(f"{name}{axis}"), f"{name}{axis}", where) * 1e-6 for axis in "XY")
            return (x, y) if x > 0 and y > 0 else None
    return None


def written_g85(wafer_map: WaferMap) -> str:
    """The map as a G85 document. Raises InputError for bins that are not defined or do not fit."""
    coding = Coding(wafer_map, small="Decimal", most=250)
    rows = rows_of(wafer_map, coding.code_of)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', written_instruction(wafer_map), "<Maps>"]
    wafer = quoteattr(wafer_map.wafer)  # readers of older files look for WaferId, of newer ones for SubstrateId
    lines.append(f' <Map SubstrateType="Wafer" SubstrateId={wafer} WaferId={wafer} FormatRevision="G85-1101">')
    lines.append(f"  <Device {_attributes(wafer_map, coding, rows)}>")
    for kind, count in coding.kinds:
        quality = "Pass" if kind.passes else "Fail"
        lines.append(_bin(coding.code(kind.number), count, quality, kind.description))
    for use, code in coding.of_use.items():
        if count := count_of(wafer_map.dies, use):
            lines.append(_bin(code, count, USES[use], "Not tested" if use is DieUse.PROBE else use.value))
    lines.append('   <Data MapName="WAFER_MAP" Version="1">')
    lines += [f"    <Row><![CDATA[{' '.join(row)}]]></Row>" for row in rows]
    return "\n".join([*lines, "   </Data>", "  </Device>", " </Map>", "</Maps>", ""])


def _attributes(wafer_map: WaferMap, coding: Coding, rows: list[list[str]]) -> str:
    parts = {
        "ProductId": wafer_map.product,
        "LotId": wafer_map.lot,
        "Rows": str(len(rows)),
        "Columns": str(len(rows[0])),
        "BinType": coding.type,
        "NullBin": coding.null,
        "OriginLocation": "2",
    }
    if wafer_map.notch_degrees is not None:
        parts["Orientation"] = str((wafer_map.notch_degrees - 180) % 360)
    if wafer_map.diameter_metres is not None:
        parts["WaferSize"] = f"{wafer_map.diameter_metres * 1e3:.12g}"
    if wafer_map.pitch_metres is not None:
        for axis, pitch in zip("XY", wafer_map.pitch_metres, strict=True):
            parts[f"StepSize{axis}"] = parts[f"DeviceSize{axis}"] = f"{pitch * 1e6:.12g}"
    return " ".join(f"{name}={quoteattr(value)}" for name, value in parts.items())


def _bin(code: str, count: int, quality: str, description: str) -> str:
    attributes = f'BinCode="{code}" BinCount="{count}" BinQuality="{quality}"'
    return f"   <Bin {attributes} BinDescription={quoteattr(description)}/>"
