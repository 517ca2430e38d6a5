"""What a run's page says of its recipe as a whole: what it was asked for, how the die was judged, what went wrong."""

from __future__ import annotations

from typing import Any

import numpy as np

from .figures import STATUS_STYLE
from .nouns import ArrayMap, CellStatus
from .report_words import first_upper, limits_words, number_words, plain, with_micro
from .run_result import BinRow, RunResult, StepRow

_TELLING = ("infer", "write", "characterize", "train", "classify", "read", "check", "contact")
"""Kinds of steps, that which says most of a run first."""
_HIGHLIGHTS = {
    "write": ("fidelity", "unwritten_cells", "mended_cells"),
    "characterize": ("to_p_volts", "to_ap_volts", "delta", "critical_volts", "tmr0", "read_disturb_rate"),
    "train": ("software_accuracy", "planned_accuracy"),
    "classify": ("healthy_share", "tmr", "median_p_siemens", "median_ap_siemens"),
    "read": ("median_siemens", "least_siemens", "most_siemens", "sigma_siemens"),
    "check": ("bad_instruments", "bad_lines"),
    "contact": ("silent_lines",),
}
_MOST_HIGHLIGHTS = 4


def die_words(result: RunResult) -> str:
    """Which die, for a sentence."""
    die = result.die or {}
    if not result.used_bench:
        return "a map that was measured before"
    if not die:
        return "the bench" if {step.step for step in result.steps} == {"check"} else "the die under the probes"
    wafer = f" of wafer {die['wafer']}" if die.get("wafer") else ""
    return f"die ({die.get('x')}, {die.get('y')}){wafer}"


def bench_words(result: RunResult) -> str:
    """On what, for a sentence."""
    if not result.used_bench:
        return "with no bench"
    bench = result.recipe.resolved.get("bench") if result.recipe else None
    name = (bench.get("simulated") or bench.get("station")) if isinstance(bench, dict) else None
    kind = "a simulated bench" if result.is_simulated else "a bench"
    return f"on {kind} ({name})" if name else f"on {kind}"


def headline(result: RunResult) -> str:
    """What came of it, in one sentence."""
    assert result.recipe is not None
    name = first_upper(result.recipe.name)
    found = with_micro(_found(result))
    if result.status != "complete":
        ended = {"stopped": "was stopped early", "running": "has not ended"}.get(result.status, "failed")
        return f"{name} {ended}" + (f"; until then: {found}" if found else "")
    verdict = "" if result.bin is None or result.bin.is_good else f", not good ({result.bin.name})"
    return f"{name}{verdict}: {found or 'done'}"


def _found(result: RunResult) -> str:
    step = _telling_step(result)
    return "" if step is None else _WORDS.get(step.step, _any)(step)


def _telling_step(result: RunResult) -> StepRow | None:
    """The step that says most."""
    kinds = {step.step: step for step in result.steps}
    return next((kinds[kind] for kind in _TELLING if kind in kinds), None)


def _any(step: StepRow) -> str:
    return step.reason


def _whole(step: StepRow, name: str) -> int:
    return int(step.numbers.get(name) or 0)


def _check_words(step: StepRow) -> str:
    instruments, lines = _whole(step, "bad_instruments"), _whole(step, "bad_lines")
    if not instruments and not lines:
        return "every instrument and every line is as it should be"
    return f"{_many(instruments, 'finding')} on instruments and {_many(lines, 'line')} not as they should be"


def _contact_words(step: StepRow) -> str:
    silent = _whole(step, "silent_lines")
    return f"{_many(silent, 'line')} without contact" if silent else "every line makes contact"


def _read_words(step: StepRow) -> str:
    unread = _whole(step, "unread_cells")
    cells = "every cell was read" if not unread else f"{_many(unread, 'cell')} could not be read"
    return f"{cells}, median conductance {step.shown.get('median_siemens', 'not known')}"


def _classify_words(step: StepRow) -> str:
    known = step.shown.get
    return f"{known('healthy_share', 'no')} of the cells are healthy, median TMR {known('tmr', 'not known')}"


def _characterize_words(step: StepRow) -> str:
    measured, refused = _whole(step, "cells_measured"), _whole(step, "cells_refused")
    at = ", ".join(f"to {state} at {step.shown[key]}" for state, key in (("P", "to_p_volts"), ("AP", "to_ap_volts"))
                   if key in step.shown)  # fmt: skip
    more = f", {refused} refused" if refused else ""
    return f"{_many(measured, 'cell')} measured in depth{more}" + (f"; they switch {at}" if at else "")


def _train_words(step: StepRow) -> str:
    known = step.shown.get
    planned = known("planned_accuracy", "not known")
    return f"{known('software_accuracy', 'not known')} right in software, {planned} predicted on this die"


def _write_words(step: StepRow) -> str:
    refused = _whole(step, "unwritten_cells")
    more = f", {_many(refused, 'cell')} refused" if refused else ""
    return f"{step.shown.get('fidelity', 'no')} of the cells are in their wanted state{more}"


_WORDS = {
    "check": _check_words,
    "contact": _contact_words,
    "read": _read_words,
    "classify": _classify_words,
    "characterize": _characterize_words,
    "train": _train_words,
    "write": _write_words,
}


def highlights(result: RunResult) -> list[tuple[str, str]]:
    """(label, value) of the few numbers that say most."""
    step = _telling_step(result)
    if step is None:
        return []
    names = [name for name in _HIGHLIGHTS.get(step.step, ()) if name in step.shown]
    return [(first_upper(number_words(name)), with_micro(step.shown[name])) for name in names[:_MOST_HIGHLIGHTS]]


