"""The page of a run: one self-contained report.html from the stored result and maps, readable without the program."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from . import figures, report_network, report_recipe, report_words
from .errors import InputError
from .nouns import ArrayMap
from .report_sections import sections_of
from .run_result import RunResult, load_result

_MOST_INCIDENTS = 200
_WINES = 178


def write_report(folder: Path) -> Path:
    """Build `report.html` in a run folder from its `result.json` and `maps/*.npz`; returns its path.

    The page is one file without scripts, links or anything to load. The same folder gives the same bytes. What is
    missing or cannot be read is said on the page.

    Raises:
        InputError: if there is no `result.json`, or it does not hold a run, or the page cannot be written.
    """
    result, unreadable = load_result(folder / "result.json")
    maps, broken = _load_maps(folder / "maps")
    page = _render(result, maps, unreadable + broken)
    target = folder / "report.html"
    partial = target.with_suffix(".html.partial")
    try:
        partial.write_bytes(page.encode("utf-8", "replace"))
        partial.replace(target)
    except OSError as error:
        raise InputError(f"cannot be written ({error.strerror})", where=str(target)) from error
    return target


def _load_maps(folder: Path) -> tuple[dict[str, ArrayMap], list[str]]:
    """Maps by name, as they are known first and written last; and which could not be read."""
    paths = {path.stem: path for path in sorted(folder.glob("*.npz")) if not path.stem.endswith(".partial")}
    first = [name for name in ("as_found", "both_states") if name in paths]
    maps, broken = {}, []
    for name in [*first, *(name for name in paths if name not in first)]:
        try:
            if not zipfile.is_zipfile(paths[name]):
                raise InputError("not an array map", where=str(paths[name]))
            maps[name] = ArrayMap.load(paths[name])
        except (InputError, zipfile.BadZipFile):
            broken.append(f"maps/{name}.npz could not be read")
    return maps, broken


def _render(result: RunResult, maps: dict[str, ArrayMap], unreadable: list[str]) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent, encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    words = report_words
    environment.filters |= {"percent": words.percent, "count": words.count, "clock": words.clock}
    environment.filters |= {"micro": words.micro, "plain": words.plain, "when": words.when}
    level, facts = _safety(result)
    return environment.get_template("report.html.j2").render(
        run=result,
        headline=_headline(result),
        level=level,
        facts=facts,
        notes=[*result.problems, *unreadable],
        incidents=(result.incidents or [])[:_MOST_INCIDENTS],
        conditions=_conditions(maps),
        **_asked(result, maps),
        **_network(result, maps),
    )


def _asked(result: RunResult, maps: dict[str, ArrayMap]) -> dict[str, Any]:
    """What the page says of the recipe; a run of the whole chain without one has a sentence instead."""
    if result.recipe is None:
        return {"task": _task(result, maps), "recipe": None, "sections": [], "highlights": [], "troubles": []}
    resolved = result.recipe.resolved
    steps = resolved.get("steps")
    asked = [step for step in steps if isinstance(step, dict)] if isinstance(steps, list) else []
    return {
        "task": f"Asked for: the recipe '{result.recipe.name}' on {report_recipe.die_words(result)}, "
        f"{report_recipe.bench_words(result)}.",
        "recipe": report_recipe.recipe_facts(result),
        "asked_steps": [report_words.step_words(step) for step in asked],
        "judged": report_recipe.judged(result),
        "sections": sections_of(result.steps, asked, maps),
        "highlights": report_recipe.highlights(result),
        "troubles": report_recipe.troubles(result, maps),
    }


def _network(result: RunResult, maps: dict[str, ArrayMap]) -> dict[str, Any]:
    """What the page says of a network on the array, if the run was about one."""
    has_network = result.recipe is None or bool(result.layers) or result.accuracy.on_chip is not None
    if not has_network:
        return {"has_network": False}
    status = report_network.defect_status(maps)
    shown = maps if result.recipe is None else {name: one for name, one in maps.items() if name.startswith("layer_")}
    if status is None and result.recipe is not None and shown:
        status = list(shown.values())[-1].status  # of an earlier run's map, and what refused since
    return {
        "has_network": True,
        "samples": _samples(result),
        "conductance": report_network.conductance_cards(result, shown, with_found=result.recipe is None),
        "defect_svg": None if status is None else Markup(figures.defect_figure(status, "Defect map of the array")),
        "defect_rows": report_network.defect_rows(result, status),
        "written": report_network.written_cards(result, maps),
        "curve_svg": report_network.curve(result),
        "spread": report_network.spread(maps.get("both_states")),
        "confusion": report_network.confusion_rows(result),
        "map_colours": {
            "p": figures.MAP_P_COLOUR,
            "ap": figures.MAP_AP_COLOUR,
            "unknown": figures.MAP_UNKNOWN_COLOUR,
        },
    }


def _samples(result: RunResult) -> int:
    return sum(sum(row) for row in result.confusion) or _WINES


def _headline(result: RunResult) -> str:
    on_chip, software = result.accuracy.on_chip, result.accuracy.software
    if on_chip is not None:
        same = f"; the same network in software: {report_words.percent(software)}" if software is not None else ""
        share = report_words.percent(on_chip)
        return f"{share} of {_samples(result)} {result.noun} were classified correctly on the array{same}"
    if result.recipe is not None:
        return report_recipe.headline(result)
    ended = {"complete": "is complete", "stopped": "was stopped"}.get(result.status, "failed")
    if result.status == "complete":
        return "The run is complete, but no accuracy on the array was recorded"
    return f"The run {ended} before the {result.noun} were classified on the array"


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
    facts = [_outputs_fact(result), _relays_fact(result)] if result.used_bench else []
    if result.incidents:
        facts.append(("amber", f"{len(result.incidents)} incident{'s' * (len(result.incidents) > 1)}"))
    if result.bin is not None and result.status == "complete":
        facts.append(report_recipe.bin_fact(result.bin))
    ended = {"complete": "green", "stopped": "amber", "running": "amber"}.get(result.status, "red")
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


def _conditions(maps: dict[str, ArrayMap]) -> dict[str, Any]:
    """Under which conditions the first map was measured, and where it says it comes from."""
    for one in maps.values():
        measured = {key: value for key, value in vars(one.conditions).items() if value is not None}
        die = {"die": f"wafer {one.die.wafer}, x {one.die.x}, y {one.die.y}"} if one.die.wafer else {}
        return measured | die | one.provenance
    return {}
