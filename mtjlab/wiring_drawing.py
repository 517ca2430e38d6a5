"""The wiring of a bench as an SVG drawing on A4: sources, matrix, probe card, die and the one common ground.

Each kind of line has its colour and its dashes, so that the drawing is also read in black and white. A dot joins lines;
where lines cross without one, the one that passes hops over the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from .bench_cabling import Cabling, Source
from .nouns import Line
from .svg_sheet import Sheet

WIDTH = 1123.0
"""A4 across, at 96 points per inch; the height follows the bench, 794 being A4."""
_LEAST_HEIGHT = 794.0
_SOURCE_X, _SOURCE_WIDTH, _TERMINAL_PITCH = 24.0, 236.0, 20.0
_LOW_BUS_X, _MATRIX_X, _MATRIX_WIDTH = 316.0, 466.0, 214.0
_CARD_X, _CARD_WIDTH, _DIE_X, _DIE_WIDTH = 760.0, 62.0, 892.0, 206.0
_TOP = 86.0
_MOST_PITCH, _LEAST_PITCH, _LINES_HEIGHT = 15.0, 5.0, 412.0
_STYLE = """
text{font-family:"DejaVu Sans","Segoe UI",Arial,sans-serif;fill:#1a1a1a;font-size:11px}
.b{font-weight:bold}.t{font-size:19px;font-weight:bold}.s{font-size:9.5px}.m{fill:#4a4a4a}
.box{fill:#f6f7f9;stroke:#1a1a1a;stroke-width:1.4}.in{fill:#fff;stroke:#6b6b6b;stroke-width:.8}
.w{fill:none;stroke-width:1.8}
.force{stroke:#b8480a}.sense{stroke:#0067a3;stroke-dasharray:7 3}.guard{stroke:#00795a;stroke-dasharray:2 3}
.low{stroke:#1a1a1a;stroke-width:2.4}.link{stroke:#8a3f7a;stroke-dasharray:9 3 2 3}.row{stroke:#b8480a;stroke-width:1.1}
.col{stroke:#0067a3;stroke-width:1.1}.x{fill:#fff;stroke:#6b6b6b;stroke-width:.7}.dot{fill:#1a1a1a}
"""


@dataclass(frozen=True)
class _Places:
    """Where things are: of each array line and matrix row its height, of each matrix row where it runs down."""

    lines: dict[Line, float]
    rows: dict[str, float]
    buses: dict[str, float]
    pitch: float
    bottom: float


def wiring_svg(bench: Cabling) -> str:
    """The drawing, as a file of its own."""
    places = _places(bench)
    sheet = Sheet()
    below = max(places.bottom, _sources_bottom(bench))
    height = max(_LEAST_HEIGHT, below + 142)
    ground = height - 100
    _title(sheet, bench)
    _sources(sheet, bench, places, ground)
    _matrix(sheet, bench, places, ground)
    _probes(sheet, bench, places, ground)
    _ground(sheet, bench, ground)
    _legend(sheet, bench, height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:g} {height:g}" width="297mm" '
        f'height="{297 * height / WIDTH:.1f}mm" role="img" '
        f'aria-label="{escape(f"Wiring of the bench {bench.title}", quote=True)}">'
    )
    sheet_of_paper = f'<rect width="{WIDTH:g}" height="{height:g}" fill="#fff"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", sheet_of_paper, *sheet.parts, "</svg>"]) + "\n"


def _places(bench: Cabling) -> _Places:
    wiring = bench.wiring
    lines = [Line("row", k) for k in range(len(wiring.row_lines))]
    lines += [Line("col", k) for k in range(len(wiring.col_lines))]
    pitch = max(_LEAST_PITCH, min(_MOST_PITCH, _LINES_HEIGHT / len(lines)))
    rows = {row: _TOP + 74 + 20 * k for k, row in enumerate(wiring.source_rows.values())}
    top = max(rows.values()) + 26
    buses = {row: _MATRIX_X + 58 + min(24, 130 / len(rows)) * k for k, row in enumerate(rows)}
    heights = {line: top + pitch * k + (10 if line.axis == "col" else 0) for k, line in enumerate(lines)}
    return _Places(heights, rows, buses, pitch, max(heights.values()) + 14)


def _title(sheet: Sheet, bench: Cabling) -> None:
    rows, cols = len(bench.wiring.row_lines), len(bench.wiring.col_lines)
    sheet.text(24, 40, f"Wiring of the bench {bench.title}", "t")
    leads = "four wires (force and sense)" if bench.wiring.is_four_wire else "two wires (sense terminals open)"
    sheet.text(24, 62, f"{rows} rows and {cols} columns on {bench.matrix.model}; {leads}", "m")


# sources


def _source_height(source: Source) -> float:
    del source
    return 5 * _TERMINAL_PITCH + 22


def _tops(bench: Cabling) -> Iterator[tuple[Source, float, bool]]:
    """Each source, where its box begins, and whether it is the first of its instrument."""
    y, before = _TOP, ""
    for source in bench.sources:
        is_first = source.instrument.name != before
        y += 46 if is_first else 0
        yield source, y, is_first
        y += _source_height(source) + (18 if is_first else 8)
        before = source.instrument.name


def _sources_bottom(bench: Cabling) -> float:
    source, y, _ = list(_tops(bench))[-1]
    return y + _source_height(source)


def _sources(sheet: Sheet, bench: Cabling, places: _Places, ground: float) -> None:
    lanes = {row: _LOW_BUS_X + 34 + 16 * k for k, row in enumerate(places.rows)}
    first = None
    for source, y, is_first in _tops(bench):
        if is_first:
            one = source.instrument
            sheet.text(_SOURCE_X, y - 24, f"{one.model}", "b")
            sheet.text(_SOURCE_X, y - 9, f"'{one.name}' at {one.address}", "s m")
        sheet.box(_SOURCE_X, y, _SOURCE_WIDTH, _source_height(source))
        sheet.text(_SOURCE_X + 12, y + 28, source.name, "b")
        sheet.text(_SOURCE_X + 12, y + 46, f"to matrix row {source.row}", "s m")
        low = _terminals(sheet, bench, source, y, lanes[source.row], places.rows[source.row])
        first = low if first is None else first
    assert first is not None
    sheet.wire("low", (_LOW_BUS_X, first), (_LOW_BUS_X, ground))
    if bench.link:
        _link(sheet, bench)


def _terminals(sheet: Sheet, bench: Cabling, source: Source, y: float, lane: float, row: float) -> float:
    """The terminals of a source and what is on them; returns where its low terminal is."""
    edge, named = _SOURCE_X + _SOURCE_WIDTH, source.terminals
    names = (named.force_high, named.sense_high, named.guard, named.force_low, named.sense_low)
    at = [y + 20 + _TERMINAL_PITCH * k for k in range(5)]
    for place, words in zip(at, names, strict=True):
        sheet.text(edge - 12, place + 4, words, "", "end")
        sheet.dot(edge, place, 3.6, "x")
    high, sense, guard, low, sense_low = at
    _across(sheet, "force", edge, lane, high, row)
    if bench.wiring.is_four_wire:
        _across(sheet, "sense", edge, lane + 6, sense, row + 6)
        sheet.wire("sense", (edge + 4, sense_low), (_LOW_BUS_X, sense_low))
        sheet.dot(_LOW_BUS_X, sense_low)
    else:
        for place in (sense, sense_low):
            _open(sheet, edge, place)
    if bench.is_guarded:
        _across(sheet, "guard", edge, lane - 5, guard, row + 5, is_joined=False)
    else:
        _open(sheet, edge, guard, "open" if bench.cards else "open*")
    sheet.wire("low", (edge + 4, low), (_LOW_BUS_X, low))
    sheet.dot(_LOW_BUS_X, low)
    return low


def _across(sheet: Sheet, kind: str, edge: float, lane: float, y: float, row: float, *, is_joined: bool = True) -> None:
    """From a terminal over the ground bus into a lane, along it, and to a matrix row."""
    sheet.hop(kind, edge + 4, lane, y, _LOW_BUS_X)
    end = _MATRIX_X if is_joined else _MATRIX_X - 6
    sheet.wire(kind, (lane, y), (lane, row), (end, row))


def _open(sheet: Sheet, edge: float, y: float, words: str = "open") -> None:
    sheet.wire("in", (edge + 4, y), (edge + 14, y))
    sheet.text(edge + 16, y + 3.5, words, "s m")


def _link(sheet: Sheet, bench: Cabling) -> None:
    y = _TOP + 8
    sheet.wire("link", (_SOURCE_X + 150, y + 16), (_SOURCE_X + 150, y), (_MATRIX_X, y))
    sheet.text(_MATRIX_X - 10, y - 6, bench.link, "s", "end", "#8a3f7a")


# matrix


def _matrix(sheet: Sheet, bench: Cabling, places: _Places, ground: float) -> None:
    right = _MATRIX_X + _MATRIX_WIDTH
    sheet.box(_MATRIX_X, _TOP, _MATRIX_WIDTH, places.bottom - _TOP)
    sheet.text(_MATRIX_X + 12, _TOP + 20, bench.matrix.model, "b")
    sheet.text(_MATRIX_X + 12, _TOP + 36, f"'{bench.matrix.name}' at {bench.matrix.address}", "s m")
    sheet.text(_MATRIX_X + 12, _TOP + 51, _cards(bench), "s m")
    for row, y in places.rows.items():
        sheet.text(_MATRIX_X + 10, y + 4, f"row {row}", "b")
        sheet.dot(_MATRIX_X, y, 3.6, "x")
        sheet.wire("row", (_MATRIX_X + 46, y), (places.buses[row], y), (places.buses[row], places.bottom - 10))
    for line, y in places.lines.items():
        sheet.wire("col" if line.axis == "col" else "row", (min(places.buses.values()) - 10, y), (right, y))
        for x in places.buses.values():
            sheet.dot(x, y, min(2.6, places.pitch / 3), "x")
        sheet.dot(right, y, min(3.2, places.pitch / 3), "x")
    if bench.wiring.ground_row is not None:
        y, x = places.rows[bench.wiring.ground_row], _MATRIX_X - 22
        sheet.wire("low", (_MATRIX_X - 4, y), (x, y), (x, ground))


def _cards(bench: Cabling) -> str:
    if not bench.cards:
        return "cards: see its slots"
    counted = {card: bench.cards.count(card) for card in bench.cards}
    return "slots 1 to " + f"{len(bench.cards)}: " + ", ".join(f"{count} x {card}" for card, count in counted.items())


# probe card and die


def _probes(sheet: Sheet, bench: Cabling, places: _Places, ground: float) -> None:
    top = min(places.lines.values()) - 26
    sheet.box(_CARD_X, top, _CARD_WIDTH, places.bottom - top)
    sheet.text(_CARD_X + _CARD_WIDTH / 2, top - 8, "probe card", "b", "middle")
    sheet.box(_DIE_X, top, _DIE_WIDTH, places.bottom - top)
    sheet.text(_DIE_X + _DIE_WIDTH / 2, top - 8, "die", "b", "middle")
    sheet.text(_MATRIX_X + _MATRIX_WIDTH + 34, top + 14, "column", "s m", "middle")
    sheet.text(_CARD_X + _CARD_WIDTH + 34, top + 14, "array line", "s m", "middle")
    _die_lines(sheet, bench, places, top)
    name = f"chuck of {bench.prober.model}" if bench.prober else "chuck or carrier, and the card's ground"
    about = f"'{bench.prober.name}' at {bench.prober.address}" if bench.prober else "whatever the die lies on"
    y = ground - 22
    sheet.box(_CARD_X, y, _DIE_X + _DIE_WIDTH - _CARD_X, 44)
    sheet.text(_CARD_X + 14, y + 18, name, "b")
    sheet.text(_CARD_X + 14, y + 34, about, "s m")
    sheet.dot(_CARD_X, ground, 3.6, "x")


def _die_lines(sheet: Sheet, bench: Cabling, places: _Places, top: float) -> None:
    """Each line from its matrix column through the probe card onto the die, where columns cross rows."""
    wiring, left = bench.wiring, _DIE_X + 22
    step = (_DIE_WIDTH - 40) / max(len(wiring.col_lines), 1)
    shown = _labelled(places)
    for line, y in places.lines.items():
        kind = "row" if line.axis == "row" else "col"
        end = _DIE_X + _DIE_WIDTH - 10 if line.axis == "row" else left + step * line.number
        points = [(_MATRIX_X + _MATRIX_WIDTH + 3, y), (end, y)]
        sheet.wire(kind, *points, *([] if line.axis == "row" else [(end, top + 12)]))
        sheet.dot(_CARD_X + _CARD_WIDTH / 2, y, min(3.0, places.pitch / 3), "x")
        if line in shown:
            column = str(wiring.matrix_column(line))
            _over(sheet, _MATRIX_X + _MATRIX_WIDTH + 34, y, column)
            _over(sheet, _CARD_X + _CARD_WIDTH + 34, y, f"{line.axis} {line.number}")
    rows = [y for line, y in places.lines.items() if line.axis == "row"]
    for number in range(len(wiring.col_lines)):
        for y in rows:
            sheet.dot(left + step * number, y, min(1.9, places.pitch / 4))


def _labelled(places: _Places) -> set[Line]:
    """All lines, or, where they are too close to each other, every n-th of them."""
    every = 1 if places.pitch >= 11 else 2 if places.pitch >= 6 else 4
    return {line for line in places.lines if line.number % every == 0}


def _over(sheet: Sheet, x: float, y: float, words: str) -> None:
    """Words on a line, which ends around them."""
    width = 5.9 * len(words) + 6
    sheet.parts.append(f'<rect x="{x - width / 2:g}" y="{y - 6:g}" width="{width:g}" height="12" fill="#fff"/>')
    sheet.text(x, y + 3.5, words, "s", "middle")


# ground and legend


def _ground(sheet: Sheet, bench: Cabling, ground: float) -> None:
    joins = [_LOW_BUS_X] + ([_MATRIX_X - 22] if bench.wiring.ground_row is not None else [])
    sheet.wire("low", (_LOW_BUS_X, ground), (_CARD_X - 4, ground))
    for x in joins:
        sheet.dot(x, ground)
    x = _LOW_BUS_X
    for k, half in enumerate((13, 8, 3)):
        sheet.wire("low", (x - half, ground + 14 + 5 * k), (x + half, ground + 14 + 5 * k))
    sheet.wire("low", (x, ground), (x, ground + 14))
    sheet.text(x - 24, ground + 8, "common ground: ONE point", "b", "end")
    sheet.text(x - 24, ground + 22, "a ground unit, or a bar; chassis on mains earth", "s m", "end")


def _legend(sheet: Sheet, bench: Cabling, height: float) -> None:
    kinds = [("force", "force (HI)"), ("low", "force LO and ground"), ("row", "array row"), ("col", "array column")]
    if bench.wiring.is_four_wire:
        kinds.append(("sense", "sense"))
    if bench.is_guarded:
        kinds.append(("guard", "guard: inner shield of that cable, joined to nothing else"))
    if bench.link:
        kinds.append(("link", "digital link"))
    x, y = 24.0, height - 36
    for kind, words in kinds:
        sheet.wire(kind, (x, y), (x + 30, y))
        sheet.text(x + 36, y + 4, words, "s")
        x += 60 + 5.2 * len(words)
    sheet.text(24, height - 14, " ".join(_notes(bench)), "s m")


def _notes(bench: Cabling) -> Iterator[str]:
    yield "Dots join lines; a small circle in the matrix is a relay, open unless a program closes it."
    if bench.wiring.holds_lines:
        yield "The matrix itself holds lines that are not selected (ground and bias mode)."
    if not bench.cards:
        yield "* On triaxial cards: the inner shield of that cable, and nothing else."
