"""Drawings of a wafer: maps and histograms as inline SVG, dies as PNG, and all of it as pages of a PDF."""

from __future__ import annotations

import io
import math
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.image import imsave

from .figures import STATUS_STYLE
from .nouns import CellStatus, Floats
from .wafer_report_data import Parameter

Place = tuple[int, int]
_NONE = "#d8dde3"
_BINS = ("#009e73", "#d55e00", "#e69f00", "#0072b2", "#cc79a7", "#56b4e9", "#8c2d04", "#5b5b5b", "#f0e442")
"""Okabe-Ito; the first is for good dies."""
_CELL, _GAP = 30, 2
_COLUMNS = 24
"""Of a histogram."""
_SCALES = {"S": (1e6, "µS"), "%": (1e2, "%")}


def in_units(units: str) -> tuple[float, str]:
    """Factor and unit in which people read a figure."""
    return _SCALES.get(units, (1.0, units))


def bin_colours(numbers: Sequence[int], passing: Sequence[int]) -> dict[int, str]:
    """A colour for every bin: passing ones green, the others each its own."""
    failing = iter(_BINS[1:] * (len(numbers) // len(_BINS) + 1))
    return {number: _BINS[0] if number in passing else next(failing) for number in sorted(numbers)}


def value_colours(values: Floats) -> list[str]:
    """Colours on a scale over the middle of the values; grey where there is none."""
    known = values[np.isfinite(values)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    norm = Normalize(low, high if high > low else low + 1.0, clip=True)
    colours = matplotlib.colormaps["viridis"]
    return [matplotlib.colors.to_hex(colours(norm(v))) if math.isfinite(v) else _NONE for v in values]


def map_svg(
    places: Sequence[Place], colours: Sequence[str], words: Sequence[str], links: Sequence[str], marks: Sequence[bool]
) -> str:
    """A wafer map: a square per die, y upwards, what it says when pointed at, a link, a mark on some."""
    xs, ys = [x for x, _ in places], [y for _, y in places]
    wide, high = (max(xs) - min(xs) + 1) * _CELL, (max(ys) - min(ys) + 1) * _CELL
    parts = [f'<svg class="wafer" viewBox="0 0 {wide} {high}" role="img">']
    for (x, y), colour, text, link, is_marked in zip(places, colours, words, links, marks, strict=True):
        left, top = (x - min(xs)) * _CELL, (max(ys) - y) * _CELL
        side = _CELL - _GAP
        ring = f'<circle cx="{left + side / 2}" cy="{top + side / 2}" r="{side / 3}" class="mark"/>' * is_marked
        parts.append(
            f'<a href="#{escape(link)}"><rect x="{left}" y="{top}" width="{side}" height="{side}" fill="{colour}">'
            f"<title>{escape(text)}</title></rect>{ring}</a>"
        )
    return "".join([*parts, "</svg>"])


def histogram_svg(parameter: Parameter) -> str:
    """Counts of dies over a figure; lines at its limits (solid) and at the robust limits (dashed)."""
    factor, _ = in_units(parameter.units)
    counts, edges = histogram(parameter)
    low, high, most = edges[0], edges[-1], max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{100 * (a - low) / (high - low):.2f}" y="{60 - 56 * n / most:.2f}" '
        f'width="{100 * (b - a) / (high - low) - 0.3:.2f}" height="{56 * n / most:.2f}" class="bar"/>'
        for n, a, b in zip(counts, edges[:-1], edges[1:], strict=True)
        if n
    )
    lines = "".join(
        f'<line x1="{100 * (v - low) / (high - low):.2f}" x2="{100 * (v - low) / (high - low):.2f}" '
        f'y1="0" y2="60" class="{kind}"/>'
        for v, kind in _lines_of(parameter)
        if low <= v <= high
    )
    ends = (
        f'<text x="0" y="69">{low * factor:.4g}</text><text x="100" y="69" text-anchor="end">{high * factor:.4g}</text>'
    )
    return f'<svg class="histogram" viewBox="0 0 100 72" role="img">{bars}{lines}{ends}</svg>'


def histogram(parameter: Parameter) -> tuple[Floats, Floats]:
    """Counts and edges of a histogram of what is known; a single value gets a column of its own."""
    known = parameter.known
    low, high = float(known.min()), float(known.max())
    if not high > low:
        reach = abs(low) * 0.05 or 0.5
        low, high = low - reach, high + reach
    counts, edges = np.histogram(known, bins=_COLUMNS, range=(low, high))
    return counts.astype(np.float64), edges


def _lines_of(parameter: Parameter) -> list[tuple[float, str]]:
    test = parameter.test
    limits = [] if test is None else [value for value in (test.low, test.high) if value is not None]
    return [(value, "limit") for value in limits] + [(v, "robust") for v in parameter.robust if math.isfinite(v)]


def conductance_png(picture: Floats, limits: tuple[float, float]) -> str:
    """A picture of conductances, siemens, as a data URL; black below, orange above the limits, white where unknown."""
    colours = matplotlib.colormaps["viridis"].with_extremes(over="#d55e00", under="#1a1a1a", bad="#ffffff")
    return _png(colours(Normalize(*limits)(np.ma.masked_invalid(picture))))


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


# pages of a PDF


def map_page(title: str, lines: Sequence[str], places: Sequence[Place], colours: Sequence[str]) -> Figure:
    """A first page: words above, the map of the bins below."""
    figure = Figure(figsize=(8.27, 11.69))
    figure.text(0.08, 0.94, title, fontsize=15, weight="bold")
    figure.text(0.08, 0.92, "\n".join(lines), fontsize=9, va="top")
    _draw_map(figure.add_axes((0.2, 0.1, 0.6, 0.42)), places, colours)
    return figure


def parameter_pages(parameters: Sequence[Parameter], places: Sequence[Place], on_a_page: int = 5) -> Iterator[Figure]:
    """A map and a histogram for every figure, so many on a page."""
    for first in range(0, len(parameters), on_a_page):
        figure = Figure(figsize=(8.27, 11.69))
        grid = figure.subplots(on_a_page, 2, squeeze=False)
        for pair in grid[len(parameters[first : first + on_a_page]) :]:
            for axes in pair:
                axes.set_axis_off()
        for (left, right), each in zip(grid, parameters[first : first + on_a_page], strict=False):
            _draw_map(left, places, value_colours(each.values))
            left.set_title(each.name, fontsize=8)
            _draw_histogram(right, each)
        figure.subplots_adjust(0.08, 0.05, 0.95, 0.95, hspace=0.45)
        yield figure


def die_pages(
    dies: Sequence[tuple[str, Callable[[], Floats | None]]], limits: tuple[float, float], on_a_page: int = 12
) -> Iterator[Figure]:
    """Pictures of the dies with a line of words each; a picture is asked for when it is drawn."""
    for first in range(0, len(dies), on_a_page):
        figure = Figure(figsize=(8.27, 11.69))
        for place, (words, picture) in enumerate(dies[first : first + on_a_page]):
            axes = figure.add_axes((0.06 + 0.31 * (place % 3), 0.76 - 0.235 * (place // 3), 0.27, 0.19))
            axes.set_title(words, fontsize=7)
            axes.set_axis_off()
            found = picture()
            if found is not None:
                axes.imshow(found, vmin=limits[0], vmax=limits[1], interpolation="nearest", cmap="viridis")
        yield figure


def _draw_map(axes: Any, places: Sequence[Place], colours: Sequence[str]) -> None:
    xs, ys = np.array(places).T
    picture = np.ones((int(np.ptp(ys)) + 1, int(np.ptp(xs)) + 1, 3))
    picture[ys - ys.min(), xs - xs.min()] = [matplotlib.colors.to_rgb(colour) for colour in colours]
    reach = (xs.min() - 0.5, xs.max() + 0.5, ys.min() - 0.5, ys.max() + 0.5)
    axes.imshow(picture, origin="lower", extent=reach, interpolation="nearest", aspect="equal")
    axes.tick_params(labelsize=6)


def _draw_histogram(axes: Any, parameter: Parameter) -> None:
    factor, unit = in_units(parameter.units)
    counts, edges = histogram(parameter)
    axes.bar(edges[:-1] * factor, counts, np.diff(edges) * factor, align="edge", color=_BINS[3])
    low, high = axes.get_xlim()
    for value, kind in _lines_of(parameter):
        if low <= value * factor <= high:
            axes.axvline(value * factor, color=_BINS[1], lw=0.8, ls="-" if kind == "limit" else "--")
    axes.set_xlabel(unit, fontsize=7)
    axes.tick_params(labelsize=6)
