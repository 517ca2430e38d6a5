"""The figure of the MNIST study: errors over dies, transfer between dies, errors against shorts, sensitivity."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .mnist_summary import WAYS

_PLAIN, _ROBUST, _INK, _MUTED = "#e69f00", "#0072b2", "#1f2933", "#6b7785"
_COLOURS = (_PLAIN, _ROBUST, "#009e73", "#d55e00")
_LEAST_PERCENT = 0.1
"""Errors below it are drawn there: scales are logarithmic."""
_STYLE: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.linewidth": 0.7,
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
}
_SHORT_WORDS = {
    "ideal": "ideal",
    "statistics": "statistics-\naware",
    "hardware_own": "hardware-\naware,\nown die",
    "hardware_other": "hardware-\naware,\nother dies",
    "ideal_placed": "ideal,\nplaced",
    "statistics_placed": "statistics,\nplaced",
    "tuned": "statistics,\nfine-tuned",
    "placed_tuned": "placed and\nfine-tuned",
}


def draw_mnist(path: Path, forms: Mapping[str, Mapping[str, Any]]) -> None:
    """Write the figure as a PNG.

    Args:
        forms: what `mnist_summary.summarise` gives, by the form's short name.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(12.0, 9.0), layout="constrained")
        space = figure.add_gridspec(2, 3, height_ratios=(1.15, 1.0))
        first = figure.add_subplot(space[0, :])
        grid = [figure.add_subplot(space[1, k]) for k in range(3)]
        _draw_dies(first, forms)
        _draw_transfer(grid[0], next(iter(forms.values())))
        _draw_shorts(grid[1], forms)
        _draw_sensitivity(grid[2], forms)
        for axes, letter in zip((first, *grid), "abcd", strict=True):
            axes.set_title(letter, loc="left", fontweight="bold")
        figure.savefig(path, dpi=140, metadata={"Software": None})


def _draw_dies(axes: Axes, forms: Mapping[str, Mapping[str, Any]]) -> None:
    """A dot per die, a bar at the mean, a line at the software baseline."""
    rng = np.random.default_rng(0)
    width = 0.8 / len(forms)
    for k, (name, block) in enumerate(forms.items()):
        colour, shift = _COLOURS[k], (k - (len(forms) - 1) / 2) * width
        axes.axhline(block["baseline"]["mean"], color=colour, lw=1, ls=":", zorder=0)
        for place, way in enumerate(WAYS):
            found = block["ways"][way]
            x = place + shift + rng.uniform(-0.3, 0.3, len(found["per_die"])) * width
            label = f"{name}: {block['form']}" if place == 0 else None
            axes.plot(
                x,
                np.maximum(found["per_die"], _LEAST_PERCENT),
                "o",
                ms=3.2,
                color=colour,
                alpha=0.55,
                mew=0,
                label=label,
            )
            axes.plot([place + shift - 0.4 * width, place + shift + 0.4 * width], [found["mean"]] * 2, color=_INK, lw=2)
    axes.set_yscale("log")
    axes.set_yticks([3, 5, 10, 20, 50, 90], ["3", "5", "10", "20", "50", "90"])
    axes.minorticks_off()
    axes.set_xticks(range(len(WAYS)), [_SHORT_WORDS[way] for way in WAYS])
    axes.set_ylabel("test error on each die, %")
    axes.legend(loc="upper right", title="dots: dies; bars: means; dotted: software baseline")


def _draw_transfer(axes: Axes, block: Mapping[str, Any]) -> None:
    matrix = np.maximum(np.array(block["transfer"]), _LEAST_PERCENT)
    norm = matplotlib.colors.LogNorm(vmin=matrix.min(), vmax=max(matrix.max(), 1.1 * matrix.min()))
    image = axes.imshow(matrix, cmap="cividis", norm=norm)
    axes.set_xlabel("run on die")
    axes.set_ylabel("trained for die")
    axes.spines[["top", "right"]].set_visible(True)
    bar = axes.figure.colorbar(image, ax=axes, label="test error, %", shrink=0.85)
    ticks = [tick for tick in (3, 5, 10, 20, 50, 90) if matrix.min() <= tick <= matrix.max()]
    bar.set_ticks(ticks, labels=[str(tick) for tick in ticks])
    bar.minorticks_off()


def _draw_shorts(axes: Axes, forms: Mapping[str, Mapping[str, Any]]) -> None:
    for k, (name, block) in enumerate(forms.items()):
        for way, style in (("ideal", "--"), ("statistics", "-")):
            curve = block["by_defects"][way]["short"]
            label = f"{name}, {WAYS[way]}"
            axes.plot(
                [int(n) for n in curve], list(curve.values()), style, color=_COLOURS[k], marker="o", ms=3, label=label
            )
    axes.set_xscale("symlog", linthresh=1)
    numbers = [int(n) for n in next(iter(forms.values()))["by_defects"]["ideal"]["short"]]
    axes.set_xticks(numbers, [str(n) for n in numbers])
    axes.minorticks_off()
    axes.set_xlabel("shorts on an otherwise healthy die")
    axes.set_ylabel("mean test error, %")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)


def _draw_sensitivity(axes: Axes, forms: Mapping[str, Mapping[str, Any]]) -> None:
    for k, (name, block) in enumerate(forms.items()):
        for way, style in (("ideal", "--"), ("statistics", "-")):
            points = block["sensitivity"][way]
            x = np.array([float(factor) for factor in points])
            mean = np.array([point["mean"] for point in points.values()])
            spread = np.array([point["standard_deviation"] for point in points.values()])
            label = f"{name}, {WAYS[way]}"
            axes.errorbar(
                x + 0.02 * k, mean, spread, fmt=f"o{style}", ms=3, capsize=2, lw=1.2, color=_COLOURS[k], label=label
            )
    axes.set_xlabel("defects drawn, times those measured")
    axes.set_ylabel("loss on sampled dies (mean, standard deviation)")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
