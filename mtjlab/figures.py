"""Figures of a run as inline SVG: maps of an array, accuracy against normalising conductance, spread of the states."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from .nouns import ArrayMap, CellStatus, Floats, Ints, State

Mask = NDArray[np.bool_]

STATUS_STYLE: dict[CellStatus, tuple[str, str, str]] = {
    CellStatus.OK: ("#d9e2ec", "", "healthy"),
    CellStatus.SHORT: ("#d55e00", "S", "short"),
    CellStatus.OPEN: ("#1a1a1a", "O", "open"),
    CellStatus.STUCK_P: ("#0072b2", "P", "stuck in P"),
    CellStatus.STUCK_AP: ("#e69f00", "A", "stuck in AP"),
    CellStatus.UNSTABLE: ("#cc79a7", "U", "unstable"),
    CellStatus.UNWRITTEN: ("#f0e442", "W", "refused its target"),
    CellStatus.LOW_TMR: ("#56b4e9", "T", "states too close"),
    CellStatus.DISTURBED: ("#009e73", "D", "switched by half-select"),
    CellStatus.LINE_OPEN: ("#5b5b5b", "—", "line open"),
    CellStatus.LINE_SHORT: ("#8c2d04", "=", "line shorted to another"),
    CellStatus.UNREAD: ("#e8e8e8", "", "not measured"),
}
"""Colour (Okabe-Ito), letter and words of each status."""

P_COLOUR, AP_COLOUR, WRONG_COLOUR = "#0072b2", "#e69f00", "#d55e00"
MAP_P_COLOUR, MAP_AP_COLOUR, MAP_UNUSED_COLOUR, MAP_UNKNOWN_COLOUR = "#1f5f8b", "#cfe3f1", "#f4f4f4", "#bdbdbd"

_INK, _MUTED = "#1f2933", "#6b7785"
_MICRO = 1e6
_LARGE = 4096
"""Cells beyond which a square each would make a page of many megabytes."""
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mtjlab",
    "font.family": "DejaVu Sans",
    "font.size": 9.0,
    "hatch.linewidth": 0.6,
    "axes.linewidth": 0.7,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


@dataclass(frozen=True)
class CurvePoint:
    """An accuracy measured on the array: at which normalising conductance (siemens), which fraction, called what."""

    siemens: float
    accuracy: float
    label: str


def conductance_limits(maps: Iterable[ArrayMap]) -> tuple[float, float]:
    """Lowest and highest conductance of the healthy cells of all maps, siemens: ends of a shared colour scale."""
    pooled = [_healthy(values, one.status) for one in maps for values in (one.siemens, one.siemens_p, one.siemens_ap)]
    values = np.concatenate(pooled) if pooled else np.empty(0)
    if values.size == 0:
        return 0.0, 100e-6
    margin = 0.02 * np.ptp(values) or 0.05 * abs(values[0]) or 1e-6
    return float(max(values.min() - margin, 0.0)), float(values.max() + margin)


def conductance_figure(
    array_map: ArrayMap, limits: tuple[float, float], label: str, used: Mask | None = None, name: str = "map"
) -> str:
    """Conductance as last read, colour per cell on a scale shared by several figures.

    Args:
        limits: ends of the colour scale, siemens; cells beyond them get a colour of their own.
        label: what the figure shows, for readers who cannot see it.
        used: cells to outline, shape (rows, cols).
        name: prefix that keeps the elements of several figures on one page apart.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.7, 4.2))
        axes = figure.add_axes((0.125, 0.23, 0.865, 0.762))
        colours = matplotlib.colormaps["viridis"].with_extremes(over=WRONG_COLOUR, under="#1a1a1a")
        norm = Normalize(limits[0] * _MICRO, limits[1] * _MICRO)
        draw_cells(axes, array_map.siemens * _MICRO, colours, norm)
        _letter_defects(axes, array_map, colours, norm)
        if used is not None:
            _outline(axes, used)
        bar = figure.colorbar(
            ScalarMappable(norm, colours),
            cax=figure.add_axes((0.125, 0.1, 0.865, 0.03)),
            orientation="horizontal",
            extend="both",
        )
        bar.set_label("Conductance (µS)")
        bar.outline.set_visible(False)
        return to_svg(figure, name, label)


def defect_figure(status: Ints, label: str, name: str = "defects") -> str:
    """Status of every cell: colour and letter of its class, hatched where it was not measured."""
    order = list(STATUS_STYLE)
    colours = ListedColormap([STATUS_STYLE[one][0] for one in order])
    index = np.array([order.index(CellStatus(value)) for value in range(len(order))])[status].astype(float)
    index[status == CellStatus.UNREAD] = np.nan
    with matplotlib.rc_context(STYLE):
        figure, axes = _map_figure()
        draw_cells(axes, index, colours, _steps(len(order)))
        for (row, col), value in np.ndenumerate(status):
            colour, letter, _ = STATUS_STYLE[CellStatus(int(value))]
            _write_in_cell(axes, row, col, letter, colour)
        return to_svg(figure, name, label)


