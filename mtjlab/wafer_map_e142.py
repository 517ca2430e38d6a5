"""Wafer maps in SEMI E142 XML: a BinCodeMap in a SubstrateMap. One file of ours holds one map.

The standard itself is not free; this follows public files of three of its dialects (namespaces V0105, V0211, V1005),
which differ in their namespace only as far as maps are concerned. Assumed, because descriptions differ: rows are listed
from top to bottom as the wafer lies, whatever `AxisDirection` says, and `Orientation` 0 is a notch at the bottom and
grows clockwise. What the file does not say is as the standard has it: numbers begin at the lower left and grow up and
to the right.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from .errors import InputError
from .map_transform import Axes
from .safe_text import checked_name, number_in
from .safe_xml import Document, Element
from .wafer_map import DieUse, WaferMap
from .wafer_map_grid import ORIGINS, Numbering, dies_of, rows_of, split_codes
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

NAMESPACE = "urn:semi-org:xsd.E142-1.V1005.SubstrateMap"
_AXES: dict[str, Axes] = {"UpRight": "UR", "UpLeft": "UL", "DownRight": "DR", "DownLeft": "DL"}
_METRES = {"mm": 1e-3, "um": 1e-6, "micron": 1e-6, "microns": 1e-6, "mil": 25.4e-6, "inch": 25.4e-3, "m": 1.0}


def read_e142(document: Document, where: str) -> WaferMap:
    """The first bin code map of an E142 document. Raises InputError naming what is wrong with it."""
    substrate = document.root.find("SubstrateMaps", "SubstrateMap")
    found = substrate.find("Overlay", "BinCodeMap") if substrate else None
    if substrate is None or found is None:
        raise InputError("has no SubstrateMap with a BinCodeMap", where=where, remedy="Is it an E142 file?")
    if found.get("MapType", "2DArray").lower() != "2darray":
        raise InputError(f"is a map of type {found.get('MapType')[:32]!r}", where=where, remedy="Only 2DArray is read")
    kind = type_of(found.get("BinType", "HexaDecimal"), where)
    rows = [row for line in found.all("BinCode") for row in _lines(line, kind[0])]
    rows = padded_rows(rows, kind)
    definitions = found.all("BinDefinitions", "BinDefinition")
    codes, kinds = read_bins(definitions, found.get("NullBin", "FF"), kind, rows, where)
    numbering, origin = read_instruction(document, where) or (_numbering(substrate, rows, where), (0.0, 0.0))
    name = substrate.get("SubstrateId")
    inner, outer = _layouts(document.root)
    return WaferMap(
        checked_name(name, "the wafer's name", where),
        dies_of(rows, numbering, codes, where),
        _size(inner, ("StepSize", "DeviceSize"), where),
        numbering.axes,
        _notch(substrate, where),
        (_size(outer, ("DeviceSize",), where) or (None,))[0] if outer is not inner else None,
        origin,
        lot=checked_name(_text(document.root, "Substrates", "Substrate", "LotId"), "the lot's name", where),
        product=checked_name(_text(inner, "ProductId"), "the product's name", where),
        bins=kinds,
        source=where,
    )


def _lines(element: Element, width: int) -> list[list[str]]:
    """Usually one row per BinCode; some files have all rows in one, a line each."""
    return [split_codes(line, width) for line in element.text.splitlines() if line.strip()]


def _numbering(substrate: Element, rows: list[list[str]], where: str) -> Numbering:
    origin = substrate.get("OriginLocation", "LowerLeft").removeprefix("to")
    direction = substrate.get("AxisDirection", "UpRight")
    if origin not in ORIGINS or direction not in _AXES:
        raise InputError(
            f"OriginLocation {origin[:16]!r} with AxisDirection {direction[:16]!r} is not known",
            where=where,
            remedy=f"Known are {', '.join(ORIGINS)}; {', '.join(_AXES)}",
        )
    return Numbering.counted_from(origin, _AXES[direction], len(rows), len(rows[0]) if rows else 0)


def _notch(substrate: Element, where: str) -> int | None:
    if not substrate.get("Orientation").strip():
        return None
    return (round(number_in(substrate.get("Orientation"), "Orientation", where)) + 180) % 360


def _layouts(root: Element) -> tuple[Element, Element]:
    """That of the dies, and that of the wafer around them."""
    layouts = root.all("Layouts", "Layout") or [Element("Layout", {})]
    outer = next((layout for layout in layouts if layout.get("TopLevel").lower() == "true"), layouts[0])
    return next((layout for layout in layouts if layout is not outer), outer), outer


def _size(layout: Element, names: tuple[str, ...], where: str) -> tuple[float, float] | None:
    for name in names:
        element = layout.find(name)
        if element is not None and element.get("X").strip() and element.get("Y").strip():
            unit = _METRES.get((element.get("Units") or layout.get("DefaultUnits", "mm")).strip().lower())
            if unit is None:
                raise InputError(f"{name} has unknown units", where=where, remedy=f"Known are {', '.join(_METRES)}")
            x, y = (number_in(element.get(axis), f"{name} {axis}", where) * unit for axis in "XY")
            return (x, y) if x > 0 and y > 0 else None
    return None


def _text(element: Element, *path: str) -> str:
    found = element.find(*path)
    return found.text.strip() if found is not None else ""


def written_e142(wafer_map: WaferMap) -> str:
    """The map as an E142 document. Raises InputError for bins that are not defined or do not fit."""
    coding = Coding(wafer_map, small="HexaDecimal", most=0xF0)
    rows = rows_of(wafer_map, coding.code_of)
    wafer = quoteattr(wafer_map.wafer)
    lines = ['<?xml version="1.0" encoding="utf-8"?>', written_instruction(wafer_map), f'<MapData xmlns="{NAMESPACE}">']
    lines += _written_layouts(wafer_map, rows)
    lines += ["  <Substrates>", f'    <Substrate SubstrateType="Wafer" SubstrateId={wafer}>']
    lines += [
        f"      <LotId>{escape(wafer_map.lot)}</LotId>",
        "    </Substrate>",
        "  </Substrates>",
        "  <SubstrateMaps>",
    ]
    notch = "" if wafer_map.notch_degrees is None else f' Orientation="{(wafer_map.notch_degrees - 180) % 360}"'
    lines.append(
        f'    <SubstrateMap SubstrateType="Wafer" SubstrateId={wafer} LayoutSpecifier="WaferLayout/Devices" '
        f'SubstrateSide="TopSide"{notch} OriginLocation="UpperLeft" AxisDirection="DownRight">'
    )
    lines.append('      <Overlay MapName="SortGrade" MapVersion="1">')
    lines.append(f'        <BinCodeMap BinType="{coding.type}" NullBin="{coding.null}" MapType="2DArray">')
    lines += ["          <BinDefinitions>", *_definitions(wafer_map, coding), "          </BinDefinitions>"]
    lines += [f"          <BinCode>{''.join(row)}</BinCode>" for row in rows]
    closing = [
        "        </BinCodeMap>",
        "      </Overlay>",
        "    </SubstrateMap>",
        "  </SubstrateMaps>",
        "</MapData>",
        "",
    ]
    return "\n".join([*lines, *closing])


def _written_layouts(wafer_map: WaferMap, rows: list[list[str]]) -> list[str]:
    lines = ["  <Layouts>", '    <Layout LayoutId="WaferLayout" DefaultUnits="mm" TopLevel="true">']
    lines.append('      <Dimension X="1" Y="1"/>')
    if wafer_map.diameter_metres is not None:
        size = f"{wafer_map.diameter_metres * 1e3:.12g}"
        lines.append(f'      <DeviceSize X="{size}" Y="{size}"/>')
    lines += ['      <ChildLayouts><ChildLayout LayoutId="Devices"/></ChildLayouts>', "    </Layout>"]
    lines.append('    <Layout LayoutId="Devices" DefaultUnits="mm">')
    lines.append(f'      <Dimension X="{len(rows[0])}" Y="{len(rows)}"/>')
    if wafer_map.pitch_metres is not None:
        x, y = (f"{pitch * 1e3:.12g}" for pitch in wafer_map.pitch_metres)
        lines.append(f'      <StepSize X="{x}" Y="{y}"/>')
    if wafer_map.product:
        lines.append(f"      <ProductId>{escape(wafer_map.product)}</ProductId>")
    return [*lines, "    </Layout>", "  </Layouts>"]


def _definitions(wafer_map: WaferMap, coding: Coding) -> list[str]:
    lines = [
        _definition(coding.code(kind.number), count, "Pass" if kind.passes else "Fail", kind.description)
        for kind, count in coding.kinds
    ]
    for use, code in coding.of_use.items():
        if count := count_of(wafer_map.dies, use):
            lines.append(_definition(code, count, USES[use], "Not tested" if use is DieUse.PROBE else use.value))
    return lines


def _definition(code: str, count: int, quality: str, description: str) -> str:
    attributes = f'BinCode="{code}" BinCount="{count}" BinQuality="{quality}"'
    return f"            <BinDefinition {attributes} BinDescription={quoteattr(description)}/>"
