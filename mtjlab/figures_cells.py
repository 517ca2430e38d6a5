"""Figures of cells as inline SVG: values cell by cell, distributions, loops, bias dependence, switching probability."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .figures import (
    AP_COLOUR,
    P_COLOUR,
    STYLE,
    WRONG_COLOUR,
    draw_cells,
    soften,
    to_svg,
)
from .nouns import Floats

_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#d55e00", "#56b4e9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_MOST_CURVES = 6
"""More would not be told apart; the first few stand for the rest, as the caption says."""


@dataclass(frozen=True)
class Curve:
    """One curve of a figure: its name, and two lists of one length, in the units of the axes."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def value_map_figure(values: Floats, label: str, bar_label: str, name: str) -> str:
    """Any value of every cell, colours from the 2nd to the 98th percentile; hatched where it is NaN.

    Args:
        values: shape (rows, cols), in the unit that `bar_label` says.
    """
    known = values[np.isfinite(values)]
    low, high = (np.percentile(known, [2, 98]) if known.size else (0.0, 1.0)) + np.array([0.0, 1e-12])
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(3.7, 4.2))
        axes = figure.add_axes((0.125, 0.23, 0.865, 0.762))
        colours = matplotlib.colormaps["cividis"]
        norm = Normalize(low, high, clip=True)
        draw_cells(axes, values, colours, norm)
        place = figure.add_axes((0.125, 0.1, 0.865, 0.03))
        bar = figure.colorbar(ScalarMappable(norm, colours), cax=place, orientation="horizontal")
        bar.set_label(bar_label)
        bar.outline.set_visible(False)
        return to_svg(figure, name, label)


def histogram_figure(values: Floats, label: str, axis: str, name: str) -> str:
    """How often which value: median marked; what lies outside of the middle 99.8 % is counted at the ends.

    Args:
        values: in the unit that `axis` says; NaN are left out.
    """
    known = values[np.isfinite(values)]
    with matplotlib.rc_context(STYLE):
        figure, axes = _wide()
        if known.size:
            low, high = np.percentile(known, [0.1, 99.9])
            axes.hist(np.clip(known, low, high), bins=40, color=P_COLOUR, alpha=0.85, edgecolor="white", lw=0.4)
            middle = float(np.median(known))
            axes.axvline(middle, color="#1f2933", lw=1.1, ls=(0, (4, 2)))
            axes.set_ylim(top=axes.get_ylim()[1] * 1.14)
            place: dict[str, Any] = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
            axes.annotate(f"median {middle:.4g}", (middle, 0.985), (5, 0), va="top", weight="bold", **place)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.set(xlabel=axis, ylabel="Cells")
        return to_svg(figure, name, label)


def loops_figure(curves: Sequence[Curve], label: str, name: str) -> str:
    """Conductance after each pulse (µS) against its amplitude (V), one loop a cell."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _wide()
        for number, curve in enumerate(curves[:_MOST_CURVES]):
            marker, colour = _MARKERS[number], _COLOURS[number]
            axes.plot(curve.x, curve.y, marker=marker, ms=3.2, lw=1.1, color=colour, label=curve.name)
        axes.set(xlabel="Amplitude of the last pulse (V)", ylabel="Conductance (µS)")
        axes.legend(frameon=False, loc="best")
        return to_svg(figure, name, label)


def bias_figure(p: Sequence[Curve], ap: Sequence[Curve], label: str, name: str) -> str:
    """Conductance of both states (µS) against bias (V), one colour a cell; circles P, squares AP."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _wide()
        for number, (in_p, in_ap) in enumerate(zip(p[:_MOST_CURVES], ap[:_MOST_CURVES], strict=True)):
            for curve, marker, filled in ((in_p, "o", True), (in_ap, "s", False)):
                _dots(axes, curve, marker, _COLOURS[number], filled=filled)
        axes.set(xlabel="Bias (V)", ylabel="Conductance (µS)")
        axes.legend(frameon=False, loc="best", ncols=max(1, min(2, len(p))))
        return to_svg(figure, name, label)


def _dots(axes: Axes, curve: Curve, marker: str, colour: str, *, filled: bool) -> None:
    order = np.argsort(curve.x)
    x, y = np.asarray(curve.x)[order], np.asarray(curve.y)[order]
    face = colour if filled else "white"
    axes.plot(x, y, marker=marker, ms=5, lw=0.9, color=colour, mfc=face, label=curve.name)


def switching_figure(measured: Sequence[Curve], given: Sequence[Sequence[int]], fits: Sequence[Curve | None],
                     label: str, name: str) -> str:  # fmt: skip
    """Share of pulses that switched against amplitude (V), and the fitted probability; a larger dot has more pulses.

    Args:
        measured: per cell; y from 0 to 1.
        given: pulses at each of its amplitudes.
        fits: per cell; None where nothing could be fitted.
    """
    with matplotlib.rc_context(STYLE):
        figure, axes = _wide()
        for number, (curve, pulses, fit) in enumerate(zip(measured, given, fits, strict=True)):
            if number == _MOST_CURVES:
                break
            colour = _COLOURS[number]
            sizes = 14.0 * np.sqrt(np.asarray(pulses, dtype=float))
            axes.scatter(curve.x, curve.y, s=sizes, color=colour, marker=_MARKERS[number], alpha=0.75, label=curve.name)
            if fit is not None:
                axes.plot(fit.x, fit.y, color=colour, lw=1.5)
        axes.set(xlabel="Amplitude of the pulse (V)", ylabel="Switched")
        axes.set_ylim(-0.04, 1.04)
        axes.legend(frameon=False, loc="best")
        return to_svg(figure, name, label)


def spread_of_lines_figure(rows: Floats, cols: Floats, limit: float | None, axis: str, label: str, name: str) -> str:
    """A value of every line, rows and columns beside each other; a limit as a line where there is one."""
    with matplotlib.rc_context(STYLE):
        figure, axes = _wide()
        for values, colour, marker, words in ((rows, P_COLOUR, "o", "rows"), (cols, AP_COLOUR, "s", "columns")):
            axes.plot(np.arange(values.size), values, marker, ms=5, color=colour, label=words)
        if limit is not None:
            axes.axhline(limit, color=WRONG_COLOUR, lw=1.1, ls=(0, (5, 3)), label="limit")
        axes.set(xlabel="Number of the line", ylabel=axis)
        drawn = np.concatenate([rows, cols, [limit or np.nan]])
        axes.set_ylim(0.0, 1.2 * float(np.nanmax(drawn)) if np.isfinite(drawn).any() else 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend(frameon=False, loc="best")
        return to_svg(figure, name, label)


def _wide() -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.6, 3.7))
    axes = figure.add_axes((0.11, 0.135, 0.87, 0.845))
    soften(axes)
    return figure, axes
