"""What a run's page shows of a network on an array: maps, written against wanted, tuning, spread, confusion."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup

from . import figures
from .nouns import ArrayMap, CellStatus, Ints, State
from .report_words import percent
from .run_result import Layer, RunResult

LAYERS = 2
"""Places for layers on a page of which it is not known how many there were."""


def conductance_cards(result: RunResult, maps: dict[str, ArrayMap], *, with_found: bool = True) -> list[dict[str, Any]]:
    """Maps as found and as written, on one colour scale, with the cells that each layer uses."""
    limits = figures.conductance_limits(maps.values())
    titles = ({"as_found": "As found"} if with_found else {}) | {
        f"layer_{number}_written": f"{_layer_name(result, number)}, as written"
        for number in range(1, max(LAYERS, len(result.layers)) + 1)
    }
    cards = []
    for name, title in titles.items():
        one = maps.get(name)
        layer = _layer(result, name)
        wanted = layer.wanted(one.shape) if layer and one else None
        used = None if wanted is None else wanted != State.UNKNOWN
        svg = one and Markup(figures.conductance_figure(one, limits, f"Conductance map: {title}", used, name))
        measured = 0 if one is None else int(np.isfinite(one.siemens).sum())
        card = {"title": title, "svg": svg, "layer": layer, "map": one, "has_outline": used is not None}
        cards.append(card | {"measured": measured})
    return cards


def written_cards(result: RunResult, maps: dict[str, ArrayMap]) -> list[dict[str, Any]]:
    """Per layer, the state of its cells beside the wanted one."""
    cards = []
    for number in range(1, max(LAYERS, len(result.layers)) + 1):
        name, title = f"layer_{number}_written", _layer_name(result, number)
        one, layer = maps.get(name), _layer(result, name)
        wanted = layer.wanted(one.shape) if layer and one else None
        card: dict[str, Any] = {"title": title, "svg": None}
        if one is not None and wanted is not None:
            asked = wanted != State.UNKNOWN
            unknown = asked & (one.state == State.UNKNOWN)
            wrong = asked & (one.state != wanted) & ~unknown
            card |= {"cells": int(asked.sum()), "wrong": int(wrong.sum()), "unknown": int(unknown.sum())}
            label = f"Written against wanted: {title}"
            card["svg"] = Markup(figures.written_figure(wanted, one.state, label, f"wanted-{name}"))
        cards.append(card)
    return cards


def _layer(result: RunResult, map_name: str) -> Layer | None:
    number = map_name.removeprefix("layer_").removesuffix("_written")
    return result.layers[int(number) - 1] if number.isdigit() and int(number) <= len(result.layers) else None


def _layer_name(result: RunResult, number: int) -> str:
    name = result.layers[number - 1].name if number <= len(result.layers) else ""
    plain = f"Layer {number}"
    return plain if name.lower() in ("", plain.lower()) else f"{plain} ({name})"


def defect_status(maps: dict[str, ArrayMap]) -> Ints | None:
    """Status after both states were tried, and which cells refused their target later on."""
    if "both_states" not in maps:
        return None
    status = maps["both_states"].status.copy()
    for name, one in maps.items():
        if name.startswith("layer_") and one.shape == status.shape:
            status[one.status == CellStatus.UNWRITTEN] = CellStatus.UNWRITTEN
    return status


def defect_rows(result: RunResult, status: Ints | None) -> list[tuple[str, str, str, int]]:
    """(colour, letter, words, count) per class, from the map if there is one."""
    if status is None and result.defects is None:
        return []
    rows: list[tuple[str, str, str, int]] = []
    for one, (colour, letter, words) in figures.STATUS_STYLE.items():
        count = (result.defects or {}).get(one.name.lower()) if status is None else int((status == one).sum())
        if count is not None and (count or one is not CellStatus.UNREAD):
            rows.append((colour, letter, words, count))
    return rows


def curve(result: RunResult) -> Markup | None:
    """Accuracy against normalising conductance; None if nothing of it is known."""
    siemens, predicted = result.curve.g_siemens, result.curve.predicted
    if len(siemens) != len(predicted):
        siemens = predicted = []
    tried = (
        ("untuned", result.g_norm.untuned_siemens, result.accuracy.on_chip_untuned),
        ("tuned", result.g_norm.tuned_siemens, result.accuracy.on_chip),
    )
    points = [
        figures.CurvePoint(g, accuracy, f"on the array, {name}: {percent(accuracy)}")
        for name, g, accuracy in tried
        if g is not None and accuracy is not None
    ]
    if not siemens and not points:
        return None
    label = "Accuracy against normalising conductance"
    return Markup(figures.curve_figure(siemens, predicted, result.accuracy.software, points, label))


def spread(both: ArrayMap | None) -> dict[str, Any] | None:
    """Both states of the healthy cells; None if there are none."""
    if both is None:
        return None
    good = (both.status == CellStatus.OK) & np.isfinite(both.siemens_p) & np.isfinite(both.siemens_ap)
    if not good.any():
        return None
    p, ap = both.siemens_p[good], both.siemens_ap[good]
    return {
        "svg": Markup(figures.spread_figure(both, "Histogram of the conductance in the P and the AP state")),
        "cells": int(good.sum()),
        "tmr": float(np.median(p / ap - 1)),
        "spread_p": float(np.std(p) / np.mean(p)),
        "spread_ap": float(np.std(ap) / np.mean(ap)),
    }


def confusion_rows(result: RunResult) -> list[dict[str, Any]]:
    """A row per true class."""
    rows = []
    for number, counts in enumerate(result.confusion):
        total = sum(counts)
        right = counts[number] if number < len(counts) else 0
        rows.append(
            {
                "name": _class_name(result, number),
                "cells": [
                    (count, count / total if total else 0.0, place == number) for place, count in enumerate(counts)
                ],
                "right": right / total if total else None,
            }
        )
    return rows


def _class_name(result: RunResult, number: int) -> str:
    return result.class_names[number] if number < len(result.class_names) else f"class {number}"
