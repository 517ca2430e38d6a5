"""Drawings of a wafer for its page: maps and histograms as inline SVG, dies as PNG; a PDF's are in wafer_pages.py."""

from __future__ import annotations

import io
import math
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.image import imsave

from .figures import STATUS_STYLE
from .nouns import CellStatus, Floats
from .wafer_layout import WaferLayout
from .wafer_report_data import Parameter

NONE = "#d8dde3"
"""Of a die without a value or bin."""
BIN_COLOURS = ("#009e73", "#d55e00", "#e69f00", "#0072b2", "#cc79a7", "#56b4e9", "#8c2d04", "#5b5b5b", "#f0e442")
"""Okabe-Ito; the first is for good dies."""
_CELL, _GAP = 30, 2
_NUMBERS, _EDGE = 12, 6
"""Size of the numbers at the sides, and room at the other sides."""
_COLUMNS = 25
"""Of a histogram."""
_SCALES = {"S": (1e6, "µS"), "%": (1e2, "%")}


def in_units(units: str) -> tuple[float, str]:
    """Factor and unit in which people read a figure."""
    return _SCALES.get(units, (1.0, units))


def bin_colours(numbers: Sequence[int], passing: Sequence[int]) -> dict[int, str]:
    """A colour for every bin: passing ones green, the others each its own."""
    failing = iter(BIN_COLOURS[1:] * (len(numbers) // len(BIN_COLOURS) + 1))
    return {number: BIN_COLOURS[0] if number in passing else next(failing) for number in sorted(numbers)}


def value_colours(parameter: Parameter) -> list[str]:
    """Colours on a scale over the values without their outliers; grey where there is none."""
    scale = value_scale(parameter)
    return [scale(value) if math.isfinite(value) else NONE for value in parameter.values]


def value_scale(parameter: Parameter) -> Callable[[float], str]:
    """Colour of a value; those beyond the robust limits have that of the end."""
    low, high = colour_range(parameter)
    norm, colours = Normalize(low, high, clip=True), matplotlib.colormaps["viridis"]
    return lambda value: str(matplotlib.colors.to_hex(colours(norm(value))))


def colour_range(parameter: Parameter) -> tuple[float, float]:
    """Ends of the colour scale: of the values without outliers, or of all where the others are the same."""
    known = parameter.known
    most = parameter.values[np.isfinite(parameter.values) & ~parameter.is_outlier]
    values = most if most.size and np.ptp(most) > 0 else known
    low, high = float(values.min()), float(values.max())
    return low, high if high > low else low + (abs(low) or 1.0)


def map_svg(
    layout: WaferLayout, colours: Sequence[str], words: Sequence[str], links: Sequence[str], marks: Sequence[bool]
) -> str:
    """A wafer map as the wafer lies: a square per die, what it says when pointed at, a link, a ring on some.

    Dies that the run leaves out are outlined; at the sides stand x and y, and the notch where it is known.
    """
    columns, rows = layout.columns, layout.rows
    size = _NUMBERS * max(1.0, len(columns) / 12)  # so that they can be read on a large wafer too
    margin = 2.5 * size
    lefts = {x: margin + place * _CELL for place, x in enumerate(columns)}
    tall = _CELL * layout.aspect
    tops = {y: _EDGE + place * tall for place, y in enumerate(rows)}
    wide, high = margin + len(columns) * _CELL + _EDGE, _EDGE + len(rows) * tall + 1.6 * size
    side, height = _CELL - _GAP, max(tall - _GAP, 1.0)
    parts = [f'<svg class="wafer" viewBox="0 0 {wide:g} {high:g}" role="img">', _outline_svg(layout, lefts, tops)]
    parts += [
        f'<rect x="{lefts[x]:g}" y="{tops[y]:g}" width="{side:g}" height="{height:g}" class="left-out">'
        f"<title>({x}, {y}): not probed</title></rect>"
        for x, y in layout.others
    ]
    for (x, y), colour, text, link, is_marked in zip(layout.probed, colours, words, links, marks, strict=True):
        left, top = lefts[x], tops[y]
        middle = f'cx="{left + side / 2:g}" cy="{top + height / 2:g}"'
        ring = f'<circle {middle} r="{min(side, height) / 3:g}" class="mark"/>' * is_marked
        parts.append(
            f'<a href="#{escape(link)}"><rect x="{left:g}" y="{top:g}" width="{side:g}" height="{height:g}" '
            f'fill="{colour}"><title>{escape(text)}</title></rect>{ring}</a>'
        )
    return "".join([*parts, _numbers_svg(lefts, tops, tall, size), "</svg>"])


def _numbers_svg(lefts: Mapping[int, float], tops: Mapping[int, float], tall: float, size: float) -> str:
    """x below, y at the left; not every one where there are many."""
    every_x, every_y = (math.ceil(len(each) / 16) for each in (lefts, tops))
    bottom = max(tops.values()) + tall + 1.2 * size
    parts = [
        f'<text x="{left + _CELL / 2:g}" y="{bottom:g}" text-anchor="middle">{x}</text>'
        for x, left in lefts.items()
        if x % every_x == 0
    ]
    parts += [
        f'<text x="{2 * size:g}" y="{top + tall / 2 + size / 3:g}" text-anchor="end">{y}</text>'
        for y, top in tops.items()
        if y % every_y == 0
    ]
    return f'<g font-size="{size:g}">{"".join(parts)}</g>'


def _outline_svg(layout: WaferLayout, lefts: Mapping[int, float], tops: Mapping[int, float]) -> str:
    """The wafer's edge with its notch, where its size is known."""
    if layout.radius is None:
        return ""
    x, y = layout.centre
    across = next(iter(lefts.values())) + (layout.right * (x - next(iter(lefts)))) * _CELL + _CELL / 2
    tall = _CELL * layout.aspect
    down = next(iter(tops.values())) - (layout.up * (y - next(iter(tops)))) * tall + tall / 2
    radius = layout.radius * _CELL
    edge = f'<circle cx="{across:g}" cy="{down:g}" r="{radius:g}" class="edge"/>'
    if layout.notch_degrees is None:
        return edge
    angle = math.radians(layout.notch_degrees)
    tip = (across + radius * math.sin(angle), down - radius * math.cos(angle))
    return f'{edge}<circle cx="{tip[0]:g}" cy="{tip[1]:g}" r="{_CELL / 4:g}" class="notch"/>'


def histogram_svg(parameter: Parameter) -> str:
    """Counts of dies over a figure in the colours of its map; lines at limits (solid) and robust limits (dashed)."""
    factor, _ = in_units(parameter.units)
    counts, edges = histogram(parameter)
    low, high, most = edges[0], edges[-1], max(int(counts.max()), 1)
    scale = value_scale(parameter)
    bars = "".join(
        f'<rect x="{100 * (a - low) / (high - low):.2f}" y="{60 - 56 * n / most:.2f}" '
        f'width="{100 * (b - a) / (high - low) - 0.3:.2f}" height="{56 * n / most:.2f}" fill="{scale((a + b) / 2)}">'
        f"<title>{int(n)} dies from {a * factor:.4g} to {b * factor:.4g}</title></rect>"
        for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
        if n
    )
    lines = "".join(
        f'<line x1="{100 * (v - low) / (high - low):.2f}" x2="{100 * (v - low) / (high - low):.2f}" '
        f'y1="0" y2="60" class="{kind}"/>'
        for v, kind in limit_lines(parameter)
        if low <= v <= high
    )
    ends = (
        f'<text x="0" y="69">{low * factor:.4g}</text><text x="100" y="69" text-anchor="end">{high * factor:.4g}</text>'
        f'<text x="50" y="69" text-anchor="middle">at most {most} dies</text>'
    )
    return (
        f'<svg class="histogram" viewBox="0 0 100 72" role="img">{bars}'
        f'<line x1="0" x2="100" y1="60" y2="60" class="ground"/>{lines}{ends}</svg>'
    )


def histogram(parameter: Parameter) -> tuple[Floats, Floats]:
    """Counts and edges of a histogram of what is known; a single value gets a column of its own."""
    known = parameter.known
    low, high = float(known.min()), float(known.max())
    if not high > low:
        reach = abs(low) * 0.05 or 0.5
        low, high = low - reach, high + reach
    counts, edges = np.histogram(known, bins=_COLUMNS, range=(low, high))  # an odd number: one value is in the middle
    return counts.astype(np.float64), edges


def limit_lines(parameter: Parameter) -> list[tuple[float, str]]:
    """Where lines stand, and of which kind: "limit" or "robust"; no robust ones where all values are the same."""
    test = parameter.test
    limits = [] if test is None else [value for value in (test.low, test.high) if value is not None]
    low, high = parameter.robust
    robust = [low, high] if high > low else []
    return [(value, "limit") for value in limits] + [(v, "robust") for v in robust if math.isfinite(v)]


def conductance_colours() -> Any:
    """Of pictures of conductances: black below, orange above the limits, white where unknown."""
    return matplotlib.colormaps["viridis"].with_extremes(over="#d55e00", under="#1a1a1a", bad="#ffffff")


def conductance_png(picture: Floats, limits: tuple[float, float]) -> str:
    """A picture of conductances, siemens, as a data URL; black below, orange above the limits, white where unknown."""
    return _png(conductance_colours()(Normalize(*limits)(np.ma.masked_invalid(picture))))


def status_png(picture: Floats) -> str:
    """A picture of `CellStatus` as a data URL, in the colours of the other reports."""
    table = np.array([matplotlib.colors.to_rgba(STATUS_STYLE[CellStatus(n)][0]) for n in range(len(CellStatus))])
    shown = np.ones((*picture.shape, 4))
    known = np.isfinite(picture)
    shown[known] = table[picture[known].astype(int)]
    return _png(shown)


def _png(rgba: Any) -> str:
    file = io.BytesIO()
    imsave(file, rgba, format="png")
    return f"data:image/png;base64,{b64encode(file.getvalue()).decode('ascii')}"
