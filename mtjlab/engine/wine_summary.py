"""From many written and run solutions to the figures of the Wine study: distributions and what goes with accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from .wine_metrics import METRICS, rank_correlations

Row = Mapping[str, Any]
"""What `protocols.wine_study.run_solution` returned."""
PUBLISHED_MEDIAN = 95.3
"""Median accuracy on passive arrays after tuning, percent (Goodwill et al., Phys. Rev. Applied 18, 014039, 2022)."""


def distribution(percent: Sequence[float]) -> dict[str, float]:
    """Mean, median, quartiles and ends of a sample."""
    low, quarter, median, three_quarters, high = np.quantile(percent, [0, 0.25, 0.5, 0.75, 1])
    return {
        "mean": float(np.mean(percent)),
        "median": float(median),
        "lower_quartile": float(quarter),
        "upper_quartile": float(three_quarters),
        "min": float(low),
        "max": float(high),
    }


def summarise(rows: Sequence[Row]) -> dict[str, Any]:
    """Distributions in percent over the solutions of one kind of array, and rank correlations with accuracy."""
    return {
        "solutions": len(rows),
        "write_fidelity": distribution([100 * row["write_fidelity"] for row in rows]),
        "written_without_error": float(np.mean([row["write_fidelity"] == 1 for row in rows])),
        **{
            name: {part: distribution([100 * row[name][part] for row in rows]) for part in ("all", "train", "test")}
            for name in ("untuned", "tuned")
        },
        "g_tuned": distribution([row["g_tuned"] for row in rows]),
        "pulses": distribution([row["pulses"] for row in rows]),
        "rank_correlation": {name: _correlations(rows, name) for name in ("tuned", "untuned")},
    }


def pooled(rows: Mapping[str, Sequence[Row]]) -> dict[str, dict[str, float | None]]:
    """Rank correlations over the solutions of all kinds of arrays together."""
    together = [row for of_one in rows.values() for row in of_one]
    return {name: _correlations(together, name) for name in ("tuned", "untuned")}


def best_predictor(correlations: Mapping[str, float | None]) -> str:
    """The metric with the largest rank correlation, whatever its sign; empty if there is none."""
    known = {name: abs(value) for name, value in correlations.items() if value is not None}
    return max(known, key=lambda name: known[name]) if known else ""


def _correlations(rows: Sequence[Row], accuracy_name: str) -> dict[str, float | None]:
    metrics = {name: [float(row[name]) for row in rows] for name in METRICS}
    return rank_correlations(metrics, [row[accuracy_name]["all"] for row in rows])