def written_figure(wanted: Ints, state: Ints, label: str, name: str = "written") -> str:
    """State read in each cell that a layer uses; a cross where it is the other one, grey where it is unknown.

    Args:
        wanted: shape (rows, cols), `State`; UNKNOWN where the layer has no cell.
        state: shape (rows, cols), `State` as last read.
    """
    asked = wanted != State.UNKNOWN
    shown = np.where(asked, np.where(state == State.UNKNOWN, 3, state), 2).astype(float)
    colours = ListedColormap([MAP_AP_COLOUR, MAP_P_COLOUR, MAP_UNUSED_COLOUR, MAP_UNKNOWN_COLOUR])
    with matplotlib.rc_context(STYLE):
        figure, axes = _map_figure()
        draw_cells(axes, shown, colours, _steps(4))
        wrong = np.argwhere(asked & (state != wanted) & (state != State.UNKNOWN))
        if wrong.size:
            halo = [withStroke(linewidth=5.0, foreground="white")]
            axes.plot(
                wrong[:, 1], wrong[:, 0], "x", color=WRONG_COLOUR, ms=8, mew=2.6, path_effects=halo, clip_on=False
            )
        return to_svg(figure, name, label)


def curve_figure(
    siemens: Sequence[float],
    predicted: Sequence[float],
    software: float | None,
    points: Sequence[CurvePoint],
    label: str,
    name: str = "curve",
) -> str:
    """Predicted accuracy against normalising conductance, with what was measured on the array.

    Args:
        siemens, predicted: the curve, siemens and fractions; may be empty.
        software: accuracy of the network in software, fraction; drawn as a level.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.7))
        axes = figure.add_axes((0.11, 0.135, 0.87, 0.845))
        soften(axes)
        if len(siemens):
            curve = np.asarray(predicted) * 100
            axes.plot(
                np.asarray(siemens) * _MICRO,
                curve,
                color=_MUTED,
                lw=1.8,
                zorder=2,
                label="predicted from the map, training samples",
            )
        if software is not None:
            axes.axhline(software * 100, color="#009e73", lw=1.4, ls=(0, (5, 3)), zorder=1, label="in software")
        markers = {0: ("D", P_COLOUR), 1: ("o", WRONG_COLOUR)}
        for place, point in enumerate(points):
            marker, colour = markers[place % 2]
            axes.axvline(point.siemens * _MICRO, color=colour, lw=0.8, ls=":", zorder=1)
            x, y = [point.siemens * _MICRO], [point.accuracy * 100]
            axes.plot(
                x, y, marker, ms=9, color=colour, mec="white", mew=1.2, zorder=4, clip_on=False, label=point.label
            )
        axes.set(xlabel="Normalising conductance (µS)", ylabel="Accuracy (%)")
        _zoom_accuracy(axes, predicted, software, points)
        axes.legend(frameon=False, loc="best")
        return to_svg(figure, name, label)


def spread_figure(both: ArrayMap, label: str, name: str = "spread") -> str:
    """Histogram of G_P and G_AP of the healthy cells, their medians marked."""
    states = {"P": _healthy(both.siemens_p, both.status), "AP": _healthy(both.siemens_ap, both.status)}
    pooled = np.concatenate(list(states.values())) * _MICRO
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.7))
        axes = figure.add_axes((0.11, 0.135, 0.87, 0.845))
        soften(axes)
        edges = np.histogram_bin_edges(pooled, bins=44)
        for state, colour, hatch in (("AP", AP_COLOUR, ""), ("P", P_COLOUR, "////")):
            values = states[state] * _MICRO
            axes.hist(values, edges.tolist(), color=colour, alpha=0.85, edgecolor="white", lw=0.4, hatch=hatch)
            axes.axvline(float(np.median(values)), color=_INK, lw=1.1, ls=(0, (4, 2)))
        axes.set_ylim(top=axes.get_ylim()[1] * 1.14)
        for state, values in states.items():
            middle = float(np.median(values)) * _MICRO
            words = f"{state}: median {middle:.4g} µS"
            place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            axes.annotate(words, (middle, 0.985), (5, 0), va="top", weight="bold", **place)
        axes.set_xlim(float(pooled.min()) * 0.94, float(pooled.max()) * 1.12)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel="Conductance (µS)", ylabel="Cells")
        return to_svg(figure, name, label)


def _map_figure() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(3.7, 3.62))
    return figure, figure.add_axes((0.125, 0.115, 0.865, 0.884))


def draw_cells(axes: Axes, values: Floats, colours: Colormap, norm: Normalize) -> None:
    """Cells (rows, cols) as coloured squares, row 0 on top, hatched where NaN; a large array becomes one picture."""
    rows, cols = values.shape
    is_large = values.size > _LARGE
    if np.isnan(values).any():
        axes.patch.set(facecolor="#e8e8e8", edgecolor="#a8a8a8", hatch="////")
    axes.pcolormesh(
        np.arange(cols + 1) - 0.5,
        np.arange(rows + 1) - 0.5,
        np.ma.masked_invalid(values),
        cmap=colours,
        norm=norm,
        edgecolor="none" if is_large else "white",
        linewidth=0.0 if is_large else 0.8,
        rasterized=is_large,
    )
    axes.set(xlim=(-0.5, cols - 0.5), ylim=(rows - 0.5, -0.5), aspect="equal")
    axes.set(xlabel="Column (bit line)", ylabel="Row (word line)")
    axes.set_xticks(range(0, cols, _tick_step(cols)))
    axes.set_yticks(range(0, rows, _tick_step(rows)))
    axes.tick_params(length=2.5, width=0.7)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _tick_step(count: int) -> int:
    return next((step for step in (2, 8, 16, 32, 64) if count <= (14 if step == 2 else 8) * step), 128)


def _letter_defects(axes: Axes, array_map: ArrayMap, colours: Colormap, norm: Normalize) -> None:
    for (row, col), value in np.ndenumerate(array_map.status):
        letter = STATUS_STYLE[CellStatus(int(value))][1]
        siemens = array_map.siemens[row, col]
        if letter and not np.isnan(siemens):
            _write_in_cell(axes, row, col, letter, colours(norm(siemens * _MICRO)))


def _write_in_cell(
    axes: Axes, row: int, col: int, letter: str, background: str | tuple[float, float, float, float]
) -> None:
    if letter:
        red, green, blue = matplotlib.colors.to_rgb(background)
        ink = "#1a1a1a" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "white"
        size = 9 * min(1.0, 24 / axes.get_ylim()[0])  # of the row count: letters stay within their cells
        axes.text(col, row, letter, ha="center", va="center_baseline", color=ink, weight="bold", size=size)


def _outline(axes: Axes, used: Mask) -> None:
    """Draw the border between used cells and the others."""
    padded = np.pad(used, 1)
    level = [
        [(col - 1.5, row - 0.5), (col - 0.5, row - 0.5)] for row, col in np.argwhere(padded[1:] != padded[:-1]).tolist()
    ]
    upright = [
        [(col - 0.5, row - 1.5), (col - 0.5, row - 0.5)]
        for row, col in np.argwhere(padded[:, 1:] != padded[:, :-1]).tolist()
    ]
    for colour, width in (("white", 4.0), (_INK, 1.8)):
        axes.add_collection(
            LineCollection(level + upright, colors=colour, linewidths=width, capstyle="projecting", clip_on=False)
        )


def _steps(count: int) -> BoundaryNorm:
    return BoundaryNorm(np.arange(count + 1) - 0.5, count)


def _healthy(values: Floats, status: Ints) -> Floats:
    kept: Floats = values[(status == CellStatus.OK) & np.isfinite(values)]
    return kept


def soften(axes: Axes) -> None:
    """A light grid, two spines."""
    axes.grid(color="#e3e8ee", lw=0.7)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _zoom_accuracy(
    axes: Axes, predicted: Sequence[float], software: float | None, points: Sequence[CurvePoint]
) -> None:
    """Accuracy axis from a round figure below everything drawn to just above the top."""
    drawn = [*predicted, *(point.accuracy for point in points), *([] if software is None else [software])]
    low = min((value for value in drawn if np.isfinite(value)), default=0.0) * 100
    axes.set_ylim(max(0.0, 10 * np.floor((low - 1) / 10)), 101.5)


def to_svg(figure: Figure, name: str, label: str) -> str:
    """The <svg> element alone: no prolog, no name spaces, ids of its own, sized by the page."""
    sink = io.StringIO()
    figure.savefig(sink, format="svg", transparent=True, metadata=_NO_METADATA)
    text = sink.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r' xmlns(:\w+)?="[^"]*"', "", text, count=2)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", text, count=1, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text).replace("url(#", f"url(#{name}-")
    text = re.sub(r'(xlink:)?href="#', f'href="#{name}-', text)
    return text.replace("<svg", f'<svg role="img" aria-label="{escape(label)}"', 1).strip()
