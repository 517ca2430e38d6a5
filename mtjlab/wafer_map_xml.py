"""What the two XML map formats of SEMI share: bin codes by type, and how our own numbers are kept beside them."""

from __future__ import annotations

import re
from xml.sax.saxutils import quoteattr

from .errors import InputError
from .map_transform import Axes
from .safe_text import number_in, whole_in
from .safe_xml import Document, Element
from .wafer_map import BinKind, DieUse, MapDie, WaferMap
from .wafer_map_grid import Codes, Numbering, bin_kinds

INSTRUCTION = "mtjlab"
"""Target of the processing instruction in which files of ours keep how they count; other programs ignore it."""
BIN_TYPES = {"decimal": (3, 10), "hexadecimal": (2, 16), "integer2": (4, 16), "ascii": (1, 0)}
"""Signs of a code and its base, by type in small letters; the single sign of the last stands for itself."""
_NO_DIE_QUALITIES = ("null", "nodie", "none")
_UNTESTED = ("unknown", "untested", "nottested")
_SKIPPED = ("skip", "reference", "ink", "inkonly")
_ATTRIBUTE = re.compile(r'(\w+)="([^"]*)"')
USES = {DieUse.PROBE: "Unknown", DieUse.SKIP: "Skip", DieUse.EDGE: "Edge"}
"""BinQuality of dies without a bin."""


def code_number(code: str, base: int) -> int:
    """The number of a bin from its code; that of an ASCII code is the sign's own unless it is a digit."""
    if base == 0:
        return int(code) if code.isdecimal() else ord(code[:1] or " ")
    return int(code, base)


def type_of(name: str, where: str) -> tuple[int, int]:
    """Signs of a code and its base. Raises InputError for an unknown type."""
    found = BIN_TYPES.get(name.strip().lower())
    if found is None:
        known = "Decimal, HexaDecimal, Integer2, Ascii"
        raise InputError(f"bins of type {name[:32]!r} are not known", where=where, remedy=f"Known are {known}")
    return found


def read_bins(
    definitions: list[Element], null: str, kind: tuple[int, int], rows: list[list[str]], where: str
) -> tuple[Codes, tuple[BinKind, ...]]:
    """What the codes of a map mean, from its definitions; if it has none, every code in its rows is a bin."""
    width, base = kind
    uses: dict[str, DieUse] = {}
    bins: dict[str, int] = {}
    kinds: dict[int, BinKind] = {}
    nulls = {_padded(null, width, base)}
    for definition in definitions:
        code = _padded(definition.get("BinCode"), width, base)
        quality = definition.get("BinQuality").strip().lower()
        number = _number(code, base, where)
        if quality in _NO_DIE_QUALITIES:
            nulls.add(code)
        elif quality in (*_UNTESTED, *_SKIPPED, "edge"):
            uses[code] = DieUse.PROBE if quality in _UNTESTED else DieUse.EDGE if quality == "edge" else DieUse.SKIP
        elif code not in nulls and (quality or code not in bins):  # some files define a bin again, with its count only
            bins[code] = number
            passes = quality in ("pass", "good")
            kinds[number] = BinKind(number, passes, definition.get("BinDescription").strip())
    if not definitions:
        bins = {code: _number(code, base, where) for code in {code for row in rows for code in row} - nulls}
    return Codes(frozenset(nulls), uses, bins), tuple(kinds.values())


def _padded(code: str, width: int, base: int) -> str:
    code = code.strip().upper() if base else code[:1]
    return code.zfill(width) if base else code


def padded_rows(rows: list[list[str]], kind: tuple[int, int]) -> list[list[str]]:
    """Codes as `read_bins` writes them."""
    return [[_padded(code, *kind) for code in row] for row in rows]


def _number(code: str, base: int, where: str) -> int:
    try:
        return code_number(code, base)
    except ValueError as error:
        raise InputError(f"bin code {code[:16]!r} is not of its type", where=where) from error


class Coding:
    """Codes for writing a map: two hexadecimal or three decimal signs where its bins fit, otherwise Integer2."""

    def __init__(self, wafer_map: WaferMap, *, small: str, most: int) -> None:
        self.kinds = bin_kinds(wafer_map)
        numbers = [kind.number for kind, _ in self.kinds]
        if any(not 0 <= number <= 0xFFF0 for number in numbers):
            raise InputError(
                f"bins from {min(numbers)} to {max(numbers)} do not fit this format",
                where=wafer_map.source,
                remedy="Number bins from 0 to 65520",
            )
        fits = all(number <= most for number in numbers)
        self.type = small if fits else "Integer2"
        width, base = BIN_TYPES[self.type.lower()]
        self._form = f"0{width}{'d' if base == 10 else 'X'}"
        top = 255 if fits else 0xFFFF
        self.null = format(top, self._form)
        self.of_use = {
            use: format(top - 1 - k, self._form) for k, use in enumerate((DieUse.EDGE, DieUse.SKIP, DieUse.PROBE))
        }

    def code(self, number: int) -> str:
        """Code of a bin."""
        return format(number, self._form)

    @property
    def code_of(self) -> dict[DieUse | int | None, str]:
        """As `rows_of` takes it."""
        codes: dict[DieUse | int | None, str] = {kind.number: self.code(kind.number) for kind, _ in self.kinds}
        codes |= dict(self.of_use.items())
        codes[None] = self.null
        return codes


def written_instruction(wafer_map: WaferMap) -> str:
    """How the map counts, and what the format has no place for."""
    numbering = Numbering.of(wafer_map)
    parts = {"axes": numbering.axes, "x": str(numbering.x), "y": str(numbering.y)}
    parts["origin"] = f"{wafer_map.origin[0]!r} {wafer_map.origin[1]!r}"
    return f"<?{INSTRUCTION} " + " ".join(f"{key}={quoteattr(value)}" for key, value in parts.items()) + "?>"


def read_instruction(document: Document, where: str) -> tuple[Numbering, tuple[float, float]] | None:
    """What `written_instruction` wrote; None in files of others."""
    if INSTRUCTION not in document.instructions:
        return None
    parts = dict(_ATTRIBUTE.findall(document.instructions[INSTRUCTION]))
    axes = _axes(parts.get("axes", ""), where)
    origin = [number_in(part, "origin", where) for part in parts.get("origin", "0 0").split()]
    if len(origin) != 2:
        raise InputError("origin is not two numbers", where=where)
    numbering = Numbering(whole_in(parts.get("x", ""), "x", where), whole_in(parts.get("y", ""), "y", where), axes)
    return numbering, (origin[0], origin[1])


def _axes(text: str, where: str) -> Axes:
    known: dict[str, Axes] = {"UR": "UR", "UL": "UL", "DR": "DR", "DL": "DL"}
    if text not in known:
        raise InputError(f"axes {text[:16]!r} are not one of {', '.join(known)}", where=where)
    return known[text]


def count_of(dies: tuple[MapDie, ...], use: DieUse) -> int:
    """How many dies of this use have no bin that is written."""
    return sum(die.use is use and (die.bin is None or use is not DieUse.PROBE) for die in dies)
