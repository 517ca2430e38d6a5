"""The figure of the Wine study: ideal accuracy, accuracy and write fidelity on arrays, and what predicts accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .wine_metrics import METRICS
from .wine_summary import PUBLISHED_MEDIAN, Row

_UNTUNED, _TUNED, _INK, _MUTED = "#e69f00", "#0072b2", "#1f2933", "#6b7785"
_COLOURS = ("#0072b2", "#009e73", "#e69f00", "#d55e00", "#cc79a7", "#56b4e9", "#5b5b5b")
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
}


def draw_study(
    path: Path, by_g: Mapping[str, Mapping[str, float]], rows: Mapping[str, Sequence[Row]], pooled: Any
) -> None:
    """Write the figure as a PNG.

    Args:
        by_g: what `wine_solutions.ideal_by_g` gives.
        rows: solutions as run, by kind of array.
        pooled: what `wine_summary.pooled` gives.
    """
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(11.0, 8.2), layout="constrained")
        grid = figure.subplots(2, 2)
        _draw_ideal(grid[0, 0], by_g)
        _draw_accuracy(grid[0, 1], rows)
        _draw_fidelity(grid[1, 0], rows)
        _draw_predictors(grid[1, 1], pooled["tuned"])
        for axes, letter in zip(grid.flat, "abcd", strict=True):
            axes.set_title(letter, loc="left", fontweight="bold")
        figure.savefig(path, dpi=140, metadata={"Software": None})


def _draw_ideal(axes: Axes, by_g: Mapping[str, Mapping[str, float]]) -> None:
    g = np.array([float(key) for key in by_g])
    for name, colour, label in (("train", _TUNED, "training wines"), ("test", _UNTUNED, "held-out wines")):
        axes.plot(
            g, [one[f"{name}_mean"] for one in by_g.values()], color=colour, marker="o", ms=3, label=f"{label}, mean"
        )
    axes.plot(
        g, [one["train_min"] for one in by_g.values()], color=_TUNED, ls=":", label="training wines, worst solution"
    )
    axes.axvline(1.0, color=_MUTED, lw=0.7)
    axes.set(xlabel="normalising conductance / (G_P − G_AP)", ylabel="ideal accuracy (%)", ylim=(30, 101))
    axes.legend(frameon=False, loc="lower left")


def _draw_accuracy(axes: Axes, rows: Mapping[str, Sequence[Row]]) -> None:
    """Per kind of array, untuned and tuned: box from quartile to quartile, whiskers from 5 to 95 %."""
    for shift, name, colour in ((0.17, "untuned", _UNTUNED), (-0.17, "tuned", _TUNED)):
        samples = [[100 * row[name]["all"] for row in of_one] for of_one in rows.values()]
        _boxes(axes, samples, [len(rows) - 1 - place + shift for place in range(len(rows))], colour)
        axes.plot([], [], color=colour, lw=6, alpha=0.5, label=name)
    axes.axvline(PUBLISHED_MEDIAN, color=_INK, lw=0.8, ls="--", label=f"published median, {PUBLISHED_MEDIAN} %")
    axes.set(xlabel="accuracy on the array, all wines (%)", xlim=(30, 101))
    axes.set_yticks(range(len(rows) - 1, -1, -1), list(rows))
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.02, 0.99), ncols=3, fontsize=7.5)


def _boxes(axes: Axes, samples: list[list[float]], places: list[float], colour: str) -> None:
    drawn = axes.boxplot(
        samples,
        positions=places,
        orientation="horizontal",
        widths=0.26,
        whis=(5, 95),
        patch_artist=True,
        manage_ticks=False,
        flierprops={"marker": ".", "ms": 2, "markeredgecolor": colour},
        medianprops={"color": _INK},
    )
    for box in drawn["boxes"]:
        box.set(facecolor=colour, alpha=0.5, linewidth=0.7)


def _draw_fidelity(axes: Axes, rows: Mapping[str, Sequence[Row]]) -> None:
    for (name, of_one), colour in zip(rows.items(), _cycled(len(rows)), strict=True):
        fidelity = np.array([100 * row["write_fidelity"] for row in of_one])
        tuned = np.array([100 * row["tuned"]["all"] for row in of_one])
        jitter = 0.12 * (np.arange(fidelity.size) * 0.618 % 1 - 0.5)
        axes.plot(fidelity + jitter, tuned, ".", ms=3.5, color=colour, alpha=0.6, label=name)
    axes.set(xlabel="write fidelity (% of 192 cells)", ylabel="tuned accuracy, all wines (%)")
    axes.legend(frameon=False, loc="lower left", markerscale=2.5, fontsize=7.5)


def _draw_predictors(axes: Axes, correlations: Mapping[str, float | None]) -> None:
    known = {name: value for name, value in correlations.items() if value is not None}
    ordered = sorted(known, key=lambda name: abs(known[name]))
    colours = [_TUNED if known[name] > 0 else _UNTUNED for name in ordered]
    axes.barh([METRICS[name] for name in ordered], [abs(known[name]) for name in ordered], color=colours, alpha=0.7)
    for place, name in enumerate(ordered):
        axes.text(abs(known[name]) + 0.01, place, f"{known[name]:+.2f}", va="center", fontsize=8)
    axes.set(xlabel="magnitude of the rank correlation with tuned accuracy", xlim=(0, 1.1))


def _cycled(count: int) -> list[str]:
    return [_COLOURS[place % len(_COLOURS)] for place in range(count)]
