"""The page of a run: one self-contained report.html from the stored result and maps, readable without the program."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from . import figures
from .errors import InputError
from .nouns import ArrayMap, CellStatus, Ints, State
from .run_result import Layer, RunResult, load_result

_TEMPLATE = Path(__file__).with_name("report.html.j2")
_WINES = 178
_LAYERS = 2
_MOST_INCIDENTS = 200


def write_report(folder: Path) -> Path:
    """Build `report.html` in a run folder from its `result.json` and `maps/*.npz`; returns its path.

    The page is one file without scripts, links or anything to load. The same folder gives the same bytes. What is
    missing or cannot be read is said on the page.

    Raises:
        InputError: if there is no `result.json`, or it does not hold a run, or the page cannot be written.
    """
    result, unreadable = load_result(folder / "result.json")
    maps, broken = _load_maps(folder / "maps", max(_LAYERS, len(result.layers)))
    page = _render(result, maps, unreadable + broken)
    target = folder / "report.html"
    partial = target.with_suffix(".html.partial")
    try:
        partial.write_bytes(page.encode("utf-8", "replace"))
        partial.replace(target)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(target)) from error
    return target


def _load_maps(folder: Path, layers: int) -> tuple[dict[str, ArrayMap], list[str]]:
    names = ["as_found", "both_states", *(f"layer_{number}_written" for number in range(1, layers + 1))]
    maps, broken = {}, []
    for name in names:
        path = folder / f"{name}.npz"
        if not path.is_file():
            continue
        try:
            if not zipfile.is_zipfile(path):
                raise InputError("not an array map", where=str(path))
            maps[name] = ArrayMap.load(path)
        except (InputError, zipfile.BadZipFile):
            broken.append(f"maps/{name}.npz could not be read")
    return maps, broken


def _render(result: RunResult, maps: dict[str, ArrayMap], unreadable: list[str]) -> str:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters |= {"percent": _percent, "count": _count, "clock": _clock, "micro": _micro, "plain": _plain}
    environment.filters["when"] = _when
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    status = _defect_status(maps)
    level, facts = _safety(result)
    return template.render(
        run=result,
        wines=_wines(result),
        headline=_headline(result),
        task=_task(result, maps),
        level=level,
        facts=facts,
        notes=[*result.problems, *unreadable],
        conductance=_conductance_cards(result, maps),
        defect_svg=None if status is None else Markup(figures.defect_figure(status, "Defect map of the array")),
        defect_rows=_defect_rows(result, status),
        written=_written_cards(result, maps),
        curve_svg=_curve(result),
        spread=_spread(maps.get("both_states")),
        confusion=_confusion(result),
        incidents=(result.incidents or [])[:_MOST_INCIDENTS],
        conditions=_conditions(maps),
        map_colours={"p": figures.MAP_P_COLOUR, "ap": figures.MAP_AP_COLOUR, "unknown": figures.MAP_UNKNOWN_COLOUR},
    )


def _wines(result: RunResult) -> int:
    return sum(sum(row) for row in result.confusion) or _WINES


def _headline(result: RunResult) -> str:
    on_chip, software = result.accuracy.on_chip, result.accuracy.software
    if on_chip is not None:
        beside = f"; the same network in software: {_percent(software)}" if software is not None else ""
        return f"{_percent(on_chip)} of {_wines(result)} wines were classified correctly on the array{beside}"
    ended = {"complete": "is complete", "stopped": "was stopped"}.get(result.status, "failed")
    if result.status == "complete":
        return "The run is complete, but no accuracy on the array was recorded"
    return f"The run {ended} before the wines were classified on the array"


def _task(result: RunResult, maps: dict[str, ArrayMap]) -> str:
    """What was asked of the run, in one sentence."""
    sizes = [len(layer.rows) for layer in result.layers] + [len(layer.cols) // 2 for layer in result.layers[-1:]]
    network = f"{'-'.join(str(size) for size in sizes)} binary perceptron" if sizes else "binary perceptron"
    shape = next((f"{one.shape[0]} × {one.shape[1]} " for one in maps.values()), "")
    return (
        f"Asked for: write a {network} for the Wine data set into a {shape}passive array of magnetic tunnel junctions "
        "and classify every wine on it, each reading taken over VISA."
    )


def _safety(result: RunResult) -> tuple[str, list[tuple[str, str]]]:
    """Colour of the status banner, and what is known of the bench at the end: (colour, words) each."""
    facts = [_outputs_fact(result), _relays_fact(result)]
    if result.incidents:
        facts.append(("amber", f"{len(result.incidents)} incident{'s' * (len(result.incidents) > 1)}"))
    ended = {"complete": "green", "stopped": "amber"}.get(result.status, "red")
    seen = [ended, *(colour for colour, _ in facts), *(["amber"] if result.problems else [])]
    return next(colour for colour in ("red", "amber", "green") if colour in seen), facts


def _outputs_fact(result: RunResult) -> tuple[str, str]:
    still_on = [name for name, is_off in result.outputs.items() if is_off is False]
    silent = [name for name, is_off in result.outputs.items() if is_off is None]
    if still_on:
        return "red", f"Output still on: {', '.join(still_on)}"
    if result.outputs_off is False and not silent:
        return "red", "Not all outputs are off"
    if silent:
        return "red", f"Output state unknown, no answer from {', '.join(silent)}"
    known = result.outputs_off is True or bool(result.outputs)
    return ("green", "All outputs off") if known else ("amber", "Output state not recorded")


def _relays_fact(result: RunResult) -> tuple[str, str]:
    if result.relays_open is None:
        asked = "relays_open" in result.model_fields_set
        return ("red", "Relay state unknown, no answer") if asked else ("amber", "Relay state not recorded")
    return ("green", "All relays open") if result.relays_open else ("red", "Relays still closed")


def _conductance_cards(result: RunResult, maps: dict[str, ArrayMap]) -> list[dict[str, Any]]:
    limits = figures.conductance_limits(maps.values())
    titles = {"as_found": "As found"} | {
        f"layer_{number}_written": f"{_layer_name(result, number)}, as written"
        for number in range(1, max(_LAYERS, len(result.layers)) + 1)
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


def _written_cards(result: RunResult, maps: dict[str, ArrayMap]) -> list[dict[str, Any]]:
    cards = []
    for number in range(1, max(_LAYERS, len(result.layers)) + 1):
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


def _defect_status(maps: dict[str, ArrayMap]) -> Ints | None:
    """Status after both states were tried, and which cells refused their target later on."""
    if "both_states" not in maps:
        return None
    status = maps["both_states"].status.copy()
    for name, one in maps.items():
        if name.startswith("layer_") and one.shape == status.shape:
            status[one.status == CellStatus.UNWRITTEN] = CellStatus.UNWRITTEN
    return status


def _defect_rows(result: RunResult, status: Ints | None) -> list[tuple[str, str, str, int]]:
    """(colour, letter, words, count) per class, from the map if there is one."""
    if status is None and result.defects is None:
        return []
    rows: list[tuple[str, str, str, int]] = []
    for one, (colour, letter, words) in figures.STATUS_STYLE.items():
        count = (result.defects or {}).get(one.name.lower()) if status is None else int((status == one).sum())
        if count is not None and (count or one is not CellStatus.UNREAD):
            rows.append((colour, letter, words, count))
    return rows


def _curve(result: RunResult) -> Markup | None:
    siemens, predicted = result.curve.g_siemens, result.curve.predicted
    if len(siemens) != len(predicted):
        siemens = predicted = []
    tried = (
        ("untuned", result.g_norm.untuned_siemens, result.accuracy.on_chip_untuned),
        ("tuned", result.g_norm.tuned_siemens, result.accuracy.on_chip),
    )
    points = [
        figures.CurvePoint(g, accuracy, f"on the array, {name}: {_percent(accuracy)}")
        for name, g, accuracy in tried
        if g is not None and accuracy is not None
    ]
    if not siemens and not points:
        return None
    label = "Accuracy against normalising conductance"
    return Markup(figures.curve_figure(siemens, predicted, result.accuracy.software, points, label))


def _spread(both: ArrayMap | None) -> dict[str, Any] | None:
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


def _confusion(result: RunResult) -> list[dict[str, Any]]:
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


def _conditions(maps: dict[str, ArrayMap]) -> dict[str, Any]:
    """Under which conditions the first map was measured, and where it says it comes from."""
    for one in maps.values():
        measured = {key: value for key, value in vars(one.conditions).items() if value is not None}
        die = {"die": f"wafer {one.die.wafer}, x {one.die.x}, y {one.die.y}"} if one.die.wafer else {}
        return measured | die | one.provenance
    return {}


def _percent(value: float | None, digits: int = 1) -> str:
    return "not measured" if value is None else f"{value * 100:.{digits}f} %"


def _when(iso: str) -> str:
    try:
        return datetime.fromisoformat(iso).strftime("%Y-%m-%d %H:%M")
    except ValueError:
        return iso


def _count(value: int | None) -> str:
    """Thousands set apart by narrow spaces."""
    return "not recorded" if value is None else f"{value:,}".replace(",", "\u202f")


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "not recorded"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def _micro(siemens: float | None) -> str:
    return "not recorded" if siemens is None else f"{siemens * 1e6:.4g} µS"


def _plain(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_plain(one) for one in value)
    return str(value)