def bin_fact(sorted_into: BinRow) -> tuple[str, str]:
    """Colour and words for the banner."""
    bins = f"hard bin {sorted_into.hard}, soft bin {sorted_into.soft}"
    return ("green", f"Good: {bins}") if sorted_into.is_good else ("amber", f"Not good, {sorted_into.name}: {bins}")


def recipe_facts(result: RunResult) -> list[tuple[str, str]]:
    """What the run was made with, for a table."""
    assert result.recipe is not None
    recipe = result.recipe
    released = recipe.released or {}
    limits = result.settings.get("limits")
    is_typed = recipe.file.startswith("mtjlab ")
    facts = {
        "Recipe": f"{recipe.name}, revision {recipe.revision}",
        "Bench": _bench(recipe.resolved),
        "File": f"none: put together from the options of '{recipe.file}'" if is_typed else recipe.file,
        "Released": f"by {released.get('by')}, {released.get('at')}" if released else "not released",
        "SHA-256 of its values": recipe.sha256,
        "Device": str(result.settings.get("name", "")),
        "Limits": with_micro(limits_words(limits)) if isinstance(limits, dict) else "",
    }
    return [(label, words) for label, words in facts.items() if words]


def _bench(resolved: dict[str, Any]) -> str:
    bench = resolved.get("bench")
    if not isinstance(bench, dict):
        return "none"
    said = {"simulated": "simulated, {}", "seed": "seed {}", "station": "station file {}", "wiring": "wiring file {}"}
    said |= {"power_cycles": "readings over {} power line cycles", "read_amps_range": "ammeter range {} A"}
    return "; ".join(words.format(plain(bench[key])) for key, words in said.items() if bench.get(key) is not None)


def judged(result: RunResult) -> list[dict[str, Any]]:
    """The tests of the recipe, in their order: what was wanted, found, and whether it holds; None if not measured."""
    assert result.recipe is not None
    bins = result.recipe.resolved.get("bins")
    tests = bins.get("tests") if isinstance(bins, dict) else None
    shown = {f"{step.name}.{name}": words for step in result.steps for name, words in step.shown.items()}
    failed = result.bin.all_failed if result.bin else []
    rows = []
    for one in tests if isinstance(tests, list) else []:
        if not isinstance(one, dict):
            continue
        test = str(one.get("test", ""))
        step, _, name = test.partition(".")
        bounds = [f"{word} {plain(one[key])}" for key, word in (("least", "at least"), ("most", "at most"))
                  if one.get(key) is not None]  # fmt: skip
        rows.append(
            {
                "what": f"{first_upper(number_words(name))} ({step})",
                "wanted": with_micro(" and ".join(bounds)),
                "found": with_micro(shown.get(test, "not measured")),
                "is_good": None if test not in shown else test not in failed,
                "bin": f"hard {one.get('hard')}, soft {one.get('soft')}"
                + (f", {one['name']}" if one.get("name") else ""),
            }
        )
    return rows


def troubles(result: RunResult, maps: dict[str, ArrayMap]) -> list[str]:
    """What did not go as it should, beside incidents: each in one sentence."""
    assert result.recipe is not None
    found = []
    for step in result.steps:
        found += _of_step(step)
    planned = result.recipe.resolved.get("steps")
    missing = planned[len(result.steps) :] if isinstance(planned, list) else []
    if missing:
        names = ", ".join(str(one.get("name") or one.get("step")) for one in missing if isinstance(one, dict))
        found.append(f"Not done: {names}.")
    if result.saturated_readings:
        found.append(f"{result.saturated_readings} readings were taken while a source or ammeter was limiting.")
    for name, one in maps.items():
        unwritten = int((one.status == CellStatus.UNWRITTEN).sum())
        if name.startswith("layer_") and unwritten:
            found.append(f"{_many(unwritten, 'cell')} refused the target in {name.replace('_', ' ')}.")
        if one.is_partial:
            found.append(
                f"The map '{name}' is partial: {int(np.isfinite(one.siemens).sum())} of {one.siemens.size} cells."
            )
    return found


def _of_step(step: StepRow) -> list[str]:
    told = {
        "silent_lines": "{} without contact.",
        "unread_cells": "{} without a reading.",
        "cells_refused": "{} refused to be measured in depth.",
        "unwritten_cells": "{} refused the wanted state, after all passes.",
        "mended_cells": "{} had to be written again after writing their neighbours.",
    }
    nouns = {"silent_lines": "line"}
    found = []
    if step.step == "classify" and _whole(step, "defects"):
        kinds = {name: _whole(step, name) for name in step.numbers if name.upper() in CellStatus.__members__}
        told_kinds = ", ".join(
            f"{number} {STATUS_STYLE[CellStatus[name.upper()]][2]}" for name, number in kinds.items() if number
        )
        found.append(f"{step.name}: {_many(_whole(step, 'defects'), 'cell')} not healthy ({told_kinds}).")
    for name in ("fidelity", "write_fidelity"):
        right = step.numbers.get(name)
        if right is not None and right < 1:
            found.append(f"{step.name}: {1 - right:.2%} of the cells were not read in their wanted state.")
    for name, words in told.items():
        if _whole(step, name):
            found.append(f"{step.name}: {words.format(_many(_whole(step, name), nouns.get(name, 'cell')))}")
    return found


def _many(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
