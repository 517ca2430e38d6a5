"""The pages of a wafer's PDF: what the run came to, a map and a histogram per figure, pictures of the dies."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

import matplotlib
import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from .nouns import Floats
from .wafer_figures import (
    BIN_COLOURS,
    colour_range,
    conductance_colours,
    histogram,
    in_units,
    limit_lines,
    value_colours,
)
from .wafer_layout import WaferLayout
from .wafer_report_data import Parameter

_A4 = (8.27, 11.69)


@dataclass(frozen=True)
class BinKey:
    """A line of the bins' legend."""

    colour: str
    words: str


def map_page(
    title: str, lines: Sequence[str], layout: WaferLayout, colours: Sequence[str], bins: Sequence[BinKey]
) -> Figure:
    """A first page: the map of the bins with its key, words below."""
    figure = Figure(figsize=_A4)
    figure.text(0.08, 0.95, title, fontsize=15, weight="bold")
    axes = figure.add_axes((0.1, 0.6, 0.5, 0.32))
    _draw_map(axes, layout, colours)
    figure.legend(
        handles=[Patch(color=each.colour, label=each.words) for each in bins],
        loc="upper left",
        bbox_to_anchor=(0.63, 0.92),
        fontsize=8,
        frameon=False,
    )
    figure.text(0.08, 0.55, "\n".join(_wrapped(lines)), fontsize=7.5, va="top", linespacing=1.3)
    return figure


def text_pages(title: str, lines: Sequence[str], on_a_page: int = 70) -> Iterator[Figure]:
    """Nothing but words."""
    wrapped = _wrapped(lines)
    for first in range(0, len(wrapped), on_a_page):
        figure = Figure(figsize=_A4)
        figure.text(0.08, 0.95, title, fontsize=12, weight="bold")
        words = "\n".join(wrapped[first : first + on_a_page])
        figure.text(0.08, 0.92, words, fontsize=7.5, va="top", linespacing=1.3)
        yield figure


def _wrapped(lines: Sequence[str], most: int = 120) -> list[str]:
    return [part for line in lines for part in wrap(line, most)]


def parameter_pages(parameters: Sequence[Parameter], layout: WaferLayout, on_a_page: int = 5) -> Iterator[Figure]:
    """A map and a histogram for every figure, so many on a page."""
    for first in range(0, len(parameters), on_a_page):
        figure = Figure(figsize=_A4)
        grid = figure.subplots(on_a_page, 2, squeeze=False)
        for pair in grid[len(parameters[first : first + on_a_page]) :]:
            for axes in pair:
                axes.set_axis_off()
        for (left, right), each in zip(grid, parameters[first : first + on_a_page], strict=False):
            _draw_map(left, layout, value_colours(each))
            left.set_title(each.name, fontsize=8)
            _draw_scale(figure, left, each)
            _draw_histogram(right, each)
        figure.subplots_adjust(0.08, 0.06, 0.95, 0.94, wspace=0.35, hspace=0.5)
        figure.text(0.08, 0.97, "Solid lines: limits. Dashed: robust limits of this wafer.", fontsize=8)
        yield figure


def _draw_scale(figure: Figure, axes: Any, each: Parameter) -> None:
    factor, unit = in_units(each.units)
    low, high = colour_range(each)
    scale = ScalarMappable(Normalize(low * factor, high * factor), "viridis")
    bar = figure.colorbar(scale, ax=axes, fraction=0.05)
    bar.ax.tick_params(labelsize=6)
    bar.set_label(unit, fontsize=7)


def die_pages(
    dies: Sequence[tuple[str, Callable[[], Floats | None]]], limits: tuple[float, float], what: str, on_a_page: int = 12
) -> Iterator[Figure]:
    """Pictures of the dies with words above each; a picture is asked for when it is drawn.

    Args:
        limits: of the colour scale, siemens.
        what: is shown.
    """
    norm, colours = Normalize(1e6 * limits[0], 1e6 * limits[1]), conductance_colours()
    for first in range(0, len(dies), on_a_page):
        figure = Figure(figsize=_A4)
        figure.text(0.06, 0.975, f"{what}; black: below the scale, orange: above, white: not known", fontsize=8)
        for place, (words, picture) in enumerate(dies[first : first + on_a_page]):
            axes = figure.add_axes((0.06 + 0.31 * (place % 3), 0.755 - 0.225 * (place // 3), 0.27, 0.18))
            axes.set_title(words, fontsize=6.5)
            axes.set_axis_off()
            found = picture()
            if found is not None:
                axes.imshow(1e6 * found, norm=norm, interpolation="nearest", cmap=colours)
        bar = figure.colorbar(
            ScalarMappable(norm, colours), cax=figure.add_axes((0.2, 0.035, 0.6, 0.012)), orientation="horizontal"
        )
        bar.set_label("µS", fontsize=7)
        bar.ax.tick_params(labelsize=6)
        yield figure


def _draw_map(axes: Any, layout: WaferLayout, colours: Sequence[str]) -> None:
    """As the wafer lies; the numbers at the sides are the prober's."""
    probed, others = (
        [Rectangle((x - side / 2, y - side / 2), side, side) for x, y in places]
        for side, places in ((0.94, layout.probed), (0.9, layout.others))
    )
    axes.add_collection(PatchCollection(probed, facecolors=list(colours), linewidths=0))
    axes.add_collection(PatchCollection(others, facecolors="none", edgecolors="#b8c0c8", linewidths=0.4))
    xs, ys = np.array(layout.places).T
    axes.set_xlim(*((xs.min() - 0.6, xs.max() + 0.6)[:: layout.right]))
    axes.set_ylim(*((ys.min() - 0.6, ys.max() + 0.6)[:: layout.up]))
    axes.set_aspect(layout.aspect)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=6)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if layout.notch_degrees is not None:
        angle = math.radians(layout.notch_degrees)
        at = (0.5 + 0.53 * math.sin(angle), 0.5 + 0.53 * math.cos(angle))
        axes.add_patch(Circle(at, 0.018, transform=axes.transAxes, color="#5b6673", clip_on=False))


def _draw_histogram(axes: Any, parameter: Parameter) -> None:
    factor, unit = in_units(parameter.units)
    counts, edges = histogram(parameter)
    low, high = (end * factor for end in colour_range(parameter))
    norm, colours = Normalize(low, high, clip=True), matplotlib.colormaps["viridis"]
    middles = (edges[:-1] + edges[1:]) / 2 * factor
    axes.bar(edges[:-1] * factor, counts, np.diff(edges) * factor, align="edge", color=colours(norm(middles)))
    left, right = axes.get_xlim()
    for value, kind in limit_lines(parameter):
        if left <= value * factor <= right:
            axes.axvline(value * factor, color=BIN_COLOURS[1], lw=0.8, ls="-" if kind == "limit" else "--")
    axes.set_xlabel(unit, fontsize=7)
    axes.set_ylabel("dies", fontsize=7)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.tick_params(labelsize=6)
