"""The steps of a recipe that look at the bench and at every cell: check, contact, read, classify."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from mtjlab.errors import InputError
from mtjlab.nouns import ArrayMap, CellStatus
from mtjlab.physics.deembed import Wires
from mtjlab.recipe_steps import CheckStep, ClassifyStep, ContactStep, ReadStep

from .classify import classify
from .classify_defects import survey
from .classify_reads import ClassifySettings
from .die_steps import DieContext, StepFound
from .readout import silent_lines
from .readout_array import read_array
from .readout_settings import SCHEME_NAMES, ReadSettings
from .survey_chip_kernel import SurveySettings, survey_array
from .write_settings import WriteSettings

_MAPS = ("as_found", "both_states")


def check(step: CheckStep, context: DieContext) -> StepFound:
    """The morning check."""
    if context.check is None:
        raise InputError("this bench has no morning check", where=step.label, remedy="Leave the step out")
    found = context.check(context.progress)
    problems = [f"{one.what}: {one.found}, wanted {one.wanted}" for one in found.instruments if not one.is_good]
    lines = {f"{one.line.axis} {one.line.number}": list(one.problems) for one in found.lines if one.problems}
    numbers = {"bad_instruments": float(len(problems)), "bad_lines": float(len(lines))}
    details = {
        "instruments": problems,
        "lines": lines,
        "findings": [asdict(one) for one in found.instruments],
        "paths": [
            {
                "line": f"{one.line.axis} {one.line.number}",
                "path_ohms": one.path_ohms,
                "leak_siemens": one.leak_siemens,
                "cells_siemens": one.cells_siemens,
            }
            for one in found.lines
        ],
    }
    return StepFound(numbers, details=details)


def contact(step: ContactStep, context: DieContext) -> StepFound:
    """Lines on which nothing conducts."""
    silent = [f"{line.axis} {line.number}" for line in silent_lines(context.array, step.read_volts, context.progress)]
    reason = f"no current on {', '.join(silent)}: re-land the probes" if silent else "every line conducts"
    return StepFound({"silent_lines": float(len(silent))}, reason, {"silent": silent}, bool(silent) and step.stops)


def read(step: ReadStep, context: DieContext) -> StepFound:
    """Every cell in the state it is in."""
    schemes = {name: scheme for scheme, name in SCHEME_NAMES.items()}
    wires = None if step.segment_ohms is None else Wires(step.segment_ohms, step.line_ohms, step.line_ohms)
    settings = ReadSettings(
        scheme=None if step.scheme is None else schemes[step.scheme],
        read_volts=step.read_volts,
        both_polarities=step.both_polarities,
        readings=step.readings,
        wanted=step.wanted,
        most_readings=step.most_readings,
        wires=wires,
    )
    found = read_array(
        context.array,
        settings,
        reference=context.known,
        progress=context.progress,
        keep=lambda one: context.keep(_named(step.name, "as_found"), one),
    )
    good = found.siemens[np.isfinite(found.siemens)]
    sigma = found.sigma[np.isfinite(found.sigma)]
    numbers = {
        "median_siemens": _median(good),
        "least_siemens": float(good.min()) if good.size else np.nan,
        "most_siemens": float(good.max()) if good.size else np.nan,
        "sigma_siemens": _median(sigma),
        "unread_cells": float(found.siemens.size - good.size),
    }
    details: dict[str, object] = {"scheme": found.conditions.scheme}
    if wires is None:
        details["warnings"] = [_wires_left_out(numbers["median_siemens"], numbers["sigma_siemens"])]
    return StepFound(numbers, str(found.provenance.get("reason", "done")), details)


def _wires_left_out(siemens: float, sigma: float) -> str:
    """What it means that no wire resistances were given, with the size of it: G is low by G R of the wires."""
    size = (
        f" (sigma is {sigma / siemens:.2%}; 10 ohm of wire lower the median by {10 * siemens:.2%})"
        if siemens > 0
        else ""
    )
    return (
        f"the uncertainty leaves out the wires, whose resistance lowers every conductance that was read{size}. "
        "Give segment_ohms (and line_ohms) to the step, as --set 'segment_ohms=2 ohm', to have them removed"
    )


def classified(step: ClassifyStep, context: DieContext) -> StepFound:
    """Both states and the status of every cell."""
    write = WriteSettings(**step.pulses())
    if step.how == "quick":
        known = _surveyed(step, write, context)
        details: dict[str, object] = {}
    elif step.how == "columns":
        known, details = _by_columns(step, write, context), {}
    else:
        settings = ClassifySettings(write, step.read_volts, repeats=step.repeats, exposures=step.exposures)
        found = classify(
            context.array,
            settings=settings,
            progress=context.progress,
            keep=lambda one: context.keep(_named(step.name, "both_states"), one),
        )
        known = found.known
        details = {
            "cells": [
                {"cell": list(one.site), "is": one.status.name.lower(), "because": one.measure} for one in found.cells
            ]
        }
    context.known = known
    return StepFound(map_numbers(known), details=details)


def map_numbers(known: ArrayMap) -> dict[str, float]:
    """What a map of both states is judged by."""
    healthy = known.status == CellStatus.OK
    p, ap = known.siemens_p[healthy], known.siemens_ap[healthy]
    counts = known.defect_counts()
    numbers: dict[str, float] = {name: float(counts[name]) for name in ClassifyStep.tests if name in counts}
    return numbers | {
        "healthy_share": float(healthy.mean()),
        "defects": float(sum(counts.values())),
        "median_p_siemens": _median(p),
        "median_ap_siemens": _median(ap),
        "on_off_siemens": _median(p - ap),
        "tmr": _median(p / ap - 1),
    }


def _surveyed(step: ClassifyStep, write: WriteSettings, context: DieContext) -> ArrayMap:
    def keep(one: ArrayMap) -> None:
        context.keep(_named(step.name, _MAPS[not np.isnan(one.siemens_p).all()]), one)

    crossbar = context.array
    found, known = survey(crossbar, settings=write, read_volts=step.read_volts, progress=context.progress, keep=keep)
    context.keep(_named(step.name, "as_found"), found)
    return known


def _by_columns(step: ClassifyStep, write: WriteSettings, context: DieContext) -> ArrayMap:
    settings = SurveySettings(write, read_volts=step.read_volts, repeats=step.repeats)
    found = survey_array(
        context.array,
        settings,
        progress=context.progress,
        keep=lambda one: context.keep(_named(step.name, "both_states"), one),
    )
    return found.known


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _named(name: str | None, what: str) -> str:
    return f"{name}_{what}" if name else what
